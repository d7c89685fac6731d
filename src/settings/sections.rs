//! One struct for each section of the settings; those about copying and about risk have rooms of their own.
//! `config/default.toml` gives every key its unit and reason.

use std::net::Ipv4Addr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::NaiveTime;
use serde::{Deserialize, Serialize};
use tandem_actors::store::backups_beside;
use tandem_domain::breaker::BreakerLimits;
use tandem_domain::ids::{DhanClientId, FollowerId};
use tandem_domain::pacing::{PacingLimits, Window};
use tandem_domain::price::Money;
use tandem_domain::restart::RestartLimits;
use tandem_domain::sizing::CapitalBasis;

use super::copying::{CopySettings, PartingSettings, SizingSettings};
use super::risk::{RiskSettings, SpreadSettings};
use super::value::{ClockSource, LogFormat, TokenRenewal, millis, money, seconds, time_of_day};

/// `[broker]`: where the broker is and how long it is waited for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerSettings {
    /// REST root, without a slash at its end.
    pub base_url: String,
    /// Login host, without a slash at its end: where tokens are minted by PIN and TOTP.
    pub auth_url: String,
    /// Order-update stream. None where there is none: the sandbox (`dhanhq-v2.md` section 11).
    pub stream_url: Option<String>,
    /// Instrument master over HTTP; used unless `instruments_file` is set.
    pub instruments_url: String,
    /// Instrument master on disk.
    pub instruments_file: Option<PathBuf>,
    /// Deadline of a TCP and TLS connect.
    #[serde(rename = "connect_timeout_ms", with = "millis")]
    pub connect_timeout: Duration,
    /// Deadline of a whole request, sending and body.
    #[serde(rename = "request_deadline_ms", with = "millis")]
    pub request_deadline: Duration,
    /// How often the stream is pinged.
    #[serde(rename = "stream_ping_s", with = "seconds")]
    pub stream_ping: Duration,
    /// How long a ping may stay unanswered before the stream counts as mute.
    #[serde(rename = "stream_pong_deadline_s", with = "seconds")]
    pub stream_pong_deadline: Duration,
    /// The first wait before a stream is tried again; doubles.
    #[serde(rename = "reconnect_ms_first", with = "millis")]
    pub reconnect_first: Duration,
    /// The longest wait before a stream is tried again.
    #[serde(rename = "reconnect_ms_max", with = "millis")]
    pub reconnect_max: Duration,
    /// Address to leave from, for every account without one of its own.
    pub local_address: Option<Ipv4Addr>,
    /// PEM file of certificates trusted beside the public ones.
    pub extra_ca_file: Option<PathBuf>,
    /// Pacing of every account without limits of its own.
    pub limits: BrokerLimits,
}

/// `[broker.limits]`, or `[follower.broker_limits]`: what one account may send (`dhanhq-v2.md` section 9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerLimits {
    /// Order requests in any second.
    pub orders_per_second: u32,
    /// Order requests in any minute.
    pub orders_per_minute: u32,
    /// Order requests in any hour.
    pub orders_per_hour: u32,
    /// Order requests in a day.
    pub orders_per_day: u32,
    /// Percent of each window kept free for exits and cancels.
    pub exit_reserve_pct: u32,
    /// Added to each window, for requests that overtake each other on the network.
    #[serde(rename = "window_guard_ms", with = "millis")]
    pub window_guard: Duration,
    /// Reads in any second.
    pub reads_per_second: u32,
    /// Changes of one order, at most 25 (section 2.4).
    pub modifications_per_order: u16,
}

impl BrokerLimits {
    /// The windows as the pacer wants them.
    pub fn pacing(&self) -> PacingLimits {
        let windows = [
            (self.orders_per_second, 1),
            (self.orders_per_minute, 60),
            (self.orders_per_hour, 3_600),
            (self.orders_per_day, 86_400),
        ];
        PacingLimits {
            windows: windows.map(|(limit, span)| Window { limit, span: Duration::from_secs(span) }).to_vec(),
            exit_reserve_pct: self.exit_reserve_pct,
            guard: self.window_guard,
        }
    }
}

/// `[clock]`: whose time sessions, ages and budgets read.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockSettings {
    /// The machine's clock, or one lent by a simulator.
    pub source: ClockSource,
    /// Where the lent clock is; only while every URL is loopback.
    pub lent_url: Option<String>,
}

/// `[leader]`: the account that is copied.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaderSettings {
    /// A short label for logs and tables.
    pub name: String,
    /// Read from the variable named `client_id_env` when the settings are loaded. Personal: never written out.
    #[serde(skip_serializing)]
    pub client_id: DhanClientId,
    /// Environment variable holding the Dhan client id.
    pub client_id_env: String,
    /// Environment variable holding the access token; used unless `access_token_file` is set.
    pub access_token_env: String,
    /// File holding the access token, mode 0600, read afresh at each connect.
    pub access_token_file: Option<PathBuf>,
    /// How the token is renewed.
    pub token_renewal: TokenRenewal,
    /// Environment variable holding the PIN, for `totp`.
    pub pin_env: Option<String>,
    /// File holding the PIN, mode 0600.
    pub pin_file: Option<PathBuf>,
    /// Environment variable holding the TOTP secret, base32.
    pub totp_secret_env: Option<String>,
    /// File holding the TOTP secret, mode 0600.
    pub totp_secret_file: Option<PathBuf>,
    /// Address this account leaves from.
    pub local_address: Option<Ipv4Addr>,
    /// How often the order book is read while the stream is down.
    #[serde(rename = "book_poll_ms", with = "millis")]
    pub book_poll: Duration,
    /// How often forever orders are read where a follower copies equity: the stream may not tell of them.
    #[serde(rename = "forever_poll_ms", with = "millis")]
    pub forever_poll: Duration,
    /// What counts as his capital.
    pub capital: CapitalBasis,
    /// That sum, where it is a fixed one; always set then.
    pub capital_rupees: Option<u64>,
}

impl LeaderSettings {
    /// The sum that counts as his capital, if one from the settings does.
    pub fn fixed_capital(&self) -> Option<Money> {
        self.capital_rupees.map(money)
    }
}

/// `[[follower]]`: one account that copies. What its own tables leave out is taken from the sections of that name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowerSettings {
    /// Short label, unique, never changed: client order ids are derived from it.
    pub id: FollowerId,
    /// Whether this follower copies. A disabled one is neither connected nor sized.
    pub enabled: bool,
    /// Read from the variable named `client_id_env` when the settings are loaded. Personal: never written out.
    #[serde(skip_serializing)]
    pub client_id: DhanClientId,
    /// Environment variable holding the Dhan client id.
    pub client_id_env: String,
    /// Environment variable holding the access token; used unless `access_token_file` is set.
    pub access_token_env: String,
    /// File holding the access token, mode 0600, read afresh at each connect.
    pub access_token_file: Option<PathBuf>,
    /// How the token is renewed.
    pub token_renewal: TokenRenewal,
    /// Environment variable holding the PIN, for `totp`.
    pub pin_env: Option<String>,
    /// File holding the PIN, mode 0600.
    pub pin_file: Option<PathBuf>,
    /// Environment variable holding the TOTP secret, base32.
    pub totp_secret_env: Option<String>,
    /// File holding the TOTP secret, mode 0600.
    pub totp_secret_file: Option<PathBuf>,
    /// Address this account leaves from: each account's own whitelisted one.
    pub local_address: Option<Ipv4Addr>,
    /// What is copied.
    pub copy: CopySettings,
    /// How much is copied.
    pub sizing: SizingSettings,
    /// What happens when leader and follower part.
    pub parting: PartingSettings,
    /// What he may lose, and what follows when he does.
    pub risk: RiskSettings,
    /// How the legs of a spread wait for each other.
    pub spread: SpreadSettings,
    /// What may be sent.
    pub broker_limits: BrokerLimits,
}

/// `[tokens]`: what happens how long before a token ends.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSettings {
    /// A person is told.
    #[serde(rename = "warn_before_s", with = "seconds")]
    pub warn_before: Duration,
    /// Another is asked for, where an account's `token_renewal` says so.
    #[serde(rename = "renew_before_s", with = "seconds")]
    pub renew_before: Duration,
}

/// `[breaker]`: when a follower's broker connection is given a rest.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakerSettings {
    /// Consecutive typed failures that open it.
    pub failures_max: u32,
    /// How long it stays open before a read probes.
    #[serde(rename = "open_s", with = "seconds")]
    pub open: Duration,
    /// The longest it stays open between probes; the wait doubles with each that fails.
    #[serde(rename = "open_s_max", with = "seconds")]
    pub open_max: Duration,
}

impl BreakerSettings {
    /// The limits of one follower's breaker.
    pub const fn limits(&self) -> BreakerLimits {
        BreakerLimits { failures_max: self.failures_max, open_for: self.open, open_for_max: self.open_max }
    }
}

/// `[alerts]`: what is worth an alert.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertsSettings {
    /// A follower's fills worse than the leader's by more than this raise an alert; zero is off.
    pub slippage_bps_max: u32,
}

/// `[recovery]`: how a lost answer is looked up (P3, P4).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoverySettings {
    /// How long after sending an absent lookup still proves nothing.
    #[serde(rename = "settle_ms", with = "millis")]
    pub settle: Duration,
    /// First wait between two lookups.
    #[serde(rename = "lookup_ms_first", with = "millis")]
    pub lookup_first: Duration,
    /// Longest wait between two lookups.
    #[serde(rename = "lookup_ms_max", with = "millis")]
    pub lookup_max: Duration,
    /// How often a follower with working orders is polled while its stream is down.
    #[serde(rename = "poll_ms", with = "millis")]
    pub poll: Duration,
    /// How often a follower without working orders is polled.
    #[serde(rename = "idle_poll_ms", with = "millis")]
    pub idle_poll: Duration,
}

/// `[supervisor]`: health lines, restarts and shutdown.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SupervisorSettings {
    /// How often every actor writes its health line.
    #[serde(rename = "health_interval_s", with = "seconds")]
    pub health_interval: Duration,
    /// How long an actor may be without progress before it counts as hung.
    #[serde(rename = "hang_deadline_ms", with = "millis")]
    pub hang_deadline: Duration,
    /// Restarts of one actor within the window; one more halts the system.
    pub restarts_max: u32,
    /// Width of the sliding window in which restarts are counted.
    #[serde(rename = "restart_window_s", with = "seconds")]
    pub restart_window: Duration,
    /// Restarts of one actor in a day; one more halts the system.
    pub restarts_per_day_max: u32,
    /// First wait before a restart; doubles.
    #[serde(rename = "backoff_ms_first", with = "millis")]
    pub backoff_first: Duration,
    /// Longest wait before a restart.
    #[serde(rename = "backoff_ms_max", with = "millis")]
    pub backoff_max: Duration,
    /// How long requests in flight may finish at shutdown.
    #[serde(rename = "shutdown_deadline_ms", with = "millis")]
    pub shutdown_deadline: Duration,
}

impl SupervisorSettings {
    /// The limits of restarting one actor.
    pub const fn restart_limits(&self) -> RestartLimits {
        RestartLimits {
            restarts_max: self.restarts_max,
            window: self.restart_window,
            restarts_per_day_max: self.restarts_per_day_max,
            backoff_first: self.backoff_first,
            backoff_max: self.backoff_max,
        }
    }
}

/// `[store]`: the database.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSettings {
    /// SQLite file; made when absent.
    pub path: PathBuf,
    /// Reading connections.
    pub readers: u32,
    /// Jobs that may wait for the writer; beyond it the caller waits.
    pub queue_jobs_max: usize,
    /// How large the file may grow, in MiB; the disk's own bound when not set.
    pub size_mb_max: Option<u32>,
}

/// `[backup]`: copies of the database.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupSettings {
    /// Whether a running Tandem makes one every day.
    pub enabled: bool,
    /// When, by the clock in India.
    #[serde(with = "time_of_day")]
    pub at: NaiveTime,
    /// How many are kept.
    pub keep: NonZeroUsize,
    /// Their folder; `backups` beside the database when not set.
    pub dir: Option<PathBuf>,
}

impl BackupSettings {
    /// The folder in which backups of this database are.
    pub fn folder(&self, database: &Path) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| backups_beside(database))
    }
}

/// `[control]`: where a running Tandem is told to halt or to resume.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlSettings {
    /// Unix socket; beside the database when not set.
    pub socket: Option<PathBuf>,
}

/// `[session]`: when exchanges trade.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionSettings {
    /// Sessions and holidays; the built-in ones when not set.
    pub calendar_file: Option<PathBuf>,
}

/// `[log]`: the log lines.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// Text or JSON.
    pub format: LogFormat,
    /// What is logged, in the filter language of tracing-subscriber: `info`, `info,tandem_actors=debug`.
    pub level: String,
    /// File to append to, instead of standard error.
    pub file: Option<PathBuf>,
}

impl Default for LogSettings {
    /// What is used before the settings are known.
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned(), file: None }
    }
}
