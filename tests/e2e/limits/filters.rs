//! Lists of what is copied, and copying switched off.

use tandem_domain::instrument::InstrumentKey;
use tandem_domain::order::OrderTerms;

use super::{copied, denied, halves};
use crate::harness::{ASHA, Broker, Stage, buy, limit, sell};

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
