//! The lost answer: nothing but evidence ends it (P3), and absence is evidence only by its rule (P4).

use super::*;

/// A desk that holds one lot, whose exit (or entry) `L1` was sent and not answered. The row of the held order is what
/// a healthy book must show.
fn lost(side: Side, answer: Answer) -> (Desk, ClientOrderId, OrderReport) {
    let mut desk = Desk::new();
    let known = desk.holds(65);
    let client_order_id = desk.sent("L1", terms(side, 65));
    let effects = desk.answer(&client_order_id, answer);
    assert_eq!(lookups(&effects), [(&client_order_id, Duration::ZERO)], "asked for at once");
    assert_eq!(stored(&effects), stored_as(&[("intent", "1 UNKNOWN")]));
    assert_eq!((desk.book.unknown_count(), desk.book.is_active()), (1, true));
    (desk, client_order_id, known)
}

#[test]
fn a_lookup_that_finds_it_adopts_it_and_nothing_is_placed_again() {
    let (mut desk, client_order_id, known) = lost(BUY, Answer::Lost);
    let found = desk.row(&client_order_id, "1", BrokerStatus::Pending, 0);
    let effects = desk.step(Event::Report(Box::new(found.clone())));
    assert_eq!(stored(&effects), stored_as(&[("intent", "1 ACKED"), ("order", "PENDING")]));
    assert_eq!(desk.child("L1").broker_order_id, Some(broker_id("1")));
    assert_eq!(desk.book.unknown_count(), 0);

    desk.now = desk.now.plus(SETTLE);
    for _ in 0..3 {
        let effects = desk.reads(vec![known.clone(), found.clone()]);
        assert_eq!((placements(&effects), alerts(&effects)), (vec![], vec![]));
        assert_eq!(placements(&desk.plan("L1", terms(BUY, 65))), vec![]);
    }
}

#[test]
fn the_book_adopts_it_as_well_whatever_became_of_it() {
    let table = [
        (BrokerStatus::Pending, 0, "working"),
        (BrokerStatus::PartTraded, 30, "working"),
        (BrokerStatus::Traded, 65, "filled"),
        (BrokerStatus::Rejected, 0, "rejected"),
        (BrokerStatus::Cancelled, 0, "cancelled"),
        (BrokerStatus::Expired, 0, "expired"),
        (BrokerStatus::Unknown("Vanished".into()), 0, "working"),
    ];
    for (status, filled, state) in table {
        let (mut desk, client_order_id, known) = lost(BUY, Answer::Lost);
        // Even an incomplete read proves that what it shows exists.
        let orders = vec![known, desk.row(&client_order_id, "1", status.clone(), filled)];
        desk.step(Event::Book(BookRead { started_at: desk.now, orders, complete: false }));
        assert_eq!(desk.child("L1").state.as_str(), state, "{status}");
        assert_eq!((desk.book.unknown_count(), desk.position()), (0, 65 + i64::from(filled)), "{status}");
    }
}

#[test]
fn a_lookup_that_finds_nothing_proves_nothing_and_asks_again_later_and_later() {
    let (mut desk, client_order_id, _) = lost(SELL, Answer::Lost);
    let delays: Vec<_> = (0..5)
        .map(|_| {
            let effects = desk.step(Event::NotFound(client_order_id.clone()));
            assert_eq!(placements(&effects), vec![]);
            lookups(&effects)[0].1.as_millis()
        })
        .collect();
    assert_eq!(delays, [100, 200, 400, 500, 500]);
    assert_eq!(desk.child("L1").state, ChildState::Unknown);

    // Once found, nobody asks any more.
    desk.step(Event::Report(Box::new(desk.row(&client_order_id, "1", BrokerStatus::Pending, 0))));
    assert_eq!(lookups(&desk.step(Event::NotFound(client_order_id))), []);
}

#[test]
fn time_alone_proves_nothing() {
    let (mut desk, ..) = lost(SELL, Answer::Lost);
    for _ in 0..50 {
        assert_eq!(placements(&desk.passes(Duration::from_mins(10))), vec![]);
    }
    assert_eq!(desk.child("L1").state, ChildState::Unknown);
}

/// A read of the book without the order in doubt, and what makes it prove nothing.
struct Flaw {
    name: &'static str,
    begun_after_sending: Duration,
    complete: bool,
    shows_known: bool,
    look_alike: Option<OrderTerms>,
}

const HEALTHY: Flaw =
    Flaw { name: "none", begun_after_sending: SETTLE, complete: true, shows_known: true, look_alike: None };

#[test]
fn absence_takes_two_complete_reads_that_began_late_enough_and_show_everything_else() {
    let table = [
        (HEALTHY, true),
        (Flaw { name: "early", begun_after_sending: Duration::from_millis(1_999), ..HEALTHY }, false),
        (Flaw { name: "incomplete", complete: false, ..HEALTHY }, false),
        (Flaw { name: "a known order missing", shows_known: false, ..HEALTHY }, false),
        (Flaw { name: "look-alike", look_alike: Some(terms(SELL, 65)), ..HEALTHY }, false),
        (Flaw { name: "other side", look_alike: Some(terms(BUY, 65)), ..HEALTHY }, true),
        (Flaw { name: "other quantity", look_alike: Some(terms(SELL, 130)), ..HEALTHY }, true),
    ];
    for (flaw, proves) in table {
        let (mut desk, _, known) = lost(SELL, Answer::Lost);
        let sent_at = desk.now;
        desk.now = sent_at.plus(SETTLE * 2);
        let mut read = || {
            let mut orders = Vec::new();
            orders.extend(flaw.shows_known.then(|| known.clone()));
            orders.extend(flaw.look_alike.clone().map(|terms| manual("by-hand", terms)));
            let started_at = sent_at.plus(flaw.begun_after_sending);
            desk.step(Event::Book(BookRead { started_at, orders, complete: flaw.complete }))
        };
        assert_eq!(placements(&read()), vec![], "one read never proves: {}", flaw.name);
        let placed = placements(&read());
        assert_eq!(placed.len(), usize::from(proves), "{}", flaw.name);
        // However often it is repeated, a flawed read stays flawed.
        let later: usize = (0..5).map(|_| placements(&read()).len()).sum();
        assert_eq!(later, 0, "{}", flaw.name);
    }
}

#[test]
fn a_look_alike_is_raised_once_and_keeps_the_doubt_for_good() {
    let (mut desk, client_order_id, known) = lost(SELL, Answer::Lost);
    let twin = manual("by-hand", terms(SELL, 65));
    // It was seen for the first time by a read too early to prove anything, yet after the order was sent.
    desk.now = desk.now.plus(SETTLE / 2);
    desk.reads(vec![known.clone(), twin.clone()]);
    desk.now = desk.now.plus(SETTLE);
    let mut raised = Vec::new();
    for _ in 0..4 {
        let effects = desk.reads(vec![known.clone(), twin.clone()]);
        raised.extend(alerts(&effects).into_iter().cloned());
        assert_eq!(placements(&effects), vec![]);
    }
    assert_eq!(raised, [Alert::LookAlike(client_order_id)]);
    assert_eq!(desk.child("L1").state, ChildState::Unknown);
}

#[test]
fn a_manual_order_that_stood_there_before_is_no_look_alike() {
    let mut desk = Desk::new();
    let (known, twin) = (desk.holds(65), manual("by-hand", terms(SELL, 65)));
    desk.reads(vec![known.clone(), twin.clone()]);
    desk.passes(SECOND);
    let client_order_id = desk.sent("L1", terms(SELL, 65));
    desk.answer(&client_order_id, Answer::Lost);
    desk.now = desk.now.plus(SETTLE);
    desk.reads(vec![known.clone(), twin.clone()]);
    assert_eq!(placements(&desk.reads(vec![known, twin])).len(), 1);
}

#[test]
fn a_look_alike_seen_at_the_moment_of_sending_may_be_ours() {
    let mut desk = Desk::new();
    let (known, twin) = (desk.holds(65), manual("untagged", terms(SELL, 65)));
    let client_order_id = desk.sent("L1", terms(SELL, 65));
    desk.reads(vec![known.clone(), twin.clone()]);
    desk.answer(&client_order_id, Answer::Lost);
    desk.now = desk.now.plus(SETTLE);
    for _ in 0..3 {
        assert_eq!(placements(&desk.reads(vec![known.clone(), twin.clone()])), vec![]);
    }
    assert_eq!(desk.book.unknown_count(), 1);
}

#[test]
fn an_absent_entry_is_given_up_and_an_absent_exit_planned_again() {
    let (mut desk, first, known) = lost(SELL, Answer::Lost);
    desk.now = desk.now.plus(SETTLE);
    desk.reads(vec![known.clone()]);
    let effects = desk.reads(vec![known.clone()]);
    let [placed] = &placements(&effects)[..] else { panic!("{effects:?}") };
    assert_ne!(placed.client_order_id, first);
    assert_eq!(placed.client_order_id, desk.child("L1").client_order_id);
    assert_eq!(desk.child("L1").key.attempt, 2);
    assert_eq!(
        stored(&effects)[..3],
        stored_as(&[("mapping", "sent"), ("intent", "1 ABSENT"), ("intent", "2 PLANNED")]),
        "the end of one attempt and the beginning of the next are one commit"
    );

    let (mut desk, _, known) = lost(BUY, Answer::Lost);
    desk.now = desk.now.plus(SETTLE);
    desk.reads(vec![known.clone()]);
    let effects = desk.reads(vec![known]);
    assert_eq!(
        stored(&effects),
        stored_as(&[
            ("mapping", "voided proven_absent"),
            ("intent", "1 ABSENT"),
            ("gap", "follower_absent -65 reported")
        ])
    );
    assert_eq!((placements(&effects), desk.book.unknown_count()), (vec![], 0));
}

#[test]
fn an_entry_the_broker_was_too_busy_for_goes_again_while_it_is_young() {
    for (waited, goes) in [(SETTLE, true), (ENTRY_AGE_MAX + SECOND, false)] {
        let (mut desk, _, known) = lost(BUY, Answer::Busy);
        desk.now = desk.now.plus(waited);
        desk.reads(vec![known.clone()]);
        let placed = placements(&desk.reads(vec![known]));
        assert_eq!(placed.len(), usize::from(goes), "after {waited:?}");
        let expected =
            if goes { (Outcome::Sent, None) } else { (Outcome::Voided, Some(DeniedReason::ProvenAbsent)) };
        assert_eq!(desk.outcome("L1"), expected, "after {waited:?}");
    }
}

#[test]
fn an_order_that_appears_after_its_absence_was_proven_is_adopted_and_raised() {
    let (mut desk, client_order_id, known) = lost(BUY, Answer::Lost);
    desk.now = desk.now.plus(SETTLE);
    desk.reads(vec![known.clone()]);
    desk.reads(vec![known.clone()]);
    assert_eq!(desk.outcome("L1").0, Outcome::Voided);

    let late = desk.row(&client_order_id, "1", BrokerStatus::PartTraded, 30);
    let effects = desk.reads(vec![known.clone(), late.clone()]);
    assert_eq!(alerts(&effects), [&Alert::AppearedLate(client_order_id)]);
    assert_eq!(
        stored(&effects),
        stored_as(&[("mapping", "sent"), ("intent", "1 ACKED"), ("order", "PART_TRADED")])
    );
    assert_eq!((desk.position(), desk.book.is_active()), (95, true));
    assert_eq!(alerts(&desk.reads(vec![known, late])), Vec::<&Alert>::new());
}

#[test]
fn a_late_first_attempt_keeps_a_waiting_second_from_going() {
    let (mut desk, first, known) = lost(SELL, Answer::Lost);
    desk.now = desk.now.plus(SETTLE);
    desk.reads(vec![known.clone()]);
    // The second attempt is planned while the line is held, so that it must wait.
    desk.book.pacer.pause(desk.now.plus(SECOND));
    assert_eq!(placements(&desk.reads(vec![known.clone()])), vec![]);
    assert_eq!(desk.child("L1").key.attempt, 2);

    let late = desk.row(&first, "1", BrokerStatus::Pending, 0);
    let effects = desk.reads(vec![known.clone(), late]);
    assert_eq!(alerts(&effects), [&Alert::AppearedLate(first.clone())]);
    assert_eq!(
        stored(&effects),
        stored_as(&[
            ("mapping", "sent"),
            ("intent", "2 VOIDED"),
            ("intent", "1 ACKED"),
            ("order", "PENDING")
        ])
    );
    assert_eq!(placements(&desk.passes(SECOND * 2)), vec![]);

    let filled = desk.row(&first, "1", BrokerStatus::Traded, 65);
    let effects = desk.reads(vec![known, filled]);
    assert_eq!(stored(&effects), stored_as(&[("mapping", "sent"), ("order", "TRADED")]));
    assert_eq!((desk.position(), desk.book.is_active()), (0, false));
}

#[test]
fn a_late_first_attempt_is_told_apart_from_the_second_on_the_wire() {
    let (mut desk, first, known) = lost(SELL, Answer::Lost);
    desk.now = desk.now.plus(SETTLE);
    desk.reads(vec![known.clone()]);
    let placed = placements(&desk.reads(vec![known]));
    let second = placed[0].client_order_id.clone();

    let late = desk.row(&first, "1", BrokerStatus::Traded, 65);
    let effects = desk.step(Event::Report(Box::new(late)));
    assert_eq!(alerts(&effects), [&Alert::AppearedLate(first)]);
    assert_eq!(desk.child("L1").state, ChildState::Sending, "the second is still on its way");
    desk.accepted(&second, "2");
    desk.step(Event::Report(Box::new(desk.row(&second, "2", BrokerStatus::Traded, 65))));
    assert_eq!(desk.position(), -65, "both fills count, each once: the excess is real and visible");
}

#[test]
fn orders_of_others_are_left_alone_and_a_lost_record_of_ours_is_raised_once() {
    let mut desk = Desk::new();
    let ours = OrderReport { tag: Tag::from_wire("tdm-nobodyknowsthisone"), ..manual("1", terms(BUY, 65)) };
    let others = OrderReport { tag: Tag::from_wire("someone-else"), ..manual("2", terms(BUY, 65)) };
    let effects = desk.reads(vec![ours.clone(), others.clone(), manual("3", terms(BUY, 65))]);
    assert_eq!(alerts(&effects), [&Alert::Unrecorded(broker_id("1"))]);
    let recorded = ("external", "PENDING".to_owned());
    assert_eq!(stored(&effects), vec![recorded; 3]);
    let effects = desk.reads(vec![ours.clone(), others]);
    assert_eq!((alerts(&effects), stored(&effects)), (vec![], vec![]), "once");
    let filled = OrderReport { status: BrokerStatus::Traded, cumulative: Quantity::new(65), ..ours };
    assert_eq!(stored(&desk.reads(vec![filled])), stored_as(&[("external", "TRADED")]));
    assert_eq!(desk.position(), 0, "what others trade is no copy");
}

#[test]
fn the_time_to_settle_counts_from_the_loss_of_the_answer() {
    let mut desk = Desk::new();
    let known = desk.holds(65);
    let ours = desk.sent("L1", terms(SELL, 65));
    // The commit and the request took longer than the broker's book may take.
    desk.passes(SETTLE * 2);
    desk.answer(&ours, Answer::Lost);
    desk.now = desk.now.plus(SETTLE).minus(Duration::from_millis(1));
    for _ in 0..2 {
        desk.reads(vec![known.clone()]);
        assert_eq!(desk.child("L1").state, ChildState::Unknown, "it may have left just before");
    }
    desk.now = desk.now.plus(Duration::from_millis(1));
    desk.reads(vec![known.clone()]);
    desk.reads(vec![known]);
    assert_eq!(desk.book.mirror(&broker_id("L1")).unwrap().children[0].state, ChildState::Absent);
}

#[test]
fn the_time_of_a_change_to_settle_counts_from_its_answer() {
    for answer in [Answer::Accepted(broker_id("b-L1")), Answer::Lost] {
        let mut desk = Desk::new();
        let ours = desk.works("L1", terms(BUY, 65));
        let row = desk.row(&ours, "b-L1", BrokerStatus::Pending, 0);
        desk.passes(SECOND);
        desk.plan("L1", terms(BUY, 130));
        desk.passes(SETTLE * 2);
        desk.answer_to(&ours, 1, answer);
        desk.now = desk.now.plus(SETTLE).minus(Duration::from_millis(1));
        desk.reads(vec![row.clone()]);
        assert!(desk.child("L1").request.is_some(), "it may have left just before");
        desk.now = desk.now.plus(Duration::from_millis(1));
        let effects = desk.reads(vec![row]);
        assert_eq!(changes(&effects), ["2 modify to 130 at 100.00"], "it came to nothing");
    }
}

/// Nobody knows what came of an order, and the broker's book does not even show another, so that it proves nothing.
fn doubted(side: Side) -> (Desk, ClientOrderId, OrderReport) {
    let (mut desk, ours, known) = lost(side, Answer::Lost);
    let effects = desk.passes((SETTLE * 2).saturating_sub(Duration::from_millis(1)));
    assert_eq!((alerts(&effects), wake(&effects)), (vec![], Some(desk.now.plus(Duration::from_millis(1)))));
    let effects = desk.passes(Duration::from_millis(1));
    assert_eq!(alerts(&effects), [&in_doubt()]);
    assert_eq!(alerts(&desk.passes(SECOND)), Vec::<&Alert>::new(), "told once");
    (desk, ours, known)
}

fn in_doubt() -> Alert {
    Alert::OutcomeUnknown(terms(BUY, 0).instrument)
}

fn ends(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Over(over) if *over == in_doubt())).count()
}

#[test]
fn what_is_in_doubt_for_long_opens_nothing_more_in_its_instrument_and_is_told() {
    for side in [BUY, SELL] {
        let (mut desk, ..) = doubted(side);
        assert_eq!(placements(&desk.plan("L2", terms(BUY, 65))), vec![]);
        assert_eq!(desk.outcome("L2"), (Outcome::Skipped, Some(DeniedReason::OutcomeUnknown)));
        let other = InstrumentKey { security_id: SecurityId(1), ..terms(BUY, 65).instrument };
        let elsewhere = OrderTerms { instrument: other, ..terms(BUY, 65) };
        assert_eq!(placements(&desk.plan("L3", elsewhere)).len(), 1, "elsewhere everything goes");
    }
}

#[test]
fn a_doubt_that_is_young_keeps_nothing_back() {
    let (mut desk, ..) = lost(BUY, Answer::Lost);
    desk.passes(SETTLE);
    assert_eq!(placements(&desk.plan("L2", terms(BUY, 65))).len(), 1);
}

#[test]
fn what_closes_and_what_cancels_passes_a_doubt() {
    let mut desk = Desk::new();
    desk.holds(65);
    desk.works("L9", terms(BUY, 65));
    let lost = desk.sent("L1", terms(BUY, 65));
    desk.answer(&lost, Answer::Lost);
    assert_eq!(alerts(&desk.passes(SETTLE * 2)), [&in_doubt()]);
    let sold = placements(&desk.plan("X", terms(SELL, 65)));
    assert_eq!(sold.iter().map(|placed| placed.purpose).collect::<Vec<_>>(), [Purpose::Exit]);
    assert_eq!(changes(&desk.cancelled("L9", terms(BUY, 65), 0)), ["1 cancel"]);
}

#[test]
fn what_was_let_through_before_a_doubt_and_still_waits_is_given_up_with_it() {
    let (mut desk, ours, _) = lost(BUY, Answer::Lost);
    desk.works("L3", terms(BUY, 65));
    desk.book.pacer.pause(desk.now.plus(SETTLE * 3));
    desk.plan("L2", terms(BUY, 65));
    desk.plan("L3", terms(BUY, 130));
    assert_eq!(desk.book.waiting_count(), 2);
    let effects = desk.passes(SETTLE * 2);
    assert_eq!((alerts(&effects), desk.book.waiting_count()), (vec![&in_doubt()], 0));
    assert_eq!(desk.outcome("L2"), (Outcome::Skipped, Some(DeniedReason::OutcomeUnknown)));
    desk.shows_first(&ours);
    assert_eq!(requests(&desk.passes(SETTLE)), vec![], "what was given up stays so");
}

#[test]
fn a_doubt_ends_once_nothing_in_its_instrument_is_in_doubt() {
    // Found at last.
    let (mut desk, ours, _) = doubted(BUY);
    let effects = desk.shows_first(&ours);
    assert_eq!((ends(&effects), alerts(&effects)), (1, vec![]));
    assert_eq!(placements(&desk.plan("L2", terms(BUY, 65))).len(), 1);
    assert_eq!(ends(&desk.passes(SECOND)), 0, "once");

    // Proven absent at last.
    let (mut desk, _, known) = doubted(BUY);
    desk.reads(vec![known.clone()]);
    assert_eq!(ends(&desk.reads(vec![known])), 1);
    assert_eq!(placements(&desk.plan("L2", terms(BUY, 65))).len(), 1);

    // One is found, and another is in doubt still.
    let (mut desk, first, _) = lost(BUY, Answer::Lost);
    let second = desk.sent("L2", terms(BUY, 65));
    desk.answer(&second, Answer::Lost);
    assert_eq!(alerts(&desk.passes(SETTLE * 2)), [&in_doubt()], "one instrument, one incident");
    assert_eq!(ends(&desk.shows_first(&first)), 0);
    let late = desk.row(&second, "2", BrokerStatus::Pending, 0);
    assert_eq!(ends(&desk.step(Event::Report(Box::new(late)))), 1);
}

#[test]
fn a_new_life_keeps_what_was_in_doubt_for_long_frozen_and_tells_it_again() {
    let (old, ours, _) = doubted(BUY);
    let (mut desk, effects) = old.restarted(None);
    assert_eq!(alerts(&effects), Vec::<&Alert>::new(), "it may be found at once");
    assert_eq!(placements(&desk.plan("L2", terms(BUY, 65))), vec![]);
    assert_eq!(desk.outcome("L2"), (Outcome::Waiting, None), "this life has not asked yet");
    assert_eq!(alerts(&desk.passes(SETTLE * 2)), [&in_doubt()]);
    assert_eq!(desk.outcome("L2"), (Outcome::Skipped, Some(DeniedReason::OutcomeUnknown)));
    assert_eq!(ends(&desk.shows_first(&ours)), 1);

    // Found before it is told: what the life before told is over, and nobody missed anything by it.
    let (mut desk, _) = old.restarted(None);
    assert_eq!(placements(&desk.plan("L2", terms(BUY, 65))), vec![]);
    let effects = desk.shows_first(&ours);
    assert_eq!((ends(&effects), placements(&effects).len()), (1, 1));
}

#[test]
fn what_is_opened_beside_an_inherited_doubt_waits_for_its_end() {
    let (old, ours, _) = lost(BUY, Answer::Lost);
    let (mut desk, _) = old.restarted(None);
    assert_eq!(placements(&desk.plan("L2", terms(BUY, 65))), vec![]);
    assert_eq!(placements(&desk.shows_first(&ours)).len(), 1);
}
