//! What is done about each kind of trouble, in one table: [`POLICIES`]. `docs/errors.md` shows it, and a test holds the two
//! together.
//!
//! Whoever meets an error asks its kind ([`Trouble`]) and goes by the row: the waits, counts and bounds stand here and
//! nowhere else. Two small machines count what the rows speak of: [`RetryLog`] the tries, [`FrequencyLog`] what happens
//! often. Time and jitter come in.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::time::Timestamp;

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// A read brought no usable answer.
    ReadUnanswered,
    /// An order request may or may not have been done.
    OrderUnanswered,
    /// An order request provably never left.
    OrderNotSent,
    /// The account's token is refused.
    CredentialsRefused,
    /// The account lacks the money for an order.
    MarginLacking,
    /// The broker asks for fewer requests.
    TooManyRequests,
    /// The broker does not take an order as it is.
    ParametersRefused,
    /// The broker takes no orders from our address.
    AddressRefused,
    /// What is refused now may be taken later.
    RefusedForNow,
    /// There is nothing to change or cancel any more.
    OrderOver,
    /// An order stream ended, or could not be opened.
    StreamLost,
    /// Another process holds the database's lock.
    StoreBusy,
    /// The database can record no more.
    StoreFailed,
}

impl Trouble {
    /// Its row.
    pub const fn policy(self) -> &'static Policy {
        // In the table's order; a test compares them.
        &POLICIES[self as usize]
    }

    /// One word, for the table and for log lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadUnanswered => "read_unanswered",
            Self::OrderUnanswered => "order_unanswered",
            Self::OrderNotSent => "order_not_sent",
            Self::CredentialsRefused => "credentials_refused",
            Self::MarginLacking => "margin_lacking",
            Self::TooManyRequests => "too_many_requests",
            Self::ParametersRefused => "parameters_refused",
            Self::AddressRefused => "address_refused",
            Self::RefusedForNow => "refused_for_now",
            Self::OrderOver => "order_over",
            Self::StreamLost => "stream_lost",
            Self::StoreBusy => "store_busy",
            Self::StoreFailed => "store_failed",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// It is asked again, so often and so late.
    Retry(Retry),
    /// Never sent again: the outcome is UNKNOWN until evidence ends it (P3).
    NeverAgain,
    /// The decision is taken anew, with a row, while it is worth it.
    DecideAgain,
    /// That account is halted until its token is replaced (P15, P19).
    HaltAccount,
    /// As much as can be paid for, or nothing, by the owner's policy; a refused order is not tried again.
    SkipOrScale,
    /// Nothing of that kind leaves for a while; then it goes on.
    Pause(Pause),
    /// That order is not copied; an exit is tried again in its own way.
    Skip,
    /// The account's book is read before anything else.
    LookAgain,
    /// Connected again, for ever. The waits are settings (`broker.reconnect_ms_*`).
    ReconnectForEver,
    /// Waited for, then the whole program ends (P22).
    WaitThenHalt(Duration),
    /// The whole program ends (P22).
    Halt,
}

/// How a read is asked again: doubling waits, each with a jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Tries after the first.
    pub times: u32,
    /// The wait before the first of them; doubles.
    pub first: Duration,
    /// A wait is longer by up to this share of itself.
    pub jitter_pct: u32,
}

/// How long nothing leaves after the broker asked for fewer requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// The first time; of reads it doubles while the broker goes on asking.
    pub first: Duration,
    /// The longest.
    pub max: Duration,
}

/// When a person is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alerting {
    /// Not about this by itself.
    Never,
    /// As soon as it happens.
    AtOnce,
    /// After so many tries in a row that came to nothing.
    AfterTries(u32),
    /// When nothing has proven what came of it for so many times the settle time (`recovery.settle_ms`).
    AfterSettleTimes(u32),
    /// When it happens to so many orders within a while.
    WhenFrequent(Frequency),
}

/// What counts as often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frequency {
    /// Orders that it happens to.
    pub times: usize,
    /// Within this time.
    pub within: Duration,
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// What went wrong.
    pub trouble: Trouble,
    /// How it shows.
    pub shows: &'static str,
    /// What is done.
    pub reaction: Reaction,
    /// What else there is to know of that, for people.
    pub remark: &'static str,
    /// When a person is told.
    pub alerting: Alerting,
    /// The kinds of the alerts.
    pub alerts: &'static [&'static str],
}

/// Reads: three times, one second doubling, 20 per cent jitter.
const READS: Retry = Retry { times: 3, first: Duration::from_secs(1), jitter_pct: 20 };
/// `dhanhq-v2.md` section 9.7: wait a second or more, double.
const BUSY: Pause = Pause { first: Duration::from_secs(1), max: Duration::from_secs(30) };
/// Of lack of margin, and of refused orders.
const OFTEN: Frequency = Frequency { times: 5, within: Duration::from_mins(10) };
/// Tries of a stream before a person is told.
const STREAM_TRIES: u32 = 5;
/// Settle times within which a doubt ends where the books can be read: after one they begin to prove, and then they have as
/// long again for the reads that it takes.
const DOUBT: u32 = 2;
/// How long a lock on the database is waited for.
const STORE_WAIT: Duration = Duration::from_secs(2);

/// The table.
pub const POLICIES: [Policy; 13] = [
    Policy {
        trouble: Trouble::ReadUnanswered,
        shows: "time-out, lost connection, HTTP 5xx or an answer to a read that cannot be read, whole or in a row",
        reaction: Reaction::Retry(READS),
        remark: "Then at its next turn; a turn that comes sooner takes a retry's place. What nothing can go on without (the leader's books after a login, first figures) is \
                 asked for again and again, at the longest wait. Lookups of an UNKNOWN order have waits of their own \
                 (`recovery.lookup_ms_*`); the margin calculator is asked once. Failures count for the breaker, which tells by \
                 itself when it opens (`breaker_open`).",
        alerting: Alerting::AfterTries(READS.times + 1),
        alerts: &["leader_unread", "account_unread"],
    },
    Policy {
        trouble: Trouble::OrderUnanswered,
        shows: "time-out, lost connection, HTTP 5xx or an unreadable answer to a placing, change or cancel",
        reaction: Reaction::NeverAgain,
        remark: "It is looked up by its tag and in the book until it is found or proven absent. A placing that stays in doubt \
                 lets nothing more be opened in its instrument. Counts for the breaker (`breaker_open`).",
        alerting: Alerting::AfterSettleTimes(DOUBT),
        alerts: &["outcome_unknown"],
    },
    Policy {
        trouble: Trouble::OrderNotSent,
        shows: "no connection, before a byte of an order request left",
        reaction: Reaction::DecideAgain,
        remark: "An entry only while it is young. Counts for the breaker.",
        alerting: Alerting::Never,
        alerts: &[],
    },
    Policy {
        trouble: Trouble::CredentialsRefused,
        shows: "DH-901, 807 to 810, \"Invalid Token\" and the other faces of a dead token, to a request or at a stream's login",
        reaction: Reaction::HaltAccount,
        remark: "Nothing is sent with that token again. The others go on. A placing that was refused for it was none: as what comes \
            after it, it waits for the next token, an entry only while it is young.",
        alerting: Alerting::AtOnce,
        alerts: &["account_halted", "leader_token_refused"],
    },
    Policy {
        trouble: Trouble::MarginLacking,
        shows: "the broker's words, at once or as a rejection; our own reckoning before that",
        reaction: Reaction::SkipOrScale,
        remark: "`risk.at_cap` says which. Does not count for the breaker.",
        alerting: Alerting::WhenFrequent(OFTEN),
        alerts: &["margin_lacking"],
    },
    Policy {
        trouble: Trouble::TooManyRequests,
        shows: "HTTP 429 or DH-904",
        reaction: Reaction::Pause(BUSY),
        remark: "Exits and cancels leave first. An order is sent again only once the book shows that it is not there, an \
                 entry only while it is young. Longer if the broker says so (`Retry-After`): a minute at most of reads, 30 s of \
                 all else. Does not count for the breaker.",
        alerting: Alerting::Never,
        alerts: &[],
    },
    Policy {
        trouble: Trouble::ParametersRefused,
        shows: "DH-905 or any other refusal of an order, at once or as a rejection",
        reaction: Reaction::Skip,
        remark: "`risk.rejections_max` in a row stop entries. Does not count for the breaker.",
        alerting: Alerting::WhenFrequent(OFTEN),
        alerts: &["orders_refused"],
    },
    Policy {
        trouble: Trouble::AddressRefused,
        shows: "\"Invalid IP\", at whatever code",
        reaction: Reaction::Skip,
        remark: "A change or cancel is asked for again after a moment, for it is no word on the order itself.",
        alerting: Alerting::AtOnce,
        alerts: &["static_ip_refused"],
    },
    Policy {
        trouble: Trouble::RefusedForNow,
        shows: "the order is in transit, or the market is closed",
        reaction: Reaction::LookAgain,
        remark: "Then a change or cancel is asked for again. A placing that is refused like this is skipped.",
        alerting: Alerting::Never,
        alerts: &[],
    },
    Policy {
        trouble: Trouble::OrderOver,
        shows: "an unknown order, or one that was changed as often as the broker allows",
        reaction: Reaction::LookAgain,
        remark: "The book says what became of it. What can be changed no more is left, or cancelled.",
        alerting: Alerting::Never,
        alerts: &[],
    },
    Policy {
        trouble: Trouble::StreamLost,
        shows: "an order stream that closes, goes mute, cannot be opened, or ends before it has stood for a while",
        reaction: Reaction::ReconnectForEver,
        remark: "Later and later, with jitter, with a token read afresh; the books are read meanwhile, and after each login.",
        alerting: Alerting::AfterTries(STREAM_TRIES),
        alerts: &["stream_lost"],
    },
    Policy {
        trouble: Trouble::StoreBusy,
        shows: "the database is locked by another process",
        reaction: Reaction::WaitThenHalt(STORE_WAIT),
        remark: "Exit code 5. Nothing is sent meanwhile: what is not recorded does not leave.",
        alerting: Alerting::Never,
        alerts: &[],
    },
    Policy {
        trouble: Trouble::StoreFailed,
        shows: "commit error, full or failing disk, damage, a lost lock, a writer that hangs",
        reaction: Reaction::Halt,
        remark: "Exit code 5. There is no record to write an alert to: the log has it.",
        alerting: Alerting::Never,
        alerts: &[],
    },
];

/// How reads are asked again.
pub const fn read_retry() -> Retry {
    READS
}

/// After so many tries in vain, of a stream or of a read, it is no matter of moments any more.
pub const fn outage_tries() -> u32 {
    STREAM_TRIES
}

/// Settle times for which an order may be in doubt before a person is told.
pub const fn doubt_settle_times() -> u32 {
    DOUBT
}

/// The pause after the broker asked for fewer requests.
pub const fn busy_pause() -> Pause {
    BUSY
}

/// How long a lock on the database is waited for.
pub const fn store_wait() -> Duration {
    STORE_WAIT
}

impl Retry {
    /// The wait before try `number`, counted from 0. `jitter_pct` (0 to 100) says how much of the jitter is added.
    fn wait(&self, number: u32, jitter_pct: u32) -> Duration {
        let wait = self.first.saturating_mul(1 << number.min(16));
        wait + wait * (self.jitter_pct * jitter_pct.min(100)) / 10_000
    }
}

impl Pause {
    /// The pause after so many answers of that kind in a row, the first counted as 0.
    pub fn after(&self, number: u32) -> Duration {
        self.first.saturating_mul(1 << number.min(16)).min(self.max)
    }
}

impl Alerting {
    /// Whether a person is told after so many tries in a row that came to nothing: at the one that makes it so.
    pub fn is_due_after(self, tries: u32) -> bool {
        self == Self::AfterTries(tries)
    }
}

/// How often in a row one read came to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct RetryLog {
    failures: u32,
}

impl RetryLog {
    /// Notes a failure. Says when to ask again; nothing once the tries are used up. `jitter_pct` is 0 to 100.
    pub fn failed(&mut self, retry: Retry, jitter_pct: u32) -> Option<Duration> {
        let number = self.failures;
        self.failures = self.failures.saturating_add(1);
        (number < retry.times).then(|| retry.wait(number, jitter_pct))
    }

    /// The same for what nothing can go on without: it is asked again for ever, at the longest wait.
    pub fn failed_but_needed(&mut self, retry: Retry, jitter_pct: u32) -> Duration {
        let longest = retry.wait(retry.times.saturating_sub(1), jitter_pct);
        self.failed(retry, jitter_pct).unwrap_or(longest)
    }

    /// Notes an answer. Says after how many failures.
    pub fn answered(&mut self) -> u32 {
        std::mem::take(&mut self.failures)
    }

    /// Failures in a row.
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

/// Which orders one kind of trouble happened to lately.
#[derive(Debug)]
pub struct FrequencyLog {
    bound: Frequency,
    lately: VecDeque<(Timestamp, Arc<str>)>,
    is_told: bool,
}

impl FrequencyLog {
    /// A log without entries.
    pub const fn new(bound: Frequency) -> Self {
        Self { bound, lately: VecDeque::new(), is_told: false }
    }

    /// Notes that it happened to this order; twice to one counts once. Says whether a person is to be told now.
    pub fn note(&mut self, order: &str, now: Timestamp) -> bool {
        self.forget_old(now);
        if self.lately.iter().all(|(_, known)| **known != *order) {
            self.lately.push_back((now, order.into()));
        }
        // A bound on what is kept: more are as frequent as these.
        if self.lately.len() > self.bound.times {
            self.lately.pop_front();
        }
        let is_frequent = self.lately.len() >= self.bound.times;
        is_frequent && !std::mem::replace(&mut self.is_told, is_frequent)
    }

    /// Whether what a person was told of is so no more: nothing of the kind has happened for the whole time. Said once.
    pub fn take_over(&mut self, now: Timestamp) -> bool {
        self.forget_old(now);
        self.lately.is_empty() && std::mem::take(&mut self.is_told)
    }

    fn forget_old(&mut self, now: Timestamp) {
        // An entry of the future is of a clock that was set back: it ages from now on.
        for (at, _) in &mut self.lately {
            *at = (*at).min(now);
        }
        let within = self.bound.within;
        self.lately.retain(|(at, _)| now.since(*at) < within);
    }
}

#[cfg(test)]
mod tests;
