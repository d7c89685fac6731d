//! Trading states (P17).

use rusqlite::Row;
use tandem_domain::ids::FollowerId;
use tandem_domain::trading::Trading;

use super::Reader;
use super::columns::{follower, time, time_or_none, word, word_or_none};
use crate::store::error::ReaderError;

/// Columns of `trading_states`, as [`trading`] wants them.
pub(in crate::store) const TRADING_COLUMNS: &str =
    "state, cause, since, resumed_at, is_squaring_off, stopped_at";

impl Reader {
    /// A follower's trading state; none if nobody ever stopped him.
    pub fn trading(&self, of: &FollowerId) -> Result<Option<Trading>, ReaderError> {
        let sql = format!("SELECT {TRADING_COLUMNS} FROM trading_states WHERE follower_id = ?1");
        Ok(self.rows(&sql, [of.as_str()], trading)?.into_iter().next())
    }

    /// The trading state of each follower who was ever stopped, by name.
    pub fn trading_states(&self) -> Result<Vec<(FollowerId, Trading)>, ReaderError> {
        let sql = format!("SELECT follower_id, {TRADING_COLUMNS} FROM trading_states ORDER BY follower_id");
        self.rows(&sql, [], |row| Ok((follower(row, "follower_id")?, trading(row)?)))
    }
}

pub(in crate::store) fn trading(row: &Row<'_>) -> rusqlite::Result<Trading> {
    Ok(Trading {
        state: word(row, "state")?,
        cause: word_or_none(row, "cause")?,
        since: time(row, "since")?,
        resumed_at: time_or_none(row, "resumed_at")?,
        is_squaring_off: row.get("is_squaring_off")?,
        stopped_at: time_or_none(row, "stopped_at")?,
    })
}
