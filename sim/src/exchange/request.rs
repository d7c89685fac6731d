//! What is asked of the exchange and what it answers at once, already typed.
//!
//! The wire bodies are read by the server; here prices are integers and codes are enums.

use std::fmt;

use tandem_domain::ids::BrokerOrderId;
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::order::{BrokerStatus, Leg, OrderTerms, OrderType, Product, Side, TimeInForce};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;

/// Who placed an order, by the stream's `source` letter (`dhanhq-v2.md` section 5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The REST API: `P`. An omitted tag is invented by the broker.
    Api,
    /// Dhan's own app or web site: `W`. Carries no tag.
    App,
    /// The broker itself, squaring off: `T`. Carries no tag.
    Broker,
}

impl Source {
    /// The letter on the stream.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Api => "P",
            Self::App => "W",
            Self::Broker => "T",
        }
    }
}

/// When an after-market order goes to the exchange (`amoTime`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AmoRelease {
    /// With the first tick of the session (`PRE_OPEN` and `OPEN`).
    #[default]
    Open,
    /// Half an hour later (`OPEN_30`).
    Open30,
    /// An hour later (`OPEN_60`).
    Open60,
}

/// An order to be placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceRequest {
    /// `correlationId` as it came; `None` when the key was absent.
    pub tag: Option<String>,
    /// What the order asks for.
    pub terms: OrderTerms,
    /// Read only when `terms.after_market`.
    pub amo_release: AmoRelease,
}

impl PlaceRequest {
    /// A request without a tag.
    pub fn new(terms: OrderTerms) -> Self {
        Self { tag: None, terms, amo_release: AmoRelease::Open }
    }

    /// The same request with a tag.
    #[must_use]
    pub fn tagged(mut self, tag: &str) -> Self {
        self.tag = Some(tag.to_owned());
        self
    }
}

/// A change of a working order. What is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModifyRequest {
    /// New order type.
    pub order_type: Option<OrderType>,
    /// New validity.
    pub time_in_force: Option<TimeInForce>,
    /// New **total** quantity, filled part included (`dhanhq-v2.md` section 2.4).
    pub quantity: Option<Quantity>,
    /// New limit price.
    pub price: Option<Price>,
    /// New trigger price.
    pub trigger: Option<Price>,
    /// New disclosed quantity.
    pub disclosed: Option<Quantity>,
}

/// A change of a super order, by leg (`dhanhq-v2.md` section 3.1). Whatever leg: a trailing jump of zero ends the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SuperChange {
    /// `ENTRY_LEG`: while the entry works.
    Entry {
        /// Quantity, price and order type; what is `None` stays as it is.
        order: ModifyRequest,
        /// New price of the target; `None` leaves it.
        target: Option<Price>,
        /// New price of the stop; `None` leaves it.
        stop: Option<Price>,
        /// How far the price must move for the stop to follow.
        trailing: Price,
    },
    /// `TARGET_LEG`: before it fires.
    Target {
        /// New price.
        price: Price,
    },
    /// `STOP_LOSS_LEG`: before it fires.
    Stop {
        /// New price; `None` leaves it.
        price: Option<Price>,
        /// How far the price must move for the stop to follow.
        trailing: Price,
    },
}

/// A position's way to another product (`POST /positions/convert`, section 4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conversion {
    /// The instrument.
    pub instrument: InstrumentKey,
    /// The product it is held in.
    pub from: Product,
    /// The product it shall be held in.
    pub to: Product,
    /// `Buy` for a long position, `Sell` for a short one.
    pub side: Side,
    /// Units.
    pub quantity: Quantity,
}

/// A fill by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    /// Of which order.
    pub order_id: BrokerOrderId,
    /// Units.
    pub quantity: Quantity,
    /// At what price.
    pub price: Price,
}

/// A change of one leg of a forever order (section 3.2). What is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeverChange {
    /// `Target` for a single order or the first of two legs, `StopLoss` for the second.
    pub leg: Leg,
    /// New order type of the leg.
    pub order_type: Option<OrderType>,
    /// New validity of the leg's order.
    pub time_in_force: Option<TimeInForce>,
    /// New quantity.
    pub quantity: Option<Quantity>,
    /// New limit price.
    pub price: Option<Price>,
    /// New trigger price.
    pub trigger: Option<Price>,
}

/// The body of a taken order request: `{orderId, orderStatus}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderAnswer {
    /// The order.
    pub order_id: BrokerOrderId,
    /// What the answer says of it; the truth follows on the stream and in the book.
    pub status: BrokerStatus,
}

/// A request refused at once, in the shape of `dhanhq-v2.md` section 9.3.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{http} {code} {message}")]
pub struct ApiError {
    /// HTTP status.
    pub http: u16,
    /// `errorType`, with underscores as on the wire.
    pub error_type: &'static str,
    /// `errorCode`.
    pub code: &'static str,
    /// `errorMessage`.
    pub message: String,
}

impl ApiError {
    /// What the documentation's DH-905 says when nothing better is known.
    pub const GENERIC_INPUT: &'static str = "Missing required fields, bad values for parameters etc.";
    /// The text for an order that does not exist or can no longer be changed.
    pub const INCORRECT_REQUEST: &'static str = "Incorrect request for order and cannot be processed";
    /// The text for an order not yet at the exchange.
    pub const IN_TRANSIT: &'static str = "Order is in Transit state";

    /// 400 DH-905: a field is missing or bad.
    pub fn input(message: impl fmt::Display) -> Self {
        Self { http: 400, error_type: "Input_Exception", code: "DH-905", message: message.to_string() }
    }

    /// 400 DH-906: the order cannot be processed.
    pub fn order(message: impl fmt::Display) -> Self {
        Self { http: 400, error_type: "Order_Error", code: "DH-906", message: message.to_string() }
    }

    /// 429 DH-904: too many requests.
    pub fn rate_limit() -> Self {
        Self {
            http: 429,
            error_type: "Rate_Limit",
            code: "DH-904",
            message: "Too many requests on server from single user breaching rate limits. Try throttling API calls."
                .to_owned(),
        }
    }

    /// 401 DH-901: no such account, or its token is dead.
    pub fn authentication() -> Self {
        Self {
            http: 401,
            error_type: "Invalid_Authentication",
            code: "DH-901",
            message: "Client ID or user generated access token is invalid or expired.".to_owned(),
        }
    }
}
