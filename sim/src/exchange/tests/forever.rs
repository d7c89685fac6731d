//! Forever orders: silent at the broker until the price comes.

use super::*;

use tandem_domain::order::OcoLeg;

/// A share that trades at 1000, with as much as anybody wants.
fn shares() -> Exchange {
    let mut settings = settings();
    settings.accounts[0].holdings =
        vec![HoldingSettings { security_id: 2885, quantity: units(100), average_cost: rupees("900") }];
    let mut exchange = Exchange::new(settings);
    exchange.set_last_price(share(), rupees("1000"));
    exchange.set_depth(share(), Some(Depth::Unlimited));
    exchange
}

fn forever(side: Side, price: &str, trigger: &str, second: Option<OcoLeg>) -> PlaceRequest {
    let mut request = limit(share(), side, 10, price);
    request.terms.product = Product::Cnc;
    request.terms.trigger = rupees(trigger);
    request.terms.form = OrderForm::Forever(second);
    request
}

fn second(price: &str, trigger: &str, quantity: u32) -> OcoLeg {
    OcoLeg { price: rupees(price), trigger: rupees(trigger), quantity: units(quantity) }
}

fn place_forever(exchange: &mut Exchange, source: Source, request: &PlaceRequest) -> String {
    exchange.place_forever(&leader(), source, request).unwrap().order_id.to_string()
}

fn statuses(exchange: &Exchange) -> Vec<String> {
    let orders = exchange.forever_orders(&leader());
    orders.iter().flat_map(|order| &order.legs).map(|leg| leg.status.to_string()).collect()
}

#[test]
fn it_rests_in_silence_and_leaves_an_ordinary_order() {
    let mut exchange = shares();
    let id =
        place_forever(&mut exchange, Source::Api, &forever(Side::Buy, "951", "950", None).tagged("cp-f"));
    assert_eq!(id, "5132612010001");
    assert!(!exchange.has_events());
    assert!(exchange.book(&leader()).is_empty());
    assert_eq!(statuses(&exchange), ["CONFIRM"]);
    exchange.set_last_price(share(), rupees("950.05"));
    assert_eq!(statuses(&exchange), ["CONFIRM"]);
    exchange.set_last_price(share(), rupees("949"));
    assert_eq!(told(&mut exchange), words(&[("TRANSIT", 0), ("PENDING", 0), ("TRADED", 10)]));
    assert_eq!(statuses(&exchange), ["TRADED"]);
    let order = &exchange.forever_orders(&leader())[0];
    let child = exchange.find_order(order.legs[0].child.as_ref().unwrap()).unwrap();
    assert_eq!((child.tag.clone(), child.source, child.leg()), (None, Source::Api, Leg::Single));
    assert_eq!((child.terms.price, child.terms.trigger), (rupees("951"), Price::ZERO));
    assert_eq!(order.tag.as_deref(), Some("cp-f"));
}

#[test]
fn one_of_two_legs_cancels_the_other() {
    let mut exchange = shares();
    let request = forever(Side::Sell, "949", "950", Some(second("1100", "1099", 10)));
    let id = place_forever(&mut exchange, Source::App, &request);
    let order = &exchange.forever_orders(&leader())[0];
    assert_eq!((order.id.as_str(), order.is_oco()), (id.as_str(), true));
    assert_eq!(order.legs.iter().map(|leg| leg.leg).collect::<Vec<_>>(), [Leg::Target, Leg::StopLoss]);
    exchange.set_depth(share(), Some(fixed(&[], &[])));
    exchange.set_last_price(share(), rupees("1100"));
    assert_eq!(statuses(&exchange), ["CANCELLED", "TRIGGERED"]);
    let child = exchange.book(&leader())[0];
    assert_eq!(
        (child.source, child.terms.price, child.status.clone()),
        (Source::App, rupees("1100"), BrokerStatus::Pending)
    );
    exchange.set_depth(share(), Some(Depth::Unlimited));
    assert_eq!(statuses(&exchange), ["CANCELLED", "TRADED"]);
    assert!(exchange.cancel_forever(&leader(), Source::App, &id).is_err());
}

#[test]
fn it_is_changed_and_cancelled_while_it_rests() {
    let mut exchange = shares();
    let request = forever(Side::Sell, "949", "950", Some(second("1100", "1099", 10)));
    let id = place_forever(&mut exchange, Source::Api, &request);
    let change = ForeverChange {
        leg: Leg::StopLoss,
        order_type: None,
        time_in_force: None,
        quantity: Some(units(5)),
        price: Some(rupees("1050")),
        trigger: Some(rupees("1049")),
    };
    exchange.modify_forever(&leader(), Source::Api, &id, &change).unwrap();
    let order = &exchange.forever_orders(&leader())[0];
    assert_eq!(order.terms.form, OrderForm::Forever(Some(second("1050", "1049", 5))));
    assert_eq!(order.legs[0].terms.quantity, units(10));
    let bad = ForeverChange { trigger: Some(Price::ZERO), ..change };
    assert!(exchange.modify_forever(&leader(), Source::Api, &id, &bad).is_err());
    exchange.cancel_forever(&leader(), Source::Api, &id).unwrap();
    assert_eq!(statuses(&exchange), ["CANCELLED", "CANCELLED"]);
    exchange.set_last_price(share(), rupees("900"));
    assert!(!exchange.has_events());
    assert!(exchange.modify_forever(&leader(), Source::Api, &id, &change).is_err());
}

#[test]
fn it_fires_on_the_tape() {
    let mut exchange = shares();
    exchange.release_price(share());
    let last = exchange.last_price(share()).unwrap();
    let next = Price::from_units(last.units() + 1000).unwrap().to_string();
    place_forever(&mut exchange, Source::Api, &forever(Side::Buy, &next, &next, None));
    let later = exchange.now().plus(seconds(3600));
    while exchange.advance_to(later) < later {}
    let child = exchange.all_orders(&leader())[0];
    assert!(child.created > exchange.settings().start && child.filled == units(10), "{child:?}");
}

#[test]
fn it_lives_over_days() {
    let mut exchange = shares();
    place_forever(&mut exchange, Source::Api, &forever(Side::Buy, "951", "950", None));
    let later = exchange.settings().start.plus(Duration::from_hours(72));
    while exchange.advance_to(later) < later {}
    assert_eq!(statuses(&exchange), ["CONFIRM"]);
    exchange.set_last_price(share(), rupees("950"));
    assert_eq!(statuses(&exchange), ["TRADED"]);
    let later = later.plus(Duration::from_hours(24));
    while exchange.advance_to(later) < later {}
    assert!(statuses(&exchange).is_empty(), "not listed for ever");
}

#[test]
fn only_delivery_of_shares_is_taken() {
    let (mut exchange, call) = quiet();
    let on_option =
        PlaceRequest::new(OrderTerms { instrument: call, ..forever(Side::Buy, "95", "96", None).terms });
    let refused = exchange.place_forever(&leader(), Source::Api, &on_option).unwrap_err();
    assert_eq!(refused.message, "Forever orders are not allowed for this segment");
    let mut check = |change: fn(&mut OrderTerms), message: &str| {
        let mut request = forever(Side::Buy, "951", "950", None);
        change(&mut request.terms);
        assert_eq!(exchange.place_forever(&leader(), Source::Api, &request).unwrap_err().message, message);
    };
    check(|terms| terms.product = Product::Intraday, ApiError::GENERIC_INPUT);
    check(|terms| terms.price = Price::ZERO, "Invalid Price for orderType");
    check(|terms| terms.trigger = Price::ZERO, "Invalid Trigger Price for orderType");
    check(|terms| terms.quantity = Quantity::ZERO, "quantity is required");
    check(|terms| terms.order_type = OrderType::StopLoss, "Invalid Price for orderType");
    check(|terms| terms.form = OrderForm::Ordinary, ApiError::GENERIC_INPUT);
}

#[test]
fn a_child_that_is_refused_shows_in_the_row() {
    let mut exchange = shares();
    let mut request = forever(Side::Sell, "949", "950", None);
    request.terms.quantity = units(101);
    place_forever(&mut exchange, Source::Api, &request);
    exchange.set_last_price(share(), rupees("950"));
    assert_eq!(statuses(&exchange), ["REJECTED"]);
}
