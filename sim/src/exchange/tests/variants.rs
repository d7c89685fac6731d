//! The switches for what the sources leave open.

use super::*;

fn with(change: impl FnOnce(&mut Variants)) -> (Exchange, InstrumentKey) {
    let mut settings = settings();
    change(&mut settings.variants);
    quiet_with(settings)
}

#[test]
fn an_order_may_be_traded_at_once_without_words_before() {
    let (mut exchange, call) = with(|variants| {
        variants.transit_events = false;
        variants.pending_before_fill = false;
    });
    exchange.set_depth(call, Some(Depth::Unlimited));
    place(&mut exchange, &leader(), &market(call, Side::Buy, LOT));
    assert_eq!(told(&mut exchange), words(&[("TRADED", 65)]));
    place(&mut exchange, &leader(), &limit(call, Side::Buy, LOT, "95"));
    assert_eq!(told(&mut exchange), words(&[("PENDING", 0)]));
}

#[test]
fn the_answer_may_say_pending() {
    let (mut exchange, call) = with(|variants| variants.answer_pending = true);
    let request = limit(call, Side::Buy, LOT, "95");
    let answer = exchange.place(&leader(), Source::Api, &request).unwrap();
    assert_eq!(answer.status, BrokerStatus::Pending);
}

#[test]
fn longer_tags_may_be_taken() {
    let (mut exchange, call) = with(|variants| variants.tag_length_max = 30);
    let tagged = |length| limit(call, Side::Buy, LOT, "95").tagged(&"x".repeat(length));
    assert!(exchange.place(&leader(), Source::Api, &tagged(30)).is_ok());
    assert!(exchange.place(&leader(), Source::Api, &tagged(31)).is_err());
}

#[test]
fn stop_market_orders_may_be_refused() {
    let (mut exchange, call) = with(|variants| variants.stop_market_orders = StopMarketOrders::Refused);
    let mut request = stop(call, Side::Sell, LOT, "90", "0");
    request.terms.order_type = OrderType::StopLossMarket;
    let refused = exchange.place(&leader(), Source::Api, &request).unwrap_err();
    assert_eq!(
        (refused.code, refused.message.as_str()),
        ("DH-906", "Trigger Price should be greater than Price")
    );
}

#[test]
fn the_protection_may_be_narrower_and_stays_on_the_tick() {
    let (mut exchange, call) = with(|variants| variants.protection_bps = 133);
    let price_of = |exchange: &mut Exchange, side| {
        let id = place(exchange, &leader(), &market(call, side, LOT));
        exchange.order(&leader(), &id).unwrap().terms.price
    };
    // 101.33 and 98.67, each rounded towards the last price.
    assert_eq!(price_of(&mut exchange, Side::Buy), rupees("101.30"));
    exchange.cancel(&leader(), Source::Api, "221261201000001").unwrap();
    assert_eq!(price_of(&mut exchange, Side::Sell), rupees("98.70"));
}

#[test]
fn slices_may_lose_the_tag_and_lookups_may_see_transit() {
    let (mut exchange, call) = with(|variants| {
        variants.slices_keep_tag = false;
        variants.tag_lookup_in_transit = true;
    });
    exchange.set_exchange_latency(seconds(1));
    let request = limit(call, Side::Buy, 30 * LOT, "1").tagged("cp-3");
    exchange.place_sliced(&leader(), Source::Api, &request).unwrap();
    let found = exchange.orders_by_tag(&leader(), "cp-3");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].status, BrokerStatus::Transit);
}

#[test]
fn two_orders_may_carry_one_tag() {
    let (mut exchange, call) = quiet();
    let request = limit(call, Side::Buy, LOT, "95").tagged("cp-1");
    let first = place(&mut exchange, &leader(), &request);
    let second = place(&mut exchange, &leader(), &request);
    assert_ne!(first, second);
    assert_eq!(exchange.orders_by_tag(&leader(), "cp-1").len(), 2);
    assert!(exchange.orders_by_tag(&follower(), "cp-1").is_empty());
}

#[test]
fn the_books_may_turn_hours_after_the_day() {
    let (mut exchange, call) =
        with(|variants| variants.books_turn_at = chrono::NaiveTime::from_hms_opt(6, 30, 0).unwrap());
    exchange.set_depth(call, Some(Depth::Unlimited));
    place(&mut exchange, &leader(), &market(call, Side::Buy, LOT));
    let shown = |exchange: &Exchange| {
        let row = exchange.positions(&leader())[0];
        (exchange.book(&leader()).len(), exchange.trades(&leader()).len(), row.carried, row.net())
    };
    let on = |time: &str| Timestamp::from_ist(format!("2026-12-02T{time}").parse().unwrap());
    let mut at = |time: &str| {
        while exchange.advance_to(on(time)) < on(time) {}
        shown(&exchange)
    };
    assert_eq!(at("06:29:59"), (1, 1, 0, 65));
    assert_eq!(at("06:30:00"), (0, 0, 65, 65));
    assert_eq!(at("23:59:59"), (0, 0, 65, 65));
}
