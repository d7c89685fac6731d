//! A human's hand in the follower's account, and the account's own stream beside its books.

use std::time::Duration;

use tandem_domain::ids::BrokerOrderId;
use tandem_domain::order::{Product, Side};
use tandem_sim::exchange::{PlaceRequest, Source};
use tandem_sim::{Fault, LoginRefusal, Mute};

use crate::harness::{
    ASHA, Broker, Daemon, LEADER, Setup, Stage, account, buy, limit, rupees, sell, to_price, to_units, until,
};

/// The leader's buy of four lots at 95.00, and the copy of it, both resting.
fn resting(broker: &Broker, daemon: &Daemon) -> BrokerOrderId {
    let order = broker.lead(limit("95.00", buy(broker.option(), 260)));
    daemon.until_status(&order, "asha", "PENDING");
    order
}

/// Whatever the leader does now, nothing more is sent for this order.
#[track_caller]
fn assert_left_alone(broker: &Broker, daemon: &Daemon, order: &BrokerOrderId) {
    let asked = broker.asked(ASHA);
    broker.change(LEADER, order, &to_price("94.00"));
    daemon.until_leader(order, "is changed", |leader| leader.price == 940_000);
    broker.pass(Duration::from_secs(2));
    broker.change(LEADER, order, &to_units(520));
    daemon.until_leader(order, "is raised", |leader| leader.quantity == 520);
    broker.pass(Duration::from_secs(2));
    broker.cancel(LEADER, order);
    daemon.until_leader(order, "is cancelled", |leader| leader.status == "CANCELLED");
    broker.pass(Duration::from_mins(1));
    assert_eq!(broker.asked(ASHA), asked);
    assert_eq!(daemon.mapping(order, "asha").unwrap().outcome, "detached");
}

#[test]
fn c9_a_human_cancels_the_copy() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("detached");
    daemon.expects("copy_gap");
    let order = resting(&broker, &daemon);
    let copy = broker.only_order(ASHA);
    broker.cancel(ASHA, &copy.id);

    daemon.until_outcome(&order, "asha", "detached");
    daemon.until_incident("detached", "asha");
    assert_left_alone(&broker, &daemon, &order);
    assert_eq!(broker.asked(ASHA), (1, 0, 0), "not placed again");
    assert_eq!(broker.only_order(ASHA).status.as_str(), "CANCELLED");
    daemon.until_gap(&order, "asha", "detached", 0, "reported");
    daemon.end();
}

#[test]
fn c9_a_human_changes_the_copys_price() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("detached");
    daemon.expects("copy_gap");
    let order = resting(&broker, &daemon);
    let copy = broker.only_order(ASHA);
    broker.change(ASHA, &copy.id, &to_price("96.50"));

    daemon.until_outcome(&order, "asha", "detached");
    daemon.until_incident("detached", "asha");
    assert_left_alone(&broker, &daemon, &order);
    let copy = broker.only_order(ASHA);
    assert_eq!((copy.status.as_str(), copy.terms.price), ("PENDING", rupees("96.50")));

    // It is still watched: what it fills is counted, and the other copies go on.
    broker.fill(&copy.id, 130, "96.50");
    daemon.until_filled(&order, "asha", 130);
    daemon.until_gap(&order, "asha", "detached", 130, "reported");
    let next = broker.lead(buy(broker.option(), 260));
    daemon.until_filled(&next, "asha", 130);
    broker.quiet();
    assert_eq!(broker.position(ASHA, broker.option(), Product::Margin), 260);
    daemon.end();
}

#[test]
fn c9_a_human_raises_the_copy() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("detached");
    daemon.expects("copy_gap");
    let order = resting(&broker, &daemon);
    broker.change(ASHA, &broker.only_order(ASHA).id, &to_units(325));

    daemon.until_outcome(&order, "asha", "detached");
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).terms.quantity.get(), 325);
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    // What he fills beyond our wish is his own, and no overfill.
    broker.fill(&broker.only_order(ASHA).id, 325, "95.00");
    daemon.until_filled(&order, "asha", 325);
    broker.quiet();
    assert!(!daemon.incidents().iter().any(|(kind, _)| kind == "overfill"));
    daemon.end();
}

#[test]
fn c9_our_own_changes_are_nobodys_hand() {
    let Stage { broker, daemon } = Setup::new().stage();
    let order = resting(&broker, &daemon);
    // Frames of ours come twice and in the wrong order.
    broker.inject(ASHA, Fault::StreamReorder { frames: 2 });
    for price in ["94.00", "93.00"] {
        broker.pass(Duration::from_secs(2));
        broker.change(LEADER, &order, &to_price(price));
        broker.until_order(ASHA, "is changed", |copy| copy.terms.price == rupees(price));
    }
    broker.inject(ASHA, Fault::StreamDuplicate { frames: 4 });
    broker.pass(Duration::from_secs(2));
    broker.change(LEADER, &order, &to_units(520));
    broker.until_order(ASHA, "is raised", |copy| copy.terms.quantity.get() == 260);
    broker.quiet();
    assert_eq!(daemon.mapping(&order, "asha").unwrap().outcome, "sent");
    broker.cancel(LEADER, &order);
    daemon.until_status(&order, "asha", "CANCELLED");
    broker.quiet();
    assert_eq!(daemon.mapping(&order, "asha").unwrap().outcome, "sent");
    assert_eq!(broker.asked(ASHA), (1, 3, 1));
    daemon.end();
}

/// Stops the daemon, lets something happen, and starts it again.
fn meanwhile(daemon: &mut Daemon, act: impl FnOnce()) {
    daemon.terminate();
    assert_eq!(daemon.until_exit(), Some(0));
    act();
    daemon.start();
    daemon.until_live(2);
}

#[test]
fn c9_our_own_changes_are_nobodys_hand_after_a_restart() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    let option = broker.option();
    let order = resting(&broker, &daemon);
    for price in ["94.00", "93.00"] {
        broker.pass(Duration::from_secs(2));
        broker.change(LEADER, &order, &to_price(price));
        broker.until_order(ASHA, "is changed", |copy| copy.terms.price == rupees(price));
    }
    broker.quiet();
    let copy = broker.only_order(ASHA);
    // Part of it fills unheard, and the leader goes on changing.
    meanwhile(&mut daemon, || {
        broker.fill(&copy.id, 65, "93.00");
        broker.pass(Duration::from_secs(2));
        broker.change(LEADER, &order, &to_price("92.00"));
    });

    broker.until_order(ASHA, "is changed", |copy| copy.terms == limit("92.00", buy(option, 130)));
    daemon.until_filled(&order, "asha", 65);
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (1, 3, 0));
    assert_eq!(daemon.mapping(&order, "asha").unwrap().outcome, "sent");
    broker.cancel(LEADER, &order);
    daemon.until_status(&order, "asha", "CANCELLED");
    daemon.tolerates("copy_gap");
    daemon.end();
}

#[test]
fn c9_a_human_cancels_while_the_daemon_is_down() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("detached");
    daemon.expects("copy_gap");
    let order = resting(&broker, &daemon);
    let copy = broker.only_order(ASHA);
    meanwhile(&mut daemon, || broker.cancel(ASHA, &copy.id));

    daemon.until_outcome(&order, "asha", "detached");
    assert_left_alone(&broker, &daemon, &order);
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    daemon.end();
}

#[test]
fn c9_a_detached_copy_stays_detached_after_a_restart() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("detached");
    daemon.expects("copy_gap");
    let order = resting(&broker, &daemon);
    broker.change(ASHA, &broker.only_order(ASHA).id, &to_price("96.50"));
    daemon.until_outcome(&order, "asha", "detached");
    meanwhile(&mut daemon, || {});

    assert_left_alone(&broker, &daemon, &order);
    let copy = broker.only_order(ASHA);
    assert_eq!((copy.status.as_str(), copy.terms.price), ("PENDING", rupees("96.50")));
    daemon.end();
}

#[test]
fn external_orders_are_recorded_and_never_touched() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    // Orders of her own: one by hand, one of another program with a tag of its own.
    let by_hand = PlaceRequest::new(limit("90.00", buy(option, 65)));
    let by_program = PlaceRequest::new(limit("89.00", buy(option, 130))).tagged("her-own-robot");
    let by_hand = broker.place(ASHA, Source::App, [by_hand]).remove(0);
    let by_program = broker.place(ASHA, Source::Api, [by_program]).remove(0);
    let entry = broker.lead(buy(option, 260));
    daemon.until_filled(&entry, "asha", 130);

    let row = |id: &BrokerOrderId, status: &str, filled| (id.to_string(), status.to_owned(), filled);
    until("both on record", || {
        let known = daemon.externals(ASHA);
        (known.contains(&row(&by_hand, "PENDING", 0)) && known.contains(&row(&by_program, "PENDING", 0)))
            .then_some(())
    });
    broker.fill(&by_hand, 65, "90.00");
    broker.cancel(ASHA, &by_program);
    until("what became of them", || {
        let known = daemon.externals(ASHA);
        (known.contains(&row(&by_hand, "TRADED", 65)) && known.contains(&row(&by_program, "CANCELLED", 0)))
            .then_some(())
    });

    // The leader leaves: what she bought herself stays.
    let exit = broker.lead(sell(option, 260));
    daemon.until_filled(&exit, "asha", 130);
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 65);
    assert_eq!(broker.asked(ASHA), (2, 0, 0));
    assert_eq!(daemon.externals(ASHA).len(), 2);
    let sold = broker.orders(ASHA).into_iter().filter(|order| order.terms.side == Side::Sell);
    assert_eq!(sold.map(|order| order.filled.get()).sum::<u32>(), 130);
    assert!(daemon.incidents().is_empty());
    daemon.end();
}

/// Asha's books are read once at the start and not on a period.
fn by_stream_alone() -> Setup {
    Setup::new().set("recovery.poll_ms = 600000").set("recovery.idle_poll_ms = 600000")
}

#[test]
fn stream_tells_fills_at_once() {
    let Stage { broker, daemon } = by_stream_alone().stage();
    until("her stream is open", || (broker.sim.open_streams(&account(ASHA)) == 1).then_some(()));
    let order = resting(&broker, &daemon);
    let copy = broker.only_order(ASHA);
    broker.fill(&copy.id, 65, "95.00");
    daemon.until_filled(&order, "asha", 65);
    broker.fill(&copy.id, 65, "94.00");
    daemon.until_filled(&order, "asha", 130);
    // The trade book is asked for each.
    until("both trades", || (daemon.trades(ASHA).len() == 2).then_some(()));
    broker.quiet();
    let mut trades: Vec<_> =
        daemon.trades(ASHA).into_iter().map(|(_, units, price)| (units, price)).collect();
    trades.sort_unstable();
    assert_eq!(trades, [(65, 940_000), (65, 950_000)]);
    daemon.end();
}

#[test]
fn stream_tells_rejects_and_hands_at_once() {
    let Stage { broker, mut daemon } = by_stream_alone().stage();
    daemon.expects("copy_gap");
    daemon.expects("detached");
    until("her stream is open", || (broker.sim.open_streams(&account(ASHA)) == 1).then_some(()));
    let rejected = resting(&broker, &daemon);
    let copy = broker.only_order(ASHA);
    let text = "EXCH:<id>:withdrawn";
    assert!(broker.sim.with_exchange(|exchange| exchange.reject_resting(&copy.id, text)));
    let intent = daemon.until_status(&rejected, "asha", "REJECTED");
    assert_eq!(intent.order_reason, Some(format!("EXCH:{}:withdrawn", copy.id)));
    daemon.until_gap(&rejected, "asha", "follower_rejected", -130, "reported");

    let cancelled = resting(&broker, &daemon);
    let copy = broker.until_order(ASHA, "works", |copy| copy.status.as_str() == "PENDING");
    broker.cancel(ASHA, &copy.id);
    daemon.until_outcome(&cancelled, "asha", "detached");
    daemon.end();
}

#[test]
fn without_the_stream_the_books_tell() {
    let Stage { broker, mut daemon } = Setup::new().set("recovery.idle_poll_ms = 200").stage();
    for text in ["stream", "copy_gap"] {
        daemon.tolerates(text);
    }
    broker.inject(ASHA, Fault::StreamRefuseLogin { how: Some(LoginRefusal::Reset) });
    broker.inject(ASHA, Fault::StreamReset);
    until("her stream is gone", || (broker.sim.open_streams(&account(ASHA)) == 0).then_some(()));
    // An order, its change, its fills, a reject: all the same, if later.
    let order = resting(&broker, &daemon);
    let copy = broker.only_order(ASHA);
    broker.change(LEADER, &order, &to_price("94.00"));
    broker.until_order(ASHA, "is changed", |copy| copy.terms.price == rupees("94.00"));
    broker.fill(&copy.id, 130, "94.00");
    daemon.until_filled(&order, "asha", 130);
    until("its trade", || (daemon.trades(ASHA).len() == 1).then_some(()));
    let second = resting(&broker, &daemon);
    let copy = broker.until_order(ASHA, "works", |copy| copy.status.as_str() == "PENDING");
    assert!(broker.sim.with_exchange(|exchange| exchange.reject_resting(&copy.id, "EXCH:no")));
    daemon.until_status(&second, "asha", "REJECTED");

    // And it comes back.
    broker.inject(ASHA, Fault::StreamRefuseLogin { how: None });
    until("her stream is open again", || (broker.sim.open_streams(&account(ASHA)) == 1).then_some(()));
    daemon.end();
}

#[test]
fn with_a_mute_stream_the_books_tell() {
    let Stage { broker, daemon } = Setup::new().stage();
    broker.inject(ASHA, Fault::StreamMute { mute: Mute::Frames });
    let order = resting(&broker, &daemon);
    let copy = broker.only_order(ASHA);
    broker.fill(&copy.id, 130, "95.00");
    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    daemon.end();
}
