//! `tandem status`: what the database knows, of a running daemon or one that is stopped. Takes no lock, writes nothing.

mod delays;
mod json;
mod tables;

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

use anyhow::Context;
use tandem_actors::store::{
    AccountOrder, DayCounts, FundsSnapshot, GapRow, HealthRow, IncidentRow, MirrorKey, OutcomeCount, Reader,
    ReaderError, SlippageSum,
};
use tandem_domain::ids::FollowerId;
use tandem_domain::time::{Timestamp, TradingDay};
use tandem_domain::trading::Trading;

use self::delays::FollowerDelays;
use super::ExitStatus;
use super::place::Place;
use crate::control::rows;

pub(super) fn status(place: Place, as_json: bool) -> anyhow::Result<ExitStatus> {
    let reader = match place.open()? {
        Ok(reader) => reader,
        Err(status) => return Ok(status),
    };
    let picture = Picture::read(&reader).context("read the database")?;

    let mut out = std::io::stdout().lock();
    if as_json {
        writeln!(out, "{:#}", json::of(&picture))?;
    } else {
        write!(out, "{}", tables::of(&picture, out.is_terminal()))?;
    }
    Ok(ExitStatus::Ok)
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
    delays: Vec<FollowerDelays>,
    slippage: Vec<SlippageSum>,
    gaps: Vec<(GapRow, Timestamp)>,
    detached: Vec<(MirrorKey, Timestamp)>,
    /// Every follower that is or was.
    trading: BTreeMap<FollowerId, Trading>,
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
            delays: Vec::new(),
            slippage: Vec::new(),
            gaps: Vec::new(),
            detached: Vec::new(),
            trading: rows::followers(reader)?,
            health: reader.health()?,
            incidents: reader.open_incidents()?,
        };
        if let Some(day) = day {
            picture.counts = reader.day_counts(day)?;
            picture.outcomes = reader.outcomes(day)?;
            picture.active = reader.active_orders(day)?;
            picture.latency = Latency::of(&reader.added_latencies_us(day)?);
            picture.delays = delays::by_follower(&reader.delays(day)?);
            picture.slippage = reader.slippage(day)?;
            picture.gaps = reader.open_gaps(day)?;
            picture.detached = reader.detached(day)?;
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

#[cfg(test)]
mod tests {
    use tandem_domain::trading::{Control, HaltCause};

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
        let control = Control::SquareOff(HaltCause::DailyLoss);
        let halted = Trading::ACTIVE.after(control, Timestamp::EPOCH);
        let picture = Picture {
            day: None,
            counts: DayCounts::default(),
            funds: Vec::new(),
            outcomes: Vec::new(),
            active: Vec::new(),
            latency: Latency::of(&[1, 2, 3]),
            delays: Vec::new(),
            slippage: Vec::new(),
            gaps: Vec::new(),
            detached: Vec::new(),
            trading: BTreeMap::from([(FollowerId::new("somebody-with-a-rather-long-name").unwrap(), halted)]),
            health: vec![health],
            incidents: Vec::new(),
        };
        for framed in [true, false] {
            let text = tables::of(&picture, framed);
            assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
            assert_eq!(text.contains('│'), framed);
        }
    }
}
