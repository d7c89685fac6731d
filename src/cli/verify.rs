//! `tandem verify`: what Tandem promises (P1 to P29), judged by its database and the broker's book. The judge shares no
//! code with what it judges. Takes no lock, writes nothing.

mod json;
mod tables;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tandem_actors::store::SCHEMA_VERSION;
use tandem_checker::Book;
use tandem_domain::time::TradingDay;

use super::place::Place;
use super::{ExitStatus, say_error};

/// What is judged, and how it is shown.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The trading day, YYYY-MM-DD; otherwise all days of the database.
    #[arg(long, value_name = "DAY")]
    day: Option<TradingDay>,
    /// The broker's book of a day (docs/verify.md): answers of GET /orders, /trades, /positions as they came, or the
    /// simulator's books. May be given several times, for each account and kind of answer.
    #[arg(long, value_name = "FILE")]
    book: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

pub(super) fn verify(options: Options) -> anyhow::Result<ExitStatus> {
    let Options { day, book, place, json } = options;
    let database = match place.locate(None) {
        Ok(located) => located.database,
        Err(status) => return Ok(status),
    };
    if !database.is_file() {
        say_error(&format!("there is no database {}; nothing has run yet", database.display()));
        return Ok(ExitStatus::NoDatabase);
    }
    let book = read_books(&book)?;
    of_this_version(&database)?;
    let day = day.map(|day| day.to_string());
    let report = tandem_checker::verify(&database, book.as_ref(), day.as_deref())?;

    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{:#}", json::of(&report))?;
    } else {
        write!(out, "{}", tables::of(&report, out.is_terminal()))?;
    }
    Ok(if report.is_clean() { ExitStatus::Ok } else { ExitStatus::PromiseBroken })
}

/// Another version's rows may mean something else: they are not judged by guesses.
fn of_this_version(database: &Path) -> anyhow::Result<()> {
    let found = tandem_checker::schema_version(database)?;
    anyhow::ensure!(
        found == SCHEMA_VERSION,
        "the database {} has schema version {found}, this Tandem knows {SCHEMA_VERSION}: judge it with the Tandem that \
         wrote it, or, if that is an older one, after a start of this one",
        database.display()
    );
    Ok(())
}

fn read_books(files: &[PathBuf]) -> anyhow::Result<Option<Book>> {
    let mut book = Book::default();
    for file in files {
        let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
        book.add(&text).with_context(|| file.display().to_string())?;
    }
    Ok((!files.is_empty()).then_some(book))
}
