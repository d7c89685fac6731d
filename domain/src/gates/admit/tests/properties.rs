//! What is admitted never exceeds a cap, and passes again.

use proptest::prelude::*;

use super::*;
use crate::gates::entry::Caps;

fn optional<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::weighted(0.7, strategy)
}

prop_compose! {
    fn caps()(
        lots_per_order in optional(0u32..40),
        lots_per_instrument in optional(0u32..60),
        order_value in optional(0i64..400_000),
        position_share in optional(0u32..10_000),
    ) -> Caps {
        Caps {
            lots_per_order: lots_per_order.map(Lots),
            lots_per_instrument: lots_per_instrument.map(Lots),
            order_value: order_value.map(Money::from_rupees),
            position_share: position_share.map(Bps::new),
            open_orders: None,
            orders_per_day: None,
        }
    }
}

proptest! {
    #[test]
    fn what_is_admitted_is_asked_for_in_whole_lots_and_under_every_cap(
        caps in caps(), scale: bool, sells: bool, asked in 0u32..4_000, before in 0u32..20, held in 0u64..3_000,
        value in 0i64..300_000, free in 0i64..3_000_000, reserved in 0i64..100_000, covered in 0u64..3_000,
        paise in 1u32..100_000,
    ) {
        let mut case = Case::with(|case| {
            case.policy.caps = caps;
            case.policy.at_cap = if scale { AtCap::Scale } else { AtCap::Skip };
            case.policy.margin = MarginCheck::Estimate;
            case.terms.side = if sells { Side::Sell } else { Side::Buy };
            case.price = Some(Price::from_paise(paise));
            (case.units, case.before, case.instrument_units) = (asked, before * LOT, held);
            (case.instrument_value, case.reserved) = (rupees(value), rupees(reserved));
            case.available = Some(Figure { value: rupees(free), at: case.now });
            case.cover = Some(Cover { units: covered, width: Price::from_paise(20_000) });
        });
        let Ok(admission) = case.told() else { return Ok(()) };
        let units = admission.units.get();
        prop_assert!(units > 0 && units <= asked && units.is_multiple_of(LOT));
        prop_assert_eq!(admission.cut_by.is_some(), asked - units >= LOT);
        prop_assert!(scale || admission.cut_by.is_none());

        // In paise, with sums of the test's own: premium of a long, 15 % of the strike of 26,000 for a short.
        let each = i128::from(if sells { 390_000 } else { paise });
        let (units, before) = (i128::from(units), i128::from(before * LOT));
        let lots = |lots: Lots| i128::from(lots.0 * LOT);
        prop_assert!(caps.lots_per_order.is_none_or(|cap| units + before <= lots(cap)));
        prop_assert!(caps.lots_per_instrument.is_none_or(|cap| units + i128::from(held) <= lots(cap)));
        let value_cap = caps.order_value.map(|cap| i128::from(cap.units() / 100));
        prop_assert!(value_cap.is_none_or(|cap| (units + before) * each <= cap));
        let share_cap = caps.position_share.map(|share| 50_000_000 * i128::from(share.get()) / 10_000);
        prop_assert!(share_cap.is_none_or(|cap| units * each + i128::from(value) * 100 <= cap));
        // Two hundred points and a quarter for what is covered.
        let cheap = if sells { units.min(i128::from(covered)) } else { 0 };
        let need = cheap * (20_000 + 97_500) + (units - cheap) * each;
        prop_assert!(need <= i128::from(free - reserved) * 100);

        // What was admitted passes again, whole.
        case.units = admission.units.get();
        prop_assert_eq!(case.told(), Ok(Admission { cut_by: None, ..admission }));
    }
}
