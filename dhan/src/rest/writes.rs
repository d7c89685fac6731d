//! Place, modify, cancel, convert. Nothing here repeats a request.

use tandem_domain::follower::Conversion;
use tandem_domain::ids::{BrokerOrderId, ClientOrderId};
use tandem_domain::mirror::OrderPart;
use tandem_domain::order::{BrokerStatus, OrderTerms};

use super::AccountClient;
use super::answer::Answer;
use super::error::OrderRequestError;
use super::requests::{self, WriteRequest};
use crate::codes::AmoTime;

/// An order to place.
#[derive(Debug, Clone, Copy)]
pub struct NewOrder<'a> {
    /// Our id; travels as `correlationId`.
    pub client_order_id: &'a ClientOrderId,
    /// What it asks for. Of a super order validity, trigger and after-market are not said: the wire has no field for
    /// them (`dhanhq-v2.md` section 3.1).
    pub terms: &'a OrderTerms,
    /// When it goes to the exchange; used only for ordinary after-market terms.
    pub amo_time: AmoTime,
}

/// The broker took an order; that it will live is not said (`dhanhq-v2.md` section 0.2, item 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedOrder {
    /// The broker's id.
    pub broker_order_id: BrokerOrderId,
    /// Usually `Transit`.
    pub status: BrokerStatus,
}

/// A change of a working order: the whole of it, or of one leg, restated; the quantity its new total, filled units
/// included.
#[derive(Debug, Clone, Copy)]
pub struct ChangeOrder<'a> {
    /// Which order: of a super order the entry's id, whichever part is meant.
    pub broker_order_id: &'a BrokerOrderId,
    /// What it shall ask for from now on; only type, validity, quantities and prices can change.
    pub terms: &'a OrderTerms,
    /// Which part. Ordinary orders have one. Of a super order the whole means the entry; of a forever order the whole
    /// and the target mean the first leg, the stop the second.
    pub part: OrderPart,
}

/// A cancellation.
#[derive(Debug, Clone, Copy)]
pub struct CancelOrder<'a> {
    /// Which order: of a super order the entry's id, whichever part is meant.
    pub broker_order_id: &'a BrokerOrderId,
    /// What it asks for; its form says where the order is to be found.
    pub terms: &'a OrderTerms,
    /// Which part, for super orders: the whole means the entry, which takes its exits along. All others are cancelled
    /// whole: a forever order has no way to lose one of two legs.
    pub part: OrderPart,
}

/// The broker took a change or cancellation; a fill may still win the race.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedOrder {
    /// What the answer called the order's state; none when it had no body, as some have not.
    pub status: Option<BrokerStatus>,
}

impl AccountClient {
    /// Places an order by its form: `POST /orders`, `/super/orders` or `/forever/orders`.
    pub async fn place(&self, order: &NewOrder<'_>) -> Result<PlacedOrder, OrderRequestError> {
        self.write(requests::place(&self.account, order)?, Answer::placed).await
    }

    /// Changes an order, or one leg of it: `PUT` to `/orders/{orderId}`, `/super/orders/{orderId}` or
    /// `/forever/orders/{orderId}`. A leg that the terms do not hold is not sent.
    pub async fn modify(&self, change: &ChangeOrder<'_>) -> Result<ChangedOrder, OrderRequestError> {
        self.write(requests::modify(&self.account, change)?, Answer::changed).await
    }

    /// Cancels an order, or one leg of a super order: `DELETE` of `/orders/{orderId}`,
    /// `/super/orders/{orderId}/{legName}` or `/forever/orders/{orderId}`.
    pub async fn cancel(&self, order: &CancelOrder<'_>) -> Result<ChangedOrder, OrderRequestError> {
        self.write(requests::cancel(order)?, Answer::changed).await
    }

    /// Converts a part of a position to another product: `POST /positions/convert` (section 4.6). Whether it is done, the
    /// positions tell.
    pub async fn convert(&self, conversion: &Conversion) -> Result<(), OrderRequestError> {
        self.write(requests::convert(&self.account, conversion)?, Answer::converted).await
    }

    /// The body of a placing request as it goes over the wire, for the record. It holds no token.
    pub fn place_body(&self, order: &NewOrder<'_>) -> String {
        // Plain numbers and texts always serialise; a record without a body is better than no order.
        body_of(requests::place(&self.account, order))
    }

    /// The body of a change as it goes over the wire, for the record; empty for one that would not be sent. It holds
    /// no token.
    pub fn modify_body(&self, change: &ChangeOrder<'_>) -> String {
        body_of(requests::modify(&self.account, change))
    }

    /// A cancellation has no body: its method and path, for the record; empty for one that would not be sent.
    pub fn cancel_body(&self, order: &CancelOrder<'_>) -> String {
        requests::cancel(order)
            .map(|request| format!("{} {}", request.method, request.path))
            .unwrap_or_default()
    }

    async fn write<T>(
        &self,
        request: WriteRequest,
        read: impl FnOnce(&Answer) -> Result<T, OrderRequestError>,
    ) -> Result<T, OrderRequestError> {
        let body = request.body.map(String::into_bytes);
        let answer = self.transport.request(request.method, &request.path, body).await?;
        read(&answer).map_err(|error| error.with_texts(|text| self.transport.scrub(text)))
    }
}

fn body_of(request: Result<WriteRequest, OrderRequestError>) -> String {
    request.ok().and_then(|request| request.body).unwrap_or_default()
}
