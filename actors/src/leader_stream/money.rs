//! What the leader's account holds: his fills, positions and funds, for the record and for the Sizer.

use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, SpawnHandle, WrapFuture};
use tandem_dhan::rest::{Book, ReadError};
use tandem_domain::account::{Funds, PositionReport};
use tandem_domain::order::TradeReport;
use tandem_domain::time::Timestamp;
use tracing::warn;

use super::reading::Wishes;
use super::{LeaderStream, StreamState};
use crate::account::{Holdings, LEADER_INTERVAL, OnRecord, funds_row, holdings, positions_row};
use crate::alerts::{AlertText, close, raise};
use crate::messages::{FundsRead, LeaderPositionsRead};
use crate::records::{submit_quietly, writer};
use crate::store::{Job, Write};

/// The least time between two reads of the trade book.
const TRADES_INTERVAL: Duration = Duration::from_secs(1);
/// How soon it is looked again whether a refused token was replaced.
const REFUSED_INTERVAL: Duration = Duration::from_secs(1);

/// How long the first positions are waited for.
const POSITIONS_PATIENCE: Duration = Duration::from_secs(10);
/// The kind of the incident of positions that cannot be read.
const POSITIONS_UNKNOWN: &str = "leader_positions_unknown";

/// What the leader holds, as far as known.
#[derive(Debug, Default)]
pub(super) struct LeaderHoldings {
    /// The last whole read.
    read: Option<LeaderPositionsRead>,
    on_record: OnRecord<Holdings>,
    funds_on_record: OnRecord<Funds>,
    is_reading: bool,
    read_again: bool,
    /// The next read.
    due: Option<SpawnHandle>,
    /// They were waited for long enough.
    is_given_up: bool,
}

impl LeaderHoldings {
    pub(super) const fn are_known_or_given_up(&self) -> bool {
        self.read.is_some() || self.is_given_up
    }
}

impl LeaderStream {
    pub(super) fn read_trades_soon(&mut self, ctx: &mut Context<Self>) {
        if self.trades_due.is_some() {
            return;
        }
        self.trades_due = Some(ctx.run_later(TRADES_INTERVAL, |stream, ctx| {
            stream.trades_due = None;
            stream.wish(Wishes { trades: true, ..Wishes::default() }, ctx);
        }));
    }

    /// Of a snapshot they are told with its orders: they make sense as a whole only.
    pub(super) fn on_trades(&mut self, trades: Book<TradeReport>, ctx: &mut Context<Self>) {
        for error in &trades.unreadable {
            warn!(%error, "a fill of the leader's could not be read");
            self.vitals.failed(error);
        }
        if self.state == StreamState::Merging {
            self.fills_read.clone_from(&trades.rows);
        } else {
            self.merge_trades(&trades.rows, ctx);
        }
        self.record_trades(trades.rows);
        self.read_positions(ctx);
    }

    /// The order book may be behind the trade book.
    pub(super) fn merge_trades(&mut self, trades: &[TradeReport], ctx: &mut Context<Self>) {
        if self.is_day_over(self.params.clock.now()) {
            return;
        }
        for order in self.book.merge_trades(trades) {
            self.on_changed(order, None, ctx);
        }
    }

    fn record_trades(&mut self, trades: Vec<TradeReport>) {
        let now = self.params.clock.now();
        let trading_day = now.trading_day();
        let todays = trades.into_iter().filter(|trade| trade.is_of(trading_day)).collect();
        let new = self.trades.take_new(todays, trading_day);
        if new.is_empty() {
            return;
        }
        let row = |report| Write::Trade { trading_day, report: Box::new(report), ts_init: now };
        let writes = new.into_iter().map(row).collect();
        let reply = Box::new(|committed: crate::store::Committed| {
            if let Err(error) = committed.result {
                warn!(%error, "the leader's fills were not stored");
            }
        });
        if let Err(error) =
            self.params.store.submit(Job { writer: writer(&self.vitals), writes, in_order: false, reply })
        {
            warn!(%error, "the leader's fills were not stored: they are with the next read");
            self.trades.forget();
        }
    }

    /// Reads the positions, and again after a while. A wish that comes while a read runs is met by one more.
    pub(super) fn read_positions(&mut self, ctx: &mut Context<Self>) {
        if let Some(later) = self.holdings.due.take() {
            ctx.cancel_future(later);
        }
        if self.holdings.is_reading {
            self.holdings.read_again = true;
            return;
        }
        let Some(client) = self.client.clone() else { return };
        if self.state == StreamState::Refused {
            // A refused token is not tried again (P15).
            return self.read_positions_after(REFUSED_INTERVAL, ctx);
        }
        if let Err(wait) = self.reads.take() {
            return self.read_positions_after(wait, ctx);
        }
        self.holdings.is_reading = true;
        let started_at = self.params.clock.now();
        let read = async move { client.positions(started_at).await };
        ctx.spawn(read.into_actor(self).map(move |positions, stream, ctx| {
            stream.vitals.progressed();
            stream.holdings.is_reading = false;
            let wait = stream.on_positions(positions, started_at, ctx);
            if std::mem::take(&mut stream.holdings.read_again) {
                stream.read_positions(ctx);
            } else {
                stream.read_positions_after(wait, ctx);
            }
        }));
    }

    fn read_positions_after(&mut self, wait: Duration, ctx: &mut Context<Self>) {
        self.holdings.due = Some(ctx.run_later(wait, |stream, ctx| {
            stream.holdings.due = None;
            stream.read_positions(ctx);
        }));
    }

    /// Only a read that tells all is handed on. Says when the next is due: the leader's positions are needed.
    fn on_positions(
        &mut self,
        positions: Result<Book<PositionReport>, ReadError>,
        started_at: Timestamp,
        ctx: &mut Context<Self>,
    ) -> Duration {
        let book = match positions {
            Ok(book) => book,
            Err(error) => {
                self.on_read_error(&error, "positions", ctx);
                let wait = self.retries.positions.failed_but_needed(&error);
                self.tell_of_unread();
                return wait;
            }
        };
        for error in &book.unreadable {
            warn!(%error, "a position of the leader's could not be read: his positions count as unknown");
            self.vitals.failed(error);
        }
        if !book.is_complete() {
            let wait = self.retries.positions.unusable_but_needed();
            self.tell_of_unread();
            return wait;
        }
        self.retries.positions.answered();
        self.tell_of_unread();
        let now = self.params.clock.now();
        if self.holdings.on_record.is_news(holdings(&book.rows), now) {
            let row = positions_row(&self.params.account.account, book.rows.clone(), now);
            submit_quietly(&self.params.store, &self.vitals, vec![row]);
        }
        self.holdings.read = Some(LeaderPositionsRead { started_at, positions: book.rows.into() });
        self.announce_positions();
        if std::mem::take(&mut self.holdings.is_given_up) {
            let (kind, subject) = (POSITIONS_UNKNOWN, self.params.account.account.masked());
            close(&self.params.store, &self.vitals, None, kind, &subject, now);
        }
        self.connect_when_ready(ctx);
        LEADER_INTERVAL
    }

    pub(super) fn announce_positions(&self) {
        let (Some(addresses), Some(read)) = (&self.addresses, &self.holdings.read) else { return };
        for follower in &addresses.followers {
            follower.orders.tell(read.clone());
        }
    }

    /// After a while it goes on without them.
    pub(super) fn wait_for_positions(ctx: &mut Context<Self>) {
        ctx.run_later(POSITIONS_PATIENCE, |stream, ctx| {
            if stream.holdings.read.is_some() {
                return;
            }
            stream.holdings.is_given_up = true;
            let alert = AlertText {
                kind: POSITIONS_UNKNOWN,
                subject: stream.params.account.account.masked(),
                text: "the leader's positions cannot be read: copying goes on, and what he held before today counts as nothing until they are; see \
                       the log for what the broker answers"
                    .to_owned(),
            };
            raise(&stream.params.store, &stream.vitals, None, alert, stream.params.clock.now());
            stream.connect_when_ready(ctx);
        });
    }

    pub(super) fn read_funds(&mut self, ctx: &mut Context<Self>) {
        let Some(client) = self.client.clone() else { return };
        if self.state == StreamState::Refused {
            // A refused token is not tried again (P15).
            ctx.run_later(REFUSED_INTERVAL, Self::read_funds);
            return;
        }
        if let Err(wait) = self.reads.take() {
            ctx.run_later(wait, Self::read_funds);
            return;
        }
        let read = async move { client.funds().await };
        ctx.spawn(read.into_actor(self).map(|funds, stream, ctx| {
            let next = match &funds {
                Ok(_) => {
                    stream.retries.funds.answered();
                    LEADER_INTERVAL
                }
                // Before the first figures nothing may be sized.
                Err(error) => stream.retries.funds.failed_but_needed(error),
            };
            stream.on_funds(funds, ctx);
            stream.tell_of_unread();
            ctx.run_later(next, Self::read_funds);
        }));
    }

    fn on_funds(&mut self, funds: Result<Funds, ReadError>, ctx: &mut Context<Self>) {
        self.vitals.progressed();
        let account = self.params.account.account.clone();
        let funds = match funds {
            Ok(funds) => {
                let (is_first, now) = (self.funds.is_none(), self.params.clock.now());
                if self.holdings.funds_on_record.is_news(funds, now) {
                    let row = funds_row(&account, funds, is_first, now);
                    submit_quietly(&self.params.store, &self.vitals, vec![row]);
                }
                Some(funds)
            }
            Err(error) => {
                self.on_read_error(&error, "funds", ctx);
                None
            }
        };
        self.funds = Some(FundsRead { account, funds });
        self.announce_funds();
    }

    pub(super) fn announce_funds(&self) {
        if let (Some(addresses), Some(read)) = (&self.addresses, &self.funds) {
            addresses.sizer.tell(read.clone());
        }
    }
}
