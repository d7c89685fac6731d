//! Fills that the trade book tells and the order book does not (P9): both are the broker's, and each may lag behind.

use std::collections::{BTreeMap, HashSet};

use crate::ids::{BrokerOrderId, ClientOrderId};
use crate::order::TradeReport;
use crate::price::Price;
use crate::quantity::Quantity;
use crate::time::Timestamp;

/// An order of ours, as the rows have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::follower) struct Known {
    pub(in crate::follower) client_order_id: ClientOrderId,
    /// What was ordered: no more is taken from the trade book. That more was filled only the order book says.
    pub(in crate::follower) quantity: Quantity,
    /// What is filled.
    pub(in crate::follower) cumulative: Quantity,
}

/// An order of which the trade book tells more than the rows do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::follower) struct Untold {
    pub(in crate::follower) client_order_id: ClientOrderId,
    /// What is filled by the trade book.
    pub(in crate::follower) cumulative: Quantity,
    /// At which average.
    pub(in crate::follower) average_price: Price,
    /// When the newest of it was filled.
    pub(in crate::follower) ts_event: Timestamp,
}

/// One order's fills added up.
#[derive(Debug, Default)]
struct Sum {
    units: u64,
    /// Price units times units.
    worth: i128,
    newest: Option<Timestamp>,
}

/// The orders of which these trades tell more than is known, in the order of their broker ids. `known`: an order of ours, by
/// the broker's id. A trade that comes twice counts once.
pub(in crate::follower) fn untold(
    trades: &[TradeReport],
    known: impl Fn(&BrokerOrderId) -> Option<Known>,
) -> Vec<Untold> {
    let mut seen = HashSet::new();
    let mut sums: BTreeMap<&BrokerOrderId, Sum> = BTreeMap::new();
    for trade in trades.iter().filter(|trade| seen.insert((&trade.broker_order_id, &trade.trade_id))) {
        let sum = sums.entry(&trade.broker_order_id).or_default();
        sum.units += u64::from(trade.quantity.get());
        sum.worth += i128::from(trade.price.units()) * i128::from(trade.quantity.get());
        sum.newest = sum.newest.max(Some(trade.ts_event));
    }
    let more = |(order, sum): (&BrokerOrderId, Sum)| {
        let Known { client_order_id, quantity, cumulative } = known(order)?;
        let filled = Quantity::new(u32::try_from(sum.units).unwrap_or(u32::MAX)).min(quantity);
        let average = i64::try_from(sum.worth / i128::from(sum.units.max(1))).ok()?;
        (filled > cumulative).then_some(Untold {
            client_order_id,
            cumulative: filled,
            average_price: Price::from_units(average)?,
            ts_event: sum.newest?,
        })
    };
    sums.into_iter().filter_map(more).collect()
}
