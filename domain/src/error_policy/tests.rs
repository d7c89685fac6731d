//! The table beside its page in the documentation, and the two machines.

use std::fmt::Write as _;
use std::path::Path;

use super::*;
use crate::documented::assert_table;

const MARKS: (&str, &str) = ("<!-- error table -->", "<!-- end of error table -->");

fn at(seconds: u64) -> Timestamp {
    Timestamp::EPOCH.plus(Duration::from_secs(seconds))
}

fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds >= 60 && seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

fn reaction(reaction: Reaction) -> String {
    match reaction {
        Reaction::Retry(retry) => {
            let waits: Vec<_> = (0..retry.times).map(|number| retry.wait(number, 0).as_secs()).collect();
            let waits: Vec<_> = waits.iter().map(ToString::to_string).collect();
            format!(
                "asked again {} times, after {} s, each up to {} % longer",
                retry.times,
                waits.join(", "),
                retry.jitter_pct
            )
        }
        Reaction::NeverAgain => "never sent again: UNKNOWN until evidence ends it".to_owned(),
        Reaction::DecideAgain => "decided anew, with a row".to_owned(),
        Reaction::HaltAccount => "that account is halted until its token is replaced".to_owned(),
        Reaction::SkipOrScale => "skipped, or scaled to what can be paid for".to_owned(),
        Reaction::Pause(pause) => {
            format!(
                "a pause of {}, of reads doubling up to {}; then sent",
                span(pause.first),
                span(pause.max)
            )
        }
        Reaction::Skip => "skipped".to_owned(),
        Reaction::LookAgain => "the book is read before anything else".to_owned(),
        Reaction::ReconnectForEver => "connected again, for ever".to_owned(),
        Reaction::WaitThenHalt(wait) => format!("waited for {}, then everything is halted", span(wait)),
        Reaction::Halt => "everything is halted".to_owned(),
    }
}

fn alerting(policy: &Policy) -> String {
    let kinds: Vec<_> = policy.alerts.iter().map(|kind| format!("`{kind}`")).collect();
    let kinds = kinds.join(", ");
    match policy.alerting {
        Alerting::Never => "-".to_owned(),
        Alerting::AtOnce => format!("at once: {kinds}"),
        Alerting::AfterTries(tries) => format!("after {tries} tries: {kinds}"),
        Alerting::AfterSettleTimes(times) => {
            format!("after {times} times `recovery.settle_ms` without proof: {kinds}")
        }
        Alerting::WhenFrequent(often) => {
            format!("when it happens to {} orders within {}: {kinds}", often.times, span(often.within))
        }
    }
}

fn table() -> String {
    let mut text = String::from("\n| Trouble | How it shows | What is done | Alert |\n|---|---|---|---|\n");
    for policy in &POLICIES {
        writeln!(
            text,
            "| `{}` | {} | **{}.** {} | {} |",
            policy.trouble,
            policy.shows,
            reaction(policy.reaction),
            policy.remark,
            alerting(policy)
        )
        .unwrap();
    }
    text.push('\n');
    text
}

#[test]
fn the_table_in_the_documentation_is_the_one_in_the_code() {
    assert_table("docs/errors.md", MARKS, &table());
    for kind in POLICIES.iter().flat_map(|policy| policy.alerts) {
        let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
        let readme = std::fs::read_to_string(readme).unwrap();
        assert!(readme.contains(&format!("`{kind}`")), "the README tells what to do about {kind}");
    }
}

#[test]
fn each_trouble_has_its_row() {
    for policy in &POLICIES {
        assert_eq!(policy.trouble.policy(), policy);
        assert_eq!(policy.alerting == Alerting::Never, policy.alerts.is_empty(), "{}", policy.trouble);
    }
}

#[test]
fn the_rows_are_those_that_were_agreed() {
    let reaction = |trouble: Trouble| trouble.policy().reaction;
    assert_eq!(
        reaction(Trouble::ReadUnanswered),
        Reaction::Retry(Retry { times: 3, first: Duration::from_secs(1), jitter_pct: 20 })
    );
    assert_eq!(reaction(Trouble::OrderUnanswered), Reaction::NeverAgain);
    assert_eq!(reaction(Trouble::CredentialsRefused), Reaction::HaltAccount);
    assert_eq!(Trouble::CredentialsRefused.policy().alerting, Alerting::AtOnce);
    assert_eq!(reaction(Trouble::MarginLacking), Reaction::SkipOrScale);
    assert!(matches!(reaction(Trouble::TooManyRequests), Reaction::Pause(_)));
    assert_eq!(reaction(Trouble::ParametersRefused), Reaction::Skip);
    for trouble in [Trouble::MarginLacking, Trouble::ParametersRefused] {
        assert!(matches!(trouble.policy().alerting, Alerting::WhenFrequent(_)));
    }
    assert_eq!(reaction(Trouble::StreamLost), Reaction::ReconnectForEver);
    assert_eq!(Trouble::StreamLost.policy().alerting, Alerting::AfterTries(5));
    assert!(matches!(reaction(Trouble::StoreBusy), Reaction::WaitThenHalt(_)));
}

#[test]
fn a_read_is_asked_three_times_more_and_then_at_its_turn() {
    let mut log = RetryLog::default();
    let waits: Vec<_> = (0..5).map(|_| log.failed(READS, 0).map(|wait| wait.as_secs())).collect();
    assert_eq!(waits, [Some(1), Some(2), Some(4), None, None]);
    assert_eq!(log.answered(), 5);
    assert_eq!(log.failed(READS, 100), Some(Duration::from_millis(1_200)), "a fifth more at most");
    assert_eq!(log.failures(), 1);
}

#[test]
fn what_is_needed_is_asked_for_ever() {
    let mut log = RetryLog::default();
    let waits: Vec<_> = (0..6).map(|_| log.failed_but_needed(READS, 0).as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 4, 4, 4]);
}

#[test]
fn pauses_double_within_a_bound() {
    let pauses: Vec<_> = [0, 1, 4, 5, 99].into_iter().map(|number| BUSY.after(number).as_secs()).collect();
    assert_eq!(pauses, [1, 2, 16, 30, 30]);
}

#[test]
fn often_is_told_once_until_it_is_over() {
    let mut log = FrequencyLog::new(Frequency { times: 3, within: Duration::from_mins(10) });
    assert!(!log.note("a", at(0)) && !log.note("b", at(1)));
    assert!(!log.note("b", at(2)), "the same order again");
    assert!(log.note("c", at(3)));
    assert!(!log.note("d", at(4)), "a person knows");
    assert!(!log.take_over(at(603)));
    assert!(log.take_over(at(604)) && !log.take_over(at(605)));
    assert!(!log.note("e", at(700)) && !log.note("f", at(1_100)));
    assert!(!log.note("g", at(1_300)), "too far apart");
    assert!(log.note("h", at(1_301)));
}

#[test]
fn a_clock_set_back_does_not_keep_what_happened_for_ever() {
    let mut log = FrequencyLog::new(Frequency { times: 1, within: Duration::from_mins(10) });
    assert!(log.note("a", at(100_000)));
    assert!(!log.take_over(at(0)) && log.take_over(at(600)));
}
