//! An event of the exchange as the frame the stream sends (`dhanhq-v2.md` sections 5.5 and 5.6).

use tandem_dhan::codes;
use tandem_dhan::wire::{Decimal, OrderUpdate};
use tandem_domain::order::{BrokerStatus, Leg};
use tandem_domain::time::Timestamp;

use super::delivery::Frame;
use crate::exchange::{Contract, Family, Source, StreamEvent};
use crate::settings::{Casing, IST_FORMAT, SimVariants};

/// Live frames cut `symbol` after so many characters.
const SYMBOL_CHARS: usize = 15;

/// The frame of an event.
pub(crate) fn frame(event: &StreamEvent, contract: Option<&Contract>, variants: &SimVariants) -> Frame {
    let update = order_update(event, contract, variants);
    Frame {
        text: update.to_frame(variants.casing.frame_style()),
        order: event.order.id.as_str().to_owned(),
        status: update.status,
    }
}

fn order_update(event: &StreamEvent, contract: Option<&Contract>, variants: &SimVariants) -> OrderUpdate {
    let order = &event.order;
    let terms = &order.terms;
    let (exchange, segment) = codes::segment_letters(terms.instrument.segment);
    let family = order.part.as_ref().map(|part| part.family);
    let parent = order.parent().filter(|_| variants.parent_in_frames);
    let entered = if order.modifications > 0 { order.updated } else { order.created };
    let update = OrderUpdate {
        exchange: exchange.to_owned(),
        segment: segment.to_owned(),
        source: order.source.letter().to_owned(),
        security_id: terms.instrument.security_id.to_string(),
        client_id: event.account.to_string(),
        exch_order_no: order.exchange_id.as_ref().map_or_else(|| "0".to_owned(), ToString::to_string),
        order_no: order.id.to_string(),
        product: codes::product_letter(terms.product).to_owned(),
        txn_type: codes::side_letter(terms.side).to_owned(),
        order_type: codes::order_type_code(terms.order_type).to_owned(),
        validity: terms.time_in_force.as_str().to_owned(),
        disc_quantity: terms.disclosed.get().into(),
        disc_qty_rem: terms.disclosed.get().min(order.remaining().get()).into(),
        remaining_quantity: order.remaining().get().into(),
        quantity: terms.quantity.get().into(),
        traded_qty: order.filled.get().into(),
        price: terms.price.into(),
        trigger_price: terms.trigger.into(),
        traded_price: order.last_fill.into(),
        avg_traded_price: order.average_price().into(),
        strategy_id: "NA".to_owned(),
        off_mkt_flag: if terms.after_market { "1" } else { "0" }.to_owned(),
        order_date_time: moment(entered),
        exch_order_time: order.exchange_time.map_or_else(|| "0001-01-01 00:00:00".to_owned(), moment),
        last_updated_time: moment(order.updated),
        remarks: if family == Some(Family::Super) { "Super Order" } else { " " }.to_owned(),
        mkt_type: "NL".to_owned(),
        reason_description: order.reason.to_string(),
        leg_no: leg_number(order.leg()),
        algo_ord_no: parent.map_or_else(String::new, ToString::to_string),
        product_name: terms.product.as_str().to_owned(),
        status: status_word(&event.status, variants),
        good_till_days_date: event.at.trading_day().to_string(),
        ref_ltp: event.last_price.into(),
        algo_id: "0".to_owned(),
        multiplier: 1,
        correlation_id: match order.source {
            Source::Api => order.tag.as_deref().unwrap_or("NA").to_owned(),
            Source::App | Source::Broker => "NA".to_owned(),
        },
        ..OrderUpdate::default()
    };
    match contract {
        Some(contract) => with_contract(update, contract, variants),
        None => update, // rejected for an instrument that does not exist
    }
}

/// `legNo`: 1 the entry or an order that stands alone, 2 the stop, 3 the target.
const fn leg_number(leg: Leg) -> i64 {
    match leg {
        Leg::Single | Leg::Entry => 1,
        Leg::StopLoss => 2,
        Leg::Target => 3,
    }
}

fn with_contract(update: OrderUpdate, contract: &Contract, variants: &SimVariants) -> OrderUpdate {
    let whole = variants.full_symbol || !contract.is_derivative();
    let symbol_chars = if whole { usize::MAX } else { SYMBOL_CHARS };
    OrderUpdate {
        instrument: contract.kind.as_str().to_owned(),
        symbol: contract.trading_symbol.chars().take(symbol_chars).collect(),
        lot_size: contract.lot_size.get().into(),
        strike_price: contract.option.map_or(Decimal::ZERO, |option| option.strike.into()),
        expiry_date: contract
            .expiry
            .map_or_else(|| "0001-01-01 00:00:00".to_owned(), |date| date.to_string()),
        opt_type: contract.option.map_or("XX", |option| option.option_type.as_str()).to_owned(),
        display_name: contract.display_name.to_string(),
        isin: contract.isin.to_string(),
        series: if contract.is_derivative() { "XX" } else { "EQ" }.to_owned(),
        tick_size: contract.tick.into(),
        ..update
    }
}

/// `YYYY-MM-DD HH:MM:SS`, Indian time.
fn moment(at: Timestamp) -> String {
    at.ist().format(IST_FORMAT).to_string()
}

/// The stream's word for a status: Title-case live, upper-case documented; the partial fill's spelling is a setting.
fn status_word(status: &BrokerStatus, variants: &SimVariants) -> String {
    let word = status.as_str();
    match (status, variants.casing) {
        (BrokerStatus::PartTraded, _) => variants.part_fill_status.clone(),
        (_, Casing::Documented) => word.to_owned(),
        _ => word.chars().take(1).chain(word.chars().skip(1).map(|c| c.to_ascii_lowercase())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_spelled_as_on_the_wire() {
        let live = SimVariants::default();
        let documented = SimVariants { casing: Casing::Documented, ..SimVariants::default() };
        assert_eq!(status_word(&BrokerStatus::Traded, &live), "Traded");
        assert_eq!(status_word(&BrokerStatus::PartTraded, &live), "Part Traded");
        assert_eq!(status_word(&BrokerStatus::Traded, &documented), "TRADED");
    }
}
