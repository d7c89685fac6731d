//! Super and forever orders: their form, their legs, and what is read back of them; orders that are not ours.

use tandem_domain::ids::TradeId;
use tandem_domain::order::{BrokerStatus, ExitLegs, Leg, OcoLeg, OrderForm, Product, Side, TradeReport};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;

use super::fixtures::{
    Bench, account, asha, at, child, day, follower_order, ground, instrument, intent, leader, leader_event,
    leader_order, order_id, reported, requested,
};
use crate::store::{AccountOrder, IntentState, OrderRole, Write};

fn legs(stop_paise: u32) -> OrderForm {
    OrderForm::Super(ExitLegs {
        target: Some(Price::from_paise(20_000)),
        stop: Some(Price::from_paise(stop_paise)),
        trailing: Price::from_paise(100),
    })
}

/// A leg of the order with this id, in the account of `of`.
fn leg_of(of: &AccountOrder, id: &str, leg: Leg) -> AccountOrder {
    let mut order = of.clone();
    order.client_order_id = None;
    order.report.parent = Some(of.report.broker_order_id.clone());
    (order.report.broker_order_id, order.report.leg, order.report.tag) = (order_id(id), leg, None);
    order.report.terms.form = OrderForm::Ordinary;
    order
}

#[test]
fn a_form_is_read_back_wherever_it_stands() {
    for form in [
        legs(17_000),
        OrderForm::Forever(None),
        OrderForm::Forever(Some(OcoLeg {
            price: Price::from_paise(16_900),
            trigger: Price::from_paise(17_000),
            quantity: Quantity::new(65),
        })),
    ] {
        let bench = Bench::new();
        let mut order = leader_order();
        order.terms.form = form;
        let mut job = ground();
        job[0] = leader_event(&order);
        bench.commit(job).unwrap();
        let mut place = intent(&child(0, 1), IntentState::Acked, 130);
        (place.terms.form, place.event) = (form, Some(order.fingerprint()));
        let mut copy = follower_order(&child(0, 1), "F1", BrokerStatus::Pending, 0);
        copy.report.terms.form = form;
        bench.commit(vec![requested(&place), reported(&copy)]).unwrap();
        let mirror = bench.store.reader.mirrors(day(), &asha()).unwrap().remove(0);
        assert_eq!(*mirror.leader, order);
        assert_eq!(mirror.intents, [place]);
        assert_eq!(mirror.orders, [copy]);
        let sql = "SELECT COUNT(*) FROM order_events WHERE json_valid(form)";
        assert_eq!(bench.raw().query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap(), 2);
    }
}

#[test]
fn a_changed_leg_is_news_and_the_plain_book_takes_no_form_away() {
    let bench = Bench::new();
    let mut order = follower_order(&child(0, 1), "F1", BrokerStatus::Pending, 0);
    for form in [legs(17_000), legs(17_100), OrderForm::Ordinary] {
        order.report.terms.form = form;
        bench.commit(vec![reported(&order), reported(&order)]).unwrap();
    }
    assert_eq!(bench.count("order_events"), 3);
    assert_eq!(bench.store.reader.active_orders(day()).unwrap()[0].report.terms.form, legs(17_100));
}

#[test]
fn the_legs_of_a_copy_come_with_its_mirror() {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    let entry = follower_order(&child(0, 1), "F1", BrokerStatus::Traded, 130);
    let stop = leg_of(&entry, "F1S", Leg::StopLoss);
    let target = leg_of(&entry, "F1T", Leg::Target);
    // The stream may show a leg before anybody knows whose it is.
    let mut stranger = stop.clone();
    (stranger.role, stranger.report.parent) = (OrderRole::External, None);
    bench
        .commit(vec![
            requested(&intent(&child(0, 1), IntentState::Acked, 130)),
            reported(&stranger),
            reported(&entry),
            reported(&stop),
            reported(&target),
        ])
        .unwrap();
    assert_eq!(bench.store.reader.mirrors(day(), &asha()).unwrap()[0].orders, [entry, stop, target]);
    assert!(bench.store.reader.external_orders(day(), &account()).unwrap().is_empty());
}

#[test]
fn a_leg_of_the_leaders_is_no_order_to_be_planned() {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    let mut entry = follower_order(&child(0, 1), "L1", BrokerStatus::Pending, 0);
    (entry.role, entry.report.account) = (OrderRole::Leader, leader());
    bench.commit(vec![reported(&leg_of(&entry, "L1S", Leg::StopLoss))]).unwrap();
    let reader = &bench.store.reader;
    assert_eq!(bench.count("orders"), 2);
    assert_eq!(reader.leader_orders(day(), &leader()).unwrap().len(), 1);
    assert!(reader.unplanned_leader_orders(day(), &leader(), &asha()).unwrap().is_empty());
    assert_eq!(reader.day_counts(day()).unwrap().leader_orders, 1);
}

#[test]
fn what_a_human_places_is_recorded_with_its_first_sight() {
    let bench = Bench::new();
    let mut order = follower_order(&child(0, 1), "X1", BrokerStatus::Pending, 0);
    (order.role, order.client_order_id, order.report.tag) = (OrderRole::External, None, None);
    bench.commit(vec![reported(&order)]).unwrap();
    (order.report.status, order.ts_init, order.report.ts_event) = (BrokerStatus::Cancelled, at(9), at(9));
    bench.commit(vec![reported(&order)]).unwrap();
    let external = bench.store.reader.external_orders(day(), &account()).unwrap();
    assert_eq!(external.len(), 1);
    assert_eq!((&external[0].order, external[0].first_seen_at), (&order, at(4)));
    assert!(bench.store.reader.external_orders(day(), &leader()).unwrap().is_empty());
}

#[test]
fn p10_a_late_fill_and_an_overfill_are_kept() {
    let bench = Bench::new();
    let fill = |id: &str, order: &str, units| Write::Trade {
        report: Box::new(TradeReport {
            account: account(),
            broker_order_id: order_id(order),
            trade_id: TradeId::new(id).unwrap(),
            instrument: instrument(),
            side: Side::Buy,
            product: Product::Margin,
            quantity: Quantity::new(units),
            price: Price::from_paise(18_240),
            ts_event: at(6),
        }),
        trading_day: day(),
        ts_init: at(7),
    };
    // The fill may be known before its order is.
    bench.commit(vec![fill("T1", "F1", 130)]).unwrap();
    bench.commit(vec![reported(&follower_order(&child(0, 1), "F1", BrokerStatus::Cancelled, 0))]).unwrap();
    bench.commit(vec![reported(&follower_order(&child(0, 1), "F1", BrokerStatus::Cancelled, 140))]).unwrap();
    bench.commit(vec![fill("T2", "F1", 10), fill("T3", "X9", 5)]).unwrap();
    let sql = "SELECT COUNT(*), SUM(quantity), COUNT(DISTINCT client_order_id) FROM order_trades";
    let (trades, units, ours): (u32, u32, u32) =
        bench.raw().query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    assert_eq!((trades, units, ours), (3, 145, 1));
    let cumulative: u32 =
        bench.raw().query_row("SELECT cumulative FROM orders", [], |row| row.get(0)).unwrap();
    assert_eq!(cumulative, 140);
}
