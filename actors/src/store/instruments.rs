//! The instrument master on its way into the database: in parts, so that no order waits behind 200,000 rows.

use std::sync::Arc;

use tandem_domain::instrument::{Instrument, InstrumentTable};
use tandem_domain::time::{Timestamp, TradingDay};

/// Rows in one part: about 10 ms of the writer's time.
const ROWS_PER_PART: usize = 2_000;

/// One part of storing a day's master. Give each as a job of its own and the next only after the answer.
#[derive(Debug, Clone)]
pub enum InstrumentsWrite {
    /// Drops what is stored of this day; until the end the day does not count as stored.
    Begin {
        /// The day.
        day: TradingDay,
    },
    /// Some rows.
    Rows {
        /// The day.
        day: TradingDay,
        /// The rows.
        rows: Vec<Instrument>,
    },
    /// Declares the day stored, and drops every other day: ids are reused, only the newest master may be read.
    End {
        /// The day.
        day: TradingDay,
        /// How many rows there must be now; a different number is refused.
        instruments: usize,
        /// The file or URL they came from.
        source: Arc<str>,
        /// When they were loaded.
        loaded_at: Timestamp,
    },
}

/// The parts that store a whole table, in order.
pub fn instrument_parts(
    table: &InstrumentTable,
    day: TradingDay,
    source: Arc<str>,
    loaded_at: Timestamp,
) -> impl Iterator<Item = InstrumentsWrite> {
    let mut rows = table.iter();
    let middle = std::iter::from_fn(move || {
        let part: Vec<_> = rows.by_ref().take(ROWS_PER_PART).collect();
        (!part.is_empty()).then_some(InstrumentsWrite::Rows { day, rows: part })
    });
    let end = InstrumentsWrite::End { day, instruments: table.len(), source, loaded_at };
    std::iter::once(InstrumentsWrite::Begin { day }).chain(middle).chain(std::iter::once(end))
}
