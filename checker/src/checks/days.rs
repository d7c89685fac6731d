//! P20 and P29: what a stop or a day's end left open is taken up or told, and never sent again.

use super::Look;
use crate::case::Case;
use crate::history::IntentRow;
use crate::when;

/// P20: what was on the wire when the program stopped is resolved once it runs again.
pub(super) fn nothing_left_by_a_crash(case: &Case<'_>, look: &mut Look) {
    let Some(started) = case.history.started else { return };
    let today = case.history.moment.map(when::day);
    let left = |intent: &&IntentRow| {
        intent.is_in_doubt() && intent.updated < started && today.as_ref() == Some(&intent.counts_on)
    };
    look.saw();
    for intent in case.history.intents.iter().filter(left) {
        look.demand(
            !case.is_settled(started) || is_told(case, intent),
            || vec![intent.row()],
            || {
                format!(
                    "on the wire since {}, before the start at {}, and neither resolved nor told of since",
                    when::text(intent.updated),
                    when::text(started)
                )
            },
        );
    }
}

/// P29: nothing leaves on a later day than its own, and nothing of yesterday stays open without an incident.
pub(super) fn nothing_of_yesterday(case: &Case<'_>, look: &mut Look) {
    let today = case.history.moment.map(when::day);
    for intent in &case.history.intents {
        if let Some(sent) = intent.sent.filter(|_| !intent.after_market) {
            let day = when::day(sent);
            look.demand(
                day <= intent.counts_on,
                || vec![intent.row()],
                || format!("decided for {}, and sent on {day}", intent.day),
            );
        }
        let is_of_yesterday = today.as_ref().is_some_and(|today| intent.counts_on < *today);
        if intent.is_in_doubt() && is_of_yesterday {
            let kept = is_told(case, intent) || !case.is_settled(intent.updated);
            look.demand(
                kept,
                || vec![intent.row()],
                || format!("of {} and not resolved, without an open incident", intent.day),
            );
        }
    }
}

fn is_told(case: &Case<'_>, intent: &IntentRow) -> bool {
    let instrument = intent.instrument.to_string();
    case.is_open(intent.follower(), &[&intent.client_order_id, &intent.mirror.2, &instrument])
        || case.was_settled(intent.follower(), &instrument)
}
