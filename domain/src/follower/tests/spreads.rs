//! A24: the legs of a spread. A sell that the leader has covered waits for the follower's own cover; on the way out the
//! short is bought back before the cover is sold.

use super::*;

fn call(strike: u32, side: Side, quantity: u32) -> OrderTerms {
    let security_id = SecurityId(CALLS + strike);
    let instrument = InstrumentKey { segment: ExchangeSegment::NseFno, security_id };
    OrderTerms { instrument, ..terms(side, quantity) }
}

/// The leader sells 26000 calls under the cover of 26200 calls; the cover works at the follower, the sell waits.
fn spread(change: impl FnOnce(&mut FollowerSettings)) -> (Desk, ClientOrderId) {
    let mut desk = Desk::with(change);
    let cover = desk.works("C", call(26_200, BUY, 65));
    assert_eq!(placements(&desk.plan("S", call(26_000, SELL, 65))), vec![]);
    assert_eq!(desk.outcome("S").0, Outcome::Waiting);
    (desk, cover)
}

#[test]
fn the_sell_goes_once_the_cover_has_filled() {
    for by_leader in [true, false] {
        let (mut desk, cover) = spread(|_| ());
        if by_leader {
            // That the leader is covered does not cover the follower.
            assert_eq!(placements(&desk.leader_fills("C", 65)), vec![]);
        }
        let sell = placed(&desk.shows(&cover, BrokerStatus::Traded, 65));
        assert_eq!((sell.terms.side, sell.purpose), (SELL, Purpose::Entry));
    }
}

#[test]
fn a_sell_whose_cover_does_not_come_is_skipped() {
    let (mut desk, cover) = spread(|_| ());
    let due = desk.now.plus(COVER_WAIT);
    assert_eq!(placements(&desk.passes(COVER_WAIT / 2)), vec![]);
    assert_eq!(desk.outcome("S").0, Outcome::Waiting);
    desk.now = due;
    let effects = desk.step(Event::Tick);
    assert_eq!(placements(&effects), vec![]);
    assert_eq!(desk.outcome("S"), (Outcome::Skipped, Some(DeniedReason::CoverMissing)));
    assert_eq!(alerts(&effects), [&Alert::CoverMissing(broker_id("S"))]);
    // Late is too late.
    assert_eq!(placements(&desk.shows(&cover, BrokerStatus::Traded, 65)), vec![]);
}

#[test]
fn of_a_sell_whose_cover_comes_in_part_that_part_goes() {
    // As where the sale is larger than its cover by what roundings had left over.
    let mut desk = Desk::new();
    let cover = desk.works("C", call(26_200, BUY, 195));
    assert_eq!(placements(&desk.plan("S", call(26_000, SELL, 195))), vec![]);
    assert_eq!(placements(&desk.shows(&cover, BrokerStatus::PartTraded, 130)), vec![], "it waits for all");
    let effects = desk.passes(COVER_WAIT);
    assert_eq!(placed(&effects).terms.quantity.get(), 130);
    assert_eq!(alerts(&effects), [&Alert::CoverMissing(broker_id("S"))]);
    assert_eq!(desk.outcome("S"), (Outcome::Sent, Some(DeniedReason::CoverMissing)));
    // Late is too late.
    assert_eq!(requests(&desk.shows(&cover, BrokerStatus::Traded, 195)), vec![]);
}

#[test]
fn a_raise_of_a_sell_whose_cover_does_not_come_is_given_up() {
    let (mut desk, cover) = spread(|_| ());
    let sell = placed(&desk.shows(&cover, BrokerStatus::Traded, 65)).client_order_id;
    desk.accepted(&sell, "s");
    desk.shows(&sell, BrokerStatus::Pending, 0);
    desk.passes(COVER_WAIT * 2);
    desk.plan("C", call(26_200, BUY, 130));
    assert_eq!(changes(&desk.plan("S", call(26_000, SELL, 130))), [] as [&str; 0], "it waits for the cover");
    assert_eq!(changes(&desk.passes(COVER_WAIT / 2)), [] as [&str; 0]);
    let effects = desk.passes(COVER_WAIT);
    assert_eq!(changes(&effects), [] as [&str; 0]);
    assert_eq!(alerts(&effects), [&Alert::CoverMissing(broker_id("S"))]);
    assert_eq!(desk.book.waiting_count(), 0);
    assert_eq!(desk.outcome("S"), (Outcome::Sent, Some(DeniedReason::CoverMissing)));
}

#[test]
fn a_sell_whose_cover_does_not_come_is_sent_where_the_owner_says_so() {
    let (mut desk, _) = spread(|settings| settings.spread.on_missing_cover = MissingCover::Send);
    assert_eq!(placed(&desk.passes(COVER_WAIT)).terms.side, SELL);
}

#[test]
fn the_wake_for_a_cover_is_set() {
    let mut desk = Desk::new();
    desk.works("C", call(26_200, BUY, 65));
    let effects = desk.plan("S", call(26_000, SELL, 65));
    let wakes = effects.iter().filter_map(|effect| match effect {
        Effect::WakeAt(at) => Some(*at),
        _ => None,
    });
    assert!(wakes.min().is_some_and(|at| at <= desk.now.plus(COVER_WAIT)), "{effects:?}");
}

#[test]
fn a_naked_sell_and_a_buy_wait_for_nothing() {
    let mut desk = Desk::new();
    assert_eq!(
        placements(&desk.plan("S", call(26_000, SELL, 65))).len(),
        1,
        "the leader has no cover either"
    );
    assert_eq!(placements(&desk.plan("C", call(26_200, BUY, 65))).len(), 1, "buys never wait");
    let mut desk = Desk::new();
    desk.works("C", call(26_200, BUY, 65));
    assert_eq!(placements(&desk.plan("S", terms(SELL, 65))).len(), 1, "of another kind: no cover of this");
}

#[test]
fn of_a_sell_that_is_covered_in_part_that_part_is_asked_for() {
    // He has covered one lot of two: so must we, and one is enough.
    let mut desk = Desk::new();
    let cover = desk.works("C", call(26_200, BUY, 65));
    assert_eq!(placements(&desk.plan("S", call(26_000, SELL, 130))), vec![]);
    let sell = placed(&desk.shows(&cover, BrokerStatus::Traded, 65));
    assert_eq!(sell.terms.quantity.get(), 130);
}

/// Both legs are held; the leader buys the short back and sells the cover, in this order.
fn leaves(order: [&str; 2]) -> (Desk, ClientOrderId, Vec<Effect>) {
    let (mut desk, cover) = spread(|_| ());
    desk.leader_fills("C", 65);
    let sell = placed(&desk.shows(&cover, BrokerStatus::Traded, 65)).client_order_id;
    desk.accepted(&sell, "b-S");
    desk.leader_fills("S", 65);
    desk.shows(&sell, BrokerStatus::Traded, 65);
    desk.passes(Duration::from_mins(1));
    let mut effects = Vec::new();
    for id in order {
        let terms = if id == "BS" { call(26_000, BUY, 65) } else { call(26_200, SELL, 65) };
        effects.extend(desk.plan(id, terms));
    }
    let back = desk.child("BS").client_order_id.clone();
    (desk, back, effects)
}

#[test]
fn the_short_is_bought_back_before_the_cover_is_sold() {
    let (mut desk, back, effects) = leaves(["BS", "SC"]);
    let sides: Vec<Side> = placements(&effects).iter().map(|placed| placed.terms.side).collect();
    assert_eq!(sides, [BUY]);
    desk.accepted(&back, "b-BS");
    assert_eq!(placements(&desk.passes(SECOND)), vec![]);
    let sale = placed(&desk.shows(&back, BrokerStatus::Traded, 65));
    assert_eq!((sale.terms.side, sale.purpose), (SELL, Purpose::Exit));
}

#[test]
fn the_sale_of_a_cover_waits_no_longer_than_is_borne() {
    let (mut desk, back, _) = leaves(["BS", "SC"]);
    desk.accepted(&back, "b-BS");
    assert_eq!(placed(&desk.passes(EXIT_WAIT)).terms.side, SELL);
}
