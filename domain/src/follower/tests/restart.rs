//! A new process with the rows of the old one.

use super::*;

/// The book of a new process that reads the mirrors of this one, and what it wants done first.
fn restarted(desk: &Desk) -> (Desk, Vec<Effect>) {
    let mut next = Desk { book: FollowerBook::new(settings()), now: desk.now };
    let rows: Vec<Mirror> = desk.book.mirrors.values().cloned().collect();
    let effects = next.book.restore(rows, next.now);
    (next, effects)
}

#[test]
fn what_was_being_sent_is_unknown_and_looked_for_and_not_sent_again() {
    for answer in [None, Some(Answer::Lost)] {
        let mut old = Desk::new();
        let client_order_id = old.sent("L1", terms(BUY, 65));
        answer.map(|answer| old.answer(&client_order_id, answer));

        let (mut desk, effects) = restarted(&old);
        assert_eq!(lookups(&effects), [(&client_order_id, Duration::ZERO)]);
        assert_eq!((placements(&effects), desk.book.unknown_count()), (vec![], 1));
        assert_eq!(desk.child("L1").state, ChildState::Unknown);
        assert_eq!(placements(&desk.plan("L1", terms(BUY, 65))), vec![]);
        assert_eq!(placements(&desk.passes(SECOND)), vec![]);

        desk.step(Event::Report(Box::new(desk.row(&client_order_id, "1", BrokerStatus::Traded, 65))));
        assert_eq!((desk.position(), desk.book.unknown_count()), (65, 0));
    }
}

#[test]
fn the_settle_time_counts_from_the_restart() {
    let mut old = Desk::new();
    let known = old.holds(65);
    old.sent("X", terms(SELL, 65));
    old.now = old.now.plus(SETTLE);
    let (mut desk, _) = restarted(&old);
    for _ in 0..3 {
        assert_eq!(placements(&desk.reads(vec![known.clone()])), vec![], "too early");
    }
    desk.now = desk.now.plus(SETTLE);
    desk.reads(vec![known.clone()]);
    assert_eq!(placements(&desk.reads(vec![known])).len(), 1, "late enough");
    assert_eq!(desk.child("X").key.attempt, 2);
}

/// A desk on which an exit and an entry wait, restarted.
fn restarted_with_two_waiting() -> Desk {
    let mut old = Desk::new();
    old.holds(65);
    for number in 0..9 {
        old.plan(&format!("L{number}"), terms(BUY, 65));
    }
    old.book.pacer.pause(old.now.plus(SECOND));
    old.plan("X", terms(SELL, 65));
    assert_eq!(old.book.waiting_count(), 2);
    let (mut desk, effects) = restarted(&old);
    assert_eq!((placements(&effects), desk.book.waiting_count()), (vec![], 0));
    assert_eq!(placements(&desk.passes(SECOND)), vec![], "nothing leaves before the leader is heard");
    desk.book.pacer.pause(desk.now.plus(SECOND));
    desk
}

#[test]
fn what_waited_waits_again_once_the_leader_is_heard_exits_first() {
    let mut desk = restarted_with_two_waiting();
    for (id, side) in [("L8", BUY), ("X", SELL)] {
        assert_eq!(placements(&desk.plan(id, terms(side, 65))), vec![]);
    }
    let sides: Vec<_> = placements(&desk.passes(SECOND)).iter().map(|placed| placed.terms.side).collect();
    assert_eq!(sides, [SELL, BUY]);
}

#[test]
fn what_waited_and_is_too_old_goes_no_more() {
    let mut desk = restarted_with_two_waiting();
    let since = desk.now;
    desk.now = desk.now.plus(ENTRY_AGE_MAX + SECOND);
    let mut sides = Vec::new();
    for (id, side) in [("L8", BUY), ("X", SELL)] {
        let order = leader_order(id, terms(side, 65), since);
        let effects = desk.step(Event::Plan { order, decision: follow(terms(side, 65)) });
        sides.extend(placements(&effects).iter().map(|placed| placed.terms.side));
    }
    assert_eq!(sides, [SELL]);
    assert_eq!(desk.outcome("L8"), (Outcome::Skipped, Some(DeniedReason::StaleEntry)));
}

#[test]
fn what_waited_and_was_taken_back_meanwhile_is_void() {
    let mut desk = restarted_with_two_waiting();
    let order = leader_order("X", terms(SELL, 65), desk.now);
    desk.step(Event::Plan { order, decision: Decision::Deny(DeniedReason::LeaderGone) });
    assert_eq!(placements(&desk.passes(SECOND)), vec![]);
    assert_eq!(desk.outcome("X"), (Outcome::Voided, Some(DeniedReason::LeaderGone)));
}

#[test]
fn requests_sent_before_count_in_the_budget_after() {
    let mut old = Desk::new();
    for number in 0..8 {
        old.sent(&format!("L{number}"), terms(BUY, 65));
    }
    let (mut desk, _) = restarted(&old);
    let effects = desk.plan("L8", terms(BUY, 65));
    assert_eq!((placements(&effects), wake(&effects)), (vec![], Some(desk.now.plus(SECOND))));
    assert_eq!(placements(&desk.passes(SECOND)).len(), 1);
}

#[test]
fn positions_and_working_orders_are_what_they_were() {
    let mut old = Desk::new();
    let held = old.holds(130);
    let sold = old.sent("X", terms(SELL, 65));
    old.accepted(&sold, "2");
    let part = old.row(&sold, "2", BrokerStatus::PartTraded, 30);
    old.reads(vec![held.clone(), part.clone()]);

    let (mut desk, effects) = restarted(&old);
    assert!(effects.is_empty(), "{effects:?}");
    assert_eq!((desk.position(), desk.book.is_active()), (100, true));
    // The same rows again change nothing; new ones count by what is new in them.
    desk.reads(vec![held.clone(), part]);
    assert_eq!(desk.position(), 100);
    desk.reads(vec![held, desk.row(&sold, "2", BrokerStatus::Traded, 65)]);
    assert_eq!((desk.position(), desk.book.is_active()), (65, false));
}

#[test]
fn what_was_skipped_or_given_up_stays_so() {
    let mut old = Desk::new();
    let order = leader_order("L1", terms(BUY, 65), old.now);
    old.step(Event::Plan { order, decision: Decision::Deny(DeniedReason::NotOption) });
    let lost = old.sent("L2", terms(BUY, 65));
    old.answer(&lost, Answer::Lost);
    old.now = old.now.plus(SETTLE);
    old.reads(vec![]);
    old.reads(vec![]);

    let (mut desk, effects) = restarted(&old);
    assert!(effects.is_empty(), "{effects:?}");
    for (id, outcome) in [
        ("L1", (Outcome::Skipped, Some(DeniedReason::NotOption))),
        ("L2", (Outcome::Voided, Some(DeniedReason::ProvenAbsent))),
    ] {
        assert_eq!(placements(&desk.plan(id, terms(BUY, 65))), vec![]);
        assert_eq!(desk.outcome(id), outcome);
    }
}

#[test]
fn an_order_that_appeared_late_beside_a_voided_attempt_is_still_watched() {
    let mut old = Desk::new();
    let known = old.holds(65);
    let first = old.sent("X", terms(SELL, 65));
    old.answer(&first, Answer::Lost);
    old.now = old.now.plus(SETTLE);
    old.reads(vec![known.clone()]);
    old.book.pacer.pause(old.now.plus(SECOND));
    old.reads(vec![known.clone()]);
    old.reads(vec![known.clone(), old.row(&first, "1", BrokerStatus::Pending, 0)]);

    let (mut desk, _) = restarted(&old);
    assert!(desk.book.is_active());
    desk.reads(vec![known, desk.row(&first, "1", BrokerStatus::Traded, 65)]);
    assert_eq!((desk.position(), desk.book.is_active()), (0, false));
}
