//! Prices at which nothing is opened: outside the band, off the tick, and away from what the leader paid.

use tandem_domain::instrument::InstrumentKey;

use super::{copied, denied, halves};
use crate::harness::{ASHA, Broker, Setup, Stage, buy, limit, sell, stop_loss};

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
