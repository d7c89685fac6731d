//! `tandem halt` and `tandem resume` where no daemon runs, on databases made by the real store; and the exit codes.

use std::path::Path;

use serde_json::Value;
use tandem_actors::store::{ConfigSnapshot, Reader, Store, StoreSettings, Write};

use crate::made::{at, store_with};
use crate::program::{Said, tandem};

/// What a daemon with these two followers leaves behind.
fn ran() -> Write {
    let entries =
        [("follower[0].id", "asha"), ("follower[1].id", "bala"), ("follower[0].copy.on", "working")];
    Write::Config(ConfigSnapshot {
        version: "v1".into(),
        loaded_at: at(0),
        entries: entries.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec(),
    })
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    store_with(&folder.path().join("tandem.db"), vec![ran()]).stop();
    folder
}

fn say(folder: &Path, arguments: &[&str]) -> Said {
    tandem(folder, &[arguments, &["--database", "tandem.db"]].concat(), &[])
}

/// State, cause and squaring off of each follower, as `tandem status` has them.
fn states(folder: &Path) -> Vec<(String, String, Value, Value)> {
    let said = say(folder, &["status", "--json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let status: Value = serde_json::from_str(&said.out).unwrap();
    let word = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let rows = status["trading"].as_array().unwrap().iter().map(|row| {
        (word(row, "follower"), word(row, "state"), row["cause"].clone(), row["is_squaring_off"].clone())
    });
    rows.collect()
}

fn row(
    follower: &str,
    state: &str,
    cause: Option<&str>,
    is_squaring_off: bool,
) -> (String, String, Value, Value) {
    (follower.to_owned(), state.to_owned(), cause.into(), is_squaring_off.into())
}

#[test]
fn e9_a_stopped_daemon_is_halted_and_resumed_in_its_rows() {
    let folder = folder();
    let path = folder.path();
    assert_eq!(states(path), [row("asha", "active", None, false), row("bala", "active", None, false)]);

    let said = say(path, &["halt", "--follower", "asha"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.starts_with("asha: halted since ") && said.out.contains("; recorded\n"), "{said:?}");
    assert!(said.out.contains("tandem does not run"), "{said:?}");
    let operator = Some("operator");
    assert_eq!(states(path), [row("asha", "halted", operator, false), row("bala", "active", None, false)]);
    let table = say(path, &["status"]).out;
    assert!(table.contains("Trading") && table.contains("operator"), "{table}");

    // Of all; the one who was halted before stays as he was.
    assert_eq!(say(path, &["halt", "--reduce"]).code, Some(0));
    assert_eq!(
        states(path),
        [row("asha", "halted", operator, false), row("bala", "reducing", operator, false)]
    );

    assert_eq!(say(path, &["resume"]).code, Some(0));
    assert_eq!(states(path), [row("asha", "active", None, false), row("bala", "active", None, false)]);

    let reader = Reader::open(&path.join("tandem.db"), 1, std::time::Duration::from_secs(1)).unwrap();
    let told: Vec<String> = reader
        .audit_log(9)
        .unwrap()
        .iter()
        .rev()
        .map(|entry| format!("{} {}", entry.actor, entry.event))
        .collect();
    assert_eq!(told, ["operator halt", "operator reduce", "operator resume", "operator resume"]);
}

#[test]
fn e9_a_square_off_waits_for_the_next_start_and_says_so() {
    let folder = folder();
    let said = say(folder.path(), &["halt", "--square-off"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("it squares off at its next start"), "{said:?}");
    let operator = Some("operator");
    assert_eq!(
        states(folder.path()),
        [row("asha", "halted", operator, true), row("bala", "halted", operator, true)]
    );
    // A resume calls it off.
    assert_eq!(say(folder.path(), &["resume", "--follower", "bala"]).code, Some(0));
    assert_eq!(states(folder.path())[1], row("bala", "active", None, false));
}

#[test]
fn what_is_not_done_has_an_exit_code_of_its_own() {
    let folder = folder();
    let said = say(folder.path(), &["halt", "--follower", "ash"]);
    assert_eq!(said.code, Some(7), "{said:?}");
    assert!(said.err.contains("no follower ash") && said.err.contains("nothing was done"), "{said:?}");

    let said = tandem(folder.path(), &["halt", "--database", "other.db"], &[]);
    assert_eq!(said.code, Some(8), "{said:?}");
    assert!(said.err.contains("there is no database other.db"), "{said:?}");
    assert!(!folder.path().join("other.db").exists());

    for nonsense in [
        &["halt", "--reduce", "--square-off"][..],
        &["halt", "--cancel-working", "--square-off"],
        &["halt", "--no-wait"],
        &["halt", "--follower", ""],
        &["resume", "--square-off"],
    ] {
        assert_eq!(say(folder.path(), nonsense).code, Some(2), "{nonsense:?}");
    }
    assert!(states(folder.path()).iter().all(|state| state.1 == "active"));
}

#[test]
fn a_daemon_that_holds_the_database_but_does_not_listen_is_named() {
    let folder = folder();
    let store = Store::open(&StoreSettings::at(folder.path().join("tandem.db")), |_| {}).unwrap();
    let said = say(folder.path(), &["halt"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    let pid = format!("pid {}", std::process::id());
    assert!(said.err.contains(&pid) && said.err.contains("does not listen at tandem.db.sock"), "{said:?}");
    assert!(said.err.contains("--socket"), "{said:?}");
    store.stop();
    assert!(states(folder.path()).iter().all(|state| state.1 == "active"));
}

#[test]
fn the_settings_name_the_database_and_the_socket() {
    let folder = folder();
    let settings = "store.path = \"tandem.db\"\ncontrol.socket = \"elsewhere.sock\"\n";
    std::fs::write(folder.path().join("tandem.toml"), settings).unwrap();
    let said = tandem(folder.path(), &["halt", "--config", "tandem.toml"], &[]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(states(folder.path())[0].1, "halted");
}
