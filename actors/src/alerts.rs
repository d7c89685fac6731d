//! What a person should know, in one shape: a log line, and a row that stays until it is dealt with.

use std::sync::Arc;

use tandem_domain::ids::FollowerId;
use tandem_domain::time::Timestamp;
use tracing::{error, info};

use crate::records::submit_quietly;
use crate::store::{IncidentRow, StoreHandle, Write};
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
    /// Logs it, and says what its row holds: whoever records it does so by this shape alone.
    pub fn told(self, follower: Option<&FollowerId>, now: Timestamp) -> IncidentRow {
        let Self { kind, subject, text } = self;
        let of = follower.map_or("-", FollowerId::as_str);
        error!(alert = kind, follower = of, subject, "{text}");
        IncidentRow {
            id: incident_id(kind, follower, &subject, now),
            opened_at: now,
            kind: kind.into(),
            follower: follower.cloned(),
            instrument: None,
            text,
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
#[derive(Debug, Default)]
pub struct Standing {
    is_told: bool,
    /// What a life before may have left open is closed.
    is_cleared: bool,
}

impl Standing {
    /// Tells of it.
    pub fn raise(&mut self, voice: &Voice<'_>, alert: AlertText, now: Timestamp) {
        self.is_told = true;
        raise(voice.store, voice.vitals, voice.follower, alert, now);
    }

    /// It is so no more, or never was in this life.
    pub fn over(&mut self, voice: &Voice<'_>, kind: &'static str, subject: &str, now: Timestamp) {
        let Voice { store, vitals, follower } = *voice;
        let is_cleared = std::mem::replace(&mut self.is_cleared, true);
        if std::mem::take(&mut self.is_told) {
            close(store, vitals, follower, kind, subject, now);
        } else if !is_cleared {
            close_of_before(store, vitals, follower, kind, subject, now);
        }
    }
}

/// Logs it and opens its incident.
pub fn raise(
    store: &StoreHandle,
    vitals: &Vitals,
    follower: Option<&FollowerId>,
    alert: AlertText,
    now: Timestamp,
) {
    let row = alert.told(follower, now);
    submit_quietly(store, vitals, vec![Write::IncidentOpen(row)]);
}

/// Ends the incident that an alert of today opened; there may be none.
pub fn close(
    store: &StoreHandle,
    vitals: &Vitals,
    follower: Option<&FollowerId>,
    kind: &'static str,
    subject: &str,
    now: Timestamp,
) {
    let of = follower.map_or("-", FollowerId::as_str);
    info!(alert = kind, follower = of, subject, "this is so no more");
    close_of_before(store, vitals, follower, kind, subject, now);
}

/// Ends the incident that a life before may have opened today, without a word: for this life there was none.
fn close_of_before(
    store: &StoreHandle,
    vitals: &Vitals,
    follower: Option<&FollowerId>,
    kind: &'static str,
    subject: &str,
    now: Timestamp,
) {
    let id = incident_id(kind, follower, subject, now);
    submit_quietly(store, vitals, vec![Write::IncidentClose { id, closed_at: now }]);
}

/// What an alert's incident is called: the day on which it was told first, and what it is about. What closes it may name a
/// later day.
fn incident_id(kind: &str, follower: Option<&FollowerId>, subject: &str, now: Timestamp) -> Arc<str> {
    let of = follower.map_or("-", FollowerId::as_str);
    format!("{}/{kind}/{of}/{subject}", now.trading_day()).into()
}
