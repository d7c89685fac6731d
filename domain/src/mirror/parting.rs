//! When leader and follower have parted for good: how far, what it is called, and what is done about it (`copy_gap`).

use super::child::Child;
use super::drive::ATTEMPTS_MAX;
use super::{COPY, Mirror, MirrorEffect, Moment, Outcome, REPAIR, Target, Word};
use crate::gap::{Gap, GapKind, GapPolicy, GapResult};
use crate::gates::DeniedReason;
use crate::order::lifecycle::{ChildEvent, ChildState, IllegalTransition, transition};
use crate::order::{BrokerStatus, OrderForm, OrderTerms, TimeInForce};
use crate::pacing::Purpose;
use crate::price::Price;
use crate::quantity::Quantity;

impl Mirror {
    /// Sees how far the two have parted, and makes it good where the policy says so.
    pub(super) fn part(
        &mut self,
        at: &Moment<'_>,
        effects: &mut Vec<MirrorEffect>,
    ) -> Result<(), IllegalTransition> {
        if self.of(COPY).next().is_none() && !self.is_stopped {
            return Ok(());
        }
        if let Some(terms) = self.repair_terms(at) {
            self.drive_repair(terms, at, effects)?;
        } else if self.is_ours() && self.excess().is_some() {
            // A late fill of the leader's made good what was to be repaired, or another closed what was too much.
            self.take_back(REPAIR, DeniedReason::LeaderGone, at, effects)?;
        } else if self.is_ours() {
            // What waits to be sent is not needed any more; what is out is, or will be told of.
            for child in self.children.iter_mut().filter(|child| child.key.leg == REPAIR) {
                if child.state == ChildState::Planned {
                    child.state = transition(&child.state, ChildEvent::Voided)?;
                    child.is_retired = true;
                }
            }
        }
        let was_given_up = self.is_exit_given_up();
        let gap = self.gap_now(at);
        let is_even = self.excess_told() == Some(0);
        if was_given_up
            && gap != self.gap
            && self.gap.is_none_or(|known| known.kind != GapKind::FollowerRejected)
        {
            let last = self.of(COPY).last().map(|child| child.client_order_id.clone());
            effects.extend(last.map(MirrorEffect::ExitGivenUp));
        }
        if gap.is_some() {
            self.gap = gap;
        } else if let Some(known) = &mut self.gap
            && known.kind != GapKind::Detached
            && (known.units == 0 || is_even || known.kind == GapKind::ExitStopped)
        {
            (known.units, known.result) = (0, GapResult::Repaired);
        }
        Ok(())
    }

    /// Units the copy has filled beyond what perfect copying would have filled; negative when it fell short. None while
    /// either side may still fill.
    fn difference(&self) -> Option<i64> {
        let leader = &self.leader;
        let is_over = leader.status.is_terminal() && !leader.legs_alive();
        // The end of a super order may be told before what its legs have closed.
        let may_change =
            |child: &Child| child.is_live() || (child.cumulative > child.closed() && child.legs_live_on());
        if !is_over || self.of(COPY).any(may_change) {
            return None;
        }
        let expected = match self.word {
            Word::Follow => self.expected()?,
            // His share of what the leader executed: nothing, or less than a lot.
            Word::Deny(
                DeniedReason::LeaderGone | DeniedReason::LeaderRejected | DeniedReason::BelowOneLot,
            ) => 0,
            Word::Deny(_) | Word::Unheard | Word::Await => return None,
        };
        let held = |child: &Child| i64::from(child.cumulative.get()) - i64::from(child.closed().get());
        let held: i64 = self.of(COPY).map(held).sum();
        Some(held - expected)
    }

    /// The same as far as it is still there: what other orders have closed of it is not closed again.
    fn excess(&self) -> Option<i64> {
        self.difference_within(self.allotment.map_or(u32::MAX, |allotment| allotment.repairable))
    }

    /// The same as far as a person is told of it.
    fn excess_told(&self) -> Option<i64> {
        self.difference_within(self.allotment.map_or(u32::MAX, |allotment| allotment.told))
    }

    fn difference_within(&self, there: u32) -> Option<i64> {
        let excess = self.difference()?;
        let is_bounded = self.purpose != Some(Purpose::Exit);
        Some(if is_bounded { excess.min(there.into()) } else { excess })
    }

    /// Units that repairs have closed beyond what was too much: it has become less while they were on their way.
    fn repaired_too_much(&self) -> i64 {
        let is_repaired = self.gap.is_some_and(|gap| {
            matches!(gap.kind, GapKind::LeaderCancelled | GapKind::LeaderRejected | GapKind::ExitLegMissed)
        });
        if !is_repaired || self.of(REPAIR).any(Child::is_live) {
            return 0;
        }
        let repaired = i64::try_from(self.repaired()).unwrap_or(i64::MAX);
        self.difference().map_or(0, |excess| (repaired - excess.max(0)).max(0))
    }

    /// Units of an entry that are held too much and that the policy has closed again, unless that was given up: no exit
    /// counts on them.
    pub fn surplus(&self, policy: GapPolicy) -> u64 {
        let is_closed_again = self.purpose == Some(Purpose::Entry)
            && policy != GapPolicy::Report
            && self.is_ours()
            && self.gap.is_none_or(|gap| gap.result != GapResult::Failed);
        if is_closed_again { self.left_too_much() } else { 0 }
    }

    /// Units that it holds and perfect copying would not.
    pub fn left_too_much(&self) -> u64 {
        u64::try_from(self.difference().unwrap_or(0)).unwrap_or(0).saturating_sub(self.repaired())
    }

    /// Whether no human's hand has touched it.
    fn is_ours(&self) -> bool {
        self.outcome != Outcome::Detached || self.is_stopped
    }

    /// Units that perfect copying would hold by the mirror, its exit legs counted off. What a cap or another gate left out
    /// is not expected.
    fn expected(&self) -> Option<i64> {
        let (wish, allotment, sizing) = (self.wish()?, self.allotment?, self.sizing.as_ref()?);
        let total = allotment.closing.saturating_add(allotment.opening.min(self.let_through()));
        let exited = if wish.exited >= wish.executed {
            if wish.exited.is_zero() { 0 } else { total }
        } else {
            sizing.quantity_of(sizing.lots(wish.exited, sizing.credit)).get().min(total)
        };
        Some(i64::from(total) - i64::from(exited))
    }

    /// The order that makes the gap good, if one is wanted: on the other side, to trade now.
    fn repair_terms(&self, at: &Moment<'_>) -> Option<OrderTerms> {
        let flatten = self.allotment.map_or(0, |allotment| allotment.flatten);
        let units = if flatten > 0 { flatten } else { self.repair_by_policy(at)? };
        let copy = self.of(COPY).next()?;
        Some(OrderTerms {
            side: copy.terms.side.opposite(),
            quantity: Quantity::new(units),
            disclosed: Quantity::ZERO,
            trigger: Price::ZERO,
            time_in_force: TimeInForce::Day,
            after_market: false,
            form: OrderForm::Ordinary,
            ..copy.terms.clone()
        })
    }

    fn repair_by_policy(&self, at: &Moment<'_>) -> Option<u32> {
        let excess = self.excess()?;
        let wanted = match (self.purpose?, at.rules.parting.gap) {
            (_, GapPolicy::Report) | (Purpose::Exit, GapPolicy::ExitsOnly) => false,
            (Purpose::Entry, GapPolicy::ExitsOnly | GapPolicy::Full) => true,
            // That opens again: not what was stopped.
            (Purpose::Exit, GapPolicy::Full) => !self.is_stopped,
        };
        u32::try_from(excess).ok().filter(|units| *units > 0 && wanted && self.is_ours())
    }

    fn gap_now(&self, at: &Moment<'_>) -> Option<Gap> {
        if self.is_stopped {
            let is_squared_off = self.allotment.is_some_and(|allotment| allotment.flatten > 0);
            if is_squared_off {
                return None;
            }
            // What it did not open any more is no gap; what it holds and the leader does not is.
            // What a square-off has closed was never told as a gap, and is none afterwards.
            let repaired = i64::try_from(self.repaired()).unwrap_or(i64::MAX);
            let is_left = |units: &i64| *units > repaired || (*units > 0 && self.gap.is_some());
            let excess = self.excess_told().filter(is_left);
            return excess.map(|units| self.settled_gap(units, at)).or_else(|| self.exit_stopped());
        }
        if self.outcome == Outcome::Detached {
            let units = self.excess_told().unwrap_or(0);
            return Some(Gap { kind: GapKind::Detached, units, result: GapResult::Reported });
        }
        if let Some(units) = self.excess_told() {
            let too_much = self.repaired_too_much();
            if let Some(known) = self.gap.filter(|_| too_much > 0) {
                return Some(Gap { kind: known.kind, units: -too_much, result: GapResult::Reported });
            }
            return (units != 0).then(|| self.settled_gap(units, at));
        }
        // What the leader wants by now decides whether anything is missing.
        if !self.is_heard() {
            return None;
        }
        // Still open on one side; what has failed for good is told at once.
        let kind = self.failure().or_else(|| self.is_left_owing().then_some(GapKind::LeftBehind))?;
        let asked: u64 = self.of(COPY).map(|child| u64::from(asked_of(child).get())).sum();
        let asked = i64::try_from(asked).unwrap_or(i64::MAX);
        let target = match &self.target {
            Target::Open(terms) => i64::from(terms.quantity.get()),
            Target::Undecided | Target::Gone(_) => asked,
        };
        let is_told = kind == GapKind::ChangesExhausted || !self.of(COPY).any(Child::is_live);
        is_told.then_some(Gap { kind, units: asked - target, result: GapResult::Reported })
    }

    /// What the leader has closed by an order whose copy was stopped before it closed as much. Nothing of ours makes it
    /// good: whoever stopped it took that over.
    fn exit_stopped(&self) -> Option<Gap> {
        let is_other = |known: Gap| known.kind != GapKind::ExitStopped && known.units != 0;
        if self.gap.is_some_and(is_other) {
            return None;
        }
        let Some(allotment) = self.allotment else { return self.gap };
        let owed = u64::from(allotment.due).saturating_sub(self.filled());
        let units = -i64::try_from(owed).unwrap_or(i64::MAX);
        (owed > 0).then_some(Gap { kind: GapKind::ExitStopped, units, result: GapResult::Reported })
    }

    fn settled_gap(&self, units: i64, at: &Moment<'_>) -> Gap {
        let kind = if units > 0 {
            match self.leader.status {
                _ if !self.leader.exited.is_zero() => GapKind::ExitLegMissed,
                BrokerStatus::Rejected => GapKind::LeaderRejected,
                _ => GapKind::LeaderCancelled,
            }
        } else {
            self.failure().unwrap_or(GapKind::LeftBehind)
        };
        let result = if self.of(REPAIR).next().is_some() {
            self.repair_result(units)
        } else if kind == GapKind::LeftBehind && self.of(COPY).any(|child| child.cancel_asked) {
            GapResult::Cancelled
        } else if self.purpose == Some(Purpose::Exit)
            && units < 0
            && at.rules.parting.gap != GapPolicy::Report
        {
            GapResult::Failed
        } else {
            GapResult::Reported
        };
        Gap { kind, units, result }
    }

    fn repair_result(&self, units: i64) -> GapResult {
        let repaired: i64 = self.of(REPAIR).map(|child| i64::from(child.cumulative.get())).sum();
        if repaired >= units {
            GapResult::Repaired
        } else if self.of(REPAIR).any(Child::is_live) {
            GapResult::Repairing
        } else {
            GapResult::Failed
        }
    }

    /// How the follower's broker kept the copy from being, if it did.
    fn failure(&self) -> Option<GapKind> {
        self.of(COPY).find_map(|child| match child.state {
            ChildState::Refused => Some(GapKind::FollowerRefused),
            ChildState::Rejected => Some(GapKind::FollowerRejected),
            ChildState::Absent if !child.is_retired => Some(GapKind::FollowerAbsent),
            _ if child.refused_change.is_some() && child.is_live() => Some(GapKind::ChangesExhausted),
            _ => None,
        })
    }

    /// An exit that the broker does not take, tried as often as is borne.
    fn is_exit_given_up(&self) -> bool {
        let last = self.of(COPY).last();
        self.purpose == Some(Purpose::Exit)
            && self.leader.status.is_terminal()
            && last.is_some_and(|child| {
                child.key.attempt >= ATTEMPTS_MAX
                    && matches!(child.state, ChildState::Rejected | ChildState::Refused | ChildState::Expired)
            })
    }

    /// Whether the leader has closed more than the copy has, and nothing of it works.
    fn is_left_owing(&self) -> bool {
        let due = self.allotment.map_or(0, |allotment| u64::from(allotment.due));
        self.purpose == Some(Purpose::Exit)
            && self.filled() < due
            && self.is_out()
            && !self.of(COPY).any(Child::is_live)
    }
}

/// Units a child asks for while it lives, and has filled once it is over.
fn asked_of(child: &Child) -> Quantity {
    if child.is_live() { child.terms.quantity } else { child.cumulative }
}
