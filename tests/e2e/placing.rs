//! A: the leader places; the follower's order is the same but for its size.

use serde_json::json;
use tandem_domain::instrument::OptionType;
use tandem_domain::order::{OrderTerms, Product, Side, TimeInForce};

use crate::harness::{ASHA, Setup, Stage, buy, limit, rupees, sell};

#[test]
fn a1_market_buy() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = broker.lead(buy(option, 260));

    let mapping = daemon.until_filled(&order, "asha", 130);
    assert_eq!((mapping.outcome.as_str(), mapping.target, mapping.copied), ("sent", 130, 130));
    assert_eq!((mapping.reason, mapping.strategy.as_deref()), (None, Some("capital_proportional")));
    broker.quiet();

    let copy = broker.only_order(ASHA);
    assert_eq!((copy.terms.side, copy.terms.product), (Side::Buy, Product::Margin));
    assert_eq!((copy.terms.instrument, copy.terms.quantity.get()), (option, 130));
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);

    // The wire says MARKET; the broker makes a protected limit of it.
    let bodies = broker.placement_bodies(ASHA);
    assert_eq!(bodies.len(), 1);
    assert_eq!((&bodies[0]["orderType"], &bodies[0]["quantity"]), (&json!("MARKET"), &json!(130)));

    // From the leader's order to the broker's and back, by ids alone.
    let intent = daemon.until_intent(&order, "asha", "ACKED");
    assert_eq!(intent.broker_order_id.as_deref(), Some(copy.id.as_str()));
    assert_eq!(copy.tag.as_deref(), Some(intent.client_order_id.as_str()));
    assert_eq!((intent.purpose.as_str(), intent.quantity), ("entry", 130));
    assert!(intent.added_latency_us.is_some());
    daemon.end();
}

#[test]
fn a2_limit_buy() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    // Below the last price: rests on both sides.
    let order = broker.lead(limit("95.35", buy(option, 260)));

    daemon.until_status(&order, "asha", "PENDING");
    broker.quiet();
    let copy = broker.only_order(ASHA);
    assert_eq!(copy.terms, limit("95.35", buy(option, 130)));
    assert_eq!(copy.status.as_str(), "PENDING");
    assert_eq!(daemon.mapping(&order, "asha").unwrap().target, 130);
    daemon.end();
}

#[test]
fn a5_ioc_fills_whole() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order =
        broker.lead(OrderTerms { time_in_force: TimeInForce::Ioc, ..limit("100.00", buy(option, 260)) });

    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    let copy = broker.only_order(ASHA);
    assert_eq!(copy.terms.time_in_force, TimeInForce::Ioc);
    assert_eq!((copy.terms.price, copy.status.as_str()), (rupees("100.00"), "TRADED"));
    assert_eq!(broker.placement_bodies(ASHA)[0]["validity"], "IOC");
    daemon.end();
}

#[test]
fn a5_ioc_fills_in_part() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("the leader's order filled further than the copy; 195 units short: reported");
    let option = broker.option();
    // 520 for the leader, 65 for the follower, nothing behind them.
    broker.offer(option, &[("100.00", 585)]);
    let order =
        broker.lead(OrderTerms { time_in_force: TimeInForce::Ioc, ..limit("100.00", buy(option, 520)) });

    daemon.until_status(&order, "asha", "CANCELLED");
    let mapping = daemon.until_filled(&order, "asha", 65);
    assert_eq!((mapping.outcome.as_str(), mapping.target), ("sent", 260));
    broker.quiet();
    let copy = broker.only_order(ASHA);
    assert_eq!((copy.terms.quantity.get(), copy.filled.get()), (260, 65));
    assert_eq!(copy.status.as_str(), "CANCELLED");
    assert_eq!(broker.position(ASHA, option, Product::Margin), 65);
    daemon.end();
}

const RELIANCE: u32 = 2885;

#[test]
fn a7_products() {
    let Stage { broker, daemon } =
        Setup::new().set(r#"copy.instrument_kinds = ["OPTIDX", "EQUITY"]"#).stage();
    let (option, share) = (broker.option(), broker.share(RELIANCE, "1450.00"));
    let cases = [
        (option, Product::Intraday, 130, 65),
        (option, Product::Margin, 130, 65),
        (share, Product::Intraday, 20, 10),
        (share, Product::Cnc, 40, 20),
        (share, Product::Mtf, 60, 30),
    ];
    for (instrument, product, leaders, copied) in cases {
        let order = broker.lead(OrderTerms { product, ..buy(instrument, leaders) });
        daemon.until_filled(&order, "asha", copied);
        assert_eq!(broker.position(ASHA, instrument, product), i64::from(copied), "{product}");
    }
    broker.quiet();
    assert_eq!(broker.orders(ASHA).len(), 5);
    daemon.end();
}

#[test]
fn a7_product_mapped() {
    let Stage { broker, daemon } = Setup::new()
        .set(r#"copy.instrument_kinds = ["EQUITY"]"#)
        .set(r#"copy.product_map = { MTF = "CNC" }"#)
        .stage();
    let share = broker.share(RELIANCE, "1450.00");
    let order = broker.lead(OrderTerms { product: Product::Mtf, ..buy(share, 60) });

    daemon.until_filled(&order, "asha", 30);
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).terms.product, Product::Cnc);
    assert_eq!(broker.position(ASHA, share, Product::Cnc), 30);
    daemon.end();
}

#[test]
fn a8_sell_to_open() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = broker.lead(sell(option, 260));

    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).terms.side, Side::Sell);
    assert_eq!(broker.position(ASHA, option, Product::Margin), -130);
    // Nothing was held: what opens a short is an entry.
    assert_eq!(daemon.until_intent(&order, "asha", "ACKED").purpose, "entry");
    daemon.end();
}

#[test]
fn a9_strikes_expiries_puts_and_calls() {
    let Stage { broker, daemon } = Setup::new().stage();
    let options = [
        broker.option_at(0, 26_000, OptionType::Call, "80.00"),
        broker.option_at(0, 26_000, OptionType::Put, "75.00"),
        broker.option_at(1, 26_000, OptionType::Call, "140.00"),
        broker.option_at(2, 26_200, OptionType::Call, "120.00"),
        broker.option_at(3, 25_800, OptionType::Put, "110.00"),
    ];
    let orders = broker.lead_all(options.map(|option| buy(option, 130)));
    for order in &orders {
        daemon.until_filled(order, "asha", 65);
    }
    broker.quiet();
    for option in options {
        assert_eq!(broker.position(ASHA, option, Product::Margin), 65);
    }
    let mut copied: Vec<_> = broker.orders(ASHA).iter().map(|copy| copy.terms.instrument).collect();
    let mut expected = options.to_vec();
    copied.sort_unstable();
    expected.sort_unstable();
    assert_eq!(copied, expected);
    daemon.end();
}
