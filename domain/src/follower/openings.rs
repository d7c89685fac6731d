//! What was held before today: the leader's, never copied; the follower's by copies of earlier days, and his owner's.
//!
//! The account's positions tell it, and for hours after midnight they may still be those of the day before (P29): then what
//! they call carried is what *that* day began with. Until they have turned, what is held is what was held before today, for
//! nothing has traded yet. Such a figure is told anew by each read, in a new life too; what a read tells after that stands.

use std::collections::BTreeMap;

use super::{Effect, FollowerBook, Opening, Record};
use crate::account::PositionReport;
use crate::instrument::InstrumentKey;
use crate::time::Timestamp;

/// Whose positions tell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Leader,
    Follower,
}

/// Which parts of an opening books told that had turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stands {
    leader: bool,
    follower: bool,
}

impl Stands {
    const fn of(&mut self, whose: Whose) -> &mut bool {
        match whose {
            Whose::Leader => &mut self.leader,
            Whose::Follower => &mut self.follower,
        }
    }
}

impl FollowerBook {
    /// Takes back what was held before today, as it was recorded, and when.
    pub fn restore_openings(&mut self, openings: impl IntoIterator<Item = (Opening, Timestamp)>) {
        for (opening, recorded_at) in openings {
            let stands = self.have_turned(opening.instrument, recorded_at);
            let line = self.lines.entry(opening.instrument).or_default();
            line.opening = Some(opening);
            line.stands = Stands { leader: stands, follower: stands };
        }
    }

    /// Whether positions read at a moment tell of that day, and not of the one before. Where the calendar knows no session
    /// the broker may see no reason to turn them.
    pub(super) fn have_turned(&self, instrument: InstrumentKey, read_at: Timestamp) -> bool {
        self.settings.calendar.books_have_turned(instrument.segment, read_at)
    }

    /// Takes in what an account's positions say of what was held before today.
    pub(super) fn open_by(
        &mut self,
        whose: Whose,
        positions: &[PositionReport],
        started_at: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let mut held: BTreeMap<InstrumentKey, i64> = BTreeMap::new();
        for position in positions {
            let has_turned = self.have_turned(position.instrument, started_at);
            let before_today = if has_turned { position.carried } else { position.net };
            *held.entry(position.instrument).or_default() += before_today.0;
        }
        // What stands no more where it was is not held any more.
        for (instrument, line) in &mut self.lines {
            if line.opening.is_some() && !*line.stands.of(whose) {
                held.entry(*instrument).or_default();
            }
        }
        for (instrument, units) in held {
            self.open(instrument, whose, units, started_at, effects);
        }
    }

    fn open(
        &mut self,
        instrument: InstrumentKey,
        whose: Whose,
        units: i64,
        read_at: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let has_turned = self.have_turned(instrument, read_at);
        // A day of which the calendar knows nothing: what is held is not what was held before it any more.
        let is_too_late = !has_turned && self.has_traded(instrument);
        let copies = self.carried.get(&instrument).copied().unwrap_or(0);
        let line = self.lines.entry(instrument).or_default();
        if is_too_late {
            return;
        }
        let nothing = Opening { instrument, leader: 0, copied: 0, own: 0 };
        let before = line.opening.unwrap_or(nothing);
        let opening = match whose {
            Whose::Leader => Opening { leader: units, ..before },
            Whose::Follower => {
                let copied = bounded(copies, units);
                Opening { copied, own: units - copied, ..before }
            }
        };
        let stands = std::mem::replace(line.stands.of(whose), has_turned);
        // What was recorded once stands; what was nothing may have been told by nobody yet.
        let is_told = |was: i64, is: i64| stands && was != 0 && was != is;
        if is_told(before.leader, opening.leader)
            || is_told(before.own, opening.own)
            || is_told(before.copied, opening.copied)
        {
            *line.stands.of(whose) = true;
            return;
        }
        if opening != before {
            line.opening = Some(opening);
            line.count_anew();
            self.dirty.insert(instrument);
            effects.push(Effect::Commit { records: vec![Record::Opening(opening)], then: None });
        }
    }

    /// Whether anything in an instrument has filled today, in either account.
    fn has_traded(&self, instrument: InstrumentKey) -> bool {
        let Some(line) = self.lines.get(&instrument) else { return false };
        let mut mirrors = line.orders.iter().filter_map(|id| self.mirrors.get(id));
        line.external != 0
            || mirrors.any(|mirror| !mirror.leader.cumulative.is_zero() || mirror.filled() != 0)
    }
}

/// Copies of earlier days, no more than the account still carries.
const fn bounded(copied: i64, carried: i64) -> i64 {
    if copied.signum() != carried.signum() {
        0
    } else if copied.abs() < carried.abs() {
        copied
    } else {
        carried
    }
}
