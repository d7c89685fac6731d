//! What is durable, in real rows; and when the process dies.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tandem_actors::instruments::Instruments;
use tandem_actors::records::{Circumstances, Owner, writes};
use tandem_actors::restored::Day;
use tandem_actors::store::{Bare, OpeningRow, Write};

use super::chance::Chance;
use super::coverage::{Coverage, DEATHS};
use super::keeping::{Boundary, Keeping};
use super::speak::{FOLLOWER, LEADER};
use super::world::Checked;
use crate::follower::{Alert, Effect, FollowerBook, Opening, Record};
use crate::ids::{DhanClientId, FollowerId};
use crate::instrument::{Instrument, InstrumentKey, InstrumentRow, InstrumentTable};
use crate::leader::LeaderOrder;
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
