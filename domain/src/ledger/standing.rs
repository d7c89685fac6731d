//! What the walk has come to behind orders that can change no more.

use super::hold::{Hold, nearest, signed};
use super::walk::{Chunk, TOLD_TOGETHER, Walk, chunks, lost_at};
use super::{Allocation, Before, Beside, Entry};
use crate::order::Side;
use crate::quantity::{LotSize, Lots};
use crate::sizing::Share;
use crate::time::Timestamp;

/// Whether an order can change no more, on neither side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// It may.
    No,
    /// Once nothing is held because of it any more.
    OnceFlat,
    /// It cannot.
    Yes,
}

/// The walk through the fills of an instrument, as far as all orders are finished. The result is the same as if those were
/// gone through again: what follows sees the leader's net, what may be held because of each of them and in what order,
/// and what the leader had held at which time.
#[derive(Debug, Clone)]
pub struct Standing {
    /// What it began with.
    origin: Before,
    pub(super) lot: LotSize,
    pub(super) leader: i64,
    /// Since when he has held that.
    pub(super) until: Timestamp,
    /// Of what was held before the first of the orders.
    pub(super) before: Share,
    pub(super) lost: Share,
    pub(super) rounded: Share,
    /// By id.
    pub(super) held: Vec<(Box<str>, Hold)>,
    /// The last of the fills: when, of an order placed when, of which.
    last: Option<(Timestamp, Timestamp, Box<str>)>,
    /// What was heard of by then may be one with what was heard of late.
    late_until: Option<Timestamp>,
    /// Long nets and short ones: until when each stood, and how large it was, as far as none that stood longer was larger.
    reached: [Vec<(Timestamp, u64)>; 2],
}

impl Standing {
    /// Behind nothing.
    pub fn new(before: Before, lot: LotSize) -> Self {
        let pool = if before.leader == 0 { Share::ZERO } else { before.pool };
        Self {
            origin: before,
            lot,
            leader: before.leader,
            until: Timestamp::EPOCH,
            before: pool,
            lost: Share::ZERO,
            // What is held is whole lots.
            rounded: signed(before.leader, Share::from_lots(Lots(nearest(pool))).saturating_sub(pool)),
            held: Vec::new(),
            last: None,
            late_until: None,
            reached: [Vec::new(), Vec::new()],
        }
    }

    /// Whether it began with that.
    pub fn is_of(&self, before: Before, lot: LotSize) -> bool {
        self.origin == before && self.lot == lot
    }

    /// Whether all that these orders have executed came behind it. If not, nothing stands any more: all orders are to be
    /// gone through anew.
    pub fn is_before(&self, entries: &[Entry<'_>]) -> bool {
        let is_behind = |entry: &Entry<'_>| {
            let last = self.last.as_ref();
            let last = last.map(|(at, placed, id)| (*at, *placed, &**id));
            let lost = lost_at(entry).map(|(at, _)| at);
            let mut times = entry.fills.iter().map(|point| point.at).chain(lost);
            times.all(|at| last.is_none_or(|last| (at, entry.placed, entry.id) > last))
        };
        entries.iter().all(|entry| is_behind(entry) && is_apart(entry, self.late_until))
    }

    /// Allots to the orders that are not behind it, in the order of their ids, and with buys beside them that need no
    /// share, in the order in which they were placed.
    pub fn allocate(&self, entries: &[Entry<'_>], beside: &[Beside<'_>]) -> Allocation {
        Walk::through(self, entries, beside).conclude()
    }

    /// Goes on behind those of the orders that are finished, as far as nothing else was executed before. Which they are.
    pub fn advance(&mut self, entries: &[Entry<'_>], finished: &[Finished]) -> Vec<usize> {
        let chunks = chunks(entries);
        let mut finished = finished.to_vec();
        // Each time round one order less counts as finished.
        loop {
            let taken = whole_orders(&chunks, &finished);
            let is_taken = |index: &usize| taken.binary_search(index).is_ok();
            let late = taken.iter().filter_map(|index| entries[*index].late).max();
            let late_until = self.late_until.max(late.map(|heard| heard.plus(TOLD_TOGETHER)));
            let others = (0..entries.len()).filter(|index| !is_taken(index));
            if taken.is_empty() || others.into_iter().any(|of| !is_apart(&entries[of], late_until)) {
                return Vec::new();
            }
            let orders: Vec<Entry<'_>> = taken.iter().map(|index| entries[*index]).collect();
            let walk = Walk::through(self, &orders, &[]);
            let too_early = |at: &usize| finished[taken[*at]] == Finished::OnceFlat && walk.holds(*at);
            if let Some(at) = (0..orders.len()).find(too_early) {
                finished[taken[at]] = Finished::No;
                continue;
            }
            let last = super::walk::chunks(&orders).last().map(|chunk| {
                let order = &orders[chunk.of];
                (chunk.at, order.placed, order.id.into())
            });
            let (leader, before, lost, rounded) = (walk.leader, walk.before, walk.lost, walk.rounded);
            let (held, nets) = (walk.left(), walk.nets().to_vec());
            for (index, (_, net)) in nets.iter().enumerate() {
                if let Some((until, _)) = nets.get(index + 1) {
                    self.note_net(*until, *net);
                }
            }
            self.until = nets.last().map_or(self.until, |(since, _)| *since);
            (self.leader, self.before, self.held) = (leader, before, held);
            (self.lost, self.rounded) = (lost, rounded);
            (self.last, self.late_until) = (last, late_until);
            return taken;
        }
    }

    fn note_net(&mut self, until: Timestamp, net: i64) {
        let (reached, net) = (&mut self.reached[usize::from(net < 0)], net.unsigned_abs());
        if net > 0 {
            while reached.pop_if(|(_, smaller)| *smaller <= net).is_some() {}
            reached.push((until, net));
        }
    }

    /// The largest net that an order of that side, placed then, could have closed.
    pub(super) fn reach(&self, side: Side, placed: Timestamp) -> u64 {
        let reached = &self.reached[usize::from(side == Side::Buy)];
        let first = reached.partition_point(|(until, _)| *until < placed);
        reached.get(first).map_or(0, |(_, net)| *net)
    }
}

/// Whether what was missed of an order is no part of what was missed by then.
fn is_apart(entry: &Entry<'_>, late_until: Option<Timestamp>) -> bool {
    late_until.is_none_or(|until| entry.late.is_none_or(|heard| heard > until))
}

/// Which orders are finished and have executed before all that are not; each whole.
fn whole_orders(chunks: &[Chunk], finished: &[Finished]) -> Vec<usize> {
    let mut end = chunks.iter().position(|chunk| finished[chunk.of] == Finished::No).unwrap_or(chunks.len());
    // An order that goes on behind the end is not behind it, nor is what came after its first.
    while let Some(first) = chunks[end..]
        .iter()
        .filter_map(|later| chunks[..end].iter().position(|chunk| chunk.of == later.of))
        .min()
    {
        end = first;
    }
    let mut taken: Vec<usize> = chunks[..end].iter().map(|chunk| chunk.of).collect();
    taken.sort_unstable();
    taken.dedup();
    taken
}
