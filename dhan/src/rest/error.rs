//! Failed calls, split by what the caller must do (`reliability.md` section 3).

use std::time::Duration;

use tandem_domain::error_policy::Trouble;
use thiserror::Error;

use crate::refusal::Refusal;

/// A write that was not answered with success.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OrderRequestError {
    /// Nothing left this machine: may be tried again.
    #[error("not sent: {why}")]
    NotSent {
        /// What happened.
        why: String,
    },
    /// The broker said no, and nothing was done.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// HTTP 429 (or DH-904). The broker documents no execution behind it, but proves none either (`dhanhq-v2.md`
    /// section 9.7): a placing may be repeated, with the same tag, only once the book shows its absence.
    #[error("the broker asks for fewer requests: {text}")]
    Busy {
        /// How long to wait, if the broker said; it usually does not.
        retry_after: Option<Duration>,
        /// The broker's words.
        text: String,
    },
    /// It may or may not have been done: look it up before anything else.
    #[error("outcome unknown: {why}")]
    Unknown {
        /// What happened.
        why: String,
    },
}

impl OrderRequestError {
    /// Which row of the error policy it is.
    pub const fn trouble(&self) -> Trouble {
        match self {
            Self::NotSent { .. } => Trouble::OrderNotSent,
            Self::Refused(refusal) => refusal.class.trouble(),
            Self::Busy { .. } => Trouble::TooManyRequests,
            Self::Unknown { .. } => Trouble::OrderUnanswered,
        }
    }

    /// The same error, each text of the broker's or the network's replaced.
    pub(super) fn with_texts(self, mut replace: impl FnMut(&str) -> String) -> Self {
        match self {
            Self::NotSent { why } => Self::NotSent { why: replace(&why) },
            Self::Refused(refusal) => Self::Refused(with_text(refusal, replace)),
            Self::Busy { retry_after, text } => Self::Busy { retry_after, text: replace(&text) },
            Self::Unknown { why } => Self::Unknown { why: replace(&why) },
        }
    }
}

fn with_text(mut refusal: Refusal, mut replace: impl FnMut(&str) -> String) -> Refusal {
    refusal.code = replace(&refusal.code);
    refusal.text = replace(&refusal.text);
    refusal
}

/// A read that was not answered with success. All but [`ReadError::Refused`] may be tried again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    /// Nothing left this machine.
    #[error("not sent: {why}")]
    NotSent {
        /// What happened.
        why: String,
    },
    /// The broker said no.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// Too many requests.
    #[error("the broker asks for fewer requests: {text}")]
    Busy {
        /// How long to wait, if the broker said.
        retry_after: Option<Duration>,
        /// The broker's words.
        text: String,
    },
    /// No usable answer.
    #[error("no usable answer: {why}")]
    Failed {
        /// What happened.
        why: String,
    },
}

impl ReadError {
    /// Which row of the error policy it is.
    pub const fn trouble(&self) -> Trouble {
        match self {
            Self::NotSent { .. } | Self::Failed { .. } => Trouble::ReadUnanswered,
            Self::Refused(refusal) => refusal.class.trouble(),
            Self::Busy { .. } => Trouble::TooManyRequests,
        }
    }

    /// The same error, each text of the broker's or the network's replaced.
    pub(super) fn with_texts(self, mut replace: impl FnMut(&str) -> String) -> Self {
        match self {
            Self::NotSent { why } => Self::NotSent { why: replace(&why) },
            Self::Refused(refusal) => Self::Refused(with_text(refusal, replace)),
            Self::Busy { retry_after, text } => Self::Busy { retry_after, text: replace(&text) },
            Self::Failed { why } => Self::Failed { why: replace(&why) },
        }
    }
}
