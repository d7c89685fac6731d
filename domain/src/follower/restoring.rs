//! Taking back what the rows of today say.

use super::absence::Unknown;
use super::{Effect, External, FollowerBook};
use crate::ids::{BrokerOrderId, ClientOrderId};
use crate::mirror::{Answer, ChangeState, Child, Mirror, MirrorEvent, Outcome};
use crate::order::OrderReport;
use crate::order::lifecycle::ChildState;
use crate::time::Timestamp;

impl FollowerBook {
    /// Takes back the mirrors of the day. What was being sent is unknown now (P1). What waited waits again, once the
    /// leader's present state is known (P12): he may have taken it back meanwhile.
    pub fn restore(&mut self, mirrors: Vec<Mirror>, now: Timestamp) -> Vec<Effect> {
        let mut sent: Vec<Timestamp> = Vec::new();
        let mut effects = Vec::new();
        for mut mirror in mirrors {
            mirror.recall();
            mirror.is_stopped |= mirror.outcome != Outcome::Detached && self.is_stopped_for_good(&mirror);
            let id = mirror.leader.broker_order_id.clone();
            let mut lost: Vec<(ClientOrderId, u32)> = Vec::new();
            for child in &mirror.children {
                self.take_back(&id, child);
                sent.extend(child.ts_sent);
                sent.extend(child.ts_changed);
                sent.extend(&child.sent_before);
                if matches!(child.state, ChildState::Sending | ChildState::Unknown) {
                    lost.push((child.client_order_id.clone(), 0));
                    // Until now: a life that was given up may have sent it late.
                    let sent_from = child.ts_sent.unwrap_or(mirror.leader.ts_first_event);
                    self.unknown.insert(child.client_order_id.clone(), Unknown::new(sent_from, now));
                }
                if let Some(request) = &child.request
                    && matches!(request.state, ChangeState::Sending | ChangeState::Unknown)
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
            self.mirrors.insert(id.clone(), mirror);
            for (client_order_id, serial) in lost {
                let event = MirrorEvent::Answer { client_order_id, serial, answer: Answer::Lost };
                if self.drive(&id, event, now, &mut effects).is_ok() {
                    self.commit_mirror(&id, &mut effects);
                }
            }
        }
        sent.sort_unstable();
        for at in sent {
            self.pacer.record(at);
        }
        self.stop_again(now, &mut effects);
        effects
    }

    fn take_back(&mut self, id: &BrokerOrderId, child: &Child) {
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
        self.orders_today += u32::from(child.ts_sent.is_some());
    }

    /// Takes back what is on record of orders that others placed today, and when each was first seen.
    pub fn restore_external(&mut self, orders: impl IntoIterator<Item = (OrderReport, Timestamp)>) {
        for (report, first_seen) in orders {
            let units = report.terms.side.signed(report.cumulative).0;
            let line = self.lines.entry(report.terms.instrument).or_default();
            line.external += units;
            line.move_product(report.terms.product, units);
            let known = External { first_seen, status: report.status, cumulative: report.cumulative };
            self.external.insert(report.broker_order_id, known);
        }
    }
}
