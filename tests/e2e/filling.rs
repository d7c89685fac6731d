//! D: both fill, and are compared.

use std::time::Duration;

use serde_json::json;
use tandem_domain::order::Product;
use tandem_sim::{Fault, Mute, Operation, Rate};

use crate::harness::{ASHA, Daemon, LEADER, Setup, Stage, buy, limit, sell, until};

#[test]
fn d1_slippage_of_an_order_that_fills_at_once() {
    let Stage { broker, daemon } = Setup::new().sim(|sim| sim.rate = Rate::STOPPED).stage();
    let option = broker.option();
    broker.offer(option, &[("100.00", 260), ("100.25", 1000)]);
    let order = broker.lead(buy(option, 260));

    // Bought 0.25 dearer: 130 x 0.25 = 32.50 rupees, 5 ticks of 0.05, 25 basis points of 100.
    let mapping = daemon.until_filled(&order, "asha", 130);
    assert_eq!((mapping.leader_average, mapping.follower_average), (Some(1_000_000), Some(1_002_500)));
    assert_eq!(mapping.slippage, Some(325_000));
    assert_eq!((mapping.slippage_ticks, mapping.slippage_bps_x100), (Some(5), Some(2_500)));
    // The clock stood still.
    assert_eq!(mapping.fill_delay_us, Some(0));

    // Each fill is on record once, the leader's and the follower's.
    let copy = broker.only_order(ASHA);
    until("the trades of both", || {
        (!daemon.trades(LEADER).is_empty() && !daemon.trades(ASHA).is_empty()).then_some(())
    });
    broker.quiet();
    assert_eq!(daemon.trades(LEADER), [(order.to_string(), 260, 1_000_000)]);
    assert_eq!(daemon.trades(ASHA), [(copy.id.to_string(), 130, 1_002_500)]);
    daemon.end_at_rest(&broker);
}

#[test]
fn d1_delay_of_an_order_that_fills_later() {
    let Stage { broker, daemon } =
        Setup::new().set("alerts.slippage_bps_max = 500").sim(|sim| sim.rate = Rate::STOPPED).stage();
    let option = broker.option();
    broker.offer(option, &[("100.00", 260)]);
    let order = broker.lead(buy(option, 260));
    // Nothing is left: the market order rests as a limit 5 per cent above the last price, and fills there.
    daemon.until_status(&order, "asha", "PENDING");
    broker.pass(Duration::from_secs(3));
    broker.offer(option, &[("105.00", 1000)]);

    // Bought 5.00 dearer: 130 x 5 = 650 rupees, 100 ticks, 500 basis points, three seconds later.
    let mapping = daemon.until_filled(&order, "asha", 130);
    assert_eq!(mapping.slippage, Some(6_500_000));
    assert_eq!((mapping.slippage_ticks, mapping.slippage_bps_x100), (Some(100), Some(50_000)));
    assert_eq!(mapping.fill_delay_us, Some(3_000_000));
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    daemon.end_at_rest(&broker);
}

/// Whether none comes before the one it follows.
fn ascending(times: &[i64]) -> bool {
    times.windows(2).all(|pair| pair[0] <= pair[1])
}

#[test]
fn d1_delay_is_split_into_its_stretches() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = broker.lead(limit("95.00", buy(option, 260)));
    daemon.until_status(&order, "asha", "PENDING");
    broker.pass(Duration::from_secs(3));
    broker.price(option, "95.00");
    daemon.until_filled(&order, "asha", 130);

    // Leader's event, frame, decision, commit, request, answer.
    let times = daemon.times(&order, "asha");
    assert_eq!(times.len(), 6, "{times:?}");
    assert!(ascending(&times), "{times:?}");
    // And the same for everybody to see.
    let status = daemon.status();
    let delays = &status["delays_us"][0];
    assert_eq!(delays["follower"], "asha");
    for stretch in ["event_to_frame", "frame_to_decision", "decision_to_sent", "sent_to_answer"] {
        assert_eq!(delays[stretch]["measured"], 1, "{stretch}: {status:#}");
    }
    let to_fill = delays["answer_to_fill"]["median"].as_i64().unwrap();
    // By the broker's clock of whole seconds.
    assert!((1_000_000..=4_000_000).contains(&to_fill), "{status:#}");
    let slippage = &status["slippage"][0];
    assert_eq!((&slippage["copies"], &slippage["quantity"]), (&json!(1), &json!(130)));
    assert_eq!(slippage["money_units"], 0);
    daemon.end_at_rest(&broker);
}

/// Units and prices of an account's fills, sorted.
fn fills(daemon: &Daemon, account: &str) -> Vec<(u32, i64)> {
    let mut fills: Vec<_> =
        daemon.trades(account).into_iter().map(|(_, units, price)| (units, price)).collect();
    fills.sort_unstable();
    fills
}

#[test]
fn d2_several_part_fills() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = broker.lead(limit("95.00", buy(option, 520)));
    daemon.until_status(&order, "asha", "PENDING");
    let copy = broker.only_order(ASHA);
    let his = [(65, "95.00"), (130, "94.90"), (65, "94.50"), (260, "94.00")];
    for (at, (units, price)) in his.into_iter().enumerate() {
        broker.fill(&order, units, price);
        let filled = his[..=at].iter().map(|(units, _)| units).sum::<u32>();
        daemon.until_leader(&order, "is filled as far", |leader| leader.filled == filled);
    }
    for (units, price, filled) in [(65, "95.00", 65), (65, "94.80", 130), (130, "94.00", 260)] {
        broker.fill(&copy.id, units, price);
        daemon.until_filled(&order, "asha", filled);
    }

    // Each once, on both sides.
    until("all trades", || {
        (daemon.trades(LEADER).len() == 4 && daemon.trades(ASHA).len() == 3).then_some(())
    });
    broker.pass(Duration::from_secs(30));
    assert_eq!(fills(&daemon, LEADER), [(65, 945_000), (65, 950_000), (130, 949_000), (260, 940_000)]);
    assert_eq!(fills(&daemon, ASHA), [(65, 948_000), (65, 950_000), (130, 940_000)]);
    // His average: (65 x 95.00 + 130 x 94.90 + 65 x 94.50 + 260 x 94.00) / 520 = 94.4125; hers 94.45.
    let mapping = daemon.mapping(&order, "asha").unwrap();
    assert_eq!((mapping.leader_average, mapping.follower_average), (Some(944_125), Some(944_500)));
    assert_eq!(mapping.slippage, Some(260 * 375));
    assert_eq!((mapping.target, mapping.copied, mapping.filled), (260, 260, 260));
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    daemon.end_at_rest(&broker);
}

#[test]
fn d3_part_filled_copy_goes_on_working() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let order = broker.lead(limit("95.00", buy(option, 260)));
    daemon.until_status(&order, "asha", "PENDING");
    let copy = broker.only_order(ASHA);
    broker.fill(&copy.id, 65, "95.00");

    let mapping = daemon.until_filled(&order, "asha", 65);
    assert_eq!((mapping.outcome.as_str(), mapping.target, mapping.copied), ("sent", 130, 130));
    daemon.until_status(&order, "asha", "PART_TRADED");
    broker.pass(Duration::from_mins(5));
    let copy = broker.only_order(ASHA);
    assert_eq!((copy.status.as_str(), copy.filled.get()), ("PART_TRADED", 65));
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    broker.fill(&copy.id, 65, "95.00");
    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    daemon.end_at_rest(&broker);
}

#[test]
fn d6_fill_told_by_stream_and_book_counts_once() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    // Her stream says everything twice, and her books are read all the time.
    broker.inject(ASHA, Fault::StreamDuplicate { frames: 100 });
    let order = broker.lead(limit("95.00", buy(option, 260)));
    daemon.until_status(&order, "asha", "PENDING");
    let copy = broker.only_order(ASHA);
    for filled in [65, 130] {
        broker.fill(&copy.id, 65, "95.00");
        daemon.until_filled(&order, "asha", filled);
    }
    until("her trades", || (daemon.trades(ASHA).len() == 2).then_some(()));
    let reads = broker.requests(ASHA, Operation::Read).len();
    until("more reads of her books", || (broker.requests(ASHA, Operation::Read).len() > reads).then_some(()));

    broker.quiet();
    assert_eq!(fills(&daemon, ASHA), [(65, 950_000), (65, 950_000)]);
    let mapping = daemon.mapping(&order, "asha").unwrap();
    assert_eq!((mapping.target, mapping.copied, mapping.filled), (130, 130, 130));
    assert!(daemon.incidents().is_empty());

    // What is held because of copies was counted once too: an exit of all of it is an exit.
    let exit = broker.lead(sell(option, 260));
    daemon.until_filled(&exit, "asha", 130);
    assert_eq!(daemon.until_intent(&exit, "asha", "ACKED").purpose, "exit");
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 0);
    daemon.end_at_rest(&broker);
}

/// The broker's order book lags, and his stream is mute: the trade book proves it all the same, and once.
#[test]
fn d6_a_fill_that_only_the_trade_book_tells_counts() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    // If the order is hidden for longer than it may be.
    daemon.tolerates("its order book does not show it any more");
    let option = broker.option();
    broker.inject(ASHA, Fault::StreamMute { mute: Mute::Frames });
    broker.inject(ASHA, Fault::LateVisibility { ms: 20_000 });
    let order = broker.lead(buy(option, 260));
    daemon.until_filled(&order, "asha", 130);
    broker.inject(ASHA, Fault::LateVisibility { ms: 0 });
    broker.inject(ASHA, Fault::StreamMute { mute: Mute::Off });
    broker.pass(Duration::from_secs(20));
    broker.quiet();
    assert_eq!(daemon.mapping(&order, "asha").unwrap().filled, 130);
    let sold = broker.lead(sell(option, 260));
    daemon.until_filled(&sold, "asha", 130);
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 0);
    until("it is shown again", || daemon.incidents().is_empty().then_some(()));
    daemon.end_at_rest(&broker);
}

#[test]
fn d8_slippage_above_the_level_alerts() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("slippage");
    let option = broker.option();
    // 200 basis points are borne, more are not.
    broker.offer(option, &[("100.00", 260), ("102.00", 130)]);
    let borne = broker.lead(limit("103.00", buy(option, 260)));
    assert_eq!(daemon.until_filled(&borne, "asha", 130).slippage_bps_x100, Some(20_000));
    broker.quiet();
    assert!(daemon.incidents().is_empty());
    broker.offer(option, &[("100.00", 260), ("102.05", 130)]);
    let order = broker.lead(limit("103.00", buy(option, 260)));
    assert_eq!(daemon.until_filled(&order, "asha", 130).slippage_bps_x100, Some(20_500));

    daemon.until_incident("slippage", "asha");
    broker.quiet();
    assert_eq!(daemon.incidents().len(), 1);
    daemon.end_at_rest(&broker);
}

#[test]
fn d8_slippage_alert_switched_off() {
    let Stage { broker, daemon } = Setup::new().set("alerts.slippage_bps_max = 0").stage();
    let option = broker.option();
    broker.offer(option, &[("100.00", 260), ("105.00", 130)]);
    let order = broker.lead(limit("105.00", buy(option, 260)));
    assert_eq!(daemon.until_filled(&order, "asha", 130).slippage_bps_x100, Some(50_000));
    broker.quiet();
    assert!(daemon.incidents().is_empty());
    daemon.end_at_rest(&broker);
}
