//! What each account's fills come to: ours by the order that they fill, the leader's and other people's by instrument.

use std::collections::HashMap;

use crate::case::{Case, Child};
use crate::history::{Instrument, OrderRow};

/// One fill of an order of ours.
#[derive(Debug, Clone)]
pub(crate) struct Fill<'a> {
    pub(crate) child: &'a Child<'a>,
    /// Whether it was sent to close: an exit, or an exit leg.
    pub(crate) is_exit: bool,
    /// Units, signed.
    pub(crate) units: i64,
    pub(crate) at: i64,
    /// The row it stands on.
    pub(crate) row: String,
}

/// How an order of the broker's belongs to a decision of ours.
#[derive(Debug, Clone, Copy)]
struct Owned<'a> {
    child: &'a Child<'a>,
    is_exit: bool,
}

/// Every fill of every order of ours: from the broker's book where it shows the day, else from the rows. What the rows
/// only have as an order's cumulative quantity counts as one fill at its newest report.
pub(crate) fn fills<'a>(case: &'a Case<'a>) -> Vec<Fill<'a>> {
    let owned = owned(case);
    let by_book = |account: &str, day: &str| case.book.is_some_and(|book| book.covers_fills(account, day));
    let mut told: HashMap<(&str, &str), i64> = HashMap::new();
    let mut fills = Vec::new();
    for trade in case.book.into_iter().flat_map(|book| book.trades.values()) {
        let key = (&*trade.account, &*trade.order);
        let (Some(owner), Some(at)) = (owned.get(&key), trade.at) else { continue };
        *told.entry(key).or_default() += trade.quantity;
        fills.push(Fill {
            child: owner.child,
            is_exit: owner.is_exit,
            units: trade.sign * trade.quantity,
            at,
            row: trade.row(),
        });
    }
    for trade in case.history.trades.iter().filter(|trade| !by_book(&trade.account, &trade.day)) {
        let key = (&*trade.account, &*trade.order);
        let Some(owner) = owned.get(&key) else { continue };
        *told.entry(key).or_default() += trade.quantity;
        fills.push(Fill {
            child: owner.child,
            is_exit: owner.is_exit,
            units: trade.sign * trade.quantity,
            at: trade.ts_event,
            row: trade.row(),
        });
    }
    for order in case.history.orders.iter().filter(|order| !by_book(&order.account, &order.counts_on)) {
        let key = (&*order.account, &*order.id);
        let Some(owner) = owned.get(&key) else { continue };
        let rest = own_units(case, order).abs() - told.get(&key).copied().unwrap_or_default();
        if rest > 0 {
            fills.push(Fill {
                child: owner.child,
                is_exit: owner.is_exit,
                units: order.sign * rest,
                at: order.ts_event,
                row: order.row(),
            });
        }
    }
    fills
}

/// Every order at the broker that a decision of ours led to: the order itself, its exit legs, what it left by firing.
fn owned<'a>(case: &'a Case<'a>) -> HashMap<(&'a str, &'a str), Owned<'a>> {
    let mut owned = HashMap::new();
    for child in &case.children {
        let account = &*child.intent.account;
        let is_exit = child.intent.purpose == "exit";
        let ids = [child.order.map(|order| &*order.id), child.book.map(|order| &*order.id)];
        for id in ids.into_iter().flatten() {
            owned.insert((account, id), Owned { child, is_exit });
        }
        for part in child.order.into_iter().flat_map(|order| case.parts(order)) {
            owned.insert((account, &*part.id), Owned { child, is_exit: is_exit || !part.is_whole() });
        }
    }
    owned
}

/// The units that an order has traded itself, signed: none of one that trades by what it leaves when it fires.
pub(crate) fn own_units(case: &Case<'_>, order: &OrderRow) -> i64 {
    let fires = case.parts(order).iter().any(|part| part.is_whole());
    if fires { 0 } else { order.sign * order.cumulative }
}

/// The leader's net in an instrument on a day: what he held when copying was armed, and what his orders have traded.
pub(crate) struct LeaderNet {
    pub(crate) units: i64,
    /// His newest report.
    pub(crate) since: i64,
}

/// The net of every instrument that a leader has traded on a day, by day, account and instrument.
pub(crate) fn leader_nets<'a>(case: &'a Case<'a>) -> HashMap<(&'a str, &'a Instrument), LeaderNet> {
    let mut nets: HashMap<(&str, &Instrument), LeaderNet> = HashMap::new();
    // What an operator had closed stands as an order of the follower's own account, and is no leader's.
    let of_leader = |order: &&OrderRow| order.role == "leader" && !case.followers.contains(&*order.account);
    for order in case.history.orders.iter().filter(of_leader) {
        let net = nets
            .entry((&*order.counts_on, &order.instrument))
            .or_insert_with(|| LeaderNet { units: opening(case, order), since: 0 });
        net.units += own_units(case, order) - order.sign * order.exited;
        net.since = net.since.max(order.updated);
    }
    nets
}

fn opening(case: &Case<'_>, order: &OrderRow) -> i64 {
    let mut openings = case.history.openings.iter();
    let found = openings
        .find(|row| row.day == order.counts_on && row.instrument == order.instrument && row.leader != 0);
    found.map_or(0, |row| row.leader)
}
