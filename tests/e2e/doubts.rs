//! P2, P3: orders that the broker's books do not tell, tell late, tell twice or tell half, and changes that come to nothing:
//! each is told to a person.

use std::time::Duration;

use serde_json::json;
use tandem_domain::order::{OrderTerms, Product, TimeInForce};
use tandem_sim::exchange::{PlaceRequest, Source};
use tandem_sim::{AnswerFault, Fault, Mute, Rate};

use crate::harness::{ASHA, Broker, LEADER, Setup, Stage, buy, limit, to_price, until};

#[test]
fn p3_an_order_that_the_book_shows_no_more_is_told_of_until_it_is_shown_again() {
    let Stage { broker, mut daemon } = Setup::new().set("recovery.settle_ms = 1000").stage();
    daemon.expects("its order book does not show it any more");
    broker.inject(ASHA, Fault::LateVisibility { ms: 400_000 });
    let option = broker.option();
    let order = broker.lead(limit("90.00", buy(option, 260)));
    // Her stream tells of it, her book does not.
    daemon.until_status(&order, "asha", "PENDING");
    until("it is told", || {
        broker.pass(Duration::from_secs(1));
        (daemon.incidents_of("order_missing") == (1, 0)).then_some(())
    });
    daemon.until_incident("order_missing", "asha");
    assert_eq!(broker.placements(ASHA).len(), 1, "nothing is concluded from it");

    broker.pass(Duration::from_secs(400));
    until("it is over", || {
        broker.pass(Duration::from_secs(1));
        (daemon.incidents_of("order_missing") == (0, 1)).then_some(())
    });
    broker.quiet();
    assert_eq!((broker.orders(ASHA).len(), broker.asked(ASHA)), (1, (1, 0, 0)));
    daemon.end_at_rest(&broker);
}

#[test]
fn p3_an_order_that_looks_like_the_one_in_doubt_keeps_its_absence_unproven_and_is_told() {
    // It stays in doubt to the end.
    let setup = Setup::new()
        .sim(|sim| sim.rate = Rate::FASTEST)
        .set("recovery.settle_ms = 20000")
        .set("supervisor.shutdown_deadline_ms = 100");
    let Stage { broker, mut daemon } = setup.stage();
    daemon.expects("the answer was lost");
    daemon.expects("the book holds an unexplained order like it");
    daemon.expects("not everything finished in time");
    daemon.tolerates("nobody knows what came of an order");
    let option = broker.option();
    broker.spoil_placements(ASHA, 1, AnswerFault::LoseBefore);
    let lost = broker.lead(limit("90.00", buy(option, 260)));
    daemon.until_intent(&lost, "asha", "UNKNOWN");
    // She buys as much by hand, at a price of her own.
    let own = broker.own(ASHA, limit("89.00", buy(option, 130)));
    daemon.until_incident("outcome_in_doubt", "asha");
    broker.pass(Duration::from_secs(30));
    assert_eq!(daemon.until_intent(&lost, "asha", "UNKNOWN").broker_order_id, None);
    assert_eq!(daemon.incidents_of("outcome_in_doubt"), (1, 0), "once");
    assert_eq!(broker.only_order(ASHA).id, own, "it is neither sent again, nor is hers taken for it");
    daemon.end();
}

#[test]
fn p3_an_order_that_comes_after_its_absence_was_proven_is_followed_and_told() {
    let Stage { broker, mut daemon } = Setup::new().set("recovery.settle_ms = 1000").stage();
    daemon.expects("the answer was lost");
    daemon.expects("an order that was thought absent or refused appeared in the book");
    daemon.tolerates("the copy never arrived");
    let option = broker.option();
    broker.inject(ASHA, Fault::StreamMute { mute: Mute::Frames });
    broker.inject(ASHA, Fault::LateVisibility { ms: 400_000 });
    broker.spoil_placements(ASHA, 1, AnswerFault::LoseAfter);
    let order = broker.lead(limit("90.00", buy(option, 260)));
    daemon.until_intent(&order, "asha", "UNKNOWN");
    until("nobody shows it", || {
        broker.pass(Duration::from_secs(1));
        daemon.intents(&order, "asha").iter().any(|intent| intent.state == "ABSENT").then_some(())
    });
    daemon.until_refused(&order, "asha", "voided", "proven_absent");

    broker.inject(ASHA, Fault::StreamMute { mute: Mute::Off });
    broker.pass(Duration::from_secs(400));
    until("it is told", || {
        broker.pass(Duration::from_secs(1));
        (daemon.incidents_of("appeared_late") == (1, 0)).then_some(())
    });
    daemon.until_incident("appeared_late", "asha");
    let copy = broker.only_order(ASHA);
    assert_eq!(
        daemon.until_intent(&order, "asha", "ACKED").broker_order_id.as_deref(),
        Some(copy.id.as_str())
    );
    // It is a copy as any from now on.
    broker.price(option, "89.00");
    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    assert_eq!(broker.placements(ASHA).len(), 1);
    daemon.end();
}

#[test]
fn p2_a_second_order_with_a_tag_of_ours_is_left_alone_and_told() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("a second order carries the tag of one of ours");
    // Whoever knows orders by their mark alone cannot tell the two apart.
    daemon.excuses("is on several orders");
    daemon.excuses("the rows call the order CANCELLED, and at the broker it is PENDING");
    let option = broker.option();
    let order = broker.lead(limit("90.00", buy(option, 260)));
    let copy = daemon.until_status(&order, "asha", "PENDING");
    // Her own program sends what it has seen in her book.
    let again = PlaceRequest::new(limit("90.00", buy(option, 130))).tagged(&copy.client_order_id);
    let again = broker.place(ASHA, Source::Api, [again]).remove(0);
    daemon.until_incident("duplicate_order", "asha");

    // The leader takes his back: ours goes, hers stays.
    broker.cancel(LEADER, &order);
    daemon.until_status(&order, "asha", "CANCELLED");
    broker.quiet();
    assert_eq!(broker.order(&again).status.as_str(), "PENDING");
    assert_eq!(daemon.incidents_of("duplicate_order"), (1, 0), "once");
    assert_eq!(broker.asked(ASHA), (1, 0, 1));
    daemon.end();
}

#[test]
fn b3_a_change_that_never_takes_effect_is_told_and_asked_for_again() {
    let Stage { broker, mut daemon } = Setup::new().set("recovery.settle_ms = 1000").stage();
    daemon.expects("the broker does not take a change or cancel of the copy");
    let option = broker.option();
    let order = broker.lead(limit("95.00", buy(option, 260)));
    daemon.until_status(&order, "asha", "PENDING");
    broker.quiet();
    broker.inject(ASHA, Fault::VoidModifies { count: 5 });
    broker.change(LEADER, &order, &to_price("94.00"));
    until("it is told", || {
        broker.pass(Duration::from_secs(5));
        (daemon.incidents_of("change_refused") == (1, 0)).then_some(())
    });
    daemon.until_incident("change_refused", "asha");
    until("it takes effect", || {
        broker.pass(Duration::from_secs(5));
        (broker.only_order(ASHA).terms == limit("94.00", buy(option, 130))).then_some(())
    });
    broker.quiet();
    assert_eq!((broker.orders(ASHA).len(), daemon.incidents_of("change_refused")), (1, (1, 0)), "once");
    daemon.end();
}

/// A frame of a leg of a super order, of which no list knows anything.
fn leg_of_nothing(account: &str, broker: &Broker, order: &str, leg: u8) -> Fault {
    let frame = json!({ "Type": "order_alert", "Data": {
        "exchange": "NSE", "segment": "D", "source": "W", "securityId": broker.option().security_id.to_string(),
        "clientId": account, "exchOrderNo": "1100000000000001", "orderNo": order, "product": "M",
        "txnType": "S", "orderType": "LMT", "validity": "DAY", "quantity": 130, "remainingQuantity": 130,
        "price": 105.0, "offMktFlag": "0", "orderDateTime": "2026-12-01 09:15:00",
        "exchOrderTime": "2026-12-01 09:15:00", "lastUpdatedTime": "2026-12-01 09:15:02",
        "remarks": "Super Order", "legNo": leg, "productName": "MARGIN", "status": "Pending", "lotSize": 65,
        "algoId": "0", "multiplier": 1, "correlationId": "NA",
    } });
    Fault::StreamText { text: frame.to_string() }
}

#[test]
fn legs_without_an_order_and_an_order_without_its_legs_are_not_copied_and_told() {
    let Stage { broker, mut daemon } = Setup::new().set("leader.book_poll_ms = 500").stage();
    daemon.expects("belongs to no order that can be found");
    daemon.expects("the exits of an order of the leader cannot be found");
    daemon.expects("an exit leg belongs to no order that is known");
    broker.inject(LEADER, leg_of_nothing(LEADER, &broker, "341261201900001", 3));
    broker.inject(LEADER, leg_of_nothing(LEADER, &broker, "341261201900002", 1));
    broker.inject(ASHA, leg_of_nothing(ASHA, &broker, "341261201900003", 2));
    for kind in ["leader_leg_unlinked", "leader_legs_unknown", "leg_unlinked"] {
        until(kind, || {
            broker.pass(Duration::from_secs(1));
            (daemon.incidents_of(kind) == (1, 0)).then_some(())
        });
    }
    // What he does else is copied.
    let order = broker.lead(buy(broker.option(), 260));
    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    daemon.end();
}

#[test]
fn an_order_that_the_interface_has_none_like_is_not_copied_and_told() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("the broker has no order like this one of the leader's");
    // What fills at once or never is no super order, which its copy would be.
    let at_once =
        OrderTerms { time_in_force: TimeInForce::Ioc, ..limit("101.00", buy(broker.option(), 260)) };
    let order = broker.lead_bracket(at_once, "10.00", "5.00");
    daemon.until_refused(&order, "asha", "skipped", "unsupported_order_type");
    daemon.until_incident("no_equivalent", "asha");
    broker.quiet();
    assert!(broker.placements(ASHA).is_empty());
    daemon.end();
}

#[test]
fn an_order_with_a_tag_of_ours_that_is_on_no_record_is_left_alone_and_told() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("an order carries Tandem's tag and is on no record here");
    daemon.excuses("carries Tandem's mark");
    let option = broker.option();
    // As another installation would that copies to the same account.
    let foreign = PlaceRequest::new(limit("90.00", buy(option, 130))).tagged("tdm-abcdefghijklmnopqrst");
    let foreign = broker.place(ASHA, Source::Api, [foreign]).remove(0);
    daemon.until_incident("unrecorded_order", "asha");
    let order = broker.lead(buy(option, 260));
    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    assert_eq!(broker.order(&foreign).status.as_str(), "PENDING");
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    assert_eq!(daemon.incidents_of("unrecorded_order"), (1, 0), "once");
    daemon.end();
}
