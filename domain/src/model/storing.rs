//! From a decision to the wire: records go to the store, and a request leaves once the store has answered.

use super::keeping::Boundary;
use super::speak;
use super::world::{Checked, Sent, World};
use crate::follower::{Event, Record};
use crate::mirror::{Answer, Ask, Request};
use crate::pacing::Purpose;
use crate::time::Timestamp;

/// Records that are with the store, and the request that may leave once they are durable.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: Option<Request>,
    /// What the process was told when it decided this.
    pub(super) about: &'static str,
    /// As what the order was sent before, if it was.
    pub(super) sent_as: Option<Purpose>,
}

impl World {
    /// Records go to the store.
    pub(super) fn commit(&mut self, records: Vec<Record>, request: Option<&Request>) -> Checked {
        let now = self.time();
        self.keeping.commit(&records, now)?;
        for record in records {
            self.take_record(record);
        }
        let sent_as = request.and_then(|of| self.sent_as.get(of.client_order_id.as_str()).copied());
        if let Some(request) = request {
            self.approve(request)?;
        }
        self.jobs.push_back(Job { request: request.cloned(), about: self.about, sent_as });
        if self.keeping.is_slow() { Ok(()) } else { self.stored() }
    }

    /// The store answers the first of the jobs: what waited for that leaves.
    pub(super) fn stored(&mut self) -> Checked {
        let Some(job) = self.jobs.pop_front() else { return Ok(()) };
        self.about = job.about;
        if self.dies(Boundary::Committed) {
            self.never_leaves(&job);
        } else if let Some(request) = job.request {
            self.leave(request)?;
            self.dies(Boundary::Sent);
        }
        Ok(())
    }

    /// What was decided, and did not leave.
    pub(super) fn never_leaves(&mut self, job: &Job) {
        let Some(request) = &job.request else { return };
        let id = request.client_order_id.as_str();
        if let Some(before) = job.sent_as {
            self.sent_as.insert(id.to_owned(), before);
        } else {
            self.sent_as.remove(id);
            self.entries_placed.remove(id);
        }
        if let Ask::Place(terms) = &request.ask {
            self.blot(speak::number_of_key(terms.instrument), "lost");
        }
    }

    /// A request leaves, and what will become of it; but it is held back at the door once the token is refused, and what
    /// opens once the account was stopped, or it is too old.
    fn leave(&mut self, request: Request) -> Checked {
        let Request { client_order_id, serial, purpose, .. } = &request;
        let is_stopped = self.operator.halted || self.operator.reduces;
        let is_shut = self.token.is_refused
            || *purpose == Purpose::Entry && is_stopped
            || request.is_too_late(Timestamp::from_micros(self.now));
        self.note(|| format!("{} {serial} {client_order_id}", if is_shut { "holds back" } else { "sends" }));
        if is_shut {
            if self.token.is_refused {
                self.reach("held back at the door for a token");
            }
            if let Ask::Place(terms) = &request.ask {
                self.blot(speak::asked(terms).instrument, "lost");
            }
            self.leaves()?;
            let (client_order_id, serial) = (client_order_id.clone(), *serial);
            return self.tell(Event::Answered { client_order_id, serial, answer: Answer::NotSent });
        }
        self.check_budget(*purpose)?;
        self.keeping.leaves(&request, Timestamp::from_micros(self.now));
        let (arrives, told) = self.fate(&request);
        self.outbox.push(Sent {
            request,
            at: self.now,
            token: self.token.number,
            arrives,
            told,
            is_orphan: false,
        });
        self.leaves()
    }

    fn leaves(&mut self) -> Checked {
        let now = self.time();
        let more = self.book.step(Event::Left, now);
        self.perform(more)
    }

    /// Requests that are decided, and will arrive unless the process dies before they leave.
    pub(super) fn underway(&self) -> impl Iterator<Item = &Request> {
        let left = self.outbox.iter().filter(|sent| sent.arrives).map(|sent| &sent.request);
        left.chain(self.jobs.iter().filter_map(|job| job.request.as_ref()))
    }
}
