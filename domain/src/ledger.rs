//! What a leader's orders in one instrument close and what they open, and what a follower owes for it.
//!
//! Nothing is frozen at first sight: at every step the leader's fills, in the order of their times, and then what still
//! works of his orders, in the order of their placing, are allotted to closing what he holds, and only then to opening
//! (design, section 4). Beside his net goes what the follower may hold for each of his openings, cut by the same fraction
//! each time he closes. Of the sum of that, to the nearest lot, each opening keeps whole lots: what is not filled of them
//! shrinks first, and a fill that comes after the cut is within them, whenever it came. The *pool* is the sum less what of
//! these lots has not filled. What the follower should hold is the pool to the nearest lot, a half closing; so it is nothing
//! when the leader holds nothing, whatever was rounded or refused before.
//!
//! How it works: `walk` goes through the leader's fills and then through what works still. A day is long, so what can
//! change no more is gone through once: [`Standing`] is the state of the walk behind it, and gives the same result as the
//! whole day would. `docs/decisions/0025-a-long-day.md` says why.

mod hold;
mod standing;
mod walk;

pub use standing::{Finished, Standing};

use crate::instrument::coded_enum;
use crate::order::Side;
use crate::quantity::{LotSize, Lots, Quantity};
use crate::sizing::{Share, Sizing};
use crate::time::Timestamp;

/// How far an order had come at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FillPoint {
    /// The broker's time of it.
    pub at: Timestamp,
    /// Units filled by then.
    pub cumulative: Quantity,
    /// Units that its exit legs had closed again by then.
    pub exited: Quantity,
}

coded_enum! {
    /// How an exit waits. One of each kind may rest for the same units: whichever fills first ends the other.
    ExitKind {
        /// At a limit or at the market.
        Limit = "limit",
        /// Behind a trigger.
        Stop = "stop",
    }
}

impl ExitKind {
    /// Both.
    pub const COUNT: usize = 2;

    /// A place in a list of one for each.
    pub const fn index(self) -> usize {
        match self {
            Self::Limit => 0,
            Self::Stop => 1,
        }
    }
}

/// One leader order, and what the follower made of it.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The broker's id of it. The broker's times are whole seconds: of one second the ids tell, whatever came first.
    pub id: &'a str,
    /// The leader's side.
    pub side: Side,
    /// When he placed it.
    pub placed: Timestamp,
    /// How it waits.
    pub kind: ExitKind,
    /// How far it has come, in ascending order.
    pub fills: &'a [FillPoint],
    /// When it was first seen, if it had executed then and nobody knew for longer than an entry may be old: what had
    /// executed of it opens nothing, and closes only what it closes together with all else that was missed (P13).
    pub late: Option<Timestamp>,
    /// Units of it that may still fill, as far as the follower copies them before they do.
    pub working: u32,
    /// Whether it is over.
    pub is_over: bool,
    /// Units that the follower's copies of it have filled, less what was closed again by repairs.
    pub filled: u64,
    /// Units that they are about to fill: on their way, and not known to rest.
    pub coming: u64,
    /// Units that the follower was to open by it and will not: refused, rejected, given up.
    pub missing: u64,
    /// The most units the entry gates let it open, where they cut it.
    pub admitted: Option<u64>,
    /// Units that its copies have closed though the leader, who took it back, has not, and when: nobody closes them again,
    /// and what fills on that side opens.
    pub lost: Option<(Timestamp, u64)>,
    /// How much of it the follower takes; none where he takes nothing.
    pub sizing: Option<&'a Sizing>,
}

/// What both held before the first of the orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Before {
    /// The leader's net, signed.
    pub leader: i64,
    /// What the follower holds because of copies, on the leader's side.
    pub pool: Share,
}

/// What one order comes to for the follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Part {
    /// Lots he owes for what the leader has closed by it.
    pub due: Lots,
    /// Lots that should rest for what the leader may yet close by it.
    pub resting: Lots,
    /// Lots he should open by it in all, what is filled counted in.
    pub opening: Lots,
    /// Leader units that close, executed or working.
    pub leader_closes: u64,
    /// Leader units that open.
    pub leader_opens: u64,
    /// Leader units that had opened before anybody knew of them, too long ago to be followed.
    pub missed: u64,
    /// Leader units that others of his orders had undone before anybody knew of either.
    pub undone: u64,
}

/// What all orders of one instrument come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allocation {
    /// One for each order, in the order given.
    pub parts: Vec<Part>,
    /// The leader's net, signed.
    pub leader: i64,
    /// What the follower should hold, on the leader's side, before rounding.
    pub pool: Share,
    /// The least and the most of the leader's net behind each of the fills that were gone through, if there were any.
    pub range: Option<(i64, i64)>,
}

/// A buy that works, has filled on neither side and is no exit: to others it is only what a sell may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beside<'a> {
    /// When the leader placed it.
    pub placed: Timestamp,
    /// Its id.
    pub id: &'a str,
    /// Units of it that may fill.
    pub units: u64,
}

/// Allots to orders in the order of their ids, the whole day at once.
pub fn allocate(before: Before, entries: &[Entry<'_>], lot: LotSize) -> Allocation {
    Standing::new(before, lot).allocate(entries, &[])
}

/// Units as lots.
pub fn share_of(units: u64, lot: LotSize) -> Share {
    let billionths = i128::from(units) * i128::from(Share::PER_LOT) / i128::from(lot.get());
    Share::from_billionths(i64::try_from(billionths).unwrap_or(i64::MAX))
}

fn quantity(units: u64) -> Quantity {
    Quantity::new(u32::try_from(units).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
