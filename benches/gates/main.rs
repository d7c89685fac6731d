//! What all entry gates together cost for one order.
//!
//! `cargo bench --bench gates`. Aim: far under 20 microseconds; the figures stand in `docs/benchmarks.md`.
//!
//! How it works: every gate has something to do and lets pass: all caps set, long lists of names, the calendar of the
//! year, prices on the tick and in the band. Calls are timed one by one with the monotonic clock, whose own cost is
//! timed beside them and not taken off. The order is seen at a moment that moves, so that nothing can be computed once.

#![expect(clippy::print_stdout, reason = "printing figures is what it is for")]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use tandem_domain::calendar::Calendar;
use tandem_domain::gates::entry::{
    AtCap, Caps, EntryPolicy, Figure, Filters, MarginCheck, Raise, Standing, admit,
};
use tandem_domain::instrument::{
    ExchangeSegment, Instrument, InstrumentKey, InstrumentKind, OptionContract, OptionType, SecurityId,
};
use tandem_domain::order::{OrderForm, OrderTerms, OrderType, Product, Side, TimeInForce};
use tandem_domain::policy::Bps;
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::{LotSize, Lots, Quantity};
use tandem_domain::time::{Timestamp, TradingDay};
use tandem_domain::trading::Trading;

/// Calls that are not counted, and calls that are.
const WARM_UP: u32 = 100_000;
const CALLS: u32 = 1_000_000;
/// Names on each list of the owner's.
const NAMES: u32 = 200;

fn main() -> anyhow::Result<()> {
    let calendar = tandem::settings::load_calendar(None)?;
    let instrument = instrument()?;
    let (terms, policy) = (terms(instrument.key), policy());
    let start = TradingDay::from_ymd(2026, 12, 1).context("a day")?.start().plus(Duration::from_hours(10));

    let (mut gates, mut clock) = (Histogram::<u64>::new(3)?, Histogram::<u64>::new(3)?);
    for call in 0..WARM_UP + CALLS {
        let now = start.plus(Duration::from_micros(call.into()));
        let (raise, standing) = (raise(&terms, &instrument, now), standing(&calendar, now));
        let began = Instant::now();
        let told = admit(black_box(&raise), black_box(&policy), black_box(&standing));
        let took = began.elapsed();
        let empty = Instant::now().elapsed();
        // Ten lots asked for, of which the value cap leaves seven: cutting is part of the price.
        anyhow::ensure!(
            black_box(told) == Ok(Quantity::new(7 * 65)),
            "not let pass as it should be: {told:?}"
        );
        if call >= WARM_UP {
            gates.record(nanoseconds(took))?;
            clock.record(nanoseconds(empty))?;
        }
    }
    println!("{CALLS} calls, {NAMES} names on each of four lists, nanoseconds: p50, p99, p99.99, max");
    print("all entry gates", &gates);
    print("the clock alone", &clock);
    Ok(())
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn print(name: &str, figures: &Histogram<u64>) {
    let [p50, p99, p9999] = [0.5, 0.99, 0.9999].map(|share| figures.value_at_quantile(share));
    println!("{name:<16} {p50:>8} {p99:>8} {p9999:>8} {:>8}", figures.max());
}

fn instrument() -> anyhow::Result<Instrument> {
    Ok(Instrument {
        key: InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(43_125) },
        kind: InstrumentKind::IndexOption,
        symbol: "NIFTY-Dec2026-26000-CE".into(),
        underlying: "NIFTY".into(),
        lot_size: LotSize::new(65).context("a lot")?,
        tick: Price::from_paise(5),
        expiry: TradingDay::from_ymd(2026, 12, 1).map(TradingDay::date),
        option: Some(OptionContract { option_type: OptionType::Call, strike: Price::from_paise(2_600_000) }),
        freeze_quantity: Some(Quantity::new(1_800)),
        band: Some((Price::from_paise(5), Price::from_paise(50_000))),
    })
}

fn terms(instrument: InstrumentKey) -> OrderTerms {
    OrderTerms {
        instrument,
        side: Side::Buy,
        product: Product::Intraday,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Day,
        quantity: Quantity::new(20 * 65),
        disclosed: Quantity::ZERO,
        price: Price::from_paise(10_000),
        trigger: Price::ZERO,
        after_market: false,
        form: OrderForm::Ordinary,
    }
}

fn policy() -> EntryPolicy {
    // The name that is looked for is the last of its list.
    let names = |last: &str| -> BTreeSet<String> {
        (1..NAMES).map(|number| format!("ANOTHER-{number}")).chain([last.to_owned()]).collect()
    };
    EntryPolicy {
        window: Some((chrono::NaiveTime::MIN, tandem_domain::calendar::END_OF_DAY)),
        filters: Filters {
            segments: ExchangeSegment::ALL.iter().copied().collect(),
            underlyings: names("NIFTY"),
            underlyings_denied: names("SENSEX"),
            instruments: names("NIFTY-Dec2026-26000-CE"),
            instruments_denied: names("NIFTY-Dec2026-26000-PE"),
            products: Product::ALL.iter().copied().collect(),
            sides: Side::ALL.iter().copied().collect(),
        },
        drift_max: Some(Bps::new(200)),
        caps: Caps {
            lots_per_order: Some(Lots(20)),
            lots_per_instrument: Some(Lots(40)),
            order_value: Some(Money::from_rupees(50_000)),
            position_share: Some(Bps::new(5_000)),
            open_orders: Some(50),
            orders_per_day: Some(1_000),
        },
        at_cap: AtCap::Scale,
        daily_loss_max: Some(Money::from_rupees(25_000)),
        margin: MarginCheck::Estimate,
        ..EntryPolicy::unbounded()
    }
}

fn raise<'a>(terms: &'a OrderTerms, instrument: &'a Instrument, now: Timestamp) -> Raise<'a> {
    let price = Some(Price::from_paise(10_000));
    Raise {
        terms,
        units: Quantity::new(10 * 65),
        before: Quantity::ZERO,
        instrument,
        price,
        last_price: Some(Price::from_paise(10_050)),
        leader_price: price,
        since: now.minus(Duration::from_millis(40)),
        first_seen: now.minus(Duration::from_millis(40)),
        orders: 1,
    }
}

fn standing(calendar: &Calendar, now: Timestamp) -> Standing<'_> {
    let figure = |rupees| Some(Figure { value: Money::from_rupees(rupees), at: now });
    Standing {
        now,
        trading: Trading::ACTIVE,
        credentials_refused: false,
        breaker_open: false,
        is_in_doubt: false,
        has_drifted: false,
        calendar,
        capital: Some(Money::from_rupees(500_000)),
        profit: figure(-1_200),
        available: figure(300_000),
        reserved: Money::from_rupees(6_500),
        cover: None,
        instrument_units: 130,
        instrument_value: Money::from_rupees(13_000),
        open_orders: 3,
        orders_today: 41,
    }
}
