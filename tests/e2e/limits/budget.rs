//! The broker's budget of requests: what her own program eats of it leaves room for exits.

use std::time::Duration;

use tandem_domain::instrument::InstrumentKey;

use super::{copied, halves, second};
use crate::harness::{ASHA, Broker, Daemon, Stage, buy, sell, until};

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
