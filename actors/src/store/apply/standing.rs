//! What of an account stands until something else is seen: where rows and account differ, what was converted.

use rusqlite::{Connection, params};
use tandem_domain::order::Product;

use crate::store::rows::{ConvertedRow, DriftRow};

const UPSERT_DRIFT: &str = "
INSERT INTO drifts (follower_id, trading_day, segment, security_id, units, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (follower_id, trading_day, segment, security_id) DO UPDATE SET units = excluded.units,
    updated_at = excluded.updated_at";

const UPSERT_CONVERSION: &str = "
INSERT INTO conversions (follower_id, trading_day, segment, security_id, seen_at, leader_from, leader_to, leader_units,
    copied_from, copied_to, copied_units, updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT (follower_id, trading_day, segment, security_id, seen_at) DO UPDATE SET
    copied_from = excluded.copied_from, copied_to = excluded.copied_to, copied_units = excluded.copied_units,
    updated_at = excluded.updated_at";

pub(super) fn drift(connection: &Connection, row: &DriftRow) -> rusqlite::Result<()> {
    connection.prepare_cached(UPSERT_DRIFT)?.execute(params![
        row.follower.as_str(),
        row.trading_day.to_string(),
        row.instrument.segment.as_str(),
        row.instrument.security_id.0,
        row.units,
        row.at.micros(),
    ])?;
    Ok(())
}

pub(super) fn conversion(connection: &Connection, row: &ConvertedRow) -> rusqlite::Result<()> {
    let (leader, copy) = (row.converted.leader, row.converted.copy);
    connection.prepare_cached(UPSERT_CONVERSION)?.execute(params![
        row.follower.as_str(),
        row.trading_day.to_string(),
        leader.instrument.segment.as_str(),
        leader.instrument.security_id.0,
        row.converted.at.micros(),
        leader.from.as_str(),
        leader.to.as_str(),
        leader.units,
        copy.map(|copy| copy.from).map(Product::as_str),
        copy.map(|copy| copy.to).map(Product::as_str),
        copy.map(|copy| copy.units),
        row.at.micros(),
    ])?;
    Ok(())
}
