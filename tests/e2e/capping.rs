//! B: changes that the broker does not take, or not at once: too many of them, answers lost, fills that come first.

use serde_json::json;
use tandem_domain::ids::BrokerOrderId;
use tandem_domain::order::Product;
use tandem_sim::exchange::{ModifyRequest, Source};
use tandem_sim::{AnswerFault, Fault, Operation};

use crate::changing::{resting, until_terms};
use crate::harness::{
    ASHA, Broker, LEADER, Setup, Stage, account, buy, limit, rupees, to_price, to_units, until,
};

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
    daemon.expects("the copy cannot be changed any more");
    let option = broker.option();
    let order = resting(&broker, &daemon, 260);
    changed_three_times(&broker, &order);
    broker.change(LEADER, &order, &to_price("91.00"));

    daemon.until_incident("changes_exhausted", "asha");
    broker.quiet();
    let copy = broker.only_order(ASHA);
    assert_eq!((copy.terms, copy.modifications), (limit("92.00", buy(option, 130)), 3));
    assert_eq!(broker.asked(ASHA), (1, 3, 0));

    assert_eq!(daemon.gaps(&order, "asha"), [("changes_exhausted".to_owned(), 0, "reported".to_owned())]);

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

/// The answer to the change goes wrong in this way; what the changes came to in the end.
fn pursued(answer: AnswerFault, expected: &[(&str, &str)]) {
    let Stage { broker, mut daemon } = Setup::new().set("recovery.settle_ms = 1000").stage();
    daemon.expects("the answer was lost");
    let order = resting(&broker, &daemon, 260);
    broker.spoil(ASHA, Operation::Modify, 1, answer);
    broker.change(LEADER, &order, &to_price("94.00"));

    daemon.until_changes(&order, "asha", expected);
    until_terms(&broker, &limit("94.00", buy(broker.option(), 130)));
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).modifications, 1);
    assert_eq!(broker.asked(ASHA), (1, expected.len(), 0));
    let mapping = daemon.mapping(&order, "asha").unwrap();
    assert_eq!((mapping.outcome.as_str(), mapping.target, mapping.copied), ("sent", 130, 130));
    daemon.end();
}

#[test]
fn b3_answer_lost_after_the_change() {
    pursued(AnswerFault::LoseAfter, &[("modify", "ACKED")]);
}

#[test]
fn b3_answer_lost_before_the_change() {
    pursued(AnswerFault::LoseBefore, &[("modify", "ABSENT"), ("modify", "ACKED")]);
}

#[test]
fn b3_server_error_after_the_change() {
    pursued(AnswerFault::ErrorAfter { status: 504 }, &[("modify", "ACKED")]);
}

#[test]
fn b3_server_error_before_the_change() {
    pursued(AnswerFault::ErrorBefore { status: 502 }, &[("modify", "ABSENT"), ("modify", "ACKED")]);
}

#[test]
fn b1_answer_lost_before_the_raise() {
    let Stage { broker, mut daemon } = Setup::new().set("recovery.settle_ms = 1000").stage();
    daemon.expects("the answer was lost");
    let order = resting(&broker, &daemon, 260);
    broker.spoil(ASHA, Operation::Modify, 1, AnswerFault::LoseBefore);
    broker.change(LEADER, &order, &to_units(520));

    // Until it is proven to have come to nothing, both quantities count and nothing more is asked for.
    daemon.until_changes(&order, "asha", &[("modify", "ABSENT"), ("modify", "ACKED")]);
    until_terms(&broker, &limit("95.00", buy(broker.option(), 260)));
    broker.quiet();
    assert_eq!((broker.orders(ASHA).len(), broker.asked(ASHA)), (1, (1, 2, 0)));
    daemon.end();
}

#[test]
fn b3_change_that_is_taken_and_comes_to_nothing() {
    let Stage { broker, daemon } = Setup::new().set("recovery.settle_ms = 1000").stage();
    let order = resting(&broker, &daemon, 260);
    broker.inject(ASHA, Fault::VoidModifies { count: 1 });
    broker.change(LEADER, &order, &to_price("94.00"));

    // The book goes on showing the old price: it is asked for again.
    until_terms(&broker, &limit("94.00", buy(broker.option(), 130)));
    broker.quiet();
    let copy = broker.only_order(ASHA);
    assert_eq!((copy.modifications, broker.asked(ASHA)), (2, (1, 2, 0)));
    assert_eq!(daemon.mapping(&order, "asha").unwrap().outcome, "sent");
    daemon.end();
}

#[test]
fn b2_a_fill_overtakes_the_lowering() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("copy_gap");
    for text in ["change refused", "cancel refused"] {
        daemon.tolerates(text);
    }
    let option = broker.option();
    let order = resting(&broker, &daemon, 520);
    let copy = broker.only_order(ASHA);
    // The copy fills whole in the moment in which the leader wants a quarter.
    broker.sim.with_exchange(|exchange| {
        exchange.modify(&account(LEADER), Source::App, order.as_str(), &to_units(130)).unwrap();
        assert!(exchange.fill_resting(&copy.id, copy.terms.quantity, rupees("95.00")));
    });
    daemon.until_filled(&order, "asha", 260);
    daemon.until_leader(&order, "is lowered", |leader| leader.quantity == 130);
    broker.quiet();
    assert_eq!(broker.asked(ASHA).0, 1, "as long as the leader's works, nobody knows what is too much");

    // His fills: one lot is her share, three are too many.
    broker.fill(&order, 130, "95.00");
    until("the excess is closed", || (broker.position(ASHA, option, Product::Margin) == 65).then_some(()));
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 65);
    let gaps = daemon.gaps(&order, "asha");
    assert_eq!(gaps.iter().map(|gap| (gap.1, gap.2.as_str())).collect::<Vec<_>>(), [(195, "repaired")]);
    daemon.end();
}

#[test]
fn b3_busy_broker() {
    let Stage { broker, mut daemon } = Setup::new().set("recovery.settle_ms = 1000").stage();
    daemon.expects("the broker asks for fewer requests");
    let order = resting(&broker, &daemon, 260);
    broker.spoil(ASHA, Operation::Modify, 1, AnswerFault::Busy);
    broker.change(LEADER, &order, &to_price("94.00"));

    until_terms(&broker, &limit("94.00", buy(broker.option(), 130)));
    daemon.until_changes(&order, "asha", &[("modify", "ABSENT"), ("modify", "ACKED")]);
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (1, 2, 0));
    daemon.end();
}
