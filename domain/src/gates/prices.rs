//! The prices an exchange takes: whole ticks within the day's band (scenario E10). An entry with another price is denied
//! before the wire; an exit's is moved to one that it takes.

use crate::order::{OrderForm, OrderTerms, Side};
use crate::price::Price;

/// Whether price and trigger are whole ticks.
pub(super) fn are_on_tick(terms: &OrderTerms, tick: Price) -> bool {
    terms.price.is_on_tick(tick) && terms.trigger.is_on_tick(tick)
}

/// Whether price and trigger lie within the day's band.
///
/// Forever orders wait for other days, and after-market orders trade on the next: today's band says nothing of them.
pub(super) fn are_in_band(terms: &OrderTerms, band: Option<(Price, Price)>) -> bool {
    let Some((low, high)) = band else { return true };
    let waits = terms.after_market || matches!(terms.form, OrderForm::Forever(_));
    let fits = |price: Price| price.is_zero() || (low..=high).contains(&price);
    waits || (fits(terms.price) && fits(terms.trigger))
}

/// The price an exit is sent with: on the tick, towards what trades (a sale down, a purchase up), then within the band.
/// Never zero: that would make a market order of it. A zero tick means that none is known.
pub fn clamp(price: Price, side: Side, tick: Price, band: Option<(Price, Price)>) -> Price {
    let tick = tick.units().max(1);
    let down = |units: i64| units / tick * tick;
    let up = |units: i64| match units % tick {
        0 => units,
        rest => units.saturating_add(tick - rest),
    };
    let mut units = match side {
        Side::Sell => down(price.units()),
        Side::Buy => up(price.units()),
    };
    if let Some((low, high)) = band {
        units = units.max(up(low.units()));
        // Last, so that a band narrower than a tick still gives a price the exchange might take.
        units = units.min(down(high.units()));
    }
    Price::from_units(units.max(tick)).unwrap_or(price)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn towards_what_trades_then_into_the_band() {
        let band = Some((Price::from_paise(5_003), Price::from_paise(15_007)));
        for (side, paise, band, expected) in [
            (Side::Sell, 10_002, None, 10_000),
            (Side::Buy, 10_002, None, 10_005),
            (Side::Sell, 10_000, None, 10_000),
            (Side::Buy, 10_000, band, 10_000),
            // Below and above the band; its ends are off the tick.
            (Side::Sell, 3_000, band, 5_005),
            (Side::Buy, 20_000, band, 15_005),
            // Never zero.
            (Side::Sell, 3, None, 5),
            (Side::Sell, 0, None, 5),
        ] {
            let told = clamp(Price::from_paise(paise), side, Price::from_paise(5), band);
            assert_eq!(told, Price::from_paise(expected), "{side} {paise}");
        }
        assert_eq!(clamp(Price::ZERO, Side::Buy, Price::ZERO, None).units(), 1);
    }

    proptest! {
        #[test]
        fn a_clamped_price_is_one_the_exchange_takes_and_stays_as_it_is(
            units in 0i64..2_000_000, tick in 1i64..2_000, low in 2_000i64..1_000_000, width in 4_000i64..1_000_000,
            sells: bool
        ) {
            let price = |units| Price::from_units(units).unwrap();
            let (tick, band) = (price(tick), (price(low), price(low + width)));
            let side = if sells { Side::Sell } else { Side::Buy };
            let clamped = clamp(price(units), side, tick, Some(band));
            prop_assert!(clamped.is_on_tick(tick));
            prop_assert!((band.0..=band.1).contains(&clamped));
            prop_assert_eq!(clamp(clamped, side, tick, Some(band)), clamped);
        }
    }
}
