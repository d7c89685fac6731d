//! What becomes of requests, and what happens in the follower's account.

#![expect(
    clippy::unnecessary_wraps,
    reason = "what can happen has one shape, whether anything can go wrong in it or not"
)]

use super::chance::lots_of;
use super::exchange::{Asked, By, Kind, No, Order, State};
use super::speak;
use super::steps::SILENT;
use super::world::{Checked, MILLI, Returned, Sent, Told, World, hold};
use crate::follower::{BookRead, Event};
use crate::mirror::{Answer, Ask, Refused};
use crate::order::EvidenceSource;
use crate::pacing::Purpose;
use crate::time::Timestamp;

impl World {
    pub(super) fn request_arrives(&mut self) -> Checked {
        let Some(sent) = self.chance.take(&mut self.outbox) else { return Ok(()) };
        self.arrive(sent)
    }

    pub(super) fn arrive(&mut self, sent: Sent) -> Checked {
        self.happened += 1;
        let client_order_id = sent.request.client_order_id.clone();
        let sent = self.at_the_door(sent);
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
        if let (Ask::Place(terms), false) = (&sent.request.ask, sent.arrives) {
            self.blot(
                speak::asked(terms).instrument,
                if sent.told == Told::Refused { "refused" } else { "lost" },
            );
        }
        if let (Ask::Modify { broker_order_id, terms, .. }, Told::Hollow) = (&sent.request.ask, sent.told) {
            let order = &mut self.follower.orders[speak::number_of(broker_order_id)];
            order.promised = order.promised.max(terms.quantity.get());
        }
        let answer = match sent.told {
            Told::Truth => truth.unwrap_or(Answer::Lost),
            Told::Refused => Answer::Refused(Refused::Other, "no".into()),
            Told::InTransit => Answer::Refused(Refused::InTransit, "in transit".into()),
            // No word on the order itself: as good as not sent.
            Told::TokenRefused if !matches!(sent.request.ask, Ask::Place(_)) => {
                Answer::Refused(Refused::InTransit, "token".into())
            }
            Told::TokenRefused | Told::NotSent => Answer::NotSent,
            Told::Busy => Answer::Busy,
            Told::Lost => Answer::Lost,
            Told::Hollow => accepted(&sent, self.is_over(&sent)),
        };
        self.note(|| format!("arrives: {client_order_id} {}: {answer:?}", sent.request.serial));
        if !sent.is_orphan {
            let serial = sent.request.serial;
            let refused_token = (sent.told == Told::TokenRefused).then_some(sent.token);
            self.answers.push(Returned { client_order_id, serial, answer, refused_token });
        }
        Ok(())
    }

    /// What comes with a token that the broker does not take is let in no further, whatever its sender is told.
    fn at_the_door(&mut self, sent: Sent) -> Sent {
        if sent.token == self.token.number && !self.token.is_dead {
            return sent;
        }
        // What is lost is lost on its way.
        let is_answered = !matches!(sent.told, Told::NotSent | Told::Lost);
        let told = if is_answered { Told::TokenRefused } else { sent.told };
        if is_answered && matches!(sent.request.ask, Ask::Place(_)) {
            let is_exit = sent.request.purpose == Purpose::Exit;
            self.reach(if is_exit {
                "an exit refused for its token"
            } else {
                "an entry refused for its token"
            });
        }
        Sent { arrives: false, told, ..sent }
    }

    /// Whether the order a request is about has ended.
    pub(super) fn is_over(&self, sent: &Sent) -> bool {
        match &sent.request.ask {
            Ask::Modify { broker_order_id, .. } | Ask::Cancel { broker_order_id, .. } => {
                !self.follower.orders[speak::number_of(broker_order_id)].is_live()
            }
            Ask::Place(_) => false,
        }
    }

    /// What the broker makes of a request.
    pub(super) fn carry_out(&mut self, sent: &Sent) -> Answer {
        let now = self.now;
        let (number, done) = match &sent.request.ask {
            Ask::Place(terms) => {
                let visible_at =
                    now + if self.calm { 0 } else { i64::from(self.chance.below(SILENT)) * MILLI };
                let tag = sent.request.client_order_id.as_str().to_owned();
                let number = self.follower.place(speak::asked(terms), tag, now, visible_at);
                self.reject_overlap(number);
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
            Ok(()) => Answer::Accepted(speak::broker_order_id(self.policies.follower.account, number)),
            Err(No::InTransit) => Answer::Refused(Refused::InTransit, "in transit".into()),
            Err(No::Over) => Answer::Refused(Refused::Over, "over".into()),
            Err(No::Unlawful) => Answer::Refused(Refused::Other, "so much is filled".into()),
        }
    }

    pub(super) fn answer_comes(&mut self) -> Checked {
        let Some(returned) = self.chance.take(&mut self.answers) else { return Ok(()) };
        let Returned { client_order_id, serial, answer, refused_token } = returned;
        self.note(|| format!("answered: {client_order_id} {serial} {answer:?}"));
        refused_token.map_or(Ok(()), |number| self.hear_refusal(number))?;
        self.tell(Event::Answered { client_order_id, serial, answer })
    }

    pub(super) fn follower_is_accepted(&mut self) -> Checked {
        let sent = self.follower.those(|order| order.state == State::Transit);
        let Some(number) = self.chance.some(&sent) else { return Ok(()) };
        self.follower.accept(number, self.now);
        self.follower_did(number, "is accepted");
        Ok(())
    }

    pub(super) fn follower_fills(&mut self) -> Checked {
        let trading = self.follower.those(Order::trades);
        let Some(number) = self.chance.some(&trading) else { return Ok(()) };
        let units = lots_of(&mut self.chance, &self.follower.orders[number]);
        self.fill(number, units)
    }

    pub(super) fn follower_fires(&mut self) -> Checked {
        let stops = self.follower.those(|order| order.state == State::Open && !order.trades());
        let Some(number) = self.chance.some(&stops) else { return Ok(()) };
        self.follower.fire(number, self.now);
        self.follower_did(number, "fires");
        Ok(())
    }

    pub(super) fn follower_is_rejected(&mut self) -> Checked {
        if !self.policies.faulty {
            return Ok(());
        }
        let young = self.follower.those(|order| order.is_live() && order.filled == 0);
        let Some(number) = self.chance.some(&young) else { return Ok(()) };
        self.follower.end(number, State::Rejected, By::Broker, self.now);
        self.blot(self.follower.orders[number].asked.instrument, "rejected");
        self.follower_did(number, "is rejected");
        Ok(())
    }

    pub(super) fn follower_is_squared_off(&mut self) -> Checked {
        if !self.policies.faulty {
            return Ok(());
        }
        let open = self.follower.those(|order| order.state == State::Open);
        let Some(number) = self.chance.some(&open) else { return Ok(()) };
        self.follower.end(number, State::Expired, By::Broker, self.now);
        self.blot(self.follower.orders[number].asked.instrument, "expired");
        self.follower_did(number, "expires");
        Ok(())
    }

    pub(super) fn follower_ioc_ends(&mut self) -> Checked {
        let immediate = self.follower.those(|order| order.asked.ioc && order.trades());
        let Some(number) = self.chance.some(&immediate) else { return Ok(()) };
        self.cut_off(number);
        Ok(())
    }

    /// What is immediate ends with what it has.
    pub(super) fn cut_off(&mut self, number: usize) {
        self.follower.end(number, State::Cancelled, By::Broker, self.now);
        self.blot(self.follower.orders[number].asked.instrument, "cut off");
        self.follower_did(number, "is over at once");
    }

    pub(super) fn follower_did(&mut self, number: usize, what: &str) {
        let order = self.follower.orders[number].clone();
        self.note(|| format!("follower {what}: F{order}"));
        self.follower_frames.push((order, false));
        self.happened += 1;
    }

    pub(super) fn follower_frame(&mut self) -> Checked {
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
        if self.policies.faulty && self.chance.percent(15) && !self.calm {
            return Ok(());
        }
        let report = self.row(&order, EvidenceSource::Stream);
        self.note(|| format!("frame F{} {} {}", order.number, report.status, report.cumulative));
        self.tell(Event::Report(Box::new(report)))
    }

    pub(super) fn read_begins(&mut self) -> Checked {
        if self.is_call_refused()? {
            return Ok(());
        }
        let visible = self.follower.orders.iter().filter(|order| order.visible_at <= self.now);
        let mut orders: Vec<_> = visible.map(|order| self.row(order, EvidenceSource::Book)).collect();
        let complete = self.calm || !self.policies.faulty || self.chance.percent(85);
        orders.truncate(if complete { orders.len() } else { orders.len() / 2 });
        self.happened += 1;
        self.reads.push(BookRead { started_at: Timestamp::from_micros(self.now), orders, complete });
        Ok(())
    }

    pub(super) fn read_ends(&mut self) -> Checked {
        let Some(read) = self.chance.take(&mut self.reads) else { return Ok(()) };
        self.note(|| format!("book of {} rows, complete {}", read.orders.len(), read.complete));
        self.tell(Event::Book(read))
    }

    pub(super) fn lookup_ends(&mut self) -> Checked {
        let Some(id) = self.chance.take(&mut self.lookups) else { return Ok(()) };
        if self.is_call_refused()? {
            return self.tell(Event::NotFound(id));
        }
        let visible = self.follower.orders.iter().filter(|order| order.visible_at <= self.now);
        let mut found =
            visible.filter(|order| order.tag == id.as_str()).map(|o| self.row(o, EvidenceSource::Book));
        let found = found.next_back();
        self.note(|| format!("lookup of {id}: {}", found.is_some()));
        self.tell(found.map_or(Event::NotFound(id), |found| Event::Report(Box::new(found))))
    }

    /// A person changes or cancels a copy.
    pub(super) fn hand(&mut self) -> Checked {
        if !self.policies.hands {
            return Ok(());
        }
        let copies = &self.copies;
        let open = self.follower.those(|order| order.state == State::Open && copies.contains_key(&order.tag));
        let Some(number) = self.chance.some(&open) else { return Ok(()) };
        let order = self.follower.orders[number].clone();
        self.seen[self.copies[&order.tag].leader].hand = true;
        self.blot(order.asked.instrument, "hand");
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
}
