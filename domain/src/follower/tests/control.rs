//! E9: what stops an account, what closes it, and what does not come back.

use super::*;
use crate::gap::{GapKind, GapResult};
use crate::trading::TradingState;

const HALT: Control = Control::Halt { cause: HaltCause::Operator, cancel_working: false };
const HALT_ALL: Control = Control::Halt { cause: HaltCause::Operator, cancel_working: true };
const SQUARE_OFF: Control = Control::SquareOff(HaltCause::Operator);

fn target(quantity: u32) -> OrderTerms {
    OrderTerms { price: Price::from_paise(12_000), ..terms(SELL, quantity) }
}

#[test]
fn who_reduces_opens_nothing_more_and_leaves_what_works() {
    let mut desk = Desk::new();
    desk.bought("L1", 65);
    desk.works("L2", terms(BUY, 65));
    let effects = desk.step(Event::Control(Control::Reduce(HaltCause::Operator)));
    assert_eq!(stored(&effects), stored_as(&[("trading", "reducing")]));
    assert_eq!(alerts(&effects), [&Alert::Stopped(HaltCause::Operator)]);
    assert_eq!(requests(&effects), vec![]);
    assert_eq!(requests(&desk.plan("L3", terms(BUY, 65))), vec![]);
    assert_eq!(desk.outcome("L3"), (Outcome::Skipped, Some(DeniedReason::Reducing)));
    // A raise of what works is an entry, too.
    assert_eq!(requests(&desk.plan("L2", terms(BUY, 130))), vec![]);
    assert_eq!(placed(&desk.plan("X", terms(SELL, 65))).purpose, Purpose::Exit);
}

#[test]
fn a_halt_cancels_entries_and_lets_exits_pass() {
    let mut desk = Desk::new();
    desk.bought("L1", 130);
    let entry = desk.works("L2", terms(BUY, 65));
    desk.works("T", target(65));
    let effects = desk.step(Event::Control(HALT));
    assert_eq!(stored(&effects)[0], ("trading", "halted".to_owned()));
    let asked = requests(&effects);
    let [Request { client_order_id, ask: Ask::Cancel { .. }, .. }] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(*client_order_id, entry, "the exit stays");
    assert_eq!(requests(&desk.plan("L3", terms(BUY, 65))), vec![]);
    assert_eq!(desk.outcome("L3"), (Outcome::Skipped, Some(DeniedReason::Halted)));
    assert_eq!(placed(&desk.executed("X", terms(SELL, 65))).purpose, Purpose::Exit);
    desk.answer_to(&entry, 1, Answer::Accepted(broker_id("b-L2")));
    desk.shows(&entry, BrokerStatus::Cancelled, 0);
    assert_eq!(desk.outcome("L2"), (Outcome::Detached, Some(DeniedReason::Halted)));
}

#[test]
fn a_halt_gives_up_the_entries_that_wait() {
    let mut desk = Desk::new();
    desk.book.pacer.pause(desk.now.plus(SECOND));
    assert_eq!(requests(&desk.plan("L", terms(BUY, 65))), vec![]);
    desk.step(Event::Control(HALT));
    assert_eq!(requests(&desk.passes(SECOND * 2)), vec![]);
    assert_eq!(desk.child("L").state, ChildState::Voided);
    desk.step(Event::Control(Control::Resume));
    assert_eq!(requests(&desk.plan("L", terms(BUY, 65))), vec![]);
}

/// No copy is on record as stopped by a halt that is not.
#[test]
fn a_halt_and_what_stops_for_it_become_durable_together() {
    let mut desk = Desk::new();
    desk.book.pacer.pause(desk.now.plus(SECOND));
    desk.plan("L1", terms(BUY, 65));
    desk.plan("L2", terms(BUY, 65));
    let effects = desk.step(Event::Control(HALT));
    let commits: Vec<_> = effects.iter().filter(|effect| matches!(effect, Effect::Commit { .. })).collect();
    assert_eq!(commits.len(), 1, "{effects:?}");
    let stored = stored(&effects);
    assert_eq!(stored[0], ("trading", "halted".to_owned()));
    let voided = ("mapping", "voided halted".to_owned());
    assert_eq!(stored.iter().filter(|record| **record == voided).count(), 2, "{stored:?}");
}

#[test]
fn a_halt_may_cancel_exits_as_well() {
    let mut desk = Desk::new();
    desk.bought("L1", 65);
    desk.works("T", target(65));
    assert_eq!(changes(&desk.step(Event::Control(HALT_ALL))), ["1 cancel"]);
}

/// Two lots held, of which a stop of the leader's closes one; it was cancelled with `--cancel-working`.
fn without_its_stop() -> Desk {
    let mut desk = Desk::new();
    desk.bought("L1", 130);
    let stop = desk.works("T", target(65));
    desk.step(Event::Control(HALT_ALL));
    desk.answer_to(&stop, 1, Answer::Accepted(broker_id("b-T")));
    desk.shows(&stop, BrokerStatus::Cancelled, 0);
    assert_eq!(desk.outcome("T"), (Outcome::Detached, Some(DeniedReason::Halted)));
    desk
}

fn gap_of(desk: &Desk, id: &str) -> Option<(GapKind, i64, GapResult)> {
    desk.book.mirror(&broker_id(id)).unwrap().gap.map(|gap| (gap.kind, gap.units, gap.result))
}

/// P6: at rest, leader flat means flat, or an open incident.
#[test]
fn an_exit_that_the_leader_makes_and_the_operator_took_away_is_told_and_not_made() {
    let mut desk = without_its_stop();
    let effects = desk.leader_fills("T", 65);
    assert_eq!(requests(&effects), vec![]);
    let gap = Gap { kind: GapKind::ExitStopped, units: -65, result: GapResult::Reported };
    assert_eq!(alerts(&effects), [&Alert::CopyGap(broker_id("T"), gap)]);
    let later = desk.passes(SECOND * 60);
    assert_eq!((requests(&later), alerts(&later)), (vec![], vec![]));
    assert_eq!(gap_of(&desk, "T"), Some((GapKind::ExitStopped, -65, GapResult::Reported)));
    // It stays open over a resume and a restart.
    desk.step(Event::Control(Control::Resume));
    let trading = desk.book.trading();
    let (mut desk, effects) = desk.restarted(Some(trading));
    assert_eq!(requests(&effects), vec![]);
    desk.leader_fills("L1", 130);
    assert_eq!(requests(&desk.leader_fills("T", 65)), vec![]);
    assert_eq!(gap_of(&desk, "T"), Some((GapKind::ExitStopped, -65, GapResult::Reported)));
}

#[test]
fn what_a_halt_left_open_is_over_once_it_is_closed_by_hand() {
    let mut desk = without_its_stop();
    desk.leader_fills("T", 65);
    let by_hand = OrderReport {
        status: BrokerStatus::Traded,
        cumulative: Quantity::new(130),
        ..manual("m", terms(SELL, 130))
    };
    let effects = desk.step(Event::Report(Box::new(by_hand)));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Over(Alert::CopyGap(..)))), "{effects:?}");
    assert_eq!(gap_of(&desk, "T"), Some((GapKind::ExitStopped, 0, GapResult::Repaired)));
}

#[test]
fn an_exit_that_waits_and_is_stopped_is_missed_as_well() {
    let mut desk = Desk::new();
    desk.works("L1", terms(BUY, 65));
    desk.plan("T", target(65));
    assert_eq!(desk.outcome("T").0, Outcome::Waiting);
    desk.step(Event::Control(HALT_ALL));
    assert_eq!(desk.outcome("T"), (Outcome::Skipped, Some(DeniedReason::Halted)));
    // The entry fills before its cancel comes.
    let entry = desk.child("L1").client_order_id.clone();
    desk.shows(&entry, BrokerStatus::Traded, 65);
    desk.leader_fills("L1", 65);
    assert_eq!(requests(&desk.leader_fills("T", 65)), vec![]);
    assert_eq!(gap_of(&desk, "T"), Some((GapKind::ExitStopped, -65, GapResult::Reported)));
}

#[test]
fn exits_ordered_after_a_halt_are_made() {
    let mut desk = without_its_stop();
    desk.passes(SECOND);
    let exit = placed(&desk.executed("X", terms(SELL, 65)));
    assert_eq!((exit.purpose, exit.terms.quantity.get()), (Purpose::Exit, 65));
}

/// P26: a halt is nothing that became of an order which had come to its end.
#[test]
fn what_was_over_before_a_halt_keeps_its_outcome() {
    for control in [HALT_ALL, SQUARE_OFF] {
        let mut desk = Desk::new();
        desk.bought("L1", 130);
        let exit = placed(&desk.executed("X", terms(SELL, 65))).client_order_id;
        desk.accepted(&exit, "b-X");
        desk.shows(&exit, BrokerStatus::Traded, 65);
        desk.executed("N", terms(BUY, 30));
        let gone = desk.works("C", terms(BUY, 65));
        desk.cancelled("C", terms(BUY, 65), 0);
        desk.answer_to(&gone, 1, Answer::Accepted(broker_id("b-C")));
        desk.shows(&gone, BrokerStatus::Cancelled, 0);
        let ids = ["L1", "X", "N", "C"];
        let before = ids.map(|id| desk.outcome(id));
        assert_eq!(before[2], (Outcome::Skipped, Some(DeniedReason::BelowOneLot)));
        desk.passes(SECOND);
        desk.step(Event::Control(control));
        let mut after = before;
        if control == SQUARE_OFF {
            // It holds a lot still, which is closed.
            after[0] = (Outcome::Detached, Some(DeniedReason::Halted));
        }
        assert_eq!(ids.map(|id| desk.outcome(id)), after, "{control:?}");
        let trading = desk.book.trading();
        let (desk, _) = desk.restarted(Some(trading));
        assert_eq!(ids.map(|id| desk.outcome(id)), after, "{control:?}, after a restart");
    }
}

/// The row of the state is written, and the process dies before any cancel is; or the daemon was stopped when it was said.
#[test]
fn a_restart_cancels_the_exits_that_a_halt_was_to_cancel() {
    let mut old = Desk::new();
    old.bought("L1", 130);
    let stop = old.works("T", target(65));
    let halted = Trading::ACTIVE.after(HALT_ALL, old.now);
    old.passes(SECOND);
    let later = old.works("T2", OrderTerms { order_type: OrderType::StopLoss, ..target(65) });
    for trading in [halted, halted.after(Control::Resume, old.now.plus(SECOND))] {
        let (mut desk, mut effects) = old.restarted(Some(trading));
        effects.extend(desk.step(Event::Tick));
        let cancels: Vec<_> = requests(&effects);
        let [Request { client_order_id, ask: Ask::Cancel { .. }, .. }] = &cancels[..] else {
            panic!("{cancels:?}")
        };
        assert_eq!(*client_order_id, stop, "not {later}, which came after the halt");
    }
}

#[test]
fn nothing_comes_back_on_resume_but_what_is_new_is_copied() {
    let mut desk = Desk::new();
    let entry = desk.works("L1", terms(BUY, 65));
    desk.step(Event::Control(HALT));
    desk.answer_to(&entry, 1, Answer::Accepted(broker_id("b-L1")));
    desk.shows(&entry, BrokerStatus::Cancelled, 0);
    desk.plan("L2", terms(BUY, 65));
    desk.passes(SECOND);
    let effects = desk.step(Event::Control(Control::Resume));
    assert_eq!((stored(&effects), requests(&effects)), (stored_as(&[("trading", "active")]), vec![]));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Over(Alert::Stopped(_)))), "{effects:?}");
    desk.passes(SECOND);
    for id in ["L1", "L2"] {
        let order = desk.book.mirror(&broker_id(id)).unwrap().leader.clone();
        let again = desk.step(Event::Plan { order, decision: follow(terms(BUY, 65)) });
        let raised = LeaderOrder {
            terms: terms(BUY, 130),
            ..LeaderOrder::clone(&leader_order(id, terms(BUY, 130), start()))
        };
        let more = desk.step(Event::Plan { order: Arc::new(raised), decision: follow(terms(BUY, 130)) });
        assert_eq!((requests(&again), requests(&more)), (vec![], vec![]), "{id}");
    }
    // Placed before the resume, heard of after it.
    let late = leader_order("L3", terms(BUY, 65), desk.now.minus(SECOND * 2));
    assert_eq!(requests(&desk.step(Event::Plan { order: late, decision: follow(terms(BUY, 65)) })), vec![]);
    assert_eq!(placements(&desk.plan("L4", terms(BUY, 65))).len(), 1);
}

/// What was let through before the account was stopped waits until it is known what became of its order.
#[test]
fn a_raise_of_before_does_not_come_back_either() {
    let mut desk = Desk::new();
    let entry = desk.sent("L", terms(BUY, 65));
    assert_eq!(requests(&desk.plan("L", terms(BUY, 130))), vec![], "it has no answer yet");
    desk.passes(SECOND);
    desk.step(Event::Control(Control::Reduce(HaltCause::Operator)));
    desk.passes(SECOND);
    desk.step(Event::Control(Control::Resume));
    let mut effects = desk.accepted(&entry, "b-L");
    effects.extend(desk.shows(&entry, BrokerStatus::Pending, 0));
    effects.extend(desk.passes(SECOND));
    assert_eq!(requests(&effects), vec![]);
    assert_eq!(desk.outcome("L"), (Outcome::Sent, Some(DeniedReason::Halted)));
    // What he wants changed of it without making it larger is.
    let cheaper = OrderTerms { price: Price::from_paise(9_900), ..terms(BUY, 130) };
    assert_eq!(changes(&desk.plan("L", cheaper)), ["1 modify to 65 at 99.00"]);
}

/// Four lots held, in instruments whose freeze quantity is two; and an entry and an exit work.
fn to_be_squared_off() -> (Desk, ClientOrderId, ClientOrderId) {
    let mut desk = Desk::new();
    desk.bought("L1", 130);
    desk.bought("L2", 130);
    let ours = (desk.works("L3", terms(BUY, 65)), desk.works("T", target(260)));
    (desk, ours.0, ours.1)
}

#[test]
fn a_square_off_cancels_proves_and_only_then_closes_what_was_copied() {
    let (mut desk, entry, exit) = to_be_squared_off();
    let effects = desk.step(Event::Control(SQUARE_OFF));
    assert_eq!(changes(&effects), ["1 cancel", "1 cancel"]);
    assert_eq!(placements(&effects), vec![]);
    for ours in [&entry, &exit] {
        desk.answer_to(ours, 1, Answer::Accepted(broker_id("x")));
    }
    assert_eq!(placements(&desk.passes(SECOND)), vec![]);
    // A lot of the target was sold before its cancel; one of the entry was bought.
    assert_eq!(
        placements(&desk.shows(&exit, BrokerStatus::Cancelled, 65)),
        vec![],
        "the entry is open still"
    );
    let effects = desk.shows(&entry, BrokerStatus::Cancelled, 65);
    let exits = placements(&effects);
    let mut left = 0;
    for exit in &exits {
        assert_eq!((exit.terms.side, exit.purpose), (SELL, Purpose::Exit));
        assert_eq!(exit.terms.order_type, OrderType::Market);
        left += exit.terms.quantity.get();
    }
    assert_eq!(left, 260);
    assert!(alerts(&effects).contains(&&Alert::SquaringOff(1, 260)), "{effects:?}");
    let mut last = Vec::new();
    for (number, exit) in exits.iter().enumerate() {
        desk.accepted(&exit.client_order_id, &format!("q-{number}"));
        last = desk.shows(&exit.client_order_id, BrokerStatus::Traded, exit.terms.quantity.get());
    }
    assert_eq!(desk.position(), 0);
    assert!(alerts(&last).contains(&&Alert::SquaredOff), "{last:?}");
    assert_eq!(desk.book.trading().state, TradingState::Halted);
    assert!(!desk.book.trading().is_squaring_off);
    // What the leader does now is no business of this account's.
    let mut late = desk.executed("X", terms(SELL, 260));
    late.extend(desk.leader_fills("L3", 65));
    late.extend(desk.cancelled("T", target(260), 0));
    late.extend(desk.step(Event::Control(Control::Resume)));
    late.extend(desk.passes(SECOND * 60));
    assert_eq!((requests(&late), desk.position()), (vec![], 0));
}

#[test]
fn a_square_off_is_sliced_at_the_freeze_quantity() {
    let mut desk = Desk::new();
    let frozen = |terms: OrderTerms| {
        let known = wish(terms);
        let instrument =
            Instrument { freeze_quantity: Some(Quantity::new(130)), ..Instrument::clone(&known.instrument) };
        Decision::Follow(Box::new(Wish { instrument: Arc::new(instrument), ..known }))
    };
    let order = leader_order("L", terms(BUY, 325), desk.now);
    let effects = desk.step(Event::Plan { order, decision: frozen(terms(BUY, 325)) });
    let slices = placements(&effects);
    assert_eq!(slices.iter().map(|slice| slice.terms.quantity.get()).collect::<Vec<_>>(), [130, 130, 65]);
    for (number, slice) in slices.iter().enumerate() {
        desk.accepted(&slice.client_order_id, &format!("b-{number}"));
        desk.shows(&slice.client_order_id, BrokerStatus::Traded, slice.terms.quantity.get());
    }
    let exits = placements(&desk.step(Event::Control(SQUARE_OFF)));
    assert_eq!(exits.iter().map(|exit| exit.terms.quantity.get()).collect::<Vec<_>>(), [130, 130, 65]);
    assert!(exits.iter().all(|exit| exit.terms.side == SELL));
}

#[test]
fn a_square_off_of_nothing_is_done_at_once() {
    let mut desk = Desk::new();
    let effects = desk.step(Event::Control(SQUARE_OFF));
    assert!(alerts(&effects).contains(&&Alert::SquaredOff), "{effects:?}");
    assert_eq!(desk.book.trading().state, TradingState::Halted);
}

#[test]
fn a_restart_makes_nobody_trade_again() {
    let mut old = Desk::new();
    old.bought("L1", 65);
    let entry = old.works("L2", terms(BUY, 65));
    let order = old.book.mirror(&broker_id("L2")).unwrap().leader.clone();
    // Recorded, and killed before anything of it left.
    let halted = Trading::ACTIVE.after(HALT, old.now);
    let (mut desk, first) = old.restarted(Some(halted));
    let mut effects = first;
    effects.extend(desk.step(Event::Tick));
    effects.extend(desk.step(Event::Plan { order, decision: follow(terms(BUY, 65)) }));
    assert_eq!(changes(&effects), ["1 cancel"]);
    desk.answer_to(&entry, 1, Answer::Accepted(broker_id("b-L2")));
    desk.shows(&entry, BrokerStatus::Cancelled, 0);
    assert_eq!(requests(&desk.plan("L3", terms(BUY, 65))), vec![]);
    assert_eq!(desk.outcome("L3"), (Outcome::Skipped, Some(DeniedReason::Halted)));
    let order = desk.book.mirror(&broker_id("L1")).unwrap().leader.clone();
    desk.step(Event::Plan { order, decision: follow(terms(BUY, 65)) });
    assert_eq!(placements(&desk.executed("X", terms(SELL, 65))).len(), 1, "exits pass");
}

#[test]
fn a_square_off_goes_on_after_a_restart() {
    let mut old = Desk::new();
    old.bought("L", 130);
    let halted = Trading::ACTIVE.after(SQUARE_OFF, old.now);
    let (mut desk, mut effects) = old.restarted(Some(halted));
    effects.extend(desk.step(Event::Tick));
    let order = old.book.mirror(&broker_id("L")).unwrap().leader.clone();
    let decision = Decision::Follow(Box::new(Wish { executed: Quantity::new(130), ..wish(terms(BUY, 130)) }));
    effects.extend(desk.step(Event::Plan { order, decision }));
    let exit = placed(&effects);
    assert_eq!((exit.terms.side, exit.terms.quantity.get(), exit.purpose), (SELL, 130, Purpose::Exit));
    desk.accepted(&exit.client_order_id, "q");
    let effects = desk.shows(&exit.client_order_id, BrokerStatus::Traded, 130);
    assert!(alerts(&effects).contains(&&Alert::SquaredOff), "{effects:?}");
}
