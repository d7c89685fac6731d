//! P17: what a follower's trading state forbids does not happen, and nothing but an operator ends a halt.

use std::collections::BTreeMap;

use super::Look;
use crate::case::Case;
use crate::history::{AuditRow, IntentRow};
use crate::when;

/// A request whose door was shut between looking and writing counts as before it: microseconds.
const AT_THE_DOOR: i64 = 50_000;

/// P17.
pub(super) fn state_obeyed(case: &Case<'_>, look: &mut Look) {
    let mut by_follower: BTreeMap<&str, Vec<Change<'_>>> = BTreeMap::new();
    for change in changes(&case.history.audit) {
        if let (Some(follower), Some(_)) = (&change.entry.subject, &change.entry.new_state) {
            by_follower.entry(follower).or_default().push(change);
        }
    }
    for (follower, changes) in &by_follower {
        let ends = changes.iter().skip(1).map(|next| next.no_sooner).chain([i64::MAX]);
        for (change, until) in changes.iter().zip(ends) {
            look.saw();
            if change.entry.new_state.as_deref() == Some("active") {
                by_an_operator(change.entry, look);
            } else {
                nothing_opened(case, follower, change, until, look);
            }
        }
    }
    for stands in &case.history.trading {
        let last = by_follower.get(&*stands.follower).and_then(|changes| changes.last());
        let recorded = last.map_or(Some("active"), |change| change.entry.new_state.as_deref());
        let row = || vec![format!("trading_states {}", stands.follower)];
        look.demand(recorded == Some(&*stands.state), row, || {
            format!(
                "{} stands as {}, and no entry of the audit log made it so",
                stands.follower, stands.state
            )
        });
    }
}

/// An entry of the audit log, and between which moments it was made.
struct Change<'a> {
    entry: &'a AuditRow,
    no_sooner: i64,
    no_later: i64,
}

/// The entries in their order. One whose time does not fit in with those before and after it was made by another clock
/// (an operator's on another machine; one that was set): it was made somewhere between them.
fn changes(entries: &[AuditRow]) -> impl Iterator<Item = Change<'_>> {
    let mut after: Vec<i64> = entries
        .iter()
        .rev()
        .scan(i64::MAX, |least, entry| {
            let later = *least;
            *least = entry.at.min(later);
            Some(later)
        })
        .collect();
    after.reverse();
    entries.iter().zip(after).scan(i64::MIN, |most, (entry, after)| {
        let before = *most;
        *most = entry.at.max(before);
        let fits = (before..=after).contains(&entry.at);
        let (no_sooner, no_later) = if fits { (entry.at, entry.at) } else { (before, after) };
        Some(Change { entry, no_sooner, no_later })
    })
}

fn by_an_operator(change: &AuditRow, look: &mut Look) {
    look.demand(
        change.actor == "operator",
        || vec![format!("audit_log {}", change.id)],
        || format!("{} armed a follower again: only an operator may", change.actor),
    );
}

fn nothing_opened(case: &Case<'_>, follower: &str, change: &Change<'_>, until: i64, look: &mut Look) {
    let stopped = change.no_later.saturating_add(AT_THE_DOOR);
    let change = change.entry;
    let left = |intent: &&IntentRow| {
        intent.follower() == follower
            && intent.purpose == "entry"
            && intent.state != "VOIDED"
            && intent.sent.is_some_and(|sent| sent > stopped && sent < until)
    };
    for intent in case.history.intents.iter().filter(left) {
        if intent.is_place() || raises(case, intent) {
            let rows = vec![format!("audit_log {} {}", change.id, change.event), intent.row()];
            let sent = intent.sent.map(when::text).unwrap_or_default();
            look.broken(format!("an entry of {follower} left at {sent}, after a {}", change.event), rows);
        }
    }
}

/// Whether a change asks for more units than anything before it.
fn raises(case: &Case<'_>, change: &IntentRow) -> bool {
    let before = case.history.intents.iter().filter(|intent| {
        intent.client_order_id == change.client_order_id
            && intent.kind != "cancel"
            && intent.serial < change.serial
    });
    change.kind == "modify"
        && before.map(|intent| intent.quantity).max().is_some_and(|most| change.quantity > most)
}
