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
