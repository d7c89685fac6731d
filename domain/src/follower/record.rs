//! Facts a follower wants stored. The Store turns each into rows; nothing here knows tables.

use std::sync::Arc;

use crate::gates::DeniedReason;
use crate::ids::FollowerId;
use crate::leader::LeaderOrder;
use crate::mirror::{Child, Mirror, Outcome};
use crate::order::TradeReport;
use crate::quantity::Quantity;
use crate::sizing::Sizing;

/// One fact.
#[derive(Debug, Clone)]
pub enum Record {
    /// The leader's order was seen in this state: the inbox row that no intent may stand without.
    LeaderEvent(Arc<LeaderOrder>),
    /// What became of a leader order at this follower.
    Mapping {
        /// The leader's order.
        leader: Arc<LeaderOrder>,
        /// The follower.
        follower: FollowerId,
        /// What became of it.
        outcome: Outcome,
        /// Why, for those not copied.
        reason: Option<DeniedReason>,
        /// What the size was computed from.
        sizing: Option<Sizing>,
        /// Units the follower's order should have; zero when there is to be none.
        target: Quantity,
    },
    /// A child order as it stands: intent and order in one.
    Intent(Box<Child>),
    /// A fill.
    Trade(TradeReport),
}

impl Record {
    pub(super) fn mapping(mirror: &Mirror, follower: &FollowerId) -> Self {
        let target = match &mirror.target {
            crate::mirror::Target::Open(terms) => terms.quantity,
            _ => Quantity::ZERO,
        };
        Self::Mapping {
            leader: Arc::clone(&mirror.leader),
            follower: follower.clone(),
            outcome: mirror.outcome,
            reason: mirror.reason,
            sizing: mirror.sizing,
            target,
        }
    }

    pub(super) fn intent(child: &Child) -> Self {
        Self::Intent(Box::new(child.clone()))
    }
}
