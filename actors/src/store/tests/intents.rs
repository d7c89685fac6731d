//! Intents: one for each attempt, within the target, along the legal transitions.

use proptest::prelude::*;
use tandem_domain::mirror::{OrderPart, Outcome};
use tandem_domain::order::{BrokerStatus, Side};
use tandem_domain::pacing::Purpose;

use super::fixtures::{
    Bench, change, changed, child, follower_order, ground, intent, is_constraint, is_illegal, leader_event,
    leader_order, mapped, order_id, planned, reported, terms,
};
use crate::store::{IntentKind, IntentState, RefusalRow, StoreError, Write};

#[test]
fn an_intent_stands_on_its_event_and_mapping() {
    let bench = Bench::new();
    is_constraint(bench.commit(vec![planned(&child(0, 1), IntentState::Sending, 130)]), "FOREIGN KEY");
    is_constraint(bench.commit(vec![mapped(Outcome::Waiting, 130)]), "FOREIGN KEY");
    let mut other = intent(&child(0, 1), IntentState::Sending, 130);
    other.event = Some(7);
    let mut job = ground();
    job.push(Write::Intent(Box::new(other)));
    is_constraint(bench.commit(job), "FOREIGN KEY");
    assert_eq!((bench.count("orders"), bench.count("intents")), (0, 0));
}

#[test]
fn the_hot_job_is_one_commit() {
    let bench = Bench::new();
    let job = vec![
        leader_event(&leader_order()),
        mapped(Outcome::Sent, 130),
        planned(&child(0, 1), IntentState::Sending, 130),
    ];
    bench.commit(job).unwrap();
    assert_eq!(bench.store.handle.stats().commits, 1);
    assert_eq!(bench.state(&child(0, 1)), "SENDING");
}

#[test]
fn p2_one_attempt_is_one_intent() {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    bench.commit(vec![planned(&child(0, 1), IntentState::Refused, 130)]).unwrap();
    is_constraint(bench.commit(vec![planned(&child(0, 1), IntentState::Sending, 130)]), "UNIQUE");
    // The same key under another id is no way round.
    let mut disguised = intent(&child(0, 1), IntentState::Refused, 65);
    disguised.client_order_id = tandem_domain::ids::ClientOrderId::new("tdm-another").unwrap();
    is_constraint(bench.commit(vec![Write::Intent(Box::new(disguised))]), "UNIQUE");
}

#[test]
fn p2_the_next_attempt_waits_for_the_end_of_the_one_before() {
    for state in [
        IntentState::Planned,
        IntentState::Sending,
        IntentState::Unknown,
        IntentState::NotSent,
        IntentState::Acked,
    ] {
        let bench = Bench::new();
        bench.commit(ground()).unwrap();
        bench.commit(vec![planned(&child(0, 1), state, 65)]).unwrap();
        is_constraint(bench.commit(vec![planned(&child(0, 2), IntentState::Sending, 65)]), "P2");
    }
    for state in [IntentState::Refused, IntentState::Absent, IntentState::Voided] {
        let bench = Bench::new();
        bench.commit(ground()).unwrap();
        bench.commit(vec![planned(&child(0, 1), state, 130)]).unwrap();
        bench.commit(vec![planned(&child(0, 2), IntentState::Sending, 130)]).unwrap();
        // And the first does not come back while the second may live.
        if state == IntentState::Absent {
            is_constraint(bench.commit(vec![changed(&child(0, 1), IntentState::Sending)]), "P2");
        }
    }
}

#[test]
fn p2_a_terminal_order_makes_room_for_the_next_attempt() {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    bench.commit(vec![planned(&child(0, 1), IntentState::Acked, 130)]).unwrap();
    let working = follower_order(&child(0, 1), "F1", BrokerStatus::PartTraded, 65);
    bench.commit(vec![reported(&working)]).unwrap();
    is_constraint(bench.commit(vec![planned(&child(0, 2), IntentState::Sending, 65)]), "P2");
    let over = follower_order(&child(0, 1), "F1", BrokerStatus::Cancelled, 65);
    bench.commit(vec![reported(&over)]).unwrap();
    // 65 of 130 are filled: 66 would pass the target.
    is_constraint(bench.commit(vec![planned(&child(0, 2), IntentState::Sending, 66)]), "P5");
    bench.commit(vec![planned(&child(0, 2), IntentState::Sending, 65)]).unwrap();
}

#[test]
fn p5_slices_add_up_to_the_target_at_most() {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    bench
        .commit(vec![
            planned(&child(0, 1), IntentState::Sending, 65),
            planned(&child(1, 1), IntentState::Planned, 65),
        ])
        .unwrap();
    is_constraint(bench.commit(vec![planned(&child(2, 1), IntentState::Sending, 1)]), "P5");
    bench.commit(vec![changed(&child(1, 1), IntentState::Voided)]).unwrap();
    bench.commit(vec![planned(&child(2, 1), IntentState::Sending, 65)]).unwrap();
}

#[test]
fn p5_a_held_intent_is_checked_again_when_it_goes() {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    bench.commit(vec![planned(&child(0, 1), IntentState::Planned, 130)]).unwrap();
    // The leader halves his order while ours waits.
    is_constraint(
        bench.commit(vec![mapped(Outcome::Waiting, 65), changed(&child(0, 1), IntentState::Sending)]),
        "P5",
    );
    let mut smaller = change(&child(0, 1), IntentState::Sending);
    smaller.terms = Some(terms(65));
    // What was held as an entry closes by now.
    smaller.purpose = Some(Purpose::Exit);
    bench.commit(vec![mapped(Outcome::Sent, 65), Write::IntentChange(Box::new(smaller.clone()))]).unwrap();
    let stored = |column: &str| -> String {
        let sql = format!("SELECT {column} FROM intents");
        bench.raw().query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!((stored("CAST(quantity AS TEXT)").as_str(), stored("purpose").as_str()), ("65", "exit"));
    // What may have left keeps the terms it left with.
    smaller.state = IntentState::Unknown;
    is_illegal(bench.commit(vec![Write::IntentChange(Box::new(smaller))]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is tried, in whatever order: what may fill never passes the target (P5).
    #[test]
    fn p5_holds_under_any_attempts(tries in prop::collection::vec((0u16..4, 1u16..3, 1u32..100, 0usize..8), 1..24)) {
        let bench = Bench::new();
        bench.commit(ground()).unwrap();
        for (slice, attempt, quantity, state) in tries {
            let state = IntentState::ALL[state];
            if state != IntentState::Acked {
                bench.commit(vec![planned(&child(slice, attempt), state, quantity)]).ok();
                bench.commit(vec![changed(&child(slice, attempt), state)]).ok();
            }
        }
        let sql = "SELECT COALESCE(SUM(exposure), 0), COALESCE(MAX(live_attempts), 0) FROM (
            SELECT SUM(exposure) AS exposure, SUM(live) AS live_attempts FROM child_orders GROUP BY slice)";
        let (exposure, live): (u32, u32) =
            bench.raw().query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        prop_assert!(exposure <= 130, "{exposure}");
        prop_assert!(live <= 1, "{live}");
    }
}

#[test]
fn transitions_are_the_table_and_nothing_else() {
    for &from in IntentState::ALL {
        for &to in IntentState::ALL {
            let bench = Bench::new();
            bench.commit(ground()).unwrap();
            bench.commit(vec![planned(&child(0, 1), from, 130)]).unwrap();
            let result = bench.commit(vec![changed(&child(0, 1), to)]);
            if crate::store::predecessors(to, IntentKind::Place).contains(&from) {
                result.unwrap();
                assert_eq!(bench.state(&child(0, 1)), to.as_str());
            } else {
                is_illegal(result);
                assert_eq!(bench.state(&child(0, 1)), from.as_str());
            }
        }
    }
}

#[test]
fn a_second_acknowledgement_names_the_same_order() {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    bench.commit(vec![planned(&child(0, 1), IntentState::Sending, 130)]).unwrap();
    let mut ack = change(&child(0, 1), IntentState::Acked);
    ack.broker_order_id = None;
    is_constraint(bench.commit(vec![Write::IntentChange(Box::new(ack.clone()))]), "CHECK");
    ack.broker_order_id = Some(order_id("F1"));
    ack.timing.added_latency_us = Some(640);
    bench.commit(vec![Write::IntentChange(Box::new(ack.clone()))]).unwrap();
    ack.response = Some("{}".to_owned());
    bench.commit(vec![Write::IntentChange(Box::new(ack.clone()))]).unwrap();
    ack.broker_order_id = Some(order_id("F2"));
    is_illegal(bench.commit(vec![Write::IntentChange(Box::new(ack))]));
}

#[test]
fn a_refusal_is_kept() {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    bench.commit(vec![planned(&child(0, 1), IntentState::Sending, 130)]).unwrap();
    let mut refused = change(&child(0, 1), IntentState::Refused);
    let words = RefusalRow { http: Some(400), code: Some("DH-906".into()), text: "Order refused".into() };
    refused.refusal = Some(words.clone());
    bench.commit(vec![Write::IntentChange(Box::new(refused))]).unwrap();
    let mirrors = bench.store.reader.mirrors(super::fixtures::day(), &super::fixtures::asha()).unwrap();
    assert_eq!(mirrors[0].intents[0].refusal, Some(words));
}

#[test]
fn one_request_is_in_flight_for_each_child() {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    bench.commit(vec![planned(&child(0, 1), IntentState::Acked, 130)]).unwrap();
    let request = |kind, serial, state| {
        let mut row = intent(&child(0, 1), state, 130);
        (row.kind, row.serial, row.part) = (kind, serial, Some(OrderPart::Whole));
        Write::Intent(Box::new(row))
    };
    bench.commit(vec![request(IntentKind::Modify, 1, IntentState::Sending)]).unwrap();
    is_constraint(bench.commit(vec![request(IntentKind::Cancel, 2, IntentState::Sending)]), "UNIQUE");
    is_constraint(bench.commit(vec![request(IntentKind::Modify, 0, IntentState::Planned)]), "CHECK");
    let mut answered = change(&child(0, 1), IntentState::Unknown);
    (answered.kind, answered.serial) = (IntentKind::Modify, 1);
    bench.commit(vec![Write::IntentChange(Box::new(answered))]).unwrap();
    // P7: an unproven change does not hold a cancel back.
    bench.commit(vec![request(IntentKind::Cancel, 2, IntentState::Sending)]).unwrap();
}

#[test]
fn a_change_of_nothing_is_an_error() {
    let bench = Bench::new();
    let result = bench.commit(vec![changed(&child(0, 1), IntentState::Acked)]);
    assert!(matches!(result, Err(StoreError::IllegalTransition { .. })), "{result:?}");
}

/// What the bound of a mirror is measured in is units: a leader's order may close first and open then, and what flattens a
/// copy stands on the other side of it.
#[test]
fn p5_asks_for_no_direction_and_no_purpose() {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    let mut closing = intent(&child(0, 1), IntentState::Acked, 65);
    closing.purpose = Purpose::Exit;
    bench
        .commit(vec![Write::Intent(Box::new(closing)), planned(&child(1, 1), IntentState::Sending, 65)])
        .unwrap();
    bench.commit(vec![reported(&follower_order(&child(0, 1), "F1", BrokerStatus::Traded, 65))]).unwrap();
    let flattening = |quantity| {
        let mut row = intent(&child(0, 1), IntentState::Sending, quantity);
        row.child.leg = 1;
        row.client_order_id = tandem_domain::ids::ClientOrderId::derive(&row.child);
        (row.purpose, row.terms.side) = (Purpose::Exit, Side::Sell);
        Write::Intent(Box::new(row))
    };
    is_constraint(bench.commit(vec![flattening(66)]), "P5");
    bench.commit(vec![flattening(65)]).unwrap();
}
