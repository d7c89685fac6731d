//! Super orders: an entry that brings its own exits (`dhanhq-v2.md` section 3.1). Answers are
//! [`OrderAnswer`](super::OrderAnswer)s.

use serde::de::MapAccess;
use serde::{Deserialize, Deserializer, Serialize};

use super::fault::WireError;
use super::orders::OrderBookRow;
use super::record::{Record, TolerantList, record, strict};
use super::scalar::{Decimal, FromScalar, Scalar, optional_integer, strict_integer};

/// Body of `POST /super/orders`. There is no validity, trigger or after-market field, and nothing but the tag may be
/// left out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceSuperOrderRequest {
    /// The account.
    #[serde(default)]
    pub dhan_client_id: String,
    /// Our tag, as for ordinary orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// Of the entry: `BUY` or `SELL`.
    pub transaction_type: String,
    /// Section 8.5.
    pub exchange_segment: String,
    /// `CNC`, `INTRADAY`, `MARGIN`, `MTF`.
    pub product_type: String,
    /// Of the entry: `LIMIT` or `MARKET`.
    pub order_type: String,
    /// Digits.
    pub security_id: String,
    /// Units, of the entry and of each exit.
    #[serde(deserialize_with = "strict_integer")]
    pub quantity: i64,
    /// Of the entry, rupees.
    pub price: Decimal,
    /// Rupees; 0 for no target.
    pub target_price: Decimal,
    /// Rupees; 0 for no stop.
    pub stop_loss_price: Decimal,
    /// Rupees; 0 for a stop that stands still.
    pub trailing_jump: Decimal,
}

/// Body of `PUT /super/orders/{orderId}`: one leg, and of it only what that leg lets change.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModifySuperOrderRequest {
    /// The account.
    #[serde(default)]
    pub dhan_client_id: String,
    /// The entry's id, as in the path, whichever leg is meant.
    #[serde(default)]
    pub order_id: String,
    /// `ENTRY_LEG`, `TARGET_LEG` or `STOP_LOSS_LEG`.
    pub leg_name: String,
    /// Entry only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_type: Option<String>,
    /// Entry only: filled and pending together.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_integer")]
    pub quantity: Option<i64>,
    /// Entry only, rupees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Decimal>,
    /// Entry and target, rupees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_price: Option<Decimal>,
    /// Entry and stop, rupees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_loss_price: Option<Decimal>,
    /// Entry and stop, rupees. Left out or 0, the trail is cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trailing_jump: Option<Decimal>,
}

/// A row of `GET /super/orders`: the entry, as in the order book, and its exits.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SuperOrderRow {
    /// The entry; its `legName` is `ENTRY_LEG`.
    #[serde(flatten)]
    pub entry: OrderBookRow,
    /// Last price, rupees.
    pub ltp: Decimal,
    /// Exits.
    #[serde(rename = "legDetails")]
    pub leg_details: Vec<SuperLegRow>,
}

impl Record for SuperOrderRow {
    fn set(&mut self, key: &str, value: Scalar<'_>) -> Result<bool, WireError> {
        if key.eq_ignore_ascii_case("ltp") {
            self.ltp = Decimal::from_scalar(value).map_err(|found| WireError::new("ltp", found))?;
            return Ok(true);
        }
        self.entry.set(key, value)
    }

    fn take<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
    ) -> Result<Result<bool, WireError>, A::Error> {
        if !key.eq_ignore_ascii_case("legDetails") {
            return Ok(self.set(key, map.next_value()?));
        }
        let TolerantList(legs) = map.next_value()?;
        Ok(match legs {
            Ok(legs) => {
                self.leg_details = legs;
                Ok(true)
            }
            // A leg that is none has no field to be named by.
            Err(fault) if matches!(fault.field, "list" | "row") => {
                Err(WireError::new("legDetails", fault.found))
            }
            Err(fault) => Err(fault),
        })
    }

    fn order_id(&self) -> Option<&str> {
        self.entry.order_id()
    }
}

impl<'de> Deserialize<'de> for SuperOrderRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        strict(deserializer)
    }
}

record! {
    /// An exit in a [`SuperOrderRow`].
    SuperLegRow {
        /// In the documented sample the entry's.
        order_id: String = "orderId",
        /// `STOP_LOSS_LEG` or `TARGET_LEG`.
        leg_name: String = "legName",
        /// The other side than the entry's.
        transaction_type: String = "transactionType",
        /// Misspelt in the documented sample, and on its stop leg only.
        #[serde(skip_serializing_if = "Option::is_none")]
        total_quantity: Option<i64> = "totalQuatity" | "totalQuantity",
        /// Units.
        remaining_quantity: i64 = "remainingQuantity",
        /// Units that fired.
        triggered_quantity: i64 = "triggeredQuantity",
        /// Rupees.
        price: Decimal = "price",
        /// `PENDING`, `TRIGGERED`, `CANCELLED`, `TRADED`.
        order_status: String = "orderStatus",
        /// Rupees; 0 for a leg that does not trail.
        trailing_jump: Decimal = "trailingJump",
    }
}
