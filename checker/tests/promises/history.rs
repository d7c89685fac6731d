//! What the rows alone show.

use rusqlite::Connection;
use tandem_checker::{Judgement, verify};

use crate::day::{ASHA, DAY, LATE, TAGS, another_intent, assert_breaks, at, audit, broken, judged, write};

#[test]
fn a_right_day_breaks_nothing() {
    let report = judged("");
    assert_eq!(broken(&report), [0_u8; 0], "{:#?}", report.findings().collect::<Vec<_>>());
    assert_eq!(report.days, [DAY]);
    assert_eq!(report.verdicts.len(), 29);
    let numbers: Vec<u8> = report.verdicts.iter().map(|verdict| verdict.promise).collect();
    assert_eq!(numbers, (1..=29).collect::<Vec<u8>>());
    for looked_at in [1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 18, 20, 22, 25, 26, 29_usize] {
        let verdict = &report.verdicts[looked_at - 1];
        assert!(matches!(verdict.judgement, Judgement::Kept { looked_at: 1.. }), "{verdict:?}");
    }
}

#[test]
fn p1_an_order_of_ours_without_a_decision() {
    assert_breaks(1, "UPDATE orders SET role = 'external', client_order_id = NULL, tag = 'tdm-zzzzzzzzzzzzzzzzzzzz',
        parent_order_id = NULL WHERE broker_order_id = 'F3';
        INSERT INTO orders SELECT account, trading_day, 'F9', role, NULL, NULL, 'tdm-zzzzzzzzzzzzzzzzzzzz', segment,
            security_id, side, product, order_type, time_in_force, quantity, disclosed, price, trigger_price, after_market,
            leg, status, terminal, 0, 0, NULL, source, ts_event, ts_first_event, NULL, first_seen_at, updated_at, NULL,
            NULL, 0, NULL FROM orders WHERE broker_order_id = 'F3';
        DELETE FROM orders WHERE broker_order_id = 'F3';
        UPDATE intents SET state = 'VOIDED', broker_order_id = NULL, ts_sent = NULL WHERE leader_order_id = 'L3';
        UPDATE copy_mappings SET outcome = 'voided', reason = 'leader_gone' WHERE leader_order_id = 'L3'");
}

#[test]
fn p1_a_request_before_its_row() {
    assert_breaks(1, "UPDATE intents SET ts_sent = ts_committed - 1 WHERE leader_order_id = 'L1'");
}

#[test]
fn p1_an_order_older_than_its_decision() {
    assert_breaks(
        1,
        "UPDATE orders SET ts_first_event = ts_first_event - 10000000 WHERE broker_order_id = 'F1'",
    );
}

#[test]
fn p1_another_side_than_was_decided() {
    // The fills and the position would not fit the rows either: both sides of the day are turned.
    assert_breaks(1, "UPDATE intents SET side = 'BUY' WHERE leader_order_id = 'L2'");
}

#[test]
fn p2_a_next_attempt_while_the_first_lives() {
    let next = another_intent(
        "tdm-dddddddddddddddddddd",
        &[
            ("slice", "0".into()),
            ("attempt", "2".into()),
            ("state", "'VOIDED'".into()),
            ("ts_sent", "NULL".into()),
            ("created_at", (at(1) - 1000).to_string()),
        ],
    );
    assert_breaks(2, &next);
}

#[test]
fn p2_one_mark_on_two_orders() {
    assert_breaks(2, "INSERT INTO orders SELECT account, trading_day, 'F9', 'external', NULL, NULL, tag, segment,
        security_id, side, product, order_type, time_in_force, quantity, disclosed, price, trigger_price, after_market, leg,
        'REJECTED', 1, 0, 0, NULL, source, ts_event, ts_first_event, NULL, first_seen_at, updated_at, NULL, NULL, 0, NULL
        FROM orders WHERE broker_order_id = 'F1'");
}

/// An operator's own order to close what earlier days copied stands in the leader's place in the follower's account: all
/// of them carry one mark, and no broker ever sees it.
#[test]
fn an_operators_square_off_is_no_order_at_the_broker() {
    let own = |id: &str| {
        format!(
            "INSERT INTO orders SELECT account, trading_day, '{id}', 'leader', NULL, NULL, 'tdm-square-off', segment,
                 security_id, side, product, order_type, time_in_force, quantity, disclosed, price, trigger_price,
                 after_market, leg, status, terminal, 0, 0, NULL, source, ts_event, ts_first_event, NULL, first_seen_at,
                 updated_at, NULL, NULL, 0, NULL FROM orders WHERE broker_order_id = 'F1';"
        )
    };
    let report = judged(&(own("square-off-1") + &own("square-off-2")));
    assert_eq!(broken(&report), [0_u8; 0], "{:#?}", report.findings().collect::<Vec<_>>());
}

#[test]
fn p3_a_refusal_that_nobody_spoke() {
    assert_breaks(
        3,
        "UPDATE intents SET state = 'REFUSED', broker_order_id = NULL WHERE leader_order_id = 'L3' AND serial = 1",
    );
}

#[test]
fn p3_a_refusal_of_an_order_that_exists() {
    assert_breaks(
        3,
        "UPDATE intents SET state = 'REFUSED', refusal_code = 'DH-905', broker_order_id = NULL
        WHERE leader_order_id = 'L3' AND serial = 0",
    );
}

#[test]
fn p3_an_order_taken_and_never_heard_of() {
    let unheard = another_intent(
        "tdm-dddddddddddddddddddd",
        &[("state", "'ACKED'".into()), ("broker_order_id", "'F9'".into()), ("quantity", "1".into())],
    );
    assert_breaks(
        3,
        &(unheard + "UPDATE copy_mappings SET target_quantity = 66 WHERE leader_order_id = 'L1'"),
    );
}

#[test]
fn p3_in_doubt_for_long_and_nobody_told() {
    let doubt = |state: &str| {
        another_intent("tdm-dddddddddddddddddddd", &[("state", format!("'{state}'"))])
            + "UPDATE copy_mappings SET target_quantity = 130 WHERE leader_order_id = 'L1';"
    };
    for state in ["UNKNOWN", "SENDING"] {
        assert_breaks(3, &doubt(state));
        let told = format!(
            "INSERT INTO incidents VALUES
                ('{DAY}/outcome_unknown/asha/NSE_FNO:43125', 1, 'outcome_unknown', 'asha', NULL, NULL, '', NULL);"
        );
        assert_eq!(broken(&judged(&(doubt(state) + &told))), [0_u8; 0]);
        // What was told and is over tells nobody of what is in doubt still.
        assert_breaks(3, &(doubt(state) + &told + "UPDATE incidents SET closed_at = 2"));
        let young = format!("UPDATE intents SET updated_at = {LATE} - 85000000 WHERE state = '{state}';");
        assert_eq!(
            broken(&judged(&(doubt(state) + &young))),
            [0_u8; 0],
            "twice the settle time, and a minute"
        );
    }
}

#[test]
fn p4_absent_too_soon() {
    let absent = another_intent(
        "tdm-dddddddddddddddddddd",
        &[("state", "'ABSENT'".into()), ("updated_at", at(5).to_string())],
    );
    assert_breaks(4, &absent);
}

#[test]
fn p5_more_working_than_the_target() {
    let beyond = another_intent(
        "tdm-dddddddddddddddddddd",
        &[
            ("state", "'UNKNOWN'".into()),
            ("purpose", "'entry'".into()),
            ("updated_at", format!("{LATE} - 85000000")),
        ],
    );
    assert_breaks(5, &beyond);
}

#[test]
fn p5_more_filled_than_the_target_without_a_gap() {
    let lower = "UPDATE copy_mappings SET target_quantity = 0 WHERE leader_order_id = 'L1';";
    assert_breaks(5, lower);
    let gap = format!(
        "INSERT INTO copy_gaps VALUES ('{DAY}', '1000000101', 'L1', 'asha', 'leader_cancelled', 65, 'reported', '', 0, 0)"
    );
    assert_eq!(broken(&judged(&(lower.to_owned() + &gap))), [0_u8; 0]);
}

#[test]
fn p6_an_exit_that_opens() {
    // The exit fills before anything is held; at the end all is flat.
    assert_breaks(6, "UPDATE trades SET ts_event = ts_event - 700000000 WHERE broker_order_id = 'F2'");
}

#[test]
fn p6_the_leader_flat_and_the_copy_held() {
    let held = format!(
        "UPDATE orders SET status = 'CANCELLED', cumulative = 0 WHERE broker_order_id = 'F2';
         UPDATE order_events SET status = 'CANCELLED', cumulative = 0 WHERE broker_order_id = 'F2' AND fingerprint = 2;
         DELETE FROM trades WHERE broker_order_id = 'F2';
         UPDATE copy_mappings SET filled_quantity = 0 WHERE leader_order_id = 'L2';
         UPDATE positions SET net_quantity = 65 WHERE account = '{ASHA}';"
    );
    assert_breaks(6, &held);
    let told = format!(
        "INSERT INTO incidents VALUES ('{DAY}/exit_given_up/asha/{}', 1, 'exit_given_up', 'asha', NULL, NULL, '', NULL)",
        TAGS[1]
    );
    assert_eq!(broken(&judged(&(held + &told))), [0_u8; 0]);
}

#[test]
fn p7_a_cancel_that_came_to_nothing() {
    let resting = "UPDATE orders SET status = 'PENDING', terminal = 0 WHERE broker_order_id = 'F3';
        DELETE FROM order_events WHERE broker_order_id = 'F3' AND fingerprint = 2;
        UPDATE copy_mappings SET target_quantity = 65 WHERE leader_order_id = 'L3';";
    assert_breaks(7, resting);
    // The same without a request: the leader's own cancel was never followed.
    assert_breaks(7, &format!("{resting} DELETE FROM intents WHERE serial = 1;"));
    let told = format!(
        "INSERT INTO incidents VALUES ('{DAY}/change_refused/asha/{}', 1, 'change_refused', 'asha', NULL, NULL, '', NULL)",
        TAGS[2]
    );
    assert_eq!(broken(&judged(&format!("{resting} {told}"))), [0_u8; 0]);
}

#[test]
fn p8_a_voided_order_that_exists() {
    assert_breaks(
        8,
        "UPDATE intents SET state = 'VOIDED' WHERE leader_order_id = 'L3' AND serial = 0;
        UPDATE copy_mappings SET outcome = 'voided', reason = 'leader_gone' WHERE leader_order_id = 'L3'",
    );
}

#[test]
fn p9_cumulative_that_falls() {
    assert_breaks(
        9,
        "UPDATE order_events SET cumulative = 130 WHERE broker_order_id = 'L3' AND fingerprint = 1",
    );
}

#[test]
fn p9_an_end_that_is_forgotten() {
    assert_breaks(9, "UPDATE orders SET terminal = 0, status = 'PENDING' WHERE broker_order_id = 'L3'");
}

#[test]
fn p9_a_fill_that_is_lost_or_counts_twice() {
    assert_breaks(9, "UPDATE trades SET quantity = 60 WHERE broker_order_id = 'F1'");
    assert_breaks(9, "UPDATE trades SET trade_id = 'TF1' WHERE broker_order_id = 'F2'");
    assert_breaks(9, "UPDATE copy_mappings SET filled_quantity = 0 WHERE leader_order_id = 'L1'");
}

#[test]
fn p10_an_overfill_that_nobody_was_told_of() {
    let overfilled = "UPDATE orders SET quantity = 60 WHERE broker_order_id = 'F1';";
    assert_breaks(10, overfilled);
    let told = format!(
        "INSERT INTO incidents VALUES ('{DAY}/overfill/asha/{}', 1, 'overfill', 'asha', NULL, NULL, '', 2)",
        TAGS[0]
    );
    assert_eq!(broken(&judged(&format!("{overfilled} {told}"))), [0_u8; 0]);
}

#[test]
fn p11_a_position_that_no_row_explains() {
    let drifted = "UPDATE positions SET net_quantity = 65;";
    assert_breaks(11, drifted);
    let told = format!(
        "INSERT INTO incidents VALUES
            ('{DAY}/ledger_drift/asha/NSE_FNO:43125', 1, 'ledger_drift', 'asha', NULL, NULL, '', NULL)"
    );
    assert_eq!(broken(&judged(&format!("{drifted} {told}"))), [0_u8; 0]);
    // What was carried from earlier days explains it, too.
    assert_eq!(broken(&judged("UPDATE positions SET net_quantity = 65, carried_quantity = 65")), [0_u8; 0]);
}

/// The copies of an order of the leader's left a minute later.
fn a_minute_later(order: &str) -> String {
    format!(
        "UPDATE intents SET ts_committed = ts_committed + 60000000, ts_sent = ts_sent + 60000000
        WHERE leader_order_id = '{order}';"
    )
}

#[test]
fn p13_an_entry_that_came_too_late() {
    assert_breaks(13, &a_minute_later("L1"));
    // An exit is never too late.
    assert_eq!(broken(&judged(&a_minute_later("L2"))), [0_u8; 0]);
}

/// The leader's order has been over for a minute when its copy leaves, which was heard of so long before.
fn over_for_a_minute(heard_s: i64) -> String {
    format!(
        "{}
        UPDATE order_events SET ts_init = (SELECT ts_sent FROM intents WHERE leader_order_id = 'L1') - {heard_s} * 1000000
        WHERE broker_order_id = 'L1' AND status = 'TRADED';",
        a_minute_later("L1")
    )
}

#[test]
fn p13_what_works_as_far_as_anybody_knows_is_not_late() {
    assert_eq!(broken(&judged(&over_for_a_minute(1))), [0_u8; 0]);
    assert_breaks(13, &over_for_a_minute(3));
}

/// The leader leaves at 5 what he bought at 0; Asha's entry is decided at this second, and her exit fills at 36.
fn decided_at(second: i64) -> String {
    let shift = |table: &str, columns: &[&str], by: i64, of: &str| {
        let set: Vec<String> =
            columns.iter().map(|column| format!("{column} = {column} + {by} * 1000000")).collect();
        format!("UPDATE {table} SET {} WHERE {of};", set.join(", "))
    };
    let orders = ["ts_event", "ts_first_event", "first_seen_at", "updated_at"];
    let intents = ["ts_decided", "ts_committed", "ts_sent", "created_at", "updated_at"];
    [
        shift("orders", &orders, -595, "broker_order_id IN ('L2', 'F2')"),
        shift("order_events", &["ts_event", "ts_init"], -595, "broker_order_id IN ('L2', 'F2')"),
        shift("intents", &intents, -595, "leader_order_id = 'L2'"),
        shift("trades", &["ts_event"], -565, "broker_order_id = 'F2'"),
        shift("orders", &orders, second, "broker_order_id = 'F1'"),
        shift("order_events", &["ts_event", "ts_init"], second, "broker_order_id = 'F1'"),
        shift("intents", &intents, second, "leader_order_id = 'L1'"),
        shift("trades", &["ts_event"], second, "broker_order_id = 'F1'"),
    ]
    .concat()
}

#[test]
fn p13_a_round_trip_played_again() {
    assert_breaks(13, &decided_at(10));
    // The other half was not known yet.
    assert_eq!(broken(&judged(&decided_at(7))), [0_u8; 0]);
    // He holds units of earlier days: he has not left.
    let carried = format!(
        "INSERT INTO ledger_openings VALUES ('asha', '{DAY}', 'NSE_FNO', 43125, 65, 0, 0, NULL, NULL, 0);"
    );
    assert!(!broken(&judged(&(decided_at(10) + &carried))).contains(&13));
    // He was known to hold units again a second before it left: whichever order it is counted to, they are due. Not so
    // what he buys after it.
    assert!(!broken(&judged(&(decided_at(10) + &bought_again_at(9)))).contains(&13));
    assert!(broken(&judged(&(decided_at(10) + &bought_again_at(11)))).contains(&13));
}

/// Another order of the leader's like his first, so many seconds behind it.
fn bought_again_at(second: i64) -> String {
    let copy = |table: &str, times: &[&str]| {
        let later: Vec<String> =
            times.iter().map(|time| format!("{time} = {time} + {second} * 1000000")).collect();
        format!(
            "CREATE TEMP TABLE again AS SELECT * FROM {table} WHERE broker_order_id = 'L1';
            UPDATE again SET broker_order_id = 'L9', {};
            INSERT INTO {table} SELECT * FROM again; DROP TABLE again;",
            later.join(", ")
        )
    };
    copy("orders", &["ts_event", "ts_first_event", "first_seen_at", "updated_at"])
        + &copy("order_events", &["ts_event", "ts_init"])
}

/// A halt from a minute before L1 to a minute after, ended by somebody.
fn halted(by: &str) -> String {
    let entry = |id: i64, seconds: i64, actor: &str, event: &str, state: &str| {
        audit(id, seconds, actor, event, "'asha'", &format!("{{\"new\":{{\"state\":\"{state}\"}}}}"))
    };
    entry(2, -60, "operator", "halt", "halted") + &entry(3, 60, by, "resume", "active")
}

#[test]
fn p17_an_entry_under_a_halt() {
    assert_breaks(17, &halted("operator"));
    // What was sent under it is an exit: it passes, but for the rest of the day's story.
    let report =
        judged(&(halted("operator") + "UPDATE intents SET purpose = 'exit' WHERE leader_order_id = 'L1'"));
    assert!(!broken(&report).contains(&17));
}

/// A command to a stopped daemon is stamped by the machine it is given on, whose clock may be another.
#[test]
fn p17_a_halt_by_another_clock_was_somewhere_between_its_neighbours() {
    let stamped = |first: i64, then: i64| {
        halted("operator")
            .replace(&at(-60).to_string(), &at(first).to_string())
            .replace(&at(60).to_string(), &at(then).to_string())
    };
    // Before the start that went before it; and a resume long after what came after it.
    assert_eq!(broken(&judged(&stamped(-9000, 60))), [0_u8; 0]);
    let settings = audit(4, 10, "operator", "settings", "NULL", "{}");
    assert_eq!(broken(&judged(&(stamped(5, 90_000) + &settings))), [0_u8; 0]);
    // The same where its time fits.
    assert_breaks(17, &stamped(5, 90_000));
}

#[test]
fn p17_armed_by_a_machine() {
    let early = halted("supervisor").replace(&at(-60).to_string(), &at(100).to_string());
    assert_breaks(17, &early.replace(&at(60).to_string(), &at(160).to_string()));
}

#[test]
fn p17_a_state_that_no_entry_made() {
    assert_breaks(
        17,
        &format!(
            "INSERT INTO trading_states VALUES ('asha', 'halted', 'operator', {0}, NULL, 0, {0}, NULL)",
            at(700)
        ),
    );
}

#[test]
fn p18_more_requests_than_a_second_bears() {
    let change = |number| {
        format!(
            "INSERT INTO intents SELECT client_order_id, 'modify', {number}, 'whole', trading_day, leader_account,
                 leader_order_id, follower_id, leg, slice, attempt, account, event_fingerprint, purpose, 'ACKED', segment,
                 security_id, side, product, order_type, time_in_force, quantity, disclosed, price + {number},
                 trigger_price, after_market, form, broker_order_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                 ts_committed, ts_sent + {number}, NULL, NULL, created_at, updated_at
             FROM intents WHERE leader_order_id = 'L1' AND serial = 0;"
        )
    };
    let many = (1..=10).map(change).collect::<Vec<_>>().concat();
    assert_breaks(18, &many);
    // Ten are as many as it bears.
    assert_eq!(broken(&judged(&many.replace("ts_sent + 10", "ts_sent + 1000001"))), [0_u8; 0]);
}

#[test]
fn p20_a_request_left_on_the_wire_by_a_crash() {
    let left = another_intent("tdm-dddddddddddddddddddd", &[("state", "'SENDING'".into())])
        + "UPDATE copy_mappings SET target_quantity = 130 WHERE leader_order_id = 'L1';";
    let started = audit(2, 100, "operator", "started", "NULL", "{}");
    let just_now = format!("UPDATE intents SET updated_at = {LATE} WHERE state = 'SENDING';");
    assert_eq!(broken(&judged(&(left.clone() + &just_now))), [0_u8; 0]);
    assert_breaks(20, &(left + &started));
}

#[test]
fn p22_a_record_with_holes() {
    assert_breaks(22, &audit(5, 0, "operator", "settings", "NULL", "{}"));
    // A row that refers to one that is not there.
    assert_breaks(
        22,
        &format!(
            "INSERT INTO positions VALUES ('{ASHA}', '2026-11-30', 'NSE_FNO', 1, 'MARGIN', 0, 0, 0, 0, 0, 0, 0)"
        ),
    );
}

#[test]
fn p22_an_audit_log_that_somebody_wrote_in() {
    for tampered in [
        "UPDATE audit_log SET details = '{\"by\":\"nobody\"}' WHERE id = 1",
        "UPDATE audit_log SET recorded_at = recorded_at + 1 WHERE id = 2",
        "DELETE FROM audit_log WHERE id = 2",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tandem.db");
        write(&path, &audit(2, 0, "operator", "settings", "'asha'", "{}"));
        assert_eq!(broken(&verify(&path, None, None).unwrap()), [0_u8; 0]);
        Connection::open(&path).unwrap().execute_batch(tampered).unwrap();
        assert_eq!(broken(&verify(&path, None, None).unwrap()), [22], "{tampered}");
    }
}

#[test]
fn p25_a_token_in_a_row() {
    assert_breaks(
        25,
        "UPDATE intents SET response = 'token eyJhbGciOiJIUzUxMiJ9.eyJkaGFuQ2xpZW50SWQiOjF9.c2ln'
        WHERE leader_order_id = 'L1'",
    );
}

#[test]
fn p26_a_copy_of_nothing() {
    assert_breaks(26, "UPDATE intents SET event_fingerprint = NULL WHERE leader_order_id = 'L1'");
}

#[test]
fn p26_a_leader_order_without_an_outcome() {
    assert_breaks(26, "INSERT INTO orders SELECT account, trading_day, 'L9', role, NULL, NULL, NULL, segment, security_id,
        side, product, order_type, time_in_force, quantity, disclosed, price, trigger_price, after_market, leg, 'REJECTED',
        1, 0, 0, NULL, source, ts_event, ts_first_event, NULL, first_seen_at, updated_at, NULL, NULL, 0, NULL
        FROM orders WHERE broker_order_id = 'L3'");
}

#[test]
fn p26_outcomes_that_are_not_true() {
    assert_breaks(26, "UPDATE copy_mappings SET outcome = 'waiting' WHERE leader_order_id = 'L3'");
    assert_breaks(
        26,
        "DELETE FROM intents WHERE leader_order_id = 'L3'; DELETE FROM orders WHERE broker_order_id = 'F3'",
    );
}

#[test]
fn p29_sent_on_another_day() {
    let day_later = 86_400_000_000_i64;
    // The leader's report of the next day makes it late as well, unless it is an exit.
    assert_breaks(
        29,
        &format!(
            "UPDATE intents SET ts_committed = ts_committed + {day_later}, ts_sent = ts_sent + {day_later}
         WHERE leader_order_id = 'L2'"
        ),
    );
}

#[test]
fn p29_in_doubt_since_yesterday() {
    let doubt = another_intent("tdm-dddddddddddddddddddd", &[("state", "'UNKNOWN'".into())])
        + "UPDATE copy_mappings SET target_quantity = 130 WHERE leader_order_id = 'L1';";
    let tomorrow = format!("UPDATE health SET reported_at = {};", at(86_400));
    assert_breaks(29, &(doubt.clone() + &tomorrow));
    let told = "INSERT INTO incidents VALUES
        ('2026-12-02/unresolved/asha/tdm-dddddddddddddddddddd', 1, 'unresolved', 'asha', NULL, NULL, '', NULL)";
    assert_eq!(broken(&judged(&(doubt + &tomorrow + told))), [0_u8; 0]);
}
