//! What the trade book tells of orders: their fills, added up.

use std::collections::{BTreeMap, HashSet};

use super::TradeReport;
use crate::ids::BrokerOrderId;
use crate::price::Price;
use crate::quantity::Quantity;
use crate::time::Timestamp;

/// The fills of one order, added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fills {
    units: u64,
    /// Price units times units.
    worth: i128,
    newest: Timestamp,
}

impl Fills {
    /// The fills of each order that these trades tell of. A trade that comes twice counts once (P9).
    pub fn by_order<'a>(
        trades: impl IntoIterator<Item = &'a TradeReport>,
    ) -> BTreeMap<&'a BrokerOrderId, Self> {
        let mut seen = HashSet::new();
        let mut fills: BTreeMap<&BrokerOrderId, Self> = BTreeMap::new();
        for trade in trades {
            if seen.insert((&trade.broker_order_id, &trade.trade_id)) {
                let nothing = Self { units: 0, worth: 0, newest: trade.ts_event };
                fills.entry(&trade.broker_order_id).or_insert(nothing).add(trade);
            }
        }
        fills
    }

    fn add(&mut self, trade: &TradeReport) {
        self.units += u64::from(trade.quantity.get());
        self.worth += i128::from(trade.price.units()) * i128::from(trade.quantity.get());
        self.newest = self.newest.max(trade.ts_event);
    }

    /// What is filled of an order of `ordered` units: no more than these. That more was filled only the order book says.
    pub fn cumulative(&self, ordered: Quantity) -> Quantity {
        Quantity::new(u32::try_from(self.units).unwrap_or(u32::MAX)).min(ordered)
    }

    /// At which average; none where no price can be that.
    pub fn average_price(&self) -> Option<Price> {
        Price::from_units(i64::try_from(self.worth / i128::from(self.units.max(1))).ok()?)
    }

    /// When the newest of it was filled.
    pub const fn newest(&self) -> Timestamp {
        self.newest
    }

    /// Whether more was filled by these than by others.
    pub const fn exceed(&self, others: &Self) -> bool {
        self.units > others.units
    }
}
