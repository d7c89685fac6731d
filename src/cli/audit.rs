//! `tandem audit verify`: whether the audit log is as it was written. Takes no lock, writes nothing.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use tandem_actors::store::{AuditHead, Reader};

use super::place::Place;
use super::{ExitStatus, say_error};

/// How long another process's lock is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What is asked of the audit log.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Walk its chain of hashes and name the first row that was changed, is missing, or stands in another's place.
    Verify {
        /// A head that an earlier walk gave, noted down elsewhere: the log must still hold it.
        #[arg(long, value_name = "ROW:HASH", value_parser = |text: &str| text.parse::<AuditHead>())]
        head: Option<AuditHead>,
        #[command(flatten)]
        place: Place,
    },
}

pub(super) fn audit(command: Command) -> anyhow::Result<ExitStatus> {
    let Command::Verify { head, place } = command;
    let (database, _) = match place.with_backups() {
        Ok(found) => found,
        Err(status) => return Ok(status),
    };
    if !database.is_file() {
        say_error(&format!("error: there is no database {}", database.display()));
        return Ok(ExitStatus::NoDatabase);
    }
    let report = Reader::open(&database, 1, BUSY_TIMEOUT)
        .map_err(anyhow::Error::new)
        .and_then(|reader| Ok(reader.verify_audit(head.as_ref())?))
        .with_context(|| format!("read the audit log of {}", database.display()))?;
    match report.fault {
        None => {
            let mut out = std::io::stdout().lock();
            writeln!(out, "the audit log is whole, {} rows", report.sound)?;
            if report.sound > 0 {
                writeln!(out, "its head: {}", report.head)?;
            }
            Ok(ExitStatus::Ok)
        }
        Some(fault) => {
            let before = match report.head.id {
                0 => "no row before it can be relied on".to_owned(),
                last => format!("rows up to {last} are as they were written"),
            };
            say_error(&format!("error: the audit log is not as it was written: {fault}; {before}"));
            Ok(ExitStatus::AuditBroken)
        }
    }
}
