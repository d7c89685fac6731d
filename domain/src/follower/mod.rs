//! Everything one follower account is doing: its mirrors, its queue for the broker's budget, what it holds because of
//! copies, and the orders whose fate is unknown. One pure `step`; the actor around it commits and sends.
//!
//! Upholds P1 (a request leaves only inside an [`Effect::Commit`]), P2 and P5 (through [`crate::mirror`]), P3 and P4
//! (through `reconciliation`), P18 (through [`crate::pacing`]), P26 (every leader order gets an outcome).

mod aside;
mod carrying;
mod control;
mod cover;
mod driving;
mod effect;
mod event;
mod evidence;
mod external;
mod gatekeeping;
mod holdings;
mod legs;
mod mirrors;
mod openings;
mod planning;
mod positions;
mod queue;
mod reconciliation;
mod record;
mod restoring;
mod shares;
mod sharing;
mod square_off;
mod together;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

pub use effect::{Alert, Conversion, Effect};
pub use event::Event;
pub use reconciliation::absence::BookRead;
pub use reconciliation::unproven::Unproven;
pub use record::{Converted, MappingState, Opening, Record};

use self::external::External;
use self::gatekeeping::{MarginAsked, Reservation};
use self::holdings::Line;
use self::mirrors::Mirrors;
use self::positions::Suspicions;
use self::queue::Queue;
use self::reconciliation::absence::{Lost, Unknown};
use self::reconciliation::doubt::Doubted;
use self::reconciliation::first::Unread;
use self::together::Together;
use crate::calendar::Calendar;
use crate::gates::entry::{EntryPolicy, Figure};
use crate::gates::{CopyPolicy, DeniedReason};
use crate::ids::{BrokerOrderId, ClientOrderId, DhanClientId, TradeId};
use crate::instrument::InstrumentKey;
use crate::mirror::{Child, Mirror, Outcome, Rules};
use crate::order::{OrderReport, Product};
use crate::pacing::{Pacer, PacingLimits};
use crate::policy::{RiskPolicy, Spread};
use crate::sizing::SizingPolicy;
use crate::time::Timestamp;
use crate::trading::Trading;

/// What a follower book is told once.
#[derive(Debug, Clone)]
pub struct FollowerSettings {
    /// Its account.
    pub account: DhanClientId,
    /// What it copies.
    pub copy: CopyPolicy,
    /// How much of it.
    pub sizing: SizingPolicy,
    /// What may be opened.
    pub entry: EntryPolicy,
    /// How the legs of a spread wait for each other.
    pub spread: Spread,
    /// What the account is watched for.
    pub risk: RiskPolicy,
    /// When exchanges trade.
    pub calendar: Arc<Calendar>,
    /// How its mirrors behave.
    pub rules: Rules,
    /// The broker's limits.
    pub pacing: PacingLimits,
    /// First delay between lookups of an unknown order; doubles.
    pub lookup_first: Duration,
    /// The longest delay between lookups.
    pub lookup_max: Duration,
    /// How long everything is held after the broker said "too many".
    pub busy_pause: Duration,
    /// Slippage beyond which a person is told, in basis points; zero for never.
    pub slippage_alert_bps: u32,
}

/// What the follower holds because of copies, by instrument and product.
pub type CopiedPositions = HashMap<(InstrumentKey, Product), i64>;

/// The pure core of a follower.
#[derive(Debug)]
pub struct FollowerBook {
    settings: FollowerSettings,
    mirrors: Mirrors,
    leader_of: HashMap<ClientOrderId, BrokerOrderId>,
    client_of: HashMap<BrokerOrderId, ClientOrderId>,
    /// The order each known exit leg belongs to.
    entry_of_leg: HashMap<BrokerOrderId, ClientOrderId>,
    /// Exit legs that nothing links to an order yet.
    unlinked: BTreeMap<BrokerOrderId, OrderReport>,
    /// What came of news that are told together, until all are in.
    together: Option<Together>,
    queue: Queue,
    pacer: Pacer,
    unknown: BTreeMap<ClientOrderId, Unknown>,
    doubted: Doubted,
    /// What this life has not read yet of its account.
    unread: Option<Unread>,
    /// Orders in the broker's book that carry our tag and are on no record: never to be placed again.
    unrecorded: HashSet<ClientOrderId>,
    known_trades: HashSet<TradeId>,
    /// Orders of others in this account.
    external: HashMap<BrokerOrderId, External>,
    /// Mirrors that are to be stepped at a moment although nothing happens.
    timers: BTreeSet<(Timestamp, BrokerOrderId)>,
    /// Leader orders whose slippage was told already.
    slipped: HashSet<BrokerOrderId>,
    positions: CopiedPositions,
    /// Mirrors with an order that works.
    working: usize,
    /// Super and forever orders of ours that live: lists of their own are to be read.
    live_supers: usize,
    live_forevers: usize,
    filled_units: u64,
    lines: BTreeMap<InstrumentKey, Line>,
    /// Instruments in which something changed since their shares were cut.
    dirty: BTreeSet<InstrumentKey>,
    /// What waits for something else than the budget, in the order in which it would have left.
    held_back: Vec<ClientOrderId>,
    /// What the broker's calculator was last asked about, and whether it has answered.
    margins: HashMap<ClientOrderId, MarginAsked>,
    reservations: HashMap<ClientOrderId, Reservation>,
    /// Copies of earlier days that are held still, signed.
    carried: HashMap<InstrumentKey, i64>,
    /// Leader orders of which a copy of an earlier day may rest at the broker still, and that were not carried over.
    resting: BTreeSet<BrokerOrderId>,
    /// Leader orders that were carried over, and of which this life has not heard yet.
    unheard: BTreeSet<BrokerOrderId>,
    /// Whether the leader is heard; what he does not tell, he may have taken back.
    hears_leader: bool,
    /// Whether the leader's positions were told to this life.
    knows_leader: bool,
    /// What earlier days left without proof.
    unproven: Vec<Unproven>,
    suspicions: Suspicions,
    /// Orders of ours that the broker's book has lost.
    lost: Lost,
    trading: Trading,
    profit: Option<Figure>,
    available: Option<Figure>,
    /// Orders of ours that wait or work, and those placed today.
    open_orders: u32,
    orders_today: u32,
    /// Orders that wait to be placed.
    planned_orders: u32,
    /// Orders of which it is known whether the broker took them.
    judged: HashSet<(ClientOrderId, bool)>,
    /// Orders in a row that the broker did not take.
    rejections: u32,
    /// What was last said of a square-off, and whether it was said that the broker does not take its orders.
    told_left: Option<(usize, u64)>,
    told_failing: bool,
    breaker_open: bool,
    credentials_refused: bool,
    stopping: bool,
}

impl FollowerBook {
    /// A follower that has copied nothing yet, and has nothing on record.
    pub fn new(settings: FollowerSettings) -> Self {
        Self {
            pacer: Pacer::new(settings.pacing.clone()),
            settings,
            mirrors: Mirrors::default(),
            leader_of: HashMap::new(),
            client_of: HashMap::new(),
            entry_of_leg: HashMap::new(),
            unlinked: BTreeMap::new(),
            together: None,
            queue: Queue::default(),
            unknown: BTreeMap::new(),
            doubted: Doubted::new(),
            unread: None,
            unrecorded: HashSet::new(),
            known_trades: HashSet::new(),
            external: HashMap::new(),
            timers: BTreeSet::new(),
            slipped: HashSet::new(),
            positions: CopiedPositions::new(),
            working: 0,
            live_supers: 0,
            live_forevers: 0,
            filled_units: 0,
            lines: BTreeMap::new(),
            dirty: BTreeSet::new(),
            held_back: Vec::new(),
            margins: HashMap::new(),
            reservations: HashMap::new(),
            carried: HashMap::new(),
            resting: BTreeSet::new(),
            unheard: BTreeSet::new(),
            hears_leader: true,
            knows_leader: false,
            unproven: Vec::new(),
            suspicions: Suspicions::default(),
            lost: Lost::default(),
            trading: Trading::ACTIVE,
            profit: None,
            available: None,
            open_orders: 0,
            orders_today: 0,
            planned_orders: 0,
            judged: HashSet::new(),
            rejections: 0,
            told_left: None,
            told_failing: false,
            breaker_open: false,
            credentials_refused: false,
            stopping: false,
        }
    }

    /// Whether the account's book must be read often: an order works or its fate is unknown.
    pub fn is_active(&self) -> bool {
        self.working > 0 || !self.unknown.is_empty() || !self.unlinked.is_empty()
    }

    /// Units filled today, over all orders.
    pub const fn filled_units(&self) -> u64 {
        self.filled_units
    }

    /// Orders whose fate is unknown.
    pub fn unknown_count(&self) -> usize {
        self.unknown.len()
    }

    /// What must not be passed over: orders whose fate is unknown, and requests that wait to leave.
    pub fn unsettled_count(&self) -> usize {
        let waiting = if self.stopping { 0 } else { self.queue.len() };
        self.unknown.len() + waiting
    }

    /// Requests that wait for the budget.
    pub fn waiting_count(&self) -> usize {
        self.queue.len()
    }

    /// Whether the broker refuses the credentials.
    pub const fn is_halted(&self) -> bool {
        self.credentials_refused
    }

    /// Whether super orders of ours live: their list is to be read with the book.
    pub const fn has_live_supers(&self) -> bool {
        self.live_supers > 0
    }

    /// Whether forever orders of ours rest: they stand in a list of their own.
    pub const fn has_live_forevers(&self) -> bool {
        self.live_forevers > 0
    }

    /// A mirror, by the leader's order.
    pub fn mirror(&self, leader_order: &BrokerOrderId) -> Option<&Mirror> {
        self.mirrors.get(leader_order)
    }

    /// Every mirror that has an outcome, for tests and checks.
    pub fn outcomes(&self) -> impl Iterator<Item = (&BrokerOrderId, Outcome, Option<DeniedReason>)> {
        self.mirrors.iter().map(|(id, mirror)| (id, mirror.outcome, mirror.reason))
    }

    /// Takes one event and says what to do about it.
    pub fn step(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Plan { order, decision } => self.on_plan(order, decision, now, &mut effects),
            Event::Together(begins) => self.on_together(begins, now, &mut effects),
            Event::Answered { client_order_id, serial, answer } => {
                self.on_answer(&client_order_id, serial, answer, now, &mut effects);
            }
            Event::Book(read) => self.on_book(read, now, &mut effects),
            Event::Report(report) => self.on_report(&report, None, now, &mut effects),
            Event::Supers(supers) => self.on_supers(&supers, now, &mut effects),
            Event::Forevers { started_at, orders } => {
                self.on_forevers(&orders, started_at, now, &mut effects);
            }
            Event::NotFound(client_order_id) => self.on_not_found(client_order_id, &mut effects),
            Event::Trades(trades) => self.on_trades(trades, now, &mut effects),
            Event::LeaderHeard(is_heard) => self.hears_leader = is_heard,
            Event::Breaker { open } => self.breaker_open = open,
            Event::Credentials { refused } => {
                if refused && !self.credentials_refused {
                    effects.push(Effect::Alert(Alert::AccountHalted));
                }
                self.credentials_refused = refused;
            }
            Event::Stop => self.stopping = true,
            Event::Left => self.pacer.left(now),
            Event::Control(control) => self.on_control(control, now, &mut effects),
            Event::Positions { started_at, positions } => {
                self.on_positions(&positions, started_at, now, &mut effects);
            }
            Event::LeaderPositions { started_at, positions } => {
                self.on_leader_positions(&positions, started_at, now, &mut effects);
            }
            Event::Funds { started_at, funds } => self.on_funds(funds.available, started_at),
            Event::Margin { client_order_id, required } => {
                self.on_margin(&client_order_id, required, now, &mut effects);
            }
            Event::NotConverted(conversion) => self.on_not_converted(conversion, &mut effects),
            Event::Settings(settings) => self.on_settings(*settings),
            Event::Tick => {}
        }
        self.take_late_in(now, &mut effects);
        self.ring(now, &mut effects);
        self.watch_doubts(now, &mut effects);
        self.close_carried(now, &mut effects);
        self.share_out(now, &mut effects);
        self.release(now, &mut effects);
        // What was given up, or what left, may make room: an exit that it makes room for does not wait for other news. Once,
        // for what is given up and asked for again may not go round and round.
        if self.share_out(now, &mut effects) {
            self.release(now, &mut effects);
            self.share_out(now, &mut effects);
        }
        self.watch_square_off(&mut effects);
        effects
    }

    /// Units held because of copies, of all products.
    pub fn copied_units(&self, instrument: InstrumentKey) -> i64 {
        self.lines.get(&instrument).map_or(0, Line::held)
    }

    /// The broker wants no request before then, and said so itself: nothing leaves, exits neither. The caller sees to it
    /// that this is soon.
    pub fn rest_until(&mut self, until: Timestamp) {
        self.pacer.pause(until);
    }

    /// The owner changed his settings: they hold from the next decision on.
    fn on_settings(&mut self, settings: FollowerSettings) {
        self.pacer.set_limits(settings.pacing.clone());
        self.settings = settings;
        self.lines.values_mut().for_each(Line::wake_all);
        self.dirty.extend(self.lines.keys().copied());
    }

    /// Cuts the shares anew wherever something changed. Says whether anything had.
    ///
    /// Each instrument is gone through once: to give its mirrors their shares steps no mirror of another, so none comes to be
    /// looked at again. Should that ever not be so, it waits for the next step; a circle here would stop the account.
    fn share_out(&mut self, now: Timestamp, effects: &mut Vec<Effect>) -> bool {
        if self.together.is_some() {
            return false;
        }
        let changed = std::mem::take(&mut self.dirty);
        for instrument in &changed {
            self.reallocate(*instrument, &BTreeSet::new(), now, effects);
        }
        debug_assert!(self.dirty.is_empty(), "shares of one instrument changed another: {:?}", self.dirty);
        !changed.is_empty()
    }

    fn child(&self, id: &ClientOrderId) -> Option<(&Mirror, &Child)> {
        let mirror = self.mirrors.get(self.leader_of.get(id)?)?;
        Some((mirror, mirror.attempt(id)?))
    }
}

#[cfg(test)]
mod tests;
