//! What the ledger of a day is built from.

use chrono::NaiveDate;
use tandem_domain::account::PositionReport;
use tandem_domain::follower::{Conversion, Converted, Opening, Record};
use tandem_domain::ids::ChildKey;
use tandem_domain::instrument::{InstrumentKey, InstrumentKind, InstrumentRow, InstrumentTable, SecurityId};
use tandem_domain::order::{BrokerStatus, Leg, Product, Side};
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::{LotSize, Quantity, SignedQuantity};
use tandem_domain::time::{Timestamp, TradingDay};

use super::fixtures::{
    Bench, account, asha, at, child, day, follower_order, instrument, leader_event, leader_order, order_id,
    reported,
};
use crate::records::{Circumstances, Owner, writes};
use crate::store::{
    AccountOrder, Carried, ConvertedRow, OpeningRow, OrderRole, PositionsSnapshot, Write, instrument_parts,
    units_held,
};

fn next_day() -> TradingDay {
    TradingDay::from_ymd(2026, 12, 2).unwrap()
}

fn other() -> InstrumentKey {
    InstrumentKey { security_id: SecurityId(7), ..instrument() }
}

fn opening(instrument: InstrumentKey, copied: i64) -> Opening {
    Opening { instrument, leader: 2 * copied, copied, own: 65 }
}

fn opened(of: TradingDay, opening: Opening) -> Write {
    Write::Opening(OpeningRow { trading_day: of, follower: asha(), opening, recorded_at: at(0) })
}

/// A copy that has filled so far, in terms of its own.
fn filled(slice: u16, id: &str, adjust: impl FnOnce(&mut AccountOrder), units: u32) -> Write {
    let mut order = follower_order(&ChildKey { slice, ..child(0, 1) }, id, BrokerStatus::Traded, units);
    adjust(&mut order);
    reported(&order)
}

fn sold(order: &mut AccountOrder) {
    order.report.terms.side = Side::Sell;
}

/// Instrument, product and units of what was left.
fn left(bench: &Bench, today: TradingDay) -> Vec<(InstrumentKey, Option<Product>, i64)> {
    let carried = bench.store.reader.carried(&asha(), &account(), today).unwrap();
    carried.into_iter().map(|carried| (carried.instrument, carried.product, carried.units)).collect()
}

fn store_master(bench: &Bench, of: TradingDay, symbol: &str, expiry: NaiveDate) {
    let mut table = InstrumentTable::builder();
    table.push(InstrumentRow {
        key: instrument(),
        kind: InstrumentKind::IndexOption,
        symbol,
        underlying: "NIFTY",
        lot_size: LotSize::new(65).unwrap(),
        tick: Price::from_paise(5),
        expiry: Some(expiry),
        option: None,
        freeze_quantity: None,
        band: None,
    });
    for part in instrument_parts(&table.build(), of, "test".into(), at(0)) {
        bench.commit(vec![Write::Instruments(part)]).unwrap();
    }
}

#[test]
fn the_newest_word_on_a_days_opening_counts() {
    let bench = Bench::new();
    let (follower, account) = (asha(), account());
    let owner = Owner { follower: &follower, account: &account };
    let around = Circumstances { now: at(0), news: None };
    let mut told = Opening { instrument: instrument(), leader: 260, copied: 0, own: 0 };
    let record = |opening| bench.commit(writes(vec![Record::Opening(opening)], owner, &around)).unwrap();
    record(told);
    // The follower's positions come after the leader's.
    (told.copied, told.own) = (-130, 65);
    record(told);
    let on_record = |of| {
        let openings = bench.store.reader.openings(of, &asha()).unwrap();
        openings.into_iter().map(|(opening, _)| opening).collect::<Vec<_>>()
    };
    assert_eq!(on_record(day()), [told]);
    // It was told in the night, and is no more there in the morning.
    told = Opening { instrument: instrument(), leader: 260, copied: 0, own: 0 };
    record(told);
    bench.commit(vec![opened(next_day(), opening(instrument(), 65))]).unwrap();
    assert_eq!(on_record(day()), [told]);
    assert_eq!(on_record(next_day()), [opening(instrument(), 65)]);
}

#[test]
fn what_a_day_leaves_is_its_opening_and_its_fills() {
    let bench = Bench::new();
    assert!(left(&bench, next_day()).is_empty());
    bench
        .commit(vec![opened(day(), opening(instrument(), 130)), opened(day(), opening(other(), -65))])
        .unwrap();
    let margin = Some(Product::Margin);
    // Nothing tells the product.
    assert_eq!(left(&bench, next_day()), [(other(), None, -65), (instrument(), None, 130)]);
    bench
        .commit(vec![
            filled(0, "F1", sold, 65),
            // Bought and sold again, and what the owner did himself.
            filled(1, "F2", |_| {}, 130),
            filled(2, "F3", sold, 130),
            filled(3, "F4", |order| (order.role, order.client_order_id) = (OrderRole::External, None), 260),
        ])
        .unwrap();
    assert_eq!(left(&bench, next_day()), [(other(), None, -65), (instrument(), margin, 65)]);
    // The day itself does not see what it does.
    assert!(left(&bench, day()).is_empty());
}

/// P6: what was gone on a later day is not taken for copied because its owner has bought it anew.
#[test]
fn a_later_day_on_which_positions_were_read_tells_all() {
    let bench = Bench::new();
    bench
        .commit(vec![opened(day(), opening(instrument(), 130)), opened(day(), opening(other(), 65))])
        .unwrap();
    let third = TradingDay::from_ymd(2026, 12, 3).unwrap();
    assert_eq!(left(&bench, third).len(), 2);
    let flat = PositionsSnapshot {
        account: account(),
        trading_day: next_day(),
        taken_at: at(1),
        positions: Vec::new(),
    };
    bench.commit(vec![Write::Positions(flat)]).unwrap();
    assert_eq!(left(&bench, next_day()).len(), 2);
    assert!(left(&bench, third).is_empty());
}

#[test]
fn each_product_is_counted_by_itself() {
    let bench = Bench::new();
    let intraday = |order: &mut AccountOrder| order.report.terms.product = Product::Intraday;
    bench.commit(vec![opened(day(), opening(instrument(), 65)), filled(0, "F1", intraday, 130)]).unwrap();
    // Over night it was in another product than what was bought within the day.
    assert_eq!(
        left(&bench, next_day()),
        [(instrument(), None, 65), (instrument(), Some(Product::Intraday), 130)]
    );
    let position = |product, net| PositionReport {
        instrument: instrument(),
        product,
        net: SignedQuantity(net),
        carried: SignedQuantity(0),
        buy_average: Price::ZERO,
        sell_average: Price::ZERO,
        realised: Money::ZERO,
        unrealised: Money::ZERO,
        ts_event: at(1),
    };
    let positions = vec![position(Product::Margin, 65), position(Product::Intraday, 130)];
    let read = PositionsSnapshot { account: account(), trading_day: day(), taken_at: at(1), positions };
    bench.commit(vec![Write::Positions(read)]).unwrap();
    assert_eq!(
        left(&bench, next_day()),
        [(instrument(), Some(Product::Intraday), 130), (instrument(), Some(Product::Margin), 65)]
    );
}

#[test]
fn exits_of_a_super_order_are_taken_off_its_entry() {
    let bench = Bench::new();
    let leg = |leg: Leg| {
        move |order: &mut AccountOrder| {
            sold(order);
            (order.client_order_id, order.report.leg) = (None, leg);
            order.report.parent = Some(order_id("F1"));
        }
    };
    let margin = Some(Product::Margin);
    bench.commit(vec![filled(0, "F1", |_| {}, 130), filled(1, "F2", leg(Leg::Target), 65)]).unwrap();
    assert_eq!(left(&bench, next_day()), [(instrument(), margin, 65)]);
    // What a fired forever order leaves has the fills of the forever order itself.
    bench.commit(vec![filled(1, "F3", leg(Leg::Single), 65)]).unwrap();
    assert_eq!(left(&bench, next_day()), [(instrument(), margin, 65)]);
    let closed = |order: &mut AccountOrder| order.report.status = BrokerStatus::Closed;
    bench.commit(vec![filled(0, "F1", closed, 130)]).unwrap();
    assert!(left(&bench, next_day()).is_empty());
}

/// Bought intraday, converted to margin as the leader did: it is held over night.
#[test]
fn what_was_converted_is_carried_in_the_product_it_was_converted_to() {
    let bench = Bench::new();
    let intraday = |order: &mut AccountOrder| order.report.terms.product = Product::Intraday;
    bench.commit(vec![filled(0, "F1", intraday, 130)]).unwrap();
    let carried = |bench: &Bench| {
        let carried = bench.store.reader.carried(&asha(), &account(), next_day()).unwrap();
        units_held(&carried, next_day()).get(&instrument()).copied()
    };
    assert_eq!(carried(&bench), None, "the broker has closed it");
    let (from, to) = (Product::Intraday, Product::Margin);
    let leader = Conversion { instrument: instrument(), from, to, units: 260 };
    let copy = Some(Conversion { units: 130, ..leader });
    let converted = |copy| {
        let converted = Converted { leader, copy, at: at(5) };
        Write::Converted(ConvertedRow { trading_day: day(), follower: asha(), converted, at: at(6) })
    };
    bench.commit(vec![converted(copy)]).unwrap();
    assert_eq!(carried(&bench), Some(130));
    assert_eq!(
        bench.store.reader.conversions(day(), &asha()).unwrap(),
        [Converted { leader, copy, at: at(5) }]
    );
    // The broker did not do it after all.
    bench.commit(vec![converted(None)]).unwrap();
    assert_eq!(carried(&bench), None);
    assert_eq!(bench.store.reader.conversions(day(), &asha()).unwrap().len(), 1);
}

#[test]
fn what_has_expired_is_known_though_its_id_was_given_to_another() {
    let bench = Bench::new();
    store_master(&bench, day(), "NIFTY-1DEC", day().date());
    bench.commit(vec![opened(day(), opening(instrument(), 65))]).unwrap();
    store_master(&bench, next_day(), "NIFTY-29DEC", NaiveDate::from_ymd_opt(2026, 12, 29).unwrap());
    let carried = bench.store.reader.carried(&asha(), &account(), next_day()).unwrap();
    let expected = Carried {
        instrument: instrument(),
        product: None,
        units: 65,
        symbol: Some("NIFTY-1DEC".to_owned()),
        expiry: Some(day().date()),
        trading_day: day(),
    };
    assert_eq!(carried, [expected]);
    assert!(carried[0].has_expired(next_day()) && !carried[0].has_expired(day()));
    assert!(units_held(&carried, next_day()).is_empty());
    assert_eq!(units_held(&carried, day())[&instrument()], 65);
}

#[test]
fn the_leaders_fills_are_points_in_time() {
    let bench = Bench::new();
    let mut order = leader_order();
    let mut states = vec![leader_event(&order)];
    let mut state = |status, cumulative, exited, seconds| {
        (order.status, order.cumulative) = (status, Quantity::new(cumulative));
        (order.exited, order.ts_event) = (Quantity::new(exited), at(seconds));
        states.push(leader_event(&order));
    };
    state(BrokerStatus::PartTraded, 65, 0, 3);
    state(BrokerStatus::PartTraded, 130, 0, 4);
    // Neither a change of price nor the end is a fill.
    state(BrokerStatus::Pending, 130, 0, 6);
    state(BrokerStatus::Cancelled, 130, 0, 7);
    state(BrokerStatus::Cancelled, 130, 65, 9);
    let unfilled = tandem_domain::leader::LeaderOrder { broker_order_id: order_id("L2"), ..leader_order() };
    states.push(leader_event(&unfilled));
    // Another arrival of the oldest comes last.
    states.rotate_left(2);
    bench.commit(states).unwrap();
    let points = bench.store.reader.leader_fill_points(day()).unwrap();
    assert_eq!(points.len(), 1);
    let of_order: Vec<(Timestamp, u32, u32)> = points[&order_id("L1")]
        .iter()
        .map(|fill| (fill.at, fill.cumulative.get(), fill.exited.get()))
        .collect();
    assert_eq!(of_order, [(at(3), 65, 0), (at(4), 130, 0), (at(9), 130, 65)]);
    assert!(bench.store.reader.leader_fill_points(next_day()).unwrap().is_empty());
}
