//! Trading states: what stands now, and an entry of the audit log for each change.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;
use tandem_domain::ids::FollowerId;
use tandem_domain::time::Timestamp;
use tandem_domain::trading::{HaltCause, Trading, TradingState};

use super::incidents::close_resumed;
use crate::alerts::Said;
use crate::store::audit;
use crate::store::reader::{TRADING_COLUMNS, trading};
use crate::store::rows::{AuditEntry, TradingRow};

const UPSERT: &str = "
INSERT INTO trading_states (follower_id, state, cause, since, resumed_at, is_squaring_off, stopped_at, updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (follower_id) DO UPDATE SET state = excluded.state, cause = excluded.cause, since = excluded.since,
    resumed_at = excluded.resumed_at, is_squaring_off = excluded.is_squaring_off, stopped_at = excluded.stopped_at,
    updated_at = excluded.updated_at";

/// What stands; that of a follower that nobody ever stopped, if nothing does.
pub(in crate::store) fn stands(connection: &Connection, follower: &FollowerId) -> rusqlite::Result<Trading> {
    let sql = format!("SELECT {TRADING_COLUMNS} FROM trading_states WHERE follower_id = ?1");
    let row = connection.prepare_cached(&sql)?.query_row([follower.as_str()], trading).optional()?;
    Ok(row.unwrap_or(Trading::ACTIVE))
}

/// Stores a state and its entry of the audit log. Neither if it stands already, or if more than it forbids does: whoever
/// wrote it had not heard of that (P17).
pub(in crate::store) fn change(
    connection: &Connection,
    row: &TradingRow,
    said: &mut Vec<Said>,
) -> rusqlite::Result<()> {
    let old = stands(connection, &row.follower)?;
    let new = old.joined(row.trading);
    if old == new {
        return Ok(());
    }
    connection.prepare_cached(UPSERT)?.execute(params![
        row.follower.as_str(),
        new.state.as_str(),
        new.cause.map(HaltCause::as_str),
        new.since.micros(),
        new.resumed_at.map(Timestamp::micros),
        new.is_squaring_off,
        new.stopped_at.map(Timestamp::micros),
        row.at.micros(),
    ])?;
    if new.state == TradingState::Active {
        close_resumed(connection, &row.follower, row.at, said)?;
    }
    let event = event(old, new);
    let entry = AuditEntry {
        recorded_at: row.at,
        actor: if event == SQUARED_OFF {
            format!("follower/{}", row.follower).into()
        } else {
            row.actor.clone()
        },
        event: event.into(),
        subject: Some(row.follower.as_str().into()),
        details: json!({ "old": old, "new": new }).to_string(),
    };
    audit::append(connection, &entry)
}

const SQUARED_OFF: &str = "squared_off";

/// What happened, in one word.
fn event(old: Trading, new: Trading) -> &'static str {
    match (old.is_squaring_off, new.is_squaring_off, new.state) {
        (_, _, TradingState::Active) => "resume",
        (_, true, _) => "square_off",
        (true, false, _) => SQUARED_OFF,
        (_, _, TradingState::Reducing) => "reduce",
        (_, _, TradingState::Halted) => "halt",
    }
}
