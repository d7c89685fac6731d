//! What an entry needs, by the estimate and by the broker's calculator, beside what is free and kept for others.

use std::time::Duration;

use tandem_sim::{AnswerFault, Operation};

use super::{copied, denied, halves, second};
use crate::harness::{ASHA, LEADER, Setup, Stage, buy, limit, sell};

/// Asha has so many rupees free and no more.
fn poor(rupees: i64) -> Setup {
    poor_by(rupees, "estimate")
}

/// The same, and how the money that an entry needs is known.
fn poor_by(rupees: i64, margin: &str) -> Setup {
    halves()
        .set(&format!("risk.margin = \"{margin}\""))
        .given(move |broker| broker.pay_in(ASHA, rupees - 500_000))
}

#[test]
fn e1_money_for_one_of_two_lots() {
    let Stage { broker, daemon } = poor(10_000).stage();
    let option = broker.option();
    let order = broker.lead(buy(option, 260));
    let mapping = daemon.until_filled(&order, "asha", 65);
    assert_eq!((mapping.outcome.as_str(), mapping.reason.as_deref()), ("sent", Some("margin_short")));
    broker.quiet();
    assert_eq!((broker.net(ASHA, option), broker.placements(ASHA).len()), (65, 1));
    daemon.end();
}

#[test]
fn e1_money_for_none_is_not_tried_again() {
    let Stage { broker, daemon } = poor(6_000).set("risk.funds_poll_ms = 100").stage();
    let option = broker.option();
    denied(&broker, &daemon, buy(option, 260), "margin_short");
    broker.pay_in(ASHA, 100_000);
    broker.pass(Duration::from_secs(5));
    assert!(broker.placements(ASHA).is_empty());
    daemon.end();
}

#[test]
fn e1_skipped_rather_than_cut_by_policy() {
    let Stage { broker, daemon } = poor(10_000).set("risk.at_cap = \"skip\"").stage();
    denied(&broker, &daemon, buy(broker.option(), 260), "margin_short");
    daemon.end();
}

#[test]
fn e1_the_brokers_own_refusal_is_not_tried_again() {
    let Stage { broker, mut daemon } = poor_by(10_000, "off").stage();
    daemon.tolerates("copy_gap");
    let order = broker.lead(buy(broker.option(), 260));
    let intent = daemon.until_status(&order, "asha", "REJECTED");
    assert!(intent.order_reason.unwrap().contains("insufficient funds"));
    broker.pass(Duration::from_secs(5));
    assert_eq!(broker.placements(ASHA).len(), 1);
    daemon.end();
}

#[test]
fn e1_a_short_is_measured_by_margin() {
    // 26,000 x 65 x 15 % is 2,53,500 rupees a lot, whatever the premium.
    let Stage { broker, daemon } = poor(250_000).stage();
    denied(&broker, &daemon, sell(broker.option(), 130), "margin_short");
    copied(&broker, &daemon, buy(second(&broker), 130), 65);
    daemon.end();
}

#[test]
fn e2_the_second_order_sees_what_is_kept_for_the_first() {
    let Stage { broker, daemon } = poor(20_000).set("risk.at_cap = \"skip\"").stage();
    let (option, second) = (broker.option(), second(&broker));
    // 13,000 and 7,800.
    let orders = broker.lead_all([buy(option, 260), buy(second, 260)]);
    daemon.until_filled(&orders[0], "asha", 130);
    daemon.until_refused(&orders[1], "asha", "skipped", "margin_short");
    broker.quiet();
    assert_eq!((broker.net(ASHA, second), broker.placements(ASHA).len()), (0, 1));
    daemon.end();
}

#[test]
fn e2_the_second_order_is_cut_to_what_is_left() {
    let Stage { broker, daemon } = poor(20_000).stage();
    let (option, second) = (broker.option(), second(&broker));
    let orders = broker.lead_all([buy(option, 260), buy(second, 260)]);
    daemon.until_filled(&orders[0], "asha", 130);
    daemon.until_filled(&orders[1], "asha", 65);
    broker.quiet();
    assert_eq!((broker.net(ASHA, option), broker.net(ASHA, second)), (130, 65));
    daemon.end();
}

#[test]
fn e2_a_refusal_gives_back_what_was_kept() {
    let Stage { broker, mut daemon } = poor(20_000).set("risk.at_cap = \"skip\"").stage();
    daemon.tolerates("copy_gap");
    let option = broker.option();
    broker.reject_for_margin(ASHA, 1);
    let first = broker.lead(buy(option, 260));
    daemon.until_status(&first, "asha", "REJECTED");
    copied(&broker, &daemon, buy(option, 260), 130);
    daemon.end();
}

#[test]
fn e2_a_cancel_gives_back_what_was_kept() {
    let Stage { broker, daemon } = poor(20_000).set("risk.at_cap = \"skip\"").stage();
    let option = broker.option();
    broker.offer(option, &[]);
    let resting = broker.lead(limit("95.00", buy(option, 260)));
    daemon.until_status(&resting, "asha", "PENDING");
    denied(&broker, &daemon, buy(second(&broker), 260), "margin_short");
    broker.cancel(LEADER, &resting);
    daemon.until_status(&resting, "asha", "CANCELLED");
    copied(&broker, &daemon, buy(second(&broker), 260), 130);
    daemon.end();
}

/// The broker's calculator is asked before an entry leaves.
fn asked(rupees: i64) -> Setup {
    poor_by(rupees, "broker")
}

#[test]
fn margin_by_the_broker_is_enough() {
    let Stage { broker, daemon } = asked(20_000).stage();
    copied(&broker, &daemon, buy(broker.option(), 260), 130);
    assert_eq!(broker.requests(ASHA, Operation::Margin).len(), 1);
    // Exits ask nobody.
    copied(&broker, &daemon, sell(broker.option(), 260), 130);
    assert_eq!(broker.requests(ASHA, Operation::Margin).len(), 1);
    daemon.end();
}

#[test]
fn margin_by_the_broker_counts_more_than_the_estimate() {
    // By the estimate a short lot needs 16,900 rupees; the broker holds 2,02,909.20.
    let Stage { broker, daemon } = asked(150_000).set("risk.short_margin_pct = 1").stage();
    let short = broker.lead(sell(broker.option(), 130));
    daemon.until_refused(&short, "asha", "skipped", "margin_short");
    broker.quiet();
    assert!(broker.placements(ASHA).is_empty());
    copied(&broker, &daemon, buy(second(&broker), 130), 65);
    daemon.end();
}

#[test]
fn margin_by_the_broker_is_late() {
    let Stage { broker, mut daemon } = asked(20_000).stage();
    daemon.expects("the local estimate counts");
    broker.spoil(ASHA, Operation::Margin, 1, AnswerFault::Delay { ms: 3_000 });
    copied(&broker, &daemon, buy(broker.option(), 260), 130);
    daemon.end();
}

#[test]
fn margin_by_the_broker_fails() {
    let Stage { broker, mut daemon } = asked(10_000).stage();
    daemon.expects("the local estimate counts");
    broker.spoil(ASHA, Operation::Margin, 2, AnswerFault::ErrorBefore { status: 500 });
    // The estimate knows of money for one lot.
    copied(&broker, &daemon, buy(broker.option(), 260), 65);
    denied(&broker, &daemon, buy(broker.option(), 130), "margin_short");
    daemon.end();
}

#[test]
fn margin_by_the_broker_cuts_to_what_fits() {
    let Stage { broker, daemon } = asked(10_000).stage();
    copied(&broker, &daemon, buy(broker.option(), 260), 65);
    assert_eq!(broker.requests(ASHA, Operation::Margin).len(), 2, "asked about again");
    daemon.end();
}

#[test]
fn margin_by_the_broker_cuts_nothing_where_caps_skip() {
    let Stage { broker, daemon } = asked(10_000).set("risk.at_cap = \"skip\"").stage();
    denied(&broker, &daemon, buy(broker.option(), 260), "margin_short");
    assert_eq!(broker.requests(ASHA, Operation::Margin).len(), 1);
    daemon.end();
}

/// Naked, a short lot needs 2,53,500 rupees by the estimate; covered from 200 points away 76,375.
#[test]
fn margin_of_a_covered_short_is_less() {
    for margin in ["estimate", "broker"] {
        let Stage { broker, daemon } = poor_by(100_000, margin).stage();
        let orders = broker.lead_all([buy(second(&broker), 130), sell(broker.option(), 130)]);
        daemon.until_filled(&orders[0], "asha", 65);
        daemon.until_filled(&orders[1], "asha", 65);
        broker.quiet();
        assert_eq!(broker.net(ASHA, broker.option()), -65, "{margin}");
        // The calculator does not know of the cover, and is not asked about the sale.
        let questions = usize::from(margin == "broker");
        assert_eq!(broker.requests(ASHA, Operation::Margin).len(), questions);
        daemon.end();
    }
}
