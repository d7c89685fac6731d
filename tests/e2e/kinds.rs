//! A: every kind of ordinary order: stops, icebergs, after-market orders, market orders as limits of ours, slices.

use std::time::Duration;

use serde_json::json;
use tandem_domain::ids::BrokerOrderId;
use tandem_domain::order::{OrderTerms, OrderType, Product};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;
use tandem_domain::time::Timestamp;
use tandem_sim::{Fault, Mute};

use crate::harness::{
    ASHA, Broker, Daemon, Intent, LEADER, Setup, Stage, account, buy, limit, rupees, sell, stop_loss,
    stop_market, to_price, to_units, until,
};

#[test]
fn a1_market_as_protected_limit_from_the_last_price() {
    let Stage { broker, daemon } = Setup::new()
        .set(r#"copy.market_orders = "protected_limit""#)
        .set("copy.price_band_bps = 250")
        .stage();
    let option = broker.option();
    broker.price(option, "101.35");
    // Nothing is offered: the leader's order waits, and there is no fill to take a price from.
    broker.offer(option, &[]);
    let order = broker.lead(buy(option, 260));

    daemon.until_status(&order, "asha", "PENDING");
    broker.quiet();
    // 2.5 per cent of 101.35 is 2.53375: 103.88375, on the tick of 0.05 103.85.
    assert_eq!(broker.only_order(ASHA).terms, limit("103.85", buy(option, 130)));
    let bodies = broker.bodies(ASHA, "POST");
    assert_eq!((&bodies[0]["orderType"], &bodies[0]["price"]), (&json!("LIMIT"), &json!(103.85)));
    assert_eq!(daemon.note(&order, "asha").as_deref(), Some("market_as_protected_limit"));
    assert_eq!(broker.calls(ASHA), ["POST /orders"]);
    daemon.end();
}

#[test]
fn a1_market_as_protected_limit_from_the_leaders_fill() {
    let Stage { broker, mut daemon } = Setup::new()
        .set(r#"copy.market_orders = "protected_limit""#)
        .set("copy.price_band_bps = 250")
        .set("leader.book_poll_ms = 600000")
        .stage();
    daemon.expects("leader stream ended");
    let option = broker.option();
    broker.offer(option, &[("102.15", 260), ("103.00", 65), ("104.75", 65)]);
    until("the leader's stream is open", || (broker.sim.open_streams(&account(LEADER)) == 1).then_some(()));
    broker.inject(LEADER, Fault::StreamMute { mute: Mute::Frames });
    let order = broker.lead(buy(option, 260));
    broker.inject(LEADER, Fault::StreamMute { mute: Mute::Off });
    // What is heard of it first is its fill at 102.15, while the last price is 100.
    broker.inject(LEADER, Fault::StreamReset);
    daemon.until_live(2);

    // 2.5 per cent of 102.15 is 2.55375: 104.70375, on the tick 104.70. One lot is offered below that.
    daemon.until_filled(&order, "asha", 65);
    broker.quiet();
    let copy = broker.only_order(ASHA);
    assert_eq!(copy.terms, limit("104.70", buy(option, 130)));
    assert_eq!((copy.filled.get(), copy.status.as_str()), (65, "PART_TRADED"));
    assert_eq!(daemon.note(&order, "asha").as_deref(), Some("market_as_protected_limit"));
    daemon.end();
}

/// P9, P12: the order book that is read after a gap may be behind the trade book.
#[test]
fn f3_a_fill_that_only_the_leaders_trade_book_tells_counts() {
    let Stage { broker, mut daemon } =
        Setup::new().set(r#"copy.on = "fill""#).set("leader.book_poll_ms = 600000").stage();
    daemon.expects("leader stream ended");
    let option = broker.option();
    let order = broker.lead(limit("90.00", buy(option, 260)));
    daemon.until_live(1);
    broker.quiet();
    broker.inject(LEADER, Fault::StaleBook { on: true });
    broker.inject(LEADER, Fault::StreamMute { mute: Mute::Frames });
    broker.fill(&order, 260, "90.00");
    broker.inject(LEADER, Fault::StreamMute { mute: Mute::Off });
    broker.inject(LEADER, Fault::StreamReset);
    daemon.until_live(2);

    let copy = broker.until_order(ASHA, "the copy of the fill", |order| order.terms.quantity.get() == 130);
    broker.fill(&copy.id, 130, "90.00");
    daemon.until_filled(&order, "asha", 130);
    broker.inject(LEADER, Fault::StaleBook { on: false });
    broker.quiet();
    assert_eq!(broker.placements(ASHA).len(), 1);
    daemon.end();
}

#[test]
fn a1_market_sell_as_protected_limit() {
    let Stage { broker, daemon } = Setup::new().set(r#"copy.market_orders = "protected_limit""#).stage();
    let option = broker.option();
    broker.price(option, "101.35");
    let order = broker.lead(sell(option, 260));

    // 3 per cent of 101.35 is 3.0405: 98.3095, on the tick above it 98.35.
    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).terms, limit("98.35", sell(option, 130)));
    assert_eq!(broker.position(ASHA, option, Product::Margin), -130);
    daemon.end();
}

#[test]
fn a3_stop_buy() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = broker.lead(stop_loss("105.00", "106.50", buy(option, 260)));

    daemon.until_status(&order, "asha", "PENDING");
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).terms, stop_loss("105.00", "106.50", buy(option, 130)));
    assert_eq!(daemon.note(&order, "asha"), None);
    let bodies = broker.bodies(ASHA, "POST");
    assert_eq!(
        (&bodies[0]["orderType"], &bodies[0]["price"], &bodies[0]["triggerPrice"]),
        (&json!("STOP_LOSS"), &json!(106.5), &json!(105.0))
    );

    // Both fire, and show as limits from then on: that is nobody's change.
    broker.price(option, "105.50");
    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    assert_eq!(broker.calls(ASHA), ["POST /orders"]);
    daemon.end();
}

#[test]
fn a4_stop_market_sell_goes_as_a_stop_with_a_limit() {
    let Stage { broker, daemon } = Setup::new().set("copy.stop_band_bps = 300").stage();
    let option = broker.option();
    let entry = broker.lead(buy(option, 260));
    daemon.until_filled(&entry, "asha", 130);
    let order = broker.lead(stop_market("91.15", sell(option, 260)));

    daemon.until_status(&order, "asha", "PENDING");
    broker.quiet();
    // 3 per cent of 91.15 is 2.7345: 88.4155, on the tick above it 88.45.
    let copies = broker.orders(ASHA);
    assert_eq!(copies.len(), 2);
    assert_eq!(copies[1].terms, stop_loss("91.15", "88.45", sell(option, 130)));
    assert_eq!(daemon.note(&order, "asha").as_deref(), Some("stop_loss_market_as_stop_loss"));
    assert_eq!(daemon.until_intent(&order, "asha", "ACKED").purpose, "exit");
    let body = &broker.bodies(ASHA, "POST")[1];
    assert_eq!((&body["orderType"], &body["triggerPrice"]), (&json!("STOP_LOSS"), &json!(91.15)));

    broker.price(option, "91.00");
    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    assert_eq!(broker.position(LEADER, option, Product::Margin), 0);
    assert_eq!(broker.position(ASHA, option, Product::Margin), 0);
    assert_eq!(broker.calls(ASHA), ["POST /orders", "POST /orders"]);
    assert_eq!(daemon.gaps(&order, "asha"), []);
    daemon.end();
}

#[test]
fn a4_stop_market_buy() {
    let Stage { broker, daemon } = Setup::new().set("copy.stop_band_bps = 200").stage();
    let option = broker.option();
    let order = broker.lead(stop_market("110.05", buy(option, 260)));

    daemon.until_status(&order, "asha", "PENDING");
    broker.quiet();
    // 2 per cent of 110.05 is 2.201: 112.251, on the tick below it 112.25.
    assert_eq!(broker.only_order(ASHA).terms, stop_loss("110.05", "112.25", buy(option, 130)));
    assert_eq!(daemon.note(&order, "asha").as_deref(), Some("stop_loss_market_as_stop_loss"));
    daemon.end();
}

#[test]
fn a6_iceberg() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let iceberg =
        |units, shown| OrderTerms { disclosed: Quantity::new(shown), ..limit("90.00", buy(option, units)) };
    let cases = [
        // Half of 8 lots, half of 4: two.
        (520, 260, 260, 130),
        // 5 of 16 lots; of 8 that is 2.5, and two would be 25 per cent, less than the broker's 30: three.
        (1040, 325, 520, 195),
        // One lot cannot show less than itself, which is said with zero.
        (130, 65, 65, 0),
    ];
    for (units, shown, copied, copy_shows) in cases {
        let order = broker.lead(iceberg(units, shown));
        let intent = daemon.until_status(&order, "asha", "PENDING");
        let copy = broker
            .orders(ASHA)
            .into_iter()
            .find(|copy| Some(copy.id.as_str()) == intent.broker_order_id.as_deref());
        assert_eq!(copy.unwrap().terms, iceberg(copied, copy_shows), "{shown} of {units}");
        broker.quiet();
        broker.cancel(LEADER, &order);
        daemon.until_status(&order, "asha", "CANCELLED");
    }
    daemon.end();
}

/// Two in the afternoon plus so many hours on the simulator's first day.
fn hours_past_two(hours: u64) -> Timestamp {
    // The session begins at 09:15.
    tandem_sim::SimSettings::default().start.plus(Duration::from_secs(4 * 3600 + 45 * 60 + hours * 3600))
}

#[test]
fn a10_after_market_order() {
    let Stage { broker, daemon } =
        Setup::new().sim(|sim| sim.start = hours_past_two(3)).set(r#"copy.amo_time = "OPEN_30""#).stage();
    let option = broker.option();
    let terms = OrderTerms { after_market: true, ..limit("100.00", buy(option, 260)) };
    let order = broker.lead(terms.clone());

    daemon.until_status(&order, "asha", "PENDING");
    broker.quiet();
    let copy = broker.only_order(ASHA);
    assert_eq!(copy.terms, OrderTerms { quantity: Quantity::new(130), ..terms });
    assert_eq!((copy.status.as_str(), copy.exchange_time), ("PENDING", None));
    let body = &broker.bodies(ASHA, "POST")[0];
    assert_eq!((&body["afterMarketOrder"], &body["amoTime"]), (&json!(true), &json!("OPEN_30")));
    daemon.end();

    // The night passes: the leader's goes out with the first tick, the follower's half an hour later.
    broker.pass(Duration::from_hours(20));
    let at = |time: Timestamp| time.ist().format("%H:%M").to_string();
    assert_eq!(at(broker.order(&order).exchange_time.unwrap()), "09:15");
    let copy = broker.only_order(ASHA);
    assert_eq!((at(copy.exchange_time.unwrap()).as_str(), copy.status.as_str()), ("09:45", "TRADED"));
}

/// Asha's slices, in the order they were planned: units, price, and whether they still work.
fn slices(broker: &Broker, daemon: &Daemon, order: &BrokerOrderId) -> Vec<(u32, Price, bool)> {
    let copies = broker.orders(ASHA);
    let of = |intent: &Intent| {
        let copy = copies.iter().find(|copy| copy.tag.as_deref() == Some(intent.client_order_id.as_str()))?;
        Some((copy.terms.quantity.get(), copy.terms.price, copy.status.as_str() == "PENDING"))
    };
    daemon.intents(order, "asha").iter().filter_map(of).collect()
}

#[track_caller]
fn until_slices(broker: &Broker, daemon: &Daemon, order: &BrokerOrderId, expected: &[(u32, &str, &str)]) {
    let expected: Vec<_> =
        expected.iter().map(|(units, price, state)| (*units, rupees(price), *state == "works")).collect();
    until(&format!("the slices are {expected:?}"), || {
        (slices(broker, daemon, order) == expected).then_some(())
    });
    broker.quiet();
    assert_eq!(slices(broker, daemon, order), expected);
    assert_eq!(broker.orders(ASHA).len(), expected.len());
}

#[test]
fn a14_slices_above_the_freeze_quantity() {
    let Stage { broker, daemon } = Setup::new()
        .set(r#"sizing.strategy = "fixed_ratio""#)
        .set("sizing.ratio = 3")
        .set("sizing.ratio_max = 3")
        .stage();
    let option = broker.option();
    // The freeze quantity is 1800: 27 lots of 65. Sixty lots make two whole slices and one of six.
    let order = broker.lead(limit("40.00", buy(option, 1300)));
    until_slices(
        &broker,
        &daemon,
        &order,
        &[(1755, "40.00", "works"), (1755, "40.00", "works"), (390, "40.00", "works")],
    );
    daemon.until_copies(&order, "asha", &["PENDING", "PENDING", "PENDING"]);
    let mapping = daemon.mapping(&order, "asha").unwrap();
    assert_eq!((mapping.target, mapping.copied, mapping.filled), (3900, 3900, 0));

    // Another price: each slice moves.
    broker.change(LEADER, &order, &to_price("41.50"));
    until_slices(
        &broker,
        &daemon,
        &order,
        &[(1755, "41.50", "works"), (1755, "41.50", "works"), (390, "41.50", "works")],
    );

    // One lot more is three more for the follower: the last slice has room.
    broker.change(LEADER, &order, &to_units(1365));
    until_slices(
        &broker,
        &daemon,
        &order,
        &[(1755, "41.50", "works"), (1755, "41.50", "works"), (585, "41.50", "works")],
    );

    // Down to 14 lots, 42 for the follower: the last goes, the one before it shrinks.
    broker.change(LEADER, &order, &to_units(910));
    until_slices(
        &broker,
        &daemon,
        &order,
        &[(1755, "41.50", "works"), (975, "41.50", "works"), (585, "41.50", "over")],
    );

    // Two whole slices more than there is room for: 27 lots fill the second up, six make a new one.
    broker.change(LEADER, &order, &to_units(1300));
    until_slices(
        &broker,
        &daemon,
        &order,
        &[
            (1755, "41.50", "works"),
            (1755, "41.50", "works"),
            (585, "41.50", "over"),
            (390, "41.50", "works"),
        ],
    );

    broker.cancel(LEADER, &order);
    until_slices(
        &broker,
        &daemon,
        &order,
        &[(1755, "41.50", "over"), (1755, "41.50", "over"), (585, "41.50", "over"), (390, "41.50", "over")],
    );
    daemon.until_copies(&order, "asha", &["CANCELLED", "CANCELLED", "CANCELLED", "CANCELLED"]);
    // Nothing is asked twice, and the broker's own slicing is never used.
    let calls = broker.calls(ASHA);
    let count = |call: &str| calls.iter().filter(|made| *made == call).count();
    assert_eq!((count("POST /orders"), count("DELETE /orders")), (4, 4));
    // A raise goes in two steps where the shrinking before it is not proven yet.
    assert!((6..=7).contains(&count("PUT /orders")), "{calls:?}");
    assert_eq!(calls.len(), 8 + count("PUT /orders"));
    assert_eq!(daemon.gaps(&order, "asha"), []);
    daemon.end();
}

#[test]
fn a14_slices_fill_and_are_closed() {
    let Stage { broker, daemon } = Setup::new()
        .set(r#"sizing.strategy = "fixed_ratio""#)
        .set("sizing.ratio = 3")
        .set("sizing.ratio_max = 3")
        .stage();
    let option = broker.option();
    broker.price(option, "40.00");
    let entry = broker.lead(buy(option, 1300));
    daemon.until_filled(&entry, "asha", 3900);
    let exit = broker.lead(sell(option, 1300));
    daemon.until_filled(&exit, "asha", 3900);

    broker.quiet();
    let mut sizes: Vec<_> = broker.orders(ASHA).iter().map(|copy| copy.terms.quantity.get()).collect();
    // They are sent side by side: which arrives first is chance.
    sizes.sort_unstable();
    assert_eq!(sizes, [390, 390, 1755, 1755, 1755, 1755]);
    assert!(broker.orders(ASHA).iter().all(|copy| copy.terms.order_type == OrderType::Limit));
    assert_eq!(broker.position(ASHA, option, Product::Margin), 0);
    assert_eq!(broker.calls(ASHA), ["POST /orders"; 6]);
    daemon.end();
}
