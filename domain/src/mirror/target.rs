//! What is wanted now: from the Sizer's word, the leader's state, the clock, and what happens when they part.

use std::time::Duration;

use super::{COPY, Mirror, Moment, Outcome, Target, Word};
use crate::decision::Wish;
use crate::flaw::flawed;
use crate::gap::GapPolicy;
use crate::gates::DeniedReason;
use crate::order::{BrokerStatus, OrderForm, OrderTerms, TimeInForce};
use crate::pacing::Purpose;
use crate::policy::EntryLeftBehind;
use crate::time::Timestamp;

/// What ends at the leader by itself ends at the follower by itself, within this.
const GRACE: Duration = Duration::from_secs(2);

/// What the copy should come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Nothing is to be done about it.
    LeaveAlone,
    /// An order like this, its quantity the total, what is filled counted in.
    Order {
        terms: OrderTerms,
        /// It should trade now: its price follows the market.
        is_chase: bool,
    },
    /// Nothing that waits is sent; what the broker has will end there by itself.
    Ending(Target),
    /// Nothing more of it.
    Gone(DeniedReason),
}

impl Mirror {
    pub(super) fn wanted(&mut self, at: &Moment<'_>) -> Wanted {
        if matches!(self.outcome, Outcome::Skipped | Outcome::Voided | Outcome::Detached) {
            return Wanted::LeaveAlone;
        }
        match self.word {
            Word::Unheard | Word::Await => Wanted::LeaveAlone,
            Word::Deny(reason) if !reason.takes_back() && self.is_out() => Wanted::LeaveAlone,
            Word::Deny(reason) => {
                if self.is_in_grace(at) {
                    Wanted::Ending(Target::Gone(reason))
                } else {
                    Wanted::Gone(reason)
                }
            }
            Word::Follow => {
                let Some(wish) = self.wish.take() else { return Wanted::LeaveAlone };
                let wanted = self.followed(&wish, at);
                self.wish = Some(wish);
                wanted
            }
        }
    }

    /// Whether anything of the copy was ever sent.
    fn is_out(&self) -> bool {
        self.of(COPY).any(|child| child.ts_sent.is_some())
    }

    fn followed(&mut self, wish: &Wish, at: &Moment<'_>) -> Wanted {
        let order = Wanted::Order { terms: wish.terms.clone(), is_chase: false };
        let Some(purpose) = self.purpose else { return Wanted::LeaveAlone };
        let leader = &self.leader;
        // First sight may be any status: what was executed is copied, once.
        if !leader.status.is_terminal() || self.of(COPY).next().is_none() {
            if leader.status.is_terminal() && flawed!(TerminalFirstFrameIgnored) {
                return Wanted::LeaveAlone;
            }
            return order;
        }
        // What he took back is no longer in the wish: that is his share of what was executed.
        if self.is_in_grace(at) {
            return Wanted::Ending(Target::Open(wish.terms.clone()));
        }
        if let Some(gone) = self.missed_exit_leg(wish, at) {
            return gone;
        }
        if self.filled() >= u64::from(wish.terms.quantity.get()) {
            return order;
        }
        let parting = at.rules.parting;
        let (after, entry) = match purpose {
            Purpose::Exit => (parting.exit_after, EntryLeftBehind::Chase),
            Purpose::Entry if parting.gap == GapPolicy::Full => (parting.entry_after, EntryLeftBehind::Chase),
            Purpose::Entry => (parting.entry_after, parting.entry),
        };
        let due = self.leader.ts_event.plus(after);
        if due > at.now {
            self.wake_at(due);
            return order;
        }
        match entry {
            // Cancelling its entry would take the stop from what is filled (`dhanhq-v2.md` section 3.1).
            EntryLeftBehind::Cancel if self.protects_fills(wish) => order,
            // What never left was not left behind: it is too old, which the gates see.
            EntryLeftBehind::Cancel if self.of(COPY).all(|child| child.ts_sent.is_none()) => order,
            EntryLeftBehind::Cancel => Wanted::Gone(DeniedReason::LeftBehind),
            EntryLeftBehind::Keep => order,
            EntryLeftBehind::Chase => Wanted::Order { terms: wish.terms.clone(), is_chase: true },
        }
    }

    /// Whether exit legs of a super order guard what the copy has filled.
    fn protects_fills(&self, wish: &Wish) -> bool {
        matches!(wish.terms.form, OrderForm::Super(_)) && self.filled() > 0
    }

    /// The leader's exit legs are through and the follower's are not: they are taken back, and what he still holds is made
    /// good as a gap.
    fn missed_exit_leg(&mut self, wish: &Wish, at: &Moment<'_>) -> Option<Wanted> {
        let is_super = matches!(wish.terms.form, OrderForm::Super(_));
        let still_rests = self.of(COPY).any(|child| child.is_live() && !child.cumulative.is_zero());
        if !is_super || self.leader.legs_alive() || self.leader.exited.is_zero() || !still_rests {
            self.missed_since = None;
            return None;
        }
        let since = *self.missed_since.get_or_insert(at.now);
        let due = since.plus(at.rules.parting.exit_after);
        if due > at.now {
            self.wake_at(due);
            return None;
        }
        Some(Wanted::Gone(DeniedReason::LeftBehind))
    }

    /// Whether the leader's order is over without anybody's doing, and the follower's may still end like that.
    fn is_in_grace(&mut self, at: &Moment<'_>) -> bool {
        let leader = &self.leader;
        let by_itself = leader.status == BrokerStatus::Expired
            || (leader.terms.time_in_force == TimeInForce::Ioc && leader.status == BrokerStatus::Cancelled);
        let due = leader.ts_event.plus(GRACE);
        let in_grace = by_itself && due > at.now && self.of(COPY).any(super::Child::is_live);
        if in_grace {
            self.wake_at(due);
        }
        in_grace
    }

    /// Asks to be stepped at a moment at the latest.
    pub(super) fn wake_at(&mut self, due: Timestamp) {
        self.wake = Some(self.wake.map_or(due, |sooner| sooner.min(due)));
    }
}
