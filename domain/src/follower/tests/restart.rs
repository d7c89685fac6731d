//! A new process with the rows of the old one.

use super::*;
use crate::trading::TradingState;

#[test]
fn what_was_being_sent_is_unknown_and_looked_for_and_not_sent_again() {
    for answer in [None, Some(Answer::Lost)] {
        let mut old = Desk::new();
        let client_order_id = old.sent("L1", terms(BUY, 65));
        answer.map(|answer| old.answer(&client_order_id, answer));

        let (mut desk, effects) = old.restarted(None);
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
    for leader_is_heard_first in [true, false] {
        let mut old = Desk::new();
        let known = old.holds(65);
        old.sent("X", terms(SELL, 65));
        old.now = old.now.plus(SETTLE);
        let (mut desk, _) = old.restarted(None);
        if leader_is_heard_first {
            assert_eq!(placements(&desk.plan("X", terms(SELL, 65))), vec![]);
        }
        for _ in 0..3 {
            assert_eq!(placements(&desk.reads(vec![known.clone()])), vec![], "too early");
        }
        desk.now = desk.now.plus(SETTLE);
        desk.reads(vec![known.clone()]);
        let mut effects = desk.reads(vec![known]);
        if !leader_is_heard_first {
            assert_eq!(placements(&effects), vec![], "he may have taken it back meanwhile");
            effects = desk.plan("X", terms(SELL, 65));
        }
        assert_eq!(placements(&effects).len(), 1, "late enough");
        assert_eq!(desk.child("X").key.attempt, 2);
    }
}

/// A desk on which an exit and an entry wait, restarted.
fn restarted_with_two_waiting() -> Desk {
    let mut old = Desk::new();
    old.holds(65);
    for number in 0..8 {
        old.works(&format!("L{number}"), terms(BUY, 65));
    }
    old.plan("L8", terms(BUY, 65));
    old.book.pacer.pause(old.now.plus(SECOND));
    old.plan("X", terms(SELL, 65));
    assert_eq!(old.book.waiting_count(), 2);
    let (mut desk, effects) = old.restarted(None);
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
        old.works(&format!("L{number}"), terms(BUY, 65));
    }
    let (mut desk, _) = old.restarted(None);
    let effects = desk.plan("L8", terms(BUY, 65));
    assert_eq!((placements(&effects), wake(&effects)), (vec![], Some(desk.now.plus(SECOND))));
    assert_eq!(placements(&desk.passes(SECOND)).len(), 1);
}

#[test]
fn what_nobody_has_heard_of_may_have_left_at_the_last_moment() {
    let mut old = Desk::new();
    for number in 0..8 {
        old.sent(&format!("L{number}"), terms(BUY, 65));
    }
    // Durable by now, and held up behind a busy disk until the process died.
    old.passes(SECOND / 2);
    let (mut desk, _) = old.restarted(None);
    // Elsewhere: beside what is in doubt nothing is opened anyway.
    let other = InstrumentKey { security_id: SecurityId(1), ..terms(BUY, 65).instrument };
    let effects = desk.plan("L8", OrderTerms { instrument: other, ..terms(BUY, 65) });
    assert_eq!((placements(&effects), wake(&effects)), (vec![], Some(desk.now.plus(SECOND))));
}

#[test]
fn positions_and_working_orders_are_what_they_were() {
    let mut old = Desk::new();
    let held = old.holds(130);
    let sold = old.sent("X", terms(SELL, 65));
    old.accepted(&sold, "2");
    let part = old.row(&sold, "2", BrokerStatus::PartTraded, 30);
    old.reads(vec![held.clone(), part.clone()]);

    let (mut desk, effects) = old.restarted(None);
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

    let (mut desk, effects) = old.restarted(None);
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

    let (mut desk, _) = old.restarted(None);
    assert!(desk.book.is_active());
    desk.reads(vec![known, desk.row(&first, "1", BrokerStatus::Traded, 65)]);
    assert_eq!((desk.position(), desk.book.is_active()), (0, false));
}

/// An exit was planned, and withdrawn when an older one was to close all that is held: what it asked for is free for its
/// next attempt, in a new life too. It waits meanwhile, for something may yet be bought.
#[test]
fn what_was_withdrawn_is_asked_for_again_in_a_new_life() {
    let all = terms(SELL, 130);
    for dies in [false, true] {
        let mut desk = Desk::new();
        desk.bought("L", 130);
        desk.passes(SECOND);
        desk.works("E", terms(BUY, 65));
        desk.passes(SECOND);
        let older = desk.works("T", all.clone());
        desk.passes(SECOND);
        assert_eq!(placements(&desk.plan("X", terms(SELL, 65))), vec![], "the older has all that is held");
        assert_eq!(changes(&desk.plan("T", terms(SELL, 65))), ["1 modify to 65 at 100.00"]);
        assert_eq!(desk.child("X").state, ChildState::Planned);
        desk.answer_to(&older, 1, Answer::Accepted(broker_id("b-T")));
        desk.passes(SECOND);
        assert_eq!(requests(&desk.plan("T", all.clone())), vec![], "not before it is seen to be less");
        let effects = desk.shows(&older, BrokerStatus::Pending, 0);
        assert_eq!(changes(&effects), ["2 modify to 130 at 100.00"]);
        desk.answer_to(&older, 2, Answer::Accepted(broker_id("b-T")));
        desk.shows(&older, BrokerStatus::Pending, 0);
        assert_eq!(desk.child("X").state, ChildState::Voided);
        assert_eq!(desk.outcome("X"), (Outcome::Waiting, Some(DeniedReason::NothingToClose)));

        if dies {
            desk = desk.restarted(None).0;
            desk.leader_fills("L", 130);
            for (id, terms) in [("E", terms(BUY, 65)), ("T", all.clone()), ("X", terms(SELL, 65))] {
                assert_eq!(requests(&desk.plan(id, terms)), vec![]);
            }
        }
        desk.passes(SECOND);
        assert_eq!(changes(&desk.plan("T", terms(SELL, 65))), ["3 modify to 65 at 100.00"]);
        desk.answer_to(&older, 3, Answer::Accepted(broker_id("b-T")));
        let exit = placed(&desk.shows(&older, BrokerStatus::Pending, 0));
        assert_eq!((exit.terms.quantity.get(), desk.child("X").key.attempt), (65, 2), "{dies}");
        // The rest of it ends with him: nothing waits for ever.
        desk.accepted(&exit.client_order_id, "b-X");
        desk.cancelled("X", terms(SELL, 65), 0);
        desk.shows(&exit.client_order_id, BrokerStatus::Cancelled, 0);
        assert_eq!(desk.outcome("X").0, Outcome::Sent);
    }
}

/// His sell is too old as an entry; what of it comes to close is sold all the same, and no more than that, whatever he makes
/// of it and whoever hears it.
#[test]
fn what_was_denied_as_an_entry_opens_no_more_in_a_new_life() {
    let mut old = Desk::new();
    let since = old.now;
    old.now = since.plus(ENTRY_AGE_MAX + SECOND);
    let sell = leader_order("S", terms(SELL, 8 * 65), since);
    old.step(Event::Plan { order: sell, decision: follow(terms(SELL, 8 * 65)) });
    assert_eq!(old.outcome("S"), (Outcome::Skipped, Some(DeniedReason::StaleEntry)));
    old.bought("L", 4 * 65);
    let exit = old.child("S").client_order_id.clone();
    assert_eq!((old.child("S").terms.quantity.get(), old.child("S").purpose), (4 * 65, Purpose::Exit));
    old.accepted(&exit, "b-S");
    old.shows(&exit, BrokerStatus::Traded, 4 * 65);

    let (mut desk, _) = old.restarted(None);
    let dearer = OrderTerms { price: Price::from_paise(10_100), ..terms(SELL, 8 * 65) };
    let changed = LeaderOrder {
        terms: dearer.clone(),
        ts_event: desk.now,
        ..LeaderOrder::clone(&desk.book.mirror(&broker_id("S")).unwrap().leader)
    };
    let effects = desk.step(Event::Plan { order: Arc::new(changed), decision: follow(dearer) });
    assert_eq!(placements(&effects), vec![], "nothing short is opened by it");
    assert_eq!(desk.book.copied_units(terms(SELL, 0).instrument), 0);
}

#[test]
fn what_was_skipped_closes_in_a_new_life_what_is_bought_there() {
    let mut old = Desk::new();
    let since = old.now;
    old.now = since.plus(ENTRY_AGE_MAX + SECOND);
    let sell = leader_order("S", terms(SELL, 4 * 65), since);
    old.step(Event::Plan { order: Arc::clone(&sell), decision: follow(terms(SELL, 4 * 65)) });
    assert_eq!(old.outcome("S"), (Outcome::Skipped, Some(DeniedReason::StaleEntry)));

    let (mut desk, _) = old.restarted(None);
    desk.step(Event::Plan { order: sell, decision: follow(terms(SELL, 4 * 65)) });
    assert_eq!(desk.outcome("S"), (Outcome::Skipped, Some(DeniedReason::StaleEntry)));
    desk.bought("L", 4 * 65);
    let child = desk.child("S");
    assert_eq!(
        (child.terms.quantity.get(), child.purpose, &child.state),
        (4 * 65, Purpose::Exit, &ChildState::Sending)
    );
}

#[test]
fn what_was_there_when_trading_resumed_is_of_before_to_a_new_life_too() {
    let mut old = Desk::new();
    let order = leader_order("L1", terms(BUY, 65), old.now);
    old.step(Event::Plan { order: Arc::clone(&order), decision: Decision::Await });
    let halt = Control::Halt { cause: HaltCause::Operator, cancel_working: false };
    old.step(Event::Control(halt));
    old.now = old.now.plus(SECOND);
    old.step(Event::Control(Control::Resume));
    let (mut desk, _) = old.restarted(Some(old.book.trading()));
    desk.now = desk.now.plus(SECOND);
    // A new life of the leader's stream sees it for the first time now.
    let order = Arc::new(LeaderOrder { ts_first_seen: desk.now, ..LeaderOrder::clone(&order) });
    let effects = desk.step(Event::Plan { order, decision: follow(terms(BUY, 65)) });
    assert_eq!((placements(&effects), desk.outcome("L1").0), (vec![], Outcome::Skipped));
}

#[test]
fn two_children_in_doubt_are_both_in_doubt_in_a_new_life() {
    let mut old = Desk::new();
    let order = leader_order("L1", terms(BUY, 4 * 65), old.now);
    let mut wish = wish(terms(BUY, 4 * 65));
    wish.instrument = Arc::new(Instrument {
        freeze_quantity: Some(Quantity::new(130)),
        ..Instrument::clone(&wish.instrument)
    });
    let effects = old.step(Event::Plan { order, decision: Decision::Follow(Box::new(wish)) });
    let mut sent = placements(&effects);
    sent.extend(placements(&old.passes(SECOND)));
    assert_eq!(sent.len(), 2);
    for placed in &sent {
        old.answer(&placed.client_order_id, Answer::Lost);
    }
    // Their rows say so already: nothing of them is stored again.
    let (desk, effects) = old.restarted(None);
    assert_eq!((stored(&effects), desk.book.unknown_count()), (vec![], 2));
}

/// The row of a rejection tells what was counted in the life that heard it.
#[test]
fn rejections_of_before_are_not_counted_again() {
    let mut old = Desk::with(|settings| {
        settings.risk.rejections_max = 3;
        settings.risk.on_rejections = OnBreach::Reduce;
    });
    let mut rows = Vec::new();
    for id in ["L1", "L2"] {
        let ours = old.sent(id, terms(BUY, 65));
        old.accepted(&ours, &format!("b-{id}"));
        let row = old.row(&ours, &format!("b-{id}"), BrokerStatus::Rejected, 0);
        old.step(Event::Report(Box::new(row.clone())));
        rows.push(row);
    }
    let (mut desk, _) = old.restarted(None);
    desk.reads(rows.clone());
    desk.reads(rows);
    assert_eq!(desk.book.trading().state, TradingState::Active);
    let ours = desk.sent("L3", terms(BUY, 65));
    desk.accepted(&ours, "b-L3");
    desk.shows(&ours, BrokerStatus::Rejected, 0);
    assert_eq!(desk.book.trading().state, TradingState::Reducing, "those in a row count on");
}

/// D23 once more: what was converted is neither converted a second time nor looked for where it was.
#[test]
fn a_conversion_is_known_in_a_new_life() {
    let mut desk = Desk::with(|settings| settings.risk.conversions = Conversions::Copy);
    let instrument = terms(BUY, 0).instrument;
    let leader = Conversion { instrument, from: Product::Intraday, to: Product::Margin, units: 130 };
    let copy = Conversion { units: 65, ..leader };
    desk.book.restore_conversions([Converted { leader, copy: Some(copy), at: desk.now }]);
    let line = &desk.book.lines[&instrument];
    assert_eq!((line.converted.len(), line.by_product[&Product::Margin]), (1, 65));
    let effects = desk.step(Event::NotConverted(copy));
    assert_eq!(stored_as(&[("converted", "0")]), stored(&effects));
}

#[test]
fn a_drift_freezes_its_instrument_in_a_new_life_from_the_first() {
    let mut desk = Desk::new();
    desk.book.restore_drifts([(terms(BUY, 0).instrument, -65)]);
    desk.plan("L1", terms(BUY, 65));
    assert_eq!(desk.outcome("L1").0, Outcome::Skipped);
}

#[test]
fn a_new_life_opens_nothing_before_it_has_read_its_order_book_and_positions() {
    for book_first in [true, false] {
        let mut desk = Desk::new().restarted_unread();
        assert_eq!(placements(&desk.plan("L1", terms(BUY, 65))), vec![]);
        let in_part = BookRead { started_at: desk.now, orders: vec![], complete: false };
        let mut effects = desk.step(Event::Book(in_part));
        for is_book in [book_first, !book_first] {
            assert_eq!((placements(&effects), desk.book.has_read_account()), (vec![], false));
            effects = if is_book { desk.reads(vec![]) } else { desk.reads_positions(0) };
        }
        assert_eq!((placements(&effects).len(), desk.book.has_read_account()), (1, true));
    }
}

#[test]
fn what_is_too_old_once_the_account_is_read_or_before_is_not_opened() {
    let mut desk = Desk::new().restarted_unread();
    let effects = desk.plan("L1", terms(BUY, 65));
    let woken = wake(&effects).unwrap();
    assert!(woken > desk.now.plus(ENTRY_AGE_MAX), "when it is too old for certain");
    desk.now = woken;
    assert_eq!(placements(&desk.step(Event::Tick)), vec![]);
    assert_eq!(desk.outcome("L1"), (Outcome::Skipped, Some(DeniedReason::StaleEntry)));
}

/// A life that knows by its rows of a lot that is held and of an entry that works, and has read nothing.
fn unread_with_copies() -> Desk {
    let mut old = Desk::new();
    old.holds(65);
    old.works("L1", terms(BUY, 65));
    old.restarted_unread()
}

#[test]
fn an_exit_waits_for_the_account_and_for_no_longer_than_a_doubt_may_last() {
    let mut desk = unread_with_copies();
    assert_eq!(placements(&desk.plan("X", terms(SELL, 65))), vec![], "the owner may have closed it by hand");
    assert_eq!(placements(&desk.passes((SETTLE * 2).saturating_sub(Duration::from_millis(1)))), vec![]);
    let placed = placements(&desk.passes(Duration::from_millis(1)));
    assert_eq!(placed.iter().map(|placed| placed.purpose).collect::<Vec<_>>(), [Purpose::Exit]);
    assert_eq!(placements(&desk.plan("L2", terms(BUY, 65))), vec![], "nothing is opened all the same");
}

#[test]
fn a_cancel_does_not_wait_for_the_account() {
    let mut desk = unread_with_copies();
    assert_eq!(changes(&desk.cancelled("L1", terms(BUY, 65), 0)), ["1 cancel"]);
}

#[test]
fn an_exit_of_what_the_owner_has_closed_by_hand_meanwhile_never_leaves() {
    let mut desk = unread_with_copies();
    desk.plan("X", terms(SELL, 65));
    let mut sold = manual("by-hand", terms(SELL, 65));
    (sold.status, sold.cumulative) = (BrokerStatus::Traded, Quantity::new(65));
    assert_eq!(placements(&desk.reads(vec![sold])), vec![]);
    assert_eq!(placements(&desk.reads_positions(0)), vec![]);
    assert_eq!(placements(&desk.passes(SETTLE * 2)), vec![]);
}
