//! A follower's own order stream: what it tells is seen at once, and without it the polls still see everything.

use tandem_domain::order::Product;
use tandem_sim::Fault;

use crate::harness::{ASHA, Setup, Stage, buy};

const LISTENS: &str = "listening to the account's own order stream";
const LOST: &str = "the account's order stream is lost";

/// Polls so rare that only the stream can have told.
const RARELY: [&str; 2] = ["recovery.poll_ms = 600000", "recovery.idle_poll_ms = 600000"];

#[test]
fn d1_a_fill_is_seen_by_the_followers_own_stream() {
    let Stage { broker, daemon } = Setup::new().set(RARELY[0]).set(RARELY[1]).stage();
    daemon.until_log(LISTENS);
    let option = broker.option();
    let order = broker.lead(buy(option, 260));

    daemon.until_filled(&order, "asha", 130);
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    daemon.end();
}

#[test]
fn f2_a_followers_stream_is_lost_and_comes_back() {
    let Stage { broker, mut daemon } = Setup::new().set(RARELY[0]).set(RARELY[1]).stage();
    daemon.expects(LOST);
    daemon.until_log(LISTENS);
    broker.inject(ASHA, Fault::StreamClose);
    daemon.until_log(LOST);
    let option = broker.option();
    let missed = broker.lead(buy(option, 260));

    // Nobody told of this fill; the read after the next login does.
    daemon.until_log_count(LISTENS, 2);
    daemon.until_filled(&missed, "asha", 130);
    let heard = broker.lead(buy(option, 260));
    daemon.until_filled(&heard, "asha", 130);
    broker.quiet();
    assert_eq!(broker.orders(ASHA).len(), 2);
    daemon.end();
}
