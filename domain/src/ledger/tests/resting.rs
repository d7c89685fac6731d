//! Exits that rest: what each of them is for, beside an entry that fills still and beside one another.

use super::*;

/// A27: how much the follower's buy has filled before the leader's has.
#[test]
fn a_sell_that_anticipates_a_buy_closes_what_has_filled_of_it() {
    for (filled, resting) in [(0, 0), (1, 1), (2, 2)] {
        let orders = [Order::works(BUY, 1, 4).copied(filled), Order::works(SELL, 2, 4)];
        assert_eq!(parts(&orders), [(0, 0, 2), (0, resting, 0)]);
        let part = allocated(NOTHING, &orders).parts[1];
        assert_eq!((part.leader_closes, part.leader_opens), (u64::from(4 * LOT), 0));
    }
    // Half of his, half of ours.
    let half = [Order::works(BUY, 1, 4).copied(2), Order::works(SELL, 2, 2)];
    assert_eq!(parts(&half)[1], (0, 1, 0));
    // Both kinds may wait for the same buy.
    let both = [Order::works(BUY, 1, 4).copied(2), Order::works(SELL, 2, 4), Order::works(SELL, 3, 4).stop()];
    assert_eq!(parts(&both)[1..], [(0, 2, 0), (0, 2, 0)]);
    // Beyond the buy it opens a short; and so does what was placed before the buy.
    assert_eq!(parts(&[Order::works(BUY, 1, 4).copied(2), Order::works(SELL, 2, 6)])[1], (0, 2, 1));
    assert_eq!(parts(&[Order::works(BUY, 2, 4), Order::works(SELL, 1, 4)]), [(0, 0, 2), (0, 0, 2)]);
    // Once the buy has executed it closes like any other.
    assert_eq!(parts(&[Order::done(BUY, 1, 4).copied(2), Order::works(SELL, 2, 4)])[1], (0, 2, 0));
}

/// D12.
#[test]
fn a_target_and_a_stop_may_rest_for_the_same_units() {
    let open = Order::done(BUY, 1, 4).copied(2);
    let rest = [open.clone(), Order::works(SELL, 2, 4), Order::works(SELL, 3, 4).stop()];
    assert_eq!(parts(&rest)[1..], [(0, 2, 0), (0, 2, 0)]);
    // Of one kind they share, earliest first.
    let three = [
        open.clone(),
        Order::works(SELL, 2, 3),
        Order::works(SELL, 3, 3),
        Order::works(SELL, 4, 2).stop(),
        Order::works(SELL, 5, 2).stop(),
    ];
    // The first: 2 to 0.5, a tie closes all; what the second is too much opens no short before it executes.
    assert_eq!(parts(&three)[1..], [(0, 2, 0), (0, 0, 0), (0, 1, 0), (0, 1, 0)]);
    // One has executed in part: it is due, and the other shrinks.
    let part = [open, Order::works(SELL, 2, 2).filled(9, 2), Order::works(SELL, 3, 2).stop()];
    assert_eq!(parts(&part)[1..], [(1, 1, 0), (0, 1, 0)]);
}

/// The leader holds ten and has a stop for them; he buys ten more, and is faster than the follower.
#[test]
fn a_stop_stays_as_it_is_while_an_entry_is_on_its_way() {
    let orders = |last: Order| [Order::done(BUY, 1, 10).copied(5), Order::works(SELL, 2, 10).stop(), last];
    let more = Order::done(BUY, 5, 10);
    // Five of his twenty, to 2.5, a tie: what rests does not count as held.
    assert_eq!(parts(&orders(more.clone()))[1], (0, 3, 0));
    assert_eq!(parts(&orders(more.clone().coming(5)))[1], (0, 5, 0));
    // A part of it: of ten he would keep five, of these three of the new, which are there.
    assert_eq!(parts(&orders(more.clone().copied(1).coming(2)))[1], (0, 3, 0));
    assert_eq!(parts(&orders(more.clone().copied(5)))[1], (0, 5, 0));
    // What may trade at once, a sale at the market above all, is a part of what is there.
    let sale = [Order::done(BUY, 1, 10).copied(5), Order::works(SELL, 2, 10), more.coming(5)];
    assert_eq!(parts(&sale)[1], (0, 3, 0));
}

/// D12, D19: the leader has left by one order while another of his exits rests still.
#[test]
fn an_exit_that_another_was_faster_than_opens_nothing_before_it_executes() {
    let open = Order::done(BUY, 1, 4).copied(2);
    let stop = Order::works(SELL, 3, 4).stop();
    let left = [open.clone(), Order::done(SELL, 4, 4), stop.clone()];
    assert_eq!(parts(&left)[1..], [(2, 0, 0), (0, 0, 0)]);
    // What it was beyond an exit opens still: the leader meant to turn.
    let turning = [open.clone(), Order::done(SELL, 4, 4), Order::works(SELL, 4, 6)];
    assert_eq!(parts(&turning)[2], (0, 0, 1));
    // It executes all the same, and the leader is short.
    let executed = [open.clone(), Order::done(SELL, 4, 4), Order::done(SELL, 5, 4).stop()];
    assert_eq!(parts(&executed)[2], (0, 0, 2));
    // He buys again: it closes that.
    let again = [open.clone(), Order::done(SELL, 4, 4), stop, Order::done(BUY, 9, 4).copied(2)];
    assert_eq!(parts(&again)[2], (0, 2, 0));
    // Placed once he was flat, it opens.
    let flat = [open, Order::done(SELL, 4, 4), Order::works(SELL, 6, 4)];
    assert_eq!(parts(&flat)[2], (0, 0, 2));
}
