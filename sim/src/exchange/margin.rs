//! What positions and orders hold of an account's money: a pure function of both, so that nothing can leak.
//!
//! Bought options hold their premium, short ones and futures a share of the spot's previous close. A long option of
//! the same underlying, expiry and side makes a short one cheaper, but only once it is filled.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use tandem_domain::instrument::{InstrumentKey, InstrumentKind, OptionType};
use tandem_domain::order::{Product, Side};
use tandem_domain::price::{Money, Price};

use super::account::SimPosition;
use super::universe::Contract;

/// Of the spot, for each unit short or in a future.
const MARGIN_PERCENT: i64 = 12;
/// Of the spot, for each short unit that a long one covers.
const HEDGED_PERCENT: i64 = 4;
/// Of the value, for shares bought or sold within the day.
const INTRADAY_PERCENT: i64 = 20;
/// Of the value, for shares on the broker's credit.
const MTF_PERCENT: i64 = 25;

/// What `POST /margincalculator` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarginEstimate {
    /// What the orders would hold in all: premium, or the short margin.
    pub total: Money,
    /// The account's free money.
    pub available: Money,
    /// What is missing; zero when nothing is.
    pub insufficient: Money,
}

/// An order's part that can still fill.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demand<'a> {
    pub(super) contract: &'a Contract,
    pub(super) product: Product,
    pub(super) side: Side,
    pub(super) quantity: i64,
    pub(super) price: Price,
}

/// A position with its contract and the previous close of its spot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held<'a> {
    pub(super) contract: &'a Contract,
    pub(super) position: &'a SimPosition,
}

type HedgeGroup = (usize, Option<NaiveDate>, OptionType);

/// Adds up what is held in reserve.
pub(super) struct Reserve<'a> {
    /// Previous close of each spot path, in 1/10,000 rupee.
    spots: &'a dyn Fn(&Contract) -> i64,
    total: i128,
    /// Units of each position that orders may still close.
    closable: BTreeMap<(InstrumentKey, Product), i64>,
    /// Long units that no short one has claimed.
    hedges: BTreeMap<HedgeGroup, i64>,
}

impl<'a> Reserve<'a> {
    /// What the positions hold.
    pub(super) fn of_positions(held: &[Held<'_>], spots: &'a dyn Fn(&Contract) -> i64) -> Self {
        let mut reserve = Self { spots, total: 0, closable: BTreeMap::new(), hedges: BTreeMap::new() };
        for row in held {
            let net = row.position.net();
            reserve.closable.insert((row.contract.key, row.position.product), net);
            if let Some(group) = hedge_group(row.contract).filter(|_| net > 0) {
                *reserve.hedges.entry(group).or_default() += net;
            }
        }
        for row in held {
            let net = row.position.net();
            let side = if net > 0 { Side::Buy } else { Side::Sell };
            let value = row.position.open_value.units();
            reserve.open(row.contract, row.position.product, side, net.abs(), value);
        }
        reserve
    }

    /// Adds what an order holds beyond what it closes. Orders come in the order they were taken.
    pub(super) fn add(&mut self, demand: &Demand<'_>) {
        let closable = self.closable.entry((demand.contract.key, demand.product)).or_default();
        let closing = match demand.side {
            Side::Buy => demand.quantity.min((-*closable).max(0)),
            Side::Sell => demand.quantity.min((*closable).max(0)),
        };
        *closable += if demand.side == Side::Buy { closing } else { -closing };
        let opening = demand.quantity - closing;
        let value = demand.price.units().saturating_mul(opening);
        self.open(demand.contract, demand.product, demand.side, opening, value);
    }

    /// What is held in all.
    pub(super) fn total(&self) -> Money {
        Money::from_units(i64::try_from(self.total).unwrap_or(i64::MAX))
    }

    fn open(&mut self, contract: &Contract, product: Product, side: Side, quantity: i64, value: i64) {
        let value = i128::from(value);
        self.total += match (contract.kind, side) {
            (InstrumentKind::IndexOption, Side::Buy) => value,
            (InstrumentKind::IndexOption, Side::Sell) => self.short(contract, quantity),
            (InstrumentKind::IndexFuture, _) => self.spot_share(contract, quantity, MARGIN_PERCENT),
            _ => match (product, side) {
                (Product::Cnc, Side::Sell) => 0,
                (Product::Cnc, Side::Buy) => value,
                (Product::Mtf, _) => value * i128::from(MTF_PERCENT) / 100,
                _ => value * i128::from(INTRADAY_PERCENT) / 100,
            },
        };
    }

    fn short(&mut self, contract: &Contract, quantity: i64) -> i128 {
        let hedged = hedge_group(contract).and_then(|group| self.hedges.get_mut(&group)).map_or(0, |free| {
            let used = quantity.min(*free);
            *free -= used;
            used
        });
        self.spot_share(contract, hedged, HEDGED_PERCENT)
            + self.spot_share(contract, quantity - hedged, MARGIN_PERCENT)
    }

    fn spot_share(&self, contract: &Contract, quantity: i64, percent: i64) -> i128 {
        i128::from((self.spots)(contract)) * i128::from(quantity) * i128::from(percent) / 100
    }
}

fn hedge_group(contract: &Contract) -> Option<HedgeGroup> {
    contract.option.map(|option| (contract.path, contract.expiry, option.option_type))
}
