//! What waits for the broker's budget: exits before entries, each in order of arrival.

use std::collections::{HashMap, VecDeque};

use crate::ids::BrokerOrderId;
use crate::pacing::Purpose;
use crate::time::Timestamp;

/// Leader orders whose child waits.
#[derive(Debug, Default)]
pub(super) struct Queue {
    exits: VecDeque<BrokerOrderId>,
    entries: VecDeque<BrokerOrderId>,
    held: HashMap<BrokerOrderId, Timestamp>,
}

impl Queue {
    pub(super) fn push(&mut self, purpose: Purpose, leader_order: BrokerOrderId) {
        match purpose {
            Purpose::Exit => self.exits.push_back(leader_order),
            Purpose::Entry => self.entries.push_back(leader_order),
        }
    }

    /// Holds a waiting order back until `at`: its last request never left, and the line may still be down.
    pub(super) fn hold(&mut self, leader_order: &BrokerOrderId, at: Timestamp) {
        self.held.insert(leader_order.clone(), at);
    }

    pub(super) fn not_before(&self, leader_order: &BrokerOrderId) -> Option<Timestamp> {
        self.held.get(leader_order).copied()
    }

    pub(super) fn front(&self) -> Option<&BrokerOrderId> {
        self.exits.front().or_else(|| self.entries.front())
    }

    pub(super) fn pop(&mut self) -> Option<BrokerOrderId> {
        let popped = self.exits.pop_front().or_else(|| self.entries.pop_front())?;
        self.held.remove(&popped);
        Some(popped)
    }

    pub(super) fn len(&self) -> usize {
        self.exits.len() + self.entries.len()
    }
}
