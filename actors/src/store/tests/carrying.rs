//! P29: what waits over midnight, as rows.

use tandem_domain::follower::Opening;
use tandem_domain::mirror::{IntentState, Outcome};
use tandem_domain::order::BrokerStatus;
use tandem_domain::quantity::Quantity;
use tandem_domain::time::TradingDay;

use super::fixtures::{
    Bench, account, asha, at, change, changed, child, day, follower_order, instrument, intent, leader,
    leader_event, leader_order, mapped, order_id, reported, requested,
};
use crate::store::{AccountOrder, CarriedOver, IntentRow, OpeningRow, Write};

fn on(date: u32) -> TradingDay {
    TradingDay::from_ymd(2026, 12, date).unwrap()
}

/// The leader's order for the next session, and its copy.
fn evening(copy: impl FnOnce(&mut AccountOrder)) -> Bench {
    let bench = Bench::new();
    let mut order = leader_order();
    order.terms.after_market = true;
    let mut theirs = waits();
    copy(&mut theirs);
    bench.commit(vec![leader_event(&order), mapped(Outcome::Sent, 130)]).unwrap();
    bench.commit(vec![requested(&placing(IntentState::Acked)), reported(&theirs)]).unwrap();
    bench
}

fn placing(state: IntentState) -> IntentRow {
    let mut order = leader_order();
    order.terms.after_market = true;
    let mut intent = intent(&child(0, 1), state, 130);
    intent.terms.after_market = true;
    intent.event = Some(order.fingerprint());
    intent
}

fn waits() -> AccountOrder {
    let mut order = follower_order(&child(0, 1), "F1", BrokerStatus::Pending, 0);
    (order.report.terms.after_market, order.report.ts_exchange) = (true, None);
    order
}

fn waiting(bench: &Bench, today: TradingDay) -> Vec<String> {
    let found = bench.store.reader.waiting(today).unwrap();
    found.into_iter().map(|order| order.broker_order_id.to_string()).collect()
}

fn carried(bench: &Bench, to: TradingDay) {
    let row = CarriedOver { account: leader(), trading_day: day(), broker_order_id: order_id("L1"), to };
    bench.commit(vec![Write::CarriedOver(row)]).unwrap();
}

fn mirrors(bench: &Bench, of: TradingDay) -> usize {
    bench.store.reader.mirrors(of, &asha()).unwrap().len()
}

#[test]
fn p29_what_waits_is_found_and_is_of_the_day_into_which_it_was_carried() {
    let bench = evening(|_| ());
    assert_eq!((waiting(&bench, day()), waiting(&bench, on(2))), (vec![], vec!["L1".to_owned()]));
    assert_eq!(bench.store.reader.resting(&asha(), &account(), on(2)).unwrap().len(), 1, "not yet followed");
    carried(&bench, on(2));
    carried(&bench, on(2));
    assert!(waiting(&bench, on(2)).is_empty(), "once");
    assert!(bench.store.reader.resting(&asha(), &account(), on(2)).unwrap().is_empty(), "it is followed");
    assert_eq!((mirrors(&bench, day()), mirrors(&bench, on(2))), (0, 1));
    let mirror = bench.store.reader.mirrors(on(2), &asha()).unwrap().remove(0);
    assert_eq!((mirror.leader.trading_day, mirror.intents.len(), mirror.orders.len()), (day(), 1, 1));
    let led = bench.store.reader.leader_orders(on(2), &leader()).unwrap();
    assert_eq!(led.len(), 1);
    assert_eq!(bench.store.reader.active_orders(on(2)).unwrap().len(), 2);
    // It waits another day.
    assert_eq!(waiting(&bench, on(3)), ["L1"]);
    carried(&bench, on(3));
    assert_eq!((mirrors(&bench, on(2)), mirrors(&bench, on(3))), (0, 1));
}

#[test]
fn p29_what_it_fills_counts_on_the_day_on_which_it_fills() {
    let bench = evening(|_| ());
    let opening = Opening { instrument: instrument(), leader: 0, copied: 65, own: 0 };
    let opened = |trading_day| {
        Write::Opening(OpeningRow { trading_day, follower: asha(), opening, recorded_at: at(0) })
    };
    bench.commit(vec![opened(day())]).unwrap();
    carried(&bench, on(2));
    // Told on the second day, under its own keys all the same; and so is another attempt.
    let mut filled = waits();
    (filled.trading_day, filled.report.status) = (on(2), BrokerStatus::Traded);
    filled.report.cumulative = Quantity::new(130);
    bench.commit(vec![reported(&filled), opened(on(2))]).unwrap();
    let days: Vec<(String, Option<String>)> = bench
        .raw()
        .prepare("SELECT trading_day, carried_to FROM orders")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let of = ("2026-12-01".to_owned(), Some("2026-12-02".to_owned()));
    assert_eq!(days, [of.clone(), of]);
    let left = |today| -> i64 {
        let carried = bench.store.reader.carried(&asha(), &account(), today).unwrap();
        carried.iter().map(|left| left.units).sum()
    };
    assert_eq!((left(on(2)), left(on(3))), (65, 195));
    assert!(waiting(&bench, on(3)).is_empty(), "it waits no more");
}

#[test]
fn p29_what_has_filled_or_ended_or_never_waited_is_not_carried() {
    let terminal = evening(|order| order.report.status = BrokerStatus::Cancelled);
    assert_eq!(waiting(&terminal, on(2)), ["L1"], "the leader's waits still");
    let filled = evening(|order| {
        order.report.cumulative = Quantity::new(130);
        order.report.status = BrokerStatus::Traded;
    });
    assert!(waiting(&filled, on(2)).is_empty(), "its units are of the day before");
    assert_eq!(
        filled.store.reader.resting(&asha(), &account(), on(2)).unwrap().len(),
        1,
        "and it was copied"
    );
    let bench = Bench::new();
    bench.commit(super::fixtures::ground()).unwrap();
    assert!(waiting(&bench, on(2)).is_empty(), "an order of the session has ended with it");
}

#[test]
fn p29_what_is_in_doubt_and_was_carried_over_is_asked_of_its_mirror_alone() {
    let bench = Bench::new();
    let mut order = leader_order();
    order.terms.after_market = true;
    order.status = BrokerStatus::Cancelled;
    bench.commit(vec![leader_event(&order), mapped(Outcome::Sent, 130)]).unwrap();
    let mut placing = placing(IntentState::Sending);
    placing.event = Some(order.fingerprint());
    bench.commit(vec![requested(&placing)]).unwrap();
    bench.commit(vec![changed(&child(0, 1), IntentState::Unknown)]).unwrap();
    assert_eq!(change(&child(0, 1), IntentState::Unknown).client_order_id, placing.client_order_id);
    assert_eq!(waiting(&bench, on(2)), ["L1"]);
    let unproven = |today| bench.store.reader.unproven(&asha(), &account(), today).unwrap().len();
    assert_eq!(unproven(on(2)), 1);
    carried(&bench, on(2));
    assert_eq!((unproven(on(2)), mirrors(&bench, on(2))), (0, 1));
    assert_eq!(unproven(on(3)), 1, "and once its day is over it is left without proof");
}
