//! A long day in one instrument: what is over or rests is set aside, the shares stay what the whole day gives (which
//! `sharing::check` holds at every step of every test), and what changes after all counts anew.

use super::*;

/// Bought and sold again by both, a lot each time, so many times.
fn round_trips(desk: &mut Desk, count: u32) {
    for number in 0..count {
        desk.bought(&format!("B{number:03}"), 65);
        desk.passes(SECOND * 2);
        let exit = desk.works(&format!("S{number:03}"), terms(SELL, 65));
        desk.leader_fills(&format!("S{number:03}"), 65);
        desk.shows(&exit, BrokerStatus::Traded, 65);
        desk.passes(SECOND * 2);
    }
    assert_eq!(desk.position(), 0);
}

/// How many orders of the line are gone through at each step.
fn gone_through(desk: &Desk) -> usize {
    desk.book.lines[&terms(BUY, 0).instrument].active.len()
}

#[test]
fn what_is_over_and_what_rests_is_not_gone_through_again() {
    let mut desk = Desk::new();
    desk.works("A", terms(BUY, 65));
    round_trips(&mut desk, 10);
    for number in 0..10 {
        desk.works(&format!("R{number}"), terms(BUY, 65));
        desk.passes(SECOND);
    }
    assert_eq!(gone_through(&desk), 0);
    // A position that is built up, with a stop for it: only the stop is.
    desk.bought("X", 130);
    desk.bought("Y", 65);
    desk.passes(SECOND);
    let stop = OrderTerms {
        order_type: OrderType::StopLoss,
        price: Price::from_paise(9_000),
        trigger: Price::from_paise(9_050),
        ..terms(SELL, 195)
    };
    desk.works("Z", stop);
    assert_eq!((desk.child("Z").terms.quantity.get(), gone_through(&desk)), (195, 1));
}

/// After a gap the book shows that an order which was thought cancelled had filled before.
#[test]
fn an_order_that_turns_out_to_have_filled_before_counts_where_it_filled() {
    let mut desk = Desk::new();
    desk.works("A", terms(BUY, 65));
    let early = desk.works("E", terms(BUY, 130));
    let filled_at = desk.now.plus(SECOND);
    desk.passes(SECOND * 2);
    desk.cancelled("E", terms(BUY, 130), 0);
    desk.answer_to(&early, 1, Answer::Accepted(broker_id("b-E")));
    desk.shows(&early, BrokerStatus::Cancelled, 0);
    round_trips(&mut desk, 3);
    assert_eq!(gone_through(&desk), 0);
    let known = LeaderOrder::clone(&desk.book.mirror(&broker_id("E")).unwrap().leader);
    let order = LeaderOrder { cumulative: Quantity::new(65), ts_event: filled_at, ..known };
    let executed = Quantity::new(65);
    let decision = Decision::Follow(Box::new(Wish { executed, ..wish(terms(BUY, 65)) }));
    desk.step(Event::Plan { order: Arc::new(order), decision });
    let line = &desk.book.lines[&terms(BUY, 0).instrument];
    assert_eq!(line.leader, 65, "he holds what he bought then");
    // He sells it: that closes, and opens nothing.
    desk.executed("S", terms(SELL, 65));
    assert_eq!(desk.book.mirror(&broker_id("S")).unwrap().allotment.unwrap().opening, 0);
}

/// A copy that was proven over fills after all.
#[test]
fn a_late_fill_of_an_old_copy_is_closed() {
    let mut desk = Desk::new();
    desk.works("A", terms(BUY, 65));
    let early = desk.works("E", terms(BUY, 130));
    desk.passes(SECOND * 2);
    desk.cancelled("E", terms(BUY, 130), 0);
    desk.answer_to(&early, 1, Answer::Accepted(broker_id("b-E")));
    desk.shows(&early, BrokerStatus::Cancelled, 0);
    round_trips(&mut desk, 3);
    assert_eq!(gone_through(&desk), 0);
    let repair = placed(&desk.shows(&early, BrokerStatus::Cancelled, 65));
    assert_eq!((repair.terms.side, repair.terms.quantity.get()), (SELL, 65));
}

/// A buy that rests becomes an exit as soon as the leader is short, and what rests follows.
#[test]
fn what_rests_comes_back_when_the_leader_turns() {
    let mut desk = Desk::new();
    desk.works("R", terms(BUY, 65));
    assert_eq!(gone_through(&desk), 0);
    desk.passes(SECOND * 2);
    let short = desk.works("S", terms(SELL, 130));
    desk.leader_fills("S", 130);
    desk.shows(&short, BrokerStatus::Traded, 130);
    assert_eq!(desk.child("R").terms.quantity.get(), 65);
    let allotment = desk.book.mirror(&broker_id("R")).unwrap().allotment.unwrap();
    assert_eq!((allotment.closing, allotment.opening), (65, 0));
}

/// Changing the price of an order that is set aside changes its copy.
#[test]
fn what_is_set_aside_follows_its_price() {
    let mut desk = Desk::new();
    desk.works("R", terms(BUY, 65));
    desk.passes(SECOND * 2);
    let known = LeaderOrder::clone(&desk.book.mirror(&broker_id("R")).unwrap().leader);
    let terms = OrderTerms { price: Price::from_paise(10_100), ..terms(BUY, 65) };
    let order = LeaderOrder { terms: terms.clone(), ts_event: desk.now, ..known };
    let effects = desk.step(Event::Plan { order: Arc::new(order), decision: follow(terms) });
    assert_eq!(changes(&effects), ["1 modify to 65 at 101.00"]);
}
