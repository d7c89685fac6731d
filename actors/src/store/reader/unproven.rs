//! What earlier days left without proof (P29).

use chrono::NaiveDate;
use rusqlite::{Connection, params};
use tandem_domain::follower::Unproven;
use tandem_domain::ids::{ClientOrderId, DhanClientId, FollowerId};
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::time::TradingDay;

use super::Reader;
use super::columns::{convert, instrument, word};
use super::ledger::{NEWEST_DAY, named};
use crate::store::codes::IntentKind;
use crate::store::error::ReaderError;

// What was carried over is in doubt in its mirror, and asked of the broker's book.
// What an operator has looked at is not asked again: its incident is over, though nothing is proven.
const UNPROVEN: &str = "
SELECT trading_day, client_order_id, serial, kind, segment, security_id FROM intents AS i
WHERE follower_id = ?1 AND account = ?2 AND trading_day < ?3 AND state IN ('SENDING', 'UNKNOWN') AND NOT EXISTS (
    SELECT 1 FROM incidents AS n
    WHERE n.kind = 'unresolved_yesterday' AND n.follower_id = i.follower_id AND n.closed_at IS NOT NULL
        AND n.opened_at > i.created_at AND n.id LIKE '%/' || i.segment || ':' || i.security_id)
    AND NOT EXISTS (
    SELECT 1 FROM orders AS l
    WHERE l.account = i.leader_account AND l.trading_day = i.trading_day AND l.broker_order_id = i.leader_order_id
        AND l.carried_to = ?3)
ORDER BY trading_day, client_order_id, serial";

/// What account ?1 of follower ?2 held of an instrument over the night after day ?3 by the rows of that day: what it began
/// with, and what anybody traded, but for what does not outlast its day. What an order's legs have closed is theirs, and
/// they are counted with it.
const EXPECTED: &str = "
SELECT COALESCE((SELECT copied_units + own_units FROM ledger_openings
           WHERE follower_id = ?2 AND trading_day = ?3 AND segment = ?4 AND security_id = ?5), 0)
     + COALESCE((SELECT SUM(CASE o.side WHEN 'BUY' THEN 1 ELSE -1 END * (o.cumulative - MAX(
               CASE o.status WHEN 'CLOSED' THEN o.cumulative ELSE 0 END,
               COALESCE((SELECT SUM(l.cumulative) FROM orders AS l
                   WHERE l.account = o.account AND l.trading_day = o.trading_day
                       AND l.parent_order_id = o.broker_order_id AND l.leg IN ('stop_loss', 'target')), 0))))
           FROM orders AS o
           WHERE o.rowid IN (SELECT rowid FROM orders WHERE account = ?1 AND trading_day = ?3 AND carried_to IS NULL
                   UNION ALL SELECT rowid FROM orders WHERE carried_to = ?3 AND account = ?1)
               AND o.segment = ?4 AND o.security_id = ?5
               AND o.role IN ('follower', 'external') AND o.product <> 'INTRADAY'
               AND NOT (o.leg IN ('stop_loss', 'target') AND o.parent_order_id IS NOT NULL)), 0)
     + COALESCE((SELECT SUM(copied_units * ((copied_from = 'INTRADAY') - (copied_to = 'INTRADAY'))) FROM conversions
           WHERE follower_id = ?2 AND trading_day = ?3 AND segment = ?4 AND security_id = ?5), 0)";

impl Reader {
    /// Requests of days before `today` whose fate is not proven.
    pub fn unproven(
        &self,
        follower: &FollowerId,
        account: &DhanClientId,
        today: TradingDay,
    ) -> Result<Vec<Unproven>, ReaderError> {
        self.look(|connection| {
            // One transaction: all queries see the same commits.
            let snapshot = connection.unchecked_transaction()?;
            let rows = rows(&snapshot, follower, account, today)?;
            rows.into_iter()
                .map(|(of, unproven)| {
                    let expected = expected(&snapshot, follower, account, (of, today), unproven.instrument)?;
                    Ok(Unproven { expected, ..unproven })
                })
                .collect()
        })
    }
}

fn rows(
    connection: &Connection,
    follower: &FollowerId,
    account: &DhanClientId,
    today: TradingDay,
) -> rusqlite::Result<Vec<(TradingDay, Unproven)>> {
    let mut statement = connection.prepare_cached(UNPROVEN)?;
    let keys = params![follower.as_str(), account.as_str(), today.to_string()];
    let found = statement.query_map(keys, |row| {
        let kind: IntentKind = word(row, "kind")?;
        let unproven = Unproven {
            client_order_id: convert(row, "client_order_id", |text: String| ClientOrderId::new(text))?,
            serial: row.get("serial")?,
            is_cancel: kind == IntentKind::Cancel,
            instrument: instrument(row)?,
            expected: None,
        };
        Ok((word(row, "trading_day")?, unproven))
    })?;
    found.collect()
}

/// None where another day has passed since: its openings know of what has come of it, if anything has.
fn expected(
    connection: &Connection,
    follower: &FollowerId,
    account: &DhanClientId,
    (of, today): (TradingDay, TradingDay),
    instrument: InstrumentKey,
) -> rusqlite::Result<Option<i64>> {
    let (_, expiry) = named(connection, follower, of, instrument)?;
    if expiry.is_some_and(|expiry: NaiveDate| expiry < today.date()) {
        return Ok(Some(0));
    }
    let newest: Option<String> = connection
        .prepare_cached(NEWEST_DAY)?
        .query_row(params![follower.as_str(), account.as_str(), today.to_string()], |row| row.get(0))?;
    if newest != Some(of.to_string()) {
        return Ok(None);
    }
    let units = connection.prepare_cached(EXPECTED)?.query_row(
        params![
            account.as_str(),
            follower.as_str(),
            of.to_string(),
            instrument.segment.as_str(),
            instrument.security_id.0
        ],
        |row| row.get(0),
    )?;
    Ok(Some(units))
}
