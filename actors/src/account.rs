//! What the leader's and the followers' actors need of an account alike: its client, its token, its funds on record.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tandem_dhan::rest::{AccountClient, Book, ClientError, ClientSettings, ReadError};
use tandem_dhan::token::TokenSource;
use tandem_domain::account::{Funds, PositionReport};
use tandem_domain::error_policy::{Reaction, RetryLog, Trouble, busy_pause, read_retry};
use tandem_domain::ids::{BrokerOrderId, DhanClientId, TradeId};
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::order::{Product, TradeReport};
use tandem_domain::pacing::{Pacer, PacingLimits, Purpose, Window};
use tandem_domain::price::Money;
use tandem_domain::quantity::SignedQuantity;
use tandem_domain::time::{Timestamp, TradingDay};

use crate::clock::Clock;
use crate::store::{FundsMark, FundsSnapshot, PositionsSnapshot, Write};
use crate::token_keeper::TokenCare;

/// How often the leader's funds and positions are read while nothing asks for them.
pub const LEADER_INTERVAL: Duration = Duration::from_secs(30);

/// How old the row of something that does not change may become.
const RECORD_INTERVAL: Duration = Duration::from_mins(1);

/// The longest pause of reads that the broker may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(1);

/// How to reach an account.
#[derive(Debug, Clone)]
pub struct AccountParams {
    /// Which.
    pub account: DhanClientId,
    /// Its REST API.
    pub client: ClientSettings,
    /// Where its token is read.
    pub token: TokenSource,
    /// How its token is cared for.
    pub care: TokenCare,
    /// Reads in any second.
    pub reads_per_second: u32,
    /// How soon its stream is tried again.
    pub reconnect: ReconnectDelays,
}

/// The waits between two tries of a stream; they double from the first to the longest, and each has a jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReconnectDelays {
    /// The first.
    pub first: Duration,
    /// The longest, but for the jitter.
    pub max: Duration,
}

impl AccountParams {
    /// A client of the account, its token read now.
    pub fn connect(&self) -> Result<AccountClient, ClientError> {
        AccountClient::new(&self.client, self.account.clone(), self.token.clone())
    }
}

/// Keeps an account's reads within the broker's limit (`dhanhq-v2.md` section 9.1): whether order-book reads count there
/// is not documented, so they are counted here.
#[derive(Debug)]
pub struct ReadPacer {
    pacer: Pacer,
    clock: Clock,
    /// Pauses that the broker asked for, one soon after the other.
    pauses: u32,
    /// When the last one ends, by the clock that is never set.
    paused_until: Option<Instant>,
}

impl ReadPacer {
    /// A pacer that lets `per_second` reads through in any second.
    pub fn new(per_second: u32, clock: Clock) -> Self {
        let windows = vec![Window { limit: per_second, span: Duration::from_secs(1) }];
        let limits = PacingLimits { windows, exit_reserve_pct: 0, guard: Duration::from_millis(20) };
        Self { pacer: Pacer::new(limits), clock, pauses: 0, paused_until: None }
    }

    /// Lets no read through for a while if the broker asks for fewer.
    pub fn on_error(&mut self, error: &ReadError) {
        let ReadError::Busy { retry_after, .. } = error else { return };
        if !self.pause_left().is_zero() {
            // One burst is one pause, however many of it were refused.
            return;
        }
        let (pause, now) = (busy_pause(), Instant::now());
        if self.paused_until.is_some_and(|until| now.duration_since(until) > pause.max) {
            self.pauses = 0;
        }
        let wished = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        self.paused_until = Some(now + pause.after(self.pauses).max(wished));
        self.pauses = self.pauses.saturating_add(1);
    }

    fn pause_left(&self) -> Duration {
        let until = self.paused_until.map(|until| until.saturating_duration_since(Instant::now()));
        until.unwrap_or_default()
    }

    /// Takes a read out of the budget; or says how long to wait before asking again.
    pub fn take(&mut self) -> Result<(), Duration> {
        let pause = self.pause_left();
        if !pause.is_zero() {
            return Err(pause);
        }
        let now = self.clock.now();
        match self.pacer.permit(Purpose::Exit, now) {
            Ok(()) => {
                self.pacer.record(now);
                Ok(())
            }
            Err(at) => Err(self.clock.real_time_until(at).max(Duration::from_millis(1))),
        }
    }
}

/// When one kind of read that failed is asked again, by the error policy.
#[derive(Debug, Default)]
pub struct ReadRetry {
    log: RetryLog,
}

impl ReadRetry {
    /// Notes what a read came to. Says when to ask again before its turn.
    pub fn note<T>(&mut self, outcome: &Result<T, ReadError>) -> Option<Duration> {
        match outcome {
            Ok(_) => {
                self.answered();
                None
            }
            Err(error) => self.failed(error),
        }
    }

    /// Notes what a read of a list came to: one with a row that cannot be read does not tell all, and counts as no answer.
    pub fn note_book<T>(&mut self, outcome: &Result<Book<T>, ReadError>) -> Option<Duration> {
        match outcome {
            Ok(book) if !book.is_complete() => self.unusable(),
            whole_or_none => self.note(whole_or_none),
        }
    }

    /// Notes a failure. Says when to ask again before its turn.
    pub fn failed(&mut self, error: &ReadError) -> Option<Duration> {
        match error.trouble().policy().reaction {
            Reaction::Retry(retry) => self.log.failed(retry, jitter_pct()),
            // The pacer holds it back for as long as the broker wishes.
            Reaction::Pause(_) => Some(Duration::ZERO),
            _ => None,
        }
    }

    /// Notes a failure of what nothing can go on without: it is asked again in any case.
    pub fn failed_but_needed(&mut self, error: &ReadError) -> Duration {
        match error.trouble().policy().reaction {
            Reaction::Pause(_) => Duration::ZERO,
            _ => self.unusable_but_needed(),
        }
    }

    /// Notes an answer that does not tell all. Says when to ask again before its turn.
    pub fn unusable(&mut self) -> Option<Duration> {
        self.log.failed(read_retry(), jitter_pct())
    }

    /// The same of what nothing can go on without.
    pub fn unusable_but_needed(&mut self) -> Duration {
        self.log.failed_but_needed(read_retry(), jitter_pct())
    }

    /// Notes an answer.
    pub fn answered(&mut self) {
        self.log.answered();
    }

    /// Failures in a row.
    pub const fn failures(&self) -> u32 {
        self.log.failures()
    }
}

fn jitter_pct() -> u32 {
    fastrand::u32(0..=100)
}

/// Which fills of the day are on record, so that each is written once and not with every read of the trade book.
#[derive(Debug, Default)]
pub struct KnownTrades {
    day: Option<TradingDay>,
    ids: HashSet<(BrokerOrderId, TradeId)>,
}

impl KnownTrades {
    /// The fills among `trades` that are not known yet; known from now on, until another day begins.
    pub fn take_new(&mut self, trades: Vec<TradeReport>, day: TradingDay) -> Vec<TradeReport> {
        if self.day != Some(day) {
            *self = Self { day: Some(day), ids: HashSet::new() };
        }
        let mut new = trades;
        new.retain(|trade| self.ids.insert((trade.broker_order_id.clone(), trade.trade_id.clone())));
        new
    }

    /// Nothing is known any more: what was taken did not reach the record.
    pub fn forget(&mut self) {
        self.ids.clear();
    }
}

/// What of something that is read again and again is on record, so that a row is written when it says something new.
#[derive(Debug)]
pub struct OnRecord<T> {
    last: Option<(Timestamp, T)>,
}

impl<T> Default for OnRecord<T> {
    fn default() -> Self {
        Self { last: None }
    }
}

impl<T: PartialEq> OnRecord<T> {
    /// Whether `value` is to be written: it is another one than the last, or that is old.
    pub fn is_news(&mut self, value: T, now: Timestamp) -> bool {
        let is_known = self
            .last
            .as_ref()
            .is_some_and(|(at, last)| *last == value && now.since(*at) < RECORD_INTERVAL && *at <= now);
        if !is_known {
            self.last = Some((now, value));
        }
        !is_known
    }
}

/// What makes a read of positions another one than the last: what is held and earned, not what it is worth at the moment.
pub type Holdings = Vec<(InstrumentKey, Product, SignedQuantity, SignedQuantity, Money)>;

/// What is held and earned.
pub fn holdings(positions: &[PositionReport]) -> Holdings {
    positions
        .iter()
        .map(|held| (held.instrument, held.product, held.net, held.carried, held.realised))
        .collect()
}

/// Whether a read failed because the broker refuses the account's credentials.
pub fn is_credentials_refusal(error: &ReadError) -> bool {
    error.trouble() == Trouble::CredentialsRefused
}

/// A read of all positions as a row.
pub fn positions_row(account: &DhanClientId, positions: Vec<PositionReport>, now: Timestamp) -> Write {
    Write::Positions(PositionsSnapshot {
        account: account.clone(),
        trading_day: now.trading_day(),
        taken_at: now,
        positions,
    })
}

/// Funds as a row.
pub fn funds_row(account: &DhanClientId, funds: Funds, first: bool, now: Timestamp) -> Write {
    Write::Funds(FundsSnapshot {
        account: account.clone(),
        trading_day: now.trading_day(),
        taken_at: now,
        mark: if first { FundsMark::StartOfDay } else { FundsMark::Refresh },
        funds,
    })
}

#[cfg(test)]
mod tests {
    use tandem_domain::instrument::{ExchangeSegment, SecurityId};
    use tandem_domain::order::Side;
    use tandem_domain::price::Price;
    use tandem_domain::quantity::Quantity;

    use super::*;

    fn busy(retry_after: Option<Duration>) -> ReadError {
        ReadError::Busy { retry_after, text: "too many requests".to_owned() }
    }

    #[test]
    fn reads_pause_when_the_broker_asks_for_fewer() {
        let mut pacer = ReadPacer::new(10, Clock::system());
        assert_eq!(pacer.take(), Ok(()));
        pacer.on_error(&ReadError::Failed { why: "reset".to_owned() });
        assert_eq!(pacer.take(), Ok(()), "that is another row of the policy");
        pacer.on_error(&busy(None));
        pacer.on_error(&busy(None));
        let wait = pacer.take().unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "one burst, one pause: {wait:?}");
        // The pause is over, and the next answer is the same.
        pacer.paused_until = Some(Instant::now());
        pacer.on_error(&busy(None));
        let wait = pacer.take().unwrap_err();
        assert!(wait > Duration::from_secs(1) && wait <= Duration::from_secs(2), "{wait:?}");
        pacer.paused_until = Some(Instant::now());
        pacer.on_error(&busy(Some(Duration::from_hours(9))));
        assert!(pacer.take().unwrap_err() <= RETRY_AFTER_MAX);
    }

    #[test]
    fn a_read_is_asked_again_by_what_went_wrong() {
        let lost = ReadError::Failed { why: "reset".to_owned() };
        let refused = ReadError::Refused(tandem_dhan::refusal::Refusal::new(400, "DH-905", "bad field"));
        let mut retry = ReadRetry::default();
        let mut waits = || retry.failed(&lost).map(|wait| wait.as_millis());
        for longest in [1_200, 2_400, 4_800] {
            let wait = waits().unwrap();
            assert!(wait <= longest && wait * 12 >= longest * 10, "{wait}");
        }
        assert_eq!(waits(), None);
        assert!(retry.failed_but_needed(&lost) >= Duration::from_secs(4));
        assert_eq!((retry.failed(&refused), retry.failed(&busy(None))), (None, Some(Duration::ZERO)));
        assert_eq!(retry.note(&Ok(())), None);
        assert_eq!(retry.failures(), 0);
        assert!(retry.note::<()>(&Err(lost)).is_some(), "all anew");
    }

    fn trade(id: &str) -> TradeReport {
        TradeReport {
            account: DhanClientId::new("1000000101").unwrap(),
            broker_order_id: BrokerOrderId::new("L1").unwrap(),
            trade_id: TradeId::new(id).unwrap(),
            instrument: InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(1) },
            side: Side::Buy,
            product: Product::Margin,
            quantity: Quantity::new(65),
            price: Price::from_paise(100),
            ts_event: Timestamp::EPOCH,
        }
    }

    #[test]
    fn what_does_not_change_is_written_once_a_minute() {
        let mut on_record = OnRecord::default();
        let at = |seconds: u64| Timestamp::EPOCH.plus(Duration::from_secs(seconds));
        let told: Vec<bool> = [(1, "a"), (11, "a"), (21, "b"), (31, "b"), (82, "b"), (5, "b")]
            .map(|(seconds, value)| on_record.is_news(value, at(seconds)))
            .to_vec();
        assert_eq!(told, [true, false, true, false, true, true], "a clock set back is no reason to wait");
    }

    #[test]
    fn each_fill_is_new_once_a_day() {
        let monday = TradingDay::from_ymd(2026, 11, 23).unwrap();
        let tuesday = TradingDay::from_ymd(2026, 11, 24).unwrap();
        let mut known = KnownTrades::default();
        assert_eq!(known.take_new(vec![trade("1")], monday), [trade("1")]);
        assert_eq!(known.take_new(vec![trade("1"), trade("2"), trade("2")], monday), [trade("2")]);
        assert_eq!(known.take_new(vec![trade("1"), trade("2")], monday), []);
        assert_eq!(known.take_new(vec![trade("1")], tuesday), [trade("1")]);
        known.forget();
        assert_eq!(known.take_new(vec![trade("1")], tuesday), [trade("1")]);
    }
}
