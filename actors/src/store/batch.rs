//! One transaction over several jobs (group commit): generations and epoch are checked, every job applied, and all is
//! committed. If a job is refused the batch is undone and applied again with a savepoint for each, so that the refused one
//! fails alone, or with those that build on it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;

use super::apply::{self, ApplyError};
use super::epoch;
use super::error::StoreError;
use super::write::Job;
use crate::alerts::Said;
#[cfg(feature = "faults")]
use crate::faults;

/// Who commits, and what.
pub(super) struct Batch<'a> {
    pub(super) connection: &'a Connection,
    /// Which process this is.
    pub(super) epoch: i64,
    /// The newest life of each actor: what older ones ask for is refused.
    pub(super) generations: &'a HashMap<Arc<str>, u32>,
    pub(super) broken: &'a Broken,
}

/// The newest life of each actor that was refused what the rest of its row builds on.
#[derive(Debug, Default)]
pub(super) struct Broken(RefCell<HashMap<Arc<str>, u32>>);

impl Broken {
    fn note(&self, job: &Job) {
        if job.in_order {
            self.0.borrow_mut().insert(job.writer.actor.clone(), job.writer.generation);
        }
    }

    fn builds_on(&self, job: &Job) -> bool {
        job.in_order && self.0.borrow().get(&job.writer.actor) == Some(&job.writer.generation)
    }

    /// Another process writes.
    #[cfg(feature = "simulation")]
    pub(super) fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

/// What a transaction came to.
pub(super) struct Applied {
    /// For each job.
    pub(super) results: Vec<Result<(), StoreError>>,
    /// For the log, once it is durable.
    pub(super) said: Vec<Said>,
}

impl Batch<'_> {
    /// Commits the jobs, and says which of them were refused. An error is about all of them, and final.
    pub(super) fn commit(&self, jobs: &[Job]) -> Result<Applied, rusqlite::Error> {
        let applied = self.applied(jobs);
        let committed = applied.and_then(|applied| self.sync(jobs).map(|()| applied));
        committed.inspect_err(|_| {
            // A full disk may have rolled back already; the first error is the one to tell.
            run(self.connection, "ROLLBACK").ok();
        })
    }

    /// Begins a transaction, with all jobs in it that are not refused.
    fn applied(&self, jobs: &[Job]) -> Result<Applied, rusqlite::Error> {
        self.begin()?;
        if let Some(applied) = self.apply_all(jobs)? {
            return Ok(applied);
        }
        // A refused job is rare: only then is the batch worth a savepoint for each.
        run(self.connection, "ROLLBACK")?;
        self.begin()?;
        self.apply_each(jobs)
    }

    fn begin(&self) -> Result<(), rusqlite::Error> {
        run(self.connection, "BEGIN IMMEDIATE")?;
        epoch::check(self.connection, self.epoch)
    }

    /// From here on it is durable, or nobody knows: an error is final, and is not tried again.
    #[cfg_attr(
        not(feature = "faults"),
        expect(unused_variables, reason = "whose commit it is matters to tests")
    )]
    fn sync(&self, jobs: &[Job]) -> Result<(), rusqlite::Error> {
        #[cfg(feature = "faults")]
        faults::reach_commit(faults::Moment::Before, jobs)?;
        run(self.connection, "COMMIT")?;
        #[cfg(feature = "faults")]
        faults::reach_commit(faults::Moment::After, jobs)?;
        Ok(())
    }

    /// None if a job was refused: what is applied by then has a part of it.
    fn apply_all(&self, jobs: &[Job]) -> Result<Option<Applied>, rusqlite::Error> {
        let mut stored = apply::Stored::default();
        let mut results = Vec::with_capacity(jobs.len());
        for job in jobs {
            let result = self.may_land(job);
            if result.is_ok() && self.apply(job, &mut stored)?.is_err() {
                return Ok(None);
            }
            results.push(result);
        }
        Ok(Some(Applied { results, said: stored.said }))
    }

    /// Each job by itself, so that one that is refused leaves nothing.
    fn apply_each(&self, jobs: &[Job]) -> Result<Applied, rusqlite::Error> {
        let mut stored = apply::Stored::default();
        let mut results = Vec::with_capacity(jobs.len());
        for job in jobs {
            results.push(match self.may_land(job) {
                Ok(()) => self.apply_guarded(job, &mut stored)?,
                refused => refused,
            });
        }
        Ok(Applied { results, said: stored.said })
    }

    /// Refuses what an older life of an actor asks for, and what builds on what was refused.
    fn may_land(&self, job: &Job) -> Result<(), StoreError> {
        let (actor, generation) = (&job.writer.actor, job.writer.generation);
        if self.broken.builds_on(job) {
            return Err(StoreError::Behind { actor: actor.clone(), generation });
        }
        match self.generations.get(actor) {
            Some(&current) if generation < current => {
                Err(StoreError::Fenced { actor: actor.clone(), generation, current })
            }
            _ => Ok(()),
        }
    }

    /// All writes of a job, or none.
    fn apply_guarded(
        &self,
        job: &Job,
        stored: &mut apply::Stored,
    ) -> Result<Result<(), StoreError>, rusqlite::Error> {
        let connection = self.connection;
        run(connection, "SAVEPOINT job")?;
        let said_before = stored.said.len();
        let result = self.apply(job, stored)?;
        if result.is_err() {
            run(connection, "ROLLBACK TO job")?;
            self.broken.note(job);
            stored.said.truncate(said_before);
        }
        run(connection, "RELEASE job")?;
        Ok(result)
    }

    /// The writes of a job up to the first that is refused.
    fn apply(
        &self,
        job: &Job,
        stored: &mut apply::Stored,
    ) -> Result<Result<(), StoreError>, rusqlite::Error> {
        let connection = self.connection;
        for write in &job.writes {
            let refusal = match apply::write(connection, stored, write) {
                Ok(()) => continue,
                Err(ApplyError::Refused(refusal)) => refusal,
                Err(ApplyError::Sqlite(error)) if is_about_the_row(&error) => {
                    StoreError::Constraint { write: write.name(), text: error.to_string().into() }
                }
                Err(ApplyError::Sqlite(error)) => return Err(error),
            };
            return Ok(Err(refusal));
        }
        stored.keep(&job.writes);
        Ok(Ok(()))
    }
}

fn run(connection: &Connection, sql: &str) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

/// Whether the fault is in the row and not in the database: the job fails, the writer lives.
fn is_about_the_row(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::ToSqlConversionFailure(_) => true,
        other => other.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation),
    }
}
