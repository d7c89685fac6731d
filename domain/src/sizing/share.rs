//! Parts of a lot, and what a holding comes to when the leader's position shrinks.

use serde::{Deserialize, Serialize};

use super::Rounding;
use crate::quantity::Lots;

/// Billionths of a lot, signed: what a follower's proportion comes to before it is rounded, and what the rounding left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(i64);

/// How far from a whole lot, or from the middle between two, a share still counts as being there: a millionth of a lot.
/// A billionth cannot hold a third, and a remainder adds up hundreds of them.
const TOLERANCE: i64 = Share::PER_LOT / 1_000_000;

impl Share {
    /// Billionths in a lot.
    pub const PER_LOT: i64 = 1_000_000_000;

    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From billionths of a lot.
    pub const fn from_billionths(billionths: i64) -> Self {
        Self(billionths)
    }

    /// Whole lots. Every number of lots is in range.
    pub const fn from_lots(lots: Lots) -> Self {
        Self(lots.0 as i64 * Self::PER_LOT)
    }

    /// In billionths of a lot.
    pub const fn billionths(self) -> i64 {
        self.0
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum; saturates at the ends of the range.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference; saturates at the ends of the range.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Whole lots, never fewer than none. An exact half takes the smaller number, as a closing does; what is within a
    /// millionth of a whole lot is that lot, and within a millionth of a half is that half.
    pub(super) fn rounded(self, rounding: Rounding) -> Lots {
        if self.0 <= 0 {
            return Lots(0);
        }
        let (whole, part) = (self.0 / Self::PER_LOT, self.0 % Self::PER_LOT);
        let is_next = match rounding {
            Rounding::Down => part >= Self::PER_LOT - TOLERANCE,
            Rounding::Nearest => part > Self::PER_LOT / 2 + TOLERANCE,
            Rounding::Up => part > TOLERANCE,
        };
        Lots(u32::try_from(whole + i64::from(is_next)).unwrap_or(u32::MAX))
    }
}

/// What a pool of copied lots comes to when the leader's position shrinks from `from` to `to` units (design section 4,
/// "How much, closing": `F_ref x L / L_ref`). To the nearest billionth of a lot; nothing when `to` is zero, whatever was
/// rounded before; unchanged when the position did not shrink.
pub fn reduced(pool: Share, from: u64, to: u64) -> Share {
    if to == 0 {
        return Share::ZERO;
    }
    if to >= from {
        return pool;
    }
    let product = u128::from(pool.0.unsigned_abs()) * u128::from(to);
    let magnitude = (product + u128::from(from / 2)) / u128::from(from);
    // Not above the pool, for `to` is below `from`.
    let magnitude = i64::try_from(magnitude).unwrap_or(i64::MAX);
    Share(if pool.0 < 0 { -magnitude } else { magnitude })
}

/// The whole lots nearest to a pool. An exact half goes down, so that a tie closes (design section 4); what is within a
/// millionth of a half counts as that half. Never below none.
pub fn nearest_lots(pool: Share) -> Lots {
    pool.rounded(Rounding::Nearest)
}

/// The whole lots in a pool; what is within a millionth of one more counts as that. Never below none.
pub fn whole_lots(pool: Share) -> Lots {
    pool.rounded(Rounding::Down)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn rounds_at_the_edges() {
        // (billionths, down, nearest, up)
        let table = [
            (i64::MIN, 0, 0, 0),
            (-1, 0, 0, 0),
            (0, 0, 0, 0),
            (1_000, 0, 0, 0),
            (1_001, 0, 0, 1),
            (499_999_999, 0, 0, 1),
            (500_000_000, 0, 0, 1),
            (500_001_000, 0, 0, 1),
            (500_001_001, 0, 1, 1),
            (999_998_999, 0, 1, 1),
            (999_999_000, 1, 1, 1),
            (1_000_000_000, 1, 1, 1),
            (1_500_000_001, 1, 1, 2),
            (2_700_000_000, 2, 3, 3),
            (i64::MAX, u32::MAX, u32::MAX, u32::MAX),
        ];
        for (billionths, down, nearest, up) in table {
            let share = Share::from_billionths(billionths);
            assert_eq!(whole_lots(share), Lots(down), "{billionths} down");
            assert_eq!(share.rounded(Rounding::Nearest), Lots(nearest), "{billionths} nearest");
            assert_eq!(nearest_lots(share), Lots(nearest), "{billionths} nearest");
            assert_eq!(share.rounded(Rounding::Up), Lots(up), "{billionths} up");
        }
    }

    #[test]
    fn a_pool_shrinks_with_the_leader() {
        // (pool, from, to, what is left)
        let table = [
            (1_000_000_000, 195, 65, 333_333_333),
            (1_000_000_000, 195, 130, 666_666_667),
            (-1_000_000_000, 195, 130, -666_666_667),
            (2_000_000_000, 260, 130, 1_000_000_000),
            (2_000_000_000, 260, 0, 0),
            (2_000_000_000, 0, 0, 0),
            (2_000_000_000, 260, 260, 2_000_000_000),
            (2_000_000_000, 260, 325, 2_000_000_000),
            (i64::MAX, u64::MAX, u64::MAX - 1, i64::MAX),
            (i64::MIN, u64::MAX, 1, -1),
        ];
        for (pool, from, to, left) in table {
            let pool = Share::from_billionths(pool);
            assert_eq!(reduced(pool, from, to), Share::from_billionths(left), "{pool:?} {from} {to}");
        }
    }

    #[test]
    fn sums_stay_in_range() {
        let (end, one) = (Share::from_billionths(i64::MAX), Share::from_lots(Lots(1)));
        assert_eq!(end.saturating_add(one), end);
        assert_eq!(Share::from_billionths(i64::MIN).saturating_sub(one).billionths(), i64::MIN);
        assert_eq!(Share::from_lots(Lots(u32::MAX)).rounded(Rounding::Down), Lots(u32::MAX));
    }

    proptest! {
        #[test]
        fn a_pool_never_grows(pool in any::<i64>(), from in any::<u64>(), to in any::<u64>()) {
            let pool = Share::from_billionths(pool);
            let left = reduced(pool, from, to);
            prop_assert!(left.billionths().unsigned_abs() <= pool.billionths().unsigned_abs());
            prop_assert!(nearest_lots(left) <= nearest_lots(pool));
        }

        #[test]
        fn nearest_is_within_half_a_lot(billionths in 0..i64::from(u32::MAX) * Share::PER_LOT) {
            let share = Share::from_billionths(billionths);
            let distance = Share::from_lots(nearest_lots(share)).saturating_sub(share).billionths();
            prop_assert!(distance.abs() <= Share::PER_LOT / 2 + TOLERANCE);
            prop_assert_eq!(nearest_lots(Share::from_lots(nearest_lots(share))), nearest_lots(share));
        }
    }
}
