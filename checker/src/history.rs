//! The history: the rows of Tandem's database that a promise speaks of, read in one consistent state.

mod read;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

pub(crate) use self::rows::{
    AuditRow, EventRow, GapRow, IncidentRow, Instrument, IntentRow, MappingRow, MirrorKey, OpeningRow,
    OrderRow, PositionRow, TradeRow, TradingRow, is_end, masked,
};

/// Everything, as it stood when it was read.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) orders: Vec<OrderRow>,
    pub(crate) events: Vec<EventRow>,
    pub(crate) trades: Vec<TradeRow>,
    pub(crate) mappings: Vec<MappingRow>,
    pub(crate) intents: Vec<IntentRow>,
    pub(crate) gaps: Vec<GapRow>,
    pub(crate) openings: Vec<OpeningRow>,
    pub(crate) positions: Vec<PositionRow>,
    /// When each account's positions of a day were read last.
    pub(crate) snapshots: BTreeMap<(String, String), i64>,
    pub(crate) incidents: Vec<IncidentRow>,
    pub(crate) audit: Vec<AuditRow>,
    /// The last entry of the audit log that there should be, and its hash.
    pub(crate) audit_head: (i64, Vec<u8>),
    pub(crate) trading: Vec<TradingRow>,
    /// Accounts whose money was ever read.
    pub(crate) accounts: BTreeSet<String>,
    /// Every value that each key of the settings ever had.
    pub(crate) settings: BTreeMap<String, BTreeSet<String>>,
    /// What SQLite says of the file: damage, and rows that refer to none.
    pub(crate) damage: Vec<String>,
    /// Stored texts that look like an access token, by table and key.
    pub(crate) secrets: Vec<String>,
    /// How many stored texts were looked at for that.
    pub(crate) texts: usize,
    /// The newest moment written anywhere.
    pub(crate) moment: Option<i64>,
    /// When the program started last.
    pub(crate) started: Option<i64>,
}

impl History {
    /// Reads everything, or all that belongs to one day.
    pub(crate) fn read(connection: &mut Connection, day: Option<&str>) -> rusqlite::Result<Self> {
        // One transaction: what a daemon commits meanwhile is not seen by halves.
        let transaction = connection.transaction()?;
        let mut history = read::everything(&transaction, day)?;
        transaction.finish()?;
        history.moment = history.newest();
        history.started =
            history.audit.iter().filter(|entry| entry.event == "started").map(|entry| entry.at).max();
        Ok(history)
    }

    /// The days there are orders or decisions of.
    pub(crate) fn days(&self) -> Vec<String> {
        let days = self.orders.iter().map(|order| &order.counts_on);
        let days: BTreeSet<&String> =
            days.chain(self.intents.iter().map(|intent| &intent.counts_on)).collect();
        days.into_iter().cloned().collect()
    }

    fn newest(&self) -> Option<i64> {
        let orders = self.orders.iter().map(|order| order.updated);
        let intents = self.intents.iter().map(|intent| intent.updated);
        let audit = self.audit.iter().map(|entry| entry.at);
        let incidents = self.incidents.iter().map(|incident| incident.closed.unwrap_or(incident.opened));
        let read = self.snapshots.values().copied();
        let health = self.moment;
        orders.chain(intents).chain(audit).chain(incidents).chain(read).chain(health).max()
    }

    /// The numbers that a setting ever was, of any follower: `copy.entry_age_ms_max` is `follower[0].copy...` too.
    pub(crate) fn numbers(&self, key: &str) -> Vec<i64> {
        let known = self.settings.iter().filter(|(known, _)| is_named(known, key));
        known.flat_map(|(_, values)| values.iter().filter_map(|value| value.parse().ok())).collect()
    }
}

/// Whether a recorded key is this one, for all or for one follower. A follower's own of `broker.limits` are `broker_limits`.
fn is_named(recorded: &str, key: &str) -> bool {
    let of_follower = recorded.strip_prefix("follower[").and_then(|rest| rest.split_once("]."));
    let Some((_, own)) = of_follower else { return recorded == key };
    own == key
        || key
            .strip_prefix("broker.limits.")
            .is_some_and(|limit| own.strip_prefix("broker_limits.") == Some(limit))
}

#[cfg(test)]
mod tests {
    use super::is_named;

    #[test]
    fn a_followers_own_setting_is_known_by_its_name() {
        for recorded in ["broker.limits.orders_per_second", "follower[12].broker_limits.orders_per_second"] {
            assert!(is_named(recorded, "broker.limits.orders_per_second"), "{recorded}");
            assert!(!is_named(recorded, "broker.limits.orders_per_minute"), "{recorded}");
        }
        assert!(is_named("follower[0].copy.entry_age_ms_max", "copy.entry_age_ms_max"));
        for other in ["follower[0].sizing.fixed_lots", "follower[0].id", "copy.on"] {
            assert!(!is_named(other, "copy.entry_age_ms_max"), "{other}");
        }
    }
}
