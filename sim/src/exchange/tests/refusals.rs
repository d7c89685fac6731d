//! What is refused at once and what is rejected after it was taken.

use super::*;

#[test]
fn the_api_refuses_at_once() {
    let (mut exchange, call) = quiet();
    let good = limit(call, Side::Sell, LOT, "100");
    let with = |change: &dyn Fn(&mut PlaceRequest)| {
        let mut request = good.clone();
        change(&mut request);
        request
    };
    let cases = [
        (with(&|r| r.tag = Some("x".repeat(26))), "DH-905", ApiError::GENERIC_INPUT),
        (with(&|r| r.tag = Some("no.dots".to_owned())), "DH-905", ApiError::GENERIC_INPUT),
        (with(&|r| r.terms.instrument.security_id = SecurityId(1)), "DH-905", "Invalid SecurityId"),
        (with(&|r| r.terms.quantity = units(0)), "DH-905", "quantity is required"),
        (with(&|r| r.terms.order_type = OrderType::Market), "DH-905", "Invalid Price for orderType"),
        (with(&|r| r.terms.price = Price::ZERO), "DH-905", "Invalid Price for orderType"),
        (with(&|r| r.terms.after_market = true), "DH-906", "Markets are Offline or Blocked"),
        (stop(call, Side::Sell, LOT, "90", "95"), "DH-906", "Trigger Price should be greater than Price"),
        (stop(call, Side::Sell, LOT, "90", "90"), "DH-906", "Trigger Price should be greater than Price"),
        (stop(call, Side::Buy, LOT, "90", "85"), "DH-906", "Trigger Price should be less than Price"),
        (
            with(&|r| r.terms.disclosed = units(19)),
            "DH-905",
            "Disclosed Quantity should be more than 30% of Quantity",
        ),
    ];
    for (request, code, message) in cases {
        let refused = exchange.place(&leader(), Source::Api, &request).unwrap_err();
        assert_eq!((refused.http, refused.code, refused.message.as_str()), (400, code, message));
    }
    assert!(exchange.all_orders(&leader()).is_empty());
    assert!(!exchange.has_events());
    let stranger = exchange.place(&client(7), Source::Api, &good).unwrap_err();
    assert_eq!((stranger.http, stranger.code), (401, "DH-901"));
}

#[test]
fn the_risk_checks_and_the_exchange_reject_later() {
    let (mut exchange, call) = quiet();
    let index = InstrumentKey { segment: ExchangeSegment::Index, security_id: SecurityId(13) };
    let with = |change: &dyn Fn(&mut OrderTerms)| {
        let mut request = limit(call, Side::Buy, LOT, "100");
        change(&mut request.terms);
        request
    };
    let cases = [
        (with(&|t| t.price = rupees("100.02")), "EXCH:16283:The order price is not multiple of tick size"),
        (with(&|t| t.instrument = index), "EXCH:16387:Security is not allowed to trade in this market."),
        (with(&|t| t.quantity = units(66)), "RMS:<id>:Order quantity is not a multiple of lot size."),
        (
            with(&|t| t.quantity = units(28 * LOT)),
            "RMS:<id>:Order quantity exceeds the exchange freeze quantity.",
        ),
        (with(&|t| t.product = Product::Cnc), "RMS:<id>:Product type is not allowed for this segment."),
        (
            with(&|t| t.quantity = units(27 * LOT)),
            "", // 175,500 rupees of a million
        ),
        (
            with(&|t| {
                (t.instrument, t.side, t.product, t.price) =
                    (share(), Side::Sell, Product::Cnc, rupees("1450"));
            }),
            "RMS:<id>:You are trying to sell more than the quantity you currently hold.",
        ),
        (
            with(&|t| (t.side, t.quantity) = (Side::Sell, units(6 * LOT))),
            // 6 x 65 x 12 % of 26,014 and what the order above holds, less a million.
            "RMS:<id>:You have insufficient funds. Please add Rs.392955.20 to trade.",
        ),
    ];
    for (request, text) in cases {
        exchange.drain_events();
        let id = place(&mut exchange, &leader(), &request);
        if text.is_empty() {
            assert_eq!(status(&exchange, &leader(), &id), BrokerStatus::Pending);
            continue;
        }
        assert_eq!(reason(&exchange, &leader(), &id), text.replace("<id>", &id));
        assert_eq!(told(&mut exchange), words(&[("TRANSIT", 0), ("REJECTED", 0)]));
        assert!(exchange.order(&leader(), &id).unwrap().exchange_id.is_none());
    }
}

#[test]
fn a_request_for_endless_slices_is_refused() {
    let (mut exchange, call) = quiet();
    let request = limit(call, Side::Buy, 66_000_000 / LOT * LOT, "1");
    assert_eq!(exchange.place_sliced(&leader(), Source::Api, &request).unwrap_err().code, "DH-905");
    assert!(exchange.all_orders(&leader()).is_empty());
}

#[test]
fn prices_outside_the_band_are_rejected() {
    let exchange = &mut Exchange::new(settings());
    let quote = exchange.quote(share()).unwrap();
    assert!(quote.lower_circuit < quote.last && quote.last < quote.upper_circuit);
    let above = Price::from_units(quote.upper_circuit.units() + 1000).unwrap().to_string();
    let mut request = limit(share(), Side::Buy, 1, &above);
    request.terms.product = Product::Cnc;
    let id = place(exchange, &leader(), &request);
    let expected =
        format!("RMS:{id}:Rate Not Within Ckt Limit {} To {}", quote.lower_circuit, quote.upper_circuit);
    assert_eq!(reason(exchange, &leader(), &id), expected);
}

#[test]
fn changes_are_checked_like_orders_and_leave_the_order_alone() {
    let (mut exchange, call) = quiet();
    let id = place(&mut exchange, &leader(), &limit(call, Side::Buy, LOT, "95"));
    exchange.drain_events();
    let cases = [
        ModifyRequest { price: Some(rupees("95.01")), ..ModifyRequest::default() },
        ModifyRequest { quantity: Some(units(70)), ..ModifyRequest::default() },
        ModifyRequest { quantity: Some(units(28 * LOT)), ..ModifyRequest::default() },
        ModifyRequest { order_type: Some(OrderType::StopLoss), ..ModifyRequest::default() },
    ];
    for change in cases {
        assert!(exchange.modify(&leader(), Source::Api, &id, &change).is_err(), "{change:?}");
    }
    assert!(exchange.modify(&follower(), Source::Api, &id, &ModifyRequest::default()).is_err());
    let order = exchange.order(&leader(), &id).unwrap();
    assert_eq!((order.terms.price, order.modifications), (rupees("95"), 0));
    assert!(!exchange.has_events());
}

#[test]
fn order_writes_of_the_api_are_limited_those_of_the_app_are_not() {
    let mut limited = settings();
    limited.rate_limits = Some(RateLimits::default());
    let (mut exchange, call) = quiet_with(limited);
    let request = limit(call, Side::Buy, LOT, "1");
    for _ in 0..10 {
        place(&mut exchange, &leader(), &request);
    }
    let refused = exchange.place(&leader(), Source::Api, &request).unwrap_err();
    assert_eq!((refused.http, refused.code), (429, "DH-904"));
    assert!(exchange.cancel(&leader(), Source::Api, "221261201000001").is_err());
    assert!(exchange.place(&leader(), Source::App, &request).is_ok());
    assert!(exchange.place(&follower(), Source::Api, &request).is_ok());
    let later = exchange.now().plus(seconds(1));
    while exchange.advance_to(later) < later {}
    assert!(exchange.place(&leader(), Source::Api, &request).is_ok());
}
