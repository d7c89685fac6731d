//! F19: what a day left without proof.

use tandem_domain::follower::{Opening, Record, Unproven};
use tandem_domain::ids::DhanClientId;
use tandem_domain::mirror::IntentState;
use tandem_domain::order::{BrokerStatus, Product, Side};
use tandem_domain::time::TradingDay;

use super::fixtures::{
    Bench, account, asha, at, changed, child, day, follower_order, ground, instrument, intent, planned,
    reported,
};
use crate::alerts::AlertText;
use crate::records::{Circumstances, Owner, writes};
use crate::store::{AccountOrder, OpeningRow, OrderRole, PositionsSnapshot, Write};

fn next_day() -> TradingDay {
    TradingDay::from_ymd(2026, 12, 2).unwrap()
}

fn traded(slice: u16, id: &str, side: Side, units: u32, adjust: impl FnOnce(&mut AccountOrder)) -> Write {
    let mut order = follower_order(&child(slice, 1), id, BrokerStatus::Traded, units);
    order.report.terms.side = side;
    adjust(&mut order);
    reported(&order)
}

fn by_hand(order: &mut AccountOrder) {
    (order.role, order.client_order_id, order.report.tag) = (OrderRole::External, None, None);
}

fn unproven(bench: &Bench, today: TradingDay) -> Vec<Unproven> {
    bench.store.reader.unproven(&asha(), &account(), today).unwrap()
}

/// A day with two orders in doubt, and what else was traded on it.
fn doubtful() -> Bench {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    bench
        .commit(vec![
            planned(&child(0, 1), IntentState::Sending, 65),
            planned(&child(1, 1), IntentState::Sending, 65),
            changed(&child(1, 1), IntentState::Unknown),
        ])
        .unwrap();
    bench
        .commit(vec![
            Write::Opening(OpeningRow {
                trading_day: day(),
                follower: asha(),
                opening: Opening { instrument: instrument(), leader: 500, copied: 130, own: 65 },
                recorded_at: at(0),
            }),
            traded(5, "hand", Side::Sell, 15, by_hand),
            // The broker closes by itself, before the night, what is held for the day.
            traded(6, "intraday", Side::Buy, 260, |order| {
                by_hand(order);
                order.report.terms.product = Product::Intraday;
            }),
        ])
        .unwrap();
    bench
}

#[test]
fn f19_what_a_day_left_unproven_is_found_and_settled() {
    let bench = doubtful();
    assert_eq!(unproven(&bench, day()), vec![], "of today it is asked");
    let other = DhanClientId::new("1100000009").unwrap();
    assert_eq!(bench.store.reader.unproven(&asha(), &other, next_day()).unwrap(), vec![]);
    let found = unproven(&bench, next_day());
    let of = |slice| Unproven {
        client_order_id: intent(&child(slice, 1), IntentState::Sending, 65).client_order_id,
        serial: 0,
        is_cancel: false,
        instrument: instrument(),
        expected: Some(130 + 65 - 15),
    };
    assert_eq!(found.len(), 2);
    assert!(found.contains(&of(0)) && found.contains(&of(1)), "{found:?}");

    let (follower, account) = (asha(), account());
    let owner = Owner { follower: &follower, account: &account };
    let around = Circumstances { now: at(90_000), news: None };
    let settled = found.into_iter().map(Record::Settled).collect();
    bench.commit(writes(settled, owner, &around)).unwrap();
    assert_eq!([0, 1].map(|slice| bench.state(&child(slice, 1))), ["ABSENT", "ABSENT"]);
    assert_eq!(unproven(&bench, next_day()), vec![]);
}

#[test]
fn what_an_operator_has_looked_at_is_not_asked_again() {
    let bench = doubtful();
    let alert = AlertText {
        kind: "unresolved_yesterday",
        subject: instrument().to_string(),
        text: "look".to_owned(),
    };
    let incident = alert.row(Some(&asha()), at(90_000));
    let id = incident.id.clone();
    bench.commit(vec![Write::IncidentOpen(incident)]).unwrap();
    assert_eq!(unproven(&bench, next_day()).len(), 2);
    bench.commit(vec![Write::IncidentClose { id, closed_at: at(90_001) }]).unwrap();
    assert_eq!(unproven(&bench, next_day()), vec![]);
}

#[test]
fn after_another_day_nothing_tells_any_more() {
    let bench = doubtful();
    bench
        .commit(vec![Write::Positions(PositionsSnapshot {
            account: account(),
            trading_day: next_day(),
            taken_at: at(90_000),
            positions: Vec::new(),
        })])
        .unwrap();
    let later = TradingDay::from_ymd(2026, 12, 3).unwrap();
    assert!(unproven(&bench, later).iter().all(|of| of.expected.is_none()));
    assert!(unproven(&bench, next_day()).iter().all(|of| of.expected.is_some()));
}
