//! What the broker says: answers to requests, its book, lookups, fills; and what that proves (P3, P4, P9).

use std::collections::hash_map::Entry;

use super::planning::purpose_of;
use super::{Alert, BookRead, Effect, FollowerBook, Record, absence, fills};
use crate::ids::{BrokerOrderId, ClientOrderId, DhanClientId, Tag};
use crate::mirror::{Child, ChildReport, MirrorEvent, PlaceAnswer};
use crate::order::{BrokerStatus, EvidenceSource, Leg, OrderReport, TradeReport};
use crate::pacing::Purpose;
use crate::time::Timestamp;

/// How often one order is sent, its absence proven in between, before a person must look.
const ATTEMPTS_MAX: u16 = 3;

impl FollowerBook {
    pub(super) fn on_answer(
        &mut self,
        client_order_id: &ClientOrderId,
        answer: PlaceAnswer,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let Some(id) = self.leader_of.get(client_order_id).cloned() else { return };
        // A doubled answer to an earlier attempt says nothing of the one under way (P24).
        let of_last = self.mirrors.get(&id).and_then(|mirror| mirror.children.last());
        if of_last.is_none_or(|child| child.client_order_id != *client_order_id) {
            return;
        }
        let busy = answer == PlaceAnswer::Busy;
        let not_sent = answer == PlaceAnswer::NotSent;
        if busy {
            self.pacer.pause(now.plus(self.settings.busy_pause));
        }
        let accepted = match &answer {
            PlaceAnswer::Accepted(broker_order_id) => Some(broker_order_id.clone()),
            _ => None,
        };
        if self.drive(&id, MirrorEvent::Answer(answer), now, effects).is_err() {
            return;
        }
        if busy && let Some(unknown) = self.unknown.get_mut(client_order_id) {
            unknown.worth_sending_again = true;
        }
        if not_sent {
            self.queue.hold(&id, now.plus(self.settings.resend_delay));
        }
        let Some(mirror) = self.mirrors.get_mut(&id) else { return };
        let mut records = vec![Record::mapping(mirror, &self.settings.follower)];
        records.extend(Record::intents(mirror));
        // Once the broker has reported the order itself, its acceptance is old news.
        let unreported = mirror.attempt(client_order_id).filter(|child| child.status.is_none());
        if let (Some(broker_order_id), Some(child)) = (accepted, unreported) {
            let report = taken(&self.settings.account, broker_order_id, child, now);
            records
                .push(Record::Order { client_order_id: client_order_id.clone(), report: Box::new(report) });
        }
        effects.push(Effect::Commit { records, then: None });
    }

    pub(super) fn on_report(&mut self, report: &OrderReport, now: Timestamp, effects: &mut Vec<Effect>) {
        let ours = report.tag.as_ref().and_then(|tag| ClientOrderId::new(tag.as_str()).ok());
        let by_id = self.client_of.get(&report.broker_order_id).cloned();
        let Some(client_order_id) = by_id.or(ours) else {
            self.external.entry(report.broker_order_id.clone()).or_insert(now);
            return;
        };
        let Some(id) = self.leader_of.get(&client_order_id).cloned() else {
            // Another installation's copy, or a record that was lost: shown once, never touched.
            if let Entry::Vacant(unseen) = self.external.entry(report.broker_order_id.clone()) {
                unseen.insert(now);
                self.unrecorded.insert(client_order_id);
                effects.push(Effect::Alert(Alert::Unrecorded(report.broker_order_id.clone())));
            }
            return;
        };
        let of_ours = self.mirrors.get(&id).and_then(|mirror| mirror.attempt(&client_order_id));
        let other_id = of_ours.and_then(|child| child.broker_order_id.as_ref());
        if other_id.is_some_and(|known| *known != report.broker_order_id) {
            if let Entry::Vacant(unseen) = self.external.entry(report.broker_order_id.clone()) {
                unseen.insert(now);
                effects.push(Effect::Alert(Alert::Duplicate(report.broker_order_id.clone())));
            }
            return;
        }
        let before = self.mirrors.get(&id).map(|mirror| mirror.children.clone());
        let news = ChildReport {
            client_order_id: client_order_id.clone(),
            broker_order_id: report.broker_order_id.clone(),
            status: report.status.clone(),
            cumulative: report.cumulative,
            average_price: report.average_price,
            reason: report.reason.clone(),
        };
        let taken = self.drive(&id, MirrorEvent::Report(news), now, effects);
        let Some(mirror) = self.mirrors.get_mut(&id) else { return };
        if taken.is_err() || before.as_ref() == Some(&mirror.children) {
            return;
        }
        let had_ended = before.iter().flatten().find(|child| child.client_order_id == client_order_id);
        if had_ended.is_some_and(Child::was_given_up) {
            effects.push(Effect::Alert(Alert::AppearedLate(client_order_id.clone())));
        }
        let follower = &self.settings.follower;
        let mut records = vec![Record::mapping(mirror, follower)];
        records.extend(Record::intents(mirror));
        records.push(Record::Order { client_order_id, report: Box::new(report.clone()) });
        // The row's newest change, as on the leader's side: its exchange time is when the order first got there.
        records.extend(fills(mirror, follower, Some(report.ts_event)));
        effects.push(Effect::Commit { records, then: None });
    }

    pub(super) fn on_not_found(&mut self, client_order_id: ClientOrderId, effects: &mut Vec<Effect>) {
        if let Some(unknown) = self.unknown.get_mut(&client_order_id) {
            let after = unknown.next_lookup(self.settings.lookup_first, self.settings.lookup_max);
            effects.push(Effect::Lookup { client_order_id, after });
        }
    }

    pub(super) fn on_book(&mut self, read: BookRead, now: Timestamp, effects: &mut Vec<Effect>) {
        for report in &read.orders {
            self.on_report(report, now, effects);
        }
        let proven = absence::judge(
            &read,
            &mut self.unknown,
            &absence::Surroundings {
                mirrors: &self.mirrors,
                leader_of: &self.leader_of,
                client_of: &self.client_of,
                external: &self.external,
                settle: self.settings.settle,
            },
        );
        for look_alike in proven.look_alikes {
            effects.push(Effect::Alert(Alert::LookAlike(look_alike)));
        }
        for (client_order_id, worth_sending_again) in proven.absent {
            let Some(id) = self.leader_of.get(&client_order_id).cloned() else { continue };
            let again = self.mirrors.get(&id).is_some_and(|mirror| {
                let Some(child) = mirror.child() else { return false };
                let purpose = child.purpose.max(purpose_of(&self.positions, &child.terms));
                let wanted = purpose == Purpose::Exit || worth_sending_again;
                if wanted && child.key.attempt >= ATTEMPTS_MAX {
                    effects.push(Effect::Alert(Alert::ExitGivenUp(client_order_id.clone())));
                    return false;
                }
                wanted && self.entry_denial(&mirror.leader, purpose, now).is_none()
            });
            if self.drive(&id, MirrorEvent::ProvenAbsent { again }, now, effects).is_ok() {
                self.unknown.remove(&client_order_id);
                self.commit_mirror(&id, effects);
            }
        }
    }

    pub(super) fn on_trades(&mut self, trades: Vec<TradeReport>, effects: &mut Vec<Effect>) {
        let ours = trades.into_iter().filter(|trade| self.client_of.contains_key(&trade.broker_order_id));
        let new = ours.filter(|trade| self.known_trades.insert(trade.trade_id.clone()));
        let records: Vec<Record> = new.map(Record::Trade).collect();
        if !records.is_empty() {
            effects.push(Effect::Commit { records, then: None });
        }
    }
}

/// What an acceptance tells of an order before the broker's book shows it.
fn taken(
    account: &DhanClientId,
    broker_order_id: BrokerOrderId,
    child: &Child,
    now: Timestamp,
) -> OrderReport {
    OrderReport {
        account: account.clone(),
        broker_order_id,
        exchange_order_id: None,
        tag: Some(Tag::from(&child.client_order_id)),
        terms: child.terms.clone(),
        status: BrokerStatus::Transit,
        cumulative: child.cumulative,
        average_price: child.average_price,
        reason: None,
        leg: Leg::Single,
        ts_event: now,
        ts_exchange: None,
        ts_created: Some(now),
        parent: None,
        last_price: None,
        source: EvidenceSource::Book,
    }
}
