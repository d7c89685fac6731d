//! The exchange through its public face. Expectations are written by hand against prices and depth set by hand.

mod day;
mod files;
mod forever;
mod hand;
mod life;
mod matching;
mod money;
mod overlap;
mod positions;
mod prices;
mod properties;
mod refusals;
mod supers;
mod variants;

use std::time::Duration;

use tandem_domain::ids::DhanClientId;
use tandem_domain::instrument::{ExchangeSegment, InstrumentKey, OptionType, SecurityId};
use tandem_domain::order::{
    BrokerStatus, ExitLegs, Leg, OrderForm, OrderTerms, OrderType, Product, Side, TimeInForce,
};
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::Quantity;

use super::*;

/// NIFTY's lot.
const LOT: u32 = 65;

fn client(number: u32) -> DhanClientId {
    DhanClientId::new(number.to_string()).unwrap()
}

fn leader() -> DhanClientId {
    client(1_000_000_101)
}

fn follower() -> DhanClientId {
    client(1_000_000_202)
}

fn settings() -> ExchangeSettings {
    let account = |id: DhanClientId| AccountSettings::new(id, "token", Money::from_rupees(1_000_000));
    ExchangeSettings {
        accounts: vec![account(leader()), account(follower())],
        rate_limits: None,
        ..ExchangeSettings::default()
    }
}

fn rupees(text: &str) -> Price {
    text.parse().unwrap()
}

fn units(count: u32) -> Quantity {
    Quantity::new(count)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// The NIFTY call of the second expiry with the strike 26000.
fn call(exchange: &Exchange) -> InstrumentKey {
    strike(exchange, "26000", OptionType::Call)
}

fn strike(exchange: &Exchange, strike: &str, side: OptionType) -> InstrumentKey {
    exchange.option("NIFTY", exchange.expiries("NIFTY")[1], rupees(strike), side).unwrap()
}

fn share() -> InstrumentKey {
    InstrumentKey { segment: ExchangeSegment::NseEquity, security_id: SecurityId(2885) }
}

/// An exchange in which the call trades at 100, with no depth but the accounts' own.
fn quiet() -> (Exchange, InstrumentKey) {
    quiet_with(settings())
}

fn quiet_with(settings: ExchangeSettings) -> (Exchange, InstrumentKey) {
    let mut exchange = Exchange::new(settings);
    let call = call(&exchange);
    exchange.set_last_price(call, rupees("100"));
    exchange.set_depth(call, Some(fixed(&[], &[])));
    (exchange, call)
}

fn fixed(bids: &[(&str, u32)], asks: &[(&str, u32)]) -> Depth {
    let levels = |side: &[(&str, u32)]| {
        side.iter().map(|(price, count)| Level { price: rupees(price), quantity: units(*count) }).collect()
    };
    Depth::Fixed { bids: levels(bids), asks: levels(asks) }
}

fn limit(instrument: InstrumentKey, side: Side, quantity: u32, price: &str) -> PlaceRequest {
    PlaceRequest::new(OrderTerms {
        instrument,
        side,
        product: Product::Margin,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Day,
        quantity: units(quantity),
        disclosed: Quantity::ZERO,
        price: rupees(price),
        trigger: Price::ZERO,
        after_market: false,
        form: tandem_domain::order::OrderForm::Ordinary,
    })
}

fn market(instrument: InstrumentKey, side: Side, quantity: u32) -> PlaceRequest {
    let mut request = limit(instrument, side, quantity, "0");
    request.terms.order_type = OrderType::Market;
    request
}

fn stop(instrument: InstrumentKey, side: Side, quantity: u32, trigger: &str, price: &str) -> PlaceRequest {
    let mut request = limit(instrument, side, quantity, price);
    request.terms.order_type = OrderType::StopLoss;
    request.terms.trigger = rupees(trigger);
    request
}

fn place(exchange: &mut Exchange, account: &DhanClientId, request: &PlaceRequest) -> String {
    exchange.place(account, Source::Api, request).unwrap().order_id.to_string()
}

fn status(exchange: &Exchange, account: &DhanClientId, order_id: &str) -> BrokerStatus {
    exchange.order(account, order_id).unwrap().status.clone()
}

fn reason(exchange: &Exchange, account: &DhanClientId, order_id: &str) -> String {
    exchange.order(account, order_id).unwrap().reason.to_string()
}

/// A one-lot super order of one account: entry limit, target, stop and jump in rupees; "0" for none.
fn with_exits(entry: PlaceRequest, target: &str, stop: &str, trailing: &str) -> PlaceRequest {
    let some = |text: &str| Some(rupees(text)).filter(|price| !price.is_zero());
    let legs = ExitLegs { target: some(target), stop: some(stop), trailing: rupees(trailing) };
    PlaceRequest { terms: OrderTerms { form: OrderForm::Super(legs), ..entry.terms.clone() }, ..entry }
}

/// The stream's words since the last drain with leg and order quantity of each.
fn told_of_legs(exchange: &mut Exchange) -> Vec<(String, Leg, u32)> {
    exchange
        .drain_events()
        .into_iter()
        .map(|event| (event.status.as_str().to_owned(), event.order.leg(), event.order.terms.quantity.get()))
        .collect()
}

/// The stream's words since the last drain, with the filled quantity of each.
fn told(exchange: &mut Exchange) -> Vec<(String, u32)> {
    exchange
        .drain_events()
        .into_iter()
        .map(|event| (event.status.as_str().to_owned(), event.order.filled.get()))
        .collect()
}

fn words(expected: &[(&str, u32)]) -> Vec<(String, u32)> {
    expected.iter().map(|(word, filled)| ((*word).to_owned(), *filled)).collect()
}
