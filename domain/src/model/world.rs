//! One day of a leader and a follower: their accounts, and what is under way between them and the code under test.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::chance::Chance;
use super::exchange::{Asked, Exchange, LOT, Order};
use super::fraction::Fraction;
use super::keeping::{self, Boundary, Forever, Keeping};
use super::policies::{self, Policies};
use super::speak::{self, LEADER};
use super::storing::Job;
use super::tally::{Carried, Growth, Tally};
use super::token::Token;
use crate::account::PositionReport;
use crate::decision::{Decision, decide};
use crate::follower::{Alert, BookRead, Effect, Event, FollowerBook, FollowerSettings, Record};
use crate::gap::Gap;
use crate::ids::ClientOrderId;
use crate::instrument::{Instrument, InstrumentKey};
use crate::leader::{LeaderBook, LeaderOrder, Merge};
use crate::mirror::{Answer, Approved, Request};
use crate::order::{BrokerStatus, EvidenceSource, OrderReport, OrderTerms};
use crate::pacing::Purpose;
use crate::sizing::DayCapital;
use crate::time::{Timestamp, TradingDay};

pub(super) const MILLI: i64 = 1_000;
pub(super) const SECOND: i64 = 1_000_000;

/// Which copy an order at the follower's broker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Copied {
    pub(super) leader: usize,
    pub(super) leg: u8,
    pub(super) slice: u16,
    pub(super) attempt: u16,
}

/// What the sender is told of a request, once it has arrived or got lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Truth,
    Refused,
    InTransit,
    NotSent,
    Busy,
    Lost,
    /// "Taken", and nothing came of it.
    Hollow,
    TokenRefused,
}

/// A request on its way.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) request: Request,
    pub(super) at: i64,
    /// The token it was sent with.
    pub(super) token: u32,
    pub(super) arrives: bool,
    pub(super) told: Told,
    /// Who sent it has died since: nobody is told.
    pub(super) is_orphan: bool,
}

/// What came back for a request, and nobody has taken in yet.
#[derive(Debug)]
pub(super) struct Returned {
    pub(super) client_order_id: ClientOrderId,
    pub(super) serial: u32,
    pub(super) answer: Answer,
    /// The token for which it was refused, if it was for that.
    pub(super) refused_token: Option<u32>,
}

/// What happened to one leader order at the follower, as the outside saw it.
#[derive(Debug, Default, Clone)]
pub(super) struct Seen {
    /// Units of it that were told to be filled.
    pub(super) told: u32,
    /// When it was first told of.
    pub(super) since: i64,
    /// The leader took it back when a copy of it was decided already.
    pub(super) gone: bool,
    /// What he asks for, as it was last told undisguised.
    pub(super) plain: Option<Asked>,
    /// A person changed or cancelled a copy.
    pub(super) hand: bool,
    /// A change was refused for good, or as often as is allowed; an exit given up.
    pub(super) change_refused: bool,
    pub(super) exhausted: bool,
    pub(super) given_up: bool,
    pub(super) cover_missing: bool,
    pub(super) gap: Option<Gap>,
    /// Units that its copies are to come to, as was last made durable.
    pub(super) target: u32,
}

/// What an operator has said last.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) reduces: bool,
    pub(super) halted: bool,
    pub(super) squares_off: bool,
    /// When he last had every entry cancelled.
    pub(super) halted_at: Option<i64>,
    /// When he last let the account trade again, having stopped it.
    pub(super) resumed: Option<i64>,
    pub(super) has_stopped: bool,
}

/// What the Sizer goes by.
pub(super) struct Facts {
    pub(super) order: LeaderOrder,
    pub(super) instrument: Option<Arc<Instrument>>,
    pub(super) capital: DayCapital,
}

pub(super) struct World {
    pub(super) chance: Chance,
    /// The same for the leader alone, where he is led by several.
    pub(super) leads: Option<Chance>,
    pub(super) policies: Policies,
    pub(super) settings: FollowerSettings,
    /// What the Sizer knows otherwise than it is in this world.
    pub(super) alter: fn(&mut Facts),
    /// Whether entries are bounded by more than the policies: how copies look is nobody's to say then.
    pub(super) is_limited: bool,
    instruments: Vec<Arc<Instrument>>,
    pub(super) now: i64,
    pub(super) leader: Exchange,
    pub(super) follower: Exchange,
    pub(super) leader_book: LeaderBook,
    pub(super) book: FollowerBook,
    pub(super) leader_frames: Vec<(Order, bool)>,
    pub(super) follower_frames: Vec<(Order, bool)>,
    /// What was decided and is not known to be durable, in order.
    pub(super) jobs: VecDeque<Job>,
    pub(super) outbox: Vec<Sent>,
    pub(super) answers: Vec<Returned>,
    pub(super) reads: Vec<BookRead>,
    pub(super) position_reads: Vec<(Timestamp, Vec<PositionReport>)>,
    pub(super) lookups: Vec<ClientOrderId>,
    pub(super) margins: Vec<(ClientOrderId, OrderTerms)>,
    pub(super) wakes: BTreeSet<i64>,
    pub(super) copies: BTreeMap<String, Copied>,
    /// As what each order was last sent: what was sent to close and then raised to open opens.
    pub(super) sent_as: BTreeMap<String, Purpose>,
    /// Those that have passed the gates of what opens.
    pub(super) gated: BTreeSet<String>,
    /// When each was sent.
    pub(super) sent_at: BTreeMap<String, i64>,
    /// Those that were sent before a fill of the same side was told.
    pub(super) blind: BTreeSet<String>,
    pub(super) seen: Vec<Seen>,
    pub(super) tallies: Vec<Tally>,
    /// What happened in each instrument that perfect copying does not know.
    pub(super) blots: Vec<BTreeSet<&'static str>>,
    /// Instruments in which our rows and the account are said to differ.
    pub(super) drifted: BTreeSet<u32>,
    /// Orders of the leader's of which he left again all that they opened, while nobody listened.
    pub(super) missed: BTreeSet<usize>,
    /// Instruments of which an earlier day has left something unproven.
    pub(super) unresolved: BTreeSet<u32>,
    pub(super) operator: Operator,
    pub(super) token: Token,
    pub(super) left: Vec<(i64, Purpose)>,
    /// Entries placed.
    pub(super) entries_placed: BTreeSet<String>,
    /// Counts what happened.
    pub(super) happened: u64,
    /// What came about of that which only some days come to.
    pub(super) come_to: BTreeSet<&'static str>,
    pub(super) calm: bool,
    pub(super) keeping: Box<dyn Keeping>,
    /// The process has died, and nobody has noticed yet: it is told nothing more.
    pub(super) is_dead: bool,
    /// What it was told last.
    pub(super) about: &'static str,
    /// What happened, line by line, where somebody wants to read it.
    pub(super) trace: Option<Vec<String>>,
}

pub(super) type Checked = Result<(), String>;

/// Fails with words unless it holds.
macro_rules! hold {
    ($holds:expr, $($words:tt)+) => {
        let holds: bool = $holds;
        if !holds {
            return Err(format!($($words)+));
        }
    };
}
pub(super) use hold;

impl World {
    /// `carried`: what was held before, of each instrument.
    pub(super) fn new(chance: Chance, policies: Policies, carried: Vec<Carried>, traced: bool) -> Self {
        let start = TradingDay::from_ymd(2026, 12, 1).unwrap().start().plus(Duration::from_hours(10));
        let settings = policies.settings();
        let instruments: Vec<Arc<Instrument>> = (0..policies.instruments)
            .map(|number| Arc::new(policies::instrument(number, policies.freeze_lots)))
            .collect();
        Self {
            token: Token::new(chance.apart()),
            chance,
            leads: None,
            policies,
            book: FollowerBook::new(settings.clone()),
            settings,
            alter: |_| {},
            is_limited: false,
            blots: vec![BTreeSet::new(); instruments.len()],
            tallies: carried.into_iter().map(Tally::new).collect(),
            instruments,
            now: start.micros(),
            leader: Exchange::default(),
            follower: Exchange::default(),
            leader_book: LeaderBook::new(start.trading_day()),
            leader_frames: Vec::new(),
            follower_frames: Vec::new(),
            jobs: VecDeque::new(),
            outbox: Vec::new(),
            answers: Vec::new(),
            reads: Vec::new(),
            position_reads: Vec::new(),
            lookups: Vec::new(),
            margins: Vec::new(),
            wakes: BTreeSet::new(),
            copies: BTreeMap::new(),
            sent_as: BTreeMap::new(),
            gated: BTreeSet::new(),
            sent_at: BTreeMap::new(),
            blind: BTreeSet::new(),
            seen: Vec::new(),
            drifted: BTreeSet::new(),
            missed: BTreeSet::new(),
            unresolved: BTreeSet::new(),
            operator: Operator::default(),
            left: Vec::new(),
            entries_placed: BTreeSet::new(),
            happened: 0,
            come_to: BTreeSet::new(),
            calm: false,
            keeping: Box::new(Forever),
            is_dead: false,
            about: "",
            trace: traced.then(Vec::new),
        }
    }

    pub(super) fn note(&mut self, words: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let at = self.now.rem_euclid(3_600 * SECOND);
            let at = Duration::from_micros(at.unsigned_abs()).as_secs_f64();
            trace.push(format!("{at:>9.3} {}", words()));
        }
    }

    pub(super) fn time(&self) -> Timestamp {
        Timestamp::from_micros(self.now)
    }

    pub(super) fn blot(&mut self, instrument: u32, what: &'static str) {
        if self.blots[instrument as usize].insert(what) {
            self.note(|| format!("no clean case any more in {instrument}: {what}"));
        }
    }

    /// What copies of earlier days left.
    pub(super) fn carried(&mut self) -> Vec<(InstrumentKey, i64)> {
        let mut copies = Vec::new();
        for number in 0..self.policies.instruments {
            let carried = self.tallies[number as usize].carried;
            self.note(|| format!("before, in {number}: {carried:?}"));
            copies.push((speak::key(number), carried.copied));
        }
        copies.retain(|(_, units)| *units != 0);
        copies
    }

    /// Copying is armed: what both hold is told, and the money.
    pub(super) fn arm(&mut self) -> Checked {
        // Positions are told as of a moment before anything was sent.
        self.now += 1;
        let (leader, follower) = (self.leader_positions(), self.positions());
        let started_at = self.time();
        self.now += 1;
        self.tell(Event::LeaderPositions { started_at, positions: leader })?;
        if self.is_call_refused()? {
            self.token.owes_positions = true;
            self.reach("a life that began without a token");
            return Ok(());
        }
        self.tell(Event::Positions { started_at, positions: follower })?;
        self.tell_funds()
    }

    /// A frame or row of the leader's account is read.
    pub(super) fn hear(&mut self, order: &Order, is_change: bool, source: EvidenceSource) -> Checked {
        if order.shown() == order.asked {
            self.seen[order.number].plain = Some(order.asked);
        }
        let report = speak::report(order, LEADER, source, is_change);
        let now = self.time();
        self.note(|| format!("hears {} {} of L{}", report.status, report.cumulative, order.number));
        match self.leader_book.merge(&report, now) {
            Merge::Changed(order) => {
                self.happened += 1;
                // The leader's stream hears more than a follower that is dead.
                if self.is_dead { Ok(()) } else { self.plan(&order) }
            }
            Merge::Unchanged => Ok(()),
            Merge::Contradiction => self.snapshot(),
            other => Err(format!("no such orders in this world: {other:?}")),
        }
    }

    /// The leader's whole book is read.
    pub(super) fn snapshot(&mut self) -> Checked {
        // Two reads are never of one moment.
        self.now += 1;
        for order in self.leader.orders.clone() {
            self.hear(&order, false, EvidenceSource::Book)?;
        }
        Ok(())
    }

    pub(super) fn plan(&mut self, order: &Arc<LeaderOrder>) -> Checked {
        let number = speak::number_of(&order.broker_order_id);
        let decision = self.decision(order);
        let took_back =
            matches!(order.status, BrokerStatus::Cancelled | BrokerStatus::Rejected | BrokerStatus::Expired);
        let was_decided =
            self.book.mirror(&order.broker_order_id).is_some_and(|mirror| !mirror.children.is_empty());
        self.seen[number].gone |= took_back && was_decided;
        self.count(number, order);
        self.tell(Event::Plan { order: Arc::clone(order), decision })
    }

    pub(super) fn decision(&self, order: &Arc<LeaderOrder>) -> Decision {
        let instrument = self.instruments.iter().find(|instrument| instrument.key == order.terms.instrument);
        let capital = self.policies.capital();
        let mut facts = Facts { order: LeaderOrder::clone(order), instrument: instrument.cloned(), capital };
        (self.alter)(&mut facts);
        let Facts { order, instrument, capital } = &facts;
        decide(order, instrument.as_ref(), &self.settings.copy, *capital, &self.settings.account)
    }

    /// What the oracle learns of the leader, at the same time as the code under test.
    fn count(&mut self, number: usize, order: &LeaderOrder) {
        let (now, asked) = (self.now, self.leader.orders[number].asked);
        let ratio = self.policies.proportion();
        // What of an entry is not filled when he closes shrinks first: what then stays depends on what it comes to.
        let out = |buy| self.entries_out(asked.instrument, buy) > 0;
        let opens_yet = out(false) || out(true) || self.is_opening(asked.instrument);
        let (seen, tally) = (&mut self.seen[number], &mut self.tallies[asked.instrument as usize]);
        if seen.since == 0 {
            seen.since = now;
        }
        tally.hear(number, order.status.is_terminal());
        let units = order.cumulative.get().saturating_sub(seen.told);
        if units > 0 {
            seen.told = order.cumulative.get();
            let growth = Growth {
                at: order.ts_event.micros(),
                placed: order.ts_first_event.micros(),
                order: number,
                units: if asked.buy { i64::from(units) } else { -i64::from(units) },
            };
            if opens_yet && tally.closes(growth.units) {
                tally.dispute();
            }
            if !tally.grow(growth, order.status.is_terminal(), ratio) {
                self.blot(asked.instrument, "told late");
            }
        }
    }

    pub(super) fn tell(&mut self, event: Event) -> Checked {
        self.about = keeping::name(&event);
        if self.is_dead || self.dies(Boundary::Told) {
            return Ok(());
        }
        self.happened += 1;
        if let Event::Credentials { refused } = event {
            self.token.is_refused = refused;
        }
        let now = self.time();
        let effects = self.book.step(event, now);
        self.perform(effects)?;
        if self.is_dead { Ok(()) } else { self.check() }
    }

    pub(super) fn dies(&mut self, at: Boundary) -> bool {
        self.is_dead = self.is_dead || (!self.calm && self.keeping.dies(at, self.about));
        self.is_dead
    }

    pub(super) fn take_record(&mut self, record: Record) {
        match record {
            Record::Gap { leader, gap, .. } => {
                let number = speak::number_of(&leader.broker_order_id);
                self.note(|| format!("gap of L{number}: {gap:?}"));
                self.seen[number].gap = Some(gap);
            }
            // Not of the operator's own orders.
            Record::Mapping { leader, state, .. } if leader.account != self.settings.account => {
                self.seen[speak::number_of(&leader.broker_order_id)].target = state.target.get();
            }
            _ => {}
        }
    }

    pub(super) fn perform(&mut self, effects: Vec<Effect>) -> Checked {
        let mut boundary = Boundary::BeforeCommit;
        for effect in effects {
            if self.is_dead {
                return Ok(());
            }
            match effect {
                Effect::Commit { records, then } => {
                    if self.dies(std::mem::replace(&mut boundary, Boundary::BetweenCommits)) {
                        return Ok(());
                    }
                    self.commit(records, then.as_ref().map(Approved::get))?;
                }
                Effect::Lookup { client_order_id, .. } => self.lookups.push(client_order_id),
                Effect::WakeAt(at) => {
                    hold!(at.micros() > self.now, "a wake-up in the past would spin");
                    self.wakes.insert(at.micros());
                }
                Effect::ReadSupers => return Err("there are no super orders in this world".to_owned()),
                Effect::Convert(_) => return Err("nobody converts in this world".to_owned()),
                Effect::AskMargin { client_order_id, terms } => self.margins.push((client_order_id, terms)),
                Effect::Over(Alert::Drift(key, _)) => {
                    self.drifted.remove(&speak::number_of_key(key));
                }
                // Books and positions are read often enough.
                Effect::Over(_) | Effect::ReadBook | Effect::ReadPositions => {}
                Effect::Alert(alert) => self.alarm(&alert)?,
            }
        }
        Ok(())
    }

    fn alarm(&mut self, alert: &Alert) -> Checked {
        self.keeping.raise(alert);
        self.note(|| format!("alert {alert:?}"));
        let of = |id: &ClientOrderId| self.copies.get(id.as_str()).map(|copied| copied.leader);
        match alert {
            Alert::CopyGap(..) => {}
            Alert::Detached(id) => {
                let hand = of(id).is_some_and(|leader| self.seen[leader].hand);
                hold!(hand, "nobody's hand was there: {alert:?}");
            }
            Alert::ChangeRefused(id) => self.mark(id, |seen| seen.change_refused = true),
            Alert::ChangesExhausted(id) => self.mark(id, |seen| seen.exhausted = true),
            Alert::ExitGivenUp(id) => self.mark(id, |seen| seen.given_up = true),
            Alert::CoverMissing(id) => {
                let number = speak::number_of(id);
                self.seen[number].cover_missing = true;
                self.blot(self.leader.orders[number].asked.instrument, "cover missing");
            }
            Alert::AccountHalted | Alert::NoEquivalent(..) if self.is_limited => {}
            Alert::AccountHalted if self.token.is_dead => {}
            Alert::Overfill(id) if of(id).is_some_and(|leader| self.seen[leader].hand) => {}
            Alert::Drift(key, _) if self.policies.reads_positions => {
                let number = speak::number_of_key(*key);
                self.drifted.insert(number);
                self.blot(number, "drift");
            }
            Alert::CarriedLeft(key, _)
                if self.policies.operator || self.is_blotted(speak::number_of_key(*key), &["left over"]) =>
            {
                self.blot(speak::number_of_key(*key), "carried left");
            }
            Alert::UnresolvedYesterday(key) if self.unresolved.contains(&speak::number_of_key(*key)) => {}
            Alert::OutcomeUnknown(key) => self.blot(speak::number_of_key(*key), "in doubt"),
            Alert::Overshot(key, _) => self.blot(speak::number_of_key(*key), "overshot"),
            Alert::Stopped(_) | Alert::SquaredOff | Alert::SquaringOff(..) if self.policies.operator => {}
            other => return Err(format!("nothing in this world can cause {other:?}")),
        }
        Ok(())
    }

    fn mark(&mut self, id: &ClientOrderId, set: impl FnOnce(&mut Seen)) {
        let Some(copied) = self.copies.get(id.as_str()).copied() else { return };
        set(&mut self.seen[copied.leader]);
        self.blot(self.leader.orders[copied.leader].asked.instrument, "given up");
    }

    /// A row of the follower's account.
    pub(super) fn row(&self, order: &Order, source: EvidenceSource) -> OrderReport {
        speak::report(order, self.policies.follower.account, source, false)
    }
}

/// What the leader held before.
pub(super) fn carried_by_leader(chance: &mut Chance) -> i64 {
    if chance.percent(25) { i64::from(LOT) * (i64::from(chance.below(9)) - 4) } else { 0 }
}

/// What was held before: of the copies no more than both hold.
pub(super) fn carried(chance: &mut Chance, policies: &Policies, leader: i64) -> Carried {
    let lot = i64::from(LOT);
    let copied = match policies.proportion() {
        Some(ratio) if chance.percent(50) => {
            lot * (Fraction::new((leader / lot).into(), 1) * ratio).nearest()
        }
        _ => 0,
    };
    let own = if policies.owner && chance.percent(50) { 33 * (i64::from(chance.below(9)) - 4) } else { 0 };
    // What the account carries is one number: of two signs nobody could tell them apart.
    let own = if own.signum() * copied.signum() < 0 { -own } else { own };
    Carried { leader, copied, own }
}
