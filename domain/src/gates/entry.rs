//! Whether something that raises what a follower may lose is sent: every gate in its order, each with its reason.
//!
//! Pure and cheap: one call of [`admit`] for each placing or raise of an entry. Exits and cancels never come here. Freeze
//! quantity and pacing are not asked here: the one slices, the other lets wait.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::instrument::{ExchangeSegment, Instrument};
use crate::order::{OrderTerms, Product, Side};
use crate::price::{Money, Price};
use crate::quantity::{Lots, Quantity};
use crate::time::Timestamp;
use crate::trading::Trading;

pub use super::admit::{Admission, admit, weigh};

/// What a follower's owner allows to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPolicy {
    /// Whether anything is opened for him at all.
    pub is_copying: bool,
    /// The part of the day, in India, in which entries are opened: from, until. None for the whole session.
    pub window: Option<(chrono::NaiveTime, chrono::NaiveTime)>,
    /// Which instruments, products and sides.
    pub filters: Filters,
    /// The age beyond which an entry is no longer sent.
    pub age_max: Duration,
    /// How far the market may have moved from the leader's price, against the follower, in basis points. None for any.
    pub drift_max: Option<crate::policy::Bps>,
    /// Upper bounds.
    pub caps: Caps,
    /// Whether an entry above a cap is cut to what fits, or skipped.
    pub at_cap: AtCap,
    /// Loss of the day, realised and unrealised, at which entries stop. None for no bound.
    pub daily_loss_max: Option<Money>,
    /// How old the figures of loss and money may be before they count as unknown, which denies.
    pub figures_age_max: Duration,
    /// How the money that an entry needs is known.
    pub margin: MarginCheck,
    /// Margin by the local estimate ([`unit_cost`](super::unit_cost)), in basis points of the strike (short options) or
    /// of the price (futures, shares sold short).
    pub short_margin: crate::policy::Bps,
}

impl EntryPolicy {
    /// Bounds nothing but age, at 30 s: what tests and models begin with.
    pub fn unbounded() -> Self {
        Self {
            is_copying: true,
            window: None,
            filters: Filters::default(),
            age_max: Duration::from_secs(30),
            drift_max: None,
            caps: Caps::default(),
            at_cap: AtCap::Scale,
            daily_loss_max: None,
            figures_age_max: Duration::from_secs(15),
            margin: MarginCheck::Off,
            short_margin: crate::policy::Bps::new(1_500),
        }
    }
}

crate::instrument::coded_enum! {
    /// What becomes of an entry that is above a cap.
    AtCap {
        /// It is cut to what fits; below one lot it is skipped.
        Scale = "scale",
        /// It is skipped.
        Skip = "skip",
    }
}

crate::instrument::coded_enum! {
    /// How the money that an entry needs is known.
    MarginCheck {
        /// It is not looked at; the broker refuses what it does not cover.
        Off = "off",
        /// By a local estimate: premium of what is bought, a share of the strike for what is sold.
        Estimate = "estimate",
        /// By the broker's calculator, once the entry is about to leave, within a time limit; past it by the local
        /// estimate.
        Broker = "broker",
    }
}

/// Lists that allow or deny. An empty list of what is allowed allows everything; what is denied is denied in any case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filters {
    /// Segments allowed.
    pub segments: BTreeSet<ExchangeSegment>,
    /// Underlyings allowed: `NIFTY`, in any case. A share is its own underlying.
    pub underlyings: BTreeSet<String>,
    /// Underlyings denied.
    pub underlyings_denied: BTreeSet<String>,
    /// Instruments allowed, by trading symbol.
    pub instruments: BTreeSet<String>,
    /// Instruments denied, by trading symbol.
    pub instruments_denied: BTreeSet<String>,
    /// Products allowed, as the follower would trade them: after the product map.
    pub products: BTreeSet<Product>,
    /// Sides of what is opened.
    pub sides: BTreeSet<Side>,
}

/// Upper bounds of what may be opened. None for no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Caps {
    /// Lots of one order.
    pub lots_per_order: Option<Lots>,
    /// Lots held and under way in one instrument, at the worst.
    pub lots_per_instrument: Option<Lots>,
    /// What one order may cost: premium of what is bought, margin of what is sold ([`cost`](super::cost)).
    pub order_value: Option<Money>,
    /// What all that is held and under way in one instrument may cost, in basis points of the follower's capital.
    pub position_share: Option<crate::policy::Bps>,
    /// Orders of ours that work, at the same time.
    pub open_orders: Option<u32>,
    /// Orders placed in a day.
    pub orders_per_day: Option<u32>,
}

/// What would be placed, or added to an order.
#[derive(Debug, Clone)]
pub struct Raise<'a> {
    /// The order. Its quantity is the leader's; `units` is what counts.
    pub terms: &'a OrderTerms,
    /// Units that would be added, a whole number of lots.
    pub units: Quantity,
    /// Units of this copy that are filled or work already: what bounds one order bounds both together.
    pub before: Quantity,
    /// Its instrument.
    pub instrument: &'a Instrument,
    /// The price at which it would trade: its limit, or else the last price known. Where there is none, `last_price`
    /// and then `leader_price` stand in for it.
    pub price: Option<Price>,
    /// The last price known of the instrument.
    pub last_price: Option<Price>,
    /// What the leader paid, on average; none while nothing of his order has filled. What he only *asks* does not
    /// belong here: a limit far from the market would seem to have been run away from.
    pub leader_price: Option<Price>,
    /// Since when the leader has wanted it.
    pub since: Timestamp,
    /// When his order was first seen.
    pub first_seen: Timestamp,
    /// New orders that it takes: one, or one for each slice. None for a change of an order that works.
    pub orders: u32,
}

/// A figure, and when it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    /// The money.
    pub value: Money,
    /// When.
    pub at: Timestamp,
}

/// How the account stands at the moment.
#[derive(Debug, Clone)]
pub struct Standing<'a> {
    /// Now.
    pub now: Timestamp,
    /// What an operator or a limit said.
    pub trading: Trading,
    /// Whether the broker refuses its credentials.
    pub credentials_refused: bool,
    /// Whether its breaker is open.
    pub breaker_open: bool,
    /// Whether nobody knows what came of an order of ours in this instrument, for longer than it should take to prove.
    pub is_in_doubt: bool,
    /// Whether our rows and the broker's account differ in this instrument.
    pub has_drifted: bool,
    /// When exchanges trade.
    pub calendar: &'a crate::calendar::Calendar,
    /// Capital of the day, where it is known.
    pub capital: Option<Money>,
    /// Profit of the day over the whole account, realised and unrealised.
    pub profit: Option<Figure>,
    /// Money free to trade with.
    pub available: Option<Figure>,
    /// Money that what is in flight needs and `available` does not know of.
    pub reserved: Money,
    /// What covers a sale of an option: its margin is lower then. None for what is not covered.
    pub cover: Option<super::Cover>,
    /// Units held and under way in the instrument, at the worst.
    pub instrument_units: u64,
    /// What these are worth: premium of longs, margin of shorts.
    pub instrument_value: Money,
    /// Orders of ours that work or wait.
    pub open_orders: u32,
    /// Orders of ours placed today.
    pub orders_today: u32,
}
