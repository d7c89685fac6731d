//! More orders than the broker takes: the window's share goes, the rest waits in rows and follows in order.

use super::*;

/// What one second takes of entries: ten less the reserve.
const ENTRY_SHARE: usize = 8;

/// Twenty-five buys at once; what of them went, by leader order.
fn burst(desk: &mut Desk) -> Vec<String> {
    let mut went = Vec::new();
    for number in 0..25 {
        let id = format!("L{number:02}");
        let effects = desk.plan(&id, terms(BUY, 65));
        went.extend(placed_for(desk, &effects));
        let row = if went.contains(&id) { "1 SENDING" } else { "1 PLANNED" };
        assert!(stored(&effects).contains(&("intent", row.to_owned())), "{id}: {effects:?}");
    }
    went
}

/// The leader orders whose copies went, in order.
fn placed_for(desk: &Desk, effects: &[Effect]) -> Vec<String> {
    let placed = placements(effects);
    placed.iter().map(|placed| desk.book.leader_of[&placed.client_order_id].to_string()).collect()
}

#[test]
fn a_burst_goes_window_by_window_in_its_own_order() {
    let mut desk = Desk::new();
    let mut went = burst(&mut desk);
    assert_eq!((went.len(), desk.book.waiting_count()), (ENTRY_SHARE, 25 - ENTRY_SHARE));

    while desk.book.waiting_count() > 0 {
        assert_eq!(placements(&desk.step(Event::Tick)), vec![], "nothing goes before its time");
        let effects = desk.passes(SECOND);
        let of_this_window = placed_for(&desk, &effects);
        assert!(of_this_window.len() <= ENTRY_SHARE);
        assert_eq!(wake(&effects), (desk.book.waiting_count() > 0).then(|| desk.now.plus(SECOND)));
        went.extend(of_this_window);
    }
    assert_eq!(went, (0..25).map(|number| format!("L{number:02}")).collect::<Vec<_>>());
    assert!(desk.book.outcomes().all(|(_, outcome, _)| outcome == Outcome::Sent));
}

#[test]
fn exits_overtake_waiting_entries_and_may_use_the_reserve() {
    let mut desk = Desk::new();
    desk.holds(195);
    burst(&mut desk);
    for id in ["X0", "X1"] {
        let effects = desk.plan(id, terms(SELL, 65));
        assert_eq!(placed_for(&desk, &effects), [id], "the reserve is for exits");
    }
    assert_eq!(placements(&desk.plan("X2", terms(SELL, 65))), vec![], "and then it is used up");
    let effects = desk.passes(SECOND);
    assert_eq!(placed_for(&desk, &effects)[..2], ["X2".to_owned(), "L08".to_owned()]);
}

#[test]
fn entries_that_grow_too_old_while_they_wait_are_shed_with_the_reason() {
    let mut desk = Desk::new();
    let went = burst(&mut desk);
    let effects = desk.passes(ENTRY_AGE_MAX + SECOND);
    assert_eq!((placements(&effects), desk.book.waiting_count()), (vec![], 0));
    let row = ("mapping", "skipped stale_entry".to_owned());
    assert_eq!(stored(&effects).iter().filter(|stored| **stored == row).count(), 25 - ENTRY_SHARE);
    for number in 0..25 {
        let id = format!("L{number:02}");
        let expected = if went.contains(&id) {
            (Outcome::Sent, None)
        } else {
            (Outcome::Skipped, Some(DeniedReason::StaleEntry))
        };
        assert_eq!(desk.outcome(&id), expected, "{id}");
    }
}

#[test]
fn news_of_the_leaders_order_does_not_carry_a_stale_entry_past_its_gate() {
    let mut desk = Desk::new();
    let planned_at = desk.now;
    burst(&mut desk);
    // No tick came in between: the news itself finds the budget free again.
    desk.now = desk.now.plus(ENTRY_AGE_MAX + SECOND);
    let order = leader_order("L08", terms(BUY, 65), planned_at);
    let effects = desk.step(Event::Plan { order, decision: follow(terms(BUY, 65)) });
    assert_eq!(placements(&effects), vec![]);
    assert_eq!(desk.outcome("L08"), (Outcome::Skipped, Some(DeniedReason::StaleEntry)));
}

#[test]
fn whatever_denies_entries_sheds_those_that_wait_and_leaves_exits() {
    let table = [
        (Event::Breaker { open: true }, DeniedReason::BreakerOpen, Outcome::Sent),
        (Event::Credentials { refused: true }, DeniedReason::AccountHalted, Outcome::Waiting),
    ];
    for (event, reason, exit) in table {
        let mut desk = Desk::new();
        desk.holds(65 * 11);
        for number in 0..10 {
            desk.plan(&format!("X{number}"), terms(SELL, 65));
        }
        desk.plan("X", terms(SELL, 65));
        desk.plan("L", terms(BUY, 65));
        assert_eq!(desk.book.waiting_count(), 2);
        desk.step(event);
        assert_eq!(desk.outcome("X").0, Outcome::Waiting, "{reason}");
        desk.passes(SECOND);
        assert_eq!(desk.outcome("X").0, exit, "{reason}");
        desk.step(Event::Credentials { refused: false });
        desk.passes(SECOND);
        let entry =
            if exit == Outcome::Sent { (Outcome::Skipped, Some(reason)) } else { (Outcome::Sent, None) };
        assert_eq!(desk.outcome("L"), entry, "{reason}");
        assert_eq!(desk.outcome("X").0, Outcome::Sent, "{reason}");
    }
}

#[test]
fn an_order_the_leader_takes_back_while_it_waits_is_void() {
    let mut desk = Desk::new();
    burst(&mut desk);
    let order = leader_order("L24", terms(BUY, 65), desk.now);
    let decision = Decision::Deny(DeniedReason::LeaderGone);
    let effects = desk.step(Event::Plan { order, decision });
    assert!(stored(&effects).contains(&("intent", "1 VOIDED".to_owned())), "{effects:?}");
    assert_eq!(desk.outcome("L24"), (Outcome::Voided, Some(DeniedReason::LeaderGone)));
    for _ in 0..3 {
        let effects = desk.passes(SECOND);
        assert!(!placed_for(&desk, &effects).contains(&"L24".to_owned()));
    }
}

#[test]
fn a_waiting_order_goes_with_the_leaders_latest_terms() {
    let mut desk = Desk::new();
    burst(&mut desk);
    desk.plan("L08", terms(BUY, 130));
    let placed = placements(&desk.passes(SECOND));
    assert_eq!(placed[0].terms.quantity.get(), 130);
}

/// An order of somebody else's in her account, and what she sees of it when he has changed and cancelled it.
fn somebody_elses(desk: &Desk, id: &str) -> [OrderReport; 3] {
    let placed = OrderReport { ts_event: desk.now, ts_created: None, ..manual(id, terms(BUY, 65)) };
    let later = |by: u32| desk.now.plus(SECOND * by / 10);
    let changed = OrderReport { terms: terms(BUY, 130), ts_event: later(1), ..placed.clone() };
    let cancelled = OrderReport { status: BrokerStatus::Cancelled, ts_event: later(2), ..changed.clone() };
    [placed, changed, cancelled]
}

#[test]
fn what_others_place_change_and_cancel_counts_once_each() {
    let mut desk = Desk::new();
    let reports = somebody_elses(&desk, "M");
    for report in reports.iter().chain(&reports) {
        desk.step(Event::Report(Box::new(report.clone())));
    }
    assert_eq!(burst(&mut desk).len(), ENTRY_SHARE - 3);
}

#[test]
fn what_others_asked_counts_on_after_a_restart() {
    let mut desk = Desk::new();
    let [placed, _, cancelled] = somebody_elses(&desk, "M");
    let first_seen = placed.ts_event;
    desk.now = cancelled.ts_event;
    desk.book.restore_external([(cancelled, first_seen)]);
    desk.book.restore(vec![], desk.now);
    desk.book.unread = None;
    assert_eq!(burst(&mut desk).len(), ENTRY_SHARE - 2, "that it was placed, and its last change");
}

#[test]
fn a_longer_pause_that_the_broker_asks_for_is_kept() {
    let mut desk = Desk::new();
    desk.holds(65);
    let client_order_id = desk.sent("L1", terms(BUY, 65));
    let until = desk.now.plus(20 * SECOND);
    desk.book.rest_until(until);
    desk.answer(&client_order_id, Answer::Busy);
    let effects = desk.plan("X", terms(SELL, 65));
    assert_eq!(placements(&effects), vec![]);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::WakeAt(at) if *at == until)));
    assert_eq!(placements(&desk.passes(19 * SECOND)), vec![]);
    assert_eq!(placements(&desk.passes(SECOND)).len(), 1);
}

#[test]
fn too_many_requests_pauses_everything() {
    let mut desk = Desk::new();
    desk.holds(65);
    let client_order_id = desk.sent("L1", terms(BUY, 65));
    desk.answer(&client_order_id, Answer::Busy);
    let effects = desk.plan("X", terms(SELL, 65));
    assert_eq!((placements(&effects), wake(&effects)), (vec![], Some(desk.now.plus(BUSY_PAUSE))));
    assert_eq!(placements(&desk.passes(BUSY_PAUSE)).len(), 1);
}

/// P13 at the wire: the commit in between may take long.
#[test]
fn what_opens_may_leave_until_it_is_too_old_and_what_closes_at_any_time() {
    let mut desk = Desk::new();
    desk.holds(65);
    let due = desk.now;
    let until = |effects: &[Effect]| {
        let asked = requests(effects);
        let [request] = &asked[..] else { panic!("{asked:?}") };
        (
            request.until,
            request.is_too_late(due.plus(ENTRY_AGE_MAX)),
            request.is_too_late(due.plus(ENTRY_AGE_MAX + SECOND)),
        )
    };
    assert_eq!(until(&desk.plan("L", terms(BUY, 65))), (Some(due.plus(ENTRY_AGE_MAX)), false, true));
    assert_eq!(until(&desk.plan("X", terms(SELL, 65))), (None, false, false));
}
