//! A target and a stop for the same lots: what becomes of the one when the other fills or the leader leaves, and where the
//! broker bears one exit only.

use std::time::Duration;

use tandem_domain::ids::BrokerOrderId;
use tandem_sim::exchange::{OverlappingExits, SimOrder};

use super::{copy_of, holding, nets};
use crate::harness::{
    ASHA, Broker, Daemon, LEADER, Setup, Stage, buy, limit, sell, stop_loss, to_units, until,
};

/// Asha's orders that work.
fn working(broker: &Broker) -> Vec<SimOrder> {
    broker.orders(ASHA).into_iter().filter(|copy| !copy.status.is_terminal()).collect()
}

/// Four lots are held, two at Asha, and a target at 120.00 and a stop at 90.00 rest for all of them at both.
struct Guarded {
    target: BrokerOrderId,
    stop: BrokerOrderId,
    her_target: BrokerOrderId,
    her_stop: BrokerOrderId,
}

fn guarded(broker: &Broker, daemon: &Daemon) -> Guarded {
    let option = broker.option();
    holding(broker, daemon, 260, 130);
    let target = broker.lead(limit("120.00", sell(option, 260)));
    let her_target = copy_of(daemon, &target);
    let stop = broker.lead(stop_loss("90.00", "88.00", sell(option, 260)));
    let her_stop = copy_of(daemon, &stop);
    assert_eq!(broker.order(&her_target).terms, limit("120.00", sell(option, 130)));
    assert_eq!(broker.order(&her_stop).terms, stop_loss("90.00", "88.00", sell(option, 130)));
    Guarded { target, stop, her_target, her_stop }
}

#[test]
fn d12_target_fills_and_the_stop_is_cancelled() {
    let Stage { broker, daemon } = Setup::new().stage();
    let orders = guarded(&broker, &daemon);
    broker.fill(&orders.her_target, 130, "120.00");

    // At once: the leader holds and waits still.
    daemon.until_status(&orders.stop, "asha", "CANCELLED");
    broker.quiet();
    assert!(working(&broker).is_empty());
    assert_eq!(nets(&broker), (260, 0));
    // And nothing comes back while he gets there, in two steps.
    broker.fill(&orders.target, 260, "120.00");
    daemon.until_leader(&orders.target, "is filled", |leader| leader.status == "TRADED");
    broker.pass(Duration::from_secs(5));
    broker.cancel(LEADER, &orders.stop);
    broker.pass(Duration::from_secs(30));
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.calls(ASHA), ["POST /orders", "POST /orders", "POST /orders", "DELETE /orders"]);
    assert!(daemon.incidents().is_empty());
    daemon.end_at_rest(&broker);
}

#[test]
fn d12_target_fills_in_part_and_the_stop_is_trimmed() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    // A lot of hers was sold by an order of which he sold nothing.
    daemon.expects("copy_gap");
    let orders = guarded(&broker, &daemon);
    broker.fill(&orders.her_target, 65, "120.00");

    until("the stop is for what is left", || {
        (broker.order(&orders.her_stop).terms.quantity.get() == 65).then_some(())
    });
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (3, 1, 0));
    // The stops fire at both; what is left of her target goes.
    broker.price(broker.option(), "89.00");
    daemon.until_filled(&orders.stop, "asha", 65);
    daemon.until_status(&orders.target, "asha", "CANCELLED");
    broker.cancel(LEADER, &orders.target);
    broker.pass(Duration::from_secs(30));
    assert_eq!(nets(&broker), (0, 0));
    assert!(working(&broker).is_empty());
    daemon.end_at_rest(&broker);
}

#[test]
fn d12_stop_fires_and_the_target_is_cancelled() {
    let Stage { broker, daemon } = Setup::new().stage();
    let orders = guarded(&broker, &daemon);
    broker.price(broker.option(), "89.00");

    daemon.until_filled(&orders.stop, "asha", 130);
    // He has not cancelled his.
    daemon.until_status(&orders.target, "asha", "CANCELLED");
    broker.pass(Duration::from_secs(30));
    assert_eq!(nets(&broker), (0, 0));
    assert!(working(&broker).is_empty());
    broker.cancel(LEADER, &orders.target);
    broker.pass(Duration::from_secs(5));
    assert_eq!(broker.asked(ASHA), (3, 0, 1));
    daemon.end_at_rest(&broker);
}

/// Asha's target rests; her broker takes no second exit for the same units.
fn with_target(broker: &Broker, daemon: &Daemon) -> (BrokerOrderId, BrokerOrderId) {
    broker.overlapping_exits(ASHA, OverlappingExits::RefusedAtOnce);
    holding(broker, daemon, 260, 130);
    let target = broker.lead(limit("120.00", sell(broker.option(), 260)));
    let copy = copy_of(daemon, &target);
    (target, copy)
}

/// The target was cancelled, then all of it was sold at the market.
fn assert_cancelled_and_sold(broker: &Broker, daemon: &Daemon, exit: &BrokerOrderId, copy: &BrokerOrderId) {
    daemon.until_filled(exit, "asha", 130);
    broker.pass(Duration::from_secs(30));
    assert_eq!(
        broker.calls(ASHA),
        ["POST /orders", "POST /orders", "DELETE /orders", "POST /orders"],
        "what frees the quantity goes first"
    );
    assert_eq!(broker.order(copy).status.as_str(), "CANCELLED");
    assert_eq!(broker.net(ASHA, broker.option()), 0);
}

#[test]
fn d19_target_is_cancelled_before_the_exit() {
    let Stage { broker, daemon } = Setup::new().stage();
    let (target, copy) = with_target(&broker, &daemon);
    broker.cancel(LEADER, &target);
    let exit = broker.lead(sell(broker.option(), 260));

    assert_cancelled_and_sold(&broker, &daemon, &exit, &copy);
    assert_eq!(nets(&broker), (0, 0));
    assert!(daemon.incidents().is_empty());
    daemon.end_at_rest(&broker);
}

#[test]
fn d19_leaves_by_market_while_his_target_rests() {
    let Stage { broker, daemon } = Setup::new().stage();
    let (target, copy) = with_target(&broker, &daemon);
    let exit = broker.lead(sell(broker.option(), 260));

    assert_cancelled_and_sold(&broker, &daemon, &exit, &copy);
    // His target rests still, and would open: hers stays away until it does.
    assert!(working(&broker).is_empty());
    broker.cancel(LEADER, &target);
    broker.pass(Duration::from_secs(30));
    assert_eq!(broker.asked(ASHA), (3, 0, 1));
    assert_eq!(nets(&broker), (0, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn d19_half_by_market_while_his_target_rests() {
    let Stage { broker, daemon } = Setup::new().stage();
    let (target, copy) = with_target(&broker, &daemon);
    let exit = broker.lead(sell(broker.option(), 130));

    daemon.until_filled(&exit, "asha", 65);
    broker.quiet();
    let order = broker.order(&copy);
    assert_eq!((order.terms.quantity.get(), order.status.as_str()), (65, "PENDING"));
    assert_eq!(broker.calls(ASHA), ["POST /orders", "POST /orders", "PUT /orders", "POST /orders"]);
    assert_eq!(nets(&broker), (130, 65));
    // He trims it himself; hers is right already.
    broker.change(LEADER, &target, &to_units(130));
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (3, 1, 0));
    broker.price(broker.option(), "120.00");
    daemon.until_filled(&target, "asha", 65);
    broker.pass(Duration::from_secs(30));
    assert_eq!(nets(&broker), (0, 0));
    daemon.end_at_rest(&broker);
}

/// Her broker takes one exit for the same units; the leader places a target and then a stop.
fn one_exit_only(how: OverlappingExits) {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.tolerates("copy_gap");
    daemon.tolerates("order refused");
    let option = broker.option();
    broker.overlapping_exits(ASHA, how);
    holding(&broker, &daemon, 260, 130);
    let target = broker.lead(limit("120.00", sell(option, 260)));
    copy_of(&daemon, &target);
    let stop = broker.lead(stop_loss("90.00", "88.00", sell(option, 260)));

    let kept = broker.until_order(ASHA, "is the stop", |copy| {
        copy.terms == stop_loss("90.00", "88.00", sell(option, 130)) && copy.status.as_str() == "PENDING"
    });
    daemon.until_status(&target, "asha", "CANCELLED");
    broker.pass(Duration::from_secs(30));
    assert!(working(&broker).iter().map(|copy| &copy.id).eq([&kept.id]));

    // It guards: the stops fire at both.
    broker.price(option, "89.00");
    daemon.until_filled(&stop, "asha", 130);
    broker.cancel(LEADER, &target);
    broker.pass(Duration::from_secs(30));
    assert_eq!(nets(&broker), (0, 0));
    assert!(working(&broker).is_empty());
    daemon.end_at_rest(&broker);
}

#[test]
fn d20_stop_is_kept_where_the_second_exit_is_refused() {
    one_exit_only(OverlappingExits::RefusedAtOnce);
}

#[test]
fn d20_stop_is_kept_where_the_second_exit_is_rejected() {
    one_exit_only(OverlappingExits::RejectedLater);
}

#[test]
fn d20_target_that_the_leader_reaches_is_sold_at_the_market() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.tolerates("copy_gap");
    daemon.tolerates("order refused");
    daemon.tolerates("slippage");
    let option = broker.option();
    broker.overlapping_exits(ASHA, OverlappingExits::RefusedAtOnce);
    holding(&broker, &daemon, 260, 130);
    let stop = broker.lead(stop_loss("90.00", "88.00", sell(option, 260)));
    let kept = copy_of(&daemon, &stop);
    let target = broker.lead(limit("120.00", sell(option, 260)));
    broker.quiet();
    assert!(working(&broker).iter().map(|copy| &copy.id).eq([&kept]));

    broker.price(option, "120.00");
    daemon.until_filled(&target, "asha", 130);
    assert_eq!(broker.order(&kept).status.as_str(), "CANCELLED");
    broker.cancel(LEADER, &stop);
    broker.pass(Duration::from_secs(30));
    assert_eq!(nets(&broker), (0, 0));
    assert!(working(&broker).is_empty());
    daemon.end_at_rest(&broker);
}

#[test]
fn d21_both_fill_on_a_spike_and_the_excess_is_flattened() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("overshot");
    daemon.tolerates("cancel refused");
    // Both orders of hers have filled, and neither of his has when he cancels them.
    daemon.expects("copy_gap");
    let orders = guarded(&broker, &daemon);
    broker.fill_together(&[(&orders.her_target, 130, "120.00"), (&orders.her_stop, 130, "89.00")]);
    assert_eq!(nets(&broker), (260, -130));

    until("the excess is bought back", || (nets(&broker).1 == 0).then_some(()));
    daemon.until_incident("overshot", "asha");
    broker.pass(Duration::from_secs(30));
    assert_eq!(nets(&broker), (260, 0));
    let bought = broker.orders(ASHA).pop().unwrap();
    assert_eq!((bought.terms.side, bought.filled.get()), (buy(broker.option(), 1).side, 130));
    // The leader leaves too; she is out already.
    broker.cancel(LEADER, &orders.target);
    broker.cancel(LEADER, &orders.stop);
    let exit = broker.lead(sell(broker.option(), 260));
    daemon.until_refused(&exit, "asha", "skipped", "nothing_to_close");
    broker.pass(Duration::from_secs(30));
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.orders(ASHA).len(), 4);
    daemon.end_at_rest(&broker);
}

#[test]
fn d21_part_of_both_fills_on_a_spike() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("overshot");
    daemon.tolerates("cancel refused");
    daemon.tolerates("change refused");
    let orders = guarded(&broker, &daemon);
    broker.fill_together(&[(&orders.her_target, 65, "120.00"), (&orders.her_stop, 130, "89.00")]);

    until("the excess is bought back", || (nets(&broker).1 == 0).then_some(()));
    broker.pass(Duration::from_secs(30));
    assert_eq!(nets(&broker), (260, 0));
    assert!(working(&broker).is_empty());
    daemon.end_at_rest(&broker);
}
