//! F9, F10, F11: each actor panics, hangs, and panics at every start.

use tandem_actors::faults::LETS_GO;

use crate::books::{hold_their_share, settle_and_check, until_out_of_doubt};
use crate::harness::{ASHA, Daemon, Setup, Stage, buy, sell, until};
use crate::leader::{LOT, Leader};
use crate::life::{millis, pause, setup};

/// A daemon that says often how it is, and notices a hang as late as it does by default: sooner, and who waits for a processor
/// on a busy machine passes for one who hangs.
fn watched() -> Setup {
    setup().set("supervisor.hang_deadline_ms = 5000").set("supervisor.health_interval_s = 1")
}

/// A daemon that is about to fail like this, and a leader. What it says from now on begins at the second number.
fn armed(setup: Setup, fault: &str) -> (Stage, Leader, u64) {
    eprintln!("{fault}");
    let mut stage = setup.stage();
    let leader = Leader::new(&stage.broker, 1);
    stage.daemon.kill();
    let bytes = stage.daemon.log_bytes();
    stage.daemon.start_with(fault);
    (stage, leader, bytes)
}

/// The leader trades until there is something to see.
#[track_caller]
fn trade_until<T>(
    what: &str,
    leader: &mut Leader,
    stage: &mut Stage,
    mut look: impl FnMut(&mut Stage) -> Option<T>,
) -> T {
    until(what, || {
        leader.act(&stage.broker);
        pause(millis(60));
        look(stage)
    })
}

/// Waits until the new life of an actor is known by its health.
fn until_second_generation(stage: &Stage, actor: &str) {
    until(&format!("health of {actor} says generation 2"), || {
        let status = stage.daemon.status();
        let health = status["actors"].as_array().unwrap();
        health.iter().any(|row| row["actor"] == actor && row["generation"] == 2).then_some(())
    });
}

/// Fails in this way once, while it copies; then its next life goes on, and nothing is lost or doubled, whether or not the one
/// before wakes beside it. Which follower's it is, is chance.
fn fails_and_is_restarted(point: &str, kind: &str, actor: &str) {
    let (mut stage, mut leader, bytes) = armed(watched(), &format!("{point}={kind}"));
    let word = if kind == "panic" { "actor panicked" } else { "actor hangs: given up and fenced" };
    let line = trade_until(word, &mut leader, &mut stage, |stage| stage.daemon.line_since(bytes, word));
    let actor = [actor.to_owned(), format!("{actor}/asha"), format!("{actor}/bala")]
        .into_iter()
        .find(|name| line["actor"] == **name)
        .unwrap_or_else(|| panic!("{actor} expected: {line}"));
    assert_eq!(line["generation"], 1);
    let next = format!("\"actor started\",\"actor\":\"{actor}\",\"generation\":2");
    until("its next life begins", || stage.daemon.line_since(bytes, &next));
    // What was decided: what it took hangs on how busy the machine is.
    let decided = stage.daemon.line_since(bytes, "actor will be restarted from its rows").unwrap();
    let delay_ms = decided["delay_ms"].as_u64().unwrap();
    assert!(delay_ms < 1000, "its next life began {delay_ms} ms later");

    if actor.starts_with("breaker") {
        // A new one lets nothing pass before it has probed.
        until("entries pass again", || stage.daemon.line_since(bytes, "circuit breaker closed"));
    }
    until_out_of_doubt(&stage.daemon);
    let [option, _] = leader.options;
    let after = stage.broker.lead(buy(option, 2 * LOT));
    stage.daemon.until_filled(&after, "bala", 2 * LOT);
    until_second_generation(&stage, &actor);
    if kind.starts_with("hang:") {
        trade_until("the one before goes on", &mut leader, &mut stage, |stage| {
            stage.daemon.line_since(bytes, LETS_GO)
        });
        until_out_of_doubt(&stage.daemon);
        let heard = stage.broker.lead(buy(option, 2 * LOT));
        stage.daemon.until_filled(&heard, "bala", 2 * LOT);
    }
    assert_rest_restarted(&stage, bytes, &actor);
    hold_their_share(&stage.broker, &stage.daemon, &leader.options);
    leader.close_out(&stage.broker);
    settle_and_check(&stage.broker, &stage.daemon, &leader.options);
    let failed = Daemon::failures_in(stage.daemon.log());
    let failed: Vec<&str> = failed.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(
        failed,
        if kind == "panic" { vec!["panic", word] } else { vec![word] },
        "once, and nothing else"
    );
    stage.daemon.assert_no_secrets();
}

/// With a link of the chain ends what stands on it, and both begin anew; followers and breakers end alone.
fn assert_rest_restarted(stage: &Stage, bytes: u64, actor: &str) {
    let rest: &[&str] = if actor == "sizer" { &["sizer", "leader_stream"] } else { &[actor] };
    let begun = stage.daemon.lines_since(bytes, "\"actor started\"");
    let anew: Vec<&str> = begun
        .iter()
        .filter(|line| line["generation"] == 2)
        .map(|line| line["actor"].as_str().unwrap())
        .collect();
    assert_eq!(anew, rest);
}

/// Where each actor is at work.
const AT_WORK: [(&str, &str); 9] = [
    ("leader_frame_received", "leader_stream"),
    ("leader_book_read", "leader_stream"),
    ("sizer_told", "sizer"),
    ("follower_planned", "follower"),
    ("before_request", "follower"),
    ("after_answer", "follower"),
    ("fill_received", "follower"),
    ("follower_restored", "follower"),
    ("breaker_told", "breaker"),
];

#[test]
fn f9_an_actor_that_panics_is_restarted_from_rows() {
    for (point, actor) in AT_WORK {
        fails_and_is_restarted(point, "panic", actor);
    }
}

#[test]
fn f10_an_actor_that_hangs_is_given_up_and_restarted() {
    for (point, actor) in AT_WORK {
        fails_and_is_restarted(point, "hang", actor);
    }
}

/// It was given up long before. It wakes beside the life in its place, and what it has in hand is old. Not
/// before a request: whoever hangs there has looked for the last time whether he may send.
fn wake_beside_the_next(at_work: &[(&str, &str)]) {
    for (point, actor) in at_work {
        if *point != "before_request" {
            fails_and_is_restarted(point, "hang:20000", actor);
        }
    }
}

#[test]
fn f10_an_actor_that_wakes_after_it_was_given_up_is_not_heard() {
    wake_beside_the_next(&AT_WORK[..4]);
}

#[test]
fn f10_a_follower_or_a_breaker_that_wakes_after_it_was_given_up_is_not_heard() {
    wake_beside_the_next(&AT_WORK[4..]);
}

/// The life that began there told of no failure.
fn assert_well_since(stage: &Stage, bytes: u64) {
    let failed = Daemon::failures_in(stage.daemon.lines_since(bytes, ""));
    assert!(failed.is_empty(), "failures without a fault: {failed:#?}");
    stage.daemon.assert_no_secrets();
}

/// Ends with this code; a next start, without the fault, goes on.
fn ends_with(setup: Setup, fault: &str, code: i32) {
    let (mut stage, mut leader, _) = armed(setup, fault);
    let ended = trade_until("the daemon ends", &mut leader, &mut stage, |stage| {
        stage.daemon.is_over().then(|| stage.daemon.until_exit())
    });
    assert_eq!(ended, Some(code), "{fault}");
    stage.daemon.assert_promises_kept();
    let bytes = stage.daemon.log_bytes();
    stage.daemon.start_and_follow();
    hold_their_share(&stage.broker, &stage.daemon, &leader.options);
    leader.close_out(&stage.broker);
    settle_and_check(&stage.broker, &stage.daemon, &leader.options);
    assert_well_since(&stage, bytes);
}

/// P22: an fsync that fails is final, whether what it was to make durable is on the disk or not: no second try, no
/// request without a row, and the next start begins from what the disk has.
#[test]
fn f12_a_commit_that_does_not_reach_the_disk_ends_the_process() {
    for point in
        ["before_sending_commit", "after_sending_commit", "before_answer_commit", "after_fill_commit"]
    {
        ends_with(setup(), &format!("{point}=fail"), 5);
    }
}

/// P22: who cannot record does not trade.
#[test]
fn f9_a_store_that_fails_ends_the_process() {
    for point in ["store_watched", "before_sending_commit", "after_sending_commit"] {
        ends_with(setup(), &format!("{point}=panic"), 5);
    }
    // The writer hangs: seen after ten seconds.
    ends_with(setup(), "before_sending_commit=block", 5);
}

/// One thread serves all sockets: what blocks it is not restarted into being.
#[test]
fn f10_an_actor_that_blocks_its_thread_ends_the_process() {
    let (mut stage, mut leader, _) = armed(watched(), "sizer_told=block");
    let ended = trade_until("the daemon ends", &mut leader, &mut stage, |stage| {
        stage.daemon.is_over().then(|| stage.daemon.until_exit())
    });
    assert_eq!(ended, Some(4));
    let halts: Vec<(String, Option<String>)> = stage.daemon.incidents();
    assert!(halts.contains(&("thread_blocked".to_owned(), None)), "{halts:?}");
    assert!(halts.iter().all(|(kind, _)| kind != "halted_by_supervisor"), "no actor is blamed: {halts:?}");
    stage.daemon.until_log("halted: the thread of all actors is blocked");
    stage.daemon.assert_promises_kept();
    let bytes = stage.daemon.log_bytes();
    stage.daemon.start_and_follow();
    until("it is over", || {
        stage.daemon.incidents().iter().all(|(kind, _)| kind != "thread_blocked").then_some(())
    });
    leader.close_out(&stage.broker);
    settle_and_check(&stage.broker, &stage.daemon, &leader.options);
    assert_well_since(&stage, bytes);
}

#[test]
fn f11_who_panics_at_every_start_halts_all() {
    for point in ["sizer_started", "leader_started", "leader_logged_in"] {
        ends_with(setup().set("supervisor.restarts_max = 2"), &format!("{point}=panic@1+"), 4);
    }
}

/// The window is slow to see it; the day is not.
#[test]
fn f11_who_panics_again_and_again_uses_up_the_day() {
    let setup = setup().set("supervisor.restart_window_s = 1").set("supervisor.restarts_per_day_max = 3");
    ends_with(setup.set("supervisor.backoff_ms_first = 400"), "sizer_told=panic@1+", 4);
}

/// Who keeps entries away and is not there keeps them away all the more; what closes goes on (P19).
#[test]
fn f11_a_breaker_who_panics_at_every_start_lets_no_entry_pass() {
    let Stage { broker, mut daemon } = watched().set("supervisor.restarts_max = 2").stage();
    let leader = Leader::new(&broker, 1);
    let [option, _] = leader.options;
    let before = broker.lead(buy(option, 2 * LOT));
    for (name, units) in [("asha", LOT), ("bala", 2 * LOT)] {
        daemon.until_filled(&before, name, units);
    }
    broker.quiet();
    daemon.kill();
    // Asha's is the first to start; from the third time on it is always hers.
    daemon.start_with("breaker_started=panic@1,breaker_started=panic@3+");
    daemon.until_incident("breaker_down", "asha");
    daemon.until_live(2);

    let entry = broker.lead(buy(option, 2 * LOT));
    daemon.until_filled(&entry, "bala", 2 * LOT);
    daemon.until_refused(&entry, "asha", "skipped", "breaker_open");
    let exit = broker.lead(sell(option, 4 * LOT));
    daemon.until_filled(&exit, "asha", LOT);
    daemon.until_filled(&exit, "bala", 4 * LOT);
    assert_eq!(broker.orders(ASHA).len(), 2, "an entry of before, and the exit");
    daemon.tolerates("panic");
    daemon.tolerates("actor panicked");
    daemon.assert_well_at_rest(&broker);
}

/// P19: the one stays down, the other is copied to.
#[test]
fn f11_a_follower_who_panics_at_every_start_is_alone() {
    // Asha's is the first to start; from the third time on it is always hers.
    let fault = "follower_started=panic@1,follower_started=panic@3+";
    let (mut stage, leader, _) = armed(watched().set("supervisor.restarts_max = 2"), fault);
    stage.daemon.until_incident("follower_down", "asha");
    let [option, _] = leader.options;
    let order = stage.broker.lead(buy(option, 2 * LOT));
    stage.daemon.until_filled(&order, "bala", 2 * LOT);
    assert!(stage.broker.orders(ASHA).is_empty());
    stage.daemon.tolerates("panic");
    stage.daemon.tolerates("actor panicked");
    stage.daemon.assert_well_at_rest(&stage.broker);
}
