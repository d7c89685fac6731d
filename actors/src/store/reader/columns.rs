//! From columns to domain types. A text that is not what its column holds is an error that names the column.

use std::error::Error;
use std::str::FromStr;
use std::sync::Arc;

use rusqlite::types::{FromSql, Type};
use rusqlite::{Row, RowIndex};
use tandem_domain::ids::{
    BrokerOrderId, ClientOrderId, DhanClientId, ExchangeOrderId, FollowerId, IdError, Tag,
};
use tandem_domain::instrument::{InstrumentKey, SecurityId};
use tandem_domain::leader::LeaderOrder;
use tandem_domain::order::{BrokerStatus, EvidenceSource, OrderForm, OrderReport, OrderTerms};
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::Quantity;
use tandem_domain::time::{Timestamp, TradingDay};

use crate::store::codes::{leg_from_word, source_from_word};
use crate::store::rows::{AccountOrder, MirrorKey};

/// Columns of `orders`, as [`leader_order`] and [`account_order`] want them; `o` is the table's name in the query.
pub(super) const ORDER_COLUMNS: &str = "
    o.account, o.trading_day, o.broker_order_id, o.role, o.client_order_id, o.exchange_order_id, o.tag, o.segment,
    o.security_id, o.side, o.product, o.order_type, o.time_in_force, o.quantity, o.disclosed, o.price,
    o.trigger_price, o.after_market, o.leg, o.status, o.cumulative, o.average_price, o.reason, o.source, o.ts_event,
    o.ts_first_event, o.ts_exchange, o.first_seen_at, o.updated_at, o.form, o.parent_order_id, o.exited,
    o.last_price";

/// Whether `orders AS o`, of those of which something is so, is of day `?1`: its own, or the one into which it was carried
/// last (P29). Two look-ups, for one condition with both in it would go through all days.
macro_rules! of_day {
    ($of:literal) => {
        concat!(
            "o.rowid IN (SELECT rowid FROM orders WHERE ",
            $of,
            " AND trading_day = ?1 AND carried_to IS NULL UNION ALL SELECT rowid FROM orders WHERE ",
            $of,
            " AND carried_to = ?1)"
        )
    };
}
pub(super) use of_day;

/// Legs of super orders are rows of their own and no orders anybody placed. A child that a fired forever order left has a
/// parent too, and is an order.
pub(super) const NO_LEG: &str = "(o.parent_order_id IS NULL OR o.leg NOT IN ('stop_loss', 'target'))";

/// A column read as `R` and made a `T`.
pub(super) fn convert<R: FromSql, T, E: Error + Send + Sync + 'static>(
    row: &Row<'_>,
    column: &str,
    make: impl FnOnce(R) -> Result<T, E>,
) -> rusqlite::Result<T> {
    make(row.get(column)?).map_err(|error| {
        let index = column.idx(row.as_ref()).unwrap_or_default();
        rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error))
    })
}

/// A word that [`FromStr`] reads.
pub(super) fn word<T>(row: &Row<'_>, column: &str) -> rusqlite::Result<T>
where
    T: FromStr,
    T::Err: Error + Send + Sync + 'static,
{
    convert(row, column, |text: String| text.parse())
}

/// A word or nothing.
pub(super) fn word_or_none<T>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>>
where
    T: FromStr,
    T::Err: Error + Send + Sync + 'static,
{
    convert(row, column, |text: Option<String>| text.map(|text| text.parse()).transpose())
}

pub(super) fn account(row: &Row<'_>, column: &str) -> rusqlite::Result<DhanClientId> {
    convert(row, column, |text: String| DhanClientId::new(text))
}

pub(in crate::store) fn follower(row: &Row<'_>, column: &str) -> rusqlite::Result<FollowerId> {
    convert(row, column, |text: String| FollowerId::new(text))
}

pub(super) fn broker_order_id(row: &Row<'_>, column: &str) -> rusqlite::Result<BrokerOrderId> {
    convert(row, column, |text: String| BrokerOrderId::new(text))
}

pub(super) fn id_or_none<T>(
    row: &Row<'_>,
    column: &str,
    make: impl FnOnce(String) -> Result<T, IdError>,
) -> rusqlite::Result<Option<T>> {
    convert(row, column, |text: Option<String>| text.map(make).transpose())
}

pub(super) fn day(row: &Row<'_>, column: &str) -> rusqlite::Result<TradingDay> {
    word(row, column)
}

pub(super) fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_micros)
}

pub(super) fn time_or_none(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column).map(|micros| micros.map(Timestamp::from_micros))
}

pub(super) fn quantity(row: &Row<'_>, column: &str) -> rusqlite::Result<Quantity> {
    row.get(column).map(Quantity::new)
}

/// The table's CHECK keeps prices from being negative.
pub(super) fn price(row: &Row<'_>, column: &str) -> rusqlite::Result<Price> {
    row.get(column).map(|units| Price::from_units(units).unwrap_or(Price::ZERO))
}

pub(super) fn price_or_none(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Price>> {
    row.get::<_, Option<i64>>(column).map(|units| units.and_then(Price::from_units))
}

pub(super) fn money(row: &Row<'_>, column: &str) -> rusqlite::Result<Money> {
    row.get(column).map(Money::from_units)
}

pub(super) fn instrument(row: &Row<'_>) -> rusqlite::Result<InstrumentKey> {
    Ok(InstrumentKey { segment: word(row, "segment")?, security_id: SecurityId(row.get("security_id")?) })
}

/// The columns that name a mirror.
pub(super) fn mirror_key(row: &Row<'_>) -> rusqlite::Result<MirrorKey> {
    Ok(MirrorKey {
        trading_day: day(row, "trading_day")?,
        leader_account: account(row, "leader_account")?,
        leader_order: broker_order_id(row, "leader_order_id")?,
        follower: follower(row, "follower_id")?,
    })
}

pub(super) fn terms(row: &Row<'_>) -> rusqlite::Result<OrderTerms> {
    Ok(OrderTerms {
        instrument: instrument(row)?,
        side: word(row, "side")?,
        product: word(row, "product")?,
        order_type: word(row, "order_type")?,
        time_in_force: word(row, "time_in_force")?,
        quantity: quantity(row, "quantity")?,
        disclosed: quantity(row, "disclosed")?,
        price: price(row, "price")?,
        trigger: price(row, "trigger_price")?,
        after_market: row.get("after_market")?,
        form: convert(row, "form", |text: Option<String>| {
            text.map_or(Ok(OrderForm::Ordinary), |text| serde_json::from_str(&text))
        })?,
    })
}

pub(super) fn status(row: &Row<'_>) -> rusqlite::Result<BrokerStatus> {
    row.get::<_, String>("status").map(|text| BrokerStatus::from_wire(&text))
}

fn tag(row: &Row<'_>) -> rusqlite::Result<Option<Tag>> {
    row.get::<_, Option<String>>("tag").map(|text| text.and_then(|text| Tag::from_wire(&text)))
}

pub(super) fn leader_order(row: &Row<'_>) -> rusqlite::Result<Arc<LeaderOrder>> {
    Ok(Arc::new(LeaderOrder {
        account: account(row, "account")?,
        trading_day: day(row, "trading_day")?,
        broker_order_id: broker_order_id(row, "broker_order_id")?,
        tag: tag(row)?,
        leg: convert(row, "leg", |text: String| leg_from_word(&text))?,
        terms: terms(row)?,
        status: status(row)?,
        cumulative: quantity(row, "cumulative")?,
        average_price: price(row, "average_price")?,
        reason: row.get("reason")?,
        exited: quantity(row, "exited")?,
        last_price: price_or_none(row, "last_price")?,
        forever_parent: id_or_none(row, "parent_order_id", BrokerOrderId::new)?,
        known_fingerprint: tandem_domain::leader::KnownFingerprint::default(),
        ts_event: time(row, "ts_event")?,
        ts_first_event: time(row, "ts_first_event")?,
        ts_first_seen: time(row, "first_seen_at")?,
    }))
}

pub(super) fn account_order(row: &Row<'_>) -> rusqlite::Result<AccountOrder> {
    Ok(AccountOrder {
        trading_day: day(row, "trading_day")?,
        role: word(row, "role")?,
        client_order_id: id_or_none(row, "client_order_id", ClientOrderId::new)?,
        report: OrderReport {
            account: account(row, "account")?,
            broker_order_id: broker_order_id(row, "broker_order_id")?,
            exchange_order_id: id_or_none(row, "exchange_order_id", ExchangeOrderId::new)?,
            tag: tag(row)?,
            terms: terms(row)?,
            status: status(row)?,
            cumulative: quantity(row, "cumulative")?,
            average_price: price(row, "average_price")?,
            reason: row.get("reason")?,
            leg: convert(row, "leg", |text: String| leg_from_word(&text))?,
            ts_event: time(row, "ts_event")?,
            ts_exchange: time_or_none(row, "ts_exchange")?,
            ts_created: None,
            parent: id_or_none(row, "parent_order_id", BrokerOrderId::new)?,
            last_price: price_or_none(row, "last_price")?,
            // A leader's row is merged from several channels; it says what the book would say.
            source: convert(row, "source", |text: Option<String>| {
                text.map_or(Ok(EvidenceSource::Book), |text| source_from_word(&text))
            })?,
        },
        ts_init: time(row, "updated_at")?,
    })
}
