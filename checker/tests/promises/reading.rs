//! How the two inputs are read: raw answers, days, what is none of Tandem's, and a daemon at work.

use rusqlite::Connection;
use serde_json::{Value, json};
use tandem_checker::{Book, VerifyError, verify};

use crate::day::{ASHA, DAY, at, book, broken, judged_beside, write};

#[test]
fn raw_answers_of_the_broker_say_the_same_as_a_dump() {
    let dump = book();
    let mut raw = Book::default();
    for (_, account) in dump["accounts"].as_object().unwrap() {
        for answer in ["orders", "trades", "positions"] {
            raw.add(&account[answer].to_string()).unwrap();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tandem.db");
    write(&path, "UPDATE trades SET quantity = 60 WHERE broker_order_id = 'F1'");
    let report = verify(&path, Some(&raw), None).unwrap();
    assert_eq!(broken(&report), [9]);
}

#[test]
fn numbers_may_be_texts_and_an_empty_answer_says_nothing() {
    let mut book = book();
    book["accounts"][ASHA]["trades"][0]["tradedQuantity"] = json!("65");
    book["accounts"][ASHA]["orders"][0]["filledQty"] = json!(65.0);
    assert_eq!(broken(&judged_beside("", Some(&book))), [0_u8; 0]);
    assert!(Book::read("[]").is_ok());
}

#[test]
fn what_is_no_book_is_refused_by_what_it_lacks() {
    for (text, complaint) in [
        ("nonsense", "no JSON"),
        ("5", "neither an object nor an array"),
        ("{}", "accounts"),
        ("[{}]", "dhanClientId"),
        (r#"[{"dhanClientId":"1"}]"#, "neither orders"),
        (r#"[{"dhanClientId":"1","orderStatus":"PENDING"}]"#, "orderId"),
        (r#"[{"dhanClientId":"1","netQty":"many","exchangeSegment":"NSE_FNO","securityId":"1"}]"#, "netQty"),
    ] {
        let error = Book::read(text).unwrap_err().to_string();
        assert!(error.contains(complaint), "{text}: {error}");
    }
}

#[test]
fn a_day_leaves_the_others_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tandem.db");
    write(&path, "UPDATE trades SET quantity = 60 WHERE broker_order_id = 'F1'");
    assert_eq!(broken(&verify(&path, None, Some(DAY)).unwrap()), [9]);
    let report = verify(&path, Some(&Book::read(&book().to_string()).unwrap()), Some("2026-12-02")).unwrap();
    assert_eq!(broken(&report), [0_u8; 0], "{:#?}", report.findings().collect::<Vec<_>>());
    assert!(report.days.is_empty());
    assert!(matches!(verify(&path, None, Some("today")), Err(VerifyError::Day(_))));
}

#[test]
fn what_is_none_of_tandems_is_not_judged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    assert!(matches!(verify(&path, None, None), Err(VerifyError::Open { .. })));
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE orders (id INTEGER)").unwrap();
    assert!(matches!(verify(&path, None, None), Err(VerifyError::Read(_))));
}

#[test]
fn it_reads_beside_a_writer_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tandem.db");
    write(&path, "");
    let writer = Connection::open(&path).unwrap();
    let mode: Value =
        writer.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)).unwrap().into();
    assert_eq!(mode, "wal");
    writer.execute_batch("BEGIN IMMEDIATE; UPDATE trades SET quantity = 1").unwrap();
    assert_eq!(broken(&verify(&path, None, None).unwrap()), [0_u8; 0]);
    writer.execute_batch("COMMIT").unwrap();
    assert_eq!(broken(&verify(&path, None, None).unwrap()), [9]);
}

#[test]
fn a_database_that_nobody_can_write_is_read_where_it_lies() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("a backup, 100% whole");
    std::fs::create_dir(&place).unwrap();
    let path = place.join("tandem.db");
    write(&path, "PRAGMA journal_mode = WAL");
    for left in std::fs::read_dir(&place).unwrap() {
        let left = left.unwrap().path();
        assert!(left == path || !left.exists() || left.metadata().unwrap().len() == 0, "{}", left.display());
    }
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o500)).unwrap();
    let report = verify(&path, None, None);
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(broken(&report.unwrap()), [0_u8; 0]);
}

#[test]
fn what_is_young_is_under_way() {
    // A request on the wire, and a cancel that has not ended yet, seconds before the history ends.
    let young = format!(
        "UPDATE health SET reported_at = {0}; UPDATE position_snapshots SET taken_at = {0};
         UPDATE orders SET status = 'PENDING', terminal = 0 WHERE broker_order_id = 'F3';
         DELETE FROM order_events WHERE broker_order_id = 'F3' AND fingerprint = 2;",
        at(1270)
    );
    assert_eq!(broken(&judged_beside(&young, None)), [0_u8; 0]);
}
