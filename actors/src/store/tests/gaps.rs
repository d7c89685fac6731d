//! Copy gaps, notes and detached mirrors.

use tandem_domain::gap::{Gap, GapKind, GapResult};
use tandem_domain::gates::DeniedReason;
use tandem_domain::mirror::Outcome;

use super::fixtures::{
    Bench, asha, at, day, ground, is_constraint, is_illegal, mapped, mapping, mirror_key, order_id,
};
use crate::store::{GapRow, Write};

fn gap(kind: GapKind, units: i64, result: GapResult, second: i64) -> GapRow {
    GapRow { key: mirror_key(), gap: Gap { kind, units, result }, text: "in words".into(), at: at(second) }
}

fn stored(row: &GapRow) -> Write {
    Write::Gap(Box::new(row.clone()))
}

#[test]
fn a_mirror_has_one_row_for_each_kind_of_gap_in_its_newest_state() {
    let bench = Bench::new();
    let open = gap(GapKind::LeaderCancelled, 65, GapResult::Repairing, 5);
    is_constraint(bench.commit(vec![stored(&open)]), "FOREIGN KEY");
    bench.commit(ground()).unwrap();
    let behind = gap(GapKind::LeftBehind, -65, GapResult::Cancelled, 6);
    bench.commit(vec![stored(&open), stored(&behind)]).unwrap();
    let closed = gap(GapKind::LeaderCancelled, 0, GapResult::Repaired, 7);
    bench.commit(vec![stored(&closed)]).unwrap();
    // In order of opening, which the later state does not change.
    assert_eq!(bench.store.reader.mirrors(day(), &asha()).unwrap()[0].gaps, [closed, behind]);
    assert_eq!(bench.count("copy_gaps"), 2);
}

#[test]
fn every_kind_and_result_of_a_gap_can_be_stored() {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    for &kind in GapKind::ALL {
        for &result in GapResult::ALL {
            bench.commit(vec![stored(&gap(kind, 1, result, 5))]).unwrap();
        }
    }
    assert_eq!(bench.count("copy_gaps") as usize, GapKind::ALL.len());
}

#[test]
fn only_what_may_have_left_is_detached_and_stays_so() {
    for from in [Outcome::AwaitingLeader, Outcome::Waiting] {
        let bench = Bench::new();
        bench.commit(ground()).unwrap();
        bench.commit(vec![mapped(from, 130)]).unwrap();
        is_illegal(bench.commit(vec![mapped(Outcome::Detached, 130)]));
    }
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    bench.commit(vec![mapped(Outcome::Sent, 130), mapped(Outcome::Detached, 130)]).unwrap();
    for &outcome in Outcome::ALL {
        let mut row = mapping(outcome, 130);
        row.reason = Some(DeniedReason::BelowOneLot);
        let result = bench.commit(vec![Write::Mapping(Box::new(row))]);
        // Its fills are still counted.
        if outcome == Outcome::Detached { result.unwrap() } else { is_illegal(result) }
    }
}

#[test]
fn every_outcome_can_be_stored() {
    for &outcome in Outcome::ALL {
        let bench = Bench::new();
        bench.commit(ground()).unwrap();
        let mut row = mapping(outcome, 130);
        row.reason = Some(DeniedReason::BelowOneLot);
        bench.raw().execute("DELETE FROM copy_mappings", []).unwrap();
        bench.commit(vec![Write::Mapping(Box::new(row))]).unwrap();
    }
}

#[test]
fn a_note_stays_until_another_comes() {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    let mut row = mapping(Outcome::Sent, 130);
    row.note = Some("stop_loss_market_as_stop_loss".into());
    bench.commit(vec![Write::Mapping(Box::new(row.clone())), mapped(Outcome::Sent, 130)]).unwrap();
    let stored = &bench.store.reader.mirrors(day(), &asha()).unwrap()[0].mapping;
    assert_eq!((stored.note.clone(), &stored.key.leader_order), (row.note, &order_id("L1")));
}
