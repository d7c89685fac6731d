//! `tandem verify` on a database written by the real store, while it is open, with and without the broker's book.

use std::path::Path;

use serde_json::{Value, json};
use tandem_actors::store::{AccountOrder, FundsMark, FundsSnapshot, OrderRole, SCHEMA_VERSION, Write};
use tandem_domain::account::Funds;
use tandem_domain::ids::DhanClientId;
use tandem_domain::price::Money;

use crate::made::{FOLLOWER, at, day, report, store_with};
use crate::program::{Said, tandem};

const STRAY: &str = "221261201000002";

/// A follower's account in which its owner ordered something himself.
fn a_day() -> Vec<Write> {
    let funds = Funds {
        available: Money::ZERO,
        utilised: Money::ZERO,
        start_of_day: Money::ZERO,
        collateral: Money::ZERO,
        withdrawable: Money::ZERO,
    };
    vec![
        Write::Funds(FundsSnapshot {
            account: DhanClientId::new(FOLLOWER).unwrap(),
            trading_day: day(),
            taken_at: at(0),
            mark: FundsMark::StartOfDay,
            funds,
        }),
        Write::AccountOrder(Box::new(AccountOrder {
            trading_day: day(),
            role: OrderRole::External,
            client_order_id: None,
            report: report(FOLLOWER, STRAY),
            ts_init: at(3),
        })),
    ]
}

/// The broker's answer of `GET /orders`, with this tag on the order.
fn orders(tag: &str) -> Value {
    json!([{
        "dhanClientId": FOLLOWER, "orderId": STRAY, "correlationId": tag, "orderStatus": "PENDING",
        "transactionType": "BUY", "exchangeSegment": "NSE_FNO", "securityId": "43125", "quantity": 65, "filledQty": 0,
        "legName": "NA", "createTime": "2026-12-01 10:00:03", "updateTime": "2026-12-01 10:00:03",
    }])
}

fn verify(folder: &Path, more: &[&str]) -> Said {
    tandem(folder, &[&["verify", "--database", "my.db"], more].concat(), &[])
}

#[test]
fn a_clean_history_is_said_to_be_clean_and_what_is_not_judged_is_said_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_with(&folder.path().join("my.db"), a_day());
    std::fs::write(folder.path().join("orders.json"), orders("NA").to_string()).unwrap();
    for (more, book) in [(&[][..], "without"), (&["--book", "orders.json", "--day", "2026-12-01"], "with")] {
        let said = verify(folder.path(), more);
        assert_eq!(said.code, Some(0), "{said:?}");
        let headline = said.out.lines().next().unwrap();
        assert!(headline.contains("2026-12-01") && headline.contains(&format!("{book} the broker's book")));
        for promise in 1..=29 {
            let line = said.out.lines().find(|line| line.trim_start().starts_with(&format!("P{promise} ")));
            assert!(line.is_some(), "P{promise} is in\n{}", said.out);
        }
        assert!(said.out.contains("Clean: ") && said.out.contains("not judged"), "{}", said.out);
        assert!(said.out.lines().all(|line| line.chars().count() <= 110), "{}", said.out);
        assert!(!said.out.contains(FOLLOWER) && !said.out.contains('│'), "{}", said.out);
    }
    store.stop();
}

#[test]
fn a_broken_promise_has_an_exit_code_of_its_own_and_names_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    store_with(&folder.path().join("my.db"), a_day()).stop();
    std::fs::write(folder.path().join("orders.json"), orders("tdm-zzzzzzzzzzzzzzzzzzzz").to_string())
        .unwrap();
    let said = verify(folder.path(), &["--book", "orders.json"]);
    assert_eq!(said.code, Some(11), "{said:?}");
    for words in [
        &["P1", "durable before the wire", "BROKEN"][..],
        &["no row decided it", "tdm-zzzzzzzzzzzzzzzzzzzz"],
        &["book: order", STRAY, "..0202"],
        &["BROKEN: P1"],
    ] {
        let found = said.out.lines().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "{words:?} in one line of\n{}", said.out);
    }
    // The same book of another day breaks nothing.
    assert_eq!(verify(folder.path(), &["--book", "orders.json", "--day", "2026-12-02"]).code, Some(0));

    let said = verify(folder.path(), &["--book", "orders.json", "--json"]);
    assert_eq!(said.code, Some(11), "{said:?}");
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&json["clean"], &json["with_book"]), (&json!(false), &json!(true)));
    assert_eq!(json["promises"].as_array().unwrap().len(), 29);
    assert_eq!(json["promises"][0]["judgement"], "broken");
    assert!(json["promises"][0]["findings"][0]["rows"][0].as_str().unwrap().contains(STRAY));
    assert_eq!(json["promises"][13]["judgement"], "not_judged");
    assert!(!json["promises"][13]["why"].as_str().unwrap().is_empty());
}

#[test]
fn what_cannot_be_read_is_said_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let said = verify(folder.path(), &[]);
    assert_eq!(said.code, Some(8));
    assert!(said.err.contains("no database my.db"), "{said:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

    std::fs::write(folder.path().join("my.db"), "not a database, but long enough to be looked at").unwrap();
    assert_eq!(verify(folder.path(), &[]).code, Some(1));
    for (book, complaint) in [("absent.json", "read absent.json"), ("my.db", "no JSON")] {
        let said = verify(folder.path(), &["--book", book]);
        assert_eq!(said.code, Some(1));
        assert!(said.err.contains(complaint), "{said:?}");
    }
    assert_eq!(verify(folder.path(), &["--day", "yesterday"]).code, Some(2));
}

#[test]
fn a_database_of_another_version_is_not_judged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my.db");
    store_with(&path, a_day()).stop();
    let set = |version: usize| {
        rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", version).unwrap();
    };
    for version in [SCHEMA_VERSION - 1, SCHEMA_VERSION + 1] {
        set(version);
        let said = verify(folder.path(), &[]);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.err.contains(&format!("schema version {version}")), "{said:?}");
        assert!(said.out.is_empty(), "{said:?}");
    }
    set(SCHEMA_VERSION);
    assert_eq!(verify(folder.path(), &[]).code, Some(0));
}
