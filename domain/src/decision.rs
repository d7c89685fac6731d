//! The Sizer's word on one leader order for one follower: follow it, and how; do not; or not yet. Pure, so that the same
//! order, policy and capital always give the same word.

use crate::gates::{self, CopyPolicy, DeniedReason};
use crate::ids::DhanClientId;
use crate::instrument::Instrument;
use crate::leader::LeaderOrder;
use crate::order::{OrderForm, OrderTerms, OrderType, TimeInForce};
use crate::policy::CopyOn;
use crate::price::Price;
use crate::quantity::{LotSize, Quantity};
use crate::sizing::{self, DayCapital, Sizing, SizingPolicy};
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

/// What a follower's order should be, as long as nothing else speaks against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The order, its quantity the follower's share of all that the leader's stands for.
    pub terms: OrderTerms,
    /// His share of what the leader's has executed.
    pub executed: Quantity,
    /// His share of what the leader's exit legs have closed again.
    pub exited: Quantity,
    /// How the quantity was found.
    pub sizing: Sizing,
    /// How the order differs in kind from the leader's, if it does.
    pub note: Option<Note>,
    /// A market order that should have a limit of ours, and no price is known yet: an exit goes as it is.
    pub is_unpriced: bool,
    /// The leader's average price, or else the last price known.
    pub reference: Option<Price>,
    /// The instrument's tick; zero when not known.
    pub tick: Price,
    /// Units in a lot.
    pub lot: LotSize,
    /// The most the exchange takes in one order.
    pub freeze: Option<Quantity>,
}

/// Decides.
pub fn decide(
    order: &LeaderOrder,
    instrument: Option<&Instrument>,
    copy: &CopyPolicy,
    sizing: &SizingPolicy,
    capital: DayCapital,
    follower: &DhanClientId,
) -> Decision {
    if !is_due(order, copy.on) {
        return Decision::Await;
    }
    match wish(order, instrument, copy, sizing, capital, follower) {
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
    instrument: Option<&Instrument>,
    copy: &CopyPolicy,
    sizing: &SizingPolicy,
    capital: DayCapital,
    follower: &DhanClientId,
) -> Result<Wish, DeniedReason> {
    let mut leaders = gates::examine(order, instrument, copy, follower)?;
    let reference = Some(order.average_price).filter(|price| !price.is_zero()).or(order.last_price);
    let by_fill = copy.on == CopyOn::Fill && leaders.form == OrderForm::Ordinary;
    if by_fill {
        (leaders.quantity, leaders.disclosed) = (order.cumulative, Quantity::ZERO);
    }
    let lot = instrument.map_or(LotSize::ONE, |instrument| instrument.lot_size);
    let tick = instrument.map(|instrument| instrument.tick).unwrap_or_default();
    let sized = sizing::size(sizing, capital, leaders.quantity, lot)?;
    let share = |units: Quantity| sizing::share(&sized, units, sizing.minimum).min(sized.quantity);
    let facts = Facts { quantity: sized.quantity, lot, tick, reference };
    let mut made = translate::translate(&leaders, &facts, &copy.translation)?;
    if by_fill && let Some(reference) = reference {
        let resting =
            OrderTerms { time_in_force: TimeInForce::Day, order_type: OrderType::Limit, ..made.terms };
        made.terms = translate::at_limit(resting, reference, copy.translation.price_band, tick);
        made.note = Some(Note::FillAsLimit);
    }
    Ok(Wish {
        terms: made.terms,
        executed: share(order.cumulative),
        exited: share(order.exited),
        sizing: sized,
        note: made.note,
        is_unpriced: made.is_unpriced,
        reference,
        tick,
        lot,
        freeze: instrument.and_then(|instrument| instrument.freeze_quantity),
    })
}
