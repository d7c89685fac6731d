//! The table in the header of the module, cell by cell, and the rules the table has no room for.

use super::*;
use crate::ids::{DhanClientId, FollowerId};
use crate::instrument::{ExchangeSegment, InstrumentKey, SecurityId};
use crate::order::{Leg, OrderType, Product, Side, TimeInForce};
use crate::time::TradingDay;

const TARGET: u32 = 130;

fn terms(quantity: u32) -> OrderTerms {
    OrderTerms {
        instrument: InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(43_125) },
        side: Side::Buy,
        product: Product::Margin,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Day,
        quantity: Quantity::new(quantity),
        disclosed: Quantity::ZERO,
        price: Price::from_paise(10_000),
        trigger: Price::ZERO,
        after_market: false,
        form: crate::order::OrderForm::Ordinary,
    }
}

fn leader() -> Arc<LeaderOrder> {
    Arc::new(LeaderOrder {
        account: DhanClientId::new("1000000101").unwrap(),
        trading_day: TradingDay::from_ymd(2026, 11, 23).unwrap(),
        broker_order_id: BrokerOrderId::new("221261123048117").unwrap(),
        tag: None,
        leg: Leg::Single,
        terms: terms(2 * TARGET),
        status: BrokerStatus::Pending,
        cumulative: Quantity::ZERO,
        average_price: Price::ZERO,
        reason: None,
        exited: Quantity::ZERO,
        last_price: None,
        forever_parent: None,
        ts_event: at(0),
        ts_first_event: at(0),
        ts_first_seen: at(0),
    })
}

fn follower() -> FollowerId {
    FollowerId::new("asha").unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

fn id(text: &str) -> BrokerOrderId {
    BrokerOrderId::new(text).unwrap()
}

fn open(quantity: u32) -> MirrorEvent {
    MirrorEvent::Target {
        target: Target::Open(terms(quantity)),
        sizing: None,
        tick: Price::ZERO,
        purpose: Purpose::Exit,
    }
}

fn gone() -> MirrorEvent {
    let target = Target::Gone(DeniedReason::LeaderGone);
    MirrorEvent::Target { target, sizing: None, tick: Price::ZERO, purpose: Purpose::Entry }
}

fn answer(answer: PlaceAnswer) -> MirrorEvent {
    MirrorEvent::Answer(answer)
}

/// News of attempt `attempt`, under the broker's id `broker_id`.
fn report(attempt: u16, broker_id: &str, status: BrokerStatus, cumulative: u32) -> MirrorEvent {
    MirrorEvent::Report(ChildReport {
        client_order_id: ClientOrderId::derive(&key(attempt)),
        broker_order_id: id(broker_id),
        status,
        cumulative: Quantity::new(cumulative),
        average_price: Price::from_paise(10_000),
        reason: None,
    })
}

fn key(attempt: u16) -> ChildKey {
    let leader = leader();
    ChildKey {
        trading_day: leader.trading_day,
        leader_order: leader.broker_order_id.clone(),
        follower: follower(),
        leg: 0,
        slice: 0,
        attempt,
    }
}

fn take(mirror: &mut Mirror, event: MirrorEvent) -> Vec<MirrorEffect> {
    mirror.step(event, &follower(), at(1)).unwrap()
}

/// A mirror that has lived through these events, all of them legal.
fn lived(events: Vec<MirrorEvent>) -> Mirror {
    let mut mirror = Mirror::new(leader());
    for event in events {
        take(&mut mirror, event);
    }
    mirror
}

/// A mirror whose child stands where the row of the table says.
fn in_state(state: &str) -> Mirror {
    let sent = |next: MirrorEvent| vec![open(TARGET), MirrorEvent::Release, next];
    let ended = |status| sent(report(1, "7", status, 0));
    lived(match state {
        "none" => vec![],
        "planned" => vec![open(TARGET)],
        "sending" => vec![open(TARGET), MirrorEvent::Release],
        "unknown" => sent(answer(PlaceAnswer::Lost)),
        "working" => sent(answer(PlaceAnswer::Accepted(id("7")))),
        "filled" => sent(report(1, "7", BrokerStatus::Traded, TARGET)),
        "cancelled" => ended(BrokerStatus::Cancelled),
        "expired" => ended(BrokerStatus::Expired),
        "rejected" => ended(BrokerStatus::Rejected),
        "refused" => sent(answer(PlaceAnswer::Refused("no margin".into()))),
        "absent" => vec![
            open(TARGET),
            MirrorEvent::Release,
            answer(PlaceAnswer::Lost),
            MirrorEvent::ProvenAbsent { again: false },
        ],
        "voided" => vec![open(TARGET), gone()],
        other => panic!("no state {other}"),
    })
}

fn event(name: &str) -> MirrorEvent {
    match name {
        "open" => open(TARGET),
        "changed" => open(2 * TARGET),
        "gone" => gone(),
        "release" => MirrorEvent::Release,
        "give" => MirrorEvent::Give(DeniedReason::StaleEntry),
        "accepted" => answer(PlaceAnswer::Accepted(id("7"))),
        "refused" => answer(PlaceAnswer::Refused("no margin".into())),
        "not sent" => answer(PlaceAnswer::NotSent),
        "busy" => answer(PlaceAnswer::Busy),
        "lost" => answer(PlaceAnswer::Lost),
        "pending" => report(1, "7", BrokerStatus::Pending, 0),
        "part" => report(1, "7", BrokerStatus::PartTraded, 65),
        "traded" => report(1, "7", BrokerStatus::Traded, TARGET),
        "over" => report(1, "7", BrokerStatus::Traded, TARGET + 65),
        "rejected" => report(1, "7", BrokerStatus::Rejected, 0),
        "absent" => MirrorEvent::ProvenAbsent { again: false },
        "again" => MirrorEvent::ProvenAbsent { again: true },
        other => panic!("no event {other}"),
    }
}

/// One cell as text: the child's state (`2:` before that of a second attempt), then the outcome where the event
/// changed it, then the effects.
fn cell(mut mirror: Mirror, event: MirrorEvent) -> String {
    let (before, untouched) = (mirror.outcome, mirror.clone());
    let Ok(effects) = mirror.step(event, &follower(), at(1)) else {
        assert_eq!(format!("{mirror:?}"), format!("{untouched:?}"), "what is illegal changes nothing");
        return "illegal".to_owned();
    };
    let mut text = mirror.children.last().map_or("none".to_owned(), |child| {
        let state = child.state.as_str();
        if child.key.attempt == 1 { state.to_owned() } else { format!("{}:{state}", child.key.attempt) }
    });
    if mirror.outcome != before {
        text.push('=');
        text.push_str(mirror.outcome.as_str());
    }
    let effects = effects.iter().map(|effect| match effect {
        MirrorEffect::Queue(_) => "+queue".to_owned(),
        MirrorEffect::Place(_) => "+place".to_owned(),
        MirrorEffect::Resolve => "+resolve".to_owned(),
        MirrorEffect::Filled(quantity) => format!("+filled({quantity})"),
        MirrorEffect::Overfilled(quantity) => format!("+overfilled({quantity})"),
    });
    text.extend(effects);
    text
}

/// The first row names the events, the first column the states.
fn check(table: &str) {
    let mut rows = table.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let events = rows.next().unwrap();
    let mut faults = Vec::new();
    for row in rows.filter(|row| row.len() > 1) {
        assert_eq!(row.len(), events.len(), "{row:?}");
        for (expected, name) in row.iter().zip(&events).skip(1) {
            let found = cell(in_state(row[0]), event(name));
            if found != *expected {
                faults.push(format!("{} / {name}: {found}, not {expected}", row[0]));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_target_moves_only_what_is_not_sent() {
    check(
        "child   | open                  | changed               | gone           | release             | give
         none      | planned=waiting+queue | planned=waiting+queue | none=skipped   | none                | none=voided
         planned   | planned               | planned               | voided=voided  | sending=sent+place  | voided=voided
         sending   | sending               | sending               | sending        | illegal             | illegal
         unknown   | unknown               | unknown               | unknown        | illegal             | illegal
         working   | working               | working               | working        | illegal             | illegal
         filled    | filled                | filled                | filled         | illegal             | illegal
         cancelled | cancelled             | cancelled             | cancelled      | illegal             | illegal
         expired   | expired               | expired               | expired        | illegal             | illegal
         rejected  | rejected              | rejected              | rejected       | illegal             | illegal
         refused   | refused               | refused               | refused        | illegal             | illegal
         absent    | absent                | absent                | absent         | illegal             | illegal
         voided    | voided                | voided                | voided         | illegal             | illegal",
    );
}

#[test]
fn an_answer_counts_once_and_a_lost_one_is_a_doubt() {
    check(
        "child   | accepted  | refused | not sent              | busy            | lost
         none      | none      | none    | none                  | none            | none
         planned   | illegal   | illegal | illegal               | illegal         | illegal
         sending   | working   | refused | planned+queue         | unknown+resolve | unknown+resolve
         unknown   | working   | illegal | illegal               | unknown+resolve | unknown+resolve
         working   | working   | illegal | illegal               | working         | working
         filled    | filled    | illegal | illegal               | filled          | filled
         cancelled | cancelled | illegal | illegal               | cancelled       | cancelled
         expired   | expired   | illegal | illegal               | expired         | expired
         rejected  | rejected  | illegal | illegal               | rejected        | rejected
         refused   | refused   | illegal | illegal               | refused         | refused
         absent    | absent    | illegal | illegal               | absent          | absent
         voided    | voided    | illegal | illegal               | voided          | voided",
    );
}

#[test]
fn a_report_is_evidence_in_every_state() {
    check(
        "child   | pending      | part                    | traded                  | over                                  | rejected
         none      | none         | none                    | none                    | none                                  | none
         planned   | working=sent | working=sent+filled(65) | filled=sent+filled(130) | filled=sent+filled(195)+overfilled(65) | rejected=sent
         sending   | working      | working+filled(65)      | filled+filled(130)      | filled+filled(195)+overfilled(65)     | rejected
         unknown   | working      | working+filled(65)      | filled+filled(130)      | filled+filled(195)+overfilled(65)     | rejected
         working   | working      | working+filled(65)      | filled+filled(130)      | filled+filled(195)+overfilled(65)     | rejected
         filled    | filled       | filled                  | filled                  | filled+filled(65)+overfilled(65)      | filled
         cancelled | cancelled    | cancelled+filled(65)    | cancelled+filled(130)   | cancelled+filled(195)+overfilled(65)  | cancelled
         expired   | expired      | expired+filled(65)      | expired+filled(130)     | expired+filled(195)+overfilled(65)    | expired
         rejected  | rejected     | rejected+filled(65)     | rejected+filled(130)    | rejected+filled(195)+overfilled(65)   | rejected
         refused   | working      | working+filled(65)      | filled+filled(130)      | filled+filled(195)+overfilled(65)     | rejected
         absent    | working=sent | working=sent+filled(65) | filled=sent+filled(130) | filled=sent+filled(195)+overfilled(65) | rejected=sent
         voided    | working=sent | working=sent+filled(65) | filled=sent+filled(130) | filled=sent+filled(195)+overfilled(65) | rejected=sent",
    );
}

#[test]
fn absence_is_provable_of_a_doubt_only() {
    check(
        "child   | absent        | again
         none      | none          | none
         planned   | illegal       | illegal
         sending   | illegal       | illegal
         unknown   | absent=voided | 2:planned+queue
         working   | illegal       | illegal
         filled    | illegal       | illegal
         cancelled | illegal       | illegal
         expired   | illegal       | illegal
         rejected  | illegal       | illegal
         refused   | illegal       | illegal
         absent    | illegal       | illegal
         voided    | illegal       | illegal",
    );
}

#[test]
fn a_planned_order_takes_the_new_terms_and_a_sent_one_shows_the_gap() {
    let mut planned = lived(vec![open(TARGET), open(65)]);
    assert_eq!((planned.child().unwrap().terms.quantity.get(), planned.gap()), (65, None));
    take(&mut planned, MirrorEvent::Release);

    for (target, gap) in
        [(open(65), None), (open(TARGET), Some(Gap::Changed)), (gone(), Some(Gap::LeftBehind))]
    {
        let mut sent = planned.clone();
        assert_eq!(take(&mut sent, target), vec![]);
        assert_eq!((sent.child().unwrap().terms.quantity.get(), sent.gap()), (65, gap));
    }
}

#[test]
fn what_is_decided_is_not_undecided_by_a_status_that_says_nothing() {
    let undecided = || MirrorEvent::Target {
        target: Target::Undecided,
        sizing: None,
        tick: Price::ZERO,
        purpose: Purpose::Entry,
    };
    let mut mirror = lived(vec![undecided()]);
    assert_eq!((mirror.outcome, mirror.children.len()), (Outcome::AwaitingLeader, 0));
    take(&mut mirror, open(TARGET));
    take(&mut mirror, undecided());
    assert_eq!(mirror.target, Target::Open(terms(TARGET)));
    assert!(matches!(take(&mut mirror, MirrorEvent::Release)[..], [MirrorEffect::Place(_)]));
}

#[test]
fn a_skipped_or_given_up_order_stays_so() {
    for end in [
        vec![gone()],
        vec![open(TARGET), gone()],
        vec![open(TARGET), MirrorEvent::Give(DeniedReason::StaleEntry)],
        vec![
            open(TARGET),
            MirrorEvent::Release,
            answer(PlaceAnswer::Lost),
            MirrorEvent::ProvenAbsent { again: false },
        ],
    ] {
        let mut mirror = lived(end);
        let (outcome, reason, attempts) = (mirror.outcome, mirror.reason, mirror.children.len());
        assert_eq!(take(&mut mirror, open(TARGET)), vec![]);
        assert_eq!((mirror.outcome, mirror.reason, mirror.children.len()), (outcome, reason, attempts));
        assert_eq!(mirror.worst_case(), 0);
    }
}

#[test]
fn what_is_placed_is_the_child_and_carries_its_derived_id() {
    let mut mirror = lived(vec![open(TARGET)]);
    let effects = take(&mut mirror, MirrorEvent::Release);
    let [MirrorEffect::Place(approved)] = &effects[..] else { panic!("{effects:?}") };
    let placement = approved.get();
    assert_eq!(placement.client_order_id, ClientOrderId::derive(&key(1)));
    assert_eq!((&placement.terms, placement.purpose), (&terms(TARGET), Purpose::Exit));
    assert_eq!(mirror.child().unwrap().ts_sent, Some(at(1)));
    assert_eq!(mirror.worst_case(), u64::from(TARGET));
}

#[test]
fn a_second_attempt_has_an_id_of_its_own_and_only_as_much_room_as_the_first_left() {
    let mut mirror = lived(vec![
        open(TARGET),
        MirrorEvent::Release,
        answer(PlaceAnswer::Lost),
        MirrorEvent::ProvenAbsent { again: true },
    ]);
    assert_eq!(mirror.child().unwrap().client_order_id, ClientOrderId::derive(&key(2)));
    // The proof was wrong: the first is there after all. The second must not go (P2, P5).
    take(&mut mirror, report(1, "7", BrokerStatus::Pending, 0));
    let states: Vec<_> = mirror.children.iter().map(|child| child.state.as_str()).collect();
    assert_eq!((states, mirror.outcome), (vec!["working", "voided"], Outcome::Sent));
    assert_eq!(mirror.worst_case(), u64::from(TARGET));
    assert_eq!(mirror.child().unwrap().key.attempt, 1, "what lives is what counts");
    // Its fills are its own.
    let filled = take(&mut mirror, report(1, "7", BrokerStatus::Traded, TARGET));
    assert_eq!(filled, vec![MirrorEffect::Filled(Quantity::new(TARGET))]);
}

#[test]
fn a_late_first_attempt_is_never_taken_for_the_second() {
    let mut mirror = lived(vec![
        open(TARGET),
        MirrorEvent::Release,
        answer(PlaceAnswer::Lost),
        MirrorEvent::ProvenAbsent { again: true },
        MirrorEvent::Release,
        report(1, "7", BrokerStatus::PartTraded, 65),
        answer(PlaceAnswer::Accepted(id("8"))),
        report(2, "8", BrokerStatus::PartTraded, 65),
    ]);
    let facts: Vec<_> = mirror
        .children
        .iter()
        .map(|child| (child.broker_order_id.clone().unwrap(), child.cumulative.get(), child.status.clone()))
        .collect();
    let part = Some(BrokerStatus::PartTraded);
    assert_eq!(facts, vec![(id("7"), 65, part.clone()), (id("8"), 65, part)]);
    assert_eq!(mirror.worst_case(), 2 * u64::from(TARGET), "both count, so that the excess is seen");
    assert_eq!(take(&mut mirror, report(2, "8", BrokerStatus::PartTraded, 65)), vec![]);
}

#[test]
fn a_late_first_attempt_that_took_nothing_leaves_the_second_its_room() {
    let mut mirror = lived(vec![
        open(TARGET),
        MirrorEvent::Release,
        answer(PlaceAnswer::Lost),
        MirrorEvent::ProvenAbsent { again: true },
        report(1, "7", BrokerStatus::Rejected, 0),
    ]);
    assert!(matches!(take(&mut mirror, MirrorEvent::Release)[..], [MirrorEffect::Place(_)]));
}

#[test]
fn an_order_that_appears_late_shows_its_status_even_if_it_is_over_already() {
    let mut mirror = in_state("absent");
    take(&mut mirror, report(1, "7", BrokerStatus::Traded, TARGET));
    let child = mirror.child().unwrap();
    assert_eq!((child.status.clone(), child.cumulative.get()), (Some(BrokerStatus::Traded), TARGET));
    assert_eq!((mirror.outcome, mirror.reason), (Outcome::Sent, None));
}

#[test]
fn fills_only_grow_whatever_order_reports_come_in() {
    let mut mirror = in_state("working");
    let growth: Vec<u32> = [65, 0, 65, 130, 65, 130]
        .into_iter()
        .map(|cumulative| {
            let effects = take(&mut mirror, report(1, "7", BrokerStatus::PartTraded, cumulative));
            effects
                .iter()
                .map(|effect| if let MirrorEffect::Filled(by) = effect { by.get() } else { 0 })
                .sum()
        })
        .collect();
    assert_eq!(growth, [65, 0, 0, 65, 0, 0]);
}
