//! What an entry needs by the broker's calculator or by the estimate, and what becomes of one that is too dear.

use super::*;
use crate::gates::entry::{AtCap, MarginCheck};

/// A lot at 100.00.
const LOT_COSTS: i64 = 6_500;

fn with_entry(change: impl FnOnce(&mut EntryPolicy)) -> Desk {
    Desk::with(|settings| change(&mut settings.entry))
}

fn rupees(rupees: i64) -> Money {
    Money::from_rupees(rupees)
}

fn funds(desk: &mut Desk, available: i64) {
    let funds = Funds {
        available: rupees(available),
        utilised: Money::ZERO,
        start_of_day: rupees(available),
        collateral: Money::ZERO,
        withdrawable: Money::ZERO,
    };
    desk.step(Event::Funds { started_at: desk.now, funds });
}

/// Units of the only order that is placed.
fn quantity(effects: &[Effect]) -> Option<u32> {
    placements(effects).first().map(|placed| placed.terms.quantity.get())
}

fn call(strike: u32, side: Side, quantity: u32) -> OrderTerms {
    let security_id = SecurityId(CALLS + strike);
    let instrument = InstrumentKey { segment: ExchangeSegment::NseFno, security_id };
    OrderTerms { instrument, ..terms(side, quantity) }
}

/// The broker's calculator is asked of so much.
fn asks(effects: &[Effect]) -> Option<(ClientOrderId, u32)> {
    effects.iter().find_map(|effect| match effect {
        Effect::AskMargin { client_order_id, terms } => Some((client_order_id.clone(), terms.quantity.get())),
        _ => None,
    })
}

fn needs(desk: &mut Desk, id: &ClientOrderId, required: Option<i64>) -> Vec<Effect> {
    desk.step(Event::Margin { client_order_id: id.clone(), required: required.map(rupees) })
}

/// X5: four lots are asked for, and there is money for some of them.
#[test]
fn an_entry_that_is_too_dear_is_cut_to_what_fits_and_asked_about_again() {
    let mut desk = with_entry(|entry| entry.margin = MarginCheck::Broker);
    funds(&mut desk, 20_000);
    let (id, units) = asks(&desk.plan("L", terms(BUY, 260))).unwrap();
    assert_eq!(units, 260);
    // In proportion three lots would fit.
    let effects = needs(&mut desk, &id, Some(26_000));
    assert_eq!((placements(&effects), asks(&effects)), (vec![], Some((id.clone(), 195))));
    // They cost more than their part.
    let effects = needs(&mut desk, &id, Some(20_001));
    assert_eq!((placements(&effects), asks(&effects)), (vec![], Some((id.clone(), 130))));
    assert_eq!(quantity(&needs(&mut desk, &id, Some(14_000))), Some(130));
    assert_eq!(desk.outcome("L"), (Outcome::Sent, Some(DeniedReason::MarginShort)));
    // What was cut does not come back with the next news or the next figures.
    desk.accepted(&id, "b-L");
    desk.passes(SECOND);
    funds(&mut desk, 100_000);
    assert_eq!(requests(&desk.leader_fills("L", 65)), vec![]);
}

#[test]
fn an_entry_of_which_no_lot_fits_is_skipped_and_so_is_each_where_caps_skip() {
    for (at_cap, required) in [(AtCap::Scale, 120_000), (AtCap::Skip, 26_001)] {
        let mut desk = with_entry(|entry| (entry.margin, entry.at_cap) = (MarginCheck::Broker, at_cap));
        funds(&mut desk, 26_000);
        let (id, _) = asks(&desk.plan("L", terms(BUY, 260))).unwrap();
        let effects = needs(&mut desk, &id, Some(required));
        assert_eq!((placements(&effects), asks(&effects)), (vec![], None), "{at_cap}");
        assert_eq!(desk.outcome("L"), (Outcome::Skipped, Some(DeniedReason::MarginShort)), "{at_cap}");
    }
}

#[test]
fn where_the_calculator_is_late_the_estimate_cuts() {
    let mut desk = with_entry(|entry| entry.margin = MarginCheck::Broker);
    funds(&mut desk, 2 * LOT_COSTS + 1_000);
    let (id, _) = asks(&desk.plan("L", terms(BUY, 260))).unwrap();
    assert_eq!(quantity(&needs(&mut desk, &id, None)), Some(130));
}

#[test]
fn a_raise_is_asked_about_and_cut_like_an_order() {
    let mut desk = with_entry(|entry| entry.margin = MarginCheck::Broker);
    funds(&mut desk, 100_000);
    let (id, _) = asks(&desk.plan("L", terms(BUY, 65))).unwrap();
    needs(&mut desk, &id, Some(6_500));
    desk.accepted(&id, "b-L");
    desk.passes(SECOND);
    // The first lot is paid for by now.
    funds(&mut desk, 14_000);
    let effects = desk.plan("L", terms(BUY, 260));
    assert_eq!((requests(&effects), asks(&effects)), (vec![], Some((id.clone(), 195))));
    let effects = needs(&mut desk, &id, Some(19_500));
    assert_eq!((requests(&effects), asks(&effects)), (vec![], Some((id.clone(), 130))));
    assert_eq!(changes(&needs(&mut desk, &id, Some(13_000))).len(), 1);
    let request = desk.child("L").request.as_deref().unwrap();
    assert!(
        matches!(&request.change, crate::mirror::Change::Modify { terms, .. } if terms.quantity.get() == 195)
    );
    // Too dear altogether, it stays as it is.
    let mut desk = with_entry(|entry| entry.margin = MarginCheck::Broker);
    funds(&mut desk, 6_500);
    let (id, _) = asks(&desk.plan("L", terms(BUY, 65))).unwrap();
    needs(&mut desk, &id, Some(6_500));
    desk.accepted(&id, "b-L");
    desk.passes(SECOND);
    funds(&mut desk, 0);
    assert_eq!(asks(&desk.plan("L", terms(BUY, 260))), Some((id.clone(), 195)));
    assert_eq!(requests(&needs(&mut desk, &id, Some(19_500))), vec![]);
    assert_eq!(desk.outcome("L"), (Outcome::Sent, Some(DeniedReason::MarginShort)));
}

#[test]
fn what_changed_while_the_calculator_was_asked_is_asked_about_anew() {
    let mut desk = with_entry(|entry| entry.margin = MarginCheck::Broker);
    funds(&mut desk, 8_000);
    let (id, _) = asks(&desk.plan("L", terms(BUY, 130))).unwrap();
    assert_eq!(asks(&desk.plan("L", terms(BUY, 65))), None, "one question at a time");
    let effects = needs(&mut desk, &id, Some(13_000));
    assert_eq!((placements(&effects), asks(&effects)), (vec![], Some((id.clone(), 65))));
    assert_eq!(quantity(&needs(&mut desk, &id, Some(6_500))), Some(65));
}

/// Money, by the estimate or by the calculator, where anything covers nothing.
fn poor(margin: MarginCheck, available: i64) -> (Desk, ClientOrderId) {
    let mut desk = Desk::with(|settings| settings.entry.margin = margin);
    funds(&mut desk, 1_000_000);
    let effects = desk.plan("C", call(26_200, BUY, 65));
    for effect in effects {
        if let Effect::AskMargin { client_order_id, .. } = effect {
            desk.step(Event::Margin { client_order_id, required: None });
        }
    }
    let cover = desk.child("C").client_order_id.clone();
    desk.accepted(&cover, "b-C");
    desk.passes(SECOND);
    funds(&mut desk, available);
    (desk, cover)
}

/// 65 x (200 + 26,000 x 15 % / 4) = 76,375 rupees beside 253,500 naked; the cover is being bought when it is asked.
#[test]
fn a_sale_is_estimated_by_what_covers_it() {
    for margin in [MarginCheck::Estimate, MarginCheck::Broker] {
        let (mut desk, cover) = poor(margin, 80_000);
        assert_eq!(placements(&desk.plan("S", call(26_000, SELL, 65))), vec![], "{margin}");
        assert_eq!(desk.outcome("S").0, Outcome::Waiting, "{margin}");
        // The calculator, which sees one order alone, is not asked about it.
        assert_eq!(placed(&desk.shows(&cover, BrokerStatus::Traded, 65)).terms.side, SELL, "{margin}");
        // A second sale would be naked: the first has taken the cover, and its money.
        let effects = desk.plan("S2", call(25_900, SELL, 65));
        assert_eq!(placements(&effects), vec![], "{margin}");

        let (mut desk, _) = poor(margin, 76_374);
        desk.plan("S", call(26_000, SELL, 65));
        assert_eq!(desk.outcome("S"), (Outcome::Skipped, Some(DeniedReason::MarginShort)), "{margin}");
    }
}

#[test]
fn of_a_sale_that_is_covered_in_part_what_fits_is_sent() {
    let (mut desk, cover) = poor(MarginCheck::Estimate, 200_000);
    desk.plan("S", call(26_000, SELL, 130));
    let sell = placed(&desk.shows(&cover, BrokerStatus::Traded, 65));
    assert_eq!(sell.terms.quantity.get(), 65, "the second lot would be naked");
}

#[test]
fn what_covers_nothing_lowers_no_estimate() {
    // Another product.
    let (mut desk, _) = poor(MarginCheck::Estimate, 200_000);
    desk.plan("S", OrderTerms { product: Product::Intraday, ..call(26_000, SELL, 65) });
    assert_eq!(desk.outcome("S"), (Outcome::Skipped, Some(DeniedReason::MarginShort)));
    // It would be sent without its cover.
    let (mut desk, _) = poor(MarginCheck::Estimate, 200_000);
    let mut changed = settings();
    (changed.entry.margin, changed.spread.on_missing_cover) = (MarginCheck::Estimate, MissingCover::Send);
    desk.step(Event::Settings(Box::new(changed)));
    desk.plan("S", call(26_000, SELL, 65));
    assert_eq!(desk.outcome("S"), (Outcome::Skipped, Some(DeniedReason::MarginShort)));
}
