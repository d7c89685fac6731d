//! `tandem status` on a database written by the real store, while it is open.

use std::time::Duration;

use serde_json::Value;
use tandem_actors::store::{
    AccountOrder, FillComparison, FundsMark, FundsSnapshot, GapRow, HealthRow, IncidentRow, IntentKind,
    IntentRow, IntentState, IntentTiming, LeaderEvent, MappingRow, MirrorKey, OrderRole, Write,
};
use tandem_domain::account::Funds;
use tandem_domain::gap::{Gap, GapKind, GapResult};
use tandem_domain::gates::DeniedReason;
use tandem_domain::ids::{BrokerOrderId, ChildKey, ClientOrderId, DhanClientId, FollowerId};
use tandem_domain::leader::LeaderBook;
use tandem_domain::mirror::Outcome;
use tandem_domain::pacing::Purpose;
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::Quantity;

use crate::made::{FOLLOWER, LEADER, at, day, report, store_with};
use crate::program::tandem;

fn funds(account: &str, rupees: i64) -> Write {
    Write::Funds(FundsSnapshot {
        account: DhanClientId::new(account).unwrap(),
        trading_day: day(),
        taken_at: at(0),
        mark: FundsMark::StartOfDay,
        funds: Funds {
            available: Money::from_rupees(rupees),
            utilised: Money::ZERO,
            start_of_day: Money::from_rupees(rupees),
            collateral: Money::ZERO,
            withdrawable: Money::ZERO,
        },
    })
}

/// A day with one leader order that the follower skipped, an order of the follower's own, and an incident.
fn a_day() -> Vec<Write> {
    let leader_report = report(LEADER, "221261201000001");
    let mut book = LeaderBook::new(day());
    book.merge(&leader_report, at(2));
    let order = book.get(&leader_report.broker_order_id).unwrap().clone();
    let follower = FollowerId::new("asha").unwrap();
    let key = MirrorKey {
        trading_day: day(),
        leader_account: leader_report.account.clone(),
        leader_order: leader_report.broker_order_id.clone(),
        follower: follower.clone(),
    };
    vec![
        funds(LEADER, 1_000_000),
        funds(FOLLOWER, 500_000),
        Write::LeaderEvent(LeaderEvent { order, ts_init: at(2) }),
        Write::Mapping(Box::new(MappingRow {
            key,
            outcome: Outcome::Skipped,
            reason: Some(DeniedReason::BelowOneLot),
            note: None,
            sizing: None,
            target: Quantity::new(0),
            closing: Quantity::ZERO,
            copied: Quantity::new(0),
            filled: Quantity::new(0),
            permit: None,
            updated_at: at(2),
        })),
        Write::AccountOrder(Box::new(AccountOrder {
            trading_day: day(),
            role: OrderRole::External,
            client_order_id: None,
            report: report(FOLLOWER, "221261201000002"),
            ts_init: at(3),
        })),
        Write::Health(HealthRow {
            actor: "sizer".into(),
            generation: 2,
            reported_at: at(4),
            snapshot: r#"{"state":"ready","handled":17,"mailbox_depth":0,"last_error":null}"#.to_owned(),
        }),
        Write::IncidentOpen(IncidentRow {
            id: "drift-1".into(),
            opened_at: at(5),
            kind: "ledger_drift".into(),
            follower: Some(follower),
            instrument: None,
            text: "rows and account differ".to_owned(),
        }),
    ]
}

#[test]
fn a_running_day_is_shown_in_a_hundred_columns_without_account_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_with(&folder.path().join("my.db"), a_day());
    let said = tandem(folder.path(), &["status", "--database", "my.db"], &[]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for words in [
        &["Trading day 2026-12-01", "1 leader orders", "1 external orders"][..],
        &["..0202", "500000.00", "12-01 10:00:00"],
        &["asha", "skipped", "below_one_lot", "1"],
        &["..0202", "external", "NSE_FNO:43125", "BUY", "LIMIT", "182.35", "0/65", "PENDING"],
        &["sizer", "2", "ready", "17"],
        &["ledger_drift", "asha", "rows and account differ"],
    ] {
        let found = said.out.lines().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "{words:?} in one line of\n{}", said.out);
    }
    assert!(said.out.lines().all(|line| line.chars().count() <= 100), "{}", said.out);
    assert!(!said.out.contains(FOLLOWER) && !said.out.contains('│'), "{}", said.out);
    store.stop();
}

#[test]
fn programs_read_the_same_as_json() {
    let folder = tempfile::tempdir().unwrap();
    store_with(&folder.path().join("my.db"), a_day()).stop();
    std::fs::write(folder.path().join("my.toml"), "[store]\npath = \"my.db\"\n").unwrap();
    let said = tandem(folder.path(), &["status", "--config", "my.toml", "--json"], &[]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["outcomes"][0]["reason"], "below_one_lot");
    assert_eq!(json["actors"][0]["snapshot"]["handled"], 17);
    assert_eq!(json["accounts"].as_array().unwrap().len(), 2);
    assert_eq!(json["active_orders"].as_array().unwrap().len(), 2);
}

#[test]
fn an_absent_database_is_said_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let said = tandem(folder.path(), &["status", "--database", "absent.db"], &[]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("no database absent.db"), "{said:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_database_is_named_once() {
    let folder = tempfile::tempdir().unwrap();
    let said = tandem(folder.path(), &["status", "--database", "a.db", "--config", "a.toml"], &[]);
    assert_eq!(said.code, Some(2));
}

/// A day with a copy that filled, one that its owner took over, and a gap.
fn a_filled_day() -> Vec<Write> {
    let mut writes = a_day();
    let child = ChildKey {
        trading_day: day(),
        leader_order: BrokerOrderId::new("221261201000011").unwrap(),
        follower: FollowerId::new("bina").unwrap(),
        leg: 0,
        slice: 0,
        attempt: 1,
    };
    let leader_report = report(LEADER, child.leader_order.as_str());
    let mut book = LeaderBook::new(day());
    book.merge(&leader_report, at(2));
    let order = book.get(&leader_report.broker_order_id).unwrap().clone();
    let key = MirrorKey {
        trading_day: day(),
        leader_account: leader_report.account.clone(),
        leader_order: child.leader_order.clone(),
        follower: child.follower.clone(),
    };
    let mapping = |outcome| {
        Write::Mapping(Box::new(MappingRow {
            key: key.clone(),
            outcome,
            reason: None,
            note: None,
            sizing: None,
            target: Quantity::new(65),
            closing: Quantity::ZERO,
            copied: Quantity::new(65),
            filled: Quantity::new(65),
            permit: None,
            updated_at: at(5),
        }))
    };
    let client_order_id = ClientOrderId::derive(&child);
    let mut filled = report(FOLLOWER, "221261201000012");
    (filled.cumulative, filled.average_price) = (Quantity::new(65), Price::from_paise(18_245));
    writes.extend([
        Write::LeaderEvent(LeaderEvent { order, ts_init: at(2) }),
        mapping(Outcome::Sent),
        Write::Intent(Box::new(IntentRow {
            client_order_id: client_order_id.clone(),
            kind: IntentKind::Place,
            serial: 0,
            part: None,
            child,
            leader_account: leader_report.account.clone(),
            account: filled.account.clone(),
            event: None,
            purpose: Purpose::Entry,
            note: None,
            state: IntentState::Acked,
            terms: filled.terms.clone(),
            broker_order_id: Some(filled.broker_order_id.clone()),
            refusal: None,
            timing: IntentTiming {
                leader_event: Some(at(1)),
                received: Some(at(2)),
                decided: Some(at(2).plus(Duration::from_micros(150))),
                committed: Some(at(2).plus(Duration::from_micros(500))),
                sent: Some(at(2).plus(Duration::from_micros(640))),
                answered: Some(at(3)),
                added_latency_us: Some(640),
            },
            created_at: at(2),
        })),
        Write::AccountOrder(Box::new(AccountOrder {
            trading_day: day(),
            role: OrderRole::Follower,
            client_order_id: Some(client_order_id),
            report: filled,
            ts_init: at(5),
        })),
        Write::FillComparison(Box::new(FillComparison {
            key: key.clone(),
            filled: Quantity::new(65),
            leader_average: Price::from_paise(18_235),
            follower_average: Price::from_paise(18_245),
            slippage: Money::from_units(65_000),
            slippage_ticks: Some(2),
            slippage_bps_x100: Some(548),
            delay_us: Some(1_000_000),
            updated_at: at(5),
        })),
        Write::Gap(Box::new(GapRow {
            key: key.clone(),
            gap: Gap { kind: GapKind::LeaderCancelled, units: 65, result: GapResult::Reported },
            text: "the leader cancelled after the copy had filled".into(),
            at: at(6),
        })),
        mapping(Outcome::Detached),
    ]);
    writes
}

#[test]
fn delays_slippage_gaps_and_detached_copies_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    store_with(&folder.path().join("my.db"), a_filled_day()).stop();
    let said = tandem(folder.path(), &["status", "--database", "my.db"], &[]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for words in [
        &[
            "bina",
            "1.00 s / 1.00 s",
            "0.15 ms / 0.15 ms",
            "0.49 ms / 0.49 ms",
            "999 ms / 999 ms",
            "2.00 s / 2.00 s",
        ][..],
        &["bina", "1", "65", "6.50", "2.00", "5.48"],
        &["12-01 10:00:06", "bina", "221261201000011", "leader_cancelled", "65", "reported"],
        &["12-01 10:00:05", "bina", "221261201000011"],
        &["bina", "detached", "1"],
    ] {
        let found = said.out.lines().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "{words:?} in one line of\n{}", said.out);
    }
    assert!(said.out.lines().all(|line| line.chars().count() <= 100), "{}", said.out);

    let said = tandem(folder.path(), &["status", "--database", "my.db", "--json"], &[]);
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["delays_us"][0]["frame_to_decision"]["median"], 150);
    assert_eq!(json["delays_us"][0]["answer_to_fill"]["worst"], 2_000_000);
    assert_eq!(json["slippage"][0]["bps_x100"], 548);
    assert_eq!(json["open_gaps"][0]["kind"], "leader_cancelled");
    assert_eq!(json["detached"][0]["leader_order"], "221261201000011");
    assert_eq!(json["counts"]["external_orders"], 1);
}
