//! Each kind of difference between our rows and the broker's three books, and what becomes of it: what heals, what is an
//! incident, what is nobody's business. Books that agree with the rows change nothing.

use super::*;
use crate::account::PositionReport;
use crate::ids::TradeId;

/// The three books, as reads that begin and end now.
struct Books {
    orders: Vec<OrderReport>,
    trades: Vec<TradeReport>,
    net: i64,
}

/// A follower who holds two lots by the copy `b-H`, and whose copy `b-L` of two more works; and the books that say so.
fn account() -> (Desk, ClientOrderId, Books) {
    let mut desk = Desk::new();
    let held = desk.bought("H", 130);
    let works = desk.works("L", terms(BUY, 130));
    let orders = vec![
        desk.row(&held, "b-H", BrokerStatus::Traded, 130),
        desk.row(&works, "b-L", BrokerStatus::Pending, 0),
    ];
    let books = Books { orders, trades: vec![trade("b-H", "t-1", 130)], net: 130 };
    desk.passes(SETTLE * 2);
    (desk, works, books)
}

fn trade(order: &str, id: &str, quantity: u32) -> TradeReport {
    TradeReport {
        account: settings().account,
        broker_order_id: broker_id(order),
        trade_id: TradeId::new(id).unwrap(),
        instrument: terms(BUY, 0).instrument,
        side: BUY,
        product: Product::Margin,
        quantity: Quantity::new(quantity),
        price: Price::from_paise(9_900),
        ts_event: start(),
    }
}

fn positions(net: i64) -> Vec<PositionReport> {
    vec![position(Product::Margin, net, 0)]
}

impl Desk {
    /// All three books are read, one after another, a moment later.
    fn reconciles(&mut self, books: &Books) -> Vec<Effect> {
        self.now = self.now.plus(SETTLE);
        let mut effects = self.reads(books.orders.clone());
        effects.extend(self.step(Event::Trades(books.trades.clone())));
        self.now = self.now.plus(SECOND);
        effects.extend(self.step(Event::Positions { started_at: self.now, positions: positions(books.net) }));
        effects
    }
}

/// What a person is told, in one word each.
fn words(effects: &[Effect]) -> Vec<&'static str> {
    let word = |alert: &&Alert| match alert {
        Alert::Drift(..) => Some("drift"),
        Alert::Detached(_) => Some("detached"),
        Alert::Unrecorded(_) => Some("unrecorded"),
        Alert::Duplicate(_) => Some("duplicate"),
        Alert::Missing(_) => Some("missing"),
        // How far a copy is from perfect is another matter.
        Alert::CopyGap(..) => None,
        other => panic!("{other:?}"),
    };
    alerts(effects).iter().filter_map(word).collect()
}

/// A difference, what is held because of copies once it is reconciled, and what is told.
struct Case {
    name: &'static str,
    differ: fn(&Desk, &ClientOrderId, &mut Books),
    holds: i64,
    told: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case { name: "none", differ: |_, _, _| {}, holds: 130, told: &[] },
    Case {
        name: "the book tells of fills that nobody heard of",
        differ: |desk, ours, books| {
            books.orders[1] = desk.row(ours, "b-L", BrokerStatus::PartTraded, 65);
            books.net = 195;
        },
        holds: 195,
        told: &[],
    },
    Case {
        name: "the trade book tells of fills that the order book does not",
        differ: |_, _, books| {
            books.trades.push(trade("b-L", "t-2", 65));
            books.net = 195;
        },
        holds: 195,
        told: &[],
    },
    Case {
        name: "the trade book tells one fill twice",
        differ: |_, _, books| {
            books.trades.extend([trade("b-L", "t-2", 65), trade("b-L", "t-2", 65)]);
            books.net = 195;
        },
        holds: 195,
        told: &[],
    },
    Case {
        name: "the trade book tells of more than was ordered: the order book has the say in that",
        differ: |_, _, books| {
            books.trades.push(trade("b-L", "t-2", 195));
            books.net = 260;
        },
        holds: 260,
        told: &[],
    },
    Case {
        name: "the order is over at the exchange",
        differ: |desk, ours, books| books.orders[1] = desk.row(ours, "b-L", BrokerStatus::Expired, 0),
        holds: 130,
        told: &[],
    },
    Case {
        name: "a human's cancel",
        differ: |desk, ours, books| books.orders[1] = desk.row(ours, "b-L", BrokerStatus::Cancelled, 0),
        holds: 130,
        told: &["detached"],
    },
    Case {
        name: "a human's change",
        differ: |_, _, books| books.orders[1].terms.price = Price::from_paise(9_000),
        holds: 130,
        told: &["detached"],
    },
    Case {
        name: "somebody's own order, with the position it made",
        differ: |_, _, books| {
            let filled = manual("by-hand", terms(BUY, 65));
            let cumulative = Quantity::new(65);
            books.orders.push(OrderReport { status: BrokerStatus::Traded, cumulative, ..filled });
            books.net = 195;
        },
        holds: 130,
        told: &[],
    },
    Case {
        name: "an order with our tag and no row",
        differ: |_, _, books| {
            let tag = Tag::from_wire("tdm-222222222222222222222");
            books.orders.push(OrderReport { tag, ..manual("b-X", terms(BUY, 65)) });
        },
        holds: 130,
        told: &["unrecorded"],
    },
    Case {
        name: "a second order with the tag of one of ours",
        differ: |desk, ours, books| books.orders.push(desk.row(ours, "b-Y", BrokerStatus::Pending, 0)),
        holds: 130,
        told: &["duplicate"],
    },
    Case {
        name: "an order that the broker took is not in its book",
        differ: |_, _, books| drop(books.orders.pop()),
        holds: 130,
        told: &["missing"],
    },
    Case {
        name: "units that no row explains",
        differ: |_, _, books| books.net = 195,
        holds: 130,
        told: &["drift"],
    },
    Case { name: "units that are gone", differ: |_, _, books| books.net = 0, holds: 130, told: &["drift"] },
];

#[test]
fn each_difference_heals_or_is_told_once() {
    for Case { name, differ, holds, told } in CASES {
        let (mut desk, ours, mut books) = account();
        differ(&desk, &ours, &mut books);
        let mut effects = Vec::new();
        // The second time is the proof, the others change nothing more.
        for _ in 0..4 {
            effects.extend(desk.reconciles(&books));
        }
        assert_eq!((desk.position(), words(&effects)), (*holds, told.to_vec()), "{name}");
        assert_eq!(placements(&effects), vec![], "{name}");
        assert_eq!(words(&desk.reconciles(&books)), Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn books_that_agree_with_the_rows_change_nothing() {
    let (mut desk, _, books) = account();
    desk.reconciles(&books);
    for _ in 0..3 {
        let effects = desk.reconciles(&books);
        assert_eq!((stored(&effects), alerts(&effects), requests(&effects)), (vec![], vec![], vec![]));
    }
}

#[test]
fn what_the_trade_book_told_the_order_book_does_not_tell_again() {
    let (mut desk, ours, mut books) = account();
    books.trades.push(trade("b-L", "t-2", 130));
    books.net = 260;
    let effects = desk.reconciles(&books);
    assert_eq!((desk.position(), desk.child("L").state.as_str()), (260, "filled"));
    assert!(stored(&effects).contains(&("order", "TRADED".to_owned())), "{:?}", stored(&effects));
    assert!(stored(&effects).contains(&("trade", "t-2".to_owned())));
    assert_eq!(desk.child("L").average_price, Price::from_paise(9_900));
    // It lags no more.
    books.orders[1] = desk.row(&ours, "b-L", BrokerStatus::Traded, 130);
    assert_eq!(words(&desk.reconciles(&books)), Vec::<&str>::new());
    assert_eq!(desk.position(), 260);
}

#[test]
fn an_order_that_is_shown_again_is_missed_no_more() {
    let (mut desk, _, mut books) = account();
    let row = books.orders.pop().unwrap();
    let lost: Vec<Effect> = (0..3).flat_map(|_| desk.reconciles(&books)).collect();
    assert_eq!(words(&lost), ["missing"]);
    assert_eq!(desk.child("L").state.as_str(), "working", "nothing is concluded from it");
    // A read that is not complete tells neither the one nor the other.
    let read = BookRead { started_at: desk.now, orders: Vec::new(), complete: false };
    assert!(!desk.step(Event::Book(read)).iter().any(|effect| matches!(effect, Effect::Over(_))));
    books.orders.push(row);
    let found = desk.reconciles(&books);
    let is_over = |effect: &Effect| matches!(effect, Effect::Over(Alert::Missing(_)));
    assert_eq!(found.iter().filter(|effect| is_over(effect)).count(), 1);
}

#[test]
fn an_order_that_the_broker_took_a_moment_ago_may_not_be_shown_yet() {
    let (mut desk, _, books) = account();
    let new = desk.works("N", terms(BUY, 65));
    for _ in 0..2 {
        assert_eq!(words(&desk.reads(books.orders.clone())), Vec::<&str>::new());
    }
    let orders = [books.orders, vec![desk.row(&new, "b-N", BrokerStatus::Pending, 0)]].concat();
    desk.passes(SETTLE * 2);
    assert_eq!(words(&desk.reads(orders)), Vec::<&str>::new());
}

#[test]
fn a_drift_ends_when_the_positions_agree() {
    let (mut desk, _, mut books) = account();
    books.net = 195;
    for _ in 0..2 {
        desk.reconciles(&books);
    }
    books.net = 130;
    let effects = desk.reconciles(&books);
    assert_eq!(stored(&effects), stored_as(&[("drift", "0")]));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Over(Alert::Drift(..)))));
}
