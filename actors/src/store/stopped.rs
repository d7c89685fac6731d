//! What an operator may write while no daemon runs: the trading states of followers (P17, P27), and the end of incidents.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};
use tandem_domain::ids::FollowerId;
use tandem_domain::time::Timestamp;
use tandem_domain::trading::{Control, Trading};
use thiserror::Error;

use super::apply::ApplyError;
use super::error::{OpenError, StoreError};
use super::lock::InstanceLock;
use super::rows::{IncidentSettled, TradingRow};
use super::{StoreSettings, apply, open};

/// Why a trading state was not recorded.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The database was not opened; with [`OpenError::Locked`] because a daemon runs, who is the one to ask.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It was not written. Nothing has changed.
    #[error("record the trading state")]
    Sqlite(#[from] rusqlite::Error),
}

/// Takes in what an operator asks of some followers, while no daemon runs on this database: takes its lock, stores each
/// follower's new state with its entry of the audit log, all or none, and closes it again. The daemon that starts next begins
/// with what is stored.
///
/// `actor` is who asks: `operator`. Returns the states as they are now, in the order of `followers`; durable, power loss
/// included. Blocks: opening checks the whole database, which takes a second for some hundred megabytes.
pub fn control_stopped(
    path: &Path,
    followers: &[FollowerId],
    control: Control,
    actor: &str,
    at: Timestamp,
) -> Result<Vec<Trading>, ControlError> {
    let settings = StoreSettings::at(path);
    // Given back last, after the connection is closed.
    let _lock = InstanceLock::take(path)?;
    let (mut connection, _) = open::open_writer(&settings)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut states = Vec::with_capacity(followers.len());
    // The daemon that starts next says it in its log.
    let mut said = Vec::new();
    for follower in followers {
        let mut trading = apply::trading_stands(&transaction, follower)?.after(control, at);
        if control.stops_exits() {
            // Everything on record is meant, whatever this machine's clock says (P28).
            trading.stopped_at = trading.stopped_at.max(newest_seen(&transaction)?);
        }
        let row = TradingRow { follower: follower.clone(), trading, actor: actor.into(), at };
        apply::change_trading(&transaction, &row, &mut said)?;
        if control == Control::Resume {
            // He has looked at what an earlier day left in doubt.
            apply::close_doubts(&transaction, follower, at, &mut said)?;
        }
        states.push(trading);
    }
    transaction.commit()?;
    Ok(states)
}

/// Why an incident was not closed.
#[derive(Debug, Error)]
pub enum SettleError {
    /// The database was not opened; with [`OpenError::Locked`] because a daemon runs, who is the one to ask.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It was not written. Nothing has changed.
    #[error("record the end of the incidents")]
    Sqlite(#[from] rusqlite::Error),
}

/// Closes incidents while no daemon runs on this database, each with its entry of the audit log or not at all. Says for each
/// whether it is closed, in their order. Blocks as [`control_stopped`] does.
pub fn settle_stopped(
    path: &Path,
    incidents: &[IncidentSettled],
) -> Result<Vec<Result<(), StoreError>>, SettleError> {
    // Given back last, after the connection is closed.
    let _lock = InstanceLock::take(path)?;
    let (mut connection, _) = open::open_writer(&StoreSettings::at(path))?;
    let mut settled = Vec::with_capacity(incidents.len());
    for incident in incidents {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // The daemon that starts next says it in its log.
        settled.push(match apply::settle_incident(&transaction, incident, &mut Vec::new()) {
            Ok(()) => {
                transaction.commit()?;
                Ok(())
            }
            Err(ApplyError::Refused(refused)) => Err(refused),
            Err(ApplyError::Sqlite(error)) => return Err(error.into()),
        });
    }
    Ok(settled)
}

/// When the newest of the leader's orders was first seen.
fn newest_seen(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let sql = "SELECT MAX(first_seen_at) FROM orders WHERE trading_day = (
        SELECT MAX(trading_day) FROM orders WHERE role = 'leader') AND role = 'leader'";
    let newest: Option<i64> = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(newest.map(Timestamp::from_micros))
}
