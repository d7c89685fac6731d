//! Once the leader has left, whatever the copies filled and when, it is due to be closed.

use super::*;

/// So many lots for an order of so many, and no more for a larger one.
fn risking(lots: u64, of: u32) -> Sizing {
    Sizing {
        strategy: Strategy::RiskBased,
        ratio: Ratio::new(lots, of.into()).unwrap(),
        leader_quantity: Quantity::new(of * LOT),
        keeps_remainder: false,
        ..sizing()
    }
}

/// He buys one lot, for which the follower takes ten; two orders of his sell four, and the first of them is what the copies
/// fill for; he goes on with the buy, which closes the short that the second has opened and the follower has not.
#[test]
fn an_order_opens_others_turn_and_it_closes_what_they_opened() {
    let before = Before { leader: lots(1), pool: Share::ZERO };
    let leaves = |copied: u64| {
        let buy = Order::works(BUY, 1, 0).filled(2, 1).filled(10, 3).over().copied(copied);
        [
            Order { sizing: Some(risking(10, 1)), ..buy },
            Order::done(SELL, 3, 2),
            Order { sizing: None, ..Order::done(SELL, 5, 2) },
        ]
    };
    for copied in 0..=10_u32 {
        let found = parts_after(before, &leaves(copied.into()));
        assert_eq!(found, [(0, 0, copied), (copied, 0, 0), (0, 0, 0)], "{copied} filled late");
    }
    assert_eq!(allocated(before, &leaves(10)).leader, 0);
}

/// The same, but that he sells more than he buys and stays short.
#[test]
fn an_order_opens_another_turns_and_it_closes_a_part_of_that() {
    for copied in 0..=10_u32 {
        let buy = Order::works(BUY, 1, 0).filled(2, 1).filled(10, 4).over().copied(copied.into());
        let buy = Order { sizing: Some(risking(10, 1)), ..buy };
        let sell = Order { sizing: Some(risking(1, 7)), ..Order::done(SELL, 3, 8) };
        assert_eq!(parts(&[buy, sell]), [(0, 0, copied), (copied, 0, 1)], "{copied} filled late");
    }
}

/// He buys four lots of which the gates let three be copied, and leaves before these are filled.
#[test]
fn what_the_gates_cut_off_does_not_come_when_the_leader_has_left() {
    for copied in 0..=3_u32 {
        let whole = Order { sizing: Some(risking(4, 4)), ..Order::done(BUY, 1, 4) };
        let orders = [whole.admitted(3).copied(copied.into()), Order::done(SELL, 5, 4)];
        assert_eq!(parts(&orders), [(0, 0, copied), (copied, 0, 0)], "{copied} filled late");
    }
}

/// What happens next.
#[derive(Debug, Clone, Copy)]
enum Turn {
    /// The leader places so many lots, of which the follower takes half, or what he risks, or some of that.
    Places { buys: bool, lots: u32, risked: Option<u32>, admitted: Option<u64> },
    /// So much more of one of his orders fills.
    Fills(usize, u32),
    /// One of them is over.
    Ends(usize),
    /// The follower fills so many lots more of one, of those that it should come to, or should have come to before.
    Copies(usize, u64, bool),
    /// So much of one is refused that is not filled.
    Loses(usize, u64),
}

fn turns() -> impl proptest::strategy::Strategy<Value = Vec<Turn>> {
    let order = || 0_usize..5;
    let risked = prop_oneof![2 => proptest::strategy::Just(None), 1 => (1_u32..7).prop_map(Some)];
    let admitted = prop_oneof![3 => proptest::strategy::Just(None), 1 => (0_u64..4).prop_map(Some)];
    let turn = prop_oneof![
        3 => (prop::bool::ANY, 1_u32..6, risked, admitted)
            .prop_map(|(buys, lots, risked, admitted)| Turn::Places { buys, lots, risked, admitted }),
        5 => (order(), 1_u32..6).prop_map(|(of, lots)| Turn::Fills(of, lots)),
        2 => order().prop_map(Turn::Ends),
        5 => (order(), 1_u64..6, prop::bool::ANY).prop_map(|(of, lots, late)| Turn::Copies(of, lots, late)),
        1 => (order(), 1_u64..3).prop_map(|(of, lots)| Turn::Loses(of, lots)),
    ];
    prop::collection::vec(turn, 1..30)
}

/// What each of the copies should come to, by now and a step before.
#[derive(Default)]
struct Wanted {
    now: Vec<u64>,
    before: Vec<u64>,
}

fn held(orders: &[Order]) -> i64 {
    orders.iter().map(|order| order.side.sign() * i64::try_from(order.held).unwrap()).sum()
}

fn take(orders: &mut Vec<Order>, wanted: &Wanted, second: i64, turn: Turn) {
    let count = orders.len();
    let place = |of: usize| count.checked_sub(1 + of);
    match turn {
        Turn::Places { buys, lots, risked, admitted } => {
            let order = Order::works(if buys { BUY } else { SELL }, second, lots);
            let sizing = risked.map_or(sizing(), |risked| risking(risked.into(), lots));
            let admitted = admitted.map(|lots| lots * u64::from(LOT));
            orders.push(Order { sizing: Some(sizing), admitted, ..order });
        }
        Turn::Fills(of, lots) => {
            let Some(order) = place(of).map(|of| &mut orders[of]) else { return };
            let lots = lots.min(order.working / LOT);
            let known = order.fills.last().map_or(0, |last| last.cumulative.get() / LOT);
            if lots > 0 {
                order.working -= lots * LOT;
                order.fills.push(FillPoint {
                    at: at(second),
                    cumulative: Quantity::new((known + lots) * LOT),
                    exited: Quantity::ZERO,
                });
            }
        }
        Turn::Ends(of) => {
            if let Some(of) = place(of) {
                (orders[of].working, orders[of].is_over) = (0, true);
            }
        }
        Turn::Copies(of, lots, late) => {
            let Some(of) = place(of) else { return };
            let asked = if late { &wanted.before } else { &wanted.now };
            let most = asked.get(of).copied().unwrap_or(0).saturating_sub(orders[of].missing);
            let held = orders[of].held;
            orders[of].held = (held + lots * u64::from(LOT)).min(most).max(held);
        }
        Turn::Loses(of, lots) => {
            let Some(of) = place(of) else { return };
            let open = wanted.now.get(of).copied().unwrap_or(0).saturating_sub(orders[of].held);
            orders[of].missing =
                (orders[of].missing + lots * u64::from(LOT)).min(open.max(orders[of].missing));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    /// Orders that open, are turned by others and close, in several fills each; copies that fill whenever they can, too much
    /// of it too. Once the leader is flat and what is due is filled, and what was filled too much closed again, nothing is
    /// held.
    #[test]
    fn when_the_leader_has_left_all_that_is_held_is_due(turns in turns()) {
        let (mut orders, mut wanted) = (Vec::<Order>::new(), Wanted::default());
        let comes_to = |orders: &[Order]| -> Vec<u64> {
            let most = |(order, part): (&Order, (u32, u32, u32))| {
                let opening = u64::from(part.2 * LOT).min(order.admitted.unwrap_or(u64::MAX));
                u64::from((part.0 + part.1) * LOT) + opening
            };
            orders.iter().zip(parts(orders)).map(most).collect()
        };
        for (second, turn) in (1_i64..).zip(turns) {
            take(&mut orders, &wanted, second, turn);
            wanted = Wanted { now: comes_to(&orders), before: wanted.now };
        }
        for order in &mut orders {
            (order.working, order.is_over) = (0, true);
        }
        let leader = allocated(NOTHING, &orders).leader / i64::from(LOT);
        if leader != 0 {
            let side = if leader > 0 { SELL } else { BUY };
            orders.push(Order::done(side, 1_000, u32::try_from(leader.unsigned_abs()).unwrap()));
        }
        for _ in 0..64 {
            for index in 0..orders.len() {
                let (due, _, opening) = parts(&orders)[index];
                let (held, order) = (held(&orders), &mut orders[index]);
                let there = if held.signum() == -order.side.sign() { held.unsigned_abs() } else { 0 };
                let (due, total) = (u64::from(due * LOT), u64::from((due + opening) * LOT));
                let yet = total.saturating_sub(order.held);
                // No more than is held is closed; but that, before anything is opened. What is too much is closed again.
                let yet = yet.saturating_sub(order.missing).max(due.saturating_sub(order.held)).min(there);
                order.held = (order.held + yet).min(total);
            }
        }
        let held = held(&orders);
        prop_assert_eq!(held, 0, "{:?}", parts(&orders));
    }
}
