//! One account: its positions, holdings and what it holds in reserve for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tandem_domain::instrument::InstrumentKey;
use tandem_domain::order::{Product, Side};
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::Quantity;

use super::limits::WriteHistory;
use super::order::average;
use super::settings::{AccountSettings, CarriedPosition, OverlappingExits};

/// One row of `GET /positions`: one instrument in one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimPosition {
    /// The instrument.
    pub instrument: InstrumentKey,
    /// The product.
    pub product: Product,
    /// Units brought in from earlier days, signed.
    pub carried: i64,
    /// What they cost or brought, never negative.
    pub carried_value: Money,
    /// Units bought today.
    pub day_buy_quantity: i64,
    /// Their value.
    pub day_buy_value: Money,
    /// Units sold today.
    pub day_sell_quantity: i64,
    /// Their value.
    pub day_sell_value: Money,
    /// What the open units cost or brought, never negative.
    pub open_value: Money,
    /// Profit of what was closed today.
    pub realised: Money,
}

impl SimPosition {
    pub(super) const fn new(instrument: InstrumentKey, product: Product) -> Self {
        Self {
            instrument,
            product,
            carried: 0,
            carried_value: Money::ZERO,
            day_buy_quantity: 0,
            day_buy_value: Money::ZERO,
            day_sell_quantity: 0,
            day_sell_value: Money::ZERO,
            open_value: Money::ZERO,
            realised: Money::ZERO,
        }
    }

    /// Bought minus sold, signed.
    pub const fn net(&self) -> i64 {
        self.carried + self.day_buy_quantity - self.day_sell_quantity
    }

    /// Profit on paper with the last price at `last`.
    pub fn unrealised(&self, last: Price) -> Money {
        let net = self.net();
        let worth = Money::from_units(last.units().saturating_mul(net.abs()));
        if net >= 0 { worth.minus(self.open_value) } else { self.open_value.minus(worth) }
    }

    /// Average price of all bought, carried included.
    pub fn buy_average(&self) -> Price {
        let (quantity, value) = if self.carried > 0 {
            (self.day_buy_quantity + self.carried, self.day_buy_value.plus(self.carried_value))
        } else {
            (self.day_buy_quantity, self.day_buy_value)
        };
        average(value, quantity)
    }

    /// Average price of all sold, carried included.
    pub fn sell_average(&self) -> Price {
        let (quantity, value) = if self.carried < 0 {
            (self.day_sell_quantity - self.carried, self.day_sell_value.plus(self.carried_value))
        } else {
            (self.day_sell_quantity, self.day_sell_value)
        };
        average(value, quantity)
    }

    /// Average price of what is open.
    pub fn cost_price(&self) -> Price {
        average(self.open_value, self.net().abs())
    }

    /// A row brought in from before today.
    pub(super) fn brought_in(held: &CarriedPosition) -> Self {
        let value = Money::from_units(held.price.units().saturating_mul(held.units.abs()));
        Self {
            carried: held.units,
            carried_value: value,
            open_value: value,
            ..Self::new(held.instrument, held.product)
        }
    }

    /// Counts a fill in.
    pub(super) fn fill(&mut self, side: Side, quantity: Quantity, price: Price) {
        self.count(side, quantity.get().into(), price.notional(quantity));
    }

    /// Moves open units to another row at exactly what they cost: nothing is earned or lost by it.
    pub(super) fn hand_over(&mut self, units: i64, to: &mut Self) {
        let net = self.net();
        let side = if net > 0 { Side::Buy } else { Side::Sell };
        let value = share(self.open_value, units, net.abs());
        self.count(side.opposite(), units, value);
        to.count(side, units, value);
    }

    /// Counts units and their value in. What closes takes its share of the open value with it, the last unit all that
    /// is left.
    fn count(&mut self, side: Side, units: i64, value: Money) {
        let net = self.net();
        let against = (side == Side::Buy) != (net > 0) && net != 0;
        if against {
            let closing = units.min(net.abs());
            let released = share(self.open_value, closing, net.abs());
            let traded = share(value, closing, units);
            let profit = if net > 0 { traded.minus(released) } else { released.minus(traded) };
            self.realised = self.realised.plus(profit);
            self.open_value = self.open_value.minus(released).plus(value.minus(traded));
        } else {
            self.open_value = self.open_value.plus(value);
        }
        match side {
            Side::Buy => {
                self.day_buy_quantity += units;
                self.day_buy_value = self.day_buy_value.plus(value);
            }
            Side::Sell => {
                self.day_sell_quantity += units;
                self.day_sell_value = self.day_sell_value.plus(value);
            }
        }
    }

    /// The row at the start of the next day.
    fn carried_over(&self) -> Self {
        Self {
            carried: self.net(),
            carried_value: self.open_value,
            open_value: self.open_value,
            ..Self::new(self.instrument, self.product)
        }
    }
}

/// `part` of `whole` units' value, rounded down; all of it for the whole.
fn share(value: Money, part: i64, whole: i64) -> Money {
    let units = i128::from(value.units()) * i128::from(part) / i128::from(whole.max(1));
    Money::from_units(i64::try_from(units).unwrap_or(i64::MAX))
}

/// One row of `GET /holdings`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimHolding {
    /// The share.
    pub instrument: InstrumentKey,
    /// Shares held at the start of the day.
    pub quantity: Quantity,
    /// What they cost, each.
    pub average_cost: Price,
}

/// An account and everything the broker keeps for it.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) settings: AccountSettings,
    /// Money at the start of the day.
    pub(super) capital: Money,
    /// Money paid in today, less what was paid out.
    pub(super) paid_in: Money,
    pub(super) positions: BTreeMap<(InstrumentKey, Product), SimPosition>,
    pub(super) holdings: BTreeMap<InstrumentKey, SimHolding>,
    /// All orders ever, by their index in the exchange.
    pub(super) orders: Vec<usize>,
    /// Those still working, in the order they were taken.
    pub(super) open: BTreeSet<usize>,
    pub(super) writes: WriteHistory,
    /// Fault: so many placements to come are rejected with this text.
    pub(super) rejections: (u32, Arc<str>),
    /// Fault: so many changes to come are taken and come to nothing.
    pub(super) void_changes: u32,
    /// Fault: so much of the next order cancelled fills after its end, so much later.
    pub(super) late_fill: Option<(Quantity, Duration)>,
    /// Fault: how late new orders show in reads.
    pub(super) visibility_delay: Duration,
    /// What becomes of an exit beside others for the same units.
    pub(super) overlapping_exits: OverlappingExits,
    /// The owner's kill switch at the broker; ends with the day.
    pub(super) kill_switch: bool,
}

impl Account {
    pub(super) fn new(settings: AccountSettings) -> Self {
        let holdings = settings.holdings.iter().map(|held| {
            let instrument = held.instrument();
            let row = SimHolding { instrument, quantity: held.quantity, average_cost: held.average_cost };
            (instrument, row)
        });
        Self {
            capital: settings.capital,
            paid_in: Money::ZERO,
            positions: BTreeMap::new(),
            holdings: holdings.collect(),
            orders: Vec::new(),
            open: BTreeSet::new(),
            writes: WriteHistory::default(),
            rejections: (0, "".into()),
            void_changes: 0,
            late_fill: None,
            visibility_delay: Duration::ZERO,
            overlapping_exits: settings.overlapping_exits,
            kill_switch: false,
            settings,
        }
    }

    pub(super) fn net(&self, instrument: InstrumentKey, product: Product) -> i64 {
        self.positions.get(&(instrument, product)).map_or(0, SimPosition::net)
    }

    pub(super) fn position(&mut self, instrument: InstrumentKey, product: Product) -> &mut SimPosition {
        self.positions.entry((instrument, product)).or_insert_with(|| SimPosition::new(instrument, product))
    }

    /// Shares that can be sold for delivery: holdings and today's delivery purchases, less today's sales.
    pub(super) fn deliverable(&self, instrument: InstrumentKey) -> i64 {
        let held = self.holdings.get(&instrument).map_or(0, |row| i64::from(row.quantity.get()));
        held + self.net(instrument, Product::Cnc)
    }

    /// What the day has brought so far.
    pub(super) fn realised(&self) -> Money {
        self.positions.values().fold(Money::ZERO, |sum, row| sum.plus(row.realised))
    }

    /// All money there is, what is held in reserve included.
    pub(super) fn money(&self) -> Money {
        self.capital.plus(self.paid_in).plus(self.realised())
    }

    /// The end of the day: payments and profits become capital, deliveries holdings, open positions carried ones.
    pub(super) fn roll(&mut self) {
        self.capital = self.money();
        self.paid_in = Money::ZERO;
        self.kill_switch = false;
        let deliveries: Vec<SimPosition> =
            self.positions.values().filter(|row| row.product == Product::Cnc).copied().collect();
        for row in deliveries {
            self.settle_delivery(&row);
        }
        self.positions.retain(|_, row| row.net() != 0 && row.product != Product::Cnc);
        for row in self.positions.values_mut() {
            *row = row.carried_over();
        }
    }

    fn settle_delivery(&mut self, row: &SimPosition) {
        let net = row.net();
        let held = self.holdings.get(&row.instrument).copied();
        let before = held.map_or(0, |held| i64::from(held.quantity.get()));
        let cost_before = held.map_or(Money::ZERO, |held| held.average_cost.notional(held.quantity));
        let average_cost = if net > 0 {
            self.capital = self.capital.minus(row.open_value);
            average(cost_before.plus(row.open_value), before + net)
        } else {
            self.capital = self.capital.plus(row.open_value);
            held.map_or(Price::ZERO, |held| held.average_cost)
        };
        match u32::try_from(before + net) {
            Ok(quantity) if quantity > 0 => {
                let quantity = Quantity::new(quantity);
                let row = SimHolding { instrument: row.instrument, quantity, average_cost };
                self.holdings.insert(row.instrument, row);
            }
            _ => {
                self.holdings.remove(&row.instrument);
            }
        }
    }
}
