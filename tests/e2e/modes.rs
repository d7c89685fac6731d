//! A: when a copy is due: once the leader's order works, at first sight of it, or as it fills; and a story told whole.

use std::time::Duration;

use serde_json::json;
use tandem_domain::ids::BrokerOrderId;
use tandem_domain::order::Product;
use tandem_domain::quantity::Quantity;
use tandem_sim::exchange::{ModifyRequest, PlaceRequest, Source};
use tandem_sim::{Fault, Rate};

use crate::harness::{
    ASHA, BALA, Broker, CHAN, Follower, LEADER, Setup, Stage, account, buy, limit, rupees, sell, until,
};

/// Orders travel a second to the exchange; time passes only when it is let.
fn by_hand() -> Setup {
    Setup::new().sim(|sim| {
        sim.rate = Rate::STOPPED;
        sim.exchange_latency_ms = 1000;
    })
}

const TEXT: &str = "EXCH:16387:Security is not allowed to trade in this market.";

#[test]
fn a19_in_transit_the_copy_of_a_rejected_order_is_cancelled() {
    let Stage { broker, daemon } = by_hand().set(r#"copy.on = "transit""#).stage();
    let option = broker.option();
    broker.inject(LEADER, Fault::RejectNext { count: 1, text: TEXT.to_owned() });
    let order = broker.lead(limit("95.00", buy(option, 260)));

    // Hers is on its way although the exchange has not seen the leader's.
    daemon.until_intent(&order, "asha", "ACKED");
    assert_eq!(broker.order(&order).status.as_str(), "TRANSIT");
    assert_eq!(broker.only_order(ASHA).status.as_str(), "TRANSIT");

    broker.pass(Duration::from_secs(1));
    assert_eq!(broker.order(&order).status.as_str(), "REJECTED");
    until("her order's end is asked for", || {
        broker.calls(ASHA).contains(&"DELETE /orders".to_owned()).then_some(())
    });
    broker.pass(Duration::from_secs(2));
    daemon.until_status(&order, "asha", "CANCELLED");
    let mapping = daemon.mapping(&order, "asha").unwrap();
    assert_eq!((mapping.outcome.as_str(), mapping.reason.as_deref()), ("sent", Some("leader_rejected")));
    assert_eq!((mapping.copied, mapping.filled), (0, 0));
    assert_eq!(broker.only_order(ASHA).status.as_str(), "CANCELLED");
    assert_eq!(broker.calls(ASHA), ["POST /orders", "DELETE /orders"]);
    assert_eq!(daemon.gaps(&order, "asha"), []);
    daemon.end();
}

/// The leader's market order is to be rejected after so many seconds; every order after it takes so many to the exchange.
fn lead_rejected(broker: &Broker, after: u64, others: u64) -> BrokerOrderId {
    broker.inject(LEADER, Fault::RejectNext { count: 1, text: TEXT.to_owned() });
    let request = PlaceRequest::new(buy(broker.option(), 260));
    broker.sim.with_exchange(|exchange| {
        exchange.set_exchange_latency(Duration::from_secs(after));
        let taken = exchange.place(&account(LEADER), Source::App, &request).unwrap();
        exchange.set_exchange_latency(Duration::from_secs(others));
        taken.order_id
    })
}

#[test]
fn a19_in_transit_a_copy_under_way_is_pursued_until_it_is_cancelled() {
    // Time runs: a request that waits to be sent again waits for time to pass.
    let Stage { broker, mut daemon } = Setup::new().set(r#"copy.on = "transit""#).stage();
    daemon.expects("cancel refused");
    let option = broker.option();
    // Nothing is offered, so that hers cannot fill before the cancel arrives.
    broker.offer(option, &[]);
    let order = lead_rejected(&broker, 1, 3);
    daemon.until_intent(&order, "asha", "ACKED");

    // The leader's is rejected while hers is on its way, where the broker cancels nothing.
    until("the cancel is refused", || (daemon.log_count("cancel refused") > 0).then_some(()));
    assert_eq!(broker.only_order(ASHA).status.as_str(), "TRANSIT");
    daemon.until_status(&order, "asha", "CANCELLED");
    assert_eq!(broker.only_order(ASHA).status.as_str(), "CANCELLED");
    assert_eq!(broker.position(ASHA, option, Product::Margin), 0);
    let cancels: Vec<_> = daemon.steps(&order, "asha").into_iter().skip(1).collect();
    assert!(cancels.len() > 1 && cancels.iter().all(|step| step.kind == "cancel"), "{cancels:?}");
    let (last, refused) = cancels.split_last().unwrap();
    assert!(last.state == "ACKED" && refused.iter().all(|step| step.state == "REFUSED"), "{cancels:?}");
    assert_eq!(daemon.gaps(&order, "asha"), []);
    daemon.end();
}

/// The leader's order is rejected a second after its copy has filled.
fn filled_for_nothing(setup: Setup) -> (Stage, BrokerOrderId) {
    let mut stage = setup.set(r#"copy.on = "transit""#).stage();
    stage.daemon.expects("rejected after the copy had filled");
    let Stage { broker, daemon } = &stage;
    // His order takes twice as long to the exchange as hers.
    let order = lead_rejected(broker, 2, 1);
    daemon.until_intent(&order, "asha", "ACKED");
    broker.pass(Duration::from_secs(1));
    daemon.until_filled(&order, "asha", 130);
    assert_eq!(broker.order(&order).status.as_str(), "TRANSIT");
    broker.pass(Duration::from_secs(1));
    (stage, order)
}

#[test]
fn a19_in_transit_a_copy_that_filled_is_closed_again() {
    let (Stage { broker, daemon }, order) = filled_for_nothing(by_hand());

    // What she holds and the leader does not is sold: the default for gaps is `exits_only`.
    until("the other side is asked for", || (broker.orders(ASHA).len() == 2).then_some(()));
    broker.pass(Duration::from_secs(2));
    daemon.until_gap(&order, "asha", "leader_rejected", 130, "repaired");
    let option = broker.option();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 0);
    let copies = broker.orders(ASHA);
    assert_eq!((copies[1].terms.side, copies[1].terms.quantity.get()), (sell(option, 130).side, 130));
    let steps: Vec<_> = daemon.steps(&order, "asha").into_iter().map(|step| (step.kind, step.leg)).collect();
    assert_eq!(steps, [("place".to_owned(), 0), ("place".to_owned(), 1)]);
    broker.pass(Duration::from_secs(5));
    assert_eq!(broker.calls(ASHA), ["POST /orders"; 2]);
    daemon.end();
}

#[test]
fn a19_in_transit_a_copy_that_filled_is_only_reported() {
    let (Stage { broker, daemon }, order) = filled_for_nothing(by_hand().set(r#"parting.gap = "report""#));

    daemon.until_gap(&order, "asha", "leader_rejected", 130, "reported");
    broker.pass(Duration::from_secs(5));
    assert_eq!(broker.position(ASHA, broker.option(), Product::Margin), 130);
    assert_eq!(broker.calls(ASHA), ["POST /orders"]);
    daemon.end();
}

#[test]
fn a23_three_followers_each_with_a_mode_of_its_own() {
    let half = "sizing.strategy = \"fixed_ratio\"\nsizing.ratio = 0.5";
    let fill: &str = "sizing.strategy = \"fixed_ratio\"\nsizing.ratio = 0.5\ncopy.on = \"fill\"\ncopy.price_band_bps = 200";
    let transit = "copy.on = \"transit\"";
    let Stage { broker, daemon } = by_hand()
        .followers([Follower::ASHA.with(transit), Follower::BALA.with(fill), Follower::CHAN.with(half)])
        .stage();
    let option = broker.option();
    // Nobody offers anything: what is filled is filled by hand.
    broker.offer(option, &[]);
    let order = broker.lead(limit("100.00", buy(option, 520)));
    let in_transit = broker.order(&order).created;

    // At first sight: sent in the same moment, a second before the exchange has the leader's.
    daemon.until_intent(&order, "asha", "ACKED");
    let sent_at = |client_id| broker.placements(client_id).first().map(|record| record.simulated_us);
    assert_eq!(sent_at(ASHA), Some(in_transit.micros()));
    assert_eq!((sent_at(BALA), sent_at(CHAN)), (None, None));
    assert_eq!(daemon.mapping(&order, "chan").unwrap().outcome, "awaiting_leader");

    // Once it works: sent when the exchange has it.
    broker.pass(Duration::from_secs(1));
    daemon.until_intent(&order, "chan", "ACKED");
    let working_at = broker.order(&order).exchange_time.unwrap();
    assert_eq!(sent_at(CHAN), Some(working_at.micros()));
    assert_eq!(sent_at(BALA), None);
    assert_eq!(daemon.mapping(&order, "bala").unwrap().outcome, "awaiting_leader");
    broker.pass(Duration::from_secs(1));

    // As it fills: two lots of eight, one of them his, at 2 per cent beyond the leader's price.
    broker.fill(&order, 130, "100.00");
    daemon.until_intent(&order, "bala", "ACKED");
    broker.pass(Duration::from_secs(2));
    assert_eq!(broker.only_order(BALA).terms, limit("102.00", buy(option, 65)));
    assert_eq!(daemon.note(&order, "bala").as_deref(), Some("fill_as_limit"));
    // Two more, while the first still waits: the same order grows.
    broker.fill(&order, 130, "100.00");
    until("his order grows", || broker.calls(BALA).contains(&"PUT /orders".to_owned()).then_some(()));
    broker.pass(Duration::from_secs(2));
    assert_eq!(broker.only_order(BALA).terms, limit("102.00", buy(option, 130)));
    // It fills; the leader's next two lots are an order of their own.
    let first = broker.only_order(BALA).id;
    broker.fill(&first, 130, "101.00");
    daemon.until_filled(&order, "bala", 130);
    broker.fill(&order, 130, "100.00");
    until("another order", || (broker.orders(BALA).len() == 2).then_some(()));
    broker.pass(Duration::from_secs(2));
    assert_eq!(broker.orders(BALA)[1].terms, limit("102.00", buy(option, 65)));

    // The others were placed whole, once, and are not moved by his fills.
    for client_id in [ASHA, CHAN] {
        assert_eq!(broker.only_order(client_id).terms, limit("100.00", buy(option, 260)));
        assert_eq!(broker.calls(client_id), ["POST /orders"]);
    }
    // All fill as far as the leader, who then takes the rest back: so do they.
    for client_id in [ASHA, CHAN] {
        broker.fill(&broker.only_order(client_id).id, 195, "100.00");
    }
    broker.fill(&broker.orders(BALA)[1].id, 65, "100.50");
    for follower in ["asha", "bala", "chan"] {
        daemon.until_filled(&order, follower, 195);
    }
    broker.cancel(LEADER, &order);
    broker.pass(Duration::from_secs(1));
    for client_id in [ASHA, CHAN] {
        until("the rest is taken back", || (broker.calls(client_id).len() == 2).then_some(()));
    }
    broker.pass(Duration::from_secs(2));
    daemon.until_status(&order, "asha", "CANCELLED");
    daemon.until_status(&order, "chan", "CANCELLED");
    for client_id in [ASHA, BALA, CHAN] {
        assert_eq!(broker.position(client_id, option, Product::Margin), 195, "{client_id}");
    }
    assert_eq!(broker.calls(ASHA), ["POST /orders", "DELETE /orders"]);
    assert_eq!(broker.calls(BALA), ["POST /orders", "PUT /orders", "POST /orders"]);
    assert_eq!(broker.calls(CHAN), ["POST /orders", "DELETE /orders"]);
    for follower in ["asha", "bala", "chan"] {
        assert_eq!(daemon.gaps(&order, follower), [], "{follower}");
    }
    daemon.end();
}

#[test]
fn a2_fill_mode_sends_nothing_for_an_order_that_does_not_fill() {
    let Stage { broker, daemon } = Setup::new().set(r#"copy.on = "fill""#).stage();
    let option = broker.option();
    let order = broker.lead(limit("95.00", buy(option, 260)));
    daemon.until_outcome(&order, "asha", "awaiting_leader");
    broker.cancel(LEADER, &order);

    daemon.until_refused(&order, "asha", "skipped", "leader_gone");
    broker.quiet();
    assert_eq!(broker.writes(ASHA), []);
    daemon.end();
}

#[test]
fn a2_fill_mode_keeps_its_price_within_the_band_whatever_the_kind() {
    let Stage { broker, daemon } =
        Setup::new().set(r#"copy.on = "fill""#).set("copy.price_band_bps = 250").stage();
    let option = broker.option();
    broker.price(option, "101.35");
    let order = broker.lead(buy(option, 260));

    // 2.5 per cent of 101.35 is 2.53375: 103.88375, on the tick 103.85.
    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).terms, limit("103.85", buy(option, 130)));
    assert_eq!(broker.bodies(ASHA, "POST")[0]["orderType"], json!("LIMIT"));
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    daemon.end();
}

#[test]
fn a2_explained_from_the_database_alone() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    broker.offer(option, &[]);
    let order = broker.lead(limit("95.00", buy(option, 260)));
    daemon.until_status(&order, "asha", "PENDING");
    let change = ModifyRequest {
        quantity: Some(Quantity::new(390)),
        price: Some(rupees("96.50")),
        ..ModifyRequest::default()
    };
    broker.change(LEADER, &order, &change);
    let copy = broker.only_order(ASHA).id;
    until("the change reaches her", || (broker.order(&copy).terms.price == rupees("96.50")).then_some(()));
    broker.fill(&order, 130, "96.50");
    broker.fill(&copy, 65, "96.50");
    daemon.until_filled(&order, "asha", 65);
    broker.cancel(LEADER, &order);
    daemon.until_status(&order, "asha", "CANCELLED");
    broker.quiet();
    until("the fill is on record", || (daemon.trades(ASHA).len() == 1).then_some(()));
    let id = &daemon.intents(&order, "asha")[0].client_order_id;

    let told = daemon.run_command(&["explain", order.as_str(), "--database", "tandem.db"]);
    let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
    // Which of the two accounts is heard of first is chance; of each the order of things is told.
    let hers = [
        format!("asha place BUY 130, LIMIT 95.00, DAY; an entry, as {id}"),
        format!("asha taken by the broker as {copy}"),
        format!("asha change {id}: quantity 130 -> 195, price 95.00 -> 96.50 (request 1)"),
        format!("asha {copy}: PART_TRADED, 65 of 195 filled at 96.50"),
        format!("asha cancel {id} (request 2)"),
        format!("asha {copy}: CANCELLED, 65 of 195 filled at 96.50"),
    ];
    let his = [
        "leader TRANSIT, nothing filled; BUY 260, LIMIT 95.00, DAY".to_owned(),
        "nothing filled; quantity 260 -> 390, price 95.00 -> 96.50".to_owned(),
        "130 of 390 filled at 96.50".to_owned(),
        "leader CANCELLED, 130 of 390 filled at 96.50".to_owned(),
    ];
    for steps in [&hers[..], &his[..]] {
        let mut rest = words.as_str();
        for step in steps {
            let Some((_, after)) = rest.split_once(step) else {
                panic!("{step:?} is not told, or too early: {told}")
            };
            rest = after;
        }
    }
    assert!(words.contains(&format!("asha {copy}: fill of 65 at 96.50")), "{told}");
    assert!(words.contains("Now CANCELLED, 130 of 390 filled at 96.50"), "{told}");
    daemon.end();
}
