//! Fills that the trade book tells and the order book does not (P9): both are the broker's, and each may lag behind.

use crate::ids::{BrokerOrderId, ClientOrderId};
use crate::order::{Fills, TradeReport};
use crate::price::Price;
use crate::quantity::Quantity;
use crate::time::Timestamp;

/// An order of ours, as the rows have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::follower) struct Known {
    pub(in crate::follower) client_order_id: ClientOrderId,
    /// What was ordered.
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

/// The orders of which these trades tell more than is known, in the order of their broker ids. `known`: an order of ours, by
/// the broker's id.
pub(in crate::follower) fn untold(
    trades: &[TradeReport],
    known: impl Fn(&BrokerOrderId) -> Option<Known>,
) -> Vec<Untold> {
    let more = |(order, fills): (&BrokerOrderId, Fills)| {
        let Known { client_order_id, quantity, cumulative } = known(order)?;
        let filled = fills.cumulative(quantity);
        (filled > cumulative).then_some(Untold {
            client_order_id,
            cumulative: filled,
            average_price: fills.average_price()?,
            ts_event: fills.newest(),
        })
    };
    Fills::by_order(trades).into_iter().filter_map(more).collect()
}
