//! Sequences that an adversary would try: what is not counted, what waits in the wrong line, what a limit does not stop.

use super::*;
use crate::gates::entry::{Caps, MarginCheck};
use crate::trading::TradingState;

#[test]
fn a_cap_counts_what_was_let_through_and_has_not_left_yet() {
    for cap in [
        Caps { lots_per_order: Some(Lots(4)), ..Caps::default() },
        Caps { lots_per_instrument: Some(Lots(4)), ..Caps::default() },
    ] {
        let mut desk = Desk::with(|settings| settings.entry.caps = cap);
        desk.book.pacer.pause(desk.now.plus(SECOND));
        assert_eq!(placements(&desk.plan("L", terms(BUY, 3 * 65))), vec![], "it waits");
        desk.plan("L", terms(BUY, 6 * 65));
        let units: u32 =
            placements(&desk.passes(SECOND * 2)).iter().map(|placed| placed.terms.quantity.get()).sum();
        assert_eq!(units, 4 * 65, "{cap:?}");
    }
}

#[test]
fn a_loss_closes_what_is_reducing_already() {
    let mut desk = Desk::with(|settings| {
        settings.entry.daily_loss_max = Some(Money::from_rupees(1_000));
        settings.risk.on_daily_loss = OnBreach::SquareOff;
    });
    desk.book.profit = Some(Figure { value: Money::ZERO, at: desk.now });
    desk.bought("L1", 65);
    desk.step(Event::Control(Control::Reduce(HaltCause::Drift)));
    let mut effects = Vec::new();
    desk.book.watch_loss(Money::from_rupees(-2_000), desk.now, &mut effects);
    assert_eq!(
        (desk.book.trading().state, desk.book.trading().is_squaring_off),
        (TradingState::Halted, true)
    );
}

#[test]
fn a_cancel_is_not_held_in_the_line_of_the_entry_it_takes_back() {
    let mut desk = Desk::new();
    desk.works("L1", terms(BUY, 65));
    desk.step(Event::Control(Control::Reduce(HaltCause::Operator)));
    let dearer = OrderTerms { price: Price::from_paise(10_100), ..terms(BUY, 65) };
    assert_eq!(requests(&desk.plan("L1", dearer.clone())), vec![]);
    desk.book.pacer.pause(desk.now.plus(SECOND));
    desk.cancelled("L1", dearer, 0);
    desk.passes(SECOND / 2);
    let id = desk.child("L1").client_order_id.clone();
    assert_eq!(desk.book.queue.rank_of(&id), Some(crate::mirror::Rank::Cancel));
}

#[test]
fn a_raise_reserves_its_money() {
    let mut desk = Desk::with(|settings| settings.entry.margin = MarginCheck::Estimate);
    funds(&mut desk, 13_000);
    desk.works("L1", terms(BUY, 65));
    desk.now = desk.now.plus(SECOND);
    // The broker has blocked the first lot by now.
    funds(&mut desk, 6_500);
    assert_eq!(requests(&desk.plan("L1", terms(BUY, 130))).len(), 1, "the raise takes all that is left");
    assert_eq!(requests(&desk.plan("L2", terms(BUY, 65))), vec![]);
    assert_eq!(desk.outcome("L2"), (Outcome::Skipped, Some(DeniedReason::MarginShort)));
}

fn funds(desk: &mut Desk, available: i64) {
    let available = Money::from_rupees(available);
    let funds = Funds {
        available,
        utilised: Money::ZERO,
        start_of_day: available,
        collateral: Money::ZERO,
        withdrawable: Money::ZERO,
    };
    desk.step(Event::Funds { started_at: desk.now, funds });
}

#[test]
fn after_too_many_requests_one_healthy_read_sends_an_exit_again() {
    let mut desk = Desk::new();
    let held = desk.holds(65);
    let ours = desk.sent("X", terms(SELL, 65));
    desk.answer(&ours, Answer::Busy);
    desk.now = desk.now.plus(SETTLE);
    let effects = desk.reads(vec![held]);
    let more = desk.passes(SECOND);
    assert_eq!(placements(&effects).len() + placements(&more).len(), 1);
}

#[test]
fn a_raise_that_waited_through_a_reduction_does_not_leave_on_resume() {
    let mut desk = Desk::new();
    desk.works("L1", terms(BUY, 65));
    desk.book.pacer.pause(desk.now.plus(SECOND));
    desk.plan("L1", terms(BUY, 195));
    desk.step(Event::Control(Control::Reduce(HaltCause::DailyLoss)));
    desk.passes(Duration::from_mins(30));
    let effects = desk.step(Event::Control(Control::Resume));
    assert_eq!(changes(&effects), Vec::<String>::new());
    assert_eq!(changes(&desk.passes(SECOND)), Vec::<String>::new());
}

#[test]
fn what_the_owner_switched_off_does_not_leave_any_more() {
    let mut desk = Desk::new();
    desk.book.pacer.pause(desk.now.plus(SECOND));
    desk.plan("L1", terms(BUY, 65));
    let mut changed = settings();
    changed.entry.is_copying = false;
    desk.step(Event::Settings(Box::new(changed)));
    assert_eq!(requests(&desk.passes(SECOND * 2)), vec![]);
}

#[test]
fn a_cap_counts_a_raise_that_has_not_left_yet() {
    let caps = Caps { lots_per_instrument: Some(Lots(4)), ..Caps::default() };
    let mut desk = Desk::with(|settings| settings.entry.caps = caps);
    desk.works("L1", terms(BUY, 65));
    desk.book.pacer.pause(desk.now.plus(SECOND));
    desk.plan("L1", terms(BUY, 3 * 65));
    desk.plan("L2", terms(BUY, 3 * 65));
    desk.plan("L1", terms(BUY, 6 * 65));
    desk.passes(SECOND * 2);
    let under_way = desk.book.under_way(terms(BUY, 0).instrument);
    assert_eq!(under_way, 4 * 65);
}

#[test]
fn what_a_square_off_has_stopped_is_told_from_what_a_human_detached() {
    let mut desk = Desk::new();
    desk.bought("L1", 65);
    desk.step(Event::Control(Control::SquareOff(HaltCause::Operator)));
    assert_eq!(desk.outcome("L1"), (Outcome::Detached, Some(DeniedReason::Halted)));
    let mut again = desk.book.mirror(&broker_id("L1")).unwrap().clone();
    again.is_stopped = false;
    again.recall();
    assert!(again.is_stopped);
}
