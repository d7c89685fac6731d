//! One follower's part of the store, and his actor's fate: what it has asked to be kept, when it is told that it is, and
//! when it dies.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use tandem_actors::records::{About, Circumstances, News, Owner, writes};
use tandem_actors::restored::Day;
use tandem_actors::store::{IncidentSettled, IntentTiming, Job, OpeningRow, Write, WriterId, units_held};

use super::chance::Chance;
use super::coverage::{DEATHS, RARE_DEATHS};
use super::keeping::{Boundary, Keeping};
use super::limits::Limit;
use super::rows::Rows;
use super::speak::{self, FOLLOWERS};
use super::world::{Checked, World, hold};
use crate::follower::{Alert, Effect, FollowerBook, Opening, Record, Unproven};
use crate::gap::Gap;
use crate::gates::entry::MarginCheck;
use crate::ids::{ClientOrderId, DhanClientId, FollowerId};
use crate::instrument::InstrumentKey;
use crate::mirror::{IntentState, Request};
use crate::pacing::Purpose;
use crate::time::Timestamp;

/// How many of a hundred followers' days are led to one of the rarest deaths.
const LED: u32 = 30;

/// What dies with a follower's actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Death {
    /// Nothing else.
    Alone,
    /// The whole process.
    Process,
}

/// What may befall an actor in a day.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fate {
    pub(super) deaths: u32,
    /// Whether the process never dies with it.
    pub(super) is_alone: bool,
}

/// Where an actor's death is aimed at.
#[derive(Debug, Clone, Copy)]
struct Aim {
    at: (&'static str, Boundary),
    /// It is one of the rarest, and the day is led there: a death is kept for it.
    is_led: bool,
}

impl Aim {
    fn draw(chance: &mut Chance) -> Self {
        let is_led = chance.percent(LED);
        let weights = RARE_DEATHS.map(|(weight, _)| weight);
        let at = if is_led { RARE_DEATHS[chance.weighted(&weights)].1 } else { chance.pick(&DEATHS) };
        Self { at, is_led }
    }
}

pub(super) struct Keeper {
    pub(super) rows: Rc<RefCell<Rows>>,
    number: usize,
    follower: FollowerId,
    account: DhanClientId,
    generation: u32,
    pub(super) chance: Chance,
    fate: Fate,
    pub(super) limit: Option<&'static Limit>,
    /// Where he is to die if his day ever comes there: most moments are rare.
    aim: Aim,
    pub(super) died_at: Boundary,
    pub(super) death: Option<Death>,
    /// Whether the trading state was made durable since this was last cleared.
    pub(super) has_trading: bool,
    /// Faults have stopped.
    pub(super) is_calm: bool,
    is_slow: bool,
    /// When requests left that are not known to be answered.
    left: BTreeMap<(ClientOrderId, u32), Timestamp>,
    /// What the actor has asked for and was not answered, in order; none for what will be refused.
    asked: VecDeque<Option<Vec<Record>>>,
    /// By leader's order: what its copies are to come to, and the gap, as they are on record.
    pub(super) on_record: BTreeMap<usize, (u32, Option<Gap>)>,
    /// Where an earlier day's request came to something and nobody can tell: nothing is opened there.
    frozen: BTreeSet<InstrumentKey>,
}

impl Keeper {
    pub(super) fn new(rows: &Rc<RefCell<Rows>>, number: usize, mut chance: Chance, fate: Fate) -> Self {
        Self {
            rows: Rc::clone(rows),
            number,
            follower: FollowerId::new(FOLLOWERS[number].name).unwrap(),
            account: DhanClientId::new(FOLLOWERS[number].account).unwrap(),
            generation: 0,
            aim: Aim::draw(&mut chance),
            chance,
            fate,
            limit: None,
            died_at: Boundary::Told,
            death: None,
            has_trading: false,
            is_calm: false,
            is_slow: false,
            left: BTreeMap::new(),
            asked: VecDeque::new(),
            on_record: BTreeMap::new(),
            frozen: BTreeSet::new(),
        }
    }

    /// Leads the day to where his death is aimed at.
    pub(super) fn lead(&self, world: &mut World) {
        match self.aim.at {
            _ if !self.aim.is_led => {}
            ("margin", _) => {
                world.policies.margin = MarginCheck::Broker;
                world.settings.entry.margin = MarginCheck::Broker;
            }
            ("credentials", at) => {
                world.token.will_end = true;
                world.token.exits_awaited = if at == Boundary::BetweenCommits { 2 } else { 1 };
            }
            _ => {}
        }
    }

    /// How many deaths nothing but the aim may take.
    fn kept_deaths(&self) -> u32 {
        u32::from(self.aim.is_led && self.fate.deaths > 0)
    }

    pub(super) fn count(&self, what: &str) {
        self.rows.borrow_mut().coverage.count(what.to_owned());
    }

    /// The evening before: what copies have left.
    pub(super) fn evening(&mut self, carried: Vec<(InstrumentKey, i64)>, now: Timestamp) -> Checked {
        let yesterday = now.minus(std::time::Duration::from_hours(24));
        let opening = |(instrument, copied)| {
            Write::Opening(OpeningRow {
                trading_day: yesterday.trading_day(),
                follower: self.follower.clone(),
                opening: Opening { instrument, leader: 0, copied, own: 0 },
                recorded_at: yesterday,
            })
        };
        let writes: Vec<Write> = carried.into_iter().map(opening).collect();
        self.asked.push_back(Some(Vec::new()));
        let job = Job { writes, ..self.job(Vec::new(), now) };
        self.rows.borrow_mut().submit(self.number, job);
        self.answer().map(|_| ())
    }

    /// What copies of earlier days may hold.
    pub(super) fn carried(&self, now: Timestamp) -> BTreeMap<InstrumentKey, i64> {
        let (rows, today) = (self.rows.borrow(), now.trading_day());
        units_held(&rows.reader().carried(&self.follower, &self.account, today).unwrap(), today)
    }

    /// A new day: the instruments in which an earlier one has left something unproven. `carried`: what the account holds of
    /// one in truth.
    pub(super) fn dawn(&mut self, now: Timestamp, carried: impl Fn(InstrumentKey) -> i64) -> BTreeSet<u32> {
        self.count("a night: passed");
        self.on_record.clear();
        let unproven = {
            let rows = self.rows.borrow();
            rows.reader().unproven(&self.follower, &self.account, now.trading_day()).unwrap()
        };
        let cannot_be_proven = |of: &&Unproven| of.expected != Some(carried(of.instrument));
        self.frozen = unproven.iter().filter(cannot_be_proven).map(|of| of.instrument).collect();
        if !self.frozen.is_empty() {
            self.count("a night: something came of what is unproven");
        }
        unproven.iter().map(|of| speak::number_of_key(of.instrument)).collect()
    }

    /// What no process may make durable, whatever it believes: a request for an order of an earlier day, an entry where nobody
    /// can tell what is held (P29).
    fn look_at(&self, record: &Record, now: Timestamp) -> Checked {
        let Record::Intent { child, .. } = record else { return Ok(()) };
        let (leaves, key) = (child.intent_state() == IntentState::Sending, &child.key);
        let is_todays = key.trading_day == now.trading_day();
        hold!(is_todays || !leaves, "P29: {key:?} is sent on another day");
        let opens = child.purpose == Purpose::Entry && self.frozen.contains(&child.terms.instrument);
        hold!(!opens || !leaves, "P29: {key:?} opens where nobody knows what is held");
        if let Some(limit) = self.limit.filter(|_| leaves && child.purpose == Purpose::Entry) {
            hold!((limit.lets_open)(&child.terms), "{key:?} opens, {} or not", limit.reason);
        }
        Ok(())
    }

    /// A book made of the rows, as a follower's actor makes it.
    pub(super) fn restore(&self, mut book: FollowerBook, now: Timestamp) -> (FollowerBook, Vec<Effect>) {
        let (rows, today) = (self.rows.borrow(), now.trading_day());
        let day = Day::read(rows.reader(), today, &self.follower, &self.account, &rows.instruments).unwrap();
        let effects = day.restore(&mut book, now);
        (book, effects)
    }

    /// Records as the store takes them.
    pub(super) fn job(&self, records: Vec<Record>, now: Timestamp) -> Job {
        let owner = Owner { follower: &self.follower, account: &self.account };
        let news = records.iter().find_map(|record| self.news_of(record));
        let writes = writes(records, owner, &Circumstances { now, news });
        let writer =
            WriterId { actor: format!("follower/{}", self.follower).into(), generation: self.generation };
        Job { writer, writes, in_order: true, reply: Box::new(|_| ()) }
    }

    /// The store answers the first of what was asked: whether it took it.
    pub(super) fn answer(&mut self) -> Result<bool, String> {
        self.rows.borrow_mut().commit()?;
        let answer = self.rows.borrow_mut().answer(self.number);
        let Some(answer) = answer else { return Ok(true) };
        match (self.asked.pop_front().flatten(), answer) {
            (Some(asked), Ok(())) => self.record(&asked),
            (Some(asked), Err(refused)) => return Err(format!("the rows refuse: {refused}\n{asked:#?}")),
            (None, Err(_)) => return Ok(false),
            (None, Ok(())) => return Err("the rows take what nobody may write".to_owned()),
        }
        Ok(true)
    }

    /// When it left is on record with the answer.
    fn news_of(&self, record: &Record) -> Option<News> {
        let (id, serial) = match record {
            Record::Intent { child, .. } => (&child.client_order_id, 0),
            Record::Change { change, .. } => (&change.client_order_id, change.serial),
            _ => return None,
        };
        let key = (id.clone(), serial);
        let timing = IntentTiming { sent: Some(*self.left.get(&key)?), ..IntentTiming::default() };
        let about = About::Request(key.0, serial);
        Some(News { about, timing, received: None, request: None, response: None, refusal: None })
    }

    fn record(&mut self, records: &[Record]) {
        self.has_trading |= records.iter().any(|record| matches!(record, Record::Trading(_)));
        for record in records {
            match record {
                Record::Gap { leader, gap, .. } => {
                    self.on_record.entry(speak::number_of(&leader.broker_order_id)).or_default().1 =
                        Some(*gap);
                }
                Record::Mapping { leader, state, .. } if leader.account != self.account => {
                    let number = speak::number_of(&leader.broker_order_id);
                    self.on_record.entry(number).or_default().0 = state.target.get();
                }
                _ => {}
            }
        }
    }

    /// The actor dies, and the writer takes nothing more of this life. Of what it was not answered a part may be on record.
    pub(super) fn bury(&mut self) -> Checked {
        self.death = None;
        if self.chance.percent(50) {
            self.rows.borrow_mut().commit()?;
        }
        for asked in std::mem::take(&mut self.asked) {
            let answer = self.rows.borrow_mut().answer(self.number);
            let is_there = matches!(answer, Some(Ok(())));
            self.count(if is_there {
                "in flight: a commit that is there"
            } else {
                "in flight: a commit that is not"
            });
            if is_there {
                self.record(&asked.unwrap_or_default());
            }
        }
        self.generation += 1;
        let writer = self.job(Vec::new(), Timestamp::EPOCH).writer;
        self.rows.borrow_mut().set_generation(&writer);
        Ok(())
    }

    /// A job that the rows refuse, whatever is in it.
    fn spoil(&mut self, writes: &mut Vec<Write>, now: Timestamp) {
        self.count("a commit: refused by the rows");
        writes.push(Write::IncidentSettled(IncidentSettled {
            id: "of nobody".into(),
            note: "".into(),
            actor: "operator".into(),
            at: now,
        }));
    }
}

impl Keeping for Rc<RefCell<Keeper>> {
    fn commit(&mut self, records: &[Record], now: Timestamp) -> Checked {
        let keeper = &mut *self.borrow_mut();
        records.iter().try_for_each(|record| keeper.look_at(record, now))?;
        for record in records {
            keeper.rows.borrow_mut().coverage.record(record);
        }
        keeper.is_slow = !keeper.is_calm && (!keeper.asked.is_empty() || keeper.chance.percent(30));
        let mut job = keeper.job(records.to_vec(), now);
        if keeper.is_slow && keeper.fate.deaths > keeper.kept_deaths() && keeper.chance.below(100) == 0 {
            keeper.fate.deaths -= 1;
            keeper.spoil(&mut job.writes, now);
            keeper.asked.push_back(None);
        } else {
            keeper.asked.push_back(Some(records.to_vec()));
        }
        keeper.rows.borrow_mut().submit(keeper.number, job);
        if keeper.is_slow { Ok(()) } else { keeper.answer().map(|_| ()) }
    }

    fn leaves(&mut self, request: &Request, now: Timestamp) {
        let key = (request.client_order_id.clone(), request.serial);
        self.borrow_mut().left.insert(key, now);
    }

    fn is_slow(&mut self) -> bool {
        self.borrow().is_slow
    }

    fn dies(&mut self, at: Boundary, about: &'static str) -> bool {
        let keeper = &mut *self.borrow_mut();
        if at == Boundary::Told && !keeper.asked.is_empty() {
            keeper.count("in flight: other news came first");
        }
        let one_in = match at {
            Boundary::Told => 60,
            Boundary::BeforeCommit | Boundary::Committed => 20,
            Boundary::Sent => 12,
            Boundary::BetweenCommits => 6,
        };
        let Aim { at: aim, is_led } = keeper.aim;
        let is_aimed = aim == (about, at) && (is_led || keeper.chance.percent(40));
        let deaths = if is_aimed { keeper.fate.deaths } else { keeper.fate.deaths - keeper.kept_deaths() };
        if deaths == 0 || !(is_aimed || keeper.chance.below(one_in) == 0) {
            return false;
        }
        keeper.fate.deaths -= 1;
        keeper.aim.is_led &= !is_aimed;
        keeper.died_at = at;
        let is_alone = keeper.fate.is_alone || keeper.chance.percent(35);
        keeper.death = Some(if is_alone { Death::Alone } else { Death::Process });
        keeper.rows.borrow_mut().coverage.death(about, at);
        if is_alone {
            keeper.count(&format!("an actor's death: {at:?}"));
        }
        true
    }

    fn raise(&mut self, alert: &Alert) {
        self.borrow().rows.borrow_mut().coverage.alert(alert);
    }
}
