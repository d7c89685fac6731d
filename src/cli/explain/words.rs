//! Orders, sizes and spans of time in words.

use tandem_actors::store::OrderEvent;
use tandem_domain::mirror::OrderPart;
use tandem_domain::order::{Leg, OrderForm, OrderTerms};
use tandem_domain::price::Price;
use tandem_domain::sizing::{Sizing, Strategy};
use tandem_domain::time::Timestamp;

use crate::cli::spans::span;

/// An order as it is asked for: `BUY 130, LIMIT 182.35, DAY`.
pub(super) fn terms(terms: &OrderTerms) -> String {
    let mut parts = vec![format!("{} {}", terms.side, terms.quantity)];
    let price = if terms.price.is_zero() { String::new() } else { format!(" {}", terms.price) };
    parts.push(format!("{}{price}", terms.order_type));
    if !terms.trigger.is_zero() {
        parts.push(format!("trigger {}", terms.trigger));
    }
    parts.push(terms.time_in_force.to_string());
    if !terms.disclosed.is_zero() {
        parts.push(format!("{} disclosed", terms.disclosed));
    }
    if terms.after_market {
        parts.push("after market".to_owned());
    }
    parts.extend(form(&terms.form));
    parts.join(", ")
}

fn form(form: &OrderForm) -> Option<String> {
    match form {
        OrderForm::Ordinary => None,
        OrderForm::Super(legs) => {
            let trailing = if legs.trailing.is_zero() {
                String::new()
            } else {
                format!(", trailing by {}", legs.trailing)
            };
            Some(format!(
                "super order (target {}, stop {}{trailing})",
                price_or_none(legs.target),
                price_or_none(legs.stop)
            ))
        }
        OrderForm::Forever(None) => Some("forever order".to_owned()),
        OrderForm::Forever(Some(second)) => Some(format!(
            "forever order (or {} at {}, trigger {})",
            second.quantity, second.price, second.trigger
        )),
    }
}

/// What differs between two states of an order's terms: `price 182.35 -> 182.50`.
pub(super) fn changes(before: &OrderTerms, after: &OrderTerms) -> Vec<String> {
    let mut pairs = vec![
        ("quantity", before.quantity.to_string(), after.quantity.to_string()),
        ("type", before.order_type.to_string(), after.order_type.to_string()),
        ("price", before.price.to_string(), after.price.to_string()),
        ("trigger", before.trigger.to_string(), after.trigger.to_string()),
        ("validity", before.time_in_force.to_string(), after.time_in_force.to_string()),
        ("disclosed", before.disclosed.to_string(), after.disclosed.to_string()),
    ];
    match (&before.form, &after.form) {
        (OrderForm::Super(before), OrderForm::Super(after)) => pairs.extend([
            ("target", price_or_none(before.target), price_or_none(after.target)),
            ("stop", price_or_none(before.stop), price_or_none(after.stop)),
            ("trailing", before.trailing.to_string(), after.trailing.to_string()),
        ]),
        _ => pairs.push(("form", form_word(before), form_word(after))),
    }
    let differ = pairs.into_iter().filter(|(_, before, after)| before != after);
    differ.map(|(what, before, after)| format!("{what} {before} -> {after}")).collect()
}

fn price_or_none(price: Option<Price>) -> String {
    price.map_or_else(|| "none".to_owned(), |price| price.to_string())
}

fn form_word(terms: &OrderTerms) -> String {
    form(&terms.form).unwrap_or_else(|| "ordinary".to_owned())
}

/// A state of an order at the broker: `PART_TRADED, 65 of 130 filled at 182.40`.
pub(super) fn state(event: &OrderEvent) -> String {
    let mut parts = vec![event.status.to_string()];
    if event.cumulative.is_zero() {
        parts.push("nothing filled".to_owned());
    } else {
        parts.push(format!(
            "{} of {} filled at {}",
            event.cumulative, event.terms.quantity, event.average_price
        ));
    }
    if !event.exited.is_zero() {
        parts.push(format!("{} closed again by its legs", event.exited));
    }
    parts.extend(event.reason.as_deref().map(|reason| format!("because: {reason}")));
    parts.join(", ")
}

/// What a size was computed from.
pub(super) fn sizing(sizing: &Sizing) -> String {
    let ratio = format!("{}/{}", sizing.ratio.numerator, sizing.ratio.denominator);
    let ratio = match (sizing.strategy, sizing.follower_capital, sizing.leader_capital) {
        (Strategy::CapitalProportional, Some(follower), Some(leader)) => {
            format!("{follower} / {leader} (capital)")
        }
        (Strategy::CapitalProportional, ..) => format!("{ratio} (capital)"),
        (Strategy::FixedRatio, ..) => format!("{ratio} (fixed ratio)"),
        (Strategy::RiskBased, ..) => format!("{ratio} (what the position may still cost)"),
        (Strategy::FixedLots, ..) => format!("{ratio} (fixed lots)"),
    };
    let multiplier = if sizing.multiplier.numerator == sizing.multiplier.denominator {
        String::new()
    } else {
        format!(" x {}/{}", sizing.multiplier.numerator, sizing.multiplier.denominator)
    };
    format!(
        "{} units x {ratio}{multiplier}, in lots of {} = {}",
        sizing.leader_quantity,
        sizing.lot_size.get(),
        sizing.quantity
    )
}

/// The name of a leg.
pub(super) const fn leg(leg: Leg) -> &'static str {
    match leg {
        Leg::Single => "order",
        Leg::Entry => "entry",
        Leg::StopLoss => "stop leg",
        Leg::Target => "target leg",
    }
}

/// The name of the part that a change is about.
pub(super) const fn part(part: Option<OrderPart>) -> &'static str {
    match part {
        None | Some(OrderPart::Whole) => "",
        Some(OrderPart::Entry) => " the entry of",
        Some(OrderPart::Target) => " the target of",
        Some(OrderPart::Stop) => " the stop of",
    }
}

/// A code as words: `below_one_lot` reads `below one lot`.
pub(super) fn code(code: &str) -> String {
    code.replace('_', " ")
}

/// The span between two moments, negative when the second came first.
pub(super) fn between(earlier: Timestamp, later: Timestamp) -> String {
    span(later.micros().saturating_sub(earlier.micros()))
}

/// A moment in India, with milliseconds.
pub(super) fn clock(at: Timestamp) -> String {
    at.ist().format("%H:%M:%S%.3f").to_string()
}

/// A moment of the broker's, whose clock shows whole seconds.
pub(super) fn broker_clock(at: Timestamp) -> String {
    at.ist().format("%H:%M:%S").to_string()
}
