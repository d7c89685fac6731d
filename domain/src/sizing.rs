//! How much of a leader order a follower follows, in exact integers.
//!
//! follower lots = floor(leader units x ratio x multiplier / lot size); the ratio is fixed, or follower capital over
//! leader capital. Rounding down never exceeds the proportion.

use serde::{Deserialize, Serialize};

use crate::gates::DeniedReason;
use crate::instrument::coded_enum;
use crate::price::Money;
pub use crate::proportion::{DayCapital, Minimum, Ratio, RatioError};
use crate::quantity::{LotSize, Lots, Quantity};

coded_enum! {
    /// How the ratio is found.
    Strategy {
        /// Follower capital over leader capital, taken once a trading day.
        CapitalProportional = "capital_proportional",
        /// A ratio from the settings.
        FixedRatio = "fixed_ratio",
    }
}

coded_enum! {
    /// Which figure of the funds counts as capital.
    CapitalBasis {
        /// Available plus utilised.
        Total = "total",
        /// Available only.
        Available = "available",
    }
}

/// A follower's sizing, from the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizingPolicy {
    /// How the ratio is found.
    pub strategy: Strategy,
    /// The ratio of [`Strategy::FixedRatio`].
    pub fixed_ratio: Ratio,
    /// Which figure counts as capital.
    pub capital: CapitalBasis,
    /// Applied on top of the ratio.
    pub multiplier: Ratio,
    /// The ratio is cut to this, multiplier not included.
    pub ratio_max: Ratio,
    /// Less than one lot.
    pub minimum: Minimum,
}

/// What a size was computed from and what it came to: stored with each mapping, so that it can be computed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizing {
    /// How the ratio was found.
    pub strategy: Strategy,
    /// The ratio used, cut to its maximum.
    pub ratio: Ratio,
    /// The multiplier used.
    pub multiplier: Ratio,
    /// Leader units.
    pub leader_quantity: Quantity,
    /// Units in a lot.
    pub lot_size: LotSize,
    /// Start-of-day capital of the leader, where it counted.
    pub leader_capital: Option<Money>,
    /// Start-of-day capital of the follower, where it counted.
    pub follower_capital: Option<Money>,
    /// What the follower trades.
    pub quantity: Quantity,
}

/// Sizes one order.
pub fn size(
    policy: &SizingPolicy,
    capital: DayCapital,
    leader_quantity: Quantity,
    lot_size: LotSize,
) -> Result<Sizing, DeniedReason> {
    let ratio = match policy.strategy {
        Strategy::FixedRatio => policy.fixed_ratio,
        Strategy::CapitalProportional => capital_ratio(capital).ok_or(DeniedReason::CapitalUnknown)?,
    }
    .min(policy.ratio_max);
    let lots = match share_in_lots(leader_quantity, ratio, policy.multiplier, lot_size) {
        Lots(0) => match policy.minimum {
            Minimum::Skip => return Err(DeniedReason::BelowOneLot),
            Minimum::OneLot => Lots(1),
        },
        lots => lots,
    };
    let by_capital = policy.strategy == Strategy::CapitalProportional;
    Ok(Sizing {
        strategy: policy.strategy,
        ratio,
        multiplier: policy.multiplier,
        leader_quantity,
        lot_size,
        leader_capital: capital.leader.filter(|_| by_capital),
        follower_capital: capital.follower.filter(|_| by_capital),
        // Only an absurd ratio gets past the range; the largest whole number of lots is then far above any cap.
        quantity: lot_size.quantity(lots).unwrap_or(Quantity::new(u32::MAX - u32::MAX % lot_size.get())),
    })
}

/// The follower's share of some of the units that were sized.
pub fn share(sizing: &Sizing, units: Quantity, minimum: Minimum) -> Quantity {
    if units.is_zero() {
        return Quantity::ZERO;
    }
    let lots = match share_in_lots(units, sizing.ratio, sizing.multiplier, sizing.lot_size) {
        Lots(0) if minimum == Minimum::OneLot => Lots(1),
        lots => lots,
    };
    sizing.lot_size.quantity(lots).unwrap_or(sizing.quantity)
}

fn capital_ratio(capital: DayCapital) -> Option<Ratio> {
    let leader = u64::try_from(capital.leader?.units()).ok()?;
    let follower = u64::try_from(capital.follower?.units()).ok()?;
    Ratio::new(follower, leader).ok()
}

fn share_in_lots(quantity: Quantity, ratio: Ratio, multiplier: Ratio, lot_size: LotSize) -> Lots {
    let upper = u128::from(quantity.get())
        .saturating_mul(u128::from(ratio.numerator))
        .saturating_mul(u128::from(multiplier.numerator));
    let lower = u128::from(ratio.denominator)
        .saturating_mul(u128::from(multiplier.denominator))
        .saturating_mul(u128::from(lot_size.get()));
    Lots(u32::try_from(upper / lower.max(1)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn policy(strategy: Strategy, ratio: Ratio) -> SizingPolicy {
        SizingPolicy {
            strategy,
            fixed_ratio: ratio,
            capital: CapitalBasis::Total,
            multiplier: Ratio::ONE,
            ratio_max: Ratio::new(5, 1).unwrap(),
            minimum: Minimum::Skip,
        }
    }

    fn lots(ratio: Ratio, leader_lots: u32) -> Result<u32, DeniedReason> {
        let nifty = LotSize::new(65).unwrap();
        let policy = policy(Strategy::FixedRatio, ratio);
        let leader = nifty.quantity(Lots(leader_lots)).unwrap();
        size(&policy, DayCapital::default(), leader, nifty).map(|sizing| sizing.quantity.get() / 65)
    }

    #[test]
    fn rounds_down_to_whole_lots() {
        let half = Ratio::new(1, 2).unwrap();
        let fifth = Ratio::new(1, 5).unwrap();
        let table = [
            (half, 4, Ok(2)),
            (half, 5, Ok(2)),
            (half, 1, Err(DeniedReason::BelowOneLot)),
            (fifth, 2, Err(DeniedReason::BelowOneLot)),
            (fifth, 28, Ok(5)),
            (Ratio::ONE, 27, Ok(27)),
            (Ratio::new(9, 1).unwrap(), 2, Ok(10)),
        ];
        for (ratio, leader_lots, expected) in table {
            assert_eq!(lots(ratio, leader_lots), expected, "{ratio:?} x {leader_lots}");
        }
    }

    #[test]
    fn capital_gives_the_ratio() {
        let nifty = LotSize::new(65).unwrap();
        let policy = policy(Strategy::CapitalProportional, Ratio::ONE);
        let leader = Some(Money::from_rupees(1_000_000));
        let known = DayCapital { leader, follower: Some(Money::from_rupees(500_000)) };
        let sizing = size(&policy, known, Quantity::new(260), nifty).unwrap();
        assert_eq!((sizing.quantity.get(), sizing.leader_capital), (130, leader));
        let unknown = DayCapital { leader: None, ..known };
        assert_eq!(size(&policy, unknown, Quantity::new(260), nifty), Err(DeniedReason::CapitalUnknown));
        let broke = DayCapital { leader: Some(Money::ZERO), ..known };
        assert_eq!(size(&policy, broke, Quantity::new(260), nifty), Err(DeniedReason::CapitalUnknown));
    }

    #[test]
    fn one_lot_at_least_where_the_owner_says_so() {
        let nifty = LotSize::new(65).unwrap();
        let policy = SizingPolicy {
            minimum: Minimum::OneLot,
            ..policy(Strategy::FixedRatio, Ratio::new(1, 5).unwrap())
        };
        let sizing = size(&policy, DayCapital::default(), Quantity::new(130), nifty).unwrap();
        assert_eq!(sizing.quantity.get(), 65);
    }

    proptest! {
        #[test]
        fn never_more_than_the_proportion(
            units in 1u32..200_000, upper in 0u64..5_000, lower in 1u64..5_000, lot in 1u32..1_000
        ) {
            let lot_size = LotSize::new(lot).unwrap();
            let policy = policy(Strategy::FixedRatio, Ratio::new(upper, lower).unwrap());
            if let Ok(sizing) = size(&policy, DayCapital::default(), Quantity::new(units), lot_size) {
                let ours = u128::from(sizing.quantity.get());
                prop_assert!(ours * u128::from(lower) <= u128::from(units) * u128::from(upper));
                prop_assert_eq!(sizing.quantity.get() % lot, 0);
            }
        }
    }
}
