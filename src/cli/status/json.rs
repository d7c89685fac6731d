//! The picture as one JSON object, for programs. Times are UTC microseconds, money is 1/10,000 rupee.

use serde_json::{Value, json};
use tandem_domain::gates::DeniedReason;
use tandem_domain::ids::{ClientOrderId, FollowerId};
use tandem_domain::time::Timestamp;
use tandem_domain::trading::HaltCause;

use super::delays::{FollowerDelays, STRETCHES};
use super::{Latency, Picture};

pub(super) fn of(picture: &Picture) -> Value {
    json!({
        "trading_day": picture.day.map(|day| day.to_string()),
        "counts": {
            "leader_orders": picture.counts.leader_orders,
            "follower_orders": picture.counts.follower_orders,
            "external_orders": picture.counts.external_orders,
            "trades": picture.counts.trades,
            "unknown_intents": picture.counts.unknown_intents,
        },
        "accounts": picture.funds.iter().map(|row| json!({
            "account": row.account.masked(),
            "taken_at_us": row.taken_at.micros(),
            "available_units": row.funds.available.units(),
            "utilised_units": row.funds.utilised.units(),
            "start_of_day_units": row.funds.start_of_day.units(),
        })).collect::<Vec<_>>(),
        "trading": picture.trading.iter().map(|(follower, trading)| json!({
            "follower": follower.as_str(),
            "state": trading.state.as_str(),
            "cause": trading.cause.map(HaltCause::as_str),
            "since_us": trading.since.micros(),
            "resumed_at_us": trading.resumed_at.map(Timestamp::micros),
            "is_squaring_off": trading.is_squaring_off,
        })).collect::<Vec<_>>(),
        "outcomes": picture.outcomes.iter().map(|row| json!({
            "follower": row.follower.as_str(),
            "outcome": row.outcome.as_str(),
            "reason": row.reason.map(DeniedReason::as_str),
            "mirrors": row.mirrors,
        })).collect::<Vec<_>>(),
        "active_orders": picture.active.iter().map(|row| json!({
            "account": row.report.account.masked(),
            "broker_order_id": row.report.broker_order_id.as_str(),
            "client_order_id": row.client_order_id.as_ref().map(ClientOrderId::as_str),
            "role": row.role.as_str(),
            "instrument": row.report.terms.instrument.to_string(),
            "side": row.report.terms.side.as_str(),
            "order_type": row.report.terms.order_type.as_str(),
            "price_units": row.report.terms.price.units(),
            "quantity": row.report.terms.quantity.get(),
            "cumulative": row.report.cumulative.get(),
            "status": row.report.status.to_string(),
        })).collect::<Vec<_>>(),
        "added_latency_us": picture.latency.as_ref().map(latency),
        "delays_us": picture.delays.iter().map(delays).collect::<Vec<_>>(),
        "slippage": picture.slippage.iter().map(|row| json!({
            "follower": row.follower.as_str(),
            "copies": row.copies,
            "quantity": row.units,
            "money_units": row.money.units(),
            "ticks_x100": row.ticks_x100(),
            "bps_x100": row.bps_x100(),
        })).collect::<Vec<_>>(),
        "open_gaps": picture.gaps.iter().map(|(row, opened_at)| json!({
            "follower": row.key.follower.as_str(),
            "leader_order": row.key.leader_order.as_str(),
            "kind": row.gap.kind.as_str(),
            "quantity": row.gap.units,
            "result": row.gap.result.as_str(),
            "opened_at_us": opened_at.micros(),
            "text": &*row.text,
        })).collect::<Vec<_>>(),
        "detached": picture.detached.iter().map(|(key, seen_at)| json!({
            "follower": key.follower.as_str(),
            "leader_order": key.leader_order.as_str(),
            "seen_at_us": seen_at.micros(),
        })).collect::<Vec<_>>(),
        "actors": picture.health.iter().map(|row| json!({
            "actor": &*row.actor,
            "generation": row.generation,
            "reported_at_us": row.reported_at.micros(),
            // Stored as JSON by the actors; the database checks that it is.
            "snapshot": serde_json::from_str::<Value>(&row.snapshot).unwrap_or_default(),
        })).collect::<Vec<_>>(),
        "incidents": picture.incidents.iter().map(|row| json!({
            "id": &*row.id,
            "opened_at_us": row.opened_at.micros(),
            "kind": &*row.kind,
            "follower": row.follower.as_ref().map(FollowerId::as_str),
            "instrument": row.instrument.map(|key| key.to_string()),
            "text": row.text,
        })).collect::<Vec<_>>(),
    })
}

fn delays(row: &FollowerDelays) -> Value {
    let stretches = STRETCHES.iter().zip(&row.stretches).map(|((_, name), stretch)| {
        let numbers = stretch.map(|stretch| {
            json!({ "measured": stretch.measured, "median": stretch.median, "worst": stretch.worst })
        });
        ((*name).to_owned(), json!(numbers))
    });
    let mut fields: serde_json::Map<_, _> = stretches.collect();
    fields.insert("follower".to_owned(), json!(row.follower.as_str()));
    Value::Object(fields)
}

fn latency(latency: &Latency) -> Value {
    json!({ "requests": latency.requests, "p50": latency.p50, "p99": latency.p99, "max": latency.max })
}
