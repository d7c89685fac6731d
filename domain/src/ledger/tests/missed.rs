//! What the leader did while he was not heard: of that its net alone counts.

use super::*;

/// Seen for the first time at that second, long after it was executed.
fn missed(side: Side, placed: i64, lots: u32, heard: i64) -> Order {
    Order { late: Some(heard), ..Order::done(side, placed, lots).sized() }
}

impl Order {
    fn sized(self) -> Self {
        Self { sizing: Some(sizing()), ..self }
    }
}

/// F5: he held 10, the follower 5; what he did meanwhile comes to its net.
#[test]
fn of_what_was_missed_only_the_net_counts() {
    // What he did, what is due for each, what opens by each, his net.
    type Case<'a> = (&'a [Order], &'a [u32], &'a [u32], i64);
    let before = [Order::done(BUY, 1, 10).copied(5)];
    let table: [Case<'_>; 6] = [
        (&[missed(SELL, 100, 4, 900)], &[2], &[0], 6),
        (&[missed(SELL, 100, 10, 900), missed(BUY, 200, 10, 900)], &[0, 0], &[0, 0], 10),
        (&[missed(BUY, 100, 4, 900), missed(SELL, 200, 4, 900)], &[0, 0], &[0, 0], 10),
        (&[missed(SELL, 100, 10, 900), missed(BUY, 200, 6, 900)], &[2, 0], &[0, 0], 6),
        // What he opened meanwhile is too old, and what he closes of it later closes its part of what is held.
        (&[missed(BUY, 100, 10, 900), Order::done(SELL, 1000, 10)], &[0, 3], &[0, 0], 10),
        // Told at different times: each was acted upon when it was heard of.
        (&[missed(SELL, 100, 10, 900), missed(BUY, 200, 10, 2000)], &[5, 0], &[0, 0], 10),
    ];
    for (meanwhile, dues, opens, net) in table {
        let orders: Vec<Order> = before.iter().chain(meanwhile).cloned().collect();
        let found = parts(&orders);
        let (due, opening): (Vec<u32>, Vec<u32>) = found[1..].iter().map(|part| (part.0, part.2)).unzip();
        assert_eq!((due.as_slice(), opening.as_slice()), (dues, opens), "{meanwhile:?}");
        assert_eq!(allocated(NOTHING, &orders).leader, lots(net));
    }
}

#[test]
fn what_works_on_after_it_was_missed_opens_for_what_is_left_of_it() {
    let order = Order { late: Some(900), ..Order::works(BUY, 100, 6).filled(101, 4) };
    assert_eq!(parts(&[order]), [(0, 0, 3)]);
}

#[test]
fn a_super_order_that_came_and_went_unheard_takes_nothing_with_it() {
    let gone = missed(BUY, 100, 4, 900);
    let fills = vec![FillPoint { exited: gone.fills[0].cumulative, ..gone.fills[0] }];
    let orders = [Order::done(BUY, 1, 10).copied(5), Order { fills, ..gone }];
    let allocation = allocated(NOTHING, &orders);
    assert_eq!((allocation.leader, allocation.pool), (lots(10), Share::from_lots(Lots(5))));
}
