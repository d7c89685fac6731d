//! What can go wrong, split by what the caller must do.

use std::path::PathBuf;
use std::sync::Arc;

use tandem_domain::ids::ClientOrderId;
use thiserror::Error;

use super::backup::is_damage;

/// Why a job was not committed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// A newer life of that actor exists; this job comes from one that was given up. Drop it.
    #[error("{actor} generation {generation} is fenced: generation {current} has taken over")]
    Fenced {
        /// Which actor.
        actor: Arc<str>,
        /// The job's generation.
        generation: u32,
        /// The generation that owns the rows now.
        current: u32,
    },
    /// It builds on a job of the same life that was refused. Nothing of it was stored.
    #[error("{actor} generation {generation} was refused what this builds on")]
    Behind {
        /// Which actor.
        actor: Arc<str>,
        /// Which life of it.
        generation: u32,
    },
    /// The stored state does not allow this change. The caller's picture is wrong: read the rows again.
    #[error("{what} cannot become {to}: the stored row does not allow it, or there is none")]
    IllegalTransition {
        /// The row meant.
        what: String,
        /// The state wanted.
        to: &'static str,
    },
    /// A constraint that carries a promise refused the row. Nothing of the job was stored.
    #[error("{write} refused: {text}")]
    Constraint {
        /// Which write of the job.
        write: &'static str,
        /// The database's words.
        text: Arc<str>,
    },
    /// There is no incident of that name.
    #[error("there is no incident {0}")]
    NoIncident(Arc<str>),
    /// An incident is not closed by a word while it is still so.
    #[error("{id} is still so: {remedy}")]
    StillSo {
        /// Which.
        id: Arc<str>,
        /// What ends it.
        remedy: &'static str,
    },
    /// The store can record no more (commit error, full or failing disk, lost lock) and has ended. Halt (P22): without
    /// a record nothing is sent. Whether this job's rows are on disk is known only after reopening.
    #[error("the store has failed: {0}")]
    Fatal(Arc<str>),
}

impl StoreError {
    pub(super) fn illegal_intent(id: &ClientOrderId, kind: &str, to: &'static str) -> Self {
        Self::IllegalTransition { what: format!("{kind} intent {id}"), to }
    }
}

/// Why a job was not even queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// The queue is at its bound. Nothing was queued; shed or try again.
    #[error("the store's queue is full")]
    Full,
    /// The writer has ended.
    #[error("the store has stopped")]
    Stopped,
}

/// Why the database was not opened. Nothing is sent while it is closed (P20, P22).
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another instance runs on this database (P21).
    #[error("another instance ({holder}) holds the lock {}", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// `pid 4711`, or that it is not known.
        holder: String,
    },
    /// A file or its folder could not be made, opened or protected.
    #[error("{doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The SQLite library is too old: before 3.51.3 its WAL code has a corruption race.
    #[error("SQLite {found} is older than 3.51.3")]
    OldSqlite {
        /// The version linked.
        found: &'static str,
    },
    /// A setting of the connection was not taken over.
    #[error("PRAGMA {pragma} is {found} and must be {wanted}")]
    Pragma {
        /// Which.
        pragma: &'static str,
        /// What the database says.
        found: String,
        /// What it must say.
        wanted: String,
    },
    /// A restore was begun and not ended, so this is not the database that should be here.
    #[error("a restore was cut short ({} is still there): run `tandem restore` again", .0.display())]
    RestoreUnfinished(PathBuf),
    /// The file is at the bound that was set for it, or beyond.
    #[error("the database has {mb} MiB, more than `store.size_mb_max` lets it have")]
    TooLarge {
        /// Its size.
        mb: u32,
    },
    /// `quick_check` found damage. Restore the last backup.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The database is of another version of the schema than this program.
    #[error("the database has schema version {found}, this program needs {wanted}")]
    SchemaVersion {
        /// What it has.
        found: usize,
        /// What is needed.
        wanted: usize,
    },
    /// The schema could not be brought up to date.
    #[error("migrate the schema")]
    Migrate(#[from] rusqlite_migration::Error),
    /// Any other refusal of SQLite.
    #[error("open the database")]
    Sqlite(#[from] rusqlite::Error),
    /// The pool of readers could not be filled.
    #[error("open the readers")]
    Pool(#[from] r2d2::Error),
}

impl OpenError {
    /// Whether the file itself is damaged, so that only a backup helps.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_) => true,
            Self::Sqlite(error) => is_damage(error),
            Self::Migrate(rusqlite_migration::Error::RusqliteError { err, .. }) => is_damage(err),
            _ => false,
        }
    }
}

/// Why the store has ended by itself: it can record no more (P22).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreDeath {
    /// In words.
    pub reason: Arc<str>,
    /// Whether the file itself is damaged, so that only a backup helps.
    pub is_damage: bool,
}

impl From<rusqlite::Error> for StoreDeath {
    fn from(error: rusqlite::Error) -> Self {
        Self { is_damage: is_damage(&error), reason: error.to_string().into() }
    }
}

/// Why a query gave nothing.
#[derive(Debug, Error)]
pub enum ReaderError {
    /// No reader became free in time.
    #[error("wait for a reader")]
    Pool(#[from] r2d2::Error),
    /// The query failed, or a stored text is not what its column holds.
    #[error("query the database")]
    Sqlite(#[from] rusqlite::Error),
}
