//! Opening the database: lock, version, settings of each connection, migrations, check. Startup is recovery (P20): it
//! ends with a database that is whole and owned, or with an error that names what is wrong.

use std::path::Path;
use std::time::Duration;

use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, OpenFlags, Transaction};
use rusqlite_migration::{HookResult, M, Migrations};

use super::audit;
use super::epoch;
use super::error::OpenError;
use super::lock::owner_only;
use super::restore::unfinished_restore;
use super::settings::{PAGES_PER_MB, StoreSettings};

/// 3.51.3, as SQLite writes it in one number.
const SQLITE_VERSION_MIN: i32 = 3_051_003;
/// How long a free reader is waited for, on a thread that may wait. A machine without a processor to spare is no reason for
/// an actor to end.
const READER_WAIT: Duration = Duration::from_secs(10);
/// The default of 16 is fewer than the statements of one job.
pub(super) const STATEMENTS_CACHED: usize = 128;

/// One step of the schema: its statements, and what the program does after them in the same transaction.
struct Migration {
    sql: &'static str,
    then: Option<fn(&Transaction<'_>) -> HookResult>,
}

const fn sql(sql: &'static str) -> Migration {
    Migration { sql, then: None }
}

const MIGRATIONS: &[Migration] = &[
    sql(include_str!("migrations/0001_initial.sql")),
    sql(include_str!("migrations/0002_lifecycle.sql")),
    sql(include_str!("migrations/0003_position_risk.sql")),
    Migration { then: Some(audit::chain_old_rows), ..sql(include_str!("migrations/0004_audit_chain.sql")) },
    sql(include_str!("migrations/0005_stopped_exits.sql")),
    sql(include_str!("migrations/0006_new_life.sql")),
    sql(include_str!("migrations/0007_carried_over.sql")),
];

/// The version of the schema this program works with.
pub const SCHEMA_VERSION: usize = MIGRATIONS.len();

pub(super) fn migrations() -> Migrations<'static> {
    let step = |migration: &Migration| match migration.then {
        Some(then) => M::up_with_hook(migration.sql, then),
        None => M::up(migration.sql),
    };
    Migrations::new(MIGRATIONS.iter().map(step).collect())
}

/// Refuses SQLite before 3.51.3, whose WAL code has a corruption race between two connections.
fn check_sqlite() -> Result<(), OpenError> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(OpenError::OldSqlite { found: rusqlite::version() });
    }
    Ok(())
}

/// Opens the one connection that writes, and leaves a whole, migrated database that belongs to this process. The
/// caller holds the lock. Returns the connection and its epoch.
pub(super) fn open_writer(settings: &StoreSettings) -> Result<(Connection, i64), OpenError> {
    check_sqlite()?;
    if let Some(incoming) = unfinished_restore(&settings.path) {
        return Err(OpenError::RestoreUnfinished(incoming));
    }
    // Made by us, so that it and the log files that take its mode are the owner's alone.
    owner_only(&settings.path).map_err(|source| OpenError::File {
        doing: "make the database",
        path: settings.path.clone(),
        source,
    })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&settings.path, flags)?;
    connection.busy_timeout(settings.busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    set_and_check(&connection, "journal_mode", "WAL", "wal")?;
    set_and_check(&connection, "synchronous", "FULL", "2")?;
    set_and_check(&connection, "foreign_keys", "ON", "1")?;
    // So that REPLACE cannot pass the append-only triggers by.
    set_and_check(&connection, "recursive_triggers", "ON", "1")?;
    // 8 MiB: the inner pages of a day's indexes stay in memory, within the daemon's bound of 64 MB.
    set_and_check(&connection, "cache_size", "-8192", "-8192")?;
    // The pages a savepoint keeps for its rollback would go to a temporary file past 64 KiB: twice the cost of a burst.
    set_and_check(&connection, "temp_store", "MEMORY", "2")?;
    // Checkpoints are made by the writer between commits (writer.rs).
    set_and_check(&connection, "wal_autocheckpoint", "0", "0")?;
    set_and_check(&connection, "mmap_size", "0", "0")?;
    quick_check(&connection)?;
    crate::fault_point!(StoreChecked);
    migrations().to_latest(&mut connection)?;
    crate::fault_point!(StoreMigrated);
    if let Some(pages) = settings.pages_max {
        bound(&connection, pages)?;
    }
    let epoch = epoch::take(&connection)?;
    Ok((connection, epoch))
}

/// Bounds the size of the file.
fn bound(connection: &Connection, pages: u32) -> Result<(), OpenError> {
    connection.pragma_update(None, "max_page_count", pages)?;
    // What is there already is never refused.
    let found: u32 = connection.query_row("PRAGMA max_page_count", [], |row| row.get(0))?;
    if found > pages {
        return Err(OpenError::TooLarge { mb: found.div_ceil(PAGES_PER_MB) });
    }
    Ok(())
}

/// Opens a pool of readers on a database of the right version.
pub(super) fn open_readers(
    path: &Path,
    readers: u32,
    busy_timeout: Duration,
) -> Result<r2d2::Pool<SqliteConnectionManager>, OpenError> {
    check_sqlite()?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    {
        // Once by hand, because the pool would retry what cannot get better and hide why.
        let probe = Connection::open_with_flags(path, flags)?;
        set_up_reader(&probe, busy_timeout)?;
        let found = probe.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if found != SCHEMA_VERSION {
            return Err(OpenError::SchemaVersion { found, wanted: SCHEMA_VERSION });
        }
    }
    let manager = SqliteConnectionManager::file(path).with_flags(flags).with_init(move |connection| {
        set_up_reader(connection, busy_timeout).map_err(|error| match error {
            OpenError::Sqlite(error) => error,
            other => rusqlite::Error::ToSqlConversionFailure(Box::new(other)),
        })
    });
    Ok(r2d2::Pool::builder()
        .max_size(readers.max(1))
        .min_idle(Some(1))
        .connection_timeout(READER_WAIT)
        .build(manager)?)
}

fn set_up_reader(connection: &Connection, busy_timeout: Duration) -> Result<(), OpenError> {
    connection.busy_timeout(busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    set_and_check(connection, "query_only", "ON", "1")?;
    // Readers never write; were one to, it would not weaken what P1 stands on.
    set_and_check(connection, "synchronous", "FULL", "2")?;
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    // A backup has no log beside it; what a writer has, always has.
    if mode != "wal" && mode != "delete" {
        return Err(OpenError::Pragma { pragma: "journal_mode", found: mode, wanted: "wal".to_owned() });
    }
    Ok(())
}

/// Sets a pragma and reads it back: some are ignored without a word.
pub(super) fn set_and_check(
    connection: &Connection,
    pragma: &'static str,
    value: &str,
    wanted: &str,
) -> Result<(), OpenError> {
    connection.pragma_update(None, pragma, value)?;
    let found: String = connection.query_row(&format!("PRAGMA {pragma}"), [], |row| {
        row.get_ref(0).map(|value| match value {
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            other => String::from_utf8_lossy(other.as_bytes().unwrap_or_default()).into_owned(),
        })
    })?;
    if found != wanted {
        return Err(OpenError::Pragma { pragma, found, wanted: wanted.to_owned() });
    }
    Ok(())
}

fn quick_check(connection: &Connection) -> Result<(), OpenError> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" { Ok(()) } else { Err(OpenError::Damaged(verdict)) }
}
