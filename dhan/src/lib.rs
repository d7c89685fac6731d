//! The DhanHQ v2 wire and nothing else: structs as on the wire, codes, the one crossing into the domain, and (feature
//! `client`) REST and order-stream clients.
//!
//! Rooms:
//! - [`wire`]: serde structs, strings kept as strings, both directions (the simulator serves them).
//! - [`codes`]: the letters and words of the wire against the domain's enums.
//! - [`parse`]: wire to domain, the only crossing; [`wire::WireError`] names the field.
//! - [`refusal`]: what a refusal means, by its text.
//! - [`instruments`]: the day's instrument file.
//! - [`token`]: where an access token comes from and when it ends.
//! - `rest`, `stream`, `fetch`, `tls` (feature `client`): one warm REST client and one order stream for each account.

pub mod codes;
#[cfg(feature = "client")]
pub mod fetch;
pub mod instruments;
pub mod parse;
pub mod refusal;
#[cfg(feature = "client")]
pub mod rest;
#[cfg(feature = "client")]
pub mod stream;
#[cfg(feature = "client")]
pub mod tls;
pub mod token;
pub mod wire;
