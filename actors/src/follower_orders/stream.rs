//! The account's own order stream: rejects, fills and a human's hand are seen at once, and not at the next poll.
//!
//! Frames are evidence like rows of the book. What happened while there was no stream the book tells: it is read after each
//! login, and whenever a frame cannot be understood. Polling goes on beside it, less often while the stream is live.

use actix::Context;
use serde_json::{Value, json};
use tandem_dhan::rest::AccountClient;
use tandem_dhan::stream::{StreamError, StreamFrame};
use tandem_domain::order::{BrokerStatus, OrderReport};
use tandem_domain::time::Timestamp;
use tracing::{info, warn};

use super::FollowerOrderActor;
use crate::alerts::Voice;
use crate::order_stream::{LinkState, Listens, OrderStreamLink, connect};

impl FollowerOrderActor {
    /// Begins to listen, if it does not yet and may.
    pub(super) fn start_stream(&mut self, ctx: &mut Context<Self>) {
        if self.stream.state() == LinkState::Off && self.wants_stream() {
            connect(self, ctx);
        }
    }

    /// The stream's part of the actor's health.
    pub(super) fn stream_health(&self) -> [(String, Value); 2] {
        let age =
            self.stream.last_frame().map(|at| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX));
        [
            ("stream".to_owned(), json!(self.stream.state().as_str())),
            ("stream_frame_age_ms".to_owned(), json!(age)),
        ]
    }
}

impl Listens for FollowerOrderActor {
    fn stream(&mut self) -> &mut OrderStreamLink {
        &mut self.stream
    }

    fn client(&self) -> Option<AccountClient> {
        self.client.clone()
    }

    /// Not before there is a book to take the frames. An account whose token is refused is not tried again before it has
    /// another one (P15).
    fn wants_stream(&self) -> bool {
        self.book.is_some() && self.caller().is_some()
    }

    fn voice(&self) -> Voice<'_> {
        Voice { store: &self.params.store, vitals: &self.vitals, follower: Some(self.id()) }
    }

    fn on_connecting(&mut self, _: &mut Context<Self>) {}

    fn on_logged_in(&mut self, ctx: &mut Context<Self>) {
        self.vitals.progressed();
        info!(follower = %self.id(), "listening to the account's own order stream");
        self.trades_read = None;
        self.read_book_now(ctx);
    }

    fn on_frame(&mut self, frame: StreamFrame, ctx: &mut Context<Self>) {
        self.vitals.progressed();
        let mut must_read = false;
        for item in frame.items {
            match item {
                Ok(report) if report.account != self.params.account.account => {}
                Ok(report) => {
                    if let BrokerStatus::Unknown(word) = &report.status {
                        warn!(follower = %self.id(), order = %report.broker_order_id,
                            status = %word, "a frame has a status nobody knows: reading the book");
                        must_read = true;
                    }
                    // The documented form of a frame carries no times (`dhanhq-v2.md` section 5.6): then it is as old as its
                    // arrival.
                    let ts_event = Some(report.ts_event).filter(|at| *at != Timestamp::EPOCH);
                    let ts_event = ts_event.unwrap_or_else(|| self.params.clock.now());
                    self.on_stream_report(OrderReport { ts_event, ..report }, ctx);
                }
                Err(error) => {
                    warn!(follower = %self.id(), %error,
                        "a frame could not be read: reading the book instead");
                    self.vitals.failed(error);
                    must_read = true;
                }
            }
        }
        if must_read {
            self.read_book_now(ctx);
        }
    }

    fn on_lost(&mut self, error: &StreamError, ctx: &mut Context<Self>) {
        warn!(follower = %self.id(), %error,
            "the account's order stream is lost: its book is polled meanwhile");
        self.vitals.failed(error);
        self.poll_when_due(ctx);
    }

    fn on_token_refused(&mut self, ctx: &mut Context<Self>) {
        self.on_credentials_refused(ctx);
    }
}
