//! When an account's access token is worth a word, and when another is asked for (P15). Time and jitter come in.
//!
//! A token lives 24 hours (`dhanhq-v2.md` section 1.3) and says itself when it ends; the broker may end it sooner. Asking
//! for another kills the one before, and asking wrongly again and again may lock an account: so whoever asks waits longer
//! after each failure, and stops after a few refusals until something that he asks with has changed.

use std::time::Duration;

use crate::time::Timestamp;

/// How far ahead of a token's end something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenLimits {
    /// A person is told.
    pub warn_before: Duration,
    /// Another is asked for, where that is wished.
    pub renew_before: Duration,
}

/// What there is to say of a token's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// The token does not say when it ends.
    Unknown,
    /// Nothing yet.
    Good,
    /// It ends before the close of the day's trading.
    EndsBeforeClose(Timestamp),
    /// It ends soon.
    EndsSoon(Timestamp),
    /// It has ended, by our clock.
    Ended(Timestamp),
}

impl TokenLimits {
    /// What to say at `now` of a token that ends at `expires`, on a day whose trading ends at `close`.
    pub fn outlook(&self, expires: Option<Timestamp>, close: Option<Timestamp>, now: Timestamp) -> Outlook {
        let Some(expires) = expires else { return Outlook::Unknown };
        if expires <= now {
            Outlook::Ended(expires)
        } else if expires.minus(self.warn_before) <= now {
            Outlook::EndsSoon(expires)
        } else if close.is_some_and(|close| now < close && expires < close) {
            Outlook::EndsBeforeClose(expires)
        } else {
            Outlook::Good
        }
    }

    /// When another token is asked for: `renew_before` the end, and up to a tenth of that earlier. `jitter_pct` is 0 to
    /// 100; accounts whose tokens were made together are not renewed together.
    pub fn renew_at(&self, expires: Timestamp, jitter_pct: u32) -> Timestamp {
        expires.minus(self.renew_before + self.renew_before * jitter_pct.min(100) / 1000)
    }
}

/// How often another token was asked for in vain, and when it may be asked for again.
#[derive(Debug, Default)]
pub struct RenewalLog {
    failures: u32,
    refusals: u32,
    not_before: Option<Timestamp>,
}

/// Why there is no other token yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenewalFailure {
    /// The broker said no, or what proves the owner cannot be read.
    Refused,
    /// No answer, or one that says neither yes nor no.
    NoAnswer,
}

impl RenewalLog {
    /// The first wait; doubles with each failure.
    pub const WAIT_FIRST: Duration = Duration::from_mins(1);
    /// The longest wait, but for the jitter.
    pub const WAIT_MAX: Duration = Duration::from_mins(30);
    /// How long no other is asked for once there is one: two programs that take the token from each other do so seldom.
    pub const REST: Duration = Duration::from_mins(15);
    /// Refusals after which nothing is asked any more: a PIN that is wrong three times is wrong, and a fourth may lock the
    /// account.
    pub const REFUSALS_MAX: u32 = 3;

    /// A log without entries.
    pub const fn new() -> Self {
        Self { failures: 0, refusals: 0, not_before: None }
    }

    /// Whether it may be asked now. A clock that was set back does not make it wait longer than it ever should.
    pub fn may_ask(&self, now: Timestamp) -> bool {
        const LONGEST: Duration = Duration::from_mins(36);
        let waits = self.not_before.is_some_and(|at| now < at && at.since(now) <= LONGEST);
        !self.is_given_up() && !waits
    }

    /// Whether it was asked for in vain since all was well.
    pub const fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// Whether the broker refused often enough.
    pub const fn is_given_up(&self) -> bool {
        self.refusals >= Self::REFUSALS_MAX
    }

    /// Notes a failure. `jitter_pct` (0 to 100) adds that share of a fifth of the wait.
    pub fn failed(&mut self, failure: RenewalFailure, now: Timestamp, jitter_pct: u32) {
        let wait = Self::WAIT_FIRST.saturating_mul(1 << self.failures.min(16)).min(Self::WAIT_MAX);
        self.failures = self.failures.saturating_add(1);
        if failure == RenewalFailure::Refused {
            self.refusals = self.refusals.saturating_add(1);
        }
        self.not_before = Some(now.plus(wait + wait * jitter_pct.min(100) / 500));
    }

    /// There is another token, asked for here.
    pub fn renewed(&mut self, now: Timestamp) {
        *self = Self { not_before: Some(now.plus(Self::REST)), ..Self::new() };
    }

    /// There is another token from elsewhere, or what it is asked for with has changed: all is as at the beginning.
    pub const fn begin_anew(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::EPOCH.plus(Duration::from_secs(seconds))
    }

    fn limits() -> TokenLimits {
        TokenLimits { warn_before: Duration::from_hours(2), renew_before: Duration::from_hours(1) }
    }

    #[test]
    fn a_tokens_end_is_told_ahead_and_by_the_close() {
        let ends = at(24 * HOUR);
        for (now, close, outlook) in [
            (0, None, Outlook::Good),
            (0, Some(23 * HOUR), Outlook::Good),
            (0, Some(25 * HOUR), Outlook::EndsBeforeClose(ends)),
            (22 * HOUR - 1, Some(22 * HOUR), Outlook::Good),
            (22 * HOUR, None, Outlook::EndsSoon(ends)),
            (24 * HOUR - 1, Some(25 * HOUR), Outlook::EndsSoon(ends)),
            (24 * HOUR, Some(25 * HOUR), Outlook::Ended(ends)),
        ] {
            assert_eq!(limits().outlook(Some(ends), close.map(at), at(now)), outlook, "{now}");
        }
        assert_eq!(limits().outlook(None, None, at(0)), Outlook::Unknown);
    }

    #[test]
    fn renewals_are_ahead_of_the_end_and_apart() {
        let ends = at(24 * HOUR);
        assert_eq!(limits().renew_at(ends, 0), at(23 * HOUR));
        assert_eq!(limits().renew_at(ends, 100), at(23 * HOUR - 360));
    }

    #[test]
    fn failures_wait_longer_and_longer_within_a_bound() {
        let mut log = RenewalLog::new();
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert!(log.may_ask(now));
            log.failed(RenewalFailure::NoAnswer, now, 100);
            let begun = now;
            while !log.may_ask(now) {
                now = now.plus(Duration::from_secs(12));
            }
            waits.push(now.since(begun).as_secs());
        }
        assert_eq!(waits, [72, 144, 288, 576, 1152, 2160, 2160, 2160], "a minute, and a fifth of it");
        log.begin_anew();
        assert!(log.may_ask(now));
    }

    #[test]
    fn what_was_just_renewed_is_left_alone_for_a_while() {
        let mut log = RenewalLog::new();
        log.failed(RenewalFailure::NoAnswer, at(0), 0);
        log.renewed(at(100));
        assert!(!log.has_failed() && !log.may_ask(at(100 + 15 * 60 - 1)));
        assert!(log.may_ask(at(100 + 15 * 60)));
    }

    #[test]
    fn refusals_end_it_until_something_changes() {
        let mut log = RenewalLog::new();
        for _ in 0..RenewalLog::REFUSALS_MAX {
            assert!(!log.is_given_up());
            log.failed(RenewalFailure::Refused, at(0), 0);
        }
        assert!(log.is_given_up() && !log.may_ask(at(48 * HOUR)));
        log.begin_anew();
        assert!(log.may_ask(at(0)));
    }

    #[test]
    fn a_clock_set_back_does_not_stop_renewals() {
        let mut log = RenewalLog::new();
        log.failed(RenewalFailure::NoAnswer, at(24 * HOUR), 0);
        assert!(!log.may_ask(at(24 * HOUR)));
        assert!(log.may_ask(at(HOUR)));
    }
}
