//! Tables for the surprising merges, and the property of the module: a permutation of frames then a snapshot.

mod carried;
mod forevers;
mod supers;
mod trades;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::instrument::{ExchangeSegment, InstrumentKey, SecurityId};
use crate::order::{EvidenceSource, OrderReport, OrderType};
use crate::order::{Product, Side, TimeInForce};

fn limit(quantity: u32, paise: u32) -> OrderTerms {
    OrderTerms {
        instrument: InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(43_125) },
        side: Side::Buy,
        product: Product::Margin,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Day,
        quantity: Quantity::new(quantity),
        disclosed: Quantity::ZERO,
        price: Price::from_paise(paise),
        trigger: Price::ZERO,
        after_market: false,
        form: crate::order::OrderForm::Ordinary,
    }
}

fn stop(quantity: u32, paise: u32, trigger: u32) -> OrderTerms {
    OrderTerms {
        order_type: OrderType::StopLoss,
        trigger: Price::from_paise(trigger),
        ..limit(quantity, paise)
    }
}

fn frame(second: i64, status: BrokerStatus, cumulative: u32, terms: OrderTerms) -> OrderReport {
    OrderReport {
        account: DhanClientId::new("1000000101").unwrap(),
        broker_order_id: BrokerOrderId::new("221261123048117").unwrap(),
        exchange_order_id: None,
        tag: None,
        terms,
        status,
        cumulative: Quantity::new(cumulative),
        average_price: Price::from_paise(if cumulative > 0 { 10_000 } else { 0 }),
        reason: None,
        leg: Leg::Single,
        ts_event: Timestamp::from_micros(second * 1_000_000),
        ts_exchange: None,
        ts_created: None,
        parent: None,
        last_price: None,
        source: EvidenceSource::Stream,
    }
}

fn book_row(report: OrderReport) -> OrderReport {
    OrderReport { source: EvidenceSource::Book, ..report }
}

fn merged(reports: &[OrderReport]) -> LeaderOrder {
    let mut book = LeaderBook::new(Timestamp::EPOCH.trading_day());
    for report in reports {
        book.merge(report, Timestamp::EPOCH);
    }
    (**book.get(&reports[0].broker_order_id).unwrap()).clone()
}

#[test]
fn a_repeated_frame_changes_nothing() {
    let mut book = LeaderBook::new(Timestamp::EPOCH.trading_day());
    let report = frame(1, BrokerStatus::Pending, 0, limit(260, 10_000));
    assert!(matches!(book.merge(&report, Timestamp::EPOCH), Merge::Changed(_)));
    assert_eq!(book.merge(&report, Timestamp::EPOCH), Merge::Unchanged);
}

#[test]
fn quantity_and_end_never_go_back() {
    let order = merged(&[
        frame(5, BrokerStatus::Cancelled, 130, limit(260, 10_000)),
        frame(4, BrokerStatus::PartTraded, 130, limit(260, 10_000)),
        frame(9, BrokerStatus::Pending, 65, limit(260, 10_000)),
    ]);
    assert_eq!((order.status, order.cumulative.get()), (BrokerStatus::Cancelled, 130));
}

#[test]
fn a_fired_stop_is_not_the_leaders_change() {
    let asked = stop(260, 9_900, 10_000);
    let order = merged(&[
        frame(1, BrokerStatus::Pending, 0, asked.clone()),
        frame(8, BrokerStatus::Pending, 0, limit(260, 9_900)),
        frame(9, BrokerStatus::Traded, 260, limit(260, 9_900)),
    ]);
    assert_eq!((order.terms, order.status), (asked, BrokerStatus::Traded));
}

/// All that a new life hears of it is what the broker made of it.
#[test]
fn a_stop_that_fired_in_an_earlier_life_is_a_stop_still() {
    let asked = stop(260, 9_900, 10_000);
    let first = frame(1, BrokerStatus::Pending, 0, asked.clone());
    let known = LeaderOrder { ts_first_seen: Timestamp::from_micros(7), ..merged(&[first]) };
    let mut book = LeaderBook::new(Timestamp::EPOCH.trading_day());
    book.remember([Arc::new(known)]);
    assert!(book.is_empty() && book.iter().next().is_none(), "what is remembered alone is told to nobody");
    let row = book_row(frame(8, BrokerStatus::Pending, 0, limit(260, 9_900)));
    let Merge::Changed(order) = book.merge(&row, Timestamp::from_micros(9)) else { panic!("it is news") };
    assert_eq!((&order.terms, order.ts_first_seen), (&asked, Timestamp::from_micros(7)));
    // What he changes is his change all the same.
    let changed = book_row(frame(9, BrokerStatus::Pending, 0, stop(260, 9_800, 9_900)));
    let Merge::Changed(order) = book.merge(&changed, Timestamp::from_micros(10)) else {
        panic!("it is news")
    };
    assert_eq!(order.terms, stop(260, 9_800, 9_900));
}

/// Of a stop without a limit the price beyond its trigger is the broker's; one that waits on the other side of it is his.
#[test]
fn a_limit_that_a_fired_stop_cannot_have_become_is_the_leaders_change() {
    for (shown, is_his) in [(10_300, false), (10_000, false), (9_995, true)] {
        let asked = OrderTerms { order_type: OrderType::StopLossMarket, ..stop(260, 0, 10_000) };
        let shown = limit(260, shown);
        let order = merged(&[
            frame(1, BrokerStatus::Pending, 0, asked.clone()),
            book_row(frame(8, BrokerStatus::PartTraded, 65, shown.clone())),
        ]);
        assert_eq!(order.terms, if is_his { shown } else { asked });
    }
}

#[test]
fn a_change_marked_modified_is_the_leaders_change() {
    let order = merged(&[
        frame(1, BrokerStatus::Pending, 0, stop(260, 9_900, 10_000)),
        frame(8, BrokerStatus::Modified, 0, limit(260, 9_900)),
    ]);
    assert_eq!(order.terms, limit(260, 9_900));
}

#[test]
fn two_changes_of_one_second_ask_for_the_book_which_decides() {
    let mut book = LeaderBook::new(Timestamp::EPOCH.trading_day());
    let (one, two) = (limit(260, 10_100), limit(260, 10_200));
    book.merge(&frame(1, BrokerStatus::Pending, 0, limit(260, 10_000)), Timestamp::EPOCH);
    book.merge(&frame(2, BrokerStatus::Modified, 0, two.clone()), Timestamp::EPOCH);
    let merge = book.merge(&frame(2, BrokerStatus::Modified, 0, one.clone()), Timestamp::EPOCH);
    assert_eq!(merge, Merge::Contradiction);
    let row = book_row(frame(2, BrokerStatus::Pending, 0, one.clone()));
    let Merge::Changed(order) = book.merge(&row, Timestamp::EPOCH) else { panic!("the book decides") };
    assert_eq!(order.terms, one);
}

#[test]
fn two_rows_of_one_second_are_told_apart_by_when_they_were_read() {
    let mut book = LeaderBook::new(Timestamp::EPOCH.trading_day());
    for (read, paise) in [(1, 10_100), (2, 10_000), (3, 10_100), (3, 10_100)] {
        let row = book_row(frame(5, BrokerStatus::Pending, 0, limit(260, paise)));
        book.merge(&row, Timestamp::from_micros(read));
    }
    let order = book.iter().next().unwrap();
    assert_eq!(order.terms.price, Price::from_paise(10_100));
}

#[test]
fn a_last_price_is_kept_and_is_no_news() {
    let mut book = LeaderBook::new(Timestamp::EPOCH.trading_day());
    let quoted = |paise| OrderReport {
        last_price: Some(Price::from_paise(paise)),
        ..frame(1, BrokerStatus::Pending, 0, limit(260, 10_000))
    };
    let Merge::Changed(before) = book.merge(&quoted(9_990), Timestamp::EPOCH) else { panic!("a new order") };
    assert_eq!(book.merge(&quoted(10_010), Timestamp::EPOCH), Merge::Unchanged);
    let after = book.iter().next().unwrap();
    assert_eq!(after.last_price, Some(Price::from_paise(10_010)));
    assert_eq!((&before, before.fingerprint()), (after, after.fingerprint()));
}

#[test]
fn an_ordinary_orders_fingerprint_is_the_one_of_earlier_versions() {
    let order = merged(&[frame(1, BrokerStatus::Pending, 0, limit(260, 10_000))]);
    assert_eq!(order.fingerprint(), 497_720_394_576_055_869);
}

#[test]
fn a_first_frame_that_is_over_stands_for_what_was_filled() {
    let order = merged(&[frame(1, BrokerStatus::Cancelled, 130, limit(260, 10_000))]);
    assert!(order.is_accepted());
    assert_eq!(order.standing_quantity().get(), 130);
    let rejected = merged(&[frame(1, BrokerStatus::Rejected, 0, limit(260, 10_000))]);
    assert!(!rejected.is_accepted());
}

/// One true life of an order: what the broker would send, frame by frame, and the book row at its end.
fn life() -> impl Strategy<Value = (Vec<OrderReport>, OrderReport)> {
    let steps = proptest::collection::vec((0u8..5, 0i64..3, 1u32..9), 0..12);
    (any::<bool>(), steps).prop_map(|(starts_as_stop, steps)| {
        let mut terms = if starts_as_stop { stop(650, 9_900, 10_000) } else { limit(650, 9_900) };
        let (mut second, mut filled) = (10, 0);
        let mut frames = vec![frame(second, BrokerStatus::Pending, 0, terms.clone())];
        let mut status = BrokerStatus::Pending;
        for (kind, gap, size) in steps {
            if status.is_terminal() {
                break;
            }
            second += gap;
            match kind {
                0 => {
                    terms.price = Price::from_paise(9_900 + 5 * size);
                    status = BrokerStatus::Modified;
                }
                1 if terms.order_type == OrderType::StopLoss => {
                    terms = limit(650, u32::try_from(terms.price.units() / 100).unwrap());
                    status = BrokerStatus::Pending;
                }
                2 | 3 => {
                    filled = (filled + 65 * size).min(650);
                    status = if filled == 650 { BrokerStatus::Traded } else { BrokerStatus::PartTraded };
                }
                4 if size > 6 => status = BrokerStatus::Cancelled,
                _ => {}
            }
            frames.push(frame(second, status.clone(), filled, terms.clone()));
        }
        let end = if status == BrokerStatus::Modified { BrokerStatus::Pending } else { status };
        let last = book_row(frame(second, end, filled, terms));
        (frames, last)
    })
}

proptest! {
    #[test]
    fn any_permutation_and_repetition_followed_by_a_snapshot_gives_the_same_book(
        (frames, snapshot) in life(),
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 0..30),
        seed in any::<prop::sample::Index>(),
    ) {
        let mut in_order = frames.clone();
        in_order.push(snapshot.clone());

        let mut shuffled: Vec<_> = frames.clone();
        shuffled.extend(picks.iter().map(|pick| frames[pick.index(frames.len())].clone()));
        let turn = seed.index(shuffled.len());
        shuffled.rotate_left(turn);
        shuffled.reverse();
        for (at, pick) in picks.iter().enumerate() {
            let other = pick.index(shuffled.len());
            let here = at % shuffled.len();
            shuffled.swap(here, other);
        }
        shuffled.push(snapshot);

        let (one, other) = (merged(&in_order), merged(&shuffled));
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(one.fingerprint(), other.fingerprint());
    }
}
