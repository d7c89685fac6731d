//! FollowerOrderActor: drives one account's orders to their targets. One for each follower.
//!
//! Takes [`Plan`]; gives requests to the broker, and what they came to back to its [`FollowerBook`]; owns that book and the
//! account's REST client. Decides nothing itself: the book's `step` does. Never sends before the Store has answered
//! (P1), never sends twice (P2, P3), and sends only what is [`RiskApproved`] (P16). On restart the book is rebuilt from
//! the rows of the day, and what was being sent is looked up.

mod alerting;
mod asking;
mod control;
mod holdings;
mod loading;
mod reads;
mod sending;
mod stream;
mod troubles;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, Context, Handler, SpawnHandle};
use serde_json::json;
use tandem_dhan::codes::AmoTime;
use tandem_dhan::rest::{AccountClient, ClientError};
use tandem_dhan::stream::StreamSettings;
use tandem_domain::account::Funds;
use tandem_domain::breaker::{ApiOutcome, ApiUse};
use tandem_domain::follower::{Effect, Event, FollowerBook, FollowerSettings};
use tandem_domain::ids::{ClientOrderId, FollowerId};
use tandem_domain::order::OrderReport;
use tandem_domain::time::{Timestamp, TradingDay};
use tandem_domain::trading::Trading;
use tracing::info;

use crate::account::{AccountParams, Holdings, OnRecord, ReadPacer};
use crate::clock::Clock;
use crate::in_flight::{FrameCounts, InFlight, Underway};
use crate::instruments::Instruments;
use crate::messages::{
    Addresses, ApiDid, BreakerIs, Drain, FollowerReady, FundsRead, LeaderHeard, LeaderPositionsRead, Link,
    Plan, Probe, Together,
};
use crate::order_stream::OrderStreamLink;
use crate::records::{About, Circumstances, News};
use crate::store::{IntentTiming, Job, Reader, StoreHandle};
use crate::token_keeper::{self, TokenKeeper};
use crate::trading_fence::TradingFence;
use crate::vitals::{Health, Ping, RECOVERING, Vitals};

/// What a follower's actor is told once.
#[derive(Debug, Clone)]
pub struct FollowerParams {
    /// The account.
    pub account: AccountParams,
    /// What its book is told.
    pub settings: FollowerSettings,
    /// When after-market orders go to the exchange.
    pub amo_time: AmoTime,
    /// How often the account is read.
    pub polls: Polls,
    /// Where everything is recorded.
    pub store: StoreHandle,
    /// Where the day is read at the start.
    pub reader: Reader,
    /// The instruments of the day.
    pub instruments: Instruments,
    /// The clock.
    pub clock: Clock,
    /// Counts what is under way.
    pub in_flight: InFlight,
    /// The account's order stream.
    pub stream: StreamSettings,
    /// Counts frames taken in.
    pub frames: FrameCounts,
    /// The generation that may send: checked again before each request leaves.
    pub fence: Arc<AtomicU32>,
    /// Whether entries may leave: looked at last, right before the wire.
    pub trading: TradingFence,
}

/// How often a follower's account is read, and how long it is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Polls {
    /// The book, while an order works or its fate is unknown.
    pub book: Duration,
    /// The book otherwise; keeps the connection warm.
    pub idle_book: Duration,
    /// The positions.
    pub positions: Duration,
    /// The funds.
    pub funds: Duration,
    /// How long an entry waits for the broker's margin calculator.
    pub margin_wait: Duration,
}

/// Whether the leader is heard, as this life was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LeaderVoice {
    /// Nobody has said yet.
    NotYet,
    Heard,
    /// He was, and is no more.
    Lost,
}

impl LeaderVoice {
    /// Takes the latest word; answers with how it was before.
    fn next(&mut self, is_heard: bool) -> Self {
        let next = match (is_heard, *self) {
            (true, _) => Self::Heard,
            (false, Self::NotYet) => Self::NotYet,
            (false, Self::Heard | Self::Lost) => Self::Lost,
        };
        std::mem::replace(self, next)
    }
}

/// The actor.
#[derive(Debug)]
pub struct FollowerOrderActor {
    params: FollowerParams,
    vitals: Vitals,
    client: Option<AccountClient>,
    stream: OrderStreamLink,
    addresses: Option<Arc<Addresses>>,
    /// Whose rows are read; none before.
    day: Option<TradingDay>,
    /// None until the rows of the day are read.
    book: Option<FollowerBook>,
    /// Plans that came before.
    early: Vec<Plan>,
    wake: Option<(Timestamp, SpawnHandle)>,
    /// The next read of the book, and when it is due.
    poll: Option<(Instant, SpawnHandle)>,
    reading_book: bool,
    /// Another read of the book was asked for while one ran: it begins when that one is over.
    read_again: bool,
    reads: ReadPacer,
    retries: reads::Retries,
    /// What went wrong often.
    frequent: troubles::Frequent,
    /// The last word on the funds, read or not; none before there is one.
    funds: Option<FundsRead>,
    token: TokenKeeper,
    /// What was told while the rows were still being read.
    breaker_open: bool,
    leader: LeaderVoice,
    draining: bool,
    /// The breaker waits for the next read's outcome.
    probing: bool,
    /// A read of the list of super orders runs, or is due.
    reading_supers: bool,
    trades: reads::Reading,
    /// The last read of the trade book; none where one is due.
    trades_read: Option<reads::TradesRead>,
    /// How many trades it told last, and how many units were known to be filled then.
    trades_told: (usize, u64),
    positions: reads::Reading,
    /// The next read of the positions.
    positions_due: Option<SpawnHandle>,
    /// When the last one began.
    positions_begun: Option<Instant>,
    positions_on_record: OnRecord<Holdings>,
    funds_on_record: OnRecord<Funds>,
    /// The next read of the funds.
    funds_due: Option<SpawnHandle>,
    /// The last figures, and when they were asked for.
    last_funds: Option<(Timestamp, Funds)>,
    /// What the leader holds, told while the rows were still being read.
    leader_positions: Option<LeaderPositionsRead>,
    /// The trading state as it was last given to the Store, or restored.
    trading: Trading,
    controls: control::Controls,
    /// The book was read once, or tried to be: what stands in it is never placed again.
    book_seen: bool,
    /// The positions were read once, or tried to be: what the owner holds himself is told by them.
    positions_seen: bool,
    /// Jobs the Store's queue had no room for, in order.
    backlog: VecDeque<Job>,
    /// Held while an order's fate is unknown or one waits to leave: time must not jump past them, and a shutdown gives
    /// what is unknown a chance to be settled.
    unsettled: Option<Underway>,
    sending: HashMap<(ClientOrderId, u32), sending::Sent>,
}

impl FollowerOrderActor {
    /// An actor that knows nothing yet.
    pub fn new(params: FollowerParams, vitals: Vitals) -> Self {
        let stream = OrderStreamLink::new(
            params.account.clone(),
            params.stream.clone(),
            params.clock.clone(),
            params.frames.clone(),
            params.in_flight.clone(),
        );
        Self {
            stream,
            token: TokenKeeper::new(params.account.clone(), params.clock.clone(), params.in_flight.clone()),
            unsettled: Some(params.in_flight.begin()),
            reads: ReadPacer::new(params.account.reads_per_second, params.clock.clone()),
            params,
            retries: reads::Retries::default(),
            frequent: troubles::Frequent::default(),
            vitals,
            client: None,
            addresses: None,
            day: None,
            book: None,
            early: Vec::new(),
            wake: None,
            poll: None,
            reading_book: false,
            read_again: false,
            funds: None,
            // Until its breaker says that it is not.
            breaker_open: true,
            leader: LeaderVoice::NotYet,
            draining: false,
            probing: false,
            reading_supers: false,
            trades: reads::Reading::Idle,
            trades_read: None,
            trades_told: (0, 0),
            positions: reads::Reading::Idle,
            positions_due: None,
            positions_begun: None,
            positions_on_record: OnRecord::default(),
            funds_on_record: OnRecord::default(),
            funds_due: None,
            last_funds: None,
            leader_positions: None,
            trading: Trading::ACTIVE,
            controls: control::Controls::default(),
            book_seen: false,
            positions_seen: false,
            backlog: VecDeque::new(),
            sending: HashMap::new(),
        }
    }

    /// An account without a readable token is halted, not dead: the others go on (P19), and it follows once there is one.
    fn connect(&mut self, ctx: &mut Context<Self>) {
        match self.params.account.connect() {
            Ok(client) => {
                self.client = Some(client);
                self.read_funds(ctx);
            }
            Err(ClientError::Token(error)) => {
                self.vitals.failed(&error);
                token_keeper::unreadable(self, &error);
                self.on_funds_unread();
            }
            Err(error) => {
                self.vitals.dying_of(format!("follower's account: {error}"));
                actix::ActorContext::stop(ctx);
            }
        }
    }

    fn connect_again(&mut self, ctx: &mut Context<Self>) {
        let Ok(client) = self.params.account.connect() else { return };
        info!(follower = %self.id(), "the access token can be read: the account resumes");
        self.client = Some(client);
        self.step(Event::Credentials { refused: false }, ctx);
        self.read_funds(ctx);
        self.start_stream(ctx);
        self.read_book_now(ctx);
        self.read_positions(ctx);
    }

    fn on_book_seen(&mut self) {
        if !self.book_seen {
            self.book_seen = true;
            self.announce_ready();
        }
    }

    fn on_positions_seen(&mut self) {
        if !self.positions_seen {
            self.positions_seen = true;
            self.announce_ready();
        }
    }

    /// Plans are asked for once the account's own book and positions were asked for: what closes and what cancels is told by
    /// them, and who cannot be read keeps no other follower waiting (P19). What opens waits in his book until they were read.
    fn announce_ready(&self) {
        let is_ready = self.book_seen && self.positions_seen;
        let Some(addresses) = self.addresses.as_ref().filter(|_| is_ready) else { return };
        if let Some(read) = &self.funds {
            addresses.sizer.tell(read.clone());
        }
        addresses.sizer.tell(FollowerReady { follower: self.id().clone() });
    }

    fn take_plan(&mut self, plan: Plan, ctx: &mut Context<Self>) {
        let now = self.params.clock.now();
        let news = News {
            about: About::Plan(plan.order.broker_order_id.clone()),
            timing: IntentTiming {
                leader_event: Some(plan.order.ts_event),
                received: plan.received.map(|at| now.minus(at.elapsed())),
                decided: Some(now),
                ..IntentTiming::default()
            },
            received: plan.received,
            request: None,
            response: None,
            refusal: None,
        };
        let event = Event::Plan { order: plan.order, decision: plan.decision };
        self.step_with(event, Some(news), ctx);
        // What the plan led to is counted by now.
        drop(plan.underway);
    }

    fn step(&mut self, event: Event, ctx: &mut Context<Self>) {
        self.step_with(event, None, ctx);
    }

    fn step_with(&mut self, event: Event, news: Option<News>, ctx: &mut Context<Self>) {
        let Some(book) = self.book.as_mut() else { return };
        let now = self.params.clock.now();
        // What the books say once the day is over is the next day's, whose actors read them themselves (P29).
        if reads::is_read(&event) && self.day.is_some_and(|day| now.trading_day() != day) {
            return;
        }
        let effects = book.step(event, now);
        self.run(effects, &Circumstances { now, news }, ctx);
    }

    fn run(&mut self, effects: Vec<Effect>, around: &Circumstances, ctx: &mut Context<Self>) {
        // With the first rows of the step, so that no fact is durable that a person is not told of.
        let mut told = self.told(&effects, around.now);
        for effect in effects {
            match effect {
                Effect::Commit { records, then } => {
                    self.commit(records, std::mem::take(&mut told), then, around, ctx);
                }
                Effect::Lookup { client_order_id, after } => {
                    ctx.run_later(after, |actor, ctx| actor.look_up(client_order_id, ctx));
                }
                Effect::ReadBook => self.read_book_now(ctx),
                Effect::ReadSupers => self.read_supers(ctx),
                Effect::ReadPositions => self.read_positions(ctx),
                Effect::AskMargin { client_order_id, terms } => {
                    let deadline = Instant::now() + self.params.polls.margin_wait;
                    self.ask_margin(client_order_id, terms, deadline, ctx);
                }
                Effect::Convert(conversion) => self.convert(conversion, ctx),
                Effect::WakeAt(at) => self.wake_at(at, ctx),
                Effect::Alert(_) | Effect::Over(_) => {}
            }
        }
        if !told.is_empty() {
            self.record(told, ctx);
        }
        let unsettled = self.book.as_ref().is_none_or(|book| book.unsettled_count() > 0);
        // Nobody knows when an account that does not answer will: time goes on meanwhile.
        if !unsettled || self.retries.are_in_vain() {
            self.unsettled = None;
        } else if self.unsettled.is_none() {
            self.unsettled = Some(self.params.in_flight.begin());
        }
        self.poll_when_due(ctx);
    }

    fn wake_at(&mut self, at: Timestamp, ctx: &mut Context<Self>) {
        if let Some((earlier, handle)) = self.wake.take() {
            if earlier <= at {
                self.wake = Some((earlier, handle));
                return;
            }
            ctx.cancel_future(handle);
        }
        let wait = self.params.clock.real_time_until(at).max(Duration::from_micros(200));
        let handle = ctx.run_later(wait, |actor, ctx| {
            actor.wake = None;
            actor.step(Event::Tick, ctx);
        });
        self.wake = Some((at, handle));
    }

    pub(super) fn id(&self) -> &FollowerId {
        &self.params.settings.rules.follower
    }

    /// A report of the account's order stream.
    fn on_stream_report(&mut self, report: OrderReport, ctx: &mut Context<Self>) {
        if !report.cumulative.is_zero() {
            crate::fault_point!(FillReceived, ctx);
        }
        let filled_before = self.filled_units();
        self.step(Event::Report(Box::new(report)), ctx);
        if self.filled_units() > filled_before {
            self.read_trades(ctx);
        }
    }

    fn tell_breaker(&self, kind: ApiUse, outcome: ApiOutcome) {
        let own = self
            .addresses
            .as_ref()
            .and_then(|addresses| addresses.followers.iter().find(|follower| follower.id == *self.id()));
        if let Some(own) = own {
            own.breaker.tell(ApiDid { kind, outcome });
        }
    }

    fn is_present_generation(&self) -> bool {
        self.params.fence.load(Ordering::Acquire) == self.vitals.generation
    }
}

impl Actor for FollowerOrderActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        crate::fault_point!(FollowerStarted, ctx);
        token_keeper::begin(self, ctx);
        self.connect(ctx);
        self.load(ctx);
    }
}

impl Handler<Link> for FollowerOrderActor {
    type Result = ();

    fn handle(&mut self, Link(addresses): Link, _: &mut Self::Context) {
        self.vitals.received();
        self.addresses = Some(addresses);
        self.announce_ready();
    }
}

impl Handler<Plan> for FollowerOrderActor {
    type Result = ();

    fn handle(&mut self, plan: Plan, ctx: &mut Self::Context) {
        self.vitals.received();
        crate::fault_point!(FollowerPlanned, ctx);
        if self.book.is_some() {
            self.take_plan(plan, ctx);
        } else {
            self.early.push(plan);
        }
    }
}

impl Handler<Together> for FollowerOrderActor {
    type Result = ();

    fn handle(&mut self, Together { begins, .. }: Together, ctx: &mut Self::Context) {
        self.vitals.received();
        self.step(Event::Together(begins), ctx);
    }
}

impl Handler<LeaderHeard> for FollowerOrderActor {
    type Result = ();

    fn handle(&mut self, LeaderHeard { is_heard, .. }: LeaderHeard, ctx: &mut Self::Context) {
        self.vitals.received();
        let before = self.leader.next(is_heard);
        self.step(Event::LeaderHeard(is_heard), ctx);
        if (before, self.leader) == (LeaderVoice::Lost, LeaderVoice::Heard) && self.client.is_some() {
            // What followed him into the gap is looked at where it stands.
            self.read_book_now(ctx);
            self.read_positions(ctx);
        }
    }
}

impl Handler<BreakerIs> for FollowerOrderActor {
    type Result = ();

    fn handle(&mut self, BreakerIs { open }: BreakerIs, ctx: &mut Self::Context) {
        self.vitals.received();
        self.breaker_open = open;
        self.step(Event::Breaker { open }, ctx);
    }
}

impl Handler<Probe> for FollowerOrderActor {
    type Result = ();

    fn handle(&mut self, _: Probe, ctx: &mut Self::Context) {
        self.vitals.received();
        self.probing = true;
        self.read_book_now(ctx);
    }
}

impl Handler<Drain> for FollowerOrderActor {
    type Result = ();

    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) {
        self.vitals.received();
        self.draining = true;
        self.step(Event::Stop, ctx);
    }
}

impl Handler<Ping> for FollowerOrderActor {
    type Result = Health;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Health {
        let mut details = serde_json::Map::new();
        let funds = self.funds.as_ref().and_then(|read| read.funds);
        let available = funds.map(|funds| funds.available.to_string());
        details.insert("available_margin".to_owned(), json!(available));
        details.extend(self.stream_health());
        details.extend([self.token.health()]);
        let Some(book) = &self.book else { return self.vitals.health("loading", details) };
        details.insert("waiting".to_owned(), json!(book.waiting_count()));
        details.insert("unknown".to_owned(), json!(book.unknown_count()));
        details.insert("sending".to_owned(), json!(self.sending.len()));
        details.insert("trading".to_owned(), json!(self.trading.state));
        let state = match (book.is_halted(), book.has_read_account()) {
            (true, _) => "account_halted",
            (false, false) => RECOVERING,
            (false, true) => "working",
        };
        self.vitals.health(state, details)
    }
}
