//! The one thread that writes. Jobs that wait at the same moment share one transaction and one sync (group commit).
//!
//! Each batch is committed ([`Batch`]), and only then answered. When the commit fails nothing is retried: every job of the
//! batch and of the queue is answered [`StoreError::Fatal`], and the thread ends (P22).

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use rusqlite::Connection;

use super::batch::{Applied, Batch, Broken};
use super::error::{OpenError, StoreDeath, StoreError};
use super::handle::{Message, Shared, StoreHandle};
use super::lock::InstanceLock;
use super::write::{Committed, Job};
use crate::alerts::{Said, log_unrecorded};

/// Jobs in one transaction: bounds how long the first of them waits for the last.
const JOBS_PER_COMMIT_MAX: usize = 512;
/// Places in the queue that are kept for alerts: while it is full of the rest, what a person must know still finds room.
const ALERTS_RESERVE: usize = 1024;
/// From here on the log is copied into the database when nothing waits.
const WAL_IDLE_BYTES: u64 = 2 * 1024 * 1024;
/// From here on it is copied whatever waits: a longer log costs every reader, and the copying gets no shorter.
const WAL_BUSY_BYTES: u64 = 16 * 1024 * 1024;

pub(super) type OnDeath = Box<dyn FnOnce(StoreDeath) + Send>;

/// What the writer owns. The lock is declared last, so that it is given back after the connection is closed.
pub(super) struct Database {
    pub(super) connection: Connection,
    pub(super) epoch: i64,
    pub(super) path: PathBuf,
    pub(super) _lock: InstanceLock,
}

/// Starts the thread.
pub(super) fn start(
    database: Database,
    queue_capacity: usize,
    shared: Arc<Shared>,
    on_death: OnDeath,
) -> Result<(StoreHandle, JoinHandle<()>), OpenError> {
    let queue_capacity = queue_capacity.max(1);
    let (sender, queue) = sync_channel(queue_capacity + ALERTS_RESERVE);
    let page_bytes = database.connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let path = database.path.clone();
    let writer = Writer { database, queue, shared: shared.clone(), page_bytes, broken: Broken::default() };
    let guard = DeathGuard { on_death: Some(on_death) };
    let thread = std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || {
            let mut guard = guard;
            // `writer` is gone, and the lock free, before anybody hears of the death.
            let end = writer.run();
            match end {
                Ok(()) => guard.on_death = None,
                Err(death) => guard.tell(death),
            }
        })
        .map_err(|source| OpenError::File { doing: "start the writer of", path, source })?;
    Ok((StoreHandle::new(sender, queue_capacity, shared), thread))
}

/// Tells of the death also when the thread panics, for instance in a reply.
struct DeathGuard {
    on_death: Option<OnDeath>,
}

impl DeathGuard {
    fn tell(&mut self, death: StoreDeath) {
        if let Some(on_death) = self.on_death.take() {
            on_death(death);
        }
    }
}

impl Drop for DeathGuard {
    fn drop(&mut self) {
        self.tell(StoreDeath { reason: "the writer panicked".into(), is_damage: false });
    }
}

struct Writer {
    database: Database,
    queue: Receiver<Message>,
    shared: Arc<Shared>,
    page_bytes: u64,
    broken: Broken,
}

/// Whether the thread goes on.
#[derive(PartialEq, Eq)]
enum Intake {
    Open,
    Stopping,
}

impl Writer {
    fn run(self) -> Result<(), StoreDeath> {
        let mut batch = Vec::with_capacity(JOBS_PER_COMMIT_MAX);
        loop {
            let intake = self.take(&mut batch);
            self.serve(&mut batch)
                .and_then(|()| self.checkpoint())
                .inspect_err(|death| self.refuse_rest(&death.reason))?;
            if intake == Intake::Stopping {
                return Ok(());
            }
        }
    }

    /// Waits for a first job and takes what else is there.
    fn take(&self, batch: &mut Vec<Job>) -> Intake {
        let mut next = self.queue.recv().map_err(|_| Intake::Stopping);
        loop {
            match next {
                Ok(Message::Job(job)) => batch.push(job),
                Ok(Message::Stop) => return Intake::Stopping,
                Err(intake) => return intake,
            }
            if batch.len() == JOBS_PER_COMMIT_MAX {
                return Intake::Open;
            }
            next = self.queue.try_recv().map_err(|_| Intake::Open);
        }
    }

    /// Commits and answers a batch, and leaves it empty.
    fn serve(&self, batch: &mut Vec<Job>) -> Result<(), StoreDeath> {
        if batch.is_empty() {
            return Ok(());
        }
        let (shared, count) = (&self.shared, batch.len());
        let started = Instant::now();
        // What one reader cannot read, nothing may be built on any more.
        let outcome = match shared.damage() {
            Some(damage) => Err(damage),
            None => self.commit(batch).map_err(StoreDeath::from),
        };
        let commit_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        shared.queued.fetch_sub(count, Ordering::Relaxed);
        shared.jobs.fetch_add(count as u64, Ordering::Relaxed);
        shared.commits.fetch_add(1, Ordering::Relaxed);
        shared.last_commit_us.store(commit_us, Ordering::Relaxed);
        match outcome {
            Ok(Applied { results, said }) => {
                said.iter().for_each(Said::log);
                for (job, result) in batch.drain(..).zip(results) {
                    if result.as_ref().is_err_and(|error| !matches!(error, StoreError::Fenced { .. })) {
                        log_unrecorded(&job.writes);
                    }
                    (job.reply)(Committed { result, commit_us });
                }
                Ok(())
            }
            Err(death) => {
                for job in batch.drain(..) {
                    log_unrecorded(&job.writes);
                    let result = Err(StoreError::Fatal(Arc::clone(&death.reason)));
                    (job.reply)(Committed { result, commit_us });
                }
                Err(death)
            }
        }
    }

    fn commit(&self, batch: &[Job]) -> Result<Applied, rusqlite::Error> {
        // Held to the end of the commit: `set_generation` returns only when no older job can land any more.
        let generations = self.shared.generations();
        let Database { connection, epoch, .. } = &self.database;
        Batch { connection, epoch: *epoch, generations: &generations, broken: &self.broken }.commit(batch)
    }

    /// Copies the log into the database, between commits and after the answers. PASSIVE: waits for no reader.
    fn checkpoint(&self) -> Result<(), StoreDeath> {
        let pages = |mode| -> Result<u64, rusqlite::Error> {
            let mut statement = self.database.connection.prepare_cached(mode)?;
            let (log, copied): (i64, i64) = statement.query_row([], |row| Ok((row.get(1)?, row.get(2)?)))?;
            Ok(u64::try_from(log - copied).unwrap_or(0))
        };
        let bytes = pages("PRAGMA wal_checkpoint(NOOP)")? * self.page_bytes;
        self.shared.wal_bytes.store(bytes, Ordering::Relaxed);
        let idle = self.shared.queued.load(Ordering::Relaxed) == 0;
        if bytes >= WAL_BUSY_BYTES || (idle && bytes >= WAL_IDLE_BYTES) {
            let rest = pages("PRAGMA wal_checkpoint(PASSIVE)")? * self.page_bytes;
            self.shared.wal_bytes.store(rest, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Answers what still waits when the writer dies.
    fn refuse_rest(&self, reason: &Arc<str>) {
        while let Ok(message) = self.queue.try_recv() {
            if let Message::Job(job) = message {
                self.shared.queued.fetch_sub(1, Ordering::Relaxed);
                log_unrecorded(&job.writes);
                let result = Err(StoreError::Fatal(Arc::clone(reason)));
                (job.reply)(Committed { result, commit_us: 0 });
            }
        }
    }
}
