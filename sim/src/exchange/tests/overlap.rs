//! A target and a stop for the same units.

use super::*;

/// An account that holds two lots and treats overlapping exits so.
fn holding(how: OverlappingExits) -> (Exchange, InstrumentKey) {
    let mut settings = settings();
    settings.accounts[1].overlapping_exits = how;
    let (mut exchange, call) = quiet_with(settings);
    let held =
        CarriedPosition { instrument: call, product: Product::Margin, units: 130, price: rupees("100") };
    for account in [leader(), follower()] {
        assert!(exchange.carry(&account, &held));
    }
    (exchange, call)
}

fn exits(call: InstrumentKey) -> (PlaceRequest, PlaceRequest) {
    (limit(call, Side::Sell, 2 * LOT, "120"), stop(call, Side::Sell, LOT, "90", "88"))
}

#[test]
fn both_are_taken_by_default() {
    let (mut exchange, call) = holding(OverlappingExits::Taken);
    let (target, stop) = exits(call);
    for request in [&target, &stop] {
        let id = place(&mut exchange, &follower(), request);
        assert_eq!(status(&exchange, &follower(), &id), BrokerStatus::Pending);
    }
}

#[test]
fn the_second_may_be_refused_at_once() {
    let (mut exchange, call) = holding(OverlappingExits::RefusedAtOnce);
    let (target, stop) = exits(call);
    place(&mut exchange, &follower(), &target);
    let refused = exchange.place(&follower(), Source::Api, &stop).unwrap_err();
    assert_eq!(
        (refused.code, refused.message.as_str()),
        ("DH-906", "You are trying to sell more than the quantity you currently hold.")
    );
    // Another account's broker, another rule; and buying more is no exit.
    place(&mut exchange, &leader(), &target);
    place(&mut exchange, &leader(), &stop);
    place(&mut exchange, &follower(), &limit(call, Side::Buy, LOT, "80"));
}

#[test]
fn the_second_may_be_rejected_later() {
    let (mut exchange, call) = holding(OverlappingExits::RejectedLater);
    let (target, stop) = exits(call);
    let stop_id = place(&mut exchange, &follower(), &stop);
    let target_id = place(&mut exchange, &follower(), &target);
    let text = format!("RMS:{target_id}:You are trying to sell more than the quantity you currently hold.");
    assert_eq!(reason(&exchange, &follower(), &target_id), text);
    assert_eq!(status(&exchange, &follower(), &stop_id), BrokerStatus::Pending);
    // What fits beside it is taken, and cannot grow.
    let beside = place(&mut exchange, &follower(), &limit(call, Side::Sell, LOT, "120"));
    assert_eq!(status(&exchange, &follower(), &beside), BrokerStatus::Pending);
    let more = ModifyRequest { quantity: Some(units(2 * LOT)), ..ModifyRequest::default() };
    assert!(exchange.modify(&follower(), Source::Api, &beside, &more).is_err());
    let dearer = ModifyRequest { price: Some(rupees("121")), ..ModifyRequest::default() };
    exchange.modify(&follower(), Source::Api, &beside, &dearer).unwrap();
}

#[test]
fn one_order_alone_may_close_and_open() {
    for how in [OverlappingExits::RefusedAtOnce, OverlappingExits::RejectedLater] {
        let (mut exchange, call) = holding(how);
        let id = place(&mut exchange, &follower(), &limit(call, Side::Sell, 3 * LOT, "120"));
        assert_eq!(status(&exchange, &follower(), &id), BrokerStatus::Pending);
    }
}
