//! The circuit breaker of one follower account: closed, open, half-open.
//!
//! Only typed failures count: transport, server errors and unknown outcomes. A refusal (lack of margin, bad
//! parameters) is an answer of a healthy broker. The half-open probe is a *read*, never an order. Exits pass always.

use std::time::Duration;

use crate::time::Timestamp;

/// Limits of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerLimits {
    /// Consecutive failures that open it.
    pub failures_max: u32,
    /// How long it stays open before a probe; doubles with each failed probe.
    pub open_for: Duration,
    /// The longest it stays open between probes.
    pub open_for_max: Duration,
}

/// Whether entries may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Entries pass.
    Closed,
    /// Entries are skipped until a probe is due.
    Open {
        /// When the next probe is due.
        probe_at: Timestamp,
    },
    /// A probe is under way; entries are still skipped.
    HalfOpen,
}

impl BreakerState {
    /// The state as one word, for logs and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// What the account's API did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiOutcome {
    /// It answered, with an acceptance, a refusal or data.
    Answered,
    /// It did not: not reached, server error, outcome unknown.
    Failed,
}

/// The machine.
#[derive(Debug)]
pub struct Breaker {
    limits: BreakerLimits,
    state: BreakerState,
    failures: u32,
    reopened: u32,
}

impl Breaker {
    /// A closed breaker.
    pub const fn new(limits: BreakerLimits) -> Self {
        Self { limits, state: BreakerState::Closed, failures: 0, reopened: 0 }
    }

    /// Whether entries may pass.
    pub const fn state(&self) -> BreakerState {
        self.state
    }

    /// Consecutive failures so far.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Takes in what a request or read came to. While open, an answer to a read closes it as a probe would.
    pub fn on_outcome(&mut self, outcome: ApiOutcome, now: Timestamp) {
        match (outcome, self.state) {
            (ApiOutcome::Answered, _) => {
                self.failures = 0;
                self.reopened = 0;
                self.state = BreakerState::Closed;
            }
            (ApiOutcome::Failed, BreakerState::Closed) => {
                self.failures += 1;
                if self.failures >= self.limits.failures_max {
                    self.open(now);
                }
            }
            (ApiOutcome::Failed, BreakerState::HalfOpen) => {
                self.reopened += 1;
                self.open(now);
            }
            // Requests sent before it opened may still fail; they tell nothing new.
            (ApiOutcome::Failed, BreakerState::Open { .. }) => {}
        }
    }

    /// Whether a probe is due; if so the breaker is half-open and the caller must read and report.
    pub fn take_probe(&mut self, now: Timestamp) -> bool {
        match self.state {
            BreakerState::Open { probe_at } if probe_at <= now => {
                self.state = BreakerState::HalfOpen;
                true
            }
            _ => false,
        }
    }

    fn open(&mut self, now: Timestamp) {
        let doubled = self.limits.open_for.saturating_mul(1 << self.reopened.min(16));
        self.state = BreakerState::Open { probe_at: now.plus(doubled.min(self.limits.open_for_max)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN_FOR: Duration = Duration::from_mins(1);

    fn breaker_after(failures: u32) -> Breaker {
        let limits =
            BreakerLimits { failures_max: 5, open_for: OPEN_FOR, open_for_max: Duration::from_mins(3) };
        let mut breaker = Breaker::new(limits);
        for _ in 0..failures {
            breaker.on_outcome(ApiOutcome::Failed, Timestamp::EPOCH);
        }
        breaker
    }

    fn minutes(count: u64) -> Timestamp {
        Timestamp::EPOCH.plus(OPEN_FOR * u32::try_from(count).unwrap())
    }

    #[test]
    fn opens_at_the_fifth_failure_in_a_row() {
        assert_eq!(breaker_after(4).state(), BreakerState::Closed);
        assert_eq!(breaker_after(5).state(), BreakerState::Open { probe_at: minutes(1) });
        let mut breaker = breaker_after(4);
        breaker.on_outcome(ApiOutcome::Answered, Timestamp::EPOCH);
        breaker.on_outcome(ApiOutcome::Failed, Timestamp::EPOCH);
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn a_probe_closes_it_or_keeps_it_open_longer() {
        let mut breaker = breaker_after(5);
        assert!(!breaker.take_probe(Timestamp::EPOCH));
        assert!(breaker.take_probe(minutes(1)));
        assert!(!breaker.take_probe(minutes(1)), "one probe at a time");
        breaker.on_outcome(ApiOutcome::Failed, minutes(1));
        assert_eq!(breaker.state(), BreakerState::Open { probe_at: minutes(3) });
        assert!(breaker.take_probe(minutes(3)));
        breaker.on_outcome(ApiOutcome::Failed, minutes(3));
        assert_eq!(breaker.state(), BreakerState::Open { probe_at: minutes(6) }, "capped at three minutes");
        assert!(breaker.take_probe(minutes(6)));
        breaker.on_outcome(ApiOutcome::Answered, minutes(6));
        assert_eq!(breaker.state(), BreakerState::Closed);
    }
}
