//! What happened to the program: health, settings.

use rusqlite::{Connection, params};

use crate::store::rows::{ConfigSnapshot, HealthRow};

const UPSERT_HEALTH: &str = "
INSERT INTO health (actor, generation, reported_at, snapshot) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (actor) DO UPDATE SET generation = excluded.generation, reported_at = excluded.reported_at,
    snapshot = excluded.snapshot";

const INSERT_CONFIG: &str = "
INSERT INTO config (version, key, value, loaded_at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (version, key) DO UPDATE SET loaded_at = excluded.loaded_at";

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
