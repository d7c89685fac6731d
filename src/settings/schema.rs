//! Every key there is, with what it takes. `config/default.toml` documents the same keys; a test holds them together.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use tandem_domain::gap::GapPolicy;
use tandem_domain::gates::entry::{AtCap, MarginCheck};
use tandem_domain::policy::{
    AtModificationLimit, Conversions, CopyOn, EntryLeftBehind, MarketOrders, MissingCover, OnBreach, OnDrift,
};
use tandem_domain::sizing::{CapitalBasis, Minimum, Rounding, Strategy};

use super::value::{AMO_TIME_WORDS, ClockSource, LogFormat, TokenRenewal, parse_ratio, parse_time};

/// What a setting takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Any text that is not empty.
    Text,
    /// A short label of letters, digits, `-` and `_`.
    Label,
    /// The name of an environment variable (never its value).
    VariableName,
    /// A path.
    Path,
    /// A URL with one of these schemes.
    Url(&'static [&'static str]),
    /// An IPv4 address.
    Ipv4,
    /// true or false.
    Flag,
    /// A whole number from the first to the second.
    Whole(u64, u64),
    /// An exact number above zero.
    Ratio,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of some of these words.
    Choices(&'static [&'static str]),
    /// A list of names that nobody can know beforehand.
    Names,
    /// The same in capitals.
    CapitalNames,
    /// A time of the day, in hours and minutes.
    TimeOfDay,
    /// A table from some of these words to others of them.
    ChoiceMap(&'static [&'static str]),
}

/// A value that fits its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Checked {
    Text(String),
    Flag(bool),
    Whole(u64),
    List(Vec<String>),
    Map(BTreeMap<String, String>),
}

/// One key.
#[derive(Debug)]
pub(super) struct Leaf {
    /// With its section.
    pub(super) key: &'static str,
    pub(super) kind: Kind,
}

const fn leaf(key: &'static str, kind: Kind) -> Leaf {
    Leaf { key, kind }
}

/// Contracts that can be traded (`dhanhq-v2.md` section 8.5), options first.
const INSTRUMENT_KINDS: &[&str] =
    &["OPTIDX", "OPTSTK", "OPTFUT", "OPTCUR", "FUTIDX", "FUTSTK", "FUTCOM", "FUTCUR", "EQUITY"];
/// Products an order may be placed in (section 2.2). Cover and bracket orders are copied in another form, so their
/// products are not to be mapped.
const PRODUCTS: &[&str] = &["CNC", "INTRADAY", "MARGIN", "MTF"];
/// Products of a leader's order, copied ones all of them.
const LEADER_PRODUCTS: &[&str] = &["CNC", "INTRADAY", "MARGIN", "MTF", "CO", "BO"];
/// Segments in which something can be traded (section 8.5).
const SEGMENTS: &[&str] =
    &["NSE_FNO", "BSE_FNO", "NSE_EQ", "BSE_EQ", "NSE_CURRENCY", "BSE_CURRENCY", "MCX_COMM"];
const SIDES: &[&str] = &["BUY", "SELL"];
const COPY_ON: &[&str] = &[CopyOn::Working.as_str(), CopyOn::Transit.as_str(), CopyOn::Fill.as_str()];
const MARKET_ORDERS: &[&str] = &[MarketOrders::AsIs.as_str(), MarketOrders::ProtectedLimit.as_str()];
const AT_MODIFICATION_LIMIT: &[&str] =
    &[AtModificationLimit::Replace.as_str(), AtModificationLimit::Stop.as_str()];
const ENTRIES_LEFT_BEHIND: &[&str] =
    &[EntryLeftBehind::Cancel.as_str(), EntryLeftBehind::Keep.as_str(), EntryLeftBehind::Chase.as_str()];
const GAP_POLICIES: &[&str] =
    &[GapPolicy::Report.as_str(), GapPolicy::ExitsOnly.as_str(), GapPolicy::Full.as_str()];
const STRATEGIES: &[&str] = &[
    Strategy::CapitalProportional.as_str(),
    Strategy::FixedRatio.as_str(),
    Strategy::RiskBased.as_str(),
    Strategy::FixedLots.as_str(),
];
const ROUNDINGS: &[&str] = &[Rounding::Down.as_str(), Rounding::Nearest.as_str(), Rounding::Up.as_str()];
const MINIMA: &[&str] = &[Minimum::Skip.as_str(), Minimum::OneLot.as_str()];
const CAPITAL_BASES: &[&str] =
    &[CapitalBasis::Total.as_str(), CapitalBasis::Available.as_str(), CapitalBasis::Fixed.as_str()];
const CONVERSIONS: &[&str] = &[Conversions::Alert.as_str(), Conversions::Copy.as_str()];
const AT_CAP: &[&str] = &[AtCap::Scale.as_str(), AtCap::Skip.as_str()];
const MARGIN_CHECKS: &[&str] =
    &[MarginCheck::Off.as_str(), MarginCheck::Estimate.as_str(), MarginCheck::Broker.as_str()];
/// Without a bound there is no breach, so a loss has no "off".
const ON_DAILY_LOSS: &[&str] =
    &[OnBreach::Reduce.as_str(), OnBreach::Halt.as_str(), OnBreach::SquareOff.as_str()];
/// Closing everything sends orders, which is no answer to orders being rejected.
const ON_REJECTIONS: &[&str] = &[OnBreach::Off.as_str(), OnBreach::Reduce.as_str(), OnBreach::Halt.as_str()];
const ON_DRIFT: &[&str] = &[OnDrift::Freeze.as_str(), OnDrift::Reduce.as_str(), OnDrift::Halt.as_str()];
const ON_MISSING_COVER: &[&str] = &[MissingCover::Skip.as_str(), MissingCover::Send.as_str()];
const HTTP: &[&str] = &["https", "http"];
const WEB_SOCKET: &[&str] = &["wss", "ws"];

const MINUTE_MS: u64 = 60_000;
const HOUR_S: u64 = 3_600;
const HOUR_MS: u64 = HOUR_S * 1_000;

/// Changes of one order that the broker takes (section 2.4).
const MODIFICATIONS_MAX: u64 = 25;
/// Half the price: on the selling side a wider band would end near nothing.
const BAND_BPS_MAX: u64 = 5_000;

/// A thousand crore: far above any account, far below the range of money.
const RUPEES_MAX: u64 = 10_000_000_000;
/// More than any order of the exchange, and so no cap.
const LOTS_MAX: u64 = 100_000;
/// The longest name of an instrument or an underlying.
const NAME_LENGTH_MAX: usize = 60;

/// Settings that had another name once, and the one they have now.
const RENAMED: &[(&str, &str)] = &[("limits", "risk.position_share_max_pct")];

/// The array of tables whose keys [`FOLLOWER_LEAVES`] lists.
pub(super) const FOLLOWER: &str = "follower";

pub(super) const LEAVES: &[Leaf] = &[
    leaf("broker.base_url", Kind::Url(HTTP)),
    leaf("broker.auth_url", Kind::Url(HTTP)),
    leaf("broker.stream_url", Kind::Url(WEB_SOCKET)),
    leaf("broker.instruments_url", Kind::Url(HTTP)),
    leaf("broker.instruments_file", Kind::Path),
    leaf("broker.connect_timeout_ms", Kind::Whole(10, MINUTE_MS)),
    leaf("broker.request_deadline_ms", Kind::Whole(50, 5 * MINUTE_MS)),
    leaf("broker.stream_ping_s", Kind::Whole(1, HOUR_S)),
    leaf("broker.stream_pong_deadline_s", Kind::Whole(1, HOUR_S)),
    leaf("broker.reconnect_ms_first", Kind::Whole(10, MINUTE_MS)),
    leaf("broker.reconnect_ms_max", Kind::Whole(10, HOUR_MS)),
    leaf("broker.local_address", Kind::Ipv4),
    leaf("broker.extra_ca_file", Kind::Path),
    leaf("broker.limits.orders_per_second", Kind::Whole(1, 10_000)),
    leaf("broker.limits.orders_per_minute", Kind::Whole(1, 600_000)),
    leaf("broker.limits.orders_per_hour", Kind::Whole(1, 10_000_000)),
    leaf("broker.limits.orders_per_day", Kind::Whole(1, 100_000_000)),
    leaf("broker.limits.exit_reserve_pct", Kind::Whole(0, 90)),
    leaf("broker.limits.window_guard_ms", Kind::Whole(0, 1_000)),
    leaf("broker.limits.reads_per_second", Kind::Whole(1, 10_000)),
    leaf("broker.limits.modifications_per_order", Kind::Whole(1, MODIFICATIONS_MAX)),
    leaf("clock.source", Kind::Choice(ClockSource::SPELLINGS)),
    leaf("clock.lent_url", Kind::Url(WEB_SOCKET)),
    leaf("leader.name", Kind::Label),
    leaf("leader.client_id_env", Kind::VariableName),
    leaf("leader.access_token_env", Kind::VariableName),
    leaf("leader.access_token_file", Kind::Path),
    leaf("leader.token_renewal", Kind::Choice(TokenRenewal::SPELLINGS)),
    leaf("leader.pin_env", Kind::VariableName),
    leaf("leader.pin_file", Kind::Path),
    leaf("leader.totp_secret_env", Kind::VariableName),
    leaf("leader.totp_secret_file", Kind::Path),
    leaf("leader.local_address", Kind::Ipv4),
    leaf("leader.book_poll_ms", Kind::Whole(100, 10 * MINUTE_MS)),
    leaf("leader.forever_poll_ms", Kind::Whole(1_000, HOUR_MS)),
    leaf("leader.capital", Kind::Choice(CAPITAL_BASES)),
    leaf("leader.capital_rupees", Kind::Whole(1, RUPEES_MAX)),
    leaf("copy.enabled", Kind::Flag),
    leaf("copy.on", Kind::Choice(COPY_ON)),
    leaf("copy.instrument_kinds", Kind::Choices(INSTRUMENT_KINDS)),
    leaf("copy.product_map", Kind::ChoiceMap(PRODUCTS)),
    leaf("copy.amo_time", Kind::Choice(AMO_TIME_WORDS)),
    leaf("copy.entry_age_ms_max", Kind::Whole(1, HOUR_MS)),
    leaf("copy.market_orders", Kind::Choice(MARKET_ORDERS)),
    leaf("copy.price_band_bps", Kind::Whole(1, BAND_BPS_MAX)),
    leaf("copy.stop_band_bps", Kind::Whole(1, BAND_BPS_MAX)),
    leaf("copy.at_modification_limit", Kind::Choice(AT_MODIFICATION_LIMIT)),
    leaf("copy.window_from", Kind::TimeOfDay),
    leaf("copy.window_until", Kind::TimeOfDay),
    leaf("copy.segments", Kind::Choices(SEGMENTS)),
    leaf("copy.underlyings", Kind::CapitalNames),
    leaf("copy.underlyings_denied", Kind::CapitalNames),
    leaf("copy.instruments", Kind::Names),
    leaf("copy.instruments_denied", Kind::Names),
    leaf("copy.products", Kind::Choices(LEADER_PRODUCTS)),
    leaf("copy.sides", Kind::Choices(SIDES)),
    leaf("copy.price_drift_bps_max", Kind::Whole(1, 10_000)),
    leaf("copy.conversions", Kind::Choice(CONVERSIONS)),
    leaf("sizing.strategy", Kind::Choice(STRATEGIES)),
    leaf("sizing.ratio", Kind::Ratio),
    leaf("sizing.multiplier", Kind::Ratio),
    leaf("sizing.ratio_max", Kind::Ratio),
    leaf("sizing.lots", Kind::Whole(1, LOTS_MAX)),
    leaf("sizing.risk_pct", Kind::Whole(1, 100)),
    leaf("sizing.rounding", Kind::Choice(ROUNDINGS)),
    leaf("sizing.remainder", Kind::Flag),
    leaf("sizing.capital_rupees", Kind::Whole(1, RUPEES_MAX)),
    leaf("sizing.intraday_refresh", Kind::Flag),
    leaf("sizing.minimum", Kind::Choice(MINIMA)),
    leaf("sizing.capital", Kind::Choice(CAPITAL_BASES)),
    leaf("parting.entry", Kind::Choice(ENTRIES_LEFT_BEHIND)),
    leaf("parting.entry_after_ms", Kind::Whole(0, HOUR_MS)),
    leaf("parting.exit_after_ms", Kind::Whole(0, HOUR_MS)),
    leaf("parting.chase_interval_ms", Kind::Whole(500, HOUR_MS)),
    leaf("parting.gap", Kind::Choice(GAP_POLICIES)),
    leaf("risk.at_cap", Kind::Choice(AT_CAP)),
    leaf("risk.lots_per_order_max", Kind::Whole(1, LOTS_MAX)),
    leaf("risk.lots_per_instrument_max", Kind::Whole(1, LOTS_MAX)),
    leaf("risk.order_value_max_rupees", Kind::Whole(1, RUPEES_MAX)),
    leaf("risk.position_share_max_pct", Kind::Whole(1, 100)),
    leaf("risk.open_orders_max", Kind::Whole(1, 10_000)),
    leaf("risk.orders_per_day_max", Kind::Whole(1, 100_000)),
    leaf("risk.daily_loss_max_rupees", Kind::Whole(1, RUPEES_MAX)),
    leaf("risk.on_daily_loss", Kind::Choice(ON_DAILY_LOSS)),
    leaf("risk.margin", Kind::Choice(MARGIN_CHECKS)),
    leaf("risk.margin_wait_ms", Kind::Whole(10, 10_000)),
    leaf("risk.short_margin_pct", Kind::Whole(1, 100)),
    leaf("risk.figures_age_ms_max", Kind::Whole(500, HOUR_MS)),
    leaf("risk.positions_poll_ms", Kind::Whole(100, 5 * MINUTE_MS)),
    leaf("risk.funds_poll_ms", Kind::Whole(100, 5 * MINUTE_MS)),
    leaf("risk.rejections_max", Kind::Whole(1, 1_000)),
    leaf("risk.on_rejections", Kind::Choice(ON_REJECTIONS)),
    leaf("risk.on_drift", Kind::Choice(ON_DRIFT)),
    leaf("spread.cover_wait_ms", Kind::Whole(0, 10 * MINUTE_MS)),
    leaf("spread.on_missing_cover", Kind::Choice(ON_MISSING_COVER)),
    leaf("spread.exit_wait_ms", Kind::Whole(0, MINUTE_MS)),
    leaf("tokens.warn_before_s", Kind::Whole(60, 24 * HOUR_S)),
    leaf("tokens.renew_before_s", Kind::Whole(60, 12 * HOUR_S)),
    leaf("breaker.failures_max", Kind::Whole(1, 1_000)),
    leaf("breaker.open_s", Kind::Whole(1, HOUR_S)),
    leaf("breaker.open_s_max", Kind::Whole(1, 24 * HOUR_S)),
    leaf("alerts.slippage_bps_max", Kind::Whole(0, 10_000)),
    leaf("recovery.settle_ms", Kind::Whole(1, 10 * MINUTE_MS)),
    leaf("recovery.lookup_ms_first", Kind::Whole(10, MINUTE_MS)),
    leaf("recovery.lookup_ms_max", Kind::Whole(10, 10 * MINUTE_MS)),
    leaf("recovery.poll_ms", Kind::Whole(50, 10 * MINUTE_MS)),
    leaf("recovery.idle_poll_ms", Kind::Whole(50, HOUR_MS)),
    leaf("supervisor.health_interval_s", Kind::Whole(1, HOUR_S)),
    leaf("supervisor.hang_deadline_ms", Kind::Whole(100, 10 * MINUTE_MS)),
    leaf("supervisor.restarts_max", Kind::Whole(0, 1_000)),
    leaf("supervisor.restart_window_s", Kind::Whole(1, 24 * HOUR_S)),
    leaf("supervisor.restarts_per_day_max", Kind::Whole(0, 10_000)),
    leaf("supervisor.backoff_ms_first", Kind::Whole(1, MINUTE_MS)),
    leaf("supervisor.backoff_ms_max", Kind::Whole(1, HOUR_MS)),
    leaf("supervisor.shutdown_deadline_ms", Kind::Whole(1, 10 * MINUTE_MS)),
    leaf("store.path", Kind::Path),
    leaf("store.readers", Kind::Whole(1, 64)),
    leaf("store.queue_jobs_max", Kind::Whole(16, 1_000_000)),
    leaf("store.size_mb_max", Kind::Whole(16, 16 * 1024 * 1024)),
    leaf("backup.enabled", Kind::Flag),
    leaf("backup.at", Kind::TimeOfDay),
    leaf("backup.keep", Kind::Whole(1, 10_000)),
    leaf("backup.dir", Kind::Path),
    leaf("control.socket", Kind::Path),
    leaf("session.calendar_file", Kind::Path),
    leaf("log.format", Kind::Choice(LogFormat::SPELLINGS)),
    leaf("log.level", Kind::Text),
    leaf("log.file", Kind::Path),
];

/// Keys of a `[[follower]]` itself; its tables take the keys of the sections in [`FOLLOWER_TABLES`].
const FOLLOWER_LEAVES: &[Leaf] = &[
    leaf("id", Kind::Label),
    leaf("enabled", Kind::Flag),
    leaf("client_id_env", Kind::VariableName),
    leaf("access_token_env", Kind::VariableName),
    leaf("access_token_file", Kind::Path),
    leaf("token_renewal", Kind::Choice(TokenRenewal::SPELLINGS)),
    leaf("pin_env", Kind::VariableName),
    leaf("pin_file", Kind::Path),
    leaf("totp_secret_env", Kind::VariableName),
    leaf("totp_secret_file", Kind::Path),
    leaf("local_address", Kind::Ipv4),
];

/// Tables of a follower, each with the section that gives its keys and its defaults.
pub(super) const FOLLOWER_TABLES: &[(&str, &str)] = &[
    ("copy", "copy"),
    ("sizing", "sizing"),
    ("parting", "parting"),
    ("risk", "risk"),
    ("spread", "spread"),
    ("broker_limits", "broker.limits"),
];

/// What stands at a path.
#[derive(Debug)]
pub(super) enum Place {
    /// A value of this kind.
    Leaf(Kind),
    /// A table of further keys.
    Section,
    /// Nothing that exists; with the keys that do exist beside it.
    Unknown(Vec<&'static str>),
    /// Nothing that exists any more; with the key that took its place.
    Renamed(&'static str),
}

/// What stands at `path` below the root.
pub(super) fn at(path: &str) -> Place {
    let section = path.split_once('.').map_or(path, |(section, _)| section);
    if let Some((_, now)) = RENAMED.iter().find(|(old, _)| *old == section) {
        return Place::Renamed(now);
    }
    let leaves: Vec<(&str, Kind)> = LEAVES.iter().map(|leaf| (leaf.key, leaf.kind)).collect();
    find(&leaves, path, &[FOLLOWER])
}

/// What stands at `path` below a `[[follower]]`.
pub(super) fn at_follower(path: &str) -> Place {
    if let Some((table, rest)) = path.split_once('.')
        && let Some((_, section)) = FOLLOWER_TABLES.iter().find(|(name, _)| *name == table)
    {
        return at(&format!("{section}.{rest}"));
    }
    let leaves: Vec<(&str, Kind)> = FOLLOWER_LEAVES.iter().map(|leaf| (leaf.key, leaf.kind)).collect();
    let tables: Vec<&str> = FOLLOWER_TABLES.iter().map(|(name, _)| *name).collect();
    if tables.contains(&path) { Place::Section } else { find(&leaves, path, &tables) }
}

fn find(leaves: &[(&'static str, Kind)], path: &str, tables: &[&'static str]) -> Place {
    if let Some((_, kind)) = leaves.iter().find(|(key, _)| *key == path) {
        return Place::Leaf(*kind);
    }
    let below = |parent: &str, key: &'static str| -> Option<&'static str> {
        let rest = if parent.is_empty() { key } else { key.strip_prefix(parent)?.strip_prefix('.')? };
        Some(rest.split('.').next().unwrap_or(rest))
    };
    if leaves.iter().any(|(key, _)| below(path, key).is_some()) {
        return Place::Section;
    }
    let parent = path.rsplit_once('.').map_or("", |(parent, _)| parent);
    let mut siblings: Vec<&str> = leaves.iter().filter_map(|(key, _)| below(parent, key)).collect();
    if parent.is_empty() {
        siblings.extend(tables);
    }
    siblings.dedup();
    Place::Unknown(siblings)
}

impl Kind {
    /// What this kind takes, to end a sentence that begins "write".
    pub(super) fn wanted(self) -> String {
        let quoted = |words: &[&str]| words.iter().map(|w| format!("\"{w}\"")).collect::<Vec<_>>();
        match self {
            Self::Text => "a text in quotes".into(),
            Self::Label => "a label of at most 40 letters, digits, - and _".into(),
            Self::VariableName => {
                "the NAME of an environment variable (capitals, digits, _), never the secret itself".into()
            }
            Self::Path => "a path in quotes".into(),
            Self::Url(schemes) => {
                format!("a URL beginning with {}:// and holding no user name", schemes.join(":// or "))
            }
            Self::Ipv4 => "an IPv4 address in quotes, such as \"203.0.113.7\"".into(),
            Self::Flag => "true or false".into(),
            Self::Whole(least, most) => format!("a whole number from {least} to {most}"),
            Self::Ratio => "an exact number above zero, such as 0.5 or \"1/3\"".into(),
            Self::Choice(words) => quoted(words).join(" or "),
            Self::Choices(words) => format!("a list of some of {}", quoted(words).join(", ")),
            Self::Names => "a list of names in quotes, such as [\"NIFTY-Dec2026-26000-CE\"]".into(),
            Self::CapitalNames => "a list of names in capitals, such as [\"NIFTY\", \"BANKNIFTY\"]".into(),
            Self::TimeOfDay => "a time of the day in India in quotes, such as \"09:20\"".into(),
            Self::ChoiceMap(words) => {
                format!("a table such as {{ MTF = \"CNC\" }} of {}", quoted(words).join(", "))
            }
        }
    }

    /// Reads a text (from the environment, or from quotes in a file); `None` when it does not fit.
    pub(super) fn read(self, text: &str) -> Option<Checked> {
        let text = text.trim();
        let as_text = |fits: bool| fits.then(|| Checked::Text(text.to_owned()));
        match self {
            Self::Text | Self::Path => as_text(!text.is_empty()),
            Self::Label => as_text(is_label(text)),
            Self::VariableName => as_text(is_variable_name(text)),
            Self::Url(schemes) => {
                let url = url::Url::parse(text).ok()?;
                let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
                let fits = plain && schemes.contains(&url.scheme()) && url.has_host();
                fits.then(|| Checked::Text(text.trim_end_matches('/').to_owned()))
            }
            Self::Ipv4 => as_text(text.parse::<Ipv4Addr>().is_ok()),
            Self::Flag => text.parse().ok().map(Checked::Flag),
            Self::Whole(least, most) => {
                text.parse().ok().filter(|n| (least..=most).contains(n)).map(Checked::Whole)
            }
            Self::Ratio => as_text(parse_ratio(text).is_ok()),
            Self::Choice(words) => as_text(words.contains(&text)),
            Self::Choices(words) => {
                let list: Vec<String> = text.split(',').map(|word| word.trim().to_owned()).collect();
                let fits = list.iter().all(|word| words.contains(&word.as_str()));
                fits.then_some(Checked::List(list))
            }
            Self::Names | Self::CapitalNames => {
                let list: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
                let is_name = |name: &String| (1..=NAME_LENGTH_MAX).contains(&name.len());
                let in_capitals = |name: &String| !name.bytes().any(|b| b.is_ascii_lowercase());
                let fits = |name| is_name(name) && (matches!(self, Self::Names) || in_capitals(name));
                list.iter().all(fits).then_some(Checked::List(list))
            }
            Self::TimeOfDay => as_text(parse_time(text).is_some()),
            Self::ChoiceMap(words) => {
                let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
                let map = pairs
                    .map(|pair| {
                        let (from, to) = pair.split_once('=')?;
                        let (from, to) = (from.trim(), to.trim());
                        (words.contains(&from) && words.contains(&to)).then(|| (from.into(), to.into()))
                    })
                    .collect::<Option<BTreeMap<String, String>>>()?;
                Some(Checked::Map(map))
            }
        }
    }
}

fn is_label(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn is_variable_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        && !text.starts_with(|c: char| c.is_ascii_digit())
}
