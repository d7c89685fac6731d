//! What a mirror is told, and what it wants done.

use super::allotment::Allotment;
use super::child::{Approved, IntentState, OrderPart};
use super::evidence::{Answer, ChildReport};
use super::legs::LegNews;
use crate::decision::Decision;
use crate::gates::DeniedReason;
use crate::ids::{BrokerOrderId, ChildKey, ClientOrderId};
use crate::order::OrderTerms;
use crate::pacing::Purpose;
use crate::quantity::Quantity;
use crate::time::Timestamp;

/// What can happen to a mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MirrorEvent {
    /// The Sizer's word on the leader's latest state. What comes of it waits for the [`MirrorEvent::Allot`] behind it.
    Plan(Decision),
    /// How much of it the ledger gives this mirror.
    Allot(Allotment),
    /// An operator or a limit stops it: what waits does not leave, what works is cancelled, and it ends detached.
    Stop,
    /// The budget lets what waits of this child go: its placing, change or cancel; until then, if it opens something.
    Release(ClientOrderId, Option<Timestamp>),
    /// The planned child is given up, or the raise that waits of one that works: that stays as large as it is.
    Give(ClientOrderId, DeniedReason),
    /// Of what the planned child, or the raise that waits of one that works, would open, so many units are let through
    /// after all, and no more.
    Cut(ClientOrderId, Quantity, DeniedReason),
    /// The answer to a request.
    Answer {
        /// Of which child.
        client_order_id: ClientOrderId,
        /// Zero for placing, otherwise the number of the change or cancel.
        serial: u32,
        /// What came back.
        answer: Answer,
    },
    /// News from the broker's book or stream.
    Report(Box<ChildReport>),
    /// News of an exit leg of one of the children.
    Leg {
        /// Of which child.
        client_order_id: ClientOrderId,
        /// What is told.
        news: LegNews,
    },
    /// The rule of absence is satisfied for the unknown child. `again`: its quantity may be placed anew.
    ProvenAbsent {
        /// Which.
        client_order_id: ClientOrderId,
        /// Whether the order is still worth sending.
        again: bool,
    },
    /// Time passed.
    Tick,
}

/// Who goes first when requests wait: what frees quantity, then what reduces, then what adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// A cancel.
    Cancel,
    /// An exit, or a change that asks for less.
    Exit,
    /// Anything that can raise exposure.
    Entry,
}

/// What a mirror wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MirrorEffect {
    /// A request about this child waits for the budget, not before that moment.
    Queue(ClientOrderId, Rank, Option<Timestamp>),
    /// Make the intent durable, then send this.
    Send(Approved),
    /// The outcome of a placement is not proven: look for the order.
    Resolve(ClientOrderId),
    /// The account's book should be read soon: a change's fate is open.
    ReadBook,
    /// A child filled by this much more.
    Filled(ClientOrderId, Quantity),
    /// A child's exit leg closed this much more.
    Exited(ClientOrderId, Quantity),
    /// More was filled than was ordered (P10).
    Overfilled(ClientOrderId),
    /// It filled after it had ended (P9).
    FilledLate(ClientOrderId),
    /// Somebody else changed or cancelled a child: the mirror is detached.
    Detached(ClientOrderId),
    /// A child has been changed as often as is allowed, and is left as it is.
    ChangesExhausted(ClientOrderId),
    /// The broker keeps refusing a change or cancel.
    ChangeRefused(ClientOrderId),
    /// An exit came to nothing as often as is borne.
    ExitGivenUp(ClientOrderId),
    /// The same of an order of a square-off, which goes on being tried.
    FlatteningFails,
}

/// A step of a change or cancel that its intent row must follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRecord {
    /// The child's key.
    pub key: ChildKey,
    /// The child.
    pub client_order_id: ClientOrderId,
    /// The child's id at the broker.
    pub broker_order_id: Option<BrokerOrderId>,
    /// The request's number.
    pub serial: u32,
    /// Exit or entry.
    pub purpose: Purpose,
    /// Whether it is a cancel.
    pub is_cancel: bool,
    /// Which part it names.
    pub part: OrderPart,
    /// What was asked for; of a cancel, what the order asked for.
    pub terms: OrderTerms,
    /// The state its row has; none when it has no row yet.
    pub before: Option<IntentState>,
    /// The state its row must be given.
    pub state: IntentState,
}
