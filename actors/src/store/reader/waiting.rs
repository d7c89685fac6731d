//! What of earlier days waits over midnight, and is carried into a new day (P29).

use rusqlite::params;
use tandem_domain::ids::{BrokerOrderId, DhanClientId};
use tandem_domain::instrument::ExchangeSegment;
use tandem_domain::time::{Timestamp, TradingDay};

use super::Reader;
use super::columns::{account, broker_order_id, day, time, word};
use crate::store::error::ReaderError;

/// A leader order of an earlier day that waits by our rows, or of which a copy does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The leader's account.
    pub account: DhanClientId,
    /// The day of which its rows are.
    pub trading_day: TradingDay,
    /// The leader's order.
    pub broker_order_id: BrokerOrderId,
    /// Where it is to trade.
    pub segment: ExchangeSegment,
    /// When it was entered.
    pub entered_at: Timestamp,
    /// Whether it waits for a price as long as that takes, and not for a session.
    pub is_forever: bool,
}

// A request to place that may be on its way counts like an order that waits. What has filled anything, the leader's or a
// copy's, does not wait: its units are of the day on which they filled. An order that stands under the day already, as
// earlier versions put it there, is another mirror by now.
const WAITING: &str = "
WITH waits AS (
    SELECT account, trading_day, broker_order_id, client_order_id, role FROM orders
    WHERE terminal = 0 AND trading_day < ?1 AND role IN ('leader', 'follower') AND cumulative = 0
        AND status <> 'TRIGGERED' AND (after_market = 1 OR form LIKE '%forever%')),
led AS (
    SELECT account, trading_day, broker_order_id FROM waits WHERE role = 'leader'
    UNION
    SELECT i.leader_account, i.trading_day, i.leader_order_id FROM waits AS w
        CROSS JOIN intents AS i ON i.client_order_id = w.client_order_id AND i.serial = 0
    UNION
    SELECT leader_account, trading_day, leader_order_id FROM intents
    WHERE trading_day < ?1 AND serial = 0 AND state IN ('SENDING', 'UNKNOWN')
        AND (after_market = 1 OR form LIKE '%forever%'))
SELECT o.account, o.trading_day, o.broker_order_id, o.segment, o.ts_first_event, o.form LIKE '%forever%' AS is_forever
FROM led CROSS JOIN orders AS o ON o.account = led.account AND o.trading_day = led.trading_day
    AND o.broker_order_id = led.broker_order_id
WHERE o.role = 'leader' AND o.cumulative = 0 AND COALESCE(o.carried_to, o.trading_day) < ?1
    AND EXISTS (
        SELECT 1 FROM copy_mappings AS m WHERE m.trading_day = o.trading_day AND m.leader_account = o.account
            AND m.leader_order_id = o.broker_order_id)
    AND NOT EXISTS (
        SELECT 1 FROM orders AS t
        WHERE t.account = o.account AND t.trading_day = ?1 AND t.broker_order_id = o.broker_order_id)
    AND NOT EXISTS (
        SELECT 1 FROM intents AS i CROSS JOIN orders AS c ON c.client_order_id = i.client_order_id
        WHERE i.trading_day = o.trading_day AND i.leader_account = o.account AND i.leader_order_id = o.broker_order_id
            AND i.serial = 0 AND c.cumulative > 0)
ORDER BY o.trading_day, o.broker_order_id";

impl Reader {
    /// Leader orders of days before `today` that wait still by what is on record, for a session or for a price.
    pub fn waiting(&self, today: TradingDay) -> Result<Vec<Waiting>, ReaderError> {
        self.rows(WAITING, params![today.to_string()], |row| {
            Ok(Waiting {
                account: account(row, "account")?,
                trading_day: day(row, "trading_day")?,
                broker_order_id: broker_order_id(row, "broker_order_id")?,
                segment: word(row, "segment")?,
                entered_at: time(row, "ts_first_event")?,
                is_forever: row.get::<_, Option<bool>>("is_forever")?.unwrap_or_default(),
            })
        })
    }
}
