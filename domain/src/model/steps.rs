//! What can happen in a day, one thing at a time, in any order; and how it becomes calm in the end.

#![expect(
    clippy::unnecessary_wraps,
    reason = "what can happen has one shape, whether anything can go wrong in it or not"
)]

use std::time::Duration;

use super::exchange::{Asked, By, Kind, LOT, MARKET, No, Order, State};
use super::speak::{self, FOLLOWER};
use super::world::{Checked, Failed, MILLI, SECOND, Seen, Sent, Told, World, hold};
use crate::follower::{BookRead, Event};
use crate::mirror::{Answer, Ask, COPY, Refused};
use crate::order::EvidenceSource;
use crate::policy::CopyOn;
use crate::time::Timestamp;

/// A request arrives within this, or not at all.
const ON_THE_WIRE: i64 = 800 * MILLI;
/// The books show a new order within this: with the time on the wire less than the settle time, or P4 could not hold.
const SILENT: u32 = 1_000;
const LEADER_ORDERS: usize = 4;

type Step = fn(&mut World) -> Checked;

/// Everything that can happen, and how often.
const STEPS: [(u32, Step); 27] = [
    (5, World::leader_places),
    (6, World::leader_changes),
    (2, World::leader_cancels),
    (8, World::leader_is_accepted),
    (5, World::leader_fills),
    (1, World::leader_is_rejected),
    (1, World::leader_expires),
    (3, World::leader_fires),
    (2, World::leader_ioc_ends),
    (16, World::leader_frame),
    (2, World::snapshot),
    (1, World::leader_frame_is_lost),
    (12, World::request_arrives),
    (12, World::answer_comes),
    (8, World::follower_is_accepted),
    (6, World::follower_fills),
    (3, World::follower_fires),
    (1, World::follower_is_rejected),
    (1, World::follower_is_squared_off),
    (2, World::follower_ioc_ends),
    (8, World::follower_frame),
    (3, World::read_begins),
    (4, World::read_ends),
    (4, World::lookup_ends),
    (1, World::hand),
    (1, World::external),
    (14, World::time_passes),
];

impl World {
    pub(super) fn step(&mut self) -> Checked {
        let weights: Vec<u32> = STEPS.iter().map(|(weight, _)| *weight).collect();
        // What finds nothing to happen to is no step.
        let before = self.happened;
        for _ in 0..8 {
            let at = self.chance.weighted(&weights);
            STEPS[at].1(self)?;
            if self.happened != before {
                break;
            }
        }
        Ok(())
    }

    // The leader.

    fn leader_asks(&mut self) -> Asked {
        let buy = self.chance.percent(55);
        let kind = self.chance.pick(&[
            Kind::Limit,
            Kind::Limit,
            Kind::Limit,
            Kind::Market,
            Kind::Stop,
            Kind::StopMarket,
        ]);
        let units = (1 + self.chance.below(8)) * LOT;
        let instrument = u32::from(self.chance.percent(25));
        // What is held is mostly to be closed, or part of it.
        let held = self.held(instrument);
        let closes = held != 0 && self.chance.percent(70);
        let most = u32::try_from(held.unsigned_abs()).unwrap_or(0) * 2 / self.policies.halves;
        let (buy, units) = if closes { (held < 0, units.min(most).max(LOT)) } else { (buy, units) };
        let asked = Asked {
            instrument,
            buy,
            kind,
            ioc: self.chance.percent(8),
            units,
            disclosed: if self.chance.percent(15) { units / 2 / LOT * LOT } else { 0 },
            price: 0,
            trigger: 0,
        };
        self.priced(asked)
    }

    /// The same at a price at which it does not trade at once.
    fn priced(&mut self, asked: Asked) -> Asked {
        let away = 50 + 5 * self.chance.below(150);
        let (price, trigger) = match (asked.kind, asked.buy) {
            (Kind::Market, _) => (0, 0),
            (Kind::Limit, true) => (MARKET - away, 0),
            (Kind::Limit, false) => (MARKET + away, 0),
            (Kind::Stop, true) => (MARKET + away + 20, MARKET + away),
            (Kind::Stop, false) => (MARKET - away - 20, MARKET - away),
            (Kind::StopMarket, true) => (0, MARKET + away),
            (Kind::StopMarket, false) => (0, MARKET - away),
        };
        Asked { price, trigger, ..asked }
    }

    fn leader_places(&mut self) -> Checked {
        if self.leader.orders.len() >= LEADER_ORDERS {
            return Ok(());
        }
        let asked = self.leader_asks();
        let number = self.leader.place(asked, String::new(), self.now, self.now);
        self.seen.push(Seen::default());
        self.leader_did(number, "places", false)
    }

    fn leader_changes(&mut self) -> Checked {
        let open = self.leader.those(|order| order.state == State::Open);
        let Some(number) = self.some(&open) else { return Ok(()) };
        let order = self.leader.orders[number].clone();
        // A fired stop, or a market order that rests, is a limit by now.
        let mut asked = order.shown();
        match self.chance.below(8) {
            0 | 1 => asked = self.priced(asked),
            2..=4 => asked.units = (1 + self.chance.below(8)) * LOT,
            5 => {
                let kind = self.chance.pick(&[Kind::Limit, Kind::Market, Kind::Stop]);
                asked = self.priced(Asked { kind, ..asked });
            }
            6 => asked.ioc = self.chance.percent(20),
            _ => {
                asked = self.priced(asked);
                asked.units = (1 + self.chance.below(8)) * LOT;
            }
        }
        asked.disclosed = asked.disclosed.min(asked.units);
        if (is_stop(&order.asked) || is_stop(&asked)) && !is_second_later(&order, self.now) {
            return Ok(());
        }
        // What changes nothing is no change, and nobody could see it.
        if asked == order.shown() || self.leader.change(number, asked, self.now).is_err() {
            return Ok(());
        }
        self.leader_did(number, "changes", true)
    }

    fn leader_cancels(&mut self) -> Checked {
        let open = self.leader.those(|order| order.state == State::Open);
        let Some(number) = self.some(&open) else { return Ok(()) };
        let taken = self.leader.cancel(number, By::Owner, self.now);
        hold!(taken.is_ok(), "an open order can be cancelled");
        self.leader_did(number, "cancels", false)
    }

    fn leader_is_accepted(&mut self) -> Checked {
        let sent = self.leader.those(|order| order.state == State::Transit);
        let Some(number) = self.some(&sent) else { return Ok(()) };
        self.leader.accept(number, self.now);
        self.leader_did(number, "is accepted", false)
    }

    fn leader_fills(&mut self) -> Checked {
        let trading = self.leader.those(Order::trades);
        let Some(number) = self.some(&trading) else { return Ok(()) };
        let units = self.lots_of(&self.leader.orders[number].clone());
        self.leader.fill(number, units, self.now);
        self.leader_did(number, "fills", false)
    }

    fn leader_is_rejected(&mut self) -> Checked {
        let young = self.leader.those(|order| order.is_live() && order.filled == 0);
        let Some(number) = self.some(&young) else { return Ok(()) };
        self.leader.end(number, State::Rejected, By::Broker, self.now);
        self.leader_did(number, "is rejected", false)
    }

    fn leader_expires(&mut self) -> Checked {
        let open = self.leader.those(|order| order.state == State::Open);
        let Some(number) = self.some(&open) else { return Ok(()) };
        self.leader.end(number, State::Expired, By::Broker, self.now);
        self.leader_did(number, "expires", false)
    }

    fn leader_fires(&mut self) -> Checked {
        let now = self.now;
        let stops = self
            .leader
            .those(|order| order.state == State::Open && !order.trades() && is_second_later(order, now));
        let Some(number) = self.some(&stops) else { return Ok(()) };
        self.leader.fire(number, self.now);
        self.leader_did(number, "fires", false)
    }

    fn leader_ioc_ends(&mut self) -> Checked {
        let immediate = self.leader.those(|order| order.asked.ioc && order.trades());
        let Some(number) = self.some(&immediate) else { return Ok(()) };
        self.leader.end(number, State::Cancelled, By::Broker, self.now);
        self.leader_did(number, "is over at once", false)
    }

    fn leader_did(&mut self, number: usize, what: &str, is_change: bool) -> Checked {
        let order = self.leader.orders[number].clone();
        self.note(|| format!("leader {what}: L{order}"));
        let by_fill = self.policies.on == CopyOn::Fill;
        let target = self.share(if by_fill { order.filled } else { order.asked.units });
        let most = &mut self.seen[number].target_max;
        *most = target.max(*most);
        self.leader_frames.push((order, is_change));
        self.happened += 1;
        Ok(())
    }

    fn leader_frame(&mut self) -> Checked {
        let Some((order, is_change)) = self.chance.take(&mut self.leader_frames) else { return Ok(()) };
        if self.chance.percent(20) {
            self.leader_frames.push((order.clone(), is_change));
        }
        self.hear(&order, is_change, EvidenceSource::Stream)
    }

    fn leader_frame_is_lost(&mut self) -> Checked {
        self.chance.take(&mut self.leader_frames);
        Ok(())
    }

    // Requests.

    fn request_arrives(&mut self) -> Checked {
        let Some(sent) = self.chance.take(&mut self.outbox) else { return Ok(()) };
        self.arrive(sent)
    }

    fn arrive(&mut self, sent: Sent) -> Checked {
        self.happened += 1;
        let client_order_id = sent.request.client_order_id.clone();
        let truth = if sent.arrives { Some(self.carry_out(&sent)) } else { None };
        let accepted = |sent: &Sent, is_over: bool| match &sent.request.ask {
            Ask::Modify { .. } | Ask::Cancel { .. } if is_over => {
                Answer::Refused(Refused::Over, "over".into())
            }
            Ask::Modify { broker_order_id, .. } | Ask::Cancel { broker_order_id, .. } => {
                Answer::Accepted(broker_order_id.clone())
            }
            Ask::Place(_) => Answer::Lost,
        };
        if let (Ask::Place(terms), false) = (&sent.request.ask, sent.arrives)
            && sent.told != Told::NotSent
        {
            let copied = self.copies[client_order_id.as_str()];
            let refused = sent.told == Told::Refused;
            self.failed.push(Failed { copied, units: terms.quantity.get(), refused });
        }
        if let (Ask::Modify { broker_order_id, terms, .. }, Told::Hollow) = (&sent.request.ask, sent.told) {
            let order = &mut self.follower.orders[speak::number_of(broker_order_id)];
            order.promised = order.promised.max(terms.quantity.get());
        }
        let answer = match sent.told {
            Told::Truth => truth.unwrap_or(Answer::Lost),
            Told::Refused => Answer::Refused(Refused::Other, "no".into()),
            Told::InTransit => Answer::Refused(Refused::InTransit, "in transit".into()),
            Told::NotSent => Answer::NotSent,
            Told::Busy => Answer::Busy,
            Told::Lost => Answer::Lost,
            Told::Hollow => accepted(&sent, self.is_over(&sent)),
        };
        self.note(|| format!("arrives: {client_order_id} {}: {answer:?}", sent.request.serial));
        self.answers.push((client_order_id, sent.request.serial, answer));
        Ok(())
    }

    /// Whether the order a request is about has ended.
    fn is_over(&self, sent: &Sent) -> bool {
        match &sent.request.ask {
            Ask::Modify { broker_order_id, .. } | Ask::Cancel { broker_order_id, .. } => {
                !self.follower.orders[speak::number_of(broker_order_id)].is_live()
            }
            Ask::Place(_) => false,
        }
    }

    /// What the broker makes of a request.
    fn carry_out(&mut self, sent: &Sent) -> Answer {
        let now = self.now;
        let (number, done) = match &sent.request.ask {
            Ask::Place(terms) => {
                let visible_at =
                    now + if self.calm { 0 } else { i64::from(self.chance.below(SILENT)) * MILLI };
                let tag = sent.request.client_order_id.as_str().to_owned();
                let number = self.follower.place(speak::asked(terms), tag, now, visible_at);
                (number, Ok(()))
            }
            Ask::Modify { broker_order_id, terms, .. } => {
                let number = speak::number_of(broker_order_id);
                (number, self.follower.change(number, speak::asked(terms), now))
            }
            Ask::Cancel { broker_order_id, .. } => {
                let number = speak::number_of(broker_order_id);
                (number, self.follower.cancel(number, By::Owner, now))
            }
        };
        self.follower_did(number, "is asked");
        match done {
            Ok(()) => Answer::Accepted(speak::broker_order_id(FOLLOWER, number)),
            Err(No::InTransit) => Answer::Refused(Refused::InTransit, "in transit".into()),
            Err(No::Over) => Answer::Refused(Refused::Over, "over".into()),
            Err(No::Unlawful) => Answer::Refused(Refused::Other, "so much is filled".into()),
        }
    }

    fn answer_comes(&mut self) -> Checked {
        let Some((client_order_id, serial, answer)) = self.chance.take(&mut self.answers) else {
            return Ok(());
        };
        self.note(|| format!("answered: {client_order_id} {serial} {answer:?}"));
        self.tell(Event::Answered { client_order_id, serial, answer })
    }

    // The follower's account.

    fn follower_is_accepted(&mut self) -> Checked {
        let sent = self.follower.those(|order| order.state == State::Transit);
        let Some(number) = self.some(&sent) else { return Ok(()) };
        self.follower.accept(number, self.now);
        self.follower_did(number, "is accepted");
        Ok(())
    }

    fn follower_fills(&mut self) -> Checked {
        let trading = self.follower.those(Order::trades);
        let Some(number) = self.some(&trading) else { return Ok(()) };
        let units = self.lots_of(&self.follower.orders[number].clone());
        self.follower.fill(number, units, self.now);
        self.follower_did(number, "fills");
        Ok(())
    }

    fn follower_fires(&mut self) -> Checked {
        let stops = self.follower.those(|order| order.state == State::Open && !order.trades());
        let Some(number) = self.some(&stops) else { return Ok(()) };
        self.follower.fire(number, self.now);
        self.follower_did(number, "fires");
        Ok(())
    }

    fn follower_is_rejected(&mut self) -> Checked {
        let young = self.follower.those(|order| order.is_live() && order.filled == 0);
        let Some(number) = self.some(&young) else { return Ok(()) };
        self.follower.end(number, State::Rejected, By::Broker, self.now);
        self.follower_did(number, "is rejected");
        Ok(())
    }

    fn follower_is_squared_off(&mut self) -> Checked {
        let open = self.follower.those(|order| order.state == State::Open);
        let Some(number) = self.some(&open) else { return Ok(()) };
        self.follower.end(number, State::Expired, By::Broker, self.now);
        self.follower_did(number, "expires");
        Ok(())
    }

    fn follower_ioc_ends(&mut self) -> Checked {
        let immediate = self.follower.those(|order| order.asked.ioc && order.trades());
        let Some(number) = self.some(&immediate) else { return Ok(()) };
        self.follower.end(number, State::Cancelled, By::Broker, self.now);
        self.follower_did(number, "is over at once");
        Ok(())
    }

    fn follower_did(&mut self, number: usize, what: &str) {
        let order = self.follower.orders[number].clone();
        self.note(|| format!("follower {what}: F{order}"));
        self.follower_frames.push((order, false));
        self.happened += 1;
    }

    fn follower_frame(&mut self) -> Checked {
        let at = (0..self.follower_frames.len())
            .filter(|at| self.follower_frames[*at].0.visible_at <= self.now)
            .collect::<Vec<_>>();
        if at.is_empty() {
            return Ok(());
        }
        let chosen = at[self.chance.index(at.len())];
        let (order, _) = self.follower_frames.swap_remove(chosen);
        if self.chance.percent(20) {
            self.follower_frames.push((order.clone(), false));
        }
        if self.chance.percent(15) && !self.calm {
            return Ok(());
        }
        let report = Self::row(&order, EvidenceSource::Stream);
        self.note(|| format!("frame F{} {} {}", order.number, report.status, report.cumulative));
        self.tell(Event::Report(Box::new(report)))
    }

    fn read_begins(&mut self) -> Checked {
        let visible = self.follower.orders.iter().filter(|order| order.visible_at <= self.now);
        let mut orders: Vec<_> = visible.map(|order| Self::row(order, EvidenceSource::Book)).collect();
        let complete = self.calm || self.chance.percent(85);
        orders.truncate(if complete { orders.len() } else { orders.len() / 2 });
        self.happened += 1;
        self.reads.push(BookRead { started_at: Timestamp::from_micros(self.now), orders, complete });
        Ok(())
    }

    fn read_ends(&mut self) -> Checked {
        let Some(read) = self.chance.take(&mut self.reads) else { return Ok(()) };
        self.note(|| format!("book of {} rows, complete {}", read.orders.len(), read.complete));
        self.tell(Event::Book(read))
    }

    fn lookup_ends(&mut self) -> Checked {
        let Some(id) = self.chance.take(&mut self.lookups) else { return Ok(()) };
        let visible = self.follower.orders.iter().filter(|order| order.visible_at <= self.now);
        let mut found =
            visible.filter(|order| order.tag == id.as_str()).map(|o| Self::row(o, EvidenceSource::Book));
        let found = found.next_back();
        self.note(|| format!("lookup of {id}: {}", found.is_some()));
        self.tell(found.map_or(Event::NotFound(id), |found| Event::Report(Box::new(found))))
    }

    /// A person changes or cancels a copy.
    fn hand(&mut self) -> Checked {
        if !self.policies.hands {
            return Ok(());
        }
        let copies = &self.copies;
        let open = self.follower.those(|order| order.state == State::Open && copies.contains_key(&order.tag));
        let Some(number) = self.some(&open) else { return Ok(()) };
        let order = self.follower.orders[number].clone();
        self.seen[self.copies[&order.tag].leader].hand = true;
        if self.chance.percent(50) {
            let done = self.follower.cancel(number, By::Hand, self.now);
            hold!(done.is_ok(), "an open order can be cancelled");
        } else {
            let asked = Asked { kind: Kind::Limit, trigger: 0, price: 7_777, ..order.asked };
            let done = self.follower.change(number, asked, self.now);
            hold!(done.is_ok(), "an open order can be changed");
            self.follower.orders[number].hand = true;
        }
        self.follower_did(number, "is touched by hand");
        Ok(())
    }

    /// A person places an order of his own, unlike any copy.
    fn external(&mut self) -> Checked {
        let mine = Asked {
            instrument: 0,
            buy: self.chance.percent(50),
            kind: Kind::Limit,
            ioc: false,
            units: LOT + 1,
            disclosed: 0,
            price: 5_000,
            trigger: 0,
        };
        let number = self.follower.place(mine, "by hand".to_owned(), self.now, self.now);
        self.follower_did(number, "is used by hand");
        Ok(())
    }

    // Time.

    fn time_passes(&mut self) -> Checked {
        let span = if self.chance.percent(85) { self.chance.below(1_500) } else { self.chance.below(9_000) };
        self.pass(i64::from(span) * MILLI)
    }

    /// Time runs on; who asked to be woken is, at his time and at no other.
    fn pass(&mut self, span: i64) -> Checked {
        self.happened += 1;
        let until = self.now + span;
        loop {
            let late = self.outbox.iter().map(|sent| sent.at + ON_THE_WIRE).min();
            let wake = self.wakes.first().copied();
            let next = [late, wake].into_iter().flatten().min().filter(|at| *at <= until);
            let Some(next) = next else { break };
            self.now = self.now.max(next);
            if late == Some(next) {
                let at = self.outbox.iter().position(|sent| sent.at + ON_THE_WIRE == next).unwrap_or(0);
                let sent = self.outbox.swap_remove(at);
                self.arrive(sent)?;
            } else {
                self.wakes.pop_first();
                self.tell(Event::Tick)?;
            }
        }
        self.now = until;
        Ok(())
    }

    // In the end.

    /// Faults stop, time runs on, the books read well, and what can trade trades.
    pub(super) fn calm_down(&mut self) -> Checked {
        self.calm = true;
        self.note(|| "calm".to_owned());
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
            self.calm_round(if round < 20 { SECOND } else { 5 * SECOND })?;
            let is_quiet = self.outbox.is_empty() && self.answers.is_empty() && self.wakes.is_empty();
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

    fn calm_round(&mut self, span: i64) -> Checked {
        while let Some(sent) = self.outbox.pop() {
            self.arrive(sent)?;
        }
        while !self.answers.is_empty() {
            self.answer_comes()?;
        }
        while !self.follower_frames.is_empty() && self.follower_frames[0].0.visible_at <= self.now {
            let (order, _) = self.follower_frames.remove(0);
            self.tell(Event::Report(Box::new(Self::row(&order, EvidenceSource::Stream))))?;
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
            self.follower.fill(number, u32::MAX / 2, self.now);
            self.follower_did(number, "fills");
        }
        for number in self.follower.those(|order| order.asked.ioc && order.trades()) {
            self.follower.end(number, State::Cancelled, By::Broker, self.now);
            self.follower_did(number, "is over at once");
        }
        self.reads.retain(|read| !read.complete);
        self.read_begins()?;
        while !self.reads.is_empty() {
            self.read_ends()?;
        }
        self.pass(span)
    }

    fn some(&mut self, numbers: &[usize]) -> Option<usize> {
        if numbers.is_empty() { None } else { Some(self.chance.pick(numbers)) }
    }

    /// What the follower holds because of copies.
    pub(super) fn held(&self, instrument: u32) -> i64 {
        let ours = self
            .follower
            .orders
            .iter()
            .filter(|order| self.copies.contains_key(&order.tag) && order.asked.instrument == instrument);
        ours.map(|o| if o.asked.buy { i64::from(o.filled) } else { -i64::from(o.filled) }).sum()
    }

    /// A lot of what is left of an order, or several, or all.
    fn lots_of(&mut self, order: &Order) -> u32 {
        let left = (order.asked.units - order.filled).div_ceil(LOT).max(1);
        if self.chance.percent(30) { left * LOT } else { (1 + self.chance.below(left)) * LOT }
    }
}

const fn is_stop(asked: &Asked) -> bool {
    matches!(asked.kind, Kind::Stop | Kind::StopMarket)
}

/// Of two wishes in one second, and a firing before anybody has read the book, nobody can tell which wish was the last.
const fn is_second_later(order: &Order, now: i64) -> bool {
    now.div_euclid(SECOND) > order.changed_at.div_euclid(SECOND)
}

/// The longest a request may take, for the rule that an absent order is proven by what came later.
#[test]
fn what_arrives_is_shown_within_the_settle_time() {
    let longest = Duration::from_micros(ON_THE_WIRE.unsigned_abs()) + Duration::from_millis(SILENT.into());
    assert!(longest < Duration::from_secs(2));
    assert_eq!(COPY, 0);
}
