//! The Sizer's word on one leader order for one follower: follow it, and how; do not; or not yet. Pure, so that the same
//! order, policy and capital always give the same word.
//!
//! It speaks of the leader's whole order. How much of that the follower takes is decided where his fills, his holdings
//! and what earlier orders left over are known: in [`crate::follower`].

use std::sync::Arc;

use crate::gates::{self, CopyPolicy, DeniedReason};
use crate::ids::DhanClientId;
use crate::instrument::Instrument;
use crate::leader::LeaderOrder;
use crate::order::{OrderForm, OrderTerms, OrderType, TimeInForce};
use crate::policy::CopyOn;
use crate::price::Price;
use crate::quantity::Quantity;
use crate::sizing::DayCapital;
use crate::translate::{self, Facts, Note};

/// What to do about a leader order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// What the follower waits for has not happened yet.
    Await,
    /// Follow it like this.
    Follow(Box<Wish>),
    /// Do not follow it.
    Deny(DeniedReason),
}

/// What a follower's order should be, but for how much of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The order in the follower's terms; its quantity is what the leader's stands for.
    pub terms: OrderTerms,
    /// Leader units that have executed.
    pub executed: Quantity,
    /// Leader units that his exit legs have closed again.
    pub exited: Quantity,
    /// Capital of the day that a proportion is taken of.
    pub capital: DayCapital,
    /// Why nothing may be opened by it, whatever its size; closing by it is another matter.
    pub entry_denial: Option<DeniedReason>,
    /// How the order differs in kind from the leader's, if it does.
    pub note: Option<Note>,
    /// A market order that should have a limit of ours, and no price is known yet: an exit goes as it is.
    pub is_unpriced: bool,
    /// The leader's average price, or else the last price known.
    pub reference: Option<Price>,
    /// Its instrument.
    pub instrument: Arc<Instrument>,
}

/// Decides.
pub fn decide(
    order: &LeaderOrder,
    instrument: Option<&Arc<Instrument>>,
    copy: &CopyPolicy,
    capital: DayCapital,
    follower: &DhanClientId,
) -> Decision {
    if !is_due(order, copy.on) {
        return Decision::Await;
    }
    match wish(order, instrument, copy, capital, follower) {
        Ok(wish) => Decision::Follow(Box::new(wish)),
        Err(reason) => Decision::Deny(reason),
    }
}

fn is_due(order: &LeaderOrder, on: CopyOn) -> bool {
    order.status.is_terminal()
        || match on {
            CopyOn::Working => order.is_accepted(),
            CopyOn::Transit => true,
            CopyOn::Fill => !order.cumulative.is_zero(),
        }
}

fn wish(
    order: &LeaderOrder,
    instrument: Option<&Arc<Instrument>>,
    copy: &CopyPolicy,
    capital: DayCapital,
    follower: &DhanClientId,
) -> Result<Wish, DeniedReason> {
    let gates::Examined { terms: mut leaders, entry_denial } =
        gates::examine(order, instrument.map(AsRef::as_ref), copy, follower)?;
    let instrument = Arc::clone(instrument.ok_or(DeniedReason::UnknownInstrument)?);
    let reference = Some(order.average_price).filter(|price| !price.is_zero()).or(order.last_price);
    let by_fill = copy.on == CopyOn::Fill && leaders.form == OrderForm::Ordinary;
    if by_fill {
        (leaders.quantity, leaders.disclosed) = (order.cumulative, Quantity::ZERO);
    }
    let (lot, tick) = (instrument.lot_size, instrument.tick);
    let facts = Facts { quantity: leaders.quantity, lot, tick, reference };
    let mut made = translate::translate(&leaders, &facts, &copy.translation)?;
    if by_fill && let Some(reference) = reference {
        let resting =
            OrderTerms { time_in_force: TimeInForce::Day, order_type: OrderType::Limit, ..made.terms };
        made.terms = translate::at_limit(resting, reference, copy.translation.price_band, tick);
        made.note = Some(Note::FillAsLimit);
    }
    Ok(Wish {
        terms: made.terms,
        executed: order.cumulative,
        exited: order.exited,
        capital,
        entry_denial,
        note: made.note,
        is_unpriced: made.is_unpriced,
        reference,
        instrument,
    })
}
