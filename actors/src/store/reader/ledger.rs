//! What the ledger of a day is built from: openings, what earlier days left, and how the leader's orders filled.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use rusqlite::{Connection, OptionalExtension, Row, params};
use tandem_domain::follower::{Conversion, Opening};
use tandem_domain::ids::{BrokerOrderId, DhanClientId, FollowerId};
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::ledger::FillPoint;
use tandem_domain::order::Product;
use tandem_domain::time::{Timestamp, TradingDay};

use super::Reader;
use super::columns::{broker_order_id, instrument, of_day, quantity, time, word, word_or_none};
use super::standing::copied_conversions;
use crate::store::error::ReaderError;

/// What copies of an earlier day left in a follower's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// The instrument, by the id it had on that day.
    pub instrument: InstrumentKey,
    /// In which product; none if neither the day's orders nor its positions tell. What is left in an intraday product was
    /// closed by the broker, unless its positions say otherwise.
    pub product: Option<Product>,
    /// Units, signed; never zero.
    pub units: i64,
    /// What the instrument was called. Another name for the same id today means that the id was given to another one.
    pub symbol: Option<String>,
    /// Its last day, if it has one and it is known.
    pub expiry: Option<NaiveDate>,
    /// The day that left it.
    pub trading_day: TradingDay,
}

impl Carried {
    /// Whether its last day is over: it was settled without a fill.
    pub fn has_expired(&self, today: TradingDay) -> bool {
        self.expiry.is_some_and(|expiry| expiry < today.date())
    }

    /// Whether it may be held still: it has not expired, and its product lasts over night.
    pub fn may_be_held(&self, today: TradingDay) -> bool {
        !self.has_expired(today) && self.product.is_none_or(lasts)
    }
}

/// Units of each instrument that copies of earlier days may hold still on this day, signed, of all products.
pub fn units_held(carried: &[Carried], today: TradingDay) -> BTreeMap<InstrumentKey, i64> {
    let mut units = BTreeMap::new();
    for left in carried.iter().filter(|left| left.may_be_held(today)) {
        *units.entry(left.instrument).or_default() += left.units;
    }
    units
}

/// What one row of `orders` did to the position: a super order's exits are taken off its entry. `CLOSED` says that one of
/// them has filled in full (`dhanhq-v2.md` section 3.1), reported or not. What a fired forever order left is in the
/// forever order's own row. What was carried over counts on the day into which it was carried last.
const FILLS: &str = concat!(
    "
SELECT o.segment, o.security_id, o.product,
       SUM(CASE o.side WHEN 'BUY' THEN 1 ELSE -1 END * (o.cumulative - MAX(
           CASE o.status WHEN 'CLOSED' THEN o.cumulative ELSE 0 END,
           COALESCE((SELECT SUM(l.cumulative) FROM orders AS l
               WHERE l.account = o.account AND l.trading_day = o.trading_day
                   AND l.parent_order_id = o.broker_order_id AND l.leg IN ('stop_loss', 'target')), 0)))) AS units
FROM orders AS o
WHERE o.role = 'follower' AND o.client_order_id IS NOT NULL AND ",
    of_day!("account = ?2"),
    "
GROUP BY o.segment, o.security_id, o.product ORDER BY o.product"
);

/// The newest day before ?3 on which follower ?1 with account ?2 was armed: positions were read, which openings follow
/// from, or anything was placed.
pub(super) const NEWEST_DAY: &str = "
SELECT MAX(trading_day) AS trading_day FROM (
    SELECT MAX(trading_day) AS trading_day FROM ledger_openings WHERE follower_id = ?1 AND trading_day < ?3
    UNION ALL
    SELECT MAX(trading_day) FROM position_snapshots WHERE account = ?2 AND trading_day < ?3
    UNION ALL
    SELECT * FROM (SELECT trading_day FROM orders WHERE account = ?2 AND trading_day < ?3 AND role = 'follower'
        ORDER BY trading_day DESC LIMIT 1))";

impl Reader {
    /// What was held when this day's copying began, of each instrument on record, and when that was recorded.
    pub fn openings(
        &self,
        of: TradingDay,
        follower: &FollowerId,
    ) -> Result<Vec<(Opening, Timestamp)>, ReaderError> {
        let sql = "SELECT segment, security_id, leader_units, copied_units, own_units, recorded_at FROM ledger_openings
             WHERE follower_id = ?1 AND trading_day = ?2 ORDER BY segment, security_id";
        let recorded = |row: &Row<'_>| Ok((opening(row)?, time(row, "recorded_at")?));
        self.rows(sql, params![follower.as_str(), of.to_string()], recorded)
    }

    /// What copies have left in the account by the end of the newest day before `today` that has any record: that day's
    /// openings and the fills of our orders since. Empty before the first day. What has expired meanwhile is among it.
    pub fn carried(
        &self,
        follower: &FollowerId,
        account: &DhanClientId,
        today: TradingDay,
    ) -> Result<Vec<Carried>, ReaderError> {
        self.look(|connection| {
            // One transaction: all queries see the same commits.
            let snapshot = connection.unchecked_transaction()?;
            let newest = snapshot
                .prepare_cached(NEWEST_DAY)?
                .query_row(params![follower.as_str(), account.as_str(), today.to_string()], |row| {
                    word_or_none(row, "trading_day")
                })?;
            let Some(newest) = newest else { return Ok(Vec::new()) };
            let mut left = fills(&snapshot, account, newest)?;
            add_conversions(&snapshot, follower, newest, &mut left)?;
            add_openings(&snapshot, follower, account, newest, &mut left)?;
            let mut carried = Vec::new();
            for (instrument, holdings) in left {
                for (product, units) in holdings.into_iter().filter(|(_, units)| *units != 0) {
                    let (symbol, expiry) = named(&snapshot, follower, newest, instrument)?;
                    let trading_day = newest;
                    carried.push(Carried { instrument, product, units, symbol, expiry, trading_day });
                }
            }
            Ok(carried)
        })
    }

    /// How each of the leader's orders of a day has filled, as far as it was seen: oldest first, without those that have
    /// not filled. The time is the broker's, of the first state that showed it.
    pub fn leader_fill_points(
        &self,
        of: TradingDay,
    ) -> Result<HashMap<BrokerOrderId, Vec<FillPoint>>, ReaderError> {
        self.look(|connection| fill_points(connection, of))
    }
}

/// Of a super order: the entry, with what its exits have closed.
pub(super) fn fill_points(
    connection: &Connection,
    of: TradingDay,
) -> rusqlite::Result<HashMap<BrokerOrderId, Vec<FillPoint>>> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT e.broker_order_id, e.cumulative, e.exited, MIN(e.ts_event) AS ts_event
         FROM orders AS o CROSS JOIN order_events AS e ON e.account = o.account AND e.trading_day = o.trading_day
            AND e.broker_order_id = o.broker_order_id
         WHERE ",
        of_day!("role = 'leader'"),
        " AND o.leg NOT IN ('stop_loss', 'target') AND e.role = 'leader' AND e.cumulative > 0
         GROUP BY e.account, e.broker_order_id, e.cumulative, e.exited
         ORDER BY e.broker_order_id, e.cumulative, e.exited"
    ))?;
    let mut points: HashMap<_, Vec<_>> = HashMap::new();
    let mut rows = statement.query([of.to_string()])?;
    while let Some(row) = rows.next()? {
        let point = FillPoint {
            at: time(row, "ts_event")?,
            cumulative: quantity(row, "cumulative")?,
            exited: quantity(row, "exited")?,
        };
        points.entry(broker_order_id(row, "broker_order_id")?).or_default().push(point);
    }
    Ok(points)
}

/// Units in each product of an instrument; none where the product is not known.
type Holdings = BTreeMap<InstrumentKey, BTreeMap<Option<Product>, i64>>;

fn fills(connection: &Connection, account: &DhanClientId, of: TradingDay) -> rusqlite::Result<Holdings> {
    let mut left = Holdings::new();
    let mut statement = connection.prepare_cached(FILLS)?;
    let mut rows = statement.query(params![of.to_string(), account.as_str()])?;
    while let Some(row) = rows.next()? {
        let holdings = left.entry(instrument(row)?).or_default();
        holdings.insert(Some(word(row, "product")?), row.get("units")?);
    }
    Ok(left)
}

/// What was converted is held in another product than it was bought or sold in: one that lasts over night, or one that
/// does not.
fn add_conversions(
    connection: &Connection,
    follower: &FollowerId,
    of: TradingDay,
    left: &mut Holdings,
) -> rusqlite::Result<()> {
    for Conversion { instrument, from, to, units } in copied_conversions(connection, follower, of)? {
        let holdings = left.entry(instrument).or_default();
        *holdings.entry(Some(from)).or_default() -= units;
        *holdings.entry(Some(to)).or_default() += units;
    }
    Ok(())
}

/// What was copied before the day, in the one product that it can be held in over night: the product that our orders of
/// the day name, or else the day's positions.
fn add_openings(
    connection: &Connection,
    follower: &FollowerId,
    account: &DhanClientId,
    of: TradingDay,
    left: &mut Holdings,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT segment, security_id, leader_units, copied_units, own_units FROM ledger_openings
         WHERE follower_id = ?1 AND trading_day = ?2 AND copied_units <> 0",
    )?;
    for opening in statement.query_map(params![follower.as_str(), of.to_string()], opening)? {
        let opening = opening?;
        let holdings = left.entry(opening.instrument).or_default();
        let of_orders = only_one(holdings.keys().copied().flatten().filter(|product| lasts(*product)));
        let product = match of_orders {
            None => product_held(connection, account, of, opening.instrument)?,
            known => known,
        };
        *holdings.entry(product).or_default() += opening.copied;
    }
    Ok(())
}

fn product_held(
    connection: &Connection,
    account: &DhanClientId,
    of: TradingDay,
    instrument: InstrumentKey,
) -> rusqlite::Result<Option<Product>> {
    let mut statement = connection.prepare_cached(
        "SELECT product FROM positions
         WHERE account = ?1 AND trading_day = ?2 AND segment = ?3 AND security_id = ?4 AND net_quantity <> 0",
    )?;
    let (segment, security_id) = (instrument.segment.as_str(), instrument.security_id.0);
    let parameters = params![account.as_str(), of.to_string(), segment, security_id];
    let products = statement.query_map(parameters, |row| word(row, "product"))?;
    let products = products.collect::<rusqlite::Result<Vec<Product>>>()?;
    Ok(only_one(products.into_iter().filter(|product| lasts(*product))))
}

/// Whether the broker leaves a position in it over night.
const fn lasts(product: Product) -> bool {
    matches!(product, Product::Cnc | Product::Margin | Product::Mtf)
}

fn only_one<T>(mut found: impl Iterator<Item = T>) -> Option<T> {
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// What the instrument was called and when it ends: as noted with its opening, or else by the master that is stored.
pub(super) fn named(
    connection: &Connection,
    follower: &FollowerId,
    of: TradingDay,
    instrument: InstrumentKey,
) -> rusqlite::Result<(Option<String>, Option<NaiveDate>)> {
    let read = |row: &Row<'_>| {
        let expiry = word_or_none(row, "expiry")?;
        Ok((row.get("symbol")?, expiry))
    };
    let (segment, security_id) = (instrument.segment.as_str(), instrument.security_id.0);
    let noted = connection
        .prepare_cached(
            "SELECT symbol, expiry FROM ledger_openings WHERE follower_id = ?1 AND trading_day = ?2 AND segment = ?3
                AND security_id = ?4 AND symbol IS NOT NULL",
        )?
        .query_row(params![follower.as_str(), of.to_string(), segment, security_id], read)
        .optional()?;
    if let Some(noted) = noted {
        return Ok(noted);
    }
    let listed = connection
        .prepare_cached(
            "SELECT symbol, expiry FROM instruments WHERE day = (SELECT MAX(day) FROM instrument_days) AND segment = ?1
                AND security_id = ?2",
        )?
        .query_row(params![segment, security_id], read)
        .optional()?;
    Ok(listed.unwrap_or_default())
}

fn opening(row: &Row<'_>) -> rusqlite::Result<Opening> {
    Ok(Opening {
        instrument: instrument(row)?,
        leader: row.get("leader_units")?,
        copied: row.get("copied_units")?,
        own: row.get("own_units")?,
    })
}
