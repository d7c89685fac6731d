//! Stepping one mirror: what it may know of its surroundings, and what it wants of them.

use std::sync::Arc;
use std::time::Duration;

use super::reconciliation::absence::Unknown;
use super::{Alert, Effect, FollowerBook, Record};
use crate::gap::{Gap, GapKind};
use crate::ids::{BrokerOrderId, ClientOrderId, FollowerId};
use crate::mirror::{COPY, Child, Mirror, MirrorEffect, MirrorEvent, Moment, Opening, Outcome};
use crate::order::lifecycle::ChildState;
use crate::price::Price;
use crate::quantity::Quantity;
use crate::slippage::{self, Fills};
use crate::time::Timestamp;

/// How many of a mirror's orders are of a kind that somebody must look after.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Census {
    is_working: bool,
    open: u32,
    /// Those that were never sent.
    planned: u32,
    supers: usize,
    forevers: usize,
}

impl Census {
    fn of(mirror: &Mirror) -> Self {
        let is_planned = |child: &&Child| child.state == ChildState::Planned && child.ts_sent.is_none();
        let live = || mirror.children.iter().filter(|child| child.is_live());
        Self {
            is_working: live().any(|child| matches!(child.state, ChildState::Working { .. })),
            open: u32::try_from(live().count()).unwrap_or(u32::MAX),
            planned: u32::try_from(live().filter(is_planned).count()).unwrap_or(u32::MAX),
            supers: live().filter(|child| child.is_super()).count(),
            forevers: live().filter(|child| child.is_forever()).count(),
        }
    }
}

impl FollowerBook {
    /// Steps the mirrors whose time has come.
    pub(super) fn ring(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        while let Some((due, id)) = self.timers.first().cloned() {
            if due > now {
                return effects.push(Effect::WakeAt(due));
            }
            self.timers.pop_first();
            if self.drive(&id, MirrorEvent::Tick, now, effects).is_ok() {
                self.commit_mirror(&id, effects);
            }
        }
    }

    /// Steps one mirror and takes in what it wants of its surroundings.
    pub(super) fn drive(
        &mut self,
        id: &BrokerOrderId,
        event: MirrorEvent,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ()> {
        let Some(mut mirror) = self.mirrors.remove(id) else { return Err(()) };
        let is_share = matches!(event, MirrorEvent::Allot(_) | MirrorEvent::Plan(_));
        let before = Census::of(&mirror);
        let (gap_before, wake_before) = (mirror.gap, mirror.wake());
        let outcome_before = mirror.outcome;
        let (held_before, live_before) = (mirror.held(), before.open);
        let admit = |asked: &Opening<'_>| self.admit(asked, held_before, now);
        let line = self.lines.get(&mirror.leader.terms.instrument);
        let instrument = line.and_then(|line| line.instrument.as_deref());
        let at = Moment { now, rules: &self.settings.rules, admit: &admit, instrument };
        let stepped = mirror.step(event, &at);
        self.reserve(&mirror);
        let (gap, wake, after) = (mirror.gap, mirror.wake(), Census::of(&mirror));
        let (held, instrument) = (mirror.held(), mirror.leader.terms.instrument);
        self.mirrors.put(id.clone(), mirror);
        let wanted = match stepped {
            Ok(wanted) => wanted,
            Err(illegal) => {
                effects.push(Effect::Alert(Alert::Illegal(illegal)));
                return Err(());
            }
        };
        let has_moved = held != held_before || after.open != live_before;
        if has_moved || !is_share {
            self.dirty.insert(instrument);
        }
        if held != held_before
            && let Some(line) = self.lines.get_mut(&instrument)
        {
            line.unsettle(id);
            line.changed = now;
        }
        let mirror = &self.mirrors[id];
        // What was held too much, and is too little since its repair filled for more, is another gap.
        let is_known = |gap: &Gap| {
            gap_before.is_some_and(|known| known.kind == gap.kind && !(known.units > 0 && gap.units < 0))
        };
        if let Some(gap) = gap.filter(|gap| !is_known(gap)) {
            effects.push(Effect::Alert(Alert::CopyGap(id.clone(), gap)));
        }
        // What a halt left open, and is closed by now, by hand or by a square-off.
        if let Some(gap) = gap.filter(|gap| gap.kind == GapKind::ExitStopped && gap.units == 0)
            && gap_before != Some(gap)
        {
            effects.push(Effect::Over(Alert::CopyGap(id.clone(), gap)));
        }
        if mirror.outcome == Outcome::Skipped
            && outcome_before != Outcome::Skipped
            && let Some(reason) = mirror.reason.filter(|reason| reason.is_without_equivalent())
        {
            effects.push(Effect::Alert(Alert::NoEquivalent(id.clone(), reason)));
        }
        self.count(before, after);
        if wake_before != wake
            && let Some(before) = wake_before
        {
            self.timers.remove(&(before, id.clone()));
        }
        // A timer that rang is set again only by a step that still wants it.
        self.timers.extend(wake.map(|due| (due, id.clone())));
        self.index(id);
        for effect in wanted {
            self.take_effect(id, effect, now, effects);
        }
        Ok(())
    }

    pub(super) fn count_in(&mut self, mirror: &Mirror) {
        self.count(
            Census { is_working: false, open: 0, planned: 0, supers: 0, forevers: 0 },
            Census::of(mirror),
        );
    }

    fn count(&mut self, before: Census, after: Census) {
        let change = |total: &mut usize, was: usize, is: usize| *total = (*total + is).saturating_sub(was);
        change(&mut self.working, before.is_working.into(), after.is_working.into());
        self.open_orders = (self.open_orders + after.open).saturating_sub(before.open);
        self.planned_orders = (self.planned_orders + after.planned).saturating_sub(before.planned);
        change(&mut self.live_supers, before.supers, after.supers);
        change(&mut self.live_forevers, before.forevers, after.forevers);
    }

    /// Makes a mirror's children known by their ids.
    fn index(&mut self, id: &BrokerOrderId) {
        let Some(mirror) = self.mirrors.get(id) else { return };
        for child in &mirror.children {
            if !self.leader_of.contains_key(&child.client_order_id) {
                self.leader_of.insert(child.client_order_id.clone(), id.clone());
            }
            if let Some(broker_order_id) = &child.broker_order_id
                && !self.client_of.contains_key(broker_order_id)
            {
                self.client_of.insert(broker_order_id.clone(), child.client_order_id.clone());
            }
            if child.state != ChildState::Unknown {
                self.unknown.remove(&child.client_order_id);
            }
        }
    }

    fn take_effect(
        &mut self,
        id: &BrokerOrderId,
        effect: MirrorEffect,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let mut alert = |alert| effects.push(Effect::Alert(alert));
        match effect {
            MirrorEffect::Queue(client_order_id, rank, held_until) => {
                self.queue.push(client_order_id, rank, held_until);
            }
            MirrorEffect::Resolve(client_order_id) => {
                if let Some((_, child)) = self.child(&client_order_id) {
                    // It was committed first, and may have waited in lines: until its answer was lost it may have left.
                    let doubt = Unknown::new(child.terms.instrument, child.ts_sent.unwrap_or(now), now);
                    self.unknown.entry(client_order_id.clone()).or_insert(doubt);
                }
                effects.push(Effect::Lookup { client_order_id, after: Duration::ZERO });
            }
            MirrorEffect::ReadBook => effects.push(Effect::ReadBook),
            MirrorEffect::Filled(child, growth) => self.move_position(id, &child, growth, false),
            MirrorEffect::Exited(child, growth) => self.move_position(id, &child, growth, true),
            MirrorEffect::Overfilled(child) => alert(Alert::Overfill(child)),
            MirrorEffect::FilledLate(child) => alert(Alert::LateFill(child)),
            MirrorEffect::Detached(child) => alert(Alert::Detached(child)),
            MirrorEffect::ChangesExhausted(child) => alert(Alert::ChangesExhausted(child)),
            MirrorEffect::ChangeRefused(child) => alert(Alert::ChangeRefused(child)),
            MirrorEffect::ExitGivenUp(child) => alert(Alert::ExitGivenUp(child)),
            MirrorEffect::FlatteningFails => self.on_flattening_fails(effects),
            // Only the release sends, and it takes the request itself.
            MirrorEffect::Send(_) => {}
        }
    }

    fn move_position(&mut self, id: &BrokerOrderId, child: &ClientOrderId, growth: Quantity, by_leg: bool) {
        self.filled_units += u64::from(growth.get());
        let Some(child) = self.mirrors.get(id).and_then(|mirror| mirror.attempt(child)) else { return };
        let terms = &child.terms;
        let side = if by_leg { terms.side.opposite() } else { terms.side };
        let (instrument, units) = (terms.instrument, side.signed(growth).0);
        *self.positions.entry((instrument, terms.product)).or_default() += units;
        let product = terms.product;
        let is_carried = self.mirrors.get(id).is_some_and(|mirror| mirror.is_in(&self.settings.account));
        let line = self.lines.entry(instrument).or_default();
        line.copied += units;
        line.move_product(product, units);
        if is_carried {
            line.close_carried(units);
        }
    }

    /// Stores what a step changed of a mirror, if anything.
    pub(super) fn commit_mirror(&mut self, id: &BrokerOrderId, effects: &mut Vec<Effect>) {
        let Some(mirror) = self.mirrors.get_mut(id) else { return };
        let records = Record::of(mirror, &self.settings.rules.follower);
        if !records.is_empty() {
            effects.push(Effect::Commit { records, then: None });
        }
    }

    /// The comparison of a mirror's fills with the leader's, once there are any; a person is told once if it is bad.
    pub(super) fn compare(&mut self, id: &BrokerOrderId, effects: &mut Vec<Effect>) -> Option<Record> {
        let record = fills(self.mirrors.get(id)?, &self.settings.rules.follower)?;
        let limit = i64::from(self.settings.slippage_alert_bps) * 100;
        if let Record::Fills { comparison, .. } = &record
            && limit > 0
            && comparison.bps_x100 > limit
            && self.slipped.insert(id.clone())
        {
            effects.push(Effect::Alert(Alert::Slippage(id.clone(), *comparison)));
        }
        Some(record)
    }
}

/// The follower's fills, over all child orders of the copy, beside the leader's.
fn fills(mirror: &Mirror, follower: &FollowerId) -> Option<Record> {
    let leader = &mirror.leader;
    let of_leader = Fills { quantity: leader.cumulative, average: leader.average_price, at: leader.ts_event };
    let copies =
        || mirror.children.iter().filter(|child| child.key.leg == COPY && !child.cumulative.is_zero());
    let units: i64 = copies().map(|child| i64::from(child.cumulative.get())).sum();
    let value: i64 =
        copies().map(|child: &Child| child.average_price.notional(child.cumulative).units()).sum();
    let of_follower = Fills {
        quantity: Quantity::new(u32::try_from(units).unwrap_or(u32::MAX)),
        average: value.checked_div(units).and_then(Price::from_units)?,
        at: copies().filter_map(|child| child.ts_filled).max().unwrap_or(leader.ts_event),
    };
    let side = copies().next()?.terms.side;
    let comparison = slippage::compare(side, of_leader, of_follower, mirror.tick)?;
    Some(Record::Fills { leader: Arc::clone(leader), follower: follower.clone(), comparison })
}
