//! D: what the two accounts hold besides copies: the owner's own units, the leader's baseline, what brokers and hands do to
//! them meanwhile.

use std::time::Duration;

use tandem_domain::instrument::{InstrumentKey, OptionType};
use tandem_domain::order::{OrderTerms, Product, Side};
use tandem_domain::quantity::Quantity;
use tandem_sim::{AnswerFault, Fault, Mute, Operation};

use crate::harness::{ASHA, Broker, Daemon, LEADER, Setup, Stage, account, buy, limit, sell, until};

/// Units that Tandem has sold for Asha.
fn sold_by_tandem(broker: &Broker) -> u32 {
    let orders = broker.orders(ASHA);
    let ours = orders.iter().filter(|order| order.tag.is_some() && order.terms.side == Side::Sell);
    ours.map(|order| order.filled.get()).sum()
}

const fn intraday(terms: OrderTerms) -> OrderTerms {
    OrderTerms { product: Product::Intraday, ..terms }
}

/// What was recorded of the time before: units of the leader, copied ones, the owner's own.
fn openings(daemon: &Daemon, instrument: InstrumentKey) -> Vec<(i64, i64, i64)> {
    let sql = format!(
        "SELECT leader_units, copied_units, own_units FROM ledger_openings
        WHERE follower_id = 'asha' AND security_id = {}",
        instrument.security_id
    );
    daemon.table(&sql, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
}

#[test]
fn d18_only_copied_lots_are_sold() {
    let Stage { broker, daemon } =
        Setup::new().given(|broker| broker.carry(ASHA, broker.option(), 650, "90.00")).stage();
    let option = broker.option();
    let bought = broker.lead(buy(option, 260));
    daemon.until_filled(&bought, "asha", 130);
    assert_eq!(broker.net(ASHA, option), 780);
    assert_eq!(openings(&daemon, option), [(0, 0, 650)]);

    let half = broker.lead(sell(option, 130));
    daemon.until_filled(&half, "asha", 65);
    let rest = broker.lead(sell(option, 130));
    daemon.until_filled(&rest, "asha", 65);
    broker.quiet();
    assert_eq!((broker.net(ASHA, option), sold_by_tandem(&broker)), (650, 130));
    assert_eq!(daemon.outcomes("asha"), [("sent".to_owned(), None, 3)]);
    daemon.end_at_rest(&broker);
}

#[test]
fn d18_the_owner_trades_by_hand_meanwhile() {
    let Stage { broker, daemon } =
        Setup::new().given(|broker| broker.carry(ASHA, broker.option(), 650, "90.00")).stage();
    let option = broker.option();
    let bought = broker.lead(buy(option, 260));
    daemon.until_filled(&bought, "asha", 130);
    // She sells most of what is hers, buys some, sells all of it.
    broker.own(ASHA, sell(option, 520));
    broker.own(ASHA, buy(option, 195));
    until("her trades are seen", || (daemon.externals(ASHA).len() == 2).then_some(()));
    let half = broker.lead(sell(option, 130));
    daemon.until_filled(&half, "asha", 65);
    broker.own(ASHA, sell(option, 325));
    until("her trades are seen", || (daemon.externals(ASHA).len() == 3).then_some(()));
    broker.quiet();
    assert_eq!(broker.net(ASHA, option), 65);

    let rest = broker.lead(sell(option, 130));
    daemon.until_filled(&rest, "asha", 65);
    broker.quiet();
    assert_eq!((broker.net(ASHA, option), sold_by_tandem(&broker)), (0, 130));
    daemon.end_at_rest(&broker);
}

#[test]
fn d18_what_the_owner_sold_of_the_copies_is_not_sold_again_nor_bought_back() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let bought = broker.lead(buy(option, 520));
    daemon.until_filled(&bought, "asha", 260);
    broker.own(ASHA, sell(option, 195));
    until("her sale is seen", || (daemon.externals(ASHA).len() == 1).then_some(()));
    broker.quiet();
    assert_eq!(broker.net(ASHA, option), 65, "nothing is bought back");

    let sold = broker.lead(sell(option, 520));
    daemon.until_filled(&sold, "asha", 65);
    broker.quiet();
    assert_eq!((broker.net(ASHA, option), sold_by_tandem(&broker)), (0, 65));
    daemon.end_at_rest(&broker);
}

/// Both hold, and have an entry that rests, in what the broker squares off.
fn held_intraday(broker: &Broker, daemon: &Daemon, option: InstrumentKey) {
    let bought = broker.lead(intraday(buy(option, 260)));
    daemon.until_filled(&bought, "asha", 130);
    let resting = broker.lead(intraday(limit("60.00", buy(option, 260))));
    daemon.until_status(&resting, "asha", "PENDING");
}

/// Both are flat and stay so; nobody is taken for a human.
fn both_flat(broker: &Broker, daemon: &Daemon, option: InstrumentKey) {
    until("the broker's cancel is known", || {
        let statuses =
            "SELECT status FROM orders WHERE account = '1000000202' AND client_order_id IS NOT NULL";
        let rows: Vec<String> = daemon.table(statuses, |row| row.get(0));
        rows.iter().any(|status| status == "CANCELLED").then_some(())
    });
    broker.pass(Duration::from_secs(10));
    for client_id in [LEADER, ASHA] {
        assert_eq!(broker.net(client_id, option), 0, "{client_id}");
    }
    assert_eq!(daemon.incidents_of("detached"), (0, 0));
    let working = broker.orders(ASHA).into_iter().filter(|order| !order.is_terminal()).count();
    assert_eq!(working, 0);
}

#[test]
fn d22_intraday_square_off_of_the_follower_first() {
    let Stage { broker, mut daemon } = Setup::new().starts("2026-12-01 15:18:00").stage();
    daemon.expects("squared_off_by_broker");
    daemon.tolerates("copy_gap");
    let option = broker.option();
    held_intraday(&broker, &daemon, option);
    let before = broker.placements(ASHA).len();
    broker.square_off(ASHA);
    daemon.until_incident("squared_off_by_broker", "asha");
    broker.square_off(LEADER);
    both_flat(&broker, &daemon, option);
    assert_eq!(broker.placements(ASHA).len(), before, "no exit of ours");
    daemon.end_at_rest(&broker);
}

#[test]
fn d22_intraday_square_off_of_the_leader_first() {
    let Stage { broker, mut daemon } = Setup::new().starts("2026-12-01 15:18:00").stage();
    daemon.tolerates("copy_gap");
    let option = broker.option();
    held_intraday(&broker, &daemon, option);
    // His broker's exit is an exit like any other.
    broker.square_off(LEADER);
    until("she is flat", || (broker.net(ASHA, option) == 0).then_some(()));
    broker.quiet();
    broker.square_off(ASHA);
    both_flat(&broker, &daemon, option);
    assert_eq!(sold_by_tandem(&broker), 130);
    daemon.end_at_rest(&broker);
}

#[test]
fn d22_intraday_square_off_on_both_sides_at_once() {
    let Stage { broker, mut daemon } = Setup::new().starts("2026-12-01 15:18:00").stage();
    for text in
        ["squared_off_by_broker", "copy_gap", "overshot", "rejected", "exit_given_up", "cancel refused"]
    {
        daemon.tolerates(text);
    }
    let option = broker.option();
    held_intraday(&broker, &daemon, option);
    broker.pass_until("2026-12-01 15:20:01");
    both_flat(&broker, &daemon, option);
    daemon.end_at_rest(&broker);
}

/// The leader holds INTRADAY, Asha copied it, and he has converted all of it; his positions are read often enough to tell.
fn converted(broker: &Broker, daemon: &Daemon, option: InstrumentKey) {
    let bought = broker.lead(intraday(buy(option, 260)));
    daemon.until_filled(&bought, "asha", 130);
    broker.quiet();
    broker.convert(LEADER, option, (Product::Intraday, Product::Margin), 260);
    // Whatever he trades lets his positions be read.
    let other = broker.option_at(1, 26_500, OptionType::Call, "20.00");
    let mut trades = 0;
    until("the conversion is noticed", || {
        let reads = broker.requests(LEADER, Operation::Positions).len();
        if reads > trades {
            trades = reads;
            broker.lead(buy(other, 65));
            broker.quiet();
        }
        (daemon.incidents_of("leader_converted").0 == 1).then_some(())
    });
}

#[test]
fn d23_a_conversion_of_the_leaders_is_told() {
    let Stage { broker, mut daemon } = Setup::new()
        .set("sizing.remainder = false")
        .set("recovery.settle_ms = 1000")
        .set("risk.positions_poll_ms = 200")
        .stage();
    daemon.expects("leader_converted");
    let option = broker.option();
    converted(&broker, &daemon, option);
    broker.quiet();
    assert!(broker.requests(ASHA, Operation::Convert).is_empty());
    assert_eq!(broker.position(ASHA, option, Product::Intraday), 130);

    // He leaves in MARGIN, she in what she holds.
    let sold = broker.lead(sell(option, 260));
    daemon.until_filled(&sold, "asha", 130);
    broker.quiet();
    assert_eq!((broker.net(ASHA, option), broker.position(ASHA, option, Product::Intraday)), (0, 0));
    assert_eq!(broker.placement_bodies(ASHA).last().unwrap()["productType"], "INTRADAY");
    daemon.end_at_rest(&broker);
}

/// What the leader converts is converted for her, too.
fn copying_conversions() -> Stage {
    let Stage { broker, mut daemon } = Setup::new()
        .set("sizing.remainder = false")
        .set("recovery.settle_ms = 1000")
        .set("risk.positions_poll_ms = 200")
        .set(r#"copy.conversions = "copy""#)
        .stage();
    daemon.expects("leader_converted");
    Stage { daemon, broker }
}

#[test]
fn d23_a_conversion_of_the_leaders_is_copied() {
    let Stage { broker, daemon } = copying_conversions();
    let option = broker.option();
    converted(&broker, &daemon, option);
    until("hers is converted", || (broker.position(ASHA, option, Product::Margin) == 130).then_some(()));
    broker.quiet();
    assert_eq!(broker.requests(ASHA, Operation::Convert).len(), 1);

    // The positions have told so before she leaves.
    let known = "SELECT product FROM positions WHERE account = '1000000202' AND net_quantity = 130";
    until("the new product is known", || {
        let rows: Vec<String> = daemon.table(known, |row| row.get(0));
        rows.contains(&"MARGIN".to_owned()).then_some(())
    });
    let sold = broker.lead(sell(option, 260));
    daemon.until_filled(&sold, "asha", 130);
    broker.quiet();
    assert_eq!((broker.net(ASHA, option), broker.position(ASHA, option, Product::Margin)), (0, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn d23_a_conversion_that_fails_is_told_and_not_tried_again() {
    let Stage { broker, mut daemon } = copying_conversions();
    daemon.expects("convert them by hand");
    let option = broker.option();
    broker.spoil(ASHA, Operation::Convert, 1, AnswerFault::ErrorBefore { status: 500 });
    converted(&broker, &daemon, option);
    daemon.until_incident("conversion_failed", "asha");
    broker.pass(Duration::from_mins(1));
    broker.quiet();
    assert_eq!(broker.requests(ASHA, Operation::Convert).len(), 1);
    assert_eq!(daemon.incidents_of("conversion_failed"), (1, 0));
    assert_eq!(broker.position(ASHA, option, Product::Intraday), 130);
    daemon.end();
}

#[test]
fn d24_the_leaders_baseline_is_not_copied_and_fractions_are_of_his_full_net() {
    let Stage { broker, mut daemon } =
        Setup::new().given(|broker| broker.carry(LEADER, broker.option(), 650, "90.00")).stage();
    let option = broker.option();
    broker.quiet();
    assert!(broker.placements(ASHA).is_empty(), "the baseline is his alone");
    let bought = broker.lead(buy(option, 260));
    daemon.until_filled(&bought, "asha", 130);
    assert_eq!(openings(&daemon, option), [(650, 0, 0)]);

    // 14 lots to 7: half of hers.
    let half = broker.lead(sell(option, 455));
    daemon.until_filled(&half, "asha", 65);

    // After a restart the baseline is what it was, though he holds less.
    daemon.terminate();
    assert_eq!(daemon.until_exit(), Some(0));
    daemon.start();
    daemon.until_live(2);
    broker.quiet();
    assert_eq!(openings(&daemon, option), [(650, 0, 0)]);
    assert_eq!(broker.net(ASHA, option), 65);

    // 7 lots to 6, to 4: her one lot stays, the nearest to 6/7 and 4/7 of it.
    let sixth = broker.lead(sell(option, 65));
    daemon.until_outcome(&sixth, "asha", "skipped");
    let fourth = broker.lead(sell(option, 130));
    daemon.until_outcome(&fourth, "asha", "skipped");
    broker.quiet();
    assert_eq!(broker.net(ASHA, option), 65);
    // To 3: 3/7 is nearer to none.
    let third = broker.lead(sell(option, 65));
    daemon.until_filled(&third, "asha", 65);
    let rest = broker.lead(sell(option, 195));
    daemon.until_outcome(&rest, "asha", "skipped");
    broker.quiet();
    assert_eq!((broker.net(ASHA, option), sold_by_tandem(&broker)), (0, 130));
    daemon.end_at_rest(&broker);
}

#[test]
fn d24_the_leader_closes_only_what_he_held_before() {
    let Stage { broker, daemon } =
        Setup::new().given(|broker| broker.carry(LEADER, broker.option(), 650, "90.00")).stage();
    let option = broker.option();
    let sold = broker.lead(sell(option, 650));
    daemon.until_refused(&sold, "asha", "skipped", "nothing_to_close");
    broker.quiet();
    assert!(broker.placements(ASHA).is_empty());
    daemon.end_at_rest(&broker);
}

/// The owner trades, and only the account's positions tell for the time being.
fn trade_in_hiding(broker: &Broker, terms: OrderTerms) {
    broker.inject(ASHA, Fault::StreamMute { mute: Mute::Frames });
    broker.inject(ASHA, Fault::LateVisibility { ms: 20_000 });
    broker.own(ASHA, terms);
    broker.inject(ASHA, Fault::LateVisibility { ms: 0 });
}

fn drifting() -> Setup {
    Setup::new().set("recovery.settle_ms = 1000").set("risk.positions_poll_ms = 200")
}

/// Lets time pass in steps until the account's positions have told of a difference.
fn until_drift(broker: &Broker, daemon: &Daemon, open: usize, closed: usize) {
    let mut reads = 0;
    until(&format!("{open} drifts open, {closed} closed"), || {
        let seen = broker.requests(ASHA, Operation::Positions).len();
        if seen > reads {
            reads = seen;
            broker.quiet();
        }
        (daemon.incidents_of("ledger_drift") == (open, closed)).then_some(())
    });
}

#[test]
fn a_drift_freezes_entries_there_until_it_is_explained() {
    let Stage { broker, mut daemon } = drifting().stage();
    daemon.expects("ledger_drift");
    let option = broker.option();
    let other = broker.option_at(1, 26_500, OptionType::Call, "50.00");
    let bought = broker.lead(buy(option, 260));
    daemon.until_filled(&bought, "asha", 130);
    trade_in_hiding(&broker, buy(option, 195));
    until_drift(&broker, &daemon, 1, 0);

    let frozen = broker.lead(buy(option, 130));
    daemon.until_refused(&frozen, "asha", "skipped", "ledger_drift");
    let elsewhere = broker.lead(buy(other, 130));
    daemon.until_filled(&elsewhere, "asha", 65);
    // What is not explained is not sold. He goes from 6 lots to 3; hers are 2.
    let half = broker.lead(sell(option, 195));
    daemon.until_filled(&half, "asha", 65);
    assert_eq!(broker.net(ASHA, option), 260);

    // The book shows her order at last.
    broker.inject(ASHA, Fault::StreamMute { mute: Mute::Off });
    broker.pass(Duration::from_secs(20));
    until_drift(&broker, &daemon, 0, 1);
    let next = broker.lead(buy(option, 130));
    daemon.until_filled(&next, "asha", 65);
    broker.quiet();
    let sold = broker.lead(sell(option, 325));
    daemon.until_filled(&sold, "asha", 130);
    broker.quiet();
    assert_eq!((broker.net(ASHA, option), sold_by_tandem(&broker)), (195, 195));
    daemon.end_at_rest(&broker);
}

/// Our rows and the account differ at the start: what happened while nobody looked is an incident, and is healed.
#[test]
fn f16_the_account_differs_at_the_start_and_is_frozen_there_until_it_is_explained() {
    let Stage { broker, mut daemon } = drifting().stage();
    daemon.expects("ledger_drift");
    let option = broker.option();
    let bought = broker.lead(buy(option, 260));
    daemon.until_filled(&bought, "asha", 130);
    broker.quiet();
    daemon.kill();
    trade_in_hiding(&broker, buy(option, 195));
    daemon.start();
    daemon.until_live(2);
    until_drift(&broker, &daemon, 1, 0);
    let frozen = broker.lead(buy(option, 130));
    daemon.until_refused(&frozen, "asha", "skipped", "ledger_drift");

    broker.inject(ASHA, Fault::StreamMute { mute: Mute::Off });
    broker.pass(Duration::from_secs(20));
    until_drift(&broker, &daemon, 0, 1);
    let next = broker.lead(buy(option, 130));
    daemon.until_filled(&next, "asha", 65);
    assert_eq!(broker.net(ASHA, option), 130 + 195 + 65);
    daemon.end_at_rest(&broker);
}

/// The follower is behind the leader, and rows and account agree about it: told at the start as before, and nothing is frozen.
#[test]
fn f16_a_follower_who_is_merely_behind_has_a_gap_and_no_drift() {
    let Stage { broker, mut daemon } = drifting().stage();
    daemon.expects("the copy was rejected after the broker had taken it; 130 units short: reported");
    let option = broker.option();
    let text = "EXCH:16387:Security is not allowed to trade in this market.".to_owned();
    broker.inject(ASHA, Fault::RejectNext { count: 1, text });
    let rejected = broker.lead(buy(option, 260));
    daemon.until_status(&rejected, "asha", "REJECTED");
    daemon.until_incident("copy_gap", "asha");
    broker.quiet();
    daemon.kill();
    daemon.start();
    daemon.until_live(2);
    broker.pass(Duration::from_secs(5));
    broker.quiet();
    assert_eq!((daemon.incidents_of("ledger_drift"), daemon.incidents_of("copy_gap")), ((0, 0), (1, 0)));
    let next = broker.lead(buy(option, 130));
    daemon.until_filled(&next, "asha", 65);
    broker.quiet();
    assert_eq!(broker.net(ASHA, option), 65, "what was rejected is not made good unless that is wished");
    daemon.end_at_rest(&broker);
}

#[test]
fn a_drift_caps_exits_at_what_the_account_shows() {
    let Stage { broker, mut daemon } = drifting().stage();
    daemon.expects("ledger_drift");
    let option = broker.option();
    let bought = broker.lead(buy(option, 520));
    daemon.until_filled(&bought, "asha", 260);
    trade_in_hiding(&broker, sell(option, 195));
    until_drift(&broker, &daemon, 1, 0);

    let sold = broker.lead(sell(option, 520));
    daemon.until_filled(&sold, "asha", 65);
    broker.quiet();
    assert_eq!((broker.net(ASHA, option), sold_by_tandem(&broker)), (0, 65), "never short");
    daemon.end_at_rest(&broker);
}

/// `risk.on_drift`, beyond the instrument itself.
fn drift_stops(policy: &str, reason: &str) {
    let Stage { broker, mut daemon } = drifting().set(&format!("risk.on_drift = \"{policy}\"")).stage();
    for text in ["ledger_drift", "trading_stopped"] {
        daemon.expects(text);
    }
    let option = broker.option();
    let other = broker.option_at(1, 26_500, OptionType::Call, "50.00");
    let bought = broker.lead(buy(option, 260));
    daemon.until_filled(&bought, "asha", 130);
    trade_in_hiding(&broker, buy(option, 65));
    until_drift(&broker, &daemon, 1, 0);
    daemon.until_incident("trading_stopped", "asha");

    let elsewhere = broker.lead(buy(other, 130));
    daemon.until_refused(&elsewhere, "asha", "skipped", reason);
    let sold = broker.lead(sell(option, 260));
    daemon.until_filled(&sold, "asha", 130);
    assert_eq!(broker.net(ASHA, option), 65);
    daemon.end_at_rest(&broker);
}

#[test]
fn a_drift_may_stop_the_account() {
    drift_stops("reduce", "reducing");
}

#[test]
fn a_drift_may_halt_the_account() {
    drift_stops("halt", "halted");
}

#[test]
fn two_reads_that_differ_for_a_moment_are_no_drift() {
    let Stage { broker, daemon } = drifting().stage();
    let option = broker.option();
    for _ in 0..5 {
        let bought = broker.lead(buy(option, 130));
        daemon.until_filled(&bought, "asha", 65);
        broker.own(ASHA, buy(option, 65));
        broker.quiet();
    }
    let known = broker.sim.with_exchange(|exchange| exchange.all_orders(&account(ASHA)).len());
    assert_eq!((known, broker.net(ASHA, option)), (10, 650));
    assert_eq!(daemon.incidents_of("ledger_drift"), (0, 0));
    assert_eq!(broker.orders(ASHA)[0].filled, Quantity::new(65));
    daemon.end_at_rest(&broker);
}
