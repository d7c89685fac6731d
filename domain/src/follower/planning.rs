//! From the Sizer's word to a request: planning, the gates of the moment, the queue, the budget.

use std::sync::Arc;

use super::{Alert, CopiedPositions, Decision, Effect, FollowerBook, Record, fills};
use crate::gates::{self, DeniedReason};
use crate::ids::BrokerOrderId;
use crate::leader::LeaderOrder;
use crate::mirror::{Mirror, MirrorEffect, MirrorEvent, Target};
use crate::order::OrderTerms;
use crate::order::lifecycle::ChildState;
use crate::pacing::Purpose;
use crate::time::Timestamp;

impl FollowerBook {
    pub(super) fn on_plan(
        &mut self,
        order: Arc<LeaderOrder>,
        decision: Decision,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let id = order.broker_order_id.clone();
        let mirror = self.mirrors.entry(id.clone()).or_insert_with(|| Mirror::new(Arc::clone(&order)));
        mirror.leader = Arc::clone(&order);
        let before = mirror.gap();
        let is_new = mirror.children.is_empty();
        let (target, sizing, tick) = match decision {
            Decision::Await => (Target::Undecided, None, mirror.tick),
            Decision::Deny(reason) => (Target::Gone(reason), None, mirror.tick),
            Decision::Follow { terms, sizing, tick } => (Target::Open(terms), Some(sizing), tick),
        };
        let purpose = match &target {
            Target::Open(terms) => purpose_of(&self.positions, terms),
            Target::Undecided | Target::Gone(_) => Purpose::Entry,
        };
        let target = match target {
            Target::Open(_) if is_new => match self.entry_denial(&order, purpose, now) {
                Some(reason) => Target::Gone(reason),
                None => target,
            },
            other => other,
        };
        let outcome = self.drive(&id, MirrorEvent::Target { target, sizing, tick, purpose }, now, effects);
        let Some(mirror) = self.mirrors.get(&id) else { return };
        if before.is_none() && mirror.gap().is_some() {
            effects.push(Effect::Alert(Alert::CopyGap(id.clone())));
        }
        let event = Record::LeaderEvent(order);
        // What may go at once is committed with its event in one transaction, born SENDING (P1).
        if self.queue.front() == Some(&id) && self.may_go(&id, now) {
            return self.release_front(vec![event], now, effects);
        }
        let Some(mirror) = self.mirrors.get_mut(&id) else { return };
        let mut records = vec![event];
        if outcome.is_ok() {
            records.push(Record::mapping(mirror, &self.settings.follower));
            records.extend(Record::intents(mirror));
            records.extend(fills(mirror, &self.settings.follower, None));
        }
        effects.push(Effect::Commit { records, then: None });
    }

    /// Whether nothing may leave for now. What waits goes on waiting, exits above all: they are sent when the account is
    /// taken back, or after the restart.
    const fn is_closed(&self) -> bool {
        self.stopping || self.credentials_refused
    }

    /// Why an entry is not to be sent for this order. Exits are always worth sending.
    pub(super) fn entry_denial(
        &self,
        order: &LeaderOrder,
        purpose: Purpose,
        now: Timestamp,
    ) -> Option<DeniedReason> {
        if purpose == Purpose::Exit {
            return None;
        }
        if self.credentials_refused {
            return Some(DeniedReason::AccountHalted);
        }
        if gates::is_stale(order, &self.settings.copy, now) {
            return Some(DeniedReason::StaleEntry);
        }
        self.breaker_open.then_some(DeniedReason::BreakerOpen)
    }

    /// Whether the planned child of this order may leave now.
    fn may_go(&self, id: &BrokerOrderId, now: Timestamp) -> bool {
        let Some(mirror) = self.mirrors.get(id) else { return false };
        let planned = mirror.child().filter(|child| child.state == ChildState::Planned);
        let held = self.queue.not_before(id).is_some_and(|at| at > now);
        planned.is_some_and(|child| {
            !held
                && !self.is_closed()
                && self.entry_denial(&mirror.leader, child.purpose, now).is_none()
                && self.pacer.permit(child.purpose, now).is_ok()
        })
    }

    /// Sends what waits and may go; gives up what waited too long.
    pub(super) fn release(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        while let Some(id) = self.queue.front().cloned().filter(|_| !self.stopping) {
            let Some((purpose, denial)) = self.mirrors.get(&id).and_then(|mirror| {
                let child = mirror.child().filter(|child| child.state == ChildState::Planned)?;
                Some((child.purpose, self.entry_denial(&mirror.leader, child.purpose, now)))
            }) else {
                self.queue.pop();
                continue;
            };
            if let Some(reason) = denial {
                self.queue.pop();
                let given = self.drive(&id, MirrorEvent::Give(reason), now, effects);
                if given.is_ok() {
                    self.commit_mirror(&id, effects);
                }
                continue;
            }
            if self.is_closed() {
                // Exits wait; entries behind them are shed once they are at the front, when the account is back.
                return;
            }
            match self.queue.not_before(&id).map_or(Ok(()), |at| if at <= now { Ok(()) } else { Err(at) }) {
                Ok(()) => {}
                Err(at) => return effects.push(Effect::WakeAt(at)),
            }
            if let Err(free_at) = self.pacer.permit(purpose, now) {
                return effects.push(Effect::WakeAt(free_at));
            }
            self.release_front(Vec::new(), now, effects);
        }
    }

    pub(super) fn release_front(
        &mut self,
        mut records: Vec<Record>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let Some(id) = self.queue.pop() else { return };
        let follower = &self.settings.follower;
        let Some(mirror) = self.mirrors.get_mut(&id) else { return };
        match mirror.step(MirrorEvent::Release, follower, now) {
            Ok(released) => {
                records.push(Record::mapping(mirror, follower));
                records.extend(Record::intents(mirror));
                let placement = released.into_iter().find_map(|effect| match effect {
                    MirrorEffect::Place(placement) => Some(placement),
                    _ => None,
                });
                if placement.is_some() {
                    self.pacer.release();
                }
                effects.push(Effect::Commit { records, then: placement });
            }
            Err(illegal) => effects.push(Effect::Alert(Alert::Illegal(illegal))),
        }
    }
}

/// An order against what is held because of copies, no larger than it, is an exit.
fn purpose_of(positions: &CopiedPositions, terms: &OrderTerms) -> Purpose {
    let held = positions.get(&(terms.instrument, terms.product)).copied().unwrap_or(0);
    let change = terms.side.signed(terms.quantity).0;
    let reduces = held.signum() == -change.signum() && change.abs() <= held.abs();
    if reduces && held != 0 { Purpose::Exit } else { Purpose::Entry }
}
