//! Races that the model test found, one by one.

use super::*;
use crate::gap::{GapKind, GapResult};

fn working() -> Vec<MirrorEvent> {
    vec![open(TARGET), release(), answer(0, accepted())]
}

fn after(mut before: Vec<MirrorEvent>, then: Vec<MirrorEvent>) -> Mirror {
    before.extend(then);
    lived(before)
}

/// The leader's order is so now, and the Sizer's word on it; its share opens.
fn leader_is(
    mirror: &mut Mirror,
    status: BrokerStatus,
    executed: u32,
    decision: Decision,
    second: i64,
) -> Vec<MirrorEffect> {
    mirror.leader = Arc::new(leader(status, executed));
    let share = share(mirror, &decision, Purpose::Entry);
    told(mirror, decision, share, moment(at(second), &rules())).unwrap()
}

#[test]
fn a_refusal_is_no_gap_any_more_once_the_leader_has_nothing_either() {
    let refused = answer(0, Answer::Refused(Refused::Other, "no margin".into()));
    let mut mirror = lived(vec![open(TARGET), release(), refused]);
    assert_eq!(mirror.gap.map(|gap| gap.units), Some(-i64::from(TARGET)));
    take(&mut mirror, gone());
    let gap = mirror.gap.unwrap();
    assert_eq!((gap.kind, gap.units, gap.result), (GapKind::FollowerRefused, 0, GapResult::Repaired));
}

#[test]
fn what_waits_does_not_leave_while_what_works_may_end_by_itself() {
    let mut mirror = lived(vec![sliced(4 * LOT), release()]);
    assert_eq!(states(&mirror), ["sending", "planned"]);
    let deny = Decision::Deny(DeniedReason::LeaderGone);
    leader_is(&mut mirror, BrokerStatus::Expired, 0, deny, 1);
    assert_eq!(states(&mirror), ["sending", "voided"]);
    take(&mut mirror, answer(0, accepted()));
    assert!(mirror.children[0].request.is_none(), "it will expire as the leader's did");
}

#[test]
fn a_share_below_one_lot_leaves_nothing_to_be_held() {
    let mut mirror = after(working(), vec![shown(BrokerStatus::Traded, TARGET)]);
    // One lot of his is half of one here.
    let one = Wish { executed: Quantity::new(LOT), ..wish(terms(0, 10_000), 0) };
    leader_is(&mut mirror, BrokerStatus::Cancelled, LOT, Decision::Follow(Box::new(one)), 1);
    let gap = mirror.gap.unwrap();
    assert_eq!((gap.units, gap.result), (i64::from(TARGET), GapResult::Repairing));
    let repair = mirror.children.last().unwrap();
    assert_eq!((repair.key.leg, repair.terms.quantity.get()), (REPAIR, TARGET));
}

#[test]
fn a_repair_that_waits_is_still_one_that_trades() {
    let mut mirror = after(working(), vec![shown(BrokerStatus::Traded, TARGET), gone()]);
    let planned = mirror.children.last().unwrap().terms.clone();
    assert_eq!(planned.order_type, OrderType::Market);
    take(&mut mirror, MirrorEvent::Tick);
    assert_eq!(mirror.children.last().unwrap().terms, planned);
}

#[test]
fn what_finds_no_room_waits_for_it() {
    // Two slices; the first never left and waits again, then the leader wants one of them only.
    let second = ClientOrderId::derive(&key(1, 1));
    let of_second = |answer| MirrorEvent::Answer { client_order_id: second.clone(), serial: 0, answer };
    let mut mirror = lived(vec![
        sliced(4 * LOT),
        release(),
        MirrorEvent::Release(second.clone(), None),
        of_second(Answer::Accepted(id("8"))),
        answer(0, Answer::NotSent),
        sliced(2 * LOT),
    ]);
    assert_eq!(take(&mut mirror, release()), vec![], "the second is still there (P5)");
    assert_eq!(states(&mirror), ["planned", "working"]);
    sent(&take(&mut mirror, MirrorEvent::Release(second.clone(), None)));
    take(&mut mirror, report(&second, row("8", terms(2 * LOT, 10_000), BrokerStatus::Cancelled, 0)));
    sent(&take(&mut mirror, release()));
}

#[test]
fn a_lost_answer_is_no_doubt_where_the_effect_was_seen_before() {
    let asked = || after(working(), vec![follow(terms(TARGET, 10_100)), release()]);
    let shown_changed = || report(&first(), row("7", terms(TARGET, 10_100), BrokerStatus::Pending, 0));
    for lost in [Answer::Lost, Answer::Busy] {
        let mut mirror = asked();
        take(&mut mirror, shown_changed());
        take(&mut mirror, answer(1, lost.clone()));
        let last = mirror.change_records.last().unwrap();
        assert_eq!((last.state, mirror.children[0].request.is_none()), (IntentState::Acked, true));
        assert_eq!(mirror.children[0].terms, terms(TARGET, 10_100));

        // And none where the order is over without it.
        let mut mirror = asked();
        take(&mut mirror, shown(BrokerStatus::Rejected, 0));
        take(&mut mirror, answer(1, lost));
        let last = mirror.change_records.last().unwrap();
        assert_eq!((last.state, mirror.children[0].request.is_none()), (IntentState::Absent, true));
    }
}

#[test]
fn a_raise_that_came_after_the_last_fill_becomes_an_order_of_its_own() {
    // Its answer may come before the end is known, or after.
    for answered_first in [true, false] {
        let mut mirror = after(working(), vec![open(2 * TARGET), release()]);
        if answered_first {
            take(&mut mirror, answer(1, accepted()));
            take(&mut mirror, shown(BrokerStatus::Traded, TARGET));
        } else {
            take(&mut mirror, shown(BrokerStatus::Traded, TARGET));
            take(&mut mirror, answer(1, accepted()));
        }
        assert_eq!(states(&mirror), ["filled", "planned"], "answered first: {answered_first}");
        assert_eq!(mirror.children[1].terms.quantity.get(), TARGET);
    }
}

#[test]
fn an_old_frame_of_a_limit_is_no_stop_that_fired() {
    let stop = OrderTerms {
        order_type: OrderType::StopLoss,
        price: Price::from_paise(10_120),
        trigger: Price::from_paise(10_100),
        ..terms(TARGET, 0)
    };
    let mut mirror = after(working(), vec![follow(stop.clone()), release(), answer(1, accepted())]);
    take(&mut mirror, report(&first(), row("7", stop.clone(), BrokerStatus::Pending, 0)));
    take(&mut mirror, shown(BrokerStatus::Pending, 0));
    let child = &mirror.children[0];
    assert_eq!((child.has_fired, &child.terms, child.request.is_none()), (false, &stop, true));

    let fired = OrderTerms { order_type: OrderType::Limit, trigger: Price::ZERO, ..stop };
    take(&mut mirror, report(&first(), row("7", fired, BrokerStatus::Pending, 0)));
    assert!(mirror.children[0].has_fired);
}

#[test]
fn what_must_trade_is_replaced_whatever_the_owner_says_of_the_leaders_changes() {
    let mut rules = rules();
    rules.changes = Changes { per_order_max: 0, at_limit: AtModificationLimit::Stop };
    let mut mirror = lived(vec![]);
    let mut go = |event: MirrorEvent, second: i64| {
        if matches!(&event, MirrorEvent::Plan(Decision::Follow(wish)) if !wish.executed.is_zero()) {
            mirror.leader = Arc::new(leader(BrokerStatus::Traded, 2 * TARGET));
        }
        let now = moment(at(second), &rules);
        match event {
            MirrorEvent::Plan(decision) => {
                let share = share(&mirror, &decision, Purpose::Exit);
                told(&mut mirror, decision, share, now).unwrap()
            }
            event => mirror.step(event, &now).unwrap(),
        }
    };
    go(open(TARGET), 1);
    go(release(), 1);
    go(answer(0, accepted()), 1);
    go(MirrorEvent::Plan(Decision::Follow(Box::new(wish(terms(TARGET, 10_000), TARGET)))), 1);
    go(MirrorEvent::Tick, 3);
    let effects = go(release(), 3);
    assert!(matches!(sent(&effects).ask, Ask::Cancel { .. }), "{effects:?}");
    go(answer(1, accepted()), 3);
    go(shown(BrokerStatus::Cancelled, 0), 3);
    let next = mirror.children.last().unwrap();
    assert_eq!((next.key.attempt, next.terms.order_type), (2, OrderType::Market));
}

#[test]
fn what_never_left_is_given_up_once_a_hand_has_detached_the_copy() {
    let second = ClientOrderId::derive(&key(1, 1));
    let mut mirror = lived(vec![sliced(4 * LOT), release(), MirrorEvent::Release(second.clone(), None)]);
    take(&mut mirror, shown(BrokerStatus::Cancelled, 0));
    assert_eq!(mirror.outcome, Outcome::Detached);
    take(&mut mirror, MirrorEvent::Answer { client_order_id: second, serial: 0, answer: Answer::NotSent });
    assert_eq!(states(&mirror), ["cancelled", "voided"]);
}

#[test]
fn what_was_given_up_lacks_what_the_leader_executes_after() {
    let absent = MirrorEvent::ProvenAbsent { client_order_id: first(), again: false };
    let mut mirror = lived(vec![open(TARGET), release(), answer(0, Answer::Lost), absent]);
    let filled = Decision::Follow(Box::new(wish(terms(TARGET, 10_000), TARGET)));
    leader_is(&mut mirror, BrokerStatus::Traded, 2 * TARGET, filled, 1);
    let gap = mirror.gap.unwrap();
    assert_eq!((gap.kind, gap.units), (GapKind::FollowerAbsent, -i64::from(TARGET)));
}

#[test]
fn an_order_ends_as_it_is_shown_whatever_was_taken_and_came_too_late() {
    let mut mirror = after(working(), vec![open(2 * TARGET), release(), answer(1, accepted())]);
    // Taken, and come to nothing; then another change is under way when the end comes.
    take(&mut mirror, follow(terms(2 * TARGET, 10_100)));
    sent(&take(&mut mirror, release()));
    take(&mut mirror, shown(BrokerStatus::Traded, TARGET));
    take(&mut mirror, answer(2, Answer::Refused(Refused::Over, "over".into())));
    assert_eq!(states(&mirror), ["filled", "planned"]);
    assert_eq!(mirror.children[1].terms, terms(TARGET, 10_100));
}
