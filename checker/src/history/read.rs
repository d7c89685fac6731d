//! The statements. Columns are named one by one: a database without one of them is not judged by guesses.

use rusqlite::{Connection, Params, Row};
use serde_json::Value;

use super::History;
use super::rows::{
    AuditRow, EventRow, GapRow, IncidentRow, Instrument, IntentRow, MappingRow, OpeningRow, OrderRow,
    PositionRow, TradeRow, TradingRow,
};

/// Reads all rows, or those of a day. What belongs to no day is read whole.
pub(super) fn everything(connection: &Connection, day: Option<&str>) -> rusqlite::Result<History> {
    let mut history = History {
        orders: rows(connection, ORDERS, [day], order)?,
        events: rows(connection, EVENTS, [day], event)?,
        trades: rows(connection, TRADES, [day], trade)?,
        mappings: rows(connection, MAPPINGS, [day], mapping)?,
        intents: rows(connection, INTENTS, [day], intent)?,
        gaps: rows(connection, GAPS, [day], gap)?,
        openings: rows(connection, OPENINGS, [day], opening)?,
        positions: rows(connection, POSITIONS, [day], position)?,
        incidents: rows(connection, INCIDENTS, [], incident)?,
        audit: rows(connection, AUDIT, [], audit)?,
        trading: rows(connection, TRADING, [], trading)?,
        ..History::default()
    };
    for snapshot in rows(connection, SNAPSHOTS, [day], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))? {
        history.snapshots.insert(snapshot.0, snapshot.1);
    }
    for account in rows(connection, "SELECT DISTINCT account FROM funds", [], |row| row.get(0))? {
        history.accounts.insert(account);
    }
    let settings = "SELECT key, value FROM config";
    for (key, value) in rows(connection, settings, [], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))? {
        history.settings.entry(key).or_default().insert(value);
    }
    history.moment = connection.query_row("SELECT MAX(reported_at) FROM health", [], |row| row.get(0))?;
    let head = "SELECT last_id, hash FROM audit_head WHERE id = 1";
    history.audit_head = connection.query_row(head, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    history.damage = damage(connection)?;
    (history.texts, history.secrets) = secrets(connection)?;
    Ok(history)
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare(sql)?.query_map(parameters, read)?.collect()
}

const ORDERS: &str = "
SELECT account, trading_day, broker_order_id, role, client_order_id, tag, segment, security_id, side, leg, quantity, status,
    terminal, cumulative, exited, ts_event, ts_first_event, updated_at, parent_order_id,
    COALESCE(carried_to, trading_day) AS counts_on
FROM orders WHERE ?1 IS NULL OR counts_on = ?1 ORDER BY ts_first_event, broker_order_id";

fn order(row: &Row<'_>) -> rusqlite::Result<OrderRow> {
    Ok(OrderRow {
        account: row.get("account")?,
        day: row.get("trading_day")?,
        counts_on: row.get("counts_on")?,
        id: row.get("broker_order_id")?,
        role: row.get("role")?,
        client_order_id: row.get("client_order_id")?,
        tag: row.get("tag")?,
        instrument: instrument(row)?,
        sign: sign(row)?,
        leg: row.get("leg")?,
        quantity: row.get("quantity")?,
        status: row.get("status")?,
        terminal: row.get("terminal")?,
        cumulative: row.get("cumulative")?,
        exited: row.get("exited")?,
        ts_event: row.get("ts_event")?,
        ts_first_event: row.get("ts_first_event")?,
        updated: row.get("updated_at")?,
        parent: row.get("parent_order_id")?,
    })
}

const EVENTS: &str = "
SELECT account, trading_day, broker_order_id, fingerprint, status, cumulative, ts_event, ts_init
FROM order_events AS e WHERE ?1 IS NULL OR ?1 = (
    SELECT COALESCE(o.carried_to, o.trading_day) FROM orders AS o WHERE o.account = e.account
        AND o.trading_day = e.trading_day AND o.broker_order_id = e.broker_order_id)
ORDER BY ts_init, rowid";

fn event(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        account: row.get("account")?,
        day: row.get("trading_day")?,
        id: row.get("broker_order_id")?,
        fingerprint: row.get("fingerprint")?,
        status: row.get("status")?,
        cumulative: row.get("cumulative")?,
        ts_event: row.get("ts_event")?,
        ts_init: row.get("ts_init")?,
    })
}

const TRADES: &str = "
SELECT account, trading_day, broker_order_id, trade_id, segment, security_id, side, quantity, ts_event
FROM trades WHERE ?1 IS NULL OR trading_day = ?1 ORDER BY ts_event, trade_id";

fn trade(row: &Row<'_>) -> rusqlite::Result<TradeRow> {
    Ok(TradeRow {
        account: row.get("account")?,
        day: row.get("trading_day")?,
        order: row.get("broker_order_id")?,
        id: row.get("trade_id")?,
        instrument: instrument(row)?,
        sign: sign(row)?,
        quantity: row.get("quantity")?,
        ts_event: row.get("ts_event")?,
    })
}

const MAPPINGS: &str = "
SELECT trading_day, leader_account, leader_order_id, follower_id, outcome, reason, target_quantity, inputs,
    filled_quantity, updated_at
FROM copy_mappings AS m WHERE ?1 IS NULL OR ?1 = (
    SELECT COALESCE(l.carried_to, l.trading_day) FROM orders AS l WHERE l.account = m.leader_account
        AND l.trading_day = m.trading_day AND l.broker_order_id = m.leader_order_id)";

fn mapping(row: &Row<'_>) -> rusqlite::Result<MappingRow> {
    let inputs: Option<String> = row.get("inputs")?;
    let inputs: Option<Value> = inputs.and_then(|inputs| serde_json::from_str(&inputs).ok());
    Ok(MappingRow {
        key: mirror(row)?,
        outcome: row.get("outcome")?,
        reason: row.get("reason")?,
        target: row.get("target_quantity")?,
        sized: inputs.and_then(|inputs| inputs["quantity"].as_i64()),
        filled: row.get("filled_quantity")?,
        updated: row.get("updated_at")?,
    })
}

const INTENTS: &str = "
SELECT client_order_id, kind, serial, part, trading_day, leader_account, leader_order_id, follower_id, leg, slice, attempt,
    account, event_fingerprint, purpose, state, segment, security_id, side, quantity, after_market, broker_order_id,
    refusal_http IS NOT NULL OR refusal_code IS NOT NULL OR refusal_text IS NOT NULL AS is_refused, ts_decided, ts_committed,
    ts_sent,
    created_at, updated_at, COALESCE((
        SELECT l.carried_to FROM orders AS l WHERE l.account = i.leader_account AND l.trading_day = i.trading_day
            AND l.broker_order_id = i.leader_order_id), trading_day) AS counts_on
FROM intents AS i WHERE ?1 IS NULL OR counts_on = ?1 ORDER BY created_at, client_order_id, serial";

fn intent(row: &Row<'_>) -> rusqlite::Result<IntentRow> {
    Ok(IntentRow {
        client_order_id: row.get("client_order_id")?,
        kind: row.get("kind")?,
        serial: row.get("serial")?,
        part: row.get("part")?,
        day: row.get("trading_day")?,
        counts_on: row.get("counts_on")?,
        mirror: mirror(row)?,
        leg: row.get("leg")?,
        slice: row.get("slice")?,
        attempt: row.get("attempt")?,
        account: row.get("account")?,
        event: row.get("event_fingerprint")?,
        purpose: row.get("purpose")?,
        state: row.get("state")?,
        instrument: instrument(row)?,
        sign: sign(row)?,
        quantity: row.get("quantity")?,
        after_market: row.get("after_market")?,
        broker_order_id: row.get("broker_order_id")?,
        is_refused_on_record: row.get("is_refused")?,
        decided: row.get("ts_decided")?,
        committed: row.get("ts_committed")?,
        sent: row.get("ts_sent")?,
        created: row.get("created_at")?,
        updated: row.get("updated_at")?,
    })
}

const GAPS: &str = "
SELECT trading_day, leader_account, leader_order_id, follower_id FROM copy_gaps AS g WHERE ?1 IS NULL OR ?1 = (
    SELECT COALESCE(l.carried_to, l.trading_day) FROM orders AS l WHERE l.account = g.leader_account
        AND l.trading_day = g.trading_day AND l.broker_order_id = g.leader_order_id)";

fn gap(row: &Row<'_>) -> rusqlite::Result<GapRow> {
    Ok(GapRow { mirror: mirror(row)? })
}

const OPENINGS: &str = "
SELECT follower_id, trading_day, segment, security_id, leader_units, copied_units, own_units
FROM ledger_openings WHERE ?1 IS NULL OR trading_day = ?1";

fn opening(row: &Row<'_>) -> rusqlite::Result<OpeningRow> {
    Ok(OpeningRow {
        follower: row.get("follower_id")?,
        day: row.get("trading_day")?,
        instrument: instrument(row)?,
        leader: row.get("leader_units")?,
        copied: row.get("copied_units")?,
        own: row.get("own_units")?,
    })
}

const SNAPSHOTS: &str =
    "SELECT account, trading_day, taken_at FROM position_snapshots WHERE ?1 IS NULL OR trading_day = ?1";

const POSITIONS: &str = "
SELECT account, trading_day, segment, security_id, net_quantity, carried_quantity
FROM positions WHERE ?1 IS NULL OR trading_day = ?1";

fn position(row: &Row<'_>) -> rusqlite::Result<PositionRow> {
    Ok(PositionRow {
        account: row.get("account")?,
        day: row.get("trading_day")?,
        instrument: instrument(row)?,
        net: row.get("net_quantity")?,
        carried: row.get("carried_quantity")?,
    })
}

const INCIDENTS: &str =
    "SELECT id, opened_at, kind, follower_id, segment, security_id, closed_at FROM incidents";

fn incident(row: &Row<'_>) -> rusqlite::Result<IncidentRow> {
    Ok(IncidentRow {
        id: row.get("id")?,
        opened: row.get("opened_at")?,
        kind: row.get("kind")?,
        follower: row.get("follower_id")?,
        instrument: match row.get("segment")? {
            Some(segment) => Some(Instrument { segment, security_id: row.get("security_id")? }),
            None => None,
        },
        closed: row.get("closed_at")?,
    })
}

const AUDIT: &str =
    "SELECT id, recorded_at, actor, event, subject, details, previous_hash, hash FROM audit_log ORDER BY id";

fn audit(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    let details: String = row.get("details")?;
    let told: Value = serde_json::from_str(&details).unwrap_or_default();
    Ok(AuditRow {
        id: row.get("id")?,
        at: row.get("recorded_at")?,
        actor: row.get("actor")?,
        event: row.get("event")?,
        subject: row.get("subject")?,
        details,
        new_state: told["new"]["state"].as_str().map(str::to_owned),
        previous_hash: row.get("previous_hash")?,
        hash: row.get("hash")?,
    })
}

const TRADING: &str = "SELECT follower_id, state, cause FROM trading_states";

fn trading(row: &Row<'_>) -> rusqlite::Result<TradingRow> {
    Ok(TradingRow { follower: row.get("follower_id")?, state: row.get("state")?, cause: row.get("cause")? })
}

fn mirror(row: &Row<'_>) -> rusqlite::Result<super::rows::MirrorKey> {
    Ok((
        row.get("trading_day")?,
        row.get("leader_account")?,
        row.get("leader_order_id")?,
        row.get("follower_id")?,
    ))
}

fn instrument(row: &Row<'_>) -> rusqlite::Result<Instrument> {
    Ok(Instrument { segment: row.get("segment")?, security_id: row.get("security_id")? })
}

fn sign(row: &Row<'_>) -> rusqlite::Result<i64> {
    Ok(if row.get::<_, String>("side")? == "BUY" { 1 } else { -1 })
}

/// What is wrong with the file, and which rows refer to rows that are not there.
fn damage(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut found = rows(connection, "PRAGMA quick_check(20)", [], |row| row.get::<_, String>(0))?;
    found.retain(|line| line != "ok");
    let dangling = rows(connection, "PRAGMA foreign_key_check", [], |row| {
        let (table, row_id, parent): (String, Option<i64>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(format!(
            "{table} row {}: no such row in {parent}",
            row_id.map_or("?".to_owned(), |id| id.to_string())
        ))
    })?;
    found.extend(dangling);
    Ok(found)
}

/// Every column that holds texts from outside, with a key to name its rows by.
const TEXTS: [(&str, &str, &str); 12] = [
    ("intents", "client_order_id || '/' || serial", "request"),
    ("intents", "client_order_id || '/' || serial", "response"),
    ("intents", "client_order_id || '/' || serial", "refusal_text"),
    ("orders", "broker_order_id", "reason"),
    ("orders", "broker_order_id", "tag"),
    ("order_events", "broker_order_id", "reason"),
    ("incidents", "id", "text"),
    ("audit_log", "id", "details"),
    ("config", "key", "value"),
    ("health", "actor", "snapshot"),
    ("copy_mappings", "leader_order_id", "inputs"),
    ("copy_gaps", "leader_order_id", "text"),
];

/// How many texts there are, and which rows hold something like an access token.
fn secrets(connection: &Connection) -> rusqlite::Result<(usize, Vec<String>)> {
    let (mut texts, mut found) = (0, Vec::new());
    for (table, key, column) in TEXTS {
        let sql = format!("SELECT CAST({key} AS TEXT), {column} FROM {table} WHERE {column} IS NOT NULL");
        for (key, text) in
            rows(connection, &sql, [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
        {
            texts += 1;
            if holds_token(&text) {
                found.push(format!("{table} {key} ({column})"));
            }
        }
    }
    Ok((texts, found))
}

/// Whether a text holds a JSON Web Token, which the broker's access tokens are (`dhanhq-v2.md` section 1.3): three parts
/// of its alphabet with dots between, the first two JSON.
fn holds_token(text: &str) -> bool {
    let is_of_it = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.split(|c| !is_of_it(c)).any(|word| {
        let mut parts = word.split('.');
        let is_json =
            |part: Option<&str>| part.is_some_and(|part| part.len() > 10 && part.starts_with("eyJ"));
        is_json(parts.next()) && is_json(parts.next()) && parts.next().is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_form() {
        assert!(holds_token("sent with eyJhbGciOiJIUzI1NiJ9.eyJkaGFuQ2xpZW50SWQiOiIxIn0.abcdef: refused"));
        for harmless in ["", "eyJhbGciOiJIUzI1NiJ9", "{\"price\":1.5}", "a.b.c", "tdm-abcdefghijklmnop"] {
            assert!(!holds_token(harmless), "{harmless}");
        }
    }
}
