//! Whether a database can be relied on: whole, ours, and with an audit log that nobody's hand was in.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use thiserror::Error;

use crate::store::audit::{self, AuditFault, AuditHead};
use crate::store::open::SCHEMA_VERSION;

/// The first version of the schema whose audit log is a chain.
const CHAINED_SINCE: usize = 4;

/// What a database that is sound holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sound {
    /// The version of its schema, this program's or an older one.
    pub schema_version: usize,
    /// Where its audit log ends; none where it is older than the chain.
    pub audit_head: Option<AuditHead>,
}

/// Why a database cannot be relied on.
#[derive(Debug, Error)]
pub enum Unsound {
    /// `integrity_check` found damage, or the file is none of SQLite's.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// Nothing of Tandem's is in it.
    #[error("it is no database of tandem's")]
    Foreign,
    /// A newer program wrote it.
    #[error("its schema version is {found}, and this program knows versions up to {SCHEMA_VERSION} only")]
    Newer {
        /// The version.
        found: usize,
    },
    /// Its audit log was changed.
    #[error("its audit log does not verify: {0}")]
    Audit(AuditFault),
    /// It could not be read.
    #[error("it cannot be read: {0}")]
    Unreadable(rusqlite::Error),
}

impl From<rusqlite::Error> for Unsound {
    fn from(error: rusqlite::Error) -> Self {
        if is_damage(&error) { Self::Damaged(error.to_string()) } else { Self::Unreadable(error) }
    }
}

/// Whether this error says that the file itself is damaged.
pub(in crate::store) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Checks a database file that no daemon has.
pub(super) fn check_file(path: &Path) -> Result<Sound, Unsound> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    check(&Connection::open_with_flags(path, flags)?)
}

/// Checks the whole database.
pub(in crate::store) fn check(connection: &Connection) -> Result<Sound, Unsound> {
    let schema_version: usize = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match schema_version {
        0 => return Err(Unsound::Foreign),
        1..=SCHEMA_VERSION => {}
        found => return Err(Unsound::Newer { found }),
    }
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(Unsound::Damaged(verdict));
    }
    let audit_head = if schema_version >= CHAINED_SINCE {
        let report = audit::verify(connection, None)?;
        if let Some(fault) = report.fault {
            return Err(Unsound::Audit(fault));
        }
        Some(report.head)
    } else {
        None
    };
    Ok(Sound { schema_version, audit_head })
}
