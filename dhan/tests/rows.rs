//! Rows of REST answers: books, trades, portfolio, and the bodies we send.

use tandem_dhan::parse;
use tandem_dhan::wire::{
    ConvertPositionRequest, Decimal, FundLimit, HoldingRow, IpStatus, MarginAnswer, ModifyOrderRequest,
    MultiMarginAnswer, OrderBookRow, PlaceOrderRequest, PositionRow, Profile, Rows, TradeRow, decode_row,
    decode_rows,
};
use tandem_domain::order::{BrokerStatus, Leg};
use tandem_domain::time::Timestamp;

const ROW: &str = r#"{"dhanClientId":"1000000202","orderId":"221261123048117","exchangeOrderId":"1100000052817734",
 "correlationId":"cp-1a2b3c4d5e6f-01","orderStatus":"PART_TRADED","transactionType":"BUY",
 "exchangeSegment":"NSE_FNO","productType":"MARGIN","orderType":"LIMIT","validity":"DAY",
 "tradingSymbol":"NIFTY-Dec2026-26000-CE","securityId":"43125","quantity":130,"disclosedQuantity":0,
 "price":182.35,"triggerPrice":0.0,"afterMarketOrder":false,"boProfitValue":0.0,"boStopLossValue":0.0,
 "legName":"NA","createTime":"2026-11-23 10:04:11","updateTime":"2026-11-23 10:04:12",
 "exchangeTime":"2026-11-23 10:04:11","drvExpiryDate":"2026-12-15","drvOptionType":"CALL",
 "drvStrikePrice":26000.0,"omsErrorCode":"0","omsErrorDescription":"CONFIRMED","algoId":"0",
 "remainingQuantity":65,"averageTradedPrice":182.30,"filledQty":65}"#;

#[test]
fn a_book_row_becomes_a_report() {
    let Rows { rows, unreadable } = decode_rows::<OrderBookRow>(ROW.as_bytes()).unwrap();
    assert_eq!(unreadable, vec![]);
    let report = parse::order_row(&rows[0]).unwrap();
    assert_eq!(report.status, BrokerStatus::PartTraded);
    assert_eq!((report.cumulative.get(), report.terms.quantity.get()), (65, 130));
    assert_eq!(report.terms.price.units(), 1_823_500);
    assert_eq!(report.average_price.units(), 1_823_000);
    assert_eq!((report.leg, report.reason), (Leg::Single, None));
    assert_eq!(report.ts_event.to_string(), "2026-11-23 10:04:12.000");

    // What is written is read back.
    let again = serde_json::to_vec(&rows).unwrap();
    assert_eq!(decode_rows::<OrderBookRow>(&again).unwrap().rows, rows);
}

#[test]
fn documented_nulls_and_live_sentinels_read_alike() {
    let nulls = ROW
        .replace(r#""legName":"NA""#, r#""legName":null"#)
        .replace(r#""exchangeTime":"2026-11-23 10:04:11""#, r#""exchangeTime":null"#)
        .replace(r#""omsErrorDescription":"CONFIRMED""#, r#""omsErrorDescription":null"#)
        .replace(r#""triggerPrice":0.0"#, r#""triggerPrice":null"#);
    let sentinels =
        ROW.replace(r#""exchangeTime":"2026-11-23 10:04:11""#, r#""exchangeTime":"0001-01-01 00:00:00""#);
    let read = |text: &str| parse::order_row(&decode_rows(text.as_bytes()).unwrap().rows[0]).unwrap();
    assert_eq!(read(&nulls), read(&sentinels));
    assert_eq!(read(&nulls).ts_exchange, None);
}

#[test]
fn the_reason_is_read_only_where_it_is_one() {
    for (status, reason) in [
        ("REJECTED", Some("CONFIRMED")),
        ("CANCELLED", Some("CONFIRMED")),
        ("PENDING", None),
        ("TRADED", None),
    ] {
        let text = ROW.replace("PART_TRADED", status);
        let report = parse::order_row(&decode_rows(text.as_bytes()).unwrap().rows[0]).unwrap();
        assert_eq!(report.reason.as_deref(), reason, "{status}");
    }
}

#[test]
fn one_bad_row_costs_one_row_and_names_its_order() {
    let bad_type = ROW.replace(r#""quantity":130"#, r#""quantity":[130]"#).replace("048117", "048118");
    let bad_word = ROW.replace(r#""validity":"DAY""#, r#""validity":"EOS""#).replace("048117", "048119");
    let body = format!("[{ROW},{bad_type},{bad_word},7,{{}}]");
    let Rows { rows, unreadable } = decode_rows::<OrderBookRow>(body.as_bytes()).unwrap();
    let described: Vec<String> = unreadable.iter().map(ToString::to_string).collect();
    assert_eq!(
        described,
        [
            "unreadable quantity: \"an object or array\" (order 221261123048118)",
            "unreadable row: \"7\"",
            "unreadable row: \"an object without a known key\"",
        ]
    );
    assert_eq!(rows.len(), 2);
    let error = parse::order_row(&rows[1]).unwrap_err();
    assert_eq!(error.to_string(), "unreadable validity: \"EOS\" (order 221261123048119)");
}

#[test]
fn bodies_that_are_no_rows_are_errors() {
    for body in ["", "[", "[{\"orderId\":\"1\"}", "null", "\"x\"", "[] trailing", "<html>"] {
        assert!(decode_rows::<OrderBookRow>(body.as_bytes()).is_err(), "{body}");
    }
    assert_eq!(decode_rows::<OrderBookRow>(b"[]").unwrap().rows, vec![]);
}

#[test]
fn a_trade_row_becomes_a_fill() {
    let text = r#"[{"dhanClientId":"1000000202","orderId":"221261123048117","exchangeOrderId":"1100000052817734",
  "exchangeTradeId":"304518872","transactionType":"SELL","exchangeSegment":"NSE_FNO","productType":"MARGIN",
  "orderType":"LIMIT","tradingSymbol":"NIFTY-Dec2026-26000-CE","customSymbol":"NIFTY 15 DEC 26000 CALL",
  "securityId":"43125","tradedQuantity":65,"tradedPrice":182.30,"createTime":"2026-11-23 10:04:11",
  "updateTime":"2026-11-23 10:04:12","exchangeTime":"2026-11-23 10:04:12","drvExpiryDate":"2026-12-15",
  "drvOptionType":"CALL","drvStrikePrice":26000.0}]"#;
    let trade = parse::trade_row(&decode_rows::<TradeRow>(text.as_bytes()).unwrap().rows[0]).unwrap();
    assert_eq!((trade.trade_id.as_str(), trade.quantity.get()), ("304518872", 65));
    assert_eq!(trade.price.units(), 1_823_000);

    let without_id = text.replace("304518872", "");
    let error =
        parse::trade_row(&decode_rows::<TradeRow>(without_id.as_bytes()).unwrap().rows[0]).unwrap_err();
    assert_eq!((error.field, error.order.unwrap().as_str()), ("exchangeTradeId", "221261123048117"));
}

#[test]
fn the_portfolio_is_read_in_the_brokers_spelling() {
    let funds = parse::funds(
        &decode_row::<FundLimit>(
            br#"{"dhanClientId":"1000000202","availabelBalance":184250.75,"sodLimit":200000.0,"collateralAmount":0.0,
 "receiveableAmount":0.0,"utilizedAmount":15749.25,"blockedPayoutAmount":0.0,"withdrawableBalance":184250.75}"#,
        )
        .unwrap(),
    )
    .unwrap();
    assert_eq!(
        (funds.available.to_string(), funds.total().to_string()),
        ("184250.75".into(), "200000.00".into())
    );

    let positions = decode_rows::<PositionRow>(
        br#"[{"dhanClientId":"1000000202","tradingSymbol":"NIFTY-Dec2026-26000-CE","securityId":"43125","positionType":"SHORT",
  "exchangeSegment":"NSE_FNO","productType":"MARGIN","buyAvg":182.30,"costPrice":182.30,"buyQty":65,"sellAvg":0.0,
  "sellQty":130,"netQty":-65,"realizedProfit":-10.5,"unrealizedProfit":120.25,"rbiReferenceRate":1.0,"multiplier":1,
  "drvExpiryDate":"0001-01-01","drvOptionType":null,"drvStrikePrice":26000.0,"crossCurrency":false}]"#,
    )
    .unwrap();
    let position = parse::position(&positions.rows[0], Timestamp::EPOCH).unwrap();
    assert_eq!((position.net.0, position.realised.units()), (-65, -105_000));

    let holdings = decode_rows::<HoldingRow>(
        br#"[{"exchange":"ALL","tradingSymbol":"RELIANCE","securityId":"2885","isin":"INE002A01018","totalQty":10,"dpQty":10,"t1Qty":0,
  "mtf_t1_qty":0,"mtf_qty":0,"availableQty":9,"collateralQty":0,"avgCostPrice":1402.5,"lastTradedPrice":1449.9}]"#,
    )
    .unwrap();
    let holding = parse::holding(&holdings.rows[0]).unwrap();
    assert_eq!((holding.total.0, holding.available.0, holding.symbol.as_str()), (10, 9, "RELIANCE"));
}

#[test]
fn account_answers_are_read_in_all_their_forms() {
    let profile = decode_row::<Profile>(
        br#"{"dhanClientId":"1000000101","tokenValidity":"24/11/2026 08:41","activeSegment":"E, D, C, M, ",
 "ddpi":"Active","mtf":"Deactive","dataPlan":"Active","dataValidity":"2026-12-05 09:37:52.0"}"#,
    )
    .unwrap();
    let profile = parse::profile(&profile).unwrap();
    assert_eq!(profile.token_valid_until.unwrap().to_string(), "2026-11-24 08:41:00.000");
    assert!(profile.data_plan_active);

    let ip = decode_row::<IpStatus>(br#"{"primaryIP":"203.0.113.7","secondaryIP":null}"#).unwrap();
    assert_eq!(parse::ip_report(&ip).orders_allowed, None);
    let ip =
        decode_row::<IpStatus>(br#"{"primaryIP":"203.0.113.7","ordersAllowed":false,"detectedIP":"::1"}"#)
            .unwrap();
    assert_eq!(parse::ip_report(&ip).orders_allowed, Some(false));

    let margin = decode_row::<MarginAnswer>(
        br#"{"totalMargin":112480.0,"spanMargin":88210.0,"exposureMargin":24270.0,"availableBalance":184250.75,
 "variableMargin":0.0,"insufficientBalance":0.0,"brokerage":20.0,"leverage":"1.00"}"#,
    )
    .unwrap();
    assert_eq!(parse::margin(&margin).unwrap().total.to_string(), "112480.00");

    for body in [
        r#"{"total_margin":"112480.00","hedge_benefit":"5"}"#,
        r#"{"totalMargin":112480.0,"hedgeBenefit":5}"#,
    ] {
        let margin: MultiMarginAnswer = decode_row(body.as_bytes()).unwrap();
        assert_eq!((margin.total_margin.get(), margin.hedge_benefit.get()), (112_480.0, 5.0), "{body}");
    }
}

#[test]
fn requests_refuse_an_empty_text_for_a_number_as_the_broker_does() {
    // The official SDK's body: floats, ints, nulls.
    let sdk = r#"{"dhanClientId":"1000000202","correlationId":"cp-1","transactionType":"BUY","exchangeSegment":"NSE_FNO",
 "productType":"MARGIN","orderType":"LIMIT","validity":"DAY","securityId":"43125","quantity":65,"disclosedQuantity":0,
 "price":182.35,"triggerPrice":0.0,"afterMarketOrder":false,"boProfitValue":null,"boStopLossValue":null}"#;
    let request: PlaceOrderRequest = serde_json::from_str(sdk).unwrap();
    assert_eq!((request.quantity, request.price, request.bo_profit_value), (65, Decimal::new(182.35), None));

    for (from, to) in [
        (r#""quantity":65"#, r#""quantity":"""#),
        (r#""price":182.35"#, r#""price":"""#),
        (r#""triggerPrice":0.0"#, r#""triggerPrice":"""#),
        (r#""disclosedQuantity":0"#, r#""disclosedQuantity":"""#),
        (r#""quantity":65"#, r#""quantity":65.5"#),
        (r#""correlationId":"cp-1""#, r#""correlationId":["cp-1"]"#),
        (r#""quantity":65,"#, ""),
    ] {
        let body = sdk.replace(from, to);
        assert!(serde_json::from_str::<PlaceOrderRequest>(&body).is_err(), "{body}");
    }
    let texts = sdk.replace(r#""quantity":65"#, r#""quantity":"65""#);
    assert_eq!(serde_json::from_str::<PlaceOrderRequest>(&texts).unwrap().quantity, 65);

    let modify = r#"{"dhanClientId":"1","orderId":"2","orderType":"LIMIT","validity":"DAY","quantity":65,"legName":""}"#;
    assert_eq!(serde_json::from_str::<ModifyOrderRequest>(modify).unwrap().leg_name.as_deref(), Some(""));
    let convert = r#"{"dhanClientId":"1","fromProductType":"INTRADAY","toProductType":"MARGIN","exchangeSegment":"NSE_FNO",
 "positionType":"LONG","securityId":"43125","convertQty":"65"}"#;
    assert_eq!(serde_json::from_str::<ConvertPositionRequest>(convert).unwrap().convert_qty, 65);
}
