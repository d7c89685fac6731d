//! The simulator's clock: it runs at a rate, and it jumps only when every daemon that lives on it agrees.

pub(crate) mod anchor;
pub(crate) mod daemons;
mod driver;
mod holds;
pub mod protocol;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tandem_domain::time::Timestamp;
use thiserror::Error;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

pub use self::anchor::{Rate, RateError};
pub(crate) use self::driver::drive;
use crate::broker::{Broker, Shared};

/// The simulator ended before the clock got there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the simulator stopped")]
pub struct Stopped;

/// A wish to go on to a moment.
#[derive(Debug)]
pub(crate) struct RunUntil {
    target: Timestamp,
    arrived: oneshot::Sender<Timestamp>,
}

/// The switches of the clock. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ClockControl {
    shared: Arc<Shared>,
    runs: mpsc::UnboundedSender<RunUntil>,
}

/// A run under way: look whether it is over, wait for it in a task, or drop it and let it run.
#[derive(Debug)]
pub struct Run {
    arrived: oneshot::Receiver<Timestamp>,
}

impl ClockControl {
    pub(crate) fn new(shared: Arc<Shared>) -> (Self, mpsc::UnboundedReceiver<RunUntil>) {
        let (runs, queue) = mpsc::unbounded_channel();
        (Self { shared, runs }, queue)
    }

    /// The simulated moment.
    pub fn now(&self) -> Timestamp {
        self.shared.lock().now()
    }

    /// Simulated seconds in a real one.
    pub fn rate(&self) -> Rate {
        self.shared.lock().clock.rate()
    }

    /// What keeps a run from jumping at this moment, in words; empty when nothing does.
    pub fn holds(&self) -> Vec<String> {
        self.shared.lock().holds()
    }

    /// Goes on at another rate, and tells the daemons.
    pub fn set_rate(&self, rate: Rate) {
        self.shared.with(|broker| {
            broker.clock.set_rate(rate, Instant::now());
            broker.tell_time();
        });
    }

    /// Goes on to a moment: jumps whenever every daemon is idle (freely when none is connected), at the rate
    /// otherwise. Runs asked for one after another are made one after another. A moment already passed is reached at
    /// once. With the clock stopped and a daemon that waits for time to pass, a run never ends.
    pub fn run_until(&self, target: Timestamp) -> Run {
        let (arrived, run) = oneshot::channel();
        // Fails only when the simulator is gone: then the dropped sender tells the waiter.
        let _ = self.runs.send(RunUntil { target, arrived });
        Run { arrived: run }
    }

    /// As [`ClockControl::run_until`], for a span from now.
    pub fn run_for(&self, span: Duration) -> Run {
        self.run_until(self.now().plus(span))
    }
}

impl Run {
    /// The moment reached, if it was: for whoever waits outside of tasks, with a deadline of his own.
    pub fn reached(&mut self) -> Result<Option<Timestamp>, Stopped> {
        match self.arrived.try_recv() {
            Ok(reached) => Ok(Some(reached)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Closed) => Err(Stopped),
        }
    }

    /// Waits in a task. Answers with the moment reached.
    pub async fn finished(self) -> Result<Timestamp, Stopped> {
        self.arrived.await.map_err(|_| Stopped)
    }
}

impl Broker {
    /// Tells every daemon the time; answers with the moment told.
    pub(crate) fn tell_time(&mut self) -> Timestamp {
        let now = self.now();
        self.daemons.tell_time(now.micros(), self.clock.rate().into());
        now
    }
}
