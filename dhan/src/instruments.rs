//! The day's instrument file, compact or detailed, as one stream into the compact table (`dhanhq-v2.md` section 8).
//!
//! Columns are found by name and extra ones tolerated. A server that cuts a body short looks like success to the HTTP
//! client, so a whole file is told by its end: the last line ends in a newline, and there are plausibly many rows.

use std::io::{self, Read};

use csv::ByteRecord;
use tandem_domain::instrument::InstrumentTable;
use thiserror::Error;

use columns::Columns;
use row::{RowFault, push_row};

mod columns;
mod row;

/// Fewer rows than any real day has: below this a file is cut or of another kind. Real files have about 200,000.
pub const PLAUSIBLE_ROWS_MIN: usize = 50_000;
/// One malformed row in this many is an odd row; more is another format or a damaged file.
const ROWS_PER_MALFORMED_MIN: usize = 200;

/// A loaded file.
#[derive(Debug)]
pub struct LoadedInstruments {
    /// The instruments of the day.
    pub table: InstrumentTable,
    /// Rows of the file, header apart.
    pub rows: usize,
    /// Rows of segments or kinds this program has no name for (commodity spot rows and the like).
    pub passed_over: usize,
    /// Rows that could not be read.
    pub malformed: usize,
    /// Whether the last line ended in a newline: a cut file's does not.
    pub ends_in_newline: bool,
}

/// Why a file is not taken.
#[derive(Debug, Error)]
pub enum InstrumentsError {
    /// It cannot be read.
    #[error("read instrument file: {0}")]
    Read(#[from] io::Error),
    /// It is not the text it should be.
    #[error("instrument file is no CSV: {0}")]
    Csv(String),
    /// A column without which no row can be read is missing.
    #[error("instrument file has no column {0}")]
    NoColumn(&'static str),
    /// It ends in the middle of a line.
    #[error("instrument file is cut: the last of {rows} rows does not end in a newline")]
    Cut {
        /// Rows read.
        rows: usize,
    },
    /// It has implausibly few rows.
    #[error("instrument file has {rows} rows, at least {rows_min} expected")]
    TooFew {
        /// Rows read.
        rows: usize,
        /// Rows wanted.
        rows_min: usize,
    },
    /// Too much of it cannot be read.
    #[error("{malformed} of {rows} rows of the instrument file cannot be read")]
    Malformed {
        /// Rows not read.
        malformed: usize,
        /// Rows read and not read.
        rows: usize,
    },
}

/// Loads whatever rows there are, and reports what it met. Refuses only what is no instrument file at all.
pub fn load(from: impl Read) -> Result<LoadedInstruments, InstrumentsError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(LastByte { from, last: None });
    let columns = Columns::find(reader.byte_headers().map_err(csv_error)?)?;

    let mut builder = InstrumentTable::builder();
    let (mut rows, mut passed_over, mut malformed) = (0, 0, 0);
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(csv_error)? {
        rows += 1;
        match push_row(&mut builder, &columns, &record) {
            Ok(()) => {}
            Err(RowFault::NotOurs) => passed_over += 1,
            Err(RowFault::Malformed) => malformed += 1,
        }
    }
    let ends_in_newline = reader.get_ref().last == Some(b'\n');
    Ok(LoadedInstruments { table: builder.build(), rows, passed_over, malformed, ends_in_newline })
}

/// Loads a whole day's file and refuses a cut, short or damaged one. `rows_min` is [`PLAUSIBLE_ROWS_MIN`] for the
/// broker's file, less for a simulator's.
pub fn load_complete(from: impl Read, rows_min: usize) -> Result<LoadedInstruments, InstrumentsError> {
    let loaded = load(from)?;
    let LoadedInstruments { rows, malformed, .. } = loaded;
    if !loaded.ends_in_newline {
        return Err(InstrumentsError::Cut { rows });
    }
    if rows < rows_min {
        return Err(InstrumentsError::TooFew { rows, rows_min });
    }
    if malformed > rows / ROWS_PER_MALFORMED_MIN {
        return Err(InstrumentsError::Malformed { malformed, rows });
    }
    Ok(loaded)
}

fn csv_error(error: csv::Error) -> InstrumentsError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => InstrumentsError::Read(error),
        other => InstrumentsError::Csv(format!("{other:?}")),
    }
}

/// Remembers the last byte read.
struct LastByte<R> {
    from: R,
    last: Option<u8>,
}

impl<R: Read> Read for LastByte<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        if let Some(&last) = buffer[..count].last() {
            self.last = Some(last);
        }
        Ok(count)
    }
}
