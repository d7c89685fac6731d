//! P26: everything leads back to a leader's order, and every leader's order to one outcome for each follower.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Look;
use crate::case::{Case, Child};
use crate::history::MappingRow;

/// P26.
pub(super) fn explained(case: &Case<'_>, look: &mut Look) {
    copies_lead_back(case, look);
    leader_orders_lead_on(case, look);
    for mapping in case.mappings.values() {
        outcome_is_true(case, mapping, look);
    }
    for stands in &case.history.trading {
        let row = || vec![format!("trading_states {}", stands.follower)];
        look.demand(stands.state == "active" || stands.cause.is_some(), row, || {
            format!("{} is {}, and nothing says why", stands.follower, stands.state)
        });
    }
}

fn copies_lead_back(case: &Case<'_>, look: &mut Look) {
    let events: HashSet<_> = case
        .history
        .events
        .iter()
        .map(|event| (&*event.account, &*event.day, &*event.id, event.fingerprint))
        .collect();
    for child in &case.children {
        let (day, account, order, _) = &child.intent.mirror;
        let leads_back = case.mappings.contains_key(&child.intent.mirror)
            && child
                .intent
                .event
                .is_some_and(|event| events.contains(&(&**account, &**day, &**order, event)));
        look.demand(leads_back, || child.rows(), || "no event of a leader's order led to this".to_owned());
    }
    let decided: BTreeSet<&str> = case.children.iter().map(|child| &*child.intent.client_order_id).collect();
    for order in case.history.orders.iter().filter(|order| order.role == "follower") {
        let traced = match (&order.client_order_id, &order.parent) {
            (Some(id), _) => decided.contains(&**id),
            (None, Some(parent)) => case.order(&order.account, parent).is_some(),
            (None, None) => false,
        };
        look.demand(
            traced,
            || vec![order.row()],
            || format!("order {} counts as a copy, and nothing says of what", order.id),
        );
    }
}

/// Each follower of a day has one row for each order of the leader's; the key allows no second.
fn leader_orders_lead_on(case: &Case<'_>, look: &mut Look) {
    let mut followers: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for mapping in case.mappings.values() {
        followers.entry((mapping.day(), mapping.leader_account())).or_default().insert(mapping.follower());
    }
    let leaders = case.history.orders.iter().filter(|order| order.role == "leader" && order.is_whole());
    for order in leaders.filter(|order| case.is_settled(order.updated)) {
        for follower in followers.get(&(&*order.day, &*order.account)).into_iter().flatten() {
            let key = (order.day.clone(), order.account.clone(), order.id.clone(), (*follower).to_owned());
            look.demand(
                case.mappings.contains_key(&key),
                || vec![order.row()],
                || format!("the leader's order {} has no outcome for {follower}", order.id),
            );
        }
    }
}

fn outcome_is_true(case: &Case<'_>, mapping: &MappingRow, look: &mut Look) {
    let of_it = || case.children_of(&mapping.key);
    match mapping.outcome.as_str() {
        "sent" => {
            let left = of_it().any(|child| !matches!(child.intent.state.as_str(), "PLANNED" | "VOIDED"));
            look.demand(
                left || !case.is_settled(mapping.updated),
                || vec![mapping.row()],
                || "called sent, and nothing ever left".to_owned(),
            );
        }
        "skipped" | "voided" => {
            let alive = of_it().find(|child| case.ended(child).is_none());
            let rows = || [vec![mapping.row()], alive.map(Child::rows).unwrap_or_default()].concat();
            look.demand(alive.is_none() || !case.is_settled(mapping.updated), rows, || {
                format!("called {}, and an order of it may still fill", mapping.outcome)
            });
        }
        "awaiting_leader" | "waiting" => {
            let leader = case.order(mapping.leader_account(), mapping.leader_order());
            let over = leader.is_some_and(|order| order.terminal && case.is_settled(order.updated));
            look.demand(
                !over || !case.is_settled(mapping.updated),
                || vec![mapping.row()],
                || format!("the leader's order is over, and its copy is still {}", mapping.outcome),
            );
        }
        _ => look.saw(),
    }
}
