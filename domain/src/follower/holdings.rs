//! What the leader and the follower hold in each instrument, and how much of each leader order the follower copies for
//! it: the ledger of copied positions.
//!
//! One [`Line`] for each instrument. Whenever anything in it changes, its mirrors are given their share anew
//! ([`super::sharing`]), and those whose share changed are stepped.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::aside::Aside;
use super::openings::Stands;
use super::{Converted, FollowerBook, Opening};
use crate::flaw::flawed;
use crate::gap::GapPolicy;
use crate::gates::{CopyPolicy, DeniedReason};
use crate::ids::BrokerOrderId;
use crate::instrument::{ExchangeSegment, Instrument, InstrumentKey};
use crate::ledger::{self, Before, Entry, ExitKind, Part};
use crate::mirror::{COPY, Child, Mirror, Outcome};
use crate::order::lifecycle::ChildState;
use crate::order::{BrokerStatus, OrderForm, OrderType, Product, Side};
use crate::pacing::Purpose;
use crate::policy::CopyOn;
use crate::quantity::{LotSize, Quantity};
use crate::sizing::Share;
use crate::time::Timestamp;

/// What rounding left over, by side and the leader's product.
pub(super) type Credits = HashMap<(Side, Product), Share>;

/// One instrument.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    /// What is known of it; none before the Sizer named it.
    pub(super) instrument: Option<Arc<Instrument>>,
    /// What was held before today.
    pub(super) opening: Option<Opening>,
    /// Whose part of it stands.
    pub(super) stands: Stands,
    /// The leader's orders in it, in the order they came.
    pub(super) orders: Vec<BrokerOrderId>,
    places: HashMap<BrokerOrderId, usize>,
    /// How many of the first of them are settled, and what they left behind.
    pub(super) settled: usize,
    /// Of the others, those that are gone through at each step, and what is set aside.
    pub(super) active: BTreeSet<BrokerOrderId>,
    pub(super) aside: Aside,
    left_behind: Option<Before>,
    pub(super) settled_credits: Credits,
    /// Copied units held when the last of them was settled, signed.
    pub(super) settled_held: i64,
    /// By side, what was due by these and was closed by others, and the same of all.
    settled_made: [u64; 2],
    made: [u64; 2],
    /// What is left over below a lot, of those settled and of those not.
    pub(super) credits: Credits,
    /// Units that the follower's copies have filled, signed, of all products.
    pub(super) copied: i64,
    /// Units that others have traded in the account today, signed.
    pub(super) external: i64,
    /// By the account's positions, where these and our rows differ.
    pub(super) drift: Option<i64>,
    /// Units in the account by product, signed: as its positions show them, and moved by what has filled since.
    pub(super) by_product: BTreeMap<Product, i64>,
    /// Units of the copies of earlier days that an order of the operator's own has closed today.
    carried_closed: u64,
    /// What the leader has converted today.
    pub(super) converted: Vec<Converted>,
    /// The leader's net, signed, and buys of his that still work.
    pub(super) leader: i64,
    pub(super) leader_buys: u64,
    /// What the follower should hold of it, on the leader's side.
    pub(super) pool: Share,
    /// Units closed beyond what was held, signed as they stand; zero but for the time until they are bought or sold back.
    pub(super) overshot: i64,
    /// The broker does not take a second exit for the same units.
    pub(super) refuses_overlap: bool,
    /// When a fill in it was last seen, by our clock.
    pub(super) changed: Timestamp,
}

impl Line {
    /// Units of the copies that may be closed, signed: no more than was copied, and no more than the account shows.
    pub(super) fn closable(&self) -> i64 {
        if flawed!(ExitsByAccountNet) {
            return self.own() + self.copied + self.opening.map_or(0, |opening| opening.copied);
        }
        self.closable_but(0)
    }

    /// The same, were it not for so many of them.
    pub(super) fn closable_but(&self, units: i64) -> i64 {
        let copied = self.held() - units;
        let net = self.net() - units;
        match copied.signum() {
            1 => copied.min(net.max(0)),
            -1 => copied.max(net.min(0)),
            _ => 0,
        }
    }

    /// Units held because of copies, those of earlier days included.
    pub(super) fn held(&self) -> i64 {
        self.copied + self.opening.map_or(0, |opening| opening.copied)
    }

    /// Units that the owner holds apart from them.
    pub(super) fn own(&self) -> i64 {
        self.external + self.opening.map_or(0, |opening| opening.own)
    }

    /// What the account should show.
    pub(super) fn net(&self) -> i64 {
        self.drift.unwrap_or(0) + self.own() + self.held()
    }

    /// By side, units in whole lots that orders of it were to close and cannot, for the owner has closed them by hand or the
    /// account does not show them; but for those that settled orders were to close.
    pub(super) fn made_by_others(&self, lot: LotSize) -> [u64; 2] {
        let lots = |units: i64| units.unsigned_abs() / u64::from(lot.get()) * u64::from(lot.get());
        let held = self.held();
        let units = lots(held).saturating_sub(lots(self.closable_but(0)));
        let of = |side: Side, settled: u64| {
            if held.signum() == -side.sign() { units.saturating_sub(settled) } else { 0 }
        };
        [of(Side::Buy, self.settled_made[0]), of(Side::Sell, self.settled_made[1])]
    }

    /// What orders that are not settled take of it.
    pub(super) fn note_made(&mut self, taken: [u64; 2]) {
        let [buys, sells] = self.settled_made;
        self.made = [buys + taken[0], sells + taken[1]];
    }

    /// Units on one side that may be closed by orders of the other.
    pub(super) fn closable_by(&self, side: Side) -> u64 {
        let closable = self.closable();
        if closable.signum() == side.sign() { 0 } else { closable.unsigned_abs() }
    }

    /// Something in the account has filled.
    pub(super) fn move_product(&mut self, product: Product, units: i64) {
        let known = self.by_product.entry(product).or_default();
        *known += units;
        if *known == 0 {
            self.by_product.remove(&product);
        }
    }

    /// Units of which nothing tells the product: before a read of the positions that adds up, those that were carried.
    pub(super) fn untold(&self) -> i64 {
        self.own() + self.held() - self.by_product.values().sum::<i64>()
    }

    /// The product in which so many of the copied units are closed: the wanted one if they are held in it, or may be for
    /// all that is told; else that of the larger part of what is held.
    pub(super) fn held_in(&self, wanted: Product, units: u64) -> Option<Product> {
        let sign = self.held().signum();
        let in_wanted = self.by_product.get(&wanted).copied().unwrap_or(0);
        let may_be_there = [in_wanted, self.untold()].into_iter().filter(|units| units.signum() == sign);
        let may_be_there: u64 = may_be_there.map(i64::unsigned_abs).sum();
        if !self.by_product.is_empty() && may_be_there >= units.max(1) {
            return Some(wanted);
        }
        self.by_product.iter().max_by_key(|(_, units)| units.abs()).map(|(product, _)| *product)
    }

    pub(super) fn before(&self, lot: LotSize) -> Before {
        self.left_behind.unwrap_or_else(|| {
            let Some(opening) = self.opening else { return Before::default() };
            let same_side = opening.copied.signum() == opening.leader.signum();
            let copied = if same_side { opening.copied.unsigned_abs() } else { 0 };
            let copied = copied.saturating_sub(self.carried_closed);
            Before { leader: opening.leader, pool: ledger::share_of(copied, lot) }
        })
    }

    /// A settled order has changed after all: everything counts anew.
    pub(super) fn unsettle(&mut self, id: &BrokerOrderId) {
        if self.places.get(id).is_some_and(|place| *place < self.settled) {
            self.count_anew();
        }
    }

    /// All that is not settled is gone through again.
    pub(super) fn wake_all(&mut self) {
        if !self.aside.is_empty() {
            self.active.extend(self.orders[self.settled..].iter().cloned());
        }
        self.aside = Aside::default();
    }

    pub(super) fn wake_resting(&mut self) {
        self.active.extend(self.aside.wake_resting());
    }

    /// Nothing of it can change any more: it need not be gone through again.
    pub(super) fn settle(&mut self) {
        self.settled = self.orders.len();
        self.active.clear();
        self.aside = Aside::default();
        self.left_behind = Some(Before { leader: self.leader, pool: self.pool });
        self.settled_credits = self.credits.clone();
        self.settled_held = self.held();
        self.settled_made = self.made;
    }

    /// Nothing of it counts as settled.
    pub(super) fn count_anew(&mut self) {
        self.aside = Aside::default();
        self.active = self.orders.iter().cloned().collect();
        self.settled = 0;
        self.left_behind = None;
        self.settled_credits.clear();
        self.settled_held = 0;
        self.settled_made = [0; 2];
    }

    /// An order of the operator's own has closed units of earlier days: no exit of the leader's counts on them.
    pub(super) fn close_carried(&mut self, units: i64) {
        self.carried_closed += units.unsigned_abs();
        self.count_anew();
    }
}

impl FollowerBook {
    /// Takes a leader order into its line.
    pub(super) fn enlist(&mut self, id: &BrokerOrderId, instrument: InstrumentKey) {
        let line = self.lines.entry(instrument).or_default();
        if !line.places.contains_key(id) {
            line.places.insert(id.clone(), line.orders.len());
            line.orders.push(id.clone());
            line.active.insert(id.clone());
        }
    }

    /// What earlier orders of the leader's on a side left over below a lot.
    pub(super) fn credit(&self, instrument: InstrumentKey, side: Side, product: Product) -> Share {
        let line = self.lines.get(&instrument);
        line.and_then(|line| line.credits.get(&(side, product))).copied().unwrap_or_default()
    }
}

/// Whether nothing more is to be expected of a mirror; should it come all the same, its line is unsettled. What was not
/// opened does not come back, what is owed does.
pub(super) fn is_settled(mirror: &Mirror) -> bool {
    is_done(mirror) && mirror.allotment.is_some_and(|allotment| !allotment.is_armed)
}

/// The same, whatever else may fill that it would have to close.
pub(super) fn is_done(mirror: &Mirror) -> bool {
    let Some(allotment) = mirror.allotment else { return false };
    let is_decided = !matches!(mirror.outcome, Outcome::AwaitingLeader | Outcome::Waiting);
    let has_left = mirror.filled() >= u64::from(allotment.closing);
    // Of what a new life has not heard of yet nobody knows whether it is as it should be.
    mirror.is_heard()
        && mirror.leader.status.is_terminal()
        && !mirror.leader.legs_alive()
        && !mirror.children.iter().any(Child::is_live)
        && mirror.wake().is_none()
        && is_decided
        && has_left
        && mirror.left_too_much() == 0
}

pub(super) fn entry_of<'a>(mirror: &'a Mirror, copy: &CopyPolicy, gap: GapPolicy) -> Entry<'a> {
    let leader = &mirror.leader;
    let is_over = leader.status.is_terminal();
    let waits_for_fill = copy.on == CopyOn::Fill && leader.terms.form == OrderForm::Ordinary;
    let working = if is_over || waits_for_fill {
        0
    } else {
        leader.terms.quantity.saturating_sub(leader.cumulative).get()
    };
    Entry {
        id: leader.broker_order_id.as_str(),
        side: leader.terms.side,
        placed: leader.ts_first_event,
        kind: if leader.terms.order_type.is_stop() { ExitKind::Stop } else { ExitKind::Limit },
        late: mirror.missed_by(copy.entry_age_max).then_some(leader.ts_first_seen),
        fills: if is_told_twice(mirror) { &[] } else { &mirror.fills },
        working: if is_told_twice(mirror) { 0 } else { working },
        is_over,
        // What is closed again as too much is in no pool.
        filled: mirror.opened().saturating_sub(mirror.surplus(gap)),
        coming: coming(mirror),
        missing: missing(mirror),
        lost: lost(mirror),
        admitted: admitted(mirror),
        sizing: mirror.sizing.as_ref().filter(|_| takes_part(mirror)),
    }
}

/// What a forever order left when it fired is told by both: of shares the forever order counts, elsewhere what it left.
fn is_told_twice(mirror: &Mirror) -> bool {
    let leader = &mirror.leader;
    let segment = leader.terms.instrument.segment;
    if matches!(segment, ExchangeSegment::NseEquity | ExchangeSegment::BseEquity) {
        leader.forever_parent.is_some()
    } else {
        matches!(leader.terms.form, OrderForm::Forever(_))
    }
}

/// Units that entries are about to fill: not sent yet, on their way, or at the market. What the exchange shows to rest may
/// rest for long.
fn coming(mirror: &Mirror) -> u64 {
    if mirror.allotment.is_none() && mirror.children.is_empty() {
        // Not asked for yet; should the gates refuse it, the shares are cut again.
        return u64::from(mirror.wish().map_or(0, |wish| wish.terms.quantity.get()));
    }
    let is_coming = |child: &&Child| {
        let is_new = matches!(child.status, None | Some(BrokerStatus::Transit));
        let is_on_its_way = match child.state {
            ChildState::Planned | ChildState::Sending => true,
            ChildState::Working { .. } => is_new || child.terms.order_type == OrderType::Market,
            _ => false,
        };
        is_on_its_way && child.key.leg == COPY && child.purpose == Purpose::Entry
    };
    let coming = mirror.children.iter().filter(is_coming);
    coming.map(|child| u64::from(child.terms.quantity.saturating_sub(child.cumulative).get())).sum()
}

/// Units that were to be opened by orders that are over and left them unfilled, and that nothing makes up for.
fn missing(mirror: &Mirror) -> u64 {
    let was_left_behind = mirror.reason == Some(DeniedReason::LeftBehind);
    let is_lost = |child: &&Child| {
        let is_over = !child.is_live() && child.key.leg == COPY && child.purpose == Purpose::Entry;
        // What we took back ourselves is not wanted any more, but for what was left behind.
        let is_ours = child.is_retired || (child.cancel_asked && !was_left_behind);
        is_over && !is_ours
    };
    let lost = mirror.children.iter().filter(is_lost);
    lost.map(|child| u64::from(child.terms.quantity.saturating_sub(child.cumulative).get())).sum()
}

/// Units that an exit has closed too much, and when. What a repair has opened again is there.
fn lost(mirror: &Mirror) -> Option<(Timestamp, u64)> {
    let units = if mirror.purpose == Some(Purpose::Exit) { mirror.left_too_much() } else { 0 };
    let filled =
        mirror.children.iter().filter(|child| child.key.leg == COPY).filter_map(|child| child.ts_filled);
    (units > 0).then(|| (filled.max().unwrap_or(mirror.leader.ts_event), units))
}

/// The most that it may open yet, where that is less than its share: nothing more comes of what is left alone.
fn admitted(mirror: &Mirror) -> Option<u64> {
    let is_over = mirror.is_left_alone() && !mirror.children.iter().any(Child::is_live);
    if is_over { Some(mirror.opened() + missing(mirror)) } else { mirror.cut_to() }
}

/// Whether it counts as copied, whatever the broker made of it.
fn takes_part(mirror: &Mirror) -> bool {
    let is_out = matches!(mirror.outcome, Outcome::Skipped | Outcome::Voided);
    (!is_out || mirror.may_revive()) && !mirror.opens_no_more
}

/// What rounding leaves over of one order.
pub(super) fn credit_of(mirror: &Mirror, part: &Part) -> Option<((Side, Product), Share)> {
    let sizing = mirror.sizing.filter(|_| takes_part(mirror))?;
    let units = Quantity::new(u32::try_from(part.leader_opens).unwrap_or(u32::MAX));
    let left = sizing.left(units, sizing.credit).saturating_sub(sizing.credit);
    let terms = &mirror.leader.terms;
    (!units.is_zero() && !left.is_zero()).then_some(((terms.side, terms.product), left))
}
