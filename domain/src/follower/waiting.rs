//! What may not leave yet although the budget has room: an exit for which nothing is free, a sell whose cover is missing,
//! an entry whose margin is being asked for, or whose account has not been read yet.

use std::time::Duration;

use super::gatekeeping::{MarginAsked, may_fill};
use super::holdings::Line;
use super::{Effect, FollowerBook};
use crate::gates::entry::MarginCheck;
use crate::ids::ClientOrderId;
use crate::instrument::{Instrument, InstrumentKey};
use crate::ledger::ExitKind;
use crate::mirror::{COPY, Change, ChangeRequest, ChangeState, Child, Mirror, REPAIR, rank_of};
use crate::order::lifecycle::ChildState;
use crate::order::{OrderTerms, Side};
use crate::pacing::Purpose;
use crate::policy::MissingCover;
use crate::quantity::{LotSize, Quantity};
use crate::time::Timestamp;
use crate::trading::TradingState;

/// So much later a time is over for certain.
const MOMENT: Duration = Duration::from_millis(1);

/// Why something waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Until held units that other exits may close are free.
    Room,
    /// Until an order that works is over: as many work as may.
    Place,
    /// Until another leg has filled, but no longer than this.
    Until(Timestamp),
    /// The cover is missing for good.
    CoverMissing,
    /// Until the broker's calculator has said what it needs.
    Margin,
    /// Until the account trades again.
    Stopped,
    /// Until the leader is heard again.
    Unheard,
    /// Until the account's own books tell what a life before has left.
    Unread,
}

impl FollowerBook {
    /// Why a child that is to be placed, or raised by so many units, may not leave yet.
    pub(super) fn wait(&self, mirror: &Mirror, child: &Child, now: Timestamp) -> Option<Wait> {
        let units = match child.state {
            ChildState::Planned => child.terms.quantity,
            _ => raised_by(child),
        };
        // A stopped account's entries that work are left as they are; only what lowers or cancels them passes.
        let changes = child.state != ChildState::Planned
            && child.request.as_deref().is_some_and(|request| request.purpose(child) == Purpose::Entry);
        if changes && self.trading.state != TradingState::Active {
            return Some(Wait::Stopped);
        }
        if units.is_zero() {
            return None;
        }
        if let Some(wait) = self.waits_for_account(child, now) {
            return Some(wait);
        }
        match child.purpose {
            Purpose::Exit => {
                // What it may come to is part of what a change asks for.
                let is_change = child.state != ChildState::Planned;
                let known = if is_change { u64::from(may_fill(child).get()) } else { 0 };
                if known + u64::from(units.get()) > self.room(mirror, child) {
                    return Some(Wait::Room);
                }
                self.waits_for_short(mirror, child, now)
            }
            Purpose::Entry if !self.hears_leader => Some(Wait::Unheard),
            Purpose::Entry if self.waits_for_place(child) => Some(Wait::Place),
            Purpose::Entry => {
                self.waits_for_cover(mirror, child, now).or_else(|| self.waits_for_margin(mirror, child))
            }
        }
    }

    /// Whether as many orders work as may: what an order cannot grow by any more was let through as a change of it, and leaves
    /// once that one is over.
    fn waits_for_place(&self, child: &Child) -> bool {
        let most = self.settings.entry.caps.open_orders.filter(|_| child.state == ChildState::Planned);
        most.is_some_and(|most| self.mirrors.entries_out() >= most)
    }

    /// Units that an exit may still close: what is held, less what other exits may close of it. One limit and one stop
    /// may rest for the same units as long as both are wanted; what is on its way out counts until it is proven gone.
    fn room(&self, mirror: &Mirror, child: &Child) -> u64 {
        let Some(line) = self.lines.get(&child.terms.instrument) else { return 0 };
        let kinds = [ExitKind::Limit, ExitKind::Stop].into_iter().filter(|kind| comes_as(child, *kind));
        kinds.map(|kind| self.room_as(kind, line, mirror, child)).min().unwrap_or(0)
    }

    fn room_as(&self, kind: ExitKind, line: &Line, mirror: &Mirror, child: &Child) -> u64 {
        let side = child.terms.side;
        let mut taken = 0;
        for other in self.mirrors.live(child.terms.instrument) {
            let exits = || {
                let counts = |of: &&Child| {
                    let is_it = of.client_order_id == child.client_order_id;
                    of.is_live()
                        && of.terms.side == side
                        && of.purpose == Purpose::Exit
                        && !is_it
                        && of.state != ChildState::Planned
                };
                other.children.iter().filter(counts)
            };
            let is_same = other.leader.broker_order_id == mirror.leader.broker_order_id;
            let is_of_kind = is_same || line.refuses_overlap;
            let alike: u64 = exits()
                .filter(|of| is_of_kind || of.key.leg == REPAIR || may_be(of, kind))
                .map(|of| u64::from(may_fill(of).get()))
                .sum();
            let other_kind: u64 = exits()
                .filter(|of| !is_of_kind && of.key.leg == COPY && !may_be(of, kind))
                .map(|of| u64::from(may_fill(of).get()))
                .sum();
            let wanted = other.allotment.map_or(0, |allotment| u64::from(allotment.closing));
            let wanted = wanted.saturating_sub(other.filled());
            taken += alike + other_kind.saturating_sub(wanted);
        }
        line.closable_by(side).saturating_sub(taken)
    }

    /// A sell that opens, where the leader has bought what covers it: the follower's own cover must have filled.
    fn waits_for_cover(&self, mirror: &Mirror, child: &Child, now: Timestamp) -> Option<Wait> {
        let sells = child.at_most().saturating_sub(child.cumulative);
        if self.spread_of(mirror, child)?.covers(sells.get()) {
            return None;
        }
        let is_raise = child.state != ChildState::Planned;
        let since = if is_raise { mirror.leader.ts_event } else { mirror.leader.ts_first_seen };
        let until = since.plus(self.settings.spread.cover_wait);
        if now < until {
            return Some(Wait::Until(until));
        }
        match self.settings.spread.on_missing_cover {
            MissingCover::Skip => Some(Wait::CoverMissing),
            MissingCover::Send => None,
        }
    }

    /// Units, in whole lots, of a sell whose cover is missing that are covered all the same.
    pub(super) fn covered_part(&self, mirror: &Mirror, child: &Child) -> Quantity {
        let lot = mirror.sizing.map_or(LotSize::ONE, |sizing| sizing.lot_size).get();
        let Some(spread) = self.spread_of(mirror, child) else { return Quantity::ZERO };
        let fewer = (1..child.terms.quantity.get().div_ceil(lot)).rev().map(|lots| lots * lot);
        fewer.into_iter().find(|units| spread.covers(*units)).map_or(Quantity::ZERO, Quantity::new)
    }

    /// What both hold of the options that may cover a sell; none where it needs no cover, for the leader has none.
    fn spread_of(&self, mirror: &Mirror, child: &Child) -> Option<SpreadHeld> {
        if child.terms.side != Side::Sell || child.key.leg != COPY {
            return None;
        }
        let own = self.lines.get(&child.terms.instrument)?;
        let instrument = own.instrument.as_deref()?;
        instrument.option?;
        let mut held = SpreadHeld::default();
        for (key, line) in &self.lines {
            if !line.instrument.as_deref().is_some_and(|other| hedges(instrument, other)) {
                continue;
            }
            let is_own = *key == child.terms.instrument;
            held.leader_short += line.leader.min(0).unsigned_abs();
            held.short += line.closable().min(0).unsigned_abs() + self.selling(*key, &child.client_order_id);
            if !is_own {
                held.leader_long += line.leader.max(0).unsigned_abs() + line.leader_buys;
                held.long += line.closable().max(0).unsigned_abs();
            }
        }
        let leader_left = mirror.leader.standing_quantity().saturating_sub(mirror.leader.cumulative);
        held.leader_short = (held.leader_short + u64::from(leader_left.get())).max(1);
        (held.leader_long > 0).then_some(held)
    }

    /// Whether an exit of the other kind works for the same units.
    pub(super) fn has_other_exit(&self, child: &Child) -> bool {
        let children = self.mirrors.live(child.terms.instrument).flat_map(|of| &of.children);
        let mut others = children.filter(|of| {
            of.is_live()
                && of.purpose == Purpose::Exit
                && of.terms.side == child.terms.side
                && kind_of(&of.terms) != kind_of(&child.terms)
        });
        others.next().is_some()
    }

    /// Units of one line that sells may yet open, but for one child.
    fn selling(&self, instrument: InstrumentKey, but: &ClientOrderId) -> u64 {
        let children = self.mirrors.live(instrument).flat_map(|of| &of.children);
        let sells = children.filter(|of| {
            of.is_live()
                && of.terms.side == Side::Sell
                && of.purpose == Purpose::Entry
                && of.state != ChildState::Planned
                && of.client_order_id != *but
        });
        sells.map(|of| u64::from(may_fill(of).get())).sum()
    }

    /// The sale of what covers a short that is being bought back: the short goes first.
    fn waits_for_short(&self, mirror: &Mirror, child: &Child, now: Timestamp) -> Option<Wait> {
        if child.terms.side != Side::Sell {
            return None;
        }
        let instrument = self.lines.get(&child.terms.instrument)?.instrument.as_deref()?;
        instrument.option?;
        let is_bought_back = self.lines.iter().any(|(key, line)| {
            let is_hedge = line.instrument.as_deref().is_some_and(|other| hedges(instrument, other));
            *key != child.terms.instrument && is_hedge && line.closable() < 0 && self.buys_back(line)
        });
        let since = mirror.leader.ts_first_seen.max(mirror.leader.ts_first_event);
        let until = since.plus(self.settings.spread.exit_wait);
        (is_bought_back && now < until).then_some(Wait::Until(until))
    }

    fn buys_back(&self, line: &Line) -> bool {
        let mirrors = line.active.iter().filter_map(|id| self.mirrors.get(id));
        mirrors.into_iter().any(|mirror| {
            let wants = mirror.allotment.is_some_and(|share| u64::from(share.closing) > mirror.filled());
            let flattens = mirror.allotment.is_some_and(|share| share.flatten > 0);
            let is_buy =
                |of: &Child| of.is_live() && of.terms.side == Side::Buy && of.purpose == Purpose::Exit;
            (wants && mirror.leader.terms.side == Side::Buy)
                || (flattens && mirror.children.iter().any(is_buy))
        })
    }

    fn waits_for_margin(&self, mirror: &Mirror, child: &Child) -> Option<Wait> {
        if self.settings.entry.margin != MarginCheck::Broker {
            return None;
        }
        let opens = opens(child)?;
        let is_told = |asked: &MarginAsked| asked.is_told && asked.terms == opens;
        // The calculator looks at one order alone: of what is covered it would say too much.
        let passes = self.margins.get(&child.client_order_id).is_some_and(is_told)
            || self.is_covered(mirror, child, opens.quantity);
        (!passes).then_some(Wait::Margin)
    }

    /// Lets what waited ask again.
    pub(super) fn requeue(&mut self) {
        for id in std::mem::take(&mut self.held_back).into_iter().rev() {
            // A cancel may have taken the place of what was held back.
            let place = self.child(&id).map(|(_, child)| (rank_of(child), child.held_until));
            if let Some((rank, held_until)) = place {
                self.queue.put_back(id, rank, held_until);
            }
        }
    }

    /// Takes what may not leave out of the queue until something changes.
    pub(super) fn hold_back(
        &mut self,
        id: &ClientOrderId,
        wait: Wait,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let Some((_, child)) = self.child(id) else { return };
        let opens = opens(child);
        self.queue.remove(id);
        if !self.held_back.contains(id) {
            self.held_back.push(id.clone());
        }
        match wait {
            Wait::Until(moment) => effects.push(Effect::WakeAt(moment)),
            Wait::Margin => {
                // One question at a time: what changed meanwhile is asked about after its answer.
                let is_asking = self.margins.get(id).is_some_and(|asked| !asked.is_told);
                if let Some(terms) = opens.filter(|_| !is_asking) {
                    self.margins.insert(id.clone(), MarginAsked { terms: terms.clone(), is_told: false });
                    effects.push(Effect::AskMargin { client_order_id: id.clone(), terms });
                }
            }
            // Nothing happens meanwhile that would wake it: when it is too old for certain, it is given up.
            Wait::Unread | Wait::Unheard => {
                effects.push(Effect::WakeAt(now.plus(self.settings.copy.entry_age_max + MOMENT)));
            }
            Wait::Room | Wait::Place | Wait::CoverMissing | Wait::Stopped => {}
        }
    }
}

/// Units of the options of a spread.
#[derive(Debug, Default)]
struct SpreadHeld {
    leader_long: u64,
    leader_short: u64,
    long: u64,
    short: u64,
}

impl SpreadHeld {
    /// Whether so many units more may be sold: where the leader has covered a part, that part of ours is to be covered.
    fn covers(&self, units: u32) -> bool {
        let needed = (self.short + u64::from(units)) * self.leader_long.min(self.leader_short);
        self.long >= needed / self.leader_short
    }
}

/// What a child that waits would open: the order, or what its change adds to it.
pub(super) fn opens(child: &Child) -> Option<OrderTerms> {
    let terms = match child.request.as_deref().map(|request| &request.change) {
        _ if child.state == ChildState::Planned => &child.terms,
        Some(Change::Modify { terms, .. }) => terms,
        _ => return None,
    };
    Some(OrderTerms { quantity: child.opens_yet(), ..terms.clone() })
        .filter(|terms| !terms.quantity.is_zero())
}

/// Units that a change about to leave would add.
pub(super) fn raised_by(child: &Child) -> Quantity {
    match child.request.as_deref().map(|request| &request.change) {
        Some(Change::Modify { .. }) => child.opens_yet(),
        _ => Quantity::ZERO,
    }
}

const fn kind_of(terms: &OrderTerms) -> ExitKind {
    if terms.order_type.is_stop() { ExitKind::Stop } else { ExitKind::Limit }
}

/// Whether an exit may be of a kind by now: until a change of it is proven it may have come about, and it may not.
fn may_be(child: &Child, kind: ExitKind) -> bool {
    let under_way = child.request.as_deref().filter(|request| request.state != ChangeState::Planned);
    let is_changed = under_way.is_some_and(|request| comes_to(request, kind));
    let was = |before: &OrderTerms| kind_of(before) == kind;
    // A stop that has fired is a limit that trades now: what it was to close, no other stop may count on.
    let has_fired = child.has_fired && kind == ExitKind::Stop;
    kind_of(&child.terms) == kind
        || is_changed
        || has_fired
        || (under_way.is_some() && child.asked_before.iter().any(was))
}

/// Whether what waits to leave is, or may come to be, of a kind.
fn comes_as(child: &Child, kind: ExitKind) -> bool {
    may_be(child, kind) || child.request.as_deref().is_some_and(|request| comes_to(request, kind))
}

fn comes_to(request: &ChangeRequest, kind: ExitKind) -> bool {
    matches!(&request.change, Change::Modify { terms, .. } if kind_of(terms) == kind)
}

/// Whether one option may cover the other: calls or puts of one underlying and one expiry.
pub(super) fn hedges(one: &Instrument, other: &Instrument) -> bool {
    let kind = |of: &Instrument| of.option.map(|option| option.option_type);
    one.underlying == other.underlying
        && one.expiry == other.expiry
        && kind(one).is_some()
        && kind(one) == kind(other)
}
