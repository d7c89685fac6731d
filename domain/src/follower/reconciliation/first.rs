//! The first reconciliation of a life that was made from rows (P20): nothing is opened before it. What came of the orders
//! that it inherits, and what the account holds, it knows by its rows only, and these are as old as the last life.
//!
//! What closes copies waits as well, for what the owner has closed by hand meanwhile would be sold twice (P6); but no longer
//! than a doubt may last. Then it goes by the rows: better late than not at all, and the rows bound it. Cancels never wait.

use crate::follower::FollowerBook;
use crate::follower::waiting::Wait;
use crate::mirror::Child;
use crate::pacing::Purpose;
use crate::time::Timestamp;

/// What a life has not read yet of its account.
#[derive(Debug, Clone, Copy)]
pub(in crate::follower) struct Unread {
    /// When the life began.
    since: Timestamp,
    orders: bool,
    positions: bool,
}

impl Unread {
    pub(in crate::follower) const fn since(since: Timestamp) -> Self {
        Self { since, orders: true, positions: true }
    }

    const fn is_anything(self) -> bool {
        self.orders || self.positions
    }
}

impl FollowerBook {
    /// Whether the account's order book and positions have been read, all of both, in this life.
    pub const fn has_read_account(&self) -> bool {
        self.unread.is_none()
    }

    pub(in crate::follower) fn has_read_orders(&mut self) {
        self.unread =
            self.unread.map(|unread| Unread { orders: false, ..unread }).filter(|left| left.is_anything());
    }

    pub(in crate::follower) fn has_read_positions(&mut self) {
        self.unread =
            self.unread.map(|unread| Unread { positions: false, ..unread }).filter(|left| left.is_anything());
    }

    /// Why what a child is to do must wait for what has not been read yet.
    pub(in crate::follower) fn waits_for_account(&self, child: &Child, now: Timestamp) -> Option<Wait> {
        match child.purpose {
            Purpose::Entry => {
                let waits = self.unread.is_some() || self.inherits_doubt(child.terms.instrument);
                waits.then_some(Wait::Unread)
            }
            Purpose::Exit => {
                let until = self.unread?.since.plus(self.patience());
                (now < until).then_some(Wait::Until(until))
            }
        }
    }
}
