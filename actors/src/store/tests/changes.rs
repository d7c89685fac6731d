//! Changes and cancels: numbered together, one in flight, and never beyond the target.

use tandem_domain::ids::ChildKey;
use tandem_domain::mirror::{OrderPart, Outcome};
use tandem_domain::order::{BrokerStatus, ExitLegs, OrderForm};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;
use tandem_domain::time::Timestamp;

use super::fixtures::{
    Bench, answered, asha, at, change, changed, child, day, follower_order, ground, intent, is_constraint,
    is_illegal, mapped, planned, reported, request, requested, terms,
};
use crate::store::{IntentKind, IntentState, Write};

/// A bench with one child of 65 units working, of a target of 130.
fn working(quantity: u32) -> Bench {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    bench.commit(vec![planned(&child(0, 1), IntentState::Acked, quantity)]).unwrap();
    bench.commit(vec![order_of(quantity, 0, at(4))]).unwrap();
    bench
}

/// The state of the first child's order.
fn order_of(quantity: u32, cumulative: u32, ts_init: Timestamp) -> Write {
    let status = if cumulative == 0 { BrokerStatus::Pending } else { BrokerStatus::PartTraded };
    let mut order = follower_order(&child(0, 1), "F1", status, cumulative);
    (order.report.terms.quantity, order.ts_init, order.report.ts_event) =
        (Quantity::new(quantity), ts_init, ts_init);
    reported(&order)
}

fn exposure(bench: &Bench, key: &ChildKey) -> u32 {
    let sql = "SELECT exposure FROM child_orders WHERE leg = ?1 AND slice = ?2 AND attempt = ?3";
    bench.raw().query_row(sql, (key.leg, key.slice, key.attempt), |row| row.get(0)).unwrap()
}

#[test]
fn changes_and_cancels_of_a_child_are_numbered_together() {
    let bench = working(130);
    let modify = request(&child(0, 1), IntentKind::Modify, 1, 65);
    bench.commit(vec![requested(&modify), answered(&modify, IntentState::Acked)]).unwrap();
    let mut cancel = request(&child(0, 1), IntentKind::Cancel, 1, 65);
    is_constraint(bench.commit(vec![requested(&cancel)]), "UNIQUE");
    cancel.serial = 2;
    bench.commit(vec![requested(&cancel), answered(&cancel, IntentState::Refused)]).unwrap();
    let kinds: Vec<_> = bench.store.reader.mirrors(day(), &asha()).unwrap()[0]
        .intents
        .iter()
        .map(|row| (row.kind, row.serial))
        .collect();
    assert_eq!(kinds, [(IntentKind::Place, 0), (IntentKind::Modify, 1), (IntentKind::Cancel, 2)]);
}

#[test]
fn a_change_names_its_part_and_a_placement_has_none() {
    let bench = working(130);
    let mut modify = request(&child(0, 1), IntentKind::Modify, 1, 130);
    modify.part = None;
    is_constraint(bench.commit(vec![requested(&modify)]), "CHECK");
    modify.part = Some(OrderPart::Stop);
    let legs =
        ExitLegs { target: None, stop: Some(Price::from_paise(17_000)), trailing: Price::from_paise(100) };
    modify.terms.form = OrderForm::Super(legs);
    bench.commit(vec![requested(&modify)]).unwrap();
    assert_eq!(bench.store.reader.mirrors(day(), &asha()).unwrap()[0].intents[1], modify);
    let mut place = intent(&child(1, 1), IntentState::Voided, 65);
    place.part = Some(OrderPart::Whole);
    is_constraint(bench.commit(vec![requested(&place)]), "CHECK");
}

#[test]
fn the_states_of_a_change_are_the_table_and_nothing_else() {
    for kind in [IntentKind::Modify, IntentKind::Cancel] {
        for &from in IntentState::ALL {
            for &to in IntentState::ALL {
                let bench = working(130);
                let row = intent(&child(0, 1), from, 130);
                let row = crate::store::IntentRow { state: from, ..request(&row.child, kind, 1, 130) };
                bench.commit(vec![requested(&row)]).unwrap();
                let result = bench.commit(vec![answered(&row, to)]);
                if crate::store::predecessors(to, kind).contains(&from) {
                    result.unwrap();
                } else {
                    is_illegal(result);
                }
            }
        }
    }
}

#[test]
fn a_change_without_an_answer_ends_by_evidence_either_way() {
    for end in [IntentState::Acked, IntentState::Absent, IntentState::Refused] {
        let bench = working(130);
        let modify = request(&child(0, 1), IntentKind::Modify, 1, 65);
        bench.commit(vec![requested(&modify), answered(&modify, IntentState::Unknown)]).unwrap();
        bench.commit(vec![answered(&modify, end)]).unwrap();
        // Nothing was in doubt about the order itself.
        assert_eq!(bench.state(&child(0, 1)), "ACKED");
    }
}

#[test]
fn a_held_change_takes_new_terms_and_another_part() {
    let bench = working(130);
    let mut held = request(&child(0, 1), IntentKind::Modify, 1, 65);
    held.state = IntentState::NotSent;
    bench.commit(vec![requested(&held)]).unwrap();
    let Write::IntentChange(mut again) = answered(&held, IntentState::Sending) else { unreachable!() };
    (again.terms, again.part) = (Some(terms(130)), Some(OrderPart::Entry));
    bench.commit(vec![Write::IntentChange(again)]).unwrap();
    let stored = &bench.store.reader.mirrors(day(), &asha()).unwrap()[0].intents[1];
    assert_eq!((stored.terms.clone(), stored.part), (terms(130), Some(OrderPart::Entry)));
}

#[test]
fn p26_only_an_order_of_ours_is_changed_or_cancelled() {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    for kind in [IntentKind::Modify, IntentKind::Cancel] {
        is_constraint(bench.commit(vec![requested(&request(&child(0, 1), kind, 1, 65))]), "P26");
    }
}

#[test]
fn p5_a_raise_stays_within_the_target_and_a_cut_is_never_held_back() {
    let bench = working(65);
    is_constraint(
        bench.commit(vec![requested(&request(&child(0, 1), IntentKind::Modify, 1, 131))]),
        "P5: the change",
    );
    let raise = request(&child(0, 1), IntentKind::Modify, 1, 130);
    bench.commit(vec![requested(&raise), answered(&raise, IntentState::Acked)]).unwrap();
    bench.commit(vec![order_of(130, 0, at(5))]).unwrap();
    // The leader cuts his order below what works: the way down is free, in steps too.
    bench.commit(vec![mapped(Outcome::Sent, 50)]).unwrap();
    let cut = request(&child(0, 1), IntentKind::Modify, 2, 100);
    bench.commit(vec![requested(&cut), answered(&cut, IntentState::Acked)]).unwrap();
    let cancel = request(&child(0, 1), IntentKind::Cancel, 3, 100);
    bench.commit(vec![requested(&cancel)]).unwrap();
}

#[test]
fn p5_a_raise_counts_from_the_moment_it_may_be_on_the_wire() {
    let bench = working(65);
    let raise = request(&child(0, 1), IntentKind::Modify, 1, 100);
    bench.commit(vec![requested(&raise)]).unwrap();
    for state in [None, Some(IntentState::Unknown), Some(IntentState::Acked)] {
        bench.commit(state.map(|state| answered(&raise, state)).into_iter().collect()).unwrap();
        assert_eq!(exposure(&bench, &child(0, 1)), 100, "{state:?}");
        is_constraint(bench.commit(vec![planned(&child(1, 1), IntentState::Sending, 31)]), "P5");
    }
    // Once the broker has reported the order since, its word counts.
    bench.commit(vec![order_of(65, 0, at(9))]).unwrap();
    bench.commit(vec![planned(&child(1, 1), IntentState::Sending, 65)]).unwrap();
}

#[test]
fn p5_a_raise_proven_without_effect_gives_its_room_back() {
    let bench = working(65);
    let raise = request(&child(0, 1), IntentKind::Modify, 1, 130);
    bench.commit(vec![requested(&raise), answered(&raise, IntentState::Unknown)]).unwrap();
    is_constraint(bench.commit(vec![planned(&child(1, 1), IntentState::Sending, 1)]), "P5");
    bench.commit(vec![answered(&raise, IntentState::Absent)]).unwrap();
    bench.commit(vec![planned(&child(1, 1), IntentState::Sending, 65)]).unwrap();
}

#[test]
fn p5_an_unanswered_cut_frees_nothing() {
    let bench = working(130);
    let cut = request(&child(0, 1), IntentKind::Modify, 1, 65);
    bench.commit(vec![requested(&cut), answered(&cut, IntentState::Acked)]).unwrap();
    is_constraint(bench.commit(vec![planned(&child(1, 1), IntentState::Sending, 65)]), "P5");
    bench.commit(vec![order_of(65, 0, at(9))]).unwrap();
    bench.commit(vec![planned(&child(1, 1), IntentState::Sending, 65)]).unwrap();
}

#[test]
fn p5_a_held_raise_is_checked_again_when_it_goes() {
    let bench = working(65);
    let mut raise = request(&child(0, 1), IntentKind::Modify, 1, 130);
    raise.state = IntentState::Planned;
    bench.commit(vec![requested(&raise)]).unwrap();
    bench.commit(vec![mapped(Outcome::Sent, 100)]).unwrap();
    is_constraint(bench.commit(vec![answered(&raise, IntentState::Sending)]), "P5");
}

#[test]
fn p5_an_overfill_counts_as_what_it_is() {
    let bench = working(65);
    bench.commit(vec![order_of(65, 70, at(5))]).unwrap();
    assert_eq!(exposure(&bench, &child(0, 1)), 70);
    is_constraint(bench.commit(vec![planned(&child(1, 1), IntentState::Sending, 61)]), "P5");
}

#[test]
fn p5_what_makes_a_gap_good_never_passes_what_the_copy_filled() {
    let bench = working(130);
    let repair = |slice, quantity| {
        let key = ChildKey { leg: 1, ..child(slice, 1) };
        bench.commit(vec![planned(&key, IntentState::Sending, quantity)])
    };
    is_constraint(repair(0, 1), "P5");
    bench.commit(vec![order_of(130, 65, at(5))]).unwrap();
    is_constraint(repair(0, 66), "P5");
    repair(0, 65).unwrap();
    is_constraint(repair(1, 1), "P5");
    let key = ChildKey { leg: 1, ..child(0, 1) };
    let raise = request(&key, IntentKind::Modify, 1, 66);
    let taken = changed(&key, IntentState::Unknown);
    is_constraint(bench.commit(vec![taken, requested(&raise)]), "P5");
    // The copy is not in the repair's way: its own room is the target's.
    is_constraint(bench.commit(vec![planned(&child(1, 1), IntentState::Sending, 1)]), "P5");
    let strange = ChildKey { leg: 2, ..child(0, 1) };
    is_constraint(bench.commit(vec![planned(&strange, IntentState::Voided, 1)]), "CHECK");
}

#[test]
fn a_cancel_names_the_order_as_it_is() {
    let bench = working(65);
    let mut cancel = request(&child(0, 1), IntentKind::Cancel, 1, 0);
    cancel.terms.disclosed = Quantity::new(20);
    bench.commit(vec![requested(&cancel)]).unwrap();
    let modify = request(&child(0, 1), IntentKind::Modify, 2, 0);
    is_constraint(bench.commit(vec![answered(&cancel, IntentState::Refused), requested(&modify)]), "CHECK");
}

#[test]
fn a_change_answered_for_a_child_that_never_was_is_an_error() {
    let bench = Bench::new();
    let mut stray = change(&child(0, 1), IntentState::Acked);
    (stray.kind, stray.serial) = (IntentKind::Modify, 1);
    is_illegal(bench.commit(vec![Write::IntentChange(Box::new(stray))]));
}
