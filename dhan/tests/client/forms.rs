//! Super and forever orders: their paths, their bodies, their lists.

use tandem_dhan::codes::AmoTime;
use tandem_dhan::refusal::RefusalClass;
use tandem_dhan::rest::{CancelOrder, ChangeOrder, NewOrder, OrderRequestError, ReadError};
use tandem_domain::ids::{BrokerOrderId, ClientOrderId};
use tandem_domain::instrument::{ExchangeSegment, InstrumentKey, SecurityId};
use tandem_domain::mirror::OrderPart;
use tandem_domain::order::{ExitLegs, OcoLeg, OrderForm, OrderTerms, OrderType, Product, Side};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;

use super::server::{Reply, Server};
use super::writes::{PLACED, broker_order_id, place, terms, verdict};

const ORDER: &str = "221261123048117";

fn super_terms() -> OrderTerms {
    let form = OrderForm::Super(ExitLegs {
        target: Some(Price::from_paise(20_500)),
        stop: Some(Price::from_paise(17_000)),
        trailing: Price::from_paise(200),
    });
    OrderTerms { product: Product::Intraday, form, ..terms() }
}

fn with_exits(target: Option<u32>, stop: Option<u32>) -> OrderTerms {
    let form = OrderForm::Super(ExitLegs {
        target: target.map(Price::from_paise),
        stop: stop.map(Price::from_paise),
        trailing: Price::ZERO,
    });
    OrderTerms { form, ..super_terms() }
}

fn forever_terms(second: Option<OcoLeg>) -> OrderTerms {
    OrderTerms {
        instrument: InstrumentKey { segment: ExchangeSegment::NseEquity, security_id: SecurityId(2885) },
        side: Side::Sell,
        product: Product::Cnc,
        quantity: Quantity::new(5),
        price: Price::from_paise(142_800),
        trigger: Price::from_paise(142_900),
        form: OrderForm::Forever(second),
        ..terms()
    }
}

fn second_leg() -> OcoLeg {
    OcoLeg {
        price: Price::from_paise(156_000),
        trigger: Price::from_paise(155_900),
        quantity: Quantity::new(4),
    }
}

#[actix_rt::test]
async fn each_form_is_placed_where_it_belongs() {
    let oco = forever_terms(Some(second_leg()));
    let market = OrderTerms { order_type: OrderType::Market, ..super_terms() };
    for (terms, path, body) in [
        (
            super_terms(),
            "/super/orders",
            r#"{"dhanClientId":"1000000202","correlationId":"tdm-abcdefghij0123456789","transactionType":"BUY","exchangeSegment":"NSE_FNO","productType":"INTRADAY","orderType":"LIMIT","securityId":"43125","quantity":65,"price":182.35,"targetPrice":205.0,"stopLossPrice":170.0,"trailingJump":2.0}"#,
        ),
        (
            market,
            "/super/orders",
            r#"{"dhanClientId":"1000000202","correlationId":"tdm-abcdefghij0123456789","transactionType":"BUY","exchangeSegment":"NSE_FNO","productType":"INTRADAY","orderType":"MARKET","securityId":"43125","quantity":65,"price":0.0,"targetPrice":205.0,"stopLossPrice":170.0,"trailingJump":2.0}"#,
        ),
        (
            with_exits(None, Some(17_000)),
            "/super/orders",
            r#"{"dhanClientId":"1000000202","correlationId":"tdm-abcdefghij0123456789","transactionType":"BUY","exchangeSegment":"NSE_FNO","productType":"INTRADAY","orderType":"LIMIT","securityId":"43125","quantity":65,"price":182.35,"targetPrice":0.0,"stopLossPrice":170.0,"trailingJump":0.0}"#,
        ),
        (
            forever_terms(None),
            "/forever/orders",
            r#"{"dhanClientId":"1000000202","correlationId":"tdm-abcdefghij0123456789","orderFlag":"SINGLE","transactionType":"SELL","exchangeSegment":"NSE_EQ","productType":"CNC","orderType":"LIMIT","validity":"DAY","securityId":"2885","quantity":5,"disclosedQuantity":0,"price":1428.0,"triggerPrice":1429.0}"#,
        ),
        (
            oco,
            "/forever/orders",
            r#"{"dhanClientId":"1000000202","correlationId":"tdm-abcdefghij0123456789","orderFlag":"OCO","transactionType":"SELL","exchangeSegment":"NSE_EQ","productType":"CNC","orderType":"LIMIT","validity":"DAY","securityId":"2885","quantity":5,"disclosedQuantity":0,"price":1428.0,"triggerPrice":1429.0,"price1":1560.0,"triggerPrice1":1559.0,"quantity1":4}"#,
        ),
    ] {
        let server = Server::answering(200, PLACED);
        let client = server.client();
        assert_eq!(place(&client, &terms).await.unwrap().broker_order_id, broker_order_id());
        let request = server.requests().remove(0);
        assert_eq!(request.line, format!("POST /v2{path} HTTP/1.1"));
        assert_eq!(request.body, body);
        let client_order_id = ClientOrderId::new("tdm-abcdefghij0123456789").unwrap();
        let order = NewOrder { client_order_id: &client_order_id, terms: &terms, amo_time: AmoTime::Open };
        assert_eq!(client.place_body(&order), body);
    }
}

#[actix_rt::test]
async fn a_change_names_the_leg_and_restates_it() {
    const ENTRY: &str = r#"{"dhanClientId":"1000000202","orderId":"221261123048117","legName":"ENTRY_LEG","orderType":"LIMIT","quantity":65,"price":182.35,"targetPrice":205.0,"stopLossPrice":170.0,"trailingJump":2.0}"#;
    const FIRST: &str = r#"{"dhanClientId":"1000000202","orderId":"221261123048117","orderFlag":"OCO","orderType":"LIMIT","legName":"TARGET_LEG","quantity":5,"price":1428.0,"disclosedQuantity":0,"triggerPrice":1429.0,"validity":"DAY"}"#;
    let oco = forever_terms(Some(second_leg()));
    for (terms, part, path, body) in [
        (super_terms(), OrderPart::Entry, "/super/orders", ENTRY),
        (super_terms(), OrderPart::Whole, "/super/orders", ENTRY),
        (
            super_terms(),
            OrderPart::Target,
            "/super/orders",
            r#"{"dhanClientId":"1000000202","orderId":"221261123048117","legName":"TARGET_LEG","targetPrice":205.0}"#,
        ),
        (
            super_terms(),
            OrderPart::Stop,
            "/super/orders",
            r#"{"dhanClientId":"1000000202","orderId":"221261123048117","legName":"STOP_LOSS_LEG","stopLossPrice":170.0,"trailingJump":2.0}"#,
        ),
        (
            with_exits(None, Some(17_000)),
            OrderPart::Stop,
            "/super/orders",
            r#"{"dhanClientId":"1000000202","orderId":"221261123048117","legName":"STOP_LOSS_LEG","stopLossPrice":170.0,"trailingJump":0.0}"#,
        ),
        (oco.clone(), OrderPart::Whole, "/forever/orders", FIRST),
        (oco.clone(), OrderPart::Target, "/forever/orders", FIRST),
        (
            oco,
            OrderPart::Stop,
            "/forever/orders",
            r#"{"dhanClientId":"1000000202","orderId":"221261123048117","orderFlag":"OCO","orderType":"LIMIT","legName":"STOP_LOSS_LEG","quantity":4,"price":1560.0,"disclosedQuantity":0,"triggerPrice":1559.0,"validity":"DAY"}"#,
        ),
    ] {
        let server = Server::answering(200, PLACED);
        let client = server.client();
        let change = ChangeOrder { broker_order_id: &broker_order_id(), terms: &terms, part };
        client.modify(&change).await.unwrap();
        let request = server.requests().remove(0);
        assert_eq!(request.line, format!("PUT /v2{path}/{ORDER} HTTP/1.1"));
        assert_eq!(request.body, body);
        assert_eq!(client.modify_body(&change), body);
    }
}

#[actix_rt::test]
async fn a_leg_that_is_not_there_is_not_changed() {
    let server = Server::answering(200, PLACED);
    let client = server.client();
    for (terms, part) in [
        (with_exits(None, Some(17_000)), OrderPart::Target),
        (with_exits(Some(20_500), None), OrderPart::Stop),
        (forever_terms(None), OrderPart::Stop),
    ] {
        let change = ChangeOrder { broker_order_id: &broker_order_id(), terms: &terms, part };
        assert_eq!(verdict(&client.modify(&change).await), "not sent");
        assert_eq!(client.modify_body(&change), "");
    }
    assert_eq!(server.requests().len(), 0);
}

#[actix_rt::test]
async fn a_cancellation_names_the_leg_of_a_super_order_only() {
    for (terms, part, path) in [
        (terms(), OrderPart::Whole, "/orders/221261123048117"),
        (super_terms(), OrderPart::Whole, "/super/orders/221261123048117/ENTRY_LEG"),
        (super_terms(), OrderPart::Entry, "/super/orders/221261123048117/ENTRY_LEG"),
        (super_terms(), OrderPart::Target, "/super/orders/221261123048117/TARGET_LEG"),
        (super_terms(), OrderPart::Stop, "/super/orders/221261123048117/STOP_LOSS_LEG"),
        (forever_terms(None), OrderPart::Whole, "/forever/orders/221261123048117"),
        (forever_terms(Some(second_leg())), OrderPart::Stop, "/forever/orders/221261123048117"),
    ] {
        let server = Server::answering(202, "");
        let client = server.client();
        let order = CancelOrder { broker_order_id: &broker_order_id(), terms: &terms, part };
        assert_eq!(client.cancel(&order).await.unwrap().status, None);
        let request = server.requests().remove(0);
        assert_eq!(request.line, format!("DELETE /v2{path} HTTP/1.1"));
        assert_eq!(request.body, "");
        assert_eq!(client.cancel_body(&order), format!("DELETE {path}"));
    }
    let server = Server::answering(200, PLACED);
    for terms in [super_terms(), forever_terms(None)] {
        let elsewhere = BrokerOrderId::new("1/../../../positions").unwrap();
        let (id, part) = (&elsewhere, OrderPart::Whole);
        let order = CancelOrder { broker_order_id: id, terms: &terms, part };
        assert_eq!(verdict(&server.client().cancel(&order).await), "not sent");
        assert_eq!(server.client().cancel_body(&order), "");
        let change = ChangeOrder { broker_order_id: id, terms: &terms, part };
        assert_eq!(verdict(&server.client().modify(&change).await), "not sent");
    }
    assert_eq!(server.requests().len(), 0);
}

#[actix_rt::test]
async fn a_lost_answer_is_unknown_whatever_was_asked() {
    for terms in [terms(), super_terms(), forever_terms(None)] {
        let server = Server::start(|_| Reply::RawThenClose(Vec::new()));
        let client = server.client();
        let (id, part) = (&broker_order_id(), OrderPart::Whole);
        assert_eq!(verdict(&place(&client, &terms).await), "unknown");
        let change = ChangeOrder { broker_order_id: id, terms: &terms, part };
        assert_eq!(verdict(&client.modify(&change).await), "unknown");
        let order = CancelOrder { broker_order_id: id, terms: &terms, part };
        assert_eq!(verdict(&client.cancel(&order).await), "unknown");
        assert_eq!(server.requests().len(), 3, "nothing is ever repeated");
    }
}

#[actix_rt::test]
async fn a_refused_change_says_why() {
    for (http, text, class) in [
        (400, "Order is in Transit state", RefusalClass::InTransit),
        (400, "Incorrect request for order and cannot be processed", RefusalClass::UnknownOrder),
        (404, "Incorrect request for order and cannot be processed", RefusalClass::UnknownOrder),
        (400, "Maximum modifications exceeded for this order", RefusalClass::ModificationLimit),
        (400, "Invalid Token", RefusalClass::Credentials),
    ] {
        let body = format!(r#"{{"errorType":"X","errorCode":"DH-906","errorMessage":"{text}"}}"#);
        let server = Server::answering(http, &body);
        for terms in [terms(), super_terms(), forever_terms(None)] {
            let (id, part) = (&broker_order_id(), OrderPart::Whole);
            let change = ChangeOrder { broker_order_id: id, terms: &terms, part };
            let order = CancelOrder { broker_order_id: id, terms: &terms, part };
            let client = server.client();
            for outcome in [client.modify(&change).await, client.cancel(&order).await] {
                let Err(OrderRequestError::Refused(refusal)) = outcome else { panic!("{outcome:?}") };
                assert_eq!(refusal.class, class, "{text}");
            }
        }
    }
}

fn super_row(id: &str) -> String {
    format!(
        r#"{{"dhanClientId":"1000000202","orderId":"{id}","orderStatus":"PENDING","transactionType":"BUY","exchangeSegment":"NSE_FNO","productType":"INTRADAY","orderType":"LIMIT","validity":"DAY","securityId":"43125","quantity":65,"remainingQuantity":65,"ltp":184.2,"price":182.0,"legName":"ENTRY_LEG","createTime":"2026-11-23 10:15:02","legDetails":[{{"orderId":"{id}","legName":"TARGET_LEG","transactionType":"SELL","price":205.0,"orderStatus":"PENDING","trailingJump":0.0}}]}}"#
    )
}

fn forever_row(id: &str) -> String {
    format!(
        r#"{{"dhanClientId":"1000000202","orderId":"{id}","orderStatus":"CONFIRM","transactionType":"SELL","exchangeSegment":"NSE_EQ","productType":"CNC","orderType":"SINGLE","securityId":"2885","quantity":5,"price":1428.0,"triggerPrice":1429.0,"legName":"TARGET_LEG","createTime":"2026-11-23 10:20:00"}}"#
    )
}

#[actix_rt::test]
async fn the_lists_are_read_and_an_unreadable_row_is_told() {
    let odd = super_row("2").replace("205.0", "\"high\"");
    let server = Server::answering(200, &format!("[{},{odd}]", super_row("1")));
    let book = server.client().supers().await.unwrap();
    assert_eq!(server.requests()[0].line, "GET /v2/super/orders HTTP/1.1");
    assert_eq!((book.rows.len(), book.is_complete()), (1, false));
    assert_eq!(book.unreadable[0].order.as_ref().unwrap().as_str(), "2");
    assert_eq!(book.rows[0].legs[0].price, Price::from_paise(20_500));

    let odd = forever_row("2").replace("SINGLE", "TRIPLE");
    let server = Server::answering(200, &format!("[{},{odd}]", forever_row("1")));
    let book = server.client().forevers().await.unwrap();
    assert_eq!(server.requests()[0].line, "GET /v2/forever/orders HTTP/1.1");
    assert_eq!((book.rows.len(), book.is_complete()), (1, false));
    assert_eq!(book.rows[0].order.terms.trigger, Price::from_paise(142_900));
}

#[actix_rt::test]
async fn an_account_without_such_orders_has_none_and_a_failure_is_not_that() {
    let coded = |code: &str, text: &str| {
        format!(r#"{{"errorType":"X","errorCode":"{code}","errorMessage":"{text}"}}"#)
    };
    for (http, body, is_empty) in [
        (200, "[]".to_owned(), true),
        (500, coded("DH-1111", "Nothing here"), true),
        (404, coded("DH-906", "No super orders found"), true),
        (400, coded("DH-907", "No data available"), true),
        (500, coded("DH-906", "No Forever Order exists for this client"), true),
        (200, r#"[{"message":"No orders found","status":"ERROR"}]"#.to_owned(), true),
        (404, coded("DH-906", "Incorrect request for order and cannot be processed"), false),
        (
            404,
            r#"{"timestamp":1,"status":404,"error":"Not Found","path":"/v2/super/orders"}"#.to_owned(),
            false,
        ),
        (500, coded("DH-908", "No backend available"), false),
        (400, coded("DH-906", "Invalid Token"), false),
        (200, String::new(), false),
        (200, "null".to_owned(), false),
        (502, "<html>no orders found</html>".to_owned(), false),
    ] {
        let server = Server::answering(http, &body);
        let client = server.client();
        let supers = client.supers().await.map(|book| book.rows.is_empty() && book.is_complete());
        let forevers = client.forevers().await.map(|book| book.rows.is_empty() && book.is_complete());
        for outcome in [supers, forevers] {
            match outcome {
                Ok(none) => assert!(none && is_empty, "{http} {body}"),
                Err(ReadError::Refused(_) | ReadError::Failed { .. }) => assert!(!is_empty, "{http} {body}"),
                Err(error) => panic!("{http} {body}: {error}"),
            }
        }
    }
}
