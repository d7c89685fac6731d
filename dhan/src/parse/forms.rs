//! Super and forever orders, and the exits of bracket orders.

use tandem_domain::ids::Tag;
use tandem_domain::order::{
    BrokerStatus, EvidenceSource, ExitLegs, ForeverReport, Leg, LegReport, OrderForm, OrderReport,
    OrderTerms, OrderType, Product, Side, SuperReport, TimeInForce,
};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;
use tandem_domain::time::Timestamp;

use super::fields::{account, first_moment, moment, price, quantity, word};
use super::order::{order_id, other_order, read_row, row_instrument, row_leg};
use crate::codes;
use crate::wire::{ForeverOrderRow, OrderBookRow, SuperLegRow, SuperOrderRow, WireError};

/// A row of the list of super orders (`dhanhq-v2.md` section 3.1). The entry's form tells the exits that are not
/// cancelled: also those the broker cancelled itself, because the other one was filled.
pub fn super_row(row: &SuperOrderRow) -> Result<SuperReport, WireError> {
    read_super(row).map_err(|error| error.about(&row.entry.order_id))
}

/// A row of the list of forever orders (section 3.2).
pub fn forever_row(row: &ForeverOrderRow) -> Result<ForeverReport, WireError> {
    read_forever(row).map_err(|error| error.about(&row.order_id))
}

fn read_super(row: &SuperOrderRow) -> Result<SuperReport, WireError> {
    let mut entry = read_row(&row.entry)?;
    let legs: Vec<LegReport> = row
        .leg_details
        .iter()
        .filter_map(|leg| read_leg(leg, &row.entry).transpose())
        .collect::<Result<_, _>>()?;
    entry.leg = Leg::Entry;
    entry.terms.form = OrderForm::Super(living_exits(&legs));
    Ok(SuperReport { entry, legs })
}

/// None for an entry that is listed among its own exits.
fn read_leg(leg: &SuperLegRow, entry: &OrderBookRow) -> Result<Option<LegReport>, WireError> {
    let kind = match row_leg(&leg.leg_name) {
        Leg::Entry => return Ok(None),
        Leg::Single => return Err(WireError::new("legName", leg.leg_name.as_str())),
        kind => kind,
    };
    Ok(Some(LegReport {
        leg: kind,
        broker_order_id: other_order(&leg.order_id, &entry.order_id),
        status: BrokerStatus::from_wire(&leg.order_status),
        price: price("legDetails.price", leg.price)?,
        trailing: price("trailingJump", leg.trailing_jump)?,
        triggered: quantity("triggeredQuantity", leg.triggered_quantity)?,
    }))
}

fn living_exits(legs: &[LegReport]) -> ExitLegs {
    let living = |kind| {
        legs.iter()
            .find(|leg| leg.leg == kind && leg.status != BrokerStatus::Cancelled && !leg.price.is_zero())
    };
    let stop = living(Leg::StopLoss);
    ExitLegs {
        target: living(Leg::Target).map(|leg| leg.price),
        stop: stop.map(|leg| leg.price),
        trailing: stop.map_or(Price::ZERO, |leg| leg.trailing),
    }
}

fn read_forever(row: &ForeverOrderRow) -> Result<ForeverReport, WireError> {
    let is_oco = word("orderType", &row.order_type, oco_flag)?;
    let leg = match row_leg(&row.leg_name) {
        _ if !is_oco => Leg::Single,
        Leg::StopLoss => Leg::StopLoss,
        // The documented sample calls it the entry.
        Leg::Target | Leg::Entry | Leg::Single => Leg::Target,
    };
    let limit = price("price", row.price)?;
    let (update_time, exchange_time) =
        (row.update_time.as_deref().unwrap_or_default(), row.exchange_time.as_deref().unwrap_or_default());
    let order = OrderReport {
        account: account("dhanClientId", &row.dhan_client_id)?,
        broker_order_id: order_id("orderId", &row.order_id)?,
        exchange_order_id: None,
        tag: Tag::from_wire(&row.correlation_id),
        terms: OrderTerms {
            instrument: row_instrument(&row.exchange_segment, &row.security_id)?,
            side: word("transactionType", &row.transaction_type, codes::side)?,
            product: word("productType", &row.product_type, codes::product)?,
            order_type: if limit.is_zero() { OrderType::Market } else { OrderType::Limit },
            time_in_force: validity(&row.validity)?,
            quantity: quantity("quantity", row.quantity)?,
            disclosed: Quantity::ZERO,
            price: limit,
            trigger: price("triggerPrice", row.trigger_price)?,
            after_market: false,
            form: OrderForm::Forever(None),
        },
        status: BrokerStatus::from_wire(&row.order_status),
        cumulative: Quantity::ZERO,
        average_price: Price::ZERO,
        reason: None,
        leg,
        parent: None,
        last_price: None,
        ts_event: first_moment(&[
            ("updateTime", update_time),
            ("createTime", &row.create_time),
            ("exchangeTime", exchange_time),
        ])?
        .unwrap_or(Timestamp::EPOCH),
        ts_exchange: moment("exchangeTime", exchange_time)?,
        ts_created: moment("createTime", &row.create_time)?,
        source: EvidenceSource::Book,
    };
    Ok(ForeverReport { order, is_oco })
}

/// The list carries the flag where other rows carry the order type.
fn oco_flag(text: &str) -> Option<bool> {
    match text.to_ascii_uppercase().as_str() {
        "SINGLE" => Some(false),
        "OCO" => Some(true),
        _ => None,
    }
}

/// The documented list has none.
fn validity(text: &str) -> Result<TimeInForce, WireError> {
    if text.trim().is_empty() {
        return Ok(TimeInForce::Day);
    }
    word("validity", text, codes::time_in_force)
}

/// A bracket order's row tells its exits as changes from the entry's price (section 2.2). Ordinary for all else, and
/// where the row does not tell both: then the exits are known from their own rows only.
pub(super) fn bracket_form(row: &OrderBookRow, product: Product, side: Side, entry: Price) -> OrderForm {
    let is_entry = matches!(row_leg(&row.leg_name), Leg::Entry | Leg::Single);
    if product != Product::Bracket || !is_entry {
        return OrderForm::Ordinary;
    }
    let known = |price: Option<Price>| price.filter(|price| !price.is_zero());
    let exits = known(Some(entry))
        .zip(known(row.bo_profit_value.price()).zip(known(row.bo_stop_loss_value.price())))
        .and_then(|(entry, (profit, stop))| {
            let (up, down) = if side == Side::Buy { (profit, stop) } else { (stop, profit) };
            let above = Price::from_units(entry.units() + up.units())?;
            let below = known(Price::from_units(entry.units() - down.units()))?;
            let (target, stop) = if side == Side::Buy { (above, below) } else { (below, above) };
            Some(ExitLegs { target: Some(target), stop: Some(stop), trailing: Price::ZERO })
        });
    exits.map_or(OrderForm::Ordinary, OrderForm::Super)
}
