//! The recorded day: where it comes from, and what is known of it.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail};
use tandem_actors::store::{FundsSnapshot, RecordedState};
use tandem_dhan::instruments::load_complete;
use tandem_domain::follower::Opening;
use tandem_domain::ids::{BrokerOrderId, DhanClientId, FollowerId};
use tandem_domain::instrument::{InstrumentKey, InstrumentTable};
use tandem_domain::price::Money;
use tandem_domain::time::TradingDay;

use super::capital::Given;
use super::leading::LegFills;
use super::{Request, recorded, table};
use crate::settings::{InstrumentSource, Settings};

/// How a database begins (sqlite.org/fileformat.html).
const SQLITE_MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// A leader's day, in the order in which it became known.
#[derive(Debug)]
pub struct LeaderDay {
    pub(super) day: TradingDay,
    pub(super) source: String,
    pub(super) states: Vec<RecordedState>,
    /// How the exit legs of his super orders filled.
    pub(super) legs: HashMap<BrokerOrderId, LegFills>,
    pub(super) instruments: InstrumentTable,
    /// Whether the last prices of the states are those of their own moments.
    pub(super) tells_prices: bool,
    /// What was held when that day's copying began.
    pub(super) openings: BTreeMap<FollowerId, Vec<Opening>>,
    /// The funds that accounts began the day with, and the capital its ratios were taken of.
    pub(super) funds: Vec<FundsSnapshot>,
    pub(super) day_capital: HashMap<DhanClientId, Money>,
    /// Capital that the table itself tells.
    pub(super) told: Given,
}

impl LeaderDay {
    /// What the leader held before the day.
    pub(super) fn leader_openings(&self) -> impl Iterator<Item = (InstrumentKey, i64)> {
        let mut units: BTreeMap<InstrumentKey, i64> = BTreeMap::new();
        for opening in self.openings.values().flatten().filter(|opening| opening.leader != 0) {
            units.entry(opening.instrument).or_insert(opening.leader);
        }
        units.into_iter()
    }

    /// What a follower held before the day, beside what the leader did.
    pub(super) fn openings_of(&self, follower: &FollowerId) -> Vec<Opening> {
        let mut of: BTreeMap<InstrumentKey, Opening> = self
            .leader_openings()
            .map(|(instrument, leader)| (instrument, Opening { instrument, leader, copied: 0, own: 0 }))
            .collect();
        of.extend(self.openings.get(follower).into_iter().flatten().map(|own| (own.instrument, *own)));
        of.into_values().collect()
    }
}

/// Reads a day from a database or from a table.
pub(super) fn read(request: &Request, settings: &Settings) -> anyhow::Result<LeaderDay> {
    let path = &request.leader_day;
    let is_database = begins_as_database(path).with_context(|| format!("read {}", path.display()))?;
    let day = if is_database {
        recorded::read(request, settings)?
    } else {
        if request.day.is_some() {
            bail!("--day is for databases: the table {} has one day", path.display());
        }
        let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        let read = table::read(&text, &settings.leader.client_id);
        let table = read.map_err(|fault| anyhow::anyhow!("{}: {fault}", path.display()))?;
        LeaderDay {
            instruments: instruments(request, settings, table.day, None)?,
            day: table.day,
            source: path.display().to_string(),
            states: table.states,
            legs: HashMap::new(),
            tells_prices: true,
            openings: BTreeMap::new(),
            funds: Vec::new(),
            day_capital: HashMap::new(),
            told: table.told,
        }
    };
    Ok(day)
}

fn begins_as_database(path: &Path) -> std::io::Result<bool> {
    let mut head = Vec::new();
    File::open(path)?.take(SQLITE_MAGIC.len() as u64).read_to_end(&mut head)?;
    Ok(head == SQLITE_MAGIC)
}

/// The instruments of a day: of the file given, of the database, of the file in the settings. Never from the network, which
/// has only today's.
pub(super) fn instruments(
    request: &Request,
    settings: &Settings,
    day: TradingDay,
    stored: Option<(TradingDay, InstrumentTable)>,
) -> anyhow::Result<InstrumentTable> {
    if let Some(path) = &request.instruments {
        return load(path, 1);
    }
    let stored_day = stored.as_ref().map(|(stored_day, _)| *stored_day);
    if let Some((_, table)) = stored.filter(|(stored_day, _)| *stored_day == day) {
        return Ok(table);
    }
    if let InstrumentSource::File(path) = settings.broker.instruments() {
        return load(&path, settings.instrument_rows_min());
    }
    let why = stored_day.map_or_else(String::new, |stored| {
        format!(" (the database keeps those of its newest day only, {stored})")
    });
    bail!(
        "the instruments of {day} are not known{why}; name the broker's instrument master of that day with --instruments \
         FILE, or as broker.instruments_file in the settings"
    )
}

fn load(path: &Path, rows_min: usize) -> anyhow::Result<InstrumentTable> {
    let file = File::open(path).with_context(|| format!("open the instruments {}", path.display()))?;
    let loaded = load_complete(BufReader::new(file), rows_min);
    Ok(loaded.with_context(|| format!("read the instruments {}", path.display()))?.table)
}
