//! A database that an earlier version has written.

use rusqlite::Connection;
use tandem_domain::time::Timestamp;

use crate::store::AuditEntry;
use crate::store::audit::{append, verify};
use crate::store::open::migrations;

/// A day as the first version wrote it: a leader order, two followers, one of which placed two attempts.
const A_DAY: &str = "
INSERT INTO order_events VALUES ('L', '2026-12-01', 'L1', 7, 'leader', 'PENDING', 'LIMIT', 'DAY', 260, 0, 1823500, 0, 0, 0,
    NULL, 1, 2);
INSERT INTO orders VALUES ('L', '2026-12-01', 'L1', 'leader', NULL, NULL, NULL, 'NSE_FNO', 43125, 'BUY', 'MARGIN', 'LIMIT',
    'DAY', 260, 0, 1823500, 0, 0, 'single', 'PENDING', 0, 0, 0, NULL, NULL, 1, 1, NULL, 2, 2);
INSERT INTO orders VALUES ('F', '2026-12-01', 'F1', 'follower', 'tdm-first', NULL, NULL, 'NSE_FNO', 43125, 'BUY', 'MARGIN',
    'LIMIT', 'DAY', 130, 0, 1823500, 0, 0, 'single', 'CANCELLED', 1, 65, 1823500, NULL, 'book', 1, 1, NULL, 2, 2);
INSERT INTO copy_mappings (trading_day, leader_account, leader_order_id, follower_id, outcome, reason, target_quantity,
    copied_quantity, filled_quantity, created_at, updated_at) VALUES
    ('2026-12-01', 'L', 'L1', 'asha', 'sent', NULL, 130, 130, 65, 3, 4),
    ('2026-12-01', 'L', 'L1', 'bina', 'skipped', 'below_one_lot', 0, 0, 0, 3, 4);
INSERT INTO intents (client_order_id, kind, serial, trading_day, leader_account, leader_order_id, follower_id, leg, slice,
    attempt, account, event_fingerprint, purpose, state, segment, security_id, side, product, order_type, time_in_force,
    quantity, disclosed, price, trigger_price, after_market, broker_order_id, added_latency_us, created_at, updated_at)
VALUES
    ('tdm-first', 'place', 0, '2026-12-01', 'L', 'L1', 'asha', 0, 0, 1, 'F', 7, 'entry', 'ACKED', 'NSE_FNO', 43125, 'BUY',
        'MARGIN', 'LIMIT', 'DAY', 130, 0, 1823500, 0, 0, 'F1', 640, 3, 4),
    ('tdm-second', 'place', 0, '2026-12-01', 'L', 'L1', 'asha', 0, 0, 2, 'F', 7, 'entry', 'SENDING', 'NSE_FNO', 43125, 'BUY',
        'MARGIN', 'LIMIT', 'DAY', 65, 0, 1823500, 0, 0, NULL, NULL, 5, 5);";

fn one<T: rusqlite::types::FromSql>(connection: &Connection, sql: &str) -> T {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_day_of_the_first_version_is_carried_over_whole() {
    let mut connection = Connection::open_in_memory().unwrap();
    connection.pragma_update(None, "foreign_keys", "ON").unwrap();
    migrations().to_version(&mut connection, 1).unwrap();
    connection.execute_batch(A_DAY).unwrap();
    let before: String =
        one(&connection, "SELECT group_concat(client_order_id || state || quantity) FROM intents");
    migrations().to_latest(&mut connection).unwrap();

    let after: String =
        one(&connection, "SELECT group_concat(client_order_id || state || quantity) FROM intents");
    assert_eq!(before, after);
    assert_eq!(one::<u32>(&connection, "SELECT added_latency_us FROM intents WHERE state = 'ACKED'"), 640);
    assert_eq!(one::<u32>(&connection, "SELECT COUNT(*) FROM copy_mappings"), 2);
    assert_eq!(one::<u32>(&connection, "SELECT COUNT(*) FROM orders WHERE form IS NULL AND exited = 0"), 2);
    assert_eq!(one::<u32>(&connection, "SELECT COUNT(*) FROM pragma_foreign_key_check"), 0);
    assert_eq!(one::<u32>(&connection, "SELECT SUM(exposure) FROM child_orders"), 130);
    assert_eq!(one::<String>(&connection, "PRAGMA integrity_check"), "ok");
    // The guards stand again, and so do the references.
    let next = "INSERT INTO intents SELECT 'tdm-third' AS client_order_id, kind, serial, part, trading_day, leader_account,
        leader_order_id, follower_id, leg, slice, 3 AS attempt, account, event_fingerprint, purpose, state, segment,
        security_id, side, product, order_type, time_in_force, quantity, disclosed, price, trigger_price, after_market, form,
        broker_order_id, refusal_http, refusal_code, refusal_text, request, response, ts_leader_event, ts_received,
        ts_decided, ts_committed, ts_sent, ts_answered, added_latency_us, created_at, updated_at, is_retired, has_fired
        FROM intents WHERE client_order_id = 'tdm-second'";
    let refusal = connection.execute(next, []).unwrap_err().to_string();
    assert!(refusal.contains("P2"), "{refusal}");
    let refusal = connection.execute("DELETE FROM copy_mappings WHERE follower_id = 'asha'", []).unwrap_err();
    assert!(refusal.to_string().contains("FOREIGN KEY"), "{refusal}");
    connection
        .execute("UPDATE copy_mappings SET outcome = 'detached' WHERE follower_id = 'asha'", [])
        .unwrap();
}

#[test]
fn a_day_of_the_second_version_closes_nothing_and_has_no_bands() {
    let mut connection = Connection::open_in_memory().unwrap();
    connection.pragma_update(None, "foreign_keys", "ON").unwrap();
    migrations().to_version(&mut connection, 1).unwrap();
    connection.execute_batch(A_DAY).unwrap();
    migrations().to_version(&mut connection, 2).unwrap();
    let rest = "INSERT INTO position_snapshots VALUES ('F', '2026-12-01', 1);
        INSERT INTO positions VALUES ('F', '2026-12-01', 'NSE_FNO', 43125, 'MARGIN', 65, 1823500, 0, 0, 0, 1);
        INSERT INTO instruments VALUES ('2026-12-01', 'NSE_FNO', 43125, 'OPTIDX', 'NIFTY', 'NIFTY', 65, 500, NULL, NULL,
            NULL, NULL);";
    connection.execute_batch(rest).unwrap();
    migrations().to_latest(&mut connection).unwrap();
    let sums = "SELECT (SELECT SUM(closing_quantity) FROM copy_mappings) + (SELECT SUM(carried_quantity) FROM positions)";
    assert_eq!(one::<u32>(&connection, sums), 0);
    let bands = "SELECT COUNT(*) FROM instruments WHERE band_low IS NULL AND band_high IS NULL";
    assert_eq!(one::<u32>(&connection, bands), 1);
    assert_eq!(one::<u32>(&connection, "SELECT net_quantity FROM latest_positions"), 65);
    assert_eq!(one::<u32>(&connection, "SELECT COUNT(*) FROM trading_states"), 0);
    assert_eq!(one::<String>(&connection, "PRAGMA integrity_check"), "ok");
}

#[test]
fn an_audit_log_of_the_third_version_is_chained_as_it_was() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrations().to_version(&mut connection, 3).unwrap();
    connection
        .execute_batch(
            r#"INSERT INTO audit_log (recorded_at, actor, event, subject, details) VALUES
                (5, 'operator', 'started', NULL, '{}'), (7, 'operator', 'halt', 'asha', '{"cause":"operator"}')"#,
        )
        .unwrap();
    let rows = "SELECT group_concat(id || recorded_at || actor || event || ifnull(subject, '-') || details) FROM audit_log";
    let before: String = one(&connection, rows);
    migrations().to_latest(&mut connection).unwrap();
    assert_eq!(one::<String>(&connection, rows), before);
    let report = verify(&connection, None).unwrap();
    assert_eq!((report.sound, report.fault), (2, None));
    let entry = AuditEntry {
        recorded_at: Timestamp::from_micros(9),
        actor: "operator".into(),
        event: "resume".into(),
        subject: None,
        details: "{}".to_owned(),
    };
    append(&connection, &entry).unwrap();
    let report = verify(&connection, None).unwrap();
    assert_eq!((report.sound, report.head.id, report.fault), (3, 3, None));
}

#[test]
fn a_halt_of_the_third_version_has_stopped_no_exits() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrations().to_version(&mut connection, 3).unwrap();
    let halt = "INSERT INTO trading_states VALUES ('asha', 'halted', 'operator', 1, NULL, 0, 1)";
    connection.execute_batch(halt).unwrap();
    migrations().to_latest(&mut connection).unwrap();
    let stopped = "SELECT COUNT(*) FROM trading_states WHERE state = 'halted' AND stopped_at IS NULL";
    assert_eq!(one::<u32>(&connection, stopped), 1);
}
