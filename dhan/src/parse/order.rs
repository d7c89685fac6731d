//! Orders and fills.

use std::sync::Arc;

use tandem_domain::ids::{BrokerOrderId, ExchangeOrderId, Tag, TradeId};
use tandem_domain::instrument::{ExchangeSegment, InstrumentKey};
use tandem_domain::order::{
    BrokerStatus, EvidenceSource, Leg, OrderForm, OrderReport, OrderTerms, Product, TradeReport,
};
use tandem_domain::time::Timestamp;

use super::fields::{account, average, filled, first_moment, instrument, moment, price, quantity, word};
use super::forms::bracket_form;
use crate::codes;
use crate::wire::{OrderBookRow, OrderUpdate, TradeRow, WireError};

/// A frame's order (`dhanhq-v2.md` section 5.5).
pub fn order_update(update: &OrderUpdate) -> Result<OrderReport, WireError> {
    read_update(update).map_err(|error| error.about(&update.order_no))
}

/// A row of the order book or of a lookup (section 2.6).
pub fn order_row(row: &OrderBookRow) -> Result<OrderReport, WireError> {
    read_row(row).map_err(|error| error.about(&row.order_id))
}

/// A row of the trade book (section 2.8).
pub fn trade_row(row: &TradeRow) -> Result<TradeReport, WireError> {
    read_trade(row).map_err(|error| error.about(&row.order_id))
}

/// The status of an answer to place, modify or cancel; none when the answer said none.
pub fn placed_status(text: &str) -> Option<BrokerStatus> {
    (!text.trim().is_empty()).then(|| BrokerStatus::from_wire(text))
}

fn read_update(update: &OrderUpdate) -> Result<OrderReport, WireError> {
    let product = word("product", &update.product, codes::product)
        .or_else(|error| word("productName", &update.product_name, codes::product).map_err(|_| error))?;
    let status = BrokerStatus::from_wire(&update.status);
    let cumulative = quantity("tradedQty", update.traded_qty)?;
    let mut average_price = average("avgTradedPrice", update.avg_traded_price)?;
    if average_price.is_zero() && !cumulative.is_zero() {
        average_price = average("tradedPrice", update.traded_price)?;
    }
    let exchange = (update.exchange.trim().to_ascii_uppercase(), update.segment.trim().to_ascii_uppercase());
    Ok(OrderReport {
        account: account("clientId", &update.client_id)?,
        broker_order_id: order_id("orderNo", &update.order_no)?,
        exchange_order_id: exchange_order_id(&update.exch_order_no),
        tag: Tag::from_wire(&update.correlation_id),
        terms: OrderTerms {
            instrument: instrument(
                codes::segment(&exchange.0, &exchange.1),
                &format!("{}/{}", update.exchange, update.segment),
                &update.security_id,
            )?,
            side: word("txnType", &update.txn_type, codes::side)?,
            product,
            order_type: word("orderType", &update.order_type, codes::order_type)?,
            time_in_force: word("validity", &update.validity, codes::time_in_force)?,
            quantity: quantity("quantity", update.quantity)?,
            disclosed: quantity("discQuantity", update.disc_quantity)?,
            price: price("price", update.price)?,
            trigger: price("triggerPrice", update.trigger_price)?,
            after_market: update.off_mkt_flag.trim() == "1",
            // Of a super order's legs a frame tells nothing but its own (section 3.1).
            form: OrderForm::Ordinary,
        },
        reason: reason(&status, &update.reason_description),
        status,
        cumulative,
        average_price,
        leg: stream_leg(update.leg_no, &update.remarks, product),
        ts_event: first_moment(&[
            ("lastUpdatedTime", &update.last_updated_time),
            ("exchOrderTime", &update.exch_order_time),
            ("orderDateTime", &update.order_date_time),
        ])?
        .unwrap_or(Timestamp::EPOCH),
        ts_exchange: moment("exchOrderTime", &update.exch_order_time)?,
        ts_created: moment("orderDateTime", &update.order_date_time)?,
        parent: other_order(&update.algo_ord_no, &update.order_no),
        // A help only: one that cannot be read costs no frame.
        last_price: update.ref_ltp.rounded_price().filter(|price| !price.is_zero()),
        source: EvidenceSource::Stream,
    })
}

pub(super) fn read_row(row: &OrderBookRow) -> Result<OrderReport, WireError> {
    let status = BrokerStatus::from_wire(&row.order_status);
    let side = word("transactionType", &row.transaction_type, codes::side)?;
    let product = word("productType", &row.product_type, codes::product)?;
    let limit = price("price", row.price)?;
    Ok(OrderReport {
        account: account("dhanClientId", &row.dhan_client_id)?,
        broker_order_id: order_id("orderId", &row.order_id)?,
        exchange_order_id: exchange_order_id(&row.exchange_order_id),
        tag: Tag::from_wire(&row.correlation_id),
        terms: OrderTerms {
            instrument: row_instrument(&row.exchange_segment, &row.security_id)?,
            side,
            product,
            order_type: word("orderType", &row.order_type, codes::order_type)?,
            time_in_force: word("validity", &row.validity, codes::time_in_force)?,
            quantity: quantity("quantity", row.quantity)?,
            disclosed: quantity("disclosedQuantity", row.disclosed_quantity)?,
            price: limit,
            trigger: price("triggerPrice", row.trigger_price)?,
            after_market: row.after_market_order,
            form: bracket_form(row, product, side, limit),
        },
        reason: reason(&status, &row.oms_error_description),
        status,
        cumulative: quantity("filledQty", row.filled_qty)?,
        average_price: average("averageTradedPrice", row.average_traded_price)?,
        leg: row_leg(&row.leg_name),
        ts_event: first_moment(&[
            ("updateTime", &row.update_time),
            ("createTime", &row.create_time),
            ("exchangeTime", &row.exchange_time),
        ])?
        .unwrap_or(Timestamp::EPOCH),
        ts_exchange: moment("exchangeTime", &row.exchange_time)?,
        ts_created: moment("createTime", &row.create_time)?,
        parent: None,
        last_price: None,
        source: EvidenceSource::Book,
    })
}

fn read_trade(row: &TradeRow) -> Result<TradeReport, WireError> {
    Ok(TradeReport {
        account: account("dhanClientId", &row.dhan_client_id)?,
        broker_order_id: order_id("orderId", &row.order_id)?,
        trade_id: TradeId::new(&row.exchange_trade_id)
            .map_err(|_| WireError::new("exchangeTradeId", &row.exchange_trade_id))?,
        instrument: row_instrument(&row.exchange_segment, &row.security_id)?,
        side: word("transactionType", &row.transaction_type, codes::side)?,
        product: word("productType", &row.product_type, codes::product)?,
        quantity: filled("tradedQuantity", row.traded_quantity)?,
        price: price("tradedPrice", row.traded_price)?,
        ts_event: first_moment(&[
            ("exchangeTime", &row.exchange_time),
            ("updateTime", &row.update_time),
            ("createTime", &row.create_time),
        ])?
        .unwrap_or(Timestamp::EPOCH),
    })
}

pub(super) fn row_instrument(segment: &str, security_id: &str) -> Result<InstrumentKey, WireError> {
    instrument(segment.trim().parse::<ExchangeSegment>().ok(), segment, security_id)
}

pub(super) fn order_id(field: &'static str, text: &str) -> Result<BrokerOrderId, WireError> {
    BrokerOrderId::new(text).map_err(|_| WireError::new(field, text))
}

/// None while there is none: empty, `"0"` or `"NA"`.
fn exchange_order_id(text: &str) -> Option<ExchangeOrderId> {
    let text = text.trim();
    if matches!(text, "0" | "NA") {
        return None;
    }
    ExchangeOrderId::new(text).ok()
}

/// Another order that this one names (`algoOrdNo`, a leg's `orderId`): none when it names nothing, or itself. Documented
/// as a float, never captured (section 5.5).
pub(super) fn other_order(named: &str, own: &str) -> Option<BrokerOrderId> {
    let named = named.trim();
    let named = named
        .split_once('.')
        .filter(|(_, zeros)| zeros.bytes().all(|b| b == b'0'))
        .map_or(named, |(id, _)| id);
    if matches!(named, "0" | "NA") || named == own.trim() {
        return None;
    }
    BrokerOrderId::new(named).ok()
}

/// The broker's text, where it is a reason: healthy orders carry `CONFIRMED` in the same field.
fn reason(status: &BrokerStatus, text: &str) -> Option<Arc<str>> {
    let ended = matches!(status, BrokerStatus::Rejected | BrokerStatus::Cancelled | BrokerStatus::Expired);
    let text = text.trim();
    (ended && !text.is_empty()).then(|| text.into())
}

/// Every ordinary order carries leg number 1 too, so 1 is an entry only where there are legs.
fn stream_leg(number: i64, remarks: &str, product: Product) -> Leg {
    let has_legs = remarks.trim().eq_ignore_ascii_case("Super Order")
        || matches!(product, Product::Cover | Product::Bracket);
    match number {
        2 => Leg::StopLoss,
        3 => Leg::Target,
        1 if has_legs => Leg::Entry,
        _ => Leg::Single,
    }
}

pub(super) fn row_leg(name: &str) -> Leg {
    match name.trim().to_ascii_uppercase().as_str() {
        "ENTRY_LEG" => Leg::Entry,
        "STOP_LOSS_LEG" => Leg::StopLoss,
        "TARGET_LEG" => Leg::Target,
        _ => Leg::Single,
    }
}
