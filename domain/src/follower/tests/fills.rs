//! Each fill counts once (P9), the position is what the copies filled, and too much is raised (P10).

use proptest::prelude::{ProptestConfig, prop, prop_assert_eq, proptest};

use super::*;
use crate::ids::TradeId;

/// A desk with one working buy of `quantity`, and its id.
fn working(quantity: u32) -> (Desk, ClientOrderId) {
    let mut desk = Desk::new();
    let client_order_id = desk.sent("L1", terms(BUY, quantity));
    desk.accepted(&client_order_id, "1");
    (desk, client_order_id)
}

#[test]
fn the_position_grows_by_what_is_new() {
    let (mut desk, client_order_id) = working(130);
    let positions: Vec<i64> = [0, 65, 65, 30, 130, 65, 130]
        .into_iter()
        .map(|cumulative| {
            let row = desk.row(&client_order_id, "1", BrokerStatus::PartTraded, cumulative);
            desk.reads(vec![row]);
            desk.position()
        })
        .collect();
    assert_eq!(positions, [0, 65, 65, 65, 130, 130, 130]);
}

#[test]
fn a_sell_takes_from_the_position() {
    let (mut desk, bought) = working(130);
    let held = desk.row(&bought, "1", BrokerStatus::Traded, 130);
    desk.reads(vec![held.clone()]);
    let sold = desk.sent("L2", terms(SELL, 65));
    assert_eq!(desk.child("L2").purpose, Purpose::Exit);
    desk.accepted(&sold, "2");
    let row = desk.row(&sold, "2", BrokerStatus::Traded, 65);
    desk.reads(vec![held, row]);
    assert_eq!(desk.position(), 65);
}

#[test]
fn what_reduces_is_an_exit_and_what_turns_the_position_reduces_it_first() {
    for (held, side, quantity, purpose, units) in [
        (0, SELL, 65, Purpose::Entry, 65),
        (0, BUY, 65, Purpose::Entry, 65),
        (65, BUY, 65, Purpose::Entry, 65),
        (65, SELL, 65, Purpose::Exit, 65),
        (130, SELL, 65, Purpose::Exit, 65),
        (65, SELL, 130, Purpose::Exit, 65),
    ] {
        let mut desk = Desk::new();
        if held > 0 {
            desk.holds(held);
        }
        desk.plan("L1", terms(side, quantity));
        let child = desk.child("L1");
        let found = (child.purpose, child.terms.quantity.get());
        assert_eq!(found, (purpose, units), "{side} {quantity} while holding {held}");
    }
}

#[test]
fn a_fill_that_comes_after_the_end_still_counts() {
    let (mut desk, client_order_id) = working(130);
    let expired = desk.row(&client_order_id, "1", BrokerStatus::Expired, 0);
    desk.reads(vec![expired]);
    assert!(!desk.book.is_active());
    let late = desk.row(&client_order_id, "1", BrokerStatus::PartTraded, 65);
    let effects = desk.step(Event::Report(Box::new(late)));
    assert_eq!((desk.position(), desk.child("L1").state.as_str()), (65, "expired"));
    assert_eq!(stored(&effects), stored_as(&[("mapping", "sent"), ("order", "PART_TRADED")]));
    assert_eq!(alerts(&effects), [&Alert::LateFill(client_order_id)]);
}

#[test]
fn more_than_was_ordered_is_counted_and_raised() {
    let (mut desk, client_order_id) = working(65);
    let row = desk.row(&client_order_id, "1", BrokerStatus::Traded, 130);
    let effects = desk.reads(vec![row.clone()]);
    assert_eq!(alerts(&effects), [&Alert::Overfill(client_order_id)]);
    assert_eq!(desk.position(), 130, "kept as it is, not trimmed to keep the books tidy");
    assert_eq!(alerts(&desk.reads(vec![row])), Vec::<&Alert>::new());
}

#[test]
fn a_report_that_brings_nothing_new_is_not_stored_again() {
    let (mut desk, client_order_id) = working(65);
    let row = desk.row(&client_order_id, "1", BrokerStatus::Pending, 0);
    assert_eq!(stored(&desk.reads(vec![row.clone()])), stored_as(&[("order", "PENDING")]));
    assert_eq!(stored(&desk.reads(vec![row])), []);
}

#[test]
fn the_frame_may_come_before_the_answer() {
    let mut desk = Desk::new();
    let client_order_id = desk.sent("L1", terms(BUY, 65));
    desk.step(Event::Report(Box::new(desk.row(&client_order_id, "1", BrokerStatus::Traded, 65))));
    // An acceptance still has its times to add; the row is not set back by any.
    for (answer, rows) in [
        (Answer::Accepted(broker_id("1")), stored_as(&[("intent", "1 ACKED")])),
        (Answer::Lost, vec![]),
        (Answer::Busy, vec![]),
    ] {
        let effects = desk.answer(&client_order_id, answer);
        assert_eq!((alerts(&effects), lookups(&effects)), (vec![], vec![]));
        assert_eq!(stored(&effects), rows);
    }
    assert_eq!((desk.position(), desk.child("L1").state.as_str()), (65, "filled"));
}

#[test]
fn an_order_known_by_the_brokers_id_needs_no_tag() {
    let (mut desk, client_order_id) = working(65);
    let row = desk.row(&client_order_id, "1", BrokerStatus::Traded, 65);
    desk.reads(vec![OrderReport { tag: None, ..row }]);
    assert_eq!(desk.position(), 65);
}

#[test]
fn an_answer_that_contradicts_the_evidence_changes_nothing() {
    for answer in [Answer::NotSent, Answer::Refused(Refused::Other, "no".into())] {
        let (mut desk, client_order_id) = working(65);
        let before = desk.child("L1").clone();
        let effects = desk.answer(&client_order_id, answer);
        assert_eq!((alerts(&effects), stored(&effects)), (vec![], vec![]));
        assert_eq!((placements(&desk.passes(SECOND)), desk.child("L1")), (vec![], &before));
    }
}

#[test]
fn trades_of_our_orders_are_stored_and_those_of_others_are_not() {
    let (mut desk, client_order_id) = working(65);
    let trade = |order: &str, id: &str| TradeReport {
        account: settings().account,
        broker_order_id: broker_id(order),
        trade_id: TradeId::new(id).unwrap(),
        instrument: terms(BUY, 65).instrument,
        side: BUY,
        product: Product::Margin,
        quantity: Quantity::new(65),
        price: Price::from_paise(10_000),
        ts_event: start(),
    };
    let effects = desk.step(Event::Trades(vec![trade("1", "a"), trade("by-hand", "b")]));
    let trades: Vec<_> = stored(&effects).into_iter().filter(|(kind, _)| *kind == "trade").collect();
    assert_eq!(trades, stored_as(&[("trade", "a")]));
    assert_eq!(desk.position(), 65, "both books are the broker's: what the one tells first counts");
    let row = desk.row(&client_order_id, "1", BrokerStatus::Traded, 65);
    desk.reads(vec![row]);
    assert_eq!(desk.position(), 65, "once");
    assert!(desk.step(Event::Trades(vec![trade("by-hand", "b")])).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn reports_in_any_order_and_number_give_the_largest_quantity(
        cumulatives in prop::collection::vec(0u32..=130, 1..30)
    ) {
        let (mut desk, client_order_id) = working(130);
        for cumulative in &cumulatives {
            let status =
                if *cumulative == 130 { BrokerStatus::Traded } else { BrokerStatus::PartTraded };
            desk.reads(vec![desk.row(&client_order_id, "1", status, *cumulative)]);
        }
        let largest = cumulatives.iter().copied().max().unwrap_or(0);
        prop_assert_eq!(desk.position(), i64::from(largest));
        prop_assert_eq!(desk.child("L1").cumulative.get(), largest);
    }
}
