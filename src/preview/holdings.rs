//! What an account holds, what it paid for it, and what it made of it.

use std::collections::BTreeMap;

use tandem_domain::instrument::InstrumentKey;
use tandem_domain::order::Product;
use tandem_domain::price::{Money, Price};

/// The last price known of each instrument.
#[derive(Debug, Default)]
pub(super) struct Tape(BTreeMap<InstrumentKey, Price>);

impl Tape {
    pub(super) fn last(&self, instrument: InstrumentKey) -> Option<Price> {
        self.0.get(&instrument).copied()
    }

    pub(super) fn print(&mut self, instrument: InstrumentKey, price: Price) {
        self.0.insert(instrument, price);
    }
}

/// The holdings of one account.
#[derive(Debug, Default)]
pub(super) struct Holdings(BTreeMap<InstrumentKey, Line>);

/// One instrument. Money is in 1/10,000 rupee.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Units held, signed.
    pub(super) units: i64,
    /// What they were bought for; negative for what was sold short.
    cost: i128,
    /// What was made by closing.
    realised: i128,
    /// Units of it by the product they are held in.
    pub(super) by_product: BTreeMap<Product, i64>,
    /// Units that were held before the day and have no price yet.
    is_unvalued: bool,
}

/// How many units of a fill closed what was held, and how many opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) closed: u32,
    pub(super) opened: u32,
}

impl Parts {
    /// Of `units` traded on the side `sign` where `held` units are held.
    pub(super) fn of(held: i64, sign: i64, units: u32) -> Self {
        let closable = if held.signum() == -sign { held.unsigned_abs() } else { 0 };
        let closed = units.min(u32::try_from(closable).unwrap_or(u32::MAX));
        Self { closed, opened: units - closed }
    }
}

impl Holdings {
    pub(super) fn units(&self, instrument: InstrumentKey) -> i64 {
        self.0.get(&instrument).map_or(0, |line| line.units)
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = (InstrumentKey, &Line)> {
        self.0.iter().map(|(key, line)| (*key, line))
    }

    /// What was held before the day. It counts from the first price that is known of it.
    pub(super) fn carry(&mut self, instrument: InstrumentKey, product: Product, units: i64) {
        let line = self.0.entry(instrument).or_default();
        line.units += units;
        line.is_unvalued = line.units != 0;
        *line.by_product.entry(product).or_default() += units;
    }

    /// A price is known of it.
    pub(super) fn mark(&mut self, instrument: InstrumentKey, price: Price) {
        if let Some(line) = self.0.get_mut(&instrument)
            && line.is_unvalued
        {
            line.cost = i128::from(line.units) * i128::from(price.units());
            line.is_unvalued = false;
        }
    }

    /// A fill of signed units.
    pub(super) fn fill(
        &mut self,
        instrument: InstrumentKey,
        product: Product,
        units: i64,
        price: Price,
    ) -> Parts {
        self.mark(instrument, price);
        let line = self.0.entry(instrument).or_default();
        let count = u32::try_from(units.unsigned_abs()).unwrap_or(u32::MAX);
        let parts = Parts::of(line.units, units.signum(), count);
        let (sign, price) = (i128::from(units.signum()), i128::from(price.units()));
        if parts.closed > 0 {
            let closed = i128::from(parts.closed);
            let cost = line.cost * closed / i128::from(line.units.unsigned_abs());
            line.realised -= cost + sign * closed * price;
            line.cost -= cost;
        }
        line.cost += sign * i128::from(parts.opened) * price;
        line.units += units;
        *line.by_product.entry(product).or_default() += units;
        parts
    }

    /// Profit that was made by closing.
    pub(super) fn realised(&self) -> Money {
        self.0.values().fold(Money::ZERO, |sum, line| sum.plus(line.realised()))
    }

    /// Profit on paper, at the last prices known.
    pub(super) fn unrealised(&self, tape: &Tape) -> Money {
        let of = |(key, line): (InstrumentKey, &Line)| line.unrealised(tape.last(key));
        self.lines().map(of).fold(Money::ZERO, Money::plus)
    }
}

impl Line {
    pub(super) fn realised(&self) -> Money {
        money(self.realised)
    }

    /// At this price; nothing where none is known.
    pub(super) fn unrealised(&self, price: Option<Price>) -> Money {
        let Some(price) = price.filter(|_| !self.is_unvalued) else { return Money::ZERO };
        money(i128::from(self.units) * i128::from(price.units()) - self.cost)
    }

    /// The average price of what is held.
    pub(super) fn average(&self) -> Option<Price> {
        if self.units == 0 || self.is_unvalued {
            return None;
        }
        i64::try_from(self.cost / i128::from(self.units)).ok().and_then(Price::from_units)
    }
}

fn money(units: i128) -> Money {
    let bounded = units.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    Money::from_units(i64::try_from(bounded).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tandem_domain::instrument::{ExchangeSegment, SecurityId};

    const KEY: InstrumentKey =
        InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(43_125) };

    fn rupees(rupees: u32) -> Price {
        Price::from_paise(rupees * 100)
    }

    #[test]
    fn profit_by_hand_through_a_flip() {
        let (mut held, mut tape) = (Holdings::default(), Tape::default());
        let mut fill = |units, price| held.fill(KEY, Product::Margin, units, rupees(price));
        // 130 at 100, 130 at 110: 260 at 105 on average.
        assert_eq!(fill(130, 100), Parts { closed: 0, opened: 130 });
        assert_eq!(fill(130, 110), Parts { closed: 0, opened: 130 });
        // Sells 325 at 120: closes 260 for 15 each, 3,900; opens 65 short.
        assert_eq!(fill(-325, 120), Parts { closed: 260, opened: 65 });
        assert_eq!(held.realised(), Money::from_rupees(3_900));
        tape.print(KEY, rupees(118));
        assert_eq!(held.unrealised(&tape), Money::from_rupees(130));
        assert_eq!(held.units(KEY), -65);
    }

    #[test]
    fn what_was_held_before_counts_from_its_first_price() {
        let (mut held, mut tape) = (Holdings::default(), Tape::default());
        held.carry(KEY, Product::Margin, 65);
        assert_eq!(held.unrealised(&tape), Money::ZERO);
        tape.print(KEY, rupees(90));
        held.mark(KEY, rupees(90));
        held.fill(KEY, Product::Margin, -65, rupees(95));
        assert_eq!((held.realised(), held.unrealised(&tape)), (Money::from_rupees(325), Money::ZERO));
    }
}
