//! Broker evidence about orders and fills, whatever channel it came by.

use std::sync::Arc;

use super::{BrokerStatus, OrderTerms, Product, Side};
use crate::ids::{BrokerOrderId, DhanClientId, ExchangeOrderId, Tag, TradeId};
use crate::instrument::InstrumentKey;
use crate::price::Price;
use crate::quantity::Quantity;
use crate::time::Timestamp;

/// By which channel a report came. A book row tells the whole truth of its moment; a frame may be old or repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EvidenceSource {
    /// A frame of the order-update stream.
    Stream,
    /// A row of the order book (`GET /orders`), or of a lookup by id or tag.
    Book,
}

/// Which leg of a super, cover or bracket order a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Leg {
    /// No legs.
    Single,
    /// Entry of a super order (`legNo` 1 with remarks `Super Order`).
    Entry,
    /// Stop leg (2).
    StopLoss,
    /// Target leg (3).
    Target,
}

/// One order's state as the broker reports it (field meanings: `dhanhq-v2.md` sections 2.6 and 5.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderReport {
    /// Whose order.
    pub account: DhanClientId,
    /// The broker's id.
    pub broker_order_id: BrokerOrderId,
    /// The exchange's id; none before it has one.
    pub exchange_order_id: Option<ExchangeOrderId>,
    /// The tag it carries, if any.
    pub tag: Option<Tag>,
    /// What the order asks for now.
    pub terms: OrderTerms,
    /// The broker's word for its state.
    pub status: BrokerStatus,
    /// Units filled so far; never shrinks in truth, whatever order reports arrive in.
    pub cumulative: Quantity,
    /// Average price of what is filled; zero when nothing is.
    pub average_price: Price,
    /// Why, when rejected, cancelled or expired.
    pub reason: Option<Arc<str>>,
    /// Which leg, for orders that have them.
    pub leg: Leg,
    /// The broker's time of the last change; one-second resolution.
    pub ts_event: Timestamp,
    /// The exchange's time of the order's last event there; none before it got there.
    pub ts_exchange: Option<Timestamp>,
    /// When the order was entered, as far as this report tells. On the stream it moves forward with a change (section
    /// 5.5), so the earliest of all reports counts.
    pub ts_created: Option<Timestamp>,
    /// By which channel it came.
    pub source: EvidenceSource,
}

/// One fill (`GET /trades`, section 2.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradeReport {
    /// Whose fill.
    pub account: DhanClientId,
    /// Of which order.
    pub broker_order_id: BrokerOrderId,
    /// Which fill: counted once (P9).
    pub trade_id: TradeId,
    /// The instrument.
    pub instrument: InstrumentKey,
    /// Buy or sell.
    pub side: Side,
    /// Product.
    pub product: Product,
    /// Units of this fill.
    pub quantity: Quantity,
    /// Price of this fill.
    pub price: Price,
    /// The exchange's time of the fill.
    pub ts_event: Timestamp,
}
