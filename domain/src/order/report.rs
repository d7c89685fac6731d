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
    /// The entry that a leg belongs to, where the wire says so (`algoOrdNo`, section 5.5).
    pub parent: Option<BrokerOrderId>,
    /// The instrument's last price when the report was made (`refLtp`, section 5.5); frames have it, rows have not.
    pub last_price: Option<Price>,
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

/// A super order with its legs (`GET /super/orders`, section 3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuperReport {
    /// The entry. Its terms are of form `Super`, built from the legs that live.
    pub entry: OrderReport,
    /// The legs, as listed.
    pub legs: Vec<LegReport>,
}

/// One leg in the list of super orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegReport {
    /// Stop or target.
    pub leg: Leg,
    /// The leg's own id, where the list has one; the documented sample repeats the entry's, which is read as none.
    pub broker_order_id: Option<BrokerOrderId>,
    /// The broker's word: `PENDING`, `TRIGGERED`, `CANCELLED`, `TRADED`.
    pub status: BrokerStatus,
    /// The leg's price.
    pub price: Price,
    /// Zero for a leg that does not trail.
    pub trailing: Price,
    /// Units that fired.
    pub triggered: Quantity,
}

/// A row of the list of forever orders (`GET /forever/orders`, section 3.2). One of which one cancels the other is two
/// rows of one id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeverReport {
    /// The order as the row shows it; form `Forever(None)`, leg `Target` for the first and `StopLoss` for the second
    /// leg of two, `Single` otherwise.
    pub order: OrderReport,
    /// Whether it is one of two legs.
    pub is_oco: bool,
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
