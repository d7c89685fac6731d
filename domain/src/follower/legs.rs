//! Orders that stand in lists of their own: exit legs of super orders, forever orders.

use super::{Alert, Effect, FollowerBook, Record};
use crate::ids::{BrokerOrderId, ClientOrderId};
use crate::mirror::{Child, LegNews, MirrorEvent};
use crate::order::{ForeverReport, Leg, LegReport, OrderForm, OrderReport, SuperReport};
use crate::time::Timestamp;

impl FollowerBook {
    /// An exit leg in the account's book or stream. Until it is known whose it is, it waits for the list that says so.
    pub(super) fn on_leg_report(&mut self, report: &OrderReport, now: Timestamp, effects: &mut Vec<Effect>) {
        let by_parent = report.parent.as_ref().and_then(|parent| self.client_of.get(parent));
        let entry = self.entry_of_leg.get(&report.broker_order_id).or(by_parent).cloned();
        let Some(entry) = entry else {
            if self.external.contains_key(&report.broker_order_id) {
                return self.on_external(report, now, effects);
            }
            if self.unlinked.insert(report.broker_order_id.clone(), report.clone()).is_none() {
                effects.push(Effect::ReadSupers);
            }
            return;
        };
        self.take_leg(&entry, report, now, effects);
    }

    fn take_leg(
        &mut self,
        entry: &ClientOrderId,
        report: &OrderReport,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        self.entry_of_leg.insert(report.broker_order_id.clone(), entry.clone());
        let Some((mirror, child)) = self.child(entry) else { return };
        let id = mirror.leader.broker_order_id.clone();
        let parent = child.broker_order_id.clone();
        let before = child.legs.clone();
        let news = LegNews {
            broker_order_id: report.broker_order_id.clone(),
            leg: report.leg,
            status: report.status.clone(),
            cumulative: report.cumulative,
        };
        let event = MirrorEvent::Leg { client_order_id: entry.clone(), news };
        let taken = self.drive(&id, event, now, effects).is_ok();
        let is_news = self.child(entry).is_some_and(|(_, child)| child.legs != before);
        if taken && is_news {
            let report = OrderReport { parent, ..report.clone() };
            let mut records = vec![Record::Leg(Box::new(report))];
            if let Some(mirror) = self.mirrors.get_mut(&id) {
                records.extend(Record::of(mirror, &self.settings.rules.follower));
            }
            effects.push(Effect::Commit { records, then: None });
        }
    }

    pub(super) fn on_supers(&mut self, supers: &[SuperReport], now: Timestamp, effects: &mut Vec<Effect>) {
        for listed in supers {
            let Some(entry) = self.client_of.get(&listed.entry.broker_order_id).cloned() else { continue };
            for leg in &listed.legs {
                if let Some(id) = self.leg_id(&entry, leg) {
                    self.entry_of_leg.insert(id, entry.clone());
                }
            }
            self.on_report(&listed.entry, None, now, effects);
        }
        for (id, report) in std::mem::take(&mut self.unlinked) {
            if let Some(entry) = self.entry_of_leg.get(&id).cloned() {
                self.take_leg(&entry, &report, now, effects);
            } else {
                // Somebody else's super order, or one that cannot be told apart: it is left alone.
                if supers.iter().all(|listed| self.client_of.contains_key(&listed.entry.broker_order_id)) {
                    effects.push(Effect::Alert(Alert::LegUnlinked(id)));
                }
                self.on_external(&report, now, effects);
            }
        }
    }

    /// The leg's own id: as listed, or else that of the one waiting leg which fits.
    fn leg_id(&self, entry: &ClientOrderId, leg: &LegReport) -> Option<BrokerOrderId> {
        if let Some(id) = &leg.broker_order_id {
            return Some(id.clone());
        }
        let (_, child) = self.child(entry)?;
        let fits = |report: &&OrderReport| is_leg_of(report, child, leg);
        let mut fitting = self.unlinked.values().filter(fits);
        let first = fitting.next()?;
        // Two that fit could be swapped: neither is taken.
        fitting.next().is_none().then(|| first.broker_order_id.clone())
    }

    pub(super) fn on_forevers(
        &mut self,
        orders: &[ForeverReport],
        started_at: Timestamp,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        for listed in orders {
            // The second row of two says nothing of the order's own state.
            let is_ours = self.client_of.contains_key(&listed.order.broker_order_id);
            if is_ours && listed.order.leg != Leg::StopLoss {
                self.on_report(&listed.order, Some(started_at), now, effects);
            }
        }
    }
}

fn is_leg_of(report: &OrderReport, child: &Child, leg: &LegReport) -> bool {
    let price = match leg.leg {
        Leg::StopLoss => report.terms.trigger == leg.price || report.terms.price == leg.price,
        _ => report.terms.price == leg.price,
    };
    report.leg == leg.leg
        && price
        && matches!(child.terms.form, OrderForm::Super(_))
        && report.terms.instrument == child.terms.instrument
        && report.terms.side == child.terms.side.opposite()
        && report.terms.product == child.terms.product
}
