//! What is durable, in real rows; and when the process dies.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use tandem_actors::instruments::Instruments;
use tandem_actors::records::{Circumstances, Owner, writes};
use tandem_actors::restored::Day;
use tandem_actors::store::{Bare, OpeningRow, Write, units_held};

use super::chance::Chance;
use super::coverage::{Coverage, DEATHS};
use super::keeping::{Boundary, Keeping};
use super::speak::{self, FOLLOWER, LEADER};
use super::world::{Checked, hold};
use crate::follower::{Alert, Effect, FollowerBook, Opening, Record, Unproven};
use crate::ids::{DhanClientId, FollowerId};
use crate::instrument::{Instrument, InstrumentKey, InstrumentRow, InstrumentTable};
use crate::leader::LeaderOrder;
use crate::mirror::IntentState;
use crate::pacing::Purpose;
use crate::time::Timestamp;

/// The database, and fate.
pub(super) struct Rows {
    tables: Rc<Bare>,
    /// Which process writes.
    pub(super) epoch: i64,
    pub(super) chance: Chance,
    pub(super) deaths_left: u32,
    /// Where the day is to die if it ever comes there: most moments are rare.
    aim: (&'static str, Boundary),
    pub(super) died_at: Boundary,
    /// Whether the trading state was made durable since this was last cleared.
    pub(super) has_trading: bool,
    pub(super) coverage: Coverage,
    /// Where an earlier day's request came to something and nobody can tell: nothing is opened there.
    frozen: BTreeSet<InstrumentKey>,
    follower: FollowerId,
    account: DhanClientId,
    instruments: Instruments,
}

impl Rows {
    pub(super) fn new(
        tables: &Rc<Bare>,
        mut chance: Chance,
        deaths_max: u32,
        instruments: &[Instrument],
    ) -> Self {
        tables.clear().unwrap();
        Self {
            tables: Rc::clone(tables),
            epoch: 0,
            deaths_left: chance.below(5).min(deaths_max),
            aim: chance.pick(&DEATHS),
            died_at: Boundary::Told,
            chance,
            has_trading: false,
            coverage: Coverage::default(),
            frozen: BTreeSet::new(),
            follower: FollowerId::new("asha").unwrap(),
            account: DhanClientId::new(FOLLOWER).unwrap(),
            instruments: listed(instruments),
        }
    }

    /// The evening before: what copies have left.
    pub(super) fn evening(&mut self, carried: Vec<(InstrumentKey, i64)>, now: Timestamp) {
        let yesterday = now.minus(std::time::Duration::from_hours(24));
        let opening = |(instrument, copied)| {
            Write::Opening(OpeningRow {
                trading_day: yesterday.trading_day(),
                follower: self.follower.clone(),
                opening: Opening { instrument, leader: 0, copied, own: 0 },
                recorded_at: yesterday,
            })
        };
        let writes: Vec<Write> = carried.into_iter().map(opening).collect();
        self.epoch = self.tables.take_over().unwrap();
        self.tables.commit(self.epoch, &writes).unwrap();
    }

    /// What copies of earlier days may hold.
    pub(super) fn carried(&self, now: Timestamp) -> BTreeMap<InstrumentKey, i64> {
        let today = now.trading_day();
        units_held(&self.tables.reader().carried(&self.follower, &self.account, today).unwrap(), today)
    }

    /// A new day: the instruments in which an earlier one has left something unproven. `carried`: what the account holds of
    /// one in truth.
    pub(super) fn dawn(&mut self, now: Timestamp, carried: impl Fn(InstrumentKey) -> i64) -> BTreeSet<u32> {
        self.coverage.count("a night: passed".to_owned());
        let today = now.trading_day();
        let unproven = self.tables.reader().unproven(&self.follower, &self.account, today).unwrap();
        let cannot_be_proven = |of: &&Unproven| of.expected != Some(carried(of.instrument));
        self.frozen = unproven.iter().filter(cannot_be_proven).map(|of| of.instrument).collect();
        if !self.frozen.is_empty() {
            self.coverage.count("a night: something came of what is unproven".to_owned());
        }
        unproven.iter().map(|of| speak::number_of_key(of.instrument)).collect()
    }

    /// What no process may make durable, whatever it believes: a request for an order of an earlier day, an entry where nobody
    /// can tell what is held (P29).
    fn look_at(&self, record: &Record, now: Timestamp) -> Checked {
        let Record::Intent { child, .. } = record else { return Ok(()) };
        let (leaves, key) = (child.intent_state() == IntentState::Sending, &child.key);
        let is_todays = key.trading_day == now.trading_day();
        hold!(is_todays || !leaves, "P29: {key:?} is sent on another day");
        let opens = child.purpose == Purpose::Entry && self.frozen.contains(&child.terms.instrument);
        hold!(!opens || !leaves, "P29: {key:?} opens where nobody knows what is held");
        Ok(())
    }

    /// A process begins to write.
    pub(super) fn take_over(&mut self) {
        self.epoch = self.tables.take_over().unwrap();
    }

    /// A book made of them, as a follower's actor makes it.
    pub(super) fn restore(&self, mut book: FollowerBook, now: Timestamp) -> (FollowerBook, Vec<Effect>) {
        let (reader, today) = (self.tables.reader(), now.trading_day());
        let day = Day::read(reader, today, &self.follower, &self.account, &self.instruments).unwrap();
        let effects = day.restore(&mut book, now);
        (book, effects)
    }

    /// The leader's orders, as his stream remembers them.
    pub(super) fn leader_orders(&self, now: Timestamp) -> Vec<Arc<LeaderOrder>> {
        let leader = DhanClientId::new(LEADER).unwrap();
        self.tables.reader().leader_orders(now.trading_day(), &leader).unwrap()
    }

    /// As the process of that number commits.
    pub(super) fn commit_as(&self, epoch: i64, records: Vec<Record>, now: Timestamp) -> Checked {
        let owner = Owner { follower: &self.follower, account: &self.account };
        let writes = writes(records, owner, &Circumstances { now, news: None });
        self.tables
            .commit(epoch, &writes)
            .map_err(|error| format!("the rows refuse: {error}\n{writes:#?}\n{}", self.intents(now)))
    }

    /// For the reader of a failure.
    fn intents(&self, now: Timestamp) -> String {
        let mirrors = self.tables.reader().mirrors(now.trading_day(), &self.follower).unwrap();
        let intents = mirrors.iter().flat_map(|mirror| &mirror.intents);
        let lines = intents.map(|intent| {
            let (key, state) = (&intent.child, intent.state);
            let (order, units) = (&key.leader_order, intent.terms.quantity);
            format!("{order}.{}.{}.{} {:?} {state:?} {units}", key.leg, key.slice, key.attempt, intent.kind)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl Keeping for Rc<RefCell<Rows>> {
    fn commit(&mut self, records: &[Record], now: Timestamp) -> Checked {
        let rows = &mut *self.borrow_mut();
        records.iter().try_for_each(|record| rows.look_at(record, now))?;
        rows.commit_as(rows.epoch, records.to_vec(), now)?;
        rows.has_trading |= records.iter().any(|record| matches!(record, Record::Trading(_)));
        for record in records {
            rows.coverage.record(record);
        }
        Ok(())
    }

    fn dies(&mut self, at: Boundary, about: &'static str) -> bool {
        let rows = &mut *self.borrow_mut();
        let one_in = match at {
            Boundary::Told => 60,
            Boundary::BeforeCommit | Boundary::Committed => 20,
            Boundary::Sent => 12,
            Boundary::BetweenCommits => 6,
        };
        let is_aimed = rows.aim == (about, at) && rows.chance.percent(40);
        if rows.deaths_left == 0 || !(is_aimed || rows.chance.below(one_in) == 0) {
            return false;
        }
        rows.deaths_left -= 1;
        rows.died_at = at;
        rows.coverage.death(about, at);
        true
    }

    fn raise(&mut self, alert: &Alert) {
        self.borrow_mut().coverage.alert(alert);
    }
}

fn listed(instruments: &[Instrument]) -> Instruments {
    let mut table = InstrumentTable::builder();
    for instrument in instruments {
        table.push(InstrumentRow {
            key: instrument.key,
            kind: instrument.kind,
            symbol: &instrument.symbol,
            underlying: &instrument.underlying,
            lot_size: instrument.lot_size,
            tick: instrument.tick,
            expiry: instrument.expiry,
            option: instrument.option,
            freeze_quantity: instrument.freeze_quantity,
            band: instrument.band,
        });
    }
    let listed = Instruments::default();
    listed.replace(table.build());
    listed
}
