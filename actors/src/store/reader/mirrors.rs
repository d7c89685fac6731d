//! What an actor rebuilds its picture of a day from.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Row;
use tandem_domain::gap::Gap;
use tandem_domain::ids::{BrokerOrderId, ChildKey, ClientOrderId, DhanClientId, FollowerId};
use tandem_domain::leader::LeaderOrder;
use tandem_domain::ledger::FillPoint;
use tandem_domain::mirror::{ChildNote, Permit};
use tandem_domain::time::{Timestamp, TradingDay};

use super::Reader;
use super::columns::{
    NO_LEG, ORDER_COLUMNS, account, account_order, broker_order_id, convert, day, follower, id_or_none,
    leader_order, mirror_key, of_day, quantity, terms, time, time_or_none, word, word_or_none,
};
use super::ledger::fill_points;
use crate::store::codes::purpose_from_word;
use crate::store::error::ReaderError;
use crate::store::rows::{AccountOrder, GapRow, IntentRow, IntentTiming, MappingRow, RefusalRow};

/// Everything stored of one mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorRows {
    /// What was decided.
    pub mapping: MappingRow,
    /// The leader's order, in its newest state.
    pub leader: Arc<LeaderOrder>,
    /// How far the leader's order had come at which time, oldest first; empty if it has not filled.
    pub fills: Vec<FillPoint>,
    /// The intents, changes and cancels among them, oldest first.
    pub intents: Vec<IntentRow>,
    /// The follower's orders that came of them, in their newest states; after them the legs of those that are super
    /// orders.
    pub orders: Vec<AccountOrder>,
    /// Where it parted from the leader, in order of opening.
    pub gaps: Vec<GapRow>,
}

/// An order in a watched account that is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalOrder {
    /// Its newest state.
    pub order: AccountOrder,
    /// When we first saw it, by our clock.
    pub first_seen_at: Timestamp,
}

/// The leaders' orders of a day, each to be joined with its rows: the tables are kept in the order of the leader's orders
/// (a fan-out is written side by side), so a follower's rows are looked up order by order.
const LEADER_ORDERS_THEN: &str = "orders AS o CROSS JOIN";
const OF_THE_DAY: &str = of_day!("role = 'leader'");
const INTENTS_OF_FOLLOWER: &str =
    "intents AS i ON i.trading_day = o.trading_day AND i.leader_account = o.account
    AND i.leader_order_id = o.broker_order_id AND i.follower_id = ?2";

/// Our ids of a follower's child orders.
const CHILDREN: &str = concat!(
    "SELECT i.client_order_id FROM orders AS o
    CROSS JOIN intents AS i ON i.trading_day = o.trading_day AND i.leader_account = o.account
        AND i.leader_order_id = o.broker_order_id AND i.follower_id = ?2
    WHERE i.kind = 'place' AND ",
    of_day!("role = 'leader'")
);

/// What an order's own columns of the same names would hide has a name of its own.
pub(super) const MAPPING_COLUMNS: &str = "
    m.trading_day, m.leader_account, m.leader_order_id, m.follower_id, m.outcome, m.reason AS denied, m.note, m.inputs,
    m.target_quantity, m.closing_quantity, m.copied_quantity, m.filled_quantity, m.admitted_quantity, m.refused_quantity,
    m.opens_no_more, m.is_stopped, m.purpose AS aim, m.updated_at AS decided_at";

pub(super) const INTENT_COLUMNS: &str = "
    i.client_order_id, i.kind, i.serial, i.trading_day, i.leader_account, i.leader_order_id, i.follower_id,
    i.leg, i.slice, i.attempt, i.account, i.event_fingerprint, i.purpose, i.state, i.segment, i.security_id,
    i.side, i.product, i.order_type, i.time_in_force, i.quantity, i.disclosed, i.price, i.trigger_price,
    i.after_market, i.broker_order_id, i.refusal_http, i.refusal_code, i.refusal_text, i.ts_leader_event,
    i.ts_received, i.ts_decided, i.ts_committed, i.ts_sent, i.ts_answered, i.added_latency_us, i.created_at, i.part,
    i.form, i.is_retired, i.has_fired";

impl Reader {
    /// All mirrors of a follower on a day, those carried into it among them, in the order in which the leader's orders
    /// were first seen, as of one moment.
    pub fn mirrors(&self, day: TradingDay, follower: &FollowerId) -> Result<Vec<MirrorRows>, ReaderError> {
        self.look(|connection| {
        // One transaction: all queries see the same commits.
        let snapshot = connection.unchecked_transaction()?;
        let mut fills = fill_points(&snapshot, day)?;
        let day = day.to_string();
        let parameters = [day.as_str(), follower.as_str()];

        let mut mirrors = Vec::new();
        let mut places = HashMap::new();
        let sql = format!(
            "SELECT {MAPPING_COLUMNS}, {ORDER_COLUMNS}
             FROM {LEADER_ORDERS_THEN} copy_mappings AS m ON m.trading_day = o.trading_day
                AND m.leader_account = o.account AND m.leader_order_id = o.broker_order_id AND m.follower_id = ?2
             WHERE {OF_THE_DAY} ORDER BY o.first_seen_at, m.leader_order_id"
        );
        let mut statement = snapshot.prepare_cached(&sql)?;
        for mirror in statement.query_map(parameters, mirror)? {
            let mut mirror = mirror?;
            mirror.fills = fills.remove(&mirror.leader.broker_order_id).unwrap_or_default();
            places.insert(mirror.mapping.key.clone(), mirrors.len());
            mirrors.push(mirror);
        }

        let (mut places_by_child, mut places_by_order) = (HashMap::new(), HashMap::new());
        let sql = format!(
            "SELECT {INTENT_COLUMNS} FROM {LEADER_ORDERS_THEN} {INTENTS_OF_FOLLOWER} WHERE {OF_THE_DAY}
             ORDER BY i.created_at, i.leg, i.slice, i.attempt, i.serial"
        );
        let mut statement = snapshot.prepare_cached(&sql)?;
        for intent in statement.query_map(parameters, intent)? {
            let intent = intent?;
            // The foreign key sees to it that there is one.
            let Some(&place) = places.get(&intent.mirror()) else { continue };
            places_by_child.insert(intent.client_order_id.clone(), place);
            mirrors[place].intents.push(intent);
        }

        let sql = format!(
            "SELECT {ORDER_COLUMNS} FROM ({CHILDREN}) AS child CROSS JOIN orders AS o ON o.client_order_id = child.client_order_id ORDER BY o.first_seen_at"
        );
        let mut statement = snapshot.prepare_cached(&sql)?;
        for order in statement.query_map(parameters, account_order)? {
            let order = order?;
            let place = order.client_order_id.as_ref().and_then(|id| places_by_child.get(id));
            if let Some(&place) = place {
                places_by_order.insert(order.report.broker_order_id.clone(), place);
                mirrors[place].orders.push(order);
            }
        }

        let sql = format!(
            "SELECT {ORDER_COLUMNS} FROM ({CHILDREN}) AS child
             CROSS JOIN orders AS entry ON entry.client_order_id = child.client_order_id
             CROSS JOIN orders AS o ON o.account = entry.account AND o.trading_day = entry.trading_day
                AND o.parent_order_id = entry.broker_order_id ORDER BY o.first_seen_at, o.broker_order_id"
        );
        let mut statement = snapshot.prepare_cached(&sql)?;
        for leg in statement.query_map(parameters, account_order)? {
            let leg = leg?;
            let place = leg.report.parent.as_ref().and_then(|parent| places_by_order.get(parent));
            if let Some(&place) = place {
                mirrors[place].orders.push(leg);
            }
        }

        let sql = format!(
            "SELECT g.trading_day, g.leader_account, g.leader_order_id, g.follower_id, g.kind, g.units, g.result,
                g.text, g.updated_at
             FROM orders AS o CROSS JOIN copy_gaps AS g ON g.trading_day = o.trading_day
                AND g.leader_account = o.account AND g.leader_order_id = o.broker_order_id AND g.follower_id = ?2
             WHERE {OF_THE_DAY} ORDER BY g.opened_at, g.kind"
        );
        let mut statement = snapshot.prepare_cached(&sql)?;
        for gap in statement.query_map(parameters, gap)? {
            let gap = gap?;
            if let Some(&place) = places.get(&gap.key) {
                mirrors[place].gaps.push(gap);
            }
        }
        Ok(mirrors)
        })
    }

    /// The leader's orders of a day, those carried into it among them, in the order in which they were first seen. Legs
    /// of his super orders are part of their entries and not among them.
    pub fn leader_orders(
        &self,
        day: TradingDay,
        leader: &DhanClientId,
    ) -> Result<Vec<Arc<LeaderOrder>>, ReaderError> {
        let sql = format!(
            "SELECT {ORDER_COLUMNS} FROM orders AS o
             WHERE o.account = ?2 AND {OF_THE_DAY} AND {NO_LEG} ORDER BY o.first_seen_at"
        );
        self.rows(&sql, [day.to_string(), leader.to_string()], leader_order)
    }

    /// The leader's orders of a day for which nothing was decided yet for this follower: to be planned at start (P26).
    pub fn unplanned_leader_orders(
        &self,
        day: TradingDay,
        leader: &DhanClientId,
        follower: &FollowerId,
    ) -> Result<Vec<Arc<LeaderOrder>>, ReaderError> {
        let sql = format!(
            "SELECT {ORDER_COLUMNS} FROM orders AS o
             WHERE o.account = ?1 AND o.trading_day = ?2 AND o.role = 'leader' AND {NO_LEG}
                AND NOT EXISTS (
                 SELECT 1 FROM copy_mappings AS m WHERE m.trading_day = o.trading_day AND m.leader_account = o.account
                     AND m.leader_order_id = o.broker_order_id AND m.follower_id = ?3
             ) ORDER BY o.first_seen_at"
        );
        self.rows(&sql, [leader.to_string(), day.to_string(), follower.to_string()], leader_order)
    }

    /// Orders that a human or another program placed in this account on a day, in the order in which they were first
    /// seen.
    pub fn external_orders(
        &self,
        day: TradingDay,
        of: &DhanClientId,
    ) -> Result<Vec<ExternalOrder>, ReaderError> {
        let sql = format!(
            "SELECT {ORDER_COLUMNS} FROM orders AS o WHERE o.account = ?1 AND o.trading_day = ?2 AND o.role = 'external'
             ORDER BY o.first_seen_at, o.broker_order_id"
        );
        self.rows(&sql, [of.to_string(), day.to_string()], |row| {
            Ok(ExternalOrder { order: account_order(row)?, first_seen_at: time(row, "first_seen_at")? })
        })
    }

    /// When requests left for a follower's account on a day, oldest first: what the broker's windows are rebuilt from
    /// (P18). Requests that may have left count.
    pub fn request_times(
        &self,
        day: TradingDay,
        follower: &FollowerId,
    ) -> Result<Vec<Timestamp>, ReaderError> {
        let sql = format!(
            "SELECT COALESCE(i.ts_sent, i.created_at) AS sent FROM {LEADER_ORDERS_THEN} {INTENTS_OF_FOLLOWER}
             WHERE {OF_THE_DAY} AND i.state NOT IN ('PLANNED', 'NOT_SENT', 'VOIDED') ORDER BY 1"
        );
        self.rows(&sql, [day.to_string(), follower.to_string()], |row| time(row, "sent"))
    }
}

pub(super) fn mapping(row: &Row<'_>) -> rusqlite::Result<MappingRow> {
    Ok(MappingRow {
        key: mirror_key(row)?,
        outcome: word(row, "outcome")?,
        reason: word_or_none(row, "denied")?,
        note: row.get("note")?,
        sizing: convert(row, "inputs", |text: Option<String>| {
            text.map(|text| serde_json::from_str(&text)).transpose()
        })?,
        target: quantity(row, "target_quantity")?,
        closing: quantity(row, "closing_quantity")?,
        copied: quantity(row, "copied_quantity")?,
        filled: quantity(row, "filled_quantity")?,
        permit: permit(row)?,
        updated_at: time(row, "decided_at")?,
    })
}

fn permit(row: &Row<'_>) -> rusqlite::Result<Option<Permit>> {
    let Some(admitted) = row.get("admitted_quantity")? else { return Ok(None) };
    Ok(Some(Permit {
        admitted,
        refused: row.get("refused_quantity")?,
        opens_no_more: row.get("opens_no_more")?,
        is_stopped: row.get("is_stopped")?,
        purpose: convert(row, "aim", |text: Option<String>| {
            text.map(|text| purpose_from_word(&text)).transpose()
        })?,
    }))
}

fn mirror(row: &Row<'_>) -> rusqlite::Result<MirrorRows> {
    Ok(MirrorRows {
        mapping: mapping(row)?,
        leader: leader_order(row)?,
        fills: Vec::new(),
        intents: Vec::new(),
        orders: Vec::new(),
        gaps: Vec::new(),
    })
}

pub(super) fn intent(row: &Row<'_>) -> rusqlite::Result<IntentRow> {
    Ok(IntentRow {
        client_order_id: convert(row, "client_order_id", |text: String| ClientOrderId::new(text))?,
        kind: word(row, "kind")?,
        serial: row.get("serial")?,
        part: word_or_none(row, "part")?,
        child: ChildKey {
            trading_day: day(row, "trading_day")?,
            leader_order: broker_order_id(row, "leader_order_id")?,
            follower: follower(row, "follower_id")?,
            leg: row.get("leg")?,
            slice: row.get("slice")?,
            attempt: row.get("attempt")?,
        },
        leader_account: account(row, "leader_account")?,
        account: account(row, "account")?,
        event: row.get("event_fingerprint")?,
        purpose: convert(row, "purpose", |text: String| purpose_from_word(&text))?,
        note: note(row)?,
        state: word(row, "state")?,
        terms: terms(row)?,
        broker_order_id: id_or_none(row, "broker_order_id", BrokerOrderId::new)?,
        refusal: refusal(row)?,
        timing: IntentTiming {
            leader_event: time_or_none(row, "ts_leader_event")?,
            received: time_or_none(row, "ts_received")?,
            decided: time_or_none(row, "ts_decided")?,
            committed: time_or_none(row, "ts_committed")?,
            sent: time_or_none(row, "ts_sent")?,
            answered: time_or_none(row, "ts_answered")?,
            added_latency_us: row.get("added_latency_us")?,
        },
        created_at: time(row, "created_at")?,
    })
}

fn note(row: &Row<'_>) -> rusqlite::Result<Option<ChildNote>> {
    let (Some(is_retired), Some(has_fired)) = (row.get("is_retired")?, row.get("has_fired")?) else {
        return Ok(None);
    };
    let purpose = convert(row, "purpose", |text: String| purpose_from_word(&text))?;
    Ok(Some(ChildNote { purpose, is_retired, has_fired }))
}

pub(super) fn gap(row: &Row<'_>) -> rusqlite::Result<GapRow> {
    Ok(GapRow {
        key: mirror_key(row)?,
        gap: Gap { kind: word(row, "kind")?, units: row.get("units")?, result: word(row, "result")? },
        text: row.get("text")?,
        at: time(row, "updated_at")?,
    })
}

fn refusal(row: &Row<'_>) -> rusqlite::Result<Option<RefusalRow>> {
    let Some(text) = row.get("refusal_text")? else { return Ok(None) };
    Ok(Some(RefusalRow { http: row.get("refusal_http")?, code: row.get("refusal_code")?, text }))
}
