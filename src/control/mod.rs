//! The kill switch: how an operator halts, squares off and resumes followers, whatever else is broken (P17, P27).
//!
//! A running daemon listens at a Unix domain socket of mode 0600 beside its database, on a thread of its own, and takes
//! one line of JSON from its own user. It shuts the follower's [`TradingFence`](tandem_actors::trading_fence) first, so
//! that nothing more is opened whoever hangs; then the follower's actor takes it in and records it; where the actor does
//! not answer in time, the row is written from here. The answer says what is durable and what is not.
//!
//! - [`protocol`]: the two lines, and how they are read from a peer who may send anything.
//! - [`socket`]: the file, its rights, and what a dead daemon left there.
//! - [`service`]: the thread, its peers, their limits.
//! - [`desk`]: what is done with a command.
//! - [`rows`]: what is on record, and putting it there.
//! - [`client`]: the operator's end.

pub mod client;
pub mod desk;
pub mod protocol;
pub mod rows;
pub mod service;
pub mod socket;

#[cfg(test)]
mod tests;
