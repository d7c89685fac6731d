//! Orders, fills and what the stream tells of them.

use std::sync::Arc;

use tandem_domain::ids::{BrokerOrderId, DhanClientId, ExchangeOrderId, TradeId};
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::order::{BrokerStatus, Leg, OrderTerms, OrderType, Product, Side};
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::Quantity;
use tandem_domain::time::Timestamp;

use super::request::Source;

/// One order of one account, as the broker knows it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimOrder {
    /// Whose.
    pub account: DhanClientId,
    /// The broker's number.
    pub id: BrokerOrderId,
    /// The exchange's number; none before it got there, and never for a rejected order (the wire says "0").
    pub exchange_id: Option<ExchangeOrderId>,
    /// The tag; none for orders of the app (the stream says "NA").
    pub tag: Option<Arc<str>>,
    /// Who placed it.
    pub source: Source,
    /// What it asks for now, as the book shows it: a converted MARKET reads LIMIT with a price.
    pub terms: OrderTerms,
    /// Its state in the book; never `Modified`, which only the stream says.
    pub status: BrokerStatus,
    /// Units filled.
    pub filled: Quantity,
    /// Rupee value of what is filled.
    pub filled_value: Money,
    /// Price of the last fill; zero without one.
    pub last_fill: Price,
    /// `omsErrorDescription` and `reasonDescription`: `CONFIRMED`, `TRADE CONFIRMED`, or why it was refused.
    pub reason: Arc<str>,
    /// When the broker took it.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// When the exchange first had it; none before.
    pub exchange_time: Option<Timestamp>,
    /// From when reads show it (the fault "late visibility"); equal to `created` without the fault.
    pub visible_from: Timestamp,
    /// How often it was changed; moves that a trailing stop makes by itself do not count.
    pub modifications: u32,
    /// Its part in a super, bracket or cover order; none for an order that stands alone.
    pub part: Option<Part>,
    /// What the entry of a bracket order was placed with (`boProfitValue`, `boStopLossValue`).
    pub bracket: Option<BracketValues>,
    /// What it is worth at worst when it works: the limit behind a MARKET of the app, otherwise `terms.price`.
    pub(super) working_price: Price,
    /// Fault: refuse it with this text when it arrives.
    pub(super) forced_rejection: Option<Arc<str>>,
    /// Rank in time at one price; a new one is drawn when the price changes or the quantity grows.
    pub(super) priority: u64,
}

impl SimOrder {
    /// Units not filled yet.
    pub fn remaining(&self) -> Quantity {
        self.terms.quantity.saturating_sub(self.filled)
    }

    /// Average price of what is filled, rounded down to 1/10,000 rupee; zero without a fill.
    pub fn average_price(&self) -> Price {
        average(self.filled_value, self.filled.get().into())
    }

    /// Whether the order is at an end.
    pub fn is_terminal(&self) -> bool {
        self.status.is_terminal()
    }

    /// Which leg it is; `Single` for an order that stands alone.
    pub fn leg(&self) -> Leg {
        self.part.as_ref().map_or(Leg::Single, |part| part.leg)
    }

    /// The entry of an exit leg; none for all others.
    pub fn parent(&self) -> Option<&BrokerOrderId> {
        self.part.as_ref().filter(|part| part.leg != Leg::Entry).map(|part| &part.entry)
    }

    /// Whether it is the target or the stop of another order. Such an order holds no money in reserve.
    pub fn is_exit(&self) -> bool {
        self.parent().is_some()
    }

    /// Whether it waits for its trigger.
    pub(super) fn waits_for_trigger(&self) -> bool {
        self.terms.order_type.is_stop()
    }
}

/// Which kind of composite order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// A super order (`dhanhq-v2.md` section 3.1).
    Super,
    /// A bracket order: product `BO`, target and stop as changes of price (section 2.2).
    Bracket,
    /// A cover order: product `CO`, a stop only.
    Cover,
}

/// The part an order has in a composite one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Of what kind the whole is.
    pub family: Family,
    /// Entry, target or stop.
    pub leg: Leg,
    /// The number of the entry; the entry's own part has it too.
    pub entry: BrokerOrderId,
    /// The group's place in the exchange's list.
    pub(super) group: usize,
}

/// How far the exits of a bracket order lie from its entry: changes of price, not prices (section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BracketValues {
    /// To the target.
    pub profit: Price,
    /// To the stop.
    pub stop_loss: Price,
}

pub(super) fn average(value: Money, quantity: i64) -> Price {
    value.units().checked_div(quantity).and_then(Price::from_units).unwrap_or(Price::ZERO)
}

/// One fill of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimTrade {
    /// Whose.
    pub account: DhanClientId,
    /// Of which order.
    pub order_id: BrokerOrderId,
    /// The exchange's number of that order.
    pub exchange_order_id: Option<ExchangeOrderId>,
    /// `exchangeTradeId`; unique in the exchange.
    pub id: TradeId,
    /// The instrument.
    pub instrument: InstrumentKey,
    /// Buy or sell.
    pub side: Side,
    /// Product.
    pub product: Product,
    /// The order's type when it filled.
    pub order_type: OrderType,
    /// Units of this fill.
    pub quantity: Quantity,
    /// Price of this fill.
    pub price: Price,
    /// When it happened.
    pub at: Timestamp,
}

/// One change of one order: what the order-update stream has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEvent {
    /// Whose stream.
    pub account: DhanClientId,
    /// The order as it was right after the change.
    pub order: SimOrder,
    /// The stream's word: the order's status, or `Modified`.
    pub status: BrokerStatus,
    /// Last price of the instrument at that moment (`refLtp`).
    pub last_price: Price,
    /// When it happened.
    pub at: Timestamp,
    /// Rises by one with each event of the exchange.
    pub sequence: u64,
}
