//! Tandem, the program: settings, command line, log lines, and the wiring of the actors.
//!
//! - [`settings`]: layers, schema, validation; every fault at once.
//! - [`cli`]: one module for each command, and the exit codes.
//! - [`control`]: the kill switch: the socket at which a running daemon is halted, and its other end.
//! - [`telemetry`]: structured log lines without secrets.
//! - [`wiring`]: actors from settings.
//! - [`demo`]: a whole simulated day in one command.
//! - [`preview`]: a recorded day of the leader's, run through the present settings without a broker.

pub mod cli;
pub mod control;
pub mod demo;
pub mod preview;
pub mod settings;
pub mod telemetry;
pub mod wiring;
