//! The program killed and started again, over the simulator; and, with the feature `faults`, made to fail at every
//! boundary between two effects (`docs/faults.md`).
//!
//! What must hold afterwards is looked up in the broker's books, which Tandem does not write, and held against what it
//! recorded: `books.rs`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(
    clippy::print_stderr,
    reason = "a failing test shows its seed, the daemon's log and the broker's books"
)]

#[cfg(feature = "faults")]
mod actors;
mod books;
#[cfg(feature = "faults")]
mod build;
#[path = "../e2e/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "tests/e2e uses what is not used here")]
mod harness;
mod leader;
mod life;
mod moments;
#[cfg(feature = "faults")]
mod points;
#[cfg(feature = "faults")]
mod telling;
#[cfg(feature = "faults")]
mod waking;
