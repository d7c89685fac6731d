//! Orders, trades, positions and holdings as rows of the REST wire (`dhanhq-v2.md` sections 2.6, 2.8, 3, 4.4, 4.5).

use serde::Serialize;
use serde_json::Value;
use tandem_dhan::codes;
use tandem_dhan::wire::{
    Decimal, ForeverOrderRow, HoldingRow, OrderBookRow, PositionRow, SuperLegRow, SuperOrderRow, TradeRow,
};
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::order::Leg;
use tandem_domain::price::{Money, Price};
use tandem_domain::time::Timestamp;

use crate::exchange::{
    Contract, Exchange, ForeverLeg, SimExit, SimForever, SimHolding, SimOrder, SimPosition, SimSuper,
    SimTrade, Source,
};
use crate::settings::{IST_FORMAT, SimVariants};

/// Before the exchange has an order (section 2.6).
const NO_TIME: &str = "0001-01-01 00:00:00";
/// Where a contract has no expiry.
const NO_DATE: &str = "0001-01-01";

/// `YYYY-MM-DD HH:MM:SS`, Indian time.
fn moment(at: Timestamp) -> String {
    at.ist().format(IST_FORMAT).to_string()
}

/// The derivative columns that several rows share: expiry date, `CALL`/`PUT`, strike.
fn derivative(contract: Option<&Contract>) -> (String, Option<String>, Decimal) {
    let expiry = contract.and_then(|contract| contract.expiry);
    let option = contract.and_then(|contract| contract.option);
    (
        expiry.map_or_else(|| NO_DATE.to_owned(), |date| date.to_string()),
        option.map(|option| codes::option_word(option.option_type).to_owned()),
        option.map_or(Decimal::ZERO, |option| option.strike.into()),
    )
}

fn trading_symbol(contract: Option<&Contract>) -> String {
    contract.map_or_else(String::new, |contract| contract.trading_symbol.to_string())
}

/// A row of the order book.
pub(crate) fn order(order: &SimOrder, exchange: &Exchange) -> OrderBookRow {
    let terms = &order.terms;
    let contract = exchange.contract(terms.instrument);
    let (drv_expiry_date, drv_option_type, drv_strike_price) = derivative(contract);
    OrderBookRow {
        dhan_client_id: order.account.to_string(),
        order_id: order.id.to_string(),
        exchange_order_id: order.exchange_id.as_ref().map_or_else(|| "0".to_owned(), ToString::to_string),
        correlation_id: match order.source {
            Source::Api => order.tag.as_deref().unwrap_or("NA").to_owned(),
            Source::App | Source::Broker => "NA".to_owned(),
        },
        order_status: order.status.as_str().to_owned(),
        transaction_type: terms.side.to_string(),
        exchange_segment: terms.instrument.segment.to_string(),
        product_type: terms.product.to_string(),
        order_type: terms.order_type.to_string(),
        validity: terms.time_in_force.to_string(),
        trading_symbol: trading_symbol(contract),
        security_id: terms.instrument.security_id.to_string(),
        quantity: terms.quantity.get().into(),
        disclosed_quantity: terms.disclosed.get().into(),
        price: terms.price.into(),
        trigger_price: terms.trigger.into(),
        after_market_order: terms.after_market,
        bo_profit_value: order.bracket.map_or(Decimal::ZERO, |values| values.profit.into()),
        bo_stop_loss_value: order.bracket.map_or(Decimal::ZERO, |values| values.stop_loss.into()),
        leg_name: leg_name(order.leg()).to_owned(),
        create_time: moment(order.created),
        update_time: moment(order.updated),
        exchange_time: order.exchange_time.map_or_else(|| NO_TIME.to_owned(), moment),
        drv_expiry_date,
        drv_option_type: drv_option_type.unwrap_or_else(|| "NA".to_owned()),
        drv_strike_price,
        oms_error_code: "0".to_owned(),
        oms_error_description: order.reason.to_string(),
        algo_id: "0".to_owned(),
        remaining_quantity: order.remaining().get().into(),
        average_traded_price: order.average_price().into(),
        filled_qty: order.filled.get().into(),
    }
}

/// The name of a leg (section 3.1).
const fn leg_name(leg: Leg) -> &'static str {
    match leg {
        Leg::Single => "NA",
        Leg::Entry => "ENTRY_LEG",
        Leg::StopLoss => "STOP_LOSS_LEG",
        Leg::Target => "TARGET_LEG",
    }
}

/// The list of super orders (section 3.1), as JSON for the sake of a misspelt key.
pub(crate) fn super_orders(list: &[SimSuper], exchange: &Exchange, variants: &SimVariants) -> Vec<Value> {
    let rows: Vec<SuperOrderRow> = list
        .iter()
        .map(|of| SuperOrderRow {
            entry: order(&of.entry, exchange),
            ltp: of.last_price.into(),
            leg_details: of.legs.iter().map(|exit| super_leg(of, exit, variants)).collect(),
        })
        .collect();
    let mut rows = spelled(&rows, variants.documented_nulls);
    if variants.total_quantity_spelled {
        for leg in rows.iter_mut().filter_map(|row| row["legDetails"].as_array_mut()).flatten() {
            if let Value::Object(fields) = leg
                && let Some(total) = fields.remove("totalQuatity")
            {
                fields.insert("totalQuantity".to_owned(), total);
            }
        }
    }
    rows
}

/// One leg. In the documented sample its id is the entry's, and only the stop has the (misspelt) total.
fn super_leg(of: &SimSuper, exit: &SimExit, variants: &SimVariants) -> SuperLegRow {
    let own_id = exit.order_id.as_ref().filter(|_| variants.own_leg_ids);
    let with_total = exit.leg == Leg::StopLoss || variants.total_quantity_spelled;
    SuperLegRow {
        order_id: own_id.unwrap_or(&of.entry.id).to_string(),
        leg_name: leg_name(exit.leg).to_owned(),
        transaction_type: exit.side.to_string(),
        total_quantity: with_total.then(|| exit.total.get().into()),
        remaining_quantity: exit.total.saturating_sub(exit.triggered).get().into(),
        triggered_quantity: exit.triggered.get().into(),
        price: exit.price.into(),
        order_status: exit.status.as_str().to_owned(),
        trailing_jump: exit.trailing.into(),
    }
}

/// The list of forever orders (section 3.2): a row for each leg; `orderType` tells whether one cancels the other.
pub(crate) fn forever_orders(list: &[SimForever], exchange: &Exchange) -> Vec<ForeverOrderRow> {
    let row = |order: &SimForever, leg: &ForeverLeg| {
        let terms = &leg.terms;
        let changed = order.updated > order.created;
        ForeverOrderRow {
            dhan_client_id: order.account.to_string(),
            order_id: order.id.to_string(),
            order_status: leg.status.as_str().to_owned(),
            transaction_type: terms.side.to_string(),
            exchange_segment: terms.instrument.segment.to_string(),
            product_type: terms.product.to_string(),
            order_type: if order.is_oco() { "OCO" } else { "SINGLE" }.to_owned(),
            trading_symbol: trading_symbol(exchange.contract(terms.instrument)),
            security_id: terms.instrument.security_id.to_string(),
            quantity: terms.quantity.get().into(),
            price: terms.price.into(),
            trigger_price: terms.trigger.into(),
            leg_name: leg_name(leg.leg).to_owned(),
            create_time: moment(order.created),
            update_time: changed.then(|| moment(order.updated)),
            ..ForeverOrderRow::default()
        }
    };
    list.iter().flat_map(|order| order.legs.iter().map(move |leg| row(order, leg))).collect()
}

/// A row of the trade book.
pub(crate) fn trade(trade: &SimTrade, exchange: &Exchange) -> TradeRow {
    let contract = exchange.contract(trade.instrument);
    let (drv_expiry_date, drv_option_type, drv_strike_price) = derivative(contract);
    TradeRow {
        dhan_client_id: trade.account.to_string(),
        order_id: trade.order_id.to_string(),
        exchange_order_id: trade
            .exchange_order_id
            .as_ref()
            .map_or_else(|| "0".to_owned(), ToString::to_string),
        exchange_trade_id: trade.id.to_string(),
        transaction_type: trade.side.to_string(),
        exchange_segment: trade.instrument.segment.to_string(),
        product_type: trade.product.to_string(),
        order_type: trade.order_type.to_string(),
        trading_symbol: trading_symbol(contract),
        custom_symbol: contract.map_or_else(String::new, |contract| contract.display_name.to_string()),
        security_id: trade.instrument.security_id.to_string(),
        traded_quantity: trade.quantity.get().into(),
        traded_price: trade.price.into(),
        create_time: moment(trade.at),
        update_time: moment(trade.at),
        exchange_time: moment(trade.at),
        drv_expiry_date,
        drv_option_type: drv_option_type.unwrap_or_else(|| "NA".to_owned()),
        drv_strike_price,
    }
}

/// A row of the positions.
pub(crate) fn position(account: &str, position: &SimPosition, exchange: &Exchange) -> PositionRow {
    let contract = exchange.contract(position.instrument);
    let (drv_expiry_date, drv_option_type, drv_strike_price) = derivative(contract);
    let last = exchange.last_price(position.instrument).unwrap_or(Price::ZERO);
    let (brought, taken) = (position.carried.max(0), (-position.carried).max(0));
    let carried_value = |units: i64| if units > 0 { position.carried_value } else { Money::ZERO };
    let buy_qty = brought + position.day_buy_quantity;
    let sell_qty = taken + position.day_sell_quantity;
    PositionRow {
        dhan_client_id: account.to_owned(),
        trading_symbol: trading_symbol(contract),
        security_id: position.instrument.security_id.to_string(),
        position_type: match position.net() {
            0 => "CLOSED",
            1.. => "LONG",
            _ => "SHORT",
        }
        .to_owned(),
        exchange_segment: position.instrument.segment.to_string(),
        product_type: position.product.to_string(),
        buy_avg: average(position.day_buy_value.plus(carried_value(brought)), buy_qty),
        cost_price: average(position.open_value, position.net().abs()),
        buy_qty,
        sell_avg: average(position.day_sell_value.plus(carried_value(taken)), sell_qty),
        sell_qty,
        net_qty: position.net(),
        realized_profit: position.realised.into(),
        unrealized_profit: position.unrealised(last).into(),
        rbi_reference_rate: Decimal::new(1.0),
        multiplier: Decimal::new(1.0),
        carry_forward_buy_qty: brought,
        carry_forward_sell_qty: taken,
        carry_forward_buy_value: carried_value(brought).into(),
        carry_forward_sell_value: carried_value(taken).into(),
        day_buy_qty: position.day_buy_quantity,
        day_sell_qty: position.day_sell_quantity,
        day_buy_value: position.day_buy_value.into(),
        day_sell_value: position.day_sell_value.into(),
        drv_expiry_date,
        drv_option_type,
        drv_strike_price,
        cross_currency: false,
    }
}

/// A row of the holdings.
pub(crate) fn holding(holding: &SimHolding, exchange: &Exchange) -> HoldingRow {
    let contract = exchange.contract(holding.instrument);
    let units = i64::from(holding.quantity.get());
    HoldingRow {
        exchange: "ALL".to_owned(),
        trading_symbol: trading_symbol(contract),
        security_id: holding.instrument.security_id.to_string(),
        isin: contract.map_or_else(String::new, |contract| contract.isin.to_string()),
        total_qty: units,
        dp_qty: units,
        available_qty: units,
        avg_cost_price: holding.average_cost.into(),
        last_traded_price: last_price(holding.instrument, exchange),
        ..HoldingRow::default()
    }
}

fn last_price(instrument: InstrumentKey, exchange: &Exchange) -> Decimal {
    exchange.last_price(instrument).unwrap_or(Price::ZERO).into()
}

/// An average to the paisa, as the broker rounds it; zero without units.
fn average(value: Money, units: i64) -> Decimal {
    const UNITS_PER_PAISA: i64 = 100;
    let exact = value.units().checked_div(units).unwrap_or(0);
    Money::from_units((exact + UNITS_PER_PAISA / 2) / UNITS_PER_PAISA * UNITS_PER_PAISA).into()
}

/// Rows as JSON; with `documented`, the live sentinels become the documentation's nulls (section 13, "Sentinels").
pub(super) fn spelled<T: Serialize>(rows: &[T], documented: bool) -> Vec<Value> {
    rows.iter()
        .map(|row| {
            let mut value = serde_json::to_value(row).unwrap_or_default();
            if documented && let Value::Object(fields) = &mut value {
                fields.iter_mut().for_each(|(key, value)| without_sentinel(key, value));
            }
            value
        })
        .collect()
}

fn without_sentinel(key: &str, value: &mut Value) {
    const HEALTHY: [&str; 2] = ["CONFIRMED", "TRADE CONFIRMED"];
    let Some(text) = value.as_str() else { return };
    let sentinel = match key {
        "exchangeTime" => text == NO_TIME,
        "drvExpiryDate" => text == NO_DATE,
        "drvOptionType" => text == "NA",
        "omsErrorCode" | "algoId" => text == "0",
        "omsErrorDescription" => HEALTHY.contains(&text),
        _ => false,
    };
    if sentinel {
        *value = Value::Null;
    } else if key == "legName" && text == "NA" {
        *value = Value::from("");
    }
}
