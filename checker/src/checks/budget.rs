//! P18: requests in every sliding window, beside the broker's limits.

use std::collections::BTreeMap;

use super::Look;
use crate::case::Case;
use crate::history::{IntentRow, masked};
use crate::when::{self, SECOND};

/// Setting, length, and the broker's own limit where the settings do not say (`dhanhq-v2.md` section 9.1).
const WINDOWS: [(&str, i64, i64, &str); 4] = [
    ("broker.limits.orders_per_second", SECOND, 10, "second"),
    ("broker.limits.orders_per_minute", 60 * SECOND, 250, "minute"),
    ("broker.limits.orders_per_hour", 3600 * SECOND, 1000, "hour"),
    ("broker.limits.orders_per_day", 24 * 3600 * SECOND, 7000, "day"),
];

/// P18.
pub(super) fn within(case: &Case<'_>, look: &mut Look) {
    let mut by_account: BTreeMap<&str, Vec<(i64, &IntentRow)>> = BTreeMap::new();
    for intent in case.history.intents.iter().filter(|intent| !intent.stayed_here()) {
        if let Some(sent) = intent.sent {
            look.saw();
            by_account.entry(&intent.account).or_default().push((sent, intent));
        }
    }
    for (account, requests) in &mut by_account {
        requests.sort_by_key(|(sent, _)| *sent);
        for (setting, length, usual, name) in WINDOWS {
            // The loosest that ever stood: which settings stood when is not to be known for certain.
            let limit = case.history.numbers(setting).into_iter().max().unwrap_or(usual);
            crowded(account, requests, length, limit, name, look);
        }
    }
    changes_of_one_order(case, look);
}

fn crowded(
    account: &str,
    requests: &[(i64, &IntentRow)],
    length: i64,
    limit: i64,
    name: &str,
    look: &mut Look,
) {
    let mut first = 0;
    for (index, (sent, last)) in requests.iter().enumerate() {
        while requests[first].0 <= sent - length {
            first += 1;
        }
        let inside = index + 1 - first;
        if i64::try_from(inside).is_ok_and(|inside| inside > limit) {
            let text = format!(
                "more than {limit} requests to account {} in a {name}, ending {}",
                masked(account),
                when::text(*sent)
            );
            look.broken(text, vec![requests[first].1.row(), last.row()]);
            return;
        }
    }
}

fn changes_of_one_order(case: &Case<'_>, look: &mut Look) {
    let limit = case.history.numbers("broker.limits.modifications_per_order").into_iter().max().unwrap_or(25);
    for child in &case.children {
        let took = |change: &&&IntentRow| change.kind == "modify" && change.state == "ACKED";
        let made = case.changes(child).iter().filter(took).count();
        if i64::try_from(made).is_ok_and(|made| made > limit) {
            look.broken(format!("{made} changes of one order; the broker takes {limit}"), child.rows());
        }
    }
}
