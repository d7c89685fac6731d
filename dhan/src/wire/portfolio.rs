//! Funds, margin, holdings, positions (`dhanhq-v2.md` section 4).

use serde::{Deserialize, Serialize};

use super::record::record;
use super::scalar::{Decimal, strict_integer};

record! {
    /// Answer of `GET /fundlimit` (section 4.1). The broker's spellings are kept.
    FundLimit {
        /// The account.
        dhan_client_id: String = "dhanClientId",
        /// Misspelled on the wire; includes collateral.
        available_balance: Decimal = "availabelBalance" | "availableBalance",
        /// Balance at the start of the day.
        sod_limit: Decimal = "sodLimit",
        /// Collateral.
        collateral_amount: Decimal = "collateralAmount",
        /// Also misspelled.
        receivable_amount: Decimal = "receiveableAmount",
        /// Held by orders and positions.
        utilized_amount: Decimal = "utilizedAmount",
        /// On its way out.
        blocked_payout_amount: Decimal = "blockedPayoutAmount",
        /// Could be paid out.
        withdrawable_balance: Decimal = "withdrawableBalance",
    }
}

record! {
    /// A row of `GET /positions` (section 4.5).
    PositionRow {
        /// The account.
        dhan_client_id: String = "dhanClientId",
        /// For people.
        trading_symbol: String = "tradingSymbol",
        /// The instrument.
        security_id: String = "securityId",
        /// `LONG`, `SHORT`, `CLOSED`.
        position_type: String = "positionType",
        /// Section 8.5.
        exchange_segment: String = "exchangeSegment",
        /// Product.
        product_type: String = "productType",
        /// Rupees.
        buy_avg: Decimal = "buyAvg",
        /// Rupees.
        cost_price: Decimal = "costPrice",
        /// Units.
        buy_qty: i64 = "buyQty",
        /// Rupees.
        sell_avg: Decimal = "sellAvg",
        /// Units.
        sell_qty: i64 = "sellQty",
        /// Bought minus sold, signed.
        net_qty: i64 = "netQty",
        /// Rupees.
        realized_profit: Decimal = "realizedProfit",
        /// Rupees.
        unrealized_profit: Decimal = "unrealizedProfit",
        /// 1 for rupee contracts.
        rbi_reference_rate: Decimal = "rbiReferenceRate",
        /// Units in a contract.
        multiplier: Decimal = "multiplier",
        /// Bought before today.
        carry_forward_buy_qty: i64 = "carryForwardBuyQty",
        /// Sold before today.
        carry_forward_sell_qty: i64 = "carryForwardSellQty",
        /// Rupees.
        carry_forward_buy_value: Decimal = "carryForwardBuyValue",
        /// Rupees.
        carry_forward_sell_value: Decimal = "carryForwardSellValue",
        /// Bought today.
        day_buy_qty: i64 = "dayBuyQty",
        /// Sold today.
        day_sell_qty: i64 = "daySellQty",
        /// Rupees.
        day_buy_value: Decimal = "dayBuyValue",
        /// Rupees.
        day_sell_value: Decimal = "daySellValue",
        /// `0001-01-01` when there is none.
        drv_expiry_date: String = "drvExpiryDate",
        /// `CALL`, `PUT` or null.
        drv_option_type: Option<String> = "drvOptionType",
        /// Rupees.
        drv_strike_price: Decimal = "drvStrikePrice",
        /// Currency crosses.
        cross_currency: bool = "crossCurrency",
    }
}

record! {
    /// A row of `GET /holdings` (section 4.4).
    HoldingRow {
        /// `ALL` live.
        exchange: String = "exchange",
        /// For people.
        trading_symbol: String = "tradingSymbol",
        /// The equity's id.
        security_id: String = "securityId",
        /// International id.
        isin: String = "isin",
        /// Units.
        total_qty: i64 = "totalQty",
        /// At the depository.
        dp_qty: i64 = "dpQty",
        /// Bought yesterday.
        t1_qty: i64 = "t1Qty",
        /// Margin-funded, bought yesterday.
        mtf_t1_qty: i64 = "mtf_t1_qty" | "mtf_tq_qty",
        /// Margin-funded.
        mtf_qty: i64 = "mtf_qty",
        /// Can be sold.
        available_qty: i64 = "availableQty",
        /// Pledged.
        collateral_qty: i64 = "collateralQty",
        /// Rupees.
        avg_cost_price: Decimal = "avgCostPrice",
        /// Rupees.
        last_traded_price: Decimal = "lastTradedPrice",
    }
}

/// Body of `POST /margincalculator` (section 4.2).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MarginRequest {
    /// The account.
    #[serde(default)]
    pub dhan_client_id: String,
    /// Section 8.5.
    pub exchange_segment: String,
    /// `BUY` or `SELL`.
    pub transaction_type: String,
    /// Units.
    #[serde(deserialize_with = "strict_integer")]
    pub quantity: i64,
    /// Product.
    pub product_type: String,
    /// Digits.
    pub security_id: String,
    /// Rupees.
    #[serde(default)]
    pub price: Decimal,
    /// Rupees; stops only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_price: Option<Decimal>,
}

record! {
    /// Answer of `POST /margincalculator`. Here `availableBalance` is spelled correctly and `leverage` is a text.
    MarginAnswer {
        /// Rupees.
        total_margin: Decimal = "totalMargin",
        /// Rupees.
        span_margin: Decimal = "spanMargin",
        /// Rupees.
        exposure_margin: Decimal = "exposureMargin",
        /// Rupees.
        available_balance: Decimal = "availableBalance" | "availabelBalance",
        /// Rupees.
        variable_margin: Decimal = "variableMargin",
        /// Rupees; zero when there is enough.
        insufficient_balance: Decimal = "insufficientBalance",
        /// Rupees.
        brokerage: Decimal = "brokerage",
        /// `"1.00"`.
        leverage: String = "leverage",
    }
}

/// Body of `POST /margincalculator/multi`, spelled as the official SDK does (section 4.3).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MultiMarginRequest {
    /// The account.
    #[serde(default)]
    pub dhan_client_id: String,
    /// Count what is held.
    #[serde(default)]
    pub include_position: bool,
    /// Count what is pending.
    #[serde(default, alias = "includeOrders")]
    pub include_order: bool,
    /// The orders asked about.
    #[serde(alias = "scripts")]
    pub scrip_list: Vec<MultiMarginScrip>,
}

/// One order of a [`MultiMarginRequest`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MultiMarginScrip {
    /// Section 8.5.
    pub exchange_segment: String,
    /// `BUY` or `SELL`.
    pub transaction_type: String,
    /// Units.
    #[serde(deserialize_with = "strict_integer")]
    pub quantity: i64,
    /// Product.
    pub product_type: String,
    /// Digits.
    pub security_id: String,
    /// Rupees.
    #[serde(default)]
    pub price: Decimal,
    /// Rupees.
    #[serde(default)]
    pub trigger_price: Decimal,
}

record! {
    /// Answer of `POST /margincalculator/multi`; both documented spellings, numbers or numeric texts (section 4.3).
    MultiMarginAnswer {
        /// Rupees.
        total_margin: Decimal = "total_margin" | "totalMargin",
        /// Rupees.
        span_margin: Decimal = "span_margin" | "spanMargin",
        /// Rupees.
        exposure_margin: Decimal = "exposure_margin" | "exposureMargin",
        /// Rupees.
        equity_margin: Decimal = "equity_margin" | "equityMargin",
        /// Rupees.
        fo_margin: Decimal = "fo_margin" | "foMargin",
        /// Rupees.
        commodity_margin: Decimal = "commodity_margin" | "commodityMargin",
        /// Rupees.
        currency: Decimal = "currency" | "currencyMargin",
        /// Rupees.
        hedge_benefit: Decimal = "hedge_benefit" | "hedgeBenefit",
    }
}

/// Body of `POST /positions/convert` (section 4.6).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConvertPositionRequest {
    /// The account.
    #[serde(default)]
    pub dhan_client_id: String,
    /// From this product.
    pub from_product_type: String,
    /// To this product.
    pub to_product_type: String,
    /// Section 8.5.
    pub exchange_segment: String,
    /// `LONG` or `SHORT`.
    pub position_type: String,
    /// Digits.
    pub security_id: String,
    /// Units.
    #[serde(deserialize_with = "strict_integer")]
    pub convert_qty: i64,
}
