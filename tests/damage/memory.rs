//! What reading takes of memory, counted by the allocator. It counts for the whole process, so tests that measure take
//! turns.

use std::sync::{Mutex, MutexGuard, PoisonError};

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

static TURN: Mutex<()> = Mutex::new(());

/// A test's turn, until it is dropped.
pub(crate) struct Alone(#[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl Alone {
    pub(crate) fn begin() -> Self {
        // A test that failed has given its turn back.
        Self(TURN.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Does it, and says how many bytes it took at once.
pub(crate) fn taken<T>(act: impl FnOnce() -> T) -> (T, usize) {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let done = act();
    (done, MEMORY.peak_usage().saturating_sub(before))
}
