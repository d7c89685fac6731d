//! From reports to the leader's book, and from the book to whoever copies.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use actix::Context;
use tandem_dhan::stream::StreamFrame;
use tandem_dhan::wire::WireError;
use tandem_domain::leader::{LeaderOrder, Merge};
use tandem_domain::order::{BrokerStatus, OrderReport};
use tandem_domain::time::Timestamp;
use tracing::warn;

use super::LeaderStream;
use super::reading::Wishes;
use crate::alerts::{AlertText, raise};
use crate::in_flight::Underway;
use crate::messages::{LeaderHeard, LeaderOrderChanged, Together};
use crate::sizer::Sizer;
use crate::vitals::Mailbox;

impl LeaderStream {
    pub(super) fn take_in(&mut self, frame: StreamFrame, ctx: &mut Context<Self>) {
        crate::fault_point!(LeaderFrameReceived, ctx);
        let mut wishes = Wishes::default();
        for item in frame.items {
            match item {
                Ok(report) => {
                    if let BrokerStatus::Unknown(word) = &report.status {
                        warn!(order = %report.broker_order_id, status = %word,
                            "a frame of the leader's stream has a status nobody knows: reading the book");
                        wishes.orders = true;
                    }
                    wishes = wishes.and(self.merge(&report, Some(frame.received), ctx));
                }
                Err(error) => {
                    warn!(%error, "a frame of the leader's stream could not be read: reading the book instead");
                    self.vitals.failed(error);
                    wishes.orders = true;
                }
            }
        }
        self.wish(wishes, ctx);
    }

    /// A frame that cannot be read is made good by the book. An order that cannot be read there either is not copied: a
    /// person must know, once, and not only the log at each poll.
    pub(super) fn on_unreadable(&mut self, error: &WireError) {
        warn!(%error, "a row of the leader's account could not be read");
        let Some(order) = &error.order else { return };
        if !self.unreadable.insert(order.clone()) {
            return;
        }
        self.alert(
            "leader_order_unreadable",
            order.to_string(),
            format!(
                "an order of the leader cannot be read ({error}): it may not be copied; look at it in both accounts"
            ),
        );
    }

    pub(super) fn alert(&self, kind: &'static str, subject: String, text: String) {
        let alert = AlertText { kind, subject, text };
        raise(&self.params.store, &self.vitals, None, alert, self.params.clock.now());
    }

    /// Takes one report in; says what must be read to make sense of it.
    pub(super) fn merge(
        &mut self,
        report: &OrderReport,
        received: Option<Instant>,
        ctx: &mut Context<Self>,
    ) -> Wishes {
        if report.account != self.params.account.account {
            return Wishes::default();
        }
        self.params.clock.hear_of(report.ts_event);
        let now = self.params.clock.now();
        let mut wishes = Wishes::default();
        if self.is_day_over(now) {
            return wishes;
        }
        // The documented form of a frame carries no times (`dhanhq-v2.md` section 5.6): then it is as old as its arrival.
        let timed;
        let report = if report.ts_event == Timestamp::EPOCH {
            timed = OrderReport { ts_event: now, ..report.clone() };
            &timed
        } else {
            report
        };
        // A frame has nothing to be compared with.
        let compared = received.is_none().then(|| self.book.get(&report.broker_order_id).cloned());
        match self.book.merge(report, now) {
            Merge::Changed(order) => {
                if let Some(before) = compared {
                    self.compare_with_stream(before.as_deref(), &order);
                }
                self.on_changed(order, received, ctx);
            }
            Merge::Unchanged => {}
            Merge::Contradiction => wishes.orders = true,
            Merge::NeedsSupers(order) => {
                wishes.supers = true;
                if let Some(order) = order {
                    self.on_changed(order, received, ctx);
                }
            }
            Merge::NeedsForevers => wishes.forevers = true,
        }
        wishes
    }

    pub(super) fn on_changed(
        &mut self,
        order: Arc<LeaderOrder>,
        received: Option<Instant>,
        ctx: &mut Context<Self>,
    ) {
        let has_fills = !order.cumulative.is_zero() || !order.exited.is_zero();
        self.publish(order, received);
        if has_fills {
            self.read_trades_soon(ctx);
        }
    }

    /// What is told once the day is over is the next one's, whose actors hear it themselves: they know what was carried over
    /// into it, and by which keys (P29). A day only grows.
    pub(super) fn is_day_over(&self, now: Timestamp) -> bool {
        self.book.trading_day() < now.trading_day()
    }

    pub(super) fn is_present_generation(&self) -> bool {
        self.params.fence.load(Ordering::Acquire) == self.vitals.generation
    }

    /// Who is told what he does, and that it is under way; none where another life of this actor tells.
    fn sizer(&self) -> Option<(&Mailbox<Sizer>, Arc<Underway>)> {
        if !self.is_present_generation() {
            return None;
        }
        let addresses = self.addresses.as_ref()?;
        Some((&addresses.sizer, Arc::new(self.params.in_flight.begin())))
    }

    fn publish(&self, order: Arc<LeaderOrder>, received: Option<Instant>) {
        if let Some((sizer, underway)) = self.sizer() {
            sizer.tell(LeaderOrderChanged { order, received, underway });
        }
    }

    pub(super) fn publish_all(&self) {
        self.tell_together(true);
        for order in self.book.iter() {
            self.publish(Arc::clone(order), None);
        }
        self.tell_together(false);
        self.tell_heard();
    }

    /// Neither his stream nor his book tells any more what he does.
    pub(super) fn goes_unheard(&mut self) {
        if self.unheard_since.is_none() {
            self.unheard_since = Some(self.params.clock.now());
            self.tell_heard();
        }
    }

    /// All that he did until this moment has been told.
    pub(super) fn is_heard_at(&mut self, moment: Timestamp) {
        if self.unheard_since.is_some_and(|since| moment >= since) {
            self.unheard_since = None;
            self.tell_heard();
        }
    }

    fn tell_heard(&self) {
        if let Some((sizer, underway)) = self.sizer() {
            sizer.tell(LeaderHeard { is_heard: self.unheard_since.is_none(), underway });
        }
    }

    /// What is told between makes sense as a whole only.
    pub(super) fn tell_together(&self, begins: bool) {
        if let Some((sizer, underway)) = self.sizer() {
            sizer.tell(Together { begins, underway });
        }
    }
}
