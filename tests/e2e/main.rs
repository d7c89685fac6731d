//! The scenarios, end to end: the built binary as a child process, real sockets, the simulator as the broker.
//!
//! Each test is named after its scenario. What is expected is written by hand; it is held against the simulator's
//! books, which Tandem does not write, and against the outcome that Tandem recorded.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "a failing test shows the daemon's log and the broker's books")]

mod breakers;
mod breaking;
mod cancelling;
mod capping;
mod changing;
mod choosing;
mod damage;
mod doubts;
mod exits;
mod filling;
mod halting;
mod hands;
mod harness;
mod holdings;
mod incidents;
mod kinds;
mod leading;
mod legs;
mod limits;
mod listening;
mod modes;
mod networks;
mod pacing;
mod parting;
mod placing;
mod recovering;
mod refusals;
mod reloading;
mod sessions;
mod shutdown;
mod sizing;
mod spreads;
mod storing;
mod tokens;
mod troubles;
mod turning;
