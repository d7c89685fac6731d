//! The operator's end of the socket.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::protocol::{
    Answer, LineError, RESPONSE_BYTES_MAX, RefusedReason, Request, Response, VERSION, line_of, read_line,
};

/// The daemon gives its actors two seconds, its writer two more, a reader of its rows two: after this it does not live.
const ANSWER_DEADLINE: Duration = Duration::from_secs(12);

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// No daemon listens: it is stopped, or starting.
    #[error("no daemon listens at {0}")]
    Nobody(String),
    /// The socket is another user's.
    #[error("the control socket {0} is another user's: run this as the daemon's user")]
    Forbidden(String),
    /// The daemon has too many peers at once, or ended in the middle: ask again.
    #[error("the daemon did not take the command: {0}")]
    Again(String),
    /// It did not answer.
    #[error("the daemon did not answer within {} s: nobody knows what was done", ANSWER_DEADLINE.as_secs())]
    Silent,
    /// It answered something that is not understood, or the socket failed.
    #[error("{0}")]
    Strange(String),
}

/// Sends one request and waits for its answer.
pub async fn ask(socket: &Path, request: &Request) -> Result<Answer, AskError> {
    match timeout(ANSWER_DEADLINE, converse(socket, request)).await {
        Ok(Ok(Response { answer: Answer::Refused { reason: RefusedReason::Busy, text }, .. })) => {
            Err(AskError::Again(text))
        }
        Ok(Ok(response)) => Ok(response.answer),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(AskError::Silent),
    }
}

async fn converse(socket: &Path, request: &Request) -> Result<Response, AskError> {
    let at = || socket.display().to_string();
    let mut daemon = UnixStream::connect(socket).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => AskError::Nobody(at()),
        ErrorKind::PermissionDenied => AskError::Forbidden(at()),
        _ => AskError::Strange(format!("connect to {}: {error}", at())),
    })?;
    let line = line_of(request).map_err(|error| AskError::Strange(error.to_string()))?;
    daemon.write_all(&line).await.map_err(|error| AskError::Again(error.to_string()))?;
    let line = read_line(&mut daemon, RESPONSE_BYTES_MAX).await.map_err(|error| match error {
        LineError::Half(_) | LineError::Io(_) => AskError::Again(error.to_string()),
        LineError::TooLong(_) => AskError::Strange(error.to_string()),
    })?;
    let response: Response = serde_json::from_slice(&line)
        .map_err(|error| AskError::Strange(format!("the daemon's answer is not understood: {error}")))?;
    if response.version != VERSION {
        return Err(AskError::Strange(format!(
            "the daemon speaks version {}, not {VERSION}",
            response.version
        )));
    }
    Ok(response)
}
