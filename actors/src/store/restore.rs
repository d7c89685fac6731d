//! Puts a backup in the place of the database. What is replaced is kept aside; a crash at any point leaves either the old
//! database or a state in which no daemon starts until the restore is run again.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};
use serde_json::json;
use tandem_domain::ids::FollowerId;
use tandem_domain::time::Timestamp;
use tandem_domain::trading::{Control, HaltCause};
use thiserror::Error;

use super::backup::{BackupError, Sound, Unsound, check, fault, settle, sync_folder_of, with_suffix};
use super::error::OpenError;
use super::lock::{InstanceLock, owner_only};
use super::reader::{CONFIGURED_FOLLOWERS, follower};
use super::rows::{AuditEntry, TradingRow};
use super::{StoreSettings, apply, audit, open};

/// What is added to the database's name for the copy that is to take its place. While it is there, nothing opens the
/// database (`open::open_writer`).
const INCOMING: &str = ".restoring";
/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What the check of the backup showed.
    pub sound: Sound,
    /// The folder to which the replaced files went; none if there were none.
    pub replaced: Option<PathBuf>,
    /// The followers who are halted now.
    pub halted: Vec<FollowerId>,
}

/// Why nothing was restored.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// A daemon has the database.
    #[error("{0}: stop it first")]
    Running(OpenError),
    /// A copy without its log would lack the last commits.
    #[error(
        "{} has a write-ahead log beside it, so the file alone is not all of it: make a backup of it first, with \
         `tandem backup --database`", .0.display()
    )]
    HasLog(PathBuf),
    /// The backup cannot be relied on. The database is as it was.
    #[error("the backup cannot be used")]
    Unsound(#[source] Unsound),
    /// The backup could not be made ready. The database is as it was.
    #[error("make the backup ready")]
    Open(#[from] OpenError),
    /// The same.
    #[error("make the backup ready")]
    Sqlite(#[from] rusqlite::Error),
    /// A file could not be copied or renamed.
    #[error(transparent)]
    Files(#[from] BackupError),
}

/// Puts `backup` in the place of `database`, while no daemon runs on it: checked before and after it is copied, brought up
/// to this program's schema, with an entry in its audit log. Every follower it knows is halted in it, because it knows
/// nothing of what was sent after it was made: an operator compares, and resumes.
///
/// What stood in its place goes into a folder beside it that is named after `at`. Blocks.
pub fn restore(database: &Path, backup: &Path, at: Timestamp) -> Result<Restored, RestoreError> {
    let _lock = InstanceLock::take(database).map_err(|error| match error {
        OpenError::Locked { .. } => RestoreError::Running(error),
        other => RestoreError::Open(other),
    })?;
    let log = with_suffix(backup, "-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(RestoreError::HasLog(backup.to_owned()));
    }
    let incoming = with_suffix(database, INCOMING);
    let unfinished = with_suffix(&incoming, ".part");
    let aside = with_suffix(database, &at.ist().format(".replaced-%Y%m%d-%H%M%S").to_string());
    for leftover in with_logs(&unfinished) {
        remove(&leftover)?;
    }
    copy(backup, &unfinished)?;
    let made = make_ready(&unfinished, backup, &aside, at);
    let (sound, halted) = made.inspect_err(|_| {
        // What went wrong is what is told; the copy is removed by the next restore if not now.
        fs::remove_file(&unfinished).ok();
    })?;
    // From here on no daemon starts until the old files are aside.
    settle(&unfinished, &incoming)?;
    let replaced = set_aside(database, &aside)?.then_some(aside);
    settle(&incoming, database)?;
    Ok(Restored { sound, replaced, halted })
}

/// Whether a restore of this database was begun and not ended.
pub(super) fn unfinished_restore(database: &Path) -> Option<PathBuf> {
    Some(with_suffix(database, INCOMING)).filter(|incoming| incoming.exists())
}

fn copy(backup: &Path, to: &Path) -> Result<(), BackupError> {
    let mut from = fs::File::open(backup).map_err(fault("read", backup))?;
    let mut into = owner_only(to).map_err(fault("make", to))?;
    io::copy(&mut from, &mut into).map_err(fault("write", to))?;
    Ok(())
}

/// Checks the copy, migrates it, and writes into it what a restore means.
fn make_ready(
    copy: &Path,
    backup: &Path,
    aside: &Path,
    at: Timestamp,
) -> Result<(Sound, Vec<FollowerId>), RestoreError> {
    let sound = check_unopened(copy).map_err(RestoreError::Unsound)?;
    let (mut connection, _) = open::open_writer(&StoreSettings::at(copy))?;
    let followers = followers(&connection)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let entry = AuditEntry {
        recorded_at: at,
        actor: "operator".into(),
        event: "restored".into(),
        subject: None,
        details: json!({
            "backup": backup.to_string_lossy(),
            "replaced": aside.to_string_lossy(),
            "audit_head": sound.audit_head.map(|head| head.to_string()),
        })
        .to_string(),
    };
    audit::append(&transaction, &entry)?;
    let halt = Control::Halt { cause: HaltCause::Operator, cancel_working: false };
    for follower in &followers {
        let trading = apply::trading_stands(&transaction, follower)?.after(halt, at);
        let row = TradingRow { follower: follower.clone(), trading, actor: "operator".into(), at };
        // The daemon that starts next says it in its log.
        apply::change_trading(&transaction, &row, &mut Vec::new())?;
    }
    transaction.commit()?;
    check(&connection).map_err(RestoreError::Unsound)?;
    // Without a log the file is all of it; refused while any other connection is open.
    open::set_and_check(&connection, "journal_mode", "DELETE", "delete")?;
    connection.close().map_err(|(_, error)| error)?;
    Ok((sound, followers.into_iter().collect()))
}

/// Before anything is opened for writing, so that a file that is none of ours stays untouched.
fn check_unopened(copy: &Path) -> Result<Sound, Unsound> {
    check(&Connection::open(copy)?)
}

/// Every follower whom the settings last named, or who was ever stopped.
fn followers(connection: &Connection) -> rusqlite::Result<BTreeSet<FollowerId>> {
    let sql = format!("{CONFIGURED_FOLLOWERS} UNION SELECT follower_id FROM trading_states");
    let mut statement = connection.prepare(&sql)?;
    statement.query_map([], |row| follower(row, "value"))?.collect()
}

/// Moves the database and its log away, together. False if there was nothing.
fn set_aside(database: &Path, aside: &Path) -> Result<bool, BackupError> {
    let there: Vec<_> = with_logs(database).into_iter().filter(|path| path.exists()).collect();
    if there.is_empty() {
        return Ok(false);
    }
    fs::create_dir(aside).map_err(fault("make the folder", aside))?;
    // The log last: should the moving be cut short, the database is not seen without it.
    for path in there {
        let to = aside.join(path.file_name().unwrap_or_default());
        fs::rename(&path, &to).map_err(fault("set aside as", &to))?;
    }
    sync_folder_of(&aside.join("."))?;
    sync_folder_of(database)?;
    Ok(true)
}

fn with_logs(database: &Path) -> [PathBuf; 3] {
    [database.to_owned(), with_suffix(database, "-wal"), with_suffix(database, "-shm")]
}

fn remove(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(fault("remove", path)(error)),
        _ => Ok(()),
    }
}
