//! What no single key can tell: rules between settings. All faults are found in one go.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tandem_domain::sizing::{CapitalBasis, Strategy};

use super::calendar::load_calendar;
use super::clients::Proof;
use super::fault::{Fault, Faults, Origin};
use super::load::Purpose;
use super::value::ClockSource;
use super::{BrokerLimits, FollowerSettings, Settings, SizingSettings, TokenRenewal};

/// The broker's own limits on order requests (`dhanhq-v2.md` section 9.1). Above ten a second an algorithm must be
/// registered with the exchange (section 1.7).
const BROKER_MAXIMA: BrokerLimits = BrokerLimits {
    orders_per_second: 10,
    orders_per_minute: 250,
    orders_per_hour: 1_000,
    orders_per_day: 7_000,
    exit_reserve_pct: 90,
    window_guard: Duration::ZERO,
    reads_per_second: 20,
    modifications_per_order: 25,
};

/// A figure of `[sizing]` that only one choice reads.
struct Figure {
    key: &'static str,
    /// The setting whose choice reads it.
    choice: &'static str,
    /// Whether it is chosen, and whether the figure is given.
    is_chosen: fn(&SizingSettings) -> (bool, bool),
    missing: &'static str,
    supply: &'static str,
    unused: &'static str,
    choose: &'static str,
}

const FIGURES: &[Figure] = &[
    Figure {
        key: "sizing.ratio",
        choice: "sizing.strategy",
        is_chosen: |sizing| (sizing.strategy == Strategy::FixedRatio, sizing.ratio.is_some()),
        missing: "is \"fixed_ratio\" without a ratio",
        supply: "set sizing.ratio, or COPY_RATIO",
        unused: "has no effect: the strategy finds its own ratio",
        choose: "write sizing.strategy = \"fixed_ratio\" (SIZING_STRATEGY=fixed_ratio), or remove the ratio",
    },
    Figure {
        key: "sizing.lots",
        choice: "sizing.strategy",
        is_chosen: |sizing| (sizing.strategy == Strategy::FixedLots, sizing.lots.is_some()),
        missing: "is \"fixed_lots\" without a number of lots",
        supply: "set sizing.lots",
        unused: "has no effect: the strategy finds its own lots",
        choose: "write sizing.strategy = \"fixed_lots\", or remove the lots",
    },
    Figure {
        key: "sizing.capital_rupees",
        choice: "sizing.capital",
        is_chosen: |sizing| (sizing.capital == CapitalBasis::Fixed, sizing.capital_rupees.is_some()),
        missing: "is \"fixed\" without a sum",
        supply: "set sizing.capital_rupees",
        unused: "has no effect: the capital is read from the account",
        choose: "write sizing.capital = \"fixed\", or remove it",
    },
];

pub(super) fn check(
    settings: &Settings,
    purpose: Purpose,
    origins: &BTreeMap<String, Origin>,
    faults: &mut Vec<Fault>,
) {
    let mut checker = Checker { settings, origins, faults };
    checker.urls();
    #[cfg(feature = "faults")]
    checker.faults();
    checker.stream(purpose);
    checker.clock();
    checker.spans();
    checker.limits();
    checker.copying();
    checker.risk();
    checker.sizing();
    checker.accounts();
    checker.renewals();
    checker.session();
    checker.log();
}

struct Checker<'a> {
    settings: &'a Settings,
    origins: &'a BTreeMap<String, Origin>,
    faults: &'a mut Vec<Fault>,
}

impl Checker<'_> {
    /// Tokens travel in a header and in the stream's login: never in the clear beyond this machine.
    fn urls(&mut self) {
        let broker = &self.settings.broker;
        let urls = [
            ("broker.base_url", Some(&broker.base_url)),
            ("broker.auth_url", Some(&broker.auth_url)),
            ("broker.stream_url", broker.stream_url.as_ref()),
            ("broker.instruments_url", Some(&broker.instruments_url)),
            ("clock.lent_url", self.settings.clock.lent_url.as_ref()),
        ];
        for (key, url) in urls.into_iter().filter_map(|(key, url)| Some((key, url?))) {
            let in_the_clear = url.starts_with("http://") || url.starts_with("ws://");
            if in_the_clear && !is_loopback(url) {
                self.fault(key, "is not encrypted and leaves this machine", "write https:// or wss://");
            }
        }
    }

    /// A build that can be made to fail speaks to no broker.
    #[cfg(feature = "faults")]
    fn faults(&mut self) {
        if !self.settings.is_loopback() {
            let problem = "leaves this machine, or another URL does, and this is a build with fault points";
            self.fault("broker.base_url", problem, "build without the feature faults, or use the simulator");
        }
    }

    fn stream(&mut self, purpose: Purpose) {
        if purpose == Purpose::Copy && self.settings.broker.stream_url.is_none() {
            let problem = "does not exist: the broker's sandbox has no order-update stream, so a leader cannot be \
                           watched there";
            let remedy = "use DHAN_ENV=prod, or the simulator (tandem sim) for rehearsals; tandem check works with \
                          the sandbox";
            self.fault("broker.stream_url", problem, remedy);
        }
    }

    fn clock(&mut self) {
        let clock = &self.settings.clock;
        match (clock.source, &clock.lent_url) {
            (ClockSource::Lent, None) => {
                self.fault(
                    "clock.source",
                    "is \"lent\" but nothing lends it",
                    "set clock.lent_url, or \"system\"",
                );
            }
            (ClockSource::System, Some(_)) => {
                let remedy = "remove it, or write clock.source = \"lent\"";
                self.fault("clock.lent_url", "has no effect with the system clock", remedy);
            }
            (ClockSource::Lent, Some(_)) if !self.settings.is_loopback() => {
                let problem = "is \"lent\", but not every URL is on this machine";
                let remedy = "a lent clock is for simulators only: use \"system\" with a real broker";
                self.fault("clock.source", problem, remedy);
            }
            (ClockSource::System, None) | (ClockSource::Lent, Some(_)) => {}
        }
    }

    fn spans(&mut self) {
        let settings = self.settings;
        let (broker, recovery, supervisor) = (&settings.broker, &settings.recovery, &settings.supervisor);
        let ordered = [
            (
                ("broker.connect_timeout_ms", broker.connect_timeout),
                ("broker.request_deadline_ms", broker.request_deadline),
            ),
            (
                ("broker.reconnect_ms_first", broker.reconnect_first),
                ("broker.reconnect_ms_max", broker.reconnect_max),
            ),
            (
                ("recovery.lookup_ms_first", recovery.lookup_first),
                ("recovery.lookup_ms_max", recovery.lookup_max),
            ),
            (("breaker.open_s", settings.breaker.open), ("breaker.open_s_max", settings.breaker.open_max)),
            (("recovery.poll_ms", recovery.poll), ("recovery.idle_poll_ms", recovery.idle_poll)),
            (
                ("supervisor.backoff_ms_first", supervisor.backoff_first),
                ("supervisor.backoff_ms_max", supervisor.backoff_max),
            ),
        ];
        for ((shorter_key, shorter), (longer_key, longer)) in ordered {
            if shorter > longer {
                let problem = format!("is longer than {longer_key}");
                self.fault(shorter_key, &problem, "make it the shorter of the two");
            }
        }
    }

    fn limits(&mut self) {
        self.broker_limits("broker.limits", self.settings.broker.limits);
        for (index, follower) in self.settings.followers.iter().enumerate() {
            if follower.broker_limits != self.settings.broker.limits {
                self.broker_limits(&format!("follower[{index}].broker_limits"), follower.broker_limits);
            }
        }
    }

    fn broker_limits(&mut self, section: &str, limits: BrokerLimits) {
        let windows = [
            ("orders_per_second", limits.orders_per_second, BROKER_MAXIMA.orders_per_second),
            ("orders_per_minute", limits.orders_per_minute, BROKER_MAXIMA.orders_per_minute),
            ("orders_per_hour", limits.orders_per_hour, BROKER_MAXIMA.orders_per_hour),
            ("orders_per_day", limits.orders_per_day, BROKER_MAXIMA.orders_per_day),
        ];
        for pair in windows.windows(2) {
            let [(shorter, fewer, _), (longer, more, _)] = pair else { continue };
            if fewer > more {
                let problem = format!("is above {longer}");
                self.fault(
                    &format!("{section}.{shorter}"),
                    &problem,
                    "a longer window allows at least as many",
                );
            }
        }
        if self.settings.is_loopback() {
            return;
        }
        for (name, limit, maximum) in windows {
            if limit > maximum {
                let problem = format!("is above the broker's own limit of {maximum}");
                let remedy = "lower it; more is allowed against a simulator on this machine only";
                self.fault(&format!("{section}.{name}"), &problem, remedy);
            }
        }
    }

    fn copying(&mut self) {
        for index in 0..self.settings.followers.len() {
            let copy = &self.settings.followers[index].copy;
            let (window, filters) = (copy.window(), copy.filters());
            if window.is_some_and(|(from, until)| from >= until) {
                let problem = "is not before copy.window_until: the part of the day is empty";
                let remedy = "make it the earlier of the two, or write copy.enabled = false";
                self.fault_of(index, "copy.window_from", "copy.window_until", problem, remedy);
            }
            let contradictions = [
                ("copy.underlyings", filters.underlyings.intersection(&filters.underlyings_denied).next()),
                ("copy.instruments", filters.instruments.intersection(&filters.instruments_denied).next()),
            ];
            for (allowed, both) in contradictions {
                if both.is_some() {
                    let denied = format!("{allowed}_denied");
                    let problem = format!("holds a name that {allowed} holds too");
                    self.fault_of(index, &denied, allowed, &problem, "take it out of one of the two");
                }
            }
        }
    }

    fn risk(&mut self) {
        for index in 0..self.settings.followers.len() {
            let risk = &self.settings.followers[index].risk;
            let (age, has_bound) = (risk.figures_age_max, risk.daily_loss_max_rupees.is_some());
            let polls =
                [("risk.positions_poll_ms", risk.positions_poll), ("risk.funds_poll_ms", risk.funds_poll)];
            for (key, poll) in polls {
                if poll >= age {
                    let problem = "is not shorter than risk.figures_age_ms_max: the figures would be too old";
                    let remedy = "make it a third of that, so that a read may fail";
                    self.fault_of(index, key, "risk.figures_age_ms_max", problem, remedy);
                }
            }
            let own = format!("follower[{index}].risk.on_daily_loss");
            if !has_bound && self.origins.contains_key(&own) {
                self.unbounded_loss(&own);
            }
        }
        let common = self.origins.get("risk.on_daily_loss");
        let is_used = |follower: &FollowerSettings| follower.risk.daily_loss_max_rupees.is_some();
        if common.is_some_and(|origin| !origin.is_built_in()) && !self.settings.followers.iter().any(is_used)
        {
            self.unbounded_loss("risk.on_daily_loss");
        }
    }

    /// Whoever says what follows a loss believes that something does.
    fn unbounded_loss(&mut self, key: &str) {
        let remedy = "set risk.daily_loss_max_rupees, or remove it";
        self.fault(key, "has no effect: there is no bound of the daily loss", remedy);
    }

    /// A fault of one follower's settings, at the key of his own, else at the common one; told once where it is common.
    fn fault_of(&mut self, index: usize, key: &str, other: &str, problem: &str, remedy: &str) {
        let written = |key: &&String| self.origins.get(*key).is_some_and(|origin| !origin.is_built_in());
        let own = [key, other].map(|key| format!("follower[{index}].{key}"));
        let common = [key, other].map(str::to_owned);
        let place = own.iter().chain(&common).find(written).cloned().unwrap_or_else(|| key.to_owned());
        let is_told = self.faults.iter().any(|fault| fault.key == place && fault.problem == problem);
        if !is_told {
            self.fault(&place, problem, remedy);
        }
    }

    /// A figure that a choice lives on must be there, and nowhere else: whoever writes one believes that it counts.
    fn sizing(&mut self) {
        let followers = &self.settings.followers;
        for figure in FIGURES {
            for (index, follower) in followers.iter().enumerate() {
                let own = |key: &str| format!("follower[{index}].{key}");
                let (is_chosen, is_given) = (figure.is_chosen)(&follower.sizing);
                if is_chosen && !is_given {
                    let key = self.nearest(&own(figure.choice), figure.choice);
                    self.fault(&key, figure.missing, figure.supply);
                }
                if !is_chosen && self.origins.contains_key(&own(figure.key)) {
                    self.fault(&own(figure.key), figure.unused, figure.choose);
                }
            }
            let is_used = followers.iter().any(|follower| (figure.is_chosen)(&follower.sizing).0);
            if self.origins.contains_key(figure.key) && !is_used {
                self.fault(figure.key, figure.unused, figure.choose);
            }
        }
        let leader = &self.settings.leader;
        let (key, is_fixed) = ("leader.capital_rupees", leader.capital == CapitalBasis::Fixed);
        match leader.capital_rupees {
            None if is_fixed => {
                self.fault("leader.capital", "is \"fixed\" without a sum", "set leader.capital_rupees");
            }
            Some(_) if !is_fixed => {
                let remedy = "write leader.capital = \"fixed\", or remove it";
                self.fault(key, "has no effect: the leader's capital is read from his account", remedy);
            }
            None | Some(_) => {}
        }
    }

    fn accounts(&mut self) {
        let followers = &self.settings.followers;
        if !followers.iter().any(|follower| follower.enabled) {
            let problem = "has no entry that is enabled, so there is nobody to copy for";
            self.fault("follower", problem, "add a [[follower]] section to the settings file");
        }
        for (index, follower) in followers.iter().enumerate() {
            if followers[..index].iter().any(|earlier| earlier.id == follower.id) {
                let problem = "is the id of an earlier follower too";
                self.fault(&format!("follower[{index}].id"), problem, "give each follower an id of its own");
            }
            let mut others: Vec<_> = followers[..index].iter().filter(|earlier| earlier.enabled).collect();
            others.retain(|earlier| earlier.client_id == follower.client_id);
            let is_leader = follower.client_id == self.settings.leader.client_id;
            if follower.enabled && (is_leader || !others.is_empty()) {
                let whose = if is_leader { "the leader" } else { "an earlier follower" };
                let key =
                    self.nearest(&format!("follower[{index}].client_id_env"), &format!("follower[{index}]"));
                let problem = format!("gives the same account as {whose}");
                self.fault(&key, &problem, "name a variable that holds this follower's own client id");
            }
        }
    }

    /// What proves an account's owner must be there where a token is minted with it, in one place, and nowhere else.
    fn renewals(&mut self) {
        let settings = self.settings;
        let leader = &settings.leader;
        self.renewal("leader", leader.token_renewal, leader.proofs());
        for (index, follower) in settings.followers.iter().enumerate() {
            self.renewal(&format!("follower[{index}]"), follower.token_renewal, follower.proofs());
        }
    }

    fn renewal(&mut self, account: &str, renewal: TokenRenewal, proofs: [Proof<'_>; 2]) {
        for Proof { name, variable, file } in proofs {
            let key = |place: &str| format!("{account}.{name}_{place}");
            let is_given = variable.is_some() || file.is_some();
            if variable.is_some() && file.is_some() {
                self.fault(&key("file"), &format!("stands beside {name}_env"), "keep one of the two");
            } else if renewal == TokenRenewal::Totp && !is_given {
                let problem = format!("is \"totp\" without {name}_env or {name}_file");
                let remedy = "name the variable, or the file of mode 0600, that holds it";
                self.fault(&format!("{account}.token_renewal"), &problem, remedy);
            } else if renewal != TokenRenewal::Totp && is_given {
                let given = if variable.is_some() { key("env") } else { key("file") };
                let remedy = "write token_renewal = \"totp\", or remove it";
                self.fault(&given, "has no effect: no token is minted with it", remedy);
            }
        }
    }

    /// A calendar of one's own is read here too, so that its faults come with all others.
    fn session(&mut self) {
        if let Some(file) = &self.settings.session.calendar_file
            && let Err(Faults(faults)) = load_calendar(Some(file))
        {
            self.faults.extend(faults);
        }
    }

    fn log(&mut self) {
        if !crate::telemetry::is_filter(&self.settings.log.level) {
            let remedy = "write a level (error, warn, info, debug, trace), or \"info,tandem_actors=debug\"";
            self.fault("log.level", "is no filter of log lines", remedy);
        }
    }

    /// The first key if it was given, else the second.
    fn nearest(&self, own: &str, fallback: &str) -> String {
        if self.origins.contains_key(own) { own.to_owned() } else { fallback.to_owned() }
    }

    fn fault(&mut self, key: &str, problem: &str, remedy: &str) {
        self.faults.push(Fault {
            origin: self.origins.get(key).cloned().unwrap_or(Origin::Whole),
            key: key.to_owned(),
            problem: problem.to_owned(),
            remedy: remedy.to_owned(),
        });
    }
}

/// Whether a URL leads to this machine and nowhere else.
pub(super) fn is_loopback(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
