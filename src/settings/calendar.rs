//! The file that says when exchanges trade: read whole, every fault with its line, none with the value found.
//!
//! Beside the settings, not part of them: its dates are the exchange's, and one file serves every installation.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{NaiveDate, NaiveTime, Weekday};
use tandem_domain::calendar::{Calendar, END_OF_DAY, Holiday, Hours, Special};
use tandem_domain::instrument::ExchangeSegment;
use toml_edit::{Document, Item, Key, Table, Value};

use super::fault::{Fault, Faults, Origin};

/// The calendar used where no file is named.
const BUILT_IN: &str = include_str!("../../config/nse-holidays.toml");
const BUILT_IN_NAME: &str = "built-in nse-holidays.toml";

/// Reads a calendar, or the built-in one. All its faults are told at once.
///
/// A year without holidays is no fault: whoever starts anything asks [`Calendar::covers`] and warns.
pub fn load_calendar(file: Option<&Path>) -> Result<Calendar, Faults> {
    let Some(path) = file else { return read(BUILT_IN_NAME, BUILT_IN) };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Faults(vec![Fault {
            origin: Origin::File { name: name.clone(), line: 1 },
            key: String::new(),
            problem: format!("cannot be read: {error}"),
            remedy:
                "let session.calendar_file name a readable calendar, or leave it out for the built-in one"
                    .to_owned(),
        }])
    })?;
    read(&name, &text)
}

fn read(name: &str, text: &str) -> Result<Calendar, Faults> {
    let mut reader = Reader { name, text, faults: Vec::new() };
    let mut calendar = Calendar::default();
    match Document::parse(text) {
        Ok(document) => calendar = reader.calendar(document.as_table()),
        Err(error) => {
            let problem = format!("is not TOML: {}", error.message().replace('\n', " "));
            reader.fault("", error.span(), &problem, "correct the line; the rest was not read");
        }
    }
    if reader.faults.is_empty() { Ok(calendar) } else { Err(Faults(reader.faults)) }
}

/// What a value must be, and how it is read.
struct Form<T> {
    wanted: &'static str,
    fit: fn(&Value) -> Option<T>,
}

const NAME: Form<()> = Form { wanted: "a text", fit: |value| value.as_str().map(drop) };
const DATE: Form<NaiveDate> = Form { wanted: "a date without quotes: 2026-12-25", fit: date };
const TIME: Form<NaiveTime> = Form { wanted: "a time of day: \"15:40\"", fit: time };
const SEGMENTS: Form<Vec<ExchangeSegment>> = Form {
    wanted: "a list of NSE_EQ, NSE_FNO, NSE_CURRENCY, BSE_EQ, BSE_FNO, BSE_CURRENCY, MCX_COMM",
    fit: |value| {
        each_of(value, |word| word.parse().ok().filter(|segment| *segment != ExchangeSegment::Index))
    },
};
const WEEKDAYS: Form<Vec<Weekday>> = Form {
    wanted: "a list of MON, TUE, WED, THU, FRI, SAT, SUN; [] for none",
    fit: |value| each_of(value, |word| word.parse().ok()),
};

type Span = Option<std::ops::Range<usize>>;

struct Reader<'a> {
    name: &'a str,
    text: &'a str,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn calendar(&mut self, root: &Table) -> Calendar {
        self.only("", root, &["weekend", "session", "special", "holiday"]);
        let calendar = Calendar {
            weekend: self.required("", root, "weekend", &WEEKDAYS).unwrap_or_default(),
            hours: self.each(root, "session", Self::hours),
            holidays: self.holidays(root),
            specials: self.each(root, "special", Self::special),
        };
        let evenings = calendar.holidays.values().flat_map(|holiday| &holiday.evening);
        let has_evening = |segment: &ExchangeSegment| {
            let mut hours = calendar.hours.iter().filter(|hours| hours.segments.contains(segment));
            hours.any(|hours| hours.evening_from.is_some())
        };
        if let Some(segment) = evenings.into_iter().find(|segment| !has_evening(segment)) {
            let problem = format!("names {segment}, which has no evening");
            self.fault("holiday.evening", None, &problem, "write evening_from in its [[session]]");
        }
        if !root.contains_key("session") {
            self.fault("session", None, "is missing", "write a [[session]] for each segment that trades");
        }
        calendar
    }

    fn hours(&mut self, path: &str, table: &Table) -> Option<Hours> {
        let keys = ["segments", "since", "from", "until", "evening_from", "intraday_until", "expiry_until"];
        self.only(path, table, &keys);
        let segments = self.required(path, table, "segments", &SEGMENTS);
        let since = self.optional(path, table, "since", &DATE);
        let (from, until) = self.span(path, table)?;
        let mut within = |key: &str| {
            let time = self.optional(path, table, key, &TIME)?;
            if time < from || time > until {
                let span = table.get(key).and_then(Item::span);
                self.fault(
                    &join(path, key),
                    span,
                    "lies outside the session",
                    "write a time in it, or remove it",
                );
            }
            Some(time)
        };
        let evening_from = within("evening_from");
        let intraday_until = within("intraday_until");
        let expiry_until = within("expiry_until");
        Some(Hours { segments: segments?, since, from, until, evening_from, intraday_until, expiry_until })
    }

    fn special(&mut self, path: &str, table: &Table) -> Option<Special> {
        self.only(path, table, &["name", "date", "segments", "from", "until"]);
        self.optional(path, table, "name", &NAME);
        let date = self.required(path, table, "date", &DATE);
        let segments = self.required(path, table, "segments", &SEGMENTS);
        let (from, until) = self.span(path, table)?;
        Some(Special { date: date?, segments: segments?, from, until })
    }

    fn holidays(&mut self, root: &Table) -> BTreeMap<NaiveDate, Holiday> {
        let mut holidays = BTreeMap::new();
        for (date, holiday, at) in self.each(root, "holiday", Self::holiday) {
            if holidays.insert(date, holiday).is_some() {
                self.fault("holiday.date", at, "stands twice", "remove one of the two");
            }
        }
        holidays
    }

    fn holiday(&mut self, path: &str, table: &Table) -> Option<(NaiveDate, Holiday, Span)> {
        self.only(path, table, &["name", "date", "evening"]);
        self.optional(path, table, "name", &NAME);
        let date = self.required(path, table, "date", &DATE)?;
        let evening = self.optional(path, table, "evening", &SEGMENTS).unwrap_or_default();
        Some((date, Holiday { evening }, table.span()))
    }

    /// From and until, the first before the second.
    fn span(&mut self, path: &str, table: &Table) -> Option<(NaiveTime, NaiveTime)> {
        let from = self.required(path, table, "from", &TIME);
        let until = self.required(path, table, "until", &TIME);
        let (from, until) = (from?, until?);
        if from >= until {
            let span = table.get("until").and_then(Item::span);
            self.fault(&join(path, "until"), span, "is not after from", "write a later time of the same day");
        }
        Some((from, until))
    }

    /// Reads every table of an array; what is at fault is left out.
    fn each<T>(&mut self, root: &Table, key: &str, read: fn(&mut Self, &str, &Table) -> Option<T>) -> Vec<T> {
        let Some(item) = root.get(key) else { return Vec::new() };
        let Some(tables) = item.as_array_of_tables() else {
            let remedy = format!("write [[{key}]] above each one");
            self.fault(key, item.span(), "is not an array of tables", &remedy);
            return Vec::new();
        };
        let numbered = tables.iter().enumerate();
        numbered.filter_map(|(number, table)| read(self, &format!("{key}[{number}]"), table)).collect()
    }

    fn only(&mut self, path: &str, table: &Table, keys: &[&str]) {
        for (key, item) in table.iter().filter(|(key, _)| !keys.contains(key)) {
            let span = table.key(key).and_then(Key::span).or_else(|| item.span());
            let remedy = format!("remove it, or write one of {}", keys.join(", "));
            self.fault(&join(path, key), span, "is not a key of the calendar", &remedy);
        }
    }

    fn required<T>(&mut self, path: &str, table: &Table, key: &str, form: &Form<T>) -> Option<T> {
        if !table.contains_key(key) {
            self.fault(&join(path, key), table.span(), "is missing", &format!("write {}", form.wanted));
        }
        self.optional(path, table, key, form)
    }

    fn optional<T>(&mut self, path: &str, table: &Table, key: &str, form: &Form<T>) -> Option<T> {
        let item = table.get(key)?;
        let read = item.as_value().and_then(form.fit);
        if read.is_none() {
            self.fault(&join(path, key), item.span(), "does not fit", &format!("write {}", form.wanted));
        }
        read
    }

    fn fault(&mut self, key: &str, span: Span, problem: &str, remedy: &str) {
        let before = span.and_then(|span| self.text.get(..span.start)).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        let origin = Origin::File { name: self.name.to_owned(), line };
        let (key, problem, remedy) = (key.to_owned(), problem.to_owned(), remedy.to_owned());
        self.faults.push(Fault { origin, key, problem, remedy });
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn date(value: &Value) -> Option<NaiveDate> {
    let found = value.as_datetime().filter(|found| found.time.is_none() && found.offset.is_none())?;
    let date = found.date?;
    NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())
}

/// A time of day; `24:00` is the end of it.
fn time(value: &Value) -> Option<NaiveTime> {
    match value.as_str()? {
        "24:00" => Some(END_OF_DAY),
        text => ["%H:%M", "%H:%M:%S"].iter().find_map(|form| NaiveTime::parse_from_str(text, form).ok()),
    }
}

fn each_of<T>(value: &Value, read: fn(&str) -> Option<T>) -> Option<Vec<T>> {
    value.as_array()?.iter().map(|word| read(word.as_str()?)).collect()
}

#[cfg(test)]
mod tests {
    use tandem_domain::calendar::Closed;
    use tandem_domain::instrument::ExchangeSegment::{BseFno, McxCommodity, NseCurrency, NseEquity, NseFno};
    use tandem_domain::order::Product;
    use tandem_domain::time::Timestamp;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_ist(chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap())
    }

    /// What the exchanges' circulars say, moment by moment.
    #[test]
    fn the_built_in_calendar_knows_2026() {
        let calendar = load_calendar(None).unwrap();
        assert!(calendar.covers(2026));
        assert!(!calendar.covers(2027), "no list was published when this was written");
        for (segment, moment, expected) in [
            (NseFno, "2026-12-01 09:15:00", Ok(())),
            (BseFno, "2026-12-01 15:39:59", Ok(())),
            (NseFno, "2026-12-01 15:40:00", Err(Closed::OutsideSession)),
            (NseFno, "2026-07-31 15:35:00", Err(Closed::OutsideSession)),
            (NseEquity, "2026-12-01 15:30:00", Err(Closed::OutsideSession)),
            (NseCurrency, "2026-12-01 16:59:59", Ok(())),
            (NseFno, "2026-11-24 10:00:00", Err(Closed::Holiday)),
            (NseFno, "2026-11-28 10:00:00", Err(Closed::Holiday)),
            (NseFno, "2026-11-08 18:30:00", Ok(())),
            // Commodities: the evening of a holiday, and an end that follows the winter time of the United States.
            (McxCommodity, "2026-11-24 10:00:00", Err(Closed::OutsideSession)),
            (McxCommodity, "2026-11-24 17:00:00", Ok(())),
            (McxCommodity, "2026-12-25 18:00:00", Err(Closed::Holiday)),
            (McxCommodity, "2026-02-02 23:54:59", Ok(())),
            (McxCommodity, "2026-07-01 23:30:00", Err(Closed::OutsideSession)),
            (McxCommodity, "2026-12-01 23:54:59", Ok(())),
            (McxCommodity, "2027-06-01 23:30:00", Err(Closed::OutsideSession)),
        ] {
            assert_eq!(calendar.is_open(segment, at(moment)), expected, "{segment} {moment}");
        }
        let expiry = NaiveDate::from_ymd_opt(2026, 12, 1);
        let late = calendar.takes_entry(NseFno, Product::Margin, expiry, at("2026-12-01 15:30:00"));
        assert_eq!(late, Err(Closed::ExpiryOver));
        let intraday = calendar.takes_entry(NseFno, Product::Intraday, None, at("2026-12-01 15:20:00"));
        assert_eq!(intraday, Err(Closed::IntradayOver));
    }

    /// The simulator trades on days of its own; a calendar that disagreed would deny what it takes.
    #[test]
    fn the_built_in_holidays_are_the_simulators() {
        let built_in: Vec<_> = load_calendar(None).unwrap().holidays.into_keys().collect();
        assert_eq!(built_in, tandem_sim::exchange::holidays_2026());
    }

    #[test]
    fn every_fault_is_told_with_its_line_and_without_the_value() {
        let text = "weekend = [\"SATURDAY\", \"FUNDAY\"]\n\
                    [[session]]\nsegments = [\"NFO\"]\nfrom = \"09:15\"\nuntil = \"09:00\"\n\
                    [[session]]\nsegments = [\"NSE_FNO\"]\nfrom = 9\n\
                    [[session]]\nsegments = [\"NSE_EQ\"]\nfrom = \"09:15\"\nuntil = \"15:30\"\nexpiry_until = \"16:00\"\n\
                    [[holiday]]\ndate = \"2026-12-25\"\n\
                    [[holiday]]\ndate = 2026-12-25\n[[holiday]]\ndate = 2026-12-25\nday = 1\n\
                    [special]\n";
        let faults = read("cal.toml", text).unwrap_err();
        let told: Vec<String> = faults.0.iter().map(ToString::to_string).collect();
        let expected = [
            "cal.toml:1: weekend does not fit; write a list of",
            "cal.toml:3: session[0].segments does not fit; write a list of",
            "cal.toml:5: session[0].until is not after from; write a later time",
            "cal.toml:8: session[1].from does not fit; write a time of day",
            "cal.toml:6: session[1].until is missing; write a time of day",
            "cal.toml:13: session[2].expiry_until lies outside the session; write a time in it",
            "cal.toml:15: holiday[0].date does not fit; write a date without quotes",
            "cal.toml:20: holiday[2].day is not a key of the calendar; remove it, or write one of name, date",
            "cal.toml:18: holiday.date stands twice; remove one",
            "cal.toml:21: special is not an array of tables; write [[special]]",
        ];
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told}\n{expected}");
        }
        assert_eq!(told.len(), expected.len(), "{told:#?}");
    }

    #[test]
    fn a_file_that_is_none_says_so() {
        let broken = read("cal.toml", "weekend = [\n\n[[session").unwrap_err().to_string();
        assert!(broken.contains("cal.toml:") && broken.contains("is not TOML"), "{broken}");
        let missing = load_calendar(Some(Path::new("no-such-calendar.toml"))).unwrap_err().to_string();
        assert!(missing.contains("cannot be read") && missing.contains("session.calendar_file"), "{missing}");
        let evening = "weekend = []\n[[session]]\nsegments = [\"NSE_FNO\"]\nfrom = \"09:15\"\nuntil = \"15:30\"\n\
                       [[holiday]]\ndate = 2026-12-25\nevening = [\"NSE_FNO\"]\n";
        let evening = read("cal.toml", evening).unwrap_err().to_string();
        assert!(evening.contains("holiday.evening names NSE_FNO, which has no evening"), "{evening}");
        let empty = read("cal.toml", "weekend = []\n").unwrap_err().to_string();
        assert!(empty.contains("session is missing"), "{empty}");
    }

    #[test]
    fn a_market_that_never_closes() {
        let text =
            "weekend = []\n[[session]]\nsegments = [\"NSE_FNO\"]\nfrom = \"00:00\"\nuntil = \"24:00\"\n";
        let calendar = read("cal.toml", text).unwrap();
        assert_eq!(calendar.is_open(NseFno, at("2026-11-22 23:59:59")), Ok(()));
    }
}
