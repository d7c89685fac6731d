//! D: how much is closed: in proportion to what is held, flat when the leader is, each kind of exit for itself.

use std::time::Duration;

use tandem_domain::ids::BrokerOrderId;
use tandem_domain::quantity::Quantity;
use tandem_sim::exchange::{OverlappingExits, SimOrder};
use tandem_sim::{AnswerFault, Fault, Mute};

use crate::harness::{
    ASHA, Broker, Daemon, LEADER, Setup, Stage, account, buy, limit, sell, stop_loss, to_units, until,
};

/// The leader buys so many units at the market, and Asha her part of them.
fn holding(broker: &Broker, daemon: &Daemon, units: u32, hers: u32) {
    let entry = broker.lead(buy(broker.option(), units));
    daemon.until_filled(&entry, "asha", hers);
}

/// The leader sells so many units at the market, and Asha so many.
fn sells(broker: &Broker, daemon: &Daemon, units: u32, hers: u32) {
    let exit = broker.lead(sell(broker.option(), units));
    daemon.until_filled(&exit, "asha", hers);
    assert!(daemon.intents(&exit, "asha").iter().all(|sent| sent.purpose == "exit"));
}

/// What the leader and Asha hold.
fn nets(broker: &Broker) -> (i64, i64) {
    (broker.net(LEADER, broker.option()), broker.net(ASHA, broker.option()))
}

/// Asha's orders that work.
fn working(broker: &Broker) -> Vec<SimOrder> {
    broker.orders(ASHA).into_iter().filter(|copy| !copy.status.is_terminal()).collect()
}

/// Asha's copy of a leader order that has one.
fn copy_of(daemon: &Daemon, order: &BrokerOrderId) -> BrokerOrderId {
    let copy = daemon.until_status(order, "asha", "PENDING");
    BrokerOrderId::new(copy.broker_order_id.unwrap()).unwrap()
}

#[test]
fn d9_flat_whatever_the_rounding_was() {
    let Stage { broker, daemon } = Setup::new().stage();
    // One and a half lots and a half of what follows, rounded down each time.
    holding(&broker, &daemon, 195, 65);
    holding(&broker, &daemon, 130, 65);
    holding(&broker, &daemon, 195, 130);
    assert_eq!(nets(&broker), (520, 260));
    sells(&broker, &daemon, 520, 260);
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn d9_flat_after_more_than_a_share() {
    let Stage { broker, daemon } =
        Setup::new().set("sizing.remainder = false").set(r#"sizing.rounding = "up""#).stage();
    let option = broker.option();
    for _ in 0..3 {
        holding(&broker, &daemon, 65, 65);
    }
    // Three lots of the leader's, three of hers; a single order closes all.
    let exit = broker.lead(limit("100.00", sell(option, 195)));
    daemon.until_filled(&exit, "asha", 195);
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.orders(ASHA).len(), 4);
    daemon.end_at_rest(&broker);
}

#[test]
fn d9_short_is_bought_back() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let entry = broker.lead(sell(option, 260));
    assert_eq!(daemon.until_filled(&entry, "asha", 130).outcome, "sent");
    assert_eq!(daemon.until_intent(&entry, "asha", "ACKED").purpose, "entry");
    assert_eq!(nets(&broker), (-260, -130));
    let half = broker.lead(buy(option, 130));
    daemon.until_filled(&half, "asha", 65);
    let rest = broker.lead(buy(option, 130));
    daemon.until_filled(&rest, "asha", 65);
    assert_eq!(daemon.until_intent(&rest, "asha", "ACKED").purpose, "exit");
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn d10_half_is_half_of_what_is_held() {
    let Stage { broker, daemon } = Setup::new().stage();
    holding(&broker, &daemon, 260, 130);
    sells(&broker, &daemon, 130, 65);
    assert_eq!(nets(&broker), (130, 65));
    sells(&broker, &daemon, 130, 65);
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.calls(ASHA), ["POST /orders"; 3]);
    daemon.end_at_rest(&broker);
}

#[test]
fn d10_a_half_lot_closes() {
    let Stage { broker, daemon } = Setup::new().stage();
    holding(&broker, &daemon, 390, 195);
    // Half of three lots leaves one and a half: one.
    sells(&broker, &daemon, 195, 130);
    assert_eq!(nets(&broker), (195, 65));
    sells(&broker, &daemon, 195, 65);
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn d10_the_part_that_executes_is_what_counts() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    // 110.00 becomes 100.00.
    daemon.expects("slippage");
    let option = broker.option();
    holding(&broker, &daemon, 520, 260);
    // It rests for all of it, at both.
    let exit = broker.lead(limit("110.00", sell(option, 520)));
    let copy = copy_of(&daemon, &exit);
    assert_eq!(broker.order(&copy).terms, limit("110.00", sell(option, 260)));
    broker.fill(&exit, 260, "110.00");
    broker.fill(&copy, 65, "110.00");
    daemon.until_filled(&exit, "asha", 65);
    broker.cancel(LEADER, &exit);

    // Half of it is what she owes, one lot of that is done; what is left chases the market.
    daemon.until_filled(&exit, "asha", 130);
    broker.pass(Duration::from_secs(10));
    assert_eq!(nets(&broker), (260, 130));
    sells(&broker, &daemon, 260, 130);
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn d11_flip_is_an_exit_and_then_an_entry() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.tolerates("slippage");
    let option = broker.option();
    holding(&broker, &daemon, 260, 130);
    // Four lots and two more. Nobody is left to buy hers.
    broker.bid(option, &[("100.00", 390)]);
    let flip = broker.lead(sell(option, 390));
    let exit = copy_of(&daemon, &flip);
    assert_eq!(broker.order(&exit).terms.quantity, Quantity::new(130));
    broker.quiet();
    assert_eq!(broker.orders(ASHA).len(), 2, "the entry waits for the exit");

    broker.bid(option, &[("100.00", 10_000)]);
    daemon.until_filled(&flip, "asha", 195);
    broker.quiet();
    let (sent, orders) = (daemon.intents(&flip, "asha"), broker.orders(ASHA));
    let purposes: Vec<_> = sent.iter().map(|sent| (sent.purpose.as_str(), sent.quantity)).collect();
    assert_eq!(purposes, [("exit", 130), ("entry", 65)]);
    assert_eq!((orders[1].terms.quantity.get(), orders[2].terms.quantity.get()), (130, 65));
    assert_eq!(nets(&broker), (-130, -65));

    broker.offer(option, &[("100.00", 10_000)]);
    let back = broker.lead(buy(option, 130));
    daemon.until_filled(&back, "asha", 65);
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn d11_flip_whose_entry_is_refused_is_an_exit() {
    let Stage { broker, daemon } = Setup::new().set("copy.sides = [\"BUY\"]").stage();
    let option = broker.option();
    holding(&broker, &daemon, 260, 130);
    let flip = broker.lead(sell(option, 390));
    let mapping = daemon.until_filled(&flip, "asha", 130);
    assert_eq!(mapping.reason.as_deref(), Some("side_filtered"));
    let back = broker.lead(buy(option, 130));
    daemon.until_refused(&back, "asha", "skipped", "nothing_to_close");
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.calls(ASHA), ["POST /orders"; 2]);
    daemon.end_at_rest(&broker);
}

/// Four lots are held, two at Asha, and a target at 120.00 and a stop at 90.00 rest for all of them at both.
struct Guarded {
    target: BrokerOrderId,
    stop: BrokerOrderId,
    her_target: BrokerOrderId,
    her_stop: BrokerOrderId,
}

fn guarded(broker: &Broker, daemon: &Daemon) -> Guarded {
    let option = broker.option();
    holding(broker, daemon, 260, 130);
    let target = broker.lead(limit("120.00", sell(option, 260)));
    let her_target = copy_of(daemon, &target);
    let stop = broker.lead(stop_loss("90.00", "88.00", sell(option, 260)));
    let her_stop = copy_of(daemon, &stop);
    assert_eq!(broker.order(&her_target).terms, limit("120.00", sell(option, 130)));
    assert_eq!(broker.order(&her_stop).terms, stop_loss("90.00", "88.00", sell(option, 130)));
    Guarded { target, stop, her_target, her_stop }
}

#[test]
fn d12_target_fills_and_the_stop_is_cancelled() {
    let Stage { broker, daemon } = Setup::new().stage();
    let orders = guarded(&broker, &daemon);
    broker.fill(&orders.her_target, 130, "120.00");

    // At once: the leader holds and waits still.
    daemon.until_status(&orders.stop, "asha", "CANCELLED");
    broker.quiet();
    assert!(working(&broker).is_empty());
    assert_eq!(nets(&broker), (260, 0));
    // And nothing comes back while he gets there, in two steps.
    broker.fill(&orders.target, 260, "120.00");
    daemon.until_leader(&orders.target, "is filled", |leader| leader.status == "TRADED");
    broker.pass(Duration::from_secs(5));
    broker.cancel(LEADER, &orders.stop);
    broker.pass(Duration::from_secs(30));
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.calls(ASHA), ["POST /orders", "POST /orders", "POST /orders", "DELETE /orders"]);
    assert!(daemon.incidents().is_empty());
    daemon.end_at_rest(&broker);
}

#[test]
fn d12_target_fills_in_part_and_the_stop_is_trimmed() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    // A lot of hers was sold by an order of which he sold nothing.
    daemon.expects("copy_gap");
    let orders = guarded(&broker, &daemon);
    broker.fill(&orders.her_target, 65, "120.00");

    until("the stop is for what is left", || {
        (broker.order(&orders.her_stop).terms.quantity.get() == 65).then_some(())
    });
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (3, 1, 0));
    // The stops fire at both; what is left of her target goes.
    broker.price(broker.option(), "89.00");
    daemon.until_filled(&orders.stop, "asha", 65);
    daemon.until_status(&orders.target, "asha", "CANCELLED");
    broker.cancel(LEADER, &orders.target);
    broker.pass(Duration::from_secs(30));
    assert_eq!(nets(&broker), (0, 0));
    assert!(working(&broker).is_empty());
    daemon.end_at_rest(&broker);
}

#[test]
fn d12_stop_fires_and_the_target_is_cancelled() {
    let Stage { broker, daemon } = Setup::new().stage();
    let orders = guarded(&broker, &daemon);
    broker.price(broker.option(), "89.00");

    daemon.until_filled(&orders.stop, "asha", 130);
    // He has not cancelled his.
    daemon.until_status(&orders.target, "asha", "CANCELLED");
    broker.pass(Duration::from_secs(30));
    assert_eq!(nets(&broker), (0, 0));
    assert!(working(&broker).is_empty());
    broker.cancel(LEADER, &orders.target);
    broker.pass(Duration::from_secs(5));
    assert_eq!(broker.asked(ASHA), (3, 0, 1));
    daemon.end_at_rest(&broker);
}

#[test]
fn d13_exit_is_of_what_is_held() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("copy_gap");
    let option = broker.option();
    holding(&broker, &daemon, 260, 130);
    broker.reject_for_margin(ASHA, 1);
    let rejected = broker.lead(buy(option, 260));
    // The leader's own order has nothing of it.
    daemon.until_status(&rejected, "asha", "REJECTED");
    assert_eq!(nets(&broker), (520, 130));

    // He leaves a half of eight lots: she a half of two.
    sells(&broker, &daemon, 260, 65);
    sells(&broker, &daemon, 260, 65);
    broker.pass(Duration::from_mins(1));
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.orders(ASHA).len(), 4);
    daemon.end_at_rest(&broker);
}

#[test]
fn d13_flat_means_nothing_is_sent() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("copy_gap");
    let option = broker.option();
    broker.reject_for_margin(ASHA, 1);
    let rejected = broker.lead(buy(option, 260));
    daemon.until_status(&rejected, "asha", "REJECTED");
    let target = broker.lead(limit("120.00", sell(option, 260)));
    broker.quiet();
    broker.cancel(LEADER, &target);
    let exit = broker.lead(sell(option, 260));

    daemon.until_refused(&exit, "asha", "skipped", "nothing_to_close");
    daemon.until_refused(&target, "asha", "skipped", "leader_gone");
    broker.pass(Duration::from_mins(1));
    assert_eq!(broker.calls(ASHA), ["POST /orders"]);
    assert_eq!(nets(&broker), (0, 0));
    daemon.end_at_rest(&broker);
}

/// The leader's buy of so many units is filled whole; hers rests, with so many filled.
fn left_behind(broker: &Broker, daemon: &Daemon, units: u32, filled: u32) -> (BrokerOrderId, BrokerOrderId) {
    let entry = broker.lead(limit("95.00", buy(broker.option(), units)));
    let copy = copy_of(daemon, &entry);
    if filled > 0 {
        broker.fill(&copy, filled, "95.00");
        daemon.until_filled(&entry, "asha", filled);
    }
    broker.fill(&entry, units, "95.00");
    daemon.until_leader(&entry, "is filled", |leader| leader.status == "TRADED");
    (entry, copy)
}

#[test]
fn d14_resting_entry_shrinks_by_the_same_fraction() {
    let Stage { broker, daemon } = Setup::new().set(r#"parting.entry = "keep""#).stage();
    let (entry, copy) = left_behind(&broker, &daemon, 520, 0);
    let half = broker.lead(sell(broker.option(), 260));

    until("her entry is half", || (broker.order(&copy).terms.quantity.get() == 130).then_some(()));
    broker.quiet();
    assert_eq!(broker.calls(ASHA), ["POST /orders", "PUT /orders"]);
    // What fills late is what she should hold.
    broker.fill(&copy, 130, "95.00");
    daemon.until_filled(&entry, "asha", 130);
    broker.quiet();
    assert_eq!(nets(&broker), (260, 130));
    assert_eq!(daemon.mapping(&half, "asha").unwrap().filled, 0);
    sells(&broker, &daemon, 260, 130);
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn d14_resting_entry_is_cancelled_when_he_leaves() {
    let Stage { broker, daemon } = Setup::new().set(r#"parting.entry = "keep""#).stage();
    let (entry, copy) = left_behind(&broker, &daemon, 260, 0);
    let exit = broker.lead(sell(broker.option(), 260));

    daemon.until_status(&entry, "asha", "CANCELLED");
    daemon.until_refused(&exit, "asha", "skipped", "nothing_to_close");
    broker.pass(Duration::from_mins(1));
    assert_eq!(broker.calls(ASHA), ["POST /orders", "DELETE /orders"]);
    assert_eq!(broker.order(&copy).filled, Quantity::ZERO);
    assert_eq!(nets(&broker), (0, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn d14_late_fill_is_exited() {
    let Stage { broker, mut daemon } = Setup::new().set(r#"parting.entry = "keep""#).stage();
    daemon.expects("late_fill");
    daemon.tolerates("copy_gap");
    daemon.tolerates("change refused");
    let (entry, _) = left_behind(&broker, &daemon, 260, 0);
    broker.sim.with_exchange(|exchange| {
        let late = (Quantity::new(65), Duration::from_secs(2));
        assert!(exchange.fill_after_cancel(&account(ASHA), Some(late)));
    });
    broker.lead(sell(broker.option(), 260));
    daemon.until_status(&entry, "asha", "CANCELLED");
    broker.pass(Duration::from_secs(3));
    daemon.until_filled(&entry, "asha", 65);

    until("the late lot is sold", || (nets(&broker) == (0, 0)).then_some(()));
    broker.pass(Duration::from_mins(1));
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.orders(ASHA).len(), 2);
    daemon.end_at_rest(&broker);
}

#[test]
fn d15_what_is_not_filled_shrinks_first() {
    let Stage { broker, daemon } = Setup::new().set(r#"parting.entry = "keep""#).stage();
    // Eight lots and four; two of hers are filled, and two is what four of his come to.
    let (entry, copy) = left_behind(&broker, &daemon, 520, 130);
    let half = broker.lead(sell(broker.option(), 260));
    daemon.until_status(&entry, "asha", "CANCELLED");
    daemon.until_refused(&half, "asha", "skipped", "nothing_to_close");
    broker.pass(Duration::from_mins(1));
    assert_eq!(broker.order(&copy).filled.get(), 130);
    assert_eq!(nets(&broker), (260, 130));
    sells(&broker, &daemon, 260, 130);
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.asked(ASHA), (2, 0, 1));
    daemon.end_at_rest(&broker);
}

#[test]
fn d15_what_is_filled_beyond_the_proportion_is_exited() {
    let Stage { broker, daemon } = Setup::new().set(r#"parting.entry = "keep""#).stage();
    // Eight lots and four; three of hers are filled.
    let (entry, copy) = left_behind(&broker, &daemon, 520, 195);
    sells(&broker, &daemon, 260, 65);
    daemon.until_status(&entry, "asha", "CANCELLED");
    broker.pass(Duration::from_mins(1));
    assert_eq!(broker.order(&copy).filled.get(), 195);
    assert_eq!(nets(&broker), (260, 130));
    sells(&broker, &daemon, 260, 130);
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn d15_filled_part_is_exited_and_the_rest_cancelled() {
    let Stage { broker, daemon } = Setup::new().set(r#"parting.entry = "keep""#).stage();
    let (entry, copy) = left_behind(&broker, &daemon, 520, 130);
    sells(&broker, &daemon, 520, 130);
    daemon.until_status(&entry, "asha", "CANCELLED");
    broker.pass(Duration::from_mins(1));
    assert_eq!(broker.order(&copy).filled.get(), 130);
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.asked(ASHA), (2, 0, 1));
    daemon.end_at_rest(&broker);
}

/// Nobody tells what became of her entry before eight seconds have passed.
fn in_doubt(answer: AnswerFault) -> (Stage, BrokerOrderId, BrokerOrderId) {
    let Stage { broker, mut daemon } = Setup::new().set("recovery.settle_ms = 8000").stage();
    daemon.expects("the answer was lost");
    daemon.tolerates("copy_gap");
    let option = broker.option();
    broker.inject(ASHA, Fault::StreamMute { mute: Mute::Frames });
    broker.inject(ASHA, Fault::LateVisibility { ms: 5000 });
    broker.spoil_placements(ASHA, 1, answer);
    let entry = broker.lead(buy(option, 260));
    daemon.until_intent(&entry, "asha", "UNKNOWN");
    let exit = broker.lead(sell(option, 260));
    daemon.until_leader(&exit, "is filled", |leader| leader.status == "TRADED");
    let waits = daemon.until_outcome(&exit, "asha", "waiting");
    assert_eq!(waits.reason.as_deref(), Some("nothing_to_close"));
    assert_eq!(broker.placements(ASHA).len(), 1);
    (Stage { daemon, broker }, entry, exit)
}

#[test]
fn d16_exit_waits_until_the_entry_is_proven() {
    let (Stage { broker, mut daemon }, entry, _) = in_doubt(AnswerFault::LoseAfter);
    broker.pass(Duration::from_secs(6));
    daemon.until_filled(&entry, "asha", 130);
    until("what was bought is sold", || (nets(&broker) == (0, 0)).then_some(()));
    // The book shows it five seconds late; until then it may be chased.
    daemon.tolerates("change refused");
    broker.pass(Duration::from_secs(6));
    until("both fills are known", || (daemon.trades(ASHA).len() == 2).then_some(()));
    broker.pass(Duration::from_mins(1));
    assert_eq!(nets(&broker), (0, 0));
    let orders = broker.orders(ASHA);
    assert_eq!(orders.len(), 2);
    assert_eq!((orders[1].terms.side, orders[1].filled.get()), (sell(broker.option(), 1).side, 130));
    daemon.end_at_rest(&broker);
}

#[test]
fn d16_exit_is_never_sent_when_there_was_no_entry() {
    let (Stage { broker, daemon }, _, exit) = in_doubt(AnswerFault::LoseBefore);
    broker.pass(Duration::from_secs(20));
    daemon.until_refused(&exit, "asha", "skipped", "nothing_to_close");
    broker.pass(Duration::from_mins(1));
    assert!(broker.orders(ASHA).is_empty());
    assert_eq!(broker.placements(ASHA).len(), 1);
    daemon.end_at_rest(&broker);
}

#[test]
fn d17_four_three_three() {
    let Stage { broker, daemon } = Setup::new().stage();
    holding(&broker, &daemon, 650, 325);
    // Six tenths of five lots are three, three tenths one and a half: one.
    for (units, hers, left) in [(260, 130, 195), (195, 130, 65), (195, 65, 0)] {
        sells(&broker, &daemon, units, hers);
        assert_eq!(nets(&broker).1, left);
    }
    broker.quiet();
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.orders(ASHA).len(), 4);
    daemon.end_at_rest(&broker);
}

#[test]
fn d17_lot_by_lot() {
    let Stage { broker, daemon } = Setup::new().stage();
    holding(&broker, &daemon, 650, 325);
    let mut left = 650;
    while left > 0 {
        let exit = broker.lead(sell(broker.option(), 65));
        daemon.until_leader(&exit, "is filled", |leader| leader.status == "TRADED");
        broker.quiet();
        left -= 65;
        let (his, hers) = nets(&broker);
        assert_eq!(his, left);
        assert!((his / 2 - hers).abs() <= 65, "{hers} of {his}");
    }
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.orders(ASHA).len(), 6);
    daemon.end_at_rest(&broker);
}

#[test]
fn d17_each_its_own_resting_order() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    holding(&broker, &daemon, 650, 325);
    let steps = [("110.00", 260), ("120.00", 195), ("130.00", 195)];
    let targets = steps.map(|(price, units)| broker.lead(limit(price, sell(option, units))));
    let copies = targets.each_ref().map(|target| copy_of(&daemon, target));
    let sizes = copies.each_ref().map(|copy| broker.order(copy).terms.quantity.get());
    assert_eq!(sizes, [130, 130, 65]);
    for (price, left) in [("110.00", 195), ("120.00", 65), ("130.00", 0)] {
        broker.price(option, price);
        until("so much is left", || (nets(&broker).1 == left).then_some(()));
        broker.quiet();
    }
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.asked(ASHA), (4, 0, 0));
    daemon.end_at_rest(&broker);
}

/// Asha's target rests; her broker takes no second exit for the same units.
fn with_target(broker: &Broker, daemon: &Daemon) -> (BrokerOrderId, BrokerOrderId) {
    broker.overlapping_exits(ASHA, OverlappingExits::RefusedAtOnce);
    holding(broker, daemon, 260, 130);
    let target = broker.lead(limit("120.00", sell(broker.option(), 260)));
    let copy = copy_of(daemon, &target);
    (target, copy)
}

/// The target was cancelled, then all of it was sold at the market.
fn assert_cancelled_and_sold(broker: &Broker, daemon: &Daemon, exit: &BrokerOrderId, copy: &BrokerOrderId) {
    daemon.until_filled(exit, "asha", 130);
    broker.pass(Duration::from_secs(30));
    assert_eq!(
        broker.calls(ASHA),
        ["POST /orders", "POST /orders", "DELETE /orders", "POST /orders"],
        "what frees the quantity goes first"
    );
    assert_eq!(broker.order(copy).status.as_str(), "CANCELLED");
    assert_eq!(broker.net(ASHA, broker.option()), 0);
}

#[test]
fn d19_target_is_cancelled_before_the_exit() {
    let Stage { broker, daemon } = Setup::new().stage();
    let (target, copy) = with_target(&broker, &daemon);
    broker.cancel(LEADER, &target);
    let exit = broker.lead(sell(broker.option(), 260));

    assert_cancelled_and_sold(&broker, &daemon, &exit, &copy);
    assert_eq!(nets(&broker), (0, 0));
    assert!(daemon.incidents().is_empty());
    daemon.end_at_rest(&broker);
}

#[test]
fn d19_leaves_by_market_while_his_target_rests() {
    let Stage { broker, daemon } = Setup::new().stage();
    let (target, copy) = with_target(&broker, &daemon);
    let exit = broker.lead(sell(broker.option(), 260));

    assert_cancelled_and_sold(&broker, &daemon, &exit, &copy);
    // His target rests still, and would open: hers stays away until it does.
    assert!(working(&broker).is_empty());
    broker.cancel(LEADER, &target);
    broker.pass(Duration::from_secs(30));
    assert_eq!(broker.asked(ASHA), (3, 0, 1));
    assert_eq!(nets(&broker), (0, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn d19_half_by_market_while_his_target_rests() {
    let Stage { broker, daemon } = Setup::new().stage();
    let (target, copy) = with_target(&broker, &daemon);
    let exit = broker.lead(sell(broker.option(), 130));

    daemon.until_filled(&exit, "asha", 65);
    broker.quiet();
    let order = broker.order(&copy);
    assert_eq!((order.terms.quantity.get(), order.status.as_str()), (65, "PENDING"));
    assert_eq!(broker.calls(ASHA), ["POST /orders", "POST /orders", "PUT /orders", "POST /orders"]);
    assert_eq!(nets(&broker), (130, 65));
    // He trims it himself; hers is right already.
    broker.change(LEADER, &target, &to_units(130));
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (3, 1, 0));
    broker.price(broker.option(), "120.00");
    daemon.until_filled(&target, "asha", 65);
    broker.pass(Duration::from_secs(30));
    assert_eq!(nets(&broker), (0, 0));
    daemon.end_at_rest(&broker);
}

/// Her broker takes one exit for the same units; the leader places a target and then a stop.
fn one_exit_only(how: OverlappingExits) {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.tolerates("copy_gap");
    daemon.tolerates("order refused");
    let option = broker.option();
    broker.overlapping_exits(ASHA, how);
    holding(&broker, &daemon, 260, 130);
    let target = broker.lead(limit("120.00", sell(option, 260)));
    copy_of(&daemon, &target);
    let stop = broker.lead(stop_loss("90.00", "88.00", sell(option, 260)));

    let kept = broker.until_order(ASHA, "is the stop", |copy| {
        copy.terms == stop_loss("90.00", "88.00", sell(option, 130)) && copy.status.as_str() == "PENDING"
    });
    daemon.until_status(&target, "asha", "CANCELLED");
    broker.pass(Duration::from_secs(30));
    assert!(working(&broker).iter().map(|copy| &copy.id).eq([&kept.id]));

    // It guards: the stops fire at both.
    broker.price(option, "89.00");
    daemon.until_filled(&stop, "asha", 130);
    broker.cancel(LEADER, &target);
    broker.pass(Duration::from_secs(30));
    assert_eq!(nets(&broker), (0, 0));
    assert!(working(&broker).is_empty());
    daemon.end_at_rest(&broker);
}

#[test]
fn d20_stop_is_kept_where_the_second_exit_is_refused() {
    one_exit_only(OverlappingExits::RefusedAtOnce);
}

#[test]
fn d20_stop_is_kept_where_the_second_exit_is_rejected() {
    one_exit_only(OverlappingExits::RejectedLater);
}

#[test]
fn d20_target_that_the_leader_reaches_is_sold_at_the_market() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.tolerates("copy_gap");
    daemon.tolerates("order refused");
    daemon.tolerates("slippage");
    let option = broker.option();
    broker.overlapping_exits(ASHA, OverlappingExits::RefusedAtOnce);
    holding(&broker, &daemon, 260, 130);
    let stop = broker.lead(stop_loss("90.00", "88.00", sell(option, 260)));
    let kept = copy_of(&daemon, &stop);
    let target = broker.lead(limit("120.00", sell(option, 260)));
    broker.quiet();
    assert!(working(&broker).iter().map(|copy| &copy.id).eq([&kept]));

    broker.price(option, "120.00");
    daemon.until_filled(&target, "asha", 130);
    assert_eq!(broker.order(&kept).status.as_str(), "CANCELLED");
    broker.cancel(LEADER, &stop);
    broker.pass(Duration::from_secs(30));
    assert_eq!(nets(&broker), (0, 0));
    assert!(working(&broker).is_empty());
    daemon.end_at_rest(&broker);
}

#[test]
fn d21_both_fill_on_a_spike_and_the_excess_is_flattened() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("overshot");
    daemon.tolerates("cancel refused");
    // Both orders of hers have filled, and neither of his has when he cancels them.
    daemon.expects("copy_gap");
    let orders = guarded(&broker, &daemon);
    broker.fill_together(&[(&orders.her_target, 130, "120.00"), (&orders.her_stop, 130, "89.00")]);
    assert_eq!(nets(&broker), (260, -130));

    until("the excess is bought back", || (nets(&broker).1 == 0).then_some(()));
    daemon.until_incident("overshot", "asha");
    broker.pass(Duration::from_secs(30));
    assert_eq!(nets(&broker), (260, 0));
    let bought = broker.orders(ASHA).pop().unwrap();
    assert_eq!((bought.terms.side, bought.filled.get()), (buy(broker.option(), 1).side, 130));
    // The leader leaves too; she is out already.
    broker.cancel(LEADER, &orders.target);
    broker.cancel(LEADER, &orders.stop);
    let exit = broker.lead(sell(broker.option(), 260));
    daemon.until_refused(&exit, "asha", "skipped", "nothing_to_close");
    broker.pass(Duration::from_secs(30));
    assert_eq!(nets(&broker), (0, 0));
    assert_eq!(broker.orders(ASHA).len(), 4);
    daemon.end_at_rest(&broker);
}

#[test]
fn d21_part_of_both_fills_on_a_spike() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("overshot");
    daemon.tolerates("cancel refused");
    daemon.tolerates("change refused");
    let orders = guarded(&broker, &daemon);
    broker.fill_together(&[(&orders.her_target, 65, "120.00"), (&orders.her_stop, 130, "89.00")]);

    until("the excess is bought back", || (nets(&broker).1 == 0).then_some(()));
    broker.pass(Duration::from_secs(30));
    assert_eq!(nets(&broker), (260, 0));
    assert!(working(&broker).is_empty());
    daemon.end_at_rest(&broker);
}
