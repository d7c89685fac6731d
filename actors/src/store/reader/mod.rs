//! Typed queries over the readers' pool. Every call takes a connection and may wait for one, so: blocking threads only.
//!
//! A reader opened by itself ([`Reader::open`]) works on the database of a running daemon; it takes no lock and writes
//! nothing.

mod accounts;
mod columns;
mod delays;
mod leader_day;
mod ledger;
mod mirrors;
mod resting;
mod standing;
mod status;
mod story;
mod trading;
mod unproven;
mod waiting;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, Params, Row};

pub(super) use columns::follower;
pub use delays::{DelayRow, SlippageSum};
pub use leader_day::RecordedState;
pub use ledger::{Carried, units_held};
pub use mirrors::{ExternalOrder, MirrorRows};
pub(super) use status::CONFIGURED_FOLLOWERS;
pub use status::{DayCounts, OutcomeCount};
pub use story::{Found, MirrorStory, OrderEvent, Request, Story};
pub(super) use trading::{TRADING_COLUMNS, trading};
pub use waiting::Waiting;

use super::error::{OpenError, ReaderError};
use super::handle::Shared;
use super::open;

/// A pool of connections that only read. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reader {
    pool: r2d2::Pool<SqliteConnectionManager>,
    /// Who must know of damage; nobody where no store is open in this process.
    store: Option<Arc<Shared>>,
}

impl Reader {
    /// Opens readers on a database that exists, at this program's schema version. `busy_timeout` bounds the wait
    /// for a lock.
    pub fn open(path: &Path, readers: u32, busy_timeout: Duration) -> Result<Self, OpenError> {
        open::open_readers(path, readers, busy_timeout).map(|pool| Self { pool, store: None })
    }

    /// From now on, damage that a query comes upon ends the store.
    pub(super) fn watched_by(self, store: Arc<Shared>) -> Self {
        Self { store: Some(store), ..self }
    }

    #[cfg(test)]
    pub(super) fn connection_for_tests(&self) -> r2d2::PooledConnection<SqliteConnectionManager> {
        self.pool.get().unwrap()
    }

    #[cfg(feature = "simulation")]
    pub(super) const fn over(pool: r2d2::Pool<SqliteConnectionManager>) -> Self {
        Self { pool, store: None }
    }

    #[cfg(feature = "simulation")]
    pub(super) fn connection(&self) -> Result<r2d2::PooledConnection<SqliteConnectionManager>, r2d2::Error> {
        self.pool.get()
    }

    fn rows<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, ReaderError> {
        self.look(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_map(parameters, read)?.collect()
        })
    }

    /// Every query goes through here.
    fn look<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, ReaderError> {
        let connection = self.pool.get()?;
        let found = read(&connection);
        if let (Some(store), Err(error)) = (&self.store, &found) {
            store.heed(error);
        }
        Ok(found?)
    }
}
