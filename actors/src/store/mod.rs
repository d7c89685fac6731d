//! The store: SQLite behind one writer thread and a small pool of readers.
//!
//! Takes jobs (a few [`Write`]s each), gives each an answer once its rows are durable, power loss included. Owns the
//! database file, its lock and its schema (`schema.sql`). Never decides anything about orders; what it refuses, it
//! refuses because a constraint, a trigger or a guarded update carries a promise: P1 (commit before wire), P2 (one
//! live order), P5 (quantity conserved), P9 (each fill once), P21 (one writer), P22 (no record, no trade).
//!
//! This is plain library code, without actix; the actor around it is `store_keeper`. All SQL of the program is in this
//! folder.
//!
//! - [`Store::open`]: lock, version, check, migrations; see `open`.
//! - [`StoreHandle`]: the queue into the writer, and fencing by generation.
//! - `writer`: the thread, and checkpoints; `batch`: group commit.
//! - `apply`: one statement or few for each [`Write`].
//! - `audit`: the audit log's chain of hashes.
//! - [`back_up`], [`restore`]: copies that can be relied on, and the way back to one.
//! - [`control_stopped`]: what an operator may write while no daemon runs.
//! - [`Reader`]: typed queries, also on the database of a running daemon.
//! - [`redact`]: what request and response texts go through before they are stored.

mod apply;
mod audit;
mod backup;
#[cfg(feature = "simulation")]
mod bare;
mod batch;
mod codes;
mod epoch;
mod error;
mod handle;
mod instruments;
mod lock;
mod open;
mod reader;
pub mod redact;
mod restore;
mod rows;
mod settings;
mod settings_changes;
mod stopped;
mod write;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use audit::{AuditFault, AuditHash, AuditHead, AuditReport};
pub use backup::{
    Backup, BackupError, Sound, Unsound, back_up, backups_beside, newest_backup_at, newest_sound_backup,
};
#[cfg(feature = "simulation")]
pub use bare::Bare;
pub use codes::{FundsMark, IntentKind, OrderRole, UnknownWord, predecessors};
pub use error::{OpenError, ReaderError, StoreDeath, StoreError, SubmitError};
pub use handle::{StoreHandle, StoreStats};
pub use instruments::{InstrumentsWrite, instrument_parts};
pub use open::SCHEMA_VERSION;
pub use reader::*;
pub use restore::{RestoreError, Restored, restore};
pub use rows::*;
pub use settings::{PAGES_PER_MB, StoreSettings};
pub use settings_changes::settings_changes;
pub use stopped::{ControlError, SettleError, control_stopped, settle_stopped};
pub use tandem_domain::mirror::IntentState;
pub use write::{Committed, Job, Reply, Write, WriterId};

/// The version of SQLite that is built in.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}

/// An open store. Dropping it does not end the writer; [`Store::stop`] does, as does the last handle's drop.
#[derive(Debug)]
pub struct Store {
    /// Into the writer.
    pub handle: StoreHandle,
    /// Typed queries.
    pub reader: Reader,
    thread: std::thread::JoinHandle<()>,
}

impl Store {
    /// Opens the database and starts the writer's thread.
    ///
    /// `on_death` is called once, on that thread, with the reason when the writer ends other than by [`Store::stop`]
    /// or by its last handle's drop. By then the lock is free, and every job taken was answered.
    pub fn open(
        settings: &StoreSettings,
        on_death: impl FnOnce(StoreDeath) + Send + 'static,
    ) -> Result<Self, OpenError> {
        if let Some(folder) = settings.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|source| OpenError::File {
                doing: "make the folder",
                path: folder.to_owned(),
                source,
            })?;
        }
        let lock = lock::InstanceLock::take(&settings.path)?;
        crate::fault_point!(StoreLocked);
        let (connection, epoch) = open::open_writer(settings)?;
        crate::fault_point!(StoreOpened);
        let shared = Arc::new(handle::Shared::default());
        let reader = Reader::open(&settings.path, settings.readers, settings.busy_timeout)?
            .watched_by(Arc::clone(&shared));
        let (handle, thread) = writer::start(
            writer::Database { connection, epoch, path: settings.path.clone(), _lock: lock },
            settings.queue_capacity,
            shared,
            Box::new(on_death),
        )?;
        Ok(Self { handle, reader, thread })
    }

    /// Ends the writer once everything queued so far is answered, and waits for it. Blocks: not for an arbiter.
    pub fn stop(self) {
        let Self { handle, reader, thread } = self;
        // If no other reader is open, the writer closes last, and SQLite then leaves no log behind.
        drop(reader);
        handle.stop();
        // A panic in the writer was reported by `on_death`.
        thread.join().ok();
    }
}
