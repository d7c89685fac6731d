//! One mirror told one thing after another; its state table ([`table`]) and the rules the table has no room for.

mod races;
mod table;

use super::*;
use crate::decision::Decision;
use crate::ids::{BrokerOrderId, ChildKey, DhanClientId, FollowerId};
use crate::instrument::{ExchangeSegment, Instrument, InstrumentKey, InstrumentKind, SecurityId};
use crate::order::{
    BrokerStatus, EvidenceSource, Leg, OrderForm, OrderReport, OrderType, Product, Side, TimeInForce,
};
use crate::policy::{AtModificationLimit, Bps, EntryLeftBehind, MarketOrders};
use crate::quantity::{LotSize, Quantity};
use crate::sizing::{DayCapital, Minimum, Ratio, Rounding, Share, Strategy};
use crate::time::TradingDay;

/// The follower's units; the leader has twice as many.
const TARGET: u32 = 130;
const LOT: u32 = 65;
const SETTLE: i64 = 2;
const ENTRY_AFTER: i64 = 10;

fn terms(quantity: u32, paise: u32) -> OrderTerms {
    OrderTerms {
        instrument: InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(43_125) },
        side: Side::Buy,
        product: Product::Margin,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Day,
        quantity: Quantity::new(quantity),
        disclosed: Quantity::ZERO,
        price: Price::from_paise(paise),
        trigger: Price::ZERO,
        after_market: false,
        form: OrderForm::Ordinary,
    }
}

fn leader(status: BrokerStatus, cumulative: u32) -> LeaderOrder {
    LeaderOrder {
        account: DhanClientId::new("1000000101").unwrap(),
        trading_day: TradingDay::from_ymd(2026, 11, 23).unwrap(),
        broker_order_id: id("221261123048117"),
        tag: None,
        leg: Leg::Single,
        terms: terms(2 * TARGET, 10_000),
        status,
        cumulative: Quantity::new(cumulative),
        average_price: Price::ZERO,
        reason: None,
        exited: Quantity::ZERO,
        last_price: None,
        forever_parent: None,
        known_fingerprint: crate::leader::KnownFingerprint::default(),
        ts_event: at(1),
        ts_first_event: at(0),
        ts_first_seen: at(0),
    }
}

fn rules() -> Rules {
    Rules {
        follower: FollowerId::new("asha").unwrap(),
        on: CopyOn::Working,
        translation: Translation {
            market_orders: MarketOrders::AsIs,
            price_band: Bps::new(300),
            stop_band: Bps::new(300),
        },
        changes: Changes { per_order_max: 25, at_limit: AtModificationLimit::Replace },
        parting: Parting {
            entry: EntryLeftBehind::Cancel,
            entry_after: Duration::from_secs(ENTRY_AFTER.unsigned_abs()),
            exit_after: Duration::from_secs(2),
            chase_interval: Duration::from_secs(2),
            gap: crate::gap::GapPolicy::ExitsOnly,
        },
        settle: Duration::from_secs(SETTLE.unsigned_abs()),
        retry: Duration::from_millis(200),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

fn id(text: &str) -> BrokerOrderId {
    BrokerOrderId::new(text).unwrap()
}

fn key(slice: u16, attempt: u16) -> ChildKey {
    let leader = leader(BrokerStatus::Pending, 0);
    ChildKey {
        trading_day: leader.trading_day,
        leader_order: leader.broker_order_id,
        follower: rules().follower,
        leg: COPY,
        slice,
        attempt,
    }
}

fn first() -> ClientOrderId {
    ClientOrderId::derive(&key(0, 1))
}

fn instrument(freeze: Option<Quantity>) -> Arc<Instrument> {
    Arc::new(Instrument {
        key: terms(0, 0).instrument,
        kind: InstrumentKind::IndexOption,
        symbol: "NIFTY-Dec2026-26000-CE".into(),
        underlying: "NIFTY".into(),
        lot_size: LotSize::new(LOT).unwrap(),
        tick: Price::from_paise(5),
        expiry: None,
        option: None,
        freeze_quantity: freeze,
        band: None,
    })
}

fn sizing() -> Sizing {
    Sizing {
        strategy: Strategy::FixedRatio,
        ratio: Ratio { numerator: 1, denominator: 2 },
        multiplier: Ratio::ONE,
        rounding: Rounding::Down,
        minimum: Minimum::Skip,
        keeps_remainder: false,
        leader_quantity: Quantity::new(2 * TARGET),
        lot_size: LotSize::new(LOT).unwrap(),
        leader_capital: None,
        follower_capital: None,
        unit_cost: None,
        held: 0,
        credit: Share::ZERO,
        quantity: Quantity::new(TARGET),
    }
}

/// The leader's order, of which these terms and so many executed units are the follower's half.
fn wish(terms: OrderTerms, executed: u32) -> Wish {
    let quantity = Quantity::new(2 * terms.quantity.get());
    Wish {
        terms: OrderTerms { quantity, ..terms },
        executed: Quantity::new(2 * executed),
        exited: Quantity::ZERO,
        capital: DayCapital::default(),
        entry_denial: None,
        note: None,
        is_unpriced: false,
        reference: None,
        instrument: instrument(None),
    }
}

fn follow(terms: OrderTerms) -> MirrorEvent {
    MirrorEvent::Plan(Decision::Follow(Box::new(wish(terms, 0))))
}

fn open(quantity: u32) -> MirrorEvent {
    follow(terms(quantity, 10_000))
}

fn gone() -> MirrorEvent {
    MirrorEvent::Plan(Decision::Deny(DeniedReason::LeaderGone))
}

fn release() -> MirrorEvent {
    MirrorEvent::Release(first(), None)
}

fn answer(serial: u32, answer: Answer) -> MirrorEvent {
    MirrorEvent::Answer { client_order_id: first(), serial, answer }
}

fn accepted() -> Answer {
    Answer::Accepted(id("7"))
}

fn row(broker_order_id: &str, terms: OrderTerms, status: BrokerStatus, cumulative: u32) -> OrderReport {
    OrderReport {
        account: DhanClientId::new("1000000202").unwrap(),
        broker_order_id: id(broker_order_id),
        exchange_order_id: None,
        tag: None,
        terms,
        status,
        cumulative: Quantity::new(cumulative),
        average_price: Price::from_paise(10_000),
        reason: None,
        leg: Leg::Single,
        parent: None,
        last_price: None,
        ts_event: at(1),
        ts_exchange: None,
        ts_created: None,
        source: EvidenceSource::Stream,
    }
}

fn report(client_order_id: &ClientOrderId, report: OrderReport) -> MirrorEvent {
    let client_order_id = client_order_id.clone();
    MirrorEvent::Report(Box::new(ChildReport { client_order_id, report, read_from: None }))
}

/// News of the first attempt as it was placed.
fn shown(status: BrokerStatus, cumulative: u32) -> MirrorEvent {
    report(&first(), row("7", terms(TARGET, 10_000), status, cumulative))
}

fn moment(now: Timestamp, rules: &Rules) -> Moment<'_> {
    let admit = &|asked: &Opening<'_>| Ok(Admission { units: Quantity::new(asked.units), cut_by: None });
    Moment { now, rules, admit, instrument: None }
}

/// The follower's half of what the Sizer said, all of it opening or all of it closing.
fn share(mirror: &Mirror, decision: &Decision, purpose: Purpose) -> Allotment {
    let units = match decision {
        Decision::Follow(wish) => wish.terms.quantity.get() / 2,
        Decision::Await => mirror.allotment.map_or(0, |known| known.total()),
        Decision::Deny(_) => 0,
    };
    if purpose == Purpose::Exit { Allotment::closing(units) } else { Allotment::opening(units) }
}

/// One event; behind the Sizer's word comes the share of it.
fn step(
    mirror: &mut Mirror,
    event: MirrorEvent,
    now: Timestamp,
    purpose: Purpose,
) -> Result<Vec<MirrorEffect>, IllegalTransition> {
    let rules = rules();
    let MirrorEvent::Plan(decision) = event else { return mirror.step(event, &moment(now, &rules)) };
    // What the leader's order has become goes with the Sizer's word.
    match &decision {
        Decision::Deny(DeniedReason::LeaderGone) => {
            mirror.leader = Arc::new(leader(BrokerStatus::Cancelled, 0));
        }
        Decision::Follow(wish) if wish.executed.get() == 2 * TARGET => {
            mirror.leader = Arc::new(leader(BrokerStatus::Traded, 2 * TARGET));
        }
        Decision::Follow(_) => {
            mirror.leader = Arc::new(leader(BrokerStatus::Pending, 0));
        }
        _ => {}
    }
    let share = share(mirror, &decision, purpose);
    told(mirror, decision, share, moment(now, &rules))
}

/// The Sizer's word, and the share of it that is this mirror's.
fn told(
    mirror: &mut Mirror,
    decision: Decision,
    share: Allotment,
    at: Moment<'_>,
) -> Result<Vec<MirrorEffect>, IllegalTransition> {
    mirror.sizing = Some(sizing());
    assert_eq!(mirror.step(MirrorEvent::Plan(decision), &at)?, vec![], "a word alone moves nothing");
    mirror.step(MirrorEvent::Allot(share), &at)
}

fn take(mirror: &mut Mirror, event: MirrorEvent) -> Vec<MirrorEffect> {
    step(mirror, event, at(1), Purpose::Entry).unwrap()
}

/// A mirror that has lived through these events, all of them legal.
fn lived(events: Vec<MirrorEvent>) -> Mirror {
    let mut mirror = Mirror::new(Arc::new(leader(BrokerStatus::Pending, 0)));
    for event in events {
        take(&mut mirror, event);
    }
    mirror
}

fn sent(effects: &[MirrorEffect]) -> &Request {
    let requests: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            MirrorEffect::Send(approved) => Some(approved.get()),
            _ => None,
        })
        .collect();
    let [request] = requests[..] else { panic!("{effects:?}") };
    request
}

fn states(mirror: &Mirror) -> Vec<&'static str> {
    mirror.children.iter().map(|child| child.state.as_str()).collect()
}

#[test]
fn what_is_placed_is_the_child_and_carries_its_derived_id() {
    let mut mirror = lived(vec![open(TARGET)]);
    let effects = take(&mut mirror, release());
    let request = sent(&effects);
    assert_eq!(request.client_order_id, ClientOrderId::derive(&key(0, 1)));
    assert_eq!((request.serial, request.purpose), (0, Purpose::Entry));
    assert_eq!(request.ask, Ask::Place(terms(TARGET, 10_000)));
    assert_eq!(mirror.child().unwrap().ts_sent, Some(at(1)));
    assert_eq!(mirror.worst_case(), u64::from(TARGET));
}

#[test]
fn what_is_decided_is_not_undecided_by_a_status_that_says_nothing() {
    let mut mirror = lived(vec![MirrorEvent::Plan(Decision::Await)]);
    assert_eq!((mirror.outcome, mirror.children.len()), (Outcome::AwaitingLeader, 0));
    take(&mut mirror, open(TARGET));
    take(&mut mirror, MirrorEvent::Plan(Decision::Await));
    assert_eq!(mirror.target, Target::Open(terms(TARGET, 10_000)));
    sent(&take(&mut mirror, release()));
}

#[test]
fn a_skipped_or_given_up_order_stays_so() {
    for end in [
        vec![gone()],
        vec![open(TARGET), gone()],
        vec![open(TARGET), MirrorEvent::Give(first(), DeniedReason::StaleEntry)],
        vec![
            open(TARGET),
            release(),
            answer(0, Answer::Lost),
            MirrorEvent::ProvenAbsent { client_order_id: first(), again: false },
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
fn only_a_share_below_one_lot_may_grow_into_a_copy() {
    let mut mirror = lived(vec![open(0)]);
    assert_eq!((mirror.outcome, mirror.reason), (Outcome::Skipped, Some(DeniedReason::BelowOneLot)));
    take(&mut mirror, open(LOT));
    assert_eq!((mirror.outcome, states(&mirror)), (Outcome::Waiting, vec!["planned"]));
}

/// A first attempt that was proven absent, and a second planned.
fn second_attempt() -> Vec<MirrorEvent> {
    let absent = MirrorEvent::ProvenAbsent { client_order_id: first(), again: true };
    vec![open(TARGET), release(), answer(0, Answer::Lost), absent]
}

#[test]
fn a_second_attempt_has_an_id_of_its_own_and_only_as_much_room_as_the_first_left() {
    let mut mirror = lived(second_attempt());
    assert_eq!(mirror.child().unwrap().client_order_id, ClientOrderId::derive(&key(0, 2)));
    // The proof was wrong: the first is there after all. The second must not go (P2, P5).
    take(&mut mirror, shown(BrokerStatus::Pending, 0));
    let effects = take(&mut mirror, MirrorEvent::Release(ClientOrderId::derive(&key(0, 2)), None));
    assert!(!effects.iter().any(|effect| matches!(effect, MirrorEffect::Send(_))), "{effects:?}");
    assert_eq!((states(&mirror), mirror.outcome), (vec!["working", "voided"], Outcome::Sent));
    assert_eq!(mirror.worst_case(), u64::from(TARGET));
    assert_eq!(mirror.child().unwrap().key.attempt, 1, "what lives is what counts");
}

#[test]
fn a_late_first_attempt_is_never_taken_for_the_second() {
    let second = ClientOrderId::derive(&key(0, 2));
    let mut mirror = lived(second_attempt());
    sent(&take(&mut mirror, MirrorEvent::Release(second.clone(), None)));
    take(&mut mirror, shown(BrokerStatus::PartTraded, 65));
    let taken =
        MirrorEvent::Answer { client_order_id: second.clone(), serial: 0, answer: Answer::Accepted(id("8")) };
    take(&mut mirror, taken);
    let of_second = || report(&second, row("8", terms(TARGET, 10_000), BrokerStatus::PartTraded, 65));
    take(&mut mirror, of_second());
    let facts: Vec<_> = mirror
        .children
        .iter()
        .map(|child| (child.broker_order_id.clone().unwrap(), child.cumulative.get()))
        .collect();
    assert_eq!(facts, vec![(id("7"), 65), (id("8"), 65)]);
    assert_eq!(mirror.worst_case(), 2 * u64::from(TARGET), "both count, so that the excess is seen");
}

#[test]
fn a_late_first_attempt_that_took_nothing_leaves_the_second_its_room() {
    let mut mirror = lived(second_attempt());
    take(&mut mirror, shown(BrokerStatus::Rejected, 0));
    sent(&take(&mut mirror, MirrorEvent::Release(ClientOrderId::derive(&key(0, 2)), None)));
}

#[test]
fn an_order_that_appears_late_shows_its_status_even_if_it_is_over_already() {
    let absent = MirrorEvent::ProvenAbsent { client_order_id: first(), again: false };
    let mut mirror = lived(vec![open(TARGET), release(), answer(0, Answer::Lost), absent]);
    take(&mut mirror, shown(BrokerStatus::Traded, TARGET));
    let child = mirror.child().unwrap();
    assert_eq!((child.status.clone(), child.cumulative.get()), (Some(BrokerStatus::Traded), TARGET));
    assert_eq!((mirror.outcome, mirror.reason), (Outcome::Sent, None));
}

#[test]
fn fills_only_grow_whatever_order_reports_come_in() {
    let mut mirror = lived(vec![open(TARGET), release(), answer(0, accepted())]);
    let growth: Vec<u32> = [65, 0, 65, 130, 65, 130]
        .into_iter()
        .map(|cumulative| {
            let effects = take(&mut mirror, shown(BrokerStatus::PartTraded, cumulative));
            let grown = effects.iter().map(|effect| match effect {
                MirrorEffect::Filled(_, by) => by.get(),
                _ => 0,
            });
            grown.sum()
        })
        .collect();
    assert_eq!(growth, [65, 0, 0, 65, 0, 0]);
}

/// An order of this follower above the freeze quantity of two lots.
fn sliced(quantity: u32) -> MirrorEvent {
    let instrument = instrument(Some(Quantity::new(2 * LOT)));
    MirrorEvent::Plan(Decision::Follow(Box::new(Wish { instrument, ..wish(terms(quantity, 10_000), 0) })))
}

fn quantities(mirror: &Mirror) -> Vec<u32> {
    mirror.children.iter().filter(|child| child.is_live()).map(|child| child.terms.quantity.get()).collect()
}

#[test]
fn what_is_too_large_for_one_order_becomes_several_and_changes_are_spread_over_them() {
    let mut mirror = lived(vec![sliced(5 * LOT)]);
    assert_eq!(quantities(&mirror), [130, 130, 65]);
    // Not sent yet: the last ones give first, the ones that have room take first.
    take(&mut mirror, sliced(3 * LOT));
    assert_eq!(quantities(&mirror), [130, 65]);
    take(&mut mirror, sliced(4 * LOT));
    assert_eq!(quantities(&mirror), [130, 130]);
    for (slice, broker_id) in [(0, "7"), (1, "8")] {
        let client_order_id = ClientOrderId::derive(&key(slice, 1));
        sent(&take(&mut mirror, MirrorEvent::Release(client_order_id.clone(), None)));
        let answer = Answer::Accepted(id(broker_id));
        take(&mut mirror, MirrorEvent::Answer { client_order_id, serial: 0, answer });
    }
    take(&mut mirror, sliced(3 * LOT));
    let asked: Vec<_> = mirror.children.iter().filter_map(|child| child.request.as_deref()).collect();
    let [request] = &asked[..] else { panic!("{asked:?}") };
    let Change::Modify { terms, .. } = &request.change else { panic!("{request:?}") };
    assert_eq!(terms.quantity.get(), LOT);
}

#[test]
fn an_order_changed_as_often_as_is_allowed_is_replaced_once_its_end_is_proven() {
    let mut mirror = lived(vec![open(TARGET), release(), answer(0, accepted())]);
    for serial in 1..=25 {
        let paise = 10_000 + 5 * serial;
        take(&mut mirror, follow(terms(TARGET, paise)));
        sent(&take(&mut mirror, release()));
        take(&mut mirror, answer(serial, accepted()));
        take(&mut mirror, report(&first(), row("7", terms(TARGET, paise), BrokerStatus::Pending, 0)));
    }
    let last = terms(TARGET, 11_000);
    take(&mut mirror, follow(last.clone()));
    let effects = take(&mut mirror, release());
    assert!(matches!(sent(&effects).ask, Ask::Cancel { .. }), "{effects:?}");
    take(&mut mirror, answer(26, accepted()));
    assert_eq!(mirror.children.len(), 1, "nothing takes its place before its end is proven (P2)");
    take(&mut mirror, report(&first(), row("7", terms(TARGET, 10_125), BrokerStatus::Cancelled, LOT)));
    assert_eq!(states(&mirror), ["cancelled", "planned"]);
    let next = &mirror.children[1];
    assert_eq!((next.key.attempt, &next.terms), (2, &OrderTerms { quantity: Quantity::new(LOT), ..last }));
}

#[test]
fn an_exit_left_behind_is_moved_after_the_market_and_again_later_and_later() {
    let mut mirror = Mirror::new(Arc::new(leader(BrokerStatus::Pending, 0)));
    let mut go =
        |event: MirrorEvent, second: i64| step(&mut mirror, event, at(second), Purpose::Exit).unwrap();
    go(open(TARGET), 1);
    go(release(), 1);
    go(answer(0, accepted()), 1);
    let filled = MirrorEvent::Plan(Decision::Follow(Box::new(wish(terms(TARGET, 10_000), TARGET))));
    assert_eq!(go(filled, 1), vec![], "he may be about to fill");
    let rank = |effects: &[MirrorEffect]| match effects {
        [MirrorEffect::Queue(_, rank, None)] => *rank,
        _ => panic!("{effects:?}"),
    };
    assert_eq!(rank(&go(MirrorEvent::Tick, 3)), Rank::Exit);
    let effects = go(release(), 3);
    let Ask::Modify { terms, .. } = &sent(&effects).ask else { panic!("{effects:?}") };
    assert_eq!(terms.order_type, OrderType::Market);
    go(answer(1, accepted()), 3);
    // The broker shows a market order as a limit of its own making.
    go(report(&first(), row("7", self::terms(TARGET, 10_300), BrokerStatus::Pending, 0)), 3);
    assert_eq!(go(MirrorEvent::Tick, 4), vec![]);
    assert_eq!(rank(&go(MirrorEvent::Tick, 6)), Rank::Exit);
}

#[test]
fn an_exit_the_broker_rejects_is_tried_as_often_as_is_borne() {
    let mut mirror = Mirror::new(Arc::new(leader(BrokerStatus::Pending, 0)));
    let filled = MirrorEvent::Plan(Decision::Follow(Box::new(wish(terms(TARGET, 10_000), TARGET))));
    let mut given_up = 0;
    step(&mut mirror, filled, at(1), Purpose::Exit).unwrap();
    for attempt in 1..=ATTEMPTS_MAX {
        let client_order_id = ClientOrderId::derive(&key(0, attempt));
        let release = MirrorEvent::Release(client_order_id.clone(), None);
        sent(&step(&mut mirror, release, at(100), Purpose::Exit).unwrap());
        let answer = Answer::Refused(Refused::Other, "no".into());
        let refused = MirrorEvent::Answer { client_order_id, serial: 0, answer };
        let effects = step(&mut mirror, refused, at(100), Purpose::Exit).unwrap();
        given_up += effects.iter().filter(|effect| matches!(effect, MirrorEffect::ExitGivenUp(_))).count();
    }
    assert_eq!((mirror.children.len(), given_up), (usize::from(ATTEMPTS_MAX), 1));
}
