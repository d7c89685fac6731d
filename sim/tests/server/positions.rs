//! Positions as the wire shows them, and what moves them as a whole.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tandem_dhan::wire::Decimal;
use tandem_domain::instrument::ExchangeSegment;
use tandem_domain::order::Product;
use tandem_sim::exchange::OverlappingExits;
use tandem_sim::{AnswerFault, Operation, SimCarried, SimSettings, Simulator};

use crate::support::{Desk, FOLLOWER, LEADER, id, still};

/// A NIFTY call of the second expiry; the files of the default settings have it.
const CALL: u32 = 43_065;

/// The follower holds two lots from before.
fn holding() -> SimSettings {
    let mut settings = still();
    settings.accounts[1].positions = vec![SimCarried {
        segment: ExchangeSegment::NseFno,
        security_id: CALL,
        product: Product::Margin,
        units: 130,
        price: Decimal::new(120.5),
    }];
    settings
}

fn conversion(from: &str, to: &str, units: u32) -> Value {
    json!({"dhanClientId": FOLLOWER, "fromProductType": from, "toProductType": to, "exchangeSegment": "NSE_FNO",
        "positionType": "LONG", "securityId": CALL.to_string(), "convertQty": units})
}

/// Rows of the follower's positions: product, bought before, net.
async fn rows(desk: &Desk) -> Vec<(String, i64, i64)> {
    let (status, positions) = desk.call(FOLLOWER, "GET", "/positions", None).await;
    assert_eq!(status, 200);
    let row = |row: &Value| {
        let number = |key: &str| row[key].as_i64().unwrap();
        (row["productType"].as_str().unwrap().to_owned(), number("carryForwardBuyQty"), number("netQty"))
    };
    positions.as_array().unwrap().iter().map(row).collect()
}

#[actix_rt::test]
async fn what_was_held_before_is_carried_forward_on_the_wire() {
    let desk = Desk::open(holding());
    let (_, positions) = desk.call(FOLLOWER, "GET", "/positions", None).await;
    let row = &positions[0];
    assert_eq!(
        (&row["positionType"], &row["buyQty"], &row["dayBuyQty"]),
        (&json!("LONG"), &json!(130), &json!(0))
    );
    assert_eq!((&row["carryForwardBuyQty"], &row["carryForwardBuyValue"]), (&json!(130), &json!(15_665.0)));
    assert_eq!((&row["costPrice"], &row["realizedProfit"]), (&json!(120.5), &json!(0.0)));
    assert_eq!(desk.call(FOLLOWER, "GET", "/orders", None).await.1, json!([]), "no order brought it");

    let carry = json!({"account": LEADER, "carry":
        {"segment": "NSE_FNO", "security_id": CALL, "product": "INTRADAY", "units": -65, "price": 100}});
    assert_eq!(desk.control("POST", "/sim/positions", Some(carry.clone())).await.0, 200);
    assert_eq!(desk.control("POST", "/sim/positions", Some(carry)).await.0, 400, "once");
    let (_, positions) = desk.call(LEADER, "GET", "/positions", None).await;
    assert_eq!(
        (&positions[0]["positionType"], &positions[0]["carryForwardSellQty"]),
        (&json!("SHORT"), &json!(65))
    );

    let mut settings = holding();
    settings.accounts[1].positions[0].security_id = 7;
    assert!(Simulator::start(settings).is_err(), "no such instrument");
}

#[actix_rt::test]
async fn a_position_is_converted_over_the_api_and_in_the_app() {
    let desk = Desk::open(holding());
    let (status, body) =
        desk.call(FOLLOWER, "POST", "/positions/convert", Some(conversion("MARGIN", "INTRADAY", 65))).await;
    assert_eq!((status, body), (202, json!("")), "no body, as documented");
    let both = [("INTRADAY".to_owned(), 0, 65), ("MARGIN".to_owned(), 130, 65)];
    assert_eq!(rows(&desk).await, both);
    let (status, body) =
        desk.call(FOLLOWER, "POST", "/positions/convert", Some(conversion("MARGIN", "INTRADAY", 130))).await;
    assert_eq!((status, &body["errorCode"]), (400, &json!("DH-906")));
    let mut bad = conversion("MARGIN", "INTRADAY", 65);
    bad["positionType"] = json!("CLOSED");
    let (status, body) = desk.call(FOLLOWER, "POST", "/positions/convert", Some(bad)).await;
    assert_eq!((status, &body["errorCode"]), (400, &json!("DH-905")));

    let by_hand = json!({"account": FOLLOWER, "convert": conversion("MARGIN", "INTRADAY", 65)});
    assert_eq!(desk.control("POST", "/sim/positions", Some(by_hand.clone())).await.0, 200);
    assert_eq!(desk.control("POST", "/sim/positions", Some(by_hand)).await.0, 400);
    assert_eq!(rows(&desk).await[0].2, 130);
}

#[actix_rt::test]
async fn the_answer_to_a_conversion_may_be_lost() {
    let desk = Desk::open(holding());
    desk.sim.faults().next_answers(&id(FOLLOWER), Operation::Convert, 1, AnswerFault::LoseAfter);
    let body = conversion("MARGIN", "INTRADAY", 65);
    assert!(desk.try_call(FOLLOWER, "POST", "/positions/convert", Some(body)).await.is_err());
    assert_eq!(rows(&desk).await[0].2, 65, "it was executed");
}

#[actix_rt::test]
async fn everything_is_exited_and_then_the_kill_switch_turned() {
    let desk = Desk::open(holding());
    let resting = desk.place(desk.resting("cp-1")).await;
    let turn = |to: &str| format!("/killswitch?killSwitchStatus={to}");
    let (status, body) = desk.call(FOLLOWER, "POST", &turn("ACTIVATE"), None).await;
    assert_eq!((status, &body["errorCode"]), (400, &json!("DH-906")), "positions are open");
    let (status, body) = desk.call(FOLLOWER, "DELETE", "/positions", None).await;
    assert_eq!((status, &body["status"]), (200, &json!("SUCCESS")));
    let (_, row) = desk.call(FOLLOWER, "GET", &format!("/orders/{resting}"), None).await;
    assert_eq!(row[0]["orderStatus"], "CANCELLED");
    assert_eq!(rows(&desk).await[0].2, 0);

    let (status, body) = desk.call(FOLLOWER, "POST", &turn("ACTIVATE"), None).await;
    assert_eq!(
        (status, &body["killSwitchStatus"]),
        (200, &json!("Kill Switch has been successfully activated"))
    );
    let (_, body) = desk.call(FOLLOWER, "GET", "/killswitch", None).await;
    assert_eq!(body, json!({"dhanClientId": FOLLOWER, "killSwitchStatus": "ACTIVATE"}));
    let (status, _) = desk.call(FOLLOWER, "POST", "/orders", Some(desk.resting("cp-2"))).await;
    assert_eq!(status, 400);
    let (status, _) = desk.call(FOLLOWER, "POST", &turn("DEACTIVATE"), None).await;
    assert_eq!(status, 200);
    desk.place(desk.resting("cp-3")).await;
    assert_eq!(desk.call(FOLLOWER, "POST", &turn("MAYBE"), None).await.0, 400);
}

#[actix_rt::test]
async fn one_kind_of_read_fails_and_the_others_do_not() {
    let desk = Desk::open(holding());
    let leg = json!({"dhanClientId": FOLLOWER, "exchangeSegment": "NSE_FNO", "transactionType": "SELL",
        "quantity": 65, "productType": "MARGIN", "securityId": CALL.to_string(), "price": 100, "triggerPrice": 0});
    let faults = desk.sim.faults();
    faults.next_answers(&id(FOLLOWER), Operation::Margin, 1, AnswerFault::ErrorBefore { status: 500 });
    faults.next_answers(&id(FOLLOWER), Operation::Margin, 1, AnswerFault::Delay { ms: 300 });
    faults.next_answers(&id(FOLLOWER), Operation::Positions, 1, AnswerFault::Busy);
    assert_eq!(desk.call(FOLLOWER, "GET", "/fundlimit", None).await.0, 200);
    assert_eq!(desk.call(FOLLOWER, "GET", "/orders", None).await.0, 200);
    assert_eq!(desk.call(FOLLOWER, "GET", "/positions", None).await.0, 429);
    assert_eq!(desk.call(FOLLOWER, "GET", "/positions", None).await.0, 200);
    assert_eq!(desk.call(FOLLOWER, "POST", "/margincalculator", Some(leg.clone())).await.0, 500);
    let asked = Instant::now();
    let (status, margin) = desk.call(FOLLOWER, "POST", "/margincalculator", Some(leg)).await;
    assert!(status == 200 && asked.elapsed() >= Duration::from_millis(300));
    // 12 % of NIFTY's previous close of 26,014 for one lot; what the account holds does not count here.
    assert_eq!((&margin["totalMargin"], &margin["insufficientBalance"]), (&json!(202_909.2), &json!(0.0)));
    faults.next_answers(&id(FOLLOWER), Operation::Read, 1, AnswerFault::Busy);
    assert_eq!(desk.call(FOLLOWER, "GET", "/fundlimit", None).await.0, 429, "any read");
}

#[actix_rt::test]
async fn money_squares_off_and_spikes_come_by_the_control_port() {
    let desk = Desk::open(holding());
    let pay = async |way: &str, rupees: u32| {
        desk.control("POST", "/sim/funds", Some(json!({"account": FOLLOWER, way: rupees}))).await.0
    };
    assert_eq!((pay("deposit_rupees", 50_000).await, pay("withdraw_rupees", 10_000_000).await), (200, 400));
    let (_, funds) = desk.call(FOLLOWER, "GET", "/fundlimit", None).await;
    assert_eq!((&funds["sodLimit"], &funds["availabelBalance"]), (&json!(500_000.0), &json!(534_335.0)));

    let band = |to: Value| json!({"segment": "NSE_FNO", "security_id": CALL, "change": {"band": to}});
    assert_eq!(desk.control("POST", "/sim/market", Some(band(json!([0.05, 900])))).await.0, 200);
    assert_eq!(desk.control("POST", "/sim/market", Some(band(json!([9, 1])))).await.0, 400);
    assert_eq!(desk.control("POST", "/sim/market", Some(band(Value::Null))).await.0, 200);

    let sell = |kind: &str, price: f64, trigger: f64| {
        json!({"dhanClientId": FOLLOWER, "correlationId": "cp-exit", "transactionType": "SELL",
            "exchangeSegment": "NSE_FNO", "productType": "MARGIN", "orderType": kind, "validity": "DAY",
            "securityId": CALL.to_string(), "quantity": 130, "disclosedQuantity": 0, "price": price,
            "triggerPrice": trigger, "afterMarketOrder": false})
    };
    let target = desk.place(sell("LIMIT", 2000.0, 0.0)).await;
    let refuse = json!({"account": FOLLOWER, "fault": "overlapping_exits", "how": "refused_at_once"});
    assert_eq!(desk.control("POST", "/sim/faults", Some(refuse)).await.0, 200);
    let (status, body) = desk.call(FOLLOWER, "POST", "/orders", Some(sell("STOP_LOSS", 0.5, 1.0))).await;
    assert_eq!((status, &body["errorCode"]), (400, &json!("DH-906")));
    desk.control("POST", "/sim/faults", Some(json!({"account": FOLLOWER, "fault": "clear"}))).await;
    let mut stop = sell("STOP_LOSS", 0.5, 1.0);
    stop["quantity"] = json!(65);
    let stop = desk.place(stop).await;

    let mut stream = desk.listen(FOLLOWER).await;
    let fill = |order: &str, quantity: u32| json!({"order_id": order, "quantity": quantity, "price": 10});
    let spike = json!([fill(&target, 130), fill(&stop, 65)]);
    assert_eq!(desk.control("POST", "/sim/fills/together", Some(spike.clone())).await.0, 200);
    assert_eq!(stream.statuses(3).await, ["Pending", "Traded", "Traded"]);
    assert_eq!(desk.control("POST", "/sim/fills/together", Some(spike)).await.0, 400);

    assert_eq!(desk.control("POST", "/sim/square_off", Some(json!({}))).await.0, 200);
    assert_eq!(desk.control("POST", "/sim/square_off", Some(json!({"account": FOLLOWER}))).await.0, 200);
    assert_eq!(desk.control("POST", "/sim/square_off", Some(json!({"account": "77"}))).await.0, 400);
    assert_eq!(rows(&desk).await[0].2, -65, "MARGIN is not squared off");
}

#[actix_rt::test]
async fn an_account_may_be_set_to_refuse_overlapping_exits() {
    let mut settings = holding();
    settings.accounts[1].overlapping_exits = OverlappingExits::RejectedLater;
    let text = serde_json::to_string(&settings).unwrap();
    assert!(text.contains(r#""overlapping_exits":"rejected_later""#));
    assert_eq!(serde_json::from_str::<SimSettings>(&text).unwrap(), settings);
}

#[actix_rt::test]
async fn outside_the_session_orders_are_refused_and_after_market_orders_wait() {
    let check = async |start: &str, released: &str| {
        let text = format!(r#"{{"start":"{start}","rate":0,"depth":"unlimited","token_hours":0}}"#);
        let desk = Desk::open(serde_json::from_str(&text).unwrap());
        let (status, body) = desk.call(FOLLOWER, "POST", "/orders", Some(desk.resting("cp-1"))).await;
        let refusal = "Markets are Offline or Blocked";
        assert_eq!((status, body["errorMessage"].as_str()), (400, Some(refusal)), "{start}");
        let by_hand = json!({"account": LEADER, "place": desk.resting("ignored")});
        assert_eq!(desk.control("POST", "/sim/orders", Some(by_hand)).await.0, 400, "{start}");
        let mut later = desk.resting("cp-2");
        later["afterMarketOrder"] = json!(true);
        later["amoTime"] = json!("OPEN");
        later["securityId"] = json!(CALL.to_string()); // the nearest one may expire in between
        let later = desk.place(later).await;
        let run = json!({ "run_until": released });
        assert_eq!(desk.control("POST", "/sim/clock", Some(run)).await.0, 200);
        let (_, row) = desk.call(FOLLOWER, "GET", &format!("/orders/{later}"), None).await;
        assert_ne!(row[0]["exchangeTime"], "0001-01-01 00:00:00", "{start}: {row}");
    };
    check("2026-12-01 08:30:00", "2026-12-01 09:15:00").await;
    check("2026-12-01 15:40:00", "2026-12-02 09:15:00").await;
    check("2026-12-05 11:00:00", "2026-12-07 09:15:00").await; // Saturday
    check("2026-12-25 11:00:00", "2026-12-28 09:15:00").await; // Christmas, a Friday
}

#[actix_rt::test]
async fn a_day_can_be_made_a_holiday_and_the_square_off_moved() {
    let text = r#"{"rate":0,"depth":"unlimited","holidays":["2026-12-02"],"square_off":"09:20:00"}"#;
    let desk = Desk::open(serde_json::from_str(text).unwrap());
    let mut intraday = desk.order("BUY", (desk.option().1 * 1.1).round(), "cp-1");
    intraday["productType"] = json!("INTRADAY");
    desk.place(intraday).await;
    desk.control("POST", "/sim/clock", Some(json!({"run_for": 600}))).await;
    assert_eq!(rows(&desk).await[0].2, 0);
    let run = json!({"run_until": "2026-12-02 11:00:00"});
    assert_eq!(desk.control("POST", "/sim/clock", Some(run)).await.0, 200);
    assert!(!desk.sim.with_exchange(|exchange| exchange.is_open()));
}
