//! Tandem's actors: LeaderStream, Sizer, FollowerOrderActor, CircuitBreaker, Store, Supervisor.
//!
//! One file for each, named after it; the rest is what they share. Decisions are in `tandem-domain`, the wire in
//! `tandem-dhan`, SQL in [`store`]. Which actor may say what to which is [`messages`].

/// Names a boundary between two effects, where tests end the process, kill an actor or stop it; with the actor's context
/// where there is one. Nothing but a name in the source where the feature `faults` is off.
#[cfg(feature = "faults")]
#[macro_export]
macro_rules! fault_point {
    ($point:ident) => {
        $crate::faults::reach($crate::faults::FaultPoint::$point)
    };
    ($point:ident, $ctx:expr) => {
        $crate::faults::reach_in($crate::faults::FaultPoint::$point, $ctx)
    };
}

/// Names a boundary between two effects. Nothing but a name in the source: the feature `faults` is off.
#[cfg(not(feature = "faults"))]
#[macro_export]
macro_rules! fault_point {
    ($point:ident $(, $ctx:expr)?) => {{
        $(let _ = &$ctx;)?
    }};
}

pub mod account;
pub mod alerts;
pub mod clock;
#[cfg(feature = "faults")]
pub mod faults;
pub mod in_flight;
pub mod incident_kinds;
pub mod instruments;
pub mod lent_clock;
pub mod messages;
pub mod order_stream;
pub mod records;
pub mod store;
pub mod token_keeper;
pub mod vitals;
mod watch;

#[cfg(test)]
mod chance;
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
pub use store_keeper::{Store, StoreWatch, WriterDeath};
