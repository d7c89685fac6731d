//! E9: halt, square-off and resume, by the built program on a running daemon (P17, P27).

use std::time::Duration;

use tandem_domain::ids::BrokerOrderId;
use tandem_domain::order::{Product, Side};
use tandem_sim::Fault;

use crate::harness::{
    ASHA, BALA, Broker, Daemon, Follower, LEADER, Setup, Stage, buy, limit, sell, to_units, until,
};

fn say(daemon: &Daemon, arguments: &[&str]) -> String {
    daemon.run_command(&[arguments, &["--database", "tandem.db"]].concat())
}

fn state_of(daemon: &Daemon, follower: &str) -> String {
    let status = daemon.status();
    let rows = status["trading"].as_array().unwrap();
    let row = rows.iter().find(|row| row["follower"] == follower).unwrap();
    row["state"].as_str().unwrap().to_owned()
}

#[test]
fn e9_a_halt_stops_entries_until_a_resume_over_a_restart() {
    let Stage { broker, mut daemon } = Setup::new().followers([Follower::ASHA, Follower::BALA]).stage();
    daemon.expects("trading_stopped");
    let option = broker.option();
    broker.offer(option, &[]);
    let before = broker.lead(limit("95.00", buy(option, 390)));
    daemon.until_status(&before, "asha", "PENDING");
    daemon.until_status(&before, "bala", "PENDING");

    let told = say(&daemon, &["halt", "--follower", "asha"]);
    assert!(told.starts_with("asha: halted since ") && told.contains("; recorded"), "{told}");
    assert_eq!(
        (state_of(&daemon, "asha").as_str(), state_of(&daemon, "bala").as_str()),
        ("halted", "active")
    );
    // Her working entry is cancelled, the other's is not.
    daemon.until_status(&before, "asha", "CANCELLED");
    let during = broker.lead(limit("96.00", buy(option, 390)));
    daemon.until_refused(&during, "asha", "skipped", "halted");
    daemon.until_status(&during, "bala", "PENDING");

    daemon.terminate();
    assert_eq!(daemon.until_exit(), Some(0));
    assert!(!daemon.folder().join("tandem.db.sock").exists());
    daemon.start();
    daemon.until_live(2);
    let after = broker.lead(limit("97.00", buy(option, 390)));
    daemon.until_refused(&after, "asha", "skipped", "halted");
    daemon.until_status(&after, "bala", "PENDING");

    let told = say(&daemon, &["resume", "--follower", "asha"]);
    assert!(told.starts_with("asha: active since ") && told.contains("; recorded"), "{told}");
    let next = broker.lead(limit("98.00", buy(option, 390)));
    daemon.until_status(&next, "asha", "PENDING");
    broker.quiet();
    // Nothing of before came back.
    assert_eq!(broker.calls(ASHA), ["POST /orders", "DELETE /orders", "POST /orders"]);
    assert_eq!(broker.calls(BALA), ["POST /orders"; 4]);
    daemon.end_at_rest(&broker);
}

#[test]
fn e9_a_square_off_closes_what_was_copied_and_tells_until_flat() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("trading_stopped");
    daemon.expects("squaring_off");
    daemon.tolerates("squared_off");
    // What is closed without the leader is a gap that was repaired.
    daemon.tolerates("copy_gap");
    let option = broker.option();
    let bought = broker.lead(buy(option, 260));
    daemon.until_filled(&bought, "asha", 130);
    let resting = broker.lead(limit("60.00", buy(option, 260)));
    daemon.until_status(&resting, "asha", "PENDING");
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);

    let told = say(&daemon, &["halt", "--square-off"]);
    assert!(
        told.contains("asha: halted since ") && told.ends_with("asha: flat in what was copied\n"),
        "{told}"
    );
    assert_eq!(broker.position(ASHA, option, Product::Margin), 0);
    daemon.until_status(&resting, "asha", "CANCELLED");
    assert_eq!(state_of(&daemon, "asha"), "halted");

    // The leader goes on; nothing comes back.
    assert!(say(&daemon, &["resume"]).contains("asha: active since "));
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 0);
    daemon.end_at_rest(&broker);
}

#[test]
fn e9_no_entry_leaves_once_the_halt_is_answered() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("trading_stopped");
    // Some fill before the cancel comes.
    daemon.tolerates("cancel refused");
    let option = broker.option();
    // More than a second's budget: most of them wait when the halt comes.
    let orders = broker.lead_all(std::iter::repeat_n(buy(option, 130), 15));
    until("the burst is on its way", || (broker.orders(ASHA).len() >= 2).then_some(()));
    say(&daemon, &["halt"]);
    let sent = broker.orders(ASHA).len();
    assert!(sent < orders.len(), "something was left to stop: {sent}");
    broker.pass(Duration::from_secs(5));
    // One may have been on the wire.
    let arrived = broker.orders(ASHA).len();
    assert!(arrived <= sent + 1, "{arrived} after {sent}");
    daemon.end_at_rest(&broker);
}

/// Two units for each of the leader's; he may place 27 lots at once, the exchange takes no more.
fn doubled() -> Setup {
    Setup::new()
        .set("sizing.strategy = \"fixed_ratio\"")
        .set("sizing.ratio = 2.0")
        .set("sizing.ratio_max = 2.0")
}

#[test]
fn e9_a_square_off_above_the_freeze_quantity_is_sliced() {
    let Stage { broker, mut daemon } = doubled().stage();
    for text in ["trading_stopped", "squared_off"] {
        daemon.expects(text);
    }
    daemon.tolerates("squaring_off");
    let option = broker.option();
    let bought = broker.lead(buy(option, 1_755));
    daemon.until_filled(&bought, "asha", 3_510);
    broker.own(ASHA, buy(option, 65));
    until("her own trade is seen", || (daemon.externals(ASHA).len() == 1).then_some(()));

    let told = say(&daemon, &["halt", "--square-off"]);
    assert!(told.ends_with("asha: flat in what was copied\n"), "{told}");
    assert_eq!(broker.net(ASHA, option), 65, "what is hers is left alone");
    let orders = broker.orders(ASHA);
    let sold: Vec<u32> = orders
        .iter()
        .filter(|order| order.terms.side == Side::Sell)
        .map(|order| order.filled.get())
        .collect();
    assert_eq!((sold.len(), sold.iter().sum::<u32>()), (2, 3_510), "{sold:?}");
    assert!(sold.iter().all(|units| *units <= 1_800), "{sold:?}");

    // Nothing comes back, and the leader's way out finds nothing.
    say(&daemon, &["resume"]);
    let out = broker.lead(sell(option, 1_755));
    daemon.until_outcome(&out, "asha", "skipped");
    broker.quiet();
    assert_eq!(broker.net(ASHA, option), 65);
    daemon.end_at_rest(&broker);
}

#[test]
fn e9_a_restart_in_the_middle_of_a_square_off_goes_on_until_flat() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    for text in ["trading_stopped", "squaring_off", "squared_off"] {
        daemon.expects(text);
    }
    let option = broker.option();
    let bought = broker.lead(buy(option, 520));
    daemon.until_filled(&bought, "asha", 260);
    let target = broker.lead(limit("120.00", sell(option, 520)));
    daemon.until_status(&target, "asha", "PENDING");

    // Somebody wants one lot of them, nobody more.
    broker.bid(option, &[("100.00", 65)]);
    say(&daemon, &["halt", "--square-off", "--no-wait"]);
    daemon.until_status(&target, "asha", "CANCELLED");
    until("a part is closed", || (broker.net(ASHA, option) < 260).then_some(()));
    daemon.terminate();
    assert_eq!(daemon.until_exit(), Some(0));
    let left = broker.net(ASHA, option);
    assert!(left > 0, "{left}");

    daemon.start();
    daemon.until_live(2);
    assert_eq!(state_of(&daemon, "asha"), "halted");
    broker.bid(option, &[("99.00", 100_000)]);
    until("all that was copied is closed", || {
        // An order that rests follows the market after a while.
        broker.quiet();
        (broker.net(ASHA, option) == 0).then_some(())
    });
    broker.pass(Duration::from_secs(10));
    assert_eq!(broker.net(ASHA, option), 0, "and no more than that");
    daemon.until_log("squared_off");

    say(&daemon, &["resume"]);
    broker.pass(Duration::from_secs(5));
    assert_eq!(broker.net(ASHA, option), 0);
    daemon.end_at_rest(&broker);
}

#[test]
fn e9_resume_copies_only_what_is_first_seen_afterwards() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("trading_stopped");
    let option = broker.option();
    broker.offer(option, &[]);
    let before = broker.lead(limit("95.00", buy(option, 260)));
    daemon.until_status(&before, "asha", "PENDING");
    say(&daemon, &["halt"]);
    daemon.until_status(&before, "asha", "CANCELLED");
    let during = broker.lead(limit("96.00", buy(option, 260)));
    daemon.until_refused(&during, "asha", "skipped", "halted");
    say(&daemon, &["resume"]);

    // Neither a raise nor a fill of the two brings anything back.
    broker.change(LEADER, &before, &to_units(520));
    broker.change(LEADER, &during, &to_units(520));
    broker.fill(&before, 520, "95.00");
    broker.fill(&during, 520, "96.00");
    broker.pass(Duration::from_secs(5));
    assert_eq!((broker.net(ASHA, option), broker.placements(ASHA).len()), (0, 1));

    // Half of what he leaves with is hers to leave: nothing.
    let out = broker.lead(limit("120.00", sell(option, 520)));
    broker.quiet();
    assert_eq!(daemon.intents(&out, "asha"), []);
    let next = broker.lead(limit("94.00", buy(option, 260)));
    daemon.until_status(&next, "asha", "PENDING");
    daemon.end_at_rest(&broker);
}

/// Two lots of the leader's four, and his target for all four copied.
fn with_a_target(broker: &Broker, daemon: &Daemon) -> (BrokerOrderId, BrokerOrderId) {
    let option = broker.option();
    let bought = broker.lead(buy(option, 260));
    daemon.until_filled(&bought, "asha", 130);
    let target = broker.lead(limit("120.00", sell(option, 260)));
    daemon.until_status(&target, "asha", "PENDING");
    (bought, target)
}

#[test]
fn e9_an_exit_of_the_leaders_that_the_operator_cancelled_is_an_open_incident() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("trading_stopped");
    daemon.expects("copy_gap");
    let (bought, target) = with_a_target(&broker, &daemon);
    say(&daemon, &["halt", "--cancel-working"]);
    daemon.until_status(&target, "asha", "CANCELLED");
    daemon.until_outcome(&target, "asha", "detached");
    broker.fill(&target, 260, "120.00");
    daemon.until_gap(&target, "asha", "exit_stopped", -130, "reported");
    daemon.until_incident("copy_gap", "asha");
    // Nothing closes it, now or after a resume and a restart; what was over before keeps its outcome.
    say(&daemon, &["resume"]);
    daemon.terminate();
    assert_eq!(daemon.until_exit(), Some(0));
    daemon.start();
    daemon.until_live(2);
    broker.pass(Duration::from_secs(30));
    assert_eq!(broker.net(ASHA, broker.option()), 130);
    assert_eq!(daemon.gaps(&target, "asha"), [("exit_stopped".to_owned(), -130, "reported".to_owned())]);
    daemon.until_outcome(&bought, "asha", "sent");

    // She does it by hand: then it is over.
    broker.own(ASHA, sell(broker.option(), 130));
    daemon.until_gap(&target, "asha", "exit_stopped", 0, "repaired");
    until("the incident is closed", || {
        let open = "SELECT id FROM incidents WHERE kind = 'copy_gap' AND closed_at IS NULL";
        daemon.table(open, |row| row.get::<_, String>(0)).is_empty().then_some(())
    });
    daemon.end_at_rest(&broker);
}

#[test]
fn e9_exits_that_a_stopped_daemon_is_told_to_cancel_are_cancelled_at_its_start() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.tolerates("trading_stopped");
    let (bought, target) = with_a_target(&broker, &daemon);
    daemon.terminate();
    assert_eq!(daemon.until_exit(), Some(0));
    let told = say(&daemon, &["halt", "--cancel-working"]);
    assert!(
        told.contains("entries and exits that work at the broker are cancelled at its next start"),
        "{told}"
    );
    assert_eq!(broker.calls(ASHA), ["POST /orders"; 2]);

    daemon.start();
    daemon.until_live(2);
    daemon.until_status(&target, "asha", "CANCELLED");
    daemon.until_outcome(&target, "asha", "detached");
    daemon.until_outcome(&bought, "asha", "sent");
    // What he orders to close from now on is followed.
    let out = broker.lead(sell(broker.option(), 260));
    daemon.until_filled(&out, "asha", 130);
    daemon.end_at_rest(&broker);
}

#[test]
fn e9_a_square_off_that_the_broker_rejects_goes_on_until_flat() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    for text in ["trading_stopped", "squaring_off", "squared_off", "square_off_refused"] {
        daemon.expects(text);
    }
    let option = broker.option();
    let bought = broker.lead(buy(option, 260));
    daemon.until_filled(&bought, "asha", 130);
    broker.inject(ASHA, Fault::RejectNext { count: 4, text: "RMS: circuit limit".to_owned() });
    say(&daemon, &["halt", "--square-off", "--no-wait"]);
    // One more time than other exits are tried, and then the one that fills.
    for tries in 1..=5 {
        until("it is tried again", || {
            broker.pass(Duration::from_secs(5));
            (broker.placements(ASHA).len() > tries).then_some(())
        });
    }
    until("all that was copied is closed", || (broker.net(ASHA, option) == 0).then_some(()));
    daemon.until_log("squared_off");
    assert_eq!(broker.placements(ASHA).len(), 6);
    // Told once, and then that it is so no more.
    daemon.until_log_count("\"alert\":\"square_off_refused\"", 2);
    let open = "SELECT id FROM incidents WHERE kind = 'square_off_refused' AND closed_at IS NULL";
    until("the incident is closed", || {
        daemon.table(open, |row| row.get::<_, String>(0)).is_empty().then_some(())
    });
    daemon.end_at_rest(&broker);
}

/// The night between is spent switched off, as a daemon's is.
#[test]
fn e9_a_square_off_closes_what_was_copied_the_day_before() {
    let Stage { broker, mut daemon } = Setup::new().starts("2026-12-01 15:10:00").stage();
    for text in ["trading_stopped", "squaring_off", "squared_off"] {
        daemon.expects(text);
    }
    let option = broker.option();
    let bought = broker.lead(buy(option, 260));
    daemon.until_filled(&bought, "asha", 130);
    broker.own(ASHA, buy(option, 65));
    until("her own trade is seen", || (daemon.externals(ASHA).len() == 1).then_some(()));
    daemon.terminate();
    assert_eq!(daemon.until_exit(), Some(0));
    broker.pass_until("2026-12-02 09:30:00");
    daemon.start();
    daemon.until_live(2);

    // Killed in the middle: somebody wants one lot of them, nobody more.
    broker.bid(option, &[("100.00", 65)]);
    say(&daemon, &["halt", "--square-off", "--no-wait"]);
    until("a part is closed", || (broker.net(ASHA, option) < 195).then_some(()));
    daemon.terminate();
    assert_eq!(daemon.until_exit(), Some(0));
    daemon.start();
    daemon.until_live(3);
    broker.bid(option, &[("99.00", 100_000)]);
    until("all that was copied is closed", || {
        broker.pass(Duration::from_secs(10));
        (broker.net(ASHA, option) == 65).then_some(())
    });
    broker.pass(Duration::from_mins(1));
    assert_eq!(broker.net(ASHA, option), 65, "what is hers is left alone");
    daemon.until_log("squared_off");
    assert!(say(&daemon, &["halt", "--square-off"]).ends_with("asha: flat in what was copied\n"));

    let id = format!("square-off-2026-12-02-{}-{}-1", option.segment, option.security_id);
    let told = say(&daemon, &["explain", &id]);
    assert!(told.contains(&format!("Your own order {id}")) && told.contains("SELL"), "{told}");
    daemon.end_at_rest(&broker);
}
