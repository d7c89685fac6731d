//! The way into the writer: a bounded queue, fencing, and figures for the health line.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::backup::is_damage;
use super::error::{StoreDeath, SubmitError};
use super::write::Job;

/// What goes through the queue.
pub(super) enum Message {
    Job(Job),
    Stop,
}

/// What handle and writer share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The newest generation of each actor. The writer holds this lock from the check to the end of the commit.
    generations: Mutex<HashMap<Arc<str>, u32>>,
    /// What a reader found: the file is damaged, and nothing is written any more.
    damage: OnceLock<StoreDeath>,
    pub(super) queued: AtomicUsize,
    pub(super) jobs: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) last_commit_us: AtomicU64,
    pub(super) wal_bytes: AtomicU64,
}

impl Shared {
    pub(super) fn generations(&self) -> MutexGuard<'_, HashMap<Arc<str>, u32>> {
        // A map of numbers is whole at every moment, whoever panicked.
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an error in mind that says that the file is damaged.
    pub(super) fn heed(&self, error: &rusqlite::Error) {
        if is_damage(error) {
            let death = StoreDeath { reason: format!("a read failed: {error}").into(), is_damage: true };
            // The first is enough.
            self.damage.set(death).ok();
        }
    }

    pub(super) fn damage(&self) -> Option<StoreDeath> {
        self.damage.get().cloned()
    }
}

/// Submits jobs to the writer's thread. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StoreHandle {
    queue: SyncSender<Message>,
    /// Jobs that may wait; the queue itself has room for some alerts more.
    capacity: usize,
    shared: Arc<Shared>,
}

/// How the writer is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreStats {
    /// Jobs that wait.
    pub queued: usize,
    /// Jobs answered so far, refused ones included.
    pub jobs: u64,
    /// Transactions committed so far.
    pub commits: u64,
    /// How long the last one took, in microseconds.
    pub last_commit_us: u64,
    /// Size of the write-ahead log after it.
    pub wal_bytes: u64,
}

impl StoreHandle {
    pub(super) const fn new(queue: SyncSender<Message>, capacity: usize, shared: Arc<Shared>) -> Self {
        Self { queue, capacity, shared }
    }

    /// Queues a job; never blocks. On an error the job is dropped and its reply is not called.
    pub fn submit(&self, job: Job) -> Result<(), SubmitError> {
        self.offer(job).map_err(|(error, _)| error)
    }

    /// Queues a job; never blocks. On an error the job comes back.
    pub fn offer(&self, job: Job) -> Result<(), (SubmitError, Job)> {
        if self.shared.queued.load(Ordering::Relaxed) >= self.capacity {
            return Err((SubmitError::Full, job));
        }
        self.offer_alert(job)
    }

    /// Queues what nobody would say again, also where the queue has no room for anything else; never blocks. On an error the
    /// job comes back.
    pub fn offer_alert(&self, job: Job) -> Result<(), (SubmitError, Job)> {
        self.shared.queued.fetch_add(1, Ordering::Relaxed);
        let (error, message) = match self.queue.try_send(Message::Job(job)) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Full(message)) => (SubmitError::Full, message),
            Err(TrySendError::Disconnected(message)) => (SubmitError::Stopped, message),
        };
        self.shared.queued.fetch_sub(1, Ordering::Relaxed);
        match message {
            Message::Job(job) => Err((error, job)),
            // What was sent was a job, so a job comes back.
            Message::Stop => Ok(()),
        }
    }

    /// Declares which life of an actor may write. Once this returns, no job of an older one will be committed any
    /// more; it waits for a commit that is under way (a millisecond or two).
    ///
    /// Generations only rise; an older number changes nothing.
    pub fn set_generation(&self, actor: &str, generation: u32) {
        let mut generations = self.shared.generations();
        match generations.get_mut(actor) {
            Some(known) => *known = generation.max(*known),
            None => {
                generations.insert(actor.into(), generation);
            }
        }
    }

    /// Why nothing is committed any more though the writer lives: a reader has found the file damaged.
    pub fn damage(&self) -> Option<StoreDeath> {
        self.shared.damage()
    }

    /// Tells the store of damage that was found past it. Nothing is committed any more.
    pub fn damaged(&self, reason: &str) {
        // The first is enough.
        self.shared.damage.set(StoreDeath { reason: reason.into(), is_damage: true }).ok();
    }

    /// How the writer is doing.
    pub fn stats(&self) -> StoreStats {
        let shared = &self.shared;
        StoreStats {
            queued: shared.queued.load(Ordering::Relaxed),
            jobs: shared.jobs.load(Ordering::Relaxed),
            commits: shared.commits.load(Ordering::Relaxed),
            last_commit_us: shared.last_commit_us.load(Ordering::Relaxed),
            wal_bytes: shared.wal_bytes.load(Ordering::Relaxed),
        }
    }

    /// Asks the writer to end once everything queued so far is answered. Blocks while the queue is full; does nothing
    /// when the writer has ended.
    pub(super) fn stop(&self) {
        // A closed queue means that it has ended already, which is what is wanted.
        self.queue.send(Message::Stop).ok();
    }
}
