//! What an adversary found: storms of requests, exits that are doubled or lost, orders that nothing drives.

use super::*;
use crate::order::{ExitLegs, OrderForm};

/// What the broker takes in an hour.
const HOURLY: usize = 1000;

fn paise(units: u32) -> Price {
    Price::from_paise(units)
}

fn super_terms(quantity: u32, target: u32, stop: u32) -> OrderTerms {
    let legs = ExitLegs { target: Some(paise(target)), stop: Some(paise(stop)), trailing: Price::ZERO };
    OrderTerms { form: OrderForm::Super(legs), ..terms(BUY, quantity) }
}

/// The leader's order in a later state, and what is wanted of the follower now.
fn leader_at(
    desk: &mut Desk,
    id: &str,
    wanted: OrderTerms,
    status: BrokerStatus,
    (executed, exited): (u32, u32),
) -> Vec<Effect> {
    let known = LeaderOrder::clone(&desk.book.mirror(&broker_id(id)).unwrap().leader);
    let (executed, exited) = (Quantity::new(executed), Quantity::new(exited));
    let order = LeaderOrder {
        status,
        cumulative: executed,
        exited,
        terms: wanted.clone(),
        ts_event: desk.now,
        ..known
    };
    let decision = Decision::Follow(Box::new(Wish { executed, exited, ..wish(wanted) }));
    desk.step(Event::Plan { order: Arc::new(order), decision })
}

fn leg(id: &str, parent: &str, leg: Leg, status: BrokerStatus, cumulative: u32) -> OrderReport {
    OrderReport {
        parent: Some(broker_id(parent)),
        leg,
        status,
        cumulative: Quantity::new(cumulative),
        ..manual(id, terms(SELL, 65))
    }
}

fn shows(desk: &mut Desk, report: OrderReport) -> Vec<Effect> {
    desk.step(Event::Report(Box::new(report)))
}

/// A super order of one lot, filled at both; its exits wait at the follower's broker.
fn super_filled() -> (Desk, ClientOrderId) {
    let mut desk = Desk::new();
    let ours = desk.sent("L", super_terms(65, 12_000, 9_000));
    desk.accepted(&ours, "1");
    let row = desk.row(&ours, "1", BrokerStatus::Traded, 65);
    shows(&mut desk, row);
    shows(&mut desk, leg("2", "1", Leg::StopLoss, BrokerStatus::Pending, 0));
    shows(&mut desk, leg("3", "1", Leg::Target, BrokerStatus::Pending, 0));
    leader_at(&mut desk, "L", super_terms(65, 12_000, 9_000), BrokerStatus::Traded, (65, 0));
    (desk, ours)
}

#[test]
fn a_super_order_told_closed_before_its_leg_is_not_closed_a_second_time() {
    let (mut desk, ours) = super_filled();
    desk.now = desk.now.plus(SECOND);
    leader_at(&mut desk, "L", super_terms(65, 12_000, 9_000), BrokerStatus::Traded, (65, 65));
    let closed = desk.row(&ours, "1", BrokerStatus::Closed, 65);
    let effects = shows(&mut desk, closed);
    assert_eq!(requests(&effects), vec![], "its exit has fired: we only do not know which");
    assert_eq!((alerts(&effects), desk.position()), (vec![], 0));
    assert_eq!(requests(&shows(&mut desk, leg("3", "1", Leg::Target, BrokerStatus::Traded, 65))), vec![]);
    shows(&mut desk, leg("2", "1", Leg::StopLoss, BrokerStatus::Cancelled, 0));
    assert_eq!((requests(&desk.passes(SECOND * 60)), desk.position()), (vec![], 0));
}

#[test]
fn a_super_order_whose_other_exit_was_never_seen_is_not_over() {
    let mut desk = Desk::new();
    let ours = desk.sent("L", super_terms(65, 12_000, 9_000));
    desk.accepted(&ours, "1");
    let row = desk.row(&ours, "1", BrokerStatus::Traded, 65);
    shows(&mut desk, row);
    leader_at(&mut desk, "L", super_terms(65, 12_000, 9_000), BrokerStatus::Traded, (65, 65));
    let cancelled = leg("2", "1", Leg::StopLoss, BrokerStatus::Cancelled, 0);
    assert_eq!(requests(&shows(&mut desk, cancelled)), vec![], "the target has fired, and was not told yet");
    assert_eq!(requests(&shows(&mut desk, leg("3", "1", Leg::Target, BrokerStatus::Traded, 65))), vec![]);
    assert_eq!((requests(&desk.passes(SECOND * 60)), desk.position()), (vec![], 0));
}

#[test]
fn a_repair_nothing_is_owed_for_any_more_is_taken_back() {
    let mut desk = Desk::new();
    let ours = desk.sent("L", terms(BUY, 65));
    desk.accepted(&ours, "1");
    let row = desk.row(&ours, "1", BrokerStatus::Traded, 65);
    shows(&mut desk, row);
    let effects = desk.cancelled("L", terms(BUY, 65), 0);
    let [repair] = &placements(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(repair.terms.side, SELL);
    desk.accepted(&repair.client_order_id, "2");
    // His fill was under way when he cancelled.
    let effects = desk.cancelled("L", terms(BUY, 65), 65);
    assert_eq!(changes(&effects), ["1 cancel"]);
}

#[test]
fn exits_moved_at_once_are_both_moved() {
    let (mut desk, ours) = super_filled();
    let moved = super_terms(65, 12_500, 9_500);
    let mut asked = requests(&leader_at(&mut desk, "L", moved, BrokerStatus::Traded, (65, 0)));
    let accepted = Answer::Accepted(broker_id("1"));
    asked.extend(requests(&desk.answer_to(&ours, 1, accepted)));
    let row = desk.row(&ours, "1", BrokerStatus::Traded, 65);
    asked.extend(requests(&shows(&mut desk, row)));
    let parts: Vec<_> = asked
        .iter()
        .map(|request| match &request.ask {
            Ask::Modify { part, .. } => *part,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(parts, [crate::mirror::OrderPart::Target, crate::mirror::OrderPart::Stop]);
}

#[test]
fn a_change_of_the_entry_that_is_refused_keeps_no_stop_from_being_moved() {
    let mut desk = Desk::new();
    let ours = desk.sent("L", super_terms(65, 12_000, 9_000));
    desk.accepted(&ours, "1");
    let raised = OrderTerms { price: paise(10_100), ..super_terms(65, 12_000, 9_500) };
    let effects = desk.plan("L", raised.clone());
    assert_eq!(changes(&effects), ["1 modify to 65 at 101.00"]);
    desk.answer_to(&ours, 1, Answer::Refused(Refused::Other, "no".into()));
    desk.now = desk.now.plus(SECOND);
    let filled = desk.row(&ours, "1", BrokerStatus::Traded, 65);
    let effects = shows(&mut desk, filled);
    let [Request { ask: Ask::Modify { part, terms, .. }, .. }] = &requests(&effects)[..] else {
        panic!("{effects:?}")
    };
    let OrderForm::Super(legs) = &terms.form else { panic!("{terms:?}") };
    assert_eq!((*part, legs.stop), (crate::mirror::OrderPart::Stop, Some(paise(9_500))));
}

/// An hour in which the broker answers as it does and shows what it shows; how many requests it sees.
fn an_hour(
    desk: &mut Desk,
    first: Vec<Effect>,
    answer: impl Fn(&Request) -> Answer,
    shown: impl Fn(&Desk) -> Vec<OrderReport>,
) -> usize {
    let mut count = 0;
    let mut open = requests(&first);
    for _ in 0..3600 {
        if count >= HOURLY {
            break;
        }
        // Answers may let the next request go at once.
        for _ in 0..10 {
            for request in std::mem::take(&mut open) {
                count += 1;
                let effects = desk.answer_to(&request.client_order_id, request.serial, answer(&request));
                open.extend(requests(&effects));
            }
        }
        let effects = desk.passes(SECOND);
        open.extend(requests(&effects));
        let rows = shown(desk);
        let effects = desk.reads(rows);
        open.extend(requests(&effects));
    }
    count
}

/// A working order of one lot that the leader takes back.
fn taken_back() -> (Desk, ClientOrderId, Vec<Effect>) {
    let mut desk = Desk::new();
    let ours = desk.sent("L", terms(BUY, 65));
    desk.accepted(&ours, "1");
    let row = desk.row(&ours, "1", BrokerStatus::Pending, 0);
    shows(&mut desk, row);
    let effects = desk.cancelled("L", terms(BUY, 65), 0);
    (desk, ours, effects)
}

#[test]
fn a_cancel_that_comes_to_nothing_is_pursued_without_eating_the_hour() {
    for answer in [
        Answer::Accepted(broker_id("1")),
        Answer::Lost,
        Answer::Busy,
        Answer::Refused(Refused::InTransit, "transit".into()),
        Answer::Refused(Refused::Over, "over".into()),
        Answer::Refused(Refused::Other, "no".into()),
        Answer::NotSent,
    ] {
        let (mut desk, ours, first) = taken_back();
        let shown = |desk: &Desk| vec![desk.row(&ours, "1", BrokerStatus::Pending, 0)];
        let asked = an_hour(&mut desk, first, |_| answer.clone(), shown);
        assert!((20..HOURLY / 5).contains(&asked), "{answer:?}: {asked} requests in an hour");
    }
}

#[test]
fn a_change_that_comes_to_nothing_is_pursued_without_eating_the_hour() {
    for answer in [Answer::Accepted(broker_id("1")), Answer::Lost, Answer::Busy] {
        let mut desk = Desk::new();
        let ours = desk.sent("L", terms(BUY, 65));
        desk.accepted(&ours, "1");
        let as_placed = desk.row(&ours, "1", BrokerStatus::Pending, 0);
        shows(&mut desk, as_placed.clone());
        let first = desk.plan("L", OrderTerms { price: paise(10_100), ..terms(BUY, 65) });
        let asked = an_hour(&mut desk, first, |_| answer.clone(), |_| vec![as_placed.clone()]);
        assert!((5..HOURLY / 5).contains(&asked), "{answer:?}: {asked} requests in an hour");
    }
}

/// An exit of one lot that the leader's fill has left behind.
fn left_behind() -> (Desk, OrderReport, Vec<Effect>) {
    let mut desk = Desk::new();
    let held = desk.holds(65);
    let ours = desk.sent("X", terms(SELL, 65));
    desk.accepted(&ours, "x-0");
    let first = leader_at(&mut desk, "X", terms(SELL, 65), BrokerStatus::Traded, (65, 0));
    (desk, held, first)
}

fn accepted_as(request: &Request) -> Answer {
    Answer::Accepted(broker_id(&format!("b-{}", request.client_order_id)))
}

#[test]
fn an_exit_whose_changes_are_refused_is_replaced_without_eating_the_hour() {
    let (mut desk, held, first) = left_behind();
    let answer = |request: &Request| match &request.ask {
        Ask::Modify { .. } => Answer::Refused(Refused::Other, "no".into()),
        _ => accepted_as(request),
    };
    // Cancelled when asked, resting otherwise.
    let shown = |desk: &Desk| {
        let mirror = desk.book.mirror(&broker_id("X")).unwrap();
        let mut rows = vec![held.clone()];
        for child in &mirror.children {
            let Some(id) = &child.broker_order_id else { continue };
            let status = if child.cancel_asked { BrokerStatus::Cancelled } else { BrokerStatus::Pending };
            rows.push(desk.row(&child.client_order_id, id.as_str(), status, 0));
        }
        rows
    };
    let asked = an_hour(&mut desk, first, answer, shown);
    assert!((20..HOURLY / 3).contains(&asked), "{asked} requests in an hour");
}

#[test]
fn an_exit_the_broker_cancels_again_and_again_does_not_eat_the_hour() {
    let (mut desk, held, first) = left_behind();
    let shown = |desk: &Desk| {
        let mirror = desk.book.mirror(&broker_id("X")).unwrap();
        let mut rows = vec![held.clone()];
        for child in &mirror.children {
            let Some(id) = &child.broker_order_id else { continue };
            let reason = Some("cancelled by the system: no counter orders".into());
            let row = desk.row(&child.client_order_id, id.as_str(), BrokerStatus::Cancelled, 0);
            rows.push(OrderReport { reason, ..row });
        }
        rows
    };
    let asked = an_hour(&mut desk, first, accepted_as, shown);
    assert!((10..HOURLY / 5).contains(&asked), "{asked} requests in an hour");
}

#[test]
fn a_change_that_comes_about_after_all_is_made_good() {
    let mut desk = Desk::new();
    let ours = desk.sent("L", terms(BUY, 65));
    desk.accepted(&ours, "1");
    let placed = desk.row(&ours, "1", BrokerStatus::Pending, 0);
    shows(&mut desk, placed.clone());
    let raised = OrderTerms { price: paise(10_100), ..terms(BUY, 65) };
    desk.plan("L", raised.clone());
    desk.answer_to(&ours, 1, Answer::Lost);
    // The leader thinks better of it, and no book shows the change.
    desk.plan("L", terms(BUY, 65));
    desk.passes(SETTLE);
    desk.reads(vec![placed.clone()]);
    desk.passes(SECOND * 5);
    let late = OrderReport { terms: raised, ..placed };
    let effects = desk.reads(vec![late]);
    assert_eq!(desk.outcome("L").0, Outcome::Sent, "nobody's hand");
    assert_eq!(changes(&effects), ["2 modify to 65 at 100.00"]);
}

#[test]
fn the_exit_that_is_cancelled_because_the_other_fired_is_nobodys_hand() {
    for by_book in [true, false] {
        let (mut desk, ours) = super_filled();
        let entry = desk.row(&ours, "1", BrokerStatus::Traded, 65);
        let cancelled = leg("2", "1", Leg::StopLoss, BrokerStatus::Cancelled, 0);
        let fired = leg("3", "1", Leg::Target, BrokerStatus::Traded, 65);
        if by_book {
            desk.reads(vec![entry, cancelled, fired]);
        } else {
            shows(&mut desk, cancelled);
            shows(&mut desk, fired);
        }
        assert_eq!((desk.outcome("L").0, desk.position()), (Outcome::Sent, 0));
    }
}

#[test]
fn an_exit_that_is_cancelled_while_the_other_waits_is_somebodys_hand() {
    let (mut desk, ours) = super_filled();
    let entry = desk.row(&ours, "1", BrokerStatus::Traded, 65);
    let cancelled = leg("2", "1", Leg::StopLoss, BrokerStatus::Cancelled, 0);
    let waits = leg("3", "1", Leg::Target, BrokerStatus::Pending, 0);
    shows(&mut desk, cancelled.clone());
    desk.reads(vec![entry, cancelled, waits]);
    assert_eq!(desk.outcome("L").0, Outcome::Detached);
}

#[test]
fn a_cancelled_exit_whose_answer_was_lost_is_not_cancelled_for_ever() {
    let (mut desk, ours) = super_filled();
    let entry = desk.row(&ours, "1", BrokerStatus::Traded, 65);
    let legs = ExitLegs { target: Some(paise(12_000)), stop: None, trailing: Price::ZERO };
    let without = OrderTerms { form: OrderForm::Super(legs), ..terms(BUY, 65) };
    let effects = leader_at(&mut desk, "L", without, BrokerStatus::Traded, (65, 0));
    assert_eq!(changes(&effects), ["1 cancel"]);
    desk.answer_to(&ours, 1, Answer::Lost);
    let gone = leg("2", "1", Leg::StopLoss, BrokerStatus::Cancelled, 0);
    let waits = leg("3", "1", Leg::Target, BrokerStatus::Pending, 0);
    for _ in 0..20 {
        desk.passes(SECOND);
        let effects = desk.reads(vec![entry.clone(), gone.clone(), waits.clone()]);
        assert_eq!(changes(&effects), Vec::<String>::new());
    }
    assert_eq!(desk.outcome("L").0, Outcome::Sent);
}

#[test]
fn a_copy_of_fills_is_as_old_as_the_fill() {
    let mut desk = Desk::with(|settings| {
        settings.copy.on = CopyOn::Fill;
        settings.rules.on = CopyOn::Fill;
    });
    let placed_at = desk.now;
    desk.now = desk.now.plus(ENTRY_AGE_MAX * 4);
    let order = leader_order("L", terms(BUY, 65), placed_at);
    let filled = LeaderOrder {
        status: BrokerStatus::Traded,
        cumulative: Quantity::new(65),
        ts_event: desk.now,
        ..LeaderOrder::clone(&order)
    };
    let effects = desk.step(Event::Plan { order: Arc::new(filled), decision: follow(terms(BUY, 65)) });
    assert_eq!(placements(&effects).len(), 1, "{effects:?}");
}

#[test]
fn a_share_that_grows_into_a_lot_is_as_old_as_its_growth() {
    let mut desk = Desk::with(|settings| settings.sizing.fixed_ratio = HALF);
    desk.plan("L", terms(BUY, 65));
    assert_eq!(desk.outcome("L"), (Outcome::Skipped, Some(DeniedReason::BelowOneLot)));
    let placed_at = desk.now;
    desk.now = desk.now.plus(ENTRY_AGE_MAX * 4);
    let order = leader_order("L", terms(BUY, 130), placed_at);
    let grown = LeaderOrder { ts_event: desk.now, ..LeaderOrder::clone(&order) };
    let effects = desk.step(Event::Plan { order: Arc::new(grown), decision: follow(terms(BUY, 130)) });
    assert_eq!(placements(&effects)[0].terms, terms(BUY, 65), "{effects:?}");
}

#[test]
fn legs_whose_list_could_not_be_read_are_asked_for_again() {
    let mut desk = Desk::new();
    let stray = OrderReport { parent: None, ..leg("9", "1", Leg::Target, BrokerStatus::Pending, 0) };
    let asks = |effects: Vec<Effect>| effects.iter().any(|effect| matches!(effect, Effect::ReadSupers));
    assert!(asks(desk.reads(vec![stray.clone()])));
    assert!(asks(desk.reads(vec![stray])), "the first read of the list may have failed");
}

#[test]
fn a_word_that_is_not_about_the_leaders_order_takes_nothing_back() {
    let mut desk = Desk::new();
    let client_order_id = desk.sent("L", terms(BUY, 65));
    desk.accepted(&client_order_id, "1");
    let order = leader_order("L", terms(BUY, 65), desk.now);
    for reason in [DeniedReason::UnknownInstrument, DeniedReason::CapitalUnknown, DeniedReason::KindNotCopied]
    {
        let effects = desk.step(Event::Plan { order: Arc::clone(&order), decision: Decision::Deny(reason) });
        assert_eq!(changes(&effects), Vec::<String>::new(), "{reason}");
    }
    let effects = desk.step(Event::Plan { order, decision: Decision::Deny(DeniedReason::BelowOneLot) });
    assert_eq!(changes(&effects), ["1 cancel"]);
}

#[test]
fn a_leg_that_the_broker_cancels_is_nobodys_hand() {
    let (mut desk, ours) = super_filled();
    let entry = desk.row(&ours, "1", BrokerStatus::Traded, 65);
    // The target has fired and is not filled yet: the stop goes.
    let gone = leg("2", "1", Leg::StopLoss, BrokerStatus::Cancelled, 0);
    let fires = leg("3", "1", Leg::Target, BrokerStatus::Triggered, 0);
    desk.reads(vec![entry, gone, fires]);
    assert_eq!(desk.outcome("L").0, Outcome::Sent);

    let (mut desk, ours) = super_filled();
    let entry = desk.row(&ours, "1", BrokerStatus::Traded, 65);
    let squared_off = |id, of| OrderReport {
        reason: Some("Order cancelled by the broker".into()),
        ..leg(id, "1", of, BrokerStatus::Cancelled, 0)
    };
    desk.reads(vec![entry, squared_off("2", Leg::StopLoss), squared_off("3", Leg::Target)]);
    assert_eq!(desk.outcome("L").0, Outcome::Sent);
}

#[test]
fn a_cancel_that_was_refused_is_not_ours_when_somebody_else_cancels() {
    let mut desk = Desk::new();
    let ours = desk.sent("L", terms(BUY, 65));
    desk.accepted(&ours, "1");
    let order = leader_order("L", terms(BUY, 65), desk.now);
    desk.step(Event::Plan { order, decision: Decision::Deny(DeniedReason::BelowOneLot) });
    desk.answer_to(&ours, 1, Answer::Refused(Refused::InTransit, "Order is in Transit state".into()));
    // He wants it again; and then the owner cancels it by hand.
    assert_eq!(changes(&desk.plan("L", terms(BUY, 65))), Vec::<String>::new());
    let cancelled = desk.row(&ours, "1", BrokerStatus::Cancelled, 0);
    desk.reads(vec![cancelled]);
    assert_eq!(desk.outcome("L").0, Outcome::Detached);
}

#[test]
fn a_raise_denied_as_it_leaves_of_an_order_that_closes_too_is_given_up_once() {
    let mut desk = Desk::new();
    let bought = desk.works("L1", terms(BUY, 65));
    // He sells what he is about to buy, and two lots more.
    let sold = desk.works("L2", terms(SELL, 195));
    assert_eq!(desk.child("L2").terms.quantity, Quantity::new(130));
    desk.shows(&sold, BrokerStatus::PartTraded, 65);
    desk.step(Event::Breaker { open: true });
    let effects = desk.shows(&bought, BrokerStatus::Traded, 65);
    assert_eq!(requests(&effects), vec![]);
    assert_eq!(desk.outcome("L2"), (Outcome::Sent, Some(DeniedReason::BreakerOpen)));
    assert_eq!((requests(&desk.passes(SECOND)), desk.book.waiting_count()), (vec![], 0));
}

#[test]
fn an_entry_that_left_late_is_not_left_behind_before_it_is_there() {
    let mut desk = Desk::new();
    let order = LeaderOrder {
        status: BrokerStatus::Traded,
        cumulative: Quantity::new(65),
        ..LeaderOrder::clone(&leader_order("L", terms(BUY, 65), desk.now))
    };
    let decision = Decision::Follow(Box::new(Wish { executed: Quantity::new(65), ..wish(terms(BUY, 65)) }));
    // It is heard of four seconds late, young enough to be followed.
    desk.now = desk.now.plus(Duration::from_secs(4));
    let effects = desk.step(Event::Plan { order: Arc::new(order), decision });
    let ours = placements(&effects)[0].client_order_id.clone();
    desk.accepted(&ours, "b-L");
    desk.shows(&ours, BrokerStatus::Pending, 0);
    assert_eq!(requests(&desk.passes(Duration::from_secs(9))), vec![], "thirteen seconds after his fill");
    let effects = desk.passes(Duration::from_secs(1));
    assert!(
        matches!(requests(&effects)[..], [Request { ask: Ask::Cancel { .. }, .. }]),
        "ten seconds after it left: {effects:?}"
    );
}
