//! What must be so in the end, worked out from what the two brokers and the owner know. It shares no code with the machine
//! it judges, and holds these rules (design, section 4):
//!
//! 1. *Books.* What the machine counts as filled, order by order and in all, is what the follower's broker filled (P9).
//!    Nothing waits, nothing is in doubt, no request is open (P7), every order has its outcome (P26). A difference between
//!    rows and account that the two do not have is not claimed.
//! 2. *Flat.* Where the leader holds nothing, nothing copied is held; or an incident says why. Nor is anything copied ever
//!    held on the side on which the leader holds nothing.
//! 3. *In part.* What is held after the leader has closed a part is, to the nearest lot and with ties closing, what the
//!    copies had opened, times what he has left of his net ([`Tally::undisputed`]).
//! 4. *In proportion.* Where nothing was refused, cut, stopped, missed or too late, it is within a lot of what perfect
//!    copying would hold, half a lot for the rounding of what was closed aside ([`Tally::ideal`]); within two where an order
//!    took up what another left over and then did not fill.
//! 5. *Nothing rests that should not.* No order works beside an order of the leader's that is over, but for entries that
//!    the owner keeps; exits of one kind never come to more than is held; of a halted account no entry works, of one that
//!    is squared off nothing, and nothing is held.
//! 6. *Terms.* What works beside a working order of the leader's is like it, in the follower's terms.

use super::exchange::{Asked, Kind, LOT, Order};
use super::fraction::Fraction;
use super::speak;
#[cfg(doc)]
use super::tally::Tally;
use super::tally::lots;
use super::world::{Checked, World, hold};
use crate::gap::{GapPolicy, GapResult};
use crate::gates::DeniedReason;
use crate::mirror::{COPY, Mirror, Outcome, REPAIR};
use crate::order::lifecycle::ChildState;
use crate::pacing::Purpose;
use crate::policy::{CopyOn, EntryLeftBehind, MarketOrders};
use crate::sizing::Minimum;

impl World {
    pub(super) fn judge(&self) -> Checked {
        hold!(self.book.waiting_count() == 0, "P7: {} requests wait", self.book.waiting_count());
        hold!(self.book.unknown_count() == 0, "P7: {} in doubt", self.book.unknown_count());
        for instrument in 0..self.policies.instruments {
            self.judge_instrument(instrument)
                .map_err(|words| format!("{words}{}", self.all_of(instrument)))?;
        }
        for order in &self.leader.orders {
            let Some(mirror) = self.mirror(order.number) else {
                return Err(format!("P26: L{} has no outcome", order.number));
            };
            let judged = self.judge_children(mirror).and_then(|()| self.judge_order(order, mirror));
            let about = || format!("\n  about L{}{}", order.number, self.all_of(order.asked.instrument));
            judged.map_err(|words| words + &about())?;
        }
        Ok(())
    }

    fn judge_instrument(&self, instrument: u32) -> Checked {
        let held = self.held(instrument);
        let counted = self.book.copied_units(speak::key(instrument));
        hold!(counted == held, "P9: {counted} units counted, {held} held of instrument {instrument}");
        let drifts = self.drifted.contains(&instrument) && !self.is_blotted(instrument, &["hand"]);
        hold!(!drifts, "rows and account agree, and a difference is claimed");
        self.judge_resting(instrument)?;
        self.judge_flat(instrument)?;
        self.judge_part(instrument)?;
        self.judge_proportion(instrument)
    }

    fn judge_resting(&self, instrument: u32) -> Checked {
        if self.is_blotted(instrument, &["hand", "given up"]) {
            return Ok(());
        }
        let held = self.held(instrument);
        let is_of = |order: &&Order| {
            order.is_live() && order.asked.instrument == instrument && self.copies.contains_key(&order.tag)
        };
        let live: Vec<&Order> = self.follower.orders.iter().filter(is_of).collect();
        let has_carried = self.is_blotted(instrument, &["carried left"]);
        if self.operator.squares_off && !has_carried {
            hold!(live.is_empty(), "squared off, and {} orders work", live.len());
        }
        for buy in [false, true] {
            for stops in [false, true] {
                let is_stop = |order: &Order| matches!(order.asked.kind, Kind::Stop | Kind::StopMarket);
                let alike = live.iter().filter(|order| {
                    let is_exit = !self.is_entry(&order.tag);
                    is_exit && order.asked.buy == buy && is_stop(order) == stops
                });
                let units: u32 = alike.map(|order| order.may_fill()).sum();
                let closable = if (held > 0) == buy { 0 } else { held.unsigned_abs() };
                hold!(u64::from(units) <= closable, "P6: exits of {units} units rest, and {held} are held");
            }
        }
        let is_stopped = |order: &&&Order| {
            let leader = self.copies[&order.tag].leader;
            let was_there = self.operator.halted_at.is_some_and(|at| self.seen[leader].since <= at);
            self.is_entry(&order.tag) && (self.operator.halted || was_there)
        };
        let opens = live.iter().find(is_stopped);
        hold!(opens.is_none(), "halted, and F{} works", opens.map_or(0, |order| order.number));
        Ok(())
    }

    fn judge_flat(&self, instrument: u32) -> Checked {
        let (held, leader) = (self.held(instrument), self.leader_holds(instrument));
        let excuse = self.incident(instrument);
        if self.operator.squares_off {
            hold!(held == 0 || excuse.is_some(), "squared off, and {held} are held");
        }
        let may_be = held == 0 || leader.signum() == held.signum();
        // What waits for his own order to fill may have filled before it; or may yet fill, as that still works.
        let is_ahead = self.is_ahead(instrument) || self.is_leaving(instrument);
        // An evening's overshoot is told, and closed by nothing of today's.
        let is_told = self.is_blotted(instrument, &["left over"])
            && self.is_blotted(instrument, &["overshot", "carried left"]);
        // And of a part of a lot nothing is closed.
        let is_part = self.is_blotted(instrument, &["part of a lot"]) && held.unsigned_abs() < u64::from(LOT);
        hold!(
            may_be || is_ahead || is_told || is_part || excuse.is_some(),
            "the leader holds {leader}, and {held} are held because of copies"
        );
        Ok(())
    }

    fn judge_part(&self, instrument: u32) -> Checked {
        const BLOTS: [&str; 12] = [
            "refused",
            "lost",
            "hand",
            "given up",
            "owner",
            "drift",
            "rejected",
            "expired",
            "all stopped",
            "overshot",
            "overlap",
            "late entry",
        ];
        let tally = &self.tallies[instrument as usize];
        let Some(expected) = tally.undisputed().filter(|_| !self.is_blotted(instrument, &BLOTS)) else {
            return Ok(());
        };
        let held = lots(self.held(instrument));
        let is_even = held == Fraction::whole(expected);
        hold!(
            is_even || self.is_lagging(instrument, false) || !self.has_closed_all(instrument),
            "{held:?} lots are held, and {expected} should be"
        );
        Ok(())
    }

    fn judge_proportion(&self, instrument: u32) -> Checked {
        let Some(ratio) = self.policies.proportion() else { return Ok(()) };
        let is_bounded =
            self.policies.caps != [None; 4] || self.policies.margin != crate::gates::entry::MarginCheck::Off;
        let is_behind = || self.is_lagging(instrument, true) || self.was_too_late(instrument);
        if is_bounded || !self.blots[instrument as usize].is_empty() || is_behind() {
            return Ok(());
        }
        let (ideal, openers) = self.tallies[instrument as usize].ideal(ratio);
        let held = lots(self.held(instrument));
        let each_rounds = !self.policies.remainder || self.policies.minimum == Minimum::OneLot;
        let rounded = if each_rounds { openers } else { 1 + i64::from(self.owes_a_closed_part(instrument)) };
        let bound = Fraction::whole(rounded) + Fraction::new(1, 2);
        let away = (held - ideal).abs();
        hold!(away <= bound, "{held:?} lots are held, perfect copying would hold {ideal:?}");
        Ok(())
    }

    /// Whether an order was refused as too old, and was: to whoever hears of it only when it is over it is as old as its
    /// placing, for of what executed by then only the last moment is told.
    fn was_too_late(&self, instrument: u32) -> bool {
        let age_max = i64::try_from(self.settings.copy.entry_age_max.as_micros()).unwrap_or(i64::MAX);
        let mut orders = self.leader.orders.iter().filter(|order| order.asked.instrument == instrument);
        orders.any(|order| {
            let reason = self.mirror(order.number).and_then(|mirror| mirror.reason);
            let is_old = self.now - order.entered_at > age_max;
            reason == Some(DeniedReason::StaleEntry) && is_old && !order.is_live()
        })
    }

    /// Whether an order started from what an earlier one of its side left over, which then ended unfilled: up to a lot too
    /// much was opened, which the next order gives back whole (design, section 4), though he has closed a part of it since.
    fn owes_a_closed_part(&self, instrument: u32) -> bool {
        let orders = || self.leader.orders.iter().filter(|order| order.asked.instrument == instrument);
        let ended = || orders().filter(|order| !order.is_live() && order.filled < order.asked.units);
        let mut later = orders().filter(|order| {
            let since = self.seen[order.number].since;
            ended().any(|ended| {
                let is_later = ended.number < order.number && since < ended.changed_at;
                is_later && ended.asked.buy == order.asked.buy
            })
        });
        self.tallies[instrument as usize].is_in_part() && later.next().is_some()
    }

    /// Whether copies wait to fill, have filled further than the leader's order, or were left behind for good.
    fn is_lagging(&self, instrument: u32, with_entries: bool) -> bool {
        let orders = self.leader.orders.iter().filter(|order| order.asked.instrument == instrument);
        orders.into_iter().any(|order| {
            let Some(mirror) = self.mirror(order.number) else { return false };
            let of = |leg| self.of(order.number, leg);
            let works = of(COPY).any(|(copy, _)| copy.is_live());
            let is_part_filled = order.is_live() && order.filled > 0;
            let differs = mirror.gap.is_some_and(|gap| gap.units != 0 && gap.result != GapResult::Repaired);
            let opens = of(COPY).all(|(copy, _)| self.is_entry(&copy.tag));
            let counts = with_entries || !opens;
            let has_filled = of(COPY).any(|(copy, _)| copy.filled > 0);
            counts
                && (differs
                    || (works && is_part_filled)
                    || (order.is_live() && has_filled)
                    || (works && !order.is_live()))
        })
    }

    /// Whether a copy has filled before its leader's order, which still may.
    fn is_ahead(&self, instrument: u32) -> bool {
        let mut working =
            self.leader.orders.iter().filter(|o| o.is_live() && o.asked.instrument == instrument);
        working.any(|order| self.filled(order.number, COPY) > 0)
    }

    /// Whether an exit works beside an order of the leader's that has filled in part.
    fn is_leaving(&self, instrument: u32) -> bool {
        let mut working =
            self.leader.orders.iter().filter(|o| o.is_live() && o.asked.instrument == instrument);
        working.any(|order| {
            let mut copies = self.of(order.number, COPY);
            order.filled > 0 && copies.any(|(copy, _)| copy.is_live() && !self.is_entry(&copy.tag))
        })
    }

    /// Whether every leader order that closed is told to be over.
    fn has_closed_all(&self, instrument: u32) -> bool {
        let mut orders = self.leader.orders.iter().filter(|order| order.asked.instrument == instrument);
        !orders.any(|order| order.is_live() && order.filled > 0)
    }

    /// What a person was told that explains a difference.
    fn incident(&self, instrument: u32) -> Option<String> {
        if self.is_blotted(instrument, &["hand", "owner", "carried left"]) {
            return Some("told".to_owned());
        }
        for order in self.leader.orders.iter().filter(|order| order.asked.instrument == instrument) {
            let seen = &self.seen[order.number];
            // Told late what he closed first, the machine bought back what it should not have.
            let is_bought_back = self.of(order.number, REPAIR).any(|(repair, _)| self.is_entry(&repair.tag));
            if is_bought_back && self.is_blotted(instrument, &["told late"]) {
                return Some(format!("L{} was repaired", order.number));
            }
            let halted = self.mirror(order.number).is_some_and(|of| of.reason == Some(DeniedReason::Halted));
            // The operator had everything cancelled, exits too: that he was told.
            if halted && self.is_blotted(instrument, &["all stopped"]) {
                return Some(format!("L{} was stopped", order.number));
            }
            let gap = seen.gap.filter(|gap| gap.units != 0 && gap.result != GapResult::Repaired);
            if gap.is_some() || seen.given_up || seen.change_refused || seen.exhausted {
                return Some(format!("L{}: {gap:?}", order.number));
            }
        }
        None
    }

    fn judge_children(&self, mirror: &Mirror) -> Checked {
        for child in &mirror.children {
            let tag = child.client_order_id.as_str();
            let filled =
                self.follower.orders.iter().find(|order| order.tag == tag).map_or(0, |order| order.filled);
            hold!(child.cumulative.get() == filled, "P9: {} counted, {filled} filled", child.cumulative);
            let rests = child.state.is_terminal() || matches!(child.state, ChildState::Working { .. });
            let instrument = speak::number_of_key(child.terms.instrument);
            // What cannot be changed any more keeps its room.
            let waits = child.state == ChildState::Planned
                && child.purpose == Purpose::Exit
                && self.is_blotted(instrument, &["owner", "drift", "hand", "given up"]);
            hold!(rests || waits, "P7: {:?} is {:?}", child.key, child.state);
            let open = child.request.as_deref();
            // While the account only reduces, changes of its entries wait.
            let waits = mirror.outcome == Outcome::Detached || self.operator.reduces;
            hold!(open.is_none() || waits, "P7: {open:?} is open");
        }
        Ok(())
    }

    fn judge_order(&self, leader: &Order, mirror: &Mirror) -> Checked {
        let seen = &self.seen[leader.number];
        hold!(seen.gap == mirror.gap, "the gap on record is {:?}, not {:?}", seen.gap, mirror.gap);
        let has_reason = mirror.reason.is_some();
        let told = match mirror.outcome {
            Outcome::AwaitingLeader => leader.is_live(),
            // What closes waits for what may yet open.
            Outcome::Waiting => leader.is_live() || self.may_open(leader),
            Outcome::Skipped | Outcome::Voided => has_reason,
            Outcome::Sent | Outcome::Detached => true,
        };
        hold!(told, "P26: outcome {} {:?}", mirror.outcome, mirror.reason);
        let live = || self.of(leader.number, COPY).filter(|(order, _)| order.is_live());
        let repairs = self.of(leader.number, REPAIR).any(|(order, _)| order.is_live());
        hold!(seen.hand || !repairs, "a repair works on");
        let stuck = seen.hand || seen.change_refused || seen.exhausted;
        if stuck {
            return Ok(());
        }
        if self.operator.reduces {
            return Ok(());
        }
        if leader.is_live() {
            for (order, _) in live() {
                self.judge_terms(leader, order)?;
            }
            return Ok(());
        }
        let keeps = self.policies.gap != GapPolicy::Full && self.policies.entry == EntryLeftBehind::Keep;
        let left = live().find(|(order, _)| !keeps || !self.is_entry(&order.tag));
        hold!(left.is_none(), "the leader's order is over, and {:?} works", left.map(|(_, copied)| copied));
        Ok(())
    }

    /// Whether an entry works that this order would have to close.
    fn may_open(&self, leader: &Order) -> bool {
        self.follower.orders.iter().any(|order| {
            let is_other_side = order.asked.buy != leader.asked.buy;
            order.is_live()
                && is_other_side
                && order.asked.instrument == leader.asked.instrument
                && self.is_entry(&order.tag)
        })
    }

    fn judge_terms(&self, leader: &Order, copy: &Order) -> Checked {
        let asked = leader.asked;
        hold!(copy.asked.buy == asked.buy, "the other side");
        hold!(copy.asked.instrument == asked.instrument, "another instrument");
        let lawful = copy.asked.disclosed == 0
            || (copy.asked.disclosed.is_multiple_of(LOT)
                && copy.asked.disclosed < copy.asked.units
                && copy.asked.disclosed * 100 > copy.asked.units * 30);
        hold!(
            lawful && (asked.disclosed > 0 || copy.asked.disclosed == 0),
            "{} disclosed",
            copy.asked.disclosed
        );
        // Never told undisguised, his wish cannot be known.
        if self.is_limited || self.seen[leader.number].plain != Some(asked) {
            return Ok(());
        }
        let wanted = self.wanted(&asked);
        let has = copy.asked;
        let same = (has.kind, has.price, has.trigger, has.ioc)
            == (wanted.kind, wanted.price, wanted.trigger, wanted.ioc);
        // What fired is a limit: changed since, it is one by our own asking.
        let as_fired = wanted.kind == Kind::Stop
            && (has.kind, has.price, has.ioc) == (Kind::Limit, wanted.price, wanted.ioc)
            && copy.was_fired;
        hold!(same || as_fired, "the copy is {has:?}, wanted {wanted:?}");
        Ok(())
    }

    /// The leader's wish in the follower's terms; quantity and disclosed part aside.
    fn wanted(&self, asked: &Asked) -> Asked {
        let beyond = |price: u32| {
            if asked.buy {
                (price + price * 3 / 100) / 5 * 5
            } else {
                (price - price * 3 / 100).div_ceil(5) * 5
            }
        };
        let market = super::exchange::MARKET;
        if self.policies.on == CopyOn::Fill {
            return Asked { kind: Kind::Limit, price: beyond(market), trigger: 0, ioc: false, ..*asked };
        }
        match asked.kind {
            Kind::Market if self.policies.market_orders == MarketOrders::ProtectedLimit => {
                Asked { kind: Kind::Limit, price: beyond(market), trigger: 0, ..*asked }
            }
            Kind::StopMarket => Asked { kind: Kind::Stop, price: beyond(asked.trigger), ..*asked },
            Kind::Limit | Kind::Market | Kind::Stop => *asked,
        }
    }
}
