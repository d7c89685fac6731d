//! E9: halt, square-off and resume, by the built program on a running daemon (P17, P27).

use tandem_domain::order::Product;

use crate::harness::{ASHA, BALA, Daemon, Follower, Setup, Stage, buy, limit, until};

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
    let option = broker.option();
    broker.offer(option, &[]);
    let before = broker.lead(limit("95.00", buy(option, 260)));
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
    let during = broker.lead(limit("96.00", buy(option, 260)));
    daemon.until_refused(&during, "asha", "skipped", "halted");
    daemon.until_status(&during, "bala", "PENDING");

    daemon.terminate();
    assert_eq!(daemon.until_exit(), Some(0));
    assert!(!daemon.folder().join("tandem.db.sock").exists());
    daemon.start();
    daemon.until_live(2);
    let after = broker.lead(limit("97.00", buy(option, 260)));
    daemon.until_refused(&after, "asha", "skipped", "halted");
    daemon.until_status(&after, "bala", "PENDING");

    let told = say(&daemon, &["resume", "--follower", "asha"]);
    assert!(told.starts_with("asha: active since ") && told.contains("; recorded"), "{told}");
    let next = broker.lead(limit("98.00", buy(option, 260)));
    daemon.until_status(&next, "asha", "PENDING");
    broker.quiet();
    // Nothing of before came back.
    assert_eq!(broker.calls(ASHA), ["POST /orders", "DELETE /orders", "POST /orders"]);
    assert_eq!(broker.calls(BALA), ["POST /orders"; 4]);
    daemon.end();
}

#[test]
fn e9_a_square_off_closes_what_was_copied_and_tells_until_flat() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let bought = broker.lead(buy(option, 260));
    daemon.until_filled(&bought, "asha", 130);
    broker.offer(option, &[]);
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
    daemon.end();
}

#[test]
fn e9_no_entry_leaves_once_the_halt_is_answered() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    // More than a second's budget: most of them wait when the halt comes.
    let orders = broker.lead_all(std::iter::repeat_n(buy(option, 130), 15));
    until("the burst is on its way", || (broker.orders(ASHA).len() >= 2).then_some(()));
    say(&daemon, &["halt"]);
    let sent = broker.orders(ASHA).len();
    assert!(sent < orders.len(), "something was left to stop: {sent}");
    broker.pass(std::time::Duration::from_secs(5));
    // One may have been on the wire.
    let arrived = broker.orders(ASHA).len();
    assert!(arrived <= sent + 1, "{arrived} after {sent}");
    daemon.end();
}
