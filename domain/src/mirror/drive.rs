//! From what is wanted to requests: what each child order is asked for next.

use std::time::Duration;

use super::changing::RETRY_DOUBLINGS_MAX;
use super::child::{Change, ChangeRequest, ChangeState, Child, OrderPart};
use super::target::Wanted;
use super::terms::{
    as_placed, desired, difference, is_chase_due, is_entry_done, is_placed_to_trade, marketable, next_chase,
    standing,
};
use super::{COPY, Mirror, MirrorEffect, Moment, Outcome, REPAIR, Target, Word, rank_of};
use crate::decision::Wish;
use crate::gates::DeniedReason;
use crate::ids::ChildKey;
use crate::order::lifecycle::{ChildEvent, ChildState, IllegalTransition, transition};
use crate::order::{OrderForm, OrderTerms};
use crate::pacing::Purpose;
use crate::policy::AtModificationLimit;
use crate::price::Price;
use crate::quantity::{LotSize, Quantity};

/// How often one exit is sent, each time to no avail, before a person must look.
pub const ATTEMPTS_MAX: u16 = 3;
/// A square-off goes on all the same; its next try waits no longer than this.
const FLATTENING_WAIT_MAX: Duration = Duration::from_mins(1);
/// What the children of one part of a mirror must come to.
#[derive(Debug)]
pub(super) struct Aim {
    pub(super) leg: u8,
    /// Their quantity is the leader's.
    pub(super) terms: OrderTerms,
    /// Units in all.
    pub(super) total: u32,
    pub(super) is_chase: bool,
    pub(super) purpose: Purpose,
    pub(super) lot: LotSize,
    pub(super) freeze: u32,
    pub(super) tick: Price,
    /// The day's lowest and highest price.
    pub(super) band: Option<(Price, Price)>,
    pub(super) reference: Option<Price>,
}

impl Mirror {
    /// Compares what is wanted with what is there, and asks for the difference.
    pub(super) fn reconcile(
        &mut self,
        at: &Moment<'_>,
        effects: &mut Vec<MirrorEffect>,
    ) -> Result<(), IllegalTransition> {
        self.wake = None;
        match self.wanted(at) {
            Wanted::LeaveAlone => {}
            Wanted::Ending(target) => self.send_no_more(target)?,
            Wanted::Gone(reason) => {
                self.target = Target::Gone(reason);
                self.take_back(COPY, reason, at, effects)?;
            }
            Wanted::Nothing(reason) => {
                if !self.is_out() {
                    self.outcome = Outcome::Waiting;
                }
                self.reason = Some(reason);
                self.target = Target::Gone(reason);
            }
            Wanted::Order { terms, total, is_chase } => {
                self.forget_reason();
                if let Some(aim) = self.aim(COPY, terms, total, is_chase, at) {
                    self.target = Target::Open(self.sized(&aim.terms, total));
                    self.drive(&aim, at, effects)?;
                }
            }
        }
        self.part(at, effects)
    }

    fn aim(&self, leg: u8, terms: OrderTerms, total: u32, is_chase: bool, at: &Moment<'_>) -> Option<Aim> {
        // A repair may be due after the Sizer has said no; and in a new life before he has said anything but no.
        let wish = self.wish.as_deref();
        let instrument = wish.map(|wish| wish.instrument.as_ref()).or(at.instrument);
        let lot = instrument.map(|of| of.lot_size).or(self.sizing.map(|sizing| sizing.lot_size))?;
        let freeze = instrument.and_then(|of| of.freeze_quantity);
        let freeze = freeze.map_or(u32::MAX, Quantity::get).max(lot.get());
        let purpose = if leg == REPAIR { self.repair_purpose() } else { self.purpose? };
        let held_in = self.allotment.and_then(|allotment| allotment.product);
        let product = held_in.filter(|_| purpose == Purpose::Exit).unwrap_or(terms.product);
        Some(Aim {
            leg,
            terms: OrderTerms { product, ..terms },
            total,
            is_chase,
            purpose,
            lot,
            freeze: freeze - freeze % lot.get(),
            tick: instrument.map_or(self.tick, |of| of.tick),
            band: instrument.and_then(|of| of.band_around(wish.and_then(|wish| wish.reference))),
            reference: wish.and_then(|wish| wish.reference),
        })
    }

    /// Drives what makes a gap good: orders that should trade now.
    pub(super) fn drive_repair(
        &mut self,
        terms: OrderTerms,
        at: &Moment<'_>,
        effects: &mut Vec<MirrorEffect>,
    ) -> Result<(), IllegalTransition> {
        let total = terms.quantity.get();
        match self.aim(REPAIR, terms, total, true, at) {
            Some(aim) => self.drive(&aim, at, effects),
            None => Ok(()),
        }
    }

    fn drive(
        &mut self,
        aim: &Aim,
        at: &Moment<'_>,
        effects: &mut Vec<MirrorEffect>,
    ) -> Result<(), IllegalTransition> {
        if aim.leg == REPAIR && aim.purpose == Purpose::Entry && !self.may_repair(aim, at) {
            return Ok(());
        }
        self.turn(aim);
        self.void_elsewhere(aim)?;
        self.cancel_retired(aim.leg, at, effects);
        let (wants, new) = self.spread(aim, at);
        for (index, quantity) in wants {
            self.ask(index, quantity, aim, at, effects)?;
        }
        for quantity in new {
            self.plan(aim, quantity, at, effects);
        }
        Ok(())
    }

    /// What was sent to open may close by now, and the other way round. That lets nothing more through, nor less.
    fn turn(&mut self, aim: &Aim) {
        let let_through = self.let_through();
        for child in self.children.iter_mut().filter(|child| child.key.leg == aim.leg && child.is_live()) {
            child.purpose = aim.purpose;
        }
        self.let_through_to(let_through);
    }

    /// An exit that waits while what it closes turns out to be held in another product makes room for one in that.
    fn void_elsewhere(&mut self, aim: &Aim) -> Result<(), IllegalTransition> {
        let waits = |child: &&mut Child| child.key.leg == aim.leg && child.state == ChildState::Planned;
        for child in self.children.iter_mut().filter(waits) {
            if aim.purpose == Purpose::Exit && child.terms.product != aim.terms.product {
                child.state = transition(&child.state, ChildEvent::Voided)?;
                child.is_retired = true;
            }
        }
        Ok(())
    }

    /// An entry that makes a gap good passes the gates like any other.
    fn may_repair(&self, aim: &Aim, at: &Moment<'_>) -> bool {
        // What waits to leave was let through.
        let under_way = self.wanted_or_out(REPAIR);
        let units = u64::from(aim.total).saturating_sub(under_way);
        let Some(wish) = self.wish.as_deref() else { return false };
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        // It stands on the other side than what it makes good.
        let wish = Wish { terms: aim.terms.clone(), ..wish.clone() };
        let asked = self.asks_to_open(&wish, units, self.leader.ts_event, at);
        units == 0 || (at.admit)(&asked).is_ok_and(|admission| admission.cut_by.is_none())
    }

    /// What is to be replaced goes first.
    fn cancel_retired(&mut self, leg: u8, at: &Moment<'_>, effects: &mut Vec<MirrorEffect>) {
        for index in 0..self.children.len() {
            let child = &self.children[index];
            let is_working = matches!(child.state, ChildState::Working { .. });
            if child.key.leg == leg && child.is_retired && is_working {
                let cancel = full_cancel(child);
                self.want(index, Some(cancel), false, at, effects);
            }
        }
    }

    /// The reason why less was wanted is none any more once it is wanted again; why something was given up stands.
    fn forget_reason(&mut self) {
        let given_up = |child: &Child| child.state == ChildState::Voided && !child.is_retired;
        if self.outcome == Outcome::Sent
            && self.refused_raise.is_none()
            && !self.children.iter().any(given_up)
        {
            self.reason = None;
        }
    }

    /// Asks one child for what it should be.
    fn ask(
        &mut self,
        index: usize,
        quantity: u32,
        aim: &Aim,
        at: &Moment<'_>,
        effects: &mut Vec<MirrorEffect>,
    ) -> Result<(), IllegalTransition> {
        let child = &mut self.children[index];
        let (units, filled) = (Quantity::new(quantity), child.cumulative);
        match child.state {
            ChildState::Planned if quantity == 0 => {
                child.state = transition(&child.state, ChildEvent::Voided)?;
                child.is_retired = true;
            }
            ChildState::Planned => {
                child.terms = as_placed(child, units, aim, at);
                effects.push(MirrorEffect::Queue(
                    child.client_order_id.clone(),
                    rank_of(child),
                    child.held_until,
                ));
            }
            ChildState::Working { .. } => {
                let lower = units < child.terms.quantity;
                if lower && units <= filled {
                    self.want(index, Some(full_cancel(&self.children[index])), false, at, effects);
                } else {
                    self.want_change(index, units, aim, at, effects);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn want_change(
        &mut self,
        index: usize,
        units: Quantity,
        aim: &Aim,
        at: &Moment<'_>,
        effects: &mut Vec<MirrorEffect>,
    ) {
        let child = &self.children[index];
        let wanted =
            if aim.is_chase { self.chased(index, units, aim, at) } else { desired(child, units, aim) };
        let child = &self.children[index];
        let under_chase = aim.is_chase && is_chase_due(child, at.now, at);
        let Some(change) = difference(&standing(child), &wanted, under_chase, is_entry_done(child)) else {
            return self.want(index, None, false, at, effects);
        };
        let is_refused = |change: &Change| matches!(change, Change::Modify { terms, .. } if child.refused_change.as_deref() == Some(terms));
        // What is refused of the entry keeps no exit from being moved.
        let legs_only = || difference(&standing(child), &wanted, false, true);
        let change =
            if is_refused(&change) { legs_only().filter(|leg| !is_refused(leg)) } else { Some(change) };
        let Some(change) = change else { return };
        let is_spent = matches!(change, Change::Modify { .. })
            && child.changes >= at.rules.changes.per_order_max
            && child.request.as_deref().is_none_or(|request| may_give_way(request, &change));
        if !is_spent {
            return self.want(index, Some(change), aim.is_chase, at, effects);
        }
        match at.rules.changes.at_limit {
            AtModificationLimit::Stop if !aim.is_chase => {
                let child = &mut self.children[index];
                if let Change::Modify { terms, .. } = change {
                    child.refused_change = Some(Box::new(terms));
                }
                effects.push(MirrorEffect::ChangesExhausted(child.client_order_id.clone()));
            }
            // What must trade is replaced in any case: it is not the leader who changes it.
            AtModificationLimit::Replace | AtModificationLimit::Stop => {
                self.children[index].is_retired = true;
                let cancel = full_cancel(&self.children[index]);
                self.want(index, Some(cancel), false, at, effects);
            }
        }
    }

    /// What a chased order should look like: at the market, or at a limit of ours further beyond the price each time.
    fn chased(&mut self, index: usize, units: Quantity, aim: &Aim, at: &Moment<'_>) -> OrderTerms {
        let child = &self.children[index];
        let wanted = desired(child, units, aim);
        let due = is_chase_due(child, at.now, at);
        if !due {
            let next = next_chase(child, at);
            let unmoved =
                OrderTerms { quantity: wanted.quantity, disclosed: Quantity::ZERO, ..standing(child) };
            self.wake_at(next);
            return unmoved;
        }
        marketable(wanted, child.changes, aim, at)
    }

    /// Sets what is wanted of a child that the broker has, unless something about it is on the wire.
    fn want(
        &mut self,
        index: usize,
        change: Option<Change>,
        is_chase: bool,
        at: &Moment<'_>,
        effects: &mut Vec<MirrorEffect>,
    ) {
        let child = &mut self.children[index];
        match (child.request.as_deref(), &change) {
            (Some(request), _) if request.state.is_unanswered() => return,
            // Taken, and its effect not seen yet: only something else may follow it, and nothing follows a cancel.
            (Some(request), wanted)
                if request.state == ChangeState::Acked
                    && (request.change.is_full_cancel()
                        || wanted.as_ref().is_none_or(|wanted| *wanted == request.change)) =>
            {
                return;
            }
            _ => {}
        }
        let Some(change) = change else {
            child.request = None;
            return;
        };
        let was_acked = child.request.as_deref().is_some_and(|request| request.state == ChangeState::Acked);
        if was_acked {
            self.close_superseded(index);
        }
        let is_cancel = matches!(change, Change::Cancel { .. });
        let child = &mut self.children[index];
        child.request = Some(Box::new(ChangeRequest {
            change,
            state: ChangeState::Planned,
            serial: 0,
            ts_sent: None,
            is_seen: false,
            is_chase: is_chase && !is_cancel,
        }));
        let held = child.held_until.filter(|until| *until > at.now);
        effects.push(MirrorEffect::Queue(child.client_order_id.clone(), rank_of(child), held));
    }

    /// What waits to leave does not (P8).
    fn send_no_more(&mut self, target: Target) -> Result<(), IllegalTransition> {
        let mut is_given_up = false;
        for child in self.children.iter_mut().filter(|child| child.key.leg == COPY) {
            if child.state == ChildState::Planned {
                child.state = transition(&child.state, ChildEvent::Voided)?;
                child.is_retired = true;
                is_given_up = true;
            }
            child.request = child.request.take().filter(|request| request.state != ChangeState::Planned);
        }
        // What ends by itself needs no reason.
        if is_given_up && let Target::Gone(reason) = target {
            self.close_if_never_sent(reason);
        }
        self.target = target;
        Ok(())
    }

    /// Takes back what is out of a part.
    pub(super) fn take_back(
        &mut self,
        leg: u8,
        reason: DeniedReason,
        at: &Moment<'_>,
        effects: &mut Vec<MirrorEffect>,
    ) -> Result<(), IllegalTransition> {
        if leg == COPY && self.is_stopped && self.is_out() {
            // The reason tells a later life who detached it: what a human did is left alone.
            (self.outcome, self.reason) = (Outcome::Detached, Some(reason));
        }
        if self.of(leg).next().is_none() {
            if leg == COPY {
                self.outcome = Outcome::Skipped;
                self.reason = Some(reason);
            }
            return Ok(());
        }
        let was_out = self.of(leg).any(Child::is_live);
        for index in 0..self.children.len() {
            let child = &mut self.children[index];
            if child.key.leg != leg {
                continue;
            }
            match child.state {
                ChildState::Planned => {
                    child.state = transition(&child.state, ChildEvent::Voided)?;
                    // Should more be wanted again, its quantity is free.
                    child.is_retired = true;
                }
                ChildState::Working { .. } => {
                    let cancel = full_cancel(child);
                    self.want(index, Some(cancel), false, at, effects);
                }
                _ => {}
            }
        }
        // What was over by itself was not taken back.
        if leg == COPY && (was_out || matches!(self.outcome, Outcome::AwaitingLeader | Outcome::Waiting)) {
            self.close_if_never_sent(reason);
        }
        Ok(())
    }

    fn plan(&mut self, aim: &Aim, units: u32, at: &Moment<'_>, effects: &mut Vec<MirrorEffect>) {
        let (slice, attempt) = self.next_place(aim.leg);
        let key = ChildKey {
            trading_day: self.leader.trading_day,
            leader_order: self.leader.broker_order_id.clone(),
            follower: at.rules.follower.clone(),
            leg: aim.leg,
            slice,
            attempt,
        };
        let mut child = Child::planned(key, aim.terms.clone(), aim.purpose);
        child.terms = as_placed(&child, Quantity::new(units), aim, at);
        child.is_chased = is_placed_to_trade(&child, aim);
        // What came to nothing is not tried again at once.
        if attempt > 1 && self.last_failed(aim.leg, slice) {
            let wait = at.rules.retry.saturating_mul(1 << u32::from(attempt).min(RETRY_DOUBLINGS_MAX));
            let until_flat = self.is_until_flat();
            let wait = if until_flat { wait.min(FLATTENING_WAIT_MAX) } else { wait };
            child.held_until = Some(at.now.plus(wait));
            if until_flat && attempt == ATTEMPTS_MAX + 1 {
                effects.push(MirrorEffect::FlatteningFails);
            }
        }
        effects.push(MirrorEffect::Queue(child.client_order_id.clone(), rank_of(&child), child.held_until));
        // One child is the rule: room for four, as a list makes it by itself, would be most of a mirror's memory.
        self.children.reserve_exact(1);
        self.children.push(child);
        let revives = aim.leg == COPY && matches!(self.outcome, Outcome::Skipped | Outcome::Voided);
        if self.outcome == Outcome::AwaitingLeader || revives {
            self.outcome = Outcome::Waiting;
            // A share that grew into a lot is as old as its growth until it is sent.
            let stands =
                |reason: &DeniedReason| self.refused_raise.is_some() || *reason == DeniedReason::BelowOneLot;
            self.reason = self.reason.filter(stands);
        }
    }

    /// The next attempt of a slice that ended unfilled and whose rest is made up, or else a slice of its own.
    fn next_place(&self, leg: u8) -> (u16, u16) {
        let mut next_slice = 0;
        let mut again: Option<(u16, u16)> = None;
        for child in self.of(leg) {
            next_slice = next_slice.max(child.key.slice.saturating_add(1));
            let slice = child.key.slice;
            let attempts: Vec<&Child> = self.of(leg).filter(|other| other.key.slice == slice).collect();
            let is_over = attempts.iter().all(|attempt| !attempt.is_live());
            let newest = attempts.iter().map(|attempt| attempt.key.attempt).max().unwrap_or(1);
            let unfilled = attempts
                .iter()
                .any(|attempt| attempt.key.attempt == newest && attempt.cumulative < attempt.terms.quantity);
            if is_over && unfilled && again.is_none() {
                again = Some((slice, newest.saturating_add(1)));
            }
        }
        again.unwrap_or((next_slice, 1))
    }

    fn last_failed(&self, leg: u8, slice: u16) -> bool {
        let of_slice = self.of(leg).filter(|child| child.key.slice == slice);
        let last = of_slice.max_by_key(|child| child.key.attempt);
        last.is_some_and(|child| match child.state {
            ChildState::Rejected | ChildState::Refused | ChildState::Expired => true,
            // By the broker.
            ChildState::Cancelled => !child.cancel_asked,
            _ => false,
        })
    }

    /// A repair stands on the other side of what it repairs: what was opened is closed by it. What overshot is closed, too.
    fn repair_purpose(&self) -> Purpose {
        let flattens = self.allotment.is_some_and(|allotment| allotment.flatten > 0);
        if self.purpose == Some(Purpose::Exit) && !flattens { Purpose::Entry } else { Purpose::Exit }
    }

    /// Whether the Sizer has spoken in this life.
    pub fn is_heard(&self) -> bool {
        !matches!(self.word, Word::Unheard)
    }
}

/// Whether what is asked of a child makes room for another change: what waits does, and what was taken and is not it.
fn may_give_way(request: &ChangeRequest, change: &Change) -> bool {
    match request.state {
        ChangeState::Planned => true,
        ChangeState::Acked => request.change != *change,
        ChangeState::Sending | ChangeState::Unknown => false,
    }
}

fn full_cancel(child: &Child) -> Change {
    let part = match child.terms.form {
        OrderForm::Super(_) => OrderPart::Entry,
        OrderForm::Ordinary | OrderForm::Forever(_) => OrderPart::Whole,
    };
    Change::Cancel { part }
}
