//! News of the leader that were told together: a read of his books after a time in which nobody heard of him. Taken one by
//! one, an exit would be followed before the entry behind it is seen, and a round trip be replayed (P13).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Effect, FollowerBook};
use crate::ids::BrokerOrderId;
use crate::instrument::InstrumentKey;
use crate::time::Timestamp;

/// News that never end must not keep an exit waiting: after this what is in is taken in.
const PATIENCE: Duration = Duration::from_secs(2);

/// What waits for the rest of the news.
#[derive(Debug, Clone)]
pub(super) struct Together {
    since: Timestamp,
    orders: Vec<BrokerOrderId>,
}

impl FollowerBook {
    pub(super) fn on_together(&mut self, begins: bool, now: Timestamp, effects: &mut Vec<Effect>) {
        self.take_in(now, effects);
        if begins {
            self.together = Some(Together { since: now, orders: Vec::new() });
            effects.push(Effect::WakeAt(now.plus(PATIENCE)));
        }
    }

    /// Whether the share of this order is cut when all news are in.
    pub(super) fn waits_for_others(&mut self, order: &BrokerOrderId) -> bool {
        self.together.as_mut().map(|together| together.orders.push(order.clone())).is_some()
    }

    /// Takes in what has waited too long for its end.
    pub(super) fn take_late_in(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let is_late = |together: &Together| now >= together.since.plus(PATIENCE);
        if self.together.as_ref().is_some_and(is_late) {
            self.take_in(now, effects);
        }
    }

    fn take_in(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(together) = self.together.take() else { return };
        let mut lines: BTreeMap<InstrumentKey, BTreeSet<BrokerOrderId>> = BTreeMap::new();
        for id in &together.orders {
            if let Some(mirror) = self.mirrors.get(id) {
                lines.entry(mirror.leader.terms.instrument).or_default().insert(id.clone());
            }
        }
        // Once for all of a line: a day's orders that each cut it anew would keep a new life from its first look for seconds.
        for (instrument, told) in &lines {
            self.reallocate(*instrument, told, now, effects);
        }
        for id in together.orders {
            self.commit_mirror(&id, effects);
            if let Some(comparison) = self.compare(&id, effects) {
                effects.push(Effect::Commit { records: vec![comparison], then: None });
            }
        }
    }
}
