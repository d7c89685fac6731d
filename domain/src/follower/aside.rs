//! What of a line needs not be gone through again: orders that can change no more on either side, and orders that rest and
//! touch nobody. A day may have thousands of both, and each event is to cost the work of the few that it is about.
//!
//! How it works: of each order that is set aside is kept what it was judged by. Whoever changes a mirror touches it
//! ([`super::mirrors`]); if by then it is not what it was, it comes back, and with one that was finished everything does:
//! all is gone through anew. The shares of the others are the same in either case, which tests hold after every step.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use super::holdings::{Credits, credit_of, entry_of, is_done};
use super::shares::opened_and_held;
use crate::gap::GapPolicy;
use crate::gates::CopyPolicy;
use crate::ids::BrokerOrderId;
use crate::ledger::{Allocation, Before, Beside, Entry, ExitKind, FillPoint, Finished, Part, Standing};
use crate::mirror::{Allotment, COPY, Child, Mirror};
use crate::order::{Product, Side};
use crate::pacing::Purpose;
use crate::quantity::{LotSize, Quantity};
use crate::sizing::{Share, Sizing};
use crate::time::Timestamp;

/// All that the shares of a line are cut from, of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Figures {
    side: Side,
    product: Product,
    placed: Timestamp,
    kind: ExitKind,
    late: Option<Timestamp>,
    fills: Vec<FillPoint>,
    working: u32,
    is_over: bool,
    missing: u64,
    admitted: Option<u64>,
    sizing: Option<Sizing>,
    opened: u64,
    filled: u64,
    repaired: u64,
    held: u64,
    as_entry: u64,
    too_many: u64,
    is_left_alone: bool,
    allotment: Option<Allotment>,
    /// Whether an entry of it may fill.
    enters: bool,
}

impl Figures {
    fn of(mirror: &Mirror, entry: &Entry<'_>) -> Self {
        let enters =
            |child: &Child| child.is_live() && child.key.leg == COPY && child.purpose == Purpose::Entry;
        Self {
            side: entry.side,
            product: mirror.leader.terms.product,
            placed: entry.placed,
            kind: entry.kind,
            late: entry.late,
            fills: entry.fills.to_vec(),
            working: entry.working,
            is_over: entry.is_over,
            missing: entry.missing,
            admitted: entry.admitted,
            sizing: entry.sizing.copied(),
            opened: entry.filled,
            filled: mirror.filled(),
            repaired: mirror.repaired(),
            held: mirror.held(),
            as_entry: mirror.filled_as(Purpose::Entry),
            too_many: mirror.left_too_much(),
            is_left_alone: mirror.is_left_alone(),
            allotment: mirror.allotment,
            enters: mirror.children.iter().any(enters),
        }
    }
}

/// One order that is set aside.
#[derive(Debug, Clone)]
struct Apart {
    figures: Figures,
    /// Units that it has opened and that are held.
    opened: u64,
    credit: Option<((Side, Product), Share)>,
}

/// What those that are set aside are to the others.
#[derive(Debug, Clone, Default)]
pub(super) struct Totals {
    /// Units opened and held, by side.
    opened: [u64; 2],
    /// Orders of which an entry may fill, by side.
    enter: [usize; 2],
    /// Leader units of buys that work.
    buys: u64,
    credits: Credits,
}

impl Totals {
    pub(super) fn opened(&self, side: Side) -> u64 {
        self.opened[place(side)]
    }

    pub(super) fn may_fill(&self, side: Side) -> bool {
        self.enter[place(side)] > 0
    }

    pub(super) const fn buys(&self) -> u64 {
        self.buys
    }

    pub(super) const fn credits(&self) -> &Credits {
        &self.credits
    }
}

const fn place(side: Side) -> usize {
    match side {
        Side::Buy => 0,
        Side::Sell => 1,
    }
}

/// What became of what was set aside of an order that was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touched {
    /// It is as it was, or was never set aside.
    Stays,
    /// It is to be gone through again.
    Wakes,
    /// Everything is.
    WakesAll,
}

/// What is set aside of a line.
#[derive(Debug, Clone, Default)]
pub(super) struct Aside {
    standing: Option<Standing>,
    finished: HashMap<BrokerOrderId, Apart>,
    resting: HashMap<BrokerOrderId, Apart>,
    /// Of those that rest, the buys as they were placed, and how many sells there are.
    buys: BTreeMap<(Timestamp, BrokerOrderId), u64>,
    sells: usize,
    totals: Totals,
}

/// One that is gone through, and what came of it.
pub(super) struct Judged<'a> {
    pub(super) mirror: &'a Mirror,
    pub(super) entry: Entry<'a>,
    pub(super) part: Part,
}

impl Aside {
    pub(super) const fn totals(&self) -> &Totals {
        &self.totals
    }

    pub(super) fn is_empty(&self) -> bool {
        self.finished.is_empty() && self.resting.is_empty()
    }

    pub(super) fn has_finished(&self) -> bool {
        !self.finished.is_empty()
    }

    pub(super) fn has_resting(&self) -> bool {
        !self.resting.is_empty()
    }

    pub(super) fn contains(&self, id: &BrokerOrderId) -> bool {
        self.finished.contains_key(id) || self.resting.contains_key(id)
    }

    /// From where the others are gone through; none where what was finished does not stand any more.
    pub(super) fn standing(
        &self,
        before: Before,
        lot: LotSize,
        entries: &[Entry<'_>],
    ) -> Option<Cow<'_, Standing>> {
        let Some(standing) = &self.standing else {
            return Some(Cow::Owned(Standing::new(before, lot)));
        };
        (standing.is_of(before, lot) && standing.is_before(entries)).then_some(Cow::Borrowed(standing))
    }

    /// The buys that rest, where a sell works that may wait for them.
    pub(super) fn beside<'a>(&'a self, entries: &[Entry<'_>]) -> Vec<Beside<'a>> {
        let sells = entries.iter().any(|entry| entry.side == Side::Sell && entry.working > 0);
        let buys = self.buys.iter().filter(|_| sells);
        buys.map(|((placed, id), units)| Beside { placed: *placed, id: id.as_str(), units: *units }).collect()
    }

    /// Whether orders that rest may touch others after all: as the leader stands by now, or has stood meanwhile, or
    /// because something is free to be closed by them.
    pub(super) fn is_disturbed(
        &self,
        allocation: &Allocation,
        entries: &[Entry<'_>],
        free: [u64; 2],
    ) -> bool {
        let is_of = |side: Side| match side {
            Side::Buy => !self.buys.is_empty(),
            Side::Sell => self.sells > 0,
        };
        [Side::Buy, Side::Sell]
            .into_iter()
            .any(|side| is_of(side) && !self.may_rest(side, allocation, entries, free))
    }

    fn may_rest(&self, side: Side, allocation: &Allocation, entries: &[Entry<'_>], free: [u64; 2]) -> bool {
        let (least, most) = allocation.range.unwrap_or((allocation.leader, allocation.leader));
        let (least, most) = (least.min(allocation.leader), most.max(allocation.leader));
        let buys = || {
            !self.buys.is_empty() || entries.iter().any(|entry| entry.side == Side::Buy && entry.working > 0)
        };
        free[place(side)] == 0
            && match side {
                Side::Buy => least >= 0,
                Side::Sell => most <= 0 && (allocation.leader < 0 || !buys()),
            }
    }

    /// Looks whether an order that was touched is still what it was when it was set aside.
    pub(super) fn touch(
        &mut self,
        id: &BrokerOrderId,
        mirror: &Mirror,
        copy: &CopyPolicy,
        gap: GapPolicy,
    ) -> Touched {
        let is_same = |apart: &Apart| apart.figures == Figures::of(mirror, &entry_of(mirror, copy, gap));
        if let Some(apart) = self.finished.get(id) {
            return if is_done(mirror) && is_same(apart) { Touched::Stays } else { Touched::WakesAll };
        }
        match self.resting.get(id) {
            Some(apart) if !(mirror.is_heard() && is_same(apart)) => {
                self.wake(id);
                Touched::Wakes
            }
            _ => Touched::Stays,
        }
    }

    /// Lets everything that rests be gone through again. Which that is.
    pub(super) fn wake_resting(&mut self) -> Vec<BrokerOrderId> {
        let resting: Vec<BrokerOrderId> = self.resting.keys().cloned().collect();
        for id in &resting {
            self.wake(id);
        }
        resting
    }

    fn wake(&mut self, id: &BrokerOrderId) {
        let Some(apart) = self.resting.remove(id) else { return };
        let figures = &apart.figures;
        match figures.side {
            Side::Buy => {
                self.buys.remove(&(figures.placed, id.clone()));
                self.totals.buys -= u64::from(figures.working);
            }
            Side::Sell => self.sells -= 1,
        }
        self.totals.enter[place(figures.side)] -= usize::from(figures.enters);
        if let Some((key, share)) = apart.credit {
            let known = self.totals.credits.entry(key).or_default();
            *known = known.saturating_sub(share);
        }
    }

    /// Sets aside what needs not be gone through again of what was gone through. Which that is.
    pub(super) fn set(
        &mut self,
        judged: &[Judged<'_>],
        (before, lot): (Before, LotSize),
        allocation: &Allocation,
        free: [u64; 2],
    ) -> Vec<BrokerOrderId> {
        let mut set = Vec::new();
        let entries: Vec<Entry<'_>> = judged.iter().map(|of| of.entry).collect();
        let finished: Vec<Finished> = judged.iter().map(|of| is_finished(of, lot)).collect();
        let mut standing = self.standing.take().unwrap_or_else(|| Standing::new(before, lot));
        let mut taken = standing.advance(&entries, &finished);
        // What never executed anything is nothing to anybody.
        taken.extend(
            (0..judged.len())
                .filter(|index| finished[*index] != Finished::No && judged[*index].entry.fills.is_empty()),
        );
        for index in taken {
            let of = &judged[index];
            let apart = Apart {
                figures: Figures::of(of.mirror, &of.entry),
                opened: opened_and_held(of.mirror, &of.part, lot),
                credit: credit_of(of.mirror, &of.part),
            };
            self.totals.opened[place(of.entry.side)] += apart.opened;
            self.add_credit(apart.credit);
            let id = of.mirror.leader.broker_order_id.clone();
            set.push(id.clone());
            self.finished.insert(id, apart);
        }
        self.standing = (!self.finished.is_empty()).then_some(standing);
        for of in judged.iter().filter(|of| touches_nobody(of)) {
            if self.may_rest(of.entry.side, allocation, &entries, free) {
                set.push(self.lay(of));
            }
        }
        set
    }

    fn lay(&mut self, of: &Judged<'_>) -> BrokerOrderId {
        let id = of.mirror.leader.broker_order_id.clone();
        let figures = Figures::of(of.mirror, &of.entry);
        match figures.side {
            Side::Buy => {
                self.buys.insert((figures.placed, id.clone()), figures.working.into());
                self.totals.buys += u64::from(figures.working);
            }
            Side::Sell => self.sells += 1,
        }
        self.totals.enter[place(figures.side)] += usize::from(figures.enters);
        let credit = credit_of(of.mirror, &of.part);
        self.add_credit(credit);
        self.resting.insert(id.clone(), Apart { figures, opened: 0, credit });
        id
    }

    fn add_credit(&mut self, credit: Option<((Side, Product), Share)>) {
        if let Some((key, share)) = credit {
            let known = self.totals.credits.entry(key).or_default();
            *known = known.saturating_add(share);
        }
    }
}

/// Whether an order can change no more: it is over on both sides, and has what it should have. What was opened by it may
/// be closed by others: that changes nothing of its own share, unless it has less than the leader opened by it, or a repair
/// has closed some of it.
fn is_finished(of: &Judged<'_>, lot: LotSize) -> Finished {
    let Judged { mirror, entry, part } = of;
    let Some(allotment) = mirror.allotment else { return Finished::No };
    let filled = mirror.filled();
    // What others have closed of it may be due once more: a repair opens it again.
    let has_closed = filled.min(allotment.closing.into()) >= u64::from(part.due.0) * u64::from(lot.get());
    // All that the leader opened by it, whatever he has closed of that since: of it he may turn out to have closed less.
    let opens = Quantity::new(u32::try_from(part.leader_opens).unwrap_or(u32::MAX));
    let opens = entry.sizing.map_or(0, |sizing| sizing.quantity_of(sizing.lots(opens, sizing.credit)).get());
    let total = u64::from(allotment.closing) + u64::from(opens.max(allotment.opening));
    let claims_nothing = total.saturating_sub(filled.max(allotment.closing.into())) <= entry.missing;
    let is_over = is_done(mirror) && entry.working == 0 && allotment.flatten == 0;
    let yet = u64::from(allotment.total()).saturating_sub(filled.max(allotment.closing.into()));
    if !is_over || !has_closed || !(yet <= entry.missing || mirror.is_left_alone()) {
        Finished::No
    } else if claims_nothing && mirror.repaired() == 0 {
        Finished::Yes
    } else {
        Finished::OnceFlat
    }
}

/// Whether an order waits to open and nothing more, here and there: it closes nothing, and nothing of it was filled.
fn touches_nobody(of: &Judged<'_>) -> bool {
    let Judged { mirror, entry, part } = of;
    let Some(allotment) = mirror.allotment else { return false };
    let waits = entry.working > 0 && entry.fills.is_empty() && mirror.fills.is_empty();
    let only_opens =
        *part == Part { opening: part.opening, leader_opens: entry.working.into(), ..Part::default() };
    let is_untouched = mirror.filled() == 0 && mirror.repaired() == 0 && entry.missing == 0;
    waits
        && only_opens
        && is_untouched
        && mirror.is_heard()
        && mirror.left_too_much() == 0
        && (allotment.closing, allotment.due, allotment.flatten, allotment.repairable) == (0, 0, 0, 0)
        && !allotment.is_armed
}
