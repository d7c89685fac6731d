//! One day of a leader and a follower: their accounts, what is under way between them and the code under test, and what
//! must hold whenever a request leaves and after every step.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::chance::Chance;
use super::exchange::{Asked, Exchange, Kind, LOT, Order};
use super::speak::{self, FOLLOWER, LEADER};
use crate::decision::{Decision, decide};
use crate::follower::{Alert, BookRead, Effect, Event, FollowerBook, FollowerSettings, Record};
use crate::gap::{Gap, GapPolicy};
use crate::gates::CopyPolicy;
use crate::ids::{ClientOrderId, DhanClientId, FollowerId};
use crate::instrument::{Instrument, InstrumentKind};
use crate::leader::{LeaderBook, LeaderOrder, Merge};
use crate::mirror::{Answer, Ask, COPY, Outcome, REPAIR, Request, Rules};
use crate::order::{BrokerStatus, EvidenceSource, OrderReport, OrderTerms};
use crate::pacing::{PacingLimits, Purpose, Window};
use crate::policy::{
    AtModificationLimit, Bps, Changes, CopyOn, EntryLeftBehind, MarketOrders, Parting, Translation,
};
use crate::price::Price;
use crate::quantity::{LotSize, Quantity};
use crate::sizing::{CapitalBasis, DayCapital, Minimum, Ratio, SizingPolicy, Strategy};
use crate::time::{Timestamp, TradingDay};

pub(super) const MILLI: i64 = 1_000;
pub(super) const SECOND: i64 = 1_000_000;
/// Requests a second, and those of them that entries may use.
const A_SECOND: usize = 6;
const ENTRIES_A_SECOND: usize = 4;

/// The owner's choices of this day.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policies {
    pub(super) on: CopyOn,
    pub(super) market_orders: MarketOrders,
    /// Follower's units for one of the leader's: over two.
    pub(super) halves: u32,
    pub(super) freeze_lots: Option<u32>,
    pub(super) changes_max: u16,
    pub(super) at_limit: AtModificationLimit,
    pub(super) entry: EntryLeftBehind,
    pub(super) gap: GapPolicy,
    /// Whether people use the follower's account, too.
    pub(super) hands: bool,
}

/// Which copy an order at the follower's broker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Copied {
    pub(super) leader: usize,
    pub(super) leg: u8,
    pub(super) slice: u16,
    pub(super) attempt: u16,
}

/// What became of a request to place that made no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) copied: Copied,
    pub(super) units: u32,
    /// Refused; or else never there, and nobody said so.
    pub(super) refused: bool,
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
}

/// A request on its way.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) request: Request,
    pub(super) at: i64,
    pub(super) arrives: bool,
    pub(super) told: Told,
}

/// What happened to one leader order at the follower, as the outside saw it.
#[derive(Debug, Default, Clone)]
pub(super) struct Seen {
    /// The most units a copy was ever to have.
    pub(super) target_max: u32,
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
    pub(super) gap: Option<Gap>,
}

pub(super) struct World {
    pub(super) chance: Chance,
    pub(super) policies: Policies,
    settings: FollowerSettings,
    sizing: SizingPolicy,
    instruments: Vec<Instrument>,
    pub(super) now: i64,
    pub(super) leader: Exchange,
    pub(super) follower: Exchange,
    leader_book: LeaderBook,
    pub(super) book: FollowerBook,
    pub(super) leader_frames: Vec<(Order, bool)>,
    pub(super) follower_frames: Vec<(Order, bool)>,
    pub(super) outbox: Vec<Sent>,
    pub(super) answers: Vec<(ClientOrderId, u32, Answer)>,
    pub(super) reads: Vec<BookRead>,
    pub(super) lookups: Vec<ClientOrderId>,
    pub(super) wakes: BTreeSet<i64>,
    pub(super) copies: BTreeMap<String, Copied>,
    pub(super) failed: Vec<Failed>,
    pub(super) seen: Vec<Seen>,
    left: Vec<(i64, Purpose)>,
    /// Counts what happened.
    pub(super) happened: u64,
    pub(super) calm: bool,
    /// What happened, line by line, where somebody wants to read it.
    pub(super) trace: Option<Vec<String>>,
}

pub(super) type Checked = Result<(), String>;

/// Fails with words unless it holds.
macro_rules! hold {
    ($holds:expr, $($words:tt)+) => {
        if !$holds {
            return Err(format!($($words)+));
        }
    };
}
pub(super) use hold;

impl World {
    pub(super) fn new(seed: u64, traced: bool) -> Self {
        let mut chance = Chance::new(seed);
        let policies = Policies {
            on: chance.pick(&[
                CopyOn::Working,
                CopyOn::Working,
                CopyOn::Working,
                CopyOn::Transit,
                CopyOn::Fill,
            ]),
            market_orders: chance.pick(&[MarketOrders::AsIs, MarketOrders::ProtectedLimit]),
            halves: chance.pick(&[1, 1, 2]),
            freeze_lots: chance.pick(&[None, Some(1), Some(2)]),
            changes_max: chance.pick(&[2, 25]),
            at_limit: chance.pick(&[AtModificationLimit::Replace, AtModificationLimit::Stop]),
            entry: chance.pick(&[EntryLeftBehind::Cancel, EntryLeftBehind::Keep, EntryLeftBehind::Chase]),
            gap: chance.pick(&[
                GapPolicy::ExitsOnly,
                GapPolicy::ExitsOnly,
                GapPolicy::Report,
                GapPolicy::Full,
            ]),
            hands: chance.percent(15),
        };
        let start = TradingDay::from_ymd(2026, 12, 1).unwrap().start().plus(Duration::from_hours(10));
        let settings = settings(&policies);
        let instruments = (0..2).map(|number| instrument(number, policies.freeze_lots)).collect();
        Self {
            chance,
            policies,
            book: FollowerBook::new(settings.clone()),
            settings,
            sizing: SizingPolicy {
                strategy: Strategy::FixedRatio,
                fixed_ratio: Ratio { numerator: u64::from(policies.halves), denominator: 2 },
                capital: CapitalBasis::Total,
                multiplier: Ratio::ONE,
                ratio_max: Ratio { numerator: 10, denominator: 1 },
                minimum: Minimum::Skip,
            },
            instruments,
            now: start.micros(),
            leader: Exchange::default(),
            follower: Exchange::default(),
            leader_book: LeaderBook::new(start.trading_day()),
            leader_frames: Vec::new(),
            follower_frames: Vec::new(),
            outbox: Vec::new(),
            answers: Vec::new(),
            reads: Vec::new(),
            lookups: Vec::new(),
            wakes: BTreeSet::new(),
            copies: BTreeMap::new(),
            failed: Vec::new(),
            seen: Vec::new(),
            left: Vec::new(),
            happened: 0,
            calm: false,
            trace: traced.then(Vec::new),
        }
    }

    pub(super) fn note(&mut self, words: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let at = self.now.rem_euclid(3_600 * SECOND);
            trace.push(format!(
                "{:>9.3} {}",
                std::time::Duration::from_micros(at.unsigned_abs()).as_secs_f64(),
                words()
            ));
        }
    }

    /// The follower's share of so many units of the leader's.
    pub(super) const fn share(&self, units: u32) -> u32 {
        units * self.policies.halves / 2 / LOT * LOT
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_micros(self.now)
    }

    /// A frame or row of the leader's account is read.
    pub(super) fn hear(&mut self, order: &Order, is_change: bool, source: EvidenceSource) -> Checked {
        if order.shown() == order.asked {
            self.seen[order.number].plain = Some(order.asked);
        }
        let report = speak::report(order, LEADER, source, is_change);
        let now = self.time();
        self.note(|| format!("hears {} of L{}", report.status, order.number));
        match self.leader_book.merge(&report, now) {
            Merge::Changed(order) => self.plan(&order),
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

    fn plan(&mut self, order: &std::sync::Arc<LeaderOrder>) -> Checked {
        let number = speak::number_of(&order.broker_order_id);
        let instrument = self.instruments.iter().find(|instrument| instrument.key == order.terms.instrument);
        let decision: Decision = decide(
            order,
            instrument,
            &self.settings.copy,
            &self.sizing,
            DayCapital::default(),
            &self.settings.account,
        );
        let took_back =
            matches!(order.status, BrokerStatus::Cancelled | BrokerStatus::Rejected | BrokerStatus::Expired);
        let was_decided =
            self.book.mirror(&order.broker_order_id).is_some_and(|mirror| !mirror.children.is_empty());
        self.seen[number].gone |= took_back && was_decided;
        self.tell(Event::Plan { order: std::sync::Arc::clone(order), decision })
    }

    pub(super) fn tell(&mut self, event: Event) -> Checked {
        self.happened += 1;
        let now = self.time();
        let effects = self.book.step(event, now);
        self.perform(effects)?;
        self.check()
    }

    fn perform(&mut self, effects: Vec<Effect>) -> Checked {
        for effect in effects {
            match effect {
                Effect::Commit { records, then } => {
                    for record in records {
                        if let Record::Gap { leader, gap, .. } = record {
                            let number = speak::number_of(&leader.broker_order_id);
                            self.note(|| format!("gap of L{number}: {gap:?}"));
                            self.seen[number].gap = Some(gap);
                        }
                    }
                    if let Some(approved) = then {
                        self.send(approved.get())?;
                    }
                }
                Effect::Lookup { client_order_id, .. } => self.lookups.push(client_order_id),
                Effect::WakeAt(at) => {
                    hold!(at.micros() > self.now, "a wake-up in the past would spin");
                    self.wakes.insert(at.micros());
                }
                // The book is read often enough.
                Effect::ReadBook => {}
                Effect::ReadSupers => return Err("there are no super orders in this world".to_owned()),
                Effect::Alert(alert) => self.alarm(&alert)?,
            }
        }
        Ok(())
    }

    fn alarm(&mut self, alert: &Alert) -> Checked {
        self.note(|| format!("alert {alert:?}"));
        let of = |id: &ClientOrderId| self.copies.get(id.as_str()).map(|copied| copied.leader);
        match alert {
            Alert::CopyGap(..) => {}
            Alert::Detached(id) => {
                let hand = of(id).is_some_and(|leader| self.seen[leader].hand);
                hold!(hand, "nobody's hand was there: {alert:?}");
            }
            Alert::ChangeRefused(id) => {
                if let Some(leader) = of(id) {
                    self.seen[leader].change_refused = true;
                }
            }
            Alert::ChangesExhausted(id) => {
                if let Some(leader) = of(id) {
                    self.seen[leader].exhausted = true;
                }
            }
            Alert::ExitGivenUp(id) => {
                if let Some(leader) = of(id) {
                    self.seen[leader].given_up = true;
                }
            }
            Alert::Overfill(id) if of(id).is_some_and(|leader| self.seen[leader].hand) => {}
            other => return Err(format!("nothing in this world can cause {other:?}")),
        }
        Ok(())
    }

    /// A request leaves: what must hold then, and what will become of it.
    fn send(&mut self, request: &Request) -> Checked {
        let id = request.client_order_id.as_str().to_owned();
        let Some((key, detached)) = self.key_of(&request.client_order_id) else {
            return Err(format!("a request of nobody's: {request:?}"));
        };
        let copied = Copied {
            leader: speak::number_of(&key.leader_order),
            leg: key.leg,
            slice: key.slice,
            attempt: key.attempt,
        };
        self.note(|| format!("sends {} {id} {copied}: {}", request.serial, words(&request.ask)));
        hold!(!detached, "a detached mirror is left alone: {request:?}");
        self.copies.insert(id.clone(), copied);
        match &request.ask {
            Ask::Place(terms) => {
                let units = terms.quantity.get();
                let alone = !self.others_live(&copied);
                hold!(alone, "P2: two live orders for one: {copied:?}");
                self.check_room(copied, units)?;
                let freeze = self.policies.freeze_lots.map_or(u32::MAX, |lots| lots * LOT);
                hold!(
                    units > 0 && units.is_multiple_of(LOT) && units <= freeze,
                    "{units} units in one order"
                );
                let is_entry = copied.leg == COPY && request.purpose == Purpose::Entry;
                let executed = self.share(self.leader.orders[copied.leader].filled);
                let out = self.worst(copied.leader, COPY);
                let owed = !is_entry || !self.seen[copied.leader].gone || out + units <= executed;
                hold!(owed, "P8: placed after the leader took it back: {copied}");
                self.check_kind(copied, terms, false)?;
            }
            Ask::Modify { broker_order_id, terms, .. } => {
                let known = &self.follower.orders[speak::number_of(broker_order_id)];
                hold!(known.tag == id, "a change of another's order");
                self.check_kind(copied, terms, known.was_fired)?;
                let raise = terms.quantity.get().saturating_sub(known.worst().max(known.promised));
                if raise > 0 && known.is_live() {
                    self.check_room(copied, raise)?;
                }
            }
            Ask::Cancel { broker_order_id, .. } => {
                let known = &self.follower.orders[speak::number_of(broker_order_id)];
                hold!(known.tag == id, "a cancel of another's order");
            }
        }
        self.check_budget(request.purpose)?;
        let (arrives, told) = self.fate(request);
        self.outbox.push(Sent { request: request.clone(), at: self.now, arrives, told });
        let now = self.time();
        let more = self.book.step(Event::Left, now);
        hold!(
            !more.iter().any(|effect| matches!(effect, Effect::Commit { then: Some(_), .. })),
            "leaving makes no room"
        );
        self.perform(more)
    }

    /// What the broker makes of an order is no wish of the leader's: a stop of his, seen as he asked for it, is copied as
    /// one, fired or not, until it is over and its copy is chased.
    fn check_kind(&self, copied: Copied, terms: &OrderTerms, has_fired: bool) -> Checked {
        let leader = &self.leader.orders[copied.leader];
        let is_stop = matches!(leader.asked.kind, Kind::Stop | Kind::StopMarket);
        let is_known = self.seen[copied.leader].plain == Some(leader.asked);
        let by_order = copied.leg == COPY && self.policies.on != CopyOn::Fill;
        let must_be_stop = is_stop && is_known && by_order && leader.is_live() && !has_fired;
        hold!(
            !must_be_stop || terms.order_type.is_stop(),
            "his stop that fired is copied as a change: {copied}"
        );
        Ok(())
    }

    fn key_of(&self, id: &ClientOrderId) -> Option<(crate::ids::ChildKey, bool)> {
        (0..self.seen.len()).find_map(|number| {
            let mirror = self.book.mirror(&speak::broker_order_id(LEADER, number))?;
            let key = mirror.attempt(id)?.key.clone();
            Some((key, mirror.outcome == Outcome::Detached))
        })
    }

    /// Whether another attempt of the same slice lives at the broker, or is on its way there.
    fn others_live(&self, of: &Copied) -> bool {
        let same = |tag: &str| {
            self.copies
                .get(tag)
                .is_some_and(|other| (other.leader, other.leg, other.slice) == (of.leader, of.leg, of.slice))
        };
        self.follower.orders.iter().any(|order| order.is_live() && same(&order.tag))
            || self.outbox.iter().any(|sent| {
                sent.arrives
                    && matches!(sent.request.ask, Ask::Place(_))
                    && same(sent.request.client_order_id.as_str())
            })
    }

    /// P5 as the broker would see it: when a placing or a raise leaves, what the copies of a leader's order may come to
    /// at the worst, this included, is within the target of that moment (a raise the broker said it took counts as made); what makes a gap good, within what was filled.
    fn check_room(&self, copied: Copied, more: u32) -> Checked {
        let out = self.worst(copied.leader, copied.leg);
        let mirror = self.book.mirror(&speak::broker_order_id(LEADER, copied.leader));
        let bound = if copied.leg == COPY {
            match mirror.map(|mirror| &mirror.target) {
                Some(crate::mirror::Target::Open(terms)) => terms.quantity.get(),
                _ => 0,
            }
        } else {
            self.filled(copied.leader, COPY)
        };
        let by_hand = self.seen[copied.leader].hand;
        hold!(by_hand || out + more <= bound, "P5: {out} are out, {more} more of {bound}: {copied:?}");
        Ok(())
    }

    /// What the orders of a part may come to: at the broker, and by requests on their way there.
    pub(super) fn worst(&self, leader: usize, leg: u8) -> u32 {
        let is_of = |tag: &str| {
            self.copies.get(tag).is_some_and(|copied| (copied.leader, copied.leg) == (leader, leg))
        };
        let mut units = 0;
        for order in self.follower.orders.iter().filter(|order| is_of(&order.tag)) {
            let raised = self.outbox.iter().filter_map(|sent| match &sent.request.ask {
                Ask::Modify { terms, .. }
                    if sent.arrives && sent.request.client_order_id.as_str() == order.tag =>
                {
                    Some(terms.quantity.get())
                }
                _ => None,
            });
            units += if order.is_live() { raised.fold(order.worst(), u32::max) } else { order.worst() };
        }
        let placing = self.outbox.iter().filter_map(|sent| match &sent.request.ask {
            Ask::Place(terms) if sent.arrives && is_of(sent.request.client_order_id.as_str()) => {
                Some(terms.quantity.get())
            }
            _ => None,
        });
        units + placing.sum::<u32>()
    }

    pub(super) fn filled(&self, leader: usize, leg: u8) -> u32 {
        self.of(leader, leg).map(|(order, _)| order.filled).sum()
    }

    /// The orders of a part at the broker.
    pub(super) fn of(&self, leader: usize, leg: u8) -> impl Iterator<Item = (&Order, &Copied)> {
        let known =
            self.follower.orders.iter().filter_map(|order| Some((order, self.copies.get(&order.tag)?)));
        known.filter(move |(_, copied)| (copied.leader, copied.leg) == (leader, leg))
    }

    /// P18: never more in a sliding second than the broker takes, entries not more than their share.
    fn check_budget(&mut self, purpose: Purpose) -> Checked {
        self.left.push((self.now, purpose));
        let since = self.now - SECOND;
        let recent: Vec<_> = self.left.iter().rev().take_while(|(at, _)| *at > since).collect();
        hold!(recent.len() <= A_SECOND, "P18: {} requests in a second", recent.len());
        let may = purpose == Purpose::Exit || recent.len() <= ENTRIES_A_SECOND;
        hold!(may, "P18: an entry took of the reserve");
        Ok(())
    }

    /// What becomes of a request: whether it arrives, and what is told of it.
    fn fate(&mut self, request: &Request) -> (bool, Told) {
        if self.calm {
            return (true, Told::Truth);
        }
        let is_place = matches!(request.ask, Ask::Place(_));
        let weights = if is_place { [70, 5, 0, 6, 5, 14, 0] } else { [66, 1, 8, 6, 5, 8, 6] };
        let told = [
            Told::Truth,
            Told::Refused,
            Told::InTransit,
            Told::NotSent,
            Told::Busy,
            Told::Lost,
            Told::Hollow,
        ][self.chance.weighted(&weights)];
        let arrives = match told {
            Told::Truth => true,
            Told::Busy | Told::Lost => self.chance.percent(50),
            Told::Refused | Told::InTransit | Told::NotSent | Told::Hollow => false,
        };
        (arrives, told)
    }

    /// What must hold after every step.
    fn check(&self) -> Checked {
        for (leader, seen) in self.seen.iter().enumerate() {
            let (copies, repairs) = (self.worst(leader, COPY), self.worst(leader, REPAIR));
            let most = seen.target_max;
            hold!(seen.hand || copies <= most, "P5: {copies} of L{leader}, never more than {most} wanted");
            let filled = self.filled(leader, COPY);
            hold!(repairs <= filled, "P5: {repairs} repair {filled} of L{leader}");
            let Some(mirror) = self.book.mirror(&speak::broker_order_id(LEADER, leader)) else { continue };
            hold!(seen.hand || mirror.outcome != Outcome::Detached, "detached by nobody: L{leader}");
            for child in &mirror.children {
                let orders = self.follower.orders.iter().filter(|o| o.tag == child.client_order_id.as_str());
                let (mut count, mut filled) = (0, 0);
                for order in orders {
                    (count, filled) = (count + 1, filled + order.filled);
                }
                hold!(count <= 1, "P2: an id placed twice: {:?}", child.key);
                let counted = child.cumulative.get();
                hold!(counted <= filled, "P9: {counted} counted of {filled} filled: {:?}", child.key);
            }
        }
        Ok(())
    }

    /// A row of the follower's account.
    pub(super) fn row(order: &Order, source: EvidenceSource) -> OrderReport {
        speak::report(order, FOLLOWER, source, false)
    }
}

/// For the reader of a trace.
fn words(ask: &Ask) -> String {
    match ask {
        Ask::Place(terms) => format!("place {:?}", speak::asked(terms)),
        Ask::Modify { terms, .. } => format!("modify to {:?}", speak::asked(terms)),
        Ask::Cancel { .. } => "cancel".to_owned(),
    }
}

impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{}.{}.{}.{}", self.leader, self.leg, self.slice, self.attempt)
    }
}

fn settings(policies: &Policies) -> FollowerSettings {
    let translation = Translation {
        market_orders: policies.market_orders,
        price_band: Bps::new(300),
        stop_band: Bps::new(300),
    };
    FollowerSettings {
        account: DhanClientId::new(FOLLOWER).unwrap(),
        copy: CopyPolicy {
            kinds: [InstrumentKind::IndexOption].into(),
            product_map: BTreeMap::new(),
            entry_age_max: Duration::from_hours(5),
            on: policies.on,
            translation,
        },
        rules: Rules {
            follower: FollowerId::new("asha").unwrap(),
            on: policies.on,
            translation,
            changes: Changes { per_order_max: policies.changes_max, at_limit: policies.at_limit },
            parting: Parting {
                entry: policies.entry,
                entry_after: Duration::from_secs(10),
                exit_after: Duration::from_secs(2),
                chase_interval: Duration::from_secs(2),
                gap: policies.gap,
            },
            settle: Duration::from_secs(2),
            retry: Duration::from_millis(200),
        },
        pacing: PacingLimits {
            windows: vec![Window { limit: 6, span: Duration::from_secs(1) }],
            exit_reserve_pct: 33,
            guard: Duration::ZERO,
        },
        lookup_first: Duration::from_millis(100),
        lookup_max: Duration::from_millis(500),
        busy_pause: Duration::from_secs(1),
        slippage_alert_bps: 0,
    }
}

fn instrument(number: u32, freeze_lots: Option<u32>) -> Instrument {
    Instrument {
        key: speak::key(number),
        kind: InstrumentKind::IndexOption,
        symbol: "NIFTY-Dec2026-26000-CE".into(),
        underlying: "NIFTY".into(),
        lot_size: LotSize::new(LOT).unwrap(),
        tick: Price::from_paise(5),
        expiry: None,
        option: None,
        // Not a whole number of lots, as in life.
        freeze_quantity: freeze_lots.map(|lots| Quantity::new(lots * LOT + 20)),
        band: None,
    }
}
