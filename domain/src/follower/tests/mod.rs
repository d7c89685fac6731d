//! A follower book told one thing after another, and asked what it wants done. No clock: each test says what time it is.

mod attack;
mod by_hand;
mod carrying;
mod control;
mod doubt;
mod exits;
mod fills;
mod flattening;
mod gaps;
mod limits;
mod long_day;
mod margin;
mod model;
mod night;
mod overshot;
mod owed;
mod pacing;
mod parted;
mod placing;
mod positions;
mod products;
mod property;
mod reconciliation;
mod restart;
mod review;
mod spreads;
mod unproven;
mod world;

use super::*;
use crate::account::{Funds, PositionReport};
use crate::decision::{Decision, Wish};
use crate::gap::{Gap, GapKind, GapPolicy, GapResult};
use crate::ids::FollowerId;
use crate::ids::Tag;
use crate::instrument::{
    ExchangeSegment, Instrument, InstrumentKind, OptionContract, OptionType, SecurityId,
};
use crate::leader::LeaderOrder;
use crate::mirror::{Answer, Ask, Child, IntentState, Refused, Request, Target};
use crate::order::lifecycle::ChildState;
use crate::order::{
    BrokerStatus, EvidenceSource, Leg, OrderTerms, OrderType, Side, TimeInForce, TradeReport,
};
use crate::pacing::{Purpose, Window};
use crate::policy::{
    AtModificationLimit, Bps, Changes, Conversions, CopyOn, EntryLeftBehind, MarketOrders, MissingCover,
    OnBreach, OnDrift, Parting, Translation,
};
use crate::price::{Money, Price};
use crate::quantity::{LotSize, Lots, Quantity, SignedQuantity};
use crate::sizing::{CapitalBasis, DayCapital, Minimum, Ratio, Rounding, Strategy};
use crate::time::TradingDay;
use crate::trading::{Control, HaltCause};

const ENTRY_AGE_MAX: Duration = Duration::from_secs(30);
const SETTLE: Duration = Duration::from_secs(2);
const BUSY_PAUSE: Duration = Duration::from_secs(1);
const RESEND_DELAY: Duration = Duration::from_millis(200);
const SECOND: Duration = Duration::from_secs(1);
const COVER_WAIT: Duration = Duration::from_secs(5);
const EXIT_WAIT: Duration = Duration::from_secs(3);

/// Ten a second, eight of them for entries; one to one, with no bound but age.
fn settings() -> FollowerSettings {
    let translation = Translation {
        market_orders: MarketOrders::AsIs,
        price_band: Bps::new(300),
        stop_band: Bps::new(300),
    };
    FollowerSettings {
        account: DhanClientId::new("1000000202").unwrap(),
        copy: CopyPolicy {
            kinds: [InstrumentKind::IndexOption].into(),
            product_map: BTreeMap::new(),
            entry_age_max: ENTRY_AGE_MAX,
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
        entry: EntryPolicy { age_max: ENTRY_AGE_MAX, ..EntryPolicy::unbounded() },
        spread: Spread { cover_wait: COVER_WAIT, on_missing_cover: MissingCover::Skip, exit_wait: EXIT_WAIT },
        risk: RiskPolicy {
            on_daily_loss: OnBreach::Reduce,
            rejections_max: 0,
            on_rejections: OnBreach::Off,
            on_drift: OnDrift::Freeze,
            positions_poll: SECOND * 5,
            funds_poll: SECOND * 10,
            margin_wait: Duration::from_millis(300),
            conversions: Conversions::Alert,
        },
        calendar: Arc::new(Calendar::always_open()),
        rules: Rules {
            follower: FollowerId::new("asha").unwrap(),
            on: CopyOn::Working,
            translation,
            changes: Changes { per_order_max: 25, at_limit: AtModificationLimit::Replace },
            parting: Parting {
                entry: EntryLeftBehind::Cancel,
                entry_after: Duration::from_secs(10),
                exit_after: Duration::from_secs(2),
                chase_interval: Duration::from_secs(2),
                gap: GapPolicy::ExitsOnly,
            },
            settle: SETTLE,
            retry: RESEND_DELAY,
        },
        pacing: PacingLimits {
            windows: vec![
                Window { limit: 10, span: SECOND },
                Window { limit: 100, span: Duration::from_mins(1) },
            ],
            exit_reserve_pct: 20,
            guard: Duration::ZERO,
        },
        lookup_first: Duration::from_millis(100),
        lookup_max: Duration::from_millis(500),
        busy_pause: BUSY_PAUSE,
        slippage_alert_bps: 0,
    }
}

fn start() -> Timestamp {
    TradingDay::from_ymd(2026, 12, 1).unwrap().start().plus(Duration::from_hours(10))
}

fn broker_id(text: &str) -> BrokerOrderId {
    BrokerOrderId::new(text).unwrap()
}

fn terms(side: Side, quantity: u32) -> OrderTerms {
    OrderTerms {
        instrument: InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(43_125) },
        side,
        product: Product::Margin,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Day,
        quantity: Quantity::new(quantity),
        disclosed: Quantity::ZERO,
        price: Price::from_paise(10_000),
        trigger: Price::ZERO,
        after_market: false,
        form: crate::order::OrderForm::Ordinary,
    }
}

/// A working order of the leader's, first seen by the broker at `since`.
fn leader_order(id: &str, terms: OrderTerms, since: Timestamp) -> Arc<LeaderOrder> {
    Arc::new(LeaderOrder {
        account: DhanClientId::new("1000000101").unwrap(),
        trading_day: since.trading_day(),
        broker_order_id: broker_id(id),
        tag: None,
        leg: Leg::Single,
        terms,
        status: BrokerStatus::Pending,
        cumulative: Quantity::ZERO,
        average_price: Price::ZERO,
        reason: None,
        exited: Quantity::ZERO,
        last_price: None,
        forever_parent: None,
        known_fingerprint: crate::leader::KnownFingerprint::default(),
        ts_event: since,
        ts_first_event: since,
        ts_first_seen: since,
    })
}

/// Calls of one expiry have security ids from here on, by their strikes.
const CALLS: u32 = 100_000;

fn instrument(key: InstrumentKey) -> Arc<Instrument> {
    let strike = key.security_id.0.checked_sub(CALLS).map(|strike| Price::from_paise(strike * 100));
    Arc::new(Instrument {
        key,
        kind: InstrumentKind::IndexOption,
        symbol: "NIFTY-Dec2026-26000-CE".into(),
        underlying: "NIFTY".into(),
        lot_size: LotSize::new(65).unwrap(),
        tick: Price::from_paise(5),
        expiry: None,
        option: strike.map(|strike| OptionContract { option_type: OptionType::Call, strike }),
        freeze_quantity: None,
        band: None,
    })
}

fn wish(terms: OrderTerms) -> Wish {
    Wish {
        instrument: instrument(terms.instrument),
        terms,
        executed: Quantity::ZERO,
        exited: Quantity::ZERO,
        capital: DayCapital::default(),
        entry_denial: None,
        note: None,
        is_unpriced: false,
        reference: None,
    }
}

fn follow(terms: OrderTerms) -> Decision {
    Decision::Follow(Box::new(wish(terms)))
}

/// A request to place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Placement {
    client_order_id: ClientOrderId,
    terms: OrderTerms,
    purpose: Purpose,
}

fn requests(effects: &[Effect]) -> Vec<Request> {
    let then = effects.iter().filter_map(|effect| match effect {
        Effect::Commit { then, .. } => then.as_ref(),
        _ => None,
    });
    then.map(|approved| approved.get().clone()).collect()
}

fn placements(effects: &[Effect]) -> Vec<Placement> {
    let placed = requests(effects).into_iter().filter_map(|request| match request.ask {
        Ask::Place(terms) => {
            let Request { client_order_id, purpose, .. } = request;
            Some(Placement { client_order_id, terms, purpose })
        }
        Ask::Modify { .. } | Ask::Cancel { .. } => None,
    });
    placed.collect()
}

/// Changes and cancels, in words.
fn changes(effects: &[Effect]) -> Vec<String> {
    let asked = requests(effects).into_iter().filter_map(|request| match request.ask {
        Ask::Place(_) => None,
        Ask::Modify { terms, .. } => {
            Some(format!("{} modify to {} at {}", request.serial, terms.quantity, terms.price))
        }
        Ask::Cancel { .. } => Some(format!("{} cancel", request.serial)),
    });
    asked.collect()
}

fn alerts(effects: &[Effect]) -> Vec<&Alert> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Alert(alert) = effect { Some(alert) } else { None })
        .collect()
}

fn lookups(effects: &[Effect]) -> Vec<(&ClientOrderId, Duration)> {
    let lookups = effects.iter().filter_map(|effect| match effect {
        Effect::Lookup { client_order_id, after } => Some((client_order_id, *after)),
        _ => None,
    });
    lookups.collect()
}

fn wake(effects: &[Effect]) -> Option<Timestamp> {
    let wakes = effects.iter().filter_map(|effect| match effect {
        Effect::WakeAt(at) => Some(*at),
        _ => None,
    });
    wakes.min()
}

/// Everything that was to be stored, as (kind, word of state or outcome).
fn stored(effects: &[Effect]) -> Vec<(&'static str, String)> {
    let records = effects.iter().flat_map(|effect| match effect {
        Effect::Commit { records, .. } => &records[..],
        _ => &[],
    });
    // Notes go with the states that these tests are about.
    let records = records.filter(|record| !matches!(record, Record::ChildNote { .. }));
    records
        .map(|record| match record {
            Record::LeaderEvent(order) => ("event", order.status.to_string()),
            Record::Mapping { state, .. } => {
                let (outcome, reason) = (state.outcome, state.reason);
                let reason = reason.map_or(String::new(), |reason| format!(" {reason}"));
                ("mapping", format!("{outcome}{reason}"))
            }
            Record::Intent { child, .. } => {
                ("intent", format!("{} {}", child.key.attempt, child.intent_state()))
            }
            Record::Order { report, .. } => ("order", report.status.to_string()),
            Record::Fills { comparison, .. } => ("fills", comparison.filled.to_string()),
            Record::ChildNote { note, .. } => ("note", format!("{:?} {}", note.purpose, note.is_retired)),
            Record::Settled(of) => ("settled", of.client_order_id.to_string()),
            Record::Drift(_, units) => ("drift", units.to_string()),
            Record::Converted(converted) => {
                ("converted", converted.copy.map_or(0, |copy| copy.units).to_string())
            }
            Record::Change { change, .. } => ("change", format!("{} {}", change.serial, change.state)),
            Record::Leg(report) => ("leg", report.status.to_string()),
            Record::External(report) => ("external", report.status.to_string()),
            Record::Gap { gap, .. } => ("gap", format!("{} {} {}", gap.kind, gap.units, gap.result)),
            Record::Trade(trade) => ("trade", trade.trade_id.to_string()),
            Record::Trading(trading) => ("trading", trading.state.to_string()),
            Record::Opening(opening) => {
                ("opening", format!("{} {} {}", opening.leader, opening.copied, opening.own))
            }
        })
        .collect()
}

fn stored_as(rows: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    rows.iter().map(|(kind, word)| (*kind, (*word).to_owned())).collect()
}

/// What the one instrument's row of the positions says: units held in all, and those held since before today.
fn position(product: Product, net: i64, carried: i64) -> PositionReport {
    PositionReport {
        instrument: terms(BUY, 0).instrument,
        product,
        net: SignedQuantity(net),
        carried: SignedQuantity(carried),
        buy_average: Price::ZERO,
        sell_average: Price::ZERO,
        realised: Money::ZERO,
        unrealised: Money::ZERO,
        ts_event: start(),
    }
}

/// A follower book, the time, and what was made durable.
struct Desk {
    book: FollowerBook,
    now: Timestamp,
    log: Vec<(Record, Timestamp)>,
}

impl Desk {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut FollowerSettings)) -> Self {
        let mut settings = settings();
        change(&mut settings);
        Self { book: FollowerBook::new(settings), now: start(), log: Vec::new() }
    }

    /// A new process with the rows of this one, and what it wants done first.
    fn restarted(&self, trading: Option<Trading>) -> (Self, Vec<Effect>) {
        self.restarted_with(|book| trading.into_iter().for_each(|trading| book.restore_trading(trading)))
    }

    /// The same, before it has read anything of its account.
    fn restarted_unread(&self) -> Self {
        let (mut next, _) = self.restarted(None);
        next.book.unread = Some(Unread::since(next.now));
        next
    }

    /// All positions, read now: one row of so many units of the one instrument.
    fn reads_positions(&mut self, units: i64) -> Vec<Effect> {
        let positions = vec![position(Product::Margin, units, 0)];
        self.step(Event::Positions { started_at: self.now, positions })
    }

    /// The same, with what else is on record of the account.
    fn restarted_with(&self, restore: impl FnOnce(&mut FollowerBook)) -> (Self, Vec<Effect>) {
        let mut rows = model::Rows::default();
        for (record, at) in &self.log {
            rows.store(record, *at);
        }
        let book = FollowerBook::new(self.book.settings.clone());
        let mut next = Self { book, now: self.now, log: self.log.clone() };
        restore(&mut next.book);
        let effects = next.book.restore(rows.mirrors(), next.now);
        next.note(&effects);
        // Most tests are about something else than what has to be read first.
        next.book.unread = None;
        (next, effects)
    }

    fn note(&mut self, effects: &[Effect]) {
        let records = effects.iter().flat_map(|effect| match effect {
            Effect::Commit { records, .. } => &records[..],
            _ => &[],
        });
        self.log.extend(records.map(|record| (record.clone(), self.now)));
    }

    /// What is released leaves at once.
    fn step(&mut self, event: Event) -> Vec<Effect> {
        let effects = self.book.step(event, self.now);
        self.note(&effects);
        for _ in requests(&effects) {
            let more = self.book.step(Event::Left, self.now);
            assert_eq!(requests(&more), vec![], "leaving makes no room");
        }
        effects
    }

    /// The leader places this now, and it is to be followed one to one.
    fn plan(&mut self, id: &str, terms: OrderTerms) -> Vec<Effect> {
        let order = leader_order(id, terms.clone(), self.now);
        self.step(Event::Plan { order, decision: follow(terms) })
    }

    /// The leader takes it back; so much of it is filled.
    fn cancelled(&mut self, id: &str, terms: OrderTerms, executed: u32) -> Vec<Effect> {
        let executed = Quantity::new(executed);
        let decision = if executed.is_zero() {
            Decision::Deny(DeniedReason::LeaderGone)
        } else {
            let terms = OrderTerms { quantity: executed, ..terms.clone() };
            Decision::Follow(Box::new(Wish { executed, ..wish(terms) }))
        };
        let known = self.book.mirror(&broker_id(id)).map(|mirror| LeaderOrder::clone(&mirror.leader));
        let order = LeaderOrder {
            status: BrokerStatus::Cancelled,
            cumulative: executed,
            ts_event: self.now,
            ..known.unwrap_or_else(|| LeaderOrder::clone(&leader_order(id, terms, self.now)))
        };
        self.step(Event::Plan { order: Arc::new(order), decision })
    }

    /// The same for a buy of one lot, sent at once.
    fn sent(&mut self, id: &str, terms: OrderTerms) -> ClientOrderId {
        let effects = self.plan(id, terms);
        placements(&effects).first().expect("the budget is free").client_order_id.clone()
    }

    fn answer(&mut self, client_order_id: &ClientOrderId, answer: Answer) -> Vec<Effect> {
        self.answer_to(client_order_id, 0, answer)
    }

    /// The answer to a change or cancel.
    fn answer_to(&mut self, client_order_id: &ClientOrderId, serial: u32, answer: Answer) -> Vec<Effect> {
        self.step(Event::Answered { client_order_id: client_order_id.clone(), serial, answer })
    }

    fn accepted(&mut self, client_order_id: &ClientOrderId, id: &str) -> Vec<Effect> {
        self.answer(client_order_id, Answer::Accepted(broker_id(id)))
    }

    /// The leader's order is copied, and the copy works at the broker as `b-<id>`.
    fn works(&mut self, id: &str, terms: OrderTerms) -> ClientOrderId {
        let ours = self.sent(id, terms);
        self.accepted(&ours, &format!("b-{id}"));
        self.shows(&ours, BrokerStatus::Pending, 0);
        ours
    }

    /// The leader's order is seen for the first time when it is executed whole.
    fn executed(&mut self, id: &str, terms: OrderTerms) -> Vec<Effect> {
        let order = LeaderOrder {
            status: BrokerStatus::Traded,
            cumulative: terms.quantity,
            ..LeaderOrder::clone(&leader_order(id, terms.clone(), self.now))
        };
        let decision = Decision::Follow(Box::new(Wish { executed: terms.quantity, ..wish(terms) }));
        self.step(Event::Plan { order: Arc::new(order), decision })
    }

    /// Both have bought so much; the copy is `b-<id>`.
    fn bought(&mut self, id: &str, quantity: u32) -> ClientOrderId {
        let ours = self.works(id, terms(BUY, quantity));
        self.leader_fills(id, quantity);
        self.shows(&ours, BrokerStatus::Traded, quantity);
        ours
    }

    /// The broker shows this of an order of ours.
    fn shows(&mut self, ours: &ClientOrderId, status: BrokerStatus, cumulative: u32) -> Vec<Effect> {
        let (_, child) = self.book.child(ours).unwrap();
        let id = child.broker_order_id.clone().unwrap();
        let row = self.row(ours, id.as_str(), status, cumulative);
        self.step(Event::Report(Box::new(row)))
    }

    /// The broker shows for the first time an order of ours, as `1`: it works.
    fn shows_first(&mut self, ours: &ClientOrderId) -> Vec<Effect> {
        let row = self.row(ours, "1", BrokerStatus::Pending, 0);
        self.step(Event::Report(Box::new(row)))
    }

    /// A complete read of the book, begun and ended now.
    fn reads(&mut self, orders: Vec<OrderReport>) -> Vec<Effect> {
        let read = BookRead { started_at: self.now, orders, complete: true };
        self.step(Event::Book(read))
    }

    fn passes(&mut self, span: Duration) -> Vec<Effect> {
        self.now = self.now.plus(span);
        self.step(Event::Tick)
    }

    /// So much of the leader's order is filled now; all of it ends it.
    fn leader_fills(&mut self, id: &str, executed: u32) -> Vec<Effect> {
        let known = LeaderOrder::clone(&self.book.mirror(&broker_id(id)).unwrap().leader);
        let terms = known.terms.clone();
        let executed = Quantity::new(executed);
        let is_whole = executed >= terms.quantity;
        let order = LeaderOrder {
            status: if is_whole { BrokerStatus::Traded } else { BrokerStatus::PartTraded },
            cumulative: executed,
            ts_event: self.now,
            ..known
        };
        let decision = Decision::Follow(Box::new(Wish { executed, ..wish(terms) }));
        self.step(Event::Plan { order: Arc::new(order), decision })
    }

    /// Both hold so much because of an earlier order of the leader's and its copy.
    fn holds(&mut self, quantity: u32) -> OrderReport {
        let client_order_id = self.sent("held", terms(Side::Buy, quantity));
        self.accepted(&client_order_id, "held-1");
        let row = self.row(&client_order_id, "held-1", BrokerStatus::Traded, quantity);
        self.reads(vec![row.clone()]);
        self.leader_fills("held", quantity);
        assert_eq!(self.position(), i64::from(quantity));
        // The request for it shall not count in what the test is about.
        self.passes(Duration::from_mins(2));
        row
    }

    fn position(&self) -> i64 {
        let terms = terms(Side::Buy, 0);
        self.book.positions.get(&(terms.instrument, terms.product)).copied().unwrap_or(0)
    }

    fn child(&self, leader_order: &str) -> &Child {
        self.book.mirror(&broker_id(leader_order)).unwrap().child().unwrap()
    }

    fn outcome(&self, leader_order: &str) -> (Outcome, Option<DeniedReason>) {
        let mirror = self.book.mirror(&broker_id(leader_order)).unwrap();
        (mirror.outcome, mirror.reason)
    }

    /// A row of the account's book for an order of ours.
    fn row(&self, ours: &ClientOrderId, id: &str, status: BrokerStatus, cumulative: u32) -> OrderReport {
        let leader_order = &self.book.leader_of[ours];
        let mirror = self.book.mirror(leader_order).unwrap();
        let child = mirror.children.iter().find(|child| child.client_order_id == *ours).unwrap();
        let row = manual(id, child.terms.clone());
        let average_price = if cumulative > 0 { child.terms.price } else { Price::ZERO };
        OrderReport {
            tag: Some(Tag::from(ours)),
            status,
            cumulative: Quantity::new(cumulative),
            average_price,
            ts_event: self.now,
            ..row
        }
    }
}

/// The only placement there is.
fn placed(effects: &[Effect]) -> Placement {
    let [placed] = &placements(effects)[..] else { panic!("{effects:?}") };
    placed.clone()
}

/// A row of the account's book for an order that a person placed.
fn manual(id: &str, terms: OrderTerms) -> OrderReport {
    OrderReport {
        account: settings().account,
        broker_order_id: broker_id(id),
        exchange_order_id: None,
        tag: None,
        terms,
        status: BrokerStatus::Pending,
        cumulative: Quantity::ZERO,
        average_price: Price::ZERO,
        reason: None,
        leg: Leg::Single,
        ts_event: start(),
        ts_exchange: None,
        ts_created: None,
        parent: None,
        last_price: None,
        source: EvidenceSource::Book,
    }
}

const HALF: Ratio = Ratio { numerator: 1, denominator: 2 };
const BUY: Side = Side::Buy;
const SELL: Side = Side::Sell;
