//! LeaderStream: knows what the leader's orders are, and says so each time one changes.
//!
//! Takes the leader's order-update stream, his order book and his trade book; gives [`LeaderOrderChanged`]; owns the
//! [`LeaderBook`] of the day; never decides what to copy. After every (re)connect frames are buffered while order book
//! and trade book are read; merged; and only then is it live (P12). The book is read on a period besides, with or without
//! a connection, and at once when a frame cannot be read or two frames contradict each other. On restart it reads
//! everything again.

mod session;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, SpawnHandle, StreamHandler, WrapFuture};
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use serde_json::json;
use tandem_dhan::rest::{AccountClient, Book, ReadError};
use tandem_dhan::stream::{LoginRefusal, StreamError, StreamFrame, StreamSettings};
use tandem_dhan::wire::WireError;
use tandem_domain::account::Funds;
use tandem_domain::ids::BrokerOrderId;
use tandem_domain::leader::{LeaderBook, LeaderOrder, Merge};
use tandem_domain::order::{BrokerStatus, OrderReport, TradeReport};
use tandem_domain::quantity::Quantity;
use tandem_domain::time::Timestamp;
use tracing::{info, warn};

use self::session::{Numbered, SessionEvent, session};
use crate::account::{
    AccountParams, FUNDS_INTERVAL, ReadPacer, funds_row, is_credentials_refusal, positions_row,
};
use crate::alerts::{AlertText, raise};
use crate::clock::Clock;
use crate::in_flight::{FrameCounts, InFlight, Underway};
use crate::messages::{Addresses, Drain, FundsRead, GoLive, LeaderOrderChanged, Link};
use crate::records::submit_quietly;
use crate::store::{StoreHandle, Write};
use crate::vitals::{Health, Ping, Vitals};

/// Delay before a failed snapshot read is tried again.
const SNAPSHOT_RETRY: Duration = Duration::from_millis(500);
/// The least time between two reads of the trade book.
const TRADES_INTERVAL: Duration = Duration::from_secs(1);
/// Delay before funds that could not be read are asked for again: before the first figures nothing may be sized.
const FUNDS_RETRY: Duration = Duration::from_secs(1);
/// Frames kept while the books are read: minutes of a very busy day, a few tens of megabytes. Past it the oldest is
/// taken in at once: a book that cannot be read for so long must neither fill the memory nor cost an order.
const BUFFERED_FRAMES_MAX: usize = 10_000;
/// How often a refused token is looked at again.
const TOKEN_CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// Pause after the broker asked for fewer connects.
const TOO_MANY_CONNECTS_PAUSE: Duration = Duration::from_mins(1);

/// What the stream is told once.
#[derive(Debug, Clone)]
pub struct LeaderParams {
    /// The leader's account.
    pub account: AccountParams,
    /// Its order stream.
    pub stream: StreamSettings,
    /// How often the order book is read once it is wanted.
    pub book_poll: Duration,
    /// Where fills and funds are recorded.
    pub store: StoreHandle,
    /// The clock.
    pub clock: Clock,
    /// Counts what is under way.
    pub in_flight: InFlight,
    /// Counts frames taken in.
    pub frames: FrameCounts,
    /// The generation that may publish; set at each start, so that an abandoned life falls silent.
    pub fence: Arc<AtomicU32>,
}

/// The actor.
#[derive(Debug)]
pub struct LeaderStream {
    params: LeaderParams,
    vitals: Vitals,
    client: Option<AccountClient>,
    addresses: Option<Arc<Addresses>>,
    book: LeaderBook,
    state: StreamState,
    wanted: bool,
    buffered: VecDeque<StreamFrame>,
    /// Number of the present session; events of others count for nothing.
    session: u64,
    session_task: Option<SpawnHandle>,
    /// Orders it was said of already that they cannot be read.
    unreadable: BTreeSet<BrokerOrderId>,
    backoff: ExponentialBackoff,
    last_event: Option<Instant>,
    reading_book: bool,
    reads: ReadPacer,
    trades_due: Option<SpawnHandle>,
    /// When another token was taken into use: what is refused soon after was asked with the one before.
    token_changed: Option<Instant>,
    /// The last word on the funds, read or not; none before there is one.
    funds: Option<FundsRead>,
    /// Held while not live, so that a lent clock does not jump past what is being caught up with.
    catching_up: Option<Underway>,
}

/// Where the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StreamState {
    /// The Sizer is not ready yet.
    Waiting,
    /// Connecting or logging in.
    Connecting,
    /// Logged in; frames are buffered until the books are read.
    Merging,
    /// Frames are taken in as they come.
    Live,
    /// Lost; another try is due.
    Lost,
    /// The broker refuses the token; waits for another.
    Refused,
    /// Taking nothing in any more.
    Drained,
}

impl StreamState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Connecting => "connecting",
            Self::Merging => "merging",
            Self::Live => "live",
            Self::Lost => "lost",
            Self::Refused => "token_refused",
            Self::Drained => "drained",
        }
    }
}

impl LeaderStream {
    /// A stream that has seen nothing.
    pub fn new(params: LeaderParams, vitals: Vitals) -> Self {
        Self {
            book: LeaderBook::new(params.clock.now().trading_day()),
            catching_up: Some(params.in_flight.begin()),
            reads: ReadPacer::new(params.account.reads_per_second, params.clock.clone()),
            params,
            vitals,
            client: None,
            addresses: None,
            state: StreamState::Waiting,
            wanted: false,
            buffered: VecDeque::new(),
            session: 0,
            session_task: None,
            unreadable: BTreeSet::new(),
            backoff: reconnect_delays(),
            last_event: None,
            reading_book: false,
            trades_due: None,
            token_changed: None,
            funds: None,
        }
    }

    fn enter(&mut self, state: StreamState) {
        if self.state == state {
            return;
        }
        info!(old_state = self.state.as_str(), state = state.as_str(), "leader stream changes state");
        self.state = state;
        self.catching_up = match state {
            StreamState::Live | StreamState::Drained => None,
            _ => self.catching_up.take().or_else(|| Some(self.params.in_flight.begin())),
        };
    }

    fn connect(&mut self, ctx: &mut Context<Self>) {
        if matches!(self.state, StreamState::Drained) {
            return;
        }
        self.end_session(ctx);
        self.enter(StreamState::Connecting);
        self.params.frames.reset(&self.params.account.account);
        let stream = session(
            self.session,
            self.params.stream.clone(),
            self.params.account.account.clone(),
            self.params.account.token.clone(),
        );
        self.session_task = Some(ctx.add_stream(stream));
    }

    /// Gives the present session up: it takes nothing in any more, and its connection closes.
    fn end_session(&mut self, ctx: &mut Context<Self>) {
        self.session += 1;
        self.buffered.clear();
        if let Some(task) = self.session_task.take() {
            ctx.cancel_future(task);
        }
    }

    fn on_frame(&mut self, frame: StreamFrame, ctx: &mut Context<Self>) {
        self.vitals.progressed();
        self.last_event = Some(frame.received);
        if self.state == StreamState::Merging {
            if self.buffered.len() >= BUFFERED_FRAMES_MAX
                && let Some(oldest) = self.buffered.pop_front()
            {
                self.take_in(oldest, ctx);
            }
            self.buffered.push_back(frame);
        } else {
            self.take_in(frame, ctx);
        }
        self.params.frames.add(&self.params.account.account);
    }

    fn take_in(&mut self, frame: StreamFrame, ctx: &mut Context<Self>) {
        let mut must_read = false;
        for item in frame.items {
            match item {
                Ok(report) => {
                    if let BrokerStatus::Unknown(word) = &report.status {
                        warn!(order = %report.broker_order_id, status = %word,
                            "a frame of the leader's stream has a status nobody knows: reading the book");
                        must_read = true;
                    }
                    must_read |= self.merge(&report, Some(frame.received), ctx);
                }
                Err(error) => {
                    warn!(%error, "a frame of the leader's stream could not be read: reading the book instead");
                    self.vitals.failed(error);
                    must_read = true;
                }
            }
        }
        if must_read {
            self.read_book(ctx);
        }
    }

    /// A frame that cannot be read is made good by the book. An order that cannot be read there either is not copied: a
    /// person must know, once, and not only the log at each poll.
    fn on_unreadable(&mut self, error: &WireError) {
        let Some(order) = &error.order else { return };
        if !self.unreadable.insert(order.clone()) {
            return;
        }
        let alert = AlertText {
            kind: "leader_order_unreadable",
            subject: order.to_string(),
            text: format!(
                "an order of the leader cannot be read ({error}): it may not be copied; look at it in both accounts"
            ),
        };
        raise(&self.params.store, &self.vitals, None, alert, self.params.clock.now());
    }

    /// Takes one report in; says whether the book must be read to make sense of it.
    fn merge(&mut self, report: &OrderReport, received: Option<Instant>, ctx: &mut Context<Self>) -> bool {
        if report.account != self.params.account.account {
            return false;
        }
        let now = self.params.clock.now();
        if self.book.trading_day() != now.trading_day() {
            info!(day = %now.trading_day(), "a new trading day: the leader's book begins empty");
            self.book = LeaderBook::new(now.trading_day());
            self.unreadable.clear();
        }
        // The documented form of a frame carries no times (`dhanhq-v2.md` section 5.6): then it is as old as its arrival.
        let timed;
        let report = if report.ts_event == Timestamp::EPOCH {
            timed = OrderReport { ts_event: now, ..report.clone() };
            &timed
        } else {
            report
        };
        let filled_before =
            self.book.get(&report.broker_order_id).map_or(Quantity::ZERO, |order| order.cumulative);
        match self.book.merge(report, now) {
            Merge::Changed(order) => {
                if order.cumulative > filled_before {
                    self.read_trades_soon(ctx);
                }
                self.publish(order, received);
                false
            }
            Merge::Unchanged => false,
            Merge::Contradiction => true,
        }
    }

    fn publish(&self, order: Arc<LeaderOrder>, received: Option<Instant>) {
        if self.params.fence.load(Ordering::Acquire) != self.vitals.generation {
            return;
        }
        if let Some(addresses) = &self.addresses {
            let underway = Arc::new(self.params.in_flight.begin());
            addresses.sizer.tell(LeaderOrderChanged { order, received, underway });
        }
    }

    fn publish_all(&self) {
        for order in self.book.iter() {
            self.publish(Arc::clone(order), None);
        }
    }

    /// Reads the order book; merges it when it comes. One read at a time: a second wish is met by the one under way, and
    /// by the next on the period.
    fn read_book(&mut self, ctx: &mut Context<Self>) {
        let Some(client) = self.client.clone().filter(|_| !self.reading_book) else { return };
        self.reading_book = true;
        let underway = self.params.in_flight.begin();
        if let Err(wait) = self.reads.take() {
            ctx.run_later(wait, |stream, ctx| {
                stream.reading_book = false;
                stream.read_book(ctx);
                drop(underway);
            });
            return;
        }
        // Only what is read after the login tells all that the stream does not tell any more (P12).
        let snapshot_of = (self.state == StreamState::Merging).then_some(self.session);
        let read = async move {
            let book = client.orders().await;
            (book, underway)
        };
        ctx.spawn(read.into_actor(self).map(move |(book, underway), stream, ctx| {
            stream.reading_book = false;
            stream.on_book(book, snapshot_of, ctx);
            drop(underway);
        }));
    }

    /// `snapshot_of` is the session that was logged in and waiting for its snapshot when the read began.
    fn on_book(
        &mut self,
        book: Result<Book<OrderReport>, ReadError>,
        snapshot_of: Option<u64>,
        ctx: &mut Context<Self>,
    ) {
        self.vitals.progressed();
        let merging = self.state == StreamState::Merging;
        let book = match book {
            Ok(book) => book,
            Err(error) => {
                warn!(%error, "the leader's order book could not be read");
                if is_credentials_refusal(&error) {
                    self.on_token_refused(ctx);
                }
                if self.state == StreamState::Merging {
                    ctx.run_later(SNAPSHOT_RETRY, Self::read_book);
                }
                self.vitals.failed(error);
                return;
            }
        };
        for error in &book.unreadable {
            warn!(%error, "a row of the leader's order book could not be read");
            self.on_unreadable(error);
        }
        for report in &book.rows {
            // A book row never contradicts: it decides.
            self.merge(report, None, ctx);
        }
        if merging && snapshot_of != Some(self.session) {
            // Begun before the login: what happened between its answer and the login it does not tell.
            self.read_book(ctx);
        } else if merging {
            for frame in std::mem::take(&mut self.buffered) {
                self.take_in(frame, ctx);
            }
            self.backoff = reconnect_delays();
            self.enter(StreamState::Live);
            info!(orders = self.book.len(), "leader's book merged: live");
            self.read_trades_soon(ctx);
        }
    }

    fn read_trades_soon(&mut self, ctx: &mut Context<Self>) {
        if self.trades_due.is_some() {
            return;
        }
        self.trades_due = Some(ctx.run_later(TRADES_INTERVAL, |stream, ctx| {
            stream.trades_due = None;
            let Some(client) = stream.client.clone() else { return };
            if stream.reads.take().is_err() {
                return stream.read_trades_soon(ctx);
            }
            let read = async move { client.trades().await };
            ctx.spawn(read.into_actor(stream).map(|trades, stream, ctx| {
                stream.on_trades(trades);
                stream.read_positions(ctx);
            }));
        }));
    }

    fn on_trades(&mut self, trades: Result<Book<TradeReport>, ReadError>) {
        self.vitals.progressed();
        match trades {
            Ok(trades) => {
                let now = self.params.clock.now();
                let rows = trades.rows.into_iter().map(|report| Write::Trade {
                    trading_day: now.trading_day(),
                    report: Box::new(report),
                    ts_init: now,
                });
                submit_quietly(&self.params.store, &self.vitals, rows.collect());
            }
            Err(error) => {
                warn!(%error, "the leader's trade book could not be read");
                self.vitals.failed(error);
            }
        }
    }

    fn read_positions(&mut self, ctx: &mut Context<Self>) {
        let Some(client) = self.client.clone() else { return };
        if let Err(wait) = self.reads.take() {
            ctx.run_later(wait, Self::read_positions);
            return;
        }
        let asked = self.params.clock.now();
        let read = async move { client.positions(asked).await };
        ctx.spawn(read.into_actor(self).map(|positions, stream, _| {
            stream.vitals.progressed();
            match positions {
                Ok(book) => {
                    let account = &stream.params.account.account;
                    let row = positions_row(account, book, stream.params.clock.now());
                    submit_quietly(&stream.params.store, &stream.vitals, row.into_iter().collect());
                }
                Err(error) => {
                    warn!(%error, "the leader's positions could not be read");
                    stream.vitals.failed(error);
                }
            }
        }));
    }

    fn read_funds(&mut self, ctx: &mut Context<Self>) {
        let Some(client) = self.client.clone() else { return };
        if self.state == StreamState::Refused {
            // A refused token is not tried again (P15).
            ctx.run_later(FUNDS_RETRY, Self::read_funds);
            return;
        }
        if let Err(wait) = self.reads.take() {
            ctx.run_later(wait, Self::read_funds);
            return;
        }
        let read = async move { client.funds().await };
        ctx.spawn(read.into_actor(self).map(|funds, stream, ctx| {
            let next = if funds.is_ok() { FUNDS_INTERVAL } else { FUNDS_RETRY };
            stream.on_funds(funds, ctx);
            ctx.run_later(next, Self::read_funds);
        }));
    }

    fn on_funds(&mut self, funds: Result<Funds, ReadError>, ctx: &mut Context<Self>) {
        self.vitals.progressed();
        let account = self.params.account.account.clone();
        let funds = match funds {
            Ok(funds) => {
                let row = funds_row(&account, funds, self.funds.is_none(), self.params.clock.now());
                submit_quietly(&self.params.store, &self.vitals, vec![row]);
                Some(funds)
            }
            Err(error) => {
                warn!(%error, "the leader's funds could not be read");
                if is_credentials_refusal(&error) {
                    self.on_token_refused(ctx);
                }
                self.vitals.failed(error);
                None
            }
        };
        self.funds = Some(FundsRead { account, funds });
        self.announce_funds();
    }

    fn announce_funds(&self) {
        if let (Some(addresses), Some(read)) = (&self.addresses, &self.funds) {
            addresses.sizer.tell(read.clone());
        }
    }

    fn on_ended(&mut self, error: StreamError, ctx: &mut Context<Self>) {
        if matches!(self.state, StreamState::Drained | StreamState::Refused) {
            return;
        }
        warn!(%error, "leader stream ended");
        self.vitals.failed(&error);
        self.buffered.clear();
        self.enter(StreamState::Lost);
        if error.suggests_dead_token() {
            self.check_token(ctx);
        }
        let too_many = matches!(error, StreamError::Refused { refusal: LoginRefusal::TooManyRequests, .. });
        let delay = self.backoff.next().unwrap_or(RECONNECT_DELAY_MAX);
        let delay = if too_many { delay.max(TOO_MANY_CONNECTS_PAUSE) } else { delay };
        let session = self.session;
        ctx.run_later(delay, move |stream, ctx| {
            if stream.state == StreamState::Lost && stream.session == session {
                stream.connect(ctx);
            }
        });
    }

    /// Tells a dead token from a bad network: the stream says neither (`dhanhq-v2.md` section 5.2).
    fn check_token(&mut self, ctx: &mut Context<Self>) {
        let Some(client) = self.client.clone() else { return };
        let read = async move { client.profile().await };
        ctx.spawn(read.into_actor(self).map(|profile, stream, ctx| {
            if profile.as_ref().is_err_and(is_credentials_refusal) {
                stream.on_token_refused(ctx);
            }
        }));
    }

    fn on_token_refused(&mut self, ctx: &mut Context<Self>) {
        if matches!(self.state, StreamState::Refused | StreamState::Drained) {
            return;
        }
        let deadline = self.params.account.client.request_deadline;
        if self.token_changed.is_some_and(|at| at.elapsed() < deadline) {
            // An answer to the token before. Should the new one be bad too, the next read says so.
            return;
        }
        // The owner may have replaced the token before the old one died: then there is nothing to halt for.
        if self.takes_new_token() {
            info!("the leader's access token was replaced: going on with the new one");
            return;
        }
        self.end_session(ctx);
        self.enter(StreamState::Refused);
        let alert = AlertText {
            kind: "leader_token_refused",
            subject: self.params.account.account.masked(),
            text: "the broker refuses the leader's access token: nothing is copied until it is replaced"
                .to_owned(),
        };
        raise(&self.params.store, &self.vitals, None, alert, self.params.clock.now());
        Self::await_new_token(ctx);
    }

    fn takes_new_token(&mut self) -> bool {
        let is_new =
            self.client.as_ref().is_some_and(|client| client.reload_token().is_ok_and(|is_new| is_new));
        if is_new {
            self.token_changed = Some(Instant::now());
        }
        is_new
    }

    fn await_new_token(ctx: &mut Context<Self>) {
        ctx.run_later(TOKEN_CHECK_INTERVAL, |stream, ctx| {
            if stream.state != StreamState::Refused {
                return;
            }
            if stream.takes_new_token() {
                info!("the leader's access token was replaced");
                stream.enter(StreamState::Waiting);
                if stream.wanted {
                    stream.connect(ctx);
                }
            } else {
                Self::await_new_token(ctx);
            }
        });
    }
}

const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(30);

/// One second, doubling, with jitter, for ever (`dhanhq-v2.md` section 5.3).
fn reconnect_delays() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(RECONNECT_DELAY_MAX)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
        .build()
}

impl Actor for LeaderStream {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        match self.params.account.connect() {
            Ok(client) => self.client = Some(client),
            Err(error) => {
                self.vitals.dying_of(format!("leader's account: {error}"));
                return actix::ActorContext::stop(ctx);
            }
        }
        self.read_funds(ctx);
        ctx.run_interval(self.params.book_poll, |stream, ctx| {
            // Without a connection too: the book tells all that the stream does, only later.
            if !matches!(stream.state, StreamState::Waiting | StreamState::Refused | StreamState::Drained) {
                stream.read_book(ctx);
            }
        });
    }
}

impl Handler<Link> for LeaderStream {
    type Result = ();

    fn handle(&mut self, Link(addresses): Link, _: &mut Self::Context) {
        self.vitals.received();
        self.addresses = Some(addresses);
        self.announce_funds();
    }
}

impl Handler<GoLive> for LeaderStream {
    type Result = ();

    fn handle(&mut self, _: GoLive, ctx: &mut Self::Context) {
        self.vitals.received();
        if self.wanted {
            // A follower or the sizer began a new life: it must hear everything.
            return self.publish_all();
        }
        self.wanted = true;
        if self.state == StreamState::Waiting {
            self.connect(ctx);
        }
    }
}

impl Handler<Drain> for LeaderStream {
    type Result = ();

    fn handle(&mut self, _: Drain, _: &mut Self::Context) {
        self.vitals.received();
        self.enter(StreamState::Drained);
    }
}

impl StreamHandler<Numbered> for LeaderStream {
    fn handle(&mut self, Numbered { session, event }: Numbered, ctx: &mut Self::Context) {
        match event {
            _ if self.state == StreamState::Drained || session != self.session => {}
            SessionEvent::LoggedIn => {
                self.vitals.progressed();
                self.enter(StreamState::Merging);
                self.read_book(ctx);
            }
            SessionEvent::Frame(frame) => self.on_frame(frame, ctx),
            SessionEvent::Ended(error) => self.on_ended(error, ctx),
        }
    }

    /// The end of one session is not the end of the actor.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<Ping> for LeaderStream {
    type Result = Health;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Health {
        let mut details = serde_json::Map::new();
        details.insert("orders".to_owned(), json!(self.book.len()));
        let age = self.last_event.map(|at| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX));
        details.insert("last_event_age_ms".to_owned(), json!(age));
        let funds = self.funds.as_ref().and_then(|read| read.funds);
        details.insert("available_margin".to_owned(), json!(funds.map(|funds| funds.available.to_string())));
        self.vitals.health(self.state.as_str(), details)
    }
}
