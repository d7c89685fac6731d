//! From [`Write`] to statements. Each is prepared once and cached; none reads more than its own rows.

mod accounts;
mod gaps;
mod incidents;
mod instruments;
mod intents;
mod ledger;
mod mappings;
mod orders;
mod records;
mod standing;
mod trading;

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::Connection;
use tandem_domain::leader::LeaderOrder;
use tandem_domain::order::{OrderForm, OrderTerms};

use super::audit;
use super::error::StoreError;
use super::write::Write;
use crate::alerts::Said;

pub(super) use incidents::{close_doubts, settle as settle_incident};
pub(super) use trading::{change as change_trading, stands as trading_stands};

/// Why a write was not applied.
pub(super) enum ApplyError {
    /// By a guard of ours.
    Refused(StoreError),
    /// By the database: a constraint, or worse.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for ApplyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// What the transaction that is open has come to so far.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// Leader events stored in it. The jobs of a fan-out carry one and the same; once is enough.
    events: HashSet<*const LeaderOrder>,
    /// Incidents that it opens and closes: told in the log once it is durable.
    pub(super) said: Vec<Said>,
}

impl Stored {
    /// A job is in: what it carried need not be stored again. Not before, because a refused job takes its rows back.
    pub(super) fn keep(&mut self, writes: &[Write]) {
        self.events.extend(writes.iter().filter_map(|write| match write {
            Write::LeaderEvent(event) => Some(Arc::as_ptr(&event.order)),
            _ => None,
        }));
    }
}

/// Applies one write inside the transaction that is open.
pub(super) fn write(connection: &Connection, stored: &mut Stored, write: &Write) -> Result<(), ApplyError> {
    let said = &mut stored.said;
    match write {
        Write::LeaderEvent(event) if stored.events.contains(&Arc::as_ptr(&event.order)) => {}
        Write::LeaderEvent(event) => orders::leader_event(connection, event)?,
        Write::AccountOrder(order) => orders::account_order(connection, order)?,
        Write::Mapping(mapping) => mappings::upsert(connection, mapping)?,
        Write::FillComparison(comparison) => mappings::compare_fills(connection, comparison)?,
        Write::Gap(gap) => gaps::upsert(connection, gap)?,
        Write::Intent(intent) => intents::insert(connection, intent)?,
        Write::IntentChange(change) => intents::change(connection, change)?,
        Write::CarriedOver(row) => orders::carry_over(connection, row)?,
        Write::Settled(row) => intents::settle(connection, row)?,
        Write::ChildNote(note) => intents::note(connection, note)?,
        Write::Drift(row) => standing::drift(connection, row)?,
        Write::Converted(row) => standing::conversion(connection, row)?,
        Write::Opening(opening) => ledger::open(connection, opening)?,
        Write::Trading(row) => trading::change(connection, row, said)?,
        Write::Trade { report, trading_day, ts_init } => {
            orders::trade(connection, report, *trading_day, *ts_init)?;
        }
        Write::Positions(snapshot) => accounts::positions(connection, snapshot)?,
        Write::Funds(snapshot) => accounts::funds(connection, snapshot)?,
        Write::DayCapital(capital) => accounts::day_capital(connection, capital)?,
        Write::Instruments(part) => instruments::store(connection, part)?,
        Write::IncidentOpen(incident) => incidents::open(connection, incident, said)?,
        Write::IncidentClose { id, closed_at } => incidents::close(connection, id, *closed_at, said)?,
        Write::IncidentSettled(row) => incidents::settle(connection, row, said)?,
        Write::IncidentsOfBefore { closed_at } => incidents::close_of_before(connection, *closed_at, said)?,
        Write::Health(health) => records::health(connection, health)?,
        Write::Audit(entry) => audit::append(connection, entry)?,
        Write::Config(config) => records::config(connection, config)?,
    }
    Ok(())
}

/// An order's form as it is stored: nothing for an ordinary order, which costs the hot path nothing.
fn form_text(terms: &OrderTerms) -> rusqlite::Result<Option<String>> {
    if terms.form == OrderForm::Ordinary {
        return Ok(None);
    }
    let text = serde_json::to_string(&terms.form);
    text.map(Some).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
