//! Opens a database so that nothing about it can change.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// How long a writer's checkpoint may keep a reader waiting.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens for reading alone. A database whose folder cannot be written (a backup on other people's disks) has no room
/// for the shared memory of its log; without a log it is read as a file that nobody writes.
pub(crate) fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    let opened = open(path, "ro").and_then(|connection| {
        // SQLite opens the file only when it is first read.
        connection.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    });
    match opened {
        Err(error) if is_unwritable(&error) && !has_log(path) => open(path, "ro&immutable=1"),
        opened => opened,
    }
}

fn open(path: &Path, how: &str) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri(path, how), flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", "ON")?;
    Ok(connection)
}

/// The path as SQLite's URI: all but plain characters escaped.
fn uri(path: &Path, how: &str) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let escaped = path
        .as_os_str()
        .as_bytes()
        .iter()
        .map(|byte| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") });
    format!("file:{}?mode={how}", escaped.collect::<String>())
}

fn is_unwritable(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, ReadOnly};
    matches!(error.sqlite_error_code(), Some(CannotOpen | ReadOnly))
}

/// Whether commits may stand in the write-ahead log that the file does not have yet.
fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    PathBuf::from(log).metadata().is_ok_and(|found| found.len() > 0)
}
