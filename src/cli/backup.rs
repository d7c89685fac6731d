//! `tandem backup`: a checked copy of the database, beside a running daemon or without one.

use std::io::Write;
use std::path::PathBuf;

use tandem_actors::clock::Clock;
use tandem_actors::store::{BackupError, back_up};

use super::place::Place;
use super::{ExitStatus, say_error};

/// What is copied, and where to.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Folder of the copy, made when absent; nothing in it is ever removed. Without it, the folder of the settings, which
    /// keeps as many as they say.
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

pub(super) fn backup(options: Options) -> anyhow::Result<ExitStatus> {
    let Options { to, place } = options;
    let (database, settings) = match place.with_backups() {
        Ok(found) => found,
        Err(status) => return Ok(status),
    };
    let (folder, keep) = match to {
        Some(folder) => (folder, None),
        None => (settings.folder(&database), Some(settings.keep)),
    };
    let made = match back_up(&database, &folder, keep, Clock::system().now()) {
        Ok(made) => made,
        Err(error) => {
            let status = match &error {
                BackupError::NoDatabase(_) => ExitStatus::NoDatabase,
                error if error.is_damage() => ExitStatus::Damaged,
                _ => ExitStatus::Failed,
            };
            say_error(&format!("error: {:#}: there is no new backup", anyhow::Error::new(error)));
            return Ok(status);
        }
    };
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{} ({} bytes), checked: schema {}",
        made.path.display(),
        made.bytes,
        made.sound.schema_version
    )?;
    if let Some(head) = made.sound.audit_head {
        writeln!(out, "head of its audit log: {head}")?;
    }
    for old in made.removed {
        writeln!(out, "removed {}", old.display())?;
    }
    Ok(ExitStatus::Ok)
}
