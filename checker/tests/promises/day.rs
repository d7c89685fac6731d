//! A right day, as Tandem would have written it, and the broker's book of it. Tests break it by SQL and JSON.
//!
//! Asha copies half. L1: bought 130, copied 65 as F1. L2: sold 130, copied as F2, an exit. L3: a purchase that the
//! leader gives up after a minute; its copy F3 is cancelled.

use std::path::Path;

use rusqlite::{Connection, Row, params};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tandem_checker::{Book, Report, verify};

use crate::columns::named;

/// Everything but rows.
const SCHEMA: &str = include_str!("../../../schema.sql");

pub(crate) const DAY: &str = "2026-12-01";
pub(crate) const LEADER: &str = "1000000101";
pub(crate) const ASHA: &str = "1000000202";

/// 10:00:00 in India on the day, in seconds since 1970 UTC.
const TEN: i64 = 1_796_099_400;

/// Microseconds of so many seconds after ten o'clock.
pub(crate) fn at(seconds: i64) -> i64 {
    (TEN + seconds) * 1_000_000
}

/// The broker's text of the same.
pub(crate) fn clock(seconds: i64) -> String {
    let seconds = seconds + 10 * 3600;
    format!("{DAY} {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// One leader's order and its copy.
struct Copied {
    leader: &'static str,
    copy: &'static str,
    tag: &'static str,
    side: &'static str,
    purpose: &'static str,
    status: &'static str,
    units: i64,
    /// Seconds after ten of the first sight and of the end.
    times: (i64, i64),
}

pub(crate) const TAGS: [&str; 3] =
    ["tdm-aaaaaaaaaaaaaaaaaaaa", "tdm-bbbbbbbbbbbbbbbbbbbb", "tdm-cccccccccccccccccccc"];

const COPIES: [Copied; 3] = [
    Copied {
        leader: "L1",
        copy: "F1",
        tag: TAGS[0],
        side: "BUY",
        purpose: "entry",
        status: "TRADED",
        units: 65,
        times: (0, 1),
    },
    Copied {
        leader: "L2",
        copy: "F2",
        tag: TAGS[1],
        side: "SELL",
        purpose: "exit",
        status: "TRADED",
        units: 65,
        times: (600, 601),
    },
    Copied {
        leader: "L3",
        copy: "F3",
        tag: TAGS[2],
        side: "BUY",
        purpose: "entry",
        status: "CANCELLED",
        units: 0,
        times: (1200, 1260),
    },
];

/// The day's database, right in everything, with whatever else is done to it.
pub(crate) fn write(path: &Path, break_it: &str) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; BEGIN").unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    for copied in &COPIES {
        connection.execute_batch(&named(&rows_of(copied))).unwrap();
    }
    let (started, late) = (at(-3000), at(19_800));
    connection
        .execute_batch(&named(&format!(
            "INSERT INTO intents SELECT client_order_id, 'cancel', 1, 'whole', trading_day, leader_account,
                 leader_order_id, follower_id, leg, slice, attempt, account, event_fingerprint, 'exit', 'ACKED', segment,
                 security_id, side, product, order_type, time_in_force, quantity, disclosed, price, trigger_price,
                 after_market, form, broker_order_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, {cancelled},
                 {cancelled} + 1, {cancelled} + 2, NULL, {cancelled}, {cancelled} + 2
             FROM intents WHERE leader_order_id = 'L3';
             UPDATE copy_mappings SET target_quantity = copied_quantity;
             {starting}
             INSERT INTO health VALUES ('sizer', 1, {late}, '{{}}');
             INSERT INTO config VALUES ('v1', 'copy.entry_age_ms_max', '30000', {started});
             INSERT INTO config VALUES ('v1', 'recovery.settle_ms', '15000', {started});
             INSERT INTO position_snapshots VALUES ('{ASHA}', '{DAY}', {late});
             INSERT INTO positions VALUES ('{ASHA}', '{DAY}', 'NSE_FNO', 43125, 'MARGIN', 0, 0, 0, 0, 0, {late}, 0);",
            cancelled = at(1260),
            starting = audit(1, -3000, "operator", "started", "NULL", "{}"),
        )))
        .unwrap();
    // What breaks a promise is what a broken store would have let pass.
    let triggers: Vec<String> = {
        let mut named = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").unwrap();
        named.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    for trigger in triggers {
        connection.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
    connection.execute_batch(&named(break_it)).unwrap();
    chain(&connection);
}

/// An entry of the audit log, not chained yet. The subject as SQL.
pub(crate) fn audit(id: i64, seconds: i64, actor: &str, event: &str, subject: &str, details: &str) -> String {
    format!(
        "INSERT INTO audit_log VALUES ({id}, {}, '{actor}', '{event}', {subject}, '{details}', zeroblob(32),
             zeroblob(32));",
        at(seconds)
    )
}

/// Chains the audit log as `schema.sql` says.
fn chain(connection: &Connection) {
    type Entry = (i64, i64, String, String, Option<String>, String);
    let entries: Vec<Entry> = {
        let sql = "SELECT id, recorded_at, actor, event, subject, details FROM audit_log ORDER BY id";
        let mut entries = connection.prepare(sql).unwrap();
        let read = |row: &Row<'_>| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        };
        entries.query_map([], read).unwrap().map(Result::unwrap).collect()
    };
    let mut previous = vec![0; 32];
    for (id, at, actor, event, subject, details) in entries {
        let mut bytes = previous.clone();
        bytes.extend(id.to_be_bytes());
        bytes.extend(at.to_be_bytes());
        for text in [Some(actor), Some(event), subject, Some(details)] {
            bytes.push(u8::from(text.is_some()));
            let text = text.unwrap_or_default();
            if bytes.last() == Some(&1) {
                bytes.extend((text.len() as u64).to_be_bytes());
            }
            bytes.extend(text.as_bytes());
        }
        let hash = Sha256::digest(&bytes).to_vec();
        let sql = "UPDATE audit_log SET previous_hash = ?2, hash = ?3 WHERE id = ?1";
        connection.execute(sql, params![id, previous, hash]).unwrap();
        connection.execute("UPDATE audit_head SET last_id = ?1, hash = ?2", params![id, hash]).unwrap();
        previous = hash;
    }
}

fn rows_of(copied: &Copied) -> String {
    let Copied { leader, copy, tag, side, purpose, status, units, times: (first, end) } = *copied;
    let (seen, over) = (at(first), at(end));
    let terms = "'NSE_FNO', 43125";
    let order = |account: &str, id: &str, role: &str, tag: &str, quantity: i64, filled: i64| {
        let tag = if tag.is_empty() { "NULL".to_owned() } else { format!("'{tag}'") };
        format!(
            "INSERT INTO orders VALUES ('{account}', '{DAY}', '{id}', '{role}', {tag}, NULL, {tag}, {terms}, '{side}',
                 'MARGIN', 'LIMIT', 'DAY', {quantity}, 0, 1000000, 0, 0, 'single', '{status}', 1, {filled}, 1000000, NULL,
                 'stream', {over}, {seen}, NULL, {seen}, {over}, NULL, NULL, 0, NULL);
             INSERT INTO order_events VALUES ('{account}', '{DAY}', '{id}', 1, '{role}', 'PENDING', 'LIMIT', 'DAY',
                 {quantity}, 0, 1000000, 0, 0, 0, NULL, {seen}, {seen}, NULL, 0);
             INSERT INTO order_events VALUES ('{account}', '{DAY}', '{id}', 2, '{role}', '{status}', 'LIMIT', 'DAY',
                 {quantity}, 0, 1000000, 0, {filled}, 1000000, NULL, {over}, {over}, NULL, 0);"
        )
    };
    let orders =
        order(LEADER, leader, "leader", "", 130, 2 * units) + &order(ASHA, copy, "follower", tag, 65, units);
    let fill = if units == 0 {
        String::new()
    } else {
        format!(
            "INSERT INTO trades VALUES ('{ASHA}', '{DAY}', '{copy}', 'T{copy}', {terms}, '{side}', 'MARGIN', {units},
                 1000000, {over}, {over});"
        )
    };
    format!(
        "{orders} {fill}
         INSERT INTO copy_mappings VALUES ('{DAY}', '{LEADER}', '{leader}', 'asha', 'sent', NULL, NULL, NULL, NULL, NULL,
             NULL, 65, {units}, {units}, NULL, NULL, NULL, NULL, NULL, NULL, {seen}, {over}, 0);
         INSERT INTO intents VALUES ('{tag}', 'place', 0, NULL, '{DAY}', '{LEADER}', '{leader}', 'asha', 0, 0, 1, '{ASHA}',
             1, '{purpose}', 'ACKED', {terms}, '{side}', 'MARGIN', 'LIMIT', 'DAY', 65, 0, 1000000, 0, 0, NULL, '{copy}',
             NULL, NULL, NULL, NULL, NULL, {seen}, {seen}, {seen}, {seen} + 1000, {seen} + 1500, {seen} + 2000, 1500,
             {seen}, {seen} + 2000);"
    )
}

/// A second slice of L1's copy: its intent under another key, with these columns changed.
pub(crate) fn another_intent(id: &str, columns: &[(&str, String)]) -> String {
    let changes: Vec<String> = columns.iter().map(|(name, value)| format!(", {name} = {value}")).collect();
    let changes = changes.concat();
    format!(
        "CREATE TEMP TABLE one AS SELECT * FROM intents WHERE client_order_id = '{}' AND serial = 0;
         UPDATE one SET client_order_id = '{id}', slice = 1, state = 'UNKNOWN', broker_order_id = NULL;
         UPDATE one SET slice = slice {changes};
         INSERT INTO intents SELECT * FROM one;
         DROP TABLE one;",
        TAGS[0],
    )
}

/// The newest moment of the day, for SQL.
pub(crate) const LATE: &str = "(SELECT MAX(reported_at) FROM health)";

/// The broker's book of the day.
pub(crate) fn book() -> Value {
    let mut accounts = json!({
        LEADER: { "orders": [], "trades": [], "positions": [] },
        ASHA: { "orders": [], "trades": [], "positions": [{
            "dhanClientId": ASHA, "securityId": "43125", "exchangeSegment": "NSE_FNO", "productType": "MARGIN",
            "netQty": 0,
        }] },
    });
    for copied in &COPIES {
        let order = |account: &str, id: &str, tag: &str, quantity: i64, filled: i64| {
            json!({
                "dhanClientId": account, "orderId": id, "correlationId": tag, "orderStatus": copied.status,
                "transactionType": copied.side, "exchangeSegment": "NSE_FNO", "securityId": "43125",
                "quantity": quantity, "filledQty": filled, "legName": "NA",
                "createTime": clock(copied.times.0), "updateTime": clock(copied.times.1),
            })
        };
        push(&mut accounts, LEADER, "orders", order(LEADER, copied.leader, "NA", 130, 2 * copied.units));
        push(&mut accounts, ASHA, "orders", order(ASHA, copied.copy, copied.tag, 65, copied.units));
        if copied.units > 0 {
            push(
                &mut accounts,
                ASHA,
                "trades",
                json!({
                    "dhanClientId": ASHA, "orderId": copied.copy, "exchangeTradeId": format!("T{}", copied.copy),
                    "transactionType": copied.side, "exchangeSegment": "NSE_FNO", "securityId": "43125",
                    "tradedQuantity": copied.units, "exchangeTime": clock(copied.times.1),
                }),
            );
        }
    }
    json!({ "now_us": at(19_800), "accounts": accounts })
}

pub(crate) fn push(accounts: &mut Value, account: &str, list: &str, row: Value) {
    accounts[account][list].as_array_mut().unwrap().push(row);
}

/// Judges the day, broken by this SQL, without a book.
pub(crate) fn judged(break_it: &str) -> Report {
    judged_beside(break_it, None)
}

/// Judges it with a book.
pub(crate) fn judged_beside(break_it: &str, book: Option<&Value>) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tandem.db");
    write(&path, break_it);
    let book = book.map(|book| Book::read(&book.to_string()).unwrap());
    verify(&path, book.as_ref(), None).unwrap()
}

/// Which promises a report calls broken.
pub(crate) fn broken(report: &Report) -> Vec<u8> {
    let mut promises: Vec<u8> = report.findings().map(|(promise, _)| promise).collect();
    promises.dedup();
    promises
}

/// This promise is broken and no other.
#[track_caller]
pub(crate) fn assert_breaks(promise: u8, break_it: &str) {
    let report = judged(break_it);
    let found: Vec<_> = report.findings().collect();
    assert_eq!(broken(&report), [promise], "{found:#?}");
    assert!(found.iter().all(|(_, finding)| !finding.text.is_empty()), "{found:#?}");
}

/// The same, where the book says it.
#[track_caller]
pub(crate) fn assert_breaks_beside(promise: u8, break_it: &str, change: impl FnOnce(&mut Value)) {
    let mut book = book();
    change(&mut book["accounts"]);
    let report = judged_beside(break_it, Some(&book));
    assert_eq!(broken(&report), [promise], "{:#?}", report.findings().collect::<Vec<_>>());
}
