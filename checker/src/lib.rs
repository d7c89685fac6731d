//! An independent judge of Tandem's promises (P1 to P29).
//!
//! It reads the history that Tandem wrote (the SQLite database; `schema.sql` is the contract) and, where there is one,
//! the broker's own book, and says of each promise whether it was kept, broken, or cannot be judged from these two. It
//! shares no code with the programs it judges, so that it does not share their faults either.
//!
//! - [`verify`] is the whole of it; [`Report`] what it finds. [`schema_version`] says whether it may be asked.
//! - [`Book`] reads the broker's answers: the simulator's dump, or raw answers of `GET /orders`, `/trades` and
//!   `/positions`.
//! - `history` reads the rows, `case` lays them beside each other, `checks` has a function for each promise.
//!
//! It writes nothing, and works beside a running daemon: what is younger than a minute by the history's own clock
//! counts as under way wherever a promise speaks of how things end.

mod book;
mod case;
mod checks;
mod history;
mod ledger;
mod open;
mod report;
mod when;

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use thiserror::Error;

pub use book::{Book, BookError};
pub use report::{Finding, Judgement, Report, Verdict};

use self::case::Case;
use self::history::History;

/// Why nothing could be judged.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The database cannot be opened.
    #[error("open the database {path}")]
    Open {
        /// Which.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The database cannot be read, or is none of Tandem's.
    #[error("read the database; is it one of this version of Tandem?")]
    Read(#[from] rusqlite::Error),
    /// The day is no date.
    #[error("{0:?} is no day: YYYY-MM-DD")]
    Day(String),
}

/// Judges a database, and the broker's book of a day with it.
///
/// `day` (`YYYY-MM-DD`, the exchange's date in India) leaves every other day's rows out; without it all days are
/// judged. Reads one consistent state of the database and changes nothing.
pub fn verify(database: &Path, book: Option<&Book>, day: Option<&str>) -> Result<Report, VerifyError> {
    if let Some(day) = day
        && !when::is_day(day)
    {
        return Err(VerifyError::Day(day.to_owned()));
    }
    let mut connection = opened(database)?;
    let history = History::read(&mut connection, day)?;
    let book = book.map(|book| day.map_or_else(|| book.clone(), |day| book.of_day(day)));
    let verdicts = checks::judge(&Case::new(&history, book.as_ref()));
    Ok(Report { days: history.days(), read_until: history.moment, with_book: book.is_some(), verdicts })
}

/// Which version of the schema a database has: what its columns mean is known only of the version one was built for.
pub fn schema_version(database: &Path) -> Result<usize, VerifyError> {
    Ok(opened(database)?.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

fn opened(database: &Path) -> Result<Connection, VerifyError> {
    open::read_only(database).map_err(|source| VerifyError::Open { path: database.to_owned(), source })
}
