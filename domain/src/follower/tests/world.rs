//! One follower's book, the model broker and its rows, through a sequence of steps: never two orders for one (P2), never
//! more than the target (P5), one outcome for each (P26).

use std::collections::{BTreeSet, VecDeque};

use super::model::{Broker, Fate, Rows};
use super::*;
use crate::mirror::{COPY, REPAIR};

/// The leader's orders: side and units.
pub(super) const LEADER: [(&str, Side, u32); 6] = [
    ("L0", BUY, 130),
    ("L1", BUY, 65),
    ("L2", SELL, 65),
    ("L3", SELL, 130),
    ("L4", BUY, 195),
    ("L5", SELL, 195),
];

const LOT: u32 = 65;

/// What happens next.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Follow { which: usize, units: Option<u32> },
    Await(usize),
    Withdraw(usize),
    Answer(usize),
    BeginRead { complete: bool },
    EndRead(usize),
    LookUp(usize),
    Fill(usize, u32),
    End(usize, BrokerStatus),
    ByHand { like: usize },
    Pass(Duration),
    Breaker(bool),
    Credentials(bool),
    Restart,
}

/// One follower, its broker, its rows, and what is under way between them.
pub(super) struct World {
    desk: Desk,
    broker: Broker,
    rows: Rows,
    fates: VecDeque<(Fate, Duration)>,
    answers: Vec<(ClientOrderId, u32, Answer)>,
    reads: Vec<BookRead>,
    lookups: Vec<ClientOrderId>,
    first_seen: BTreeMap<usize, Timestamp>,
    /// The leader's present state: what his book tells every new life again.
    last_word: BTreeMap<usize, Decision>,
    largest_target: BTreeMap<BrokerOrderId, u32>,
    /// The most that the copies of an order had filled beyond what the leader wanted of it, since he lowered it.
    largest_excess: BTreeMap<BrokerOrderId, u32>,
    requested: BTreeSet<BrokerOrderId>,
    /// Orders the leader has taken back; he does not place them again.
    withdrawn: BTreeSet<usize>,
    sent_at: Vec<(Timestamp, Purpose)>,
}

impl World {
    pub(super) fn new(fates: Vec<(Fate, Duration)>) -> Self {
        Self {
            desk: Desk::new(),
            broker: Broker::default(),
            rows: Rows::default(),
            fates: fates.into(),
            answers: Vec::new(),
            reads: Vec::new(),
            lookups: Vec::new(),
            first_seen: BTreeMap::new(),
            last_word: BTreeMap::new(),
            largest_target: BTreeMap::new(),
            largest_excess: BTreeMap::new(),
            requested: BTreeSet::new(),
            withdrawn: BTreeSet::new(),
            sent_at: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::Follow { which, units } => {
                let (id, side, whole) = LEADER[which];
                let terms = terms(side, units.unwrap_or(whole));
                let largest = self.largest_target.entry(broker_id(id)).or_default();
                *largest = terms.quantity.get().max(*largest);
                self.plan(which, follow(terms));
            }
            Step::Await(which) => self.plan(which, Decision::Await),
            Step::Withdraw(which) => {
                self.plan(which, Decision::Deny(DeniedReason::LeaderGone));
                self.withdrawn.insert(which);
            }
            Step::Answer(at) => {
                if let Some((client_order_id, serial, answer)) = picked(&mut self.answers, at) {
                    self.tell(Event::Answered { client_order_id, serial, answer });
                }
            }
            Step::BeginRead { complete } => {
                let mut orders = self.broker.book(self.desk.now);
                // What an incomplete read lacks is what it could not make out.
                orders.truncate(if complete { orders.len() } else { orders.len() / 2 });
                self.reads.push(BookRead { started_at: self.desk.now, orders, complete });
            }
            Step::EndRead(at) => {
                if let Some(read) = picked(&mut self.reads, at) {
                    self.tell(Event::Book(read));
                }
            }
            Step::LookUp(at) => {
                if let Some(id) = picked(&mut self.lookups, at) {
                    let found = self.broker.lookup(&id, self.desk.now);
                    self.tell(found.map_or(Event::NotFound(id), |found| Event::Report(Box::new(found))));
                }
            }
            Step::Fill(at, units) if !self.broker.orders.is_empty() => {
                self.broker.fill(at % self.broker.orders.len(), units);
            }
            Step::End(at, status) if !self.broker.orders.is_empty() => {
                self.broker.end(at % self.broker.orders.len(), status);
            }
            Step::Fill(..) | Step::End(..) => {}
            Step::ByHand { like } => {
                let (_, side, units) = LEADER[like];
                self.broker.by_hand(terms(side, units), self.desk.now);
            }
            Step::Pass(span) => {
                self.desk.now = self.desk.now.plus(span);
                self.tell(Event::Tick);
            }
            Step::Breaker(open) => self.tell(Event::Breaker { open }),
            Step::Credentials(refused) => self.tell(Event::Credentials { refused }),
            Step::Restart => self.restart(),
        }
    }

    fn plan(&mut self, which: usize, decision: Decision) {
        if self.withdrawn.contains(&which) {
            return;
        }
        // A passing word takes nothing back.
        if decision != Decision::Await || !self.last_word.contains_key(&which) {
            self.last_word.insert(which, decision.clone());
        }
        self.say(which, decision);
    }

    fn say(&mut self, which: usize, decision: Decision) {
        let (id, side, units) = LEADER[which];
        let since = *self.first_seen.entry(which).or_insert(self.desk.now);
        // A word that says nothing of the terms does not change them.
        let known = self.desk.book.mirror(&broker_id(id)).map(|mirror| mirror.leader.terms.clone());
        let wanted = match &decision {
            Decision::Follow(wish) => wish.terms.clone(),
            Decision::Await | Decision::Deny(_) => known.unwrap_or_else(|| terms(side, units)),
        };
        let mut order = LeaderOrder::clone(&leader_order(id, wanted, since));
        if decision == Decision::Deny(DeniedReason::LeaderGone) {
            order.status = BrokerStatus::Cancelled;
        }
        self.tell(Event::Plan { order: Arc::new(order), decision });
    }

    /// All that was in memory or under way is gone; orders that reached the broker, and rows, are not.
    fn restart(&mut self) {
        self.answers.clear();
        self.reads.clear();
        self.lookups.clear();
        self.desk.book = FollowerBook::new(settings());
        let effects = self.desk.book.restore(self.rows.mirrors(), self.desk.now);
        // Nobody reads positions here.
        self.desk.book.has_read_positions();
        assert_eq!(placements(&effects), vec![], "a restart sends nothing by itself");
        self.perform(effects);
        for (which, decision) in self.last_word.clone() {
            self.say(which, decision);
        }
    }

    fn tell(&mut self, event: Event) {
        self.note_excess();
        let effects = self.desk.step(event);
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Commit { records, then } => {
                    for record in &records {
                        self.rows.store(record, self.desk.now);
                    }
                    if let Some(approved) = then {
                        self.send(approved.get());
                    }
                }
                Effect::Lookup { client_order_id, .. } => self.lookups.push(client_order_id),
                Effect::WakeAt(at) => assert!(at > self.desk.now, "a wake-up in the past would spin"),
                // Reads of the book come by themselves.
                Effect::ReadBook | Effect::Over(Alert::OutcomeUnknown(_)) => {}
                unwanted @ (Effect::ReadSupers
                | Effect::ReadPositions
                | Effect::AskMargin { .. }
                | Effect::Convert(_)
                | Effect::Over(_)) => panic!("nothing in this world asks for {unwanted:?}"),
                Effect::Alert(alert) => assert!(
                    matches!(
                        alert,
                        Alert::AccountHalted
                            | Alert::LookAlike(_)
                            | Alert::OutcomeUnknown(_)
                            | Alert::CopyGap(..)
                            | Alert::Detached(_)
                            | Alert::ChangeRefused(_)
                            | Alert::ExitGivenUp(_)
                            // What has opened a short may be to close a buy by now.
                            | Alert::Overshot(..)
                    ),
                    "in this world nothing can cause {alert:?}"
                ),
            }
        }
        self.check();
    }

    fn send(&mut self, request: &Request) {
        let row = &self.rows.intents[&request.client_order_id];
        let leader_order = row.key.leader_order.clone();
        if let Ask::Place(terms) = &request.ask {
            assert_eq!(row.state, ChildState::Sending, "durable before the wire (P1)");
            assert_eq!(row.terms, *terms);
            let before = self.broker.exposure(&self.rows.attempts(&leader_order, row.key.leg));
            let bound = self.bound(&leader_order, row.key.leg);
            assert!(before + terms.quantity.get() <= bound, "P5: {leader_order}");
        } else {
            let change = &self.rows.changes[&(request.client_order_id.clone(), request.serial)];
            assert_eq!(change.state, IntentState::Sending, "durable before the wire (P1)");
        }
        let now = self.desk.now;
        let (fate, shown_after) = self.fates.pop_front().unwrap_or((Fate::Taken, Duration::ZERO));
        let answer = self.broker.request(request, fate, shown_after, now);
        self.answers.push((request.client_order_id.clone(), request.serial, answer));
        self.requested.insert(leader_order);
        self.sent_at.push((now, request.purpose));
        let in_last_second = self.sent_at.iter().filter(|(at, _)| now.since(*at) < SECOND).count();
        assert!(in_last_second <= 10, "P18");
    }

    /// What the orders of a part may come to at the most: of the copy the largest target there was, or what there is to be
    /// closed; of what makes a gap good as much as the copy filled.
    fn bound(&self, id: &BrokerOrderId, leg: u8) -> u32 {
        if leg != COPY {
            return self.filled(id);
        }
        let largest = self.largest_target.get(id).copied().unwrap_or(0);
        let side = |id: &str| LEADER.iter().find(|(other, ..)| id == *other).map(|(_, side, _)| *side);
        let opposite = || {
            LEADER.iter().filter(|(other, ..)| side(other) != side(id.as_str())).map(|(id, ..)| broker_id(id))
        };
        // What closes may close all that the copies of the other side have filled.
        let filled = opposite().map(|other| self.filled(&other)).sum();
        // Where the leader has lowered an order of the other side below what its copy had filled by then, that goes as well
        // with his own quantity.
        let excess: u32 = opposite().map(|other| self.largest_excess.get(&other).copied().unwrap_or(0)).sum();
        (largest + excess).max(filled)
    }

    fn note_excess(&mut self) {
        for (which, decision) in &self.last_word {
            let Decision::Follow(wish) = decision else { continue };
            let id = broker_id(LEADER[*which].0);
            let excess = self.filled(&id).saturating_sub(wish.terms.quantity.get());
            let largest = self.largest_excess.entry(id).or_default();
            *largest = excess.next_multiple_of(LOT).max(*largest);
        }
    }

    /// Units that the copies of one leader order have filled at the broker.
    fn filled(&self, id: &BrokerOrderId) -> u32 {
        let copies = self.rows.attempts(id, COPY);
        self.broker.of(&copies).map(|row| row.cumulative.get()).sum()
    }

    /// What must hold after every step.
    fn check(&self) {
        for (id, mirror) in self.desk.book.mirrors.iter() {
            assert!(mirror.worst_case() <= u64::from(self.bound(id, COPY)), "P5: {mirror:?}");
            for leg in [COPY, REPAIR] {
                let attempts = self.rows.attempts(id, leg);
                let bound = self.bound(id, leg);
                assert!(self.broker.exposure(&attempts) <= bound, "P5 at the broker: {id} {leg}");
            }
            let mut live = BTreeSet::new();
            for child in &mirror.children {
                let orders: Vec<_> = self.broker.of(std::slice::from_ref(&child.client_order_id)).collect();
                assert!(orders.len() <= 1, "P2: an id placed twice: {child:?}");
                let lives = orders.iter().any(|row| !row.status.is_terminal());
                let is_first = !lives || live.insert((child.key.leg, child.key.slice));
                assert!(is_first, "P2: two live orders for one: {mirror:?}");
            }
            let row = self.rows.mappings[id].state;
            assert_eq!((row.outcome, row.reason), (mirror.outcome, mirror.reason), "P26: rows are the truth");
            // A change the broker took is as good as shown to a new life.
            assert!(u64::from(row.copied.get()) >= mirror.worst_case(), "P5 on durable rows");
        }
    }

    /// The network heals; the account is taken back; all that is under way arrives; nobody trades any more.
    pub(super) fn settle(&mut self) {
        self.fates.clear();
        self.tell(Event::Credentials { refused: false });
        for _ in 0..12 {
            for (client_order_id, serial, answer) in std::mem::take(&mut self.answers) {
                self.tell(Event::Answered { client_order_id, serial, answer });
            }
            for read in std::mem::take(&mut self.reads) {
                self.tell(Event::Book(read));
            }
            self.lookups.clear();
            self.take(Step::Pass(SECOND * 3));
            self.take(Step::BeginRead { complete: true });
        }
    }

    /// What must hold in the end.
    pub(super) fn check_end(&self) {
        let book = &self.desk.book;
        assert_eq!(self.first_seen.len(), book.outcomes().count(), "one outcome for each (P26)");
        assert_eq!(book.waiting_count(), 0);
        let untagged = self.broker.orders.iter().filter(|order| order.row.tag.is_none()).count();
        assert!(book.unknown_count() == 0 || untagged > 0, "a doubt without a cause stays");
        assert_eq!(self.desk.position(), self.broker.position(), "each fill counts once (P9)");
        for (id, outcome, reason) in book.outcomes() {
            let requested = self.requested.contains(id);
            let orders = self.broker.of(&self.rows.attempts(id, COPY)).count();
            let fits = match outcome {
                Outcome::AwaitingLeader => !requested && reason.is_none(),
                // It closes what has not been bought yet, or what another exit still may close.
                Outcome::Waiting => {
                    let child = book.mirror(id).and_then(Mirror::child);
                    let waits_for_room = child.is_some_and(|child| child.purpose == Purpose::Exit);
                    orders == 0 && (reason == Some(DeniedReason::NothingToClose) || waits_for_room)
                }
                Outcome::Sent | Outcome::Detached => requested,
                Outcome::Skipped => !requested && reason.is_some(),
                Outcome::Voided => orders == 0 && reason.is_some(),
            };
            assert!(fits, "{id} is {outcome} {reason:?}, requested {requested}, {orders} orders");
        }
    }
}

fn picked<T>(from: &mut Vec<T>, at: usize) -> Option<T> {
    (!from.is_empty()).then(|| from.remove(at % from.len()))
}
