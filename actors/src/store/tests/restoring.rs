//! What a new life makes of the rows.

use tandem_domain::follower::Opening;
use tandem_domain::gates::DeniedReason;
use tandem_domain::ids::ClientOrderId;
use tandem_domain::mirror::{ChangeState, Mirror, Outcome};
use tandem_domain::order::{BrokerStatus, Leg, OrderForm};
use tandem_domain::pacing::Purpose;
use tandem_domain::quantity::Quantity;
use tandem_domain::time::TradingDay;
use tandem_domain::trading::{Control, HaltCause, Trading};

use super::fixtures::{
    Bench, account, answered, asha, at, child, day, follower_order, ground, instrument, intent, leader_event,
    leader_order, mapped, mapping, order_id, planned, reported, request, requested,
};
use crate::instruments::Instruments;
use crate::restored::{Day, restored};
use crate::store::{IntentKind, IntentState, IntentTiming, OpeningRow, TradingRow, Write};

fn bench(writes: Vec<Write>) -> Mirror {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    bench.commit(writes).unwrap();
    let mirrors = restored(bench.store.reader.mirrors(day(), &asha()).unwrap());
    mirrors.into_iter().next().unwrap()
}

#[test]
fn the_copy_of_an_entry_is_none_of_an_exit_because_a_repair_is() {
    let mut repair = intent(&child(0, 1), IntentState::Voided, 65);
    repair.child.leg = 1;
    repair.client_order_id = ClientOrderId::derive(&repair.child);
    repair.purpose = Purpose::Exit;
    let mirror = bench(vec![planned(&child(0, 1), IntentState::Acked, 130), requested(&repair)]);
    assert_eq!((mirror.children.len(), mirror.purpose), (2, Some(Purpose::Entry)));
}

#[test]
fn a_change_that_was_taken_and_maybe_not_seen_is_held_against_the_next_book() {
    let first = request(&child(0, 1), IntentKind::Modify, 1, 65);
    let mut second = request(&child(0, 1), IntentKind::Modify, 2, 130);
    second.timing = IntentTiming { sent: Some(at(9)), ..IntentTiming::default() };
    let mirror = bench(vec![
        planned(&child(0, 1), IntentState::Acked, 130),
        requested(&first),
        answered(&first, IntentState::Acked),
        requested(&second),
        answered(&second, IntentState::Acked),
    ]);
    let child = &mirror.children[0];
    let request = child.request.as_deref().unwrap();
    assert_eq!((request.serial, request.state, child.serial), (2, ChangeState::Acked, 2));
    assert_eq!((child.terms.quantity, child.changes), (Quantity::new(130), 2));
    // Both count in the broker's windows.
    assert_eq!((child.sent_before.len(), child.ts_changed), (1, Some(at(9))));
}

#[test]
fn a_change_that_was_refused_is_under_way_no_more() {
    let change = request(&child(0, 1), IntentKind::Modify, 1, 65);
    let mirror = bench(vec![
        planned(&child(0, 1), IntentState::Acked, 130),
        requested(&change),
        answered(&change, IntentState::Refused),
    ]);
    assert_eq!(mirror.children[0].request, None);
}

#[test]
fn what_was_given_up_and_is_found_changed_by_hand_can_be_stored() {
    let mut given_up = mapping(Outcome::Voided, 130);
    given_up.reason = Some(DeniedReason::ProvenAbsent);
    let mirror = bench(vec![Write::Mapping(Box::new(given_up)), mapped(Outcome::Detached, 130)]);
    assert_eq!(mirror.outcome, Outcome::Detached);
}

#[test]
fn what_a_fired_forever_order_left_is_no_exit_of_it() {
    let mut placed = intent(&child(0, 1), IntentState::Acked, 130);
    placed.terms.form = OrderForm::Forever(None);
    let mut forever = follower_order(&child(0, 1), "F1", BrokerStatus::Traded, 130);
    forever.report.terms.form = OrderForm::Forever(None);
    let mut left = follower_order(&child(0, 1), "F2", BrokerStatus::Traded, 130);
    (left.client_order_id, left.report.tag) = (None, None);
    (left.report.parent, left.report.leg) = (Some(order_id("F1")), Leg::Single);
    let mirror = bench(vec![requested(&placed), reported(&forever), reported(&left)]);
    let child = &mirror.children[0];
    assert_eq!((child.cumulative, child.closed()), (Quantity::new(130), Quantity::ZERO));
    assert_eq!(child.legs[0].broker_order_id, order_id("F2"));
}

#[test]
fn how_the_leader_filled_is_known_again() {
    let filled = |cumulative, seconds| {
        let mut order = leader_order();
        (order.cumulative, order.ts_event) = (Quantity::new(cumulative), at(seconds));
        leader_event(&order)
    };
    let mirror = bench(vec![filled(65, 3), filled(260, 9)]);
    let points: Vec<_> = mirror.fills.iter().map(|point| (point.at, point.cumulative.get())).collect();
    assert_eq!(points, [(at(3), 65), (at(9), 260)]);
}

#[test]
fn a_day_begins_with_what_stands_and_with_what_was_left() {
    let bench = Bench::new();
    let halt = Control::Halt { cause: HaltCause::Operator, cancel_working: false };
    let halted = Trading::ACTIVE.after(halt, at(1));
    let opening = Opening { instrument: instrument(), leader: 260, copied: 130, own: 65 };
    let bought = follower_order(&child(0, 1), "F1", BrokerStatus::Traded, 65);
    bench
        .commit(vec![
            Write::Trading(TradingRow {
                follower: asha(),
                trading: halted,
                actor: "operator".into(),
                at: at(1),
            }),
            Write::Opening(OpeningRow { trading_day: day(), follower: asha(), opening, recorded_at: at(0) }),
            reported(&bought),
        ])
        .unwrap();
    let read = |of| Day::read(&bench.store.reader, of, &asha(), &account(), &Instruments::default()).unwrap();
    let today = read(day());
    let openings: Vec<Opening> = today.openings.iter().map(|(opening, _)| *opening).collect();
    assert_eq!((today.trading, openings), (Some(halted), vec![opening]));
    assert!(today.carried.is_empty());
    let tomorrow = read(TradingDay::from_ymd(2026, 12, 2).unwrap());
    assert_eq!((tomorrow.trading, tomorrow.openings), (Some(halted), Vec::new()));
    assert_eq!(tomorrow.carried[&instrument()], 195);
}
