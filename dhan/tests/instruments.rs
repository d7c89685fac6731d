//! The instrument file: both kinds, damaged ones, and a whole day's size.

use std::fmt::Write;
use std::io::{self, Read};

use tandem_dhan::instruments::{InstrumentsError, load, load_complete};
use tandem_domain::instrument::{ExchangeSegment, Instrument, InstrumentKey, InstrumentTable, SecurityId};

const COMPACT: &str = include_str!("fixtures/instruments/compact.csv");
const DETAILED: &str = include_str!("fixtures/instruments/detailed.csv");

/// The compact file's first line, and the lines below it.
fn header_and_rows() -> (&'static str, &'static str) {
    COMPACT.split_at(COMPACT.find('\n').map_or(0, |at| at + 1))
}

fn get(table: &InstrumentTable, segment: ExchangeSegment, id: u32) -> Option<Instrument> {
    table.get(InstrumentKey { segment, security_id: SecurityId(id) })
}

fn describe(instrument: &Instrument) -> String {
    format!(
        "{} {} {} [{}] lot {} tick {} {} {} freeze {:?} band {}",
        instrument.key,
        instrument.kind,
        instrument.symbol,
        instrument.underlying,
        instrument.lot_size,
        instrument.tick,
        instrument.expiry.map_or_else(|| "-".to_owned(), |date| date.to_string()),
        instrument.option.map_or_else(|| "-".to_owned(), |o| format!("{} {}", o.strike, o.option_type)),
        instrument.freeze_quantity.map(tandem_domain::quantity::Quantity::get),
        instrument.band.map_or_else(|| "-".to_owned(), |(low, high)| format!("{low}..{high}")),
    )
}

#[test]
fn the_compact_file_is_read() {
    let loaded = load_complete(COMPACT.as_bytes(), 5).unwrap();
    assert_eq!((loaded.rows, loaded.passed_over, loaded.malformed), (9, 1, 0));
    let lines: Vec<String> = loaded.table.iter().map(|instrument| describe(&instrument)).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    IDX_I:13 INDEX NIFTY [] lot 1 tick 0.05 - - freeze None band -
    NSE_EQ:2885 EQUITY RELIANCE [] lot 1 tick 0.10 - - freeze None band -
    NSE_FNO:43125 OPTIDX NIFTY-Dec2026-26000-CE [NIFTY] lot 65 tick 0.05 2026-12-15 26000.00 CE freeze None band -
    NSE_FNO:51240 OPTIDX BANKNIFTY-Dec2026-60000-PE [BANKNIFTY] lot 30 tick 0.05 2026-12-29 60000.00 PE freeze None band -
    NSE_FNO:58210 FUTIDX NIFTY-Dec2026-FUT [NIFTY] lot 65 tick 0.10 2026-12-29 - freeze None band -
    NSE_FNO:61000 OPTSTK BAJAJ-AUTO-Dec2026-9000-CE [BAJAJ-AUTO] lot 75 tick 0.05 2026-12-29 9000.00 CE freeze None band -
    NSE_CURRENCY:7001 OPTCUR USDINR-Dec2026-90.25-PE [USDINR] lot 1 tick 0.0025 2026-12-29 90.25 PE freeze None band -
    BSE_FNO:1104562 OPTIDX SENSEX-Dec2026-85000-CE [SENSEX] lot 20 tick 0.05 2026-12-10 85000.00 CE freeze None band -
    ");
}

#[test]
fn the_detailed_file_is_read_with_freeze_quantities() {
    let loaded = load_complete(DETAILED.as_bytes(), 1).unwrap();
    let lines: Vec<String> = loaded.table.iter().map(|instrument| describe(&instrument)).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    NSE_EQ:2885 EQUITY RELIANCE [] lot 1 tick 0.10 - - freeze None band -
    NSE_FNO:43125 OPTIDX NIFTY-Dec2026-26000-CE [NIFTY] lot 65 tick 0.05 2026-12-15 26000.00 CE freeze Some(1800) band 0.05..412.35
    ");
}

#[test]
fn columns_are_found_by_name() {
    let swapped = DETAILED.lines().fold(String::new(), |mut text, line| {
        let mut cells: Vec<&str> = line.split(',').collect();
        cells.reverse();
        writeln!(text, "EXTRA,{}", cells.join(",")).unwrap();
        text
    });
    let loaded = load(swapped.as_bytes()).unwrap();
    assert_eq!(loaded.table.len(), 2);
    assert_eq!(get(&loaded.table, ExchangeSegment::NseFno, 43125).unwrap().lot_size.get(), 65);
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let whole = COMPACT.to_owned();
    let complete = load_complete(whole.as_bytes(), 9);
    assert!(complete.is_ok(), "{complete:?}");
    for end in 0..whole.len() {
        let cut = &whole.as_bytes()[..end];
        assert!(load_complete(cut, 9).is_err(), "{}", String::from_utf8_lossy(cut));
    }
}

#[test]
fn what_is_no_instrument_file_is_refused() {
    assert!(matches!(load("<html>502</html>\n".as_bytes()), Err(InstrumentsError::NoColumn(_))));
    assert!(matches!(load("".as_bytes()), Err(InstrumentsError::NoColumn(_))));
    let mut damaged = COMPACT.to_owned();
    damaged.push_str(&header_and_rows().1.replace("26000.00000", "26e3").replace("NSE,D,", "NSE,D,x"));
    assert!(matches!(load_complete(damaged.as_bytes(), 5), Err(InstrumentsError::Malformed { .. })));
    assert!(matches!(load_complete(COMPACT.as_bytes(), 100), Err(InstrumentsError::TooFew { .. })));
}

#[test]
fn a_failing_reader_is_an_error() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disk"))
        }
    }
    let reader = COMPACT.to_owned();
    assert!(matches!(load(reader.as_bytes().chain(Broken)), Err(InstrumentsError::Read(_))));
}

/// The size of a real day, made row by row: the file itself never lies in memory.
struct Day {
    next_row: u32,
    buffer: Vec<u8>,
    at: usize,
}

impl Day {
    const ROWS: u32 = 200_000;
}

impl Read for Day {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.buffer.len() {
            self.at = 0;
            self.buffer.clear();
            let from = self.next_row;
            let to = Self::ROWS.min(from + 100);
            for row in from..to {
                let strike = 10_000 + row % 3000 * 50;
                let name = row % 200;
                let line = format!(
                    "NSE,D,{},OPTSTK,0,STOCK{name}-Dec2026-{strike}-CE,65.0,STOCK{name} 15 DEC {strike} CALL,\
                     2026-12-15 14:30:00,{strike}.00000,CE,5.0000,W,OP,,\n",
                    40_000 + row
                );
                self.buffer.extend_from_slice(line.as_bytes());
            }
            self.next_row = to;
        }
        let count = (&self.buffer[self.at..]).read(out)?;
        self.at += count;
        Ok(count)
    }
}

#[test]
fn a_whole_day_loads() {
    let day = Day { next_row: 0, buffer: Vec::new(), at: 0 };
    let loaded = load_complete(header_and_rows().0.as_bytes().chain(day), 50_000).unwrap();
    assert_eq!((loaded.rows, loaded.table.len(), loaded.malformed), (200_000, 200_000, 0));
    let last = get(&loaded.table, ExchangeSegment::NseFno, 40_000 + Day::ROWS - 1).unwrap();
    assert_eq!(&*last.underlying, "STOCK199");
}
