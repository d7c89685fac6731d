//! P12 and P13: what the leader did is known, and what came too late was left alone.

use std::collections::{BTreeSet, HashMap};

use super::Look;
use crate::case::{Case, Child};
use crate::history::{Instrument, MappingRow, OrderRow};
use crate::when::{self, SECOND};

/// The broker's times have whole seconds, and the two clocks may differ a little.
const COARSE: i64 = 2 * SECOND;

/// How long something must have been on record when an entry left to have kept it from leaving. What comes meanwhile may
/// make it due again: the broker's times are whole seconds, and what is heard of later may have come first.
const KNOWN: i64 = 2 * SECOND;

/// P12: every order of the leader's book is in the rows, with as much filled.
pub(super) fn none_missed(case: &Case<'_>, look: &mut Look) {
    let leaders = case.history.mappings.iter().map(MappingRow::leader_account);
    // An operator's own square-off of earlier days has the follower's account in the leader's place.
    let leaders: BTreeSet<&str> = leaders.filter(|account| !case.followers.contains(account)).collect();
    let days: BTreeSet<&str> = case.history.mappings.iter().map(MappingRow::day).collect();
    for order in case.book.into_iter().flat_map(|book| book.orders.values()) {
        let copied_then = order.created.is_some_and(|at| days.contains(&*when::day(at)));
        let settled = order.updated.is_some_and(|at| case.is_settled(at));
        if order.is_leg || !leaders.contains(&*order.account) || !copied_then || !settled {
            continue;
        }
        let known = case.order(&order.account, &order.id);
        let rows = || [vec![order.row()], known.map(OrderRow::row).into_iter().collect()].concat();
        look.demand(known.is_some_and(|known| known.cumulative == order.filled), rows, || match known {
            None => format!("the leader's order {} is not in the rows", order.id),
            Some(known) => format!(
                "the leader's order {} has {} units filled, the rows have {}",
                order.id, order.filled, known.cumulative
            ),
        });
    }
}

/// P13: no first entry for an order of the leader's that was over longer ago than entries may be old, and none at all for
/// one whose units he was known to have left again.
pub(super) fn not_late(case: &Case<'_>, look: &mut Look) {
    let lines = lines(case);
    for child in case.children.iter().filter(|child| child.is_copy() && !child.intent.stayed_here()) {
        not_left_again(case, child, &lines, look);
    }
    let Some(oldest) = case.history.numbers("copy.entry_age_ms_max").into_iter().max() else { return };
    for key in case.mappings.keys() {
        let sent = case.children_of(key).filter(|child| child.is_copy() && !child.intent.stayed_here());
        let Some(first) = sent.min_by_key(|child| child.intent.sent) else { continue };
        look.saw();
        if let Some((executed, left)) = since_executed(case, first)
            && first.intent.purpose == "entry"
            && left - executed > oldest * 1000 + COARSE
        {
            look.broken(
                format!(
                    "an entry left at {}, {} s after the leader's order was over; {} s are allowed",
                    when::text(left),
                    (left - executed) / SECOND,
                    oldest / 1000
                ),
                first.rows(),
            );
        }
    }
}

/// When the leader's order was over, having filled, and when its copy left. One that still worked as far as was on record
/// then was rightly copied as such: a process that stood still hears late of both.
fn since_executed(case: &Case<'_>, child: &Child<'_>) -> Option<(i64, i64)> {
    let (_, account, id, _) = &child.intent.mirror;
    let order = case.order(account, id)?;
    let left = child.intent.sent?;
    let known = case.events(order).iter().filter(|event| event.ts_init <= left - KNOWN);
    let over = known.filter(|event| event.is_end() && event.cumulative > 0);
    Some((over.map(|event| event.ts_event).min()?, left))
}

/// Orders by day, account and instrument.
type Lines<'a> = HashMap<(&'a str, &'a str, &'a Instrument), Vec<&'a OrderRow>>;

fn lines<'a>(case: &Case<'a>) -> Lines<'a> {
    let mut lines = Lines::new();
    for order in &case.history.orders {
        lines.entry((&order.counts_on, &order.account, &order.instrument)).or_default().push(order);
    }
    lines
}

/// A round trip of the leader's that is known as a whole is not played again.
fn not_left_again(case: &Case<'_>, child: &Child<'_>, lines: &Lines<'_>, look: &mut Look) {
    let intent = child.intent;
    let (_, account, id, _) = &intent.mirror;
    let (Some(sent), "entry", Some(leader)) = (intent.sent, &*intent.purpose, case.order(account, id)) else {
        return;
    };
    let known_by = intent.decided.unwrap_or(sent).min(sent) - KNOWN;
    let was_over = case.events(leader).iter().any(|event| event.is_end() && event.ts_init <= known_by);
    let his = lines.get(&(&*intent.counts_on, &**account, child.instrument())).map_or(&[][..], Vec::as_slice);
    let nets = leader_nets(case, his, known_by, sent).unwrap_or_default();
    look.demand(
        !was_over || nets.is_empty() || nets.iter().any(|net| net.signum() == intent.sign),
        || [vec![leader.row()], child.rows()].concat(),
        || {
            format!(
                "an entry left at {}, for an order whose units the leader had left again: he held {:+}",
                when::text(sent),
                nets.first().copied().unwrap_or_default()
            )
        },
    );
}

/// What the leader held of an instrument by all that was on record at a moment, and whenever more was until another, by his
/// orders of the day. None where exit legs traded for orders, of which the rows do not tell when.
fn leader_nets(case: &Case<'_>, his: &[&OrderRow], from: i64, until: i64) -> Option<Vec<i64>> {
    let mut openings = case.history.openings.iter();
    let opening = his.first().and_then(|order| {
        openings.find(|row| row.day == order.counts_on && row.instrument == order.instrument)
    });
    let opening = opening.map_or(0, |row| row.leader);
    if his.iter().any(|order| order.exited != 0 || !order.is_whole() || !case.parts(order).is_empty()) {
        return None;
    }
    let net_by = |moment: i64| {
        let filled = |order: &OrderRow| {
            let told = case.events(order).iter().filter(|event| event.ts_init <= moment);
            order.sign * told.map(|event| event.cumulative).max().unwrap_or_default()
        };
        opening + his.iter().map(|order| filled(order)).sum::<i64>()
    };
    let told = his.iter().flat_map(|order| case.events(order)).map(|event| event.ts_init);
    let moments: BTreeSet<i64> = told.filter(|at| (from..=until).contains(at)).chain([from]).collect();
    Some(moments.into_iter().map(net_by).collect())
}
