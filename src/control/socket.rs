//! The socket's file: where it lies, who may use it, and what a daemon that died left there.

use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;
use tokio::net::{UnixListener, UnixStream};

/// The user who may do everything anyway.
const ROOT_UID: u32 = 0;

/// Why nobody can be listened to.
#[derive(Debug, Error)]
pub enum SocketError {
    /// Another daemon listens there.
    #[error(
        "another daemon listens at the control socket {}: give each its own [control] socket", .0.display()
    )]
    Taken(PathBuf),
    /// What lies there is not ours to remove.
    #[error("{} is no socket: remove it, or set [control] socket", .0.display())]
    NoSocket(PathBuf),
    /// The system refuses.
    #[error("{doing} the control socket {} (a path has fewer than 108 bytes; see [control] socket)", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// Where a database's daemon listens when the settings do not say.
pub fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".sock");
    name.into()
}

/// A socket that is listened at; its file goes when this is dropped.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Whose it is: the only one, root apart, who is listened to.
    owner: u32,
}

impl ControlSocket {
    /// Listens at `path`. What a daemon that died left there is removed; what lives, or is no socket, is not.
    ///
    /// Must be called within a tokio runtime.
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        clear(path)?;
        let fault = |doing| move |source| SocketError::Io { doing, path: path.to_owned(), source };
        let listener = UnixListener::bind(path).map_err(fault("make"))?;
        // Before the rights are narrowed somebody else may connect: whoever it is, his uid is looked at, too.
        let owner = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
            .and_then(|()| std::fs::symlink_metadata(path))
            .map_err(|source| {
                remove(path);
                fault("protect")(source)
            })?
            .uid();
        Ok(Self { listener, path: path.to_owned(), owner })
    }

    /// Takes the next peer in; none when he is another user's.
    pub async fn accept(&self) -> std::io::Result<Option<UnixStream>> {
        let (peer, _) = self.listener.accept().await?;
        let uid = peer.peer_cred()?.uid();
        Ok((uid == self.owner || uid == ROOT_UID).then_some(peer))
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Makes room at `path`.
fn clear(path: &Path) -> Result<(), SocketError> {
    let fault = |doing| move |source| SocketError::Io { doing, path: path.to_owned(), source };
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {}
        Ok(_) => return Err(SocketError::NoSocket(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fault("look at")(error)),
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(SocketError::Taken(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(fault("remove the old file of"))
        }
        Err(error) => Err(fault("look who listens at")(error)),
    }
}

/// At the end there is nobody left to complain to, and the next daemon clears what is left.
fn remove(path: &Path) {
    std::fs::remove_file(path).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_the_owners_alone_and_goes_when_it_is_not_listened_at() {
        let folder = tempfile::tempdir().unwrap();
        let path = beside(&folder.path().join("tandem.db"));
        let socket = ControlSocket::bind(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let (connected, accepted) = tokio::join!(UnixStream::connect(&path), socket.accept());
        connected.unwrap();
        assert!(accepted.unwrap().is_some());
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_dead_daemons_file_is_cleared_and_a_living_ones_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        // Dropped without its file: what a kill leaves behind.
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let living = ControlSocket::bind(&path).unwrap();
        assert!(matches!(ControlSocket::bind(&path), Err(SocketError::Taken(_))));
        assert!(path.exists());
        drop(living);

        std::fs::write(&path, "somebody's notes").unwrap();
        assert!(matches!(ControlSocket::bind(&path), Err(SocketError::NoSocket(_))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "somebody's notes");
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_is_called_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = ControlSocket::bind(&folder.path().join("x".repeat(120))).unwrap_err();
        assert!(error.to_string().contains("fewer than 108 bytes"), "{error}");
    }
}
