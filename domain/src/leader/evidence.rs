//! What was seen of one order, in a form that neither repetition nor order of arrival can change.

use std::sync::Arc;

use super::LeaderOrder;
use crate::flaw::flawed;
use crate::ids::{BrokerOrderId, DhanClientId, Tag};
use crate::order::{
    BrokerStatus, EvidenceSource, Fills, Leg, OrderForm, OrderReport, OrderTerms, OrderType, Side,
};
use crate::price::Price;
use crate::quantity::Quantity;
use crate::time::{Timestamp, TradingDay};

/// All evidence of one order.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    account: DhanClientId,
    broker_order_id: BrokerOrderId,
    tag: Option<Tag>,
    /// Whether any report called it the entry of an order with legs.
    is_entry: bool,
    /// Distinct terms seen with the time they were seen at, sorted; never empty. Rarely more than one or two.
    shown: Vec<Shown>,
    status: StatusEvidence,
    fill: (Quantity, Timestamp, Price),
    last_price: Option<(Timestamp, Price)>,
    ts_first_event: Timestamp,
    ts_first_seen: Timestamp,
}

/// Sorted by time; a book row tells the truth of its second and comes after that second's frames, and of two rows of one
/// second the one read later tells the newer truth. Terms are kept without their form, which frames cannot tell.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    at: Timestamp,
    /// When it was read, by our clock, if it is a row.
    read: Option<Timestamp>,
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

/// What is known of an order beside its own evidence.
#[derive(Debug, Clone)]
pub(super) struct Beside {
    pub(super) trading_day: TradingDay,
    pub(super) form: OrderForm,
    pub(super) exited: Quantity,
    pub(super) forever_parent: Option<BrokerOrderId>,
    /// What the trade book tells of its fills.
    pub(super) fills: Option<Fills>,
}

impl Evidence {
    pub(super) fn first(report: &OrderReport, now: Timestamp) -> Self {
        Self {
            account: report.account.clone(),
            broker_order_id: report.broker_order_id.clone(),
            tag: report.tag.clone(),
            is_entry: report.leg == Leg::Entry,
            shown: vec![Shown::of(report, now)],
            status: StatusEvidence::of(report),
            fill: (report.cumulative, report.ts_event, report.average_price),
            last_price: last_price(report),
            ts_first_event: entered(report),
            ts_first_seen: now,
        }
    }

    /// Takes in what an earlier life knew of what the leader asked for, and since when.
    pub(super) fn recall(&mut self, known: &LeaderOrder) {
        let terms = OrderTerms { form: OrderForm::Ordinary, ..known.terms.clone() };
        self.show(Shown { at: known.ts_event, read: None, by_leader: false, terms });
        self.ts_first_event = self.ts_first_event.min(known.ts_first_event);
        self.ts_first_seen = self.ts_first_seen.min(known.ts_first_seen);
    }

    /// Takes a report in; says whether it told anything about terms, status or fills.
    pub(super) fn add(&mut self, report: &OrderReport, now: Timestamp) -> bool {
        let mut is_news = self.show(Shown::of(report, now));
        let status = StatusEvidence::of(report);
        if status.weight() > self.status.weight() {
            is_news |= status.status != self.status.status;
            self.status = status;
        }
        let fill = (report.cumulative, report.ts_event, report.average_price);
        is_news |= fill.0 > self.fill.0;
        self.fill = self.fill.max(fill);
        self.tag = report.tag.clone().or_else(|| self.tag.take());
        self.is_entry |= report.leg == Leg::Entry;
        self.last_price = self.last_price.max(last_price(report));
        self.ts_first_event = self.ts_first_event.min(entered(report));
        self.ts_first_seen = self.ts_first_seen.min(now);
        is_news
    }

    /// Keeps terms shown; says whether they differ from those shown around them.
    fn show(&mut self, shown: Shown) -> bool {
        if let Some(known) = self.shown.iter_mut().find(|known| known.tells_the_same(&shown)) {
            if known.read >= shown.read {
                return false;
            }
            // The same again, read later: it moves to its new place.
            known.read = shown.read;
            self.shown.sort_by_cached_key(Shown::order);
            return false;
        }
        let at = self.shown.partition_point(|known| known.order() < shown.order());
        let before = at.checked_sub(1).and_then(|at| self.shown.get(at));
        let is_news = before.is_none_or(|before| before.terms != shown.terms);
        self.shown.insert(at, shown);
        self.forget_repetitions();
        is_news
    }

    /// Terms shown unchanged over many frames need their first and last sight only; in between nothing can be learnt.
    fn forget_repetitions(&mut self) {
        let mut at = 1;
        while at + 1 < self.shown.len() {
            let (before, here, after) = (&self.shown[at - 1], &self.shown[at], &self.shown[at + 1]);
            let repeats = before.terms == here.terms
                && here.terms == after.terms
                && !here.by_leader
                && here.read.is_none();
            if repeats && before.at < here.at && here.at < after.at {
                self.shown.remove(at);
            } else {
                at += 1;
            }
        }
    }

    /// Whether the newest second holds frames that disagree, with no book row of that second or later to decide.
    pub(super) fn is_contradictory(&self) -> bool {
        let Some(last) = self.shown.last() else { return false };
        if last.read.is_some() {
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

    /// Whether a frame disagrees with a book row of its own second, the newest there is: it may be older than the row, or
    /// tell of a change made after it was read.
    pub(super) fn is_overruled(&self, report: &OrderReport) -> bool {
        let Some(last) = self.shown.last().filter(|last| last.read.is_some() && last.at == report.ts_event)
        else {
            return false;
        };
        let terms = OrderTerms { form: OrderForm::Ordinary, ..report.terms.clone() };
        report.source == EvidenceSource::Stream
            && terms != last.terms
            && !is_brokers_change(&terms, &last.terms)
            && !is_brokers_change(&last.terms, &terms)
    }

    pub(super) fn conclude(&self, beside: Beside) -> LeaderOrder {
        let newest = self.shown.last().map_or(self.status.at, |shown| shown.at);
        let (cumulative, filled_at, average_price) = self.filled(beside.fills);
        // Of an order that is filled in full by its trades alone the end is the order book's to tell: it may have grown.
        let status = match &self.status.status {
            status if cumulative == self.cumulative() || status.is_terminal() => status.clone(),
            _ => BrokerStatus::PartTraded,
        };
        LeaderOrder {
            known_fingerprint: super::KnownFingerprint::default(),
            account: self.account.clone(),
            trading_day: beside.trading_day,
            broker_order_id: self.broker_order_id.clone(),
            tag: self.tag.clone(),
            leg: if self.is_entry { Leg::Entry } else { Leg::Single },
            terms: OrderTerms { form: beside.form, ..self.terms().clone() },
            status,
            cumulative,
            average_price,
            reason: self.status.reason.clone(),
            exited: beside.exited,
            last_price: self.last_price.map(|(_, price)| price),
            forever_parent: beside.forever_parent,
            ts_event: newest.max(self.status.at).max(filled_at),
            ts_first_event: self.ts_first_event,
            ts_first_seen: self.ts_first_seen,
        }
    }

    /// What the leader asks for, but for its form: the terms shown last, leaving out what the broker made of them by itself.
    pub(super) fn terms(&self) -> &OrderTerms {
        let (mut asked, mut seen) = (&self.shown[0].terms, &self.shown[0].terms);
        for next in &self.shown[1..] {
            // Of one second's frames the one that says whose change it was may come behind another that only shows it.
            if next.terms == *seen && !next.by_leader {
                continue;
            }
            if next.by_leader || !is_brokers_change(seen, &next.terms) {
                asked = &next.terms;
            }
            seen = &next.terms;
        }
        asked
    }

    /// What is filled, when and at which average: by its reports, or by the trade book where that tells more.
    fn filled(&self, fills: Option<Fills>) -> (Quantity, Timestamp, Price) {
        let by_trades = fills.and_then(|fills| {
            Some((fills.cumulative(self.terms().quantity), fills.newest(), fills.average_price()?))
        });
        by_trades.filter(|by_trades| by_trades.0 > self.fill.0).unwrap_or(self.fill)
    }

    pub(super) const fn status(&self) -> &BrokerStatus {
        &self.status.status
    }

    pub(super) const fn cumulative(&self) -> Quantity {
        self.fill.0
    }

    pub(super) const fn is_entry(&self) -> bool {
        self.is_entry
    }
}

/// When the order was entered, as far as a report tells.
fn entered(report: &OrderReport) -> Timestamp {
    report.ts_created.map_or(report.ts_event, |created| created.min(report.ts_event))
}

fn last_price(report: &OrderReport) -> Option<(Timestamp, Price)> {
    report.last_price.map(|price| (report.ts_event, price))
}

/// Whether the broker alone turns `before` into `after`: a stop that fires becomes a limit without trigger, a market
/// order, or a fired stop without a limit, a price-protected limit (`dhanhq-v2.md` section 2.9).
fn is_brokers_change(before: &OrderTerms, after: &OrderTerms) -> bool {
    // A stop without a limit may show as the market order it became, before it is protected.
    let fires_to_market =
        before.order_type == OrderType::StopLossMarket && after.order_type == OrderType::Market;
    let becomes_limit = (after.order_type == OrderType::Limit || fires_to_market) && after.trigger.is_zero();
    let price_may_follow = match before.order_type {
        OrderType::Limit => return false,
        OrderType::StopLoss => after.price == before.price && !flawed!(FiredStopIsChange),
        // It trades at once, so its protected price is beyond the trigger.
        OrderType::StopLossMarket if !fires_to_market => match before.side {
            Side::Buy => after.price >= before.trigger,
            Side::Sell => after.price <= before.trigger,
        },
        OrderType::Market | OrderType::StopLossMarket => true,
    };
    let same_otherwise = after.instrument == before.instrument
        && after.side == before.side
        && after.product == before.product
        && after.quantity == before.quantity;
    becomes_limit && price_may_follow && same_otherwise
}

impl Shown {
    fn of(report: &OrderReport, now: Timestamp) -> Self {
        Self {
            at: report.ts_event,
            read: (report.source == EvidenceSource::Book).then_some(now),
            by_leader: report.status == BrokerStatus::Modified,
            terms: OrderTerms { form: OrderForm::Ordinary, ..report.terms.clone() },
        }
    }

    fn tells_the_same(&self, other: &Self) -> bool {
        self.at == other.at
            && self.read.is_some() == other.read.is_some()
            && self.by_leader == other.by_leader
            && self.terms == other.terms
    }

    /// A total order: time first, then what decides within a second; stops before the limits they become.
    fn order(&self) -> impl Ord + use<> {
        let terms = &self.terms;
        (
            (self.at, self.read),
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

    /// The heaviest evidence wins: the end of an order outweighs everything, and among ends that its legs are done too;
    /// then time, then the book, then progress.
    fn weight(&self) -> (bool, bool, Timestamp, bool, u8, &str) {
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
        let is_closed = self.status == BrokerStatus::Closed;
        (self.status.is_terminal(), is_closed, self.at, self.from_book, progress, self.status.as_str())
    }
}
