//! An order of the leader as its line has it, and the changes of it.

use anyhow::{bail, ensure};
use tandem_domain::order::{ExitLegs, Leg, OrderType, Product, Side, TimeInForce};
use tandem_domain::price::Price;
use tandem_sim::exchange::Source;

use super::{Copied, FOLLOWERS, Fate, code};

/// An order of the leader and what must become of it.
#[derive(Debug, Clone)]
pub(in crate::demo) struct LeaderOrder {
    /// What later lines call it.
    pub(in crate::demo) name: Option<String>,
    pub(in crate::demo) source: Source,
    pub(in crate::demo) side: Side,
    pub(in crate::demo) alias: String,
    pub(in crate::demo) product: Product,
    /// The broker cuts it into orders that the exchange takes.
    pub(in crate::demo) is_sliced: bool,
    pub(in crate::demo) asked: Asked,
    pub(in crate::demo) fate: Fate,
    pub(in crate::demo) copies: [Copied; FOLLOWERS.len()],
}

/// What of an order its owner may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::demo) struct Asked {
    pub(in crate::demo) lots: u32,
    pub(in crate::demo) order_type: OrderType,
    pub(in crate::demo) price: Price,
    pub(in crate::demo) trigger: Price,
    pub(in crate::demo) time_in_force: TimeInForce,
    /// Lots that are disclosed; zero for all.
    pub(in crate::demo) shows: u32,
    /// Of a super order.
    pub(in crate::demo) exits: Option<ExitLegs>,
}

/// A change. What is none stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::demo) struct Change {
    lots: Option<u32>,
    order_type: Option<OrderType>,
    price: Option<Price>,
    trigger: Option<Price>,
    time_in_force: Option<TimeInForce>,
    shows: Option<u32>,
    pub(in crate::demo) target: Option<Price>,
    pub(in crate::demo) stop: Option<Price>,
    pub(in crate::demo) trail: Option<Price>,
}

impl LeaderOrder {
    pub(super) fn parse(text: &str, fate: Fate, copies: [Copied; FOLLOWERS.len()]) -> anyhow::Result<Self> {
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
        let (exits, rest) = exits(rest)?;
        let [product, extras @ ..] = rest else { bail!("no product") };
        let mut order = Self {
            name: None,
            source: Source::App,
            side: code(side)?,
            alias: (*alias).to_owned(),
            product: code(product)?,
            is_sliced: false,
            asked: Asked {
                lots: lots.parse()?,
                order_type,
                price,
                trigger,
                time_in_force: TimeInForce::Day,
                shows: 0,
                exits,
            },
            fate,
            copies,
        };
        order.take_extras(extras)?;
        let exit_fate = matches!(fate, Fate::Target | Fate::Stop);
        ensure!(exits.is_some() || !exit_fate, "an order without exits cannot end by one");
        ensure!(exits.is_none() || !order.is_sliced, "a super order is not sliced");
        Ok(order)
    }

    fn take_extras(&mut self, mut extras: &[&str]) -> anyhow::Result<()> {
        while !extras.is_empty() {
            extras = match extras {
                ["ioc", rest @ ..] => {
                    self.asked.time_in_force = TimeInForce::Ioc;
                    rest
                }
                ["api", rest @ ..] => {
                    self.source = Source::Api;
                    rest
                }
                ["sliced", rest @ ..] => {
                    self.is_sliced = true;
                    rest
                }
                ["shows", lots, rest @ ..] => {
                    self.asked.shows = lots.parse()?;
                    rest
                }
                ["as", name, rest @ ..] => {
                    ensure!(*name != "all", "no order is called all");
                    self.name = Some((*name).to_owned());
                    rest
                }
                _ => bail!("{}: ioc, api, sliced, shows LOTS or as NAME", extras.join(" ")),
            };
        }
        Ok(())
    }
}

impl Asked {
    /// One exit of a super order is wanted no more.
    pub(in crate::demo) fn forget_exit(&mut self, leg: Leg) {
        if let Some(exits) = &mut self.exits {
            match leg {
                Leg::Target => exits.target = None,
                Leg::StopLoss => exits.stop = None,
                Leg::Single | Leg::Entry => {}
            }
        }
    }
}

/// The exits of a super order, if these words begin with any; and what follows.
fn exits<'a, 'b>(mut words: &'a [&'b str]) -> anyhow::Result<(Option<ExitLegs>, &'a [&'b str])> {
    let mut legs = ExitLegs { target: None, stop: None, trailing: Price::ZERO };
    loop {
        words = match words {
            ["target", price, rest @ ..] => {
                legs.target = Some(price.parse()?);
                rest
            }
            ["stop", price, rest @ ..] => {
                legs.stop = Some(price.parse()?);
                rest
            }
            ["trail", jump, rest @ ..] => {
                legs.trailing = jump.parse()?;
                rest
            }
            _ => break,
        };
    }
    ensure!(legs.trailing.is_zero() || legs.stop.is_some(), "only a stop can trail");
    let has_some = legs.target.is_some() || legs.stop.is_some();
    Ok((has_some.then_some(legs), words))
}

impl Change {
    pub(super) fn parse(mut words: &[&str], is_super: bool) -> anyhow::Result<Self> {
        ensure!(!words.is_empty(), "what is changed?");
        let mut change = Self::default();
        while !words.is_empty() {
            words = match words {
                ["lots", lots, rest @ ..] => {
                    change.lots = Some(lots.parse()?);
                    rest
                }
                ["shows", lots, rest @ ..] => {
                    change.shows = Some(lots.parse()?);
                    rest
                }
                ["limit", price, rest @ ..] => {
                    change.price = Some(price.parse()?);
                    rest
                }
                ["market", rest @ ..] => {
                    (change.order_type, change.price) = (Some(OrderType::Market), Some(Price::ZERO));
                    rest
                }
                ["ioc", rest @ ..] => {
                    change.time_in_force = Some(TimeInForce::Ioc);
                    rest
                }
                ["target", price, rest @ ..] if is_super => {
                    change.target = Some(price.parse()?);
                    rest
                }
                ["stop", price, rest @ ..] if is_super => {
                    change.stop = Some(price.parse()?);
                    rest
                }
                ["trail", jump, rest @ ..] if is_super => {
                    change.trail = Some(jump.parse()?);
                    rest
                }
                ["trigger", trigger, rest @ ..] if !is_super => {
                    change.trigger = Some(trigger.parse()?);
                    rest
                }
                ["stop", trigger, "limit", price, rest @ ..] if !is_super => {
                    change.order_type = Some(OrderType::StopLoss);
                    (change.trigger, change.price) = (Some(trigger.parse()?), Some(price.parse()?));
                    rest
                }
                _ => bail!("{}: cannot be changed so", words.join(" ")),
            };
        }
        ensure!(
            change.parts() == 1,
            "the entry, the target or the stop of a super order: one of them in one change"
        );
        Ok(change)
    }

    /// Which parts of an order it is about: of an ordinary order always one.
    fn parts(&self) -> usize {
        let of_entry = Self { target: None, stop: None, trail: None, ..*self } != Self::default();
        let of_stop = self.stop.is_some() || self.trail.is_some();
        [of_entry, self.target.is_some(), of_stop].into_iter().filter(|part| *part).count()
    }

    /// What is asked for from now on.
    pub(in crate::demo) fn of(&self, asked: &Asked) -> Asked {
        let becomes_limit = asked.order_type == OrderType::Market && self.price.is_some();
        let order_type =
            self.order_type.unwrap_or(if becomes_limit { OrderType::Limit } else { asked.order_type });
        let trigger = if order_type.is_stop() { self.trigger.unwrap_or(asked.trigger) } else { Price::ZERO };
        Asked {
            lots: self.lots.unwrap_or(asked.lots),
            order_type,
            price: self.price.unwrap_or(asked.price),
            trigger,
            time_in_force: self.time_in_force.unwrap_or(asked.time_in_force),
            shows: self.shows.unwrap_or(asked.shows),
            exits: asked.exits.map(|exits| ExitLegs {
                target: self.target.or(exits.target),
                stop: self.stop.or(exits.stop),
                trailing: self.trail.unwrap_or(exits.trailing),
            }),
        }
    }
}
