//! What happened to the program: incidents, health, settings.

use rusqlite::{Connection, params};
use tandem_domain::ids::FollowerId;
use tandem_domain::time::Timestamp;

use crate::store::rows::{ConfigSnapshot, HealthRow, IncidentRow};

// One that is open stays as it was told first; one that was closed is opened anew.
const OPEN_INCIDENT: &str = "
INSERT INTO incidents (id, opened_at, kind, follower_id, segment, security_id, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (id) DO UPDATE SET opened_at = excluded.opened_at, text = excluded.text, closed_at = NULL
WHERE closed_at IS NOT NULL";

const CLOSE_INCIDENT: &str =
    "UPDATE incidents SET closed_at = MAX(?2, opened_at) WHERE id = ?1 AND closed_at IS NULL";

const UPSERT_HEALTH: &str = "
INSERT INTO health (actor, generation, reported_at, snapshot) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (actor) DO UPDATE SET generation = excluded.generation, reported_at = excluded.reported_at,
    snapshot = excluded.snapshot";

const INSERT_CONFIG: &str = "
INSERT INTO config (version, key, value, loaded_at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (version, key) DO UPDATE SET loaded_at = excluded.loaded_at";

pub(super) fn open_incident(connection: &Connection, incident: &IncidentRow) -> rusqlite::Result<()> {
    connection.prepare_cached(OPEN_INCIDENT)?.execute(params![
        incident.id,
        incident.opened_at.micros(),
        incident.kind,
        incident.follower.as_ref().map(FollowerId::as_str),
        incident.instrument.map(|instrument| instrument.segment.as_str()),
        incident.instrument.map(|instrument| instrument.security_id.0),
        incident.text,
    ])?;
    Ok(())
}

pub(super) fn close_incident(
    connection: &Connection,
    id: &str,
    closed_at: Timestamp,
) -> rusqlite::Result<()> {
    connection.prepare_cached(CLOSE_INCIDENT)?.execute(params![id, closed_at.micros()])?;
    Ok(())
}

pub(super) fn health(connection: &Connection, health: &HealthRow) -> rusqlite::Result<()> {
    connection.prepare_cached(UPSERT_HEALTH)?.execute(params![
        health.actor,
        health.generation,
        health.reported_at.micros(),
        health.snapshot,
    ])?;
    Ok(())
}

pub(super) fn config(connection: &Connection, config: &ConfigSnapshot) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(INSERT_CONFIG)?;
    for (key, value) in &config.entries {
        insert.execute(params![config.version, key, value, config.loaded_at.micros()])?;
    }
    Ok(())
}
