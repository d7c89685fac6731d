//! The open order streams and the way of events to them: order of frames = order of events, for each account.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use tandem_domain::ids::DhanClientId;
use tokio::sync::mpsc;

use crate::faults::FaultBoard;
use crate::stream::delivery::Frame;

/// What a session task is told to do.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// Send one text.
    Text(Frame),
    /// Send one binary frame.
    Binary(Vec<u8>),
    /// Say goodbye and close.
    Close,
    /// End the connection with a TCP reset.
    Reset,
    /// The token died: the code-50 frame, then close.
    TokenDied,
}

/// One logged-in session, seen from the broker.
#[derive(Debug)]
struct Session {
    id: u64,
    account: DhanClientId,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    /// Texts handed to the session task.
    queued: u64,
    /// Texts it has written.
    sent: u64,
}

/// A session that falls so far behind is cut off.
const BACKLOG_MAX: u64 = 100_000;

/// Frames that wait for something before they go to the sockets.
#[derive(Debug, Default)]
struct Waiting {
    /// Answers of this account that must go out first.
    answers: u32,
    frames: VecDeque<Frame>,
}

/// All order streams.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    sessions: Vec<Session>,
    next_session: u64,
    waiting: HashMap<DhanClientId, Waiting>,
    /// A jump of the lent clock was made and not every daemon has applied it.
    jumping: bool,
}

impl Streams {
    /// Opens a session; what happens from now on goes to it.
    pub(crate) fn open(&mut self, account: DhanClientId) -> (u64, mpsc::UnboundedReceiver<Outgoing>) {
        let (outgoing, queue) = mpsc::unbounded_channel();
        let id = self.next_session;
        self.next_session += 1;
        self.sessions.push(Session { id, account, outgoing, queued: 0, sent: 0 });
        (id, queue)
    }

    /// The session's connection is gone.
    pub(crate) fn closed(&mut self, id: u64) {
        self.sessions.retain(|session| session.id != id);
    }

    /// The session has written a text.
    pub(crate) fn sent(&mut self, id: u64) {
        if let Some(session) = self.sessions.iter_mut().find(|session| session.id == id) {
            session.sent += 1;
        }
    }

    /// Whether anybody listens to the account.
    pub(crate) fn listens(&self, account: &DhanClientId) -> bool {
        self.sessions.iter().any(|session| session.account == *account)
    }

    /// How many sessions each account has open.
    pub(crate) fn count(&self, account: &DhanClientId) -> usize {
        self.sessions.iter().filter(|session| session.account == *account).count()
    }

    /// Tells every session of the account.
    pub(crate) fn tell(&mut self, account: &DhanClientId, outgoing: impl Fn() -> Outgoing) {
        for session in self.sessions.iter_mut().filter(|session| session.account == *account) {
            let message = outgoing();
            if matches!(message, Outgoing::Text(_)) {
                session.queued += 1;
            }
            // A closed channel is a connection just gone; its task reports that itself.
            let _ = session.outgoing.send(message);
            if session.queued - session.sent > BACKLOG_MAX {
                let _ = session.outgoing.send(Outgoing::Reset);
            }
        }
    }

    /// Queues a frame of the account behind all earlier ones.
    pub(crate) fn push(&mut self, account: &DhanClientId, frame: Frame) {
        self.waiting.entry(account.clone()).or_default().frames.push_back(frame);
    }

    /// Frames of the account wait until [`Streams::answered`].
    pub(crate) fn await_answer(&mut self, account: &DhanClientId) {
        self.waiting.entry(account.clone()).or_default().answers += 1;
    }

    /// An answer awaited is out.
    pub(crate) fn answered(&mut self, account: &DhanClientId) {
        if let Some(waiting) = self.waiting.get_mut(account) {
            waiting.answers = waiting.answers.saturating_sub(1);
        }
    }

    /// Frames wait until every daemon has applied a jump of the clock, or go on.
    pub(crate) fn set_jumping(&mut self, jumping: bool) {
        self.jumping = jumping;
    }

    /// Sends what waits for nothing any more, through each account's mischief.
    pub(crate) fn flush(&mut self, faults: &mut FaultBoard, real: Instant) {
        if self.jumping {
            return;
        }
        let mut ready = Vec::new();
        for (account, waiting) in &mut self.waiting {
            if waiting.answers == 0 && !waiting.frames.is_empty() {
                ready.push((account.clone(), std::mem::take(&mut waiting.frames)));
            }
        }
        for (account, frames) in ready {
            for frame in frames {
                for text in faults.of(&account).delivery.offer(frame, real) {
                    self.tell(&account, || Outgoing::Text(text.clone()));
                }
            }
        }
    }

    /// Whether every frame of the past is on its socket.
    pub(crate) fn is_quiet(&self) -> bool {
        !self.jumping
            && self.waiting.values().all(|waiting| waiting.answers == 0 && waiting.frames.is_empty())
            && self.sessions.iter().all(|session| session.queued == session.sent)
    }

    /// What is not on its socket yet, in words.
    pub(crate) fn holds(&self) -> Vec<String> {
        let mut holds = Vec::new();
        if self.jumping {
            holds.push("a jump is not confirmed by all daemons".to_owned());
        }
        for (account, waiting) in &self.waiting {
            if waiting.answers > 0 || !waiting.frames.is_empty() {
                let frames = waiting.frames.len();
                holds.push(format!("{frames} frames of {account} wait for {} answers", waiting.answers));
            }
        }
        for session in self.sessions.iter().filter(|session| session.queued != session.sent) {
            let left = session.queued - session.sent;
            holds.push(format!("{left} frames of {} are not written", session.account));
        }
        holds
    }

    /// Whether some open session of the account has sent exactly so many texts since its login.
    pub(crate) fn has_sent(&self, account: &str, texts: u64) -> bool {
        self.sessions.iter().any(|session| session.account.as_str() == account && session.sent == texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(order: &str) -> Frame {
        Frame { text: String::new(), order: order.to_owned(), status: String::new() }
    }

    fn received(queue: &mut mpsc::UnboundedReceiver<Outgoing>) -> Vec<String> {
        let mut orders = Vec::new();
        while let Ok(message) = queue.try_recv() {
            match message {
                Outgoing::Text(frame) => orders.push(frame.order),
                other => orders.push(format!("{other:?}")),
            }
        }
        orders
    }

    #[test]
    fn frames_wait_for_the_answer_and_for_the_clock_and_keep_their_order() {
        let account = DhanClientId::new("1").unwrap();
        let (mut streams, mut faults, real) = (Streams::default(), FaultBoard::default(), Instant::now());
        let (id, mut queue) = streams.open(account.clone());

        streams.await_answer(&account);
        streams.push(&account, frame("a"));
        streams.flush(&mut faults, real);
        assert!(received(&mut queue).is_empty());
        assert!(!streams.is_quiet());

        streams.answered(&account);
        streams.set_jumping(true);
        streams.push(&account, frame("b"));
        streams.flush(&mut faults, real);
        assert!(received(&mut queue).is_empty());

        streams.set_jumping(false);
        streams.flush(&mut faults, real);
        assert_eq!(received(&mut queue), ["a", "b"]);
        assert!(!streams.is_quiet(), "handed over, not written yet");
        streams.sent(id);
        streams.sent(id);
        assert!(streams.is_quiet());
        assert!(streams.has_sent("1", 2));
        assert!(!streams.has_sent("1", 1));
    }
}
