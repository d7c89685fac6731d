//! `tandem preview`: days worked out by hand, from a table and from a database; and what it refuses.

mod gates;
mod recorded;
mod refusals;

use std::path::Path;

use serde_json::Value;

use crate::made::{FOLLOWER, LEADER};
use crate::program::{Said, tandem};

const SECOND_FOLLOWER: &str = "1000000303";

const INSTRUMENTS: &str = "\
EXCH_ID,SEGMENT,SECURITY_ID,ISIN,INSTRUMENT,UNDERLYING_SECURITY_ID,UNDERLYING_SYMBOL,SYMBOL_NAME,DISPLAY_NAME,INSTRUMENT_TYPE,SERIES,LOT_SIZE,SM_EXPIRY_DATE,STRIKE_PRICE,OPTION_TYPE,TICK_SIZE,EXPIRY_FLAG,BRACKET_FLAG,SM_FREEZE_QTY,SM_UPPER_LIMIT,SM_LOWER_LIMIT
NSE,D,43125,NA,OPTIDX,26000,NIFTY,NIFTY-Dec2026-26000-CE,NIFTY 15 DEC 26000 CALL,OP,NA,65,2026-12-15,26000,CE,5,W,N,1800,,
NSE,D,43126,NA,OPTIDX,26000,NIFTY,NIFTY-Dec2026-26000-PE,NIFTY 15 DEC 26000 PUT,OP,NA,65,2026-12-15,26000,PE,5,W,N,1800,,
NSE,D,58210,NA,FUTIDX,26000,NIFTY,NIFTY-Dec2026-FUT,NIFTY DEC FUT,FUT,NA,65,2026-12-29,,XX,10,M,N,1800,,
";

const FOLLOWERS: &str =
    "[[follower]]\nid = \"asha\"\n[[follower]]\nid = \"bala\"\nclient_id_env = \"BALA_CLIENT_ID\"\n";

/// The head of a table: capital, and columns.
const HEAD: &str = "\
# leader_capital = 1000000
# capital.asha = 500000
# capital.bala = 100000
time,order_id,status,segment,security_id,side,product,order_type,quantity,price,filled,average_price
";

/// A day of eight orders; what each means is worked out in the test below.
const DAY: &str = "\
2026-12-01 10:00:00,L1,PENDING,NSE_FNO,43125,BUY,MARGIN,LIMIT,260,100,0,0
2026-12-01 10:00:02,L1,TRADED,NSE_FNO,43125,BUY,MARGIN,LIMIT,260,100,260,100
2026-12-01 10:05:00,L2,PENDING,NSE_FNO,43125,BUY,MARGIN,LIMIT,195,102,0,0
2026-12-01 10:05:03,L2,TRADED,NSE_FNO,43125,BUY,MARGIN,LIMIT,195,102,195,102
2026-12-01 10:10:00,L3,TRADED,NSE_FNO,43125,BUY,MARGIN,MARKET,65,0,65,104
2026-12-01 10:20:00,L4,TRADED,NSE_FNO,58210,BUY,MARGIN,LIMIT,65,26100,65,26100
2026-12-01 11:00:00,L5,PENDING,NSE_FNO,43125,SELL,MARGIN,LIMIT,195,110,0,0
2026-12-01 11:30:00,L5,TRADED,NSE_FNO,43125,SELL,MARGIN,LIMIT,195,110,195,110
2026-12-01 12:00:00,L6,PENDING,NSE_FNO,43126,SELL,MARGIN,LIMIT,130,80,0,0
2026-12-01 12:00:01,L6,TRADED,NSE_FNO,43126,SELL,MARGIN,LIMIT,130,80,130,80
2026-12-01 13:00:00,L7,PENDING,NSE_FNO,43125,SELL,MARGIN,LIMIT,325,108,0,0
2026-12-01 13:00:05,L7,PART_TRADED,NSE_FNO,43125,SELL,MARGIN,LIMIT,325,108,130,108
2026-12-01 13:10:00,L7,CANCELLED,NSE_FNO,43125,SELL,MARGIN,LIMIT,325,108,130,108
2026-12-01 14:29:00,L8,TRADED,NSE_FNO,43126,BUY,MARGIN,LIMIT,130,60,130,60
";

/// A folder with these settings, a file of instruments, and a table.
fn folder(settings: &str, table: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("tandem.toml", settings), ("instruments.csv", INSTRUMENTS), ("day.csv", table)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn preview(folder: &Path, arguments: &[&str]) -> Said {
    let variables =
        [("LEADER_CLIENT_ID", LEADER), ("FOLLOWER_CLIENT_ID", FOLLOWER), ("BALA_CLIENT_ID", SECOND_FOLLOWER)];
    tandem(folder, &[&["preview", "--config", "tandem.toml"], arguments].concat(), &variables)
}

const TABLE: [&str; 4] = ["--leader-day", "day.csv", "--instruments", "instruments.csv"];

/// What a table comes to under these settings.
fn of_table(settings: &str, table: &str) -> Value {
    let folder = folder(settings, table);
    let said = preview(folder.path(), &[&TABLE[..], &["--json"]].concat());
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    serde_json::from_str(&said.out).unwrap()
}

/// Filled lots, outcome and reason of each leader order at a follower.
fn copies(json: &Value, follower: usize) -> Vec<(u64, String, String)> {
    let orders = json["orders"].as_array().unwrap().iter();
    let of = |copy: &Value| {
        let word = |key: &str| copy[key].as_str().unwrap_or_default().to_owned();
        (copy["filled"].as_u64().unwrap() / 65, word("outcome"), word("reason"))
    };
    orders.map(|order| of(&order["copies"][follower])).collect()
}

fn copy(lots: u64, outcome: &str, reason: &str) -> (u64, String, String) {
    (lots, outcome.to_owned(), reason.to_owned())
}

fn rupees(units: &Value) -> i64 {
    let units = units.as_i64().unwrap();
    assert_eq!(units % 100, 0, "whole paise");
    units / 100
}

#[test]
fn a_day_by_hand() {
    let json = of_table(FOLLOWERS, &format!("{HEAD}{DAY}"));
    // Half of 4; half of 3, down, a half kept; half of 1 and the half kept. No future. 4 x 5/8 = 2.5 are left of 4, the tie
    // closes: 2 sold. One of two sold short. 2.5 x 3/5 = 1.5 are left, the tie closes: 1 sold. The short bought back.
    let sent = |lots| copy(lots, "sent", "");
    assert_eq!(
        copies(&json, 0),
        [sent(2), sent(1), sent(1), copy(0, "skipped", "not_option"), sent(2), sent(1), sent(1), sent(1)]
    );
    // 0.4, 0.7, 0.8 lots of calls and 0.2 of puts: never one.
    let skipped = |reason| copy(0, "skipped", reason);
    assert_eq!(
        copies(&json, 1),
        [
            skipped("below_one_lot"),
            skipped("below_one_lot"),
            skipped("below_one_lot"),
            skipped("not_option"),
            skipped("nothing_to_close"),
            skipped("below_one_lot"),
            skipped("nothing_to_close"),
            skipped("nothing_to_close"),
        ]
    );
    let profit =
        |of: &Value| (rupees(&of["profit"]["realised_units"]), rupees(&of["profit"]["unrealised_units"]));
    // 520 at 101.25; 195 x 8.75 + 130 x 6.75 + 130 x 20; and 195 x 6.75 on paper, the future as bought.
    assert_eq!(profit(&json["leader"]), (518_375, 131_625));
    // 260 at 101.50; 130 x 8.50 + 65 x 6.50 + 65 x 20; and 65 x 6.50 on paper.
    assert_eq!(profit(&json["followers"][0]), (282_750, 42_250));
    assert_eq!(profit(&json["followers"][1]), (0, 0));
    // 130 calls at 101.50 and 65 x 26,000 x 15 %: 13,195 and 253,500.
    assert_eq!(rupees(&json["followers"][0]["margin_peak_units"]), 26_669_500);
}

#[test]
fn rounding_is_held_against_exact_proportion() {
    let json = of_table(FOLLOWERS, &format!("{HEAD}{DAY}"));
    let rounding = |follower: usize, kind: &str| {
        let of = &json["followers"][follower]["rounding"][kind];
        let number = |key: &str| of[key].as_i64().unwrap() / 1_000_000;
        let bps = of["difference_bps"].as_i64();
        (number("exact_lots_e9"), number("copied_lots_e9"), number("difference_lots_e9"), bps)
    };
    // Thousandths of a lot. Opened: 2 + 1.5 + 0.5 + 1, all of it. Closed: 1.5 + 1 + 1 would be exact, 2 + 1 + 1 were.
    assert_eq!(rounding(0, "entries"), (5_000, 5_000, 0, Some(0)));
    assert_eq!(rounding(0, "exits"), (3_500, 4_000, 500, Some(1_428)));
    assert_eq!(rounding(1, "entries"), (1_000, 0, -1_000, Some(-10_000)));
    assert_eq!(rounding(1, "exits"), (0, 0, 0, None));
    // What a filter keeps away is no rounding.
    let denied = json["followers"][0]["not_in_full"].as_array().unwrap();
    assert_eq!(denied.len(), 1);
    assert_eq!((denied[0]["reason"].as_str(), denied[0]["orders"].as_u64()), (Some("not_option"), Some(1)));
    assert_eq!(denied[0]["share"]["exact_lots_e9"], 500_000_000);
}

#[test]
fn people_read_the_same_in_a_hundred_columns() {
    let folder = folder(FOLLOWERS, &format!("{HEAD}{DAY}"));
    let said = preview(folder.path(), &[&TABLE[..], &["--orders"]].concat());
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    for words in [
        &["Preview of 2026-12-01 from day.csv: 8 leader orders in 14 states"][..],
        &["leader", "1000000.00", "5183.75", "1316.25", "6500.00", "0.65 %"],
        &["asha", "500000.00", "0.5000", "2827.50", "422.50", "3250.00", "0.65 %"],
        &["asha", "7", "1", "266695.00", "53.33 %", "12:00:00"],
        &["bala", "below_one_lot", "4", "1.000", "0.000"],
        &["asha", "closed", "3.500", "4.000", "0.500", "14.28"],
        &["asha", "NIFTY-Dec2026-26000-CE", "65", "108.00", "422.50"],
        &["10:05:00", "L2", "BUY 3 NIFTY-Dec2026-26000-CE: 3 filled at 102.00, TRADED"],
        &["asha", "1 filled at 102.00; exactly 1.500; sent"],
        &["bala", "exactly 0.300; skipped (below_one_lot)"],
        &["a copy fills when the leader's order does"],
    ] {
        let found = said.out.lines().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "{words:?} in one line of\n{}", said.out);
    }
    assert!(said.out.lines().all(|line| line.chars().count() <= 100), "{}", said.out);
    assert!(!said.out.contains(FOLLOWER) && !said.out.contains('│'), "{}", said.out);
    let short = preview(folder.path(), &TABLE);
    assert!(!short.out.contains("Orders, in lots") && short.out.contains("Assumed"), "{}", short.out);
}
