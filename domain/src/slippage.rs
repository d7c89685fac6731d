//! The follower's fills compared with the leader's (scenario D1).

use crate::order::Side;
use crate::price::{Money, Price};
use crate::quantity::Quantity;
use crate::time::Timestamp;

/// One order's fills in both accounts, so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FillComparison {
    /// Units the follower has filled.
    pub filled: Quantity,
    /// The leader's average price.
    pub leader_average: Price,
    /// The follower's average price.
    pub follower_average: Price,
    /// Price difference times filled units; positive when the follower did worse.
    pub slippage: Money,
    /// The difference in whole ticks, rounded toward zero; none when the tick is not known.
    pub ticks: Option<i64>,
    /// The difference in hundredths of a basis point of the leader's price.
    pub bps_x100: i64,
    /// From the leader's fill to the follower's by the broker's clock (one-second resolution), in microseconds;
    /// negative when the follower was first.
    pub delay_us: i64,
}

/// Fills of one account: units, average price, time of the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fills {
    /// Units filled.
    pub quantity: Quantity,
    /// Average price.
    pub average: Price,
    /// The broker's time of the newest fill known.
    pub at: Timestamp,
}

/// Compares, once both have filled something at a known price.
pub fn compare(side: Side, leader: Fills, follower: Fills, tick: Price) -> Option<FillComparison> {
    if leader.average.is_zero() || follower.average.is_zero() || follower.quantity.is_zero() {
        return None;
    }
    let higher = follower.average.units().saturating_sub(leader.average.units());
    let worse = if side == Side::Buy { higher } else { -higher };
    let bps_x100 = i128::from(worse) * 1_000_000 / i128::from(leader.average.units());
    Some(FillComparison {
        filled: follower.quantity,
        leader_average: leader.average,
        follower_average: follower.average,
        slippage: Money::from_units(worse.saturating_mul(i64::from(follower.quantity.get()))),
        ticks: (!tick.is_zero()).then(|| worse / tick.units()),
        bps_x100: i64::try_from(bps_x100).unwrap_or(i64::MAX),
        delay_us: follower.at.micros().saturating_sub(leader.at.micros()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fills(units: u32, paise: u32, second: i64) -> Fills {
        Fills {
            quantity: Quantity::new(units),
            average: Price::from_paise(paise),
            at: Timestamp::from_micros(second * 1_000_000),
        }
    }

    #[test]
    fn worse_is_positive_on_both_sides() {
        let tick = Price::from_paise(5);
        let bought = compare(Side::Buy, fills(260, 10_000, 1), fills(130, 10_025, 3), tick).unwrap();
        assert_eq!(
            (bought.slippage, bought.ticks, bought.bps_x100),
            ("32.50".parse().unwrap(), Some(5), 2_500)
        );
        assert_eq!(bought.delay_us, 2_000_000);
        let sold = compare(Side::Sell, fills(260, 10_000, 3), fills(130, 10_025, 1), tick).unwrap();
        assert_eq!(
            (sold.slippage, sold.ticks, sold.delay_us),
            ("-32.50".parse().unwrap(), Some(-5), -2_000_000)
        );
    }

    #[test]
    fn nothing_is_compared_with_nothing() {
        assert_eq!(compare(Side::Buy, fills(0, 0, 0), fills(130, 10_025, 1), Price::ZERO), None);
        assert_eq!(compare(Side::Buy, fills(260, 10_000, 0), fills(0, 0, 1), Price::ZERO), None);
    }
}
