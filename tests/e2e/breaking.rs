//! F: answers that never come, orders that are seen late, a second instance.

use std::time::Duration;

use tandem_domain::instrument::OptionType;
use tandem_domain::order::Product;
use tandem_sim::{AnswerFault, Fault, Mute, Rate};

use crate::harness::{ASHA, Setup, Stage, buy, sell, until};

/// Doubt is resolved in simulated time: ten seconds of it in a real one.
fn in_doubt(settle_ms: u32) -> Setup {
    Setup::new().sim(|sim| sim.rate = Rate::FASTEST).set(&format!("recovery.settle_ms = {settle_ms}"))
}

#[test]
fn f6_answer_lost_after_the_order_was_taken() {
    let Stage { broker, mut daemon } = in_doubt(3000).stage();
    daemon.expects("the answer was lost");
    let option = broker.option();
    broker.spoil_placements(ASHA, 1, AnswerFault::LoseAfter);
    let order = broker.lead(buy(option, 260));

    daemon.until_filled(&order, "asha", 130);
    let intent = daemon.until_intent(&order, "asha", "ACKED");
    let copy = broker.only_order(ASHA);
    assert_eq!(intent.broker_order_id.as_deref(), Some(copy.id.as_str()), "adopted by its tag");
    broker.quiet();
    assert_eq!(broker.placements(ASHA).len(), 1);
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    daemon.end_at_rest(&broker);
}

#[test]
fn f6_server_error_after_the_order_was_taken() {
    let Stage { broker, mut daemon } = in_doubt(3000).stage();
    daemon.expects("the answer was lost");
    let option = broker.option();
    broker.spoil_placements(ASHA, 1, AnswerFault::ErrorAfter { status: 504 });
    let order = broker.lead(buy(option, 260));

    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    assert_eq!((broker.orders(ASHA).len(), broker.placements(ASHA).len()), (1, 1));
    daemon.end_at_rest(&broker);
}

#[test]
fn f7_entry_lost_before_the_broker_had_it() {
    let Stage { broker, mut daemon } = in_doubt(3000).stage();
    daemon.expects("the answer was lost");
    daemon.expects("the copy never arrived; 130 units short: reported");
    let option = broker.option();
    broker.spoil_placements(ASHA, 1, AnswerFault::LoseBefore);
    let order = broker.lead(buy(option, 260));

    daemon.until_intent(&order, "asha", "UNKNOWN");
    daemon.until_refused(&order, "asha", "voided", "proven_absent");
    assert_eq!(daemon.until_intent(&order, "asha", "ABSENT").broker_order_id, None);
    broker.quiet();
    assert_eq!(broker.placements(ASHA).len(), 1, "an entry is not sent again");
    assert!(broker.orders(ASHA).is_empty());
    daemon.end_at_rest(&broker);
}

#[test]
fn f7_exit_lost_before_the_broker_had_it() {
    let Stage { broker, mut daemon } = in_doubt(3000).stage();
    daemon.expects("the answer was lost");
    let option = broker.option();
    let entry = broker.lead(buy(option, 260));
    daemon.until_filled(&entry, "asha", 130);
    broker.spoil_placements(ASHA, 1, AnswerFault::LoseBefore);
    let exit = broker.lead(sell(option, 260));

    daemon.until_filled(&exit, "asha", 130);
    broker.quiet();
    let intents = daemon.intents(&exit, "asha");
    let states: Vec<&str> = intents.iter().map(|intent| intent.state.as_str()).collect();
    assert_eq!(states, ["ABSENT", "ACKED"], "proven absent, then sent again under an id of its own");
    assert_ne!(intents[0].client_order_id, intents[1].client_order_id);
    assert_eq!((broker.orders(ASHA).len(), broker.placements(ASHA).len()), (2, 3));
    assert_eq!(broker.position(ASHA, option, Product::Margin), 0);
    daemon.end_at_rest(&broker);
}

#[test]
fn f8_order_is_visible_only_after_seconds() {
    // It is found long before it would count as absent, on a slow machine too.
    let setup = in_doubt(60_000).set("copy.entry_age_ms_max = 60000");
    let Stage { broker, mut daemon } = setup.stage();
    daemon.expects("the answer was lost");
    let option = broker.option();
    // Nor does her stream tell.
    broker.inject(ASHA, Fault::StreamMute { mute: Mute::Frames });
    broker.inject(ASHA, Fault::LateVisibility { ms: 5000 });
    broker.spoil_placements(ASHA, 1, AnswerFault::LoseAfter);
    let lost = broker.lead(buy(option, 260));
    daemon.until_intent(&lost, "asha", "UNKNOWN");
    assert!(
        broker.sim.with_exchange(|exchange| { exchange.book(&crate::harness::account(ASHA)).is_empty() })
    );
    // This one's answer comes, and its order shows late too.
    let answered = broker.lead(buy(option, 130));

    daemon.until_filled(&lost, "asha", 130);
    daemon.until_filled(&answered, "asha", 65);
    daemon.until_intent(&lost, "asha", "ACKED");
    broker.quiet();
    assert_eq!((broker.orders(ASHA).len(), broker.placements(ASHA).len()), (2, 2));
    assert_eq!(broker.position(ASHA, option, Product::Margin), 195);
    daemon.end_at_rest(&broker);
}

#[test]
fn f8_what_no_book_proves_opens_nothing_more_in_its_instrument_and_is_told() {
    let Stage { broker, mut daemon } = in_doubt(3000).stage();
    daemon.expects("the answer was lost");
    daemon.expects("nobody knows what came of an order");
    daemon.expects("its order book does not show it any more");
    daemon.tolerates("the copy never arrived");
    let option = broker.option();
    // Her stream tells of this one, and her book does not for long: it is not whole, and proves no absence.
    broker.inject(ASHA, Fault::LateVisibility { ms: 400_000 });
    let bought = broker.lead(buy(option, 260));
    daemon.until_filled(&bought, "asha", 130);
    broker.inject(ASHA, Fault::LateVisibility { ms: 0 });
    broker.spoil_placements(ASHA, 1, AnswerFault::LoseBefore);
    let lost = broker.lead(buy(option, 130));
    daemon.until_intent(&lost, "asha", "UNKNOWN");
    until("it is told", || (daemon.incidents_of("outcome_unknown") == (1, 0)).then_some(()));

    let asked = broker.placements(ASHA).len();
    let frozen = broker.lead(buy(option, 260));
    daemon.until_refused(&frozen, "asha", "skipped", "outcome_unknown");
    assert_eq!(broker.placements(ASHA).len(), asked);
    // Elsewhere everything goes, and what closes goes here.
    let elsewhere = broker.option_at(1, 26_100, OptionType::Call, "60.00");
    let other = broker.lead(buy(elsewhere, 260));
    daemon.until_filled(&other, "asha", 130);
    broker.lead(sell(option, 650));
    until("what is held is closed", || (broker.position(ASHA, option, Product::Margin) == 0).then_some(()));
    assert_eq!(daemon.incidents_of("outcome_unknown"), (1, 0), "once, and as long as it is so");

    // The book is whole again.
    broker.pass(Duration::from_secs(400));
    assert_eq!(daemon.until_intent(&lost, "asha", "ABSENT").broker_order_id, None);
    until("it is over", || (daemon.incidents_of("outcome_unknown") == (0, 1)).then_some(()));
    let after = broker.lead(buy(option, 260));
    daemon.until_filled(&after, "asha", 130);
    daemon.end();
}

#[test]
fn f13_second_instance_on_one_database() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("not started: this database is in use");
    assert_eq!(daemon.run_second().code(), Some(3));
    daemon.until_log("not started: this database is in use");

    // The first one has not noticed.
    let order = broker.lead(buy(broker.option(), 260));
    daemon.until_filled(&order, "asha", 130);
    until("one order", || (broker.orders(ASHA).len() == 1).then_some(()));
    daemon.end_at_rest(&broker);
}
