//! All leader orders of one trading day.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::LeaderOrder;
use super::evidence::{Beside, Evidence};
use super::forever::Forever;
use super::legs::{Exits, LinkedLeg, asked_of_legs};
use crate::ids::BrokerOrderId;
use crate::order::{
    BrokerStatus, EvidenceSource, ExitLegs, Fills, ForeverReport, Leg, OrderForm, OrderReport, OrderTerms,
    Product, SuperReport, TradeReport,
};
use crate::time::{Timestamp, TradingDay};

/// What a report did to the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merge {
    /// The order's state changed; here is the new one.
    Changed(Arc<LeaderOrder>),
    /// Nothing new in it.
    Unchanged,
    /// Two frames of one second disagree about what the leader asks, and nothing says which came last; or the exits of a
    /// cover or bracket order stand in its row only: read the order book. The state so far stays.
    Contradiction,
    /// The exits of a super order may have changed, or are not known yet: read the list of super orders. Here is the new
    /// state of its entry, where it changed and its exits are known; an entry without its exits is not told of, for it
    /// would be copied without its stop.
    NeedsSupers(Option<Arc<LeaderOrder>>),
    /// A report of a forever order, of which only the list of forever orders tells all: read that.
    NeedsForevers,
}

/// All leader orders of one trading day.
#[derive(Debug)]
pub struct LeaderBook {
    trading_day: TradingDay,
    orders: BTreeMap<BrokerOrderId, Entry>,
    forevers: BTreeMap<BrokerOrderId, Forever>,
    /// Exit legs by their own ids. A leg may be reported under its entry's id, so the kind is part of the key.
    legs: BTreeMap<(BrokerOrderId, LegKind), LegOrder>,
    /// Which order a leg belongs to, by the list of super orders.
    parents: BTreeMap<BrokerOrderId, BrokerOrderId>,
    /// What an earlier life knew of orders that this one has not seen yet.
    remembered: BTreeMap<BrokerOrderId, Arc<LeaderOrder>>,
    /// What was carried over and the last order book did not show.
    unseen: BTreeSet<BrokerOrderId>,
    /// What the trade book tells, of whatever order.
    fills: BTreeMap<BrokerOrderId, Fills>,
}

#[derive(Debug)]
struct Entry {
    /// Its own: that of the book, or an earlier one from which it was carried over.
    trading_day: TradingDay,
    evidence: Evidence,
    exits: Exits,
    /// Decided at first sight, never later.
    forever_parent: Option<BrokerOrderId>,
    /// None while it may not be told of.
    state: Option<Arc<LeaderOrder>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum LegKind {
    Stop,
    Target,
}

#[derive(Debug)]
struct LegOrder {
    evidence: Evidence,
    /// By its own reports.
    parent: Option<BrokerOrderId>,
}

impl LeaderBook {
    /// An empty book of one day.
    pub const fn new(trading_day: TradingDay) -> Self {
        Self {
            trading_day,
            orders: BTreeMap::new(),
            forevers: BTreeMap::new(),
            legs: BTreeMap::new(),
            parents: BTreeMap::new(),
            remembered: BTreeMap::new(),
            unseen: BTreeSet::new(),
            fills: BTreeMap::new(),
        }
    }

    /// What an earlier life made of the day's orders, and of those that were carried into it, to be told before any
    /// evidence. It makes no order by itself: what the broker shows does. But what it shows of a fired stop is a limit, and
    /// that this was no change of the leader's, when an order was first seen, of which day it is and which forever order
    /// left it only the record tells.
    pub fn remember(&mut self, orders: impl IntoIterator<Item = Arc<LeaderOrder>>) {
        let known = orders.into_iter().filter(|order| order.trading_day <= self.trading_day);
        self.remembered.extend(known.map(|order| (order.broker_order_id.clone(), order)));
    }

    /// The day this book is of.
    pub const fn trading_day(&self) -> TradingDay {
        self.trading_day
    }

    /// An order, if seen and its exits are known.
    pub fn get(&self, id: &BrokerOrderId) -> Option<&Arc<LeaderOrder>> {
        let order = self.orders.get(id).and_then(|entry| entry.state.as_ref());
        order.or_else(|| self.forevers.get(id).and_then(|forever| forever.state.as_ref()))
    }

    /// All orders whose exits are known, ordinary and super orders by id, then forever orders by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<LeaderOrder>> {
        let orders = self.orders.values().filter_map(|entry| entry.state.as_ref());
        orders.chain(self.forevers.values().filter_map(|forever| forever.state.as_ref()))
    }

    /// How many orders were seen.
    pub fn len(&self) -> usize {
        self.orders.len() + self.forevers.len()
    }

    /// Whether no order was seen yet.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty() && self.forevers.is_empty()
    }

    /// Whether exits of a super order wait or work, or are not known yet.
    pub fn has_living_supers(&self) -> bool {
        let mut supers = self.orders.values().filter(|entry| entry.is_super());
        supers.any(|entry| entry.state.as_ref().is_none_or(|order| order.legs_alive()))
    }

    /// Legs of which nobody knows to which order they belong.
    pub fn unlinked_legs(&self) -> impl Iterator<Item = &BrokerOrderId> {
        let unlinked = self.legs.iter().filter(|(key, leg)| {
            self.parent_of(key, leg).is_none()
                && !self.orders.values().any(|entry| entry.explains(key.1, leg))
        });
        unlinked.map(|((id, _), _)| id)
    }

    /// Orders that are not told of because their exits are not known.
    pub fn without_legs(&self) -> impl Iterator<Item = &BrokerOrderId> {
        let orders = self.orders.iter().filter(|(_, entry)| entry.state.is_none()).map(|(id, _)| id);
        orders.chain(self.forevers.iter().filter(|(_, forever)| forever.state.is_none()).map(|(id, _)| id))
    }

    /// Takes one piece of evidence in. What is of an earlier day tells nothing of this one (P29), save of what was carried
    /// over: its last words of the evening may come in the morning.
    pub fn merge(&mut self, report: &OrderReport, now: Timestamp) -> Merge {
        if !report.is_of(self.trading_day) && !self.is_carried(report) {
            return Merge::Unchanged;
        }
        if let Some(kind) = LegKind::of(report) {
            return self.merge_leg(report, kind, now);
        }
        if report.status == BrokerStatus::Confirm || self.forevers.contains_key(&report.broker_order_id) {
            return Merge::NeedsForevers;
        }
        let id = &report.broker_order_id;
        let is_news = self.take_in(report, now);
        if let (OrderForm::Super(legs), Some(entry)) = (report.terms.form, self.orders.get_mut(id)) {
            entry.exits.add_own(legs, now);
        }
        let is_unclear =
            |evidence: &Evidence| evidence.is_contradictory() || (is_news && evidence.is_overruled(report));
        if self.orders.get(id).is_some_and(|entry| is_unclear(&entry.evidence)) {
            return Merge::Contradiction;
        }
        let changed = self.conclude(id);
        let Some(entry) = self.orders.get(id) else { return Merge::Unchanged };
        let may_have_moved_legs =
            is_news && report.status == BrokerStatus::Modified && report.source == EvidenceSource::Stream;
        if entry.is_super() && (entry.state.is_none() || may_have_moved_legs) {
            return Merge::NeedsSupers(changed);
        }
        match changed {
            Some(order) => Merge::Changed(order),
            None if entry.state.is_none() => Merge::Contradiction,
            None => Merge::Unchanged,
        }
    }

    /// Takes a row of the list of super orders in, read at `now`: it decides what the exits are.
    pub fn merge_super(&mut self, report: &SuperReport, now: Timestamp) -> Merge {
        if !report.entry.is_of(self.trading_day) {
            return Merge::Unchanged;
        }
        let id = &report.entry.broker_order_id;
        for leg in report.legs.iter().filter_map(|leg| leg.broker_order_id.as_ref()) {
            self.parents.insert(leg.clone(), id.clone());
        }
        // The list names entries: whatever its row calls itself, it is one.
        self.take_in(&OrderReport { leg: Leg::Entry, ..report.entry.clone() }, now);
        if let Some(entry) = self.orders.get_mut(id) {
            entry.exits.add(report, now);
        }
        self.conclude(id).map_or(Merge::Unchanged, Merge::Changed)
    }

    /// Takes a row of the list of forever orders in, read at `now`.
    pub fn merge_forever(&mut self, report: &ForeverReport, now: Timestamp) -> Merge {
        if !report.is_of(self.trading_day) && !self.is_carried(&report.order) {
            return Merge::Unchanged;
        }
        let id = &report.order.broker_order_id;
        let known = self.remembered.get(id).filter(|known| self.is_of(known, &report.order));
        let day = known.map_or(self.trading_day, |known| known.trading_day);
        let forever = self.forevers.entry(id.clone()).or_default();
        forever.add(report, now);
        let left = |id: &BrokerOrderId| self.orders.get(id).map(|entry| &entry.evidence);
        let Some(order) = forever.conclude(day, left) else { return Merge::Unchanged };
        replace(&mut forever.state, order).map_or(Merge::Unchanged, Merge::Changed)
    }

    /// Takes the trade book in: the order book may be behind it (P9, P12). Here are the new states of the orders of which it
    /// tells more; of one that was not seen yet it counts once its first report is there.
    pub fn merge_trades(&mut self, trades: &[TradeReport]) -> Vec<Arc<LeaderOrder>> {
        let todays = trades.iter().filter(|trade| trade.is_of(self.trading_day));
        let mut changed = Vec::new();
        for (id, fills) in Fills::by_order(todays) {
            if self.fills.get(id).is_none_or(|known| fills.exceed(known)) {
                self.fills.insert(id.clone(), fills);
                changed.extend(self.conclude(id));
            }
        }
        changed
    }

    /// Orders that were carried over, wait by all that is known, and that a complete order book does not show which was read
    /// once the broker's books had turned: not now, and not the last time. They wait no more, and nobody says what became of
    /// them; they count as cancelled. Here are their new states.
    pub fn end_unseen(
        &mut self,
        shown: &BTreeSet<&BrokerOrderId>,
        have_turned: impl Fn(&OrderTerms) -> bool,
        now: Timestamp,
    ) -> Vec<Arc<LeaderOrder>> {
        let waiting = self.carried().filter(|order| is_waiting(order) && have_turned(&order.terms));
        let unseen: BTreeSet<BrokerOrderId> =
            waiting.map(|order| &order.broker_order_id).filter(|id| !shown.contains(id)).cloned().collect();
        let again: Vec<BrokerOrderId> = unseen.intersection(&self.unseen).cloned().collect();
        self.unseen = unseen;
        let ended = again.into_iter().filter_map(|id| {
            let known = self.get(&id).or_else(|| self.remembered.get(&id)).cloned()?;
            self.take_in(&ended_unseen(&known, now), now);
            self.conclude(&id)
        });
        ended.collect()
    }

    /// Orders of earlier days, as they are known: by this life, or by the record.
    fn carried(&self) -> impl Iterator<Item = &Arc<LeaderOrder>> {
        let heard = self.orders.values().filter_map(|entry| entry.state.as_ref());
        let unheard = self.remembered.values().filter(|known| {
            let id = &known.broker_order_id;
            !self.orders.contains_key(id) && !self.forevers.contains_key(id)
        });
        heard.chain(unheard).filter(|order| order.trading_day < self.trading_day)
    }

    /// Whether a report is of an order that was carried over.
    fn is_carried(&self, report: &OrderReport) -> bool {
        let id = &report.broker_order_id;
        let known = self.get(id).or_else(|| self.remembered.get(id));
        known.is_some_and(|known| known.trading_day < self.trading_day && self.is_of(known, report))
    }

    /// Whether a report under an order's id is of that order. Within a day it always is; one of an earlier day may have come
    /// again for another order.
    fn is_of(&self, known: &LeaderOrder, report: &OrderReport) -> bool {
        let (then, now) = (&known.terms, &report.terms);
        let asks_for_the_same =
            (then.instrument, then.side, then.product) == (now.instrument, now.side, now.product);
        known.trading_day == self.trading_day || asks_for_the_same
    }

    /// A leg makes no order: it belongs to one.
    fn merge_leg(&mut self, report: &OrderReport, kind: LegKind, now: Timestamp) -> Merge {
        let key = (report.broker_order_id.clone(), kind);
        let is_news = if let Some(leg) = self.legs.get_mut(&key) {
            leg.parent = leg.parent.take().or_else(|| report.parent.clone());
            leg.evidence.add(report, now)
        } else {
            let evidence = Evidence::first(report, now);
            self.legs.insert(key.clone(), LegOrder { evidence, parent: report.parent.clone() });
            true
        };
        let parent = self.legs.get(&key).and_then(|leg| self.parent_of(&key, leg));
        let changed = parent.as_ref().and_then(|parent| self.conclude(parent));
        let has_row_of_its_own = matches!(report.terms.product, Product::Cover | Product::Bracket);
        match changed {
            _ if is_news && !has_row_of_its_own => Merge::NeedsSupers(changed),
            Some(order) => Merge::Changed(order),
            None if is_news && parent.is_none() => Merge::Contradiction,
            None => Merge::Unchanged,
        }
    }

    fn take_in(&mut self, report: &OrderReport, now: Timestamp) -> bool {
        if let Some(entry) = self.orders.get_mut(&report.broker_order_id) {
            return entry.evidence.add(report, now);
        }
        let may_be_child = report.leg == Leg::Single && report.terms.form == OrderForm::Ordinary;
        let mut forevers = self.forevers.iter_mut().filter(|_| may_be_child);
        let forever_parent = forevers.find_map(|(id, forever)| forever.takes(report).then(|| id.clone()));
        let known = self.remembered.remove(&report.broker_order_id);
        let known = known.filter(|known| self.is_of(known, report));
        let mut evidence = Evidence::first(report, now);
        if let Some(known) = &known {
            evidence.recall(known);
        }
        let entry = Entry {
            trading_day: known.as_ref().map_or(self.trading_day, |known| known.trading_day),
            evidence,
            exits: Exits::default(),
            forever_parent: forever_parent.or_else(|| known.and_then(|known| known.forever_parent.clone())),
            state: None,
        };
        self.orders.insert(report.broker_order_id.clone(), entry);
        true
    }

    /// Works an order's state out again; the new one, if it changed.
    fn conclude(&mut self, id: &BrokerOrderId) -> Option<Arc<LeaderOrder>> {
        let entry = self.orders.get(id)?;
        let legs = if entry.has_legs() { self.legs_of(id) } else { Vec::new() };
        let form = entry.form(&legs)?;
        let beside = Beside {
            trading_day: entry.trading_day,
            form,
            exited: entry.exits.exited(&legs),
            forever_parent: entry.forever_parent.clone(),
            // Where there are exit legs, a fill may be theirs.
            fills: self.fills.get(id).filter(|_| !entry.has_legs()).copied(),
        };
        let order = entry.evidence.conclude(beside);
        replace(&mut self.orders.get_mut(id)?.state, order)
    }

    fn legs_of(&self, id: &BrokerOrderId) -> Vec<LinkedLeg<'_>> {
        let legs = self.legs.iter().filter(|(key, leg)| self.parent_of(key, leg).as_ref() == Some(id));
        legs.map(|((_, kind), leg)| LinkedLeg { leg: (*kind).into(), evidence: &leg.evidence }).collect()
    }

    fn parent_of(&self, key: &(BrokerOrderId, LegKind), leg: &LegOrder) -> Option<BrokerOrderId> {
        let own = || self.orders.contains_key(&key.0).then(|| key.0.clone());
        leg.parent.clone().or_else(|| self.parents.get(&key.0).cloned()).or_else(own)
    }
}

impl Entry {
    fn product(&self) -> Product {
        self.evidence.terms().product
    }

    fn has_legs(&self) -> bool {
        self.evidence.is_entry() || self.exits.is_known() || self.is_cover_or_bracket()
    }

    fn is_cover_or_bracket(&self) -> bool {
        matches!(self.product(), Product::Cover | Product::Bracket)
    }

    fn is_super(&self) -> bool {
        self.has_legs() && !self.is_cover_or_bracket()
    }

    /// Its form; none while its exits are not known. What ended without a fill has none to wait for.
    fn form(&self, legs: &[LinkedLeg<'_>]) -> Option<OrderForm> {
        if !self.has_legs() {
            return Some(OrderForm::Ordinary);
        }
        let own = self.exits.asked(self.evidence.terms().side);
        let came_to_nothing = self.evidence.status().is_terminal() && self.evidence.cumulative().is_zero();
        let known = if self.is_cover_or_bracket() { self.own_or_linked(own, legs) } else { own };
        match known {
            Some(exits) => Some(OrderForm::Super(exits)),
            None => came_to_nothing.then_some(OrderForm::Ordinary),
        }
    }

    /// A cover order has a stop, a bracket order a target besides.
    fn own_or_linked(&self, own: Option<ExitLegs>, legs: &[LinkedLeg<'_>]) -> Option<ExitLegs> {
        let has = |kind: Leg| legs.iter().any(|leg| leg.leg == kind);
        let all_linked = has(Leg::StopLoss) && (self.product() == Product::Cover || has(Leg::Target));
        let ended = self.evidence.status().is_terminal() && *self.evidence.status() != BrokerStatus::Traded;
        (own.is_some() || all_linked).then(|| asked_of_legs(own, legs, ended))
    }

    /// Whether a leg may well be one of its own, whose ids the list does not tell.
    fn explains(&self, kind: LegKind, leg: &LegOrder) -> bool {
        let (entry, leg) = (self.evidence.terms(), leg.evidence.terms());
        self.is_super()
            && self.exits.is_known()
            && !self.exits.names(kind.into())
            && entry.instrument == leg.instrument
            && entry.product == leg.product
            && entry.side == leg.side.opposite()
    }
}

impl LegKind {
    const fn of(report: &OrderReport) -> Option<Self> {
        match report.leg {
            Leg::StopLoss => Some(Self::Stop),
            Leg::Target => Some(Self::Target),
            Leg::Single | Leg::Entry => None,
        }
    }
}

impl From<LegKind> for Leg {
    fn from(kind: LegKind) -> Self {
        match kind {
            LegKind::Stop => Self::StopLoss,
            LegKind::Target => Self::Target,
        }
    }
}

/// Whether it waits for its session.
fn is_waiting(order: &LeaderOrder) -> bool {
    order.terms.after_market && order.cumulative.is_zero() && !order.status.is_terminal()
}

/// What the broker would say of an order that he does not show any more.
fn ended_unseen(known: &LeaderOrder, now: Timestamp) -> OrderReport {
    OrderReport {
        account: known.account.clone(),
        broker_order_id: known.broker_order_id.clone(),
        exchange_order_id: None,
        tag: known.tag.clone(),
        terms: known.terms.clone(),
        status: BrokerStatus::Cancelled,
        cumulative: known.cumulative,
        average_price: known.average_price,
        reason: Some("the broker's order book does not show it any more".into()),
        leg: known.leg,
        parent: None,
        last_price: None,
        ts_created: Some(known.ts_first_event),
        ts_exchange: None,
        ts_event: now,
        source: EvidenceSource::Book,
    }
}

/// Puts the new state in the old one's place; gives it back if it differs.
fn replace(state: &mut Option<Arc<LeaderOrder>>, order: LeaderOrder) -> Option<Arc<LeaderOrder>> {
    let order = Arc::new(order);
    let is_same = state.as_ref().is_some_and(|known| *known == order);
    *state = Some(Arc::clone(&order));
    (!is_same).then_some(order)
}
