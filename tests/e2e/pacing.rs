//! A18: a burst, within the broker's limits and in order of safety.

use std::time::Duration;

use tandem_domain::instrument::OptionType;
use tandem_domain::order::{Product, Side};

use crate::harness::{ASHA, Setup, Stage, buy, sell};

#[test]
fn a18_burst_is_paced_and_exits_go_first() {
    // Wide enough for a machine that is busy with other tests: what counts is when requests arrive.
    let Stage { broker, daemon } = Setup::new().set("broker.limits.window_guard_ms = 250").stage();
    let held = broker.option();
    let other = broker.option_at(1, 26_100, OptionType::Call, "60.00");
    let entry = broker.lead(buy(held, 390));
    daemon.until_filled(&entry, "asha", 195);
    // The burst finds every window empty.
    broker.pass(Duration::from_secs(90));
    broker.sim.clear_records();

    // Twelve entries, then three exits, in one moment.
    let entries = std::iter::repeat_n(buy(other, 130), 12);
    let exits = std::iter::repeat_n(sell(held, 130), 3);
    let orders = broker.lead_all(entries.chain(exits));
    for order in &orders {
        daemon.until_filled(order, "asha", 65);
    }
    broker.quiet();
    assert_eq!(broker.position(ASHA, other, Product::Margin), 780);
    assert_eq!(broker.position(ASHA, held, Product::Margin), 0);

    let requests = broker.placements(ASHA);
    assert_eq!(requests.len(), 15);
    assert!(requests.iter().all(|request| request.answered == Some(200)), "none was refused: {requests:?}");
    // Ten in any second, by the broker's own clock.
    let mut times: Vec<i64> = requests.iter().map(|request| request.simulated_us).collect();
    times.sort_unstable();
    for window in times.windows(11) {
        assert!(window[10] - window[0] >= 1_000_000, "eleven within a second: {times:?}");
    }
    // Eight entries fill their share of the second, two exits the reserve. The third exit came last of all, and is the
    // first of those that waited.
    let mut sent: Vec<(i64, Side)> = Vec::new();
    for order in &orders {
        let intent = daemon.until_intent(order, "asha", "ACKED");
        let side = if intent.purpose == "exit" { Side::Sell } else { Side::Buy };
        sent.push((intent.sent_us.unwrap(), side));
    }
    sent.sort_by_key(|(at, _)| *at);
    let first_ten = &sent[..10];
    assert_eq!(first_ten.iter().filter(|(_, side)| *side == Side::Buy).count(), 8);
    let waited: Vec<Side> = sent[10..].iter().map(|(_, side)| *side).collect();
    assert_eq!(waited, [Side::Sell, Side::Buy, Side::Buy, Side::Buy, Side::Buy]);
    daemon.end();
}
