//! From a decision to a request and its answer: commit, then send, then commit what came of it.

use std::time::{Duration, Instant};

use actix::{ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use serde_json::json;
use tandem_dhan::codes::AmoTime;
use tandem_dhan::refusal::{Refusal, RefusalClass};
use tandem_dhan::rest::{AccountClient, CancelOrder, ChangeOrder, NewOrder, OrderRequestError};
use tandem_domain::breaker::{ApiOutcome, ApiUse};
use tandem_domain::error_policy::busy_pause;
use tandem_domain::follower::{Event, Record};
use tandem_domain::gates::DeniedReason;
use tandem_domain::ids::BrokerOrderId;
use tandem_domain::mirror::{Answer, Approved, Ask, Outcome, Refused, Request};
use tandem_domain::order::OrderTerms;
use tandem_domain::pacing::Purpose;
use tandem_domain::time::Timestamp;
use tracing::{info, warn};

use super::FollowerOrderActor;
use super::control::Waiting;
use crate::in_flight::Underway;
use crate::records::{About, Circumstances, News, Owner, writer, writes};
use crate::store::{Committed, IntentTiming, Job, RefusalRow, StoreError, SubmitError, Write, redact};

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
    /// Who waits for this very commit.
    waiting: Option<Waiting>,
    /// Held until this is handled, and by what it sends.
    underway: Underway,
}

#[derive(Debug)]
struct ToSend {
    request: Approved,
    timing: IntentTiming,
    received: Option<Instant>,
}

impl FollowerOrderActor {
    /// One line for each copy that is not to be, or not yet. What is sent has its line when it is answered.
    fn log_outcomes(&self, records: &[Record]) {
        for record in records {
            let Record::Mapping { leader, state, .. } = record else { continue };
            if matches!(state.outcome, Outcome::Sent | Outcome::AwaitingLeader) {
                continue;
            }
            info!(follower = %self.id(), leader_order = %leader.broker_order_id, state = state.outcome.as_str(),
                reason = state.reason.map(DeniedReason::as_str), "copy decided");
        }
    }

    /// Hands records to the Store, and what a person is told with them; what may leave once they are durable comes back in
    /// [`Stored`].
    pub(super) fn commit(
        &mut self,
        records: Vec<Record>,
        told: Vec<Write>,
        then: Option<Approved>,
        around: &Circumstances,
        ctx: &mut Context<Self>,
    ) {
        let then = then.map(|request| {
            let leader_order = records.iter().find_map(|record| leader_order_of(record, request.get()));
            let Request { client_order_id, serial, .. } = request.get();
            let news =
                leader_order.and_then(|leader_order| around.about(leader_order, client_order_id, *serial));
            ToSend {
                timing: news.map(|news| news.timing).unwrap_or_default(),
                received: news.and_then(|news| news.received),
                request,
            }
        });
        self.log_outcomes(&records);
        self.watch_denials(&records);
        let waiting = self.notice_trading(&records);
        let owner = Owner { follower: self.id(), account: &self.params.account.account };
        let mut writes = writes(records, owner, around);
        writes.extend(told);
        self.store(writes, then, waiting, ctx);
    }

    /// Hands rows to the Store of which nothing else follows, behind those that were handed over before.
    pub(super) fn record(&mut self, writes: Vec<Write>, ctx: &mut Context<Self>) {
        self.store(writes, None, None, ctx);
    }

    fn store(
        &mut self,
        writes: Vec<Write>,
        then: Option<ToSend>,
        waiting: Option<Waiting>,
        ctx: &mut Context<Self>,
    ) {
        let address = ctx.address();
        let underway = self.params.in_flight.begin();
        let job = Job {
            writer: writer(&self.vitals),
            writes,
            in_order: true,
            reply: Box::new(move |committed| address.do_send(Stored { committed, then, waiting, underway })),
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
                if let Some(waiting) = stored.waiting {
                    self.answer_control(waiting, Ok(()));
                }
                if let Some(to_send) = stored.then {
                    self.send(to_send, stored.underway, ctx);
                }
            }
            Err(StoreError::Fenced { .. } | StoreError::Behind { .. }) => actix::ActorContext::stop(ctx),
            Err(error) => {
                // The rows and this book disagree, or there are no rows any more: the next life reads them again.
                if let Some(waiting) = stored.waiting {
                    self.answer_control(waiting, Err(error.to_string().into()));
                }
                self.vitals.dying_of(error);
                actix::ActorContext::stop(ctx);
            }
        }
    }

    fn send(&mut self, to_send: ToSend, underway: Underway, ctx: &mut Context<Self>) {
        let Some(client) = self.client.clone().filter(|_| self.is_present_generation()) else {
            return actix::ActorContext::stop(ctx);
        };
        let ToSend { request, mut timing, received } = to_send;
        let request = request.get().clone();
        let now = self.params.clock.now();
        if let Some(why) = self.kept_from_leaving(&request, now) {
            return self.hold_back(&request, why, timing, ctx);
        }
        timing.committed = Some(now);
        timing.sent = Some(now);
        timing.added_latency_us =
            received.map(|received| u64::try_from(received.elapsed().as_micros()).unwrap_or(u64::MAX));
        let key = (request.client_order_id.clone(), request.serial);
        self.sending.insert(key, Sent { timing, _underway: underway });
        let amo_time = self.params.amo_time;
        crate::fault_point!(BeforeRequest, ctx);
        let sending = async move {
            let answer = ask(&client, &request, amo_time);
            #[cfg(feature = "faults")]
            let answer = crate::faults::watch_wire(answer);
            let answer = answer.await;
            // For the record, after the fact: nothing waits for it.
            let body = body_of(&client, &request, amo_time);
            (request, body, answer)
        };
        ctx.spawn(sending.into_actor(self).map(|(request, body, answer), actor, ctx| {
            actor.vitals.progressed();
            crate::fault_point!(AfterAnswer, ctx);
            actor.on_answer(&request, body, answer, ctx);
        }));
        self.step(Event::Left, ctx);
    }

    /// What has come between the decision and the wire: a commit may take long. What opens or adds leaves no more once
    /// trading is stopped (P17), nor when it is too old by now (P13).
    fn kept_from_leaving(&self, request: &Request, now: Timestamp) -> Option<&'static str> {
        let is_stopped = request.purpose == Purpose::Entry && !self.params.trading.lets_entries_pass();
        let is_late = || request.is_too_late(now).then_some("it is too late for it");
        let is_stopped = is_stopped.then_some("trading was stopped");
        let is_halted = self.is_halted().then_some("the account's access token is refused");
        is_halted.or(is_stopped).or_else(is_late)
    }

    /// Takes back a request that was decided: its book judges it anew.
    fn hold_back(&mut self, request: &Request, why: &str, timing: IntentTiming, ctx: &mut Context<Self>) {
        let Request { client_order_id, serial, .. } = request;
        info!(follower = %self.id(), %client_order_id, state = self.params.trading.state().as_str(),
            "{} held back: {why}", what(&request.ask));
        // It was counted when it was released.
        self.step(Event::Left, ctx);
        let news = News {
            about: About::Request(client_order_id.clone(), *serial),
            timing,
            received: None,
            request: None,
            response: None,
            refusal: None,
        };
        let event = Event::Answered {
            client_order_id: client_order_id.clone(),
            serial: *serial,
            answer: Answer::NotSent,
        };
        self.step_with(event, Some(news), ctx);
    }

    fn on_answer(
        &mut self,
        request: &Request,
        body: String,
        answer: Result<Taken, OrderRequestError>,
        ctx: &mut Context<Self>,
    ) {
        let Request { client_order_id, serial, .. } = request;
        let Some(sent) = self.sending.remove(&(client_order_id.clone(), *serial)) else { return };
        let mut news = News {
            about: About::Request(client_order_id.clone(), *serial),
            timing: IntentTiming { answered: Some(self.params.clock.now()), ..sent.timing },
            received: None,
            // Made here, of ids, prices and quantities: there is nothing in it to redact.
            request: Some(body),
            response: None,
            refusal: None,
        };
        let (outcome, answer) = match answer {
            Ok(taken) => {
                self.log_taken(request, &taken, sent.timing.added_latency_us);
                let response = json!({ "orderId": taken.broker_order_id, "orderStatus": taken.status });
                news.response = Some(response.to_string());
                (ApiOutcome::Answered, Answer::Accepted(taken.broker_order_id))
            }
            Err(error) => self.on_failed(request, error, &mut news, ctx),
        };
        self.tell_breaker(ApiUse::Write, outcome);
        let event = Event::Answered { client_order_id: client_order_id.clone(), serial: *serial, answer };
        self.step_with(event, Some(news), ctx);
    }

    fn log_taken(&self, request: &Request, taken: &Taken, added_us: Option<u64>) {
        let follower = self.id();
        let (id, broker_order_id) = (&request.client_order_id, &taken.broker_order_id);
        let terms = terms_of(&request.ask);
        let OrderTerms { side, instrument, quantity, price, .. } = terms;
        match &request.ask {
            Ask::Place(_) => {
                info!(%follower, client_order_id = %id, %broker_order_id, %side, %instrument, %quantity, %price, added_us,
                    old_state = "sending", state = "working", "order placed");
            }
            Ask::Modify { part, .. } => {
                info!(%follower, client_order_id = %id, %broker_order_id, %quantity, %price, trigger = %terms.trigger,
                    %part, added_us, "order changed");
            }
            Ask::Cancel { part, .. } => {
                info!(%follower, client_order_id = %id, %broker_order_id, %part, added_us, "order cancel taken");
            }
        }
    }

    fn on_failed(
        &mut self,
        request: &Request,
        error: OrderRequestError,
        news: &mut News,
        ctx: &mut Context<Self>,
    ) -> (ApiOutcome, Answer) {
        let (follower, id) = (self.id().clone(), &request.client_order_id);
        let what = what(&request.ask);
        self.on_trouble(error.trouble(), id.as_str(), ctx);
        match error {
            OrderRequestError::Refused(refusal) => {
                let words = redact::plain_text(&refusal.to_string());
                // As good as never sent, and kept for the next token like all that comes after it: an exit loses no
                // try by it, and nobody is to be told of an order that was refused.
                let is_kept =
                    matches!((&request.ask, refusal.class), (Ask::Place(_), RefusalClass::Credentials));
                let state = if is_kept { "planned" } else { "refused" };
                warn!(%follower, client_order_id = %id, refusal = %words, old_state = "sending", state, "{what} refused");
                self.vitals.failed(words);
                news.refusal = Some(refusal_row(&refusal));
                news.response = Some(redact::json_text(
                    &json!({ "errorCode": refusal.code, "errorMessage": refusal.text }).to_string(),
                ));
                let answer = if is_kept {
                    Answer::NotSent
                } else {
                    Answer::Refused(refused(refusal.class), refusal.text.into())
                };
                (ApiOutcome::Answered, answer)
            }
            OrderRequestError::Busy { retry_after, text } => {
                if let (Some(wished), Some(book)) = (retry_after, self.book.as_mut()) {
                    book.rest_until(self.params.clock.now().plus(wished.min(busy_pause().max)));
                }
                warn!(%follower, client_order_id = %id, text, old_state = "sending", state = "unknown",
                    "the broker asks for fewer requests: looking the order up before anything else");
                (ApiOutcome::Answered, Answer::Busy)
            }
            OrderRequestError::NotSent { why } => {
                warn!(%follower, client_order_id = %id, why, old_state = "sending", state = "planned",
                    "request not sent");
                self.vitals.failed(why);
                (ApiOutcome::Failed, Answer::NotSent)
            }
            OrderRequestError::Unknown { why } => {
                warn!(%follower, client_order_id = %id, why, old_state = "sending", state = "unknown",
                    "the answer was lost: looking the order up");
                self.vitals.failed(why);
                (ApiOutcome::Failed, Answer::Lost)
            }
        }
    }
}

/// What the broker said to a request that it took.
#[derive(Debug)]
struct Taken {
    broker_order_id: BrokerOrderId,
    /// Its word for the order; empty when it said none.
    status: String,
}

async fn ask(
    client: &AccountClient,
    request: &Request,
    amo_time: AmoTime,
) -> Result<Taken, OrderRequestError> {
    let changed = match &request.ask {
        Ask::Place(terms) => {
            let order = NewOrder { client_order_id: &request.client_order_id, terms, amo_time };
            let placed = client.place(&order).await?;
            let status = placed.status.as_str().to_owned();
            return Ok(Taken { broker_order_id: placed.broker_order_id, status });
        }
        Ask::Modify { broker_order_id, terms, part } => {
            (broker_order_id, client.modify(&ChangeOrder { broker_order_id, terms, part: *part }).await?)
        }
        Ask::Cancel { broker_order_id, terms, part } => {
            (broker_order_id, client.cancel(&CancelOrder { broker_order_id, terms, part: *part }).await?)
        }
    };
    let (broker_order_id, answer) = changed;
    let status = answer.status.map(|status| status.as_str().to_owned()).unwrap_or_default();
    Ok(Taken { broker_order_id: broker_order_id.clone(), status })
}

fn body_of(client: &AccountClient, request: &Request, amo_time: AmoTime) -> String {
    match &request.ask {
        Ask::Place(terms) => {
            client.place_body(&NewOrder { client_order_id: &request.client_order_id, terms, amo_time })
        }
        Ask::Modify { broker_order_id, terms, part } => {
            client.modify_body(&ChangeOrder { broker_order_id, terms, part: *part })
        }
        Ask::Cancel { broker_order_id, terms, part } => {
            client.cancel_body(&CancelOrder { broker_order_id, terms, part: *part })
        }
    }
}

const fn terms_of(ask: &Ask) -> &OrderTerms {
    match ask {
        Ask::Place(terms) | Ask::Modify { terms, .. } | Ask::Cancel { terms, .. } => terms,
    }
}

const fn what(ask: &Ask) -> &'static str {
    match ask {
        Ask::Place(_) => "order",
        Ask::Modify { .. } => "change",
        Ask::Cancel { .. } => "cancel",
    }
}

const fn refused(class: RefusalClass) -> Refused {
    match class {
        // No word on the order itself: what is refused now may be taken later.
        RefusalClass::InTransit
        | RefusalClass::Credentials
        | RefusalClass::StaticIp
        | RefusalClass::MarketClosed => Refused::InTransit,
        RefusalClass::UnknownOrder => Refused::Over,
        RefusalClass::ModificationLimit => Refused::ChangesExhausted,
        _ => Refused::Other,
    }
}

/// The leader's order that a request is about, if this record is of that request.
fn leader_order_of<'a>(record: &'a Record, request: &Request) -> Option<&'a BrokerOrderId> {
    let key = match record {
        Record::Intent { child, .. }
            if request.serial == 0 && child.client_order_id == request.client_order_id =>
        {
            &child.key
        }
        Record::Change { change, .. }
            if change.serial == request.serial && change.client_order_id == request.client_order_id =>
        {
            &change.key
        }
        _ => return None,
    };
    Some(&key.leader_order)
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
