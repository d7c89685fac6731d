//! The depth of an instrument besides the accounts' orders: finite, and used up by what trades against it.

use tandem_domain::order::Side;
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;

use super::market::{Market, SALT_DEPTH, Tick, hash};
use super::settings::{Depth, Level};
use super::universe::Contract;

/// Levels of synthetic depth on a side.
const LEVELS: u64 = 5;
/// Enough for every order there can be.
const UNLIMITED: Quantity = Quantity::new(u32::MAX);

/// What strangers offer on both sides, best first, less what was used up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ladder {
    bids: Vec<Level>,
    asks: Vec<Level>,
    unlimited: bool,
}

impl Ladder {
    /// The depth of a contract at a tick around a last price.
    pub(super) fn build(
        depth: &Depth,
        market: &Market,
        contract: &Contract,
        tick: Tick,
        last: Price,
    ) -> Self {
        match depth {
            Depth::Synthetic => Self::synthetic(market, contract, tick, last),
            Depth::Capped(cap) => {
                let mut ladder = Self::synthetic(market, contract, tick, last);
                cut(&mut ladder.bids, *cap);
                cut(&mut ladder.asks, *cap);
                ladder
            }
            Depth::Unlimited => {
                let level = vec![Level { price: last, quantity: UNLIMITED }];
                Self { bids: level.clone(), asks: level, unlimited: true }
            }
            Depth::Fixed { bids, asks } => Self { bids: bids.clone(), asks: asks.clone(), unlimited: false },
        }
    }

    fn synthetic(market: &Market, contract: &Contract, tick: Tick, last: Price) -> Self {
        let draw = market.draw(contract, SALT_DEPTH, tick);
        let step = contract.tick.units().max(1);
        let lot = u64::from(contract.lot_size.get());
        // Shares trade one by one: a "lot" of depth is 25 of them.
        let parcel = if lot == 1 { 25 } else { lot };
        // Dear contracts have wider spreads: a tick for each 0.05 % of the price.
        let wide = last.units() / 2000 / step;
        let levels = |side: u64, direction: i64| {
            let mut distance = i64::try_from(hash(&[draw, side]) % 2).unwrap_or(0) + 1 + wide / 2;
            let mut levels = Vec::new();
            for level in 0..LEVELS {
                let random = hash(&[draw, side, level]);
                let parcels = 1 + random % (6 + 5 * level);
                let price = Price::from_units(last.units() + direction * distance * step);
                let quantity = u32::try_from(parcels * parcel).unwrap_or(u32::MAX);
                levels.extend(
                    price
                        .filter(|price| !price.is_zero())
                        .map(|price| Level { price, quantity: Quantity::new(quantity) }),
                );
                distance += 1 + i64::try_from((random >> 32) % 2).unwrap_or(0) + wide / 4;
            }
            levels
        };
        Self { bids: levels(0, -1), asks: levels(1, 1), unlimited: false }
    }

    /// What an order of `side` would trade with first.
    pub(super) fn best_against(&self, side: Side) -> Option<Level> {
        self.against(side).first().copied()
    }

    /// The levels an order of `side` would trade with, best first.
    pub(super) fn against(&self, side: Side) -> &[Level] {
        match side {
            Side::Buy => &self.asks,
            Side::Sell => &self.bids,
        }
    }

    /// Takes a quantity off the best level against `side`; never more than is there.
    pub(super) fn take(&mut self, side: Side, quantity: Quantity) {
        if self.unlimited {
            return;
        }
        let levels = match side {
            Side::Buy => &mut self.asks,
            Side::Sell => &mut self.bids,
        };
        if let Some(best) = levels.first_mut() {
            best.quantity = best.quantity.saturating_sub(quantity);
            if best.quantity.is_zero() {
                levels.remove(0);
            }
        }
    }
}

fn cut(levels: &mut Vec<Level>, cap: Quantity) {
    let mut left = cap;
    for level in levels.iter_mut() {
        level.quantity = Quantity::new(level.quantity.get().min(left.get()));
        left = left.saturating_sub(level.quantity);
    }
    levels.retain(|level| !level.quantity.is_zero());
}
