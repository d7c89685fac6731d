//! The present settings decide: strategies, caps, filters, sessions, limits; and part fills, flips, what is left behind.

use super::{DAY, FOLLOWERS, HEAD, copies, copy, of_table};

const ONE: &str = "[[follower]]\nid = \"asha\"\n";
const HEAD_OF_ONE: &str = "\
# leader_capital = 1000000
# capital.asha = 500000
time,order_id,status,segment,security_id,side,product,order_type,quantity,price,filled,average_price
";

/// Lots, outcome and reason at the one follower, under settings beside the defaults.
fn under(settings: &str, rows: &str) -> Vec<(u64, String, String)> {
    copies(&of_table(&format!("{ONE}{settings}"), &format!("{HEAD_OF_ONE}{rows}")), 0)
}

const BUY_TEN: &str = "\
2026-12-01 10:00:00,L1,PENDING,NSE_FNO,43125,BUY,MARGIN,LIMIT,650,100,0,0
2026-12-01 10:00:02,L1,TRADED,NSE_FNO,43125,BUY,MARGIN,LIMIT,650,100,650,100
";

#[test]
fn settings_decide_how_much_and_whether() {
    let skipped = |reason| vec![copy(0, "skipped", reason)];
    for (settings, expected) in [
        ("", vec![copy(5, "sent", "")]),
        ("[sizing]\nstrategy = \"fixed_ratio\"\nratio = 0.3\n", vec![copy(3, "sent", "")]),
        ("[sizing]\nstrategy = \"fixed_lots\"\nlots = 2\n", vec![copy(2, "sent", "")]),
        // 10 % of 500,000 pay for 7.7 lots of 6,500.
        ("[sizing]\nstrategy = \"risk_based\"\n", vec![copy(7, "sent", "")]),
        ("[copy]\non = \"fill\"\n", vec![copy(5, "sent", "")]),
        ("[risk]\nlots_per_order_max = 3\n", vec![copy(3, "sent", "lots_per_order")]),
        ("[risk]\nlots_per_order_max = 3\nat_cap = \"skip\"\n", skipped("lots_per_order")),
        ("[copy]\nenabled = false\n", skipped("copying_off")),
        ("[copy]\nwindow_from = \"10:30\"\n", skipped("outside_window")),
        ("[copy]\nunderlyings_denied = [\"NIFTY\"]\n", skipped("underlying_filtered")),
        ("[copy]\nsides = [\"SELL\"]\n", skipped("side_filtered")),
    ] {
        assert_eq!(under(settings, BUY_TEN), expected, "{settings}");
    }
}

#[test]
fn what_is_kept_away_by_a_cap_is_told_apart_from_rounding() {
    let settings = format!("{ONE}[risk]\nlots_per_order_max = 3\n");
    let json = of_table(&settings, &format!("{HEAD_OF_ONE}{BUY_TEN}"));
    let asha = &json["followers"][0];
    assert_eq!(asha["rounding"]["entries"]["exact_lots_e9"], 0);
    let cut = &asha["not_in_full"][0];
    assert_eq!(cut["reason"], "lots_per_order");
    assert_eq!(cut["share"]["difference_lots_e9"], -2_000_000_000_i64);
}

#[test]
fn the_money_of_the_day_bounds_what_is_opened() {
    // Two lots sold short need 507,000 of 500,000: one is.
    let rows = "2026-12-01 10:00:00,L1,TRADED,NSE_FNO,43126,SELL,MARGIN,LIMIT,260,80,260,80\n";
    assert_eq!(under("", rows), [copy(1, "sent", "margin_short")]);
}

#[test]
fn the_clock_is_that_of_the_day() {
    // A Sunday; and before the session of a weekday.
    let sunday = BUY_TEN.replace("2026-12-01", "2026-11-29");
    assert_eq!(under("", &sunday), [copy(0, "skipped", "market_holiday")]);
    let early = BUY_TEN.replace("10:00", "08:00");
    assert_eq!(under("", &early), [copy(0, "skipped", "market_closed")]);
    // A year of which the calendar knows nothing, long after the option has expired.
    let late = BUY_TEN.replace("2026-12-01", "2031-12-02");
    assert_eq!(under("", &late), [copy(0, "skipped", "instrument_expired")]);
    let json = of_table(ONE, &format!("{HEAD_OF_ONE}{late}"));
    let warning = json["warnings"][0].as_str().unwrap();
    assert!(warning.contains("knows no holiday of 2031"), "{warning}");
}

#[test]
fn a_daily_loss_stops_the_account_at_its_moment() {
    // Five lots bought at 100 are worth 65 less each lot for a rupee: at 90 the loss is 3,250.
    let rows = format!(
        "{BUY_TEN}\
2026-12-01 10:30:00,L2,TRADED,NSE_FNO,43125,SELL,MARGIN,LIMIT,130,90,130,90
2026-12-01 10:31:00,L3,TRADED,NSE_FNO,43126,BUY,MARGIN,LIMIT,130,80,130,80
2026-12-01 10:32:00,L4,TRADED,NSE_FNO,43125,SELL,MARGIN,LIMIT,520,90,520,90
"
    );
    let settings = format!("{ONE}[risk]\ndaily_loss_max_rupees = 3000\n");
    let json = of_table(&settings, &format!("{HEAD_OF_ONE}{rows}"));
    // Entries stop, exits go on.
    assert_eq!(
        copies(&json, 0),
        [copy(5, "sent", ""), copy(1, "sent", ""), copy(0, "skipped", "reducing"), copy(4, "sent", "")]
    );
    let asha = &json["followers"][0];
    assert_eq!((&asha["trading_state"], &asha["halt_cause"]), (&"reducing".into(), &"daily_loss".into()));
    assert_eq!(asha["notices"]["a limit stopped the account"], 1);
}

#[test]
fn fills_come_in_proportion_and_what_is_taken_back_goes() {
    // Of ten lots four fill, then the rest is cancelled: of five, two.
    let rows = "\
2026-12-01 10:00:00,L1,PENDING,NSE_FNO,43125,BUY,MARGIN,LIMIT,650,100,0,0
2026-12-01 10:00:05,L1,PART_TRADED,NSE_FNO,43125,BUY,MARGIN,LIMIT,650,100,195,100
2026-12-01 10:00:09,L1,PART_TRADED,NSE_FNO,43125,BUY,MARGIN,LIMIT,650,100,260,100
2026-12-01 10:05:00,L1,CANCELLED,NSE_FNO,43125,BUY,MARGIN,LIMIT,650,100,260,100
";
    let json = of_table(ONE, &format!("{HEAD_OF_ONE}{rows}"));
    assert_eq!(copies(&json, 0), [copy(2, "sent", "")]);
    assert_eq!(json["followers"][0]["working_at_end"], 0);
    assert_eq!(json["followers"][0]["profit"]["open"][0]["units"], 130);
    // What never fills never costs, and is gone when he cancels.
    let rows = "\
2026-12-01 10:00:00,L1,PENDING,NSE_FNO,43125,BUY,MARGIN,LIMIT,650,100,0,0
2026-12-01 10:02:00,L1,MODIFIED,NSE_FNO,43125,BUY,MARGIN,LIMIT,650,95,0,0
2026-12-01 10:05:00,L1,CANCELLED,NSE_FNO,43125,BUY,MARGIN,LIMIT,650,95,0,0
";
    let json = of_table(ONE, &format!("{HEAD_OF_ONE}{rows}"));
    assert_eq!(copies(&json, 0)[0].0, 0);
    assert_eq!(json["followers"][0]["working_at_end"], 0);
    assert_eq!(json["followers"][0]["profit"]["open"].as_array().unwrap().len(), 0);
}

#[test]
fn a_flip_closes_first_and_opens_the_other_way() {
    let rows = "\
2026-12-01 10:00:00,L1,TRADED,NSE_FNO,43125,BUY,MARGIN,LIMIT,130,100,130,100
2026-12-01 10:10:00,L2,TRADED,NSE_FNO,43125,SELL,MARGIN,LIMIT,260,110,260,110
";
    let json = of_table(ONE, &format!("{HEAD_OF_ONE}{rows}"));
    assert_eq!(copies(&json, 0), [copy(1, "sent", ""), copy(2, "sent", "")]);
    let asha = &json["followers"][0]["profit"];
    assert_eq!(
        (asha["realised_units"].as_i64(), asha["open"][0]["units"].as_i64()),
        (Some(6_500_000), Some(-65))
    );
    let flip = &json["orders"][1]["copies"][0];
    assert_eq!((flip["leader_closed"].as_u64(), flip["leader_opened"].as_u64()), (Some(130), Some(130)));
    assert_eq!(flip["entry"]["difference_lots_e9"], 0);
    assert_eq!(flip["exit"]["difference_lots_e9"], 0);
}

#[test]
fn followers_do_not_disturb_each_other() {
    let both = of_table(FOLLOWERS, &format!("{HEAD}{DAY}"));
    let alone = of_table(ONE, &format!("{HEAD_OF_ONE}{DAY}"));
    assert_eq!(both["followers"][0], alone["followers"][0]);
    assert_eq!(copies(&both, 0), copies(&alone, 0));
}
