//! One JSON value, read without insisting on its type, and the number type of the wire.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tandem_domain::price::{Money, Price, UNITS_PER_RUPEE};

/// A number that may have a fraction: a price, an amount, a multiplier. A float as on the wire; it crosses into the
/// domain only through [`Decimal::price`], [`Decimal::rounded_price`] and [`Decimal::money`].
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Decimal(f64);

impl Decimal {
    /// Nothing.
    pub const ZERO: Self = Self(0.0);
    /// How far from a ten-thousandth a price may lie and still be that ten-thousandth: float noise, not a price.
    const EPSILON_UNITS: f64 = 0.01;
    /// Beyond this a double no longer holds every ten-thousandth.
    const UNITS_MAX: f64 = 9.0e15;

    /// The number itself.
    pub const fn new(value: f64) -> Self {
        Self(value)
    }

    /// The number itself.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.0 == 0.0
    }

    /// An exact price: rounded once to 1/10,000 rupee; `None` when that changes it, or when it is negative.
    pub fn price(self) -> Option<Price> {
        let scaled = self.scaled()?;
        if (scaled - scaled.round()).abs() > Self::EPSILON_UNITS {
            return None;
        }
        self.rounded_price()
    }

    /// An average price, which need not lie on any grid: the nearest 1/10,000 rupee; `None` when negative.
    pub fn rounded_price(self) -> Option<Price> {
        Price::from_units(self.nearest_units()?)
    }

    /// An amount of money: the nearest 1/10,000 rupee.
    pub fn money(self) -> Option<Money> {
        self.nearest_units().map(Money::from_units)
    }

    fn scaled(self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "10,000 is exact")]
        let scaled = self.0 * UNITS_PER_RUPEE as f64;
        (scaled.is_finite() && scaled.abs() <= Self::UNITS_MAX).then_some(scaled)
    }

    #[expect(clippy::cast_possible_truncation, reason = "rounded, and inside UNITS_MAX")]
    fn nearest_units(self) -> Option<i64> {
        self.scaled().map(|scaled| scaled.round() as i64)
    }

    #[expect(clippy::cast_precision_loss, reason = "prices and balances stay far below 2^53 units")]
    fn from_units(units: i64) -> Self {
        Self(units as f64 / UNITS_PER_RUPEE as f64)
    }
}

impl From<Price> for Decimal {
    fn from(price: Price) -> Self {
        Self::from_units(price.units())
    }
}

impl From<Money> for Decimal {
    fn from(money: Money) -> Self {
        Self::from_units(money.units())
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    /// Strict, for requests: a number or numeric text; an empty text is refused.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Scalar::deserialize(deserializer)? {
            Scalar::Text(text) if text.trim().is_empty() => Err(de::Error::custom("empty text for a number")),
            Scalar::Null => Err(de::Error::custom("null for a number")),
            value => Self::from_scalar(value).map_err(de::Error::custom),
        }
    }
}

/// A whole number of a request, strict as [`Decimal`]: a number without fraction, or such a text.
pub(super) fn strict_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    match Scalar::deserialize(deserializer)? {
        Scalar::Text(text) if text.trim().is_empty() => Err(de::Error::custom("empty text for a number")),
        Scalar::Null => Err(de::Error::custom("null for a number")),
        value => i64::from_scalar(value).map_err(de::Error::custom),
    }
}

/// As [`strict_integer`], where the field may be left out or null.
pub(super) fn optional_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    match Scalar::deserialize(deserializer)? {
        Scalar::Text(text) if text.trim().is_empty() => Err(de::Error::custom("empty text for a number")),
        Scalar::Null => Ok(None),
        value => i64::from_scalar(value).map(Some).map_err(de::Error::custom),
    }
}

/// One JSON value of any type.
#[derive(Debug)]
pub enum Scalar<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without fraction.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// An object or array, skipped.
    Composite,
}

impl Scalar<'_> {
    fn found(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Text(text) => text.to_string(),
            Self::Composite => "an object or array".to_owned(),
        }
    }
}

/// A type a record's field may have; read tolerantly. The error is what was found.
pub(crate) trait FromScalar: Sized {
    /// Reads the value, or says what it was.
    fn from_scalar(value: Scalar<'_>) -> Result<Self, String>;
}

impl FromScalar for String {
    fn from_scalar(value: Scalar<'_>) -> Result<Self, String> {
        match value {
            Scalar::Text(text) => Ok(text.into_owned()),
            Scalar::Integer(number) => Ok(number.to_string()),
            // An id that is documented as a float (`algoOrdNo`, section 5.5): its digits, while a double holds them all.
            Scalar::Float(number) if number.fract() == 0.0 && number.abs() < Decimal::UNITS_MAX => {
                Ok(format!("{number:.0}"))
            }
            Scalar::Null => Ok(Self::new()),
            other => Err(other.found()),
        }
    }
}

impl FromScalar for Decimal {
    fn from_scalar(value: Scalar<'_>) -> Result<Self, String> {
        match &value {
            Scalar::Null => Ok(Self::ZERO),
            #[expect(clippy::cast_precision_loss, reason = "the range is checked at the crossing")]
            Scalar::Integer(number) => Ok(Self(*number as f64)),
            Scalar::Float(number) => Ok(Self(*number)),
            Scalar::Text(text) if text.trim().is_empty() => Ok(Self::ZERO),
            Scalar::Text(text) => match text.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Self(number)),
                _ => Err(value.found()),
            },
            Scalar::Bool(_) | Scalar::Composite => Err(value.found()),
        }
    }
}

impl FromScalar for i64 {
    fn from_scalar(value: Scalar<'_>) -> Result<Self, String> {
        let float = match &value {
            Scalar::Null => return Ok(0),
            Scalar::Integer(number) => return Ok(*number),
            Scalar::Float(number) => *number,
            Scalar::Text(text) if text.trim().is_empty() => return Ok(0),
            Scalar::Text(text) => match text.trim().parse::<i64>() {
                Ok(number) => return Ok(number),
                Err(_) => text.trim().parse::<f64>().map_err(|_| value.found())?,
            },
            Scalar::Bool(_) | Scalar::Composite => return Err(value.found()),
        };
        if float.fract() == 0.0 && float.abs() < Decimal::UNITS_MAX {
            #[expect(clippy::cast_possible_truncation, reason = "no fraction, and inside the range")]
            return Ok(float as Self);
        }
        Err(value.found())
    }
}

impl FromScalar for bool {
    fn from_scalar(value: Scalar<'_>) -> Result<Self, String> {
        match &value {
            Scalar::Bool(flag) => Ok(*flag),
            Scalar::Null | Scalar::Integer(0) => Ok(false),
            Scalar::Integer(1) => Ok(true),
            Scalar::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "y" | "yes" => Ok(true),
                "false" | "0" | "n" | "no" | "" => Ok(false),
                _ => Err(value.found()),
            },
            _ => Err(value.found()),
        }
    }
}

impl<T: FromScalar> FromScalar for Option<T> {
    fn from_scalar(value: Scalar<'_>) -> Result<Self, String> {
        match value {
            Scalar::Null => Ok(None),
            value => T::from_scalar(value).map(Some),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "past i64 no field has a meaning; it is refused later"
        )]
        Ok(i64::try_from(value).map_or(Scalar::Float(value as f64), Scalar::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Composite)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Composite)
    }
}
