//! Facts a follower wants stored. The Store turns each into rows; nothing here knows tables.

use std::sync::Arc;

use crate::gates::DeniedReason;
use crate::ids::{ClientOrderId, DhanClientId, FollowerId};
use crate::leader::LeaderOrder;
use crate::mirror::{Child, IntentState, Mirror, Outcome, Target};
use crate::order::{OrderReport, TradeReport};
use crate::quantity::Quantity;
use crate::sizing::Sizing;
use crate::slippage::FillComparison;

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
        /// Units asked of the broker that are working, unknown or filled.
        copied: Quantity,
        /// Units filled.
        filled: Quantity,
    },
    /// A child order whose intent row must come into being, or change.
    Intent {
        /// The child as it stands.
        child: Box<Child>,
        /// The state its row has; none when it has no row yet.
        before: Option<IntentState>,
        /// The leader's account.
        leader_account: DhanClientId,
        /// Which state of the leader's order led to it.
        event: i64,
    },
    /// What the broker reported of an order of ours.
    Order {
        /// Our id of it.
        client_order_id: ClientOrderId,
        /// The report.
        report: Box<OrderReport>,
    },
    /// How the follower's fills compare with the leader's.
    Fills {
        /// The leader's order.
        leader: Arc<LeaderOrder>,
        /// The follower.
        follower: FollowerId,
        /// The comparison.
        comparison: FillComparison,
    },
    /// A fill.
    Trade(TradeReport),
}

impl Record {
    pub(super) fn mapping(mirror: &Mirror, follower: &FollowerId) -> Self {
        let target = match &mirror.target {
            Target::Open(terms) => terms.quantity,
            Target::Undecided | Target::Gone(_) => Quantity::ZERO,
        };
        let sum = |of: fn(&Child) -> Quantity| {
            mirror
                .children
                .iter()
                .map(of)
                .fold(Quantity::ZERO, |total, each| total.checked_add(each).unwrap_or(total))
        };
        Self::Mapping {
            leader: Arc::clone(&mirror.leader),
            follower: follower.clone(),
            outcome: mirror.outcome,
            reason: mirror.reason,
            sizing: mirror.sizing,
            target,
            copied: sum(|child| child.state.worst_case(child.terms.quantity, child.cumulative)),
            filled: sum(|child| child.cumulative),
        }
    }

    /// The records that bring the intent rows of a mirror up to its children.
    pub(super) fn intents(mirror: &mut Mirror) -> Vec<Self> {
        let mut records = Vec::new();
        for child in &mut mirror.children {
            let (before, state) = (child.recorded, child.intent_state());
            if before == Some(state) {
                continue;
            }
            child.recorded = Some(state);
            records.push(Self::Intent {
                child: Box::new(child.clone()),
                before,
                leader_account: mirror.leader.account.clone(),
                event: mirror.leader.fingerprint(),
            });
        }
        records
    }
}
