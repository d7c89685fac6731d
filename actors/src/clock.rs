//! The one clock that sessions, ages and budgets read.
//!
//! It is the system's, or lent by a simulator to a daemon whose every URL is loopback, so that a day can run fast and a
//! Sunday can be a Tuesday. Socket deadlines never read it: they are real ([`std::time::Instant`], tokio's timers).
//!
//! Whoever keeps the machine may set its clock. Within a day that is followed; but no day begins, and none comes back,
//! because of it (P28): that takes time to pass, by the steady clock that nobody can set, or the broker to be there
//! already.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
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
    System(Arc<Wall>),
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
    /// The machine's clock, believed as it is now.
    pub fn system() -> Self {
        let begun = Instant::now();
        Self { source: Source::System(Arc::new(Wall { begun, began_at: AtomicI64::new(shown().micros()) })) }
    }

    /// A clock that stands still at `at` until its setter moves it.
    pub fn lent(at: Timestamp) -> (Self, ClockSetter) {
        let anchor = Arc::new(ArcSwap::from_pointee(Anchor { at, set: Instant::now(), rate_permille: 0 }));
        (Self { source: Source::Lent(Arc::clone(&anchor)) }, ClockSetter { anchor })
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match &self.source {
            Source::System(wall) => wall.now(shown()),
            Source::Lent(anchor) => anchor.load().now(),
        }
    }

    /// Whether the machine's clock shows another day than time has come to, and is not followed.
    pub fn is_overruled(&self) -> bool {
        match &self.source {
            Source::System(wall) => judge(shown(), wall.counted()) == Verdict::AnotherDay,
            Source::Lent(_) => false,
        }
    }

    /// The broker has told of something that happened then: where the machine's clock was set to a later day, and he is
    /// there already, it is right.
    pub fn hear_of(&self, happened: Timestamp) {
        if let Source::System(wall) = &self.source {
            wall.hear_of(happened, shown());
        }
    }

    /// How long to wait, in real time, until the clock shows `at`. A clock that stands still is asked again soon.
    pub fn real_time_until(&self, at: Timestamp) -> Duration {
        /// A lent clock may jump: no wait is trusted for longer than this.
        const LENT_WAIT_MAX: Duration = Duration::from_millis(50);
        let lent = at.since(self.now());
        match &self.source {
            Source::System(_) => lent,
            Source::Lent(anchor) => match anchor.load().rate_permille {
                0 => LENT_WAIT_MAX,
                rate => (lent * 1000 / rate).clamp(Duration::from_micros(100), LENT_WAIT_MAX),
            },
        }
    }
}

/// What the machine's clock shows.
fn shown() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    let now = chrono::Utc::now();
    Timestamp::from_micros(now.timestamp_micros())
}

/// The machine's clock, beside the steady one.
#[derive(Debug)]
struct Wall {
    begun: Instant,
    /// What it was, in microseconds, when the steady clock began, by what it showed when the two last agreed.
    began_at: AtomicI64,
}

/// How far the two may have come apart since the last look and still agree: what a time daemon corrects in one step.
const AGREEMENT: Duration = Duration::from_mins(2);

/// What to make of what the machine's clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// So much time has passed.
    Agrees,
    /// It was set, within the day.
    SameDay,
    /// It was set to another day.
    AnotherDay,
}

fn judge(shown: Timestamp, counted: Timestamp) -> Verdict {
    if shown.since(counted).max(counted.since(shown)) <= AGREEMENT {
        Verdict::Agrees
    } else if shown.trading_day() == counted.trading_day() {
        Verdict::SameDay
    } else {
        Verdict::AnotherDay
    }
}

impl Wall {
    fn now(&self, shown: Timestamp) -> Timestamp {
        match judge(shown, self.counted()) {
            Verdict::Agrees => {
                self.believe(shown);
                shown
            }
            // Followed, but not believed: at its midnight time must have come there, too.
            Verdict::SameDay => shown,
            Verdict::AnotherDay => self.counted(),
        }
    }

    /// What it is by the steady clock.
    fn counted(&self) -> Timestamp {
        Timestamp::from_micros(self.began_at.load(Ordering::Relaxed)).plus(self.begun.elapsed())
    }

    fn believe(&self, shown: Timestamp) {
        self.began_at.store(shown.minus(self.begun.elapsed()).micros(), Ordering::Relaxed);
    }

    fn hear_of(&self, happened: Timestamp, shown: Timestamp) {
        let counted = self.counted();
        let is_set_ahead = judge(shown, counted) == Verdict::AnotherDay && shown > counted;
        if is_set_ahead && happened.trading_day() > counted.trading_day() {
            self.believe(shown);
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

    fn at(text: &str) -> Timestamp {
        Timestamp::from_ist(text.parse().unwrap())
    }

    fn begun(at: Timestamp) -> Wall {
        Wall { begun: Instant::now(), began_at: AtomicI64::new(at.micros()) }
    }

    #[test]
    fn p28_no_day_begins_or_comes_back_because_the_clock_was_set() {
        let noon = at("2026-12-02T12:00:00");
        for (shown, is_followed) in [
            ("2026-12-02T12:00:30", true),
            ("2026-12-02T15:00:00", true),
            ("2026-12-02T00:00:00", true),
            ("2026-12-03T00:00:00", false),
            ("2026-12-03T12:00:00", false),
            ("2026-12-01T23:59:59", false),
            ("2025-01-01T12:00:00", false),
        ] {
            let wall = begun(noon);
            let now = wall.now(at(shown));
            assert_eq!(now == at(shown), is_followed, "{shown}");
            assert_eq!(now.trading_day(), noon.trading_day(), "{shown}");
        }
        // Time passes over midnight.
        let wall = begun(at("2026-12-02T23:59:59"));
        assert_eq!(wall.now(at("2026-12-03T00:00:01")), at("2026-12-03T00:00:01"));
    }

    #[test]
    fn p28_two_small_lies_do_not_make_a_day() {
        let wall = begun(at("2026-12-02T12:00:00"));
        assert_eq!(wall.now(at("2026-12-02T23:59:59")), at("2026-12-02T23:59:59"));
        assert!(wall.now(at("2026-12-03T00:00:01")) < at("2026-12-02T12:01:00"), "it is noon");
    }

    #[test]
    fn p28_a_later_day_is_believed_once_the_broker_is_there() {
        let (counted, shown) = (at("2026-12-02T12:00:00"), at("2026-12-03T10:00:00"));
        let wall = begun(counted);
        wall.hear_of(at("2026-12-02T12:00:01"), shown);
        assert!(wall.now(shown) < shown);
        wall.hear_of(at("2026-12-03T09:59:59"), shown);
        assert_eq!(wall.now(shown), shown);
        // Nothing that he tells makes an earlier day.
        wall.hear_of(at("2026-12-02T12:00:00"), counted);
        assert!(wall.now(counted) >= shown);
    }

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
