//! The order-update stream: login, envelope, frame (`dhanhq-v2.md` section 5).

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::fault::{FAULTS_MAX, WireError};
use super::record::{Key, Tolerant, record};
use super::scalar::{Decimal, FromScalar, Scalar};

/// The only `Type` that carries an order.
const ORDER_ALERT: &str = "order_alert";

/// The first message of a connection, a text (section 5.1). Carries the token: no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub struct LoginRequest {
    /// Who.
    #[serde(rename = "LoginReq")]
    pub login: LoginBody,
    /// `SELF`.
    #[serde(rename = "UserType")]
    pub user_type: String,
}

/// Inside of a [`LoginRequest`]. Carries the token: no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LoginBody {
    /// 42; older pages had a text.
    pub msg_code: i64,
    /// The account.
    pub client_id: String,
    /// The access token.
    pub token: String,
}

impl LoginRequest {
    /// The login of one account for its own orders.
    pub fn for_self(client_id: &str, token: &str) -> Self {
        Self {
            login: LoginBody { msg_code: 42, client_id: client_id.to_owned(), token: token.to_owned() },
            user_type: "SELF".to_owned(),
        }
    }
}

record! {
    /// One order's state at one moment, keys in the live spelling (section 5.5). Serialised as seen live: numbers
    /// that are zero and texts that are empty are left out where the wire leaves them out.
    OrderUpdate keyed by order_no {
        /// `NSE`, `BSE`, `MCX`.
        exchange: String = "exchange",
        /// `E`, `D`, `C`, `M`.
        segment: String = "segment",
        /// `P` API, `W` web, others.
        source: String = "source",
        /// The instrument.
        security_id: String = "securityId",
        /// The account.
        client_id: String = "clientId",
        /// `"0"` when refused before the exchange.
        exch_order_no: String = "exchOrderNo",
        /// The broker's order id.
        order_no: String = "orderNo",
        /// `C`, `I`, `M`, `F`, `V`, `B`.
        product: String = "product",
        /// `B`, `S`.
        txn_type: String = "txnType",
        /// `LMT`, `MKT`, `SL`, `SLM`.
        order_type: String = "orderType",
        /// `DAY`, `IOC`.
        validity: String = "validity",
        /// Units shown.
        #[serde(skip_serializing_if = "is_zero")]
        disc_quantity: i64 = "discQuantity",
        /// Units shown, remaining.
        #[serde(skip_serializing_if = "is_zero")]
        disc_qty_rem: i64 = "discQtyRem",
        /// Missing on a complete fill.
        #[serde(skip_serializing_if = "is_zero")]
        remaining_quantity: i64 = "remainingQuantity",
        /// Total units.
        quantity: i64 = "quantity",
        /// Units filled so far, all fills together.
        #[serde(skip_serializing_if = "is_zero")]
        traded_qty: i64 = "tradedQty",
        /// Missing for market orders.
        #[serde(skip_serializing_if = "Decimal::is_zero")]
        price: Decimal = "price",
        /// Stops only.
        #[serde(skip_serializing_if = "Decimal::is_zero")]
        trigger_price: Decimal = "triggerPrice",
        /// Price of the last fill.
        #[serde(skip_serializing_if = "Decimal::is_zero")]
        traded_price: Decimal = "tradedPrice",
        /// Average so far.
        #[serde(skip_serializing_if = "Decimal::is_zero")]
        avg_traded_price: Decimal = "avgTradedPrice",
        /// Entry order of a leg; text or number, never captured live.
        #[serde(skip_serializing_if = "String::is_empty")]
        algo_ord_no: String = "algoOrdNo",
        /// Undocumented, `NA`.
        #[serde(skip_serializing_if = "String::is_empty")]
        strategy_id: String = "strategyId",
        /// `"1"` for after-market orders.
        off_mkt_flag: String = "offMktFlag",
        /// `YYYY-MM-DD HH:MM:SS`, Indian time. Moves when the order is modified.
        order_date_time: String = "orderDateTime",
        /// The same form; `0001-01-01 00:00:00` if it never reached the exchange.
        exch_order_time: String = "exchOrderTime",
        /// The same form.
        last_updated_time: String = "lastUpdatedTime",
        /// `NR`, one space, or `Super Order`.
        remarks: String = "remarks",
        /// `NL` normal.
        mkt_type: String = "mktType",
        /// `CONFIRMED`, `TRADE CONFIRMED`, or why it was refused.
        reason_description: String = "reasonDescription",
        /// 1 entry, 2 stop, 3 target.
        leg_no: i64 = "legNo",
        /// `OPTIDX`, ...
        instrument: String = "instrument",
        /// In the classic sample only.
        #[serde(skip_serializing_if = "String::is_empty")]
        instrument_type: String = "instrumentType",
        /// Cut to 15 characters for options.
        symbol: String = "symbol",
        /// The product in words; some frames have no `product` but `productType`.
        product_name: String = "productName" | "productType",
        /// Title-case live.
        status: String = "status",
        /// Units in a lot.
        lot_size: i64 = "lotSize",
        /// Rupees; missing for non-options.
        #[serde(skip_serializing_if = "Decimal::is_zero")]
        strike_price: Decimal = "strikePrice",
        /// `YYYY-MM-DD`, or with a time.
        expiry_date: String = "expiryDate",
        /// `CE`, `PE`, `XX`.
        opt_type: String = "optType",
        /// For people.
        display_name: String = "displayName",
        /// `NA` for derivatives.
        isin: String = "isin",
        /// `XX` for derivatives.
        series: String = "series",
        /// `YYYY-MM-DD`.
        good_till_days_date: String = "goodTillDaysDate",
        /// Last price at the time of the event, rupees.
        ref_ltp: Decimal = "refLtp",
        /// Rupees here, unlike the instrument file.
        tick_size: Decimal = "tickSize",
        /// `"0"`.
        algo_id: String = "algoId",
        /// 1.
        multiplier: i64 = "multiplier",
        /// Our tag, the broker's invention, or `NA` for orders of the broker's own apps.
        #[serde(skip_serializing_if = "String::is_empty")]
        correlation_id: String = "correlationId",
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// How an envelope is written. Live frames and the documentation differ (section 5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FrameStyle {
    /// As captured live: `camelCase`, zeros left out.
    #[default]
    Live,
    /// As captured, with `PascalCase` keys.
    LivePascal,
    /// As documented: `PascalCase`, every field there.
    Documented,
    /// As the classic sample: a cluster of `camelCase` keys, the rest `PascalCase`, every field there.
    Mixed,
}

/// An order update in its envelope, as the server sends it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Envelope<'a> {
    /// The order.
    #[serde(rename = "Data")]
    pub data: &'a OrderUpdate,
    /// `order_alert`.
    #[serde(rename = "Type")]
    pub kind: &'static str,
}

impl OrderUpdate {
    /// Keys that the classic sample writes in camelCase before the others.
    const CLUSTER: [&'static str; 7] =
        ["series", "goodTillDaysDate", "instrumentType", "refLtp", "tickSize", "algoId", "multiplier"];
    /// Numbers that live frames leave out when zero; the documented form has them all.
    const OMITTED_NUMBERS: [&'static str; 9] = [
        "discQuantity",
        "discQtyRem",
        "remainingQuantity",
        "tradedQty",
        "price",
        "triggerPrice",
        "tradedPrice",
        "avgTradedPrice",
        "strikePrice",
    ];
    const OMITTED_TEXTS: [&'static str; 2] = ["instrumentType", "correlationId"];

    /// The update in its envelope.
    pub fn envelope(&self) -> Envelope<'_> {
        Envelope { data: self, kind: ORDER_ALERT }
    }

    /// The envelope's text in a style.
    pub fn to_frame(&self, style: FrameStyle) -> String {
        if style == FrameStyle::Live {
            return serde_json::to_string(&self.envelope()).unwrap_or_default();
        }
        let Ok(serde_json::Value::Object(mut fields)) = serde_json::to_value(self) else {
            return String::new();
        };
        if style != FrameStyle::LivePascal {
            for key in Self::OMITTED_NUMBERS {
                fields.entry(key).or_insert_with(|| 0.into());
            }
            for key in Self::OMITTED_TEXTS {
                fields.entry(key).or_insert_with(|| "".into());
            }
        }
        let (cluster, rest): (Vec<_>, Vec<_>) = fields
            .into_iter()
            .partition(|(key, _)| style == FrameStyle::Mixed && Self::CLUSTER.contains(&key.as_str()));
        let renamed: serde_json::Map<_, _> =
            cluster.into_iter().chain(rest.into_iter().map(|(key, value)| (pascal(&key), value))).collect();
        serde_json::json!({ "Data": renamed, "Type": ORDER_ALERT }).to_string()
    }
}

fn pascal(key: &str) -> String {
    let mut letters = key.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

/// What one text of the stream held.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DecodedFrame {
    /// Order updates, in order; an unreadable one names its order where it can. Boxed: a text may hold very many that are
    /// no updates.
    pub items: Vec<Result<Box<OrderUpdate>, WireError>>,
    /// Envelopes of other types, passed over.
    pub other_types: usize,
}

/// Reads a text of the stream: one envelope, several one after another, arrays of them, any casing (section 5.4).
/// What is broken becomes an error item, never silence: one for each order number that can still be made out in it, and one
/// without a number for all that comes after more than [`FAULTS_MAX`] of them.
pub fn decode_frame(text: &str) -> DecodedFrame {
    let mut frame = DecodedFrame::default();
    let mut parts = serde_json::Deserializer::from_str(text).into_iter::<Part>();
    let mut read_to = 0;
    while let Some(part) = parts.next() {
        match part {
            Ok(part) => {
                read_to = parts.byte_offset();
                part.collect(&mut frame);
                if frame.items.len() > FAULTS_MAX && frame.items.iter().all(Result::is_err) {
                    frame.items.push(Err(WireError::new("frame", "too much of it is unreadable")));
                    return frame;
                }
            }
            Err(error) => {
                let broken = text.get(read_to..).unwrap_or(text);
                frame.items.extend(broken_items(broken, &error).into_iter().map(Err));
                return frame;
            }
        }
    }
    frame
}

/// One error for each order number in a text that is no JSON; one without a number if there is none.
fn broken_items(text: &str, error: &serde_json::Error) -> Vec<WireError> {
    const KEY: &str = "\"orderno\"";
    let lower = text.to_ascii_lowercase();
    let fault = WireError::new("frame", error.to_string());
    let mut faults: Vec<WireError> = lower
        .match_indices(KEY)
        .filter_map(|(at, _)| {
            let value = text[at + KEY.len()..].trim_start().strip_prefix(':')?.trim_start();
            let value = value.strip_prefix('"').unwrap_or(value);
            let end = value.find(|c: char| !c.is_ascii_alphanumeric())?;
            (end > 0).then(|| fault.clone().about(&value[..end]))
        })
        .take(FAULTS_MAX + 1)
        .collect();
    if faults.is_empty() || faults.len() > FAULTS_MAX {
        faults.push(fault);
    }
    faults
}

/// A top-level value of a text.
enum Part {
    Order(Result<Box<OrderUpdate>, WireError>),
    Other,
    Several(Vec<Part>),
}

impl Part {
    fn collect(self, frame: &mut DecodedFrame) {
        match self {
            Self::Order(order) => frame.items.push(order),
            Self::Other => frame.other_types += 1,
            Self::Several(parts) => parts.into_iter().for_each(|part| part.collect(frame)),
        }
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PartVisitor)
    }
}

struct PartVisitor;

impl PartVisitor {
    fn no_envelope(found: impl Into<String>) -> Part {
        Part::Order(Err(WireError::new("frame", found)))
    }
}

impl<'de> Visitor<'de> for PartVisitor {
    type Value = Part;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an envelope, or an array of envelopes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let (mut parts, mut faults) = (Vec::new(), 0);
        while let Some(part) = seq.next_element()? {
            faults += usize::from(matches!(part, Part::Order(Err(_))));
            parts.push(part);
            if faults > FAULTS_MAX {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                parts.push(Self::no_envelope("too much of it is unreadable"));
                break;
            }
        }
        Ok(Part::Several(parts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut data = None;
        let mut kind = String::new();
        while let Some(Key(key)) = map.next_key()? {
            if key.eq_ignore_ascii_case("Data") {
                data = Some(map.next_value::<Tolerant<OrderUpdate>>()?.0);
            } else if key.eq_ignore_ascii_case("Type") {
                kind = String::from_scalar(map.next_value::<Scalar<'_>>()?).unwrap_or_default();
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if !kind.is_empty() && !kind.trim().eq_ignore_ascii_case(ORDER_ALERT) {
            return Ok(Part::Other);
        }
        Ok(match data {
            Some(order) => Part::Order(order.map(Box::new)),
            None if kind.is_empty() => Part::Other,
            None => Self::no_envelope("an order alert without data"),
        })
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Self::no_envelope("null"))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Self::no_envelope(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Self::no_envelope(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Self::no_envelope(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Self::no_envelope(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Self::no_envelope(value))
    }
}
