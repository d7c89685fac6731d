//! Startup: schema, settings of the connections, lock, damage.

use std::fs;

use rusqlite::Connection;

use super::fixtures::{Bench, note, open};
use crate::store::open::{migrations, open_writer};
use crate::store::{OpenError, Reader, Store, StoreSettings};

/// Everything in `sqlite_schema`, without comments and line breaks.
fn schema_of(connection: &Connection) -> Vec<String> {
    let mut statement = connection
        .prepare(
            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY name",
        )
        .unwrap();
    let texts = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    texts
        .map(|text| {
            let text = text.unwrap();
            let lines = text.lines().map(|line| line.split("--").next().unwrap_or_default());
            lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
        })
        .collect()
}

#[test]
fn all_migrations_in_turn_give_the_schema() {
    let (mut migrated, written) =
        (Connection::open_in_memory().unwrap(), Connection::open_in_memory().unwrap());
    migrations().validate().unwrap();
    migrations().to_latest(&mut migrated).unwrap();
    migrations().to_latest(&mut migrated).unwrap();
    written.execute_batch(include_str!("../../../../schema.sql")).unwrap();
    let (migrated, written) = (schema_of(&migrated), schema_of(&written));
    assert!(written.len() > 20);
    for (left, right) in migrated.iter().zip(&written) {
        assert_eq!(left, right);
    }
    assert_eq!(migrated.len(), written.len());
}

#[test]
fn every_connection_keeps_p1() {
    let folder = tempfile::tempdir().unwrap();
    let settings = StoreSettings::at(folder.path().join("tandem.db"));
    let pragma = |connection: &Connection, name: &str| -> String {
        let sql = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
        connection.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    let (writer, epoch) = open_writer(&settings).unwrap();
    assert_eq!(
        (pragma(&writer, "journal_mode").as_str(), pragma(&writer, "synchronous").as_str()),
        ("wal", "2")
    );
    assert_eq!(pragma(&writer, "foreign_keys"), "1");
    assert_eq!(epoch, 1);
    drop(writer);
    assert_eq!(open_writer(&settings).unwrap().1, 2);

    let bench = Bench::new();
    let reader = bench.store.reader.connection_for_tests();
    assert_eq!(
        (pragma(&reader, "journal_mode").as_str(), pragma(&reader, "synchronous").as_str()),
        ("wal", "2")
    );
    assert_eq!(pragma(&reader, "query_only"), "1");
    assert!(reader.execute("DELETE FROM health", []).is_err());
}

#[test]
fn a_second_instance_is_refused_and_told_who_runs() {
    let bench = Bench::new();
    let error = Store::open(&bench.settings, |_| {}).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, OpenError::Locked { .. }), "{text}");
    assert!(
        text.contains("tandem.db.lock") && text.contains(&format!("pid {}", std::process::id())),
        "{text}"
    );
    let Bench { store, settings, folder: _folder, .. } = bench;
    store.stop();
    open(&settings).0.stop();
}

#[cfg(unix)]
#[test]
fn the_files_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let bench = Bench::new();
    bench.commit(vec![note(1)]).unwrap();
    let mut names = Vec::new();
    for entry in fs::read_dir(bench.folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["tandem.db", "tandem.db-shm", "tandem.db-wal", "tandem.db.lock"]);
}

#[test]
fn a_damaged_file_is_refused() {
    let bench = Bench::new();
    for _ in 0..50 {
        bench.commit(vec![note(2_000)]).unwrap();
    }
    let Bench { store, settings, folder: _folder, .. } = bench;
    store.stop();
    // A reader may be closed by another thread, later: whoever closes last takes the log with him.
    while settings.path.with_extension("db-wal").exists() {
        let last = rusqlite::Connection::open(&settings.path).unwrap();
        last.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |_| Ok(())).unwrap();
    }
    let mut bytes = fs::read(&settings.path).unwrap();
    // The header of every page but the first, whatever it holds.
    for page in bytes.chunks_mut(4096).skip(1) {
        page[..16].fill(0xA5);
    }
    fs::write(&settings.path, bytes).unwrap();
    let error = Store::open(&settings, |_| {}).unwrap_err();
    assert!(matches!(error, OpenError::Damaged(_) | OpenError::Sqlite(_)), "{error:?}");
}

#[test]
fn another_version_of_the_schema_is_refused() {
    let bench = Bench::new();
    bench.raw().pragma_update(None, "user_version", 99).unwrap();
    let Bench { store, settings, folder: _folder, .. } = bench;
    let reader = Reader::open(&settings.path, 1, settings.busy_timeout).unwrap_err();
    assert!(matches!(reader, OpenError::SchemaVersion { found: 99, .. }), "{reader:?}");
    store.stop();
    let writer = Store::open(&settings, |_| {}).unwrap_err();
    assert!(matches!(writer, OpenError::Migrate(_)), "{writer:?}");
}

#[test]
fn a_reader_needs_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.db");
    assert!(Reader::open(&path, 1, std::time::Duration::from_millis(50)).is_err());
    assert!(!path.exists());
}

/// What power loss leaves of the log is a prefix of the commits, whole: cut anywhere, the database opens and its rows
/// are the first so many.
#[test]
fn a_log_cut_anywhere_is_a_prefix_of_the_commits() {
    let bench = Bench::new();
    for _ in 0..12 {
        bench.commit(vec![note(700)]).unwrap();
    }
    let database = fs::read(&bench.settings.path).unwrap();
    let log = fs::read(bench.folder.path().join("tandem.db-wal")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = StoreSettings::at(folder.path().join("cut.db"));
    let mut before = 0;
    for length in (0..=log.len()).step_by(4096 + 24 + 997) {
        fs::write(&settings.path, &database).unwrap();
        fs::write(folder.path().join("cut.db-wal"), &log[..length]).unwrap();
        fs::remove_file(folder.path().join("cut.db-shm")).ok();
        let (connection, _) = open_writer(&settings).unwrap();
        let (rows, last): (u32, u32) = connection
            .query_row("SELECT COUNT(*), COALESCE(MAX(id), 0) FROM audit_log", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!(rows, last, "a hole at {length}");
        assert!(rows >= before, "{rows} after {before} at {length}");
        before = rows;
    }
    assert!(before >= 10, "{before}");
}
