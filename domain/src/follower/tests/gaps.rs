//! What the leader did while nobody heard of him (P13, scenario F5): entries that executed then are too old, of exits the
//! net counts, and what works still is caught up with.

use super::*;
use crate::flaw::{Flaw, with_flaw};

const HOURS: Duration = Duration::from_hours(2);

/// The leader's order, placed so long ago, as the first read after the gap shows it.
fn found(desk: &Desk, id: &str, wanted: OrderTerms, executed: u32) -> Event {
    let placed = desk.now.minus(HOURS / 2);
    let executed = Quantity::new(executed);
    let is_over = executed == wanted.quantity;
    let order = LeaderOrder {
        status: if is_over { BrokerStatus::Traded } else { BrokerStatus::Pending },
        cumulative: executed,
        ts_first_seen: desk.now,
        ..LeaderOrder::clone(&leader_order(id, wanted.clone(), placed))
    };
    let decision = Decision::Follow(Box::new(Wish { executed, ..wish(wanted) }));
    Event::Plan { order: Arc::new(order), decision }
}

/// Reads the leader's books after a gap: orders by side, asked and executed units.
fn reads_again(desk: &mut Desk, orders: &[(&str, Side, u32, u32)]) -> Vec<Effect> {
    desk.now = desk.now.plus(HOURS);
    let mut effects = desk.step(Event::Together(true));
    for (id, side, asked, executed) in orders {
        let event = found(desk, id, terms(*side, *asked), *executed);
        effects.extend(desk.step(event));
    }
    effects.extend(desk.step(Event::Together(false)));
    effects
}

fn placed(effects: &[Effect]) -> Vec<(Side, u32, Purpose)> {
    let placements = placements(effects);
    placements.iter().map(|order| (order.terms.side, order.terms.quantity.get(), order.purpose)).collect()
}

#[test]
fn a_round_trip_while_nobody_heard_does_nothing() {
    for (first, then) in [(BUY, SELL), (SELL, BUY)] {
        let mut desk = Desk::new();
        desk.holds(650);
        let effects = reads_again(&mut desk, &[("R1", first, 650, 650), ("R2", then, 650, 650)]);
        assert_eq!(placed(&effects), []);
        assert_eq!(placed(&desk.passes(SECOND * 60)), []);
        assert_eq!(desk.outcome("R1"), (Outcome::Skipped, Some(DeniedReason::RoundTripMissed)));
        assert_eq!(desk.outcome("R2"), (Outcome::Skipped, Some(DeniedReason::RoundTripMissed)));
        // What he closes from then on is closed as ever.
        assert_eq!(placed(&desk.plan("X", terms(SELL, 650))), [(SELL, 650, Purpose::Exit)]);
    }
}

#[test]
fn a_copy_that_replays_round_trips_is_noticed() {
    let effects = with_flaw(Flaw::RoundTripsReplayed, || {
        let mut desk = Desk::new();
        desk.holds(650);
        reads_again(&mut desk, &[("R1", SELL, 650, 650), ("R2", BUY, 650, 650)])
    });
    assert_ne!(placed(&effects), []);
}

#[test]
fn a_net_reduction_is_closed_and_an_executed_entry_is_too_old() {
    let mut desk = Desk::new();
    desk.holds(650);
    let effects = reads_again(&mut desk, &[("R1", SELL, 390, 390)]);
    assert_eq!(placed(&effects), [(SELL, 390, Purpose::Exit)]);

    let mut desk = Desk::new();
    let effects = reads_again(&mut desk, &[("R1", BUY, 390, 390)]);
    assert_eq!(placed(&effects), []);
    assert_eq!(desk.outcome("R1"), (Outcome::Skipped, Some(DeniedReason::StaleEntry)));
}

#[test]
fn what_works_still_is_caught_up_with_for_what_is_left_of_it() {
    let mut desk = Desk::new();
    let effects = reads_again(&mut desk, &[("R1", BUY, 650, 260), ("R2", BUY, 130, 0)]);
    assert_eq!(placed(&effects), [(BUY, 390, Purpose::Entry), (BUY, 130, Purpose::Entry)]);
}

/// Of what executed while nobody listened only the last moment is told: most of it may have been long before.
#[test]
fn what_rested_for_long_is_as_old_as_its_placing_once_it_is_over() {
    let mut desk = Desk::new();
    desk.now = desk.now.plus(HOURS);
    let Event::Plan { order, decision } = found(&desk, "L", terms(BUY, 130), 130) else { panic!("a plan") };
    let order = Arc::new(LeaderOrder { ts_event: desk.now, ..LeaderOrder::clone(&order) });
    assert_eq!(placed(&desk.step(Event::Plan { order, decision })), []);
    assert_eq!(desk.outcome("L"), (Outcome::Skipped, Some(DeniedReason::StaleEntry)));
}

#[test]
fn news_without_an_end_do_not_keep_an_exit() {
    let mut desk = Desk::new();
    desk.holds(650);
    desk.step(Event::Together(true));
    assert_eq!(placed(&desk.plan("X", terms(SELL, 650))), []);
    assert_eq!(placed(&desk.passes(SECOND * 2)), [(SELL, 650, Purpose::Exit)]);
}

/// A new life of the leader's stream sees everything for the first time: what was copied long ago is not too old for that.
#[test]
fn an_order_is_as_old_as_its_first_sight_on_record() {
    let mut desk = Desk::new();
    desk.bought("L1", 650);
    desk.now = desk.now.plus(HOURS);
    let known = LeaderOrder::clone(&desk.book.mirror(&broker_id("L1")).unwrap().leader);
    let wanted = Wish { executed: known.cumulative, ..wish(known.terms.clone()) };
    let order = Arc::new(LeaderOrder { ts_first_seen: desk.now, ..known });
    let effects = desk.step(Event::Plan { order, decision: Decision::Follow(Box::new(wanted)) });
    assert_eq!((placed(&effects), stored(&effects)), (vec![], vec![]));
    assert_eq!(placed(&desk.plan("X", terms(SELL, 325))), [(SELL, 325, Purpose::Exit)]);
}

#[test]
fn what_opens_waits_while_nobody_hears_the_leader_and_what_closes_does_not() {
    let mut desk = Desk::new();
    desk.holds(650);
    desk.step(Event::LeaderHeard(false));
    let lots = [130, 65, 325, 195, 260];
    for (number, units) in lots.into_iter().enumerate() {
        assert_eq!(placed(&desk.plan(&format!("E{number}"), terms(BUY, units))), []);
    }
    assert_eq!(placed(&desk.plan("X", terms(SELL, 325))), [(SELL, 325, Purpose::Exit)]);
    let left = placed(&desk.step(Event::LeaderHeard(true)));
    assert_eq!(left, lots.map(|units| (BUY, units, Purpose::Entry)), "in the order in which he placed them");
}

#[test]
fn what_waited_too_long_for_the_leader_to_be_heard_is_given_up() {
    let mut desk = Desk::new();
    desk.step(Event::LeaderHeard(false));
    desk.plan("E", terms(BUY, 130));
    desk.passes(HOURS);
    assert_eq!(placed(&desk.step(Event::LeaderHeard(true))), []);
    assert_eq!(desk.outcome("E").1, Some(DeniedReason::StaleEntry));
}
