//! How much may be opened at the most: lots, rupees and orders.

use super::{copied, denied, halves};
use crate::harness::{ASHA, LEADER, Stage, buy, limit, sell, stop_loss};

/// What a cap leaves of two lots: one; and none where the owner would rather skip.
fn capped(setting: &str, reason: &str) {
    let Stage { broker, daemon } = halves().set(setting).stage();
    let order = broker.lead(buy(broker.option(), 260));
    let mapping = daemon.until_filled(&order, "asha", 65);
    assert_eq!((mapping.outcome.as_str(), mapping.reason.as_deref()), ("sent", Some(reason)));
    broker.quiet();
    assert_eq!((broker.net(ASHA, broker.option()), broker.placements(ASHA).len()), (65, 1));
    let sold = broker.lead(sell(broker.option(), 260));
    daemon.until_filled(&sold, "asha", 65);
    daemon.end();

    let Stage { broker, daemon } = halves().set(setting).set("risk.at_cap = \"skip\"").stage();
    denied(&broker, &daemon, buy(broker.option(), 260), reason);
    copied(&broker, &daemon, buy(broker.option(), 130), 65);
    daemon.end();
}

#[test]
fn e8_lots_in_an_order() {
    capped("risk.lots_per_order_max = 1", "lots_per_order");
}

#[test]
fn e8_lots_in_an_instrument() {
    capped("risk.lots_per_instrument_max = 1", "lots_per_instrument");
}

#[test]
fn e8_value_of_an_order() {
    // One lot is 6,500 rupees.
    capped("risk.order_value_max_rupees = 12999", "order_value");
}

#[test]
fn e8_share_of_the_capital() {
    // 10,000 of 5 lakh.
    capped("risk.position_share_max_pct = 2", "position_share");
}

#[test]
fn e8_lots_in_an_instrument_count_what_is_held_and_what_works() {
    let Stage { broker, daemon } = halves().set("risk.lots_per_instrument_max = 3").stage();
    let option = broker.option();
    copied(&broker, &daemon, buy(option, 130), 65);
    broker.offer(option, &[]);
    let resting = broker.lead(limit("95.00", buy(option, 130)));
    daemon.until_status(&resting, "asha", "PENDING");
    let cut = broker.lead(limit("94.00", buy(option, 260)));
    let intent = daemon.until_status(&cut, "asha", "PENDING");
    assert_eq!(intent.quantity, 65);
    denied(&broker, &daemon, limit("93.00", buy(option, 130)), "lots_per_instrument");
    broker.cancel(LEADER, &resting);
    daemon.until_status(&resting, "asha", "CANCELLED");
    let next = broker.lead(limit("92.00", buy(option, 130)));
    daemon.until_status(&next, "asha", "PENDING");
    daemon.end();
}

#[test]
fn e8_open_orders_are_counted() {
    let Stage { broker, daemon } = halves().set("risk.open_orders_max = 1").stage();
    let option = broker.option();
    copied(&broker, &daemon, buy(option, 130), 65);
    broker.offer(option, &[]);
    let resting = broker.lead(limit("95.00", buy(option, 260)));
    daemon.until_status(&resting, "asha", "PENDING");
    denied(&broker, &daemon, limit("94.00", buy(option, 260)), "open_orders");
    // An exit is no entry.
    let stop = broker.lead(stop_loss("60.00", "59.00", sell(option, 130)));
    daemon.until_status(&stop, "asha", "PENDING");
    daemon.end();
}

#[test]
fn e8_orders_of_the_day_are_counted_over_a_restart() {
    let Stage { broker, mut daemon } = halves().set("risk.orders_per_day_max = 2").stage();
    let option = broker.option();
    copied(&broker, &daemon, buy(option, 260), 130);
    daemon.terminate();
    assert_eq!(daemon.until_exit(), Some(0));
    daemon.start();
    daemon.until_live(2);
    copied(&broker, &daemon, buy(option, 260), 130);
    denied(&broker, &daemon, buy(option, 260), "orders_per_day");
    let sold = broker.lead(sell(option, 780));
    daemon.until_filled(&sold, "asha", 260);
    daemon.end();
}
