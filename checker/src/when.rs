//! Times: microseconds since 1970 UTC in the history, the clock of India in the book and for people.

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime};

/// One second.
pub(crate) const SECOND: i64 = 1_000_000;

/// India is five hours and a half ahead of UTC, the year round.
const IST: Duration = Duration::minutes(330);

/// What is younger than this may be still under way, where a promise speaks of how things end.
pub(crate) const UNDER_WAY: i64 = 60 * SECOND;

/// Whether a text is a date, `YYYY-MM-DD`.
pub(crate) fn is_day(text: &str) -> bool {
    text.len() == 10 && text.parse::<NaiveDate>().is_ok()
}

fn india(micros: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(micros)?.naive_utc().checked_add_signed(IST)
}

/// The date in India.
pub(crate) fn day(micros: i64) -> String {
    india(micros).map_or_else(|| "?".to_owned(), |at| at.date().to_string())
}

/// The time in India to the millisecond, for people.
pub(crate) fn text(micros: i64) -> String {
    india(micros).map_or_else(|| "?".to_owned(), |at| at.format("%Y-%m-%d %H:%M:%S%.3f").to_string())
}

/// A moment as the broker writes it, `YYYY-MM-DD HH:MM:SS` in India (`dhanhq-v2.md` section 2.6). None for its
/// sentinels: `NA`, `0001-01-01 00:00:00`, nothing.
pub(crate) fn from_india(text: &str) -> Option<i64> {
    let at = NaiveDateTime::parse_from_str(text.trim(), "%Y-%m-%d %H:%M:%S").ok()?;
    let micros = at.checked_sub_signed(IST)?.and_utc().timestamp_micros();
    (micros > 0).then_some(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_india_goes_both_ways() {
        let at = from_india("2026-12-01 09:15:00").unwrap();
        assert_eq!(text(at), "2026-12-01 09:15:00.000");
        assert_eq!(day(at), "2026-12-01");
        assert_eq!(day(from_india("2026-12-01 00:00:00").unwrap() - 1), "2026-11-30");
    }

    #[test]
    fn sentinels_are_no_times() {
        for text in ["NA", "", "0001-01-01 00:00:00", "2026-12-01"] {
            assert_eq!(from_india(text), None, "{text}");
        }
        assert!(is_day("2026-12-01"));
        assert!(!is_day("2026-13-01") && !is_day("1.12.2026"));
    }
}
