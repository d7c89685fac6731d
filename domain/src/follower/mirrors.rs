//! The mirrors of a follower, and what is asked of them often: which of an instrument's have orders that live, and how much
//! its entries may yet fill. A long day must not be gone through for that at every step.
//!
//! Whoever changes a mirror has it through here, so that nothing that was counted of it goes stale.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Deref;

use crate::ids::BrokerOrderId;
use crate::instrument::InstrumentKey;
use crate::mirror::{Child, Mirror};
use crate::order::lifecycle::ChildState;
use crate::pacing::Purpose;

/// What was counted of one mirror.
#[derive(Debug, Clone, Copy)]
struct Counted {
    instrument: InstrumentKey,
    is_live: bool,
    under_way: u64,
    /// Entries that left and live.
    entries_out: u32,
}

impl Counted {
    fn of(mirror: &Mirror) -> Self {
        let is_out = |child: &&Child| {
            child.is_live() && child.purpose == Purpose::Entry && child.state != ChildState::Planned
        };
        Self {
            instrument: mirror.leader.terms.instrument,
            is_live: mirror.children.iter().any(Child::is_live),
            under_way: mirror.opens_yet(),
            entries_out: u32::try_from(mirror.children.iter().filter(is_out).count()).unwrap_or(u32::MAX),
        }
    }
}

/// Of one instrument, over all mirrors that are counted.
#[derive(Debug, Default)]
struct Tally {
    live: BTreeSet<BrokerOrderId>,
    under_way: u64,
}

/// All of them, by the leader's orders.
#[derive(Debug, Default)]
pub(super) struct Mirrors {
    all: BTreeMap<BrokerOrderId, Mirror>,
    counted: HashMap<BrokerOrderId, Counted>,
    tallies: HashMap<InstrumentKey, Tally>,
    entries_out: u32,
    /// Lent out to be changed, and not counted since.
    loose: BTreeSet<BrokerOrderId>,
    /// Those that may have changed since they were last asked for.
    touched: BTreeSet<BrokerOrderId>,
}

impl Deref for Mirrors {
    type Target = BTreeMap<BrokerOrderId, Mirror>;

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

impl Mirrors {
    pub(super) fn get_mut(&mut self, id: &BrokerOrderId) -> Option<&mut Mirror> {
        if self.all.contains_key(id) {
            self.discount(id);
            self.loose.insert(id.clone());
            self.touched.insert(id.clone());
        }
        self.all.get_mut(id)
    }

    /// Takes one out; nothing of it counts until it is put back.
    pub(super) fn remove(&mut self, id: &BrokerOrderId) -> Option<Mirror> {
        self.discount(id);
        self.loose.remove(id);
        self.all.remove(id)
    }

    /// Puts one in, or back.
    pub(super) fn put(&mut self, id: BrokerOrderId, mirror: Mirror) {
        self.discount(&id);
        self.loose.remove(&id);
        self.touched.insert(id.clone());
        self.count(&id, Counted::of(&mirror));
        self.all.insert(id, mirror);
    }

    /// Those of an instrument that have an order that lives.
    pub(super) fn live(&self, instrument: InstrumentKey) -> impl Iterator<Item = &Mirror> {
        let counted = self.tallies.get(&instrument).into_iter().flat_map(|tally| &tally.live);
        let loose = self.loose.iter().filter_map(|id| self.all.get(id)).filter(move |mirror| {
            let counted = Counted::of(mirror);
            counted.is_live && counted.instrument == instrument
        });
        counted.filter_map(|id| self.all.get(id)).chain(loose)
    }

    /// Units of entries in an instrument that may yet fill.
    pub(super) fn under_way(&self, instrument: InstrumentKey) -> u64 {
        let counted = self.tallies.get(&instrument).map_or(0, |tally| tally.under_way);
        let loose = self.loose.iter().filter_map(|id| self.all.get(id)).map(Counted::of);
        let loose: u64 = loose.filter(|of| of.instrument == instrument).map(|of| of.under_way).sum();
        counted + loose
    }

    /// Orders that were sent to open and live.
    pub(super) fn entries_out(&self) -> u32 {
        let loose = self.loose.iter().filter_map(|id| self.all.get(id));
        self.entries_out + loose.map(|mirror| Counted::of(mirror).entries_out).sum::<u32>()
    }

    /// Those that may have changed since the last time.
    pub(super) fn take_touched(&mut self) -> BTreeSet<BrokerOrderId> {
        for id in std::mem::take(&mut self.loose) {
            if let Some(counted) = self.all.get(&id).map(Counted::of) {
                self.count(&id, counted);
            }
        }
        std::mem::take(&mut self.touched)
    }

    fn count(&mut self, id: &BrokerOrderId, counted: Counted) {
        self.entries_out += counted.entries_out;
        let tally = self.tallies.entry(counted.instrument).or_default();
        tally.under_way += counted.under_way;
        if counted.is_live {
            tally.live.insert(id.clone());
        }
        self.counted.insert(id.clone(), counted);
    }

    fn discount(&mut self, id: &BrokerOrderId) {
        let Some(counted) = self.counted.remove(id) else { return };
        self.entries_out -= counted.entries_out;
        if let Some(tally) = self.tallies.get_mut(&counted.instrument) {
            tally.under_way -= counted.under_way;
            tally.live.remove(id);
        }
    }
}
