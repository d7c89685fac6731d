//! Copy mappings: the outcome of each mirror, and how its fills compare.

use rusqlite::{Connection, params};

use super::ApplyError;
use crate::store::codes::purpose_word;
use crate::store::error::StoreError;
use crate::store::rows::{FillComparison, MappingRow, MirrorKey};

// Detached is final. Skipped and voided are not (P26: one outcome, the one that the pair has now): a share below one lot
// grows into one, what was not to be opened comes to close what is held, and an order that was given up turns up in the
// broker's book. Only what has ever been sent can be detached, should it have been voided since.
const UPSERT: &str = "
INSERT INTO copy_mappings (trading_day, leader_account, leader_order_id, follower_id, outcome, reason, strategy,
    ratio_numerator, ratio_denominator, inputs, target_quantity, copied_quantity, filled_quantity, created_at, updated_at,
    note, closing_quantity, admitted_quantity, refused_quantity, opens_no_more, is_stopped, purpose)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?14, ?15, ?16, ?17, ?18, COALESCE(?19, 0),
    COALESCE(?20, 0), ?21)
ON CONFLICT (trading_day, leader_account, leader_order_id, follower_id) DO UPDATE SET
    outcome = excluded.outcome, reason = excluded.reason, note = COALESCE(excluded.note, note),
    strategy = COALESCE(excluded.strategy, strategy),
    ratio_numerator = COALESCE(excluded.ratio_numerator, ratio_numerator),
    ratio_denominator = COALESCE(excluded.ratio_denominator, ratio_denominator),
    inputs = COALESCE(excluded.inputs, inputs), target_quantity = excluded.target_quantity,
    closing_quantity = excluded.closing_quantity, copied_quantity = excluded.copied_quantity,
    filled_quantity = MAX(filled_quantity, excluded.filled_quantity),
    admitted_quantity = COALESCE(excluded.admitted_quantity, admitted_quantity),
    refused_quantity = CASE WHEN ?19 IS NULL THEN refused_quantity ELSE excluded.refused_quantity END,
    opens_no_more = COALESCE(?19, opens_no_more), is_stopped = COALESCE(?20, is_stopped),
    purpose = COALESCE(excluded.purpose, purpose),
    updated_at = excluded.updated_at
WHERE outcome = excluded.outcome
    OR CASE WHEN excluded.outcome = 'detached' THEN outcome IN ('sent', 'voided') OR EXISTS (
                SELECT 1 FROM intents AS i
                WHERE i.trading_day = excluded.trading_day AND i.leader_account = excluded.leader_account
                    AND i.leader_order_id = excluded.leader_order_id AND i.follower_id = excluded.follower_id
                    AND (i.state NOT IN ('PLANNED', 'VOIDED') OR i.ts_sent IS NOT NULL))
            ELSE outcome <> 'detached' END";

const COMPARE: &str = "
UPDATE copy_mappings SET filled_quantity = MAX(filled_quantity, ?5), leader_average = ?6, follower_average = ?7,
    slippage_money = ?8, slippage_ticks = ?9, slippage_bps_x100 = ?10, fill_delay_us = ?11, updated_at = ?12
WHERE trading_day = ?1 AND leader_account = ?2 AND leader_order_id = ?3 AND follower_id = ?4";

pub(super) fn upsert(connection: &Connection, mapping: &MappingRow) -> Result<(), ApplyError> {
    let key = &mapping.key;
    let sizing = mapping.sizing.as_ref();
    // About a microsecond: the struct is small and flat.
    let inputs = sizing
        .map(serde_json::to_string)
        .transpose()
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let changed = connection.prepare_cached(UPSERT)?.execute(params![
        key.trading_day.to_string(),
        key.leader_account.as_str(),
        key.leader_order.as_str(),
        key.follower.as_str(),
        mapping.outcome.as_str(),
        mapping.reason.map(tandem_domain::gates::DeniedReason::as_str),
        sizing.map(|sizing| sizing.strategy.as_str()),
        sizing.map(|sizing| sizing.ratio.numerator),
        sizing.map(|sizing| sizing.ratio.denominator),
        inputs,
        mapping.target.get(),
        mapping.copied.get(),
        mapping.filled.get(),
        mapping.updated_at.micros(),
        mapping.note,
        mapping.closing.get(),
        mapping.permit.map(|permit| permit.admitted),
        mapping.permit.and_then(|permit| permit.refused),
        mapping.permit.map(|permit| permit.opens_no_more),
        mapping.permit.map(|permit| permit.is_stopped),
        mapping.permit.and_then(|permit| permit.purpose).map(purpose_word),
    ])?;
    one_row(changed, key, mapping.outcome.as_str())
}

pub(super) fn compare_fills(connection: &Connection, comparison: &FillComparison) -> Result<(), ApplyError> {
    let key = &comparison.key;
    let changed = connection.prepare_cached(COMPARE)?.execute(params![
        key.trading_day.to_string(),
        key.leader_account.as_str(),
        key.leader_order.as_str(),
        key.follower.as_str(),
        comparison.filled.get(),
        comparison.leader_average.units(),
        comparison.follower_average.units(),
        comparison.slippage.units(),
        comparison.slippage_ticks,
        comparison.slippage_bps_x100,
        comparison.delay_us,
        comparison.updated_at.micros(),
    ])?;
    one_row(changed, key, "compared")
}

fn one_row(changed: usize, key: &MirrorKey, to: &'static str) -> Result<(), ApplyError> {
    if changed == 1 {
        return Ok(());
    }
    let what = format!("mapping of {} to {}", key.leader_order, key.follower);
    Err(ApplyError::Refused(StoreError::IllegalTransition { what, to }))
}
