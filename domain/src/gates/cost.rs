//! What it costs to open something: the one measure of every cap on money, of margin and of what is held in reserve.
//!
//! A long option or share costs its price. A short option is measured by margin, not by the premium it brings: a share
//! of strike times units. So are futures, either way, and shares sold short, by a share of the price.

use crate::instrument::{Instrument, InstrumentKind};
use crate::order::Side;
use crate::policy::Bps;
use crate::price::{Money, Price};

/// What one unit costs, rounded up to 1/10,000 rupee. None where it needs a price or a strike that is not known.
pub fn unit_cost(
    side: Side,
    price: Option<Price>,
    instrument: &Instrument,
    short_margin: Bps,
) -> Option<Money> {
    let price = price.filter(|price| !price.is_zero());
    let margin_of = |price: Price| {
        let share = i128::from(price.units()) * i128::from(short_margin.get());
        let share = (share + i128::from(Bps::WHOLE) - 1) / i128::from(Bps::WHOLE);
        Money::from_units(i64::try_from(share).unwrap_or(i64::MAX))
    };
    let in_full = |price: Price| Money::from_units(price.units());
    match (instrument.kind, side) {
        (kind, Side::Sell) if kind.is_option() => {
            instrument.option.map(|option| option.strike).filter(|strike| !strike.is_zero()).map(margin_of)
        }
        (kind, Side::Buy) if kind.is_option() => price.map(in_full),
        (InstrumentKind::Equity, Side::Buy) => price.map(in_full),
        _ => price.map(margin_of),
    }
}

/// What options held of the same underlying, expiry and kind cover of a sale: then no more can be lost by it than the
/// distance of the strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cover {
    /// Units of the sale that they cover.
    pub units: u64,
    /// How far the strike of the furthest of them lies beyond that of the sale; zero where none does.
    pub width: Price,
}

impl Cover {
    /// Of the margin of an uncovered unit, the part that a cover does not lower, in percent. The broker splits margin in
    /// two, and of its sample the part that is not for the risk of the position is 22 % (`dhanhq-v2.md` section 4.2).
    const KEPT_PERCENT: i64 = 25;

    /// What a covered unit costs at most, where an uncovered one costs so much.
    pub const fn unit_cost(self, uncovered: Money) -> Money {
        let kept = uncovered.units().saturating_mul(Self::KEPT_PERCENT).saturating_add(99) / 100;
        let covered = kept.saturating_add(self.width.units());
        Money::from_units(if covered < uncovered.units() { covered } else { uncovered.units() })
    }

    /// What so many units cost, the covered ones first.
    pub fn cost(self, uncovered: Money, units: u64) -> Money {
        let covered = units.min(self.units);
        times(self.unit_cost(uncovered), covered).plus(times(uncovered, units - covered))
    }
}

/// What `units` cost; saturates at the end of the range. None where [`unit_cost`] is.
pub fn cost(
    side: Side,
    price: Option<Price>,
    units: u64,
    instrument: &Instrument,
    short_margin: Bps,
) -> Option<Money> {
    unit_cost(side, price, instrument, short_margin).map(|each| times(each, units))
}

/// The sum of so many of one amount; saturates.
pub(super) fn times(each: Money, units: u64) -> Money {
    Money::from_units(each.units().saturating_mul(i64::try_from(units).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::{ExchangeSegment, InstrumentKey, OptionContract, OptionType, SecurityId};
    use crate::quantity::LotSize;

    fn instrument(kind: InstrumentKind, strike: Option<u32>) -> Instrument {
        Instrument {
            key: InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(43_125) },
            kind,
            symbol: "NIFTY-Dec2026-26000-CE".into(),
            underlying: "NIFTY".into(),
            lot_size: LotSize::new(65).unwrap(),
            tick: Price::from_paise(5),
            expiry: None,
            option: strike.map(|rupees| OptionContract {
                option_type: OptionType::Call,
                strike: Price::from_paise(rupees * 100),
            }),
            freeze_quantity: None,
            band: None,
        }
    }

    #[test]
    fn longs_by_premium_shorts_by_margin() {
        use InstrumentKind::{Equity, IndexFuture, IndexOption};
        let share = Bps::new(1_500);
        let rupees = |rupees| Some(Money::from_rupees(rupees));
        for (kind, strike, side, paise, expected) in [
            // 65 x 100.
            (IndexOption, Some(26_000), Side::Buy, Some(10_000), rupees(6_500)),
            (IndexOption, Some(26_000), Side::Buy, None, None),
            // 65 x 26,000 x 15 %, whatever the premium.
            (IndexOption, Some(26_000), Side::Sell, Some(10_000), rupees(253_500)),
            (IndexOption, Some(26_000), Side::Sell, None, rupees(253_500)),
            (IndexOption, None, Side::Sell, Some(10_000), None),
            // 65 x 26,100 x 15 %, either way.
            (IndexFuture, None, Side::Buy, Some(2_610_000), Some(Money::from_units(2_544_750_000))),
            (IndexFuture, None, Side::Sell, Some(2_610_000), Some(Money::from_units(2_544_750_000))),
            (IndexFuture, None, Side::Sell, Some(0), None),
            (Equity, None, Side::Buy, Some(100_000), rupees(65_000)),
            (Equity, None, Side::Sell, Some(100_000), rupees(9_750)),
        ] {
            let told = cost(side, paise.map(Price::from_paise), 65, &instrument(kind, strike), share);
            assert_eq!(told, expected, "{kind} {side} {paise:?}");
        }
    }

    #[test]
    fn a_unit_is_rounded_up_and_sums_saturate() {
        let future = instrument(InstrumentKind::IndexFuture, None);
        let odd = Price::from_units(1_001);
        assert_eq!(unit_cost(Side::Buy, odd, &future, Bps::new(1)), Some(Money::from_units(1)));
        let highest = Price::from_units(i64::MAX);
        assert_eq!(
            cost(Side::Buy, highest, u64::MAX, &future, Bps::new(20_000)),
            Some(Money::from_units(i64::MAX))
        );
    }
}
