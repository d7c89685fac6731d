//! Incidents: what a person should know of, from the day it was told first until it is so no more or he has looked.
//!
//! An id is that day, `/`, and what it is about: what is still so on a later day is the same incident, and whatever closes
//! it closes it by what it is about.

use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use serde_json::json;
use tandem_domain::ids::FollowerId;
use tandem_domain::time::Timestamp;

use super::ApplyError;
use crate::alerts::Said;
use crate::incident_kinds::{Ending, ending, that_end};
use crate::store::audit;
use crate::store::error::StoreError;
use crate::store::rows::{AuditEntry, IncidentRow, IncidentSettled};

// One that is open stays as it was told first, on that day or an earlier one; one that was closed is opened anew. But what
// has happened (?8 is false) and was told in the same words, a new life tells again: who has looked at it has looked.
const OPEN: &str = "
INSERT INTO incidents (id, opened_at, kind, follower_id, segment, security_id, text)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE NOT EXISTS (
    SELECT 1 FROM incidents
    WHERE closed_at IS NULL AND id <> ?1 AND substr(id, instr(id, '/') + 1) = substr(?1, instr(?1, '/') + 1))
ON CONFLICT (id) DO UPDATE SET opened_at = excluded.opened_at, text = excluded.text, closed_at = NULL
WHERE closed_at IS NOT NULL AND (?8 OR text <> excluded.text)";

// Whether it stands open, whoever opened it.
const IS_OPEN: &str = "
SELECT EXISTS (SELECT 1 FROM incidents
    WHERE closed_at IS NULL AND substr(id, instr(id, '/') + 1) = substr(?1, instr(?1, '/') + 1))";

const CLOSE: &str = "
UPDATE incidents SET closed_at = MAX(?2, opened_at)
WHERE closed_at IS NULL AND substr(id, instr(id, '/') + 1) = substr(?1, instr(?1, '/') + 1)
RETURNING id, kind, follower_id, NULL";

const CLOSE_KIND: &str = "
UPDATE incidents SET closed_at = MAX(?2, opened_at) WHERE closed_at IS NULL AND kind = ?1
RETURNING id, kind, follower_id, NULL";

const CLOSE_OF: &str = "
UPDATE incidents SET closed_at = MAX(?3, opened_at) WHERE closed_at IS NULL AND kind = ?1 AND follower_id = ?2
RETURNING id, kind, follower_id, NULL";

// What came after the last word of the process before: its log may not have it, for it may have died between the two, or
// nobody ran.
const UNSAID: &str = "
SELECT id, kind, follower_id, iif(closed_at IS NULL, text, NULL) FROM incidents
WHERE COALESCE(closed_at, opened_at) > 
    COALESCE((SELECT reported_at FROM health WHERE actor = 'supervisor'), 0)
ORDER BY COALESCE(closed_at, opened_at)";

// Whether rows and account differ on a day: what was carried into the next is counted anew.
const DRIFTS: &str = "
SELECT EXISTS (SELECT 1 FROM drifts WHERE follower_id = ?1 AND units <> 0
    AND ?2 LIKE '%/' || segment || ':' || security_id AND trading_day = ?3)";

/// Opens it. It is said in the log whenever it stands open after that: not of what somebody has looked at.
pub(super) fn open(
    connection: &Connection,
    incident: &IncidentRow,
    said: &mut Vec<Said>,
) -> rusqlite::Result<()> {
    let opened = connection.prepare_cached(OPEN)?.execute(params![
        incident.id,
        incident.opened_at.micros(),
        incident.kind,
        incident.follower.as_ref().map(FollowerId::as_str),
        incident.instrument.map(|instrument| instrument.segment.as_str()),
        incident.instrument.map(|instrument| instrument.security_id.0),
        incident.text,
        ending(&incident.kind) != Ending::ByOperator,
    ])?;
    let mut is_open = connection.prepare_cached(IS_OPEN)?;
    if opened > 0 || is_open.query_row([&incident.id], |row| row.get(0))? {
        said.push(Said::opened(incident));
    }
    Ok(())
}

/// Closes what is about the same, if it is open.
pub(super) fn close(
    connection: &Connection,
    id: &str,
    closed_at: Timestamp,
    said: &mut Vec<Said>,
) -> rusqlite::Result<()> {
    say(connection, CLOSE, params![id, closed_at.micros()], said)
}

/// Closes what whoever lives from now on tells anew if it is still so.
pub(super) fn close_of_before(
    connection: &Connection,
    closed_at: Timestamp,
    said: &mut Vec<Said>,
) -> rusqlite::Result<()> {
    say(connection, UNSAID, [], said)?;
    for kind in that_end(Ending::ByItself) {
        say(connection, CLOSE_KIND, params![kind, closed_at.micros()], said)?;
    }
    Ok(())
}

/// Does it, and keeps what the log is to say of each row.
fn say(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    said: &mut Vec<Said>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(values, |row| {
        Ok(Said { id: row.get(0)?, kind: row.get(1)?, follower: row.get(2)?, text: row.get(3)? })
    })?;
    for row in rows {
        said.push(row?);
    }
    Ok(())
}

/// A follower was resumed: what says that he is stopped is over.
pub(in crate::store) fn close_resumed(
    connection: &Connection,
    follower: &FollowerId,
    closed_at: Timestamp,
    said: &mut Vec<Said>,
) -> rusqlite::Result<()> {
    for kind in that_end(Ending::ByResume) {
        say(connection, CLOSE_OF, params![kind, follower.as_str(), closed_at.micros()], said)?;
    }
    Ok(())
}

/// An operator has resumed a follower of whom no daemon knows: what an earlier day left unproven counts as the owner's own
/// from the next start on, as it does when a daemon is told.
pub(in crate::store) fn close_doubts(
    connection: &Connection,
    follower: &FollowerId,
    closed_at: Timestamp,
    said: &mut Vec<Said>,
) -> rusqlite::Result<()> {
    let values = params!["unresolved_yesterday", follower.as_str(), closed_at.micros()];
    say(connection, CLOSE_OF, values, said)
}

/// An operator has dealt with it.
pub(in crate::store) fn settle(
    connection: &Connection,
    row: &IncidentSettled,
    said: &mut Vec<Said>,
) -> Result<(), ApplyError> {
    let sql = "SELECT kind, follower_id, opened_at, closed_at IS NOT NULL FROM incidents WHERE id = ?1";
    let found = connection.prepare_cached(sql)?.query_row([&row.id], found).optional()?;
    let Some(Found { kind, follower, opened_at, is_closed }) = found else {
        return Err(ApplyError::Refused(StoreError::NoIncident(row.id.clone())));
    };
    if is_closed {
        return Ok(());
    }
    // The daemon may live by another clock than who closes it in its stead.
    let at = row.at.max(opened_at);
    let follower = follower.unwrap_or_default();
    if let Some(remedy) = still_so(connection, &row.id, &kind, &follower, at)? {
        return Err(ApplyError::Refused(StoreError::StillSo { id: row.id.clone(), remedy }));
    }
    close(connection, &row.id, at, said)?;
    let entry = AuditEntry {
        recorded_at: at,
        actor: row.actor.clone(),
        event: "incident_closed".into(),
        subject: Some(row.id.clone()),
        details: json!({ "note": row.note }).to_string(),
    };
    Ok(audit::append(connection, &entry)?)
}

/// What is looked at before one is closed by a word.
struct Found {
    kind: String,
    follower: Option<String>,
    opened_at: Timestamp,
    is_closed: bool,
}

fn found(row: &Row<'_>) -> rusqlite::Result<Found> {
    let opened_at = Timestamp::from_micros(row.get(2)?);
    Ok(Found { kind: row.get(0)?, follower: row.get(1)?, opened_at, is_closed: row.get(3)? })
}

/// What ends it, where the rows say that it is still so: a word does not (P11, P17).
fn still_so(
    connection: &Connection,
    id: &str,
    kind: &str,
    follower: &str,
    at: Timestamp,
) -> rusqlite::Result<Option<&'static str>> {
    let is_so: bool = match kind {
        "ledger_drift" => {
            let of = params![follower, id, at.trading_day().to_string()];
            connection.prepare_cached(DRIFTS)?.query_row(of, |row| row.get(0))?
        }
        "trading_stopped" | "squared_off" => {
            let sql =
                "SELECT EXISTS (SELECT 1 FROM trading_states WHERE follower_id = ?1 AND state <> 'active')";
            connection.prepare_cached(sql)?.query_row([follower], |row| row.get(0))?
        }
        _ => false,
    };
    Ok(is_so.then_some(match kind {
        "ledger_drift" => {
            "rows and account still differ; it ends by itself once a read of the positions agrees"
        }
        _ => "the follower is still stopped; `tandem resume` ends it",
    }))
}
