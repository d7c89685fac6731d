//! The audit log's chain: whole after every commit, and broken where somebody's hand was in it.

use rusqlite::Connection;

use super::fixtures::{Bench, note, open};
use crate::store::{AuditFault, AuditHead, Reader};

const TRIGGERS: &[&str] = &[
    "audit_log_append",
    "audit_log_appended",
    "audit_log_no_update",
    "audit_log_no_delete",
    "audit_head_follows",
    "audit_head_no_delete",
];

/// A log of eight rows.
fn bench() -> Bench {
    let bench = Bench::new();
    for length in 1..=4 {
        bench.commit(vec![note(length), note(length)]).unwrap();
    }
    bench
}

/// Whoever can write to the file can drop what guards it.
fn tampered(bench: &Bench, sql: &str) {
    let raw = bench.raw();
    for trigger in TRIGGERS {
        raw.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
    }
    raw.execute_batch(sql).unwrap();
}

/// Applies `sql` behind the store's back, and expects that exactly this is found, after so many sound rows.
fn check(sql: &str, sound: u64, fault: AuditFault) {
    let bench = bench();
    tampered(&bench, sql);
    let report = bench.store.reader.verify_audit(None).unwrap();
    assert_eq!((report.fault, report.sound), (Some(fault), sound), "{sql}");
}

#[test]
fn an_untouched_log_is_whole_and_says_where_it_ends() {
    let bench = Bench::new();
    let empty = bench.store.reader.verify_audit(None).unwrap();
    assert_eq!((empty.sound, empty.head, empty.fault), (0, AuditHead::EMPTY, None));

    bench.commit(vec![note(1), note(2)]).unwrap();
    let two = bench.store.reader.verify_audit(None).unwrap();
    assert_eq!((two.sound, two.head.id, two.fault), (2, 2, None));
    // A job that was undone leaves no gap.
    bench
        .commit(vec![
            note(3),
            super::fixtures::planned(&super::fixtures::child(0, 1), crate::store::IntentState::Sending, 1),
        ])
        .unwrap_err();
    bench.commit(vec![note(4)]).unwrap();
    // Across a restart too.
    let Bench { store, settings, folder: _folder, .. } = bench;
    store.stop();
    let (store, _deaths) = open(&settings);
    let three = store.reader.verify_audit(Some(&two.head)).unwrap();
    assert_eq!((three.sound, three.head.id, three.fault), (3, 3, None));
    store.stop();
}

#[test]
fn a_changed_row_is_named() {
    for column in ["actor = 'nobody'", "event = 'x'", "subject = 'asha'", "details = '0'", "recorded_at = 1"]
    {
        let sql = format!("UPDATE audit_log SET {column} WHERE id = 4");
        check(&sql, 3, AuditFault::Changed { id: 4 });
    }
    check("UPDATE audit_log SET hash = zeroblob(32) WHERE id = 4", 3, AuditFault::Changed { id: 4 });
    check("UPDATE audit_log SET previous_hash = zeroblob(32) WHERE id = 4", 3, AuditFault::Changed { id: 4 });
    check("UPDATE audit_log SET details = '0' WHERE id = 8", 7, AuditFault::Changed { id: 8 });
}

#[test]
fn missing_rows_are_named() {
    check("DELETE FROM audit_log WHERE id = 4", 3, AuditFault::Missing { first: 4, last: 4 });
    check("DELETE FROM audit_log WHERE id IN (1, 2)", 0, AuditFault::Missing { first: 1, last: 2 });
    check("DELETE FROM audit_log WHERE id > 5", 5, AuditFault::Missing { first: 6, last: 8 });
    check("DELETE FROM audit_log", 0, AuditFault::Missing { first: 1, last: 8 });
    // What came after closes up.
    let closed = "DELETE FROM audit_log WHERE id = 4; UPDATE audit_log SET id = id - 1 WHERE id > 4";
    check(closed, 3, AuditFault::Changed { id: 4 });
}

#[test]
fn rows_that_changed_places_are_named() {
    let swap = "UPDATE audit_log SET id = 100 WHERE id = 4; UPDATE audit_log SET id = 4 WHERE id = 6;
        UPDATE audit_log SET id = 6 WHERE id = 100";
    check(swap, 3, AuditFault::OutOfPlace { id: 4, follows: 5 });
}

#[test]
fn the_end_of_the_log_is_guarded_by_its_head() {
    check("DELETE FROM audit_head", 8, AuditFault::Head { id: 8 });
    check("UPDATE audit_head SET last_id = 7", 8, AuditFault::Head { id: 8 });
    check("UPDATE audit_head SET hash = zeroblob(32)", 8, AuditFault::Changed { id: 8 });
}

/// Who rewrites rows, hashes and head leaves nothing within the file that tells; a head that was noted elsewhere does.
#[test]
fn a_log_written_anew_is_found_by_a_noted_head() {
    let bench = bench();
    let noted = bench.store.reader.verify_audit(None).unwrap().head;
    tampered(&bench, "DELETE FROM audit_log; UPDATE audit_head SET last_id = 0, hash = zeroblob(32)");
    let raw = bench.raw();
    restore_triggers(&raw);
    let verify = |noted| bench.store.reader.verify_audit(noted).unwrap().fault;
    assert_eq!(verify(None), None);
    assert_eq!(verify(Some(&noted)), Some(AuditFault::Missing { first: 1, last: 8 }));
    for length in 1..=9 {
        bench.commit(vec![note(length)]).unwrap();
    }
    assert_eq!(verify(None), None);
    assert_eq!(verify(Some(&noted)), Some(AuditFault::Rewritten { id: 8 }));
}

fn restore_triggers(raw: &Connection) {
    let fresh = Connection::open_in_memory().unwrap();
    fresh.execute_batch(include_str!("../../../../schema.sql")).unwrap();
    for trigger in TRIGGERS {
        let sql = "SELECT sql FROM sqlite_schema WHERE name = ?1";
        let text: String = fresh.query_row(sql, [trigger], |row| row.get(0)).unwrap();
        raw.execute_batch(&text).unwrap();
    }
}

#[test]
fn it_is_walked_beside_a_writer() {
    let bench = bench();
    let reader = Reader::open(&bench.settings.path, 1, bench.settings.busy_timeout).unwrap();
    let answers: Vec<_> = (0..200).map(|_| bench.submit(vec![note(50)])).collect();
    let mut seen = 0;
    for answer in answers {
        answer.recv_timeout(super::fixtures::PATIENCE).unwrap().result.unwrap();
        let report = reader.verify_audit(None).unwrap();
        assert_eq!(report.fault, None);
        assert!(report.sound >= seen);
        seen = report.sound;
    }
    assert_eq!(seen, 208);
}
