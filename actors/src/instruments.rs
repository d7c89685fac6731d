//! The instruments of the day: shared, replaced as a whole, loaded from a file or URL off the hot path.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tandem_dhan::fetch::{FetchError, FetchSettings, fetch_file};
use tandem_dhan::instruments::{InstrumentsError, load_complete};
use tandem_domain::instrument::{Instrument, InstrumentKey, InstrumentTable};
use thiserror::Error;

/// The table everybody looks at. Cheap to clone; reading never waits.
#[derive(Debug, Clone, Default)]
pub struct Instruments {
    table: Arc<ArcSwap<InstrumentTable>>,
}

impl Instruments {
    /// The instrument with this key, if the day has it.
    pub fn get(&self, key: InstrumentKey) -> Option<Instrument> {
        self.table.load().get(key)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.table.load().len()
    }

    /// Whether nothing is loaded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The table as it is now.
    pub fn snapshot(&self) -> Arc<InstrumentTable> {
        self.table.load_full()
    }

    /// Takes a new table for all.
    pub fn replace(&self, table: InstrumentTable) {
        self.table.store(Arc::new(table));
    }
}

/// Where the master file comes from.
#[derive(Debug, Clone)]
pub struct InstrumentSource {
    /// File or URL.
    pub from: InstrumentFile,
    /// The least number of rows a whole file has; fewer mean a cut one.
    pub rows_min: usize,
    /// How a URL is fetched.
    pub fetch: FetchSettings,
    /// The folder a fetched file is kept in until it is read.
    pub spool: PathBuf,
}

/// File or URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstrumentFile {
    /// A file on disk.
    Path(PathBuf),
    /// An address.
    Url(String),
}

/// Why there are no instruments.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The file could not be opened.
    #[error("open {path}: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a whole master file.
    #[error(transparent)]
    Content(#[from] InstrumentsError),
    /// The thread that read it ended.
    #[error("the instrument loader ended without a word")]
    Lost,
}

impl InstrumentSource {
    /// The source in words, for records and logs.
    pub fn name(&self) -> String {
        match &self.from {
            InstrumentFile::Path(path) => path.display().to_string(),
            InstrumentFile::Url(url) => url.clone(),
        }
    }

    /// Reads the whole file; parsing runs on a thread of its own.
    pub async fn load(self) -> Result<InstrumentTable, LoadError> {
        let started = Instant::now();
        let (path, fetched) = match &self.from {
            InstrumentFile::Path(path) => (path.clone(), false),
            InstrumentFile::Url(url) => {
                let path = self.spool.join("instruments.csv");
                fetch_file(url, &self.fetch, &path).await?;
                (path, true)
            }
        };
        let rows_min = self.rows_min;
        let loading = actix_rt::task::spawn_blocking(move || {
            let file = std::fs::File::open(&path)
                .map_err(|source| LoadError::Open { path: path.clone(), source })?;
            let loaded = load_complete(std::io::BufReader::new(file), rows_min)?;
            if fetched {
                // A file left behind is only untidy; the next fetch replaces it.
                std::fs::remove_file(&path).ok();
            }
            Ok::<_, LoadError>(loaded)
        });
        let loaded = loading.await.map_err(|_| LoadError::Lost)??;
        tracing::info!(
            rows = loaded.rows,
            passed_over = loaded.passed_over,
            malformed = loaded.malformed,
            took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            source = %self.name(),
            "instrument master read"
        );
        Ok(loaded.table)
    }
}
