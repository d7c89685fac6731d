//! The daemons that live on the lent clock, and what each of them said last. Pure but for the queues to their sockets.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use super::protocol::{ClockMessage, DaemonMessage};

/// What a daemon received on its order streams, by client id.
pub(crate) type FrameCounts = BTreeMap<String, u64>;

#[derive(Debug)]
struct Daemon {
    outgoing: mpsc::UnboundedSender<ClockMessage>,
    /// The latest question it answered, with its counts.
    idle: Option<(u64, FrameCounts)>,
    /// The latest moment it has applied.
    applied_us: i64,
}

/// All connected daemons.
#[derive(Debug, Default)]
pub(crate) struct Daemons {
    connected: BTreeMap<u64, Daemon>,
    next_daemon: u64,
    next_question: u64,
}

impl Daemons {
    /// A daemon connects; it is told the time first.
    pub(crate) fn join(&mut self, time: ClockMessage) -> (u64, mpsc::UnboundedReceiver<ClockMessage>) {
        let (outgoing, queue) = mpsc::unbounded_channel();
        let _ = outgoing.send(time); // the receiver is in our hand
        let id = self.next_daemon;
        self.next_daemon += 1;
        self.connected.insert(id, Daemon { outgoing, idle: None, applied_us: i64::MIN });
        (id, queue)
    }

    /// Its connection is gone.
    pub(crate) fn leave(&mut self, id: u64) {
        self.connected.remove(&id);
    }

    /// A daemon spoke.
    pub(crate) fn hear(&mut self, id: u64, message: DaemonMessage) {
        let Some(daemon) = self.connected.get_mut(&id) else { return };
        match message {
            DaemonMessage::Idle { id, frames } => daemon.idle = Some((id, frames)),
            DaemonMessage::TimeOk { now_us } => daemon.applied_us = daemon.applied_us.max(now_us),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.connected.is_empty()
    }

    pub(crate) fn count(&self) -> usize {
        self.connected.len()
    }

    /// Asks all whether time may jump; answers with the question's number.
    pub(crate) fn propose(&mut self) -> u64 {
        self.next_question += 1;
        self.tell(&ClockMessage::Propose { id: self.next_question });
        self.next_question
    }

    /// What all daemons counted when they answered this question; none while one has not answered.
    pub(crate) fn all_idle(&self, question: u64) -> Option<Vec<&FrameCounts>> {
        self.connected
            .values()
            .map(|daemon| match &daemon.idle {
                Some((answered, counts)) if *answered == question => Some(counts),
                _ => None,
            })
            .collect()
    }

    /// The counts of those who have answered the latest question, and how many have not.
    pub(crate) fn latest(&self) -> (Vec<&FrameCounts>, usize) {
        let answered =
            |daemon: &&Daemon| daemon.idle.as_ref().is_some_and(|(of, _)| *of == self.next_question);
        let counts: Vec<&FrameCounts> = self
            .connected
            .values()
            .filter(answered)
            .filter_map(|daemon| Some(&daemon.idle.as_ref()?.1))
            .collect();
        let busy = self.connected.len() - counts.len();
        (counts, busy)
    }

    /// Tells all the time.
    pub(crate) fn tell_time(&mut self, now_us: i64, rate: f64) {
        self.tell(&ClockMessage::Time { now_us, rate });
    }

    /// Whether every daemon's clock shows this moment or a later one.
    pub(crate) fn all_applied(&self, now_us: i64) -> bool {
        self.connected.values().all(|daemon| daemon.applied_us >= now_us)
    }

    /// Gives up on daemons whose clock does not show this moment: their sockets close.
    pub(crate) fn drop_laggards(&mut self, now_us: i64) {
        self.connected.retain(|_, daemon| daemon.applied_us >= now_us);
    }

    fn tell(&mut self, message: &ClockMessage) {
        for daemon in self.connected.values() {
            // A closed queue is a connection just gone; its task reports that itself.
            let _ = daemon.outgoing.send(message.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(now_us: i64) -> ClockMessage {
        ClockMessage::Time { now_us, rate: 1.0 }
    }

    #[test]
    fn time_may_jump_when_all_have_answered_the_latest_question() {
        let mut daemons = Daemons::default();
        let (first, mut queue) = daemons.join(time(1));
        let (second, _other_queue) = daemons.join(time(1));
        assert_eq!(queue.try_recv().unwrap(), time(1));

        let stale = daemons.propose();
        daemons.hear(first, DaemonMessage::Idle { id: stale, frames: FrameCounts::new() });
        let question = daemons.propose();
        daemons.hear(second, DaemonMessage::Idle { id: question, frames: FrameCounts::new() });
        assert_eq!(daemons.all_idle(question), None, "the first answered an older question");
        daemons.hear(
            first,
            DaemonMessage::Idle { id: question, frames: FrameCounts::from([("1".to_owned(), 4)]) },
        );
        assert_eq!(daemons.all_idle(question).unwrap()[0]["1"], 4);
        assert_eq!(queue.try_recv().unwrap(), ClockMessage::Propose { id: stale });
    }

    #[test]
    fn a_jump_is_applied_when_all_show_it_or_are_gone() {
        let mut daemons = Daemons::default();
        let (first, _queue) = daemons.join(time(1));
        let (second, _other_queue) = daemons.join(time(1));
        daemons.tell_time(50, 1.0);
        daemons.hear(first, DaemonMessage::TimeOk { now_us: 50 });
        assert!(!daemons.all_applied(50));
        daemons.leave(second);
        assert!(daemons.all_applied(50));
        daemons.tell_time(60, 1.0);
        daemons.drop_laggards(60);
        assert!(daemons.is_empty());
    }
}
