//! Whether an account trades: the state that an operator or a limit puts it in, which outlives restarts (P17).

use std::time::Duration;

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
    /// Leader orders first seen up to then are stopped for good, what closes among them: everything of them was cancelled,
    /// or is yet to be.
    pub stopped_at: Option<Timestamp>,
}

/// The least by which two times differ.
const TICK: Duration = Duration::from_micros(1);

impl Trading {
    /// A follower that nobody ever stopped.
    pub const ACTIVE: Self = Self {
        state: TradingState::Active,
        cause: None,
        since: Timestamp::EPOCH,
        resumed_at: None,
        is_squaring_off: false,
        stopped_at: None,
    };

    /// What it is after `control`, said at `now`. What stops only ever forbids more: a halted account told to reduce stays
    /// halted, and keeps its first cause and time. Only a resume allows more, and ends a square-off; said to an account
    /// that trades it changes nothing, so that no order in hand is taken for one of before.
    #[must_use]
    pub fn after(self, control: Control, now: Timestamp) -> Self {
        let stopped_at = if control.stops_exits() { Some(now) } else { self.stopped_at };
        let (state, cause) = match (control, self.state) {
            (Control::Resume, TradingState::Active) => return self,
            (Control::Resume, _) => {
                // Later than the one before, whatever the clock says (P28): which of two states is newer is told by it.
                let now = self.resumed_at.map_or(now, |before| now.max(before.plus(TICK)));
                let resumed_at = Some(now);
                return Self {
                    state: TradingState::Active,
                    cause: None,
                    since: now,
                    resumed_at,
                    is_squaring_off: false,
                    stopped_at,
                };
            }
            (Control::Reduce(cause), TradingState::Active) => (TradingState::Reducing, cause),
            (
                Control::Halt { cause, .. } | Control::SquareOff(cause),
                TradingState::Active | TradingState::Reducing,
            ) => (TradingState::Halted, cause),
            (Control::Reduce(_), _) => return self,
            (Control::Halt { .. }, TradingState::Halted) => return Self { stopped_at, ..self },
            (Control::SquareOff(_), TradingState::Halted) => {
                return Self { is_squaring_off: true, stopped_at, ..self };
            }
        };
        let is_squaring_off = self.is_squaring_off || matches!(control, Control::SquareOff(_));
        Self { state, cause: Some(cause), since: now, is_squaring_off, stopped_at, ..self }
    }

    /// What stands once `news` is to be recorded over this. Whoever says less than what stands has not heard of it: only a
    /// resume said later allows more, and only who knows of the newest square-off ends it.
    #[must_use]
    pub fn joined(self, news: Self) -> Self {
        let knows = |of: Self| (of.resumed_at, of.state, of.stopped_at);
        let stands = if knows(news) < knows(self) { self } else { news };
        Self { stopped_at: self.stopped_at.max(news.stopped_at), ..stands }
    }

    /// Whether nothing more may come of a leader order first seen then.
    pub fn has_stopped(self, first_seen: Timestamp) -> bool {
        self.stopped_at.is_some_and(|stopped| first_seen <= stopped)
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

impl Control {
    /// Whether what closes is stopped, too.
    pub const fn stops_exits(self) -> bool {
        matches!(self, Self::Halt { cancel_working: true, .. } | Self::SquareOff(_))
    }
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
        assert_eq!(upon, Trading { stopped_at: Some(LATE), ..halted });
        let resumed = upon.after(Control::Resume, LATE);
        let stopped_at = Some(LATE);
        assert_eq!(resumed, Trading { since: LATE, resumed_at: Some(LATE), stopped_at, ..Trading::ACTIVE });
    }

    #[test]
    fn what_stops_exits_is_remembered_with_its_time_and_over_a_resume() {
        let all = Control::Halt { cause: OPERATOR, cancel_working: true };
        let halted = Trading::ACTIVE.after(HALT, EARLY);
        assert_eq!(halted.stopped_at, None);
        let stopped = halted.after(all, EARLY);
        assert_eq!(stopped, Trading { stopped_at: Some(EARLY), ..halted });
        assert_eq!((stopped.has_stopped(EARLY), stopped.has_stopped(LATE)), (true, false));
        assert_eq!(stopped.after(HALT, LATE), stopped);
        assert_eq!(
            stopped.after(all, LATE).stopped_at,
            Some(LATE),
            "said again it means what came since, too"
        );
        assert_eq!(stopped.after(Control::Resume, LATE).stopped_at, Some(EARLY));
    }

    #[test]
    fn an_older_and_weaker_state_is_not_recorded_over_a_stronger_one() {
        let halted = Trading::ACTIVE.after(HALT, EARLY);
        let squaring = halted.after(Control::SquareOff(OPERATOR), LATE);
        let reducing = Trading::ACTIVE.after(Control::Reduce(LOSS), LATE);
        for weaker in [Trading::ACTIVE, reducing] {
            assert_eq!(halted.joined(weaker), halted);
        }
        // Whoever halts without knowing of the square-off does not end it; who ends it knows.
        let lost = Trading::ACTIVE.after(Control::Halt { cause: LOSS, cancel_working: false }, LATE);
        assert_eq!(squaring.joined(lost), squaring);
        let flat = Trading { is_squaring_off: false, ..squaring };
        assert_eq!(squaring.joined(flat), flat);
        assert_eq!(reducing.joined(halted), halted);
        let resumed = halted.after(Control::Resume, LATE);
        assert_eq!(halted.joined(resumed), resumed);
        assert_eq!(resumed.joined(halted), resumed, "said before the resume");
    }

    #[test]
    fn a_resume_of_what_was_never_stopped_changes_nothing() {
        assert_eq!(Trading::ACTIVE.after(Control::Resume, LATE), Trading::ACTIVE);
        let resumed = Trading::ACTIVE.after(HALT, EARLY).after(Control::Resume, EARLY);
        assert_eq!(resumed.after(Control::Resume, LATE), resumed);
    }
}
