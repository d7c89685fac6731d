//! The entry gates as they stand for this account: what they are told of it, and the money kept for what is under way.

use super::FollowerBook;
use crate::gates::entry::{Figure, MarginCheck, Raise, Standing};
use crate::gates::{Admission, DeniedReason, cost, weigh};
use crate::ids::ClientOrderId;
use crate::instrument::InstrumentKey;
use crate::mirror::{ChangeState, Child, Mirror, Opening};
use crate::order::OrderTerms;
use crate::order::lifecycle::ChildState;
use crate::pacing::Purpose;
use crate::price::{Money, Price};
use crate::quantity::Quantity;
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

impl FollowerBook {
    /// How many of some units may be opened.
    pub(super) fn admit(&self, asked: &Opening<'_>, now: Timestamp) -> Result<Admission, DeniedReason> {
        let (wish, leader) = (asked.wish, asked.leader);
        let instrument = &wish.instrument;
        let price = limit_of(&wish.terms).or(wish.reference);
        let units = Quantity::new(asked.units);
        let lot = u64::from(instrument.lot_size.get());
        let freeze = instrument.freeze_quantity.map_or(u64::MAX, |freeze| u64::from(freeze.get()).max(lot));
        let slices = |units: u64| units.div_ceil(freeze - freeze % lot);
        let orders = slices(asked.under_way + u64::from(asked.units)) - slices(asked.under_way);
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
            // The broker's calculator is asked once the order is about to leave; until then nothing is held against it.
            margin_told: (self.settings.entry.margin == MarginCheck::Broker).then_some(Money::ZERO),
        };
        let line = self.lines.get(&instrument.key);
        let side = wish.terms.side;
        // What is held on the other side is closed before anything is opened on this one.
        let held = line.map_or(0, |line| (line.held() * side.sign()).max(0).unsigned_abs());
        let under_way = self.under_way(instrument.key) + asked.under_way;
        let short_margin = self.settings.entry.short_margin;
        let standing = Standing {
            now,
            trading: self.trading,
            credentials_refused: self.credentials_refused,
            breaker_open: self.breaker_open,
            has_drifted: line.is_some_and(|line| line.drift.is_some()),
            calendar: &self.settings.calendar,
            capital: wish.capital.follower,
            profit: self.profit,
            available: self.available,
            reserved: self.reserved(),
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
        let orders = self.lines.get(&instrument).map_or(&[][..], |line| &line.orders);
        let mirrors = orders.iter().filter_map(|id| self.mirrors.get(id));
        let entries = mirrors
            .flat_map(|mirror| &mirror.children)
            .filter(|child| child.is_live() && child.purpose == Purpose::Entry);
        entries.map(|child| u64::from(child.at_most().saturating_sub(child.cumulative).get())).sum()
    }

    /// Money that entries under way need and the account's figures do not know of.
    fn reserved(&self) -> Money {
        self.reservations.values().fold(Money::ZERO, |sum, kept| sum.plus(kept.money))
    }

    /// Keeps money for what a mirror has under way, and gives back what was kept for what is over.
    pub(super) fn reserve(&mut self, mirror: &Mirror) {
        for child in &mirror.children {
            let kept = self.reservation(mirror, child);
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

    fn reservation(&self, mirror: &Mirror, child: &Child) -> Option<Reservation> {
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
        let units = u64::from(units.saturating_sub(known).get());
        let short_margin = self.settings.entry.short_margin;
        let money = cost(child.terms.side, price, units, &wish.instrument, short_margin)?;
        let is_open = matches!(child.state, ChildState::Sending | ChildState::Unknown);
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

    /// Whether an entry needs more money than is free: by the broker's calculator, or by what is kept for it where that
    /// did not say in time.
    pub(super) fn is_margin_short(&self, id: &ClientOrderId, required: Option<Money>) -> bool {
        let others = self.reservations.iter().filter(|(other, _)| *other != id);
        let kept = others.fold(Money::ZERO, |sum, (_, kept)| sum.plus(kept.money));
        let free = self.available.map(|figure| figure.value.minus(kept));
        let required = required.or_else(|| self.reservations.get(id).map(|kept| kept.money));
        required.zip(free).is_some_and(|(required, free)| required > free)
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
