//! What the leader opened and closed, and what of it the follower should hold: the arithmetic of the oracle, in fractions
//! of lots. Design, section 4: when the leader goes from one net to another nearer to nothing, what the follower holds of
//! it shrinks by the same fraction; when he holds nothing, so does the follower.

use std::collections::BTreeMap;

use super::exchange::LOT;
use super::fraction::Fraction;

/// One growth of one of the leader's orders, as it was told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Growth {
    /// By the broker's clock, which knows whole seconds: when, and when its order was placed.
    pub(super) at: i64,
    pub(super) placed: i64,
    pub(super) order: usize,
    /// Signed as it moves his net.
    pub(super) units: i64,
}

impl Growth {
    /// Of what is told for one second, what was placed first is first.
    const fn place(&self) -> (i64, i64, usize) {
        (self.at, self.placed, self.order)
    }
}

/// One instrument.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// What was held before: by the leader, by the follower because of copies, by his owner.
    pub(super) carried: Carried,
    growths: Vec<Growth>,
    pool: Pool,
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Carried {
    pub(super) leader: i64,
    pub(super) copied: i64,
    pub(super) own: i64,
}

/// What the follower should hold by what his copies in fact opened, as far as that is beyond dispute: nothing filled
/// before the leader, nothing late, nothing told out of order.
#[derive(Debug)]
struct Pool {
    leader: i64,
    /// Lots, on the leader's side.
    lots: Fraction,
    closings: u32,
    orders: BTreeMap<usize, Opened>,
    last: (i64, i64, usize),
    is_disputed: bool,
}

#[derive(Debug, Default, Clone, Copy)]
struct Opened {
    by_leader: i64,
    by_follower: i64,
    /// How often the leader had closed when this last opened.
    closings: u32,
    /// Whether it opened before a closing and goes on after it: which of them a fill of its copy is for, nobody can tell.
    is_split: bool,
    is_over: bool,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            leader: 0,
            lots: Fraction::ZERO,
            closings: 0,
            orders: BTreeMap::new(),
            last: (i64::MIN, 0, 0),
            is_disputed: false,
        }
    }
}

impl Tally {
    pub(super) fn new(carried: Carried) -> Self {
        let counts = carried.leader.signum() == carried.copied.signum();
        let pool = Pool {
            leader: carried.leader,
            lots: if counts { lots(carried.copied.abs()) } else { Fraction::ZERO },
            ..Pool::default()
        };
        Self { carried, pool, ..Self::default() }
    }

    /// The leader's order is heard of again.
    pub(super) fn hear(&mut self, order: usize, is_over: bool) {
        if let Some(opened) = self.pool.orders.get_mut(&order) {
            opened.is_over = is_over;
        }
    }

    /// The leader's order has grown; whether it was told in its turn.
    pub(super) fn grow(&mut self, growth: Growth, is_over: bool, ratio: Option<Fraction>) -> bool {
        self.growths.push(growth);
        let place = growth.place();
        let in_turn = place >= self.pool.last;
        self.pool.is_disputed |= !in_turn;
        self.pool.last = place;
        let closes = closed(self.pool.leader, growth.units);
        if closes > 0 {
            self.pool.close(closes, ratio);
        }
        self.pool.leader += growth.units;
        let opens = growth.units.abs() - closes;
        let closings = self.pool.closings;
        let opened = self.pool.orders.entry(growth.order).or_default();
        opened.is_over = is_over;
        if opens > 0 {
            opened.is_split |= opened.by_leader > 0 && opened.closings != closings;
            opened.by_leader += opens;
            opened.closings = closings;
        }
        in_turn
    }

    /// Whether so many units more would close something of his.
    pub(super) const fn closes(&self, units: i64) -> bool {
        closed(self.pool.leader, units) > 0
    }

    /// A copy that was sent to open has filled.
    pub(super) fn opened(&mut self, order: usize, units: i64) {
        let pool = &mut self.pool;
        let opened = pool.orders.entry(order).or_default();
        opened.by_follower += units.abs();
        let in_time = opened.by_leader > 0 && opened.closings == pool.closings && !opened.is_split;
        pool.is_disputed |= !in_time || units.signum() != pool.leader.signum();
        pool.lots = pool.lots + lots(units.abs());
    }

    /// What happens now is no clean case any more.
    pub(super) const fn dispute(&mut self) {
        self.pool.is_disputed = true;
    }

    fn sorted(&self) -> Vec<Growth> {
        let mut sorted = self.growths.clone();
        sorted.sort_by_key(Growth::place);
        sorted
    }

    /// What perfect copying with an exact ratio would hold, in signed lots; and how often and by how many orders
    /// something was opened.
    pub(super) fn ideal(&self, ratio: Fraction) -> (Fraction, i64) {
        let mut leader = self.carried.leader;
        let counts = leader.signum() == self.carried.copied.signum();
        let mut held = if counts { lots(self.carried.copied) } else { Fraction::ZERO };
        let mut openers = std::collections::BTreeSet::new();
        for growth in self.sorted() {
            let closes = closed(leader, growth.units);
            if closes > 0 {
                held = held * Fraction::new((leader.abs() - closes).into(), leader.abs().into());
            }
            leader += growth.units;
            let opens = growth.units.signum() * (growth.units.abs() - closes);
            if opens != 0 {
                openers.insert(growth.order);
                held = held + lots(opens) * ratio;
            }
        }
        (held, i64::try_from(openers.len()).unwrap_or(i64::MAX))
    }

    /// Whether the leader has ever opened anything by an order, as far as told; and closed.
    pub(super) fn uses_of(&self, order: usize) -> (bool, bool) {
        let mut leader = self.carried.leader;
        let (mut opens, mut closes) = (false, false);
        for growth in self.sorted() {
            let closed = closed(leader, growth.units);
            if growth.order == order {
                closes |= closed > 0;
                opens |= closed < growth.units.abs();
            }
            leader += growth.units;
        }
        (opens, closes)
    }

    /// What the follower should hold by what his copies have opened, in signed lots; none where that is disputable.
    pub(super) fn undisputed(&self) -> Option<i64> {
        let pool = &self.pool;
        (!pool.is_disputed).then(|| pool.lots.nearest() * pool.leader.signum())
    }

    /// Whether the leader has closed a part, and holds something still.
    pub(super) fn is_in_part(&self) -> bool {
        self.pool.leader != 0 && self.pool.closings > 0
    }
}

impl Pool {
    fn close(&mut self, units: i64, ratio: Option<Fraction>) {
        let left = self.leader.abs() - units;
        // While an order of his still works, what of its copies is ahead of him is not in the account yet.
        let is_ahead = |of: &Opened| {
            let share = ratio.map(|ratio| lots(of.by_leader) * ratio);
            !of.is_over && share.is_none_or(|share| lots(of.by_follower) > share)
        };
        self.is_disputed |= self.orders.values().any(is_ahead);
        self.lots = self.lots * Fraction::new(left.into(), self.leader.abs().into());
        self.closings += 1;
        if left == 0 {
            self.closings = 0;
            self.orders.retain(|_, of| !of.is_over);
            self.orders.values_mut().for_each(|of| of.closings = u32::MAX);
        }
    }
}

/// How many of some units close a position.
const fn closed(held: i64, units: i64) -> i64 {
    if held.signum() == -units.signum() {
        if held.abs() < units.abs() { held.abs() } else { units.abs() }
    } else {
        0
    }
}

pub(super) fn lots(units: i64) -> Fraction {
    Fraction::new(units.into(), LOT.into())
}
