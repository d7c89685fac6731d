//! Orders that bring their exits: one order each, whatever of them is seen first.

use super::*;
use crate::order::{ExitLegs, LegReport, Product, SuperReport};

const ENTRY: &str = "221261123050011";

fn id(text: &str) -> BrokerOrderId {
    BrokerOrderId::new(text).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

fn rupees(rupees: u32) -> Price {
    Price::from_paise(rupees * 100)
}

fn day() -> TradingDay {
    Timestamp::EPOCH.trading_day()
}

fn entry(second: i64, status: BrokerStatus, cumulative: u32) -> OrderReport {
    OrderReport {
        broker_order_id: id(ENTRY),
        leg: Leg::Entry,
        ..frame(second, status, cumulative, limit(260, 18_200))
    }
}

fn leg_frame(leg: Leg, own: &str, second: i64, status: BrokerStatus, cumulative: u32) -> OrderReport {
    let terms = OrderTerms { side: Side::Sell, ..limit(260, 20_500) };
    OrderReport { broker_order_id: id(own), leg, ..frame(second, status, cumulative, terms) }
}

/// A row of the list: prices in rupees.
#[derive(Debug, Clone)]
struct Listed {
    stop: (u32, BrokerStatus),
    target: (u32, BrokerStatus),
    trailing: u32,
    /// Units of stop and target.
    fired: (u32, u32),
    status: BrokerStatus,
}

fn pending(stop: u32, target: u32, trailing: u32) -> Listed {
    Listed {
        stop: (stop, BrokerStatus::Pending),
        target: (target, BrokerStatus::Pending),
        trailing,
        fired: (0, 0),
        status: BrokerStatus::Traded,
    }
}

fn listed(row: &Listed, second: i64) -> SuperReport {
    let leg = |leg, own: &str, (price, status): &(u32, BrokerStatus), trailing, fired| LegReport {
        leg,
        broker_order_id: Some(id(own)),
        status: status.clone(),
        price: rupees(*price),
        trailing: rupees(trailing),
        triggered: Quantity::new(fired),
    };
    SuperReport {
        entry: book_row(entry(second, row.status.clone(), 260)),
        legs: vec![
            leg(Leg::StopLoss, "S", &row.stop, row.trailing, row.fired.0),
            leg(Leg::Target, "T", &row.target, 0, row.fired.1),
        ],
    }
}

fn exits(order: &LeaderOrder) -> (Option<Price>, Option<Price>, Price) {
    let OrderForm::Super(ExitLegs { target, stop, trailing }) = order.terms.form else {
        panic!("no super order: {order:?}")
    };
    (stop, target, trailing)
}

/// The exits after these rows of the list, read one a second.
fn after(rows: &[Listed]) -> (Option<Price>, Option<Price>, Price) {
    let mut book = LeaderBook::new(day());
    for (second, row) in (10..).zip(rows) {
        book.merge_super(&listed(row, 9), at(second));
    }
    exits(book.get(&id(ENTRY)).unwrap())
}

#[test]
fn an_entry_is_not_told_of_before_its_exits_are_known() {
    let mut book = LeaderBook::new(day());
    assert_eq!(book.merge(&entry(1, BrokerStatus::Pending, 0), at(1)), Merge::NeedsSupers(None));
    assert_eq!((book.get(&id(ENTRY)), book.iter().count(), book.len()), (None, 0, 1));
    assert_eq!(book.without_legs().collect::<Vec<_>>(), [&id(ENTRY)]);
    let Merge::Changed(order) = book.merge_super(&listed(&pending(170, 205, 2), 1), at(2)) else {
        panic!("the list decides")
    };
    assert_eq!(exits(&order), (Some(rupees(170)), Some(rupees(205)), rupees(2)));
    assert!(order.legs_alive() && order.status.is_terminal());
    assert_eq!(book.without_legs().count(), 0);
    let filled = book.merge(&entry(2, BrokerStatus::Traded, 260), at(3));
    assert!(matches!(filled, Merge::Changed(_)), "{filled:?}");
}

#[test]
fn an_entry_rejected_at_once_waits_for_no_exits() {
    let mut book = LeaderBook::new(day());
    book.merge(&entry(1, BrokerStatus::Rejected, 0), at(1));
    assert_eq!(book.get(&id(ENTRY)).unwrap().standing_quantity(), Quantity::ZERO);
}

#[test]
fn a_change_of_the_entry_may_be_one_of_its_exits() {
    let mut book = LeaderBook::new(day());
    let resting = Listed { status: BrokerStatus::Pending, ..pending(170, 205, 0) };
    book.merge_super(&listed(&resting, 1), at(1));
    let mut changed = entry(2, BrokerStatus::Modified, 260);
    changed.terms.price = rupees(181);
    let Merge::NeedsSupers(Some(order)) = book.merge(&changed, at(2)) else { panic!("told of, and read") };
    assert_eq!(order.terms.price, rupees(181));
}

#[test]
fn a15_legs_make_no_order_and_attach_to_their_entry() {
    let mut book = LeaderBook::new(day());
    let stop = leg_frame(Leg::StopLoss, "S", 3, BrokerStatus::Pending, 0);
    assert_eq!(book.merge(&stop, at(3)), Merge::NeedsSupers(None));
    assert_eq!(book.merge(&stop, at(3)), Merge::Unchanged);
    assert_eq!(book.unlinked_legs().collect::<Vec<_>>(), [&id("S")]);
    book.merge_super(&listed(&pending(170, 205, 0), 2), at(4));
    assert_eq!((book.unlinked_legs().count(), book.len()), (0, 1));
    let fired = leg_frame(Leg::StopLoss, "S", 8, BrokerStatus::Traded, 130);
    let Merge::NeedsSupers(Some(order)) = book.merge(&fired, at(8)) else { panic!("its fill counts") };
    assert_eq!((order.exited.get(), order.legs_alive()), (130, true));
}

#[test]
fn a_leg_whose_id_the_list_does_not_tell_is_nothing_to_worry_about() {
    let mut book = LeaderBook::new(day());
    let mut row = listed(&pending(170, 205, 0), 2);
    row.legs[0].broker_order_id = None;
    book.merge_super(&row, at(4));
    book.merge(&leg_frame(Leg::StopLoss, "S", 3, BrokerStatus::Pending, 0), at(4));
    assert_eq!(book.unlinked_legs().count(), 0);
    book.merge(&leg_frame(Leg::Target, "X", 3, BrokerStatus::Pending, 0), at(4));
    assert_eq!(book.unlinked_legs().collect::<Vec<_>>(), [&id("X")]);
}

#[test]
fn b12_what_the_owner_did_to_his_exits_is_told_from_what_happens_by_itself() {
    let gone = |price| (price, BrokerStatus::Cancelled);
    let fired = |price| (price, BrokerStatus::Triggered);
    let first = pending(170, 205, 2);
    let still = pending(170, 205, 0);
    for (what, rows, (stop, target, trailing)) in [
        ("nothing", vec![first.clone()], (Some(170), Some(205), 2)),
        (
            "it trails",
            vec![first.clone(), pending(172, 205, 2), pending(178, 205, 2)],
            (Some(170), Some(205), 2),
        ),
        ("he moves it", vec![first.clone(), pending(173, 205, 2)], (Some(173), Some(205), 2)),
        (
            "he lowers it",
            vec![first.clone(), pending(174, 205, 2), pending(172, 205, 2)],
            (Some(172), Some(205), 2),
        ),
        (
            "he moves what does not trail",
            vec![still.clone(), pending(172, 205, 0)],
            (Some(172), Some(205), 0),
        ),
        ("trail off", vec![first.clone(), pending(174, 205, 0)], (Some(174), Some(205), 0)),
        ("trail on", vec![still.clone(), pending(170, 205, 5)], (Some(170), Some(205), 5)),
        ("target moved while it trails", vec![first, pending(172, 210, 2)], (Some(170), Some(210), 2)),
        (
            "target cancelled",
            vec![still.clone(), Listed { target: gone(205), ..still.clone() }],
            (Some(170), None, 0),
        ),
        (
            "target fires, the broker cancels the stop",
            vec![
                still.clone(),
                Listed { stop: gone(170), target: fired(205), fired: (0, 260), ..still.clone() },
            ],
            (Some(170), Some(205), 0),
        ),
        (
            "all cancelled with the entry",
            vec![
                still.clone(),
                Listed {
                    stop: gone(170),
                    target: gone(205),
                    status: BrokerStatus::Cancelled,
                    ..still.clone()
                },
            ],
            (Some(170), Some(205), 0),
        ),
        (
            "first seen after it fired",
            vec![Listed { stop: fired(170), fired: (260, 0), ..still }],
            (Some(170), Some(205), 0),
        ),
    ] {
        assert_eq!(after(&rows), (stop.map(rupees), target.map(rupees), rupees(trailing)), "{what}");
    }
}

#[test]
fn closed_is_the_end_of_the_legs_too() {
    let mut book = LeaderBook::new(day());
    book.merge_super(&listed(&pending(170, 205, 0), 2), at(4));
    assert!(book.has_living_supers());
    let closed = Listed { status: BrokerStatus::Closed, fired: (0, 260), ..pending(170, 205, 0) };
    let Merge::Changed(order) = book.merge_super(&listed(&closed, 1), at(5)) else { panic!("it is over") };
    assert_eq!((order.status.clone(), order.exited.get()), (BrokerStatus::Closed, 260));
    assert!(!order.legs_alive() && !book.has_living_supers());
    book.merge(&book_row(entry(9, BrokerStatus::Traded, 260)), at(6));
    assert_eq!(book.get(&id(ENTRY)).unwrap().status, BrokerStatus::Closed);
}

#[test]
fn a17_cover_and_bracket_orders_know_their_legs_from_their_own_rows() {
    let of = |product, report: OrderReport| OrderReport {
        terms: OrderTerms { product, ..report.terms.clone() },
        ..report
    };
    let leg = |product, leg, own: &str, trigger: u32| {
        let mut report = of(product, leg_frame(leg, own, 3, BrokerStatus::Pending, 0));
        report.parent = Some(id(ENTRY));
        report.terms.trigger = rupees(trigger);
        report
    };
    // A cover order: its stop makes it whole.
    let mut book = LeaderBook::new(day());
    let cover = of(Product::Cover, entry(1, BrokerStatus::Pending, 0));
    assert_eq!(book.merge(&cover, at(1)), Merge::Contradiction);
    let Merge::Changed(order) = book.merge(&leg(Product::Cover, Leg::StopLoss, "S", 170), at(2)) else {
        panic!("whole")
    };
    assert_eq!(
        (exits(&order), order.terms.product),
        ((Some(rupees(170)), None, Price::ZERO), Product::Cover)
    );
    // A bracket order: both legs, or its own row.
    let mut book = LeaderBook::new(day());
    let bracket = of(Product::Bracket, entry(1, BrokerStatus::Pending, 0));
    book.merge(&bracket, at(1));
    assert_eq!(book.merge(&leg(Product::Bracket, Leg::StopLoss, "S", 170), at(2)), Merge::Unchanged);
    let Merge::Changed(order) = book.merge(&leg(Product::Bracket, Leg::Target, "T", 0), at(2)) else {
        panic!("whole")
    };
    assert_eq!(exits(&order), (Some(rupees(170)), Some(rupees(205)), Price::ZERO));
    let legs = ExitLegs { target: Some(rupees(205)), stop: Some(rupees(170)), trailing: Price::ZERO };
    let mut own = book_row(bracket);
    own.terms.form = OrderForm::Super(legs);
    let Merge::Changed(order) = LeaderBook::new(day()).merge(&own, at(1)) else { panic!("whole") };
    assert_eq!(order.terms.form, own.terms.form);
}

#[test]
fn the_fingerprint_tells_exits_apart() {
    let mut book = LeaderBook::new(day());
    let mut numbers = std::collections::BTreeSet::new();
    for (second, row) in (4..).zip([
        pending(170, 205, 0),
        pending(171, 205, 0),
        pending(171, 206, 0),
        pending(171, 206, 1),
        Listed { fired: (65, 0), ..pending(171, 206, 1) },
    ]) {
        let Merge::Changed(order) = book.merge_super(&listed(&row, 2), at(second)) else { panic!("changed") };
        assert!(numbers.insert(order.fingerprint()), "{row:?}");
    }
}

/// A piece of evidence, with the second in which it was read.
type Seen = (Evidence, i64);

#[derive(Debug, Clone)]
enum Evidence {
    Report(OrderReport),
    Row(SuperReport),
}

fn merge(book: &mut LeaderBook, (seen, second): &Seen) {
    match seen {
        Evidence::Report(report) => book.merge(report, at(*second)),
        Evidence::Row(report) => book.merge_super(report, at(*second)),
    };
}

/// One true life of a super order: frames of entry and legs, rows of the list, and the snapshot at its end.
fn life_of_a_super_order() -> impl Strategy<Value = (Vec<Seen>, Vec<Seen>)> {
    let steps = proptest::collection::vec((0u8..7, 1u32..5), 0..14);
    (any::<bool>(), steps).prop_map(|(trails, steps)| {
        let mut row = pending(170, 205, if trails { 2 } else { 0 });
        row.status = BrokerStatus::Pending;
        let (mut now, mut filled) = (10, 0);
        let mut seen = vec![(Evidence::Report(entry(now, row.status.clone(), 0)), now)];
        let list = |row: &Listed, filled, now| {
            let mut report = listed(row, now);
            report.entry.cumulative = Quantity::new(filled);
            report.entry.average_price = Price::from_paise(if filled > 0 { 10_000 } else { 0 });
            (Evidence::Row(report), now)
        };
        for (kind, size) in steps {
            now += 1;
            match kind {
                0 if row.status == BrokerStatus::Pending => {
                    (row.status, filled) = (BrokerStatus::Traded, 260);
                    seen.push((Evidence::Report(entry(now, BrokerStatus::Traded, filled)), now));
                }
                1 => row.stop.0 += size * row.trailing,
                2 => row.stop.0 = 168 + size,
                3 => row.target.0 = 204 + size,
                4 => row.target.1 = BrokerStatus::Cancelled,
                5 if filled > 0 && row.fired.0 < 260 => {
                    row.fired.0 += 65;
                    row.stop.1 = BrokerStatus::Triggered;
                    let fired = leg_frame(Leg::StopLoss, "S", now, BrokerStatus::PartTraded, row.fired.0);
                    seen.push((Evidence::Report(fired), now));
                }
                _ => {}
            }
            seen.push(list(&row, filled, now));
        }
        now += 1;
        let book = book_row(entry(now, row.status.clone(), filled));
        (seen, vec![list(&row, filled, now), (Evidence::Report(book), now)])
    })
}

proptest! {
    #[test]
    fn frames_and_rows_in_any_order_followed_by_a_snapshot_give_the_same_super_order(
        (seen, snapshot) in life_of_a_super_order(),
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 0..30),
        swaps in proptest::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 0..30),
    ) {
        let (mut one, mut other) = (LeaderBook::new(day()), LeaderBook::new(day()));
        seen.iter().chain(&snapshot).for_each(|seen| merge(&mut one, seen));

        let mut shuffled = seen.clone();
        shuffled.extend(picks.iter().map(|pick| seen[pick.index(seen.len())].clone()));
        for (here, there) in swaps {
            let (here, there) = (here.index(shuffled.len()), there.index(shuffled.len()));
            shuffled.swap(here, there);
        }
        shuffled.iter().chain(&snapshot).for_each(|seen| merge(&mut other, seen));

        let (one, other) = (one.get(&id(ENTRY)).unwrap(), other.get(&id(ENTRY)).unwrap());
        prop_assert_eq!(one, other);
        prop_assert_eq!(one.fingerprint(), other.fingerprint());
    }
}
