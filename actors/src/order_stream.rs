//! The order-update stream of one account, kept up inside the actor that listens to it.
//!
//! Takes the account's connection settings; gives logins, frames and losses to its actor, in order, through [`Listens`].
//! Owns what all listeners need alike (`dhanhq-v2.md` section 5): numbered sessions, so that nothing of one that was given
//! up counts; another try after each loss, later and later, with jitter; a long pause where the broker asks for fewer
//! connects; an alert when try after try comes to nothing; a look at the account's profile where a loss may mean a dead
//! token (P15); and the count of frames that a lent clock compares with what was sent. Never reads a book: what a
//! stream does not tell is its listener's to find out.

mod session;

use std::time::{Duration, Instant};

use actix::fut::wrap_stream;
use actix::{Actor, ActorFutureExt, ActorStreamExt, AsyncContext, Context, SpawnHandle, WrapFuture};
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tandem_dhan::rest::AccountClient;
use tandem_dhan::stream::{LoginRefusal, StreamError, StreamFrame, StreamSettings};
use tandem_domain::error_policy::{Trouble, outage_tries};

use self::session::{SessionEvent, session};
use crate::account::{AccountParams, ReconnectDelays, is_credentials_refusal};
use crate::alerts::{AlertText, Standing, Voice};
use crate::clock::Clock;
use crate::in_flight::{FrameCounts, InFlight, Underway};

/// Pause after the broker asked for fewer connects.
const TOO_MANY_CONNECTS_PAUSE: Duration = Duration::from_mins(1);
/// How often it is asked again whether to connect, while the listener says no.
const UNWANTED_INTERVAL: Duration = Duration::from_secs(5);
/// A session that stands so long is a good one. Longer than what follows a bad login (`dhanhq-v2.md` section 5.2).
const STEADY_AFTER: Duration = Duration::from_secs(10);
/// The kind of the alert of a stream that does not come back.
const STREAM_LOST: &str = "stream_lost";

/// An actor with an order stream.
pub trait Listens: Actor<Context = Context<Self>> {
    /// Its stream.
    fn stream(&mut self) -> &mut OrderStreamLink;
    /// The account's client, once there is one.
    fn client(&self) -> Option<AccountClient>;
    /// Whether a connection is wanted now: neither drained, nor halted because of its token.
    fn wants_stream(&self) -> bool;
    /// Who speaks for it.
    fn voice(&self) -> Voice<'_>;
    /// A session begins; there is nothing of the one before any more.
    fn on_connecting(&mut self, ctx: &mut Self::Context);
    /// Connected, and the login is sent: what happened before must be read over REST.
    fn on_logged_in(&mut self, ctx: &mut Self::Context);
    /// A frame of the present session.
    fn on_frame(&mut self, frame: StreamFrame, ctx: &mut Self::Context);
    /// The present session is over; the next try is due by itself.
    fn on_lost(&mut self, error: &StreamError, ctx: &mut Self::Context);
    /// The broker refuses the account's token, as its profile proves.
    fn on_token_refused(&mut self, ctx: &mut Self::Context);
}

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// Not wanted, not begun, or given up.
    Off,
    /// Connecting or logging in.
    Connecting,
    /// Logged in, as far as one can tell.
    Live,
    /// Lost; another try is due.
    Lost,
}

impl LinkState {
    /// One word, for health lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Lost => "lost",
        }
    }
}

/// Tries of a stream that came to nothing, since it stood last.
#[derive(Debug, Default)]
struct Tries {
    in_vain: u32,
    /// The present session has stood long enough to be a good one.
    is_steady: bool,
    alert: Standing,
}

/// One account's stream: the present session, and when the next may begin.
#[derive(Debug)]
pub struct OrderStreamLink {
    account: AccountParams,
    settings: StreamSettings,
    frames: FrameCounts,
    in_flight: InFlight,
    state: LinkState,
    /// Number of the present session; events of others count for nothing.
    session: u64,
    task: Option<SpawnHandle>,
    backoff: ExponentialBackoff,
    tries: Tries,
    clock: Clock,
    last_frame: Option<Instant>,
    /// Held while connecting: a lent clock must not jump past what the stream is about to tell.
    connecting: Option<Underway>,
}

impl OrderStreamLink {
    /// A stream that is not connected.
    pub fn new(
        account: AccountParams,
        settings: StreamSettings,
        clock: Clock,
        frames: FrameCounts,
        in_flight: InFlight,
    ) -> Self {
        Self {
            backoff: reconnect_delays(account.reconnect),
            account,
            settings,
            frames,
            in_flight,
            state: LinkState::Off,
            session: 0,
            task: None,
            tries: Tries::default(),
            clock,
            last_frame: None,
            connecting: None,
        }
    }

    /// Where it stands.
    pub const fn state(&self) -> LinkState {
        self.state
    }

    /// Number of the present session.
    pub const fn session(&self) -> u64 {
        self.session
    }

    /// When the last frame came, of whatever session.
    pub const fn last_frame(&self) -> Option<Instant> {
        self.last_frame
    }

    /// Whether it was tried in vain so often that nobody can tell when it comes back.
    pub const fn is_cut_off(&self) -> bool {
        self.tries.in_vain >= outage_tries()
    }

    /// The present session has stood for a while: the next loss is the first again.
    fn proved(&mut self) {
        self.backoff = reconnect_delays(self.account.reconnect);
        self.tries.in_vain = 0;
        self.tries.is_steady = true;
    }

    /// Gives the present session up: it tells nothing any more, and its connection closes.
    pub fn end<A: Actor<Context = Context<A>>>(&mut self, ctx: &mut Context<A>) {
        self.session += 1;
        self.enter(LinkState::Off);
        if let Some(task) = self.task.take() {
            ctx.cancel_future(task);
        }
    }

    fn enter(&mut self, state: LinkState) {
        self.state = state;
        match state {
            LinkState::Connecting => {
                // Counted from here on: the lender jumps only once it has let this session in, too.
                self.frames.reset(&self.account.account);
                self.connecting = Some(self.in_flight.begin());
            }
            LinkState::Live => self.connecting = None,
            LinkState::Off | LinkState::Lost => {
                self.frames.forget(&self.account.account);
                self.connecting = None;
            }
        }
    }

    fn next_delay(&mut self, error: &StreamError) -> Duration {
        let delay = self.backoff.next().unwrap_or(self.account.reconnect.max);
        match error {
            StreamError::Refused { refusal: LoginRefusal::TooManyRequests, .. } => {
                delay.max(TOO_MANY_CONNECTS_PAUSE)
            }
            _ => delay,
        }
    }
}

/// Begins a session, in the place of the present one.
pub fn connect<L: Listens>(listener: &mut L, ctx: &mut Context<L>) {
    let link = listener.stream();
    link.end(ctx);
    link.tries.is_steady = false;
    link.enter(LinkState::Connecting);
    let number = link.session;
    let events = session(link.settings.clone(), link.account.account.clone(), link.account.token.clone());
    let task = wrap_stream::<_, L>(events)
        .map(move |event, listener, ctx| {
            if listener.stream().session == number {
                on_event(listener, event, ctx);
            }
        })
        .finish();
    link.task = Some(ctx.spawn(task));
    listener.on_connecting(ctx);
}

fn on_event<L: Listens>(listener: &mut L, event: SessionEvent, ctx: &mut Context<L>) {
    match event {
        SessionEvent::LoggedIn => {
            listener.on_logged_in(ctx);
            let link = listener.stream();
            link.enter(LinkState::Live);
            watch_session(link.session, ctx);
        }
        SessionEvent::Frame(frame) => {
            listener.stream().last_frame = Some(frame.received);
            listener.on_frame(frame, ctx);
            let link = listener.stream();
            link.frames.add(&link.account.account);
        }
        SessionEvent::Ended(error) => on_ended(listener, &error, ctx),
    }
}

fn on_ended<L: Listens>(listener: &mut L, error: &StreamError, ctx: &mut Context<L>) {
    let link = listener.stream();
    link.enter(LinkState::Lost);
    connect_after(link.next_delay(error), link.session, ctx);
    if !link.tries.is_steady {
        link.tries.in_vain += 1;
    }
    listener.on_lost(error, ctx);
    tell_of_tries(listener, error);
    if error.suggests_dead_token() {
        check_token(listener, ctx);
    }
}

/// After so many tries a person is told; trying goes on.
fn tell_of_tries<L: Listens>(listener: &mut L, error: &StreamError) {
    let link = listener.stream();
    let tries = link.tries.in_vain;
    if !Trouble::StreamLost.policy().alerting.is_due_after(tries) {
        return;
    }
    let mut standing = std::mem::take(&mut link.tries.alert);
    let (subject, now) = (link.account.account.masked(), link.clock.now());
    let text = format!(
        "the account's order stream came to nothing {tries} times in a row ({error}): it is tried again for ever, and the \
         order book is read meanwhile; look at the network and the broker"
    );
    standing.raise(&listener.voice(), AlertText { kind: STREAM_LOST, subject, text }, now);
    listener.stream().tries.alert = standing;
}

/// Looks after a while whether the session still stands.
fn watch_session<L: Listens>(number: u64, ctx: &mut Context<L>) {
    ctx.run_later(STEADY_AFTER, move |listener, _| {
        let link = listener.stream();
        if link.session != number || link.state != LinkState::Live {
            return;
        }
        link.proved();
        let mut standing = std::mem::take(&mut link.tries.alert);
        let (subject, now) = (link.account.account.masked(), link.clock.now());
        standing.over(&listener.voice(), STREAM_LOST, &subject, now);
        listener.stream().tries.alert = standing;
    });
}

/// Tells a dead token from a bad network: the stream says neither (`dhanhq-v2.md` section 5.2).
fn check_token<L: Listens>(listener: &L, ctx: &mut Context<L>) {
    let Some(client) = listener.client() else { return };
    let read = async move { client.profile().await };
    ctx.spawn(read.into_actor(listener).map(|profile, listener, ctx| {
        if profile.as_ref().is_err_and(is_credentials_refusal) {
            listener.on_token_refused(ctx);
        }
    }));
}

/// Another try, unless another session began meanwhile. Socket deadlines are real: so is this wait.
fn connect_after<L: Listens>(delay: Duration, number: u64, ctx: &mut Context<L>) {
    ctx.run_later(delay, move |listener, ctx| {
        if listener.stream().session != number {
            return;
        }
        if listener.wants_stream() {
            connect(listener, ctx);
        } else {
            connect_after(UNWANTED_INTERVAL, number, ctx);
        }
    });
}

/// Doubling, with jitter, for ever (`dhanhq-v2.md` section 5.3).
fn reconnect_delays(delays: ReconnectDelays) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(delays.first)
        .with_max_delay(delays.max)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests;
