//! The one clock that sessions, ages and budgets read.
//!
//! It is the system's, or lent by a simulator to a daemon whose every URL is loopback, so that a day can run fast and a
//! Sunday can be a Tuesday. Socket deadlines never read it: they are real ([`std::time::Instant`], tokio's timers).

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tandem_domain::time::Timestamp;

/// Tells the time. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Clock {
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    System,
    Lent(Arc<ArcSwap<Anchor>>),
}

/// A lent moment, and how fast time has run since.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    at: Timestamp,
    set: Instant,
    /// Lent microseconds in 1,000 real ones.
    rate_permille: u32,
}

/// The hand that sets a lent clock.
#[derive(Debug, Clone)]
pub struct ClockSetter {
    anchor: Arc<ArcSwap<Anchor>>,
}

impl Clock {
    /// The machine's clock.
    pub const fn system() -> Self {
        Self { source: Source::System }
    }

    /// A clock that stands still at `at` until its setter moves it.
    pub fn lent(at: Timestamp) -> (Self, ClockSetter) {
        let anchor = Arc::new(ArcSwap::from_pointee(Anchor { at, set: Instant::now(), rate_permille: 0 }));
        (Self { source: Source::Lent(Arc::clone(&anchor)) }, ClockSetter { anchor })
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match &self.source {
            Source::System => {
                #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
                let now = chrono::Utc::now();
                Timestamp::from_micros(now.timestamp_micros())
            }
            Source::Lent(anchor) => anchor.load().now(),
        }
    }

    /// How long to wait, in real time, until the clock shows `at`. A clock that stands still is asked again soon.
    pub fn real_time_until(&self, at: Timestamp) -> Duration {
        /// A lent clock may jump: no wait is trusted for longer than this.
        const LENT_WAIT_MAX: Duration = Duration::from_millis(50);
        let lent = at.since(self.now());
        match &self.source {
            Source::System => lent,
            Source::Lent(anchor) => match anchor.load().rate_permille {
                0 => LENT_WAIT_MAX,
                rate => (lent * 1000 / rate).clamp(Duration::from_micros(100), LENT_WAIT_MAX),
            },
        }
    }
}

impl ClockSetter {
    /// From now on it is `at`, running at `rate_permille` thousandths of real time.
    pub fn set(&self, at: Timestamp, rate_permille: u32) {
        self.anchor.store(Arc::new(Anchor { at, set: Instant::now(), rate_permille }));
    }
}

impl Anchor {
    fn now(&self) -> Timestamp {
        self.at.plus(self.set.elapsed() * self.rate_permille / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lent_clock_stands_still_until_it_is_set() {
        let (clock, setter) = Clock::lent(Timestamp::from_micros(5));
        assert_eq!(clock.now(), Timestamp::from_micros(5));
        setter.set(Timestamp::from_micros(9), 0);
        assert_eq!(clock.now(), Timestamp::from_micros(9));
        setter.set(Timestamp::from_micros(9), 10_000);
        assert!(clock.real_time_until(Timestamp::from_micros(10_009)) <= Duration::from_millis(1));
    }
}
