//! Market quotes over REST (`dhanhq-v2.md` section 7.1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::scalar::Decimal;

/// Body of the quote calls: segment to numbers of instruments, at most 1000 in all.
pub type QuoteRequest = BTreeMap<String, Vec<u32>>;

/// Answer of the quote calls: segment to instrument (a text of digits) to quote. Unknown instruments are left out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct QuoteAnswer<T> {
    /// By segment, then by security id.
    #[serde(default = "BTreeMap::new")]
    pub data: BTreeMap<String, BTreeMap<String, T>>,
    /// `success`.
    #[serde(default)]
    pub status: String,
}

/// Of `POST /marketfeed/ltp`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LastPriceQuote {
    /// Rupees.
    pub last_price: Decimal,
}

/// The day's prices; `close` is yesterday's while the market is open.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Ohlc {
    /// Rupees.
    pub open: Decimal,
    /// Rupees.
    pub close: Decimal,
    /// Rupees.
    pub high: Decimal,
    /// Rupees.
    pub low: Decimal,
}

/// Of `POST /marketfeed/ohlc`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OhlcQuote {
    /// Rupees.
    pub last_price: Decimal,
    /// The day's prices.
    pub ohlc: Ohlc,
}

/// One price level.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DepthLevel {
    /// Units.
    pub quantity: i64,
    /// Orders.
    pub orders: i64,
    /// Rupees.
    pub price: Decimal,
}

/// Five levels a side, padded with zeros.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DepthSides {
    /// Best first.
    pub buy: Vec<DepthLevel>,
    /// Best first.
    pub sell: Vec<DepthLevel>,
}

/// Of `POST /marketfeed/quote`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FullQuote {
    /// Rupees.
    pub average_price: Decimal,
    /// Units bid.
    pub buy_quantity: i64,
    /// Units offered.
    pub sell_quantity: i64,
    /// Five levels a side.
    pub depth: DepthSides,
    /// Rupees.
    pub last_price: Decimal,
    /// Units.
    pub last_quantity: i64,
    /// `DD/MM/YYYY HH:MM:SS`; `01/01/1980 00:00:00` if none.
    pub last_trade_time: String,
    /// Rupees.
    pub lower_circuit_limit: Decimal,
    /// Rupees.
    pub upper_circuit_limit: Decimal,
    /// Rupees.
    pub net_change: Decimal,
    /// The day's prices.
    pub ohlc: Ohlc,
    /// Open interest.
    pub oi: i64,
    /// Open interest.
    pub oi_day_high: i64,
    /// Open interest.
    pub oi_day_low: i64,
    /// Units traded today.
    pub volume: i64,
}
