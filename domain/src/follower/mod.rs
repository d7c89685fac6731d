//! Everything one follower account is doing: its mirrors, its queue for the broker's budget, what it holds because of
//! copies, and the orders whose fate is unknown. One pure `step`; the actor around it commits and sends.
//!
//! Upholds P1 (a placement leaves only inside an [`Effect::Commit`]), P2 and P5 (through [`crate::mirror`]), P3 and P4
//! (through [`absence`]), P18 (through [`crate::pacing`]), P26 (every leader order gets an outcome).

mod absence;
mod evidence;
mod planning;
mod queue;
mod record;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

pub use absence::BookRead;
pub use record::Record;

use self::absence::Unknown;
use self::queue::Queue;
use crate::gates::{CopyPolicy, DeniedReason, RiskApproved};
use crate::ids::{BrokerOrderId, ClientOrderId, DhanClientId, FollowerId, TradeId};
use crate::instrument::InstrumentKey;
use crate::leader::LeaderOrder;
use crate::mirror::{Mirror, MirrorEffect, MirrorEvent, Outcome, PlaceAnswer, Placement};
use crate::order::lifecycle::{ChildState, IllegalTransition};
use crate::order::{OrderReport, OrderTerms, Product, TradeReport};
use crate::pacing::{Pacer, PacingLimits};
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
    /// A released placement is durable and leaves now: what the broker's windows count from (P18).
    Left,
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
    /// Send nothing new: the process is stopping. What waits is on record, and waits for the next start.
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
    /// Two orders carry the tag of one of ours; the second is left alone.
    Duplicate(BrokerOrderId),
    /// An exit was sent as often as is borne, and its absence proven each time: it is given up.
    ExitGivenUp(ClientOrderId),
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
    /// Restored orders that wait to hear of the leader's present state before they wait for the budget.
    unheard: HashSet<BrokerOrderId>,
    /// Orders in the broker's book that carry our tag and are on no record: never to be placed again.
    unrecorded: HashSet<ClientOrderId>,
    known_trades: HashSet<TradeId>,
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
            unheard: HashSet::new(),
            unrecorded: HashSet::new(),
            known_trades: HashSet::new(),
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
                // It leaves only once the leader's present state is known (P12): he may have taken it back meanwhile.
                Some((ChildState::Planned, _)) => {
                    self.unheard.insert(leader_order.clone());
                }
                Some((ChildState::Sending | ChildState::Unknown, _)) => {
                    let lost = MirrorEvent::Answer(PlaceAnswer::Lost);
                    if mirror.step(lost, &self.settings.follower, now).is_ok()
                        && let Some(child) = mirror.child()
                    {
                        let client_order_id = child.client_order_id.clone();
                        let sent_from = child.ts_sent.unwrap_or(mirror.leader.ts_first_event);
                        // Until now: a life that was given up may have sent it late.
                        self.unknown.insert(client_order_id.clone(), Unknown::new(sent_from, now));
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

    /// What must not be passed over: orders whose fate is unknown, and those that wait to leave.
    pub fn unsettled_count(&self) -> usize {
        let waiting = if self.stopping { 0 } else { self.queue.len() };
        self.unknown.len() + waiting
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
            Event::Left => self.pacer.left(now),
            Event::Tick => {}
        }
        self.release(now, &mut effects);
        effects
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
                        .or_insert_with(|| Unknown::new(sent_at, sent_at));
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

#[cfg(test)]
mod tests;
