//! What an order asks for.

use serde::{Deserialize, Serialize};

use crate::instrument::{InstrumentKey, coded_enum};
use crate::price::Price;
use crate::quantity::{Quantity, SignedQuantity};

coded_enum! {
    /// Buy or sell.
    Side {
        /// Buy.
        Buy = "BUY",
        /// Sell.
        Sell = "SELL",
    }
}

impl Side {
    /// A fill of this side as a change of position.
    pub fn signed(self, quantity: Quantity) -> SignedQuantity {
        let units = i64::from(quantity.get());
        SignedQuantity(if self == Self::Buy { units } else { -units })
    }

    /// One for what is bought, minus one for what is sold.
    pub const fn sign(self) -> i64 {
        match self {
            Self::Buy => 1,
            Self::Sell => -1,
        }
    }

    /// The other side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

coded_enum! {
    /// The product an order is margined and carried under.
    Product {
        /// Equity delivery.
        Cnc = "CNC",
        /// Squared off the same day.
        Intraday = "INTRADAY",
        /// Carried forward; for futures and options.
        Margin = "MARGIN",
        /// Margin trading facility; equity.
        Mtf = "MTF",
        /// Cover order.
        Cover = "CO",
        /// Bracket order.
        Bracket = "BO",
    }
}

coded_enum! {
    /// Order type.
    OrderType {
        /// At a price or better.
        Limit = "LIMIT",
        /// At the market; turned into a protected limit by the broker (`dhanhq-v2.md` section 2.9).
        Market = "MARKET",
        /// A limit once the trigger is touched.
        StopLoss = "STOP_LOSS",
        /// A market order once the trigger is touched; mangled by the broker on options (section 2.9).
        StopLossMarket = "STOP_LOSS_MARKET",
    }
}

impl OrderType {
    /// Whether the order waits for a trigger price.
    pub const fn is_stop(self) -> bool {
        matches!(self, Self::StopLoss | Self::StopLossMarket)
    }
}

coded_enum! {
    /// How long an order works.
    TimeInForce {
        /// Until the close.
        Day = "DAY",
        /// Fill at once what can be filled, cancel the rest.
        Ioc = "IOC",
    }
}

/// Which of the broker's three kinds of order it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderForm {
    /// An ordinary order.
    #[default]
    Ordinary,
    /// A super order: an entry that brings its own exits (`dhanhq-v2.md` section 3.1). The order's price is the entry's.
    Super(ExitLegs),
    /// A forever order: rests at the broker until its trigger is touched (section 3.2). The order's price and trigger
    /// are the first leg's.
    Forever(Option<OcoLeg>),
}

/// The exits of a super order; at least one when it is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExitLegs {
    /// Price of the target leg; none once it is cancelled, or where there is none.
    pub target: Option<Price>,
    /// Price of the stop leg; none once it is cancelled, or where there is none.
    pub stop: Option<Price>,
    /// How far the price must move for the stop to follow it; zero for a stop that stands still.
    pub trailing: Price,
}

/// The second leg of a forever order of which one cancels the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OcoLeg {
    /// Limit price.
    pub price: Price,
    /// Trigger price.
    pub trigger: Price,
    /// Units.
    pub quantity: Quantity,
}

/// Everything an order asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OrderTerms {
    /// The instrument.
    pub instrument: InstrumentKey,
    /// Buy or sell.
    pub side: Side,
    /// Product.
    pub product: Product,
    /// Order type.
    pub order_type: OrderType,
    /// Time in force.
    pub time_in_force: TimeInForce,
    /// Total units, filled and not.
    pub quantity: Quantity,
    /// Units shown to the market; zero shows all.
    pub disclosed: Quantity,
    /// Limit price; zero for market types.
    pub price: Price,
    /// Trigger price; zero unless a stop.
    pub trigger: Price,
    /// Entered after hours for the next session.
    pub after_market: bool,
    /// Ordinary, super or forever.
    pub form: OrderForm,
}
