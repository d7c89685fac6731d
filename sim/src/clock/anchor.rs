//! Simulated time as an anchor and a rate: pure arithmetic, real moments come in as arguments.

use std::fmt;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tandem_domain::time::Timestamp;
use thiserror::Error;

/// How many simulated seconds pass in a real one: 0 (stopped) to 10, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Rate {
    thousandths: u32,
}

/// A rate outside 0 to 10.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("a clock rate lies between 0 and 10, not {0}")]
pub struct RateError(f64);

impl Rate {
    /// Simulated time stands still.
    pub const STOPPED: Self = Self { thousandths: 0 };
    /// Simulated time passes like real time.
    pub const REAL: Self = Self { thousandths: 1000 };
    /// The fastest rate a daemon's sockets and timers can live with.
    pub const FASTEST: Self = Self { thousandths: 10_000 };

    /// The simulated time that passes in a real span.
    fn simulated(self, real: Duration) -> Duration {
        real.saturating_mul(self.thousandths) / 1000
    }
}

impl TryFrom<f64> for Rate {
    type Error = RateError;

    fn try_from(rate: f64) -> Result<Self, RateError> {
        if !(0.0..=10.0).contains(&rate) {
            return Err(RateError(rate));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 10,000 after the check"
        )]
        let thousandths = (rate * 1000.0).round() as u32;
        Ok(Self { thousandths })
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> Self {
        Self::from(rate.thousandths) / 1000.0
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f64::from(*self).fmt(f)
    }
}

/// Simulated time = the anchor + rate x the real time since. Never runs backwards.
#[derive(Debug, Clone)]
pub(crate) struct Anchor {
    simulated: Timestamp,
    real: Instant,
    rate: Rate,
}

impl Anchor {
    pub(crate) fn new(start: Timestamp, real: Instant, rate: Rate) -> Self {
        Self { simulated: start, real, rate }
    }

    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }

    /// The simulated moment at a real one.
    pub(crate) fn at(&self, real: Instant) -> Timestamp {
        self.simulated.plus(self.rate.simulated(real.saturating_duration_since(self.real)))
    }

    /// Goes on from here at another rate.
    pub(crate) fn set_rate(&mut self, rate: Rate, real: Instant) {
        *self = Self::new(self.at(real), real, rate);
    }

    /// Leaps ahead; a moment already passed changes nothing.
    pub(crate) fn jump_to(&mut self, target: Timestamp, real: Instant) {
        *self = Self::new(self.at(real).max(target), real, self.rate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_micros(1_000_000);

    fn after(anchor: &Anchor, real: Instant, millis: u64) -> i64 {
        anchor.at(real + Duration::from_millis(millis)).micros()
    }

    #[test]
    fn time_passes_at_the_rate() {
        let real = Instant::now();
        for (rate, expect) in [(0.0, 1_000_000), (0.5, 1_250_000), (1.0, 1_500_000), (10.0, 6_000_000)] {
            let anchor = Anchor::new(START, real, Rate::try_from(rate).unwrap());
            assert_eq!(after(&anchor, real, 500), expect, "rate {rate}");
        }
    }

    #[test]
    fn a_new_rate_and_a_jump_never_turn_time_back() {
        let real = Instant::now();
        let mut anchor = Anchor::new(START, real, Rate::FASTEST);
        anchor.set_rate(Rate::STOPPED, real + Duration::from_millis(100));
        assert_eq!(after(&anchor, real, 900), 2_000_000);
        anchor.jump_to(Timestamp::from_micros(1_500_000), real);
        assert_eq!(after(&anchor, real, 900), 2_000_000);
        anchor.jump_to(Timestamp::from_micros(9_000_000), real);
        assert_eq!(after(&anchor, real, 900), 9_000_000);
    }

    #[test]
    fn a_rate_outside_its_bounds_is_refused() {
        for rate in [-0.1, 10.1, f64::NAN, f64::INFINITY] {
            assert!(Rate::try_from(rate).is_err(), "{rate}");
        }
        assert_eq!(serde_json::from_str::<Rate>("2.5").unwrap(), Rate::try_from(2.5).unwrap());
    }
}
