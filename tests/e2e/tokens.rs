//! E4, F18: access tokens that are refused, replaced, about to end, and renewed. Nobody restarts anything.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use tandem_domain::order::Product;
use tandem_sim::{AnswerFault, Fault, Mute, Operation};

use crate::harness::{ASHA, BALA, Daemon, Follower, LEADER, PIN, Setup, Stage, TOTP_SECRET, buy, until};

const TAKEN: &str = "another access token is in force";
const WRITTEN: &str = "access token renewed, and written to its file";
const LOST: &str = "stream";
const MINUTE: Duration = Duration::from_mins(1);

/// Waits until no incident of this kind is open.
#[track_caller]
fn until_over(daemon: &Daemon, kind: &str) {
    until(&format!("{kind} is over"), || {
        daemon.incidents().iter().all(|(open, _)| open != kind).then_some(())
    });
}

#[test]
fn e4_goes_on_when_the_token_file_changes() {
    let Stage { broker, mut daemon } =
        Setup::new().token_files().followers([Follower::ASHA, Follower::BALA]).stage();
    daemon.expects("the broker refuses this follower's access token");
    daemon.tolerates("a read of the account failed");
    daemon.tolerates(LOST);
    let option = broker.option();
    // A token made elsewhere kills the one that Tandem has.
    let next = broker.rotate(ASHA);
    daemon.until_incident("account_halted", "asha");
    let missed = broker.lead(buy(option, 390));
    daemon.until_refused(&missed, "asha", "skipped", "account_halted");
    daemon.until_filled(&missed, "bala", 65);
    assert!(broker.placements(ASHA).is_empty());

    daemon.write_secret("asha.token", &next);
    daemon.until_log("the account resumes");
    until_over(&daemon, "account_halted");
    let copied = broker.lead(buy(option, 390));
    daemon.until_filled(&copied, "asha", 195);
    daemon.until_filled(&copied, "bala", 65);
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 195);
    daemon.end();
}

/// P15: whatever is open, the account is asked nothing with a token that was refused.
#[test]
fn e4_an_order_in_doubt_waits_for_the_next_token() {
    let setup = Setup::new().token_files().followers([Follower::ASHA, Follower::BALA]);
    let Stage { broker, mut daemon } =
        setup.set("recovery.lookup_ms_max = 200").set("recovery.settle_ms = 60000").stage();
    daemon.expects("the answer was lost");
    daemon.expects("the broker refuses this follower's access token");
    daemon.tolerates("a read of the account failed");
    daemon.tolerates("nobody knows what came of an order");
    daemon.tolerates(LOST);
    let option = broker.option();
    for account in [ASHA, BALA] {
        broker.inject(account, Fault::StreamMute { mute: Mute::Frames });
        broker.inject(account, Fault::LateVisibility { ms: 30_000 });
        broker.spoil_placements(account, 1, AnswerFault::LoseAfter);
    }
    let order = broker.lead(buy(option, 390));
    daemon.until_intent(&order, "asha", "UNKNOWN");
    daemon.until_intent(&order, "bala", "UNKNOWN");
    let next = broker.rotate(ASHA);
    daemon.until_incident("account_halted", "asha");
    // What was under way when it was refused is refused as well.
    broker.quiet();
    let with_code = |code: u16| broker.sim.requests().iter().filter(|of| of.answered == Some(code)).count();
    let (refused, not_found) = (with_code(401), with_code(404));
    until("the other order in doubt was looked up some more times", || {
        (with_code(404) >= not_found + 10).then_some(())
    });
    assert_eq!(with_code(401), refused, "nothing is asked with a token that was refused");

    daemon.write_secret("asha.token", &next);
    daemon.until_log("the account resumes");
    for account in [ASHA, BALA] {
        broker.inject(account, Fault::StreamMute { mute: Mute::Off });
    }
    broker.pass(Duration::from_secs(31));
    daemon.until_filled(&order, "asha", 195);
    daemon.until_filled(&order, "bala", 65);
    broker.quiet();
    assert_eq!((broker.position(ASHA, option, Product::Margin), broker.placements(ASHA).len()), (195, 1));
    daemon.end();
}

#[test]
fn e4_a_file_that_others_may_read_is_refused_by_name() {
    let asha_open = |daemon: &Daemon, mode: u32| {
        let path = daemon.folder().join("asha.token");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let Stage { broker, mut daemon } =
        Setup::new().token_files().followers([Follower::ASHA, Follower::BALA]).stage();
    daemon.expects("asha.token has mode 640");
    daemon.tolerates("the broker refuses this follower's access token");
    // The token in use stays in use; at the next start there is none.
    asha_open(&daemon, 0o640);
    daemon.until_incident("token_unreadable", "asha");
    let option = broker.option();
    let order = broker.lead(buy(option, 390));
    daemon.until_filled(&order, "asha", 195);
    broker.quiet();
    daemon.terminate();
    assert_eq!(daemon.until_exit(), Some(0));
    daemon.start();
    daemon.until_live(2);
    let skipped = broker.lead(buy(option, 390));
    daemon.until_refused(&skipped, "asha", "skipped", "account_halted");
    daemon.until_filled(&skipped, "bala", 65);

    asha_open(&daemon, 0o600);
    daemon.until_log("the access token can be read: the account resumes");
    until_over(&daemon, "token_unreadable");
    let copied = broker.lead(buy(option, 390));
    daemon.until_filled(&copied, "asha", 195);
    daemon.end();
}

#[test]
fn f18_tokens_are_rotated_at_three_in_the_morning() {
    let Stage { broker, mut daemon } = Setup::new().token_files().starts("2026-12-01 02:59:30").stage();
    daemon.tolerates("access token");
    daemon.tolerates("a read of the account failed");
    daemon.tolerates("could not be read");
    daemon.tolerates(LOST);
    broker.pass_until("2026-12-01 03:00:00");
    for (account, file) in [(LEADER, "leader.token"), (ASHA, "asha.token")] {
        let next = broker.rotate(account);
        daemon.write_secret(file, &next);
    }
    daemon.until_log_count(TAKEN, 2);
    daemon.until_live(2);
    for kind in ["account_halted", "leader_token_refused"] {
        until_over(&daemon, kind);
    }
    until("both streams stand on the new tokens", || {
        let open = |account| broker.sim.open_streams(&crate::harness::account(account));
        ([open(LEADER), open(ASHA)] == [1, 1]).then_some(())
    });
    broker.pass_until("2026-12-01 09:20:00");
    let option = broker.option();
    let order = broker.lead(buy(option, 260));
    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    daemon.end();
}

#[test]
fn a_token_that_ends_is_told_of_ahead_and_shown() {
    let setup = Setup::new().token_files().sim(|sim| (sim.jwt_tokens, sim.token_hours) = (true, 4));
    let setup = setup.set("supervisor.health_interval_s = 1");
    let Stage { broker, mut daemon } = setup.stage();
    daemon.expects("before the close of trading");
    daemon.expects("replace it before that");
    // 09:15 and four hours: before 15:40.
    daemon.until_incident("token_ending", "asha");
    until("the status tells when tokens end", || {
        let shown = daemon.run_command(&["status", "--database", "tandem.db"]);
        let tells =
            |line: &str| ["follower/asha", "2026-12-01 13:15", "off"].iter().all(|word| line.contains(word));
        shown.lines().any(tells).then_some(())
    });
    let next = broker.rotate(ASHA);
    daemon.tolerates("access token");
    daemon.tolerates(LOST);
    daemon.tolerates("a read of the account failed");
    broker.pass(3 * 60 * MINUTE);
    daemon.write_secret("asha.token", &next);
    daemon.until_log(TAKEN);
    daemon.end();
}

/// Tokens live an hour; the accounts renew theirs when half of it is over.
fn renewing(toml: &'static str) -> Setup {
    Setup::new()
        .token_files()
        .sim(|sim| (sim.jwt_tokens, sim.token_hours) = (true, 1))
        .followers([Follower::ASHA.with(toml)])
        .set("tokens.renew_before_s = 1800")
        .set("leader.token_renewal = \"broker\"")
}

#[test]
fn a_token_is_renewed_by_the_broker_before_it_ends() {
    let Stage { broker, mut daemon } = renewing("token_renewal = \"broker\"").stage();
    daemon.tolerates(LOST);
    daemon.tolerates("a read of the account failed");
    daemon.tolerates("could not be read");
    let first = daemon.secret("asha.token");
    broker.pass(31 * MINUTE);
    daemon.until_log_count(WRITTEN, 2);
    let second = daemon.secret("asha.token");
    assert_ne!(first, second);
    // Past the end of the first ones: the second ones carry on, and are renewed in their turn.
    broker.pass(31 * MINUTE);
    daemon.until_log_count(WRITTEN, 4);
    assert_ne!(daemon.secret("asha.token"), second);
    assert_eq!(broker.requests(ASHA, Operation::Token).len(), 2);
    until("both streams stand", || {
        let open = |account| broker.sim.open_streams(&crate::harness::account(account));
        ([open(LEADER), open(ASHA)] == [1, 1]).then_some(())
    });
    let option = broker.option();
    let order = broker.lead(buy(option, 260));
    daemon.until_filled(&order, "asha", 130);
    assert_eq!(daemon.incidents(), []);
    daemon.end();
}

const BY_TOTP: &str = "token_renewal = \"totp\"\npin_file = \"asha.pin\"\ntotp_secret_file = \"asha.totp\"";

#[test]
fn a_token_is_minted_by_pin_and_totp_before_it_ends() {
    let Stage { broker, mut daemon } =
        renewing(BY_TOTP).secret("asha.pin", PIN).secret("asha.totp", TOTP_SECRET).stage();
    daemon.tolerates(LOST);
    daemon.tolerates("a read of the account failed");
    daemon.tolerates("could not be read");
    broker.pass(31 * MINUTE);
    daemon.until_log_count(WRITTEN, 2);
    let option = broker.option();
    let order = broker.lead(buy(option, 260));
    daemon.until_filled(&order, "asha", 130);
    daemon.end();
}

#[test]
fn a_dead_token_is_replaced_by_pin_and_totp_alone() {
    // Nobody renewed while Tandem was down: what its file holds is nothing any more.
    let Stage { broker, mut daemon } = Setup::new()
        .token_files()
        .followers([Follower::ASHA.with(BY_TOTP)])
        .secret("asha.token", "very-secret-token-of-yesterday")
        .secret("asha.pin", PIN)
        .secret("asha.totp", TOTP_SECRET)
        .stage();
    daemon.tolerates("the broker refuses this follower's access token");
    daemon.tolerates("a read of the account failed");
    daemon.tolerates(LOST);
    daemon.until_log(WRITTEN);
    daemon.until_log("the account resumes");
    until_over(&daemon, "account_halted");
    daemon.until_log_count("capital of the day taken", 2);
    let option = broker.option();
    let order = broker.lead(buy(option, 260));
    daemon.until_filled(&order, "asha", 130);
    daemon.end();
}

#[test]
fn p25_no_secret_is_told_whatever_happens() {
    // A PIN that is wrong, in a file; answers that are lost, and errors of the broker's; and every log line there is.
    let wrong = "95173840";
    let Stage { broker, mut daemon } = Setup::new()
        .token_files()
        .set("log.level = \"trace\"")
        .followers([Follower::ASHA.with(BY_TOTP)])
        .secret("asha.pin", wrong)
        .secret("asha.totp", TOTP_SECRET)
        .stage();
    daemon.expects("another access token could not be had");
    daemon.expects("Invalid Pin");
    daemon.tolerates("the broker refuses this follower's access token");
    daemon.tolerates("a read of the account failed");
    daemon.tolerates(LOST);
    broker.spoil(ASHA, Operation::Token, 1, AnswerFault::LoseAfter);
    broker.spoil(ASHA, Operation::Token, 1, AnswerFault::ErrorBefore { status: 502 });
    broker.rotate(ASHA);
    daemon.until_incident("account_halted", "asha");
    let asked = || broker.requests(ASHA, Operation::Token).len();
    // Two answers that say nothing, three that say no; then nobody asks any more.
    for times in 1..=5 {
        until(&format!("asked {times} times"), || (asked() == times).then_some(()));
        daemon.until_log_count("another access token could not be had", times);
        broker.pass(30 * MINUTE);
    }
    daemon.until_log("asked for no more until");
    broker.pass(10 * 60 * MINUTE);
    assert_eq!(asked(), 5, "never a storm");
    let shown = daemon.command_line();
    assert!(
        shown.contains("run")
            && ![PIN, wrong, TOTP_SECRET, "very-secret"].iter().any(|it| shown.contains(it))
    );

    // The right one, and it is tried again.
    daemon.write_secret("asha.pin", PIN);
    daemon.until_log("the account resumes");
    until_over(&daemon, "token_not_renewed");
    let log = fs::read_to_string(daemon.folder().join("tandem.log")).unwrap();
    assert!(!log.contains(wrong));
    daemon.end();
}

#[test]
fn a_renewed_token_that_cannot_be_written_is_used_and_told_of_until_one_is_written() {
    let Stage { broker, mut daemon } = renewing("token_renewal = \"broker\"").stage();
    for text in ["access token", LOST, "a read of the account failed", "could not be read", "asha.token"] {
        daemon.tolerates(text);
    }
    daemon.expects("its file cannot be written");
    // Nothing can be renamed to the name of a folder.
    let path = daemon.folder().join("asha.token");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    broker.pass(31 * MINUTE);
    daemon.until_incident("token_not_written", "asha");
    // It is in force: the one before is dead at the broker's.
    let option = broker.option();
    let order = broker.lead(buy(option, 260));
    daemon.until_filled(&order, "asha", 130);

    fs::remove_dir(&path).unwrap();
    broker.pass(31 * MINUTE);
    until_over(&daemon, "token_not_written");
    assert_eq!(daemon.incidents_of("token_not_written"), (0, 1));
    assert!(!daemon.secret("asha.token").is_empty());
    daemon.end();
}
