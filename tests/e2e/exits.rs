//! D: how much is closed: in proportion to what is held, flat when the leader is, each kind of exit for itself.

mod resting;
mod unfilled;

use std::time::Duration;

use tandem_domain::ids::BrokerOrderId;
use tandem_domain::quantity::Quantity;

use crate::harness::{ASHA, Broker, Daemon, LEADER, Setup, Stage, buy, limit, sell, until};

/// The leader buys so many units at the market, and Asha her part of them.
fn holding(broker: &Broker, daemon: &Daemon, units: u32, hers: u32) {
    let entry = broker.lead(buy(broker.option(), units));
    daemon.until_filled(&entry, "asha", hers);
}

/// The leader sells so many units at the market, and Asha so many.
fn sells(broker: &Broker, daemon: &Daemon, units: u32, hers: u32) {
    let exit = broker.lead(sell(broker.option(), units));
    daemon.until_filled(&exit, "asha", hers);
    assert!(daemon.intents(&exit, "asha").iter().all(|sent| sent.purpose == "exit"));
}

/// What the leader and Asha hold.
fn nets(broker: &Broker) -> (i64, i64) {
    (broker.net(LEADER, broker.option()), broker.net(ASHA, broker.option()))
}

/// Asha's copy of a leader order that has one.
fn copy_of(daemon: &Daemon, order: &BrokerOrderId) -> BrokerOrderId {
    let copy = daemon.until_status(order, "asha", "PENDING");
    BrokerOrderId::new(copy.broker_order_id.unwrap()).unwrap()
}

#[test]
fn d9_flat_whatever_the_rounding_was() {
    let Stage { broker, daemon } = Setup::new().stage();
    // One and a half lots and a half of what follows, rounded down each time.
    holding(&broker, &daemon, 195, 65);
    holding(&broker, &daemon, 130, 65);
    holding(&broker, &daemon, 195, 130);
    assert_eq!(nets(&broker), (520, 260));
    sells(&broker, &daemon, 520, 260);
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn d9_flat_after_more_than_a_share() {
    let Stage { broker, daemon } =
        Setup::new().set("sizing.remainder = false").set(r#"sizing.rounding = "up""#).stage();
    let option = broker.option();
    for _ in 0..3 {
        holding(&broker, &daemon, 65, 65);
    }
    // Three lots of the leader's, three of hers; a single order closes all.
    let exit = broker.lead(limit("100.00", sell(option, 195)));
    daemon.until_filled(&exit, "asha", 195);
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.orders(ASHA).len(), 4);
    daemon.end_at_rest(&broker);
}

#[test]
fn d9_short_is_bought_back() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let entry = broker.lead(sell(option, 260));
    assert_eq!(daemon.until_filled(&entry, "asha", 130).outcome, "sent");
    assert_eq!(daemon.until_intent(&entry, "asha", "ACKED").purpose, "entry");
    assert_eq!(nets(&broker), (-260, -130));
    let half = broker.lead(buy(option, 130));
    daemon.until_filled(&half, "asha", 65);
    let rest = broker.lead(buy(option, 130));
    daemon.until_filled(&rest, "asha", 65);
    assert_eq!(daemon.until_intent(&rest, "asha", "ACKED").purpose, "exit");
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn d10_half_is_half_of_what_is_held() {
    let Stage { broker, daemon } = Setup::new().stage();
    holding(&broker, &daemon, 260, 130);
    sells(&broker, &daemon, 130, 65);
    assert_eq!(nets(&broker), (130, 65));
    sells(&broker, &daemon, 130, 65);
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.calls(ASHA), ["POST /orders"; 3]);
    daemon.end_at_rest(&broker);
}

#[test]
fn d10_a_half_lot_closes() {
    let Stage { broker, daemon } = Setup::new().stage();
    holding(&broker, &daemon, 390, 195);
    // Half of three lots leaves one and a half: one.
    sells(&broker, &daemon, 195, 130);
    assert_eq!(nets(&broker), (195, 65));
    sells(&broker, &daemon, 195, 65);
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn d10_the_part_that_executes_is_what_counts() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    // 110.00 becomes 100.00.
    daemon.expects("slippage");
    let option = broker.option();
    holding(&broker, &daemon, 520, 260);
    // It rests for all of it, at both.
    let exit = broker.lead(limit("110.00", sell(option, 520)));
    let copy = copy_of(&daemon, &exit);
    assert_eq!(broker.order(&copy).terms, limit("110.00", sell(option, 260)));
    broker.fill(&exit, 260, "110.00");
    broker.fill(&copy, 65, "110.00");
    daemon.until_filled(&exit, "asha", 65);
    broker.cancel(LEADER, &exit);

    // Half of it is what she owes, one lot of that is done; what is left chases the market.
    daemon.until_filled(&exit, "asha", 130);
    broker.pass(Duration::from_secs(10));
    assert_eq!(nets(&broker), (260, 130));
    sells(&broker, &daemon, 260, 130);
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn d11_flip_is_an_exit_and_then_an_entry() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.tolerates("slippage");
    let option = broker.option();
    holding(&broker, &daemon, 260, 130);
    // Four lots and two more. Nobody is left to buy hers.
    broker.bid(option, &[("100.00", 390)]);
    let flip = broker.lead(sell(option, 390));
    let exit = copy_of(&daemon, &flip);
    assert_eq!(broker.order(&exit).terms.quantity, Quantity::new(130));
    broker.quiet();
    assert_eq!(broker.orders(ASHA).len(), 2, "the entry waits for the exit");

    broker.bid(option, &[("100.00", 10_000)]);
    daemon.until_filled(&flip, "asha", 195);
    broker.quiet();
    let (sent, orders) = (daemon.intents(&flip, "asha"), broker.orders(ASHA));
    let purposes: Vec<_> = sent.iter().map(|sent| (sent.purpose.as_str(), sent.quantity)).collect();
    assert_eq!(purposes, [("exit", 130), ("entry", 65)]);
    assert_eq!((orders[1].terms.quantity.get(), orders[2].terms.quantity.get()), (130, 65));
    assert_eq!(nets(&broker), (-130, -65));

    broker.offer(option, &[("100.00", 10_000)]);
    let back = broker.lead(buy(option, 130));
    daemon.until_filled(&back, "asha", 65);
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn d11_flip_whose_entry_is_refused_is_an_exit() {
    let Stage { broker, daemon } = Setup::new().set("copy.sides = [\"BUY\"]").stage();
    let option = broker.option();
    holding(&broker, &daemon, 260, 130);
    let flip = broker.lead(sell(option, 390));
    let mapping = daemon.until_filled(&flip, "asha", 130);
    assert_eq!(mapping.reason.as_deref(), Some("side_filtered"));
    let back = broker.lead(buy(option, 130));
    daemon.until_refused(&back, "asha", "skipped", "nothing_to_close");
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.calls(ASHA), ["POST /orders"; 2]);
    daemon.end_at_rest(&broker);
}

#[test]
fn d13_exit_is_of_what_is_held() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("copy_gap");
    let option = broker.option();
    holding(&broker, &daemon, 260, 130);
    broker.reject_for_margin(ASHA, 1);
    let rejected = broker.lead(buy(option, 260));
    // The leader's own order has nothing of it.
    daemon.until_status(&rejected, "asha", "REJECTED");
    assert_eq!(nets(&broker), (520, 130));

    // He leaves a half of eight lots: she a half of two.
    sells(&broker, &daemon, 260, 65);
    sells(&broker, &daemon, 260, 65);
    broker.pass(Duration::from_mins(1));
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.orders(ASHA).len(), 4);
    daemon.end_at_rest(&broker);
}

#[test]
fn d13_flat_means_nothing_is_sent() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("copy_gap");
    let option = broker.option();
    broker.reject_for_margin(ASHA, 1);
    let rejected = broker.lead(buy(option, 260));
    daemon.until_status(&rejected, "asha", "REJECTED");
    let target = broker.lead(limit("120.00", sell(option, 260)));
    broker.quiet();
    broker.cancel(LEADER, &target);
    let exit = broker.lead(sell(option, 260));

    daemon.until_refused(&exit, "asha", "skipped", "nothing_to_close");
    daemon.until_refused(&target, "asha", "skipped", "leader_gone");
    broker.pass(Duration::from_mins(1));
    assert_eq!(broker.calls(ASHA), ["POST /orders"]);
    assert_eq!(nets(&broker), (0, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn d17_four_three_three() {
    let Stage { broker, daemon } = Setup::new().stage();
    holding(&broker, &daemon, 650, 325);
    // Six tenths of five lots are three, three tenths one and a half: one.
    for (units, hers, left) in [(260, 130, 195), (195, 130, 65), (195, 65, 0)] {
        sells(&broker, &daemon, units, hers);
        assert_eq!(nets(&broker).1, left);
    }
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.orders(ASHA).len(), 4);
    daemon.end_at_rest(&broker);
}

#[test]
fn d17_lot_by_lot() {
    let Stage { broker, daemon } = Setup::new().stage();
    holding(&broker, &daemon, 650, 325);
    let mut left = 650;
    while left > 0 {
        let exit = broker.lead(sell(broker.option(), 65));
        daemon.until_leader(&exit, "is filled", |leader| leader.status == "TRADED");
        broker.quiet();
        left -= 65;
        let (his, hers) = nets(&broker);
        assert_eq!(his, left);
        assert!((his / 2 - hers).abs() <= 65, "{hers} of {his}");
    }
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.orders(ASHA).len(), 6);
    daemon.end_at_rest(&broker);
}

#[test]
fn d17_each_its_own_resting_order() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    holding(&broker, &daemon, 650, 325);
    let steps = [("110.00", 260), ("120.00", 195), ("130.00", 195)];
    let targets = steps.map(|(price, units)| broker.lead(limit(price, sell(option, units))));
    let copies = targets.each_ref().map(|target| copy_of(&daemon, target));
    let sizes = copies.each_ref().map(|copy| broker.order(copy).terms.quantity.get());
    assert_eq!(sizes, [130, 130, 65]);
    for (price, left) in [("110.00", 195), ("120.00", 65), ("130.00", 0)] {
        broker.price(option, price);
        until("so much is left", || (nets(&broker).1 == left).then_some(()));
        broker.quiet();
    }
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.asked(ASHA), (4, 0, 0));
    daemon.end_at_rest(&broker);
}
