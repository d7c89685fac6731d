//! What an answer means, for a write and for a read, however it came: nothing here waits or sends.
//!
//! No text of the errors here is safe to show: a server may have put the token into it. The client takes it out.

mod reads;
mod writes;

use std::time::Duration;

use bytes::Bytes;

pub use reads::Book;

use super::error::{OrderRequestError, ReadError};
use super::transport::NoAnswer;
use crate::refusal::{self, Refusal, RefusalClass};

/// An answer read to its end.
#[derive(Clone)]
pub struct Answer {
    pub(super) http: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Bytes,
}

impl From<NoAnswer> for OrderRequestError {
    fn from(fault: NoAnswer) -> Self {
        match fault {
            NoAnswer::NotSent(why) => Self::NotSent { why },
            NoAnswer::Unknown(why) => Self::Unknown { why },
        }
    }
}

impl From<NoAnswer> for ReadError {
    fn from(fault: NoAnswer) -> Self {
        match fault {
            NoAnswer::NotSent(why) => Self::NotSent { why },
            NoAnswer::Unknown(why) => Self::Failed { why },
        }
    }
}

impl Answer {
    /// An answer of this HTTP status and body.
    pub fn new(http: u16, body: impl Into<Bytes>) -> Self {
        Self { http, retry_after: None, body: body.into() }
    }

    pub(super) const fn is_success(&self) -> bool {
        self.http >= 200 && self.http < 300
    }

    /// Of a write that did not answer with an order: refused only by words we know, else unknown.
    fn write_error(&self) -> OrderRequestError {
        let refusal = refusal::read(self.http, &self.body);
        if self.is_busy(refusal.as_ref()) {
            let text = refusal.map_or_else(|| "HTTP 429".to_owned(), |refusal| refusal.text);
            return OrderRequestError::Busy { retry_after: self.retry_after, text };
        }
        match refusal {
            Some(refusal) if self.proves_nothing_done(&refusal) => OrderRequestError::Refused(refusal),
            Some(refusal) => OrderRequestError::Unknown { why: refusal.to_string() },
            None if self.http == 401 => OrderRequestError::Refused(Refusal::new(401, "", "no readable body")),
            None => OrderRequestError::Unknown { why: self.unreadable() },
        }
    }

    /// Of a read that did not answer with what was asked for.
    fn read_error(&self) -> ReadError {
        let refusal = refusal::read(self.http, &self.body);
        if self.is_busy(refusal.as_ref()) {
            let text = refusal.map_or_else(|| "HTTP 429".to_owned(), |refusal| refusal.text);
            return ReadError::Busy { retry_after: self.retry_after, text };
        }
        match refusal {
            // A dead token is a dead token at whatever status; the broker's other troubles pass.
            Some(refusal) if refusal.class == RefusalClass::Credentials || !refusal.leaves_outcome_open() => {
                ReadError::Refused(refusal)
            }
            Some(refusal) => ReadError::Failed { why: refusal.to_string() },
            None if self.http == 401 => ReadError::Refused(Refusal::new(401, "", "no readable body")),
            None => ReadError::Failed { why: self.unreadable() },
        }
    }

    /// A success status with words nobody knows proves nothing; with a refusal we know, it does (section 9.2).
    fn proves_nothing_done(&self, refusal: &Refusal) -> bool {
        let strange_words = self.is_success() && refusal.class == RefusalClass::Other;
        !refusal.leaves_outcome_open() && !strange_words
    }

    /// A gateway's 503 may speak of too many requests too, after passing this one on.
    fn is_busy(&self, refusal: Option<&Refusal>) -> bool {
        self.http == 429
            || self.http < 500 && refusal.is_some_and(|refusal| refusal.class == RefusalClass::RateLimit)
    }

    /// For people; the body's text stays out of it, because nobody knows what an unknown server puts there.
    fn unreadable(&self) -> String {
        format!(
            "HTTP {} with a body of {} bytes that is neither answer nor refusal",
            self.http,
            self.body.len()
        )
    }
}
