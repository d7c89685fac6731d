//! Never more requests than the broker allows, in any of its windows (P18), with part of each kept for exits.
//!
//! A sliding log of what was sent, not a token bucket: a bucket lets nearly two windows' worth through one sliding
//! second, and the broker counts windows (`reliability.md` section 6).

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What a request is for, which decides who may use the reserve and who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Purpose {
    /// Reduces what the follower holds because of copies. Goes first and may use the whole window.
    Exit,
    /// Anything that can raise exposure.
    Entry,
}

/// At most `limit` requests in any `span`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Requests.
    pub limit: u32,
    /// Length of the sliding window.
    pub span: Duration,
}

/// The broker's limits on order requests of one account (`dhanhq-v2.md` section 9.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacingLimits {
    /// Second, minute, hour, day.
    pub windows: Vec<Window>,
    /// Share of each window that entries leave free, in per cent, 0 to 100.
    pub exit_reserve_pct: u32,
    /// Added to each window, so that requests which overtake each other on the network stay within it.
    pub guard: Duration,
}

/// The log of requests sent, asked before each new one.
#[derive(Debug)]
pub struct Pacer {
    limits: PacingLimits,
    sent: VecDeque<Timestamp>,
    /// Released, and not known to have left yet: being made durable, which may take a while on a busy disk.
    leaving: usize,
    paused_until: Timestamp,
}

impl Pacer {
    /// A pacer that has sent nothing yet.
    pub fn new(limits: PacingLimits) -> Self {
        Self { limits, sent: VecDeque::new(), leaving: 0, paused_until: Timestamp::EPOCH }
    }

    /// Other limits hold from now on; what was sent counts on.
    pub fn set_limits(&mut self, limits: PacingLimits) {
        self.limits = limits;
    }

    /// Whether a request may leave now; if not, when to ask again at the earliest.
    pub fn permit(&self, purpose: Purpose, now: Timestamp) -> Result<(), Timestamp> {
        // A clock that was set back must not hold requests for as long as it lost (P28): the log moves with it.
        let set_back = self.sent.back().map_or(Duration::ZERO, |last| last.since(now));
        let mut free_at = self.paused_until;
        for window in &self.limits.windows {
            let share = match purpose {
                Purpose::Exit => window.limit,
                Purpose::Entry => {
                    let open_pct = 100u32.saturating_sub(self.limits.exit_reserve_pct);
                    // At least one, or a reserve of 100 per cent would stop entries for ever.
                    (u64::from(window.limit) * u64::from(open_pct) / 100)
                        .max(1)
                        .try_into()
                        .unwrap_or(u32::MAX)
                }
            };
            let share = share as usize;
            if let Some(at) = (self.sent.len() + self.leaving).checked_sub(share) {
                // What has not left yet leaves now at the earliest.
                let oldest_that_counts = self.sent.get(at).map_or(now, |sent| sent.minus(set_back));
                free_at = free_at.max(oldest_that_counts.plus(window.span + self.limits.guard));
            }
        }
        if free_at <= now { Ok(()) } else { Err(free_at) }
    }

    /// Notes a request that is released: it counts until [`Pacer::left`] says when it left.
    pub fn release(&mut self) {
        self.leaving += 1;
    }

    /// Notes that a released request leaves now.
    pub fn left(&mut self, at: Timestamp) {
        self.leaving = self.leaving.saturating_sub(1);
        self.record(at);
    }

    /// Notes a request that leaves now. Also for requests sent before a restart, in order of time.
    pub fn record(&mut self, at: Timestamp) {
        let set_back = self.sent.back().map_or(Duration::ZERO, |last| last.since(at));
        if !set_back.is_zero() {
            for sent in &mut self.sent {
                *sent = sent.minus(set_back);
            }
        }
        self.sent.push_back(at);
        let longest = self.limits.windows.iter().map(|window| window.span).max().unwrap_or_default();
        let horizon = at.minus(longest + self.limits.guard);
        while self.sent.front().is_some_and(|first| *first < horizon) {
            self.sent.pop_front();
        }
    }

    /// The broker said "too many": nothing leaves for a while.
    pub fn pause(&mut self, until: Timestamp) {
        self.paused_until = self.paused_until.max(until);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits() -> PacingLimits {
        PacingLimits {
            windows: vec![
                Window { limit: 10, span: Duration::from_secs(1) },
                Window { limit: 25, span: Duration::from_mins(1) },
            ],
            exit_reserve_pct: 20,
            guard: Duration::ZERO,
        }
    }

    fn at_ms(ms: i64) -> Timestamp {
        Timestamp::from_micros(ms * 1000)
    }

    #[test]
    fn entries_leave_the_reserve_to_exits() {
        let mut pacer = Pacer::new(limits());
        for _ in 0..8 {
            assert_eq!(pacer.permit(Purpose::Entry, at_ms(5000)), Ok(()));
            pacer.record(at_ms(5000));
        }
        assert_eq!(pacer.permit(Purpose::Entry, at_ms(5000)), Err(at_ms(6000)));
        for _ in 0..2 {
            assert_eq!(pacer.permit(Purpose::Exit, at_ms(5000)), Ok(()));
            pacer.record(at_ms(5000));
        }
        assert_eq!(pacer.permit(Purpose::Exit, at_ms(5000)), Err(at_ms(6000)));
    }

    #[test]
    fn a_pause_holds_everything() {
        let mut pacer = Pacer::new(limits());
        pacer.pause(at_ms(900));
        assert_eq!(pacer.permit(Purpose::Exit, at_ms(100)), Err(at_ms(900)));
        assert_eq!(pacer.permit(Purpose::Exit, at_ms(900)), Ok(()));
    }

    #[test]
    fn a_request_counts_from_when_it_left() {
        let mut pacer = Pacer::new(limits());
        for _ in 0..8 {
            pacer.release();
        }
        assert_eq!(pacer.permit(Purpose::Entry, at_ms(5000)), Err(at_ms(6000)));
        assert_eq!(pacer.permit(Purpose::Entry, at_ms(9000)), Err(at_ms(10_000)), "none has left yet");
        for _ in 0..8 {
            pacer.left(at_ms(9100));
        }
        assert_eq!(pacer.permit(Purpose::Entry, at_ms(10_000)), Err(at_ms(10_100)));
        assert_eq!(pacer.permit(Purpose::Entry, at_ms(10_100)), Ok(()));
    }

    #[test]
    fn a_clock_set_back_does_not_hold_requests_for_as_long_as_it_lost() {
        let mut pacer = Pacer::new(limits());
        for _ in 0..10 {
            pacer.record(at_ms(3_600_000));
        }
        assert_eq!(pacer.permit(Purpose::Exit, at_ms(0)), Err(at_ms(1000)));
        assert_eq!(pacer.permit(Purpose::Exit, at_ms(3_601_000)), Ok(()));
        let mut pacer = Pacer::new(limits());
        pacer.record(at_ms(3_600_000));
        pacer.record(at_ms(0));
        assert_eq!(pacer.permit(Purpose::Entry, at_ms(1)), Ok(()));
    }

    proptest! {
        #[test]
        fn no_sliding_window_is_ever_exceeded(
            asks in proptest::collection::vec((0i64..400, any::<bool>()), 1..200)
        ) {
            let mut pacer = Pacer::new(limits());
            let mut sent = Vec::new();
            let mut now = 0;
            for (gap, exit) in asks {
                now += gap;
                let purpose = if exit { Purpose::Exit } else { Purpose::Entry };
                match pacer.permit(purpose, at_ms(now)) {
                    Ok(()) => {
                        pacer.record(at_ms(now));
                        sent.push(now);
                    }
                    Err(free_at) => prop_assert!(free_at > at_ms(now)),
                }
            }
            for (limit, span) in [(10, 1000), (25, 60_000)] {
                for start in &sent {
                    let within = sent.iter().filter(|at| **at >= *start && **at < start + span).count();
                    prop_assert!(within <= limit);
                }
            }
        }
    }
}
