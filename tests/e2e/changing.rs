//! B: the leader changes an order; the follower's is changed alike, as seldom as possible.

use std::time::Duration;

use serde_json::json;
use tandem_domain::ids::BrokerOrderId;
use tandem_domain::order::{OrderTerms, OrderType, Product, TimeInForce};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;
use tandem_sim::exchange::{ModifyRequest, PlaceRequest, Source};
use tandem_sim::{AnswerFault, Down, Fault, Mute, Operation, Rate};

use crate::harness::{
    ASHA, Broker, Daemon, LEADER, Setup, Stage, buy, limit, rupees, stop_loss, to_price, to_units, until,
};

/// The leader's buy of so many units at 95.00, and the copy of it, both resting.
pub(crate) fn resting(broker: &Broker, daemon: &Daemon, units: u32) -> BrokerOrderId {
    let order = broker.lead(limit("95.00", buy(broker.option(), units)));
    daemon.until_status(&order, "asha", "PENDING");
    order
}

/// Waits until the copy that works asks for this.
#[track_caller]
pub(crate) fn until_terms(broker: &Broker, terms: &OrderTerms) {
    broker.until_order(ASHA, &format!("is {terms:?}"), |copy| {
        !copy.status.is_terminal() && copy.terms == *terms
    });
}

#[test]
fn b1_raise_passes_the_entry_gates() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = resting(&broker, &daemon, 260);
    broker.change(LEADER, &order, &to_units(520));

    until_terms(&broker, &limit("95.00", buy(option, 260)));
    broker.quiet();
    // The same order, changed once; what is asked for is its whole quantity.
    let copy = broker.only_order(ASHA);
    assert_eq!((copy.modifications, copy.status.as_str()), (1, "PENDING"));
    let bodies = broker.change_bodies(ASHA);
    assert_eq!(bodies.len(), 1);
    assert_eq!((&bodies[0]["quantity"], &bodies[0]["orderType"]), (&json!(260), &json!("LIMIT")));
    let changes = daemon.until_changes(&order, "asha", &[("modify", "ACKED")]);
    assert_eq!((changes[0].quantity, changes[0].price), (260, 950_000));
    assert_eq!(changes[0].broker_order_id.as_deref(), Some(copy.id.as_str()));
    let mapping = daemon.mapping(&order, "asha").unwrap();
    assert_eq!((mapping.target, mapping.copied, mapping.filled), (260, 260, 0));
    assert_eq!(mapping.reason, None);
    daemon.end_at_rest(&broker);
}

#[test]
fn b1_raise_that_is_too_old_is_refused() {
    let Stage { broker, mut daemon } = Setup::new().set("leader.book_poll_ms = 600000").stage();
    daemon.expects("a frame of the leader's stream could not be read");
    let option = broker.option();
    let order = resting(&broker, &daemon, 260);
    // Nobody hears of the raise, until it is older than entries may be.
    broker.inject(LEADER, Fault::StreamMute { mute: Mute::Frames });
    broker.change(LEADER, &order, &to_units(520));
    broker.inject(LEADER, Fault::StreamMute { mute: Mute::Off });
    broker.pass(Duration::from_secs(40));
    broker.inject(LEADER, Fault::StreamText { text: "no json at all".to_owned() });

    daemon.until_leader(&order, "is raised", |leader| leader.quantity == 520);
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).terms, limit("95.00", buy(option, 130)));
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    let mapping = daemon.mapping(&order, "asha").unwrap();
    assert_eq!((mapping.outcome.as_str(), mapping.reason.as_deref()), ("sent", Some("stale_entry")));

    // What is there is followed as before.
    broker.change(LEADER, &order, &to_price("94.00"));
    until_terms(&broker, &limit("94.00", buy(option, 130)));
    daemon.end_at_rest(&broker);
}

#[test]
fn b1_raise_is_refused_while_the_breaker_is_open() {
    let Stage { broker, mut daemon } = Setup::new().set("breaker.open_s = 600").stage();
    daemon.expects("circuit breaker open");
    daemon.expects("a read of the account failed");
    daemon.tolerates("the account cannot be read");
    let option = broker.option();
    let order = resting(&broker, &daemon, 260);
    broker.inject(ASHA, Fault::AccountDown { down: Down::Errors });
    daemon.until_log("circuit breaker open");
    broker.inject(ASHA, Fault::AccountDown { down: Down::No });
    broker.change(LEADER, &order, &to_units(520));

    daemon.until_leader(&order, "is raised", |leader| leader.quantity == 520);
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).terms, limit("95.00", buy(option, 130)));
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    let mapping = daemon.mapping(&order, "asha").unwrap();
    assert_eq!((mapping.outcome.as_str(), mapping.reason.as_deref()), ("sent", Some("breaker_open")));

    // Less exposure passes.
    broker.change(LEADER, &order, &to_units(130));
    until_terms(&broker, &limit("95.00", buy(option, 65)));
    daemon.end_at_rest(&broker);
}

#[test]
fn b2_lowered_in_proportion() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = resting(&broker, &daemon, 520);
    let copy = broker.only_order(ASHA);
    broker.fill(&copy.id, 65, "95.00");
    daemon.until_filled(&order, "asha", 65);
    broker.change(LEADER, &order, &to_units(260));

    // Two lots in all, one of them filled.
    until_terms(&broker, &limit("95.00", buy(option, 130)));
    broker.quiet();
    let copy = broker.only_order(ASHA);
    assert_eq!((copy.filled.get(), copy.modifications, copy.status.as_str()), (65, 1, "PART_TRADED"));
    let changes = daemon.until_changes(&order, "asha", &[("modify", "ACKED")]);
    assert_eq!((changes[0].quantity, changes[0].purpose.as_str()), (130, "exit"));
    // The old quantity counts until the broker shows the new one.
    until("the lower quantity is seen", || {
        let mapping = daemon.mapping(&order, "asha").unwrap();
        ((mapping.target, mapping.copied, mapping.filled) == (130, 130, 65)).then_some(())
    });
    daemon.end_at_rest(&broker);
}

#[test]
fn b2_never_lowered_below_what_is_filled() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = resting(&broker, &daemon, 520);
    let copy = broker.only_order(ASHA);
    broker.fill(&copy.id, 130, "95.00");
    daemon.until_filled(&order, "asha", 130);
    broker.change(LEADER, &order, &to_units(130));

    // His share is one lot; two are filled: the rest is cancelled, what is filled is kept.
    daemon.until_status(&order, "asha", "CANCELLED");
    broker.quiet();
    let copy = broker.only_order(ASHA);
    assert_eq!((copy.filled.get(), copy.terms.quantity.get()), (130, 260));
    assert_eq!(broker.asked(ASHA), (1, 0, 1));
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    daemon.until_changes(&order, "asha", &[("cancel", "ACKED")]);
    daemon.end_at_rest(&broker);
}

#[test]
fn b3_price() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = resting(&broker, &daemon, 260);
    broker.change(LEADER, &order, &to_price("96.35"));

    until_terms(&broker, &limit("96.35", buy(option, 130)));
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).modifications, 1);
    let changes = daemon.until_changes(&order, "asha", &[("modify", "ACKED")]);
    assert_eq!((changes[0].quantity, changes[0].price), (130, 963_500));
    daemon.end_at_rest(&broker);
}

#[test]
fn b4_trigger() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = broker.lead(stop_loss("110.00", "115.00", buy(option, 260)));
    daemon.until_status(&order, "asha", "PENDING");
    broker.change(
        LEADER,
        &order,
        &ModifyRequest { trigger: Some(rupees("112.50")), ..ModifyRequest::default() },
    );

    until_terms(&broker, &stop_loss("112.50", "115.00", buy(option, 130)));
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).modifications, 1);
    let changes = daemon.until_changes(&order, "asha", &[("modify", "ACKED")]);
    assert_eq!((changes[0].order_type.as_str(), changes[0].trigger), ("STOP_LOSS", 1_125_000));
    daemon.end_at_rest(&broker);
}

#[test]
fn b5_limit_to_market() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = resting(&broker, &daemon, 260);
    let to_market = ModifyRequest {
        order_type: Some(OrderType::Market),
        price: Some(Price::ZERO),
        ..ModifyRequest::default()
    };
    broker.change(LEADER, &order, &to_market);

    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    let copy = broker.only_order(ASHA);
    assert_eq!((copy.modifications, copy.status.as_str()), (1, "TRADED"));
    assert_eq!(copy.average_price(), rupees("100.00"));
    assert_eq!(broker.change_bodies(ASHA)[0]["orderType"], "MARKET");
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    assert!(daemon.gaps(&order, "asha").is_empty());
    daemon.end_at_rest(&broker);
}

#[test]
fn b5_limit_to_stop_loss() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = resting(&broker, &daemon, 260);
    let to_stop = ModifyRequest {
        order_type: Some(OrderType::StopLoss),
        price: Some(rupees("112.00")),
        trigger: Some(rupees("110.00")),
        ..ModifyRequest::default()
    };
    broker.change(LEADER, &order, &to_stop);

    until_terms(&broker, &stop_loss("110.00", "112.00", buy(option, 130)));
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).modifications, 1);
    daemon.until_changes(&order, "asha", &[("modify", "ACKED")]);
    daemon.end_at_rest(&broker);
}

#[test]
fn b6_day_to_ioc() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    // The exchange ends the copy in the moment it becomes immediate.
    daemon.tolerates("change refused");
    let order = resting(&broker, &daemon, 260);
    broker.pass(Duration::from_secs(2));
    let to_ioc = ModifyRequest { time_in_force: Some(TimeInForce::Ioc), ..ModifyRequest::default() };
    broker.change(LEADER, &order, &to_ioc);

    daemon.until_status(&order, "asha", "CANCELLED");
    broker.quiet();
    let copy = broker.only_order(ASHA);
    assert_eq!((copy.terms.time_in_force, copy.filled), (TimeInForce::Ioc, Quantity::ZERO));
    assert_eq!(broker.asked(ASHA), (1, 1, 0), "changed, not cancelled");
    assert_eq!(broker.change_bodies(ASHA)[0]["validity"], "IOC");
    assert_eq!(daemon.mapping(&order, "asha").unwrap().outcome, "sent");
    daemon.end_at_rest(&broker);
}

#[test]
fn b7_ten_changes_in_one_second_become_two() {
    let Stage { broker, daemon } = Setup::new().set("leader.book_poll_ms = 600000").stage();
    let option = broker.option();
    let order = resting(&broker, &daemon, 260);
    broker.pass(Duration::from_secs(2));
    // While the first change waits for its answer, nine more are made.
    broker.spoil(ASHA, Operation::Modify, 1, AnswerFault::Delay { ms: 500 });
    let prices = ["94.00", "93.00", "92.00", "91.00", "90.00", "89.00", "88.00", "87.00", "86.00", "85.50"];
    broker.change_all(LEADER, &order, &prices.map(to_price));

    until_terms(&broker, &limit("85.50", buy(option, 130)));
    broker.quiet();
    let copy = broker.only_order(ASHA);
    assert_eq!((copy.terms.clone(), copy.modifications), (limit("85.50", buy(option, 130)), 2));
    assert_eq!(broker.asked(ASHA), (1, 2, 0));
    let changes = daemon.until_changes(&order, "asha", &[("modify", "ACKED"), ("modify", "ACKED")]);
    assert_eq!((changes[0].price, changes[1].price), (940_000, 855_000));
    daemon.end_at_rest(&broker);
}

/// Nothing but answers tells of Asha's orders: no stream, no reads on a period.
fn by_answers_alone() -> Setup {
    Setup::new().set("recovery.poll_ms = 600000").set("recovery.idle_poll_ms = 600000")
}

#[test]
fn b8_change_before_the_acknowledgement() {
    let Stage { broker, daemon } = by_answers_alone().set("broker.request_deadline_ms = 60000").stage();
    broker.inject(ASHA, Fault::StreamMute { mute: Mute::Frames });
    let option = broker.option();
    // Longer than a busy machine needs for what comes meanwhile.
    broker.spoil_placements(ASHA, 1, AnswerFault::Delay { ms: 5000 });
    let order = broker.lead(limit("95.00", buy(option, 260)));
    broker.until_order(ASHA, "is there", |_| true);
    broker.change(LEADER, &order, &ModifyRequest { price: Some(rupees("96.00")), ..to_units(520) });
    daemon.until_leader(&order, "is changed", |leader| leader.price == 960_000);
    assert!(broker.requests(ASHA, Operation::Place).is_empty(), "it is not answered yet");
    assert_eq!(broker.asked(ASHA).1, 0);

    until_terms(&broker, &limit("96.00", buy(option, 260)));
    daemon.until_changes(&order, "asha", &[("modify", "ACKED")]);
    assert_eq!(broker.asked(ASHA), (1, 1, 0));
    assert_eq!(broker.only_order(ASHA).modifications, 1);
    daemon.end_at_rest(&broker);
}

#[test]
fn b8_change_while_the_copy_is_in_transit() {
    let Stage { broker, mut daemon } =
        Setup::new().sim(|sim| sim.variants.refuse_modify_in_transit = true).stage();
    daemon.expects("change refused");
    let option = broker.option();
    let terms = limit("95.00", buy(option, 260));
    let order = broker.sim.with_exchange(|exchange| {
        let leader = crate::harness::account(LEADER);
        let placed = exchange.place(&leader, Source::App, &PlaceRequest::new(terms)).unwrap();
        // His is at the exchange; from here on orders travel for a while.
        exchange.set_exchange_latency(Duration::from_secs(1));
        placed.order_id
    });
    daemon.until_intent(&order, "asha", "ACKED");
    broker.sim.with_exchange(|exchange| exchange.set_exchange_latency(Duration::ZERO));
    broker.change(LEADER, &order, &to_price("96.00"));

    // Refused in transit, and asked for again until it is taken.
    until_terms(&broker, &limit("96.00", buy(option, 130)));
    broker.quiet();
    assert_eq!((broker.only_order(ASHA).modifications, broker.orders(ASHA).len()), (1, 1));
    let requests = broker.requests(ASHA, Operation::Modify);
    assert!(requests.len() >= 2, "{requests:?}");
    assert_eq!(requests[0].answered, Some(400));
    let states = daemon.change_states(&order, "asha");
    let (last, before) = states.split_last().unwrap();
    assert_eq!((last.0.as_str(), last.1.as_str()), ("modify", "ACKED"));
    assert!(before.iter().all(|(kind, state)| kind == "modify" && state == "REFUSED"), "{states:?}");
    daemon.end_at_rest(&broker);
}

/// The leader's buy rests, the copy of it is filled whole.
fn filled_first(broker: &Broker, daemon: &Daemon, units: u32) -> BrokerOrderId {
    let order = resting(broker, daemon, units);
    let copy = broker.only_order(ASHA);
    broker.fill(&copy.id, copy.terms.quantity.get(), "95.00");
    daemon.until_status(&order, "asha", "TRADED");
    order
}

#[test]
fn b9_price_of_a_filled_copy() {
    let Stage { broker, daemon } = Setup::new().stage();
    let order = filled_first(&broker, &daemon, 260);
    broker.change(LEADER, &order, &to_price("94.00"));

    daemon.until_leader(&order, "is changed", |leader| leader.price == 940_000);
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    assert_eq!(daemon.mapping(&order, "asha").unwrap().filled, 130);
    daemon.end_at_rest(&broker);
}

#[test]
fn b9_lowering_of_a_filled_copy() {
    let Stage { broker, daemon } = Setup::new().stage();
    let order = filled_first(&broker, &daemon, 260);
    broker.change(LEADER, &order, &to_units(130));

    daemon.until_leader(&order, "is lowered", |leader| leader.quantity == 130);
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    let mapping = daemon.mapping(&order, "asha").unwrap();
    assert_eq!((mapping.target, mapping.filled), (65, 130));
    daemon.end_at_rest(&broker);
}

#[test]
fn b9_raise_of_a_filled_copy_is_a_new_child() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = filled_first(&broker, &daemon, 260);
    broker.change(LEADER, &order, &to_units(520));

    until_terms(&broker, &limit("95.00", buy(option, 130)));
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (2, 0, 0));
    let intents = daemon.intents(&order, "asha");
    let states: Vec<_> = intents.iter().map(|intent| (intent.state.as_str(), intent.quantity)).collect();
    assert_eq!(states, [("ACKED", 130), ("ACKED", 130)]);
    assert_ne!(intents[0].client_order_id, intents[1].client_order_id);
    let mapping = daemon.mapping(&order, "asha").unwrap();
    assert_eq!((mapping.target, mapping.copied, mapping.filled), (260, 260, 130));
    daemon.end_at_rest(&broker);
}

#[test]
fn b9_raise_of_a_filled_copy_is_refused_when_it_is_too_old() {
    let Stage { broker, mut daemon } = Setup::new().set("leader.book_poll_ms = 600000").stage();
    daemon.expects("a frame of the leader's stream could not be read");
    let order = filled_first(&broker, &daemon, 260);
    broker.inject(LEADER, Fault::StreamMute { mute: Mute::Frames });
    broker.change(LEADER, &order, &to_units(520));
    broker.inject(LEADER, Fault::StreamMute { mute: Mute::Off });
    broker.pass(Duration::from_secs(40));
    broker.inject(LEADER, Fault::StreamText { text: "no json at all".to_owned() });

    daemon.until_leader(&order, "is raised", |leader| leader.quantity == 520);
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    assert_eq!(daemon.mapping(&order, "asha").unwrap().reason.as_deref(), Some("stale_entry"));
    daemon.end_at_rest(&broker);
}

#[test]
fn b11_share_falls_below_one_lot() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = resting(&broker, &daemon, 260);
    broker.change(LEADER, &order, &to_units(65));

    daemon.until_status(&order, "asha", "CANCELLED");
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (1, 0, 1));
    let mapping = daemon.mapping(&order, "asha").unwrap();
    assert_eq!((mapping.outcome.as_str(), mapping.reason.as_deref()), ("sent", Some("below_one_lot")));
    assert_eq!((mapping.target, mapping.copied), (0, 0));

    // And grows again.
    broker.change(LEADER, &order, &to_units(260));
    until_terms(&broker, &limit("95.00", buy(option, 130)));
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (2, 0, 1));
    daemon.end_at_rest(&broker);
}

#[test]
fn b13_a_stop_that_fires_is_no_change() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    broker.offer(option, &[]);
    let order = broker.lead(stop_loss("105.00", "107.00", buy(option, 260)));
    daemon.until_status(&order, "asha", "PENDING");
    // Both fire, and rest: nobody offers anything.
    broker.price(option, "105.00");
    broker.until_order(ASHA, "has fired", |copy| copy.terms.order_type == OrderType::Limit);

    broker.pass(Duration::from_secs(5));
    assert_eq!(
        broker.order(&order).terms,
        limit("107.00", buy(option, 260)),
        "the leader's shows as a limit"
    );
    assert_eq!(broker.only_order(ASHA).terms, limit("107.00", buy(option, 130)));
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    assert_eq!(daemon.mapping(&order, "asha").unwrap().outcome, "sent");

    // From then on it is changed as the limit it is.
    broker.change(LEADER, &order, &to_price("106.00"));
    until_terms(&broker, &limit("106.00", buy(option, 130)));
    broker.offer(option, &[("106.00", 1000)]);
    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (1, 1, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn b13_a_stop_market_that_fires_is_no_change() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    broker.offer(option, &[]);
    let stop =
        OrderTerms { order_type: OrderType::StopLossMarket, trigger: rupees("105.00"), ..buy(option, 260) };
    let order = broker.lead(stop);
    daemon.until_status(&order, "asha", "PENDING");
    broker.price(option, "105.00");
    // His shows as a market order now, hers as a limit 3 per cent beyond the trigger.
    broker.until_order(ASHA, "has fired", |copy| copy.terms == limit("108.15", buy(option, 130)));
    assert_eq!(broker.order(&order).terms.order_type, OrderType::Market);

    broker.pass(Duration::from_secs(5));
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    assert_eq!(broker.only_order(ASHA).terms, limit("108.15", buy(option, 130)));
    daemon.end_at_rest(&broker);
}

#[test]
fn b13_a_market_order_shown_as_a_limit_is_no_change() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    broker.offer(option, &[]);
    let order = broker.place(LEADER, Source::Api, [PlaceRequest::new(buy(option, 260))]).remove(0);
    daemon.until_status(&order, "asha", "PENDING");
    // Nothing is offered: both rest, as the limits the broker made of them.
    broker.pass(Duration::from_secs(5));
    assert_eq!(broker.order(&order).terms, limit("105.00", buy(option, 260)));
    assert_eq!(broker.only_order(ASHA).terms, limit("105.00", buy(option, 130)));
    assert_eq!(broker.placement_bodies(ASHA)[0]["orderType"], "MARKET");

    broker.offer(option, &[("105.00", 1000)]);
    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    assert_eq!(daemon.mapping(&order, "asha").unwrap().outcome, "sent");
    daemon.end_at_rest(&broker);
}

#[test]
fn b14_two_changes_of_one_second_arrive_swapped() {
    let Stage { broker, daemon } = Setup::new().set("leader.book_poll_ms = 600000").stage();
    let option = broker.option();
    let order = resting(&broker, &daemon, 260);
    broker.pass(Duration::from_secs(2));
    broker.sim.clear_records();
    broker.inject(LEADER, Fault::StreamReorder { frames: 2 });
    broker.change_all(LEADER, &order, &["94.00", "93.00"].map(to_price));

    until_terms(&broker, &limit("93.00", buy(option, 130)));
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).terms, limit("93.00", buy(option, 130)));
    // The book was asked, and not waited for.
    let reads = broker.requests(LEADER, Operation::Read);
    assert!(reads.iter().any(|read| read.path.ends_with("/orders")), "{reads:?}");
    assert_eq!(daemon.mapping(&order, "asha").unwrap().outcome, "sent");
    daemon.end_at_rest(&broker);
}

#[test]
fn b14_change_in_the_second_of_a_read() {
    let Stage { broker, daemon } = Setup::new()
        .sim(|sim| sim.rate = Rate::try_from(0.1).unwrap())
        .set("leader.book_poll_ms = 600000")
        .stage();
    let option = broker.option();
    let order = resting(&broker, &daemon, 260);
    // All of it within one second, by a slow clock: each frame contradicts what was read of that second before.
    for price in ["94.00", "93.00", "92.00"] {
        broker.change(LEADER, &order, &to_price(price));
        until_terms(&broker, &limit(price, buy(option, 130)));
    }
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).modifications, 3);
    daemon.end_at_rest(&broker);
}
