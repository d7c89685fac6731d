//! Settings that change while copying goes on. What changed is put on record, key by key, before anybody goes by it; a
//! fault, or a key that cannot change without a restart, changes nothing at all.

use std::future::pending;
use std::time::Duration;

use serde_json::json;
use tandem_actors::clock::Clock;
use tandem_actors::store::{AuditEntry, Store, StoreHandle, Write};
use tandem_actors::supervisor::NewSettings;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use super::following;
use super::ground::{Ground, commit, snapshot};
use crate::settings::{Faults, SettingChange, Settings};
use crate::telemetry::Level;

/// How long a change waits to be on record. A store that takes longer has worse to tell than this.
const RECORD_PATIENCE: Duration = Duration::from_secs(5);

/// Where changed settings come from, and who beside the actors goes by them.
pub struct Reloads {
    asked: Option<Signal>,
    read: Box<dyn Fn() -> Result<Settings, Faults>>,
    level: Option<Level>,
}

impl Reloads {
    /// `read` is asked again at each SIGHUP. To be made on a runtime.
    pub fn at_hangup(read: impl Fn() -> Result<Settings, Faults> + 'static, level: Level) -> Self {
        let asked = signal(SignalKind::hangup()).inspect_err(
            |error| warn!(%error, "SIGHUP cannot be listened for: settings change at a restart only"),
        );
        Self { asked: asked.ok(), read: Box::new(read), level: Some(level) }
    }

    /// Settings that stay as they are.
    pub fn never() -> Self {
        Self { asked: None, read: Box::new(|| Err(Faults(Vec::new()))), level: None }
    }

    /// Waits until somebody asks, and reads. May be dropped and asked again.
    pub(super) async fn next(&mut self) -> Result<Settings, Faults> {
        match &mut self.asked {
            Some(asked) => asked.recv().await,
            None => pending().await,
        };
        (self.read)()
    }

    /// Takes settings in that were read again, as far as they may change; with what the actors must be told.
    pub(super) async fn take(
        &self,
        present: &mut Settings,
        read: Result<Settings, Faults>,
        store: &Store,
        ground: &Ground,
    ) -> Option<NewSettings> {
        let (store, clock) = (&store.handle, &ground.clock);
        let new = match read {
            Ok(new) => new,
            Err(faults) => {
                let told: Vec<String> = faults.0.iter().map(ToString::to_string).collect();
                error!(faults = told.join(" | "), "settings read again have faults: nothing is changed");
                refuse(store, clock, &json!({ "faults": told })).await;
                return None;
            }
        };
        let changes = match present.changes_to(&new) {
            Ok(changes) => changes,
            Err(fixed) => {
                error!(
                    keys = fixed.join(", "),
                    "settings read again differ where only a restart can change them: nothing is changed"
                );
                refuse(store, clock, &json!({ "needs_restart": fixed })).await;
                return None;
            }
        };
        if changes.is_empty() {
            info!("settings read again: nothing differs");
            return None;
        }
        if let Err(error) = within(commit(store, rows(&new, &changes, clock))).await {
            error!(%error, "changed settings could not be put on record: nothing is changed");
            return None;
        }
        for SettingChange { key, old, new } in &changes {
            info!(key, old, new, "setting changed");
        }
        if let Some(level) = &self.level
            && let Err(error) = level.set(&new.log.level)
        {
            warn!(%error, "the level of log lines stays as it was");
        }
        *present = new;
        Some(NewSettings {
            followers: present
                .enabled_followers()
                .map(|follower| following::reload(present, follower, &ground.calendar))
                .collect(),
            policies: present.enabled_followers().map(following::policy).collect(),
        })
    }
}

/// The settings in force from now on, and each change of one of them.
fn rows(new: &Settings, changes: &[SettingChange], clock: &Clock) -> Vec<Write> {
    let now = clock.now();
    let config = snapshot(new, now);
    let change = |change: &SettingChange| {
        Write::Audit(AuditEntry {
            recorded_at: now,
            actor: "operator".into(),
            event: "setting_changed".into(),
            subject: Some(change.key.as_str().into()),
            details: json!({ "old": change.old, "new": change.new, "settings": config.version }).to_string(),
        })
    };
    let changed: Vec<Write> = changes.iter().map(change).collect();
    [Write::Config(config)].into_iter().chain(changed).collect()
}

async fn refuse(store: &StoreHandle, clock: &Clock, details: &serde_json::Value) {
    let refused = AuditEntry {
        recorded_at: clock.now(),
        actor: "operator".into(),
        event: "settings_refused".into(),
        subject: None,
        details: details.to_string(),
    };
    if let Err(error) = within(commit(store, vec![Write::Audit(refused)])).await {
        warn!(%error, "that settings were refused was not recorded");
    }
}

async fn within(committing: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    actix_rt::time::timeout(RECORD_PATIENCE, committing).await?
}
