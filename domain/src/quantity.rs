//! Lots and quantities. Quantities are units (shares), as on the wire; lots become units only through a [`LotSize`].

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// A number of units, as the broker counts them (never lots).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quantity(u32);

/// A number of lots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lots(pub u32);

/// Units in one lot; 1 for equities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LotSize(NonZeroU32);

/// A signed number of units: a position, or a change of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SignedQuantity(pub i64);

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// A quantity of `units`.
    pub const fn new(units: u32) -> Self {
        Self(units)
    }

    /// In units.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, or `None` past the range.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// What is left after taking `other` away; nothing when `other` is larger.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl LotSize {
    /// One unit a lot: equities, and instruments whose lot is not known.
    pub const ONE: Self = Self(NonZeroU32::MIN);

    /// A lot size; `None` for zero.
    pub const fn new(units: u32) -> Option<Self> {
        match NonZeroU32::new(units) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// Units in one lot.
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// The units in so many lots, or `None` past the range.
    pub const fn quantity(self, lots: Lots) -> Option<Quantity> {
        match lots.0.checked_mul(self.0.get()) {
            Some(units) => Some(Quantity(units)),
            None => None,
        }
    }

    /// Whole lots in a quantity, and the units left over.
    pub const fn split(self, quantity: Quantity) -> (Lots, Quantity) {
        (Lots(quantity.0 / self.0.get()), Quantity(quantity.0 % self.0.get()))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Lots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for LotSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for SignedQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lots_become_units_only_through_the_lot_size() {
        let nifty = LotSize::new(65).unwrap();
        assert_eq!(nifty.quantity(Lots(4)), Some(Quantity::new(260)));
        assert_eq!(nifty.quantity(Lots(u32::MAX)), None);
        assert_eq!(nifty.split(Quantity::new(261)), (Lots(4), Quantity::new(1)));
        assert_eq!(LotSize::new(0), None);
    }
}
