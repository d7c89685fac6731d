//! The way to flat: what copies hold is closed, whoever has opened it and whenever, and how far that has come is told.
//!
//! What an order of today has opened is closed by its mirror, on the other side. What copies of earlier days hold belongs
//! to none of them: it is closed by an order of the operator's own in the follower's account, one for each instrument,
//! whose id is made of the date and the instrument. To everything else it is an order to be followed (P2, P5, P26).

use std::sync::Arc;

use super::holdings::Line;
use super::{Alert, Effect, FollowerBook, Record};
use crate::decision::{Decision, Wish};
use crate::ids::{BrokerOrderId, Tag};
use crate::instrument::InstrumentKey;
use crate::leader::{KnownFingerprint, LeaderOrder};
use crate::mirror::{COPY, Child, Mirror};
use crate::order::{BrokerStatus, Leg, OrderForm, OrderTerms, OrderType, Product, Side, TimeInForce};
use crate::price::Price;
use crate::quantity::{LotSize, Quantity};
use crate::sizing::DayCapital;
use crate::time::Timestamp;

impl FollowerBook {
    /// Has closed what no order of today has opened.
    pub(super) fn close_carried(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if !self.trading.is_squaring_off {
            return;
        }
        let orders: Vec<_> = self
            .lines
            .iter()
            .filter_map(|(key, line)| {
                let instrument = line.instrument.as_ref()?;
                Some((self.carried_order(*key, line, now)?, Arc::clone(instrument)))
            })
            .collect();
        for (order, instrument) in orders {
            let wish = Wish {
                terms: order.terms.clone(),
                instrument,
                executed: order.terms.quantity,
                exited: Quantity::ZERO,
                capital: DayCapital::default(),
                entry_denial: None,
                note: None,
                is_unpriced: false,
                reference: None,
            };
            self.on_plan(order, Decision::Follow(Box::new(wish)), now, effects);
        }
    }

    /// The operator's own order in an instrument, where there is something for it to do and it was not planned in this
    /// life. Another one only where the last is over for good.
    fn carried_order(&self, key: InstrumentKey, line: &Line, now: Timestamp) -> Option<Arc<LeaderOrder>> {
        let (mut of_today, own): (Vec<&Mirror>, Vec<&Mirror>) = line
            .orders
            .iter()
            .filter_map(|id| self.mirrors.get(id))
            .partition(|mirror| !mirror.is_in(&self.settings.account));
        of_today
            .retain(|mirror| mirror.children.iter().any(|child| child.is_live() && child.key.leg == COPY));
        let units = self.carried_units(line);
        if units == 0 || !of_today.is_empty() {
            return None;
        }
        let side = if line.closable() > 0 { Side::Sell } else { Side::Buy };
        let in_use = own.iter().find(|mirror| mirror.leader.terms.side == side && mirror.may_close());
        if let Some(mirror) = in_use {
            return (!mirror.is_heard()).then(|| Arc::clone(&mirror.leader));
        }
        let product = line.held_in(Product::Margin, units)?;
        let quantity = Quantity::new(u32::try_from(units).unwrap_or(u32::MAX));
        let day = now.trading_day();
        let id = format!("square-off-{day}-{}-{}-{}", key.segment, key.security_id.0, own.len() + 1);
        Some(Arc::new(LeaderOrder {
            account: self.settings.account.clone(),
            trading_day: day,
            broker_order_id: BrokerOrderId::new(id).ok()?,
            tag: Some(Tag::square_off()),
            leg: Leg::Single,
            terms: OrderTerms {
                instrument: key,
                side,
                product,
                order_type: OrderType::Market,
                time_in_force: TimeInForce::Day,
                quantity,
                disclosed: Quantity::ZERO,
                price: Price::ZERO,
                trigger: Price::ZERO,
                after_market: false,
                form: OrderForm::Ordinary,
            },
            status: BrokerStatus::Pending,
            cumulative: Quantity::ZERO,
            average_price: Price::ZERO,
            reason: None,
            exited: Quantity::ZERO,
            last_price: None,
            forever_parent: None,
            known_fingerprint: KnownFingerprint::default(),
            ts_event: now,
            ts_first_event: now,
            ts_first_seen: now,
        }))
    }

    /// Units copied that today's orders have opened, whole lots of them.
    fn units_of_today(&self, line: &Line) -> u64 {
        let side = line.closable().signum();
        let of_today = line.orders.iter().filter_map(|id| self.mirrors.get(id));
        let opened = of_today.filter(|mirror| {
            !mirror.is_in(&self.settings.account) && mirror.leader.terms.side.sign() == side
        });
        let lot = u64::from(self.lot_of(line).unwrap_or(LotSize::ONE).get());
        line.closable().unsigned_abs().min(opened.map(Mirror::held).sum()) / lot * lot
    }

    /// Units copied that none of today's orders has opened, whole lots of them; none where the instrument is not known.
    fn carried_units(&self, line: &Line) -> u64 {
        let Some(instrument) = &line.instrument else { return 0 };
        let units = line.closable().unsigned_abs() - self.units_of_today(line);
        units - units % u64::from(instrument.lot_size.get())
    }

    /// What a square-off still has out of orders of the operator's own is taken back: it is over.
    pub(super) fn take_back_carried(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let is_out = |mirror: &Mirror| {
            mirror.is_in(&self.settings.account) && mirror.children.iter().any(Child::is_live)
        };
        let out = self.mirrors.iter().filter(|(_, mirror)| is_out(mirror));
        let out: Vec<BrokerOrderId> = out.map(|(id, _)| id.clone()).collect();
        self.stop_each(out, now, effects);
    }

    /// What was told of it is so no more.
    pub(super) fn end_square_off(&mut self, effects: &mut Vec<Effect>) {
        (self.told_left, self.told_failing) = (None, false);
        effects.extend([Alert::SquaringOff(0, 0), Alert::FlatteningFails].map(Effect::Over));
    }

    pub(super) fn on_flattening_fails(&mut self, effects: &mut Vec<Effect>) {
        if !std::mem::replace(&mut self.told_failing, true) {
            effects.push(Effect::Alert(Alert::FlatteningFails));
        }
    }

    /// Says how far a square-off has come, and ends it once nothing copied is left.
    pub(super) fn watch_square_off(&mut self, effects: &mut Vec<Effect>) {
        // What earlier days have left is known once the account's positions were read.
        let is_known = self.carried.is_empty() || self.profit.is_some();
        if !self.trading.is_squaring_off || !self.dirty.is_empty() || !is_known {
            return;
        }
        let left = self.left_to_close();
        let lives = self.mirrors.values().any(|mirror| mirror.children.iter().any(Child::is_live));
        if left == (0, 0) && !lives {
            self.trading.is_squaring_off = false;
            let records = vec![Record::Trading(self.trading)];
            effects.push(Effect::Commit { records, then: None });
            self.end_square_off(effects);
            effects.extend(self.left_over().map(Effect::Alert));
            effects.push(Effect::Alert(Alert::SquaredOff));
        } else if self.told_left != Some(left) {
            effects.push(Effect::Alert(Alert::SquaringOff(left.0, left.1)));
            self.told_left = Some(left);
        }
    }

    /// Instruments in which units are held because of copies and can be closed by an order, and these units.
    pub fn left_to_close(&self) -> (usize, u64) {
        let held = self.lines.values().map(|line| self.units_of_today(line) + self.carried_units(line));
        held.filter(|units| *units > 0).fold((0, 0), |(lines, sum), units| (lines + 1, sum + units))
    }

    /// What is held still once everything that can be closed is.
    fn left_over(&self) -> impl Iterator<Item = Alert> {
        let left = self.lines.iter().filter(|(_, line)| line.closable() != 0);
        left.map(|(instrument, line)| Alert::CarriedLeft(*instrument, line.closable()))
    }
}
