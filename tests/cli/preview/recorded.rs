//! Days from a database, written through the store: the same day comes to the same as from a table, and nothing is written.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tandem_actors::store::{
    AccountOrder, DayCapital, FundsMark, FundsSnapshot, LeaderEvent, OpeningRow, OrderRole, Write,
    instrument_parts,
};
use tandem_dhan::instruments::load;
use tandem_domain::account::Funds;
use tandem_domain::follower::Opening;
use tandem_domain::ids::{BrokerOrderId, DhanClientId, FollowerId};
use tandem_domain::leader::LeaderBook;
use tandem_domain::order::{BrokerStatus, ExitLegs, Leg, OrderForm, OrderReport, Side};
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::Quantity;
use tandem_domain::time::Timestamp;

use super::{DAY, FOLLOWERS, HEAD, INSTRUMENTS, SECOND_FOLLOWER, copies, copy, folder, of_table, preview};
use crate::made::{FOLLOWER, LEADER, at, day, report, store_with};

const ONE: &str = "[[follower]]\nid = \"asha\"\n";

fn account(text: &str) -> DhanClientId {
    DhanClientId::new(text).unwrap()
}

fn capital(of: &str, rupees: i64) -> Write {
    let capital = Money::from_rupees(rupees);
    Write::DayCapital(DayCapital { trading_day: day(), account: account(of), capital, recorded_at: at(0) })
}

fn funds(of: &str, available: i64, utilised: i64) -> Write {
    let rupees = Money::from_rupees;
    Write::Funds(FundsSnapshot {
        account: account(of),
        trading_day: day(),
        taken_at: at(0),
        mark: FundsMark::StartOfDay,
        funds: Funds {
            available: rupees(available),
            utilised: rupees(utilised),
            start_of_day: rupees(available + utilised),
            collateral: Money::ZERO,
            withdrawable: Money::ZERO,
        },
    })
}

fn instruments() -> Vec<Write> {
    let table = load(INSTRUMENTS.as_bytes()).unwrap().table;
    instrument_parts(&table, day(), "made".into(), at(0)).map(Write::Instruments).collect()
}

/// The states of the leader's orders as his book makes them of reports.
fn states(reports: &[(Timestamp, OrderReport)]) -> Vec<Write> {
    let mut book = LeaderBook::new(day());
    let merged = reports.iter().map(|(ts_init, report)| {
        book.merge(report, *ts_init);
        let order = Arc::clone(book.get(&report.broker_order_id).unwrap());
        Write::LeaderEvent(LeaderEvent { order, ts_init: *ts_init })
    });
    merged.collect()
}

/// The rows of a table as reports.
fn reports_of(rows: &str) -> Vec<(Timestamp, OrderReport)> {
    let read = |line: &str| {
        let columns: Vec<&str> = line.split(',').collect();
        let time = chrono::NaiveDateTime::parse_from_str(columns[0], "%Y-%m-%d %H:%M:%S").unwrap();
        let number = |index: usize| columns[index].parse::<u32>().unwrap();
        let mut report = report(LEADER, columns[1]);
        report.status = BrokerStatus::from_wire(columns[2]);
        report.terms.instrument.security_id = tandem_domain::instrument::SecurityId(number(4));
        report.terms.side = columns[5].parse().unwrap();
        report.terms.order_type = columns[7].parse().unwrap();
        report.terms.quantity = Quantity::new(number(8));
        report.terms.price = columns[9].parse().unwrap();
        report.cumulative = Quantity::new(number(10));
        report.average_price = columns[11].parse().unwrap();
        report.ts_event = Timestamp::from_ist(time);
        report.ts_created = Some(report.ts_event);
        (report.ts_event, report)
    };
    rows.lines().map(read).collect()
}

fn previewed(folder: &Path, arguments: &[&str]) -> Value {
    let said = preview(folder, &[&["--leader-day", "my.db", "--json"], arguments].concat());
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    serde_json::from_str(&said.out).unwrap()
}

#[test]
fn a_recorded_day_comes_to_the_same_as_its_table_while_the_store_is_open() {
    let folder = folder(FOLLOWERS, "");
    let mut writes = states(&reports_of(DAY));
    writes.extend(instruments());
    writes.extend([
        capital(LEADER, 1_000_000),
        capital(FOLLOWER, 500_000),
        capital(SECOND_FOLLOWER, 100_000),
    ]);
    let path = folder.path().join("my.db");
    let store = store_with(&path, writes);
    let before = std::fs::read(&path).unwrap();
    let json = previewed(folder.path(), &[]);
    assert_eq!(std::fs::read(&path).unwrap(), before, "a preview writes nothing");
    store.stop();

    let table = of_table(FOLLOWERS, &format!("{HEAD}{DAY}"));
    for follower in [0, 1] {
        assert_eq!(copies(&json, follower), copies(&table, follower));
        for key in ["profit", "rounding", "not_in_full", "margin_peak_units"] {
            assert_eq!(json["followers"][follower][key], table["followers"][follower][key], "{key}");
        }
    }
    assert_eq!(json["leader"]["profit"], table["leader"]["profit"]);
}

#[test]
fn capital_is_what_the_present_settings_count() {
    // 300,000 free of 500,000.
    let settings = |counted: &str| format!("{ONE}[sizing]\ncapital = \"{counted}\"\n");
    let folder = folder(&settings("total"), "");
    let rows = "2026-12-01 10:00:00,L1,TRADED,NSE_FNO,43125,BUY,MARGIN,LIMIT,650,100,650,100\n";
    let mut writes = states(&reports_of(rows));
    writes.extend(instruments());
    writes.extend([funds(LEADER, 1_000_000, 0), funds(FOLLOWER, 300_000, 200_000), capital(FOLLOWER, 1)]);
    store_with(&folder.path().join("my.db"), writes).stop();
    assert_eq!(copies(&previewed(folder.path(), &[]), 0), [copy(5, "sent", "")]);
    std::fs::write(folder.path().join("tandem.toml"), settings("available")).unwrap();
    assert_eq!(copies(&previewed(folder.path(), &[]), 0), [copy(3, "sent", "")]);
    // What is told with the command counts before what is recorded.
    let told = previewed(folder.path(), &["--capital", "asha=100000"]);
    assert_eq!(copies(&told, 0), [copy(1, "sent", "")]);
}

#[test]
fn what_was_held_before_is_closed_by_the_copies_and_counts_from_the_days_first_price() {
    let folder = folder(ONE, "");
    let rows = "\
2026-12-01 10:00:00,L1,TRADED,NSE_FNO,43125,SELL,MARGIN,LIMIT,130,100,130,100
2026-12-01 10:10:00,L2,TRADED,NSE_FNO,43125,SELL,MARGIN,LIMIT,130,110,130,110
";
    let key = report(LEADER, "1").terms.instrument;
    let mut writes = states(&reports_of(rows));
    writes.extend(instruments());
    writes.extend([capital(LEADER, 1_000_000), capital(FOLLOWER, 500_000)]);
    writes.push(Write::Opening(OpeningRow {
        trading_day: day(),
        follower: FollowerId::new("asha").unwrap(),
        // Of the leader's four lots the copies hold two; the owner three of his own, never sold.
        opening: Opening { instrument: key, leader: 260, copied: 130, own: 195 },
        recorded_at: at(0),
    }));
    store_with(&folder.path().join("my.db"), writes).stop();
    let json = previewed(folder.path(), &[]);
    assert_eq!(copies(&json, 0), [copy(1, "sent", ""), copy(1, "sent", "")]);
    let asha = &json["followers"][0];
    // Both count from 100: nothing made of the first lot, 65 x 10 of the second.
    assert_eq!(asha["profit"]["realised_units"], 6_500_000);
    assert_eq!(asha["profit"]["open"].as_array().unwrap().len(), 0);
    assert_eq!(asha["rounding"]["exits"]["exact_lots_e9"], 2_000_000_000_i64);
    assert_eq!(asha["notices"], serde_json::json!({}));
}

#[test]
fn the_exits_of_a_super_order_fire_with_the_leaders() {
    let folder = folder(ONE, "");
    let id = "341261201000001";
    let mut entry = report(LEADER, id);
    entry.leg = Leg::Entry;
    entry.terms.quantity = Quantity::new(260);
    let legs = ExitLegs {
        target: Some(Price::from_paise(20_000)),
        stop: Some(Price::from_paise(17_000)),
        trailing: Price::ZERO,
    };
    entry.terms.form = OrderForm::Super(legs);
    let mut filled = entry.clone();
    filled.status = BrokerStatus::Traded;
    (filled.cumulative, filled.average_price) = (Quantity::new(260), Price::from_paise(18_200));
    filled.ts_event = at(3);
    let mut writes = states(&[(at(1), entry), (at(3), filled.clone())]);
    let mut book = LeaderBook::new(day());
    book.merge(&filled, at(3));
    let mut closed = (**book.get(&filled.broker_order_id).unwrap()).clone();
    (closed.exited, closed.ts_event) = (Quantity::new(260), at(9));
    writes.push(Write::LeaderEvent(LeaderEvent { order: Arc::new(closed), ts_init: at(9) }));
    let mut target = report(LEADER, "341261201000002");
    (target.leg, target.parent) = (Leg::Target, Some(BrokerOrderId::new(id).unwrap()));
    (target.terms.side, target.status) = (Side::Sell, BrokerStatus::Traded);
    (target.cumulative, target.average_price) = (Quantity::new(260), Price::from_paise(20_000));
    writes.push(Write::AccountOrder(Box::new(AccountOrder {
        trading_day: day(),
        role: OrderRole::Leader,
        client_order_id: None,
        report: target,
        ts_init: at(9),
    })));
    writes.extend(instruments());
    writes.extend([capital(LEADER, 1_000_000), capital(FOLLOWER, 500_000)]);
    store_with(&folder.path().join("my.db"), writes).stop();
    let json = previewed(folder.path(), &[]);
    assert_eq!(copies(&json, 0), [copy(2, "sent", "")]);
    // 18 rupees a unit, of 260 and of 130.
    assert_eq!(json["leader"]["profit"]["realised_units"], 46_800_000);
    assert_eq!(json["followers"][0]["profit"]["realised_units"], 23_400_000);
    assert_eq!(json["followers"][0]["profit"]["open"].as_array().unwrap().len(), 0);
    assert_eq!(json["followers"][0]["notices"], serde_json::json!({}));
}

#[test]
fn the_day_and_the_leader_must_be_there() {
    let folder = folder(ONE, "");
    let rows = "2026-12-01 10:00:00,L1,TRADED,NSE_FNO,43125,BUY,MARGIN,LIMIT,650,100,650,100\n";
    let mut writes = states(&reports_of(rows));
    writes.extend([capital(LEADER, 1_000_000), capital(FOLLOWER, 500_000)]);
    store_with(&folder.path().join("my.db"), writes).stop();
    let refused = |arguments: &[&str], expected: &str| {
        let said = preview(folder.path(), &[&["--leader-day", "my.db"], arguments].concat());
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.err.contains(expected), "{}", said.err);
    };
    refused(
        &["--day", "2026-12-02"],
        "no leader order of 2026-12-02 is recorded; the newest days are 2026-12-01",
    );
    refused(&[], "the instruments of 2026-12-01 are not known");
    assert_eq!(
        copies(&previewed(folder.path(), &["--instruments", "instruments.csv"]), 0),
        [copy(5, "sent", "")]
    );
    std::fs::remove_file(folder.path().join("my.db")).unwrap();
    store_with(&folder.path().join("my.db"), vec![capital(LEADER, 1)]).stop();
    refused(&[], "no leader order was ever recorded in it");
}
