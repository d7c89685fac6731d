//! A table of moments, by hand from `dhanhq-v2.md` section 12, on a calendar written out here.

use super::*;
use crate::instrument::ExchangeSegment::{McxCommodity, NseCurrency, NseEquity, NseFno};

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn time(text: &str) -> NaiveTime {
    text.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::from_ist(chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap())
}

fn hours(segment: ExchangeSegment, since: Option<&str>, from: &str, until: &str) -> Hours {
    Hours {
        segments: vec![segment],
        since: since.map(date),
        from: time(from),
        until: time(until),
        evening_from: None,
        intraday_until: None,
        expiry_until: None,
    }
}

fn calendar() -> Calendar {
    let late = Hours {
        intraday_until: Some(time("15:20:00")),
        expiry_until: Some(time("15:30:00")),
        ..hours(NseFno, Some("2026-08-03"), "09:15:00", "15:40:00")
    };
    let commodity =
        Hours { evening_from: Some(time("17:00:00")), ..hours(McxCommodity, None, "09:00:00", "23:30:00") };
    let muhurat = Special {
        date: date("2026-11-08"),
        segments: vec![NseFno, NseEquity],
        from: time("18:00:00"),
        until: time("19:15:00"),
    };
    Calendar {
        weekend: vec![Weekday::Sat, Weekday::Sun],
        hours: vec![
            late,
            hours(NseFno, None, "09:15:00", "15:30:00"),
            hours(NseEquity, None, "09:15:00", "15:30:00"),
            commodity,
        ],
        holidays: BTreeMap::from([
            (date("2026-11-08"), Holiday::default()),
            (date("2026-11-24"), Holiday { evening: vec![McxCommodity] }),
            (date("2026-12-25"), Holiday::default()),
        ]),
        specials: vec![muhurat],
    }
}

#[test]
fn sessions() {
    let calendar = calendar();
    for (segment, moment, expected) in [
        // An ordinary Tuesday: the first and the last moment of the session.
        (NseFno, "2026-12-01 09:14:59", Err(Closed::OutsideSession)),
        (NseFno, "2026-12-01 09:15:00", Ok(())),
        (NseFno, "2026-12-01 15:39:59", Ok(())),
        (NseFno, "2026-12-01 15:40:00", Err(Closed::OutsideSession)),
        (NseEquity, "2026-12-01 15:30:00", Err(Closed::OutsideSession)),
        (McxCommodity, "2026-12-01 23:29:59", Ok(())),
        // Until 3 August 2026 derivatives closed at 15:30.
        (NseFno, "2026-07-31 15:29:59", Ok(())),
        (NseFno, "2026-07-31 15:30:00", Err(Closed::OutsideSession)),
        (NseFno, "2026-08-03 15:30:00", Ok(())),
        // Weekend and holidays, one of them with an evening for commodities.
        (NseFno, "2026-11-28 10:00:00", Err(Closed::Holiday)),
        (NseFno, "2026-11-29 10:00:00", Err(Closed::Holiday)),
        (NseFno, "2026-11-24 10:00:00", Err(Closed::Holiday)),
        (McxCommodity, "2026-11-24 16:59:59", Err(Closed::OutsideSession)),
        (McxCommodity, "2026-11-24 17:00:00", Ok(())),
        (McxCommodity, "2026-12-25 17:00:00", Err(Closed::Holiday)),
        // Muhurat on a Sunday that is a holiday, too; commodities are not part of it.
        (NseFno, "2026-11-08 17:59:59", Err(Closed::OutsideSession)),
        (NseFno, "2026-11-08 18:00:00", Ok(())),
        (NseFno, "2026-11-08 19:15:00", Err(Closed::OutsideSession)),
        (NseFno, "2026-11-08 10:00:00", Err(Closed::OutsideSession)),
        (McxCommodity, "2026-11-08 18:00:00", Err(Closed::Holiday)),
        // Nothing is said of currency: it never trades.
        (NseCurrency, "2026-12-01 10:00:00", Err(Closed::OutsideSession)),
        // A year without a list: weekdays trade.
        (NseFno, "2027-01-26 10:00:00", Ok(())),
        (NseFno, "2027-01-24 10:00:00", Err(Closed::Holiday)),
    ] {
        assert_eq!(calendar.is_open(segment, at(moment)), expected, "{segment} {moment}");
    }
}

#[test]
fn late_entries() {
    let calendar = calendar();
    let today = Some("2026-12-01");
    for (product, expiry, moment, expected) in [
        (Product::Intraday, None, "2026-12-01 15:19:59", Ok(())),
        (Product::Intraday, None, "2026-12-01 15:20:00", Err(Closed::IntradayOver)),
        (Product::Bracket, None, "2026-12-01 15:20:00", Err(Closed::IntradayOver)),
        (Product::Margin, None, "2026-12-01 15:39:59", Ok(())),
        (Product::Margin, today, "2026-12-01 15:29:59", Ok(())),
        (Product::Margin, today, "2026-12-01 15:30:00", Err(Closed::ExpiryOver)),
        (Product::Margin, Some("2026-12-08"), "2026-12-01 15:30:00", Ok(())),
        (Product::Margin, Some("2026-11-30"), "2026-12-01 10:00:00", Err(Closed::Expired)),
        (Product::Margin, today, "2026-12-01 15:40:00", Err(Closed::OutsideSession)),
        // The rules of an ordinary afternoon say nothing of an evening session.
        (Product::Intraday, None, "2026-11-08 18:30:00", Ok(())),
    ] {
        let told = calendar.takes_entry(NseFno, product, expiry.map(date), at(moment));
        assert_eq!(told, expected, "{product} {expiry:?} {moment}");
    }
}

#[test]
fn orders_for_the_next_session() {
    let calendar = calendar();
    for (expiry, moment, expected) in [
        (None, "2026-12-01 10:00:00", Err(Closed::InSession)),
        (None, "2026-12-01 15:40:00", Ok(())),
        (None, "2026-11-28 10:00:00", Ok(())),
        (None, "2026-11-24 10:00:00", Ok(())),
        (Some("2026-12-01"), "2026-12-01 08:00:00", Ok(())),
        (Some("2026-12-01"), "2026-12-01 18:00:00", Err(Closed::Expired)),
        (Some("2026-11-30"), "2026-12-01 08:00:00", Err(Closed::Expired)),
    ] {
        let told = calendar.takes_after_market(NseFno, expiry.map(date), at(moment));
        assert_eq!(told, expected, "{expiry:?} {moment}");
    }
}

#[test]
fn years_with_and_without_a_list() {
    assert!(calendar().covers(2026));
    assert!(!calendar().covers(2027));
}

#[test]
fn always_is_always() {
    let calendar = Calendar::always_open();
    for moment in ["2026-11-22 00:00:00", "2026-12-25 23:59:59"] {
        assert_eq!(calendar.takes_entry(McxCommodity, Product::Intraday, None, at(moment)), Ok(()));
    }
}

#[test]
fn the_days_close_is_that_of_its_session() {
    let calendar = calendar();
    let close = |segment, now: &str| calendar.close_of_day(segment, at(now));
    assert_eq!(close(NseFno, "2026-11-23 03:00:00"), Some(at("2026-11-23 15:40:00")));
    assert_eq!(
        close(NseFno, "2026-07-01 20:00:00"),
        Some(at("2026-07-01 15:30:00")),
        "before the hours changed"
    );
    assert_eq!(close(NseFno, "2026-11-22 11:00:00"), None, "a Sunday");
    assert_eq!(close(NseFno, "2026-11-24 11:00:00"), None, "a holiday");
    assert_eq!(close(McxCommodity, "2026-11-24 11:00:00"), Some(at("2026-11-24 23:30:00")), "its evening");
    assert_eq!(close(NseFno, "2026-11-08 11:00:00"), Some(at("2026-11-08 19:15:00")), "Muhurat");
    assert_eq!(close(NseCurrency, "2026-11-23 11:00:00"), None, "no hours are known");
}

#[test]
fn p29_an_order_for_the_next_session_waits_until_one_has_ended() {
    let calendar = calendar();
    for (segment, entered, day, waits) in [
        // Friday's evening, over the weekend into Monday, whatever the hour of the start; and no further.
        (NseFno, "2026-11-27 20:00:00", "2026-11-28", true),
        (NseFno, "2026-11-27 20:00:00", "2026-11-30", true),
        (NseFno, "2026-11-27 20:00:00", "2026-12-01", false),
        // Before the session it is of the day itself.
        (NseFno, "2026-12-01 08:00:00", "2026-12-02", false),
        (NseFno, "2026-12-01 15:39:59", "2026-12-02", false),
        (NseFno, "2026-12-01 15:40:00", "2026-12-02", true),
        // Over a holiday, and into a Sunday with a session of its own.
        (NseFno, "2026-11-23 18:00:00", "2026-11-25", true),
        (NseFno, "2026-11-06 18:00:00", "2026-11-08", true),
        (NseFno, "2026-11-06 18:00:00", "2026-11-09", false),
        // A segment that never trades.
        (NseCurrency, "2026-11-27 20:00:00", "2026-12-01", true),
    ] {
        let (entered_at, day) = (at(entered), TradingDay::from(date(day)));
        assert_eq!(calendar.waits_into(segment, entered_at, day), waits, "{entered} into {day}");
    }
}

#[test]
fn the_brokers_books_count_as_turned_from_nine_on_a_day_of_trading() {
    let calendar = calendar();
    for (moment, turned) in [
        ("2026-12-01 08:59:59", false),
        ("2026-12-01 09:00:00", true),
        ("2026-11-28 10:00:00", false),
        ("2026-11-08 10:00:00", true),
    ] {
        assert_eq!(calendar.books_have_turned(NseFno, at(moment)), turned, "{moment}");
    }
}
