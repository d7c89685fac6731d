//! What a follower may send, read right before the wire: the last door of the kill switch.
//!
//! Rows decide (P17), and the follower's book obeys them; but a book may have a queue before it, a commit to wait for,
//! or hang. So whoever stops a follower shuts this door *first*, and whoever sends looks at it last. It outlives the
//! lives of the actor behind it. Shutting it never waits; only a recorded `resume` opens it, and only if nobody shut it
//! in the meantime.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tandem_domain::trading::TradingState;

/// The low two bits are the state; the rest counts how often the door was shut, so that opening it can tell.
const STATE_BITS: u32 = 2;

/// The door of one follower. Cheap to clone; all clones are the same door.
#[derive(Debug, Clone)]
pub struct TradingFence(Arc<AtomicU64>);

/// How the door stood when somebody began to open it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FenceMark(u64);

impl TradingFence {
    /// A door that stands as recorded.
    pub fn new(recorded: TradingState) -> Self {
        Self(Arc::new(AtomicU64::new(code(recorded))))
    }

    /// What may be sent now.
    pub fn state(&self) -> TradingState {
        state(self.0.load(Ordering::Acquire))
    }

    /// Whether a request that opens or adds may leave. Exits and cancels do not ask.
    pub fn lets_entries_pass(&self) -> bool {
        self.state() == TradingState::Active
    }

    /// Nothing that `wanted` forbids leaves any more once this returns. Never opens: a halted follower that is told to
    /// reduce stays halted. Opening attempts that began before come to nothing.
    pub fn shut(&self, wanted: TradingState) {
        self.change(|before| {
            let count = (before >> STATE_BITS).wrapping_add(1) << STATE_BITS;
            Some(count | (before & mask()).max(code(wanted)))
        });
    }

    /// How it stands: taken before a `resume` is recorded, given to [`TradingFence::open`] afterwards.
    pub fn mark(&self) -> FenceMark {
        FenceMark(self.0.load(Ordering::Acquire))
    }

    /// Opens the door, unless it was shut since `mark`: then it stays as it is, and this says no.
    pub fn open(&self, mark: FenceMark) -> bool {
        let open = (mark.0 & !mask()) | code(TradingState::Active);
        self.0.compare_exchange(mark.0, open, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn change(&self, next: impl FnMut(u64) -> Option<u64>) {
        // Always Some: it is tried again until it is done.
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).ok();
    }
}

const fn mask() -> u64 {
    (1 << STATE_BITS) - 1
}

/// Ordered by how much is forbidden.
const fn code(state: TradingState) -> u64 {
    match state {
        TradingState::Active => 0,
        TradingState::Reducing => 1,
        TradingState::Halted => 2,
    }
}

const fn state(word: u64) -> TradingState {
    match word & mask() {
        0 => TradingState::Active,
        1 => TradingState::Reducing,
        _ => TradingState::Halted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shuts_at_once_for_all_and_never_opens_by_being_shut() {
        let fence = TradingFence::new(TradingState::Active);
        let elsewhere = fence.clone();
        assert!(elsewhere.lets_entries_pass());
        fence.shut(TradingState::Halted);
        assert_eq!(elsewhere.state(), TradingState::Halted);
        fence.shut(TradingState::Reducing);
        assert_eq!(elsewhere.state(), TradingState::Halted);
        fence.shut(TradingState::Active);
        assert!(!elsewhere.lets_entries_pass());
    }

    #[test]
    fn a_halt_that_overtakes_a_resume_wins() {
        let fence = TradingFence::new(TradingState::Halted);
        let mark = fence.mark();
        // The same state as before, yet said again: the resume that began earlier is void.
        fence.shut(TradingState::Halted);
        assert!(!fence.open(mark));
        assert_eq!(fence.state(), TradingState::Halted);
        assert!(fence.open(fence.mark()));
        assert_eq!(fence.state(), TradingState::Active);
    }

    #[test]
    fn it_begins_as_recorded() {
        for recorded in [TradingState::Active, TradingState::Reducing, TradingState::Halted] {
            assert_eq!(TradingFence::new(recorded).state(), recorded);
        }
    }
}
