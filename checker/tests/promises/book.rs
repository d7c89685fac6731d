//! What only the broker's book shows.

use serde_json::{Value, json};

use crate::day::{ASHA, LEADER, TAGS, assert_breaks_beside, book, broken, clock, judged_beside, push};

/// The order of an account with this id.
fn order<'a>(accounts: &'a mut Value, account: &str, id: &str) -> &'a mut Value {
    let orders = accounts[account]["orders"].as_array_mut().unwrap();
    orders.iter_mut().find(|order| order["orderId"] == id).unwrap()
}

#[test]
fn a_right_day_and_its_book_break_nothing() {
    let report = judged_beside("", Some(&book()));
    assert_eq!(broken(&report), [0_u8; 0], "{:#?}", report.findings().collect::<Vec<_>>());
    assert!(report.with_book);
}

#[test]
fn p1_an_order_with_our_mark_that_no_row_knows() {
    assert_breaks_beside(1, "", |accounts| {
        let mut stray = order(accounts, ASHA, "F3").clone();
        stray["orderId"] = json!("F9");
        stray["correlationId"] = json!("tdm-zzzzzzzzzzzzzzzzzzzz");
        push(accounts, ASHA, "orders", stray);
    });
}

#[test]
fn p1_an_order_older_than_its_decision() {
    assert_breaks_beside(1, "", |accounts| {
        order(accounts, ASHA, "F1")["createTime"] = json!(clock(-10));
    });
}

#[test]
fn p2_one_decision_and_two_orders() {
    assert_breaks_beside(2, "", |accounts| {
        let mut twin = order(accounts, ASHA, "F3").clone();
        twin["orderId"] = json!("F9");
        push(accounts, ASHA, "orders", twin);
    });
    // Whatever the twin looks like, it is not taken for the order that was decided.
    assert_breaks_beside(2, "", |accounts| {
        let mut twin = order(accounts, ASHA, "F3").clone();
        twin["orderId"] = json!("F9");
        twin["transactionType"] = json!("SELL");
        push(accounts, ASHA, "orders", twin);
    });
}

#[test]
fn p3_called_taken_and_not_there() {
    assert_breaks_beside(3, "", |accounts| {
        accounts[ASHA]["orders"].as_array_mut().unwrap().retain(|order| order["orderId"] != "F3");
    });
}

#[test]
fn p3_called_unknown_while_the_book_shows_it() {
    let unknown = "UPDATE intents SET state = 'UNKNOWN', broker_order_id = NULL WHERE leader_order_id = 'L3' AND serial = 0;
        DELETE FROM intents WHERE serial = 1; DELETE FROM orders WHERE broker_order_id = 'F3';
        UPDATE copy_mappings SET target_quantity = 65 WHERE leader_order_id = 'L3'";
    assert_breaks_beside(3, unknown, |_| {});
}

#[test]
fn p4_called_absent_and_there() {
    let absent =
        "UPDATE intents SET state = 'ABSENT', broker_order_id = NULL, updated_at = updated_at + 20000000
            WHERE leader_order_id = 'L3' AND serial = 0;
        DELETE FROM intents WHERE serial = 1; DELETE FROM orders WHERE broker_order_id = 'F3'";
    let report = judged_beside(absent, Some(&book()));
    // It is a conclusion against evidence as well.
    assert_eq!(broken(&report), [3, 4]);
}

#[test]
fn p5_more_at_the_broker_than_the_target() {
    let smaller = "UPDATE copy_mappings SET target_quantity = 65 WHERE leader_order_id = 'L3';
        UPDATE orders SET status = 'PENDING', terminal = 0 WHERE broker_order_id = 'F3';
        DELETE FROM order_events WHERE broker_order_id = 'F3' AND fingerprint = 2;
        UPDATE orders SET status = 'PENDING', terminal = 0, cumulative = 10 WHERE broker_order_id = 'L3';
        DELETE FROM order_events WHERE broker_order_id = 'L3' AND fingerprint = 2; DELETE FROM intents WHERE serial = 1";
    assert_breaks_beside(5, smaller, |accounts| {
        order(accounts, LEADER, "L3")["filledQty"] = json!(10);
        let copy = order(accounts, ASHA, "F3");
        (copy["orderStatus"], copy["quantity"]) = (json!("PENDING"), json!(130));
    });
}

#[test]
fn p7_over_in_the_rows_and_working_at_the_broker() {
    let target = "UPDATE copy_mappings SET target_quantity = 65 WHERE leader_order_id = 'L3'";
    assert_breaks_beside(7, target, |accounts| {
        order(accounts, ASHA, "F3")["orderStatus"] = json!("PENDING");
    });
}

#[test]
fn p8_called_voided_and_there() {
    let voided = "UPDATE intents SET state = 'VOIDED', broker_order_id = NULL WHERE leader_order_id = 'L3' AND serial = 0;
        DELETE FROM intents WHERE serial = 1; DELETE FROM orders WHERE broker_order_id = 'F3';
        UPDATE copy_mappings SET outcome = 'voided', reason = 'leader_gone' WHERE leader_order_id = 'L3'";
    assert_breaks_beside(8, voided, |_| {});
}

#[test]
fn p9_a_fill_of_the_brokers_that_no_row_has() {
    assert_breaks_beside(9, "", |accounts| {
        push(
            accounts,
            ASHA,
            "trades",
            json!({
                "dhanClientId": ASHA, "orderId": "F3", "exchangeTradeId": "T9", "transactionType": "BUY",
                "exchangeSegment": "NSE_FNO", "securityId": "43125", "tradedQuantity": 0, "exchangeTime": clock(1250),
            }),
        );
    });
}

#[test]
fn p9_a_fill_that_the_broker_never_made() {
    let invented = "UPDATE trades SET trade_id = 'T9' WHERE broker_order_id = 'F1'";
    assert_breaks_beside(9, invented, |_| {});
}

#[test]
fn p11_a_position_of_the_brokers_that_no_row_explains() {
    assert_breaks_beside(11, "", |accounts| {
        accounts[ASHA]["positions"][0]["netQty"] = json!(65);
    });
}

#[test]
fn p12_a_leader_order_that_was_missed() {
    assert_breaks_beside(12, "", |accounts| {
        let mut missed = order(accounts, LEADER, "L3").clone();
        missed["orderId"] = json!("L9");
        push(accounts, LEADER, "orders", missed);
    });
    assert_breaks_beside(12, "", |accounts| {
        order(accounts, LEADER, "L3")["filledQty"] = json!(65);
    });
}

#[test]
fn other_peoples_orders_are_nobodys_promise() {
    let mut book = book();
    let accounts = &mut book["accounts"];
    let mut own = order(accounts, ASHA, "F3").clone();
    (own["orderId"], own["correlationId"]) = (json!("E1"), json!("NA"));
    push(accounts, ASHA, "orders", own);
    accounts["1000000909"] = json!({ "orders": [{
        "orderId": "X1", "correlationId": TAGS[0], "orderStatus": "PENDING", "transactionType": "BUY",
        "exchangeSegment": "NSE_FNO", "securityId": "1", "quantity": 1, "createTime": clock(0),
    }] });
    accounts["1000000909"]["orders"][0]["correlationId"] = json!("tdm-yyyyyyyyyyyyyyyyyyyy");
    assert_eq!(broken(&judged_beside("", Some(&book))), [0_u8; 0]);
}
