//! Reads `day.txt`: what the leader does, and beside it what must become of it. Nothing is computed here.

use std::collections::BTreeMap;
use std::str::FromStr;

use anyhow::{Context as _, anyhow, bail, ensure};
use chrono::{NaiveDate, NaiveTime};
use tandem_domain::gates::DeniedReason;
use tandem_domain::instrument::OptionContract;
use tandem_domain::order::{OrderType, Product, Side, TimeInForce};
use tandem_domain::price::Price;
use tandem_sim::exchange::Source;

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

#[derive(Debug, Clone)]
pub(super) enum Act {
    Order(LeaderOrder),
    /// The last price of an instrument goes to a price.
    Price(String, Price),
    /// The broker rejects the next order of a follower, by its place in [`FOLLOWERS`].
    Refuse(usize),
}

/// An order of the leader and what must become of it.
#[derive(Debug, Clone)]
pub(super) struct LeaderOrder {
    pub(super) source: Source,
    pub(super) side: Side,
    pub(super) lots: u32,
    pub(super) alias: String,
    pub(super) order_type: OrderType,
    pub(super) price: Price,
    pub(super) trigger: Price,
    pub(super) product: Product,
    pub(super) time_in_force: TimeInForce,
    pub(super) fate: Fate,
    pub(super) copies: [Copied; FOLLOWERS.len()],
}

/// How an order ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Whole.
    Filled,
    /// Not at all, though the exchange took it.
    Unfilled,
    /// Refused by broker or exchange.
    Rejected,
    /// Taken, and filled as far as the book went.
    Any,
}

/// What must become of a leader order in one follower account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Copied {
    Order { lots: u32, fate: Fate },
    Skipped(DeniedReason),
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
            Act::Order(order) => Some((step.line, order)),
            Act::Price(..) | Act::Refuse(_) => None,
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
                let act = match words.as_slice() {
                    ["price", alias, price] => Act::Price(self.known(alias)?, price.parse()?),
                    ["refuse", name] => {
                        let place = FOLLOWERS.iter().position(|follower| follower == name);
                        Act::Refuse(place.ok_or_else(|| anyhow!("{name} is no follower"))?)
                    }
                    _ => bail!("neither an order with its three outcomes nor an event"),
                };
                self.push(line, at, act)?;
            }
            [at, order, leader, asha, bala] => {
                let mut order = LeaderOrder::parse(order)?;
                self.known(&order.alias)?;
                order.fate = leader.parse()?;
                order.copies = [asha.parse()?, bala.parse()?];
                self.push(line, at, Act::Order(order))?;
            }
            _ => bail!("has {} columns", cells.len()),
        }
        Ok(())
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

impl LeaderOrder {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [side, lots, alias, how @ ..] = words.as_slice() else {
            bail!("side, lots, alias, how, product")
        };
        let (order_type, trigger, price, rest) = match how {
            ["market", rest @ ..] => (OrderType::Market, Price::ZERO, Price::ZERO, rest),
            ["limit", price, rest @ ..] => (OrderType::Limit, Price::ZERO, price.parse()?, rest),
            ["stop", trigger, "limit", price, rest @ ..] => {
                (OrderType::StopLoss, trigger.parse()?, price.parse()?, rest)
            }
            ["stop-market", trigger, rest @ ..] => {
                (OrderType::StopLossMarket, trigger.parse()?, Price::ZERO, rest)
            }
            _ => bail!("market, limit, stop or stop-market"),
        };
        let [product, extras @ ..] = rest else { bail!("no product") };
        let mut order = Self {
            source: Source::App,
            side: code(side)?,
            lots: lots.parse()?,
            alias: (*alias).to_owned(),
            order_type,
            price,
            trigger,
            product: code(product)?,
            time_in_force: TimeInForce::Day,
            fate: Fate::Any,
            copies: [Copied::Order { lots: 0, fate: Fate::Any }; FOLLOWERS.len()],
        };
        for extra in extras {
            match *extra {
                "ioc" => order.time_in_force = TimeInForce::Ioc,
                "api" => order.source = Source::Api,
                other => bail!("{other}: ioc or api"),
            }
        }
        Ok(order)
    }
}

impl FromStr for Fate {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        Ok(match text {
            "filled" => Self::Filled,
            "unfilled" => Self::Unfilled,
            "rejected" => Self::Rejected,
            "any" => Self::Any,
            other => bail!("{other}: filled, unfilled, rejected or any"),
        })
    }
}

impl FromStr for Copied {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (first, fate) = text.split_once(' ').unwrap_or((text, "filled"));
        match first.parse() {
            Ok(lots) => Ok(Self::Order { lots, fate: fate.trim().parse()? }),
            Err(_) => Ok(Self::Skipped(text.parse()?)),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_long_and_of_many_kinds() {
        let day = Day::built_in().unwrap();
        let orders: Vec<&LeaderOrder> = day.orders().map(|(_, order)| order).collect();
        assert!(orders.len() >= 200, "{}", orders.len());
        let types = [OrderType::Market, OrderType::Limit, OrderType::StopLoss, OrderType::StopLossMarket];
        for order_type in types {
            assert!(orders.iter().any(|order| order.order_type == order_type), "{order_type}");
        }
        let reasons = [
            DeniedReason::NotOption,
            DeniedReason::BelowOneLot,
            DeniedReason::UnsupportedOrderType,
            DeniedReason::LeaderRejected,
        ];
        for reason in reasons {
            assert!(orders.iter().any(|order| order.copies.contains(&Copied::Skipped(reason))), "{reason}");
        }
        let burst: NaiveTime = "10:30:00".parse().unwrap();
        assert_eq!(day.steps.iter().filter(|step| step.at == burst).count(), 20);
    }

    #[test]
    fn bad_lines_are_named() {
        let told = |text: &str| format!("{:#}", Day::parse(text).unwrap_err());
        assert!(told("09:15:00 | price X 1.00").contains("line 1: X is no instrument"));
        assert!(told("\n09:15:00 | buy").contains("line 2"));
        let instrument = "instrument | R | RELIANCE | 1 | tape\n";
        assert!(
            told(&format!("{instrument}09:15:00 | buy 1 R market cnc | filled | 1 | because"))
                .contains("because")
        );
        let backwards = "09:16:00 | refuse asha\n09:15:00 | refuse asha";
        assert!(told(backwards).contains("line 2: is earlier"));
    }
}
