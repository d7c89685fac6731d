//! The daily backup of a running Tandem, and what to do with a database that is damaged.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{Days, NaiveTime};
use serde_json::json;
use tandem_actors::alerts::{self, AlertText};
use tandem_actors::clock::Clock;
use tandem_actors::store::{
    AuditEntry, Backup, BackupError, StoreHandle, Write, WriterId, back_up, newest_backup_at,
    newest_sound_backup,
};
use tandem_domain::time::{Timestamp, TradingDay};
use tokio::sync::oneshot;
use tracing::info;

use crate::settings::Settings;

/// The kind of the alert, and what it is about.
const FAILED: &str = "backup_failed";
/// How long after one that failed the next is tried.
const RETRY_AFTER: Duration = Duration::from_mins(30);
/// The clock may be set, so no wait is trusted for longer than this.
const LOOK_INTERVAL: Duration = Duration::from_mins(1);

/// Makes a backup a day.
pub(super) struct DailyBackup {
    database: PathBuf,
    folder: PathBuf,
    keep: NonZeroUsize,
    at: NaiveTime,
    store: StoreHandle,
    clock: Clock,
}

impl DailyBackup {
    /// None if the owner wants none.
    pub(super) fn new(settings: &Settings, store: StoreHandle, clock: Clock) -> Option<Self> {
        let (database, backup) = (&settings.store.path, &settings.backup);
        backup.enabled.then(|| Self {
            database: database.clone(),
            folder: backup.folder(database),
            keep: backup.keep,
            at: backup.at,
            store,
            clock,
        })
    }

    /// For as long as the process lives.
    pub(super) async fn run(self) {
        let mut due = self.due(newest_backup_at(&self.database, &self.folder));
        loop {
            while self.clock.now() < due {
                actix_rt::time::sleep(self.clock.real_time_until(due).min(LOOK_INTERVAL)).await;
            }
            let begun = self.clock.now();
            due = match self.make(begun).await {
                Ok(made) => {
                    self.tell(&made);
                    self.due(Some(begun))
                }
                Err(error) => {
                    self.complain(&error);
                    begun.plus(RETRY_AFTER)
                }
            };
        }
    }

    fn due(&self, newest: Option<Timestamp>) -> Timestamp {
        due(self.at, newest, self.clock.now())
    }

    async fn make(&self, at: Timestamp) -> Result<Backup, String> {
        let (database, folder, keep) = (self.database.clone(), self.folder.clone(), self.keep);
        let store = self.store.clone();
        let (told, made) = oneshot::channel();
        // Not a thread of the runtime: that would be waited for when the process ends, whatever the disk does.
        std::thread::spawn(move || {
            let made = back_up(&database, &folder, Some(keep), at);
            let made = made.map_err(|error| describe(error, &store));
            // The process may be ending.
            told.send(made).ok();
        });
        made.await.unwrap_or_else(|_| Err("the thread that copies has panicked".to_owned()))
    }

    fn tell(&self, made: &Backup) {
        let (path, head) =
            (made.path.display().to_string(), made.sound.audit_head.map(|head| head.to_string()));
        info!(
            backup = path,
            bytes = made.bytes,
            audit_head = head,
            removed = made.removed.len(),
            "database backed up"
        );
        let now = self.clock.now();
        let entry = AuditEntry {
            recorded_at: now,
            actor: "backup".into(),
            event: "backed_up".into(),
            subject: None,
            details: json!({ "backup": path, "bytes": made.bytes, "audit_head": head }).to_string(),
        };
        self.record(vec![Write::Audit(entry), alert(String::new()).end(None, now)]);
    }

    fn complain(&self, problem: &str) {
        let text = format!(
            "the database could not be backed up into {}: {problem}. It is tried again every {} minutes",
            self.folder.display(),
            RETRY_AFTER.as_secs() / 60
        );
        let alert = alert(text);
        self.record(vec![Write::IncidentOpen(alert.row(None, self.clock.now()))]);
    }

    fn record(&self, writes: Vec<Write>) {
        alerts::record(&self.store, WriterId { actor: "backup".into(), generation: 1 }, writes);
    }
}

/// That it failed.
fn alert(text: String) -> AlertText {
    AlertText { kind: FAILED, subject: FAILED.to_owned(), text }
}

/// In words. Damage of the database itself, which nothing else may have come upon yet, ends the store.
fn describe(error: BackupError, store: &StoreHandle) -> String {
    let is_damage = error.is_damage();
    let text = format!("{:#}", anyhow::Error::new(error));
    if is_damage {
        store.damaged(&format!("a backup failed: {text}"));
    }
    text
}

/// When the next backup is to begin. One that was missed earlier today is due now; those of earlier days are past.
fn due(at: NaiveTime, newest: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let today = now.trading_day();
    let todays = today.at(at);
    if now < todays {
        return todays;
    }
    if newest.is_none_or(|newest| newest < todays) {
        return now;
    }
    let tomorrow = today.date().checked_add_days(Days::new(1)).map_or(today, TradingDay::from);
    tomorrow.at(at)
}

/// What to do with a database that is damaged, in words. Looks for a backup that is sound, which takes as long as reading
/// it.
pub(super) fn remedy(settings: &Settings) -> String {
    let database = &settings.store.path;
    let folder = settings.backup.folder(database);
    match newest_sound_backup(database, &folder) {
        Some(backup) => format!(
            "the newest backup that is sound is {0}: run `tandem restore {0} --database {1}`",
            backup.display(),
            database.display()
        ),
        None => format!("there is no sound backup of it in {}", folder.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_due_once_a_day_and_a_missed_one_at_once() {
        let day = |day| TradingDay::from_ymd(2026, 12, day).unwrap();
        let time = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).unwrap();
        let at = time(16, 15);
        let check = |now: Timestamp, newest: Option<Timestamp>, expected: Timestamp| {
            assert_eq!(due(at, newest, now), expected, "now {now}, newest {newest:?}");
        };
        let (morning, evening) = (day(1).at(time(9, 0)), day(1).at(time(18, 0)));
        check(morning, None, day(1).at(at));
        check(morning, Some(day(1).at(time(8, 0))), day(1).at(at));
        check(evening, None, evening);
        check(evening, Some(morning), evening);
        check(evening, Some(day(1).at(at)), day(2).at(at));
        check(day(1).at(at), None, day(1).at(at));
    }
}
