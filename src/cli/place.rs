//! Which database a command is about, and where its daemon listens.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use tandem_actors::store::Reader;

use super::{ExitStatus, say_error};
use crate::control::socket::beside;
use crate::settings::{BackupSettings, Sources, StoreOnly};

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

/// A daemon, running or not.
#[derive(Debug)]
pub(super) struct Located {
    pub(super) database: PathBuf,
    pub(super) socket: PathBuf,
}

impl Place {
    /// Where the database is, and where its daemon listens. Faults of the settings are said at once.
    pub(super) fn locate(self, socket: Option<PathBuf>) -> Result<Located, ExitStatus> {
        let (database, configured) = match self.database {
            Some(path) => (path, None),
            None => configured(self.config.as_deref()).map(|found| (found.store.path, found.socket))?,
        };
        let socket = socket.or(configured).unwrap_or_else(|| beside(&database));
        Ok(Located { database, socket })
    }

    /// Where the database is, and what the settings say of its backups. Faults of the settings are said at once.
    pub(super) fn with_backups(self) -> Result<(PathBuf, BackupSettings), ExitStatus> {
        match self.database {
            Some(path) => load(Sources::new()).map(|defaults| (path, defaults.backup)),
            None => configured(self.config.as_deref()).map(|found| (found.store.path, found.backup)),
        }
    }

    /// A reader of the database, whether its daemon runs or not. Faults of the settings are said at once.
    pub(super) fn open(self) -> anyhow::Result<Result<Reader, ExitStatus>> {
        let path = match self.database {
            Some(path) => path,
            None => match configured(self.config.as_deref()) {
                Ok(found) => found.store.path,
                Err(status) => return Ok(Err(status)),
            },
        };
        anyhow::ensure!(path.is_file(), "there is no database {}; nothing has run yet", path.display());
        let reader = Reader::open(&path, 1, Duration::from_secs(5))
            .with_context(|| format!("open the database {}", path.display()))?;
        Ok(Ok(reader))
    }
}

fn configured(config: Option<&Path>) -> Result<StoreOnly, ExitStatus> {
    let mut sources = Sources::new().process_environment();
    if let Some(path) = config {
        sources = sources.file(path);
    }
    load(sources)
}

fn load(sources: Sources) -> Result<StoreOnly, ExitStatus> {
    sources.load_store().map_err(|faults| {
        say_error(&faults.to_string());
        ExitStatus::BadSettings
    })
}
