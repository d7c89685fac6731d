//! What actors and `tandem status` read back.

use std::time::Duration;

use tandem_domain::gates::DeniedReason;
use tandem_domain::ids::{DhanClientId, FollowerId, Tag};
use tandem_domain::leader::LeaderOrder;
use tandem_domain::mirror::Outcome;
use tandem_domain::order::BrokerStatus;

use super::fixtures::{
    Bench, account, asha, at, change, child, day, follower_order, ground, intent, leader, leader_event,
    leader_order, mapping, order_id, planned, reported,
};
use crate::store::{IntentChange, IntentState, MirrorRows, OutcomeCount, Reader, Write};

#[test]
fn a_mirror_is_read_back_as_it_was_written() {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    bench.commit(vec![planned(&child(0, 1), IntentState::Sending, 130)]).unwrap();
    let order = follower_order(&child(0, 1), "F1", BrokerStatus::Pending, 0);
    let mut ack: IntentChange = change(&child(0, 1), IntentState::Acked);
    (ack.timing.sent, ack.timing.added_latency_us) = (Some(at(3)), Some(640));
    bench.commit(vec![Write::IntentChange(Box::new(ack)), reported(&order)]).unwrap();

    let mut stored = intent(&child(0, 1), IntentState::Acked, 130);
    (stored.timing.sent, stored.timing.added_latency_us) = (Some(at(3)), Some(640));
    let expected = MirrorRows {
        mapping: mapping(Outcome::Waiting, 130),
        leader: leader_order().into(),
        fills: Vec::new(),
        intents: vec![stored],
        orders: vec![order],
        gaps: Vec::new(),
    };
    assert_eq!(bench.store.reader.mirrors(day(), &asha()).unwrap(), [expected]);
    assert_eq!(bench.store.reader.added_latencies_us(day()).unwrap(), [640]);
    assert_eq!(bench.store.reader.request_times(day(), &asha()).unwrap(), [at(3)]);
    let stranger = FollowerId::new("bina").unwrap();
    assert!(bench.store.reader.mirrors(day(), &stranger).unwrap().is_empty());
}

#[test]
fn an_event_without_a_decision_is_found_at_start() {
    let bench = Bench::new();
    let mut second = leader_order();
    second.broker_order_id = order_id("L2");
    bench.commit(ground()).unwrap();
    bench.commit(vec![leader_event(&second)]).unwrap();
    let unplanned = |follower: &str| {
        let follower = FollowerId::new(follower).unwrap();
        let orders = bench.store.reader.unplanned_leader_orders(day(), &leader(), &follower).unwrap();
        orders.iter().map(|order| order.broker_order_id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(unplanned("asha"), ["L2"]);
    assert_eq!(unplanned("bina").len(), 2);
}

#[test]
fn outcomes_are_counted_by_reason() {
    let bench = Bench::new();
    for (number, reason) in
        [("L1", DeniedReason::NotOption), ("L2", DeniedReason::NotOption), ("L3", DeniedReason::StaleEntry)]
    {
        let mut order = leader_order();
        order.broker_order_id = order_id(number);
        let mut row = mapping(Outcome::Skipped, 0);
        (row.key.leader_order, row.reason) = (order_id(number), Some(reason));
        bench.commit(vec![leader_event(&order), Write::Mapping(Box::new(row))]).unwrap();
    }
    let count = |reason, mirrors| OutcomeCount {
        follower: asha(),
        outcome: Outcome::Skipped,
        reason: Some(reason),
        mirrors,
    };
    let expected = [count(DeniedReason::NotOption, 2), count(DeniedReason::StaleEntry, 1)];
    assert_eq!(bench.store.reader.outcomes(day()).unwrap(), expected);
    let counts = bench.store.reader.day_counts(day()).unwrap();
    assert_eq!((counts.leader_orders, counts.follower_orders, counts.trades), (3, 0, 0));
}

#[test]
fn status_reads_beside_a_running_daemon() {
    let bench = Bench::new();
    let status = Reader::open(&bench.settings.path, 1, Duration::from_secs(1)).unwrap();
    bench.commit(ground()).unwrap();
    assert_eq!(status.day_counts(day()).unwrap().leader_orders, 1);
    bench.commit(vec![planned(&child(0, 1), IntentState::Unknown, 130)]).unwrap();
    assert_eq!(status.day_counts(day()).unwrap().unknown_intents, 1);
    assert_eq!(status.active_orders(day()).unwrap().len(), 1);
}

#[test]
fn status_reads_after_the_daemon_has_gone() {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    let Bench { store, settings, folder: _folder, .. } = bench;
    store.stop();
    let status = Reader::open(&settings.path, 1, Duration::from_secs(1)).unwrap();
    assert_eq!(status.day_counts(day()).unwrap().leader_orders, 1);
}

#[test]
fn a_text_that_is_no_code_is_an_error_that_names_the_column() {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    bench.raw().execute("UPDATE orders SET segment = 'LSE'", []).unwrap();
    let error = bench.store.reader.leader_orders(day(), &leader()).unwrap_err();
    let text = std::error::Error::source(&error).unwrap().to_string();
    assert!(text.contains("LSE"), "{text}");
    let nobody = DhanClientId::new("1").unwrap();
    assert!(bench.store.reader.leader_orders(day(), &nobody).unwrap().is_empty());
}

/// The guards of P2 and P5 run before every intent, and a restart reads every follower's mirrors: they must look up,
/// never scan.
#[test]
fn lookups_use_indexes() {
    let bench = Bench::new();
    let raw = bench.raw();
    for sql in [
        "SELECT SUM(exposure) FROM child_orders WHERE trading_day = 'd' AND leader_account = 'l'
         AND leader_order_id = 'o' AND follower_id = 'f' AND leg = 0",
        "SELECT 1 FROM orders AS o CROSS JOIN intents AS i ON i.trading_day = o.trading_day AND i.leader_account = o.account
         AND i.leader_order_id = o.broker_order_id AND i.follower_id = 'f'
         WHERE o.trading_day = 'd' AND o.role = 'leader'",
        "SELECT 1 FROM orders AS o CROSS JOIN copy_gaps AS g ON g.trading_day = o.trading_day AND g.leader_account = o.account
         AND g.leader_order_id = o.broker_order_id AND g.follower_id = 'f'
         WHERE o.trading_day = 'd' AND o.role = 'leader'",
        "SELECT 1 FROM orders AS entry CROSS JOIN orders AS o ON o.account = entry.account
         AND o.trading_day = entry.trading_day AND o.parent_order_id = entry.broker_order_id
         WHERE entry.client_order_id = 'c'",
        "SELECT 1 FROM intents AS i WHERE i.trading_day = 'd' AND i.leader_account = 'l' AND i.leader_order_id = 'o'
         AND i.follower_id = 'f' AND i.leg = 0 AND i.slice = 0 AND i.attempt = 1 AND i.serial = 0",
    ] {
        let mut statement = raw.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.query_map([], |row| row.get::<_, String>("detail")).unwrap();
        for step in steps {
            let step = step.unwrap();
            let looked_up = step.starts_with("SEARCH") && (step.contains("INDEX") || step.contains("PRIMARY KEY"));
            assert!(looked_up || step.starts_with("CORRELATED SCALAR SUBQUERY"), "{step}");
        }
    }
}

#[test]
fn what_a_square_off_ordered_in_a_followers_account_is_no_leaders_day() {
    let bench = Bench::new();
    let own = LeaderOrder {
        account: account(),
        broker_order_id: order_id("square-off-1"),
        tag: Some(Tag::square_off()),
        ..leader_order()
    };
    bench.commit(vec![leader_event(&leader_order()), leader_event(&own)]).unwrap();
    assert_eq!(bench.store.reader.leader_days().unwrap(), [(day(), leader())]);
    assert_eq!(bench.store.reader.leader_orders(day(), &leader()).unwrap().len(), 1);
}
