//! Copy gaps: one row for each mirror and kind, in its newest state.

use rusqlite::{Connection, params};

use crate::store::redact::plain_text;
use crate::store::rows::GapRow;

const UPSERT: &str = "
INSERT INTO copy_gaps (trading_day, leader_account, leader_order_id, follower_id, kind, units, result, text, opened_at,
    updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)
ON CONFLICT (trading_day, leader_account, leader_order_id, follower_id, kind) DO UPDATE SET
    units = excluded.units, result = excluded.result, text = excluded.text, updated_at = excluded.updated_at";

pub(super) fn upsert(connection: &Connection, row: &GapRow) -> rusqlite::Result<()> {
    connection.prepare_cached(UPSERT)?.execute(params![
        row.key.trading_day.to_string(),
        row.key.leader_account.as_str(),
        row.key.leader_order.as_str(),
        row.key.follower.as_str(),
        row.gap.kind.as_str(),
        row.gap.units,
        row.gap.result.as_str(),
        // The broker's own words may be in it.
        plain_text(&row.text),
        row.at.micros(),
    ])?;
    Ok(())
}
