//! A and B: orders that bring their own exits (super, cover and bracket orders) and orders that rest at the broker until
//! their price comes (forever orders).

use std::time::Duration;

use serde_json::json;
use tandem_domain::ids::BrokerOrderId;
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::order::{BrokerStatus, Leg, OrderTerms, Product};
use tandem_domain::quantity::Quantity;
use tandem_sim::SimVariants;
use tandem_sim::exchange::{ForeverChange, ModifyRequest, SimForever, SuperChange};

use crate::harness::{
    ASHA, Broker, Daemon, Exits, LEADER, OrderRow, Setup, Stage, account, buy, forever, limit,
    one_cancels_other, rupees, sell, until, with_exits,
};

/// What is known of the orders of Asha's one super order, the target having filled.
#[track_caller]
fn until_all_legs_are_hers(broker: &Broker, daemon: &Daemon, filled: Leg) {
    let entry = broker.only_super(ASHA).entry.id;
    let leg = |leg: Leg| {
        let orders = broker.orders(ASHA);
        let order = orders.iter().find(|order| order.leg() == leg).unwrap();
        OrderRow {
            broker_order_id: order.id.to_string(),
            role: "follower".to_owned(),
            leg: if leg == Leg::Target { "target" } else { "stop_loss" }.to_owned(),
            parent: Some(entry.to_string()),
            status: if leg == filled { "TRADED" } else { "CANCELLED" }.to_owned(),
        }
    };
    let expected = [leg(Leg::StopLoss), leg(Leg::Target)];
    until(&format!("the legs are known as {expected:?}"), || {
        let known = daemon.known_orders(ASHA);
        let legs: Vec<_> = known.iter().filter(|order| order.broker_order_id != entry.as_str()).collect();
        (legs == expected.iter().collect::<Vec<_>>()).then_some(())
    });
}

/// A super order of four lots: copied once, legs and all; its legs trail and fire by themselves on both sides.
fn super_order_lives(variants: impl FnOnce(&mut SimVariants), filled: Leg) {
    let Stage { broker, daemon } = Setup::new().sim(|sim| variants(&mut sim.variants)).stage();
    let option = broker.option();
    let terms = |units| with_exits("120.00", "80.00", "2.00", limit("95.00", buy(option, units)));
    let order = broker.lead_super(terms(260));

    let intent = daemon.until_status(&order, "asha", "PENDING");
    broker.quiet();
    let copy = broker.only_super(ASHA).entry;
    assert_eq!(copy.terms, terms(130));
    assert_eq!(copy.tag.as_deref(), Some(intent.client_order_id.as_str()));
    let body = &broker.bodies(ASHA, "POST")[0];
    let told =
        ["quantity", "price", "targetPrice", "stopLossPrice", "trailingJump"].map(|key| body[key].clone());
    assert_eq!(told, [json!(130), json!(95.0), json!(120.0), json!(80.0), json!(2.0)]);
    assert_eq!((&body["orderType"], &body["productType"]), (&json!("LIMIT"), &json!("MARGIN")));

    // Both entries fill at 95; from then on their legs have orders of their own.
    broker.price(option, "94.00");
    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    assert_eq!(broker.exits(ASHA), Exits::waiting("120.00", "80.00", "2.00"));
    assert_eq!((broker.orders(LEADER).len(), broker.orders(ASHA).len()), (3, 3));

    // Four rupees up: two jumps of two, made by the broker for each.
    broker.price(option, "99.00");
    broker.quiet();
    assert_eq!(broker.exits(LEADER), Exits::waiting("120.00", "84.00", "2.00"));
    assert_eq!(broker.exits(ASHA), Exits::waiting("120.00", "84.00", "2.00"));

    // Each account's own leg takes it out.
    broker.price(option, if filled == Leg::Target { "120.00" } else { "83.50" });
    until_all_legs_are_hers(&broker, &daemon, filled);
    broker.quiet();
    for client_id in [LEADER, ASHA] {
        assert_eq!(broker.position(client_id, option, Product::Margin), 0, "{client_id}");
    }
    assert_eq!(broker.calls(ASHA), ["POST /super/orders"]);
    assert_eq!(broker.orders(ASHA).len(), 3);
    assert_eq!(daemon.outcomes("asha"), [("sent".to_owned(), None, 1)]);
    assert_eq!(daemon.gaps(&order, "asha"), []);
    assert_eq!(daemon.incidents(), []);
    daemon.end_at_rest(&broker);
}

#[test]
fn a15_super_order_to_its_target() {
    super_order_lives(|_| {}, Leg::Target);
}

#[test]
fn a15_super_order_to_its_stop() {
    super_order_lives(|_| {}, Leg::StopLoss);
}

#[test]
fn a15_super_order_whose_legs_do_not_name_their_parent() {
    super_order_lives(|variants| variants.parent_in_frames = false, Leg::Target);
}

#[test]
fn a15_super_order_whose_legs_are_listed_by_their_own_ids() {
    super_order_lives(
        |variants| {
            variants.parent_in_frames = false;
            variants.own_leg_ids = true;
        },
        Leg::StopLoss,
    );
}

#[test]
fn a15_super_order_whose_legs_carry_our_tag() {
    super_order_lives(|variants| variants.legs_keep_tag = true, Leg::Target);
}

#[test]
fn a15_super_order_sold_short() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let terms = |units| with_exits("80.00", "125.00", "5.00", limit("105.00", sell(option, units)));
    let order = broker.lead_super(terms(260));
    daemon.until_status(&order, "asha", "PENDING");
    broker.quiet();
    assert_eq!(broker.only_super(ASHA).entry.terms, terms(130));

    broker.price(option, "105.00");
    daemon.until_filled(&order, "asha", 130);
    // Down by two jumps of five: the stops follow, each by itself; then up to them.
    broker.price(option, "95.00");
    broker.quiet();
    assert_eq!(broker.exits(ASHA), Exits::waiting("80.00", "115.00", "5.00"));
    broker.price(option, "115.00");
    until_all_legs_are_hers(&broker, &daemon, Leg::StopLoss);
    broker.quiet();
    assert_eq!(broker.position(LEADER, option, Product::Margin), 0);
    assert_eq!(broker.position(ASHA, option, Product::Margin), 0);
    assert_eq!(broker.calls(ASHA), ["POST /super/orders"]);
    assert_eq!(daemon.gaps(&order, "asha"), []);
    daemon.end_at_rest(&broker);
}

#[test]
fn a15_super_order_at_the_market() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = broker.lead_super(with_exits("", "80.00", "", buy(option, 260)));

    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    let copy = broker.only_super(ASHA);
    assert_eq!((copy.entry.terms.quantity.get(), copy.legs.len()), (130, 1));
    assert_eq!((copy.legs[0].leg, copy.legs[0].price), (Leg::StopLoss, rupees("80.00")));
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    assert_eq!(broker.calls(ASHA), ["POST /super/orders"]);
    daemon.end_at_rest(&broker);
}

/// The leader's target is met by somebody who wants no more than his.
fn leader_alone_is_out(setup: Setup) -> (Stage, InstrumentKey, BrokerOrderId) {
    let stage = setup.stage();
    let Stage { broker, daemon } = &stage;
    let option = broker.option();
    let order = entered(daemon, broker, option);
    let target = broker.orders(LEADER).into_iter().find(|order| order.leg() == Leg::Target).unwrap();
    broker.fill(&target.id, 260, "120.00");
    assert_eq!(broker.position(LEADER, option, Product::Margin), 0);
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    (stage, option, order)
}

#[test]
fn a15_super_order_that_the_leader_is_out_of_and_the_follower_is_not() {
    let (Stage { broker, mut daemon }, option, order) = leader_alone_is_out(Setup::new());
    daemon.expects("copy_gap");

    // She is given two seconds; then her legs go, and what she holds is sold.
    broker.pass(Duration::from_secs(3));
    until("she is out", || (broker.position(ASHA, option, Product::Margin) == 0).then_some(()));
    daemon.until_gap(&order, "asha", "exit_leg_missed", 130, "repaired");
    broker.quiet();
    let calls = ["POST /super/orders", "DELETE /super/orders/ENTRY_LEG", "POST /orders"];
    assert_eq!(broker.calls(ASHA), calls);
    assert_eq!(broker.position(ASHA, option, Product::Margin), 0);
    assert!(broker.orders(ASHA).iter().all(tandem_sim::exchange::SimOrder::is_terminal));
    daemon.end_at_rest(&broker);
}

#[test]
fn a15_super_order_whose_target_is_met_a_second_after_the_leaders() {
    let (Stage { broker, daemon }, option, order) = leader_alone_is_out(Setup::new());

    broker.quiet();
    let target = broker.orders(ASHA).into_iter().find(|order| order.leg() == Leg::Target).unwrap();
    broker.fill(&target.id, 130, "120.00");
    until_all_legs_are_hers(&broker, &daemon, Leg::Target);
    broker.pass(Duration::from_secs(5));
    assert_eq!(broker.position(ASHA, option, Product::Margin), 0);
    assert_eq!(broker.calls(ASHA), ["POST /super/orders"]);
    assert_eq!(daemon.gaps(&order, "asha"), []);
    daemon.end_at_rest(&broker);
}

/// A super order of four lots whose entries have filled.
fn entered(daemon: &Daemon, broker: &Broker, option: InstrumentKey) -> BrokerOrderId {
    let order = broker.lead_super(with_exits("120.00", "80.00", "2.00", limit("95.00", buy(option, 260))));
    daemon.until_status(&order, "asha", "PENDING");
    broker.price(option, "95.00");
    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    assert_eq!(broker.exits(ASHA), Exits::waiting("120.00", "80.00", "2.00"));
    order
}

#[track_caller]
fn until_exits(broker: &Broker, expected: &Exits) {
    until(&format!("Asha's legs are {expected:?}"), || (broker.exits(ASHA) == *expected).then_some(()));
    broker.quiet();
    assert_eq!(broker.exits(ASHA), *expected);
}

#[test]
fn b12_leader_moves_and_cancels_legs() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = entered(&daemon, &broker, option);

    let trail = rupees("2.00");
    broker.lead_super_change(&order, &SuperChange::Stop { price: Some(rupees("83.00")), trailing: trail });
    until_exits(&broker, &Exits::waiting("120.00", "83.00", "2.00"));
    broker.lead_super_change(&order, &SuperChange::Target { price: rupees("115.00") });
    until_exits(&broker, &Exits::waiting("115.00", "83.00", "2.00"));
    // The trail is switched off: the price moves, the stop does not.
    broker.lead_super_change(&order, &SuperChange::Stop { price: None, trailing: rupees("0") });
    until_exits(&broker, &Exits::waiting("115.00", "83.00", "0"));
    broker.price(option, "101.00");
    until_exits(&broker, &Exits::waiting("115.00", "83.00", "0"));
    // And on again, at another step.
    let wider = rupees("5.00");
    broker.lead_super_change(&order, &SuperChange::Stop { price: None, trailing: wider });
    until_exits(&broker, &Exits::waiting("115.00", "83.00", "5.00"));

    broker.lead_leg_cancel(&order, Leg::Target);
    let gone = (rupees("115.00"), BrokerStatus::Cancelled.to_string());
    until_exits(&broker, &Exits { target: gone, ..Exits::waiting("115.00", "83.00", "5.00") });
    let calls = broker.calls(ASHA);
    assert_eq!(
        calls[..5],
        [
            "POST /super/orders",
            "PUT /super/orders",
            "PUT /super/orders",
            "PUT /super/orders",
            "PUT /super/orders"
        ]
    );
    assert_eq!(calls[5..], ["DELETE /super/orders/TARGET_LEG"]);
    let bodies = broker.bodies(ASHA, "PUT");
    let told = |body: &serde_json::Value| {
        ["legName", "stopLossPrice", "targetPrice", "trailingJump"].map(|key| body[key].clone())
    };
    let nothing = serde_json::Value::Null;
    assert_eq!(told(&bodies[0]), [json!("STOP_LOSS_LEG"), json!(83.0), nothing.clone(), json!(2.0)]);
    assert_eq!(told(&bodies[1]), [json!("TARGET_LEG"), nothing.clone(), json!(115.0), nothing.clone()]);
    assert_eq!(told(&bodies[2]), [json!("STOP_LOSS_LEG"), json!(83.0), nothing, json!(0.0)]);

    // The stop alone takes both out.
    broker.price(option, "83.00");
    until_all_legs_are_hers(&broker, &daemon, Leg::StopLoss);
    assert_eq!(broker.position(LEADER, option, Product::Margin), 0);
    assert_eq!(broker.position(ASHA, option, Product::Margin), 0);
    let parts: Vec<_> = daemon.steps(&order, "asha").into_iter().map(|step| (step.kind, step.part)).collect();
    let part = |kind: &str, part: &str| (kind.to_owned(), Some(part.to_owned()));
    let expected = [
        ("place".to_owned(), None),
        part("modify", "stop_loss"),
        part("modify", "target"),
        part("modify", "stop_loss"),
        part("modify", "stop_loss"),
        part("cancel", "target"),
    ];
    assert_eq!(parts, expected);
    assert_eq!(daemon.gaps(&order, "asha"), []);
    daemon.end_at_rest(&broker);
}

#[test]
fn b12_leader_moves_a_stop_that_has_trailed() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = entered(&daemon, &broker, option);
    broker.price(option, "99.00");
    broker.quiet();
    assert_eq!(broker.exits(ASHA), Exits::waiting("120.00", "84.00", "2.00"));
    assert_eq!(broker.calls(ASHA), ["POST /super/orders"]);

    let moved = SuperChange::Stop { price: Some(rupees("87.50")), trailing: rupees("2.00") };
    broker.lead_super_change(&order, &moved);
    until_exits(&broker, &Exits::waiting("120.00", "87.50", "2.00"));
    // It goes on trailing from there, on both sides, and nothing is asked for.
    broker.price(option, "103.00");
    until_exits(&broker, &Exits::waiting("120.00", "91.50", "2.00"));
    assert_eq!(broker.exits(LEADER), Exits::waiting("120.00", "91.50", "2.00"));
    assert_eq!(broker.calls(ASHA), ["POST /super/orders", "PUT /super/orders"]);
    daemon.end_at_rest(&broker);
}

#[test]
fn b12_leader_changes_and_cancels_an_entry_that_rests() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = broker.lead_super(with_exits("120.00", "80.00", "2.00", limit("95.00", buy(option, 260))));
    daemon.until_status(&order, "asha", "PENDING");
    broker.quiet();

    let change = ModifyRequest {
        quantity: Some(Quantity::new(390)),
        price: Some(rupees("96.00")),
        ..ModifyRequest::default()
    };
    let (target, stop) = (Some(rupees("125.00")), Some(rupees("85.00")));
    let trailing = rupees("3.00");
    broker.lead_super_change(&order, &SuperChange::Entry { order: change, target, stop, trailing });
    let expected = with_exits("125.00", "85.00", "3.00", limit("96.00", buy(option, 195)));
    until("Asha's entry is changed", || (broker.only_super(ASHA).entry.terms == expected).then_some(()));
    broker.quiet();
    assert_eq!(broker.only_super(ASHA).entry.terms, expected);
    // The frame tells the entry at once; its legs are known once the list is read, and may need requests of their own.
    let changes = broker.bodies(ASHA, "PUT");
    assert_eq!((&changes[0]["legName"], &changes[0]["price"]), (&json!("ENTRY_LEG"), &json!(96.0)));
    assert!(changes.len() <= 3, "{changes:?}");

    broker.lead_leg_cancel(&order, Leg::Entry);
    daemon.until_status(&order, "asha", "CANCELLED");
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).status, BrokerStatus::Cancelled);
    assert_eq!(broker.calls(ASHA)[1 + changes.len()..], ["DELETE /super/orders/ENTRY_LEG"]);
    assert_eq!(daemon.mapping(&order, "asha").unwrap().outcome, "sent");
    assert_eq!(daemon.gaps(&order, "asha"), []);
    daemon.end_at_rest(&broker);
}

#[test]
fn a17_bracket_order_goes_as_a_super_order() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = broker.lead_bracket(limit("95.00", buy(option, 260)), "10.00", "5.00");

    daemon.until_status(&order, "asha", "PENDING");
    broker.quiet();
    let intraday = OrderTerms { product: Product::Intraday, ..limit("95.00", buy(option, 130)) };
    assert_eq!(broker.only_super(ASHA).entry.terms, with_exits("105.00", "90.00", "", intraday));
    assert_eq!(daemon.note(&order, "asha").as_deref(), Some("bracket_as_super"));

    broker.price(option, "95.00");
    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    // The leader moves his stop; then his target is met, and so is hers.
    broker.lead_super_change(
        &order,
        &SuperChange::Stop { price: Some(rupees("91.00")), trailing: rupees("0") },
    );
    until_exits(&broker, &Exits::waiting("105.00", "91.00", "0"));
    broker.price(option, "105.00");
    until_all_legs_are_hers(&broker, &daemon, Leg::Target);
    broker.quiet();
    assert_eq!(broker.position(LEADER, option, Product::Bracket), 0);
    assert_eq!(broker.position(ASHA, option, Product::Intraday), 0);
    assert_eq!(broker.calls(ASHA), ["POST /super/orders", "PUT /super/orders"]);
    assert_eq!(daemon.outcomes("asha"), [("sent".to_owned(), None, 1)]);
    assert_eq!(daemon.gaps(&order, "asha"), []);
    daemon.end_at_rest(&broker);
}

#[test]
fn a17_cover_order_goes_as_a_super_order() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = broker.lead_cover(buy(option, 260), "90.00");

    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    let copy = broker.only_super(ASHA);
    assert_eq!((copy.entry.terms.product, copy.entry.terms.quantity.get()), (Product::Intraday, 130));
    assert_eq!(copy.legs.len(), 1);
    assert_eq!((copy.legs[0].leg, copy.legs[0].price), (Leg::StopLoss, rupees("90.00")));
    assert_eq!(daemon.note(&order, "asha").as_deref(), Some("cover_as_super"));

    broker.price(option, "89.90");
    until("both are out", || {
        let out = broker.position(LEADER, option, Product::Cover) == 0
            && broker.position(ASHA, option, Product::Intraday) == 0;
        out.then_some(())
    });
    broker.quiet();
    assert_eq!(broker.calls(ASHA), ["POST /super/orders"]);
    assert_eq!(daemon.outcomes("asha"), [("sent".to_owned(), None, 1)]);
    assert_eq!(daemon.gaps(&order, "asha"), []);
    daemon.end_at_rest(&broker);
}

const RELIANCE: u32 = 2885;

/// Equity is copied, and the leader's forever orders are looked at often.
fn with_equity() -> Setup {
    Setup::new().set(r#"copy.instrument_kinds = ["OPTIDX", "EQUITY"]"#).set("leader.forever_poll_ms = 1000")
}

/// Waits until Asha has a forever order like this.
#[track_caller]
fn until_forever(broker: &Broker, expected: &OrderTerms) -> SimForever {
    let found = until(&format!("Asha's forever order is {expected:?}"), || {
        let orders = broker.sim.with_exchange(|exchange| exchange.forever_orders(&account(ASHA)));
        orders.into_iter().find(|order| order.terms == *expected)
    });
    broker.quiet();
    assert_eq!(broker.only_forever(ASHA).terms, *expected);
    found
}

#[test]
fn a16_forever_order_single() {
    let Stage { broker, daemon } = with_equity().stage();
    let share = broker.share(RELIANCE, "1450.00");
    let order = broker.lead_forever(forever("1407.00", "1405.00", buy(share, 40)));

    until_forever(&broker, &forever("1407.00", "1405.00", buy(share, 20)));
    assert_eq!(broker.bodies(ASHA, "POST")[0]["orderFlag"], "SINGLE");
    assert!(broker.orders(ASHA).is_empty(), "it rests at the broker, not in the market");

    let change = ForeverChange {
        leg: Leg::Target,
        order_type: None,
        time_in_force: None,
        quantity: Some(Quantity::new(60)),
        price: Some(rupees("1402.00")),
        trigger: Some(rupees("1400.00")),
    };
    broker.lead_forever_change(&order, &change);
    until_forever(&broker, &forever("1402.00", "1400.00", buy(share, 30)));
    assert_eq!(broker.calls(ASHA), ["POST /forever/orders", "PUT /forever/orders"]);

    // Both fire. What the leader's leaves is not copied: hers leaves one of its own.
    broker.price(share, "1400.00");
    daemon.until_filled(&order, "asha", 30);
    until("the leader's child is known", || {
        let expected =
            [("sent".to_owned(), None, 1), ("skipped".to_owned(), Some("forever_child".to_owned()), 1)];
        (daemon.outcomes("asha") == expected).then_some(())
    });
    broker.quiet();
    assert_eq!(broker.position(LEADER, share, Product::Cnc), 60);
    assert_eq!(broker.position(ASHA, share, Product::Cnc), 30);
    assert_eq!(broker.orders(ASHA).len(), 1);
    assert_eq!(broker.calls(ASHA).len(), 2);
    assert_eq!(daemon.gaps(&order, "asha"), []);
    daemon.end_at_rest(&broker);
}

#[test]
fn a16_forever_order_one_cancels_other() {
    let Stage { broker, daemon } = with_equity().stage();
    let share = broker.share(RELIANCE, "1450.00");
    let held = broker.lead(OrderTerms { product: Product::Cnc, ..buy(share, 40) });
    daemon.until_filled(&held, "asha", 20);
    let terms = |stop: &str, units| {
        let trigger = if stop == "1395.00" { "1400.00" } else { "1410.00" };
        one_cancels_other(stop, trigger, forever("1500.00", "1505.00", sell(share, units)))
    };
    let order = broker.lead_forever(terms("1395.00", 40));
    until_forever(&broker, &terms("1395.00", 20));
    assert_eq!(broker.bodies(ASHA, "POST")[1]["orderFlag"], "OCO");

    // The second leg moves; the first stays.
    let change = ForeverChange {
        leg: Leg::StopLoss,
        order_type: None,
        time_in_force: None,
        quantity: None,
        price: Some(rupees("1405.00")),
        trigger: Some(rupees("1410.00")),
    };
    broker.lead_forever_change(&order, &change);
    until_forever(&broker, &terms("1405.00", 20));
    assert_eq!(broker.calls(ASHA), ["POST /orders", "POST /forever/orders", "PUT /forever/orders"]);
    assert_eq!(broker.bodies(ASHA, "PUT")[0]["legName"], "STOP_LOSS_LEG");

    broker.price(share, "1409.00");
    daemon.until_filled(&order, "asha", 20);
    broker.quiet();
    assert_eq!(broker.position(LEADER, share, Product::Cnc), 0);
    assert_eq!(broker.position(ASHA, share, Product::Cnc), 0);
    assert_eq!(broker.orders(ASHA).len(), 2);
    assert_eq!(broker.calls(ASHA).len(), 3);
    assert_eq!(daemon.gaps(&order, "asha"), []);
    daemon.end_at_rest(&broker);
}

#[test]
fn a16_forever_order_cancelled() {
    let Stage { broker, daemon } = with_equity().stage();
    let share = broker.share(RELIANCE, "1450.00");
    let order = broker.lead_forever(forever("1407.00", "1405.00", buy(share, 40)));
    until_forever(&broker, &forever("1407.00", "1405.00", buy(share, 20)));

    broker.lead_forever_cancel(&order);
    until("Asha's is cancelled", || {
        let copy = broker.only_forever(ASHA);
        copy.legs.iter().all(|leg| leg.status == BrokerStatus::Cancelled).then_some(())
    });
    daemon.until_status(&order, "asha", "CANCELLED");
    broker.price(share, "1400.00");
    broker.quiet();
    assert!(broker.orders(ASHA).is_empty());
    assert_eq!(broker.calls(ASHA), ["POST /forever/orders", "DELETE /forever/orders"]);
    assert_eq!(daemon.gaps(&order, "asha"), []);
    daemon.end_at_rest(&broker);
}

#[test]
fn a16_forever_order_while_only_options_are_copied() {
    let Stage { broker, daemon } = Setup::new().stage();
    let share = broker.share(RELIANCE, "1450.00");
    broker.lead_forever(forever("1407.00", "1405.00", buy(share, 40)));
    broker.quiet();
    broker.price(share, "1405.00");
    // The order it leaves is an ordinary one, of a kind that is not copied.
    let child = broker.only_order(LEADER).id;
    daemon.until_refused(&child, "asha", "skipped", "not_option");
    broker.quiet();
    assert_eq!(broker.writes(ASHA), []);
    daemon.end_at_rest(&broker);
}

#[test]
fn a16_forever_order_on_a_derivative() {
    let Stage { broker, daemon } =
        with_equity().sim(|sim| sim.variants.forever_on_derivatives = true).stage();
    let option = broker.option();
    let terms = forever("97.00", "95.00", buy(option, 260));
    let order = broker.lead_forever(OrderTerms { product: Product::Margin, ..terms });
    daemon.until_refused(&order, "asha", "skipped", "forever_on_derivatives");
    broker.quiet();
    assert_eq!(broker.writes(ASHA), []);

    // The order it leaves when it fires is an ordinary one, and the only one that is copied.
    broker.price(option, "95.00");
    let child = until("the leader's forever order has left its child", || {
        broker.orders(LEADER).first().map(|child| child.id.clone())
    });
    daemon.until_filled(&child, "asha", 130);
    broker.quiet();
    assert_eq!(broker.calls(ASHA), ["POST /orders"]);
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    daemon.end_at_rest(&broker);
}
