//! What may leave leaves: a child's placing, change or cancel becomes a request, checked once more.

use super::child::{Ask, Change, ChangeRequest, ChangeState, Child, IntentState, Request};
use super::{ChangeRecord, Mirror, MirrorEffect, Outcome, REPAIR, Rank, Target};
use crate::gates::{DeniedReason, RiskApproved};
use crate::ids::ClientOrderId;
use crate::order::lifecycle::{ChildEvent, ChildState, IllegalTransition, transition};
use crate::pacing::Purpose;
use crate::time::Timestamp;

impl Mirror {
    pub(super) fn on_release(
        &mut self,
        client_order_id: &ClientOrderId,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<MirrorEffect>, IllegalTransition> {
        let Some(index) = self.position(client_order_id) else { return Ok(Vec::new()) };
        let sent = if self.children[index].state == ChildState::Planned {
            self.release_placing(index, until, now)?
        } else {
            self.release_change(index, until, now)
        };
        Ok(sent.map(|request| MirrorEffect::Send(RiskApproved::new(request))).into_iter().collect())
    }

    fn release_placing(
        &mut self,
        index: usize,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<Request>, IllegalTransition> {
        let leg = self.children[index].key.leg;
        // The rows count what waits beside it, too: while one is being cancelled to make room for another, none goes.
        let (wanted_or_out, bound) = (self.wanted_or_out(leg), self.bound(leg));
        let child = &mut self.children[index];
        let next = transition(&child.state, ChildEvent::Released)?;
        // P5, checked at the last place before the wire: what may be filled already, and this, within the target. It waits
        // for the room, or until it is not wanted any more.
        if wanted_or_out > bound {
            return Ok(None);
        }
        child.state = next;
        child.ts_sent = Some(now);
        let request = Request {
            client_order_id: child.client_order_id.clone(),
            serial: 0,
            purpose: child.purpose,
            until,
            ask: Ask::Place(child.terms.clone()),
        };
        if self.outcome != Outcome::Detached {
            self.outcome = Outcome::Sent;
            self.reason = self.reason.filter(|reason| *reason != DeniedReason::BelowOneLot);
        }
        Ok(Some(request))
    }

    fn release_change(&mut self, index: usize, until: Option<Timestamp>, now: Timestamp) -> Option<Request> {
        let child = &self.children[index];
        let planned = child.request.as_deref().filter(|request| request.state == ChangeState::Planned)?;
        let broker_order_id = child.broker_order_id.clone()?;
        if let Change::Modify { terms, .. } = &planned.change {
            let others =
                self.worst_case_of(child.key.leg).saturating_sub(u64::from(child.worst_case().get()));
            let raises = terms.quantity > child.worst_case();
            if raises && others + u64::from(terms.quantity.get()) > self.bound(child.key.leg) {
                self.children[index].request = None;
                return None;
            }
        }
        let child = &mut self.children[index];
        let request = child.request.as_deref_mut()?;
        child.serial += 1;
        request.serial = child.serial;
        request.state = ChangeState::Sending;
        request.ts_sent = Some(now);
        child.ts_changed = Some(now);
        let ask = match request.change.clone() {
            Change::Modify { terms, part } => {
                child.changes = child.changes.saturating_add(1);
                child.is_chased |= request.is_chase;
                Ask::Modify { broker_order_id, terms, part }
            }
            Change::Cancel { part } => Ask::Cancel { broker_order_id, terms: child.terms.clone(), part },
        };
        child.cancel_asked |= request.change.is_full_cancel();
        let approved = Request {
            client_order_id: child.client_order_id.clone(),
            serial: child.serial,
            purpose: change_purpose(child),
            until,
            ask,
        };
        self.record_change(index, None, IntentState::Sending);
        Some(approved)
    }

    /// The most units that child orders of a part may add up to.
    pub(super) fn bound(&self, leg: u8) -> u64 {
        match &self.target {
            _ if leg == REPAIR => self.filled(),
            Target::Open(terms) => u64::from(terms.quantity.get()),
            Target::Undecided | Target::Gone(_) => 0,
        }
    }

    /// Notes where the request of a child stands now.
    pub(super) fn record_change(&mut self, index: usize, before: Option<IntentState>, state: IntentState) {
        let child = &self.children[index];
        let Some(request) = child.request.as_deref() else { return };
        let (is_cancel, terms) = match &request.change {
            Change::Modify { terms, .. } => (false, terms.clone()),
            Change::Cancel { .. } => (true, child.terms.clone()),
        };
        self.change_records.push(ChangeRecord {
            key: child.key.clone(),
            client_order_id: child.client_order_id.clone(),
            broker_order_id: child.broker_order_id.clone(),
            serial: request.serial,
            purpose: change_purpose(child),
            is_cancel,
            part: request.change.part(),
            terms,
            before,
            state,
        });
    }
}

impl ChangeRequest {
    /// Whether it may use the budget kept for exits: it does unless it can raise exposure.
    pub fn purpose(&self, child: &Child) -> Purpose {
        match &self.change {
            Change::Cancel { .. } => Purpose::Exit,
            Change::Modify { terms, .. } if terms.quantity < child.terms.quantity => Purpose::Exit,
            Change::Modify { .. } => child.purpose,
        }
    }
}

fn change_purpose(child: &Child) -> Purpose {
    child.request.as_deref().map_or(child.purpose, |request| request.purpose(child))
}

/// Who goes first: what a child waits to have sent.
pub(crate) fn rank_of(child: &Child) -> Rank {
    let by_purpose = if child.purpose == Purpose::Exit { Rank::Exit } else { Rank::Entry };
    match child.request.as_deref().map(|request| &request.change) {
        Some(Change::Cancel { .. }) => Rank::Cancel,
        Some(Change::Modify { terms, .. }) if terms.quantity < child.terms.quantity => Rank::Exit,
        _ => by_purpose,
    }
}
