//! What the answer to a write tells.

use tandem_domain::ids::BrokerOrderId;
use tandem_domain::order::BrokerStatus;

use super::{Answer, OrderRequestError};
use crate::parse;
use crate::refusal;
use crate::rest::writes::{ChangedOrder, PlacedOrder};
use crate::wire::{OrderAnswer, decode_row};

impl Answer {
    /// Of a placing.
    pub fn placed(&self) -> Result<PlacedOrder, OrderRequestError> {
        if self.is_success()
            && let Ok(placed) = decode_row::<OrderAnswer>(&self.body)
            && let Ok(broker_order_id) = BrokerOrderId::new(&placed.order_id)
        {
            let status = BrokerStatus::from_wire(&placed.order_status);
            return Ok(PlacedOrder { broker_order_id, status });
        }
        Err(self.write_error())
    }

    /// Of a change or a cancellation.
    pub fn changed(&self) -> Result<ChangedOrder, OrderRequestError> {
        if self.is_success() {
            if self.body.trim_ascii().is_empty() {
                return Ok(ChangedOrder { status: None });
            }
            if let Ok(changed) = decode_row::<OrderAnswer>(&self.body)
                && !changed.order_id.is_empty()
            {
                return Ok(ChangedOrder { status: parse::placed_status(&changed.order_status) });
            }
        }
        Err(self.write_error())
    }

    /// Of a conversion. The broker takes it with 202 and no documented body (section 4.6).
    pub fn converted(&self) -> Result<(), OrderRequestError> {
        if self.is_success() && refusal::read(self.http, &self.body).is_none() {
            return Ok(());
        }
        Err(self.write_error())
    }
}
