//! What the owner allows to be opened: caps, money, loss, rejections; and that exits never ask.

use super::*;
use crate::account::PositionReport;
use crate::gates::entry::{AtCap, MarginCheck};
use crate::quantity::SignedQuantity;
use crate::trading::TradingState;

/// A lot at 100.00.
const LOT_COSTS: i64 = 6_500;

fn rupees(rupees: i64) -> Money {
    Money::from_rupees(rupees)
}

fn with_entry(change: impl FnOnce(&mut EntryPolicy)) -> Desk {
    Desk::with(|settings| change(&mut settings.entry))
}

fn funds(desk: &mut Desk, available: i64) -> Vec<Effect> {
    let funds = Funds {
        available: rupees(available),
        utilised: Money::ZERO,
        start_of_day: rupees(available),
        collateral: Money::ZERO,
        withdrawable: Money::ZERO,
    };
    desk.step(Event::Funds { started_at: desk.now, funds })
}

/// The account's positions say that the day has brought so much, in something that is not copied.
fn profit(desk: &mut Desk, realised: i64, unrealised: i64) -> Vec<Effect> {
    let instrument = InstrumentKey { segment: ExchangeSegment::NseEquity, security_id: SecurityId(1) };
    let position = PositionReport {
        instrument,
        product: Product::Intraday,
        net: SignedQuantity(0),
        carried: SignedQuantity(0),
        buy_average: Price::ZERO,
        sell_average: Price::ZERO,
        realised: rupees(realised),
        unrealised: rupees(unrealised),
        ts_event: desk.now,
    };
    desk.step(Event::Positions { started_at: desk.now, positions: vec![position] })
}

fn quantity(effects: &[Effect]) -> Option<u32> {
    placements(effects).first().map(|placed| placed.terms.quantity.get())
}

#[test]
fn an_entry_above_a_cap_is_cut_to_it_or_skipped() {
    for (at_cap, placed) in [(AtCap::Scale, Some(65)), (AtCap::Skip, None)] {
        let mut desk = with_entry(|entry| {
            entry.at_cap = at_cap;
            entry.caps.lots_per_order = Some(Lots(1));
        });
        assert_eq!(quantity(&desk.plan("L", terms(BUY, 195))), placed, "{at_cap}");
        let outcome = if placed.is_some() { Outcome::Sent } else { Outcome::Skipped };
        assert_eq!(desk.outcome("L"), (outcome, Some(DeniedReason::LotsPerOrder)), "{at_cap}");
        assert_eq!(requests(&desk.passes(SECOND)), vec![], "it stays so");
    }
}

#[test]
fn what_a_cap_left_out_is_no_gap() {
    let mut desk = with_entry(|entry| entry.caps.lots_per_order = Some(Lots(1)));
    let ours = desk.works("L", terms(BUY, 195));
    desk.leader_fills("L", 195);
    let effects = desk.shows(&ours, BrokerStatus::Traded, 65);
    assert_eq!(alerts(&effects), Vec::<&Alert>::new());
    // And what was opened is closed.
    assert_eq!(quantity(&desk.executed("X", terms(SELL, 195))), Some(65));
}

#[test]
fn a_refused_raise_keeps_what_there_is() {
    let mut desk = with_entry(|entry| {
        entry.at_cap = AtCap::Skip;
        entry.caps.lots_per_order = Some(Lots(2));
    });
    let ours = desk.works("L", terms(BUY, 130));
    assert_eq!(requests(&desk.plan("L", terms(BUY, 260))), vec![]);
    assert_eq!(desk.outcome("L"), (Outcome::Sent, Some(DeniedReason::LotsPerOrder)));
    // Lowered, it follows.
    assert_eq!(changes(&desk.plan("L", terms(BUY, 65))), ["1 modify to 65 at 100.00"]);
    desk.answer_to(&ours, 1, Answer::Accepted(broker_id("b-L")));
}

/// A cap of two lots an order, and two lots that were opened ahead of the leader's order, of which another of his has closed
/// one.
fn opened_ahead(units: u32) -> (Desk, Vec<Effect>) {
    let mut desk = with_entry(|entry| entry.caps.lots_per_order = Some(Lots(2)));
    let ahead = desk.works("L", terms(BUY, units));
    desk.shows(&ahead, BrokerStatus::Traded, 130);
    let exit = placed(&desk.executed("X", terms(SELL, 65)));
    assert_eq!((exit.purpose, exit.terms.quantity.get()), (Purpose::Exit, 65));
    desk.accepted(&exit.client_order_id, "b-X");
    let effects = desk.shows(&exit.client_order_id, BrokerStatus::Traded, 65);
    (desk, effects)
}

/// They were opened once: in their place nothing passes the cap.
#[test]
fn what_another_order_has_closed_is_not_opened_again_past_the_cap_of_an_order() {
    let (mut desk, mut effects) = opened_ahead(520);
    effects.extend(desk.leader_fills("L", 520));
    effects.extend(desk.passes(SECOND * 10));
    assert_eq!((placements(&effects), desk.position()), (vec![], 65));
}

/// Its share was smaller for a while. What it had opened by then was let through, and is not held too much.
#[test]
fn what_is_open_was_let_through_whatever_its_share_was_meanwhile() {
    let (mut desk, mut effects) = opened_ahead(130);
    effects.extend(desk.leader_fills("L", 130));
    effects.extend(desk.passes(SECOND * 10));
    assert_eq!((placements(&effects), desk.position()), (vec![], 65), "he holds 65 as well");
}

#[test]
fn an_instrument_holds_no_more_than_its_lots_what_is_under_way_counted_in() {
    let mut desk = with_entry(|entry| entry.caps.lots_per_instrument = Some(Lots(3)));
    assert_eq!(quantity(&desk.plan("L1", terms(BUY, 130))), Some(130));
    assert_eq!(quantity(&desk.plan("L2", terms(BUY, 130))), Some(65));
    assert_eq!(quantity(&desk.plan("L3", terms(BUY, 65))), None);
    assert_eq!(desk.outcome("L3"), (Outcome::Skipped, Some(DeniedReason::LotsPerInstrument)));
}

/// A raise that waits for the answer to what is on its way was let through: nobody else may have its room.
#[test]
fn a_raise_that_waits_for_an_answer_counts_in_what_an_instrument_holds() {
    let mut desk = with_entry(|entry| entry.caps.lots_per_instrument = Some(Lots(3)));
    let ours = desk.sent("L1", terms(BUY, 65));
    assert_eq!(requests(&desk.plan("L1", terms(BUY, 130))), vec![]);
    assert_eq!(quantity(&desk.plan("L2", terms(BUY, 130))), Some(65));
    assert_eq!(changes(&desk.accepted(&ours, "b-L1")), ["1 modify to 130 at 100.00"]);
}

/// An order that is to trade at once does not grow: what is added is an order more.
#[test]
fn what_cannot_be_raised_counts_as_an_order_of_its_own() {
    let immediate = |units| OrderTerms { time_in_force: TimeInForce::Ioc, ..terms(BUY, units) };
    for (cap, more) in [(1, None), (2, Some(65))] {
        let mut desk = with_entry(|entry| entry.caps.open_orders = Some(cap));
        desk.sent("L", immediate(65));
        assert_eq!(quantity(&desk.plan("L", immediate(130))), more, "{cap} orders");
    }
}

/// In the step that takes a fill in, the gates know of it.
#[test]
fn what_has_just_filled_for_more_than_was_to_be_closed_is_held() {
    let mut desk = with_entry(|entry| entry.caps.lots_per_instrument = Some(Lots(2)));
    let short = desk.works("S", terms(SELL, 130));
    desk.leader_fills("S", 130);
    desk.shows(&short, BrokerStatus::Traded, 130);
    let closing = desk.works("F", terms(BUY, 260));
    desk.passes(SECOND);
    desk.leader_fills("F", 195);
    let entry = placed(&desk.executed("E", terms(BUY, 65)));
    assert_eq!((entry.purpose, entry.terms.quantity.get()), (Purpose::Entry, 65));
    desk.accepted(&entry.client_order_id, "b-E");
    desk.shows(&entry.client_order_id, BrokerStatus::Traded, 65);
    // Of the two lots that it bought one was closed by the entry before.
    assert_eq!(quantity(&desk.shows(&closing, BrokerStatus::Traded, 130)), Some(65));
}

#[test]
fn what_a_flip_closes_takes_no_room_from_what_it_opens() {
    let mut desk = with_entry(|entry| entry.caps.lots_per_instrument = Some(Lots(2)));
    desk.bought("L", 130);
    let closing = desk.works("F", terms(SELL, 195));
    desk.leader_fills("F", 195);
    let effects = desk.shows(&closing, BrokerStatus::Traded, 130);
    assert_eq!(quantity(&effects), Some(65), "two lots are out, one short comes in");
}

#[test]
fn orders_that_work_and_orders_of_the_day_are_counted() {
    let mut desk = with_entry(|entry| entry.caps.open_orders = Some(1));
    let ours = desk.works("L1", terms(BUY, 65));
    desk.plan("L2", terms(BUY, 65));
    assert_eq!(desk.outcome("L2"), (Outcome::Skipped, Some(DeniedReason::OpenOrders)));
    desk.shows(&ours, BrokerStatus::Traded, 65);
    assert_eq!(quantity(&desk.plan("L3", terms(BUY, 65))), Some(65));

    let mut desk = with_entry(|entry| entry.caps.orders_per_day = Some(1));
    desk.bought("L1", 65);
    desk.plan("L2", terms(BUY, 65));
    assert_eq!(desk.outcome("L2"), (Outcome::Skipped, Some(DeniedReason::OrdersPerDay)));
    assert_eq!(quantity(&desk.plan("X", terms(SELL, 65))), Some(65), "exits are not counted");
}

/// It was let through as a change of the one that works.
#[test]
fn what_an_order_cannot_grow_by_leaves_once_that_one_is_over() {
    for most in [1, 2] {
        let mut desk = Desk::with(|settings| {
            settings.entry.caps.open_orders = Some(most);
            settings.rules.changes.per_order_max = 1;
        });
        let ours = desk.works("L", terms(BUY, 65));
        assert_eq!(changes(&desk.plan("L", terms(BUY, 130))), ["1 modify to 130 at 100.00"]);
        let refused = Answer::Refused(Refused::InTransit, "in transit".into());
        let beside = desk.answer_to(&ours, 1, refused);
        assert_eq!(quantity(&beside), (most == 2).then_some(65));
        let later = desk.shows(&ours, BrokerStatus::Traded, 65);
        assert_eq!(quantity(&later), (most == 1).then_some(65));
    }
}

/// E2.
#[test]
fn the_second_order_sees_the_money_kept_for_the_first() {
    let mut desk = with_entry(|entry| entry.margin = MarginCheck::Estimate);
    desk.plan("L0", terms(BUY, 65));
    assert_eq!(desk.outcome("L0"), (Outcome::Skipped, Some(DeniedReason::FiguresUnknown)));
    funds(&mut desk, LOT_COSTS + 1_000);
    desk.passes(SECOND);
    let first = desk.sent("L1", terms(BUY, 65));
    desk.plan("L2", terms(BUY, 65));
    assert_eq!(desk.outcome("L2"), (Outcome::Skipped, Some(DeniedReason::MarginShort)));
    // Refused, it needs no money.
    desk.answer(&first, Answer::Refused(Refused::Other, "no".into()));
    assert_eq!(quantity(&desk.plan("L3", terms(BUY, 65))), Some(65));
    // The account's own figures know of what left before they were asked for, and lack what it took.
    desk.accepted(&desk.child("L3").client_order_id.clone(), "b-L3");
    desk.passes(SECOND);
    funds(&mut desk, LOT_COSTS);
    assert_eq!(quantity(&desk.plan("L4", terms(BUY, 65))), Some(65));
}

#[test]
fn figures_that_are_too_old_deny() {
    let mut desk = with_entry(|entry| entry.margin = MarginCheck::Estimate);
    funds(&mut desk, 100_000);
    desk.passes(SECOND * 16);
    desk.plan("L", terms(BUY, 65));
    assert_eq!(desk.outcome("L"), (Outcome::Skipped, Some(DeniedReason::FiguresUnknown)));
}

#[test]
fn an_entry_waits_for_the_brokers_word_on_its_margin() {
    for (required, goes) in [(Some(6_000), true), (Some(9_000), false), (None, true)] {
        let mut desk = with_entry(|entry| entry.margin = MarginCheck::Broker);
        funds(&mut desk, 8_000);
        let effects = desk.plan("L", terms(BUY, 65));
        let asked: Vec<_> = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::AskMargin { client_order_id, terms } => {
                    Some((client_order_id.clone(), terms.clone()))
                }
                _ => None,
            })
            .collect();
        let [(id, asked)] = &asked[..] else { panic!("{effects:?}") };
        assert_eq!((asked, placements(&effects)), (&terms(BUY, 65), vec![]));
        // Asked once.
        let again = desk.step(Event::Tick);
        assert!(again.iter().all(|effect| !matches!(effect, Effect::AskMargin { .. })), "{again:?}");
        let required = required.map(rupees);
        let effects = desk.step(Event::Margin { client_order_id: id.clone(), required });
        assert_eq!(quantity(&effects), goes.then_some(65), "{required:?}");
        let expected =
            if goes { (Outcome::Sent, None) } else { (Outcome::Skipped, Some(DeniedReason::MarginShort)) };
        assert_eq!(desk.outcome("L"), expected, "{required:?}");
    }
}

#[test]
fn exits_ask_nobody_for_margin() {
    let mut desk = Desk::new();
    desk.bought("L", 65);
    let mut changed = settings();
    changed.entry.margin = MarginCheck::Broker;
    desk.step(Event::Settings(Box::new(changed)));
    assert_eq!(quantity(&desk.plan("X", terms(SELL, 65))), Some(65));
}

/// E7.
#[test]
fn a_loss_past_its_bound_stops_entries_and_no_exit() {
    for (policy, state) in [
        (OnBreach::Reduce, TradingState::Reducing),
        (OnBreach::Halt, TradingState::Halted),
        (OnBreach::SquareOff, TradingState::Halted),
    ] {
        let mut desk = Desk::new();
        desk.bought("L", 65);
        let mut changed = settings();
        changed.entry.daily_loss_max = Some(rupees(1_000));
        changed.risk.on_daily_loss = policy;
        desk.step(Event::Settings(Box::new(changed)));
        // The account shows what is held; it is not this test's matter.
        desk.plan("L0", terms(BUY, 65));
        assert_eq!(desk.outcome("L0"), (Outcome::Skipped, Some(DeniedReason::FiguresUnknown)));
        let effects = profit(&mut desk, -600, -399);
        assert_eq!(desk.book.trading().state, TradingState::Active, "{effects:?}");
        let effects = profit(&mut desk, -600, -400);
        assert!(alerts(&effects).contains(&&Alert::Stopped(HaltCause::DailyLoss)), "{effects:?}");
        assert!(stored(&effects).contains(&("trading", state.to_string())), "{effects:?}");
        let sold = if policy == OnBreach::SquareOff { effects } else { desk.plan("X", terms(SELL, 65)) };
        assert_eq!(quantity(&sold), Some(65), "{policy}");
        desk.plan("L2", terms(BUY, 65));
        assert_eq!(desk.outcome("L2").0, Outcome::Skipped, "{policy}");
        // Better figures make nobody trade again.
        profit(&mut desk, 5_000, 0);
        assert_eq!(desk.book.trading().state, state);
    }
}

#[test]
fn rejections_in_a_row_stop_entries_and_one_that_is_taken_ends_the_row() {
    let with = |desk: &mut Desk, id: &str, status| {
        let ours = desk.sent(id, terms(BUY, 65));
        desk.accepted(&ours, &format!("b-{id}"));
        desk.shows(&ours, status, 0)
    };
    let mut desk = Desk::with(|settings| {
        settings.risk.rejections_max = 2;
        settings.risk.on_rejections = OnBreach::Reduce;
    });
    with(&mut desk, "L1", BrokerStatus::Rejected);
    with(&mut desk, "L2", BrokerStatus::Pending);
    with(&mut desk, "L3", BrokerStatus::Rejected);
    assert_eq!(desk.book.trading().state, TradingState::Active);
    let effects = with(&mut desk, "L4", BrokerStatus::Rejected);
    assert_eq!(desk.book.trading().state, TradingState::Reducing);
    assert!(alerts(&effects).contains(&&Alert::Stopped(HaltCause::Rejections)), "{effects:?}");
}

#[test]
fn settings_hold_from_the_next_decision_on() {
    let mut desk = Desk::new();
    desk.works("L1", terms(BUY, 130));
    let mut changed = settings();
    changed.sizing.fixed_ratio = HALF;
    changed.entry.filters.sides = [BUY].into();
    let effects = desk.step(Event::Settings(Box::new(changed)));
    assert_eq!(requests(&effects), vec![], "what works is as it was sized");
    assert_eq!(quantity(&desk.plan("L2", terms(BUY, 130))), Some(65));
    let short = OrderTerms {
        instrument: InstrumentKey { security_id: SecurityId(7), ..terms(SELL, 0).instrument },
        ..terms(SELL, 130)
    };
    desk.plan("S", short);
    assert_eq!(desk.outcome("S"), (Outcome::Skipped, Some(DeniedReason::SideFiltered)));
}
