//! The thread that listens, and the limits of those it listens to.
//!
//! It has a runtime of its own: neither the actors' arbiter nor the Supervisor's can keep it from hearing a halt, and no
//! peer can keep them from anything.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;
use tracing::{info, warn};

use super::desk::Desk;
use super::protocol::{
    LineError, REQUEST_BYTES_MAX, RefusedReason, Response, line_of, parse_request, read_line,
};
use super::socket::{ControlSocket, SocketError};

/// How long a peer has to send its line, and to take its answer. It is on this machine.
const PEER_DEADLINE: Duration = Duration::from_secs(2);
/// Peers at once. Each is gone within a few seconds.
const PEERS_MAX: usize = 32;
/// How long accepting rests after it failed: the process has no file descriptors left, for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why nobody is listened to.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// The socket is not to be had.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The thread or its runtime could not be made.
    #[error("start the thread of the control socket")]
    Thread(#[source] std::io::Error),
}

/// A daemon that can be told to halt. Ends, and removes its socket, when dropped.
#[derive(Debug)]
pub struct ControlService {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ControlService {
    /// Listens at `path`; once this returns, whoever connects is heard.
    pub fn start(path: PathBuf, desk: Desk) -> Result<Self, ServiceError> {
        let (stop, stopped) = oneshot::channel();
        let (told, bound) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = match runtime {
                    Ok(runtime) => runtime,
                    Err(error) => return drop(told.send(Err(ServiceError::Thread(error)))),
                };
                runtime.block_on(async move {
                    let socket = match ControlSocket::bind(&path) {
                        Ok(socket) => socket,
                        Err(error) => return drop(told.send(Err(error.into()))),
                    };
                    info!(socket = %path.display(), "listening for operators");
                    told.send(Ok(())).ok();
                    tokio::select! {
                        () = listen(&socket, Arc::new(desk)) => {}
                        // Also when the service was dropped without a word.
                        _ = stopped => {}
                    }
                });
                // What still reads the database on a thread of its own is not waited for.
                runtime.shutdown_background();
            })
            .map_err(ServiceError::Thread)?;
        match bound.recv() {
            Ok(Ok(())) => Ok(Self { stop: Some(stop), thread: Some(thread) }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ServiceError::Thread(std::io::Error::other("it ended before it listened"))),
        }
    }
}

impl Drop for ControlService {
    fn drop(&mut self) {
        // It may have ended already.
        self.stop.take().map(|stop| stop.send(()).ok());
        self.thread.take().map(|thread| thread.join().ok());
    }
}

async fn listen(socket: &ControlSocket, desk: Arc<Desk>) {
    let places = Arc::new(Semaphore::new(PEERS_MAX));
    loop {
        match socket.accept().await {
            Ok(Some(peer)) => match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => drop(tokio::spawn(converse(peer, Arc::clone(&desk), place))),
                Err(_) => turn_away(&peer),
            },
            Ok(None) => warn!("somebody who is not this daemon's user came to the control socket: sent away"),
            Err(error) => {
                warn!(%error, "the control socket takes nobody in");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One line in, one out. What a peer does wrong is answered, and concerns nobody else.
async fn converse(mut peer: UnixStream, desk: Arc<Desk>, _place: OwnedSemaphorePermit) {
    let bad = |text: String| Response::refused(RefusedReason::BadRequest, text);
    let response = match timeout(PEER_DEADLINE, read_line(&mut peer, REQUEST_BYTES_MAX)).await {
        Ok(Ok(line)) => match parse_request(&line) {
            Ok(request) => desk.answer(request).await,
            Err(refused) => refused,
        },
        // Only looked whether somebody is there.
        Ok(Err(LineError::Half(0))) => return,
        Ok(Err(error)) => bad(error.to_string()),
        Err(_) => bad(format!("no whole line came within {} s", PEER_DEADLINE.as_secs())),
    };
    let Ok(line) = line_of(&response) else { return };
    // A peer that does not take its answer does without.
    timeout(PEER_DEADLINE, peer.write_all(&line)).await.ok();
    tandem_actors::fault_point!(HaltAcknowledged);
}

/// Without waiting: a new socket takes a short line at once, or the peer does without.
fn turn_away(peer: &UnixStream) {
    if let Ok(line) = line_of(&Response::refused(RefusedReason::Busy, "too many peers at once: ask again")) {
        peer.try_write(&line).ok();
    }
}
