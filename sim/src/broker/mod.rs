//! The broker behind one lock: the exchange, its clock, accounts, faults, streams and records.
//!
//! Everything that changes the exchange goes through [`Shared::with`]: catch up with the clock, change, hand the
//! events to the streams, all before the lock is given back. So frames leave in the order of events.

pub(crate) mod accounts;
pub(crate) mod quote_pace;
pub(crate) mod records;
pub(crate) mod streams;
pub(crate) mod tokens;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tandem_domain::ids::DhanClientId;
use tandem_domain::quantity::Quantity;
use tandem_domain::time::Timestamp;
use tokio::sync::Notify;

use self::accounts::Accounts;
use self::quote_pace::QuotePace;
use self::records::{FrameRecord, Records};
use self::streams::{Outgoing, Streams};
use crate::clock::anchor::Anchor;
use crate::clock::daemons::Daemons;
use crate::exchange::{Exchange, StreamEvent};
use crate::faults::{Down, Fault, FaultBoard};
use crate::server::book_as_it_is;
use crate::settings::SimSettings;
use crate::simulator::SimError;
use crate::stream::delivery::Frame;
use crate::stream::update;

/// What every handler and task holds.
#[derive(Debug)]
pub(crate) struct Shared {
    broker: Mutex<Broker>,
    /// Told when a daemon spoke, came or went, and when an answer or a frame went out.
    pub(crate) changed: Notify,
    pub(crate) began: Instant,
    pub(crate) settings: SimSettings,
}

/// What the lock protects.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) exchange: Exchange,
    pub(crate) clock: Anchor,
    pub(crate) accounts: Accounts,
    pub(crate) faults: FaultBoard,
    pub(crate) streams: Streams,
    pub(crate) records: Records,
    pub(crate) daemons: Daemons,
    pub(crate) quote_pace: QuotePace,
    /// Requests whose answer is not out.
    pub(crate) requests_open: u32,
    pub(crate) settings: SimSettings,
}

impl Shared {
    pub(crate) fn new(settings: SimSettings) -> Result<Arc<Self>, SimError> {
        let began = Instant::now();
        let broker = Broker {
            exchange: settings.exchange_with_positions()?,
            clock: Anchor::new(settings.start, began, settings.rate),
            accounts: Accounts::new(&settings),
            faults: FaultBoard::default(),
            streams: Streams::default(),
            records: Records::default(),
            daemons: Daemons::default(),
            quote_pace: QuotePace::default(),
            requests_open: 0,
            settings: settings.clone(),
        };
        Ok(Arc::new(Self { broker: Mutex::new(broker), changed: Notify::new(), began, settings }))
    }

    /// The broker, as it is: for what does not touch the exchange's time.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Broker> {
        // A panic under the lock is a bug in the exchange; what it left is still the best there is to look at.
        self.broker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the broker at the clock's moment, and sends what comes of it.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Broker) -> T) -> T {
        let mut broker = self.lock();
        broker.catch_up(Instant::now());
        let outcome = act(&mut broker);
        broker.dispatch(Instant::now());
        outcome
    }

    /// Monotonic nanoseconds since the simulator started.
    pub(crate) fn nanos(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_nanos()).unwrap_or(u64::MAX)
    }

    /// A session has written a text.
    pub(crate) fn frame_sent(&self, session: u64, record: FrameRecord) {
        let mut broker = self.lock();
        broker.streams.sent(session);
        broker.records.frame(record);
        drop(broker);
        self.changed.notify_waiters();
    }
}

impl Broker {
    /// The simulated moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.at(Instant::now())
    }

    /// Runs the exchange up to the clock, sending events as they happen.
    pub(crate) fn catch_up(&mut self, real: Instant) {
        let target = self.clock.at(real);
        while self.exchange.now() < target {
            self.exchange.advance_to(target);
            self.dispatch(real);
        }
        self.end_dead_sessions();
    }

    /// Every connection of an account drops when its token dies of age.
    fn end_dead_sessions(&mut self) {
        for account in self.accounts.newly_dead(self.exchange.now()) {
            self.streams.tell(&account, || Outgoing::TokenDied);
        }
    }

    /// Gives the account a new token: the one before is dead, and every connection that stands on it drops.
    pub(crate) fn renew_token(&mut self, account: &DhanClientId) -> Option<String> {
        let token = self.accounts.renew(account, self.exchange.now())?;
        self.streams.tell(account, || Outgoing::TokenDied);
        Some(token)
    }

    /// Hands new events to the streams, and to the sockets what waits for nothing.
    pub(crate) fn dispatch(&mut self, real: Instant) {
        for event in self.exchange.drain_events() {
            if self.streams.listens(&event.account) {
                let frame = self.frame(&event);
                self.streams.push(&event.account, frame);
            }
        }
        self.streams.flush(&mut self.faults, real);
    }

    fn frame(&self, event: &StreamEvent) -> Frame {
        let contract = self.exchange.contract(event.order.terms.instrument);
        update::frame(event, contract, &self.settings.variants)
    }

    /// Frames that waited too long for company.
    pub(crate) fn send_overdue(&mut self, real: Instant) {
        let overdue: Vec<(DhanClientId, Vec<Frame>)> = self
            .faults
            .iter_mut()
            .map(|(account, faults)| (account.clone(), faults.delivery.overdue(real)))
            .collect();
        for (account, frames) in overdue {
            self.send_now(&account, frames);
        }
    }

    fn send_now(&mut self, account: &DhanClientId, frames: Vec<Frame>) {
        for frame in frames {
            self.streams.tell(account, || Outgoing::Text(frame.clone()));
        }
    }

    /// Whether nothing is under way inside: then the clock may jump, if the daemons agree.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.requests_open == 0
            && self.streams.is_quiet()
            && self.faults.iter_mut().all(|(_, faults)| !faults.delivery.is_keeping())
    }

    /// Does what a fault asks for. False when the account does not exist.
    pub(crate) fn inject(&mut self, account: &DhanClientId, fault: Fault) -> bool {
        if self.accounts.get(account.as_str()).is_none() {
            return false;
        }
        match fault {
            Fault::NextAnswers { operation, count, answer } => {
                self.faults.of(account).spoil(operation, count, answer);
            }
            Fault::AccountDown { down } => {
                self.faults.of(account).down = down;
                if down == Down::Refuse {
                    self.streams.tell(account, || Outgoing::Reset);
                }
            }
            Fault::TokenRefused { refused } => {
                self.faults.of(account).token_refused = refused;
                if refused {
                    self.streams.tell(account, || Outgoing::TokenDied);
                }
            }
            Fault::StreamClose => self.streams.tell(account, || Outgoing::Close),
            Fault::StreamReset => self.streams.tell(account, || Outgoing::Reset),
            Fault::StreamMute { mute } => self.faults.of(account).delivery.mute = mute,
            Fault::StreamRefuseLogin { how } => self.faults.of(account).refuse_login = how,
            Fault::StreamDuplicate { frames } => {
                let kept = self.faults.of(account).delivery.duplicate(frames);
                self.send_now(account, kept);
            }
            Fault::StreamReorder { frames } => {
                let kept = self.faults.of(account).delivery.reorder(frames);
                self.send_now(account, kept);
            }
            Fault::StreamJoin { frames, style } => {
                let kept = self.faults.of(account).delivery.join(frames, style);
                self.send_now(account, kept);
            }
            Fault::StreamText { text } => {
                let raw = Frame { text, order: String::new(), status: String::new() };
                self.send_now(account, vec![raw]);
            }
            Fault::StreamBinary { bytes } => self.streams.tell(account, || Outgoing::Binary(bytes.clone())),
            Fault::LateVisibility { ms } => {
                self.exchange.delay_visibility(account, Duration::from_millis(ms));
            }
            Fault::StaleBook { on } => {
                let stale = on.then(|| book_as_it_is(self, account));
                self.faults.of(account).stale_book = stale;
            }
            Fault::RejectNext { count, text } => {
                self.exchange.reject_next(account, count, &text);
            }
            Fault::VoidModifies { count } => {
                self.exchange.void_changes(account, count);
            }
            Fault::OverlappingExits { how } => {
                self.exchange.set_overlapping_exits(account, how);
            }
            Fault::LateFill { units, after_ms } => {
                let late = (Quantity::new(units), Duration::from_millis(after_ms));
                self.exchange.fill_after_cancel(account, Some(late).filter(|_| units > 0));
            }
            Fault::Clear => self.clear_faults(account),
        }
        true
    }

    fn clear_faults(&mut self, account: &DhanClientId) {
        let faults = self.faults.of(account);
        faults.clear_answers();
        faults.down = Down::No;
        faults.token_refused = false;
        faults.refuse_login = None;
        faults.stale_book = None;
        let kept = faults.delivery.calm();
        self.send_now(account, kept);
        self.exchange.delay_visibility(account, Duration::ZERO);
        self.exchange.reject_next(account, 0, "");
        self.exchange.void_changes(account, 0);
        self.exchange.fill_after_cancel(account, None);
        if let Some(set) = self.settings.accounts.iter().find(|of| of.client_id == *account) {
            self.exchange.set_overlapping_exits(account, set.overlapping_exits);
        }
    }
}
