//! One child order of a mirror: what was asked of the broker, what it is known to be, and at most one request to change or
//! cancel it.

use std::sync::Arc;

use crate::gates::RiskApproved;
use crate::ids::{BrokerOrderId, ChildKey, ClientOrderId};
use crate::instrument::coded_enum;
use crate::order::lifecycle::ChildState;
use crate::order::{BrokerStatus, Leg, OrderForm, OrderTerms, OrderType, TimeInForce};
use crate::pacing::Purpose;
use crate::price::Price;
use crate::quantity::Quantity;
use crate::time::Timestamp;

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
    /// Where the durable intent of a request stands: the row behind a child's state, and behind each of its changes.
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
        /// Proven not to be at the broker (P4); of a change or cancel: proven to have had no effect.
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
    /// What it asks for now, as far as the broker has taken it; of a planned one, what it will ask for.
    pub terms: OrderTerms,
    /// What it asked for before, by changes of ours: a human's hand is told from ours by it.
    pub asked_before: Vec<OrderTerms>,
    /// Exit or entry.
    pub purpose: Purpose,
    /// Where it stands.
    pub state: ChildState,
    /// The broker's id, once known.
    pub broker_order_id: Option<BrokerOrderId>,
    /// The broker's word, once known.
    pub status: Option<BrokerStatus>,
    /// The quantity the broker showed last; counts in the worst case until it agrees with ours.
    pub shown: Option<Quantity>,
    /// Whether its stop has fired: it is a limit since, and is changed as one.
    pub has_fired: bool,
    /// Units filled.
    pub cumulative: Quantity,
    /// Average price of what is filled.
    pub average_price: Price,
    /// When the broker filled the newest of it, by its own clock; none before.
    pub ts_filled: Option<Timestamp>,
    /// Why it was refused, rejected, cancelled or expired.
    pub reason: Option<Arc<str>>,
    /// When it was released to the wire. It is committed first and may wait in lines: absence is counted from the loss of
    /// its answer.
    pub ts_sent: Option<Timestamp>,
    /// The state its intent row was last given; none while it has no row.
    pub recorded: Option<IntentState>,
    /// What its row was last given beside the state.
    pub noted: ChildNote,
    /// The quantity its row was last given while it was held.
    pub noted_quantity: Quantity,
    /// The change or cancel that is wanted, under way or not confirmed.
    pub request: Option<Box<ChangeRequest>>,
    /// Number of the last request to change or cancel it.
    pub serial: u32,
    /// Changes that the broker may have counted.
    pub changes: u16,
    /// When the last request about it left.
    pub ts_changed: Option<Timestamp>,
    /// When those before left that an earlier life sent: the broker's windows count them (P18).
    pub sent_before: Vec<Timestamp>,
    /// Requests in a row that came to nothing.
    pub failures: u16,
    /// No request before this moment.
    pub held_until: Option<Timestamp>,
    /// A cancel of all of it has left and was not refused: that it ends cancelled is our doing.
    pub cancel_asked: bool,
    /// A cancel of all of it was taken, or its answer lost: it may act still, whatever became of later ones.
    pub cancel_may_act: bool,
    /// Changed as often as is allowed: to be cancelled, its rest to be placed anew.
    pub is_retired: bool,
    /// Its price follows the market by now.
    pub is_chased: bool,
    /// A change the broker does not take: not asked for again.
    pub refused_change: Option<Box<OrderTerms>>,
    /// Its exit legs, where it has some that were seen.
    pub legs: Vec<ChildLeg>,
}

/// What may change of a child though its state does not, and nothing else on record tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChildNote {
    /// Exit or entry, by now.
    pub purpose: Purpose,
    /// Whether what it left unfilled is free for another.
    pub is_retired: bool,
    /// Whether its stop has fired.
    pub has_fired: bool,
}

/// An exit leg of a super order of ours, as the account's book shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildLeg {
    /// The leg's own id.
    pub broker_order_id: BrokerOrderId,
    /// Stop or target.
    pub leg: Leg,
    /// Units it has closed.
    pub cumulative: Quantity,
    /// Whether it has fired: the other is cancelled then, by the broker.
    pub has_fired: bool,
    /// Whether it is over.
    pub is_over: bool,
}

/// A request to change or cancel a child order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRequest {
    /// What is asked.
    pub change: Change,
    /// Where it stands.
    pub state: ChangeState,
    /// Its number among the child's requests; zero while planned.
    pub serial: u32,
    /// When it was released; from its answer on, or the loss of it, when that was: until then it may have left.
    pub ts_sent: Option<Timestamp>,
    /// Evidence of its effect came before its answer.
    pub is_seen: bool,
    /// It moves a price after the market.
    pub is_chase: bool,
}

/// What can be asked of an order that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// To look like this; everything is restated, the quantity is the total.
    Modify {
        /// The whole order.
        terms: OrderTerms,
        /// Which part the request names.
        part: OrderPart,
    },
    /// To go.
    Cancel {
        /// Which part.
        part: OrderPart,
    },
}

/// Where a request to change or cancel stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeState {
    /// Waits for the budget; may still become another.
    Planned,
    /// Durably about to be sent, sent, or sent and not answered yet.
    Sending,
    /// The answer was lost.
    Unknown,
    /// The broker took it; its effect was not seen yet.
    Acked,
}

impl ChangeState {
    /// Whether the request may be on the wire, or its answer was lost.
    pub const fn is_unanswered(self) -> bool {
        matches!(self, Self::Sending | Self::Unknown)
    }
}

/// A request that may leave: what [`RiskApproved`] wraps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Our id of the child order.
    pub client_order_id: ClientOrderId,
    /// Zero for placing, otherwise its number among the child's changes and cancels.
    pub serial: u32,
    /// Exit or entry.
    pub purpose: Purpose,
    /// The last moment at which it may leave: what it opens is too old after it (P13), and its commit may take long. None
    /// where it opens nothing.
    pub until: Option<Timestamp>,
    /// What is asked.
    pub ask: Ask,
}

impl Request {
    /// Whether it has become too old to leave.
    pub fn is_too_late(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| now > until)
    }
}

/// What a request asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A new order.
    Place(OrderTerms),
    /// A change.
    Modify {
        /// Which order.
        broker_order_id: BrokerOrderId,
        /// The whole of it.
        terms: OrderTerms,
        /// Which part the request names.
        part: OrderPart,
    },
    /// A cancel.
    Cancel {
        /// Which order.
        broker_order_id: BrokerOrderId,
        /// What it asks for now.
        terms: OrderTerms,
        /// Which part.
        part: OrderPart,
    },
}

/// An approved request.
pub type Approved = RiskApproved<Request>;

impl Child {
    /// A child that nothing has been asked of the broker for.
    pub fn planned(key: ChildKey, terms: OrderTerms, purpose: Purpose) -> Self {
        Self {
            client_order_id: ClientOrderId::derive(&key),
            key,
            terms,
            asked_before: Vec::new(),
            purpose,
            state: ChildState::Planned,
            broker_order_id: None,
            status: None,
            shown: None,
            has_fired: false,
            cumulative: Quantity::ZERO,
            average_price: Price::ZERO,
            ts_filled: None,
            reason: None,
            ts_sent: None,
            recorded: None,
            noted: ChildNote { purpose, is_retired: false, has_fired: false },
            noted_quantity: Quantity::ZERO,
            request: None,
            serial: 0,
            changes: 0,
            ts_changed: None,
            sent_before: Vec::new(),
            failures: 0,
            held_until: None,
            cancel_asked: false,
            cancel_may_act: false,
            is_retired: false,
            is_chased: false,
            refused_change: None,
            legs: Vec::new(),
        }
    }

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

    /// What its row should say beside the state.
    pub const fn note(&self) -> ChildNote {
        ChildNote { purpose: self.purpose, is_retired: self.is_retired, has_fired: self.has_fired }
    }

    /// Whether it is held and its row still names another quantity: the rows of a mirror are judged together (P5).
    pub fn is_held_otherwise(&self) -> bool {
        self.state == ChildState::Planned
            && self.recorded == Some(self.intent_state())
            && self.noted_quantity != self.terms.quantity
    }

    /// Whether it may still trade.
    pub const fn is_live(&self) -> bool {
        !self.state.is_terminal()
    }

    /// Units it may come to hold at the worst: what P5 counts.
    pub fn worst_case(&self) -> Quantity {
        self.state.worst_case(self.ordered(), self.cumulative)
    }

    /// The same, with what was let through and has not left yet: what the entry gates count.
    pub fn at_most(&self) -> Quantity {
        let waiting = match self.request.as_deref() {
            Some(ChangeRequest {
                change: Change::Modify { terms, .. }, state: ChangeState::Planned, ..
            }) => terms.quantity,
            _ => Quantity::ZERO,
        };
        match self.state {
            ChildState::Planned => self.terms.quantity,
            _ if self.is_live() => self.worst_case().max(waiting),
            _ => self.worst_case(),
        }
    }

    /// Units that it adds once what waits of it has left.
    pub fn opens_yet(&self) -> Quantity {
        match (&self.state, self.request.as_deref()) {
            (ChildState::Planned, _) => self.terms.quantity,
            (_, Some(ChangeRequest { change: Change::Modify { terms, .. }, .. })) => {
                terms.quantity.saturating_sub(self.worst_case())
            }
            _ => Quantity::ZERO,
        }
    }

    /// Units asked for. Until the broker shows a change, the larger counts.
    pub fn ordered(&self) -> Quantity {
        let under_way = match self.request.as_deref() {
            Some(ChangeRequest {
                change: Change::Modify { terms, .. },
                state: ChangeState::Sending | ChangeState::Unknown | ChangeState::Acked,
                ..
            }) => terms.quantity,
            _ => Quantity::ZERO,
        };
        self.terms.quantity.max(under_way).max(self.shown.unwrap_or_default())
    }

    /// It is over: it asked for what it is shown to have asked for, whatever was taken since and came too late.
    pub fn end_as(&mut self, shown: &OrderTerms) {
        let known = self.asked_before.iter().rposition(|asked| is_of(asked, shown));
        if let Some(known) = known.filter(|_| !is_of(&self.terms, shown)) {
            std::mem::swap(&mut self.terms, &mut self.asked_before[known]);
        }
    }

    /// Its stop has fired: what it asks for is a limit without a trigger now, and that is nobody's change.
    pub fn fire(&mut self) {
        self.has_fired = true;
        if self.terms.order_type.is_stop() {
            self.asked_before.push(self.terms.clone());
            (self.terms.order_type, self.terms.trigger) = (OrderType::Limit, Price::ZERO);
        }
    }

    /// A leg whose cancel was taken is none any more.
    pub const fn forget_leg(&mut self, part: OrderPart) {
        if let OrderForm::Super(legs) = &mut self.terms.form {
            match part {
                OrderPart::Target => legs.target = None,
                OrderPart::Stop => legs.stop = None,
                OrderPart::Whole | OrderPart::Entry => {}
            }
        }
    }

    /// Whether it is a super order.
    pub const fn is_super(&self) -> bool {
        matches!(self.terms.form, OrderForm::Super(_))
    }

    /// Whether it is a forever order.
    pub const fn is_forever(&self) -> bool {
        matches!(self.terms.form, OrderForm::Forever(_))
    }

    /// Units its exit legs have closed, told or not: `CLOSED` says that one of them has fired in full
    /// (`dhanhq-v2.md` section 3.1), and may come before that leg's own report.
    pub fn closed(&self) -> Quantity {
        let all = if self.status == Some(BrokerStatus::Closed) { self.cumulative } else { Quantity::ZERO };
        let told = self.legs.iter().map(|leg| leg.cumulative.get()).sum();
        Quantity::new(told).max(all)
    }

    /// Whether exit legs of it may still act, or have acted without our knowing: those that are asked for and were not
    /// seen yet count.
    pub fn legs_live_on(&self) -> bool {
        let OrderForm::Super(asked) = &self.terms.form else { return false };
        let is_unseen = |leg: Leg| self.legs.iter().all(|seen| seen.leg != leg);
        self.legs.iter().any(|leg| !leg.is_over)
            || (asked.target.is_some() && is_unseen(Leg::Target))
            || (asked.stop.is_some() && is_unseen(Leg::StopLoss))
    }

    /// Takes the order for what it is shown as, where that is something we asked for once. Its exit legs, which no report
    /// of the order itself shows, stay.
    pub(super) fn be_as_shown(&mut self, shown: &OrderTerms) {
        if is_of(&self.terms, shown) {
            return;
        }
        let Some(known) = self.asked_before.iter().rposition(|asked| is_of(asked, shown)) else { return };
        let earlier = OrderTerms { form: self.terms.form, ..self.asked_before[known].clone() };
        let later = std::mem::replace(&mut self.terms, earlier);
        if !self.asked_before.contains(&later) {
            self.asked_before.push(later);
        }
    }

    /// Whether a request about it may be on the wire.
    pub fn is_in_flight(&self) -> bool {
        self.state.is_unanswered()
            || self.request.as_deref().is_some_and(|request| request.state.is_unanswered())
    }

    /// Whether the broker shows the limit that a stop becomes when it fires, and not the one it may have been before we
    /// made a stop of it: such a frame may be old.
    pub fn is_fired_as(&self, shown: &OrderTerms) -> bool {
        let was_limit = |asked: &OrderTerms| !asked.order_type.is_stop() && is_of(asked, shown);
        self.terms.order_type.is_stop()
            && shown.order_type == OrderType::Limit
            && is_of(&self.terms, shown)
            && !self.asked_before.iter().any(was_limit)
    }

    /// Whether what the broker shows can have come of something we asked.
    pub fn explains(&self, shown: &OrderTerms) -> bool {
        let under_way = self.request.as_deref().and_then(|request| match &request.change {
            Change::Modify { terms, .. } => Some(terms),
            Change::Cancel { .. } => None,
        });
        self.asked_before.iter().chain([&self.terms]).chain(under_way).any(|asked| is_of(asked, shown))
    }
}

impl Change {
    /// Which part it is about.
    pub const fn part(&self) -> OrderPart {
        match self {
            Self::Modify { part, .. } | Self::Cancel { part } => *part,
        }
    }

    /// Whether it is a cancel of the whole order.
    pub const fn is_full_cancel(&self) -> bool {
        matches!(self, Self::Cancel { part: OrderPart::Whole | OrderPart::Entry })
    }
}

/// Whether the broker shows an order that was asked for like this: a market order as the limit it was made, a fired stop
/// as the limit it became (`dhanhq-v2.md` section 2.9). How much it discloses and which legs it has are not shown alike
/// everywhere, and do not count.
pub(super) fn is_of(asked: &OrderTerms, shown: &OrderTerms) -> bool {
    if asked.quantity != shown.quantity {
        return false;
    }
    let same_validity = asked.time_in_force == shown.time_in_force;
    match (asked.order_type, shown.order_type) {
        // Some brokers' market orders are immediate; that is no change of anybody's.
        (OrderType::Market, OrderType::Market | OrderType::Limit) => {
            same_validity || shown.time_in_force == TimeInForce::Ioc
        }
        (OrderType::StopLoss | OrderType::StopLossMarket, OrderType::Limit) => {
            let priced = asked.order_type == OrderType::StopLossMarket || asked.price == shown.price;
            same_validity && shown.trigger.is_zero() && priced
        }
        (asked_type, shown_type) => {
            let triggers = !asked_type.is_stop() || asked.trigger == shown.trigger;
            asked_type == shown_type && same_validity && asked.price == shown.price && triggers
        }
    }
}
