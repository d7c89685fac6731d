//! Facts a follower wants stored. The Store turns each into rows; nothing here knows tables.

use std::sync::Arc;

use crate::gap::Gap;
use crate::gates::DeniedReason;
use crate::ids::{ClientOrderId, DhanClientId, FollowerId};
use crate::instrument::InstrumentKey;
use crate::leader::LeaderOrder;
use crate::mirror::{ChangeRecord, Child, IntentState, Mirror, Outcome, Target};
use crate::order::{OrderReport, TradeReport};
use crate::quantity::Quantity;
use crate::sizing::Sizing;
use crate::slippage::FillComparison;
use crate::trading::Trading;
use crate::translate::Note;

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
        state: MappingState,
        /// What the size was computed from.
        sizing: Option<Sizing>,
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
    /// A step of a request to change or cancel a child.
    Change {
        /// The step.
        change: Box<ChangeRecord>,
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
    /// What the broker reported of an exit leg of an order of ours; its parent is named in it.
    Leg(Box<OrderReport>),
    /// What the broker reported of an order that somebody else placed in the account.
    External(Box<OrderReport>),
    /// How the follower's fills compare with the leader's.
    Fills {
        /// The leader's order.
        leader: Arc<LeaderOrder>,
        /// The follower.
        follower: FollowerId,
        /// The comparison.
        comparison: FillComparison,
    },
    /// How far leader and follower have parted.
    Gap {
        /// The leader's order.
        leader: Arc<LeaderOrder>,
        /// The follower.
        follower: FollowerId,
        /// The gap.
        gap: Gap,
    },
    /// The account's trading state.
    Trading(Trading),
    /// What was held in an instrument before anything of this day was copied.
    Opening(Opening),
    /// A fill.
    Trade(TradeReport),
}

/// What is held in an instrument at the start of a day's copying: recorded once, so that what is copied can be told from
/// what is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// The instrument.
    pub instrument: InstrumentKey,
    /// Units that the leader holds, signed: never copied, part of his net when fractions are taken.
    pub leader: i64,
    /// Units that the follower holds because of copies of earlier days.
    pub copied: i64,
    /// Units that his owner holds apart from the copies: never sold.
    pub own: i64,
}

/// The part of a mapping that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MappingState {
    /// What became of it.
    pub outcome: Outcome,
    /// Why, for those not copied, and for those taken back.
    pub reason: Option<DeniedReason>,
    /// How the copy differs in kind.
    pub note: Option<Note>,
    /// Units the follower's order should have; zero when there is to be none.
    pub target: Quantity,
    /// Of these, units that close what is held.
    pub closing: Quantity,
    /// Units asked of the broker that are working, unknown or filled.
    pub copied: Quantity,
    /// Units filled.
    pub filled: Quantity,
}

impl MappingState {
    pub(super) fn of(mirror: &Mirror) -> Self {
        let target = match &mirror.target {
            Target::Open(terms) => terms.quantity,
            Target::Undecided | Target::Gone(_) => Quantity::ZERO,
        };
        let units = |total: u64| Quantity::new(u32::try_from(total).unwrap_or(u32::MAX));
        Self {
            outcome: mirror.outcome,
            reason: mirror.reason,
            note: mirror.note,
            target,
            closing: target.min(Quantity::new(mirror.allotment.map_or(0, |allotment| allotment.closing))),
            copied: units(mirror.worst_case()),
            filled: units(mirror.filled()),
        }
    }
}

impl Record {
    /// The records that bring the rows of a mirror up to what it is; none when they are.
    pub(super) fn of(mirror: &mut Mirror, follower: &FollowerId) -> Vec<Self> {
        let mut records = Vec::new();
        let state = MappingState::of(mirror);
        if mirror.recorded != Some(state) {
            mirror.recorded = Some(state);
            records.push(Self::Mapping {
                leader: Arc::clone(&mirror.leader),
                follower: follower.clone(),
                state,
                sizing: mirror.sizing,
            });
        }
        let (leader_account, event) = (mirror.leader.account.clone(), mirror.leader.fingerprint());
        for child in &mut mirror.children {
            let (before, state) = (child.recorded, child.intent_state());
            if before == Some(state) {
                continue;
            }
            child.recorded = Some(state);
            let child = Box::new(child.clone());
            records.push(Self::Intent { child, before, leader_account: leader_account.clone(), event });
        }
        for change in mirror.change_records.drain(..) {
            let change = Box::new(change);
            records.push(Self::Change { change, leader_account: leader_account.clone(), event });
        }
        if mirror.gap != mirror.recorded_gap {
            mirror.recorded_gap = mirror.gap;
            let (leader, follower) = (Arc::clone(&mirror.leader), follower.clone());
            records.extend(mirror.gap.map(|gap| Self::Gap { leader, follower, gap }));
        }
        records
    }
}
