//! How a stream ends, split by what the caller must do.

use std::time::Duration;

use awc::error::{WsClientError, WsProtocolError};
use awc::http::StatusCode;
use thiserror::Error;

/// Feed-style disconnect packet (`dhanhq-v2.md` section 5.2).
const DISCONNECT_CODE: u8 = 50;

/// The end of a stream, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StreamError {
    /// The broker would not have us. A refused login demands a new token; too many connects, a pause of a minute.
    #[error("stream refused: {refusal}")]
    Refused {
        /// How it said so.
        refusal: LoginRefusal,
        /// How long after the login.
        after_login: Duration,
    },
    /// No connection was made.
    #[error("stream connect: {why}")]
    Connect {
        /// What happened.
        why: String,
    },
    /// There is no token to log in with.
    #[error("stream login: {why}")]
    NoToken {
        /// What is wrong with its source.
        why: String,
    },
    /// The server closed properly.
    #[error("stream closed {after_login:?} after login: {why}")]
    Closed {
        /// How long after the login; within [`StreamError::EARLY`] a dead token is likely.
        after_login: Duration,
        /// Close code and words, if any.
        why: String,
    },
    /// The connection broke without a close frame: the network, or a dead token when soon after the login.
    #[error("stream reset {after_login:?} after login: {why}")]
    Reset {
        /// How long after the login.
        after_login: Duration,
        /// What the system said.
        why: String,
    },
    /// No sign of life, not even to a ping.
    #[error("stream mute for {silent_for:?}")]
    Mute {
        /// For how long at least.
        silent_for: Duration,
    },
    /// The server broke the rules of WebSocket, or our limit of size.
    #[error("stream broken {after_login:?} after login: {why}")]
    Protocol {
        /// How long after the login.
        after_login: Duration,
        /// What it did.
        why: String,
    },
}

impl StreamError {
    /// A death this soon after the login may be a dead token: ask `GET /profile` before trying again (section 5.2).
    pub const EARLY: Duration = Duration::from_secs(2);

    /// Whether the token should be checked before the next attempt.
    pub fn suggests_dead_token(&self) -> bool {
        match self {
            Self::Refused { refusal, .. } => !matches!(refusal, LoginRefusal::TooManyRequests),
            Self::Closed { after_login, .. }
            | Self::Reset { after_login, .. }
            | Self::Protocol { after_login, .. } => *after_login < Self::EARLY,
            Self::NoToken { .. } => true,
            Self::Connect { .. } | Self::Mute { .. } => false,
        }
    }

    pub(super) fn from_protocol(error: &WsProtocolError, after_login: Duration) -> Self {
        match error {
            WsProtocolError::Io(error) => Self::Reset { after_login, why: error.to_string() },
            other => Self::Protocol { after_login, why: other.to_string() },
        }
    }

    pub(super) fn from_connect(error: &WsClientError) -> Self {
        match error {
            WsClientError::InvalidResponseStatus(status) => Self::from_status(*status),
            other => Self::Connect { why: other.to_string() },
        }
    }

    fn from_status(status: StatusCode) -> Self {
        let refusal = match status {
            StatusCode::TOO_MANY_REQUESTS => LoginRefusal::TooManyRequests,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                LoginRefusal::Upgrade { http: status.as_u16() }
            }
            other => return Self::Connect { why: format!("upgrade answered HTTP {other}") },
        };
        Self::Refused { refusal, after_login: Duration::ZERO }
    }
}

/// The ways a login is refused (section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LoginRefusal {
    /// A disconnect packet; 807 token expired, 808 authentication failed, 809 token invalid, 810 client id invalid.
    #[error("disconnect packet with reason {reason}")]
    Disconnect {
        /// The reason in it.
        reason: u16,
    },
    /// Another binary frame: this socket sends none for any other purpose.
    #[error("binary frame of {length} bytes")]
    Binary {
        /// Its length.
        length: usize,
    },
    /// Too many connects: HTTP 429 on the upgrade, or a text that says so.
    #[error("too many requests")]
    TooManyRequests,
    /// HTTP 401 or 403 on the upgrade.
    #[error("HTTP {http} on the upgrade")]
    Upgrade {
        /// The status.
        http: u16,
    },
}

impl LoginRefusal {
    pub(super) fn from_binary(bytes: &[u8]) -> Self {
        match bytes {
            [DISCONNECT_CODE, _, _, _, _, _, _, _, low, high, ..] => {
                Self::Disconnect { reason: u16::from_le_bytes([*low, *high]) }
            }
            _ => Self::Binary { length: bytes.len() },
        }
    }

    /// A text that is no JSON and says 429 or too many requests.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let text = text.trim_start();
        if text.starts_with(['{', '[']) {
            return None;
        }
        let lower = text.to_ascii_lowercase();
        (lower.starts_with("429") || lower.contains("too many requests")).then_some(Self::TooManyRequests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_logins_are_told_by_their_frames() {
        let packet = [0x32, 0x0A, 0x00, 0x01, 0, 0, 0, 0, 0x27, 0x03];
        assert_eq!(LoginRefusal::from_binary(&packet), LoginRefusal::Disconnect { reason: 807 });
        assert_eq!(LoginRefusal::from_binary(b"2"), LoginRefusal::Binary { length: 1 });
        assert_eq!(LoginRefusal::from_text("429 too many requests"), Some(LoginRefusal::TooManyRequests));
        assert_eq!(LoginRefusal::from_text(r#"{"Type":"429"}"#), None);
    }
}
