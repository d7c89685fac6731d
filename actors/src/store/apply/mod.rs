//! From [`Write`] to statements. Each is prepared once and cached; none reads more than its own rows.

mod accounts;
mod instruments;
mod intents;
mod mappings;
mod orders;
mod records;

use rusqlite::Connection;

use super::error::StoreError;
use super::write::Write;

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

/// Applies one write inside the transaction that is open.
pub(super) fn write(connection: &Connection, write: &Write) -> Result<(), ApplyError> {
    match write {
        Write::LeaderEvent(event) => orders::leader_event(connection, event)?,
        Write::AccountOrder(order) => orders::account_order(connection, order)?,
        Write::Mapping(mapping) => mappings::upsert(connection, mapping)?,
        Write::FillComparison(comparison) => mappings::compare_fills(connection, comparison)?,
        Write::Intent(intent) => intents::insert(connection, intent)?,
        Write::IntentChange(change) => intents::change(connection, change)?,
        Write::Trade { report, trading_day, ts_init } => {
            orders::trade(connection, report, *trading_day, *ts_init)?;
        }
        Write::Positions(snapshot) => accounts::positions(connection, snapshot)?,
        Write::Funds(snapshot) => accounts::funds(connection, snapshot)?,
        Write::DayCapital(capital) => accounts::day_capital(connection, capital)?,
        Write::Instruments(part) => instruments::store(connection, part)?,
        Write::IncidentOpen(incident) => records::open_incident(connection, incident)?,
        Write::IncidentClose { id, closed_at } => records::close_incident(connection, id, *closed_at)?,
        Write::Health(health) => records::health(connection, health)?,
        Write::Audit(entry) => records::audit(connection, entry)?,
        Write::Config(config) => records::config(connection, config)?,
    }
    Ok(())
}
