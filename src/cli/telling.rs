//! Telling a daemon something that must be on record: at its socket while it runs, by this process's own hand while none
//! does. A daemon that holds the database and does not listen is starting, or ending, and is waited for.

use std::time::{Duration, Instant};

use tandem_actors::store::OpenError;

use super::place::Located;
use super::{ExitStatus, say_error};
use crate::control::client::{AskError, ask};
use crate::control::protocol::{Answer, Request};

/// How long a daemon that holds the database, but does not listen, is waited for: it is starting, or ending.
const LISTENING_PATIENCE: Duration = Duration::from_secs(10);
/// How often it is tried meanwhile.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// What came of doing it in a daemon's stead.
pub(super) enum Stopped<T> {
    /// On record, durably.
    Done(T),
    /// Nothing was done; it was said why.
    Refused(ExitStatus),
    /// A daemon has the database.
    Locked(OpenError),
}

/// Who did it.
pub(super) enum Told<T> {
    /// The daemon, which answers this.
    Daemon(Answer),
    /// This process, while none runs.
    Nobody(T),
}

/// Asks the daemon, and where nobody listens does it by `instead`. An error was said.
pub(super) async fn tell<T>(
    located: &Located,
    request: &Request,
    mut instead: impl FnMut() -> Stopped<T>,
) -> Result<Told<T>, ExitStatus> {
    let started = Instant::now();
    loop {
        let has_patience = started.elapsed() < LISTENING_PATIENCE;
        match ask(&located.socket, request).await {
            Ok(answer) => return Ok(Told::Daemon(answer)),
            Err(AskError::Again(_)) if has_patience => {}
            Err(AskError::Nobody(socket)) => match instead() {
                Stopped::Done(done) => return Ok(Told::Nobody(done)),
                Stopped::Refused(status) => return Err(status),
                Stopped::Locked(OpenError::Locked { .. }) if has_patience => {}
                Stopped::Locked(error) => {
                    say_error(&format!(
                        "error: {error}, and does not listen at {socket}: nothing was done. If its settings name \
                         another socket, give it with --socket; else end the process with SIGTERM"
                    ));
                    return Err(ExitStatus::AlreadyRunning);
                }
            },
            Err(error) => {
                say_error(&format!("error: {error}"));
                return Err(ExitStatus::NotRecorded);
            }
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}
