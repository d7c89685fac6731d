//! Super orders and their kin: legs come alive with the entry's fills, share what is open, follow the price.

use super::*;

const ENTRY: Leg = Leg::Entry;
const STOP: Leg = Leg::StopLoss;
const TARGET: Leg = Leg::Target;

fn place_super(exchange: &mut Exchange, account: &DhanClientId, request: &PlaceRequest) -> String {
    exchange.place_super(account, Source::Api, request).unwrap().order_id.to_string()
}

/// A super order of the leader's, bought at 100, with target 110, stop 95 and this jump.
fn held(quantity: u32, trailing: &str) -> (Exchange, InstrumentKey, String) {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(fixed(&[], &[("100", quantity)])));
    let entry = limit(call, Side::Buy, quantity, "100").tagged("cp-su");
    let id = place_super(&mut exchange, &leader(), &with_exits(entry, "110", "95", trailing));
    exchange.drain_events();
    (exchange, call, id)
}

fn row(exchange: &Exchange) -> SimSuper {
    exchange.super_orders(&leader()).remove(0)
}

/// Leg, status, triggered units and price of each exit as listed.
fn listed(exchange: &Exchange) -> Vec<(Leg, &'static str, u32, String)> {
    let word = |status: &BrokerStatus| match status {
        BrokerStatus::Pending => "PENDING",
        BrokerStatus::Triggered => "TRIGGERED",
        BrokerStatus::Traded => "TRADED",
        BrokerStatus::Cancelled => "CANCELLED",
        BrokerStatus::Expired => "EXPIRED",
        _ => "other",
    };
    row(exchange)
        .legs
        .iter()
        .map(|leg| (leg.leg, word(&leg.status), leg.triggered.get(), leg.price.to_string()))
        .collect()
}

fn leg_order(exchange: &Exchange, leg: Leg) -> &SimOrder {
    exchange.all_orders(&leader()).into_iter().rev().find(|order| order.leg() == leg).unwrap()
}

fn target_price(price: &str) -> SuperChange {
    SuperChange::Target { price: rupees(price) }
}

#[test]
fn legs_come_alive_with_the_fill_under_numbers_of_their_own() {
    let (mut exchange, call) = quiet();
    let entry = limit(call, Side::Buy, LOT, "100").tagged("cp-su");
    let id = place_super(&mut exchange, &leader(), &with_exits(entry, "110", "95", "0"));
    assert_eq!(
        told_of_legs(&mut exchange),
        [("TRANSIT".to_owned(), ENTRY, 65), ("PENDING".to_owned(), ENTRY, 65)]
    );
    assert_eq!(exchange.book(&leader()).len(), 1);
    let waiting = [(STOP, "PENDING", 0, "95.00".to_owned()), (TARGET, "PENDING", 0, "110.00".to_owned())];
    assert_eq!(listed(&exchange), waiting);
    assert_eq!(row(&exchange).legs[0].order_id, None);

    exchange.set_depth(call, Some(fixed(&[], &[("100", LOT)])));
    let expected = [("TRADED", ENTRY, 65), ("PENDING", STOP, 65), ("PENDING", TARGET, 65)];
    assert_eq!(told_of_legs(&mut exchange), expected.map(|(word, leg, of)| (word.to_owned(), leg, of)));
    let entry = exchange.order(&leader(), &id).unwrap();
    assert_eq!((entry.status.clone(), entry.parent()), (BrokerStatus::Traded, None));
    let (stop, target) = (leg_order(&exchange, STOP), leg_order(&exchange, TARGET));
    for leg in [stop, target] {
        assert_eq!(leg.parent().unwrap().as_str(), id);
        assert_eq!(leg.terms.side, Side::Sell);
        assert_eq!(leg.tag.as_deref(), Some("1000000101-1796096700000"), "the broker's invention");
        assert_ne!(leg.id.as_str(), id);
    }
    assert_eq!((target.terms.order_type, target.terms.price), (OrderType::Limit, rupees("110")));
    assert_eq!((stop.terms.order_type, stop.terms.trigger), (OrderType::StopLoss, rupees("95")));
    assert_eq!(stop.terms.price, rupees("90.25"), "behind the trigger");
    assert_eq!(listed(&exchange), waiting);
    let funds = exchange.funds(&leader()).unwrap();
    assert_eq!(funds.utilised, Money::from_rupees(6500), "legs hold nothing");
}

#[test]
fn legs_grow_with_the_entry_and_shrink_with_each_other() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(fixed(&[], &[("100", LOT)])));
    let entry = limit(call, Side::Buy, 3 * LOT, "100");
    let id = place_super(&mut exchange, &leader(), &with_exits(entry, "110", "95", "0"));
    assert_eq!(leg_order(&exchange, TARGET).terms.quantity, units(LOT));
    exchange.drain_events();
    exchange.set_depth(call, Some(fixed(&[], &[("100", 2 * LOT)])));
    let expected = [("TRADED", ENTRY, 195), ("MODIFIED", STOP, 195), ("MODIFIED", TARGET, 195)];
    assert_eq!(told_of_legs(&mut exchange), expected.map(|(word, leg, of)| (word.to_owned(), leg, of)));

    exchange.set_depth(call, Some(fixed(&[("110", LOT)], &[])));
    let expected = [("PART_TRADED", TARGET, 195), ("MODIFIED", STOP, 130)];
    assert_eq!(told_of_legs(&mut exchange), expected.map(|(word, leg, of)| (word.to_owned(), leg, of)));
    let expected = [(STOP, "PENDING", 0, "95.00".to_owned()), (TARGET, "TRIGGERED", 65, "110.00".to_owned())];
    assert_eq!(listed(&exchange), expected);
    assert_eq!(status(&exchange, &leader(), &id), BrokerStatus::Traded);

    exchange.set_depth(call, Some(fixed(&[("94", 5 * LOT)], &[])));
    exchange.set_last_price(call, rupees("94"));
    let words: Vec<_> = told_of_legs(&mut exchange).into_iter().map(|(word, leg, _)| (word, leg)).collect();
    let expected = [("PENDING", STOP), ("TRADED", STOP), ("CANCELLED", TARGET)];
    assert_eq!(words, expected.map(|(word, leg)| (word.to_owned(), leg)));
    assert_eq!(exchange.position(&leader(), call, Product::Margin), 0);
    assert_eq!(status(&exchange, &leader(), &id), BrokerStatus::Closed);
    let expected =
        [(STOP, "TRADED", 130, "95.00".to_owned()), (TARGET, "CANCELLED", 65, "110.00".to_owned())];
    assert_eq!(listed(&exchange), expected);
}

#[test]
fn nobody_can_trade_with_both_legs() {
    let (mut exchange, call, _) = held(LOT, "0");
    // The stop fires and rests, as nobody bids; then one order could take both legs.
    exchange.set_last_price(call, rupees("94"));
    assert_eq!(listed(&exchange)[0].1, "TRIGGERED");
    place(&mut exchange, &follower(), &limit(call, Side::Buy, 2 * LOT, "120"));
    assert_eq!(exchange.position(&leader(), call, Product::Margin), 0);
    assert_eq!(exchange.position(&follower(), call, Product::Margin), i64::from(LOT));
    assert_eq!(row(&exchange).entry.status, BrokerStatus::Closed);
}

#[test]
fn an_exit_ends_what_is_left_of_its_entry() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(fixed(&[], &[("100", LOT)])));
    let entry = limit(call, Side::Buy, 2 * LOT, "100");
    let id = place_super(&mut exchange, &leader(), &with_exits(entry.clone(), "110", "95", "0"));
    exchange.drain_events();
    let target = leg_order(&exchange, TARGET).id.clone();
    assert!(exchange.fill_resting(&target, units(LOT), rupees("110")));
    let words: Vec<_> = told_of_legs(&mut exchange).into_iter().map(|(word, leg, _)| (word, leg)).collect();
    let expected = [("TRADED", TARGET), ("CANCELLED", ENTRY), ("CANCELLED", STOP)];
    assert_eq!(words, expected.map(|(word, leg)| (word.to_owned(), leg)));
    assert_eq!(status(&exchange, &leader(), &id), BrokerStatus::Cancelled);

    // A stop that fires does not sell to its own entry, which bids above it.
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(fixed(&[], &[("100", LOT)])));
    place_super(&mut exchange, &leader(), &with_exits(entry, "110", "95", "0"));
    exchange.set_last_price(call, rupees("94"));
    let row = row(&exchange);
    assert_eq!((row.entry.status, row.entry.filled), (BrokerStatus::Cancelled, units(LOT)));
    assert_eq!(
        (row.legs[0].status.clone(), row.legs[0].triggered),
        (BrokerStatus::Triggered, Quantity::ZERO)
    );
}

#[test]
fn a_trailing_stop_follows_by_whole_jumps_and_never_back() {
    let (mut exchange, call, _) = held(LOT, "2");
    exchange.set_last_price(call, rupees("101.95"));
    assert!(!exchange.has_events());
    exchange.set_last_price(call, rupees("104.50"));
    assert_eq!(told_of_legs(&mut exchange), [("MODIFIED".to_owned(), STOP, 65)]);
    let stop = leg_order(&exchange, STOP);
    assert_eq!((stop.terms.trigger, stop.modifications), (rupees("99"), 0));
    assert_eq!(row(&exchange).entry.modifications, 0);
    exchange.set_last_price(call, rupees("99.50"));
    exchange.set_last_price(call, rupees("105.95"));
    assert!(!exchange.has_events());
    exchange.set_last_price(call, rupees("106"));
    assert_eq!(leg_order(&exchange, STOP).terms.trigger, rupees("101"));
    let row = row(&exchange);
    assert_eq!((row.legs[0].price, row.legs[0].trailing), (rupees("101"), rupees("2")));
    assert_eq!(row.legs[1].trailing, Price::ZERO);
    let OrderForm::Super(legs) = row.entry.terms.form else { panic!("{row:?}") };
    assert_eq!((legs.stop, legs.trailing), (Some(rupees("101")), rupees("2")));
}

#[test]
fn a_short_super_order_mirrors_a_long_one() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(fixed(&[("100", LOT)], &[])));
    let entry = limit(call, Side::Sell, LOT, "100");
    let id = place_super(&mut exchange, &leader(), &with_exits(entry, "90", "105", "2"));
    exchange.set_last_price(call, rupees("96"));
    let stop = leg_order(&exchange, STOP);
    assert_eq!(
        (stop.terms.side, stop.terms.trigger, stop.terms.price),
        (Side::Buy, rupees("101"), rupees("106.05"))
    );
    exchange.set_depth(call, Some(fixed(&[], &[("101", LOT)])));
    exchange.set_last_price(call, rupees("101"));
    assert_eq!(status(&exchange, &leader(), &id), BrokerStatus::Closed);
    assert_eq!(exchange.position(&leader(), call, Product::Margin), 0);
}

#[test]
fn a_trailing_stop_follows_the_tape_too() {
    let (mut exchange, call) = quiet();
    exchange.release_price(call);
    exchange.set_depth(call, Some(Depth::Unlimited));
    let last = exchange.last_price(call).unwrap();
    let low = Price::from_units(last.units() / 2 / 500 * 500).unwrap();
    let entry = limit(call, Side::Buy, LOT, &last.to_string());
    place_super(&mut exchange, &leader(), &with_exits(entry, "0", &low.to_string(), "0.05"));
    let later = exchange.now().plus(seconds(3600));
    while exchange.advance_to(later) < later {}
    assert!(leg_order(&exchange, STOP).terms.trigger > low);
}

#[test]
fn bad_exits_are_refused_at_once() {
    let (mut exchange, call) = quiet();
    let mut check = |side, price: &str, target: &str, stop: &str, message: &str| {
        let request = with_exits(limit(call, side, LOT, price), target, stop, "0");
        for source in [Source::Api, Source::App] {
            let refused = exchange.place_super(&leader(), source, &request).unwrap_err();
            assert_eq!((refused.http, refused.code, refused.message.as_str()), (400, "DH-905", message));
        }
    };
    check(Side::Buy, "100", "0", "0", "Target Price or Stop Loss Price is required");
    check(Side::Buy, "100", "100", "95", "Invalid Target Price");
    check(Side::Buy, "100", "110", "100", "Invalid Stop Loss Price");
    check(Side::Sell, "100", "110", "95", "Invalid Target Price");
    check(Side::Sell, "100", "90", "95", "Invalid Stop Loss Price");
    check(Side::Buy, "0", "110", "95", "Invalid Price for orderType");
    let ordinary = exchange.place_super(&leader(), Source::Api, &limit(call, Side::Buy, LOT, "100"));
    assert_eq!(ordinary.unwrap_err().code, "DH-905");
    let as_ordinary = with_exits(limit(call, Side::Buy, LOT, "100"), "110", "95", "0");
    assert_eq!(exchange.place(&leader(), Source::Api, &as_ordinary).unwrap_err().code, "DH-905");
    assert!(exchange.all_orders(&leader()).is_empty());

    let id = place_super(
        &mut exchange,
        &leader(),
        &with_exits(limit(call, Side::Buy, LOT, "100"), "110.02", "95", "0"),
    );
    assert_eq!(reason(&exchange, &leader(), &id), "EXCH:16283:The order price is not multiple of tick size");
    let cancelled =
        [(STOP, "CANCELLED", 0, "95.00".to_owned()), (TARGET, "CANCELLED", 0, "110.02".to_owned())];
    assert_eq!(listed(&exchange), cancelled);
}

#[test]
fn an_entry_at_the_market_compares_its_exits_with_its_price_or_the_last() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(Depth::Unlimited));
    let mut entry = market(call, Side::Buy, LOT);
    let refused = exchange.place_super(&leader(), Source::App, &with_exits(entry.clone(), "99", "0", "0"));
    assert_eq!(refused.unwrap_err().message, "Invalid Target Price");
    entry.terms.price = rupees("100");
    let id = place_super(&mut exchange, &leader(), &with_exits(entry, "110", "95", "0"));
    assert_eq!(status(&exchange, &leader(), &id), BrokerStatus::Traded);
    assert_eq!(exchange.position(&leader(), call, Product::Margin), i64::from(LOT));
}

#[test]
fn legs_are_changed_one_by_one() {
    let (mut exchange, call, id) = held(LOT, "2");
    exchange.modify_super(&leader(), Source::Api, &id, &target_price("112")).unwrap();
    assert_eq!(told_of_legs(&mut exchange), [("MODIFIED".to_owned(), TARGET, 65)]);
    assert_eq!(leg_order(&exchange, TARGET).terms.price, rupees("112"));
    let change = SuperChange::Stop { price: Some(rupees("97")), trailing: Price::ZERO };
    exchange.modify_super(&leader(), Source::App, &id, &change).unwrap();
    let stop = leg_order(&exchange, STOP);
    assert_eq!((stop.terms.trigger, stop.modifications), (rupees("97"), 1));
    assert_eq!(row(&exchange).legs[0].trailing, Price::ZERO, "the trail was not restated");
    exchange.set_last_price(call, rupees("108"));
    assert_eq!(leg_order(&exchange, STOP).terms.trigger, rupees("97"));

    let entry = SuperChange::Entry {
        order: ModifyRequest { price: Some(rupees("99")), ..ModifyRequest::default() },
        target: None,
        stop: None,
        trailing: Price::ZERO,
    };
    let refused = exchange.modify_super(&leader(), Source::Api, &id, &entry).unwrap_err();
    assert_eq!(refused.code, "DH-906", "the entry is done");
    let crossed = exchange.modify_super(&leader(), Source::Api, &id, &target_price("96")).unwrap_err();
    assert_eq!(crossed.code, "DH-905");
    // A trail that is set anew counts from here.
    let change = SuperChange::Stop { price: None, trailing: rupees("3") };
    exchange.modify_super(&leader(), Source::Api, &id, &change).unwrap();
    exchange.set_last_price(call, rupees("111"));
    assert_eq!(leg_order(&exchange, STOP).terms.trigger, rupees("100"));
}

#[test]
fn a_working_entry_is_changed_with_its_exits() {
    let (mut exchange, call) = quiet();
    let entry = limit(call, Side::Buy, LOT, "100");
    let id = place_super(&mut exchange, &leader(), &with_exits(entry, "110", "95", "2"));
    exchange.drain_events();
    let change = |price: &str, target: &str| SuperChange::Entry {
        order: ModifyRequest {
            quantity: Some(units(2 * LOT)),
            price: Some(rupees(price)),
            order_type: Some(OrderType::Limit),
            ..ModifyRequest::default()
        },
        target: Some(rupees(target)),
        stop: None,
        trailing: rupees("2"),
    };
    let refused = exchange.modify_super(&leader(), Source::Api, &id, &change("111", "110")).unwrap_err();
    assert_eq!(refused.message, "Invalid Target Price");
    exchange.modify_super(&leader(), Source::Api, &id, &change("101", "115")).unwrap();
    assert_eq!(told_of_legs(&mut exchange), [("MODIFIED".to_owned(), ENTRY, 130)]);
    exchange.set_depth(call, Some(fixed(&[], &[("101", 2 * LOT)])));
    assert_eq!(leg_order(&exchange, TARGET).terms.price, rupees("115"));
    assert_eq!(leg_order(&exchange, STOP).terms.quantity, units(2 * LOT));
    exchange.set_last_price(call, rupees("103"));
    assert_eq!(leg_order(&exchange, STOP).terms.trigger, rupees("97"), "the trail was restated");
}

#[test]
fn a_cancelled_leg_never_comes_back() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(fixed(&[], &[("100", LOT)])));
    let entry = limit(call, Side::Buy, 2 * LOT, "100");
    let id = place_super(&mut exchange, &leader(), &with_exits(entry, "110", "95", "0"));
    exchange.drain_events();
    let answer = exchange.cancel_super(&leader(), Source::Api, &id, TARGET).unwrap();
    assert_eq!((answer.order_id.as_str(), answer.status), (id.as_str(), BrokerStatus::Cancelled));
    assert_eq!(told_of_legs(&mut exchange), [("CANCELLED".to_owned(), TARGET, 65)]);
    let again = exchange.cancel_super(&leader(), Source::Api, &id, TARGET).unwrap_err();
    assert_eq!((again.code, again.message.as_str()), ("DH-906", ApiError::INCORRECT_REQUEST));
    assert!(exchange.modify_super(&leader(), Source::Api, &id, &target_price("112")).is_err());
    let added = SuperChange::Entry {
        order: ModifyRequest::default(),
        target: Some(rupees("112")),
        stop: None,
        trailing: Price::ZERO,
    };
    assert!(exchange.modify_super(&leader(), Source::Api, &id, &added).is_err());
    exchange.set_depth(call, Some(fixed(&[], &[("100", LOT)])));
    let expected = [("TRADED", ENTRY, 130), ("MODIFIED", STOP, 130)];
    assert_eq!(told_of_legs(&mut exchange), expected.map(|(word, leg, of)| (word.to_owned(), leg, of)));
    let expected = [(STOP, "PENDING", 0, "95.00".to_owned()), (TARGET, "CANCELLED", 0, "110.00".to_owned())];
    assert_eq!(listed(&exchange), expected);
}

#[test]
fn cancelling_the_entry_cancels_everything_that_works() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(fixed(&[], &[("100", LOT)])));
    let entry = limit(call, Side::Buy, 2 * LOT, "100");
    let id = place_super(&mut exchange, &leader(), &with_exits(entry, "110", "95", "0"));
    exchange.drain_events();
    exchange.cancel_super(&leader(), Source::Api, &id, ENTRY).unwrap();
    let words: Vec<_> = told_of_legs(&mut exchange).into_iter().map(|(word, leg, _)| (word, leg)).collect();
    let expected = [("CANCELLED", ENTRY), ("CANCELLED", STOP), ("CANCELLED", TARGET)];
    assert_eq!(words, expected.map(|(word, leg)| (word.to_owned(), leg)));
    assert_eq!(exchange.position(&leader(), call, Product::Margin), 65, "what is filled stays");
    assert!(exchange.cancel_super(&leader(), Source::Api, &id, ENTRY).is_err());

    // With the entry filled, its legs go all the same.
    let (mut exchange, _, id) = held(LOT, "0");
    exchange.cancel_super(&leader(), Source::App, &id, ENTRY).unwrap();
    assert_eq!(status(&exchange, &leader(), &id), BrokerStatus::Traded);
    assert!(exchange.book(&leader()).iter().all(|order| order.is_terminal()));
}

#[test]
fn parts_of_a_super_order_are_not_touched_one_by_one() {
    let (mut exchange, _, id) = held(LOT, "0");
    let target = leg_order(&exchange, TARGET).id.to_string();
    for order in [&id, &target] {
        assert!(exchange.cancel(&leader(), Source::Api, order).is_err());
        assert!(exchange.modify(&leader(), Source::Api, order, &ModifyRequest::default()).is_err());
    }
    assert!(
        exchange.cancel_super(&leader(), Source::Api, &target, TARGET).is_err(),
        "by the entry's number only"
    );
    assert!(exchange.cancel_super(&follower(), Source::Api, &id, TARGET).is_err(), "somebody else's");
}

#[test]
fn legs_expire_at_the_close_and_are_squared_off_with_the_entry() {
    let (mut exchange, call, _) = held(LOT, "0");
    let close = exchange.settings().start.plus(seconds(23_100));
    while exchange.advance_to(close) < close {}
    let words: Vec<_> = told_of_legs(&mut exchange).into_iter().map(|(word, leg, _)| (word, leg)).collect();
    assert_eq!(words, [("EXPIRED", STOP), ("EXPIRED", TARGET)].map(|(word, leg)| (word.to_owned(), leg)));
    assert_eq!(listed(&exchange)[0].1, "EXPIRED");
    assert_eq!(exchange.position(&leader(), call, Product::Margin), 65);

    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(Depth::Unlimited));
    let mut entry = limit(call, Side::Buy, LOT, "100");
    entry.terms.product = Product::Intraday;
    place_super(&mut exchange, &leader(), &with_exits(entry, "110", "95", "0"));
    while exchange.advance_to(close) < close {}
    assert_eq!(exchange.position(&leader(), call, Product::Intraday), 0);
    assert_eq!(leg_order(&exchange, TARGET).status, BrokerStatus::Cancelled);
}

#[test]
fn legs_may_carry_the_entrys_tag() {
    let mut settings = settings();
    settings.variants.leg_tags = LegTags::Entry;
    let (mut exchange, call) = quiet_with(settings);
    exchange.set_depth(call, Some(fixed(&[], &[("100", LOT)])));
    let entry = limit(call, Side::Buy, LOT, "100").tagged("cp-su");
    place_super(&mut exchange, &leader(), &with_exits(entry, "110", "95", "0"));
    assert_eq!(exchange.orders_by_tag(&leader(), "cp-su").len(), 3);
}

#[test]
fn with_latency_legs_are_changed_and_cancelled_later() {
    let (mut exchange, call) = quiet();
    exchange.set_exchange_latency(seconds(1));
    let entry = limit(call, Side::Buy, LOT, "100");
    let id = place_super(&mut exchange, &leader(), &with_exits(entry, "110", "95", "0"));
    let refused = exchange.cancel_super(&leader(), Source::Api, &id, ENTRY).unwrap_err();
    assert_eq!(refused.message, ApiError::IN_TRANSIT);
    let later = exchange.now().plus(seconds(1));
    exchange.advance_to(later);
    exchange.modify_super(&leader(), Source::Api, &id, &target_price("115")).unwrap();
    assert_eq!(listed(&exchange)[1].3, "110.00");
    let later = exchange.now().plus(seconds(1));
    exchange.advance_to(later);
    assert_eq!(listed(&exchange)[1].3, "115.00");
}

#[test]
fn a_bracket_order_of_the_app_has_exits_at_changes_of_price() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(fixed(&[], &[("101", LOT)])));
    let mut request = market(call, Side::Buy, LOT);
    request.terms.product = Product::Bracket;
    let values = BracketValues { profit: rupees("10"), stop_loss: rupees("5") };
    let barred = exchange.place_bracket(&leader(), Source::Api, &request, values).unwrap_err();
    assert_eq!(barred.code, "DH-905");
    assert!(exchange.place(&leader(), Source::App, &request).is_err());
    let answer = exchange.place_bracket(&leader(), Source::App, &request, values).unwrap();
    let entry = exchange.order(&leader(), answer.order_id.as_str()).unwrap();
    assert_eq!((entry.status.clone(), entry.bracket), (BrokerStatus::Traded, Some(values)));
    let (stop, target) = (leg_order(&exchange, STOP), leg_order(&exchange, TARGET));
    assert_eq!((stop.terms.trigger, target.terms.price), (rupees("96"), rupees("111")));
    assert_eq!((stop.terms.product, target.parent()), (Product::Bracket, Some(&answer.order_id)));
    assert_eq!(target.part.as_ref().unwrap().family, Family::Bracket);
    assert!(exchange.super_orders(&leader()).is_empty());

    let id = answer.order_id.to_string();
    assert!(exchange.modify_super(&leader(), Source::Api, &id, &target_price("112")).is_err());
    exchange.modify_super(&leader(), Source::App, &id, &target_price("112")).unwrap();
    let target = leg_order(&exchange, TARGET).id.clone();
    assert!(exchange.fill_resting(&target, units(LOT), rupees("112")));
    assert_eq!(status(&exchange, &leader(), &id), BrokerStatus::Traded, "only super orders read CLOSED");
    assert_eq!(leg_order(&exchange, STOP).status, BrokerStatus::Cancelled);
}

#[test]
fn a_cover_order_of_the_app_has_a_stop_only_and_ends_with_the_day() {
    let (mut exchange, call) = quiet();
    exchange.set_depth(call, Some(Depth::Unlimited));
    let mut request = limit(call, Side::Sell, LOT, "100");
    request.terms.product = Product::Cover;
    assert!(exchange.place_cover(&leader(), Source::App, &request, rupees("95")).is_err(), "the wrong side");
    exchange.place_cover(&leader(), Source::App, &request, rupees("105")).unwrap();
    assert_eq!(leg_order(&exchange, STOP).terms.trigger, rupees("105"));
    assert_eq!(exchange.book(&leader()).len(), 2);
    let close = exchange.settings().start.plus(seconds(23_100));
    while exchange.advance_to(close) < close {}
    assert_eq!(exchange.position(&leader(), call, Product::Cover), 0);
}
