//! Facts a follower wants stored. The Store turns each into rows; nothing here knows tables.

use std::sync::Arc;

use super::{Conversion, Unproven};
use crate::gap::Gap;
use crate::gates::DeniedReason;
use crate::ids::{ClientOrderId, DhanClientId, FollowerId};
use crate::instrument::InstrumentKey;
use crate::leader::LeaderOrder;
use crate::mirror::{ChangeRecord, Child, ChildNote, IntentState, Mirror, Outcome, Permit, Target};
use crate::order::lifecycle::ChildState;
use crate::order::{OrderReport, TradeReport};
use crate::quantity::Quantity;
use crate::sizing::Sizing;
use crate::slippage::FillComparison;
use crate::time::Timestamp;
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
    /// Something of a child has changed though its state has not.
    ChildNote {
        /// Our id of it.
        client_order_id: ClientOrderId,
        /// What its row should say.
        note: ChildNote,
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
    /// By how many units our rows and the account differ in an instrument (P11); zero once they agree again.
    Drift(InstrumentKey, i64),
    /// The leader converted a position, and what was made of it. Takes the place of what stood under its time.
    Converted(Converted),
    /// Nothing came of a request of an earlier day.
    Settled(Unproven),
    /// A fill.
    Trade(TradeReport),
}

/// A conversion of the leader's, and what of it was copied: where what is held is held can be told by it in a new life, and
/// on the next day (`dhanhq-v2.md` section 4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Converted {
    /// The leader's, in his products.
    pub leader: Conversion,
    /// The follower's, in his: none where it is not copied.
    pub copy: Option<Conversion>,
    /// When it was seen: what tells it from others in the same instrument.
    pub at: Timestamp,
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
    /// What it may open; none in rows of before this was recorded.
    pub permit: Option<Permit>,
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
            permit: Some(mirror.permit()),
        }
    }
}

impl Record {
    /// The records that bring the rows of a mirror up to what it is; none when they are.
    pub(super) fn of(mirror: &mut Mirror, follower: &FollowerId) -> Vec<Self> {
        let mut records = Vec::new();
        let state = MappingState::of(mirror);
        let is_size_recorded = mirror.sizing.is_none() || mirror.is_size_recorded;
        if mirror.recorded != Some(state) || !is_size_recorded {
            mirror.recorded = Some(state);
            mirror.is_size_recorded = mirror.sizing.is_some();
            records.push(Self::Mapping {
                leader: Arc::clone(&mirror.leader),
                follower: follower.clone(),
                state,
                sizing: mirror.sizing,
            });
        }
        let (leader_account, event) = (mirror.leader.account.clone(), mirror.leader.fingerprint());
        let of_change = |change: ChangeRecord| Self::Change {
            change: Box::new(change),
            leader_account: leader_account.clone(),
            event,
        };
        // What has become of a request makes room for what follows from it.
        let (news, new): (Vec<_>, Vec<_>) =
            mirror.change_records.drain(..).partition(|change| change.before.is_some());
        records.extend(news.into_iter().map(of_change));
        // What is held as something else counts as that from now on: before another of them is judged beside it.
        for child in mirror.children.iter_mut().filter(|child| child.is_held_otherwise()) {
            child.noted_quantity = child.terms.quantity;
            let (before, child) = (child.recorded, Box::new(child.clone()));
            records.push(Self::Intent { child, before, leader_account: leader_account.clone(), event });
        }
        // What is void takes no room any more: the rows hear of it before what takes its place leaves (P5).
        for is_void in [true, false] {
            let of_these = |child: &&mut Child| (child.state == ChildState::Voided) == is_void;
            for child in mirror.children.iter_mut().filter(of_these) {
                let (before, state) = (child.recorded, child.intent_state());
                let note = child.note();
                let is_noted = before.is_none() || child.noted == note;
                (child.recorded, child.noted) = (Some(state), note);
                if before != Some(state) {
                    child.noted_quantity = child.terms.quantity;
                    let child = Box::new(child.clone());
                    let leader_account = leader_account.clone();
                    records.push(Self::Intent { child, before, leader_account, event });
                }
                if !is_noted {
                    records.push(Self::ChildNote { client_order_id: child.client_order_id.clone(), note });
                }
            }
        }
        records.extend(new.into_iter().map(of_change));
        if mirror.gap != mirror.recorded_gap {
            mirror.recorded_gap = mirror.gap;
            let (leader, follower) = (Arc::clone(&mirror.leader), follower.clone());
            records.extend(mirror.gap.map(|gap| Self::Gap { leader, follower, gap }));
        }
        records
    }
}
