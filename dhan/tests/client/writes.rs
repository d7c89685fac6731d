//! Place, modify, cancel: what goes out, and what each way of failing is taken for.

use std::net::TcpListener;
use std::time::Duration;

use tandem_dhan::codes::AmoTime;
use tandem_dhan::refusal::RefusalClass;
use tandem_dhan::rest::{
    AccountClient, CancelOrder, ChangeOrder, ChangedOrder, NewOrder, OrderRequestError, PlacedOrder,
};
use tandem_domain::ids::{BrokerOrderId, ClientOrderId};
use tandem_domain::instrument::{ExchangeSegment, InstrumentKey, SecurityId};
use tandem_domain::mirror::OrderPart;
use tandem_domain::order::{BrokerStatus, OrderTerms, OrderType, Product, Side, TimeInForce};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;

use super::server::{Reply, Server, TOKEN, client, settings};

pub(crate) const PLACED: &str = r#"{"orderId":"221261123048117","orderStatus":"TRANSIT"}"#;

pub(crate) fn terms() -> OrderTerms {
    OrderTerms {
        instrument: InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(43125) },
        side: Side::Buy,
        product: Product::Margin,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Day,
        quantity: Quantity::new(65),
        disclosed: Quantity::ZERO,
        price: Price::from_paise(18_235),
        trigger: Price::ZERO,
        after_market: false,
        form: tandem_domain::order::OrderForm::Ordinary,
    }
}

pub(crate) async fn place(
    client: &AccountClient,
    terms: &OrderTerms,
) -> Result<PlacedOrder, OrderRequestError> {
    let client_order_id = ClientOrderId::new("tdm-abcdefghij0123456789").unwrap();
    client.place(&NewOrder { client_order_id: &client_order_id, terms, amo_time: AmoTime::Open }).await
}

async fn cancel(client: &AccountClient, id: &BrokerOrderId) -> Result<ChangedOrder, OrderRequestError> {
    let order = CancelOrder { broker_order_id: id, terms: &terms(), part: OrderPart::Whole };
    client.cancel(&order).await
}

pub(crate) fn broker_order_id() -> BrokerOrderId {
    BrokerOrderId::new("221261123048117").unwrap()
}

/// What the caller must do, as one word.
pub(crate) fn verdict<T>(outcome: &Result<T, OrderRequestError>) -> String {
    match outcome {
        Ok(_) => "done".to_owned(),
        Err(OrderRequestError::NotSent { .. }) => "not sent".to_owned(),
        Err(OrderRequestError::Refused(refusal)) => format!("refused {}", refusal.class),
        Err(OrderRequestError::Busy { .. }) => "busy".to_owned(),
        Err(OrderRequestError::Unknown { .. }) => "unknown".to_owned(),
    }
}

#[actix_rt::test]
async fn a_placing_carries_what_production_takes() {
    let server = Server::answering(200, PLACED);
    let placed = place(&server.client(), &terms()).await.unwrap();
    assert_eq!(placed, PlacedOrder { broker_order_id: broker_order_id(), status: BrokerStatus::Transit });

    let request = &server.requests()[0];
    assert_eq!(request.line, "POST /v2/orders HTTP/1.1");
    let head = request.head.to_ascii_lowercase();
    for line in [
        &format!("access-token: {TOKEN}").to_ascii_lowercase(),
        "client-id: 1000000202",
        "content-type: application/json",
        "accept: application/json",
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
    assert_eq!(
        request.body,
        r#"{"dhanClientId":"1000000202","correlationId":"tdm-abcdefghij0123456789","transactionType":"BUY","exchangeSegment":"NSE_FNO","productType":"MARGIN","orderType":"LIMIT","validity":"DAY","securityId":"43125","quantity":65,"disclosedQuantity":0,"price":182.35,"triggerPrice":0.0,"afterMarketOrder":false}"#
    );
}

#[actix_rt::test]
async fn only_what_applies_is_sent() {
    let server = Server::answering(200, PLACED);
    let client = server.client();
    let market = OrderTerms { order_type: OrderType::Market, after_market: true, ..terms() };
    place(&client, &market).await.unwrap();
    let stop = OrderTerms { order_type: OrderType::StopLoss, trigger: Price::from_paise(18_000), ..terms() };
    place(&client, &stop).await.unwrap();
    let part = OrderPart::Whole;
    let change = ChangeOrder { broker_order_id: &broker_order_id(), terms: &stop, part };
    client.modify(&change).await.unwrap();

    let bodies: Vec<String> = server.requests().into_iter().map(|request| request.body).collect();
    assert!(
        bodies[0].contains(r#""price":0.0,"triggerPrice":0.0,"afterMarketOrder":true,"amoTime":"OPEN""#),
        "{bodies:?}"
    );
    assert!(
        bodies[1].contains(r#""price":182.35,"triggerPrice":180.0,"afterMarketOrder":false}"#),
        "{bodies:?}"
    );
    assert_eq!(
        bodies[2],
        r#"{"dhanClientId":"1000000202","orderId":"221261123048117","orderType":"STOP_LOSS","validity":"DAY","quantity":65,"price":182.35,"triggerPrice":180.0,"disclosedQuantity":0}"#
    );
    for body in bodies {
        assert!(!body.contains("\"\""), "{body}");
    }
}

#[actix_rt::test]
async fn each_answer_is_taken_for_what_it_proves() {
    let refused = |text: &str| format!(r#"{{"errorType":"X","errorCode":"DH-906","errorMessage":"{text}"}}"#);
    let coded =
        |code: &str| format!(r#"{{"errorType":"X","errorCode":"{code}","errorMessage":"Something"}}"#);
    for (http, body, expected) in [
        (200, PLACED.to_owned(), "done"),
        (202, PLACED.to_owned(), "done"),
        (200, r#"{"orderId":221261123048117,"orderStatus":"PENDING"}"#.to_owned(), "done"),
        (200, String::new(), "unknown"),
        (200, "{}".to_owned(), "unknown"),
        (200, r#"{"orderId":"","orderStatus":"TRANSIT"}"#.to_owned(), "unknown"),
        (200, "<html>".to_owned(), "unknown"),
        (200, refused("Invalid Token"), "refused credentials"),
        (302, String::new(), "unknown"),
        (400, refused("Invalid Token"), "refused credentials"),
        (400, coded("DH-905"), "refused parameters"),
        (400, refused("Invalid IP"), "refused static_ip"),
        (400, refused("Order is in Transit state"), "refused in_transit"),
        (400, refused("Markets are Offline or Blocked"), "refused market_closed"),
        (400, refused("You have insufficient funds. Please add Rs.1"), "refused margin"),
        (400, "<html>".to_owned(), "unknown"),
        (401, String::new(), "refused credentials"),
        (400, coded("DH-908"), "unknown"),
        (400, coded("DH-909"), "unknown"),
        (403, String::new(), "unknown"),
        (
            404,
            r#"{"timestamp":1,"status":404,"error":"Not Found","path":"/v2/orders"}"#.to_owned(),
            "refused other",
        ),
        (429, coded("DH-904"), "busy"),
        (429, String::new(), "busy"),
        (500, coded("DH-906"), "unknown"),
        (200, coded("DH-905"), "refused parameters"),
        (200, r#"[{"message":"Something","status":"ERROR"}]"#.to_owned(), "unknown"),
        (408, coded("DH-906"), "unknown"),
        (503, refused("Too many requests"), "unknown"),
        (502, "<html>".to_owned(), "unknown"),
        (504, String::new(), "unknown"),
    ] {
        let server = Server::answering(http, &body);
        let outcome = place(&server.client(), &terms()).await;
        assert_eq!(verdict(&outcome), expected, "{http} {body}: {outcome:?}");
        assert_eq!(server.requests().len(), 1, "nothing is ever repeated");
    }
}

#[actix_rt::test]
async fn a_rate_limit_says_how_long_where_it_says() {
    let server = Server::start(|_| {
        Reply::Raw(b"HTTP/1.1 429 X\r\nretry-after: 3\r\ncontent-length: 0\r\n\r\n".to_vec())
    });
    let Err(OrderRequestError::Busy { retry_after, .. }) = place(&server.client(), &terms()).await else {
        panic!("not busy");
    };
    assert_eq!(retry_after, Some(Duration::from_secs(3)));
}

#[actix_rt::test]
async fn a_cancellation_may_be_answered_without_a_body() {
    for (http, body, status) in [
        (202, "", None),
        (200, r#"{"orderId":"221261123048117","orderStatus":"CANCELLED"}"#, Some(BrokerStatus::Cancelled)),
    ] {
        let server = Server::answering(http, body);
        assert_eq!(cancel(&server.client(), &broker_order_id()).await.unwrap().status, status);
        let request = &server.requests()[0];
        assert_eq!(
            (request.line.as_str(), request.body.as_str()),
            ("DELETE /v2/orders/221261123048117 HTTP/1.1", "")
        );
    }
    let server =
        Server::answering(400, r#"{"errorCode":"DH-906","errorMessage":"Order is in Transit state"}"#);
    let Err(OrderRequestError::Refused(refusal)) = cancel(&server.client(), &broker_order_id()).await else {
        panic!("not refused");
    };
    assert_eq!(refusal.class, RefusalClass::InTransit);
}

#[actix_rt::test]
async fn an_order_id_that_would_change_the_path_is_not_sent() {
    let server = Server::answering(200, PLACED);
    let outcome = cancel(&server.client(), &BrokerOrderId::new("1/../../positions").unwrap()).await;
    assert_eq!(verdict(&outcome), "not sent");
    assert_eq!(server.requests().len(), 0);
}

#[actix_rt::test]
async fn a_redirect_is_not_followed_and_the_token_stays() {
    let elsewhere = Server::answering(200, PLACED);
    let target = format!("http://{}/v2/orders", elsewhere.address);
    let server = Server::start(move |_| {
        Reply::Raw(format!("HTTP/1.1 307 X\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n").into_bytes())
    });
    assert_eq!(verdict(&place(&server.client(), &terms()).await), "unknown");
    assert_eq!((server.requests().len(), elsewhere.connections()), (1, 0));
}

#[actix_rt::test]
async fn a_server_that_reads_and_closes_leaves_the_outcome_unknown() {
    // On a fresh connection, and on one that has served before.
    let server = Server::start(|_| Reply::RawThenClose(Vec::new()));
    assert_eq!(verdict(&place(&server.client(), &terms()).await), "unknown");
    assert_eq!(server.requests().len(), 1, "not sent again");

    let server = Server::start(|request| match request.line.as_str() {
        "GET /v2/orders HTTP/1.1" => Reply::json(200, "[]"),
        _ => Reply::RawThenClose(Vec::new()),
    });
    let client = server.client();
    client.orders().await.unwrap();
    assert_eq!(verdict(&place(&client, &terms()).await), "unknown");
    assert_eq!((server.requests().len(), server.connections()), (2, 1));
}

#[actix_rt::test]
async fn nobody_listening_is_not_sent() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = place(&client(&settings(&format!("http://{address}/v2"))), &terms()).await;
    assert_eq!(verdict(&outcome), "not sent", "{outcome:?}");
    let outcome = place(&client(&settings("http://no-such-host.invalid/v2")), &terms()).await;
    assert_eq!(verdict(&outcome), "not sent", "{outcome:?}");
}

#[actix_rt::test]
async fn a_handshake_that_never_comes_is_not_sent() {
    // Takes the connection (the backlog does) and never speaks TLS.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = settings(&format!("https://{}/v2", listener.local_addr().unwrap()));
    settings.connect_timeout = Duration::from_millis(100);
    let outcome = place(&client(&settings), &terms()).await;
    assert_eq!(verdict(&outcome), "not sent", "{outcome:?}");
}

#[actix_rt::test]
async fn an_ipv6_only_server_is_not_reached() {
    let server = Server::start_on("[::1]:0", |_| Reply::json(200, PLACED));
    let outcome = place(&server.client(), &terms()).await;
    assert_eq!(verdict(&outcome), "not sent", "{outcome:?}");
    assert_eq!(server.connections(), 0);
}

#[actix_rt::test]
async fn the_deadline_covers_the_body_too() {
    let whole = PLACED.len();
    for sent in [0, 1, whole - 1] {
        let server = Server::start(move |_| {
            let part = &PLACED[..sent];
            Reply::RawThenHold(
                format!("HTTP/1.1 200 X\r\ncontent-length: {whole}\r\n\r\n{part}").into_bytes(),
            )
        });
        let mut settings = settings(&server.url());
        settings.request_deadline = Duration::from_millis(150);
        assert_eq!(verdict(&place(&client(&settings), &terms()).await), "unknown", "{sent} bytes");
    }
}

#[actix_rt::test]
async fn a_short_body_is_no_answer_even_when_it_reads_as_one() {
    let server = Server::start(|_| {
        Reply::RawThenClose(format!("HTTP/1.1 200 X\r\ncontent-length: 500\r\n\r\n{PLACED}").into_bytes())
    });
    assert_eq!(verdict(&place(&server.client(), &terms()).await), "unknown");
}

#[actix_rt::test]
async fn no_error_text_carries_the_token() {
    let server = Server::start(|request| {
        let token =
            request.head.lines().find_map(|line| line.strip_prefix("access-token: ")).unwrap_or("none");
        Reply::json(400, &format!(r#"{{"errorCode":"DH-905","errorMessage":"bad token {token}"}}"#))
    });
    let client = server.client();
    let error = place(&client, &terms()).await.unwrap_err();
    assert!(error.to_string().contains("[token]"), "{error}");
    assert!(!format!("{error:?} {error} {client:?}").contains(TOKEN));
}
