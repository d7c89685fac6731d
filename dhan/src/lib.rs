//! The DhanHQ v2 wire and nothing else: structs as on the wire, codes, the one crossing into the domain, and (feature
//! `client`) REST and order-stream clients.
//!
//! Rooms:
//! - [`wire`]: serde structs, strings kept as strings, both directions (the simulator serves them).

pub mod wire;
