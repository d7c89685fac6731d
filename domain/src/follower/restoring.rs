//! Taking back what the rows of today say.

use super::reconciliation::absence::Unknown;
use super::reconciliation::first::Unread;
use super::{Effect, FollowerBook};
use std::sync::Arc;

use crate::flaw::flawed;
use crate::ids::{BrokerOrderId, ClientOrderId};
use crate::instrument::Instrument;
use crate::mirror::{Answer, Child, Mirror, MirrorEvent, Outcome};
use crate::order::BrokerStatus;
use crate::order::lifecycle::ChildState;
use crate::pacing::Purpose;
use crate::time::Timestamp;

impl FollowerBook {
    /// Takes back which leader orders were copied on an earlier day by orders that may rest at the broker still and were not
    /// carried over into this one: under the keys of today another copy would double them (P2, P29).
    pub fn restore_resting(&mut self, orders: impl IntoIterator<Item = BrokerOrderId>) {
        self.resting.extend(orders);
    }

    /// Takes back the mirrors of the day, and those that were carried into it: these keep the keys of their own. What was being sent is unknown now (P1). What waited waits again, once the
    /// leader's present state is known (P12): he may have taken it back meanwhile. Nothing is opened before the account's
    /// own books were read (P20).
    pub fn restore(&mut self, mirrors: Vec<Mirror>, now: Timestamp) -> Vec<Effect> {
        let mut sent: Vec<Timestamp> = Vec::new();
        let mut effects = Vec::new();
        self.unread = Some(Unread::since(now));
        for mut mirror in mirrors {
            mirror.recall();
            if flawed!(CancelLostInRestart) {
                believe_in_cancels(&mut mirror);
            }
            mirror.is_stopped |= mirror.outcome != Outcome::Detached && self.is_stopped_for_good(&mirror);
            let id = mirror.leader.broker_order_id.clone();
            let mut lost: Vec<(ClientOrderId, u32)> = Vec::new();
            if mirror.leader.trading_day < now.trading_day() {
                self.unheard.insert(id.clone());
            }
            for child in &mirror.children {
                self.take_back(&id, child, now);
                // What nobody has heard of since it was made durable may have left at the last moment (P18).
                let is_open = child.state.is_unanswered();
                let is_asking = child.request.as_ref().is_some_and(|request| request.state.is_unanswered());
                sent.extend(child.ts_sent.map(|at| if is_open { now } else { at }));
                sent.extend(child.ts_changed.map(|at| if is_asking { now } else { at }));
                sent.extend(&child.sent_before);
                if is_open {
                    lost.push((child.client_order_id.clone(), 0));
                    // Until now: a life that was given up may have sent it late.
                    let sent_from = child.ts_sent.unwrap_or(mirror.leader.ts_first_event);
                    let instrument = child.terms.instrument;
                    let doubt = Unknown::inherited(instrument, sent_from, now);
                    self.unknown.insert(child.client_order_id.clone(), doubt);
                    self.restore_doubt(instrument, sent_from, now);
                }
                if let Some(request) = &child.request
                    && request.state.is_unanswered()
                {
                    lost.push((child.client_order_id.clone(), request.serial));
                }
            }
            if mirror.is_in(&self.settings.account)
                && let Some(line) = self.lines.get_mut(&mirror.leader.terms.instrument)
            {
                line.close_carried(i64::try_from(mirror.filled()).unwrap_or(i64::MAX));
            }
            self.count_in(&mirror);
            self.enlist(&id, mirror.leader.terms.instrument);
            self.mirrors.put(id.clone(), mirror);
            let is_news = !lost.is_empty();
            for (client_order_id, serial) in lost {
                let event = MirrorEvent::Answer { client_order_id, serial, answer: Answer::Lost };
                // What is illegal in it was told; the others are unknown all the same.
                let _ = self.drive(&id, event, now, &mut effects);
            }
            // Once for all of them: until then what is not known yet of one looks like news of another.
            if is_news {
                self.commit_mirror(&id, &mut effects);
            }
        }
        sent.extend(self.asked_by_others());
        self.count_rejections();
        sent.sort_unstable();
        for at in sent {
            self.pacer.record(at);
        }
        self.stop_again(now, &mut effects);
        effects
    }

    fn take_back(&mut self, id: &BrokerOrderId, child: &Child, now: Timestamp) {
        self.leader_of.insert(child.client_order_id.clone(), id.clone());
        if let Some(broker_order_id) = &child.broker_order_id {
            self.client_of.insert(broker_order_id.clone(), child.client_order_id.clone());
        }
        for leg in &child.legs {
            self.entry_of_leg.insert(leg.broker_order_id.clone(), child.client_order_id.clone());
        }
        let units = child.terms.side.signed(child.cumulative).0 - child.terms.side.signed(child.closed()).0;
        let instrument = child.terms.instrument;
        *self.positions.entry((instrument, child.terms.product)).or_default() += units;
        let line = self.lines.entry(instrument).or_default();
        line.copied += units;
        line.move_product(child.terms.product, units);
        // That is what it was retired for: the broker bears one exit only for the same units.
        line.refuses_overlap |= child.is_retired
            && child.purpose == Purpose::Exit
            && matches!(child.state, ChildState::Refused | ChildState::Rejected);
        let is_of_today = child.ts_sent.is_some_and(|sent| sent.trading_day() == now.trading_day());
        self.orders_today += u32::from(is_of_today);
    }

    /// What became of each order was counted in the life that heard it. Those in a row that the broker did not take since
    /// the account was last stopped or let trade again count on.
    fn count_rejections(&mut self) {
        let children = self.mirrors.values().flat_map(|mirror| &mirror.children);
        let mut judged: Vec<(Timestamp, ClientOrderId, bool)> = children
            .filter_map(|child| {
                let is_taken = child.status.as_ref().is_some_and(BrokerStatus::is_accepted);
                let is_refused = matches!(child.state, ChildState::Refused | ChildState::Rejected);
                let id = child.client_order_id.clone();
                (is_refused || is_taken).then_some((child.ts_sent?, id, is_refused))
            })
            .collect();
        judged.sort();
        let since = self.trading.since;
        let recent = judged.iter().rev().take_while(|(sent, _, is_refused)| *is_refused && *sent > since);
        self.rejections = u32::try_from(recent.count()).unwrap_or(u32::MAX);
        self.judged.extend(judged.into_iter().map(|(_, id, is_refused)| (id, is_refused)));
    }

    /// Tells what the day's instruments are before anybody speaks of them: what is due at once in a new life keeps to lots
    /// and freeze quantities too.
    pub fn restore_instruments(&mut self, instruments: impl IntoIterator<Item = Instrument>) {
        for instrument in instruments {
            let line = self.lines.entry(instrument.key).or_default();
            line.instrument = Some(Arc::new(instrument));
        }
    }
}

/// The wrong belief of [`crate::flaw`], and nothing else.
fn believe_in_cancels(mirror: &mut Mirror) {
    for child in &mut mirror.children {
        let is_cancelled = child.request.as_deref().is_some_and(|request| request.change.is_full_cancel());
        if is_cancelled && child.is_live() {
            (child.state, child.request) = (ChildState::Cancelled, None);
        }
    }
}
