//! Standing behind what can change no more gives what the whole day gives.

use std::collections::BTreeSet;

use proptest::prelude::{Strategy as _, prop_oneof};

use super::*;

/// What happens next.
#[derive(Debug, Clone, Copy)]
enum Turn {
    /// The leader places so many lots, a buy or not, a stop or not, heard of late or not.
    Places {
        buys: bool,
        stop: bool,
        lots: u32,
        late: bool,
    },
    /// So much more of one of his orders fills; told so many seconds after it did.
    Fills(usize, u32, i64),
    /// One of them is over.
    Ends(usize),
    /// The follower fills so many lots more of one, or is about to, or never will.
    Copies(usize, u64),
    Comes(usize, u64),
    Loses(usize, u64),
    /// The follower closed so many lots by one that the leader took back, so many seconds ago.
    Oversells(usize, u64, i64),
    /// The follower is done with one.
    IsDone(usize),
}

fn turns() -> impl proptest::strategy::Strategy<Value = Vec<Turn>> {
    let order = || 0_usize..12;
    let turn = prop_oneof![
        4 => (prop::bool::ANY, prop::bool::ANY, 1_u32..6, prop::bool::weighted(0.1))
            .prop_map(|(buys, stop, lots, late)| Turn::Places { buys, stop, lots, late }),
        5 => (order(), 1_u32..6, prop_oneof![6 => 0_i64..1, 1 => 0_i64..60])
            .prop_map(|(of, lots, late)| Turn::Fills(of, lots, late)),
        3 => order().prop_map(Turn::Ends),
        4 => (order(), 1_u64..4).prop_map(|(of, lots)| Turn::Copies(of, lots)),
        1 => (order(), 0_u64..3).prop_map(|(of, lots)| Turn::Comes(of, lots)),
        1 => (order(), 1_u64..3).prop_map(|(of, lots)| Turn::Loses(of, lots)),
        1 => (order(), 1_u64..3, 0_i64..20).prop_map(|(of, lots, ago)| Turn::Oversells(of, lots, ago)),
        5 => order().prop_map(Turn::IsDone),
    ];
    prop::collection::vec(turn, 1..60)
}

/// A day of the leader's, and who of his orders is behind what stands.
struct Day {
    now: i64,
    orders: Vec<Order>,
    done: BTreeSet<usize>,
    behind: BTreeSet<usize>,
    standing: Standing,
    before: Before,
}

impl Day {
    fn new(before: Before) -> Self {
        let standing = Standing::new(before, lot());
        Self {
            now: 100,
            orders: Vec::new(),
            done: BTreeSet::new(),
            behind: BTreeSet::new(),
            standing,
            before,
        }
    }

    /// The order that is meant: the newest are meant most.
    fn take(&mut self, turn: Turn) {
        self.now += 1;
        let place = |of: usize| self.orders.len().checked_sub(1 + of);
        let changed = match turn {
            Turn::Places { buys, stop, lots, late } => {
                let order = Order::works(if buys { BUY } else { SELL }, self.now - i64::from(stop), lots);
                let order = if stop { order.stop() } else { order };
                self.orders.push(Order { late: late.then_some(self.now), ..order });
                None
            }
            Turn::Fills(of, lots, late) => place(of).inspect(|of| {
                let order = &mut self.orders[*of];
                let units = (lots * LOT).min(order.working);
                let known = order.fills.last().map_or(0, |last| last.cumulative.get());
                if units > 0 {
                    let cumulative = Quantity::new(known + units);
                    let at = at(self.now - late);
                    order.fills.push(FillPoint { at, cumulative, exited: Quantity::ZERO });
                    order.working -= units;
                }
            }),
            Turn::Ends(of) => place(of).inspect(|of| {
                (self.orders[*of].working, self.orders[*of].is_over) = (0, true);
            }),
            Turn::Copies(of, lots) => place(of).inspect(|of| self.orders[*of].held += lots * u64::from(LOT)),
            Turn::Comes(of, lots) => place(of).inspect(|of| self.orders[*of].coming = lots * u64::from(LOT)),
            Turn::Loses(of, lots) => {
                place(of).inspect(|of| self.orders[*of].missing += lots * u64::from(LOT))
            }
            Turn::Oversells(of, lots, ago) => place(of).inspect(|of| {
                self.orders[*of].lost = Some((self.now - ago, lots * u64::from(LOT)));
            }),
            Turn::IsDone(of) => {
                let over = place(of).filter(|of| self.orders[*of].is_over);
                self.done.extend(over);
                None
            }
        };
        if changed.is_some_and(|of| self.behind.contains(&of)) {
            self.begin_anew();
        }
    }

    fn begin_anew(&mut self) {
        self.standing = Standing::new(self.before, lot());
        self.behind.clear();
    }

    /// Holds what comes of those that are not behind to what the whole day gives, and goes on behind what is done.
    fn judge(&mut self) -> Result<(), proptest::test_runner::TestCaseError> {
        let (orders, ids) = (self.orders.clone(), ids(self.orders.len()));
        let all = entries(&orders, &ids);
        let whole = allocate(self.before, &all, lot());
        let in_front =
            |day: &Self| -> Vec<usize> { (0..all.len()).filter(|of| !day.behind.contains(of)).collect() };
        let pick = |of: &[usize]| -> Vec<Entry<'_>> { of.iter().map(|of| all[*of]).collect() };
        if !self.standing.is_before(&pick(&in_front(self))) {
            self.begin_anew();
        }
        let others = in_front(self);
        let found = self.standing.allocate(&pick(&others), &[]);
        let expected: Vec<Part> = others.iter().map(|of| whole.parts[*of]).collect();
        prop_assert_eq!(found.parts, expected);
        prop_assert_eq!((found.leader, found.pool), (whole.leader, whole.pool));
        let is_done = |of: &usize| match of % 3 {
            // Nothing is on its way of what is done.
            _ if !self.done.contains(of) || self.orders[*of].coming > 0 => Finished::No,
            0 => Finished::OnceFlat,
            _ => Finished::Yes,
        };
        let finished: Vec<Finished> = others.iter().map(is_done).collect();
        let taken = self.standing.advance(&pick(&others), &finished);
        for of in taken {
            prop_assert!(finished[of] != Finished::No);
            self.behind.insert(others[of]);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    /// After every step of a random day: fills told late, orders that change after all, exits of both kinds, sells that
    /// wait for buys, round trips that nobody heard of.
    #[test]
    fn what_stands_gives_what_the_whole_day_gives(held in -3_i64..4, turns in turns()) {
        let pool = Share::from_lots(Lots(u32::try_from(held.unsigned_abs()).unwrap() / 2));
        let mut day = Day::new(Before { leader: lots(held), pool });
        for turn in turns {
            day.take(turn);
            day.judge()?;
        }
    }
}

/// Without this the property would hold of a machine that never goes on.
#[test]
fn what_is_done_is_behind_and_what_is_not_keeps_what_came_after_it_in_front() {
    let orders = [
        Order::done(BUY, 1, 4).copied(2),
        Order::done(SELL, 5, 4).copied(2),
        Order::works(BUY, 7, 1).filled(8, 1),
        Order::done(BUY, 10, 2).copied(1),
    ];
    let ids = ids(orders.len());
    let mut standing = Standing::new(NOTHING, lot());
    let done = [Finished::Yes, Finished::OnceFlat, Finished::No, Finished::Yes];
    assert_eq!(standing.advance(&entries(&orders, &ids), &done), [0, 1]);
    assert_eq!(standing.allocate(&entries(&orders, &ids)[2..], &[]).leader, lots(3));
    // What executed before it, told late, is not behind it.
    let late = Order::sold(3, LOT);
    assert!(standing.is_before(&entries(&orders, &ids)[2..]));
    assert!(!standing.is_before(&[Entry { id: "z", ..late.entry() }]));
    // What is held still stands for one that may be looked at again only once it is not.
    let once_flat = [Finished::OnceFlat];
    let mut standing = Standing::new(NOTHING, lot());
    assert_eq!(standing.advance(&entries(&orders[..1], &ids), &once_flat), [0_usize; 0]);
}
