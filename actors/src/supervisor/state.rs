//! The state of the whole, judged from the health of the parts.

use serde_json::{Map, Value, json};

use crate::vitals::{Health, RECOVERING};

/// The state of an actor that is not there.
pub(super) const DOWN: &str = "down";

/// The whole, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemState {
    /// Actors are being started.
    Initializing,
    /// Waiting for the accounts' first answers and the leader's login.
    Authenticating,
    /// Reading rows, the leader's books, and each follower's own.
    Recovering,
    /// Copying.
    Ready,
    /// Copying in part: an actor is down, a breaker open, an account halted or not read yet by a new life, or the stream lost.
    Degraded,
    /// Stopped by a failure that a person must look at.
    Halted,
    /// Finishing what is under way.
    ShuttingDown,
    /// Over.
    Stopped,
}

/// What the supervisor's health line says of the others.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) stream: String,
    pub(super) last_event_age_ms: Option<u64>,
    pub(super) commit_us: Option<u64>,
    pub(super) accounts: Value,
}

impl SystemState {
    /// The state as one word, for logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initializing => "initializing",
            Self::Authenticating => "authenticating",
            Self::Recovering => "recovering",
            Self::Ready => "ready",
            Self::Degraded => "degraded",
            Self::Halted => "halted",
            Self::ShuttingDown => "shutting_down",
            Self::Stopped => "stopped",
        }
    }

    /// Whether the end has begun.
    pub const fn is_ending(self) -> bool {
        matches!(self, Self::Halted | Self::ShuttingDown | Self::Stopped)
    }

    /// The next state, from whether an actor is down and what the others say.
    #[must_use]
    pub fn judge(self, any_down: bool, healths: &[&Health]) -> Self {
        if self.is_ending() {
            return self;
        }
        let stream =
            healths.iter().find(|health| health.actor == "leader_stream").map(|health| health.state.as_str());
        let was_up = matches!(self, Self::Ready | Self::Degraded);
        let trouble = any_down
            || healths
                .iter()
                .any(|health| matches!(health.state.as_str(), "account_halted" | "open" | "half_open"));
        let recovers = healths.iter().any(|health| health.state == RECOVERING);
        match stream {
            Some("live") if trouble || (recovers && was_up) => Self::Degraded,
            Some("live") if recovers => Self::Recovering,
            Some("live") => Self::Ready,
            _ if was_up => Self::Degraded,
            Some("merging") => Self::Recovering,
            Some("token_refused") => Self::Degraded,
            Some(_) => Self::Authenticating,
            None => Self::Initializing,
        }
    }
}

pub(super) fn summary(healths: &[Health]) -> Summary {
    let of = |name: &str| healths.iter().find(|health| health.actor == name);
    let number =
        |health: Option<&Health>, key: &str| health.and_then(|health| health.details.get(key)?.as_u64());
    let stream = of("leader_stream");
    let mut accounts = Map::new();
    if let Some(leader) = stream {
        accounts.insert(
            "leader".to_owned(),
            json!({
                "api": api(leader, "token_refused"),
                "available_margin": leader.details.get("available_margin"),
            }),
        );
    }
    for health in healths {
        let Some(follower) = health.actor.strip_prefix("follower/") else { continue };
        let breaker = of(&format!("breaker/{follower}")).map(|breaker| breaker.state.clone());
        accounts.insert(
            follower.to_owned(),
            json!({
                "api": api(health, "account_halted"),
                "breaker": breaker,
                "available_margin": health.details.get("available_margin"),
            }),
        );
    }
    Summary {
        stream: stream.map_or_else(|| "down".to_owned(), |stream| stream.state.clone()),
        last_event_age_ms: number(stream, "last_event_age_ms"),
        commit_us: number(of("store"), "last_commit_us"),
        accounts: Value::Object(accounts),
    }
}

/// What is known of an account's API: nothing, while the actor that uses it is down.
fn api(health: &Health, refused: &str) -> &'static str {
    match health.state.as_str() {
        DOWN => "unknown",
        state if state == refused => "refused",
        _ => "ok",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(actor: &str, state: &str) -> Health {
        Health {
            actor: actor.to_owned(),
            generation: 1,
            state: state.to_owned(),
            mailbox_depth: 0,
            handled: 0,
            progress_age_ms: 0,
            last_error: None,
            details: Map::new(),
        }
    }

    #[test]
    fn who_has_not_read_his_account_yet_keeps_the_whole_from_being_ready() {
        let live = health("leader_stream", "live");
        let of = |state| health("follower/asha", state);
        for (before, follower, next) in [
            (SystemState::Authenticating, RECOVERING, SystemState::Recovering),
            (SystemState::Recovering, RECOVERING, SystemState::Recovering),
            (SystemState::Recovering, "working", SystemState::Ready),
            (SystemState::Recovering, "account_halted", SystemState::Degraded),
            (SystemState::Ready, RECOVERING, SystemState::Degraded),
            (SystemState::Degraded, "working", SystemState::Ready),
        ] {
            assert_eq!(before.judge(false, &[&live, &of(follower)]), next, "{before:?} {follower}");
        }
    }
}
