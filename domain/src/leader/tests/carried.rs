//! P29: orders that were carried over from an earlier day.

use super::*;

const DAY: i64 = 24 * 60 * 60;

fn waits() -> OrderTerms {
    OrderTerms { after_market: true, ..limit(260, 10_000) }
}

/// The book of the next day, which remembers an order of the evening before.
fn morning() -> (LeaderBook, Arc<LeaderOrder>) {
    let known = Arc::new(merged(&[frame(100, BrokerStatus::Pending, 0, waits())]));
    let mut book = LeaderBook::new(Timestamp::from_micros(DAY * 1_000_000).trading_day());
    book.remember([Arc::clone(&known)]);
    (book, known)
}

fn later(second: i64) -> Timestamp {
    Timestamp::from_micros((DAY + second) * 1_000_000)
}

fn told(merge: Merge) -> Arc<LeaderOrder> {
    let Merge::Changed(order) = merge else { panic!("it is news: {merge:?}") };
    order
}

#[test]
fn p29_an_order_that_waits_over_midnight_is_of_its_own_day() {
    let (mut book, known) = morning();
    let order = told(book.merge(&frame(100, BrokerStatus::Pending, 0, waits()), later(1)));
    assert_eq!((order.trading_day, order.fingerprint()), (known.trading_day, known.fingerprint()));
    let sent =
        OrderReport { ts_exchange: Some(later(9)), ..frame(DAY + 9, BrokerStatus::Traded, 260, waits()) };
    let order = told(book.merge(&sent, later(9)));
    assert_eq!((order.trading_day, order.cumulative.get()), (known.trading_day, 260));
}

#[test]
fn p29_its_last_words_of_the_evening_are_heard_in_the_morning() {
    let (mut book, _) = morning();
    let order = told(book.merge(&frame(200, BrokerStatus::Cancelled, 0, waits()), later(1)));
    assert_eq!(order.status, BrokerStatus::Cancelled);
    let mut unknown = LeaderBook::new(book.trading_day());
    assert_eq!(
        unknown.merge(&frame(200, BrokerStatus::Cancelled, 0, waits()), later(1)),
        Merge::Unchanged,
        "of what was not carried over it is yesterday's"
    );
}

#[test]
fn p29_an_id_that_comes_again_for_another_order_is_an_order_of_today() {
    let (mut book, known) = morning();
    let other = OrderTerms { side: Side::Sell, ..limit(65, 9_000) };
    let order = told(book.merge(&frame(DAY + 5, BrokerStatus::Pending, 0, other.clone()), later(5)));
    assert_eq!((order.trading_day, &order.terms), (book.trading_day(), &other));
    assert_ne!(order.trading_day, known.trading_day);
}

#[test]
fn p29_what_is_not_shown_twice_once_the_books_have_turned_counts_as_cancelled() {
    let none = BTreeSet::new();
    let (mut book, known) = morning();
    let id = known.broker_order_id.clone();
    let mut read = |turned: bool, is_shown: bool, second: i64| {
        let shown = if is_shown { BTreeSet::from([&id]) } else { none.clone() };
        book.end_unseen(&shown, |_| turned, later(second))
    };
    assert_eq!(read(false, false, 1), vec![], "before that nobody knows what he shows");
    assert_eq!(read(false, false, 2), vec![]);
    assert_eq!(read(true, false, 3), vec![], "one read may be unlucky");
    assert_eq!(read(true, true, 4), vec![]);
    assert_eq!(read(true, false, 5), vec![]);
    let ended = read(true, false, 6);
    assert_eq!(ended.len(), 1);
    assert_eq!((&ended[0].status, ended[0].trading_day), (&BrokerStatus::Cancelled, known.trading_day));
    assert_eq!(read(true, false, 7), vec![], "once");
    assert_eq!(book.get(&id).unwrap().status, BrokerStatus::Cancelled);
}

#[test]
fn p29_what_reached_the_exchange_or_is_of_today_is_not_missed() {
    let mut book = LeaderBook::new(Timestamp::from_micros(DAY * 1_000_000).trading_day());
    let today = frame(DAY + 5, BrokerStatus::Pending, 0, waits());
    book.merge(&today, later(5));
    for second in 6..9 {
        assert_eq!(book.end_unseen(&BTreeSet::new(), |_| true, later(second)), vec![]);
    }
}
