//! Trading states: what an operator or a limit asks, and the way to flat.

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
        let after = self.trading.after(control, now);
        if after != self.trading {
            self.trading = after;
            effects.push(Effect::Commit { records: vec![Record::Trading(after)], then: None });
            match after.cause {
                Some(cause) => effects.push(Effect::Alert(Alert::Stopped(cause))),
                None => effects.extend(STOPS.map(|cause| Effect::Over(Alert::Stopped(cause)))),
            }
        }
        match control {
            Control::Halt { cancel_working, .. } => self.stop_mirrors(cancel_working, now, effects),
            Control::SquareOff(_) => {
                self.stop_mirrors(true, now, effects);
                effects.push(Effect::ReadPositions);
            }
            Control::Reduce(_) | Control::Resume => {}
        }
        self.mark_all_dirty();
    }

    /// After a restart, what was to be stopped is stopped still.
    pub(super) fn stop_again(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.trading.state == TradingState::Halted {
            self.stop_mirrors(self.trading.is_squaring_off, now, effects);
            self.mark_all_dirty();
        }
    }

    fn stop_mirrors(&mut self, with_exits: bool, now: Timestamp, effects: &mut Vec<Effect>) {
        let concerned: Vec<BrokerOrderId> = self
            .mirrors
            .iter()
            .filter(|(_, mirror)| if with_exits { is_open(mirror) } else { is_opening(mirror) })
            .map(|(id, _)| id.clone())
            .collect();
        for id in concerned {
            if self.drive(&id, MirrorEvent::Stop, now, effects).is_ok() {
                self.commit_mirror(&id, effects);
            }
        }
    }

    /// What was closing when the account was halted, and opens by now, stops like the rest.
    pub(super) fn stop_what_opens(
        &mut self,
        instrument: InstrumentKey,
        first: Option<&BrokerOrderId>,
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
            if self.drive(&id, MirrorEvent::Stop, now, effects).is_ok() && first != Some(&id) {
                self.commit_mirror(&id, effects);
            }
        }
    }

    fn mark_all_dirty(&mut self) {
        let all: Vec<InstrumentKey> = self.lines.keys().copied().collect();
        self.dirty.extend(all);
    }

    /// Says how far a square-off has come, and ends it once nothing copied is left.
    pub(super) fn watch_square_off(&mut self, effects: &mut Vec<Effect>) {
        if !self.trading.is_squaring_off || !self.dirty.is_empty() {
            return;
        }
        let left = self.left_to_close();
        let lives = self.mirrors.values().any(|mirror| mirror.children.iter().any(Child::is_live));
        if left == (0, 0) && !lives {
            self.trading.is_squaring_off = false;
            let records = vec![Record::Trading(self.trading)];
            effects.push(Effect::Commit { records, then: None });
            effects.push(Effect::Over(Alert::SquaringOff(0, 0)));
            effects.extend(self.left_of_earlier_days().map(Effect::Alert));
            effects.push(Effect::Alert(Alert::SquaredOff));
        } else if self.told_left != Some(left) {
            effects.push(Effect::Alert(Alert::SquaringOff(left.0, left.1)));
            self.told_left = Some(left);
        }
    }

    /// Instruments in which units copied today are held, and these units. What copies of earlier days hold belongs to no
    /// order of today, so that no order of ours can close it.
    pub fn left_to_close(&self) -> (usize, u64) {
        let held = self.lines.values().map(|line| {
            let of_today = line.orders.iter().filter_map(|id| self.mirrors.get(id));
            let side = line.closable().signum();
            let opened = of_today.filter(|mirror| mirror.leader.terms.side.sign() == side);
            line.closable().unsigned_abs().min(opened.map(Mirror::held).sum())
        });
        held.filter(|units| *units > 0).fold((0, 0), |(lines, sum), units| (lines + 1, sum + units))
    }

    /// What is left of earlier days once everything of today is closed.
    fn left_of_earlier_days(&self) -> impl Iterator<Item = Alert> {
        let left = self.lines.iter().filter(|(_, line)| line.closable() != 0);
        left.map(|(instrument, line)| Alert::CarriedLeft(*instrument, line.closable()))
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

/// Whether an entry of it waits or works. What guards fills, the exit legs of a super order, stays.
fn is_opening(mirror: &Mirror) -> bool {
    let guards = |child: &Child| child.is_super() && !child.cumulative.is_zero();
    let opens = |child: &Child| child.is_live() && child.key.leg == COPY && child.purpose == Purpose::Entry;
    !flawed!(HaltKeepsEntries) && mirror.children.iter().any(|child| opens(child) && !guards(child))
}

/// Whether anything of it may still happen.
fn is_open(mirror: &Mirror) -> bool {
    let is_over = matches!(mirror.outcome, Outcome::Skipped | Outcome::Voided) && !mirror.may_revive();
    mirror.children.iter().any(Child::is_live) || !(is_over || mirror.is_stopped)
}
