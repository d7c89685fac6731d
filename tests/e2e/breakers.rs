//! E: a follower's account that does not answer.

use std::time::Duration;

use tandem_domain::order::Product;
use tandem_sim::{AnswerFault, Down, Fault};

use crate::harness::{ASHA, BALA, Follower, Setup, Stage, buy, until};

fn two_followers() -> Setup {
    Setup::new().followers([Follower::ASHA, Follower::BALA])
}

#[test]
fn e12_one_account_down_delays_nobody_else() {
    let Stage { broker, mut daemon } =
        two_followers().set("recovery.settle_ms = 300").set("breaker.open_s = 1").stage();
    daemon.expects("circuit breaker open");
    daemon.expects("a read of the account failed");
    daemon.tolerates("the answer was lost");
    daemon.tolerates("request not sent");
    daemon.expects("the account's order stream is lost");
    daemon.expects("the account cannot be read");
    let option = broker.option();
    broker.inject(ASHA, Fault::AccountDown { down: Down::Refuse });
    daemon.until_log("circuit breaker open");

    // Entries are skipped at her, and copied at him.
    for _ in 0..2 {
        let order = broker.lead(buy(option, 390));
        daemon.until_refused(&order, "asha", "skipped", "breaker_open");
        daemon.until_filled(&order, "bala", 65);
    }
    assert!(broker.placements(ASHA).is_empty());

    for kind in ["breaker_open", "account_unread"] {
        daemon.until_incident(kind, "asha");
    }

    // An hour of it, and nothing has changed.
    broker.pass(Duration::from_hours(1));
    let order = broker.lead(buy(option, 390));
    daemon.until_refused(&order, "asha", "skipped", "breaker_open");
    daemon.until_filled(&order, "bala", 65);

    // A probe is a read, never an order; the one that succeeds closes the breaker.
    daemon.until_log("circuit breaker probes with a read");
    broker.inject(ASHA, Fault::AccountDown { down: Down::No });
    daemon.until_log("circuit breaker closed");
    until("both are over", || {
        let is_of_her = |kind: &str| kind == "breaker_open" || kind == "account_unread";
        daemon.incidents().iter().all(|(kind, _)| !is_of_her(kind)).then_some(())
    });
    assert!(broker.placements(ASHA).is_empty());
    let order = broker.lead(buy(option, 260));
    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    // A fifth of his 22 lots.
    assert_eq!(broker.position(BALA, option, Product::Margin), 260);
    daemon.end();
}

#[test]
fn e12_a_slow_answer_delays_nobody_else() {
    // Long enough for a machine that is slow by itself.
    let Stage { broker, daemon } = two_followers().set("broker.request_deadline_ms = 30000").stage();
    let option = broker.option();
    broker.spoil_placements(ASHA, 1, AnswerFault::Delay { ms: 5000 });
    let order = broker.lead(buy(option, 390));

    daemon.until_filled(&order, "bala", 65);
    assert!(broker.placements(ASHA).is_empty(), "hers is not answered yet, his is filled");
    daemon.until_filled(&order, "asha", 195);
    broker.quiet();
    assert_eq!((broker.orders(ASHA).len(), broker.orders(BALA).len()), (1, 1));
    daemon.end();
}

#[test]
fn e12_five_server_errors_open_the_breaker() {
    // Placements alone fail; her account is not looked at in between.
    let Stage { broker, mut daemon } = two_followers()
        .set("recovery.idle_poll_ms = 600000")
        .set("recovery.poll_ms = 600000")
        .set("recovery.lookup_ms_first = 60000")
        .set("recovery.lookup_ms_max = 60000")
        // What is in doubt holds no entry before the breaker does, on no machine.
        .set("recovery.settle_ms = 600000")
        // All are in doubt to the end.
        .set("supervisor.shutdown_deadline_ms = 100")
        .stage();
    daemon.expects("circuit breaker open");
    daemon.expects("the answer was lost");
    daemon.tolerates("nobody knows what came of an order");
    daemon.expects("not everything finished in time");
    let option = broker.option();
    broker.spoil_placements(ASHA, 5, AnswerFault::ErrorBefore { status: 502 });
    let failing = broker.lead_all(std::iter::repeat_n(buy(option, 130), 5));
    daemon.until_log("circuit breaker open");
    daemon.until_incident("breaker_open", "asha");
    for order in &failing {
        assert_eq!(daemon.until_intent(order, "asha", "UNKNOWN").quantity, 65);
    }
    let sixth = broker.lead(buy(option, 130));
    daemon.until_refused(&sixth, "asha", "skipped", "breaker_open");
    assert_eq!(broker.placements(ASHA).len(), 5);
    assert!(broker.orders(ASHA).is_empty());
    until("the other followed all along", || {
        // A fifth of his 12 lots.
        (broker.position(BALA, option, Product::Margin) == 130).then_some(())
    });
    let skipped = ("skipped".to_owned(), Some("below_one_lot".to_owned()), 4);
    until("what was too little", || daemon.outcomes("bala").contains(&skipped).then_some(()));
    daemon.end();
}
