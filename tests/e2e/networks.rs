//! F: what networks do to bytes. Requests and streams go through a proxy that resets, swallows and drips.

use std::time::Duration;

use tandem_domain::ids::BrokerOrderId;
use tandem_domain::instrument::{InstrumentKey, OptionType};
use tandem_sim::exchange::SimOrder;
use tandem_sim::{AnswerFault, Operation, Rate};

use crate::harness::{
    ASHA, Broker, Daemon, LEADER, Network, Setup, Stage, Weather, buy, limit, sell, to_price, until,
};

const PLACE: &str = "POST /v2/orders";
const CANCEL: &str = "DELETE /v2/orders";
const CHANGE: &str = "PUT /v2/orders";

/// A broker, a daemon and the network between them. Doubt is resolved in simulated time, ten seconds of it in a real one.
fn stage() -> (Broker, Daemon, Network) {
    stage_that_waits(500)
}

/// The same, with so many milliseconds for an answer.
fn stage_that_waits(deadline_ms: u32) -> (Broker, Daemon, Network) {
    let setup = Setup::new()
        .sim(|sim| sim.rate = Rate::FASTEST)
        .set("recovery.settle_ms = 3000")
        .set(&format!("broker.request_deadline_ms = {deadline_ms}"))
        .set("broker.stream_ping_s = 1")
        .set("broker.stream_pong_deadline_s = 1")
        .set("breaker.failures_max = 1000")
        .set("copy.entry_age_ms_max = 60000");
    let broker = Broker::start(setup.sim.clone());
    let network = Network::before(&broker);
    let mut daemon = setup.over(&network, &broker).daemon(&broker);
    // It is to complain of its network; what it is not to do, the checker tells.
    daemon.tolerates("");
    (broker, daemon, network)
}

fn places(broker: &Broker, network: &Network, option: InstrumentKey, weather: Weather) -> BrokerOrderId {
    network.rest.once(PLACE, weather);
    let order = broker.lead(buy(option, 260));
    until("the request has met its weather", || network.rest.is_spent().then_some(()));
    order
}

#[test]
fn f6_an_answer_that_breaks_off_in_any_way_is_looked_up_and_its_order_adopted() {
    let (broker, daemon, network) = stage();
    let option = broker.option();
    let weathers = [
        Weather::ResetAfter(0),
        // Within the head, and within the body.
        Weather::ResetAfter(30),
        Weather::ResetAfter(150),
        Weather::HalfClose,
        // Longer than the deadline, all told.
        Weather::Drip(Duration::from_millis(10)),
    ];
    for (before, weather) in weathers.into_iter().enumerate() {
        let order = places(&broker, &network, option, weather);
        daemon.until_filled(&order, "asha", 130);
        daemon.until_intent(&order, "asha", "ACKED");
        broker.quiet();
        assert_eq!(broker.orders(ASHA).len(), before + 1, "{weather:?}: one order, however it was answered");
    }
    daemon.end_at_rest(&broker);
}

/// The answer is believed, or the order looked up: whichever it is, nothing is asked for twice.
#[test]
fn f6_a_connection_that_is_reset_after_a_whole_answer_doubles_nothing() {
    // The reset ends the wait; an answer that is only late would have a change asked for again.
    let (broker, daemon, network) = stage_that_waits(30_000);
    let option = broker.option();
    for round in 1..=3 {
        let entry = places(&broker, &network, option, Weather::ResetAtEnd);
        daemon.until_filled(&entry, "asha", 130);
        daemon.until_intent(&entry, "asha", "ACKED");

        network.rest.once(PLACE, Weather::ResetAtEnd);
        let resting = broker.lead(limit("90.00", buy(option, 260)));
        daemon.until_copies(&resting, "asha", &["PENDING"]);
        network.rest.once(CHANGE, Weather::ResetAtEnd);
        broker.change(LEADER, &resting, &to_price("91.00"));
        daemon.until_changes(&resting, "asha", &[("modify", "ACKED")]);
        network.rest.once(CANCEL, Weather::ResetAtEnd);
        broker.cancel(LEADER, &resting);
        daemon.until_copies(&resting, "asha", &["CANCELLED"]);

        network.rest.once(PLACE, Weather::ResetAtEnd);
        let exit = broker.lead(sell(option, 260));
        daemon.until_filled(&exit, "asha", 130);
        broker.quiet();
        assert!(network.rest.is_spent(), "each met its weather");
        assert_eq!(broker.net(ASHA, option), 0);
        assert_eq!(broker.orders(ASHA).len(), 3 * round);
        assert_eq!(broker.asked(ASHA), (3 * round, round, round), "placed, changed and cancelled, each once");
    }
    // The next read of a connection that was reset fails, and waits for its next turn: that of the fills may be the last.
    until("each fill is on record", || (daemon.trades(ASHA).len() == 6).then_some(()));
    daemon.end_at_rest(&broker);
}

#[test]
fn f7_a_request_that_never_arrives_is_proven_absent() {
    let (broker, daemon, network) = stage();
    let option = broker.option();
    for weather in [Weather::ResetBefore, Weather::BlackHole] {
        let order = places(&broker, &network, option, weather);
        daemon.until_refused(&order, "asha", "voided", "proven_absent");
    }
    broker.quiet();
    assert!(broker.orders(ASHA).is_empty(), "an entry is not sent again");
    daemon.end_at_rest(&broker);
}

#[test]
fn f7_an_exit_that_never_arrives_is_sent_again() {
    let (broker, daemon, network) = stage();
    let option = broker.option();
    for weather in [Weather::ResetBefore, Weather::BlackHole, Weather::ResetAfter(0)] {
        let entry = broker.lead(buy(option, 260));
        daemon.until_filled(&entry, "asha", 130);
        network.rest.once(PLACE, weather);
        let exit = broker.lead(sell(option, 260));
        daemon.until_filled(&exit, "asha", 130);
        broker.quiet();
        assert_eq!(broker.net(ASHA, option), 0, "{weather:?}");
    }
    daemon.end_at_rest(&broker);
}

#[test]
fn f1_changes_and_cancels_outlive_any_weather() {
    let (broker, daemon, network) = stage();
    let option = broker.option();
    let weathers = [Weather::ResetBefore, Weather::ResetAfter(20), Weather::BlackHole, Weather::HalfClose];
    for weather in weathers {
        let order = broker.lead(limit("90.00", buy(option, 260)));
        daemon.until_copies(&order, "asha", &["PENDING"]);
        network.rest.once(CHANGE, weather);
        broker.change(LEADER, &order, &to_price("91.00"));
        until("the change is there", || {
            let copies = broker.orders(ASHA);
            let copy = copies.iter().find(|copy| !copy.is_terminal());
            copy.filter(|copy| copy.terms == limit("91.00", buy(option, 130))).map(|_| ())
        });
        network.rest.once(CANCEL, weather);
        broker.cancel(LEADER, &order);
        until("the copy is over", || broker.orders(ASHA).iter().all(SimOrder::is_terminal).then_some(()));
    }
    assert_eq!(broker.orders(ASHA).len(), weathers.len());
    daemon.end_at_rest(&broker);
}

/// The stream meets each weather, until it is given up: what the leader does meanwhile is copied, and it comes back.
fn outlives(broker: &Broker, daemon: &Daemon, network: &Network, weathers: [Weather; 2]) {
    for (nth, weather) in weathers.into_iter().enumerate() {
        let ended = daemon.log_count("leader stream ended");
        network.stream.is(weather);
        let order = broker.lead(buy(broker.option(), 260));
        daemon.until_filled(&order, "asha", 130);
        until("the stream is given up", || (daemon.log_count("leader stream ended") > ended).then_some(()));
        network.stream.is(Weather::Fair);
        daemon.until_live(nth + 2);
    }
}

#[test]
fn f2_a_stream_cut_or_swallowed_in_the_middle_of_a_frame_is_made_good_by_the_book() {
    let (broker, daemon, network) = stage();
    let option = broker.option();
    outlives(&broker, &daemon, &network, [Weather::ResetAfter(40), Weather::BlackHole]);
    // One that is slow, but lives.
    network.stream.is(Weather::Drip(Duration::from_millis(5)));
    let order = broker.lead(buy(option, 260));
    daemon.until_filled(&order, "asha", 130);
    network.stream.is(Weather::Fair);
    broker.quiet();
    assert_eq!(broker.orders(ASHA).len(), 3);
    daemon.end_at_rest(&broker);
}

/// The broker's side ends, and ours still speaks; and the other way round, where only the lack of an answer tells.
#[test]
fn f2_a_stream_that_is_closed_one_way_is_given_up_and_nothing_is_lost() {
    let (broker, daemon, network) = stage();
    outlives(&broker, &daemon, &network, [Weather::HalfClose, Weather::HalfCloseUp]);
    let heard = broker.lead(sell(broker.option(), 520));
    daemon.until_filled(&heard, "asha", 260);
    broker.quiet();
    assert_eq!(broker.orders(ASHA).len(), 3, "each once");
    daemon.end_at_rest(&broker);
}

#[test]
fn a_storm_of_errors_doubles_nothing_and_leaves_nothing_behind() {
    let (broker, daemon, network) = stage();
    let options =
        [26_000, 26_100, 26_200].map(|strike| broker.option_at(1, strike, OptionType::Call, "100.00"));
    let answers = [
        AnswerFault::ErrorBefore { status: 502 },
        AnswerFault::ErrorAfter { status: 504 },
        AnswerFault::Busy,
        AnswerFault::LoseBefore,
        AnswerFault::LoseAfter,
        AnswerFault::ErrorBefore { status: 500 },
    ];
    let weathers = [Weather::ResetAfter(25), Weather::ResetBefore, Weather::HalfClose, Weather::Fair];
    for round in 0..answers.len() {
        for operation in [Operation::Place, Operation::Cancel, Operation::Modify, Operation::Read] {
            broker.spoil(ASHA, operation, 2, answers[round]);
            broker.spoil(ASHA, operation, 1, answers[(round + 2) % answers.len()]);
        }
        network.rest.once("GET ", weathers[round % weathers.len()]);
        network.rest.once(PLACE, weathers[(round + 1) % weathers.len()]);
        let entries = broker.lead_all(options.map(|option| buy(option, 260)));
        let rests = broker.lead(limit("80.00", buy(options[round % options.len()], 520)));
        for order in entries.iter().chain([&rests]) {
            until("each has an outcome", || {
                daemon.mapping(order, "asha").filter(|mapping| mapping.outcome != "waiting").map(|_| ())
            });
        }
        broker.cancel(LEADER, &rests);
    }
    // He leaves; whatever of it arrived there leaves as well.
    let leaves = options.map(|option| sell(option, u32::try_from(broker.net(LEADER, option)).unwrap()));
    broker.lead_all(leaves);
    until("she is out of everything", || {
        let flat = options.iter().all(|option| broker.net(ASHA, *option) == 0);
        (flat && broker.orders(ASHA).iter().all(SimOrder::is_terminal)).then_some(())
    });
    daemon.end_at_rest(&broker);
}

/// Nothing arrives anywhere for an hour: requests meet this weather, streams are reset. Before that an exit was on its way.
fn an_hour_of(weather: Weather) {
    let setup = Setup::new()
        .set("broker.request_deadline_ms = 500")
        .set("broker.connect_timeout_ms = 200")
        .set("broker.stream_ping_s = 1")
        .set("broker.stream_pong_deadline_s = 1")
        .set("breaker.failures_max = 1000")
        .set("broker.reconnect_ms_first = 50")
        .set("broker.reconnect_ms_max = 500")
        // An hour of reads twenty times a second would be too many.
        .set("recovery.poll_ms = 1000");
    let broker = Broker::start(setup.sim.clone());
    let network = Network::before(&broker);
    let mut daemon = setup.over(&network, &broker).daemon(&broker);
    daemon.tolerates("");
    let (option, other) = (broker.option(), broker.option_at(1, 26_200, OptionType::Call, "50.00"));
    let entry = broker.lead(buy(option, 1_040));
    daemon.until_filled(&entry, "asha", 520);
    let resting = broker.lead(limit("90.00", buy(option, 260)));
    daemon.until_copies(&resting, "asha", &["PENDING"]);

    network.rest.is(weather);
    let lost = broker.lead(sell(option, 260));
    daemon.until_intent(&lost, "asha", "UNKNOWN");
    network.stream.is(Weather::ResetBefore);
    // Told to a person, for both accounts: the hour begins.
    for follower in [None, Some("asha")] {
        until("the loss of the stream is told", || {
            let told = ("stream_lost".to_owned(), follower.map(str::to_owned));
            daemon.incidents().contains(&told).then_some(())
        });
    }
    broker.pass(Duration::from_mins(20));
    let half = broker.lead(sell(option, 390));
    broker.cancel(LEADER, &resting);
    let round = broker.lead(buy(other, 260));
    broker.pass(Duration::from_mins(20));
    let back = broker.lead(sell(other, 260));
    let executed = broker.lead(buy(other, 130));
    let rests = broker.lead(limit("45.00", buy(other, 260)));
    broker.pass(Duration::from_mins(20));
    assert_eq!(broker.orders(ASHA).len(), 2, "nothing arrived");
    let lives = daemon.log_count("leader's book merged: live");
    network.rest.clear();
    network.stream.clear();
    daemon.until_live(lives + 1);

    // He keeps six lots of sixteen; so does she, of eight: three. What he went into and out of does not come back.
    daemon.until_filled(&half, "asha", 195);
    daemon.until_filled(&lost, "asha", 130);
    for order in [&round, &back] {
        daemon.until_refused(order, "asha", "skipped", "round_trip_missed");
    }
    daemon.until_refused(&executed, "asha", "skipped", "stale_entry");
    daemon.until_copies(&rests, "asha", &["PENDING"]);
    until("his cancel is followed", || {
        let copies = broker.orders(ASHA);
        let copy = copies.iter().find(|copy| copy.terms == limit("90.00", buy(option, 130)));
        copy.filter(|copy| copy.is_terminal()).map(|_| ())
    });
    broker.quiet();
    assert_eq!((broker.net(ASHA, option), broker.net(ASHA, other)), (195, 0));
    let live: Vec<_> =
        broker.orders(ASHA).into_iter().filter(|copy| !copy.is_terminal()).map(|copy| copy.terms).collect();
    assert_eq!(live, [limit("45.00", buy(other, 130))]);
    assert_eq!(broker.orders(ASHA).len(), 5, "each once: entry, resting one, two exits, and what rests now");
    daemon.end_at_rest(&broker);
}

#[test]
fn f1_an_hour_in_which_everything_is_refused_is_caught_up_with() {
    an_hour_of(Weather::ResetBefore);
}

#[test]
fn f1_an_hour_in_which_all_requests_are_swallowed_is_caught_up_with() {
    an_hour_of(Weather::BlackHole);
}

#[test]
fn e5_a_pause_that_the_broker_asks_for_is_kept() {
    let Stage { broker, mut daemon } =
        Setup::new().set("recovery.settle_ms = 2000").set("copy.entry_age_ms_max = 60000").stage();
    daemon.tolerates("");
    let option = broker.option();
    let now = || broker.sim.with_exchange(|exchange| exchange.now());
    broker.spoil(ASHA, Operation::Place, 1, AnswerFault::BusyFor { seconds: 20 });
    let began = now();
    broker.lead(buy(option, 260));
    daemon.until_log("asks for fewer requests");
    let order = broker.lead(buy(option, 390));
    daemon.until_intent(&order, "asha", "PLANNED");
    broker.pass(Duration::from_secs(30));
    daemon.until_filled(&order, "asha", 195);
    let copy = broker.until_order(ASHA, "of the second order", |copy| copy.terms.quantity.get() == 195);
    assert!(copy.created >= began.plus(Duration::from_secs(20)), "{} after {began}", copy.created);
    daemon.end_at_rest(&broker);
}
