//! What of earlier days may rest at the broker still: after-market orders wait for a session, forever orders for a price.

use std::collections::BTreeSet;

use rusqlite::params;
use tandem_domain::ids::{BrokerOrderId, DhanClientId, FollowerId};
use tandem_domain::time::TradingDay;

use super::Reader;
use super::columns::convert;
use crate::store::error::ReaderError;

const RESTING: &str = "
SELECT i.leader_order_id FROM orders AS o JOIN intents AS i ON i.client_order_id = o.client_order_id
WHERE o.terminal = 0 AND o.account = ?2 AND o.trading_day < ?3 AND i.follower_id = ?1 AND i.kind = 'place'
UNION
SELECT leader_order_id FROM intents
WHERE follower_id = ?1 AND account = ?2 AND trading_day < ?3 AND kind = 'place' AND state IN ('SENDING', 'UNKNOWN')";

impl Reader {
    /// Leader orders of which a copy was placed before `today`, and is not known to be over.
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
