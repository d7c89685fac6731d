//! The life of one child order of ours, as one transition function.
//!
//! ```text
//! Planned -> Sending -> Working -> Filled | Cancelled | Expired | Rejected
//!    |          |-----> Refused
//!    |          |-----> Unknown -> Working (found) | Absent (proven)
//!    |          '-----> Planned (never left the machine)
//!    '-> Voided
//! ```
//! A pair that is not in the table is an error that names both, never a silent no-op.

use thiserror::Error;

use super::BrokerStatus;
use crate::ids::BrokerOrderId;
use crate::quantity::Quantity;

/// Where a child order stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChildState {
    /// Decided, not on the wire: waiting for the broker's budget. May still be voided (P8).
    Planned,
    /// Durably about to be sent, sent, or sent and not answered yet. Never sent a second time from here (P1).
    Sending,
    /// The answer was lost. Ends by evidence only (P3).
    Unknown,
    /// The broker has it.
    Working {
        /// The broker's id.
        broker_order_id: BrokerOrderId,
    },
    /// Filled completely.
    Filled,
    /// Cancelled; what was filled stays filled.
    Cancelled,
    /// Expired at the close; what was filled stays filled.
    Expired,
    /// Rejected by the broker or the exchange after the request was taken.
    Rejected,
    /// The request was refused.
    Refused,
    /// Proven never to have reached the broker's book.
    Absent,
    /// Given up before it was sent.
    Voided,
}

/// What can happen to a child order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChildEvent {
    /// The budget allows it; its intent is being committed.
    Released,
    /// The request provably never left.
    NotSent,
    /// The broker took the request.
    Accepted(BrokerOrderId),
    /// The broker refused the request.
    Refused,
    /// No answer, or none that proves anything.
    AnswerLost,
    /// Evidence of the order from book, lookup or stream.
    Reported {
        /// The broker's id.
        broker_order_id: BrokerOrderId,
        /// The broker's word.
        status: BrokerStatus,
    },
    /// The rule of absence is satisfied (P4).
    ProvenAbsent,
    /// Given up before sending.
    Voided,
}

/// A pair that has no meaning.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a child order that is {state:?} cannot take {event:?}")]
pub struct IllegalTransition {
    /// State it was in.
    pub state: ChildState,
    /// What came.
    pub event: ChildEvent,
}

impl ChildState {
    /// Whether its placing may be on the wire, or its answer was lost.
    pub const fn is_unanswered(&self) -> bool {
        matches!(self, Self::Sending | Self::Unknown)
    }

    /// Whether its life is over.
    pub const fn is_terminal(&self) -> bool {
        !matches!(self, Self::Planned | Self::Sending | Self::Unknown | Self::Working { .. })
    }

    /// The state as one word, for tables and logs.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Working { .. } => "working",
            Self::Filled => "filled",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
            Self::Absent => "absent",
            Self::Voided => "voided",
        }
    }

    /// How many of `ordered` units the follower may come to hold through it, `filled` of them held already: the
    /// worst case that P5 counts.
    pub const fn worst_case(&self, ordered: Quantity, filled: Quantity) -> Quantity {
        match self {
            Self::Sending | Self::Unknown | Self::Working { .. } => ordered,
            Self::Planned | Self::Refused | Self::Absent | Self::Voided => Quantity::ZERO,
            Self::Filled | Self::Cancelled | Self::Expired | Self::Rejected => filled,
        }
    }
}

/// The one place where a child order changes state.
pub fn transition(state: &ChildState, event: ChildEvent) -> Result<ChildState, IllegalTransition> {
    use ChildState as S;
    match (state, event) {
        (S::Planned, ChildEvent::Released) => Ok(S::Sending),
        (S::Planned, ChildEvent::Voided) => Ok(S::Voided),
        (S::Sending, ChildEvent::NotSent) => Ok(S::Planned),
        (S::Sending | S::Unknown, ChildEvent::Accepted(broker_order_id)) => {
            Ok(S::Working { broker_order_id })
        }
        (S::Sending, ChildEvent::Refused) => Ok(S::Refused),
        (S::Sending | S::Unknown, ChildEvent::AnswerLost) => Ok(S::Unknown),
        (S::Unknown, ChildEvent::ProvenAbsent) => Ok(S::Absent),
        // The stream or the book may know the order before its answer is in. And where we had concluded that it is not
        // there (not sent, voided, refused, absent), and yet it appears, the evidence outweighs every conclusion.
        (
            S::Planned | S::Sending | S::Unknown | S::Working { .. } | S::Voided | S::Absent | S::Refused,
            ChildEvent::Reported { broker_order_id, status },
        ) => Ok(reported(broker_order_id, &status)),
        // The answer that comes after the evidence adds nothing.
        (S::Working { .. }, ChildEvent::Accepted(_) | ChildEvent::AnswerLost) => Ok(state.clone()),
        (state, ChildEvent::Accepted(_) | ChildEvent::AnswerLost) if state.is_terminal() => Ok(state.clone()),
        // Late news of an order that is over: its fills are counted elsewhere, its end stands (P9).
        (S::Filled | S::Cancelled | S::Expired | S::Rejected, ChildEvent::Reported { .. }) => {
            Ok(state.clone())
        }
        (state, event) => Err(IllegalTransition { state: state.clone(), event }),
    }
}

fn reported(broker_order_id: BrokerOrderId, status: &BrokerStatus) -> ChildState {
    match status {
        BrokerStatus::Traded | BrokerStatus::Closed => ChildState::Filled,
        BrokerStatus::Cancelled => ChildState::Cancelled,
        BrokerStatus::Expired => ChildState::Expired,
        BrokerStatus::Rejected => ChildState::Rejected,
        _ => ChildState::Working { broker_order_id },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> BrokerOrderId {
        BrokerOrderId::new("221261123048117").unwrap()
    }

    fn reported(status: BrokerStatus) -> ChildEvent {
        ChildEvent::Reported { broker_order_id: id(), status }
    }

    #[test]
    fn a_lost_answer_ends_by_evidence_only() {
        let unknown = transition(&ChildState::Sending, ChildEvent::AnswerLost).unwrap();
        assert_eq!(unknown, ChildState::Unknown);
        for event in [ChildEvent::Released, ChildEvent::NotSent, ChildEvent::Refused, ChildEvent::Voided] {
            assert!(transition(&unknown, event.clone()).is_err(), "{event:?}");
        }
        assert_eq!(
            transition(&unknown, reported(BrokerStatus::Pending)),
            Ok(ChildState::Working { broker_order_id: id() })
        );
        assert_eq!(transition(&unknown, ChildEvent::ProvenAbsent), Ok(ChildState::Absent));
    }

    #[test]
    fn nothing_is_sent_twice() {
        for state in [ChildState::Sending, ChildState::Unknown, ChildState::Working { broker_order_id: id() }]
        {
            assert!(transition(&state, ChildEvent::Released).is_err(), "{state:?}");
        }
    }

    #[test]
    fn only_what_is_not_sent_can_be_voided() {
        assert_eq!(transition(&ChildState::Planned, ChildEvent::Voided), Ok(ChildState::Voided));
        assert!(transition(&ChildState::Sending, ChildEvent::Voided).is_err());
    }

    #[test]
    fn the_end_stands() {
        for (status, end) in [
            (BrokerStatus::Traded, ChildState::Filled),
            (BrokerStatus::Cancelled, ChildState::Cancelled),
            (BrokerStatus::Expired, ChildState::Expired),
            (BrokerStatus::Rejected, ChildState::Rejected),
        ] {
            let ended = transition(&ChildState::Working { broker_order_id: id() }, reported(status)).unwrap();
            assert_eq!(ended, end);
            assert_eq!(transition(&ended, reported(BrokerStatus::Pending)), Ok(end));
        }
    }
}
