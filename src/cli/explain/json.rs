//! The story as one JSON object, for programs. Times are UTC microseconds, prices and money 1/10,000 rupee.

use serde_json::{Value, json};
use tandem_actors::store::{MirrorStory, Story};
use tandem_domain::gates::DeniedReason;

use super::steps::{self, Step};

pub(super) fn of(story: &Story) -> Value {
    let leader = &story.leader;
    json!({
        "leader_order": {
            "account": leader.account.masked(),
            "trading_day": leader.trading_day.to_string(),
            "broker_order_id": leader.broker_order_id.as_str(),
            "symbol": story.symbol,
            "terms": leader.terms,
            "status": leader.status.as_str(),
            "cumulative": leader.cumulative.get(),
            "average_price_units": leader.average_price.units(),
            "exited": leader.exited.get(),
            "reason": leader.reason.as_deref(),
        },
        "followers": story.mirrors.iter().map(follower).collect::<Vec<_>>(),
        "steps": steps::of(story).into_iter().map(step).collect::<Vec<_>>(),
    })
}

fn follower(mirror: &MirrorStory) -> Value {
    let mapping = &mirror.mapping;
    json!({
        "follower": mapping.key.follower.as_str(),
        "outcome": mapping.outcome.as_str(),
        "reason": mapping.reason.map(DeniedReason::as_str),
        "note": mapping.note.as_deref(),
        "sizing": mapping.sizing,
        "target": mapping.target.get(),
        "copied": mapping.copied.get(),
        "filled": mapping.filled.get(),
        "comparison": mirror.comparison.as_ref().map(|comparison| json!({
            "leader_average_units": comparison.leader_average.units(),
            "follower_average_units": comparison.follower_average.units(),
            "slippage_units": comparison.slippage.units(),
            "slippage_ticks": comparison.slippage_ticks,
            "slippage_bps_x100": comparison.slippage_bps_x100,
            "delay_us": comparison.delay_us,
        })),
    })
}

fn step(step: Step) -> Value {
    json!({
        "at_us": step.at.micros(),
        "who": step.who,
        "kind": step.kind,
        "text": step.text,
        "details": step.details,
        "facts": step.facts,
    })
}
