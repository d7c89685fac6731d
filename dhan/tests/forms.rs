//! Super and forever orders: rows as documented and as damaged, and the bodies we send.

use tandem_dhan::parse;
use tandem_dhan::wire::{
    CreateForeverOrderRequest, Decimal, ForeverOrderRow, ModifyForeverOrderRequest, ModifySuperOrderRequest,
    OrderBookRow, PlaceSuperOrderRequest, Record, Rows, SuperOrderRow, decode_rows,
};

use tandem_domain::order::{
    BrokerStatus, ExitLegs, ForeverReport, Leg, OrderForm, OrderReport, OrderType, SuperReport, TimeInForce,
};
use tandem_domain::price::Price;

const SUPER: &str = r#"{"dhanClientId":"1000000202","orderId":"221261123050011","correlationId":"cp-su-01","orderStatus":"TRADED",
  "transactionType":"BUY","exchangeSegment":"NSE_FNO","productType":"INTRADAY","orderType":"LIMIT","validity":"DAY",
  "tradingSymbol":"NIFTY-Dec2026-26000-CE","securityId":"43125","quantity":65,"remainingQuantity":0,"ltp":184.2,"price":182.0,
  "afterMarketOrder":false,"legName":"ENTRY_LEG","exchangeOrderId":"1100000052819001","createTime":"2026-11-23 10:15:02",
  "updateTime":"2026-11-23 10:15:03","exchangeTime":"2026-11-23 10:15:02","omsErrorDescription":"","averageTradedPrice":182.0,
  "filledQty":65,"legDetails":[
   {"orderId":"221261123050011","legName":"STOP_LOSS_LEG","transactionType":"SELL","totalQuatity":65,"remainingQuantity":65,
    "triggeredQuantity":0,"price":170.0,"orderStatus":"PENDING","trailingJump":2.0},
   {"orderId":"221261123050011","legName":"TARGET_LEG","transactionType":"SELL","remainingQuantity":65,
    "triggeredQuantity":0,"price":205.0,"orderStatus":"PENDING","trailingJump":0.0}]}"#;

const FOREVER: &str = r#"{"dhanClientId":"1000000202","orderId":"5132611230511","orderStatus":"CONFIRM","transactionType":"SELL","exchangeSegment":"NSE_EQ",
  "productType":"CNC","orderType":"OCO","tradingSymbol":"RELIANCE","securityId":"2885","quantity":5,"price":1428.0,
  "triggerPrice":1429.0,"legName":"TARGET_LEG","createTime":"2026-11-23 10:20:00","updateTime":null,"exchangeTime":null,
  "drvExpiryDate":null,"drvOptionType":null,"drvStrikePrice":0}"#;

/// The one row of a body that has no fault.
fn only<T: Record>(text: &str) -> Option<T> {
    let Rows { mut rows, unreadable } = decode_rows(text.as_bytes()).ok()?;
    if rows.len() == 1 && unreadable.is_empty() { rows.pop() } else { None }
}

fn super_row(text: &str) -> Option<SuperOrderRow> {
    only(text)
}

#[test]
fn a_super_order_is_read_with_its_legs_and_written_back() {
    let row = super_row(SUPER).unwrap();
    assert_eq!(
        (row.entry.order_id.as_str(), row.entry.filled_qty, row.ltp.get()),
        ("221261123050011", 65, 184.2)
    );
    let legs: Vec<_> = row
        .leg_details
        .iter()
        .map(|leg| (leg.leg_name.as_str(), leg.total_quantity, leg.price.get(), leg.trailing_jump.get()))
        .collect();
    assert_eq!(legs, [("STOP_LOSS_LEG", Some(65), 170.0, 2.0), ("TARGET_LEG", None, 205.0, 0.0)]);

    let written = serde_json::to_string(&row).unwrap();
    assert!(written.contains(r#""totalQuatity":65"#) && !written.contains("null"), "{written}");
    assert_eq!(super_row(&written).as_ref(), Some(&row));
    assert_eq!(serde_json::from_str::<SuperOrderRow>(&written).unwrap(), row);

    assert_eq!(super_row(&SUPER.replace("totalQuatity", "TotalQuantity")), Some(row));
    for none in ["null", "[]"] {
        let (head, _) = SUPER.split_once("\"legDetails\":").unwrap();
        let row = super_row(&format!("{head}\"legDetails\":{none}}}")).unwrap();
        assert_eq!(row.leg_details, vec![], "{none}");
    }
}

#[test]
fn one_bad_leg_costs_one_super_order_and_names_it() {
    let other = SUPER.replace("050011", "050012");
    let bad_price = other.replace(r#""price":205.0"#, r#""price":[205]"#);
    let (head, _) = other.split_once("\"legDetails\":").unwrap();
    let no_list = |legs: &str| format!("{head}\"legDetails\":{legs}}}");
    for (bad, words) in [
        (bad_price, "unreadable price: \"an object or array\" (order 221261123050012)"),
        (no_list("\"none\""), "unreadable legDetails: \"none\" (order 221261123050012)"),
        (no_list("{\"orderId\":\"1\"}"), "unreadable legDetails: \"an object\" (order 221261123050012)"),
        (no_list("[7]"), "unreadable legDetails: \"7\" (order 221261123050012)"),
    ] {
        let read = decode_rows::<SuperOrderRow>(format!("[{bad},{SUPER}]").as_bytes()).unwrap();
        let described: Vec<String> = read.unreadable.iter().map(ToString::to_string).collect();
        assert_eq!((read.rows.len(), described), (1, vec![words.to_owned()]), "{bad}");
    }
    let cut = &SUPER[..SUPER.len() - 3];
    assert!(decode_rows::<SuperOrderRow>(cut.as_bytes()).is_err());
}

#[test]
fn a_forever_order_is_read_and_written_back() {
    let row: ForeverOrderRow = only(FOREVER).unwrap();
    assert_eq!(
        (row.order_type.as_str(), row.trigger_price.get(), row.update_time.as_deref()),
        ("OCO", 1429.0, None)
    );
    let written = serde_json::to_string(&row).unwrap();
    assert!(written.contains(r#""updateTime":null"#) && !written.contains("validity"), "{written}");
    assert_eq!(only(&written), Some(row));
}

#[test]
fn bodies_are_read_as_they_are_written_and_empty_numbers_refused() {
    let place = PlaceSuperOrderRequest {
        dhan_client_id: "1000000202".to_owned(),
        correlation_id: Some("cp-su-01".to_owned()),
        transaction_type: "BUY".to_owned(),
        exchange_segment: "NSE_FNO".to_owned(),
        product_type: "INTRADAY".to_owned(),
        order_type: "LIMIT".to_owned(),
        security_id: "43125".to_owned(),
        quantity: 65,
        price: Decimal::new(182.0),
        target_price: Decimal::new(205.0),
        stop_loss_price: Decimal::new(170.0),
        trailing_jump: Decimal::ZERO,
    };
    let text = serde_json::to_string(&place).unwrap();
    assert_eq!(
        text,
        r#"{"dhanClientId":"1000000202","correlationId":"cp-su-01","transactionType":"BUY","exchangeSegment":"NSE_FNO","productType":"INTRADAY","orderType":"LIMIT","securityId":"43125","quantity":65,"price":182.0,"targetPrice":205.0,"stopLossPrice":170.0,"trailingJump":0.0}"#
    );
    assert_eq!(serde_json::from_str::<PlaceSuperOrderRequest>(&text).unwrap(), place);
    for (from, to) in [
        (r#""targetPrice":205.0"#, r#""targetPrice":"""#),
        (r#""quantity":65"#, r#""quantity":"""#),
        (r#","trailingJump":0.0"#, ""),
    ] {
        assert!(serde_json::from_str::<PlaceSuperOrderRequest>(&text.replace(from, to)).is_err(), "{to}");
    }

    let modify = ModifySuperOrderRequest {
        dhan_client_id: "1000000202".to_owned(),
        order_id: "221261123050011".to_owned(),
        leg_name: "STOP_LOSS_LEG".to_owned(),
        stop_loss_price: Some(Decimal::new(171.0)),
        trailing_jump: Some(Decimal::new(2.0)),
        ..ModifySuperOrderRequest::default()
    };
    let text = serde_json::to_string(&modify).unwrap();
    assert_eq!(
        text,
        r#"{"dhanClientId":"1000000202","orderId":"221261123050011","legName":"STOP_LOSS_LEG","stopLossPrice":171.0,"trailingJump":2.0}"#
    );
    assert_eq!(serde_json::from_str::<ModifySuperOrderRequest>(&text).unwrap(), modify);
}

#[test]
fn the_documented_forever_bodies_are_read() {
    let text = r#"{"dhanClientId":"1000000202","correlationId":"cp-gtt-01","orderFlag":"OCO","transactionType":"SELL","exchangeSegment":"NSE_EQ","productType":"CNC","orderType":"LIMIT","validity":"DAY","securityId":"2885","quantity":5,"disclosedQuantity":0,"price":1428.0,"triggerPrice":1429.0,"price1":1560.0,"triggerPrice1":1559.0,"quantity1":5}"#;
    let create: CreateForeverOrderRequest = serde_json::from_str(text).unwrap();
    assert_eq!((create.price1, create.quantity1), (Some(Decimal::new(1560.0)), Some(5)));
    assert_eq!(serde_json::to_string(&create).unwrap(), text);

    let text = r#"{"dhanClientId":"1000000202","orderId":"5132611230511","orderFlag":"OCO","orderType":"LIMIT","legName":"STOP_LOSS_LEG","quantity":5,"price":1560.0,"disclosedQuantity":0,"triggerPrice":1559.0,"validity":"DAY"}"#;
    let modify: ModifyForeverOrderRequest = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&modify).unwrap(), text);
    assert!(serde_json::from_str::<ModifyForeverOrderRequest>(&text.replace("1559.0", "\"\"")).is_err());
}

fn super_report(text: &str) -> Option<SuperReport> {
    parse::super_row(&super_row(text)?).ok()
}

fn forever_report(text: &str) -> Option<ForeverReport> {
    parse::forever_row(&only(text)?).ok()
}

fn exits(target: Option<u32>, stop: Option<u32>, trailing: u32) -> OrderForm {
    OrderForm::Super(ExitLegs {
        target: target.map(Price::from_paise),
        stop: stop.map(Price::from_paise),
        trailing: Price::from_paise(trailing),
    })
}

#[test]
fn a_super_order_becomes_its_entry_with_the_exits_that_live() {
    let report = super_report(SUPER).unwrap();
    let entry = &report.entry;
    assert_eq!((entry.leg, entry.cumulative.get(), &entry.status), (Leg::Entry, 65, &BrokerStatus::Traded));
    assert_eq!(entry.terms.price, Price::from_paise(18_200));
    let legs: Vec<_> =
        report.legs.iter().map(|leg| (leg.leg, leg.broker_order_id.is_some(), leg.status.as_str())).collect();
    assert_eq!(legs, [(Leg::StopLoss, false, "PENDING"), (Leg::Target, false, "PENDING")]);

    let stop_is = |status: &str| {
        SUPER.replacen("\"orderStatus\":\"PENDING\"", &format!("\"orderStatus\":\"{status}\""), 1)
    };
    for (text, form) in [
        (SUPER.to_owned(), exits(Some(20_500), Some(17_000), 200)),
        (stop_is("TRIGGERED"), exits(Some(20_500), Some(17_000), 200)),
        (stop_is("TRADED"), exits(Some(20_500), Some(17_000), 200)),
        (stop_is("CANCELLED"), exits(Some(20_500), None, 0)),
        (SUPER.replace("\"orderStatus\":\"PENDING\"", "\"orderStatus\":\"Cancelled\""), exits(None, None, 0)),
        (SUPER.replace("\"price\":205.0", "\"price\":0"), exits(None, Some(17_000), 200)),
        (
            SUPER.replace("\"legName\":\"TARGET_LEG\"", "\"legName\":\"ENTRY_LEG\""),
            exits(None, Some(17_000), 200),
        ),
        (
            SUPER.replace("\"orderStatus\":\"TRADED\"", "\"orderStatus\":\"CLOSED\""),
            exits(Some(20_500), Some(17_000), 200),
        ),
    ] {
        assert_eq!(super_report(&text).unwrap().entry.terms.form, form, "{text}");
    }
}

#[test]
fn a_leg_has_an_id_only_if_it_is_its_own() {
    for (id, own) in
        [("221261123050012", true), ("221261123050011", false), ("0", false), ("NA", false), ("", false)]
    {
        let leg = format!(r#"{{"orderId":"{id}","legName":"STOP_LOSS_LEG""#);
        let text = SUPER.replace(r#"{"orderId":"221261123050011","legName":"STOP_LOSS_LEG""#, &leg);
        assert_eq!(super_report(&text).unwrap().legs[0].broker_order_id.is_some(), own, "{id}");
    }
}

#[test]
fn what_a_super_order_cannot_mean_is_an_error_that_names_it() {
    for (from, to, words) in [
        ("STOP_LOSS_LEG", "MIDDLE_LEG", "unreadable legName: \"MIDDLE_LEG\" (order 221261123050011)"),
        ("170.0", "-170.0", "unreadable legDetails.price: \"-170\" (order 221261123050011)"),
        ("\"BUY\"", "\"HOLD\"", "unreadable transactionType: \"HOLD\" (order 221261123050011)"),
    ] {
        let error = parse::super_row(&super_row(&SUPER.replace(from, to)).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), words);
    }
}

#[test]
fn a_forever_order_becomes_one_leg() {
    let report = forever_report(FOREVER).unwrap();
    let (order, terms) = (&report.order, &report.order.terms);
    assert_eq!((report.is_oco, order.leg, &order.status), (true, Leg::Target, &BrokerStatus::Confirm));
    assert_eq!((terms.order_type, terms.time_in_force), (OrderType::Limit, TimeInForce::Day));
    assert_eq!((terms.price, terms.trigger), (Price::from_paise(142_800), Price::from_paise(142_900)));
    assert_eq!(
        (terms.form, order.ts_event.to_string()),
        (OrderForm::Forever(None), "2026-11-23 10:20:00.000".into())
    );

    for (flag, leg_name, is_oco, leg) in [
        ("OCO", "STOP_LOSS_LEG", true, Leg::StopLoss),
        ("OCO", "ENTRY_LEG", true, Leg::Target),
        ("oco", "", true, Leg::Target),
        ("SINGLE", "ENTRY_LEG", false, Leg::Single),
        ("SINGLE", "TARGET_LEG", false, Leg::Single),
    ] {
        let text = FOREVER
            .replace("\"OCO\"", &format!("\"{flag}\""))
            .replace("\"TARGET_LEG\"", &format!("\"{leg_name}\""));
        let report = forever_report(&text).unwrap();
        assert_eq!((report.is_oco, report.order.leg), (is_oco, leg), "{flag} {leg_name}");
    }
    let market = forever_report(&FOREVER.replace("1428.0", "0")).unwrap();
    assert_eq!(market.order.terms.order_type, OrderType::Market);
    let ioc = forever_report(&FOREVER.replace("\"quantity\"", "\"validity\":\"IOC\",\"quantity\"")).unwrap();
    assert_eq!(ioc.order.terms.time_in_force, TimeInForce::Ioc);
    for (status, read) in [
        ("PENDING", BrokerStatus::Pending),
        ("TRADED", BrokerStatus::Traded),
        ("CANCELLED", BrokerStatus::Cancelled),
    ] {
        assert_eq!(forever_report(&FOREVER.replace("CONFIRM", status)).unwrap().order.status, read);
    }
    assert_eq!(forever_report(&FOREVER.replace("OCO", "LIMIT")), None, "no flag we know");
}

fn bracket(side: &str, price: &str, profit: &str, stop: &str, leg: &str) -> Option<OrderReport> {
    let text = format!(
        r#"{{"dhanClientId":"1000000202","orderId":"1","orderStatus":"PENDING","transactionType":"{side}","exchangeSegment":"NSE_FNO",
 "productType":"BO","orderType":"LIMIT","validity":"DAY","securityId":"43125","quantity":65,"price":{price},"legName":"{leg}",
 "boProfitValue":{profit},"boStopLossValue":{stop}}}"#
    );
    parse::order_row(&only::<OrderBookRow>(&text)?).ok()
}

#[test]
fn a_bracket_orders_exits_are_changes_from_its_price() {
    for (side, price, profit, stop, leg, form) in [
        ("BUY", "182.0", "23.0", "12.0", "NA", exits(Some(20_500), Some(17_000), 0)),
        ("SELL", "182.0", "12.0", "23.0", "ENTRY_LEG", exits(Some(17_000), Some(20_500), 0)),
        ("BUY", "0", "23.0", "12.0", "NA", OrderForm::Ordinary),
        ("BUY", "182.0", "0.0", "12.0", "NA", OrderForm::Ordinary),
        ("BUY", "182.0", "23.0", "null", "NA", OrderForm::Ordinary),
        ("BUY", "182.0", "23.0", "182.0", "NA", OrderForm::Ordinary),
        ("SELL", "182.0", "183.0", "12.0", "NA", OrderForm::Ordinary),
        ("BUY", "182.0", "23.0", "-12.0", "NA", OrderForm::Ordinary),
        ("BUY", "182.0", "23.0", "12.0", "TARGET_LEG", OrderForm::Ordinary),
    ] {
        let report = bracket(side, price, profit, stop, leg).unwrap();
        assert_eq!(report.terms.form, form, "{side} {price} {profit} {stop} {leg}");
    }
}
