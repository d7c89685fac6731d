//! When exchanges trade: sessions by segment, holidays, special sessions, rules of the day of expiry.

/// Sessions and holidays, from a file (`config/nse-holidays.toml`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {}
