//! P9: each fill counts once, and none is lost.

use std::collections::{BTreeMap, HashMap};

use super::Look;
use crate::book::BookTrade;
use crate::case::{Case, Child};
use crate::history::{OrderRow, TradeRow, masked};
use crate::when::SECOND;

/// P9.
pub(super) fn once_each(case: &Case<'_>, look: &mut Look) {
    let mut by_order: HashMap<(&str, &str), Vec<&TradeRow>> = HashMap::new();
    for trade in &case.history.trades {
        by_order.entry((&trade.account, &trade.order)).or_default().push(trade);
    }
    for order in &case.history.orders {
        never_falls(case, order, look);
        if order.role == "follower" {
            let trades = by_order.get(&(&*order.account, &*order.id)).map_or(&[][..], Vec::as_slice);
            sums_up(case, order, trades, look);
        }
    }
    counted_once(case, look);
    for (key, mapping) in &case.mappings {
        let copies = || case.children_of(key).filter(|child| child.is_copy());
        let filled: i64 = copies().filter_map(|child| child.order).map(|order| order.cumulative).sum();
        let settled = copies().filter_map(|child| child.order).all(|order| case.is_settled(order.updated));
        let rows = || [vec![mapping.row()], copies().flat_map(Child::rows).collect()].concat();
        look.demand(filled == mapping.filled || !settled, rows, || {
            format!("{} units counted as filled, and its orders come to {filled}", mapping.filled)
        });
    }
    for child in &case.children {
        as_at_the_broker(case, child, look);
    }
    fills_of_the_book(case, &by_order, look);
}

/// The newest state knows every fill and the end that was ever seen.
fn never_falls(case: &Case<'_>, order: &OrderRow, look: &mut Look) {
    let events = case.events(order);
    let most = events.iter().map(|event| event.cumulative).max().unwrap_or_default();
    look.demand(
        order.cumulative >= most,
        || vec![order.row()],
        || format!("{} units stand as filled, and {most} were seen before", order.cumulative),
    );
    let ended = events.iter().find(|event| event.is_end());
    look.demand(
        order.terminal || ended.is_none(),
        || vec![order.row()],
        || {
            let status = ended.map_or("over", |event| &*event.status);
            format!("seen as {status} before, and it stands as {}", order.status)
        },
    );
}

/// The fills of an order come to its cumulative quantity.
fn sums_up(case: &Case<'_>, order: &OrderRow, trades: &[&TradeRow], look: &mut Look) {
    let fires = case.parts(order).iter().any(|part| part.is_whole());
    let sum: i64 = trades.iter().map(|trade| trade.quantity).sum();
    let newest = trades.iter().map(|trade| trade.ts_event).chain([order.updated]).max().unwrap_or_default();
    if fires || sum == order.cumulative || !case.is_settled(newest) {
        return look.saw();
    }
    let rows = [order.row()].into_iter().chain(trades.iter().map(|trade| trade.row())).collect();
    look.saw();
    look.broken(
        format!("its fills come to {sum} units, its cumulative quantity is {}", order.cumulative),
        rows,
    );
}

/// One fill of the exchange's under two orders.
fn counted_once(case: &Case<'_>, look: &mut Look) {
    let mut seen: BTreeMap<_, &TradeRow> = BTreeMap::new();
    for trade in &case.history.trades {
        let key = (&trade.account, &trade.day, &trade.instrument.segment, &trade.id);
        if let Some(other) = seen.insert(key, trade) {
            look.broken(
                format!("fill {} of account {} counts twice", trade.id, masked(&trade.account)),
                vec![other.row(), trade.row()],
            );
        }
    }
}

/// The rows have as much filled as the broker does.
fn as_at_the_broker(case: &Case<'_>, child: &Child<'_>, look: &mut Look) {
    let (Some(order), Some(book)) = (child.order, child.book) else { return };
    let missed =
        order.cumulative < book.filled && book.updated.is_some_and(|updated| case.is_settled(updated));
    let taken = case.book.and_then(|book| book.moment);
    let invented =
        order.cumulative > book.filled && taken.is_some_and(|taken| taken > order.updated + SECOND);
    look.demand(
        !missed && !invented,
        || child.rows(),
        || format!("the broker has filled {} units, the rows {}", book.filled, order.cumulative),
    );
}

/// Fill by fill: none of the book's is missing in the rows, none in the rows is missing in the book.
fn fills_of_the_book(case: &Case<'_>, by_order: &HashMap<(&str, &str), Vec<&TradeRow>>, look: &mut Look) {
    let Some(book) = case.book else { return };
    let ours = case.history.orders.iter().filter(|order| order.role == "follower");
    let ours: HashMap<(&str, &str), &OrderRow> =
        ours.map(|order| ((&*order.account, &*order.id), order)).collect();
    for trade in book.trades.values().filter(|trade| ours.contains_key(&(&*trade.account, &*trade.order))) {
        let rows = by_order.get(&(&*trade.account, &*trade.order)).map_or(&[][..], Vec::as_slice);
        let same = rows.iter().any(|row| row.id == trade.id && row.quantity == trade.quantity);
        let settled = trade.at.is_some_and(|at| case.is_settled(at));
        look.demand(
            same || !settled,
            || vec![BookTrade::row(trade)],
            || format!("the broker's fill {} of {} units is not in the rows", trade.id, trade.quantity),
        );
    }
    for trade in &case.history.trades {
        let key = ((trade.account.clone(), trade.order.clone()), trade.id.clone());
        let taken_later = book.moment.is_some_and(|taken| taken > trade.ts_event + SECOND);
        if book.covers_fills(&trade.account, &trade.day) && taken_later {
            look.demand(
                book.trades.contains_key(&key),
                || vec![trade.row()],
                || format!("fill {} is not in the broker's book", trade.id),
            );
        }
    }
}
