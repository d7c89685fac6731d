//! Every key there is, with what it takes. `config/default.toml` documents the same keys; a test holds them together.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use tandem_domain::gap::GapPolicy;
use tandem_domain::policy::{AtModificationLimit, CopyOn, EntryLeftBehind, MarketOrders};
use tandem_domain::sizing::{CapitalBasis, Minimum, Strategy};

use super::value::{AMO_TIME_WORDS, ClockSource, LogFormat, parse_ratio};

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
const COPY_ON: &[&str] = &[CopyOn::Working.as_str(), CopyOn::Transit.as_str(), CopyOn::Fill.as_str()];
const MARKET_ORDERS: &[&str] = &[MarketOrders::AsIs.as_str(), MarketOrders::ProtectedLimit.as_str()];
const AT_MODIFICATION_LIMIT: &[&str] =
    &[AtModificationLimit::Replace.as_str(), AtModificationLimit::Stop.as_str()];
const ENTRIES_LEFT_BEHIND: &[&str] =
    &[EntryLeftBehind::Cancel.as_str(), EntryLeftBehind::Keep.as_str(), EntryLeftBehind::Chase.as_str()];
const GAP_POLICIES: &[&str] =
    &[GapPolicy::Report.as_str(), GapPolicy::ExitsOnly.as_str(), GapPolicy::Full.as_str()];
const STRATEGIES: &[&str] = &[Strategy::CapitalProportional.as_str(), Strategy::FixedRatio.as_str()];
const MINIMA: &[&str] = &[Minimum::Skip.as_str(), Minimum::OneLot.as_str()];
const CAPITAL_BASES: &[&str] = &[CapitalBasis::Total.as_str(), CapitalBasis::Available.as_str()];
const HTTP: &[&str] = &["https", "http"];
const WEB_SOCKET: &[&str] = &["wss", "ws"];

const MINUTE_MS: u64 = 60_000;
const HOUR_S: u64 = 3_600;
const HOUR_MS: u64 = HOUR_S * 1_000;

/// Changes of one order that the broker takes (section 2.4).
const MODIFICATIONS_MAX: u64 = 25;
/// Half the price: on the selling side a wider band would end near nothing.
const BAND_BPS_MAX: u64 = 5_000;

/// The array of tables whose keys [`FOLLOWER_LEAVES`] lists.
pub(super) const FOLLOWER: &str = "follower";

pub(super) const LEAVES: &[Leaf] = &[
    leaf("broker.base_url", Kind::Url(HTTP)),
    leaf("broker.stream_url", Kind::Url(WEB_SOCKET)),
    leaf("broker.instruments_url", Kind::Url(HTTP)),
    leaf("broker.instruments_file", Kind::Path),
    leaf("broker.connect_timeout_ms", Kind::Whole(10, MINUTE_MS)),
    leaf("broker.request_deadline_ms", Kind::Whole(50, 5 * MINUTE_MS)),
    leaf("broker.stream_ping_s", Kind::Whole(1, HOUR_S)),
    leaf("broker.stream_pong_deadline_s", Kind::Whole(1, HOUR_S)),
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
    leaf("leader.local_address", Kind::Ipv4),
    leaf("leader.book_poll_ms", Kind::Whole(100, 10 * MINUTE_MS)),
    leaf("leader.forever_poll_ms", Kind::Whole(1_000, HOUR_MS)),
    leaf("copy.on", Kind::Choice(COPY_ON)),
    leaf("copy.instrument_kinds", Kind::Choices(INSTRUMENT_KINDS)),
    leaf("copy.product_map", Kind::ChoiceMap(PRODUCTS)),
    leaf("copy.amo_time", Kind::Choice(AMO_TIME_WORDS)),
    leaf("copy.entry_age_ms_max", Kind::Whole(1, HOUR_MS)),
    leaf("copy.market_orders", Kind::Choice(MARKET_ORDERS)),
    leaf("copy.price_band_bps", Kind::Whole(1, BAND_BPS_MAX)),
    leaf("copy.stop_band_bps", Kind::Whole(1, BAND_BPS_MAX)),
    leaf("copy.at_modification_limit", Kind::Choice(AT_MODIFICATION_LIMIT)),
    leaf("sizing.strategy", Kind::Choice(STRATEGIES)),
    leaf("sizing.ratio", Kind::Ratio),
    leaf("sizing.multiplier", Kind::Ratio),
    leaf("sizing.ratio_max", Kind::Ratio),
    leaf("sizing.minimum", Kind::Choice(MINIMA)),
    leaf("sizing.capital", Kind::Choice(CAPITAL_BASES)),
    leaf("parting.entry", Kind::Choice(ENTRIES_LEFT_BEHIND)),
    leaf("parting.entry_after_ms", Kind::Whole(0, HOUR_MS)),
    leaf("parting.exit_after_ms", Kind::Whole(0, HOUR_MS)),
    leaf("parting.chase_interval_ms", Kind::Whole(500, HOUR_MS)),
    leaf("parting.gap", Kind::Choice(GAP_POLICIES)),
    leaf("limits.max_position_size_pct", Kind::Whole(1, 100)),
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
    leaf("local_address", Kind::Ipv4),
];

/// Tables of a follower, each with the section that gives its keys and its defaults.
pub(super) const FOLLOWER_TABLES: &[(&str, &str)] =
    &[("copy", "copy"), ("sizing", "sizing"), ("parting", "parting"), ("broker_limits", "broker.limits")];

/// What stands at a path.
#[derive(Debug)]
pub(super) enum Place {
    /// A value of this kind.
    Leaf(Kind),
    /// A table of further keys.
    Section,
    /// Nothing that exists; with the keys that do exist beside it.
    Unknown(Vec<&'static str>),
}

/// What stands at `path` below the root.
pub(super) fn at(path: &str) -> Place {
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
