//! What waits and is not to leave, or not whole; and what then became of the copy.

use super::child::{Change, ChangeRequest, ChangeState, Child};
use super::{Mirror, MirrorEffect, Outcome};
use crate::gates::DeniedReason;
use crate::ids::ClientOrderId;
use crate::order::lifecycle::{ChildEvent, ChildState, IllegalTransition, transition};
use crate::quantity::Quantity;

impl Mirror {
    pub(super) fn give_up(
        &mut self,
        client_order_id: &ClientOrderId,
        reason: DeniedReason,
    ) -> Result<Vec<MirrorEffect>, IllegalTransition> {
        if let Some(index) = self.position(client_order_id) {
            let child = &mut self.children[index];
            child.state = transition(&child.state, ChildEvent::Voided)?;
            self.close_if_never_sent(reason);
            // Nothing of it ever left, and it was we who did not let it: it was skipped, only later than most.
            if self.outcome == Outcome::Voided && !self.is_out() {
                self.outcome = Outcome::Skipped;
            }
        }
        Ok(Vec::new())
    }

    /// Less than what waits is let through.
    pub(super) fn cut(&mut self, client_order_id: &ClientOrderId, units: Quantity, reason: DeniedReason) {
        let Some(child) = self.attempt(client_order_id) else { return };
        let less = child.opens_yet().saturating_sub(units);
        self.admitted = self.admitted.saturating_sub(less.get());
        self.refused_raise = self.allotment.map(|allotment| allotment.opening);
        self.reason = Some(reason);
    }

    /// A raise that waited too long: what works stays as large as it is. Says whether there was one.
    pub(super) fn give_up_raise(&mut self, client_order_id: &ClientOrderId, reason: DeniedReason) -> bool {
        let raises = |request: &ChangeRequest| {
            request.state == ChangeState::Planned && matches!(request.change, Change::Modify { .. })
        };
        let works = |child: &&mut Child| {
            child.client_order_id == *client_order_id && child.request.as_deref().is_some_and(raises)
        };
        let Some(child) = self.children.iter_mut().find(works) else { return false };
        child.request = None;
        self.let_through_to(self.let_through_so_far());
        self.refused_raise = self.allotment.map(|allotment| allotment.opening);
        self.reason = Some(reason);
        true
    }

    /// What was decided and never sent is voided; the reason stands beside it.
    pub(super) fn close_if_never_sent(&mut self, reason: DeniedReason) {
        let is_unsent = |child: &Child| {
            matches!(child.state, ChildState::Voided | ChildState::Absent | ChildState::Refused)
        };
        self.reason = Some(reason);
        let never_sent = self.children.iter().all(is_unsent)
            && self.children.iter().all(|child| child.state != ChildState::Refused);
        if never_sent && self.outcome != Outcome::Detached {
            // What may yet have something to close waits on.
            let waits = self.allotment.is_some_and(|allotment| allotment.is_armed) && self.may_revive();
            self.outcome = if waits { Outcome::Waiting } else { Outcome::Voided };
        } else if matches!(self.outcome, Outcome::AwaitingLeader | Outcome::Waiting) {
            self.outcome = Outcome::Sent;
        }
    }
}
