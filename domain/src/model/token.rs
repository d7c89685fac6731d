//! The token with which the follower's account is used. On some days it ends, and after a while there is another; in between
//! his broker refuses every call, and by that the process learns of it.
//!
//! Who is told what, and when, is as with the follower's actor (`on_credentials_refused` and `on_token_taken` in
//! `actors/src/follower_orders/reads.rs`, `kept_from_leaving` in `sending.rs`, `refused` in `actors/src/token_keeper.rs`).

use super::chance::Chance;
use super::world::{Checked, World};
use crate::follower::Event;
use crate::order::lifecycle::ChildState;
use crate::pacing::Purpose;

/// How many of a hundred followers' days one ends on.
const ENDING: u32 = 30;
/// How many of a hundred steps it ends at, and how many of those after it there is another at.
const ENDS: u32 = 3;
const REPLACED: u32 = 4;

/// The token in hand.
#[derive(Debug)]
pub(super) struct Token {
    /// What becomes of it is drawn from numbers of its own: days on which none ends are as they would be without this.
    chance: Chance,
    /// Whether one may end today, as long as none has.
    pub(super) will_end: bool,
    /// Where it is to end when there is something to close, and another to come once so many exits wait for it: how many.
    pub(super) exits_awaited: usize,
    /// How many there were before it.
    pub(super) number: u32,
    /// The broker takes it no more.
    pub(super) is_dead: bool,
    /// The process knows that.
    pub(super) is_refused: bool,
    /// This life has asked for the account's positions, and was refused.
    pub(super) owes_positions: bool,
}

impl Token {
    pub(super) fn new(mut chance: Chance) -> Self {
        let will_end = chance.percent(ENDING);
        Self {
            chance,
            will_end,
            exits_awaited: 0,
            number: 0,
            is_dead: false,
            is_refused: false,
            owes_positions: false,
        }
    }
}

impl World {
    /// It ends, or is replaced, or neither.
    pub(super) fn token_turns(&mut self) -> Checked {
        let awaited = self.token.exits_awaited;
        if self.token.is_dead {
            let is_due = match awaited {
                0 => self.token.chance.percent(REPLACED),
                _ => self.token.is_refused && self.exits_waiting() >= awaited,
            };
            return if is_due { self.token_is_replaced() } else { Ok(()) };
        }
        let is_due = match awaited {
            0 => self.token.chance.percent(ENDS),
            _ => self.is_anything_held(),
        };
        if self.token.will_end && is_due {
            (self.token.will_end, self.token.is_dead) = (false, true);
            self.note(|| "the token ends".to_owned());
            self.reach("a token that ended");
        }
        Ok(())
    }

    /// There is another: the account goes on, and is read again.
    pub(super) fn token_is_replaced(&mut self) -> Checked {
        if !self.token.is_dead {
            return Ok(());
        }
        self.note(|| "another token".to_owned());
        self.token.number += 1;
        self.token.is_dead = false;
        if self.is_dead {
            return Ok(());
        }
        if self.token.is_refused {
            if self.exits_waiting() > 0 {
                self.reach("an exit that waited for a token");
            }
            self.tell(Event::Credentials { refused: false })?;
            self.tell_funds()?;
        } else {
            self.reach("a token replaced before anybody knew");
        }
        if std::mem::take(&mut self.token.owes_positions) {
            self.tell_positions()?;
        }
        self.read_begins()
    }

    fn is_anything_held(&self) -> bool {
        (0..self.policies.instruments).any(|instrument| self.held(instrument) != 0)
    }

    fn exits_waiting(&self) -> usize {
        let mirrors = (0..self.seen.len()).filter_map(|number| self.mirror(number));
        let children = mirrors.flat_map(|mirror| &mirror.children);
        children.filter(|child| child.state == ChildState::Planned && child.purpose == Purpose::Exit).count()
    }

    /// A call is made, or would be: whether the broker refuses it for the token.
    pub(super) fn is_call_refused(&mut self) -> Result<bool, String> {
        let (number, is_dead) = (self.token.number, self.token.is_dead);
        if is_dead {
            self.hear_refusal(number)?;
        }
        Ok(is_dead)
    }

    /// A call with that token was refused for it. Of the one that has taken its place that says nothing.
    pub(super) fn hear_refusal(&mut self, number: u32) -> Checked {
        if number != self.token.number || self.token.is_refused || self.is_dead {
            return Ok(());
        }
        // What is not opened now is not opened later, and what is to be closed waits.
        (0..self.policies.instruments).for_each(|instrument| self.blot(instrument, "token"));
        self.tell(Event::Credentials { refused: true })
    }

    /// Something has come about that a day is to come to.
    pub(super) fn reach(&mut self, what: &'static str) {
        self.come_to.insert(what);
    }
}
