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

    /// What it is after `control`, said at `now`. What stops only ever forbids more: a halted account told to reduce stays
    /// halted, and keeps its first cause and time. Only a resume allows more, and ends a square-off; said to an account
    /// that trades it changes nothing, so that no order in hand is taken for one of before.
    #[must_use]
    pub const fn after(self, control: Control, now: Timestamp) -> Self {
        let (state, cause) = match (control, self.state) {
            (Control::Resume, TradingState::Active) => return self,
            (Control::Resume, _) => {
                let resumed_at = Some(now);
                return Self {
                    state: TradingState::Active,
                    cause: None,
                    since: now,
                    resumed_at,
                    is_squaring_off: false,
                };
            }
            (Control::Reduce(cause), TradingState::Active) => (TradingState::Reducing, cause),
            (
                Control::Halt { cause, .. } | Control::SquareOff(cause),
                TradingState::Active | TradingState::Reducing,
            ) => (TradingState::Halted, cause),
            (Control::Reduce(_), _) | (Control::Halt { .. }, TradingState::Halted) => return self,
            (Control::SquareOff(_), TradingState::Halted) => return Self { is_squaring_off: true, ..self },
        };
        let is_squaring_off = self.is_squaring_off || matches!(control, Control::SquareOff(_));
        Self { state, cause: Some(cause), since: now, is_squaring_off, ..self }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const EARLY: Timestamp = Timestamp::from_micros(1);
    const LATE: Timestamp = Timestamp::from_micros(2);
    const LOSS: HaltCause = HaltCause::DailyLoss;
    const OPERATOR: HaltCause = HaltCause::Operator;
    const HALT: Control = Control::Halt { cause: OPERATOR, cancel_working: false };

    #[test]
    fn what_stops_never_allows_more_and_the_first_cause_stays() {
        let reducing = Trading::ACTIVE.after(Control::Reduce(LOSS), EARLY);
        assert_eq!(
            reducing,
            Trading { state: TradingState::Reducing, cause: Some(LOSS), since: EARLY, ..Trading::ACTIVE }
        );
        assert_eq!(reducing.after(Control::Reduce(OPERATOR), LATE), reducing);
        let halted = reducing.after(HALT, LATE);
        assert_eq!((halted.state, halted.cause, halted.since), (TradingState::Halted, Some(OPERATOR), LATE));
        for weaker in [HALT, Control::Reduce(LOSS)] {
            assert_eq!(halted.after(weaker, EARLY), halted);
        }
    }

    #[test]
    fn a_square_off_halts_and_lasts_until_a_resume() {
        let halted = Trading::ACTIVE.after(Control::SquareOff(OPERATOR), EARLY);
        assert_eq!((halted.state, halted.is_squaring_off), (TradingState::Halted, true));
        assert_eq!(halted.after(HALT, LATE), halted);
        let upon = Trading::ACTIVE.after(HALT, EARLY).after(Control::SquareOff(LOSS), LATE);
        assert_eq!(upon, halted);
        let resumed = upon.after(Control::Resume, LATE);
        assert_eq!(resumed, Trading { since: LATE, resumed_at: Some(LATE), ..Trading::ACTIVE });
    }

    #[test]
    fn a_resume_of_what_was_never_stopped_changes_nothing() {
        assert_eq!(Trading::ACTIVE.after(Control::Resume, LATE), Trading::ACTIVE);
        let resumed = Trading::ACTIVE.after(HALT, EARLY).after(Control::Resume, EARLY);
        assert_eq!(resumed.after(Control::Resume, LATE), resumed);
    }
}
