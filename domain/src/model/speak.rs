//! Between the words of the exchange of this test and those of the code under test.

use super::exchange::{Asked, Kind, MARKET, Order, State};
use crate::account::{Funds, PositionReport};
use crate::ids::{BrokerOrderId, DhanClientId, Tag};
use crate::instrument::{ExchangeSegment, InstrumentKey, SecurityId};
use crate::order::{
    BrokerStatus, EvidenceSource, Leg, OrderForm, OrderReport, OrderTerms, OrderType, Product, Side,
    TimeInForce,
};
use crate::price::{Money, Price};
use crate::quantity::{Quantity, SignedQuantity};
use crate::time::Timestamp;

pub(super) const LEADER: &str = "1000000101";

/// Who follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Follower {
    pub(super) name: &'static str,
    pub(super) account: &'static str,
    /// What the ids of his broker's orders begin with.
    letter: char,
}

pub(super) const FOLLOWERS: [Follower; 3] = [
    Follower { name: "asha", account: "1000000202", letter: 'F' },
    Follower { name: "bela", account: "1000000303", letter: 'G' },
    Follower { name: "chand", account: "1000000404", letter: 'H' },
];

pub(super) fn key(instrument: u32) -> InstrumentKey {
    InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(43_125 + instrument) }
}

pub(super) fn broker_order_id(account: &str, number: usize) -> BrokerOrderId {
    let follower = FOLLOWERS.iter().find(|follower| follower.account == account);
    let letter = follower.map_or('L', |follower| follower.letter);
    BrokerOrderId::new(format!("{letter}{number}")).unwrap()
}

/// The number in an id of [`broker_order_id`].
pub(super) fn number_of(id: &BrokerOrderId) -> usize {
    id.as_str()[1..].parse().unwrap()
}

/// A whole second: the broker's clock tells no more.
pub(super) const fn second(at: i64) -> Timestamp {
    Timestamp::from_micros(at - at.rem_euclid(1_000_000))
}

pub(super) fn report(order: &Order, account: &str, source: EvidenceSource, is_change: bool) -> OrderReport {
    let status = match order.state {
        State::Transit => BrokerStatus::Transit,
        State::Open if is_change => BrokerStatus::Modified,
        State::Open if order.filled > 0 => BrokerStatus::PartTraded,
        State::Open => BrokerStatus::Pending,
        State::Filled => BrokerStatus::Traded,
        State::Cancelled => BrokerStatus::Cancelled,
        State::Rejected => BrokerStatus::Rejected,
        State::Expired => BrokerStatus::Expired,
    };
    OrderReport {
        account: DhanClientId::new(account).unwrap(),
        broker_order_id: broker_order_id(account, order.number),
        exchange_order_id: None,
        tag: Tag::from_wire(&order.tag),
        terms: terms(&order.shown()),
        status,
        cumulative: Quantity::new(order.filled),
        average_price: if order.filled > 0 { Price::from_paise(MARKET) } else { Price::ZERO },
        reason: None,
        leg: Leg::Single,
        parent: None,
        // The market runs away once he has bought.
        last_price: (account == LEADER && order.filled > 0).then(|| Price::from_paise(MARKET * 6 / 5)),
        ts_event: second(order.changed_at),
        ts_exchange: None,
        ts_created: Some(second(order.entered_at)),
        source,
    }
}

fn terms(asked: &Asked) -> OrderTerms {
    OrderTerms {
        instrument: key(asked.instrument),
        side: if asked.buy { Side::Buy } else { Side::Sell },
        product: Product::Margin,
        order_type: match asked.kind {
            Kind::Limit => OrderType::Limit,
            Kind::Market => OrderType::Market,
            Kind::Stop => OrderType::StopLoss,
            Kind::StopMarket => OrderType::StopLossMarket,
        },
        time_in_force: if asked.ioc { TimeInForce::Ioc } else { TimeInForce::Day },
        quantity: Quantity::new(asked.units),
        disclosed: Quantity::new(asked.disclosed),
        price: Price::from_paise(asked.price),
        trigger: Price::from_paise(asked.trigger),
        after_market: false,
        form: OrderForm::Ordinary,
    }
}

pub(super) fn asked(terms: &OrderTerms) -> Asked {
    let paise = |price: Price| u32::try_from(price.units() / 100).unwrap();
    Asked {
        instrument: number_of_key(terms.instrument),
        buy: terms.side == Side::Buy,
        kind: match terms.order_type {
            OrderType::Limit => Kind::Limit,
            OrderType::Market => Kind::Market,
            OrderType::StopLoss => Kind::Stop,
            OrderType::StopLossMarket => Kind::StopMarket,
        },
        ioc: terms.time_in_force == TimeInForce::Ioc,
        units: terms.quantity.get(),
        disclosed: terms.disclosed.get(),
        price: paise(terms.price),
        trigger: paise(terms.trigger),
    }
}

/// The number in a key of [`key`].
pub(super) const fn number_of_key(key: InstrumentKey) -> u32 {
    key.security_id.0 - 43_125
}

/// A row of an account's positions.
pub(super) fn position(instrument: u32, net: i64, carried: i64, at: i64) -> PositionReport {
    PositionReport {
        instrument: key(instrument),
        product: Product::Margin,
        net: SignedQuantity(net),
        carried: SignedQuantity(carried),
        buy_average: Price::from_paise(MARKET),
        sell_average: Price::from_paise(MARKET),
        realised: Money::ZERO,
        unrealised: Money::ZERO,
        ts_event: Timestamp::from_micros(at),
    }
}

pub(super) fn funds(rupees: i64) -> Funds {
    let available = Money::from_rupees(rupees);
    Funds {
        available,
        utilised: Money::ZERO,
        start_of_day: available,
        collateral: Money::ZERO,
        withdrawable: available,
    }
}
