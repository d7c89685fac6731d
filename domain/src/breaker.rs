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

/// What kind of request it was. An API that reads well and cannot place is not a healthy one, so each kind is counted by
/// itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiUse {
    /// An order request.
    Write,
    /// A read.
    Read,
    /// The read that the half-open breaker asked for.
    Probe,
}

/// The machine.
#[derive(Debug)]
pub struct Breaker {
    limits: BreakerLimits,
    state: BreakerState,
    failed_writes: u32,
    failed_reads: u32,
    reopened: u32,
}

impl Breaker {
    /// A closed breaker.
    pub const fn new(limits: BreakerLimits) -> Self {
        Self { limits, state: BreakerState::Closed, failed_writes: 0, failed_reads: 0, reopened: 0 }
    }

    /// A breaker of whose account nothing is known: open until a probe, due at once, is answered.
    pub const fn untried(limits: BreakerLimits, now: Timestamp) -> Self {
        Self { state: BreakerState::Open { probe_at: now }, ..Self::new(limits) }
    }

    /// Whether entries may pass.
    pub const fn state(&self) -> BreakerState {
        self.state
    }

    /// Consecutive failures so far, of the kind that has more.
    pub fn failures(&self) -> u32 {
        self.failed_writes.max(self.failed_reads)
    }

    /// Takes in what a request came to. While open nothing counts until the probe is due; then only the probe does.
    pub fn on_outcome(&mut self, kind: ApiUse, outcome: ApiOutcome, now: Timestamp) {
        match (self.state, kind, outcome) {
            (BreakerState::HalfOpen, ApiUse::Probe, ApiOutcome::Answered) => {
                *self = Self::new(self.limits);
            }
            (BreakerState::HalfOpen, ApiUse::Probe, ApiOutcome::Failed) => {
                self.reopened += 1;
                self.open(now);
            }
            (BreakerState::HalfOpen | BreakerState::Open { .. }, ..) => {}
            (BreakerState::Closed, kind, outcome) => {
                let failed =
                    if kind == ApiUse::Write { &mut self.failed_writes } else { &mut self.failed_reads };
                *failed = if outcome == ApiOutcome::Failed { *failed + 1 } else { 0 };
                if *failed >= self.limits.failures_max {
                    self.open(now);
                }
            }
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
            breaker.on_outcome(ApiUse::Write, ApiOutcome::Failed, Timestamp::EPOCH);
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
        breaker.on_outcome(ApiUse::Write, ApiOutcome::Answered, Timestamp::EPOCH);
        breaker.on_outcome(ApiUse::Write, ApiOutcome::Failed, Timestamp::EPOCH);
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn one_that_knows_nothing_lets_nothing_pass_until_it_has_probed() {
        let limits =
            BreakerLimits { failures_max: 5, open_for: OPEN_FOR, open_for_max: Duration::from_mins(3) };
        let mut breaker = Breaker::untried(limits, minutes(1));
        breaker.on_outcome(ApiUse::Read, ApiOutcome::Answered, minutes(1));
        assert_eq!(breaker.state(), BreakerState::Open { probe_at: minutes(1) });
        assert!(breaker.take_probe(minutes(1)));
        breaker.on_outcome(ApiUse::Probe, ApiOutcome::Failed, minutes(1));
        assert_eq!(breaker.state(), BreakerState::Open { probe_at: minutes(3) });
        assert!(breaker.take_probe(minutes(3)));
        breaker.on_outcome(ApiUse::Probe, ApiOutcome::Answered, minutes(3));
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn reads_that_work_do_not_hide_orders_that_fail() {
        let mut breaker = breaker_after(4);
        breaker.on_outcome(ApiUse::Read, ApiOutcome::Answered, Timestamp::EPOCH);
        breaker.on_outcome(ApiUse::Write, ApiOutcome::Failed, Timestamp::EPOCH);
        assert_eq!(breaker.state(), BreakerState::Open { probe_at: minutes(1) });
    }

    #[test]
    fn while_open_only_the_probe_counts() {
        let mut breaker = breaker_after(5);
        breaker.on_outcome(ApiUse::Read, ApiOutcome::Answered, Timestamp::EPOCH);
        assert_eq!(breaker.state(), BreakerState::Open { probe_at: minutes(1) });
        assert!(breaker.take_probe(minutes(1)));
        breaker.on_outcome(ApiUse::Read, ApiOutcome::Answered, minutes(1));
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
    }

    #[test]
    fn a_probe_closes_it_or_keeps_it_open_longer() {
        let mut breaker = breaker_after(5);
        assert!(!breaker.take_probe(Timestamp::EPOCH));
        assert!(breaker.take_probe(minutes(1)));
        assert!(!breaker.take_probe(minutes(1)), "one probe at a time");
        breaker.on_outcome(ApiUse::Probe, ApiOutcome::Failed, minutes(1));
        assert_eq!(breaker.state(), BreakerState::Open { probe_at: minutes(3) });
        assert!(breaker.take_probe(minutes(3)));
        breaker.on_outcome(ApiUse::Probe, ApiOutcome::Failed, minutes(3));
        assert_eq!(breaker.state(), BreakerState::Open { probe_at: minutes(6) }, "capped at three minutes");
        assert!(breaker.take_probe(minutes(6)));
        breaker.on_outcome(ApiUse::Probe, ApiOutcome::Answered, minutes(6));
        assert_eq!((breaker.state(), breaker.failures()), (BreakerState::Closed, 0));
    }
}
