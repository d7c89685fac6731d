//! The leader leaves while her entry has not filled, has filled in part, or is in doubt.

use std::time::Duration;

use tandem_domain::ids::BrokerOrderId;
use tandem_domain::quantity::Quantity;
use tandem_sim::{AnswerFault, Fault, Mute};

use super::{copy_of, nets, sells};
use crate::harness::{ASHA, Broker, Daemon, Setup, Stage, account, buy, limit, sell, until};

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
