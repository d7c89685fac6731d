//! Everything one follower account is doing: its mirrors, its queue for the broker's budget, what it holds because of
//! copies, and the orders whose fate is unknown. One pure `step`; the actor around it commits and sends.
//!
//! Upholds P1 (a placement leaves only inside an [`Effect::Commit`]), P2 and P5 (through [`crate::mirror`]), P3 and P4
//! (through [`absence`]), P18 (through [`crate::pacing`]), P26 (every leader order gets an outcome).

mod absence;
mod queue;
mod record;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

pub use absence::BookRead;
pub use record::Record;

use self::absence::Unknown;
use self::queue::Queue;
use crate::gates::{self, CopyPolicy, DeniedReason, RiskApproved};
use crate::ids::{BrokerOrderId, ClientOrderId, DhanClientId, FollowerId, Tag};
use crate::instrument::InstrumentKey;
use crate::leader::LeaderOrder;
use crate::mirror::{
    Child, ChildReport, Mirror, MirrorEffect, MirrorEvent, Outcome, PlaceAnswer, Placement, Target,
};
use crate::order::lifecycle::{ChildState, IllegalTransition};
use crate::order::{BrokerStatus, EvidenceSource, Leg, OrderReport, OrderTerms, Product, TradeReport};
use crate::pacing::{Pacer, PacingLimits, Purpose};
use crate::price::Price;
use crate::sizing::Sizing;
use crate::slippage::{self, Fills};
use crate::time::Timestamp;

/// What a follower book is told once.
#[derive(Debug, Clone)]
pub struct FollowerSettings {
    /// The follower.
    pub follower: FollowerId,
    /// Its account.
    pub account: DhanClientId,
    /// What it copies.
    pub copy: CopyPolicy,
    /// The broker's limits.
    pub pacing: PacingLimits,
    /// How long after sending a book without the order proves nothing (P4).
    pub settle: Duration,
    /// First delay between lookups of an unknown order; doubles.
    pub lookup_first: Duration,
    /// The longest delay between lookups.
    pub lookup_max: Duration,
    /// How long everything is held after the broker said "too many".
    pub busy_pause: Duration,
    /// Delay before a request that never left is tried again.
    pub resend_delay: Duration,
}

/// The Sizer's word on a leader order for this follower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The exchange has not taken the leader's order yet.
    Await,
    /// Follow it with these terms, quantity included.
    Follow {
        /// What to place.
        terms: OrderTerms,
        /// How the quantity was found.
        sizing: Sizing,
        /// The instrument's tick; zero when not known.
        tick: Price,
    },
    /// Do not follow it.
    Deny(DeniedReason),
}

/// Everything that can wake a follower book.
#[derive(Debug)]
pub enum Event {
    /// The leader's order is in this state, and the Sizer says this.
    Plan {
        /// The leader's order.
        order: Arc<LeaderOrder>,
        /// The Sizer's word.
        decision: Decision,
    },
    /// The answer to a placement.
    Answered {
        /// Which.
        client_order_id: ClientOrderId,
        /// What came back.
        answer: PlaceAnswer,
    },
    /// The account's order book.
    Book(BookRead),
    /// What a lookup by client order id found.
    Found(OrderReport),
    /// A lookup found nothing, or failed: neither proves anything.
    NotFound(ClientOrderId),
    /// The account's trade book.
    Trades(Vec<TradeReport>),
    /// The circuit breaker lets entries pass, or not.
    Breaker {
        /// Whether entries are stopped.
        open: bool,
    },
    /// The broker refuses the account's credentials, or takes them again.
    Credentials {
        /// Whether they are refused.
        refused: bool,
    },
    /// Take nothing new: the process is stopping.
    Stop,
    /// Time passed.
    Tick,
}

/// Everything a follower book wants done, in this order.
#[derive(Debug)]
pub enum Effect {
    /// Make these durable in one transaction; then, and only then, send `then`.
    Commit {
        /// Facts to store.
        records: Vec<Record>,
        /// The request that may leave once they are durable.
        then: Option<RiskApproved<Placement>>,
    },
    /// Look for an order by its client order id, after a delay.
    Lookup {
        /// Which.
        client_order_id: ClientOrderId,
        /// How much later.
        after: Duration,
    },
    /// Tick at this moment.
    WakeAt(Timestamp),
    /// A person should know.
    Alert(Alert),
}

/// What a person should know, in one shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alert {
    /// The broker refuses the account's credentials: it is halted (P15).
    AccountHalted,
    /// More was filled than was ordered (P10).
    Overfill(ClientOrderId),
    /// An order's fate is unknown and a look-alike in the book keeps its absence from being proven.
    LookAlike(ClientOrderId),
    /// An order whose absence was proven, or whose request was refused, is there after all.
    AppearedLate(ClientOrderId),
    /// An order carries our tag, and we have no record of it.
    Unrecorded(BrokerOrderId),
    /// The leader changed or ended an order after it was copied; this version does not follow that.
    CopyGap(BrokerOrderId),
    /// A message that makes no sense in the state it met.
    Illegal(IllegalTransition),
}

/// What the follower holds because of copies, by instrument and product.
pub type CopiedPositions = HashMap<(InstrumentKey, Product), i64>;

/// The pure core of a follower.
#[derive(Debug)]
pub struct FollowerBook {
    settings: FollowerSettings,
    mirrors: BTreeMap<BrokerOrderId, Mirror>,
    leader_of: HashMap<ClientOrderId, BrokerOrderId>,
    client_of: HashMap<BrokerOrderId, ClientOrderId>,
    queue: Queue,
    pacer: Pacer,
    unknown: BTreeMap<ClientOrderId, Unknown>,
    /// Orders of others in this account, and when each was first seen.
    external: HashMap<BrokerOrderId, Timestamp>,
    positions: CopiedPositions,
    working: usize,
    filled_units: u64,
    breaker_open: bool,
    credentials_refused: bool,
    stopping: bool,
}

impl FollowerBook {
    /// A follower that has copied nothing yet.
    pub fn new(settings: FollowerSettings) -> Self {
        Self {
            pacer: Pacer::new(settings.pacing.clone()),
            settings,
            mirrors: BTreeMap::new(),
            leader_of: HashMap::new(),
            client_of: HashMap::new(),
            queue: Queue::default(),
            unknown: BTreeMap::new(),
            external: HashMap::new(),
            positions: CopiedPositions::new(),
            working: 0,
            filled_units: 0,
            breaker_open: false,
            credentials_refused: false,
            stopping: false,
        }
    }

    /// Takes back what the rows of today say. What was being sent is unknown now (P1); what waited waits again.
    pub fn restore(&mut self, mirrors: Vec<Mirror>, now: Timestamp) -> Vec<Effect> {
        let mut sent: Vec<Timestamp> = Vec::new();
        let mut effects = Vec::new();
        for mut mirror in mirrors {
            let looked_up = effects.len();
            for child in &mirror.children {
                self.leader_of.insert(child.client_order_id.clone(), mirror.leader.broker_order_id.clone());
                if let Some(broker_order_id) = &child.broker_order_id {
                    self.client_of.insert(broker_order_id.clone(), child.client_order_id.clone());
                }
                sent.extend(child.ts_sent);
                let filled = child.terms.side.signed(child.cumulative).0;
                *self.positions.entry((child.terms.instrument, child.terms.product)).or_default() += filled;
            }
            let leader_order = mirror.leader.broker_order_id.clone();
            match mirror.child().map(|child| (child.state.clone(), child.purpose)) {
                Some((ChildState::Planned, purpose)) => self.queue.push(purpose, leader_order.clone()),
                Some((ChildState::Sending | ChildState::Unknown, _)) => {
                    let lost = MirrorEvent::Answer(PlaceAnswer::Lost);
                    if mirror.step(lost, &self.settings.follower, now).is_ok()
                        && let Some(child) = mirror.child()
                    {
                        let client_order_id = child.client_order_id.clone();
                        let sent_at = child.ts_sent.unwrap_or(now);
                        self.unknown.insert(client_order_id.clone(), Unknown::new(sent_at, false));
                        effects.push(Effect::Lookup { client_order_id, after: Duration::ZERO });
                    }
                }
                _ => {}
            }
            self.working += usize::from(is_working(&mirror));
            self.mirrors.insert(leader_order.clone(), mirror);
            if effects.len() > looked_up {
                self.commit_mirror(&leader_order, &mut effects);
            }
        }
        sent.sort_unstable();
        for at in sent {
            self.pacer.record(at);
        }
        effects
    }

    /// Whether the account's book must be read often: an order works or its fate is unknown.
    pub fn is_active(&self) -> bool {
        self.working > 0 || !self.unknown.is_empty()
    }

    /// Units filled today, over all orders.
    pub const fn filled_units(&self) -> u64 {
        self.filled_units
    }

    /// Orders whose fate is unknown.
    pub fn unknown_count(&self) -> usize {
        self.unknown.len()
    }

    /// Orders that wait for the budget.
    pub fn waiting_count(&self) -> usize {
        self.queue.len()
    }

    /// Whether the broker refuses the credentials.
    pub const fn is_halted(&self) -> bool {
        self.credentials_refused
    }

    /// A mirror, by the leader's order.
    pub fn mirror(&self, leader_order: &BrokerOrderId) -> Option<&Mirror> {
        self.mirrors.get(leader_order)
    }

    /// Takes one event and says what to do about it.
    pub fn step(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Plan { order, decision } => self.on_plan(order, decision, now, &mut effects),
            Event::Answered { client_order_id, answer } => {
                self.on_answer(&client_order_id, answer, now, &mut effects);
            }
            Event::Book(read) => self.on_book(read, now, &mut effects),
            Event::Found(report) => self.on_report(&report, now, &mut effects),
            Event::NotFound(client_order_id) => self.on_not_found(client_order_id, &mut effects),
            Event::Trades(trades) => self.on_trades(trades, &mut effects),
            Event::Breaker { open } => self.breaker_open = open,
            Event::Credentials { refused } => {
                if refused && !self.credentials_refused {
                    effects.push(Effect::Alert(Alert::AccountHalted));
                }
                self.credentials_refused = refused;
            }
            Event::Stop => self.stopping = true,
            Event::Tick => {}
        }
        self.release(now, &mut effects);
        effects
    }

    fn on_plan(
        &mut self,
        order: Arc<LeaderOrder>,
        decision: Decision,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let id = order.broker_order_id.clone();
        let mirror = self.mirrors.entry(id.clone()).or_insert_with(|| Mirror::new(Arc::clone(&order)));
        mirror.leader = Arc::clone(&order);
        let before = mirror.gap();
        let is_new = mirror.children.is_empty();
        let (target, sizing, tick) = match decision {
            Decision::Await => (Target::Undecided, None, mirror.tick),
            Decision::Deny(reason) => (Target::Gone(reason), None, mirror.tick),
            Decision::Follow { terms, sizing, tick } => (Target::Open(terms), Some(sizing), tick),
        };
        let purpose = match &target {
            Target::Open(terms) => purpose_of(&self.positions, terms),
            Target::Undecided | Target::Gone(_) => Purpose::Entry,
        };
        let target = match target {
            Target::Open(_) if is_new => match self.entry_denial(&order, purpose, now) {
                Some(reason) => Target::Gone(reason),
                None => target,
            },
            other => other,
        };
        let outcome = self.drive(&id, MirrorEvent::Target { target, sizing, tick, purpose }, now, effects);
        let Some(mirror) = self.mirrors.get(&id) else { return };
        if before.is_none() && mirror.gap().is_some() {
            effects.push(Effect::Alert(Alert::CopyGap(id.clone())));
        }
        let event = Record::LeaderEvent(order);
        // What may go at once is committed with its event in one transaction, born SENDING (P1).
        if self.queue.front() == Some(&id) && self.may_go(&id, now) {
            return self.release_front(vec![event], now, effects);
        }
        let Some(mirror) = self.mirrors.get_mut(&id) else { return };
        let mut records = vec![event];
        if outcome.is_ok() {
            records.push(Record::mapping(mirror, &self.settings.follower));
            records.extend(Record::intents(mirror));
            records.extend(fills(mirror, &self.settings.follower, None));
        }
        effects.push(Effect::Commit { records, then: None });
    }

    /// Why nothing new may be sent for this order at this moment.
    fn entry_denial(&self, order: &LeaderOrder, purpose: Purpose, now: Timestamp) -> Option<DeniedReason> {
        if self.stopping {
            return Some(DeniedReason::ShuttingDown);
        }
        if self.credentials_refused {
            return Some(DeniedReason::AccountHalted);
        }
        if purpose == Purpose::Exit {
            return None;
        }
        if gates::is_stale(order, &self.settings.copy, now) {
            return Some(DeniedReason::StaleEntry);
        }
        self.breaker_open.then_some(DeniedReason::BreakerOpen)
    }

    /// Whether the planned child of this order may leave now.
    fn may_go(&self, id: &BrokerOrderId, now: Timestamp) -> bool {
        let Some(mirror) = self.mirrors.get(id) else { return false };
        let planned = mirror.child().filter(|child| child.state == ChildState::Planned);
        let held = self.queue.not_before(id).is_some_and(|at| at > now);
        planned.is_some_and(|child| {
            !held
                && self.entry_denial(&mirror.leader, child.purpose, now).is_none()
                && self.pacer.permit(child.purpose, now).is_ok()
        })
    }

    /// Sends what waits and may go; gives up what waited too long.
    fn release(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        while let Some(id) = self.queue.front().cloned() {
            let Some((purpose, denial)) = self.mirrors.get(&id).and_then(|mirror| {
                let child = mirror.child().filter(|child| child.state == ChildState::Planned)?;
                Some((child.purpose, self.entry_denial(&mirror.leader, child.purpose, now)))
            }) else {
                self.queue.pop();
                continue;
            };
            if let Some(reason) = denial {
                self.queue.pop();
                let given = self.drive(&id, MirrorEvent::Give(reason), now, effects);
                if given.is_ok() {
                    self.commit_mirror(&id, effects);
                }
                continue;
            }
            match self.queue.not_before(&id).map_or(Ok(()), |at| if at <= now { Ok(()) } else { Err(at) }) {
                Ok(()) => {}
                Err(at) => return effects.push(Effect::WakeAt(at)),
            }
            if let Err(free_at) = self.pacer.permit(purpose, now) {
                return effects.push(Effect::WakeAt(free_at));
            }
            self.release_front(Vec::new(), now, effects);
        }
    }

    fn release_front(&mut self, mut records: Vec<Record>, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(id) = self.queue.pop() else { return };
        let follower = &self.settings.follower;
        let Some(mirror) = self.mirrors.get_mut(&id) else { return };
        match mirror.step(MirrorEvent::Release, follower, now) {
            Ok(released) => {
                records.push(Record::mapping(mirror, follower));
                records.extend(Record::intents(mirror));
                let placement = released.into_iter().find_map(|effect| match effect {
                    MirrorEffect::Place(placement) => Some(placement),
                    _ => None,
                });
                if placement.is_some() {
                    self.pacer.record(now);
                }
                effects.push(Effect::Commit { records, then: placement });
            }
            Err(illegal) => effects.push(Effect::Alert(Alert::Illegal(illegal))),
        }
    }

    /// Steps one mirror and takes in what it wants of its surroundings.
    fn drive(
        &mut self,
        id: &BrokerOrderId,
        event: MirrorEvent,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ()> {
        let Some(mirror) = self.mirrors.get_mut(id) else { return Err(()) };
        let was_working = is_working(mirror);
        let reported = match &event {
            MirrorEvent::Report(report) => Some(report.client_order_id.clone()),
            _ => None,
        };
        let wanted = match mirror.step(event, &self.settings.follower, now) {
            Ok(wanted) => wanted,
            Err(illegal) => {
                effects.push(Effect::Alert(Alert::Illegal(illegal)));
                return Err(());
            }
        };
        match (was_working, is_working(mirror)) {
            (false, true) => self.working += 1,
            (true, false) => self.working = self.working.saturating_sub(1),
            _ => {}
        }
        // News may be about an earlier attempt than the one that counts.
        let of_report = reported.and_then(|id| mirror.attempt(&id));
        let Some(child) = of_report.or(mirror.child()) else { return Ok(()) };
        let client_order_id = child.client_order_id.clone();
        self.leader_of.entry(client_order_id.clone()).or_insert_with(|| id.clone());
        if let Some(broker_order_id) = &child.broker_order_id {
            self.client_of.entry(broker_order_id.clone()).or_insert_with(|| client_order_id.clone());
        }
        if child.state != ChildState::Unknown {
            self.unknown.remove(&client_order_id);
        }
        for effect in wanted {
            match effect {
                MirrorEffect::Queue(purpose) => self.queue.push(purpose, id.clone()),
                MirrorEffect::Resolve => {
                    let sent_at = child.ts_sent.unwrap_or(now);
                    self.unknown
                        .entry(client_order_id.clone())
                        .or_insert_with(|| Unknown::new(sent_at, false));
                    effects.push(Effect::Lookup {
                        client_order_id: client_order_id.clone(),
                        after: Duration::ZERO,
                    });
                }
                MirrorEffect::Filled(growth) => {
                    self.filled_units += u64::from(growth.get());
                    let terms = &child.terms;
                    *self.positions.entry((terms.instrument, terms.product)).or_default() +=
                        terms.side.signed(growth).0;
                }
                MirrorEffect::Overfilled(_) => {
                    effects.push(Effect::Alert(Alert::Overfill(client_order_id.clone())));
                }
                // Only `release_front` releases, and it takes the placement itself.
                MirrorEffect::Place(_) => {}
            }
        }
        Ok(())
    }

    fn on_answer(
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

    fn on_report(&mut self, report: &OrderReport, now: Timestamp, effects: &mut Vec<Effect>) {
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
                effects.push(Effect::Alert(Alert::Unrecorded(report.broker_order_id.clone())));
            }
            return;
        };
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
        if had_ended.is_some_and(|child| matches!(child.state, ChildState::Absent | ChildState::Refused)) {
            effects.push(Effect::Alert(Alert::AppearedLate(client_order_id.clone())));
        }
        let follower = &self.settings.follower;
        let mut records = vec![Record::mapping(mirror, follower)];
        records.extend(Record::intents(mirror));
        records.push(Record::Order { client_order_id, report: Box::new(report.clone()) });
        records.extend(fills(mirror, follower, report.ts_exchange.or(Some(report.ts_event))));
        effects.push(Effect::Commit { records, then: None });
    }

    fn on_not_found(&mut self, client_order_id: ClientOrderId, effects: &mut Vec<Effect>) {
        if let Some(unknown) = self.unknown.get_mut(&client_order_id) {
            let after = unknown.next_lookup(self.settings.lookup_first, self.settings.lookup_max);
            effects.push(Effect::Lookup { client_order_id, after });
        }
    }

    fn on_book(&mut self, read: BookRead, now: Timestamp, effects: &mut Vec<Effect>) {
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
                let wanted = child.purpose == Purpose::Exit || worth_sending_again;
                wanted && self.entry_denial(&mirror.leader, child.purpose, now).is_none()
            });
            if self.drive(&id, MirrorEvent::ProvenAbsent { again }, now, effects).is_ok() {
                self.unknown.remove(&client_order_id);
                self.commit_mirror(&id, effects);
            }
        }
    }

    fn on_trades(&self, trades: Vec<TradeReport>, effects: &mut Vec<Effect>) {
        let ours = trades.into_iter().filter(|trade| self.client_of.contains_key(&trade.broker_order_id));
        let records: Vec<Record> = ours.map(Record::Trade).collect();
        if !records.is_empty() {
            effects.push(Effect::Commit { records, then: None });
        }
    }

    fn commit_mirror(&mut self, id: &BrokerOrderId, effects: &mut Vec<Effect>) {
        let Some(mirror) = self.mirrors.get_mut(id) else { return };
        let mut records = vec![Record::mapping(mirror, &self.settings.follower)];
        records.extend(Record::intents(mirror));
        effects.push(Effect::Commit { records, then: None });
    }

    /// Every mirror that has an outcome, for tests and checks.
    pub fn outcomes(&self) -> impl Iterator<Item = (&BrokerOrderId, Outcome, Option<DeniedReason>)> {
        self.mirrors.iter().map(|(id, mirror)| (id, mirror.outcome, mirror.reason))
    }
}

fn is_working(mirror: &Mirror) -> bool {
    mirror.children.iter().any(|child| matches!(child.state, ChildState::Working { .. }))
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
        source: EvidenceSource::Book,
    }
}

/// The comparison of fills, once there are any. `at`: the broker's time of the follower's newest fill; without it, of the
/// leader's.
fn fills(mirror: &Mirror, follower: &FollowerId, at: Option<Timestamp>) -> Option<Record> {
    let child = mirror.child()?;
    let leader = &mirror.leader;
    let of_leader = Fills { quantity: leader.cumulative, average: leader.average_price, at: leader.ts_event };
    let of_follower =
        Fills { quantity: child.cumulative, average: child.average_price, at: at.unwrap_or(leader.ts_event) };
    let comparison = slippage::compare(child.terms.side, of_leader, of_follower, mirror.tick)?;
    Some(Record::Fills { leader: Arc::clone(leader), follower: follower.clone(), comparison })
}

/// An order against what is held because of copies, no larger than it, is an exit.
fn purpose_of(positions: &CopiedPositions, terms: &OrderTerms) -> Purpose {
    let held = positions.get(&(terms.instrument, terms.product)).copied().unwrap_or(0);
    let change = terms.side.signed(terms.quantity).0;
    let reduces = held.signum() == -change.signum() && change.abs() <= held.abs();
    if reduces && held != 0 { Purpose::Exit } else { Purpose::Entry }
}

#[cfg(test)]
mod tests;
