//! The simulator over real sockets, with a plain HTTP and WebSocket client.

#![allow(clippy::unwrap_used, reason = "a test's helper may fail the test")]
#![allow(clippy::float_cmp, reason = "prices on the wire are the same number or wrong")]

#[path = "server/clock.rs"]
mod clock;
#[path = "server/composites.rs"]
mod composites;
#[path = "server/control.rs"]
mod control;
#[path = "server/faults.rs"]
mod faults;
#[path = "server/positions.rs"]
mod positions;
#[path = "server/rest.rs"]
mod rest;
#[path = "server/stream.rs"]
mod stream;
#[path = "server/support.rs"]
mod support;
