//! Counts what is under way, so that a lent clock jumps only when nothing is, and a shutdown waits for it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tandem_domain::ids::DhanClientId;

/// The counter. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct InFlight {
    count: Arc<AtomicUsize>,
}

/// One thing under way, from its making to its drop.
#[derive(Debug)]
pub struct Underway {
    count: Arc<AtomicUsize>,
}

impl InFlight {
    /// Something begins.
    pub fn begin(&self) -> Underway {
        self.count.fetch_add(1, Ordering::AcqRel);
        Underway { count: Arc::clone(&self.count) }
    }

    /// How many things are under way.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Order-stream frames taken in on each account's present connection, leader's and followers' alike: what a lender of time
/// compares with what it sent.
#[derive(Debug, Clone, Default)]
pub struct FrameCounts {
    // Touched once a frame; never held across anything.
    counts: Arc<Mutex<BTreeMap<DhanClientId, u64>>>,
}

impl FrameCounts {
    /// A new connection: counting starts again.
    pub fn reset(&self, account: &DhanClientId) {
        self.lock().insert(account.clone(), 0);
    }

    /// There is no connection: nothing of the account is on its way here, and nothing is counted.
    pub fn forget(&self, account: &DhanClientId) {
        self.lock().remove(account);
    }

    /// One more frame is taken in.
    pub fn add(&self, account: &DhanClientId) {
        *self.lock().entry(account.clone()).or_default() += 1;
    }

    /// All counts.
    pub fn snapshot(&self) -> BTreeMap<DhanClientId, u64> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<DhanClientId, u64>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
