//! One leader order in one follower account: what the follower's order should look like (*target*), what his child orders
//! are known to look like (*actual*), and at most one request *in flight* for each. [`Mirror::step`] takes one piece of
//! news and says what to do; nothing here is a special path: every event changes what is known, and then the same
//! comparison ([`drive`]) asks for what is missing.
//!
//! Rooms: [`child`] what is known of one order; [`allotment`] how much of it the follower's ledger gives it; `target` what
//! is wanted now; `spread` how it is laid over children;
//! `drive` and `terms` what each is asked for next; `evidence` what the broker said; `parting` what happens when leader
//! and follower differ in the end.
//!
//! Which event does what in which state is the table in `docs/architecture.md`, which a test holds to the code.

mod allotment;
mod child;
mod drive;
mod evidence;
mod parting;
mod spread;
mod target;
mod terms;

use std::sync::Arc;
use std::time::Duration;

pub use allotment::Allotment;
pub use child::{
    Approved, Ask, Change, ChangeRequest, ChangeState, Child, ChildLeg, ChildNote, IntentState, OrderPart,
    Request,
};
pub use drive::ATTEMPTS_MAX;
pub use evidence::{Answer, ChildReport, LegNews, Refused};

use crate::decision::{Decision, Wish};
use crate::follower::MappingState;
use crate::gap::Gap;
use crate::gates::{Admission, DeniedReason, RiskApproved};
use crate::ids::{BrokerOrderId, ChildKey, ClientOrderId, DhanClientId, FollowerId};
use crate::instrument::{Instrument, coded_enum};
use crate::leader::LeaderOrder;
use crate::ledger::FillPoint;
use crate::order::OrderTerms;
use crate::order::lifecycle::{ChildEvent, ChildState, IllegalTransition, transition};
use crate::pacing::Purpose;
use crate::policy::{Changes, CopyOn, Parting, Translation};
use crate::price::Price;
use crate::quantity::Quantity;
use crate::sizing::Sizing;
use crate::time::Timestamp;
use crate::translate::Note;

/// Number of the copy itself among the parts of a mirror ([`ChildKey::leg`]).
pub const COPY: u8 = 0;
/// Number of what makes a gap good: orders on the other side.
pub const REPAIR: u8 = 1;

/// What the follower's order should look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Not decided: what the follower waits for has not happened yet.
    Undecided,
    /// An order like this, quantity included, what is filled counted in.
    Open(OrderTerms),
    /// No order, or no more of it.
    Gone(DeniedReason),
}

coded_enum! {
    /// What became of the copy: one for each leader order and follower (P26).
    Outcome {
        /// The leader's order is not what the follower waits for yet.
        AwaitingLeader = "awaiting_leader",
        /// Decided and durable; waits for the broker's budget.
        Waiting = "waiting",
        /// A request was released to the wire, whatever became of it.
        Sent = "sent",
        /// Not copied, refused at once or after it had waited; the reason says why.
        Skipped = "skipped",
        /// Decided, then taken back before it was sent, or proven never to have arrived.
        Voided = "voided",
        /// Sent, then changed or cancelled by a human's hand: left alone from then on.
        Detached = "detached",
    }
}

/// What a mirror may open, as the gates and those who stop it have had it so far. Nothing else on record tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permit {
    /// Units that the entry gates have let it open.
    pub admitted: u32,
    /// The opening that they cut or refused: it is not asked for again until the leader changes his mind.
    pub refused: Option<u32>,
    /// Whether it was denied as an entry: it lives for what it closes alone.
    pub opens_no_more: bool,
    /// Whether it was stopped.
    pub is_stopped: bool,
    /// What it was wanted for last: what is held too much, and the way it is left, hang on it after its end, too.
    pub purpose: Option<Purpose>,
}

/// What a mirror is told once.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The follower.
    pub follower: FollowerId,
    /// When a copy is due.
    pub on: CopyOn,
    /// How market orders and stops are put.
    pub translation: Translation,
    /// How often one order may be changed.
    pub changes: Changes,
    /// What happens when leader and follower part.
    pub parting: Parting,
    /// How long after a change was sent a book without it proves nothing (P4).
    pub settle: Duration,
    /// Wait before a change or cancel that came to nothing is asked for again; doubles.
    pub retry: Duration,
}

/// More that a mirror would open.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// The leader's order.
    pub leader: &'a LeaderOrder,
    /// What the follower's should be like.
    pub wish: &'a Wish,
    /// Units more.
    pub units: u32,
    /// Units of it that are filled or may yet fill.
    pub before: u64,
    /// Units of it that may yet fill.
    pub under_way: u64,
    /// Since when the leader has wanted it.
    pub since: Timestamp,
}

/// The entry gates: how many of these units may be opened; or why none.
pub type Admit<'a> = &'a dyn Fn(&Opening<'_>) -> Result<Admission, DeniedReason>;

/// What the follower's book knows at the moment of a step.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// Now.
    pub now: Timestamp,
    /// What was told once.
    pub rules: &'a Rules,
    /// What may be opened.
    pub admit: Admit<'a>,
    /// The order's instrument, as far as this life knows it.
    pub instrument: Option<&'a Instrument>,
}

/// The Sizer's last word, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// None since this life began: what is at the broker is left as it is.
    Unheard,
    Await,
    Follow,
    Deny(DeniedReason),
}

/// What can happen to a mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MirrorEvent {
    /// The Sizer's word on the leader's latest state. What comes of it waits for the [`MirrorEvent::Allot`] behind it.
    Plan(Decision),
    /// How much of it the ledger gives this mirror.
    Allot(Allotment),
    /// An operator or a limit stops it: what waits does not leave, what works is cancelled, and it ends detached.
    Stop,
    /// The budget lets what waits of this child go: its placing, change or cancel.
    Release(ClientOrderId),
    /// The planned child is given up, or the raise that waits of one that works: that stays as large as it is.
    Give(ClientOrderId, DeniedReason),
    /// Of what the planned child, or the raise that waits of one that works, would open, so many units are let through
    /// after all, and no more.
    Cut(ClientOrderId, Quantity, DeniedReason),
    /// The answer to a request.
    Answer {
        /// Of which child.
        client_order_id: ClientOrderId,
        /// Zero for placing, otherwise the number of the change or cancel.
        serial: u32,
        /// What came back.
        answer: Answer,
    },
    /// News from the broker's book or stream.
    Report(Box<ChildReport>),
    /// News of an exit leg of one of the children.
    Leg {
        /// Of which child.
        client_order_id: ClientOrderId,
        /// What is told.
        news: LegNews,
    },
    /// The rule of absence is satisfied for the unknown child. `again`: its quantity may be placed anew.
    ProvenAbsent {
        /// Which.
        client_order_id: ClientOrderId,
        /// Whether the order is still worth sending.
        again: bool,
    },
    /// Time passed.
    Tick,
}

/// Who goes first when requests wait: what frees quantity, then what reduces, then what adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// A cancel.
    Cancel,
    /// An exit, or a change that asks for less.
    Exit,
    /// Anything that can raise exposure.
    Entry,
}

/// What a mirror wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MirrorEffect {
    /// A request about this child waits for the budget, not before that moment.
    Queue(ClientOrderId, Rank, Option<Timestamp>),
    /// Make the intent durable, then send this.
    Send(Approved),
    /// The outcome of a placement is not proven: look for the order.
    Resolve(ClientOrderId),
    /// The account's book should be read soon: a change's fate is open.
    ReadBook,
    /// A child filled by this much more.
    Filled(ClientOrderId, Quantity),
    /// A child's exit leg closed this much more.
    Exited(ClientOrderId, Quantity),
    /// More was filled than was ordered (P10).
    Overfilled(ClientOrderId),
    /// It filled after it had ended (P9).
    FilledLate(ClientOrderId),
    /// Somebody else changed or cancelled a child: the mirror is detached.
    Detached(ClientOrderId),
    /// A child has been changed as often as is allowed, and is left as it is.
    ChangesExhausted(ClientOrderId),
    /// The broker keeps refusing a change or cancel.
    ChangeRefused(ClientOrderId),
    /// An exit came to nothing as often as is borne.
    ExitGivenUp(ClientOrderId),
    /// The same of an order of a square-off, which goes on being tried.
    FlatteningFails,
}

/// A step of a change or cancel that its intent row must follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRecord {
    /// The child's key.
    pub key: ChildKey,
    /// The child.
    pub client_order_id: ClientOrderId,
    /// The child's id at the broker.
    pub broker_order_id: Option<BrokerOrderId>,
    /// The request's number.
    pub serial: u32,
    /// Exit or entry.
    pub purpose: Purpose,
    /// Whether it is a cancel.
    pub is_cancel: bool,
    /// Which part it names.
    pub part: OrderPart,
    /// What was asked for; of a cancel, what the order asked for.
    pub terms: OrderTerms,
    /// The state its row has; none when it has no row yet.
    pub before: Option<IntentState>,
    /// The state its row must be given.
    pub state: IntentState,
}

/// One leader order in one follower account.
#[derive(Debug, Clone)]
pub struct Mirror {
    /// The leader's order, in its latest state.
    pub leader: Arc<LeaderOrder>,
    /// What the follower's order should look like.
    pub target: Target,
    /// What became of it so far.
    pub outcome: Outcome,
    /// Why, for skipped and voided ones, and for those taken back.
    pub reason: Option<DeniedReason>,
    /// What the size was computed from, once.
    pub sizing: Option<Sizing>,
    /// How the copy differs in kind from the leader's order.
    pub note: Option<Note>,
    /// The instrument's tick, for comparing fills; zero when not known.
    pub tick: Price,
    /// Whether it closes or opens by now; what closes goes first.
    pub purpose: Option<Purpose>,
    /// How much of the leader's order it copies; none before the ledger has said so.
    pub allotment: Option<Allotment>,
    /// Units that the entry gates have let it open.
    pub admitted: u32,
    /// How far the leader's order had come at which time.
    pub fills: Vec<FillPoint>,
    /// Whether it was denied as an entry: it is revived for what it closes alone.
    pub opens_no_more: bool,
    /// Whether it was stopped: everything of it is cancelled, and nothing comes back.
    pub is_stopped: bool,
    /// How leader and follower differ, once that is clear.
    pub gap: Option<Gap>,
    /// What its row was last given; none while it has no row.
    pub recorded: Option<MappingState>,
    /// Whether its row was given the size.
    pub is_size_recorded: bool,
    /// The gap its row was last given.
    pub recorded_gap: Option<Gap>,
    /// Child orders, in the order they were planned.
    pub children: Vec<Child>,
    /// Steps of changes that no row knows yet.
    pub change_records: Vec<ChangeRecord>,
    word: Word,
    /// What the copy was to be when it was last to be followed.
    wish: Option<Box<Wish>>,
    /// A quantity whose raise was refused: it is not tried again until the leader changes his mind.
    refused_raise: Option<u32>,
    /// When to look again although nothing happens.
    wake: Option<Timestamp>,
    /// Since when the leader is out by an exit leg and the follower's legs wait still; the order's own time is that of
    /// its entry.
    missed_since: Option<Timestamp>,
}

impl Mirror {
    /// A mirror nothing was decided for.
    pub const fn new(leader: Arc<LeaderOrder>) -> Self {
        Self {
            leader,
            target: Target::Undecided,
            outcome: Outcome::AwaitingLeader,
            reason: None,
            sizing: None,
            note: None,
            tick: Price::ZERO,
            purpose: None,
            allotment: None,
            admitted: 0,
            fills: Vec::new(),
            opens_no_more: false,
            is_stopped: false,
            gap: None,
            recorded: None,
            is_size_recorded: false,
            recorded_gap: None,
            children: Vec::new(),
            change_records: Vec::new(),
            word: Word::Unheard,
            wish: None,
            refused_raise: None,
            wake: None,
            missed_since: None,
        }
    }

    /// Whether it copies nothing: an order of the operator's own in this account, the follower's.
    pub fn is_in(&self, account: &DhanClientId) -> bool {
        self.leader.account == *account
    }

    /// Whether it may be given more to close.
    pub fn may_close(&self) -> bool {
        !self.is_stopped && self.outcome != Outcome::Detached
    }

    /// Whether it goes on until the account is flat.
    fn is_until_flat(&self) -> bool {
        self.allotment.is_some_and(|allotment| allotment.until_flat)
    }

    /// The child that counts: the newest that lives, or the newest if none does.
    pub fn child(&self) -> Option<&Child> {
        let living = self.children.iter().rfind(|child| child.is_live());
        living.or(self.children.last())
    }

    /// One child, by our id of it.
    pub fn attempt(&self, client_order_id: &ClientOrderId) -> Option<&Child> {
        self.children.iter().find(|child| child.client_order_id == *client_order_id)
    }

    /// What the broker did not take is placed again, once there is room for it.
    pub fn try_again(&mut self, client_order_id: &ClientOrderId) {
        if let Some(index) = self.position(client_order_id) {
            self.children[index].is_retired = true;
        }
    }

    /// When to step it although nothing happens.
    pub const fn wake(&self) -> Option<Timestamp> {
        self.wake
    }

    /// What the copy would be, if it is to be followed.
    pub fn wish(&self) -> Option<&Wish> {
        self.wish.as_deref().filter(|_| self.word == Word::Follow)
    }

    /// Takes one event and says what to do about it.
    pub fn step(
        &mut self,
        event: MirrorEvent,
        at: &Moment<'_>,
    ) -> Result<Vec<MirrorEffect>, IllegalTransition> {
        let mut effects = Vec::new();
        match event {
            MirrorEvent::Plan(decision) => {
                self.on_word(decision);
                return Ok(effects);
            }
            MirrorEvent::Allot(allotment) => self.allotment = Some(allotment),
            MirrorEvent::Stop => self.is_stopped = true,
            MirrorEvent::Release(client_order_id) => return self.on_release(&client_order_id, at.now),
            MirrorEvent::Give(client_order_id, reason) => {
                if !self.give_up_raise(&client_order_id, reason) {
                    return self.give_up(&client_order_id, reason);
                }
            }
            MirrorEvent::Cut(client_order_id, units, reason) => self.cut(&client_order_id, units, reason),
            MirrorEvent::Answer { client_order_id, serial: 0, answer } => {
                self.on_placed(&client_order_id, answer, at, &mut effects)?;
            }
            MirrorEvent::Answer { client_order_id, serial, answer } => {
                self.on_changed(&client_order_id, serial, answer, at, &mut effects);
            }
            MirrorEvent::Report(report) => self.on_report(*report, at, &mut effects)?,
            MirrorEvent::Leg { client_order_id, news } => self.on_leg(&client_order_id, news, &mut effects),
            MirrorEvent::ProvenAbsent { client_order_id, again } => {
                self.on_absent(&client_order_id, again)?;
            }
            MirrorEvent::Tick => {}
        }
        self.reconcile(at, &mut effects)?;
        Ok(effects)
    }

    /// Units the follower may come to hold through the copy at the worst (P5).
    pub fn worst_case(&self) -> u64 {
        self.worst_case_of(COPY)
    }

    fn worst_case_of(&self, leg: u8) -> u64 {
        self.of(leg).map(|child| u64::from(child.worst_case().get())).sum()
    }

    /// Units that the orders of a part may come to at the worst, those that wait to be sent counted in.
    fn wanted_or_out(&self, leg: u8) -> u64 {
        let of = |child: &Child| match child.state {
            ChildState::Planned => child.terms.quantity.max(child.worst_case()),
            _ => child.worst_case(),
        };
        self.of(leg).map(|child| u64::from(of(child).get())).sum()
    }

    /// Units the copy has filled.
    pub fn filled(&self) -> u64 {
        self.of(COPY).map(|child| u64::from(child.cumulative.get())).sum()
    }

    /// Units that the copy's entries, or its exits, have filled.
    pub fn filled_as(&self, purpose: Purpose) -> u64 {
        let of_it = self.of(COPY).filter(|child| child.purpose == purpose);
        of_it.map(|child| u64::from(child.cumulative.get())).sum()
    }

    /// Whether nothing more is asked for it: it was stopped, or a human's hand has touched it.
    pub fn is_left_alone(&self) -> bool {
        self.is_stopped || self.outcome == Outcome::Detached
    }

    /// Units the copy has filled, less what repairs have closed again.
    pub fn opened(&self) -> u64 {
        self.filled().saturating_sub(self.repaired())
    }

    /// Whether the leader's order had executed, when it was first heard of, for longer than this: what had executed then
    /// is no entry any more (P13).
    pub fn missed_by(&self, age_max: Duration) -> bool {
        self.fills.first().is_some_and(|first| self.leader.ts_first_seen.since(first.at) > age_max)
    }

    /// The most units the entry gates let it open, where they let less pass than was asked.
    pub const fn cut_to(&self) -> Option<u64> {
        if self.refused_raise.is_some() { Some(self.admitted as u64) } else { None }
    }

    /// Units that repairs have filled.
    pub fn repaired(&self) -> u64 {
        self.of(REPAIR).map(|child| u64::from(child.cumulative.get())).sum()
    }

    /// Units the copy has filled, less what its exit legs and repairs have closed again.
    pub fn held(&self) -> u64 {
        let closed: u64 = self.of(COPY).map(|child| u64::from(child.closed().get())).sum();
        self.opened().saturating_sub(closed)
    }

    fn of(&self, leg: u8) -> impl Iterator<Item = &Child> {
        self.children.iter().filter(move |child| child.key.leg == leg)
    }

    fn position(&self, client_order_id: &ClientOrderId) -> Option<usize> {
        self.children.iter().position(|child| child.client_order_id == *client_order_id)
    }

    fn on_word(&mut self, decision: Decision) {
        self.note_fills();
        // A skipped order stays skipped, a given-up one given up: late entries are worse than missed ones. Only a share
        // below one lot may grow into one, and what had nothing to close may yet have.
        let is_final = matches!(self.outcome, Outcome::Skipped | Outcome::Voided) && !self.may_revive();
        if is_final {
            // What the leader executes since is what the follower lacks, or has to close.
            // A new life hears it for the first time: what it comes to close is closed all the same.
            match decision {
                Decision::Follow(news) if !self.is_heard() => {
                    (self.word, self.wish) = (Word::Follow, Some(news));
                }
                Decision::Follow(news) if self.wish.is_some() => self.wish = Some(news),
                Decision::Deny(reason) if !self.is_heard() => self.word = Word::Deny(reason),
                _ => {}
            }
            return;
        }
        match decision {
            // A status that says nothing of the exchange undoes no decision taken when one did.
            Decision::Await if !matches!(self.word, Word::Unheard) || !self.children.is_empty() => {}
            Decision::Await => self.word = Word::Await,
            Decision::Deny(reason) => self.word = Word::Deny(reason),
            Decision::Follow(wish) => {
                let asks_anew = self.wish().is_none_or(|known| known.terms.quantity != wish.terms.quantity);
                // To a new life everything is said anew; what was refused before stays so.
                if asks_anew && self.is_heard() {
                    self.refused_raise = None;
                }
                (self.tick, self.note) = (wish.instrument.tick, wish.note);
                self.word = Word::Follow;
                self.wish = Some(wish);
            }
        }
    }

    /// What follows from rows: how far the leader had come, what the gates let pass before, and whether it was stopped.
    pub fn recall(&mut self) {
        if self.fills.is_empty() {
            self.note_fills();
        }
        // Rows of an earlier version do not tell: then the children do.
        let permit = self.recorded.and_then(|state| state.permit).unwrap_or_else(|| Permit {
            admitted: self.admitted_so_far(),
            is_stopped: self.outcome == Outcome::Detached && self.reason == Some(DeniedReason::Halted),
            purpose: self.purpose,
            ..Permit::default()
        });
        (self.admitted, self.refused_raise) = (permit.admitted, permit.refused);
        (self.opens_no_more, self.is_stopped) = (permit.opens_no_more, permit.is_stopped);
        self.purpose = permit.purpose;
    }

    /// What it may open by now.
    pub const fn permit(&self) -> Permit {
        Permit {
            admitted: self.admitted,
            refused: self.refused_raise,
            opens_no_more: self.opens_no_more,
            is_stopped: self.is_stopped,
            purpose: self.purpose,
        }
    }

    /// Units that the gates let pass, as the children show: what entries come to beyond what closes. One order may do
    /// both.
    fn admitted_so_far(&self) -> u32 {
        let units = |child: &Child| if child.is_live() { child.ordered() } else { child.cumulative };
        let all: u32 = self.of(COPY).map(|child| units(child).get()).sum();
        let entries = self.of(COPY).filter(|child| child.purpose == Purpose::Entry);
        let entries: u32 = entries.map(|child| units(child).get()).sum();
        let recorded = self.recorded.map(|row| row.closing.get());
        let closing = self.allotment.map(|allotment| allotment.closing).or(recorded).unwrap_or(0);
        entries.min(all.saturating_sub(closing))
    }

    /// Whether what came to nothing for want of quantity may come to something yet.
    pub(super) const fn may_revive(&self) -> bool {
        matches!(
            self.reason,
            Some(DeniedReason::BelowOneLot | DeniedReason::NothingToClose | DeniedReason::PriceUnknown)
        )
    }

    /// Keeps when the leader's order grew: what closes and what opens is told by it.
    fn note_fills(&mut self) {
        let leader = &self.leader;
        let point = FillPoint { at: leader.ts_event, cumulative: leader.cumulative, exited: leader.exited };
        let known =
            self.fills.last().map_or((Quantity::ZERO, Quantity::ZERO), |last| (last.cumulative, last.exited));
        if point.cumulative > known.0 || point.exited > known.1 {
            self.fills.push(point);
        }
    }

    fn on_release(
        &mut self,
        client_order_id: &ClientOrderId,
        now: Timestamp,
    ) -> Result<Vec<MirrorEffect>, IllegalTransition> {
        let Some(index) = self.position(client_order_id) else { return Ok(Vec::new()) };
        let sent = if self.children[index].state == ChildState::Planned {
            self.release_placing(index, now)?
        } else {
            self.release_change(index, now)
        };
        Ok(sent.map(|request| MirrorEffect::Send(RiskApproved::new(request))).into_iter().collect())
    }

    fn release_placing(
        &mut self,
        index: usize,
        now: Timestamp,
    ) -> Result<Option<Request>, IllegalTransition> {
        let leg = self.children[index].key.leg;
        // The rows count what waits beside it, too: while one is being cancelled to make room for another, none goes.
        let (wanted_or_out, bound) = (self.wanted_or_out(leg), self.bound(leg));
        let child = &mut self.children[index];
        let next = transition(&child.state, ChildEvent::Released)?;
        // P5, checked at the last place before the wire: what may be filled already, and this, within the target. It waits
        // for the room, or until it is not wanted any more.
        if wanted_or_out > bound {
            return Ok(None);
        }
        child.state = next;
        child.ts_sent = Some(now);
        let request = Request {
            client_order_id: child.client_order_id.clone(),
            serial: 0,
            purpose: child.purpose,
            ask: Ask::Place(child.terms.clone()),
        };
        if self.outcome != Outcome::Detached {
            self.outcome = Outcome::Sent;
            self.reason = self.reason.filter(|reason| *reason != DeniedReason::BelowOneLot);
        }
        Ok(Some(request))
    }

    fn release_change(&mut self, index: usize, now: Timestamp) -> Option<Request> {
        let child = &self.children[index];
        let planned = child.request.as_deref().filter(|request| request.state == ChangeState::Planned)?;
        let broker_order_id = child.broker_order_id.clone()?;
        if let Change::Modify { terms, .. } = &planned.change {
            let others =
                self.worst_case_of(child.key.leg).saturating_sub(u64::from(child.worst_case().get()));
            let raises = terms.quantity > child.worst_case();
            if raises && others + u64::from(terms.quantity.get()) > self.bound(child.key.leg) {
                self.children[index].request = None;
                return None;
            }
        }
        let child = &mut self.children[index];
        let request = child.request.as_deref_mut()?;
        child.serial += 1;
        request.serial = child.serial;
        request.state = ChangeState::Sending;
        request.ts_sent = Some(now);
        child.ts_changed = Some(now);
        let ask = match request.change.clone() {
            Change::Modify { terms, part } => {
                child.changes = child.changes.saturating_add(1);
                child.is_chased |= request.is_chase;
                Ask::Modify { broker_order_id, terms, part }
            }
            Change::Cancel { part } => Ask::Cancel { broker_order_id, terms: child.terms.clone(), part },
        };
        child.cancel_asked |= request.change.is_full_cancel();
        let approved = Request {
            client_order_id: child.client_order_id.clone(),
            serial: child.serial,
            purpose: change_purpose(child),
            ask,
        };
        self.record_change(index, None, IntentState::Sending);
        Some(approved)
    }

    /// The most units that child orders of a part may add up to.
    fn bound(&self, leg: u8) -> u64 {
        match &self.target {
            _ if leg == REPAIR => self.filled(),
            Target::Open(terms) => u64::from(terms.quantity.get()),
            Target::Undecided | Target::Gone(_) => 0,
        }
    }

    fn give_up(
        &mut self,
        client_order_id: &ClientOrderId,
        reason: DeniedReason,
    ) -> Result<Vec<MirrorEffect>, IllegalTransition> {
        if let Some(index) = self.position(client_order_id) {
            let child = &mut self.children[index];
            child.state = transition(&child.state, ChildEvent::Voided)?;
            self.close_if_never_sent(reason);
            // Nothing of it ever left, and it was we who did not let it: it was skipped, only later than most.
            if self.outcome == Outcome::Voided && !self.is_out() {
                self.outcome = Outcome::Skipped;
            }
        }
        Ok(Vec::new())
    }

    /// Less than what waits is let through.
    fn cut(&mut self, client_order_id: &ClientOrderId, units: Quantity, reason: DeniedReason) {
        let Some(child) = self.attempt(client_order_id) else { return };
        let less = child.opens_yet().saturating_sub(units);
        self.admitted = self.admitted.saturating_sub(less.get());
        self.refused_raise = self.allotment.map(|allotment| allotment.opening);
        self.reason = Some(reason);
    }

    /// A raise that waited too long: what works stays as large as it is. Says whether there was one.
    fn give_up_raise(&mut self, client_order_id: &ClientOrderId, reason: DeniedReason) -> bool {
        let raises = |request: &ChangeRequest| {
            request.state == ChangeState::Planned && matches!(request.change, Change::Modify { .. })
        };
        let works = |child: &&mut Child| {
            child.client_order_id == *client_order_id && child.request.as_deref().is_some_and(raises)
        };
        let Some(child) = self.children.iter_mut().find(works) else { return false };
        child.request = None;
        self.admitted = self.admitted_so_far();
        self.refused_raise = self.allotment.map(|allotment| allotment.opening);
        self.reason = Some(reason);
        true
    }

    /// What was decided and never sent is voided; the reason stands beside it.
    fn close_if_never_sent(&mut self, reason: DeniedReason) {
        let is_unsent = |child: &Child| {
            matches!(child.state, ChildState::Voided | ChildState::Absent | ChildState::Refused)
        };
        self.reason = Some(reason);
        let never_sent = self.children.iter().all(is_unsent)
            && self.children.iter().all(|child| child.state != ChildState::Refused);
        if never_sent && self.outcome != Outcome::Detached {
            // What may yet have something to close waits on.
            let waits = self.allotment.is_some_and(|allotment| allotment.is_armed) && self.may_revive();
            self.outcome = if waits { Outcome::Waiting } else { Outcome::Voided };
        } else if matches!(self.outcome, Outcome::AwaitingLeader | Outcome::Waiting) {
            self.outcome = Outcome::Sent;
        }
    }

    /// Notes where the request of a child stands now.
    fn record_change(&mut self, index: usize, before: Option<IntentState>, state: IntentState) {
        let child = &self.children[index];
        let Some(request) = child.request.as_deref() else { return };
        let (is_cancel, terms) = match &request.change {
            Change::Modify { terms, .. } => (false, terms.clone()),
            Change::Cancel { .. } => (true, child.terms.clone()),
        };
        self.change_records.push(ChangeRecord {
            key: child.key.clone(),
            client_order_id: child.client_order_id.clone(),
            broker_order_id: child.broker_order_id.clone(),
            serial: request.serial,
            purpose: change_purpose(child),
            is_cancel,
            part: request.change.part(),
            terms,
            before,
            state,
        });
    }
}

impl ChangeRequest {
    /// Whether it may use the budget kept for exits: it does unless it can raise exposure.
    pub fn purpose(&self, child: &Child) -> Purpose {
        match &self.change {
            Change::Cancel { .. } => Purpose::Exit,
            Change::Modify { terms, .. } if terms.quantity < child.terms.quantity => Purpose::Exit,
            Change::Modify { .. } => child.purpose,
        }
    }
}

fn change_purpose(child: &Child) -> Purpose {
    child.request.as_deref().map_or(child.purpose, |request| request.purpose(child))
}

/// Who goes first: what a child waits to have sent.
pub(crate) fn rank_of(child: &Child) -> Rank {
    let by_purpose = if child.purpose == Purpose::Exit { Rank::Exit } else { Rank::Entry };
    match child.request.as_deref().map(|request| &request.change) {
        Some(Change::Cancel { .. }) => Rank::Cancel,
        Some(Change::Modify { terms, .. }) if terms.quantity < child.terms.quantity => Rank::Exit,
        _ => by_purpose,
    }
}

#[cfg(test)]
mod tests;
