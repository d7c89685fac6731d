//! Mirrors of today, as the rows tell them: what a new life of a follower's actor begins with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tandem_domain::follower::{Converted, Effect, FollowerBook, MappingState, Opening, Unproven};
use tandem_domain::ids::{BrokerOrderId, ClientOrderId, DhanClientId, FollowerId};
use tandem_domain::instrument::{Instrument, InstrumentKey};
use tandem_domain::mirror::{
    COPY, Change, ChangeRequest, ChangeState, Child, ChildLeg, ChildNote, Mirror, OrderPart, Target,
};
use tandem_domain::order::lifecycle::ChildState;
use tandem_domain::order::{BrokerStatus, Leg, OrderTerms};
use tandem_domain::quantity::Quantity;
use tandem_domain::time::{Timestamp, TradingDay};
use tandem_domain::trading::Trading;
use tracing::warn;

use crate::instruments::Instruments;
use crate::store::{
    AccountOrder, Carried, ExternalOrder, IntentKind, IntentRow, IntentState, MirrorRows, Reader,
    ReaderError, units_held,
};

/// All that is on record of a follower's day, and what is carried into it.
#[derive(Debug)]
pub struct Day {
    mirrors: Vec<MirrorRows>,
    external: Vec<ExternalOrder>,
    pub(crate) trading: Option<Trading>,
    pub(crate) openings: Vec<(Opening, Timestamp)>,
    drifts: Vec<(InstrumentKey, i64)>,
    conversions: Vec<Converted>,
    unproven: Vec<Unproven>,
    resting: BTreeSet<BrokerOrderId>,
    /// What copies of earlier days may hold still.
    pub(crate) carried: BTreeMap<InstrumentKey, i64>,
    /// And their instruments, as far as the day knows them.
    carried_instruments: Vec<Instrument>,
    /// Those of the mirrors.
    instruments: Vec<Instrument>,
}

impl Day {
    /// Reads it. Blocks.
    pub fn read(
        reader: &Reader,
        day: TradingDay,
        follower: &FollowerId,
        account: &DhanClientId,
        instruments: &Instruments,
    ) -> Result<Self, ReaderError> {
        let mut carried = reader.carried(follower, account, day)?;
        carried.retain(|held| is_same_today(held, instruments));
        let mirrors = reader.mirrors(day, follower)?;
        let unproven = reader.unproven(follower, account, day)?;
        #[cfg(feature = "simulation")]
        let (mirrors, unproven) = believing_in_yesterday(reader, day, follower, (mirrors, unproven))?;
        let traded: BTreeSet<InstrumentKey> =
            mirrors.iter().map(|mirror| mirror.leader.terms.instrument).collect();
        Ok(Self {
            instruments: traded.into_iter().filter_map(|key| instruments.get(key)).collect(),
            mirrors,
            external: reader.external_orders(day, account)?,
            trading: reader.trading(follower)?,
            openings: reader.openings(day, follower)?,
            carried_instruments: carried.iter().filter_map(|held| instruments.get(held.instrument)).collect(),
            drifts: reader.drifts(day, follower)?,
            conversions: reader.conversions(day, follower)?,
            unproven,
            resting: reader.resting(follower, account, day)?,
            carried: units_held(&carried, day),
        })
    }

    /// How many mirrors.
    pub const fn mirrors(&self) -> usize {
        self.mirrors.len()
    }

    /// Takes it back into a new book. The trading state comes first: nothing is armed by a restart (P17).
    pub fn restore(self, book: &mut FollowerBook, now: Timestamp) -> Vec<Effect> {
        if let Some(trading) = self.trading {
            book.restore_trading(trading);
        }
        book.restore_carried(self.carried, self.carried_instruments);
        book.restore_resting(self.resting);
        book.restore_openings(self.openings);
        book.restore_instruments(self.instruments);
        let external = self.external.into_iter();
        book.restore_external(external.map(|known| (known.order.report, known.first_seen_at)));
        book.restore_drifts(self.drifts);
        book.restore_conversions(self.conversions);
        let mut effects = book.restore_unproven(self.unproven);
        effects.extend(book.restore(restored(self.mirrors), now));
        effects
    }
}

/// The wrong belief of `tandem_domain::flaw`, and nothing else.
#[cfg(feature = "simulation")]
fn believing_in_yesterday(
    reader: &Reader,
    today: TradingDay,
    follower: &FollowerId,
    (mut mirrors, unproven): (Vec<MirrorRows>, Vec<Unproven>),
) -> Result<(Vec<MirrorRows>, Vec<Unproven>), ReaderError> {
    use tandem_domain::flaw::{Flaw, has};

    let yesterday = today.date().pred_opt().map(TradingDay::from);
    let Some(yesterday) = yesterday.filter(|_| has(Flaw::YesterdaySentAgain)) else {
        return Ok((mirrors, unproven));
    };
    let is_unproven = |mirror: &MirrorRows| {
        let ids = unproven.iter().map(|of| &of.client_order_id);
        mirror.intents.iter().any(|intent| ids.clone().any(|id| *id == intent.client_order_id))
    };
    mirrors.extend(reader.mirrors(yesterday, follower)?.into_iter().filter(is_unproven));
    Ok((mirrors, Vec::new()))
}

/// Ids are reused: one that has another name today says nothing of what an earlier day left.
fn is_same_today(held: &Carried, instruments: &Instruments) -> bool {
    let today = instruments.get(held.instrument).map(|instrument| instrument.symbol);
    match (held.symbol.as_deref(), today.as_deref()) {
        (Some(then), Some(now)) if then != now => {
            warn!(instrument = %held.instrument, then, now, units = held.units,
                "what an earlier day left has an id that means another instrument today: not counted as copied");
            false
        }
        _ => true,
    }
}

/// The mirrors of a day's rows.
pub(crate) fn restored(rows: Vec<MirrorRows>) -> Vec<Mirror> {
    rows.into_iter().map(restore).collect()
}

fn restore(rows: MirrorRows) -> Mirror {
    let mut mirror = Mirror::new(Arc::clone(&rows.leader));
    mirror.fills = rows.fills;
    let (placings, changes): (Vec<IntentRow>, Vec<IntentRow>) =
        rows.intents.into_iter().partition(|intent| intent.kind == IntentKind::Place);
    let notes: Vec<(ClientOrderId, Option<ChildNote>)> =
        placings.iter().map(|placing| (placing.client_order_id.clone(), placing.note)).collect();
    mirror.children = placings.into_iter().map(|intent| restore_child(intent, &rows.orders)).collect();
    for change in changes {
        let mut children = mirror.children.iter_mut();
        if let Some(child) = children.find(|child| child.client_order_id == change.client_order_id) {
            restore_change(child, change);
        }
    }
    for child in &mut mirror.children {
        let order =
            rows.orders.iter().find(|order| order.client_order_id.as_ref() == Some(&child.client_order_id));
        let Some(shown) = order.map(|order| &order.report.terms) else { continue };
        if !child.is_live() {
            child.end_as(shown);
        }
        if child.is_fired_as(shown) {
            child.fire();
        }
    }
    let mapping = rows.mapping;
    for at in 0..mirror.children.len() {
        let key = &mirror.children[at].key;
        let is_replaced = mirror.children.iter().any(|other| {
            (other.key.leg, other.key.slice) == (key.leg, key.slice) && other.key.attempt > key.attempt
        });
        // What was withdrawn because less was wanted has no reason beside it; what was given up has one.
        let is_withdrawn = mirror.children[at].state == ChildState::Voided && mapping.reason.is_none();
        let child = &mut mirror.children[at];
        let note = notes.iter().find(|(id, _)| *id == child.client_order_id).and_then(|(_, note)| *note);
        // Rows of an earlier version do not tell.
        child.is_retired = note.map_or(is_replaced || is_withdrawn, |note| note.is_retired);
        child.has_fired |= note.is_some_and(|note| note.has_fired);
        child.noted = child.note();
    }
    mirror.outcome = mapping.outcome;
    mirror.reason = mapping.reason;
    mirror.sizing = mapping.sizing;
    mirror.is_size_recorded = mapping.sizing.is_some();
    mirror.note = mapping.note.as_deref().and_then(|note| note.parse().ok());
    // A repair stands on the other side.
    let copies = mirror.children.iter().filter(|child| child.key.leg == COPY);
    mirror.purpose = copies.map(|child| child.purpose).min();
    mirror.gap = rows.gaps.iter().max_by_key(|gap| gap.at).map(|gap| gap.gap);
    mirror.recorded_gap = mirror.gap;
    mirror.recorded = Some(MappingState {
        outcome: mapping.outcome,
        reason: mapping.reason,
        note: mirror.note,
        target: mapping.target,
        closing: mapping.closing,
        copied: mapping.copied,
        filled: mapping.filled,
        permit: mapping.permit,
    });
    // What was sized stands until the Sizer speaks again.
    if let Some(child) = mirror.children.last() {
        mirror.target = Target::Open(OrderTerms { quantity: mapping.target, ..child.terms.clone() });
    } else if let Some(reason) = mirror.reason {
        mirror.target = Target::Gone(reason);
    }
    mirror
}

fn restore_child(intent: IntentRow, orders: &[AccountOrder]) -> Child {
    let order = orders.iter().find(|order| order.client_order_id.as_ref() == Some(&intent.client_order_id));
    let report = order.map(|order| &order.report);
    let broker_order_id =
        intent.broker_order_id.clone().or_else(|| report.map(|report| report.broker_order_id.clone()));
    let ts_sent = match intent.state {
        IntentState::Planned => None,
        IntentState::Voided => intent.timing.sent,
        _ => intent.timing.sent.or(intent.timing.committed).or(Some(intent.created_at)),
    };
    let mut child = Child::planned(intent.child, intent.terms, intent.purpose);
    child.client_order_id = intent.client_order_id;
    child.state = child_state(intent.state, broker_order_id.as_ref(), report.map(|report| &report.status));
    child.ts_sent = ts_sent;
    child.recorded = Some(intent.state);
    child.noted_quantity = child.terms.quantity;
    child.reason =
        report.and_then(|report| report.reason.clone()).or(intent.refusal.map(|refusal| refusal.text));
    if let Some(report) = report {
        child.status = Some(report.status.clone());
        child.shown = Some(report.terms.quantity);
        child.cumulative = report.cumulative;
        child.average_price = report.average_price;
        child.ts_filled = (!report.cumulative.is_zero()).then_some(report.ts_event);
    }
    let is_leg = |order: &&AccountOrder| {
        order.client_order_id.is_none()
            && order.report.parent.is_some()
            && order.report.parent == broker_order_id
    };
    child.legs = orders.iter().filter(is_leg).map(restore_leg).collect();
    // A super order whose entry is through lives on in its legs.
    if child.state == ChildState::Filled
        && child.legs_live_on()
        && let Some(broker_order_id) = &broker_order_id
    {
        child.state = ChildState::Working { broker_order_id: broker_order_id.clone() };
    }
    child.broker_order_id = broker_order_id;
    child
}

fn restore_leg(order: &AccountOrder) -> ChildLeg {
    // What a fired forever order left is no exit of it: its fills are in the forever order's own row.
    let is_exit = matches!(order.report.leg, Leg::StopLoss | Leg::Target);
    ChildLeg {
        broker_order_id: order.report.broker_order_id.clone(),
        leg: order.report.leg,
        cumulative: if is_exit { order.report.cumulative } else { Quantity::ZERO },
        has_fired: order.report.status == BrokerStatus::Triggered || !order.report.cumulative.is_zero(),
        is_over: order.report.status.is_terminal(),
    }
}

/// Takes in a change or cancel of a child, in the order in which they were asked.
fn restore_change(child: &mut Child, intent: IntentRow) {
    child.serial = child.serial.max(intent.serial);
    let ts_sent = intent.timing.sent.or(Some(intent.created_at));
    let is_sent = !matches!(intent.state, IntentState::NotSent | IntentState::Voided | IntentState::Planned);
    if is_sent {
        child.sent_before.extend(child.ts_changed);
        child.ts_changed = ts_sent;
    }
    let part = intent.part.unwrap_or(OrderPart::Whole);
    let change = match intent.kind {
        IntentKind::Cancel => Change::Cancel { part },
        IntentKind::Modify | IntentKind::Place => Change::Modify { terms: intent.terms, part },
    };
    match &change {
        Change::Modify { .. } => child.changes = child.changes.saturating_add(u16::from(is_sent)),
        Change::Cancel { .. } => {
            let may_act = is_sent && intent.state != IntentState::Refused && change.is_full_cancel();
            child.cancel_may_act |= may_act;
            child.cancel_asked |= may_act;
        }
    }
    // What was taken is held against the next book: its effect may not have been seen yet.
    let state = match intent.state {
        IntentState::Sending | IntentState::Unknown => Some(ChangeState::Sending),
        IntentState::Acked if matches!(child.state, ChildState::Working { .. }) => Some(ChangeState::Acked),
        _ => None,
    };
    child.request = state.map(|state| {
        let (change, serial) = (change.clone(), intent.serial);
        Box::new(ChangeRequest { change, state, serial, ts_sent, is_seen: false, is_chase: false })
    });
    match (intent.state, change) {
        (IntentState::Acked, Change::Modify { terms, .. }) => {
            let before = std::mem::replace(&mut child.terms, terms);
            child.asked_before.push(before);
        }
        // Should it have come about, now or late, it is no human's hand.
        (IntentState::Sending | IntentState::Unknown | IntentState::Absent, Change::Modify { terms, .. }) => {
            child.asked_before.push(terms);
        }
        (IntentState::Acked, Change::Cancel { part }) => child.forget_leg(part),
        _ => {}
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

#[cfg(test)]
pub(crate) mod histories;

#[cfg(test)]
mod tests {
    use tandem_domain::instrument::{
        ExchangeSegment, InstrumentKind, InstrumentRow, InstrumentTable, SecurityId,
    };
    use tandem_domain::price::Price;
    use tandem_domain::quantity::LotSize;

    use super::*;

    #[test]
    fn an_id_that_means_another_instrument_today_is_not_carried() {
        let key = InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(1) };
        let instruments = Instruments::default();
        let mut table = InstrumentTable::builder();
        table.push(InstrumentRow {
            key,
            kind: InstrumentKind::IndexFuture,
            symbol: "NEW",
            underlying: "",
            lot_size: LotSize::ONE,
            tick: Price::ZERO,
            expiry: None,
            option: None,
            freeze_quantity: None,
            band: None,
        });
        instruments.replace(table.build());
        let is_carried = |security_id, symbol: Option<&str>| {
            let held = Carried {
                instrument: InstrumentKey { security_id: SecurityId(security_id), ..key },
                product: None,
                units: 65,
                symbol: symbol.map(str::to_owned),
                expiry: None,
                trading_day: TradingDay::from_ymd(2026, 11, 23).unwrap(),
            };
            is_same_today(&held, &instruments)
        };
        assert!(!is_carried(1, Some("OLD")));
        assert!(is_carried(1, Some("NEW")));
        assert!(is_carried(1, None), "who does not know its name cannot say that it is another one");
        assert!(is_carried(2, Some("OLD")), "nor of one that today's file does not have");
    }
}
