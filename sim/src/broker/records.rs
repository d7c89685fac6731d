//! What came in and what went out, with monotonic times: the evidence for tests and benchmarks.

use std::collections::VecDeque;

use serde::Serialize;
use tandem_domain::ids::DhanClientId;

use crate::faults::Operation;

/// The oldest records go first.
const RECORDS_MAX: usize = 200_000;

/// One REST request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestRecord {
    /// Rises by one with each request.
    pub sequence: u64,
    /// The account of its token; none when the token was refused.
    pub account: Option<DhanClientId>,
    /// What kind of call.
    pub operation: Operation,
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The body as it came; cut at 4096 bytes.
    pub body: String,
    /// When its head was read: nanoseconds since the simulator started, monotonic.
    pub arrived_ns: u64,
    /// The simulated moment it was executed, microseconds since 1970 UTC.
    pub simulated_us: i64,
    /// HTTP status of the answer; none when the answer was lost on purpose.
    pub answered: Option<u16>,
    /// Whether it reached the exchange.
    pub executed: bool,
}

/// One text frame written to one order stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FrameRecord {
    /// Whose stream.
    pub account: DhanClientId,
    /// The order it tells of; several, with spaces between, when joined; empty for raw texts.
    pub order: String,
    /// The order's status in the stream's words.
    pub status: String,
    /// When it was handed to the socket: nanoseconds since the simulator started, monotonic.
    pub sent_ns: u64,
}

/// The latest records.
#[derive(Debug, Default)]
pub(crate) struct Records {
    requests: VecDeque<RequestRecord>,
    next_request: u64,
    frames: VecDeque<FrameRecord>,
}

impl Records {
    const BODY_BYTES_MAX: usize = 4096;

    /// Keeps a request; gives it its number.
    pub(crate) fn request(&mut self, mut record: RequestRecord) {
        record.sequence = self.next_request;
        self.next_request += 1;
        keep(&mut self.requests, record);
    }

    /// Keeps a frame.
    pub(crate) fn frame(&mut self, record: FrameRecord) {
        keep(&mut self.frames, record);
    }

    /// Requests, oldest first.
    pub(crate) fn requests(&self) -> impl Iterator<Item = &RequestRecord> {
        self.requests.iter()
    }

    /// Frames, oldest first.
    pub(crate) fn frames(&self) -> impl Iterator<Item = &FrameRecord> {
        self.frames.iter()
    }

    /// Forgets all of it.
    pub(crate) fn clear(&mut self) {
        self.requests.clear();
        self.frames.clear();
    }

    /// A body as it is kept.
    pub(crate) fn body_text(body: &[u8]) -> String {
        String::from_utf8_lossy(&body[..body.len().min(Self::BODY_BYTES_MAX)]).into_owned()
    }
}

fn keep<T>(records: &mut VecDeque<T>, record: T) {
    if records.len() == RECORDS_MAX {
        records.pop_front();
    }
    records.push_back(record);
}
