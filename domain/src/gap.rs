//! Copy gaps: where a follower differs from what perfect copying of a leader's order would hold, and what was done about
//! it. A gap is not a fault of the books (`ledger_drift` is): both accounts are as their brokers say.

use serde::{Deserialize, Serialize};

use crate::instrument::coded_enum;

coded_enum! {
    /// Why follower and leader parted.
    GapKind {
        /// The broker refused the request to place the copy.
        FollowerRefused = "follower_refused",
        /// The broker or the exchange rejected the copy after taking it.
        FollowerRejected = "follower_rejected",
        /// The copy never arrived, and was not worth sending again.
        FollowerAbsent = "follower_absent",
        /// The leader's order was rejected after the copy had filled.
        LeaderRejected = "leader_rejected",
        /// The leader's order ended with less filled than the copy.
        LeaderCancelled = "leader_cancelled",
        /// The leader's order filled, the copy did not fill as far.
        LeftBehind = "left_behind",
        /// The copy was changed or cancelled by hand.
        Detached = "detached",
        /// The copy has been changed as often as the broker allows.
        ChangesExhausted = "changes_exhausted",
        /// An exit leg of the leader's super order fired, the follower's did not.
        ExitLegMissed = "exit_leg_missed",
        /// The leader has closed by an order whose copy a halt had stopped.
        ExitStopped = "exit_stopped",
    }
}

coded_enum! {
    /// What a policy made of a gap.
    GapResult {
        /// Nothing but this row and an alert.
        Reported = "reported",
        /// What waited at the broker was cancelled; nothing more is owed.
        Cancelled = "cancelled",
        /// An order that makes it good is under way.
        Repairing = "repairing",
        /// Made good.
        Repaired = "repaired",
        /// An order that was to make it good came to nothing.
        Failed = "failed",
    }
}

coded_enum! {
    /// Which gaps are made good by orders of our own.
    GapPolicy {
        /// None.
        Report = "report",
        /// Those that leave the follower holding more than he should: by an exit.
        ExitsOnly = "exits_only",
        /// Those that leave him holding less too: by an entry, through the entry gates.
        Full = "full",
    }
}

/// One gap of one mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Why.
    pub kind: GapKind,
    /// Units filled beyond (positive) or short of (negative) what perfect copying would have filled.
    pub units: i64,
    /// What was done about it.
    pub result: GapResult,
}
