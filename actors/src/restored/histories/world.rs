//! One history: a leader's day, a follower's book, its broker and its rows; and at any time a second book, made from the
//! rows alone, that must do what the first does.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tandem_domain::decision::decide;
use tandem_domain::follower::{BookRead, Effect, Event, FollowerBook, FollowerSettings};
use tandem_domain::ids::{ClientOrderId, DhanClientId, FollowerId};
use tandem_domain::instrument::{Instrument, InstrumentKey};
use tandem_domain::leader::{LeaderBook, LeaderOrder, Merge};
use tandem_domain::mirror::{Answer, Child, Request};
use tandem_domain::order::lifecycle::ChildState;
use tandem_domain::order::{BrokerStatus, EvidenceSource, OrderReport, OrderTerms};
use tandem_domain::quantity::Quantity;
use tandem_domain::sizing::DayCapital;
use tandem_domain::time::Timestamp;
use tandem_domain::trading::{Control, HaltCause};

use super::broker::{Account, Fate, fire};
use super::picture::{is_at_rest, picture};
use super::policies;
use crate::chance::Chance;
use crate::instruments::Instruments;
use crate::records::{Circumstances, Owner, writes};
use crate::restored::Day;
use crate::store::{Committed, Job, Store, WriterId};

const PATIENCE: Duration = Duration::from_mins(1);
const SECOND: Duration = Duration::from_secs(1);

pub(super) struct World<'a> {
    pub(super) chance: Chance,
    store: &'a Store,
    settings: FollowerSettings,
    instruments: Vec<Arc<Instrument>>,
    pub(super) now: Timestamp,
    pub(super) leader: Account,
    pub(super) broker: Account,
    leader_book: LeaderBook,
    pub(super) book: FollowerBook,
    /// What a new life made of the rows, driven beside the first.
    pub(super) twin: Option<FollowerBook>,
    answers: Vec<(ClientOrderId, u32, Answer)>,
    commits: Vec<(String, Receiver<Committed>)>,
    /// Whether nothing goes wrong any more.
    is_calm: bool,
    /// How often a twin was made, and how often the first was let die.
    pub(super) twins: u32,
    pub(super) deaths: u32,
    pub(super) trace: Vec<String>,
}

impl<'a> World<'a> {
    pub(super) fn new(seed: u64, store: &'a Store) -> Self {
        let mut chance = Chance::new(seed);
        let settings = policies::settings(seed, &mut chance);
        let instruments = policies::instruments();
        let keys: Vec<InstrumentKey> = instruments.iter().map(|instrument| instrument.key).collect();
        let now = policies::start(seed);
        let carried = |chance: &mut Chance| {
            let lots = if chance.percent(20) { i64::from(chance.below(5)) } else { 0 };
            vec![(keys[0], lots * 65)]
        };
        Self {
            leader: Account::new(policies::leader(), "L", carried(&mut chance)),
            broker: Account::new(settings.account.clone(), "F", carried(&mut chance)),
            store,
            book: FollowerBook::new(settings.clone()),
            twin: None,
            settings,
            instruments,
            leader_book: LeaderBook::new(now.trading_day()),
            now,
            answers: Vec::new(),
            commits: Vec::new(),
            is_calm: false,
            twins: 0,
            deaths: 0,
            trace: Vec::new(),
            chance,
        }
    }

    pub(super) fn live(&mut self) {
        self.arm();
        let steps = 20 + self.chance.below(70);
        for _ in 0..steps {
            self.step();
        }
        self.calm();
    }

    /// What every life is told first.
    fn arm(&mut self) {
        self.pass(Duration::from_millis(2));
        self.tell_positions();
        self.read_book();
    }

    fn step(&mut self) {
        match self.chance.below(100) {
            0..14 => self.leader_places(),
            14..20 => self.leader_changes(),
            20..24 => self.leader_ends(),
            24..38 => self.leader_fills(),
            38..54 => self.answer(),
            54..64 => self.broker_fills(),
            64..67 => self.broker_ends(),
            67..68 => self.by_hand(),
            68..74 => self.read_book(),
            74..77 => self.tell_positions(),
            77..88 => self.passes(),
            88..90 => self.control(),
            90..96 => self.make_twin(),
            _ => self.die(),
        }
    }

    fn keys(&self) -> Vec<InstrumentKey> {
        self.instruments.iter().map(|instrument| instrument.key).collect()
    }

    fn leader_places(&mut self) {
        let instrument = self.chance.pick(&self.instruments).unwrap();
        let terms = policies::terms(instrument.key, &mut self.chance);
        let at = self.leader.place(terms, None, self.now);
        self.hear(at);
    }

    fn leader_changes(&mut self) {
        let Some(at) = self.chance.pick(&self.leader.living()) else { return };
        let terms = &self.leader.orders[at].terms;
        let lots = 1 + self.chance.below(6);
        let quantity = Quantity::new(lots * 65).max(self.leader.orders[at].cumulative);
        let price = if self.chance.percent(50) { terms.price } else { policies::price(&mut self.chance) };
        let order = &mut self.leader.orders[at];
        order.terms = OrderTerms { quantity, price, ..order.terms.clone() };
        order.ts_event = self.now;
        if order.cumulative == quantity {
            order.status = BrokerStatus::Traded;
        }
        self.hear(at);
    }

    fn leader_ends(&mut self) {
        let Some(at) = self.chance.pick(&self.leader.living()) else { return };
        let status = if self.chance.percent(85) { BrokerStatus::Cancelled } else { BrokerStatus::Rejected };
        self.leader.end(at, status, self.now);
        self.hear(at);
    }

    fn leader_fills(&mut self) {
        let Some(at) = self.chance.pick(&self.leader.living()) else { return };
        let units = if self.chance.percent(60) { u32::MAX } else { 1 + self.chance.below(200) };
        self.leader.fill(at, units, self.now);
        self.hear(at);
    }

    /// A frame tells of an order of the leader's; or it is lost, and the next read of his book tells.
    fn hear(&mut self, at: usize) {
        if self.chance.percent(90) {
            let report = OrderReport { source: EvidenceSource::Stream, ..self.leader.orders[at].clone() };
            self.merge(&report);
        }
    }

    fn merge(&mut self, report: &OrderReport) {
        self.now = self.now.plus(Duration::from_millis(1));
        match self.leader_book.merge(report, self.now) {
            Merge::Changed(order) => self.plan(&order),
            Merge::Contradiction => self.hear_all(),
            _ => {}
        }
    }

    /// One read of the leader's book.
    fn hear_all(&mut self) {
        self.tell(&|| Event::Together(true));
        for report in self.leader.orders.clone() {
            self.now = self.now.plus(Duration::from_millis(1));
            if let Merge::Changed(order) = self.leader_book.merge(&report, self.now) {
                self.plan(&order);
            }
        }
        self.tell(&|| Event::Together(false));
    }

    fn plan(&mut self, order: &Arc<LeaderOrder>) {
        let instrument = self.instruments.iter().find(|of| of.key == order.terms.instrument).cloned();
        let (settings, capital) = (self.settings.clone(), DayCapital::default());
        let decision = decide(order, instrument.as_ref(), &settings.copy, capital, &settings.account);
        self.tell(&|| Event::Plan { order: Arc::clone(order), decision: decision.clone() });
    }

    fn answer(&mut self) {
        if self.answers.is_empty() {
            return;
        }
        let at = self.chance.below(u32::try_from(self.answers.len()).unwrap()) as usize;
        let (client_order_id, serial, answer) = self.answers.remove(at);
        self.tell(&|| Event::Answered {
            client_order_id: client_order_id.clone(),
            serial,
            answer: answer.clone(),
        });
    }

    fn broker_fills(&mut self) {
        let Some(at) = self.chance.pick(&self.broker.living()) else { return };
        let units = if self.chance.percent(60) { u32::MAX } else { 1 + self.chance.below(130) };
        if self.chance.percent(10) {
            fire(&mut self.broker.orders[at]);
        } else {
            self.broker.fill(at, units, self.now);
        }
        self.show(at);
    }

    fn broker_ends(&mut self) {
        let Some(at) = self.chance.pick(&self.broker.living()) else { return };
        let status = if self.chance.percent(70) { BrokerStatus::Rejected } else { BrokerStatus::Cancelled };
        self.broker.end(at, status, self.now);
        self.show(at);
    }

    fn by_hand(&mut self) {
        let instrument = self.chance.pick(&self.instruments).unwrap();
        let at = self.broker.place(policies::terms(instrument.key, &mut self.chance), None, self.now);
        self.broker.fill(at, u32::MAX, self.now);
        self.show(at);
    }

    /// A frame of the follower's stream.
    fn show(&mut self, at: usize) {
        if self.chance.percent(80) {
            let report = OrderReport { source: EvidenceSource::Stream, ..self.broker.orders[at].clone() };
            self.tell(&|| Event::Report(Box::new(report.clone())));
        }
    }

    fn read_book(&mut self) {
        let (started_at, orders) = (self.now, self.broker.orders.clone());
        self.now = self.now.plus(Duration::from_millis(5));
        self.tell(&|| Event::Book(BookRead { started_at, orders: orders.clone(), complete: true }));
    }

    fn tell_positions(&mut self) {
        let (started_at, keys) = (self.now, self.keys());
        let leaders = self.leader.positions(&keys, started_at);
        let followers = self.broker.positions(&keys, started_at);
        self.now = self.now.plus(Duration::from_millis(5));
        self.tell(&|| Event::LeaderPositions { started_at, positions: leaders.clone() });
        self.tell(&|| Event::Positions { started_at, positions: followers.clone() });
    }

    fn passes(&mut self) {
        let millis = if self.chance.percent(10) { 45_000 } else { 50 + self.chance.below(4_000) };
        self.pass(Duration::from_millis(millis.into()));
    }

    fn pass(&mut self, span: Duration) {
        self.now = self.now.plus(span);
        self.tell(&|| Event::Tick);
    }

    fn control(&mut self) {
        let cause = HaltCause::Operator;
        let cancel_working = self.chance.percent(30);
        let controls = [
            Control::Resume,
            Control::Resume,
            Control::Resume,
            Control::Reduce(cause),
            Control::Halt { cause, cancel_working },
            Control::SquareOff(cause),
        ];
        let control = self.chance.pick(&controls).unwrap();
        self.tell(&|| Event::Control(control));
    }

    /// The rows, read back as a new life reads them.
    fn new_life(&mut self) -> (FollowerBook, Vec<Effect>) {
        for (what, commit) in self.commits.drain(..) {
            let result = commit.recv_timeout(PATIENCE).unwrap().result;
            assert!(result.is_ok(), "{result:?}: {what}");
        }
        let (day, follower) = (self.now.trading_day(), &self.settings.rules.follower);
        let day =
            Day::read(&self.store.reader, day, follower, &self.settings.account, &Instruments::default());
        let mut book = FollowerBook::new(self.settings.clone());
        let effects = day.unwrap().restore(&mut book, self.now);
        (book, effects)
    }

    /// At rest: what is known to be lost harmlessly is not there to be lost (`docs/architecture.md`, a new life).
    fn make_twin(&mut self) {
        while !self.answers.is_empty() {
            self.answer();
        }
        self.pass(SECOND * 20);
        while !self.answers.is_empty() {
            self.answer();
        }
        self.read_book();
        self.tell_positions();
        if !self.answers.is_empty() || !is_at_rest(&self.book, self.now) {
            return;
        }
        self.twin = None;
        let (twin, effects) = self.new_life();
        self.trace
            .push(format!("a new life beside the old, which is\n{}", picture(&self.book, true).join("\n")));
        assert!(requests(&effects).is_empty(), "a restart sends nothing by itself: {effects:?}");
        assert_alike(&twin, &self.book, false);
        self.twins += 1;
        self.twin = Some(twin);
        // What a new life is told first, and the old one is told as well.
        self.quiet(|world| {
            world.read_book();
            world.tell_positions();
            let known: Vec<Arc<LeaderOrder>> = world.leader_book.iter().cloned().collect();
            world.tell(&|| Event::Together(true));
            for order in known {
                world.plan(&order);
            }
            world.tell(&|| Event::Together(false));
        });
        self.compare();
    }

    /// The process dies: what was on its way to it is lost, what was on its way to the broker is not.
    fn die(&mut self) {
        self.answers.clear();
        self.twin = None;
        let (book, effects) = self.new_life();
        self.trace.push("a new life".to_owned());
        self.deaths += 1;
        self.book = book;
        let today = self.now.trading_day();
        self.leader_book = LeaderBook::new(today);
        self.leader_book.remember(self.store.reader.leader_orders(today, &policies::leader()).unwrap());
        self.run(effects);
        self.read_book();
        self.tell_positions();
        self.hear_all();
    }

    fn quiet(&mut self, tell: impl FnOnce(&mut Self)) {
        tell(self);
    }

    /// All that is under way arrives, nothing goes wrong any more, and everything that works is filled.
    fn calm(&mut self) {
        self.is_calm = true;
        for _ in 0..10 {
            self.hear_all();
            while let Some((client_order_id, serial, answer)) = self.answers.pop() {
                self.tell(&|| Event::Answered {
                    client_order_id: client_order_id.clone(),
                    serial,
                    answer: answer.clone(),
                });
            }
            self.pass(SECOND * 12);
            self.read_book();
            self.tell_positions();
        }
        let ours = self.broker.orders.iter().filter(|order| order.tag.is_some());
        for key in self.keys() {
            let of_it = ours.clone().filter(|order| order.terms.instrument == key);
            let traded: i64 = of_it.map(|order| order.terms.side.signed(order.cumulative).0).sum();
            assert_eq!(self.book.copied_units(key), traded, "each fill counts once (P9)");
        }
        let in_doubt = in_doubt(&self.book);
        let unexplained = |child: &&Child| !self.broker.orders.iter().any(|order| may_be(order, child));
        let left: Vec<&Child> = in_doubt.iter().filter(unexplained).collect();
        assert!(left.is_empty(), "in doubt though nothing looks like it (P4): {left:?}");
        self.make_twin();
    }

    /// Tells both lives the same; they must ask the same of the broker.
    fn tell(&mut self, event: &dyn Fn() -> Event) {
        self.trace.push(format!("{} {:?}", self.now.micros() / 1000 % 100_000_000, event()));
        let effects = self.book.step(event(), self.now);
        let of_twin = self.twin.as_mut().map(|twin| twin.step(event(), self.now));
        if let Some(of_twin) = of_twin {
            let (ours, theirs) = (requests(&effects), requests(&of_twin));
            if sorted(&theirs) != sorted(&ours) {
                self.compare();
            }
            assert_eq!(sorted(&theirs), sorted(&ours), "a new life asks something else (left: it)");
        }
        self.run(effects);
    }

    fn compare(&self) {
        if let Some(twin) = &self.twin {
            assert_alike(twin, &self.book, true);
        }
    }

    fn run(&mut self, effects: Vec<Effect>) {
        let (mut sent, mut lookups) = (Vec::new(), Vec::new());
        for effect in effects {
            match effect {
                Effect::Commit { records, then } => {
                    let owner = Owner {
                        follower: &self.settings.rules.follower.clone(),
                        account: &self.settings.account.clone(),
                    };
                    let around = Circumstances { now: self.now, news: None };
                    self.commit(writes(records, owner, &around));
                    sent.extend(then.map(|approved| approved.get().clone()));
                }
                Effect::Lookup { client_order_id, .. } => lookups.push(client_order_id),
                _ => {}
            }
        }
        for id in lookups {
            self.look_up(&id);
        }
        for request in sent {
            self.send(&request);
        }
    }

    fn commit(&mut self, writes: Vec<crate::store::Write>) {
        let (reply, answer) = channel();
        let what = format!("{writes:?}");
        let writer = WriterId { actor: "test".into(), generation: 1 };
        let reply = Box::new(move |committed| drop(reply.send(committed)));
        let mut job = Job { writer, writes, in_order: true, reply };
        // The queue is bounded: what it has no room for waits.
        while let Err((_, back)) = self.store.handle.offer(job) {
            job = back;
            std::thread::yield_now();
        }
        self.commits.push((what, answer));
    }

    /// The answer comes later, or never.
    fn look_up(&mut self, id: &ClientOrderId) {
        let found = self
            .broker
            .orders
            .iter()
            .find(|order| order.tag.as_ref().is_some_and(|tag| tag.as_str() == id.as_str()));
        if let Some(found) = found.cloned().filter(|_| self.chance.percent(50)) {
            self.tell(&|| Event::Report(Box::new(found.clone())));
        }
    }

    fn send(&mut self, request: &Request) {
        self.trace.push(format!("   sends {request:?}"));
        self.tell(&|| Event::Left);
        let fate = match self.chance.below(100) {
            _ if self.is_calm => Fate::Taken,
            0..74 => Fate::Taken,
            74..79 => Fate::Refused,
            79..83 => Fate::NotSent,
            83..86 => Fate::Busy,
            86..91 => Fate::LostBefore,
            91..96 => Fate::LostAfter,
            _ => Fate::Hollow,
        };
        let answer = self.broker.take(request, fate, self.now);
        self.answers.push((request.client_order_id.clone(), request.serial, answer));
    }
}

/// `heard`: whether both were told of the leader's orders.
fn assert_alike(new: &FollowerBook, old: &FollowerBook, heard: bool) {
    let (new, old) = (picture(new, heard), picture(old, heard));
    let other = |line: &&String, of: &[String]| !of.contains(line);
    let only_new: Vec<&String> = new.iter().filter(|line| other(line, &old)).collect();
    let only_old: Vec<&String> = old.iter().filter(|line| other(line, &new)).collect();
    assert!(
        only_new.is_empty() && only_old.is_empty(),
        "not alike (leader heard: {heard})\nnew life {only_new:#?}\nold life {only_old:#?}"
    );
}

fn in_doubt(book: &FollowerBook) -> Vec<Child> {
    let mirrors = book.outcomes().filter_map(|(id, ..)| book.mirror(id));
    let children = mirrors.flat_map(|mirror| &mirror.children);
    children.filter(|child| child.state == ChildState::Unknown).cloned().collect()
}

/// An order made by hand that could be the one that is looked for.
fn may_be(order: &OrderReport, child: &Child) -> bool {
    let of = |terms: &OrderTerms| (terms.instrument, terms.side, terms.quantity);
    order.tag.is_none() && of(&order.terms) == of(&child.terms)
}

fn requests(effects: &[Effect]) -> Vec<Request> {
    let then = effects.iter().filter_map(|effect| match effect {
        Effect::Commit { then, .. } => then.as_ref(),
        _ => None,
    });
    then.map(|approved| approved.get().clone()).collect()
}

/// In no particular order: which of two goes first within a step is nobody's business.
fn sorted(requests: &[Request]) -> Vec<String> {
    let mut texts: Vec<String> = requests.iter().map(|request| format!("{request:?}")).collect();
    texts.sort();
    texts
}

/// Whose day it is.
pub(super) fn follower(seed: u64) -> (FollowerId, DhanClientId) {
    let id = FollowerId::new(format!("f{seed}")).unwrap();
    (id, DhanClientId::new(format!("{}", 1_000_000_000 + seed)).unwrap())
}
