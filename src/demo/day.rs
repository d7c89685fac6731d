//! Reads `day.txt`: what the leader does, and beside it what must become of it. Nothing is computed here.
//!
//! - `order`: a line's order, and changes of it; `fate`: the cells that say what must become of it.

mod fate;
mod order;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::str::FromStr;

use anyhow::{Context as _, anyhow, bail, ensure};
use chrono::{NaiveDate, NaiveTime};
use tandem_domain::gates::DeniedReason;
use tandem_domain::instrument::OptionContract;
use tandem_domain::order::{Leg, Product};
use tandem_domain::price::Price;

use crate::control::protocol::Command;

pub(super) use self::fate::{Copied, Copy, Fate};
pub(super) use self::order::{Asked, Change, LeaderOrder};

/// The day as the file has it.
const DAY: &str = include_str!("day.txt");

/// How many followers each line speaks of, in this order.
pub(super) const FOLLOWERS: [&str; 2] = ["asha", "bala"];

/// A whole day.
#[derive(Debug, Clone, Default)]
pub(super) struct Day {
    pub(super) instruments: BTreeMap<String, Contract>,
    pub(super) steps: Vec<Step>,
    /// What is left at the end, by alias and product. Everything else is flat.
    pub(super) left: BTreeMap<(String, Product), Left>,
    /// The orders that have names, and whether they are super orders.
    named: BTreeMap<String, bool>,
}

/// An instrument by what it is; the exchange knows its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contract {
    pub(super) underlying: String,
    /// None for a share.
    pub(super) option: Option<(NaiveDate, OptionContract)>,
    pub(super) units_in_lot: u32,
    pub(super) market: Market,
}

/// Who makes an instrument's price and depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Market {
    /// The day: it stands there until it is moved, and everybody gets what he wants.
    Still(Price),
    /// The exchange; of its depth no more than so many lots a tick, if said.
    Tape(Option<u32>),
}

/// Something happens at a moment.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// Its line in the file.
    pub(super) line: usize,
    pub(super) at: NaiveTime,
    pub(super) act: Act,
}

/// What happens. Followers are meant by their place in [`FOLLOWERS`], orders of the leader by their names.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Order(Box<LeaderOrder>),
    Change(String, Change),
    /// The leader takes an order back, or one exit of it.
    Cancel(String, Option<Leg>),
    /// The leader takes everything back that works.
    CancelAll,
    /// The exchange fills so many lots of a resting order, and of its copies.
    Fill(String, [u32; 1 + FOLLOWERS.len()]),
    /// The last price of an instrument goes to a price.
    Price(String, Price),
    /// The broker rejects a follower's next order.
    Refuse(usize),
    /// A follower's owner cancels the copy of an order by hand.
    ByHand(usize, String),
    /// A follower's owner places an order of his own.
    Own(usize, Box<LeaderOrder>),
    /// Nothing happens until the daemon has read the followers' money again.
    MoneyIsRead,
    /// An operator stops the copying of a follower, or lets it go on.
    Control(usize, Command),
}

/// Lots left at the end: the leader's, then the followers'. None: as far as the book went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) leader: Option<u32>,
    pub(super) followers: [Option<u32>; FOLLOWERS.len()],
}

impl Day {
    /// The day that comes with the program.
    pub(super) fn built_in() -> anyhow::Result<Self> {
        Self::parse(DAY).context("src/demo/day.txt")
    }

    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut day = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line_number = index + 1;
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            day.take_line(line_number, line).with_context(|| format!("line {line_number}"))?;
        }
        Ok(day)
    }

    /// The leader's orders with their lines, in the order of the day.
    pub(super) fn orders(&self) -> impl Iterator<Item = (usize, &LeaderOrder)> {
        self.steps.iter().filter_map(|step| match &step.act {
            Act::Order(order) => Some((step.line, order.as_ref())),
            _ => None,
        })
    }

    fn take_line(&mut self, line: usize, text: &str) -> anyhow::Result<()> {
        let cells: Vec<&str> = text.split('|').map(str::trim).collect();
        match cells.as_slice() {
            ["instrument", alias, contract, lot, price] => {
                let contract = Contract::parse(contract, lot, price)?;
                ensure!(
                    self.instruments.insert((*alias).to_owned(), contract).is_none(),
                    "{alias} is there twice"
                );
            }
            ["left", what, leader, asha, bala] => {
                let (alias, product) =
                    what.split_once(' ').ok_or_else(|| anyhow!("an alias and a product"))?;
                self.known(alias)?;
                let followers = [lots_left(asha)?, lots_left(bala)?];
                let left = Left { leader: lots_left(leader)?, followers };
                ensure!(
                    self.left.insert((alias.to_owned(), code(product.trim())?), left).is_none(),
                    "is there twice"
                );
            }
            [at, act] => {
                let words: Vec<&str> = act.split_whitespace().collect();
                let act = self.act(&words)?;
                self.push(line, at, act)?;
            }
            [at, order, leader, asha, bala] => {
                let copies = [asha.parse()?, bala.parse()?];
                let order = LeaderOrder::parse(order, leader.parse()?, copies)?;
                self.known(&order.alias)?;
                if let Some(name) = &order.name {
                    let is_super = order.asked.exits.is_some();
                    ensure!(
                        self.named.insert(name.clone(), is_super).is_none(),
                        "{name} is the name of two orders"
                    );
                }
                self.push(line, at, Act::Order(Box::new(order)))?;
            }
            _ => bail!("has {} columns", cells.len()),
        }
        Ok(())
    }

    fn act(&self, words: &[&str]) -> anyhow::Result<Act> {
        Ok(match words {
            ["price", alias, price] => Act::Price(self.known(alias)?, price.parse()?),
            ["halt", follower] => Act::Control(place_of(follower)?, Command::Halt { cancel_working: false }),
            ["resume", follower] => Act::Control(place_of(follower)?, Command::Resume),
            ["money", "is", "read"] => Act::MoneyIsRead,
            ["refuse", follower] => Act::Refuse(place_of(follower)?),
            ["cancel", "all"] => Act::CancelAll,
            ["cancel", name] => Act::Cancel(self.named(name)?.0, None),
            ["cancel", name, leg] => {
                let (name, is_super) = self.named(name)?;
                ensure!(is_super, "{name} has no exits");
                Act::Cancel(name, Some(exit(leg)?))
            }
            ["change", name, what @ ..] => {
                let (name, is_super) = self.named(name)?;
                Act::Change(name, Change::parse(what, is_super)?)
            }
            ["fill", name, leader, asha, bala] => {
                Act::Fill(self.named(name)?.0, [leader.parse()?, asha.parse()?, bala.parse()?])
            }
            [follower, "buys", order @ ..] => self.own_order(follower, "buy", order)?,
            [follower, "sells", order @ ..] => self.own_order(follower, "sell", order)?,
            [follower, "cancels", name] => Act::ByHand(place_of(follower)?, self.named(name)?.0),
            _ => bail!("neither an order with its three outcomes nor an event"),
        })
    }

    /// Nobody copies it: nothing is expected of it but to be left alone.
    fn own_order(&self, follower: &str, side: &str, words: &[&str]) -> anyhow::Result<Act> {
        let text = format!("{side} {}", words.join(" "));
        let order =
            LeaderOrder::parse(&text, Fate::Any, FOLLOWERS.map(|_| Copied::Skipped(DeniedReason::CopyLoop)))?;
        ensure!(order.name.is_none(), "an order of a follower's own has no name");
        self.known(&order.alias)?;
        Ok(Act::Own(place_of(follower)?, Box::new(order)))
    }

    fn push(&mut self, line: usize, at: &str, act: Act) -> anyhow::Result<()> {
        let at = at.parse().context("the time")?;
        ensure!(self.steps.last().is_none_or(|before| before.at <= at), "is earlier than the line before it");
        self.steps.push(Step { line, at, act });
        Ok(())
    }

    fn known(&self, alias: &str) -> anyhow::Result<String> {
        ensure!(self.instruments.contains_key(alias), "{alias} is no instrument of the day");
        Ok(alias.to_owned())
    }

    /// An order that an earlier line named, and whether it is a super order.
    fn named(&self, name: &str) -> anyhow::Result<(String, bool)> {
        let is_super = self.named.get(name).ok_or_else(|| anyhow!("{name} is no order of the day so far"))?;
        Ok((name.to_owned(), *is_super))
    }
}

impl Contract {
    fn parse(contract: &str, lot: &str, price: &str) -> anyhow::Result<Self> {
        let words: Vec<&str> = contract.split_whitespace().collect();
        let (underlying, option) = match words.as_slice() {
            [share] => (*share, None),
            [underlying, expiry, strike, option_type] => {
                let option = OptionContract { option_type: option_type.parse()?, strike: strike.parse()? };
                (*underlying, Some((expiry.parse()?, option)))
            }
            _ => bail!("a share, or underlying, expiry, strike and CE or PE"),
        };
        let market = match price.strip_prefix("tape").map(str::trim) {
            None => Market::Still(price.parse()?),
            Some("") => Market::Tape(None),
            Some(lots) => Market::Tape(Some(lots.parse()?)),
        };
        Ok(Self { underlying: underlying.to_owned(), option, units_in_lot: lot.parse()?, market })
    }
}

fn place_of(follower: &str) -> anyhow::Result<usize> {
    let place = FOLLOWERS.iter().position(|known| *known == follower);
    place.ok_or_else(|| anyhow!("{follower} is no follower"))
}

fn exit(word: &str) -> anyhow::Result<Leg> {
    Ok(match word {
        "target" => Leg::Target,
        "stop" => Leg::StopLoss,
        other => bail!("{other}: target or stop"),
    })
}

fn lots_left(text: &str) -> anyhow::Result<Option<u32>> {
    if text == "any" { Ok(None) } else { Ok(Some(text.parse()?)) }
}

/// The broker's code of a word written small.
fn code<T: FromStr>(word: &str) -> anyhow::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    Ok(word.to_uppercase().parse()?)
}
