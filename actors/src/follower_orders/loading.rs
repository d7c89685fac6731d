//! The beginning of a life: the book is rebuilt from the rows of the day, and from what earlier days left.

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tandem_domain::follower::{Event, FollowerBook};
use tracing::info;

use super::{FollowerOrderActor, LeaderVoice};
use crate::records::Circumstances;
use crate::restored::Day;
use crate::store::ReaderError;

impl FollowerOrderActor {
    pub(super) fn load(&mut self, ctx: &mut Context<Self>) {
        let (reader, instruments) = (self.params.reader.clone(), self.params.instruments.clone());
        let (day, follower) = (self.params.clock.now().trading_day(), self.id().clone());
        let account = self.params.account.account.clone();
        self.day = Some(day);
        // Reading blocks: never on the arbiter that serves sockets.
        let reading = actix_rt::task::spawn_blocking(move || {
            Day::read(&reader, day, &follower, &account, &instruments)
        });
        ctx.spawn(reading.into_actor(self).map(|rows, actor, ctx| match rows {
            Ok(Ok(day)) => actor.on_loaded(day, ctx),
            Ok(Err(error)) => actor.give_up(&error, ctx),
            Err(error) => {
                actor.vitals.dying_of(error);
                actix::ActorContext::stop(ctx);
            }
        }));
    }

    fn give_up(&mut self, error: &ReaderError, ctx: &mut Context<Self>) {
        self.vitals.dying_of(format!("read the rows of the day: {error}"));
        actix::ActorContext::stop(ctx);
    }

    fn on_loaded(&mut self, day: Day, ctx: &mut Context<Self>) {
        crate::fault_point!(FollowerLoaded, ctx);
        info!(follower = %self.id(), generation = self.vitals.generation, mirrors = day.mirrors(),
            openings = day.openings.len(), "follower's day loaded");
        let mut book = FollowerBook::new(self.params.settings.clone());
        let now = self.params.clock.now();
        book.step(Event::LeaderHeard(self.leader == LeaderVoice::Heard), now);
        let effects = day.restore(&mut book, now);
        self.enter_trading(book.trading());
        self.book = Some(book);
        self.run(effects, &Circumstances { now, news: None }, ctx);
        crate::fault_point!(FollowerRestored, ctx);
        self.tell_what_came_before(ctx);
        if self.client.is_some() {
            self.start_stream(ctx);
            self.read_book_now(ctx);
            self.read_positions(ctx);
        } else {
            self.on_book_seen();
            self.on_positions_seen();
        }
    }

    /// What was told while the rows were still being read; the plans last.
    fn tell_what_came_before(&mut self, ctx: &mut Context<Self>) {
        if self.client.is_none() {
            self.step(Event::Credentials { refused: true }, ctx);
        }
        self.step(Event::Breaker { open: self.breaker_open }, ctx);
        if self.draining {
            self.step(Event::Stop, ctx);
        }
        if let Some((started_at, funds)) = self.last_funds {
            self.step(Event::Funds { started_at, funds }, ctx);
        }
        if let Some(read) = self.leader_positions.take() {
            self.take_leader_positions(&read, ctx);
        }
        self.take_early_controls(ctx);
        self.step(Event::Together(true), ctx);
        for plan in std::mem::take(&mut self.early) {
            self.take_plan(plan, ctx);
        }
        self.step(Event::Together(false), ctx);
        self.step(Event::Tick, ctx);
    }
}
