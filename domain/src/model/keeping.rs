//! What outlives a process, and the moments at which it may die. In the tests of the core alone it lives for ever and keeps
//! nothing; the simulation of the whole keeps real rows.

use super::world::Checked;
use crate::follower::{Alert, Event, Record};
use crate::mirror::Request;
use crate::time::Timestamp;

/// A boundary between two effects: what comes before it is done, and nothing that comes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Boundary {
    /// Something was heard or read, and nothing was made of it.
    Told,
    /// It was decided, and nothing is durable.
    BeforeCommit,
    /// A part of what was decided is durable.
    BetweenCommits,
    /// It is durable, and what was to follow does not.
    Committed,
    /// A request has left, and nobody knows that it did.
    Sent,
}

pub(super) trait Keeping {
    /// Makes records durable, all or none, after those of before.
    fn commit(&mut self, records: &[Record], now: Timestamp) -> Checked;

    /// Whether the answer to that comes later, while other things happen.
    fn is_slow(&mut self) -> bool;

    /// A request leaves.
    fn leaves(&mut self, request: &Request, now: Timestamp);

    /// Whether the process dies here, about this event.
    fn dies(&mut self, at: Boundary, about: &'static str) -> bool;

    /// A person is told.
    fn raise(&mut self, alert: &Alert);
}

/// A process that never dies.
#[derive(Debug)]
pub(super) struct Forever;

impl Keeping for Forever {
    fn commit(&mut self, _: &[Record], _: Timestamp) -> Checked {
        Ok(())
    }

    fn is_slow(&mut self) -> bool {
        false
    }

    fn leaves(&mut self, _: &Request, _: Timestamp) {}

    fn dies(&mut self, _: Boundary, _: &'static str) -> bool {
        false
    }

    fn raise(&mut self, _: &Alert) {}
}

/// An event in one word.
pub(super) const fn name(event: &Event) -> &'static str {
    match event {
        Event::Plan { .. } => "plan",
        Event::Together(_) => "together",
        Event::Left => "left",
        Event::Answered { .. } => "answer",
        Event::Book(_) => "book",
        Event::Report(_) => "report",
        Event::NotFound(_) => "lookup",
        Event::Control(_) => "control",
        Event::Positions { .. } => "positions",
        Event::LeaderPositions { .. } => "leader's positions",
        Event::Funds { .. } => "funds",
        Event::Margin { .. } => "margin",
        Event::Credentials { .. } => "credentials",
        Event::Tick => "time",
        _ => "other",
    }
}
