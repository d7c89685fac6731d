//! How a quantity is spread over child orders.

use super::child::Child;
use super::drive::{ATTEMPTS_MAX, Aim};
use super::terms::is_entry_done;
use super::{Mirror, Moment, REPAIR};
use crate::order::TimeInForce;
use crate::order::lifecycle::ChildState;
use crate::pacing::Purpose;

impl Mirror {
    /// How much each living child should be, and the new ones beside them: what is there is kept as far as possible, the
    /// oldest first; more goes to those that have room before it becomes an order of its own.
    pub(super) fn spread(&self, aim: &Aim, at: &Moment<'_>) -> (Vec<(usize, u32)>, Vec<u32>) {
        let total = aim.total;
        let used: u64 = self.of(aim.leg).map(|child| u64::from(self.used_up(child, aim))).sum();
        let left = u64::from(total).saturating_sub(used).max(self.owed_still(aim));
        let mut left = u32::try_from(left).unwrap_or(total).min(total);
        let mut wants: Vec<(usize, u32)> = Vec::new();
        for (index, child) in self.children.iter().enumerate() {
            if child.key.leg == aim.leg && child.is_live() && !child.is_retired {
                let kept = child.terms.quantity.get().min(left);
                left -= kept;
                wants.push((index, kept));
            }
        }
        if left < aim.lot.get() {
            return (wants, Vec::new());
        }
        // P5: nothing more while what is out may still come to the whole.
        let at_worst = self.wanted_or_out(aim.leg);
        let open = u32::try_from(u64::from(total).saturating_sub(at_worst)).unwrap_or(total);
        let mut more = left.min(open);
        more -= more % aim.lot.get();
        for (index, quantity) in &mut wants {
            let child = &self.children[*index];
            let room = aim.freeze.saturating_sub(*quantity);
            let added = more.min(room - room % aim.lot.get());
            if added > 0 && can_grow(child, at) {
                // What is under way cannot be changed before its answer, but it is what will grow.
                if !child.is_in_flight() {
                    *quantity += added;
                }
                more -= added;
            }
        }
        let mut new = Vec::new();
        while more >= aim.lot.get() {
            let slice = more.min(aim.freeze);
            new.push(slice);
            more -= slice;
        }
        (wants, new)
    }

    /// Units of the total that a child has taken and no other may take any more.
    fn used_up(&self, child: &Child, aim: &Aim) -> u32 {
        if child.is_live() {
            // Those that stay are dealt with one by one.
            return if child.is_retired { child.worst_case().max(child.terms.quantity).get() } else { 0 };
        }
        let filled = child.cumulative;
        let unfilled = child.terms.quantity.saturating_sub(filled);
        // The leader has left: so must the follower, whatever became of the first try.
        let until_flat = self.is_until_flat();
        let has_left = aim.leg == REPAIR || until_flat || self.leader.status.is_terminal();
        let is_owed = aim.purpose == Purpose::Exit && has_left;
        let is_made_up =
            child.is_retired || child.cancel_asked || (is_owed && may_be_tried_again(child, until_flat));
        if is_made_up { filled.get() } else { filled.get() + unfilled.get() }
    }

    /// Units that are to work for what the leader has closed by an order of his that works on, though exits for it have
    /// ended by themselves: unless they were tried as often as is borne.
    fn owed_still(&self, aim: &Aim) -> u64 {
        if aim.leg == REPAIR || aim.purpose != Purpose::Exit {
            return 0;
        }
        let unfilled = |child: &Child| u64::from(child.terms.quantity.saturating_sub(child.cumulative).get());
        let (mut over, mut works, mut gone, mut given_up) = (0, 0, 0, 0);
        for child in self.of(aim.leg) {
            if child.is_live() {
                works += if child.is_retired { 0 } else { u64::from(child.terms.quantity.get()) };
                continue;
            }
            over += u64::from(child.cumulative.get());
            if child.is_retired || child.cancel_asked {
                continue;
            }
            if may_be_tried_again(child, false) {
                gone += unfilled(child);
            } else {
                given_up += unfilled(child);
            }
        }
        let due = self.allotment.map_or(0, |allotment| u64::from(allotment.due));
        due.saturating_sub(over + given_up).min(works + gone)
    }
}

/// Whether what an exit left unfilled when it ended by itself is placed anew while it is owed.
fn may_be_tried_again(child: &Child, until_flat: bool) -> bool {
    match child.state {
        ChildState::Cancelled => true,
        ChildState::Rejected | ChildState::Refused | ChildState::Expired => {
            until_flat || child.key.attempt < ATTEMPTS_MAX
        }
        _ => false,
    }
}

/// Whether more may be asked for by an order that lives.
pub(super) fn can_grow(child: &Child, at: &Moment<'_>) -> bool {
    let immediate = child.terms.time_in_force == TimeInForce::Ioc;
    let changes_left = child.changes < at.rules.changes.per_order_max;
    child.state == ChildState::Planned || (!immediate && changes_left && !is_entry_done(child))
}
