//! What ends all opening for the day: a loss, and orders that are rejected one after the other.

use std::time::Duration;

use tandem_domain::instrument::InstrumentKey;
use tandem_sim::{AnswerFault, Operation};

use super::{copied, denied, halves, second};
use crate::harness::{ASHA, Broker, Daemon, LEADER, Setup, Stage, buy, limit, sell, until};

/// Looked at often; two thousand rupees may be lost in a day.
fn bounded_loss() -> Setup {
    halves().set("risk.daily_loss_max_rupees = 2000").set("risk.positions_poll_ms = 100")
}

/// Asha copies two lots, and the price falls by twenty rupees: 2,600 rupees lost.
fn lost(broker: &Broker, daemon: &mut Daemon) -> InstrumentKey {
    let option = broker.option();
    copied(broker, daemon, buy(option, 260), 130);
    // What is lost so far leaves it trading.
    broker.price(option, "90.00");
    broker.quiet();
    assert_eq!(daemon.incidents(), []);
    daemon.expects("trading_stopped");
    broker.price(option, "80.00");
    daemon.until_incident("trading_stopped", "asha");
    option
}

#[test]
fn e7_daily_loss_ends_entries_and_survives_a_restart() {
    let Stage { broker, mut daemon } = bounded_loss().stage();
    let option = lost(&broker, &mut daemon);
    denied(&broker, &daemon, buy(option, 260), "reducing");
    // He holds twelve lots; hers are two.
    let half = broker.lead(sell(option, 260));
    daemon.until_filled(&half, "asha", 65);

    daemon.terminate();
    assert_eq!(daemon.until_exit(), Some(0));
    // A better price does not bring it back.
    broker.price(option, "150.00");
    daemon.start();
    daemon.until_live(2);
    denied(&broker, &daemon, buy(second(&broker), 260), "reducing");
    let rest = broker.lead(sell(option, 260));
    daemon.until_filled(&rest, "asha", 65);
    assert_eq!(broker.net(ASHA, option), 0);
    daemon.end();
}

#[test]
fn e7_the_owners_own_losses_count() {
    let Stage { broker, mut daemon } = bounded_loss().stage();
    daemon.expects("trading_stopped");
    let option = broker.option();
    broker.own(ASHA, buy(option, 650));
    until("her trade is seen", || (daemon.externals(ASHA).len() == 1).then_some(()));
    broker.price(option, "96.00");
    daemon.until_incident("trading_stopped", "asha");
    denied(&broker, &daemon, buy(second(&broker), 260), "reducing");
    assert_eq!(broker.net(ASHA, option), 650, "what is hers is left alone");
    daemon.end();
}

#[test]
fn e7_daily_loss_by_policy_halts() {
    let Stage { broker, mut daemon } = bounded_loss().set("risk.on_daily_loss = \"halt\"").stage();
    let second = second(&broker);
    broker.offer(second, &[]);
    let resting = broker.lead(limit("50.00", buy(second, 260)));
    daemon.until_status(&resting, "asha", "PENDING");
    let option = lost(&broker, &mut daemon);
    daemon.until_status(&resting, "asha", "CANCELLED");
    denied(&broker, &daemon, buy(option, 260), "halted");
    assert_eq!(broker.net(ASHA, option), 130, "what is held stays");
    daemon.end();
}

#[test]
fn e7_daily_loss_by_policy_squares_off() {
    let Stage { broker, mut daemon } = bounded_loss().set("risk.on_daily_loss = \"square_off\"").stage();
    for text in ["squaring_off", "squared_off"] {
        daemon.tolerates(text);
    }
    let option = lost(&broker, &mut daemon);
    daemon.until_log("\"squared_off\"");
    assert_eq!(broker.net(ASHA, option), 0, "what was copied is closed");
    denied(&broker, &daemon, buy(option, 260), "halted");
    assert_eq!(broker.net(LEADER, option), 520);
    daemon.end();
}

#[test]
fn e7_figures_that_are_too_old_deny_entries() {
    let Stage { broker, mut daemon } =
        bounded_loss().set("risk.figures_age_ms_max = 15000").set("breaker.failures_max = 1000").stage();
    daemon.tolerates("a read of the account failed");
    daemon.tolerates("the account cannot be read");
    let option = broker.option();
    copied(&broker, &daemon, buy(option, 260), 130);
    broker.spoil(ASHA, Operation::Positions, 100_000, AnswerFault::ErrorBefore { status: 503 });
    broker.pass(Duration::from_secs(16));
    denied(&broker, &daemon, buy(option, 260), "figures_unknown");
    let sold = broker.lead(sell(option, 520));
    daemon.until_filled(&sold, "asha", 130);

    broker.inject(ASHA, tandem_sim::Fault::Clear);
    let reads = broker.requests(ASHA, Operation::Positions).len();
    until("positions are read again", || {
        (broker.requests(ASHA, Operation::Positions).len() >= reads + 2).then_some(())
    });
    copied(&broker, &daemon, buy(option, 260), 130);
    daemon.end();
}

/// Five orders in a row are rejected for want of margin.
fn five_rejections(broker: &Broker, daemon: &mut Daemon) {
    daemon.tolerates("copy_gap");
    daemon.expects("margin_lacking");
    broker.reject_for_margin(ASHA, 5);
    for _ in 0..5 {
        let order = broker.lead(buy(broker.option(), 260));
        daemon.until_status(&order, "asha", "REJECTED");
    }
    broker.quiet();
}

#[test]
fn e13_rejections_leave_the_breaker_closed() {
    let Stage { broker, mut daemon } = halves().stage();
    five_rejections(&broker, &mut daemon);
    copied(&broker, &daemon, buy(broker.option(), 260), 130);
    assert!(!daemon.incidents().iter().any(|(kind, _)| kind.contains("breaker")));
    daemon.end();
}

#[test]
fn e13_rejections_stop_entries_where_the_owner_says_so() {
    let Stage { broker, mut daemon } =
        halves().set("risk.rejections_max = 5").set("risk.on_rejections = \"reduce\"").stage();
    daemon.expects("trading_stopped");
    let option = broker.option();
    copied(&broker, &daemon, buy(option, 260), 130);
    five_rejections(&broker, &mut daemon);
    daemon.until_incident("trading_stopped", "asha");
    denied(&broker, &daemon, buy(option, 260), "reducing");
    // All but a lot of his 28.
    let sold = broker.lead(sell(option, 1_755));
    daemon.until_filled(&sold, "asha", 130);
    daemon.end();
}

#[test]
fn e13_one_order_taken_between_rejections_begins_anew() {
    let Stage { broker, mut daemon } =
        halves().set("risk.rejections_max = 3").set("risk.on_rejections = \"halt\"").stage();
    daemon.tolerates("copy_gap");
    for _ in 0..2 {
        broker.reject_for_margin(ASHA, 2);
        for _ in 0..2 {
            let order = broker.lead(buy(broker.option(), 260));
            daemon.until_status(&order, "asha", "REJECTED");
        }
        copied(&broker, &daemon, buy(broker.option(), 260), 130);
    }
    daemon.end();
}
