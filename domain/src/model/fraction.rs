//! Fractions of this test's own.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, Mul, Sub};

/// A fraction in its lowest terms; below the line stands more than nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Fraction {
    above: i128,
    below: i128,
}

impl Fraction {
    pub(super) const ZERO: Self = Self { above: 0, below: 1 };

    pub(super) fn new(above: i128, below: i128) -> Self {
        let common = divisor(above.abs(), below.abs()).max(1) * below.signum();
        Self { above: above / common, below: below / common }
    }

    pub(super) fn whole(number: i64) -> Self {
        Self { above: number.into(), below: 1 }
    }

    pub(super) fn abs(self) -> Self {
        Self { above: self.above.abs(), ..self }
    }

    /// To the nearest whole number; a half goes towards nothing.
    pub(super) fn nearest(self) -> i64 {
        let size = (2 * self.above.abs() + self.below - 1).div_euclid(2 * self.below);
        i64::try_from(size * self.above.signum()).unwrap_or(i64::MAX)
    }

    pub(super) fn floor(self) -> i64 {
        i64::try_from(self.above.div_euclid(self.below)).unwrap_or(i64::MAX)
    }

    pub(super) fn ceil(self) -> i64 {
        -Self { above: -self.above, ..self }.floor()
    }
}

fn divisor(left: i128, right: i128) -> i128 {
    if right == 0 { left } else { divisor(right, left % right) }
}

impl Add for Fraction {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::new(self.above * other.below + other.above * self.below, self.below * other.below)
    }
}

impl Sub for Fraction {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + Self { above: -other.above, ..other }
    }
}

impl Mul for Fraction {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self::new(self.above * other.above, self.below * other.below)
    }
}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some((self.above * other.below).cmp(&(other.above * self.below)))
    }
}

impl fmt::Debug for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.below == 1 { write!(f, "{}", self.above) } else { write!(f, "{}/{}", self.above, self.below) }
    }
}

#[test]
fn halves_go_towards_nothing() {
    let cases = [(1, 2, 0), (3, 2, 1), (2, 3, 1), (-3, 2, -1), (-5, 3, -2), (7, 1, 7), (0, 5, 0)];
    for (above, below, nearest) in cases {
        assert_eq!(Fraction::new(above, below).nearest(), nearest, "{above}/{below}");
    }
    assert_eq!((Fraction::new(-1, 3).floor(), Fraction::new(-1, 3).ceil()), (-1, 0));
    assert_eq!(Fraction::new(4, 3).ceil(), 2);
}
