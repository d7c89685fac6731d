//! A stream that stands, answers pings, and does not tell what the order book tells (P14).
//!
//! Ours to see only by comparing: the periodic read finds an order that is new, or has another status or other fills, and
//! no frame of whatever order comes for a while after. Then everything has been copied late, by as much as the book is
//! read seldom. The stream is connected anew, and a person is told until a frame comes.

use std::time::{Duration, Instant};

use actix::Context;
use tandem_domain::leader::LeaderOrder;
use tracing::warn;

use super::{LeaderStream, StreamState};
use crate::alerts::{AlertText, Standing};
use crate::order_stream::{Listens as _, connect};

/// How much later than the book a frame may come. Real time: it is the network that is waited for.
const LATENESS_MAX: Duration = Duration::from_secs(5);
/// The kind of the alert.
const SILENT: &str = "leader_stream_silent";

/// What the present session owes.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// When the book told something that no frame had told, nor any since.
    owes_since: Option<Instant>,
    alert: Standing,
}

impl Silence {
    /// A session begins: it owes nothing yet.
    pub(super) const fn forgive(&mut self) {
        self.owes_since = None;
    }
}

impl LeaderStream {
    /// A frame came: the stream tells.
    pub(super) fn hears_frame(&mut self) {
        self.silence.forgive();
        if self.silence.alert == Standing::Over {
            return;
        }
        let mut alert = std::mem::take(&mut self.silence.alert);
        let (subject, now) = (self.params.account.account.masked(), self.params.clock.now());
        alert.over(&self.voice(), SILENT, &subject, now);
        self.silence.alert = alert;
    }

    /// The book told a change of an order that was so before.
    pub(super) fn compare_with_stream(&mut self, before: Option<&LeaderOrder>, after: &LeaderOrder) {
        let is_same =
            |before: &LeaderOrder| before.status == after.status && before.cumulative == after.cumulative;
        if self.state == StreamState::Live && !before.is_some_and(is_same) {
            self.silence.owes_since.get_or_insert_with(Instant::now);
        }
    }

    /// After each read of the book: begins a new session where this one has told nothing for too long.
    pub(super) fn leave_silent_stream(&mut self, ctx: &mut Context<Self>) {
        let is_silent = self.silence.owes_since.is_some_and(|since| since.elapsed() > LATENESS_MAX);
        if self.state != StreamState::Live || !is_silent {
            return;
        }
        warn!("the order book tells what the leader's stream does not: it connects anew");
        let text = "the leader's order stream is connected and does not tell what his order book tells: what he does is \
                    copied by the periodic read of the book, later; it connects anew each time this is seen"
            .to_owned();
        let told = AlertText { kind: SILENT, subject: self.params.account.account.masked(), text };
        let mut alert = std::mem::take(&mut self.silence.alert);
        alert.raise(&self.voice(), told, self.params.clock.now());
        self.silence.alert = alert;
        connect(self, ctx);
    }
}
