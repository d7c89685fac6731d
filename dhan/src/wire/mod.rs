//! Structs exactly as on the wire, by surface. Words stay words here: what they mean is decided in `parse`.
//!
//! Answers of the broker are [records](Record): decoded key by key with any casing, missing and null values as zero or
//! empty, numbers also as numeric text, so that one odd value costs one row and never a whole answer
//! (`dhanhq-v2.md` sections 1.2 and 5.4). Requests are plain serde structs: there an empty text in a numeric field is
//! an error, as it is at the broker (section 2.2).

mod account;
mod error;
mod fault;
mod forevers;
mod orders;
mod portfolio;
mod quote;
mod record;
mod scalar;
mod stream;
mod supers;

pub use account::{IpAnswer, IpError, IpStatus, KillSwitchStatus, Profile, RenewedToken, SetIpRequest};
pub use error::{ErrorBody, GatewayError, MarketDataError};
pub use fault::{FAULTS_MAX, WireError};
pub use forevers::{CreateForeverOrderRequest, ForeverOrderRow, ModifyForeverOrderRequest};
pub use orders::{ModifyOrderRequest, OrderAnswer, OrderBookRow, PlaceOrderRequest, TradeRow};
pub use portfolio::{
    ConvertPositionRequest, FundLimit, HoldingRow, MarginAnswer, MarginRequest, MultiMarginAnswer,
    MultiMarginRequest, MultiMarginScrip, PositionRow,
};
pub use quote::{
    DepthLevel, DepthSides, FullQuote, LastPriceQuote, Ohlc, OhlcQuote, QuoteAnswer, QuoteRequest,
};
pub use record::{Record, Rows, decode_row, decode_rows};
pub use scalar::Decimal;
pub use stream::{DecodedFrame, Envelope, FrameStyle, LoginBody, LoginRequest, OrderUpdate, decode_frame};
pub use supers::{ModifySuperOrderRequest, PlaceSuperOrderRequest, SuperLegRow, SuperOrderRow};
