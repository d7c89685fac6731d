//! The book the follower should have in the end, worked out from what the two brokers and the owner know. It shares no
//! code with the machine it judges, and holds these rules (design section 4), for each of the leader's orders:
//!
//! 1. *Due.* An order is due when the exchange has accepted it (`working`), at first sight (`transit`), or to the extent
//!    it has filled (`fill`). The target is the follower's share, down to the lot, of all the order stands for while it
//!    works, of what it executed once it is over. A market order under a protected limit is due once a price is known.
//! 2. *Leader works.* The copies that work ask for exactly what of the target is not used up: fills of ended copies, and
//!    all of what the follower's broker refused, rejected, let expire or cut off as immediate (an entry is not tried a
//!    second time; nor is an exit while the leader's own order still works). Each is of the leader's side, type, price,
//!    trigger and validity, a stop-loss-market being a stop with a limit three per cent beyond, a market order a limit
//!    three per cent beyond the price where the owner wants that; a stop that fired at the follower's own exchange is the
//!    limit it became. What the leader's broker made of his order by itself is no wish of his. None is above the freeze
//!    quantity, and disclosed parts are lawful.
//! 3. *Leader is over.* No copy works any more, but where the owner keeps entries left behind: those work up to the share
//!    of what the leader executed.
//!    An exit has filled exactly the share of what the leader executed, or has been given up with an alarm, or its broker
//!    kept it from that, and the gap is on record. A chased entry likewise.
//! 4. *Gaps.* Once both are over, what the copies filled less the share of what the leader executed is the gap on record,
//!    its sign included; none where it is nothing. An excess is repaired by orders on the other side, which fill it
//!    exactly: of an entry unless the policy is `report`, of an exit if it is `full`.
//! 5. *Hands.* A copy that a person touched may be left alone as it is, whatever the target; a copy nobody touched never.
//! 6. *Left as it is, with an alarm:* a copy whose change the broker refused for good, or that has been changed as often
//!    as is allowed where the owner says stop.
//! 7. *Books.* What the machine counts as filled, order by order and in all, is what the follower's broker filled (P9).
//!    Nothing waits, nothing is in doubt, no request is open (P7), and every order has its outcome (P26).
//!
//! Whether a copy is an exit or an entry is what the machine took it for when it planned it: it depends on when it learnt
//! of the fills before. Two things are told within bounds only. A placement that proved absent is sent again where it is
//! worth it, so its units may count as used up or not; and of a copy whose quantity was changed, or that was to be cancelled
//! or replaced, when the broker ended it, the machine may have counted the quantity before or after.

use super::exchange::{Asked, By, Kind, LOT, Order, State};
use super::speak::{self, LEADER};
use super::world::{Checked, World, hold};
use crate::decision::Wish;
use crate::gap::{GapPolicy, GapResult};
use crate::mirror::{COPY, Mirror, Outcome, REPAIR};
use crate::order::lifecycle::ChildState;
use crate::pacing::Purpose;
use crate::policy::{AtModificationLimit, CopyOn, EntryLeftBehind, MarketOrders};

/// Units used up by what is over: at least, and at most.
#[derive(Debug, Default, Clone, Copy)]
struct Used {
    least: u32,
    most: u32,
}

impl World {
    pub(super) fn judge(&self) -> Checked {
        hold!(self.book.waiting_count() == 0, "P7: {} requests wait", self.book.waiting_count());
        hold!(self.book.unknown_count() == 0, "P7: {} in doubt", self.book.unknown_count());
        self.judge_positions()?;
        for order in &self.leader.orders {
            let mirror = self.book.mirror(&speak::broker_order_id(LEADER, order.number));
            let Some(mirror) = mirror else { return Err(format!("P26: L{} has no outcome", order.number)) };
            self.judge_children(mirror)?;
            self.judge_order(order, mirror).map_err(|words| {
                let list = |leg| {
                    let lines: Vec<_> =
                        self.of(order.number, leg).map(|(o, c)| format!("\n  {c}: F{o}")).collect();
                    lines.concat()
                };
                let failed = self.failed.iter().filter(|failed| failed.copied.leader == order.number);
                let failed: Vec<_> = failed
                    .map(|f| format!("\n  {}: {} failed, refused {}", f.copied, f.units, f.refused))
                    .collect();
                let failed = failed.concat();
                format!(
                    "{words}\n  leader L{order}{}{}{failed}\n  {:?}\n  outcome {} {:?}, purpose {:?}, gap {:?}",
                    list(COPY),
                    list(REPAIR),
                    self.seen[order.number],
                    mirror.outcome,
                    mirror.reason,
                    mirror.purpose,
                    mirror.gap
                )
            })?;
        }
        Ok(())
    }

    fn judge_positions(&self) -> Checked {
        for instrument in 0..2 {
            let held = self.held(instrument);
            let counted = self.book.copied_units(speak::key(instrument));
            hold!(counted == held, "P9: {counted} units counted, {held} held of instrument {instrument}");
        }
        Ok(())
    }

    fn judge_children(&self, mirror: &Mirror) -> Checked {
        for child in &mirror.children {
            let tag = child.client_order_id.as_str();
            let filled =
                self.follower.orders.iter().find(|order| order.tag == tag).map_or(0, |order| order.filled);
            hold!(child.cumulative.get() == filled, "P9: {} counted, {filled} filled", child.cumulative);
            let rests = child.state.is_terminal() || matches!(child.state, ChildState::Working { .. });
            hold!(rests, "P7: {:?} is {:?}", child.key, child.state);
            let open = child.request.as_deref();
            hold!(open.is_none() || mirror.outcome == Outcome::Detached, "P7: {open:?} is open");
        }
        Ok(())
    }

    fn judge_order(&self, leader: &Order, mirror: &Mirror) -> Checked {
        let seen = &self.seen[leader.number];
        if seen.hand {
            return Ok(());
        }
        let is_over = !leader.is_live();
        let executed = self.share(leader.filled);
        let target = if is_over || self.policies.on == CopyOn::Fill {
            executed
        } else {
            self.share(leader.asked.units)
        };
        let live: u32 =
            self.of(leader.number, COPY).filter(|(o, _)| o.is_live()).map(|(o, _)| o.asked.units).sum();
        let is_tried = !mirror.children.is_empty();
        if !is_tried {
            return self.judge_untried(leader, mirror, target);
        }
        let fits = matches!(mirror.outcome, Outcome::Sent | Outcome::Voided);
        hold!(fits, "P26: outcome {}", mirror.outcome);
        let used = self.used(leader, mirror);
        if is_over {
            self.judge_over(leader, mirror, executed, live, used)?;
        } else {
            // Given up before it was sent, it stays so.
            if mirror.outcome == Outcome::Voided {
                hold!(live == 0, "voided, and {live} units work");
                return Ok(());
            }
            let most = target.saturating_sub(used.least) / LOT * LOT;
            let least = target.saturating_sub(used.most) / LOT * LOT;
            let stuck = seen.change_refused || seen.exhausted;
            hold!(stuck || (least..=most).contains(&live), "{live} units work, not {least} to {most}");
            if !stuck {
                for (order, _) in self.of(leader.number, COPY).filter(|(order, _)| order.is_live()) {
                    self.judge_terms(leader, order)?;
                }
            }
        }
        Ok(())
    }

    /// Nothing was ever planned.
    fn judge_untried(&self, leader: &Order, mirror: &Mirror, target: u32) -> Checked {
        let is_unpriced = self.policies.market_orders == MarketOrders::ProtectedLimit
            && leader.filled == 0
            && mirror.wish().is_some_and(is_unpriced);
        let is_due = target > 0 && !is_unpriced;
        hold!(
            !is_due,
            "{target} units were due, and nothing was done: {} {:?}",
            mirror.outcome,
            mirror.reason
        );
        let told = match mirror.outcome {
            Outcome::AwaitingLeader => leader.is_live(),
            Outcome::Skipped => mirror.reason.is_some(),
            _ => false,
        };
        hold!(told, "P26: outcome {} {:?}", mirror.outcome, mirror.reason);
        Ok(())
    }

    fn judge_over(&self, leader: &Order, mirror: &Mirror, executed: u32, live: u32, used: Used) -> Checked {
        let seen = &self.seen[leader.number];
        let is_exit = mirror.purpose == Some(Purpose::Exit);
        let filled = self.filled(leader.number, COPY);
        let full = self.policies.gap == GapPolicy::Full;
        let keeps = !is_exit && !full && self.policies.entry == EntryLeftBehind::Keep;
        let chases = is_exit || full || self.policies.entry == EntryLeftBehind::Chase;
        if live > 0 {
            let stuck = seen.change_refused || seen.exhausted;
            let kept = keeps && (stuck || live <= executed.saturating_sub(used.least));
            hold!(kept, "the leader's order is over, and {live} units work");
            return Ok(());
        }
        if chases && filled < executed {
            // What the broker kept from being, and what was given up.
            let kept = used.most > filled || seen.given_up || mirror.outcome == Outcome::Voided;
            hold!(kept, "chased, and {filled} of {executed} filled");
        }
        let gap = i64::from(filled) - i64::from(executed);
        let known = mirror.gap.filter(|gap| gap.units != 0 && gap.result != GapResult::Repaired);
        let told = mirror.gap.map_or(0, |gap| gap.units);
        hold!(told == gap || (gap == 0 && known.is_none()), "the gap is {gap}, on record {:?}", mirror.gap);
        hold!(seen.gap == mirror.gap, "the gap on record is {:?}, not {:?}", seen.gap, mirror.gap);
        self.judge_repair(leader, mirror, gap, is_exit)
    }

    fn judge_repair(&self, leader: &Order, mirror: &Mirror, gap: i64, is_exit: bool) -> Checked {
        let repaired = i64::from(self.filled(leader.number, REPAIR));
        let wanted = match self.policies.gap {
            GapPolicy::Report => false,
            GapPolicy::ExitsOnly => !is_exit,
            GapPolicy::Full => true,
        };
        let expected = if wanted { gap.max(0) } else { 0 };
        let live = self.of(leader.number, REPAIR).any(|(order, _)| order.is_live());
        hold!(!live, "a repair works on");
        for (order, _) in self.of(leader.number, REPAIR) {
            hold!(order.asked.buy != leader.asked.buy, "a repair on the leader's side");
        }
        // As often as is borne, or once where it is an entry.
        let failed = mirror.gap.is_some_and(|gap| gap.result == GapResult::Failed);
        let troubled = self
            .failed
            .iter()
            .any(|failed| (failed.copied.leader, failed.copied.leg) == (leader.number, REPAIR))
            || self.of(leader.number, REPAIR).any(|(order, _)| order.state != State::Filled);
        let excused = failed && troubled && repaired < expected;
        hold!(repaired == expected || excused, "{repaired} repaired of {expected}");
        Ok(())
    }

    /// What of the target is used up by copies that are over.
    fn used(&self, leader: &Order, mirror: &Mirror) -> Used {
        let mut used = Used::default();
        let is_exit = mirror.purpose == Some(Purpose::Exit);
        let mut add = |least: u32, most: u32| {
            used.least += least;
            used.most += most;
        };
        for (order, copied) in self.of(leader.number, COPY).filter(|(order, _)| !order.is_live()) {
            let was_asked_to_go = mirror.children.iter().any(|child| {
                child.key.slice == copied.slice
                    && child.key.attempt == copied.attempt
                    && (child.cancel_asked || child.is_retired)
            });
            match (order.state, order.ended_by) {
                (State::Filled, _) | (State::Cancelled, By::Owner) => add(order.filled, order.filled),
                _ if order.units_changed || was_asked_to_go => {
                    add(order.filled, order.units_max.max(order.asked.units));
                }
                _ => add(order.asked.units, order.asked.units),
            }
        }
        for failed in self
            .failed
            .iter()
            .filter(|failed| (failed.copied.leader, failed.copied.leg) == (leader.number, COPY))
        {
            let is_sure = failed.refused && !is_exit;
            add(if is_sure { failed.units } else { 0 }, failed.units);
        }
        used
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
        if self.seen[leader.number].plain != Some(asked) {
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

    /// What a day has led to, in words.
    pub(super) fn reached(&self) -> Vec<&'static str> {
        let mut words = Vec::new();
        let mut add = |is_reached: bool, word| words.extend(is_reached.then_some(word));
        let copies = || self.follower.orders.iter().filter(|order| self.copies.contains_key(&order.tag));
        let states = |state: State| copies().any(|order| order.state == state && order.filled > 0);
        add(self.copies.values().any(|copied| copied.slice > 0), "several slices");
        add(self.copies.values().any(|copied| copied.attempt > 1), "a second attempt");
        add(self.copies.values().any(|copied| copied.leg == REPAIR), "a repair");
        add(self.failed.iter().any(|failed| failed.refused), "a refusal");
        add(self.failed.iter().any(|failed| !failed.refused), "an absence");
        add(states(State::Cancelled), "a fill before a cancel");
        add(copies().any(|order| order.was_fired), "a stop that fired");
        add(copies().any(|order| order.units_changed), "a changed quantity");
        add(copies().any(|order| order.asked.disclosed > 0), "a disclosed part");
        for seen in &self.seen {
            add(seen.hand, "a hand");
            add(seen.exhausted, "changes exhausted");
            add(seen.change_refused, "a change refused for good");
        }
        for order in &self.leader.orders {
            let id = speak::broker_order_id(LEADER, order.number);
            let Some(mirror) = self.book.mirror(&id) else { continue };
            let sent = mirror.children.iter().any(|child| child.ts_sent.is_some());
            add(sent && mirror.purpose == Some(Purpose::Exit), "an exit");
            add(mirror.children.iter().any(|child| child.is_chased), "a chase");
            add(mirror.outcome == Outcome::Detached, "a detached copy");
            add(mirror.outcome == Outcome::Voided, "a copy given up");
            add(mirror.gap.is_some_and(|gap| gap.units < 0), "a gap below");
            add(
                mirror.gap.is_some_and(|gap| gap.result == GapResult::Repaired && gap.units > 0),
                "a gap repaired",
            );
        }
        words
    }

    /// For the reader of a failure: the owner's choices.
    pub(super) fn choices(&self) -> String {
        let stop = self.policies.at_limit == AtModificationLimit::Stop;
        format!("{:?}, stops at the limit of changes: {stop}", self.policies)
    }
}

fn is_unpriced(wish: &Wish) -> bool {
    wish.is_unpriced
}
