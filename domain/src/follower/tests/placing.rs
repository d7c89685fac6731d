//! From the leader's order to one durable placement, or to one reason why not.

use std::collections::HashSet;

use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::mirror::REPAIR;

#[test]
fn what_may_go_at_once_is_durable_with_its_event_in_one_commit() {
    let mut desk = Desk::new();
    let effects = desk.plan("L1", terms(BUY, 65));
    let [Effect::Commit { records, then: Some(_) }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(
        stored(&effects),
        stored_as(&[("event", "PENDING"), ("mapping", "sent"), ("intent", "1 SENDING")])
    );
    let Record::Intent { child, before: None, .. } = &records[2] else { panic!("{records:?}") };
    let placement = &placements(&effects)[0];
    assert_eq!((&placement.client_order_id, &placement.terms), (&child.client_order_id, &child.terms));
    assert_eq!(placement.client_order_id, ClientOrderId::derive(&child.key));
    assert_eq!(child.ts_sent, Some(desk.now));
    let Record::Mapping { state, sizing, .. } = &records[1] else { panic!("{records:?}") };
    assert_eq!((state.target.get(), state.copied.get(), sizing.is_some()), (65, 65, true));
}

#[test]
fn an_order_the_exchange_has_not_taken_waits_for_that() {
    let mut desk = Desk::new();
    let order = leader_order("L1", terms(BUY, 65), desk.now);
    let effects = desk.step(Event::Plan { order, decision: Decision::Await });
    assert_eq!(stored(&effects), stored_as(&[("event", "PENDING"), ("mapping", "awaiting_leader")]));
    assert_eq!(placements(&effects), vec![]);
    assert_eq!(placements(&desk.plan("L1", terms(BUY, 65))).len(), 1);
}

#[test]
fn a_denied_order_is_stored_with_its_reason_and_stays_denied() {
    let mut desk = Desk::new();
    let order = leader_order("L1", terms(BUY, 65), desk.now);
    let effects = desk.step(Event::Plan { order, decision: Decision::Deny(DeniedReason::NotOption) });
    assert_eq!(stored(&effects), stored_as(&[("event", "PENDING"), ("mapping", "skipped not_option")]));
    assert_eq!(placements(&desk.plan("L1", terms(BUY, 65))), vec![]);
    assert_eq!(desk.outcome("L1"), (Outcome::Skipped, Some(DeniedReason::NotOption)));
}

#[test]
fn what_no_order_of_the_broker_can_copy_is_told_to_a_person_once() {
    let mut desk = Desk::new();
    let deny = |desk: &mut Desk, reason| {
        let order = leader_order("L1", terms(BUY, 65), desk.now);
        desk.step(Event::Plan { order, decision: Decision::Deny(reason) })
    };
    let effects = deny(&mut desk, DeniedReason::UnsupportedOrderType);
    let told = |effects: &[Effect]| {
        effects.iter().filter(|effect| matches!(effect, Effect::Alert(Alert::NoEquivalent(..)))).count()
    };
    assert_eq!(told(&effects), 1);
    let again = deny(&mut desk, DeniedReason::UnsupportedOrderType);
    assert_eq!(told(&again), 0);
}

#[test]
fn a_change_waits_for_the_answer_and_restates_the_whole_order() {
    let mut desk = Desk::new();
    let client_order_id = desk.sent("L1", terms(BUY, 130));
    let dearer = |paise: u32| OrderTerms { price: Price::from_paise(paise), ..terms(BUY, 130) };
    assert_eq!(
        requests(&desk.plan("L1", dearer(10_100))),
        vec![],
        "nothing can be changed before it is there"
    );
    assert_eq!(requests(&desk.plan("L1", dearer(10_200))), vec![]);
    let effects = desk.accepted(&client_order_id, "1");
    assert_eq!(changes(&effects), ["1 modify to 130 at 102.00"], "many changes become one");
    assert!(stored(&effects).contains(&("change", "1 SENDING".to_owned())), "durable before the wire (P1)");
    assert_eq!(desk.child("L1").terms, terms(BUY, 130), "until it is taken the order is as it was");

    let effects = desk.answer_to(&client_order_id, 1, Answer::Accepted(broker_id("1")));
    assert_eq!(stored(&effects), stored_as(&[("change", "1 ACKED"), ("order", "TRANSIT")]));
    assert_eq!(desk.child("L1").terms, dearer(10_200));
    let effects = desk.plan("L1", dearer(10_200));
    assert_eq!((requests(&effects), alerts(&effects)), (vec![], vec![]));
}

#[test]
fn a_cancel_follows_the_answer_and_is_pursued_until_proven() {
    let mut desk = Desk::new();
    let client_order_id = desk.sent("L1", terms(BUY, 130));
    assert_eq!(requests(&desk.cancelled("L1", terms(BUY, 130), 0)), vec![]);
    let effects = desk.accepted(&client_order_id, "1");
    assert_eq!(changes(&effects), ["1 cancel"]);
    // Refused, or not sent: asked for again each time.
    let in_transit = Answer::Refused(Refused::InTransit, "in transit".into());
    for (serial, answer) in [(1, in_transit), (2, Answer::NotSent)] {
        assert_eq!(requests(&desk.answer_to(&client_order_id, serial, answer)), vec![]);
        assert_eq!(changes(&desk.passes(SECOND * 2)), [format!("{} cancel", serial + 1)]);
    }
    // Nothing known of it: a book that still shows the order, read late enough, proves that it had no effect.
    let resting = desk.row(&client_order_id, "1", BrokerStatus::Pending, 0);
    for (serial, answer) in [(3, Answer::Lost), (4, Answer::Busy)] {
        let effects = desk.answer_to(&client_order_id, serial, answer);
        assert!(stored(&effects).contains(&("change", format!("{serial} UNKNOWN"))), "{effects:?}");
        assert_eq!(changes(&desk.reads(vec![resting.clone()])), Vec::<String>::new());
        desk.now = desk.now.plus(SETTLE);
        let effects = desk.reads(vec![resting.clone()]);
        assert!(stored(&effects).contains(&("change", format!("{serial} ABSENT"))), "{effects:?}");
        assert_eq!(changes(&effects), [format!("{} cancel", serial + 1)]);
    }
    desk.answer_to(&client_order_id, 5, Answer::Accepted(broker_id("1")));
    let gone = desk.row(&client_order_id, "1", BrokerStatus::Cancelled, 65);
    let effects = desk.reads(vec![gone]);
    assert_eq!((desk.child("L1").key.leg, desk.position()), (REPAIR, 65));
    let repair = &placements(&effects)[0].terms;
    assert_eq!((repair.side, repair.quantity.get(), repair.order_type), (SELL, 65, OrderType::Market));
}

#[test]
fn a_change_the_broker_was_too_busy_for_and_made_all_the_same_is_nobodys_hand() {
    let mut desk = Desk::new();
    let client_order_id = desk.sent("L1", terms(BUY, 65));
    desk.accepted(&client_order_id, "1");
    assert_eq!(changes(&desk.plan("L1", terms(BUY, 130))), ["1 modify to 130 at 100.00"]);
    desk.answer_to(&client_order_id, 1, Answer::Busy);
    let row = desk.row(&client_order_id, "1", BrokerStatus::Traded, 130);
    let effects = desk.reads(vec![OrderReport { terms: terms(BUY, 130), ..row }]);
    assert_eq!(alerts(&effects), Vec::<&Alert>::new());
    assert_eq!((desk.outcome("L1").0, desk.position()), (Outcome::Sent, 130));
}

#[test]
fn what_denies_entries_and_what_denies_exits() {
    let stale = || Event::Tick;
    let table: [(&str, Event, Option<DeniedReason>, Option<DeniedReason>); 3] = [
        ("nothing", Event::Tick, None, None),
        ("breaker", Event::Breaker { open: true }, Some(DeniedReason::BreakerOpen), None),
        ("age", stale(), Some(DeniedReason::StaleEntry), None),
    ];
    for (what, event, entry, exit) in table {
        let mut desk = Desk::new();
        desk.holds(65);
        desk.step(event);
        let since = if what == "age" { desk.now.minus(ENTRY_AGE_MAX + SECOND) } else { desk.now };
        for (id, side, expected) in [("entry", BUY, entry), ("exit", SELL, exit)] {
            let order = leader_order(id, terms(side, 65), since);
            let effects = desk.step(Event::Plan { order, decision: follow(terms(side, 65)) });
            let outcome = expected.map_or(Outcome::Sent, |_| Outcome::Skipped);
            assert_eq!(desk.outcome(id), (outcome, expected), "{what}: {id}");
            assert_eq!(placements(&effects).len(), usize::from(expected.is_none()), "{what}: {id}");
        }
    }
}

#[test]
fn a_halted_account_denies_entries_and_keeps_exits_until_it_is_back() {
    let mut desk = Desk::new();
    desk.holds(65);
    desk.step(Event::Credentials { refused: true });
    assert_eq!(placements(&desk.plan("entry", terms(BUY, 65))), vec![]);
    assert_eq!(desk.outcome("entry"), (Outcome::Skipped, Some(DeniedReason::AccountHalted)));
    assert_eq!(placements(&desk.plan("exit", terms(SELL, 65))), vec![]);
    assert_eq!(desk.outcome("exit"), (Outcome::Waiting, None));
    assert_eq!(placements(&desk.step(Event::Credentials { refused: false })).len(), 1);
    assert_eq!(desk.outcome("exit"), (Outcome::Sent, None));
}

#[test]
fn a_stopping_process_records_and_sends_nothing() {
    let mut desk = Desk::new();
    desk.holds(65);
    desk.step(Event::Stop);
    for (id, side) in [("entry", BUY), ("exit", SELL)] {
        let effects = desk.plan(id, terms(side, 65));
        assert_eq!(placements(&effects), vec![], "{id}");
        assert!(stored(&effects).contains(&("intent", "1 PLANNED".to_owned())), "{effects:?}");
        assert_eq!(desk.outcome(id), (Outcome::Waiting, None), "{id}");
    }
    assert_eq!(desk.book.unsettled_count(), 0, "what is on record does not hold the end up");
}

#[test]
fn what_is_mended_lets_entries_pass_again() {
    for (broken, mended) in [
        (Event::Breaker { open: true }, Event::Breaker { open: false }),
        (Event::Credentials { refused: true }, Event::Credentials { refused: false }),
    ] {
        let mut desk = Desk::new();
        desk.step(broken);
        assert_eq!(placements(&desk.plan("L1", terms(BUY, 65))), vec![]);
        desk.step(mended);
        assert_eq!(placements(&desk.plan("L2", terms(BUY, 65))).len(), 1);
        assert_eq!(placements(&desk.plan("L1", terms(BUY, 65))), vec![], "skipped stays skipped");
    }
}

#[test]
fn a_halted_account_is_raised_once() {
    let mut desk = Desk::new();
    let effects = desk.step(Event::Credentials { refused: true });
    assert_eq!((alerts(&effects), desk.book.is_halted()), (vec![&Alert::AccountHalted], true));
    assert_eq!(alerts(&desk.step(Event::Credentials { refused: true })), Vec::<&Alert>::new());
}

#[test]
fn a_refusal_ends_the_attempt_with_its_words() {
    let mut desk = Desk::new();
    let client_order_id = desk.sent("L1", terms(BUY, 65));
    let effects = desk.answer(&client_order_id, Answer::Refused(Refused::Other, "margin shortfall".into()));
    assert_eq!(
        stored(&effects),
        stored_as(&[("mapping", "sent"), ("intent", "1 REFUSED"), ("gap", "follower_refused -65 reported")])
    );
    assert_eq!(desk.child("L1").reason.as_deref(), Some("margin shortfall"));
    assert_eq!(placements(&desk.plan("L1", terms(BUY, 65))), vec![]);
}

#[test]
fn a_request_that_never_left_waits_a_little_and_goes_again_under_its_own_id() {
    let mut desk = Desk::new();
    let client_order_id = desk.sent("L1", terms(BUY, 65));
    let effects = desk.answer(&client_order_id, Answer::NotSent);
    assert_eq!(stored(&effects), stored_as(&[("mapping", "sent"), ("intent", "1 NOT_SENT")]));
    assert_eq!((placements(&effects), wake(&effects)), (vec![], Some(desk.now.plus(RESEND_DELAY))));

    // News of the leader's order does not shorten the wait.
    assert_eq!(placements(&desk.plan("L1", terms(BUY, 65))), vec![]);

    let again = placements(&desk.passes(RESEND_DELAY));
    assert_eq!(again.iter().map(|order| &order.client_order_id).collect::<Vec<_>>(), [&client_order_id]);
}

#[test]
fn a_request_that_never_left_is_given_up_once_it_is_too_old() {
    let mut desk = Desk::new();
    let client_order_id = desk.sent("L1", terms(BUY, 65));
    desk.answer(&client_order_id, Answer::NotSent);
    assert_eq!(placements(&desk.passes(ENTRY_AGE_MAX + SECOND)), vec![]);
    assert_eq!(desk.outcome("L1"), (Outcome::Voided, Some(DeniedReason::StaleEntry)));
}

#[test]
fn a_doubled_answer_to_an_earlier_sending_is_no_answer_to_the_next() {
    let mut desk = Desk::new();
    desk.holds(65);
    let first = desk.sent("exit", terms(SELL, 65));
    desk.answer(&first, Answer::Lost);
    desk.now = desk.now.plus(SETTLE);
    let known = desk.row(&desk.child("held").client_order_id.clone(), "held-1", BrokerStatus::Traded, 65);
    desk.reads(vec![known.clone()]);
    let second = placements(&desk.reads(vec![known]));
    assert_eq!(second.len(), 1);
    assert_eq!(placements(&desk.answer(&first, Answer::NotSent)), vec![]);
    assert_eq!(placements(&desk.passes(SECOND)), vec![], "the second is still on its way");
}

#[test]
fn an_entry_that_came_to_less_than_a_lot_is_not_planned_again_at_each_event() {
    let mut desk = Desk::new();
    let first = placements(&desk.executed("A", terms(BUY, 65)))[0].client_order_id.clone();
    desk.book.pacer.pause(desk.now.plus(SECOND * 10));
    for id in ["B", "D"] {
        desk.passes(SECOND);
        desk.executed(id, terms(BUY, 65));
    }
    desk.passes(SECOND);
    desk.executed("S", terms(SELL, 65));
    // Two lots of three are kept: the middle one gives way.
    let given_up = (Outcome::Voided, Some(DeniedReason::BelowOneLot));
    assert_eq!(desk.outcome("B"), given_up);
    desk.accepted(&first, "b-A");
    desk.shows(&first, BrokerStatus::Pending, 0);
    desk.plan("N", terms(BUY, 65));
    desk.cancelled("N", terms(BUY, 65), 0);
    desk.shows(&first, BrokerStatus::Traded, 65);
    let effects = desk.passes(SECOND * 10);
    assert_eq!(placements(&effects).len(), 1, "D's");
    assert_eq!(desk.outcome("B"), given_up);
    assert_eq!(desk.book.mirror(&broker_id("B")).unwrap().children.len(), 1);
}

/// An order took up what another left over, which then did not fill. The next gives that back, and all of it, though he has
/// closed a part of what was too much: a follower is two lots short of perfect copying, which would hold 3.6.
#[test]
fn what_was_taken_up_of_an_order_that_did_not_fill_is_given_back_whole() {
    let mut desk = Desk::with(|settings| settings.sizing.fixed_ratio = Ratio::new(2, 5).unwrap());
    desk.plan("A", terms(BUY, 130));
    let first = desk.works("B", terms(BUY, 520));
    assert_eq!(desk.child("B").terms.quantity.get(), 260, "3.2 lots, and 0.8");
    desk.cancelled("A", terms(BUY, 130), 0);
    desk.leader_fills("B", 520);
    desk.shows(&first, BrokerStatus::Traded, 260);
    let exit = placed(&desk.executed("X", terms(SELL, 325)));
    assert_eq!(exit.terms.quantity.get(), 195, "of 1.5 a lot stays");
    desk.accepted(&exit.client_order_id, "b-X");
    desk.shows(&exit.client_order_id, BrokerStatus::Traded, 195);
    assert_eq!(placed(&desk.plan("C", terms(BUY, 390))).terms.quantity.get(), 65, "2.4 lots, less 0.8");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn repeated_and_permuted_news_places_each_order_once(
        picks in prop::collection::vec((0usize..3, any::<bool>()), 1..40)
    ) {
        let mut desk = Desk::new();
        let mut placed = Vec::new();
        for (which, answers) in &picks {
            let effects = desk.plan(["L1", "L2", "L3"][*which], terms(BUY, 65));
            let first = stored(&effects).first().map(|(kind, _)| *kind);
            prop_assert!(matches!(first, Some("event") | None), "an event is stored, unless it is already");
            for placement in placements(&effects) {
                if *answers {
                    desk.accepted(&placement.client_order_id, placement.client_order_id.as_str());
                }
                placed.push(placement.client_order_id);
            }
        }
        let distinct: HashSet<_> = placed.iter().collect();
        let seen: HashSet<_> = picks.iter().map(|(which, _)| which).collect();
        prop_assert_eq!(placed.len(), distinct.len());
        prop_assert_eq!(placed.len(), seen.len());
        prop_assert!(desk.book.outcomes().all(|(_, outcome, _)| outcome == Outcome::Sent));
    }
}
