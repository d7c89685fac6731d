//! The mirror's state table: every state of its first child against everything that can happen, as the machine answers.
//! `docs/architecture.md` shows it; `TANDEM_BLESS=1` writes it there anew.

use std::fmt::Write as _;

use super::*;
use crate::documented::assert_table;

const MARKS: (&str, &str) = ("<!-- mirror table -->", "<!-- end of mirror table -->");

/// Where the first child and its request stand. All of them buy 130 at 100.00; a change asks for 101.00.
const STATES: [&str; 20] = [
    "none",
    "planned",
    "sending",
    "unknown",
    "working",
    "modify planned",
    "modify sending",
    "modify unknown",
    "modify acked",
    "cancel planned",
    "cancel sending",
    "cancel unknown",
    "cancel acked",
    "filled",
    "cancelled",
    "expired",
    "rejected",
    "refused",
    "absent",
    "voided",
];

/// What can happen, by who makes it happen.
const EVENTS: [(&str, &[&str]); 5] = [
    ("The leader", &["as before", "price changed", "raised", "lowered", "gone", "filled, and time passes"]),
    ("The follower's ledger", &["nothing to open", "one lot to close", "one lot overshot", "stopped"]),
    (
        "Our own requests",
        &["released", "given up", "accepted", "refused", "in transit", "not sent", "busy or lost"],
    ),
    (
        "The follower's broker",
        &[
            "shown as placed",
            "shown changed",
            "changed by hand",
            "late book, as placed",
            "part filled",
            "filled",
            "too much filled",
        ],
    ),
    (
        "Ends",
        &["cancelled", "squared off", "rejected", "expired", "absent", "absent, send again", "time passes"],
    ),
];

fn in_state(state: &str) -> Mirror {
    let placed = |next: MirrorEvent| vec![open(TARGET), release(), next];
    let changed = |rest: Vec<MirrorEvent>| {
        let mut events = placed(answer(0, accepted()));
        events.extend(rest);
        events
    };
    let modify = || follow(terms(TARGET, 10_100));
    lived(match state {
        "none" => vec![],
        "planned" => vec![open(TARGET)],
        "sending" => vec![open(TARGET), release()],
        "unknown" => placed(answer(0, Answer::Lost)),
        "working" => changed(vec![]),
        "modify planned" => changed(vec![modify()]),
        "modify sending" => changed(vec![modify(), release()]),
        "modify unknown" => changed(vec![modify(), release(), answer(1, Answer::Lost)]),
        "modify acked" => changed(vec![modify(), release(), answer(1, accepted())]),
        "cancel planned" => changed(vec![gone()]),
        "cancel sending" => changed(vec![gone(), release()]),
        "cancel unknown" => changed(vec![gone(), release(), answer(1, Answer::Lost)]),
        "cancel acked" => changed(vec![gone(), release(), answer(1, accepted())]),
        "filled" => placed(shown(BrokerStatus::Traded, TARGET)),
        "cancelled" => {
            changed(vec![gone(), release(), answer(1, accepted()), shown(BrokerStatus::Cancelled, 0)])
        }
        "expired" => placed(shown(BrokerStatus::Expired, 0)),
        "rejected" => placed(shown(BrokerStatus::Rejected, 0)),
        "refused" => placed(answer(0, Answer::Refused(Refused::Other, "no margin".into()))),
        "absent" => {
            let mut events = placed(answer(0, Answer::Lost));
            events.push(MirrorEvent::ProvenAbsent { client_order_id: first(), again: false });
            events
        }
        "voided" => vec![open(TARGET), gone()],
        other => panic!("no state {other}"),
    })
}

/// What happens, each part at its second.
fn events(name: &str, mirror: &Mirror) -> Vec<(i64, MirrorEvent)> {
    let child = mirror.children.first();
    let serial = child.and_then(|child| child.request.as_deref()).map_or(0, |request| request.serial);
    let answered = |with: Answer| answer(serial, with);
    let by_hand = |paise| report(&first(), row("7", terms(TARGET, paise), BrokerStatus::Pending, 0));
    let book = |read_from| {
        let report = row("7", terms(TARGET, 10_000), BrokerStatus::Pending, 0);
        MirrorEvent::Report(Box::new(ChildReport { client_order_id: first(), report, read_from }))
    };
    let squared_off = || {
        let reason = Some("Auto square off by the broker".into());
        report(
            &first(),
            OrderReport { reason, ..row("7", terms(TARGET, 10_000), BrokerStatus::Cancelled, 0) },
        )
    };
    let absent = |again| MirrorEvent::ProvenAbsent { client_order_id: first(), again };
    let one = match name {
        "as before" => open(TARGET),
        "price changed" => follow(terms(TARGET, 10_100)),
        "raised" => open(2 * TARGET),
        "lowered" => open(LOT),
        "gone" => gone(),
        "filled, and time passes" => {
            let filled = MirrorEvent::Plan(Decision::Follow(Box::new(wish(terms(TARGET, 10_000), TARGET))));
            return vec![(1, filled), (1 + ENTRY_AFTER, MirrorEvent::Tick)];
        }
        "nothing to open" => MirrorEvent::Allot(Allotment::opening(0)),
        "one lot to close" => MirrorEvent::Allot(Allotment::closing(LOT)),
        "one lot overshot" => MirrorEvent::Allot(Allotment { flatten: LOT, ..Allotment::opening(TARGET) }),
        "stopped" => MirrorEvent::Stop,
        "released" => release(),
        "given up" => MirrorEvent::Give(first(), DeniedReason::StaleEntry),
        "accepted" => answered(accepted()),
        "refused" => answered(Answer::Refused(Refused::Other, "no margin".into())),
        "in transit" => answered(Answer::Refused(Refused::InTransit, "in transit".into())),
        "not sent" => answered(Answer::NotSent),
        "busy or lost" => {
            let mut other = mirror.clone();
            let busy = step(&mut other, answered(Answer::Busy), at(1), Purpose::Entry);
            let mut one = mirror.clone();
            assert_eq!(
                step(&mut one, answered(Answer::Lost), at(1), Purpose::Entry),
                busy,
                "one and the same"
            );
            answered(Answer::Lost)
        }
        "shown as placed" => shown(BrokerStatus::Pending, 0),
        "shown changed" => by_hand(10_100),
        "changed by hand" => by_hand(9_900),
        "late book, as placed" => return vec![(1 + SETTLE, book(Some(at(1 + SETTLE))))],
        "part filled" => shown(BrokerStatus::PartTraded, LOT),
        "filled" => shown(BrokerStatus::Traded, TARGET),
        "too much filled" => shown(BrokerStatus::Traded, TARGET + LOT),
        "cancelled" => shown(BrokerStatus::Cancelled, 0),
        "squared off" => squared_off(),
        "rejected" => shown(BrokerStatus::Rejected, 0),
        "expired" => shown(BrokerStatus::Expired, 0),
        "absent" => absent(false),
        "absent, send again" => absent(true),
        "time passes" => return vec![(3_600, MirrorEvent::Tick)],
        other => panic!("no event {other}"),
    };
    vec![(1, one)]
}

/// Where a child stands, in a word or two.
fn word(child: &Child) -> String {
    let request = child.request.as_deref().map(|request| {
        let kind = if matches!(request.change, Change::Cancel { .. }) { "cancel" } else { "modify" };
        let state = match request.state {
            ChangeState::Planned => "planned",
            ChangeState::Sending => "sending",
            ChangeState::Unknown => "unknown",
            ChangeState::Acked => "acked",
        };
        format!("{kind} {state}")
    });
    match (&child.state, request) {
        (ChildState::Working { .. }, Some(request)) => request,
        (state, Some(request)) => format!("{} ({request})", state.as_str()),
        (state, None) => state.as_str().to_owned(),
    }
}

fn effect_word(effect: &MirrorEffect) -> Option<String> {
    Some(match effect {
        // Said by what is planned.
        MirrorEffect::Queue(..) => return None,
        MirrorEffect::Send(approved) => match approved.get().ask {
            Ask::Place(_) => "sends the order".to_owned(),
            Ask::Modify { .. } => "sends the change".to_owned(),
            Ask::Cancel { .. } => "sends the cancel".to_owned(),
        },
        MirrorEffect::Resolve(_) => "looks for it".to_owned(),
        MirrorEffect::ReadBook => "reads the book".to_owned(),
        MirrorEffect::Filled(_, units) => format!("{units} filled"),
        MirrorEffect::Exited(_, units) => format!("{units} exited"),
        MirrorEffect::Overfilled(_) => "alert overfill".to_owned(),
        MirrorEffect::FilledLate(_) => "alert late fill".to_owned(),
        MirrorEffect::Detached(_) => "alert detached".to_owned(),
        MirrorEffect::ChangesExhausted(_) => "alert changes exhausted".to_owned(),
        MirrorEffect::ChangeRefused(_) => "alert change refused".to_owned(),
        MirrorEffect::ExitGivenUp(_) => "alert exit given up".to_owned(),
        MirrorEffect::FlatteningFails => "alert flattening fails".to_owned(),
    })
}

/// What a cell's event makes of the mirror: where the child stands then, what stands beside it, what is done.
fn cell(state: &str, event: &str) -> String {
    let mut mirror = in_state(state);
    let untouched = mirror.clone();
    let mut effects = Vec::new();
    for (second, event) in events(event, &mirror) {
        let Ok(more) = step(&mut mirror, event, at(second), Purpose::Entry) else {
            assert_eq!(format!("{mirror:?}"), format!("{untouched:?}"), "what is illegal changes nothing");
            return "illegal".to_owned();
        };
        effects.extend(more);
    }
    let mut words = Vec::new();
    for (index, child) in mirror.children.iter().enumerate() {
        let before = untouched.children.get(index);
        let name = match (child.key.leg, index) {
            (_, 0) => String::new(),
            (REPAIR, _) => format!("repair of {} ", child.terms.quantity),
            _ => format!("another for {} ", child.terms.quantity),
        };
        let is_news = before.is_none_or(|before| word(before) != word(child));
        let has_changed =
            before.is_some_and(|before| before.terms != child.terms || before.request != child.request);
        if is_news {
            words.push(format!("{name}{}", word(child)));
        } else if has_changed {
            words.push(format!("{name}{} anew", word(child)));
        }
    }
    words.extend(effects.iter().filter_map(effect_word));
    if mirror.outcome != untouched.outcome {
        words.push(format!("outcome {}", mirror.outcome));
    }
    if mirror.gap != untouched.gap
        && let Some(gap) = mirror.gap
    {
        words.push(format!("gap {} {}", gap.kind, gap.units));
    }
    if words.is_empty() { "-".to_owned() } else { words.join("; ") }
}

fn table() -> String {
    let mut text = String::new();
    for (who, events) in EVENTS {
        writeln!(text, "\n| {who}: | {} |", events.join(" | ")).unwrap();
        writeln!(text, "|---|{}", "---|".repeat(events.len())).unwrap();
        for state in STATES {
            let cells: Vec<_> = events.iter().map(|event| cell(state, event)).collect();
            writeln!(text, "| **{state}** | {} |", cells.join(" | ")).unwrap();
        }
    }
    text.push('\n');
    text
}

#[test]
fn the_table_in_the_documentation_is_what_the_machine_does() {
    assert_table("docs/architecture.md", MARKS, &table());
}

#[test]
fn every_row_begins_where_its_name_says() {
    for state in STATES.into_iter().skip(1) {
        assert_eq!(word(&in_state(state).children[0]), state);
    }
}
