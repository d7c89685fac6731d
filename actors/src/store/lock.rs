//! The lock that keeps a second instance out (P21). The operating system drops it when the process dies, however.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::error::OpenError;

/// Held while the writer lives.
#[derive(Debug)]
pub(super) struct InstanceLock {
    file: File,
}

impl Drop for InstanceLock {
    fn drop(&mut self) {
        // Closing alone would leave it to a child process that was forked a moment ago and has not closed its copy yet.
        self.file.unlock().ok();
    }
}

impl InstanceLock {
    /// Takes the lock of a database, or says who has it.
    pub(super) fn take(database: &Path) -> Result<Self, OpenError> {
        let path = lock_path(database);
        let fault = |doing| {
            let path = path.clone();
            move |source| OpenError::File { doing, path, source }
        };
        let mut file = owner_only(&path).map_err(fault("open the lock"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked { holder: holder(&mut file), path });
            }
            Err(TryLockError::Error(source)) => return Err(fault("take the lock")(source)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()))
            .map_err(fault("write the lock"))?;
        Ok(Self { file })
    }
}

/// Opens a file for reading and writing, made with mode 0600 when absent.
pub(super) fn owner_only(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

fn lock_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

fn holder(file: &mut File) -> String {
    let mut pid = String::new();
    match file.read_to_string(&mut pid) {
        Ok(_) if !pid.trim().is_empty() => format!("pid {}", pid.trim()),
        _ => "pid not known".to_owned(),
    }
}
