//! What a person should know, in one shape: a row that stays until it is dealt with, and a log line when it is durable.
//!
//! Nobody writes those lines himself: the Store's writer says what it has opened and closed ([`Said`]), whoever asked for
//! it, so that a log line stands beside each of these rows and beside each of their ends.

use std::sync::Arc;

use tandem_domain::ids::FollowerId;
use tandem_domain::time::Timestamp;
use tracing::{error, info, warn};

use crate::records::writer;
use crate::store::{Committed, IncidentRow, Job, StoreHandle, Write, WriterId};
use crate::vitals::Vitals;

/// One alert.
#[derive(Debug, Clone)]
pub struct AlertText {
    /// What kind, one word.
    pub kind: &'static str,
    /// What it is about, so that saying it twice opens one incident.
    pub subject: String,
    /// In words, with what to do.
    pub text: String,
}

impl AlertText {
    /// Its incident.
    pub fn row(self, follower: Option<&FollowerId>, now: Timestamp) -> IncidentRow {
        let Self { kind, subject, text } = self;
        IncidentRow {
            id: incident_id(kind, follower, &subject, now),
            opened_at: now,
            kind: kind.into(),
            follower: follower.cloned(),
            instrument: None,
            text,
        }
    }

    /// The end of its incident; there may be none.
    pub fn end(&self, follower: Option<&FollowerId>, now: Timestamp) -> Write {
        end(self.kind, follower, &self.subject, now)
    }
}

/// What the log says of an incident that is durable, or that is closed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its name.
    pub id: String,
    /// What kind, one word.
    pub kind: String,
    /// Whose account it is about; the leader's or all if none.
    pub follower: Option<String>,
    /// What it says; nothing of one that is over.
    pub text: Option<String>,
}

impl Said {
    /// Of an incident that stands open.
    pub fn opened(incident: &IncidentRow) -> Self {
        Self {
            id: incident.id.to_string(),
            kind: incident.kind.to_string(),
            follower: incident.follower.as_ref().map(ToString::to_string),
            text: Some(incident.text.clone()),
        }
    }

    /// Says it: the one place where such lines are made.
    pub fn log(&self) {
        let Self { id, kind: alert, follower, text } = self;
        let (follower, subject) = (follower.as_deref().unwrap_or("-"), subject_of(id));
        if let Some(text) = text {
            error!(alert, follower, subject, "{text}");
        } else {
            info!(alert, follower, subject, "this is so no more");
        }
    }
}

/// Says in the log what could not be recorded: a person must know it all the same.
pub fn log_unrecorded(writes: &[Write]) {
    for write in writes {
        if let Write::IncidentOpen(incident) = write {
            Said::opened(incident).log();
        }
    }
}

/// Who speaks, for rows and log lines.
#[derive(Debug)]
pub struct Voice<'a> {
    /// Where they are recorded.
    pub store: &'a StoreHandle,
    /// Who records them.
    pub vitals: &'a Vitals,
    /// Whose account it is; the leader's if none.
    pub follower: Option<&'a FollowerId>,
}

/// One alert that comes and goes, as far as this life knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// A life before may have left it open.
    #[default]
    Unknown,
    /// It is so, and was told.
    Told,
    /// It is not so.
    Over,
}

impl Standing {
    /// Tells of it, once.
    pub fn raise(&mut self, voice: &Voice<'_>, alert: AlertText, now: Timestamp) {
        if std::mem::replace(self, Self::Told) != Self::Told {
            raise(voice.store, voice.vitals, voice.follower, alert, now);
        }
    }

    /// It is so no more, or never was in this life.
    pub fn over(&mut self, voice: &Voice<'_>, kind: &'static str, subject: &str, now: Timestamp) {
        if std::mem::replace(self, Self::Over) != Self::Over {
            close(voice.store, voice.vitals, voice.follower, kind, subject, now);
        }
    }
}

/// Opens its incident.
pub fn raise(
    store: &StoreHandle,
    vitals: &Vitals,
    follower: Option<&FollowerId>,
    alert: AlertText,
    now: Timestamp,
) {
    record(store, writer(vitals), vec![Write::IncidentOpen(alert.row(follower, now))]);
}

/// Ends the incident of this kind about this; there may be none.
pub fn close(
    store: &StoreHandle,
    vitals: &Vitals,
    follower: Option<&FollowerId>,
    kind: &'static str,
    subject: &str,
    now: Timestamp,
) {
    record(store, writer(vitals), vec![end(kind, follower, subject, now)]);
}

/// Hands over what nobody says again and nobody waits for: it finds room where the queue is full.
pub fn record(store: &StoreHandle, writer: WriterId, writes: Vec<Write>) {
    let actor = Arc::clone(&writer.actor);
    let reply = Box::new(move |committed: Committed| {
        if let Err(error) = committed.result {
            warn!(actor = &*actor, %error, "rows were not stored");
        }
    });
    if let Err((error, job)) = store.offer_alert(Job { writer, writes, in_order: false, reply }) {
        warn!(actor = &*job.writer.actor, %error, "rows were not stored");
        log_unrecorded(&job.writes);
    }
}

fn end(kind: &str, follower: Option<&FollowerId>, subject: &str, now: Timestamp) -> Write {
    Write::IncidentClose { id: incident_id(kind, follower, subject, now), closed_at: now }
}

/// What an alert's incident is called: the day on which it was told first, and what it is about. What closes it may name a
/// later day.
fn incident_id(kind: &str, follower: Option<&FollowerId>, subject: &str, now: Timestamp) -> Arc<str> {
    let of = follower.map_or("-", FollowerId::as_str);
    format!("{}/{kind}/{of}/{subject}", now.trading_day()).into()
}

/// The part of a name that says what it is about.
fn subject_of(id: &str) -> &str {
    id.splitn(4, '/').nth(3).unwrap_or_default()
}
