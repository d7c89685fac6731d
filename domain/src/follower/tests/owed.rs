//! What is owed by an exit whose own order is gone: what the leader has closed by his, whether that works on or not.

use super::flattening::key;
use super::*;

/// Two lots held; the leader's target for both has filled for one, and the copy of it has ended by itself.
fn ended(status: &BrokerStatus) -> (Desk, Vec<Effect>) {
    let mut desk = Desk::new();
    desk.bought("L", 130);
    let ours = desk.works("T", terms(SELL, 130));
    desk.leader_fills("T", 65);
    let mut effects = desk.shows(&ours, status.clone(), 0);
    assert_eq!(requests(&effects), vec![], "not at once");
    effects.extend(desk.passes(SECOND));
    (desk, effects)
}

#[test]
fn what_the_leader_has_closed_is_closed_again_though_his_order_works_on() {
    for status in [BrokerStatus::Expired, BrokerStatus::Rejected] {
        let (mut desk, effects) = ended(&status);
        let exit = placed(&effects);
        assert_eq!((exit.purpose, exit.terms.quantity.get()), (Purpose::Exit, 65), "{status:?}");
        desk.accepted(&exit.client_order_id, "b-T2");
        desk.shows(&exit.client_order_id, BrokerStatus::Traded, 65);
        assert_eq!((requests(&desk.passes(SECOND * 9)), desk.position()), (vec![], 65), "no more of it yet");
        let rest = placed(&desk.leader_fills("T", 130));
        assert_eq!((rest.purpose, rest.terms.quantity.get()), (Purpose::Exit, 65), "{status:?}");
    }
}

#[test]
fn an_exit_that_expires_again_and_again_is_told() {
    let (mut desk, mut effects) = ended(&BrokerStatus::Expired);
    let (mut told, mut tries) = (Vec::new(), 1);
    while let [again] = &placements(&effects)[..] {
        let id = format!("b-{}", again.client_order_id);
        desk.accepted(&again.client_order_id, &id);
        effects = desk.shows(&again.client_order_id, BrokerStatus::Expired, 0);
        told.extend(alerts(&effects).into_iter().cloned());
        effects.extend(desk.passes(SECOND * 9));
        tries += 1;
    }
    let gap = Gap { kind: GapKind::LeftBehind, units: -130, result: GapResult::Reported };
    assert_eq!((tries, told), (3, vec![Alert::CopyGap(broker_id("T"), gap)]));
}

/// Above the freeze quantity an exit is more than one order; together they are tried no more often.
#[test]
fn an_exit_of_several_orders_is_given_up_as_well() {
    let (mut desk, mut tries) = (Desk::new(), 0);
    desk.bought("L", 130);
    let freeze =
        Instrument { freeze_quantity: Some(Quantity::new(65)), ..Instrument::clone(&instrument(key())) };
    let split = |executed| {
        let follows = Wish {
            executed: Quantity::new(executed),
            instrument: Arc::new(freeze.clone()),
            ..wish(terms(SELL, 195))
        };
        Decision::Follow(Box::new(follows))
    };
    let order = leader_order("T", terms(SELL, 195), desk.now);
    let mut effects = desk.step(Event::Plan { order: Arc::clone(&order), decision: split(0) });
    let filled = LeaderOrder {
        status: BrokerStatus::PartTraded,
        cumulative: Quantity::new(130),
        ..LeaderOrder::clone(&order)
    };
    effects.extend(desk.step(Event::Plan { order: Arc::new(filled), decision: split(130) }));
    while !placements(&effects).is_empty() {
        let tried = placements(&effects);
        tries += tried.len();
        effects.clear();
        for exit in tried {
            desk.accepted(&exit.client_order_id, &format!("b-{}", exit.client_order_id));
            effects.extend(desk.shows(&exit.client_order_id, BrokerStatus::Rejected, 0));
        }
        effects.extend(desk.passes(SECOND * 60));
        assert!(tries < 20, "for ever");
    }
    assert_eq!(tries, 6, "three of each");
}

/// What is not filled of an entry shrinks first; once it is given up, what is filled is to be closed, in the same step.
#[test]
fn an_exit_leaves_with_the_step_that_gives_up_what_stood_before_it() {
    let mut desk = Desk::new();
    let first = desk.works("L", terms(BUY, 65));
    desk.shows(&first, BrokerStatus::Traded, 65);
    desk.book.pacer.pause(desk.now.plus(ENTRY_AGE_MAX * 2));
    assert_eq!(requests(&desk.plan("L", terms(BUY, 195))), vec![], "there is no budget for more");
    desk.leader_fills("L", 130);
    assert_eq!(requests(&desk.plan("T", terms(SELL, 65))), vec![]);
    let exit = placed(&desk.passes(ENTRY_AGE_MAX * 2));
    assert_eq!((exit.purpose, exit.terms.quantity.get()), (Purpose::Exit, 65));
}

/// The rows count what is planned as asked for (P5): were what leaves written first, they would refuse it.
#[test]
fn what_is_void_is_recorded_before_what_leaves_in_its_place() {
    let mut desk = Desk::new();
    let freeze =
        Instrument { freeze_quantity: Some(Quantity::new(65)), ..Instrument::clone(&instrument(key())) };
    let follows = Wish { instrument: Arc::new(freeze), ..wish(terms(BUY, 130)) };
    let order = leader_order("L", terms(BUY, 130), desk.now);
    desk.step(Event::Plan { order, decision: Decision::Follow(Box::new(follows)) });
    let mirror = desk.book.mirrors.get_mut(&broker_id("L")).unwrap();
    for (child, state) in mirror.children.iter_mut().zip([ChildState::Sending, ChildState::Voided]) {
        (child.recorded, child.state) = (Some(IntentState::Planned), state);
    }
    let records = Record::of(mirror, &FollowerId::new("asha").unwrap());
    let written: Vec<IntentState> = records
        .iter()
        .filter_map(|record| match record {
            Record::Intent { child, .. } => Some(child.intent_state()),
            _ => None,
        })
        .collect();
    assert_eq!(written, [IntentState::Voided, IntentState::Sending]);
}

/// It is heard of late that he had bought less than is held, and has sold more than that and taken back the rest: his sale
/// closes all that is held, and then opens what he has opened.
#[test]
fn what_he_has_opened_is_opened_once_his_order_has_closed_what_was_held_too_much() {
    let mut desk = Desk::with(|settings| settings.rules.parting.gap = GapPolicy::Report);
    let bought = desk.works("L", terms(BUY, 195));
    desk.shows(&bought, BrokerStatus::Traded, 195);
    desk.cancelled("L", terms(BUY, 195), 65);
    let exit = placed(&desk.cancelled("X", terms(SELL, 195), 130));
    assert_eq!((exit.purpose, exit.terms.quantity.get()), (Purpose::Exit, 195));
    desk.accepted(&exit.client_order_id, "b-X");
    let entry = placed(&desk.shows(&exit.client_order_id, BrokerStatus::Traded, 195));
    assert_eq!((entry.purpose, entry.terms.quantity.get()), (Purpose::Entry, 65), "he is short of so much");
    desk.accepted(&entry.client_order_id, "b-X2");
    desk.shows(&entry.client_order_id, BrokerStatus::Traded, 65);
    assert_eq!((requests(&desk.passes(SECOND * 60)), desk.position()), (vec![], -65));
}
