//! What the leader's account holds: his fills, positions and funds, for the record and for the Sizer.

use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tandem_dhan::rest::{Book, ReadError};
use tandem_domain::account::Funds;
use tandem_domain::order::TradeReport;
use tracing::warn;

use super::{LeaderStream, StreamState};
use crate::account::{FUNDS_INTERVAL, funds_row, is_credentials_refusal, positions_row};
use crate::messages::FundsRead;
use crate::order_stream::Listens;
use crate::records::{submit_quietly, writer};
use crate::store::{Job, Write};

/// The least time between two reads of the trade book.
const TRADES_INTERVAL: Duration = Duration::from_secs(1);
/// Delay before funds that could not be read are asked for again: before the first figures nothing may be sized.
const FUNDS_RETRY: Duration = Duration::from_secs(1);

impl LeaderStream {
    pub(super) fn read_trades_soon(&mut self, ctx: &mut Context<Self>) {
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
            Ok(trades) => self.record_trades(trades.rows),
            Err(error) => {
                warn!(%error, "the leader's trade book could not be read");
                self.vitals.failed(error);
            }
        }
    }

    fn record_trades(&mut self, trades: Vec<TradeReport>) {
        let now = self.params.clock.now();
        let trading_day = now.trading_day();
        let new = self.trades.take_new(trades, trading_day);
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
        if let Err(error) = self.params.store.submit(Job { writer: writer(&self.vitals), writes, reply }) {
            warn!(%error, "the leader's fills were not stored: they are with the next read");
            self.trades.forget();
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

    pub(super) fn read_funds(&mut self, ctx: &mut Context<Self>) {
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

    pub(super) fn announce_funds(&self) {
        if let (Some(addresses), Some(read)) = (&self.addresses, &self.funds) {
            addresses.sizer.tell(read.clone());
        }
    }
}
