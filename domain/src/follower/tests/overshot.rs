//! What exits have closed beyond what was held, and what they have not.

use super::flattening::{carries, key};
use super::*;
use crate::mirror::REPAIR;

/// A target and a stop rest for what is held, and an entry of his beside them. Both fill, and the entry does not take the
/// place of what trades that back at once: it goes on as the entry that it is.
#[test]
fn what_overshot_is_traded_back_though_an_entry_rests_on_that_side() {
    let mut desk = Desk::new();
    desk.bought("L", 130);
    let target = desk.works("T", OrderTerms { price: Price::from_paise(12_000), ..terms(SELL, 130) });
    let stop = desk.works("S", stop(SELL, 130));
    let entry = desk.works("E", terms(BUY, 65));
    desk.shows(&target, BrokerStatus::Traded, 130);
    let effects = desk.shows(&stop, BrokerStatus::Traded, 130);
    assert!(alerts(&effects).contains(&&Alert::Overshot(key(), -130)), "{effects:?}");
    let back = placed(&effects);
    assert_eq!((back.terms.side, back.terms.quantity.get()), (BUY, 130));
    assert_eq!((desk.child("E").purpose, changes(&effects)), (Purpose::Entry, vec![]));
    desk.accepted(&back.client_order_id, "b-R");
    desk.shows(&back.client_order_id, BrokerStatus::Traded, 130);
    assert_eq!((requests(&desk.passes(SECOND * 60)), desk.position()), (vec![], 0));
    desk.leader_fills("E", 65);
    desk.shows(&entry, BrokerStatus::Traded, 65);
    assert_eq!((requests(&desk.passes(SECOND * 60)), desk.position()), (vec![], 65));
}

/// What an evening left against the leader stands beside his sell, which waits for his buy: the sell's copy has opened all
/// that it filled, and trades nothing back of it.
#[test]
fn what_was_carried_is_not_traded_back_by_what_opens() {
    let mut desk = carries(-65, -65, true);
    desk.step(Event::LeaderPositions { started_at: desk.now, positions: Vec::new() });
    let exit = desk.works("B", stop(BUY, 260));
    assert_eq!((desk.child("B").purpose, desk.child("B").terms.quantity.get()), (Purpose::Exit, 65));
    let opened = desk.works("X", terms(SELL, 390));
    let mut effects = desk.shows(&opened, BrokerStatus::Traded, 130);
    effects.extend(desk.passes(SECOND * 60));
    let repairs = desk.book.mirror(&broker_id("X")).unwrap().children.iter();
    assert_eq!(repairs.filter(|child| child.key.leg == REPAIR).count(), 0, "{effects:?}");
    // The buy closes both.
    assert_eq!(changes(&effects), ["1 modify to 195 at 110.00"]);
    assert_eq!(desk.child("B").client_order_id, exit);
}

/// His sale closes and opens. What its copy was to close, that of an order that he took back has closed: it opens what he
/// opened, and not once more what is held no longer.
#[test]
fn what_another_has_closed_is_not_opened_in_its_place() {
    let mut desk = Desk::with(|settings| settings.rules.parting.gap = GapPolicy::Report);
    desk.bought("L", 130);
    let early = desk.works("T", terms(SELL, 130));
    assert_eq!(placements(&desk.executed("X", terms(SELL, 260))), vec![], "the other may close as much");
    desk.cancelled("T", terms(SELL, 130), 0);
    desk.passes(SECOND);
    let entry = placed(&desk.shows(&early, BrokerStatus::Traded, 130));
    assert_eq!((entry.purpose, entry.terms.quantity.get()), (Purpose::Entry, 130));
    desk.accepted(&entry.client_order_id, "b-X");
    desk.passes(SECOND);
    let mut effects = desk.shows(&entry.client_order_id, BrokerStatus::Traded, 130);
    effects.extend(desk.passes(SECOND * 60));
    assert_eq!((requests(&effects), desk.position()), (vec![], -130), "he is short of so much");
}

/// It stands on the other side than the order that it makes good, and opens what that one closed.
#[test]
fn what_is_bought_back_passes_the_caps_of_its_own_side() {
    let mut desk = Desk::with(|settings| {
        settings.rules.parting.gap = GapPolicy::Full;
        settings.entry.caps.lots_per_instrument = Some(Lots(2));
    });
    desk.bought("L", 130);
    let early = desk.works("T", terms(SELL, 65));
    desk.shows(&early, BrokerStatus::Traded, 65);
    desk.bought("M", 65);
    let effects = desk.cancelled("T", terms(SELL, 65), 0);
    assert_eq!(placements(&effects), vec![], "two lots are held");
    assert!(matches!(alerts(&effects)[..], [Alert::CopyGap(..)]), "{effects:?}");
}

/// What makes a gap good is an order of its own, which under a cap of one has its place already.
#[test]
fn what_is_bought_back_leaves_again_where_it_never_left() {
    let mut desk = Desk::with(|settings| {
        settings.rules.parting.gap = GapPolicy::Full;
        settings.entry.caps.open_orders = Some(1);
    });
    desk.bought("L", 130);
    let early = desk.works("T", terms(SELL, 130));
    desk.shows(&early, BrokerStatus::Traded, 130);
    let back = placed(&desk.cancelled("T", terms(SELL, 130), 0));
    assert_eq!((back.terms.side, back.purpose), (BUY, Purpose::Entry));
    let mut effects = desk.answer(&back.client_order_id, Answer::NotSent);
    effects.extend(desk.passes(SECOND * 10));
    assert_eq!(placed(&effects).client_order_id, back.client_order_id);
}

fn stop(side: Side, quantity: u32) -> OrderTerms {
    let (trigger, price) = if side == BUY { (10_900, 11_000) } else { (9_050, 9_000) };
    OrderTerms {
        order_type: OrderType::StopLoss,
        price: Price::from_paise(price),
        trigger: Price::from_paise(trigger),
        ..terms(side, quantity)
    }
}
