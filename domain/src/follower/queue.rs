//! What waits for the broker's budget: cancels first, then exits, then entries, each in order of arrival.

use std::collections::{HashMap, VecDeque};

use crate::ids::ClientOrderId;
use crate::mirror::Rank;
use crate::time::Timestamp;

const RANKS: [Rank; 3] = [Rank::Cancel, Rank::Exit, Rank::Entry];

/// Child orders about which a request waits.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lines: [VecDeque<ClientOrderId>; RANKS.len()],
    /// Where each stands, and until when it is held. A place in another line is an old one.
    waiting: HashMap<ClientOrderId, (Rank, Option<Timestamp>)>,
}

impl Queue {
    /// Lets a request wait, not to leave before a moment. One that waits in that line already keeps its place.
    pub(super) fn push(&mut self, id: ClientOrderId, rank: Rank, held_until: Option<Timestamp>) {
        let before = self.waiting.insert(id.clone(), (rank, held_until));
        if before.is_none_or(|(known, _)| known != rank) {
            self.lines[line_of(rank)].push_back(id);
        }
    }

    /// As [`Queue::push`], but before all others of its line: it stood there, and waited for something else meanwhile.
    pub(super) fn put_back(&mut self, id: ClientOrderId, rank: Rank, held_until: Option<Timestamp>) {
        let before = self.waiting.insert(id.clone(), (rank, held_until));
        if before.is_none_or(|(known, _)| known != rank) {
            self.lines[line_of(rank)].push_front(id);
        }
    }

    /// The first that may leave now.
    pub(super) fn front(&mut self, now: Timestamp) -> Option<ClientOrderId> {
        for (line, rank) in self.lines.iter_mut().zip(RANKS) {
            let waiting = &self.waiting;
            let stands = |id: &ClientOrderId| waiting.get(id).filter(|(known, _)| *known == rank);
            while line.front().is_some_and(|id| stands(id).is_none()) {
                line.pop_front();
            }
            let is_free = |id: &&ClientOrderId| {
                stands(id).is_some_and(|(_, held)| held.is_none_or(|until| until <= now))
            };
            if let Some(first) = line.iter().find(is_free) {
                return Some(first.clone());
            }
        }
        None
    }

    /// Nothing waits about this child any more.
    pub(super) fn remove(&mut self, id: &ClientOrderId) {
        self.waiting.remove(id);
    }

    /// When the first of those that are held may leave.
    pub(super) fn next_release(&self, now: Timestamp) -> Option<Timestamp> {
        self.waiting.values().filter_map(|(_, held)| *held).filter(|until| *until > now).min()
    }

    /// In which line it waits.
    #[cfg(test)]
    pub(super) fn rank_of(&self, id: &ClientOrderId) -> Option<Rank> {
        self.waiting.get(id).map(|(rank, _)| *rank)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

const fn line_of(rank: Rank) -> usize {
    match rank {
        Rank::Cancel => 0,
        Rank::Exit => 1,
        Rank::Entry => 2,
    }
}
