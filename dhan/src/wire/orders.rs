//! Orders: place and modify requests, their answer, rows of the order book and trade book.

use serde::{Deserialize, Serialize};

use super::record::record;
use super::scalar::{Decimal, optional_integer, strict_integer};

/// Body of `POST /orders` and `POST /orders/slicing` (`dhanhq-v2.md` section 2.2). What does not apply is left out;
/// an empty text is never sent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceOrderRequest {
    /// The account.
    #[serde(default)]
    pub dhan_client_id: String,
    /// Our tag, at most 25 of `[A-Za-z0-9_-]` (section 2.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// `BUY` or `SELL`.
    pub transaction_type: String,
    /// Section 8.5.
    pub exchange_segment: String,
    /// `CNC`, `INTRADAY`, `MARGIN`, `MTF`.
    pub product_type: String,
    /// `LIMIT`, `MARKET`, `STOP_LOSS`, `STOP_LOSS_MARKET`.
    pub order_type: String,
    /// `DAY` or `IOC`.
    pub validity: String,
    /// Digits.
    pub security_id: String,
    /// Units, not lots.
    #[serde(deserialize_with = "strict_integer")]
    pub quantity: i64,
    /// 0, or more than 30 % of the quantity. Some accounts are refused without it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_integer")]
    pub disclosed_quantity: Option<i64>,
    /// Rupees; 0 for market types.
    #[serde(default)]
    pub price: Decimal,
    /// Rupees; for stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_price: Option<Decimal>,
    /// Some accounts are refused without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_market_order: Option<bool>,
    /// `PRE_OPEN`, `OPEN`, `OPEN_30`, `OPEN_60`; after-market orders only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amo_time: Option<String>,
    /// Bracket orders only; the official SDK sends null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bo_profit_value: Option<Decimal>,
    /// Bracket orders only; the official SDK sends null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bo_stop_loss_value: Option<Decimal>,
}

/// Body of `PUT /orders/{orderId}` (section 2.4): the whole order restated, the quantity its new total.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModifyOrderRequest {
    /// The account.
    #[serde(default)]
    pub dhan_client_id: String,
    /// The order, as in the path.
    #[serde(default)]
    pub order_id: String,
    /// May change.
    pub order_type: String,
    /// May change.
    pub validity: String,
    /// Filled and pending together.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_integer")]
    pub quantity: Option<i64>,
    /// Rupees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Decimal>,
    /// Rupees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_price: Option<Decimal>,
    /// 0, or more than 30 % of the quantity.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_integer")]
    pub disclosed_quantity: Option<i64>,
    /// Never sent by us; an empty one is refused in production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leg_name: Option<String>,
}

record! {
    /// Answer to place, modify and cancel.
    OrderAnswer keyed by order_id {
        /// The broker's id of the order.
        order_id: String = "orderId",
        /// Usually `TRANSIT`.
        order_status: String = "orderStatus",
    }
}

record! {
    /// A row of `GET /orders`, and the answer of the lookups by id and by tag (section 2.6). Super-order legs are in
    /// it under ids of their own.
    OrderBookRow keyed by order_id {
        /// The account.
        dhan_client_id: String = "dhanClientId",
        /// The broker's id.
        order_id: String = "orderId",
        /// `"0"` if it never reached the exchange.
        exchange_order_id: String = "exchangeOrderId",
        /// The tag; invented by the broker when none was sent.
        correlation_id: String = "correlationId",
        /// Section 2.7.
        order_status: String = "orderStatus",
        /// `BUY` or `SELL`.
        transaction_type: String = "transactionType",
        /// Section 8.5.
        exchange_segment: String = "exchangeSegment",
        /// `CNC`, `INTRADAY`, `MARGIN`, `MTF`, `CO`, `BO`.
        product_type: String = "productType",
        /// May read `LIMIT` for an order sent as `MARKET`.
        order_type: String = "orderType",
        /// `DAY` or `IOC`.
        validity: String = "validity",
        /// For people; not unique.
        trading_symbol: String = "tradingSymbol",
        /// The only reliable instrument key.
        security_id: String = "securityId",
        /// Total units.
        quantity: i64 = "quantity",
        /// Units shown.
        disclosed_quantity: i64 = "disclosedQuantity",
        /// Rupees.
        price: Decimal = "price",
        /// Rupees.
        trigger_price: Decimal = "triggerPrice",
        /// Entered after hours.
        after_market_order: bool = "afterMarketOrder",
        /// Bracket orders.
        bo_profit_value: Decimal = "boProfitValue",
        /// Bracket orders.
        bo_stop_loss_value: Decimal = "boStopLossValue",
        /// `"NA"` live, empty in the documentation.
        leg_name: String = "legName",
        /// `YYYY-MM-DD HH:MM:SS`, Indian time.
        create_time: String = "createTime",
        /// The same form.
        update_time: String = "updateTime",
        /// The same form; `0001-01-01 00:00:00` before the exchange has it.
        exchange_time: String = "exchangeTime",
        /// `0001-01-01` for equities.
        drv_expiry_date: String = "drvExpiryDate",
        /// `CALL`, `PUT`, `NA`.
        drv_option_type: String = "drvOptionType",
        /// Rupees.
        drv_strike_price: Decimal = "drvStrikePrice",
        /// `"0"` for healthy and rejected orders alike.
        oms_error_code: String = "omsErrorCode",
        /// The reason, only when rejected, cancelled or expired; `CONFIRMED` otherwise.
        oms_error_description: String = "omsErrorDescription",
        /// `"0"` for ordinary orders.
        algo_id: String = "algoId",
        /// Quantity minus filled.
        remaining_quantity: i64 = "remainingQuantity",
        /// Rupees.
        average_traded_price: Decimal = "averageTradedPrice",
        /// Units filled; `filled_qty` in postbacks.
        filled_qty: i64 = "filledQty" | "filled_qty",
    }
}

record! {
    /// A row of `GET /trades` and `GET /trades/{orderId}`: one fill (section 2.8).
    TradeRow keyed by order_id {
        /// The account.
        dhan_client_id: String = "dhanClientId",
        /// The order filled.
        order_id: String = "orderId",
        /// The exchange's id of that order.
        exchange_order_id: String = "exchangeOrderId",
        /// The exchange's id of this fill.
        exchange_trade_id: String = "exchangeTradeId",
        /// `BUY` or `SELL`.
        transaction_type: String = "transactionType",
        /// Section 8.5.
        exchange_segment: String = "exchangeSegment",
        /// As in the order.
        product_type: String = "productType",
        /// As in the order.
        order_type: String = "orderType",
        /// For people.
        trading_symbol: String = "tradingSymbol",
        /// For people; in the SDK's fixtures and the portal only.
        custom_symbol: String = "customSymbol",
        /// The instrument.
        security_id: String = "securityId",
        /// Units of this fill.
        traded_quantity: i64 = "tradedQuantity",
        /// Rupees.
        traded_price: Decimal = "tradedPrice",
        /// `YYYY-MM-DD HH:MM:SS`, Indian time.
        create_time: String = "createTime",
        /// The same form.
        update_time: String = "updateTime",
        /// The same form: when the exchange filled it.
        exchange_time: String = "exchangeTime",
        /// As in the order.
        drv_expiry_date: String = "drvExpiryDate",
        /// As in the order.
        drv_option_type: String = "drvOptionType",
        /// As in the order.
        drv_strike_price: Decimal = "drvStrikePrice",
    }
}
