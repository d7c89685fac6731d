//! What closes: never more than is held, each kind of exit for itself, what frees quantity first; and what is owed when
//! the leader has left before the follower was in.

use super::*;
use crate::mirror::REPAIR;

fn target(quantity: u32) -> OrderTerms {
    OrderTerms { price: Price::from_paise(12_000), ..terms(SELL, quantity) }
}

fn stop(quantity: u32) -> OrderTerms {
    OrderTerms {
        order_type: OrderType::StopLoss,
        price: Price::from_paise(9_000),
        trigger: Price::from_paise(9_050),
        ..terms(SELL, quantity)
    }
}

fn market(quantity: u32) -> OrderTerms {
    OrderTerms { order_type: OrderType::Market, price: Price::ZERO, ..terms(SELL, quantity) }
}

/// Two lots held, and a target and a stop for both of them.
fn target_and_stop() -> (Desk, ClientOrderId, ClientOrderId) {
    let mut desk = Desk::new();
    desk.bought("L", 130);
    let ours = (desk.works("T", target(130)), desk.works("S", stop(130)));
    for id in ["T", "S"] {
        let child = desk.child(id);
        assert_eq!((child.purpose, child.terms.quantity.get()), (Purpose::Exit, 130), "{id}");
    }
    (desk, ours.0, ours.1)
}

#[test]
fn d12_when_one_of_two_exits_fills_the_other_is_trimmed_or_cancelled_at_once() {
    for (fills, other) in [("T", "S"), ("S", "T")] {
        let (mut desk, target, stop) = target_and_stop();
        let (first, second) = if fills == "T" { (target, stop) } else { (stop, target) };
        let effects = desk.shows(&first, BrokerStatus::PartTraded, 65);
        let price = if other == "S" { "90.00" } else { "120.00" };
        assert_eq!(changes(&effects), [format!("1 modify to 65 at {price}")], "{fills} filled");
        desk.answer_to(&second, 1, Answer::Accepted(broker_id("x")));
        let effects = desk.shows(&first, BrokerStatus::Traded, 130);
        assert_eq!(changes(&effects), ["2 cancel"], "{fills} filled");
        desk.answer_to(&second, 2, Answer::Accepted(broker_id("x")));
        let effects = desk.shows(&second, BrokerStatus::Cancelled, 0);
        assert_eq!((requests(&effects), alerts(&effects), desk.position()), (vec![], vec![], 0));
        // The leader's fills and cancels come late, and change nothing.
        let mut late = desk.leader_fills(fills, 130);
        let terms = if other == "S" { self::stop(130) } else { self::target(130) };
        late.extend(desk.cancelled(other, terms, 0));
        late.extend(desk.passes(SECOND * 60));
        assert_eq!((requests(&late), desk.position()), (vec![], 0), "{fills} filled");
    }
}

#[test]
fn d12_the_leader_left_by_one_exit_and_the_other_rests_with_him_still() {
    let (mut desk, target, stop) = target_and_stop();
    let effects = desk.leader_fills("T", 130);
    assert_eq!(changes(&effects), ["1 cancel"], "the stop is for nothing now");
    desk.answer_to(&stop, 1, Answer::Accepted(broker_id("b-S")));
    desk.shows(&stop, BrokerStatus::Cancelled, 0);
    desk.shows(&target, BrokerStatus::Traded, 130);
    assert_eq!((requests(&desk.passes(SECOND * 60)), desk.position()), (vec![], 0));
}

#[test]
fn d19_an_exit_at_the_market_beside_a_target_that_rests() {
    let mut desk = Desk::new();
    desk.bought("L", 130);
    let resting = desk.works("T", target(130));
    assert_eq!(requests(&desk.plan("X", market(130))), vec![], "the target has all that is held");
    let effects = desk.leader_fills("X", 130);
    assert_eq!(changes(&effects), ["1 cancel"]);
    assert_eq!(placements(&effects), vec![]);
    desk.answer_to(&resting, 1, Answer::Accepted(broker_id("b-T")));
    let exit = placed(&desk.shows(&resting, BrokerStatus::Cancelled, 0));
    assert_eq!((exit.purpose, exit.terms.clone()), (Purpose::Exit, market(130)));
    desk.accepted(&exit.client_order_id, "b-X");
    desk.shows(&exit.client_order_id, BrokerStatus::Traded, 130);
    let late = desk.cancelled("T", target(130), 0);
    assert_eq!((requests(&late), desk.position()), (vec![], 0));
}

/// One stop is made an exit at the market, another is cancelled, and neither is proven: for all anybody knows both stand as
/// they were.
#[test]
fn an_exit_that_is_being_changed_counts_as_what_it_was_and_as_what_it_will_be() {
    let mut desk = Desk::new();
    desk.bought("L", 130);
    let (first, second) = (desk.works("S1", stop(65)), desk.works("S2", stop(65)));
    desk.passes(SECOND);
    assert_eq!(changes(&desk.plan("S1", market(65))), ["1 modify to 65 at 0.00"]);
    assert_eq!(changes(&desk.cancelled("S2", stop(65), 0)), ["1 cancel"]);
    assert_eq!(requests(&desk.plan("S3", stop(65))), vec![]);
    desk.answer_to(&second, 1, Answer::Lost);
    desk.answer_to(&first, 1, Answer::Accepted(broker_id("b-S1")));
    assert_eq!(requests(&desk.passes(SECOND)), vec![], "taken is not proven");
    let third = placed(&desk.shows(&first, BrokerStatus::Pending, 0));
    assert_eq!((third.purpose, third.terms), (Purpose::Exit, stop(65)));
}

#[test]
fn an_exit_that_is_in_transit_is_asked_again_later_and_later_and_told_when_it_lasts() {
    let mut desk = Desk::new();
    desk.bought("L", 130);
    let ours = desk.works("S", stop(65));
    desk.passes(SECOND);
    let mut effects = desk.cancelled("S", stop(65), 0);
    let moment = Duration::from_millis(1);
    for serial in 1..=7 {
        assert_eq!(changes(&effects), [format!("{serial} cancel")]);
        let refusal = Answer::Refused(Refused::InTransit, "in transit".into());
        let refused = desk.answer_to(&ours, serial, refusal);
        let is_told = alerts(&refused) == [&Alert::ChangeRefused(ours.clone())];
        assert_eq!((requests(&refused), is_told), (vec![], serial == 5), "{serial}");
        let wait = RESEND_DELAY * (1 << (serial - 1));
        assert_eq!(requests(&desk.passes(wait.saturating_sub(moment))), vec![]);
        effects = desk.passes(moment);
    }
}

#[test]
fn what_the_leader_changes_meanwhile_reaches_an_exit_that_was_in_transit() {
    let mut desk = Desk::new();
    desk.bought("L", 130);
    let ours = desk.works("S", stop(65));
    desk.passes(SECOND);
    let dearer = OrderTerms { price: Price::from_paise(9_010), ..stop(65) };
    assert_eq!(changes(&desk.plan("S", dearer)), ["1 modify to 65 at 90.10"]);
    desk.answer_to(&ours, 1, Answer::Refused(Refused::InTransit, "in transit".into()));
    assert_eq!(requests(&desk.plan("S", market(65))), vec![], "not yet");
    assert_eq!(changes(&desk.passes(RESEND_DELAY)), ["2 modify to 65 at 0.00"]);
    // A cancel that was refused gives way to what he wants by now, too.
    desk.answer_to(&ours, 2, Answer::Refused(Refused::InTransit, "in transit".into()));
    desk.cancelled("S", market(65), 0);
    assert_eq!(changes(&desk.passes(RESEND_DELAY * 2)), ["3 cancel"]);
}

#[test]
fn d19_the_cancel_that_frees_goes_first_and_the_exit_waits_until_it_is_proven() {
    for filled_meanwhile in [0, 65] {
        let mut desk = Desk::new();
        desk.bought("L", 130);
        let resting = desk.works("T", target(130));
        let effects = desk.cancelled("T", target(130), 0);
        assert_eq!(changes(&effects), ["1 cancel"]);
        assert_eq!(requests(&desk.executed("X", market(130))), vec![], "nothing is free for it yet");
        desk.answer_to(&resting, 1, Answer::Accepted(broker_id("b-T")));
        assert_eq!(requests(&desk.passes(SECOND)), vec![], "taken is not proven");
        let effects = desk.shows(&resting, BrokerStatus::Cancelled, filled_meanwhile);
        let exit = placed(&effects);
        let units = 130 - filled_meanwhile;
        assert_eq!((exit.purpose, exit.terms.quantity.get()), (Purpose::Exit, units));
        assert_eq!(desk.book.mirror(&broker_id("X")).unwrap().allotment.unwrap().total(), units);
    }
}

/// He holds four lots behind a stop and buys four more; the follower's copy is on its way.
#[test]
fn a_stop_stays_as_it_is_while_more_is_being_bought() {
    for seen_first in [BrokerStatus::Pending, BrokerStatus::Traded] {
        let mut desk = Desk::new();
        desk.bought("L", 260);
        let stop = desk.works("S", stop(260));
        let ours = if seen_first == BrokerStatus::Traded {
            placed(&desk.executed("M", terms(BUY, 260))).client_order_id
        } else {
            let ours = desk.sent("M", terms(BUY, 260));
            assert_eq!(requests(&desk.leader_fills("M", 260)), vec![]);
            ours
        };
        assert_eq!(requests(&desk.accepted(&ours, "b-M")), vec![], "{seen_first}");
        assert_eq!(requests(&desk.shows(&ours, BrokerStatus::Transit, 0)), vec![], "{seen_first}");
        assert_eq!(requests(&desk.shows(&ours, BrokerStatus::Traded, 260)), vec![], "{seen_first}");
        assert_eq!((desk.child("S").terms.quantity.get(), desk.position()), (260, 520));
        // What rests while he has bought does not count: eight lots for his twelve, of which the stop closes a third.
        let rests = desk.works("N", terms(BUY, 260));
        let effects = desk.leader_fills("N", 260);
        assert_eq!(changes(&effects), ["1 modify to 195 at 90.00"]);
        desk.answer_to(&stop, 1, Answer::Accepted(broker_id("b-S")));
        desk.shows(&stop, BrokerStatus::Pending, 0);
        let effects = desk.shows(&rests, BrokerStatus::Traded, 260);
        assert_eq!(changes(&effects), ["2 modify to 260 at 90.00"]);
    }
}

/// One for one: he has bought 1,300 by six orders and sells 390, while the copies of all six are on their way. The first
/// three fill whole before they can be changed.
#[test]
fn entries_that_wait_when_the_leader_closes_are_rounded_as_one() {
    let mut desk = Desk::new();
    let bought = [("1", 260), ("2", 260), ("3", 260), ("4", 260), ("5", 130), ("6", 130)];
    let mut ours = Vec::new();
    for (id, units) in bought {
        ours.push(desk.sent(id, terms(BUY, units)));
        desk.leader_fills(id, units);
    }
    assert_eq!(requests(&desk.executed("S", market(390))), vec![], "nothing is held yet");
    let mut sold = Vec::new();
    let mut cut = Vec::new();
    for (copy, (id, units)) in ours.iter().zip(bought) {
        let mut effects = desk.accepted(copy, &format!("b-{id}"));
        if sold.len() < 3 {
            effects = desk.shows(copy, BrokerStatus::Traded, units);
            let exit = placed(&effects);
            assert_eq!(exit.purpose, Purpose::Exit);
            desk.accepted(&exit.client_order_id, &format!("s-{id}"));
            desk.shows(&exit.client_order_id, BrokerStatus::Traded, exit.terms.quantity.get());
            sold.push(exit.terms.quantity.get());
        } else {
            cut.extend(changes(&effects));
            desk.answer_to(copy, 1, Answer::Accepted(broker_id(&format!("b-{id}"))));
            let left = desk.child(id).terms.quantity.get();
            assert_eq!(requests(&desk.shows(copy, BrokerStatus::Traded, left)), vec![]);
        }
        desk.passes(SECOND);
    }
    assert_eq!(sold, [65, 65, 130]);
    assert_eq!(cut, ["1 modify to 195 at 100.00", "1 modify to 65 at 100.00"], "the fifth stays whole");
    assert_eq!(desk.position(), 910);
}

#[test]
fn d20_where_the_broker_bears_one_exit_only_the_stop_is_kept() {
    let mut desk = Desk::new();
    desk.bought("L", 130);
    let resting = desk.works("T", target(130));
    let refused = desk.sent("S", stop(130));
    let effects = desk.answer(&refused, Answer::Refused(Refused::Other, "no holdings left to sell".into()));
    assert_eq!(changes(&effects), ["1 cancel"], "the target makes room");
    desk.answer_to(&resting, 1, Answer::Accepted(broker_id("b-T")));
    desk.now = desk.now.plus(SECOND);
    let mut effects = desk.shows(&resting, BrokerStatus::Cancelled, 0);
    effects.extend(desk.passes(SECOND));
    let again = placed(&effects);
    assert_eq!((again.terms.clone(), again.purpose), (stop(130), Purpose::Exit));
    assert_eq!(desk.child("S").key.attempt, 2);
    desk.accepted(&again.client_order_id, "b-S");
    // It stays so; and the target comes back once there is no stop.
    assert_eq!(requests(&desk.plan("T", target(130))), vec![]);
    let effects = desk.cancelled("S", stop(130), 0);
    assert_eq!(changes(&effects), ["1 cancel"]);
    desk.answer_to(&again.client_order_id, 1, Answer::Accepted(broker_id("b-S")));
    let mut effects = desk.shows(&again.client_order_id, BrokerStatus::Cancelled, 0);
    effects.extend(desk.passes(SECOND));
    assert_eq!(placed(&effects).terms, target(130));
}

#[test]
fn d20_a_target_that_is_refused_beside_a_stop_is_not_tried_again() {
    let mut desk = Desk::new();
    desk.bought("L", 130);
    desk.works("S", stop(130));
    let refused = desk.sent("T", target(130));
    let answer = Answer::Refused(Refused::Other, "no holdings left to sell".into());
    let mut effects = desk.answer(&refused, answer);
    effects.extend(desk.passes(SECOND * 10));
    effects.extend(desk.plan("T", target(130)));
    assert_eq!(requests(&effects), vec![], "the stop stays, and the target waits");
}

#[test]
fn d21_what_two_exits_closed_too_much_is_bought_back_at_once() {
    let (mut desk, target, stop) = target_and_stop();
    desk.shows(&target, BrokerStatus::Traded, 130);
    // The cancel of the stop is on its way, too late.
    let effects = desk.shows(&stop, BrokerStatus::Traded, 130);
    assert_eq!(desk.position(), -130);
    let instrument = terms(SELL, 0).instrument;
    assert!(alerts(&effects).contains(&&Alert::Overshot(instrument, -130)), "{effects:?}");
    let back = placed(&effects);
    assert_eq!((back.terms.side, back.terms.quantity.get()), (BUY, 130));
    assert_eq!((back.terms.order_type, back.purpose), (OrderType::Market, Purpose::Exit));
    desk.accepted(&back.client_order_id, "b-R");
    let effects = desk.shows(&back.client_order_id, BrokerStatus::Traded, 130);
    assert_eq!((requests(&effects), desk.position()), (vec![], 0));
    let mut later = desk.leader_fills("T", 130);
    later.extend(desk.cancelled("S", self::stop(130), 0));
    later.extend(desk.passes(SECOND * 60));
    assert_eq!((requests(&later), desk.position()), (vec![], 0));
}

#[test]
fn d10_d9_half_of_what_is_held_and_then_all_of_it() {
    // The follower takes half: three of the leader's six lots.
    let mut desk = Desk::with(|settings| settings.sizing.fixed_ratio = HALF);
    let ours = desk.works("L", terms(BUY, 390));
    desk.leader_fills("L", 390);
    desk.shows(&ours, BrokerStatus::Traded, 195);
    for (id, sold, closes) in [("X1", 195, 130), ("X2", 195, 65)] {
        let exit = placed(&desk.executed(id, market(sold)));
        assert_eq!((exit.purpose, exit.terms.quantity.get()), (Purpose::Exit, closes), "{id}");
        desk.accepted(&exit.client_order_id, &format!("b-{id}"));
        desk.shows(&exit.client_order_id, BrokerStatus::Traded, closes);
    }
    assert_eq!(desk.position(), 0);
}

#[test]
fn d11_a_flip_closes_and_opens_only_once_that_has_filled() {
    let mut desk = Desk::new();
    desk.bought("L", 130);
    let out = placed(&desk.plan("X", terms(SELL, 260)));
    assert_eq!((out.purpose, out.terms.quantity.get()), (Purpose::Exit, 130));
    desk.accepted(&out.client_order_id, "b-X");
    assert_eq!(requests(&desk.shows(&out.client_order_id, BrokerStatus::PartTraded, 65)), vec![]);
    let effects = desk.shows(&out.client_order_id, BrokerStatus::Traded, 130);
    let short = placed(&effects);
    assert_eq!((short.purpose, short.terms.quantity.get(), short.terms.side), (Purpose::Entry, 130, SELL));
    desk.accepted(&short.client_order_id, "b-X2");
    desk.leader_fills("X", 260);
    desk.shows(&short.client_order_id, BrokerStatus::Traded, 130);
    assert_eq!(desk.position(), -130);
    // The short is closed by a buy.
    let back = placed(&desk.executed("B", terms(BUY, 260)));
    assert_eq!((back.purpose, back.terms.quantity.get()), (Purpose::Exit, 130));
}

#[test]
fn d13_what_was_rejected_on_the_way_in_is_not_sold_on_the_way_out() {
    for (filled, exit) in [(0, None), (65, Some(65))] {
        let mut desk = Desk::new();
        let ours = desk.works("L", terms(BUY, 130));
        desk.leader_fills("L", 130);
        desk.shows(&ours, BrokerStatus::Rejected, filled);
        let effects = desk.executed("X", market(130));
        let sold = placements(&effects).first().map(|placed| placed.terms.quantity.get());
        assert_eq!(sold, exit, "{filled} filled");
        if exit.is_none() {
            assert_eq!(desk.outcome("X"), (Outcome::Skipped, Some(DeniedReason::NothingToClose)));
        }
    }
}

#[test]
fn d14_an_entry_that_rests_shrinks_as_the_leader_leaves_and_its_late_fill_is_sold() {
    let mut desk = Desk::new();
    let ours = desk.works("L", terms(BUY, 130));
    desk.leader_fills("L", 130);
    let effects = desk.executed("X1", market(65));
    assert_eq!(changes(&effects), ["1 modify to 65 at 100.00"]);
    assert_eq!(desk.outcome("X1"), (Outcome::Waiting, Some(DeniedReason::NothingToClose)));
    desk.answer_to(&ours, 1, Answer::Accepted(broker_id("b-L")));
    let effects = desk.executed("X2", market(65));
    assert_eq!(changes(&effects), ["2 cancel"]);
    // One lot of it was filled before the cancel came.
    let effects = desk.shows(&ours, BrokerStatus::Cancelled, 65);
    let exits = placements(&effects);
    let sold: u32 = exits.iter().map(|exit| exit.terms.quantity.get()).sum();
    assert!(exits.iter().all(|exit| exit.purpose == Purpose::Exit && exit.terms.side == SELL), "{exits:?}");
    assert_eq!(sold, 65);
    for exit in exits {
        desk.accepted(&exit.client_order_id, &format!("b-{}", exit.client_order_id));
        desk.shows(&exit.client_order_id, BrokerStatus::Traded, exit.terms.quantity.get());
    }
    assert_eq!((requests(&desk.passes(SECOND * 60)), desk.position()), (vec![], 0));
}

#[test]
fn d14_an_exit_for_which_nothing_ever_came_ends() {
    let mut desk = Desk::new();
    let ours = desk.works("L", terms(BUY, 130));
    desk.leader_fills("L", 130);
    assert_eq!(changes(&desk.executed("X", market(130))), ["1 cancel"]);
    desk.answer_to(&ours, 1, Answer::Accepted(broker_id("b-L")));
    let effects = desk.shows(&ours, BrokerStatus::Cancelled, 0);
    assert_eq!(requests(&effects), vec![]);
    assert_eq!(desk.outcome("X"), (Outcome::Skipped, Some(DeniedReason::NothingToClose)));
    assert_eq!(desk.position(), 0);
}

#[test]
fn d15_of_an_entry_part_filled_the_rest_is_cancelled_and_what_is_filled_is_sold() {
    let mut desk = Desk::new();
    let ours = desk.works("L", terms(BUY, 130));
    desk.leader_fills("L", 130);
    desk.shows(&ours, BrokerStatus::PartTraded, 65);
    let effects = desk.executed("X", market(130));
    assert_eq!(changes(&effects), ["1 cancel"]);
    let exit = placed(&effects);
    assert_eq!((exit.purpose, exit.terms.quantity.get()), (Purpose::Exit, 65));
}

#[test]
fn d16_an_exit_waits_until_the_entry_in_doubt_is_proven() {
    for filled in [0, 130] {
        let mut desk = Desk::new();
        let known = desk.holds(65);
        desk.passes(SECOND);
        let ours = desk.sent("L", terms(BUY, 130));
        desk.answer(&ours, Answer::Lost);
        desk.leader_fills("L", 130);
        // All three lots go; one is held for certain.
        let first = placed(&desk.executed("X", market(195)));
        assert_eq!((first.purpose, first.terms.quantity.get()), (Purpose::Exit, 65));
        desk.accepted(&first.client_order_id, "b-X");
        let sold = desk.row(&first.client_order_id, "b-X", BrokerStatus::Traded, 65);
        desk.reads(vec![known.clone(), sold.clone()]);
        assert_eq!(requests(&desk.passes(SETTLE * 2)), vec![]);
        if filled == 0 {
            desk.reads(vec![known.clone(), sold.clone()]);
            let effects = desk.reads(vec![known, sold]);
            assert_eq!((requests(&effects), desk.position()), (vec![], 0));
            continue;
        }
        let found = desk.row(&ours, "b-L", BrokerStatus::Traded, filled);
        let exit = placed(&desk.reads(vec![known, sold, found]));
        assert_eq!((exit.purpose, exit.terms.quantity.get()), (Purpose::Exit, filled));
    }
}

#[test]
fn a27_a_target_for_a_buy_that_rests_is_held_until_the_followers_own_has_filled() {
    let mut desk = Desk::new();
    let ours = desk.works("L", terms(BUY, 130));
    assert_eq!(requests(&desk.plan("T", target(130))), vec![]);
    assert_eq!(desk.outcome("T"), (Outcome::Waiting, Some(DeniedReason::NothingToClose)));
    // The leader's fills change nothing; ours do.
    assert_eq!(requests(&desk.leader_fills("L", 130)), vec![]);
    let exit = placed(&desk.shows(&ours, BrokerStatus::PartTraded, 65));
    assert_eq!((exit.purpose, exit.terms.clone()), (Purpose::Exit, target(65)));
    desk.accepted(&exit.client_order_id, "b-T");
    let effects = desk.shows(&ours, BrokerStatus::Traded, 130);
    assert_eq!(changes(&effects), ["1 modify to 130 at 120.00"]);
}

#[test]
fn a27_a_target_for_a_buy_that_is_refused_is_never_sent() {
    let mut desk = Desk::new();
    let ours = desk.sent("L", terms(BUY, 130));
    assert_eq!(requests(&desk.plan("T", target(130))), vec![]);
    desk.answer(&ours, Answer::Refused(Refused::Other, "no margin".into()));
    let mut effects = desk.leader_fills("L", 130);
    effects.extend(desk.leader_fills("T", 130));
    effects.extend(desk.passes(SECOND * 60));
    assert_eq!((requests(&effects), desk.position()), (vec![], 0));
    assert_eq!(desk.outcome("T"), (Outcome::Skipped, Some(DeniedReason::NothingToClose)));
}

#[test]
fn a_late_fill_of_an_exit_that_was_taken_back_is_not_sold_twice() {
    let mut desk = Desk::new();
    desk.bought("L", 130);
    let resting = desk.works("T", target(130));
    desk.cancelled("T", target(130), 0);
    desk.answer_to(&resting, 1, Answer::Accepted(broker_id("b-T")));
    desk.shows(&resting, BrokerStatus::Cancelled, 0);
    let exit = desk.works("X", terms(SELL, 130));
    // Its exchange had filled a lot of the target after all.
    let effects = desk.shows(&resting, BrokerStatus::Cancelled, 65);
    assert_eq!(changes(&effects), ["1 modify to 65 at 100.00"]);
    desk.answer_to(&exit, 1, Answer::Accepted(broker_id("b-X")));
    desk.leader_fills("X", 130);
    let effects = desk.shows(&exit, BrokerStatus::Traded, 65);
    assert!(
        effects.iter().all(|effect| !matches!(effect, Effect::Alert(Alert::Overshot(..)))),
        "{effects:?}"
    );
    assert_eq!(desk.position(), 0);
    let repairs = desk.book.mirror(&broker_id("T")).unwrap().children.iter();
    assert_eq!(repairs.filter(|child| child.key.leg == REPAIR && child.is_live()).count(), 0);
}

/// A copy filled before the leader took his exit back: what he closes later is gone already, so a flip of his opens at
/// once, and is not counted as the closing of it once it has filled.
#[test]
fn what_an_exit_has_closed_too_much_is_not_closed_again_by_a_flip() {
    let mut desk = Desk::new();
    desk.holds(65);
    let early = desk.works("T", target(65));
    desk.shows(&early, BrokerStatus::Traded, 65);
    desk.cancelled("T", target(65), 0);
    assert_eq!(desk.position(), 0);
    desk.passes(SECOND * 2);
    let flip = placed(&desk.executed("F", terms(SELL, 195)));
    assert_eq!((flip.terms.quantity.get(), flip.purpose), (130, Purpose::Entry));
    desk.accepted(&flip.client_order_id, "b-F");
    let mut effects = desk.shows(&flip.client_order_id, BrokerStatus::Traded, 130);
    effects.extend(desk.passes(SECOND * 60));
    assert_eq!((requests(&effects), desk.position()), (vec![], -130));
    // All of it is bought back with him.
    let back = placed(&desk.executed("B", terms(BUY, 130)));
    assert_eq!((back.terms.quantity.get(), back.purpose), (130, Purpose::Exit));
}

#[test]
fn what_a_change_frees_is_free_once_it_is_shown_though_the_order_never_was() {
    let mut desk = Desk::new();
    desk.holds(260);
    let first = desk.sent("X", terms(SELL, 260));
    desk.accepted(&first, "x");
    assert_eq!(changes(&desk.plan("X", terms(SELL, 65))), ["1 modify to 65 at 100.00"]);
    desk.answer_to(&first, 1, Answer::Accepted(broker_id("x")));
    let effects = desk.plan("Y", terms(SELL, 195));
    assert_eq!(placements(&effects), vec![], "taken is not done: all 260 may close still");
    let effects = desk.shows(&first, BrokerStatus::Pending, 0);
    let placed = placements(&effects);
    assert_eq!(placed.iter().map(|order| order.terms.quantity.get()).collect::<Vec<_>>(), [195]);
}
