//! D: both fill, and are compared.

use std::time::Duration;

use tandem_domain::order::Product;
use tandem_sim::Rate;

use crate::harness::{ASHA, LEADER, Setup, Stage, buy, until};

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
    daemon.end();
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
    daemon.end();
}
