//! The control API, as other people's programs use it: JSON over HTTP and nothing else.

use serde_json::json;
use tandem_sim::Simulator;

use crate::support::{Desk, FOLLOWER, LEADER, still};

#[actix_rt::test]
async fn the_leader_trades_in_the_app() {
    let desk = Desk::open(still());
    let mut stream = desk.listen(LEADER).await;
    let order = json!({"account": LEADER, "place": desk.resting("ignored")});
    let (status, placed) = desk.control("POST", "/sim/orders", Some(order)).await;
    assert_eq!(status, 200, "{placed}");
    stream.update().await;
    let pending = stream.update().await;
    assert_eq!((&pending["source"], &pending["correlationId"]), (&json!("W"), &json!("NA")));

    let change = json!({"account": LEADER, "modify": {"orderId": placed["orderId"], "orderType": "LIMIT",
        "validity": "DAY", "quantity": 130}});
    let (status, answer) = desk.control("POST", "/sim/orders", Some(change)).await;
    assert_eq!(status, 200, "{answer}");
    let modified = stream.update().await;
    assert_eq!((&modified["status"], &modified["quantity"]), (&json!("Modified"), &json!(130)));
    let cancel = json!({"account": LEADER, "cancel": {"orderId": placed["orderId"]}});
    desk.control("POST", "/sim/orders", Some(cancel)).await;
    assert_eq!(stream.statuses(1).await, ["Cancelled"]);

    let (_, books) = desk.control("GET", "/sim/books", None).await;
    assert_eq!(books["accounts"][LEADER]["orders"][0]["orderStatus"], "CANCELLED");
    assert_eq!(books["accounts"][FOLLOWER]["orders"], json!([]));
}

#[actix_rt::test]
async fn a_humans_hand_reaches_into_a_followers_account() {
    let desk = Desk::open(still());
    let order_id = desk.place(desk.resting("cp-1")).await;
    let change = json!({"account": FOLLOWER, "modify": {"orderId": order_id, "orderType": "LIMIT",
        "validity": "DAY", "quantity": 130}});
    assert_eq!(desk.control("POST", "/sim/orders", Some(change)).await.0, 200);
    let cancel = json!({"account": FOLLOWER, "cancel": {"orderId": order_id}});
    assert_eq!(desk.control("POST", "/sim/orders", Some(cancel)).await.0, 200);
    let by_hand = json!({"account": FOLLOWER, "place": desk.resting("ignored")});
    assert_eq!(desk.control("POST", "/sim/orders", Some(by_hand)).await.0, 200);
    let (_, book) = desk.call(FOLLOWER, "GET", "/orders", None).await;
    assert_eq!((&book[0]["orderStatus"], &book[0]["quantity"]), (&json!("CANCELLED"), &json!(130)));
    assert_eq!((&book[0]["correlationId"], &book[1]["correlationId"]), (&json!("cp-1"), &json!("NA")));
}

#[actix_rt::test]
async fn fills_and_rejections_are_made_by_hand() {
    let desk = Desk::open(still());
    let order_id = desk.place(desk.order("BUY", 10.0, "cp-1")).await;
    let fill = |quantity: u32, whatever: bool| json!({"order_id": order_id, "quantity": quantity, "price": 9.5, "whatever": whatever});
    assert_eq!(desk.control("POST", "/sim/fills", Some(fill(20, false))).await.0, 200);
    assert_eq!(desk.control("POST", "/sim/fills", Some(fill(46, false))).await.0, 400);
    let (_, row) = desk.call(FOLLOWER, "GET", &format!("/orders/{order_id}"), None).await;
    assert_eq!((&row[0]["orderStatus"], &row[0]["filledQty"]), (&json!("PART_TRADED"), &json!(20)));
    assert_eq!(row[0]["averageTradedPrice"], json!(9.5));
    assert_eq!(desk.control("POST", "/sim/fills", Some(fill(46, true))).await.0, 200);
    let (_, row) = desk.call(FOLLOWER, "GET", &format!("/orders/{order_id}"), None).await;
    assert_eq!((&row[0]["orderStatus"], &row[0]["filledQty"]), (&json!("TRADED"), &json!(66)));

    let order_id = desk.place(desk.order("BUY", 10.0, "cp-2")).await;
    let reject = json!({"order_id": order_id, "text": "EXCH:<id>:no"});
    assert_eq!(desk.control("POST", "/sim/rejections", Some(reject.clone())).await.0, 200);
    assert_eq!(desk.control("POST", "/sim/rejections", Some(reject)).await.0, 400);
    let (_, row) = desk.call(FOLLOWER, "GET", &format!("/orders/{order_id}"), None).await;
    assert_eq!(row[0]["omsErrorDescription"], json!(format!("EXCH:{order_id}:no")));
}

#[actix_rt::test]
async fn faults_market_and_clock_are_in_reach() {
    let desk = Desk::open(still());
    let (key, last) = desk.option();
    let fault = json!({"account": FOLLOWER, "fault": "next_answers", "operation": "place", "count": 1,
        "answer": {"error_before": {"status": 502}}});
    assert_eq!(desk.control("POST", "/sim/faults", Some(fault)).await.0, 200);
    assert_eq!(desk.call(FOLLOWER, "POST", "/orders", Some(desk.resting("cp-1"))).await.0, 502);
    let nobody = json!({"account": "77", "fault": "stream_close"});
    assert_eq!(desk.control("POST", "/sim/faults", Some(nobody)).await.0, 400);
    let nonsense = json!({"account": FOLLOWER, "fault": "earthquake"});
    assert_eq!(desk.control("POST", "/sim/faults", Some(nonsense)).await.0, 400);

    let price = (last * 1.5).round();
    let change =
        json!({"segment": "NSE_FNO", "security_id": key.security_id, "change": {"last_price": price}});
    assert_eq!(desk.control("POST", "/sim/market", Some(change)).await.0, 200);
    assert_eq!(desk.option().1, price);

    let (_, before) = desk.control("GET", "/sim/clock", None).await;
    let (status, after) = desk.control("POST", "/sim/clock", Some(json!({"run_for": 60}))).await;
    assert_eq!(status, 200);
    assert_eq!(after["now_us"].as_i64().unwrap() - before["now_us"].as_i64().unwrap(), 60_000_000);
    let (_, state) = desk.control("POST", "/sim/clock", Some(json!({"rate": 2.5}))).await;
    assert_eq!(state["rate"], 2.5);
    assert_eq!(desk.control("POST", "/sim/clock", Some(json!({"rate": 11}))).await.0, 400);

    let (_, records) =
        desk.control("GET", &format!("/sim/requests?account={FOLLOWER}&operation=place"), None).await;
    assert_eq!((records.as_array().map(Vec::len), &records[0]["answered"]), (Some(1), &json!(502)));
    let (_, described) = desk.control("GET", "/sim", None).await;
    assert_eq!(described["simulator"]["rest_url"], desk.sim.rest_url());
}

#[actix_rt::test]
async fn the_tape_of_a_seed_is_the_same_text_everywhere() {
    let (first, second) = (Desk::open(still()), Desk::open(still()));
    let (key, _) = first.option();
    let path = format!("/sim/tape?seconds=30&instruments={key}");
    let (status, tape) = first.control("GET", &path, None).await;
    assert_eq!(status, 200, "{tape}");
    assert!(tape.as_str().unwrap().lines().count() > 10);
    assert_eq!(second.control("GET", &path, None).await.1, tape);
    assert_eq!(first.control("GET", "/sim/tape?seconds=9000000", None).await.0, 400);
}

#[actix_rt::test]
async fn a_stopped_simulator_frees_its_ports() {
    let desk = Desk::open(still());
    let mut stream = desk.listen(FOLLOWER).await;
    let port = |url: &str| {
        url.rsplit(':').next().and_then(|rest| rest.split('/').next()?.parse::<u16>().ok()).unwrap()
    };
    let mut settings = still();
    settings.rest_port = port(&desk.sim.rest_url());
    settings.stream_port = port(&desk.sim.stream_url());
    settings.control_port = port(&desk.sim.control_url());
    assert!(Simulator::start(settings.clone()).is_err(), "the ports are taken");
    desk.sim.stop();
    assert_eq!(stream.hear().await, crate::support::Heard::Broken);
    drop(stream);
    let again = Simulator::start(settings).unwrap();
    assert!(again.rest_url().starts_with("http://127.0.0.1:"));
}
