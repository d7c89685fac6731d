//! `tandem preview`: a recorded day of the leader's through the present settings, without a broker. Reads only.

mod json;
mod tables;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use tandem_domain::price::Money;
use tandem_domain::time::TradingDay;

use super::{ExitStatus, say_error};
use crate::preview::{Given, GivenError, Request, run};
use crate::settings::{Purpose, Sources, load_calendar};

/// What is run, and how it is shown.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The recorded day: a database of Tandem's (a running one, too), or a table of order states (docs/preview.md).
    #[arg(long, value_name = "FILE_OR_DB")]
    leader_day: PathBuf,
    /// Settings file: the present settings, through which the day is run.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which day of a database, as 2026-12-01; the newest with leader orders otherwise.
    #[arg(long, value_name = "DAY")]
    day: Option<TradingDay>,
    /// The broker's instrument master of that day, where the database does not hold it.
    #[arg(long, value_name = "FILE")]
    instruments: Option<PathBuf>,
    /// The leader's capital in rupees, instead of what is recorded.
    #[arg(long, value_name = "RUPEES", value_parser = Given::amount)]
    leader_capital: Option<Money>,
    /// A follower's capital in rupees, instead of what is recorded; may be given for each.
    #[arg(long, value_name = "FOLLOWER=RUPEES", value_parser = of_follower)]
    capital: Vec<(String, Money)>,
    /// List every leader order with what became of it at each follower.
    #[arg(long)]
    orders: bool,
    /// One JSON object instead of tables, orders included.
    #[arg(long)]
    json: bool,
}

fn of_follower(text: &str) -> Result<(String, Money), GivenError> {
    Given::of_follower(text)
}

pub(super) fn preview(options: Options) -> anyhow::Result<ExitStatus> {
    let mut sources = Sources::new().process_environment();
    if let Some(path) = &options.config {
        sources = sources.file(path);
    }
    let loaded = sources.load(Purpose::Check).and_then(|settings| {
        let calendar = load_calendar(settings.session.calendar_file.as_deref())?;
        Ok((settings, Arc::new(calendar)))
    });
    let (settings, calendar) = match loaded {
        Ok(loaded) => loaded,
        Err(faults) => {
            say_error(&faults.to_string());
            return Ok(ExitStatus::BadSettings);
        }
    };
    let request = Request {
        leader_day: options.leader_day,
        day: options.day,
        instruments: options.instruments,
        given: Given { leader: options.leader_capital, followers: options.capital.into_iter().collect() },
    };
    let preview = run(&request, &settings, calendar)?;
    let mut out = std::io::stdout().lock();
    if options.json {
        writeln!(out, "{:#}", json::of(&preview))?;
    } else {
        write!(out, "{}", tables::of(&preview, options.orders, out.is_terminal()))?;
    }
    Ok(ExitStatus::Ok)
}
