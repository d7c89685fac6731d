//! What cannot be previewed is refused with the place and the remedy.

use super::{DAY, FOLLOWERS, HEAD, TABLE, folder, preview};
use crate::program::tandem;

const HEADER: &str =
    "time,order_id,status,segment,security_id,side,product,order_type,quantity,price,filled,average_price";

#[test]
fn a_bad_row_is_named_by_line_and_column() {
    let row = "2026-12-01 10:00:00,L1,PENDING,NSE_FNO,43125,BUY,MARGIN,LIMIT,260,100,0,0";
    let with = |from: &str, to: &str| row.replace(from, to);
    let again = |second: &str| format!("{row}\n{second}");
    for (rows, expected) in [
        (with("2026-12-01 10:00:00", "10:00"), "line 5, column time: \"10:00\" is no time in India"),
        (with("PENDING", "ASLEEP"), "line 5, column status: \"ASLEEP\" is none of TRANSIT"),
        (with("PENDING", "CONFIRM"), "line 5, column status: super and forever orders"),
        (with("NSE_FNO", "NFO"), "line 5, column segment: \"NFO\" is none of IDX_I"),
        (with("43125", "NIFTY"), "line 5, column security_id: \"NIFTY\" is no number"),
        (with("BUY", "B"), "line 5, column side: \"B\" is none of BUY, SELL"),
        (with("MARGIN", "CO"), "line 5, column product: orders that bring their exits"),
        (with("LIMIT", "STOP_LOSS"), "line 5, column trigger_price: a STOP_LOSS order has one"),
        (with(",260,", ",-1,"), "line 5, column quantity: \"-1\" is no number of units"),
        (with(",260,", ",0,"), "line 5, column quantity: an order is for one unit at least"),
        (with(",100,", ",1e2,"), "line 5, column price: \"1e2\" is no price in rupees"),
        (with(",100,", ",,"), "line 5, column price: a LIMIT order has one"),
        (with(",0,0", ",325,100"), "line 5, column filled: 325 of 260 units"),
        (with(",0,0", ",65,"), "line 5, column average_price: what is filled has one"),
        (with("L1", ""), "line 5, column order_id: "),
        (with(",0,0", ",0"), "line 5: it has 11 columns, and the header 12"),
        (again(&with("10:00:00", "09:59:59")), "line 6, column time: before that of the row above"),
        (again(&with("2026-12-01", "2026-12-02")), "line 6, column time: another day than 2026-12-01"),
        (again(&with("BUY", "SELL")), "line 6, column side: is not what it was"),
        (again(&with("43125", "43126")), "line 6, column security_id: is not what it was"),
        (format!("{}\n{row}", with(",0,0", ",65,100")), "line 6, column filled: is less than"),
        (format!("{}\n{row}", with("PENDING", "CANCELLED")), "line 6, column status: the order had ended"),
        (String::new(), "it has no rows"),
    ] {
        let folder = folder(FOLLOWERS, &format!("{HEAD}{rows}\n"));
        let said = preview(folder.path(), &TABLE);
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{rows}: {said:?}");
        assert!(said.err.starts_with(&format!("error: day.csv: {expected}")), "{rows}: {}", said.err);
    }
}

#[test]
fn a_bad_head_is_named() {
    for (head, expected) in [
        (HEADER.replace("status,", ""), "the header lacks status"),
        (
            HEADER.replace("price,filled", "price,trigger,filled"),
            "column \"trigger\" that means nothing here",
        ),
        (format!("{HEADER},filled"), "the column filled twice"),
        (format!("# leader_capital = many\n{HEADER}"), "line 1: leader_capital: \"many\" is no amount"),
        (format!("# capital.asha = -5\n{HEADER}"), "line 1: capital.asha: \"-5\" is no amount"),
    ] {
        let folder = folder(FOLLOWERS, &format!("{head}\n"));
        let said = preview(folder.path(), &TABLE);
        assert_eq!(said.code, Some(1), "{head}: {said:?}");
        assert!(said.err.contains(expected), "{head}: {}", said.err);
    }
}

#[test]
fn missing_capital_is_asked_for_by_its_flags() {
    let folder = folder(FOLLOWERS, &format!("{HEADER}\n{DAY}"));
    let said = preview(folder.path(), &TABLE);
    assert_eq!(said.code, Some(1), "{said:?}");
    let flags = "--leader-capital RUPEES --capital asha=RUPEES --capital bala=RUPEES";
    assert!(said.err.contains(&format!("day.csv does not tell every capital; give {flags}")), "{}", said.err);

    let given = ["--leader-capital", "1000000", "--capital", "asha=500000", "--capital", "bala=100000"];
    let said = preview(folder.path(), &[&TABLE[..], &given].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("3250.00"), "{}", said.out);

    let said = preview(folder.path(), &[&TABLE[..], &given[..2], &["--capital", "carl=5"]].concat());
    assert!(said.err.contains("no such follower is enabled; there are: asha, bala"), "{}", said.err);
    for nonsense in ["asha", "asha=", "asha=0", "=5x"] {
        let said = preview(folder.path(), &[&TABLE[..], &["--capital", nonsense]].concat());
        assert_eq!(said.code, Some(2), "{nonsense}: {said:?}");
    }
}

#[test]
fn what_the_settings_fix_is_not_given() {
    let fixed = format!("[leader]\ncapital = \"fixed\"\ncapital_rupees = 1000000\n{FOLLOWERS}");
    let folder = folder(&fixed, &format!("{HEAD}{DAY}"));
    assert_eq!(preview(folder.path(), &TABLE).code, Some(0));
    let said = preview(folder.path(), &[&TABLE[..], &["--leader-capital", "5"]].concat());
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("change leader.capital_rupees instead"), "{}", said.err);
}

#[test]
fn missing_instruments_name_the_remedy() {
    let folder = folder(FOLLOWERS, &format!("{HEAD}{DAY}"));
    let said = preview(folder.path(), &TABLE[..2]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("the instruments of 2026-12-01 are not known; name"), "{}", said.err);
    assert!(
        said.err.contains("--instruments FILE") && said.err.contains("broker.instruments_file"),
        "{said:?}"
    );

    // A file of another day lacks what was traded: said, and every order skipped for it.
    let short = std::fs::read_to_string(folder.path().join("instruments.csv")).unwrap();
    let short: Vec<&str> = short.lines().filter(|line| !line.contains("43125")).collect();
    std::fs::write(folder.path().join("short.csv"), short.join("\n") + "\n").unwrap();
    let said = preview(folder.path(), &["--leader-day", "day.csv", "--instruments", "short.csv"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("warning: 5 of 8 leader orders are in instruments"), "{}", said.out);
    assert!(said.out.contains("unknown_instrument"), "{}", said.out);
}

#[test]
fn bad_settings_and_files_are_refused() {
    let folder = folder("[[follower]]\nid = \"asha\"\n[copy]\non = \"never\"\n", &format!("{HEAD}{DAY}"));
    let said = preview(folder.path(), &TABLE);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("copy.on"), "{}", said.err);
    std::fs::write(folder.path().join("tandem.toml"), FOLLOWERS).unwrap();
    let said = preview(folder.path(), &["--leader-day", "absent.csv"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("read absent.csv"), "{}", said.err);
    let said = preview(folder.path(), &[&TABLE[..], &["--day", "2026-12-01"]].concat());
    assert!(said.err.contains("--day is for databases"), "{}", said.err);
    let said = tandem(folder.path(), &["preview"], &[]);
    assert_eq!(said.code, Some(2), "{said:?}");
}
