//! A: how much is opened: shares below a lot, remainders, slices, the four strategies, capital and margin.

use std::time::Duration;

use tandem_domain::ids::BrokerOrderId;
use tandem_domain::order::{OrderTerms, Product};
use tandem_domain::price::{Money, Price};
use tandem_sim::Operation;

use crate::harness::{
    ASHA, BALA, Broker, CHAN, Daemon, Follower, LEADER, Setup, Stage, account, buy, limit, rupees, sell,
    to_price, to_units, until,
};

const LOT: u32 = 65;

#[test]
fn a13_what_was_below_one_lot_is_not_closed_either() {
    // Bala has a fifth of the leader's capital: 0.4 lots of his 2.
    let Stage { broker, daemon } = Setup::new().followers([Follower::BALA]).stage();
    let option = broker.option();
    let entry = broker.lead(buy(option, 130));
    daemon.until_refused(&entry, "bala", "skipped", "below_one_lot");
    let exit = broker.lead(sell(option, 130));

    daemon.until_refused(&exit, "bala", "skipped", "nothing_to_close");
    broker.quiet();
    assert!(broker.calls(BALA).is_empty());
    daemon.end();
}

#[test]
fn a13_one_lot_is_not_owed_back() {
    let Stage { broker, daemon } =
        Setup::new().followers([Follower::BALA]).set(r#"sizing.minimum = "one_lot""#).stage();
    let option = broker.option();
    // 0.4 of a lot each time, and each time one lot; 6 lots are 1.2.
    for (units, held) in [(130, 65), (130, 130), (390, 195)] {
        let entry = broker.lead(buy(option, units));
        daemon.until_filled(&entry, "bala", 65);
        assert_eq!(broker.net(BALA, option), held);
    }
    let exit = broker.lead(sell(option, 650));
    daemon.until_filled(&exit, "bala", 195);
    broker.quiet();
    assert_eq!(broker.net(BALA, option), 0);
    daemon.end();
}

#[test]
fn a13_remainder_of_its_own_for_each_instrument_side_and_product() {
    let Stage { broker, daemon } = Setup::new().stage();
    let (option, other) =
        (broker.option(), broker.option_at(1, 26_100, tandem_domain::instrument::OptionType::Call, "80.00"));
    let intraday = |terms| OrderTerms { product: Product::Intraday, ..terms };
    for terms in [buy(option, LOT), buy(other, LOT), intraday(buy(option, LOT))] {
        let order = broker.lead(terms);
        daemon.until_refused(&order, "asha", "skipped", "below_one_lot");
    }
    // The second half of a lot of the first kind makes it whole.
    let order = broker.lead(buy(option, LOT));
    daemon.until_filled(&order, "asha", LOT);
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).terms.instrument, option);
    assert_eq!(broker.position(ASHA, option, Product::Margin), 65);
    daemon.end();
}

#[test]
fn a13_without_a_remainder_each_order_stands_alone() {
    let Stage { broker, daemon } = Setup::new().set("sizing.remainder = false").stage();
    let option = broker.option();
    for _ in 0..3 {
        let order = broker.lead(buy(option, LOT));
        daemon.until_refused(&order, "asha", "skipped", "below_one_lot");
    }
    broker.quiet();
    assert!(broker.calls(ASHA).is_empty());
    daemon.end();
}

/// Units of the account's orders that work.
fn working(broker: &Broker, client_id: &str) -> Vec<(u32, Price)> {
    let orders = broker.orders(client_id).into_iter().filter(|copy| !copy.status.is_terminal());
    let mut sizes: Vec<_> = orders.map(|copy| (copy.terms.quantity.get(), copy.terms.price)).collect();
    sizes.sort_unstable();
    sizes
}

#[test]
fn a14_an_exit_rests_in_slices() {
    let Stage { broker, daemon } = Setup::new()
        .set(r#"sizing.strategy = "fixed_ratio""#)
        .set("sizing.ratio = 3")
        .set("sizing.ratio_max = 3")
        .stage();
    let option = broker.option();
    broker.price(option, "40.00");
    let entry = broker.lead(buy(option, 1300));
    daemon.until_filled(&entry, "asha", 3900);

    // The freeze quantity is 1800: 27 lots of 65. Sixty lots make two whole slices and one of six.
    let exit = broker.lead(limit("50.00", sell(option, 1300)));
    daemon.until_copies(&exit, "asha", &["PENDING"; 3]);
    let at = |price: &str| [390, 1755, 1755].map(|units| (units, rupees(price)));
    assert_eq!(working(&broker, ASHA), at("50.00"));
    assert!(daemon.intents(&exit, "asha").iter().all(|slice| slice.purpose == "exit"));
    broker.change(LEADER, &exit, &to_price("48.00"));
    until("all slices are moved", || (working(&broker, ASHA) == at("48.00")).then_some(()));
    // Half of it: 30 lots.
    broker.change(LEADER, &exit, &to_units(650));
    until("half of it rests", || {
        let left: u32 = working(&broker, ASHA).iter().map(|(units, _)| units).sum();
        (left == 1950).then_some(())
    });
    broker.price(option, "48.00");

    daemon.until_filled(&exit, "asha", 1950);
    broker.quiet();
    assert_eq!(broker.net(ASHA, option), 1950);
    assert!(broker.orders(ASHA).iter().all(|copy| copy.terms.quantity.get() <= 1800));
    let rest = broker.lead(sell(option, 650));
    daemon.until_filled(&rest, "asha", 1950);
    broker.quiet();
    assert_eq!(broker.net(ASHA, option), 0);
    daemon.end();
}

#[test]
fn a26_twenty_one_lot_orders_are_ten_lots() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    for number in 1..=20 {
        let order = broker.lead(buy(option, LOT));
        if number % 2 == 1 {
            daemon.until_refused(&order, "asha", "skipped", "below_one_lot");
        } else {
            daemon.until_filled(&order, "asha", LOT);
        }
    }
    broker.quiet();
    assert_eq!(broker.orders(ASHA).len(), 10);
    assert_eq!(broker.net(ASHA, option), 650);

    // And ten on the way out, whichever orders they are sold by.
    let exits: Vec<BrokerOrderId> = (0..20).map(|_| broker.lead(sell(option, LOT))).collect();
    until("Asha is flat", || (broker.net(ASHA, option) == 0).then_some(()));
    daemon.until_leader(&exits[19], "is filled", |leader| leader.status == "TRADED");
    broker.pass(Duration::from_secs(5));
    assert_eq!((broker.net(LEADER, option), broker.net(ASHA, option)), (0, 0));
    let sold: u32 = broker.orders(ASHA).iter().skip(10).map(|copy| copy.filled.get()).sum();
    assert_eq!(sold, 650);
    daemon.end();
}

#[test]
fn a26_twenty_in_one_second_are_ten_lots() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let orders = broker.lead_all(std::iter::repeat_n(limit("95.00", buy(option, LOT)), 20));
    until("ten lots rest", || (working(&broker, ASHA).len() == 10).then_some(()));
    broker.price(option, "95.00");
    until("ten lots are held", || (broker.net(ASHA, option) == 650).then_some(()));
    broker.pass(Duration::from_secs(5));
    assert_eq!(broker.net(ASHA, option), 650);
    let target: u32 = orders.iter().map(|order| daemon.mapping(order, "asha").unwrap().target).sum();
    assert_eq!(target, 650);
    daemon.end();
}

#[test]
fn a26_credit_of_what_was_never_executed_is_taken_back() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let half = broker.lead(limit("90.00", buy(option, LOT)));
    daemon.until_refused(&half, "asha", "skipped", "below_one_lot");
    broker.cancel(LEADER, &half);
    daemon.until_leader(&half, "is cancelled", |leader| leader.status == "CANCELLED");
    broker.quiet();

    // Half a lot again, not a whole one.
    let second = broker.lead(buy(option, LOT));
    daemon.until_refused(&second, "asha", "skipped", "below_one_lot");
    let third = broker.lead(buy(option, LOT));
    daemon.until_filled(&third, "asha", LOT);
    broker.quiet();
    assert_eq!(broker.net(ASHA, option), 65);
    daemon.end();
}

/// The leader's buy of 4 lots at 95.00 rests, and so does Asha's of 2; he has a target at 120.00 in the book already.
fn anticipated(broker: &Broker, daemon: &Daemon) -> (BrokerOrderId, BrokerOrderId) {
    let option = broker.option();
    let entry = broker.lead(limit("95.00", buy(option, 260)));
    daemon.until_status(&entry, "asha", "PENDING");
    let target = broker.lead(limit("120.00", sell(option, 260)));
    let waits = daemon.until_outcome(&target, "asha", "waiting");
    assert_eq!(waits.reason.as_deref(), Some("nothing_to_close"));
    broker.pass(Duration::from_mins(2));
    assert_eq!(broker.calls(ASHA), ["POST /orders"]);
    (entry, target)
}

#[test]
fn a27_target_is_held_until_the_followers_own_buy_has_filled() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let (entry, target) = anticipated(&broker, &daemon);
    let copy = broker.only_order(ASHA);

    // The leader's fill alone is not enough.
    broker.fill(&entry, 260, "95.00");
    daemon.until_leader(&entry, "is filled", |leader| leader.filled == 260);
    broker.quiet();
    assert_eq!(broker.calls(ASHA), ["POST /orders"]);
    broker.fill(&copy.id, 65, "95.00");
    broker.until_order(ASHA, "sells a lot", |copy| copy.terms == limit("120.00", sell(option, 65)));
    broker.fill(&copy.id, 65, "95.00");
    until("both lots are for sale", || {
        let sells = broker.orders(ASHA).into_iter().skip(1).filter(|copy| !copy.status.is_terminal());
        (sells.map(|copy| copy.terms.quantity.get()).sum::<u32>() == 130).then_some(())
    });
    assert!(daemon.intents(&target, "asha").iter().all(|sent| sent.purpose == "exit"));

    broker.price(option, "120.00");
    daemon.until_filled(&target, "asha", 130);
    broker.quiet();
    assert_eq!((broker.net(LEADER, option), broker.net(ASHA, option)), (0, 0));
    daemon.end();
}

#[test]
fn a27_target_is_never_sent_when_the_followers_buy_is_refused() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("copy_gap");
    let option = broker.option();
    let (entry, target) = anticipated(&broker, &daemon);
    let copy = broker.only_order(ASHA);
    let text = "EXCH:16387:Security is not allowed to trade in this market.";
    assert!(broker.sim.with_exchange(|exchange| exchange.reject_resting(&copy.id, text)));
    daemon.until_status(&entry, "asha", "REJECTED");
    broker.fill(&entry, 260, "95.00");
    broker.quiet();
    broker.price(option, "120.00");
    daemon.until_leader(&target, "is filled", |leader| leader.filled == 260);

    daemon.until_refused(&target, "asha", "skipped", "nothing_to_close");
    broker.pass(Duration::from_mins(1));
    assert_eq!(broker.calls(ASHA), ["POST /orders"]);
    assert_eq!((broker.net(LEADER, option), broker.net(ASHA, option)), (0, 0));
    daemon.end();
}

#[test]
fn a28_short_under_risk_based_is_measured_by_margin() {
    let Stage { broker, daemon } =
        Setup::new().set(r#"sizing.strategy = "risk_based""#).set("sizing.risk_pct = 60").stage();
    let option = broker.option();
    // 60 per cent of 5 lakh is 3 lakh. A lot sold holds 15 per cent of 65 x 26,000, which is 2,53,500; its premium of
    // 6,500 would let all three through.
    let order = broker.lead(sell(option, 195));
    let mapping = daemon.until_filled(&order, "asha", 65);
    assert_eq!(mapping.strategy.as_deref(), Some("risk_based"));
    // Nothing is left for a second.
    let second = broker.lead(limit("110.00", sell(option, LOT)));
    daemon.until_refused(&second, "asha", "skipped", "below_one_lot");
    broker.quiet();
    assert_eq!(broker.net(ASHA, option), -65);
    assert_eq!(broker.calls(ASHA), ["POST /orders"]);
    daemon.end();
}

#[test]
fn a28_long_under_risk_based_is_measured_by_premium() {
    let Stage { broker, daemon } =
        Setup::new().set(r#"sizing.strategy = "risk_based""#).set("sizing.risk_pct = 4").stage();
    let option = broker.option();
    // 4 per cent of 5 lakh is 20,000: three lots of 6,500, but never more than the leader's.
    let first = broker.lead(limit("100.00", buy(option, 130)));
    daemon.until_filled(&first, "asha", 130);
    let second = broker.lead(limit("100.00", buy(option, 260)));
    daemon.until_filled(&second, "asha", 65);
    let third = broker.lead(limit("100.00", buy(option, 260)));
    daemon.until_refused(&third, "asha", "skipped", "below_one_lot");

    // The leader sells half of his ten lots, and the nearest lot to half of three is one, a tie closing.
    let half = broker.lead(sell(option, 325));
    daemon.until_filled(&half, "asha", 130);
    let rest = broker.lead(sell(option, 325));
    daemon.until_filled(&rest, "asha", 65);
    broker.quiet();
    assert_eq!(broker.net(ASHA, option), 0);
    daemon.end();
}

#[test]
fn a28_short_under_a_value_cap_is_measured_by_margin() {
    let skipping =
        Follower::BALA.with("sizing.strategy = \"fixed_ratio\"\nsizing.ratio = 0.5\nrisk.at_cap = \"skip\"");
    let Stage { broker, daemon } = Setup::new()
        .followers([Follower::ASHA, skipping])
        .set("risk.order_value_max_rupees = 300000")
        .stage();
    let option = broker.option();
    // Two lots hold 5,07,000 by the estimate: one is left of them, or none.
    let short = broker.lead(sell(option, 260));
    let cut = daemon.until_filled(&short, "asha", 65);
    assert_eq!(cut.reason.as_deref(), Some("order_value"));
    daemon.until_refused(&short, "bala", "skipped", "order_value");
    let back = broker.lead(buy(option, 260));
    daemon.until_filled(&back, "asha", 65);
    daemon.until_refused(&back, "bala", "skipped", "nothing_to_close");

    // The same bought costs 13,000.
    let long = broker.lead(limit("100.00", buy(option, 260)));
    daemon.until_filled(&long, "asha", 130);
    daemon.until_filled(&long, "bala", 130);
    broker.quiet();
    assert_eq!((broker.net(ASHA, option), broker.net(BALA, option)), (130, 130));
    daemon.end();
}

#[test]
fn a28_short_under_a_position_share_is_measured_by_margin() {
    let Stage { broker, daemon } = Setup::new().set("risk.position_share_max_pct = 60").stage();
    let option = broker.option();
    let first = broker.lead(sell(option, 130));
    daemon.until_filled(&first, "asha", 65);
    let second = broker.lead(sell(option, 130));
    daemon.until_refused(&second, "asha", "skipped", "position_share");
    broker.quiet();
    assert_eq!(broker.net(ASHA, option), -65);
    assert_eq!(broker.calls(ASHA), ["POST /orders"]);
    daemon.end();
}

/// Waits until the account's funds were asked for and told anew.
fn until_funds_read(broker: &Broker, client_id: &str) {
    let reads = || broker.requests(client_id, Operation::Funds).len();
    let before = reads();
    broker.pass(Duration::from_mins(1));
    until("funds are read again", || (reads() > before).then_some(()));
    broker.quiet();
}

#[test]
fn a29_ratio_stays_that_of_the_start_of_day() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    let option = broker.option();
    let lots_taken = |daemon: &Daemon, units: u32| {
        let order = broker.lead(buy(option, 260));
        daemon.until_filled(&order, "asha", units);
    };
    lots_taken(&daemon, 130);
    // He takes half of his money out, she pays as much in.
    broker.pay_in(LEADER, -500_000);
    broker.pay_in(ASHA, 1_000_000);
    until_funds_read(&broker, ASHA);
    lots_taken(&daemon, 130);
    let swung = Money::from_rupees(4_000_000);
    assert!(broker.sim.with_exchange(|exchange| exchange.set_capital(&account(LEADER), swung)));
    until_funds_read(&broker, ASHA);
    lots_taken(&daemon, 130);

    // And after a restart.
    daemon.terminate();
    assert_eq!(daemon.until_exit(), Some(0));
    daemon.start();
    daemon.until_live(2);
    lots_taken(&daemon, 130);
    broker.quiet();
    assert_eq!(broker.net(ASHA, option), 520);
    let exit = broker.lead(sell(option, 1040));
    daemon.until_filled(&exit, "asha", 520);
    broker.quiet();
    assert_eq!(broker.net(ASHA, option), 0);
    daemon.end();
}

#[test]
fn a29_ratio_never_exceeds_its_bound() {
    // Five times the leader's capital, and ten times.
    let asha = Follower::ASHA.with("sizing.ratio_max = 2");
    let rich = Follower { id: "bala", account: LEADER, toml: "" };
    let Stage { broker, daemon } = Setup::new().leader(CHAN).followers([asha, rich]).stage();
    let option = broker.option();
    let order = broker.own(CHAN, buy(option, 130));
    daemon.until_filled(&order, "asha", 260);
    daemon.until_filled(&order, "bala", 130);
    broker.quiet();
    assert_eq!((broker.net(ASHA, option), broker.net(LEADER, option)), (260, 130));
    daemon.end();
}

#[test]
fn a29_fixed_sums_as_capital() {
    let asha = Follower::ASHA.with("sizing.capital = \"fixed\"\nsizing.capital_rupees = 250000");
    let Stage { broker, daemon } = Setup::new()
        .followers([asha])
        .set("leader.capital = \"fixed\"")
        .set("leader.capital_rupees = 1000000")
        .stage();
    let option = broker.option();
    let order = broker.lead(buy(option, 260));
    daemon.until_filled(&order, "asha", 65);
    broker.quiet();
    assert_eq!(broker.net(ASHA, option), 65);
    daemon.end();
}

#[test]
fn fixed_lots_for_every_order() {
    let Stage { broker, daemon } = Setup::new()
        .set(r#"sizing.strategy = "fixed_lots""#)
        .set("sizing.lots = 3")
        .set("sizing.ratio_max = 3")
        .stage();
    let option = broker.option();
    let first = broker.lead(buy(option, LOT));
    assert_eq!(daemon.until_filled(&first, "asha", 195).strategy.as_deref(), Some("fixed_lots"));
    let second = broker.lead(limit("95.00", buy(option, 585)));
    daemon.until_status(&second, "asha", "PENDING");
    // Another quantity is no more lots.
    broker.change(LEADER, &second, &to_units(650));
    daemon.until_leader(&second, "is raised", |leader| leader.quantity == 650);
    broker.quiet();
    assert_eq!(working(&broker, ASHA), [(195, rupees("95.00"))]);
    broker.cancel(LEADER, &second);
    daemon.until_status(&second, "asha", "CANCELLED");

    // What is closed is a part of what is held, not so many lots.
    let third = broker.lead(buy(option, 130));
    daemon.until_filled(&third, "asha", 195);
    let exit = broker.lead(sell(option, LOT));
    daemon.until_filled(&exit, "asha", 130);
    let rest = broker.lead(sell(option, 130));
    daemon.until_filled(&rest, "asha", 260);
    broker.quiet();
    assert_eq!(broker.net(ASHA, option), 0);
    daemon.end();
}

#[test]
fn fixed_ratio_with_rounding_and_multiplier() {
    let strategy = "sizing.strategy = \"fixed_ratio\"\nsizing.ratio = 0.3\nsizing.multiplier = 1.5\n\
        sizing.remainder = false\n";
    let settings = |rounding: &str| -> &'static str {
        Box::leak(format!("{strategy}sizing.rounding = \"{rounding}\"").into_boxed_str())
    };
    let followers = [
        Follower::ASHA.with(settings("down")),
        Follower::BALA.with(settings("nearest")),
        Follower::CHAN.with(settings("up")),
    ];
    let Stage { broker, daemon } = Setup::new().followers(followers).stage();
    let option = broker.option();
    // 0.45 of 6 lots: 2.7.
    let order = broker.lead(buy(option, 390));
    for (follower, units) in [("asha", 130), ("bala", 195), ("chan", 195)] {
        daemon.until_filled(&order, follower, units);
    }
    // 0.45 of 5 lots: 2.25.
    let order = broker.lead(buy(option, 325));
    for (follower, units) in [("asha", 130), ("bala", 130), ("chan", 195)] {
        daemon.until_filled(&order, follower, units);
    }
    let exit = broker.lead(sell(option, 715));
    for (follower, units) in [("asha", 260), ("bala", 325), ("chan", 390)] {
        daemon.until_filled(&exit, follower, units);
    }
    broker.quiet();
    assert_eq!([ASHA, BALA, CHAN].map(|client_id| broker.net(client_id, option)), [0; 3]);
    daemon.end();
}
