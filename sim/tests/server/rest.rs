//! The REST surface, as `dhanhq-v2.md` section 13 has it.

use serde_json::{Value, json};
use tandem_sim::{SimSettings, SimVariants, TokenFace};

use crate::support::{Desk, FOLLOWER, LEADER, still};

#[actix_rt::test]
async fn an_order_is_placed_found_changed_and_cancelled() {
    let desk = Desk::open(still());
    let order_id = desk.place(desk.resting("cp-1")).await;

    let (status, book) = desk.call(FOLLOWER, "GET", "/orders", None).await;
    assert_eq!(status, 200);
    let row = &book[0];
    assert_eq!(row["orderId"], json!(order_id));
    assert_eq!(row["orderStatus"], "PENDING");
    assert_eq!(row["correlationId"], "cp-1");
    assert_eq!((&row["legName"], &row["omsErrorCode"]), (&json!("NA"), &json!("0")));
    assert!(["CALL", "PUT"].contains(&row["drvOptionType"].as_str().unwrap()));

    let (_, by_id) = desk.call(FOLLOWER, "GET", &format!("/orders/{order_id}"), None).await;
    assert_eq!(by_id, json!([row]), "an array of one");
    let (_, by_tag) = desk.call(FOLLOWER, "GET", "/orders/external/cp-1", None).await;
    assert_eq!(&by_tag, row, "a bare object");

    let price = row["price"].as_f64().unwrap() + 1.0;
    let change = json!({"dhanClientId": FOLLOWER, "orderId": order_id, "orderType": "LIMIT", "validity": "DAY",
        "quantity": 130, "price": price, "triggerPrice": 0, "disclosedQuantity": 0});
    let (status, answer) = desk.call(FOLLOWER, "PUT", &format!("/orders/{order_id}"), Some(change)).await;
    assert_eq!((status, &answer["orderId"]), (200, &json!(order_id)), "{answer}");
    let (_, changed) = desk.call(FOLLOWER, "GET", &format!("/orders/{order_id}"), None).await;
    assert_eq!((&changed[0]["quantity"], &changed[0]["price"]), (&json!(130), &json!(price)));

    let (status, answer) = desk.call(FOLLOWER, "DELETE", &format!("/orders/{order_id}"), None).await;
    assert_eq!(status, 200, "{answer}");
    let (_, cancelled) = desk.call(FOLLOWER, "GET", &format!("/orders/{order_id}"), None).await;
    assert_eq!(cancelled[0]["orderStatus"], "CANCELLED");
}

#[actix_rt::test]
async fn a_fill_shows_in_trades_positions_and_funds() {
    let desk = Desk::open(still());
    let (_, last) = desk.option();
    let order_id = desk.place(desk.order("BUY", (last * 1.1).round(), "cp-2")).await;

    let (_, trades) = desk.call(FOLLOWER, "GET", "/trades/", None).await;
    assert_eq!(trades[0]["orderId"], json!(order_id));
    assert_eq!(trades[0]["tradedQuantity"], 65);
    let (_, of_order) = desk.call(FOLLOWER, "GET", &format!("/trades/{order_id}"), None).await;
    assert_eq!(of_order, trades);
    let (_, history) = desk.call(FOLLOWER, "GET", "/trades/2026-12-01/2026-12-01/0", None).await;
    assert_eq!(history.as_array().unwrap().len(), 1);
    let (_, none) = desk.call(FOLLOWER, "GET", "/trades/2026-12-01/2026-12-01/1", None).await;
    assert_eq!(none, json!([]));

    let (_, positions) = desk.call(FOLLOWER, "GET", "/positions", None).await;
    assert_eq!((&positions[0]["positionType"], &positions[0]["netQty"]), (&json!("LONG"), &json!(65)));
    assert_eq!(positions[0]["buyAvg"], trades[0]["tradedPrice"]);
    let (_, funds) = desk.call(FOLLOWER, "GET", "/fundlimit", None).await;
    let used = funds["utilizedAmount"].as_f64().unwrap();
    assert!(used > 0.0 && used + funds["availabelBalance"].as_f64().unwrap() <= 500_000.0, "{funds}");
    let (_, others) = desk.call(LEADER, "GET", "/positions", None).await;
    assert_eq!(others, json!([]), "every account has books of its own");
}

#[actix_rt::test]
async fn what_is_not_there_answers_as_the_broker_does() {
    let desk = Desk::open(still());
    assert_eq!(desk.call(FOLLOWER, "GET", "/orders/221261201000001", None).await, (200, json!([])));
    let (status, body) = desk.call(FOLLOWER, "GET", "/orders/external/cp-none", None).await;
    assert_eq!((status, &body["errorCode"]), (404, &json!("DH-906")));
    let (status, body) = desk.call(FOLLOWER, "GET", "/holdings", None).await;
    assert_eq!(
        (status, &body["errorCode"], &body["errorType"]),
        (500, &json!("DH-1111"), &json!("HOLDING_ERROR"))
    );
    let (status, body) = desk.call(FOLLOWER, "GET", "/forever/all", None).await;
    assert_eq!((status, &body["error"]), (404, &json!("Not Found")));
    let (status, body) = desk.call(FOLLOWER, "DELETE", "/orders/221261201000001", None).await;
    assert_eq!((status, &body["errorCode"]), (400, &json!("DH-906")));
}

#[actix_rt::test]
async fn bad_bodies_are_refused_and_nothing_is_placed() {
    let desk = Desk::open(still());
    let check = async |change: (&str, Value), message: Option<&str>| {
        let mut body = desk.resting("cp-3");
        body[change.0] = change.1.clone();
        let (status, answer) = desk.call(FOLLOWER, "POST", "/orders", Some(body)).await;
        assert_eq!((status, &answer["errorCode"]), (400, &json!("DH-905")), "{change:?}: {answer}");
        if let Some(message) = message {
            assert_eq!(answer["errorMessage"], message);
        }
    };
    let generic = Some("Missing required fields, bad values for parameters etc.");
    check(("triggerPrice", json!("")), generic).await;
    check(("correlationId", json!("a-tag-of-twenty-six-letters")), generic).await;
    check(("transactionType", json!("HOLD")), generic).await;
    check(("securityId", json!("43125.0")), Some("Invalid SecurityId")).await;
    let (_, book) = desk.call(FOLLOWER, "GET", "/orders", None).await;
    assert_eq!(book, json!([]));
}

#[actix_rt::test]
async fn every_surface_refuses_a_bad_token_in_its_own_way() {
    let desk = Desk::open(still());
    let check = async |headers: &[(&'static str, &str)], path: &str, status: u16, place: &str, code: &str| {
        let method = if path.starts_with("/marketfeed") { "POST" } else { "GET" };
        let body = path.starts_with("/marketfeed").then(|| json!({"IDX_I": [13]}));
        let answer = desk.call_as(headers, method, path, body).await.unwrap();
        assert_eq!(answer.0, status, "{path}: {}", answer.1);
        assert!(
            answer.1.pointer(place).is_some_and(|found| found.to_string().contains(code)),
            "{}",
            answer.1
        );
    };
    let bad = [("access-token", "sim-token-none"), ("client-id", FOLLOWER)];
    check(&bad, "/orders", 401, "/errorCode", "DH-901").await;
    check(&[], "/orders", 401, "/errorCode", "DH-901").await;
    check(&bad, "/profile", 400, "/errorMessage", "Invalid Token").await;
    check(&bad, "/marketfeed/ltp", 401, "/data/808", "Authentication").await;
    let stranger = [("access-token", "sim-token-1000000202"), ("client-id", LEADER)];
    check(&stranger, "/orders", 401, "/errorCode", "DH-901").await;
    let silent = [("access-token", "sim-token-1000000202")];
    check(&silent, "/marketfeed/ltp", 401, "/data/808", "Authentication").await;
    assert_eq!(
        desk.call_as(&silent, "GET", "/orders", None).await.unwrap().0,
        200,
        "client-id is optional here"
    );
}

#[actix_rt::test]
async fn the_eleventh_write_of_a_second_is_refused() {
    let desk = Desk::open(still());
    for number in 0..10 {
        desk.place(desk.resting(&format!("cp-{number}"))).await;
    }
    let (status, body) = desk.call(FOLLOWER, "POST", "/orders", Some(desk.resting("cp-10"))).await;
    assert_eq!(
        (status, &body["errorCode"], &body["errorType"]),
        (429, &json!("DH-904"), &json!("Rate_Limit"))
    );
    let (_, book) = desk.call(FOLLOWER, "GET", "/orders", None).await;
    assert_eq!(book.as_array().unwrap().len(), 10);
    desk.sim.clock().run_for(std::time::Duration::from_secs(1)).finished().await.unwrap();
    desk.place(desk.resting("cp-10")).await;
}

#[actix_rt::test]
async fn orders_come_from_the_whitelisted_address_only_and_reads_from_anywhere() {
    let mut settings = still();
    settings.accounts[1].whitelisted_ip = Some("127.0.0.2".parse().unwrap());
    let desk = Desk::open(settings);
    let (status, body) = desk.call(FOLLOWER, "POST", "/orders", Some(desk.resting("cp-1"))).await;
    assert_eq!(
        (status, &body["errorCode"], &body["errorMessage"]),
        (400, &json!("DH-905"), &json!("Invalid IP"))
    );
    let (_, ip) = desk.call(FOLLOWER, "GET", "/ip/getIP", None).await;
    assert_eq!((&ip["ordersAllowed"], &ip["ipMatchStatus"]), (&json!(false), &json!("MISMATCH")));

    let there = awc::Client::builder().local_address("127.0.0.2".parse().unwrap()).finish();
    let headers = [("access-token", "sim-token-1000000202"), ("client-id", FOLLOWER)];
    let url = format!("{}/orders", desk.sim.rest_url());
    let (status, _) = desk.send(&there, &headers, "POST", &url, Some(desk.resting("cp-1"))).await.unwrap();
    assert_eq!(status, 200);

    let here = json!({"dhanClientId": FOLLOWER, "ip": "127.0.0.1", "ipFlag": "SECONDARY"});
    let (status, answer) = desk.call(FOLLOWER, "POST", "/ip/setIP", Some(here)).await;
    assert_eq!((status, &answer["status"]), (200, &json!("SUCCESS")));
    desk.place(desk.resting("cp-2")).await;
}

#[actix_rt::test]
async fn quotes_profile_and_margin_are_served() {
    let desk = Desk::open(SimSettings { rate_limits: false, ..still() });
    let (key, last) = desk.option();
    let wanted = json!({"NSE_FNO": [key.security_id.0, 999_999_999], "IDX_I": [13]});
    let number = key.security_id.to_string();
    let (_, ltp) = desk.call(FOLLOWER, "POST", "/marketfeed/ltp", Some(wanted.clone())).await;
    assert_eq!(
        (&ltp["status"], &ltp["data"]["NSE_FNO"]),
        (&json!("success"), &json!({&number: {"last_price": last}}))
    );
    let (_, ohlc) = desk.call(FOLLOWER, "POST", "/marketfeed/ohlc", Some(wanted.clone())).await;
    assert!(ohlc["data"]["IDX_I"]["13"]["ohlc"]["close"].as_f64().unwrap() > 1000.0, "{ohlc}");
    let (_, quote) = desk.call(FOLLOWER, "POST", "/marketfeed/quote", Some(wanted)).await;
    let depth = &quote["data"]["NSE_FNO"][&number]["depth"];
    assert_eq!((depth["buy"].as_array().unwrap().len(), depth["sell"].as_array().unwrap().len()), (5, 5));

    let (_, profile) = desk.call(FOLLOWER, "GET", "/profile", None).await;
    assert_eq!(profile["tokenValidity"], "02/12/2026 09:15");
    let leg = json!({"dhanClientId": FOLLOWER, "exchangeSegment": "NSE_FNO", "transactionType": "BUY",
        "quantity": 65, "productType": "MARGIN", "securityId": number, "price": last, "triggerPrice": 0});
    let (status, margin) = desk.call(FOLLOWER, "POST", "/margincalculator", Some(leg.clone())).await;
    assert_eq!((status, &margin["leverage"]), (200, &json!("1.00")), "{margin}");
    assert!((margin["totalMargin"].as_f64().unwrap() - 65.0 * last).abs() < 0.01, "{margin}");
    let several =
        json!({"dhanClientId": FOLLOWER, "includePosition": true, "includeOrder": false, "scripList": [leg]});
    let (status, margin) = desk.call(FOLLOWER, "POST", "/margincalculator/multi", Some(several)).await;
    assert_eq!(status, 200, "{margin}");
}

#[actix_rt::test]
async fn instrument_files_need_no_token() {
    let desk = Desk::open(still());
    let fetch = async |url: &str| desk.send(&desk.http, &[], "GET", url, None).await.unwrap();
    let (status, detailed) = fetch(&desk.sim.instruments_url()).await;
    assert_eq!(status, 200);
    let detailed = detailed.as_str().unwrap().to_owned();
    assert!(detailed.starts_with("EXCH_ID,SEGMENT,SECURITY_ID,") && detailed.ends_with('\n'));
    let (_, compact) = fetch(&desk.sim.description().compact_instruments_url).await;
    assert!(compact.as_str().unwrap().starts_with("SEM_EXM_EXCH_ID,SEM_SEGMENT,SEM_SMST_SECURITY_ID,"));

    let response = desk.http.get(format!("{}/instrument/BSE_FNO", desk.sim.rest_url())).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 302);
    let place = response.headers().get("location").unwrap().to_str().unwrap();
    let host = desk.sim.rest_url().trim_end_matches("/v2").to_owned();
    let (_, segment) = fetch(&format!("{host}{place}")).await;
    let rows: Vec<&str> = segment.as_str().unwrap().lines().skip(1).collect();
    assert!(!rows.is_empty() && rows.iter().all(|row| row.starts_with("BSE,D,")));
}

#[actix_rt::test]
async fn a_renewed_token_replaces_the_old_one() {
    let desk = Desk::open(still());
    let old = "sim-token-1000000202";
    let headers = [("access-token", old), ("dhanClientId", FOLLOWER)];
    let (status, renewed) = desk.call_as(&headers, "GET", "/RenewToken", None).await.unwrap();
    assert_eq!(status, 200);
    let new = renewed["accessToken"].as_str().unwrap();
    assert_eq!(desk.call_as(&[("access-token", old)], "GET", "/orders", None).await.unwrap().0, 401);
    assert_eq!(desk.call_as(&[("access-token", new)], "GET", "/orders", None).await.unwrap().0, 200);
    assert_eq!(desk.call_as(&headers, "POST", "/RenewToken", None).await.unwrap().0, 400);
}

#[actix_rt::test]
async fn variants_change_the_shapes() {
    let variants = SimVariants {
        order_as_object: true,
        tag_lookup_as_array: true,
        empty_holdings_as_array: true,
        documented_nulls: true,
        accept_empty_numbers: true,
        answer_pending: true,
        token_face: TokenFace::Dh906,
        ..SimVariants::default()
    };
    let desk = Desk::open(SimSettings { variants, ..still() });
    assert_eq!(desk.call(FOLLOWER, "GET", "/holdings", None).await, (200, json!([])));
    let mut body = desk.resting("cp-1");
    body["triggerPrice"] = json!("");
    let (status, answer) = desk.call(FOLLOWER, "POST", "/orders", Some(body)).await;
    assert_eq!((status, &answer["orderStatus"]), (200, &json!("PENDING")));
    let path = format!("/orders/{}", answer["orderId"].as_str().unwrap());
    let (_, row) = desk.call(FOLLOWER, "GET", &path, None).await;
    assert_eq!((&row["orderStatus"], &row["omsErrorCode"]), (&json!("PENDING"), &Value::Null));
    let (_, found) = desk.call(FOLLOWER, "GET", "/orders/external/cp-1", None).await;
    assert_eq!(found.as_array().unwrap().len(), 1);
    let (status, body) = desk.call_as(&[("access-token", "x")], "GET", "/orders", None).await.unwrap();
    assert_eq!((status, &body["errorMessage"]), (400, &json!("Invalid Token")));
}

#[actix_rt::test]
async fn a_large_order_is_sliced() {
    let desk = Desk::open(still());
    let (_, last) = desk.option();
    let mut body = desk.order("SELL", (last * 0.9).round(), "cp-slices");
    body["quantity"] = json!(65 * 40);
    let (status, slices) = desk.call(FOLLOWER, "POST", "/orders/slicing", Some(body)).await;
    assert_eq!((status, slices.as_array().map(Vec::len)), (200, Some(2)), "{slices}");
}
