//! A halt or resume without a daemon: this process takes the lock on the database, so that none can start meanwhile, and
//! writes the rows itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use tandem_actors::clock::Clock;
use tandem_actors::store::{ControlError, OpenError, Reader, control_stopped};
use tandem_domain::ids::FollowerId;
use tandem_domain::trading::{Control, Trading};

use crate::cli::telling::Stopped;
use crate::cli::{ExitStatus, say_error};
use crate::control::protocol::{Request, Standing};
use crate::control::rows::{self, OPERATOR};

/// How long another reader or writer is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Does what is asked to the rows of `database`.
pub(super) fn carry_out(database: &Path, request: &Request, control: Control) -> Stopped<Vec<Standing>> {
    if !database.is_file() {
        let text = format!("no daemon runs, and there is no database {}", database.display());
        return refuse(ExitStatus::NoDatabase, &text);
    }
    let known = match followers(database) {
        Ok(known) => known,
        Err(error) => return refuse(ExitStatus::NotRecorded, &format!("{error:#}")),
    };
    let meant: Vec<FollowerId> =
        known.into_keys().filter(|id| request.follower.as_ref().is_none_or(|meant| meant == id)).collect();
    if meant.is_empty() {
        let text = request.follower.as_ref().map_or_else(
            || "no follower ever ran on this database".to_owned(),
            |follower| format!("no follower {follower} ever ran on this database"),
        );
        return refuse(ExitStatus::UnknownName, &text);
    }
    match control_stopped(database, &meant, control, OPERATOR, Clock::system().now()) {
        Ok(states) => {
            let standings = meant.into_iter().zip(states);
            Stopped::Done(standings.map(|(follower, now)| Standing::recorded(follower, now)).collect())
        }
        Err(ControlError::Open(locked @ OpenError::Locked { .. })) => Stopped::Locked(locked),
        Err(error) => refuse(ExitStatus::NotRecorded, &format!("{:#}", anyhow::Error::new(error))),
    }
}

/// The followers that this database knows. One that an older tandem left is brought up to date first.
fn followers(database: &Path) -> anyhow::Result<BTreeMap<FollowerId, Trading>> {
    let open = || Reader::open(database, 1, BUSY_TIMEOUT);
    let reader = match open() {
        Err(OpenError::SchemaVersion { .. }) => {
            // Concerns nobody, and leaves a database of this version.
            control_stopped(database, &[], Control::Resume, OPERATOR, Clock::system().now())
                .context("bring the database up to date")?;
            open()
        }
        opened => opened,
    };
    let reader = reader.with_context(|| format!("open the database {}", database.display()))?;
    rows::followers(&reader).context("read the database")
}

fn refuse<T>(status: ExitStatus, why: &str) -> Stopped<T> {
    say_error(&format!("error: {why}: nothing was done"));
    Stopped::Refused(status)
}
