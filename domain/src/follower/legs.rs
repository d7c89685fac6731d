//! Orders that stand in lists of their own: exit legs of super orders, forever orders.

use std::time::Duration;

use super::{Alert, Effect, FollowerBook, Record};
use crate::ids::{BrokerOrderId, ClientOrderId, Tag};
use crate::mirror::{Child, LegNews, MirrorEvent};
use crate::order::{BrokerStatus, ForeverReport, Leg, LegReport, OrderForm, OrderReport, SuperReport};
use crate::price::Price;
use crate::quantity::Quantity;
use crate::time::Timestamp;

/// The broker's times are whole seconds.
const BROKERS_SECOND: Duration = Duration::from_secs(1);

impl FollowerBook {
    /// An exit leg in the account's book or stream. Until it is known whose it is, it waits for the list that says so.
    pub(super) fn on_leg_report(
        &mut self,
        report: &OrderReport,
        is_of_whole_book: bool,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let by_parent = report.parent.as_ref().and_then(|parent| self.client_of.get(parent));
        let entry = self.entry_of_leg.get(&report.broker_order_id).or(by_parent).cloned();
        let Some(entry) = entry else {
            if self.external.contains_key(&report.broker_order_id) {
                return self.on_external(report, now, effects);
            }
            // Each time: a read of the list may fail.
            self.unlinked.insert(report.broker_order_id.clone(), report.clone());
            effects.push(Effect::ReadSupers);
            return;
        };
        self.take_leg(&entry, report, is_of_whole_book, now, effects);
    }

    fn take_leg(
        &mut self,
        entry: &ClientOrderId,
        report: &OrderReport,
        is_of_whole_book: bool,
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
            reason: report.reason.clone(),
            is_of_whole_book,
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
                self.take_leg(&entry, &report, false, now, effects);
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
            let ours = self.client_of.get(&listed.order.broker_order_id);
            let Some(ours) = ours.filter(|_| listed.order.leg != Leg::StopLoss) else { continue };
            // Once it has fired, the order it left tells all.
            if self.entry_of_leg.values().any(|forever| forever == ours) {
                continue;
            }
            let status = match &listed.order.status {
                BrokerStatus::Traded | BrokerStatus::Closed => BrokerStatus::Triggered,
                status => status.clone(),
            };
            let report = OrderReport { status, ..listed.order.clone() };
            self.on_report(&report, Some(started_at), now, effects);
        }
    }

    /// The forever order of ours that an order was left by: it goes out without our tag when the forever order fires, in
    /// the same terms.
    pub(super) fn forever_behind(&self, report: &OrderReport) -> Option<ClientOrderId> {
        let known = self.entry_of_leg.get(&report.broker_order_id);
        if known.is_some() || self.external.contains_key(&report.broker_order_id) {
            return known.cloned();
        }
        let children = self.mirrors.values().flat_map(|mirror| &mirror.children);
        let mut fitting = children.filter(|child| may_have_left(child, report));
        let has_left = |child: &Child| self.entry_of_leg.values().any(|id| *id == child.client_order_id);
        fitting.find(|child| !has_left(child)).map(|child| child.client_order_id.clone())
    }

    /// What becomes of the order that a fired forever order of ours left is what becomes of the forever order.
    pub(super) fn on_fired(
        &mut self,
        forever: &ClientOrderId,
        report: &OrderReport,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let Some((_, child)) = self.child(forever) else { return };
        let Some(id) = child.broker_order_id.clone() else { return };
        let (terms, tag) = (child.terms.clone(), Tag::from(forever));
        let before = (child.status.clone(), child.cumulative);
        let is_new = self.entry_of_leg.insert(report.broker_order_id.clone(), forever.clone()).is_none();
        let of_forever = OrderReport { broker_order_id: id.clone(), terms, tag: Some(tag), ..report.clone() };
        self.on_report(&of_forever, None, now, effects);
        let is_news =
            self.child(forever).is_some_and(|(_, child)| (child.status.clone(), child.cumulative) != before);
        if is_new || is_news {
            let records = vec![Record::Leg(Box::new(OrderReport { parent: Some(id), ..report.clone() }))];
            effects.push(Effect::Commit { records, then: None });
        }
    }
}

/// Whether an order is what a forever order leaves when it fires, or one leg of it.
fn may_have_left(child: &Child, report: &OrderReport) -> bool {
    let OrderForm::Forever(second) = &child.terms.form else { return false };
    let (asked, shown) = (&child.terms, &report.terms);
    let fits = |quantity: Quantity, price: Price| {
        // A leg at the market has no price; its order may show the broker's protecting one.
        quantity == shown.quantity && (price == shown.price || price.is_zero())
    };
    let legs = [Some((asked.quantity, asked.price)), second.map(|leg| (leg.quantity, leg.price))];
    let is_after = |at: Timestamp| child.ts_sent.is_none_or(|sent| at.plus(BROKERS_SECOND) >= sent);
    report.leg == Leg::Single
        && child.broker_order_id.is_some()
        && asked.instrument == shown.instrument
        && (asked.side, asked.product) == (shown.side, shown.product)
        && legs.into_iter().flatten().any(|(quantity, price)| fits(quantity, price))
        && report.ts_created.is_none_or(is_after)
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
