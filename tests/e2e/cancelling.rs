//! C: the leader cancels; the follower's order goes too, and is pursued until that is proven.

use std::time::Duration;

use serde_json::json;
use tandem_domain::ids::BrokerOrderId;
use tandem_domain::order::{OrderTerms, OrderType, Product, TimeInForce};
use tandem_sim::exchange::{PlaceRequest, Source};
use tandem_sim::{AnswerFault, Fault, Mute, Operation};

use crate::harness::{ASHA, Broker, Daemon, LEADER, Setup, Stage, account, buy, limit, rupees, sell, until};

/// The leader's buy of so many units at 95.00, and the copy of it, both resting.
fn resting(broker: &Broker, daemon: &Daemon, units: u32) -> BrokerOrderId {
    let order = broker.lead(limit("95.00", buy(broker.option(), units)));
    daemon.until_status(&order, "asha", "PENDING");
    order
}

/// Nothing of the copy is left, and there never was anything: no gap, no position. The reason tells why it was taken back.
#[track_caller]
fn assert_gone(broker: &Broker, daemon: &Daemon, order: &BrokerOrderId, reason: Option<&str>) {
    let mapping = daemon.mapping(order, "asha").unwrap();
    assert_eq!((mapping.outcome.as_str(), mapping.reason.as_deref()), ("sent", reason));
    assert_eq!((mapping.target, mapping.copied, mapping.filled), (0, 0, 0));
    assert!(daemon.gaps(order, "asha").is_empty());
    assert_eq!(broker.position(ASHA, broker.option(), Product::Margin), 0);
}

#[test]
fn c1_resting_order() {
    let Stage { broker, daemon } = Setup::new().stage();
    let order = resting(&broker, &daemon, 260);
    broker.cancel(LEADER, &order);

    daemon.until_status(&order, "asha", "CANCELLED");
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).status.as_str(), "CANCELLED");
    assert_eq!(broker.asked(ASHA), (1, 0, 1));
    daemon.until_changes(&order, "asha", &[("cancel", "ACKED")]);
    assert_gone(&broker, &daemon, &order, Some("leader_gone"));
    daemon.end_at_rest(&broker);
}

#[test]
fn c2_entry_after_a_part_fill() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("copy_gap");
    let option = broker.option();
    let order = resting(&broker, &daemon, 520);
    let copy = broker.only_order(ASHA);
    // Four of his eight lots, one of the follower's four.
    broker.fill(&order, 260, "95.00");
    broker.fill(&copy.id, 65, "94.50");
    daemon.until_filled(&order, "asha", 65);
    broker.cancel(LEADER, &order);

    // What he took back is taken back; the share of what he executed waits its time, and is cancelled then.
    broker.until_order(ASHA, "is lowered", |copy| copy.terms.quantity.get() == 130);
    broker.pass(Duration::from_secs(11));
    daemon.until_gap(&order, "asha", "left_behind", -65, "cancelled");
    broker.quiet();
    // What is filled is kept and compared.
    let copy = broker.only_order(ASHA);
    assert_eq!((copy.status.as_str(), copy.filled.get()), ("CANCELLED", 65));
    assert_eq!(broker.position(ASHA, option, Product::Margin), 65);
    assert_eq!(broker.asked(ASHA), (1, 1, 1));
    let mapping = daemon.mapping(&order, "asha").unwrap();
    assert_eq!((mapping.copied, mapping.filled, mapping.reason.as_deref()), (65, 65, Some("left_behind")));
    // Half a rupee better on 65 units.
    assert_eq!((mapping.slippage, mapping.slippage_ticks), (Some(-325_000), Some(-10)));
    daemon.end_at_rest(&broker);
}

/// Both hold: the leader eight lots, the follower four.
fn holding(broker: &Broker, daemon: &Daemon) {
    let entry = broker.lead(buy(broker.option(), 520));
    daemon.until_filled(&entry, "asha", 260);
}

#[test]
fn c2_exit_after_a_part_fill() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    // Ten rupees worse than the leader's limit: an exit is chased whatever it costs.
    daemon.expects("slippage");
    let option = broker.option();
    holding(&broker, &daemon);
    let exit = broker.lead(limit("110.00", sell(option, 520)));
    daemon.until_status(&exit, "asha", "PENDING");
    // Half of his is executed; nothing of the follower's.
    broker.fill(&exit, 260, "110.00");
    daemon.until_leader(&exit, "is filled in part", |leader| leader.filled == 260);
    broker.cancel(LEADER, &exit);

    // Half of his position is still owed: lowered to that, and then to the market.
    broker.until_order(ASHA, "is lowered", |copy| {
        copy.terms == limit("110.00", sell(option, 130)) || copy.terms.order_type != OrderType::Limit
    });
    broker.pass(Duration::from_secs(3));
    daemon.until_filled(&exit, "asha", 130);
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    assert_eq!((broker.orders(ASHA).len(), broker.asked(ASHA).2), (2, 0));
    let mapping = daemon.mapping(&exit, "asha").unwrap();
    assert_eq!((mapping.target, mapping.copied, mapping.filled), (130, 130, 130));
    assert!(daemon.gaps(&exit, "asha").is_empty());
    daemon.end_at_rest(&broker);
}

#[test]
fn c3_cancels_all() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let orders = broker.lead_all(["95.00", "94.00", "93.00"].map(|price| limit(price, buy(option, 260))));
    for order in &orders {
        daemon.until_status(order, "asha", "PENDING");
    }
    broker.sim.with_exchange(|exchange| {
        for order in &orders {
            exchange.cancel(&account(LEADER), Source::App, order.as_str()).unwrap();
        }
    });

    for order in &orders {
        daemon.until_status(order, "asha", "CANCELLED");
    }
    broker.quiet();
    assert!(broker.orders(ASHA).iter().all(|copy| copy.status.as_str() == "CANCELLED"));
    assert_eq!(broker.asked(ASHA), (3, 0, 3));
    for order in &orders {
        assert_gone(&broker, &daemon, order, Some("leader_gone"));
    }
    daemon.end_at_rest(&broker);
}

#[test]
fn c4_before_the_copy_was_sent() {
    // One entry a minute; the other half of the budget is the exits'.
    let Stage { broker, daemon } = Setup::new()
        .set("broker.limits.orders_per_second = 2")
        .set("broker.limits.orders_per_minute = 2")
        .set("broker.limits.exit_reserve_pct = 50")
        .stage();
    let option = broker.option();
    let first = resting(&broker, &daemon, 260);
    let second = broker.lead(limit("94.00", buy(option, 260)));
    daemon.until_outcome(&second, "asha", "waiting");
    daemon.until_intent(&second, "asha", "PLANNED");
    broker.cancel(LEADER, &second);

    daemon.until_refused(&second, "asha", "voided", "leader_gone");
    daemon.until_intent(&second, "asha", "VOIDED");
    broker.pass(Duration::from_mins(2));
    assert_eq!(broker.only_order(ASHA).terms, limit("95.00", buy(option, 130)));
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    assert!(daemon.changes(&second, "asha").is_empty());
    assert_eq!(daemon.mapping(&first, "asha").unwrap().outcome, "sent");
    daemon.end_at_rest(&broker);
}

#[test]
fn c5_while_the_copy_is_in_flight() {
    // Nothing but the answer tells of the copy.
    let Stage { broker, daemon } =
        Setup::new().set("recovery.poll_ms = 600000").set("recovery.idle_poll_ms = 600000").stage();
    broker.inject(ASHA, Fault::StreamMute { mute: Mute::Frames });
    broker.spoil_placements(ASHA, 1, AnswerFault::Delay { ms: 700 });
    let order = broker.lead(limit("95.00", buy(broker.option(), 260)));
    broker.until_order(ASHA, "is there", |_| true);
    broker.cancel(LEADER, &order);
    daemon.until_leader(&order, "is cancelled", |leader| leader.status == "CANCELLED");
    assert!(broker.requests(ASHA, Operation::Place).is_empty(), "it is not answered yet");
    assert!(broker.requests(ASHA, Operation::Cancel).is_empty());

    broker.until_order(ASHA, "is cancelled", |copy| copy.status.as_str() == "CANCELLED");
    daemon.until_changes(&order, "asha", &[("cancel", "ACKED")]);
    assert_eq!(broker.asked(ASHA), (1, 0, 1));
    daemon.end_at_rest(&broker);
}

#[test]
fn c5_while_nobody_knows_whether_the_copy_is_there() {
    for (answer, orders) in [(AnswerFault::LoseAfter, 1), (AnswerFault::LoseBefore, 0)] {
        let Stage { broker, mut daemon } = Setup::new().set("recovery.settle_ms = 1000").stage();
        daemon.expects("the answer was lost");
        broker.spoil_placements(ASHA, 1, answer);
        let order = broker.lead(limit("95.00", buy(broker.option(), 260)));
        until("the copy is asked for", || (broker.asked(ASHA).0 == 1).then_some(()));
        broker.cancel(LEADER, &order);

        // Found and cancelled, or proven absent; never placed again.
        if orders == 1 {
            daemon.until_status(&order, "asha", "CANCELLED");
        } else {
            daemon.until_outcome(&order, "asha", "voided");
        }
        broker.pass(Duration::from_secs(5));
        assert_eq!((broker.orders(ASHA).len(), broker.asked(ASHA)), (orders, (1, 0, orders)));
        assert_eq!(daemon.mapping(&order, "asha").unwrap().copied, 0);
        daemon.end();
    }
}

/// The copy of an entry is filled whole, and then the leader cancels his.
fn cancelled_after_the_copy_filled(setup: Setup) -> (Stage, BrokerOrderId) {
    let Stage { broker, mut daemon } = setup.stage();
    daemon.expects("copy_gap");
    let order = resting(&broker, &daemon, 260);
    broker.fill(&broker.only_order(ASHA).id, 130, "95.00");
    daemon.until_filled(&order, "asha", 130);
    broker.cancel(LEADER, &order);
    (Stage { daemon, broker }, order)
}

#[test]
fn c6_filled_copy_is_closed_again() {
    let (Stage { broker, daemon }, order) = cancelled_after_the_copy_filled(Setup::new());
    let option = broker.option();

    daemon.until_gap(&order, "asha", "leader_cancelled", 130, "repaired");
    daemon.until_incident("copy_gap", "asha");
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 0);
    let orders = broker.orders(ASHA);
    assert_eq!(orders.len(), 2);
    assert_eq!((orders[1].terms.side, orders[1].filled.get()), (sell(option, 1).side, 130));
    let intents = daemon.intents(&order, "asha");
    let purposes: Vec<&str> = intents.iter().map(|intent| intent.purpose.as_str()).collect();
    assert_eq!(purposes, ["entry", "exit"]);
    assert_eq!(daemon.mapping(&order, "asha").unwrap().filled, 130, "what repairs is not counted as copied");
    daemon.end_at_rest(&broker);
}

#[test]
fn c6_filled_copy_is_reported() {
    let setup = Setup::new().set(r#"parting.gap = "report""#);
    let (Stage { broker, daemon }, order) = cancelled_after_the_copy_filled(setup);

    daemon.until_gap(&order, "asha", "leader_cancelled", 130, "reported");
    daemon.until_incident("copy_gap", "asha");
    broker.pass(Duration::from_mins(1));
    assert_eq!(broker.position(ASHA, broker.option(), Product::Margin), 130);
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    daemon.end_at_rest(&broker);
}

/// The leader's exit rests, the copy of it is filled, and the leader cancels his.
fn exit_cancelled_after_the_copy_filled(setup: Setup) -> (Stage, BrokerOrderId) {
    let Stage { broker, mut daemon } = setup.stage();
    daemon.expects("copy_gap");
    holding(&broker, &daemon);
    let exit = broker.lead(limit("110.00", sell(broker.option(), 260)));
    let copy = daemon.until_status(&exit, "asha", "PENDING").broker_order_id.unwrap();
    broker.fill(&BrokerOrderId::new(copy).unwrap(), 130, "110.00");
    daemon.until_filled(&exit, "asha", 130);
    broker.cancel(LEADER, &exit);
    (Stage { daemon, broker }, exit)
}

#[test]
fn c6_filled_exit_is_not_bought_back() {
    let (Stage { broker, daemon }, exit) = exit_cancelled_after_the_copy_filled(Setup::new());

    daemon.until_gap(&exit, "asha", "leader_cancelled", 130, "reported");
    broker.pass(Duration::from_mins(1));
    assert_eq!(broker.position(ASHA, broker.option(), Product::Margin), 130);
    assert_eq!(broker.asked(ASHA), (2, 0, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn c6_filled_exit_is_made_good_in_full() {
    let setup = Setup::new().set(r#"parting.gap = "full""#);
    let (Stage { broker, daemon }, exit) = exit_cancelled_after_the_copy_filled(setup);

    daemon.until_gap(&exit, "asha", "leader_cancelled", 130, "repaired");
    broker.quiet();
    assert_eq!(broker.position(ASHA, broker.option(), Product::Margin), 260);
    let purposes: Vec<String> =
        daemon.intents(&exit, "asha").into_iter().map(|intent| intent.purpose).collect();
    assert_eq!(purposes, ["exit", "entry"]);
    daemon.end_at_rest(&broker);
}

#[test]
fn c7_order_that_was_skipped() {
    let Stage { broker, daemon } = Setup::new().stage();
    let share = broker.share(2885, "1450.00");
    let order = broker.lead(OrderTerms { product: Product::Intraday, ..limit("1400.00", buy(share, 100)) });
    daemon.until_refused(&order, "asha", "skipped", "not_option");
    broker.cancel(LEADER, &order);

    daemon.until_leader(&order, "is cancelled", |leader| leader.status == "CANCELLED");
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (0, 0, 0));
    daemon.until_refused(&order, "asha", "skipped", "not_option");
    daemon.end_at_rest(&broker);
}

#[test]
fn c8_refused_in_transit() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("cancel refused");
    let terms = limit("95.00", buy(broker.option(), 260));
    let order = broker.sim.with_exchange(|exchange| {
        let placed = exchange.place(&account(LEADER), Source::App, &PlaceRequest::new(terms)).unwrap();
        // His is at the exchange; from here on orders travel for a while.
        exchange.set_exchange_latency(Duration::from_secs(1));
        placed.order_id
    });
    daemon.until_intent(&order, "asha", "ACKED");
    broker.sim.with_exchange(|exchange| exchange.set_exchange_latency(Duration::ZERO));
    broker.cancel(LEADER, &order);

    // Refused while it travels; asked for again until it is gone.
    daemon.until_status(&order, "asha", "CANCELLED");
    broker.quiet();
    let cancels = broker.requests(ASHA, Operation::Cancel);
    let answers: Vec<_> = cancels.iter().map(|request| request.answered).collect();
    assert_eq!((answers.first(), answers.last()), (Some(&Some(400)), Some(&Some(200))), "{answers:?}");
    let states = daemon.change_states(&order, "asha");
    assert_eq!(states.len(), cancels.len());
    assert_eq!(states.last(), Some(&("cancel".to_owned(), "ACKED".to_owned())));
    assert_gone(&broker, &daemon, &order, Some("leader_gone"));
    daemon.end_at_rest(&broker);
}

/// The answer to the cancel goes wrong in this way; what the cancels came to in the end.
fn pursued(answer: AnswerFault, expected: &[(&str, &str)]) {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("the answer was lost");
    let order = resting(&broker, &daemon, 260);
    broker.spoil(ASHA, Operation::Cancel, 1, answer);
    broker.cancel(LEADER, &order);

    daemon.until_status(&order, "asha", "CANCELLED");
    daemon.until_changes(&order, "asha", expected);
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).status.as_str(), "CANCELLED");
    assert_eq!(broker.asked(ASHA), (1, 0, expected.len()));
    assert_gone(&broker, &daemon, &order, Some("leader_gone"));
    daemon.end_at_rest(&broker);
}

#[test]
fn c8_answer_lost_after_the_cancel() {
    pursued(AnswerFault::LoseAfter, &[("cancel", "ACKED")]);
}

#[test]
fn c8_answer_lost_before_the_cancel() {
    pursued(AnswerFault::LoseBefore, &[("cancel", "ABSENT"), ("cancel", "ACKED")]);
}

#[test]
fn c8_server_error_after_the_cancel() {
    pursued(AnswerFault::ErrorAfter { status: 504 }, &[("cancel", "ACKED")]);
}

#[test]
fn c8_server_error_before_the_cancel() {
    pursued(AnswerFault::ErrorBefore { status: 502 }, &[("cancel", "ABSENT"), ("cancel", "ACKED")]);
}

#[test]
fn c8_a_fill_overtakes_the_cancel() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("copy_gap");
    daemon.tolerates("cancel refused");
    let order = resting(&broker, &daemon, 260);
    let copy = broker.only_order(ASHA);
    // The cancel comes too late: the copy fills in the moment the leader's goes.
    broker.sim.with_exchange(|exchange| {
        exchange.cancel(&account(LEADER), Source::App, order.as_str()).unwrap();
        assert!(exchange.fill_resting(&copy.id, copy.terms.quantity, rupees("95.00")));
    });

    daemon.until_gap(&order, "asha", "leader_cancelled", 130, "repaired");
    broker.quiet();
    assert_eq!(broker.position(ASHA, broker.option(), Product::Margin), 0);
    assert_eq!(daemon.mapping(&order, "asha").unwrap().filled, 130);
    daemon.end_at_rest(&broker);
}

#[test]
fn c8_answer_lost_of_a_copy_that_had_filled() {
    let Stage { broker, mut daemon } =
        Setup::new().set("broker.request_deadline_ms = 500").set("recovery.poll_ms = 300").stage();
    // Where the machine is slow, reads take longer than that as well.
    daemon.tolerates("a read of the account failed");
    daemon.expects("copy_gap");
    // Unless a read of her book sees the fill first.
    daemon.tolerates("the answer was lost");
    let order = resting(&broker, &daemon, 260);
    let copy = broker.only_order(ASHA);
    // Nobody tells of the fill; the refusal of the cancel comes after its deadline, and the book is read before.
    broker.inject(ASHA, Fault::StreamMute { mute: Mute::Frames });
    broker.spoil(ASHA, Operation::Cancel, 1, AnswerFault::Delay { ms: 1200 });
    broker.sim.with_exchange(|exchange| {
        assert!(exchange.fill_resting(&copy.id, copy.terms.quantity, rupees("95.00")));
        exchange.cancel(&account(LEADER), Source::App, order.as_str()).unwrap();
    });

    daemon.until_gap(&order, "asha", "leader_cancelled", 130, "repaired");
    until("the cancel is settled", || {
        let states = daemon.change_states(&order, "asha");
        states.iter().all(|(_, state)| state == "ABSENT" || state == "REFUSED").then_some(())
    });
    broker.quiet();
    assert_eq!(broker.position(ASHA, broker.option(), Product::Margin), 0);
    assert_eq!(daemon.log_count("actor stopped"), 0);
    daemon.end_at_rest(&broker);
}

#[test]
fn c10_ioc_expires() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    broker.offer(option, &[]);
    let order =
        broker.lead(OrderTerms { time_in_force: TimeInForce::Ioc, ..limit("100.00", buy(option, 260)) });

    daemon.until_status(&order, "asha", "CANCELLED");
    broker.pass(Duration::from_secs(5));
    let copy = broker.only_order(ASHA);
    assert_eq!((copy.terms.time_in_force, copy.status.as_str()), (TimeInForce::Ioc, "CANCELLED"));
    assert_eq!(broker.asked(ASHA), (1, 0, 0), "the exchange ended it, not we");
    assert_gone(&broker, &daemon, &order, None);
    daemon.end_at_rest(&broker);
}

#[test]
fn c10_day_orders_expire_at_the_close() {
    let Stage { broker, daemon } = Setup::new().sim(|sim| sim.token_hours = 0).stage();
    let order = resting(&broker, &daemon, 260);
    // 09:15 to 15:45; the session ends at 15:40.
    broker.pass(Duration::from_mins(6 * 60 + 30));

    daemon.until_status(&order, "asha", "EXPIRED");
    broker.quiet();
    assert_eq!(broker.order(&order).status.as_str(), "EXPIRED");
    assert_eq!(broker.only_order(ASHA).status.as_str(), "EXPIRED");
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    assert_gone(&broker, &daemon, &order, None);
    daemon.end_at_rest(&broker);
}

#[test]
fn c10_copy_that_outlives_the_leaders_order() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = resting(&broker, &daemon, 260);
    // The leader's alone is ended by the exchange.
    let frame = json!({ "Type": "order_alert", "Data": {
        "exchange": "NSE", "segment": "D", "source": "W", "securityId": option.security_id.to_string(),
        "clientId": LEADER, "exchOrderNo": "1100000000000001", "orderNo": order.as_str(), "product": "M",
        "txnType": "B", "orderType": "LMT", "validity": "DAY", "quantity": 260, "remainingQuantity": 260,
        "price": 95.0, "offMktFlag": "0", "orderDateTime": "2026-12-01 09:15:00",
        "exchOrderTime": "2026-12-01 09:15:00", "lastUpdatedTime": "2026-12-01 09:15:02", "remarks": " ",
        "legNo": 1, "productName": "MARGIN", "status": "Expired", "lotSize": 65, "algoId": "0",
        "multiplier": 1, "correlationId": "NA",
    } });
    broker.inject(LEADER, Fault::StreamText { text: frame.to_string() });
    daemon.until_leader(&order, "has expired", |leader| leader.status == "EXPIRED");

    // It had its chance to end by itself.
    broker.pass(Duration::from_secs(5));
    daemon.until_status(&order, "asha", "CANCELLED");
    until("one cancel", || (broker.asked(ASHA) == (1, 0, 1)).then_some(()));
    assert_gone(&broker, &daemon, &order, Some("leader_gone"));
    daemon.end_at_rest(&broker);
}
