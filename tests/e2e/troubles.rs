//! E5, F3: what the error policy says of each kind of trouble (`docs/errors.md`), as far as no other file shows it.

use std::time::Duration;

use tandem_domain::instrument::OptionType;
use tandem_domain::order::Product;
use tandem_sim::{AnswerFault, Down, Fault, LoginRefusal, Mute, Operation};

use crate::harness::{ASHA, Daemon, Follower, LEADER, Setup, Stage, buy, limit, sell, until};

/// Waits until this alert stands, of this follower or of the leader.
#[track_caller]
fn until_told(daemon: &Daemon, kind: &str, follower: Option<&str>) {
    let told = (kind.to_owned(), follower.map(str::to_owned));
    until(&format!("{kind} is told"), || daemon.incidents().contains(&told).then_some(()));
}

/// Waits until no incident of this kind is open.
#[track_caller]
fn until_over(daemon: &Daemon, kind: &str) {
    until(&format!("{kind} is over"), || {
        daemon.incidents().iter().all(|(open, _)| open != kind).then_some(())
    });
}

/// The tag of a placement.
fn tag(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["correlationId"].as_str().unwrap().to_owned()
}

#[test]
fn e5_an_exit_pauses_on_429_and_is_sent_then() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("the broker asks for fewer requests");
    let option = broker.option();
    let entry = broker.lead(buy(option, 390));
    daemon.until_filled(&entry, "asha", 195);
    broker.quiet();
    broker.sim.clear_records();

    broker.busy(ASHA, Operation::Place, 1);
    let exit = broker.lead(sell(option, 390));
    daemon.until_filled(&exit, "asha", 195);
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 0, "nothing is lost, nothing is doubled");
    let sent = broker.placements(ASHA);
    assert_eq!(sent.iter().map(|request| request.answered).collect::<Vec<_>>(), [Some(429), Some(200)]);
    assert!(sent[1].simulated_us - sent[0].simulated_us >= 1_000_000, "after a pause");
    daemon.end();
}

#[test]
fn e5_what_waited_through_the_pause_leaves_exits_first() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("the broker asks for fewer requests");
    let (held, other) = (broker.option(), broker.option_at(1, 26_100, OptionType::Call, "60.00"));
    let entry = broker.lead(buy(held, 390));
    daemon.until_filled(&entry, "asha", 195);
    broker.quiet();
    broker.sim.clear_records();

    broker.busy(ASHA, Operation::Place, 1);
    // It rests, so it is worth sending when the pause is over and the book has shown that it is not there.
    let refused = broker.lead(limit("50.00", buy(other, 130)));
    daemon.until_log("the broker asks for fewer requests");
    let entries = broker.lead_all(std::iter::repeat_n(buy(other, 130), 2));
    let exit = broker.lead(sell(held, 390));
    daemon.until_filled(&exit, "asha", 195);
    for order in &entries {
        daemon.until_filled(order, "asha", 65);
    }
    broker.pass(Duration::from_secs(20));
    let again = until("it is sent again", || broker.placements(ASHA).get(4).cloned());
    broker.quiet();
    assert_eq!(broker.position(ASHA, other, Product::Margin), 130);
    assert_eq!(broker.position(ASHA, held, Product::Margin), 0);
    let sent = broker.placements(ASHA);
    assert_eq!(sent[0].answered, Some(429));
    assert_eq!(sent.len(), 5, "each once, and the refused one once more: {refused}");
    assert_eq!(again.answered, Some(200));
    assert_ne!(tag(&again.body), tag(&sent[0].body), "another attempt has a tag of its own");
    let side =
        |body: &str| serde_json::from_str::<serde_json::Value>(body).unwrap()["transactionType"].clone();
    assert_eq!(side(&sent[1].body), "SELL", "the exit came last, and left first");
    daemon.end();
}

#[test]
fn a_read_that_is_not_answered_is_asked_again_soon() {
    // By their period they would be read every five minutes.
    let Stage { broker, mut daemon } = Setup::new().set("risk.positions_poll_ms = 300000").stage();
    daemon.expects("a read of the account failed");
    let option = broker.option();
    broker.quiet();
    broker.sim.clear_records();
    broker.spoil(ASHA, Operation::Positions, 2, AnswerFault::LoseBefore);
    broker.spoil(ASHA, Operation::Positions, 1, AnswerFault::ErrorBefore { status: 503 });
    // Its fill makes them be read.
    let order = broker.lead(buy(option, 390));
    daemon.until_filled(&order, "asha", 195);
    let answers = until("the fourth read is answered", || {
        let answers: Vec<_> =
            broker.requests(ASHA, Operation::Positions).iter().map(|read| read.answered).collect();
        answers.contains(&Some(200)).then_some(answers)
    });
    assert_eq!(answers[..4], [None, None, Some(503), Some(200)]);
    daemon.end();
}

#[test]
fn f3_a_stream_that_does_not_come_back_is_told_of_and_tried_for_ever() {
    let setup = Setup::new().set("broker.reconnect_ms_first = 10").set("broker.reconnect_ms_max = 50");
    let Stage { broker, mut daemon } = setup.followers([Follower::ASHA]).stage();
    daemon.expects("5 times in a row");
    daemon.tolerates("stream ended");
    daemon.tolerates("stream is lost");
    broker.quiet();
    for account in [LEADER, ASHA] {
        broker.inject(account, Fault::StreamRefuseLogin { how: Some(LoginRefusal::Reset) });
        broker.inject(account, Fault::StreamClose);
    }
    until_told(&daemon, "stream_lost", None);
    until_told(&daemon, "stream_lost", Some("asha"));
    // Far more than five tries, one alert; and what the leader does is read from his book meanwhile.
    daemon.until_log_count("leader stream ended", 12);
    let option = broker.option();
    let order = broker.lead(buy(option, 260));
    daemon.until_filled(&order, "asha", 130);
    assert_eq!(daemon.log_count("5 times in a row"), 2);

    for account in [LEADER, ASHA] {
        broker.inject(account, Fault::StreamRefuseLogin { how: None });
    }
    until_over(&daemon, "stream_lost");
    let heard = broker.lead(buy(option, 260));
    daemon.until_filled(&heard, "asha", 130);
    broker.quiet();
    assert_eq!(broker.orders(ASHA).len(), 2);
    daemon.end();
}

#[test]
fn a_leaders_book_that_cannot_be_read_is_told_of_and_his_stream_is_copied_on() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("the leader's order book cannot be read");
    daemon.tolerates("could not be read");
    broker.inject(LEADER, Fault::AccountDown { down: Down::Errors });
    until_told(&daemon, "leader_unread", None);
    let option = broker.option();
    let order = broker.lead(buy(option, 260));
    daemon.until_filled(&order, "asha", 130);
    broker.inject(LEADER, Fault::AccountDown { down: Down::No });
    until_over(&daemon, "leader_unread");
    daemon.end();
}

/// Which order it is not even its row tells.
#[test]
fn a_row_of_the_leaders_book_that_nobody_can_read_is_told_of() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("the leader's order book cannot be read");
    daemon.tolerates("could not be read");
    // Read less often, but as spoilt.
    daemon.tolerates("the leader's positions cannot be read");
    broker.spoil(LEADER, Operation::Read, 10_000, AnswerFault::OddRow);
    until_told(&daemon, "leader_unread", None);
    let order = broker.lead(buy(broker.option(), 260));
    daemon.until_filled(&order, "asha", 130);
    broker.inject(LEADER, Fault::Clear);
    until_over(&daemon, "leader_unread");
    daemon.end();
}

/// His stream told of it; what the book makes of it nobody knows.
#[test]
fn an_order_of_the_leaders_that_nobody_can_read_is_told_of_once_and_by_its_number() {
    let Stage { broker, mut daemon } = Setup::new().set("leader.book_poll_ms = 200").stage();
    daemon.expects("an order of the leader cannot be read");
    daemon.tolerates("could not be read");
    daemon.tolerates("cannot be read");
    let option = broker.option();
    let order = broker.lead(buy(option, 260));
    daemon.until_filled(&order, "asha", 130);
    broker.spoil(LEADER, Operation::Read, 10_000, AnswerFault::OddOrder);
    until_told(&daemon, "leader_order_unreadable", None);
    daemon.until_log("an order of the leader cannot be read");
    let line = daemon.log().into_iter().find(|line| line["alert"] == "leader_order_unreadable").unwrap();
    assert_eq!(line["subject"], order.as_str());
    broker.pass(Duration::from_secs(5));
    assert_eq!(daemon.incidents_of("leader_order_unreadable"), (1, 0), "once, and until a person has looked");
    // Nobody is kept from what can be read.
    let next = broker.lead(buy(option, 260));
    daemon.until_filled(&next, "asha", 130);
    daemon.end();
}

#[test]
fn orders_that_are_refused_often_are_told_of_once_and_none_is_tried_again() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("5 orders of this account within 10 minutes were refused");
    daemon.expects("the copy was rejected after the broker had taken it");
    let option = broker.option();
    let text = "EXCH:16387:Security is not allowed to trade in this market.".to_owned();
    broker.inject(ASHA, Fault::RejectNext { count: 7, text });
    let orders = broker.lead_all(std::iter::repeat_n(buy(option, 130), 7));
    for order in &orders {
        daemon.until_status(order, "asha", "REJECTED");
    }
    until_told(&daemon, "orders_refused", Some("asha"));
    broker.quiet();
    assert_eq!(broker.placements(ASHA).len(), 7);
    assert_eq!(daemon.log_count("minutes were refused"), 1);
    daemon.end();
}

#[test]
fn f2_a_stream_that_lives_and_does_not_tell_is_found_by_the_book() {
    let Stage { broker, mut daemon } = Setup::new().set("leader.book_poll_ms = 500").stage();
    daemon.expects("it connects anew");
    let option = broker.option();
    broker.inject(LEADER, Fault::StreamMute { mute: Mute::Frames });
    let order = broker.lead(buy(option, 260));
    daemon.until_filled(&order, "asha", 130);
    until_told(&daemon, "leader_stream_silent", None);
    daemon.until_live(2);

    broker.inject(LEADER, Fault::StreamMute { mute: Mute::Off });
    let heard = broker.lead(buy(option, 260));
    daemon.until_filled(&heard, "asha", 130);
    until_over(&daemon, "leader_stream_silent");
    daemon.end_at_rest(&broker);
}

#[test]
fn f1_what_waits_to_open_waits_on_while_nobody_hears_the_leader() {
    let Stage { broker, mut daemon } = Setup::new()
        .set("copy.entry_age_ms_max = 60000")
        .set("broker.reconnect_ms_first = 10")
        .set("broker.reconnect_ms_max = 50")
        .stage();
    daemon.tolerates("");
    let option = broker.option();
    broker.spoil(ASHA, Operation::Place, 1, AnswerFault::BusyFor { seconds: 10 });
    let kept = broker.lead(limit("91.00", buy(option, 260)));
    daemon.until_log("asks for fewer requests");
    let taken_back = broker.lead(limit("90.00", buy(option, 390)));
    daemon.until_intent(&taken_back, "asha", "PLANNED");

    broker.inject(LEADER, Fault::AccountDown { down: Down::Refuse });
    until_told(&daemon, "stream_lost", None);
    broker.cancel(LEADER, &taken_back);
    broker.pass(Duration::from_secs(20));
    assert!(broker.orders(ASHA).is_empty(), "the pause is over, and nobody knows what he has taken back");

    broker.inject(LEADER, Fault::Clear);
    daemon.until_live(2);
    daemon.until_copies(&kept, "asha", &["PENDING"]);
    daemon.until_refused(&taken_back, "asha", "voided", "leader_gone");
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).terms, limit("91.00", buy(option, 130)));
    daemon.end_at_rest(&broker);
}

#[test]
fn e5_an_address_that_the_broker_does_not_know_is_told_at_once() {
    let elsewhere = std::net::Ipv4Addr::new(127, 9, 9, 9);
    let setup = Setup::new().sim(move |sim| sim.accounts[1].whitelisted_ip = Some(elsewhere.into()));
    let Stage { broker, mut daemon } = setup.stage();
    daemon.expects("the broker refuses orders from this address");
    daemon.expects("order refused");
    daemon.expects("the broker refused the copy");
    let option = broker.option();
    for _ in 0..2 {
        let order = broker.lead(buy(option, 130));
        daemon.until_intent(&order, "asha", "REFUSED");
    }
    daemon.until_incident("static_ip_refused", "asha");
    broker.quiet();
    assert_eq!(daemon.incidents_of("static_ip_refused"), (1, 0), "once");
    assert!(broker.orders(ASHA).is_empty());
    assert_eq!(broker.placements(ASHA).len(), 2, "none is tried again");
    daemon.end();
}

#[test]
fn what_the_leader_holds_is_waited_for_no_longer_than_a_while_and_told_of_until_it_is_read() {
    let setup = Setup::new().given(|broker| {
        broker.spoil(LEADER, Operation::Positions, 10_000, AnswerFault::ErrorBefore { status: 500 });
    });
    let Stage { broker, mut daemon } = setup.stage();
    daemon.expects("the leader's positions cannot be read");
    daemon.tolerates("the leader's positions could not be read");
    until_told(&daemon, "leader_positions_unknown", None);
    // Copying goes on.
    let order = broker.lead(buy(broker.option(), 260));
    daemon.until_filled(&order, "asha", 130);
    broker.inject(LEADER, Fault::Clear);
    until("it is over", || {
        broker.pass(Duration::from_secs(1));
        (daemon.incidents_of("leader_positions_unknown") == (0, 1)).then_some(())
    });
    daemon.end_at_rest(&broker);
}
