//! Which database a command reads, and how accounts are shown to people.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use tandem_actors::store::Reader;

use super::{ExitStatus, say_error};
use crate::settings::Sources;

/// Where the database is named.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub(super) struct Place {
    /// Settings file that names the database; the built-in default otherwise.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database itself.
    #[arg(long, value_name = "PATH")]
    database: Option<PathBuf>,
}

impl Place {
    /// A reader of the database, whether its daemon runs or not. Faults of the settings are said at once.
    pub(super) fn open(self) -> anyhow::Result<Result<Reader, ExitStatus>> {
        let path = match self.database {
            Some(path) => path,
            None => match configured_path(self.config.as_deref()) {
                Ok(path) => path,
                Err(status) => return Ok(Err(status)),
            },
        };
        anyhow::ensure!(path.is_file(), "there is no database {}; nothing has run yet", path.display());
        let reader = Reader::open(&path, 1, Duration::from_secs(5))
            .with_context(|| format!("open the database {}", path.display()))?;
        Ok(Ok(reader))
    }
}

fn configured_path(config: Option<&Path>) -> Result<PathBuf, ExitStatus> {
    let mut sources = Sources::new().process_environment();
    if let Some(path) = config {
        sources = sources.file(path);
    }
    sources.load_store().map(|found| found.store.path).map_err(|faults| {
        say_error(&faults.to_string());
        ExitStatus::BadSettings
    })
}
