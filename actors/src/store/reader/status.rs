//! What `tandem status` and the reports show.

use std::sync::Arc;

use rusqlite::Row;
use tandem_domain::gates::DeniedReason;
use tandem_domain::ids::FollowerId;
use tandem_domain::mirror::Outcome;
use tandem_domain::time::TradingDay;

use super::Reader;
use super::columns::{
    NO_LEG, ORDER_COLUMNS, account_order, follower, id_or_none, instrument, mirror_key, money, of_day, price,
    quantity, time, time_or_none, word, word_or_none,
};
use crate::store::audit::{self, AuditHead, AuditReport};
use crate::store::codes::OrderRole;
use crate::store::error::ReaderError;
use crate::store::rows::{AccountOrder, AuditEntry, FillComparison, HealthRow, IncidentRow, IncidentStory};

/// How many mirrors of a follower ended in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeCount {
    /// The follower.
    pub follower: FollowerId,
    /// What became of them.
    pub outcome: Outcome,
    /// Why.
    pub reason: Option<DeniedReason>,
    /// How many.
    pub mirrors: u64,
}

/// A day in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DayCounts {
    /// The leader's orders.
    pub leader_orders: u64,
    /// Orders that we placed.
    pub follower_orders: u64,
    /// Orders of others in followers' accounts.
    pub external_orders: u64,
    /// Fills in all accounts.
    pub trades: u64,
    /// Intents whose outcome is not proven.
    pub unknown_intents: u64,
}

/// The ids in the settings that were loaded last: `follower[0].id` and so on.
pub(in crate::store) const CONFIGURED_FOLLOWERS: &str = "
SELECT value FROM config WHERE key GLOB 'follower[[]*].id'
    AND version = (SELECT version FROM config ORDER BY loaded_at DESC LIMIT 1)";

impl Reader {
    /// The newest day anything is known of.
    pub fn newest_trading_day(&self) -> Result<Option<TradingDay>, ReaderError> {
        let sql = "SELECT MAX(trading_day) AS trading_day FROM (
                SELECT MAX(trading_day) AS trading_day FROM orders UNION ALL SELECT MAX(trading_day) FROM funds)";
        Ok(self.rows(sql, [], |row| word_or_none(row, "trading_day"))?.into_iter().flatten().next())
    }

    /// Outcomes of a day by follower and reason.
    pub fn outcomes(&self, day: TradingDay) -> Result<Vec<OutcomeCount>, ReaderError> {
        let sql = "SELECT follower_id, outcome, reason, COUNT(*) AS mirrors FROM copy_mappings WHERE trading_day = ?1
             GROUP BY follower_id, outcome, reason ORDER BY follower_id, outcome, reason";
        self.rows(sql, [day.to_string()], |row| {
            Ok(OutcomeCount {
                follower: follower(row, "follower_id")?,
                outcome: word(row, "outcome")?,
                reason: word_or_none(row, "reason")?,
                mirrors: row.get("mirrors")?,
            })
        })
    }

    /// A day in numbers.
    pub fn day_counts(&self, day: TradingDay) -> Result<DayCounts, ReaderError> {
        let orders = |role: OrderRole| {
            format!(
                "(SELECT COUNT(*) FROM orders AS o WHERE o.trading_day = ?1 AND o.role = '{role}' AND {NO_LEG}) AS {role}_orders"
            )
        };
        let sql = format!(
            "SELECT {}, {}, {},
                (SELECT COUNT(*) FROM trades WHERE trading_day = ?1) AS trades,
                (SELECT COUNT(*) FROM intents WHERE trading_day = ?1 AND state = 'UNKNOWN') AS unknown_intents",
            orders(OrderRole::Leader),
            orders(OrderRole::Follower),
            orders(OrderRole::External),
        );
        let counts = self.rows(&sql, [day.to_string()], |row| {
            Ok(DayCounts {
                leader_orders: row.get("leader_orders")?,
                follower_orders: row.get("follower_orders")?,
                external_orders: row.get("external_orders")?,
                trades: row.get("trades")?,
                unknown_intents: row.get("unknown_intents")?,
            })
        })?;
        Ok(counts.into_iter().next().unwrap_or_default())
    }

    /// Orders of a day that may still trade, whosever they are; those carried into it among them.
    pub fn active_orders(&self, day: TradingDay) -> Result<Vec<AccountOrder>, ReaderError> {
        let sql = format!(
            "SELECT {ORDER_COLUMNS} FROM orders AS o WHERE o.terminal = 0 AND {} ORDER BY o.account, o.first_seen_at",
            of_day!("terminal = 0")
        );
        self.rows(&sql, [day.to_string()], account_order)
    }

    /// Every actor's last word on its health.
    pub fn health(&self) -> Result<Vec<HealthRow>, ReaderError> {
        self.rows("SELECT actor, generation, reported_at, snapshot FROM health ORDER BY actor", [], |row| {
            Ok(HealthRow {
                actor: row.get("actor")?,
                generation: row.get("generation")?,
                reported_at: time(row, "reported_at")?,
                snapshot: row.get("snapshot")?,
            })
        })
    }

    /// Incidents that are open, oldest first.
    pub fn open_incidents(&self) -> Result<Vec<IncidentRow>, ReaderError> {
        let sql = "SELECT id, opened_at, kind, follower_id, segment, security_id, text FROM incidents
             WHERE closed_at IS NULL ORDER BY opened_at, id";
        self.rows(sql, [], incident)
    }

    /// The newest incidents, open or closed, newest first, each with its end.
    pub fn incidents(&self, rows_max: u32) -> Result<Vec<IncidentStory>, ReaderError> {
        let sql = "SELECT id, opened_at, kind, follower_id, segment, security_id, text, closed_at, (
                SELECT json_extract(a.details, '$.note') FROM audit_log AS a
                WHERE a.event = 'incident_closed' AND a.subject = i.id AND i.closed_at IS NOT NULL AND a.recorded_at >= i.opened_at
                ORDER BY a.id DESC LIMIT 1) AS note
             FROM incidents AS i ORDER BY opened_at DESC, id DESC LIMIT ?1";
        self.rows(sql, [rows_max], |row| {
            Ok(IncidentStory {
                incident: incident(row)?,
                closed_at: time_or_none(row, "closed_at")?,
                note: row.get("note")?,
            })
        })
    }

    /// The last entries of the audit log, newest first.
    pub fn audit_log(&self, entries_max: u32) -> Result<Vec<AuditEntry>, ReaderError> {
        let sql =
            "SELECT recorded_at, actor, event, subject, details FROM audit_log ORDER BY id DESC LIMIT ?1";
        self.rows(sql, [entries_max], |row| {
            Ok(AuditEntry {
                recorded_at: time(row, "recorded_at")?,
                actor: row.get("actor")?,
                event: row.get("event")?,
                subject: row.get("subject")?,
                details: row.get("details")?,
            })
        })
    }

    /// Walks the audit log's chain of hashes, as it is at one moment, and says where it breaks first. `noted` is the head
    /// that an earlier walk gave.
    pub fn verify_audit(&self, noted: Option<&AuditHead>) -> Result<AuditReport, ReaderError> {
        self.look(|connection| audit::verify(connection, noted))
    }

    /// Frame received to request written, of every request of a day that has it, in microseconds, ascending.
    pub fn added_latencies_us(&self, day: TradingDay) -> Result<Vec<u64>, ReaderError> {
        let sql = "SELECT added_latency_us FROM intents WHERE trading_day = ?1 AND added_latency_us IS NOT NULL ORDER BY 1";
        self.rows(sql, [day.to_string()], |row| row.get(0))
    }

    /// The version of the settings that were loaded last.
    pub fn config_version(&self) -> Result<Option<Arc<str>>, ReaderError> {
        let sql = "SELECT version FROM config ORDER BY loaded_at DESC LIMIT 1";
        Ok(self.rows(sql, [], |row| row.get(0))?.into_iter().next())
    }

    /// The followers that the settings named when they were loaded last, those left out of copying included.
    pub fn configured_followers(&self) -> Result<Vec<FollowerId>, ReaderError> {
        self.rows(&format!("{CONFIGURED_FOLLOWERS} ORDER BY key"), [], |row| follower(row, "value"))
    }

    /// The fills of a day compared, for the mirrors that have fills on both sides.
    pub fn fill_comparisons(&self, of: TradingDay) -> Result<Vec<FillComparison>, ReaderError> {
        let sql = "SELECT trading_day, leader_account, leader_order_id, follower_id, filled_quantity, leader_average,
                follower_average, slippage_money, slippage_ticks, slippage_bps_x100, fill_delay_us, updated_at
             FROM copy_mappings WHERE trading_day = ?1 AND slippage_money IS NOT NULL ORDER BY updated_at";
        self.rows(sql, [of.to_string()], comparison)
    }
}

pub(super) fn comparison(row: &Row<'_>) -> rusqlite::Result<FillComparison> {
    Ok(FillComparison {
        key: mirror_key(row)?,
        filled: quantity(row, "filled_quantity")?,
        leader_average: price(row, "leader_average")?,
        follower_average: price(row, "follower_average")?,
        slippage: money(row, "slippage_money")?,
        slippage_ticks: row.get("slippage_ticks")?,
        slippage_bps_x100: row.get("slippage_bps_x100")?,
        delay_us: row.get("fill_delay_us")?,
        updated_at: time(row, "updated_at")?,
    })
}

pub(super) fn incident(row: &Row<'_>) -> rusqlite::Result<IncidentRow> {
    let has_instrument = row.get::<_, Option<String>>("segment")?.is_some();
    Ok(IncidentRow {
        id: row.get("id")?,
        opened_at: time(row, "opened_at")?,
        kind: row.get("kind")?,
        follower: id_or_none(row, "follower_id", FollowerId::new)?,
        instrument: if has_instrument { Some(instrument(row)?) } else { None },
        text: row.get("text")?,
    })
}
