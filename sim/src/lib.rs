//! A Dhan anyone can run: accounts, option instruments, prices from a seed, a matching engine, margins and limits.
//!
//! [`exchange`] is the pure core: it knows no sockets and no wall clock. The server around it speaks the wire.

pub mod exchange;
