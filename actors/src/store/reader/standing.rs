//! What of an account stands until something else is seen: where rows and account differ, what was converted.

use rusqlite::{Connection, Row, params};
use tandem_domain::follower::{Conversion, Converted};
use tandem_domain::ids::FollowerId;
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::time::TradingDay;

use super::Reader;
use super::columns::{instrument, time, word, word_or_none};
use crate::store::error::ReaderError;

const CONVERSIONS: &str = "
SELECT segment, security_id, seen_at, leader_from, leader_to, leader_units, copied_from, copied_to, copied_units
FROM conversions WHERE follower_id = ?1 AND trading_day = ?2 ORDER BY seen_at, segment, security_id";

impl Reader {
    /// By how many units rows and account differ in each instrument in which they do.
    pub fn drifts(
        &self,
        of: TradingDay,
        follower: &FollowerId,
    ) -> Result<Vec<(InstrumentKey, i64)>, ReaderError> {
        let sql = "SELECT segment, security_id, units FROM drifts
             WHERE follower_id = ?1 AND trading_day = ?2 AND units <> 0 ORDER BY segment, security_id";
        self.rows(sql, params![follower.as_str(), of.to_string()], |row| {
            Ok((instrument(row)?, row.get("units")?))
        })
    }

    /// What the leader converted on a day, and what of it was copied for this follower, oldest first.
    pub fn conversions(&self, of: TradingDay, follower: &FollowerId) -> Result<Vec<Converted>, ReaderError> {
        self.rows(CONVERSIONS, params![follower.as_str(), of.to_string()], converted)
    }
}

/// What was converted for the follower, as the record has it.
pub(super) fn copied_conversions(
    connection: &Connection,
    follower: &FollowerId,
    of: TradingDay,
) -> rusqlite::Result<Vec<Conversion>> {
    let mut statement = connection.prepare_cached(CONVERSIONS)?;
    let all = statement.query_map(params![follower.as_str(), of.to_string()], converted)?;
    let all = all.collect::<rusqlite::Result<Vec<Converted>>>()?;
    Ok(all.into_iter().filter_map(|converted| converted.copy).collect())
}

fn converted(row: &Row<'_>) -> rusqlite::Result<Converted> {
    let instrument = instrument(row)?;
    let leader = Conversion {
        instrument,
        from: word(row, "leader_from")?,
        to: word(row, "leader_to")?,
        units: row.get("leader_units")?,
    };
    let copied =
        (word_or_none(row, "copied_from")?, word_or_none(row, "copied_to")?, row.get("copied_units")?);
    let copy = match copied {
        (Some(from), Some(to), Some(units)) => Some(Conversion { instrument, from, to, units }),
        _ => None,
    };
    Ok(Converted { leader, copy, at: time(row, "seen_at")? })
}
