//! What Tandem recorded, read from its database with eyes of our own: plain SQL, read-only.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row};
use tandem_domain::ids::BrokerOrderId;

use super::until;

/// The database of one daemon.
pub(crate) struct Records {
    path: PathBuf,
}

/// A row of `copy_mappings`; money in 1/10,000 rupee.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mapping {
    pub(crate) outcome: String,
    pub(crate) reason: Option<String>,
    pub(crate) strategy: Option<String>,
    pub(crate) target: u32,
    pub(crate) copied: u32,
    pub(crate) filled: u32,
    pub(crate) leader_average: Option<i64>,
    pub(crate) follower_average: Option<i64>,
    pub(crate) slippage: Option<i64>,
    pub(crate) slippage_ticks: Option<i64>,
    pub(crate) slippage_bps_x100: Option<i64>,
    pub(crate) fill_delay_us: Option<i64>,
}

/// A row of `intents`, with the broker's order if there is one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Intent {
    pub(crate) client_order_id: String,
    pub(crate) state: String,
    pub(crate) purpose: String,
    pub(crate) quantity: u32,
    pub(crate) broker_order_id: Option<String>,
    pub(crate) refusal_code: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) order_reason: Option<String>,
    pub(crate) added_latency_us: Option<i64>,
    pub(crate) sent_us: Option<i64>,
}

/// A row of `intents` that is about an order already placed; prices in 1/10,000 rupee.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) purpose: String,
    pub(crate) order_type: String,
    pub(crate) quantity: u32,
    pub(crate) price: i64,
    pub(crate) trigger: i64,
    pub(crate) refusal_code: Option<String>,
    pub(crate) broker_order_id: Option<String>,
}

/// A leader's order as `orders` has it; prices in 1/10,000 rupee.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LeaderRow {
    pub(crate) status: String,
    pub(crate) quantity: u32,
    pub(crate) price: i64,
    pub(crate) filled: u32,
}

impl Records {
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Option<T> {
        // Not there yet, or being made: the caller looks again.
        let connection = Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        read(&connection).ok()
    }

    /// Rows of a question that only one test asks.
    pub(crate) fn table<T>(&self, sql: &str, row: impl Fn(&Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
        self.rows(sql, &[], row)
    }

    pub(super) fn rows<T>(
        &self,
        sql: &str,
        parameters: &[&str],
        row: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Vec<T> {
        let read = self.read(|connection| {
            let mut statement = connection.prepare(sql)?;
            let rows = statement.query_map(rusqlite::params_from_iter(parameters), row)?;
            rows.collect()
        });
        read.unwrap_or_default()
    }

    /// What became of a leader order at a follower, if anything yet.
    pub(crate) fn mapping(&self, leader_order: &BrokerOrderId, follower: &str) -> Option<Mapping> {
        let sql = "SELECT outcome, reason, strategy, target_quantity, copied_quantity, filled_quantity,
                leader_average, follower_average, slippage_money, slippage_ticks, slippage_bps_x100, fill_delay_us
            FROM copy_mappings WHERE leader_order_id = ?1 AND follower_id = ?2";
        let rows = self.rows(sql, &[leader_order.as_str(), follower], |row| {
            Ok(Mapping {
                outcome: row.get(0)?,
                reason: row.get(1)?,
                strategy: row.get(2)?,
                target: row.get(3)?,
                copied: row.get(4)?,
                filled: row.get(5)?,
                leader_average: row.get(6)?,
                follower_average: row.get(7)?,
                slippage: row.get(8)?,
                slippage_ticks: row.get(9)?,
                slippage_bps_x100: row.get(10)?,
                fill_delay_us: row.get(11)?,
            })
        });
        rows.into_iter().next()
    }

    /// Waits until a leader order has this outcome at a follower.
    #[track_caller]
    pub(crate) fn until_outcome(
        &self,
        leader_order: &BrokerOrderId,
        follower: &str,
        outcome: &str,
    ) -> Mapping {
        until(&format!("{leader_order} at {follower} is {outcome}"), || {
            self.mapping(leader_order, follower).filter(|mapping| mapping.outcome == outcome)
        })
    }

    /// Waits until a leader order is skipped or given up at a follower, and for this reason.
    #[track_caller]
    pub(crate) fn until_refused(
        &self,
        leader_order: &BrokerOrderId,
        follower: &str,
        outcome: &str,
        reason: &str,
    ) {
        let mapping = self.until_outcome(leader_order, follower, outcome);
        assert_eq!(mapping.reason.as_deref(), Some(reason));
    }

    /// Waits until so many units of the copy of a leader order are filled.
    #[track_caller]
    pub(crate) fn until_filled(&self, leader_order: &BrokerOrderId, follower: &str, units: u32) -> Mapping {
        until(&format!("{units} units of {leader_order} filled at {follower}"), || {
            self.mapping(leader_order, follower).filter(|mapping| mapping.filled == units)
        })
    }

    /// Every request to place that a leader order led to at a follower.
    pub(crate) fn intents(&self, leader_order: &BrokerOrderId, follower: &str) -> Vec<Intent> {
        let sql =
            "SELECT i.client_order_id, i.state, i.purpose, i.quantity, i.broker_order_id, i.refusal_code,
                o.status, o.reason, i.added_latency_us, i.ts_sent
            FROM intents AS i LEFT JOIN orders AS o ON o.client_order_id = i.client_order_id
            WHERE i.leader_order_id = ?1 AND i.follower_id = ?2 AND i.kind = 'place'
            ORDER BY i.leg, i.slice, i.attempt";
        self.rows(sql, &[leader_order.as_str(), follower], |row| {
            Ok(Intent {
                client_order_id: row.get(0)?,
                state: row.get(1)?,
                purpose: row.get(2)?,
                quantity: row.get(3)?,
                broker_order_id: row.get(4)?,
                refusal_code: row.get(5)?,
                status: row.get(6)?,
                order_reason: row.get(7)?,
                added_latency_us: row.get(8)?,
                sent_us: row.get(9)?,
            })
        })
    }

    /// The way of the news to the request that placed a copy: the leader's event, received, decided, committed, sent,
    /// answered; microseconds since 1970 UTC.
    pub(crate) fn times(&self, leader_order: &BrokerOrderId, follower: &str) -> Vec<i64> {
        let sql = "SELECT ts_leader_event, ts_received, ts_decided, ts_committed, ts_sent, ts_answered
            FROM intents WHERE leader_order_id = ?1 AND follower_id = ?2 AND kind = 'place'";
        let times = self.rows(sql, &[leader_order.as_str(), follower], |row| {
            (0..6).map(|column| row.get(column)).collect::<rusqlite::Result<Vec<i64>>>()
        });
        times.concat()
    }

    /// Every request to change or cancel that a leader order led to at a follower, in the order they were sent.
    pub(crate) fn changes(&self, leader_order: &BrokerOrderId, follower: &str) -> Vec<Change> {
        let sql = "SELECT kind, state, purpose, order_type, quantity, price, trigger_price, refusal_code,
                broker_order_id
            FROM intents WHERE leader_order_id = ?1 AND follower_id = ?2 AND kind <> 'place'
            ORDER BY leg, slice, attempt, serial";
        self.rows(sql, &[leader_order.as_str(), follower], |row| {
            Ok(Change {
                kind: row.get(0)?,
                state: row.get(1)?,
                purpose: row.get(2)?,
                order_type: row.get(3)?,
                quantity: row.get(4)?,
                price: row.get(5)?,
                trigger: row.get(6)?,
                refusal_code: row.get(7)?,
                broker_order_id: row.get(8)?,
            })
        })
    }

    /// The kinds and states of those requests.
    pub(crate) fn change_states(
        &self,
        leader_order: &BrokerOrderId,
        follower: &str,
    ) -> Vec<(String, String)> {
        let changes = self.changes(leader_order, follower);
        changes.into_iter().map(|change| (change.kind, change.state)).collect()
    }

    /// Waits until those requests, and what came of them, are exactly these.
    #[track_caller]
    pub(crate) fn until_changes(
        &self,
        leader_order: &BrokerOrderId,
        follower: &str,
        expected: &[(&str, &str)],
    ) -> Vec<Change> {
        until(&format!("changes of {leader_order} at {follower} are {expected:?}"), || {
            let changes = self.changes(leader_order, follower);
            let states = changes.iter().map(|change| (change.kind.as_str(), change.state.as_str()));
            states.eq(expected.iter().copied()).then(|| changes.clone())
        })
    }

    /// Where a follower differs from a leader order: kind, units, what came of it.
    pub(crate) fn gaps(&self, leader_order: &BrokerOrderId, follower: &str) -> Vec<(String, i64, String)> {
        let sql = "SELECT kind, units, result FROM copy_gaps
            WHERE leader_order_id = ?1 AND follower_id = ?2 ORDER BY kind";
        let parameters = [leader_order.as_str(), follower];
        self.rows(sql, &parameters, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    }

    /// Waits until a follower differs from a leader order in this way alone.
    #[track_caller]
    pub(crate) fn until_gap(
        &self,
        leader_order: &BrokerOrderId,
        follower: &str,
        kind: &str,
        units: i64,
        result: &str,
    ) {
        until(&format!("gap of {leader_order} at {follower}: {kind} {units} {result}"), || {
            let gaps = self.gaps(leader_order, follower);
            (gaps == [(kind.to_owned(), units, result.to_owned())]).then_some(())
        });
    }

    /// Waits until the leader's order is known to be like this.
    #[track_caller]
    pub(crate) fn until_leader(
        &self,
        order: &BrokerOrderId,
        what: &str,
        is_it: impl Fn(&LeaderRow) -> bool,
    ) -> LeaderRow {
        let sql = "SELECT status, quantity, price, cumulative FROM orders
            WHERE broker_order_id = ?1 AND role = 'leader'";
        until(&format!("the leader's {order} {what}"), || {
            let rows = self.rows(sql, &[order.as_str()], |row| {
                Ok(LeaderRow {
                    status: row.get(0)?,
                    quantity: row.get(1)?,
                    price: row.get(2)?,
                    filled: row.get(3)?,
                })
            });
            rows.into_iter().find(&is_it)
        })
    }

    /// Orders that others placed in a watched account: broker order id, status, units filled.
    pub(crate) fn externals(&self, account: &str) -> Vec<(String, String, u32)> {
        let sql = "SELECT broker_order_id, status, cumulative FROM orders
            WHERE account = ?1 AND role = 'external' ORDER BY broker_order_id";
        self.rows(sql, &[account], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    }

    /// Waits until an incident of this kind is open for a follower.
    #[track_caller]
    pub(crate) fn until_incident(&self, kind: &str, follower: &str) {
        until(&format!("incident {kind} of {follower}"), || {
            self.incidents().contains(&(kind.to_owned(), Some(follower.to_owned()))).then_some(())
        });
    }

    /// The one intent of a leader order at a follower, once it is in this state.
    #[track_caller]
    pub(crate) fn until_intent(&self, leader_order: &BrokerOrderId, follower: &str, state: &str) -> Intent {
        let mut intents = until(&format!("intent of {leader_order} at {follower} is {state}"), || {
            Some(self.intents(leader_order, follower))
                .filter(|all| all.iter().any(|intent| intent.state == state))
        });
        assert_eq!(intents.len(), 1, "one intent expected: {intents:?}");
        intents.remove(0)
    }

    /// Waits until the broker's word on the copy of a leader order is known to be this.
    #[track_caller]
    pub(crate) fn until_status(&self, leader_order: &BrokerOrderId, follower: &str, status: &str) -> Intent {
        until(&format!("copy of {leader_order} at {follower} is {status}"), || {
            let intents = self.intents(leader_order, follower);
            intents.into_iter().find(|intent| intent.status.as_deref() == Some(status))
        })
    }

    /// Fills of an account: broker order id, units, price in 1/10,000 rupee.
    pub(crate) fn trades(&self, account: &str) -> Vec<(String, u32, i64)> {
        let sql = "SELECT broker_order_id, quantity, price FROM trades WHERE account = ?1 ORDER BY ts_event";
        self.rows(sql, &[account], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    }

    /// Kinds of incidents that are open, and whose they are.
    pub(crate) fn incidents(&self) -> Vec<(String, Option<String>)> {
        let sql = "SELECT kind, follower_id FROM incidents WHERE closed_at IS NULL ORDER BY opened_at";
        self.rows(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// How many incidents of a kind are open, and how many are over.
    pub(crate) fn incidents_of(&self, kind: &str) -> (usize, usize) {
        let sql = "SELECT closed_at IS NULL FROM incidents WHERE kind = ?1";
        let rows: Vec<bool> = self.rows(sql, &[kind], |row| row.get(0));
        let open = rows.iter().filter(|is_open| **is_open).count();
        (open, rows.len() - open)
    }

    /// Leader orders that did not become an order at a follower: order, follower, outcome, reason.
    pub(super) fn not_copied(&self) -> Vec<(String, String, String, Option<String>)> {
        let sql =
            "SELECT leader_order_id, follower_id, outcome, reason FROM copy_mappings WHERE outcome <> 'sent'";
        self.table(sql, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
    }

    /// How many leader orders have an outcome, by outcome and reason.
    pub(crate) fn outcomes(&self, follower: &str) -> Vec<(String, Option<String>, u32)> {
        let sql = "SELECT outcome, reason, COUNT(*) FROM copy_mappings WHERE follower_id = ?1
            GROUP BY outcome, reason ORDER BY outcome, reason";
        self.rows(sql, &[follower], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    }
}
