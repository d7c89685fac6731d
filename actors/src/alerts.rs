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

/// Logs it and opens its incident.
pub fn raise(
    store: &StoreHandle,
    vitals: &Vitals,
    follower: Option<&FollowerId>,
    alert: AlertText,
    now: Timestamp,
) {
    let AlertText { kind, subject, text } = alert;
    let of = follower.map_or("-", FollowerId::as_str);
    error!(alert = kind, follower = of, subject, "{text}");
    let row = IncidentRow {
        id: incident_id(kind, follower, &subject, now),
        opened_at: now,
        kind: kind.into(),
        follower: follower.cloned(),
        instrument: None,
        text,
    };
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
    let id = incident_id(kind, follower, subject, now);
    submit_quietly(store, vitals, vec![Write::IncidentClose { id, closed_at: now }]);
}

fn incident_id(kind: &str, follower: Option<&FollowerId>, subject: &str, now: Timestamp) -> Arc<str> {
    let of = follower.map_or("-", FollowerId::as_str);
    format!("{}/{kind}/{of}/{subject}", now.trading_day()).into()
}
