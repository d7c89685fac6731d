//! One struct for each section of the settings. `config/default.toml` gives every key its unit and reason.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tandem_dhan::codes::AmoTime;
use tandem_domain::breaker::BreakerLimits;
use tandem_domain::gap::GapPolicy;
use tandem_domain::gates::CopyPolicy;
use tandem_domain::ids::{DhanClientId, FollowerId};
use tandem_domain::instrument::InstrumentKind;
use tandem_domain::order::Product;
use tandem_domain::pacing::{PacingLimits, Window};
use tandem_domain::policy::{
    AtModificationLimit, Bps, Changes, CopyOn, EntryLeftBehind, MarketOrders, Parting, Translation,
};
use tandem_domain::restart::RestartLimits;
use tandem_domain::sizing::{CapitalBasis, Minimum, Ratio, SizingPolicy, Strategy};

use super::value::{ClockSource, LogFormat, amo_time, millis, optional_ratio, ratio, seconds};

/// `[broker]`: where the broker is and how long it is waited for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerSettings {
    /// REST root, without a slash at its end.
    pub base_url: String,
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
    /// Address this account leaves from.
    pub local_address: Option<Ipv4Addr>,
    /// How often the order book is read while the stream is down.
    #[serde(rename = "book_poll_ms", with = "millis")]
    pub book_poll: Duration,
    /// How often forever orders are read where a follower copies equity: the stream may not tell of them.
    #[serde(rename = "forever_poll_ms", with = "millis")]
    pub forever_poll: Duration,
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
    /// Address this account leaves from: each account's own whitelisted one.
    pub local_address: Option<Ipv4Addr>,
    /// What is copied.
    pub copy: CopySettings,
    /// How much is copied.
    pub sizing: SizingSettings,
    /// What happens when leader and follower part.
    pub parting: PartingSettings,
    /// What may be sent.
    pub broker_limits: BrokerLimits,
}

impl FollowerSettings {
    /// How often one of this follower's orders may be changed, and what then.
    pub const fn changes(&self) -> Changes {
        Changes {
            per_order_max: self.broker_limits.modifications_per_order,
            at_limit: self.copy.at_modification_limit,
        }
    }
}

/// `[copy]`: which leader orders are copied, when, and in what terms.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopySettings {
    /// At what moment.
    pub on: CopyOn,
    /// Kinds of contract copied; all others are skipped with their reason.
    pub instrument_kinds: Vec<InstrumentKind>,
    /// Product the follower uses for each of the leader's; the same where not listed.
    pub product_map: BTreeMap<Product, Product>,
    /// When an after-market copy goes to the exchange.
    #[serde(with = "amo_time")]
    pub amo_time: AmoTime,
    /// Age, by the broker's time, beyond which an entry not yet sent is skipped.
    #[serde(rename = "entry_age_ms_max", with = "millis")]
    pub entry_age_max: Duration,
    /// In which type a market order is copied.
    pub market_orders: MarketOrders,
    /// How far beyond the price known a limit of ours may stand.
    #[serde(rename = "price_band_bps")]
    pub price_band: Bps,
    /// How far beyond the trigger the limit of a copied stop-loss-market order stands.
    #[serde(rename = "stop_band_bps")]
    pub stop_band: Bps,
    /// What becomes of an order that was changed as often as the broker allows.
    pub at_modification_limit: AtModificationLimit,
}

impl CopySettings {
    /// What the gates want to know.
    pub fn policy(&self) -> CopyPolicy {
        CopyPolicy {
            kinds: self.instrument_kinds.iter().copied().collect(),
            product_map: self.product_map.clone(),
            entry_age_max: self.entry_age_max,
            on: self.on,
            translation: self.translation(),
        }
    }

    /// How a copy is placed in terms the broker takes.
    pub const fn translation(&self) -> Translation {
        Translation {
            market_orders: self.market_orders,
            price_band: self.price_band,
            stop_band: self.stop_band,
        }
    }
}

/// `[sizing]`: how much a follower copies.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SizingSettings {
    /// Where the ratio comes from.
    pub strategy: Strategy,
    /// The ratio of `fixed_ratio`; always set when that strategy is.
    #[serde(default, with = "optional_ratio")]
    pub ratio: Option<Ratio>,
    /// Multiplies the ratio of either strategy.
    #[serde(with = "ratio")]
    pub multiplier: Ratio,
    /// The largest ratio used, whatever was computed.
    #[serde(with = "ratio")]
    pub ratio_max: Ratio,
    /// What happens below one lot.
    pub minimum: Minimum,
    /// What counts as capital.
    pub capital: CapitalBasis,
}

impl SizingSettings {
    /// What the sizing wants to know.
    pub fn policy(&self) -> SizingPolicy {
        SizingPolicy {
            strategy: self.strategy,
            // Read by `FixedRatio` only, which is refused at the start without a ratio.
            fixed_ratio: self.ratio.unwrap_or(Ratio::ONE),
            capital: self.capital,
            multiplier: self.multiplier,
            ratio_max: self.ratio_max,
            minimum: self.minimum,
        }
    }
}

/// `[parting]`: what happens when leader and follower part.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartingSettings {
    /// What becomes of an entry that still waits when the leader's has filled.
    pub entry: EntryLeftBehind,
    /// From the leader's fill until that is done.
    #[serde(rename = "entry_after_ms", with = "millis")]
    pub entry_after: Duration,
    /// From the leader's fill until an exit that still waits is chased.
    #[serde(rename = "exit_after_ms", with = "millis")]
    pub exit_after: Duration,
    /// Between two moves of a chased price.
    #[serde(rename = "chase_interval_ms", with = "millis")]
    pub chase_interval: Duration,
    /// Which gaps are made good by orders of our own.
    pub gap: GapPolicy,
}

impl PartingSettings {
    /// What the mirrors want to know.
    pub const fn policy(&self) -> Parting {
        Parting {
            entry: self.entry,
            entry_after: self.entry_after,
            exit_after: self.exit_after,
            chase_interval: self.chase_interval,
            gap: self.gap,
        }
    }
}

/// `[limits]`: caps on what a follower may hold.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsSettings {
    /// Largest position in percent of the follower's capital. Always 100, which is off: nothing enforces it yet, so a
    /// smaller one is refused at the start.
    pub max_position_size_pct: u8,
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
    /// First wait before a restart or reconnect; doubles.
    #[serde(rename = "backoff_ms_first", with = "millis")]
    pub backoff_first: Duration,
    /// Longest wait before a restart or reconnect.
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
