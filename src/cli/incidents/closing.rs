//! `tandem incidents close`: the operator has dealt with them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tandem_actors::clock::Clock;
use tandem_actors::store::{IncidentSettled, OpenError, SettleError, settle_stopped};

use crate::cli::place::Place;
use crate::cli::telling::{Stopped, Told, tell};
use crate::cli::{ExitStatus, say_error};
use crate::control::protocol::{Answer, Command, IncidentNow, Request, VERSION};
use crate::control::rows::OPERATOR;

/// A request has a bound; several commands close more.
const IDS_MAX: usize = 20;
/// The same.
const NOTE_CHARS_MAX: usize = 500;

/// Which, and why.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Their names, as `tandem incidents` lists them.
    #[arg(required = true, num_args = 1..=IDS_MAX, value_name = "ID")]
    ids: Vec<String>,
    /// What you found or did, for the audit log.
    #[arg(long, value_name = "TEXT", default_value = "", value_parser = note)]
    note: String,
    /// The daemon's control socket, where it is not the one beside its database.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

fn note(text: &str) -> Result<String, String> {
    if text.chars().count() > NOTE_CHARS_MAX {
        return Err(format!("a note has {NOTE_CHARS_MAX} characters at most"));
    }
    Ok(text.to_owned())
}

pub(super) fn close(Options { ids, note, socket, place }: Options) -> anyhow::Result<ExitStatus> {
    let located = match place.locate(socket) {
        Ok(located) => located,
        Err(status) => return Ok(status),
    };
    let (ids, note): (Vec<Arc<str>>, Arc<str>) = (ids.into_iter().map(Into::into).collect(), note.into());
    let command = Command::CloseIncidents { ids: ids.clone(), note: Arc::clone(&note) };
    let request = Request { version: VERSION, command, follower: None };
    let instead = || in_rows(&located.database, &ids, &note);
    let told = actix_rt::System::new().block_on(tell(&located, &request, instead));
    let incidents = match told {
        Ok(Told::Nobody(incidents) | Told::Daemon(Answer::Incidents(incidents))) => incidents,
        Ok(Told::Daemon(Answer::Refused { text, .. })) => {
            say_error(&format!("error: {text}"));
            return Ok(ExitStatus::NotRecorded);
        }
        // Of followers it was not asked.
        Ok(Told::Daemon(Answer::Followers(_))) => return Ok(ExitStatus::NotRecorded),
        Err(status) => return Ok(status),
    };
    say(&incidents)
}

/// Closes them while no daemon runs.
fn in_rows(database: &Path, ids: &[Arc<str>], note: &Arc<str>) -> Stopped<Vec<IncidentNow>> {
    if !database.is_file() {
        say_error(&format!(
            "error: no daemon runs, and there is no database {}: nothing was done",
            database.display()
        ));
        return Stopped::Refused(ExitStatus::NoDatabase);
    }
    let at = Clock::system().now();
    let row = |id: &Arc<str>| IncidentSettled {
        id: Arc::clone(id),
        note: Arc::clone(note),
        actor: OPERATOR.into(),
        at,
    };
    let rows: Vec<IncidentSettled> = ids.iter().map(row).collect();
    match settle_stopped(database, &rows) {
        Ok(settled) => {
            let each = ids.iter().zip(settled);
            Stopped::Done(each.map(|(id, settled)| IncidentNow::of(Arc::clone(id), settled)).collect())
        }
        Err(SettleError::Open(locked @ OpenError::Locked { .. })) => Stopped::Locked(locked),
        Err(error) => {
            say_error(&format!("error: {:#}: not all were closed", anyhow::Error::new(error)));
            Stopped::Refused(ExitStatus::NotRecorded)
        }
    }
}

/// Zero only if all of them are closed.
fn say(incidents: &[IncidentNow]) -> anyhow::Result<ExitStatus> {
    let mut status = ExitStatus::Ok;
    let mut out = std::io::stdout().lock();
    for IncidentNow { id, problem, is_known } in incidents {
        match problem {
            None => writeln!(out, "{id}: closed")?,
            Some(problem) => {
                say_error(&format!("error: {problem}; it was not closed"));
                status = if *is_known { ExitStatus::NotRecorded } else { ExitStatus::UnknownName };
            }
        }
    }
    Ok(status)
}
