//! A24: the legs of a spread. A sale that the leader has covered waits for the follower's own cover; on the way out the
//! short is bought back before its cover is sold; purchases never wait.

use std::time::Duration;

use tandem_domain::ids::BrokerOrderId;
use tandem_domain::instrument::{InstrumentKey, OptionType};
use tandem_domain::order::Side;

use crate::harness::{ASHA, Broker, Daemon, Setup, Stage, buy, limit, sell, until};

/// What is sold, and what covers it.
fn legs(broker: &Broker) -> (InstrumentKey, InstrumentKey) {
    (broker.option(), broker.option_at(1, 26_200, OptionType::Call, "60.00"))
}

/// Asha's orders as they were placed: side, instrument, units filled.
fn placed(broker: &Broker) -> Vec<(Side, InstrumentKey, u32)> {
    let orders = broker.orders(ASHA);
    orders.iter().map(|order| (order.terms.side, order.terms.instrument, order.filled.get())).collect()
}

/// The leader buys the cover at a limit where nobody sells, and sells the other leg at the market.
fn cover_rests(broker: &Broker) -> (BrokerOrderId, BrokerOrderId) {
    let (short, cover) = legs(broker);
    broker.offer(cover, &[]);
    let orders = broker.lead_all([limit("60.00", buy(cover, 130)), sell(short, 130)]);
    (orders[0].clone(), orders[1].clone())
}

/// Both hold the spread.
fn spread(broker: &Broker, daemon: &Daemon) -> (InstrumentKey, InstrumentKey) {
    let (short, cover) = legs(broker);
    let orders = broker.lead_all([buy(cover, 130), sell(short, 130)]);
    daemon.until_filled(&orders[0], "asha", 65);
    daemon.until_filled(&orders[1], "asha", 65);
    broker.quiet();
    (short, cover)
}

#[test]
fn a24_the_cover_is_filled_before_the_sale_leaves() {
    let Stage { broker, daemon } = Setup::new().stage();
    let (short, cover) = spread(&broker, &daemon);
    assert_eq!(placed(&broker), [(Side::Buy, cover, 65), (Side::Sell, short, 65)]);
    let orders = broker.orders(ASHA);
    assert!(orders[0].exchange_time.unwrap() <= orders[1].created, "{orders:?}");
    daemon.end();
}

#[test]
fn a24_the_sale_waits_until_the_followers_cover_has_filled() {
    let Stage { broker, daemon } = Setup::new().stage();
    let (short, cover) = legs(&broker);
    let (bought, sold) = cover_rests(&broker);
    daemon.until_status(&bought, "asha", "PENDING");
    // The leader's own fill is not enough.
    broker.fill(&bought, 130, "60.00");
    broker.pass(Duration::from_secs(3));
    assert_eq!(placed(&broker), [(Side::Buy, cover, 0)]);

    broker.fill(&broker.only_order(ASHA).id, 65, "60.00");
    daemon.until_filled(&sold, "asha", 65);
    assert_eq!(placed(&broker), [(Side::Buy, cover, 65), (Side::Sell, short, 65)]);
    assert_eq!((broker.net(ASHA, cover), broker.net(ASHA, short)), (65, -65));
    daemon.end();
}

/// The sale is given up, with an incident; whatever came of the cover.
fn given_up(broker: &Broker, daemon: &mut Daemon, sold: &BrokerOrderId) {
    daemon.expects("cover_missing");
    broker.pass(Duration::from_secs(6));
    daemon.until_refused(sold, "asha", "skipped", "cover_missing");
    daemon.until_incident("cover_missing", "asha");
    broker.pass(Duration::from_secs(10));
    let (short, _) = legs(broker);
    assert!(placed(broker).iter().all(|(_, instrument, _)| *instrument != short));
    // What he buys back she never had.
    let back = broker.lead(buy(short, 130));
    daemon.until_refused(&back, "asha", "skipped", "nothing_to_close");
    broker.quiet();
    assert_eq!(broker.net(ASHA, short), 0);
}

#[test]
fn a24_the_cover_never_fills() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    let (bought, sold) = cover_rests(&broker);
    daemon.until_status(&bought, "asha", "PENDING");
    given_up(&broker, &mut daemon, &sold);
    daemon.end();
}

#[test]
fn a24_the_cover_is_refused() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.tolerates("copy_gap");
    broker.reject_for_margin(ASHA, 1);
    let (short, cover) = legs(&broker);
    let orders = broker.lead_all([buy(cover, 130), sell(short, 130)]);
    daemon.until_status(&orders[0], "asha", "REJECTED");
    given_up(&broker, &mut daemon, &orders[1]);
    daemon.end();
}

#[test]
fn a24_the_cover_is_filtered() {
    let Stage { broker, mut daemon } = Setup::new().set(r#"copy.sides = ["SELL"]"#).stage();
    let (short, cover) = legs(&broker);
    let orders = broker.lead_all([buy(cover, 130), sell(short, 130)]);
    daemon.until_refused(&orders[0], "asha", "skipped", "side_filtered");
    given_up(&broker, &mut daemon, &orders[1]);
    daemon.end();
}

#[test]
fn a24_the_cover_is_rounded_away() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    let (short, cover) = legs(&broker);
    // One lot covers two: half of it is none.
    let orders = broker.lead_all([buy(cover, 65), sell(short, 130)]);
    daemon.until_refused(&orders[0], "asha", "skipped", "below_one_lot");
    given_up(&broker, &mut daemon, &orders[1]);
    daemon.end();
}

#[test]
fn a24_sent_without_its_cover_where_the_owner_says_so() {
    let Stage { broker, daemon } =
        Setup::new().set(r#"spread.on_missing_cover = "send""#).set("spread.cover_wait_ms = 2000").stage();
    let (short, cover) = legs(&broker);
    let (bought, sold) = cover_rests(&broker);
    daemon.until_status(&bought, "asha", "PENDING");
    broker.quiet();
    assert_eq!(placed(&broker), [(Side::Buy, cover, 0)]);
    broker.pass(Duration::from_secs(2));
    daemon.until_filled(&sold, "asha", 65);
    assert_eq!(broker.net(ASHA, short), -65);
    daemon.end();
}

#[test]
fn a24_a_sale_that_nothing_covers_does_not_wait() {
    let Stage { broker, daemon } = Setup::new().stage();
    let (short, _) = legs(&broker);
    let put = broker.option_at(1, 26_000, OptionType::Put, "80.00");
    // A put is no cover of a call.
    let orders = broker.lead_all([buy(put, 130), sell(short, 130)]);
    daemon.until_filled(&orders[1], "asha", 65);
    assert_eq!(broker.net(ASHA, short), -65);
    daemon.end();
}

#[test]
fn a24_purchases_never_wait() {
    let Stage { broker, daemon } = Setup::new().stage();
    let (short, cover) = legs(&broker);
    broker.bid(short, &[]);
    let sold = broker.lead(limit("100.00", sell(short, 130)));
    daemon.until_status(&sold, "asha", "PENDING");
    let bought = broker.lead(buy(cover, 130));
    daemon.until_filled(&bought, "asha", 65);
    assert_eq!(placed(&broker), [(Side::Sell, short, 0), (Side::Buy, cover, 65)]);
    daemon.end();
}

#[test]
fn a24_on_the_way_out_the_short_is_bought_back_first() {
    let Stage { broker, daemon } = Setup::new().stage();
    let (short, cover) = spread(&broker, &daemon);
    let orders = broker.lead_all([buy(short, 130), sell(cover, 130)]);
    for order in &orders {
        daemon.until_filled(order, "asha", 65);
    }
    broker.quiet();
    assert_eq!(placed(&broker)[2..], [(Side::Buy, short, 65), (Side::Sell, cover, 65)]);
    assert_eq!((broker.net(ASHA, cover), broker.net(ASHA, short)), (0, 0));
    daemon.end();
}

#[test]
fn a24_a_sold_cover_waits_for_the_short_but_not_for_ever() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.tolerates("copy_gap");
    let (short, cover) = spread(&broker, &daemon);
    broker.offer(short, &[]);
    let back = broker.lead(limit("90.00", buy(short, 130)));
    daemon.until_status(&back, "asha", "PENDING");
    let sold = broker.lead(sell(cover, 130));
    daemon.until_leader(&sold, "has filled", |leader| leader.filled == 130);
    broker.quiet();
    assert_eq!(broker.net(ASHA, cover), 65, "it waits");
    broker.pass(Duration::from_secs(3));
    until("the cover is sold", || (broker.net(ASHA, cover) == 0).then_some(()));
    daemon.end();
}
