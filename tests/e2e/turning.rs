//! F: the day ends and another begins while the daemon runs.

use std::time::Duration;

use chrono::NaiveTime;
use tandem_domain::ids::BrokerOrderId;
use tandem_domain::instrument::{InstrumentKey, OptionType};
use tandem_domain::order::{Leg, OrderTerms, Product};
use tandem_domain::price::Price;
use tandem_sim::exchange::ForeverChange;
use tandem_sim::{AnswerFault, Fault, Mute, Operation};

use crate::harness::{
    ASHA, Broker, Daemon, LEADER, Setup, Stage, account, buy, forever, limit, sell, to_price, until,
};

const NEXT_DAY: &str = "2026-12-02 09:20:00";
const TURNED: &str = "the day is over: everything begins anew";

fn until_next_day(broker: &Broker, daemon: &Daemon) {
    broker.pass_until("2026-12-02 00:00:01");
    daemon.until_log(TURNED);
    daemon.until_live(2);
    broker.pass_until(NEXT_DAY);
    broker.quiet();
}

#[test]
fn f20_the_day_rolls_while_it_runs() {
    // Tokens of a day would end in the night. The first day uses up the orders of a day.
    let setup = Setup::new().sim(|sim| sim.token_hours = 48).set("risk.orders_per_day_max = 2");
    let Stage { broker, daemon } = setup.stage();
    let option = broker.option();
    let bought = broker.lead(buy(option, 650));
    daemon.until_filled(&bought, "asha", 325);
    let rests = broker.lead(limit("90.00", buy(option, 260)));
    daemon.until_outcome(&rests, "asha", "sent");
    broker.quiet();
    until_next_day(&broker, &daemon);

    // What was held over night is closed in proportion; nothing of yesterday's orders comes back.
    let exit = broker.lead(sell(option, 260));
    daemon.until_filled(&exit, "asha", 130);
    let entry = broker.lead(buy(option, 130));
    daemon.until_filled(&entry, "asha", 65);
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 325 - 130 + 65);
    let opened: Vec<(String, i64, i64)> = daemon
        .table("SELECT trading_day, leader_units, copied_units FROM ledger_openings", |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        });
    assert_eq!(opened, [("2026-12-02".to_owned(), 650, 325)], "the day begins from what was held over night");
    let masters: Vec<u32> = daemon.table("SELECT COUNT(DISTINCT day) FROM instruments", |row| row.get(0));
    assert_eq!(masters, [1], "the master of the new day stands for the old one's");
    daemon.end();
}

/// Without the leader's capital nothing can be sized on a new day; what he closes needs no size.
#[test]
fn f20_a_leader_whose_funds_cannot_be_read_in_the_morning_is_followed_out() {
    let Stage { broker, mut daemon } = Setup::new().sim(|sim| sim.token_hours = 48).stage();
    daemon.expects("the leader's funds cannot be read");
    daemon.tolerates("could not be read");
    let option = broker.option();
    let bought = broker.lead(buy(option, 650));
    daemon.until_filled(&bought, "asha", 325);
    broker.quiet();
    broker.spoil(LEADER, Operation::Funds, 100_000, AnswerFault::ErrorBefore { status: 500 });
    broker.pass_until("2026-12-02 00:00:01");
    daemon.until_log(TURNED);
    until("it is told", || (daemon.incidents_of("leader_unread") == (1, 0)).then_some(()));
    daemon.until_live(2);
    broker.pass_until(NEXT_DAY);

    let entry = broker.lead(buy(option, 130));
    daemon.until_refused(&entry, "asha", "skipped", "capital_unknown");
    let exit = broker.lead(sell(option, 260));
    daemon.until_filled(&exit, "asha", 130);

    broker.inject(LEADER, Fault::Clear);
    until("it is over", || (daemon.incidents_of("leader_unread") == (0, 1)).then_some(()));
    let entry = broker.lead(buy(option, 130));
    daemon.until_filled(&entry, "asha", 65);
    daemon.end();
}

/// The broker's books are those of the day before until half past six. Nothing of it is copied, closed, told of or counted a
/// second time; and what both have held since yesterday can be sold before the books have turned.
#[test]
fn f20_the_brokers_books_turn_hours_after_the_day() {
    let late = NaiveTime::from_hms_opt(6, 30, 0).unwrap();
    let setup = Setup::new().sim(|sim| (sim.token_hours, sim.variants.books_turn_at) = (48, late));
    let Stage { broker, mut daemon } = setup.stage();
    let option = broker.option();
    let other = broker.option_at(1, 26_200, OptionType::Call, "60.00");
    for (bought, filled) in [(buy(option, 650), 325), (buy(other, 260), 130)] {
        let bought = broker.lead(bought);
        daemon.until_filled(&bought, "asha", filled);
    }
    for (sold, filled) in [(sell(option, 260), 130), (sell(other, 260), 130)] {
        let sold = broker.lead(sold);
        daemon.until_filled(&sold, "asha", filled);
    }
    let rests = broker.lead(limit("90.00", buy(option, 260)));
    daemon.until_outcome(&rests, "asha", "sent");
    broker.quiet();
    broker.pass_until("2026-12-02 00:00:01");
    daemon.until_log(TURNED);
    daemon.until_live(2);
    let asked = broker.asked(ASHA);
    let nothing_new = |daemon: &Daemon, when: &str| {
        broker.quiet();
        assert_eq!(broker.asked(ASHA), asked, "{when}");
        assert_eq!(daemon.incidents(), [], "{when}");
        let others: Vec<u32> = daemon.table(
            "SELECT COUNT(*) FROM orders WHERE trading_day = '2026-12-02' OR role = 'external'",
            |row| row.get(0),
        );
        assert_eq!(others, [0], "{when}: no order of yesterday is one of today");
    };
    broker.pass(Duration::from_mins(10));
    nothing_new(&daemon, "just after midnight");
    daemon.kill();
    daemon.start();
    daemon.until_live(3);
    broker.pass(Duration::from_mins(10));
    nothing_new(&daemon, "in a new life of the night");

    broker.pass_until("2026-12-02 05:00:00");
    let exit = broker.lead(OrderTerms { after_market: true, ..limit("80.00", sell(option, 130)) });
    daemon.until_status(&exit, "asha", "PENDING");
    broker.pass_until("2026-12-02 06:45:00");
    broker.quiet();
    daemon.kill();
    daemon.start();
    daemon.until_live(4);
    broker.pass_until(NEXT_DAY);
    daemon.until_filled(&exit, "asha", 65);
    let last = broker.lead(sell(option, 260));
    daemon.until_filled(&last, "asha", 130);
    broker.quiet();
    assert_eq!((broker.net(LEADER, option), broker.net(ASHA, option)), (0, 0));
    let opened: Vec<(String, i64, i64, i64)> = daemon
        .table("SELECT trading_day, leader_units, copied_units, own_units FROM ledger_openings", |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        });
    assert_eq!(opened, [("2026-12-02".to_owned(), 390, 195, 0)]);
    daemon.end();
}

/// She holds a lot. Of the next order to the broker nobody knows what came of it when the daemon is killed; it comes back on
/// the next morning.
fn in_doubt_over_night(answer: AnswerFault) -> (Stage, InstrumentKey) {
    let Stage { broker, mut daemon } = Setup::new().sim(|sim| sim.token_hours = 48).stage();
    daemon.expects("unresolved_yesterday");
    daemon.tolerates("the answer was lost");
    let option = broker.option();
    let first = broker.lead(buy(option, 130));
    daemon.until_filled(&first, "asha", 65);
    broker.quiet();
    broker.inject(ASHA, Fault::StreamMute { mute: Mute::Frames });
    broker.spoil_placements(ASHA, 1, answer);
    broker.lead(buy(option, 130));
    let is_sent = || broker.placements(ASHA).len() == 2 || broker.orders(ASHA).len() == 2;
    until("her second order is sent", || is_sent().then_some(()));
    daemon.kill();
    broker.inject(ASHA, Fault::StreamMute { mute: Mute::Off });
    let doubts: Vec<String> =
        daemon.table("SELECT state FROM intents WHERE state IN ('SENDING', 'UNKNOWN')", |row| row.get(0));
    assert_eq!(doubts.len(), 1);
    broker.pass_until(NEXT_DAY);
    daemon.start();
    daemon.until_live(2);
    (Stage { daemon, broker }, option)
}

fn is_in_doubt(daemon: &Daemon) -> bool {
    daemon.incidents().contains(&("unresolved_yesterday".to_owned(), Some("asha".to_owned())))
}

#[test]
fn f19_what_did_not_arrive_yesterday_is_settled_by_the_positions_and_not_sent_again() {
    let (Stage { daemon, broker }, option) = in_doubt_over_night(AnswerFault::LoseBefore);
    let states = || -> Vec<String> {
        let sql = "SELECT state FROM intents WHERE trading_day = '2026-12-01' ORDER BY created_at";
        daemon.table(sql, |row| row.get(0))
    };
    until("it is proven absent", || (states() == ["ACKED", "ABSENT"]).then_some(()));
    until("the doubt is over", || (!is_in_doubt(&daemon)).then_some(()));
    let entry = broker.lead(buy(option, 130));
    daemon.until_filled(&entry, "asha", 65);
    broker.quiet();
    assert_eq!(broker.placements(ASHA).len(), 3);
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    daemon.end();
}

#[test]
fn f19_what_arrived_yesterday_and_nobody_heard_of_is_an_incident_until_a_resume() {
    let (Stage { daemon, broker }, option) = in_doubt_over_night(AnswerFault::Delay { ms: 10_000 });
    daemon.until_incident("unresolved_yesterday", "asha");
    broker.quiet();
    assert!(is_in_doubt(&daemon), "what she has carried is not what the rows say");
    let entry = broker.lead(buy(option, 130));
    daemon.until_refused(&entry, "asha", "skipped", "ledger_drift");
    daemon.run_command(&["resume", "--follower", "asha", "--database", "tandem.db"]);
    until("the operator has settled it", || (!is_in_doubt(&daemon)).then_some(()));
    let entry = broker.lead(buy(option, 130));
    daemon.until_filled(&entry, "asha", 65);
    broker.quiet();
    // The lot that nobody knew of, what was copied, and what is copied now.
    assert_eq!(broker.position(ASHA, option, Product::Margin), 195);
    assert_eq!(broker.orders(ASHA).len(), 3, "nothing of yesterday is sent again");
    daemon.end();
}

/// After the session: what is ordered waits for the next one.
fn evening() -> Stage {
    Setup::new().starts("2026-12-01 17:00:00").sim(|sim| sim.token_hours = 48).stage()
}

fn after_market(terms: OrderTerms) -> OrderTerms {
    OrderTerms { after_market: true, ..terms }
}

/// The day turns in the running daemon, or while none runs.
fn over_midnight(broker: &Broker, daemon: &mut Daemon, is_killed: bool) {
    broker.quiet();
    if is_killed {
        daemon.kill();
        broker.pass_until("2026-12-02 07:30:00");
        daemon.start();
    } else {
        broker.pass_until("2026-12-02 00:00:01");
        daemon.until_log(TURNED);
    }
    daemon.until_live(2);
    broker.pass_until("2026-12-02 08:00:00");
    broker.quiet();
}

/// The leader's order for the next session and its copy, which have waited over midnight.
fn waited(is_killed: bool) -> (Stage, BrokerOrderId) {
    let Stage { broker, mut daemon } = evening();
    let order = broker.lead(after_market(limit("100.00", buy(broker.option(), 260))));
    daemon.until_status(&order, "asha", "PENDING");
    over_midnight(&broker, &mut daemon, is_killed);
    (Stage { daemon, broker }, order)
}

/// What is on record of which day.
fn days(daemon: &Daemon) -> Vec<(String, String, Option<String>)> {
    let sql = "SELECT role, trading_day, carried_to FROM orders ORDER BY role DESC, trading_day";
    daemon.table(sql, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
}

#[test]
fn f20_what_waits_over_midnight_is_cancelled_once_when_the_leader_cancels_in_the_morning() {
    for is_killed in [false, true] {
        let (Stage { broker, daemon }, order) = waited(is_killed);
        let option = broker.option();
        assert_eq!(broker.asked(ASHA), (1, 0, 0), "nothing is asked for a second time");
        let of = |role: &str| (role.to_owned(), "2026-12-01".to_owned(), Some("2026-12-02".to_owned()));
        assert_eq!(days(&daemon), [of("leader"), of("follower")], "it keeps the day of its birth");

        broker.pass_until("2026-12-02 08:30:00");
        broker.cancel(LEADER, &order);
        daemon.until_status(&order, "asha", "CANCELLED");
        broker.pass_until(NEXT_DAY);
        broker.quiet();
        assert_eq!(broker.asked(ASHA), (1, 0, 1));
        assert_eq!(broker.net(ASHA, option), 0);
        assert_eq!(daemon.outcomes("asha").len(), 1, "one order, one word");
        assert_eq!(daemon.incidents(), []);
        daemon.end();
    }
}

#[test]
fn f20_what_fills_at_the_open_is_held_by_its_mirror_and_leaves_with_the_leader() {
    for is_killed in [false, true] {
        let (Stage { broker, mut daemon }, order) = waited(is_killed);
        let option = broker.option();
        broker.pass_until(NEXT_DAY);
        daemon.until_filled(&order, "asha", 130);
        broker.quiet();
        assert_eq!((broker.net(LEADER, option), broker.net(ASHA, option)), (260, 130));
        // A new life of the day knows what it holds.
        if is_killed {
            daemon.kill();
            daemon.start();
            daemon.until_live(3);
        }
        let half = broker.lead(sell(option, 130));
        daemon.until_filled(&half, "asha", 65);
        let rest = broker.lead(sell(option, 130));
        daemon.until_filled(&rest, "asha", 65);
        broker.quiet();
        assert_eq!((broker.net(LEADER, option), broker.net(ASHA, option)), (0, 0));
        assert_eq!(broker.placements(ASHA).len(), 3);
        assert_eq!(daemon.incidents(), []);
        daemon.end();
    }
}

#[test]
fn f20_what_waits_over_midnight_follows_a_change_of_price_in_the_morning() {
    for is_killed in [false, true] {
        let (Stage { broker, daemon }, order) = waited(is_killed);
        let option = broker.option();
        broker.change(LEADER, &order, &to_price("90.00"));
        until("the copy is changed", || {
            (broker.only_order(ASHA).terms.price == Price::from_paise(9_000)).then_some(())
        });
        broker.pass_until(NEXT_DAY);
        broker.quiet();
        assert_eq!(broker.asked(ASHA), (1, 1, 0));
        assert_eq!((broker.net(LEADER, option), broker.net(ASHA, option)), (0, 0), "below the market");
        broker.cancel(LEADER, &order);
        daemon.until_status(&order, "asha", "CANCELLED");
        daemon.end();
    }
}

#[test]
fn f20_a_forever_order_that_rests_over_midnight_is_followed_until_it_fires() {
    for is_killed in [false, true] {
        let setup = Setup::new().sim(|sim| sim.token_hours = 48);
        let setup =
            setup.set(r#"copy.instrument_kinds = ["OPTIDX", "EQUITY"]"#).set("leader.forever_poll_ms = 1000");
        let Stage { broker, mut daemon } = setup.stage();
        let share = broker.share(2885, "1450.00");
        let order = broker.lead_forever(forever("1407.00", "1405.00", buy(share, 40)));
        let hers = |expected: OrderTerms| {
            until("hers is like this", || (broker.only_forever(ASHA).terms == expected).then_some(()));
        };
        until("hers rests", || {
            let resting = broker.sim.with_exchange(|exchange| exchange.forever_orders(&account(ASHA)).len());
            (resting == 1).then_some(())
        });
        hers(forever("1407.00", "1405.00", buy(share, 20)));
        over_midnight(&broker, &mut daemon, is_killed);
        assert_eq!(broker.calls(ASHA), ["POST /forever/orders"], "nothing is asked for a second time");
        let change = ForeverChange {
            leg: Leg::Target,
            order_type: None,
            time_in_force: None,
            quantity: None,
            price: Some(Price::from_paise(140_200)),
            trigger: Some(Price::from_paise(140_000)),
        };
        broker.lead_forever_change(&order, &change);
        hers(forever("1402.00", "1400.00", buy(share, 20)));
        broker.pass_until(NEXT_DAY);
        broker.quiet();
        broker.price(share, "1400.00");
        daemon.until_filled(&order, "asha", 20);
        broker.quiet();
        let exit = broker.lead(OrderTerms { product: Product::Cnc, ..sell(share, 40) });
        daemon.until_filled(&exit, "asha", 20);
        broker.quiet();
        assert_eq!((broker.net(LEADER, share), broker.net(ASHA, share)), (0, 0));
        assert_eq!(broker.calls(ASHA), ["POST /forever/orders", "PUT /forever/orders", "POST /orders"]);
        assert_eq!(daemon.incidents(), []);
        daemon.end();
    }
}

#[test]
fn f20_what_the_leader_cancels_in_the_night_while_nothing_runs_is_cancelled_before_the_open() {
    let Stage { broker, mut daemon } = evening();
    daemon.expects("is not shown any more: it counts as cancelled");
    let option = broker.option();
    let order = broker.lead(after_market(limit("100.00", buy(option, 260))));
    daemon.until_status(&order, "asha", "PENDING");
    broker.quiet();
    daemon.kill();
    broker.pass_until("2026-12-01 22:00:00");
    broker.cancel(LEADER, &order);
    broker.pass_until("2026-12-02 07:30:00");
    daemon.start();
    daemon.until_live(2);
    broker.pass_until("2026-12-02 08:30:00");
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (1, 0, 0), "nobody knows yet what the broker's book shows");
    broker.pass_until("2026-12-02 09:00:30");
    daemon.until_status(&order, "asha", "CANCELLED");
    broker.pass_until(NEXT_DAY);
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (1, 0, 1));
    assert_eq!(broker.net(ASHA, option), 0);
    assert_eq!(daemon.incidents(), []);
    daemon.end();
}

/// The answer to her order for the next session is lost, and the daemon is killed; it comes back on the next morning.
fn in_doubt_and_waiting(answer: AnswerFault) -> (Stage, BrokerOrderId) {
    let setup = Setup::new().starts("2026-12-01 17:00:00").sim(|sim| sim.token_hours = 48);
    // An order that never arrives is in doubt to the end.
    let setup = setup.set("recovery.settle_ms = 500").set("supervisor.shutdown_deadline_ms = 1000");
    let Stage { broker, mut daemon } = setup.stage();
    daemon.tolerates("the answer was lost");
    broker.inject(ASHA, Fault::StreamMute { mute: Mute::Frames });
    broker.spoil_placements(ASHA, 1, answer);
    let order = broker.lead(after_market(limit("100.00", buy(broker.option(), 260))));
    let is_sent = || broker.placements(ASHA).len() == 1 || broker.orders(ASHA).len() == 1;
    until("her order is sent", || is_sent().then_some(()));
    daemon.kill();
    broker.inject(ASHA, Fault::StreamMute { mute: Mute::Off });
    let doubts: Vec<String> =
        daemon.table("SELECT state FROM intents WHERE state IN ('SENDING', 'UNKNOWN')", |row| row.get(0));
    assert_eq!(doubts.len(), 1);
    broker.pass_until("2026-12-02 07:30:00");
    daemon.start();
    daemon.until_live(2);
    (Stage { daemon, broker }, order)
}

#[test]
fn f19_what_was_in_doubt_and_waits_over_midnight_is_found_and_followed() {
    let (Stage { daemon, broker }, order) = in_doubt_and_waiting(AnswerFault::Delay { ms: 10_000 });
    daemon.until_status(&order, "asha", "PENDING");
    broker.cancel(LEADER, &order);
    daemon.until_status(&order, "asha", "CANCELLED");
    broker.pass_until(NEXT_DAY);
    broker.quiet();
    assert_eq!(broker.orders(ASHA).len(), 1, "nothing of yesterday is sent again");
    assert_eq!(daemon.incidents(), []);
    daemon.end();
}

#[test]
fn f19_what_was_in_doubt_at_midnight_and_never_arrived_stays_in_doubt_and_is_not_sent_again() {
    let (Stage { mut daemon, broker }, _) = in_doubt_and_waiting(AnswerFault::LoseBefore);
    daemon.expects("not everything finished in time");
    // By then her book was read many times that would have proven it absent on its own day.
    daemon.until_incident("outcome_unknown", "asha");
    assert!(broker.orders(ASHA).is_empty());
    assert_eq!(broker.placements(ASHA).len(), 1, "nothing of yesterday is sent again");
    let states: Vec<String> = daemon.table("SELECT state FROM intents", |row| row.get(0));
    assert_eq!(states, ["UNKNOWN"]);
    daemon.end();
}

#[test]
fn f20_copies_that_an_evening_left_against_the_leader_are_told() {
    let Stage { broker, mut daemon } = Setup::new().sim(|sim| sim.token_hours = 48).stage();
    daemon.expects("no order can close them");
    let option = broker.option();
    let bought = broker.lead(buy(option, 130));
    daemon.until_filled(&bought, "asha", 65);
    broker.quiet();
    daemon.kill();
    // He leaves while nobody looks, and nobody looks again on that day.
    broker.lead(sell(option, 130));
    broker.pass_until(NEXT_DAY);
    daemon.start();
    daemon.until_live(2);
    daemon.until_incident("carried_left", "asha");
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 65, "it is for a person");
    assert_eq!(daemon.incidents_of("carried_left"), (1, 0), "once");
    daemon.end();
}
