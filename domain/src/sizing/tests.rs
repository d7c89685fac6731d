//! Single rules, and what must hold for any numbers.

use proptest::collection::vec;
use proptest::prelude::{
    Just, Strategy as Generated, any, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

use super::*;

const LAKH: i64 = 100_000;

fn nifty() -> LotSize {
    LotSize::new(65).unwrap()
}

fn ratio(numerator: u64, denominator: u64) -> Ratio {
    Ratio::new(numerator, denominator).unwrap()
}

fn policy(strategy: Strategy) -> SizingPolicy {
    SizingPolicy {
        strategy,
        fixed_ratio: ratio(1, 2),
        fixed_lots: Lots(2),
        risk_share: Bps::new(1_000),
        capital: CapitalBasis::Total,
        fixed_capital: None,
        multiplier: Ratio::ONE,
        ratio_max: ratio(5, 1),
        rounding: Rounding::Down,
        minimum: Minimum::Skip,
        keeps_remainder: true,
    }
}

fn capital(leader: i64, follower: i64) -> DayCapital {
    let rupees = |rupees| Some(Money::from_rupees(rupees));
    DayCapital { leader: rupees(leader), follower: rupees(follower) }
}

/// An order of so many NIFTY lots at 200 rupees a unit, by a follower who holds nothing.
fn order(lots: u32) -> Occasion {
    Occasion {
        leader_quantity: Quantity::new(lots * 65),
        lot_size: nifty(),
        unit_cost: Some(Money::from_rupees(200)),
        held: 0,
    }
}

fn half_of(lots: u32) -> Sizing {
    propose(&policy(Strategy::FixedRatio), DayCapital::default(), order(lots)).unwrap()
}

fn units(lots: u32) -> Quantity {
    Quantity::new(lots * 65)
}

fn billionths(share: i64) -> Share {
    Share::from_billionths(share)
}

#[test]
fn what_a_strategy_needs_must_be_known() {
    let (by_capital, by_risk) = (policy(Strategy::CapitalProportional), policy(Strategy::RiskBased));
    let whole = capital(10 * LAKH, 5 * LAKH);
    let no_leader = DayCapital { leader: None, ..whole };
    let no_follower = DayCapital { follower: None, ..whole };
    for unknown in [no_leader, no_follower, capital(0, LAKH), capital(-LAKH, LAKH), capital(LAKH, -LAKH)] {
        assert_eq!(propose(&by_capital, unknown, order(4)), Err(DeniedReason::CapitalUnknown), "{unknown:?}");
    }
    assert_eq!(propose(&by_risk, no_follower, order(4)), Err(DeniedReason::CapitalUnknown));
    for cost in [None, Some(Money::ZERO), Some(Money::from_rupees(-1))] {
        let occasion = Occasion { unit_cost: cost, ..order(4) };
        assert_eq!(propose(&by_risk, whole, occasion), Err(DeniedReason::PriceUnknown), "{cost:?}");
        assert!(propose(&by_capital, whole, occasion).is_ok());
    }
    assert!(propose(&by_risk, no_leader, order(4)).is_ok());
    for strategy in [Strategy::FixedRatio, Strategy::FixedLots] {
        assert!(propose(&policy(strategy), DayCapital::default(), order(4)).is_ok());
    }
    // A follower without money is known to have none.
    assert_eq!(propose(&by_capital, capital(LAKH, 0), order(4)).unwrap().quantity, Quantity::ZERO);
}

#[test]
fn a_fixed_sum_stands_for_the_followers_capital() {
    let fixed = SizingPolicy {
        capital: CapitalBasis::Fixed,
        fixed_capital: Some(Money::from_rupees(5 * LAKH)),
        ..policy(Strategy::CapitalProportional)
    };
    let sizing = propose(&fixed, capital(10 * LAKH, 30 * LAKH), order(4)).unwrap();
    assert_eq!((sizing.ratio, sizing.quantity), (ratio(1, 2), units(2)));
    assert_eq!(sizing.follower_capital, fixed.fixed_capital);
    let unset = SizingPolicy { fixed_capital: None, ..fixed };
    assert_eq!(propose(&unset, capital(LAKH, LAKH), order(4)), Err(DeniedReason::CapitalUnknown));
}

#[test]
fn only_what_counted_is_stored() {
    let both = capital(10 * LAKH, 5 * LAKH);
    let counted = |strategy| {
        let sizing = propose(&policy(strategy), both, Occasion { held: 65, ..order(4) }).unwrap();
        (sizing.leader_capital, sizing.follower_capital, sizing.unit_cost, sizing.held)
    };
    assert_eq!(counted(Strategy::CapitalProportional), (both.leader, both.follower, None, 0));
    assert_eq!(counted(Strategy::RiskBased), (None, both.follower, Some(Money::from_rupees(200)), 65));
    assert_eq!(counted(Strategy::FixedRatio), (None, None, None, 0));
    assert_eq!(counted(Strategy::FixedLots), (None, None, None, 0));
}

#[test]
fn the_ratio_is_cut_and_the_multiplier_is_not() {
    // 9 is cut to 5; twice that is 10 lots for one.
    let wide =
        SizingPolicy { fixed_ratio: ratio(9, 1), multiplier: ratio(2, 1), ..policy(Strategy::FixedRatio) };
    let sizing = propose(&wide, DayCapital::default(), order(1)).unwrap();
    assert_eq!((sizing.ratio, sizing.quantity), (ratio(5, 1), units(10)));
}

#[test]
fn less_than_a_lot_is_nothing_or_one_lot() {
    assert_eq!(half_of(1).quantity, Quantity::ZERO);
    let one_lot = SizingPolicy { minimum: Minimum::OneLot, ..policy(Strategy::FixedRatio) };
    let sizing = propose(&one_lot, DayCapital::default(), order(1)).unwrap();
    assert_eq!(sizing.quantity, units(1));
    assert_eq!(sizing.lots(Quantity::ZERO, Share::ZERO), Lots(0));
    // What the minimum gave beyond the share is not owed back; a debt of before stands.
    assert_eq!(sizing.left(units(1), Share::ZERO), Share::ZERO);
    assert_eq!(sizing.left(units(1), billionths(-700_000_000)), billionths(-200_000_000));
    // A lot and a half is no matter of the minimum.
    assert_eq!(
        (sizing.lots(units(3), Share::ZERO), sizing.left(units(3), Share::ZERO)),
        (Lots(1), billionths(500_000_000))
    );
}

#[test]
fn no_share_at_all_has_no_minimum() {
    // Ten lots held cost 1,30,000 rupees, more than a tenth of 10 lakh.
    let risky = SizingPolicy { minimum: Minimum::OneLot, ..policy(Strategy::RiskBased) };
    let occasion = Occasion { held: 650, ..order(4) };
    let sizing = propose(&risky, capital(10 * LAKH, 10 * LAKH), occasion).unwrap();
    assert_eq!((sizing.ratio.is_zero(), sizing.quantity), (true, Quantity::ZERO));
}

#[test]
fn room_is_not_counted_twice() {
    // 24,000 rupees pay for 1.846 lots: one now. With one held 0.846 are left, and nothing may be added to that.
    let risky = SizingPolicy { risk_share: Bps::new(240), ..policy(Strategy::RiskBased) };
    let money = capital(10 * LAKH, 10 * LAKH);
    let first = propose(&risky, money, order(4)).unwrap();
    assert_eq!((first.quantity, first.left(units(4), Share::ZERO)), (units(1), Share::ZERO));
    let second = propose(&risky, money, Occasion { held: 65, ..order(4) }).unwrap();
    assert_eq!(second.lots(units(4), billionths(846_153_846)), Lots(0));
}

#[test]
fn a_raise_is_proposed_anew_where_the_ratio_was_made_for_the_order() {
    let fixed = propose(&policy(Strategy::FixedLots), DayCapital::default(), order(4)).unwrap();
    assert_eq!(fixed.lots(units(8), Share::ZERO), Lots(2));
    assert_eq!(fixed.lots(units(2), Share::ZERO), Lots(1));
    assert_eq!(half_of(4).lots(units(8), Share::ZERO), Lots(4));
}

#[test]
fn credit_is_for_what_was_executed() {
    let (sizing, half) = (half_of(3), billionths(500_000_000));
    // Three lots at 0.5: one, and half a lot left for the next order.
    assert_eq!((sizing.lots(units(3), Share::ZERO), sizing.left(units(3), Share::ZERO)), (Lots(1), half));
    // It ends with one, two or none executed: that much is earned, not more.
    assert_eq!(sizing.left(units(1), Share::ZERO), half);
    assert_eq!(sizing.left(units(2), Share::ZERO), Share::ZERO);
    assert_eq!(sizing.left(Quantity::ZERO, Share::ZERO), Share::ZERO);
    // One lot with half a lot of credit makes one; ended unfilled, the credit is back.
    assert_eq!((sizing.lots(units(1), half), sizing.left(units(1), half)), (Lots(1), Share::ZERO));
    assert_eq!((sizing.lots(Quantity::ZERO, half), sizing.left(Quantity::ZERO, half)), (Lots(0), half));
}

#[test]
fn a_remainder_that_is_not_kept_does_not_count() {
    let forgetful = SizingPolicy { keeps_remainder: false, ..policy(Strategy::FixedRatio) };
    let sizing = propose(&forgetful, DayCapital::default(), order(1)).unwrap();
    let half = billionths(500_000_000);
    assert_eq!((sizing.lots(units(1), half), sizing.left(units(1), half)), (Lots(0), Share::ZERO));
}

#[test]
fn a_row_of_before_remainders_reads_as_it_was() {
    let old = r#"{"strategy":"fixed_ratio","ratio":{"numerator":1,"denominator":2},
        "multiplier":{"numerator":1,"denominator":1},"leader_quantity":260,"lot_size":65,
        "leader_capital":null,"follower_capital":null,"quantity":130}"#;
    let sizing: Sizing = serde_json::from_str(old).unwrap();
    assert_eq!(sizing, Sizing { keeps_remainder: false, ..half_of(4) });
}

#[test]
fn absurd_numbers_saturate() {
    let most = Ratio { numerator: u64::MAX, denominator: 1 };
    let absurd =
        SizingPolicy { fixed_ratio: most, ratio_max: most, multiplier: most, ..policy(Strategy::FixedRatio) };
    let sizing = propose(&absurd, DayCapital::default(), order(1)).unwrap();
    assert_eq!(sizing.share(units(1)), billionths(i64::MAX));
    // 66,076,419 whole lots of 65 are the most that 32 bits hold.
    assert_eq!(sizing.quantity, Quantity::new(4_294_967_235));
    let tiny = Ratio { numerator: 1, denominator: u64::MAX };
    let nothing = SizingPolicy { fixed_ratio: tiny, multiplier: tiny, ..absurd };
    assert_eq!(propose(&nothing, DayCapital::default(), order(1)).unwrap().share(units(1)), Share::ZERO);
    // 2^64 times 2^-64 is one, to the billionth.
    let even = SizingPolicy { multiplier: tiny, ..absurd };
    let sizing = propose(&even, DayCapital::default(), order(4)).unwrap();
    assert_eq!((sizing.share(units(4)), sizing.quantity), (Share::from_lots(Lots(4)), units(4)));
    // A stored row may hold anything.
    let broken = Sizing { ratio: Ratio { numerator: 1, denominator: 0 }, ..sizing };
    assert!(broken.share(units(4)) > Share::ZERO);
}

fn any_ratio() -> impl Generated<Value = Ratio> {
    let part = || prop_oneof![0u64..5_000, any::<u64>()];
    (part(), part()).prop_map(|(upper, lower)| Ratio { numerator: upper, denominator: lower.max(1) })
}

fn any_policy() -> impl Generated<Value = SizingPolicy> {
    let choices = (0..Strategy::ALL.len(), 0..Rounding::ALL.len(), 0..Minimum::ALL.len(), any::<bool>());
    (choices, any_ratio(), any_ratio(), any_ratio(), any::<u32>(), any::<u32>()).prop_map(
        |((strategy, rounding, minimum, keeps), fixed, multiplier, most, lots, bps)| SizingPolicy {
            strategy: Strategy::ALL[strategy],
            fixed_ratio: fixed,
            fixed_lots: Lots(lots),
            risk_share: Bps::new(bps),
            multiplier,
            ratio_max: most,
            rounding: Rounding::ALL[rounding],
            minimum: Minimum::ALL[minimum],
            keeps_remainder: keeps,
            ..policy(Strategy::FixedRatio)
        },
    )
}

fn any_occasion() -> impl Generated<Value = Occasion> {
    (any::<u32>(), 1u32.., proptest::option::of(any::<i64>()), any::<u64>()).prop_map(
        |(units, lot, cost, held)| Occasion {
            leader_quantity: Quantity::new(units),
            lot_size: LotSize::new(lot).unwrap(),
            unit_cost: cost.map(Money::from_units),
            held,
        },
    )
}

fn any_capital() -> impl Generated<Value = DayCapital> {
    (proptest::option::of(any::<i64>()), proptest::option::of(any::<i64>())).prop_map(|(leader, follower)| {
        DayCapital { leader: leader.map(Money::from_units), follower: follower.map(Money::from_units) }
    })
}

/// What a lot above the proportion may be: none down, half a lot to the nearest, a whole one up, and always the millionth
/// within which a lot counts as whole. In billionths; one for the rounding of the share itself.
fn allowance(rounding: Rounding) -> u128 {
    1_001
        + match rounding {
            Rounding::Down => 0,
            Rounding::Nearest => 500_000_000,
            Rounding::Up => 1_000_000_000,
        }
}

proptest! {
    #[test]
    fn never_panics_and_is_the_same_after_a_restart(
        policy in any_policy(), capital in any_capital(), occasion in any_occasion(), units in any::<u32>(),
        credit in any::<i64>()
    ) {
        let proposed = propose(&policy, capital, occasion);
        prop_assert_eq!(proposed, propose(&policy, capital, occasion));
        if let Ok(sizing) = proposed {
            let stored = Sizing { credit: billionths(credit), ..sizing };
            let read: Sizing = serde_json::from_str(&serde_json::to_string(&stored).unwrap()).unwrap();
            prop_assert_eq!(read, stored);
            let units = Quantity::new(units);
            prop_assert_eq!(read.lots(units, read.credit), sizing.lots(units, billionths(credit)));
            prop_assert_eq!(read.left(units, read.credit), sizing.left(units, billionths(credit)));
            prop_assert_eq!(read.quantity_of(read.lots(read.leader_quantity, Share::ZERO)), sizing.quantity);
            prop_assert_eq!(sizing.quantity.get() % occasion.lot_size.get(), 0);
        }
    }

    #[test]
    fn never_more_than_the_proportion_and_its_rounding(
        units in 1u32..200_000, upper in 0u64..5_000, lower in 1u64..5_000, lot in 1u32..1_000,
        rounding in prop_oneof![Just(Rounding::Down), Just(Rounding::Nearest), Just(Rounding::Up)]
    ) {
        let policy = SizingPolicy {
            fixed_ratio: ratio(upper, lower), ratio_max: ratio(5_000, 1), rounding, ..policy(Strategy::FixedRatio)
        };
        let occasion = Occasion {
            leader_quantity: Quantity::new(units), lot_size: LotSize::new(lot).unwrap(), unit_cost: None, held: 0,
        };
        let ours = u128::from(propose(&policy, DayCapital::default(), occasion).unwrap().quantity.get());
        // Both sides times lower x 10^9, in units.
        let (lower, billion) = (u128::from(lower), 1_000_000_000_u128);
        let proportion = u128::from(units) * u128::from(upper) * billion;
        let lot = u128::from(lot) * lower;
        prop_assert!(ours * lower * billion <= proportion + lot * allowance(rounding));
        // And never a whole lot less: the other end of the same rounding.
        let short = lot * (1_000_000_000 + 2_002 - allowance(rounding));
        prop_assert!(ours * lower * billion + short >= proportion);
    }

    #[test]
    fn with_a_remainder_the_sum_stays_within_one_lot_of_the_proportion(
        orders in vec(1u32..60, 1..60), upper in 1u64..400, lower in 1u64..400
    ) {
        let policy =
            SizingPolicy { fixed_ratio: ratio(upper, lower), ratio_max: ratio(400, 1), ..policy(Strategy::FixedRatio) };
        let sizing = propose(&policy, DayCapital::default(), order(1)).unwrap();
        let (mut credit, mut leaders, mut ours) = (Share::ZERO, 0u128, 0u128);
        for lots in orders {
            leaders += u128::from(lots);
            ours += u128::from(sizing.lots(units(lots), credit).0);
            credit = sizing.left(units(lots), credit);
            // In billionths of a lot, times lower; a millionth of a lot for the tolerance.
            let (given, lot) = (ours * u128::from(lower) * 1_000_000_000, u128::from(lower) * 1_000_000_000);
            let proportion = leaders * u128::from(upper) * 1_000_000_000;
            let millionth = lot / 1_000_000 + u128::from(lower) * 60;
            prop_assert!(given <= proportion + millionth);
            prop_assert!(proportion < given + lot + millionth);
        }
    }

    #[test]
    fn more_units_are_never_fewer_lots(
        policy in any_policy(), occasion in any_occasion(), fewer in any::<u32>(), more in any::<u32>(),
        credit in 0..Share::PER_LOT
    ) {
        let rich = capital(10 * LAKH, 7 * LAKH);
        if let Ok(sizing) = propose(&policy, rich, occasion) {
            let (fewer, more) = (Quantity::new(fewer.min(more)), Quantity::new(fewer.max(more)));
            prop_assert!(sizing.lots(fewer, billionths(credit)) <= sizing.lots(more, billionths(credit)));
        }
    }

    #[test]
    fn exits_come_to_what_is_held(held in 0u32..5_000, steps in vec(1u32..500, 1..60)) {
        let mut leaders: u64 = steps.iter().copied().map(u64::from).sum();
        let (whole, mut pool, mut closed) = (leaders, Share::from_lots(Lots(held)), 0u32);
        for step in steps {
            let left = leaders - u64::from(step);
            let after = reduced(pool, leaders, left);
            prop_assert!(nearest_lots(after) <= nearest_lots(pool));
            closed += nearest_lots(pool).0 - nearest_lots(after).0;
            (pool, leaders) = (after, left);
            // Within half a lot of the proportion, in lots times the leader's whole; a millionth for the tolerance.
            let kept = u128::from(held - closed) * u128::from(whole) * 1_000_000;
            let proportion = u128::from(held) * u128::from(leaders) * 1_000_000;
            prop_assert!(kept.abs_diff(proportion) <= u128::from(whole) * 500_002);
        }
        prop_assert_eq!((closed, pool), (held, Share::ZERO));
    }
}
