//! What has not filled of an entry when the leader sells shrinks with what he holds, and what fills late of it is not sold
//! twice.

use proptest::prelude::{Strategy as _, prop_oneof};

use super::*;

/// D14, D15: the leader has bought four lots and sells; what the follower's entry of two lots has filled by now.
#[test]
fn what_has_not_filled_of_an_entry_shrinks_as_the_leader_leaves() {
    // (filled, leader sells, entry shrinks to, due)
    let table = [
        (0, 2, 1, 0),
        (0, 4, 0, 0),
        (0, 1, 1, 0),
        // What is filled is his share of what the leader keeps; the rest is cancelled.
        (1, 2, 1, 0),
        (1, 4, 1, 1),
        (2, 2, 2, 1),
        (2, 4, 2, 2),
    ];
    for (filled, sold, entry, due) in table {
        let orders = [Order::done(BUY, 1, 4).copied(filled), Order::done(SELL, 5, sold)];
        assert_eq!(parts(&orders), [(0, 0, entry), (due, 0, 0)], "{filled} filled, {sold} sold");
    }
}

/// The leader buys by several orders, none of them filled at the follower when he sells. Rounded one by one each would be
/// a part of a lot short: what is left of them together is the nearest lot.
#[test]
fn what_has_not_filled_of_several_entries_is_rounded_as_one() {
    // (the follower's lots by each, lots of them that go, what each shrinks to)
    let table: [(&[u32], u32, &[u32]); 9] = [
        // 2.8 of 4, 1.4 of 2; their sums are 2.8, 5.6, 8.4, 11.2, 12.6, 14.
        (&[4, 4, 4, 4, 2, 2], 6, &[3, 3, 2, 3, 2, 1]),
        // 1.67 of each: 1.67, 3.33, 5.
        (&[2, 2, 2], 1, &[2, 1, 2]),
        // 0.75 of each: 0.75, 1.5 (a tie goes), 2.25, 3.
        (&[1, 1, 1, 1], 1, &[1, 0, 1, 1]),
        // 0.5 of each: 0.5 (a tie goes), 1, 1.5 (a tie goes), 2.
        (&[1, 1, 1, 1], 2, &[0, 1, 0, 1]),
        // 0.25 of each: 0.25, 0.5 (a tie goes), 0.75, 1.
        (&[1, 1, 1, 1], 3, &[0, 0, 1, 0]),
        // 2.5 of 5: 2.5 (a tie goes), 5.
        (&[5, 5], 5, &[2, 3]),
        // 2.1 of 3, 4.9 of 7: 2.1, 7.
        (&[3, 7], 3, &[2, 5]),
        (&[4], 1, &[3]),
        (&[4, 4, 2], 10, &[0, 0, 0]),
    ];
    for (entries, gone, left) in table {
        for (side, other) in [(BUY, SELL), (SELL, BUY)] {
            let mut orders: Vec<Order> =
                (1_i64..).zip(entries).map(|(placed, lots)| Order::done(side, placed, 2 * lots)).collect();
            orders.push(Order::done(other, 50, 2 * gone));
            let expected = |dues: u32| {
                let cut = left.iter().map(|lots| (0, 0, *lots));
                cut.chain([(dues, 0, 0)]).collect::<Vec<_>>()
            };
            assert_eq!(parts(&orders), expected(0), "{entries:?} less {gone}");
            // Filled so far, and nothing is too much.
            for (order, lots) in orders.iter_mut().zip(left) {
                order.held = u64::from(lots * LOT);
            }
            assert_eq!(parts(&orders), expected(0), "{entries:?} less {gone}, filled");
            // Filled whole before they could be changed: what is too much goes.
            for (order, lots) in orders.iter_mut().zip(entries) {
                order.held = u64::from(lots * LOT);
            }
            assert_eq!(parts(&orders)[entries.len()], (gone, 0, 0), "{entries:?} less {gone}, all filled");
        }
    }
}

/// The first three had filled whole, of the others what was left of them.
#[test]
fn what_filled_before_it_could_shrink_is_sold_for_all_of_them() {
    let filled = [4, 4, 4, 3, 2, 1];
    let entries = (1_i64..).zip([8, 8, 8, 8, 4, 4]).zip(filled);
    let mut orders: Vec<Order> =
        entries.map(|((placed, lots), filled)| Order::done(BUY, placed, lots).copied(filled)).collect();
    orders.push(Order::done(SELL, 50, 12));
    // 18 lots have filled, and 14 are to be held.
    let found = parts(&orders);
    assert_eq!(found[6], (4, 0, 0));
    assert_eq!(found[..6].iter().map(|part| part.2).collect::<Vec<_>>(), [4, 4, 4, 3, 2, 1]);
    assert_eq!(allocated(NOTHING, &orders).pool, Share::from_lots(Lots(14)));
}

/// Cut again and again, and added to in between.
#[test]
fn what_was_cut_does_not_come_back_and_is_cut_from_the_whole() {
    let entry = |placed| Order::done(BUY, placed, 4);
    let openings = |orders: &[Order]| {
        parts(orders).iter().map(|part| part.2).filter(|lots| *lots > 0).collect::<Vec<_>>()
    };
    // 2 of each, 0.8 of it: 1.6, 3.2.
    let mut orders = vec![entry(1), entry(2)];
    orders.push(Order::sold(8, 104));
    assert_eq!(openings(&orders), [2, 1]);
    // 0.9 of that: 1.44, 2.88. Both stay as they are, though 1 and 2 would do as well.
    orders.push(Order::sold(11, 41));
    assert_eq!(openings(&orders), [2, 1]);
    // Two lots join, and half of all goes: 0.72, 1.44, 2.44.
    orders.push(entry(20));
    let net = allocated(NOTHING, &orders).leader;
    orders.push(Order::sold(30, u32::try_from(net / 2).unwrap()));
    assert_eq!(openings(&orders), [1, 1]);
}

/// The leader has bought eight lots and sold half; the entry of four was cut to two, and these fill afterwards.
#[test]
fn a_fill_of_what_was_left_of_an_entry_is_not_sold_again() {
    let orders = |filled| [Order::done(BUY, 1, 8).copied(filled), Order::done(SELL, 5, 4)];
    for filled in 0..=2 {
        assert_eq!(parts(&orders(filled)), [(0, 0, 2), (0, 0, 0)], "{filled} filled");
    }
    // One filled while the cut was on its way.
    assert_eq!(parts(&orders(3)), [(0, 0, 3), (1, 0, 0)]);
}

#[test]
fn what_still_works_at_the_leader_does_not_shrink() {
    // Two of his four lots executed, none of ours; he sells one: half of that one lot is gone, the rest is to come.
    let orders = [Order::works(BUY, 1, 2).filled(2, 2), Order::done(SELL, 5, 1)];
    assert_eq!(parts(&orders), [(0, 0, 1), (0, 0, 0)]);
    let all = [Order::works(BUY, 1, 2).filled(2, 2), Order::done(SELL, 5, 2)];
    assert_eq!(parts(&all), [(0, 0, 1), (0, 0, 0)]);
}

#[test]
fn a_fill_that_comes_after_the_leader_has_left_is_owed() {
    let late = |filled| [Order::done(BUY, 1, 4).copied(filled), Order::done(SELL, 5, 4)];
    assert_eq!(parts(&late(0)), [(0, 0, 0), (0, 0, 0)]);
    assert_eq!(parts(&late(1)), [(0, 0, 1), (1, 0, 0)]);
    assert_eq!(parts(&late(2)), [(0, 0, 2), (2, 0, 0)]);
}

/// What happens next: the leader buys (in lots) or sells a part of what he holds (in 64ths), then the follower's working
/// entries fill so many lots.
#[derive(Debug, Clone)]
enum Turn {
    Opens(u32),
    Closes(u32),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_048))]

    /// Entries that fill late, in part, out of turn, or before they could be changed: once all have filled and what is due
    /// is sold, the follower holds what perfect copying of what he took would hold, to the nearest lot.
    #[test]
    fn entries_cut_while_they_wait_end_at_the_nearest_lot(
        turns in prop::collection::vec(
            (prop_oneof![3 => (1_u32..9).prop_map(Turn::Opens), 2 => (1_u32..=64).prop_map(Turn::Closes)],
             prop::collection::vec((0_usize..8, 1_u64..5, prop::bool::ANY), 0..4)),
            1..16,
        ),
    ) {
        let unit = i128::from(LOT) * 1_000_000_000_000;
        let (mut orders, mut working, mut leader) = (Vec::<Order>::new(), Vec::<u64>::new(), 0_u32);
        // In billionths of a thousandth of a unit.
        let mut perfect = 0_i128;
        for (second, (turn, fills)) in (1_i64..).zip(turns) {
            let before = working.clone();
            match turn {
                Turn::Opens(lots) => {
                    orders.push(Order::done(BUY, 10 * second, lots));
                    leader += lots * LOT;
                    perfect += i128::from(lots / 2) * unit;
                }
                Turn::Closes(part) => {
                    let units = (leader * part / 64).min(leader);
                    if units == 0 {
                        continue;
                    }
                    orders.push(Order::sold(10 * second, units));
                    perfect = perfect * i128::from(leader - units) / i128::from(leader);
                    leader -= units;
                }
            }
            working = parts(&orders).iter().map(|part| u64::from(part.2 * LOT)).collect();
            for (index, lots, is_early) in fills {
                let Some(order) = orders.get_mut(index).filter(|order| order.side == BUY) else { continue };
                // What was on its way when it was changed.
                let asked = if is_early { before.get(index) } else { None };
                let most = asked.copied().unwrap_or(0).max(working[index]);
                order.held = (order.held + lots * u64::from(LOT)).min(most).max(order.held);
            }
        }
        for _ in 0..8 {
            let found = parts(&orders);
            for (order, part) in orders.iter_mut().zip(&found) {
                order.held = order.held.max(u64::from(part.2 * LOT));
            }
        }
        let found = parts(&orders);
        let bought: u64 = orders.iter().map(|order| order.held).sum();
        let due: u64 = found.iter().map(|part| u64::from(part.0 * LOT)).sum();
        prop_assert!(bought >= due);
        let away = (i128::from(bought - due) * 1_000_000_000_000 - perfect).abs();
        prop_assert!(away <= unit / 2 + unit / 100_000, "{} held, {} perfect", bought - due, perfect / 1_000_000_000_000);
        prop_assert!(leader > 0 || bought == due);
    }
}
