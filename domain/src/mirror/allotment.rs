//! How much of the leader's order a mirror is to copy, as the follower's ledger has it.

use crate::gates::DeniedReason;
use crate::order::Product;

/// What one mirror is to come to. Recomputed at every step of anything in its instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allotment {
    /// Units that close what the follower holds, filled ones counted in. They go first.
    pub closing: u32,
    /// Of these, units that the leader has closed already: what is owed, whoever stopped the copy.
    pub due: u32,
    /// Units that open, filled ones counted in. They wait until what closes has filled.
    pub opening: u32,
    /// Units to be closed on the other side of what it has filled, those closed already counted in: it overshot, or the
    /// account is being squared off.
    pub flatten: u32,
    /// Units of what it has filled too much that may be closed, those closed already counted in: what others have closed
    /// of it is not closed twice.
    pub repairable: u32,
    /// Units of what it has filled too much that a person is told of, those closed already counted in. More than may be
    /// closed, where others have opened on the other side: that stands against them in the account, and has not closed them.
    pub told: u32,
    /// The product in which what is closed is held.
    pub product: Option<Product>,
    /// Whether it may yet come to more: something may still fill that it would have to close.
    pub is_armed: bool,
    /// Whether it is tried until the account is flat, however often the broker does not take it: a square-off.
    pub until_flat: bool,
    /// Why there is nothing to do, where that is so.
    pub reason: DeniedReason,
}

impl Allotment {
    /// Nothing but opening.
    pub const fn opening(units: u32) -> Self {
        Self {
            closing: 0,
            due: 0,
            opening: units,
            flatten: 0,
            repairable: u32::MAX,
            told: u32::MAX,
            product: None,
            is_armed: false,
            until_flat: false,
            reason: DeniedReason::BelowOneLot,
        }
    }

    /// Nothing but closing.
    pub const fn closing(units: u32) -> Self {
        Self { closing: units, opening: 0, reason: DeniedReason::NothingToClose, ..Self::opening(0) }
    }

    /// Units in all.
    pub const fn total(&self) -> u32 {
        self.closing.saturating_add(self.opening)
    }
}
