//! The day: close, square-off, expiry, after-market orders, the roll.

use chrono::{NaiveDate, NaiveTime};
use tandem_domain::time::TradingDay;

use super::*;

fn on(day: &str, time: &str) -> Timestamp {
    let day: TradingDay = day.parse().unwrap();
    day.at(NaiveTime::parse_from_str(time, "%H:%M:%S").unwrap())
}

fn run_to(exchange: &mut Exchange, until: Timestamp) {
    while exchange.advance_to(until) < until {}
}

#[test]
fn day_orders_expire_at_the_close() {
    let (mut exchange, call) = quiet();
    let id = place(&mut exchange, &leader(), &limit(call, Side::Buy, LOT, "95"));
    exchange.drain_events();
    let stopped = exchange.advance_to(on("2026-12-01", "16:00:00"));
    assert_eq!(stopped, on("2026-12-01", "15:40:00"));
    assert_eq!(told(&mut exchange), words(&[("EXPIRED", 0)]));
    assert_eq!(status(&exchange, &leader(), &id), BrokerStatus::Expired);
    assert!(!exchange.is_open());
    let refused = exchange.place(&leader(), Source::Api, &limit(call, Side::Buy, LOT, "95")).unwrap_err();
    assert_eq!(refused.message, "Markets are Offline or Blocked");
}

#[test]
fn the_book_is_of_one_day_and_positions_are_carried() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(Depth::Unlimited));
    place(&mut exchange, &leader(), &market(call, Side::Buy, LOT));
    run_to(&mut exchange, on("2026-12-02", "09:20:00"));
    assert!(exchange.book(&leader()).is_empty());
    assert!(exchange.trades(&leader()).is_empty());
    let row = exchange.positions(&leader())[0];
    assert_eq!((row.net(), row.carried, row.day_buy_quantity), (65, 65, 0));
    assert_eq!((row.carried_value, row.cost_price()), (Money::from_rupees(6500), rupees("100")));
    let id = place(&mut exchange, &leader(), &market(call, Side::Sell, LOT));
    assert!(id.starts_with("221261202"));
    assert_eq!(exchange.position(&leader(), call, Product::Margin), 0);
}

#[test]
fn an_after_market_order_goes_out_with_the_next_session() {
    let mut late = settings();
    // Monday 23 November; the 24th is a holiday.
    late.start = on("2026-11-23", "18:00:00");
    let mut exchange = Exchange::new(late);
    let call = call(&exchange);
    let mut request = limit(call, Side::Buy, LOT, "0.05");
    request.terms.after_market = true;
    let id = place(&mut exchange, &leader(), &request);
    assert_eq!(status(&exchange, &leader(), &id), BrokerStatus::Pending);
    exchange.drain_events();
    let stopped = exchange.advance_to(on("2026-11-25", "12:00:00"));
    assert_eq!(stopped, on("2026-11-25", "09:15:00"));
    assert_eq!(told(&mut exchange), words(&[("PENDING", 0)]));
    assert!(exchange.order(&leader(), &id).unwrap().exchange_id.is_some());
}

#[test]
fn the_broker_squares_off_intraday_positions() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(Depth::Unlimited));
    let mut buy = market(call, Side::Buy, LOT);
    buy.terms.product = Product::Intraday;
    place(&mut exchange, &leader(), &buy);
    let mut resting = limit(call, Side::Buy, LOT, "50");
    resting.terms.product = Product::Intraday;
    let resting_id = place(&mut exchange, &leader(), &resting);
    run_to(&mut exchange, on("2026-12-01", "15:21:00"));
    assert_eq!(status(&exchange, &leader(), &resting_id), BrokerStatus::Cancelled);
    assert_eq!(exchange.position(&leader(), call, Product::Intraday), 0);
    let closing = exchange.book(&leader()).pop().unwrap();
    assert_eq!((closing.source.letter(), closing.tag.clone()), ("T", None));
    let id = place(&mut exchange, &leader(), &buy);
    let expected = format!("RMS:{id}:Intraday orders cannot be placed at this time");
    assert_eq!(reason(&exchange, &leader(), &id), expected);
}

#[test]
fn exit_all_cancels_and_closes_everything() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(Depth::Unlimited));
    exchange.set_capital(&leader(), Money::from_rupees(100_000_000));
    for _ in 0..2 {
        place(&mut exchange, &leader(), &market(call, Side::Sell, 20 * LOT));
    }
    let resting = place(&mut exchange, &leader(), &limit(call, Side::Buy, LOT, "50"));
    exchange.exit_all(&leader(), Source::Api).unwrap();
    assert_eq!(status(&exchange, &leader(), &resting), BrokerStatus::Cancelled);
    assert_eq!(exchange.position(&leader(), call, Product::Margin), 0);
}

#[test]
fn options_settle_in_cash_on_their_expiry_and_trade_no_more() {
    let mut exchange = Exchange::new(settings());
    let today = NaiveDate::from_ymd_opt(2026, 12, 1).unwrap();
    let call = exchange.option("NIFTY", today, rupees("25500"), OptionType::Call).unwrap();
    exchange.set_default_depth(Depth::Unlimited);
    place(&mut exchange, &leader(), &market(call, Side::Buy, LOT));
    run_to(&mut exchange, on("2026-12-01", "15:40:00"));
    let row = exchange.positions(&leader())[0];
    let nifty = InstrumentKey { segment: ExchangeSegment::Index, security_id: SecurityId(13) };
    let spot = exchange.last_price(nifty).unwrap().units();
    assert_eq!(row.net(), 0);
    // The index row is shown on its tick, settlement uses the spot itself.
    assert!((row.sell_average().units() - (spot - 255_000_000)).abs() < 500);
    run_to(&mut exchange, on("2026-12-02", "09:15:01"));
    assert!(exchange.positions(&leader()).is_empty());
    let id = place(&mut exchange, &leader(), &limit(call, Side::Buy, LOT, "100"));
    assert_eq!(
        reason(&exchange, &leader(), &id),
        "EXCH:16387:Security is not allowed to trade in this market."
    );
}

#[test]
fn quiet_days_pass_without_a_stop() {
    let mut exchange = Exchange::new(settings());
    let friday = on("2026-12-04", "12:00:00");
    assert_eq!(exchange.advance_to(friday), friday);
    assert!(exchange.is_open());
}
