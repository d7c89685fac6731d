//! The built binary's command line: bad settings, version, status, explain, halt, preview, storage, verify, the
//! simulator, and checks against it and nobody; and the pages on risk and on promises.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod check;

mod bad_settings;
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
