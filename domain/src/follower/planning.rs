//! From the Sizer's word to a request: planning, the gates of the moment, the queue, the budget.

use std::sync::Arc;

use super::{Alert, CopiedPositions, Decision, Effect, FollowerBook, Record, fills};
use crate::gates::{self, DeniedReason};
use crate::ids::BrokerOrderId;
use crate::leader::LeaderOrder;
use crate::mirror::{Child, Mirror, MirrorEffect, MirrorEvent, Outcome, Target};
use crate::order::lifecycle::ChildState;
use crate::order::{BrokerStatus, OrderTerms, TimeInForce};
use crate::pacing::Purpose;
use crate::time::Timestamp;

/// Records of orders given up that are stored in one transaction.
const GIVEN_UP_PER_COMMIT: usize = 512;

impl FollowerBook {
    pub(super) fn on_plan(
        &mut self,
        order: Arc<LeaderOrder>,
        decision: Decision,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let id = order.broker_order_id.clone();
        let heard = decision != Decision::Await && self.unheard.remove(&id);
        let fingerprint = order.fingerprint();
        let mirror = self.mirrors.entry(id.clone()).or_insert_with(|| Mirror::new(Arc::clone(&order)));
        let same_news = mirror.recorded && mirror.leader.fingerprint() == fingerprint;
        let decided_before = decided(mirror);
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
        // What ends by itself at the leader ends by itself at the follower.
        let ends_by_itself =
            order.status == BrokerStatus::Expired || order.terms.time_in_force == TimeInForce::Ioc;
        if before.is_none() && mirror.gap().is_some() && !ends_by_itself {
            effects.push(Effect::Alert(Alert::CopyGap(id.clone())));
        }
        if heard && let Some(child) = mirror.child().filter(|child| child.state == ChildState::Planned) {
            self.queue.push(child.purpose, id.clone());
        }
        // Said again to a new life of somebody else: nothing new, nothing to record.
        if same_news && !heard && decided(mirror) == decided_before {
            return;
        }
        let event = Record::LeaderEvent(order);
        // What may go at once is committed with its event in one transaction, born SENDING (P1).
        if self.queue.front() == Some(&id) && self.may_go(&id, now) {
            return self.release_front(vec![event], now, effects);
        }
        let Some(mirror) = self.mirrors.get_mut(&id) else { return };
        let mut records = vec![event];
        if outcome.is_ok() {
            mirror.recorded = true;
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

    /// Why a planned child is not to be sent any more. What was an exit when it was planned may be none by now.
    fn child_denial(&self, mirror: &Mirror, child: &Child, now: Timestamp) -> Option<DeniedReason> {
        if self.unrecorded.contains(&child.client_order_id) {
            return Some(DeniedReason::AlreadyAtBroker);
        }
        let purpose = child.purpose.max(purpose_of(&self.positions, &child.terms));
        self.entry_denial(&mirror.leader, purpose, now)
    }

    /// Whether the planned child of this order may leave now.
    fn may_go(&self, id: &BrokerOrderId, now: Timestamp) -> bool {
        let Some(mirror) = self.mirrors.get(id) else { return false };
        let planned = mirror.child().filter(|child| child.state == ChildState::Planned);
        let held = self.queue.not_before(id).is_some_and(|at| at > now);
        planned.is_some_and(|child| {
            !held
                && !self.is_closed()
                && self.child_denial(mirror, child, now).is_none()
                && self.pacer.permit(child.purpose, now).is_ok()
        })
    }

    /// Sends what waits and may go; gives up what waited too long, all of it in one transaction.
    pub(super) fn release(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let mut given_up = Vec::new();
        while let Some(id) = self.queue.front().cloned().filter(|_| !self.stopping) {
            let Some((purpose, denial)) = self.mirrors.get(&id).and_then(|mirror| {
                let child = mirror.child().filter(|child| child.state == ChildState::Planned)?;
                Some((child.purpose, self.child_denial(mirror, child, now)))
            }) else {
                self.queue.pop();
                continue;
            };
            if let Some(reason) = denial {
                self.queue.pop();
                let given = self.drive(&id, MirrorEvent::Give(reason), now, effects);
                if let (Ok(()), Some(mirror)) = (given, self.mirrors.get_mut(&id)) {
                    given_up.push(Record::mapping(mirror, &self.settings.follower));
                    given_up.extend(Record::intents(mirror));
                }
                continue;
            }
            if self.is_closed() {
                // Exits wait; entries behind them are shed once they are at the front, when the account is back.
                break;
            }
            let held = self.queue.not_before(&id).filter(|at| *at > now);
            if let Some(later) = held.or(self.pacer.permit(purpose, now).err()) {
                effects.push(Effect::WakeAt(later));
                break;
            }
            self.release_front(Vec::new(), now, effects);
        }
        // Parts, so that no transaction grows without bound.
        while !given_up.is_empty() {
            let rest = given_up.split_off(given_up.len().min(GIVEN_UP_PER_COMMIT));
            effects.push(Effect::Commit { records: std::mem::replace(&mut given_up, rest), then: None });
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
                mirror.recorded = true;
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

/// What a plan can change of a mirror.
fn decided(mirror: &Mirror) -> (Outcome, Option<DeniedReason>, Target, Option<Child>) {
    (mirror.outcome, mirror.reason, mirror.target.clone(), mirror.child().cloned())
}

/// An order against what is held because of copies, no larger than it, is an exit.
pub(super) fn purpose_of(positions: &CopiedPositions, terms: &OrderTerms) -> Purpose {
    let held = positions.get(&(terms.instrument, terms.product)).copied().unwrap_or(0);
    let change = terms.side.signed(terms.quantity).0;
    let reduces = held.signum() == -change.signum() && change.abs() <= held.abs();
    if reduces && held != 0 { Purpose::Exit } else { Purpose::Entry }
}
