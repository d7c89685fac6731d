//! P7 and P8: a cancel wins or is reported; what was voided stays here.

use super::Look;
use crate::book::BookOrder;
use crate::case::{Case, Child};
use crate::history::OrderRow;
use crate::when;

/// P7: every cancel ends with the order's end, or with somebody told; and so does the leader's own.
pub(super) fn pursued(case: &Case<'_>, look: &mut Look) {
    for child in &case.children {
        for cancel in case.changes(child).iter().filter(|change| change.kind == "cancel") {
            let is_of_a_leg = cancel.part.as_deref().is_some_and(|part| part != "whole" && part != "entry");
            if is_of_a_leg || cancel.state == "VOIDED" || !case.is_settled(cancel.updated) {
                continue;
            }
            look.demand(
                is_over(case, child) || is_told(case, child),
                || vec![cancel.row(), child.intent.row()],
                || {
                    format!(
                        "a cancel asked for at {} has come to nothing, and nobody was told",
                        when::text(cancel.created)
                    )
                },
            );
        }
        over_at_the_broker_too(case, child, look);
        follows_the_leader(case, child, look);
    }
}

fn is_over(case: &Case<'_>, child: &Child<'_>) -> bool {
    case.ended(child).is_some() || child.book.is_some_and(BookOrder::is_over)
}

fn is_told(case: &Case<'_>, child: &Child<'_>) -> bool {
    let intent = child.intent;
    let order = intent.broker_order_id.as_deref().unwrap_or_default();
    let instrument = intent.instrument.to_string();
    case.is_open(intent.follower(), &[&intent.client_order_id, &intent.mirror.2, &instrument, order])
}

/// An order that the rows call over must not work on.
fn over_at_the_broker_too(case: &Case<'_>, child: &Child<'_>, look: &mut Look) {
    let (Some(order), Some(book)) = (child.order, child.book) else { return };
    let taken = case.book.and_then(|book| book.moment);
    if !order.terminal || taken.is_none_or(|taken| taken < order.updated) {
        return;
    }
    look.demand(
        book.is_over(),
        || child.rows(),
        || format!("the rows call the order {}, and at the broker it is {}", order.status, book.status),
    );
}

/// Once the leader's order is gone without a fill, its copy must not rest on.
fn follows_the_leader(case: &Case<'_>, child: &Child<'_>, look: &mut Look) {
    let (_, leader_account, leader_order, _) = &child.intent.mirror;
    let gone = |order: &&OrderRow| {
        matches!(order.status.as_str(), "CANCELLED" | "REJECTED") && order.cumulative == 0
    };
    let Some(leader) = case.order(leader_account, leader_order).filter(gone) else { return };
    let detached =
        case.mappings.get(&child.intent.mirror).is_some_and(|mapping| mapping.outcome == "detached");
    if !child.is_copy()
        || detached
        || !case.is_settled(leader.updated)
        || !case.is_settled(child.intent.updated)
    {
        return;
    }
    look.demand(
        is_over(case, child) || is_told(case, child),
        || [vec![leader.row()], child.rows()].concat(),
        || "the leader's order is gone, its copy still works, and nobody was told".to_owned(),
    );
}

/// P8: what is called voided is not at the broker.
pub(super) fn voided_stays_here(case: &Case<'_>, look: &mut Look) {
    for child in case.children.iter().filter(|child| child.intent.state == "VOIDED") {
        let is_there = child.book.is_some() || child.order.is_some();
        look.demand(
            !is_there,
            || child.rows(),
            || "called voided before it was sent, and the broker has it".to_owned(),
        );
    }
}
