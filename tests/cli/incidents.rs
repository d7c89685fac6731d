//! `tandem incidents` where no daemon runs, on databases made by the real store; the runbook's word on how each ends;
//! and that each kind is raised by some test.

use std::path::Path;

use serde_json::Value;
use tandem_actors::incident_kinds::{Ending, KINDS};
use tandem_actors::store::{IncidentRow, TradingRow, Write};
use tandem_domain::ids::FollowerId;
use tandem_domain::trading::{Control, HaltCause, Trading};

use crate::made::{at, store_with};
use crate::program::{Said, tandem};

const SLIPPED: &str = "2026-12-01/slippage/asha/7";
const STOPPED: &str = "2026-12-01/trading_stopped/asha/operator";

fn incident(id: &str, kind: &str) -> Write {
    Write::IncidentOpen(IncidentRow {
        id: id.into(),
        opened_at: at(1),
        kind: kind.into(),
        follower: FollowerId::new("asha").ok(),
        instrument: None,
        text: format!("{kind}, in words"),
    })
}

/// What a daemon leaves that was halted, and whose copy slipped.
fn folder() -> tempfile::TempDir {
    let halt = Control::Halt { cause: HaltCause::Operator, cancel_working: false };
    let halted = Write::Trading(TradingRow {
        follower: FollowerId::new("asha").unwrap(),
        trading: Trading::ACTIVE.after(halt, at(1)),
        actor: "operator".into(),
        at: at(1),
    });
    let folder = tempfile::tempdir().unwrap();
    let rows = vec![halted, incident(STOPPED, "trading_stopped"), incident(SLIPPED, "slippage")];
    store_with(&folder.path().join("tandem.db"), rows).stop();
    folder
}

fn say(folder: &Path, arguments: &[&str]) -> Said {
    tandem(folder, &[arguments, &["--database", "tandem.db"]].concat(), &[])
}

#[test]
fn what_is_open_is_listed_with_how_it_ends() {
    let folder = folder();
    let said = say(folder.path(), &["incidents"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for told in [
        SLIPPED,
        "ends by `tandem incidents close`",
        STOPPED,
        "ends by `tandem resume`",
        "slippage, in words",
    ] {
        assert!(said.out.contains(told), "{told}: {said:?}");
    }
    let rows: Value = serde_json::from_str(&say(folder.path(), &["incidents", "--json"]).out).unwrap();
    let ids: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [SLIPPED, STOPPED]);
}

#[test]
fn an_operator_closes_what_he_has_looked_at_and_says_why() {
    let folder = folder();
    let path = folder.path();
    let said = say(path, &["incidents", "close", SLIPPED, "--note", "thin book, nothing to do"]);
    assert_eq!((said.code, &*said.out), (Some(0), "2026-12-01/slippage/asha/7: closed\n"), "{said:?}");
    let listed = say(path, &["incidents"]).out;
    assert!(!listed.contains(SLIPPED) && listed.contains(STOPPED), "{listed}");
    let all = say(path, &["incidents", "--all"]).out;
    assert!(all.contains("closed by an operator: thin book, nothing to do"), "{all}");
    // Said twice, it is closed as before.
    assert_eq!(say(path, &["incidents", "close", SLIPPED]).code, Some(0));
    let verified = say(path, &["audit", "verify"]);
    assert!(verified.out.contains("whole, 2 rows"), "the halt and the closing: {verified:?}");
}

#[test]
fn what_is_still_so_and_what_nobody_knows_is_not_closed() {
    let folder = folder();
    let path = folder.path();
    let said = say(path, &["incidents", "close", STOPPED, SLIPPED]);
    assert_eq!(said.code, Some(6), "{said:?}");
    assert!(said.err.contains("is still so") && said.err.contains("`tandem resume` ends it"), "{said:?}");
    assert!(said.out.contains("slippage/asha/7: closed"), "each by itself: {said:?}");
    let said = say(path, &["incidents", "close", "2026-12-01/slippage/asha/8"]);
    assert_eq!(said.code, Some(7), "{said:?}");
    assert!(said.err.contains("there is no incident"), "{said:?}");
    let said = say(path, &["incidents", "close"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    let said = tandem(path, &["incidents", "close", SLIPPED, "--database", "absent.db"], &[]);
    assert_eq!(said.code, Some(8), "{said:?}");

    assert_eq!(say(path, &["halt", "--reduce"]).code, Some(0));
    // No settings ever named her: she is known by having been stopped.
    assert_eq!(say(path, &["resume"]).code, Some(0));
    assert_eq!(say(path, &["incidents"]).out, "no incident is open\n");
}

/// Each kind that there is has its row, in that order, which says in its last column how one ends.
#[test]
fn the_runbook_says_how_each_kind_ends() {
    let runbook = include_str!("../../docs/runbook.md");
    let alerts = runbook.split("\n## Alerts").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut listed = Vec::new();
    for row in alerts.lines().filter(|line| line.starts_with("| `") && !line.starts_with("| `alert`")) {
        let columns: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(columns.len(), 4, "{row}");
        let kinds = columns[0].split('`').skip(1).step_by(2);
        listed.extend(kinds.map(|kind| (kind, columns[3])));
    }
    let kinds: Vec<&str> = listed.iter().map(|(kind, _)| *kind).collect();
    let known: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, known);
    for ((kind, said), (_, ending)) in listed.iter().zip(KINDS) {
        let word = match ending {
            Ending::ByItself | Ending::ByEvidence => "by itself",
            Ending::ByResume => "by your resume",
            Ending::ByOperator => "by you",
        };
        assert!(said.starts_with(word), "{kind}: {said}");
    }
}

/// Kinds that no end-to-end or kill test can raise, and why.
const NOT_RAISED: &[(&str, &str)] = &[(
    "clock_set",
    "it takes the machine's own clock, which no test sets: the tests of the day's edge judge it",
)];

/// Each kind is raised by the whole program in some test, or it is said why not.
#[test]
fn each_kind_is_named_by_a_test_of_the_program() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let texts = sources_below(&tests.join("e2e")) + &sources_below(&tests.join("kill"));
    let is_named = |kind: &str| texts.contains(&format!("\"{kind}\""));
    for (kind, _) in KINDS {
        let excused = NOT_RAISED.iter().find(|(excused, _)| excused == kind);
        match excused {
            None => assert!(is_named(kind), "no test of tests/e2e or tests/kill names {kind}"),
            Some((_, why)) => assert!(!is_named(kind), "{kind} is named by now, though {why}"),
        }
    }
    for (excused, _) in NOT_RAISED {
        assert!(KINDS.iter().any(|(kind, _)| kind == excused), "there is no {excused}");
    }
}

/// Every source file of a folder and of those in it, one behind the other.
fn sources_below(folder: &Path) -> String {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts = paths.map(|path| match path.extension() {
        _ if path.is_dir() => sources_below(&path),
        Some(extension) if extension == "rs" => std::fs::read_to_string(path).unwrap(),
        _ => String::new(),
    });
    texts.collect()
}

#[test]
fn the_readme_says_what_to_do_about_each_kind() {
    let readme = include_str!("../../README.md");
    let table = readme.split("\n| `alert` |").nth(1).unwrap().split("\n\n").next().unwrap();
    let mut listed: Vec<&str> = table
        .lines()
        .filter_map(|row| row.strip_prefix("| ")?.split(" | ").next())
        .flat_map(|kinds| kinds.split('`').skip(1).step_by(2))
        .collect();
    let mut known: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
    listed.sort_unstable();
    known.sort_unstable();
    assert_eq!(listed, known);
}
