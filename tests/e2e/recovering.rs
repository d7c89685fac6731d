//! F: what the leader did while nobody heard of him, because the stream was away or the daemon was.

use std::time::Duration;

use tandem_domain::ids::BrokerOrderId;
use tandem_domain::instrument::OptionType;
use tandem_domain::order::Product;
use tandem_sim::{AnswerFault, Down, Fault, Mute, Operation};

use crate::harness::{
    ASHA, Broker, Daemon, Follower, LEADER, Setup, Stage, buy, limit, sell, to_price, until,
};

const HOURS: Duration = Duration::from_hours(2);

/// Both hold what he bought first: he ten lots, she five.
fn both_hold(broker: &Broker, daemon: &Daemon) {
    let entry = broker.lead(buy(broker.option(), 650));
    daemon.until_filled(&entry, "asha", 325);
    broker.quiet();
}

/// The daemon is killed, and comes back after hours in which the leader did this.
fn away_for_hours(
    broker: &Broker,
    daemon: &mut Daemon,
    meanwhile: impl FnOnce() -> Vec<BrokerOrderId>,
) -> Vec<BrokerOrderId> {
    daemon.kill();
    broker.pass(HOURS / 2);
    let orders = meanwhile();
    broker.pass(HOURS / 2);
    daemon.start();
    daemon.until_live(2);
    orders
}

/// Asha's reads of this kind fail from before the first start on; orders of hers would be taken.
fn unread(operation: Operation) -> Setup {
    let fails = AnswerFault::ErrorBefore { status: 500 };
    Setup::new()
        .followers([Follower::ASHA, Follower::BALA])
        .set("breaker.failures_max = 1000")
        .set("risk.margin = \"off\"")
        .set("parting.entry_after_ms = 600000")
        .set("supervisor.health_interval_s = 1")
        .given(move |broker| broker.spoil(ASHA, operation, 10_000, fails))
}

#[test]
fn f15_nothing_is_opened_before_the_account_was_read() {
    for operation in [Operation::Read, Operation::Positions] {
        let Stage { broker, mut daemon } = unread(operation).stage();
        daemon.expects("a read of the account failed");
        daemon.tolerates("cannot be read");
        let option = broker.option();
        // Who cannot be read keeps nobody else from copying.
        let order = broker.lead(buy(option, 390));
        daemon.until_filled(&order, "bala", 65);
        until("the state says so", || (states(&daemon, "supervisor") == "recovering").then_some(()));
        assert_eq!(states(&daemon, "follower/asha"), "recovering");
        assert!(broker.placements(ASHA).is_empty());

        // It is young still when she is read at last; but where her funds were not read nobody knew her share of it.
        broker.inject(ASHA, Fault::Clear);
        if operation == Operation::Positions {
            daemon.until_filled(&order, "asha", 195);
        }
        until("all are ready", || (states(&daemon, "supervisor") == "ready").then_some(()));
        // What each counts for is known a little later.
        daemon.until_log_count("capital of the day taken", 3);
        let next = broker.lead(buy(option, 390));
        daemon.until_filled(&next, "asha", 195);
        daemon.end();
    }
}

#[test]
fn f15_an_account_that_is_never_read_whole_is_told() {
    let whole_but_one_row =
        |broker: &Broker| broker.spoil(ASHA, Operation::Read, 10_000, AnswerFault::OddRow);
    let Stage { broker, mut daemon } =
        Setup::new().set("supervisor.health_interval_s = 1").given(whole_but_one_row).stage();
    daemon.expects("could not be read");
    daemon.expects("the account cannot be read");
    until("the state says so", || (states(&daemon, "supervisor") == "recovering").then_some(()));
    let early = broker.lead(buy(broker.option(), 390));
    daemon.until_incident("account_unread", "asha");
    assert!(broker.placements(ASHA).is_empty());

    broker.inject(ASHA, Fault::Clear);
    until("it is over", || (daemon.incidents_of("account_unread") == (0, 1)).then_some(()));
    until("all are ready", || (states(&daemon, "supervisor") == "ready").then_some(()));
    daemon.until_filled(&early, "asha", 195);
    daemon.end();
}

#[test]
fn f15_what_is_too_old_before_the_account_is_read_is_not_opened() {
    let Stage { broker, mut daemon } = unread(Operation::Positions).stage();
    daemon.expects("a read of the account failed");
    daemon.tolerates("cannot be read");
    let order = broker.lead(buy(broker.option(), 390));
    daemon.until_filled(&order, "bala", 65);
    broker.pass(Duration::from_mins(1));
    daemon.until_refused(&order, "asha", "skipped", "stale_entry");
    broker.inject(ASHA, Fault::Clear);
    until("she is read", || (states(&daemon, "follower/asha") == "working").then_some(()));
    assert!(broker.placements(ASHA).is_empty());
    daemon.end();
}

/// The state of an actor as it was recorded last.
fn states(daemon: &Daemon, actor: &str) -> String {
    let sql = format!("SELECT json_extract(snapshot, '$.state') FROM health WHERE actor = '{actor}'");
    daemon.table(&sql, |row| row.get(0)).pop().unwrap_or_default()
}

/// Nothing else would have them read: no order works, and no period ends.
#[test]
fn f1_each_account_is_looked_at_once_the_leader_is_heard_again() {
    let Stage { broker, mut daemon } = Setup::new()
        .set("recovery.poll_ms = 600000")
        .set("recovery.idle_poll_ms = 600000")
        .set("risk.positions_poll_ms = 300000")
        .set("risk.funds_poll_ms = 300000")
        .set("broker.reconnect_ms_first = 10")
        .set("broker.reconnect_ms_max = 50")
        .stage();
    daemon.expects("leader stream ended");
    let reads = || {
        let books = broker.requests(ASHA, Operation::Read);
        let books = books.iter().filter(|request| request.path.ends_with("/orders")).count();
        (books, broker.requests(ASHA, Operation::Positions).len())
    };
    broker.quiet();
    // What the start may still have to read is no more by the second time.
    for lives in [2, 3] {
        let (books, positions) = reads();
        broker.inject(LEADER, Fault::StreamClose);
        daemon.until_live(lives);
        until("her order book is read", || (reads().0 > books).then_some(()));
        until("her positions are read", || (reads().1 > positions).then_some(()));
    }
    daemon.end();
}

#[test]
fn f5_a_net_reduction_is_closed_at_the_market() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    let option = broker.option();
    both_hold(&broker, &daemon);
    let exits = away_for_hours(&broker, &mut daemon, || vec![broker.lead(sell(option, 390))]);

    // He keeps four of ten; so does she, of five: two.
    daemon.until_filled(&exits[0], "asha", 195);
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    daemon.end();
}

#[test]
fn f5_an_exit_does_not_wait_at_the_price_he_had() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("rupees more than the leader's price");
    let option = broker.option();
    both_hold(&broker, &daemon);
    let exits = away_for_hours(&broker, &mut daemon, || {
        let sold = broker.lead(limit("100.00", sell(option, 650)));
        broker.price(option, "80.00");
        vec![sold]
    });

    daemon.until_filled(&exits[0], "asha", 325);
    assert_eq!(broker.position(ASHA, option, Product::Margin), 0);
    daemon.end();
}

#[test]
fn f5_a_round_trip_is_ignored() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    let option = broker.option();
    both_hold(&broker, &daemon);
    let orders = away_for_hours(&broker, &mut daemon, || {
        let out = broker.lead(sell(option, 650));
        broker.pass(Duration::from_mins(1));
        let back = broker.lead(buy(option, 650));
        broker.pass(Duration::from_mins(1));
        // And one he went into and out of again.
        let other = broker.option_at(1, 26_200, OptionType::Call, "50.00");
        let came = broker.lead(buy(other, 650));
        broker.pass(Duration::from_mins(1));
        vec![out, back, came, broker.lead(sell(other, 650))]
    });

    for order in &orders {
        daemon.until_refused(order, "asha", "skipped", "round_trip_missed");
    }
    broker.quiet();
    assert_eq!((broker.orders(ASHA).len(), broker.net(ASHA, option)), (1, 325));
    // What he does from now on is followed as ever.
    let exit = broker.lead(sell(option, 650));
    daemon.until_filled(&exit, "asha", 325);
    daemon.end();
}

#[test]
fn f5_what_executed_is_too_old_and_what_works_is_caught_up_with() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    let option = broker.option();
    let orders = away_for_hours(&broker, &mut daemon, || {
        let executed = broker.lead(buy(option, 260));
        let rests = broker.lead(limit("95.00", buy(option, 390)));
        let half = broker.lead(limit("95.00", buy(option, 520)));
        broker.fill(&half, 260, "95.00");
        vec![executed, rests, half]
    });

    daemon.until_refused(&orders[0], "asha", "skipped", "stale_entry");
    daemon.until_outcome(&orders[1], "asha", "sent");
    daemon.until_outcome(&orders[2], "asha", "sent");
    broker.quiet();
    let copies: Vec<_> = broker.orders(ASHA).into_iter().map(|copy| copy.terms).collect();
    // Three lots of six, and two of the four that are left of eight.
    assert_eq!(copies, [limit("95.00", buy(option, 195)), limit("95.00", buy(option, 130))]);
    daemon.end();
}

#[test]
fn f1_a_stream_cut_while_he_places_changes_and_cancels() {
    // What the merge after the login does not tell, nothing tells.
    let Stage { broker, mut daemon } = Setup::new().set("leader.book_poll_ms = 600000").stage();
    daemon.expects("leader stream ended");
    // How often it is tried meanwhile is real time's.
    daemon.tolerates("came to nothing");
    daemon.tolerates("be read");
    let option = broker.option();
    let other = broker.option_at(1, 26_100, OptionType::Call, "60.00");
    both_hold(&broker, &daemon);
    let to_change = broker.lead(limit("90.00", buy(option, 260)));
    let to_cancel = broker.lead(limit("91.00", buy(option, 260)));
    daemon.until_outcome(&to_change, "asha", "sent");
    daemon.until_outcome(&to_cancel, "asha", "sent");
    broker.quiet();

    broker.inject(LEADER, Fault::AccountDown { down: Down::Refuse });
    let executed = broker.lead(buy(other, 260));
    let old = broker.lead(limit("93.00", buy(option, 130)));
    broker.change(LEADER, &to_change, &to_price("89.00"));
    broker.cancel(LEADER, &to_cancel);
    let sold = broker.lead(sell(option, 260));
    broker.pass(Duration::from_secs(31));
    let young = broker.lead(limit("92.00", buy(option, 130)));
    broker.inject(LEADER, Fault::AccountDown { down: Down::No });
    daemon.until_live(2);

    daemon.until_filled(&sold, "asha", 130);
    daemon.until_refused(&executed, "asha", "skipped", "stale_entry");
    // What works still is caught up with, older though it is than an entry may be.
    daemon.until_outcome(&old, "asha", "sent");
    daemon.until_outcome(&young, "asha", "sent");
    broker.quiet();
    let copies = broker.orders(ASHA).into_iter().filter(|copy| !copy.is_terminal());
    let mut working: Vec<_> = copies.map(|copy| copy.terms).collect();
    // Two that leave together arrive as they come.
    working.sort_by_key(|terms| terms.price);
    let bought = |price, units| limit(price, buy(option, units));
    assert_eq!(working, [bought("89.00", 130), bought("92.00", 65), bought("93.00", 65)]);
    assert_eq!((broker.net(ASHA, option), broker.net(ASHA, other)), (195, 0));
    daemon.end();
}

#[test]
fn f2_a_stream_that_is_mute_is_noticed_and_the_book_tells() {
    let Stage { broker, mut daemon } = Setup::new()
        .set("leader.book_poll_ms = 100")
        .set("broker.stream_ping_s = 1")
        .set("broker.stream_pong_deadline_s = 3")
        .stage();
    daemon.expects("leader stream ended");
    let option = broker.option();
    broker.inject(LEADER, Fault::StreamMute { mute: Mute::Everything });
    // Meanwhile the book is read on its period.
    let order = broker.lead(buy(option, 260));
    daemon.until_filled(&order, "asha", 130);
    assert_eq!(daemon.log_count("leader stream ended"), 0, "it was the book that told");
    daemon.until_log("leader stream ended");
    broker.inject(LEADER, Fault::StreamMute { mute: Mute::Off });
    daemon.until_live(2);
    daemon.end();
}

#[test]
fn f15_restart_with_orders_and_positions_on_both_sides() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    let option = broker.option();
    both_hold(&broker, &daemon);
    let rests = broker.lead(limit("90.00", buy(option, 260)));
    let target = broker.lead(limit("120.00", sell(option, 650)));
    daemon.until_outcome(&rests, "asha", "sent");
    daemon.until_outcome(&target, "asha", "sent");
    broker.quiet();
    daemon.kill();
    broker.change(LEADER, &rests, &to_price("91.00"));
    daemon.start();
    daemon.until_live(2);

    until("the change is followed", || {
        let live = broker.orders(ASHA).into_iter().filter(|copy| !copy.is_terminal()).map(|copy| copy.terms);
        let expected = [limit("91.00", buy(option, 130)), limit("120.00", sell(option, 325))];
        (live.collect::<Vec<_>>() == expected).then_some(())
    });
    broker.price(option, "120.00");
    daemon.until_filled(&target, "asha", 325);
    broker.quiet();
    assert_eq!((broker.net(ASHA, option), broker.orders(ASHA).len()), (0, 3));
    daemon.end();
}
