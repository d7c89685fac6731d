//! `tandem status` on a database written by the real store, while it is open.

use std::path::Path;
use std::sync::mpsc;

use serde_json::Value;
use tandem_actors::store::{
    AccountOrder, FundsMark, FundsSnapshot, HealthRow, IncidentRow, Job, LeaderEvent, MappingRow, MirrorKey,
    OrderRole, Store, StoreSettings, Write, WriterId,
};
use tandem_domain::account::Funds;
use tandem_domain::gates::DeniedReason;
use tandem_domain::ids::{BrokerOrderId, DhanClientId, FollowerId};
use tandem_domain::instrument::{ExchangeSegment, InstrumentKey, SecurityId};
use tandem_domain::leader::LeaderBook;
use tandem_domain::mirror::Outcome;
use tandem_domain::order::{
    BrokerStatus, EvidenceSource, Leg, OrderReport, OrderTerms, OrderType, Product, Side, TimeInForce,
};
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::Quantity;
use tandem_domain::time::{Timestamp, TradingDay};

use crate::program::tandem;

const LEADER: &str = "1000000101";
const FOLLOWER: &str = "1000000202";

fn day() -> TradingDay {
    TradingDay::from_ymd(2026, 12, 1).unwrap()
}

fn at(second: u32) -> Timestamp {
    day().at(chrono::NaiveTime::from_hms_opt(10, 0, second).unwrap())
}

fn report(account: &str, order: &str) -> OrderReport {
    OrderReport {
        account: DhanClientId::new(account).unwrap(),
        broker_order_id: BrokerOrderId::new(order).unwrap(),
        exchange_order_id: None,
        tag: None,
        terms: OrderTerms {
            instrument: InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(43_125) },
            side: Side::Buy,
            product: Product::Margin,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Day,
            quantity: Quantity::new(65),
            disclosed: Quantity::new(0),
            price: Price::from_paise(18_235),
            trigger: Price::ZERO,
            after_market: false,
            form: tandem_domain::order::OrderForm::Ordinary,
        },
        status: BrokerStatus::Pending,
        cumulative: Quantity::new(0),
        average_price: Price::ZERO,
        reason: None,
        leg: Leg::Single,
        ts_event: at(1),
        ts_exchange: None,
        ts_created: None,
        parent: None,
        last_price: None,
        source: EvidenceSource::Book,
    }
}

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
            copied: Quantity::new(0),
            filled: Quantity::new(0),
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

fn store_with(path: &Path, writes: Vec<Write>) -> Store {
    let store = Store::open(&StoreSettings::at(path), |_| {}).unwrap();
    store.handle.set_generation("test", 1);
    let (answer, answered) = mpsc::channel();
    let writer = WriterId { actor: "test".into(), generation: 1 };
    let reply = Box::new(move |committed| answer.send(committed).unwrap());
    store.handle.submit(Job { writer, writes, reply }).unwrap();
    assert_eq!(answered.recv().unwrap().result, Ok(()));
    store
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
