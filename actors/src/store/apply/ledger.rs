//! What was held when a day's copying began.

use rusqlite::{Connection, params};

use crate::store::rows::OpeningRow;

// The newest word counts: the follower's book says which figures stand, and which one tells in the night is told anew. What
// the instrument is called and when it ends is kept beside it: the master of tomorrow knows an instrument that has ended no
// more, or another one by its id.
const INSERT: &str = "
INSERT INTO ledger_openings (follower_id, trading_day, segment, security_id, leader_units, copied_units, own_units,
    recorded_at, symbol, expiry)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, i.symbol, i.expiry
FROM (SELECT MAX(day) AS day FROM instrument_days) AS newest
LEFT JOIN instruments AS i ON i.day = newest.day AND i.segment = ?3 AND i.security_id = ?4
WHERE TRUE
ON CONFLICT (follower_id, trading_day, segment, security_id) DO UPDATE SET
    leader_units = excluded.leader_units,
    copied_units = excluded.copied_units,
    own_units = excluded.own_units,
    recorded_at = excluded.recorded_at";

pub(super) fn open(connection: &Connection, row: &OpeningRow) -> rusqlite::Result<()> {
    let opening = &row.opening;
    connection.prepare_cached(INSERT)?.execute(params![
        row.follower.as_str(),
        row.trading_day.to_string(),
        opening.instrument.segment.as_str(),
        opening.instrument.security_id.0,
        opening.leader,
        opening.copied,
        opening.own,
        row.recorded_at.micros(),
    ])?;
    Ok(())
}
