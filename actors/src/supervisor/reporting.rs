//! What is kept and logged of how the actors are: their health at intervals, and each time one was ended.

use tandem_domain::time::Timestamp;
use tracing::{info, warn};

use super::child::Child;
use super::{Household, Supervisor, state};
use crate::store::{AuditEntry, Committed, HealthRow, Job, Write, WriterId};
use crate::vitals::{ActorName, Health};

impl<H: Household + Unpin> Supervisor<H> {
    /// One line for each actor, and the supervisor's own with what matters of all.
    pub(super) fn log_health(&self) {
        let now = self.params.clock.now();
        let mut rows = Vec::new();
        let reports: Vec<Health> = self.children.iter().filter_map(Child::report).collect();
        for health in &reports {
            info!(actor = health.actor, generation = health.generation, state = health.state,
                mailbox_depth = health.mailbox_depth, handled = health.handled,
                progress_age_ms = health.progress_age_ms, last_error = health.last_error.as_deref(),
                details = %serde_json::Value::Object(health.details.clone()), "health");
            rows.push(health_row(health, now));
        }
        let own = state::summary(&reports);
        info!(actor = "supervisor", generation = 1, state = self.state.as_str(),
            uptime_s = self.started.elapsed().as_secs(), in_flight = self.params.in_flight.count(),
            stream = own.stream, last_event_age_ms = own.last_event_age_ms, commit_us = own.commit_us,
            accounts = %own.accounts, "health");
        rows.push(Write::Health(HealthRow {
            actor: "supervisor".into(),
            generation: 1,
            reported_at: now,
            snapshot: serde_json::json!({
                "state": self.state.as_str(), "stream": own.stream, "last_event_age_ms": own.last_event_age_ms,
                "commit_us": own.commit_us, "accounts": own.accounts,
            })
            .to_string(),
        }));
        self.store_quietly(rows);
    }

    /// That a life was ended, and how.
    pub(super) fn record_restart(&self, name: &ActorName, generation: u32, how: &'static str) {
        let entry = AuditEntry {
            recorded_at: self.params.clock.now(),
            actor: "supervisor".into(),
            event: "actor_down".into(),
            subject: Some(name.to_string().into()),
            details: serde_json::json!({ "generation": generation, "how": how }).to_string(),
        };
        self.store_quietly(vec![Write::Audit(entry)]);
    }

    fn store_quietly(&self, writes: Vec<Write>) {
        let reply = Box::new(|committed: Committed| {
            if let Err(error) = committed.result {
                warn!(%error, "health was not stored");
            }
        });
        if let Err(error) = self.params.store.submit(Job { writer: writer(), writes, in_order: false, reply })
        {
            warn!(%error, "health was not stored");
        }
    }
}

/// Its one life.
pub(super) fn writer() -> WriterId {
    WriterId { actor: "supervisor".into(), generation: 1 }
}

fn health_row(health: &Health, now: Timestamp) -> Write {
    Write::Health(HealthRow {
        actor: health.actor.as_str().into(),
        generation: health.generation,
        reported_at: now,
        snapshot: serde_json::to_string(health).unwrap_or_default(),
    })
}
