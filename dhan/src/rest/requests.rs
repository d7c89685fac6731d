//! What a write says: its path and body by the order's form. Typed numbers always, texts only where they mean
//! something, never an empty one (`dhanhq-v2.md` section 2.2).

use awc::http::Method;
use serde::Serialize;
use tandem_domain::follower::Conversion;
use tandem_domain::ids::{BrokerOrderId, DhanClientId};
use tandem_domain::mirror::OrderPart;
use tandem_domain::order::{ExitLegs, OcoLeg, OrderForm, OrderTerms, OrderType};
use tandem_domain::price::Price;

use super::error::OrderRequestError;
use super::writes::{CancelOrder, ChangeOrder, NewOrder};
use crate::wire::{
    ConvertPositionRequest, CreateForeverOrderRequest, Decimal, ModifyForeverOrderRequest,
    ModifyOrderRequest, ModifySuperOrderRequest, PlaceOrderRequest, PlaceSuperOrderRequest,
};

const ENTRY_LEG: &str = "ENTRY_LEG";
const TARGET_LEG: &str = "TARGET_LEG";
const STOP_LOSS_LEG: &str = "STOP_LOSS_LEG";

/// One write, ready to go. It holds no token.
pub(super) struct WriteRequest {
    pub(super) method: Method,
    /// Below the base address.
    pub(super) path: String,
    /// JSON.
    pub(super) body: Option<String>,
}

/// `POST` to the orders of its form.
pub(super) fn place(account: &DhanClientId, order: &NewOrder<'_>) -> Result<WriteRequest, OrderRequestError> {
    let (path, body) = match order.terms.form {
        OrderForm::Ordinary => ("/orders", to_json(&ordinary(account, order))?),
        OrderForm::Super(exits) => ("/super/orders", to_json(&with_exits(account, order, exits))?),
        OrderForm::Forever(second) => ("/forever/orders", to_json(&forever(account, order, second))?),
    };
    Ok(WriteRequest { method: Method::POST, path: path.to_owned(), body: Some(body) })
}

/// `PUT` to the order, naming the leg where its form has legs.
pub(super) fn modify(
    account: &DhanClientId,
    change: &ChangeOrder<'_>,
) -> Result<WriteRequest, OrderRequestError> {
    let body = match change.terms.form {
        OrderForm::Ordinary => to_json(&ordinary_change(account, change))?,
        OrderForm::Super(exits) => to_json(&exits_change(account, change, exits)?)?,
        OrderForm::Forever(second) => to_json(&forever_change(account, change, second)?)?,
    };
    let path = order_path(change.broker_order_id, &change.terms.form)?;
    Ok(WriteRequest { method: Method::PUT, path, body: Some(body) })
}

/// `DELETE` of the order, or of one leg of a super order.
pub(super) fn cancel(order: &CancelOrder<'_>) -> Result<WriteRequest, OrderRequestError> {
    let mut path = order_path(order.broker_order_id, &order.terms.form)?;
    if matches!(order.terms.form, OrderForm::Super(_)) {
        path = format!("{path}/{}", super_leg(order.part));
    }
    Ok(WriteRequest { method: Method::DELETE, path, body: None })
}

/// `POST` of a conversion (section 4.6): the units without their sign, which the position type tells.
pub(super) fn convert(
    account: &DhanClientId,
    conversion: &Conversion,
) -> Result<WriteRequest, OrderRequestError> {
    let request = ConvertPositionRequest {
        dhan_client_id: account.as_str().to_owned(),
        from_product_type: conversion.from.as_str().to_owned(),
        to_product_type: conversion.to.as_str().to_owned(),
        exchange_segment: conversion.instrument.segment.as_str().to_owned(),
        position_type: if conversion.units < 0 { "SHORT" } else { "LONG" }.to_owned(),
        security_id: conversion.instrument.security_id.to_string(),
        convert_qty: conversion.units.saturating_abs(),
    };
    let body = to_json(&request)?;
    Ok(WriteRequest { method: Method::POST, path: "/positions/convert".to_owned(), body: Some(body) })
}

fn ordinary(account: &DhanClientId, order: &NewOrder<'_>) -> PlaceOrderRequest {
    let terms = order.terms;
    PlaceOrderRequest {
        dhan_client_id: account.as_str().to_owned(),
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

fn with_exits(account: &DhanClientId, order: &NewOrder<'_>, exits: ExitLegs) -> PlaceSuperOrderRequest {
    let terms = order.terms;
    PlaceSuperOrderRequest {
        dhan_client_id: account.as_str().to_owned(),
        correlation_id: Some(order.client_order_id.as_str().to_owned()),
        transaction_type: terms.side.as_str().to_owned(),
        exchange_segment: terms.instrument.segment.as_str().to_owned(),
        product_type: terms.product.as_str().to_owned(),
        order_type: terms.order_type.as_str().to_owned(),
        security_id: terms.instrument.security_id.to_string(),
        quantity: terms.quantity.get().into(),
        price: limit_price(terms),
        target_price: price_or_none(exits.target),
        stop_loss_price: price_or_none(exits.stop),
        trailing_jump: exits.trailing.into(),
    }
}

fn forever(
    account: &DhanClientId,
    order: &NewOrder<'_>,
    second: Option<OcoLeg>,
) -> CreateForeverOrderRequest {
    let terms = order.terms;
    CreateForeverOrderRequest {
        dhan_client_id: account.as_str().to_owned(),
        correlation_id: Some(order.client_order_id.as_str().to_owned()),
        order_flag: order_flag(second).to_owned(),
        transaction_type: terms.side.as_str().to_owned(),
        exchange_segment: terms.instrument.segment.as_str().to_owned(),
        product_type: terms.product.as_str().to_owned(),
        order_type: terms.order_type.as_str().to_owned(),
        validity: terms.time_in_force.as_str().to_owned(),
        security_id: terms.instrument.security_id.to_string(),
        quantity: terms.quantity.get().into(),
        disclosed_quantity: Some(terms.disclosed.get().into()),
        price: limit_price(terms),
        trigger_price: terms.trigger.into(),
        price1: second.map(|leg| leg.price.into()),
        trigger_price1: second.map(|leg| leg.trigger.into()),
        quantity1: second.map(|leg| leg.quantity.get().into()),
    }
}

/// The whole order; `legName` is left out, an empty one is refused (section 2.4).
fn ordinary_change(account: &DhanClientId, change: &ChangeOrder<'_>) -> ModifyOrderRequest {
    let terms = change.terms;
    ModifyOrderRequest {
        dhan_client_id: account.as_str().to_owned(),
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

/// What the leg lets change, all of it (section 3.1); the trail always, because leaving it out cancels it.
fn exits_change(
    account: &DhanClientId,
    change: &ChangeOrder<'_>,
    exits: ExitLegs,
) -> Result<ModifySuperOrderRequest, OrderRequestError> {
    let leg = super_leg(change.part);
    let request = ModifySuperOrderRequest {
        dhan_client_id: account.as_str().to_owned(),
        order_id: change.broker_order_id.as_str().to_owned(),
        leg_name: leg.to_owned(),
        ..ModifySuperOrderRequest::default()
    };
    let terms = change.terms;
    match change.part {
        OrderPart::Whole | OrderPart::Entry => Ok(ModifySuperOrderRequest {
            order_type: Some(terms.order_type.as_str().to_owned()),
            quantity: Some(terms.quantity.get().into()),
            price: Some(limit_price(terms)),
            target_price: Some(price_or_none(exits.target)),
            stop_loss_price: Some(price_or_none(exits.stop)),
            trailing_jump: Some(exits.trailing.into()),
            ..request
        }),
        OrderPart::Target => {
            let target = exits.target.ok_or_else(|| no_leg(leg))?;
            Ok(ModifySuperOrderRequest { target_price: Some(target.into()), ..request })
        }
        OrderPart::Stop => {
            let stop = exits.stop.ok_or_else(|| no_leg(leg))?;
            Ok(ModifySuperOrderRequest {
                stop_loss_price: Some(stop.into()),
                trailing_jump: Some(exits.trailing.into()),
                ..request
            })
        }
    }
}

/// One leg, the whole of it (section 3.2).
fn forever_change(
    account: &DhanClientId,
    change: &ChangeOrder<'_>,
    second: Option<OcoLeg>,
) -> Result<ModifyForeverOrderRequest, OrderRequestError> {
    let terms = change.terms;
    let (leg, quantity, price, trigger) = match change.part {
        OrderPart::Whole | OrderPart::Entry | OrderPart::Target => {
            (TARGET_LEG, terms.quantity, limit_price(terms), terms.trigger)
        }
        OrderPart::Stop => {
            let second = second.ok_or_else(|| no_leg(STOP_LOSS_LEG))?;
            (STOP_LOSS_LEG, second.quantity, second.price.into(), second.trigger)
        }
    };
    Ok(ModifyForeverOrderRequest {
        dhan_client_id: account.as_str().to_owned(),
        order_id: change.broker_order_id.as_str().to_owned(),
        order_flag: order_flag(second).to_owned(),
        order_type: terms.order_type.as_str().to_owned(),
        leg_name: leg.to_owned(),
        quantity: quantity.get().into(),
        price,
        disclosed_quantity: Some(terms.disclosed.get().into()),
        trigger_price: trigger.into(),
        validity: terms.time_in_force.as_str().to_owned(),
    })
}

const fn super_leg(part: OrderPart) -> &'static str {
    match part {
        OrderPart::Whole | OrderPart::Entry => ENTRY_LEG,
        OrderPart::Target => TARGET_LEG,
        OrderPart::Stop => STOP_LOSS_LEG,
    }
}

const fn order_flag(second: Option<OcoLeg>) -> &'static str {
    if second.is_some() { "OCO" } else { "SINGLE" }
}

/// A leg that is not there is 0: the official SDK sends both numbers always.
fn price_or_none(price: Option<Price>) -> Decimal {
    price.map_or(Decimal::ZERO, Decimal::from)
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

fn order_path(order: &BrokerOrderId, form: &OrderForm) -> Result<String, OrderRequestError> {
    let orders = match form {
        OrderForm::Ordinary => "/orders",
        OrderForm::Super(_) => "/super/orders",
        OrderForm::Forever(_) => "/forever/orders",
    };
    super::reads::path_segment(order.as_str())
        .map(|segment| format!("{orders}/{segment}"))
        .ok_or_else(|| OrderRequestError::NotSent { why: format!("order id {order} is fit for no path") })
}

/// A price of 0 for a leg that is not there would be a guess at what the broker makes of it.
fn no_leg(leg: &str) -> OrderRequestError {
    OrderRequestError::NotSent { why: format!("the terms hold no {leg} to change") }
}

fn to_json(request: &impl Serialize) -> Result<String, OrderRequestError> {
    serde_json::to_string(request).map_err(|error| OrderRequestError::NotSent { why: error.to_string() })
}
