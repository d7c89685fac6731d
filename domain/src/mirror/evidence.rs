//! What the broker said of a child order: answers to requests, its book, its stream; and what follows from it.

use std::sync::Arc;

use super::child::{Change, ChangeState, IntentState};
use super::{Mirror, MirrorEffect, Moment, Outcome, REPAIR};
use crate::flaw::flawed;
use crate::gates::DeniedReason;
use crate::ids::{BrokerOrderId, ClientOrderId};
use crate::order::lifecycle::{ChildEvent, ChildState, IllegalTransition, transition};
use crate::order::{BrokerStatus, OrderReport, TimeInForce};
use crate::quantity::Quantity;
use crate::time::Timestamp;

/// What the broker's API made of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Taken, under this id.
    Accepted(BrokerOrderId),
    /// Refused, with its words.
    Refused(Refused, Arc<str>),
    /// The request provably never left.
    NotSent,
    /// "Too many requests": probably not executed, not certainly.
    Busy,
    /// Nothing that proves anything.
    Lost,
}

/// What a refusal says about the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It is on its way to the exchange: ask again shortly.
    InTransit,
    /// It is over, or not known.
    Over,
    /// It was changed as often as is allowed.
    ChangesExhausted,
    /// Anything else.
    Other,
}

/// News of a child order from the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildReport {
    /// Our id of it.
    pub client_order_id: ClientOrderId,
    /// What is told.
    pub report: OrderReport,
    /// When the read began that told it; none for a frame of the stream, which may be old.
    pub read_from: Option<Timestamp>,
}

impl Mirror {
    pub(super) fn on_placed(
        &mut self,
        client_order_id: &ClientOrderId,
        answer: Answer,
        at: &Moment<'_>,
        effects: &mut Vec<MirrorEffect>,
    ) -> Result<(), IllegalTransition> {
        let Some(index) = self.position(client_order_id) else { return Ok(()) };
        let child = &mut self.children[index];
        match answer {
            Answer::Accepted(broker_order_id) => {
                child.state = transition(&child.state, ChildEvent::Accepted(broker_order_id.clone()))?;
                child.broker_order_id.get_or_insert(broker_order_id);
            }
            Answer::Refused(_, words) => {
                child.state = transition(&child.state, ChildEvent::Refused)?;
                child.reason = Some(words);
            }
            Answer::NotSent => {
                child.state = transition(&child.state, ChildEvent::NotSent)?;
                child.held_until = Some(at.now.plus(at.rules.retry));
                // A detached mirror is left alone: what never left never will, but for what closes again what was stopped.
                let closes_again = self.is_stopped && child.key.leg == REPAIR;
                if self.outcome == Outcome::Detached && !closes_again {
                    child.state = transition(&child.state, ChildEvent::Voided)?;
                }
            }
            Answer::Busy | Answer::Lost => {
                let read =
                    if flawed!(TimeoutIsRejection) { ChildEvent::Refused } else { ChildEvent::AnswerLost };
                child.state = transition(&child.state, read)?;
                if child.state == ChildState::Unknown {
                    effects.push(MirrorEffect::Resolve(client_order_id.clone()));
                }
            }
        }
        Ok(())
    }

    pub(super) fn on_report(
        &mut self,
        news: ChildReport,
        at: &Moment<'_>,
        effects: &mut Vec<MirrorEffect>,
    ) -> Result<(), IllegalTransition> {
        // A report may be about an earlier attempt that was thought absent.
        let Some(index) = self.position(&news.client_order_id) else { return Ok(()) };
        let report = &news.report;
        let child = &mut self.children[index];
        let was_over = child.state.is_terminal();
        let came_back = child.was_given_up();
        let closed = child.closed();
        // While its legs live a super order lives, however its entry stands.
        let lives_on = report.status == BrokerStatus::Traded && child.legs_live_on();
        let status = if lives_on { BrokerStatus::PartTraded } else { report.status.clone() };
        let broker_order_id = report.broker_order_id.clone();
        child.state = transition(&child.state, ChildEvent::Reported { broker_order_id, status })?;
        child.broker_order_id.get_or_insert_with(|| report.broker_order_id.clone());
        if !was_over || came_back {
            child.status = Some(report.status.clone());
            child.reason = report.reason.clone().or(child.reason.take());
        }
        self.take_fills(index, report, was_over && !came_back, effects);
        self.tell_closed(index, closed, effects);
        if came_back {
            // Its share was found without it: nothing is taken back for that.
            let is_over = matches!(self.outcome, Outcome::Skipped | Outcome::Voided);
            self.allotment = self.allotment.filter(|_| !is_over);
            // What a human has touched stays his.
            if self.outcome != Outcome::Detached {
                (self.outcome, self.reason) = (Outcome::Sent, None);
            }
        }
        if !was_over || came_back {
            self.judge_request(index, &news, at, effects);
            self.look_for_a_hand(index, report, effects);
        }
        Ok(())
    }

    /// Fills by growth of the cumulative quantity, each once (P9).
    fn take_fills(
        &mut self,
        index: usize,
        report: &OrderReport,
        is_late: bool,
        effects: &mut Vec<MirrorEffect>,
    ) {
        let child = &mut self.children[index];
        let known = if flawed!(FillsSummed) { Quantity::ZERO } else { child.cumulative };
        let growth = report.cumulative.saturating_sub(known);
        if growth.is_zero() {
            return;
        }
        child.cumulative = report.cumulative;
        child.average_price = report.average_price;
        child.ts_filled = Some(report.ts_event);
        let id = child.client_order_id.clone();
        effects.push(MirrorEffect::Filled(id.clone(), growth));
        if is_late && child.state != ChildState::Filled {
            effects.push(MirrorEffect::FilledLate(id.clone()));
        }
        if child.cumulative > child.ordered().max(report.terms.quantity) {
            effects.push(MirrorEffect::Overfilled(id));
        }
    }

    /// What its exit legs have closed, whichever of the order and its legs told it first, each unit once.
    pub(super) fn tell_closed(&self, index: usize, before: Quantity, effects: &mut Vec<MirrorEffect>) {
        let child = &self.children[index];
        let growth = child.closed().saturating_sub(before);
        if !growth.is_zero() {
            effects.push(MirrorEffect::Exited(child.client_order_id.clone(), growth));
        }
    }

    /// Whether what the broker shows proves or refutes the effect of the request under way.
    fn judge_request(
        &mut self,
        index: usize,
        news: &ChildReport,
        at: &Moment<'_>,
        effects: &mut Vec<MirrorEffect>,
    ) {
        let shown = &news.report.terms;
        let child = &mut self.children[index];
        child.shown = Some(shown.quantity);
        if child.state.is_terminal() {
            child.end_as(shown);
        }
        if child.is_fired_as(shown) {
            child.fire();
        }
        let before = self.request_state(index);
        let child = &mut self.children[index];
        let is_over = child.state.is_terminal();
        let is_under_way =
            child.request.as_deref().is_some_and(|request| request.state != ChangeState::Planned);
        let is_settled =
            |sent: Timestamp| news.read_from.is_some_and(|from| from >= sent.plus(at.rules.settle));
        if !is_under_way && !is_over && child.ts_changed.is_some_and(is_settled) {
            // A change that was thought without effect, or to have it, and has come about otherwise.
            child.be_as_shown(shown);
        }
        let Some(request) = child.request.as_deref_mut() else { return };
        let has_effect = match &request.change {
            Change::Modify { terms, .. } => super::child::is_of(terms, shown),
            Change::Cancel { .. } => child.state == ChildState::Cancelled,
        };
        // Only a whole book read long enough after tells that a change had no effect (P4).
        let soon = at.rules.settle.min(at.rules.retry.saturating_mul(2));
        let wait = match &request.change {
            // The broker took it: its book has the time to show it.
            _ if request.state == ChangeState::Acked => at.rules.settle,
            // An old raise that arrived after all would pass the target.
            Change::Modify { terms, .. } if terms.quantity > shown.quantity => at.rules.settle,
            // All else done twice is done once.
            Change::Modify { .. } | Change::Cancel { .. } => soon,
        };
        let is_late = |sent: Timestamp| news.read_from.is_some_and(|from| from >= sent.plus(wait));
        let is_refuted = is_over || request.ts_sent.is_some_and(is_late);
        match (request.state, has_effect) {
            (ChangeState::Planned, _) if is_over => child.request = None,
            (ChangeState::Sending, true) => request.is_seen = true,
            (ChangeState::Unknown, true) => {
                request.is_seen = true;
                self.record_change(index, before, IntentState::Acked);
                self.take_effect(index);
                self.children[index].request = None;
            }
            (ChangeState::Unknown, false) if is_refuted => {
                self.record_change(index, before, IntentState::Absent);
                let child = &mut self.children[index];
                let request = child.request.take();
                // Should it come about late, it is still no human's hand.
                if let Some(Change::Modify { terms, .. }) = request.map(|request| request.change)
                    && !child.asked_before.contains(&terms)
                {
                    child.asked_before.push(terms);
                }
                self.come_to_nothing(index, at, effects);
            }
            (ChangeState::Acked, true) => {
                child.request = None;
                (child.failures, child.held_until) = (0, None);
            }
            (ChangeState::Acked, false) if is_refuted => {
                // Taken, and come to nothing: the order is as it is shown.
                if matches!(request.change, Change::Modify { .. }) {
                    child.be_as_shown(shown);
                }
                self.come_to_nothing(index, at, effects);
            }
            (ChangeState::Planned, _) | (_, false) => {}
        }
    }

    /// Terms that were never asked for, or a cancel that was not: somebody else's hand. The broker's own doings are none.
    fn look_for_a_hand(&mut self, index: usize, report: &OrderReport, effects: &mut Vec<MirrorEffect>) {
        let child = &self.children[index];
        let is_changed = !child.explains(&report.terms);
        let immediate =
            child.terms.time_in_force == TimeInForce::Ioc || report.terms.time_in_force == TimeInForce::Ioc;
        let is_cancelled = report.status == BrokerStatus::Cancelled
            && !child.cancel_asked
            && !immediate
            && !is_brokers_doing(report.reason.as_deref());
        if (is_changed || is_cancelled) && self.outcome != Outcome::Detached {
            let id = child.client_order_id.clone();
            self.detach(effects, id);
        }
    }

    pub(super) fn detach(&mut self, effects: &mut Vec<MirrorEffect>, id: ClientOrderId) {
        self.outcome = Outcome::Detached;
        for child in &mut self.children {
            if child.state == ChildState::Planned {
                child.state = ChildState::Voided;
            }
            let waits = child.request.as_deref().is_some_and(|request| request.state == ChangeState::Planned);
            if waits {
                child.request = None;
            }
        }
        effects.push(MirrorEffect::Detached(id));
    }

    pub(super) fn on_absent(
        &mut self,
        client_order_id: &ClientOrderId,
        again: bool,
    ) -> Result<(), IllegalTransition> {
        let Some(index) = self.position(client_order_id) else { return Ok(()) };
        let child = &mut self.children[index];
        child.state = transition(&child.state, ChildEvent::ProvenAbsent)?;
        child.is_retired = again;
        if !again {
            self.close_if_never_sent(DeniedReason::ProvenAbsent);
        }
        Ok(())
    }
}

/// A cancel by the broker itself: intraday square-off, expiry.
pub(super) fn is_brokers_doing(reason: Option<&str>) -> bool {
    let words = reason.unwrap_or_default().to_ascii_lowercase();
    ["square", "expir", "by the broker", "system"].iter().any(|word| words.contains(word))
}
