//! What the broker says: answers to requests, its book, lookups, fills; and what that proves (P3, P4, P9).

use super::reconciliation::{absence, fills};
use super::{Alert, BookRead, Effect, FollowerBook, Record};
use crate::ids::{BrokerOrderId, ClientOrderId, DhanClientId, Tag};
use crate::mirror::{ATTEMPTS_MAX, Answer, Child, ChildReport, MirrorEvent};
use crate::order::lifecycle::ChildState;
use crate::order::{BrokerStatus, EvidenceSource, Leg, OrderReport, OrderTerms, TradeReport};
use crate::pacing::Purpose;
use crate::time::Timestamp;

impl FollowerBook {
    pub(super) fn on_answer(
        &mut self,
        client_order_id: &ClientOrderId,
        serial: u32,
        answer: Answer,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let Some(id) = self.leader_of.get(client_order_id).cloned() else { return };
        let busy = answer == Answer::Busy;
        if busy {
            self.pacer.pause(now.plus(self.settings.busy_pause));
        }
        let accepted = match &answer {
            Answer::Accepted(broker_order_id) => Some(broker_order_id.clone()),
            _ => None,
        };
        let Some((_, child)) = self.child(client_order_id) else { return };
        // Evidence may have overtaken the answer; then only an acceptance still has something to add: its times.
        let is_open = child.state.is_unanswered();
        if serial == 0 && !is_open && accepted.is_none() {
            return;
        }
        let event = MirrorEvent::Answer { client_order_id: client_order_id.clone(), serial, answer };
        if self.drive(&id, event, now, effects).is_err() {
            return;
        }
        if serial == 0 {
            self.judge_taking(client_order_id, now, effects);
        }
        if busy && let Some(unknown) = self.unknown.get_mut(client_order_id) {
            unknown.worth_sending_again = true;
        }
        let Some(mirror) = self.mirrors.get_mut(&id) else { return };
        let mut records = Record::of(mirror, &self.settings.rules.follower);
        let (leader_account, event) = (mirror.leader.account.clone(), mirror.leader.fingerprint());
        let Some(child) = mirror.attempt(client_order_id) else { return };
        if let Some(broker_order_id) = accepted {
            let knows = |record: &Record| matches!(record, Record::Intent { child, .. } if child.client_order_id == *client_order_id);
            if serial == 0 && !records.iter().any(knows) {
                let (child, before) = (Box::new(child.clone()), child.recorded);
                records.push(Record::Intent { child, before, leader_account, event });
            }
            // Once the broker has reported the order itself, the acceptance of its placing is old news.
            if serial != 0 || child.status.is_none() {
                let report = taken(&self.settings.account, broker_order_id, child, now);
                let client_order_id = client_order_id.clone();
                insert(&mut records, Record::Order { client_order_id, report: Box::new(report) });
            }
        }
        if !records.is_empty() {
            effects.push(Effect::Commit { records, then: None });
        }
    }

    /// `read_from`: when the read of the whole book began that tells it; none for anything else.
    pub(super) fn on_report(
        &mut self,
        report: &OrderReport,
        read_from: Option<Timestamp>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        if !self.concerns(report, now) {
            return;
        }
        if matches!(report.leg, Leg::StopLoss | Leg::Target)
            && !self.client_of.contains_key(&report.broker_order_id)
        {
            return self.on_leg_report(report, read_from.is_some(), now, effects);
        }
        let ours = report.tag.as_ref().and_then(|tag| ClientOrderId::new(tag.as_str()).ok());
        let by_id = self.client_of.get(&report.broker_order_id).cloned();
        let Some(client_order_id) = by_id.or(ours) else {
            return match self.forever_behind(report) {
                Some(forever) => self.on_fired(&forever, report, now, effects),
                None => self.on_external(report, now, effects),
            };
        };
        let Some(id) = self.leader_of.get(&client_order_id).cloned() else {
            // Another installation's copy, or a record that was lost: shown once, never touched.
            if !self.external.contains_key(&report.broker_order_id) {
                self.unrecorded.insert(client_order_id);
                effects.push(Effect::Alert(Alert::Unrecorded(report.broker_order_id.clone())));
            }
            return self.on_external(report, now, effects);
        };
        let of_ours = self.mirrors.get(&id).and_then(|mirror| mirror.attempt(&client_order_id));
        let other_id = of_ours.and_then(|child| child.broker_order_id.as_ref());
        if other_id.is_some_and(|known| *known != report.broker_order_id) {
            if !self.external.contains_key(&report.broker_order_id) {
                effects.push(Effect::Alert(Alert::Duplicate(report.broker_order_id.clone())));
            }
            return self.on_external(report, now, effects);
        }
        let before = of_ours.cloned();
        let news =
            ChildReport { client_order_id: client_order_id.clone(), report: report.clone(), read_from };
        if self.drive(&id, MirrorEvent::Report(Box::new(news)), now, effects).is_err() {
            return;
        }
        self.judge_taking(&client_order_id, now, effects);
        if before.as_ref().is_some_and(Child::was_given_up) {
            effects.push(Effect::Alert(Alert::AppearedLate(client_order_id.clone())));
        }
        let Some(mirror) = self.mirrors.get_mut(&id) else { return };
        let mut records = Record::of(mirror, &self.settings.rules.follower);
        let after = mirror.attempt(&client_order_id);
        let is_news = before.as_ref().zip(after).is_none_or(|(before, after)| differs(before, after));
        let has_filled =
            before.as_ref().zip(after).is_some_and(|(before, after)| before.cumulative != after.cumulative);
        if is_news {
            insert(&mut records, Record::Order { client_order_id, report: Box::new(report.clone()) });
        }
        if has_filled {
            records.extend(self.compare(&id, effects));
        }
        if !records.is_empty() {
            effects.push(Effect::Commit { records, then: None });
        }
    }

    /// What the broker made of an order: rejections in a row are counted, and where it does not take a second exit for the
    /// same units the stop is the one that is kept.
    fn judge_taking(&mut self, id: &ClientOrderId, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some((mirror, child)) = self.child(id) else { return };
        let is_refused = matches!(child.state, ChildState::Refused | ChildState::Rejected);
        // Every order is accepted at first; that says nothing of what becomes of it.
        let is_taken = child.status.as_ref().is_some_and(BrokerStatus::is_accepted);
        let (instrument, leader_order) = (child.terms.instrument, mirror.leader.broker_order_id.clone());
        let overlaps = is_refused && child.purpose == Purpose::Exit && self.has_other_exit(child);
        if (is_refused || is_taken) && self.judged.insert((id.clone(), is_refused)) {
            self.watch_rejections(is_refused, now, effects);
        }
        let Some(line) = self.lines.get_mut(&instrument) else { return };
        if overlaps && !line.refuses_overlap {
            line.refuses_overlap = true;
            if let Some(mirror) = self.mirrors.get_mut(&leader_order) {
                mirror.try_again(id);
            }
            // What is illegal in it was told; the rest is stored by who called.
            let _ = self.drive(&leader_order, MirrorEvent::Tick, now, effects);
        }
    }

    pub(super) fn on_not_found(&mut self, client_order_id: ClientOrderId, effects: &mut Vec<Effect>) {
        if let Some(unknown) = self.unknown.get_mut(&client_order_id) {
            let after = unknown.next_lookup(self.settings.lookup_first, self.settings.lookup_max);
            effects.push(Effect::Lookup { client_order_id, after });
        }
    }

    /// Whether it tells of an order of today's mirrors, or of another of today: what is left of an earlier day in the
    /// broker's book is nobody's order of today (P29).
    fn concerns(&self, report: &OrderReport, now: Timestamp) -> bool {
        let is_ours =
            |id: &BrokerOrderId| self.client_of.contains_key(id) || self.entry_of_leg.contains_key(id);
        let tagged = || report.tag.as_ref().and_then(|tag| ClientOrderId::new(tag.as_str()).ok());
        report.is_of(now.trading_day())
            || is_ours(&report.broker_order_id)
            || report.parent.as_ref().is_some_and(is_ours)
            || tagged().is_some_and(|id| self.leader_of.contains_key(&id))
    }

    pub(super) fn on_book(&mut self, mut read: BookRead, now: Timestamp, effects: &mut Vec<Effect>) {
        read.orders.retain(|report| self.concerns(report, now));
        // An exit leg that was cancelled may have been because the other fired: that is told first.
        let is_cancelled_leg = |report: &&OrderReport| {
            matches!(report.leg, Leg::StopLoss | Leg::Target) && report.status == BrokerStatus::Cancelled
        };
        let cancelled = read.orders.iter().filter(is_cancelled_leg);
        for report in read.orders.iter().filter(|report| !is_cancelled_leg(report)).chain(cancelled) {
            self.on_report(report, Some(read.started_at), now, effects);
        }
        if read.complete {
            self.has_read_orders();
        }
        let settle = self.settings.rules.settle;
        let around = absence::Surroundings {
            mirrors: &self.mirrors,
            leader_of: &self.leader_of,
            client_of: &self.client_of,
            external: &self.external,
            settle,
            calendar: &self.settings.calendar,
        };
        let missing = absence::missing(&read, &around);
        let absence::News { lost, found } = self.lost.note(&read, &missing, settle);
        effects.extend(lost.into_iter().map(|id| Effect::Alert(Alert::Missing(id))));
        effects.extend(found.into_iter().map(|id| Effect::Over(Alert::Missing(id))));
        let proven = absence::judge(&read, &missing, &mut self.unknown, &around);
        for look_alike in proven.look_alikes {
            effects.push(Effect::Alert(Alert::LookAlike(look_alike)));
        }
        for (client_order_id, worth_sending_again) in proven.absent {
            self.on_absent(&client_order_id, worth_sending_again, now, effects);
        }
    }

    fn on_absent(
        &mut self,
        client_order_id: &ClientOrderId,
        worth_sending_again: bool,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let Some((mirror, child)) = self.child(client_order_id) else { return };
        let id = mirror.leader.broker_order_id.clone();
        let purpose = child.purpose;
        let wanted = purpose == Purpose::Exit || worth_sending_again;
        let until_flat = mirror.allotment.is_some_and(|allotment| allotment.until_flat);
        let is_spent = child.key.attempt >= ATTEMPTS_MAX && !until_flat;
        let denial = self.entry_denial(mirror.entry_since(self.settings.copy.on), purpose, now);
        if wanted && is_spent {
            effects.push(Effect::Alert(Alert::ExitGivenUp(client_order_id.clone())));
        }
        let again = wanted && !is_spent && denial.is_none();
        let event = MirrorEvent::ProvenAbsent { client_order_id: client_order_id.clone(), again };
        if self.drive(&id, event, now, effects).is_ok() {
            self.unknown.remove(client_order_id);
            self.commit_mirror(&id, effects);
        }
    }

    pub(super) fn on_trades(&mut self, trades: Vec<TradeReport>, now: Timestamp, effects: &mut Vec<Effect>) {
        let known = |order: &BrokerOrderId| {
            let (_, child) = self.child(self.client_of.get(order)?)?;
            // Where there are exit legs of its own, a fill may be theirs.
            let is_plain = !child.is_super() && !child.is_forever();
            is_plain.then(|| fills::Known {
                client_order_id: child.client_order_id.clone(),
                quantity: child.ordered(),
                cumulative: child.cumulative,
            })
        };
        for untold in fills::untold(&trades, known) {
            let told = self
                .child(&untold.client_order_id)
                .and_then(|(_, child)| told_by_trades(&self.settings.account, child, &untold));
            if let Some(report) = told {
                self.on_report(&report, None, now, effects);
            }
        }
        let is_ours = |trade: &TradeReport| {
            let order = &trade.broker_order_id;
            self.client_of.contains_key(order) || self.entry_of_leg.contains_key(order)
        };
        let ours: Vec<TradeReport> = trades.into_iter().filter(is_ours).collect();
        let new = ours.into_iter().filter(|trade| self.known_trades.insert(trade.trade_id.clone()));
        let records: Vec<Record> = new.map(Record::Trade).collect();
        if !records.is_empty() {
            effects.push(Effect::Commit { records, then: None });
        }
    }
}

/// Whether the broker told something of an order that was not known.
fn differs(before: &Child, after: &Child) -> bool {
    (&before.state, &before.status, before.cumulative, &before.reason, before.shown, before.has_fired)
        != (&after.state, &after.status, after.cumulative, &after.reason, after.shown, after.has_fired)
}

/// Puts what the broker told of an order before what follows from it: a next attempt, another slice and a repair are held
/// against its row.
fn insert(records: &mut Vec<Record>, order: Record) {
    let follows = |record: &Record| matches!(record, Record::Intent { before: None, .. });
    let place = records.iter().position(follows).unwrap_or(records.len());
    records.insert(place, order);
}

/// An order as it was shown last, with the fills that only the trade book tells.
fn told_by_trades(account: &DhanClientId, child: &Child, untold: &fills::Untold) -> Option<OrderReport> {
    let shown = child.shown.unwrap_or_else(|| child.ordered());
    let status = match &child.status {
        Some(status) if status.is_terminal() => status.clone(),
        _ if untold.cumulative >= shown => BrokerStatus::Traded,
        _ => BrokerStatus::PartTraded,
    };
    let report = taken(account, child.broker_order_id.clone()?, child, untold.ts_event);
    Some(OrderReport {
        terms: OrderTerms { quantity: shown, ..report.terms },
        status,
        cumulative: untold.cumulative,
        average_price: untold.average_price,
        ..report
    })
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
        // Until the book shows a change the larger quantity counts, in a new life too (P5).
        terms: OrderTerms { quantity: child.ordered(), ..child.terms.clone() },
        status: child.status.clone().unwrap_or(BrokerStatus::Transit),
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
