//! One life ends, the next begins: what dies with a process, what happens while none runs, and how the next one starts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::copier::Copier;
use super::day::{Day, draw};
use super::exchange::{Asked, Kind, LOT};
use super::keeper::Death;
use super::keeping::Boundary;
use super::speak;
use super::steps::{LEADING, Step};
use super::tally::Tally;
use super::world::{Checked, MILLI, SECOND, Seen, World};
use crate::follower::{Effect, Event, FollowerBook};
use crate::leader::{LeaderBook, LeaderOrder};
use crate::pacing::Purpose;
use crate::time::Timestamp;

/// What goes on in a follower's account while nobody listens.
pub(super) const DOWN: [(u32, Step); 8] = [
    (8, World::request_arrives),
    (6, World::follower_is_accepted),
    (8, World::follower_fills),
    (3, World::follower_fires),
    (1, World::follower_is_rejected),
    (1, World::follower_is_squared_off),
    (2, World::follower_ioc_ends),
    (2, World::external),
];

/// How often, while no process runs, the leader does something, time passes, and something happens in the accounts.
const MEANWHILE: [u32; 3] = [35, 6, 31];
/// Of the leader's steps, those that are no hearing.
const DEEDS: usize = 9;

/// From here on in a day hours would come to its end.
const LATE: Duration = Duration::from_hours(20);

/// How long no process runs.
#[derive(Debug, Clone, Copy)]
enum Downtime {
    None,
    Seconds,
    Hours,
}

impl World {
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

    /// Whether the store answers next about an entry, and the account was stopped meanwhile.
    pub(super) fn is_next_held_back(&self) -> bool {
        let request = self.jobs.front().and_then(|job| job.request.as_ref());
        let opens = request.is_some_and(|request| request.purpose == Purpose::Entry);
        opens && (self.operator.halted || self.operator.reduces)
    }

    /// With an actor dies all that was in its memory, and on its way to it. What has left goes on.
    pub(super) fn bury(&mut self) {
        self.follower_frames.clear();
        self.answers.clear();
        self.reads.clear();
        self.position_reads.clear();
        self.lookups.clear();
        self.margins.clear();
        self.wakes.clear();
        self.drifted.clear();
        (self.token.is_refused, self.token.owes_positions) = (false, false);
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
        self.retell(&before)
    }

    /// Everything that is known of the leader is told again, after something was `before` which nobody has told.
    fn retell(&mut self, before: &[Seen]) -> Checked {
        self.missed = self.round_trips(before);
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

impl Copier {
    /// His actor has died alone: the next one begins by the rows, and is told everything that the leader's stream knows.
    fn live_on(&mut self) -> Checked {
        match self.is_away_for {
            None => {
                self.keeper.borrow().count("an actor: dies alone");
                self.world.note(|| "the follower's actor dies".to_owned());
                self.seen_alive = self.world.seen.clone();
                self.bury()?;
                self.is_away_for = Some(self.draws(|chance| chance.pick(&[0, 0, 1, 4, 12])));
            }
            Some(0) => {
                self.is_away_for = None;
                self.world.note(|| "another begins".to_owned());
                self.world.tallies.iter_mut().for_each(Tally::dispute);
                self.restore()?;
                let before = std::mem::take(&mut self.seen_alive);
                self.world.tell(Event::Together(true))?;
                self.world.retell(&before)?;
            }
            Some(steps) => self.is_away_for = Some(steps - 1),
        }
        Ok(())
    }
}

impl Day {
    /// Who has died lives on by the rows, after some time; and may die as he begins.
    pub(super) fn rise(&mut self) -> Checked {
        while self.copiers.iter().any(|copier| copier.death() == Some(Death::Process)) {
            self.is_cut_off_for = 0;
            let is_taken_over = self.is_taken_over();
            self.bury()?;
            if !is_taken_over {
                self.stay_down()?;
            }
            self.begin()?;
        }
        // With whom the process has died meanwhile waits for the next step.
        self.each(|copier| {
            let is_alone = copier.death() == Some(Death::Alone) || copier.is_away_for.is_some();
            if is_alone { copier.live_on() } else { Ok(()) }
        })
    }

    /// With the process die all actors, and what the store had not committed yet.
    pub(super) fn bury(&mut self) -> Checked {
        let waiting = u32::try_from(self.rows.borrow().waiting()).unwrap_or(0);
        let committed = self.chance.below(waiting + 1);
        self.rows.borrow_mut().crash(committed as usize)?;
        self.each(|copier| {
            copier.world.is_dead = true;
            copier.is_away_for = None;
            copier.world.leader_frames.clear();
            copier.bury()
        })
    }

    /// Whether it only looked dead: it stands still between two steps, another takes its place, and it will go on.
    fn is_taken_over(&mut self) -> bool {
        let dead = self.copiers.iter().find(|copier| copier.death() == Some(Death::Process));
        let died_at = dead.map(|copier| copier.keeper.borrow().died_at);
        if died_at != Some(Boundary::Told) || !self.chance.percent(25) {
            return false;
        }
        let elders = self.copiers.iter_mut().map(|copier| {
            let book = FollowerBook::new(copier.world.settings.clone());
            std::mem::replace(&mut copier.world.book, book)
        });
        self.elder = Some((elders.collect(), self.rows.borrow().epoch));
        self.copiers[0].world.note(|| "the process stands still; another takes its place".to_owned());
        true
    }

    /// The elder of two processes is told what the younger knows. Its first word to the database is refused, and it ends (P21).
    pub(super) fn elder_stirs(&mut self) -> Checked {
        let Some((elders, epoch)) = &mut self.elder else { return Ok(()) };
        let at = self.chance.index(elders.len());
        let copier = &self.copiers[at];
        let orders: Vec<Arc<LeaderOrder>> = copier.world.leader_book.iter().cloned().collect();
        if orders.is_empty() || self.chance.percent(50) {
            return Ok(());
        }
        let order = Arc::clone(&orders[self.chance.index(orders.len())]);
        let (now, decision) = (copier.world.time(), copier.world.decision(&order));
        let mut effects = elders[at].step(Event::Plan { order, decision }, now);
        effects.extend(elders[at].step(Event::Tick, now));
        for effect in effects {
            let Effect::Commit { records, .. } = effect else { continue };
            let job = copier.keeper.borrow().job(records, now);
            if self.rows.borrow().commit_as(*epoch, job).is_err() {
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
        if self.copiers.iter().any(|copier| copier.death() == Some(Death::Process)) {
            return Ok(());
        }
        match self.is_cut_off_for {
            0 if self.chance.below(60) == 0 => self.is_cut_off_for = 1 + self.chance.below(8),
            0 => return Ok(()),
            _ => self.is_cut_off_for -= 1,
        }
        self.copiers.iter_mut().for_each(|copier| copier.world.leader_frames.clear());
        if self.is_cut_off_for > 0 { Ok(()) } else { self.come_back() }
    }

    fn come_back(&mut self) -> Checked {
        self.rows.borrow_mut().coverage.count("a stream: lost and merged".to_owned());
        self.dispute();
        self.each(|copier| {
            copier.world.note(|| "the leader's stream was lost, and is back".to_owned());
            copier.world.merge()
        })
    }

    /// What he did meanwhile is told together and late: how much is to be held of a part is not beyond dispute.
    fn dispute(&mut self) {
        let tallies = self.copiers.iter_mut().flat_map(|copier| &mut copier.world.tallies);
        tallies.for_each(Tally::dispute);
    }

    fn stay_down(&mut self) -> Checked {
        let downtime =
            [Downtime::None, Downtime::Seconds, Downtime::Hours][self.chance.weighted(&self.plan.downtimes)];
        // Another day begins with a night alone.
        let clock = Timestamp::from_micros(self.clock);
        let is_late = clock.since(clock.trading_day().start()) > LATE;
        let downtime = if is_late { Downtime::None } else { downtime };
        self.copiers.iter_mut().for_each(|copier| {
            copier.world.note(|| format!("the process dies; down: {downtime:?}"));
        });
        self.rows.borrow_mut().coverage.count(format!("down: {downtime:?}"));
        let steps = match downtime {
            Downtime::None => return Ok(()),
            Downtime::Seconds => self.chance.below(8),
            Downtime::Hours => {
                self.pass_at_once(7_200 * SECOND)?;
                if self.plan.is_short_of_time {
                    self.lead(World::leader_scalps)?;
                    self.clock += 2 * SECOND;
                    self.pass_at_once(60 * SECOND)?;
                }
                self.chance.below(16)
            }
        };
        self.dispute();
        for _ in 0..steps {
            match self.chance.weighted(&MEANWHILE) {
                0 => {
                    let deed = draw(&LEADING[..DEEDS], &mut self.chance);
                    self.lead(deed)?;
                }
                1 => {
                    let millis = i64::from(self.chance.below(4_000));
                    self.pass_at_once(millis * MILLI)?;
                }
                _ => self.each(Copier::act_unseen)?,
            }
        }
        Ok(())
    }

    /// Time runs on, and no process.
    fn pass_at_once(&mut self, span: i64) -> Checked {
        self.clock += span;
        let clock = self.clock;
        self.each(|copier| copier.pass_until(clock))
    }

    /// A process begins, as the daemon does (`follower_orders/loading.rs`, `leader_stream/merging.rs`): rows, the accounts'
    /// own books, then what the leader has done meanwhile.
    pub(super) fn begin(&mut self) -> Checked {
        self.rows.borrow_mut().take_over();
        let now = self.copiers[0].world.time();
        let known = self.rows.borrow().leader_orders(now);
        for copier in &mut self.copiers {
            let world = &mut copier.world;
            copier.keeper.borrow_mut().death = None;
            world.note(|| format!("a process begins, {} leader's orders on record", known.len()));
            world.forget(&known);
            world.leader_book = LeaderBook::new(now.trading_day());
            world.leader_book.remember(known.clone());
            world.is_dead = false;
        }
        self.each(|copier| if copier.world.is_dead { Ok(()) } else { copier.restore() })?;
        self.each(|copier| copier.world.merge())
    }
}
