//! One line of JSON in, one out, then the connection ends. Version 1.
//!
//! ```text
//! {"version":1,"command":{"halt":{"cancel_working":false}},"follower":"asha"}
//! {"version":1,"answer":{"followers":[{"follower":"asha","state":"halted","cause":"operator", ...}]}}
//! ```
//!
//! Commands are `"status"`, `"reduce"`, `{"halt":{"cancel_working":false}}`, `"square_off"` and `"resume"`; without
//! `follower` they concern all. `{"close_incidents":{"ids":["..."],"note":"..."}}` concerns no follower. Fields that
//! are not known are refused, not passed over: an operator who asks for something must not be told "done" by a daemon
//! that did not understand it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tandem_actors::store::StoreError;
use tandem_domain::ids::FollowerId;
use tandem_domain::trading::{Control, HaltCause, Trading, TradingState};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The version spoken here.
pub const VERSION: u32 = 1;
/// A request is far shorter. What is longer is no request.
pub const REQUEST_BYTES_MAX: usize = 4 * 1024;
/// An answer is a few hundred bytes for each follower.
pub const RESPONSE_BYTES_MAX: usize = 1024 * 1024;

/// What an operator asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// [`VERSION`].
    pub version: u32,
    /// What.
    pub command: Command,
    /// Of whom; of all when none.
    #[serde(default)]
    pub follower: Option<FollowerId>,
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// How the followers stand.
    Status,
    /// Open nothing more.
    Reduce,
    /// Open nothing more and cancel working entries.
    Halt {
        /// Working exits, too.
        cancel_working: bool,
    },
    /// Halt, cancel every working copy, close what was copied.
    SquareOff,
    /// Trade again.
    Resume,
    /// The operator has dealt with these incidents.
    CloseIncidents {
        /// Which.
        ids: Vec<Arc<str>>,
        /// What he has to say of them.
        note: Arc<str>,
    },
}

impl Command {
    /// What the follower is told; none of what concerns no follower, and of a mere question.
    pub const fn control(&self) -> Option<Control> {
        Some(match self {
            Self::Status | Self::CloseIncidents { .. } => return None,
            Self::Reduce => Control::Reduce(HaltCause::Operator),
            Self::Halt { cancel_working } => {
                Control::Halt { cause: HaltCause::Operator, cancel_working: *cancel_working }
            }
            Self::SquareOff => Control::SquareOff(HaltCause::Operator),
            Self::Resume => Control::Resume,
        })
    }
}

/// What the daemon answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// [`VERSION`].
    pub version: u32,
    /// The answer.
    pub answer: Answer,
}

/// Done as far as it says, or not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// How each follower meant stands now, in the order of the settings.
    Followers(Vec<Standing>),
    /// What became of each incident meant, in their order.
    Incidents(Vec<IncidentNow>),
    /// Nothing was done.
    Refused {
        /// Why, for programs.
        reason: RefusedReason,
        /// Why, for people.
        text: String,
    },
}

/// Why nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedReason {
    /// The line is no request.
    BadRequest,
    /// The line is of another version of this protocol.
    Version,
    /// The daemon has no such follower.
    UnknownFollower,
    /// Too many peers at once: ask again.
    Busy,
}

/// What became of an incident that was to be closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentNow {
    /// Which.
    pub id: Arc<str>,
    /// Why it is not closed; none: that it is, is durable.
    pub problem: Option<String>,
    /// Whether there is one of that name at all.
    pub is_known: bool,
}

impl IncidentNow {
    /// By what the store said.
    pub fn of(id: Arc<str>, settled: Result<(), StoreError>) -> Self {
        let is_known = !matches!(settled, Err(StoreError::NoIncident(_)));
        Self { id, problem: settled.err().map(|error| error.to_string()), is_known }
    }
}

/// How a follower stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Who.
    pub follower: FollowerId,
    /// What may be sent for him: the narrower of the record and the door before the wire.
    pub state: TradingState,
    /// Why it is not active.
    pub cause: Option<HaltCause>,
    /// Since when, UTC microseconds.
    pub since_us: i64,
    /// What was copied is being closed.
    pub is_squaring_off: bool,
    /// Whether this state is durable (P27).
    pub recorded: bool,
    /// Why it is not recorded, or what else is wrong.
    pub problem: Option<String>,
    /// Copies being cancelled; none when the follower's actor did not answer.
    pub cancelling: Option<u64>,
    /// Units still to be closed by the square-off; none when the follower's actor did not answer.
    pub units_to_close: Option<u64>,
}

impl Standing {
    /// A follower in this recorded state, of whose actor nothing is known.
    pub fn recorded(follower: FollowerId, trading: Trading) -> Self {
        Self {
            follower,
            state: trading.state,
            cause: trading.cause,
            since_us: trading.since.micros(),
            is_squaring_off: trading.is_squaring_off,
            recorded: true,
            problem: None,
            cancelling: None,
            units_to_close: None,
        }
    }
}

impl Response {
    /// An answer about followers.
    pub const fn followers(standings: Vec<Standing>) -> Self {
        Self { version: VERSION, answer: Answer::Followers(standings) }
    }

    /// An answer about incidents.
    pub const fn incidents(incidents: Vec<IncidentNow>) -> Self {
        Self { version: VERSION, answer: Answer::Incidents(incidents) }
    }

    /// Nothing was done.
    pub fn refused(reason: RefusedReason, text: impl Into<String>) -> Self {
        Self { version: VERSION, answer: Answer::Refused { reason, text: text.into() } }
    }
}

/// Reads a request from its line, or says why it is none.
pub fn parse_request(line: &[u8]) -> Result<Request, Response> {
    let bad = |error: serde_json::Error| {
        Response::refused(RefusedReason::BadRequest, format!("this line is no request: {error}"))
    };
    // The version first: what a later one adds must not be called an unknown field.
    let value: serde_json::Value = serde_json::from_slice(line).map_err(bad)?;
    match value.get("version").map(serde_json::Value::as_u64) {
        Some(Some(version)) if version == u64::from(VERSION) => {
            // From the text, so that a fault has its column, and a field given twice is one.
            serde_json::from_slice(line).map_err(bad)
        }
        Some(Some(version)) => Err(Response::refused(
            RefusedReason::Version,
            format!(
                "version {version} was asked; this daemon speaks version {VERSION}: use the tandem it was started with"
            ),
        )),
        Some(None) | None => {
            Err(Response::refused(RefusedReason::BadRequest, "this line has no version: it is no request"))
        }
    }
}

/// A message as its line.
pub fn line_of(message: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// Why there is no line.
#[derive(Debug, Error)]
pub enum LineError {
    /// More bytes came than a line may have.
    #[error("the line is longer than {0} bytes")]
    TooLong(usize),
    /// The peer ended before the line did.
    #[error("the peer ended in the middle of a line, after {0} bytes")]
    Half(usize),
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Reads up to the first newline, which is left out; never more than `bytes_max` are kept. The caller sets the deadline.
pub async fn read_line(from: &mut (impl AsyncRead + Unpin), bytes_max: usize) -> Result<Vec<u8>, LineError> {
    let mut line = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        let read = from.read(&mut chunk).await?;
        let Some(read) = chunk.get(..read).filter(|read| !read.is_empty()) else {
            return Err(LineError::Half(line.len()));
        };
        let end = read.iter().position(|byte| *byte == b'\n');
        line.extend_from_slice(&read[..end.unwrap_or(read.len())]);
        if line.len() > bytes_max {
            return Err(LineError::TooLong(bytes_max));
        }
        if end.is_some() {
            return Ok(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(line: &[u8]) -> (RefusedReason, String) {
        match parse_request(line).unwrap_err().answer {
            Answer::Refused { reason, text } => (reason, text),
            done => panic!("it was done: {done:?}"),
        }
    }

    #[test]
    fn a_request_is_what_the_documentation_says() {
        let asha = Some(FollowerId::new("asha").unwrap());
        for (line, command, follower) in [
            (r#"{"version":1,"command":"status"}"#, Command::Status, None),
            (r#"{"version":1,"command":"reduce","follower":null}"#, Command::Reduce, None),
            (
                r#"{"version":1,"command":{"halt":{"cancel_working":true}},"follower":"asha"}"#,
                Command::Halt { cancel_working: true },
                asha.clone(),
            ),
            (r#"{"version":1,"command":"square_off","follower":"asha"}"#, Command::SquareOff, asha.clone()),
            (r#"{"version":1,"command":"resume"}"#, Command::Resume, None),
            (
                r#"{"version":1,"command":{"close_incidents":{"ids":["d/k/-/s"],"note":"seen"}}}"#,
                Command::CloseIncidents { ids: vec!["d/k/-/s".into()], note: "seen".into() },
                None,
            ),
        ] {
            let request = Request { version: 1, command, follower };
            assert_eq!(parse_request(line.as_bytes()), Ok(request.clone()), "{line}");
            let mut told = line_of(&request).unwrap();
            assert_eq!(told.pop(), Some(b'\n'));
            assert_eq!(parse_request(&told), Ok(request), "{line}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (line, told) in [
            ("", "EOF"),
            ("halt", "expected"),
            ("\u{0}\u{1}", "expected"),
            ("[]", "no version"),
            ("1", "no version"),
            (r#"{"command":"status"}"#, "no version"),
            (r#"{"version":"1","command":"status"}"#, "no version"),
            (r#"{"version":-1,"command":"status"}"#, "no version"),
            (r#"{"version":1}"#, "missing field `command`"),
            (r#"{"version":1,"command":"halt"}"#, "struct variant"),
            (r#"{"version":1,"command":{"halt":{}}}"#, "missing field `cancel_working`"),
            (
                r#"{"version":1,"command":{"halt":{"cancel_working":false,"gently":true}}}"#,
                "unknown field `gently`",
            ),
            (r#"{"version":1,"command":"explode"}"#, "unknown variant `explode`"),
            (r#"{"version":1,"command":"status","folower":"asha"}"#, "unknown field `folower`"),
            (r#"{"version":1,"command":"halt","command":"resume"}"#, "struct variant"),
            (r#"{"version":1,"command":"status","command":"resume"}"#, "duplicate field"),
            (r#"{"version":1,"command":"status","follower":""}"#, "empty"),
            (r#"{"version":1,"command":"status"} {}"#, "trailing"),
        ] {
            let (reason, text) = refusal(line.as_bytes());
            assert_eq!(reason, RefusedReason::BadRequest, "{line}");
            assert!(text.contains(told), "{line}: {text}");
        }
        assert_eq!(refusal(&[0xff, 0xfe]).0, RefusedReason::BadRequest);
        let deep = "[".repeat(REQUEST_BYTES_MAX);
        assert_eq!(refusal(deep.as_bytes()).0, RefusedReason::BadRequest);
    }

    #[test]
    fn another_version_is_called_so_whatever_else_it_says() {
        let (reason, text) = refusal(br#"{"version":2,"command":"halt","urgently":true}"#);
        assert_eq!(reason, RefusedReason::Version);
        assert!(text.contains("version 2") && text.contains("version 1"), "{text}");
    }

    #[tokio::test]
    async fn a_line_ends_at_its_newline_and_has_a_bound() {
        let mut whole = &b"one\ntwo\n"[..];
        assert_eq!(read_line(&mut whole, 8).await.unwrap(), b"one");
        let mut half = &b"one"[..];
        assert!(matches!(read_line(&mut half, 8).await, Err(LineError::Half(3))));
        let mut nothing = &b""[..];
        assert!(matches!(read_line(&mut nothing, 8).await, Err(LineError::Half(0))));
        let mut just = &b"12345678\n"[..];
        assert_eq!(read_line(&mut just, 8).await.unwrap().len(), 8);
        let mut long = &b"123456789\n"[..];
        assert!(matches!(read_line(&mut long, 8).await, Err(LineError::TooLong(8))));
        let endless = vec![b'x'; 1 << 20];
        assert!(matches!(read_line(&mut &endless[..], 4096).await, Err(LineError::TooLong(4096))));
    }
}
