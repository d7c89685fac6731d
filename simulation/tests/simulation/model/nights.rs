//! The turn of a day (P29): orders end, what is held is carried, and a process begins in the morning with the rows of both
//! days. What the evening left without proof is never sent again, and nothing is opened where it came to something.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::copier::Copier;
use super::day::Day;
use super::exchange::{By, Exchange, LOT, Order, State};
use super::speak;
use super::tally::{Carried, Tally};
use super::world::{Checked, Seen, World, hold};
use crate::follower::FollowerBook;
use crate::instrument::InstrumentKey;
use crate::leader::LeaderBook;
use crate::mirror::ChangeState;
use crate::order::lifecycle::ChildState;
use crate::time::Timestamp;

/// From a day's start to the first order.
const OPEN: Duration = Duration::from_hours(10);

impl World {
    fn morning(&self) -> Timestamp {
        self.time().trading_day().start().plus(Duration::from_hours(24) + OPEN)
    }

    /// Instruments in which a request has left, and nobody knows what came of it.
    fn unproven(&self) -> BTreeSet<u32> {
        let is_unanswered = |state| matches!(state, ChangeState::Sending | ChangeState::Unknown);
        let mirrors = (0..self.seen.len()).filter_map(|number| self.mirror(number));
        let children = mirrors.flat_map(|mirror| &mirror.children).filter(|child| {
            matches!(child.state, ChildState::Sending | ChildState::Unknown)
                || child.request.as_ref().is_some_and(|request| is_unanswered(request.state))
        });
        children.map(|child| speak::number_of_key(child.terms.instrument)).collect()
    }

    /// Both brokers' night. What is on its way arrives or is lost, what works ends, and tomorrow knows of what is held alone.
    /// `copied`: how much of it is copies', by the rows.
    fn turn(&mut self, copied: &BTreeMap<InstrumentKey, i64>) -> Checked {
        while let Some(sent) = self.outbox.pop() {
            self.arrive(sent)?;
        }
        self.bury();
        for number in self.follower.those(Order::is_live) {
            self.follower.end(number, State::Expired, By::Broker, self.now);
        }
        let carried = (0..self.policies.instruments).map(|number| {
            let net = self.held(number) + self.owned(number);
            let copied = copied.get(&speak::key(number)).copied().unwrap_or_default();
            // Copies are never more than the account shows.
            let copied = copied.clamp(net.min(0), net.max(0));
            Carried { leader: self.leader_holds(number), copied, own: net - copied }
        });
        self.tallies = carried.collect::<Vec<_>>().into_iter().map(Tally::new).collect();
        let morning = self.morning();
        self.now = morning.micros();
        (self.leader, self.follower) = (Exchange::default(), Exchange::default());
        (self.leader_book, self.book) =
            (LeaderBook::new(morning.trading_day()), FollowerBook::new(self.settings.clone()));
        for ids in [&mut self.gated, &mut self.blind] {
            ids.clear();
        }
        self.copies.clear();
        self.sent_as.clear();
        self.sent_at.clear();
        self.seen = Vec::<Seen>::new();
        self.entries_placed.clear();
        self.blots.iter_mut().for_each(BTreeSet::clear);
        for number in 0..self.policies.instruments {
            let Carried { leader, copied, .. } = self.tallies[number as usize].carried;
            // Neither is closed by an order of today's: less than a lot, and what an evening left against the leader.
            let is_part = copied % i64::from(LOT) != 0;
            let is_left_over = copied != 0 && leader.signum() != copied.signum();
            if is_part {
                self.blot(number, "part of a lot");
            }
            if is_left_over {
                self.blot(number, "left over");
            }
            if is_part || is_left_over || self.is_limited {
                self.blot(number, "lost");
            }
        }
        Ok(())
    }

    /// Units that the account has carried into today.
    fn carried_into(&self, key: InstrumentKey) -> i64 {
        let Carried { copied, own, .. } = self.tallies[speak::number_of_key(key) as usize].carried;
        copied + own
    }
}

impl Day {
    /// The process ends with its day, and another begins in the morning.
    pub(super) fn night(&mut self) -> Checked {
        // In the evening nobody is away.
        self.all_rise()?;
        self.elder = None;
        self.is_cut_off_for = 0;
        let unproven: Vec<_> = self.copiers.iter().map(|copier| copier.world.unproven()).collect();
        self.bury()?;
        let morning = self.copiers[0].world.morning();
        let mut unproven = unproven.into_iter();
        self.each(|copier| copier.sleep(&unproven.next().unwrap_or_default(), morning))?;
        self.clock = morning.micros();
        self.begin()?;
        self.rise()
    }
}

impl Copier {
    /// `unproven`: the instruments in which something has left, and nobody knows what came of it.
    fn sleep(&mut self, unproven: &BTreeSet<u32>, morning: Timestamp) -> Checked {
        self.world.note(|| format!("the day ends; of {unproven:?} nobody knows"));
        let copied = self.keeper.borrow().carried(morning);
        self.world.turn(&copied)?;
        let told = self.keeper.borrow_mut().dawn(morning, |key| self.world.carried_into(key));
        hold!(told == *unproven, "P29: by the rows nobody knows of {told:?}, in truth of {unproven:?}");
        for number in unproven {
            self.world.blot(*number, "lost");
            self.keeper.borrow().count("a night: something is unproven");
        }
        self.world.unresolved.clone_from(unproven);
        Ok(())
    }
}
