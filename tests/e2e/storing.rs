//! F12: storage that fails. Copying ends, with an exit code that says why, and no order is at the broker without its row.
//! And the daily backup.
//!
//! How each fault is made from outside: a full disk by `store.size_mb_max` and a second connection that fills the file; a
//! failing write by the operating system's limit on the size of files; a foreign lock by a second connection; damage by
//! overwriting pages.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use rusqlite::Connection;
use tandem_domain::ids::BrokerOrderId;
use tandem_domain::order::Product;
use tandem_sim::Rate;

use crate::harness::{ASHA, Broker, Daemon, Setup, Stage, buy, sell, until};

/// Another process's connection to the daemon's database.
fn stranger(daemon: &Daemon) -> Connection {
    let connection = Connection::open(daemon.folder().join("tandem.db")).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection
}

/// Our ids of the orders that are on record as sent.
fn sent_on_record(daemon: &Daemon) -> BTreeSet<String> {
    let sql =
        "SELECT client_order_id FROM intents WHERE kind = 'place' AND state NOT IN ('PLANNED', 'VOIDED')";
    daemon.table(sql, |row| row.get(0)).into_iter().collect()
}

/// P22, P1: whatever is at the broker has its row, and is there once.
fn assert_every_order_has_its_row(broker: &Broker, daemon: &Daemon) {
    let tags: Vec<String> =
        broker.orders(ASHA).into_iter().map(|copy| copy.tag.unwrap().to_string()).collect();
    let (once, recorded) = (tags.iter().cloned().collect::<BTreeSet<_>>(), sent_on_record(daemon));
    assert_eq!(once.len(), tags.len(), "one order twice: {tags:?}");
    assert!(once.is_subset(&recorded), "orders without a row: {once:?} of {recorded:?}");
}

/// What a fault of the storage makes the log tell. An actor may be given back to its supervisor before all of them end.
fn tolerate_fault(daemon: &mut Daemon) {
    for told in [
        "halted: nothing can be recorded",
        "actor stopped",
        "actor will be restarted",
        "not stored",
        "not recorded",
        "the store has",
        "the writer",
    ] {
        daemon.tolerates(told);
    }
}

/// The same, and that it does tell of it.
fn expect_fault(daemon: &mut Daemon) {
    daemon.expects("halted: nothing can be recorded any more, so nothing is sent");
    tolerate_fault(daemon);
}

/// After the fault is mended: started again, it copies, and every leader order of before has an outcome.
fn assert_recovers(broker: &Broker, daemon: &mut Daemon, before: &[BrokerOrderId]) {
    daemon.start();
    daemon.until_live(2);
    for order in before {
        until("every order has its outcome", || {
            let mapping = daemon.mapping(order, "asha")?;
            ["sent", "skipped", "voided"].contains(&&*mapping.outcome).then_some(())
        });
    }
    let next = broker.lead(buy(broker.option(), 130));
    daemon.until_filled(&next, "asha", 65);
    broker.quiet();
    assert_every_order_has_its_row(broker, daemon);
}

#[test]
fn f12_disk_full() {
    let Stage { broker, mut daemon } = Setup::new().set("store.size_mb_max = 16").stage();
    // A slow machine bunches sixty orders.
    daemon.tolerates("the broker asks for fewer requests");
    let first = broker.lead(buy(broker.option(), 130));
    daemon.until_filled(&first, "asha", 65);
    let other = stranger(&daemon);
    other.execute_batch("CREATE TABLE ballast (bytes BLOB)").unwrap();
    let pages = || other.query_row("PRAGMA page_count", [], |row| row.get::<_, u32>(0)).unwrap();
    while pages() < 16 * 256 {
        other.execute("INSERT INTO ballast VALUES (zeroblob(1000000))", []).unwrap();
    }
    // Rows fit into pages that are there, until one does not.
    let orders = broker.lead_all(std::iter::repeat_n(buy(broker.option(), 130), 60));
    assert_eq!(daemon.until_exit(), Some(5));
    expect_fault(&mut daemon);
    daemon.until_log("database or disk is full");
    assert_every_order_has_its_row(&broker, &daemon);
    assert!(broker.orders(ASHA).len() <= orders.len(), "not all of it fitted");

    // Without room it does not start either.
    daemon.start();
    assert_eq!(daemon.until_exit(), Some(5));
    daemon.expects("not started: the database cannot be used");
    other.execute_batch("DELETE FROM ballast; VACUUM").unwrap();
    drop(other);
    // What was on record as being sent, and did not leave any more: proven absent, and told.
    daemon.tolerates("the copy never arrived");
    assert_recovers(&broker, &mut daemon, &orders);
    daemon.end_at_rest(&broker);
}

#[test]
fn f12_writes_fail() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    let first = broker.lead(buy(broker.option(), 130));
    daemon.until_filled(&first, "asha", 65);
    broker.quiet();
    daemon.limit_files(4096);
    let second = broker.lead(buy(broker.option(), 130));
    // What it has to say may be beyond the limit, too.
    assert_eq!(daemon.until_exit(), Some(5));
    assert_eq!(broker.orders(ASHA).len(), 1, "nothing was sent that could not be recorded");
    tolerate_fault(&mut daemon);
    assert_recovers(&broker, &mut daemon, &[second]);
    daemon.end_at_rest(&broker);
}

#[test]
fn f12_database_locked_by_another_process() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    let first = broker.lead(buy(broker.option(), 130));
    daemon.until_filled(&first, "asha", 65);
    broker.quiet();
    let other = stranger(&daemon);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let second = broker.lead(buy(broker.option(), 130));
    assert_eq!(daemon.until_exit(), Some(5));
    assert_eq!(broker.orders(ASHA).len(), 1, "nothing was sent that could not be recorded");
    expect_fault(&mut daemon);
    daemon.until_log("database is locked");

    // At the start it is waited for no longer.
    daemon.start();
    assert_eq!(daemon.until_exit(), Some(5));
    daemon.expects("not started: the database cannot be used");
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    assert_recovers(&broker, &mut daemon, &[second]);
    daemon.end_at_rest(&broker);
}

/// P13: what was decided in time, and is durable too late, is judged once more at the wire.
#[test]
fn p13_an_entry_whose_commit_takes_too_long_does_not_leave() {
    let setup = Setup::new().sim(|sim| sim.rate = Rate::FASTEST).set("copy.entry_age_ms_max = 5000");
    // However long the machine takes: it is too old, and not left behind.
    let Stage { broker, daemon } = setup.set("parting.entry_after_ms = 600000").stage();
    let other = stranger(&daemon);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let entry = broker.lead(buy(broker.option(), 130));
    let filled_at = broker.sim.clock().now();
    until("it is too late", || {
        (broker.sim.clock().now().since(filled_at) > Duration::from_secs(8)).then_some(())
    });
    other.execute_batch("ROLLBACK").unwrap();
    daemon.until_log("order held back: it is too late for it");
    daemon.until_refused(&entry, "asha", "voided", "stale_entry");
    assert_eq!(broker.placements(ASHA).len(), 0);
    daemon.end_at_rest(&broker);
}

/// It ends as it was told to, and what it had to record last is lost: that is no good end.
#[test]
fn f12_an_end_that_cannot_be_recorded_is_told_as_a_fault() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    let first = broker.lead(buy(broker.option(), 130));
    daemon.until_filled(&first, "asha", 65);
    broker.quiet();
    let other = stranger(&daemon);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    daemon.terminate();
    assert_eq!(daemon.until_exit(), Some(5));
    expect_fault(&mut daemon);
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    assert_recovers(&broker, &mut daemon, &[first]);
    daemon.end_at_rest(&broker);
}

/// Between two days no actor looks after the store: the process does.
#[test]
fn f12_the_store_ends_while_the_day_turns() {
    let listed = Broker::start(Broker::settings()).sim.with_exchange(|exchange| exchange.detailed_csv());
    let setup = Setup::new().sim(|sim| sim.token_hours = 48).instruments(listed.clone());
    let Stage { broker, mut daemon } = setup.stage();
    let first = broker.lead(buy(broker.option(), 130));
    daemon.until_filled(&first, "asha", 65);
    broker.quiet();
    let file = daemon.folder().join("instruments.csv");
    fs::write(&file, "nothing").unwrap();
    broker.pass_until("2026-12-02 00:00:01");
    daemon.until_log("the new day cannot begin yet");
    until("its incident", || daemon.incidents().contains(&("day_not_begun".to_owned(), None)).then_some(()));
    daemon.expects("the new day cannot begin yet");

    let other = stranger(&daemon);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Something to record: a halt, which cannot be.
    let halted = daemon.command(&["halt", "--database", "tandem.db"]);
    assert_eq!(halted.status.code(), Some(6), "{halted:?}");
    assert_eq!(daemon.until_exit(), Some(5));
    expect_fault(&mut daemon);
    daemon.expects("the store ended while the day turned");
    daemon.tolerates("operator's command in trouble");

    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    fs::write(&file, listed).unwrap();
    broker.pass_until("2026-12-02 09:20:00");
    assert_recovers(&broker, &mut daemon, &[]);
    assert!(daemon.incidents().is_empty(), "{:?}", daemon.incidents());
    daemon.end_at_rest(&broker);
}

/// Copies the log into the database, so that every page is read from there from now on, and spoils all but the first.
fn spoil(daemon: &Daemon) {
    let other = stranger(daemon);
    until("the log is copied and begun anew", || {
        let busy: i64 = other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
        (busy == 0).then_some(())
    });
    let path = daemon.folder().join("tandem.db");
    let bytes = fs::read(&path).unwrap();
    // In place, as a disk would: the daemon has this file open.
    let file = File::options().write(true).open(&path).unwrap();
    for page in 1..bytes.len() / 4096 {
        file.write_all_at(&[0xA5; 64], page as u64 * 4096).unwrap();
    }
}

#[test]
fn f12_page_corrupt() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    let option = broker.option();
    let first = broker.lead(buy(option, 130));
    daemon.until_filled(&first, "asha", 65);
    broker.quiet();
    daemon.run_command(&["backup", "--database", "tandem.db"]);
    // What the backup will know nothing of.
    let added = broker.lead(buy(option, 130));
    daemon.until_filled(&added, "asha", 65);
    let left = broker.lead(sell(option, 130));
    daemon.until_filled(&left, "asha", 65);
    broker.quiet();

    spoil(&daemon);
    broker.lead(buy(option, 130));
    assert_eq!(daemon.until_exit(), Some(10));
    assert_eq!(broker.orders(ASHA).len(), 3, "nothing was sent that could not be recorded");
    daemon.expects("halted: the database is damaged; the newest backup that is sound is backups/tandem-");
    tolerate_fault(&mut daemon);
    daemon.tolerates("malformed");
    daemon.start();
    assert_eq!(daemon.until_exit(), Some(10));
    daemon
        .expects("not started: the database is damaged; the newest backup that is sound is backups/tandem-");

    // As the log says.
    let told = daemon
        .log()
        .into_iter()
        .rev()
        .map(|line| line.to_string())
        .find(|line| line.contains("tandem restore"));
    let told = told.unwrap();
    let command = told.split("`tandem ").nth(1).unwrap().split('`').next().unwrap();
    daemon.run_command(&command.split(' ').collect::<Vec<_>>());
    daemon.start();
    daemon.until_live(2);
    daemon.expects("an order carries Tandem's tag and is on no record here");
    let unseen = broker.lead(buy(option, 130));
    daemon.until_refused(&unseen, "asha", "skipped", "halted");
    daemon.run_command(&["resume", "--config", "tandem.toml"]);
    let next = broker.lead(buy(option, 130));
    daemon.until_filled(&next, "asha", 65);
    broker.quiet();
    assert_eq!(
        broker.orders(ASHA).len(),
        4,
        "what came in between is not copied, and nothing of before again, not even what closes"
    );
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    daemon.tolerates("trading_stopped");
    // Depending on what is heard first, the leader's order or the copy's.
    daemon.tolerates("an order that was thought absent or refused appeared in the book");
    for copy in &broker.orders(ASHA)[1..3] {
        daemon.excuses(&format!("order {} carries Tandem's mark", copy.id));
    }
    // Its exit was planned once more, and given up when the one that had left was seen.
    daemon.excuses("called voided before it was sent, and the broker has it");
    // On a slow machine so much later that it cannot be the two clocks.
    daemon.overlooked.push("before it was decided".to_owned());
    daemon.end_at_rest(&broker);
}

#[test]
fn a_backup_is_made_every_day_and_one_that_fails_is_told_and_tried_again() {
    let setup =
        Setup::new().starts("2026-12-01 16:10:00").set("backup.dir = \"copies\"").set("backup.keep = 2");
    let Stage { broker, mut daemon } = setup.stage();
    let folder = daemon.folder().join("copies");
    assert!(!folder.exists(), "it is not time yet");
    // A file stands where the folder should be.
    fs::write(&folder, "").unwrap();
    broker.pass_until("2026-12-01 16:20:00");
    daemon.expects("the database could not be backed up into copies");
    let open_incidents =
        || daemon.incidents().into_iter().filter(|(kind, _)| kind == "backup_failed").count();
    until("it is told", || (open_incidents() == 1).then_some(()));

    fs::remove_file(&folder).unwrap();
    broker.pass_until("2026-12-01 17:00:00");
    until("it is made good", || (open_incidents() == 0).then_some(()));
    for day in 2..=4 {
        broker.pass_until(&format!("2026-12-0{day} 16:30:00"));
        let name = format!("tandem-2026120{day}-16");
        let is_there = || {
            fs::read_dir(&folder)
                .unwrap()
                .any(|file| file.unwrap().file_name().to_string_lossy().starts_with(&name))
        };
        until("the next day's is made", || is_there().then_some(()));
    }
    let mut left: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    until("older ones are removed", || {
        left = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
        left.retain(|path| path.extension().is_some_and(|extension| extension == "db"));
        (left.len() == 2).then_some(())
    });
    left.sort();
    let newest = format!("copies/{}", left[1].file_name().unwrap().to_string_lossy());
    let walked = daemon.run_command(&["audit", "verify", "--database", &newest]);
    assert!(walked.starts_with("the audit log is whole"), "{walked}");
    daemon.run_command(&["audit", "verify", "--database", "tandem.db"]);
    daemon.end();
}
