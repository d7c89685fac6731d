//! The pure core of Tandem: every decision it takes about orders, with no IO, no clock and no randomness.
//!
//! Rooms, from the outside in:
//! - [`ids`], [`price`], [`quantity`], [`time`], [`instrument`], [`account`]: the vocabulary.
//! - [`order`]: terms, broker statuses, reports (broker evidence) and the lifecycle of one child order.
//! - [`leader`]: the leader's book of the day, merged from frames and snapshots.
//! - [`mirror`]: one leader order in one follower account: target, actual, in flight, `step`.
//! - [`sizing`]: how much a follower opens; [`ledger`]: what the leader opens and closes, and what a follower owes for it.
//! - [`gates`]: whether it follows at all, and [`gates::RiskApproved`], the only thing that may be sent.
//! - [`breaker`], [`pacing`], [`restart`], [`token_life`]: small machines with time passed in; [`error_policy`]: what is done
//!   about each kind of trouble.

pub mod account;
pub mod breaker;
pub mod calendar;
pub mod decision;
#[cfg(test)]
mod documented;
pub mod error_policy;
#[cfg(any(test, feature = "flaws"))]
pub mod flaw;
#[cfg(not(any(test, feature = "flaws")))]
mod flaw;
pub mod follower;
pub mod gap;
pub mod gates;
pub mod ids;
pub mod instrument;
pub mod leader;
pub mod ledger;
pub mod mirror;
#[cfg(test)]
mod model;
pub mod order;
pub mod pacing;
pub mod policy;
pub mod price;
pub mod quantity;
pub mod restart;
pub mod sizing;
pub mod slippage;
pub mod time;
pub mod token_life;
pub mod trading;
pub mod translate;
