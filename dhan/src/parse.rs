//! From the wire into the domain: the only crossing. What cannot be read is a [`WireError`] naming the field and, where
//! readable, the order; nothing is guessed. Times are Indian wall clock (`dhanhq-v2.md` section 2.6); the sentinel
//! `0001-01-01` and `NA` mean "none".

mod account;
mod fields;
mod forms;
mod order;

pub use account::{
    HoldingReport, IpReport, MarginReport, ProfileReport, funds, holding, ip_report, margin, position,
    profile,
};
pub use forms::{forever_row, super_row};
pub use order::{order_row, order_update, placed_status, trade_row};

pub use crate::wire::WireError;
