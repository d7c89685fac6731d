//! What the account itself says of its orders: lookups of unknown ones, the order book on a period, fills.

use std::time::{Duration, Instant};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tandem_dhan::rest::{AccountClient, Book, ReadError};
use tandem_domain::breaker::{ApiOutcome, ApiUse};
use tandem_domain::error_policy::{Reaction, Trouble, outage_tries};
use tandem_domain::follower::{Alert, BookRead, Event, FollowerBook};
use tandem_domain::ids::ClientOrderId;
use tandem_domain::order::{OrderReport, TradeReport};
use tandem_domain::time::Timestamp;
use tracing::{info, warn};

use super::FollowerOrderActor;
use crate::account::ReadRetry;
use crate::alerts::{AlertText, Standing};
use crate::order_stream::{Listens, connect};
use crate::token_keeper::{self, KeepsToken, TokenKeeper};

/// How soon it is looked again whether there is a token to look an order up with.
const LOOKUP_WAIT: Duration = Duration::from_secs(1);
/// The kind of the alert of an account that cannot be read.
const UNREAD: &str = "account_unread";

/// Where a kind of read stands of which one at a time is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Reading {
    #[default]
    Idle,
    /// Waits for the budget.
    Due,
    Runs,
    /// Runs, and another is wanted after it.
    RunsAndDue,
}

/// The last read of the trade book.
#[derive(Debug, Clone, Copy)]
pub(super) struct TradesRead {
    /// When it began.
    at: Instant,
    /// What was known to be filled by then.
    filled_units: u64,
}

/// How each kind of read stands with the error policy.
#[derive(Debug, Default)]
pub(super) struct Retries {
    book: ReadRetry,
    supers: ReadRetry,
    forevers: ReadRetry,
    trades: ReadRetry,
    pub(super) positions: ReadRetry,
    pub(super) funds: ReadRetry,
    /// That a person was told.
    unread: Standing,
}

/// Whether it is what a read of an account's books tells.
pub(super) const fn is_read(event: &Event) -> bool {
    matches!(
        event,
        Event::Book(_)
            | Event::Supers(_)
            | Event::Forevers { .. }
            | Event::Trades(_)
            | Event::Positions { .. }
            | Event::LeaderPositions { .. }
    )
}

impl Retries {
    /// Whether the order book was asked for in vain so often that nobody can tell when it is answered.
    pub(super) fn are_in_vain(&self) -> bool {
        self.book.failures() >= outage_tries()
    }

    /// How often the one came to nothing that did so most often.
    fn failures(&self) -> u32 {
        let Self { book, supers, forevers, trades, positions, funds, unread: _ } = self;
        let each = [book, supers, forevers, trades, positions, funds];
        each.into_iter().map(ReadRetry::failures).max().unwrap_or_default()
    }
}

impl FollowerOrderActor {
    /// Who asks the broker; nobody while the account is halted: nothing is sent with a token that was refused (P15).
    pub(super) fn caller(&self) -> Option<AccountClient> {
        self.client.clone().filter(|_| !self.is_halted())
    }

    pub(super) fn is_halted(&self) -> bool {
        self.book.as_ref().is_some_and(FollowerBook::is_halted)
    }

    pub(super) fn look_up(&mut self, client_order_id: ClientOrderId, ctx: &mut Context<Self>) {
        let Some(client) = self.caller() else {
            ctx.run_later(LOOKUP_WAIT, |actor, ctx| actor.look_up(client_order_id, ctx));
            return;
        };
        if let Err(wait) = self.reads.take() {
            ctx.run_later(wait, |actor, ctx| actor.look_up(client_order_id, ctx));
            return;
        }
        let lookup = async move {
            let found = client.orders_by_tag(&client_order_id).await;
            (client_order_id, found)
        };
        ctx.spawn(lookup.into_actor(self).map(|(client_order_id, found), actor, ctx| {
            actor.vitals.progressed();
            match found {
                Ok(reports) if !reports.is_empty() => {
                    actor.tell_breaker(ApiUse::Read, ApiOutcome::Answered);
                    for report in reports {
                        info!(%client_order_id, broker_order_id = %report.broker_order_id,
                            old_state = "unknown", state = report.status.as_str(), "order found by its tag: adopted");
                        actor.step(Event::Report(Box::new(report)), ctx);
                    }
                }
                // Not found, or not to be asked: neither proves anything (P4).
                Ok(_) => actor.step(Event::NotFound(client_order_id), ctx),
                Err(error) => {
                    actor.on_read_error(&error, ctx);
                    actor.step(Event::NotFound(client_order_id), ctx);
                }
            }
        }));
    }

    pub(super) fn poll_when_due(&mut self, ctx: &mut Context<Self>) {
        let Some(book) = self.book.as_ref().filter(|_| !self.reading_book) else { return };
        let polls = self.params.polls;
        let wait = if book.is_active() || self.has_untold_fills() { polls.book } else { polls.idle_book };
        // An order that begins to work does not wait for the read of an idle account, nor does a fill.
        self.poll_within(wait, ctx);
    }

    fn poll_within(&mut self, wait: Duration, ctx: &mut Context<Self>) {
        let soon_enough = self.poll.is_some_and(|(at, _)| at <= Instant::now() + wait);
        if !soon_enough {
            self.poll_after(wait, ctx);
        }
    }

    fn poll_after(&mut self, wait: Duration, ctx: &mut Context<Self>) {
        if let Some((_, sooner_or_later)) = self.poll.take() {
            ctx.cancel_future(sooner_or_later);
        }
        let handle = ctx.run_later(wait, |actor, ctx| {
            actor.poll = None;
            // A life that hung, was given up and goes on would hold its socket and spend the reads of the next one.
            if !actor.is_present_generation() {
                return actix::ActorContext::stop(ctx);
            }
            actor.read_book_now(ctx);
        });
        self.poll = Some((Instant::now() + wait, handle));
    }

    pub(super) fn read_book_now(&mut self, ctx: &mut Context<Self>) {
        if self.reading_book {
            // What the read under way is answered may be older than the reason for this one.
            self.read_again = true;
            return;
        }
        let Some(client) = self.caller() else { return };
        if let Err(wait) = self.reads.take() {
            self.poll_after(wait, ctx);
            return;
        }
        self.reading_book = true;
        let started_at = self.params.clock.now();
        let read = async move { client.orders().await };
        ctx.spawn(read.into_actor(self).map(move |book, actor, ctx| {
            actor.reading_book = false;
            actor.vitals.progressed();
            crate::fault_point!(FollowerBookRead, ctx);
            actor.answer_probe(&book);
            let retry = actor.retries.book.note_book(&book);
            actor.on_book(book, started_at, ctx);
            actor.tell_of_unread();
            actor.on_book_seen();
            if std::mem::take(&mut actor.read_again) {
                actor.read_book_now(ctx);
            }
            actor.poll_when_due(ctx);
            if let Some(wait) = retry.filter(|_| !actor.reading_book) {
                actor.poll_within(wait, ctx);
            }
        }));
    }

    /// The breaker's probe is the next read of the book, whoever asked for it.
    fn answer_probe(&mut self, book: &Result<Book<OrderReport>, ReadError>) {
        if std::mem::take(&mut self.probing) {
            let failed = matches!(book, Err(ReadError::NotSent { .. } | ReadError::Failed { .. }));
            self.tell_breaker(ApiUse::Probe, if failed { ApiOutcome::Failed } else { ApiOutcome::Answered });
        }
    }

    fn on_book(
        &mut self,
        book: Result<Book<OrderReport>, ReadError>,
        started_at: Timestamp,
        ctx: &mut Context<Self>,
    ) {
        let book = match book {
            Ok(book) => book,
            Err(error) => return self.on_read_error(&error, ctx),
        };
        self.tell_breaker(ApiUse::Read, ApiOutcome::Answered);
        for error in &book.unreadable {
            warn!(follower = %self.id(), %error, "a row of the order book could not be read");
        }
        let complete = book.is_complete();
        self.step(Event::Book(BookRead { started_at, orders: book.rows, complete }), ctx);
        // A list that is wanted no more is not asked for again: what came of it before says nothing of now.
        if self.book.as_ref().is_some_and(FollowerBook::has_live_supers) {
            self.read_supers(ctx);
        } else {
            self.retries.supers.answered();
        }
        if self.book.as_ref().is_some_and(FollowerBook::has_live_forevers) {
            self.read_forevers(ctx);
        } else {
            self.retries.forevers.answered();
        }
        // At the start, after each login of the stream and on a period, too: it may tell what the order book does not.
        let idle = self.params.polls.idle_book;
        if self.has_untold_fills() || self.trades_read.is_none_or(|read| read.at.elapsed() >= idle) {
            self.read_trades(ctx);
        }
    }

    /// Whether something was filled, by whoever's word, since the trade book was asked for.
    fn has_untold_fills(&self) -> bool {
        self.filled_units() != self.trades_read.map_or(0, |read| read.filled_units)
    }

    pub(super) fn filled_units(&self) -> u64 {
        self.book.as_ref().map_or(0, FollowerBook::filled_units)
    }

    /// The list that links exit legs to their entries.
    pub(super) fn read_supers(&mut self, ctx: &mut Context<Self>) {
        let Some(client) = self.caller().filter(|_| !self.reading_supers) else { return };
        self.reading_supers = true;
        if let Err(wait) = self.reads.take() {
            ctx.run_later(wait, |actor, ctx| {
                actor.reading_supers = false;
                actor.read_supers(ctx);
            });
            return;
        }
        let read = async move { client.supers().await };
        ctx.spawn(read.into_actor(self).map(|supers, actor, ctx| {
            actor.reading_supers = false;
            actor.vitals.progressed();
            if let Some(wait) = actor.retries.supers.note_book(&supers) {
                ctx.run_later(wait, Self::read_supers);
            }
            actor.tell_of_unread();
            match supers {
                Ok(supers) => actor.step(Event::Supers(supers.rows), ctx),
                Err(error) => actor.on_read_error(&error, ctx),
            }
        }));
    }

    fn read_forevers(&mut self, ctx: &mut Context<Self>) {
        // A busy budget passes it over: the next read of the book asks again.
        let Some(client) = self.caller().filter(|_| self.reads.take().is_ok()) else { return };
        let started_at = self.params.clock.now();
        let read = async move { client.forevers().await };
        ctx.spawn(read.into_actor(self).map(move |forevers, actor, ctx| {
            actor.vitals.progressed();
            if let Some(wait) = actor.retries.forevers.note_book(&forevers) {
                ctx.run_later(wait, Self::read_forevers);
            }
            actor.tell_of_unread();
            match forevers {
                Ok(forevers) => actor.step(Event::Forevers { started_at, orders: forevers.rows }, ctx),
                Err(error) => actor.on_read_error(&error, ctx),
            }
        }));
    }

    /// Reads the trade book. Wishes that come while a read waits for the budget are met by it, those that come while one
    /// runs by one more: a read tells of all the fills before it.
    pub(super) fn read_trades(&mut self, ctx: &mut Context<Self>) {
        match self.trades {
            Reading::Idle => {}
            Reading::Due | Reading::RunsAndDue => return,
            Reading::Runs => {
                self.trades = Reading::RunsAndDue;
                return;
            }
        }
        let Some(client) = self.caller() else { return };
        let underway = self.params.in_flight.begin();
        if let Err(wait) = self.reads.take() {
            self.trades = Reading::Due;
            ctx.run_later(wait, |actor, ctx| {
                actor.trades = Reading::Idle;
                actor.read_trades(ctx);
                drop(underway);
            });
            return;
        }
        self.trades = Reading::Runs;
        self.trades_read = Some(TradesRead { at: Instant::now(), filled_units: self.filled_units() });
        let read = async move { (client.trades().await, underway) };
        ctx.spawn(read.into_actor(self).map(|(trades, underway), actor, ctx| {
            actor.vitals.progressed();
            let again = actor.trades == Reading::RunsAndDue;
            actor.trades = Reading::Idle;
            if let Some(wait) = actor.retries.trades.note_book(&trades) {
                ctx.run_later(wait, Self::read_trades);
            }
            actor.tell_of_unread();
            actor.on_trades(trades, ctx);
            if again {
                actor.read_trades(ctx);
            }
            drop(underway);
        }));
    }

    fn on_trades(&mut self, trades: Result<Book<TradeReport>, ReadError>, ctx: &mut Context<Self>) {
        match trades {
            Ok(trades) => {
                let rows = trades.rows.len();
                self.step(Event::Trades(trades.rows), ctx);
                let told = (rows, self.filled_units());
                if std::mem::replace(&mut self.trades_told, told) != told {
                    self.read_positions(ctx);
                }
            }
            Err(error) => self.on_read_error(&error, ctx),
        }
    }

    /// A person is told once a read came to nothing often enough, and when each has its answer again.
    pub(super) fn tell_of_unread(&mut self) {
        let failures = self.retries.failures();
        let mut unread = self.retries.unread;
        let (subject, now) = (self.params.account.account.masked(), self.params.clock.now());
        if Trouble::ReadUnanswered.policy().alerting.is_due_after(failures) {
            let text = format!(
                "the account cannot be read: {failures} tries in a row came to nothing, or to a list with a row that cannot be \
                 read. What its stream does not tell is not known meanwhile; it is asked for again for ever, see the log for \
                 what the broker answers"
            );
            unread.raise(&self.voice(), AlertText { kind: UNREAD, subject, text }, now);
        } else if failures == 0 {
            unread.over(&self.voice(), UNREAD, &subject, now);
        }
        self.retries.unread = unread;
    }

    pub(super) fn on_read_error(&mut self, error: &ReadError, ctx: &mut Context<Self>) {
        warn!(follower = %self.id(), %error, "a read of the account failed");
        self.vitals.failed(error);
        self.reads.on_error(error);
        match error {
            ReadError::Refused(_) | ReadError::Busy { .. } => {
                self.tell_breaker(ApiUse::Read, ApiOutcome::Answered);
            }
            ReadError::NotSent { .. } | ReadError::Failed { .. } => {
                self.tell_breaker(ApiUse::Read, ApiOutcome::Failed);
            }
        }
        // What an order is refused for is counted; a read of the account is no order.
        if error.trouble().policy().reaction == Reaction::HaltAccount {
            self.on_credentials_refused(ctx);
        }
    }

    /// The account is halted until its token is another one (P15); nobody else is (P19).
    pub(super) fn on_credentials_refused(&mut self, ctx: &mut Context<Self>) {
        if !self.is_halted() && token_keeper::refused(self, ctx) {
            self.step(Event::Credentials { refused: true }, ctx);
        }
    }
}

impl KeepsToken for FollowerOrderActor {
    fn keeper(&mut self) -> &mut TokenKeeper {
        &mut self.token
    }

    fn is_halted_by_token(&self) -> bool {
        self.caller().is_none()
    }

    fn on_token_taken(&mut self, ctx: &mut Context<Self>) {
        if self.client.is_none() {
            return self.connect_again(ctx);
        }
        if self.is_halted() {
            info!(follower = %self.id(), "the access token was replaced: the account resumes");
            self.step(Event::Credentials { refused: false }, ctx);
            self.over(&Alert::AccountHalted, ctx);
            // What may be opened depends on figures that were not read meanwhile.
            self.read_funds(ctx);
        }
        // What stands on the old token may go silent without a word.
        if self.wants_stream() {
            connect(self, ctx);
        }
        self.read_book_now(ctx);
    }
}
