//! Everything stored of one leader order: what `tandem explain` tells.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Params, Row};
use tandem_domain::ids::{BrokerOrderId, ClientOrderId, DhanClientId};
use tandem_domain::leader::LeaderOrder;
use tandem_domain::order::{BrokerStatus, Leg, OrderTerms, TradeReport};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;
use tandem_domain::time::{Timestamp, TradingDay};

use super::Reader;
use super::accounts::trade;
use super::columns::{
    NO_LEG, ORDER_COLUMNS, account, account_order, broker_order_id, convert, leader_order, price, quantity,
    status, terms, time, time_or_none, word_or_none,
};
use super::mirrors::{INTENT_COLUMNS, MAPPING_COLUMNS, gap, intent, mapping};
use super::status::{comparison, incident};
use crate::store::codes::{OrderRole, leg_from_word};
use crate::store::error::ReaderError;
use crate::store::rows::{AccountOrder, FillComparison, GapRow, IncidentRow, IntentRow, MappingRow};

/// One leader order with all that came of it, as of one moment.
#[derive(Debug, Clone)]
pub struct Story {
    /// The leader's order, in its newest state.
    pub leader: Arc<LeaderOrder>,
    /// What the instrument was called on that day, if its master is still stored.
    pub symbol: Option<String>,
    /// Each state of it that was seen, and of its legs, in order of arrival.
    pub events: Vec<OrderEvent>,
    /// One for each follower, by name.
    pub mirrors: Vec<MirrorStory>,
}

/// One follower's part.
#[derive(Debug, Clone)]
pub struct MirrorStory {
    /// What was decided, as it stands.
    pub mapping: MappingRow,
    /// When it was decided first.
    pub decided_at: Timestamp,
    /// How the fills compare, once both sides have some.
    pub comparison: Option<FillComparison>,
    /// What was asked of the broker, oldest first.
    pub requests: Vec<Request>,
    /// The follower's orders and their legs, in their newest states.
    pub orders: Vec<AccountOrder>,
    /// Each state of them that was seen, in order of arrival.
    pub events: Vec<OrderEvent>,
    /// Their fills, with the time at which each was known.
    pub trades: Vec<(TradeReport, Timestamp)>,
    /// Where it parted from the leader, with the time of opening.
    pub gaps: Vec<(GapRow, Timestamp)>,
    /// Incidents that name the leader's order or one of the follower's, with the time of closing.
    pub incidents: Vec<(IncidentRow, Option<Timestamp>)>,
}

/// One request to the broker.
#[derive(Debug, Clone)]
pub struct Request {
    /// What was asked.
    pub intent: IntentRow,
    /// When its state changed last.
    pub updated_at: Timestamp,
}

/// A state of an order, as seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderEvent {
    /// Whose order.
    pub account: DhanClientId,
    /// Which.
    pub broker_order_id: BrokerOrderId,
    /// Which leg of a super order, if of one.
    pub leg: Leg,
    /// The broker's word.
    pub status: BrokerStatus,
    /// What it asks for. Instrument, side and product are the order's: they do not change.
    pub terms: OrderTerms,
    /// Units filled.
    pub cumulative: Quantity,
    /// Average price of them.
    pub average_price: Price,
    /// Units that its exit legs closed again.
    pub exited: Quantity,
    /// Why it ended.
    pub reason: Option<Arc<str>>,
    /// The broker's time of the change.
    pub ts_event: Timestamp,
    /// Ours, of the evidence.
    pub ts_init: Timestamp,
}

/// What an order id turned out to be.
#[derive(Debug, Clone)]
pub enum Found {
    /// A leader order, or something that led to it: a leg of it, a copy of it, a leg of a copy.
    Story(Box<Story>),
    /// An order that somebody else placed in a watched account.
    External(Box<AccountOrder>),
    /// Nothing we know; with the day that was looked at and the leader's orders of it.
    Nothing {
        /// The day asked for, else the newest that has any orders.
        day: Option<TradingDay>,
        /// The leader's orders of that day.
        leader_orders: Vec<BrokerOrderId>,
    },
}

const EVENT_COLUMNS: &str = "
    o.account, o.broker_order_id, o.leg, e.status, o.segment, o.security_id, o.side, o.product, e.order_type, e.time_in_force,
    e.quantity, e.disclosed, e.price, e.trigger_price, o.after_market, e.form, e.cumulative, e.average_price, e.exited,
    e.reason, e.ts_event, e.ts_init";

const EVENTS_OF: &str = "order_events AS e ON e.account = o.account AND e.trading_day = o.trading_day
    AND e.broker_order_id = o.broker_order_id";

impl Reader {
    /// The story of a leader order, found by its id, by that of one of its legs or by that of a follower's order; of the
    /// newest day that knows the id, unless a day is given.
    pub fn story(&self, id: &str, of: Option<TradingDay>) -> Result<Found, ReaderError> {
        self.look(|connection| {
            // One transaction: all queries see the same commits.
            let snapshot = connection.unchecked_transaction()?;
            let Some(order) = newest_order(&snapshot, id, of)? else {
                return nothing(&snapshot, of);
            };
            let leader = match order.role {
                OrderRole::Leader => leader_of_leg(&snapshot, &order)?,
                OrderRole::Follower => leader_of_copy(&snapshot, &order)?,
                OrderRole::External => None,
            };
            match leader {
                Some(leader) => Ok(Found::Story(Box::new(story(&snapshot, leader)?))),
                None => Ok(Found::External(Box::new(order))),
            }
        })
    }
}

fn newest_order(
    connection: &Connection,
    id: &str,
    of: Option<TradingDay>,
) -> rusqlite::Result<Option<AccountOrder>> {
    let sql = format!(
        "SELECT {ORDER_COLUMNS} FROM orders AS o WHERE o.broker_order_id = ?1 AND o.trading_day = COALESCE(?2, o.trading_day)
         ORDER BY o.trading_day DESC, o.role = 'leader' DESC, o.role = 'follower' DESC LIMIT 1"
    );
    connection.query_row(&sql, (id, of.map(|day| day.to_string())), account_order).optional()
}

fn nothing(connection: &Connection, of: Option<TradingDay>) -> rusqlite::Result<Found> {
    let day = match of {
        Some(day) => Some(day),
        None => connection
            .query_row(
                "SELECT MAX(trading_day) AS trading_day FROM orders WHERE role = 'leader'",
                [],
                |row| word_or_none(row, "trading_day"),
            )
            .optional()?
            .flatten(),
    };
    let sql = format!(
        "SELECT o.broker_order_id FROM orders AS o WHERE o.trading_day = ?1 AND o.role = 'leader' AND {NO_LEG}
         ORDER BY o.first_seen_at"
    );
    let leader_orders = rows(connection, &sql, [day.map(|day| day.to_string())], |row| {
        broker_order_id(row, "broker_order_id")
    })?;
    Ok(Found::Nothing { day, leader_orders })
}

/// The order itself, or the entry that it is a leg of.
fn leader_of_leg(
    connection: &Connection,
    order: &AccountOrder,
) -> rusqlite::Result<Option<Arc<LeaderOrder>>> {
    let sql = format!(
        "SELECT {ORDER_COLUMNS} FROM orders AS o WHERE o.account = ?1 AND o.trading_day = ?2 AND o.role = 'leader'
            AND (o.broker_order_id = ?3 OR o.broker_order_id = ?4) AND {NO_LEG} ORDER BY o.broker_order_id = ?3 DESC LIMIT 1"
    );
    let report = &order.report;
    let parameters = (
        report.account.as_str(),
        order.trading_day.to_string(),
        report.broker_order_id.as_str(),
        report.parent.as_ref().map(BrokerOrderId::as_str),
    );
    connection.query_row(&sql, parameters, leader_order).optional()
}

/// The leader's order that a follower's order, or the entry it is a leg of, is a copy of.
fn leader_of_copy(
    connection: &Connection,
    order: &AccountOrder,
) -> rusqlite::Result<Option<Arc<LeaderOrder>>> {
    let sql = format!(
        "SELECT {ORDER_COLUMNS} FROM intents AS i JOIN orders AS o ON o.account = i.leader_account
            AND o.trading_day = i.trading_day AND o.broker_order_id = i.leader_order_id
         WHERE i.serial = 0 AND i.client_order_id = COALESCE(?1, (
            SELECT entry.client_order_id FROM orders AS entry
            WHERE entry.account = ?2 AND entry.trading_day = ?3 AND entry.broker_order_id = ?4))"
    );
    let parameters = (
        order.client_order_id.as_ref().map(ClientOrderId::as_str),
        order.report.account.as_str(),
        order.trading_day.to_string(),
        order.report.parent.as_ref().map(BrokerOrderId::as_str),
    );
    connection.query_row(&sql, parameters, leader_order).optional()
}

fn story(connection: &Connection, leader: Arc<LeaderOrder>) -> rusqlite::Result<Story> {
    let (day, of, id) =
        (leader.trading_day.to_string(), leader.account.to_string(), leader.broker_order_id.to_string());
    let key = (day.as_str(), of.as_str(), id.as_str());
    let instrument = leader.terms.instrument;
    let symbol = connection
        .query_row(
            "SELECT symbol FROM instruments WHERE day = ?1 AND segment = ?2 AND security_id = ?3",
            (key.0, instrument.segment.as_str(), instrument.security_id.0),
            |row| row.get(0),
        )
        .optional()?;
    let sql = format!(
        "SELECT {EVENT_COLUMNS} FROM orders AS o CROSS JOIN {EVENTS_OF}
         WHERE o.trading_day = ?1 AND o.account = ?2
            AND (o.broker_order_id = ?3 OR (o.parent_order_id = ?3 AND NOT {NO_LEG})) ORDER BY e.ts_init, e.rowid"
    );
    let events = rows(connection, &sql, key, event)?;
    let sql = format!(
        "SELECT {MAPPING_COLUMNS}, m.created_at FROM copy_mappings AS m
         WHERE m.trading_day = ?1 AND m.leader_account = ?2 AND m.leader_order_id = ?3 ORDER BY m.follower_id"
    );
    let decisions = rows(connection, &sql, key, |row| Ok((mapping(row)?, time(row, "created_at")?)))?;
    let mirrors = decisions
        .into_iter()
        .map(|(mapping, decided_at)| mirror(connection, mapping, decided_at))
        .collect::<Result<_, _>>()?;
    Ok(Story { leader, symbol, events, mirrors })
}

fn mirror(
    connection: &Connection,
    mapping: MappingRow,
    decided_at: Timestamp,
) -> rusqlite::Result<MirrorStory> {
    const OF_MIRROR: &str =
        "trading_day = ?1 AND leader_account = ?2 AND leader_order_id = ?3 AND follower_id = ?4";
    /// The follower's orders by our ids, and what hangs below them.
    const ORDERS: &str = "
        SELECT c.rowid FROM intents AS i CROSS JOIN orders AS c ON c.client_order_id = i.client_order_id
        WHERE i.trading_day = ?1 AND i.leader_account = ?2 AND i.leader_order_id = ?3 AND i.follower_id = ?4 AND i.serial = 0
        UNION
        SELECT l.rowid FROM intents AS i CROSS JOIN orders AS c ON c.client_order_id = i.client_order_id
        CROSS JOIN orders AS l ON l.account = c.account AND l.trading_day = c.trading_day
            AND l.parent_order_id = c.broker_order_id
        WHERE i.trading_day = ?1 AND i.leader_account = ?2 AND i.leader_order_id = ?3 AND i.follower_id = ?4 AND i.serial = 0";
    let (day, leader, order, follower) = (
        mapping.key.trading_day.to_string(),
        mapping.key.leader_account.to_string(),
        mapping.key.leader_order.to_string(),
        mapping.key.follower.to_string(),
    );
    let key = (day.as_str(), leader.as_str(), order.as_str(), follower.as_str());
    let sql = format!(
        "SELECT trading_day, leader_account, leader_order_id, follower_id, filled_quantity, leader_average,
            follower_average, slippage_money, slippage_ticks, slippage_bps_x100, fill_delay_us, updated_at
         FROM copy_mappings WHERE {OF_MIRROR} AND slippage_money IS NOT NULL"
    );
    let comparison = connection.query_row(&sql, key, comparison).optional()?;
    let sql = format!(
        "SELECT {INTENT_COLUMNS}, i.updated_at FROM intents AS i WHERE {OF_MIRROR}
         ORDER BY i.created_at, i.leg, i.slice, i.attempt, i.serial"
    );
    let requests = rows(connection, &sql, key, |row| {
        Ok(Request { intent: intent(row)?, updated_at: time(row, "updated_at")? })
    })?;
    let sql = format!(
        "SELECT {ORDER_COLUMNS} FROM orders AS o WHERE o.rowid IN ({ORDERS}) ORDER BY o.first_seen_at, o.broker_order_id"
    );
    let orders: Vec<AccountOrder> = rows(connection, &sql, key, account_order)?;
    let sql = format!(
        "SELECT {EVENT_COLUMNS} FROM orders AS o CROSS JOIN {EVENTS_OF} WHERE o.rowid IN ({ORDERS})
         ORDER BY e.ts_init, e.rowid"
    );
    let events = rows(connection, &sql, key, event)?;
    let sql = format!(
        "SELECT t.* FROM orders AS o CROSS JOIN trades AS t ON t.account = o.account
            AND t.trading_day = COALESCE(o.carried_to, o.trading_day) AND t.broker_order_id = o.broker_order_id WHERE o.rowid IN ({ORDERS}) ORDER BY t.ts_init, t.ts_event, t.trade_id"
    );
    let trades = rows(connection, &sql, key, |row| Ok((trade(row)?, time(row, "ts_init")?)))?;
    let sql = format!("SELECT * FROM copy_gaps WHERE {OF_MIRROR} ORDER BY opened_at, kind");
    let gaps = rows(connection, &sql, key, |row| Ok((gap(row)?, time(row, "opened_at")?)))?;
    let names = named(&mapping, &requests, &orders);
    let sql = "SELECT id, opened_at, kind, follower_id, segment, security_id, text, closed_at FROM incidents
        WHERE follower_id IS NULL OR follower_id = ?1 ORDER BY opened_at, id";
    let mut incidents =
        rows(connection, sql, [key.3], |row| Ok((incident(row)?, time_or_none(row, "closed_at")?)))?;
    incidents.retain(|(incident, _)| {
        // What was carried over may have come to something on a later day than its own.
        let is_of_day = incident.opened_at.trading_day() >= mapping.key.trading_day;
        is_of_day && names.iter().any(|name| says(&incident.id, name) || says(&incident.text, name))
    });
    Ok(MirrorStory { mapping, decided_at, comparison, requests, orders, events, trades, gaps, incidents })
}

/// Every id by which an incident may speak of this mirror.
fn named(mapping: &MappingRow, requests: &[Request], orders: &[AccountOrder]) -> Vec<String> {
    let of_requests = requests.iter().map(|request| request.intent.client_order_id.to_string());
    let of_orders = orders.iter().map(|order| order.report.broker_order_id.to_string());
    let mut names: Vec<_> = of_requests.chain(of_orders).collect();
    names.push(mapping.key.leader_order.to_string());
    names
}

/// Whether a text has this word, whole.
fn says(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    text.split(|c| !is_part(c)).any(|word| word == name)
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare_cached(sql)?.query_map(parameters, read)?.collect()
}

fn event(row: &Row<'_>) -> rusqlite::Result<OrderEvent> {
    Ok(OrderEvent {
        account: account(row, "account")?,
        broker_order_id: broker_order_id(row, "broker_order_id")?,
        leg: convert(row, "leg", |text: String| leg_from_word(&text))?,
        status: status(row)?,
        terms: terms(row)?,
        cumulative: quantity(row, "cumulative")?,
        average_price: price(row, "average_price")?,
        exited: quantity(row, "exited")?,
        reason: row.get("reason")?,
        ts_event: time(row, "ts_event")?,
        ts_init: time(row, "ts_init")?,
    })
}
