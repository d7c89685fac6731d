//! What the account holds: its positions and its money, read on a period and whenever the book wants to know.

use std::time::{Duration, Instant};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tandem_dhan::rest::{Book, ReadError};
use tandem_domain::account::{Funds, PositionReport};
use tandem_domain::breaker::{ApiOutcome, ApiUse};
use tandem_domain::follower::Event;
use tandem_domain::time::Timestamp;
use tracing::warn;

use super::FollowerOrderActor;
use super::reads::Reading;
use crate::account::{funds_row, holdings, positions_row};
use crate::messages::FundsRead;
use crate::records::submit_quietly;

/// The least time between two reads of the positions.
const POSITIONS_SPACING: Duration = Duration::from_secs(1);

impl FollowerOrderActor {
    /// Reads the positions, and again after a while. A wish that comes while a read runs is met by one more: what that
    /// one is answered may be older than the reason for the wish.
    pub(super) fn read_positions(&mut self, ctx: &mut Context<Self>) {
        match self.positions {
            Reading::Idle => {}
            Reading::Due | Reading::RunsAndDue => return,
            Reading::Runs => {
                self.positions = Reading::RunsAndDue;
                return;
            }
        }
        let Some(client) = self.caller() else {
            self.on_positions_seen();
            return self.read_positions_after(self.params.polls.positions, ctx);
        };
        // The broker's rows follow fills after a moment: two reads that agree say something only if they are apart.
        let apart = POSITIONS_SPACING.min(self.params.polls.positions);
        let too_soon = self.positions_begun.and_then(|begun| apart.checked_sub(begun.elapsed()));
        let wait = too_soon.filter(|wait| !wait.is_zero()).map_or_else(|| self.reads.take(), Err);
        if let Err(wait) = wait {
            self.positions = Reading::Due;
            ctx.run_later(wait, |actor, ctx| {
                actor.positions = Reading::Idle;
                actor.read_positions(ctx);
            });
            return;
        }
        self.positions = Reading::Runs;
        self.positions_begun = Some(Instant::now());
        let started_at = self.params.clock.now();
        let read = async move { client.positions(started_at).await };
        ctx.spawn(read.into_actor(self).map(move |positions, actor, ctx| {
            actor.vitals.progressed();
            crate::fault_point!(FollowerPositionsRead, ctx);
            let again = actor.positions == Reading::RunsAndDue;
            actor.positions = Reading::Idle;
            let retry = actor.retries.positions.note_book(&positions);
            actor.tell_of_unread();
            actor.on_positions(positions, started_at, ctx);
            actor.on_positions_seen();
            if again {
                actor.read_positions(ctx);
            } else {
                let turn = actor.params.polls.positions;
                actor.read_positions_after(retry.unwrap_or(turn).min(turn), ctx);
            }
        }));
    }

    fn read_positions_after(&mut self, wait: Duration, ctx: &mut Context<Self>) {
        if let Some(other) = self.positions_due.take() {
            ctx.cancel_future(other);
        }
        self.positions_due = Some(ctx.run_later(wait, |actor, ctx| {
            actor.positions_due = None;
            actor.read_positions(ctx);
        }));
    }

    /// Only a read that tells all is believed: what is missing in it would look like sold.
    fn on_positions(
        &mut self,
        positions: Result<Book<PositionReport>, ReadError>,
        started_at: Timestamp,
        ctx: &mut Context<Self>,
    ) {
        let book = match positions {
            Ok(book) => book,
            Err(error) => return self.on_read_error(&error, ctx),
        };
        self.tell_breaker(ApiUse::Read, ApiOutcome::Answered);
        for error in &book.unreadable {
            warn!(follower = %self.id(), %error, "a position could not be read: the positions count as unknown");
            self.vitals.failed(error);
        }
        if !book.is_complete() {
            return;
        }
        let (positions, now) = (book.rows, self.params.clock.now());
        if self.positions_on_record.is_news(holdings(&positions), now) {
            let row = positions_row(&self.params.account.account, positions.clone(), now);
            submit_quietly(&self.params.store, &self.vitals, vec![row]);
        }
        self.step(Event::Positions { started_at, positions }, ctx);
    }

    /// Reads the funds, and again after a while.
    pub(super) fn read_funds(&mut self, ctx: &mut Context<Self>) {
        let Some(client) = self.caller() else {
            return self.read_funds_after(self.params.polls.funds, ctx);
        };
        if let Err(wait) = self.reads.take() {
            return self.read_funds_after(wait, ctx);
        }
        let started_at = self.params.clock.now();
        let read = async move { client.funds().await };
        ctx.spawn(read.into_actor(self).map(move |funds, actor, ctx| {
            actor.vitals.progressed();
            let (retry, turn) = (actor.retries.funds.note(&funds), actor.params.polls.funds);
            actor.tell_of_unread();
            actor.on_funds(funds, started_at, ctx);
            actor.read_funds_after(retry.unwrap_or(turn).min(turn), ctx);
        }));
    }

    /// The next read of the funds, in the place of one that is due.
    fn read_funds_after(&mut self, wait: Duration, ctx: &mut Context<Self>) {
        if let Some(due) = self.funds_due.replace(ctx.run_later(wait, Self::read_funds)) {
            ctx.cancel_future(due);
        }
    }

    fn on_funds(&mut self, funds: Result<Funds, ReadError>, started_at: Timestamp, ctx: &mut Context<Self>) {
        let funds = match funds {
            Ok(funds) => funds,
            Err(error) => {
                self.on_read_error(&error, ctx);
                return self.on_funds_unread();
            }
        };
        self.tell_breaker(ApiUse::Read, ApiOutcome::Answered);
        self.end_frequent();
        let (is_first, now) = (self.last_funds.is_none(), self.params.clock.now());
        if self.funds_on_record.is_news(funds, now) {
            let row = funds_row(&self.params.account.account, funds, is_first, now);
            submit_quietly(&self.params.store, &self.vitals, vec![row]);
        }
        self.last_funds = Some((started_at, funds));
        self.announce_funds(Some(funds));
        self.step(Event::Funds { started_at, funds }, ctx);
    }

    pub(super) fn on_funds_unread(&mut self) {
        self.announce_funds(None);
    }

    fn announce_funds(&mut self, funds: Option<Funds>) {
        let read = FundsRead { account: self.params.account.account.clone(), funds };
        if let Some(addresses) = &self.addresses {
            addresses.sizer.tell(read.clone());
        }
        self.funds = Some(read);
    }
}
