//! From what is wanted to requests: how a quantity is spread over child orders, and what each is asked for next.

use super::child::{Change, ChangeRequest, ChangeState, Child, OrderPart};
use super::evidence::RETRY_DOUBLINGS_MAX;
use super::target::Wanted;
use super::{COPY, Mirror, MirrorEffect, Moment, Outcome, REPAIR, Target, Word, rank_of};
use crate::gates::DeniedReason;
use crate::ids::ChildKey;
use crate::order::lifecycle::{ChildEvent, ChildState, IllegalTransition, transition};
use crate::order::{ExitLegs, OrderForm, OrderTerms, OrderType, TimeInForce};
use crate::pacing::Purpose;
use crate::policy::{AtModificationLimit, Bps, MarketOrders};
use crate::price::Price;
use crate::quantity::{LotSize, Quantity};
use crate::time::Timestamp;
use crate::translate::{at_limit, disclosed};

/// How often one exit is sent, each time to no avail, before a person must look.
pub const ATTEMPTS_MAX: u16 = 3;
/// The wait between two moves of a chased price doubles this often: an hour's budget must last.
const CHASE_DOUBLINGS_MAX: u32 = 5;
/// A chased limit goes beyond the price by the band once, twice, ... up to this many times.
const CHASE_BANDS_MAX: u16 = 8;

/// What the children of one part of a mirror must come to.
#[derive(Debug)]
struct Aim {
    leg: u8,
    /// Their quantity is the total.
    terms: OrderTerms,
    is_chase: bool,
    purpose: Purpose,
    lot: LotSize,
    freeze: u32,
    tick: Price,
    reference: Option<Price>,
}

impl Mirror {
    /// Compares what is wanted with what is there, and asks for the difference.
    pub(super) fn reconcile(
        &mut self,
        at: &Moment<'_>,
        effects: &mut Vec<MirrorEffect>,
    ) -> Result<(), IllegalTransition> {
        self.wake = None;
        match self.wanted(at) {
            Wanted::LeaveAlone => {}
            Wanted::Ending(target) => self.send_no_more(target)?,
            Wanted::Gone(reason) => {
                self.target = Target::Gone(reason);
                self.take_back(COPY, reason, at, effects)?;
            }
            Wanted::Order { terms, is_chase } => {
                self.forget_reason();
                if let Some(aim) = self.aim(COPY, terms, is_chase) {
                    self.target = Target::Open(aim.terms.clone());
                    self.drive(&aim, at, effects)?;
                }
            }
        }
        self.part(at, effects)
    }

    fn aim(&self, leg: u8, terms: OrderTerms, is_chase: bool) -> Option<Aim> {
        // A repair may be due after the Sizer has said no; and in a new life before he has said anything but no.
        let wish = self.wish.as_deref();
        let lot = wish.map(|wish| wish.lot).or(self.sizing.map(|sizing| sizing.lot_size))?;
        let tick = wish.map_or(self.tick, |wish| wish.tick);
        let reference = wish.and_then(|wish| wish.reference);
        let freeze = wish.and_then(|wish| wish.freeze).map_or(u32::MAX, Quantity::get).max(lot.get());
        let freeze = freeze - freeze % lot.get();
        let purpose = if leg == REPAIR { repair_purpose(self.purpose) } else { self.purpose? };
        Some(Aim { leg, terms, is_chase, purpose, lot, freeze, tick, reference })
    }

    /// Drives what makes a gap good: orders that should trade now.
    pub(super) fn drive_repair(
        &mut self,
        terms: OrderTerms,
        at: &Moment<'_>,
        effects: &mut Vec<MirrorEffect>,
    ) -> Result<(), IllegalTransition> {
        match self.aim(REPAIR, terms, true) {
            Some(aim) => self.drive(&aim, at, effects),
            None => Ok(()),
        }
    }

    fn drive(
        &mut self,
        aim: &Aim,
        at: &Moment<'_>,
        effects: &mut Vec<MirrorEffect>,
    ) -> Result<(), IllegalTransition> {
        let is_first = self.of(aim.leg).next().is_none();
        if is_first
            && aim.leg == COPY
            && aim.purpose == Purpose::Entry
            && let Some(reason) = at.entry_denial
        {
            self.target = Target::Gone(reason);
            return self.take_back(COPY, reason, at, effects);
        }
        if aim.leg == REPAIR && aim.purpose == Purpose::Entry && at.raise_denial.is_some() {
            return Ok(());
        }
        self.cancel_retired(aim.leg, at, effects);
        let (wants, new) = self.spread(aim, at);
        for (index, quantity) in wants {
            self.ask(index, quantity, aim, at, effects)?;
        }
        for quantity in new {
            self.plan(aim, quantity, at, effects);
        }
        Ok(())
    }

    /// What is to be replaced goes first.
    fn cancel_retired(&mut self, leg: u8, at: &Moment<'_>, effects: &mut Vec<MirrorEffect>) {
        for index in 0..self.children.len() {
            let child = &self.children[index];
            let is_working = matches!(child.state, ChildState::Working { .. });
            if child.key.leg == leg && child.is_retired && is_working {
                let cancel = full_cancel(child);
                self.want(index, Some(cancel), false, at, effects);
            }
        }
    }

    /// The reason why less was wanted is none any more once it is wanted again; why something was given up stands.
    fn forget_reason(&mut self) {
        let given_up = |child: &Child| child.state == ChildState::Voided && !child.is_retired;
        if self.outcome == Outcome::Sent
            && self.refused_raise.is_none()
            && !self.children.iter().any(given_up)
        {
            self.reason = None;
        }
    }

    /// How much each living child should be, and the new ones beside them: what is there is kept as far as possible, the
    /// oldest first; more goes to those that have room before it becomes an order of its own.
    fn spread(&mut self, aim: &Aim, at: &Moment<'_>) -> (Vec<(usize, u32)>, Vec<u32>) {
        let total = aim.terms.quantity.get();
        let used: u64 = self.of(aim.leg).map(|child| u64::from(self.used_up(child, aim))).sum();
        let mut left = u32::try_from(u64::from(total).saturating_sub(used)).unwrap_or(total);
        let mut wants: Vec<(usize, u32)> = Vec::new();
        for (index, child) in self.children.iter().enumerate() {
            if child.key.leg == aim.leg && child.is_live() && !child.is_retired {
                let kept = child.terms.quantity.get().min(left);
                left -= kept;
                wants.push((index, kept));
            }
        }
        if left < aim.lot.get() || self.is_raise_refused(aim, at, &wants) {
            return (wants, Vec::new());
        }
        // P5: nothing more while what is out may still come to the whole.
        let at_worst: u64 = self
            .of(aim.leg)
            .map(|child| {
                let planned =
                    if child.state == ChildState::Planned { child.terms.quantity } else { Quantity::ZERO };
                u64::from(child.worst_case().max(planned).get())
            })
            .sum();
        let open = u32::try_from(u64::from(total).saturating_sub(at_worst)).unwrap_or(total);
        let mut more = left.min(open);
        more -= more % aim.lot.get();
        for (index, quantity) in &mut wants {
            let child = &self.children[*index];
            let room = aim.freeze.saturating_sub(*quantity);
            let added = more.min(room - room % aim.lot.get());
            if added > 0 && can_grow(child, at) {
                // What is under way cannot be changed before its answer, but it is what will grow.
                if !child.is_in_flight() {
                    *quantity += added;
                }
                more -= added;
            }
        }
        let mut new = Vec::new();
        while more >= aim.lot.get() {
            let slice = more.min(aim.freeze);
            new.push(slice);
            more -= slice;
        }
        (wants, new)
    }

    /// Units of the total that a child has taken and no other may take any more.
    fn used_up(&self, child: &Child, aim: &Aim) -> u32 {
        if child.is_live() {
            // Those that stay are dealt with one by one.
            return if child.is_retired { child.worst_case().max(child.terms.quantity).get() } else { 0 };
        }
        let filled = child.cumulative;
        let unfilled = child.terms.quantity.saturating_sub(filled);
        // The leader has left: so must the follower, whatever became of the first try.
        let is_owed = aim.purpose == Purpose::Exit && (aim.leg == REPAIR || self.leader.status.is_terminal());
        let is_made_up = match child.state {
            _ if child.is_retired || child.cancel_asked => true,
            ChildState::Cancelled => is_owed,
            ChildState::Rejected | ChildState::Refused => is_owed && child.key.attempt < ATTEMPTS_MAX,
            _ => false,
        };
        if is_made_up { filled.get() } else { filled.get() + unfilled.get() }
    }

    /// A raise of an entry passes the entry gates for the difference; refused, the old quantity stands until the leader
    /// changes his mind.
    fn is_raise_refused(&mut self, aim: &Aim, at: &Moment<'_>, wants: &[(usize, u32)]) -> bool {
        let is_first = wants.is_empty() && self.of(aim.leg).next().is_none();
        if aim.purpose == Purpose::Exit || is_first {
            return false;
        }
        if self.refused_raise == Some(aim.terms.quantity) {
            return true;
        }
        let Some(reason) = at.raise_denial else { return false };
        self.refused_raise = Some(aim.terms.quantity);
        self.reason = Some(reason);
        true
    }

    /// Asks one child for what it should be.
    fn ask(
        &mut self,
        index: usize,
        quantity: u32,
        aim: &Aim,
        at: &Moment<'_>,
        effects: &mut Vec<MirrorEffect>,
    ) -> Result<(), IllegalTransition> {
        let child = &mut self.children[index];
        let (units, filled) = (Quantity::new(quantity), child.cumulative);
        match child.state {
            ChildState::Planned if quantity == 0 => {
                child.state = transition(&child.state, ChildEvent::Voided)?;
                child.is_retired = true;
            }
            ChildState::Planned => {
                child.terms = as_placed(child, units, aim, at);
                effects.push(MirrorEffect::Queue(
                    child.client_order_id.clone(),
                    rank_of(child),
                    child.held_until,
                ));
            }
            ChildState::Working { .. } => {
                let lower = units < child.terms.quantity;
                if lower && units <= filled {
                    self.want(index, Some(full_cancel(&self.children[index])), false, at, effects);
                } else {
                    self.want_change(index, units, aim, at, effects);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn want_change(
        &mut self,
        index: usize,
        units: Quantity,
        aim: &Aim,
        at: &Moment<'_>,
        effects: &mut Vec<MirrorEffect>,
    ) {
        let child = &self.children[index];
        let wanted =
            if aim.is_chase { self.chased(index, units, aim, at) } else { desired(child, units, aim) };
        let child = &self.children[index];
        let under_chase = aim.is_chase && is_chase_due(child, at.now, at);
        let Some(change) = difference(&standing(child), &wanted, under_chase, is_entry_done(child)) else {
            return self.want(index, None, false, at, effects);
        };
        let is_refused = |change: &Change| matches!(change, Change::Modify { terms, .. } if child.refused_change.as_deref() == Some(terms));
        // What is refused of the entry keeps no exit from being moved.
        let legs_only = || difference(&standing(child), &wanted, false, true);
        let change =
            if is_refused(&change) { legs_only().filter(|leg| !is_refused(leg)) } else { Some(change) };
        let Some(change) = change else { return };
        let is_spent = matches!(change, Change::Modify { .. })
            && child.changes >= at.rules.changes.per_order_max
            && child.request.as_deref().is_none_or(|request| may_give_way(request, &change));
        if !is_spent {
            return self.want(index, Some(change), aim.is_chase, at, effects);
        }
        match at.rules.changes.at_limit {
            AtModificationLimit::Stop if !aim.is_chase => {
                let child = &mut self.children[index];
                if let Change::Modify { terms, .. } = change {
                    child.refused_change = Some(Box::new(terms));
                }
                effects.push(MirrorEffect::ChangesExhausted(child.client_order_id.clone()));
            }
            // What must trade is replaced in any case: it is not the leader who changes it.
            AtModificationLimit::Replace | AtModificationLimit::Stop => {
                self.children[index].is_retired = true;
                let cancel = full_cancel(&self.children[index]);
                self.want(index, Some(cancel), false, at, effects);
            }
        }
    }

    /// What a chased order should look like: at the market, or at a limit of ours further beyond the price each time.
    fn chased(&mut self, index: usize, units: Quantity, aim: &Aim, at: &Moment<'_>) -> OrderTerms {
        let child = &self.children[index];
        let wanted = desired(child, units, aim);
        let due = is_chase_due(child, at.now, at);
        if !due {
            let next = next_chase(child, at);
            let unmoved =
                OrderTerms { quantity: wanted.quantity, disclosed: Quantity::ZERO, ..standing(child) };
            self.wake_at(next);
            return unmoved;
        }
        marketable(wanted, child.changes, aim, at)
    }

    /// Sets what is wanted of a child that the broker has, unless something about it is on the wire.
    fn want(
        &mut self,
        index: usize,
        change: Option<Change>,
        is_chase: bool,
        at: &Moment<'_>,
        effects: &mut Vec<MirrorEffect>,
    ) {
        let child = &mut self.children[index];
        match (child.request.as_deref(), &change) {
            (Some(request), _) if matches!(request.state, ChangeState::Sending | ChangeState::Unknown) => {
                return;
            }
            // Taken, and its effect not seen yet: only something else may follow it, and nothing follows a cancel.
            (Some(request), wanted)
                if request.state == ChangeState::Acked
                    && (request.change.is_full_cancel()
                        || wanted.as_ref().is_none_or(|wanted| *wanted == request.change)) =>
            {
                return;
            }
            _ => {}
        }
        let Some(change) = change else {
            child.request = None;
            return;
        };
        let was_acked = child.request.as_deref().is_some_and(|request| request.state == ChangeState::Acked);
        if was_acked {
            self.close_superseded(index);
        }
        let is_cancel = matches!(change, Change::Cancel { .. });
        let child = &mut self.children[index];
        child.request = Some(Box::new(ChangeRequest {
            change,
            state: ChangeState::Planned,
            serial: 0,
            ts_sent: None,
            is_seen: false,
            is_chase: is_chase && !is_cancel,
        }));
        let held = child.held_until.filter(|until| *until > at.now);
        effects.push(MirrorEffect::Queue(child.client_order_id.clone(), rank_of(child), held));
    }

    /// What waits to leave does not (P8).
    fn send_no_more(&mut self, target: Target) -> Result<(), IllegalTransition> {
        let mut is_given_up = false;
        for child in self.children.iter_mut().filter(|child| child.key.leg == COPY) {
            if child.state == ChildState::Planned {
                child.state = transition(&child.state, ChildEvent::Voided)?;
                child.is_retired = true;
                is_given_up = true;
            }
            child.request = child.request.take().filter(|request| request.state != ChangeState::Planned);
        }
        // What ends by itself needs no reason.
        if is_given_up && let Target::Gone(reason) = target {
            self.close_if_never_sent(reason);
        }
        self.target = target;
        Ok(())
    }

    /// Takes back what is out of a part.
    pub(super) fn take_back(
        &mut self,
        leg: u8,
        reason: DeniedReason,
        at: &Moment<'_>,
        effects: &mut Vec<MirrorEffect>,
    ) -> Result<(), IllegalTransition> {
        if self.of(leg).next().is_none() {
            if leg == COPY {
                self.outcome = Outcome::Skipped;
                self.reason = Some(reason);
            }
            return Ok(());
        }
        let was_out = self.of(leg).any(Child::is_live);
        for index in 0..self.children.len() {
            let child = &mut self.children[index];
            if child.key.leg != leg {
                continue;
            }
            match child.state {
                ChildState::Planned => {
                    child.state = transition(&child.state, ChildEvent::Voided)?;
                    // Should more be wanted again, its quantity is free.
                    child.is_retired = true;
                }
                ChildState::Working { .. } => {
                    let cancel = full_cancel(child);
                    self.want(index, Some(cancel), false, at, effects);
                }
                _ => {}
            }
        }
        // What was over by itself was not taken back.
        if leg == COPY && was_out {
            self.close_if_never_sent(reason);
        }
        Ok(())
    }

    fn plan(&mut self, aim: &Aim, units: u32, at: &Moment<'_>, effects: &mut Vec<MirrorEffect>) {
        let (slice, attempt) = self.next_place(aim.leg);
        let key = ChildKey {
            trading_day: self.leader.trading_day,
            leader_order: self.leader.broker_order_id.clone(),
            follower: at.rules.follower.clone(),
            leg: aim.leg,
            slice,
            attempt,
        };
        let mut child = Child::planned(key, aim.terms.clone(), aim.purpose);
        child.terms = as_placed(&child, Quantity::new(units), aim, at);
        child.is_chased = is_placed_to_trade(&child, aim);
        // What came to nothing is not tried again at once.
        if attempt > 1 && self.last_failed(aim.leg, slice) {
            let wait = at.rules.retry.saturating_mul(1 << u32::from(attempt).min(RETRY_DOUBLINGS_MAX));
            child.held_until = Some(at.now.plus(wait));
        }
        effects.push(MirrorEffect::Queue(child.client_order_id.clone(), rank_of(&child), child.held_until));
        // One child is the rule: room for four, as a list makes it by itself, would be most of a mirror's memory.
        self.children.reserve_exact(1);
        self.children.push(child);
        if matches!(self.outcome, Outcome::AwaitingLeader) {
            self.outcome = Outcome::Waiting;
        }
    }

    /// The next attempt of a slice that ended unfilled and whose rest is made up, or else a slice of its own.
    fn next_place(&self, leg: u8) -> (u16, u16) {
        let mut next_slice = 0;
        let mut again: Option<(u16, u16)> = None;
        for child in self.of(leg) {
            next_slice = next_slice.max(child.key.slice.saturating_add(1));
            let slice = child.key.slice;
            let attempts: Vec<&Child> = self.of(leg).filter(|other| other.key.slice == slice).collect();
            let is_over = attempts.iter().all(|attempt| !attempt.is_live());
            let newest = attempts.iter().map(|attempt| attempt.key.attempt).max().unwrap_or(1);
            let unfilled = attempts
                .iter()
                .any(|attempt| attempt.key.attempt == newest && attempt.cumulative < attempt.terms.quantity);
            if is_over && unfilled && again.is_none() {
                again = Some((slice, newest.saturating_add(1)));
            }
        }
        again.unwrap_or((next_slice, 1))
    }

    fn last_failed(&self, leg: u8, slice: u16) -> bool {
        let of_slice = self.of(leg).filter(|child| child.key.slice == slice);
        let last = of_slice.max_by_key(|child| child.key.attempt);
        last.is_some_and(|child| match child.state {
            ChildState::Rejected | ChildState::Refused => true,
            // By the broker.
            ChildState::Cancelled => !child.cancel_asked,
            _ => false,
        })
    }

    /// Whether the Sizer has spoken in this life.
    pub fn is_heard(&self) -> bool {
        !matches!(self.word, Word::Unheard)
    }
}

/// A repair stands on the other side of what it repairs: what was opened is closed by it.
fn repair_purpose(purpose: Option<Purpose>) -> Purpose {
    match purpose {
        Some(Purpose::Exit) => Purpose::Entry,
        Some(Purpose::Entry) | None => Purpose::Exit,
    }
}

fn can_grow(child: &Child, at: &Moment<'_>) -> bool {
    let immediate = child.terms.time_in_force == TimeInForce::Ioc;
    let changes_left = child.changes < at.rules.changes.per_order_max;
    child.state == ChildState::Planned || (!immediate && changes_left && !is_entry_done(child))
}

/// Whether a super order's entry is through: only its legs can be changed any more.
fn is_entry_done(child: &Child) -> bool {
    matches!(child.terms.form, OrderForm::Super(_)) && child.cumulative >= child.terms.quantity
}

/// Whether what is asked of a child makes room for another change: what waits does, and what was taken and is not it.
fn may_give_way(request: &ChangeRequest, change: &Change) -> bool {
    match request.state {
        ChangeState::Planned => true,
        ChangeState::Acked => request.change != *change,
        ChangeState::Sending | ChangeState::Unknown => false,
    }
}

fn full_cancel(child: &Child) -> Change {
    let part = match child.terms.form {
        OrderForm::Super(_) => OrderPart::Entry,
        OrderForm::Ordinary | OrderForm::Forever(_) => OrderPart::Whole,
    };
    Change::Cancel { part }
}

/// What a child asks for as the exchange has it by now.
fn standing(child: &Child) -> OrderTerms {
    if child.has_fired { fired(child.terms.clone()) } else { child.terms.clone() }
}

/// What the exchange makes of a stop whose trigger was touched (`dhanhq-v2.md` section 2.9).
fn fired(terms: OrderTerms) -> OrderTerms {
    if !terms.order_type.is_stop() {
        return terms;
    }
    OrderTerms { order_type: OrderType::Limit, trigger: Price::ZERO, ..terms }
}

/// What a child of this quantity should ask for.
fn desired(child: &Child, units: Quantity, aim: &Aim) -> OrderTerms {
    let mut terms = OrderTerms {
        quantity: units,
        disclosed: disclosed(aim.terms.disclosed, aim.terms.quantity, units, aim.lot),
        // What no change can change.
        product: child.terms.product,
        after_market: child.terms.after_market,
        ..aim.terms.clone()
    };
    if child.has_fired {
        terms = fired(terms);
    }
    if let OrderForm::Forever(Some(second)) = &mut terms.form {
        second.quantity = units;
    }
    terms
}

/// What a child that was not sent yet should ask for.
fn as_placed(child: &Child, units: Quantity, aim: &Aim, at: &Moment<'_>) -> OrderTerms {
    let wanted = desired(child, units, aim);
    if is_placed_to_trade(child, aim) {
        marketable(wanted, child.key.attempt.saturating_sub(1), aim, at)
    } else {
        wanted
    }
}

/// What takes the place of a chased order, or makes a gap good, is to trade from the first.
fn is_placed_to_trade(child: &Child, aim: &Aim) -> bool {
    aim.is_chase && (child.key.attempt > 1 || aim.leg == REPAIR)
}

/// An order that should trade now.
fn marketable(terms: OrderTerms, tries: u16, aim: &Aim, at: &Moment<'_>) -> OrderTerms {
    let terms = OrderTerms { time_in_force: TimeInForce::Day, disclosed: Quantity::ZERO, ..terms };
    match (at.rules.translation.market_orders, aim.reference) {
        (MarketOrders::ProtectedLimit, Some(reference)) => {
            let band = at
                .rules
                .translation
                .price_band
                .get()
                .saturating_mul(u32::from(tries.min(CHASE_BANDS_MAX)) + 1);
            at_limit(terms, reference, Bps::new(band.min(Bps::WHOLE / 2)), aim.tick)
        }
        // Without a price of our own the broker's protection stands in.
        (MarketOrders::ProtectedLimit, None) | (MarketOrders::AsIs, _) => {
            OrderTerms { order_type: OrderType::Market, price: Price::ZERO, trigger: Price::ZERO, ..terms }
        }
    }
}

fn next_chase(child: &Child, at: &Moment<'_>) -> Timestamp {
    // What takes the place of another goes on waiting where that one was.
    let moves = child.changes.saturating_sub(1).saturating_add(child.key.attempt - 1);
    let doublings = u32::from(moves).min(CHASE_DOUBLINGS_MAX);
    let last = child.ts_changed.or(child.ts_sent).unwrap_or(at.now);
    last.plus(at.rules.parting.chase_interval.saturating_mul(1 << doublings))
}

/// Whether a price that follows the market should move again. The first move is due at once, but for an order that was
/// sent to the market.
fn is_chase_due(child: &Child, now: Timestamp, at: &Moment<'_>) -> bool {
    let follows = child.is_chased || child.terms.order_type == OrderType::Market;
    !follows || now >= next_chase(child, at)
}

/// The next request that brings an order nearer to what is wanted of it; none when it is there. A request about one leg
/// leaves the rest of the order as it is: that is the next request's.
fn difference(has: &OrderTerms, wanted: &OrderTerms, even_if_same: bool, entry_done: bool) -> Option<Change> {
    let modify = |part, terms: OrderTerms| Some(Change::Modify { terms, part });
    let by_type = |terms: &OrderTerms| {
        let price = if terms.order_type == OrderType::Market { Price::ZERO } else { terms.price };
        let trigger = if terms.order_type.is_stop() { terms.trigger } else { Price::ZERO };
        (terms.order_type, price, trigger, terms.quantity)
    };
    let main_differs = even_if_same
        || by_type(has) != by_type(wanted)
        || (has.time_in_force, has.disclosed) != (wanted.time_in_force, wanted.disclosed);
    match (has.form, wanted.form) {
        (OrderForm::Super(has_legs), OrderForm::Super(wants)) => {
            if main_differs && !entry_done {
                return modify(OrderPart::Entry, wanted.clone());
            }
            let with = |legs| OrderTerms { form: OrderForm::Super(legs), ..has.clone() };
            match (has_legs.target, wants.target) {
                (Some(_), None) => return Some(Change::Cancel { part: OrderPart::Target }),
                (Some(from), Some(to)) if from != to => {
                    return modify(OrderPart::Target, with(ExitLegs { target: Some(to), ..has_legs }));
                }
                // A leg that was cancelled cannot be added again (`dhanhq-v2.md` section 3.1).
                _ => {}
            }
            match (has_legs.stop, wants.stop) {
                (Some(_), None) => Some(Change::Cancel { part: OrderPart::Stop }),
                (Some(from), Some(to)) if (from, has_legs.trailing) != (to, wants.trailing) => {
                    let legs = ExitLegs { stop: Some(to), trailing: wants.trailing, ..has_legs };
                    modify(OrderPart::Stop, with(legs))
                }
                _ => None,
            }
        }
        (OrderForm::Forever(Some(has_leg)), OrderForm::Forever(Some(wants))) if !main_differs => {
            if has_leg == wants { None } else { modify(OrderPart::Stop, wanted.clone()) }
        }
        (OrderForm::Forever(Some(_)), OrderForm::Forever(Some(_))) => {
            modify(OrderPart::Target, OrderTerms { form: has.form, ..wanted.clone() })
        }
        _ if main_differs => modify(OrderPart::Whole, wanted.clone()),
        _ => None,
    }
}
