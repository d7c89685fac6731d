//! From the Sizer's word to a request: planning, the gates of the moment, the queue, the budget.

use std::sync::Arc;

use super::{Alert, CopiedPositions, Effect, FollowerBook, Record};
use crate::decision::Decision;
use crate::gates::{self, DeniedReason};
use crate::ids::ClientOrderId;
use crate::leader::LeaderOrder;
use crate::mirror::{ChangeState, Child, Mirror, MirrorEffect, MirrorEvent};
use crate::order::OrderTerms;
use crate::order::lifecycle::ChildState;
use crate::pacing::Purpose;
use crate::policy::CopyOn;
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
        let fingerprint = order.fingerprint();
        let mirror = self.mirrors.entry(id.clone()).or_insert_with(|| Mirror::new(Arc::clone(&order)));
        let same_news = mirror.recorded.is_some() && mirror.leader.fingerprint() == fingerprint;
        mirror.leader = Arc::clone(&order);
        let taken = self.drive(&id, MirrorEvent::Plan(decision), now, effects).is_ok();
        // Said again to a new life of somebody else: the event is on record.
        let event = (!same_news).then_some(Record::LeaderEvent(order));
        // What may go at once is committed with its event in one transaction, born SENDING (P1).
        let front = self.queue.front(now).filter(|front| self.leader_of.get(front) == Some(&id));
        if let Some(front) = front.filter(|front| self.may_go(front, now)) {
            return self.release_one(&front, event.into_iter().collect(), now, effects);
        }
        let Some(mirror) = self.mirrors.get_mut(&id) else { return };
        let is_news = event.is_some();
        let mut records: Vec<Record> = event.into_iter().collect();
        if taken {
            records.extend(Record::of(mirror, &self.settings.rules.follower));
            if is_news {
                records.extend(self.compare(&id, effects));
            }
        }
        if !records.is_empty() {
            effects.push(Effect::Commit { records, then: None });
        }
    }

    /// Whether nothing may leave for now. What waits goes on waiting, exits above all: they are sent when the account is
    /// taken back, or after the restart.
    const fn is_closed(&self) -> bool {
        self.stopping || self.credentials_refused
    }

    /// Why an entry is not to be sent for something the leader did at `since`. Exits are always worth sending.
    pub(super) fn entry_denial(
        &self,
        since: Timestamp,
        purpose: Purpose,
        now: Timestamp,
    ) -> Option<DeniedReason> {
        if purpose == Purpose::Exit {
            return None;
        }
        if self.credentials_refused {
            return Some(DeniedReason::AccountHalted);
        }
        if gates::is_stale(since, &self.settings.copy, now) {
            return Some(DeniedReason::StaleEntry);
        }
        self.breaker_open.then_some(DeniedReason::BreakerOpen)
    }

    /// Since when a copy has been due: what is copied by its fills is as old as they are, and a share that grew into a lot
    /// as its growth.
    pub(super) fn due_since(&self, mirror: &Mirror) -> Timestamp {
        let has_grown = mirror.reason == Some(DeniedReason::BelowOneLot);
        let by_fill = self.settings.copy.on == CopyOn::Fill;
        if by_fill || has_grown { mirror.leader.ts_event } else { mirror.leader.ts_first_event }
    }

    /// Why a planned child is not to be sent any more. What was an exit when it was planned may be none by now.
    fn child_denial(&self, mirror: &Mirror, child: &Child, now: Timestamp) -> Option<DeniedReason> {
        if self.unrecorded.contains(&child.client_order_id) {
            return Some(DeniedReason::AlreadyAtBroker);
        }
        let purpose = child.purpose.max(purpose_of(&self.positions, &child.terms));
        let is_first = mirror.children.first().is_some_and(|first| first.key == child.key);
        let since = if is_first { self.due_since(mirror) } else { mirror.leader.ts_event };
        self.entry_denial(since, purpose, now)
    }

    /// Whether what waits of this child may leave now.
    fn may_go(&self, id: &ClientOrderId, now: Timestamp) -> bool {
        let Some((mirror, child)) = self.child(id) else { return false };
        let purpose = match waits(child) {
            Some(Waits::ToBePlaced) if self.child_denial(mirror, child, now).is_none() => child.purpose,
            Some(Waits::ToBeChanged(purpose)) => purpose,
            Some(Waits::ToBePlaced) | None => return false,
        };
        !self.is_closed() && self.pacer.permit(purpose, now).is_ok()
    }

    /// Sends what waits and may go; gives up what waited too long, all of it in one transaction.
    pub(super) fn release(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let mut given_up = Vec::new();
        while let Some(id) = self.queue.front(now).filter(|_| !self.stopping) {
            let what = self.child(&id).and_then(|(mirror, child)| {
                Some(match waits(child)? {
                    Waits::ToBePlaced => (child.purpose, self.child_denial(mirror, child, now)),
                    Waits::ToBeChanged(purpose) => (purpose, None),
                })
            });
            let Some((purpose, denial)) = what else {
                self.queue.remove(&id);
                continue;
            };
            if let Some(reason) = denial {
                self.queue.remove(&id);
                given_up.extend(self.give_up(&id, reason, now, effects));
                continue;
            }
            if self.is_closed() {
                // Exits wait; entries behind them are shed once they are at the front, when the account is back.
                break;
            }
            if let Err(later) = self.pacer.permit(purpose, now) {
                effects.push(Effect::WakeAt(later));
                break;
            }
            self.release_one(&id, Vec::new(), now, effects);
        }
        effects.extend(self.queue.next_release(now).map(Effect::WakeAt));
        // Parts, so that no transaction grows without bound.
        while !given_up.is_empty() {
            let rest = given_up.split_off(given_up.len().min(GIVEN_UP_PER_COMMIT));
            effects.push(Effect::Commit { records: std::mem::replace(&mut given_up, rest), then: None });
        }
    }

    fn give_up(
        &mut self,
        id: &ClientOrderId,
        reason: DeniedReason,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) -> Vec<Record> {
        let Some(leader_order) = self.leader_of.get(id).cloned() else { return Vec::new() };
        if self.drive(&leader_order, MirrorEvent::Give(id.clone(), reason), now, effects).is_err() {
            return Vec::new();
        }
        let mirror = self.mirrors.get_mut(&leader_order);
        mirror.map_or_else(Vec::new, |mirror| Record::of(mirror, &self.settings.rules.follower))
    }

    fn release_one(
        &mut self,
        id: &ClientOrderId,
        mut records: Vec<Record>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        self.queue.remove(id);
        let Some(leader_order) = self.leader_of.get(id).cloned() else { return };
        let around = self.surroundings(&leader_order, now);
        let Some(mirror) = self.mirrors.get_mut(&leader_order) else { return };
        match mirror.step(MirrorEvent::Release(id.clone()), &around.with(&self.settings.rules)) {
            Ok(released) => {
                records.extend(Record::of(mirror, &self.settings.rules.follower));
                let then = released.into_iter().find_map(|effect| match effect {
                    MirrorEffect::Send(request) => Some(request),
                    _ => None,
                });
                if then.is_some() {
                    self.pacer.release();
                }
                if then.is_some() || !records.is_empty() {
                    effects.push(Effect::Commit { records, then });
                }
            }
            Err(illegal) => effects.push(Effect::Alert(Alert::Illegal(illegal))),
        }
    }
}

enum Waits {
    ToBePlaced,
    ToBeChanged(Purpose),
}

/// What of a child waits for the budget.
fn waits(child: &Child) -> Option<Waits> {
    if child.state == ChildState::Planned {
        return Some(Waits::ToBePlaced);
    }
    let request = child.request.as_deref().filter(|request| request.state == ChangeState::Planned)?;
    let is_working = matches!(child.state, ChildState::Working { .. });
    is_working.then(|| Waits::ToBeChanged(request.purpose(child)))
}

/// An order against what is held because of copies, no larger than it, is an exit.
pub(super) fn purpose_of(positions: &CopiedPositions, terms: &OrderTerms) -> Purpose {
    let held = positions.get(&(terms.instrument, terms.product)).copied().unwrap_or(0);
    let change = terms.side.signed(terms.quantity).0;
    let reduces = held.signum() == -change.signum() && change.abs() <= held.abs();
    if reduces && held != 0 { Purpose::Exit } else { Purpose::Entry }
}
