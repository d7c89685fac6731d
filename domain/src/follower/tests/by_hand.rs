//! What the owner has closed of the copies by hand: an exit of the leader's that could not be paid for it is paid by
//! nothing that is copied later.

use super::flattening::key;
use super::*;

fn sold_by_hand(units: u32) -> OrderReport {
    let row = manual("M", terms(SELL, units));
    OrderReport { status: BrokerStatus::Traded, cumulative: Quantity::new(units), ..row }
}

fn units(effects: &[Effect]) -> Vec<(Side, u32)> {
    placements(effects).iter().map(|placed| (placed.terms.side, placed.terms.quantity.get())).collect()
}

/// Two lots were copied, and the owner has sold both.
fn sold_out() -> Desk {
    let mut desk = Desk::new();
    desk.bought("A", 130);
    desk.step(Event::Report(Box::new(sold_by_hand(130))));
    desk
}

/// The leader leaves; then his other bid fills, here and there in either order.
#[test]
fn an_exit_that_the_owner_has_made_is_not_made_good_by_the_next_copy() {
    for copy_first in [false, true] {
        let mut desk = sold_out();
        let bid = desk.works("B", terms(BUY, 130));
        assert_eq!(requests(&desk.executed("X", terms(SELL, 130))), vec![]);
        let mut effects = desk.passes(SECOND);
        for is_copy in [copy_first, !copy_first] {
            effects.extend(if is_copy {
                desk.shows(&bid, BrokerStatus::Traded, 130)
            } else {
                desk.leader_fills("B", 130)
            });
        }
        effects.extend(desk.passes(SECOND * 60));
        assert_eq!((requests(&effects), desk.position()), (vec![], 260), "copy first: {copy_first}");
        assert_eq!(units(&desk.executed("Y", terms(SELL, 130))), [(SELL, 130)]);
        assert_eq!(desk.child("Y").purpose, Purpose::Exit);
    }
}

#[test]
fn nor_is_it_in_a_new_life() {
    let mut desk = sold_out();
    assert_eq!(requests(&desk.executed("X", terms(SELL, 130))), vec![]);
    desk.passes(SECOND * 60);
    desk.bought("B", 130);
    let seen = (sold_by_hand(130), desk.now);
    let (mut next, _) = desk.restarted_with(|book| book.restore_external([seen]));
    let mut effects = Vec::new();
    for (id, side) in [("A", BUY), ("X", SELL), ("B", BUY)] {
        effects.extend(next.heard_again(id, terms(side, 130)));
    }
    effects.extend(next.passes(SECOND * 60));
    assert_eq!((requests(&effects), next.position()), (vec![], 260));
    for desk in [&mut desk, &mut next] {
        assert_eq!(units(&desk.executed("Y", terms(SELL, 130))), [(SELL, 130)]);
    }
}

/// He sells half of what the copies hold. What the leader closes counts as closed by that, as far as it goes.
#[test]
fn what_the_owner_has_sold_of_several_lots_is_what_the_leader_closes_next() {
    let mut desk = Desk::new();
    desk.bought("A", 260);
    desk.step(Event::Report(Box::new(sold_by_hand(130))));
    let mut effects = desk.executed("X1", terms(SELL, 65));
    effects.extend(desk.executed("X2", terms(SELL, 65)));
    assert_eq!(requests(&effects), vec![], "both hold two lots");
    for id in ["X3", "X4"] {
        let exit = placed(&desk.executed(id, terms(SELL, 65)));
        assert_eq!((exit.terms.side, exit.terms.quantity.get()), (SELL, 65));
        desk.accepted(&exit.client_order_id, &format!("b-{id}"));
        desk.shows(&exit.client_order_id, BrokerStatus::Traded, 65);
    }
    assert_eq!((requests(&desk.passes(SECOND * 60)), desk.position()), (vec![], 130));
}

/// The broker took none of its orders; the owner closed by hand what it was to close, as he was told to.
#[test]
fn an_exit_that_was_given_up_and_made_by_hand_takes_nothing_from_the_next() {
    let mut desk = Desk::new();
    desk.bought("A", 130);
    let bid = desk.works("B", terms(BUY, 130));
    let mut effects = desk.executed("X", terms(SELL, 130));
    let mut tries = 0;
    while let [again] = &placements(&effects)[..] {
        tries += 1;
        desk.accepted(&again.client_order_id, &format!("x-{tries}"));
        effects = desk.shows(&again.client_order_id, BrokerStatus::Rejected, 0);
        effects.extend(desk.passes(SECOND * 60));
    }
    assert_eq!(tries, 3);
    desk.step(Event::Report(Box::new(sold_by_hand(130))));
    desk.leader_fills("B", 130);
    desk.shows(&bid, BrokerStatus::Traded, 130);
    assert_eq!(requests(&desk.passes(SECOND * 60)), vec![]);
    assert_eq!(units(&desk.executed("Y", terms(SELL, 130))), [(SELL, 130)]);
}

/// The positions lag, the exit finds nothing to close, and then they tell of it.
#[test]
fn an_exit_that_found_the_account_short_is_made_once_the_account_shows_what_is_held() {
    let shows = |desk: &mut Desk, units| {
        desk.now = desk.now.plus(SECOND);
        desk.reads_positions(units)
    };
    let mut desk = Desk::new();
    desk.bought("A", 130);
    shows(&mut desk, 0);
    desk.passes(SETTLE);
    assert_eq!(alerts(&shows(&mut desk, 0)), [&Alert::Drift(key(), -130)]);
    assert_eq!(requests(&desk.executed("X", terms(SELL, 130))), vec![]);
    desk.passes(SECOND * 60);
    assert_eq!(units(&shows(&mut desk, 130)), [(SELL, 130)]);
    assert_eq!(desk.child("X").purpose, Purpose::Exit);
}

/// Where it was the owner's sale that the rows did not know, nothing is left to do.
#[test]
fn nor_is_it_made_where_the_difference_was_a_sale_by_hand() {
    let mut desk = Desk::new();
    desk.bought("A", 130);
    let bid = desk.works("B", terms(BUY, 130));
    desk.now = desk.now.plus(SECOND);
    desk.reads_positions(0);
    desk.passes(SETTLE);
    assert_eq!(alerts(&desk.reads_positions(0)), [&Alert::Drift(key(), -130)]);
    assert_eq!(requests(&desk.executed("X", terms(SELL, 130))), vec![]);
    desk.passes(SECOND * 60);
    let mut effects = desk.step(Event::Report(Box::new(sold_by_hand(130))));
    desk.now = desk.now.plus(SECOND);
    effects.extend(desk.reads_positions(0));
    effects.extend(desk.leader_fills("B", 130));
    effects.extend(desk.shows(&bid, BrokerStatus::Traded, 130));
    effects.extend(desk.passes(SECOND * 60));
    assert_eq!(requests(&effects), vec![]);
}

impl Desk {
    /// A new life hears of an order of the leader's that has executed whole before.
    fn heard_again(&mut self, id: &str, terms: OrderTerms) -> Vec<Effect> {
        let order = LeaderOrder::clone(&self.book.mirror(&broker_id(id)).unwrap().leader);
        let decision = Decision::Follow(Box::new(Wish { executed: terms.quantity, ..wish(terms) }));
        self.step(Event::Plan { order: Arc::new(order), decision })
    }
}
