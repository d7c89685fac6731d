//! The entry gates as they stand for this account: what they are told of it, and the money kept for what is under way.

use super::holdings::Line;
use super::waiting::opens;
use super::{Effect, FollowerBook};
use crate::gates::entry::{AtCap, Figure, Raise, Standing};
use crate::gates::{Admission, Cover, DeniedReason, cost, unit_cost, weigh};
use crate::ids::ClientOrderId;
use crate::instrument::InstrumentKey;
use crate::mirror::{COPY, ChangeState, Child, Mirror, MirrorEvent, Opening};
use crate::order::lifecycle::ChildState;
use crate::order::{OrderTerms, Side};
use crate::pacing::Purpose;
use crate::price::{Money, Price};
use crate::quantity::{LotSize, Quantity};
use crate::time::Timestamp;

/// Money kept for an entry that the account's figures may not know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reservation {
    money: Money,
    /// When its order left; none while it waits.
    sent: Option<Timestamp>,
    /// Whether the broker has not said yet that it has it.
    is_open: bool,
}

/// A question to the broker's calculator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MarginAsked {
    /// What is to be opened.
    pub(super) terms: OrderTerms,
    /// Whether it has answered, or its time is over.
    pub(super) is_told: bool,
}

impl FollowerBook {
    /// How many of some units may be opened by a mirror that held so much when its line was last told of it.
    pub(super) fn admit(
        &self,
        asked: &Opening<'_>,
        counted: u64,
        now: Timestamp,
    ) -> Result<Admission, DeniedReason> {
        let (wish, leader) = (asked.wish, asked.leader);
        let instrument = &wish.instrument;
        let price = limit_of(&wish.terms).or(wish.reference);
        let units = Quantity::new(asked.units);
        let lot = u64::from(instrument.lot_size.get());
        let freeze = instrument.freeze_quantity.map_or(u64::MAX, |freeze| u64::from(freeze.get()).max(lot));
        let slices = |units: u64| units.div_ceil(freeze - freeze % lot);
        let beyond = asked.roomless + u64::from(asked.units).saturating_sub(asked.room);
        let orders = slices(beyond) - slices(asked.roomless);
        let raise = Raise {
            terms: &wish.terms,
            units,
            before: Quantity::new(u32::try_from(asked.before).unwrap_or(u32::MAX)),
            instrument,
            price,
            last_price: leader.last_price,
            leader_price: Some(leader.average_price).filter(|price| !price.is_zero()),
            since: asked.since,
            first_seen: leader.ts_first_seen,
            orders: u32::try_from(orders).unwrap_or(u32::MAX),
        };
        let line = self.lines.get(&instrument.key);
        let side = wish.terms.side;
        // What is held on the other side is closed before anything is opened on this one.
        // Of what has just filled the line knows once the step is over.
        let grown = leader.terms.side.sign() * (asked.held.cast_signed() - counted.cast_signed());
        let held = (line.map_or(0, Line::held) + grown) * side.sign();
        let held = held.max(0).unsigned_abs();
        let under_way = self.under_way(instrument.key) + asked.under_way;
        let short_margin = self.settings.entry.short_margin;
        let standing = Standing {
            now,
            trading: self.trading,
            credentials_refused: self.credentials_refused,
            breaker_open: self.breaker_open,
            is_in_doubt: self.is_in_doubt(instrument.key, now),
            has_drifted: self.is_unproven(instrument.key) || line.is_some_and(|line| line.drift.is_some()),
            calendar: &self.settings.calendar,
            capital: wish.capital.follower,
            profit: self.profit,
            available: self.available,
            reserved: self.reserved(),
            cover: self.cover(&wish.terms, &leader.broker_order_id, asked.under_way.cast_signed()),
            instrument_units: held + under_way,
            instrument_value: cost(side, price, held + under_way, instrument, short_margin)
                .unwrap_or(Money::ZERO),
            open_orders: self.open_orders,
            orders_today: self.orders_today.saturating_add(self.planned_orders),
        };
        weigh(&raise, &self.settings.entry, &standing)
    }

    /// Units of entries in an instrument that may yet fill, but for those of the mirror that is being stepped.
    pub(super) fn under_way(&self, instrument: InstrumentKey) -> u64 {
        self.mirrors.under_way(instrument)
    }

    /// Money that entries under way need and the account's figures do not know of.
    fn reserved(&self) -> Money {
        self.reservations.values().fold(Money::ZERO, |sum, kept| sum.plus(kept.money))
    }

    /// Keeps money for what a mirror has under way, and gives back what was kept for what is over.
    pub(super) fn reserve(&mut self, mirror: &Mirror) {
        let sale = mirror.wish().map(|wish| &wish.terms).filter(|terms| terms.side == Side::Sell);
        // What it has filled itself is counted by its own orders.
        let filled = mirror.filled_as(Purpose::Entry).cast_signed();
        let mut cover = sale.and_then(|terms| self.cover(terms, &mirror.leader.broker_order_id, -filled));
        for child in &mirror.children {
            let kept = self.reservation(mirror, child, &mut cover);
            let is_known = |kept: &Reservation| {
                let told = |figure: Figure| kept.sent.is_some_and(|sent| sent < figure.at) && !kept.is_open;
                self.available.is_some_and(told)
            };
            match kept.filter(|kept| !is_known(kept)) {
                Some(kept) => {
                    self.reservations.insert(child.client_order_id.clone(), kept);
                }
                None => {
                    self.reservations.remove(&child.client_order_id);
                }
            }
        }
    }

    /// Takes from the cover what the child needs of it.
    fn reservation(&self, mirror: &Mirror, child: &Child, cover: &mut Option<Cover>) -> Option<Reservation> {
        if child.purpose != Purpose::Entry || !(child.is_live() || child.state == ChildState::Filled) {
            return None;
        }
        let wish = mirror.wish()?;
        let price = limit_of(&child.terms).or(wish.reference);
        let units = child.at_most().max(child.cumulative);
        // Of an order that the account's figures know only what was added to it since is kept.
        let is_placing_known =
            child.ts_sent.zip(self.available).is_some_and(|(sent, figure)| sent < figure.at);
        let is_taken = matches!(child.state, ChildState::Working { .. });
        let asked = child.asked_before.iter().map(|asked| asked.quantity).min();
        let known = asked.unwrap_or(child.terms.quantity).min(child.terms.quantity);
        let known = if is_placing_known && is_taken { known } else { Quantity::ZERO };
        let (all, units) = (u64::from(units.get()), u64::from(units.saturating_sub(known).get()));
        let each = unit_cost(child.terms.side, price, &wish.instrument, self.settings.entry.short_margin)?;
        let uncovered = Cover { units: 0, width: Price::ZERO };
        let left = cover.as_mut().map_or(uncovered, |cover| {
            cover.units = cover.units.saturating_sub(all - units);
            let left = *cover;
            cover.units = cover.units.saturating_sub(units);
            left
        });
        let money = left.cost(each, units);
        let is_open = child.state.is_unanswered();
        let raise_waits =
            child.request.as_deref().is_some_and(|request| request.state == ChangeState::Planned);
        let sent = if raise_waits { None } else { child.ts_changed.max(child.ts_sent) };
        Some(Reservation { money, sent, is_open })
    }

    /// The account's money, as it was when it was asked for: what left before is in it.
    pub(super) fn on_funds(&mut self, available: Money, started_at: Timestamp) {
        self.available = Some(Figure { value: available, at: started_at });
        self.reservations.retain(|_, kept| kept.is_open || kept.sent.is_none_or(|sent| sent >= started_at));
    }

    /// What the broker's calculator said of an entry that waits for it; or that it did not in time, so that the estimate
    /// counts. What does not fit is cut, where the owner wants that, and asked about again; else it is given up.
    pub(super) fn on_margin(
        &mut self,
        id: &ClientOrderId,
        required: Option<Money>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let Some(asked) = self.margins.get_mut(id) else { return };
        asked.is_told = true;
        let terms = asked.terms.clone();
        let Some((mirror, child)) = self.child(id) else { return };
        let is_of_copy = child.key.leg == COPY;
        // What has changed since is asked about anew.
        if child.purpose != Purpose::Entry || opens(child).as_ref() != Some(&terms) {
            return;
        }
        let fits = self.margin_fits(mirror, child, terms.quantity, required);
        if fits >= terms.quantity {
            return;
        }
        let is_cut =
            is_of_copy && !fits.is_zero() && self.cut(id, fits, DeniedReason::MarginShort, now, effects);
        if !is_cut {
            let records = self.give_up(id, DeniedReason::MarginShort, now, effects);
            if !records.is_empty() {
                effects.push(Effect::Commit { records, then: None });
            }
        } else if required.is_some() {
            // Margin is not always in proportion.
            self.margins.remove(id);
        } else if let Some(terms) = self.child(id).and_then(|(_, child)| opens(child)) {
            self.margins.insert(id.clone(), MarginAsked { terms, is_told: true });
        }
    }

    /// Lets so many units of what waits through, and no more. Says whether it has become less by that.
    pub(super) fn cut(
        &mut self,
        id: &ClientOrderId,
        units: Quantity,
        reason: DeniedReason,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Some(order) = self.leader_of.get(id).cloned() else { return false };
        let most = |book: &Self| {
            let children = book.mirrors.get(&order).map_or(&[][..], |mirror| &mirror.children);
            children.iter().map(|child| u64::from(child.at_most().get())).sum::<u64>()
        };
        let before = most(self);
        let event = MirrorEvent::Cut(id.clone(), units, reason);
        let is_cut = self.drive(&order, event, now, effects).is_ok() && most(self) < before;
        self.commit_mirror(&order, effects);
        is_cut
    }

    /// How many of the units that a child would open the free money pays for, where all of them need so much; by the
    /// estimate where that is not known. Of fewer, in proportion.
    fn margin_fits(
        &self,
        mirror: &Mirror,
        child: &Child,
        units: Quantity,
        required: Option<Money>,
    ) -> Quantity {
        let own = self.reservations.get(&child.client_order_id).map_or(Money::ZERO, |kept| kept.money);
        let own = match child.state {
            ChildState::Planned => own,
            // What works is paid for apart from what is added to it.
            _ => own.min(self.estimate(mirror, child, units).unwrap_or(own)),
        };
        let required = required.unwrap_or(own).units();
        let free = self.available.map(|figure| figure.value.minus(self.reserved().minus(own)).units());
        let Some(free) = free.filter(|free| required > *free) else { return units };
        if self.settings.entry.at_cap == AtCap::Skip {
            return Quantity::ZERO;
        }
        // Above zero, for it is more than what is free.
        let fits = i128::from(units.get()) * i128::from(free.max(0)) / i128::from(required.max(1));
        let fits = Quantity::new(u32::try_from(fits).unwrap_or(u32::MAX)).min(units);
        let lot = mirror.wish().map_or(LotSize::ONE, |wish| wish.instrument.lot_size);
        lot.quantity(lot.split(fits).0).unwrap_or_default()
    }

    fn estimate(&self, mirror: &Mirror, child: &Child, units: Quantity) -> Option<Money> {
        let wish = mirror.wish()?;
        let price = limit_of(&child.terms).or(wish.reference);
        let short_margin = self.settings.entry.short_margin;
        cost(child.terms.side, price, u64::from(units.get()), &wish.instrument, short_margin)
    }
}

/// Units of a child that are not filled and may yet be.
pub(super) fn may_fill(child: &Child) -> Quantity {
    let asked = if child.state == ChildState::Planned { child.terms.quantity } else { child.worst_case() };
    asked.saturating_sub(child.cumulative)
}

fn limit_of(terms: &OrderTerms) -> Option<Price> {
    Some(terms.price).filter(|price| !price.is_zero())
}
