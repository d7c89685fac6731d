//! The book of one instrument: the accounts' orders in price-time priority, and the strangers' depth.

use chrono::NaiveDate;
use tandem_domain::order::Side;
use tandem_domain::price::Price;

use super::ladder::Ladder;
use super::market::Tick;
use super::order::SimOrder;
use super::settings::Depth;

/// Orders are indexes into the exchange's list.
#[derive(Debug, Default)]
pub(super) struct Book {
    bids: Vec<usize>,
    asks: Vec<usize>,
    /// Stops waiting for their trigger, in the order they came.
    stops: Vec<usize>,
    pub(super) ladder: Ladder,
    /// Whether the ladder was built since the depth was set.
    pub(super) ladder_built: bool,
    /// For which day and tick the book was last looked at; none when it must be looked at again.
    pub(super) ladder_at: Option<(NaiveDate, Option<Tick>)>,
    /// The ladder's rank in time among orders at one price.
    pub(super) ladder_priority: u64,
    /// Depth of this instrument; none for the exchange's default.
    pub(super) depth: Option<Depth>,
    /// Last price set by hand.
    pub(super) pinned_price: Option<Price>,
    /// Lowest and highest price of an order, set by hand.
    pub(super) band: Option<(Price, Price)>,
}

impl Book {
    /// What stands in the exchange while somebody works on `book`: its price and band, nothing else.
    pub(super) fn stand_in(book: &Self) -> Self {
        Self { pinned_price: book.pinned_price, band: book.band, ..Self::default() }
    }

    /// Whether an order rests or waits here.
    pub(super) fn has_orders(&self) -> bool {
        !(self.bids.is_empty() && self.asks.is_empty() && self.stops.is_empty())
    }

    /// The resting orders of a side, first to trade first.
    pub(super) fn resting(&self, side: Side) -> &[usize] {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    pub(super) fn stops(&self) -> &[usize] {
        &self.stops
    }

    /// Lets an order rest at its place: better price first, then the earlier.
    pub(super) fn rest(&mut self, index: usize, orders: &[SimOrder]) {
        let order = &orders[index];
        let side = order.terms.side;
        let (price, priority) = (order.working_price, order.priority);
        let queue = match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        let at = queue.partition_point(|other| {
            let other = &orders[*other];
            let better = match side {
                Side::Buy => other.working_price > price,
                Side::Sell => other.working_price < price,
            };
            better || (other.working_price == price && other.priority < priority)
        });
        queue.insert(at, index);
    }

    /// Lets a stop wait for its trigger.
    pub(super) fn wait(&mut self, index: usize) {
        self.stops.push(index);
    }

    /// Takes an order out, wherever it is.
    pub(super) fn remove(&mut self, index: usize) {
        for queue in [&mut self.bids, &mut self.asks, &mut self.stops] {
            queue.retain(|other| *other != index);
        }
    }
}
