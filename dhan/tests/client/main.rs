//! The clients against servers that behave badly on purpose: one test for each fact about the HTTP client that has
//! cost, or would cost, an order. Real sockets on the loopback, real time, no sleeps.
#![cfg(feature = "client")]
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

mod certificate;
mod fetch;
mod forms;
mod portfolio;
mod reads;
mod server;
mod stream;
mod tls;
mod writes;
