//! How the database is opened.

use std::path::PathBuf;
use std::time::Duration;

/// Pages of 4 KiB in a MiB.
pub const PAGES_PER_MB: u32 = 256;

/// Settings of the store.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// The database file, on a local disk. Its folder is made when absent; the lock lies beside it as `<file>.lock`.
    pub path: PathBuf,
    /// Connections for reading.
    pub readers: u32,
    /// How long a lock of another process is waited for before the store gives up and halts.
    pub busy_timeout: Duration,
    /// Jobs that may wait; past it, submitting says [`super::SubmitError::Full`].
    pub queue_capacity: usize,
    /// Bound on the file, in pages of 4 KiB; `None` for the disk's own. Reaching it is a full disk.
    pub pages_max: Option<u32>,
}

impl StoreSettings {
    /// The settings that suit a daemon, for this file.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            readers: 4,
            busy_timeout: tandem_domain::error_policy::store_wait(),
            queue_capacity: 8_192,
            pages_max: None,
        }
    }
}
