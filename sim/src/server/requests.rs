//! Bodies of requests into typed ones: words become enums, rupees become integers. What cannot be read is DH-905.

use serde::de::DeserializeOwned;
use serde_json::Value;
use tandem_dhan::wire::{
    ConvertPositionRequest, CreateForeverOrderRequest, Decimal, ModifyForeverOrderRequest,
    ModifyOrderRequest, ModifySuperOrderRequest, PlaceOrderRequest, PlaceSuperOrderRequest,
};
use tandem_domain::instrument::{ExchangeSegment, InstrumentKey, SecurityId};
use tandem_domain::order::{
    ExitLegs, Leg, OcoLeg, OrderForm, OrderTerms, OrderType, Product, Side, TimeInForce,
};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;

use crate::exchange::{
    AmoRelease, ApiError, Conversion, ForeverChange, ModifyRequest, PlaceRequest, SuperChange,
};

/// Numeric fields of order bodies: an empty text in one of them is refused (`dhanhq-v2.md` section 2.2).
const NUMBERS: [&str; 12] = [
    "quantity",
    "disclosedQuantity",
    "price",
    "triggerPrice",
    "boProfitValue",
    "boStopLossValue",
    "targetPrice",
    "stopLossPrice",
    "trailingJump",
    "quantity1",
    "price1",
    "triggerPrice1",
];

/// The refusal without a reason, as the broker gives it.
pub(crate) fn bad_fields() -> ApiError {
    ApiError::input(ApiError::GENERIC_INPUT)
}

/// Reads a JSON body.
pub(crate) fn body<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|_| bad_fields())
}

/// Reads the body of an order; with `accept_empty`, empty texts for numbers count as left out.
pub(crate) fn order_body<T: DeserializeOwned>(body: &[u8], accept_empty: bool) -> Result<T, ApiError> {
    let mut fields: Value = serde_json::from_slice(body).map_err(|_| bad_fields())?;
    if accept_empty && let Value::Object(fields) = &mut fields {
        fields.retain(|key, value| !(NUMBERS.contains(&key.as_str()) && value.as_str() == Some("")));
    }
    serde_json::from_value(fields).map_err(|_| bad_fields())
}

/// Reads a code of a closed list.
pub(crate) fn word<T: std::str::FromStr>(text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| bad_fields())
}

/// Reads a security id: digits only (section 2.2).
pub(crate) fn instrument(segment: &str, security_id: &str) -> Result<InstrumentKey, ApiError> {
    let digits = !security_id.is_empty() && security_id.bytes().all(|b| b.is_ascii_digit());
    let number = security_id.parse().ok().filter(|_| digits);
    let security_id = SecurityId(number.ok_or_else(|| ApiError::input("Invalid SecurityId"))?);
    Ok(InstrumentKey { segment: word::<ExchangeSegment>(segment)?, security_id })
}

/// Reads a number of units.
pub(crate) fn units(number: i64) -> Result<Quantity, ApiError> {
    u32::try_from(number).map(Quantity::new).map_err(|_| bad_fields())
}

/// Reads a price; left out and zero are no price.
pub(crate) fn price(rupees: Option<Decimal>) -> Result<Price, ApiError> {
    rupees.unwrap_or_default().price().ok_or_else(bad_fields)
}

/// Reads an order to be placed.
pub(crate) fn place(wire: &PlaceOrderRequest) -> Result<PlaceRequest, ApiError> {
    let after_market = wire.after_market_order.unwrap_or(false);
    let terms = OrderTerms {
        instrument: instrument(&wire.exchange_segment, &wire.security_id)?,
        side: word::<Side>(&wire.transaction_type)?,
        product: word::<Product>(&wire.product_type)?,
        order_type: word::<OrderType>(&wire.order_type)?,
        time_in_force: word::<TimeInForce>(&wire.validity)?,
        quantity: units(wire.quantity)?,
        disclosed: units(wire.disclosed_quantity.unwrap_or(0))?,
        price: price(Some(wire.price))?,
        trigger: price(wire.trigger_price)?,
        after_market,
        form: OrderForm::Ordinary,
    };
    let amo_release = if after_market { release(wire.amo_time.as_deref())? } else { AmoRelease::default() };
    Ok(PlaceRequest { tag: wire.correlation_id.clone(), terms, amo_release })
}

fn release(amo_time: Option<&str>) -> Result<AmoRelease, ApiError> {
    match amo_time {
        None | Some("PRE_OPEN" | "OPEN") => Ok(AmoRelease::Open),
        Some("OPEN_30") => Ok(AmoRelease::Open30),
        Some("OPEN_60") => Ok(AmoRelease::Open60),
        Some(_) => Err(bad_fields()),
    }
}

/// Reads a position's way to another product; cover and bracket positions have none (section 4.6).
pub(crate) fn conversion(wire: &ConvertPositionRequest) -> Result<Conversion, ApiError> {
    let side = match wire.position_type.as_str() {
        "LONG" => Side::Buy,
        "SHORT" => Side::Sell,
        _ => return Err(bad_fields()),
    };
    Ok(Conversion {
        instrument: instrument(&wire.exchange_segment, &wire.security_id)?,
        from: word::<Product>(&wire.from_product_type)?,
        to: word::<Product>(&wire.to_product_type)?,
        side,
        quantity: units(wire.convert_qty)?,
    })
}

/// Reads a change of an order. `legName` may be left out or name the entry; empty it is refused (section 2.4).
pub(crate) fn modify(wire: &ModifyOrderRequest) -> Result<ModifyRequest, ApiError> {
    if !matches!(wire.leg_name.as_deref(), None | Some("ENTRY_LEG" | "NA")) {
        return Err(bad_fields());
    }
    Ok(ModifyRequest {
        order_type: Some(word::<OrderType>(&wire.order_type)?),
        time_in_force: Some(word::<TimeInForce>(&wire.validity)?),
        quantity: wire.quantity.map(units).transpose()?,
        price: wire.price.map(|rupees| price(Some(rupees))).transpose()?,
        trigger: wire.trigger_price.map(|rupees| price(Some(rupees))).transpose()?,
        disclosed: wire.disclosed_quantity.map(units).transpose()?,
    })
}

/// Reads the name of a leg (section 3.1).
pub(crate) fn leg(name: &str) -> Result<Leg, ApiError> {
    match name {
        "ENTRY_LEG" => Ok(Leg::Entry),
        "TARGET_LEG" => Ok(Leg::Target),
        "STOP_LOSS_LEG" => Ok(Leg::StopLoss),
        _ => Err(bad_fields()),
    }
}

/// A price of which zero means that there is none.
fn some_price(rupees: Option<Decimal>) -> Result<Option<Price>, ApiError> {
    Ok(Some(price(rupees)?).filter(|price| !price.is_zero()))
}

/// Reads a super order to be placed.
pub(crate) fn place_super(wire: &PlaceSuperOrderRequest) -> Result<PlaceRequest, ApiError> {
    let legs = ExitLegs {
        target: some_price(Some(wire.target_price))?,
        stop: some_price(Some(wire.stop_loss_price))?,
        trailing: price(Some(wire.trailing_jump))?,
    };
    let terms = OrderTerms {
        instrument: instrument(&wire.exchange_segment, &wire.security_id)?,
        side: word::<Side>(&wire.transaction_type)?,
        product: word::<Product>(&wire.product_type)?,
        order_type: word::<OrderType>(&wire.order_type)?,
        time_in_force: TimeInForce::Day,
        quantity: units(wire.quantity)?,
        disclosed: Quantity::ZERO,
        price: price(Some(wire.price))?,
        trigger: Price::ZERO,
        after_market: false,
        form: OrderForm::Super(legs),
    };
    Ok(PlaceRequest { tag: wire.correlation_id.clone(), ..PlaceRequest::new(terms) })
}

/// Reads a change of a super order: one leg. Zero prices and quantities count as left out, as the official SDK sends
/// them for what does not change.
pub(crate) fn modify_super(wire: &ModifySuperOrderRequest) -> Result<SuperChange, ApiError> {
    let trailing = price(wire.trailing_jump)?;
    let (target, stop) = (some_price(wire.target_price)?, some_price(wire.stop_loss_price)?);
    Ok(match leg(&wire.leg_name)? {
        Leg::Target => SuperChange::Target { price: target.ok_or_else(bad_fields)? },
        Leg::StopLoss => SuperChange::Stop { price: stop, trailing },
        Leg::Single | Leg::Entry => {
            let order = ModifyRequest {
                order_type: wire.order_type.as_deref().map(word::<OrderType>).transpose()?,
                quantity: wire.quantity.filter(|quantity| *quantity != 0).map(units).transpose()?,
                price: some_price(wire.price)?,
                ..ModifyRequest::default()
            };
            SuperChange::Entry { order, target, stop, trailing }
        }
    })
}

/// Reads a forever order to be created.
pub(crate) fn place_forever(wire: &CreateForeverOrderRequest) -> Result<PlaceRequest, ApiError> {
    let second = match wire.order_flag.as_str() {
        "SINGLE" => None,
        "OCO" => Some(OcoLeg {
            price: price(wire.price1)?,
            trigger: price(wire.trigger_price1)?,
            quantity: units(wire.quantity1.unwrap_or(0))?,
        }),
        _ => return Err(bad_fields()),
    };
    let terms = OrderTerms {
        instrument: instrument(&wire.exchange_segment, &wire.security_id)?,
        side: word::<Side>(&wire.transaction_type)?,
        product: word::<Product>(&wire.product_type)?,
        order_type: word::<OrderType>(&wire.order_type)?,
        time_in_force: word::<TimeInForce>(&wire.validity)?,
        quantity: units(wire.quantity)?,
        disclosed: units(wire.disclosed_quantity.unwrap_or(0))?,
        price: price(Some(wire.price))?,
        trigger: price(Some(wire.trigger_price))?,
        after_market: false,
        form: OrderForm::Forever(second),
    };
    Ok(PlaceRequest { tag: wire.correlation_id.clone(), ..PlaceRequest::new(terms) })
}

/// Reads a change of one leg of a forever order.
pub(crate) fn modify_forever(wire: &ModifyForeverOrderRequest) -> Result<ForeverChange, ApiError> {
    Ok(ForeverChange {
        leg: leg(&wire.leg_name)?,
        order_type: Some(word::<OrderType>(&wire.order_type)?),
        time_in_force: Some(word::<TimeInForce>(&wire.validity)?),
        quantity: Some(units(wire.quantity)?),
        price: Some(price(Some(wire.price))?),
        trigger: Some(price(Some(wire.trigger_price))?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"dhanClientId":"1000000202","correlationId":"x","transactionType":"BUY",
        "exchangeSegment":"NSE_FNO","productType":"MARGIN","orderType":"LIMIT","validity":"DAY","securityId":"43125",
        "quantity":65,"disclosedQuantity":0,"price":182.35,"triggerPrice":0,"afterMarketOrder":false,
        "boProfitValue":null,"boStopLossValue":null}"#;

    fn check(change: (&str, &str), expect: Result<(), &str>) {
        let body = BODY.replace(change.0, change.1);
        let read = order_body(body.as_bytes(), false).and_then(|wire| place(&wire));
        assert_eq!(
            read.map(drop).map_err(|error| error.message),
            expect.map_err(str::to_owned),
            "{change:?}"
        );
    }

    #[test]
    fn bodies_are_read_as_the_broker_reads_them() {
        let generic = Err(ApiError::GENERIC_INPUT);
        check(("x", "x"), Ok(()));
        check((r#""disclosedQuantity":0,"#, ""), Ok(()));
        check((r#""afterMarketOrder":false,"#, r#""tradingSymbol":"NIFTY","#), Ok(()));
        check((r#""triggerPrice":0"#, r#""triggerPrice":"""#), generic);
        check((r#""quantity":65"#, r#""quantity":-65"#), generic);
        check((r#""quantity":65,"#, ""), generic);
        check(("BUY", "HOLD"), generic);
        check(("182.35", "182.356789"), generic);
        check((r#""43125""#, r#""43125.0""#), Err("Invalid SecurityId"));
        check((r#""correlationId":"x""#, r#""correlationId":["x"]"#), generic);
    }

    #[test]
    fn empty_numbers_can_be_accepted() {
        let body = BODY.replace(r#""triggerPrice":0"#, r#""triggerPrice":"""#);
        let wire: PlaceOrderRequest = order_body(body.as_bytes(), true).unwrap();
        assert_eq!(wire.trigger_price, None);
    }

    #[test]
    fn an_empty_leg_is_refused() {
        let wire = |leg: Option<&str>| ModifyOrderRequest {
            order_type: "LIMIT".to_owned(),
            validity: "DAY".to_owned(),
            leg_name: leg.map(str::to_owned),
            ..ModifyOrderRequest::default()
        };
        assert!(modify(&wire(None)).is_ok());
        assert!(modify(&wire(Some("ENTRY_LEG"))).is_ok());
        assert!(modify(&wire(Some(""))).is_err());
    }
}
