//! Trading days and expiries (`dhanhq-v2.md` sections 12.2 and 12.3).

use chrono::{Datelike, Days, NaiveDate, Weekday};

/// Which days have a session.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    holidays: Vec<NaiveDate>,
}

impl Calendar {
    pub(super) fn new(mut holidays: Vec<NaiveDate>) -> Self {
        holidays.sort_unstable();
        Self { holidays }
    }

    pub(super) fn is_trading_day(&self, date: NaiveDate) -> bool {
        !matches!(date.weekday(), Weekday::Sat | Weekday::Sun) && self.holidays.binary_search(&date).is_err()
    }

    /// The date itself if it is a trading day, else the last one before it: where an expiry on a holiday moves.
    pub(super) fn on_or_before(&self, date: NaiveDate) -> NaiveDate {
        let mut day = date;
        while !self.is_trading_day(day) {
            day = day - Days::new(1);
        }
        day
    }

    /// The date itself if it is a trading day, else the next one.
    pub(super) fn on_or_after(&self, date: NaiveDate) -> NaiveDate {
        let mut day = date;
        while !self.is_trading_day(day) {
            day = day + Days::new(1);
        }
        day
    }

    /// The next `count` weekly expiries not before `from`, on `weekday` or the trading day before.
    pub(super) fn weekly_expiries(&self, weekday: Weekday, from: NaiveDate, count: usize) -> Vec<NaiveDate> {
        nominal(weekday, from)
            .map(|day| self.on_or_before(day))
            .filter(|day| *day >= from)
            .take(count)
            .collect()
    }

    /// The next monthly expiries not before `from`: the last `weekday` of a month or the trading day before.
    pub(super) fn monthly_expiries(&self, weekday: Weekday, from: NaiveDate, count: usize) -> Vec<NaiveDate> {
        nominal(weekday, from)
            .filter(|day| (*day + Days::new(7)).month() != day.month())
            .map(|day| self.on_or_before(day))
            .filter(|day| *day >= from)
            .take(count)
            .collect()
    }
}

/// Every `weekday` from `from` on.
fn nominal(weekday: Weekday, from: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    from.iter_days().filter(move |day| day.weekday() == weekday)
}

/// Trading holidays of 2026 on weekdays, NSE and BSE (section 12.2).
pub fn holidays_2026() -> Vec<NaiveDate> {
    const DATES: [(u32, u32); 16] = [
        (1, 15),
        (1, 26),
        (3, 3),
        (3, 26),
        (3, 31),
        (4, 3),
        (4, 14),
        (5, 1),
        (5, 28),
        (6, 26),
        (9, 14),
        (10, 2),
        (10, 20),
        (11, 10),
        (11, 24),
        (12, 25),
    ];
    DATES.iter().filter_map(|(month, day)| NaiveDate::from_ymd_opt(2026, *month, *day)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn an_expiry_on_a_holiday_moves_to_the_day_before() {
        let calendar = Calendar::new(holidays_2026());
        let november = date("2026-11-20");
        assert_eq!(
            calendar.weekly_expiries(Weekday::Tue, november, 2),
            [date("2026-11-23"), date("2026-12-01")]
        );
        assert_eq!(
            calendar.monthly_expiries(Weekday::Tue, november, 2),
            [date("2026-11-23"), date("2026-12-29")]
        );
        assert_eq!(calendar.monthly_expiries(Weekday::Thu, november, 1), [date("2026-11-26")]);
    }

    #[test]
    fn weekends_and_holidays_have_no_session() {
        let calendar = Calendar::new(holidays_2026());
        assert!(!calendar.is_trading_day(date("2026-11-24")));
        assert!(!calendar.is_trading_day(date("2026-11-28")));
        assert!(calendar.is_trading_day(date("2026-12-01")));
    }
}
