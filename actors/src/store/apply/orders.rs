//! Order states and fills.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};
use tandem_domain::ids::{ClientOrderId, DhanClientId};
use tandem_domain::order::{BrokerStatus, Leg, OrderReport, OrderTerms, TradeReport};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;
use tandem_domain::time::{Timestamp, TradingDay};

use super::form_text;
use crate::store::codes::{OrderRole, leg_word, source_word};
use crate::store::redact::plain_text;
use crate::store::rows::{AccountOrder, CarriedOver, LeaderEvent};

const INSERT_EVENT: &str = "
INSERT INTO order_events (account, trading_day, broker_order_id, fingerprint, role, status, order_type, time_in_force,
    quantity, disclosed, price, trigger_price, cumulative, average_price, reason, ts_event, ts_init, form, exited)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
ON CONFLICT (account, trading_day, broker_order_id, fingerprint) DO NOTHING";

// The plain order book shows no legs: a form or a parent that is known is not lost to a report that has none.
// P9: cumulative quantity only rises, a terminal order stays terminal. A leader's states may arrive late, each follower's
// job carrying its own: an older one changes nothing.
const UPSERT_ORDER: &str = "
INSERT INTO orders (account, trading_day, broker_order_id, role, client_order_id, exchange_order_id, tag, segment,
    security_id, side, product, order_type, time_in_force, quantity, disclosed, price, trigger_price, after_market, leg,
    status, terminal, cumulative, average_price, reason, source, ts_event, ts_first_event, ts_exchange, first_seen_at,
    updated_at, form, parent_order_id, exited, last_price, carried_to)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24,
    ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35)
ON CONFLICT (account, trading_day, broker_order_id) DO UPDATE SET
    role = CASE WHEN role = 'external' THEN excluded.role ELSE role END,
    client_order_id = COALESCE(client_order_id, excluded.client_order_id),
    exchange_order_id = COALESCE(excluded.exchange_order_id, exchange_order_id),
    tag = COALESCE(tag, excluded.tag),
    order_type = excluded.order_type, time_in_force = excluded.time_in_force, quantity = excluded.quantity,
    disclosed = excluded.disclosed, price = excluded.price, trigger_price = excluded.trigger_price,
    after_market = excluded.after_market, leg = excluded.leg, form = COALESCE(excluded.form, form),
    parent_order_id = COALESCE(parent_order_id, excluded.parent_order_id), exited = MAX(exited, excluded.exited),
    last_price = COALESCE(excluded.last_price, last_price),
    status = CASE WHEN terminal > excluded.terminal THEN status ELSE excluded.status END,
    terminal = MAX(terminal, excluded.terminal),
    average_price = CASE WHEN cumulative > excluded.cumulative THEN average_price ELSE excluded.average_price END,
    cumulative = MAX(cumulative, excluded.cumulative),
    reason = COALESCE(excluded.reason, reason), source = excluded.source, ts_event = MAX(ts_event, excluded.ts_event),
    ts_first_event = MIN(ts_first_event, excluded.ts_first_event),
    ts_exchange = COALESCE(excluded.ts_exchange, ts_exchange),
    first_seen_at = MIN(first_seen_at, excluded.first_seen_at), updated_at = MAX(updated_at, excluded.updated_at)
WHERE excluded.role <> 'leader' OR excluded.ts_event >= ts_event";

// An order of ours is of the day of its intent, and carried with the leader order that it copies.
const DAY_OF_COPY: &str = "
SELECT i.trading_day, l.carried_to FROM intents AS i CROSS JOIN orders AS l ON l.account = i.leader_account
    AND l.trading_day = i.trading_day AND l.broker_order_id = i.leader_order_id
WHERE i.client_order_id = ?1 AND i.serial = 0";

// And what belongs to another order is of that one's.
const DAY_OF_PARENT: &str = "
SELECT trading_day, carried_to FROM orders
WHERE account = ?1 AND trading_day = ?3 AND broker_order_id = ?2 AND role = 'follower'
UNION ALL
SELECT trading_day, carried_to FROM orders
WHERE carried_to = ?3 AND account = ?1 AND broker_order_id = ?2 AND role = 'follower'
LIMIT 1";

const CARRY_LEADERS: &str = "
UPDATE orders SET carried_to = ?4
WHERE account = ?1 AND trading_day = ?2 AND broker_order_id = ?3 AND COALESCE(carried_to, trading_day) < ?4";

const CARRY_COPIES: &str = "
UPDATE orders SET carried_to = ?4 WHERE COALESCE(carried_to, trading_day) < ?4 AND client_order_id IN (
    SELECT client_order_id FROM intents
    WHERE leader_account = ?1 AND trading_day = ?2 AND leader_order_id = ?3 AND serial = 0)";

const CARRY_LEGS: &str = "
UPDATE orders SET carried_to = ?4 WHERE COALESCE(carried_to, trading_day) < ?4 AND rowid IN (
    SELECT leg.rowid FROM intents AS i CROSS JOIN orders AS o ON o.client_order_id = i.client_order_id
    CROSS JOIN orders AS leg ON leg.account = o.account AND leg.trading_day = o.trading_day
        AND leg.parent_order_id = o.broker_order_id
    WHERE i.leader_account = ?1 AND i.trading_day = ?2 AND i.leader_order_id = ?3 AND i.serial = 0)";

const INSERT_TRADE: &str = "
INSERT INTO trades (account, trading_day, broker_order_id, trade_id, segment, security_id, side, product, quantity, price,
    ts_event, ts_init)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT (account, trading_day, broker_order_id, trade_id) DO NOTHING";

/// An order's state, whosever it is: what both kinds of write have in common.
struct State<'a> {
    account: &'a DhanClientId,
    trading_day: String,
    /// Of a new row alone: what is there was told when its day began.
    carried_to: Option<String>,
    broker_order_id: &'a str,
    fingerprint: i64,
    role: OrderRole,
    client_order_id: Option<&'a ClientOrderId>,
    exchange_order_id: Option<&'a str>,
    tag: Option<&'a str>,
    parent: Option<&'a str>,
    exited: Quantity,
    last_price: Option<Price>,
    terms: &'a OrderTerms,
    form: Option<String>,
    leg: Leg,
    status: &'a BrokerStatus,
    cumulative: Quantity,
    average_price: Price,
    /// The broker's words, redacted.
    reason: Option<String>,
    source: Option<&'static str>,
    ts_event: Timestamp,
    ts_first_event: Timestamp,
    ts_exchange: Option<Timestamp>,
    first_seen_at: Timestamp,
    ts_init: Timestamp,
}

pub(super) fn leader_event(connection: &Connection, event: &LeaderEvent) -> rusqlite::Result<()> {
    let order = &*event.order;
    let state = State {
        account: &order.account,
        trading_day: order.trading_day.to_string(),
        carried_to: None,
        broker_order_id: order.broker_order_id.as_str(),
        fingerprint: order.fingerprint(),
        role: OrderRole::Leader,
        client_order_id: None,
        exchange_order_id: None,
        tag: order.tag.as_ref().map(tandem_domain::ids::Tag::as_str),
        parent: order.forever_parent.as_ref().map(tandem_domain::ids::BrokerOrderId::as_str),
        exited: order.exited,
        last_price: order.last_price,
        terms: &order.terms,
        form: form_text(&order.terms)?,
        leg: order.leg,
        status: &order.status,
        cumulative: order.cumulative,
        average_price: order.average_price,
        reason: order.reason.as_deref().map(plain_text),
        source: None,
        ts_event: order.ts_event,
        ts_first_event: order.ts_first_event,
        ts_exchange: None,
        first_seen_at: order.ts_first_seen,
        ts_init: event.ts_init,
    };
    record(connection, &state)
}

pub(super) fn account_order(connection: &Connection, order: &AccountOrder) -> rusqlite::Result<()> {
    let report = &order.report;
    let form = form_text(&report.terms)?;
    let (trading_day, carried_to) = day_of(connection, order)?;
    let state = State {
        account: &report.account,
        trading_day,
        carried_to,
        broker_order_id: report.broker_order_id.as_str(),
        fingerprint: fingerprint(report, form.as_deref()),
        role: order.role,
        client_order_id: order.client_order_id.as_ref(),
        exchange_order_id: report.exchange_order_id.as_ref().map(tandem_domain::ids::ExchangeOrderId::as_str),
        tag: report.tag.as_ref().map(tandem_domain::ids::Tag::as_str),
        parent: report.parent.as_ref().map(tandem_domain::ids::BrokerOrderId::as_str),
        exited: Quantity::ZERO,
        last_price: report.last_price,
        terms: &report.terms,
        form,
        leg: report.leg,
        status: &report.status,
        cumulative: report.cumulative,
        average_price: report.average_price,
        reason: report.reason.as_deref().map(plain_text),
        source: Some(source_word(report.source)),
        ts_event: report.ts_event,
        ts_first_event: report.ts_event,
        ts_exchange: report.ts_exchange,
        first_seen_at: order.ts_init,
        ts_init: order.ts_init,
    };
    record(connection, &state)
}

/// The inbox row, once, and the newest state.
fn record(connection: &Connection, state: &State<'_>) -> rusqlite::Result<()> {
    let terms = state.terms;
    let form = state.form.as_deref();
    connection.prepare_cached(INSERT_EVENT)?.execute(params![
        state.account.as_str(),
        state.trading_day,
        state.broker_order_id,
        state.fingerprint,
        state.role.as_str(),
        state.status.as_str(),
        terms.order_type.as_str(),
        terms.time_in_force.as_str(),
        terms.quantity.get(),
        terms.disclosed.get(),
        terms.price.units(),
        terms.trigger.units(),
        state.cumulative.get(),
        state.average_price.units(),
        state.reason,
        state.ts_event.micros(),
        state.ts_init.micros(),
        form,
        state.exited.get(),
    ])?;
    connection.prepare_cached(UPSERT_ORDER)?.execute(params![
        state.account.as_str(),
        state.trading_day,
        state.broker_order_id,
        state.role.as_str(),
        state.client_order_id.map(ClientOrderId::as_str),
        state.exchange_order_id,
        state.tag,
        terms.instrument.segment.as_str(),
        terms.instrument.security_id.0,
        terms.side.as_str(),
        terms.product.as_str(),
        terms.order_type.as_str(),
        terms.time_in_force.as_str(),
        terms.quantity.get(),
        terms.disclosed.get(),
        terms.price.units(),
        terms.trigger.units(),
        terms.after_market,
        leg_word(state.leg),
        state.status.as_str(),
        state.status.is_terminal(),
        state.cumulative.get(),
        state.average_price.units(),
        state.reason,
        state.source,
        state.ts_event.micros(),
        state.ts_first_event.micros(),
        state.ts_exchange.map(Timestamp::micros),
        state.first_seen_at.micros(),
        state.ts_init.micros(),
        form,
        state.parent,
        state.exited.get(),
        state.last_price.map(Price::units),
        state.carried_to,
    ])?;
    Ok(())
}

/// The day of an order, and the one into which it was carried.
fn day_of(connection: &Connection, order: &AccountOrder) -> rusqlite::Result<(String, Option<String>)> {
    let (report, given) = (&order.report, order.trading_day.to_string());
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let known = match (&order.client_order_id, &report.parent) {
        _ if order.role != OrderRole::Follower => None,
        (Some(client_order_id), _) => {
            connection.prepare_cached(DAY_OF_COPY)?.query_row([client_order_id.as_str()], read).optional()?
        }
        (None, Some(parent)) => connection
            .prepare_cached(DAY_OF_PARENT)?
            .query_row(params![report.account.as_str(), parent.as_str(), given], read)
            .optional()?,
        (None, None) => None,
    };
    Ok(known.unwrap_or((given, None)))
}

/// Everything that hangs at a leader order goes with it. Carried once, it is not carried again.
pub(super) fn carry_over(connection: &Connection, row: &CarriedOver) -> rusqlite::Result<()> {
    let (day, to) = (row.trading_day.to_string(), row.to.to_string());
    for sql in [CARRY_LEADERS, CARRY_COPIES, CARRY_LEGS] {
        let key = params![row.account.as_str(), day, row.broker_order_id.as_str(), to];
        connection.prepare_cached(sql)?.execute(key)?;
    }
    Ok(())
}

/// Tells one state of an order from another: 64 bits of SHA-256 over everything that may change in its life. The
/// channel and the exchange's ids and times do not count, so that a frame and the book row that says the same are one.
fn fingerprint(report: &OrderReport, form: Option<&str>) -> i64 {
    let terms = &report.terms;
    let mut hash = Sha256::new();
    for text in [report.status.as_str(), terms.order_type.as_str(), terms.time_in_force.as_str()] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    for number in [
        i64::from(terms.quantity.get()),
        i64::from(terms.disclosed.get()),
        terms.price.units(),
        terms.trigger.units(),
        i64::from(report.cumulative.get()),
        report.average_price.units(),
        report.ts_event.micros(),
    ] {
        hash.update(number.to_be_bytes());
    }
    if let Some(form) = form {
        hash.update(form.as_bytes());
    }
    hash.finalize().first_chunk::<8>().copied().map_or(0, i64::from_be_bytes)
}

pub(super) fn trade(
    connection: &Connection,
    report: &TradeReport,
    trading_day: TradingDay,
    ts_init: Timestamp,
) -> rusqlite::Result<()> {
    connection.prepare_cached(INSERT_TRADE)?.execute(params![
        report.account.as_str(),
        trading_day.to_string(),
        report.broker_order_id.as_str(),
        report.trade_id.as_str(),
        report.instrument.segment.as_str(),
        report.instrument.security_id.0,
        report.side.as_str(),
        report.product.as_str(),
        report.quantity.get(),
        report.price.units(),
        report.ts_event.micros(),
        ts_init.micros(),
    ])?;
    Ok(())
}
