//! F10: an actor that hung was given up, and wakes before anybody is there in its place. Nobody has told it; whatever is heard
//! or sent until the next life begins would be its doing.
//!
//! Beside the next life it wakes in `actors.rs`.

use std::time::Duration;

use tandem_actors::faults::LETS_GO;
use tandem_sim::{Down, Fault};

use crate::harness::{ASHA, Broker, Daemon, Setup, Stage, buy, limit, sell, until};

/// Who hangs is given up after five seconds, on a busy machine after some more, and wakes after twenty; the next life begins
/// after thirty-five or more.
const HANG: &str = "hang:20000";

fn setup() -> Setup {
    Setup::new()
        .set("supervisor.hang_deadline_ms = 5000")
        .set("supervisor.backoff_ms_first = 30000")
        .set("recovery.settle_ms = 400")
        .set("recovery.lookup_ms_first = 50")
}

/// Both hold what he bought first; the daemon begins anew with this armed. What it says since begins at the number.
fn armed(setup: Setup, point: &str) -> (Stage, u64) {
    let mut stage = setup.stage();
    let entry = stage.broker.lead(buy(stage.broker.option(), 260));
    stage.daemon.until_filled(&entry, "asha", 130);
    stage.broker.quiet();
    stage.daemon.kill();
    let bytes = stage.daemon.log_bytes();
    stage.daemon.start_with(&format!("{point}={HANG}"));
    stage.daemon.until_live_since(bytes);
    (stage, bytes)
}

fn until_it_hangs(daemon: &Daemon, bytes: u64) {
    until("it hangs", || daemon.line_since(bytes, "fault point fires"));
}

/// Waits until it was given up, and goes on all the same.
fn until_it_wakes(daemon: &Daemon, bytes: u64, actor: &str) {
    let line = until("it is given up", || daemon.line_since(bytes, "actor hangs: given up and fenced"));
    assert_eq!(line["actor"], actor);
    until("it goes on", || daemon.line_since(bytes, LETS_GO));
}

fn assert_nobody_is_there_yet(daemon: &Daemon, bytes: u64, actor: &str) {
    let next = format!("\"actor started\",\"actor\":\"{actor}\",\"generation\":2");
    assert_eq!(daemon.line_since(bytes, &next), None, "too late to see anything: the next life began");
}

/// The next life has made good what the one before did not do: nothing is left to find. Looked at in another process: who woke
/// listens on, and a lent clock does not jump past what nobody but he takes in.
fn end(broker: &Broker, mut daemon: Daemon) {
    daemon.kill();
    daemon.start_and_follow();
    daemon.tolerates("actor hangs");
    daemon.assert_well_at_rest(broker);
}

/// What the leader sells meanwhile waits for the one who hangs.
fn tells_nothing(point: &str, actor: &str) {
    let (Stage { broker, daemon }, bytes) = armed(setup(), point);
    let option = broker.option();
    let rests = broker.lead(limit("90.00", buy(option, 260)));
    until_it_hangs(&daemon, bytes);
    let exit = broker.lead(sell(option, 260));
    until_it_wakes(&daemon, bytes, actor);
    // All that it says is taken in.
    broker.quiet();
    assert_eq!(daemon.mapping(&exit, "asha"), None, "somebody was told");
    assert_eq!(broker.net(ASHA, option), 130);
    assert_nobody_is_there_yet(&daemon, bytes, actor);

    daemon.until_filled(&exit, "asha", 130);
    broker.cancel(crate::harness::LEADER, &rests);
    broker.quiet();
    assert_eq!(broker.net(ASHA, option), 0);
    end(&broker, daemon);
}

#[test]
fn f10_a_leader_stream_that_wakes_tells_nothing() {
    tells_nothing("leader_frame_received", "leader_stream");
}

#[test]
fn f10_a_sizer_that_wakes_tells_nothing() {
    tells_nothing("sizer_told", "sizer");
}

/// Its row says that it may have left: the next life looks for it, proves it absent and sends it, once.
#[test]
fn f10_a_follower_that_wakes_sends_nothing() {
    let (Stage { broker, daemon }, bytes) = armed(setup(), "follower_planned");
    let option = broker.option();
    until_it_hangs(&daemon, bytes);
    let exit = broker.lead(sell(option, 260));
    until_it_wakes(&daemon, bytes, "follower/asha");
    daemon.until_intent(&exit, "asha", "SENDING");
    broker.quiet();
    assert_eq!(broker.placements(ASHA).len(), 1, "what it bought before, and nothing since");
    assert_nobody_is_there_yet(&daemon, bytes, "follower/asha");

    daemon.until_filled(&exit, "asha", 130);
    broker.quiet();
    assert_eq!(broker.net(ASHA, option), 0);
    assert_eq!(broker.placements(ASHA).len(), 2, "once");
    end(&broker, daemon);
}

/// It finds the account well; but who goes by it was told that nobody knows.
#[test]
fn f10_a_breaker_that_wakes_lets_no_entry_pass() {
    let setup = setup().set("breaker.failures_max = 3").set("breaker.open_s = 1");
    let (Stage { broker, daemon }, bytes) = armed(setup, "breaker_told");
    let option = broker.option();
    until_it_hangs(&daemon, bytes);
    broker.inject(ASHA, Fault::AccountDown { down: Down::Refuse });
    until_it_wakes(&daemon, bytes, "breaker/asha");
    until("it opens", || daemon.line_since(bytes, "circuit breaker opens"));
    broker.inject(ASHA, Fault::Clear);
    until("it closes", || {
        broker.pass(Duration::from_secs(1));
        daemon.line_since(bytes, "circuit breaker closed")
    });
    let entry = broker.lead(buy(option, 130));
    daemon.until_refused(&entry, "asha", "skipped", "breaker_open");
    assert_nobody_is_there_yet(&daemon, bytes, "breaker/asha");

    until("entries pass again", || {
        (daemon.lines_since(bytes, "circuit breaker closed").len() == 2).then_some(())
    });
    let after = broker.lead(buy(option, 130));
    daemon.until_filled(&after, "asha", 65);
    end(&broker, daemon);
}
