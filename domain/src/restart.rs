//! Who is restarted with an actor that died, and how often it may be before its failure is everybody's (P23).
//!
//! A sliding window, and a total for the day: a count that resets after a quiet gap never sees a slow crash loop.

use std::collections::VecDeque;
use std::time::Duration;

/// Limits of restarting one actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartLimits {
    /// Restarts within `window` that are still borne.
    pub restarts_max: u32,
    /// Length of the sliding window.
    pub window: Duration,
    /// Restarts within a day that are still borne.
    pub restarts_per_day_max: u32,
    /// Delay before the first restart; doubles with each within the window.
    pub backoff_first: Duration,
    /// The longest delay.
    pub backoff_max: Duration,
}

/// What to do about a death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Start a new one after this long.
    RestartAfter(Duration),
    /// Too many: stop trading and say so.
    Escalate,
}

/// How an actor hangs together with those that are started after it (`reliability.md` section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// A link of the chain: the links after it stand on what it told them, and are built anew with it.
    RestForOne,
    /// A branch of its own, which nobody else stands on: it is built anew alone.
    OneForOne,
}

/// Who is built anew when the actor at `dead` has died, in the order of start: itself, and of a chain the links after it.
/// Empty for an actor that is none of these.
pub fn restarted_with(actors: &[Strategy], dead: usize) -> Vec<usize> {
    let Some(strategy) = actors.get(dead) else { return Vec::new() };
    let goes_with = |at: &usize| {
        *at == dead || (*strategy == Strategy::RestForOne && actors[*at] == Strategy::RestForOne)
    };
    (dead..actors.len()).filter(goes_with).collect()
}

/// The record of one actor's deaths. Times are spans since the process began: wall clocks jump.
#[derive(Debug)]
pub struct RestartLog {
    limits: RestartLimits,
    deaths: VecDeque<Duration>,
}

impl RestartLog {
    /// A record without deaths.
    pub const fn new(limits: RestartLimits) -> Self {
        Self { limits, deaths: VecDeque::new() }
    }

    /// Notes a death `since_start` into the run, and judges. `jitter_pct` (0 to 100) adds that share of a fifth of the
    /// delay, so that actors that died together do not come back together.
    pub fn on_death(&mut self, since_start: Duration, jitter_pct: u32) -> Verdict {
        const DAY: Duration = Duration::from_hours(24);
        self.deaths.push_back(since_start);
        while self.deaths.front().is_some_and(|first| *first + DAY < since_start) {
            self.deaths.pop_front();
        }
        let window = self.limits.window;
        let recent = self.deaths.iter().filter(|death| **death + window >= since_start).count();
        let recent = u32::try_from(recent).unwrap_or(u32::MAX);
        let today = u32::try_from(self.deaths.len()).unwrap_or(u32::MAX);
        if recent > self.limits.restarts_max || today > self.limits.restarts_per_day_max {
            return Verdict::Escalate;
        }
        let doubled = self.limits.backoff_first.saturating_mul(1 << (recent - 1).min(16));
        let delay = doubled.min(self.limits.backoff_max);
        Verdict::RestartAfter(delay + delay * jitter_pct.min(100) / 500)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> RestartLog {
        RestartLog::new(RestartLimits {
            restarts_max: 3,
            window: Duration::from_mins(1),
            restarts_per_day_max: 5,
            backoff_first: Duration::from_millis(100),
            backoff_max: Duration::from_millis(300),
        })
    }

    #[test]
    fn the_rest_of_the_chain_goes_with_a_link_and_nobody_with_a_branch() {
        use Strategy::{OneForOne, RestForOne};
        // A link, two branches, two links.
        let actors = [RestForOne, OneForOne, OneForOne, RestForOne, RestForOne];
        for (dead, anew) in [(0, &[0, 3, 4][..]), (1, &[1]), (2, &[2]), (3, &[3, 4]), (4, &[4]), (5, &[])] {
            assert_eq!(restarted_with(&actors, dead), anew, "{dead} died");
        }
        assert_eq!(restarted_with(&[], 0), [0; 0]);
    }

    #[test]
    fn deaths_that_left_the_window_and_the_day_count_no_more() {
        let mut log = log();
        for at in [0, 30, 59] {
            assert_ne!(log.on_death(Duration::from_secs(at), 0), Verdict::Escalate);
        }
        // The first has left the minute: this is the third within it again, and the fourth of the day.
        assert_eq!(
            log.on_death(Duration::from_secs(61), 0),
            Verdict::RestartAfter(Duration::from_millis(300))
        );
        assert_ne!(log.on_death(Duration::from_mins(10), 0), Verdict::Escalate, "the fifth of the day");
        let next_day = Duration::from_hours(25);
        assert_eq!(log.on_death(next_day, 0), Verdict::RestartAfter(Duration::from_millis(100)));
    }

    #[test]
    fn jitter_adds_a_fifth_at_most() {
        for (pct, ms) in [(0, 100), (50, 110), (100, 120), (1000, 120)] {
            let verdict = log().on_death(Duration::ZERO, pct);
            assert_eq!(verdict, Verdict::RestartAfter(Duration::from_millis(ms)), "{pct}");
        }
    }

    #[test]
    fn delays_double_to_a_cap_and_the_window_escalates() {
        let mut log = log();
        let verdicts: Vec<_> = (0..4).map(|at| log.on_death(Duration::from_secs(at), 0)).collect();
        let after = |ms| Verdict::RestartAfter(Duration::from_millis(ms));
        assert_eq!(verdicts, [after(100), after(200), after(300), Verdict::Escalate]);
    }

    #[test]
    fn a_slow_crash_loop_escalates_by_the_day() {
        let mut log = log();
        let verdicts: Vec<_> = (0..6).map(|at| log.on_death(Duration::from_mins(at * 10), 0)).collect();
        assert_eq!(verdicts[4], Verdict::RestartAfter(Duration::from_millis(100)));
        assert_eq!(verdicts[5], Verdict::Escalate);
    }
}
