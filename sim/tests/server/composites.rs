//! Super, bracket and forever orders on the wire: `dhanhq-v2.md` section 3.

use std::time::Duration;

use serde_json::{Value, json};
use tandem_sim::{AnswerFault, Fault, Operation, SimSettings, SimVariants};

use crate::support::{Desk, FOLLOWER, LEADER, id, still};

/// The body of a one-lot super order around the last price, and that price.
fn super_order(desk: &Desk, tag: &str, factor: f64) -> (Value, f64) {
    let (key, last) = desk.option();
    let price = (last * factor).round();
    let body = json!({"dhanClientId": FOLLOWER, "correlationId": tag, "transactionType": "BUY",
        "exchangeSegment": "NSE_FNO", "productType": "MARGIN", "orderType": "LIMIT",
        "securityId": key.security_id.to_string(), "quantity": 65, "price": price,
        "targetPrice": price * 2.0, "stopLossPrice": (price / 2.0).round(), "trailingJump": 2});
    (body, price)
}

async fn place_super(desk: &Desk, body: Value) -> String {
    let (status, answer) = desk.call(FOLLOWER, "POST", "/super/orders", Some(body)).await;
    assert_eq!((status, &answer["orderStatus"]), (200, &json!("TRANSIT")), "{answer}");
    answer["orderId"].as_str().unwrap().to_owned()
}

async fn listed(desk: &Desk) -> Value {
    desk.call(FOLLOWER, "GET", "/super/orders", None).await.1
}

/// A purchase of shares that waits far below the market.
fn forever_order(flag: &str) -> Value {
    json!({"dhanClientId": FOLLOWER, "correlationId": "cp-gtt", "orderFlag": flag, "transactionType": "BUY",
        "exchangeSegment": "NSE_EQ", "productType": "CNC", "orderType": "LIMIT", "validity": "DAY",
        "securityId": "2885", "quantity": 5, "disclosedQuantity": 0, "price": 1400.0, "triggerPrice": 1399.0,
        "price1": 1500.0, "triggerPrice1": 1499.0, "quantity1": 3})
}

#[actix_rt::test]
async fn a_super_order_lists_its_legs_and_tells_of_them() {
    let desk = Desk::open(still());
    let mut stream = desk.listen(FOLLOWER).await;
    let (body, price) = super_order(&desk, "cp-su", 1.1);
    let order_id = place_super(&desk, body).await;

    assert_eq!(stream.statuses(1).await, ["Transit"]);
    let pending = stream.update().await;
    assert_eq!(
        (&pending["remarks"], &pending["legNo"], &pending["correlationId"]),
        (&json!("Super Order"), &json!(1), &json!("cp-su"))
    );
    assert!(pending.get("algoOrdNo").is_none(), "{pending}");
    assert_eq!(stream.statuses(1).await, ["Traded"]);
    let (stop, target) = (stream.update().await, stream.update().await);
    for (leg, number, order_type) in [(&stop, 2, "SL"), (&target, 3, "LMT")] {
        assert_eq!((&leg["legNo"], &leg["orderType"]), (&json!(number), &json!(order_type)));
        assert_eq!((&leg["remarks"], &leg["algoOrdNo"]), (&json!("Super Order"), &json!(order_id)));
        assert_eq!((&leg["txnType"], &leg["status"]), (&json!("S"), &json!("Pending")));
        assert_ne!(leg["orderNo"], json!(order_id));
        assert!(leg["correlationId"].as_str().unwrap().starts_with("1000000202-"));
    }

    let rows = listed(&desk).await;
    let row = &rows[0];
    assert_eq!((&row["orderId"], &row["legName"]), (&json!(order_id), &json!("ENTRY_LEG")));
    assert_eq!((&row["orderStatus"], &row["filledQty"]), (&json!("TRADED"), &json!(65)));
    assert!(row["ltp"].as_f64().unwrap() > 0.0);
    let stop_price = (price / 2.0).round();
    assert_eq!(
        row["legDetails"],
        json!([
            {"orderId": order_id, "legName": "STOP_LOSS_LEG", "transactionType": "SELL", "totalQuatity": 65,
             "remainingQuantity": 65, "triggeredQuantity": 0, "price": stop_price, "orderStatus": "PENDING",
             "trailingJump": 2.0},
            {"orderId": order_id, "legName": "TARGET_LEG", "transactionType": "SELL",
             "remainingQuantity": 65, "triggeredQuantity": 0, "price": price * 2.0, "orderStatus": "PENDING",
             "trailingJump": 0.0}])
    );
    let (_, book) = desk.call(FOLLOWER, "GET", "/orders", None).await;
    let names: Vec<_> = book.as_array().unwrap().iter().map(|row| row["legName"].as_str().unwrap()).collect();
    assert_eq!(names, ["ENTRY_LEG", "STOP_LOSS_LEG", "TARGET_LEG"]);
}

#[actix_rt::test]
async fn legs_are_changed_and_cancelled_by_name() {
    let desk = Desk::open(still());
    let (body, price) = super_order(&desk, "cp-su", 0.8);
    let order_id = place_super(&desk, body).await;
    let path = format!("/super/orders/{order_id}");
    let change = json!({"dhanClientId": FOLLOWER, "orderId": order_id, "legName": "ENTRY_LEG", "orderType": "LIMIT",
        "quantity": 130, "price": price + 1.0, "targetPrice": price * 3.0, "stopLossPrice": 0, "trailingJump": 0});
    let (status, answer) = desk.call(FOLLOWER, "PUT", &path, Some(change)).await;
    assert_eq!((status, &answer["orderId"]), (200, &json!(order_id)), "{answer}");
    let change = json!({"orderId": order_id, "legName": "STOP_LOSS_LEG", "stopLossPrice": 5.0});
    assert_eq!(desk.call(FOLLOWER, "PUT", &path, Some(change)).await.0, 200);
    let row = &listed(&desk).await[0];
    assert_eq!((&row["quantity"], &row["price"]), (&json!(130), &json!(price + 1.0)));
    let legs = &row["legDetails"];
    assert_eq!((&legs[0]["price"], &legs[0]["trailingJump"]), (&json!(5.0), &json!(0.0)));
    assert_eq!(legs[1]["price"], json!(price * 3.0));

    let (status, answer) = desk.call(FOLLOWER, "DELETE", &format!("{path}/TARGET_LEG"), None).await;
    assert_eq!((status, &answer["orderStatus"]), (202, &json!("CANCELLED")));
    assert_eq!(listed(&desk).await[0]["legDetails"][1]["orderStatus"], "CANCELLED");
    let (status, answer) = desk.call(FOLLOWER, "DELETE", &format!("{path}/TARGET_LEG"), None).await;
    assert_eq!((status, &answer["errorCode"]), (400, &json!("DH-906")));
    assert_eq!(desk.call(FOLLOWER, "DELETE", &format!("{path}/SOME_LEG"), None).await.0, 400);
    assert_eq!(desk.call(FOLLOWER, "DELETE", &format!("{path}/ENTRY_LEG"), None).await.0, 202);
    assert_eq!(listed(&desk).await[0]["orderStatus"], "CANCELLED");
}

#[actix_rt::test]
async fn legs_may_be_told_of_otherwise() {
    let variants = SimVariants {
        parent_in_frames: false,
        legs_keep_tag: true,
        own_leg_ids: true,
        total_quantity_spelled: true,
        ..SimVariants::default()
    };
    let desk = Desk::open(SimSettings { variants, ..still() });
    let mut stream = desk.listen(FOLLOWER).await;
    let (body, _) = super_order(&desk, "cp-su", 1.1);
    let order_id = place_super(&desk, body).await;
    stream.statuses(3).await;
    let stop = stream.update().await;
    assert!(stop.get("algoOrdNo").is_none(), "{stop}");
    assert_eq!(stop["correlationId"], "cp-su");
    let leg = &listed(&desk).await[0]["legDetails"][0];
    assert_eq!(leg["orderId"], stop["orderNo"]);
    assert_ne!(leg["orderId"], json!(order_id));
    assert_eq!((&leg["totalQuantity"], leg.get("totalQuatity")), (&json!(65), None));
}

#[actix_rt::test]
async fn a_forever_order_is_two_rows_of_one_number_and_silent() {
    let desk = Desk::open(still());
    let mut stream = desk.listen(FOLLOWER).await;
    let (status, answer) = desk.call(FOLLOWER, "POST", "/forever/orders", Some(forever_order("OCO"))).await;
    assert_eq!((status, &answer["orderStatus"]), (200, &json!("PENDING")), "{answer}");
    let (_, rows) = desk.call(FOLLOWER, "GET", "/forever/orders", None).await;
    let row = |at: usize| {
        let row = &rows[at];
        (
            row["orderId"] == answer["orderId"],
            row["legName"].clone(),
            row["price"].clone(),
            row["quantity"].clone(),
        )
    };
    assert_eq!(row(0), (true, json!("TARGET_LEG"), json!(1400.0), json!(5)));
    assert_eq!(row(1), (true, json!("STOP_LOSS_LEG"), json!(1500.0), json!(3)));
    assert_eq!((&rows[0]["orderType"], &rows[0]["orderStatus"]), (&json!("OCO"), &json!("CONFIRM")));
    assert!(rows[0]["updateTime"].is_null() && rows[0].get("correlationId").is_none());
    assert_eq!(desk.call(FOLLOWER, "GET", "/forever/all", None).await.0, 404);
    assert_eq!(desk.call(FOLLOWER, "GET", "/orders", None).await.1, json!([]));

    let path = format!("/forever/orders/{}", answer["orderId"].as_str().unwrap());
    let change = json!({"dhanClientId": FOLLOWER, "orderId": answer["orderId"], "orderFlag": "OCO",
        "orderType": "LIMIT", "legName": "STOP_LOSS_LEG", "quantity": 4, "price": 1510, "triggerPrice": 1509,
        "disclosedQuantity": 0, "validity": "DAY"});
    assert_eq!(desk.call(FOLLOWER, "PUT", &path, Some(change)).await.0, 200);
    let (_, rows) = desk.call(FOLLOWER, "GET", "/forever/orders", None).await;
    assert_eq!((&rows[1]["price"], &rows[1]["quantity"]), (&json!(1510.0), &json!(4)));
    assert!(stream.hears_nothing().await);

    let (status, answer) = desk.call(FOLLOWER, "DELETE", &path, None).await;
    assert_eq!((status, &answer["orderStatus"]), (200, &json!("CANCELLED")));
    assert_eq!(desk.call(FOLLOWER, "DELETE", &path, None).await.0, 400);
    assert!(stream.hears_nothing().await);
}

#[actix_rt::test]
async fn what_fires_is_an_ordinary_order_without_a_tag() {
    let desk = Desk::open(still());
    let mut stream = desk.listen(FOLLOWER).await;
    desk.call(FOLLOWER, "POST", "/forever/orders", Some(forever_order("SINGLE"))).await;
    let share = json!({"segment": "NSE_EQ", "security_id": 2885, "change": {"last_price": 1399.0}});
    assert_eq!(desk.control("POST", "/sim/market", Some(share)).await.0, 200);
    assert_eq!(stream.statuses(2).await, ["Transit", "Pending"]);
    let traded = stream.update().await;
    assert_eq!(
        (&traded["status"], &traded["source"], &traded["correlationId"], &traded["remarks"]),
        (&json!("Traded"), &json!("P"), &json!("NA"), &json!(" "))
    );
    let (_, rows) = desk.call(FOLLOWER, "GET", "/forever/orders", None).await;
    assert_eq!((&rows[0]["orderStatus"], &rows[0]["orderType"]), (&json!("TRADED"), &json!("SINGLE")));
    let (_, book) = desk.call(FOLLOWER, "GET", "/orders", None).await;
    assert_eq!((&book[0]["orderId"], &book[0]["legName"]), (&traded["orderNo"], &json!("NA")));
}

#[actix_rt::test]
async fn brackets_come_from_the_app_only() {
    let desk = Desk::open(still());
    let (_, last) = desk.option();
    let mut body = desk.order("BUY", (last * 1.1).round(), "cp-bo");
    body["productType"] = json!("BO");
    body["boProfitValue"] = json!(20);
    body["boStopLossValue"] = json!(10);
    let (status, answer) = desk.call(FOLLOWER, "POST", "/orders", Some(body.clone())).await;
    assert_eq!((status, &answer["errorCode"]), (400, &json!("DH-905")));

    let mut stream = desk.listen(LEADER).await;
    let (status, placed) =
        desk.control("POST", "/sim/orders", Some(json!({"account": LEADER, "place": body}))).await;
    assert_eq!(status, 200, "{placed}");
    stream.statuses(3).await;
    let stop = stream.update().await;
    assert_eq!((&stop["product"], &stop["legNo"], &stop["remarks"]), (&json!("B"), &json!(2), &json!(" ")));
    assert_eq!(stop["algoOrdNo"], placed["orderId"]);
    let (_, book) = desk.call(LEADER, "GET", "/orders", None).await;
    assert_eq!((&book[0]["boProfitValue"], &book[0]["boStopLossValue"]), (&json!(20.0), &json!(10.0)));
    assert_eq!((&book[1]["legName"], &book[1]["productType"]), (&json!("STOP_LOSS_LEG"), &json!("BO")));

    let mut cover = desk.order("BUY", (last * 1.1).round(), "cp-co");
    cover["productType"] = json!("CO");
    cover["triggerPrice"] = json!((last * 0.5).round());
    let (status, answer) =
        desk.control("POST", "/sim/orders", Some(json!({"account": LEADER, "place": cover}))).await;
    assert_eq!(status, 200, "{answer}");
    stream.statuses(4).await;
    assert_eq!(stream.update().await["product"], "V");
}

#[actix_rt::test]
async fn the_app_places_and_changes_composite_orders() {
    let desk = Desk::open(still());
    let act = async |action: Value| {
        let mut body = action;
        body["account"] = json!(LEADER);
        let (status, answer) = desk.control("POST", "/sim/orders", Some(body)).await;
        assert_eq!(status, 200, "{answer}");
        answer["orderId"].clone()
    };
    let (body, price) = super_order(&desk, "x", 0.8);
    let order_id = act(json!({"place_super": body})).await;
    let target = json!({"orderId": order_id, "legName": "TARGET_LEG", "targetPrice": price * 3.0});
    act(json!({"modify_super": target})).await;
    let (_, rows) = desk.call(LEADER, "GET", "/super/orders", None).await;
    assert_eq!(rows[0]["legDetails"][1]["price"], json!(price * 3.0));
    assert_eq!(rows[0]["correlationId"], "NA");
    act(json!({"cancel_super": {"orderId": order_id, "legName": "ENTRY_LEG"}})).await;

    let forever = act(json!({"place_forever": forever_order("SINGLE")})).await;
    let change = json!({"orderId": forever, "orderFlag": "SINGLE", "orderType": "LIMIT", "legName": "TARGET_LEG",
        "quantity": 6, "price": 1400, "triggerPrice": 1399, "validity": "DAY"});
    act(json!({"modify_forever": change})).await;
    act(json!({"cancel_forever": {"orderId": forever}})).await;
    let (_, books) = desk.control("GET", "/sim/books", None).await;
    assert_eq!(books["accounts"][LEADER]["super_orders"][0]["orderStatus"], "CANCELLED");
    assert_eq!(books["accounts"][LEADER]["forever_orders"][0]["quantity"], 6);
}

/// Spoils one call of an operation on a super and on a forever order; both must meet the fault and be executed or not.
async fn spoiled(operation: Operation, answer: AnswerFault, executed: bool) {
    let desk = Desk::open(still());
    let follower = id(FOLLOWER);
    let (body, price) = super_order(&desk, "cp-su", 0.8);
    let order_id = place_super(&desk, body.clone()).await;
    let (_, forever) = desk.call(FOLLOWER, "POST", "/forever/orders", Some(forever_order("SINGLE"))).await;
    let forever_path = format!("/forever/orders/{}", forever["orderId"].as_str().unwrap());
    let target = json!({"orderId": order_id, "legName": "TARGET_LEG", "targetPrice": price * 3.0});
    let change = json!({"orderFlag": "SINGLE", "orderType": "LIMIT", "legName": "TARGET_LEG", "quantity": 6,
        "price": 1400, "triggerPrice": 1399, "validity": "DAY"});
    let calls = match operation {
        Operation::Place => [
            ("POST", "/super/orders".to_owned(), Some(body)),
            ("POST", "/forever/orders".to_owned(), Some(forever_order("SINGLE"))),
        ],
        Operation::Modify => {
            [("PUT", format!("/super/orders/{order_id}"), Some(target)), ("PUT", forever_path, Some(change))]
        }
        _ => {
            [("DELETE", format!("/super/orders/{order_id}/ENTRY_LEG"), None), ("DELETE", forever_path, None)]
        }
    };
    let state = || {
        desk.sim.with_exchange(|exchange| {
            (
                format!("{:?}", exchange.super_orders(&follower)),
                format!("{:?}", exchange.forever_orders(&follower)),
            )
        })
    };
    let before = state();
    desk.sim.faults().next_answers(&follower, operation, 2, answer);
    for (method, path, body) in calls {
        let seen = desk.try_call(FOLLOWER, method, &path, body).await.map(|(status, _)| status);
        match answer {
            AnswerFault::LoseBefore | AnswerFault::LoseAfter => assert!(seen.is_err(), "{seen:?}"),
            AnswerFault::ErrorBefore { status } | AnswerFault::ErrorAfter { status } => {
                assert_eq!(seen.unwrap(), status);
            }
            AnswerFault::Busy | AnswerFault::BusyFor { .. } => assert_eq!(seen.unwrap(), 429),
            AnswerFault::Delay { .. } | AnswerFault::OddRow | AnswerFault::OddOrder => {
                assert!(seen.unwrap() < 300);
            }
        }
    }
    let after = state();
    assert_eq!((before.0 != after.0, before.1 != after.1), (executed, executed), "{operation:?} {answer:?}");
}

#[actix_rt::test]
async fn answers_of_composite_orders_go_wrong_like_all_others() {
    for operation in [Operation::Place, Operation::Modify, Operation::Cancel] {
        spoiled(operation, AnswerFault::LoseBefore, false).await;
        spoiled(operation, AnswerFault::LoseAfter, true).await;
        spoiled(operation, AnswerFault::ErrorBefore { status: 503 }, false).await;
        spoiled(operation, AnswerFault::ErrorAfter { status: 504 }, true).await;
        spoiled(operation, AnswerFault::Busy, false).await;
        spoiled(operation, AnswerFault::Delay { ms: 20 }, true).await;
    }
}

#[actix_rt::test]
async fn changes_come_to_nothing_and_cancels_are_followed_by_fills() {
    let desk = Desk::open(still());
    let follower = id(FOLLOWER);
    let order_id = desk.place(desk.resting("cp-1")).await;
    let path = format!("/orders/{order_id}");
    desk.sim.faults().inject(&follower, Fault::VoidModifies { count: 1 });
    let change = json!({"orderType": "LIMIT", "validity": "DAY", "quantity": 130});
    let (status, answer) = desk.call(FOLLOWER, "PUT", &path, Some(change)).await;
    assert_eq!(status, 200, "{answer}");
    let (_, row) = desk.call(FOLLOWER, "GET", &path, None).await;
    assert_eq!(row[0]["quantity"], 65);

    let late = json!({"account": FOLLOWER, "fault": "late_fill", "units": 65, "after_ms": 2000});
    assert_eq!(desk.control("POST", "/sim/faults", Some(late)).await.0, 200);
    let mut stream = desk.listen(FOLLOWER).await;
    desk.call(FOLLOWER, "DELETE", &path, None).await;
    assert_eq!(stream.statuses(1).await, ["Cancelled"]);
    desk.sim.clock().run_for(Duration::from_secs(2)).finished().await.unwrap();
    let filled = stream.update().await;
    assert_eq!((&filled["status"], &filled["tradedQty"]), (&json!("Traded"), &json!(65)));
    let (_, trades) = desk.call(FOLLOWER, "GET", &format!("/trades/{order_id}"), None).await;
    assert_eq!(trades[0]["tradedQuantity"], 65);
}
