//! Leader orders that were there before today: what was carried over is followed as if it were of today, and what may be
//! copied already is not copied again (P2, P29).

use std::sync::Arc;

use super::{Effect, FollowerBook, MappingState, Record};
use crate::gates::DeniedReason;
use crate::leader::LeaderOrder;
use crate::mirror::{Child, Outcome};
use crate::quantity::Quantity;
use crate::time::Timestamp;

impl FollowerBook {
    /// Whether a mirror stands here under this order's id that is another order's: the id was given a second time.
    pub(super) fn is_another_under_its_id(&self, order: &LeaderOrder) -> bool {
        let known = self.mirrors.get(&order.broker_order_id);
        known.is_some_and(|mirror| mirror.leader.trading_day != order.trading_day)
    }

    /// Nobody can follow two orders under one id. The one that was there first is followed.
    pub(super) fn refuse_another(&self, order: Arc<LeaderOrder>, effects: &mut Vec<Effect>) {
        let state = MappingState {
            outcome: Outcome::Skipped,
            reason: Some(DeniedReason::RestsFromBefore),
            note: None,
            target: Quantity::ZERO,
            closing: Quantity::ZERO,
            copied: Quantity::ZERO,
            filled: Quantity::ZERO,
            permit: None,
        };
        let follower = self.settings.rules.follower.clone();
        let mapping = Record::Mapping { leader: Arc::clone(&order), follower, state, sizing: None };
        effects.push(Effect::Commit { records: vec![Record::LeaderEvent(order), mapping], then: None });
    }

    /// Whether a copy of an order that was entered before today may rest at the broker: one that was not carried over, or
    /// one of an order that asked for the same and has not been heard of since.
    pub(super) fn may_be_copied_already(&mut self, order: &LeaderOrder, now: Timestamp) -> bool {
        let (id, today) = (&order.broker_order_id, now.trading_day());
        self.unheard.remove(id);
        if order.trading_day < today || order.ts_first_event.trading_day() >= today {
            return false;
        }
        let Some(mirror) = self.mirrors.get(id) else { return false };
        // What was said of it stands.
        let was_refused = mirror.reason == Some(DeniedReason::RestsFromBefore);
        let asks_for_the_same = || {
            let mut unheard = self.unheard.iter().filter_map(|id| self.mirrors.get(id));
            unheard.any(|mirror| mirror.children.iter().any(Child::is_live) && alike(&mirror.leader, order))
        };
        self.resting.contains(id) || was_refused || (mirror.recorded.is_none() && asks_for_the_same())
    }
}

fn alike(carried: &LeaderOrder, order: &LeaderOrder) -> bool {
    let (then, now) = (&carried.terms, &order.terms);
    (then.instrument, then.side, then.product, then.quantity)
        == (now.instrument, now.side, now.product, now.quantity)
}
