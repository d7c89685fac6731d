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

/// Price and trigger an exit is sent with. A trigger fires no later than the leader's would, and the price stays beyond it
/// as the broker wants it (`dhanhq-v2.md` section 2.9). What is zero is none, and stays so.
pub fn clamp_exit(terms: &OrderTerms, tick: Price, band: Option<(Price, Price)>) -> (Price, Price) {
    let side = terms.side;
    let mut price = terms.price;
    let mut trigger = terms.trigger;
    if !price.is_zero() {
        price = clamp(price, side, tick, band);
    }
    if !trigger.is_zero() {
        trigger = clamp(trigger, side.opposite(), tick, band);
    }
    if price.is_zero() || trigger.is_zero() || is_beyond(price, trigger, side) {
        return (price, trigger);
    }
    // Both lie at one end of the band: the trigger moves inwards, or, where that end is the other one, the price.
    let step = tick.units().max(1) * -side.sign();
    let moved = |from: Price, by: i64| Price::from_units(from.units().saturating_add(by)).unwrap_or(from);
    let inwards = clamp(moved(price, step), side.opposite(), tick, band);
    if is_beyond(price, inwards, side) { (price, inwards) } else { (moved(trigger, -step), trigger) }
}

/// Whether a stop's price lies on that side of its trigger on which the market goes on: below for a sale.
fn is_beyond(price: Price, trigger: Price, side: Side) -> bool {
    match side {
        Side::Sell => price < trigger,
        Side::Buy => price > trigger,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::instrument::{ExchangeSegment, InstrumentKey, SecurityId};
    use crate::order::{OrderType, Product, TimeInForce};
    use crate::quantity::Quantity;

    fn stop(side: Side) -> OrderTerms {
        OrderTerms {
            instrument: InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(43_125) },
            side,
            product: Product::Margin,
            order_type: OrderType::StopLoss,
            time_in_force: TimeInForce::Day,
            quantity: Quantity::new(65),
            disclosed: Quantity::ZERO,
            price: Price::ZERO,
            trigger: Price::ZERO,
            after_market: false,
            form: OrderForm::Ordinary,
        }
    }

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

    #[test]
    fn a_stop_is_clamped_with_its_trigger() {
        let band = Some((Price::from_paise(8_000), Price::from_paise(11_000)));
        let tick = Price::from_paise(5);
        for (side, price, trigger, expected) in [
            (Side::Sell, 9_000, 9_100, (9_000, 9_100)),
            // Off the tick: the price goes towards what trades, the trigger fires earlier.
            (Side::Sell, 9_003, 9_102, (9_000, 9_105)),
            (Side::Buy, 9_102, 9_003, (9_105, 9_000)),
            // Both beyond one end.
            (Side::Sell, 7_500, 7_800, (8_000, 8_005)),
            (Side::Buy, 12_000, 11_500, (11_000, 10_995)),
            (Side::Sell, 11_500, 12_000, (10_995, 11_000)),
            (Side::Buy, 7_800, 7_500, (8_005, 8_000)),
            // No price, or no trigger.
            (Side::Sell, 0, 7_800, (0, 8_000)),
            (Side::Sell, 12_000, 0, (11_000, 0)),
        ] {
            let mut terms = stop(side);
            (terms.price, terms.trigger) = (Price::from_paise(price), Price::from_paise(trigger));
            let told = clamp_exit(&terms, tick, band);
            assert_eq!(
                told,
                (Price::from_paise(expected.0), Price::from_paise(expected.1)),
                "{side} {price}"
            );
        }
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
