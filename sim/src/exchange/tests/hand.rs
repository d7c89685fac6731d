//! Fills, refusals and faults by hand, and a human's hand in the account of a copy.

use super::*;

fn id_of(text: &str) -> BrokerOrderId {
    BrokerOrderId::new(text).unwrap()
}

#[test]
fn exactly_so_much_of_a_resting_order_fills() {
    let (mut exchange, call) = quiet();
    let text = place(&mut exchange, &follower(), &limit(call, Side::Buy, 2 * LOT, "95"));
    exchange.drain_events();
    let id = id_of(&text);
    assert!(exchange.fill_resting(&id, units(LOT), rupees("94.50")));
    assert!(!exchange.fill_resting(&id, units(LOT + 1), rupees("95")), "more than is left");
    assert!(!exchange.fill_resting(&id, Quantity::ZERO, rupees("95")));
    assert!(exchange.fill_resting(&id, units(LOT), rupees("95")));
    assert_eq!(told(&mut exchange), words(&[("PART_TRADED", 65), ("TRADED", 130)]));
    assert!(!exchange.fill_resting(&id, units(1), rupees("95")), "it rests no more");
    let prices: Vec<_> = exchange.trades(&follower()).iter().map(|trade| trade.price.to_string()).collect();
    assert_eq!(prices, ["94.50", "95.00"]);
    exchange.set_depth(call, Some(fixed(&[], &[("90", LOT)])));
    assert!(!exchange.has_events(), "it left the book");
    let waiting = place(&mut exchange, &follower(), &stop(call, Side::Buy, LOT, "110", "112"));
    assert!(!exchange.fill_resting(&id_of(&waiting), units(LOT), rupees("110")));
}

#[test]
fn a_resting_order_is_rejected_by_hand() {
    let (mut exchange, call) = quiet();
    let text = place(&mut exchange, &follower(), &limit(call, Side::Buy, LOT, "95"));
    exchange.drain_events();
    assert!(exchange.reject_resting(&id_of(&text), "EXCH:<id>:withdrawn"));
    assert_eq!(reason(&exchange, &follower(), &text), format!("EXCH:{text}:withdrawn"));
    assert_eq!(told(&mut exchange), words(&[("REJECTED", 0)]));
    assert!(!exchange.reject_resting(&id_of(&text), "again"));
}

#[test]
fn a_fill_may_be_told_after_the_cancel() {
    let (mut exchange, call) = quiet();
    exchange.fill_after_cancel(&follower(), Some((units(LOT), Duration::ZERO)));
    let text = place(&mut exchange, &follower(), &limit(call, Side::Buy, 2 * LOT, "95"));
    exchange.drain_events();
    exchange.cancel(&follower(), Source::Api, &text).unwrap();
    assert_eq!(told(&mut exchange), words(&[("CANCELLED", 0), ("CANCELLED", 65)]));
    let order = exchange.order(&follower(), &text).unwrap();
    assert_eq!((order.status.clone(), order.filled), (BrokerStatus::Cancelled, units(LOT)));
    assert_eq!(exchange.trades_of(&follower(), &text).len(), 1);
    assert_eq!(exchange.position(&follower(), call, Product::Margin), 65);

    // Later, and no more than was left.
    exchange.fill_after_cancel(&follower(), Some((units(5 * LOT), seconds(2))));
    let text = place(&mut exchange, &follower(), &limit(call, Side::Buy, LOT, "95"));
    exchange.cancel(&follower(), Source::Api, &text).unwrap();
    assert_eq!(status(&exchange, &follower(), &text), BrokerStatus::Cancelled);
    let later = exchange.now().plus(seconds(2));
    exchange.drain_events();
    assert_eq!(exchange.advance_to(later), later);
    assert_eq!(told(&mut exchange), words(&[("TRADED", 65)]));
    let third = place(&mut exchange, &follower(), &limit(call, Side::Buy, LOT, "95"));
    exchange.cancel(&follower(), Source::Api, &third).unwrap();
    assert_eq!(exchange.order(&follower(), &third).unwrap().filled, Quantity::ZERO, "once only");
}

#[test]
fn more_than_the_order_asked_for_may_be_told() {
    let (mut exchange, call) = quiet();
    let text = place(&mut exchange, &follower(), &limit(call, Side::Buy, LOT, "95"));
    exchange.drain_events();
    assert!(exchange.report_fill(&id_of(&text), units(LOT + 10), rupees("95")));
    assert_eq!(told(&mut exchange), words(&[("TRADED", 75)]));
    let order = exchange.order(&follower(), &text).unwrap();
    assert_eq!((order.filled, order.remaining()), (units(75), Quantity::ZERO));
    assert_eq!(exchange.position(&follower(), call, Product::Margin), 75);
    assert!(exchange.report_fill(&id_of(&text), units(1), rupees("95")));
    assert_eq!(told(&mut exchange), words(&[("TRADED", 76)]));
    assert!(!exchange.report_fill(&id_of("1"), units(1), rupees("95")));
}

fn fill_of(text: &str, quantity: u32, price: &str) -> Fill {
    Fill { order_id: id_of(text), quantity: units(quantity), price: rupees(price) }
}

#[test]
fn a_target_and_a_stop_fill_on_one_spike() {
    let (mut exchange, call) = quiet();
    assert!(exchange.carry(
        &follower(),
        &CarriedPosition { instrument: call, product: Product::Margin, units: 65, price: rupees("100") }
    ));
    let target = place(&mut exchange, &follower(), &limit(call, Side::Sell, LOT, "120"));
    let wait = place(&mut exchange, &follower(), &stop(call, Side::Sell, LOT, "90", "88"));
    exchange.drain_events();
    let both = |second: u32| [fill_of(&target, LOT, "120"), fill_of(&wait, second, "89")];
    assert!(!exchange.fill_together(&both(LOT + 1)), "all or nothing");
    assert!(!exchange.has_events());
    assert!(exchange.fill_together(&both(LOT)));
    assert_eq!(told(&mut exchange), words(&[("PENDING", 0), ("TRADED", 65), ("TRADED", 65)]));
    assert_eq!(exchange.position(&follower(), call, Product::Margin), -65);
    assert!(!exchange.fill_together(&both(LOT)), "they work no more");
}

#[test]
fn both_legs_of_one_super_order_fill_on_one_spike() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(Depth::Unlimited));
    let order = with_exits(limit(call, Side::Buy, LOT, "100"), "120", "90", "0");
    exchange.place_super(&leader(), Source::App, &order).unwrap();
    let legs: Vec<String> = exchange
        .all_orders(&leader())
        .into_iter()
        .filter(|order| order.is_exit())
        .map(|order| order.id.to_string())
        .collect();
    assert!(exchange.fill_together(&[fill_of(&legs[0], LOT, "90"), fill_of(&legs[1], LOT, "120")]));
    assert_eq!(exchange.position(&leader(), call, Product::Margin), -65);
}

#[test]
fn a_band_by_hand_holds_for_orders_to_come() {
    let (mut exchange, call) = quiet();
    let before = place(&mut exchange, &follower(), &limit(call, Side::Sell, LOT, "130"));
    assert!(exchange.set_band(call, Some((rupees("80"), rupees("120")))));
    let after = place(&mut exchange, &follower(), &limit(call, Side::Sell, LOT, "120.05"));
    assert_eq!(status(&exchange, &follower(), &before), BrokerStatus::Pending);
    let text = format!("RMS:{after}:Rate Not Within Ckt Limit 80.00 To 120.00");
    assert_eq!(reason(&exchange, &follower(), &after), text);
    assert!(exchange.detailed_csv().contains(",120.00,80.00,1800\n"));
    let quote = exchange.quote(call).unwrap();
    assert_eq!((quote.lower_circuit, quote.upper_circuit), (rupees("80"), rupees("120")));
    assert!(!exchange.set_band(call, Some((rupees("121"), rupees("120")))));
    assert!(exchange.set_band(call, None));
    let again = place(&mut exchange, &follower(), &limit(call, Side::Sell, LOT, "120.05"));
    assert_eq!(status(&exchange, &follower(), &again), BrokerStatus::Pending);
}

#[test]
fn changes_may_be_taken_and_come_to_nothing() {
    let (mut exchange, call) = quiet();
    let text = place(&mut exchange, &follower(), &limit(call, Side::Buy, LOT, "95"));
    exchange.drain_events();
    exchange.void_changes(&follower(), 1);
    let change = ModifyRequest { price: Some(rupees("96")), ..ModifyRequest::default() };
    exchange.modify(&follower(), Source::Api, &text, &change).unwrap();
    assert!(!exchange.has_events());
    assert_eq!(exchange.order(&follower(), &text).unwrap().terms.price, rupees("95"));
    exchange.modify(&follower(), Source::Api, &text, &change).unwrap();
    assert_eq!(exchange.order(&follower(), &text).unwrap().terms.price, rupees("96"));
}

#[test]
fn a_change_in_transit_may_be_refused() {
    let mut settings = settings();
    settings.exchange_latency = seconds(1);
    settings.variants.refuse_modify_in_transit = true;
    let (mut exchange, call) = quiet_with(settings);
    let text = place(&mut exchange, &follower(), &limit(call, Side::Buy, LOT, "95"));
    let change = ModifyRequest { price: Some(rupees("96")), ..ModifyRequest::default() };
    let refused = exchange.modify(&follower(), Source::Api, &text, &change).unwrap_err();
    assert_eq!((refused.code, refused.message.as_str()), ("DH-906", ApiError::IN_TRANSIT));
    let later = exchange.now().plus(seconds(1));
    exchange.advance_to(later);
    exchange.modify(&follower(), Source::Api, &text, &change).unwrap();
}

#[test]
fn a_human_changes_and_cancels_what_the_api_placed() {
    let (mut exchange, call) = quiet();
    let text = place(&mut exchange, &follower(), &limit(call, Side::Buy, LOT, "95").tagged("cp-1"));
    let change = ModifyRequest { price: Some(rupees("96")), ..ModifyRequest::default() };
    exchange.modify(&follower(), Source::App, &text, &change).unwrap();
    let order = exchange.order(&follower(), &text).unwrap();
    assert_eq!((order.source, order.tag.as_deref()), (Source::Api, Some("cp-1")), "still the API's order");
    exchange.cancel(&follower(), Source::App, &text).unwrap();
    assert_eq!(status(&exchange, &follower(), &text), BrokerStatus::Cancelled);
    let by_hand = exchange.place(&follower(), Source::App, &limit(call, Side::Buy, LOT, "95")).unwrap();
    assert_eq!(exchange.find_order(&by_hand.order_id).unwrap().tag, None);
}
