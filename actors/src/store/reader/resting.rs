//! What of earlier days may rest at the broker still: after-market orders wait for a session, forever orders for a price.

use std::collections::BTreeSet;

use rusqlite::params;
use tandem_domain::ids::{BrokerOrderId, DhanClientId, FollowerId};
use tandem_domain::time::TradingDay;

use super::Reader;
use super::columns::convert;
use crate::store::error::ReaderError;

// What was carried over is known by its own day, and followed. By the index of what is not over, not by that of the account.
const RESTING: &str = "
SELECT i.leader_order_id FROM orders AS o JOIN intents AS i ON i.client_order_id = o.client_order_id
WHERE o.terminal = 0 AND +o.account = ?2 AND o.trading_day < ?3 AND o.carried_to IS NOT ?3 AND i.follower_id = ?1
    AND i.kind = 'place'
UNION
SELECT i.leader_order_id FROM intents AS i JOIN orders AS l
    ON l.account = i.leader_account AND l.trading_day = i.trading_day AND l.broker_order_id = i.leader_order_id
WHERE i.follower_id = ?1 AND i.account = ?2 AND i.trading_day < ?3 AND i.kind = 'place'
    AND i.state IN ('SENDING', 'UNKNOWN') AND l.carried_to IS NOT ?3
UNION
SELECT l.broker_order_id FROM orders AS l
    JOIN intents AS i ON i.trading_day = l.trading_day AND i.leader_account = l.account
        AND i.leader_order_id = l.broker_order_id AND i.follower_id = ?1 AND i.serial = 0
    JOIN orders AS o ON o.client_order_id = i.client_order_id
WHERE l.role = 'leader' AND l.terminal = 0 AND l.trading_day < ?3 AND l.carried_to IS NOT ?3 AND o.account = ?2
    AND o.cumulative > 0";

impl Reader {
    /// Leader orders of which a copy was placed before `today`, and is not known to be over or has filled before its order was.
    pub fn resting(
        &self,
        follower: &FollowerId,
        account: &DhanClientId,
        today: TradingDay,
    ) -> Result<BTreeSet<BrokerOrderId>, ReaderError> {
        self.look(|connection| {
            let mut statement = connection.prepare_cached(RESTING)?;
            let keys = params![follower.as_str(), account.as_str(), today.to_string()];
            let found = statement.query_map(keys, |row| {
                convert(row, "leader_order_id", |text: String| BrokerOrderId::new(text))
            })?;
            found.collect()
        })
    }
}
