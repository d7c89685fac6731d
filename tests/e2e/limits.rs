//! E: what an owner allows to be opened: money, losses, caps, prices, lists. Each refusal has its reason, and exits pass
//! all of it.

mod budget;
mod caps;
mod filters;
mod money;
mod prices;
mod stopping;

use tandem_domain::instrument::{InstrumentKey, OptionType};
use tandem_domain::order::OrderTerms;

use crate::harness::{ASHA, Broker, Daemon, Setup};

/// Half of what the leader does, whatever their money.
fn halves() -> Setup {
    Setup::new().set("sizing.strategy = \"fixed_ratio\"").set("sizing.ratio = 0.5")
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
