//! What an order costs a follower's book, by how many orders of the day its instrument has seen.
//!
//! `cargo bench -p tandem-domain --bench line`. The figures stand in `docs/benchmarks.md`.
//!
//! How it works: one book, one instrument, no program around it. Each order is told, answered and, where the day is of
//! that kind, filled on both sides; everything that the book did for it is timed together. The clock stands still between.
//! What is printed is the least of each block of orders, so that a column that does not grow means a cost that does not.

#![expect(clippy::print_stdout, reason = "printing figures is what it is for")]
#![expect(clippy::disallowed_methods, reason = "the time that the core takes is no input of it")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tandem_domain::calendar::Calendar;
use tandem_domain::decision::decide;
use tandem_domain::follower::{Effect, Event, FollowerBook, FollowerSettings};
use tandem_domain::gap::GapPolicy;
use tandem_domain::gates::CopyPolicy;
use tandem_domain::gates::entry::EntryPolicy;
use tandem_domain::ids::{BrokerOrderId, DhanClientId, FollowerId, Tag};
use tandem_domain::instrument::{ExchangeSegment, Instrument, InstrumentKey, InstrumentKind, SecurityId};
use tandem_domain::leader::{KnownFingerprint, LeaderOrder};
use tandem_domain::mirror::{Answer, Ask, Mirror, Request, Rules};
use tandem_domain::order::{
    BrokerStatus, EvidenceSource, Leg, OrderForm, OrderReport, OrderTerms, OrderType, Product, Side,
    TimeInForce,
};
use tandem_domain::pacing::{PacingLimits, Window};
use tandem_domain::policy::{
    AtModificationLimit, Bps, Changes, Conversions, CopyOn, EntryLeftBehind, MarketOrders, MissingCover,
    OnBreach, OnDrift, Parting, RiskPolicy, Spread, Translation,
};
use tandem_domain::price::Price;
use tandem_domain::quantity::{LotSize, Lots, Quantity};
use tandem_domain::sizing::{CapitalBasis, DayCapital, Minimum, Ratio, Rounding, SizingPolicy, Strategy};
use tandem_domain::time::{Timestamp, TradingDay};

const BLOCKS: usize = 8;
const ORDERS_PER_BLOCK: usize = 250;
const LOT: u32 = 65;

fn main() {
    println!(
        "orders of one instrument in one book, blocks of {ORDERS_PER_BLOCK}; least time of an order, us"
    );
    let mut starts = Vec::new();
    for kind in [Kind::Resting, Kind::RoundTrips, Kind::InAndOut, Kind::Building, Kind::AfterGap] {
        let mut day = Day::new();
        // One order far from the market all day long: never is everything over.
        if kind != Kind::Resting {
            day.order(Side::Buy, Fills::None);
        }
        if kind == Kind::AfterGap {
            day.order(Side::Buy, Fills::CopyAlone);
        }
        let mut told = Vec::new();
        let blocks: Vec<String> = (0..BLOCKS)
            .map(|_| {
                let least = day.block(kind);
                told.push(format!("{:>8.1}", day.told_anew().as_secs_f64() * 1e3));
                format!("{least:>8.1}")
            })
            .collect();
        println!("{:<14} {}", kind.name(), blocks.join(" "));
        starts.push((kind, told));
    }
    println!("a new life that is told of them all at once, behind each block, ms");
    for (kind, told) in starts {
        println!("{:<14} {}", kind.name(), told.join(" "));
    }
}

/// What fills of an order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fills {
    /// Nothing: it rests.
    None,
    /// It and its copy.
    Both,
    /// Its copy; the leader takes it back. What is too much by that is reported, and stays.
    CopyAlone,
}

/// What the leader does all day.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Every order rests.
    Resting,
    /// Buys a lot, sells it again.
    RoundTrips,
    /// Holds ten lots, and buys and sells one of them again and again.
    InAndOut,
    /// Only buys.
    Building,
    /// Round trips, beside a copy that has filled for an order that the leader took back.
    AfterGap,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Resting => "all rest",
            Self::RoundTrips => "round trips",
            Self::InAndOut => "never flat",
            Self::Building => "only buys",
            Self::AfterGap => "after a gap",
        }
    }

    const fn order(self, number: usize) -> (Side, Fills) {
        match self {
            Self::Resting => (Side::Buy, Fills::None),
            Self::RoundTrips if number % 2 == 1 => (Side::Buy, Fills::Both),
            Self::AfterGap if number.is_multiple_of(2) => (Side::Buy, Fills::Both),
            Self::InAndOut if number < 10 || number.is_multiple_of(2) => (Side::Buy, Fills::Both),
            Self::Building => (Side::Buy, Fills::Both),
            Self::RoundTrips | Self::InAndOut | Self::AfterGap => (Side::Sell, Fills::Both),
        }
    }
}

struct Day {
    book: FollowerBook,
    instrument: Arc<Instrument>,
    copy: CopyPolicy,
    now: Timestamp,
    orders: usize,
}

impl Day {
    fn new() -> Self {
        let settings = settings();
        let copy = settings.copy.clone();
        let now = TradingDay::from_ymd(2026, 12, 1).map_or(Timestamp::EPOCH, TradingDay::start);
        let now = now.plus(Duration::from_hours(10));
        Self { book: FollowerBook::new(settings), instrument: Arc::new(instrument()), copy, now, orders: 0 }
    }

    /// The fastest of a block, in microseconds: what else the machine does delays the others.
    fn block(&mut self, kind: Kind) -> f64 {
        let took = (0..ORDERS_PER_BLOCK)
            .map(|_| {
                let (side, fills) = kind.order(self.orders);
                self.order(side, fills)
            })
            .min();
        took.unwrap_or_default().as_secs_f64() * 1e6
    }

    /// One order of the leader's and its copy. How long the book worked.
    fn order(&mut self, side: Side, fills: Fills) -> Duration {
        self.orders += 1;
        self.now = self.now.plus(Duration::from_millis(1_100));
        let order = self.leader_order(side);
        let mut spent = Duration::ZERO;
        let requests = self.plan(order.clone(), &mut spent);
        for request in requests {
            self.take(&request, fills != Fills::None, &mut spent);
        }
        if fills == Fills::CopyAlone {
            let taken_back = LeaderOrder { status: BrokerStatus::Cancelled, ..order.clone() };
            self.plan(taken_back, &mut spent);
        }
        if fills == Fills::Both {
            let traded = LeaderOrder {
                status: BrokerStatus::Traded,
                cumulative: order.terms.quantity,
                average_price: order.terms.price,
                ..order
            };
            let more = self.plan(traded, &mut spent);
            for request in more {
                self.take(&request, true, &mut spent);
            }
        }
        spent
    }

    /// How long a new life needs to take its mirrors back, and to be told of the leader's whole day at once.
    fn told_anew(&self) -> Duration {
        let known = self.book.outcomes().filter_map(|(id, ..)| self.book.mirror(id).cloned());
        let mut mirrors: Vec<Mirror> = known.collect();
        mirrors.sort_by(|one, other| one.leader.broker_order_id.cmp(&other.leader.broker_order_id));
        let leader_orders: Vec<_> = mirrors.iter().map(|mirror| mirror.leader.clone()).collect();
        let mut next = Self {
            book: FollowerBook::new(settings()),
            instrument: Arc::clone(&self.instrument),
            copy: self.copy.clone(),
            now: self.now,
            orders: self.orders,
        };
        next.book.restore(mirrors, self.now);
        let mut spent = Duration::ZERO;
        next.tell(Event::Together(true), &mut spent);
        for order in leader_orders {
            next.plan(LeaderOrder::clone(&order), &mut spent);
        }
        next.tell(Event::Together(false), &mut spent);
        spent
    }

    fn plan(&mut self, order: LeaderOrder, spent: &mut Duration) -> Vec<Request> {
        let account = DhanClientId::new("1000000202").ok();
        let Some(account) = account else { return Vec::new() };
        let decision = decide(&order, Some(&self.instrument), &self.copy, DayCapital::default(), &account);
        self.tell(Event::Plan { order: Arc::new(order), decision }, spent)
    }

    /// The broker takes a request, and says so.
    fn take(&mut self, request: &Request, fills: bool, spent: &mut Duration) {
        let Ask::Place(terms) = &request.ask else { return };
        let Ok(broker_order_id) = BrokerOrderId::new(format!("5{:011}", self.orders)) else { return };
        let id = request.client_order_id.clone();
        let answer = Answer::Accepted(broker_order_id.clone());
        self.tell(Event::Answered { client_order_id: id.clone(), serial: 0, answer }, spent);
        let Ok(account) = DhanClientId::new("1000000202") else { return };
        let report = OrderReport {
            account,
            broker_order_id,
            exchange_order_id: None,
            tag: Some(Tag::from(&id)),
            terms: terms.clone(),
            status: if fills { BrokerStatus::Traded } else { BrokerStatus::Pending },
            cumulative: if fills { terms.quantity } else { Quantity::ZERO },
            average_price: if fills { terms.price } else { Price::ZERO },
            reason: None,
            leg: Leg::Single,
            parent: None,
            last_price: None,
            ts_event: self.now,
            ts_exchange: None,
            ts_created: Some(self.now),
            source: EvidenceSource::Stream,
        };
        self.tell(Event::Report(Box::new(report)), spent);
    }

    fn tell(&mut self, event: Event, spent: &mut Duration) -> Vec<Request> {
        let began = Instant::now();
        let effects = self.book.step(event, self.now);
        *spent += began.elapsed();
        let mut requests = Vec::new();
        for effect in effects {
            if let Effect::Commit { then: Some(approved), .. } = effect {
                requests.push(approved.get().clone());
                self.book.step(Event::Left, self.now);
            }
        }
        requests
    }

    fn leader_order(&self, side: Side) -> LeaderOrder {
        let id = format!("2{:011}", self.orders);
        LeaderOrder {
            account: DhanClientId::new("1000000101").unwrap_or_else(|_| unreachable!("ten digits")),
            trading_day: self.now.trading_day(),
            broker_order_id: BrokerOrderId::new(id).unwrap_or_else(|_| unreachable!("twelve digits")),
            tag: None,
            leg: Leg::Single,
            terms: OrderTerms {
                instrument: self.instrument.key,
                side,
                product: Product::Margin,
                order_type: OrderType::Limit,
                time_in_force: TimeInForce::Day,
                quantity: Quantity::new(LOT),
                disclosed: Quantity::ZERO,
                price: Price::from_paise(10_000),
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
            ts_event: self.now,
            ts_first_event: self.now,
            ts_first_seen: self.now,
        }
    }
}

fn instrument() -> Instrument {
    Instrument {
        key: InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(43_125) },
        kind: InstrumentKind::IndexOption,
        symbol: "NIFTY-Dec2026-26000-CE".into(),
        underlying: "NIFTY".into(),
        lot_size: LotSize::new(LOT).unwrap_or(LotSize::ONE),
        tick: Price::from_paise(5),
        expiry: None,
        option: None,
        freeze_quantity: None,
        band: None,
    }
}

/// One to one, and no bound to anything.
fn settings() -> FollowerSettings {
    let translation = Translation {
        market_orders: MarketOrders::AsIs,
        price_band: Bps::new(300),
        stop_band: Bps::new(300),
    };
    let second = Duration::from_secs(1);
    FollowerSettings {
        account: DhanClientId::new("1000000202").unwrap_or_else(|_| unreachable!("ten digits")),
        copy: CopyPolicy {
            kinds: [InstrumentKind::IndexOption].into(),
            product_map: BTreeMap::new(),
            entry_age_max: second * 30,
            on: CopyOn::Working,
            translation,
        },
        sizing: SizingPolicy {
            strategy: Strategy::FixedRatio,
            fixed_ratio: Ratio::ONE,
            fixed_lots: Lots(0),
            risk_share: Bps::new(Bps::WHOLE),
            capital: CapitalBasis::Total,
            fixed_capital: None,
            multiplier: Ratio::ONE,
            ratio_max: Ratio { numerator: 10, denominator: 1 },
            rounding: Rounding::Down,
            minimum: Minimum::Skip,
            keeps_remainder: true,
        },
        entry: EntryPolicy { age_max: second * 30, ..EntryPolicy::unbounded() },
        spread: Spread { cover_wait: second, on_missing_cover: MissingCover::Skip, exit_wait: second },
        risk: RiskPolicy {
            on_daily_loss: OnBreach::Reduce,
            rejections_max: 0,
            on_rejections: OnBreach::Off,
            on_drift: OnDrift::Freeze,
            positions_poll: second,
            funds_poll: second,
            margin_wait: second,
            conversions: Conversions::Alert,
        },
        calendar: Arc::new(Calendar::always_open()),
        rules: Rules {
            follower: FollowerId::new("asha").unwrap_or_else(|_| unreachable!("a name")),
            on: CopyOn::Working,
            translation,
            changes: Changes { per_order_max: 25, at_limit: AtModificationLimit::Replace },
            parting: Parting {
                entry: EntryLeftBehind::Cancel,
                entry_after: second * 10,
                exit_after: second * 2,
                chase_interval: second * 2,
                gap: GapPolicy::Report,
            },
            settle: second * 2,
            retry: second,
        },
        pacing: PacingLimits {
            windows: vec![Window { limit: 100, span: second }],
            exit_reserve_pct: 20,
            guard: Duration::ZERO,
        },
        lookup_first: second,
        lookup_max: second,
        busy_pause: second,
        slippage_alert_bps: 0,
    }
}
