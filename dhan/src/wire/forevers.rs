//! Forever orders: resting at the broker until a trigger is touched (`dhanhq-v2.md` section 3.2). Answers are
//! [`OrderAnswer`](super::OrderAnswer)s.

use serde::{Deserialize, Serialize};

use super::record::record;
use super::scalar::{Decimal, optional_integer, strict_integer};

/// Body of `POST /forever/orders`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateForeverOrderRequest {
    /// The account.
    #[serde(default)]
    pub dhan_client_id: String,
    /// Our tag, as for ordinary orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// `SINGLE`, or `OCO` for two of which one cancels the other.
    pub order_flag: String,
    /// `BUY` or `SELL`.
    pub transaction_type: String,
    /// Section 8.5.
    pub exchange_segment: String,
    /// `CNC` or `MTF`.
    pub product_type: String,
    /// `LIMIT` or `MARKET`.
    pub order_type: String,
    /// `DAY` or `IOC`, of the order that fires.
    pub validity: String,
    /// Digits.
    pub security_id: String,
    /// Units.
    #[serde(deserialize_with = "strict_integer")]
    pub quantity: i64,
    /// 0, or more than 30 % of the quantity.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_integer")]
    pub disclosed_quantity: Option<i64>,
    /// Rupees.
    pub price: Decimal,
    /// Rupees.
    pub trigger_price: Decimal,
    /// Second leg of two, rupees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price1: Option<Decimal>,
    /// Second leg of two, rupees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_price1: Option<Decimal>,
    /// Second leg of two, units.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_integer")]
    pub quantity1: Option<i64>,
}

/// Body of `PUT /forever/orders/{orderId}`: one leg, the whole of it restated.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModifyForeverOrderRequest {
    /// The account.
    #[serde(default)]
    pub dhan_client_id: String,
    /// The order, as in the path.
    #[serde(default)]
    pub order_id: String,
    /// As created.
    pub order_flag: String,
    /// `LIMIT`, `MARKET`, `STOP_LOSS`, `STOP_LOSS_MARKET`.
    pub order_type: String,
    /// `TARGET_LEG` for a single order or the first leg of two, `STOP_LOSS_LEG` for the second.
    pub leg_name: String,
    /// Units.
    #[serde(deserialize_with = "strict_integer")]
    pub quantity: i64,
    /// Rupees.
    pub price: Decimal,
    /// 0, or more than 30 % of the quantity.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_integer")]
    pub disclosed_quantity: Option<i64>,
    /// Rupees.
    pub trigger_price: Decimal,
    /// `DAY` or `IOC`.
    pub validity: String,
}

record! {
    /// A row of `GET /forever/orders`: one leg; two of which one cancels the other are two rows of one id.
    ForeverOrderRow keyed by order_id {
        /// The account.
        dhan_client_id: String = "dhanClientId",
        /// The broker's id.
        order_id: String = "orderId",
        /// In no documented row; read where there is one.
        #[serde(skip_serializing_if = "String::is_empty")]
        correlation_id: String = "correlationId",
        /// Section 2.7; `CONFIRM` while it rests.
        order_status: String = "orderStatus",
        /// `BUY` or `SELL`.
        transaction_type: String = "transactionType",
        /// Section 8.5.
        exchange_segment: String = "exchangeSegment",
        /// `CNC`, `MTF`, and others by the documentation.
        product_type: String = "productType",
        /// `SINGLE` or `OCO`; not the order type.
        order_type: String = "orderType",
        /// In no documented row; read where there is one.
        #[serde(skip_serializing_if = "String::is_empty")]
        validity: String = "validity",
        /// For people.
        trading_symbol: String = "tradingSymbol",
        /// The instrument.
        security_id: String = "securityId",
        /// Units.
        quantity: i64 = "quantity",
        /// Rupees.
        price: Decimal = "price",
        /// Rupees.
        trigger_price: Decimal = "triggerPrice",
        /// `TARGET_LEG`, `STOP_LOSS_LEG`; the documented sample has `ENTRY_LEG`.
        leg_name: String = "legName",
        /// `YYYY-MM-DD HH:MM:SS`, Indian time.
        create_time: String = "createTime",
        /// The same form; null before anything happened.
        update_time: Option<String> = "updateTime",
        /// The same form; null before anything happened.
        exchange_time: Option<String> = "exchangeTime",
        /// Null for equities.
        drv_expiry_date: Option<String> = "drvExpiryDate",
        /// Null for equities.
        drv_option_type: Option<String> = "drvOptionType",
        /// Rupees.
        drv_strike_price: Decimal = "drvStrikePrice",
    }
}
