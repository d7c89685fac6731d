//! What the trade book tells more than the order book.

use super::*;
use crate::ids::TradeId;
use crate::order::TradeReport;

fn trade(id: &str, quantity: u32, second: i64) -> TradeReport {
    let of = frame(second, BrokerStatus::Traded, 0, limit(260, 10_000));
    TradeReport {
        account: of.account,
        broker_order_id: of.broker_order_id,
        trade_id: TradeId::new(id).unwrap(),
        instrument: of.terms.instrument,
        side: of.terms.side,
        product: of.terms.product,
        quantity: Quantity::new(quantity),
        price: Price::from_paise(9_900),
        ts_event: of.ts_event,
    }
}

fn book() -> LeaderBook {
    LeaderBook::new(Timestamp::EPOCH.trading_day())
}

fn filled(order: &LeaderOrder) -> (&str, u32, Price) {
    (order.status.as_str(), order.cumulative.get(), order.average_price)
}

#[test]
fn p9_what_the_trade_book_tells_more_counts_and_once() {
    let mut book = book();
    book.merge(&book_row(frame(1, BrokerStatus::Pending, 0, limit(260, 10_000))), Timestamp::EPOCH);
    let trades = [trade("a", 65, 3), trade("b", 130, 2), trade("a", 65, 3)];
    let changed = book.merge_trades(&trades);
    assert_eq!(changed.len(), 1);
    assert_eq!(filled(&changed[0]), ("PART_TRADED", 195, Price::from_paise(9_900)));
    assert_eq!(changed[0].ts_event, trades[0].ts_event);
    assert_eq!(book.merge_trades(&trades), []);
    assert_eq!(book.merge_trades(&trades[..1]), [], "no quantity falls");

    // The order book is there, too, and then ahead.
    let row = book_row(frame(3, BrokerStatus::PartTraded, 195, limit(260, 10_000)));
    assert!(
        matches!(book.merge(&row, Timestamp::EPOCH), Merge::Changed(order) if order.cumulative.get() == 195)
    );
    let row = book_row(frame(4, BrokerStatus::Traded, 260, limit(260, 10_000)));
    book.merge(&row, Timestamp::EPOCH);
    assert_eq!(book.merge_trades(&trades), []);
    let order = book.get(&row.broker_order_id).unwrap();
    assert_eq!(filled(order), ("TRADED", 260, Price::from_paise(10_000)));
}

#[test]
fn its_end_is_the_order_books_to_tell() {
    let mut book = book();
    book.merge(&book_row(frame(1, BrokerStatus::Pending, 0, limit(130, 10_000))), Timestamp::EPOCH);
    let order = book.merge_trades(&[trade("a", 130, 2)]).remove(0);
    assert_eq!(filled(&order), ("PART_TRADED", 130, Price::from_paise(9_900)), "it may have grown");
    let grown = book_row(frame(3, BrokerStatus::Pending, 130, limit(260, 10_000)));
    assert!(matches!(book.merge(&grown, Timestamp::EPOCH),
        Merge::Changed(order) if order.terms.quantity.get() == 260 && !order.status.is_terminal()));

    // And what is over stays over, with what was filled of it.
    let cancelled = book_row(frame(4, BrokerStatus::Cancelled, 130, limit(260, 10_000)));
    book.merge(&cancelled, Timestamp::EPOCH);
    let order = book.merge_trades(&[trade("a", 130, 2), trade("b", 65, 3)]).remove(0);
    assert_eq!(filled(&order), ("CANCELLED", 195, Price::from_paise(9_900)));
}

#[test]
fn trades_that_come_before_their_order_count_with_it() {
    let mut book = book();
    assert_eq!(book.merge_trades(&[trade("a", 65, 2)]), []);
    let row = book_row(frame(1, BrokerStatus::Pending, 0, limit(260, 10_000)));
    assert!(
        matches!(book.merge(&row, Timestamp::EPOCH), Merge::Changed(order) if order.cumulative.get() == 65)
    );
}

#[test]
fn no_more_than_was_ordered_and_nothing_of_an_earlier_day() {
    let mut book = book();
    book.merge(&book_row(frame(1, BrokerStatus::Pending, 0, limit(65, 10_000))), Timestamp::EPOCH);
    assert_eq!(book.merge_trades(&[trade("a", 65, -100_000)]), []);
    let order = book.merge_trades(&[trade("a", 65, 2), trade("b", 65, 2)]).remove(0);
    assert_eq!(order.cumulative.get(), 65);
}

/// A fill under an entry's id may be one of its exit legs'.
#[test]
fn of_an_order_with_exit_legs_they_tell_nothing() {
    let mut book = book();
    let entry = OrderReport {
        leg: Leg::Entry,
        ..book_row(frame(1, BrokerStatus::PartTraded, 65, limit(260, 10_000)))
    };
    book.merge(&entry, Timestamp::EPOCH);
    assert_eq!(book.merge_trades(&[trade("a", 195, 2)]), []);
}
