//! From the Sizer's word to a request: planning, the gates of the moment, the queue, the budget.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::waiting::{Wait, raised_by};
use super::{Alert, Effect, FollowerBook, Record};
use crate::decision::Decision;
use crate::flaw::flawed;
use crate::gates::{self, DeniedReason, unit_cost};
use crate::ids::{BrokerOrderId, ClientOrderId};
use crate::leader::LeaderOrder;
use crate::mirror::{ChangeState, Child, Mirror, MirrorEffect, MirrorEvent, Moment, Opening};
use crate::order::lifecycle::ChildState;
use crate::pacing::Purpose;
use crate::sizing::{self, Occasion, Sizing, Strategy};
use crate::time::Timestamp;
use crate::trading::TradingState;

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
        let instrument = order.terms.instrument;
        let fingerprint = order.fingerprint();
        if self.is_another_under_its_id(&order) {
            return self.refuse_another(order, effects);
        }
        if !self.mirrors.contains_key(&id) {
            self.mirrors.put(id.clone(), Mirror::new(Arc::clone(&order)));
        }
        let Some(mirror) = self.mirrors.get_mut(&id) else { return };
        let same_news = mirror.recorded.is_some() && mirror.leader.fingerprint() == fingerprint;
        let order = as_first_seen(order, &mirror.leader);
        mirror.leader = Arc::clone(&order);
        self.enlist(&id, instrument);
        if !same_news && let Some(line) = self.lines.get_mut(&instrument) {
            line.unsettle(&id);
        }
        let decision = if self.may_be_copied_already(&order, now) {
            Decision::Deny(DeniedReason::RestsFromBefore)
        } else {
            self.size(&id, decision)
        };
        let taken = self.drive(&id, MirrorEvent::Plan(decision), now, effects).is_ok();
        if self.waits_for_others(&id) {
            let records: Vec<Record> =
                (!same_news).then_some(Record::LeaderEvent(order)).into_iter().collect();
            return effects.extend((!records.is_empty()).then_some(Effect::Commit { records, then: None }));
        }
        self.reallocate(instrument, &BTreeSet::from([id.clone()]), now, effects);
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

    /// Finds the ratio of an order once, with what earlier ones left over; a number of lots is a ratio of the quantity it
    /// was found for.
    fn size(&mut self, id: &BrokerOrderId, mut decision: Decision) -> Decision {
        let Decision::Follow(wish) = &mut decision else { return decision };
        if self.mirrors.get(id).is_some_and(|mirror| mirror.is_in(&self.settings.account)) {
            return decision;
        }
        let (instrument, terms) = (Arc::clone(&wish.instrument), &wish.terms);
        let line = self.lines.entry(instrument.key).or_default();
        let held = line.held().unsigned_abs();
        line.instrument = Some(Arc::clone(&instrument));
        let Some(mirror) = self.mirrors.get(id) else { return decision };
        let is_lots = |sizing: &Sizing| {
            sizing.strategy == Strategy::FixedLots && sizing.leader_quantity != terms.quantity
        };
        if mirror.sizing.as_ref().is_some_and(|known| !is_lots(known)) {
            return decision;
        }
        let known = mirror.sizing.map(|known| known.credit);
        let leader = &mirror.leader.terms;
        let credit = known.unwrap_or_else(|| self.credit(instrument.key, leader.side, leader.product));
        let price = Some(terms.price).filter(|price| !price.is_zero()).or(wish.reference);
        let occasion = Occasion {
            leader_quantity: terms.quantity,
            lot_size: instrument.lot_size,
            unit_cost: unit_cost(terms.side, price, &instrument, self.settings.entry.short_margin),
            held: held + self.under_way(instrument.key),
        };
        match sizing::propose(&self.settings.sizing, wish.capital, occasion) {
            Ok(sizing) => {
                let quantity = sizing.quantity_of(sizing.lots(terms.quantity, credit));
                let sizing = Sizing { credit, quantity, ..sizing };
                if let Some(mirror) = self.mirrors.get_mut(id) {
                    mirror.sizing = Some(sizing);
                    mirror.is_size_recorded = false;
                }
            }
            // Closing needs no ratio.
            Err(reason) => wish.entry_denial = wish.entry_denial.or(Some(reason)),
        }
        decision
    }

    /// Whether nothing may leave for now. What waits goes on waiting, exits above all: they are sent when the account is
    /// taken back, or after the restart.
    fn is_closed(&self) -> bool {
        self.stopping || (self.credentials_refused && !flawed!(RefusedTokenUsed))
    }

    /// Why an entry that was let through before is not to be sent any more, for something the leader did at `since`. Exits
    /// are always worth sending.
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
        if !self.settings.entry.is_copying {
            return Some(DeniedReason::CopyingOff);
        }
        match self.trading.state {
            TradingState::Halted => return Some(DeniedReason::Halted),
            TradingState::Reducing => return Some(DeniedReason::Reducing),
            TradingState::Active => {}
        }
        if gates::is_stale(since, &self.settings.copy, now) {
            return Some(DeniedReason::StaleEntry);
        }
        self.breaker_open.then_some(DeniedReason::BreakerOpen)
    }

    /// Why a planned child is not to be sent any more.
    fn child_denial(
        &self,
        mirror: &Mirror,
        child: &Child,
        wait: Option<Wait>,
        now: Timestamp,
    ) -> Option<DeniedReason> {
        // An attempt of it that is on no record here: an older database was put back, and nobody knows what came of it.
        if mirror.children.iter().any(|attempt| self.unrecorded.contains(&attempt.client_order_id)) {
            return Some(DeniedReason::AlreadyAtBroker);
        }
        if wait == Some(Wait::CoverMissing) {
            return Some(DeniedReason::CoverMissing);
        }
        if child.purpose == Purpose::Entry && self.is_from_before(mirror) {
            return Some(DeniedReason::Halted);
        }
        let bound = self.settings.entry.caps.orders_per_day.filter(|_| child.ts_sent.is_none());
        if child.purpose == Purpose::Entry && bound.is_some_and(|most| self.orders_today >= most) {
            return Some(DeniedReason::OrdersPerDay);
        }
        let since = self.placing_since(mirror, child);
        self.entry_denial(since, child.purpose, now).or_else(|| self.doubt_denial(child, child.purpose, now))
    }

    /// Since when an order that waits to be placed has been due.
    fn placing_since(&self, mirror: &Mirror, child: &Child) -> Timestamp {
        let is_first = mirror.children.first().is_some_and(|first| first.key == child.key);
        if is_first { mirror.entry_since(self.settings.copy.on) } else { mirror.leader.ts_event }
    }

    /// Until when what waits of a child may leave; none where nothing of it opens.
    fn may_leave_until(&self, id: &ClientOrderId) -> Option<Timestamp> {
        let (mirror, child) = self.child(id)?;
        let since = match waits(child)? {
            Waits::ToBePlaced if child.purpose == Purpose::Entry => self.placing_since(mirror, child),
            Waits::ToBeChanged(Purpose::Entry) if !raised_by(child).is_zero() => mirror.leader.ts_event,
            Waits::ToBePlaced | Waits::ToBeChanged(_) => return None,
        };
        Some(since.plus(self.settings.copy.entry_age_max))
    }

    /// Why nothing is opened beside what has been in doubt for too long (P3).
    fn doubt_denial(&self, child: &Child, purpose: Purpose, now: Timestamp) -> Option<DeniedReason> {
        let is_denied = purpose == Purpose::Entry && self.is_in_doubt(child.terms.instrument, now);
        is_denied.then_some(DeniedReason::OutcomeUnknown)
    }

    /// Whether the leader's order was there when the account was let trade again: nothing of it comes back, not even what
    /// had left before and provably did not arrive.
    fn is_from_before(&self, mirror: &Mirror) -> bool {
        self.trading.resumed_at.is_some_and(|resumed| mirror.leader.ts_first_seen < resumed)
    }

    /// Why a raise of what works is not to be sent any more. What else is asked of it is.
    fn raise_denial(
        &self,
        mirror: &Mirror,
        child: &Child,
        (purpose, wait): (Purpose, Option<Wait>),
        now: Timestamp,
    ) -> Option<DeniedReason> {
        if raised_by(child).is_zero() {
            return None;
        }
        if wait == Some(Wait::CoverMissing) {
            return Some(DeniedReason::CoverMissing);
        }
        if purpose == Purpose::Entry && self.is_from_before(mirror) {
            return Some(DeniedReason::Halted);
        }
        self.entry_denial(mirror.leader.ts_event, purpose, now)
            .or_else(|| self.doubt_denial(child, purpose, now))
    }

    /// For what something of this child waits to leave, why it is not to leave any more, and why not yet; none where
    /// nothing waits.
    fn judged(
        &self,
        id: &ClientOrderId,
        now: Timestamp,
    ) -> Option<(Purpose, Option<DeniedReason>, Option<Wait>)> {
        let (mirror, child) = self.child(id)?;
        let wait = self.wait(mirror, child, now);
        Some(match waits(child)? {
            Waits::ToBePlaced => (child.purpose, self.child_denial(mirror, child, wait, now), wait),
            Waits::ToBeChanged(purpose) => {
                (purpose, self.raise_denial(mirror, child, (purpose, wait), now), wait)
            }
        })
    }

    /// Whether what waits of this child may leave now.
    fn may_go(&self, id: &ClientOrderId, now: Timestamp) -> bool {
        self.judged(id, now).is_some_and(|(purpose, denial, wait)| {
            denial.is_none() && !self.is_closed() && wait.is_none() && self.pacer.permit(purpose, now).is_ok()
        })
    }

    /// Sends what waits and may go; gives up what waited too long, all of it in one transaction.
    pub(super) fn release(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        self.requeue();
        let mut given_up = Vec::new();
        let mut denied: HashSet<ClientOrderId> = HashSet::new();
        while let Some(id) = self.queue.front(now).filter(|_| !self.stopping) {
            let Some((purpose, denial, wait)) = self.judged(&id, now) else {
                self.queue.remove(&id);
                continue;
            };
            if let Some(reason) = denial {
                if !denied.insert(id.clone()) {
                    // Given up, and asked for again: it waits for the next step, for nothing may go round and round here.
                    self.hold_back(&id, Wait::Stopped, now, effects);
                    continue;
                }
                let is_placing = self.child(&id).is_some_and(|(_, child)| child.state == ChildState::Planned);
                if reason == DeniedReason::CoverMissing && is_placing && self.cut_to_cover(&id, now, effects)
                {
                    continue;
                }
                self.queue.remove(&id);
                given_up.extend(self.give_up(&id, reason, now, effects));
                continue;
            }
            if let Some(wait) = wait {
                self.hold_back(&id, wait, now, effects);
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
            // What was given up makes room for what leaves: the rows are held against one another in that order.
            commit_given_up(&mut given_up, effects);
            self.release_one(&id, Vec::new(), now, effects);
        }
        effects.extend(self.queue.next_release(now).map(Effect::WakeAt));
        commit_given_up(&mut given_up, effects);
    }

    /// Of a sell whose cover is missing, what is covered leaves all the same. Says whether there is such a part.
    fn cut_to_cover(&mut self, id: &ClientOrderId, now: Timestamp, effects: &mut Vec<Effect>) -> bool {
        let Some((mirror, child)) = self.child(id) else { return false };
        let (covered, order) = (self.covered_part(mirror, child), mirror.leader.broker_order_id.clone());
        let is_cut = !covered.is_zero() && self.cut(id, covered, DeniedReason::CoverMissing, now, effects);
        if is_cut {
            effects.push(Effect::Alert(Alert::CoverMissing(order)));
        }
        is_cut
    }

    pub(super) fn give_up(
        &mut self,
        id: &ClientOrderId,
        reason: DeniedReason,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) -> Vec<Record> {
        let Some(leader_order) = self.leader_of.get(id).cloned() else { return Vec::new() };
        if reason == DeniedReason::CoverMissing {
            effects.push(Effect::Alert(Alert::CoverMissing(leader_order.clone())));
        }
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
        let until = self.may_leave_until(id);
        let Some(leader_order) = self.leader_of.get(id).cloned() else { return };
        let Some(mut mirror) = self.mirrors.remove(&leader_order) else { return };
        let was_placed = mirror.attempt(id).is_some_and(|child| child.ts_sent.is_some());
        let held = mirror.held();
        let admit = |asked: &Opening<'_>| self.admit(asked, held, now);
        let at = Moment { now, rules: &self.settings.rules, admit: &admit, instrument: None };
        let released = mirror.step(MirrorEvent::Release(id.clone(), until), &at);
        self.reserve(&mirror);
        let is_placed = mirror.attempt(id).is_some_and(|child| child.ts_sent.is_some());
        self.mirrors.put(leader_order.clone(), mirror);
        match released {
            Ok(released) => {
                let is_first = u32::from(is_placed && !was_placed);
                self.orders_today += is_first;
                self.planned_orders = self.planned_orders.saturating_sub(is_first);
                if let Some(mirror) = self.mirrors.get_mut(&leader_order) {
                    records.extend(Record::of(mirror, &self.settings.rules.follower));
                }
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

/// An order as it is told now, as old as it was known to be: to a new life of the leader's stream all of his orders are new,
/// and what was there when trading resumed would not be of before any more (P17).
fn as_first_seen(order: Arc<LeaderOrder>, known: &LeaderOrder) -> Arc<LeaderOrder> {
    if order.ts_first_seen <= known.ts_first_seen && order.ts_first_event <= known.ts_first_event {
        return order;
    }
    Arc::new(LeaderOrder {
        ts_first_seen: order.ts_first_seen.min(known.ts_first_seen),
        ts_first_event: order.ts_first_event.min(known.ts_first_event),
        ..LeaderOrder::clone(&order)
    })
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

/// In parts, so that no transaction grows without bound.
fn commit_given_up(given_up: &mut Vec<Record>, effects: &mut Vec<Effect>) {
    while !given_up.is_empty() {
        let rest = given_up.split_off(given_up.len().min(GIVEN_UP_PER_COMMIT));
        effects.push(Effect::Commit { records: std::mem::replace(given_up, rest), then: None });
    }
}
