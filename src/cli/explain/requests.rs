//! What was asked of the broker, and what it answered.

use std::collections::HashMap;

use serde_json::{Value, json};
use tandem_actors::store::{IntentKind, IntentRow, IntentState, IntentTiming, MirrorStory, Request};
use tandem_domain::ids::{BrokerOrderId, ClientOrderId};
use tandem_domain::mirror::OrderPart;
use tandem_domain::order::OrderTerms;
use tandem_domain::pacing::Purpose;
use tandem_domain::time::Timestamp;

use super::steps::Step;
use super::words;

/// Two steps for each request: that it was made, and what came of it.
pub(super) fn steps(who: &str, mirror: &MirrorStory) -> Vec<Step> {
    let mut standing: HashMap<&ClientOrderId, &OrderTerms> = HashMap::new();
    let mut steps = Vec::new();
    for request in &mirror.requests {
        let intent = &request.intent;
        let before = standing.get(&intent.client_order_id).copied();
        steps.push(Step {
            at: intent.timing.sent.unwrap_or(intent.created_at),
            who: who.to_owned(),
            kind: "request",
            text: asked(intent, before),
            details: delays(&intent.timing).into_iter().collect(),
            facts: facts(request),
        });
        steps.extend(answered(request).map(|(at, text)| Step {
            at,
            who: who.to_owned(),
            kind: "answer",
            text,
            details: Vec::new(),
            facts: facts(request),
        }));
        // What a change that came to nothing asked for is not what the next one changes.
        let took_effect = !matches!(
            intent.state,
            IntentState::Refused | IntentState::Absent | IntentState::NotSent | IntentState::Voided
        );
        if intent.kind == IntentKind::Place || (intent.kind == IntentKind::Modify && took_effect) {
            standing.insert(&intent.client_order_id, &intent.terms);
        }
    }
    steps
}

fn asked(intent: &IntentRow, before: Option<&OrderTerms>) -> String {
    let (id, part) = (&intent.client_order_id, words::part(intent.part));
    match intent.kind {
        IntentKind::Place => {
            let purpose = match (intent.purpose, intent.child.leg) {
                (_, 1) => "to make a gap good",
                (Purpose::Exit, _) => "an exit",
                (Purpose::Entry, _) => "an entry",
            };
            format!("place {}; {purpose}, {}as {id}", words::terms(&intent.terms), which(intent))
        }
        IntentKind::Modify => {
            let changes = before.map(|before| words::changes(before, &intent.terms)).unwrap_or_default();
            let changes = if changes.is_empty() { words::terms(&intent.terms) } else { changes.join(", ") };
            format!("change{part} {id}: {changes} (request {})", intent.serial)
        }
        IntentKind::Cancel => format!("cancel{part} {id} (request {})", intent.serial),
    }
}

/// Which slice and attempt, where there is more than one.
fn which(intent: &IntentRow) -> String {
    let slice =
        if intent.child.slice == 0 { String::new() } else { format!("slice {}, ", intent.child.slice + 1) };
    let attempt =
        if intent.child.attempt == 1 { String::new() } else { format!("attempt {}, ", intent.child.attempt) };
    slice + &attempt
}

fn answered(request: &Request) -> Option<(Timestamp, String)> {
    let intent = &request.intent;
    let at = intent.timing.answered.unwrap_or(request.updated_at);
    let broker = intent.broker_order_id.as_ref().map_or("?", BrokerOrderId::as_str);
    let is_place = intent.kind == IntentKind::Place;
    let what = match intent.kind {
        IntentKind::Place => "",
        IntentKind::Modify => "change: ",
        IntentKind::Cancel => "cancel: ",
    };
    let text = match intent.state {
        IntentState::Planned | IntentState::Sending => return None,
        IntentState::Acked if is_place => format!("taken by the broker as {broker}"),
        IntentState::Acked => "taken by the broker".to_owned(),
        IntentState::Refused => format!("refused by the broker{}", refusal(intent)),
        IntentState::Unknown => "no answer that proves anything: outcome unknown".to_owned(),
        IntentState::NotSent => "never left; to be sent again".to_owned(),
        IntentState::Voided => "given up before it was sent".to_owned(),
        IntentState::Absent if is_place => "proven not to be at the broker".to_owned(),
        IntentState::Absent => "proven to be without effect".to_owned(),
    };
    let after = match (intent.timing.sent, intent.timing.answered) {
        (Some(sent), Some(answered)) => format!(", {} after sending", words::between(sent, answered)),
        _ => String::new(),
    };
    Some((at, format!("{what}{text}{after}")))
}

fn refusal(intent: &IntentRow) -> String {
    let Some(refusal) = &intent.refusal else { return String::new() };
    let http = refusal.http.map(|http| format!("HTTP {http}"));
    let code = refusal.code.as_deref().map(str::to_owned);
    let known: Vec<_> = http.into_iter().chain(code).collect();
    let known = if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) };
    format!("{known}: {}", refusal.text)
}

/// The way of the news through Tandem, as far as its points are known.
fn delays(timing: &IntentTiming) -> Option<String> {
    let received = timing.received?;
    let points = [("decided", timing.decided), ("durable", timing.committed), ("written", timing.sent)];
    let passed = points.into_iter().filter_map(|(name, at)| Some((name, at?)));
    let spans: Vec<_> =
        passed.map(|(name, at)| format!("{name} +{}", words::between(received, at))).collect();
    (!spans.is_empty()).then(|| format!("from the frame: {}", spans.join(", ")))
}

fn facts(request: &Request) -> Value {
    let (intent, timing) = (&request.intent, &request.intent.timing);
    let micros = |at: Option<Timestamp>| at.map(Timestamp::micros);
    json!({
        "client_order_id": intent.client_order_id.as_str(),
        "request": intent.kind.as_str(),
        "serial": intent.serial,
        "part": intent.part.map(OrderPart::as_str),
        "leg": intent.child.leg,
        "slice": intent.child.slice,
        "attempt": intent.child.attempt,
        "state": intent.state.as_str(),
        "terms": intent.terms,
        "broker_order_id": intent.broker_order_id.as_ref().map(BrokerOrderId::as_str),
        "refusal": intent.refusal.as_ref().map(|refusal| json!({
            "http": refusal.http, "code": refusal.code.as_deref(), "text": &*refusal.text,
        })),
        "leader_event_us": micros(timing.leader_event),
        "received_us": micros(timing.received),
        "decided_us": micros(timing.decided),
        "committed_us": micros(timing.committed),
        "sent_us": micros(timing.sent),
        "answered_us": micros(timing.answered),
        "added_latency_us": timing.added_latency_us,
    })
}
