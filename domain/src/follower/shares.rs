//! From what the ledger says a follower owes to the share of each mirror: never more than he holds, each kind of exit for
//! itself.

use super::aside::Totals;
use super::holdings::Line;
use crate::flaw::flawed;
use crate::gap::GapPolicy;
use crate::gates::DeniedReason;
use crate::ids::DhanClientId;
use crate::ledger::{Allocation, Entry, ExitKind, Part};
use crate::mirror::{Allotment, COPY, Child, Mirror};
use crate::order::lifecycle::ChildState;
use crate::order::{Product, Side};
use crate::pacing::Purpose;
use crate::quantity::{LotSize, Lots};
use crate::time::Timestamp;

/// What shares are cut from.
pub(super) struct Shares<'a> {
    pub(super) line: &'a Line,
    pub(super) lot: LotSize,
    /// What becomes of units filled too much.
    pub(super) gap: GapPolicy,
    /// The follower's account: an order in it that copies nothing closes what is carried.
    pub(super) account: &'a DhanClientId,
    /// What those orders come to that are not gone through.
    pub(super) aside: &'a Totals,
}

/// What the mirrors that were gone through should come to.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) allotted: Vec<Allotment>,
    /// Units that the copies have overshot, signed as they stand.
    pub(super) overshot: i64,
    /// By side, what nobody claimed: it is closed before anything is opened.
    pub(super) free: [u64; 2],
    /// By side, what was due and others have closed.
    pub(super) made: [u64; 2],
}

/// Units that close.
struct Closing {
    /// By mirror.
    units: Vec<u64>,
    /// Of these, what the leader has closed already.
    due: Vec<u64>,
    /// What may be closed again of what each mirror has filled too much.
    repairable: Vec<u64>,
    /// What a person is told of the same.
    told: Vec<u64>,
    /// By side, what nobody claims.
    free: [u64; 2],
    /// By side, what was due and others have closed.
    made: [u64; 2],
}

/// By side, what exits have closed too much, and by when. It is due no more of the orders that were to close it: what one
/// of them fills as an entry since has opened.
struct LostBySide([(u64, Timestamp); 2]);

impl LostBySide {
    fn of(entries: &[Entry<'_>]) -> Self {
        let mut sides = [(0, Timestamp::EPOCH); 2];
        for entry in entries {
            if let Some((at, units)) = entry.lost {
                let (lost, until) = &mut sides[side_of(entry)];
                (*lost, *until) = (*lost + units, at.max(*until));
            }
        }
        Self(sides)
    }

    /// How many of the units that are due by an order others have closed.
    fn take(&mut self, entry: &Entry<'_>, mirror: &Mirror, due: u64) -> u64 {
        let own = entry.lost.map_or(0, |(_, units)| units);
        let (lost, until) = &mut self.0[side_of(entry)];
        let may_have_closed = |child: &&Child| {
            let is_before = child.ts_filled.is_none_or(|filled| filled <= *until);
            child.key.leg == COPY && (child.purpose == Purpose::Exit || is_before)
        };
        let closed = mirror.children.iter().filter(may_have_closed);
        let closed: u64 = closed.map(|child| u64::from(child.cumulative.get())).sum();
        let taken = due.saturating_sub(closed).min(lost.saturating_sub(own));
        *lost -= taken;
        taken
    }
}

impl Shares<'_> {
    /// The share of each mirror.
    pub(super) fn of_allocation(
        &self,
        mirrors: &[&Mirror],
        entries: &[Entry<'_>],
        allocation: &Allocation,
    ) -> Shared {
        let overshot = self.overshot(mirrors, entries, &allocation.parts);
        let flatten = self.flatten(mirrors, entries, &allocation.parts, overshot);
        let flattened =
            flatten.iter().zip(mirrors).map(|(units, mirror)| units.saturating_sub(mirror.repaired()));
        let mut traded_back = [0; 2];
        traded_back[usize::from(overshot > 0)] = flattened.sum();
        let Closing { units: closing, due, repairable, told, free: unclaimed, made } =
            self.closing(mirrors, entries, allocation, traded_back);
        let mut free = unclaimed;
        let mut allotted: Vec<Allotment> = Vec::with_capacity(mirrors.len());
        for (index, (mirror, part)) in mirrors.iter().zip(&allocation.parts).enumerate() {
            if flawed!(AllocationFrozen)
                && let Some(frozen) = mirror.allotment.filter(|frozen| frozen.total() > 0)
            {
                allotted.push(frozen);
                continue;
            }
            let total = closing[index] + u64::from(self.units(part.opening));
            // What the follower holds on the other side, and nothing else claims, is closed first, whatever it is to the
            // leader.
            let filled = mirror.filled().max(closing[index]);
            let free = &mut free[side_of(&entries[index])];
            // What it missed to open for good claims nothing, nor does what is left alone.
            let yet = total.saturating_sub(filled).saturating_sub(entries[index].missing);
            let closes = if mirror.is_left_alone() { 0 } else { yet.min(*free) };
            *free -= closes;
            let closing = if closes > 0 { filled + closes } else { closing[index] };
            let units = |units: u64| u32::try_from(units).unwrap_or(u32::MAX);
            let closes_yet = closing.saturating_sub(mirror.filled());
            allotted.push(Allotment {
                closing: units(closing),
                due: units(due[index]),
                opening: units(total.saturating_sub(closing)),
                flatten: units(flatten[index]),
                repairable: units(repairable[index]),
                told: units(told[index]),
                product: self.product_of(mirror, closes_yet),
                is_armed: part.leader_closes > 0 && self.may_fill(mirrors, entries[index].side.opposite()),
                until_flat: false,
                reason: reason(part),
            });
        }
        Shared { allotted, overshot, free: unclaimed, made }
    }

    /// Units that each mirror should close in all. What the leader has closed comes first, but for what the owner has closed
    /// in its place, the oldest first; what he may yet close shares what is left, each kind of exit for itself.
    /// Between the two comes what was filled too much and is closed again, and by side what overshot and is traded back.
    fn closing(
        &self,
        mirrors: &[&Mirror],
        entries: &[Entry<'_>],
        allocation: &Allocation,
        traded_back: [u64; 2],
    ) -> Closing {
        let parts = &allocation.parts;
        let lot = u64::from(self.lot.get());
        let whole_lots = |side| self.line.closable_by(side) / lot * lot;
        let mut left = [Side::Buy, Side::Sell].map(|side| [whole_lots(side); ExitKind::COUNT]);
        let mut beside = self.beside_the_net(allocation);
        let mut closing = vec![0; mirrors.len()];
        let mut lost = LostBySide::of(entries);
        let made = self.line.made_by_others(self.lot);
        let mut unmade = made;
        let mut by_others = vec![0; mirrors.len()];
        for (index, entry) in entries.iter().enumerate() {
            let (due, filled) = (u64::from(self.units(parts[index].due)), mirrors[index].filled());
            let left = &mut left[side_of(entry)];
            let there = left.iter().copied().min().unwrap_or(0);
            let owed = due.saturating_sub(filled).min(there);
            by_others[index] = lost.take(entry, mirrors[index], due.saturating_sub(owed));
            let unmade = &mut unmade[side_of(entry)];
            let taken = (due - by_others[index]).saturating_sub(filled).min(*unmade) / lot * lot;
            *unmade -= taken;
            by_others[index] += taken;
            let due = due - by_others[index];
            let owed = due.saturating_sub(filled).min(there);
            for kind in left.iter_mut() {
                *kind -= owed;
            }
            let beside = &mut beside[side_of(entry)];
            *beside = beside.saturating_sub(owed);
            closing[index] = due.min(filled) + owed;
        }
        let due = closing.clone();
        let mut repairable = Vec::with_capacity(mirrors.len());
        let mut told = Vec::with_capacity(mirrors.len());
        for (entry, mirror) in entries.iter().zip(mirrors) {
            let (left, beside) = (&mut left[1 - side_of(entry)], &mut beside[1 - side_of(entry)]);
            let there = left.iter().copied().min().unwrap_or(0);
            let closed = mirror.surplus(self.gap).min(there);
            for kind in left.iter_mut() {
                *kind -= closed;
            }
            // What is only reported is there all the same.
            let units = mirror.left_too_much().min(there);
            repairable.push(mirror.repaired() + units);
            let against_net = mirror.left_too_much().min(*beside);
            *beside -= against_net;
            told.push(mirror.repaired() + units.max(against_net));
        }
        for (left, units) in left.iter_mut().zip(traded_back) {
            for kind in left.iter_mut() {
                *kind = kind.saturating_sub(units);
            }
        }
        let mut by_age: Vec<usize> = (0..entries.len()).collect();
        by_age.sort_by_key(|index| (entries[*index].placed, *index));
        for index in by_age {
            let (entry, part) = (&entries[index], &parts[index]);
            // Where the broker bears one exit only, the stop is the one that is kept.
            let stop_rests = || {
                entries.iter().zip(parts).any(|(other, of)| {
                    other.kind == ExitKind::Stop && other.side == entry.side && of.resting > Lots(0)
                })
            };
            if entry.kind == ExitKind::Limit && self.line.refuses_overlap && stop_rests() {
                continue;
            }
            let total = u64::from(self.units(Lots(part.due.0.saturating_add(part.resting.0))));
            let (total, filled) = (total - by_others[index], mirrors[index].filled());
            let left = &mut left[side_of(entry)][entry.kind.index()];
            let under_way = closing[index].max(filled.min(total));
            let rests = total.saturating_sub(under_way).min(*left);
            *left -= rests;
            closing[index] = under_way + rests;
        }
        Closing {
            units: closing,
            due,
            repairable,
            told,
            free: left.map(|kinds| kinds.into_iter().min().unwrap_or(0)),
            made: [made[0] - unmade[0], made[1] - unmade[1]],
        }
    }

    /// By side, what may be closed of copies that stand against the leader's net: the account shows them less what is held
    /// for that.
    fn beside_the_net(&self, allocation: &Allocation) -> [u64; 2] {
        let pool = i64::from(self.units(crate::sizing::nearest_lots(allocation.pool)));
        let of_net = allocation.leader.signum() * pool;
        let beside = self.line.closable_but(of_net);
        [Side::Buy, Side::Sell].map(|side| {
            let is_against =
                allocation.leader.signum() == -beside.signum() && beside.signum() == -side.sign();
            if is_against { beside.unsigned_abs() } else { 0 }
        })
    }

    /// By how much exits have closed beyond what was held: copied units on the side that nothing has opened.
    fn overshot(&self, mirrors: &[&Mirror], entries: &[Entry<'_>], parts: &[Part]) -> i64 {
        let held = self.line.held();
        let side = if held < 0 { Side::Sell } else { Side::Buy };
        let opened: u64 = entries
            .iter()
            .zip(parts)
            .zip(mirrors)
            .filter(|((entry, _), _)| entry.side == side)
            .map(|((_, part), mirror)| opened_and_held(mirror, part, self.lot))
            .sum();
        let opened = opened + self.aside.opened(side);
        let before = self.line.before(self.lot);
        let carried = if before.leader.signum() == side.sign() {
            u64::from(self.units(crate::sizing::nearest_lots(before.pool))) + u64::from(self.lot.get())
        } else {
            0
        };
        // What was held when nothing of it could change any more was right then.
        let settled = self.line.settled_held;
        let settled = if settled.signum() == side.sign() { settled.unsigned_abs() } else { 0 };
        let excess = held.unsigned_abs().saturating_sub(opened + carried.max(settled));
        side.sign() * i64::try_from(excess).unwrap_or(i64::MAX)
    }

    /// Units that each mirror trades back of what overshot, those traded back already counted in: the newest exits are what
    /// was too much, but for what they opened.
    fn flatten(&self, mirrors: &[&Mirror], entries: &[Entry<'_>], parts: &[Part], overshot: i64) -> Vec<u64> {
        let mut left = overshot.unsigned_abs();
        let mut flatten = vec![0; mirrors.len()];
        for (index, mirror) in mirrors.iter().enumerate().rev() {
            let part = &parts[index];
            if part.leader_closes > 0 && entries[index].side.sign() == overshot.signum() {
                let units = left.min(mirror.held() - opened_and_held(mirror, part, self.lot));
                left -= units;
                flatten[index] = mirror.repaired() + units;
            }
        }
        flatten
    }

    /// In which product a mirror closes so many units: what the broker has stays where it is, else the leader's if it is held
    /// in it.
    fn product_of(&self, mirror: &Mirror, units: u64) -> Option<Product> {
        let has_left = |child: &&Child| child.is_live() && child.state != ChildState::Planned;
        let rests = mirror.children.iter().filter(has_left).find(|child| child.purpose == Purpose::Exit);
        let asked = mirror.wish().map_or(mirror.leader.terms.product, |wish| wish.terms.product);
        self.line.held_in(rests.map_or(asked, |child| child.terms.product), units)
    }

    /// Nothing is copied any more; once every copy is proven over, whole lots of what is held are closed by the mirrors that
    /// opened it, and what none of today has opened by the operator's own order.
    pub(super) fn of_square_off(&self, mirrors: &[&Mirror]) -> Vec<Allotment> {
        let closable = self.line.closable();
        let is_live = |child: &Child| child.is_live() && child.key.leg == COPY;
        let waits =
            mirrors.iter().any(|mirror| !mirror.is_in(self.account) && mirror.children.iter().any(is_live));
        let lot = u64::from(self.lot.get());
        let mut left = if waits { 0 } else { closable.unsigned_abs() / lot * lot };
        let mut allotted = vec![Allotment::closing(0); mirrors.len()];
        for (mirror, allotted) in mirrors.iter().zip(&mut allotted).rev() {
            if mirror.is_in(self.account) {
                continue;
            }
            let has_opened = mirror.leader.terms.side.sign() == closable.signum();
            let units = if has_opened { left.min(mirror.held()) } else { 0 };
            left -= units;
            *allotted = Allotment {
                flatten: u32::try_from(mirror.repaired() + units).unwrap_or(u32::MAX),
                product: self.product_of(mirror, units),
                repairable: u32::try_from(mirror.repaired()).unwrap_or(u32::MAX),
                told: u32::try_from(mirror.repaired()).unwrap_or(u32::MAX),
                until_flat: true,
                reason: DeniedReason::Halted,
                ..Allotment::opening(0)
            };
        }
        left -= left % u64::from(self.lot.get());
        for (mirror, allotted) in mirrors.iter().zip(&mut allotted) {
            if mirror.is_in(self.account) {
                let closes = mirror.leader.terms.side.sign() == -closable.signum();
                let units = if closes && mirror.may_close() { left } else { 0 };
                left -= units;
                *allotted = Allotment {
                    product: self.product_of(mirror, units),
                    until_flat: true,
                    ..Allotment::closing(u32::try_from(mirror.filled() + units).unwrap_or(u32::MAX))
                };
            }
        }
        allotted
    }

    /// Whether an entry on a side may yet fill.
    fn may_fill(&self, mirrors: &[&Mirror], side: Side) -> bool {
        let is_entry = |child: &&Child| {
            child.is_live()
                && child.key.leg == COPY
                && child.terms.side == side
                && child.purpose == Purpose::Entry
        };
        self.aside.may_fill(side)
            || mirrors.iter().any(|mirror| mirror.children.iter().any(|child| is_entry(&child)))
    }

    fn units(&self, lots: Lots) -> u32 {
        lots.0.saturating_mul(self.lot.get())
    }
}

/// The place of an order's side in a list of both.
fn side_of(entry: &Entry<'_>) -> usize {
    usize::from(entry.side == Side::Sell)
}

/// Why there is nothing to do for an order, should there be nothing.
const fn reason(part: &Part) -> DeniedReason {
    if part.leader_opens > 0 {
        DeniedReason::BelowOneLot
    } else if part.leader_closes == 0 && part.undone > 0 {
        DeniedReason::RoundTripMissed
    } else if part.leader_closes == 0 && part.missed > 0 {
        DeniedReason::StaleEntry
    } else {
        DeniedReason::NothingToClose
    }
}

/// Units of what an order has filled that opened, as far as they are held still. What was filled before the leader, or for
/// an order that he took back since, was an opening as well.
pub(super) fn opened_and_held(mirror: &Mirror, part: &Part, lot: LotSize) -> u64 {
    if part.leader_closes == 0 {
        return mirror.held();
    }
    let opening = u64::from(part.opening.0) * u64::from(lot.get());
    mirror.held().min(opening.max(mirror.filled_as(Purpose::Entry)))
}
