//! What a mirror hears of the leader's order: the Sizer's word, and in a new life what is on record.

use super::child::Child;
use super::{COPY, Mirror, Outcome, Permit, Word};
use crate::decision::Decision;
use crate::gates::DeniedReason;
use crate::ledger::FillPoint;
use crate::pacing::Purpose;
use crate::quantity::Quantity;

impl Mirror {
    pub(super) fn on_word(&mut self, decision: Decision) {
        self.note_fills();
        // A skipped order stays skipped, a given-up one given up: late entries are worse than missed ones. Only a share
        // below one lot may grow into one, and what had nothing to close may yet have.
        let is_final = matches!(self.outcome, Outcome::Skipped | Outcome::Voided) && !self.may_revive();
        if is_final {
            // What the leader executes since is what the follower lacks, or has to close.
            // A new life hears it for the first time: what it comes to close is closed all the same.
            match decision {
                Decision::Follow(news) if !self.is_heard() => {
                    (self.word, self.wish) = (Word::Follow, Some(news));
                }
                Decision::Follow(news) if self.wish.is_some() => self.wish = Some(news),
                Decision::Deny(reason) if !self.is_heard() => self.word = Word::Deny(reason),
                _ => {}
            }
            return;
        }
        match decision {
            // A status that says nothing of the exchange undoes no decision taken when one did.
            Decision::Await if !matches!(self.word, Word::Unheard) || !self.children.is_empty() => {}
            Decision::Await => self.word = Word::Await,
            Decision::Deny(reason) => self.word = Word::Deny(reason),
            Decision::Follow(wish) => {
                let asks_anew = self.wish().is_none_or(|known| known.terms.quantity != wish.terms.quantity);
                // To a new life everything is said anew; what was refused before stays so.
                if asks_anew && self.is_heard() {
                    self.refused_raise = None;
                }
                (self.tick, self.note) = (wish.instrument.tick, wish.note);
                self.word = Word::Follow;
                self.wish = Some(wish);
            }
        }
    }

    /// What follows from rows: how far the leader had come, what the gates let pass before, and whether it was stopped.
    pub fn recall(&mut self) {
        if self.fills.is_empty() {
            self.note_fills();
        }
        // Rows of an earlier version do not tell: then the children do.
        let permit = self.recorded.and_then(|state| state.permit).unwrap_or_else(|| Permit {
            admitted: self.let_through_so_far().saturating_add(self.closed_by_entries()),
            is_stopped: self.outcome == Outcome::Detached && self.reason == Some(DeniedReason::Halted),
            purpose: self.purpose,
            ..Permit::default()
        });
        (self.admitted, self.refused_raise) = (permit.admitted, permit.refused);
        (self.opens_no_more, self.is_stopped) = (permit.opens_no_more, permit.is_stopped);
        self.purpose = permit.purpose;
    }

    /// What it may open by now.
    pub const fn permit(&self) -> Permit {
        Permit {
            admitted: self.admitted,
            refused: self.refused_raise,
            opens_no_more: self.opens_no_more,
            is_stopped: self.is_stopped,
            purpose: self.purpose,
        }
    }

    /// Units of its share that close; in a new life those on record.
    pub(super) fn closing_so_far(&self) -> u32 {
        let recorded = self.recorded.map(|row| row.closing.get());
        self.allotment.map(|allotment| allotment.closing).or(recorded).unwrap_or(0)
    }

    /// Units that the gates let pass, as the children show: what entries come to beyond what closes. One order may do
    /// both.
    pub(super) fn let_through_so_far(&self) -> u32 {
        let units = |child: &Child| if child.is_live() { child.ordered() } else { child.cumulative };
        let all: u32 = self.of(COPY).map(|child| units(child).get()).sum();
        let entries = self.of(COPY).filter(|child| child.purpose == Purpose::Entry);
        let entries: u32 = entries.map(|child| units(child).get()).sum();
        entries.min(all.saturating_sub(self.closing_so_far()))
    }

    /// Whether what came to nothing for want of quantity may come to something yet.
    pub(crate) const fn may_revive(&self) -> bool {
        matches!(
            self.reason,
            Some(DeniedReason::BelowOneLot | DeniedReason::NothingToClose | DeniedReason::PriceUnknown)
        )
    }

    /// Keeps when the leader's order grew: what closes and what opens is told by it.
    fn note_fills(&mut self) {
        let leader = &self.leader;
        let point = FillPoint { at: leader.ts_event, cumulative: leader.cumulative, exited: leader.exited };
        let known =
            self.fills.last().map_or((Quantity::ZERO, Quantity::ZERO), |last| (last.cumulative, last.exited));
        if point.cumulative > known.0 || point.exited > known.1 {
            self.fills.push(point);
        }
    }
}
