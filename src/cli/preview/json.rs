//! The preview as one JSON object, for programs. Times are UTC microseconds, money and prices are 1/10,000 rupee, parts of a
//! lot are billionths.

use serde_json::{Value, json};
use tandem_domain::gates::DeniedReason;
use tandem_domain::mirror::Outcome;
use tandem_domain::price::{Money, Price};
use tandem_domain::time::Timestamp;
use tandem_domain::trading::HaltCause;

use crate::preview::{ASSUMPTIONS, Copied, FollowerOutcome, Preview, Rounding, Traded};

pub(super) fn of(preview: &Preview) -> Value {
    let order = |(index, order): (usize, &crate::preview::Ordered)| {
        json!({
            "leader_order": order.id.as_str(),
            "first_seen_us": order.at.micros(),
            "instrument": order.symbol,
            "side": order.side.as_str(),
            "lot_size": order.lot,
            "quantity": order.quantity.get(),
            "filled": order.filled.get(),
            "average_price_units": order.average.units(),
            "status": order.status,
            "copies": preview.followers.iter().filter_map(|follower| {
                Some(copied(follower, follower.copies.get(index)?))
            }).collect::<Vec<_>>(),
        })
    };
    json!({
        "trading_day": preview.day.to_string(),
        "source": preview.source,
        "assumptions": ASSUMPTIONS,
        "warnings": preview.warnings,
        "leader": {
            "capital_units": preview.leader.capital.map(Money::units),
            "orders": preview.orders.len(),
            "states": preview.leader.states,
            "profit": traded(&preview.leader.traded),
        },
        "followers": preview.followers.iter().map(follower).collect::<Vec<_>>(),
        "orders": preview.orders.iter().enumerate().map(order).collect::<Vec<_>>(),
    })
}

fn follower(follower: &FollowerOutcome) -> Value {
    let (entry, exit) = follower.rounding();
    json!({
        "follower": follower.id.as_str(),
        "capital_units": follower.capital.map(Money::units),
        "strategy": follower.strategy.as_str(),
        "ratio": follower.ratio.map(|ratio| json!([ratio.numerator, ratio.denominator])),
        "copied": follower.copies.iter().filter(|copy| copy.is_copied()).count(),
        "not_in_full": follower.denied().iter().map(|(reason, (orders, lost))| json!({
            "reason": reason.as_str(),
            "orders": orders,
            "share": rounding(*lost),
        })).collect::<Vec<_>>(),
        "rounding": { "entries": rounding(entry), "exits": rounding(exit) },
        "margin_peak_units": follower.margin_peak.units(),
        "margin_peak_at_us": follower.margin_peak_at.map(Timestamp::micros),
        "profit": traded(&follower.traded),
        "working_at_end": follower.working,
        "trading_state": follower.trading.state.as_str(),
        "halt_cause": follower.trading.cause.map(HaltCause::as_str),
        "notices": follower.alerts,
    })
}

fn copied(follower: &FollowerOutcome, copy: &Copied) -> Value {
    json!({
        "follower": follower.id.as_str(),
        "outcome": copy.outcome.map(Outcome::as_str),
        "reason": copy.reason.map(DeniedReason::as_str),
        "note": copy.note.map(|note| note.to_string()),
        "gap": copy.gap.map(|gap| json!({
            "kind": gap.kind.as_str(), "units": gap.units, "result": gap.result.as_str(),
        })),
        "target": copy.target.get(),
        "filled": copy.filled,
        "average_price_units": copy.average.map(Price::units),
        "repaired": copy.repaired,
        "leader_opened": copy.leader_opened,
        "leader_closed": copy.leader_closed,
        "entry": rounding(copy.entry),
        "exit": rounding(copy.exit),
    })
}

fn rounding(rounding: Rounding) -> Value {
    let billionths = |share: i128| i64::try_from(share).unwrap_or(i64::MAX);
    json!({
        "exact_lots_e9": billionths(rounding.exact),
        "copied_lots_e9": billionths(rounding.copied),
        "difference_lots_e9": billionths(rounding.difference()),
        "difference_bps": rounding.bps(),
    })
}

fn traded(traded: &Traded) -> Value {
    json!({
        "realised_units": traded.realised.units(),
        "unrealised_units": traded.unrealised.units(),
        "open": traded.open.iter().map(|holding| json!({
            "instrument": holding.symbol,
            "units": holding.units,
            "last_price_units": holding.last.map(Price::units),
            "unrealised_units": holding.unrealised.units(),
        })).collect::<Vec<_>>(),
    })
}
