//! Rows for databases made by the tests, written by the real store.

use std::path::Path;
use std::sync::mpsc;

use tandem_actors::store::{Job, Store, StoreSettings, Write, WriterId};
use tandem_domain::ids::{BrokerOrderId, DhanClientId};
use tandem_domain::instrument::{ExchangeSegment, InstrumentKey, SecurityId};
use tandem_domain::order::{
    BrokerStatus, EvidenceSource, Leg, OrderForm, OrderReport, OrderTerms, OrderType, Product, Side,
    TimeInForce,
};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;
use tandem_domain::time::{Timestamp, TradingDay};

pub(crate) const LEADER: &str = "1000000101";
pub(crate) const FOLLOWER: &str = "1000000202";

pub(crate) fn day() -> TradingDay {
    TradingDay::from_ymd(2026, 12, 1).unwrap()
}

pub(crate) fn at(second: u32) -> Timestamp {
    day().at(chrono::NaiveTime::from_hms_opt(10, 0, second).unwrap())
}

pub(crate) fn report(account: &str, order: &str) -> OrderReport {
    OrderReport {
        account: DhanClientId::new(account).unwrap(),
        broker_order_id: BrokerOrderId::new(order).unwrap(),
        exchange_order_id: None,
        tag: None,
        terms: OrderTerms {
            instrument: InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(43_125) },
            side: Side::Buy,
            product: Product::Margin,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Day,
            quantity: Quantity::new(65),
            disclosed: Quantity::new(0),
            price: Price::from_paise(18_235),
            trigger: Price::ZERO,
            after_market: false,
            form: OrderForm::Ordinary,
        },
        status: BrokerStatus::Pending,
        cumulative: Quantity::new(0),
        average_price: Price::ZERO,
        reason: None,
        leg: Leg::Single,
        ts_event: at(1),
        ts_exchange: None,
        ts_created: None,
        parent: None,
        last_price: None,
        source: EvidenceSource::Book,
    }
}

pub(crate) fn store_with(path: &Path, writes: Vec<Write>) -> Store {
    let store = Store::open(&StoreSettings::at(path), |_| {}).unwrap();
    store.handle.set_generation("test", 1);
    let (answer, answered) = mpsc::channel();
    let writer = WriterId { actor: "test".into(), generation: 1 };
    let reply = Box::new(move |committed| answer.send(committed).unwrap());
    store.handle.submit(Job { writer, writes, in_order: false, reply }).unwrap();
    assert_eq!(answered.recv().unwrap().result, Ok(()));
    store
}
