//! Backups: whole copies of the database, made beside a running daemon, checked before they count, and kept in number.
//!
//! A backup is written by `VACUUM INTO` under another name, checked ([`check`]), made durable, and only then given its own
//! name: a file that is called a backup is one. It has no log beside it and holds no secret, because the database holds
//! none.

mod sound;

use std::fs::{self, File};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::NaiveDateTime;
use rusqlite::{Connection, OpenFlags};
use tandem_domain::time::Timestamp;
use thiserror::Error;

pub use self::sound::{Sound, Unsound};
pub(super) use self::sound::{check, is_damage};
use super::error::OpenError;
use super::lock::{InstanceLock, owner_only};

/// How a backup is called after its database: the moment it was begun, by the clock in India. Names sort by age.
const NAME_TIME: &str = "-%Y%m%d-%H%M%S.db";
/// What is added to the name while it is not a backup yet.
const UNFINISHED: &str = ".part";
/// How long another process's lock is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// What the check of it showed.
    pub sound: Sound,
    /// Older ones that were removed.
    pub removed: Vec<PathBuf>,
}

/// Why there is no backup. What was there before is as it was.
#[derive(Debug, Error)]
pub enum BackupError {
    /// There is nothing to copy.
    #[error("there is no database {}", .0.display())]
    NoDatabase(PathBuf),
    /// Two at once would take each other's files for leftovers.
    #[error("another backup into this folder is under way ({holder}, {})", path.display())]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// `pid 4711`, or that it is not known.
        holder: String,
    },
    /// There is one of this second.
    #[error("there is a backup {} already", .0.display())]
    Exists(PathBuf),
    /// A file or its folder could not be made, written or renamed.
    #[error("{doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The copy is not whole. It was removed.
    #[error("the copy of the database is not sound")]
    Unsound(#[from] Unsound),
    /// The database could not be copied.
    #[error("copy the database")]
    Sqlite(#[from] rusqlite::Error),
}

impl BackupError {
    /// Whether the database itself is damaged, and not the copying of it at fault.
    pub fn is_damage(&self) -> bool {
        // A copy that is damaged may be the fault of the disk it is on.
        matches!(self, Self::Sqlite(error) if is_damage(error))
    }
}

/// The folder of a database's backups, where the settings name no other: beside it.
pub fn backups_beside(database: &Path) -> PathBuf {
    database.with_file_name("backups")
}

/// Copies a database, whether its daemon runs or not, into a folder that is made when absent. `keep` is how many backups of
/// this database the folder may hold then; without it none is removed. `at` gives the name.
///
/// Blocks for as long as reading, writing and checking the whole database takes: a second or two for a hundred megabytes.
/// The writer goes on meanwhile.
pub fn back_up(
    database: &Path,
    folder: &Path,
    keep: Option<NonZeroUsize>,
    at: Timestamp,
) -> Result<Backup, BackupError> {
    if !database.is_file() {
        return Err(BackupError::NoDatabase(database.to_owned()));
    }
    fs::create_dir_all(folder).map_err(fault("make the folder", folder))?;
    let series = Series::of(database, folder);
    let _lock = series.lock()?;
    series.sweep()?;
    let path = series.path(at);
    if path.exists() {
        return Err(BackupError::Exists(path));
    }
    let unfinished = with_suffix(&path, UNFINISHED);
    let made = copy(database, &unfinished).and_then(|()| Ok(sound::check_file(&unfinished)?));
    let sound = made.inspect_err(|_| {
        // What went wrong is what is told; a copy that stays behind is swept up by the next backup.
        fs::remove_file(&unfinished).ok();
    })?;
    settle(&unfinished, &path)?;
    let bytes = fs::metadata(&path).map_err(fault("look at", &path))?.len();
    let removed = match keep {
        Some(keep) => series.rotate(keep)?,
        None => Vec::new(),
    };
    Ok(Backup { path, bytes, sound, removed })
}

/// When the newest backup of a database in a folder was begun; none if there is none, or no folder.
pub fn newest_backup_at(database: &Path, folder: &Path) -> Option<Timestamp> {
    let newest = Series::of(database, folder).newest_first().into_iter().next();
    newest.map(|(begun, _)| Timestamp::from_ist(begun))
}

/// The newest backup of a database that is sound, checked now. Blocks for as long as reading it takes.
pub fn newest_sound_backup(database: &Path, folder: &Path) -> Option<PathBuf> {
    let newest_first = Series::of(database, folder).newest_first();
    newest_first.into_iter().map(|(_, path)| path).find(|path| sound::check_file(path).is_ok())
}

fn copy(database: &Path, to: &Path) -> Result<(), BackupError> {
    // Made by us, so that it is the owner's alone; SQLite takes an empty file for a new one.
    owner_only(to).map_err(fault("make", to))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    Ok(())
}

/// Makes a file durable under another name.
pub(super) fn settle(from: &Path, to: &Path) -> Result<(), BackupError> {
    File::open(from).and_then(|file| file.sync_all()).map_err(fault("make durable", from))?;
    fs::rename(from, to).map_err(fault("rename into place", to))?;
    sync_folder_of(to)
}

/// Makes the names in a file's folder durable.
pub(super) fn sync_folder_of(path: &Path) -> Result<(), BackupError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(fault("make durable", folder))
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(super) fn fault(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { doing, path, source }
}

/// The backups of one database in one folder: `tandem-20261201-161500.db` of `tandem.db`.
struct Series<'a> {
    folder: &'a Path,
    stem: String,
}

impl<'a> Series<'a> {
    fn of(database: &Path, folder: &'a Path) -> Self {
        let stem = database.file_stem().unwrap_or(database.as_os_str()).to_string_lossy().into_owned();
        Self { folder, stem }
    }

    fn lock(&self) -> Result<InstanceLock, BackupError> {
        InstanceLock::take(&self.folder.join(&self.stem)).map_err(|error| match error {
            OpenError::Locked { path, holder } => BackupError::Busy { path, holder },
            OpenError::File { doing, path, source } => BackupError::File { doing, path, source },
            // A lock is a file, and nothing else can go wrong with it.
            other => BackupError::Unsound(Unsound::Damaged(other.to_string())),
        })
    }

    fn path(&self, at: Timestamp) -> PathBuf {
        self.folder.join(format!("{}{}", self.stem, at.ist().format(NAME_TIME)))
    }

    /// When the backup of this name was begun; none if the name is not of this series.
    fn begun(&self, name: &str) -> Option<NaiveDateTime> {
        let time = name.strip_prefix(&self.stem)?;
        let begun = NaiveDateTime::parse_from_str(time, NAME_TIME).ok()?;
        // Names that mean a moment without being how it is written are somebody else's.
        (begun.format(NAME_TIME).to_string() == time).then_some(begun)
    }

    fn names(&self) -> Vec<String> {
        // A folder that cannot be read holds no backup that could be used.
        let entries = fs::read_dir(self.folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    fn newest_first(&self) -> Vec<(NaiveDateTime, PathBuf)> {
        let names = self.names().into_iter();
        let mut found: Vec<_> =
            names.filter_map(|name| Some((self.begun(&name)?, self.folder.join(&name)))).collect();
        found.sort();
        found.reverse();
        found
    }

    /// Removes what a crash has left. Nobody else is at work: the lock is ours.
    fn sweep(&self) -> Result<(), BackupError> {
        for name in self.names() {
            let whole = name.strip_suffix("-journal").unwrap_or(&name).strip_suffix(UNFINISHED);
            if whole.is_some_and(|whole| self.begun(whole).is_some()) {
                let path = self.folder.join(&name);
                fs::remove_file(&path).map_err(fault("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Removes the oldest ones until so many are left.
    fn rotate(&self, keep: NonZeroUsize) -> Result<Vec<PathBuf>, BackupError> {
        let mut removed = Vec::new();
        for (_, path) in self.newest_first().into_iter().skip(keep.get()) {
            fs::remove_file(&path).map_err(fault("remove", &path))?;
            removed.push(path);
        }
        Ok(removed)
    }
}
