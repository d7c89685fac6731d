//! Place, modify, cancel. Nothing here repeats a request.

use awc::http::Method;
use serde::Serialize;
use tandem_domain::ids::{BrokerOrderId, ClientOrderId};
use tandem_domain::order::{BrokerStatus, OrderTerms, OrderType};

use super::AccountClient;
use super::error::OrderRequestError;
use crate::codes::AmoTime;
use crate::parse;
use crate::wire::{Decimal, ModifyOrderRequest, OrderAnswer, PlaceOrderRequest, decode_row};

/// An order to place.
#[derive(Debug, Clone, Copy)]
pub struct NewOrder<'a> {
    /// Our id; travels as `correlationId`.
    pub client_order_id: &'a ClientOrderId,
    /// What it asks for.
    pub terms: &'a OrderTerms,
    /// When it goes to the exchange; used only for after-market terms.
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

/// A change of a working order: the whole of it restated, the quantity its new total, filled units included.
#[derive(Debug, Clone, Copy)]
pub struct ChangeOrder<'a> {
    /// Which order.
    pub broker_order_id: &'a BrokerOrderId,
    /// What it shall ask for from now on; only type, validity, quantity, prices and disclosed quantity can change.
    pub terms: &'a OrderTerms,
}

/// The broker took a change or cancellation; a fill may still win the race.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedOrder {
    /// What the answer called the order's state; none when it had no body, as some have not.
    pub status: Option<BrokerStatus>,
}

impl AccountClient {
    /// Places an order (`POST /orders`).
    pub async fn place(&self, order: &NewOrder<'_>) -> Result<PlacedOrder, OrderRequestError> {
        let body = to_json(&self.place_request(order))?;
        let answer = self.transport.request(Method::POST, "/orders", Some(body)).await?;
        if answer.is_success()
            && let Ok(placed) = decode_row::<OrderAnswer>(&answer.body)
            && let Ok(broker_order_id) = BrokerOrderId::new(&placed.order_id)
        {
            let status = BrokerStatus::from_wire(&placed.order_status);
            return Ok(PlacedOrder { broker_order_id, status });
        }
        Err(answer.write_error(&self.transport))
    }

    /// Changes an order (`PUT /orders/{orderId}`).
    pub async fn modify(&self, change: &ChangeOrder<'_>) -> Result<ChangedOrder, OrderRequestError> {
        let path = order_path(change.broker_order_id)?;
        let body = to_json(&self.modify_request(change))?;
        self.change(Method::PUT, &path, Some(body)).await
    }

    /// Cancels an order (`DELETE /orders/{orderId}`).
    pub async fn cancel(&self, order: &BrokerOrderId) -> Result<ChangedOrder, OrderRequestError> {
        self.change(Method::DELETE, &order_path(order)?, None).await
    }

    async fn change(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<ChangedOrder, OrderRequestError> {
        let answer = self.transport.request(method, path, body).await?;
        if answer.is_success() {
            if answer.body.trim_ascii().is_empty() {
                return Ok(ChangedOrder { status: None });
            }
            if let Ok(changed) = decode_row::<OrderAnswer>(&answer.body)
                && !changed.order_id.is_empty()
            {
                return Ok(ChangedOrder { status: parse::placed_status(&changed.order_status) });
            }
        }
        Err(answer.write_error(&self.transport))
    }

    /// Typed numbers always, texts only where they mean something, never an empty one (section 2.2).
    /// The body of a placing request as it goes over the wire, for the record. It holds no token.
    pub fn place_body(&self, order: &NewOrder<'_>) -> String {
        // Plain numbers and texts always serialise; a record without a body is better than no order.
        serde_json::to_string(&self.place_request(order)).unwrap_or_default()
    }

    fn place_request(&self, order: &NewOrder<'_>) -> PlaceOrderRequest {
        let terms = order.terms;
        PlaceOrderRequest {
            dhan_client_id: self.account.as_str().to_owned(),
            correlation_id: Some(order.client_order_id.as_str().to_owned()),
            transaction_type: terms.side.as_str().to_owned(),
            exchange_segment: terms.instrument.segment.as_str().to_owned(),
            product_type: terms.product.as_str().to_owned(),
            order_type: terms.order_type.as_str().to_owned(),
            validity: terms.time_in_force.as_str().to_owned(),
            security_id: terms.instrument.security_id.to_string(),
            quantity: terms.quantity.get().into(),
            disclosed_quantity: Some(terms.disclosed.get().into()),
            price: limit_price(terms),
            trigger_price: Some(trigger_price(terms)),
            after_market_order: Some(terms.after_market),
            amo_time: terms.after_market.then(|| order.amo_time.as_str().to_owned()),
            bo_profit_value: None,
            bo_stop_loss_value: None,
        }
    }

    /// The whole order; `legName` is left out, an empty one is refused (section 2.4).
    fn modify_request(&self, change: &ChangeOrder<'_>) -> ModifyOrderRequest {
        let terms = change.terms;
        ModifyOrderRequest {
            dhan_client_id: self.account.as_str().to_owned(),
            order_id: change.broker_order_id.as_str().to_owned(),
            order_type: terms.order_type.as_str().to_owned(),
            validity: terms.time_in_force.as_str().to_owned(),
            quantity: Some(terms.quantity.get().into()),
            price: Some(limit_price(terms)),
            trigger_price: Some(trigger_price(terms)),
            disclosed_quantity: Some(terms.disclosed.get().into()),
            leg_name: None,
        }
    }
}

/// Market types are refused with a price.
fn limit_price(terms: &OrderTerms) -> Decimal {
    match terms.order_type {
        OrderType::Limit | OrderType::StopLoss => terms.price.into(),
        OrderType::Market | OrderType::StopLossMarket => Decimal::ZERO,
    }
}

/// Always a number: production accepts 0 daily for orders without a trigger.
fn trigger_price(terms: &OrderTerms) -> Decimal {
    if terms.order_type.is_stop() { terms.trigger.into() } else { Decimal::ZERO }
}

fn to_json(request: &impl Serialize) -> Result<Vec<u8>, OrderRequestError> {
    serde_json::to_vec(request).map_err(|error| OrderRequestError::NotSent { why: error.to_string() })
}

fn order_path(order: &BrokerOrderId) -> Result<String, OrderRequestError> {
    super::reads::path_segment(order.as_str())
        .map(|segment| format!("/orders/{segment}"))
        .ok_or_else(|| OrderRequestError::NotSent { why: format!("order id {order} is fit for no path") })
}
