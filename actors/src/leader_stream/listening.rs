//! The leader's connection and his token: what is buffered, what is lost, what is refused.

use actix::Context;
use tandem_dhan::rest::AccountClient;
use tandem_dhan::stream::{StreamError, StreamFrame};
use tracing::{info, warn};

use super::{LeaderStream, StreamState};
use crate::alerts::{AlertText, Voice, close, raise};
use crate::order_stream::{Listens, OrderStreamLink, connect};
use crate::token_keeper::{self, KeepsToken, TokenKeeper};

/// Frames kept while the books are read: minutes of a very busy day, a few tens of megabytes. Past it the oldest is
/// taken in at once: a book that cannot be read for so long must neither fill the memory nor cost an order.
const BUFFERED_FRAMES_MAX: usize = 10_000;
/// The kind of the alert of a refused token.
const TOKEN_REFUSED: &str = "leader_token_refused";

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

    fn voice(&self) -> Voice<'_> {
        Voice { store: &self.params.store, vitals: &self.vitals, follower: None }
    }

    fn on_connecting(&mut self, _: &mut Context<Self>) {
        self.buffered.clear();
        self.silence.forgive();
        self.enter(StreamState::Connecting);
    }

    fn on_logged_in(&mut self, ctx: &mut Context<Self>) {
        self.vitals.progressed();
        crate::fault_point!(LeaderLoggedIn, ctx);
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
        self.hears_frame();
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
        if !token_keeper::refused(self, ctx) {
            return;
        }
        self.link.end(ctx);
        self.buffered.clear();
        self.enter(StreamState::Refused);
        let alert = AlertText {
            kind: TOKEN_REFUSED,
            subject: self.params.account.account.masked(),
            text: "the broker refuses the leader's access token: nothing is copied until it is replaced"
                .to_owned(),
        };
        raise(&self.params.store, &self.vitals, None, alert, self.params.clock.now());
    }
}

impl KeepsToken for LeaderStream {
    fn keeper(&mut self) -> &mut TokenKeeper {
        &mut self.token
    }

    fn is_halted_by_token(&self) -> bool {
        self.state == StreamState::Refused
    }

    fn on_token_taken(&mut self, ctx: &mut Context<Self>) {
        match self.state {
            StreamState::Refused => {
                info!("the leader's access token was replaced");
                let (subject, now) = (self.params.account.account.masked(), self.params.clock.now());
                close(&self.params.store, &self.vitals, None, TOKEN_REFUSED, &subject, now);
                self.enter(StreamState::Waiting);
                if self.client.is_none() {
                    // It can be read now, or it is a fault that the next look finds again.
                    match self.params.account.connect() {
                        Ok(client) => self.begin_reading(client, ctx),
                        Err(_) => return self.enter(StreamState::Refused),
                    }
                }
                self.connect_when_ready(ctx);
            }
            StreamState::Waiting | StreamState::Drained => {}
            // What stands on the old token may go silent without a word.
            StreamState::Connecting | StreamState::Merging | StreamState::Live | StreamState::Lost => {
                connect(self, ctx);
            }
        }
    }
}
