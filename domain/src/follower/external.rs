//! Orders that somebody else placed in the follower's account: the owner by hand, or another program of his. They are
//! recorded, never touched; what they fill is his own, and what they asked of the broker counts in its windows (E14).

use std::collections::hash_map::Entry;
use std::time::Duration;

use super::{Effect, FollowerBook, Record};
use crate::order::{BrokerStatus, OrderReport, OrderTerms};
use crate::quantity::Quantity;
use crate::time::Timestamp;

/// What somebody else asked for longer ago than this, when it is seen, has left the windows that matter.
const COUNTS_FOR: Duration = Duration::from_mins(1);

/// An order of somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct External {
    pub(super) first_seen: Timestamp,
    /// Whether its placing counts in the broker's windows.
    counts: bool,
    status: BrokerStatus,
    cumulative: Quantity,
    terms: OrderTerms,
    /// When it came to be so, by the broker's clock.
    since: Timestamp,
}

impl External {
    fn new(report: &OrderReport, first_seen: Timestamp) -> Self {
        Self {
            first_seen,
            counts: counts(report.ts_created.unwrap_or(report.ts_event), first_seen),
            status: report.status.clone(),
            cumulative: report.cumulative,
            terms: report.terms.clone(),
            since: report.ts_event,
        }
    }

    /// What tells of less than is known is old.
    fn is_ahead_of(&self, report: &OrderReport) -> bool {
        report.cumulative < self.cumulative
            || (report.cumulative == self.cumulative && report.ts_event < self.since)
    }

    /// Whether its owner asked the broker for what is new: a change, or a cancel. The broker's own (a market order or a
    /// fired stop that becomes a limit) changes the type.
    fn was_asked_for(&self, report: &OrderReport) -> bool {
        let asks = |terms: &OrderTerms| (terms.quantity, terms.price, terms.trigger);
        let is_cancelled = |status: &BrokerStatus| *status == BrokerStatus::Cancelled;
        (is_cancelled(&report.status) && !is_cancelled(&self.status))
            || (report.terms.order_type == self.terms.order_type && asks(&report.terms) != asks(&self.terms))
    }
}

/// Whether what was asked for then, and seen then, counts in the broker's windows: whether it came over the API nothing
/// tells, so it does unless it was old.
fn counts(asked: Timestamp, seen: Timestamp) -> bool {
    seen.since(asked) < COUNTS_FOR
}

impl FollowerBook {
    /// An order that somebody else placed in the account.
    pub(super) fn on_external(&mut self, report: &OrderReport, now: Timestamp, effects: &mut Vec<Effect>) {
        let known =
            self.external.get(&report.broker_order_id).map_or(Quantity::ZERO, |known| known.cumulative);
        let growth = report.cumulative.saturating_sub(known);
        if !growth.is_zero() {
            self.on_external_fill(report, report.terms.side.signed(growth).0, now, effects);
        }
        let is_asked = match self.external.entry(report.broker_order_id.clone()) {
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                let was_asked_for = known.was_asked_for(report);
                let is_news =
                    was_asked_for || (&known.status, known.cumulative) != (&report.status, report.cumulative);
                if known.is_ahead_of(report) || !is_news {
                    return;
                }
                *known = External::new(report, known.first_seen);
                was_asked_for && counts(report.ts_event, now)
            }
            Entry::Vacant(unseen) => unseen.insert(External::new(report, now)).counts,
        };
        if is_asked {
            self.pacer.record(now);
        }
        let records = vec![Record::External(Box::new(report.clone()))];
        effects.push(Effect::Commit { records, then: None });
    }

    /// Takes back what is on record of orders that others placed today, and when each was first seen.
    pub fn restore_external(&mut self, orders: impl IntoIterator<Item = (OrderReport, Timestamp)>) {
        for (report, first_seen) in orders {
            let units = report.terms.side.signed(report.cumulative).0;
            let line = self.lines.entry(report.terms.instrument).or_default();
            line.external += units;
            line.move_product(report.terms.product, units);
            let known = External::new(&report, first_seen);
            self.external.insert(report.broker_order_id, known);
        }
    }

    /// When others asked for something, as far as it is on record: of each order that it was placed, and how it last
    /// changed without a fill.
    pub(super) fn asked_by_others(&self) -> impl Iterator<Item = Timestamp> {
        self.external
            .values()
            .flat_map(|order| {
                let was_changed = order.cumulative.is_zero() && order.since > order.first_seen;
                [order.counts.then_some(order.first_seen), was_changed.then_some(order.since)]
            })
            .flatten()
    }
}
