//! Exact ratios.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An exact, non-negative ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratio {
    /// Upper part.
    pub numerator: u64,
    /// Lower part; never zero.
    pub denominator: u64,
}

/// A ratio with a zero denominator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a ratio cannot have zero below the line")]
pub struct RatioError;

/// Bits that either part of a ratio made of wide parts takes at most: a database column is a signed 64-bit integer.
const PART_BITS: u32 = 63;

impl Ratio {
    /// One to one.
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };

    /// Nothing.
    pub const ZERO: Self = Self { numerator: 0, denominator: 1 };

    /// A ratio.
    pub const fn new(numerator: u64, denominator: u64) -> Result<Self, RatioError> {
        if denominator == 0 { Err(RatioError) } else { Ok(Self { numerator, denominator }) }
    }

    /// The ratio of two wide numbers in its lowest terms. Terms that still do not fit lose their lowest bits, which
    /// moves the ratio by less than one part in 10^18 unless it is beyond every bound of an owner anyhow.
    pub(super) fn of_wide(numerator: u128, denominator: u128) -> Result<Self, RatioError> {
        if denominator == 0 {
            return Err(RatioError);
        }
        let common = greatest_common_divisor(numerator, denominator);
        let (upper, lower) = fitted(numerator / common, denominator / common, PART_BITS, PART_BITS);
        let narrow = |part: u128| u64::try_from(part).unwrap_or(u64::MAX);
        Self::new(narrow(upper), narrow(lower))
    }

    /// Whether nothing follows from it.
    pub const fn is_zero(self) -> bool {
        self.numerator == 0
    }

    /// The smaller of two.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        let left = u128::from(self.numerator) * u128::from(other.denominator);
        let right = u128::from(other.numerator) * u128::from(self.denominator);
        if left <= right { self } else { other }
    }
}

/// A fraction with as many of its lowest bits shifted away as it takes to fit. The lower part stays above zero.
pub(super) fn fitted(upper: u128, lower: u128, upper_bits: u32, lower_bits: u32) -> (u128, u128) {
    let excess = |part: u128, bits: u32| (u128::BITS - part.leading_zeros()).saturating_sub(bits);
    let shift = excess(upper, upper_bits).max(excess(lower, lower_bits));
    (upper >> shift, (lower >> shift).max(1))
}

fn greatest_common_divisor(left: u128, right: u128) -> u128 {
    let (mut larger, mut smaller) = (left, right);
    while smaller != 0 {
        (larger, smaller) = (smaller, larger % smaller);
    }
    larger
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_parts_come_to_lowest_terms() {
        let half = Ratio { numerator: 1, denominator: 2 };
        assert_eq!(Ratio::of_wide(5_000_000_000, 10_000_000_000), Ok(half));
        assert_eq!(Ratio::of_wide(1 << 126, 1 << 127), Ok(half));
        assert_eq!(Ratio::of_wide(0, 7), Ok(Ratio::ZERO));
        assert_eq!(Ratio::of_wide(7, 0), Err(RatioError));
    }

    #[test]
    fn parts_that_do_not_fit_lose_their_lowest_bits() {
        // 2^100 + 1 over 2^100 has no lower terms; 63 bits of each are left.
        assert_eq!(Ratio::of_wide((1 << 100) + 1, 1 << 100), Ok(Ratio::new(1 << 62, 1 << 62).unwrap()));
        let huge = Ratio::of_wide(u128::MAX, 2).unwrap();
        assert_eq!((huge.numerator, huge.denominator), ((1 << 63) - 1, 1));
        let tiny = Ratio::of_wide(1, u128::MAX).unwrap();
        assert_eq!((tiny.numerator, tiny.denominator), (0, (1 << 63) - 1));
    }

    #[test]
    fn the_smaller_of_two_is_found_without_dividing() {
        let (third, half) = (Ratio::new(1, 3).unwrap(), Ratio::new(1, 2).unwrap());
        assert_eq!((third.min(half), half.min(third)), (third, third));
        let wide = Ratio::new(u64::MAX, u64::MAX - 1).unwrap();
        assert_eq!(wide.min(Ratio::ONE), Ratio::ONE);
    }
}
