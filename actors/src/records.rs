//! Facts of the domain turned into rows, and the way they are handed to the Store.

use std::sync::Arc;
use std::time::Instant;

use tandem_domain::follower::Record;
use tandem_domain::ids::{BrokerOrderId, ClientOrderId, DhanClientId, FollowerId};
use tandem_domain::leader::LeaderOrder;
use tandem_domain::mirror::{Child, IntentState as ChildIntentState, Mirror, Target};
use tandem_domain::order::lifecycle::ChildState;
use tandem_domain::order::{BrokerStatus, OrderTerms};
use tandem_domain::time::Timestamp;
use tracing::warn;

use crate::store::{
    AccountOrder, FillComparison, IntentChange, IntentKind, IntentRow, IntentState, IntentTiming, Job,
    LeaderEvent, MappingRow, MirrorKey, MirrorRows, OrderRole, RefusalRow, StoreHandle, Write, WriterId,
};
use crate::vitals::Vitals;

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
    /// The first attempt at this leader order, which its plan has just made.
    Plan(BrokerOrderId),
    /// This child order.
    Child(ClientOrderId),
}

impl Circumstances {
    /// The news, if it is about this child.
    pub fn of(&self, child: &Child) -> Option<&News> {
        self.news.as_ref().filter(|news| match &news.about {
            About::Plan(leader_order) => *leader_order == child.key.leader_order,
            About::Child(client_order_id) => *client_order_id == child.client_order_id,
        })
    }
}

/// The rows of some records of one follower's account.
pub fn writes(records: Vec<Record>, account: &DhanClientId, around: &Circumstances) -> Vec<Write> {
    records.into_iter().map(|record| write(record, account, around)).collect()
}

fn write(record: Record, account: &DhanClientId, around: &Circumstances) -> Write {
    match record {
        Record::LeaderEvent(order) => Write::LeaderEvent(LeaderEvent { order, ts_init: around.now }),
        Record::Mapping { leader, follower, outcome, reason, sizing, target, copied, filled } => {
            Write::Mapping(Box::new(MappingRow {
                key: mirror_key(&leader, &follower),
                outcome,
                reason,
                note: None,
                sizing,
                target,
                copied,
                filled,
                updated_at: around.now,
            }))
        }
        Record::Intent { child, before: None, leader_account, event } => {
            Write::Intent(Box::new(new_intent(*child, leader_account, event, account, around)))
        }
        Record::Intent { child, before: Some(before), .. } => {
            Write::IntentChange(Box::new(changed_intent(*child, before, around)))
        }
        Record::Order { client_order_id, report } => Write::AccountOrder(Box::new(AccountOrder {
            trading_day: around.now.trading_day(),
            role: OrderRole::Follower,
            client_order_id: Some(client_order_id),
            report: *report,
            ts_init: around.now,
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
    }
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
    let timing = timing(&child, around);
    IntentRow {
        state: stored(child.intent_state()),
        client_order_id: child.client_order_id,
        kind: IntentKind::Place,
        serial: 0,
        part: None,
        child: child.key,
        leader_account,
        account: account.clone(),
        event: Some(event),
        purpose: child.purpose,
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

fn changed_intent(child: Child, before: ChildIntentState, around: &Circumstances) -> IntentChange {
    let state = stored(child.intent_state());
    // The target may have moved while it was held; once it was sent, its terms stand.
    let was_held = matches!(before, ChildIntentState::Planned | ChildIntentState::NotSent);
    let news = around.of(&child).cloned();
    let timing = timing(&child, around);
    IntentChange {
        state,
        terms: (was_held && state == IntentState::Sending).then_some(child.terms),
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

/// Mirrors of today, as the rows tell them: what a new life of a follower's actor begins with.
pub fn restored(rows: Vec<MirrorRows>) -> Vec<Mirror> {
    rows.into_iter().map(restore).collect()
}

fn restore(rows: MirrorRows) -> Mirror {
    let mut mirror = Mirror::new(Arc::clone(&rows.leader));
    let orders = &rows.orders;
    mirror.children = rows
        .intents
        .into_iter()
        .filter(|intent| intent.kind == IntentKind::Place)
        .map(|intent| {
            let order =
                orders.iter().find(|order| order.client_order_id.as_ref() == Some(&intent.client_order_id));
            restore_child(intent, order)
        })
        .collect();
    mirror.outcome = rows.mapping.outcome;
    mirror.reason = rows.mapping.reason;
    mirror.sizing = rows.mapping.sizing;
    mirror.recorded = true;
    // What was sized stands until the Sizer speaks again.
    if let Some(child) = mirror.children.last() {
        mirror.target = Target::Open(OrderTerms { quantity: rows.mapping.target, ..child.terms.clone() });
    } else if let Some(reason) = mirror.reason {
        mirror.target = Target::Gone(reason);
    }
    mirror
}

fn restore_child(intent: IntentRow, order: Option<&AccountOrder>) -> Child {
    let report = order.map(|order| &order.report);
    let broker_order_id =
        intent.broker_order_id.clone().or_else(|| report.map(|report| report.broker_order_id.clone()));
    let recorded = from_stored(intent.state);
    let ts_sent = match intent.state {
        IntentState::Planned | IntentState::Voided => None,
        _ => intent.timing.sent.or(intent.timing.committed).or(Some(intent.created_at)),
    };
    Child {
        client_order_id: intent.client_order_id,
        key: intent.child,
        terms: intent.terms,
        purpose: intent.purpose,
        state: child_state(intent.state, broker_order_id.as_ref(), report.map(|report| &report.status)),
        broker_order_id,
        status: report.map(|report| report.status.clone()),
        cumulative: report.map(|report| report.cumulative).unwrap_or_default(),
        average_price: report.map(|report| report.average_price).unwrap_or_default(),
        reason: report
            .and_then(|report| report.reason.clone())
            .or(intent.refusal.map(|refusal| refusal.text)),
        ts_sent,
        recorded: Some(recorded),
    }
}

fn child_state(
    intent: IntentState,
    broker_order_id: Option<&BrokerOrderId>,
    status: Option<&BrokerStatus>,
) -> ChildState {
    match (intent, broker_order_id, status) {
        (IntentState::Planned | IntentState::NotSent, ..) => ChildState::Planned,
        (IntentState::Refused, ..) => ChildState::Refused,
        (IntentState::Voided, ..) => ChildState::Voided,
        (IntentState::Absent, ..) => ChildState::Absent,
        (_, _, Some(BrokerStatus::Traded | BrokerStatus::Closed)) => ChildState::Filled,
        (_, _, Some(BrokerStatus::Cancelled)) => ChildState::Cancelled,
        (_, _, Some(BrokerStatus::Expired)) => ChildState::Expired,
        (_, _, Some(BrokerStatus::Rejected)) => ChildState::Rejected,
        (IntentState::Acked, Some(broker_order_id), _) => {
            ChildState::Working { broker_order_id: broker_order_id.clone() }
        }
        // Born, sent or acknowledged without an id: only evidence says what became of it (P1, P3).
        _ => ChildState::Sending,
    }
}

const fn stored(state: ChildIntentState) -> IntentState {
    match state {
        ChildIntentState::Planned => IntentState::Planned,
        ChildIntentState::Sending => IntentState::Sending,
        ChildIntentState::Acked => IntentState::Acked,
        ChildIntentState::Refused => IntentState::Refused,
        ChildIntentState::Unknown => IntentState::Unknown,
        ChildIntentState::NotSent => IntentState::NotSent,
        ChildIntentState::Voided => IntentState::Voided,
        ChildIntentState::Absent => IntentState::Absent,
    }
}

const fn from_stored(state: IntentState) -> ChildIntentState {
    match state {
        IntentState::Planned => ChildIntentState::Planned,
        IntentState::Sending => ChildIntentState::Sending,
        IntentState::Acked => ChildIntentState::Acked,
        IntentState::Refused => ChildIntentState::Refused,
        IntentState::Unknown => ChildIntentState::Unknown,
        IntentState::NotSent => ChildIntentState::NotSent,
        IntentState::Voided => ChildIntentState::Voided,
        IntentState::Absent => ChildIntentState::Absent,
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
    if let Err(error) = store.submit(Job { writer: writer(vitals), writes, reply }) {
        warn!(actor = %vitals.name, %error, "rows were not stored");
    }
}
