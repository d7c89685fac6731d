//! Tandem's actors: LeaderStream, Sizer, FollowerOrderActor, CircuitBreaker, Store, Supervisor.
//!
//! One file for each, named after it; the rest is what they share. Decisions are in `tandem-domain`, the wire in
//! `tandem-dhan`, SQL in [`store`]. Which actor may say what to which is [`messages`].

pub mod account;
pub mod alerts;
pub mod clock;
pub mod in_flight;
pub mod instruments;
pub mod lent_clock;
pub mod messages;
pub mod order_stream;
pub mod records;
pub mod store;
pub mod token_keeper;
pub mod vitals;

mod circuit_breaker;
mod follower_orders;
mod leader_stream;
pub mod restored;
mod sizer;
mod store_keeper;
pub mod supervisor;
pub mod trading_fence;

pub use circuit_breaker::{BreakerParams, CircuitBreaker};
pub use follower_orders::{FollowerOrderActor, FollowerParams, Polls};
pub use leader_stream::{LeaderParams, LeaderStream};
pub use sizer::{FollowerPolicy, Sizer, SizerParams};
pub use store_keeper::{Store, WriterDeath};
