//! Prices and money, as integers of one ten-thousandth of a rupee.
//!
//! Currency options tick at 0.0025 rupee, so a paisa is too coarse; 1/10,000 holds every Indian tick exactly.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::quantity::Quantity;

/// Ten-thousandths in a rupee.
pub const UNITS_PER_RUPEE: i64 = 10_000;

/// A price in 1/10,000 rupee, never negative. Zero means "no price" where the wire says so (market orders).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Price(i64);

/// An amount of money in 1/10,000 rupee, signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(i64);

/// A text that is no decimal number of rupees with at most four decimals.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no amount of rupees with at most four decimals")]
pub struct DecimalError(pub String);

impl Price {
    /// No price: market orders, absent triggers.
    pub const ZERO: Self = Self(0);

    /// A price from 1/10,000 rupee; `None` when negative.
    pub const fn from_units(units: i64) -> Option<Self> {
        if units < 0 { None } else { Some(Self(units)) }
    }

    /// A price from paise; for tables and tests.
    pub const fn from_paise(paise: u32) -> Self {
        Self(paise as i64 * 100)
    }

    /// In 1/10,000 rupee.
    pub const fn units(self) -> i64 {
        self.0
    }

    /// Whether there is no price.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether the price is a whole number of ticks. A zero tick means the tick is not known; nothing is refused.
    pub const fn is_on_tick(self, tick: Self) -> bool {
        tick.0 == 0 || self.0 % tick.0 == 0
    }

    /// The value of `quantity` units at this price; saturates at the ends of the range.
    pub fn notional(self, quantity: Quantity) -> Money {
        Money(self.0.saturating_mul(i64::from(quantity.get())))
    }
}

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From 1/10,000 rupee.
    pub const fn from_units(units: i64) -> Self {
        Self(units)
    }

    /// From whole rupees.
    pub const fn from_rupees(rupees: i64) -> Self {
        Self(rupees.saturating_mul(UNITS_PER_RUPEE))
    }

    /// In 1/10,000 rupee.
    pub const fn units(self) -> i64 {
        self.0
    }

    /// The sum, saturating at the ends of the range.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, saturating at the ends of the range.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

fn write_decimal(units: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sign = if units < 0 { "-" } else { "" };
    let magnitude = units.unsigned_abs();
    let (rupees, rest) = (magnitude / 10_000, magnitude % 10_000);
    if rest.is_multiple_of(100) {
        write!(f, "{sign}{rupees}.{:02}", rest / 100)
    } else {
        write!(f, "{sign}{rupees}.{rest:04}")
    }
}

fn parse_decimal(text: &str) -> Result<i64, DecimalError> {
    let refuse = || DecimalError(text.to_owned());
    let trimmed = text.trim();
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    if whole.is_empty()
        || fraction.len() > 4
        || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
    {
        return Err(refuse());
    }
    let whole: i64 = whole.parse().map_err(|_| refuse())?;
    let fraction: i64 = format!("{fraction:0<4}").parse().map_err(|_| refuse())?;
    let units = whole
        .checked_mul(UNITS_PER_RUPEE)
        .and_then(|units| units.checked_add(fraction))
        .ok_or_else(refuse)?;
    Ok(if negative { -units } else { units })
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(self.0, f)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(self.0, f)
    }
}

impl FromStr for Price {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_units(parse_decimal(text)?).ok_or_else(|| DecimalError(text.to_owned()))
    }
}

impl FromStr for Money {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_decimal(text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_exact() {
        for (text, units) in
            [("182.35", 1_823_500), ("0.0025", 25), ("26000", 260_000_000), ("5.0000", 50_000)]
        {
            assert_eq!(text.parse::<Price>().unwrap().units(), units, "{text}");
        }
        for text in ["", "1.23456", "-1", "1e3", "NaN", "1,5", "99999999999999999999"] {
            assert!(text.parse::<Price>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_price_is_on_the_tick_or_not() {
        let tick = Price::from_paise(5);
        assert!(Price::from_paise(18_235).is_on_tick(tick));
        assert!(!Price::from_paise(18_233).is_on_tick(tick));
        assert!(Price::from_paise(18_233).is_on_tick(Price::ZERO));
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(units in -1_000_000_000_000i64..1_000_000_000_000) {
            let money = Money::from_units(units);
            prop_assert_eq!(money.to_string().parse::<Money>(), Ok(money));
        }
    }
}
