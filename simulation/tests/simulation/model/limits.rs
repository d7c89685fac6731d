//! What bounds a follower's entries for a whole day: his owner's limits and lists, the exchange's hours, what the Sizer knows
//! of the leader's orders, what his broker lets through. One for each reason that nothing else in this world comes to.
//!
//! Under most of them nothing is ever opened, whatever else happens, which is judged as each entry is to leave; under the
//! others something is, and only that the reason comes about is demanded.

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveTime;

use super::chance::Chance;
use super::world::Facts;
use crate::calendar::{Calendar, Holiday};
use crate::follower::{Event, FollowerSettings};
use crate::gates::DeniedReason;
use crate::ids::{BrokerOrderId, Tag};
use crate::instrument::{ExchangeSegment, Instrument, InstrumentKind};
use crate::order::{ExitLegs, Leg, OrderForm, OrderTerms, Product, Side};
use crate::policy::{Bps, OnBreach};
use crate::price::{Money, Price};
use crate::sizing::DayCapital;
use crate::time::TradingDay;

/// How many of a hundred followers have one on a day.
const LIMITED: u32 = 15;

/// What bounds the entries of a follower.
pub(super) struct Limit {
    pub(super) reason: DeniedReason,
    /// Whether an order like this may be opened under it at all.
    pub(super) lets_open: fn(&OrderTerms) -> bool,
    pub(super) settle: fn(&mut FollowerSettings),
    pub(super) alter: fn(&mut Facts),
    /// What a life is told at its beginning.
    pub(super) told: Option<fn() -> Event>,
}

/// What a follower's day is limited by, if it is.
pub(super) fn draw(mut chance: Chance) -> Option<&'static Limit> {
    chance.percent(LIMITED).then(|| &LIMITS[chance.index(LIMITS.len())])
}

static LIMITS: [Limit; 32] = [
    settled(DeniedReason::CopyingOff, |of| of.entry.is_copying = false),
    settled(DeniedReason::OutsideWindow, |of| of.entry.window = Some((at(3), at(4)))),
    settled(DeniedReason::SegmentFiltered, |of| {
        of.entry.filters.segments = [ExchangeSegment::NseEquity].into();
    }),
    settled(DeniedReason::UnderlyingFiltered, |of| {
        of.entry.filters.underlyings_denied = ["nifty".to_owned()].into();
    }),
    settled(DeniedReason::InstrumentFiltered, |of| {
        of.entry.filters.instruments = ["NIFTY-Dec2026-25000-CE".to_owned()].into();
    }),
    settled(DeniedReason::ProductFiltered, |of| of.entry.filters.products = [Product::Cnc].into()),
    settled(DeniedReason::SideFiltered, |of| of.entry.filters.sides = [Side::Buy].into())
        .opening(|terms| terms.side == Side::Buy),
    settled(DeniedReason::MarketHoliday, |of| {
        let days = [1, 2].map(|day| TradingDay::from_ymd(2026, 12, day).unwrap().date());
        hours(of, |calendar| calendar.holidays.extend(days.map(|day| (day, Holiday::default()))));
    }),
    settled(DeniedReason::MarketClosed, |of| hours(of, |calendar| calendar.hours[0].until = at(4))),
    settled(DeniedReason::IntradayCutoff, |of| {
        hours(of, |calendar| calendar.hours[0].intraday_until = Some(at(4)));
        of.copy.product_map.insert(Product::Margin, Product::Intraday);
    }),
    altered(DeniedReason::ExpiryDay, |facts| expires(facts, 0))
        .under(|of| hours(of, |calendar| calendar.hours[0].expiry_until = Some(at(4)))),
    altered(DeniedReason::InstrumentExpired, |facts| expires(facts, 1)),
    altered(DeniedReason::MarketOpen, |facts| facts.order.terms.after_market = true),
    settled(DeniedReason::PriceDrift, |of| of.entry.drift_max = Some(Bps::new(500))).opening(|_| true),
    settled(DeniedReason::OrderValue, |of| {
        of.entry.caps.order_value = Some(Money::from_rupees(15_000));
    })
    .opening(|_| true),
    settled(DeniedReason::PositionShare, |of| of.entry.caps.position_share = Some(Bps::new(150)))
        .opening(|_| true),
    altered(DeniedReason::CapitalUnknown, |facts| facts.capital = DayCapital::default())
        .under(|of| of.entry.caps.position_share = Some(Bps::new(10_000))),
    // Nothing is lost, and that is as much as is borne.
    settled(DeniedReason::DailyLoss, |of| loss(of, 0)),
    settled(DeniedReason::FiguresUnknown, |of| {
        loss(of, 1_000);
        of.entry.figures_age_max = Duration::ZERO;
    })
    // Those of this very moment are known.
    .opening(|_| true),
    altered(DeniedReason::OffTick, |facts| of_instrument(facts, |of| of.tick = Price::from_paise(7)))
        .opening(|_| true),
    altered(DeniedReason::OutsideBand, |facts| {
        let band = (Price::from_paise(9_950), Price::from_paise(10_050));
        of_instrument(facts, |of| of.band = Some(band));
    })
    .opening(|_| true),
    told(DeniedReason::BreakerOpen, || Event::Breaker { open: true }),
    told(DeniedReason::AccountHalted, || Event::Credentials { refused: true }),
    altered(DeniedReason::CopyLoop, |facts| {
        facts.order.tag = Tag::from_wire("tdm-sqmkulbcp2iaedgq6gpd");
    }),
    altered(DeniedReason::OrderLeg, |facts| facts.order.leg = Leg::Target),
    altered(DeniedReason::UnknownInstrument, |facts| facts.instrument = None),
    altered(DeniedReason::NotOption, |facts| {
        of_instrument(facts, |of| (of.kind, of.option) = (InstrumentKind::IndexFuture, None));
    }),
    settled(DeniedReason::KindNotCopied, |of| of.copy.kinds = [InstrumentKind::StockOption].into()),
    altered(DeniedReason::UnsupportedProduct, |facts| facts.order.terms.product = Product::Cover),
    altered(DeniedReason::UnsupportedOrderType, |facts| {
        let legs = ExitLegs { target: None, stop: Some(Price::from_paise(5_000)), trailing: Price::ZERO };
        (facts.order.terms.form, facts.order.terms.after_market) = (OrderForm::Super(legs), true);
    }),
    altered(DeniedReason::ForeverOnDerivatives, |facts| {
        facts.order.terms.form = OrderForm::Forever(None);
    }),
    altered(DeniedReason::ForeverChild, |facts| {
        facts.order.forever_parent = BrokerOrderId::new("L99").ok();
        of_instrument(facts, |of| (of.kind, of.option) = (InstrumentKind::Equity, None));
    }),
];

/// One that the owner has set.
const fn settled(reason: DeniedReason, settle: fn(&mut FollowerSettings)) -> Limit {
    Limit { reason, lets_open: |_| false, settle, alter: |_| {}, told: None }
}

/// One that is in what the Sizer knows.
const fn altered(reason: DeniedReason, alter: fn(&mut Facts)) -> Limit {
    Limit { reason, lets_open: |_| false, settle: |_| {}, alter, told: None }
}

/// One that the account is told.
const fn told(reason: DeniedReason, told: fn() -> Event) -> Limit {
    Limit { reason, lets_open: |_| false, settle: |_| {}, alter: |_| {}, told: Some(told) }
}

impl Limit {
    /// The same where something is opened, like this.
    const fn opening(self, lets_open: fn(&OrderTerms) -> bool) -> Self {
        Self { lets_open, ..self }
    }

    /// The same with the owner's part in it.
    const fn under(self, settle: fn(&mut FollowerSettings)) -> Self {
        Self { settle, ..self }
    }
}

/// A time of the day: before the first order.
fn at(hours: u64) -> NaiveTime {
    NaiveTime::MIN + Duration::from_hours(hours)
}

fn hours(of: &mut FollowerSettings, change: impl FnOnce(&mut Calendar)) {
    let mut calendar = Calendar::always_open();
    change(&mut calendar);
    of.calendar = Arc::new(calendar);
}

/// Nothing else comes of a loss than that nothing is opened.
fn loss(of: &mut FollowerSettings, rupees: i64) {
    of.entry.daily_loss_max = Some(Money::from_rupees(rupees));
    of.risk.on_daily_loss = OnBreach::Off;
}

fn of_instrument(facts: &mut Facts, change: impl FnOnce(&mut Instrument)) {
    if let Some(instrument) = &mut facts.instrument {
        change(Arc::make_mut(instrument));
    }
}

/// It expires so many days before today.
fn expires(facts: &mut Facts, days_ago: u64) {
    let day = facts.order.ts_first_event.minus(Duration::from_hours(24 * days_ago)).trading_day();
    of_instrument(facts, |of| of.expiry = Some(day.date()));
}
