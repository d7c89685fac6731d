//! What the broker said of a child order: answers to requests, its book, its stream; and what follows from it.

use std::sync::Arc;

use super::child::{Change, ChangeRequest, ChangeState, ChildLeg, IntentState, OrderPart};
use super::{Mirror, MirrorEffect, Moment, Outcome, REPAIR};
use crate::flaw::flawed;
use crate::gates::DeniedReason;
use crate::ids::{BrokerOrderId, ClientOrderId};
use crate::order::lifecycle::{ChildEvent, ChildState, IllegalTransition, transition};
use crate::order::{BrokerStatus, Leg, OrderForm, OrderReport, TimeInForce};
use crate::quantity::Quantity;
use crate::time::Timestamp;

/// Refusals of a change in a row that are borne before a person is told.
const FAILURES_BORNE: u16 = 5;
/// The wait before what came to nothing is asked for again doubles this often: an hour's budget must last.
pub(super) const RETRY_DOUBLINGS_MAX: u32 = 8;

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

/// News of an exit leg of a super order of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegNews {
    /// The leg's own id.
    pub broker_order_id: BrokerOrderId,
    /// Stop or target.
    pub leg: Leg,
    /// The broker's word.
    pub status: BrokerStatus,
    /// Units it has closed.
    pub cumulative: Quantity,
    /// Why it ended.
    pub reason: Option<Arc<str>>,
    /// Whether a read of the whole book tells it, in which what fired was told before what was cancelled.
    pub is_of_whole_book: bool,
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
        let is_awaited = self.children[index].request.as_deref().is_some_and(|request| {
            request.serial == serial && matches!(request.state, ChangeState::Sending | ChangeState::Unknown)
        });
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
    fn come_to_nothing(&mut self, index: usize, at: &Moment<'_>, effects: &mut Vec<MirrorEffect>) {
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
    fn take_effect(&mut self, index: usize) {
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
                    // Its row shows what was taken; what the broker shows next is news beside that.
                    child.shown = child.shown.map(|shown| shown.max(terms.quantity));
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

    fn request_state(&self, index: usize) -> Option<IntentState> {
        let request = self.children[index].request.as_deref()?;
        match request.state {
            ChangeState::Planned => None,
            ChangeState::Sending => Some(IntentState::Sending),
            ChangeState::Unknown => Some(IntentState::Unknown),
            ChangeState::Acked => Some(IntentState::Acked),
        }
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
    fn tell_closed(&self, index: usize, before: Quantity, effects: &mut Vec<MirrorEffect>) {
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

    fn detach(&mut self, effects: &mut Vec<MirrorEffect>, id: ClientOrderId) {
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

    pub(super) fn on_leg(
        &mut self,
        client_order_id: &ClientOrderId,
        news: LegNews,
        effects: &mut Vec<MirrorEffect>,
    ) {
        let Some(index) = self.position(client_order_id) else { return };
        let child = &mut self.children[index];
        let known = child.legs.iter().position(|leg| leg.broker_order_id == news.broker_order_id);
        let place = known.unwrap_or_else(|| {
            child.legs.push(ChildLeg {
                broker_order_id: news.broker_order_id.clone(),
                leg: news.leg,
                cumulative: Quantity::ZERO,
                has_fired: false,
                is_over: false,
            });
            child.legs.len() - 1
        });
        let closed = child.closed();
        let leg = &mut child.legs[place];
        leg.cumulative = leg.cumulative.max(news.cumulative);
        leg.has_fired |= news.status == BrokerStatus::Triggered || !news.cumulative.is_zero();
        leg.is_over |= news.status.is_terminal();
        self.tell_closed(index, closed, effects);
        let child = &mut self.children[index];
        // When one leg fires the other is cancelled, and that may be told first: only a whole book tells a hand.
        let is_cancelled = news.status == BrokerStatus::Cancelled;
        let by_hand = is_cancelled
            && news.is_of_whole_book
            && !child.legs.iter().any(|leg| leg.has_fired)
            && !is_brokers_doing(news.reason.as_deref());
        let by_us =
            child.cancel_asked || !has_leg(&child.terms.form, news.leg) || is_leaving(child, news.leg);
        let entry_is_through = child.cumulative >= child.terms.quantity;
        if entry_is_through && !child.legs_live_on() && child.is_live() {
            child.state = ChildState::Filled;
        }
        if is_cancelled && is_leaving(child, news.leg) {
            self.see_leg_leave(index);
        }
        if by_hand && !by_us && self.outcome != Outcome::Detached {
            self.detach(effects, client_order_id.clone());
        }
    }

    /// The leg whose cancel is under way is gone.
    fn see_leg_leave(&mut self, index: usize) {
        let before = self.request_state(index);
        let Some(request) = self.children[index].request.as_deref_mut() else { return };
        match request.state {
            ChangeState::Unknown => {
                request.is_seen = true;
                self.record_change(index, before, IntentState::Acked);
                self.take_effect(index);
            }
            ChangeState::Sending => request.is_seen = true,
            // Asked before, and thought without effect: it need not be asked again.
            ChangeState::Planned => {
                let part = request.change.part();
                let child = &mut self.children[index];
                child.request = None;
                child.forget_leg(part);
            }
            ChangeState::Acked => {}
        }
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
fn is_brokers_doing(reason: Option<&str>) -> bool {
    let words = reason.unwrap_or_default().to_ascii_lowercase();
    ["square", "expir", "by the broker", "system"].iter().any(|word| words.contains(word))
}

fn has_leg(form: &OrderForm, leg: Leg) -> bool {
    match (form, leg) {
        (OrderForm::Super(legs), Leg::StopLoss) => legs.stop.is_some(),
        (OrderForm::Super(legs), Leg::Target) => legs.target.is_some(),
        _ => false,
    }
}

fn is_leaving(child: &super::Child, leg: Leg) -> bool {
    let part = if leg == Leg::Target { OrderPart::Target } else { OrderPart::Stop };
    child.request.as_deref().is_some_and(|request| request.change == Change::Cancel { part })
}
