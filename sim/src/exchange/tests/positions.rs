//! Positions as a whole: carried, converted, squared off; the kill switch.

use super::*;

fn held(instrument: InstrumentKey, product: Product, count: i64) -> CarriedPosition {
    CarriedPosition { instrument, product, units: count, price: rupees("100") }
}

fn conversion(instrument: InstrumentKey, from: Product, to: Product, count: u32) -> Conversion {
    Conversion { instrument, from, to, side: Side::Buy, quantity: units(count) }
}

#[test]
fn what_was_there_before_is_carried_forward() {
    let (mut exchange, call) = quiet();
    assert!(exchange.carry(&leader(), &held(call, Product::Margin, 650)));
    let row = exchange.positions(&leader())[0];
    assert_eq!((row.net(), row.carried, row.day_buy_quantity), (650, 650, 0));
    assert_eq!((row.carried_value, row.cost_price()), (Money::from_rupees(65_000), rupees("100")));
    assert_eq!(exchange.funds(&leader()).unwrap().utilised, Money::from_rupees(65_000));
    exchange.set_depth(call, Some(Depth::Unlimited));
    exchange.set_last_price(call, rupees("110"));
    place(&mut exchange, &leader(), &market(call, Side::Sell, 2 * LOT));
    let row = exchange.positions(&leader())[0];
    assert_eq!((row.net(), row.day_sell_quantity, row.realised), (520, 130, Money::from_rupees(1300)));
    assert!(
        exchange.all_trades(&leader()).iter().all(|trade| trade.side == Side::Sell),
        "no fill brought it"
    );
}

#[test]
fn only_what_can_be_held_is_carried() {
    let (mut exchange, call) = quiet();
    let index = InstrumentKey { segment: ExchangeSegment::Index, security_id: SecurityId(13) };
    let cases = [
        held(call, Product::Margin, 0),
        held(call, Product::Margin, 64),
        held(call, Product::Cnc, 65),
        held(call, Product::Bracket, 65),
        held(share(), Product::Cnc, 10),
        held(index, Product::Margin, 65),
    ];
    for case in cases {
        assert!(!exchange.carry(&leader(), &case), "{case:?}");
    }
    assert!(!exchange.carry(&client(7), &held(call, Product::Margin, 65)));
    assert!(exchange.carry(&leader(), &held(call, Product::Margin, -65)));
    assert!(!exchange.carry(&leader(), &held(call, Product::Margin, 65)), "once");
}

#[test]
fn a_converted_position_keeps_its_cost() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(Depth::Unlimited));
    for price in ["100", "100.05", "100.05"] {
        exchange.set_last_price(call, rupees(price));
        place(&mut exchange, &leader(), &market(call, Side::Buy, LOT));
    }
    exchange.drain_events();
    let total = |exchange: &Exchange| {
        let rows = exchange.positions(&leader());
        rows.iter().fold(Money::ZERO, |sum, row| sum.plus(row.open_value))
    };
    let before = total(&exchange);
    let part = conversion(call, Product::Margin, Product::Intraday, LOT);
    exchange.convert_position(&leader(), Source::Api, &part).unwrap();
    let seen: Vec<_> =
        exchange.positions(&leader()).iter().map(|row| (row.product, row.net(), row.realised)).collect();
    assert_eq!(seen, [(Product::Intraday, 65, Money::ZERO), (Product::Margin, 130, Money::ZERO)]);
    assert_eq!(total(&exchange), before, "to the last unit");
    let rest = conversion(call, Product::Margin, Product::Intraday, 2 * LOT);
    exchange.convert_position(&leader(), Source::App, &rest).unwrap();
    assert_eq!(exchange.position(&leader(), call, Product::Margin), 0);
    assert_eq!(exchange.position(&leader(), call, Product::Intraday), 195);
    assert!(!exchange.has_events(), "the stream has no word for it");
}

#[test]
fn a_short_position_is_converted_as_such() {
    let (mut exchange, call) = quiet();
    assert!(exchange.carry(&leader(), &held(call, Product::Margin, -65)));
    let long = conversion(call, Product::Margin, Product::Intraday, LOT);
    assert_eq!(exchange.convert_position(&leader(), Source::Api, &long).unwrap_err().code, "DH-906");
    let short = Conversion { side: Side::Sell, ..long };
    exchange.convert_position(&leader(), Source::Api, &short).unwrap();
    assert_eq!(exchange.position(&leader(), call, Product::Intraday), -65);
}

#[test]
fn what_cannot_be_converted_stays() {
    let (mut exchange, call) = quiet();
    assert!(exchange.carry(&leader(), &held(call, Product::Margin, 130)));
    let (margin, intraday) = (Product::Margin, Product::Intraday);
    let cases = [
        conversion(call, margin, intraday, 3 * LOT),
        conversion(call, margin, intraday, 0),
        conversion(call, margin, intraday, 64),
        conversion(call, margin, margin, LOT),
        conversion(call, margin, Product::Cnc, LOT),
        conversion(call, margin, Product::Cover, LOT),
        conversion(call, intraday, margin, LOT),
        conversion(share(), margin, intraday, 1),
    ];
    for case in cases {
        let refused = exchange.convert_position(&leader(), Source::Api, &case).unwrap_err();
        assert_eq!(refused.message, ApiError::INCORRECT_REQUEST, "{case:?}");
    }
    let late = exchange.now().plus(seconds(6 * 3600 + 600));
    while exchange.advance_to(late) < late {}
    let fine = conversion(call, margin, intraday, LOT);
    assert!(exchange.convert_position(&leader(), Source::Api, &fine).is_err(), "INTRADAY ends at 15:20");
    let closed = exchange.now().plus(seconds(3600));
    while exchange.advance_to(closed) < closed {}
    let refused = exchange.convert_position(&leader(), Source::Api, &fine).unwrap_err();
    assert_eq!(refused.message, "Markets are Offline or Blocked");
    assert_eq!(exchange.position(&leader(), call, margin), 130);
}

#[test]
fn a_conversion_needs_its_money_and_counts_as_a_write() {
    let mut settings = settings();
    settings.rate_limits = Some(RateLimits { per_second: 3, ..RateLimits::default() });
    let mut exchange = Exchange::new(settings);
    exchange.set_last_price(share(), rupees("1450"));
    exchange.set_depth(share(), Some(Depth::Unlimited));
    let mut buy = market(share(), Side::Buy, 2000);
    buy.terms.product = Product::Intraday;
    place(&mut exchange, &leader(), &buy); // a fifth of 29 lakh
    let deliver = conversion(share(), Product::Intraday, Product::Cnc, 2000);
    let refused = exchange.convert_position(&leader(), Source::Api, &deliver).unwrap_err();
    assert_eq!(refused.message, "You have insufficient funds. Please add Rs.1900000.00 to trade.");
    assert_eq!(exchange.position(&leader(), share(), Product::Intraday), 2000);
    let few = Conversion { quantity: units(100), ..deliver };
    exchange.convert_position(&leader(), Source::Api, &few).unwrap();
    assert_eq!(exchange.convert_position(&leader(), Source::Api, &few).unwrap_err().http, 429);
    exchange.convert_position(&leader(), Source::App, &few).unwrap();
    assert_eq!(exchange.position(&leader(), share(), Product::Cnc), 200);
}

#[test]
fn the_broker_squares_off_one_account_when_told() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(Depth::Unlimited));
    let mut buy = market(call, Side::Buy, LOT);
    for product in [Product::Intraday, Product::Margin] {
        buy.terms.product = product;
        place(&mut exchange, &leader(), &buy);
    }
    buy.terms.product = Product::Intraday;
    place(&mut exchange, &follower(), &buy);
    let mut resting = limit(call, Side::Buy, LOT, "50");
    resting.terms.product = Product::Intraday;
    let resting = place(&mut exchange, &leader(), &resting);
    exchange.drain_events();
    exchange.reject_next(&leader(), 1, "EXCH:<id>:no");

    assert!(exchange.square_off_now(Some(&leader())));
    assert_eq!(
        told(&mut exchange),
        words(&[("CANCELLED", 0), ("TRANSIT", 0), ("PENDING", 0), ("TRADED", 65)]),
        "the broker's own orders are not those the fault is meant for"
    );
    assert_eq!(status(&exchange, &leader(), &resting), BrokerStatus::Cancelled);
    let closing = exchange.book(&leader()).pop().unwrap().clone();
    assert_eq!((closing.source, closing.tag), (Source::Broker, None));
    let net = |exchange: &Exchange, account, product| exchange.position(&account, call, product);
    assert_eq!(net(&exchange, leader(), Product::Intraday), 0);
    assert_eq!(net(&exchange, leader(), Product::Margin), 65);
    assert_eq!(net(&exchange, follower(), Product::Intraday), 65);
    assert!(exchange.square_off_now(None));
    assert_eq!(net(&exchange, follower(), Product::Intraday), 0);
    assert!(!exchange.square_off_now(Some(&client(7))));
}

#[test]
fn the_kill_switch_ends_the_accounts_day() {
    let (mut exchange, call) = quiet();
    let id = place(&mut exchange, &leader(), &limit(call, Side::Buy, LOT, "95"));
    assert_eq!(exchange.set_kill_switch(&leader(), true).unwrap_err().code, "DH-906");
    exchange.cancel(&leader(), Source::Api, &id).unwrap();
    exchange.set_kill_switch(&leader(), true).unwrap();
    for source in [Source::Api, Source::App] {
        let refused = exchange.place(&leader(), source, &limit(call, Side::Buy, LOT, "95")).unwrap_err();
        assert_eq!((refused.code, refused.message.as_str()), ("DH-906", "Kill switch is active"));
    }
    place(&mut exchange, &follower(), &limit(call, Side::Buy, LOT, "95"));
    let next_day = exchange.now().plus(seconds(86_400));
    while exchange.advance_to(next_day) < next_day {}
    assert!(!exchange.kill_switch(&leader()));
    place(&mut exchange, &leader(), &limit(call, Side::Buy, LOT, "95"));
}
