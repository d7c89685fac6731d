//! Orders in doubt for longer than evidence should take (P3): a person is told, and nothing more is opened in their
//! instruments until none is in doubt there. What closes and what cancels goes on, and so does the asking.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::error_policy::doubt_settle_times;
use crate::follower::{Alert, Effect, FollowerBook};
use crate::instrument::InstrumentKey;
use crate::time::Timestamp;

/// Instruments frozen by an order in doubt, and whether this life has told it; a life before may have, where it has not.
pub(in crate::follower) type Doubted = BTreeMap<InstrumentKey, bool>;

impl FollowerBook {
    /// Takes over what a life before had in doubt. What it had for so long that it may have told it is told to be over, once
    /// it is. Until this life has had the time to ask, what opens beside it waits and is not denied for good.
    pub(in crate::follower) fn restore_doubt(
        &mut self,
        instrument: InstrumentKey,
        sent_from: Timestamp,
        now: Timestamp,
    ) {
        if sent_from.plus(self.patience()) <= now {
            self.doubted.insert(instrument, false);
        }
    }

    /// Whether nothing is opened in an instrument because an order in it has been in doubt for too long.
    pub(in crate::follower) fn is_in_doubt(&self, instrument: InstrumentKey, now: Timestamp) -> bool {
        let patience = self.patience();
        let is_overdue =
            |of: &super::absence::Unknown| of.instrument == instrument && of.due(patience) <= now;
        self.doubted.get(&instrument) == Some(&true) || self.unknown.values().any(is_overdue)
    }

    /// Whether a life before has left an order of an instrument in doubt.
    pub(in crate::follower) fn inherits_doubt(&self, instrument: InstrumentKey) -> bool {
        self.unknown.values().any(|of| of.is_inherited && of.instrument == instrument)
    }

    /// Tells what has been in doubt for too long, and what is so no more.
    pub(in crate::follower) fn watch_doubts(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.unknown.is_empty() && self.doubted.is_empty() {
            return;
        }
        let patience = self.patience();
        let mut next = None;
        for doubt in self.unknown.values() {
            let due = doubt.due(patience);
            if due > now {
                next = Some(next.map_or(due, |next: Timestamp| next.min(due)));
            } else if self.doubted.insert(doubt.instrument, true) != Some(true) {
                effects.push(Effect::Alert(Alert::OutcomeUnknown(doubt.instrument)));
            }
        }
        effects.extend(next.map(Effect::WakeAt));
        let in_doubt: BTreeSet<InstrumentKey> = self.unknown.values().map(|of| of.instrument).collect();
        self.doubted.retain(|instrument, _| {
            let stays = in_doubt.contains(instrument);
            if !stays {
                effects.push(Effect::Over(Alert::OutcomeUnknown(*instrument)));
            }
            stays
        });
    }

    /// How long an order may be in doubt before a person is told.
    pub(in crate::follower) fn patience(&self) -> Duration {
        self.settings.rules.settle * doubt_settle_times()
    }
}
