//! Whether an account trades: the state that an operator or a limit puts it in, which outlives restarts (P17).

use serde::{Deserialize, Serialize};

use crate::instrument::coded_enum;
use crate::time::Timestamp;

coded_enum! {
    /// What may be sent for a follower. Only an operator makes it more than it is.
    TradingState {
        /// Everything that the gates let through.
        Active = "active",
        /// Nothing that opens or adds; what works goes on working; exits and cancels pass.
        Reducing = "reducing",
        /// Nothing that opens or adds, and entries that worked were cancelled; exits and cancels pass.
        Halted = "halted",
    }
}

coded_enum! {
    /// Why a follower is not active.
    HaltCause {
        /// An operator said so.
        Operator = "operator",
        /// The account lost more today than its owner bears.
        DailyLoss = "daily_loss",
        /// The broker rejected order after order.
        Rejections = "rejections",
        /// Our rows and the broker's account differ.
        Drift = "drift",
    }
}

/// The trading state of one follower, as recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trading {
    /// What may be sent.
    pub state: TradingState,
    /// Why it is not active; none while it is.
    pub cause: Option<HaltCause>,
    /// Since when.
    pub since: Timestamp,
    /// Leader orders first seen before this are not copied: what was stopped does not come back.
    pub resumed_at: Option<Timestamp>,
    /// Everything copied is to be sold or bought back; true until the account is flat in it.
    pub is_squaring_off: bool,
}

impl Trading {
    /// A follower that nobody ever stopped.
    pub const ACTIVE: Self = Self {
        state: TradingState::Active,
        cause: None,
        since: Timestamp::EPOCH,
        resumed_at: None,
        is_squaring_off: false,
    };
}

/// What an operator, or a limit, asks of a follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// Open nothing more. Leaves what works.
    Reduce(HaltCause),
    /// Open nothing more and cancel the entries that work.
    Halt {
        /// Why.
        cause: HaltCause,
        /// Cancel exits that work, too.
        cancel_working: bool,
    },
    /// Halt, cancel every copy that works, and close what was copied.
    SquareOff(HaltCause),
    /// Trade again. Leader orders seen before stay as they are.
    Resume,
}
