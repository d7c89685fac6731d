//! The leader's side of the day: how each of his orders came on, what he held, and what he paid.

use std::collections::HashMap;
use std::sync::Arc;

use tandem_domain::ids::BrokerOrderId;
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::leader::LeaderOrder;
use tandem_domain::order::Leg;
use tandem_domain::price::Price;

use super::holdings::{Holdings, Parts, Tape};

/// How an exit leg of a super order of his filled.
#[derive(Debug, Clone, Copy)]
pub(super) struct LegFills {
    pub(super) leg: Leg,
    pub(super) average: Price,
}

/// The leader while the day runs.
#[derive(Debug, Default)]
pub(super) struct Leading {
    orders: HashMap<BrokerOrderId, Arc<LeaderOrder>>,
    legs: HashMap<BrokerOrderId, LegFills>,
    pub(super) holdings: Holdings,
    pub(super) tape: Tape,
    pub(super) states: usize,
}

/// What a state of an order told beyond the one before.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub(super) order: Arc<LeaderOrder>,
    /// What it filled more, and at which price.
    pub(super) fill: Option<Traded>,
    /// What its exit legs closed more.
    pub(super) exit: Option<Traded>,
    /// Which of them did.
    pub(super) exit_leg: Leg,
}

/// Units that traded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traded {
    pub(super) price: Price,
    pub(super) parts: Parts,
    /// Units of the instrument that the leader held before, signed.
    pub(super) held_before: i64,
}

impl Leading {
    pub(super) fn new(legs: HashMap<BrokerOrderId, LegFills>) -> Self {
        Self { legs, ..Self::default() }
    }

    pub(super) fn order(&self, id: &BrokerOrderId) -> Option<&Arc<LeaderOrder>> {
        self.orders.get(id)
    }

    pub(super) fn orders(&self) -> impl Iterator<Item = &Arc<LeaderOrder>> {
        self.orders.values()
    }

    /// Takes the next state in.
    pub(super) fn take(&mut self, order: &Arc<LeaderOrder>) -> News {
        self.states += 1;
        let before = self.orders.insert(order.broker_order_id.clone(), Arc::clone(order));
        let (filled, value) = before.as_ref().map_or((0, 0), |before| worth(before));
        let growth = order.cumulative.get().saturating_sub(filled);
        let fill = (growth > 0).then(|| {
            let price = price_of(worth(order).1 - value, growth).or_else(|| self.stand_in(order));
            self.trade(order, order.terms.side.sign(), growth, price.unwrap_or_default())
        });
        let exited = before.map_or(0, |before| before.exited.get());
        let growth = order.exited.get().saturating_sub(exited);
        let leg = self.legs.get(&order.broker_order_id).copied();
        let exit = (growth > 0).then(|| {
            let price = leg.map(|leg| leg.average).filter(|price| !price.is_zero());
            let price = price.or_else(|| self.stand_in(order)).unwrap_or_default();
            self.trade(order, -order.terms.side.sign(), growth, price)
        });
        let exit_leg = leg.map_or(Leg::Target, |leg| leg.leg);
        News { order: Arc::clone(order), fill, exit, exit_leg }
    }

    fn trade(&mut self, order: &LeaderOrder, sign: i64, units: u32, price: Price) -> Traded {
        let (instrument, product) = (order.terms.instrument, order.terms.product);
        let held_before = self.holdings.units(instrument);
        self.print(instrument, price);
        let parts = self.holdings.fill(instrument, product, sign * i64::from(units), price);
        Traded { price, parts, held_before }
    }

    /// A price of an instrument is known.
    pub(super) fn print(&mut self, instrument: InstrumentKey, price: Price) {
        if !price.is_zero() {
            self.tape.print(instrument, price);
            self.holdings.mark(instrument, price);
        }
    }

    /// For a fill whose average the recording does not tell.
    fn stand_in(&self, order: &LeaderOrder) -> Option<Price> {
        let limit = Some(order.terms.price).filter(|price| !price.is_zero());
        limit.or(order.last_price).or_else(|| self.tape.last(order.terms.instrument))
    }
}

/// Units filled, and what they are worth in all.
fn worth(order: &LeaderOrder) -> (u32, i128) {
    let units = order.cumulative.get();
    (units, i128::from(units) * i128::from(order.average_price.units()))
}

/// The price of so many units that are worth this together, to the nearest 1/10,000 rupee.
fn price_of(value: i128, units: u32) -> Option<Price> {
    let units = i128::from(units);
    let price = i64::try_from((value + units / 2).div_euclid(units)).ok().and_then(Price::from_units)?;
    (!price.is_zero()).then_some(price)
}
