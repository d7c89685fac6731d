//! One life ends, the next begins: what dies with a process, what happens while none runs, and how the next one starts.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::day::Day;
use super::exchange::{Asked, Kind, LOT};
use super::keeping::Boundary;
use super::speak;
use super::tally::Tally;
use super::world::{Checked, SECOND, Seen, World};
use crate::follower::{Effect, Event, FollowerBook};
use crate::leader::{LeaderBook, LeaderOrder};

type Step = fn(&mut World) -> Checked;

/// What goes on while no process runs.
const WORLD: [(u32, Step); 18] = [
    (5, World::leader_places),
    (4, World::leader_changes),
    (2, World::leader_cancels),
    (8, World::leader_is_accepted),
    (9, World::leader_fills),
    (1, World::leader_is_rejected),
    (1, World::leader_expires),
    (3, World::leader_fires),
    (2, World::leader_ioc_ends),
    (8, World::request_arrives),
    (6, World::follower_is_accepted),
    (8, World::follower_fills),
    (3, World::follower_fires),
    (1, World::follower_is_rejected),
    (1, World::follower_is_squared_off),
    (2, World::follower_ioc_ends),
    (2, World::external),
    (6, World::meanwhile),
];

/// How long no process runs.
#[derive(Debug, Clone, Copy)]
enum Downtime {
    None,
    Seconds,
    Hours,
}

impl World {
    fn meanwhile(&mut self) -> Checked {
        let millis = i64::from(self.chance.below(4_000));
        self.pass(millis * SECOND / 1_000)
    }

    /// He leaves what he holds of something and takes it again at once.
    fn leader_scalps(&mut self) -> Checked {
        let of = |number: &u32| self.leader_holds(*number).unsigned_abs() >= u64::from(LOT);
        let Some(instrument) = (0..self.policies.instruments).find(of) else { return Ok(()) };
        let held = self.leader_holds(instrument);
        let units = u32::try_from(held.unsigned_abs()).unwrap_or(LOT) / LOT * LOT;
        let market = Asked {
            instrument,
            buy: held < 0,
            kind: Kind::Market,
            ioc: false,
            units,
            disclosed: 0,
            price: 0,
            trigger: 0,
        };
        for asked in [market, Asked { buy: !market.buy, ..market }] {
            let number = self.leader.place(asked, String::new(), self.now, self.now);
            self.seen.push(Seen::default());
            self.leader.accept(number, self.now);
            self.leader.fill(number, units, self.now);
            self.note(|| format!("leader trades and trades back: L{number}, {asked:?}"));
            self.pass(SECOND)?;
        }
        Ok(())
    }

    /// With a process dies all that was in its memory, and on its way to it. What has left goes on.
    pub(super) fn bury(&mut self) {
        self.leader_frames.clear();
        self.follower_frames.clear();
        self.answers.clear();
        self.reads.clear();
        self.position_reads.clear();
        self.lookups.clear();
        self.margins.clear();
        self.wakes.clear();
        self.drifted.clear();
        self.outbox.iter_mut().for_each(|sent| sent.is_orphan = true);
    }

    /// What no row tells of the leader's orders, nobody has ever known.
    fn forget(&mut self, known: &[Arc<LeaderOrder>]) {
        for (number, seen) in self.seen.iter_mut().enumerate() {
            let row = known.iter().find(|order| speak::number_of(&order.broker_order_id) == number);
            seen.plain = seen.plain.filter(|plain| row.is_some_and(|row| speak::asked(&row.terms) == *plain));
            let order = &self.leader.orders[number];
            if row.is_none() {
                (seen.since, seen.gone) = (0, false);
            }
            // Told again later, it is told with a later time.
            if row.map_or(0, |row| row.cumulative.get()) < seen.told {
                self.tallies[order.asked.instrument as usize].dispute();
            }
        }
    }

    /// The leader's book is read and told: first all that is new in it, then everything.
    fn merge(&mut self) -> Checked {
        let before: Vec<Seen> = self.seen.clone();
        self.tell(Event::Together(true))?;
        self.snapshot()?;
        self.missed = self.round_trips(&before);
        let known: Vec<Arc<LeaderOrder>> = self.leader_book.iter().cloned().collect();
        for order in known {
            if !self.is_dead {
                self.plan(&order)?;
            }
        }
        self.tell(Event::Together(false))?;
        self.tell(Event::Tick)?;
        self.missed.clear();
        Ok(())
    }

    /// Orders that nobody had heard of before, are over, and have left the leader with what he held (P13). Where older ones
    /// have grown as well, or he holds nothing, which of them did what is not so plain.
    fn round_trips(&self, before: &[Seen]) -> BTreeSet<usize> {
        let is_new = |number: usize| before.get(number).is_none_or(|seen| seen.since == 0);
        let growth = |number: usize| {
            let told = before.get(number).filter(|_| !is_new(number)).map_or(0, |seen| seen.told);
            let units = i64::from(self.seen[number].told) - i64::from(told);
            if self.leader.orders[number].asked.buy { units } else { -units }
        };
        let of = |instrument: u32| {
            self.leader.those(|order| order.asked.instrument == instrument && growth(order.number) != 0)
        };
        let are_plain = |orders: &Vec<usize>| {
            let is_new_and_over = |number: &usize| is_new(*number) && !self.leader.orders[*number].is_live();
            orders.iter().all(is_new_and_over)
                && orders.iter().map(|number| growth(*number)).sum::<i64>() == 0
        };
        let instruments = 0..self.policies.instruments;
        let trips = instruments.filter(|instrument| self.leader_holds(*instrument) != 0).map(of);
        trips.filter(are_plain).flatten().collect()
    }
}

impl Day {
    /// A process has died: some time passes, and another lives on by the rows; it may die as it begins.
    pub(super) fn rise(&mut self) -> Checked {
        while self.world.is_dead {
            self.world.bury();
            self.is_cut_off_for = 0;
            if !self.is_taken_over() {
                self.stay_down()?;
                self.world.bury();
            }
            self.begin()?;
        }
        Ok(())
    }

    /// Whether it only looked dead: it stands still between two steps, another takes its place, and it will go on.
    fn is_taken_over(&mut self) -> bool {
        let rows = &mut *self.rows.borrow_mut();
        if rows.died_at != Boundary::Told || !rows.chance.percent(25) {
            return false;
        }
        let settings = self.world.settings.clone();
        let elder = std::mem::replace(&mut self.world.book, FollowerBook::new(settings));
        self.elder = Some((elder, rows.epoch));
        self.world.note(|| "the process stands still; another takes its place".to_owned());
        true
    }

    /// The elder of two processes is told what the younger knows. Its first word to the database is refused, and it ends (P21).
    pub(super) fn elder_stirs(&mut self) -> Checked {
        let Some((elder, epoch)) = &mut self.elder else { return Ok(()) };
        let orders: Vec<Arc<LeaderOrder>> = self.world.leader_book.iter().cloned().collect();
        if orders.is_empty() || self.rows.borrow_mut().chance.percent(50) {
            return Ok(());
        }
        let order = Arc::clone(&orders[self.rows.borrow_mut().chance.index(orders.len())]);
        let (now, decision) = (self.world.time(), self.world.decision(&order));
        let mut effects = elder.step(Event::Plan { order, decision }, now);
        effects.extend(elder.step(Event::Tick, now));
        let epoch = *epoch;
        for effect in effects {
            let Effect::Commit { records, .. } = effect else { continue };
            if self.rows.borrow().commit_as(epoch, records, now).is_err() {
                self.world.note(|| "the elder of two processes may not write, and ends".to_owned());
                self.rows.borrow_mut().coverage.count("a second instance: refused".to_owned());
                self.elder = None;
                return Ok(());
            }
            return Err("P21: two processes write".to_owned());
        }
        Ok(())
    }

    /// The leader's stream breaks, stays away for a while, and comes back: what it would have told is merged.
    pub(super) fn listen(&mut self) -> Checked {
        if self.world.is_dead {
            return Ok(());
        }
        match self.is_cut_off_for {
            0 if self.draws(60) == 0 => {
                self.is_cut_off_for = 1 + self.draws(8);
                self.world.note(|| "the leader's stream is lost".to_owned());
            }
            0 => return Ok(()),
            _ => self.is_cut_off_for -= 1,
        }
        self.world.leader_frames.clear();
        if self.is_cut_off_for > 0 { Ok(()) } else { self.come_back() }
    }

    fn draws(&self, below: u32) -> u32 {
        self.rows.borrow_mut().chance.below(below)
    }

    fn come_back(&mut self) -> Checked {
        self.rows.borrow_mut().coverage.count("a stream: lost and merged".to_owned());
        self.world.note(|| "the leader's stream is back".to_owned());
        self.dispute();
        self.world.merge()
    }

    /// What he did meanwhile is told together and late: how much is to be held of a part is not beyond dispute.
    fn dispute(&mut self) {
        self.world.tallies.iter_mut().for_each(Tally::dispute);
    }

    fn stay_down(&mut self) -> Checked {
        let downtime = {
            let chance = &mut self.rows.borrow_mut().chance;
            [Downtime::None, Downtime::Seconds, Downtime::Hours][chance.weighted(&self.downtimes)]
        };
        self.world.note(|| format!("the process dies; down: {downtime:?}"));
        self.rows.borrow_mut().coverage.count(format!("down: {downtime:?}"));
        let steps = match downtime {
            Downtime::None => return Ok(()),
            Downtime::Seconds => self.rows.borrow_mut().chance.below(8),
            Downtime::Hours => {
                self.world.pass(7_200 * SECOND)?;
                if self.is_short_of_time {
                    self.world.leader_scalps()?;
                    self.world.pass(60 * SECOND)?;
                }
                self.rows.borrow_mut().chance.below(16)
            }
        };
        self.dispute();
        let weights: Vec<u32> = WORLD.iter().map(|(weight, _)| *weight).collect();
        for _ in 0..steps {
            let at = self.rows.borrow_mut().chance.weighted(&weights);
            WORLD[at].1(&mut self.world)?;
        }
        Ok(())
    }

    /// A process begins, as the daemon does (`follower_orders/loading.rs`, `leader_stream/merging.rs`): rows, the account's
    /// own books, then what the leader has done meanwhile.
    pub(super) fn begin(&mut self) -> Checked {
        let world = &mut self.world;
        world.is_dead = false;
        let now = world.time();
        let known = {
            let mut rows = self.rows.borrow_mut();
            rows.take_over();
            rows.leader_orders(now)
        };
        world.note(|| format!("a process begins, {} leader's orders on record", known.len()));
        world.forget(&known);
        world.leader_book = LeaderBook::new(now.trading_day());
        world.leader_book.remember(known);
        let (book, effects) = self.rows.borrow().restore(FollowerBook::new(world.settings.clone()), now);
        world.book = book;
        for number in 0..world.seen.len() {
            let fills = world.mirror(number).map(|mirror| mirror.fills.clone());
            world.note(|| format!("on record of L{number}: {fills:?}"));
        }
        world.about = "rows";
        world.perform(effects)?;
        if !world.is_dead {
            world.check()?;
        }
        world.arm()?;
        world.read_begins()?;
        world.read_ends()?;
        world.merge()
    }
}
