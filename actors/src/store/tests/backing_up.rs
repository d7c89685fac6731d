//! Backups of a database that is written meanwhile, and the way back to one.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tandem_domain::time::Timestamp;
use tandem_domain::trading::{HaltCause, TradingState};

use super::fixtures::{Bench, PATIENCE, at, note, open};
use crate::store::open::open_writer;
use crate::store::{
    BackupError, ConfigSnapshot, OpenError, Reader, RestoreError, StoreSettings, Unsound, Write, back_up,
    backups_beside, newest_backup_at, newest_sound_backup, restore,
};

fn backup_of(bench: &Bench, at: Timestamp) -> PathBuf {
    back_up(&bench.settings.path, &backups_beside(&bench.settings.path), None, at).unwrap().path
}

/// What is in a folder; without logs, which a pool of readers may leave for a moment after its store has ended.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    names.sort();
    names
}

/// Spoils the pages of a file from the second on.
fn spoil(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    for page in bytes.chunks_mut(4096).skip(1) {
        page[..16].fill(0xA5);
    }
    fs::write(path, bytes).unwrap();
}

fn note_event(bench: &Bench) {
    bench.commit(vec![note(300)]).unwrap();
}

#[test]
fn a_backup_is_whole_though_the_writer_goes_on() {
    let bench = Bench::new();
    let mut answers: Vec<_> = (0..300).map(|_| bench.submit(vec![note(300)])).collect();
    answers.remove(0).recv_timeout(PATIENCE).unwrap().result.unwrap();
    let folder = backups_beside(&bench.settings.path);
    let backup = back_up(&bench.settings.path, &folder, None, at(0)).unwrap();
    for answer in answers {
        answer.recv_timeout(PATIENCE).unwrap().result.unwrap();
    }
    assert_eq!(backup.path, folder.join("tandem-20261201-091500.db"));
    assert_eq!(backup.bytes, fs::metadata(&backup.path).unwrap().len());
    let rows: i64 = Connection::open(&backup.path)
        .unwrap()
        .query_row("SELECT COUNT(*) FROM audit_log", [], |row| row.get(0))
        .unwrap();
    assert!(rows >= 1, "{rows}");
    assert_eq!(backup.sound.audit_head.unwrap().id, rows);
    assert_eq!(names(&folder), ["tandem-20261201-091500.db", "tandem.lock"]);
    assert_eq!(newest_backup_at(&bench.settings.path, &folder), Some(at(0)));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&backup.path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // One of the same second is not overwritten.
    let again = back_up(&bench.settings.path, &folder, None, at(0)).unwrap_err();
    assert!(matches!(again, BackupError::Exists(_)), "{again}");
}

#[test]
fn so_many_are_kept_and_nothing_else_is_touched() {
    let bench = Bench::new();
    note_event(&bench);
    let folder = backups_beside(&bench.settings.path);
    fs::create_dir(&folder).unwrap();
    let others = [
        "notes.txt",
        "other-20260101-000000.db",
        "tandem-20260101-000000.db.old",
        "tandem-2026011-000000.db",
    ];
    for name in others {
        fs::write(folder.join(name), "mine").unwrap();
    }
    // What a crash has left.
    fs::write(folder.join("tandem-20261130-161500.db.part"), "half").unwrap();
    fs::write(folder.join("tandem-20261130-161500.db.part-journal"), "half").unwrap();
    let keep = NonZeroUsize::new(2);
    for second in 0..4 {
        let made = back_up(&bench.settings.path, &folder, keep, at(second)).unwrap();
        assert_eq!(made.removed.len(), usize::from(second >= 2));
    }
    let mut expected = vec!["tandem-20261201-091502.db", "tandem-20261201-091503.db", "tandem.lock"];
    expected.extend(others);
    expected.sort_unstable();
    assert_eq!(names(&folder), expected);
}

#[test]
fn two_at_once_are_refused() {
    let bench = Bench::new();
    let folder = backups_beside(&bench.settings.path);
    fs::create_dir(&folder).unwrap();
    let _lock = crate::store::lock::InstanceLock::take(&folder.join("tandem")).unwrap();
    let refused = back_up(&bench.settings.path, &folder, None, at(0)).unwrap_err();
    assert!(matches!(refused, BackupError::Busy { .. }), "{refused}");
}

#[test]
fn what_is_not_sound_becomes_no_backup() {
    let bench = Bench::new();
    note_event(&bench);
    let folder = backups_beside(&bench.settings.path);
    let raw = bench.raw();
    raw.execute_batch("DROP TRIGGER audit_log_no_update; UPDATE audit_log SET actor = 'nobody'").unwrap();
    let refused = back_up(&bench.settings.path, &folder, None, at(0)).unwrap_err();
    assert!(matches!(refused, BackupError::Unsound(Unsound::Audit(_))) && !refused.is_damage(), "{refused}");
    assert_eq!(names(&folder), ["tandem.lock"]);

    drop(raw);
    let Bench { store, settings, folder: _folder, .. } = bench;
    store.stop();
    spoil(&settings.path);
    let refused = back_up(&settings.path, &folder, None, at(1)).unwrap_err();
    assert!(refused.is_damage(), "{refused:?}");
    assert_eq!(names(&folder), ["tandem.lock"]);
    let none = back_up(&settings.path.with_file_name("none.db"), &folder, None, at(1)).unwrap_err();
    assert!(matches!(none, BackupError::NoDatabase(_)));
}

#[test]
fn the_newest_that_is_sound_is_found() {
    let bench = Bench::new();
    note_event(&bench);
    let folder = backups_beside(&bench.settings.path);
    assert_eq!(newest_sound_backup(&bench.settings.path, &folder), None);
    let first = backup_of(&bench, at(0));
    let second = backup_of(&bench, at(1));
    assert_eq!(newest_sound_backup(&bench.settings.path, &folder), Some(second.clone()));
    spoil(&second);
    assert_eq!(newest_sound_backup(&bench.settings.path, &folder), Some(first));
}

fn configured() -> Write {
    Write::Config(ConfigSnapshot {
        version: "v1".into(),
        loaded_at: at(0),
        entries: vec![("follower[0].id".to_owned(), "asha".to_owned())],
    })
}

#[test]
fn a_restore_puts_back_what_was_halts_everybody_and_keeps_what_it_replaced() {
    let bench = Bench::new();
    bench.commit(vec![configured(), note(1)]).unwrap();
    let backup = backup_of(&bench, at(0));
    bench.commit(vec![note(2), note(3)]).unwrap();

    let running = restore(&bench.settings.path, &backup, at(60)).unwrap_err();
    assert!(matches!(running, RestoreError::Running(OpenError::Locked { .. })), "{running}");

    let Bench { store, settings, folder, .. } = bench;
    store.stop();
    let restored = restore(&settings.path, &backup, at(60)).unwrap();
    let aside = folder.path().join("tandem.db.replaced-20261201-091600");
    assert_eq!(restored.replaced.as_deref(), Some(&*aside));
    assert_eq!(restored.halted.iter().map(ToString::to_string).collect::<Vec<_>>(), ["asha"]);
    assert_eq!(
        names(folder.path()),
        ["backups", "tandem.db", "tandem.db.lock", "tandem.db.replaced-20261201-091600"]
    );

    let reader = |path: &Path| Reader::open(path, 1, settings.busy_timeout).unwrap();
    let before = reader(&aside.join("tandem.db")).audit_log(9).unwrap();
    assert_eq!(before.len(), 3);
    let (store, _deaths) = open(&settings);
    let events: Vec<_> = store.reader.audit_log(9).unwrap().into_iter().map(|entry| entry.event).collect();
    assert_eq!(events[..2], ["halt".into(), "restored".into()]);
    assert_eq!(events.len(), 3);
    assert_eq!(store.reader.verify_audit(None).unwrap().fault, None);
    let (_, trading) = store.reader.trading_states().unwrap().remove(0);
    assert_eq!((trading.state, trading.cause), (TradingState::Halted, Some(HaltCause::Operator)));
    store.stop();
}

#[test]
fn what_cannot_be_relied_on_is_not_restored() {
    let bench = Bench::new();
    note_event(&bench);
    let backup = backup_of(&bench, at(0));
    let Bench { store, settings, folder, .. } = bench;
    store.stop();
    let before = fs::read(&settings.path).unwrap();
    let refused = |path: &Path| restore(&settings.path, path, at(60)).unwrap_err();

    let newer = folder.path().join("newer.db");
    fs::copy(&backup, &newer).unwrap();
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = refused(&newer);
    assert!(matches!(error, RestoreError::Unsound(Unsound::Newer { found: 99 })), "{error:?}");

    let text = folder.path().join("text.db");
    fs::write(
        &text,
        "a letter to my broker, quite long enough to be looked at as a database of some kind".repeat(9),
    )
    .unwrap();
    let error = refused(&text);
    assert!(matches!(error, RestoreError::Unsound(Unsound::Damaged(_))), "{error:?}");

    let empty = folder.path().join("empty.db");
    fs::write(&empty, "").unwrap();
    let error = refused(&empty);
    assert!(matches!(error, RestoreError::Unsound(Unsound::Foreign)), "{error:?}");

    let beside_log = folder.path().join("log.db");
    fs::copy(&backup, &beside_log).unwrap();
    fs::write(folder.path().join("log.db-wal"), "frames").unwrap();
    let error = refused(&beside_log);
    assert!(matches!(error, RestoreError::HasLog(_)), "{error:?}");

    spoil(&backup);
    let error = refused(&backup);
    assert!(matches!(error, RestoreError::Unsound(Unsound::Damaged(_))), "{error:?}");
    let error = refused(&folder.path().join("none.db"));
    assert!(matches!(error, RestoreError::Files(_)), "{error:?}");

    assert_eq!(fs::read(&settings.path).unwrap(), before, "the database is as it was");
    assert!(
        names(folder.path()).iter().all(|name| !name.contains("replaced") && !name.contains("restoring"))
    );
}

#[test]
fn a_backup_of_an_older_schema_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let (backup, settings) =
        (folder.path().join("old.db"), StoreSettings::at(folder.path().join("tandem.db")));
    let mut old = Connection::open(&backup).unwrap();
    crate::store::open::migrations().to_version(&mut old, 2).unwrap();
    old.close().unwrap();
    // There is nothing to replace: the disk was lost.
    let restored = restore(&settings.path, &backup, at(0)).unwrap();
    assert_eq!((restored.sound.schema_version, restored.replaced), (2, None));
    let (store, _deaths) = open(&settings);
    assert_eq!(store.reader.verify_audit(None).unwrap().sound, 1);
    store.stop();
}

/// Wherever a restore is cut short, no daemon starts on half of it, and running it again ends well.
#[test]
fn a_restore_that_was_cut_short_is_run_again() {
    let bench = Bench::new();
    note_event(&bench);
    let backup = backup_of(&bench, at(0));
    let Bench { store, settings, folder, .. } = bench;
    store.stop();
    let incoming = folder.path().join("tandem.db.restoring");
    for is_aside in [false, true] {
        fs::copy(&backup, &incoming).unwrap();
        fs::write(folder.path().join("tandem.db.restoring.part"), "half").unwrap();
        if is_aside {
            fs::remove_file(&settings.path).unwrap();
        }
        let refused = open_writer(&settings).unwrap_err();
        assert!(matches!(refused, OpenError::RestoreUnfinished(_)), "{refused}");
        assert_eq!(settings.path.exists(), !is_aside, "nothing is made in its place");
        let second = at(60 + i64::from(is_aside));
        let restored = restore(&settings.path, &backup, second).unwrap();
        assert!(restored.replaced.is_some() || is_aside);
        open(&settings).0.stop();
    }
}
