//! The life of an order: words on the stream, conversions, changes, cancels, faults.

use super::*;

#[test]
fn a_resting_order_is_told_of_and_can_be_cancelled() {
    let (mut exchange, call) = quiet();
    let id = place(&mut exchange, &leader(), &limit(call, Side::Buy, LOT, "95").tagged("cp-1"));
    assert_eq!(told(&mut exchange), words(&[("TRANSIT", 0), ("PENDING", 0)]));
    let order = exchange.order(&leader(), &id).unwrap();
    assert_eq!((order.status.clone(), order.tag.as_deref()), (BrokerStatus::Pending, Some("cp-1")));
    assert_eq!(id, "221261201000001");
    assert!(order.exchange_id.is_some());

    let answer = exchange.cancel(&leader(), Source::Api, &id).unwrap();
    assert_eq!(answer.status, BrokerStatus::Cancelled);
    assert_eq!(told(&mut exchange), words(&[("CANCELLED", 0)]));
    let again = exchange.cancel(&leader(), Source::Api, &id).unwrap_err();
    assert_eq!((again.code, again.message.as_str()), ("DH-906", ApiError::INCORRECT_REQUEST));
}

#[test]
fn a_market_order_of_the_api_becomes_a_protected_limit_and_may_rest() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(fixed(&[], &[("101", LOT), ("106", LOT)])));
    let id = place(&mut exchange, &leader(), &market(call, Side::Buy, 2 * LOT));
    assert_eq!(told(&mut exchange), words(&[("TRANSIT", 0), ("PENDING", 0), ("PART_TRADED", 65)]));
    let order = exchange.order(&leader(), &id).unwrap();
    assert_eq!((order.terms.order_type, order.terms.price), (OrderType::Limit, rupees("105")));
    assert_eq!(order.average_price(), rupees("101"));
    assert_eq!(order.remaining(), units(LOT));
}

#[test]
fn a_market_order_of_the_app_stays_market() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(Depth::Unlimited));
    let answer = exchange.place(&leader(), Source::App, &market(call, Side::Sell, LOT)).unwrap();
    let order = exchange.order(&leader(), answer.order_id.as_str()).unwrap();
    assert_eq!((order.terms.order_type, order.terms.price), (OrderType::Market, Price::ZERO));
    assert_eq!((order.status.clone(), order.average_price()), (BrokerStatus::Traded, rupees("100")));
    assert_eq!((order.tag.clone(), order.source.letter()), (None, "W"));
}

#[test]
fn market_orders_can_be_as_they_were_before_2026() {
    let mut settings = settings();
    settings.variants.market_orders = MarketOrders::AsMarket;
    let (mut exchange, call) = quiet_with(settings);
    exchange.set_depth(call, Some(fixed(&[("99", LOT), ("12", LOT)], &[])));
    let id = place(&mut exchange, &leader(), &market(call, Side::Sell, 3 * LOT));
    exchange.set_depth(call, Some(Depth::Unlimited));
    let bought = place(&mut exchange, &follower(), &market(call, Side::Buy, LOT));
    assert_eq!(status(&exchange, &follower(), &bought), BrokerStatus::Traded);
    let order = exchange.order(&leader(), &id).unwrap();
    assert_eq!((order.terms.order_type, order.status.clone()), (OrderType::Market, BrokerStatus::Cancelled));
    assert_eq!((order.filled, order.last_fill), (units(2 * LOT), rupees("12")));
}

#[test]
fn the_rest_of_an_ioc_order_is_cancelled() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(fixed(&[], &[("100", LOT)])));
    let mut request = limit(call, Side::Buy, 2 * LOT, "100");
    request.terms.time_in_force = TimeInForce::Ioc;
    let id = place(&mut exchange, &leader(), &request);
    let expected = [("TRANSIT", 0), ("PENDING", 0), ("PART_TRADED", 65), ("CANCELLED", 65)];
    assert_eq!(told(&mut exchange), words(&expected));
    assert_eq!(status(&exchange, &leader(), &id), BrokerStatus::Cancelled);
    assert_eq!(exchange.position(&leader(), call, Product::Margin), 65);
}

#[test]
fn a_stop_waits_for_its_trigger_and_then_shows_as_a_limit() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(Depth::Unlimited));
    let id = place(&mut exchange, &leader(), &stop(call, Side::Sell, LOT, "90", "85"));
    exchange.drain_events();
    exchange.set_last_price(call, rupees("90.05"));
    assert!(!exchange.has_events());
    exchange.set_last_price(call, rupees("90"));
    assert_eq!(told(&mut exchange), words(&[("PENDING", 0), ("TRADED", 65)]));
    let order = exchange.order(&leader(), &id).unwrap();
    assert_eq!((order.terms.order_type, order.terms.trigger), (OrderType::Limit, Price::ZERO));
    assert_eq!((order.terms.price, order.average_price()), (rupees("85"), rupees("90")));
}

#[test]
fn a_stop_market_order_of_the_api_loses_its_trigger() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(Depth::Unlimited));
    let mut request = stop(call, Side::Sell, LOT, "90", "0");
    request.terms.order_type = OrderType::StopLossMarket;
    let id = place(&mut exchange, &leader(), &request);
    let order = exchange.order(&leader(), &id).unwrap();
    let terms = &order.terms;
    assert_eq!(
        (terms.order_type, terms.price, terms.trigger),
        (OrderType::Limit, rupees("85.50"), Price::ZERO)
    );
    assert_eq!((order.status.clone(), order.average_price()), (BrokerStatus::Traded, rupees("100")));
}

#[test]
fn a_stop_market_order_of_the_app_waits_and_fires_as_market() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(Depth::Unlimited));
    let mut request = stop(call, Side::Buy, LOT, "110", "0");
    request.terms.order_type = OrderType::StopLossMarket;
    let answer = exchange.place(&leader(), Source::App, &request).unwrap();
    assert_eq!(status(&exchange, &leader(), answer.order_id.as_str()), BrokerStatus::Pending);
    exchange.set_last_price(call, rupees("112"));
    let order = exchange.order(&leader(), answer.order_id.as_str()).unwrap();
    assert_eq!((order.terms.order_type, order.average_price()), (OrderType::Market, rupees("112")));
}

#[test]
fn a_change_restates_the_total_quantity_and_is_told_as_modified() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(fixed(&[], &[("100", LOT)])));
    let id = place(&mut exchange, &leader(), &limit(call, Side::Buy, 2 * LOT, "100"));
    exchange.drain_events();
    let change = |quantity, price| ModifyRequest {
        quantity: Some(units(quantity)),
        price: Some(rupees(price)),
        ..ModifyRequest::default()
    };
    exchange.modify(&leader(), Source::Api, &id, &change(4 * LOT, "101")).unwrap();
    assert_eq!(told(&mut exchange), words(&[("MODIFIED", 65)]));
    let order = exchange.order(&leader(), &id).unwrap();
    assert_eq!((order.remaining(), order.status.clone()), (units(3 * LOT), BrokerStatus::PartTraded));
    // What is filled cannot be taken back.
    let refused = exchange.modify(&leader(), Source::Api, &id, &change(LOT, "101")).unwrap_err();
    assert_eq!(refused.code, "DH-906");
}

#[test]
fn one_change_too_many_is_refused() {
    let (mut exchange, call) = quiet();
    let id = place(&mut exchange, &leader(), &limit(call, Side::Buy, LOT, "90"));
    let change = |step: u32| ModifyRequest {
        price: Some(Price::from_paise(9000 + 5 * step)),
        ..ModifyRequest::default()
    };
    for step in 1..=25 {
        exchange.modify(&leader(), Source::Api, &id, &change(step)).unwrap();
    }
    let refused = exchange.modify(&leader(), Source::Api, &id, &change(26)).unwrap_err();
    assert_eq!((refused.http, refused.code), (400, "DH-905"));
    assert_eq!(exchange.order(&leader(), &id).unwrap().terms.price, rupees("91.25"));
}

#[test]
fn a_limit_changed_to_market_goes_out_protected() {
    let (mut exchange, call) = quiet();
    let id = place(&mut exchange, &leader(), &limit(call, Side::Buy, LOT, "90"));
    let change = ModifyRequest { order_type: Some(OrderType::Market), ..ModifyRequest::default() };
    exchange.set_depth(call, Some(Depth::Unlimited));
    exchange.modify(&leader(), Source::Api, &id, &change).unwrap();
    let order = exchange.order(&leader(), &id).unwrap();
    assert_eq!((order.status.clone(), order.terms.price), (BrokerStatus::Traded, rupees("105")));
}

#[test]
fn with_latency_an_order_is_in_transit_first() {
    let mut settings = settings();
    settings.exchange_latency = Duration::from_millis(300);
    let (mut exchange, call) = quiet_with(settings);
    let id = place(&mut exchange, &leader(), &limit(call, Side::Buy, LOT, "95").tagged("cp-9"));
    assert_eq!(status(&exchange, &leader(), &id), BrokerStatus::Transit);
    assert!(exchange.orders_by_tag(&leader(), "cp-9").is_empty());
    let refused = exchange.cancel(&leader(), Source::Api, &id).unwrap_err();
    assert_eq!((refused.code, refused.message.as_str()), ("DH-906", "Order is in Transit state"));
    assert_eq!(told(&mut exchange), words(&[("TRANSIT", 0)]));

    let start = exchange.now();
    let stopped = exchange.advance_to(start.plus(seconds(10)));
    assert_eq!(stopped, start.plus(Duration::from_millis(300)));
    assert_eq!(told(&mut exchange), words(&[("PENDING", 0)]));
    assert_eq!(exchange.orders_by_tag(&leader(), "cp-9").len(), 1);
}

#[test]
fn a_fill_can_overtake_a_cancel() {
    let (mut exchange, call) = quiet();
    let id = place(&mut exchange, &leader(), &limit(call, Side::Buy, LOT, "95"));
    exchange.set_exchange_latency(seconds(2));
    exchange.cancel(&leader(), Source::Api, &id).unwrap();
    exchange.set_depth(call, Some(fixed(&[], &[("95", LOT)])));
    let later = exchange.now().plus(seconds(5));
    exchange.advance_to(later);
    assert_eq!(status(&exchange, &leader(), &id), BrokerStatus::Traded);
}

#[test]
fn an_untagged_order_of_the_api_gets_a_tag_of_the_broker() {
    let (mut exchange, call) = quiet();
    let id = place(&mut exchange, &leader(), &limit(call, Side::Buy, LOT, "95"));
    let tag = exchange.order(&leader(), &id).unwrap().tag.clone().unwrap();
    assert_eq!(&*tag, "1000000101-1796096700000");
    assert_eq!(exchange.orders_by_tag(&leader(), &tag).len(), 1);
}

#[test]
fn forced_rejections_count_down_and_come_after_the_answer() {
    let (mut exchange, call) = quiet();
    exchange.reject_next(&follower(), 1, "RMS:<id>:Scrip limit insufficient");
    let request = limit(call, Side::Buy, LOT, "95");
    let first = place(&mut exchange, &follower(), &request);
    let second = place(&mut exchange, &follower(), &request);
    assert_eq!(reason(&exchange, &follower(), &first), format!("RMS:{first}:Scrip limit insufficient"));
    assert_eq!(exchange.order(&follower(), &first).unwrap().exchange_id, None);
    assert_eq!(status(&exchange, &follower(), &second), BrokerStatus::Pending);
    let expected = [("TRANSIT", 0), ("REJECTED", 0), ("TRANSIT", 0), ("PENDING", 0)];
    assert_eq!(told(&mut exchange), words(&expected));
}

#[test]
fn late_visibility_hides_new_orders_from_reads_but_not_from_the_stream() {
    let (mut exchange, call) = quiet();
    exchange.delay_visibility(&follower(), seconds(5));
    let id = place(&mut exchange, &follower(), &limit(call, Side::Buy, LOT, "95").tagged("cp-2"));
    assert_eq!(told(&mut exchange).len(), 2);
    assert!(exchange.book(&follower()).is_empty());
    assert!(exchange.order(&follower(), &id).is_none());
    assert!(exchange.orders_by_tag(&follower(), "cp-2").is_empty());
    let later = exchange.now().plus(seconds(5));
    exchange.advance_to(later);
    assert_eq!(exchange.orders_by_tag(&follower(), "cp-2").len(), 1);
}

#[test]
fn slices_stay_within_the_freeze_quantity() {
    let (mut exchange, call) = quiet();
    let request = limit(call, Side::Buy, 30 * LOT, "1").tagged("cp-3");
    let answers = exchange.place_sliced(&leader(), Source::Api, &request).unwrap();
    let quantities: Vec<u32> = answers
        .iter()
        .map(|answer| exchange.find_order(&answer.order_id).unwrap().terms.quantity.get())
        .collect();
    assert_eq!(quantities, [27 * LOT, 3 * LOT]);
    assert_eq!(exchange.orders_by_tag(&leader(), "cp-3").len(), 2);
}
