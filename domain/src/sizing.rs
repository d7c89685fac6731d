//! How much of what a leader opens a follower opens, in exact integers (design section 4, "How much, opening").
//!
//! Every strategy comes down to one exact ratio of the leader's units: it is found once for an order ([`propose`]), cut
//! to its maximum, and stored with everything it was made of ([`Sizing`]). From then on shares of that order, of what was
//! executed of it and of what was raised are all taken with that ratio, so the same inputs give the same quantity after a
//! restart. What rounding leaves is a [`Share`], which the next order in the same instrument, side and product starts
//! from.
//!
//! What a follower closes is not sized by a ratio but by what it holds: [`reduced`] and [`nearest_lots`].

mod ratio;
mod share;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use ratio::{Ratio, RatioError};
pub use share::{Share, nearest_lots, reduced, whole_lots};

use crate::gates::DeniedReason;
use crate::instrument::coded_enum;
use crate::policy::Bps;
use crate::price::Money;
use crate::quantity::{LotSize, Lots, Quantity};

coded_enum! {
    /// How the ratio is found.
    Strategy {
        /// Follower capital over leader capital, taken once a trading day.
        CapitalProportional = "capital_proportional",
        /// A ratio from the settings.
        FixedRatio = "fixed_ratio",
        /// What the follower's position may cost at most, whatever the leader trades.
        RiskBased = "risk_based",
        /// The same number of lots for every order of the leader's.
        FixedLots = "fixed_lots",
    }
}

coded_enum! {
    /// Which figure counts as capital.
    CapitalBasis {
        /// Available plus utilised.
        Total = "total",
        /// Available only.
        Available = "available",
        /// A sum from the settings.
        Fixed = "fixed",
    }
}

coded_enum! {
    /// How a share is made whole lots.
    Rounding {
        /// Never more than the proportion.
        Down = "down",
        /// To the nearest lot; an exact half to the smaller number, as when closing.
        Nearest = "nearest",
        /// Never less than the proportion.
        Up = "up",
    }
}

coded_enum! {
    /// What to do when the share is less than one lot.
    Minimum {
        /// Skip the order.
        Skip = "skip",
        /// Trade one lot all the same.
        OneLot = "one_lot",
    }
}

/// A follower's sizing, from the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizingPolicy {
    /// How the ratio is found.
    pub strategy: Strategy,
    /// The ratio of [`Strategy::FixedRatio`].
    pub fixed_ratio: Ratio,
    /// The lots of [`Strategy::FixedLots`].
    pub fixed_lots: Lots,
    /// The share of the follower's capital that a position costs at most under [`Strategy::RiskBased`].
    pub risk_share: Bps,
    /// Which figure counts as the follower's capital.
    pub capital: CapitalBasis,
    /// The sum of [`CapitalBasis::Fixed`].
    pub fixed_capital: Option<Money>,
    /// Applied on top of the ratio.
    pub multiplier: Ratio,
    /// The ratio is cut to this, multiplier not included.
    pub ratio_max: Ratio,
    /// How a share is made whole lots.
    pub rounding: Rounding,
    /// Less than one lot.
    pub minimum: Minimum,
    /// Whether what rounding left counts for the next order in the same instrument, side and product.
    pub keeps_remainder: bool,
}

/// Start-of-day capital of the two accounts, as far as known, by the figure that the settings count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DayCapital {
    /// The leader's.
    pub leader: Option<Money>,
    /// The follower's.
    pub follower: Option<Money>,
}

/// What is to be sized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occasion {
    /// Units of the leader's order.
    pub leader_quantity: Quantity,
    /// Units in a lot.
    pub lot_size: LotSize,
    /// What one unit costs the follower: the premium of a unit bought, the margin of a unit sold.
    pub unit_cost: Option<Money>,
    /// Units that the follower holds and has under way in the instrument.
    pub held: u64,
}

/// What a size was computed from and what it came to: stored with each mapping, so that it can be computed again.
///
/// A row of a version before remainders lacks what came with them; such an order was rounded down and kept nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizing {
    /// How the ratio was found.
    pub strategy: Strategy,
    /// The ratio used, cut to its maximum.
    pub ratio: Ratio,
    /// The multiplier used.
    pub multiplier: Ratio,
    /// How a share is made whole lots.
    #[serde(default = "rounding_of_old")]
    pub rounding: Rounding,
    /// Less than one lot.
    #[serde(default = "minimum_of_old")]
    pub minimum: Minimum,
    /// Whether what rounding left counts for the next order. Never under [`Strategy::RiskBased`]: what a position may
    /// still cost is found anew for each order, from what is held, and a remainder would count it twice.
    #[serde(default)]
    pub keeps_remainder: bool,
    /// Leader units.
    pub leader_quantity: Quantity,
    /// Units in a lot.
    pub lot_size: LotSize,
    /// Start-of-day capital of the leader, where it counted.
    pub leader_capital: Option<Money>,
    /// Start-of-day capital of the follower, where it counted.
    pub follower_capital: Option<Money>,
    /// What one unit costs the follower, where it counted.
    #[serde(default)]
    pub unit_cost: Option<Money>,
    /// Units that the follower held and had under way, where they counted.
    #[serde(default)]
    pub held: u64,
    /// The remainder before this order.
    #[serde(default)]
    pub credit: Share,
    /// What the follower trades; nothing when the share is less than one lot and the minimum does not help.
    pub quantity: Quantity,
}

const fn rounding_of_old() -> Rounding {
    Rounding::Down
}

const fn minimum_of_old() -> Minimum {
    Minimum::Skip
}

/// Sizes one order, without any remainder: `credit` is nothing and `quantity` what follows from that.
///
/// A share of less than one lot is no error but a quantity of zero: the remainder may yet make it a lot. Refused only for
/// a capital ([`DeniedReason::CapitalUnknown`]) or a cost ([`DeniedReason::PriceUnknown`]) that the strategy needs.
pub fn propose(
    policy: &SizingPolicy,
    capital: DayCapital,
    occasion: Occasion,
) -> Result<Sizing, DeniedReason> {
    let follower_capital = match policy.capital {
        CapitalBasis::Total | CapitalBasis::Available => capital.follower,
        CapitalBasis::Fixed => policy.fixed_capital,
    };
    let capital = DayCapital { follower: follower_capital, ..capital };
    let ratio = match policy.strategy {
        Strategy::CapitalProportional => capital_ratio(capital)?,
        Strategy::FixedRatio => policy.fixed_ratio,
        Strategy::RiskBased => risk_ratio(policy.risk_share, capital, occasion)?,
        Strategy::FixedLots => lots_ratio(policy.fixed_lots, occasion),
    };
    let is_by_capital = policy.strategy == Strategy::CapitalProportional;
    let is_by_risk = policy.strategy == Strategy::RiskBased;
    let mut sizing = Sizing {
        strategy: policy.strategy,
        ratio: ratio.min(policy.ratio_max),
        multiplier: policy.multiplier,
        rounding: policy.rounding,
        minimum: policy.minimum,
        keeps_remainder: policy.keeps_remainder && !is_by_risk,
        leader_quantity: occasion.leader_quantity,
        lot_size: occasion.lot_size,
        leader_capital: capital.leader.filter(|_| is_by_capital),
        follower_capital: capital.follower.filter(|_| is_by_capital || is_by_risk),
        unit_cost: occasion.unit_cost.filter(|_| is_by_risk),
        held: if is_by_risk { occasion.held } else { 0 },
        credit: Share::ZERO,
        quantity: Quantity::ZERO,
    };
    sizing.quantity = sizing.quantity_of(sizing.lots(occasion.leader_quantity, Share::ZERO));
    Ok(sizing)
}

/// `capital_proportional`: follower capital / leader capital, both of the start of the trading day, so that rejected
/// orders and withdrawals do not swing it (A29).
fn capital_ratio(capital: DayCapital) -> Result<Ratio, DeniedReason> {
    let (leader, follower) = (known(capital.leader)?, known(capital.follower)?);
    Ratio::of_wide(follower, leader).map_err(|_| DeniedReason::CapitalUnknown)
}

/// `fixed_lots`: lots x lot size / leader units, which makes the share of the whole order that many lots.
fn lots_ratio(lots: Lots, occasion: Occasion) -> Ratio {
    let units = u128::from(lots.0) * u128::from(occasion.lot_size.get());
    // An order of no units has no share either.
    Ratio::of_wide(units, u128::from(occasion.leader_quantity.get())).unwrap_or(Ratio::ZERO)
}

/// `risk_based`: (capital x risk share - held x cost of a unit) / (cost of a unit x leader units), never below zero: what
/// the position may still cost, in units, over the leader's. Shorts are measured by margin, longs by premium (A28).
fn risk_ratio(risk_share: Bps, capital: DayCapital, occasion: Occasion) -> Result<Ratio, DeniedReason> {
    let capital = known(capital.follower)?;
    let unit_cost = occasion
        .unit_cost
        .and_then(|cost| u128::try_from(cost.units()).ok())
        .filter(|cost| *cost > 0)
        .ok_or(DeniedReason::PriceUnknown)?;
    let unit_cost = unit_cost * u128::from(Bps::WHOLE);
    let allowed = capital * u128::from(risk_share.get());
    let room = allowed.saturating_sub(u128::from(occasion.held).saturating_mul(unit_cost));
    let whole = unit_cost * u128::from(occasion.leader_quantity.get());
    Ok(Ratio::of_wide(room, whole).unwrap_or(Ratio::ZERO))
}

/// A capital that can be put into a proportion: a negative one says only that the figure is not to be trusted.
fn known(capital: Option<Money>) -> Result<u128, DeniedReason> {
    capital.and_then(|capital| u128::try_from(capital.units()).ok()).ok_or(DeniedReason::CapitalUnknown)
}

/// Bits above and below the line that leave room for units, lot size and billionths in the product.
const UPPER_BITS: u32 = 64;
const LOWER_BITS: u32 = 95;

impl Sizing {
    /// The follower's exact proportion of some of the leader's units, to the nearest billionth of a lot:
    /// units x ratio x multiplier / lot size; saturates at the end of the range.
    ///
    /// Under [`Strategy::FixedLots`] and [`Strategy::RiskBased`] the ratio was made for the order as it stood, so more
    /// units than were sized have no larger share: a raise of the leader's order is proposed anew.
    pub fn share(&self, units: Quantity) -> Share {
        let units = match self.strategy {
            Strategy::CapitalProportional | Strategy::FixedRatio => units,
            Strategy::FixedLots | Strategy::RiskBased => units.min(self.leader_quantity),
        };
        let product = |ratio: u64, multiplier: u64| u128::from(ratio) * u128::from(multiplier);
        let (upper, lower) = ratio::fitted(
            product(self.ratio.numerator, self.multiplier.numerator),
            product(self.ratio.denominator, self.multiplier.denominator).max(1),
            UPPER_BITS,
            LOWER_BITS,
        );
        let upper = u128::from(units.get()) * u128::from(Share::PER_LOT.unsigned_abs()) * upper;
        let lower = u128::from(self.lot_size.get()) * lower;
        Share::from_billionths(i64::try_from((upper + lower / 2) / lower).unwrap_or(i64::MAX))
    }

    /// The whole lots that the follower takes for some of the leader's units when `credit` was left before: share and
    /// credit rounded, never below none. Where no remainder is kept the credit does not count.
    ///
    /// Where the owner says so it is one lot at least for every share above nothing. No share at all (a position that
    /// already costs what it may) stays none.
    pub fn lots(&self, units: Quantity, credit: Share) -> Lots {
        self.taken(units, credit).0
    }

    /// The credit after those lots: share and credit less lots. A lot that only the minimum gave takes no more than was
    /// there: it is not owed back. Nothing where no remainder is kept.
    pub fn left(&self, units: Quantity, credit: Share) -> Share {
        if self.keeps_remainder { self.taken(units, credit).1 } else { Share::ZERO }
    }

    /// The units in so many lots; saturates to the most whole lots there can be.
    pub fn quantity_of(&self, lots: Lots) -> Quantity {
        let most = || Quantity::new(u32::MAX - u32::MAX % self.lot_size.get());
        self.lot_size.quantity(lots).unwrap_or_else(most)
    }

    /// Lots taken and what is left.
    fn taken(&self, units: Quantity, credit: Share) -> (Lots, Share) {
        let credit = if self.keeps_remainder { credit } else { Share::ZERO };
        let share = self.share(units);
        if share.is_zero() {
            return (Lots(0), credit);
        }
        let sum = share.saturating_add(credit);
        match sum.rounded(self.rounding) {
            Lots(0) if self.minimum == Minimum::OneLot => (Lots(1), sum.min(Share::ZERO)),
            lots => (lots, sum.saturating_sub(Share::from_lots(lots))),
        }
    }
}
