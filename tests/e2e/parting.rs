//! D: leader and follower part: one fills and the other does not, late, too far, or not at all.

use std::time::Duration;

use tandem_domain::ids::BrokerOrderId;
use tandem_domain::order::{OrderType, Product};
use tandem_domain::quantity::Quantity;
use tandem_sim::Fault;

use crate::harness::{ASHA, Broker, Daemon, LEADER, Setup, Stage, account, buy, limit, rupees, sell, until};

/// The leader's buy of so many units at 95.00, and the copy of it, both resting.
fn resting(broker: &Broker, daemon: &Daemon, units: u32) -> BrokerOrderId {
    let order = broker.lead(limit("95.00", buy(broker.option(), units)));
    daemon.until_status(&order, "asha", "PENDING");
    order
}

/// The leader's order fills whole, the copy does not.
fn leader_filled(broker: &Broker, daemon: &Daemon, order: &BrokerOrderId, price: &str) {
    let units = broker.order(order).remaining().get();
    broker.fill(order, units, price);
    daemon.until_leader(order, "is filled", |leader| leader.status == "TRADED");
}

#[test]
fn d4_follower_fills_before_the_leader() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = resting(&broker, &daemon, 260);
    broker.fill(&broker.only_order(ASHA).id, 130, "95.00");
    let mapping = daemon.until_filled(&order, "asha", 130);
    assert_eq!((mapping.leader_average, mapping.slippage), (None, None), "nothing to compare with yet");
    broker.pass(Duration::from_secs(5));
    leader_filled(&broker, &daemon, &order, "94.00");

    // He paid 95.00 for what the leader got at 94.00: 130 rupees, and five seconds earlier.
    let mapping = until("the comparison", || {
        daemon.mapping(&order, "asha").filter(|mapping| mapping.slippage.is_some())
    });
    assert_eq!((mapping.leader_average, mapping.follower_average), (Some(940_000), Some(950_000)));
    assert_eq!((mapping.slippage, mapping.slippage_ticks), (Some(1_300_000), Some(20)));
    let delay = mapping.fill_delay_us.unwrap();
    assert!((-7_000_000..=-4_000_000).contains(&delay), "{delay}");
    broker.pass(Duration::from_mins(1));
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    assert!(daemon.gaps(&order, "asha").is_empty());
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    daemon.end_at_rest(&broker);
}

#[test]
fn d5_entry_left_behind_is_cancelled() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("copy_gap");
    let order = resting(&broker, &daemon, 260);
    leader_filled(&broker, &daemon, &order, "95.00");
    // Ten seconds, by a clock of whole ones.
    broker.pass(Duration::from_secs(8));
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    broker.pass(Duration::from_secs(3));

    daemon.until_gap(&order, "asha", "left_behind", -130, "cancelled");
    assert_eq!(broker.only_order(ASHA).status.as_str(), "CANCELLED");
    broker.pass(Duration::from_mins(1));
    assert_eq!(broker.asked(ASHA), (1, 0, 1));
    let mapping = daemon.mapping(&order, "asha").unwrap();
    assert_eq!((mapping.outcome.as_str(), mapping.reason.as_deref()), ("sent", Some("left_behind")));
    assert_eq!((mapping.target, mapping.copied, mapping.filled), (0, 0, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn d5_rest_of_an_entry_left_behind_is_cancelled() {
    let Stage { broker, mut daemon } = Setup::new().set("parting.entry_after_ms = 3000").stage();
    daemon.expects("copy_gap");
    let order = resting(&broker, &daemon, 520);
    broker.fill(&broker.only_order(ASHA).id, 195, "95.00");
    daemon.until_filled(&order, "asha", 195);
    leader_filled(&broker, &daemon, &order, "95.00");
    broker.pass(Duration::from_secs(4));

    daemon.until_gap(&order, "asha", "left_behind", -65, "cancelled");
    broker.quiet();
    let copy = broker.only_order(ASHA);
    assert_eq!((copy.status.as_str(), copy.filled.get()), ("CANCELLED", 195));
    assert_eq!(broker.position(ASHA, broker.option(), Product::Margin), 195);
    daemon.end_at_rest(&broker);
}

#[test]
fn d5_entry_left_behind_is_kept() {
    let Stage { broker, daemon } = Setup::new().set(r#"parting.entry = "keep""#).stage();
    let order = resting(&broker, &daemon, 260);
    leader_filled(&broker, &daemon, &order, "95.00");
    broker.pass(Duration::from_mins(10));
    assert_eq!(broker.asked(ASHA), (1, 0, 0));

    broker.fill(&broker.only_order(ASHA).id, 130, "95.00");
    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    assert!(daemon.gaps(&order, "asha").is_empty());
    daemon.end_at_rest(&broker);
}

#[test]
fn d5_entry_left_behind_chases_the_market() {
    let Stage { broker, mut daemon } = Setup::new().set(r#"parting.entry = "chase""#).stage();
    // 95.00 becomes 100.00.
    daemon.expects("slippage");
    let order = resting(&broker, &daemon, 260);
    leader_filled(&broker, &daemon, &order, "95.00");
    broker.pass(Duration::from_secs(8));
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    broker.pass(Duration::from_secs(3));

    let mapping = daemon.until_filled(&order, "asha", 130);
    assert_eq!(mapping.follower_average, Some(1_000_000));
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (1, 1, 0));
    assert_eq!(broker.change_bodies(ASHA)[0]["orderType"], "MARKET");
    assert!(daemon.gaps(&order, "asha").is_empty());
    daemon.end_at_rest(&broker);
}

#[test]
fn d5_entry_chases_within_bands_of_our_own() {
    let Stage { broker, mut daemon } = Setup::new()
        .set(r#"parting.entry = "chase""#)
        .set("parting.entry_after_ms = 1000")
        .set(r#"copy.market_orders = "protected_limit""#)
        .stage();
    daemon.expects("slippage");
    let option = broker.option();
    let order = resting(&broker, &daemon, 260);
    leader_filled(&broker, &daemon, &order, "95.00");
    // 3 per cent beyond the leader's 95.00 is 97.85: nobody sells there.
    broker.pass(Duration::from_secs(2));
    broker.until_order(ASHA, "is moved", |copy| copy.terms == limit("97.85", buy(option, 130)));
    // 6 per cent is 100.70: filled at the market's 100.00.
    broker.pass(Duration::from_secs(5));
    let mapping = daemon.until_filled(&order, "asha", 130);
    assert_eq!(mapping.follower_average, Some(1_000_000));
    broker.quiet();
    let copy = broker.only_order(ASHA);
    assert_eq!((copy.terms.price, copy.terms.order_type), (rupees("100.70"), OrderType::Limit));
    assert_eq!(broker.asked(ASHA), (1, 2, 0));
    daemon.end_at_rest(&broker);
}

/// Both hold, and the leader's exit at 110.00 has filled; the follower's rests, and nobody bids.
fn left_with_a_position(setup: Setup) -> (Stage, BrokerOrderId) {
    let Stage { broker, mut daemon } = setup.set("parting.exit_after_ms = 2000").stage();
    daemon.expects("slippage");
    // It may fill in the moment it is moved.
    daemon.tolerates("change refused");
    let option = broker.option();
    let entry = broker.lead(buy(option, 260));
    daemon.until_filled(&entry, "asha", 130);
    broker.bid(option, &[]);
    let exit = broker.lead(limit("110.00", sell(option, 260)));
    daemon.until_status(&exit, "asha", "PENDING");
    leader_filled(&broker, &daemon, &exit, "110.00");
    (Stage { daemon, broker }, exit)
}

#[test]
fn d5_exit_chases_until_flat() {
    let (Stage { broker, daemon }, exit) = left_with_a_position(Setup::new());
    let option = broker.option();
    // Two seconds, then to the market, which is empty: a limit 5 per cent below the last price. And again.
    broker.pass(Duration::from_secs(3));
    broker.until_order(ASHA, "is moved", |copy| copy.terms == limit("95.00", sell(option, 130)));
    broker.price(option, "90.00");
    broker.pass(Duration::from_secs(30));
    broker.until_order(ASHA, "follows the price", |copy| copy.terms == limit("85.50", sell(option, 130)));
    broker.bid(option, &[("86.00", 65)]);
    daemon.until_filled(&exit, "asha", 65);
    broker.bid(option, &[("85.50", 1000)]);

    daemon.until_filled(&exit, "asha", 130);
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 0);
    let (placed, changed, cancelled) = broker.asked(ASHA);
    assert_eq!((placed, cancelled), (2, 0));
    assert!((2..=8).contains(&changed), "its price is moved at doubling intervals: {changed}");
    assert!(daemon.gaps(&exit, "asha").is_empty());
    daemon.end_at_rest(&broker);
}

#[test]
fn d5_exit_chases_beyond_the_cap_of_changes() {
    let setup =
        Setup::new().set("broker.limits.modifications_per_order = 2").set("parting.chase_interval_ms = 500");
    let (Stage { broker, daemon }, exit) = left_with_a_position(setup);
    let option = broker.option();
    // Each order is moved twice; then another takes its place, and is moved on.
    for _ in 0..6 {
        broker.pass(Duration::from_secs(10));
    }
    let live = || broker.orders(ASHA).into_iter().filter(|copy| !copy.status.is_terminal());
    until("a third exit works", || (broker.orders(ASHA).len() >= 3 && live().count() == 1).then_some(()));
    assert!(broker.orders(ASHA).iter().all(|copy| copy.modifications <= 2));
    broker.bid(option, &[("95.00", 1000)]);

    daemon.until_filled(&exit, "asha", 130);
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 0);
    assert_eq!(live().count(), 0);
    let sold: u32 = broker.orders(ASHA).iter().skip(1).map(|copy| copy.filled.get()).sum();
    assert_eq!(sold, 130);
    daemon.end_at_rest(&broker);
}

/// The copy is cancelled with the leader's, and a lot of it fills two seconds later all the same.
fn filled_late(setup: Setup) -> (Stage, BrokerOrderId) {
    let Stage { broker, mut daemon } = setup.stage();
    daemon.expects("late_fill");
    daemon.expects("copy_gap");
    // A read that tells of the fill before the clock has jumped to it makes the order that repairs it look old.
    daemon.tolerates("change refused");
    let order = resting(&broker, &daemon, 260);
    broker.sim.with_exchange(|exchange| {
        let late = (Quantity::new(65), Duration::from_secs(2));
        assert!(exchange.fill_after_cancel(&account(ASHA), Some(late)));
    });
    broker.cancel(LEADER, &order);
    daemon.until_status(&order, "asha", "CANCELLED");
    broker.pass(Duration::from_secs(3));
    daemon.until_filled(&order, "asha", 65);
    daemon.until_incident("late_fill", "asha");
    (Stage { daemon, broker }, order)
}

#[test]
fn d7_late_fill_after_a_cancel_is_closed_again() {
    let (Stage { broker, daemon }, order) = filled_late(Setup::new());

    daemon.until_gap(&order, "asha", "leader_cancelled", 65, "repaired");
    broker.quiet();
    assert_eq!(broker.position(ASHA, broker.option(), Product::Margin), 0);
    until("both trades", || (daemon.trades(ASHA).len() == 2).then_some(()));
    assert_eq!(broker.orders(ASHA)[0].status.as_str(), "CANCELLED");
    let (placed, _, cancelled) = broker.asked(ASHA);
    assert_eq!((placed, cancelled), (2, 1));
    daemon.end_at_rest(&broker);
}

#[test]
fn d7_late_fill_after_a_cancel_is_counted() {
    let (Stage { broker, daemon }, order) = filled_late(Setup::new().set(r#"parting.gap = "report""#));

    daemon.until_gap(&order, "asha", "leader_cancelled", 65, "reported");
    broker.quiet();
    assert_eq!(broker.position(ASHA, broker.option(), Product::Margin), 65);
    let mapping = daemon.mapping(&order, "asha").unwrap();
    assert_eq!((mapping.target, mapping.copied, mapping.filled), (0, 65, 65));
    assert_eq!(broker.asked(ASHA), (1, 0, 1));
    daemon.end_at_rest(&broker);
}

#[test]
fn d7_more_than_was_ordered() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("overfill");
    daemon.tolerates("copy_gap");
    let option = broker.option();
    let order = resting(&broker, &daemon, 260);
    let copy = broker.only_order(ASHA);
    broker.sim.with_exchange(|exchange| {
        assert!(exchange.report_fill(&copy.id, Quantity::new(195), rupees("95.00")));
    });
    daemon.until_filled(&order, "asha", 195);
    daemon.until_incident("overfill", "asha");

    // What is too much is closed once the leader's order is over.
    leader_filled(&broker, &daemon, &order, "95.00");
    until("the excess is closed", || (broker.position(ASHA, option, Product::Margin) == 130).then_some(()));
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    assert_eq!(daemon.mapping(&order, "asha").unwrap().filled, 195);
    daemon.end_at_rest(&broker);
}

#[test]
fn e3_copy_rejected_while_it_rests() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("copy_gap");
    let order = resting(&broker, &daemon, 260);
    let copy = broker.only_order(ASHA);
    let text = "EXCH:16387:Security is not allowed to trade in this market.";
    assert!(broker.sim.with_exchange(|exchange| exchange.reject_resting(&copy.id, text)));

    daemon.until_status(&order, "asha", "REJECTED");
    daemon.until_gap(&order, "asha", "follower_rejected", -130, "reported");
    daemon.until_incident("copy_gap", "asha");
    leader_filled(&broker, &daemon, &order, "95.00");
    broker.pass(Duration::from_mins(1));
    assert_eq!(broker.asked(ASHA), (1, 0, 0), "an entry is not tried again");
    daemon.until_gap(&order, "asha", "follower_rejected", -130, "reported");
    daemon.end_at_rest(&broker);
}

/// Both hold, and the leader leaves at the market; the broker rejects so many of the follower's exits.
fn exits_rejected(times: u32) -> (Stage, BrokerOrderId) {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.tolerates("copy_gap");
    let option = broker.option();
    let entry = broker.lead(buy(option, 260));
    daemon.until_filled(&entry, "asha", 130);
    let text = "RMS:<id>:try again".to_owned();
    broker.inject(ASHA, Fault::RejectNext { count: times, text });
    let exit = broker.lead(sell(option, 260));
    (Stage { daemon, broker }, exit)
}

#[test]
fn e3_rejected_exit_is_tried_again() {
    let (Stage { broker, daemon }, exit) = exits_rejected(2);

    daemon.until_filled(&exit, "asha", 130);
    broker.quiet();
    assert_eq!(broker.position(ASHA, broker.option(), Product::Margin), 0);
    let exits: Vec<_> = broker.orders(ASHA).into_iter().skip(1).collect();
    let seen: Vec<&str> = exits.iter().map(|copy| copy.status.as_str()).collect();
    assert_eq!(seen, ["REJECTED", "REJECTED", "TRADED"]);
    daemon.end_at_rest(&broker);
}

#[test]
fn e3_exit_rejected_three_times_is_given_up() {
    let (Stage { broker, mut daemon }, exit) = exits_rejected(10);
    daemon.expects("exit_given_up");

    daemon.until_incident("exit_given_up", "asha");
    daemon.until_gap(&exit, "asha", "follower_rejected", -130, "failed");
    broker.pass(Duration::from_mins(1));
    assert_eq!(broker.asked(ASHA), (4, 0, 0));
    assert_eq!(broker.position(ASHA, broker.option(), Product::Margin), 130);
    daemon.end_at_rest(&broker);
}
