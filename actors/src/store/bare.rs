//! The tables without the writer's thread, a lock and a disk: the same statements and the same queries over a database in
//! memory, for a simulation that lives by a clock of its own and dies between any two effects.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use r2d2_sqlite::SqliteConnectionManager;
use tandem_domain::flaw::{Flaw, has};

use super::batch::{Batch, Broken};
use super::epoch;
use super::error::{OpenError, StoreError};
use super::open::{STATEMENTS_CACHED, migrations};
use super::reader::Reader;
use super::write::Job;

/// A database in memory, with one connection: what is committed is there until [`Bare::clear`].
#[derive(Debug)]
pub struct Bare {
    reader: Reader,
    /// The database as it is when new.
    template: Vec<u8>,
    /// The process that began to write last.
    newest: Cell<i64>,
    broken: Broken,
}

impl Bare {
    /// A new one, with this program's schema.
    pub fn new() -> Result<Self, OpenError> {
        let manager = SqliteConnectionManager::memory();
        let pool = r2d2::Pool::builder()
            .max_size(1)
            .min_idle(Some(1))
            .connection_timeout(Duration::from_secs(1))
            .idle_timeout(None)
            .max_lifetime(None)
            .build(manager)?;
        let template = {
            let mut connection = pool.get()?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
            connection.pragma_update(None, "foreign_keys", "ON")?;
            connection.pragma_update(None, "recursive_triggers", "ON")?;
            migrations().to_latest(&mut connection)?;
            connection.serialize("main")?.to_vec()
        };
        Ok(Self { reader: Reader::over(pool), template, newest: Cell::new(0), broken: Broken::default() })
    }

    /// Forgets everything.
    pub fn clear(&self) -> Result<(), OpenError> {
        let mut connection = self.reader.connection()?;
        connection.flush_prepared_statement_cache();
        connection.deserialize_read_exact("main", self.template.as_slice(), self.template.len(), false)?;
        Ok(())
    }

    /// Queries. They see what is committed.
    pub const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// A process begins to write; the number that says which.
    pub fn take_over(&self) -> Result<i64, OpenError> {
        self.broken.clear();
        self.newest.set(epoch::take(&*self.reader.connection()?)?);
        Ok(self.newest.get())
    }

    /// Commits jobs as the writer does, if the process of that number is still the one that writes (P21). `generations`: the
    /// newest life of each actor.
    pub fn commit(
        &self,
        epoch: i64,
        generations: &HashMap<Arc<str>, u32>,
        jobs: &[Job],
    ) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        let fatal = |error: String| StoreError::Fatal(error.into());
        let connection = self.reader.connection().map_err(|error| fatal(error.to_string()))?;
        let epoch = if has(Flaw::SecondInstanceWrites) { self.newest.get() } else { epoch };
        let batch = Batch { connection: &connection, epoch, generations, broken: &self.broken };
        batch.commit(jobs).map(|applied| applied.results).map_err(|error| fatal(error.to_string()))
    }
}
