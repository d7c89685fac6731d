//! A: what the leader's stream may do without anything being copied twice, or back.

use std::time::Duration;

use tandem_domain::order::Product;
use tandem_sim::exchange::{PlaceRequest, Source};
use tandem_sim::{Fault, JoinStyle, Mute};

use crate::harness::{ASHA, Broker, Follower, LEADER, Setup, Stage, buy, limit, until};

#[test]
fn a19_leader_is_rejected_by_the_exchange() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let text = "RMS:<id>:You have insufficient funds. Please add Rs.10 to trade.".to_owned();
    broker.inject(LEADER, Fault::RejectNext { count: 1, text });
    let order = broker.lead(buy(option, 260));

    daemon.until_refused(&order, "asha", "skipped", "leader_rejected");
    broker.quiet();
    assert!(broker.placements(ASHA).is_empty());
    daemon.end();
}

#[test]
fn a20_frames_doubled_swapped_and_joined() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    // An order of the app is told in three frames: in transit, pending, traded.
    let mischiefs = [
        Fault::StreamDuplicate { frames: 3 },
        Fault::StreamReorder { frames: 3 },
        Fault::StreamJoin { frames: 3, style: JoinStyle::Concatenated },
        Fault::StreamJoin { frames: 3, style: JoinStyle::Array },
    ];
    for mischief in mischiefs {
        broker.inject(LEADER, mischief);
        let order = broker.lead(buy(option, 130));
        daemon.until_filled(&order, "asha", 65);
        broker.quiet();
        assert_eq!(daemon.intents(&order, "asha").len(), 1);
    }
    assert_eq!(broker.orders(ASHA).len(), 4);
    assert_eq!(broker.position(ASHA, option, Product::Margin), 260);
    daemon.end();
}

#[test]
fn a21_an_order_placed_by_tandem_is_not_copied() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let tagged = PlaceRequest::new(buy(option, 260)).tagged("tdm-abcdefghijklmnopqrst");
    let order = broker.place(LEADER, Source::Api, [tagged]).remove(0);

    daemon.until_refused(&order, "asha", "skipped", "copy_loop");
    broker.quiet();
    assert!(broker.placements(ASHA).is_empty());
    daemon.end();
}

#[test]
fn a21_two_daemons_in_a_ring() {
    let broker = Broker::start(Broker::settings());
    let there = Setup::new().daemon(&broker);
    let back_again = Follower { id: "chief", account: LEADER, toml: "" };
    let back = Setup::new().leader(ASHA).followers([back_again]).daemon(&broker);
    until("both daemons live on the lent clock", || (broker.sim.daemons() == 2).then_some(()));
    let option = broker.option();
    let order = broker.lead(buy(option, 260));

    there.until_filled(&order, "asha", 130);
    let copy = broker.only_order(ASHA);
    back.until_refused(&copy.id, "chief", "skipped", "copy_loop");
    broker.quiet();
    assert_eq!((broker.orders(LEADER).len(), broker.orders(ASHA).len()), (1, 1));
    assert!(broker.placements(LEADER).is_empty());
    there.end();
    back.end();
}

/// Only the stream tells of the leader's orders: his book is not read in between.
fn by_stream_alone() -> Setup {
    Setup::new().set("leader.book_poll_ms = 600000")
}

#[test]
fn a25_first_frame_is_traded() {
    let Stage { broker, daemon } = by_stream_alone().stage();
    let option = broker.option();
    broker.inject(LEADER, Fault::StreamMute { mute: Mute::Frames });
    // Rests below the last price, unheard; then the price comes to it.
    let order = broker.lead(limit("95.00", buy(option, 260)));
    broker.inject(LEADER, Fault::StreamMute { mute: Mute::Off });
    let price = "95.00".parse().unwrap();
    assert!(broker.sim.with_exchange(|exchange| exchange.set_last_price(option, price)));

    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).terms.quantity.get(), 130);
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    daemon.end();
}

#[test]
fn a25_first_frame_is_cancelled_with_a_part_fill() {
    let Stage { broker, mut daemon } = by_stream_alone().stage();
    // He may take the copy's rest back before the clock is looked at again.
    daemon.tolerates("the leader's order filled further than the copy; 65 units short: cancelled");
    let option = broker.option();
    broker.offer(option, &[("100.00", 130)]);
    broker.inject(LEADER, Fault::StreamMute { mute: Mute::Frames });
    let order = broker.lead(limit("100.00", buy(option, 260)));
    broker.inject(LEADER, Fault::StreamMute { mute: Mute::Off });
    broker.cancel(LEADER, &order);

    // Two lots were executed: one of them is the follower's.
    let mapping = daemon.until_outcome(&order, "asha", "sent");
    assert_eq!((mapping.target, mapping.copied), (65, 65));
    broker.quiet();
    let copy = broker.only_order(ASHA);
    assert_eq!(copy.terms, limit("100.00", buy(option, 65)));
    daemon.end();
}

#[test]
fn a25_executed_before_the_daemon_came() {
    let broker = Broker::start(Broker::settings());
    let option = broker.option();
    let old = broker.lead(buy(option, 260));
    // With nobody on the clock it jumps: past the age at which entries are still copied.
    broker.pass(Duration::from_secs(40));
    let young = broker.lead(buy(option, 260));

    let daemon = Setup::new().daemon(&broker);
    daemon.until_filled(&young, "asha", 130);
    daemon.until_refused(&old, "asha", "skipped", "stale_entry");
    broker.quiet();
    assert_eq!(broker.orders(ASHA).len(), 1);
    daemon.end();
}
