//! The leader's book of the day: what he asked for and what became of it, merged from frames and snapshots.
//!
//! The broker's stream has no sequence numbers and repeats, reorders and loses frames. So an order's state here is a
//! *join* of the evidence seen, computed from the set of it and not from its order of arrival: any permutation and
//! repetition of frames, followed by a snapshot, gives the same book (P9, P12).
//!
//! An order that brings its own exits is *one* order here, its entry; reports of the exits attach to it.

mod book;
mod evidence;
mod forever;
mod legs;

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

pub use self::book::{LeaderBook, Merge};
use crate::ids::{BrokerOrderId, DhanClientId, Tag};
use crate::order::{BrokerStatus, Leg, OrderForm, OrderTerms};
use crate::price::Price;
use crate::quantity::Quantity;
use crate::time::{Timestamp, TradingDay};

/// One leader order as the evidence so far shows it. Immutable: each change makes a new one.
#[derive(Debug, Clone)]
pub struct LeaderOrder {
    /// The leader's account.
    pub account: DhanClientId,
    /// The exchange's date on which the order lives.
    pub trading_day: TradingDay,
    /// The broker's id.
    pub broker_order_id: BrokerOrderId,
    /// The tag it carries, if any; ours when the leader's account is somebody's follower.
    pub tag: Option<Tag>,
    /// Entry of an order with legs, or single. The legs themselves are no orders of the book: they are in the form of the
    /// terms.
    pub leg: Leg,
    /// What the *leader* asks for. What the broker made of it (a fired stop shown as a limit, a market order shown as
    /// a limit) does not count as his change.
    pub terms: OrderTerms,
    /// The broker's word for its state.
    pub status: BrokerStatus,
    /// Units filled so far.
    pub cumulative: Quantity,
    /// Average price of what is filled.
    pub average_price: Price,
    /// Why it was rejected, cancelled or expired.
    pub reason: Option<Arc<str>>,
    /// Units that its exit legs have filled or triggered: how much of what it opened is closed again by itself.
    pub exited: Quantity,
    /// The instrument's last price by the newest frame that told one. No part of the order: it counts neither for
    /// equality nor for the fingerprint.
    pub last_price: Option<Price>,
    /// The forever order whose firing left this order; such a child is not copied a second time.
    pub forever_parent: Option<BrokerOrderId>,
    /// Computed at most once, for all followers.
    pub known_fingerprint: KnownFingerprint,
    /// The broker's time of the newest evidence.
    pub ts_event: Timestamp,
    /// When the order was entered, by the earliest of all evidence: how old it is.
    pub ts_first_event: Timestamp,
    /// When we first saw it, by our clock.
    pub ts_first_seen: Timestamp,
}

/// What [`LeaderOrder::fingerprint`] came to. A clone may be changed, so it knows nothing yet.
#[derive(Debug, Default)]
pub struct KnownFingerprint(OnceLock<i64>);

impl Clone for KnownFingerprint {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl LeaderOrder {
    /// Whether the exchange has taken the order: the condition of copying "on working".
    pub fn is_accepted(&self) -> bool {
        !self.cumulative.is_zero() || self.status.is_accepted()
    }

    /// How many units the order stands for now: all of them while it works, what was filled once it is over.
    pub fn standing_quantity(&self) -> Quantity {
        if self.status.is_terminal() { self.cumulative } else { self.terms.quantity.max(self.cumulative) }
    }

    /// Whether exits of it wait or work at the broker still: an order that is `TRADED` is not over while they do.
    pub fn legs_alive(&self) -> bool {
        let OrderForm::Super(legs) = &self.terms.form else { return false };
        let has_legs = legs.target.is_some() || legs.stop.is_some();
        let is_over = match self.status {
            // Its end is the end of its legs, too (`dhanhq-v2.md` section 3.1).
            BrokerStatus::Rejected
            | BrokerStatus::Cancelled
            | BrokerStatus::Expired
            | BrokerStatus::Closed => true,
            BrokerStatus::Traded => self.exited >= self.cumulative,
            _ => false,
        };
        has_legs && !is_over
    }

    /// A stable number of this state: equal states have equal numbers across runs and versions. The key under which
    /// an event is stored once.
    pub fn fingerprint(&self) -> i64 {
        *self.known_fingerprint.0.get_or_init(|| self.compute_fingerprint())
    }

    fn compute_fingerprint(&self) -> i64 {
        let terms = &self.terms;
        let mut text = format!(
            "{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}",
            self.status,
            self.cumulative,
            self.average_price,
            terms.quantity,
            terms.disclosed,
            terms.price,
            terms.trigger,
            terms.order_type,
            terms.time_in_force,
            terms.product,
            terms.side,
            self.ts_event.micros(),
        );
        self.write_form(&mut text);
        let digest = Sha256::digest(text.as_bytes());
        digest.first_chunk::<8>().copied().map_or(0, i64::from_be_bytes)
    }

    /// What only orders with exits or of two legs have; ordinary ones keep the text that earlier versions gave them.
    fn write_form(&self, text: &mut String) {
        let price = |price: Option<Price>| price.unwrap_or(Price::ZERO);
        let written = match &self.terms.form {
            OrderForm::Ordinary => Ok(()),
            OrderForm::Super(legs) => write!(
                text,
                "|SUPER|{}|{}|{}|{}",
                price(legs.target),
                price(legs.stop),
                legs.trailing,
                self.exited
            ),
            OrderForm::Forever(None) => write!(text, "|FOREVER"),
            OrderForm::Forever(Some(leg)) => {
                write!(text, "|FOREVER|{}|{}|{}", leg.price, leg.trigger, leg.quantity)
            }
        };
        debug_assert!(written.is_ok(), "a String takes all text");
    }
}

/// The last price is no part of the order: a frame that differs in nothing else tells nothing.
impl PartialEq for LeaderOrder {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            account,
            trading_day,
            broker_order_id,
            tag,
            leg,
            terms,
            status,
            cumulative,
            average_price,
            reason,
            exited,
            last_price: _,
            forever_parent,
            known_fingerprint: _,
            ts_event,
            ts_first_event,
            ts_first_seen,
        } = self;
        *account == other.account
            && *trading_day == other.trading_day
            && *broker_order_id == other.broker_order_id
            && *tag == other.tag
            && *leg == other.leg
            && *terms == other.terms
            && *status == other.status
            && *cumulative == other.cumulative
            && *average_price == other.average_price
            && *reason == other.reason
            && *exited == other.exited
            && *forever_parent == other.forever_parent
            && *ts_event == other.ts_event
            && *ts_first_event == other.ts_first_event
            && *ts_first_seen == other.ts_first_seen
    }
}

impl Eq for LeaderOrder {}

#[cfg(test)]
mod tests;
