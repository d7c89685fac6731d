//! `tandem restore`: puts a backup in the place of the database. What it replaces is kept.

use std::io::Write;
use std::path::PathBuf;

use tandem_actors::clock::Clock;
use tandem_actors::store::{RestoreError, Unsound, restore as put_back};
use tandem_domain::ids::FollowerId;

use super::place::Place;
use super::{ExitStatus, say_error};

/// What is put back, and where.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The backup.
    #[arg(value_name = "FILE")]
    backup: PathBuf,
    #[command(flatten)]
    place: Place,
}

pub(super) fn restore(options: Options) -> anyhow::Result<ExitStatus> {
    let Options { backup, place } = options;
    let (database, _) = match place.with_backups() {
        Ok(found) => found,
        Err(status) => return Ok(status),
    };
    let restored = match put_back(&database, &backup, Clock::system().now()) {
        Ok(restored) => restored,
        Err(error) => {
            let status = match &error {
                RestoreError::Running(_) => ExitStatus::AlreadyRunning,
                RestoreError::Unsound(Unsound::Damaged(_)) => ExitStatus::Damaged,
                RestoreError::Unsound(Unsound::Audit(_)) => ExitStatus::AuditBroken,
                _ => ExitStatus::Failed,
            };
            say_error(&format!("error: {:#}", anyhow::Error::new(error)));
            return Ok(status);
        }
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} is now what {} was", database.display(), backup.display())?;
    if let Some(replaced) = restored.replaced {
        writeln!(out, "what it replaced is kept in {}", replaced.display())?;
    }
    if !restored.halted.is_empty() {
        let names: Vec<&str> = restored.halted.iter().map(FollowerId::as_str).collect();
        writeln!(
            out,
            "halted: {}. The backup knows nothing of what was sent after it was made: start tandem, compare the \
             accounts with `tandem status`, then `tandem resume`",
            names.join(", ")
        )?;
    }
    Ok(ExitStatus::Ok)
}
