//! Facts of the domain turned into rows, and the way they are handed to the Store.

use std::sync::Arc;
use std::time::Instant;

use tandem_domain::follower::Record;
use tandem_domain::gap::{Gap, GapKind};
use tandem_domain::ids::{BrokerOrderId, ClientOrderId, DhanClientId, FollowerId};
use tandem_domain::leader::LeaderOrder;
use tandem_domain::mirror::{ChangeRecord, Child, IntentState};
use tandem_domain::order::OrderReport;
use tandem_domain::order::lifecycle::ChildState;
use tandem_domain::time::Timestamp;
use tandem_domain::trading::{HaltCause, Trading};
use tracing::warn;

use crate::store::{
    AccountOrder, ChildNoteRow, ConvertedRow, DriftRow, FillComparison, GapRow, IntentChange, IntentKind,
    IntentRow, IntentTiming, Job, LeaderEvent, MappingRow, MirrorKey, OpeningRow, OrderRole, RefusalRow,
    SettledRow, StoreHandle, TradingRow, Write, WriterId,
};
use crate::vitals::{ActorName, Vitals};

/// What the records themselves do not carry: when, and what is known of the one intent the news is about. A step may
/// concern other intents too (an answer lets the next one go); they get nothing of it.
#[derive(Debug, Clone, Default)]
pub struct Circumstances {
    /// Now.
    pub now: Timestamp,
    /// The news.
    pub news: Option<News>,
}

/// What is known of one intent.
#[derive(Debug, Clone)]
pub struct News {
    /// Which.
    pub about: About,
    /// Points passed.
    pub timing: IntentTiming,
    /// When the frame that led to it was received.
    pub received: Option<Instant>,
    /// What was sent, redacted.
    pub request: Option<String>,
    /// What was answered, redacted.
    pub response: Option<String>,
    /// The broker's refusal.
    pub refusal: Option<RefusalRow>,
}

/// Which intent news is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The placing that the plan of this leader order has just led to.
    Plan(BrokerOrderId),
    /// A request: zero for placing the child order, otherwise the number of the change or cancel.
    Request(ClientOrderId, u32),
}

impl Circumstances {
    /// The news, if it is about placing this child.
    pub fn of(&self, child: &Child) -> Option<&News> {
        self.about(&child.key.leader_order, &child.client_order_id, 0)
    }

    /// The news, if it is about this request.
    pub fn about(
        &self,
        leader_order: &BrokerOrderId,
        client_order_id: &ClientOrderId,
        serial: u32,
    ) -> Option<&News> {
        self.news.as_ref().filter(|news| match &news.about {
            About::Plan(of) => of == leader_order,
            About::Request(id, number) => id == client_order_id && *number == serial,
        })
    }
}

/// Whose records they are.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// The follower.
    pub follower: &'a FollowerId,
    /// His account.
    pub account: &'a DhanClientId,
}

/// The rows of some records of one follower's account.
pub fn writes(records: Vec<Record>, owner: Owner<'_>, around: &Circumstances) -> Vec<Write> {
    records.into_iter().map(|record| write(record, owner, around)).collect()
}

fn write(record: Record, owner: Owner<'_>, around: &Circumstances) -> Write {
    let account = owner.account;
    match record {
        Record::LeaderEvent(order) => Write::LeaderEvent(LeaderEvent { order, ts_init: around.now }),
        Record::Mapping { leader, follower, state, sizing } => Write::Mapping(Box::new(MappingRow {
            key: mirror_key(&leader, &follower),
            outcome: state.outcome,
            reason: state.reason,
            note: state.note.map(|note| note.as_str().into()),
            sizing,
            target: state.target,
            closing: state.closing,
            copied: state.copied,
            filled: state.filled,
            permit: state.permit,
            updated_at: around.now,
        })),
        Record::Intent { child, before: None, leader_account, event } => {
            Write::Intent(Box::new(new_intent(*child, leader_account, event, account, around)))
        }
        Record::Intent { child, before: Some(before), .. } => {
            Write::IntentChange(Box::new(changed_intent(*child, before, around)))
        }
        Record::ChildNote { client_order_id, note } => {
            Write::ChildNote(ChildNoteRow { client_order_id, note, updated_at: around.now })
        }
        Record::Change { change, leader_account, event } => match change.before {
            None => Write::Intent(Box::new(new_change(*change, leader_account, event, account, around))),
            Some(_) => Write::IntentChange(Box::new(changed_change(*change, around))),
        },
        Record::Order { client_order_id, report } => {
            account_order(OrderRole::Follower, Some(client_order_id), *report, around)
        }
        Record::Leg(report) => account_order(OrderRole::Follower, None, *report, around),
        Record::External(report) => account_order(OrderRole::External, None, *report, around),
        Record::Gap { leader, follower, gap } => Write::Gap(Box::new(GapRow {
            key: mirror_key(&leader, &follower),
            gap,
            text: gap_text(gap).into(),
            at: around.now,
        })),
        Record::Fills { leader, follower, comparison } => Write::FillComparison(Box::new(FillComparison {
            key: mirror_key(&leader, &follower),
            filled: comparison.filled,
            leader_average: comparison.leader_average,
            follower_average: comparison.follower_average,
            slippage: comparison.slippage,
            slippage_ticks: comparison.ticks,
            slippage_bps_x100: Some(comparison.bps_x100),
            delay_us: Some(comparison.delay_us),
            updated_at: around.now,
        })),
        Record::Trade(report) => Write::Trade {
            trading_day: around.now.trading_day(),
            report: Box::new(report),
            ts_init: around.now,
        },
        Record::Trading(trading) => Write::Trading(TradingRow {
            follower: owner.follower.clone(),
            trading,
            actor: asked_by(&trading, owner.follower),
            at: around.now,
        }),
        Record::Settled(of) => Write::Settled(SettledRow {
            kind: match (of.serial, of.is_cancel) {
                (0, _) => IntentKind::Place,
                (_, true) => IntentKind::Cancel,
                (_, false) => IntentKind::Modify,
            },
            client_order_id: of.client_order_id,
            serial: of.serial,
            at: around.now,
        }),
        Record::Drift(instrument, units) => Write::Drift(DriftRow {
            trading_day: around.now.trading_day(),
            follower: owner.follower.clone(),
            instrument,
            units,
            at: around.now,
        }),
        Record::Converted(converted) => Write::Converted(ConvertedRow {
            trading_day: converted.at.trading_day(),
            follower: owner.follower.clone(),
            converted,
            at: around.now,
        }),
        Record::Opening(opening) => Write::Opening(OpeningRow {
            trading_day: around.now.trading_day(),
            follower: owner.follower.clone(),
            opening,
            recorded_at: around.now,
        }),
    }
}

/// Only an operator resumes; what stops is asked for by an operator, or by the follower's own limits.
fn asked_by(trading: &Trading, follower: &FollowerId) -> Arc<str> {
    match trading.cause {
        None | Some(HaltCause::Operator) => "operator".into(),
        Some(_) => ActorName::Follower(follower.clone()).to_string().into(),
    }
}

fn account_order(
    role: OrderRole,
    client_order_id: Option<ClientOrderId>,
    report: OrderReport,
    around: &Circumstances,
) -> Write {
    let trading_day = around.now.trading_day();
    Write::AccountOrder(Box::new(AccountOrder {
        trading_day,
        role,
        client_order_id,
        report,
        ts_init: around.now,
    }))
}

/// A gap in words.
pub fn gap_text(gap: Gap) -> String {
    let why = match gap.kind {
        GapKind::FollowerRefused => "the broker refused the copy",
        GapKind::FollowerRejected => "the copy was rejected after the broker had taken it",
        GapKind::FollowerAbsent => "the copy never arrived",
        GapKind::LeaderRejected => "the leader's order was rejected after the copy had filled",
        GapKind::LeaderCancelled => "the leader's order ended with less filled than the copy",
        GapKind::LeftBehind => "the leader's order filled further than the copy",
        GapKind::Detached => "the copy was changed or cancelled by hand",
        GapKind::ChangesExhausted => "the copy cannot be changed any more",
        GapKind::ExitLegMissed => "an exit leg of the leader's fired, the copy's did not",
        GapKind::ExitStopped => {
            "the leader has closed by an order whose copy you had stopped: close what is left by hand, or square off"
        }
    };
    let size = match gap.units {
        0 => String::new(),
        more if more > 0 => format!("; {more} units too many"),
        fewer => format!("; {} units short", fewer.unsigned_abs()),
    };
    format!("{why}{size}: {}", gap.result)
}

fn mirror_key(leader: &LeaderOrder, follower: &FollowerId) -> MirrorKey {
    MirrorKey {
        trading_day: leader.trading_day,
        leader_account: leader.account.clone(),
        leader_order: leader.broker_order_id.clone(),
        follower: follower.clone(),
    }
}

fn new_intent(
    child: Child,
    leader_account: DhanClientId,
    event: i64,
    account: &DhanClientId,
    around: &Circumstances,
) -> IntentRow {
    let (timing, note) = (timing(&child, around), child.note());
    IntentRow {
        state: child.intent_state(),
        client_order_id: child.client_order_id,
        kind: IntentKind::Place,
        serial: 0,
        part: None,
        child: child.key,
        leader_account,
        account: account.clone(),
        event: Some(event),
        purpose: child.purpose,
        note: Some(note),
        terms: child.terms,
        broker_order_id: child.broker_order_id,
        refusal: None,
        timing,
        created_at: around.now,
    }
}

/// An intent that is being sent has its time of sending from the first: the answer makes it exact, and without an answer
/// the settle time and the budget after a restart are counted from it.
fn timing(child: &Child, around: &Circumstances) -> IntentTiming {
    let mut timing = around.of(child).map(|news| news.timing).unwrap_or_default();
    if child.state == ChildState::Sending && timing.sent.is_none() {
        timing.sent = Some(around.now);
    }
    timing
}

fn changed_intent(child: Child, before: IntentState, around: &Circumstances) -> IntentChange {
    let state = child.intent_state();
    // The target may have moved while it was held; once it was sent, its terms stand.
    let was_held = matches!(before, IntentState::Planned | IntentState::NotSent);
    let news = around.of(&child).cloned();
    let timing = timing(&child, around);
    IntentChange {
        state,
        terms: was_held.then_some(child.terms),
        purpose: Some(child.purpose),
        client_order_id: child.client_order_id,
        kind: IntentKind::Place,
        serial: 0,
        part: None,
        broker_order_id: child.broker_order_id,
        timing,
        refusal: news.as_ref().and_then(|news| news.refusal.clone()),
        request: news.as_ref().and_then(|news| news.request.clone()),
        response: news.and_then(|news| news.response),
        updated_at: around.now,
    }
}

const fn kind_of(change: &ChangeRecord) -> IntentKind {
    if change.is_cancel { IntentKind::Cancel } else { IntentKind::Modify }
}

fn new_change(
    change: ChangeRecord,
    leader_account: DhanClientId,
    event: i64,
    account: &DhanClientId,
    around: &Circumstances,
) -> IntentRow {
    let news = around.about(&change.key.leader_order, &change.client_order_id, change.serial);
    let timing = news.map(|news| news.timing).unwrap_or_default();
    IntentRow {
        kind: kind_of(&change),
        serial: change.serial,
        part: Some(change.part),
        state: change.state,
        client_order_id: change.client_order_id,
        child: change.key,
        leader_account,
        account: account.clone(),
        event: Some(event),
        purpose: change.purpose,
        note: None,
        terms: change.terms,
        broker_order_id: change.broker_order_id,
        refusal: None,
        // It leaves as soon as this is durable; the answer makes it exact.
        timing: IntentTiming { sent: timing.sent.or(Some(around.now)), ..timing },
        created_at: around.now,
    }
}

fn changed_change(change: ChangeRecord, around: &Circumstances) -> IntentChange {
    let news = around.about(&change.key.leader_order, &change.client_order_id, change.serial).cloned();
    IntentChange {
        kind: kind_of(&change),
        serial: change.serial,
        part: None,
        state: change.state,
        client_order_id: change.client_order_id,
        terms: None,
        purpose: None,
        broker_order_id: change.broker_order_id,
        timing: news.as_ref().map(|news| news.timing).unwrap_or_default(),
        refusal: news.as_ref().and_then(|news| news.refusal.clone()),
        request: news.as_ref().and_then(|news| news.request.clone()),
        response: news.and_then(|news| news.response),
        updated_at: around.now,
    }
}

/// Who writes, for fencing.
pub fn writer(vitals: &Vitals) -> WriterId {
    WriterId { actor: vitals.name.to_string().into(), generation: vitals.generation }
}

/// Hands rows to the Store whose loss nobody waits for; a failure is logged, and the next write of its kind repairs it.
pub fn submit_quietly(store: &StoreHandle, vitals: &Vitals, writes: Vec<Write>) {
    let actor = vitals.name.to_string();
    let reply = Box::new(move |committed: crate::store::Committed| {
        if let Err(error) = committed.result {
            warn!(actor, %error, "rows were not stored");
        }
    });
    if let Err(error) = store.submit(Job { writer: writer(vitals), writes, in_order: false, reply }) {
        warn!(actor = %vitals.name, %error, "rows were not stored");
    }
}
