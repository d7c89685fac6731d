//! Everything that can be set about the exchange.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use serde::{Deserialize, Serialize};
use tandem_domain::ids::DhanClientId;
use tandem_domain::instrument::{ExchangeSegment, InstrumentKey, SecurityId};
use tandem_domain::order::Product;
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::Quantity;
use tandem_domain::time::Timestamp;

use super::calendar;

/// How the exchange is built. Equal settings give an equal exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeSettings {
    /// Seed of the tape: prices and depth follow from it, the instruments and the dates alone.
    pub seed: u64,
    /// Where the clock starts. Default Tuesday 2026-12-01 09:15:00 IST.
    pub start: Timestamp,
    /// Session of trading days, India time. Default 09:15:00 to 15:40:00 (`dhanhq-v2.md` section 12.1).
    pub session: Session,
    /// Days without trading besides weekends. Default: the list of 2026 (section 12.2).
    pub holidays: Vec<NaiveDate>,
    /// The accounts, leader and followers alike.
    pub accounts: Vec<AccountSettings>,
    /// Strikes listed above and below the spot, for each expiry. Default 10.
    pub strikes_each_side: u32,
    /// How long an order, change or cancel travels to the exchange. Default zero: it is there at once.
    pub exchange_latency: Duration,
    /// Limits on order writes of the API; `None` for no limits.
    pub rate_limits: Option<RateLimits>,
    /// Depth of every instrument that has none of its own. Default [`Depth::Synthetic`].
    pub depth: Depth,
    /// Where the sources leave room.
    pub variants: Variants,
}

/// The hours of a trading day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// First tick.
    pub open: NaiveTime,
    /// From here on nothing trades; day orders expire.
    pub close: NaiveTime,
    /// When the broker closes INTRADAY positions and takes no more INTRADAY orders; `None` for never.
    pub square_off: Option<NaiveTime>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSettings {
    /// Client id.
    pub client_id: DhanClientId,
    /// The access token the simulator takes for it; worth nothing elsewhere.
    pub token: String,
    /// Money at the start.
    pub capital: Money,
    /// The address order writes must come from; `None` lets all in. Checked by the server.
    pub whitelisted_ip: Option<IpAddr>,
    /// Shares held from before.
    pub holdings: Vec<HoldingSettings>,
    /// What becomes of an exit beside others for the same units.
    pub overlapping_exits: OverlappingExits,
}

impl AccountSettings {
    /// An account with money and nothing else.
    pub fn new(client_id: DhanClientId, token: impl Into<String>, capital: Money) -> Self {
        Self {
            client_id,
            token: token.into(),
            capital,
            whitelisted_ip: None,
            holdings: Vec::new(),
            overlapping_exits: OverlappingExits::default(),
        }
    }
}

/// Shares held from before the first day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldingSettings {
    /// Security id in `NSE_EQ`.
    pub security_id: u32,
    /// Shares.
    pub quantity: Quantity,
    /// What they cost, each.
    pub average_cost: Price,
}

impl HoldingSettings {
    pub(super) const fn instrument(&self) -> InstrumentKey {
        InstrumentKey { segment: ExchangeSegment::NseEquity, security_id: SecurityId(self.security_id) }
    }
}

/// A position brought in from earlier days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CarriedPosition {
    /// The instrument.
    pub instrument: InstrumentKey,
    /// The product.
    pub product: Product,
    /// Units, negative for a short position.
    pub units: i64,
    /// What each cost or brought.
    pub price: Price,
}

/// What becomes of an order that would, beside others that rest, close more units than the account holds. An order that
/// does so alone is a flip, and taken. Never documented: brokers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverlappingExits {
    /// It is taken, if the account has the margin for what it might open.
    #[default]
    Taken,
    /// The call is refused with DH-906.
    RefusedAtOnce,
    /// It is taken and then REJECTED.
    RejectedLater,
}

/// Order writes an account may make, in sliding windows of simulated time (`dhanhq-v2.md` section 9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// In any second.
    pub per_second: usize,
    /// In any minute.
    pub per_minute: usize,
    /// In any hour.
    pub per_hour: usize,
    /// In any 24 hours.
    pub per_day: usize,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { per_second: 10, per_minute: 250, per_hour: 1000, per_day: 7000 }
    }
}

/// What stands in the book of an instrument besides the accounts' orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Depth {
    /// Five levels a side around the last price, drawn afresh each tick; what is used up stays used within the tick.
    Synthetic,
    /// The same, but no more than so many units a side and tick in all.
    Capped(Quantity),
    /// As much as anybody wants, both ways, at the last price: a market order fills whole, at a known price.
    Unlimited,
    /// Exactly these levels, best first. What is used up stays used until the depth is set again.
    Fixed {
        /// Bids.
        bids: Vec<Level>,
        /// Asks.
        asks: Vec<Level>,
    },
}

/// One level of depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Price.
    pub price: Price,
    /// Units.
    pub quantity: Quantity,
}

/// Behaviour on which the sources disagree or are silent (`dhanhq-v2.md` section 13). Defaults as that table has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variants {
    /// Tell of `Transit` on the stream. Default true.
    pub transit_events: bool,
    /// Tell of `Pending` before the fills of an order that fills at once. Default true.
    pub pending_before_fill: bool,
    /// The answer to a placement says PENDING instead of TRANSIT. Default false.
    pub answer_pending: bool,
    /// Longest tag taken. Default 25 (the documentation says 30).
    pub tag_length_max: usize,
    /// What becomes of MARKET orders of the API.
    pub market_orders: MarketOrders,
    /// What becomes of `STOP_LOSS_MARKET` orders of the API.
    pub stop_market_orders: StopMarketOrders,
    /// Width of the market price protection, in basis points of the last price. Default 500.
    pub protection_bps: u32,
    /// Changes an order takes. Default 25; the next is refused.
    pub modifications_max: u32,
    /// Text for one change too many. Ours: none was ever seen.
    pub modification_limit_text: String,
    /// Reject text above the freeze quantity, `<id>` standing for the order number. Ours: none was ever seen.
    pub freeze_text: String,
    /// Reject text for a broken lot. Ours: none was ever seen.
    pub lot_text: String,
    /// Whether slices keep the tag of the request. Default true; not documented.
    pub slices_keep_tag: bool,
    /// Whether a lookup by tag finds an order still in TRANSIT. Default false.
    pub tag_lookup_in_transit: bool,
    /// Whether a change of an order in TRANSIT is refused, as a cancel is. Default false: the sandbox took it.
    pub refuse_modify_in_transit: bool,
    /// Which tag the exits of an API order carry. Default [`LegTags::Invented`]; not documented.
    pub leg_tags: LegTags,
    /// Whether the API takes the products CO and BO. Default false (section 2.10: super orders replace them).
    pub brackets_by_api: bool,
    /// Forever orders are taken on derivatives too, product MARGIN among them: the broker's pages list the segment, but
    /// not the products. Default false.
    pub forever_on_derivatives: bool,
    /// When the accounts' books of the day before (orders, trades, positions) are closed. Default midnight; not
    /// documented.
    pub books_turn_at: NaiveTime,
}

/// What becomes of MARKET orders of the API (`dhanhq-v2.md` section 2.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarketOrders {
    /// Turned into a LIMIT at the last price give or take the protection; may rest. Since 21 March 2026.
    Protected,
    /// Filled as MARKET, what the depth does not give is cancelled.
    AsMarket,
}

/// What becomes of `STOP_LOSS_MARKET` orders of the API (`dhanhq-v2.md` section 2.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMarketOrders {
    /// The trigger is dropped: a LIMIT at trigger x 0.95 (sell) or x 1.05 (buy) goes out at once. As seen in July 2026.
    TriggerDropped,
    /// 400 DH-906.
    Refused,
}

/// Which tag the exits of an order carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegTags {
    /// One the broker invents, as for any order without a tag.
    Invented,
    /// The entry's.
    Entry,
}

impl Default for Variants {
    fn default() -> Self {
        Self {
            transit_events: true,
            pending_before_fill: true,
            answer_pending: false,
            tag_length_max: 25,
            market_orders: MarketOrders::Protected,
            stop_market_orders: StopMarketOrders::TriggerDropped,
            protection_bps: 500,
            modifications_max: 25,
            modification_limit_text: "Order modification limit of 25 exceeded".to_owned(),
            freeze_text: "RMS:<id>:Order quantity exceeds the exchange freeze quantity.".to_owned(),
            lot_text: "RMS:<id>:Order quantity is not a multiple of lot size.".to_owned(),
            slices_keep_tag: true,
            tag_lookup_in_transit: false,
            refuse_modify_in_transit: false,
            leg_tags: LegTags::Invented,
            brackets_by_api: false,
            forever_on_derivatives: false,
            books_turn_at: NaiveTime::MIN,
        }
    }
}

impl Default for Session {
    fn default() -> Self {
        let at = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).unwrap_or(NaiveTime::MIN);
        Self { open: at(9, 15), close: at(15, 40), square_off: Some(at(15, 20)) }
    }
}

impl Default for ExchangeSettings {
    fn default() -> Self {
        let session = Session::default();
        let first = NaiveDate::from_ymd_opt(2026, 12, 1).unwrap_or_default();
        Self {
            seed: 1,
            start: Timestamp::from_ist(NaiveDateTime::new(first, session.open)),
            session,
            holidays: calendar::holidays_2026(),
            accounts: Vec::new(),
            strikes_each_side: 10,
            exchange_latency: Duration::ZERO,
            rate_limits: Some(RateLimits::default()),
            depth: Depth::Synthetic,
            variants: Variants::default(),
        }
    }
}
