//! Files that hold a secret: read only where nobody else may read them, written so that a crash leaves the old or the new.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::TokenError;

/// Longer than any token seen, by far; a file beyond it is not a token.
const BYTES_MAX: u64 = 16 * 1024;

/// What a file's name and times say of it: two that differ are two contents, as far as one can tell without reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileStamp {
    inode: u64,
    size: u64,
    mode: u32,
    /// Seconds and nanoseconds of the last write and of the last change of anything else.
    times: [i64; 4],
}

/// What is in the file, if only its owner may read it.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, TokenError> {
    let unreadable = |error: std::io::Error| TokenError::Unreadable {
        path: path.display().to_string(),
        why: error.to_string(),
    };
    let file = File::open(path).map_err(unreadable)?;
    check_mode(path, &file)?;
    // Room for all of it at once: a text that grows leaves copies of itself behind.
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(BYTES_MAX).unwrap_or_default()));
    file.take(BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

/// Puts a secret in the place of what the file holds: a new file beside it, on disk, then renamed over it.
pub(super) fn write(path: &Path, secret: &SecretString) -> Result<(), TokenError> {
    let unwritable = |error: std::io::Error| TokenError::Unwritable {
        path: path.display().to_string(),
        why: error.to_string(),
    };
    // A link stays one: what it points to is replaced.
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Mode 0600 from the first byte on.
    let mut beside = tempfile::NamedTempFile::new_in(folder).map_err(unwritable)?;
    beside.write_all(secret.expose_secret().as_bytes()).map_err(unwritable)?;
    beside.write_all(b"\n").map_err(unwritable)?;
    beside.as_file().sync_all().map_err(unwritable)?;
    beside.persist(path).map_err(|error| unwritable(error.error))?;
    // The new name is durable once its folder is.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritable)
}

/// The file's stamp; the default one where there is no file to be seen.
#[cfg(unix)]
pub(super) fn stamp(path: &Path) -> FileStamp {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path)
        .map(|of| FileStamp {
            inode: of.ino(),
            size: of.size(),
            mode: of.mode(),
            times: [of.mtime(), of.mtime_nsec(), of.ctime(), of.ctime_nsec()],
        })
        .unwrap_or_default()
}

#[cfg(not(unix))]
pub(super) fn stamp(path: &Path) -> FileStamp {
    let since = |of: &std::fs::Metadata| of.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok();
    std::fs::metadata(path)
        .map(|of| FileStamp {
            size: of.len(),
            times: [since(&of).map_or(0, |at| i64::try_from(at.as_nanos()).unwrap_or(i64::MAX)), 0, 0, 0],
            ..FileStamp::default()
        })
        .unwrap_or_default()
}

/// Asked of the open file, so that it cannot be another one than the one read.
#[cfg(unix)]
fn check_mode(path: &Path, file: &File) -> Result<(), TokenError> {
    use std::os::unix::fs::MetadataExt;
    let metadata = file.metadata().map_err(|error| TokenError::Unreadable {
        path: path.display().to_string(),
        why: error.to_string(),
    })?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o177 != 0 {
        return Err(TokenError::TooOpen { path: path.display().to_string(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &File) -> Result<(), TokenError> {
    Ok(())
}
