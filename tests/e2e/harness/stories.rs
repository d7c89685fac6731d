//! More of what Tandem recorded: how a copy differs in kind, every request about it, whose orders they are.

use tandem_domain::ids::BrokerOrderId;

use super::{Records, until};

/// A request of any kind, from `intents`; money in 1/10,000 rupee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) kind: String,
    pub(crate) part: Option<String>,
    pub(crate) state: String,
    pub(crate) leg: u8,
    pub(crate) slice: u16,
    pub(crate) attempt: u16,
    pub(crate) quantity: u32,
    pub(crate) price: i64,
}

/// A row of `orders`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrderRow {
    pub(crate) broker_order_id: String,
    pub(crate) role: String,
    pub(crate) leg: String,
    pub(crate) parent: Option<String>,
    pub(crate) status: String,
}

impl Records {
    /// How the copy of a leader order differs in kind.
    pub(crate) fn note(&self, leader_order: &BrokerOrderId, follower: &str) -> Option<String> {
        let sql = "SELECT note FROM copy_mappings WHERE leader_order_id = ?1 AND follower_id = ?2";
        let notes = self.rows(sql, &[leader_order.as_str(), follower], |row| row.get(0));
        notes.into_iter().next().flatten()
    }

    /// Every request that a leader order led to at a follower, in the order they were decided.
    pub(crate) fn steps(&self, leader_order: &BrokerOrderId, follower: &str) -> Vec<Step> {
        let sql = "SELECT kind, part, state, leg, slice, attempt, quantity, price FROM intents
            WHERE leader_order_id = ?1 AND follower_id = ?2 ORDER BY created_at, leg, slice, attempt, serial";
        self.rows(sql, &[leader_order.as_str(), follower], |row| {
            Ok(Step {
                kind: row.get(0)?,
                part: row.get(1)?,
                state: row.get(2)?,
                leg: row.get(3)?,
                slice: row.get(4)?,
                attempt: row.get(5)?,
                quantity: row.get(6)?,
                price: row.get(7)?,
            })
        })
    }

    /// The orders known of an account, by their ids.
    pub(crate) fn known_orders(&self, account: &str) -> Vec<OrderRow> {
        let sql = "SELECT broker_order_id, role, leg, parent_order_id, status FROM orders
            WHERE account = ?1 ORDER BY broker_order_id";
        self.rows(sql, &[account], |row| {
            Ok(OrderRow {
                broker_order_id: row.get(0)?,
                role: row.get(1)?,
                leg: row.get(2)?,
                parent: row.get(3)?,
                status: row.get(4)?,
            })
        })
    }

    /// Waits until a leader order's known copies have these states, in the order they were planned.
    #[track_caller]
    pub(crate) fn until_copies(&self, leader_order: &BrokerOrderId, follower: &str, states: &[&str]) {
        until(&format!("copies of {leader_order} at {follower} are {states:?}"), || {
            let intents = self.intents(leader_order, follower);
            let known: Vec<&str> = intents.iter().filter_map(|intent| intent.status.as_deref()).collect();
            (known == states).then_some(())
        });
    }
}
