//! Tables worked out by hand on paper: what is expected is never computed by the code under test.
//!
//! NIFTY throughout: 65 units a lot; the leader trades 1, 4, 27 (1,755 units, just under the freeze quantity of 1,800),
//! 28 (1,820, just above it) or 200 lots. His capital is 10 lakh rupees; the follower's 0.1, 0.5, 1 or 3 times that.
//! `ratio_max` is 5.

use super::*;

const LOT: u32 = 65;
const LEADER_LOTS: [u32; 5] = [1, 4, 27, 28, 200];
const LEADER_CAPITAL: i64 = 1_000_000;
/// Follower capital in rupees: 0.1, 0.5, 1 and 3 times the leader's.
const FOLLOWER_CAPITAL: [i64; 4] = [100_000, 500_000, 1_000_000, 3_000_000];

/// Expected lots: a row for each follower capital, in it a column for each of the leader's lots.
type Lotted = [[u32; 5]; 4];

fn lot() -> LotSize {
    LotSize::new(LOT).unwrap()
}

fn units(lots: u32) -> Quantity {
    Quantity::new(lots * LOT)
}

fn ratio(numerator: u64, denominator: u64) -> Ratio {
    Ratio::new(numerator, denominator).unwrap()
}

fn policy(strategy: Strategy, rounding: Rounding) -> SizingPolicy {
    SizingPolicy {
        strategy,
        fixed_ratio: ratio(35, 100),
        fixed_lots: Lots(2),
        risk_share: Bps::new(1_000),
        capital: CapitalBasis::Total,
        fixed_capital: None,
        multiplier: Ratio::ONE,
        ratio_max: ratio(5, 1),
        rounding,
        minimum: Minimum::Skip,
        keeps_remainder: true,
    }
}

/// Lots of each entry, by the policy; a unit costs `unit_cost` rupees and the follower holds `held` units already.
fn entries(policy: &SizingPolicy, unit_cost: i64, held: u64) -> Lotted {
    FOLLOWER_CAPITAL.map(|follower| {
        LEADER_LOTS.map(|leader_lots| {
            let capital = DayCapital {
                leader: Some(Money::from_rupees(LEADER_CAPITAL)),
                follower: Some(Money::from_rupees(follower)),
            };
            let occasion = Occasion {
                leader_quantity: units(leader_lots),
                lot_size: lot(),
                unit_cost: Some(Money::from_rupees(unit_cost)),
                held,
            };
            let sizing = propose(policy, capital, occasion).unwrap();
            let (lots, rest) = lot().split(sizing.quantity);
            assert!(rest.is_zero(), "{sizing:?}");
            assert_eq!(lots, sizing.lots(occasion.leader_quantity, Share::ZERO), "{sizing:?}");
            lots.0
        })
    })
}

/// Shares in lots:  leader   1     4    27    28   200
///             0.1 times   0.1   0.4   2.7   2.8    20
///             0.5 times   0.5   2    13.5  14     100
///             1 times     1     4    27    28     200
///             3 times     3    12    81    84     600
#[test]
fn entries_by_capital() {
    let by = |rounding| entries(&policy(Strategy::CapitalProportional, rounding), 200, 0);
    let down = [[0, 0, 2, 2, 20], [0, 2, 13, 14, 100], [1, 4, 27, 28, 200], [3, 12, 81, 84, 600]];
    let nearest = [[0, 0, 3, 3, 20], [0, 2, 13, 14, 100], [1, 4, 27, 28, 200], [3, 12, 81, 84, 600]];
    let up = [[1, 1, 3, 3, 20], [1, 2, 14, 14, 100], [1, 4, 27, 28, 200], [3, 12, 81, 84, 600]];
    assert_eq!(by(Rounding::Down), down);
    assert_eq!(by(Rounding::Nearest), nearest);
    assert_eq!(by(Rounding::Up), up);
}

/// 0.35 whatever the capital: 0.35, 1.4, 9.45, 9.8 and 70 lots.
#[test]
fn entries_by_a_fixed_ratio() {
    let by = |rounding| entries(&policy(Strategy::FixedRatio, rounding), 200, 0);
    assert_eq!(by(Rounding::Down), [[0, 1, 9, 9, 70]; 4]);
    assert_eq!(by(Rounding::Nearest), [[0, 1, 9, 10, 70]; 4]);
    assert_eq!(by(Rounding::Up), [[1, 2, 10, 10, 70]; 4]);
}

/// Two lots times 1.3 are 2.6 lots, whatever the capital and whatever the leader trades.
#[test]
fn entries_by_fixed_lots() {
    let by = |rounding| {
        let policy = SizingPolicy { multiplier: ratio(13, 10), ..policy(Strategy::FixedLots, rounding) };
        entries(&policy, 200, 0)
    };
    assert_eq!(by(Rounding::Down), [[2; 5]; 4]);
    assert_eq!(by(Rounding::Nearest), [[3; 5]; 4]);
    assert_eq!(by(Rounding::Up), [[3; 5]; 4]);
    // Without a multiplier there is nothing to round.
    let plain = |rounding| entries(&policy(Strategy::FixedLots, rounding), 200, 0);
    assert_eq!([plain(Rounding::Down), plain(Rounding::Nearest), plain(Rounding::Up)], [[[2; 5]; 4]; 3]);
    // Eight lots against one of the leader's are a ratio of 8, cut to 5; against four of his a ratio of 2.
    let eight = SizingPolicy { fixed_lots: Lots(8), ..policy(Strategy::FixedLots, Rounding::Down) };
    assert_eq!(entries(&eight, 200, 0), [[5, 8, 8, 8, 8]; 4]);
}

/// A tenth of the capital at 200 rupees a unit, 13,000 a lot: 10,000, 50,000, 1,00,000 and 3,00,000 rupees are
/// 0.769.., 3.846.., 7.692.. and 23.076.. lots; never more than five times the leader's 1 or 4 lots (5 and 20).
#[test]
fn entries_by_risk() {
    let by = |rounding| entries(&policy(Strategy::RiskBased, rounding), 200, 0);
    let down = [[0, 0, 0, 0, 0], [3, 3, 3, 3, 3], [5, 7, 7, 7, 7], [5, 20, 23, 23, 23]];
    let nearest = [[1, 1, 1, 1, 1], [4, 4, 4, 4, 4], [5, 8, 8, 8, 8], [5, 20, 23, 23, 23]];
    let up = [[1, 1, 1, 1, 1], [4, 4, 4, 4, 4], [5, 8, 8, 8, 8], [5, 20, 24, 24, 24]];
    assert_eq!(by(Rounding::Down), down);
    assert_eq!(by(Rounding::Nearest), nearest);
    assert_eq!(by(Rounding::Up), up);
}

/// Four lots held (260 units, 52,000 rupees) leave nothing of 10,000 and 50,000, and 48,000 and 2,48,000 of 1,00,000 and
/// 3,00,000: 3.692.. and 19.076.. lots.
#[test]
fn entries_by_risk_when_some_is_held() {
    let by = |rounding| entries(&policy(Strategy::RiskBased, rounding), 200, 260);
    assert_eq!(by(Rounding::Down), [[0; 5], [0; 5], [3; 5], [5, 19, 19, 19, 19]]);
    assert_eq!(by(Rounding::Nearest), [[0; 5], [0; 5], [4; 5], [5, 19, 19, 19, 19]]);
    assert_eq!(by(Rounding::Up), [[0; 5], [0; 5], [4; 5], [5, 20, 20, 20, 20]]);
}

/// A short is measured by its margin (A28): 15 percent of a strike of 26,000 is 3,900 rupees a unit, 2,53,500 a lot;
/// 10,000 to 3,00,000 rupees are 0.039.., 0.197.., 0.394.. and 1.183.. lots, where its premium would have made it 23.
#[test]
fn entries_of_shorts_by_risk() {
    let by = |rounding| entries(&policy(Strategy::RiskBased, rounding), 3_900, 0);
    assert_eq!(by(Rounding::Down), [[0; 5], [0; 5], [0; 5], [1; 5]]);
    assert_eq!(by(Rounding::Nearest), [[0; 5], [0; 5], [0; 5], [1; 5]]);
    assert_eq!(by(Rounding::Up), [[1; 5], [1; 5], [1; 5], [2; 5]]);
}

/// The lots that the follower closes at each step when he holds `held` and the leader goes from `leader_lots` down by
/// `steps`; both are flat at the end.
fn exits(held: u32, leader_lots: u32, steps: &[u32]) -> Vec<u32> {
    let (mut pool, mut leaders) = (Share::from_lots(Lots(held)), leader_lots);
    let mut closed = Vec::new();
    for step in steps {
        let left = leaders - step;
        let after = reduced(pool, u64::from(leaders * LOT), u64::from(left * LOT));
        closed.push(nearest_lots(pool).0 - nearest_lots(after).0);
        (pool, leaders) = (after, left);
    }
    assert_eq!((leaders, pool), (0, Share::ZERO), "{held} of {leader_lots}");
    assert_eq!(closed.iter().sum::<u32>(), held, "{held} of {leader_lots}");
    closed
}

/// (lots the follower holds, leader's lots, the leader's closes, the follower's closes).
type Leaving = (u32, u32, [u32; 3], [u32; 3]);

fn check_exits(table: &[Leaving]) {
    for (held, leader_lots, steps, expected) in table {
        assert_eq!(exits(*held, *leader_lots, steps), expected, "{held} of {leader_lots} by {steps:?}");
    }
}

/// In comments what the follower should still hold after each close, exactly.
#[test]
fn exits_in_thirds() {
    check_exits(&[
        (2, 4, [2, 1, 1], [1, 1, 0]),              // 1; 0.5 closes; 0
        (4, 4, [2, 1, 1], [2, 1, 1]),              // 2; 1; 0
        (12, 4, [2, 1, 1], [6, 3, 3]),             // 6; 3; 0
        (1, 4, [2, 1, 1], [1, 0, 0]),              // 0.5 closes; 0.25; 0
        (2, 27, [9, 9, 9], [1, 0, 1]),             // 1.33; 0.67; 0
        (3, 27, [9, 9, 9], [1, 1, 1]),             // 2; 1; 0
        (13, 27, [9, 9, 9], [4, 5, 4]),            // 8.67; 4.33; 0
        (14, 27, [9, 9, 9], [5, 4, 5]),            // 9.33; 4.67; 0
        (27, 27, [9, 9, 9], [9, 9, 9]),            // 18; 9; 0
        (81, 27, [9, 9, 9], [27, 27, 27]),         // 54; 27; 0
        (2, 28, [10, 9, 9], [1, 0, 1]),            // 1.29; 0.64; 0
        (3, 28, [10, 9, 9], [1, 1, 1]),            // 1.93; 0.96; 0
        (14, 28, [10, 9, 9], [5, 5, 4]),           // 9; 4.5 closes; 0
        (28, 28, [10, 9, 9], [10, 9, 9]),          // 18; 9; 0
        (84, 28, [10, 9, 9], [30, 27, 27]),        // 54; 27; 0
        (20, 200, [67, 67, 66], [7, 6, 7]),        // 13.3; 6.6; 0
        (100, 200, [67, 67, 66], [34, 33, 33]),    // 66.5 closes; 33; 0
        (200, 200, [67, 67, 66], [67, 67, 66]),    // 133; 66; 0
        (600, 200, [67, 67, 66], [201, 201, 198]), // 399; 198; 0
    ]);
}

/// Four, three and three of ten, and the whole lots nearest to those parts.
#[test]
fn exits_in_four_three_three_of_ten() {
    check_exits(&[
        (1, 10, [4, 3, 3], [0, 1, 0]),             // 0.6; 0.3; 0
        (2, 10, [4, 3, 3], [1, 0, 1]),             // 1.2; 0.6; 0
        (3, 10, [4, 3, 3], [1, 1, 1]),             // 1.8; 0.9; 0
        (5, 10, [4, 3, 3], [2, 2, 1]),             // 3; 1.5 closes; 0
        (7, 10, [4, 3, 3], [3, 2, 2]),             // 4.2; 2.1; 0
        (10, 10, [4, 3, 3], [4, 3, 3]),            // 6; 3; 0
        (30, 10, [4, 3, 3], [12, 9, 9]),           // 18; 9; 0
        (2, 27, [11, 8, 8], [1, 0, 1]),            // 1.19; 0.59; 0
        (13, 27, [11, 8, 8], [5, 4, 4]),           // 7.70; 3.85; 0
        (27, 27, [11, 8, 8], [11, 8, 8]),          // 16; 8; 0
        (81, 27, [11, 8, 8], [33, 24, 24]),        // 48; 24; 0
        (2, 28, [12, 8, 8], [1, 0, 1]),            // 1.14; 0.57; 0
        (14, 28, [12, 8, 8], [6, 4, 4]),           // 8; 4; 0
        (28, 28, [12, 8, 8], [12, 8, 8]),          // 16; 8; 0
        (84, 28, [12, 8, 8], [36, 24, 24]),        // 48; 24; 0
        (20, 200, [80, 60, 60], [8, 6, 6]),        // 12; 6; 0
        (100, 200, [80, 60, 60], [40, 30, 30]),    // 60; 30; 0
        (200, 200, [80, 60, 60], [80, 60, 60]),    // 120; 60; 0
        (600, 200, [80, 60, 60], [240, 180, 180]), // 360; 180; 0
    ]);
}

/// The leader leaves lot by lot: at which of his sells the follower closes one.
fn closing_sells(held: u32, leader_lots: u32) -> Vec<u32> {
    let steps = vec![1; usize::try_from(leader_lots).unwrap()];
    let closed = exits(held, leader_lots, &steps);
    assert!(closed.iter().all(|lots| *lots <= 1), "{held} of {leader_lots}: {closed:?}");
    (1..).zip(closed).filter(|(_, lots)| *lots == 1).map(|(sell, _)| sell).collect()
}

/// A lot closes when the leader has come down to so many lots that the follower should hold half a lot less than he does:
/// he goes to m lots when the leader has at most leader's lots x (2m + 1) / (2 x held) left.
#[test]
fn exits_one_by_one() {
    // 4 x 3/4 = 3 left (sell 1); 4 x 1/4 = 1 left (sell 3).
    assert_eq!(closing_sells(2, 4), [1, 3]);
    // 4 x 1/2 = 2 left.
    assert_eq!(closing_sells(1, 4), [2]);
    assert_eq!(closing_sells(4, 4), [1, 2, 3, 4]);
    assert_eq!(closing_sells(1, 1), [1]);
    // 27 x 3/4 = 20.25, so 20 left (sell 7); 27 x 1/4 = 6.75, so 6 left (sell 21).
    assert_eq!(closing_sells(2, 27), [7, 21]);
    // 27 x 25/26 = 25.96 (25 left, sell 2), 27 x 23/26 = 23.88 (23 left, sell 4) ... 27 x 13/26 = 13.5 (13 left, sell 14)
    // ... 27 x 1/26 = 1.04 (1 left, sell 26).
    assert_eq!(closing_sells(13, 27), [2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26]);
    // 28 x 3/4 = 21 left (a tie: sell 7); 28 x 1/4 = 7 left (a tie: sell 21).
    assert_eq!(closing_sells(2, 28), [7, 21]);
    // Half of an odd number left is a tie, and closes.
    assert_eq!(closing_sells(14, 28), [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27]);
    // A tenth of 195, of 185 ... of 5 left is a tie.
    let every_tenth =
        [5, 15, 25, 35, 45, 55, 65, 75, 85, 95, 105, 115, 125, 135, 145, 155, 165, 175, 185, 195];
    assert_eq!(closing_sells(20, 200), every_tenth);
    let every_odd: Vec<u32> = (0..100).map(|k| 2 * k + 1).collect();
    assert_eq!(closing_sells(100, 200), every_odd);
    // One for one, and three for one.
    for leader_lots in LEADER_LOTS {
        let steps = vec![1; usize::try_from(leader_lots).unwrap()];
        assert!(exits(leader_lots, leader_lots, &steps).iter().all(|lots| *lots == 1));
        assert!(exits(3 * leader_lots, leader_lots, &steps).iter().all(|lots| *lots == 3));
    }
}

/// Which of twenty one-lot orders give a lot, and that none gives more.
fn giving(fixed_ratio: Ratio, rounding: Rounding, keeps_remainder: bool) -> Vec<u32> {
    let policy = SizingPolicy { fixed_ratio, keeps_remainder, ..policy(Strategy::FixedRatio, rounding) };
    let occasion = Occasion { leader_quantity: units(1), lot_size: lot(), unit_cost: None, held: 0 };
    let sizing = propose(&policy, DayCapital::default(), occasion).unwrap();
    let mut credit = Share::ZERO;
    let mut giving = Vec::new();
    for order in 1..=20 {
        let lots = sizing.lots(units(1), credit);
        credit = sizing.left(units(1), credit);
        assert!(lots <= Lots(1), "order {order}");
        giving.extend((lots == Lots(1)).then_some(order));
    }
    giving
}

/// With a remainder the lots given after k orders are k x ratio, rounded.
#[test]
fn twenty_one_lot_orders() {
    use Rounding::{Down, Nearest, Up};
    let (half, third) = (ratio(1, 2), ratio(1, 3));
    // A26: 0.5, 1, 1.5, 2 ... 10: ten in all, however it is rounded.
    assert_eq!(giving(half, Down, true), [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
    assert_eq!(giving(half, Nearest, true), [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
    assert_eq!(giving(half, Up, true), [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    // 0.33, 0.67, 1 ... 6.67.
    assert_eq!(giving(third, Down, true), [3, 6, 9, 12, 15, 18]);
    assert_eq!(giving(third, Nearest, true), [2, 5, 8, 11, 14, 17, 20]);
    assert_eq!(giving(third, Up, true), [1, 4, 7, 10, 13, 16, 19]);
    // 0.3, 0.6, 0.9, 1.2, 1.5 (a tie goes down), 1.8, 2.1, 2.4, 2.7, 3 ... 6.
    assert_eq!(giving(ratio(3, 10), Down, true), [4, 7, 10, 14, 17, 20]);
    assert_eq!(giving(ratio(3, 10), Nearest, true), [2, 6, 9, 12, 16, 19]);
    assert_eq!(giving(ratio(3, 10), Up, true), [1, 4, 7, 11, 14, 17]);
    // 0.7, 1.4, 2.1, 2.8, 3.5 (a tie), 4.2, 4.9, 5.6, 6.3, 7, 7.7, 8.4, 9.1, 9.8, 10.5 (a tie), 11.2, 11.9, 12.6, 13.3, 14.
    assert_eq!(giving(ratio(7, 10), Down, true), [2, 3, 5, 6, 8, 9, 10, 12, 13, 15, 16, 18, 19, 20]);
    assert_eq!(giving(ratio(7, 10), Nearest, true), [1, 3, 4, 6, 7, 8, 10, 11, 13, 14, 16, 17, 18, 20]);
    assert_eq!(giving(ratio(7, 10), Up, true), [1, 2, 3, 5, 6, 8, 9, 11, 12, 13, 15, 16, 18, 19]);
    // Without one each order is rounded by itself.
    assert!(giving(half, Down, false).is_empty() && giving(half, Nearest, false).is_empty());
    assert_eq!(giving(half, Up, false).len(), 20);
    assert_eq!(giving(ratio(7, 10), Nearest, false).len(), 20);
}
