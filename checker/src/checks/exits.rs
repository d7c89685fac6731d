//! P6: the fills of the copies, walked in the order of time.

use std::collections::{BTreeMap, BTreeSet};

use super::Look;
use crate::case::Case;
use crate::history::{Instrument, OpeningRow, OrderRow};
use crate::ledger::{self, Fill};
use crate::when::{self, SECOND};

/// One follower, one day, one instrument.
type Line<'a> = (&'a str, &'a str, &'a Instrument);

/// P6.
pub(super) fn only_reduce(case: &Case<'_>, look: &mut Look) {
    let mut lines: BTreeMap<Line<'_>, Vec<Fill<'_>>> = BTreeMap::new();
    for opening in case.history.openings.iter().filter(|opening| opening.copied != 0) {
        lines.entry((&opening.follower, &opening.day, &opening.instrument)).or_default();
    }
    for fill in ledger::fills(case) {
        let intent = fill.child.intent;
        lines.entry((intent.follower(), &intent.counts_on, &intent.instrument)).or_default().push(fill);
    }
    let leaders = ledger::leader_nets(case);
    for (line, mut fills) in lines {
        fills.sort_by_key(|fill| fill.at);
        let held = walk(case, line, &fills, look);
        let Some(leader) = leaders.get(&(line.1, line.2)).filter(|leader| leader.units == 0) else {
            continue;
        };
        let last = fills.last().map_or(leader.since, |fill| fill.at.max(leader.since));
        // Copies may fill before the leader's own order does.
        let ahead: i64 = fills.iter().filter(|fill| !leader_is_over(case, fill)).map(|fill| fill.units).sum();
        look.saw();
        if held != 0
            && held != ahead
            && case.is_settled(last)
            && !is_told(case, line)
            && !is_closing(case, line)
            && after_own_trades(case, line, held) != 0
        {
            let rows = fills.iter().map(|fill| fill.row.clone()).collect();
            let (follower, day, instrument) = line;
            look.broken(
                format!("on {day} the leader is flat in {instrument}, and {follower} holds {held:+} copied units, untold"),
                rows,
            );
        }
    }
}

/// What is left of copied units when the owner has sold more by his own hand than was his own.
fn after_own_trades(case: &Case<'_>, (follower, day, instrument): Line<'_>, held: i64) -> i64 {
    let accounts: BTreeSet<&str> = case.accounts_of(follower);
    let is_it = |order: &&OrderRow| {
        order.role == "external"
            && order.counts_on == day
            && order.instrument == *instrument
            && accounts.contains(&*order.account)
    };
    let traded: i64 =
        case.history.orders.iter().filter(is_it).map(|order| ledger::own_units(case, order)).sum();
    let own = traded + of_opening(case, (follower, day, instrument), |row| row.own);
    let left = held + own;
    if own.signum() == held.signum() {
        held
    } else if left.signum() == held.signum() {
        left
    } else {
        0
    }
}

fn leader_is_over(case: &Case<'_>, fill: &Fill<'_>) -> bool {
    let (_, account, order, _) = &fill.child.intent.mirror;
    case.order(account, order).is_none_or(|order| order.terminal)
}

/// Counts through the fills; what they leave. Exits may go before entries of the same second, whose order nobody knows, and
/// an exit is judged without the entries that filled since it was sent, too: what leaves together fills in any order.
fn walk(case: &Case<'_>, line: Line<'_>, fills: &[Fill<'_>], look: &mut Look) -> i64 {
    let mut held = of_opening(case, line, |row| row.copied);
    let mut entered: Vec<&Fill<'_>> = Vec::new();
    let mut rest = fills;
    while let Some(first) = rest.first() {
        let second = first.at.div_euclid(SECOND);
        let many = rest.iter().take_while(|fill| fill.at.div_euclid(SECOND) == second).count();
        let (together, later) = rest.split_at(many);
        rest = later;
        let mut waiting: Vec<&Fill<'_>> = together.iter().collect();
        while !waiting.is_empty() {
            let place = next_of(&waiting, held);
            let fill = waiting.remove(place);
            look.saw();
            if !fill.is_exit {
                entered.push(fill);
            } else if !reduces(fill.units, held) && !reduces(fill.units, held - entered_since(fill, &entered))
            {
                too_much(case, line, fill, held, look);
            }
            held += fill.units;
        }
    }
    held
}

/// An exit that reduces, else an entry, else whatever there is.
fn next_of(waiting: &[&Fill<'_>], held: i64) -> usize {
    let reducing = waiting.iter().position(|fill| fill.is_exit && reduces(fill.units, held));
    reducing.or_else(|| waiting.iter().position(|fill| !fill.is_exit)).unwrap_or_default()
}

/// Units of entries that filled since an exit was sent. The broker's times are whole seconds.
fn entered_since(exit: &Fill<'_>, entered: &[&Fill<'_>]) -> i64 {
    let Some(sent) = exit.child.intent.sent else { return 0 };
    let second = sent.div_euclid(SECOND);
    entered.iter().filter(|entry| entry.at.div_euclid(SECOND) >= second).map(|entry| entry.units).sum()
}

const fn reduces(units: i64, held: i64) -> bool {
    held.signum() == -units.signum() && units.abs() <= held.abs()
}

fn too_much(case: &Case<'_>, line: Line<'_>, fill: &Fill<'_>, held: i64, look: &mut Look) {
    let (follower, _, instrument) = line;
    let intent = fill.child.intent;
    let names = [&*instrument.to_string(), &*intent.client_order_id, &*intent.mirror.2];
    // Resting exits may overlap; what they close too much is traded back at once, and said once it is heard.
    let is_told = || case.has_gap(&intent.mirror) || case.was_raised(follower, &names);
    if is_told() || (!case.is_settled(fill.at) && overlaps(case, line, fill)) {
        return;
    }
    look.broken(
        format!(
            "at {} an exit of {follower} traded {:+} units of {instrument} while {held:+} were held by copies",
            when::text(fill.at),
            fill.units
        ),
        [vec![fill.row.clone()], fill.child.rows()].concat(),
    );
}

/// Whether another exit of the instrument worked when this one was sent, or was sent before this fill.
fn overlaps(case: &Case<'_>, (follower, day, instrument): Line<'_>, fill: &Fill<'_>) -> bool {
    let this = fill.child.intent;
    case.children.iter().any(|other| {
        let intent = other.intent;
        let is_of_line =
            intent.follower() == follower && intent.counts_on == day && other.instrument() == instrument;
        let is_other = intent.client_order_id != this.client_order_id;
        is_of_line
            && is_other
            && intent.purpose == "exit"
            && intent.sent.is_some_and(|sent| sent < fill.at)
            && case.ended(other).is_none_or(|ended| this.sent.is_some_and(|sent| ended > sent))
    })
}

fn of_opening(case: &Case<'_>, (follower, day, instrument): Line<'_>, units: fn(&OpeningRow) -> i64) -> i64 {
    let mut openings = case.history.openings.iter();
    let found =
        openings.find(|row| row.follower == follower && row.day == day && row.instrument == *instrument);
    found.map_or(0, units)
}

/// Whether a gap or an open incident says that the copies of an instrument are not what they should be.
fn is_told(case: &Case<'_>, (follower, day, instrument): Line<'_>) -> bool {
    let of_line = || {
        let intents = case.history.intents.iter();
        intents.filter(|intent| {
            intent.follower() == follower && intent.counts_on == day && intent.instrument == *instrument
        })
    };
    let name = instrument.to_string();
    let ids = of_line().flat_map(|intent| [&*intent.client_order_id, &*intent.mirror.2]);
    let names: Vec<&str> = ids.chain([&*name]).collect();
    of_line().any(|intent| case.has_gap(&intent.mirror)) || case.is_open(follower, &names)
}

/// Whether an exit still works: it is chased until it fills.
fn is_closing(case: &Case<'_>, (follower, day, instrument): Line<'_>) -> bool {
    case.children.iter().any(|child| {
        let intent = child.intent;
        let is_of_it =
            intent.follower() == follower && intent.counts_on == day && child.instrument() == instrument;
        is_of_it && intent.purpose == "exit" && case.ended(child).is_none()
    })
}
