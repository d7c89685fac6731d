//! What is wanted now: from the Sizer's word, the leader's state, the clock, and what happens when they part.

use std::time::Duration;

use super::spread::can_grow;
use super::{Allotment, COPY, Child, Mirror, Moment, Opening, Outcome, Target, Word};
use crate::decision::Wish;
use crate::flaw::flawed;
use crate::gap::GapPolicy;
use crate::gates::DeniedReason;
use crate::order::lifecycle::ChildState;
use crate::order::{BrokerStatus, OrderForm, OrderTerms, TimeInForce};
use crate::pacing::Purpose;
use crate::policy::{CopyOn, EntryLeftBehind};
use crate::quantity::{LotSize, Quantity};
use crate::time::Timestamp;
use crate::translate::disclosed;

/// What ends at the leader by itself ends at the follower by itself, within this.
const GRACE: Duration = Duration::from_secs(2);

/// What the copy should come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Nothing is to be done about it.
    LeaveAlone,
    /// An order like this.
    Order {
        /// Its quantity is the leader's.
        terms: OrderTerms,
        /// Units in all, what is filled counted in.
        total: u32,
        /// It should trade now: its price follows the market.
        is_chase: bool,
    },
    /// There is nothing to do yet, for this reason.
    Nothing(DeniedReason),
    /// Nothing that waits is sent; what the broker has will end there by itself.
    Ending(Target),
    /// Nothing more of it.
    Gone(DeniedReason),
}

impl Mirror {
    pub(super) fn wanted(&mut self, at: &Moment<'_>) -> Wanted {
        if self.is_stopped {
            // What had come to its end keeps the outcome that it had (P26).
            return if self.is_done() { Wanted::LeaveAlone } else { Wanted::Gone(DeniedReason::Halted) };
        }
        let is_over = matches!(self.outcome, Outcome::Skipped | Outcome::Voided);
        if self.outcome == Outcome::Detached || (is_over && !self.revives()) {
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
                let (Some(wish), Some(allotment)) = (self.wish.take(), self.allotment) else {
                    return Wanted::LeaveAlone;
                };
                let wanted = self.followed(&wish, allotment, at);
                self.wish = Some(wish);
                wanted
            }
        }
    }

    /// Whether nothing of it works, and nothing was to come of it any more.
    fn is_done(&self) -> bool {
        let is_decided = match self.outcome {
            Outcome::AwaitingLeader | Outcome::Waiting => false,
            Outcome::Sent => self.leader.status.is_terminal() && !self.leader.legs_alive(),
            Outcome::Skipped | Outcome::Voided | Outcome::Detached => true,
        };
        // What a square-off closes again is concerned by it.
        let is_flattened = self.allotment.is_some_and(|allotment| allotment.flatten > 0);
        is_decided && !is_flattened && !self.children.iter().any(Child::is_live)
    }

    fn revives(&mut self) -> bool {
        let has_grown = self.may_revive() && self.allotment.is_some_and(|allotment| allotment.total() > 0);
        // What was not to be opened stays so; but what the follower holds may have to be closed by it.
        let closes = self.allotment.is_some_and(|allotment| u64::from(allotment.closing) > self.filled());
        let revives = (has_grown || closes) && self.word == Word::Follow;
        if revives {
            self.opens_no_more |= !self.may_revive();
            // What came to nothing as an entry leaves its quantity to what closes.
            let is_void = |child: &&mut Child| {
                child.key.leg == COPY && matches!(child.state, ChildState::Absent | ChildState::Voided)
            };
            for child in self.children.iter_mut().filter(is_void) {
                child.is_retired = true;
            }
        }
        revives
    }

    /// Whether anything of the copy was ever sent.
    pub(super) fn is_out(&self) -> bool {
        self.of(COPY).any(|child| child.ts_sent.is_some())
    }

    fn followed(&mut self, wish: &Wish, allotment: Allotment, at: &Moment<'_>) -> Wanted {
        let (total, refused) = self.stage(wish, allotment, at);
        if total == 0 {
            return self.nothing(refused.or(wish.entry_denial).unwrap_or(allotment.reason), allotment);
        }
        if wish.is_unpriced && self.purpose == Some(Purpose::Entry) && self.children.is_empty() {
            return Wanted::LeaveAlone;
        }
        let until_flat = allotment.until_flat;
        let order = Wanted::Order { terms: wish.terms.clone(), total, is_chase: until_flat };
        let leader = &self.leader;
        // First sight may be any status: what was executed is copied, once.
        if until_flat || !leader.status.is_terminal() || self.of(COPY).next().is_none() {
            if leader.status.is_terminal() && flawed!(TerminalFirstFrameIgnored) {
                return Wanted::LeaveAlone;
            }
            return order;
        }
        // What he took back is no longer in the wish: that is his share of what was executed.
        if self.is_in_grace(at) {
            return Wanted::Ending(Target::Open(self.sized(&wish.terms, total)));
        }
        if let Some(gone) = self.missed_exit_leg(wish, at) {
            return gone;
        }
        if self.filled() >= u64::from(total) {
            return order;
        }
        let parting = at.rules.parting;
        // What left late was not left behind before it was there; an exit does not wait for that.
        let sent = self.of(COPY).filter_map(|child| child.ts_sent);
        let there = sent.fold(self.leader.ts_event, Timestamp::max);
        let (since, after, entry) = match self.purpose {
            Some(Purpose::Exit) => (self.leader.ts_event, parting.exit_after, EntryLeftBehind::Chase),
            _ if parting.gap == GapPolicy::Full => (there, parting.entry_after, EntryLeftBehind::Chase),
            _ => (there, parting.entry_after, parting.entry),
        };
        let due = since.plus(after);
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
            EntryLeftBehind::Chase => Wanted::Order { terms: wish.terms.clone(), total, is_chase: true },
        }
    }

    /// Units in all for now: what closes first; what opens once that has filled, as far as the gates let it. And why they
    /// let nothing, if so.
    fn stage(&mut self, wish: &Wish, allotment: Allotment, at: &Moment<'_>) -> (u32, Option<DeniedReason>) {
        if self.filled() < u64::from(allotment.closing) {
            self.purpose = Some(Purpose::Exit);
            return (allotment.closing, None);
        }
        if allotment.opening == 0 || self.opens_no_more {
            self.let_through_no_more_than(0);
            if allotment.closing > 0 {
                self.purpose = Some(Purpose::Exit);
            }
            return (allotment.closing, None);
        }
        // Unpriced, it waits for a price; the gates want one too.
        let waits = wish.is_unpriced && self.children.is_empty();
        let refused = if waits { None } else { self.admit(wish, allotment.opening, at) };
        if waits {
            self.purpose = Some(Purpose::Entry);
            return (allotment.total(), None);
        }
        let opening = allotment.opening.min(self.let_through());
        if opening > 0 || allotment.closing == 0 {
            self.purpose = Some(Purpose::Entry);
        }
        (allotment.closing.saturating_add(opening), refused)
    }

    /// Of what the gates have let through, what is there for the units that are to open now: not what closes by now.
    pub(super) fn let_through(&self) -> u32 {
        self.admitted.saturating_sub(self.closed_by_entries())
    }

    /// What entries have filled was let through, however small the share has become: should it grow again, nobody is asked for
    /// that once more.
    fn let_through_no_more_than(&mut self, opening: u32) {
        let filled = u32::try_from(self.filled_as(Purpose::Entry)).unwrap_or(u32::MAX);
        self.admitted = self.admitted.min(opening.saturating_add(self.closed_by_entries()).max(filled));
    }

    pub(super) fn let_through_to(&mut self, opening: u32) {
        self.admitted = opening.saturating_add(self.closed_by_entries());
    }

    /// Units that entries have filled and that close: what it opened ahead of the leader another order has closed. They were
    /// opened once, so that what is to open in their place passes the gates anew.
    pub(super) fn closed_by_entries(&self) -> u32 {
        let by_entries = u64::from(self.closing_so_far()).saturating_sub(self.filled_as(Purpose::Exit));
        u32::try_from(by_entries.min(self.filled_as(Purpose::Entry))).unwrap_or(u32::MAX)
    }

    /// Asks the entry gates for what is to be opened beyond what they let pass before.
    fn admit(&mut self, wish: &Wish, opening: u32, at: &Moment<'_>) -> Option<DeniedReason> {
        self.let_through_no_more_than(opening);
        let units = opening.saturating_sub(self.let_through());
        if units == 0 || self.refused_raise == Some(opening) {
            return self.reason;
        }
        let asked = self.asks_to_open(wish, units, self.due_since(at), at);
        let answer = match wish.entry_denial {
            Some(reason) => Err(reason),
            None => (at.admit)(&asked),
        };
        let (admitted, reason) = match answer {
            Ok(admission) => match admission.cut_by {
                None => return self.admit_all(opening),
                Some(reason) => (admission.units.get(), reason),
            },
            Err(reason) => (0, reason),
        };
        self.let_through_to(self.let_through().saturating_add(admitted));
        // A price comes with the next news.
        self.refused_raise = (reason != DeniedReason::PriceUnknown).then_some(opening);
        self.reason = Some(reason);
        Some(reason)
    }

    /// Units that the gates let pass and that are filled or may yet be asked for, though no order of them may wait: what is
    /// on its way grows only after its answer.
    fn still_let_through(&self) -> u64 {
        u64::from(self.admitted).saturating_sub(self.lost())
    }

    /// Units that orders which are over left unfilled, and that nothing takes the place of.
    fn lost(&self) -> u64 {
        let lost = self.of(COPY).filter(|child| !child.is_live() && !child.is_retired);
        lost.map(|child| u64::from(child.terms.quantity.saturating_sub(child.cumulative).get())).sum()
    }

    /// What the entry gates are asked.
    pub(super) fn asks_to_open<'a>(
        &'a self,
        wish: &'a Wish,
        units: u32,
        since: Timestamp,
        at: &Moment<'_>,
    ) -> Opening<'a> {
        // What was let through and has not left yet counts like what has.
        let before = self.of(COPY).map(|child| u64::from(child.at_most().get())).sum::<u64>();
        let before = before.max(self.still_let_through());
        let under_way = before.saturating_sub(self.filled());
        let (room, waits) = (self.room_to_grow(wish, at), under_way.saturating_sub(self.works_or_waits()));
        Opening {
            leader: &self.leader,
            wish,
            units,
            before,
            under_way,
            room: room.saturating_sub(waits),
            roomless: waits.saturating_sub(room),
            held: self.held(),
            since,
        }
    }

    /// Units of entries of the copy that may yet fill. What was let through and waits for the answer to what is on its way
    /// counts as well: others would be let through in its place.
    pub fn opens_yet(&self) -> u64 {
        let entries = self.children.iter().filter(|child| child.is_live() && child.purpose == Purpose::Entry);
        let there: u64 =
            entries.map(|child| u64::from(child.at_most().saturating_sub(child.cumulative).get())).sum();
        let waits = matches!(self.outcome, Outcome::Waiting | Outcome::Sent)
            && !self.is_left_alone()
            && self.purpose == Some(Purpose::Entry)
            && self.of(COPY).any(|child| child.is_in_flight() && !child.is_retired);
        let Target::Open(terms) = &self.target else { return there };
        if !waits {
            return there;
        }
        let gone = self.filled() + self.lost();
        there.max(u64::from(terms.quantity.get()).saturating_sub(gone))
    }

    /// Units of the copy that may yet fill by orders that are there.
    fn works_or_waits(&self) -> u64 {
        let live = self.of(COPY).filter(|child| child.is_live());
        live.map(|child| u64::from(child.at_most().saturating_sub(child.cumulative).get())).sum()
    }

    /// Units that the orders that live may become more by, as they are spread.
    fn room_to_grow(&self, wish: &Wish, at: &Moment<'_>) -> u64 {
        let lot = wish.instrument.lot_size.get();
        let freeze = wish.instrument.freeze_quantity.map_or(u32::MAX, |freeze| freeze.get().max(lot));
        let grows = |child: &&Child| child.is_live() && !child.is_retired && can_grow(child, at);
        let rooms = self.of(COPY).filter(grows).map(|child| freeze.saturating_sub(child.at_most().get()));
        rooms.map(|room| u64::from(room - room % lot)).sum()
    }

    fn admit_all(&mut self, opening: u32) -> Option<DeniedReason> {
        self.let_through_to(opening);
        self.refused_raise = None;
        None
    }

    /// Since when the leader has wanted what is to be opened: what is copied by its fills is as old as they are, and so is
    /// a share that grew into a lot, and a raise.
    fn due_since(&self, at: &Moment<'_>) -> Timestamp {
        let is_raise = self.admitted > 0 || self.of(COPY).next().is_some();
        if is_raise { self.leader.ts_event } else { self.entry_since(at.rules.on) }
    }

    /// Since when what the first of its orders would open has been due. What works still at the leader has been since it
    /// was first seen, whenever he placed it (P13): it trades at his price or not at all.
    pub fn entry_since(&self, on: CopyOn) -> Timestamp {
        let leader = &self.leader;
        let has_grown = self.reason == Some(DeniedReason::BelowOneLot);
        let known = self.fills.first().filter(|first| first.at < leader.ts_first_seen);
        let has_grown_since = leader.cumulative > known.map_or(Quantity::ZERO, |first| first.cumulative);
        if has_grown || on == CopyOn::Fill {
            leader.ts_event
        } else if leader.status.is_terminal() || has_grown_since {
            leader.ts_first_event
        } else {
            leader.ts_first_event.max(leader.ts_first_seen)
        }
    }

    /// Nothing is to be done: for good, or until there is something to close.
    fn nothing(&self, reason: DeniedReason, allotment: Allotment) -> Wanted {
        let may_come = allotment.is_armed || !self.leader.status.is_terminal();
        let waits = matches!(reason, DeniedReason::NothingToClose | DeniedReason::PriceUnknown);
        if waits && may_come && !self.of(COPY).any(Child::is_live) {
            return Wanted::Nothing(reason);
        }
        Wanted::Gone(reason)
    }

    /// The leader's terms for so many units.
    pub(super) fn sized(&self, terms: &OrderTerms, total: u32) -> OrderTerms {
        let lot = self.sizing.map_or(LotSize::ONE, |sizing| sizing.lot_size);
        let quantity = Quantity::new(total);
        let disclosed = disclosed(terms.disclosed, terms.quantity, quantity, lot);
        OrderTerms { quantity, disclosed, ..terms.clone() }
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
        let in_grace = by_itself && due > at.now && self.of(COPY).any(Child::is_live);
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
