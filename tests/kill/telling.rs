//! P10, P26: what is told once is durable with the fact it is about, whenever the process ends.

use tandem_domain::quantity::Quantity;

use crate::harness::{ASHA, buy, limit, rupees, until};
use crate::leader::LOT;
use crate::life::setup;

/// What `abort` ends a process with.
const SIGABRT: i32 = 6;

/// Nothing tells of it a second time: the fill is on record, and the broker's book says no more than that.
#[test]
fn f4_an_overfill_is_an_incident_though_the_process_ends_with_its_commit() {
    let stage = setup().stage();
    let (broker, mut daemon) = (stage.broker, stage.daemon);
    let [option, _] = crate::leader::Leader::new(&broker, 1).options;
    broker.lead(limit("95.00", buy(option, 2 * LOT)));
    until("a copy rests", || (broker.orders(ASHA).len() == 1).then_some(()));
    broker.quiet();
    daemon.kill();
    daemon.start_with("after_fill_commit=abort");
    daemon.until_live(2);
    broker.quiet();

    let copy = broker.only_order(ASHA);
    let more = Quantity::new(2 * LOT);
    broker.sim.with_exchange(|exchange| {
        assert!(exchange.report_fill(&copy.id, more, rupees("95.00")));
    });
    assert_eq!(daemon.until_signal(), Some(SIGABRT));
    let listed = daemon.run_command(&["incidents", "--database", "tandem.db"]);
    assert!(listed.contains("overfill"), "{listed}");

    // The log has it, too: the process that died could not say it any more.
    let bytes = daemon.log_bytes();
    daemon.start_and_follow();
    until("its line", || daemon.line_since(bytes, "\"alert\":\"overfill\""));
    broker.quiet();
    daemon.until_incident("overfill", "asha");
    daemon.assert_told_of_no_failure();
}
