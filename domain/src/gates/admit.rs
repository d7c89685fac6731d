//! Every entry gate, in the order in which they are asked. See [`super::entry`] for what they are told.

use std::collections::BTreeSet;

use super::DeniedReason;
use super::cost::{times, unit_cost};
use super::entry::{AtCap, EntryPolicy, Figure, Filters, MarginCheck, Raise, Standing};
use super::prices::{are_in_band, are_on_tick};
use crate::calendar::Closed;
use crate::order::{OrderForm, Side};
use crate::policy::Bps;
use crate::price::{Money, Price};
use crate::quantity::{LotSize, Lots, Quantity};
use crate::trading::TradingState;

/// What may be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// Units, a whole number of lots, above zero.
    pub units: Quantity,
    /// The tightest of the caps that cut it, if any did.
    pub cut_by: Option<DeniedReason>,
}

/// How many units of a raise may be sent: all, or what the caps leave of them.
pub fn admit(raise: &Raise, policy: &EntryPolicy, standing: &Standing) -> Result<Quantity, DeniedReason> {
    weigh(raise, policy, standing).map(|admission| admission.units)
}

/// The same, with what cut it.
pub fn weigh(raise: &Raise, policy: &EntryPolicy, standing: &Standing) -> Result<Admission, DeniedReason> {
    trading(raise, standing)?;
    copying(policy)?;
    window(policy, standing)?;
    session(raise, standing)?;
    filters(raise, &policy.filters)?;
    age(raise, policy, standing)?;
    drift(raise, policy)?;

    let lot = raise.instrument.lot_size;
    let mut admission = Admission::whole_lots(raise.units, lot)?;
    let mut cut = |fits: u64, reason: DeniedReason| -> Result<(), DeniedReason> {
        admission = admission.within(fits, reason, lot, policy.at_cap)?;
        Ok(())
    };
    cut(room_of_order(raise, policy), DeniedReason::LotsPerOrder)?;
    cut(room_of_instrument(raise, policy, standing), DeniedReason::LotsPerInstrument)?;
    cut(room_of_value(raise, policy)?, DeniedReason::OrderValue)?;
    cut(room_of_share(raise, policy, standing)?, DeniedReason::PositionShare)?;
    open_orders(raise, policy, standing)?;
    orders_today(raise, policy, standing)?;
    daily_loss(policy, standing)?;
    cut(room_of_money(raise, policy, standing)?, DeniedReason::MarginShort)?;

    prices(raise)?;
    account(standing)?;
    Ok(admission)
}

impl Admission {
    /// All that is asked for; broken lots, which nobody should ask for, are left out.
    fn whole_lots(units: Quantity, lot: LotSize) -> Result<Self, DeniedReason> {
        let (lots, _) = lot.split(units);
        let units = lot.quantity(lots).filter(|units| !units.is_zero()).ok_or(DeniedReason::BelowOneLot)?;
        Ok(Self { units, cut_by: None })
    }

    /// What is left of it where only so many units fit.
    fn within(
        self,
        fits: u64,
        reason: DeniedReason,
        lot: LotSize,
        at_cap: AtCap,
    ) -> Result<Self, DeniedReason> {
        let fits = match u32::try_from(fits) {
            Ok(fits) if fits < self.units.get() => Quantity::new(fits),
            _ => return Ok(self),
        };
        match at_cap {
            AtCap::Skip => Err(reason),
            AtCap::Scale => {
                let cut = Self::whole_lots(fits, lot).map_err(|_| reason)?;
                Ok(Self { cut_by: Some(reason), ..cut })
            }
        }
    }
}

/// What an operator or a limit said; a leader order from before a resume is as good as halted.
fn trading(raise: &Raise, standing: &Standing) -> Result<(), DeniedReason> {
    let trading = standing.trading;
    let is_from_before = trading.resumed_at.is_some_and(|resumed| raise.first_seen < resumed);
    if trading.state == TradingState::Halted || trading.is_squaring_off || is_from_before {
        return Err(DeniedReason::Halted);
    }
    ensure(trading.state != TradingState::Reducing, DeniedReason::Reducing)
}

fn copying(policy: &EntryPolicy) -> Result<(), DeniedReason> {
    ensure(policy.is_copying, DeniedReason::CopyingOff)
}

fn window(policy: &EntryPolicy, standing: &Standing) -> Result<(), DeniedReason> {
    let time = standing.now.ist().time();
    let is_within = policy.window.is_none_or(|(from, until)| from <= time && time < until);
    ensure(is_within, DeniedReason::OutsideWindow)
}

/// The exchange's own hours, with the other sign for after-market orders. The broker takes forever orders at any hour.
fn session(raise: &Raise, standing: &Standing) -> Result<(), DeniedReason> {
    let (instrument, now) = (raise.instrument, standing.now);
    let (segment, calendar) = (instrument.key.segment, standing.calendar);
    if matches!(raise.terms.form, OrderForm::Forever(_)) {
        return Ok(());
    }
    // One that waits at the broker may be changed while it waits, and has become an ordinary order by the open.
    let is_change = raise.orders == 0;
    let waits = raise.terms.after_market && (!is_change || calendar.is_open(segment, now).is_err());
    let told = if waits {
        calendar.takes_after_market(segment, instrument.expiry, now)
    } else {
        calendar.takes_entry(segment, raise.terms.product, instrument.expiry, now)
    };
    told.map_err(|closed| match closed {
        Closed::Holiday => DeniedReason::MarketHoliday,
        Closed::OutsideSession => DeniedReason::MarketClosed,
        Closed::IntradayOver => DeniedReason::IntradayCutoff,
        Closed::ExpiryOver => DeniedReason::ExpiryDay,
        Closed::Expired => DeniedReason::InstrumentExpired,
        Closed::InSession => DeniedReason::MarketOpen,
    })
}

fn filters(raise: &Raise, filters: &Filters) -> Result<(), DeniedReason> {
    let (instrument, terms) = (raise.instrument, raise.terms);
    // A share, and what the file gives no underlying, stands for itself.
    let underlying =
        if instrument.underlying.is_empty() { &instrument.symbol } else { &instrument.underlying };
    ensure(allows(&filters.segments, &instrument.key.segment), DeniedReason::SegmentFiltered)?;
    ensure(
        names_allow(&filters.underlyings, &filters.underlyings_denied, underlying),
        DeniedReason::UnderlyingFiltered,
    )?;
    ensure(
        names_allow(&filters.instruments, &filters.instruments_denied, &instrument.symbol),
        DeniedReason::InstrumentFiltered,
    )?;
    ensure(allows(&filters.products, &terms.product), DeniedReason::ProductFiltered)?;
    ensure(allows(&filters.sides, &terms.side), DeniedReason::SideFiltered)
}

fn age(raise: &Raise, policy: &EntryPolicy, standing: &Standing) -> Result<(), DeniedReason> {
    ensure(standing.now.since(raise.since) <= policy.age_max, DeniedReason::StaleEntry)
}

/// How far the market has left what the leader paid, against the follower.
fn drift(raise: &Raise, policy: &EntryPolicy) -> Result<(), DeniedReason> {
    let (Some(bound), Some(paid), Some(last)) =
        (policy.drift_max, known(raise.leader_price), known(raise.last_price))
    else {
        return Ok(());
    };
    let rise = i128::from(last.units()) - i128::from(paid.units());
    let worse = if raise.terms.side == Side::Buy { rise } else { -rise };
    let is_near = worse * i128::from(Bps::WHOLE) <= i128::from(paid.units()) * i128::from(bound.get());
    ensure(is_near, DeniedReason::PriceDrift)
}

fn room_of_order(raise: &Raise, policy: &EntryPolicy) -> u64 {
    room_in_lots(policy.caps.lots_per_order, raise.before.get().into(), raise.instrument.lot_size)
}

fn room_of_instrument(raise: &Raise, policy: &EntryPolicy, standing: &Standing) -> u64 {
    room_in_lots(policy.caps.lots_per_instrument, standing.instrument_units, raise.instrument.lot_size)
}

fn room_of_value(raise: &Raise, policy: &EntryPolicy) -> Result<u64, DeniedReason> {
    let Some(cap) = policy.caps.order_value else { return Ok(u64::MAX) };
    let each = cost_of_unit(raise, policy)?;
    Ok(units_for(cap.minus(times(each, raise.before.get().into())), each))
}

fn room_of_share(raise: &Raise, policy: &EntryPolicy, standing: &Standing) -> Result<u64, DeniedReason> {
    let Some(share) = policy.caps.position_share else { return Ok(u64::MAX) };
    let capital = standing.capital.ok_or(DeniedReason::CapitalUnknown)?;
    let each = cost_of_unit(raise, policy)?;
    let cap = i128::from(capital.units()) * i128::from(share.get()) / i128::from(Bps::WHOLE);
    let cap = Money::from_units(i64::try_from(cap).unwrap_or(i64::MAX));
    Ok(units_for(cap.minus(standing.instrument_value), each))
}

/// Orders are counted, not cut: half of a raise would still be an order more.
fn open_orders(raise: &Raise, policy: &EntryPolicy, standing: &Standing) -> Result<(), DeniedReason> {
    let after = standing.open_orders.saturating_add(raise.orders);
    let fits = raise.orders == 0 || policy.caps.open_orders.is_none_or(|cap| after <= cap);
    ensure(fits, DeniedReason::OpenOrders)
}

fn orders_today(raise: &Raise, policy: &EntryPolicy, standing: &Standing) -> Result<(), DeniedReason> {
    let after = standing.orders_today.saturating_add(raise.orders);
    let fits = raise.orders == 0 || policy.caps.orders_per_day.is_none_or(|cap| after <= cap);
    ensure(fits, DeniedReason::OrdersPerDay)
}

fn daily_loss(policy: &EntryPolicy, standing: &Standing) -> Result<(), DeniedReason> {
    let Some(bound) = policy.daily_loss_max else { return Ok(()) };
    let loss = Money::ZERO.minus(fresh(standing.profit, policy, standing)?);
    ensure(loss < bound, DeniedReason::DailyLoss)
}

/// How many units the free money pays for. The broker's calculator is asked later, when the order is about to leave; but it
/// looks at one order alone, so that what is covered is left to the estimate.
fn room_of_money(raise: &Raise, policy: &EntryPolicy, standing: &Standing) -> Result<u64, DeniedReason> {
    if policy.margin == MarginCheck::Off {
        return Ok(u64::MAX);
    }
    let free = fresh(standing.available, policy, standing)?.minus(standing.reserved);
    let cover = standing.cover.filter(|cover| cover.units > 0 && raise.terms.side == Side::Sell);
    if policy.margin == MarginCheck::Broker && cover.is_none() {
        return Ok(if free < Money::ZERO { 0 } else { u64::MAX });
    }
    let each = cost_of_unit(raise, policy)?;
    let Some(cover) = cover else { return Ok(units_for(free, each)) };
    let covered = cover.unit_cost(each);
    let all_covered = times(covered, cover.units);
    if all_covered > free {
        return Ok(units_for(free, covered));
    }
    Ok(cover.units.saturating_add(units_for(free.minus(all_covered), each)))
}

fn prices(raise: &Raise) -> Result<(), DeniedReason> {
    ensure(are_on_tick(raise.terms, raise.instrument.tick), DeniedReason::OffTick)?;
    ensure(
        are_in_band(raise.terms, raise.instrument.band_around(raise.last_price.or(raise.leader_price))),
        DeniedReason::OutsideBand,
    )
}

fn account(standing: &Standing) -> Result<(), DeniedReason> {
    ensure(!standing.is_in_doubt, DeniedReason::OutcomeUnknown)?;
    ensure(!standing.has_drifted, DeniedReason::LedgerDrift)?;
    ensure(!standing.credentials_refused, DeniedReason::AccountHalted)?;
    ensure(!standing.breaker_open, DeniedReason::BreakerOpen)
}

fn ensure(holds: bool, reason: DeniedReason) -> Result<(), DeniedReason> {
    if holds { Ok(()) } else { Err(reason) }
}

fn allows<T: Ord>(list: &BTreeSet<T>, value: &T) -> bool {
    list.is_empty() || list.contains(value)
}

fn names_allow(allowed: &BTreeSet<String>, denied: &BTreeSet<String>, name: &str) -> bool {
    let lists = |list: &BTreeSet<String>| list.iter().any(|listed| listed.eq_ignore_ascii_case(name));
    (allowed.is_empty() || lists(allowed)) && !lists(denied)
}

fn known(price: Option<Price>) -> Option<Price> {
    price.filter(|price| !price.is_zero())
}

/// A figure that a limit needs and that is young enough.
fn fresh(figure: Option<Figure>, policy: &EntryPolicy, standing: &Standing) -> Result<Money, DeniedReason> {
    figure
        .filter(|figure| standing.now.since(figure.at) <= policy.figures_age_max)
        .map(|figure| figure.value)
        .ok_or(DeniedReason::FiguresUnknown)
}

fn cost_of_unit(raise: &Raise, policy: &EntryPolicy) -> Result<Money, DeniedReason> {
    let price = known(raise.price).or(known(raise.last_price)).or(known(raise.leader_price));
    unit_cost(raise.terms.side, price, raise.instrument, policy.short_margin)
        .ok_or(DeniedReason::PriceUnknown)
}

fn room_in_lots(cap: Option<Lots>, taken: u64, lot: LotSize) -> u64 {
    cap.map_or(u64::MAX, |cap| (u64::from(cap.0) * u64::from(lot.get())).saturating_sub(taken))
}

/// How many units so much money pays for.
fn units_for(money: Money, each: Money) -> u64 {
    let money = u64::try_from(money.units()).unwrap_or(0);
    let each = u64::try_from(each.units()).unwrap_or(0);
    money.checked_div(each).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
