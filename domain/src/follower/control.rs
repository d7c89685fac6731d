//! Trading states: what an operator or a limit asks, and what stops for it. The way to flat is in `square_off`.

use std::collections::BTreeSet;

use super::holdings::Line;
use super::{Alert, Effect, FollowerBook, Record};
use crate::flaw::flawed;
use crate::ids::BrokerOrderId;
use crate::instrument::InstrumentKey;
use crate::mirror::{COPY, Child, Mirror, MirrorEvent, Outcome};
use crate::pacing::Purpose;
use crate::policy::{OnBreach, OnDrift};
use crate::price::Money;
use crate::time::Timestamp;
use crate::trading::{Control, HaltCause, Trading, TradingState};

impl FollowerBook {
    /// What may be sent, and why not more.
    pub const fn trading(&self) -> Trading {
        self.trading
    }

    /// Takes back the state on record: a restart makes nobody trade again (P17).
    pub const fn restore_trading(&mut self, trading: Trading) {
        self.trading = trading;
    }

    pub(super) fn on_control(&mut self, control: Control, now: Timestamp, effects: &mut Vec<Effect>) {
        let from = effects.len();
        let mut after = self.trading.after(control, now);
        if control.stops_exits() {
            // Everything that is there is meant, whatever the clock did meanwhile (P28).
            let newest = self.mirrors.values().map(|mirror| mirror.leader.ts_first_seen).max();
            after.stopped_at = after.stopped_at.max(newest);
        }
        if after != self.trading {
            self.trading = after;
            effects.push(Effect::Commit { records: vec![Record::Trading(after)], then: None });
            match after.cause {
                Some(cause) => effects.push(Effect::Alert(Alert::Stopped(cause))),
                None => effects.extend(STOPS.map(|cause| Effect::Over(Alert::Stopped(cause)))),
            }
        }
        match control {
            Control::Halt { .. } => self.stop_mirrors(now, effects),
            Control::SquareOff(_) => {
                self.lines.values_mut().for_each(Line::count_anew);
                self.stop_mirrors(now, effects);
                effects.push(Effect::ReadPositions);
            }
            Control::Resume => {
                self.take_for_own(effects);
                self.take_back_carried(now, effects);
                self.end_square_off(effects);
            }
            Control::Reduce(_) => {}
        }
        commit_as_one(effects, from);
        self.mark_all_dirty();
    }

    /// After a restart, what was to be stopped is stopped still.
    pub(super) fn stop_again(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        self.stop_mirrors(now, effects);
        if !self.trading.is_squaring_off {
            self.take_back_carried(now, effects);
        }
        if self.trading.state == TradingState::Halted {
            self.mark_all_dirty();
        }
    }

    fn stop_mirrors(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let is_halted = self.trading.state == TradingState::Halted;
        let is_concerned =
            |mirror: &Mirror| self.is_stopped_for_good(mirror) || (is_halted && is_opening(mirror));
        let concerned = self.mirrors.iter().filter(|(_, mirror)| is_concerned(mirror));
        let concerned: Vec<BrokerOrderId> = concerned.map(|(id, _)| id.clone()).collect();
        self.stop_each(concerned, now, effects);
    }

    pub(super) fn stop_each(
        &mut self,
        concerned: Vec<BrokerOrderId>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        for id in concerned {
            if self.drive(&id, MirrorEvent::Stop, now, effects).is_ok() {
                self.commit_mirror(&id, effects);
            }
        }
    }

    /// Whether nothing more is to come of it, not even what closes. What a human has touched, and is over, stays his.
    pub(super) fn is_stopped_for_good(&self, mirror: &Mirror) -> bool {
        let is_left_alone =
            mirror.outcome == Outcome::Detached && !mirror.children.iter().any(Child::is_live);
        self.trading.has_stopped(mirror.leader.ts_first_seen)
            && !is_left_alone
            && !mirror.is_in(&self.settings.account)
    }

    /// What was closing when the account was halted, and opens by now, stops like the rest.
    pub(super) fn stop_what_opens(
        &mut self,
        instrument: InstrumentKey,
        told: &BTreeSet<BrokerOrderId>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        if self.trading.state != TradingState::Halted {
            return;
        }
        let orders = self.lines.get(&instrument).map_or(&[][..], |line| &line.orders);
        let opens = |id: &&BrokerOrderId| {
            self.mirrors.get(*id).is_some_and(|mirror| !mirror.is_stopped && is_opening(mirror))
        };
        let concerned: Vec<BrokerOrderId> = orders.iter().filter(opens).cloned().collect();
        for id in concerned {
            if self.drive(&id, MirrorEvent::Stop, now, effects).is_ok() && !told.contains(&id) {
                self.commit_mirror(&id, effects);
            }
        }
    }

    fn mark_all_dirty(&mut self) {
        let all: Vec<InstrumentKey> = self.lines.keys().copied().collect();
        self.dirty.extend(all);
    }

    /// Orders of ours that may still trade.
    pub const fn open_orders(&self) -> u32 {
        self.open_orders
    }

    /// The day's profit over the whole account; past the bound the account trades less.
    pub(super) fn watch_loss(&mut self, profit: Money, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(bound) = self.settings.entry.daily_loss_max else { return };
        if Money::ZERO.minus(profit) >= bound {
            self.breach(self.settings.risk.on_daily_loss, HaltCause::DailyLoss, now, effects);
        }
    }

    /// One more order that the broker did not take, or one that it took.
    pub(super) fn watch_rejections(&mut self, is_rejected: bool, now: Timestamp, effects: &mut Vec<Effect>) {
        self.rejections = if is_rejected { self.rejections.saturating_add(1) } else { 0 };
        let bound = self.settings.risk.rejections_max;
        if bound > 0 && self.rejections >= bound {
            self.rejections = 0;
            self.breach(self.settings.risk.on_rejections, HaltCause::Rejections, now, effects);
        }
    }

    pub(super) fn on_drift(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        match self.settings.risk.on_drift {
            OnDrift::Freeze => {}
            OnDrift::Reduce => self.breach(OnBreach::Reduce, HaltCause::Drift, now, effects),
            OnDrift::Halt => self.breach(OnBreach::Halt, HaltCause::Drift, now, effects),
        }
    }

    /// Goes as far as the policy says, unless the account is that far already: what was told once is not told, nor closed,
    /// at every read.
    fn breach(&mut self, policy: OnBreach, cause: HaltCause, now: Timestamp, effects: &mut Vec<Effect>) {
        let control = match policy {
            OnBreach::Off => return,
            OnBreach::Reduce => Control::Reduce(cause),
            OnBreach::Halt => Control::Halt { cause, cancel_working: false },
            OnBreach::SquareOff => Control::SquareOff(cause),
        };
        if self.trading.after(control, now).state != self.trading.state {
            self.on_control(control, now, effects);
        }
    }
}

const STOPS: [HaltCause; 4] =
    [HaltCause::Operator, HaltCause::DailyLoss, HaltCause::Rejections, HaltCause::Drift];

/// All that is recorded from there on becomes durable together, where the first of it would: no copy is on record as stopped
/// by a halt that is not.
fn commit_as_one(effects: &mut Vec<Effect>, from: usize) {
    let is_record = |effect: &Effect| matches!(effect, Effect::Commit { then: None, .. });
    let Some(first) = effects[from..].iter().position(is_record).map(|first| from + first) else { return };
    let commits = effects.extract_if(first.., |effect| is_record(effect));
    let records = commits.flat_map(|effect| match effect {
        Effect::Commit { records, .. } => records,
        _ => Vec::new(),
    });
    let records = records.collect();
    effects.insert(first, Effect::Commit { records, then: None });
}

/// Whether an entry of it waits or works. What guards fills, the exit legs of a super order, stays.
fn is_opening(mirror: &Mirror) -> bool {
    let guards = |child: &Child| child.is_super() && !child.cumulative.is_zero();
    let opens = |child: &Child| child.is_live() && child.key.leg == COPY && child.purpose == Purpose::Entry;
    !flawed!(HaltKeepsEntries) && mirror.children.iter().any(|child| opens(child) && !guards(child))
}
