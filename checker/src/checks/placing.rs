//! P1 and P2: what reached the broker was decided first, and once.

use std::collections::{BTreeMap, BTreeSet};

use super::Look;
use crate::book::BookOrder;
use crate::case::{Case, Child, OUR_TAG};
use crate::history::{IntentRow, OrderRow};
use crate::when::{self, SECOND};

/// How far the broker's clock and ours may differ; his times have whole seconds.
const CLOCK_SKEW: i64 = 2 * SECOND;

/// P1: every order with our mark has a decision, made no later than it came.
pub(super) fn durable_first(case: &Case<'_>, look: &mut Look) {
    let decided: BTreeSet<&str> = case.children.iter().map(|child| &*child.intent.client_order_id).collect();
    for order in placed_whole(case).filter(|order| case.followers.contains(&*order.account)) {
        let tag = order.client_order_id.as_deref().or(order.tag.as_deref());
        if let Some(tag) = tag.filter(|tag| tag.starts_with(OUR_TAG)) {
            look.demand(decided.contains(tag), || vec![order.row()], || undecided(&order.id, tag));
        }
    }
    for order in case.book.into_iter().flat_map(|book| book.orders.values()) {
        let is_follower = case.followers.contains(&*order.account);
        if let Some(tag) =
            order.tag.as_deref().filter(|tag| tag.starts_with(OUR_TAG) && is_follower && !order.is_leg)
        {
            look.demand(decided.contains(tag), || vec![order.row()], || undecided(&order.id, tag));
        }
    }
    for intent in &case.history.intents {
        recorded_before_sent(intent, look);
    }
    for child in &case.children {
        arrived_after_decided(child, look);
        is_as_decided(child, look);
    }
}

/// Orders that somebody placed at the broker, by the rows: no exit legs, nothing that a forever order left. What stands
/// in the leader's place is none of ours; in a follower's account it is an operator's square-off, which no broker knows.
fn placed_whole<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a OrderRow> {
    let orders = case.history.orders.iter();
    orders.filter(|order| order.is_whole() && order.parent.is_none() && order.role != "leader")
}

fn undecided(id: &str, tag: &str) -> String {
    format!(
        "order {id} carries Tandem's mark {tag}, and no row decided it (another installation looks the same)"
    )
}

fn recorded_before_sent(intent: &IntentRow, look: &mut Look) {
    let Some(sent) = intent.sent else { return };
    let recorded = intent.committed.unwrap_or(intent.created).max(intent.created);
    look.demand(
        recorded <= sent,
        || vec![intent.row()],
        || {
            format!(
                "the request left at {}, before its row was committed at {}",
                when::text(sent),
                when::text(recorded)
            )
        },
    );
}

fn arrived_after_decided(child: &Child<'_>, look: &mut Look) {
    let of_book = child.book.and_then(|order| order.created);
    let Some(arrived) = of_book.or_else(|| child.order.map(|order| order.ts_first_event)) else { return };
    let intent = child.intent;
    look.demand(intent.created <= arrived + CLOCK_SKEW, || child.rows(), || {
        format!(
            "the broker had the order at {}, before it was decided at {} (is this machine's clock right?)",
            when::text(arrived),
            when::text(intent.created)
        )
    });
    look.demand(
        intent.state != "PLANNED",
        || child.rows(),
        || "the broker has the order, and its row says that it is still held back".to_owned(),
    );
}

/// The account, the instrument and the side cannot change on the way.
fn is_as_decided(child: &Child<'_>, look: &mut Look) {
    let intent = child.intent;
    let of_rows = child.order.map(|order| (&order.account, &order.instrument, order.sign));
    let of_book = child.book.map(|order| (&order.account, &order.instrument, order.sign));
    let decided = (&intent.account, &intent.instrument, intent.sign);
    for found in [of_rows, of_book].into_iter().flatten() {
        look.demand(
            found == decided,
            || child.rows(),
            || {
                "the order is in another account, of another instrument or on the other side than was decided"
                    .to_owned()
            },
        );
    }
}

/// P2: never two that may fill for one key, by the rows and in the book.
pub(super) fn one_alive(case: &Case<'_>, look: &mut Look) {
    let mut by_key: BTreeMap<_, Vec<&Child<'_>>> = BTreeMap::new();
    for child in &case.children {
        let intent = child.intent;
        by_key.entry((&intent.mirror, intent.leg, intent.slice)).or_default().push(child);
    }
    for children in by_key.values_mut() {
        children.sort_by_key(|child| child.intent.attempt);
        look.saw();
        for pair in children.windows(2) {
            over_before_the_next(case, pair[0], pair[1], look);
        }
        let alive: Vec<&&Child<'_>> =
            children.iter().filter(|child| child.book.is_some_and(|order| !order.is_over())).collect();
        if alive.len() > 1 {
            let rows = alive.iter().flat_map(|child| child.rows()).collect();
            look.broken(format!("{} attempts of one key work at the broker together", alive.len()), rows);
        }
    }
    same_tag_twice(case, look);
}

fn over_before_the_next(case: &Case<'_>, before: &Child<'_>, next: &Child<'_>, look: &mut Look) {
    let began = next.intent.created;
    if case.ended(before).is_some_and(|ended| ended <= began) {
        return;
    }
    look.broken(
        format!(
            "attempt {} was decided at {} while attempt {} could still fill",
            next.intent.attempt,
            when::text(began),
            before.intent.attempt
        ),
        before.rows().into_iter().chain(next.rows()).collect(),
    );
}

fn same_tag_twice(case: &Case<'_>, look: &mut Look) {
    let mut by_tag: BTreeMap<(&str, &str), BTreeMap<&str, String>> = BTreeMap::new();
    let ours = |tag: &&str| tag.starts_with(OUR_TAG);
    for order in placed_whole(case) {
        if let Some(tag) = order.tag.as_deref().filter(ours) {
            by_tag.entry((&order.account, tag)).or_default().insert(&order.id, OrderRow::row(order));
        }
    }
    for order in case.book.into_iter().flat_map(|book| book.orders.values()).filter(|order| !order.is_leg) {
        // What a forever order leaves when it fires may carry its mark.
        let fired = case.order(&order.account, &order.id).is_some_and(|row| row.parent.is_some());
        if let Some(tag) = order.tag.as_deref().filter(ours).filter(|_| !fired) {
            by_tag.entry((&order.account, tag)).or_default().insert(&order.id, BookOrder::row(order));
        }
    }
    for ((account, tag), orders) in by_tag {
        if case.followers.contains(account) && orders.len() > 1 {
            let rows = orders.into_values().collect();
            look.broken(format!("one mark, {tag}, is on several orders"), rows);
        }
    }
}
