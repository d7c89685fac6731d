//! `tandem backup`, `tandem restore` and `tandem audit verify`, on databases made by the real store.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use tandem_actors::store::{AuditEntry, ConfigSnapshot, OpenError, Reader, Store, StoreSettings, Write};

use crate::made::{at, store_with};
use crate::program::{Said, tandem};

fn noted(second: u32) -> Write {
    Write::Audit(AuditEntry {
        recorded_at: at(second),
        actor: "operator".into(),
        event: "noted".into(),
        subject: None,
        details: "{}".to_owned(),
    })
}

/// What a daemon with one follower leaves behind: a log of four rows.
fn ran() -> Vec<Write> {
    let entries = vec![("follower[0].id".to_owned(), "asha".to_owned())];
    let config = ConfigSnapshot { version: "v1".into(), loaded_at: at(0), entries };
    [Write::Config(config)].into_iter().chain((1..=4).map(noted)).collect()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    store_with(&folder.path().join("tandem.db"), ran()).stop();
    folder
}

fn say(folder: &Path, arguments: &[&str]) -> Said {
    tandem(folder, &[arguments, &["--database", "tandem.db"]].concat(), &[])
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| Path::new(name).extension() == Some(OsStr::new("db")));
    names.sort();
    names
}

/// Changes the database behind everybody's back; what guards the log is taken away first.
fn tamper(folder: &Path, sql: &str) {
    let raw = rusqlite::Connection::open(folder.join("tandem.db")).unwrap();
    raw.execute_batch("DROP TRIGGER audit_log_no_update; DROP TRIGGER audit_log_no_delete").unwrap();
    raw.execute_batch(sql).unwrap();
}

fn spoil(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    for page in bytes.chunks_mut(4096).skip(1) {
        page[..16].fill(0xA5);
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn an_audit_log_is_walked_and_its_head_can_be_noted() {
    let folder = folder();
    let said = say(folder.path(), &["audit", "verify"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.starts_with("the audit log is whole, 4 rows\nits head: 4:"), "{said:?}");
    let head = said.out.trim().rsplit(' ').next().unwrap();
    assert_eq!(say(folder.path(), &["audit", "verify", "--head", head]).code, Some(0));

    let other = format!("4:{}", "0".repeat(64));
    let said = say(folder.path(), &["audit", "verify", "--head", &other]);
    assert_eq!(said.code, Some(9), "{said:?}");
    assert!(said.err.contains("row 4 is not the one whose hash was noted"), "{said:?}");
    assert_eq!(say(folder.path(), &["audit", "verify", "--head", "nonsense"]).code, Some(2));
}

#[test]
fn the_first_row_that_is_not_as_it_was_is_named() {
    let cases = [
        ("UPDATE audit_log SET actor = 'nobody' WHERE id = 3", "row 3 was changed"),
        ("DELETE FROM audit_log WHERE id = 2", "row 2 is missing"),
        ("DELETE FROM audit_log WHERE id > 2", "rows 3 to 4 are missing"),
        (
            "UPDATE audit_log SET id = 9 WHERE id = 2; UPDATE audit_log SET id = 2 WHERE id = 3;
             UPDATE audit_log SET id = 3 WHERE id = 9",
            "row 2 is out of its place",
        ),
    ];
    for (sql, told) in cases {
        let folder = folder();
        tamper(folder.path(), sql);
        let said = say(folder.path(), &["audit", "verify"]);
        assert_eq!(said.code, Some(9), "{said:?}");
        assert!(said.err.contains(told), "{said:?}");
        // Nor does it become a backup.
        let said = say(folder.path(), &["backup"]);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.err.contains(told) && files(&folder.path().join("backups")).is_empty(), "{said:?}");
    }
}

#[test]
fn a_backup_is_made_where_it_is_wanted_and_beside_a_writer() {
    let folder = folder();
    let path = folder.path();
    let store = Store::open(&StoreSettings::at(path.join("tandem.db")), |_| {}).unwrap();
    let said = say(path, &["backup"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.starts_with("backups/tandem-") && said.out.contains("head of its audit log: 4:"),
        "{said:?}"
    );
    assert_eq!(files(&path.join("backups")).len(), 1);
    store.stop();

    // As many as the settings say, of these names only; in a folder named by hand all are kept.
    let old = ["tandem-20200101-161500.db", "tandem-20200102-161500.db", "tandem-20200103-161500.db"];
    for place in ["kept", "mine"] {
        fs::create_dir(path.join(place)).unwrap();
        for name in old {
            fs::write(path.join(place).join(name), "old").unwrap();
        }
    }
    let toml = "[store]\npath = \"tandem.db\"\n[backup]\nkeep = 2\ndir = \"kept\"\n";
    fs::write(path.join("tandem.toml"), toml).unwrap();
    let said = tandem(path, &["backup", "--config", "tandem.toml"], &[]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let left = files(&path.join("kept"));
    assert!(left.len() == 2 && left[0] == old[2] && said.out.contains("removed kept/"), "{left:?} {said:?}");
    let said = tandem(path, &["backup", "--config", "tandem.toml", "--to", "mine"], &[]);
    assert_eq!((said.code, files(&path.join("mine")).len()), (Some(0), 4), "{said:?}");
}

#[test]
fn a_restore_goes_back_and_halts_and_keeps_what_was() {
    let folder = folder();
    let path = folder.path();
    assert_eq!(say(path, &["backup", "--to", "elsewhere"]).code, Some(0));
    let backup = format!("elsewhere/{}", files(&path.join("elsewhere"))[0]);

    let store = store_with(&path.join("tandem.db"), vec![noted(5)]);
    let said = say(path, &["restore", &backup]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.err.contains("another instance (pid"), "{said:?}");
    store.stop();

    let said = say(path, &["restore", &backup]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("halted: asha.") && said.out.contains("tandem.db.replaced-"), "{said:?}");
    let said = say(path, &["audit", "verify"]);
    assert!(said.out.starts_with("the audit log is whole, 6 rows"), "4, restored, halt: {said:?}");
    let said = tandem(path, &["audit", "verify", "--database", &backup], &[]);
    assert!(said.out.starts_with("the audit log is whole, 4 rows"), "a backup can be looked at: {said:?}");
    let status = say(path, &["status"]);
    assert!(status.out.contains("halted"), "{status:?}");

    let aside = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains(".replaced-"))
        .unwrap();
    let wait = std::time::Duration::from_secs(1);
    let before = Reader::open(&aside.join("tandem.db"), 1, wait).unwrap().audit_log(9).unwrap();
    assert_eq!(before.len(), 5);
}

#[test]
fn what_is_damaged_is_neither_backed_up_nor_restored() {
    let folder = folder();
    let path = folder.path();
    assert_eq!(say(path, &["backup", "--to", "elsewhere"]).code, Some(0));
    let backup = path.join("elsewhere").join(&files(&path.join("elsewhere"))[0]);
    spoil(&backup);
    let said = say(path, &["restore", backup.to_str().unwrap()]);
    assert_eq!(said.code, Some(10), "{said:?}");
    assert_eq!(say(path, &["audit", "verify"]).code, Some(0), "the database is as it was");
    spoil(&path.join("tandem.db"));
    let said = say(path, &["backup"]);
    assert_eq!(said.code, Some(10), "{said:?}");
    let opened = Store::open(&StoreSettings::at(path.join("tandem.db")), |_| {});
    assert!(opened.is_err_and(|error: OpenError| error.is_damage()));
}

#[test]
fn without_a_database_there_is_nothing_to_do() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["backup"][..], &["audit", "verify"]] {
        let said = say(folder.path(), arguments);
        assert_eq!(said.code, Some(8), "{said:?}");
    }
    assert_eq!(say(folder.path(), &["restore", "none.db"]).code, Some(1));
}
