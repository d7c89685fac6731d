//! F14: told to stop in the middle of a burst.

use std::collections::BTreeSet;
use std::time::Duration;

use tandem_domain::ids::BrokerOrderId;
use tandem_domain::order::Product;
use tandem_sim::AnswerFault;

use crate::harness::{ASHA, Daemon, Setup, Stage, buy, until};

const BURST: u32 = 15;

/// A burst larger than one second's budget, answered slowly; SIGTERM as soon as the first requests are out. Answers
/// with the leader's orders.
fn stopped_in_a_burst(broker: &crate::harness::Broker, daemon: &mut Daemon) -> Vec<BrokerOrderId> {
    broker.spoil_placements(ASHA, BURST, AnswerFault::Delay { ms: 100 });
    let orders = broker.lead_all(std::iter::repeat_n(buy(broker.option(), 130), BURST as usize));
    until("the burst is on its way", || (broker.orders(ASHA).len() >= 2).then_some(()));
    daemon.terminate();
    assert_eq!(daemon.until_exit(), Some(0));

    // Each is on record as sent, and is there once; or it waits; or it was not decided at all.
    for order in &orders {
        let intents = daemon.intents(order, "asha");
        assert!(intents.len() <= 1, "{intents:?}");
        let Some(intent) = intents.first() else { continue };
        let tags: Vec<_> = broker.orders(ASHA).into_iter().filter_map(|copy| copy.tag).collect();
        let at_the_broker = tags.iter().filter(|tag| ***tag == *intent.client_order_id).count();
        match intent.state.as_str() {
            "ACKED" => assert_eq!(at_the_broker, 1),
            "PLANNED" => assert_eq!(at_the_broker, 0),
            other => panic!("{other} after an orderly end"),
        }
    }
    let sent = broker.orders(ASHA).len();
    assert!(sent < orders.len(), "something was left to do: {sent} of {BURST}");
    orders
}

/// No two orders of the account carry the same tag.
fn assert_none_doubled(broker: &crate::harness::Broker) {
    let tags: Vec<_> = broker.orders(ASHA).into_iter().map(|copy| copy.tag.unwrap()).collect();
    assert_eq!(tags.iter().collect::<BTreeSet<_>>().len(), tags.len());
}

#[test]
fn f14_sigterm_during_a_burst() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    let orders = stopped_in_a_burst(&broker, &mut daemon);
    daemon.start();
    daemon.until_live(2);

    for order in &orders {
        daemon.until_filled(order, "asha", 65);
    }
    broker.quiet();
    assert_eq!(broker.orders(ASHA).len(), BURST as usize);
    assert_none_doubled(&broker);
    assert_eq!(broker.position(ASHA, broker.option(), Product::Margin), i64::from(BURST) * 65);
    daemon.end();
}

#[test]
fn f14_sigterm_during_a_burst_and_a_late_start() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    let orders = stopped_in_a_burst(&broker, &mut daemon);
    let sent = broker.orders(ASHA).len();
    // With nobody on the clock it jumps: what waited is too old now.
    broker.pass(Duration::from_mins(1));
    daemon.start();
    daemon.until_live(2);

    until("every order has its outcome", || {
        let outcomes = daemon.outcomes("asha");
        let decided: u32 = outcomes
            .iter()
            .map(|(outcome, reason, count)| match (outcome.as_str(), reason.as_deref()) {
                ("sent", None) | ("skipped" | "voided", Some("stale_entry")) => *count,
                _ => 0,
            })
            .sum();
        (decided as usize == orders.len()).then_some(())
    });
    broker.quiet();
    assert_eq!(broker.orders(ASHA).len(), sent);
    assert_none_doubled(&broker);
    daemon.end();
}
