//! One row for each reason that [`examine`] gives, and the order in which they are asked.

use super::*;
use crate::ids::{BrokerOrderId, ClientOrderId, Tag};
use crate::instrument::{ExchangeSegment, InstrumentKey, SecurityId};
use crate::order::{OrderType, Side, TimeInForce};
use crate::policy::{Bps, MarketOrders};
use crate::price::Price;
use crate::quantity::{LotSize, Quantity};
use crate::time::TradingDay;

const KEY: InstrumentKey =
    InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(43_125) };

fn order() -> LeaderOrder {
    let start = TradingDay::from_ymd(2026, 12, 1).unwrap().start();
    LeaderOrder {
        account: DhanClientId::new("1000000101").unwrap(),
        trading_day: start.trading_day(),
        broker_order_id: BrokerOrderId::new("221261123048117").unwrap(),
        tag: None,
        leg: Leg::Single,
        terms: OrderTerms {
            instrument: KEY,
            side: Side::Buy,
            product: Product::Margin,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Day,
            quantity: Quantity::new(130),
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
        known_fingerprint: crate::leader::KnownFingerprint::default(),
        ts_event: start,
        ts_first_event: start,
        ts_first_seen: start,
    }
}

fn instrument(kind: InstrumentKind) -> Instrument {
    Instrument {
        key: KEY,
        kind,
        symbol: "NIFTY-Dec2026-26000-CE".into(),
        underlying: "NIFTY".into(),
        lot_size: LotSize::new(65).unwrap(),
        tick: Price::from_paise(5),
        expiry: None,
        option: None,
        freeze_quantity: None,
        band: None,
    }
}

fn policy(kinds: &[InstrumentKind]) -> CopyPolicy {
    CopyPolicy {
        kinds: kinds.iter().copied().collect(),
        product_map: BTreeMap::new(),
        entry_age_max: Duration::from_secs(30),
        on: CopyOn::Working,
        translation: Translation {
            market_orders: MarketOrders::AsIs,
            price_band: Bps::new(300),
            stop_band: Bps::new(300),
        },
    }
}

fn follower() -> DhanClientId {
    DhanClientId::new("1000000202").unwrap()
}

/// What may be opened: the terms, or whatever denies it.
fn opened(examined: Result<Examined, DeniedReason>) -> Result<OrderTerms, DeniedReason> {
    examined.and_then(|found| found.entry_denial.map_or(Ok(found.terms), Err))
}

/// What becomes of `change`d orders in index options, of which alone this follower copies some.
fn examined(change: impl FnOnce(&mut LeaderOrder)) -> Result<OrderTerms, DeniedReason> {
    let mut order = order();
    change(&mut order);
    let kinds = policy(&[InstrumentKind::IndexOption]);
    opened(examine(&order, Some(&instrument(InstrumentKind::IndexOption)), &kinds, &follower()))
}

fn of_kind(kind: InstrumentKind, copied: &[InstrumentKind]) -> Result<OrderTerms, DeniedReason> {
    opened(examine(&order(), Some(&instrument(kind)), &policy(copied), &follower()))
}

#[test]
fn each_reason_has_its_case() {
    use InstrumentKind::{Equity, IndexFuture, IndexOption, StockOption};
    let table = [
        (
            DeniedReason::CopyLoop,
            examined(|order| order.tag = Tag::from_wire(&format!("{}x", ClientOrderId::PREFIX))),
        ),
        (DeniedReason::CopyLoop, examined(|order| order.account = follower())),
        (DeniedReason::OrderLeg, examined(|order| order.leg = Leg::StopLoss)),
        (DeniedReason::OrderLeg, examined(|order| order.leg = Leg::Target)),
        (DeniedReason::LeaderRejected, examined(|order| order.status = BrokerStatus::Rejected)),
        (DeniedReason::LeaderGone, examined(|order| order.status = BrokerStatus::Cancelled)),
        (DeniedReason::LeaderGone, examined(|order| order.status = BrokerStatus::Expired)),
        (DeniedReason::LeaderGone, examined(|order| order.terms.quantity = Quantity::ZERO)),
        (
            DeniedReason::UnknownInstrument,
            opened(examine(&order(), None, &policy(&[IndexOption]), &follower())),
        ),
        (DeniedReason::NotOption, of_kind(IndexFuture, &[IndexOption, StockOption])),
        (DeniedReason::NotOption, of_kind(Equity, &[IndexOption])),
        (DeniedReason::KindNotCopied, of_kind(StockOption, &[IndexOption])),
        (DeniedReason::KindNotCopied, of_kind(Equity, &[IndexOption, IndexFuture])),
        (DeniedReason::ForeverOnDerivatives, examined(|order| order.terms.form = OrderForm::Forever(None))),
    ];
    for (at, (reason, result)) in table.into_iter().enumerate() {
        assert_eq!(result, Err(reason), "row {at}");
    }
}

#[test]
fn a_kind_that_is_not_copied_may_still_be_closed() {
    let kinds = policy(&[InstrumentKind::IndexOption]);
    let found = examine(&order(), Some(&instrument(InstrumentKind::Equity)), &kinds, &follower());
    let expected = Examined { terms: order().terms, entry_denial: Some(DeniedReason::NotOption) };
    assert_eq!(found, Ok(expected));
}

#[test]
fn what_is_copied_keeps_the_leaders_terms() {
    assert_eq!(examined(|_| ()), Ok(order().terms));
    for order_type in [OrderType::Market, OrderType::StopLoss, OrderType::StopLossMarket] {
        let terms = examined(|order| order.terms.order_type = order_type).unwrap();
        assert_eq!(terms.order_type, order_type);
    }
    let foreign = examined(|order| order.tag = Tag::from_wire("1000000101-1795405500000"));
    assert_eq!(foreign, Ok(order().terms), "another program's tag is no loop");
}

#[test]
fn an_order_that_ended_part_filled_stands_for_what_was_filled() {
    let terms = examined(|order| {
        order.status = BrokerStatus::Cancelled;
        order.cumulative = Quantity::new(65);
    });
    assert_eq!(terms.unwrap().quantity.get(), 65);
}

#[test]
fn the_follower_may_trade_under_another_product() {
    let kind = InstrumentKind::IndexOption;
    let policy =
        CopyPolicy { product_map: BTreeMap::from([(Product::Margin, Product::Intraday)]), ..policy(&[kind]) };
    let terms = opened(examine(&order(), Some(&instrument(kind)), &policy, &follower()));
    assert_eq!(terms.unwrap(), OrderTerms { product: Product::Intraday, ..order().terms });
}

#[test]
fn a_loop_outweighs_every_other_reason() {
    let result = examined(|order| {
        order.account = follower();
        order.leg = Leg::Target;
        order.status = BrokerStatus::Rejected;
    });
    assert_eq!(result, Err(DeniedReason::CopyLoop));
}

#[test]
fn age_counts_from_the_brokers_first_event_and_the_limit_itself_is_young_enough() {
    let (order, policy) = (order(), policy(&[]));
    let limit = order.ts_first_event.plus(policy.entry_age_max);
    for (now, stale) in [
        (order.ts_first_event.minus(Duration::from_secs(5)), false),
        (limit, false),
        (limit.plus(Duration::from_micros(1)), true),
    ] {
        assert_eq!(is_stale(order.ts_first_event, &policy, now), stale, "{now:?}");
    }
}
