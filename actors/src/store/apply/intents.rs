//! Intents: inserted once, changed only along [`codes::predecessors`].

use rusqlite::{Connection, params};
use tandem_domain::ids::BrokerOrderId;
use tandem_domain::mirror::OrderPart;
use tandem_domain::order::OrderTerms;
use tandem_domain::time::Timestamp;

use super::{ApplyError, form_text};
use crate::store::codes::{self, IntentKind, purpose_word};
use crate::store::error::StoreError;
use crate::store::rows::{ChildNoteRow, IntentChange, IntentRow, IntentTiming, SettledRow};
use tandem_domain::mirror::IntentState;

const INSERT: &str = "
INSERT INTO intents (client_order_id, kind, serial, trading_day, leader_account, leader_order_id, follower_id, leg, slice,
    attempt, account, event_fingerprint, purpose, state, segment, security_id, side, product, order_type, time_in_force,
    quantity, disclosed, price, trigger_price, after_market, broker_order_id, refusal_http, refusal_code, refusal_text,
    ts_leader_event, ts_received, ts_decided, ts_committed, ts_sent, ts_answered, added_latency_us, created_at,
    updated_at, part, form, is_retired, has_fired)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24,
    ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?37, ?38, ?39, ?40, ?41)";

// ?5 holds the states it may come from, as `,PLANNED,SENDING,`. A second acknowledgement must name the same order.
const CHANGE: &str = "
UPDATE intents SET state = ?4, broker_order_id = COALESCE(?6, broker_order_id),
    refusal_http = COALESCE(?7, refusal_http), refusal_code = COALESCE(?8, refusal_code),
    refusal_text = COALESCE(?9, refusal_text), request = COALESCE(?10, request), response = COALESCE(?11, response),
    ts_leader_event = COALESCE(?12, ts_leader_event), ts_received = COALESCE(?13, ts_received),
    ts_decided = COALESCE(?14, ts_decided), ts_committed = COALESCE(?15, ts_committed),
    ts_sent = COALESCE(?16, ts_sent), ts_answered = COALESCE(?17, ts_answered),
    added_latency_us = COALESCE(?18, added_latency_us), updated_at = ?19, purpose = COALESCE(?20, purpose)
WHERE client_order_id = ?1 AND kind = ?2 AND serial = ?3 AND instr(?5, ',' || state || ',') > 0
    AND (state <> 'ACKED' OR broker_order_id IS ?6)";

const REPLACE_TERMS: &str = "
UPDATE intents SET order_type = ?4, time_in_force = ?5, quantity = ?6, disclosed = ?7, price = ?8, trigger_price = ?9,
    form = ?10, part = COALESCE(?11, part)
WHERE client_order_id = ?1 AND kind = ?2 AND serial = ?3 AND state IN ('PLANNED', 'NOT_SENT')";

const NOTE: &str = "
UPDATE intents SET purpose = ?2, is_retired = ?3, has_fired = ?4, updated_at = ?5 WHERE client_order_id = ?1 AND serial = 0";

pub(super) fn insert(connection: &Connection, intent: &IntentRow) -> Result<(), ApplyError> {
    let (child, terms, timing) = (&intent.child, &intent.terms, &intent.timing);
    let refusal = intent.refusal.as_ref();
    connection.prepare_cached(INSERT)?.execute(params![
        intent.client_order_id.as_str(),
        intent.kind.as_str(),
        intent.serial,
        child.trading_day.to_string(),
        intent.leader_account.as_str(),
        child.leader_order.as_str(),
        child.follower.as_str(),
        child.leg,
        child.slice,
        child.attempt,
        intent.account.as_str(),
        intent.event,
        purpose_word(intent.purpose),
        intent.state.as_str(),
        terms.instrument.segment.as_str(),
        terms.instrument.security_id.0,
        terms.side.as_str(),
        terms.product.as_str(),
        terms.order_type.as_str(),
        terms.time_in_force.as_str(),
        terms.quantity.get(),
        terms.disclosed.get(),
        terms.price.units(),
        terms.trigger.units(),
        terms.after_market,
        intent.broker_order_id.as_ref().map(BrokerOrderId::as_str),
        refusal.and_then(|refusal| refusal.http),
        refusal.and_then(|refusal| refusal.code.as_deref()),
        refusal.map(|refusal| &*refusal.text),
        timing.leader_event.map(Timestamp::micros),
        timing.received.map(Timestamp::micros),
        timing.decided.map(Timestamp::micros),
        timing.committed.map(Timestamp::micros),
        timing.sent.map(Timestamp::micros),
        timing.answered.map(Timestamp::micros),
        timing.added_latency_us,
        intent.created_at.micros(),
        intent.part.map(OrderPart::as_str),
        form_text(terms)?,
        intent.note.map(|note| note.is_retired),
        intent.note.map(|note| note.has_fired),
    ])?;
    Ok(())
}

pub(super) fn note(connection: &Connection, note: &ChildNoteRow) -> Result<(), ApplyError> {
    let changed = connection.prepare_cached(NOTE)?.execute(params![
        note.client_order_id.as_str(),
        purpose_word(note.note.purpose),
        note.note.is_retired,
        note.note.has_fired,
        note.updated_at.micros(),
    ])?;
    if changed == 1 {
        return Ok(());
    }
    Err(ApplyError::Refused(StoreError::illegal_intent(&note.client_order_id, "place", "noted")))
}

/// The row passes through unknown, whatever it was (P3).
pub(super) fn settle(connection: &Connection, row: &SettledRow) -> Result<(), ApplyError> {
    for state in [IntentState::Unknown, IntentState::Absent] {
        let change = IntentChange {
            client_order_id: row.client_order_id.clone(),
            kind: row.kind,
            serial: row.serial,
            part: None,
            state,
            terms: None,
            purpose: None,
            broker_order_id: None,
            refusal: None,
            request: None,
            response: None,
            timing: IntentTiming::default(),
            updated_at: row.at,
        };
        self::change(connection, &change)?;
    }
    Ok(())
}

pub(super) fn change(connection: &Connection, change: &IntentChange) -> Result<(), ApplyError> {
    if let Some(terms) = &change.terms {
        replace_terms(connection, change, terms)?;
    }
    let (timing, refusal) = (&change.timing, change.refusal.as_ref());
    let changed = connection.prepare_cached(CHANGE)?.execute(params![
        change.client_order_id.as_str(),
        change.kind.as_str(),
        change.serial,
        change.state.as_str(),
        predecessors(change.state, change.kind),
        change.broker_order_id.as_ref().map(BrokerOrderId::as_str),
        refusal.and_then(|refusal| refusal.http),
        refusal.and_then(|refusal| refusal.code.as_deref()),
        refusal.map(|refusal| &*refusal.text),
        change.request,
        change.response,
        timing.leader_event.map(Timestamp::micros),
        timing.received.map(Timestamp::micros),
        timing.decided.map(Timestamp::micros),
        timing.committed.map(Timestamp::micros),
        timing.sent.map(Timestamp::micros),
        timing.answered.map(Timestamp::micros),
        timing.added_latency_us,
        change.updated_at.micros(),
        change.purpose.map(purpose_word),
    ])?;
    one_row(changed, change)
}

/// New terms of an intent that is still held. What may have left keeps the terms it left with.
fn replace_terms(
    connection: &Connection,
    change: &IntentChange,
    terms: &OrderTerms,
) -> Result<(), ApplyError> {
    let changed = connection.prepare_cached(REPLACE_TERMS)?.execute(params![
        change.client_order_id.as_str(),
        change.kind.as_str(),
        change.serial,
        terms.order_type.as_str(),
        terms.time_in_force.as_str(),
        terms.quantity.get(),
        terms.disclosed.get(),
        terms.price.units(),
        terms.trigger.units(),
        form_text(terms)?,
        change.part.map(OrderPart::as_str),
    ])?;
    one_row(changed, change)
}

fn one_row(changed: usize, change: &IntentChange) -> Result<(), ApplyError> {
    if changed == 1 {
        return Ok(());
    }
    let (kind, to) = (change.kind.as_str(), change.state.as_str());
    Err(ApplyError::Refused(StoreError::illegal_intent(&change.client_order_id, kind, to)))
}

fn predecessors(state: IntentState, kind: IntentKind) -> String {
    codes::predecessors(state, kind).iter().fold(String::from(","), |list, from| list + from.as_str() + ",")
}
