//! The walk through what an instrument's orders have executed, and through what of them works still.

use std::collections::VecDeque;
use std::time::Duration;

use super::hold::{Hold, cut, nearest, pool, signed};
use super::standing::Standing;
use super::{Allocation, Beside, Entry, ExitKind, Part, quantity, share_of};
use crate::flaw::flawed;
use crate::order::Side;
use crate::quantity::{LotSize, Lots, Quantity};
use crate::sizing::{Share, Sizing, reduced, whole_lots};
use crate::time::Timestamp;

/// One growth of one order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    pub(super) at: Timestamp,
    pub(super) of: usize,
    /// Signed as it moves the leader's net.
    units: i64,
    /// Whether exit legs of the order made it: the follower's own legs answer it.
    by_legs: bool,
    /// When it was heard of, if that was late.
    late: Option<Timestamp>,
    /// Units that the follower has closed, and the leader has not.
    lost: u64,
}

/// What was missed is told together: by one read of the books, or by two that follow each other.
pub(super) const TOLD_TOGETHER: Duration = Duration::from_secs(5);

/// What the leader's orders have executed, the earliest first.
pub(super) fn chunks(entries: &[Entry<'_>]) -> Vec<Chunk> {
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
                chunks.push(Chunk { at: point.at, of, units, by_legs: false, late, lost: 0 });
            }
            if !exited.is_zero() {
                let units = -entry.side.signed(exited).0;
                chunks.push(Chunk { at: point.at, of, units, by_legs: true, late, lost: 0 });
            }
        }
        if let Some((at, lost)) = lost_at(entry) {
            chunks.push(Chunk { at, of, units: 0, by_legs: true, late: None, lost });
        }
    }
    // The broker's times are whole seconds: within one, what was placed first filled first.
    chunks.sort_by_key(|chunk| (chunk.at, entries[chunk.of].placed, chunk.of, chunk.by_legs, chunk.lost));
    chunks
}

/// When units were lost by an entry: behind what the leader closed by it, for what is lost is beyond that.
pub(super) fn lost_at(entry: &Entry<'_>) -> Option<(Timestamp, u64)> {
    let (at, units) = entry.lost?;
    Some((entry.fills.last().map_or(at, |last| at.max(last.at)), units))
}

/// Leader units that an order closes and opens in all, what works of it counted in.
#[derive(Debug, Clone, Copy, Default)]
struct InAll {
    closes: u64,
    opens: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    due: u32,
    resting: u32,
    /// Leader units.
    closes: u64,
    opened: u64,
    opens_yet: u64,
    in_all: InAll,
    /// Leader units that count as neither.
    missed: u64,
    undone: u64,
    /// What the follower may open for what the leader has opened.
    entitled: Share,
}

pub(super) struct Walk<'a> {
    standing: &'a Standing,
    pub(super) leader: i64,
    /// Of what was held before the first of the orders.
    pub(super) before: Share,
    /// Of what would be held, what was lost.
    pub(super) lost: Share,
    /// What closings have left of the pool that they should have taken, signed as the leader stood; less than nothing
    /// where they took more. Beside the pool it is what is held.
    pub(super) rounded: Share,
    lot: LotSize,
    entries: &'a [Entry<'a>],
    states: Vec<State>,
    /// Of the orders of this walk and of those behind it, by their ids.
    holds: Vec<Hold>,
    /// Where the hold of each entry is.
    places: Vec<usize>,
    /// Where those are that are not empty: a day leaves few of them.
    live: Vec<usize>,
    /// The leader's net, and since when.
    nets: Vec<(Timestamp, i64)>,
}

impl<'a> Walk<'a> {
    /// From what stands through all that was executed, and what works still.
    ///
    /// What an order may hold for a part of what it opens hangs on how much that is in all, which is not known before the
    /// end: others may turn round what it goes on with, so that it closes. So the way is gone twice; the leader's side of
    /// it is the same each time, and so is what the first told of it: there is nothing that a third could learn.
    pub(super) fn through(standing: &'a Standing, entries: &'a [Entry<'a>], beside: &[Beside<'_>]) -> Self {
        let go = |in_all: &[InAll]| {
            let mut walk = Self::new(standing, entries, in_all);
            walk.execute(&mut chunks(entries));
            walk.take_working(beside);
            walk
        };
        let learnt = go(&vec![InAll::default(); entries.len()]);
        let in_all = |state: &State| InAll { closes: state.closes, opens: state.opened + state.opens_yet };
        go(&learnt.states.iter().map(in_all).collect::<Vec<_>>())
    }

    fn new(standing: &'a Standing, entries: &'a [Entry<'a>], in_all: &[InAll]) -> Self {
        let mut holds = Vec::with_capacity(standing.held.len() + entries.len());
        let mut places = Vec::with_capacity(entries.len());
        let mut held = standing.held.iter().peekable();
        for entry in entries {
            while let Some((_, hold)) = held.next_if(|(id, _)| **id < *entry.id) {
                holds.push(*hold);
            }
            places.push(holds.len());
            holds.push(Hold { opened: share_of(entry.filled, standing.lot), ..Hold::default() });
        }
        holds.extend(held.map(|(_, hold)| *hold));
        let live = (0..holds.len()).filter(|place| !holds[*place].is_empty()).collect();
        Self {
            standing,
            leader: standing.leader,
            before: standing.before,
            lost: standing.lost,
            rounded: standing.rounded,
            lot: standing.lot,
            entries,
            states: in_all.iter().map(|in_all| State { in_all: *in_all, ..State::default() }).collect(),
            holds,
            places,
            live,
            nets: vec![(standing.until, standing.leader)],
        }
    }

    /// Goes through what was executed.
    fn execute(&mut self, chunks: &mut [Chunk]) {
        self.miss_round_trips(chunks);
        for chunk in chunks {
            self.take(chunk);
            self.nets.push((chunk.at, self.leader));
        }
    }

    /// The nets that it came through, and since when each stood.
    pub(super) fn nets(&self) -> &[(Timestamp, i64)] {
        &self.nets
    }

    /// What is left to be held, with the ids of those that stood before and of the entries.
    pub(super) fn left(&self) -> Vec<(Box<str>, Hold)> {
        let mut own = self.places.iter().zip(self.entries).peekable();
        let mut stood = self.standing.held.iter();
        let mut left = Vec::new();
        for (place, hold) in self.holds.iter().enumerate() {
            let id = match own.next_if(|(own, _)| **own == place) {
                Some((_, entry)) => Some(entry.id),
                None => stood.next().map(|(id, _)| &**id),
            };
            if let Some(id) = id.filter(|_| !hold.is_empty()) {
                left.push((id.into(), *hold));
            }
        }
        left
    }

    /// Whether something may be held because of an entry.
    pub(super) fn holds(&self, entry: usize) -> bool {
        !self.holds[self.places[entry]].is_empty()
    }

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
        let side = self.entries[chunk.of].side;
        if chunk.lost > 0 && self.leader.signum() == -side.sign() {
            let lost = share_of(chunk.lost, self.lot).min(self.held()).max(Share::ZERO);
            self.lost = self.lost.saturating_add(lost);
        }
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
        let held = self.held();
        cut(&mut self.before, &mut self.holds, &self.live, from, to);
        self.live.retain(|place| !self.holds[*place].is_empty());
        self.lost = reduced(self.lost, from, to);
        let due = nearest(held).saturating_sub(nearest(self.pool()));
        let left = held.saturating_sub(Share::from_lots(Lots(due))).saturating_sub(self.pool());
        self.rounded = self.signed(left);
        let state = &mut self.states[chunk.of];
        state.closes += units;
        if !chunk.by_legs {
            state.due += due;
            let hold = &mut self.holds[self.places[chunk.of]];
            let opened = opened_by(&self.entries[chunk.of], state, self.lot).saturating_sub(hold.away);
            hold.opened = opened.max(Share::ZERO);
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
        let may_open = entitled(entry, state, self.lot);
        let place = self.places[chunk.of];
        let hold = &mut self.holds[place];
        for share in [&mut state.entitled, &mut hold.stays, &mut hold.keeps] {
            *share = share.saturating_add(may_open);
        }
        if !hold.is_empty()
            && let Err(among) = self.live.binary_search(&place)
        {
            self.live.insert(among, place);
        }
    }

    /// What the follower holds of what it may hold.
    fn pool(&self) -> Share {
        pool(self.before, &self.holds, &self.live, self.lost)
    }

    /// What it holds, on the leader's side.
    fn held(&self) -> Share {
        self.pool().saturating_add(self.signed(self.rounded))
    }

    /// On the leader's side what is signed, and signed what is on his side.
    fn signed(&self, share: Share) -> Share {
        signed(self.leader, share)
    }

    /// The most of the leader's net that a working order could have closed at any time since it was placed. That much of
    /// it is an exit: where another order was faster, the rest of it opens nothing before it executes.
    fn reach(&self, entry: &Entry<'_>) -> u64 {
        let until = |index: usize| self.nets.get(index + 1).map(|next| next.0);
        let stood = |index: usize| until(index).is_none_or(|until| entry.placed <= until);
        let nets = self.nets.iter().enumerate().filter(|(index, _)| stood(*index)).map(|(_, (_, net))| net);
        let opposite = nets.filter(|net| net.signum() == -entry.side.sign());
        let here = opposite.map(|net| net.unsigned_abs()).max().unwrap_or(0);
        here.max(self.standing.reach(entry.side, entry.placed))
    }

    /// The lots of the pool, had the leader so many units left of what he holds; with what is about to fill, or without.
    fn lots_at(&self, left: u64, soon: bool) -> u32 {
        let (mut before, mut holds) = (self.before, self.holds.clone());
        for ((entry, state), place) in self.entries.iter().zip(&self.states).zip(&self.places) {
            if soon && entry.coming > 0 {
                let entry = Entry { filled: entry.filled.saturating_add(entry.coming), ..*entry };
                let hold = &mut holds[*place];
                hold.opened = opened_by(&entry, state, self.lot).saturating_sub(hold.away).max(Share::ZERO);
            }
        }
        let all = self.leader.unsigned_abs();
        cut(&mut before, &mut holds, &self.live, all, left);
        let rounded = if left == all { self.signed(self.rounded) } else { Share::ZERO };
        nearest(pool(before, &holds, &self.live, reduced(self.lost, all, left)).saturating_add(rounded))
    }

    /// What still works closes what is left, each kind of exit for itself; a sell beyond it anticipates buys that were
    /// placed before it; the rest opens, but for what was an exit when it was placed.
    fn take_working(&mut self, beside: &[Beside<'_>]) {
        let entries = self.entries;
        let mut working: Vec<usize> =
            (0..entries.len()).filter(|index| entries[*index].working > 0).collect();
        working.sort_by_key(|index| (entries[*index].placed, *index));
        let mut beside = beside.iter().peekable();
        let held = self.leader.unsigned_abs();
        let mut left = [held; ExitKind::COUNT];
        let (mut coming, mut arrived) = (0_u64, Share::ZERO);
        let mut anticipated = [0_u64; ExitKind::COUNT];
        for index in working {
            let entry = &entries[index];
            while let Some(buy) = beside.next_if(|buy| (buy.placed, buy.id) < (entry.placed, entry.id)) {
                coming += if self.leader >= 0 { buy.units } else { 0 };
            }
            let (kind, mut units) = (entry.kind.index(), u64::from(entry.working));
            let closes = units.min(left[kind]);
            let is_exit = self.leader != 0 && entry.side.sign() != self.leader.signum();
            let rests = if is_exit && closes > 0 {
                // A stop is not to be made smaller, and larger again, only because his entry was the faster one. What may
                // trade at once closes what is held.
                let soon = entry.kind == ExitKind::Stop;
                self.lots_at(left[kind], soon).saturating_sub(self.lots_at(left[kind] - closes, soon))
            } else {
                0
            };
            let reach = self.reach(entry);
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
            state.opens_yet += units.saturating_sub(reach.saturating_sub(state.closes));
        }
    }

    pub(super) fn conclude(self) -> Allocation {
        let holds = self.places.iter().map(|place| &self.holds[*place]);
        let part = |((entry, state), hold): ((&Entry<'_>, &State), &Hold)| Part {
            due: Lots(state.due),
            resting: Lots(state.resting),
            opening: opening(entry, state, hold, self.lot),
            leader_closes: state.closes,
            leader_opens: state.in_all.opens,
            missed: state.missed,
            undone: state.undone,
        };
        let behind_fills = || self.nets[1..].iter().map(|(_, net)| *net);
        Allocation {
            parts: self.entries.iter().zip(&self.states).zip(holds).map(part).collect(),
            leader: self.leader,
            pool: self.pool().max(Share::ZERO),
            range: behind_fills().min().zip(behind_fills().max()),
        }
    }
}

/// Units that the follower may open by an order in all: what the gates left of its share, but for what will not come.
fn may_open(entry: &Entry<'_>, opens: u64) -> u64 {
    let whole = |sizing: &Sizing| sizing.quantity_of(sizing.lots(quantity(opens), sizing.credit));
    let whole = u64::from(entry.sizing.map_or(Quantity::ZERO, whole).get());
    whole.min(entry.admitted.unwrap_or(u64::MAX)).saturating_sub(entry.missing)
}

/// What more the follower may hold, now that the leader has opened so much by an order. Once the order is over, what was
/// filled beyond that is held for it, too.
fn entitled(entry: &Entry<'_>, state: &State, lot: LotSize) -> Share {
    let InAll { closes, opens } = state.in_all;
    if entry.sizing.is_none() || opens == 0 {
        return Share::ZERO;
    }
    let may_open = share_of(may_open(entry, opens), lot);
    // Of one that goes on to close what others have opened, it may be filled for that.
    let is_all_of_it = entry.is_over && state.closes == closes;
    let may_hold = if is_all_of_it { may_open.max(opened_by(entry, state, lot)) } else { may_open };
    // As a difference to what it was entitled to before, for parts of a unit are not to be lost at each of its fills.
    reduced(may_hold, opens, state.opened).saturating_sub(state.entitled).max(Share::ZERO)
}

/// What an order should open in all. When the leader has closed a fraction since, what the follower has not filled of it
/// shrinks first.
fn opening(entry: &Entry<'_>, state: &State, hold: &Hold, lot: LotSize) -> Lots {
    let Some(sizing) = entry.sizing.filter(|_| state.in_all.opens > 0) else { return Lots(0) };
    let whole = sizing.lots(quantity(state.in_all.opens), sizing.credit);
    if hold.keeps == state.entitled || flawed!(EntriesLeftAfterExit) {
        return whole;
    }
    let opened = opened_by(entry, state, lot);
    // Of what may yet come, whatever the leader has not executed stays as it is.
    let coming =
        share_of(may_open(entry, state.in_all.opens), lot).saturating_sub(state.entitled).max(Share::ZERO);
    let may_hold = hold.away.saturating_add(hold.keeps).saturating_add(coming).max(opened);
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
