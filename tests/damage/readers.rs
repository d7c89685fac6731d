//! Everything that reads what others wrote, as one function of bytes each, but for the settings (`settings_reader.rs`). The
//! mutation test calls them on stable, the fuzz targets (`fuzz/`) on nightly.

use std::fmt::Debug;

use tandem_dhan::rest::{Answer, Book, OrderRequestError, ReadError};
use tandem_dhan::wire::decode_frame;
use tandem_dhan::{instruments, parse};
use tandem_domain::time::Timestamp;

/// What came of reading.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Outcome {
    /// What was read, written down.
    pub(crate) read: String,
    /// What could not be read, as the log would say it.
    pub(crate) faults: Vec<String>,
}

/// Reads bytes. It must come back, whatever they are.
pub(crate) type Reader = fn(&[u8]) -> Outcome;

/// A text of the order stream.
pub(crate) fn frame(bytes: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(bytes);
    let frame = decode_frame(&text);
    let blank = text.trim().is_empty() || text.trim().starts_with('[');
    assert!(blank || !frame.items.is_empty() || frame.other_types > 0, "silence for {text}");
    let (mut read, mut faults) = (Vec::new(), Vec::new());
    for item in frame.items {
        match item.and_then(|update| parse::order_update(&update)) {
            Ok(report) => read.push(report),
            Err(fault) => faults.push(fault.to_string()),
        }
    }
    Outcome { read: format!("{read:?}"), faults }
}

fn book<T: Debug>(answer: Result<Book<T>, ReadError>) -> Outcome {
    match answer {
        Ok(Book { rows, unreadable }) => Outcome {
            read: format!("{rows:?}"),
            faults: unreadable.iter().map(ToString::to_string).collect(),
        },
        Err(error) => failed(error),
    }
}

fn record<T: Debug>(answer: Result<T, ReadError>) -> Outcome {
    answer.map_or_else(failed, |record| Outcome { read: format!("{record:?}"), faults: Vec::new() })
}

fn written<T: Debug>(answer: Result<T, OrderRequestError>) -> Outcome {
    answer.map_or_else(failed, |done| Outcome { read: format!("{done:?}"), faults: Vec::new() })
}

fn failed(error: impl ToString) -> Outcome {
    Outcome { read: String::new(), faults: vec![error.to_string()] }
}

fn ok(body: &[u8]) -> Answer {
    Answer::new(200, body.to_vec())
}

/// The order book.
pub(crate) fn orders(body: &[u8]) -> Outcome {
    book(ok(body).orders())
}

/// A lookup by id or tag.
pub(crate) fn looked_up(body: &[u8]) -> Outcome {
    record(ok(body).looked_up())
}

/// The list of super orders.
pub(crate) fn supers(body: &[u8]) -> Outcome {
    book(ok(body).supers())
}

/// The list of forever orders.
pub(crate) fn forevers(body: &[u8]) -> Outcome {
    book(ok(body).forevers())
}

/// The trade book.
pub(crate) fn trades(body: &[u8]) -> Outcome {
    book(ok(body).trades())
}

/// Positions.
pub(crate) fn positions(body: &[u8]) -> Outcome {
    book(ok(body).positions(Timestamp::EPOCH))
}

/// Holdings.
pub(crate) fn holdings(body: &[u8]) -> Outcome {
    book(ok(body).holdings())
}

/// Funds.
pub(crate) fn funds(body: &[u8]) -> Outcome {
    record(ok(body).funds())
}

/// The profile.
pub(crate) fn profile(body: &[u8]) -> Outcome {
    record(ok(body).profile())
}

/// The static IP.
pub(crate) fn ip_status(body: &[u8]) -> Outcome {
    record(ok(body).ip_status())
}

/// The margin calculator.
pub(crate) fn margin(body: &[u8]) -> Outcome {
    record(ok(body).margin())
}

/// Last prices.
pub(crate) fn last_prices(body: &[u8]) -> Outcome {
    record(ok(body).last_prices())
}

/// A placing.
pub(crate) fn placed(body: &[u8]) -> Outcome {
    written(ok(body).placed())
}

/// A change or a cancellation, and a conversion.
pub(crate) fn changed(body: &[u8]) -> Outcome {
    let _ = ok(body).converted();
    written(ok(body).changed())
}

/// A new token.
pub(crate) fn token(body: &[u8]) -> Outcome {
    match ok(body).token() {
        Ok(_) => Outcome { read: "a token".to_owned(), faults: Vec::new() },
        Err(error) => failed(error),
    }
}

/// A refusal, at every status that one came with.
pub(crate) fn refused(body: &[u8]) -> Outcome {
    let mut outcome = Outcome::default();
    for http in [200, 400, 401, 404, 408, 429, 500, 503] {
        let answer = Answer::new(http, body.to_vec());
        let _ = (answer.token(), answer.positions(Timestamp::EPOCH), answer.last_prices());
        let _ = (answer.looked_up(), answer.changed());
        outcome.faults.extend(written(answer.placed()).faults);
    }
    outcome
}

/// The instrument file: read as far as it goes, and held to be whole.
pub(crate) fn instruments_file(bytes: &[u8]) -> Outcome {
    let mut outcome = Outcome::default();
    match instruments::load(bytes) {
        Ok(loaded) => {
            let (rows, over, malformed) = (loaded.rows, loaded.passed_over, loaded.malformed);
            assert!(over + malformed <= rows && loaded.table.len() <= rows - over - malformed);
            outcome.read = format!("{} of {rows} rows, {over} passed over", loaded.table.len());
            if malformed > 0 {
                outcome.faults.push(format!("{malformed} rows"));
            }
        }
        Err(error) => outcome.faults.push(error.to_string()),
    }
    if let Err(error) = instruments::load_complete(bytes, 1) {
        outcome.faults.push(error.to_string());
    }
    outcome
}
