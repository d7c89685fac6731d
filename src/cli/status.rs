//! `tandem status`: what the database knows, of a running daemon or one that is stopped. Takes no lock, writes nothing.

mod json;
mod tables;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use tandem_actors::store::{
    AccountOrder, DayCounts, FundsSnapshot, HealthRow, IncidentRow, OutcomeCount, Reader, ReaderError,
};
use tandem_domain::ids::DhanClientId;
use tandem_domain::time::TradingDay;

use super::{ExitStatus, say_error};
use crate::settings::Sources;

/// Where the database is named.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub(super) struct Place {
    /// Settings file that names the database; the built-in default otherwise.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database itself.
    #[arg(long, value_name = "PATH")]
    database: Option<PathBuf>,
}

pub(super) fn status(place: Place, as_json: bool) -> anyhow::Result<ExitStatus> {
    let path = match place.database {
        Some(path) => path,
        None => match configured_path(place.config.as_deref()) {
            Ok(path) => path,
            Err(status) => return Ok(status),
        },
    };
    anyhow::ensure!(path.is_file(), "there is no database {}; nothing has run yet", path.display());
    let reader = Reader::open(&path, 1, Duration::from_secs(5))
        .with_context(|| format!("open the database {}", path.display()))?;
    let picture = Picture::read(&reader).context("read the database")?;

    let mut out = std::io::stdout().lock();
    if as_json {
        writeln!(out, "{:#}", json::of(&picture))?;
    } else {
        write!(out, "{}", tables::of(&picture, out.is_terminal()))?;
    }
    Ok(ExitStatus::Ok)
}

fn configured_path(config: Option<&Path>) -> Result<PathBuf, ExitStatus> {
    let mut sources = Sources::new().process_environment();
    if let Some(path) = config {
        sources = sources.file(path);
    }
    sources.load_store().map(|found| found.store.path).map_err(|faults| {
        say_error(&faults.to_string());
        ExitStatus::BadSettings
    })
}

/// Everything that is shown, read once.
struct Picture {
    /// The newest day anything is known of.
    day: Option<TradingDay>,
    counts: DayCounts,
    funds: Vec<FundsSnapshot>,
    outcomes: Vec<OutcomeCount>,
    active: Vec<AccountOrder>,
    latency: Option<Latency>,
    health: Vec<HealthRow>,
    incidents: Vec<IncidentRow>,
}

/// Frame received to request written, in microseconds.
struct Latency {
    requests: usize,
    p50: u64,
    p99: u64,
    max: u64,
}

impl Picture {
    fn read(reader: &Reader) -> Result<Self, ReaderError> {
        let day = reader.newest_trading_day()?;
        let mut picture = Self {
            day,
            counts: DayCounts::default(),
            funds: reader.latest_funds()?,
            outcomes: Vec::new(),
            active: Vec::new(),
            latency: None,
            health: reader.health()?,
            incidents: reader.open_incidents()?,
        };
        if let Some(day) = day {
            picture.counts = reader.day_counts(day)?;
            picture.outcomes = reader.outcomes(day)?;
            picture.active = reader.active_orders(day)?;
            picture.latency = Latency::of(&reader.added_latencies_us(day)?);
        }
        Ok(picture)
    }
}

impl Latency {
    /// Of ascending values; none of none.
    fn of(ascending: &[u64]) -> Option<Self> {
        let at = |per_cent: usize| {
            let rank = (ascending.len() * per_cent).div_ceil(100);
            ascending.get(rank.saturating_sub(1)).copied()
        };
        Some(Self { requests: ascending.len(), p50: at(50)?, p99: at(99)?, max: *ascending.last()? })
    }
}

/// An account as it may be shown: whoever knows it recognises it, nobody else learns it.
fn masked(account: &DhanClientId) -> String {
    let text = account.as_str();
    let tail: String = text.chars().skip(text.chars().count().saturating_sub(4)).collect();
    format!("..{tail}")
}

#[cfg(test)]
mod tests {
    use tandem_domain::time::Timestamp;

    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        assert!(Latency::of(&[]).is_none());
        let one = Latency::of(&[7]).unwrap();
        assert_eq!((one.p50, one.p99, one.max), (7, 7, 7));
        let hundred: Vec<u64> = (1..=100).collect();
        let hundred = Latency::of(&hundred).unwrap();
        assert_eq!((hundred.requests, hundred.p50, hundred.p99, hundred.max), (100, 50, 99, 100));
    }

    #[test]
    fn tables_stay_within_a_hundred_columns_whatever_they_hold() {
        let long = "the broker did not answer within its deadline, and again, ".repeat(8);
        let snapshot = serde_json::json!({ "state": "degraded", "handled": 12, "last_error": long });
        let health = HealthRow {
            actor: "follower/somebody-with-a-rather-long-name".into(),
            generation: 3,
            reported_at: Timestamp::EPOCH,
            snapshot: snapshot.to_string(),
        };
        let picture = Picture {
            day: None,
            counts: DayCounts::default(),
            funds: Vec::new(),
            outcomes: Vec::new(),
            active: Vec::new(),
            latency: Latency::of(&[1, 2, 3]),
            health: vec![health],
            incidents: Vec::new(),
        };
        for framed in [true, false] {
            let text = tables::of(&picture, framed);
            assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
            assert_eq!(text.contains('│'), framed);
        }
    }

    #[test]
    fn an_account_shows_its_last_digits_only() {
        assert_eq!(masked(&DhanClientId::new("1000000202").unwrap()), "..0202");
        assert_eq!(masked(&DhanClientId::new("77").unwrap()), "..77");
    }
}
