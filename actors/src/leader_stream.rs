//! LeaderStream: knows what the leader's orders are, and says so each time one changes.
//!
//! Takes the leader's order-update stream, his books (orders, super orders, forever orders, trades) and his funds; gives
//! [`LeaderOrderChanged`]; owns the [`LeaderBook`] of the day; never decides what to copy. After every (re)connect frames
//! are buffered while the books are read; merged; and only then is it live (P12). The books are read on a period besides,
//! with or without a connection, and at once when a frame cannot be read, two frames contradict each other, or the exits
//! of a super order may have changed. On restart it reads everything again; it is restarted with the Sizer, too.

mod legs;
mod listening;
mod merging;
mod money;
mod reading;
mod silence;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, SpawnHandle, WrapFuture};
use serde_json::json;
use tandem_dhan::rest::{AccountClient, ClientError};
use tandem_dhan::stream::{StreamFrame, StreamSettings};
use tandem_domain::calendar::Calendar;
use tandem_domain::ids::BrokerOrderId;
use tandem_domain::leader::LeaderBook;
use tandem_domain::order::TradeReport;
use tandem_domain::time::Timestamp;
use tracing::info;

use self::legs::LegWatch;
use self::money::LeaderHoldings;
use self::reading::{Listing, Retries, Wishes};
use self::silence::Silence;
use crate::account::{AccountParams, KnownTrades, ReadPacer};
use crate::clock::Clock;
use crate::in_flight::{FrameCounts, InFlight, Underway};
use crate::messages::{Addresses, Drain, FundsRead, GoLive, Link, Retire};
use crate::order_stream::{OrderStreamLink, connect};
use crate::store::{Reader, StoreHandle};
use crate::token_keeper::{self, TokenKeeper};
use crate::vitals::{Health, Ping, Vitals};

/// What the stream is told once.
#[derive(Debug, Clone)]
pub struct LeaderParams {
    /// The leader's account.
    pub account: AccountParams,
    /// Its order stream.
    pub stream: StreamSettings,
    /// When exchanges trade.
    pub calendar: Arc<Calendar>,
    /// How often the order book is read once it is wanted.
    pub book_poll: Duration,
    /// How often the list of forever orders is read; none where no follower copies equity, for only there they exist.
    pub forever_poll: Option<Duration>,
    /// Where fills and funds are recorded.
    pub store: StoreHandle,
    /// Where the day's orders are read at the start.
    pub reader: Reader,
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
    /// Whether the book was told what is on record of the day.
    is_recalled: bool,
    state: StreamState,
    wanted: bool,
    link: OrderStreamLink,
    buffered: VecDeque<StreamFrame>,
    /// Orders it was said of already that they cannot be read.
    unreadable: BTreeSet<BrokerOrderId>,
    legs: LegWatch,
    /// What is to be read as soon as the read under way is over.
    wishes: Wishes,
    /// The listing that is being read, or waits for its turn to be.
    reading: Option<Listing>,
    reads: ReadPacer,
    retries: Retries,
    trades: KnownTrades,
    trades_due: Option<SpawnHandle>,
    /// Of a snapshot whose orders are not read yet.
    fills_read: Vec<TradeReport>,
    token: TokenKeeper,
    /// The last word on the funds, read or not; none before there is one.
    funds: Option<FundsRead>,
    holdings: LeaderHoldings,
    silence: Silence,
    /// Since when neither the stream nor a book read after its loss tells what he does.
    unheard_since: Option<Timestamp>,
    /// Held while not live, so that a lent clock does not jump past what is being caught up with.
    catching_up: Option<Underway>,
}

/// Where the leader's state stands.
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

    /// Whether the account is read at all.
    const fn reads(self) -> bool {
        !matches!(self, Self::Waiting | Self::Refused | Self::Drained)
    }
}

impl LeaderStream {
    /// A stream that has seen nothing.
    pub fn new(params: LeaderParams, vitals: Vitals) -> Self {
        let link = OrderStreamLink::new(
            params.account.clone(),
            params.stream.clone(),
            params.clock.clone(),
            params.frames.clone(),
            params.in_flight.clone(),
        );
        Self {
            book: LeaderBook::new(params.clock.now().trading_day()),
            silence: Silence::default(),
            unheard_since: Some(params.clock.now()),
            catching_up: Some(params.in_flight.begin()),
            reads: ReadPacer::new(params.account.reads_per_second, params.clock.clone()),
            token: TokenKeeper::new(params.account.clone(), params.clock.clone(), params.in_flight.clone()),
            params,
            vitals,
            client: None,
            addresses: None,
            is_recalled: false,
            state: StreamState::Waiting,
            wanted: false,
            link,
            buffered: VecDeque::new(),
            unreadable: BTreeSet::new(),
            legs: LegWatch::default(),
            wishes: Wishes::default(),
            reading: None,
            retries: Retries::default(),
            trades: KnownTrades::default(),
            trades_due: None,
            fills_read: Vec::new(),
            funds: None,
            holdings: LeaderHoldings::default(),
        }
    }

    /// Connects once that is wanted and the followers know what the leader holds: what he holds from before is no copy's
    /// to close. Positions that cannot be read do not keep exits from being copied for ever.
    fn connect_when_ready(&mut self, ctx: &mut Context<Self>) {
        let is_ready = self.is_recalled && self.holdings.are_known_or_given_up();
        if self.wanted && self.state == StreamState::Waiting && is_ready {
            connect(self, ctx);
        }
    }

    fn begin_reading(&mut self, client: AccountClient, ctx: &mut Context<Self>) {
        self.client = Some(client);
        self.read_funds(ctx);
        self.read_positions(ctx);
        Self::wait_for_positions(ctx);
        self.read_on_a_period(ctx);
    }

    /// What an earlier life of the day knew is read before anything is listened to.
    fn recall(&self, ctx: &mut Context<Self>) {
        let (reader, account) = (self.params.reader.clone(), self.params.account.account.clone());
        let day = self.book.trading_day();
        // Reading blocks: never on the arbiter that serves sockets.
        let reading = actix_rt::task::spawn_blocking(move || reader.leader_orders(day, &account));
        ctx.spawn(reading.into_actor(self).map(|orders, actor, ctx| {
            actor.vitals.progressed();
            let failed = match orders {
                Ok(Ok(orders)) => {
                    actor.book.remember(orders);
                    actor.is_recalled = true;
                    return actor.connect_when_ready(ctx);
                }
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            actor.vitals.dying_of(format!("read the leader's orders of the day: {failed}"));
            actix::ActorContext::stop(ctx);
        }));
    }

    fn enter(&mut self, state: StreamState) {
        if self.state == state {
            return;
        }
        info!(old_state = self.state.as_str(), state = state.as_str(), "leader stream changes state");
        let was_live = std::mem::replace(&mut self.state, state) == StreamState::Live;
        if was_live {
            self.goes_unheard();
        }
        self.mind_the_clock();
    }

    /// A lent clock is not to jump past what is about to be caught up with. What waits for somebody else, for a network that
    /// is gone or a token that is refused, does not hold it.
    fn mind_the_clock(&mut self) {
        let is_behind =
            !matches!(self.state, StreamState::Live | StreamState::Drained | StreamState::Refused);
        if is_behind && !self.link.is_cut_off() && !self.retries.are_in_vain() {
            self.catching_up.get_or_insert_with(|| self.params.in_flight.begin());
        } else {
            self.catching_up = None;
        }
    }
}

impl Actor for LeaderStream {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        crate::fault_point!(LeaderStarted, ctx);
        token_keeper::begin(self, ctx);
        match self.params.account.connect() {
            Ok(client) => self.begin_reading(client, ctx),
            // As good as a refused one: it is waited for (P15).
            Err(ClientError::Token(error)) => {
                self.vitals.failed(&error);
                token_keeper::unreadable(self, &error);
                self.enter(StreamState::Refused);
            }
            Err(error) => {
                self.vitals.dying_of(format!("leader's account: {error}"));
                actix::ActorContext::stop(ctx);
            }
        }
        self.recall(ctx);
    }
}

impl Handler<Link> for LeaderStream {
    type Result = ();

    fn handle(&mut self, Link(addresses): Link, _: &mut Self::Context) {
        self.vitals.received();
        self.addresses = Some(addresses);
        self.announce_funds();
        self.announce_positions();
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
        self.connect_when_ready(ctx);
    }
}

impl Handler<Drain> for LeaderStream {
    type Result = ();

    fn handle(&mut self, _: Drain, _: &mut Self::Context) {
        self.vitals.received();
        self.enter(StreamState::Drained);
    }
}

impl Handler<Retire> for LeaderStream {
    type Result = ();

    fn handle(&mut self, _: Retire, ctx: &mut Self::Context) {
        self.vitals.received();
        actix::ActorContext::stop(ctx);
    }
}

impl Handler<Ping> for LeaderStream {
    type Result = Health;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Health {
        let mut details = serde_json::Map::new();
        details.insert("orders".to_owned(), json!(self.book.len()));
        let age =
            self.link.last_frame().map(|at| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX));
        details.insert("last_event_age_ms".to_owned(), json!(age));
        let funds = self.funds.as_ref().and_then(|read| read.funds);
        details.extend([self.token.health()]);
        details.insert("available_margin".to_owned(), json!(funds.map(|funds| funds.available.to_string())));
        self.vitals.health(self.state.as_str(), details)
    }
}
