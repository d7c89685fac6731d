//! The story as steps in time order, each said once, for text and JSON alike.

use std::collections::HashMap;

use serde_json::{Value, json};
use tandem_actors::store::{MirrorStory, OrderEvent, Story};
use tandem_domain::gates::DeniedReason;
use tandem_domain::ids::{BrokerOrderId, Tag};
use tandem_domain::leader::LeaderOrder;
use tandem_domain::mirror::Outcome;
use tandem_domain::order::{Leg, OrderTerms};
use tandem_domain::time::Timestamp;

use super::{requests, words};

/// One thing that happened.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// When, by our clock.
    pub(super) at: Timestamp,
    /// Whose: `leader`, `operator`, or the follower's name.
    pub(super) who: String,
    /// What kind of thing, one word.
    pub(super) kind: &'static str,
    /// In words.
    pub(super) text: String,
    /// More of it, a line each.
    pub(super) details: Vec<String>,
    /// The same for programs.
    pub(super) facts: Value,
}

/// All of it, oldest first. What happened at one moment stands in the order of cause.
pub(super) fn of(story: &Story) -> Vec<Step> {
    let who = if is_square_off(&story.leader) { "operator" } else { "leader" };
    let mut steps = reports(who, Some(&story.leader.broker_order_id), &story.events);
    for mirror in &story.mirrors {
        steps.extend(of_mirror(mirror));
    }
    // Stable, so that cause stands before effect where both have one time.
    steps.sort_by_key(|step| step.at);
    steps
}

/// Whether no leader placed it: a square-off closes what was copied on an earlier day by it.
pub(super) fn is_square_off(order: &LeaderOrder) -> bool {
    order.tag == Some(Tag::square_off())
}

fn of_mirror(mirror: &MirrorStory) -> Vec<Step> {
    let who = mirror.mapping.key.follower.as_str();
    let mut steps = decisions(who, mirror);
    steps.extend(requests::steps(who, mirror));
    steps.extend(reports(who, None, &mirror.events));
    steps.extend(fills(who, mirror));
    steps.extend(partings(who, mirror));
    steps
}

/// What the broker reported of orders and their legs. The main one, if there is one, needs no name.
fn reports(who: &str, main: Option<&BrokerOrderId>, events: &[OrderEvent]) -> Vec<Step> {
    let mut last: HashMap<&BrokerOrderId, &OrderTerms> = HashMap::new();
    let mut steps = Vec::new();
    for event in events {
        let before = last.insert(&event.broker_order_id, &event.terms);
        let name = match (event.leg, Some(&event.broker_order_id) == main) {
            (_, true) => String::new(),
            (Leg::StopLoss | Leg::Target, _) => {
                format!("{} {}: ", words::leg(event.leg), event.broker_order_id)
            }
            _ => format!("{}: ", event.broker_order_id),
        };
        let news = match before {
            None => words::terms(&event.terms),
            Some(before) => words::changes(before, &event.terms).join(", "),
        };
        let news = if news.is_empty() { news } else { format!("; {news}") };
        let delay = words::between(event.ts_event, event.ts_init);
        steps.push(Step {
            at: event.ts_init,
            who: who.to_owned(),
            kind: "report",
            text: format!("{name}{}{news}", words::state(event)),
            details: vec![format!(
                "broker's time {}, known {delay} later",
                words::broker_clock(event.ts_event)
            )],
            facts: json!({
                "broker_order_id": event.broker_order_id.as_str(),
                "leg": words::leg(event.leg),
                "status": event.status.as_str(),
                "terms": event.terms,
                "cumulative": event.cumulative.get(),
                "average_price_units": event.average_price.units(),
                "exited": event.exited.get(),
                "reason": event.reason.as_deref(),
                "event_us": event.ts_event.micros(),
            }),
        });
    }
    steps
}

fn decisions(who: &str, mirror: &MirrorStory) -> Vec<Step> {
    let mapping = &mirror.mapping;
    let reason = mapping.reason.map(DeniedReason::as_str);
    let because = reason.map(words::code).unwrap_or_default();
    let mut details: Vec<_> = mapping.sizing.iter().map(words::sizing).collect();
    details.extend(mapping.note.as_deref().map(|note| format!("translated: {}", words::code(note))));
    let mut steps = Vec::new();
    let mut step = |at, kind, text, details| {
        steps.push(Step {
            at,
            who: who.to_owned(),
            kind,
            text,
            details,
            facts: json!({
                "outcome": mapping.outcome.as_str(),
                "reason": reason,
                "note": mapping.note.as_deref(),
                "target": mapping.target.get(),
                "sizing": mapping.sizing,
            }),
        });
    };
    let copy = mapping.sizing.map_or(mapping.target, |sizing| sizing.quantity);
    let (first, later) = match mapping.outcome {
        Outcome::AwaitingLeader => ("waits until the exchange has the leader's order".to_owned(), None),
        Outcome::Waiting => (format!("to copy {copy} units; held for now"), None),
        Outcome::Sent => (format!("to copy {copy} units"), None),
        Outcome::Skipped => (format!("skipped: {because}"), None),
        Outcome::Voided => (format!("to copy {copy} units"), Some(format!("given up: {because}"))),
        Outcome::Detached => {
            let text = "detached: changed or cancelled by a human's hand, left alone from here on";
            (format!("to copy {copy} units"), Some(text.to_owned()))
        }
    };
    step(mirror.decided_at, "decision", first, details);
    if let Some(text) = later {
        step(mapping.updated_at, "outcome", text, Vec::new());
    }
    steps
}

fn fills(who: &str, mirror: &MirrorStory) -> Vec<Step> {
    let steps = mirror.trades.iter().map(|(trade, known_at)| Step {
        at: *known_at,
        who: who.to_owned(),
        kind: "fill",
        text: format!(
            "{}: fill of {} at {}, trade {}",
            trade.broker_order_id,
            trade.quantity,
            trade.price,
            trade.trade_id.as_str()
        ),
        details: vec![format!(
            "exchange's time {}, known {} later",
            words::broker_clock(trade.ts_event),
            words::between(trade.ts_event, *known_at)
        )],
        facts: json!({
            "broker_order_id": trade.broker_order_id.as_str(),
            "trade_id": trade.trade_id.as_str(),
            "quantity": trade.quantity.get(),
            "price_units": trade.price.units(),
            "event_us": trade.ts_event.micros(),
        }),
    });
    steps.collect()
}

fn partings(who: &str, mirror: &MirrorStory) -> Vec<Step> {
    let gaps = mirror.gaps.iter().map(|(row, opened_at)| {
        let size = match row.gap.units {
            0 => "no units apart".to_owned(),
            units if units > 0 => format!("{units} units too many"),
            units => format!("{} units too few", units.unsigned_abs()),
        };
        let until =
            if row.at == *opened_at { String::new() } else { format!(" at {}", words::clock(row.at)) };
        Step {
            at: *opened_at,
            who: who.to_owned(),
            kind: "gap",
            text: format!(
                "parted, {}: {size}; {}{until}",
                words::code(row.gap.kind.as_str()),
                row.gap.result
            ),
            details: vec![row.text.to_string()],
            facts: json!({
                "gap": row.gap.kind.as_str(),
                "units": row.gap.units,
                "result": row.gap.result.as_str(),
                "updated_us": row.at.micros(),
            }),
        }
    });
    let incidents = mirror.incidents.iter().map(|(incident, closed_at)| {
        let state = closed_at.map_or("open".to_owned(), |at| format!("closed at {}", words::clock(at)));
        Step {
            at: incident.opened_at,
            who: who.to_owned(),
            kind: "incident",
            text: format!("incident {} ({state}): {}", incident.kind, incident.text),
            details: Vec::new(),
            facts: json!({
                "id": &*incident.id,
                "incident": &*incident.kind,
                "closed_us": closed_at.map(Timestamp::micros),
            }),
        }
    });
    gaps.chain(incidents).collect()
}
