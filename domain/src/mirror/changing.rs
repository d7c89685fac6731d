//! What the broker's API made of a change or a cancel.

use std::sync::Arc;

use super::child::{Change, ChangeRequest, ChangeState, IntentState};
use super::evidence::{Answer, Refused};
use super::{Mirror, MirrorEffect, Moment};
use crate::ids::ClientOrderId;

/// Refusals of a change in a row that are borne before a person is told.
const FAILURES_BORNE: u16 = 5;

/// The wait before what came to nothing is asked for again doubles this often: an hour's budget must last.
pub(super) const RETRY_DOUBLINGS_MAX: u32 = 8;

impl Mirror {
    /// The answer to a change or cancel.
    pub(super) fn on_changed(
        &mut self,
        client_order_id: &ClientOrderId,
        serial: u32,
        answer: Answer,
        at: &Moment<'_>,
        effects: &mut Vec<MirrorEffect>,
    ) {
        let Some(index) = self.position(client_order_id) else { return };
        let is_awaited = self.children[index]
            .request
            .as_deref()
            .is_some_and(|request| request.serial == serial && request.state.is_unanswered());
        // A doubled answer, or one to a request whose fate is proven, says nothing new (P24).
        if !is_awaited {
            return;
        }
        let before = self.request_state(index);
        let child = &mut self.children[index];
        if let Some(request) = child.request.as_deref_mut() {
            // It was committed first, and may have waited in lines: until now it may have left.
            request.ts_sent = Some(at.now);
        }
        let is_cancel = child.request.as_deref().is_some_and(|request| request.change.is_full_cancel());
        child.cancel_may_act |=
            is_cancel && matches!(answer, Answer::Accepted(_) | Answer::Busy | Answer::Lost);
        match answer {
            Answer::Accepted(_) => {
                self.record_change(index, before, IntentState::Acked);
                self.take_effect(index);
            }
            Answer::Refused(why, words) => {
                self.record_change(index, before, IntentState::Refused);
                self.forget_cancel(index);
                self.on_change_refused(index, why, words, at, effects);
            }
            Answer::NotSent => {
                self.record_change(index, before, IntentState::NotSent);
                self.forget_cancel(index);
                self.children[index].failures = self.children[index].failures.saturating_add(1);
                let is_change = matches!(
                    self.children[index].request.as_deref(),
                    Some(ChangeRequest { change: Change::Modify { .. }, .. })
                );
                // The broker counts what it gets.
                let changes = self.children[index].changes;
                self.children[index].changes = changes.saturating_sub(u16::from(is_change));
                self.drop_request(index, at);
            }
            // "Too many" is no proof that it was not done: taken for refused, its effect would look like a human's hand.
            // Unless what was seen meanwhile has settled it already.
            Answer::Busy | Answer::Lost
                if self.children[index].request.as_deref().is_some_and(|request| request.is_seen) =>
            {
                self.record_change(index, before, IntentState::Acked);
                self.take_effect(index);
            }
            Answer::Busy | Answer::Lost if !self.children[index].is_live() => {
                // Nothing more is told of what is over; a row becomes absent from unknown alone (P3).
                self.record_change(index, before, IntentState::Unknown);
                self.record_change(index, Some(IntentState::Unknown), IntentState::Absent);
                self.children[index].request = None;
            }
            Answer::Busy | Answer::Lost => {
                self.record_change(index, before, IntentState::Unknown);
                if let Some(request) = self.children[index].request.as_deref_mut() {
                    request.state = ChangeState::Unknown;
                }
                effects.push(MirrorEffect::ReadBook);
            }
        }
    }

    /// A cancel that was not done is not ours to answer for: should the order end cancelled, it was somebody else.
    fn forget_cancel(&mut self, index: usize) {
        let child = &mut self.children[index];
        let is_cancel = child.request.as_deref().is_some_and(|request| request.change.is_full_cancel());
        child.cancel_asked &= child.cancel_may_act || !is_cancel;
    }

    fn on_change_refused(
        &mut self,
        index: usize,
        why: Refused,
        words: Arc<str>,
        at: &Moment<'_>,
        effects: &mut Vec<MirrorEffect>,
    ) {
        self.count_failure(index, effects);
        let child = &mut self.children[index];
        let is_chase = child.request.as_deref().is_some_and(|request| request.is_chase);
        let change = child.request.as_deref().map(|request| request.change.clone());
        match (why, change) {
            (Refused::ChangesExhausted, _) => child.changes = at.rules.changes.per_order_max,
            // It must trade all the same: another order takes its place.
            (Refused::Other, Some(Change::Modify { .. })) if is_chase => child.is_retired = true,
            // As it is it will never be taken; the next change of the leader is asked for again.
            (Refused::Other, Some(Change::Modify { terms, .. })) => {
                child.refused_change = Some(Box::new(terms));
                child.reason = Some(words);
                effects.push(MirrorEffect::ChangeRefused(child.client_order_id.clone()));
            }
            _ => {}
        }
        // It may be over already, and nobody has told us.
        effects.push(MirrorEffect::ReadBook);
        self.drop_request(index, at);
    }

    fn count_failure(&mut self, index: usize, effects: &mut Vec<MirrorEffect>) {
        let child = &mut self.children[index];
        child.failures = child.failures.saturating_add(1);
        if child.failures == FAILURES_BORNE && child.is_live() {
            effects.push(MirrorEffect::ChangeRefused(child.client_order_id.clone()));
        }
    }

    /// A request is proven to have come to nothing: at first what is wanted is asked for again at once.
    pub(super) fn come_to_nothing(&mut self, index: usize, at: &Moment<'_>, effects: &mut Vec<MirrorEffect>) {
        self.count_failure(index, effects);
        self.drop_request(index, at);
        let child = &mut self.children[index];
        child.held_until = child.held_until.filter(|_| child.failures >= FAILURES_BORNE);
    }

    /// A request came to nothing: what is wanted is asked for again, after a while.
    fn drop_request(&mut self, index: usize, at: &Moment<'_>) {
        let child = &mut self.children[index];
        child.request = None;
        let doublings = u32::from(child.failures.saturating_sub(1)).min(RETRY_DOUBLINGS_MAX);
        child.held_until = Some(at.now.plus(at.rules.retry.saturating_mul(1 << doublings)));
    }

    /// The broker took the change: from now on the order is as asked, until its book says otherwise.
    pub(super) fn take_effect(&mut self, index: usize) {
        let child = &mut self.children[index];
        let Some(request) = child.request.as_deref_mut() else { return };
        let is_seen = request.is_seen;
        if is_seen {
            (child.failures, child.held_until) = (0, None);
        }
        request.state = ChangeState::Acked;
        match request.change.clone() {
            // What was over before it could be changed ended as it was.
            Change::Modify { terms, .. } => {
                if child.terms != terms && (is_seen || child.is_live()) {
                    // Its row shows what was taken, what the broker shows next is news beside that. Until he shows anything, it
                    // may be as it was placed: "taken" is no proof.
                    let shown = child.shown.unwrap_or(child.terms.quantity);
                    child.shown = Some(shown.max(terms.quantity));
                    let before = std::mem::replace(&mut child.terms, terms);
                    if !child.asked_before.contains(&before) {
                        child.asked_before.push(before);
                    }
                }
            }
            Change::Cancel { part } => child.forget_leg(part),
        }
        if is_seen || !child.is_live() {
            child.request = None;
        }
    }

    /// A change that was taken gives way to the next one: its effect need not be seen any more.
    pub(super) fn close_superseded(&mut self, index: usize) {
        self.children[index].request = None;
    }

    pub(super) fn request_state(&self, index: usize) -> Option<IntentState> {
        let request = self.children[index].request.as_deref()?;
        match request.state {
            ChangeState::Planned => None,
            ChangeState::Sending => Some(IntentState::Sending),
            ChangeState::Unknown => Some(IntentState::Unknown),
            ChangeState::Acked => Some(IntentState::Acked),
        }
    }
}
