//! Settings: where they come from, what they may say, and what they come to.
//!
//! Layers, lowest first: the built-in `config/default.toml`, the file given with `--config`, environment variables
//! `TANDEM__SECTION__KEY`, and the named ones `DHAN_ENV`, `SIZING_STRATEGY`, `COPY_RATIO`, `MAX_POSITION_SIZE_PCT`.
//! Each layer is checked whole against the schema before anything is merged, because the `config` crate alone stops
//! at the first fault, knows no lines and turns `2.7` into 3. Rules between settings come last. Every fault is
//! reported at once, with its place and remedy, and none repeats the value it complains of: it may be a token.
//!
//! Secrets are not here: only the names of environment variables and of token files.

mod calendar;
mod changes;
mod clients;
mod copying;
mod environment;
mod fault;
mod file;
mod layer;
mod load;
mod risk;
mod schema;
mod sections;
#[cfg(test)]
mod tests;
mod validate;
mod value;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use calendar::load_calendar;
pub use changes::SettingChange;
pub use clients::InstrumentSource;
pub use copying::{CopySettings, PartingSettings, SizingSettings};
pub use fault::{Fault, Faults, Origin};
pub use load::{Purpose, Sources, StoreOnly};
pub use risk::{RiskSettings, SpreadSettings};
pub use sections::{
    AlertsSettings, BackupSettings, BreakerSettings, BrokerLimits, BrokerSettings, ClockSettings,
    ControlSettings, FollowerSettings, LeaderSettings, LogSettings, RecoverySettings, SessionSettings,
    StoreSettings, SupervisorSettings, TokenSettings,
};
pub use value::{ClockSource, LogFormat, TokenRenewal};

/// Everything Tandem is told, checked. Made by [`Sources::load`] only.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the broker is.
    pub broker: BrokerSettings,
    /// Whose time it is.
    pub clock: ClockSettings,
    /// Who is copied.
    pub leader: LeaderSettings,
    /// Who copies; each with its tables complete. At least one is enabled.
    #[serde(rename = "follower")]
    pub followers: Vec<FollowerSettings>,
    /// What is copied, where a follower says nothing else.
    pub copy: CopySettings,
    /// How much is copied, where a follower says nothing else.
    pub sizing: SizingSettings,
    /// What happens when leader and follower part, where a follower says nothing else.
    pub parting: PartingSettings,
    /// What a follower may lose, and what follows when he does, where he says nothing else.
    pub risk: RiskSettings,
    /// How the legs of a spread wait for each other, where a follower says nothing else.
    pub spread: SpreadSettings,
    /// What happens how long before a token ends.
    pub tokens: TokenSettings,
    /// When a broker connection is given a rest.
    pub breaker: BreakerSettings,
    /// What is worth an alert.
    pub alerts: AlertsSettings,
    /// How lost answers are looked up.
    pub recovery: RecoverySettings,
    /// Health, restarts, shutdown.
    pub supervisor: SupervisorSettings,
    /// The database.
    pub store: StoreSettings,
    /// Copies of the database.
    pub backup: BackupSettings,
    /// Where a running Tandem is told to halt or to resume.
    #[serde(default)]
    pub control: ControlSettings,
    /// When exchanges trade.
    #[serde(default)]
    pub session: SessionSettings,
    /// The log lines.
    pub log: LogSettings,
}

impl Settings {
    /// Whether every URL leads to this machine: what a lent clock and raised limits require.
    pub fn is_loopback(&self) -> bool {
        let instruments_url = match self.broker.instruments() {
            InstrumentSource::Url(url) => Some(url),
            InstrumentSource::File(_) => None,
        };
        [
            Some(&self.broker.base_url),
            self.broker.stream_url.as_ref(),
            instruments_url.as_ref(),
            self.clock.lent_url.as_ref(),
            self.mints_tokens().then_some(&self.broker.auth_url),
        ]
        .into_iter()
        .flatten()
        .all(|url| validate::is_loopback(url))
    }

    /// Whether any account that takes part goes to the login host.
    fn mints_tokens(&self) -> bool {
        let mut renewals = self.enabled_followers().map(|follower| follower.token_renewal);
        self.leader.token_renewal == TokenRenewal::Totp
            || renewals.any(|renewal| renewal == TokenRenewal::Totp)
    }

    /// Followers that take part.
    pub fn enabled_followers(&self) -> impl Iterator<Item = &FollowerSettings> {
        self.followers.iter().filter(|follower| follower.enabled)
    }

    /// Every setting in force, as (key, value), for the log and the `config` table. Client ids are left out, and
    /// secrets were never in.
    pub fn effective(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        // Serializing plain structs into a tree cannot fail; were it to, nothing is better than a panic here.
        flatten("", &serde_json::to_value(self).unwrap_or_default(), &mut pairs);
        pairs
    }
}

fn flatten(path: &str, value: &Value, pairs: &mut Vec<(String, String)>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Null => {}
        Value::Object(table) => {
            for (key, inner) in table {
                flatten(&below(key), inner, pairs);
            }
        }
        Value::Array(list) if list.iter().any(Value::is_object) => {
            for (index, inner) in list.iter().enumerate() {
                flatten(&format!("{path}[{index}]"), inner, pairs);
            }
        }
        Value::Array(list) => {
            let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            pairs.push((path.to_owned(), words.join(",")));
        }
        Value::String(text) => pairs.push((path.to_owned(), text.clone())),
        Value::Bool(_) | Value::Number(_) => pairs.push((path.to_owned(), value.to_string())),
    }
}
