//! Who trades with whom, at what price.

use super::*;

#[test]
fn better_prices_go_first_and_at_one_price_the_earlier() {
    let (mut exchange, call) = quiet();
    let late_and_dear =
        |exchange: &mut Exchange, price| place(exchange, &follower(), &limit(call, Side::Sell, LOT, price));
    let second = late_and_dear(&mut exchange, "101");
    let third = late_and_dear(&mut exchange, "101");
    let first = late_and_dear(&mut exchange, "100.50");
    let never = late_and_dear(&mut exchange, "102.05");
    let buyer = place(&mut exchange, &leader(), &limit(call, Side::Buy, 3 * LOT, "102"));
    let price_of = |id: &str| exchange.order(&follower(), id).unwrap().average_price();
    assert_eq!([price_of(&first), price_of(&second), price_of(&third)], ["100.50", "101", "101"].map(rupees));
    assert_eq!(status(&exchange, &follower(), &never), BrokerStatus::Pending);
    let prices: Vec<Price> = exchange.trades_of(&leader(), &buyer).iter().map(|trade| trade.price).collect();
    assert_eq!(prices, ["100.50", "101", "101"].map(rupees));
}

#[test]
fn a_changed_price_or_a_larger_quantity_costs_the_place_in_the_queue() {
    let (mut exchange, call) = quiet();
    exchange.set_capital(&follower(), Money::from_rupees(5_000_000));
    let sell = limit(call, Side::Sell, LOT, "101");
    let grown = place(&mut exchange, &follower(), &limit(call, Side::Sell, LOT, "101"));
    let shrunk = place(&mut exchange, &follower(), &limit(call, Side::Sell, 2 * LOT, "101"));
    let last = place(&mut exchange, &follower(), &sell);
    let to = |count| ModifyRequest { quantity: Some(units(count)), ..ModifyRequest::default() };
    exchange.modify(&follower(), Source::Api, &grown, &to(2 * LOT)).unwrap();
    exchange.modify(&follower(), Source::Api, &shrunk, &to(LOT)).unwrap();
    place(&mut exchange, &leader(), &limit(call, Side::Buy, 2 * LOT, "101"));
    let statuses = [&shrunk, &last, &grown].map(|id| status(&exchange, &follower(), id));
    assert_eq!(statuses, [BrokerStatus::Traded, BrokerStatus::Traded, BrokerStatus::Pending]);
}

#[test]
fn depth_used_up_by_one_is_not_there_for_the_next() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(fixed(&[], &[("100", LOT), ("100.40", LOT)])));
    let first = place(&mut exchange, &leader(), &market(call, Side::Buy, LOT));
    let second = place(&mut exchange, &follower(), &market(call, Side::Buy, 2 * LOT));
    assert_eq!(exchange.order(&leader(), &first).unwrap().average_price(), rupees("100"));
    let order = exchange.order(&follower(), &second).unwrap();
    assert_eq!((order.filled, order.average_price()), (units(LOT), rupees("100.40")));
}

#[test]
fn a_resting_order_trades_at_its_own_price_when_depth_comes_to_it() {
    let (mut exchange, call) = quiet();
    let id = place(&mut exchange, &leader(), &limit(call, Side::Buy, 2 * LOT, "98"));
    exchange.set_depth(call, Some(fixed(&[], &[("97", LOT), ("98.05", LOT)])));
    let order = exchange.order(&leader(), &id).unwrap();
    assert_eq!((order.filled, order.average_price()), (units(LOT), rupees("98")));
}

#[test]
fn an_order_that_was_there_first_goes_before_depth_at_its_price_and_after_it_otherwise() {
    let (mut exchange, call) = quiet();
    let early = place(&mut exchange, &follower(), &limit(call, Side::Sell, LOT, "101"));
    exchange.set_depth(call, Some(fixed(&[], &[("101", LOT)])));
    let late = place(&mut exchange, &follower(), &limit(call, Side::Sell, LOT, "101"));
    place(&mut exchange, &leader(), &limit(call, Side::Buy, 2 * LOT, "101"));
    assert_eq!(status(&exchange, &follower(), &early), BrokerStatus::Traded);
    assert_eq!(status(&exchange, &follower(), &late), BrokerStatus::Pending);
}

#[test]
fn capped_depth_fills_in_parts_tick_by_tick() {
    let mut exchange = Exchange::new(settings());
    let call = call(&exchange);
    exchange.freeze_price(call);
    exchange.set_depth(call, Some(Depth::Capped(units(40))));
    let last = exchange.last_price(call).unwrap();
    let generous = Price::from_units(last.units() + 100_000).unwrap().to_string();
    let id = place(&mut exchange, &leader(), &limit(call, Side::Buy, 2 * LOT, &generous));
    let filled = |exchange: &Exchange| exchange.order(&leader(), &id).unwrap().filled.get();
    assert_eq!(filled(&exchange), 40);
    exchange.drain_events();
    let noon = exchange.now().plus(seconds(3600));
    for expected in [80, 120, 130] {
        exchange.advance_to(noon);
        assert_eq!(filled(&exchange), expected);
    }
    let start = exchange.settings().start;
    assert_eq!(exchange.now(), start.plus(seconds(3)));
}

#[test]
fn a_quote_shows_what_is_left_and_what_rests() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(fixed(&[("99", 130)], &[("101", 130)])));
    place(&mut exchange, &leader(), &limit(call, Side::Buy, LOT, "99"));
    place(&mut exchange, &leader(), &limit(call, Side::Buy, LOT, "98"));
    place(&mut exchange, &follower(), &limit(call, Side::Buy, LOT, "101"));
    let quote = exchange.quote(call).unwrap();
    let level = |price, count| Level { price: rupees(price), quantity: units(count) };
    assert_eq!(quote.bids, [level("99", 195), level("98", 65)]);
    assert_eq!(quote.asks, [level("101", 65)]);
    assert_eq!(quote.last, rupees("100"));
}
