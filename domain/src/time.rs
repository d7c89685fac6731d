//! Time inside Tandem: UTC microseconds, given in as an argument; Indian time only at the edges.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

/// India Standard Time is UTC+5:30, without summer time.
const IST_OFFSET_US: i64 = (5 * 3600 + 1800) * 1_000_000;

/// A moment, in microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// The exchange's date, in India. Order and trade books, ids and absence proofs hold within one (P29).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TradingDay(NaiveDate);

impl Timestamp {
    /// 1970; before every event.
    pub const EPOCH: Self = Self(0);

    /// From microseconds since 1970 UTC.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970 UTC.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since 1970 UTC.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// A wall-clock reading in India, as the broker writes it.
    pub const fn from_ist(ist: NaiveDateTime) -> Self {
        Self(ist.and_utc().timestamp_micros() - IST_OFFSET_US)
    }

    /// The wall clock in India. Moments outside the calendar's range read as 1970.
    pub fn ist(self) -> NaiveDateTime {
        DateTime::from_timestamp_micros(self.0.saturating_add(IST_OFFSET_US)).unwrap_or_default().naive_utc()
    }

    /// The same moment as `chrono` writes it.
    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }

    /// The date in India.
    pub fn trading_day(self) -> TradingDay {
        TradingDay(self.ist().date())
    }

    /// The moment so much later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The moment so much earlier.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The time since `earlier`; nothing when it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl TradingDay {
    /// The date; `None` when there is no such day.
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Option<Self> {
        NaiveDate::from_ymd_opt(year, month, day).map(Self)
    }

    /// The date.
    pub const fn date(self) -> NaiveDate {
        self.0
    }

    /// A time of this day, by the clock in India.
    pub fn at(self, time: NaiveTime) -> Timestamp {
        Timestamp::from_ist(self.0.and_time(time))
    }

    /// The moment this day begins in India.
    pub fn start(self) -> Timestamp {
        self.at(NaiveTime::MIN)
    }
}

impl From<NaiveDate> for TradingDay {
    fn from(date: NaiveDate) -> Self {
        Self(date)
    }
}

impl FromStr for TradingDay {
    type Err = chrono::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for TradingDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Timestamp {
    /// Indian time to the millisecond, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ist().format("%Y-%m-%d %H:%M:%S%.3f").fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trading_day_is_the_date_in_india() {
        let day = TradingDay::from_ymd(2026, 11, 23).unwrap();
        assert_eq!(day.start().trading_day(), day);
        assert_eq!(day.start().utc().to_rfc3339(), "2026-11-22T18:30:00+00:00");
        assert_eq!(day.start().minus(Duration::from_micros(1)).trading_day().to_string(), "2026-11-22");
    }

    #[test]
    fn ages_never_go_negative() {
        let (early, late) = (Timestamp::from_micros(5), Timestamp::from_micros(9));
        assert_eq!(late.since(early), Duration::from_micros(4));
        assert_eq!(early.since(late), Duration::ZERO);
    }
}
