//! How a day becomes calm in the end.

use super::exchange::{By, Order, State};
use super::world::{Checked, SECOND, World};
use crate::follower::Event;
use crate::order::EvidenceSource;

impl World {
    /// Faults stop, time runs on, the books read well, and what can trade trades.
    pub(super) fn calm_down(&mut self) -> Checked {
        self.calm = true;
        self.note(|| "calm".to_owned());
        self.token_is_replaced()?;
        while !self.leader_frames.is_empty() {
            let (order, is_change) = self.leader_frames.remove(0);
            self.hear(&order, is_change, EvidenceSource::Stream)?;
        }
        for number in self.leader.those(|order| order.state == State::Transit) {
            self.leader.accept(number, self.now);
        }
        for number in self.leader.those(|order| order.asked.ioc && order.trades()) {
            self.leader.end(number, State::Cancelled, By::Broker, self.now);
        }
        self.snapshot()?;
        let mut quiet = 0;
        for round in 0..400 {
            self.calm_round(round)?;
            // What was held and has left meanwhile is still woken at its age's end.
            let soon = self.now + 3_600 * SECOND;
            let is_awake = self.wakes.iter().any(|at| *at < soon);
            let is_quiet = self.outbox.is_empty() && self.answers.is_empty() && !is_awake;
            quiet = if is_quiet && self.book.unsettled_count() == 0 { quiet + 1 } else { 0 };
            // Two reads prove an absence; one more shows what the last changes made of the orders.
            if quiet > 3 {
                return Ok(());
            }
        }
        Err(format!(
            "it never comes to rest: wakes {:?}, {} unsettled",
            self.wakes,
            self.book.unsettled_count()
        ))
    }

    fn calm_round(&mut self, round: u32) -> Checked {
        while let Some(sent) = self.outbox.pop() {
            self.arrive(sent)?;
        }
        while !self.answers.is_empty() {
            self.answer_comes()?;
        }
        while !self.follower_frames.is_empty() && self.follower_frames[0].0.visible_at <= self.now {
            let (order, _) = self.follower_frames.remove(0);
            self.tell(Event::Report(Box::new(self.row(&order, EvidenceSource::Stream))))?;
        }
        while !self.margins.is_empty() {
            self.margin_is_told()?;
        }
        while !self.lookups.is_empty() {
            let before = self.lookups.len();
            self.lookup_ends()?;
            if self.lookups.len() >= before {
                self.lookups.clear();
            }
        }
        for number in self.follower.those(|order| order.state == State::Transit) {
            self.follower.accept(number, self.now);
            self.follower_did(number, "is accepted");
        }
        for number in self.follower.those(|order| order.trades() && order.shown().is_marketable()) {
            self.fill(number, u32::MAX / 2)?;
        }
        if self.policies.same_market && round > 2 {
            self.follow_market()?;
        }
        for number in self.follower.those(|order| order.asked.ioc && order.trades()) {
            self.cut_off(number);
        }
        self.reads.retain(|read| !read.complete);
        self.read_begins()?;
        while !self.reads.is_empty() {
            self.read_ends()?;
        }
        if self.policies.reads_positions {
            self.position_reads.clear();
            self.positions_are_asked()?;
            self.positions_are_told()?;
        }
        self.pass(if round < 20 { SECOND } else { 5 * SECOND })
    }

    /// What has filled for the leader fills for the follower.
    fn follow_market(&mut self) -> Checked {
        for number in self.follower.those(Order::is_live) {
            let order = &self.follower.orders[number];
            let leader = self.copies.get(&order.tag).map(|copied| &self.leader.orders[copied.leader]);
            if leader.is_some_and(|leader| !leader.is_live() && leader.filled > 0) {
                if !order.trades() {
                    self.follower.fire(number, self.now);
                }
                self.fill(number, u32::MAX / 2)?;
            }
        }
        Ok(())
    }
}
