//! P3 and P4: what is not known stays unknown until something proves it.

use super::Look;
use crate::case::{Case, Child};
use crate::history::IntentRow;
use crate::when::{self, SECOND};

/// So many settle times after it was sent an order in doubt is one that people are told of.
const SETTLE_TIMES: i64 = 2;

/// P3: no conclusion without evidence, and none against it; and what stays in doubt is told.
pub(super) fn ended_by_evidence(case: &Case<'_>, look: &mut Look) {
    let bound = SETTLE_TIMES * settle_time(case).max().unwrap_or_default();
    let (today, started) = (case.history.moment.map(when::day), case.history.started);
    // One of an earlier day or life has a promise of its own.
    let is_of_this_life = |intent: &IntentRow| {
        today.as_ref() == Some(&intent.counts_on) && started.is_none_or(|started| intent.updated >= started)
    };
    for child in &case.children {
        look.saw();
        let intent = child.intent;
        let settled = case.is_settled(intent.updated);
        let at_broker = child.order.is_some() || child.book.is_some();
        match intent.state.as_str() {
            "REFUSED" if !intent.is_refused_on_record => {
                look.broken("called refused without any word of the broker's".to_owned(), child.rows());
            }
            "REFUSED" | "NOT_SENT" | "ABSENT" if at_broker && settled => {
                look.broken(format!("called {} while the broker has the order", intent.state), child.rows());
            }
            "UNKNOWN" | "SENDING" if child.book.is_some() && settled && !is_told(case, child) => {
                look.broken("the broker has the order, and nobody took note of it".to_owned(), child.rows());
            }
            "UNKNOWN" | "SENDING"
                if is_of_this_life(intent)
                    && case.is_settled_for(bound, intent.updated)
                    && !is_told(case, child) =>
            {
                let since = when::text(intent.updated);
                look.broken(format!("in doubt since {since}, and nobody was told"), child.rows());
            }
            "ACKED" => taken_is_there(case, child, look),
            _ => {}
        }
    }
    for change in case.history.intents.iter().filter(|intent| !intent.is_place()) {
        look.demand(
            change.state != "REFUSED" || change.is_refused_on_record,
            || vec![change.row()],
            || format!("a {} is called refused without any word of the broker's", change.kind),
        );
    }
}

/// An order that the broker took must be known to him.
fn taken_is_there(case: &Case<'_>, child: &Child<'_>, look: &mut Look) {
    let intent = child.intent;
    let Some(id) = &intent.broker_order_id else { return };
    if let Some(book) = case.book.filter(|book| book.covers(&intent.account, &intent.day)) {
        let key = (intent.account.clone(), id.clone());
        // A book that was taken before the order is no witness.
        let taken_later = book.moment.is_some_and(|taken| taken > intent.updated + SECOND);
        if taken_later && !book.orders.contains_key(&key) && !book.listed.contains(&key) {
            look.broken(format!("called taken as {id}, which the broker's book does not have"), child.rows());
        }
    }
    if child.order.is_none() && case.is_settled(intent.updated) && !is_told(case, child) {
        look.broken(format!("taken as {id}, and nothing was ever recorded of that order"), child.rows());
    }
}

fn is_told(case: &Case<'_>, child: &Child<'_>) -> bool {
    let intent = child.intent;
    case.is_open(
        intent.follower(),
        &[&intent.client_order_id, &intent.mirror.2, &intent.instrument.to_string()],
    )
}

/// What the settle time ever was, in microseconds.
fn settle_time(case: &Case<'_>) -> impl Iterator<Item = i64> {
    case.history.numbers("recovery.settle_ms").into_iter().map(|millis| millis * 1000)
}

/// P4: an order is called absent only after the broker's books had the time to show it, and then it never appears.
pub(super) fn absent_late(case: &Case<'_>, look: &mut Look) {
    let settle = settle_time(case).min().unwrap_or_default();
    for child in case.children.iter().filter(|child| child.intent.state == "ABSENT") {
        let intent = child.intent;
        let waited = intent.sent.map(|sent| intent.updated - sent);
        look.demand(
            waited.is_none_or(|waited| waited >= settle),
            || child.rows(),
            || {
                format!(
                    "called absent at {}, sooner after sending than the settle time of {} ms",
                    when::text(intent.updated),
                    settle / 1000
                )
            },
        );
        look.demand(
            child.book.is_none(),
            || child.rows(),
            || "called absent, and the broker's book has it".to_owned(),
        );
    }
}
