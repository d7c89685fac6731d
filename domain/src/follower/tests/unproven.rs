//! F19: what an earlier day left without proof.

use super::*;
use crate::account::PositionReport;
use crate::quantity::SignedQuantity;

fn key() -> InstrumentKey {
    terms(BUY, 0).instrument
}

fn alert() -> Alert {
    Alert::UnresolvedYesterday(key())
}

fn unproven(number: u32, expected: Option<i64>) -> Unproven {
    let client_order_id = ClientOrderId::new(format!("tdm-yesterday-{number}")).unwrap();
    Unproven { client_order_id, serial: 0, is_cancel: false, instrument: key(), expected }
}

/// The next morning: 65 units were copied before, and two requests have no proven outcome.
fn morning(expected: Option<i64>) -> Desk {
    let mut desk = Desk::new();
    desk.book.restore_carried([(key(), 65)], []);
    let effects = desk.book.restore_unproven(vec![unproven(1, expected), unproven(2, expected)]);
    assert_eq!(alerts(&effects), [&alert()]);
    desk
}

fn carries(desk: &mut Desk, units: i64) -> Vec<Effect> {
    let position = PositionReport {
        instrument: key(),
        product: Product::Margin,
        net: SignedQuantity(units),
        carried: SignedQuantity(units),
        buy_average: Price::ZERO,
        sell_average: Price::ZERO,
        realised: Money::ZERO,
        unrealised: Money::ZERO,
        ts_event: start(),
    };
    desk.now = desk.now.plus(SECOND);
    desk.step(Event::Positions { started_at: desk.now, positions: vec![position] })
}

fn is_over(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Over(over) if *over == alert()))
}

/// Nothing is opened in the instrument, elsewhere everything is; and what is held can be left.
fn is_frozen(desk: &mut Desk, id: &str) {
    desk.plan(id, terms(BUY, 65));
    assert_eq!(desk.outcome(id), (Outcome::Skipped, Some(DeniedReason::LedgerDrift)));
}

#[test]
fn f19_what_yesterday_left_unproven_is_settled_by_what_is_carried() {
    let mut desk = morning(Some(65));
    is_frozen(&mut desk, "L1");
    let effects = carries(&mut desk, 65);
    let settled = stored(&effects).into_iter().filter(|(kind, _)| *kind == "settled");
    let ids: Vec<String> = settled.map(|(_, id)| id).collect();
    assert_eq!(ids, ["tdm-yesterday-1", "tdm-yesterday-2"]);
    assert!(is_over(&effects), "{effects:?}");
    assert_eq!((requests(&effects), desk.book.unknown_count()), (vec![], 0), "nothing of it is sent again");
    assert_eq!(placements(&desk.plan("L2", terms(BUY, 65))).len(), 1);
}

#[test]
fn f19_what_the_positions_do_not_explain_stays_frozen_until_a_resume() {
    for (expected, carried) in [(Some(65), 130), (Some(65), 0), (None, 65)] {
        let mut desk = morning(expected);
        for _ in 0..3 {
            let effects = carries(&mut desk, carried);
            assert!(!is_over(&effects) && requests(&effects).is_empty(), "{effects:?}");
        }
        is_frozen(&mut desk, "L1");
        let effects = desk.step(Event::Control(Control::Resume));
        assert!(is_over(&effects), "{effects:?}");
        assert_eq!(desk.book.copied_units(key()), carried.min(65), "the rest is the owner's own");
        assert_eq!(placements(&desk.plan("L2", terms(BUY, 65))).len(), 1);
    }
}

#[test]
fn what_the_broker_shows_in_the_night_proves_nothing() {
    let mut desk = morning(Some(65));
    desk.now = TradingDay::from_ymd(2026, 12, 1).unwrap().start().plus(SECOND);
    assert!(!is_over(&carries(&mut desk, 65)));
    desk.now = start();
    assert!(is_over(&carries(&mut desk, 65)));
}
