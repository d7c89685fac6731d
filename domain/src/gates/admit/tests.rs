//! One row for each reason, the order in which they are asked, and what caps leave. All sums are worked out by hand.

use std::time::Duration;

use chrono::{NaiveDate, NaiveTime};

use super::*;
use crate::calendar::{Calendar, Holiday, Hours, Special};
use crate::gates::Cover;
use crate::instrument::{
    ExchangeSegment, Instrument, InstrumentKey, InstrumentKind, OptionContract, OptionType, SecurityId,
};
use crate::order::{OrderTerms, OrderType, Product, TimeInForce};
use crate::time::Timestamp;
use crate::trading::Trading;

mod properties;

const LOT: u32 = 65;

/// Everything that the gates are told, to be changed by a row. Left alone it passes: two lots bought at 100 rupees, on
/// an ordinary Tuesday at 10:00, for 13,000 rupees.
struct Case {
    terms: OrderTerms,
    instrument: Instrument,
    calendar: Calendar,
    policy: EntryPolicy,
    units: u32,
    before: u32,
    price: Option<Price>,
    last_price: Option<Price>,
    leader_price: Option<Price>,
    since: Timestamp,
    orders: u32,
    cover: Option<Cover>,
    now: Timestamp,
    trading: Trading,
    credentials_refused: bool,
    breaker_open: bool,
    is_in_doubt: bool,
    has_drifted: bool,
    capital: Option<Money>,
    profit: Option<Figure>,
    available: Option<Figure>,
    reserved: Money,
    instrument_units: u64,
    instrument_value: Money,
    open_orders: u32,
    orders_today: u32,
}

fn at(text: &str) -> Timestamp {
    Timestamp::from_ist(chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap())
}

fn time(text: &str) -> NaiveTime {
    text.parse().unwrap()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn rupees(rupees: i64) -> Money {
    Money::from_rupees(rupees)
}

fn calendar() -> Calendar {
    let hours = Hours {
        segments: vec![ExchangeSegment::NseFno],
        since: None,
        from: time("09:15:00"),
        until: time("15:40:00"),
        evening_from: None,
        intraday_until: Some(time("15:20:00")),
        expiry_until: Some(time("15:30:00")),
    };
    let muhurat = Special {
        date: date("2026-11-08"),
        segments: vec![ExchangeSegment::NseFno],
        from: time("18:00:00"),
        until: time("19:15:00"),
    };
    Calendar {
        weekend: vec![chrono::Weekday::Sat, chrono::Weekday::Sun],
        hours: vec![hours],
        holidays: [(date("2026-11-24"), Holiday::default())].into(),
        specials: vec![muhurat],
    }
}

impl Case {
    fn new() -> Self {
        let key = InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(43_125) };
        let now = at("2026-12-01 10:00:00");
        let hundred = Some(Price::from_paise(10_000));
        Self {
            terms: OrderTerms {
                instrument: key,
                side: Side::Buy,
                product: Product::Margin,
                order_type: OrderType::Limit,
                time_in_force: TimeInForce::Day,
                quantity: Quantity::new(4 * LOT),
                disclosed: Quantity::ZERO,
                price: Price::from_paise(10_000),
                trigger: Price::ZERO,
                after_market: false,
                form: OrderForm::Ordinary,
            },
            instrument: Instrument {
                key,
                kind: InstrumentKind::IndexOption,
                symbol: "NIFTY-Dec2026-26000-CE".into(),
                underlying: "NIFTY".into(),
                lot_size: LotSize::new(LOT).unwrap(),
                tick: Price::from_paise(5),
                expiry: Some(date("2026-12-29")),
                option: Some(OptionContract {
                    option_type: OptionType::Call,
                    strike: Price::from_paise(2_600_000),
                }),
                freeze_quantity: None,
                band: None,
            },
            calendar: calendar(),
            policy: EntryPolicy::unbounded(),
            units: 2 * LOT,
            before: 0,
            price: hundred,
            last_price: hundred,
            leader_price: hundred,
            since: now,
            orders: 1,
            cover: None,
            now,
            trading: Trading::ACTIVE,
            credentials_refused: false,
            breaker_open: false,
            is_in_doubt: false,
            has_drifted: false,
            capital: Some(rupees(500_000)),
            profit: Some(Figure { value: Money::ZERO, at: now }),
            available: Some(Figure { value: rupees(500_000), at: now }),
            reserved: Money::ZERO,
            instrument_units: 0,
            instrument_value: Money::ZERO,
            open_orders: 0,
            orders_today: 0,
        }
    }

    fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut case = Self::new();
        change(&mut case);
        case
    }

    fn told(&self) -> Result<Admission, DeniedReason> {
        let raise = Raise {
            terms: &self.terms,
            units: Quantity::new(self.units),
            before: Quantity::new(self.before),
            instrument: &self.instrument,
            price: self.price,
            last_price: self.last_price,
            leader_price: self.leader_price,
            since: self.since,
            first_seen: self.since,
            orders: self.orders,
        };
        let standing = Standing {
            now: self.now,
            trading: self.trading,
            credentials_refused: self.credentials_refused,
            breaker_open: self.breaker_open,
            is_in_doubt: self.is_in_doubt,
            has_drifted: self.has_drifted,
            calendar: &self.calendar,
            capital: self.capital,
            profit: self.profit,
            available: self.available,
            reserved: self.reserved,
            cover: self.cover,
            instrument_units: self.instrument_units,
            instrument_value: self.instrument_value,
            open_orders: self.open_orders,
            orders_today: self.orders_today,
        };
        let told = weigh(&raise, &self.policy, &standing);
        assert_eq!(admit(&raise, &self.policy, &standing), told.map(|admission| admission.units));
        told
    }

    /// Lots admitted, and what cut them.
    fn lots(&self) -> Result<(u32, Option<DeniedReason>), DeniedReason> {
        self.told().map(|admission| (admission.units.get() / LOT, admission.cut_by))
    }
}

type Change = fn(&mut Case);
type Row = (DeniedReason, Change);

/// One breach for each gate, in the order in which gates are asked. Each can stand beside all others.
const IN_ORDER: [Row; 26] = [
    (DeniedReason::Halted, |case| case.trading.state = TradingState::Halted),
    (DeniedReason::Reducing, |case| case.trading.state = TradingState::Reducing),
    (DeniedReason::CopyingOff, |case| case.policy.is_copying = false),
    (DeniedReason::OutsideWindow, |case| case.policy.window = Some((time("12:00:00"), time("12:00:01")))),
    (DeniedReason::MarketHoliday, |case| {
        case.calendar.holidays.insert(date("2026-12-01"), Holiday::default());
    }),
    (DeniedReason::SegmentFiltered, |case| {
        case.policy.filters.segments.insert(ExchangeSegment::BseFno);
    }),
    (DeniedReason::UnderlyingFiltered, |case| {
        case.policy.filters.underlyings_denied.insert("Nifty".to_owned());
    }),
    (DeniedReason::InstrumentFiltered, |case| {
        case.policy.filters.instruments.insert("NIFTY-Dec2026-26000-PE".to_owned());
    }),
    (DeniedReason::ProductFiltered, |case| {
        case.policy.filters.products.insert(Product::Intraday);
    }),
    (DeniedReason::SideFiltered, |case| {
        case.policy.filters.sides.insert(Side::Sell);
    }),
    (DeniedReason::StaleEntry, |case| {
        case.since = case.now.minus(Duration::from_micros(30_000_001));
    }),
    (DeniedReason::PriceDrift, |case| {
        case.policy.drift_max = Some(Bps::new(99));
        case.last_price = Some(Price::from_paise(10_100));
    }),
    (DeniedReason::LotsPerOrder, |case| {
        case.policy.caps.lots_per_order = Some(Lots(3));
        case.before = 3 * LOT;
    }),
    (DeniedReason::LotsPerInstrument, |case| {
        case.policy.caps.lots_per_instrument = Some(Lots(10));
        case.instrument_units = 10 * u64::from(LOT) - 1;
    }),
    (DeniedReason::OrderValue, |case| case.policy.caps.order_value = Some(rupees(6_499))),
    (DeniedReason::PositionShare, |case| {
        case.policy.caps.position_share = Some(Bps::new(1_000));
        case.instrument_value = rupees(43_501);
    }),
    (DeniedReason::OpenOrders, |case| {
        case.policy.caps.open_orders = Some(50);
        case.open_orders = 50;
    }),
    (DeniedReason::OrdersPerDay, |case| {
        case.policy.caps.orders_per_day = Some(200);
        case.orders_today = 200;
    }),
    (DeniedReason::DailyLoss, |case| {
        case.policy.daily_loss_max = Some(rupees(10_000));
        case.profit = Some(Figure { value: rupees(-10_000), at: case.now });
    }),
    (DeniedReason::MarginShort, |case| {
        case.policy.margin = MarginCheck::Estimate;
        case.reserved = rupees(493_501);
    }),
    (DeniedReason::OffTick, |case| case.terms.price = Price::from_paise(10_002)),
    (DeniedReason::OutsideBand, |case| {
        case.instrument.band = Some((Price::from_paise(9_000), Price::from_paise(11_000)));
        case.terms.order_type = OrderType::StopLoss;
        case.terms.trigger = Price::from_paise(11_005);
    }),
    (DeniedReason::OutcomeUnknown, |case| case.is_in_doubt = true),
    (DeniedReason::LedgerDrift, |case| case.has_drifted = true),
    (DeniedReason::AccountHalted, |case| case.credentials_refused = true),
    (DeniedReason::BreakerOpen, |case| case.breaker_open = true),
];

/// Breaches that cannot stand beside one above, and other ways to the same reasons.
const BESIDE: [Row; 24] = [
    (DeniedReason::Halted, |case| case.trading.is_squaring_off = true),
    (DeniedReason::Halted, |case| case.trading.resumed_at = Some(case.now.plus(Duration::from_micros(1)))),
    (DeniedReason::MarketHoliday, |case| set_now(case, "2026-11-28 10:00:00")),
    (DeniedReason::MarketHoliday, |case| set_now(case, "2026-11-24 10:00:00")),
    (DeniedReason::MarketClosed, |case| set_now(case, "2026-12-01 15:40:00")),
    (DeniedReason::MarketClosed, |case| set_now(case, "2026-11-08 19:15:00")),
    (DeniedReason::MarketOpen, |case| case.terms.after_market = true),
    (DeniedReason::InstrumentExpired, |case| case.instrument.expiry = Some(date("2026-11-30"))),
    (DeniedReason::ExpiryDay, |case| {
        set_now(case, "2026-12-01 15:30:00");
        case.instrument.expiry = Some(date("2026-12-01"));
    }),
    (DeniedReason::IntradayCutoff, |case| {
        set_now(case, "2026-12-01 15:20:00");
        case.terms.product = Product::Intraday;
    }),
    (DeniedReason::UnderlyingFiltered, |case| {
        case.policy.filters.underlyings.insert("BANKNIFTY".to_owned());
    }),
    (DeniedReason::InstrumentFiltered, |case| {
        case.policy.filters.instruments_denied.insert("NIFTY-Dec2026-26000-CE".to_owned());
    }),
    (DeniedReason::PriceDrift, |case| {
        case.terms.side = Side::Sell;
        case.policy.drift_max = Some(Bps::new(99));
        case.last_price = Some(Price::from_paise(9_900));
    }),
    (DeniedReason::BelowOneLot, |case| case.units = LOT - 1),
    (DeniedReason::BelowOneLot, |case| case.units = 0),
    (DeniedReason::PriceUnknown, |case| {
        case.policy.caps.order_value = Some(rupees(1_000_000));
        (case.price, case.last_price, case.leader_price) = (None, Some(Price::ZERO), None);
    }),
    (DeniedReason::PriceUnknown, |case| {
        case.policy.margin = MarginCheck::Estimate;
        (case.price, case.last_price, case.leader_price) = (None, None, None);
    }),
    (DeniedReason::CapitalUnknown, |case| {
        case.policy.caps.position_share = Some(Bps::new(1_000));
        case.capital = None;
    }),
    (DeniedReason::FiguresUnknown, |case| {
        case.policy.daily_loss_max = Some(rupees(10_000));
        case.profit = None;
    }),
    (DeniedReason::FiguresUnknown, |case| {
        case.policy.daily_loss_max = Some(rupees(10_000));
        case.profit =
            Some(Figure { value: rupees(1), at: case.now.minus(Duration::from_micros(15_000_001)) });
    }),
    (DeniedReason::FiguresUnknown, |case| {
        case.policy.margin = MarginCheck::Estimate;
        case.available = None;
    }),
    (DeniedReason::MarginShort, |case| {
        case.policy.margin = MarginCheck::Broker;
        case.reserved = rupees(500_001);
    }),
    (DeniedReason::OffTick, |case| {
        case.terms.order_type = OrderType::StopLoss;
        case.terms.trigger = Price::from_paise(9_998);
    }),
    (DeniedReason::OutsideBand, |case| {
        case.instrument.band = Some((Price::from_paise(5_000), Price::from_paise(9_995)));
        (case.last_price, case.leader_price) = (Some(Price::from_paise(9_990)), None);
    }),
];

/// Lets a case happen at another time.
fn set_now(case: &mut Case, text: &str) {
    case.now = at(text);
    case.since = case.now;
}

#[test]
fn each_reason_has_its_case() {
    assert_eq!(Case::new().lots(), Ok((2, None)), "what no row has changed");
    for (row, (reason, breach)) in IN_ORDER.iter().chain(&BESIDE).enumerate() {
        assert_eq!(Case::with(breach).told(), Err(*reason), "row {row}");
    }
    for reason in DeniedReason::ALL.iter().filter(|reason| **reason >= DeniedReason::Halted) {
        assert!(IN_ORDER.iter().chain(&BESIDE).any(|(told, _)| told == reason), "no row for {reason}");
    }
}

#[test]
fn gates_are_asked_in_their_order() {
    for (at, (reason, _)) in IN_ORDER.iter().enumerate() {
        // All that comes later is in breach, too; of two that set one thing the earlier has the last word.
        let case = Case::with(|case| IN_ORDER[at..].iter().rev().for_each(|(_, breach)| breach(case)));
        assert_eq!(case.told(), Err(*reason), "row {at}");
    }
}

/// Just inside what the rows above are just outside of.
#[test]
fn a_bound_itself_is_kept() {
    let inside: [Change; 13] = [
        |case| case.trading.resumed_at = Some(case.since),
        |case| case.policy.window = Some((time("10:00:00"), time("10:00:01"))),
        |case| case.since = case.now.minus(Duration::from_secs(30)),
        |case| {
            case.policy.drift_max = Some(Bps::new(100));
            case.last_price = Some(Price::from_paise(10_100));
        },
        |case| {
            // Towards the follower the market may go as far as it likes.
            case.policy.drift_max = Some(Bps::new(1));
            case.last_price = Some(Price::from_paise(5_000));
        },
        |case| {
            case.policy.caps.lots_per_order = Some(Lots(5));
            case.before = 3 * LOT;
        },
        |case| case.policy.caps.order_value = Some(rupees(13_000)),
        |case| {
            case.policy.caps.position_share = Some(Bps::new(1_000));
            case.instrument_value = rupees(37_000);
        },
        |case| {
            case.policy.caps.open_orders = Some(50);
            case.open_orders = 49;
        },
        |case| {
            // A change is no further order.
            case.policy.caps.open_orders = Some(50);
            (case.open_orders, case.orders) = (50, 0);
        },
        |case| {
            case.policy.daily_loss_max = Some(rupees(10_000));
            case.profit = Some(Figure { value: rupees(-9_999), at: case.now.minus(Duration::from_secs(15)) });
        },
        |case| {
            case.policy.margin = MarginCheck::Estimate;
            case.reserved = rupees(487_000);
        },
        |case| {
            case.instrument.band = Some((case.terms.price, case.terms.price));
            case.policy.filters.underlyings.insert("nifty".to_owned());
        },
    ];
    for (row, change) in inside.into_iter().enumerate() {
        assert_eq!(Case::with(change).lots(), Ok((2, None)), "row {row}");
    }
}

#[test]
fn caps_cut_to_whole_lots_or_skip() {
    // Of ten lots at 6,500 rupees each: the cap, and what is left.
    let table: [(Change, u32, DeniedReason); 5] = [
        (|case| case.policy.caps.lots_per_order = Some(Lots(7)), 7, DeniedReason::LotsPerOrder),
        (
            |case| {
                case.policy.caps.lots_per_instrument = Some(Lots(7));
                case.instrument_units = 130;
            },
            5,
            DeniedReason::LotsPerInstrument,
        ),
        (|case| case.policy.caps.order_value = Some(rupees(20_000)), 3, DeniedReason::OrderValue),
        (
            |case| {
                case.policy.caps.position_share = Some(Bps::new(1_000));
                case.instrument_value = rupees(10_000);
            },
            6,
            DeniedReason::PositionShare,
        ),
        (
            |case| {
                case.policy.margin = MarginCheck::Estimate;
                case.reserved = rupees(440_000);
            },
            9,
            DeniedReason::MarginShort,
        ),
    ];
    for (change, lots, reason) in table {
        let mut case = Case::with(change);
        case.units = 10 * LOT;
        assert_eq!(case.lots(), Ok((lots, Some(reason))));
        case.policy.at_cap = AtCap::Skip;
        assert_eq!(case.told(), Err(reason));
    }
}

/// A28: a short is measured by margin, 65 x 26,000 x 15 % = 253,500 rupees a lot, not by its premium of 6,500.
#[test]
fn a_short_is_measured_by_margin() {
    let short = |change: Change| {
        Case::with(|case| {
            case.terms.side = Side::Sell;
            change(case);
        })
        .lots()
    };
    let value: Change = |case| case.policy.caps.order_value = Some(rupees(260_000));
    assert_eq!(short(value), Ok((1, Some(DeniedReason::OrderValue))));
    let share: Change = |case| case.policy.caps.position_share = Some(Bps::new(5_000));
    assert_eq!(short(share), Err(DeniedReason::PositionShare));
    let margin: Change = |case| case.policy.margin = MarginCheck::Estimate;
    assert_eq!(short(margin), Ok((1, Some(DeniedReason::MarginShort))));
    // The broker is asked later.
    let told: Change = |case| case.policy.margin = MarginCheck::Broker;
    assert_eq!(short(told), Ok((2, None)));
}

/// A quarter of the 253,500 stays, and 65 times the distance of the strikes comes to it: 200 points make 76,375 of a lot.
#[test]
fn a_covered_short_is_measured_by_the_distance_of_the_strikes() {
    for check in [MarginCheck::Estimate, MarginCheck::Broker] {
        let short = |lots: u64, points: u32, free: i64| {
            let case = Case::with(|case| {
                case.terms.side = Side::Sell;
                case.policy.margin = check;
                case.available = Some(Figure { value: rupees(free), at: case.now });
                case.cover = Some(Cover { units: lots * 65, width: Price::from_paise(points * 100) });
            });
            case.lots().map(|(lots, _)| lots)
        };
        assert_eq!(short(2, 200, 152_750), Ok(2), "{check}");
        assert_eq!(short(2, 200, 152_749), Ok(1), "{check}");
        assert_eq!(short(2, 200, 76_374), Err(DeniedReason::MarginShort), "{check}");
        // The second lot is naked.
        assert_eq!(short(1, 200, 329_875), Ok(2), "{check}");
        assert_eq!(short(1, 200, 329_874), Ok(1), "{check}");
        // Never more than naked, and never less than the quarter.
        assert_eq!(short(2, 9_000, 507_000), Ok(2), "{check}");
        assert_eq!(short(2, 0, 126_750), Ok(2), "{check}");
        assert_eq!(short(2, 0, 126_749), Ok(1), "{check}");
    }
    let bought = Case::with(|case| {
        case.policy.margin = MarginCheck::Estimate;
        case.available = Some(Figure { value: rupees(12_999), at: case.now });
        case.cover = Some(Cover { units: 130, width: Price::ZERO });
    });
    assert_eq!(bought.lots(), Ok((1, Some(DeniedReason::MarginShort))), "nothing covers a purchase");
}

#[test]
fn after_hours() {
    let waiting = |moment: &str, orders: u32| {
        Case::with(|case| {
            set_now(case, moment);
            case.terms.after_market = true;
            case.orders = orders;
            // Today's band says nothing of tomorrow's.
            case.instrument.band = Some((Price::from_paise(5), Price::from_paise(10)));
        })
        .lots()
    };
    assert_eq!(waiting("2026-12-01 18:00:00", 1), Ok((2, None)));
    assert_eq!(waiting("2026-11-28 10:00:00", 1), Ok((2, None)));
    assert_eq!(waiting("2026-12-01 10:00:00", 1), Err(DeniedReason::MarketOpen));
    // A change of one that is at the broker, before the open and after it.
    assert_eq!(waiting("2026-12-01 08:00:00", 0), Ok((2, None)));
    assert_eq!(waiting("2026-12-01 10:00:00", 0), Ok((2, None)));
    let forever = Case::with(|case| {
        set_now(case, "2026-11-28 10:00:00");
        case.terms.form = OrderForm::Forever(None);
        case.instrument.band = Some((Price::from_paise(5), Price::from_paise(10)));
    });
    assert_eq!(forever.lots(), Ok((2, None)), "the broker takes forever orders at any hour, for any day");
}

/// A share that the file gives no underlying stands for itself.
#[test]
fn a_share_is_its_own_underlying() {
    let shares = Case::with(|case| {
        case.instrument.underlying = "".into();
        case.instrument.symbol = "RELIANCE".into();
        case.policy.filters.underlyings.insert("RELIANCE".to_owned());
    });
    assert_eq!(shares.lots(), Ok((2, None)));
}
