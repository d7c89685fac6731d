//! Converting what is held, and what an order would need: what goes out, and what each answer is taken for.

use tandem_domain::follower::Conversion;
use tandem_domain::order::{OrderTerms, OrderType, Product};
use tandem_domain::price::Price;

use super::server::Server;
use super::writes::{terms, verdict};

const ANSWER: &str = r#"{"totalMargin":112480.0,"spanMargin":88210.0,"exposureMargin":24270.0,"availableBalance":184250.75,"variableMargin":0.0,"insufficientBalance":0.0,"brokerage":20.0,"leverage":"1.00"}"#;

fn conversion(units: i64) -> Conversion {
    Conversion { instrument: terms().instrument, from: Product::Intraday, to: Product::Margin, units }
}

#[actix_rt::test]
async fn a_conversion_names_both_products_and_the_side() {
    for (units, side, quantity) in [(65, "LONG", 65), (-130, "SHORT", 130)] {
        let server = Server::answering(202, "");
        server.client().convert(&conversion(units)).await.unwrap();
        let request = &server.requests()[0];
        assert_eq!(request.line, "POST /v2/positions/convert HTTP/1.1");
        assert_eq!(
            request.body,
            format!(
                r#"{{"dhanClientId":"1000000202","fromProductType":"INTRADAY","toProductType":"MARGIN","exchangeSegment":"NSE_FNO","positionType":"{side}","securityId":"43125","convertQty":{quantity}}}"#
            )
        );
    }
}

#[actix_rt::test]
async fn a_conversion_is_done_only_when_nothing_says_no() {
    let refused = r#"{"errorType":"Order_Error","errorCode":"DH-906","errorMessage":"Insufficient position to convert"}"#;
    for (http, body, expected) in [
        (202, "", "done"),
        (200, "{}", "done"),
        (200, r#"{"status":"success"}"#, "done"),
        (400, refused, "refused other"),
        (200, refused, "unknown"),
        (429, "", "busy"),
        (500, "", "unknown"),
        (302, "", "unknown"),
    ] {
        let server = Server::answering(http, body);
        let outcome = server.client().convert(&conversion(65)).await;
        assert_eq!(verdict(&outcome), expected, "{http} {body}: {outcome:?}");
    }
}

#[actix_rt::test]
async fn the_calculator_is_asked_about_the_whole_order() {
    let server = Server::answering(200, ANSWER);
    let margin = server.client().margin(&terms()).await.unwrap();
    assert_eq!((margin.total.to_string(), margin.missing.to_string()), ("112480.00".into(), "0.00".into()));
    let stop = OrderTerms { order_type: OrderType::StopLoss, trigger: Price::from_paise(18_000), ..terms() };
    server.client().margin(&stop).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests[0].line, "POST /v2/margincalculator HTTP/1.1");
    assert_eq!(
        requests[0].body,
        r#"{"dhanClientId":"1000000202","exchangeSegment":"NSE_FNO","transactionType":"BUY","quantity":65,"productType":"MARGIN","securityId":"43125","price":182.35}"#
    );
    assert!(requests[1].body.ends_with(r#""price":182.35,"triggerPrice":180.0}"#), "{}", requests[1].body);
}
