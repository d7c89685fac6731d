//! What the broker says of an account: funds and positions.

use serde::{Deserialize, Serialize};

use crate::instrument::InstrumentKey;
use crate::order::Product;
use crate::price::{Money, Price};
use crate::quantity::SignedQuantity;
use crate::time::Timestamp;

/// An account's funds (`GET /fundlimit`, `dhanhq-v2.md` section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funds {
    /// What can be traded with now (`availabelBalance`, the broker's spelling).
    pub available: Money,
    /// What open orders and positions hold.
    pub utilised: Money,
    /// Balance at the start of the day, as the broker counts it.
    pub start_of_day: Money,
    /// Collateral included in `available`.
    pub collateral: Money,
    /// What could be paid out.
    pub withdrawable: Money,
}

impl Funds {
    /// Available plus utilised: the capital an account works with.
    pub const fn total(&self) -> Money {
        self.available.plus(self.utilised)
    }
}

/// One position (`GET /positions`, section 4.5): one row for each instrument and product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionReport {
    /// The instrument.
    pub instrument: InstrumentKey,
    /// The product it is held in.
    pub product: Product,
    /// Bought minus sold, signed.
    pub net: SignedQuantity,
    /// What of it was held before today: carried forward bought minus carried forward sold, signed.
    pub carried: SignedQuantity,
    /// Average price bought at.
    pub buy_average: Price,
    /// Average price sold at.
    pub sell_average: Price,
    /// Profit already made today.
    pub realised: Money,
    /// Profit on paper.
    pub unrealised: Money,
    /// When the broker was asked.
    pub ts_event: Timestamp,
}
