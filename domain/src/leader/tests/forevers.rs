//! Forever orders: one for each id, and each leg leaves one order.

use super::*;
use crate::order::{ForeverReport, OcoLeg, Product};

fn row(id: &str, leg: Leg, status: BrokerStatus, paise: u32) -> ForeverReport {
    let terms = OrderTerms {
        side: Side::Sell,
        product: Product::Cnc,
        trigger: Price::from_paise(paise + 100),
        form: OrderForm::Forever(None),
        ..limit(5, paise)
    };
    let order = OrderReport {
        broker_order_id: BrokerOrderId::new(id).unwrap(),
        leg,
        ..book_row(frame(1, status, 0, terms))
    };
    ForeverReport { order, is_oco: leg != Leg::Single }
}

fn child(id: &str, quantity: u32, paise: u32) -> OrderReport {
    let terms = OrderTerms { side: Side::Sell, product: Product::Cnc, ..limit(quantity, paise) };
    OrderReport {
        broker_order_id: BrokerOrderId::new(id).unwrap(),
        ..frame(9, BrokerStatus::Pending, 0, terms)
    }
}

fn book() -> LeaderBook {
    LeaderBook::new(Timestamp::EPOCH.trading_day())
}

fn parent(merge: &Merge) -> Option<&str> {
    let Merge::Changed(order) = merge else { panic!("a new order: {merge:?}") };
    order.forever_parent.as_ref().map(BrokerOrderId::as_str)
}

#[test]
fn a_single_one_is_an_order_that_the_broker_has_accepted() {
    let mut book = book();
    let resting = row("F", Leg::Single, BrokerStatus::Confirm, 142_800);
    let Merge::Changed(order) = book.merge_forever(&resting, Timestamp::EPOCH) else { panic!("new") };
    assert_eq!((order.terms.form, order.is_accepted()), (OrderForm::Forever(None), true));
    assert_eq!(book.merge_forever(&resting, Timestamp::EPOCH), Merge::Unchanged);
    assert_eq!(book.merge(&resting.order, Timestamp::EPOCH), Merge::NeedsForevers);
    assert_eq!(book.len(), 1);
}

#[test]
fn two_rows_of_one_id_are_one_order_of_two_legs() {
    let rows = [
        row("F", Leg::Target, BrokerStatus::Confirm, 156_000),
        row("F", Leg::StopLoss, BrokerStatus::Confirm, 142_800),
    ];
    for order in [[0, 1], [1, 0]] {
        let mut book = book();
        assert_eq!(book.merge_forever(&rows[order[0]], Timestamp::EPOCH), Merge::Unchanged);
        assert_eq!(book.without_legs().count(), 1);
        let Merge::Changed(whole) = book.merge_forever(&rows[order[1]], Timestamp::EPOCH) else {
            panic!("whole")
        };
        assert_eq!(whole.terms.price, Price::from_paise(156_000));
        let second = OcoLeg {
            price: Price::from_paise(142_800),
            trigger: Price::from_paise(142_900),
            quantity: Quantity::new(5),
        };
        assert_eq!(whole.terms.form, OrderForm::Forever(Some(second)));
    }
}

#[test]
fn the_leg_that_fires_speaks_for_both() {
    let mut book = book();
    book.merge_forever(&row("F", Leg::Target, BrokerStatus::Cancelled, 156_000), Timestamp::EPOCH);
    book.merge_forever(&row("F", Leg::StopLoss, BrokerStatus::Traded, 142_800), Timestamp::EPOCH);
    assert_eq!(book.iter().next().unwrap().status, BrokerStatus::Traded);
}

#[test]
fn what_it_leaves_is_marked_once_for_each_leg() {
    let mut book = book();
    for leg in [(Leg::Target, 156_000), (Leg::StopLoss, 142_800)] {
        book.merge_forever(&row("F", leg.0, BrokerStatus::Confirm, leg.1), Timestamp::EPOCH);
    }
    for (id, quantity, paise, of) in [
        ("other price", 5, 142_900, None),
        ("other quantity", 4, 142_800, None),
        ("stop", 5, 142_800, Some("F")),
        ("stop again", 5, 142_800, None),
        ("target", 5, 156_000, Some("F")),
    ] {
        let merge = book.merge(&child(id, quantity, paise), Timestamp::EPOCH);
        assert_eq!(parent(&merge), of, "{id}");
    }
}

#[test]
fn what_it_filled_is_what_the_order_filled_that_it_left() {
    let filled = |cumulative: u32, row_says| {
        let mut book = book();
        book.merge_forever(&row("F", Leg::Single, BrokerStatus::Confirm, 142_800), Timestamp::EPOCH);
        if cumulative > 0 {
            let terms = child("C", 5, 142_800).terms;
            let report = OrderReport {
                broker_order_id: BrokerOrderId::new("C").unwrap(),
                ..frame(9, BrokerStatus::PartTraded, cumulative, terms)
            };
            book.merge(&report, Timestamp::EPOCH);
        }
        book.merge_forever(&row("F", Leg::Single, row_says, 142_800), Timestamp::EPOCH);
        book.get(&BrokerOrderId::new("F").unwrap()).unwrap().cumulative.get()
    };
    assert_eq!(filled(0, BrokerStatus::Triggered), 0);
    assert_eq!(filled(3, BrokerStatus::Triggered), 3);
    assert_eq!(filled(3, BrokerStatus::Cancelled), 3);
    // Where that order was not seen: all of it, as the list says.
    assert_eq!(filled(0, BrokerStatus::Traded), 5);
}

#[test]
fn one_that_was_given_up_leaves_nothing() {
    let mut book = book();
    book.merge_forever(&row("F", Leg::Single, BrokerStatus::Cancelled, 142_800), Timestamp::EPOCH);
    assert_eq!(parent(&book.merge(&child("C", 5, 142_800), Timestamp::EPOCH)), None);
}
