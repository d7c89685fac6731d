//! Limits on order writes, as sliding windows of simulated time (`dhanhq-v2.md` section 9.1).

use std::collections::VecDeque;
use std::time::Duration;

use tandem_domain::time::Timestamp;

use super::settings::RateLimits;

/// The order writes one account made in the last day, oldest first. Refused ones do not count.
#[derive(Debug, Clone, Default)]
pub(super) struct WriteHistory {
    taken: VecDeque<Timestamp>,
}

impl WriteHistory {
    /// Counts a write at `now`, or says that it is one too many.
    pub(super) fn admit(&mut self, limits: &RateLimits, now: Timestamp) -> bool {
        const DAY: Duration = Duration::from_hours(24);
        while self.taken.front().is_some_and(|at| now.since(*at) >= DAY) {
            self.taken.pop_front();
        }
        let windows = [
            (limits.per_second, Duration::from_secs(1)),
            (limits.per_minute, Duration::from_mins(1)),
            (limits.per_hour, Duration::from_hours(1)),
            (limits.per_day, DAY),
        ];
        let room = windows.iter().all(|(most, span)| self.room(*most, *span, now));
        if room {
            self.taken.push_back(now);
        }
        room
    }

    /// Whether fewer than `most` writes lie within `span` before `now`.
    fn room(&self, most: usize, span: Duration, now: Timestamp) -> bool {
        match self.taken.len().checked_sub(most) {
            None => true,
            // The write `most` back from here: when it has left the window, so have all before it.
            Some(at) => self.taken.get(at).is_some_and(|oldest| now.since(*oldest) >= span),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000 + millis * 1000)
    }

    #[test]
    fn the_eleventh_write_in_a_second_is_refused_and_not_counted() {
        let limits = RateLimits::default();
        let mut history = WriteHistory::default();
        for n in 0..10 {
            assert!(history.admit(&limits, at(n * 50)), "write {n}");
        }
        assert!(!history.admit(&limits, at(500)));
        assert!(!history.admit(&limits, at(999)));
        assert!(history.admit(&limits, at(1000)));
        assert!(!history.admit(&limits, at(1001)));
    }

    #[test]
    fn longer_windows_hold_too() {
        let limits = RateLimits { per_second: 10, per_minute: 20, per_hour: 30, per_day: 40 };
        let mut history = WriteHistory::default();
        let admitted = |history: &mut WriteHistory, from: i64| {
            (0..100).filter(|n| history.admit(&limits, at(from + n * 200))).count()
        };
        assert_eq!(admitted(&mut history, 0), 20);
        assert_eq!(admitted(&mut history, 120_000), 10);
        assert_eq!(admitted(&mut history, 3_800_000), 10);
        assert_eq!(admitted(&mut history, 80_000_000), 0);
        assert!(history.admit(&limits, at(87_000_000)));
    }
}
