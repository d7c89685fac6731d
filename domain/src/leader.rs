//! The leader's book of the day: what he asked for and what became of it, merged from frames and snapshots.
//!
//! The broker's stream has no sequence numbers and repeats, reorders and loses frames. So an order's state here is a
//! *join* of the evidence seen, computed from the set of it and not from its order of arrival: any permutation and
//! repetition of frames, followed by a snapshot, gives the same book (P9, P12).

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::ids::{BrokerOrderId, DhanClientId, Tag};
use crate::order::{BrokerStatus, EvidenceSource, Leg, OrderReport, OrderTerms, OrderType};
use crate::price::Price;
use crate::quantity::Quantity;
use crate::time::{Timestamp, TradingDay};

/// One leader order as the evidence so far shows it. Immutable: each change makes a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderOrder {
    /// The leader's account.
    pub account: DhanClientId,
    /// The exchange's date on which the order lives.
    pub trading_day: TradingDay,
    /// The broker's id.
    pub broker_order_id: BrokerOrderId,
    /// The tag it carries, if any; ours when the leader's account is somebody's follower.
    pub tag: Option<Tag>,
    /// Which leg of a super order, if of one.
    pub leg: Leg,
    /// What the *leader* asks for. What the broker made of it (a fired stop shown as a limit, a market order shown as
    /// a limit) does not count as his change.
    pub terms: OrderTerms,
    /// The broker's word for its state.
    pub status: BrokerStatus,
    /// Units filled so far.
    pub cumulative: Quantity,
    /// Average price of what is filled.
    pub average_price: Price,
    /// Why it was rejected, cancelled or expired.
    pub reason: Option<Arc<str>>,
    /// The broker's time of the newest evidence.
    pub ts_event: Timestamp,
    /// When the order was entered, by the earliest of all evidence: how old it is.
    pub ts_first_event: Timestamp,
    /// When we first saw it, by our clock.
    pub ts_first_seen: Timestamp,
}

impl LeaderOrder {
    /// Whether the exchange has taken the order: the condition of copying "on working".
    pub fn is_accepted(&self) -> bool {
        !self.cumulative.is_zero() || self.status.is_accepted()
    }

    /// How many units the order stands for now: all of them while it works, what was filled once it is over.
    pub fn standing_quantity(&self) -> Quantity {
        if self.status.is_terminal() { self.cumulative } else { self.terms.quantity.max(self.cumulative) }
    }

    /// A stable number of this state: equal states have equal numbers across runs and versions. The key under which
    /// an event is stored once.
    pub fn fingerprint(&self) -> i64 {
        let terms = &self.terms;
        let text = format!(
            "{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}",
            self.status,
            self.cumulative,
            self.average_price,
            terms.quantity,
            terms.disclosed,
            terms.price,
            terms.trigger,
            terms.order_type,
            terms.time_in_force,
            terms.product,
            terms.side,
            self.ts_event.micros(),
        );
        let digest = Sha256::digest(text.as_bytes());
        digest.first_chunk::<8>().copied().map_or(0, i64::from_be_bytes)
    }
}

/// What a report did to the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merge {
    /// The order's state changed; here is the new one.
    Changed(Arc<LeaderOrder>),
    /// Nothing new in it.
    Unchanged,
    /// Two frames of one second disagree about what the leader asks, and nothing says which came last: read the book.
    /// The state so far stays.
    Contradiction,
}

/// All leader orders of one trading day.
#[derive(Debug)]
pub struct LeaderBook {
    trading_day: TradingDay,
    orders: BTreeMap<BrokerOrderId, Entry>,
}

#[derive(Debug)]
struct Entry {
    evidence: Evidence,
    state: Arc<LeaderOrder>,
}

/// What was seen of one order, in a form that neither repetition nor order of arrival can change.
#[derive(Debug, Clone)]
struct Evidence {
    /// Distinct terms seen with the time they were seen at, sorted. Rarely more than one or two.
    shown: Vec<Shown>,
    status: StatusEvidence,
    fill: (Quantity, Timestamp, Price),
    ts_first_event: Timestamp,
}

/// Sorted by time; a book row tells the truth of its second and comes after that second's frames.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    at: Timestamp,
    from_book: bool,
    by_leader: bool,
    terms: OrderTerms,
}

#[derive(Debug, Clone)]
struct StatusEvidence {
    status: BrokerStatus,
    at: Timestamp,
    from_book: bool,
    reason: Option<Arc<str>>,
}

impl LeaderBook {
    /// An empty book of one day.
    pub const fn new(trading_day: TradingDay) -> Self {
        Self { trading_day, orders: BTreeMap::new() }
    }

    /// The day this book is of.
    pub const fn trading_day(&self) -> TradingDay {
        self.trading_day
    }

    /// An order, if seen.
    pub fn get(&self, id: &BrokerOrderId) -> Option<&Arc<LeaderOrder>> {
        self.orders.get(id).map(|entry| &entry.state)
    }

    /// All orders, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<LeaderOrder>> {
        self.orders.values().map(|entry| &entry.state)
    }

    /// How many orders were seen.
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// Whether no order was seen yet.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// Takes one piece of evidence in.
    pub fn merge(&mut self, report: &OrderReport, now: Timestamp) -> Merge {
        let known = self.orders.get_mut(&report.broker_order_id);
        let Some(entry) = known else {
            let evidence = Evidence::first(report);
            let state = Arc::new(evidence.conclude(report, self.trading_day, now));
            self.orders.insert(report.broker_order_id.clone(), Entry { evidence, state: Arc::clone(&state) });
            return Merge::Changed(state);
        };
        entry.evidence.add(report);
        if entry.evidence.is_contradictory() {
            return Merge::Contradiction;
        }
        let state = entry.evidence.conclude(report, self.trading_day, entry.state.ts_first_seen);
        let state = LeaderOrder { tag: state.tag.or_else(|| entry.state.tag.clone()), ..state };
        if state == *entry.state {
            return Merge::Unchanged;
        }
        entry.state = Arc::new(state);
        Merge::Changed(Arc::clone(&entry.state))
    }
}

impl Evidence {
    fn first(report: &OrderReport) -> Self {
        Self {
            shown: vec![Shown::of(report)],
            status: StatusEvidence::of(report),
            fill: (report.cumulative, report.ts_event, report.average_price),
            ts_first_event: entered(report),
        }
    }

    fn add(&mut self, report: &OrderReport) {
        let shown = Shown::of(report);
        if let Err(at) = self.shown.binary_search_by(|known| known.order().cmp(&shown.order())) {
            self.shown.insert(at, shown);
            self.forget_repetitions();
        }
        let status = StatusEvidence::of(report);
        if status.weight() > self.status.weight() {
            self.status = status;
        }
        self.fill = self.fill.max((report.cumulative, report.ts_event, report.average_price));
        self.ts_first_event = self.ts_first_event.min(entered(report));
    }

    /// Terms shown unchanged over many frames need their first and last sight only; in between nothing can be learnt.
    fn forget_repetitions(&mut self) {
        let mut at = 1;
        while at + 1 < self.shown.len() {
            let (before, here, after) = (&self.shown[at - 1], &self.shown[at], &self.shown[at + 1]);
            let repeats =
                before.terms == here.terms && here.terms == after.terms && !here.by_leader && !here.from_book;
            if repeats && before.at < here.at && here.at < after.at {
                self.shown.remove(at);
            } else {
                at += 1;
            }
        }
    }

    /// Whether the newest second holds frames that disagree, with no book row of that second or later to decide.
    fn is_contradictory(&self) -> bool {
        let Some(last) = self.shown.last() else { return false };
        if last.from_book {
            return false;
        }
        let of_last_second = self.shown.iter().filter(|shown| shown.at == last.at);
        let differing = of_last_second.filter(|shown| {
            shown.terms != last.terms
                && !is_brokers_change(&shown.terms, &last.terms)
                && !is_brokers_change(&last.terms, &shown.terms)
        });
        differing.count() > 0
    }

    fn conclude(
        &self,
        report: &OrderReport,
        trading_day: TradingDay,
        ts_first_seen: Timestamp,
    ) -> LeaderOrder {
        LeaderOrder {
            account: report.account.clone(),
            trading_day,
            broker_order_id: report.broker_order_id.clone(),
            tag: report.tag.clone(),
            leg: report.leg,
            terms: self.leaders_terms(&report.terms),
            status: self.status.status.clone(),
            cumulative: self.fill.0,
            average_price: self.fill.2,
            reason: self.status.reason.clone(),
            ts_event: self
                .shown
                .last()
                .map_or(report.ts_event, |shown| shown.at)
                .max(self.status.at)
                .max(self.fill.1),
            ts_first_event: self.ts_first_event,
            ts_first_seen,
        }
    }

    /// What the leader asks for: the terms shown last, leaving out what the broker made of them by itself.
    fn leaders_terms(&self, fallback: &OrderTerms) -> OrderTerms {
        let mut shown = self.shown.iter();
        let Some(first) = shown.next() else { return fallback.clone() };
        let (mut asked, mut seen) = (&first.terms, &first.terms);
        for next in shown {
            if next.terms == *seen {
                continue;
            }
            if next.by_leader || !is_brokers_change(seen, &next.terms) {
                asked = &next.terms;
            }
            seen = &next.terms;
        }
        asked.clone()
    }
}

/// When the order was entered, as far as a report tells.
fn entered(report: &OrderReport) -> Timestamp {
    report.ts_created.map_or(report.ts_event, |created| created.min(report.ts_event))
}

/// Whether the broker alone turns `before` into `after`: a stop that fires becomes a limit without trigger, a market
/// order a price-protected limit (`dhanhq-v2.md` section 2.9).
fn is_brokers_change(before: &OrderTerms, after: &OrderTerms) -> bool {
    let becomes_limit = after.order_type == OrderType::Limit && after.trigger.is_zero();
    let price_may_follow = match before.order_type {
        OrderType::Limit => return false,
        OrderType::StopLoss => after.price == before.price,
        OrderType::Market | OrderType::StopLossMarket => true,
    };
    let same_otherwise = after.instrument == before.instrument
        && after.side == before.side
        && after.product == before.product
        && after.quantity == before.quantity;
    becomes_limit && price_may_follow && same_otherwise
}

impl Shown {
    fn of(report: &OrderReport) -> Self {
        Self {
            at: report.ts_event,
            from_book: report.source == EvidenceSource::Book,
            by_leader: report.status == BrokerStatus::Modified,
            terms: report.terms.clone(),
        }
    }

    /// A total order: time first, then what decides within a second; stops before the limits they become.
    fn order(&self) -> impl Ord + use<> {
        let terms = &self.terms;
        (
            (self.at, self.from_book),
            (
                terms.order_type == OrderType::Limit,
                terms.trigger,
                terms.price,
                terms.quantity,
                terms.order_type,
            ),
            (
                terms.time_in_force,
                terms.product,
                terms.disclosed,
                terms.side,
                terms.instrument,
                self.by_leader,
            ),
        )
    }
}

impl StatusEvidence {
    fn of(report: &OrderReport) -> Self {
        Self {
            status: report.status.clone(),
            at: report.ts_event,
            from_book: report.source == EvidenceSource::Book,
            reason: report.reason.clone(),
        }
    }

    /// The heaviest evidence wins: the end of an order outweighs everything, then time, then the book, then progress.
    fn weight(&self) -> (bool, Timestamp, bool, u8, &str) {
        let progress = match self.status {
            BrokerStatus::Transit | BrokerStatus::Inactive | BrokerStatus::Unknown(_) => 0,
            BrokerStatus::Pending | BrokerStatus::Confirm => 1,
            BrokerStatus::Modified => 2,
            BrokerStatus::Triggered => 3,
            BrokerStatus::PartTraded => 4,
            BrokerStatus::Rejected | BrokerStatus::Expired => 5,
            BrokerStatus::Cancelled => 6,
            BrokerStatus::Traded | BrokerStatus::Closed => 7,
        };
        (self.status.is_terminal(), self.at, self.from_book, progress, self.status.as_str())
    }
}

#[cfg(test)]
mod tests;
