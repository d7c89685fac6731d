//! The one clock that sessions, ages and budgets read.
//!
//! It is the system's, or lent by a simulator to a daemon whose every URL is loopback, so that a day can run fast and a
//! Sunday can be a Tuesday. Socket deadlines never read it: they are real ([`std::time::Instant`], tokio's timers).
//!
//! Whoever keeps the machine may set its clock. A start believes it; from then on time goes by the steady clock that nobody
//! can set, and only nears what the machine's shows, so that no wait ends and no day begins or comes back because that was
//! set (P28, decision 37). More is believed once the broker has told of something that happened so late.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rustix::time::{ClockId, clock_gettime};
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
        Self { source: Source::System(Arc::new(Wall::new(Reading::take()))) }
    }

    /// A clock that stands still at `at` until its setter moves it.
    pub fn lent(at: Timestamp) -> (Self, ClockSetter) {
        let anchor = Arc::new(ArcSwap::from_pointee(Anchor { at, set: Instant::now(), rate_permille: 0 }));
        (Self { source: Source::Lent(Arc::clone(&anchor)) }, ClockSetter { anchor })
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match &self.source {
            Source::System(wall) => wall.now(Reading::take()),
            Source::Lent(anchor) => anchor.load().now(),
        }
    }

    /// Whether the machine's clock shows something else than time has come to.
    pub fn is_overruled(&self) -> bool {
        match &self.source {
            Source::System(wall) => wall.is_overruled(Reading::take()),
            Source::Lent(_) => false,
        }
    }

    /// The broker has told of something that happened then: where the machine's clock is ahead of the time told here, and he
    /// is ahead as well, it is right.
    pub fn hear_of(&self, happened: Timestamp) {
        if let Source::System(wall) = &self.source {
            wall.hear_of(happened, Reading::take());
        }
    }

    /// How long to wait, in real time, until the clock shows `at`, more or less: whoever waits looks again then, and may have
    /// to wait once more. The system's runs slow while it nears a machine's clock that is behind it; a clock that stands
    /// still is asked again soon.
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

/// Both clocks, read together.
#[derive(Debug, Clone, Copy)]
struct Reading {
    /// What the machine's clock shows.
    shown: Timestamp,
    /// The steady clock, from a beginning of its own.
    steady: Duration,
}

impl Reading {
    /// A machine's sleep does not stop it, as it stops [`Instant`].
    #[cfg(target_os = "linux")]
    const STEADY: ClockId = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const STEADY: ClockId = ClockId::Monotonic;

    fn take() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
        let shown = chrono::Utc::now();
        Self {
            shown: Timestamp::from_micros(shown.timestamp_micros()),
            // It counts from the machine's start, and is never before it.
            steady: clock_gettime(Self::STEADY).try_into().unwrap_or_default(),
        }
    }
}

/// The system's time: by the steady clock since the start, and nearing what the machine's clock shows.
#[derive(Debug)]
struct Wall {
    last: Mutex<Look>,
}

/// What was told, and when by the steady clock.
#[derive(Debug, Clone, Copy)]
struct Look {
    steady: Duration,
    /// Nanoseconds since 1970: in microseconds, a part of the time between two looks at once would be nothing.
    told: i128,
}

/// How far the machine's clock may be from ours and still agree with it: what a time daemon corrects in one step.
const AGREEMENT: Duration = Duration::from_mins(2);

/// How much of the time that passes ours may hold back to come nearer to a machine's clock behind it: a tenth. What waits
/// then waits a tenth longer, which does no harm, and ten minutes are made good in less than two hours.
const HELD_BACK: i128 = 10;

/// How much it may hurry to come nearer to one that is ahead: a fiftieth. Every window of the broker's budget is shorter by
/// that, and the guard that a window of a second has (`broker.limits.window_guard_ms`) must bear it. Where much is missing,
/// the broker's word makes it good at once.
const HURRIED: i128 = 50;

impl Look {
    fn begun(reading: Reading) -> Self {
        Self { steady: reading.steady, told: nanos(reading.shown) }
    }

    /// The time since, in nanoseconds; nothing for a reading that another thread's look has overtaken.
    fn elapsed(self, steady: Duration) -> i128 {
        i128::try_from(steady.saturating_sub(self.steady).as_nanos()).unwrap_or(0)
    }

    /// What it is by the steady clock alone.
    fn counted(self, steady: Duration) -> Timestamp {
        timestamp(self.told + self.elapsed(steady))
    }
}

impl Wall {
    fn new(reading: Reading) -> Self {
        Self { last: Mutex::new(Look::begun(reading)) }
    }

    fn now(&self, Reading { shown, steady }: Reading) -> Timestamp {
        let mut last = self.last();
        let elapsed = last.elapsed(steady);
        let counted = last.told + elapsed;
        // One that was set to another day is not even neared: its midnight must have come here, too.
        let is_neared =
            is_agreed(shown, timestamp(counted)) || shown.trading_day() == timestamp(counted).trading_day();
        let missing = if is_neared { nanos(shown) - counted } else { 0 };
        let told = counted + missing.clamp(-elapsed / HELD_BACK, elapsed / HURRIED);
        *last = Look { steady: last.steady.max(steady), told };
        timestamp(told)
    }

    fn is_overruled(&self, Reading { shown, steady }: Reading) -> bool {
        !is_agreed(shown, self.last().counted(steady))
    }

    /// Three must fit together: the machine's clock is ahead of ours, what happened is too, and the machine's shows that it
    /// has happened. Nothing that the broker tells makes it earlier.
    fn hear_of(&self, happened: Timestamp, reading: Reading) {
        let mut last = self.last();
        let counted = last.counted(reading.steady);
        let is_ahead = |at: Timestamp| at.since(counted) > AGREEMENT;
        let is_later = is_ahead(happened) || happened.trading_day() > counted.trading_day();
        if is_ahead(reading.shown) && is_later && happened.since(reading.shown) <= AGREEMENT {
            *last = Look::begun(reading);
        }
    }

    fn last(&self) -> MutexGuard<'_, Look> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_agreed(shown: Timestamp, counted: Timestamp) -> bool {
    shown.since(counted).max(counted.since(shown)) <= AGREEMENT
}

fn nanos(at: Timestamp) -> i128 {
    i128::from(at.micros()) * 1000
}

fn timestamp(nanos: i128) -> Timestamp {
    Timestamp::from_micros(i64::try_from(nanos.div_euclid(1000)).unwrap_or(i64::MAX))
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
mod tests;
