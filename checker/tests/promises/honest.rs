//! Histories that look as if a promise were broken, and none is. Beside each stands the one that is broken.

use crate::day::{ASHA, DAY, assert_breaks, at, broken, judged};

#[track_caller]
fn assert_kept(history: &str) {
    let report = judged(history);
    assert_eq!(broken(&report), [0_u8; 0], "{:#?}", report.findings().collect::<Vec<_>>());
}

/// L1 and its copy alone; L1 stands and has filled nothing, its copy is filled.
fn copy_was_faster(status: &str) -> String {
    let gone = format!(
        "DELETE FROM intents WHERE leader_order_id = 'L2'; DELETE FROM copy_mappings WHERE leader_order_id = 'L2';
         DELETE FROM orders WHERE broker_order_id IN ('L2', 'F2'); DELETE FROM trades WHERE broker_order_id = 'F2';
         DELETE FROM order_events WHERE broker_order_id IN ('L2', 'F2');
         UPDATE positions SET net_quantity = 65 WHERE account = '{ASHA}';"
    );
    let terminal = u8::from(status == "CANCELLED");
    let event = if status == "CANCELLED" {
        "UPDATE order_events SET status = 'CANCELLED', cumulative = 0 WHERE broker_order_id = 'L1' AND fingerprint = 2;"
    } else {
        "DELETE FROM order_events WHERE broker_order_id = 'L1' AND fingerprint = 2;"
    };
    gone + event
        + &format!(
            "UPDATE orders SET status = '{status}', terminal = {terminal}, cumulative = 0 WHERE broker_order_id = 'L1';"
        )
}

#[test]
fn p6_a_copy_may_fill_before_the_leader_does() {
    assert_kept(&copy_was_faster("PENDING"));
    assert_breaks(6, &copy_was_faster("CANCELLED"));
}

/// Another exit rests beside F2 and fills a second after it, when nothing is held any more; the last row is so many seconds
/// later.
fn overlapping_exits_filled(later: i64) -> String {
    let (sent, filled, last) = (at(599), at(602), at(602 + later));
    let end = format!("ts_event = {filled}, ts_init = {filled}");
    format!(
        "DELETE FROM intents WHERE leader_order_id = 'L3' AND serial = 1;
         UPDATE intents SET purpose = 'exit', side = 'SELL', ts_decided = {sent}, ts_committed = {sent}, ts_sent = {sent},
             ts_answered = {sent}, created_at = {sent}, updated_at = {sent} WHERE leader_order_id = 'L3';
         UPDATE copy_mappings SET filled_quantity = 65, created_at = {sent}, updated_at = {sent} WHERE leader_order_id = 'L3';
         UPDATE orders SET side = 'SELL', status = 'TRADED', cumulative = 65, ts_event = {filled}, first_seen_at = {sent},
             updated_at = {filled} WHERE broker_order_id IN ('L3', 'F3');
         UPDATE order_events SET {end} WHERE broker_order_id IN ('L3', 'F3');
         UPDATE order_events SET status = 'TRADED', cumulative = 65
             WHERE broker_order_id IN ('L3', 'F3') AND fingerprint = 2;
         INSERT INTO trades SELECT account, trading_day, 'F3', 'TF3', segment, security_id, side, product, quantity, price,
             {filled}, {filled} FROM trades WHERE broker_order_id = 'F2';
         DELETE FROM position_snapshots; DELETE FROM positions; UPDATE health SET reported_at = {last};"
    )
}

#[test]
fn p6_what_overlapping_exits_close_too_much_is_told_in_time() {
    assert!(!broken(&judged(&overlapping_exits_filled(1))).contains(&6));
    assert!(broken(&judged(&overlapping_exits_filled(120))).contains(&6));
    let alone =
        "DELETE FROM intents WHERE leader_order_id = 'L2'; DELETE FROM trades WHERE broker_order_id = 'F1';
        UPDATE orders SET cumulative = 0 WHERE broker_order_id = 'F1';";
    assert!(broken(&judged(&(overlapping_exits_filled(1) + alone))).contains(&6), "one exit alone never may");
}

/// Copies were a lot short before the day. L1's copy opens a lot and fills in its first second; L2's, sent at this second,
/// closes the lot, and fills later.
fn closed_last(sent: i64) -> String {
    format!(
        "INSERT INTO ledger_openings VALUES ('asha', '{DAY}', 'NSE_FNO', 43125, 0, -65, 0, NULL, NULL, {opened});
         UPDATE intents SET side = 'BUY', ts_sent = {sent} WHERE leader_order_id = 'L2';
         UPDATE orders SET side = 'BUY' WHERE broker_order_id IN ('L2', 'F2');
         UPDATE trades SET side = 'BUY' WHERE broker_order_id = 'F2';
         UPDATE positions SET net_quantity = 65 WHERE account = '{ASHA}';",
        opened = at(-2000),
        sent = at(sent),
    )
}

#[test]
fn p6_what_leaves_together_fills_in_any_order() {
    assert!(!broken(&judged(&closed_last(0))).contains(&6));
    assert!(broken(&judged(&closed_last(300))).contains(&6), "sent when nothing was left to close");
}

#[test]
fn p5_a_target_that_falls_below_what_is_filled_is_told_when_the_leaders_order_is_over() {
    let lower = "UPDATE copy_mappings SET target_quantity = 0 WHERE leader_order_id = 'L1';";
    assert_kept(&(copy_was_faster("PENDING") + lower));
    assert_breaks(5, lower);
}

#[test]
fn p5_what_is_being_cancelled_is_the_cancels_to_answer_for() {
    let resting = "UPDATE orders SET status = 'PENDING', terminal = 0 WHERE broker_order_id = 'F3';
        DELETE FROM order_events WHERE broker_order_id = 'F3' AND fingerprint = 2;
        UPDATE copy_mappings SET target_quantity = 0 WHERE leader_order_id = 'L3';";
    assert_breaks(7, resting);
    let instead =
        "UPDATE intents SET created_at = created_at + 120000000 WHERE leader_order_id = 'L3' AND serial = 0;";
    // Placed since: then it is two in the place of one.
    assert!(broken(&judged(&format!("{resting} {instead}"))).contains(&5));
}

/// L2's copy sold nothing; the owner sold so many by hand.
fn owner_sold(units: u32) -> String {
    format!(
        "UPDATE orders SET status = 'CANCELLED', cumulative = 0 WHERE broker_order_id = 'F2';
         UPDATE order_events SET status = 'CANCELLED', cumulative = 0 WHERE broker_order_id = 'F2' AND fingerprint = 2;
         DELETE FROM trades WHERE broker_order_id = 'F2';
         UPDATE copy_mappings SET filled_quantity = 0 WHERE leader_order_id = 'L2';
         INSERT INTO orders SELECT account, trading_day, 'E1', 'external', NULL, NULL, NULL, segment, security_id, side,
             product, order_type, time_in_force, {units}, disclosed, price, trigger_price, after_market, leg, 'TRADED', 1,
             {units}, 1000000, NULL, source, ts_event, ts_first_event, NULL, first_seen_at, updated_at, NULL, NULL, 0, NULL
             FROM orders WHERE broker_order_id = 'F2';
         UPDATE positions SET net_quantity = 65 - {units} WHERE account = '{ASHA}';"
    )
}

#[test]
fn p6_what_the_owner_sold_himself_needs_no_exit() {
    assert_kept(&owner_sold(65));
    assert_kept(&owner_sold(130));
    assert_breaks(6, &owner_sold(60));
}

#[test]
fn p7_who_looks_seldom_knows_late() {
    let resting = "UPDATE orders SET status = 'PENDING', terminal = 0 WHERE broker_order_id = 'F3';
        DELETE FROM order_events WHERE broker_order_id = 'F3' AND fingerprint = 2;";
    assert_breaks(7, resting);
    assert_kept(&format!("{resting} INSERT INTO config VALUES ('v1', 'recovery.poll_ms', '36000000', 0)"));
}

#[test]
fn p5_a_target_that_fell_since_says_why() {
    let fell = |inputs: &str, reason: &str| {
        format!(
            "UPDATE copy_mappings SET target_quantity = 0, reason = {reason}, inputs = '{{\"quantity\":{inputs}}}'
             WHERE leader_order_id = 'L1';"
        )
    };
    assert_kept(&fell("65", "'below_one_lot'"));
    assert_breaks(5, &fell("65", "NULL"));
    assert_breaks(5, &fell("60", "'below_one_lot'"));
}
