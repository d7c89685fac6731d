//! Square-offs that the broker makes hard, and what copies of earlier days hold.

use super::*;
use crate::account::PositionReport;
use crate::trading::TradingState;

const SQUARE_OFF: Control = Control::SquareOff(HaltCause::Operator);

pub(super) fn key() -> InstrumentKey {
    terms(BUY, 0).instrument
}

/// The broker takes the only order that is placed, and rejects it.
fn rejects(desk: &mut Desk, effects: &[Effect], number: usize) -> Vec<Effect> {
    let order = placed(effects).client_order_id;
    desk.accepted(&order, &format!("q-{number}"));
    desk.shows(&order, BrokerStatus::Rejected, 0)
}

#[test]
fn a_square_off_goes_on_however_often_the_broker_rejects_and_tells_it_once() {
    let mut desk = Desk::new();
    desk.bought("L", 130);
    let mut effects = desk.step(Event::Control(SQUARE_OFF));
    let (mut told, mut waits) = (0, Vec::new());
    for number in 0..16 {
        effects = rejects(&mut desk, &effects, number);
        told += alerts(&effects).into_iter().filter(|alert| **alert == Alert::FlatteningFails).count();
        assert_eq!(requests(&effects), vec![], "not at once");
        let next = desk.child("L");
        assert_eq!((next.state.clone(), usize::from(next.key.attempt)), (ChildState::Planned, number + 2));
        let wait = next.held_until.unwrap().since(desk.now);
        effects = desk.passes(wait);
        waits.push(wait);
    }
    assert_eq!(told, 1);
    assert!(waits.is_sorted() && waits[0] < SECOND, "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= Duration::from_mins(1)), "{waits:?}");
    let order = placed(&effects).client_order_id;
    desk.accepted(&order, "q");
    let effects = desk.shows(&order, BrokerStatus::Traded, 130);
    assert!(alerts(&effects).contains(&&Alert::SquaredOff), "{effects:?}");
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::Over(Alert::FlatteningFails))),
        "{effects:?}"
    );
}

#[test]
fn an_order_of_a_square_off_that_never_left_is_sent_again() {
    let mut desk = Desk::new();
    desk.bought("L", 130);
    let order = placed(&desk.step(Event::Control(SQUARE_OFF))).client_order_id;
    desk.answer(&order, Answer::NotSent);
    assert_eq!(placed(&desk.passes(SECOND)).client_order_id, order);
}

#[test]
fn a_resume_ends_the_tries() {
    let mut desk = Desk::new();
    desk.bought("L", 130);
    let mut effects = desk.step(Event::Control(SQUARE_OFF));
    for number in 0..5 {
        rejects(&mut desk, &effects, number);
        let wait = desk.child("L").held_until.unwrap().since(desk.now);
        effects = desk.passes(wait);
    }
    rejects(&mut desk, &effects, 5);
    let mut effects = desk.step(Event::Control(Control::Resume));
    effects.extend(desk.passes(SECOND * 300));
    assert_eq!(requests(&effects), vec![]);
}

/// A new day: so much was copied on an earlier one, and the account shows so much.
pub(super) fn carries(copied: i64, net: i64, known: bool) -> Desk {
    let mut desk = Desk::new();
    let instruments = known.then(|| Instrument::clone(&instrument(key())));
    desk.book.restore_carried([(key(), copied)], instruments);
    shows_net(&mut desk, net, net);
    desk
}

fn shows_net(desk: &mut Desk, net: i64, carried: i64) -> Vec<Effect> {
    let units = crate::quantity::SignedQuantity;
    let position = PositionReport {
        instrument: key(),
        product: Product::Margin,
        net: units(net),
        buy_average: Price::ZERO,
        sell_average: Price::ZERO,
        realised: Money::ZERO,
        unrealised: Money::ZERO,
        carried: units(carried),
        ts_event: start(),
    };
    desk.now = desk.now.plus(SECOND);
    desk.step(Event::Positions { started_at: desk.now, positions: vec![position] })
}

const OWN: &str = "square-off-2026-12-01-NSE_FNO-43125-1";

#[test]
fn a_square_off_closes_what_was_copied_on_an_earlier_day() {
    let mut desk = carries(130, 195, true);
    let effects = desk.step(Event::Control(SQUARE_OFF));
    let exit = placed(&effects);
    assert_eq!((exit.terms.side, exit.terms.quantity.get(), exit.purpose), (SELL, 130, Purpose::Exit));
    assert_eq!((exit.terms.order_type, exit.terms.product), (OrderType::Market, Product::Margin));
    // Its order is on record with it, under an id of the day and the instrument.
    assert_eq!(desk.book.leader_of[&exit.client_order_id], broker_id(OWN));
    assert!(stored(&effects).contains(&("event", "PENDING".to_owned())), "{effects:?}");
    assert!(alerts(&effects).contains(&&Alert::SquaringOff(1, 130)), "{effects:?}");
    desk.accepted(&exit.client_order_id, "q");
    assert_eq!(placements(&desk.shows(&exit.client_order_id, BrokerStatus::PartTraded, 65)), vec![]);
    let effects = desk.shows(&exit.client_order_id, BrokerStatus::Traded, 130);
    assert!(alerts(&effects).contains(&&Alert::SquaredOff), "{effects:?}");
    assert_eq!((desk.book.copied_units(key()), desk.outcome(OWN)), (0, (Outcome::Sent, None)));
    // What is the owner's stays, and nothing more comes of it.
    let mut later = desk.step(Event::Control(SQUARE_OFF));
    later.extend(desk.step(Event::Control(Control::Resume)));
    later.extend(desk.passes(SECOND * 60));
    assert_eq!(requests(&later), vec![]);
}

#[test]
fn units_of_today_and_of_earlier_days_are_closed_once() {
    let mut desk = carries(130, 130, true);
    desk.bought("L", 65);
    let exits = placements(&desk.step(Event::Control(SQUARE_OFF)));
    let mut sold: Vec<u32> = exits.iter().map(|exit| exit.terms.quantity.get()).collect();
    sold.sort_unstable();
    assert_eq!(sold, [65, 130]);
    for (number, exit) in exits.iter().enumerate() {
        desk.accepted(&exit.client_order_id, &format!("q-{number}"));
        desk.shows(&exit.client_order_id, BrokerStatus::Traded, exit.terms.quantity.get());
    }
    assert_eq!(desk.book.copied_units(key()), 0);
    assert_eq!(
        (desk.book.trading().state, desk.book.trading().is_squaring_off),
        (TradingState::Halted, false)
    );
    // The leader's exits find nothing; what he opens afterwards is led out by what he closes of it.
    desk.step(Event::Control(Control::Resume));
    desk.passes(SECOND);
    assert_eq!(placements(&desk.executed("X", terms(SELL, 65))), vec![]);
}

/// The owner has sold units that are no whole lots: no order could close what is left to the unit.
#[test]
fn a_square_off_closes_whole_lots() {
    let mut desk = Desk::new();
    desk.bought("L", 260);
    desk.passes(SECOND * 60);
    shows_net(&mut desk, 194, 0);
    desk.passes(SECOND * 60);
    shows_net(&mut desk, 194, 0);
    let effects = desk.step(Event::Control(SQUARE_OFF));
    let exit = placed(&effects);
    assert_eq!((exit.terms.side, exit.terms.quantity.get()), (SELL, 130));
    assert!(alerts(&effects).contains(&&Alert::SquaringOff(1, 130)), "{effects:?}");
    desk.accepted(&exit.client_order_id, "q");
    let effects = desk.shows(&exit.client_order_id, BrokerStatus::Traded, 130);
    assert!(alerts(&effects).contains(&&Alert::SquaredOff), "{effects:?}");
    assert!(alerts(&effects).contains(&&Alert::CarriedLeft(key(), 64)), "{effects:?}");
}

#[test]
fn what_is_rejected_of_an_earlier_day_is_tried_until_it_is_closed() {
    let mut desk = carries(65, 65, true);
    let mut effects = desk.step(Event::Control(SQUARE_OFF));
    for number in 0..6 {
        rejects(&mut desk, &effects, number);
        let wait = desk.child(OWN).held_until.unwrap().since(desk.now);
        effects = desk.passes(wait);
    }
    let order = placed(&effects).client_order_id;
    desk.accepted(&order, "q");
    assert!(alerts(&desk.shows(&order, BrokerStatus::Traded, 65)).contains(&&Alert::SquaredOff));
}

/// The book of a new process, which reads what the old one recorded.
fn restarted(old: &Desk, carried: i64) -> (Desk, Vec<Effect>) {
    old.restarted_with(|book| {
        book.restore_trading(old.book.trading());
        book.restore_carried([(key(), carried)], [Instrument::clone(&instrument(key()))]);
        book.restore_openings(old.book.lines.values().filter_map(|line| Some((line.opening?, start()))));
    })
}

#[test]
fn a_square_off_of_an_earlier_days_units_goes_on_after_a_restart_and_sells_no_more() {
    let mut old = carries(130, 130, true);
    let exit = placed(&old.step(Event::Control(SQUARE_OFF))).client_order_id;
    old.accepted(&exit, "q");
    old.shows(&exit, BrokerStatus::PartTraded, 65);
    let (mut desk, mut effects) = restarted(&old, 130);
    effects.extend(desk.step(Event::Tick));
    effects.extend(shows_net(&mut desk, 65, 130));
    assert_eq!(placements(&effects), vec![]);
    let effects = desk.shows(&exit, BrokerStatus::Traded, 130);
    assert!(alerts(&effects).contains(&&Alert::SquaredOff), "{effects:?}");
    assert_eq!(desk.book.copied_units(key()), 0);
}

#[test]
fn a_resume_takes_back_what_is_out_and_the_next_square_off_has_an_order_of_its_own() {
    let mut desk = carries(130, 130, true);
    let exit = placed(&desk.step(Event::Control(SQUARE_OFF))).client_order_id;
    desk.accepted(&exit, "q");
    desk.shows(&exit, BrokerStatus::PartTraded, 65);
    assert_eq!(changes(&desk.step(Event::Control(Control::Resume))), ["1 cancel"]);
    desk.answer_to(&exit, 1, Answer::Accepted(broker_id("q")));
    desk.shows(&exit, BrokerStatus::Cancelled, 65);
    assert_eq!(requests(&desk.passes(SECOND * 60)), vec![]);
    let next = placed(&desk.step(Event::Control(SQUARE_OFF)));
    assert_eq!(next.terms.quantity.get(), 65);
    assert_eq!(desk.book.leader_of[&next.client_order_id], broker_id(&OWN.replace("25-1", "25-2")));
}

#[test]
fn a_square_off_waits_for_the_positions_where_earlier_days_have_left_something() {
    let mut desk = Desk::new();
    desk.book.restore_carried([(key(), 65)], [Instrument::clone(&instrument(key()))]);
    let effects = desk.step(Event::Control(SQUARE_OFF));
    assert!(!alerts(&effects).contains(&&Alert::SquaredOff), "{effects:?}");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::ReadPositions)), "{effects:?}");
    assert_eq!(placed(&shows_net(&mut desk, 65, 65)).terms.quantity.get(), 65);
}

#[test]
fn what_no_order_can_close_is_named() {
    let mut desk = carries(65, 65, false);
    let effects = desk.step(Event::Control(SQUARE_OFF));
    assert_eq!(requests(&effects), vec![]);
    assert!(alerts(&effects).contains(&&Alert::CarriedLeft(key(), 65)), "{effects:?}");
}

#[test]
fn copies_that_an_evening_left_against_the_leader_are_told_once_it_is_known_what_he_holds() {
    let mut desk = Desk::new();
    desk.book.restore_carried([(key(), 65)], [Instrument::clone(&instrument(key()))]);
    let effects = shows_net(&mut desk, 65, 65);
    assert_eq!(alerts(&effects), [] as [&Alert; 0], "he may hold some, too");
    let mut leader_holds_nothing =
        || desk.step(Event::LeaderPositions { started_at: desk.now, positions: Vec::new() });
    assert_eq!(alerts(&leader_holds_nothing()), [&Alert::CarriedLeft(key(), 65)]);
    assert_eq!(alerts(&leader_holds_nothing()), [] as [&Alert; 0], "once");
}
