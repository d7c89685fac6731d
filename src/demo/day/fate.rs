//! The cells that say what must become of an order, and of its copies.

use std::str::FromStr;

use anyhow::{Context as _, bail, ensure};
use tandem_domain::gates::DeniedReason;
use tandem_domain::price::Price;

/// How an order ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::demo) enum Fate {
    /// Whole; a super order also when its exits never came to it.
    Filled,
    /// Not at all, though the exchange took it.
    Unfilled,
    /// Taken back with so many lots filled.
    Cancelled(u32),
    /// Refused by broker or exchange.
    Rejected,
    /// Taken, and filled as far as the book went.
    Any,
    /// A super order: filled, and closed whole by its target.
    Target,
    /// A super order: filled, and closed whole by its stop.
    Stop,
}

/// What must become of a leader order in one follower account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::demo) enum Copied {
    Order(Copy),
    Skipped(DeniedReason),
}

/// The follower's order at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::demo) struct Copy {
    pub(in crate::demo) lots: u32,
    pub(in crate::demo) fate: Fate,
    /// As how many orders.
    pub(in crate::demo) orders: usize,
    /// Lots that are disclosed; zero for all.
    pub(in crate::demo) shows: u32,
    /// The limit where it is not the leader's: of a stop at the market, copied as a stop with a limit.
    pub(in crate::demo) limit: Option<Price>,
    /// Lots that it filled too many, closed again by orders on the other side.
    pub(in crate::demo) repaired: u32,
    /// Its owner took it over.
    pub(in crate::demo) by_hand: bool,
    /// It worked when an operator stopped the copying.
    pub(in crate::demo) stopped: bool,
    /// The leader was through first: in the end it was put to the market.
    pub(in crate::demo) chased: bool,
    /// Tandem may have changed its quantity where the leader changed nothing: for what others of his orders came to.
    pub(in crate::demo) fitted: bool,
}

impl FromStr for Fate {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match Self::take(&words)? {
            (fate, []) => Ok(fate),
            (_, rest) => bail!("{}: nothing is known of that", rest.join(" ")),
        }
    }
}

impl Fate {
    /// The fate that the words begin with, and the words after it.
    fn take<'a, 'b>(words: &'a [&'b str]) -> anyhow::Result<(Self, &'a [&'b str])> {
        Ok(match words {
            ["filled", rest @ ..] => (Self::Filled, rest),
            ["unfilled", rest @ ..] => (Self::Unfilled, rest),
            ["cancelled", lots, rest @ ..] if lots.parse::<u32>().is_ok() => {
                (Self::Cancelled(lots.parse()?), rest)
            }
            ["cancelled", rest @ ..] => (Self::Cancelled(0), rest),
            ["rejected", rest @ ..] => (Self::Rejected, rest),
            ["any", rest @ ..] => (Self::Any, rest),
            ["target", rest @ ..] => (Self::Target, rest),
            ["stop", rest @ ..] => (Self::Stop, rest),
            _ => bail!(
                "{}: filled, unfilled, cancelled [LOTS], rejected, any, target or stop",
                words.join(" ")
            ),
        })
    }
}

impl FromStr for Copied {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let Some((first, rest)) = words.split_first() else { bail!("an empty cell") };
        match first.parse() {
            Ok(lots) => Ok(Self::Order(Copy::parse(lots, rest).with_context(|| text.to_owned())?)),
            Err(_) => Ok(Self::Skipped(text.parse()?)),
        }
    }
}

impl Copy {
    fn parse(lots: u32, words: &[&str]) -> anyhow::Result<Self> {
        let says_nothing = words.first().is_none_or(|word| EXTRAS.contains(word));
        let (fate, mut words) = if says_nothing { (Fate::Filled, words) } else { Fate::take(words)? };
        let mut copy = Self {
            lots,
            fate,
            orders: 1,
            shows: 0,
            limit: None,
            repaired: 0,
            by_hand: false,
            stopped: false,
            chased: false,
            fitted: false,
        };
        while !words.is_empty() {
            words = match words {
                ["in", orders, rest @ ..] => {
                    copy.orders = orders.parse()?;
                    rest
                }
                ["shows", lots, rest @ ..] => {
                    copy.shows = lots.parse()?;
                    rest
                }
                ["limit", price, rest @ ..] => {
                    copy.limit = Some(price.parse()?);
                    rest
                }
                ["repaired", lots, rest @ ..] => {
                    copy.repaired = lots.parse()?;
                    rest
                }
                ["by", "hand", rest @ ..] => {
                    copy.by_hand = true;
                    rest
                }
                ["stopped", rest @ ..] => {
                    copy.stopped = true;
                    rest
                }
                ["chased", rest @ ..] => {
                    copy.chased = true;
                    rest
                }
                ["fitted", rest @ ..] => {
                    copy.fitted = true;
                    rest
                }
                _ => bail!("{}: nothing is known of that", words.join(" ")),
            };
        }
        ensure!(copy.orders > 0, "in no orders at all");
        Ok(copy)
    }
}

/// The words that may follow the lots when the fate is not said.
const EXTRAS: [&str; 8] = ["in", "shows", "limit", "repaired", "by", "stopped", "chased", "fitted"];
