//! Orders by hand: what somebody does in the broker's app, and what becomes of an order because a test says so.

use actix_web::HttpResponse;
use actix_web::web::{Data, Json};
use serde::Deserialize;
use serde_json::json;
use tandem_dhan::wire::{
    CreateForeverOrderRequest, Decimal, ModifyForeverOrderRequest, ModifyOrderRequest,
    ModifySuperOrderRequest, PlaceOrderRequest, PlaceSuperOrderRequest,
};
use tandem_domain::ids::{BrokerOrderId, DhanClientId};
use tandem_domain::quantity::Quantity;

use super::bad_request;
use crate::broker::Shared;
use crate::exchange::{self, ApiError, Exchange, OrderAnswer, Source};
use crate::server::{orders, plain, reply::Reply, requests};

/// What somebody does in the app of any account, a copy's owner included. Bodies as on the REST wire.
#[derive(Debug, Deserialize)]
pub(super) struct AppOrder {
    account: DhanClientId,
    #[serde(flatten)]
    action: AppAction,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AppAction {
    /// Products `BO` and `CO` make bracket and cover orders.
    Place(PlaceOrderRequest),
    Modify(ModifyOrderRequest),
    Cancel(OrderName),
    PlaceSuper(PlaceSuperOrderRequest),
    /// Of a bracket or cover order too.
    ModifySuper(ModifySuperOrderRequest),
    /// Of a bracket or cover order too.
    CancelSuper(LegName),
    PlaceForever(CreateForeverOrderRequest),
    ModifyForever(ModifyForeverOrderRequest),
    CancelForever(OrderName),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderName {
    order_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LegName {
    order_id: String,
    leg_name: String,
}

pub(super) async fn app_order(shared: Data<Shared>, order: Json<AppOrder>) -> HttpResponse {
    let AppOrder { account, action } = order.into_inner();
    match shared.with(|broker| act(&mut broker.exchange, &account, &action)) {
        Ok(taken) => HttpResponse::Ok()
            .json(json!({"orderId": taken.order_id.as_str(), "orderStatus": taken.status.as_str()})),
        Err(error) => plain(Reply::from(error)),
    }
}

fn act(exchange: &mut Exchange, account: &DhanClientId, action: &AppAction) -> Result<OrderAnswer, ApiError> {
    const APP: Source = Source::App;
    match action {
        AppAction::Place(wire) => orders::place_ordered(exchange, account, APP, wire),
        AppAction::Modify(wire) => exchange.modify(account, APP, &wire.order_id, &requests::modify(wire)?),
        AppAction::Cancel(of) => exchange.cancel(account, APP, &of.order_id),
        AppAction::PlaceSuper(wire) => exchange.place_super(account, APP, &requests::place_super(wire)?),
        AppAction::ModifySuper(wire) => {
            exchange.modify_super(account, APP, &wire.order_id, &requests::modify_super(wire)?)
        }
        AppAction::CancelSuper(of) => {
            exchange.cancel_super(account, APP, &of.order_id, requests::leg(&of.leg_name)?)
        }
        AppAction::PlaceForever(wire) => {
            exchange.place_forever(account, APP, &requests::place_forever(wire)?)
        }
        AppAction::ModifyForever(wire) => {
            exchange.modify_forever(account, APP, &wire.order_id, &requests::modify_forever(wire)?)
        }
        AppAction::CancelForever(of) => exchange.cancel_forever(account, APP, &of.order_id),
    }
}

/// A fill by hand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fill {
    order_id: BrokerOrderId,
    quantity: u32,
    /// Rupees.
    price: Decimal,
    /// Also after the order's end, and beyond its quantity.
    #[serde(default)]
    whatever: bool,
}

pub(super) async fn fill(shared: Data<Shared>, fill: Json<Fill>) -> HttpResponse {
    let Fill { order_id, quantity, price, whatever } = fill.into_inner();
    let price = match requests::price(Some(price)) {
        Ok(price) => price,
        Err(error) => return bad_request(&error.message),
    };
    let quantity = Quantity::new(quantity);
    let filled = shared.with(|broker| {
        let exchange = &mut broker.exchange;
        if whatever {
            exchange.report_fill(&order_id, quantity, price)
        } else {
            exchange.fill_resting(&order_id, quantity, price)
        }
    });
    done(filled, &format!("no order {order_id} of which {quantity} can fill"))
}

/// Fills of one moment.
pub(super) async fn fill_together(shared: Data<Shared>, fills: Json<Vec<Fill>>) -> HttpResponse {
    let read = fills.into_inner().into_iter().map(|fill| {
        Ok(exchange::Fill {
            price: requests::price(Some(fill.price))?,
            order_id: fill.order_id,
            quantity: Quantity::new(fill.quantity),
        })
    });
    match read.collect::<Result<Vec<_>, ApiError>>() {
        Ok(fills) => {
            let filled = shared.with(|broker| broker.exchange.fill_together(&fills));
            done(filled, "one of them does not work, or has less than that left")
        }
        Err(error) => bad_request(&error.message),
    }
}

/// A rejection by hand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rejection {
    order_id: BrokerOrderId,
    text: String,
}

pub(super) async fn reject(shared: Data<Shared>, rejection: Json<Rejection>) -> HttpResponse {
    let Rejection { order_id, text } = rejection.into_inner();
    let rejected = shared.with(|broker| broker.exchange.reject_resting(&order_id, &text));
    done(rejected, &format!("no order {order_id} rests"))
}

pub(super) fn done(done: bool, otherwise: &str) -> HttpResponse {
    if done { HttpResponse::Ok().json(json!({"ok": true})) } else { bad_request(otherwise) }
}
