//! One leader order in one follower account: what the follower's order should look like (*target*), what it is known to
//! look like (*actual*), and at most one request *in flight*. [`Mirror::step`] compares them and says what to do.
//!
//! | child \ event | target open | target gone | released | accepted | refused | not sent | answer lost | reported | absent |
//! |---|---|---|---|---|---|---|---|---|---|
//! | none | plan | skip | - | - | - | - | - | - | - |
//! | planned | take the new terms | void | place | error | error | error | error | as reported | error |
//! | sending | note | note | error | working | refused | planned | unknown | as reported | error |
//! | unknown | note | note | error | working | error | error | unknown | as reported | absent; an exit is planned again |
//! | working | note | note | error | - | error | error | - | as reported | error |
//! | refused, absent | note | note | error | - | error | error | - | as reported | error |
//! | voided | - | - | error | - | error | error | - | as reported | error |
//! | over otherwise | note | note | error | - | error | error | - | fills counted | error |
//!
//! "Note": the target is kept, and [`Mirror::gap`] shows how far the follower's order is from it. Driving a working
//! order to a changed target (replace, cancel) is the next step of the machine; it is not built yet.

use std::sync::Arc;

use crate::gates::{DeniedReason, RiskApproved};
use crate::ids::{BrokerOrderId, ChildKey, ClientOrderId, FollowerId};
use crate::instrument::coded_enum;
use crate::leader::LeaderOrder;
use crate::order::lifecycle::{ChildEvent, ChildState, IllegalTransition, transition};
use crate::order::{BrokerStatus, OrderTerms};
use crate::pacing::Purpose;
use crate::price::Price;
use crate::quantity::Quantity;
use crate::sizing::Sizing;
use crate::time::Timestamp;

/// What the follower's order should look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Not decided: the exchange has not taken the leader's order yet.
    Undecided,
    /// An order like this, quantity included.
    Open(OrderTerms),
    /// No order.
    Gone(DeniedReason),
}

coded_enum! {
    /// What became of the copy: one for each leader order and follower (P26).
    Outcome {
        /// The leader's order is not at the exchange yet.
        AwaitingLeader = "awaiting_leader",
        /// Decided and durable; waits for the broker's budget.
        Waiting = "waiting",
        /// A request was released to the wire, whatever became of it.
        Sent = "sent",
        /// Not copied; the reason says why.
        Skipped = "skipped",
        /// Decided, then given up before it was sent, or proven never to have arrived.
        Voided = "voided",
        /// Sent, then changed or cancelled by a human's hand: left alone from then on.
        Detached = "detached",
    }
}

coded_enum! {
    /// Which part of an order a change or a cancel is about.
    OrderPart {
        /// All of it: an ordinary order, or a forever order of one leg.
        Whole = "whole",
        /// A super order's entry; cancelling it cancels its exits too.
        Entry = "entry",
        /// A super order's target; a forever order's first leg.
        Target = "target",
        /// A super order's stop; a forever order's second leg.
        Stop = "stop_loss",
    }
}

coded_enum! {
    /// Where the durable intent of a placement stands: the row behind a child's state.
    IntentState {
        /// Decided and held; nothing may be on the wire.
        Planned = "PLANNED",
        /// May be on the wire.
        Sending = "SENDING",
        /// The broker has it, under a broker order id.
        Acked = "ACKED",
        /// The broker refused it.
        Refused = "REFUSED",
        /// Sent, outcome not proven; only evidence ends this (P3).
        Unknown = "UNKNOWN",
        /// Proven never to have left the process; may be sent again under the same id.
        NotSent = "NOT_SENT",
        /// Will not be sent.
        Voided = "VOIDED",
        /// Proven not to be at the broker (P4).
        Absent = "ABSENT",
    }
}

/// One attempt to place one child order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// What makes it unique.
    pub key: ChildKey,
    /// Derived from the key.
    pub client_order_id: ClientOrderId,
    /// What is or was asked for.
    pub terms: OrderTerms,
    /// Exit or entry.
    pub purpose: Purpose,
    /// Where it stands.
    pub state: ChildState,
    /// The broker's id, once known.
    pub broker_order_id: Option<BrokerOrderId>,
    /// The broker's word, once known.
    pub status: Option<BrokerStatus>,
    /// Units filled.
    pub cumulative: Quantity,
    /// Average price of what is filled.
    pub average_price: Price,
    /// Why it was refused, rejected, cancelled or expired.
    pub reason: Option<Arc<str>>,
    /// When it was released to the wire; what absence is counted from.
    pub ts_sent: Option<Timestamp>,
    /// The state its intent row was last given; none while it has no row.
    pub recorded: Option<IntentState>,
}

impl Child {
    /// Whether we had concluded that the broker does not have it. Its book outranks such conclusions.
    pub const fn was_given_up(&self) -> bool {
        matches!(
            self.state,
            ChildState::Planned | ChildState::Voided | ChildState::Absent | ChildState::Refused
        )
    }

    /// The state its intent row should have.
    pub const fn intent_state(&self) -> IntentState {
        match self.state {
            ChildState::Planned if self.ts_sent.is_some() => IntentState::NotSent,
            ChildState::Planned => IntentState::Planned,
            ChildState::Sending => IntentState::Sending,
            ChildState::Unknown => IntentState::Unknown,
            ChildState::Refused => IntentState::Refused,
            ChildState::Absent => IntentState::Absent,
            ChildState::Voided => IntentState::Voided,
            ChildState::Working { .. }
            | ChildState::Filled
            | ChildState::Cancelled
            | ChildState::Expired
            | ChildState::Rejected => IntentState::Acked,
        }
    }
}

/// A request to place one order: what [`RiskApproved`] wraps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Our id, sent with it.
    pub client_order_id: ClientOrderId,
    /// What to place.
    pub terms: OrderTerms,
    /// Exit or entry.
    pub purpose: Purpose,
}

/// What the broker's API made of a placement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlaceAnswer {
    /// Taken.
    Accepted(BrokerOrderId),
    /// Refused, with its words.
    Refused(Arc<str>),
    /// The request provably never left.
    NotSent,
    /// "Too many requests": probably not executed, not certainly.
    Busy,
    /// Nothing that proves anything.
    Lost,
}

/// News of a child order from the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildReport {
    /// Our id of it.
    pub client_order_id: ClientOrderId,
    /// The broker's id.
    pub broker_order_id: BrokerOrderId,
    /// The broker's word.
    pub status: BrokerStatus,
    /// Units filled so far.
    pub cumulative: Quantity,
    /// Average price of them.
    pub average_price: Price,
    /// Why it ended.
    pub reason: Option<Arc<str>>,
}

/// What can happen to a mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MirrorEvent {
    /// The Sizer's target for the leader's latest state; `purpose` by what the follower holds now.
    Target {
        /// What the follower's order should look like.
        target: Target,
        /// What was computed on the way, when it was.
        sizing: Option<Sizing>,
        /// The instrument's tick, for comparing fills; zero when not known.
        tick: Price,
        /// Exit or entry, should it be placed.
        purpose: Purpose,
    },
    /// The budget lets the planned child go.
    Release,
    /// The planned child is given up.
    Give(DeniedReason),
    /// The answer to the placement.
    Answer(PlaceAnswer),
    /// News from the broker's book or stream.
    Report(ChildReport),
    /// The rule of absence is satisfied for the unknown child. `again`: plan the next attempt.
    ProvenAbsent {
        /// Whether the order is still worth sending.
        again: bool,
    },
}

/// What a mirror wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MirrorEffect {
    /// A child waits for the budget.
    Queue(Purpose),
    /// Make the intent durable, then send this.
    Place(RiskApproved<Placement>),
    /// The outcome is not proven: look for the order.
    Resolve,
    /// The follower's order filled by this much more.
    Filled(Quantity),
    /// More was filled than was ordered (P10).
    Overfilled(Quantity),
}

/// One leader order in one follower account.
#[derive(Debug, Clone)]
pub struct Mirror {
    /// The leader's order, in its latest state.
    pub leader: Arc<LeaderOrder>,
    /// What the follower's order should look like.
    pub target: Target,
    /// What became of it so far.
    pub outcome: Outcome,
    /// Why, for skipped and voided ones.
    pub reason: Option<DeniedReason>,
    /// What the size was computed from, once.
    pub sizing: Option<Sizing>,
    /// The instrument's tick, for comparing fills; zero when not known.
    pub tick: Price,
    /// Whether its row is up to what is known.
    pub recorded: bool,
    /// Attempts, oldest first; all but the last are over.
    pub children: Vec<Child>,
}

/// How far the follower's order is from the target: the seed of a `copy_gap`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// The target changed after the order was sent.
    Changed,
    /// The target is gone, the order is not.
    LeftBehind,
}

impl Mirror {
    /// A mirror nothing was decided for.
    pub const fn new(leader: Arc<LeaderOrder>) -> Self {
        Self {
            leader,
            target: Target::Undecided,
            outcome: Outcome::AwaitingLeader,
            reason: None,
            sizing: None,
            tick: Price::ZERO,
            recorded: false,
            children: Vec::new(),
        }
    }

    /// The attempt that counts: the newest that lives, or the newest if none does.
    pub fn child(&self) -> Option<&Child> {
        let living = self.children.iter().rfind(|child| !child.state.is_terminal());
        living.or(self.children.last())
    }

    /// One attempt, by our id of it.
    pub fn attempt(&self, client_order_id: &ClientOrderId) -> Option<&Child> {
        self.children.iter().find(|child| child.client_order_id == *client_order_id)
    }

    /// Takes one event and says what to do about it.
    pub fn step(
        &mut self,
        event: MirrorEvent,
        follower: &FollowerId,
        now: Timestamp,
    ) -> Result<Vec<MirrorEffect>, IllegalTransition> {
        match event {
            MirrorEvent::Target { target, sizing, tick, purpose } => {
                self.tick = tick;
                self.on_target(target, sizing, purpose, follower)
            }
            MirrorEvent::Release => self.on_release(now),
            MirrorEvent::Give(reason) => self.give_up(reason),
            MirrorEvent::Answer(answer) => self.on_answer(answer),
            MirrorEvent::Report(report) => self.on_report(report),
            MirrorEvent::ProvenAbsent { again } => self.on_absent(again, follower),
        }
    }

    /// How far what was sent is from what should be.
    pub fn gap(&self) -> Option<Gap> {
        let child = self.child().filter(|child| !child.state.is_terminal())?;
        if child.state == ChildState::Planned {
            return None;
        }
        match &self.target {
            Target::Open(terms) if *terms != child.terms => Some(Gap::Changed),
            Target::Gone(_) => Some(Gap::LeftBehind),
            Target::Open(_) | Target::Undecided => None,
        }
    }

    /// Units the follower may come to hold through this mirror at the worst (P5).
    pub fn worst_case(&self) -> u64 {
        let each =
            self.children.iter().map(|child| child.state.worst_case(child.terms.quantity, child.cumulative));
        each.map(|quantity| u64::from(quantity.get())).sum()
    }

    fn on_target(
        &mut self,
        target: Target,
        sizing: Option<Sizing>,
        purpose: Purpose,
        follower: &FollowerId,
    ) -> Result<Vec<MirrorEffect>, IllegalTransition> {
        // A skipped order stays skipped, a given-up one given up: late entries are worse than missed ones.
        if matches!(self.outcome, Outcome::Skipped | Outcome::Voided) {
            return Ok(Vec::new());
        }
        // A status that says nothing of the exchange undoes no decision taken when one did.
        if target == Target::Undecided && self.target != Target::Undecided {
            return Ok(Vec::new());
        }
        self.target = target;
        self.sizing = sizing.or(self.sizing);
        match (self.target.clone(), self.children.last_mut()) {
            (Target::Open(terms), None) => Ok(self.plan(terms, purpose, follower, 1)),
            (Target::Open(terms), Some(child)) if child.state == ChildState::Planned => {
                child.terms = terms;
                Ok(Vec::new())
            }
            (Target::Gone(reason), None) => {
                self.outcome = Outcome::Skipped;
                self.reason = Some(reason);
                Ok(Vec::new())
            }
            (Target::Gone(reason), Some(child)) if child.state == ChildState::Planned => self.give_up(reason),
            _ => Ok(Vec::new()),
        }
    }

    fn plan(
        &mut self,
        terms: OrderTerms,
        purpose: Purpose,
        follower: &FollowerId,
        attempt: u16,
    ) -> Vec<MirrorEffect> {
        let key = ChildKey {
            trading_day: self.leader.trading_day,
            leader_order: self.leader.broker_order_id.clone(),
            follower: follower.clone(),
            leg: 0,
            slice: 0,
            attempt,
        };
        // One attempt is the rule: room for four, as a list makes it by itself, is two thirds of a mirror's memory.
        self.children.reserve_exact(1);
        self.children.push(Child {
            client_order_id: ClientOrderId::derive(&key),
            key,
            terms,
            purpose,
            state: ChildState::Planned,
            broker_order_id: None,
            status: None,
            cumulative: Quantity::ZERO,
            average_price: Price::ZERO,
            reason: None,
            ts_sent: None,
            recorded: None,
        });
        if self.outcome == Outcome::AwaitingLeader {
            self.outcome = Outcome::Waiting;
        }
        vec![MirrorEffect::Queue(purpose)]
    }

    fn on_release(&mut self, now: Timestamp) -> Result<Vec<MirrorEffect>, IllegalTransition> {
        let (worst_case, target) = (self.worst_case(), self.target_units());
        let Some(child) = self.children.last_mut() else { return Ok(Vec::new()) };
        let next = transition(&child.state, ChildEvent::Released)?;
        // P5, checked at the last place before the wire: what may be filled already, and this, within the target.
        if worst_case + u64::from(child.terms.quantity.get()) > target {
            return self.give_up(DeniedReason::LeaderGone);
        }
        child.state = next;
        child.ts_sent = Some(now);
        let placement = Placement {
            client_order_id: child.client_order_id.clone(),
            terms: child.terms.clone(),
            purpose: child.purpose,
        };
        self.outcome = Outcome::Sent;
        Ok(vec![MirrorEffect::Place(RiskApproved::new(placement))])
    }

    fn give_up(&mut self, reason: DeniedReason) -> Result<Vec<MirrorEffect>, IllegalTransition> {
        if let Some(child) = self.children.last_mut() {
            child.state = transition(&child.state, ChildEvent::Voided)?;
        }
        self.outcome = Outcome::Voided;
        self.reason = Some(reason);
        Ok(Vec::new())
    }

    fn on_answer(&mut self, answer: PlaceAnswer) -> Result<Vec<MirrorEffect>, IllegalTransition> {
        let Some(child) = self.children.last_mut() else { return Ok(Vec::new()) };
        match answer {
            PlaceAnswer::Accepted(broker_order_id) => {
                child.state = transition(&child.state, ChildEvent::Accepted(broker_order_id.clone()))?;
                child.broker_order_id.get_or_insert(broker_order_id);
                Ok(Vec::new())
            }
            PlaceAnswer::Refused(words) => {
                child.state = transition(&child.state, ChildEvent::Refused)?;
                child.reason = Some(words);
                Ok(Vec::new())
            }
            PlaceAnswer::NotSent => {
                child.state = transition(&child.state, ChildEvent::NotSent)?;
                Ok(vec![MirrorEffect::Queue(child.purpose)])
            }
            PlaceAnswer::Busy | PlaceAnswer::Lost => {
                child.state = transition(&child.state, ChildEvent::AnswerLost)?;
                let resolve = child.state == ChildState::Unknown;
                Ok(if resolve { vec![MirrorEffect::Resolve] } else { Vec::new() })
            }
        }
    }

    fn on_report(&mut self, report: ChildReport) -> Result<Vec<MirrorEffect>, IllegalTransition> {
        // A report may be about an earlier attempt that was thought absent.
        let mut children = self.children.iter_mut();
        let Some(child) = children.find(|child| child.client_order_id == report.client_order_id) else {
            return Ok(Vec::new());
        };
        let event = ChildEvent::Reported {
            broker_order_id: report.broker_order_id.clone(),
            status: report.status.clone(),
        };
        let was_over = child.state.is_terminal();
        let came_back = child.was_given_up();
        child.state = transition(&child.state, event)?;
        child.broker_order_id.get_or_insert(report.broker_order_id);
        if !was_over || came_back {
            child.status = Some(report.status);
            child.reason = report.reason.or(child.reason.take());
        }
        let mut effects = Vec::new();
        let growth = report.cumulative.saturating_sub(child.cumulative);
        if !growth.is_zero() {
            child.cumulative = report.cumulative;
            child.average_price = report.average_price;
            effects.push(MirrorEffect::Filled(growth));
            let excess = child.cumulative.saturating_sub(child.terms.quantity);
            if !excess.is_zero() {
                effects.push(MirrorEffect::Overfilled(excess));
            }
        }
        if came_back {
            self.outcome = Outcome::Sent;
            self.reason = None;
            self.make_room()?;
        }
        Ok(effects)
    }

    /// Voids a planned attempt that an earlier one, thought absent, leaves no room for (P2, P5).
    fn make_room(&mut self) -> Result<(), IllegalTransition> {
        let (worst_case, target) = (self.worst_case(), self.target_units());
        if let Some(child) = self.children.last_mut().filter(|child| child.state == ChildState::Planned)
            && worst_case + u64::from(child.terms.quantity.get()) > target
        {
            child.state = transition(&child.state, ChildEvent::Voided)?;
        }
        Ok(())
    }

    fn target_units(&self) -> u64 {
        match &self.target {
            Target::Open(terms) => u64::from(terms.quantity.get()),
            Target::Undecided | Target::Gone(_) => 0,
        }
    }

    fn on_absent(
        &mut self,
        again: bool,
        follower: &FollowerId,
    ) -> Result<Vec<MirrorEffect>, IllegalTransition> {
        let Some(child) = self.children.last_mut() else { return Ok(Vec::new()) };
        child.state = transition(&child.state, ChildEvent::ProvenAbsent)?;
        let (attempt, purpose) = (child.key.attempt, child.purpose);
        match self.target.clone() {
            Target::Open(terms) if again => {
                Ok(self.plan(terms, purpose, follower, attempt.saturating_add(1)))
            }
            _ => {
                self.outcome = Outcome::Voided;
                self.reason = Some(DeniedReason::ProvenAbsent);
                Ok(Vec::new())
            }
        }
    }
}

#[cfg(test)]
mod tests;
