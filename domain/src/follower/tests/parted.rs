//! What a person is told of two accounts that have parted, as others trade and as what makes it good is on its way.

use super::*;

fn gap(desk: &Desk, id: &str) -> Option<Gap> {
    desk.book.mirror(&broker_id(id)).unwrap().gap
}

fn cancelled(units: i64, result: GapResult) -> Gap {
    Gap { kind: GapKind::LeaderCancelled, units, result }
}

/// What was bought too much for the leader's buy is to be sold, and becomes less meanwhile: an earlier sale has filled, which
/// a part of it closes. The repair was faster than its change.
#[test]
fn a_repair_that_fills_for_more_than_is_too_much_by_then_is_told() {
    let mut desk = Desk::new();
    let at_once = OrderTerms { time_in_force: TimeInForce::Ioc, ..terms(SELL, 130) };
    let sale = desk.sent("A", at_once.clone());
    desk.cancelled("A", at_once, 65);
    let bought = desk.works("B", terms(BUY, 130));
    desk.shows(&bought, BrokerStatus::Traded, 130);
    let repair = placed(&desk.cancelled("B", terms(BUY, 130), 65));
    assert_eq!((repair.terms.side, repair.terms.quantity.get()), (SELL, 130));
    desk.accepted(&repair.client_order_id, "b-R");
    desk.shows(&repair.client_order_id, BrokerStatus::Pending, 0);
    desk.accepted(&sale, "b-A");
    desk.shows(&sale, BrokerStatus::Traded, 65);
    assert_eq!(gap(&desk, "B"), Some(cancelled(65, GapResult::Repairing)));
    let effects = desk.shows(&repair.client_order_id, BrokerStatus::Traded, 130);
    let told = cancelled(-65, GapResult::Reported);
    assert!(alerts(&effects).contains(&&Alert::CopyGap(broker_id("B"), told)), "{effects:?}");
    desk.passes(SECOND * 60);
    assert_eq!(gap(&desk, "B"), Some(told), "it stands");
}

/// Where nothing is made good, what was bought too much stands against the copy of a sale: the account shows neither, and
/// both are there. Once the leader has bought back what he sold, it is gone.
#[test]
fn what_is_only_told_is_not_made_good_by_what_opens_on_the_other_side() {
    let mut desk = Desk::with(|settings| settings.rules.parting.gap = GapPolicy::Report);
    let bought = desk.works("B", terms(BUY, 130));
    desk.shows(&bought, BrokerStatus::Traded, 130);
    desk.cancelled("B", terms(BUY, 130), 0);
    let reported = Some(cancelled(130, GapResult::Reported));
    assert_eq!(gap(&desk, "B"), reported);
    desk.passes(SECOND);
    let sale = placed(&desk.executed("S", terms(SELL, 130))).client_order_id;
    desk.accepted(&sale, "b-S");
    desk.shows(&sale, BrokerStatus::Traded, 130);
    assert_eq!((desk.position(), gap(&desk, "B")), (0, reported));
    desk.passes(SECOND);
    assert_eq!(requests(&desk.executed("X", terms(BUY, 130))), vec![]);
    assert_eq!(gap(&desk, "B"), Some(cancelled(0, GapResult::Repaired)));
}
