//! What can happen in a day, one thing at a time, in any order.

use std::time::Duration;

use super::chance::Chance;
use super::world::{Checked, MILLI, World};
use crate::follower::Event;

/// A request arrives within this, or not at all.
const ON_THE_WIRE: i64 = 800 * MILLI;
/// The books show a new order within this: with the time on the wire less than the settle time, or P4 could not hold.
pub(super) const SILENT: u32 = 1_000;

pub(super) type Step = fn(&mut World) -> Checked;

/// What the leader does, and what is heard of it: and how often.
pub(super) const LEADING: [(u32, Step); 12] = [
    (7, World::leader_places),
    (5, World::leader_changes),
    (2, World::leader_cancels),
    (9, World::leader_is_accepted),
    (8, World::leader_fills),
    (1, World::leader_is_rejected),
    (1, World::leader_expires),
    (3, World::leader_fires),
    (2, World::leader_ioc_ends),
    (18, World::leader_frame),
    (2, World::snapshot),
    (1, World::leader_frame_is_lost),
];

/// What happens in the follower's account, and is told of it.
pub(super) const FOLLOWING: [(u32, Step); 20] = [
    (12, World::request_arrives),
    (12, World::answer_comes),
    (8, World::follower_is_accepted),
    (8, World::follower_fills),
    (3, World::follower_fires),
    (1, World::follower_is_rejected),
    (1, World::follower_is_squared_off),
    (2, World::follower_ioc_ends),
    (8, World::follower_frame),
    (3, World::read_begins),
    (4, World::read_ends),
    (4, World::lookup_ends),
    (1, World::hand),
    (2, World::external),
    (2, World::positions_are_asked),
    (2, World::positions_are_told),
    (1, World::leader_positions_are_told),
    (1, World::funds_are_told),
    (4, World::margin_is_told),
    (2, World::operator_speaks),
];

/// How often time passes.
pub(super) const PASSING: u32 = 14;

/// What finds nothing to happen to is no step: so often it is tried again.
pub(super) const TRIES: u32 = 8;

/// How long, when it passes.
pub(super) fn span(chance: &mut Chance) -> i64 {
    let millis = if chance.percent(85) { chance.below(1_500) } else { chance.below(9_000) };
    i64::from(millis) * MILLI
}

impl World {
    /// Time runs on; who asked to be woken is, at his time and at no other.
    pub(super) fn pass(&mut self, span: i64) -> Checked {
        self.happened += 1;
        let until = self.now + span;
        loop {
            let late = self.outbox.iter().map(|sent| sent.at + ON_THE_WIRE).min();
            let wake = self.wakes.first().copied();
            let next = [late, wake].into_iter().flatten().min().filter(|at| *at <= until);
            let Some(next) = next else { break };
            self.now = self.now.max(next);
            if late == Some(next) {
                let at = self.outbox.iter().position(|sent| sent.at + ON_THE_WIRE == next).unwrap_or(0);
                let sent = self.outbox.swap_remove(at);
                self.arrive(sent)?;
            } else {
                self.wakes.pop_first();
                self.tell(Event::Tick)?;
            }
        }
        self.now = until;
        Ok(())
    }
}

/// The longest a request may take, for the rule that an absent order is proven by what came later.
#[test]
fn what_arrives_is_shown_within_the_settle_time() {
    let longest = Duration::from_micros(ON_THE_WIRE.unsigned_abs()) + Duration::from_millis(SILENT.into());
    assert!(longest < Duration::from_secs(2));
}
