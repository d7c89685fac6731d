//! Books, lookups and the account's answers, also large, short, cut and refused ones.

use std::net::TcpListener;

use tandem_dhan::refusal::RefusalClass;
use tandem_dhan::rest::{AccountClient, ClientError, ReadError};
use tandem_dhan::token::TokenSource;
use tandem_domain::ids::{BrokerOrderId, ClientOrderId};
use tandem_domain::time::Timestamp;

use super::server::{Reply, Server, account, client, settings, token};
use super::writes::terms;

const NOT_FOUND: &str = r#"{"errorType":"Order_Error","errorCode":"DH-906","errorMessage":"Incorrect request for order and cannot be processed"}"#;

fn row(id: &str, tag: &str) -> String {
    format!(
        r#"{{"dhanClientId":"1000000202","orderId":"{id}","exchangeOrderId":"11","correlationId":"{tag}","orderStatus":"PENDING","transactionType":"BUY","exchangeSegment":"NSE_FNO","productType":"MARGIN","orderType":"LIMIT","validity":"DAY","tradingSymbol":"NIFTY-Dec2026-26000-CE","securityId":"43125","quantity":65,"disclosedQuantity":0,"price":182.35,"triggerPrice":0.0,"afterMarketOrder":false,"legName":"NA","createTime":"2026-11-23 10:04:11","updateTime":"2026-11-23 10:04:12","exchangeTime":"2026-11-23 10:04:11","omsErrorDescription":"CONFIRMED","remainingQuantity":65,"averageTradedPrice":0.0,"filledQty":0}}"#
    )
}

fn tag() -> ClientOrderId {
    ClientOrderId::new("tdm-abcdefghij0123456789").unwrap()
}

fn order_id() -> BrokerOrderId {
    BrokerOrderId::new("221261123048117").unwrap()
}

#[actix_rt::test]
async fn a_full_days_book_is_read() {
    let rows: Vec<String> = (0..7000).map(|number| row(&format!("2212611230{number:05}"), "NA")).collect();
    let body = format!("[{}]", rows.join(","));
    assert!(body.len() > 4 * 1024 * 1024, "more than the client's own limit of 2 MiB");
    let server = Server::answering(200, &body);
    let book = server.client().orders().await.unwrap();
    assert_eq!((book.rows.len(), book.is_complete()), (7000, true));

    let mut settings = settings(&server.url());
    settings.body_limit = 1024 * 1024;
    assert!(matches!(client(&settings).orders().await, Err(ReadError::Failed { .. })));
}

#[actix_rt::test]
async fn a_book_with_an_unreadable_row_is_not_complete() {
    let odd = row("221261123048118", "NA").replace(r#""quantity":65"#, r#""quantity":"many""#);
    let server = Server::answering(200, &format!("[{},{odd}]", row("221261123048117", "NA")));
    let book = server.client().orders().await.unwrap();
    assert_eq!((book.rows.len(), book.is_complete()), (1, false));
    assert_eq!(book.unreadable[0].order.as_ref().unwrap().as_str(), "221261123048118");
}

#[actix_rt::test]
async fn a_cut_answer_is_no_book() {
    let whole = format!("[{}]", row("1", "NA"));
    // Shorter than announced, although what came is a book; and a chunked body without its end.
    let announced = format!("HTTP/1.1 200 X\r\ncontent-length: {}\r\n\r\n{whole}", whole.len() + 1);
    let cut = &whole[..whole.len() - 10];
    let chunked = format!("HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{cut}\r\n", cut.len());
    for bytes in [announced, chunked] {
        let server = Server::start(move |_| Reply::RawThenClose(bytes.clone().into_bytes()));
        let outcome = server.client().orders().await;
        assert!(matches!(outcome, Err(ReadError::Failed { .. })), "{outcome:?}");
    }
}

#[actix_rt::test]
async fn an_order_is_found_in_either_shape_and_not_found_in_either() {
    for (http, body, found) in [
        (200, row("221261123048117", "NA"), true),
        (200, format!("[{}]", row("221261123048117", "NA")), true),
        (200, "[]".to_owned(), false),
        (404, NOT_FOUND.to_owned(), false),
    ] {
        let server = Server::answering(http, &body);
        assert_eq!(server.client().order(&order_id()).await.unwrap().is_some(), found, "{body}");
        assert_eq!(server.requests()[0].line, "GET /v2/orders/221261123048117 HTTP/1.1");
    }
    let server = Server::answering(200, &row("999", "NA"));
    assert!(server.client().order(&order_id()).await.is_err(), "an answer about another order");
}

#[actix_rt::test]
async fn a_tag_is_looked_up_and_only_its_own_orders_are_taken() {
    for (http, body, count) in [
        (200, row("1", tag().as_str()), 1),
        (200, format!("[{},{}]", row("1", tag().as_str()), row("2", tag().as_str())), 2),
        (404, NOT_FOUND.to_owned(), 0),
        (200, "[]".to_owned(), 0),
    ] {
        let server = Server::answering(http, &body);
        assert_eq!(server.client().orders_by_tag(&tag()).await.unwrap().len(), count, "{body}");
        assert_eq!(server.requests()[0].line, "GET /v2/orders/external/tdm-abcdefghij0123456789 HTTP/1.1");
    }
    // A path the gateway does not know, or a row we cannot read, is not "no such order".
    for (http, body) in [
        (404, r#"{"timestamp":1,"status":404,"error":"Not Found","path":"/v2"}"#.to_owned()),
        (404, String::new()),
        (200, row("1", tag().as_str()).replace("DAY", "EOS")),
        (200, row("1", "somebody-else")),
        (200, String::new()),
        (200, "{}".to_owned()),
    ] {
        let server = Server::answering(http, &body);
        assert!(server.client().orders_by_tag(&tag()).await.is_err(), "{http} {body}");
    }
}

#[actix_rt::test]
async fn empty_holdings_are_an_error_of_the_brokers() {
    for (http, body) in [
        (
            500,
            r#"{"errorType":"HOLDING_ERROR","errorCode":"DH-1111","errorMessage":"No holdings available"}"#,
        ),
        (
            500,
            r#"{"errorType":"HOLDING_ERROR","internalErrorCode":"DH-1111","errorMessage":"No holdings available"}"#,
        ),
        (200, "[]"),
    ] {
        let server = Server::answering(http, body);
        let book = server.client().holdings().await.unwrap();
        assert!(book.rows.is_empty() && book.is_complete(), "{body}");
    }
    let server =
        Server::answering(500, r#"{"errorType":"X","errorCode":"DH-908","errorMessage":"Internal"}"#);
    assert!(matches!(server.client().holdings().await, Err(ReadError::Failed { .. })));
}

#[actix_rt::test]
async fn refusals_of_reads_are_told_apart() {
    let coded = |text: &str| format!(r#"{{"errorType":"X","errorCode":"DH-906","errorMessage":"{text}"}}"#);
    for (http, body, expected) in [
        (400, coded("Invalid Token"), Some(RefusalClass::Credentials)),
        (500, coded("Invalid Token"), Some(RefusalClass::Credentials)),
        (401, String::new(), Some(RefusalClass::Credentials)),
        (
            401,
            r#"{"data":{"808":"Authentication Failed"},"status":"failed"}"#.to_owned(),
            Some(RefusalClass::Credentials),
        ),
        (200, r#"[{"message":"nothing set","status":"ERROR"}]"#.to_owned(), Some(RefusalClass::Other)),
        (500, coded("whatever"), None),
        (503, "<html>".to_owned(), None),
        (200, "null".to_owned(), None),
        (307, String::new(), None),
    ] {
        let server = Server::answering(http, &body);
        let client = server.client();
        for outcome in [client.orders().await.map(|_| ()), client.profile().await.map(|_| ())] {
            match outcome {
                Err(ReadError::Refused(refusal)) => assert_eq!(Some(refusal.class), expected, "{body}"),
                Err(ReadError::Failed { .. }) => assert_eq!(None, expected, "{body}"),
                other => panic!("{http} {body}: {other:?}"),
            }
        }
    }
    for (http, body) in [(429, ""), (400, r#"{"data":{"805":"Too many requests."},"status":"failed"}"#)] {
        let server = Server::answering(http, body);
        assert!(matches!(server.client().orders().await, Err(ReadError::Busy { .. })), "{body}");
    }
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = client(&settings(&format!("http://{address}"))).orders().await;
    assert!(matches!(outcome, Err(ReadError::NotSent { .. })), "{outcome:?}");
}

#[actix_rt::test]
async fn the_account_is_read() {
    let server = Server::start(|request| {
        Reply::json(
            200,
            match request.line.as_str() {
                "GET /v2/fundlimit HTTP/1.1" => {
                    r#"{"dhanClientId":"1","availabelBalance":184250.75,"utilizedAmount":1}"#
                }
                "GET /v2/profile HTTP/1.1" => {
                    r#"{"dhanClientId":"1000000202","tokenValidity":"24/11/2026 08:41"}"#
                }
                "GET /v2/ip/getIP HTTP/1.1" => r#"{"primaryIP":"203.0.113.7","ordersAllowed":true}"#,
                "GET /v2/positions HTTP/1.1" => {
                    r#"[{"securityId":"43125","exchangeSegment":"NSE_FNO","productType":"MARGIN","netQty":-65,"carryForwardBuyQty":65,"carryForwardSellQty":195}]"#
                }
                "GET /v2/trades HTTP/1.1" => "[]",
                "POST /v2/margincalculator HTTP/1.1" => {
                    r#"{"totalMargin":100.5,"availableBalance":50,"insufficientBalance":50.5}"#
                }
                "POST /v2/marketfeed/ltp HTTP/1.1" => {
                    r#"{"data":{"NSE_FNO":{"43125":{"last_price":182.35}},"IDX_I":{}},"status":"success"}"#
                }
                _ => "{}",
            },
        )
    });
    let client = server.client();
    assert_eq!(client.funds().await.unwrap().available.to_string(), "184250.75");
    assert_eq!(client.profile().await.unwrap().account, account());
    assert_eq!(client.ip_status().await.unwrap().orders_allowed, Some(true));
    let held = client.positions(Timestamp::EPOCH).await.unwrap().rows.remove(0);
    assert_eq!((held.net.0, held.carried.0), (-65, -130));
    assert!(client.trades().await.unwrap().is_complete());
    assert_eq!(client.margin(&terms()).await.unwrap().missing.to_string(), "50.50");
    let key = terms().instrument;
    assert_eq!(client.ltp(&[key]).await.unwrap()[&key].to_string(), "182.35");
    assert_eq!(server.requests().last().unwrap().body, r#"{"NSE_FNO":[43125]}"#);
    assert_eq!(server.connections(), 1, "one warm connection serves them all");
}

#[actix_rt::test]
async fn an_empty_object_is_not_an_account_with_nothing() {
    let server = Server::answering(200, "{}");
    assert!(server.client().funds().await.is_err());
    assert!(server.client().ip_status().await.is_err());
}

#[actix_rt::test]
async fn a_reloaded_token_is_used_by_all_clones() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let write = |text: &str| {
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("first-token\n");
    let server = Server::answering(200, "[]");
    let source = TokenSource::file(&path);
    let client = AccountClient::new(&settings(&server.url()), account(), source).unwrap();
    let clone = client.clone();
    client.orders().await.unwrap();
    write("second-token\n");
    client.reload_token().unwrap();
    clone.orders().await.unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(client.reload_token().is_err());
    client.orders().await.unwrap();

    let tokens: Vec<String> = server
        .requests()
        .iter()
        .filter_map(|request| {
            request.head.lines().find_map(|line| line.strip_prefix("access-token: ").map(str::to_owned))
        })
        .collect();
    assert_eq!(tokens, ["first-token", "second-token", "second-token"]);
}

#[actix_rt::test]
async fn an_address_that_is_none_is_refused_before_it_can_panic() {
    for url in ["", "nonsense", "http://", "/v2", "ftp://host/v2", "https:///v2"] {
        let outcome = AccountClient::new(&settings(url), account(), token());
        assert!(matches!(outcome, Err(ClientError::BaseUrl { .. })), "{url}");
    }
}
