//! One leader order in one follower account: what the follower's order should look like (*target*), what his child orders
//! are known to look like (*actual*), and at most one request *in flight* for each. [`Mirror::step`] takes one piece of
//! news and says what to do; nothing here is a special path: every event changes what is known, and then the same
//! comparison ([`drive`]) asks for what is missing.
//!
//! Rooms: [`event`] what it is told and what it wants done; [`child`] what is known of one order; [`allotment`] how much of
//! it the follower's ledger gives it; `hearing` what is heard of the leader's; `target` what is wanted now; `spread` how it
//! is laid over children; `drive` and `terms` what each is asked for next; `release` what leaves, `giving_up` what does not;
//! `evidence`, `changing` and `legs` what the broker said; `parting` what happens when leader and follower differ in the
//! end.
//!
//! Which event does what in which state is the table in `docs/architecture.md`, which a test holds to the code.

mod allotment;
mod changing;
mod child;
mod drive;
mod event;
mod evidence;
mod giving_up;
mod hearing;
mod legs;
mod parting;
mod release;
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
pub use event::{ChangeRecord, MirrorEffect, MirrorEvent, Rank};
pub use evidence::{Answer, ChildReport, Refused};
pub use legs::LegNews;
pub(crate) use release::rank_of;

use crate::decision::Wish;
use crate::follower::MappingState;
use crate::gap::Gap;
use crate::gates::{Admission, DeniedReason};
use crate::ids::{ClientOrderId, DhanClientId, FollowerId};
use crate::instrument::{Instrument, coded_enum};
use crate::leader::LeaderOrder;
use crate::ledger::FillPoint;
use crate::order::OrderTerms;
use crate::order::lifecycle::{ChildState, IllegalTransition};
use crate::pacing::Purpose;
use crate::policy::{Changes, CopyOn, Parting, Translation};
use crate::price::Price;
use crate::sizing::Sizing;
use crate::time::Timestamp;
use crate::translate::Note;

/// Number of the copy itself among the parts of a mirror ([`crate::ids::ChildKey::leg`]).
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
    /// Units that its living orders may grow by, beyond what was let through before; more than that takes more orders.
    pub room: u64,
    /// Units that were let through before and for which there is no room.
    pub roomless: u64,
    /// Units that the copy holds by now.
    pub held: u64,
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
            MirrorEvent::Release(client_order_id, until) => {
                return self.on_release(&client_order_id, until, at.now);
            }
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
    pub fn cut_to(&self) -> Option<u64> {
        self.refused_raise.is_some().then(|| u64::from(self.let_through()))
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
}

#[cfg(test)]
mod tests;
