//! What the demo stands on: a simulator with the day's instruments in place, and the daemon's settings for it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, ensure};
use tandem_domain::ids::{DhanClientId, FollowerId};
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::quantity::Quantity;
use tandem_domain::time::{Timestamp, TradingDay};
use tandem_sim::exchange::{Depth, Exchange};
use tandem_sim::{AccountDescription, SimSettings, Simulator};
use toml_edit::{DocumentMut, Item, Table};

use super::day::{Contract, Day, FOLLOWERS, Market};
use crate::settings::{Purpose, Settings, Sources};

const DEMO_TOML: &str = include_str!("../../config/demo.toml");

/// The simulator's accounts with so many times their money: enough to sell options.
const CAPITAL_TIMES: i64 = 4;

/// Where the log lines go, in the demo's folder.
pub(super) fn log_file(folder: &Path) -> PathBuf {
    folder.join("tandem.log")
}

/// The database, in the demo's folder.
pub(super) fn database(folder: &Path) -> PathBuf {
    folder.join("demo.db")
}

/// Where an operator reaches the daemon, in the demo's folder.
pub(super) fn control_socket(folder: &Path) -> PathBuf {
    folder.join("demo.sock")
}

/// One follower.
#[derive(Debug, Clone)]
pub(super) struct Follower {
    pub(super) id: FollowerId,
    pub(super) account: DhanClientId,
}

/// The simulator, with the day's instruments by alias.
pub(super) struct Stage {
    pub(super) simulator: Simulator,
    pub(super) instruments: BTreeMap<String, Instrument>,
    pub(super) leader: DhanClientId,
    pub(super) followers: Vec<Follower>,
    pub(super) trading_day: TradingDay,
}

/// An instrument of the day at the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instrument {
    pub(super) key: InstrumentKey,
    pub(super) units_in_lot: u32,
}

impl Stage {
    /// Starts a simulator on free ports of this machine and puts the instruments where the day begins.
    pub(super) fn set(day: &Day) -> anyhow::Result<Self> {
        let mut settings = SimSettings { seed: 42, ..SimSettings::default() };
        for account in &mut settings.accounts {
            account.capital_rupees *= CAPITAL_TIMES;
        }
        let trading_day = settings.start.trading_day();
        let simulator = Simulator::start(settings).context("start the simulator")?;
        let accounts = &simulator.description().accounts;
        let leader = account(accounts, "leader")?.client_id.clone();
        let followers = FOLLOWERS
            .iter()
            .map(|name| {
                Ok(Follower {
                    id: FollowerId::new(name)?,
                    account: account(accounts, name)?.client_id.clone(),
                })
            })
            .collect::<anyhow::Result<_>>()?;
        let instruments = simulator.with_exchange(|exchange| {
            let places = day.instruments.iter();
            places
                .map(|(alias, contract)| {
                    let found = put_in_place(exchange, contract).with_context(|| alias.clone())?;
                    Ok((alias.clone(), found))
                })
                .collect::<anyhow::Result<_>>()
        })?;
        Ok(Self { simulator, instruments, leader, followers, trading_day })
    }

    /// An instrument that the day names; the day was read with all its aliases known.
    pub(super) fn instrument(&self, alias: &str) -> anyhow::Result<Instrument> {
        self.instruments.get(alias).copied().ok_or_else(|| anyhow!("{alias} is no instrument of the day"))
    }

    /// A moment of the day, by the clock in India.
    pub(super) fn at(&self, time: chrono::NaiveTime) -> Timestamp {
        self.trading_day.at(time)
    }

    /// The settings of `tandem run` for this simulator: `config/demo.toml`, with everything's place.
    pub(super) fn settings(&self, folder: &Path) -> anyhow::Result<Settings> {
        let description = self.simulator.description();
        let lent_url = format!("{}/sim/clock", description.control_url.replacen("http", "ws", 1));
        // Everything shares this machine, which may be busy: a request may be on its way for longer than usual.
        let mut places = format!(
            "[broker.limits]\nwindow_guard_ms = 250\nreads_per_second = 15\n\
             [broker]\nbase_url = {}\nstream_url = {}\ninstruments_url = {}\n[clock]\nlent_url = {}\n\
             [store]\npath = {}\n[control]\nsocket = {}\n[log]\nfile = {}\n",
            quoted(&description.rest_url),
            quoted(&description.stream_url),
            quoted(&description.instruments_url),
            quoted(&lent_url),
            quoted_path(&database(folder))?,
            quoted_path(&control_socket(folder))?,
            quoted_path(&log_file(folder))?,
        );
        let mut demo: DocumentMut = DEMO_TOML.parse().context("config/demo.toml")?;
        let mut client_ids = Vec::new();
        for name in std::iter::once("leader").chain(FOLLOWERS) {
            let account = account(&description.accounts, name)?;
            let token = token_file(folder, account).context("write a token file")?;
            let variable = format!("{}_CLIENT_ID", name.to_uppercase());
            if name == "leader" {
                let token = quoted_path(&token)?;
                writeln!(places, "[leader]\nclient_id_env = \"{variable}\"\naccess_token_file = {token}")?;
            } else {
                // A list in a later text would replace the followers whole, with what they have of their own.
                let follower = follower(&mut demo, name)?;
                follower.remove("access_token_env");
                follower["access_token_file"] = toml_edit::value(path_text(&token)?);
            }
            client_ids.push((variable, account.client_id.to_string()));
        }
        let demo = demo.to_string();
        let sources = Sources::new().text("config/demo.toml", &demo).text("the demo's places", &places);
        // This process's own environment is left out: nothing in it may send the demo to a real broker.
        Ok(sources.environment(client_ids).load(Purpose::Copy)?)
    }
}

fn account<'a>(accounts: &'a [AccountDescription], name: &str) -> anyhow::Result<&'a AccountDescription> {
    let found = accounts.iter().find(|account| account.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| anyhow!("the simulator has no account of {name}"))
}

fn put_in_place(exchange: &mut Exchange, contract: &Contract) -> anyhow::Result<Instrument> {
    let key = match &contract.option {
        Some((expiry, option)) => {
            exchange.option(&contract.underlying, *expiry, option.strike, option.option_type)
        }
        None => exchange
            .contracts()
            .iter()
            .find(|share| share.trading_symbol.as_ref() == contract.underlying.as_str())
            .map(|share| share.key),
    };
    let key = key.context("is not traded")?;
    let lot = exchange.contract(key).map_or(0, |found| found.lot_size.get());
    ensure!(lot == contract.units_in_lot, "has {lot} units in a lot, not {}", contract.units_in_lot);
    match contract.market {
        Market::Still(price) => {
            exchange.set_last_price(key, price);
            exchange.set_depth(key, Some(Depth::Unlimited));
        }
        Market::Tape(Some(lots)) => {
            exchange.set_depth(key, Some(Depth::Capped(Quantity::new(lots * lot))));
        }
        Market::Tape(None) => {}
    }
    Ok(Instrument { key, units_in_lot: lot })
}

/// Readable by its owner alone, as the daemon demands.
fn token_file(folder: &Path, account: &AccountDescription) -> std::io::Result<PathBuf> {
    let path = folder.join(format!("{}.token", account.name.to_lowercase()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(account.access_token.as_bytes())?;
    Ok(path)
}

fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

fn quoted_path(path: &Path) -> anyhow::Result<String> {
    Ok(quoted(path_text(path)?))
}

fn path_text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("the folder for temporary files has a name that is no UTF-8")
}

/// A follower's section.
fn follower<'a>(settings: &'a mut DocumentMut, name: &str) -> anyhow::Result<&'a mut Table> {
    let followers = settings.get_mut("follower").and_then(Item::as_array_of_tables_mut);
    let mut sections = followers.into_iter().flat_map(toml_edit::ArrayOfTables::iter_mut);
    let found = sections.find(|section| section.get("id").and_then(Item::as_str) == Some(name));
    found.with_context(|| format!("config/demo.toml has no follower {name}"))
}
