//! Margins and funds.

use super::*;

/// 12 % of NIFTY's previous close of 26,014 for one lot.
const SHORT_LOT: i64 = 2_029_092_000;

fn funds(exchange: &Exchange, account: &DhanClientId) -> (i64, i64) {
    let funds = exchange.funds(account).unwrap();
    (funds.available.units(), funds.utilised.units())
}

fn free() -> (i64, i64) {
    (Money::from_rupees(1_000_000).units(), 0)
}

#[test]
fn a_buy_holds_its_premium_and_a_cancel_gives_it_back() {
    let (mut exchange, call) = quiet();
    let id = place(&mut exchange, &leader(), &limit(call, Side::Buy, LOT, "95"));
    assert_eq!(funds(&exchange, &leader()), (free().0 - 61_750_000, 61_750_000));
    exchange.cancel(&leader(), Source::Api, &id).unwrap();
    assert_eq!(funds(&exchange, &leader()), free());
}

#[test]
fn a_sale_beyond_what_is_held_needs_the_short_margin_until_it_is_closed() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(Depth::Unlimited));
    place(&mut exchange, &leader(), &market(call, Side::Buy, LOT));
    place(&mut exchange, &leader(), &market(call, Side::Sell, 2 * LOT));
    assert_eq!(exchange.position(&leader(), call, Product::Margin), -65);
    assert_eq!(funds(&exchange, &leader()).1, SHORT_LOT);
    exchange.set_last_price(call, rupees("90"));
    place(&mut exchange, &leader(), &market(call, Side::Buy, LOT));
    // Sold at 100, bought back at 90.
    assert_eq!(funds(&exchange, &leader()), (free().0 + 65 * 100_000, 0));
    let row = exchange.positions(&leader())[0];
    assert_eq!((row.net(), row.realised), (0, Money::from_rupees(650)));
    assert_eq!((row.buy_average(), row.sell_average()), (rupees("95"), rupees("100")));
}

#[test]
fn a_hedge_helps_only_once_it_is_filled() {
    let (mut exchange, call) = quiet();
    let wing = strike(&exchange, "26500", OptionType::Call);
    exchange.set_last_price(wing, rupees("40"));
    exchange.set_depth(wing, Some(fixed(&[], &[])));
    exchange.set_depth(call, Some(Depth::Unlimited));
    place(&mut exchange, &leader(), &limit(wing, Side::Buy, LOT, "40"));
    place(&mut exchange, &leader(), &market(call, Side::Sell, LOT));
    let premium = 65 * 400_000;
    assert_eq!(funds(&exchange, &leader()).1, SHORT_LOT + premium);
    exchange.set_depth(wing, Some(Depth::Unlimited));
    assert_eq!(funds(&exchange, &leader()).1, SHORT_LOT / 3 + premium);
}

#[test]
fn what_closes_needs_nothing_even_when_no_money_is_left() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(Depth::Unlimited));
    place(&mut exchange, &leader(), &market(call, Side::Sell, 4 * LOT));
    exchange.set_capital(&leader(), Money::from_rupees(1000));
    assert!(exchange.funds(&leader()).unwrap().available < Money::ZERO);
    let more = place(&mut exchange, &leader(), &market(call, Side::Sell, LOT));
    assert_eq!(status(&exchange, &leader(), &more), BrokerStatus::Rejected);
    let close = place(&mut exchange, &leader(), &market(call, Side::Buy, 4 * LOT));
    assert_eq!(status(&exchange, &leader(), &close), BrokerStatus::Traded);
}

#[test]
fn the_estimate_says_what_an_order_would_hold() {
    let (exchange, call) = quiet();
    let sell = limit(call, Side::Sell, 5 * LOT, "100").terms;
    let estimate = exchange.margin(&leader(), &[sell], false, false).unwrap();
    assert_eq!(estimate.total.units(), 5 * SHORT_LOT);
    assert_eq!(estimate.insufficient.units(), 5 * SHORT_LOT - free().0);
    let buy = market(call, Side::Buy, LOT).terms;
    assert_eq!(exchange.margin(&leader(), &[buy], true, true).unwrap().total, Money::from_rupees(6500));
}

#[test]
fn payments_change_the_free_money_and_not_the_start_of_the_day() {
    let (mut exchange, call) = quiet();
    place(&mut exchange, &leader(), &limit(call, Side::Buy, LOT, "100"));
    assert!(exchange.pay_in(&leader(), Money::from_rupees(250_000)));
    let paid = exchange.funds(&leader()).unwrap();
    assert_eq!(paid.start_of_day, Money::from_rupees(1_000_000));
    assert_eq!(paid.available, Money::from_rupees(1_243_500));
    assert!(!exchange.pay_in(&leader(), Money::from_rupees(-1_243_501)), "more than is free");
    assert!(exchange.pay_in(&leader(), Money::from_rupees(-1_243_500)));
    assert_eq!(exchange.funds(&leader()).unwrap().available, Money::ZERO);
    assert!(!exchange.pay_in(&client(7), Money::from_rupees(1)));
    let next_day = exchange.now().plus(seconds(86_400));
    while exchange.advance_to(next_day) < next_day {}
    assert_eq!(exchange.funds(&leader()).unwrap().start_of_day, Money::from_rupees(6500));
}

#[test]
fn the_days_profit_is_what_was_closed_and_what_the_open_units_are_worth() {
    let (mut exchange, call) = quiet();
    let put = strike(&exchange, "26000", OptionType::Put);
    exchange.set_depth(call, Some(Depth::Unlimited));
    exchange.set_depth(put, Some(Depth::Unlimited));
    exchange.set_last_price(put, rupees("80"));
    place(&mut exchange, &leader(), &market(call, Side::Buy, 3 * LOT));
    place(&mut exchange, &leader(), &market(put, Side::Sell, LOT));
    exchange.set_last_price(call, rupees("90"));
    place(&mut exchange, &leader(), &market(call, Side::Sell, LOT));
    exchange.set_last_price(call, rupees("85"));
    exchange.set_last_price(put, rupees("99.50"));
    let profits: Vec<_> = exchange
        .positions(&leader())
        .iter()
        .map(|row| (row.net(), row.realised, row.unrealised(exchange.last_price(row.instrument).unwrap())))
        .collect();
    let rupees = Money::from_rupees;
    let short = Money::from_units(-65 * 195_000);
    assert_eq!(profits, [(130, rupees(-650), rupees(-1950)), (-65, Money::ZERO, short)]);
}

#[test]
fn deliveries_are_sold_from_holdings_and_settle_over_night() {
    let mut settings = settings();
    settings.accounts[0].holdings =
        vec![HoldingSettings { security_id: 2885, quantity: units(10), average_cost: rupees("1400") }];
    let mut exchange = Exchange::new(settings);
    exchange.set_last_price(share(), rupees("1450"));
    exchange.set_depth(share(), Some(Depth::Unlimited));
    let mut order = market(share(), Side::Sell, 4);
    order.terms.product = Product::Cnc;
    place(&mut exchange, &leader(), &order);
    order.terms.quantity = units(7);
    let too_much = place(&mut exchange, &leader(), &order);
    assert_eq!(status(&exchange, &leader(), &too_much), BrokerStatus::Rejected);
    order.terms.side = Side::Buy;
    place(&mut exchange, &follower(), &order);
    let next_day = exchange.now().plus(seconds(86_400));
    while exchange.advance_to(next_day) < next_day {}
    assert_eq!(exchange.holdings(&leader())[0].quantity, units(6));
    let bought = exchange.holdings(&follower())[0];
    assert_eq!((bought.quantity, bought.average_cost), (units(7), rupees("1450")));
    let start_of_day = |account: &DhanClientId| exchange.funds(account).unwrap().start_of_day;
    assert_eq!(start_of_day(&leader()), Money::from_rupees(1_005_800));
    assert_eq!(start_of_day(&follower()), Money::from_rupees(989_850));
}
