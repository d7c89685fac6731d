//! The simulator over real sockets, with a plain HTTP and WebSocket client.

#[path = "server/clock.rs"]
mod clock;
#[path = "server/control.rs"]
mod control;
#[path = "server/faults.rs"]
mod faults;
#[path = "server/rest.rs"]
mod rest;
#[path = "server/stream.rs"]
mod stream;
#[path = "server/support.rs"]
mod support;
