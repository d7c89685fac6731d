//! Giving the mirrors of an instrument their shares, whenever anything in it changes.
//!
//! How it works: what may come to something else is gone through ([`FollowerBook::reallocate`]), until nothing changes any
//! more. What cannot is set aside ([`super::aside`]), and, once that is so of a whole line, settled.

#[cfg(test)]
mod check;

use std::collections::BTreeSet;

use super::aside::{Judged, Touched};
use super::holdings::{Credits, Line, credit_of, entry_of, is_settled};
use super::shares::{Shared, Shares};
use super::{Alert, Effect, FollowerBook};
use crate::ids::BrokerOrderId;
use crate::instrument::InstrumentKey;
use crate::ledger::{Allocation, Before, Entry};
use crate::mirror::{Allotment, Child, Mirror, MirrorEvent};
use crate::order::Side;
use crate::quantity::LotSize;
use crate::time::Timestamp;

/// Rounds of shares until nothing changes any more; a guard, for two or three are the most there should be.
const ROUNDS_MAX: usize = 8;

/// What the ledger said, and what it was asked with.
#[derive(Debug)]
struct Cut {
    allocation: Allocation,
    before: Before,
    lot: LotSize,
    ids: Vec<BrokerOrderId>,
    shared: Shared,
    credits: Credits,
    leader_buys: u64,
}

/// Why a line is to be gone through once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// With what rests.
    WithResting,
    /// With all that is not settled.
    WithAll,
}

impl FollowerBook {
    /// Gives every mirror of an instrument its share anew. Those that are told are stepped in any case, and stored by who
    /// called.
    pub(super) fn reallocate(
        &mut self,
        instrument: InstrumentKey,
        told: &BTreeSet<BrokerOrderId>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let nobody = BTreeSet::new();
        let mut asked = told;
        // A step may fill or free what others wait for, so that shares change once more.
        for _ in 0..ROUNDS_MAX {
            let (allotted, cut) = self.allotments(instrument, effects);
            let mut changed = self.news(allotted, std::mem::replace(&mut asked, &nobody));
            if changed.is_empty() {
                if let Some(cut) = cut {
                    self.set_aside(instrument, &cut);
                }
                break;
            }
            // What frees quantity first, then what needs it.
            changed.sort_by_key(|(id, allotment)| {
                let before = self.mirrors.get(id).and_then(|known| known.allotment);
                before.is_none_or(|before| allotment.total() >= before.total())
            });
            for (id, allotment) in changed {
                let is_stepped = self.drive(&id, MirrorEvent::Allot(allotment), now, effects).is_ok();
                if is_stepped && !told.contains(&id) {
                    self.commit_mirror(&id, effects);
                }
            }
        }
        // Where nothing is known of the instrument there is nothing to cut; what is denied is denied all the same.
        for id in told {
            if self.mirrors.get(id).is_some_and(|of| of.allotment.is_none()) {
                // A step that fails has told so itself.
                self.drive(id, MirrorEvent::Tick, now, effects).ok();
            }
        }
        self.stop_what_opens(instrument, told, now, effects);
        self.dirty.remove(&instrument);
        self.settle(instrument);
    }

    /// The shares that are news, and those of orders that are asked for in any case.
    fn news(
        &self,
        mut allotted: Vec<(BrokerOrderId, Allotment)>,
        asked: &BTreeSet<BrokerOrderId>,
    ) -> Vec<(BrokerOrderId, Allotment)> {
        allotted.retain(|(id, allotment)| {
            let is_news = self.mirrors.get(id).is_some_and(|known| known.allotment != Some(*allotment));
            is_news || asked.contains(id)
        });
        // What was set aside has the share that it had.
        for id in asked {
            if let Some(mirror) = self.mirrors.get(id)
                && let Some(line) = self.lines.get(&mirror.leader.terms.instrument)
                && line.aside.contains(id)
            {
                allotted.extend(mirror.allotment.map(|allotment| (id.clone(), allotment)));
            }
        }
        allotted
    }

    /// What each mirror of an instrument should come to that is gone through.
    fn allotments(
        &mut self,
        instrument: InstrumentKey,
        effects: &mut Vec<Effect>,
    ) -> (Vec<(BrokerOrderId, Allotment)>, Option<Cut>) {
        self.look_at_touched();
        if self.trading.is_squaring_off {
            return (self.square_off_shares(instrument), None);
        }
        // Three times at the most: where nothing rests it is not cut again for what rests, and where nothing is set aside not
        // for anything.
        loop {
            let Some(line) = self.lines.get(&instrument) else { return (Vec::new(), None) };
            let again = match self.cut_shares(line) {
                Ok(Some(cut)) => {
                    self.note_cut(instrument, &cut, effects);
                    #[cfg(test)]
                    self.check_cut(instrument, &cut);
                    let allotted = cut.ids.iter().cloned().zip(cut.shared.allotted.iter().copied()).collect();
                    return (allotted, Some(cut));
                }
                Ok(None) => return (Vec::new(), None),
                Err(again) => again,
            };
            if let Some(line) = self.lines.get_mut(&instrument) {
                match again {
                    Again::WithResting => line.wake_resting(),
                    Again::WithAll => line.wake_all(),
                }
            }
        }
    }

    /// What was set aside and is not what it was comes back.
    fn look_at_touched(&mut self) {
        let (copy, gap) = (&self.settings.copy, self.settings.rules.parting.gap);
        for id in self.mirrors.take_touched() {
            let Some(mirror) = self.mirrors.get(&id) else { continue };
            let Some(line) = self.lines.get_mut(&mirror.leader.terms.instrument) else { continue };
            match line.aside.touch(&id, mirror, copy, gap) {
                Touched::Stays => {}
                Touched::Wakes => {
                    line.active.insert(id);
                }
                Touched::WakesAll => line.wake_all(),
            }
        }
    }

    /// The mirrors of a line that are gone through, by the ids of the leader's orders: of one second of the broker's the ids
    /// tell, whatever came first to us or from the rows.
    fn gone_through<'a>(&'a self, line: &'a Line) -> Vec<&'a Mirror> {
        let account = &self.settings.account;
        let mirrors = line.active.iter().filter_map(|id| self.mirrors.get(id));
        mirrors.filter(|mirror| !mirror.is_in(account)).collect()
    }

    fn entries<'a>(&self, mirrors: &[&'a Mirror]) -> Vec<Entry<'a>> {
        let gap = self.settings.rules.parting.gap;
        mirrors.iter().map(|mirror| entry_of(mirror, &self.settings.copy, gap)).collect()
    }

    /// The lot of an instrument, which its orders of today tell before the Sizer has named it.
    pub(super) fn lot_of(&self, line: &Line) -> Option<LotSize> {
        let known = line.instrument.as_ref().map(|instrument| instrument.lot_size);
        let mut mirrors = line.orders.iter().filter_map(|id| self.mirrors.get(id));
        known.or_else(|| mirrors.find_map(|mirror| mirror.sizing.map(|sizing| sizing.lot_size)))
    }

    fn cut_shares(&self, line: &Line) -> Result<Option<Cut>, Again> {
        let mirrors = self.gone_through(line);
        let Some(lot) = self.lot_of(line) else { return Ok(None) };
        let entries = self.entries(&mirrors);
        let (before, aside) = (line.before(lot), &line.aside);
        let standing = aside.standing(before, lot, &entries).ok_or(Again::WithAll)?;
        let allocation = standing.allocate(&entries, &aside.beside(&entries));
        let (gap, account) = (self.settings.rules.parting.gap, &self.settings.account);
        let shares = Shares { line, lot, gap, account, aside: aside.totals() };
        let shared = shares.of_allocation(&mirrors, &entries, &allocation);
        if shared.overshot != 0 && aside.has_finished() {
            return Err(Again::WithAll);
        }
        if aside.is_disturbed(&allocation, &entries, shared.free) {
            return Err(Again::WithResting);
        }
        let mut credits = line.settled_credits.clone();
        let of_parts =
            mirrors.iter().zip(&allocation.parts).filter_map(|(mirror, part)| credit_of(mirror, part));
        let of_aside = aside.totals().credits().iter().map(|(key, left)| (*key, *left));
        for (key, left) in of_aside.chain(of_parts) {
            let known = credits.entry(key).or_default();
            *known = known.saturating_add(left);
        }
        let buys = entries.iter().filter(|entry| entry.side == Side::Buy);
        let leader_buys = buys.map(|entry| u64::from(entry.working)).sum::<u64>() + aside.totals().buys();
        let ids = mirrors.iter().map(|mirror| mirror.leader.broker_order_id.clone()).collect();
        Ok(Some(Cut { allocation, before, lot, ids, shared, credits, leader_buys }))
    }

    fn note_cut(&mut self, instrument: InstrumentKey, cut: &Cut, effects: &mut Vec<Effect>) {
        let Some(line) = self.lines.get_mut(&instrument) else { return };
        (line.leader, line.leader_buys) = (cut.allocation.leader, cut.leader_buys);
        (line.pool, line.credits) = (cut.allocation.pool, cut.credits.clone());
        line.note_made(cut.shared.made);
        // What is carried stands against the leader only once it is known what he holds.
        let is_carried = line.orders.is_empty();
        let overshot = if is_carried && !self.knows_leader { 0 } else { cut.shared.overshot };
        if overshot != 0 && line.overshot != overshot {
            // Where he has not traded today, there is no order to trade it back by.
            let alert = if is_carried { Alert::CarriedLeft } else { Alert::Overshot };
            effects.push(Effect::Alert(alert(instrument, overshot)));
        }
        line.overshot = overshot;
    }

    fn square_off_shares(&mut self, instrument: InstrumentKey) -> Vec<(BrokerOrderId, Allotment)> {
        let Some(line) = self.lines.get_mut(&instrument) else { return Vec::new() };
        line.wake_all();
        line.overshot = 0;
        let Some(line) = self.lines.get(&instrument) else { return Vec::new() };
        let mut mirrors: Vec<&Mirror> = line.orders.iter().filter_map(|id| self.mirrors.get(id)).collect();
        mirrors.sort_by(|one, other| one.leader.broker_order_id.cmp(&other.leader.broker_order_id));
        let Some(lot) = self.lot_of(line) else { return Vec::new() };
        let (gap, account) = (self.settings.rules.parting.gap, &self.settings.account);
        let shares = Shares { line, lot, gap, account, aside: line.aside.totals() };
        let allotted = shares.of_square_off(&mirrors);
        mirrors.iter().map(|mirror| mirror.leader.broker_order_id.clone()).zip(allotted).collect()
    }

    /// Sets aside what needs not be gone through again, now that nothing changes any more.
    fn set_aside(&mut self, instrument: InstrumentKey, cut: &Cut) {
        let Some(line) = self.lines.get(&instrument) else { return };
        if cut.shared.overshot != 0 || line.instrument.is_none() {
            return;
        }
        let mirrors = cut.ids.iter().filter_map(|id| self.mirrors.get(id));
        let (copy, gap) = (&self.settings.copy, self.settings.rules.parting.gap);
        let judged: Vec<Judged<'_>> = mirrors
            .zip(cut.allocation.parts.iter().copied())
            .map(|(mirror, part)| Judged { mirror, entry: entry_of(mirror, copy, gap), part })
            .collect();
        let Some(line) = self.lines.get_mut(&instrument) else { return };
        let set = line.aside.set(&judged, (cut.before, cut.lot), &cut.allocation, cut.shared.free);
        for id in set {
            line.active.remove(&id);
        }
    }

    /// Once nothing of a line can change any more, it need not be gone through again.
    fn settle(&mut self, instrument: InstrumentKey) {
        self.look_at_touched();
        let Some(line) = self.lines.get(&instrument) else { return };
        // What a square-off closes is in no pool yet.
        if self.trading.is_squaring_off || line.overshot != 0 || line.aside.has_resting() {
            return;
        }
        let account = &self.settings.account;
        let is_over = |mirror: &Mirror| {
            if mirror.is_in(account) {
                !mirror.children.iter().any(Child::is_live)
            } else {
                is_settled(mirror)
            }
        };
        let is_settled = |id: &BrokerOrderId| self.mirrors.get(id).is_some_and(is_over);
        let is_news = line.settled < line.orders.len();
        if is_news
            && line.active.iter().all(is_settled)
            && let Some(line) = self.lines.get_mut(&instrument)
        {
            line.settle();
        }
    }
}
