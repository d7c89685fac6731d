//! P29: what waits over midnight is followed on under the keys of its own day.

use super::*;

const NIGHT: Duration = Duration::from_hours(11);

/// The evening of a day on which trading ended at half past three.
fn evening() -> Desk {
    let mut desk = Desk::with(|settings| {
        let mut calendar = Calendar::always_open();
        calendar.hours[0].from = chrono::NaiveTime::from_hms_opt(9, 15, 0).unwrap();
        calendar.hours[0].until = chrono::NaiveTime::from_hms_opt(15, 30, 0).unwrap();
        settings.calendar = Arc::new(calendar);
    });
    desk.now = desk.now.plus(Duration::from_hours(10));
    desk
}

fn waits(side: Side, quantity: u32) -> OrderTerms {
    OrderTerms { after_market: true, ..terms(side, quantity) }
}

/// The next morning, at seven, with what was carried over: everything of the day before.
fn carried(mut old: Desk) -> Desk {
    old.now = old.now.plus(NIGHT);
    old.restarted(None).0
}

fn at(desk: &Desk, hour: u64) -> Timestamp {
    desk.now.trading_day().start().plus(Duration::from_hours(hour))
}

#[test]
fn p29_what_waits_over_midnight_is_the_mirror_that_it_was() {
    let mut desk = evening();
    let ours = desk.works("L", waits(BUY, 130));
    let mut desk = carried(desk);
    let leader = Arc::clone(&desk.book.mirror(&broker_id("L")).unwrap().leader);
    let again = desk.step(Event::Plan { order: leader, decision: follow(waits(BUY, 130)) });
    assert_eq!((requests(&again), alerts(&again)), (vec![], vec![]), "nothing new");
    let child = desk.child("L");
    assert_eq!((&child.client_order_id, child.key.trading_day.to_string().as_str()), (&ours, "2026-12-01"));
    assert_eq!(desk.book.orders_today, 0, "it was placed yesterday");
    desk.shows(&ours, BrokerStatus::Traded, 130);
    desk.leader_fills("L", 130);
    assert_eq!(desk.position(), 130);
    desk.now = at(&desk, 10);
    let exit = placed(&desk.plan("X", terms(SELL, 65)));
    assert_eq!((exit.purpose, exit.terms.quantity.get()), (Purpose::Exit, 65));
    assert_eq!(desk.child("X").key.trading_day.to_string(), "2026-12-02");
}

#[test]
fn p29_what_the_leader_takes_back_in_the_morning_is_cancelled_once() {
    let mut desk = evening();
    let ours = desk.works("L", waits(BUY, 130));
    let mut desk = carried(desk);
    assert_eq!(changes(&desk.cancelled("L", waits(BUY, 130), 0)), ["1 cancel"]);
    desk.shows(&ours, BrokerStatus::Cancelled, 0);
    assert_eq!(requests(&desk.passes(SECOND)), vec![]);
    assert_eq!(desk.book.mirrors.len(), 1);
}

#[test]
fn p29_what_was_in_doubt_at_midnight_is_found_or_stays_in_doubt_and_is_never_sent_again() {
    for is_there in [true, false] {
        for side in [BUY, SELL] {
            let mut desk = evening();
            desk.book.restore_carried([(terms(BUY, 0).instrument, 130)], []);
            desk.reads_positions(130);
            let ours = desk.sent("L", waits(side, 130));
            desk.answer(&ours, Answer::Lost);
            let mut desk = carried(desk);
            for hour in [7, 9, 10] {
                desk.now = at(&desk, hour).plus(SETTLE * 2);
                for _ in 0..3 {
                    let row = desk.row(&ours, "b-1", BrokerStatus::Pending, 0);
                    let shown = if is_there { vec![row] } else { Vec::new() };
                    assert_eq!(placements(&desk.reads(shown)), vec![]);
                    assert_eq!(placements(&desk.passes(SETTLE)), vec![]);
                }
            }
            assert_eq!(desk.book.unknown_count(), usize::from(!is_there));
            let state = if is_there { IntentState::Acked } else { IntentState::Unknown };
            assert_eq!(desk.child("L").intent_state(), state);
        }
    }
}

#[test]
fn a_copy_that_waits_and_is_not_shown_once_the_books_have_turned_is_told_of() {
    let mut desk = evening();
    let gone = desk.works("G", waits(BUY, 65));
    desk.shows(&gone, BrokerStatus::Cancelled, 0);
    desk.works("L", waits(BUY, 130));
    let mut desk = carried(desk);
    let told = |desk: &mut Desk| {
        let mut told = Vec::new();
        for _ in 0..2 {
            desk.now = desk.now.plus(SETTLE);
            let effects = desk.reads(Vec::new());
            told.extend(alerts(&effects).into_iter().cloned());
        }
        told
    };
    assert_eq!(told(&mut desk), [], "nobody knows what the broker shows at seven");
    desk.now = at(&desk, 9);
    let ours = desk.child("L").client_order_id.clone();
    assert_eq!(told(&mut desk), [Alert::Missing(ours)], "what was over in the evening is not missed");
}

/// A leader order of today by its key, entered on the evening before.
fn of_the_evening(desk: &Desk, id: &str, terms: OrderTerms) -> Arc<LeaderOrder> {
    let known = leader_order(id, terms, desk.now);
    Arc::new(LeaderOrder { ts_first_event: desk.now.minus(NIGHT), ..LeaderOrder::clone(&known) })
}

#[test]
fn p2_what_may_be_copied_already_is_refused_and_stays_refused() {
    let refused = (Outcome::Skipped, Some(DeniedReason::RestsFromBefore));
    // Its copy may rest, and was not carried over.
    let mut desk = carried(evening());
    desk.book.restore_resting([broker_id("L")]);
    let order = of_the_evening(&desk, "L", waits(BUY, 130));
    let plan = |order: &Arc<LeaderOrder>| Event::Plan {
        order: Arc::clone(order),
        decision: follow(order.terms.clone()),
    };
    assert_eq!(placements(&desk.step(plan(&order))), vec![]);
    assert_eq!(desk.outcome("L"), refused);

    // Another id, and what was carried over has not been seen: it may be the same under a new id.
    let mut desk = evening();
    desk.works("L", waits(BUY, 130));
    let mut desk = carried(desk);
    let renamed = of_the_evening(&desk, "N", waits(BUY, 130));
    for _ in 0..2 {
        assert_eq!(placements(&desk.step(plan(&renamed))), vec![]);
        assert_eq!(desk.outcome("N"), refused);
    }
    // It asks for something else, or the other is seen: it is an order of its own.
    let other = of_the_evening(&desk, "O", waits(BUY, 65));
    assert_eq!(placements(&desk.step(plan(&other))).len(), 1);
    let known = Arc::clone(&desk.book.mirror(&broker_id("L")).unwrap().leader);
    desk.step(plan(&known));
    let second = of_the_evening(&desk, "S", waits(BUY, 130));
    assert_eq!(placements(&desk.step(plan(&second))).len(), 1);
    desk.step(plan(&renamed));
    assert_eq!(desk.outcome("N"), refused, "what was said stands");
}

#[test]
fn p2_an_id_that_comes_again_for_another_order_is_refused_and_the_first_one_followed() {
    let mut desk = evening();
    desk.works("L", waits(BUY, 130));
    let mut desk = carried(desk);
    let other = leader_order("L", terms(SELL, 65), desk.now);
    let effects = desk.step(Event::Plan { order: other, decision: follow(terms(SELL, 65)) });
    assert_eq!(
        stored(&effects),
        stored_as(&[("event", "PENDING"), ("mapping", "skipped rests_from_before")])
    );
    assert_eq!(desk.child("L").terms.quantity, Quantity::new(130));
    assert_eq!(changes(&desk.cancelled("L", waits(BUY, 130), 0)), ["1 cancel"]);
}
