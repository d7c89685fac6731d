//! P11: what an account holds is what the rows explain, or an incident is open.

use std::collections::BTreeMap;

use super::Look;
use crate::case::Case;
use crate::history::{Instrument, OrderRow, masked};
use crate::ledger;
use crate::when::{self, SECOND};

/// How far positions may lag behind fills.
const LAG: i64 = 5 * SECOND;

/// What an account did in an instrument on a day, by its orders: ours and other people's.
#[derive(Debug, Default)]
struct Traded {
    units: i64,
    /// The newest fill's order, by the broker's time.
    last: i64,
    rows: Vec<String>,
}

/// P11.
pub(super) fn equal_or_told(case: &Case<'_>, look: &mut Look) {
    let mut traded: BTreeMap<(&str, &str, &Instrument), Traded> = BTreeMap::new();
    for order in case.history.orders.iter().filter(|order| order.role != "leader") {
        let units = ledger::own_units(case, order);
        let line = traded.entry((&*order.account, &*order.counts_on, &order.instrument)).or_default();
        if units != 0 {
            line.units += units;
            line.last = line.last.max(order.ts_event).max(order.updated);
            line.rows.push(OrderRow::row(order));
        }
    }
    // Net, and of it what was held before the day, all products together.
    let mut read: BTreeMap<(&str, &str, &Instrument), (i64, i64)> = BTreeMap::new();
    for row in &case.history.positions {
        let (net, carried) = read.entry((&*row.account, &*row.day, &row.instrument)).or_default();
        (*net, *carried) = (*net + row.net, *carried + row.carried);
        traded.entry((&*row.account, &*row.day, &row.instrument)).or_default();
    }
    for ((account, day, instrument), traded) in &traded {
        let Some(taken) = case.history.snapshots.get(&((*account).to_owned(), (*day).to_owned())) else {
            continue;
        };
        if !case.followers.contains(account) {
            continue;
        }
        let (net, carried) = read.get(&(*account, *day, *instrument)).copied().unwrap_or_default();
        let expected = carried + traded.units;
        let comparable = *taken > traded.last + LAG && case.is_settled(traded.last);
        let place = Place { account, day, instrument };
        if comparable {
            compare(case, &place, expected, net, when::text(*taken), traded, look);
        }
        if let Some(net) = of_book(case, &place, traded) {
            compare(case, &place, expected, net, "the end".to_owned(), traded, look);
        }
    }
}

/// Where something is held.
struct Place<'a> {
    account: &'a str,
    day: &'a str,
    instrument: &'a Instrument,
}

fn compare(
    case: &Case<'_>,
    place: &Place<'_>,
    expected: i64,
    net: i64,
    at: String,
    traded: &Traded,
    look: &mut Look,
) {
    let Place { account, day, instrument } = place;
    let name = instrument.to_string();
    let is_told = || case.followers_in(account).iter().any(|follower| case.is_open(follower, &[&name]));
    let rows = || {
        let read = format!("positions {day} {} {instrument}", masked(account));
        [read].into_iter().chain(traded.rows.iter().cloned()).collect()
    };
    look.demand(net == expected || is_told(), rows, || {
        format!(
            "{} holds {net:+} of {instrument} at {at}, the rows explain {expected:+}, untold",
            masked(account)
        )
    });
}

/// The broker's net by the book, if it was taken when the rows knew all its fills.
fn of_book(case: &Case<'_>, place: &Place<'_>, traded: &Traded) -> Option<i64> {
    let book = case.book.filter(|book| book.positions_of.contains(place.account))?;
    let taken = book.moment.filter(|taken| when::day(*taken) == place.day && *taken > traded.last + LAG)?;
    let is_here =
        |account: &str, instrument: &Instrument| account == place.account && instrument == place.instrument;
    let mut fills = book.trades.values().filter(|trade| is_here(&trade.account, &trade.instrument));
    let rows_know_all = fills.all(|trade| trade.at.is_some_and(|at| case.is_settled(at)));
    let same_moment = case.history.moment.is_some_and(|moment| (moment - taken).abs() < when::UNDER_WAY);
    if !rows_know_all || !same_moment {
        return None;
    }
    Some(
        book.positions
            .get(&(place.account.to_owned(), place.instrument.clone()))
            .copied()
            .unwrap_or_default(),
    )
}
