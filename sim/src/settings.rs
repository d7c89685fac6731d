//! What can be set about a simulator. Serde structs with defaults: `{}` is a working simulator.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tandem_dhan::wire::{Decimal, FrameStyle};
use tandem_domain::ids::DhanClientId;
use tandem_domain::instrument::{ExchangeSegment, InstrumentKey, SecurityId};
use tandem_domain::order::Product;
use tandem_domain::price::Money;
use tandem_domain::quantity::Quantity;
use tandem_domain::time::Timestamp;

use crate::broker::tokens;
use crate::clock::Rate;
use crate::exchange::{self, Exchange, OverlappingExits};
use crate::faults::LoginRefusal;
use crate::simulator::SimError;

/// How a simulator is built and where it listens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimSettings {
    /// Port of the REST API and the instrument files on 127.0.0.1; 0 takes a free one.
    pub rest_port: u16,
    /// Port of the order stream; 0 takes a free one.
    pub stream_port: u16,
    /// Port of the control API and the lent clock; 0 takes a free one.
    pub control_port: u16,
    /// Seed of the price tape.
    pub seed: u64,
    /// Where the clock starts, `YYYY-MM-DD HH:MM:SS` by the clock in India.
    #[serde(with = "ist_text")]
    pub start: Timestamp,
    /// Simulated seconds in a real one, 0 to 10.
    pub rate: Rate,
    /// The accounts.
    pub accounts: Vec<SimAccount>,
    /// Whether the broker's limits on order writes hold (`dhanhq-v2.md` section 9.1).
    pub rate_limits: bool,
    /// Simulated hours a token lives; 0 for ever (section 1.3).
    pub token_hours: u32,
    /// Whether the tokens at the start are JWTs that tell their end, like the broker's; renewed and minted ones always are.
    pub jwt_tokens: bool,
    /// Simulated milliseconds an order travels to the exchange.
    pub exchange_latency_ms: u64,
    /// When the broker closes INTRADAY positions, `HH:MM:SS` by the clock in India, or `never`.
    #[serde(with = "time_text")]
    pub square_off: Option<NaiveTime>,
    /// Days without trading besides weekends, `YYYY-MM-DD`.
    pub holidays: Vec<NaiveDate>,
    /// Strikes listed above and below the spot, for each expiry.
    pub strikes_each_side: u32,
    /// How much stands in the books besides the accounts' orders.
    pub depth: SimDepth,
    /// Behaviour on which the sources disagree or are silent (section 13).
    pub variants: SimVariants,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimAccount {
    /// Client id.
    pub client_id: DhanClientId,
    /// The token taken for it, worth nothing elsewhere; `sim-token-<client id>` when left out.
    #[serde(default)]
    pub access_token: Option<String>,
    /// The PIN that a token is minted with; none is minted without one.
    #[serde(default)]
    pub pin: Option<String>,
    /// The TOTP secret that goes with it, base32.
    #[serde(default)]
    pub totp_secret: Option<String>,
    /// Whole rupees at the start.
    pub capital_rupees: i64,
    /// For people.
    #[serde(default)]
    pub name: String,
    /// The address order writes must come from; all are let in when left out.
    #[serde(default)]
    pub whitelisted_ip: Option<IpAddr>,
    /// What becomes of an exit beside others for the same units.
    #[serde(default)]
    pub overlapping_exits: OverlappingExits,
    /// What it holds from earlier days.
    #[serde(default)]
    pub positions: Vec<SimCarried>,
}

/// A position from earlier days.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimCarried {
    /// Segment, `NSE_FNO`.
    pub segment: ExchangeSegment,
    /// Security id, as the instrument file of the first day has it.
    pub security_id: u32,
    /// Product, not `CNC`.
    pub product: Product,
    /// Units in whole lots, negative for a short position.
    pub units: i64,
    /// Rupees that each cost or brought.
    pub price: Decimal,
}

impl SimCarried {
    /// The same in the exchange's words; none when the price is none.
    pub(crate) fn carried(&self) -> Option<exchange::CarriedPosition> {
        let Self { segment, security_id, product, units, price } = *self;
        let instrument = InstrumentKey { segment, security_id: SecurityId(security_id) };
        Some(exchange::CarriedPosition { instrument, product, units, price: price.price()? })
    }
}

/// How much stands in the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SimDepth {
    /// Five levels a side around the last price.
    #[default]
    Synthetic,
    /// The same, but no more than so many units a side and tick.
    Capped(u32),
    /// As much as anybody wants at the last price.
    Unlimited,
}

/// Where the sources leave room; the defaults are those of `dhanhq-v2.md` section 13.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimVariants {
    /// Spelling of order updates.
    pub casing: Casing,
    /// The stream's word for a partly filled order; never captured (section 5.5).
    pub part_fill_status: String,
    /// The stream's `symbol` in full instead of 15 characters.
    pub full_symbol: bool,
    /// How a login with a bad or dead token is refused.
    pub login_refusal: LoginRefusal,
    /// How trading calls refuse a bad or dead token.
    pub token_face: TokenFace,
    /// The answer of a placing call goes out before the frames it causes.
    pub answer_first: bool,
    /// Whether `Transit` is told on the stream.
    pub transit_frames: bool,
    /// The answer to a placement says `PENDING` instead of `TRANSIT`.
    pub answer_pending: bool,
    /// Empty texts in numeric fields are dropped instead of refused.
    pub accept_empty_numbers: bool,
    /// Longest tag taken.
    pub tag_length_max: usize,
    /// `GET /orders/{id}` answers a bare object instead of an array.
    pub order_as_object: bool,
    /// `GET /orders/external/{tag}` answers an array instead of an object.
    pub tag_lookup_as_array: bool,
    /// MARKET orders of the API fill as MARKET instead of becoming a protected LIMIT.
    pub market_as_market: bool,
    /// Width of the market price protection in basis points.
    pub protection_bps: u32,
    /// `STOP_LOSS_MARKET` is refused with DH-906 instead of losing its trigger.
    pub refuse_stop_market: bool,
    /// Empty holdings answer `200 []` instead of 500 DH-1111.
    pub empty_holdings_as_array: bool,
    /// Absent values are null or empty as in the documentation instead of the live sentinels.
    pub documented_nulls: bool,
    /// The session ends at 15:30, as before 3 August 2026.
    pub close_at_1530: bool,
    /// A change of an order in TRANSIT is refused, as a cancel is; the sandbox took it.
    pub refuse_modify_in_transit: bool,
    /// Frames of exit legs carry their entry's number (`algoOrdNo`); never captured live.
    pub parent_in_frames: bool,
    /// Exits of an API order carry the entry's tag instead of one the broker invents; not documented.
    pub legs_keep_tag: bool,
    /// `legDetails` carry the legs' own numbers instead of the entry's, as in the documented sample (section 3.1).
    pub own_leg_ids: bool,
    /// `legDetails` spell `totalQuantity`, on both legs, instead of the sample's `totalQuatity` on the stop.
    pub total_quantity_spelled: bool,
    /// The API takes the products `CO` and `BO` (section 2.10).
    pub brackets_by_api: bool,
    /// Forever orders are taken on derivatives too, product MARGIN among them: the broker's pages list the segment, but
    /// not the products. Default false.
    pub forever_on_derivatives: bool,
    /// When the accounts' books of the day before (orders, trades, positions) are closed, `HH:MM:SS` by the clock in
    /// India; not documented.
    pub books_turn_at: NaiveTime,
}

/// Spelling of order updates (section 5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Casing {
    /// camelCase keys, Title-case status, zero numbers left out.
    #[default]
    Live,
    /// `PascalCase` keys, otherwise as live.
    LivePascal,
    /// `PascalCase` keys, upper-case status, every field present.
    Documented,
    /// The classic sample: a camelCase cluster first, then `PascalCase`.
    Mixed,
}

/// How trading calls refuse a token (section 9.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenFace {
    /// 401 DH-901.
    #[default]
    Dh901,
    /// 400 DH-906 "Invalid Token".
    Dh906,
}

impl Casing {
    pub(crate) fn frame_style(self) -> FrameStyle {
        match self {
            Self::Live => FrameStyle::Live,
            Self::LivePascal => FrameStyle::LivePascal,
            Self::Documented => FrameStyle::Documented,
            Self::Mixed => FrameStyle::Mixed,
        }
    }
}

impl SimAccount {
    /// An account with this id and money.
    pub fn new(client_id: DhanClientId, name: &str, capital_rupees: i64) -> Self {
        Self {
            client_id,
            access_token: None,
            pin: None,
            totp_secret: None,
            capital_rupees,
            name: name.to_owned(),
            whitelisted_ip: None,
            overlapping_exits: OverlappingExits::default(),
            positions: Vec::new(),
        }
    }

    /// The token taken for it, or the last part of the first one where those are JWTs.
    pub fn token(&self) -> String {
        self.access_token.clone().unwrap_or_else(|| format!("sim-token-{}", self.client_id))
    }
}

impl Default for SimVariants {
    fn default() -> Self {
        let core = exchange::Variants::default();
        Self {
            casing: Casing::Live,
            part_fill_status: "Part Traded".to_owned(),
            full_symbol: false,
            login_refusal: LoginRefusal::Code50,
            token_face: TokenFace::Dh901,
            answer_first: true,
            transit_frames: core.transit_events,
            answer_pending: core.answer_pending,
            accept_empty_numbers: false,
            tag_length_max: core.tag_length_max,
            order_as_object: false,
            tag_lookup_as_array: false,
            market_as_market: false,
            protection_bps: core.protection_bps,
            refuse_stop_market: false,
            empty_holdings_as_array: false,
            documented_nulls: false,
            close_at_1530: false,
            refuse_modify_in_transit: core.refuse_modify_in_transit,
            parent_in_frames: true,
            legs_keep_tag: false,
            own_leg_ids: false,
            total_quantity_spelled: false,
            brackets_by_api: core.brackets_by_api,
            forever_on_derivatives: core.forever_on_derivatives,
            books_turn_at: core.books_turn_at,
        }
    }
}

impl Default for SimSettings {
    fn default() -> Self {
        let core = exchange::ExchangeSettings::default();
        let account =
            |id: &str, name, capital| DhanClientId::new(id).map(|id| SimAccount::new(id, name, capital));
        let accounts = [
            account("1000000101", "Leader", 1_000_000),
            account("1000000202", "Asha", 500_000),
            account("1000000303", "Bala", 200_000),
        ];
        Self {
            rest_port: 0,
            stream_port: 0,
            control_port: 0,
            seed: core.seed,
            start: core.start,
            rate: Rate::REAL,
            accounts: accounts.into_iter().flatten().collect(),
            rate_limits: true,
            token_hours: 24,
            jwt_tokens: false,
            exchange_latency_ms: 0,
            square_off: core.session.square_off,
            holidays: core.holidays,
            strikes_each_side: core.strikes_each_side,
            depth: SimDepth::Synthetic,
            variants: SimVariants::default(),
        }
    }
}

impl SimSettings {
    /// How long a token lives; none for ever.
    pub(crate) fn token_life(&self) -> Option<Duration> {
        (self.token_hours > 0).then(|| Duration::from_hours(self.token_hours.into()))
    }

    /// The token that an account has at the start.
    pub fn first_token(&self, account: &SimAccount) -> String {
        if !self.jwt_tokens {
            return account.token();
        }
        let expires = self.token_life().map(|life| self.start.plus(life));
        tokens::jwt(&account.client_id, "SELF", self.start, expires, &account.token())
    }

    /// The exchange these settings ask for; an error names what cannot be.
    pub(crate) fn exchange(&self) -> Result<exchange::ExchangeSettings, SimError> {
        self.check_accounts()?;
        let defaults = exchange::ExchangeSettings::default();
        let mut session = exchange::Session { square_off: self.square_off, ..defaults.session };
        if self.variants.close_at_1530 {
            session.close = NaiveTime::from_hms_opt(15, 30, 0).unwrap_or(session.close);
        }
        Ok(exchange::ExchangeSettings {
            seed: self.seed,
            start: self.start,
            session,
            holidays: self.holidays.clone(),
            accounts: self.accounts.iter().map(exchange_account).collect(),
            strikes_each_side: self.strikes_each_side,
            exchange_latency: Duration::from_millis(self.exchange_latency_ms),
            rate_limits: self.rate_limits.then(exchange::RateLimits::default),
            depth: self.depth.exchange(),
            variants: self.variants.exchange(),
        })
    }

    /// The same, and in it what the accounts hold from earlier days.
    pub(crate) fn exchange_with_positions(&self) -> Result<Exchange, SimError> {
        let mut exchange = Exchange::new(self.exchange()?);
        for account in &self.accounts {
            for position in &account.positions {
                let carried = position.carried();
                if !carried.is_some_and(|carried| exchange.carry(&account.client_id, &carried)) {
                    let why = format!("accounts: {} cannot hold {position:?}", account.client_id);
                    return Err(SimError::Settings(why));
                }
            }
        }
        Ok(exchange)
    }

    fn check_accounts(&self) -> Result<(), SimError> {
        let refuse = |why: String| Err(SimError::Settings(why));
        if self.accounts.is_empty() {
            return refuse("accounts: none".to_owned());
        }
        for (at, account) in self.accounts.iter().enumerate() {
            let earlier = &self.accounts[..at];
            if earlier.iter().any(|other| other.client_id == account.client_id) {
                return refuse(format!("accounts: {} is there twice", account.client_id));
            }
            if earlier.iter().any(|other| other.token() == account.token()) {
                return refuse(format!("accounts: {} shares its token with another", account.client_id));
            }
        }
        Ok(())
    }
}

fn exchange_account(account: &SimAccount) -> exchange::AccountSettings {
    let mut settings = exchange::AccountSettings::new(
        account.client_id.clone(),
        account.token(),
        Money::from_rupees(account.capital_rupees),
    );
    settings.whitelisted_ip = account.whitelisted_ip;
    settings.overlapping_exits = account.overlapping_exits;
    settings
}

impl SimDepth {
    /// The same in the exchange's words.
    pub(crate) fn exchange(self) -> exchange::Depth {
        match self {
            Self::Synthetic => exchange::Depth::Synthetic,
            Self::Capped(units) => exchange::Depth::Capped(Quantity::new(units)),
            Self::Unlimited => exchange::Depth::Unlimited,
        }
    }
}

impl SimVariants {
    fn exchange(&self) -> exchange::Variants {
        use exchange::{LegTags, MarketOrders, StopMarketOrders};
        exchange::Variants {
            transit_events: self.transit_frames,
            answer_pending: self.answer_pending,
            tag_length_max: self.tag_length_max,
            market_orders: if self.market_as_market {
                MarketOrders::AsMarket
            } else {
                MarketOrders::Protected
            },
            stop_market_orders: if self.refuse_stop_market {
                StopMarketOrders::Refused
            } else {
                StopMarketOrders::TriggerDropped
            },
            protection_bps: self.protection_bps,
            refuse_modify_in_transit: self.refuse_modify_in_transit,
            leg_tags: if self.legs_keep_tag { LegTags::Entry } else { LegTags::Invented },
            brackets_by_api: self.brackets_by_api,
            forever_on_derivatives: self.forever_on_derivatives,
            books_turn_at: self.books_turn_at,
            ..exchange::Variants::default()
        }
    }
}

/// Reads `YYYY-MM-DD HH:MM:SS` by the clock in India.
pub(crate) fn parse_ist(text: &str) -> Result<Timestamp, chrono::ParseError> {
    NaiveDateTime::parse_from_str(text.trim(), IST_FORMAT).map(Timestamp::from_ist)
}

/// How moments are written on the REST wire and in the settings.
pub(crate) const IST_FORMAT: &str = "%Y-%m-%d %H:%M:%S";

mod ist_text {
    use super::{Deserialize, Deserializer, IST_FORMAT, Serializer, Timestamp, de, parse_ist};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde calls")]
    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&at.ist().format(IST_FORMAT))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        parse_ist(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A time of day, or `never`.
mod time_text {
    use super::{Deserialize, Deserializer, NaiveTime, Serializer, de};

    const NEVER: &str = "never";

    #[expect(clippy::ref_option, reason = "the signature serde calls")]
    pub(super) fn serialize<S: Serializer>(at: &Option<NaiveTime>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => serializer.collect_str(&at.format("%H:%M:%S")),
            None => serializer.serialize_str(NEVER),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<NaiveTime>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == NEVER { Ok(None) } else { text.parse().map(Some).map_err(de::Error::custom) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_object_is_a_working_simulator() {
        let settings: SimSettings = serde_json::from_str("{}").unwrap();
        assert_eq!(settings, SimSettings::default());
        assert_eq!(settings.start.to_string(), "2026-12-01 09:15:00.000");
        assert_eq!(settings.accounts[0].token(), "sim-token-1000000101");
        assert!(settings.exchange().is_ok());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let settings =
            SimSettings { rate: Rate::FASTEST, depth: SimDepth::Capped(130), ..SimSettings::default() };
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<SimSettings>(&text).unwrap(), settings);
    }

    #[test]
    fn a_position_from_earlier_days_is_there_or_refused() {
        let with = |security_id: u32, units: i64| {
            let mut settings = SimSettings::default();
            settings.accounts[0].positions = vec![SimCarried {
                segment: ExchangeSegment::NseFno,
                security_id,
                product: Product::Margin,
                units,
                price: Decimal::new(120.5),
            }];
            settings
        };
        let settings = with(43_023, -130);
        let exchange = settings.exchange_with_positions().unwrap();
        let held = exchange.positions(&settings.accounts[0].client_id);
        assert_eq!((held[0].net(), held[0].carried_value), (-130, Money::from_rupees(15_665)));
        assert!(with(9, 65).exchange_with_positions().is_err(), "no such instrument");
        assert!(with(43_023, 64).exchange_with_positions().is_err(), "no whole lot");
    }

    #[test]
    fn the_square_off_has_a_time_or_none() {
        let read = |text: &str| serde_json::from_str::<SimSettings>(text).map(|read| read.square_off);
        assert_eq!(read(r#"{"square_off":"never"}"#).unwrap(), None);
        assert_eq!(read(r#"{"square_off":"15:25:00"}"#).unwrap(), NaiveTime::from_hms_opt(15, 25, 0));
        assert!(read(r#"{"square_off":"soon"}"#).is_err());
    }

    #[test]
    fn unknown_keys_and_doubled_accounts_are_refused() {
        assert!(serde_json::from_str::<SimSettings>(r#"{"speed":2}"#).is_err());
        let mut settings = SimSettings::default();
        settings.accounts.push(settings.accounts[0].clone());
        assert!(settings.exchange().is_err());
    }
}
