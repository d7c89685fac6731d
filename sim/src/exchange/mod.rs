//! The exchange and the broker in front of it: instruments, prices, books, orders, accounts.
//!
//! Pure, synchronous and deterministic: no sockets, no wall clock, no randomness but the seed. Equal settings and the
//! same calls at the same simulated times give the same orders, fills and events.

mod calendar;
mod order;
mod request;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use tandem_domain::account::Funds;
use tandem_domain::ids::DhanClientId;
use tandem_domain::instrument::{InstrumentKey, InstrumentKind, OptionContract, OptionType};
use tandem_domain::order::{OrderTerms, Product};
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::{LotSize, Quantity};
use tandem_domain::time::Timestamp;

pub use self::calendar::holidays_2026;
pub use self::order::{SimOrder, SimTrade, StreamEvent};
pub use self::request::{AmoRelease, ApiError, ModifyRequest, OrderAnswer, PlaceRequest, Source};
pub use self::settings::{
    AccountSettings, Depth, ExchangeSettings, HoldingSettings, Level, MarketOrders, RateLimits, Session,
    StopMarketOrders, Variants,
};

/// An exchange with its accounts.
#[derive(Debug)]
pub struct Exchange {
    settings: ExchangeSettings,
}
/// One contract of the universe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// Segment and security id.
    pub key: InstrumentKey,
    /// `OPTIDX`, `FUTIDX`, `EQUITY` or `INDEX`.
    pub kind: InstrumentKind,
    /// What its price follows: `NIFTY`, or the share itself.
    pub underlying: Arc<str>,
    /// `NIFTY-Dec2026-26000-CE`: not unique across weekly expiries.
    pub trading_symbol: Arc<str>,
    /// `NIFTY 15 DEC 26000 CALL`.
    pub display_name: Arc<str>,
    /// `NA` for derivatives.
    pub isin: Arc<str>,
    /// Units in a lot.
    pub lot_size: LotSize,
    /// Tick.
    pub tick: Price,
    /// Largest quantity in one order.
    pub freeze_quantity: Option<Quantity>,
    /// Date of expiry, already moved off holidays.
    pub expiry: Option<NaiveDate>,
    /// Whether `expiry` is the last of its month (`SEM_EXPIRY_FLAG` M).
    pub monthly: bool,
    /// Strike and side.
    pub option: Option<OptionContract>,
}

/// One row of `GET /positions`: one instrument in one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimPosition {
    /// The instrument.
    pub instrument: InstrumentKey,
    /// The product.
    pub product: Product,
    /// Units brought in from earlier days, signed.
    pub carried: i64,
    /// What they cost or brought, never negative.
    pub carried_value: Money,
    /// Units bought today.
    pub day_buy_quantity: i64,
    /// Their value.
    pub day_buy_value: Money,
    /// Units sold today.
    pub day_sell_quantity: i64,
    /// Their value.
    pub day_sell_value: Money,
    /// What the open units cost or brought, never negative.
    pub open_value: Money,
    /// Profit of what was closed today.
    pub realised: Money,
}

/// One row of `GET /holdings`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimHolding {
    /// The share.
    pub instrument: InstrumentKey,
    /// Shares, those sold today taken off.
    pub quantity: Quantity,
    /// What they cost, each.
    pub average_cost: Price,
}

/// What `POST /marketfeed/quote` tells of an instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// Last price.
    pub last: Price,
    /// First price of the day.
    pub open: Price,
    /// Highest price of the day.
    pub high: Price,
    /// Lowest price of the day.
    pub low: Price,
    /// Last price of the session before.
    pub previous_close: Price,
    /// Lowest price an order may carry.
    pub lower_circuit: Price,
    /// Highest price an order may carry.
    pub upper_circuit: Price,
    /// Up to five levels, best first, what is used up taken off and the accounts' resting orders added.
    pub bids: Vec<Level>,
    /// The same for the other side.
    pub asks: Vec<Level>,
}

/// What `POST /margincalculator` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarginEstimate {
    /// What the orders would hold in all: premium, or the short margin.
    pub total: Money,
    /// The account's free money.
    pub available: Money,
    /// What is missing; zero when nothing is.
    pub insufficient: Money,
}

#[allow(unused_variables, clippy::todo, missing_docs)]
impl Exchange {
    pub fn new(settings: ExchangeSettings) -> Self { todo!() }
    pub fn settings(&self) -> &ExchangeSettings { &self.settings }
    // clock
    pub fn now(&self) -> Timestamp { todo!() }
    /// Runs ticks up to `target`; stops right after the first moment that produced events; returns where it stopped.
    pub fn advance_to(&mut self, target: Timestamp) -> Timestamp { todo!() }
    pub fn is_open(&self) -> bool { todo!() }
    // writes: Err(DH-901) for an unknown account
    pub fn place(&mut self, account: &DhanClientId, source: Source, request: &PlaceRequest) -> Result<OrderAnswer, ApiError> { todo!() }
    pub fn place_sliced(&mut self, account: &DhanClientId, source: Source, request: &PlaceRequest) -> Result<Vec<OrderAnswer>, ApiError> { todo!() }
    pub fn modify(&mut self, account: &DhanClientId, source: Source, order_id: &str, change: &ModifyRequest) -> Result<OrderAnswer, ApiError> { todo!() }
    pub fn cancel(&mut self, account: &DhanClientId, source: Source, order_id: &str) -> Result<OrderAnswer, ApiError> { todo!() }
    pub fn drain_events(&mut self) -> Vec<StreamEvent> { todo!() }
    pub fn has_events(&self) -> bool { todo!() }
    // what the wire shows: today's, late visibility applied
    pub fn book(&self, account: &DhanClientId) -> Vec<&SimOrder> { todo!() }
    pub fn order(&self, account: &DhanClientId, order_id: &str) -> Option<&SimOrder> { todo!() }
    pub fn orders_by_tag(&self, account: &DhanClientId, tag: &str) -> Vec<&SimOrder> { todo!() }
    pub fn trades(&self, account: &DhanClientId) -> Vec<&SimTrade> { todo!() }
    pub fn trades_of(&self, account: &DhanClientId, order_id: &str) -> Vec<&SimTrade> { todo!() }
    pub fn positions(&self, account: &DhanClientId) -> Vec<SimPosition> { todo!() }
    pub fn holdings(&self, account: &DhanClientId) -> Vec<SimHolding> { todo!() }
    pub fn funds(&self, account: &DhanClientId) -> Option<Funds> { todo!() }
    pub fn margin(&self, account: &DhanClientId, legs: &[OrderTerms], include_positions: bool, include_orders: bool) -> Option<MarginEstimate> { todo!() }
    pub fn quote(&self, instrument: InstrumentKey) -> Option<Quote> { todo!() }
    pub fn last_price(&self, instrument: InstrumentKey) -> Option<Price> { todo!() }
    // instruments
    pub fn contract(&self, instrument: InstrumentKey) -> Option<&Contract> { todo!() }
    pub fn contracts(&self) -> &[Contract] { todo!() }
    pub fn option(&self, underlying: &str, expiry: NaiveDate, strike: Price, side: OptionType) -> Option<InstrumentKey> { todo!() }
    /// Expiries of an underlying's options, nearest first.
    pub fn expiries(&self, underlying: &str) -> Vec<NaiveDate> { todo!() }
    pub fn compact_csv(&self) -> String { todo!() }
    pub fn detailed_csv(&self) -> String { todo!() }
    /// CSV of the seed's tape, independent of orders.
    pub fn tape(&self, instruments: &[InstrumentKey], from: Timestamp, seconds: u32) -> String { todo!() }
    // the whole truth, for tests and GET /sim/books
    pub fn accounts(&self) -> impl Iterator<Item = &AccountSettings> { self.settings.accounts.iter() }
    pub fn all_orders(&self, account: &DhanClientId) -> Vec<&SimOrder> { todo!() }
    pub fn all_trades(&self, account: &DhanClientId) -> Vec<&SimTrade> { todo!() }
    pub fn position(&self, account: &DhanClientId, instrument: InstrumentKey, product: Product) -> i64 { todo!() }
    // control of the market and faults of the core
    pub fn set_last_price(&mut self, instrument: InstrumentKey, price: Price) -> bool { todo!() }
    pub fn freeze_price(&mut self, instrument: InstrumentKey) -> bool { todo!() }
    pub fn release_price(&mut self, instrument: InstrumentKey) -> bool { todo!() }
    /// `None` gives the instrument back the default of the settings.
    pub fn set_depth(&mut self, instrument: InstrumentKey, depth: Option<Depth>) -> bool { todo!() }
    pub fn set_default_depth(&mut self, depth: Depth) { todo!() }
    pub fn set_exchange_latency(&mut self, latency: Duration) { todo!() }
    /// The next `count` placements of the account are REJECTED with this text (`<id>` = the order number).
    pub fn reject_next(&mut self, account: &DhanClientId, count: u32, text: &str) -> bool { todo!() }
    /// New orders of the account show in book and lookups only after `delay` of simulated time; their events are not late.
    pub fn delay_visibility(&mut self, account: &DhanClientId, delay: Duration) -> bool { todo!() }
    pub fn set_capital(&mut self, account: &DhanClientId, capital: Money) -> bool { todo!() }
    pub fn set_rate_limits(&mut self, limits: Option<RateLimits>) { todo!() }
    pub fn set_quantity_cap(&mut self, instrument: InstrumentKey, quantity: Quantity) -> bool { todo!() }
}
