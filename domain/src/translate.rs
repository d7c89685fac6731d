//! From what the leader asks for to what the follower's broker can take: sizes of parts, prices of market orders, stops
//! without a limit, cover and bracket orders.

use crate::gates::DeniedReason;
use crate::instrument::coded_enum;
use crate::order::{OcoLeg, OrderForm, OrderTerms, OrderType, Product, Side, TimeInForce};
use crate::policy::{Bps, MarketOrders, Translation};
use crate::price::Price;
use crate::quantity::{LotSize, Quantity};

/// The broker's least disclosed share of an order, in per cent; it must be *more* (`dhanhq-v2.md` section 2.10).
const DISCLOSED_PCT_MIN: u64 = 30;

coded_enum! {
    /// How a copy differs in kind from the leader's order, where it does.
    Note {
        /// A market order, placed as a limit within our own band.
        MarketAsProtectedLimit = "market_as_protected_limit",
        /// A stop-loss-market order, placed as a stop-loss with a limit beyond the trigger: the broker mangles the former
        /// on options (`dhanhq-v2.md` section 2.9).
        StopMarketAsStop = "stop_loss_market_as_stop_loss",
        /// A cover order, placed as a super order.
        CoverAsSuper = "cover_as_super",
        /// A bracket order, placed as a super order.
        BracketAsSuper = "bracket_as_super",
        /// What the leader executed, placed as a limit within our own band.
        FillAsLimit = "fill_as_limit",
    }
}

/// What a translation must know beside the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The follower's units.
    pub quantity: Quantity,
    /// Units in a lot.
    pub lot: LotSize,
    /// The instrument's tick; zero when not known.
    pub tick: Price,
    /// The leader's average fill, or else the last price known.
    pub reference: Option<Price>,
}

/// A follower's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translated {
    /// What to place.
    pub terms: OrderTerms,
    /// How it differs in kind, if it does.
    pub note: Option<Note>,
    /// A market order that should have a limit of ours, and no price is known to take it from.
    pub is_unpriced: bool,
}

/// The follower's order for a leader's order whose product is mapped already.
pub fn translate(
    leaders: &OrderTerms,
    facts: &Facts,
    translation: &Translation,
) -> Result<Translated, DeniedReason> {
    let mut terms = OrderTerms {
        quantity: facts.quantity,
        disclosed: disclosed(leaders.disclosed, leaders.quantity, facts.quantity, facts.lot),
        ..leaders.clone()
    };
    let mut note = None;
    let mut is_unpriced = false;
    match terms.product {
        Product::Cover => note = Some(Note::CoverAsSuper),
        Product::Bracket => note = Some(Note::BracketAsSuper),
        Product::Cnc | Product::Intraday | Product::Margin | Product::Mtf => {}
    }
    if note.is_some() {
        terms.product = Product::Intraday;
        if !matches!(terms.form, OrderForm::Super(_)) {
            return Err(DeniedReason::UnsupportedProduct);
        }
    }
    match &mut terms.form {
        // A super order has neither trigger nor validity nor an hour (`dhanhq-v2.md` section 3.1).
        OrderForm::Super(_)
            if terms.order_type.is_stop()
                || terms.time_in_force == TimeInForce::Ioc
                || terms.after_market =>
        {
            return Err(DeniedReason::UnsupportedOrderType);
        }
        OrderForm::Super(_) => terms.disclosed = Quantity::ZERO,
        OrderForm::Forever(Some(second)) => {
            *second = OcoLeg { quantity: facts.quantity, ..*second };
            return Ok(Translated { terms, note, is_unpriced });
        }
        OrderForm::Forever(None) => return Ok(Translated { terms, note, is_unpriced }),
        OrderForm::Ordinary => {}
    }
    match terms.order_type {
        OrderType::Market if translation.market_orders == MarketOrders::ProtectedLimit => {
            match facts.reference {
                Some(reference) => {
                    terms = at_limit(terms, reference, translation.price_band, facts.tick);
                    note = note.or(Some(Note::MarketAsProtectedLimit));
                }
                None => is_unpriced = true,
            }
        }
        OrderType::StopLossMarket => {
            let limit = beyond(terms.side, terms.trigger, translation.stop_band, facts.tick);
            terms.order_type = OrderType::StopLoss;
            terms.price = limit;
            note = Some(Note::StopMarketAsStop);
        }
        OrderType::Limit | OrderType::Market | OrderType::StopLoss => {}
    }
    Ok(Translated { terms, note, is_unpriced })
}

/// The same order with a limit so far beyond a price that it should trade at once.
pub fn at_limit(terms: OrderTerms, reference: Price, band: Bps, tick: Price) -> OrderTerms {
    let price = beyond(terms.side, reference, band, tick);
    OrderTerms { order_type: OrderType::Limit, price, trigger: Price::ZERO, ..terms }
}

/// A price on the worse side of another, no further than the band, at least one tick, on the tick, never zero.
pub fn beyond(side: Side, price: Price, band: Bps, tick: Price) -> Price {
    let tick = tick.units().max(1);
    let width = band.of(price).units().max(tick);
    let units = match side {
        Side::Buy => (price.units().saturating_add(width)) / tick * tick,
        Side::Sell => ((price.units() - width).max(tick) + tick - 1) / tick * tick,
    };
    // On an odd price the rounding may have eaten the whole band; one tick beyond is the least.
    let units = match side {
        Side::Buy if units <= price.units() => units.saturating_add(tick),
        Side::Sell if units >= price.units() => (units - tick).max(tick),
        _ => units,
    };
    Price::from_units(units).unwrap_or(price)
}

/// The leader's disclosed share of the follower's quantity: up to the lot, more than the broker's least, never above the
/// quantity; nothing where that would show all.
pub fn disclosed(disclosed: Quantity, of: Quantity, quantity: Quantity, lot: LotSize) -> Quantity {
    if disclosed.is_zero() || of.is_zero() || quantity.is_zero() {
        return Quantity::ZERO;
    }
    let (whole, lot) = (u64::from(quantity.get()), u64::from(lot.get()));
    let share = (whole * u64::from(disclosed.get())).div_ceil(u64::from(of.get()));
    let least = whole * DISCLOSED_PCT_MIN / 100 + 1;
    let shown = share.max(least).div_ceil(lot) * lot;
    if shown >= whole { Quantity::ZERO } else { Quantity::new(u32::try_from(shown).unwrap_or(u32::MAX)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::instrument::{ExchangeSegment, InstrumentKey, SecurityId};
    use crate::order::ExitLegs;

    const TICK: Price = Price::from_paise(5);

    fn market(side: Side) -> OrderTerms {
        OrderTerms {
            instrument: InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(43_125) },
            side,
            product: Product::Margin,
            order_type: OrderType::Market,
            time_in_force: TimeInForce::Day,
            quantity: Quantity::new(260),
            disclosed: Quantity::ZERO,
            price: Price::ZERO,
            trigger: Price::ZERO,
            after_market: false,
            form: OrderForm::Ordinary,
        }
    }

    fn facts(reference: Option<Price>) -> Facts {
        Facts { quantity: Quantity::new(130), lot: LotSize::new(65).unwrap(), tick: TICK, reference }
    }

    fn policy(market_orders: MarketOrders) -> Translation {
        Translation { market_orders, price_band: Bps::new(300), stop_band: Bps::new(200) }
    }

    #[test]
    fn market_orders_become_limits_where_the_owner_says_so() {
        let as_is = translate(&market(Side::Buy), &facts(None), &policy(MarketOrders::AsIs)).unwrap();
        assert_eq!((as_is.terms.order_type, as_is.note, as_is.is_unpriced), (OrderType::Market, None, false));

        let protected = policy(MarketOrders::ProtectedLimit);
        let hundred = Some(Price::from_paise(10_003));
        // 3 % of 100.03 is 3.0009: 103.0309, on the tick 103.00; and 97.0291 on the tick 97.05.
        for (side, limit) in [(Side::Buy, 10_300), (Side::Sell, 9_705)] {
            let made = translate(&market(side), &facts(hundred), &protected).unwrap();
            assert_eq!(
                (made.terms.order_type, made.terms.price),
                (OrderType::Limit, Price::from_paise(limit))
            );
            assert_eq!(made.note, Some(Note::MarketAsProtectedLimit));
        }
        assert!(translate(&market(Side::Buy), &facts(None), &protected).unwrap().is_unpriced);
    }

    #[test]
    fn a_stop_without_a_limit_gets_one_beyond_its_trigger() {
        let stop = |side| OrderTerms {
            order_type: OrderType::StopLossMarket,
            trigger: Price::from_paise(9_000),
            ..market(side)
        };
        for (side, limit) in [(Side::Sell, 8_820), (Side::Buy, 9_180)] {
            let made = translate(&stop(side), &facts(None), &policy(MarketOrders::AsIs)).unwrap();
            assert_eq!(
                (made.terms.order_type, made.terms.trigger),
                (OrderType::StopLoss, Price::from_paise(9_000))
            );
            assert_eq!(
                (made.terms.price, made.note),
                (Price::from_paise(limit), Some(Note::StopMarketAsStop))
            );
        }
    }

    #[test]
    fn cover_and_bracket_orders_become_super_orders_or_nothing() {
        let legs = ExitLegs { target: None, stop: Some(Price::from_paise(9_000)), trailing: Price::ZERO };
        let cover = OrderTerms { product: Product::Cover, form: OrderForm::Super(legs), ..market(Side::Buy) };
        let made = translate(&cover, &facts(None), &policy(MarketOrders::AsIs)).unwrap();
        assert_eq!((made.terms.product, made.note), (Product::Intraday, Some(Note::CoverAsSuper)));
        let bare = OrderTerms { form: OrderForm::Ordinary, ..cover };
        assert_eq!(
            translate(&bare, &facts(None), &policy(MarketOrders::AsIs)),
            Err(DeniedReason::UnsupportedProduct)
        );
    }

    #[test]
    fn disclosed_quantity_is_scaled_by_the_brokers_rule() {
        let lot = LotSize::new(65).unwrap();
        let cases = [
            // 50 % of 4 lots, for 2 lots: one.
            (130, 260, 130, 65),
            // 35 % of 20 lots, for 10: 3.5, up to the lot.
            (455, 1300, 650, 260),
            // One lot cannot show less than itself: all is shown, which is said with zero.
            (130, 260, 65, 0),
            // A leader at less than the broker's least cannot be copied so: more than 30 %.
            (65, 1300, 650, 260),
            (0, 260, 130, 0),
        ];
        for (shown, of, quantity, expected) in cases {
            let (shown, of, quantity) = (Quantity::new(shown), Quantity::new(of), Quantity::new(quantity));
            assert_eq!(disclosed(shown, of, quantity, lot).get(), expected, "{shown} of {of} for {quantity}");
        }
    }

    proptest! {
        #[test]
        fn a_price_beyond_is_worse_on_the_tick_and_near(
            price in 1i64..100_000_000, bps in 1u32..5_000, tick in prop::sample::select(vec![1i64, 100, 500, 1_000])
        ) {
            let (price, tick_price) = (Price::from_units(price * tick).unwrap(), Price::from_units(tick).unwrap());
            let buy = beyond(Side::Buy, price, Bps::new(bps), tick_price);
            prop_assert!(buy > price && buy.is_on_tick(tick_price));
            prop_assert!(buy.units() - price.units() <= Bps::new(bps).of(price).units().max(tick));
            let sell = beyond(Side::Sell, price, Bps::new(bps), tick_price);
            prop_assert!((sell < price || price.units() == tick) && !sell.is_zero() && sell.is_on_tick(tick_price));
        }

        #[test]
        fn disclosed_is_lawful(shown in 1u32..100, of in 1u32..100, lots in 1u32..100) {
            let lot = LotSize::new(65).unwrap();
            let (shown, of) = (shown.min(of) * 65, of * 65);
            let made = disclosed(Quantity::new(shown), Quantity::new(of), Quantity::new(lots * 65), lot).get();
            prop_assert!(made == 0 || (made * 100 > lots * 65 * 30 && made < lots * 65 && made.is_multiple_of(65)));
        }
    }
}
