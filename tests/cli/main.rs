//! The built binary's command line: bad settings, version, status, explain, halt, preview, storage, verify, the
//! simulator, and checks against it and nobody; and the pages on risk, on promises and on exit codes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod check;

mod bad_settings;
mod exit_codes;
mod explain;
mod halt;
mod incidents;
mod made;
mod preview;
mod program;
mod promises_page;
mod risk_page;
mod simulator;
mod status;
mod storage;
mod verify;
mod version;
