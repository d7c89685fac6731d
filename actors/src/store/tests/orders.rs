//! Order states, fills and mappings.

use tandem_domain::gates::DeniedReason;
use tandem_domain::ids::TradeId;
use tandem_domain::mirror::Outcome;
use tandem_domain::order::{BrokerStatus, EvidenceSource, Side, TradeReport};
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::Quantity;

use super::fixtures::{
    Bench, account, at, child, day, follower_order, ground, instrument, is_constraint, is_illegal, leader,
    leader_event, leader_order, mapping, mirror_key, order_id, reported,
};
use crate::store::{FillComparison, OrderRole, Write};

#[test]
fn a_leader_event_counts_once_and_an_older_one_changes_nothing() {
    let bench = Bench::new();
    let older = leader_order();
    let mut newer = leader_order();
    (newer.ts_event, newer.terms.price) = (at(5), Price::from_paise(18_300));
    newer.exited = Quantity::new(65);
    (newer.last_price, newer.forever_parent) = (Some(Price::from_paise(18_310)), Some(order_id("L0")));
    bench.commit(vec![leader_event(&newer), leader_event(&newer)]).unwrap();
    assert_eq!(bench.count("order_events"), 1);
    // Another follower's job brings the earlier state late.
    bench.commit(vec![leader_event(&older)]).unwrap();
    assert_eq!(bench.count("order_events"), 2);
    let stored = bench.store.reader.leader_orders(day(), &leader()).unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(*stored[0], newer);
    assert_eq!(stored[0].last_price, newer.last_price);
}

#[test]
fn p9_cumulative_only_rises_and_the_end_is_the_end() {
    let bench = Bench::new();
    let states = [
        (BrokerStatus::PartTraded, 65),
        (BrokerStatus::Cancelled, 65),
        (BrokerStatus::Pending, 0),
        (BrokerStatus::Cancelled, 130),
    ];
    for (status, cumulative) in states {
        bench.commit(vec![reported(&follower_order(&child(0, 1), "F1", status, cumulative))]).unwrap();
    }
    assert_eq!(bench.count("order_events"), 4);
    let (status, terminal, cumulative): (String, bool, u32) = bench
        .raw()
        .query_row("SELECT status, terminal, cumulative FROM orders", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert_eq!((status.as_str(), terminal, cumulative), ("CANCELLED", true, 130));
}

#[test]
fn one_state_by_stream_and_by_book_is_one_event() {
    let bench = Bench::new();
    let mut order = follower_order(&child(0, 1), "F1", BrokerStatus::Pending, 0);
    bench.commit(vec![reported(&order)]).unwrap();
    order.report.source = EvidenceSource::Book;
    bench.commit(vec![reported(&order)]).unwrap();
    assert_eq!((bench.count("order_events"), bench.count("orders")), (1, 1));
}

#[test]
fn an_external_order_may_turn_out_to_be_ours() {
    let bench = Bench::new();
    let ours = follower_order(&child(0, 1), "F1", BrokerStatus::Pending, 0);
    let mut external = ours.clone();
    (external.role, external.client_order_id) = (OrderRole::External, None);
    for order in [&external, &ours, &external] {
        bench.commit(vec![reported(order)]).unwrap();
    }
    let active = bench.store.reader.active_orders(day()).unwrap();
    assert_eq!((active.len(), active[0].role), (1, OrderRole::Follower));
    assert_eq!(active[0].client_order_id, ours.client_order_id);
}

#[test]
fn p2_one_order_for_each_of_our_ids() {
    let bench = Bench::new();
    bench.commit(vec![reported(&follower_order(&child(0, 1), "F1", BrokerStatus::Pending, 0))]).unwrap();
    let double = follower_order(&child(0, 1), "F2", BrokerStatus::Pending, 0);
    is_constraint(bench.commit(vec![reported(&double)]), "UNIQUE");
}

#[test]
fn p9_a_fill_counts_once() {
    let bench = Bench::new();
    let fill = TradeReport {
        account: account(),
        broker_order_id: order_id("F1"),
        trade_id: TradeId::new("T1").unwrap(),
        instrument: instrument(),
        side: Side::Buy,
        product: tandem_domain::order::Product::Margin,
        quantity: Quantity::new(65),
        price: Price::from_paise(18_240),
        ts_event: at(4),
    };
    let write = Write::Trade { report: Box::new(fill.clone()), trading_day: day(), ts_init: at(5) };
    bench.commit(vec![write.clone(), write.clone()]).unwrap();
    bench.commit(vec![write]).unwrap();
    assert_eq!(bench.store.reader.trades(day(), &account()).unwrap(), [fill]);
}

#[test]
fn p26_a_copy_that_is_not_made_has_a_reason() {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    let write = |outcome, reason| {
        let mut row = mapping(outcome, 0);
        row.reason = reason;
        bench.commit(vec![Write::Mapping(Box::new(row))])
    };
    is_constraint(write(Outcome::Skipped, None), "CHECK");
    write(Outcome::Skipped, Some(DeniedReason::BelowOneLot)).unwrap();
    // A share below one lot may grow into one.
    write(Outcome::Sent, None).unwrap();
    write(Outcome::Voided, Some(DeniedReason::ProvenAbsent)).unwrap();
    // The broker's book outranks the proof: the order is there after all.
    write(Outcome::Sent, None).unwrap();
}

#[test]
fn what_was_not_to_be_opened_may_come_to_close() {
    for (outcome, reason) in [
        (Outcome::Skipped, DeniedReason::LotsPerOrder),
        (Outcome::Skipped, DeniedReason::NothingToClose),
        (Outcome::Voided, DeniedReason::StaleEntry),
        (Outcome::Voided, DeniedReason::ProvenAbsent),
    ] {
        for revived in [Outcome::AwaitingLeader, Outcome::Waiting, Outcome::Sent, Outcome::Voided] {
            let bench = Bench::new();
            bench.commit(ground()).unwrap();
            let write = |outcome, reason| {
                let mut row = mapping(outcome, 0);
                row.reason = reason;
                bench.commit(vec![Write::Mapping(Box::new(row))])
            };
            write(outcome, Some(reason)).unwrap();
            write(revived, Some(DeniedReason::NothingToClose)).unwrap();
            write(Outcome::Sent, None).unwrap();
        }
    }
}

#[test]
fn fills_are_compared_and_the_comparison_survives() {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    let comparison = FillComparison {
        key: mirror_key(),
        filled: Quantity::new(130),
        leader_average: Price::from_paise(18_235),
        follower_average: Price::from_paise(18_240),
        slippage: Money::from_units(65_000),
        slippage_ticks: Some(1),
        slippage_bps_x100: Some(274),
        delay_us: Some(-1_500),
        updated_at: at(6),
    };
    bench.commit(vec![Write::FillComparison(Box::new(comparison.clone()))]).unwrap();
    // The mapping written again, by somebody who has not heard of the fills.
    bench.commit(vec![Write::Mapping(Box::new(mapping(Outcome::Sent, 130)))]).unwrap();
    let mut stored = bench.store.reader.fill_comparisons(day()).unwrap();
    stored[0].updated_at = at(6);
    assert_eq!(stored, std::slice::from_ref(&comparison));
    let mut stranger = comparison;
    stranger.key.leader_order = order_id("L9");
    is_illegal(bench.commit(vec![Write::FillComparison(Box::new(stranger))]));
}
