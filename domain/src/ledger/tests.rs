//! What closes, what opens and what is owed, worked out by hand. The lot is 65 units; quantities here are lots, and the
//! follower takes half.

mod leaving;
mod missed;
mod resting;
mod shrinking;
mod standing;

use proptest::prelude::{ProptestConfig, prop, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::sizing::{Minimum, Ratio, Rounding, Strategy, nearest_lots};

const LOT: u32 = 65;
const HALF: Ratio = Ratio { numerator: 1, denominator: 2 };

fn lot() -> LotSize {
    LotSize::new(LOT).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

fn sizing() -> Sizing {
    Sizing {
        strategy: Strategy::FixedRatio,
        ratio: HALF,
        multiplier: Ratio::ONE,
        rounding: Rounding::Down,
        minimum: Minimum::Skip,
        keeps_remainder: true,
        leader_quantity: Quantity::ZERO,
        lot_size: lot(),
        leader_capital: None,
        follower_capital: None,
        unit_cost: None,
        held: 0,
        credit: Share::ZERO,
        quantity: Quantity::ZERO,
    }
}

/// A leader order and its copy, in lots.
#[derive(Debug, Clone)]
struct Order {
    side: Side,
    placed: i64,
    kind: ExitKind,
    fills: Vec<FillPoint>,
    working: u32,
    is_over: bool,
    held: u64,
    coming: u64,
    missing: u64,
    admitted: Option<u64>,
    sizing: Option<Sizing>,
    late: Option<i64>,
    lost: Option<(i64, u64)>,
}

impl Order {
    fn of(side: Side, placed: i64) -> Self {
        let (kind, fills) = (ExitKind::Limit, Vec::new());
        Self {
            side,
            placed,
            kind,
            fills,
            working: 0,
            is_over: false,
            held: 0,
            coming: 0,
            missing: 0,
            admitted: None,
            sizing: None,
            late: None,
            lost: None,
        }
    }

    /// The leader's order is executed whole, a second after he placed it.
    fn done(side: Side, placed: i64, lots: u32) -> Self {
        Self { is_over: true, ..Self::works(side, placed, 0).filled(placed + 1, lots) }
    }

    /// So much of his order works still.
    fn works(side: Side, placed: i64, lots: u32) -> Self {
        Self { working: lots * LOT, sizing: Some(sizing()), ..Self::of(side, placed) }
    }

    /// He has this much of it filled by then, in all.
    fn filled(mut self, second: i64, lots: u32) -> Self {
        let exited = self.fills.last().map_or(Quantity::ZERO, |last| last.exited);
        self.fills.push(FillPoint { at: at(second), cumulative: Quantity::new(lots * LOT), exited });
        self
    }

    /// A sell of so many units, executed a second after it was placed.
    fn sold(placed: i64, units: u32) -> Self {
        let fill = FillPoint { at: at(placed + 1), cumulative: Quantity::new(units), exited: Quantity::ZERO };
        Self { is_over: true, fills: vec![fill], ..Self::works(SELL, placed, 0) }
    }

    /// Its exit legs have closed this much by then.
    fn exited(mut self, second: i64, lots: u32) -> Self {
        let cumulative = self.fills.last().map_or(Quantity::ZERO, |last| last.cumulative);
        self.fills.push(FillPoint { at: at(second), cumulative, exited: Quantity::new(lots * LOT) });
        self
    }

    /// The follower's copies have filled so much.
    fn copied(self, lots: u64) -> Self {
        Self { held: lots * u64::from(LOT), ..self }
    }

    /// So much is about to fill.
    fn coming(self, lots: u64) -> Self {
        Self { coming: lots * u64::from(LOT), ..self }
    }

    /// So much of what they were to open never will be.
    fn refused(self, lots: u64) -> Self {
        Self { missing: lots * u64::from(LOT), ..self }
    }

    /// The gates let it open so much and no more.
    fn admitted(self, lots: u64) -> Self {
        Self { admitted: Some(lots * u64::from(LOT)), ..self }
    }

    fn stop(self) -> Self {
        Self { kind: ExitKind::Stop, ..self }
    }

    fn over(self) -> Self {
        Self { is_over: true, working: 0, ..self }
    }

    fn entry(&self) -> Entry<'_> {
        Entry {
            id: "",
            side: self.side,
            placed: at(self.placed),
            kind: self.kind,
            late: self.late.map(at),
            fills: &self.fills,
            working: self.working,
            is_over: self.is_over,
            filled: self.held,
            coming: self.coming,
            missing: self.missing,
            admitted: self.admitted,
            lost: self.lost.map(|(second, units)| (at(second), units)),
            sizing: self.sizing.as_ref(),
        }
    }
}

const BUY: Side = Side::Buy;
const SELL: Side = Side::Sell;
const NOTHING: Before = Before { leader: 0, pool: Share::ZERO };

fn allocated(before: Before, orders: &[Order]) -> Allocation {
    let ids = ids(orders.len());
    allocate(before, &entries(orders, &ids), lot())
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{number:06}")).collect()
}

fn entries<'a>(orders: &'a [Order], ids: &'a [String]) -> Vec<Entry<'a>> {
    orders.iter().zip(ids).map(|(order, id)| Entry { id, ..order.entry() }).collect()
}

/// Of each order: lots due, lots resting, lots opened.
fn parts(orders: &[Order]) -> Vec<(u32, u32, u32)> {
    parts_after(NOTHING, orders)
}

fn parts_after(before: Before, orders: &[Order]) -> Vec<(u32, u32, u32)> {
    let parts = allocated(before, orders).parts;
    parts.iter().map(|part| (part.due.0, part.resting.0, part.opening.0)).collect()
}

fn lots(lots: i64) -> i64 {
    lots * i64::from(LOT)
}

#[test]
fn what_works_opens_and_what_is_executed_has_opened() {
    for side in [BUY, SELL] {
        assert_eq!(parts(&[Order::works(side, 1, 4)]), [(0, 0, 2)]);
        let executed = [Order::done(side, 1, 4).copied(2)];
        assert_eq!(parts(&executed), [(0, 0, 2)]);
        let allocation = allocated(NOTHING, &executed);
        assert_eq!(allocation.leader, side.sign() * lots(4));
        assert_eq!(allocation.pool, Share::from_lots(Lots(2)));
    }
}

/// D17, D10, D9, D13: what the leader opened, what the follower holds of it, what the leader closes in which steps, and
/// what is due for each.
#[test]
fn each_close_leaves_the_nearest_lot_and_the_last_leaves_nothing() {
    let table: [(u32, u64, &[u32], &[u32]); 9] = [
        // 5 to 3, to 1.5 (a tie closes: 1), to 0.
        (10, 5, &[4, 3, 3], &[2, 2, 1]),
        (4, 2, &[2, 2], &[1, 1]),
        // 5 to 2.5, a tie: 2.
        (10, 5, &[5, 5], &[3, 2]),
        // 1 to 0.67 (1), to 0.33 (0), to 0.
        (3, 1, &[1, 1, 1], &[0, 1, 0]),
        (3, 1, &[3], &[1]),
        (4, 0, &[2, 2], &[0, 0]),
        // Less than his share, for a part was rejected: 1 to 0.5, a tie.
        (4, 1, &[2, 2], &[1, 0]),
        // Many small steps do not add up to more: 3 to 2.7 (3), 2.4 (2), 2.1 (2), 1.8 (2), 1.5 (1), 1.2 (1), 0.9 (1),
        // 0.6 (1), 0.3 (0), 0.
        (10, 3, &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1], &[0, 1, 0, 0, 1, 0, 0, 0, 1, 0]),
        (10, 10, &[1, 9], &[1, 9]),
    ];
    for (opened, held, closes, dues) in table {
        for (side, other) in [(BUY, SELL), (SELL, BUY)] {
            let refused = u64::from(opened / 2).saturating_sub(held);
            let mut orders = vec![Order::done(side, 1, opened).copied(held).refused(refused)];
            let steps = (1_i64..).zip(closes);
            orders.extend(steps.map(|(step, lots)| Order::done(other, 10 * step, *lots)));
            let found: Vec<u32> = parts(&orders)[1..].iter().map(|part| part.0).collect();
            assert_eq!(found, dues, "{held} of {opened}, closed by {closes:?}");
            assert_eq!(allocated(NOTHING, &orders).leader, 0);
        }
    }
}

#[test]
fn what_is_due_does_not_wait_for_the_orders_that_close_it() {
    let open = Order::done(BUY, 1, 4).copied(2);
    for closed in 0..=2 {
        assert_eq!(parts(&[open.clone(), Order::done(SELL, 5, 4).copied(closed)])[1], (2, 0, 0));
    }
}

/// D11.
#[test]
fn a_flip_closes_and_opens() {
    let open = Order::done(BUY, 1, 4).copied(2);
    let executed = [open.clone(), Order::done(SELL, 5, 8)];
    assert_eq!(parts(&executed)[1], (2, 0, 2));
    assert_eq!(allocated(NOTHING, &executed).leader, lots(-4));
    let part = allocated(NOTHING, &executed).parts[1];
    assert_eq!((part.leader_closes, part.leader_opens), (u64::from(4 * LOT), u64::from(4 * LOT)));
    assert_eq!(parts(&[open.clone(), Order::works(SELL, 5, 8)])[1], (0, 2, 2), "while it works");
    // Half of it has executed: all is closed, and the rest is to open.
    assert_eq!(parts(&[open.clone(), Order::works(SELL, 5, 4).filled(6, 4)])[1], (2, 0, 2));
    // What the copy filled closed first: only what is beyond has opened.
    let flipped = [open, Order::done(SELL, 5, 8).copied(3), Order::done(BUY, 9, 4)];
    assert_eq!(parts(&flipped), [(0, 0, 2), (2, 0, 1), (1, 0, 0)]);
}

/// D24: the leader held ten before, opens ten, and closes ten of his twenty.
#[test]
fn what_the_leader_held_before_is_part_of_his_net() {
    let before = Before { leader: lots(10), pool: Share::ZERO };
    let opened = Order::done(BUY, 1, 10).copied(5);
    let orders = [opened.clone(), Order::done(SELL, 5, 10)];
    // 5 to 2.5, a tie: 2.
    assert_eq!(parts_after(before, &orders), [(0, 0, 5), (3, 0, 0)]);
    let all = [opened, Order::done(SELL, 5, 20)];
    assert_eq!(parts_after(before, &all)[1], (5, 0, 0));
    // Of what was never copied nothing is due, and what closes it opens nothing.
    assert_eq!(parts_after(before, &[Order::done(SELL, 5, 10)]), [(0, 0, 0)]);
    assert_eq!(parts_after(before, &[Order::works(SELL, 5, 10)]), [(0, 0, 0)]);
}

/// One order that opens, is closed by another, and goes on: what was closed does not fill the place of what comes.
#[test]
fn an_order_that_goes_on_opening_after_a_closing_opens_all_of_it() {
    let closing = Order::done(SELL, 5, 4).copied(2);
    let goes_on = |copied: u64| Order::works(BUY, 1, 0).filled(2, 4).filled(10, 8).over().copied(copied);
    for (copied, pool) in [(2, 0), (3, 1), (4, 2)] {
        let orders = [goes_on(copied), closing.clone()];
        assert_eq!(parts(&orders), [(0, 0, 4), (2, 0, 0)], "{copied} filled");
        assert_eq!(allocated(NOTHING, &orders).pool, Share::from_lots(Lots(pool)), "{copied} filled");
    }
    let all = [goes_on(4), closing.clone(), Order::done(SELL, 20, 4)];
    assert_eq!(parts(&all)[2], (2, 0, 0));
    // While the rest of it works, it works at the follower too.
    let works = [Order::works(BUY, 1, 4).filled(2, 4).copied(2), closing];
    assert_eq!(parts(&works)[0], (0, 0, 4));
}

/// One order that opens, is closed by another, and closes what that has opened.
#[test]
fn an_order_that_opens_and_later_closes_does_both() {
    let other = Order::done(BUY, 5, 12).copied(6);
    for copied in [2, 4, 6] {
        let order = Order::works(SELL, 1, 0).filled(2, 4).filled(10, 12).over().copied(copied);
        assert_eq!(parts(&[order, other.clone()]), [(4, 0, 2), (2, 0, 4)], "{copied} filled");
    }
}

/// An exit that was taken back when the follower's had filled: he has one lot of two less than his share, of which nothing
/// is due any more.
#[test]
fn what_was_closed_too_much_is_gone_from_what_is_to_be_closed() {
    let open = Order::done(BUY, 1, 4).copied(2);
    let lost = |lots: u64| Order {
        lost: Some((5, lots * u64::from(LOT))),
        ..Order::works(SELL, 3, 0).copied(lots).over()
    };
    // (lost, leader sells, due, opens)
    let table =
        [(1, 4, 1, 0), (2, 4, 0, 0), (2, 2, 0, 0), (2, 8, 0, 2), (1, 8, 1, 2), (3, 8, 0, 2), (1, 2, 1, 0)];
    for (gone, sold, due, opens) in table {
        let orders = [open.clone(), lost(gone), Order::done(SELL, 9, sold)];
        assert_eq!(parts(&orders)[2], (due, 0, opens), "{gone} lost, {sold} sold");
        // Once the leader is flat, it all begins anew.
        if sold == 4 {
            let again =
                [&orders[..], &[Order::done(BUY, 20, 4).copied(2), Order::done(SELL, 30, 4)]].concat();
            assert_eq!(parts(&again)[4], (2, 0, 0));
        }
    }
    // What was closed after he had, of it, changes nothing of that.
    let orders = [open, Order::done(SELL, 2, 2), lost(1)];
    assert_eq!(parts(&orders)[1], (1, 0, 0));
    assert_eq!(allocated(NOTHING, &orders).pool, Share::ZERO);
}

#[test]
fn copies_of_earlier_days_are_closed_like_those_of_today() {
    let before = Before { leader: lots(4), pool: Share::from_lots(Lots(2)) };
    assert_eq!(
        parts_after(before, &[Order::done(SELL, 1, 2), Order::done(SELL, 2, 2)]),
        [(1, 0, 0), (1, 0, 0)]
    );
    // A leader who is flat leaves nothing to be held, whatever is said to have been copied.
    let flat = Before { leader: 0, ..before };
    assert_eq!(allocated(flat, &[]).pool, Share::ZERO);
}

#[test]
fn what_is_opened_after_a_part_was_closed_joins_what_is_left() {
    let orders = [
        Order::done(BUY, 1, 4).copied(2),
        Order::done(SELL, 10, 2),
        Order::done(BUY, 20, 2).copied(1),
        Order::done(SELL, 30, 2),
        Order::done(SELL, 40, 2),
    ];
    assert_eq!(parts(&orders), [(0, 0, 2), (1, 0, 0), (0, 0, 1), (1, 0, 0), (1, 0, 0)]);
    // Closed whole in between, what was before counts no more.
    let anew = [
        Order::done(BUY, 1, 4).copied(1),
        Order::done(SELL, 10, 4),
        Order::done(BUY, 20, 4).copied(2),
        Order::done(SELL, 30, 2),
    ];
    assert_eq!(parts(&anew), [(0, 0, 1), (1, 0, 0), (0, 0, 2), (1, 0, 0)]);
}

#[test]
fn what_exit_legs_close_is_answered_by_the_followers_own_legs() {
    // His legs have closed two of four; the follower's still wait.
    let entry = || Order::done(BUY, 1, 4);
    let half = [entry().exited(5, 2).copied(2)];
    assert_eq!(parts(&half), [(0, 0, 2)]);
    let allocation = allocated(NOTHING, &half);
    assert_eq!((allocation.leader, allocation.pool), (lots(2), Share::from_lots(Lots(1))));
    // A sell beside them closes a fraction of what his legs left.
    assert_eq!(parts(&[entry().exited(5, 2).copied(2), Order::done(SELL, 9, 2)])[1], (1, 0, 0));
    // All closed: what the follower never filled is not to be opened any more.
    assert_eq!(parts(&[entry().exited(5, 4)]), [(0, 0, 0)]);
    let all = [entry().exited(5, 4).copied(2)];
    assert_eq!((parts(&all), allocated(NOTHING, &all).leader), (vec![(0, 0, 2)], 0));
}

#[test]
fn fills_count_in_the_order_of_their_times_and_within_a_second_of_their_placing() {
    // The same second: the buy was placed first, wherever it stands.
    let buy = Order::works(BUY, 1, 0).filled(7, 4).over().copied(2);
    let sell = Order::works(SELL, 2, 0).filled(7, 4).over();
    assert_eq!(parts(&[buy.clone(), sell.clone()]), [(0, 0, 2), (2, 0, 0)]);
    assert_eq!(parts(&[sell.clone(), buy.clone()]), [(2, 0, 0), (0, 0, 2)]);
    // A second earlier, the sell opened a short, which the buy closed.
    let early = Order::works(SELL, 2, 0).filled(6, 4).over().copied(2);
    assert_eq!(parts(&[buy, early]), [(2, 0, 0), (0, 0, 2)]);
    // Fills of one order stand between those of another: 4 opened (2), 2 closed (1), 4 opened (2), 6 closed (3).
    let two = [
        Order::works(BUY, 1, 0).filled(2, 4).filled(6, 8).over().copied(4),
        Order::works(SELL, 3, 0).filled(4, 2).filled(8, 8).over(),
    ];
    let allocation = allocated(NOTHING, &two);
    assert_eq!(allocation.leader, 0);
    assert_eq!((allocation.parts[1].due, allocation.parts[0].opening), (Lots(4), Lots(4)));
}

/// D4: the follower's copy has filled before the leader's order.
#[test]
fn what_the_follower_fills_early_joins_when_the_leader_has_it() {
    let pool = |orders: &[Order]| allocated(NOTHING, orders).pool;
    assert_eq!(pool(&[Order::works(BUY, 1, 4).copied(2)]), Share::ZERO);
    let half = Order::works(BUY, 1, 2).filled(3, 2).copied(2);
    assert_eq!(pool(std::slice::from_ref(&half)), Share::from_lots(Lots(1)));
    // He leaves with what he has: so does the follower with what answers it.
    assert_eq!(parts(&[half.clone(), Order::done(SELL, 5, 2)]), [(0, 0, 2), (1, 0, 0)]);
    // He takes the rest back: all that the follower has is what he holds for it.
    assert_eq!(pool(&[half.clone().over()]), Share::from_lots(Lots(2)));
    assert_eq!(parts(&[half.over(), Order::done(SELL, 5, 2)]), [(0, 0, 1), (2, 0, 0)]);
}

#[test]
fn what_earlier_orders_left_over_counts() {
    let with_credit = Order {
        sizing: Some(Sizing { credit: Share::from_billionths(Share::PER_LOT / 2), ..sizing() }),
        ..Order::works(BUY, 1, 1)
    };
    assert_eq!(parts(&[Order::works(BUY, 1, 1)]), [(0, 0, 0)]);
    assert_eq!(parts(&[with_credit]), [(0, 0, 1)]);
}

#[test]
fn what_is_not_copied_opens_nothing_and_is_still_part_of_the_leaders_net() {
    let skipped = Order { sizing: None, ..Order::done(BUY, 1, 4) };
    let orders = [skipped, Order::done(BUY, 5, 4).copied(2), Order::done(SELL, 9, 4)];
    assert_eq!(parts(&orders), [(0, 0, 0), (0, 0, 2), (1, 0, 0)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// A follower whose copies all fill holds the pool to the nearest lot at every step, on the leader's side, and nothing
    /// when the leader holds nothing; and what was due once stays due.
    #[test]
    fn who_fills_all_holds_what_is_to_be_held(steps in prop::collection::vec((prop::bool::ANY, 1u32..8), 1..24)) {
        let mut orders: Vec<Order> = Vec::new();
        let mut known: Vec<(u32, u32, u32)> = Vec::new();
        for (second, (is_buy, lots)) in (1_i64..).zip(steps) {
            let side = if is_buy { BUY } else { SELL };
            orders.push(Order::done(side, 10 * second, lots));
            let found = parts(&orders);
            prop_assert_eq!(&found[..known.len()], &known[..]);
            let (due, resting, opening) = found[found.len() - 1];
            prop_assert_eq!(resting, 0);
            if let Some(last) = orders.last_mut() {
                last.held = u64::from((due + opening) * LOT);
            }
            known = parts(&orders);
            prop_assert_eq!(&known, &found, "filling it changes nothing");
            let allocation = allocated(NOTHING, &orders);
            let held: i64 = orders.iter().map(|order| order.side.sign() * order.held.cast_signed()).sum();
            let wanted = i64::from(nearest_lots(allocation.pool).0 * LOT) * allocation.leader.signum();
            prop_assert_eq!(held, wanted);
            prop_assert!(allocation.leader != 0 || held == 0);
        }
    }
}
