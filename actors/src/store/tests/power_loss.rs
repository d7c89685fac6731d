//! Power loss: what the disk may hold at any moment of a commit or of a copying of the log, opened and checked. An answer
//! was given only after the sync (P1), so what was answered for is in every such image, and of what was under way either
//! all or nothing.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::Value;

use super::fixtures::{Bench, change, child, ground, note, open, order_id, planned};
use crate::chance::Chance;
use crate::store::{IntentChange, IntentState, StoreSettings, Write};

/// What a disk writes whole or not at all; of what was to be written, any of them may be there.
const SECTOR: usize = 512;
/// Bytes before the first frame of a log. They are synced before any frame is written over an older log.
const LOG_HEADER: usize = 32;
/// A page, and what precedes it in the log.
const FRAME: usize = 4096 + 24;
/// Images of each step, besides the two of nothing written and all written.
const IMAGES: u64 = 8;

/// The files and what can be read in them, at a moment when everything was answered.
struct Shot {
    database: Vec<u8>,
    log: Vec<u8>,
    /// How far the log counts.
    log_end: usize,
    rows: Vec<String>,
}

impl Shot {
    fn of(bench: &Bench) -> Self {
        let raw = bench.raw();
        let frames: usize = raw
            .query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get::<_, i64>(1))
            .unwrap()
            .try_into()
            .unwrap();
        Self {
            database: fs::read(&bench.settings.path).unwrap(),
            log: fs::read(log_of(&bench.settings)).unwrap(),
            log_end: LOG_HEADER + frames * FRAME,
            rows: rows(&raw),
        }
    }

    /// What may be on the disk if its power goes on the way from this to `next`.
    fn images_towards(&self, next: &Self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let chances = (0..IMAGES).map(Chance::new);
        if self.log == next.log {
            let torn = chances.map(|mut chance| torn(&self.database, &next.database, 0, &mut chance));
            return torn.map(|database| (database, self.log.clone())).collect();
        }
        assert_eq!(self.database, next.database, "one of the two is written at a time");
        let begins_anew = next.log_end < self.log_end;
        let from = if begins_anew { LOG_HEADER } else { self.log_end };
        let mut logs: Vec<_> =
            chances.map(|mut chance| torn(&self.log, &next.log, from, &mut chance)).collect();
        if begins_anew {
            // The header alone, whole and not.
            let mut log = self.log.clone();
            log[..LOG_HEADER].copy_from_slice(&next.log[..LOG_HEADER]);
            logs.push(log.clone());
            log[LOG_HEADER / 2] ^= 0xFF;
            logs.push(log);
        }
        logs.into_iter().map(|log| (self.database.clone(), log)).collect()
    }
}

/// `old` on its way to `new`: some of what differs from `from` on is written, some is not, some is nonsense; and the file
/// may not have grown yet.
fn torn(old: &[u8], new: &[u8], from: usize, chance: &mut Chance) -> Vec<u8> {
    // From every second sector to all but one or two.
    let lost_one_in = 2 << chance.below(6);
    let mut image = new.to_vec();
    for start in (from / SECTOR * SECTOR..new.len()).step_by(SECTOR) {
        let place = start.max(from)..(start + SECTOR).min(new.len());
        let before: Vec<u8> = place.clone().map(|at| old.get(at).copied().unwrap_or(0)).collect();
        if image[place.clone()] == before[..] || chance.below(lost_one_in) != 0 {
            continue;
        }
        if chance.below(3) == 0 {
            image[place].fill_with(|| u8::try_from(chance.below(256)).unwrap());
        } else {
            image[place].copy_from_slice(&before);
        }
    }
    let grown = new.len().saturating_sub(old.len().max(from));
    if grown > 0 && chance.below(2) == 0 {
        let lost = usize::try_from(chance.below(u32::try_from(grown).unwrap() + 1)).unwrap();
        image.truncate(new.len() - lost);
    }
    image
}

fn log_of(settings: &StoreSettings) -> std::path::PathBuf {
    settings.path.with_file_name("tandem.db-wal")
}

/// Every row of every table, but for who writes.
fn rows(connection: &Connection) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'writer_epoch' ORDER BY name";
    let mut tables = connection.prepare(sql).unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut told = Vec::new();
    for table in tables {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut found = statement.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let values: Vec<Value> = (0..columns).map(|column| row.get(column).unwrap()).collect();
            told.push(format!("{table} {values:?}"));
        }
    }
    told
}

/// Opens such an image as a start after the power is back would, and gives what is in it.
fn opened(database: &[u8], log: &[u8], index: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = StoreSettings::at(folder.path().join("tandem.db"));
    settings.readers = 1;
    fs::write(&settings.path, database).unwrap();
    fs::write(log_of(&settings), log).unwrap();
    // The index of the log is never synced: it may hold anything.
    fs::write(folder.path().join("tandem.db-shm"), index).unwrap();
    let (store, deaths) = open(&settings);
    let bench = Bench { store, settings, deaths, folder };
    let found = rows(&bench.raw());
    let audit = bench.store.reader.verify_audit(None).unwrap();
    assert_eq!(audit.fault, None);
    // It goes on from there.
    bench.commit(vec![note(1)]).unwrap();
    let Bench { store, settings, folder: _folder, .. } = bench;
    store.stop();
    assert_whole(&settings.path);
    found
}

fn assert_whole(path: &Path) {
    let verdict: String =
        Connection::open(path).unwrap().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

/// What one child order of 20 units does to the database: it is about to leave, and it is answered for.
fn sent(slice: u16) -> [Vec<Write>; 2] {
    let child = child(slice, 1);
    let id = order_id(&format!("F{slice}"));
    let acked = IntentChange { broker_order_id: Some(id), ..change(&child, IntentState::Acked) };
    // From one page to many.
    let size = [10, 3_000, 60_000][usize::from(slice) % 3];
    [
        vec![planned(&child, IntentState::Sending, 20), note(10)],
        vec![Write::IntentChange(Box::new(acked)), note(size)],
    ]
}

#[test]
fn whatever_power_loss_leaves_of_the_log_is_a_prefix_that_holds_all_that_was_answered() {
    let bench = Bench::new();
    let mut shots = vec![Shot::of(&bench)];
    bench.commit(ground()).unwrap();
    shots.push(Shot::of(&bench));
    for slice in 0..6 {
        for writes in sent(slice) {
            bench.commit(writes).unwrap();
            shots.push(Shot::of(&bench));
        }
        if slice % 2 == 1 {
            // As the writer does when the log is long; the next commit begins it anew.
            bench.raw().query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
            shots.push(Shot::of(&bench));
        }
    }
    let anew = shots.windows(2).filter(|pair| pair[1].log_end < pair[0].log_end).count();
    assert_eq!(anew, 2, "the log was begun anew");
    let nonsense = vec![0xA5; 32_768];
    let (mut undone, mut done) = (0, 0);
    for (step, pair) in shots.windows(2).enumerate() {
        let [before, after] = pair else { unreachable!("windows of two") };
        assert_eq!(opened(&before.database, &before.log, &[]), before.rows, "step {step}, nothing written");
        assert_eq!(opened(&after.database, &after.log, &[]), after.rows, "step {step}, all written");
        for (image, (database, log)) in before.images_towards(after).into_iter().enumerate() {
            let found = opened(&database, &log, &nonsense);
            assert!(
                found == before.rows || found == after.rows,
                "step {step}, image {image}: neither of both"
            );
            // A copying of the log changes no row.
            undone += u32::from(found != after.rows);
            done += u32::from(found != before.rows);
        }
    }
    assert!(undone > 0 && done > 0, "too tame: {undone} undone, {done} done");
}
