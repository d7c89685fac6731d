//! B: more changes of an order than the broker takes.

use serde_json::json;
use tandem_domain::ids::BrokerOrderId;
use tandem_domain::order::Product;
use tandem_sim::exchange::ModifyRequest;

use crate::changing::{resting, until_terms};
use crate::harness::{ASHA, Broker, LEADER, Setup, Stage, buy, limit, rupees, to_price};

/// Three changes of the copy, one after another, each seen at the broker.
fn changed_three_times(broker: &Broker, order: &BrokerOrderId) {
    for price in ["94.00", "93.00", "92.00"] {
        broker.change(LEADER, order, &to_price(price));
        until_terms(broker, &limit(price, buy(broker.option(), 130)));
    }
}

#[test]
fn b10_cap_of_changes_replace() {
    let Stage { broker, daemon } = Setup::new().set("broker.limits.modifications_per_order = 3").stage();
    let option = broker.option();
    let order = resting(&broker, &daemon, 260);
    changed_three_times(&broker, &order);
    for price in ["91.00", "90.00"] {
        broker.change(LEADER, &order, &to_price(price));
        until_terms(&broker, &limit(price, buy(option, 130)));
    }
    broker.quiet();

    let copies = broker.orders(ASHA);
    let seen: Vec<_> = copies.iter().map(|copy| (copy.status.as_str(), copy.modifications)).collect();
    assert_eq!(seen, [("CANCELLED", 3), ("PENDING", 1)]);
    assert_eq!(copies[0].terms.price, rupees("92.00"));
    assert_eq!(broker.asked(ASHA), (2, 4, 1));
    let placed = broker.placement_bodies(ASHA);
    assert_eq!((&placed[1]["price"], &placed[1]["quantity"]), (&json!(91.0), &json!(130)));
    let mapping = daemon.mapping(&order, "asha").unwrap();
    assert_eq!((mapping.outcome.as_str(), mapping.target, mapping.copied), ("sent", 130, 130));
    daemon.end();
}

#[test]
fn b10_cap_of_changes_replaces_only_what_is_left() {
    let Stage { broker, daemon } = Setup::new().set("broker.limits.modifications_per_order = 3").stage();
    let option = broker.option();
    let order = resting(&broker, &daemon, 260);
    changed_three_times(&broker, &order);
    broker.fill(&broker.only_order(ASHA).id, 65, "92.00");
    daemon.until_filled(&order, "asha", 65);
    broker.change(LEADER, &order, &to_price("91.00"));

    until_terms(&broker, &limit("91.00", buy(option, 65)));
    broker.quiet();
    let mapping = daemon.mapping(&order, "asha").unwrap();
    assert_eq!((mapping.target, mapping.copied, mapping.filled), (130, 130, 65));
    assert_eq!(broker.position(ASHA, option, Product::Margin), 65);
    daemon.end();
}

#[test]
fn b10_cap_of_changes_stop() {
    let Stage { broker, mut daemon } = Setup::new()
        .set("broker.limits.modifications_per_order = 3")
        .set(r#"copy.at_modification_limit = "stop""#)
        .stage();
    daemon.expects("changes_exhausted");
    let option = broker.option();
    let order = resting(&broker, &daemon, 260);
    changed_three_times(&broker, &order);
    broker.change(LEADER, &order, &to_price("91.00"));

    daemon.until_incident("changes_exhausted", "asha");
    broker.quiet();
    let copy = broker.only_order(ASHA);
    assert_eq!((copy.terms, copy.modifications), (limit("92.00", buy(option, 130)), 3));
    assert_eq!(broker.asked(ASHA), (1, 3, 0));

    // What frees quantity still passes.
    broker.cancel(LEADER, &order);
    daemon.until_status(&order, "asha", "CANCELLED");
    daemon.end();
}

#[test]
fn b10_the_broker_refuses_one_change_too_many() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("change refused");
    let option = broker.option();
    let order = resting(&broker, &daemon, 260);
    // The broker counts what we do not: somebody restates the order as it is, as often as an order may be changed.
    let copy = broker.only_order(ASHA);
    broker.change_all(ASHA, &copy.id, &vec![ModifyRequest::default(); 25]);
    broker.change(LEADER, &order, &to_price("94.00"));

    until_terms(&broker, &limit("94.00", buy(option, 130)));
    broker.quiet();
    let copies = broker.orders(ASHA);
    let seen: Vec<_> = copies.iter().map(|copy| (copy.status.as_str(), copy.modifications)).collect();
    assert_eq!(seen, [("CANCELLED", 25), ("PENDING", 0)]);
    daemon.until_changes(&order, "asha", &[("modify", "REFUSED"), ("cancel", "ACKED")]);
    daemon.end();
}
