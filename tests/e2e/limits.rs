//! E: what an owner allows to be opened: money, losses, caps, prices, lists. Each refusal has its reason, and exits pass
//! all of it.

use std::time::Duration;

use tandem_domain::instrument::{InstrumentKey, OptionType};
use tandem_domain::order::OrderTerms;
use tandem_sim::{AnswerFault, Operation};

use crate::harness::{ASHA, Broker, Daemon, LEADER, Setup, Stage, buy, limit, sell, stop_loss, until};

/// Half of what the leader does, whatever their money.
fn halves() -> Setup {
    Setup::new().set("sizing.strategy = \"fixed_ratio\"").set("sizing.ratio = 0.5")
}

/// Asha has so many rupees free and no more.
fn poor(rupees: i64) -> Setup {
    poor_by(rupees, "estimate")
}

/// The same, and how the money that an entry needs is known.
fn poor_by(rupees: i64, margin: &str) -> Setup {
    halves()
        .set(&format!("risk.margin = \"{margin}\""))
        .given(move |broker| broker.pay_in(ASHA, rupees - 500_000))
}

fn second(broker: &Broker) -> InstrumentKey {
    broker.option_at(1, 26_200, OptionType::Call, "60.00")
}

/// The entry is skipped for this reason, and nothing is sent.
fn denied(broker: &Broker, daemon: &Daemon, terms: OrderTerms, reason: &str) {
    let before = broker.placements(ASHA).len();
    let order = broker.lead(terms);
    daemon.until_refused(&order, "asha", "skipped", reason);
    broker.quiet();
    assert_eq!(broker.placements(ASHA).len(), before, "{reason}");
}

fn copied(broker: &Broker, daemon: &Daemon, terms: OrderTerms, units: u32) {
    let order = broker.lead(terms);
    daemon.until_filled(&order, "asha", units);
}

#[test]
fn e1_money_for_one_of_two_lots() {
    let Stage { broker, daemon } = poor(10_000).stage();
    let option = broker.option();
    let order = broker.lead(buy(option, 260));
    let mapping = daemon.until_filled(&order, "asha", 65);
    assert_eq!((mapping.outcome.as_str(), mapping.reason.as_deref()), ("sent", Some("margin_short")));
    broker.quiet();
    assert_eq!((broker.net(ASHA, option), broker.placements(ASHA).len()), (65, 1));
    daemon.end();
}

#[test]
fn e1_money_for_none_is_not_tried_again() {
    let Stage { broker, daemon } = poor(6_000).set("risk.funds_poll_ms = 100").stage();
    let option = broker.option();
    denied(&broker, &daemon, buy(option, 260), "margin_short");
    broker.pay_in(ASHA, 100_000);
    broker.pass(Duration::from_secs(5));
    assert!(broker.placements(ASHA).is_empty());
    daemon.end();
}

#[test]
fn e1_skipped_rather_than_cut_by_policy() {
    let Stage { broker, daemon } = poor(10_000).set("risk.at_cap = \"skip\"").stage();
    denied(&broker, &daemon, buy(broker.option(), 260), "margin_short");
    daemon.end();
}

#[test]
fn e1_the_brokers_own_refusal_is_not_tried_again() {
    let Stage { broker, mut daemon } = poor_by(10_000, "off").stage();
    daemon.tolerates("copy_gap");
    let order = broker.lead(buy(broker.option(), 260));
    let intent = daemon.until_status(&order, "asha", "REJECTED");
    assert!(intent.order_reason.unwrap().contains("insufficient funds"));
    broker.pass(Duration::from_secs(5));
    assert_eq!(broker.placements(ASHA).len(), 1);
    daemon.end();
}

#[test]
fn e1_a_short_is_measured_by_margin() {
    // 26,000 x 65 x 15 % is 2,53,500 rupees a lot, whatever the premium.
    let Stage { broker, daemon } = poor(250_000).stage();
    denied(&broker, &daemon, sell(broker.option(), 130), "margin_short");
    copied(&broker, &daemon, buy(second(&broker), 130), 65);
    daemon.end();
}

#[test]
fn e2_the_second_order_sees_what_is_kept_for_the_first() {
    let Stage { broker, daemon } = poor(20_000).set("risk.at_cap = \"skip\"").stage();
    let (option, second) = (broker.option(), second(&broker));
    // 13,000 and 7,800.
    let orders = broker.lead_all([buy(option, 260), buy(second, 260)]);
    daemon.until_filled(&orders[0], "asha", 130);
    daemon.until_refused(&orders[1], "asha", "skipped", "margin_short");
    broker.quiet();
    assert_eq!((broker.net(ASHA, second), broker.placements(ASHA).len()), (0, 1));
    daemon.end();
}

#[test]
fn e2_the_second_order_is_cut_to_what_is_left() {
    let Stage { broker, daemon } = poor(20_000).stage();
    let (option, second) = (broker.option(), second(&broker));
    let orders = broker.lead_all([buy(option, 260), buy(second, 260)]);
    daemon.until_filled(&orders[0], "asha", 130);
    daemon.until_filled(&orders[1], "asha", 65);
    broker.quiet();
    assert_eq!((broker.net(ASHA, option), broker.net(ASHA, second)), (130, 65));
    daemon.end();
}

#[test]
fn e2_a_refusal_gives_back_what_was_kept() {
    let Stage { broker, mut daemon } = poor(20_000).set("risk.at_cap = \"skip\"").stage();
    daemon.tolerates("copy_gap");
    let option = broker.option();
    broker.reject_for_margin(ASHA, 1);
    let first = broker.lead(buy(option, 260));
    daemon.until_status(&first, "asha", "REJECTED");
    copied(&broker, &daemon, buy(option, 260), 130);
    daemon.end();
}

#[test]
fn e2_a_cancel_gives_back_what_was_kept() {
    let Stage { broker, daemon } = poor(20_000).set("risk.at_cap = \"skip\"").stage();
    let option = broker.option();
    broker.offer(option, &[]);
    let resting = broker.lead(limit("95.00", buy(option, 260)));
    daemon.until_status(&resting, "asha", "PENDING");
    denied(&broker, &daemon, buy(second(&broker), 260), "margin_short");
    broker.cancel(LEADER, &resting);
    daemon.until_status(&resting, "asha", "CANCELLED");
    copied(&broker, &daemon, buy(second(&broker), 260), 130);
    daemon.end();
}

/// Looked at often; two thousand rupees may be lost in a day.
fn bounded_loss() -> Setup {
    halves().set("risk.daily_loss_max_rupees = 2000").set("risk.positions_poll_ms = 100")
}

/// Asha copies two lots, and the price falls by twenty rupees: 2,600 rupees lost.
fn lost(broker: &Broker, daemon: &mut Daemon) -> InstrumentKey {
    let option = broker.option();
    copied(broker, daemon, buy(option, 260), 130);
    // What is lost so far leaves it trading.
    broker.price(option, "90.00");
    broker.quiet();
    assert_eq!(daemon.incidents(), []);
    daemon.expects("trading_stopped");
    broker.price(option, "80.00");
    daemon.until_incident("trading_stopped", "asha");
    option
}

#[test]
fn e7_daily_loss_ends_entries_and_survives_a_restart() {
    let Stage { broker, mut daemon } = bounded_loss().stage();
    let option = lost(&broker, &mut daemon);
    denied(&broker, &daemon, buy(option, 260), "reducing");
    // He holds twelve lots; hers are two.
    let half = broker.lead(sell(option, 260));
    daemon.until_filled(&half, "asha", 65);

    daemon.terminate();
    assert_eq!(daemon.until_exit(), Some(0));
    // A better price does not bring it back.
    broker.price(option, "150.00");
    daemon.start();
    daemon.until_live(2);
    denied(&broker, &daemon, buy(second(&broker), 260), "reducing");
    let rest = broker.lead(sell(option, 260));
    daemon.until_filled(&rest, "asha", 65);
    assert_eq!(broker.net(ASHA, option), 0);
    daemon.end();
}

#[test]
fn e7_the_owners_own_losses_count() {
    let Stage { broker, mut daemon } = bounded_loss().stage();
    daemon.expects("trading_stopped");
    let option = broker.option();
    broker.own(ASHA, buy(option, 650));
    until("her trade is seen", || (daemon.externals(ASHA).len() == 1).then_some(()));
    broker.price(option, "96.00");
    daemon.until_incident("trading_stopped", "asha");
    denied(&broker, &daemon, buy(second(&broker), 260), "reducing");
    assert_eq!(broker.net(ASHA, option), 650, "what is hers is left alone");
    daemon.end();
}

#[test]
fn e7_daily_loss_by_policy_halts() {
    let Stage { broker, mut daemon } = bounded_loss().set("risk.on_daily_loss = \"halt\"").stage();
    let second = second(&broker);
    broker.offer(second, &[]);
    let resting = broker.lead(limit("50.00", buy(second, 260)));
    daemon.until_status(&resting, "asha", "PENDING");
    let option = lost(&broker, &mut daemon);
    daemon.until_status(&resting, "asha", "CANCELLED");
    denied(&broker, &daemon, buy(option, 260), "halted");
    assert_eq!(broker.net(ASHA, option), 130, "what is held stays");
    daemon.end();
}

#[test]
fn e7_daily_loss_by_policy_squares_off() {
    let Stage { broker, mut daemon } = bounded_loss().set("risk.on_daily_loss = \"square_off\"").stage();
    for text in ["squaring_off", "squared_off"] {
        daemon.tolerates(text);
    }
    let option = lost(&broker, &mut daemon);
    daemon.until_log("\"squared_off\"");
    assert_eq!(broker.net(ASHA, option), 0, "what was copied is closed");
    denied(&broker, &daemon, buy(option, 260), "halted");
    assert_eq!(broker.net(LEADER, option), 520);
    daemon.end();
}

#[test]
fn e7_figures_that_are_too_old_deny_entries() {
    let Stage { broker, mut daemon } =
        bounded_loss().set("risk.figures_age_ms_max = 15000").set("breaker.failures_max = 1000").stage();
    daemon.tolerates("a read of the account failed");
    daemon.tolerates("the account cannot be read");
    let option = broker.option();
    copied(&broker, &daemon, buy(option, 260), 130);
    broker.spoil(ASHA, Operation::Positions, 100_000, AnswerFault::ErrorBefore { status: 503 });
    broker.pass(Duration::from_secs(16));
    denied(&broker, &daemon, buy(option, 260), "figures_unknown");
    let sold = broker.lead(sell(option, 520));
    daemon.until_filled(&sold, "asha", 130);

    broker.inject(ASHA, tandem_sim::Fault::Clear);
    let reads = broker.requests(ASHA, Operation::Positions).len();
    until("positions are read again", || {
        (broker.requests(ASHA, Operation::Positions).len() >= reads + 2).then_some(())
    });
    copied(&broker, &daemon, buy(option, 260), 130);
    daemon.end();
}

/// What a cap leaves of two lots: one; and none where the owner would rather skip.
fn capped(setting: &str, reason: &str) {
    let Stage { broker, daemon } = halves().set(setting).stage();
    let order = broker.lead(buy(broker.option(), 260));
    let mapping = daemon.until_filled(&order, "asha", 65);
    assert_eq!((mapping.outcome.as_str(), mapping.reason.as_deref()), ("sent", Some(reason)));
    broker.quiet();
    assert_eq!((broker.net(ASHA, broker.option()), broker.placements(ASHA).len()), (65, 1));
    let sold = broker.lead(sell(broker.option(), 260));
    daemon.until_filled(&sold, "asha", 65);
    daemon.end();

    let Stage { broker, daemon } = halves().set(setting).set("risk.at_cap = \"skip\"").stage();
    denied(&broker, &daemon, buy(broker.option(), 260), reason);
    copied(&broker, &daemon, buy(broker.option(), 130), 65);
    daemon.end();
}

#[test]
fn e8_lots_in_an_order() {
    capped("risk.lots_per_order_max = 1", "lots_per_order");
}

#[test]
fn e8_lots_in_an_instrument() {
    capped("risk.lots_per_instrument_max = 1", "lots_per_instrument");
}

#[test]
fn e8_value_of_an_order() {
    // One lot is 6,500 rupees.
    capped("risk.order_value_max_rupees = 12999", "order_value");
}

#[test]
fn e8_share_of_the_capital() {
    // 10,000 of 5 lakh.
    capped("risk.position_share_max_pct = 2", "position_share");
}

#[test]
fn e8_lots_in_an_instrument_count_what_is_held_and_what_works() {
    let Stage { broker, daemon } = halves().set("risk.lots_per_instrument_max = 3").stage();
    let option = broker.option();
    copied(&broker, &daemon, buy(option, 130), 65);
    broker.offer(option, &[]);
    let resting = broker.lead(limit("95.00", buy(option, 130)));
    daemon.until_status(&resting, "asha", "PENDING");
    let cut = broker.lead(limit("94.00", buy(option, 260)));
    let intent = daemon.until_status(&cut, "asha", "PENDING");
    assert_eq!(intent.quantity, 65);
    denied(&broker, &daemon, limit("93.00", buy(option, 130)), "lots_per_instrument");
    broker.cancel(LEADER, &resting);
    daemon.until_status(&resting, "asha", "CANCELLED");
    let next = broker.lead(limit("92.00", buy(option, 130)));
    daemon.until_status(&next, "asha", "PENDING");
    daemon.end();
}

#[test]
fn e8_open_orders_are_counted() {
    let Stage { broker, daemon } = halves().set("risk.open_orders_max = 1").stage();
    let option = broker.option();
    copied(&broker, &daemon, buy(option, 130), 65);
    broker.offer(option, &[]);
    let resting = broker.lead(limit("95.00", buy(option, 260)));
    daemon.until_status(&resting, "asha", "PENDING");
    denied(&broker, &daemon, limit("94.00", buy(option, 260)), "open_orders");
    // An exit is no entry.
    let stop = broker.lead(stop_loss("60.00", "59.00", sell(option, 130)));
    daemon.until_status(&stop, "asha", "PENDING");
    daemon.end();
}

#[test]
fn e8_orders_of_the_day_are_counted_over_a_restart() {
    let Stage { broker, mut daemon } = halves().set("risk.orders_per_day_max = 2").stage();
    let option = broker.option();
    copied(&broker, &daemon, buy(option, 260), 130);
    daemon.terminate();
    assert_eq!(daemon.until_exit(), Some(0));
    daemon.start();
    daemon.until_live(2);
    copied(&broker, &daemon, buy(option, 260), 130);
    denied(&broker, &daemon, buy(option, 260), "orders_per_day");
    let sold = broker.lead(sell(option, 780));
    daemon.until_filled(&sold, "asha", 260);
    daemon.end();
}

/// The daemon knows a band which the leader's broker does not enforce.
fn banded() -> Setup {
    halves().given(|broker| broker.band(broker.option(), "80.00", "110.00"))
}

#[test]
fn e10_an_entry_outside_the_band_is_denied() {
    let Stage { broker, daemon } = banded().stage();
    let option = broker.option();
    broker.widen_band(option);
    denied(&broker, &daemon, limit("79.95", buy(option, 260)), "outside_band");
    let inside = broker.lead(limit("80.00", buy(option, 260)));
    daemon.until_outcome(&inside, "asha", "sent");
    daemon.end();
}

#[test]
fn e10_an_exit_outside_the_band_is_clamped() {
    let Stage { broker, daemon } = banded().stage();
    let option = broker.option();
    broker.widen_band(option);
    copied(&broker, &daemon, buy(option, 260), 130);
    let target = broker.lead(limit("120.00", sell(option, 260)));
    daemon.until_status(&target, "asha", "PENDING");
    let stop = broker.lead(stop_loss("78.00", "75.00", sell(option, 260)));
    daemon.until_status(&stop, "asha", "PENDING");
    let bodies = broker.placement_bodies(ASHA);
    let prices: Vec<_> =
        bodies[1..].iter().map(|body| (body["price"].as_f64(), body["triggerPrice"].as_f64())).collect();
    assert_eq!(prices[0].0, Some(110.0));
    assert_eq!(prices[1], (Some(80.0), Some(80.05)));
    daemon.end();
}

/// The daemon's file has ticks of ten paise, the broker takes five.
fn coarse() -> (Stage, InstrumentKey) {
    let listed = Broker::start(Broker::settings());
    let option = listed.option();
    let csv = listed.sim.with_exchange(|exchange| exchange.detailed_csv());
    let column = |name: &str| csv.lines().next().unwrap().split(',').position(|of| of == name).unwrap();
    let (id, tick) = (column("SECURITY_ID"), column("TICK_SIZE"));
    let row = |line: &str| {
        let mut fields: Vec<String> = line.split(',').map(str::to_owned).collect();
        if fields[id] == option.security_id.to_string() {
            // The file has paise.
            "10.0000".clone_into(&mut fields[tick]);
        }
        fields.join(",")
    };
    let rows: Vec<String> = csv.lines().map(row).collect();
    let stage = halves().instruments(rows.join("\n") + "\n").stage();
    assert_eq!(stage.broker.option(), option);
    (stage, option)
}

#[test]
fn e10_off_the_tick_entries_are_denied_and_exits_clamped() {
    let (Stage { broker, daemon }, option) = coarse();
    broker.offer(option, &[]);
    denied(&broker, &daemon, limit("95.05", buy(option, 260)), "off_tick");
    broker.offer(option, &[("100.00", 100_000)]);
    copied(&broker, &daemon, buy(option, 260), 130);
    let target = broker.lead(limit("120.05", sell(option, 260)));
    daemon.until_status(&target, "asha", "PENDING");
    // A sale goes down, towards what trades.
    assert_eq!(broker.placement_bodies(ASHA)[1]["price"].as_f64(), Some(120.0));
    daemon.end();
}

/// Five orders in a row are rejected for want of margin.
fn five_rejections(broker: &Broker, daemon: &mut Daemon) {
    daemon.tolerates("copy_gap");
    daemon.expects("margin_lacking");
    broker.reject_for_margin(ASHA, 5);
    for _ in 0..5 {
        let order = broker.lead(buy(broker.option(), 260));
        daemon.until_status(&order, "asha", "REJECTED");
    }
    broker.quiet();
}

#[test]
fn e13_rejections_leave_the_breaker_closed() {
    let Stage { broker, mut daemon } = halves().stage();
    five_rejections(&broker, &mut daemon);
    copied(&broker, &daemon, buy(broker.option(), 260), 130);
    assert!(!daemon.incidents().iter().any(|(kind, _)| kind.contains("breaker")));
    daemon.end();
}

#[test]
fn e13_rejections_stop_entries_where_the_owner_says_so() {
    let Stage { broker, mut daemon } =
        halves().set("risk.rejections_max = 5").set("risk.on_rejections = \"reduce\"").stage();
    daemon.expects("trading_stopped");
    let option = broker.option();
    copied(&broker, &daemon, buy(option, 260), 130);
    five_rejections(&broker, &mut daemon);
    daemon.until_incident("trading_stopped", "asha");
    denied(&broker, &daemon, buy(option, 260), "reducing");
    // All but a lot of his 28.
    let sold = broker.lead(sell(option, 1_755));
    daemon.until_filled(&sold, "asha", 130);
    daemon.end();
}

#[test]
fn e13_one_order_taken_between_rejections_begins_anew() {
    let Stage { broker, mut daemon } =
        halves().set("risk.rejections_max = 3").set("risk.on_rejections = \"halt\"").stage();
    daemon.tolerates("copy_gap");
    for _ in 0..2 {
        broker.reject_for_margin(ASHA, 2);
        for _ in 0..2 {
            let order = broker.lead(buy(broker.option(), 260));
            daemon.until_status(&order, "asha", "REJECTED");
        }
        copied(&broker, &daemon, buy(broker.option(), 260), 130);
    }
    daemon.end();
}

/// What her own program does, until it has eaten the entries' part of the minute (a fifth is kept for exits) and all of it is
/// seen. Of an entry and an exit the exit alone finds room then.
fn eats_the_budget(
    does: impl Fn(&Broker, InstrumentKey, usize) -> usize,
    is_seen: impl Fn(&[(String, String, u32)]) -> bool,
) {
    let Stage { broker, mut daemon } = halves().set("copy.entry_age_ms_max = 10000").stage();
    daemon.tolerates("fewer requests");
    let (option, second) = (broker.option(), second(&broker));
    copied(&broker, &daemon, buy(option, 520), 260);
    let mut taken = 0;
    while taken < 210 {
        taken += does(&broker, second, 210 - taken);
        broker.quiet();
    }
    until("all that her program did is seen", || is_seen(&daemon.externals(ASHA)).then_some(()));
    exit_goes_before_entry(&broker, daemon, option);
}

#[test]
fn e14_exits_keep_their_reserve_of_the_budget() {
    eats_the_budget(
        |broker, instrument, left| broker.storm(ASHA, instrument, 10.min(left)),
        |theirs| theirs.len() >= 210,
    );
}

#[test]
fn e14_changes_and_cancels_of_hers_eat_the_budget_too() {
    eats_the_budget(
        |broker, instrument, _| broker.storm(ASHA, instrument, 4) + broker.second_thoughts(ASHA, 2),
        |theirs| {
            let told = |status: &str| theirs.iter().filter(|order| order.1 == status).count();
            theirs.len() >= 104 && told("CANCELLED") >= 50
        },
    );
}

/// Of an entry and an exit the exit alone finds room, at once; the entry grows too old, and the broker refuses nothing.
fn exit_goes_before_entry(broker: &Broker, daemon: Daemon, option: InstrumentKey) {
    let entry = broker.lead(buy(option, 260));
    let sold = broker.lead(sell(option, 390));
    daemon.until_filled(&sold, "asha", 130);
    assert_eq!(broker.net(ASHA, option), 130, "no entry before it");
    broker.pass(Duration::from_secs(11));
    daemon.until_refused(&entry, "asha", "skipped", "stale_entry");
    assert!(broker.placements(ASHA).iter().all(|request| request.answered == Some(200)));
    daemon.end();
}

/// What was copied before a list denies it can still be left.
fn filtered(setting: &str, reason: &str, entry: impl Fn(InstrumentKey) -> OrderTerms) {
    let Stage { broker, daemon } = halves().set("copy.enabled = true").stage();
    let option = broker.option();
    copied(&broker, &daemon, buy(option, 260), 130);
    daemon.edit_settings(|text| text.replace("copy.enabled = true", setting));
    daemon.hang_up();
    daemon.until_log("the owner changed his settings");
    denied(&broker, &daemon, entry(option), reason);
    let sold = broker.lead(sell(option, 260));
    daemon.until_filled(&sold, "asha", 130);
    assert_eq!(broker.net(ASHA, option), 0);
    daemon.end();
}

fn two_lots(option: InstrumentKey) -> OrderTerms {
    limit("60.00", buy(option, 260))
}

#[test]
fn filters_segment() {
    filtered(r#"copy.segments = ["BSE_FNO"]"#, "segment_filtered", two_lots);
}

#[test]
fn filters_underlying() {
    filtered(r#"copy.underlyings = ["BANKNIFTY"]"#, "underlying_filtered", two_lots);
}

#[test]
fn filters_underlying_denied() {
    filtered(r#"copy.underlyings_denied = ["NIFTY"]"#, "underlying_filtered", two_lots);
}

#[test]
fn filters_instrument() {
    filtered(r#"copy.instruments = ["NIFTY-Dec2030-26000-CE"]"#, "instrument_filtered", two_lots);
}

#[test]
fn filters_instrument_denied() {
    let listed = Broker::start(Broker::settings());
    let option = listed.option();
    let symbol =
        listed.sim.with_exchange(|exchange| exchange.contract(option).unwrap().trading_symbol.to_string());
    filtered(&format!("copy.instruments_denied = [\"{symbol}\"]"), "instrument_filtered", two_lots);
}

#[test]
fn filters_product() {
    filtered(r#"copy.products = ["INTRADAY"]"#, "product_filtered", two_lots);
}

#[test]
fn filters_side() {
    filtered(r#"copy.sides = ["SELL"]"#, "side_filtered", two_lots);
}

#[test]
fn copying_switched_off_ends_entries_only() {
    filtered("copy.enabled = false", "copying_off", two_lots);
}

#[test]
fn price_drift_denies_what_the_market_has_left() {
    let Stage { broker, daemon } =
        halves().set("copy.on = \"fill\"").set("copy.price_drift_bps_max = 200").stage();
    let option = broker.option();
    broker.offer(option, &[]);
    // He paid 90, the market is at 95: five and a half per cent against her.
    let left = broker.lead(limit("90.00", buy(option, 260)));
    daemon.until_leader(&left, "rests", |leader| leader.status == "PENDING");
    broker.price(option, "95.00");
    broker.fill(&left, 260, "90.00");
    let mapping = daemon.until_outcome(&left, "asha", "skipped");
    assert_eq!(mapping.reason.as_deref(), Some("price_drift"));
    // In her favour it may move as far as it likes.
    let better = broker.lead(limit("100.00", sell(option, 130)));
    daemon.until_leader(&better, "rests", |leader| leader.status == "PENDING");
    broker.quiet();
    assert!(broker.placements(ASHA).is_empty());
    daemon.end();
}

/// The broker's calculator is asked before an entry leaves.
fn asked(rupees: i64) -> Setup {
    poor_by(rupees, "broker")
}

#[test]
fn margin_by_the_broker_is_enough() {
    let Stage { broker, daemon } = asked(20_000).stage();
    copied(&broker, &daemon, buy(broker.option(), 260), 130);
    assert_eq!(broker.requests(ASHA, Operation::Margin).len(), 1);
    // Exits ask nobody.
    copied(&broker, &daemon, sell(broker.option(), 260), 130);
    assert_eq!(broker.requests(ASHA, Operation::Margin).len(), 1);
    daemon.end();
}

#[test]
fn margin_by_the_broker_counts_more_than_the_estimate() {
    // By the estimate a short lot needs 16,900 rupees; the broker holds 2,02,909.20.
    let Stage { broker, daemon } = asked(150_000).set("risk.short_margin_pct = 1").stage();
    let short = broker.lead(sell(broker.option(), 130));
    daemon.until_refused(&short, "asha", "skipped", "margin_short");
    broker.quiet();
    assert!(broker.placements(ASHA).is_empty());
    copied(&broker, &daemon, buy(second(&broker), 130), 65);
    daemon.end();
}

#[test]
fn margin_by_the_broker_is_late() {
    let Stage { broker, mut daemon } = asked(20_000).stage();
    daemon.expects("the local estimate counts");
    broker.spoil(ASHA, Operation::Margin, 1, AnswerFault::Delay { ms: 3_000 });
    copied(&broker, &daemon, buy(broker.option(), 260), 130);
    daemon.end();
}

#[test]
fn margin_by_the_broker_fails() {
    let Stage { broker, mut daemon } = asked(10_000).stage();
    daemon.expects("the local estimate counts");
    broker.spoil(ASHA, Operation::Margin, 2, AnswerFault::ErrorBefore { status: 500 });
    // The estimate knows of money for one lot.
    copied(&broker, &daemon, buy(broker.option(), 260), 65);
    denied(&broker, &daemon, buy(broker.option(), 130), "margin_short");
    daemon.end();
}

#[test]
fn margin_by_the_broker_cuts_to_what_fits() {
    let Stage { broker, daemon } = asked(10_000).stage();
    copied(&broker, &daemon, buy(broker.option(), 260), 65);
    assert_eq!(broker.requests(ASHA, Operation::Margin).len(), 2, "asked about again");
    daemon.end();
}

#[test]
fn margin_by_the_broker_cuts_nothing_where_caps_skip() {
    let Stage { broker, daemon } = asked(10_000).set("risk.at_cap = \"skip\"").stage();
    denied(&broker, &daemon, buy(broker.option(), 260), "margin_short");
    assert_eq!(broker.requests(ASHA, Operation::Margin).len(), 1);
    daemon.end();
}

/// Naked, a short lot needs 2,53,500 rupees by the estimate; covered from 200 points away 76,375.
#[test]
fn margin_of_a_covered_short_is_less() {
    for margin in ["estimate", "broker"] {
        let Stage { broker, daemon } = poor_by(100_000, margin).stage();
        let orders = broker.lead_all([buy(second(&broker), 130), sell(broker.option(), 130)]);
        daemon.until_filled(&orders[0], "asha", 65);
        daemon.until_filled(&orders[1], "asha", 65);
        broker.quiet();
        assert_eq!(broker.net(ASHA, broker.option()), -65, "{margin}");
        // The calculator does not know of the cover, and is not asked about the sale.
        let questions = usize::from(margin == "broker");
        assert_eq!(broker.requests(ASHA, Operation::Margin).len(), questions);
        daemon.end();
    }
}
