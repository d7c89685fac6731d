//! When exchanges trade: sessions by segment, holidays, special sessions, rules of the day of expiry.
//!
//! Only data and questions; the file it comes from (`config/nse-holidays.toml`) is read outside the core. Facts:
//! `dhanhq-v2.md` section 12. All times and dates are India's.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate, NaiveTime, Weekday};

use crate::instrument::ExchangeSegment;
use crate::order::Product;
use crate::time::{Timestamp, TradingDay};

/// Sessions and holidays. Public, because nothing in it can contradict itself so that a question had no answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calendar {
    /// Days of the week without trading.
    pub weekend: Vec<Weekday>,
    /// Hours of an ordinary day. Of several for one segment, the last to have come into force holds. A segment without
    /// any never trades.
    pub hours: Vec<Hours>,
    /// Days without trading besides weekends.
    pub holidays: BTreeMap<NaiveDate, Holiday>,
    /// Sessions that stand in place of the day's: they make a holiday or a Sunday a trading day.
    pub specials: Vec<Special>,
}

/// Hours of an ordinary trading day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// Where they hold.
    pub segments: Vec<ExchangeSegment>,
    /// The first day they hold on; none for ever.
    pub since: Option<NaiveDate>,
    /// The first moment of the session.
    pub from: NaiveTime,
    /// The first moment after it.
    pub until: NaiveTime,
    /// Where the session begins on a holiday of which only the evening is traded.
    pub evening_from: Option<NaiveTime>,
    /// From here on nothing is opened that the broker squares off the same day.
    pub intraday_until: Option<NaiveTime>,
    /// From here on nothing is opened in an instrument that expires today.
    pub expiry_until: Option<NaiveTime>,
}

/// A day without trading.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holiday {
    /// Segments that trade in the evening.
    pub evening: Vec<ExchangeSegment>,
}

/// A session of its own kind, such as Muhurat trading. The rules on late entries do not hold in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Special {
    /// The day.
    pub date: NaiveDate,
    /// Where.
    pub segments: Vec<ExchangeSegment>,
    /// Its first moment.
    pub from: NaiveTime,
    /// The first moment after it.
    pub until: NaiveTime,
}

/// Why nothing is opened at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// A weekend or holiday.
    Holiday,
    /// Before or after the session, or a segment that never trades.
    OutsideSession,
    /// Too late in the day for what the broker squares off by itself.
    IntradayOver,
    /// Too late on the day the instrument expires.
    ExpiryOver,
    /// The instrument has expired, or will have before the order could trade.
    Expired,
    /// The session is on, and the order is one for after hours.
    InSession,
}

impl Calendar {
    /// Every segment trades at every moment: for tests and recordings whose calendar is not known.
    pub fn always_open() -> Self {
        let hours = Hours {
            segments: ExchangeSegment::ALL.to_vec(),
            since: None,
            from: NaiveTime::MIN,
            until: END_OF_DAY,
            evening_from: None,
            intraday_until: None,
            expiry_until: None,
        };
        Self { hours: vec![hours], ..Self::default() }
    }

    /// Whether a segment trades at a moment.
    pub fn is_open(&self, segment: ExchangeSegment, now: Timestamp) -> Result<(), Closed> {
        let (date, time) = (now.ist().date(), now.ist().time());
        let mut specials = self.specials_on(segment, date).peekable();
        if specials.peek().is_some() {
            let is_on = specials.any(|special| lies_in(time, special.from, special.until));
            return if is_on { Ok(()) } else { Err(Closed::OutsideSession) };
        }
        let hours = self.hours_on(segment, date).ok_or(Closed::OutsideSession)?;
        let from = match self.holidays.get(&date) {
            _ if self.weekend.contains(&date.weekday()) => None,
            Some(holiday) if holiday.evening.contains(&segment) => hours.evening_from,
            Some(_) => None,
            None => Some(hours.from),
        };
        let from = from.ok_or(Closed::Holiday)?;
        if lies_in(time, from, hours.until) { Ok(()) } else { Err(Closed::OutsideSession) }
    }

    /// Whether an order that opens something may be sent at a moment.
    ///
    /// `expiry` is the instrument's last day, none for what has none.
    pub fn takes_entry(
        &self,
        segment: ExchangeSegment,
        product: Product,
        expiry: Option<NaiveDate>,
        now: Timestamp,
    ) -> Result<(), Closed> {
        let (date, time) = (now.ist().date(), now.ist().time());
        if expiry.is_some_and(|expiry| expiry < date) {
            return Err(Closed::Expired);
        }
        self.is_open(segment, now)?;
        if self.specials_on(segment, date).next().is_some() {
            return Ok(());
        }
        let Some(hours) = self.hours_on(segment, date) else { return Ok(()) };
        let is_past = |end: Option<NaiveTime>| end.is_some_and(|end| time >= end);
        if expiry == Some(date) && is_past(hours.expiry_until) {
            return Err(Closed::ExpiryOver);
        }
        if is_squared_off(product) && is_past(hours.intraday_until) {
            return Err(Closed::IntradayOver);
        }
        Ok(())
    }

    /// Whether an order for the next session may be sent at a moment: only while the segment does not trade.
    pub fn takes_after_market(
        &self,
        segment: ExchangeSegment,
        expiry: Option<NaiveDate>,
        now: Timestamp,
    ) -> Result<(), Closed> {
        if self.is_open(segment, now).is_ok() {
            return Err(Closed::InSession);
        }
        let (date, time) = (now.ist().date(), now.ist().time());
        let next_session_is_tomorrow = self.hours_on(segment, date).is_some_and(|hours| time >= hours.until);
        let gone = |expiry: NaiveDate| expiry < date || (expiry == date && next_session_is_tomorrow);
        if expiry.is_some_and(gone) { Err(Closed::Expired) } else { Ok(()) }
    }

    /// The end of the last session of a segment on the day of a moment; none where it does not trade that day.
    pub fn close_of_day(&self, segment: ExchangeSegment, now: Timestamp) -> Option<Timestamp> {
        let date = now.ist().date();
        let special = self.specials_on(segment, date).map(|special| special.until).max();
        let ordinary = || {
            let holiday = self.holidays.get(&date);
            let trades = !self.weekend.contains(&date.weekday())
                && holiday.is_none_or(|holiday| holiday.evening.contains(&segment));
            self.hours_on(segment, date).filter(|_| trades).map(|hours| hours.until)
        };
        Some(Timestamp::from_ist(date.and_time(special.or_else(ordinary)?)))
    }

    /// Whether the broker's books count as turned at a moment: on a day on which a segment trades, from 09:00 on. Nothing
    /// trades before (`dhanhq-v2.md` section 12.1), and on another day he may see no reason to turn them.
    pub fn books_have_turned(&self, segment: ExchangeSegment, at: Timestamp) -> bool {
        at.ist().time() >= BOOKS_TURNED && self.close_of_day(segment, at).is_some()
    }

    /// Whether an order for the next session that was entered at a moment waits for it still when a day begins: no session
    /// has ended in between.
    pub fn waits_into(&self, segment: ExchangeSegment, entered_at: Timestamp, day: TradingDay) -> bool {
        let mut date = entered_at.trading_day();
        while date < day {
            if self.close_of_day(segment, date.start()).is_some_and(|close| close > entered_at) {
                return false;
            }
            let Some(next) = date.date().checked_add_days(Days::new(1)) else { return false };
            date = TradingDay::from(next);
        }
        true
    }

    /// Whether any holiday of a year is known. A year without a list is traded on every weekday.
    pub fn covers(&self, year: i32) -> bool {
        self.holidays.keys().any(|date| date.year() == year)
    }

    fn specials_on(&self, segment: ExchangeSegment, date: NaiveDate) -> impl Iterator<Item = &Special> {
        self.specials
            .iter()
            .filter(move |special| special.date == date && special.segments.contains(&segment))
    }

    /// The hours in force; of two of one day the later in the list.
    fn hours_on(&self, segment: ExchangeSegment, date: NaiveDate) -> Option<&Hours> {
        self.hours
            .iter()
            .filter(|hours| hours.segments.contains(&segment))
            .filter(|hours| hours.since.is_none_or(|since| since <= date))
            .max_by_key(|hours| hours.since)
    }
}

/// From then on, on a day on which it trades.
const BOOKS_TURNED: NaiveTime = match NaiveTime::from_hms_opt(9, 0, 0) {
    Some(time) => time,
    None => NaiveTime::MIN,
};

/// The first moment after a day, as near as a time of day comes to it.
pub const END_OF_DAY: NaiveTime = match NaiveTime::from_hms_nano_opt(23, 59, 59, 999_999_999) {
    Some(time) => time,
    None => NaiveTime::MIN,
};

fn lies_in(time: NaiveTime, from: NaiveTime, until: NaiveTime) -> bool {
    from <= time && time < until
}

/// Whether the broker closes positions in a product by itself before the session ends (`dhanhq-v2.md` section 2.10).
const fn is_squared_off(product: Product) -> bool {
    matches!(product, Product::Intraday | Product::Cover | Product::Bracket)
}

#[cfg(test)]
mod tests;
