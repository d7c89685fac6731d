//! The rows committed by plain statements on the calling thread: what floor A does instead of asking the Store.
//!
//! The same tables, constraints, triggers and pragmas; only what the Store adds around them is absent (queue, thread,
//! generations, epoch, savepoints).

use std::path::Path;

use anyhow::bail;
use rusqlite::{Connection, params};
use tandem_actors::store::{AccountOrder, IntentChange, IntentRow, LeaderEvent, MappingRow, Write};
use tandem_domain::order::OrderTerms;
use tandem_domain::time::Timestamp;

const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
PRAGMA recursive_triggers = ON; PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 0;";

const EVENT: &str = "
INSERT INTO order_events (account, trading_day, broker_order_id, fingerprint, role, status, order_type, time_in_force,
    quantity, disclosed, price, trigger_price, cumulative, average_price, reason, ts_event, ts_init)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, 0, NULL, ?13, ?14)";

const ORDER: &str = "
INSERT INTO orders (account, trading_day, broker_order_id, role, client_order_id, tag, segment, security_id, side,
    product, order_type, time_in_force, quantity, disclosed, price, trigger_price, after_market, leg, status, terminal,
    cumulative, average_price, source, ts_event, ts_first_event, first_seen_at, updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, 'single', ?18, 0, 0, 0, ?19, ?20,
    ?20, ?21, ?21)";

const MAPPING: &str = "
INSERT INTO copy_mappings (trading_day, leader_account, leader_order_id, follower_id, outcome, strategy,
    ratio_numerator, ratio_denominator, inputs, target_quantity, copied_quantity, filled_quantity, created_at, updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13)
ON CONFLICT DO UPDATE SET updated_at = excluded.updated_at";

const INTENT: &str = "
INSERT INTO intents (client_order_id, kind, serial, trading_day, leader_account, leader_order_id, follower_id, leg, slice,
    attempt, account, event_fingerprint, purpose, state, segment, security_id, side, product, order_type, time_in_force,
    quantity, disclosed, price, trigger_price, after_market, ts_leader_event, ts_received, ts_decided, created_at,
    updated_at)
VALUES (?1, 'place', 0, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'entry', ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
    ?21, ?22, ?23, ?24, ?25, ?26, ?26)";

const ACKNOWLEDGE: &str = "
UPDATE intents SET state = ?2, broker_order_id = ?3, request = ?4, response = ?5, ts_committed = ?6, ts_sent = ?7,
    ts_answered = ?8, added_latency_us = ?9, updated_at = ?10
WHERE client_order_id = ?1 AND kind = 'place' AND serial = 0";

/// A database on the caller's thread.
pub(crate) struct Inline(Connection);

impl Inline {
    /// Opens a database that the Store made.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(PRAGMAS)?;
        connection.set_prepared_statement_cache_capacity(128);
        Ok(Self(connection))
    }

    /// Makes the writes durable in one transaction.
    pub(crate) fn commit(&self, writes: &[Write]) -> anyhow::Result<()> {
        self.0.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for write in writes {
            self.apply(write)?;
        }
        self.0.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// Copies the log into the database: between two rounds, never within one.
    pub(crate) fn checkpoint(&self) -> anyhow::Result<()> {
        self.0.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(())
    }

    fn apply(&self, write: &Write) -> anyhow::Result<()> {
        match write {
            Write::LeaderEvent(event) => self.leader_event(event),
            Write::AccountOrder(order) => self.account_order(order),
            Write::Mapping(mapping) => self.mapping(mapping),
            Write::Intent(intent) => self.intent(intent),
            Write::IntentChange(change) => self.acknowledge(change),
            other => bail!("a copied order writes no {}", other.name()),
        }
    }

    fn leader_event(&self, event: &LeaderEvent) -> anyhow::Result<()> {
        let order = &*event.order;
        let day = order.trading_day.to_string();
        let (account, id, status) =
            (order.account.as_str(), order.broker_order_id.as_str(), order.status.as_str());
        self.event(
            account,
            &day,
            id,
            order.fingerprint(),
            "leader",
            status,
            &order.terms,
            order.ts_event,
            event.ts_init,
        )?;
        self.order(
            account,
            &day,
            id,
            "leader",
            None,
            None,
            &order.terms,
            status,
            None,
            order.ts_event,
            event.ts_init,
        )
    }

    fn account_order(&self, order: &AccountOrder) -> anyhow::Result<()> {
        let report = &order.report;
        let day = order.trading_day.to_string();
        let (account, id, status) =
            (report.account.as_str(), report.broker_order_id.as_str(), report.status.as_str());
        let ours = order.client_order_id.as_ref().map(tandem_domain::ids::ClientOrderId::as_str);
        self.event(
            account,
            &day,
            id,
            report.ts_event.micros(),
            "follower",
            status,
            &report.terms,
            report.ts_event,
            order.ts_init,
        )?;
        self.order(
            account,
            &day,
            id,
            "follower",
            ours,
            ours,
            &report.terms,
            status,
            Some("book"),
            report.ts_event,
            order.ts_init,
        )
    }

    #[expect(clippy::too_many_arguments, reason = "one for each kind of column")]
    fn event(
        &self,
        account: &str,
        day: &str,
        id: &str,
        fingerprint: i64,
        role: &str,
        status: &str,
        terms: &OrderTerms,
        ts_event: Timestamp,
        ts_init: Timestamp,
    ) -> anyhow::Result<()> {
        self.0.prepare_cached(EVENT)?.execute(params![
            account,
            day,
            id,
            fingerprint,
            role,
            status,
            terms.order_type.as_str(),
            terms.time_in_force.as_str(),
            terms.quantity.get(),
            terms.disclosed.get(),
            terms.price.units(),
            terms.trigger.units(),
            ts_event.micros(),
            ts_init.micros(),
        ])?;
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "one for each kind of column")]
    fn order(
        &self,
        account: &str,
        day: &str,
        id: &str,
        role: &str,
        client_order_id: Option<&str>,
        tag: Option<&str>,
        terms: &OrderTerms,
        status: &str,
        source: Option<&str>,
        ts_event: Timestamp,
        ts_init: Timestamp,
    ) -> anyhow::Result<()> {
        self.0.prepare_cached(ORDER)?.execute(params![
            account,
            day,
            id,
            role,
            client_order_id,
            tag,
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
            status,
            source,
            ts_event.micros(),
            ts_init.micros(),
        ])?;
        Ok(())
    }

    fn mapping(&self, mapping: &MappingRow) -> anyhow::Result<()> {
        let (key, sizing) = (&mapping.key, mapping.sizing.as_ref());
        self.0.prepare_cached(MAPPING)?.execute(params![
            key.trading_day.to_string(),
            key.leader_account.as_str(),
            key.leader_order.as_str(),
            key.follower.as_str(),
            mapping.outcome.as_str(),
            sizing.map(|sizing| sizing.strategy.as_str()),
            sizing.map(|sizing| sizing.ratio.numerator),
            sizing.map(|sizing| sizing.ratio.denominator),
            sizing.map(serde_json::to_string).transpose()?,
            mapping.target.get(),
            mapping.copied.get(),
            mapping.filled.get(),
            mapping.updated_at.micros(),
        ])?;
        Ok(())
    }

    fn intent(&self, intent: &IntentRow) -> anyhow::Result<()> {
        let (child, terms, timing) = (&intent.child, &intent.terms, &intent.timing);
        self.0.prepare_cached(INTENT)?.execute(params![
            intent.client_order_id.as_str(),
            child.trading_day.to_string(),
            intent.leader_account.as_str(),
            child.leader_order.as_str(),
            child.follower.as_str(),
            child.leg,
            child.slice,
            child.attempt,
            intent.account.as_str(),
            intent.event,
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
            timing.leader_event.map(Timestamp::micros),
            timing.received.map(Timestamp::micros),
            timing.decided.map(Timestamp::micros),
            intent.created_at.micros(),
        ])?;
        Ok(())
    }

    fn acknowledge(&self, change: &IntentChange) -> anyhow::Result<()> {
        let timing = &change.timing;
        self.0.prepare_cached(ACKNOWLEDGE)?.execute(params![
            change.client_order_id.as_str(),
            change.state.as_str(),
            change.broker_order_id.as_ref().map(tandem_domain::ids::BrokerOrderId::as_str),
            change.request,
            change.response,
            timing.committed.map(Timestamp::micros),
            timing.sent.map(Timestamp::micros),
            timing.answered.map(Timestamp::micros),
            timing.added_latency_us,
            change.updated_at.micros(),
        ])?;
        Ok(())
    }
}
