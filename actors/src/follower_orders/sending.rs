//! From a decision to a request and its answer: commit, then send, then commit what came of it.

use std::time::{Duration, Instant};

use actix::{ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use serde_json::json;
use tandem_dhan::refusal::{Refusal, RefusalClass};
use tandem_dhan::rest::{NewOrder, OrderRequestError, PlacedOrder};
use tandem_domain::breaker::{ApiOutcome, ApiUse};
use tandem_domain::follower::{Event, Record};
use tandem_domain::gates::{DeniedReason, RiskApproved};
use tandem_domain::mirror::{Outcome, PlaceAnswer, Placement};
use tracing::{info, warn};

use super::FollowerOrderActor;
use crate::alerts::AlertText;
use crate::in_flight::Underway;
use crate::records::{About, Circumstances, News, writer, writes};
use crate::store::{Committed, IntentTiming, Job, RefusalRow, StoreError, SubmitError, redact};

/// Delay before a full queue is tried again: a few commits.
const BACKLOG_RETRY: Duration = Duration::from_millis(5);

/// A request that is on its way.
#[derive(Debug)]
pub(super) struct Sent {
    timing: IntentTiming,
    /// Held until the answer is taken in.
    _underway: Underway,
}

/// The Store's answer, come back through the mailbox.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Stored {
    committed: Committed,
    then: Option<ToSend>,
    /// Held until this is handled, and by what it sends.
    underway: Underway,
}

#[derive(Debug)]
struct ToSend {
    placement: RiskApproved<Placement>,
    timing: IntentTiming,
    received: Option<Instant>,
}

impl FollowerOrderActor {
    /// One line for each copy that is not to be, or not yet. What is sent has its line when it is answered.
    fn log_outcomes(&self, records: &[Record]) {
        for record in records {
            let Record::Mapping { leader, outcome, reason, .. } = record else { continue };
            if *outcome == Outcome::Sent || *outcome == Outcome::AwaitingLeader {
                continue;
            }
            info!(follower = %self.params.settings.follower, leader_order = %leader.broker_order_id,
                state = outcome.as_str(), reason = reason.map(DeniedReason::as_str), "copy decided");
        }
    }

    /// Hands records to the Store; what may leave once they are durable comes back in [`Stored`].
    pub(super) fn commit(
        &mut self,
        records: Vec<Record>,
        then: Option<RiskApproved<Placement>>,
        around: &Circumstances,
        ctx: &mut Context<Self>,
    ) {
        let then = then.map(|placement| {
            let child = records.iter().find_map(|record| match record {
                Record::Intent { child, .. } if child.client_order_id == placement.get().client_order_id => {
                    Some(child)
                }
                _ => None,
            });
            let news = child.and_then(|child| around.of(child));
            ToSend {
                placement,
                timing: news.map(|news| news.timing).unwrap_or_default(),
                received: news.and_then(|news| news.received),
            }
        });
        self.log_outcomes(&records);
        let address = ctx.address();
        let underway = self.params.in_flight.begin();
        let job = Job {
            writer: writer(&self.vitals),
            writes: writes(records, &self.params.account.account, around),
            reply: Box::new(move |committed| address.do_send(Stored { committed, then, underway })),
        };
        self.backlog.push_back(job);
        self.submit_backlog(ctx);
    }

    /// Hands what is to be stored to the writer, in order. A full queue is waited out: nothing is lost, and what is not
    /// recorded is not sent.
    fn submit_backlog(&mut self, ctx: &mut Context<Self>) {
        while let Some(job) = self.backlog.pop_front() {
            match self.params.store.offer(job) {
                Ok(()) => {}
                Err((SubmitError::Full, job)) => {
                    self.backlog.push_front(job);
                    ctx.run_later(BACKLOG_RETRY, Self::submit_backlog);
                    return;
                }
                Err((SubmitError::Stopped, _)) => {
                    self.vitals.dying_of(SubmitError::Stopped);
                    return actix::ActorContext::stop(ctx);
                }
            }
        }
    }

    fn on_stored(&mut self, stored: Stored, ctx: &mut Context<Self>) {
        match stored.committed.result {
            Ok(()) => {
                if let Some(to_send) = stored.then {
                    self.send(to_send, stored.underway, ctx);
                }
            }
            Err(StoreError::Fenced { .. }) => actix::ActorContext::stop(ctx),
            Err(error) => {
                // The rows and this book disagree, or there are no rows any more: the next life reads them again.
                self.vitals.dying_of(error);
                actix::ActorContext::stop(ctx);
            }
        }
    }

    fn send(&mut self, to_send: ToSend, underway: Underway, ctx: &mut Context<Self>) {
        let Some(client) = self.client.clone().filter(|_| self.is_present_generation()) else {
            return actix::ActorContext::stop(ctx);
        };
        let ToSend { placement, mut timing, received } = to_send;
        let placement = placement.get().clone();
        let client_order_id = placement.client_order_id.clone();
        let now = self.params.clock.now();
        timing.committed = Some(now);
        timing.sent = Some(now);
        timing.added_latency_us =
            received.map(|received| u64::try_from(received.elapsed().as_micros()).unwrap_or(u64::MAX));
        let sent = Sent { timing, _underway: underway };
        let amo_time = self.params.amo_time;
        let request = async move {
            let order =
                NewOrder { client_order_id: &placement.client_order_id, terms: &placement.terms, amo_time };
            let answer = client.place(&order).await;
            // For the record, after the fact: nothing waits for it.
            let body = client.place_body(&order);
            (placement, body, answer)
        };
        self.sending.insert(client_order_id, sent);
        ctx.spawn(request.into_actor(self).map(|(placement, body, answer), actor, ctx| {
            actor.vitals.progressed();
            actor.on_answer(&placement, &body, answer, ctx);
        }));
        self.step(Event::Left, ctx);
    }

    fn on_answer(
        &mut self,
        placement: &Placement,
        body: &str,
        answer: Result<PlacedOrder, OrderRequestError>,
        ctx: &mut Context<Self>,
    ) {
        let id = &placement.client_order_id;
        let follower = self.params.settings.follower.clone();
        let Some(sent) = self.sending.remove(id) else { return };
        let mut news = News {
            about: About::Child(id.clone()),
            timing: IntentTiming { answered: Some(self.params.clock.now()), ..sent.timing },
            received: None,
            request: Some(redact::json_text(body)),
            response: None,
            refusal: None,
        };
        let added_us = sent.timing.added_latency_us;
        let (outcome, answer) = match answer {
            Ok(placed) => {
                info!(%follower, client_order_id = %id, broker_order_id = %placed.broker_order_id,
                    side = %placement.terms.side, instrument = %placement.terms.instrument,
                    quantity = %placement.terms.quantity, price = %placement.terms.price, added_us,
                    old_state = "sending", state = "working", "order placed");
                let response =
                    json!({ "orderId": placed.broker_order_id, "orderStatus": placed.status.as_str() });
                news.response = Some(response.to_string());
                (ApiOutcome::Answered, PlaceAnswer::Accepted(placed.broker_order_id))
            }
            Err(OrderRequestError::Refused(refusal)) => {
                let words = redact::plain_text(&refusal.to_string());
                warn!(%follower, client_order_id = %id, refusal = words, old_state = "sending", state = "refused",
                    "order refused");
                self.on_refused(&refusal, ctx);
                news.refusal = Some(refusal_row(&refusal));
                news.response = Some(redact::json_text(
                    &json!({ "errorCode": refusal.code, "errorMessage": refusal.text }).to_string(),
                ));
                (ApiOutcome::Answered, PlaceAnswer::Refused(refusal.text.into()))
            }
            Err(OrderRequestError::Busy { text, .. }) => {
                warn!(%follower, client_order_id = %id, text, old_state = "sending", state = "unknown",
                    "the broker asks for fewer requests: looking the order up before anything else");
                (ApiOutcome::Answered, PlaceAnswer::Busy)
            }
            Err(OrderRequestError::NotSent { why }) => {
                warn!(%follower, client_order_id = %id, why, old_state = "sending", state = "planned",
                    "request not sent");
                self.vitals.failed(why);
                (ApiOutcome::Failed, PlaceAnswer::NotSent)
            }
            Err(OrderRequestError::Unknown { why }) => {
                warn!(%follower, client_order_id = %id, why, old_state = "sending", state = "unknown",
                    "the answer was lost: looking the order up");
                self.vitals.failed(why);
                (ApiOutcome::Failed, PlaceAnswer::Lost)
            }
        };
        self.tell_breaker(ApiUse::Write, outcome);
        self.step_with(Event::Answered { client_order_id: id.clone(), answer }, Some(news), ctx);
    }

    fn on_refused(&mut self, refusal: &Refusal, ctx: &mut Context<Self>) {
        self.vitals.failed(redact::plain_text(&refusal.to_string()));
        match refusal.class {
            RefusalClass::Credentials => self.on_credentials_refused(ctx),
            RefusalClass::StaticIp => self.raise(AlertText {
                kind: "static_ip_refused",
                subject: self.params.settings.follower.to_string(),
                text: "the broker refuses orders from this address: whitelist it, or set local_address"
                    .to_owned(),
            }),
            _ => {}
        }
    }
}

fn refusal_row(refusal: &Refusal) -> RefusalRow {
    RefusalRow {
        http: Some(refusal.http),
        code: Some(refusal.code.as_str().into()),
        text: redact::plain_text(&refusal.text).into(),
    }
}

impl Handler<Stored> for FollowerOrderActor {
    type Result = ();

    fn handle(&mut self, stored: Stored, ctx: &mut Self::Context) {
        self.vitals.progressed();
        self.on_stored(stored, ctx);
    }
}
