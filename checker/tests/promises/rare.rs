//! Ways to break a promise that no single day is likely to show: each check's last branch fires, too.

use crate::day::{DAY, LATE, TAGS, another_intent, assert_breaks, at, broken, judged};

/// This promise is broken; such a row contradicts others as well.
#[track_caller]
fn assert_finds(promise: u8, break_it: &str) {
    let report = judged(break_it);
    assert!(broken(&report).contains(&promise), "{:#?}", report.findings().collect::<Vec<_>>());
}

#[test]
fn p1_held_back_by_its_row_and_at_the_broker() {
    assert_finds(
        1,
        "UPDATE intents SET state = 'PLANNED', ts_sent = NULL WHERE leader_order_id = 'L1' AND serial = 0",
    );
}

#[test]
fn p3_called_not_sent_and_at_the_broker() {
    assert_breaks(3, "UPDATE intents SET state = 'NOT_SENT' WHERE leader_order_id = 'L1' AND serial = 0");
}

#[test]
fn p5_a_repair_of_more_than_the_copy_filled() {
    let repair = |quantity: i64| {
        another_intent(
            "tdm-dddddddddddddddddddd",
            &[
                ("leg", "1".into()),
                ("slice", "0".into()),
                ("purpose", "'exit'".into()),
                ("side", "'SELL'".into()),
                ("state", "'UNKNOWN'".into()),
                ("updated_at", LATE.into()),
                ("quantity", quantity.to_string()),
            ],
        )
    };
    assert_breaks(5, &repair(66));
    assert_eq!(broken(&judged(&repair(65))), [0_u8; 0]);
}

#[test]
fn p18_more_changes_than_one_order_bears() {
    let change = |number: i64| {
        format!(
            "INSERT INTO intents SELECT client_order_id, 'modify', {number}, 'whole', trading_day, leader_account,
                 leader_order_id, follower_id, leg, slice, attempt, account, event_fingerprint, purpose, 'ACKED', segment,
                 security_id, side, product, order_type, time_in_force, quantity, disclosed, price + {number},
                 trigger_price, after_market, form, broker_order_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                 ts_committed + {number} * 1000000, ts_sent + {number} * 1000000, NULL, NULL, created_at, updated_at
             FROM intents WHERE leader_order_id = 'L1' AND serial = 0;"
        )
    };
    let changes = |many: i64| (1..=many).map(change).collect::<Vec<_>>().concat();
    assert_eq!(broken(&judged(&changes(25))), [0_u8; 0]);
    assert_breaks(18, &changes(26));
    // An owner may have set less.
    let fewer = format!(
        "INSERT INTO config VALUES ('v1', 'follower[0].broker_limits.modifications_per_order', '5', {});",
        at(-3000)
    );
    assert_breaks(18, &(changes(6) + &fewer));
}

#[test]
fn p26_an_order_that_counts_as_a_copy_of_nothing() {
    assert_breaks(
        26,
        "UPDATE orders SET client_order_id = NULL, tag = NULL WHERE broker_order_id = 'F3';
         UPDATE intents SET broker_order_id = NULL, state = 'REFUSED', refusal_text = 'no' WHERE leader_order_id = 'L3'",
    );
}

#[test]
fn p26_skipped_and_alive() {
    assert_finds(
        26,
        &format!(
            "UPDATE intents SET state = 'UNKNOWN' WHERE client_order_id = '{}' AND serial = 0;
             UPDATE copy_mappings SET outcome = 'skipped', reason = 'stale_entry', target_quantity = 65
             WHERE trading_day = '{DAY}' AND leader_order_id = 'L3'",
            TAGS[2]
        ),
    );
}

/// A later attempt for an order of yesterday, sent today.
#[test]
fn p29_yesterdays_order_sent_again() {
    let today = at(86_400);
    let again = another_intent(
        "tdm-dddddddddddddddddddd",
        &[
            ("slice", "0".into()),
            ("attempt", "2".into()),
            ("state", "'UNKNOWN'".into()),
            ("ts_decided", today.to_string()),
            ("ts_committed", today.to_string()),
            ("ts_sent", (today + 1).to_string()),
            ("created_at", today.to_string()),
            ("updated_at", today.to_string()),
        ],
    );
    assert_finds(29, &again);
}
