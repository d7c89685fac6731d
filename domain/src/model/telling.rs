//! What the reader of a failure is told, and what a day has led to.

use std::fmt::Write as _;

use super::exchange::{Order, State};
use super::world::World;
use crate::gap::GapResult;
use crate::gates::DeniedReason;
use crate::mirror::{COPY, Outcome, REPAIR};
use crate::pacing::Purpose;

impl World {
    /// An order of the leader's and what became of it.
    fn story_of(&self, leader: &Order) -> String {
        let mut text = format!("L{leader}");
        for leg in [COPY, REPAIR] {
            for (order, copied) in self.of(leader.number, leg) {
                let purpose = if self.is_entry(&order.tag) { "opens" } else { "closes" };
                let _ = write!(text, "\n    {copied} {purpose}: F{order}");
            }
        }
        if let Some(mirror) = self.mirror(leader.number) {
            let _ = write!(
                text,
                "\n    outcome {} {:?}, gap {:?}, {:?}",
                mirror.outcome, mirror.reason, mirror.gap, mirror.allotment
            );
        }
        text
    }

    pub(super) fn all_of(&self, instrument: u32) -> String {
        let mut text = format!(
            "\n  instrument {instrument}: {:?}, leader {}, copied {}, own {}, {:?}",
            self.tallies[instrument as usize].carried,
            self.leader_holds(instrument),
            self.held(instrument),
            self.owned(instrument),
            self.blots[instrument as usize],
        );
        for order in self.leader.orders.iter().filter(|order| order.asked.instrument == instrument) {
            let _ = write!(text, "\n  {}", self.story_of(order));
        }
        text
    }

    /// For the reader of a failure: the owner's choices.
    pub(super) fn choices(&self) -> String {
        format!("{:?}", self.policies)
    }

    /// What a day has led to, in words.
    pub(super) fn reached(&self) -> Vec<&'static str> {
        let mut words = Vec::new();
        let mut add = |is_reached: bool, word| {
            if is_reached && !words.contains(&word) {
                words.push(word);
            }
        };
        let copies = || self.follower.orders.iter().filter(|order| self.copies.contains_key(&order.tag));
        let states = |state: State| copies().any(|order| order.state == state && order.filled > 0);
        add(self.copies.values().any(|copied| copied.slice > 0), "several slices");
        add(self.copies.values().any(|copied| copied.attempt > 1), "a second attempt");
        add(self.copies.values().any(|copied| copied.leg == REPAIR), "a repair");
        add(states(State::Cancelled), "a fill before a cancel");
        add(copies().any(|order| order.was_fired), "a stop that fired");
        add(copies().any(|order| order.units_changed), "a changed quantity");
        add(copies().any(|order| order.asked.disclosed > 0), "a disclosed part");
        for word in self.blots.iter().flatten().chain(&self.come_to) {
            add(true, *word);
        }
        for seen in &self.seen {
            add(seen.exhausted, "changes exhausted");
            add(seen.change_refused, "a change refused for good");
        }
        for (instrument, tally) in self.tallies.iter().enumerate() {
            add(tally.is_in_part() && tally.undisputed().is_some(), "a part closed, beyond dispute");
            let is_clean = self.blots[instrument].is_empty() && self.policies.proportion().is_some();
            add(is_clean && tally.is_in_part(), "a part closed, in proportion");
            add(tally.carried.copied != 0, "copies of earlier days");
        }
        add(self.operator.squares_off, "a square-off");
        add(self.operator.resumed.is_some(), "a resume");
        for order in &self.leader.orders {
            let Some(mirror) = self.mirror(order.number) else { continue };
            let (opens, closes) = self.tallies[order.asked.instrument as usize].uses_of(order.number);
            add(opens && closes, "a flip");
            let sent = |purpose| mirror.children.iter().any(|c| c.ts_sent.is_some() && c.purpose == purpose);
            add(sent(Purpose::Exit), "an exit");
            add(mirror.children.iter().any(|child| child.is_chased), "a chase");
            add(mirror.outcome == Outcome::Detached, "a detached copy");
            add(mirror.outcome == Outcome::Voided, "a copy given up");
            add(mirror.gap.is_some_and(|gap| gap.units < 0), "a gap below");
            let is_repaired =
                mirror.gap.is_some_and(|gap| gap.result == GapResult::Repaired && gap.units > 0);
            add(is_repaired, "a gap repaired");
            for (reason, word) in [
                (DeniedReason::LotsPerOrder, "lots per order"),
                (DeniedReason::LotsPerInstrument, "lots per instrument"),
                (DeniedReason::OpenOrders, "open orders"),
                (DeniedReason::OrdersPerDay, "orders per day"),
                (DeniedReason::MarginShort, "margin short"),
                (DeniedReason::Halted, "halted"),
                (DeniedReason::Reducing, "reducing"),
                (DeniedReason::NothingToClose, "nothing to close"),
                (DeniedReason::BelowOneLot, "below one lot"),
            ] {
                add(mirror.reason == Some(reason), word);
            }
        }
        words
    }
}
