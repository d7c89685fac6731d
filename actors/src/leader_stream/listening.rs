//! The leader's connection and his token: what is buffered, what is lost, what is refused.

use std::time::{Duration, Instant};

use actix::{AsyncContext, Context};
use tandem_dhan::rest::AccountClient;
use tandem_dhan::stream::{StreamError, StreamFrame};
use tracing::{info, warn};

use super::{LeaderStream, StreamState};
use crate::alerts::{AlertText, raise};
use crate::order_stream::{Listens, OrderStreamLink};

/// Frames kept while the books are read: minutes of a very busy day, a few tens of megabytes. Past it the oldest is
/// taken in at once: a book that cannot be read for so long must neither fill the memory nor cost an order.
const BUFFERED_FRAMES_MAX: usize = 10_000;
/// How often a refused token is looked at again.
const TOKEN_CHECK_INTERVAL: Duration = Duration::from_secs(5);

impl Listens for LeaderStream {
    fn stream(&mut self) -> &mut OrderStreamLink {
        &mut self.link
    }

    fn client(&self) -> Option<AccountClient> {
        self.client.clone()
    }

    fn wants_stream(&self) -> bool {
        self.state.reads()
    }

    fn on_connecting(&mut self, _: &mut Context<Self>) {
        self.buffered.clear();
        self.enter(StreamState::Connecting);
    }

    fn on_logged_in(&mut self, ctx: &mut Context<Self>) {
        self.vitals.progressed();
        self.enter(StreamState::Merging);
        self.read_snapshot(ctx);
    }

    fn on_frame(&mut self, frame: StreamFrame, ctx: &mut Context<Self>) {
        self.vitals.progressed();
        match self.state {
            StreamState::Drained => {}
            StreamState::Merging => {
                if self.buffered.len() >= BUFFERED_FRAMES_MAX
                    && let Some(oldest) = self.buffered.pop_front()
                {
                    self.take_in(oldest, ctx);
                }
                self.buffered.push_back(frame);
            }
            _ => self.take_in(frame, ctx),
        }
    }

    fn on_lost(&mut self, error: &StreamError, _: &mut Context<Self>) {
        if matches!(self.state, StreamState::Drained | StreamState::Refused) {
            return;
        }
        warn!(%error, "leader stream ended");
        self.vitals.failed(error);
        self.buffered.clear();
        self.enter(StreamState::Lost);
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
        self.link.end(ctx);
        self.buffered.clear();
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
}

impl LeaderStream {
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
                stream.connect_when_ready(ctx);
            } else {
                Self::await_new_token(ctx);
            }
        });
    }
}
