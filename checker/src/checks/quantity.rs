//! P5 and P10: no more than the target; and where the broker filled more, it is said.

use super::Look;
use crate::book::BookOrder;
use crate::case::{COPY, Case, Child};
use crate::history::MappingRow;

/// P5: what a mirror has filled or may yet fill, beside its target.
///
/// The target may fall after the placing. What was filled before stays, and is a gap on record once the leader's order is
/// over; what still works is taken back, and whether that came to something is P7's to say.
pub(super) fn within_target(case: &Case<'_>, look: &mut Look) {
    for (key, mapping) in &case.mappings {
        look.saw();
        let (copies, repairs): (Vec<&Child<'_>>, Vec<&Child<'_>>) =
            case.children_of(key).partition(|child| child.is_copy());
        copies_within(case, mapping, &copies, look);
        let (filled, repairing) = (filled(&copies), exposure(case, &repairs));
        if repairing > filled {
            look.broken(
                format!(
                    "orders that make a gap good come to {repairing} units, of {filled} that the copy filled"
                ),
                rows(mapping, &repairs),
            );
        }
    }
}

fn copies_within(case: &Case<'_>, mapping: &MappingRow, copies: &[&Child<'_>], look: &mut Look) {
    let at_rest = copies.iter().all(|child| is_settled(case, child)) && case.is_settled(mapping.updated);
    if !at_rest || is_told(case, mapping, copies) {
        return;
    }
    let (filled, target) = (filled(copies), mapping.target);
    let placed = copies.iter().map(|child| child.intent.created).max().unwrap_or_default();
    let (taken_back, kept): (Vec<&Child<'_>>, Vec<&Child<'_>>) =
        copies.iter().partition(|child| is_taken_back(case, child, placed));
    let worst = exposure(case, &kept) + self::filled(&taken_back);
    // What may yet fill beyond the target has no excuse in a gap of what was filled.
    let may_fill_beyond = worst > target.max(filled) && mapping.outcome != "detached";
    // A target that fell since says why; what filled meanwhile of what was asked for before is no fault.
    let allowed = mapping.reason.as_ref().and(mapping.sized).unwrap_or_default().max(target);
    let filled_beyond = filled > allowed && leader_is_over(case, mapping) && !case.has_gap(&mapping.key);
    if may_fill_beyond || filled_beyond {
        look.broken(
            format!(
                "{filled} units filled and {} that may yet fill, of a target of {target}",
                worst - filled
            ),
            rows(mapping, copies),
        );
    }
}

/// Whether its cancel was asked for, and nothing was placed beside it since.
fn is_taken_back(case: &Case<'_>, child: &Child<'_>, placed: i64) -> bool {
    case.changes(child).iter().any(|change| {
        change.kind == "cancel"
            && !matches!(change.state.as_str(), "VOIDED" | "REFUSED")
            && change.created >= placed
    })
}

fn leader_is_over(case: &Case<'_>, mapping: &MappingRow) -> bool {
    let leader = case.order(mapping.leader_account(), mapping.leader_order());
    leader.is_some_and(|order| order.terminal && case.is_settled(order.updated))
}

fn is_settled(case: &Case<'_>, child: &Child<'_>) -> bool {
    let changed = case.changes(child).iter().map(|change| change.updated);
    let reported = child.order.map(|order| order.updated);
    case.is_settled(changed.chain(reported).chain([child.intent.updated]).max().unwrap_or_default())
}

fn is_told(case: &Case<'_>, mapping: &MappingRow, children: &[&Child<'_>]) -> bool {
    let ids = children.iter().map(|child| &*child.intent.client_order_id);
    let names: Vec<&str> = ids.chain([mapping.leader_order()]).collect();
    case.was_raised(mapping.follower(), &names)
}

/// By the rows or by the book, whichever is more.
fn exposure(case: &Case<'_>, children: &[&Child<'_>]) -> i64 {
    let of = |child: &&Child<'_>| {
        let of_book = child.book.map_or(0, BookOrder::exposure);
        case.exposure(child).max(of_book)
    };
    children.iter().map(of).sum()
}

fn filled(children: &[&Child<'_>]) -> i64 {
    let of = |child: &&Child<'_>| {
        let of_book = child.book.map_or(0, |order| order.filled);
        child.order.map_or(0, |order| order.cumulative).max(of_book)
    };
    children.iter().map(of).sum()
}

fn rows(mapping: &MappingRow, children: &[&Child<'_>]) -> Vec<String> {
    [mapping.row()].into_iter().chain(children.iter().flat_map(|child| child.rows())).collect()
}

/// P10: more filled than ordered is said, and stands in the rows as the broker has it.
pub(super) fn overfill_raised(case: &Case<'_>, look: &mut Look) {
    for child in &case.children {
        let ordered = [
            child.order.map(|order| (order.cumulative, order.quantity)),
            child.book.map(|order| (order.filled, order.quantity)),
        ];
        look.saw();
        let Some((filled, quantity)) =
            ordered.into_iter().flatten().find(|(filled, quantity)| filled > quantity)
        else {
            continue;
        };
        let intent = child.intent;
        let names = [&*intent.client_order_id, &*intent.mirror.2];
        let has_gap = intent.leg == COPY && case.has_gap(&intent.mirror);
        if !has_gap && !case.was_raised(intent.follower(), &names) && case.is_settled(intent.updated) {
            look.broken(
                format!("{filled} units filled of {quantity} ordered, and nobody was told"),
                child.rows(),
            );
        }
    }
}
