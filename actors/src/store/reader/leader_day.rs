//! A day of the leader's as it was recorded, state by state: what `tandem preview` runs again.

use std::sync::Arc;

use rusqlite::params;
use tandem_domain::ids::{DhanClientId, Tag};
use tandem_domain::leader::LeaderOrder;
use tandem_domain::time::{Timestamp, TradingDay};

use super::Reader;
use super::columns::{NO_LEG, ORDER_COLUMNS, account, account_order, day, leader_order, of_day, time};
use crate::store::error::ReaderError;
use crate::store::rows::AccountOrder;

/// A state of a leader order, and when we knew of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedState {
    /// The order in that state. Its last price is of its newest state: no other is recorded.
    pub order: Arc<LeaderOrder>,
    /// By our clock.
    pub known_at: Timestamp,
}

/// Under the names that the columns of an order have, those of one of its states.
const STATE_COLUMNS: &str = "
    o.account, o.trading_day, o.broker_order_id, o.tag, o.segment, o.security_id, o.side, o.product, o.after_market, o.leg,
    o.parent_order_id, o.last_price, e.order_type, e.time_in_force, e.quantity, e.disclosed, e.price, e.trigger_price,
    e.status, e.cumulative, e.average_price, e.reason, e.form, e.exited, e.ts_event, e.ts_init,
    MIN(o.ts_first_event, e.ts_event) AS ts_first_event, MIN(o.first_seen_at, e.ts_init) AS first_seen_at";

impl Reader {
    /// Every day on which orders of a leader were recorded, and whose; the newest first. What a square-off ordered in a
    /// follower's account is no leader's.
    pub fn leader_days(&self) -> Result<Vec<(TradingDay, DhanClientId)>, ReaderError> {
        let sql = "SELECT DISTINCT COALESCE(carried_to, trading_day) AS trading_day, account FROM orders WHERE role = 'leader'
            AND tag IS NOT ?1 ORDER BY 1 DESC, account";
        self.rows(sql, [Tag::SQUARE_OFF], |row| Ok((day(row, "trading_day")?, account(row, "account")?)))
    }

    /// Every state of the leader's orders of a day, those carried into it among them, in the order in which they became
    /// known; legs of super orders apart.
    pub fn leader_states(
        &self,
        of: TradingDay,
        leader: &DhanClientId,
    ) -> Result<Vec<RecordedState>, ReaderError> {
        let sql = format!(
            "SELECT {STATE_COLUMNS} FROM orders AS o JOIN order_events AS e ON e.account = o.account
                 AND e.trading_day = o.trading_day AND e.broker_order_id = o.broker_order_id
             WHERE {} AND o.account = ?2 AND o.role = 'leader' AND {NO_LEG}
             ORDER BY e.ts_init, e.ts_event, e.rowid",
            of_day!("role = 'leader'")
        );
        self.rows(&sql, params![of.to_string(), leader.as_str()], |row| {
            Ok(RecordedState { order: leader_order(row)?, known_at: time(row, "ts_init")? })
        })
    }

    /// The exit legs of the leader's super orders of a day, in their newest states.
    pub fn leader_legs(
        &self,
        of: TradingDay,
        leader: &DhanClientId,
    ) -> Result<Vec<AccountOrder>, ReaderError> {
        let sql = format!(
            "SELECT {ORDER_COLUMNS} FROM orders AS o
             WHERE o.trading_day = ?1 AND o.account = ?2 AND o.role = 'leader' AND NOT {NO_LEG} ORDER BY o.rowid"
        );
        self.rows(&sql, params![of.to_string(), leader.as_str()], account_order)
    }
}
