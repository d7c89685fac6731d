//! What a leader's orders in one instrument close and what they open, and what a follower owes for it.
//!
//! Nothing is frozen at first sight: at every step the leader's fills, in the order of their times, and then what still
//! works of his orders, in the order of their placing, are allotted to closing what he holds, and only then to opening
//! (design, section 4). Beside his net goes what the follower may hold for each of his openings, cut by the same fraction
//! each time he closes. Of the sum of that, to the nearest lot, each opening keeps whole lots: what is not filled of them
//! shrinks first, and a fill that comes after the cut is within them, whenever it came. The *pool* is the sum less what of
//! these lots has not filled. What the follower should hold is the pool to the nearest lot, a half closing; so it is nothing
//! when the leader holds nothing, whatever was rounded or refused before.

use std::collections::VecDeque;
use std::time::Duration;

use crate::flaw::flawed;
use crate::instrument::coded_enum;
use crate::order::Side;
use crate::quantity::{LotSize, Lots, Quantity};
use crate::sizing::{Share, Sizing, nearest_lots, reduced, whole_lots};
use crate::time::Timestamp;

/// How far an order had come at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FillPoint {
    /// The broker's time of it.
    pub at: Timestamp,
    /// Units filled by then.
    pub cumulative: Quantity,
    /// Units that its exit legs had closed again by then.
    pub exited: Quantity,
}

coded_enum! {
    /// How an exit waits. One of each kind may rest for the same units: whichever fills first ends the other.
    ExitKind {
        /// At a limit or at the market.
        Limit = "limit",
        /// Behind a trigger.
        Stop = "stop",
    }
}

impl ExitKind {
    /// Both.
    pub const COUNT: usize = 2;

    /// A place in a list of one for each.
    pub const fn index(self) -> usize {
        match self {
            Self::Limit => 0,
            Self::Stop => 1,
        }
    }
}

/// One leader order, and what the follower made of it.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The leader's side.
    pub side: Side,
    /// When he placed it.
    pub placed: Timestamp,
    /// How it waits.
    pub kind: ExitKind,
    /// How far it has come, in ascending order.
    pub fills: &'a [FillPoint],
    /// When it was first seen, if it had executed then and nobody knew for longer than an entry may be old: what had
    /// executed of it opens nothing, and closes only what it closes together with all else that was missed (P13).
    pub late: Option<Timestamp>,
    /// Units of it that may still fill, as far as the follower copies them before they do.
    pub working: u32,
    /// Whether it is over.
    pub is_over: bool,
    /// Units that the follower's copies of it have filled, less what was closed again by repairs.
    pub filled: u64,
    /// Units that they are about to fill: on their way, and not known to rest.
    pub coming: u64,
    /// Units that the follower was to open by it and will not: refused, rejected, given up.
    pub missing: u64,
    /// The most units the entry gates let it open, where they cut it.
    pub admitted: Option<u64>,
    /// How much of it the follower takes; none where he takes nothing.
    pub sizing: Option<&'a Sizing>,
}

/// What both held before the first of the orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Before {
    /// The leader's net, signed.
    pub leader: i64,
    /// What the follower holds because of copies, on the leader's side.
    pub pool: Share,
}

/// What one order comes to for the follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Part {
    /// Lots he owes for what the leader has closed by it.
    pub due: Lots,
    /// Lots that should rest for what the leader may yet close by it.
    pub resting: Lots,
    /// Lots he should open by it in all, what is filled counted in.
    pub opening: Lots,
    /// Leader units that close, executed or working.
    pub leader_closes: u64,
    /// Leader units that open.
    pub leader_opens: u64,
    /// Leader units that had opened before anybody knew of them, too long ago to be followed.
    pub missed: u64,
    /// Leader units that others of his orders had undone before anybody knew of either.
    pub undone: u64,
}

/// What all orders of one instrument come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allocation {
    /// One for each order, in the order given.
    pub parts: Vec<Part>,
    /// The leader's net, signed.
    pub leader: i64,
    /// What the follower should hold, on the leader's side, before rounding.
    pub pool: Share,
}

/// Allots.
pub fn allocate(before: Before, entries: &[Entry<'_>], lot: LotSize) -> Allocation {
    let mut walk = Walk {
        leader: before.leader,
        before: if before.leader == 0 { Share::ZERO } else { before.pool },
        lot,
        entries,
        states: vec![State::default(); entries.len()],
    };
    let mut nets = vec![(Timestamp::EPOCH, before.leader)];
    let mut chunks = chunks(entries);
    walk.miss_round_trips(&mut chunks);
    for chunk in chunks {
        walk.take(&chunk);
        nets.push((chunk.at, walk.leader));
    }
    walk.take_working(&nets);
    walk.conclude()
}

/// One growth of one order.
#[derive(Debug, Clone, Copy)]
struct Chunk {
    at: Timestamp,
    of: usize,
    /// Signed as it moves the leader's net.
    units: i64,
    /// Whether exit legs of the order made it: the follower's own legs answer it.
    by_legs: bool,
    /// When it was heard of, if that was late.
    late: Option<Timestamp>,
}

/// What was missed is told together: by one read of the books, or by two that follow each other.
const TOLD_TOGETHER: Duration = Duration::from_secs(5);

fn chunks(entries: &[Entry<'_>]) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    for (of, entry) in entries.iter().enumerate() {
        let mut known = (Quantity::ZERO, Quantity::ZERO);
        for (index, point) in entry.fills.iter().enumerate() {
            let late = entry.late.filter(|_| index == 0 && !flawed!(RoundTripsReplayed));
            let growth = point.cumulative.saturating_sub(known.0);
            let exited = point.exited.saturating_sub(known.1);
            known = (known.0.max(point.cumulative), known.1.max(point.exited));
            if !growth.is_zero() {
                let units = entry.side.signed(growth).0;
                chunks.push(Chunk { at: point.at, of, units, by_legs: false, late });
            }
            if !exited.is_zero() {
                let units = -entry.side.signed(exited).0;
                chunks.push(Chunk { at: point.at, of, units, by_legs: true, late });
            }
        }
    }
    // The broker's times are whole seconds: within one, what was placed first filled first.
    chunks.sort_by_key(|chunk| (chunk.at, entries[chunk.of].placed, chunk.of, chunk.by_legs));
    chunks
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    due: u32,
    resting: u32,
    /// Leader units.
    closes: u64,
    opened: u64,
    opens_yet: u64,
    /// Leader units that count as neither.
    missed: u64,
    undone: u64,
    /// What the follower may open for what the leader has opened, and what of that the leader has not closed since.
    entitled: Share,
    stays: Share,
    /// What of the entitled is kept in whole lots: together as much as stays of all, to the nearest lot.
    keeps: Share,
}

struct Walk<'a> {
    leader: i64,
    /// Of what was held before the first of the orders.
    before: Share,
    lot: LotSize,
    entries: &'a [Entry<'a>],
    states: Vec<State>,
}

/// The most of the leader's net that a working order could have closed at any time since it was placed. That much of it
/// is an exit: where another order was faster, the rest of it opens nothing before it executes.
fn reach(entry: &Entry<'_>, nets: &[(Timestamp, i64)]) -> u64 {
    let until = |index: usize| nets.get(index + 1).map(|next: &(Timestamp, i64)| next.0);
    let stood = |index: usize| until(index).is_none_or(|until| entry.placed <= until);
    let nets = nets.iter().enumerate().filter(|(index, _)| stood(*index)).map(|(_, (_, net))| net);
    let opposite = nets.filter(|net| net.signum() == -entry.side.sign());
    opposite.map(|net| net.unsigned_abs()).max().unwrap_or(0)
}

const BILLION: i128 = 1_000_000_000;

impl Walk<'_> {
    /// Of what was missed only the net change counts: what he bought and sold again meanwhile is nobody's any more.
    fn miss_round_trips(&mut self, chunks: &mut [Chunk]) {
        let mut unmatched: VecDeque<usize> = VecDeque::new();
        for index in 0..chunks.len() {
            let Some(heard) = chunks[index].late else { continue };
            while let Some(earlier) = unmatched.front().copied() {
                let is_together = chunks[earlier]
                    .late
                    .is_some_and(|at| at.since(heard).max(heard.since(at)) <= TOLD_TOGETHER);
                if !is_together {
                    unmatched.pop_front();
                    continue;
                }
                if chunks[earlier].units.signum() != -chunks[index].units.signum() {
                    break;
                }
                let both = chunks[earlier].units.abs().min(chunks[index].units.abs());
                for of in [earlier, index] {
                    chunks[of].units -= chunks[of].units.signum() * both;
                    self.states[chunks[of].of].undone += both.unsigned_abs();
                }
                if chunks[earlier].units != 0 {
                    break;
                }
                unmatched.pop_front();
            }
            if chunks[index].units != 0 {
                unmatched.push_back(index);
            }
        }
    }

    fn take(&mut self, chunk: &Chunk) {
        let closes = if self.leader.signum() == -chunk.units.signum() {
            chunk.units.unsigned_abs().min(self.leader.unsigned_abs())
        } else {
            0
        };
        if closes > 0 {
            self.close(chunk, closes);
        }
        let opens = chunk.units.unsigned_abs() - closes;
        self.leader += chunk.units.signum() * (closes.saturating_add(opens)).cast_signed();
        if opens > 0 && !chunk.by_legs {
            self.open(chunk, opens);
        }
    }

    fn close(&mut self, chunk: &Chunk, units: u64) {
        let (from, to) = (self.leader.unsigned_abs(), self.leader.unsigned_abs() - units);
        let before = nearest(self.pool());
        self.cut(from, to);
        let due = before.saturating_sub(nearest(self.pool()));
        let state = &mut self.states[chunk.of];
        state.closes += units;
        if !chunk.by_legs {
            state.due += due;
        }
    }

    fn open(&mut self, chunk: &Chunk, units: u64) {
        let entry = &self.entries[chunk.of];
        let state = &mut self.states[chunk.of];
        if chunk.late.is_some() {
            state.missed += units;
            return;
        }
        state.opened += units;
        let may_open = entitled(entry, state, self.lot, units);
        for share in [&mut state.entitled, &mut state.stays, &mut state.keeps] {
            *share = share.saturating_add(may_open);
        }
    }

    /// What may be held, cut as the leader's position went from so many units to so many. Each entry by itself cannot be
    /// rounded, or every one of them would be a part of a lot short: what is kept of all so far, the oldest first, is what
    /// stays of them to the nearest lot. Nothing that was taken from an entry comes back to it.
    fn cut(&mut self, from: u64, to: u64) {
        self.before = reduced(self.before, from, to);
        for state in &mut self.states {
            state.stays = reduced(state.stays, from, to);
            // Once he is flat, it all begins anew.
            state.keeps = if to == 0 { Share::ZERO } else { state.keeps };
            if flawed!(EntriesRoundedAlone) {
                state.keeps = Share::from_lots(whole_lots(state.stays)).min(state.keeps);
            }
        }
        let sum = |share: fn(&State) -> Share| {
            self.states.iter().map(share).fold(self.before, Share::saturating_add)
        };
        let (kept, stay) = (nearest(sum(|state| state.keeps)), nearest(sum(|state| state.stays)));
        let mut too_many = kept.saturating_sub(stay);
        let (mut keep, mut stay) = (self.before, self.before);
        for state in &mut self.states {
            stay = stay.saturating_add(state.stays);
            let kept = keep.saturating_add(state.keeps);
            let taken = nearest(kept).saturating_sub(nearest(stay)).min(too_many);
            too_many -= taken;
            state.keeps = state.keeps.saturating_sub(Share::from_lots(Lots(taken)));
            keep = keep.saturating_add(state.keeps);
        }
    }

    /// What the follower holds of what it may hold: all that stays but the lots that it keeps and has not filled.
    fn pool(&self) -> Share {
        let stays = self.states.iter().map(|state| state.stays).fold(self.before, Share::saturating_add);
        let unfilled = self.entries.iter().zip(&self.states).map(|(entry, state)| {
            state.keeps.saturating_sub(opened_by(entry, state, self.lot)).max(Share::ZERO)
        });
        unfilled.fold(stays, Share::saturating_sub).max(Share::ZERO)
    }

    /// The lots of it, had the leader so many units left of what he holds, and the copies filled so much.
    fn lots_at(&self, left: u64, entries: &[Entry<'_>]) -> u32 {
        let mut then = Walk { states: self.states.clone(), entries, ..*self };
        then.cut(self.leader.unsigned_abs(), left);
        nearest(then.pool())
    }

    /// What still works closes what is left, each kind of exit for itself; a sell beyond it anticipates buys that were
    /// placed before it; the rest opens, but for what was an exit when it was placed.
    fn take_working(&mut self, nets: &[(Timestamp, i64)]) {
        let mut working: Vec<usize> =
            (0..self.entries.len()).filter(|index| self.entries[*index].working > 0).collect();
        working.sort_by_key(|index| (self.entries[*index].placed, *index));
        let filled = |entry: &Entry<'_>| entry.filled.saturating_add(entry.coming);
        let soon: Vec<Entry<'_>> =
            self.entries.iter().map(|entry| Entry { filled: filled(entry), ..*entry }).collect();
        let held = self.leader.unsigned_abs();
        let mut left = [held; ExitKind::COUNT];
        let (mut coming, mut arrived) = (0_u64, Share::ZERO);
        let mut anticipated = [0_u64; ExitKind::COUNT];
        for index in working {
            let entry = &self.entries[index];
            let (kind, mut units) = (entry.kind.index(), u64::from(entry.working));
            let closes = units.min(left[kind]);
            let is_exit = self.leader != 0 && entry.side.sign() != self.leader.signum();
            let rests = if is_exit {
                // A stop is not to be made smaller, and larger again, only because his entry was the faster one. What may
                // trade at once closes what is held.
                let then = if entry.kind == ExitKind::Stop { &soon } else { self.entries };
                self.lots_at(left[kind], then).saturating_sub(self.lots_at(left[kind] - closes, then))
            } else {
                0
            };
            let state = &mut self.states[index];
            if is_exit {
                state.resting += rests;
                state.closes += closes;
                (left[kind], units) = (left[kind] - closes, units - closes);
            }
            if self.leader >= 0 && entry.side == Side::Sell {
                let closes = units.min(coming - anticipated[kind]);
                let before = reduced(arrived, coming, coming - anticipated[kind]);
                anticipated[kind] += closes;
                let after = reduced(arrived, coming, coming - anticipated[kind]);
                state.resting += nearest(before).saturating_sub(nearest(after));
                state.closes += closes;
                units -= closes;
            }
            if self.leader >= 0 && entry.side == Side::Buy {
                coming += units;
                arrived = arrived.saturating_add(early(entry, state, self.lot));
            }
            let exits = reach(entry, nets).saturating_sub(state.closes);
            state.opens_yet += units.saturating_sub(exits);
        }
    }

    fn conclude(self) -> Allocation {
        let part = |(entry, state): (&Entry<'_>, &State)| Part {
            due: Lots(state.due),
            resting: Lots(state.resting),
            opening: opening(entry, state, self.lot),
            leader_closes: state.closes,
            leader_opens: state.opened + state.opens_yet,
            missed: state.missed,
            undone: state.undone,
        };
        Allocation {
            parts: self.entries.iter().zip(&self.states).map(part).collect(),
            leader: self.leader,
            pool: self.pool(),
        }
    }
}

/// What the follower may hold for so many leader units that an order has opened. Once the order is over, what was filled
/// beyond that is held for it, too.
fn entitled(entry: &Entry<'_>, state: &State, lot: LotSize, units: u64) -> Share {
    let Some(sizing) = entry.sizing else { return Share::ZERO };
    let executed = entry.fills.last().map_or(0, |last| u64::from(last.cumulative.get()));
    let follows_nothing = state.closes + state.missed + state.undone;
    let opens = (executed + u64::from(entry.working)).saturating_sub(follows_nothing).max(state.opened);
    let whole = sizing.quantity_of(sizing.lots(quantity(opens), sizing.credit));
    let may_open =
        u64::from(whole.get()).min(entry.admitted.unwrap_or(u64::MAX)).saturating_sub(entry.missing);
    let filled = entry.filled.saturating_sub(u64::from(state.due) * u64::from(lot.get()));
    let may_hold = if entry.is_over { may_open.max(filled) } else { may_open };
    // As a difference of sums, for parts of a unit are not to be lost at each of its fills.
    let until = |units: u64| reduced(share_of(may_hold, lot), opens, units);
    until(state.opened).saturating_sub(until(state.opened - units))
}

/// What an order should open in all. When the leader has closed a fraction since, what the follower has not filled of it
/// shrinks first.
fn opening(entry: &Entry<'_>, state: &State, lot: LotSize) -> Lots {
    let leader_opens = state.opened + state.opens_yet;
    let Some(sizing) = entry.sizing.filter(|_| leader_opens > 0) else { return Lots(0) };
    let whole = sizing.lots(quantity(leader_opens), sizing.credit);
    if state.keeps == state.entitled || flawed!(EntriesLeftAfterExit) {
        return whole;
    }
    let opened = opened_by(entry, state, lot);
    // Of what may yet come, whatever the leader has not executed stays as it is.
    let coming = Share::from_lots(whole)
        .saturating_sub(state.entitled)
        .saturating_sub(share_of(entry.missing, lot))
        .max(Share::ZERO);
    let may_hold = state.keeps.saturating_add(coming).max(opened);
    let total = may_hold.saturating_add(share_of(entry.missing, lot));
    whole_lots(total).min(whole)
}

/// What the follower has opened by an order: what it filled beyond what it had to close.
fn opened_by(entry: &Entry<'_>, state: &State, lot: LotSize) -> Share {
    let closed = u64::from(state.due) * u64::from(lot.get());
    share_of(entry.filled.saturating_sub(closed), lot)
}

/// What the follower has opened by an order before the leader has.
fn early(entry: &Entry<'_>, state: &State, lot: LotSize) -> Share {
    opened_by(entry, state, lot).saturating_sub(state.entitled).max(Share::ZERO)
}

fn nearest(pool: Share) -> u32 {
    if flawed!(ExitsRoundedDown) {
        // What stays is rounded up, so that what leaves is rounded down.
        return u32::try_from((i128::from(pool.billionths()) + BILLION - 1) / BILLION).unwrap_or(u32::MAX);
    }
    nearest_lots(pool).0
}

/// Units as lots.
pub fn share_of(units: u64, lot: LotSize) -> Share {
    let billionths = i128::from(units) * BILLION / i128::from(lot.get());
    Share::from_billionths(i64::try_from(billionths).unwrap_or(i64::MAX))
}

fn quantity(units: u64) -> Quantity {
    Quantity::new(u32::try_from(units).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
