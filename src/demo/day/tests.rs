//! The day that comes with the program, and lines that are wrong.

use tandem_domain::gates::DeniedReason;
use tandem_domain::order::OrderType;

use super::*;

#[test]
fn the_day_is_long_and_of_many_kinds() {
    let day = Day::built_in().unwrap();
    let orders: Vec<&LeaderOrder> = day.orders().map(|(_, order)| order).collect();
    assert!(orders.len() >= 230, "{}", orders.len());
    let types = [OrderType::Market, OrderType::Limit, OrderType::StopLoss, OrderType::StopLossMarket];
    for order_type in types {
        assert!(orders.iter().any(|order| order.asked.order_type == order_type), "{order_type}");
    }
    for reason in [
        DeniedReason::NotOption,
        DeniedReason::BelowOneLot,
        DeniedReason::LeaderRejected,
        DeniedReason::NothingToClose,
        DeniedReason::CoverMissing,
        DeniedReason::Halted,
    ] {
        assert!(orders.iter().any(|order| order.copies.contains(&Copied::Skipped(reason))), "{reason}");
    }
    let burst: NaiveTime = "10:30:00".parse().unwrap();
    assert_eq!(day.steps.iter().filter(|step| step.at == burst).count(), 20);
}

#[test]
fn what_is_placed_is_also_changed_cancelled_and_filled_in_part() {
    let day = Day::built_in().unwrap();
    let acts = |of: fn(&Act) -> bool| day.steps.iter().filter(|step| of(&step.act)).count();
    assert!(acts(|act| matches!(act, Act::Change(..))) >= 25);
    assert!(acts(|act| matches!(act, Act::Cancel(..) | Act::CancelAll)) >= 8);
    assert!(acts(|act| matches!(act, Act::Fill(..))) >= 5);
    assert_eq!(acts(|act| matches!(act, Act::ByHand(..))), 1);
    assert_eq!(acts(|act| matches!(act, Act::Own(..))), 2);
    assert_eq!(acts(|act| matches!(act, Act::Control(..))), 2);
    let supers = day.orders().filter(|(_, order)| order.asked.exits.is_some());
    assert!(supers.count() >= 6);
    let ends = |of: fn(&Copy) -> bool| {
        let copies = day.orders().flat_map(|(_, order)| order.copies);
        copies.filter(|copied| matches!(copied, Copied::Order(copy) if of(copy))).count()
    };
    assert!(ends(|copy| copy.fate == Fate::Target) > 0);
    assert!(ends(|copy| copy.fate == Fate::Stop) > 0);
    assert!(ends(|copy| copy.fate == Fate::Rejected) > 0);
    assert!(ends(|copy| copy.orders > 1) > 0);
    assert!(ends(|copy| copy.shows > 0) > 0);
    assert!(ends(|copy| copy.repaired > 0) > 0);
    assert!(ends(|copy| copy.by_hand) > 0);
    assert!(ends(|copy| copy.chased) > 0);
    assert!(ends(|copy| copy.stopped) > 0);
    assert!(ends(|copy| copy.fitted) > 0);
}

#[test]
fn bad_lines_are_named() {
    let told = |text: &str| format!("{:#}", Day::parse(text).unwrap_err());
    assert!(told("09:15:00 | price X 1.00").contains("line 1: X is no instrument"));
    assert!(told("\n09:15:00 | buy").contains("line 2"));
    let backwards = "09:16:00 | refuse asha\n09:15:00 | refuse asha";
    assert!(told(backwards).contains("line 2: is earlier"));
    assert!(told("09:15:00 | refuse chitra").contains("chitra is no follower"));
}

#[test]
fn bad_orders_and_outcomes_are_named() {
    let placed = |order: &str, ends: &str| {
        let text = format!("instrument | R | RELIANCE | 1 | tape\n09:15:00 | {order} | {ends}");
        Day::parse(&text).map(drop).map_err(|error| format!("{error:#}"))
    };
    assert_eq!(placed("buy 1 R market cnc as FIRST", "filled | 1 in 2 shows 1 | below_one_lot"), Ok(()));
    let wrong = [
        ("buy 1 R market cnc", "filled | 1 | because", "because"),
        ("buy 1 R market cnc", "filled | 1 soon | 1", "soon"),
        ("buy 1 R market cnc", "cancelled soon | 1 | 1", "soon"),
        ("buy 1 R market cnc", "filled | 1 in 0 | 1", "in no orders"),
        ("buy 1 R market cnc", "target | 1 | 1", "without exits"),
        ("buy 1 R market cnc later", "filled | 1 | 1", "later"),
        ("buy 1 R market target 5.00 cnc sliced", "filled | 1 | 1", "sliced"),
        ("buy 1 R market target 5.00 trail 1.00 cnc", "filled | 1 | 1", "only a stop can trail"),
        ("buy 1 R market cnc as all", "filled | 1 | 1", "called all"),
    ];
    for (order, ends, word) in wrong {
        let told = placed(order, ends).unwrap_err();
        assert!(told.contains("line 2") && told.contains(word), "{order} | {ends}: {told}");
    }
}

#[test]
fn bad_changes_are_named() {
    let after = |act: &str| {
        let text = format!(
            "instrument | R | RELIANCE | 1 | tape\n\
             09:15:00 | buy 1 R limit 9.00 cnc as PLAIN | filled | 1 | 1\n\
             09:15:00 | buy 1 R limit 9.00 target 10.00 stop 8.00 cnc as SUPER | target | 1 target | 1 stop\n\
             09:16:00 | {act}"
        );
        Day::parse(&text).map(drop).map_err(|error| format!("{error:#}"))
    };
    let right = [
        "change PLAIN lots 2 limit 9.50 shows 1 ioc",
        "change PLAIN stop 9.50 limit 9.60",
        "change PLAIN market",
        "change SUPER limit 9.10",
        "change SUPER stop 8.50 trail 0.50",
        "cancel SUPER target",
        "cancel PLAIN",
        "fill PLAIN 1 0 1",
        "bala cancels PLAIN",
        "asha sells 2 R limit 9.00 cnc",
        "cancel all",
        "halt bala",
        "resume bala",
        "money is read",
    ];
    for act in right {
        assert_eq!(after(act), Ok(()), "{act}");
    }
    let wrong = [
        ("change OTHER lots 2", "OTHER is no order"),
        ("change PLAIN", "what is changed"),
        ("change PLAIN target 10.00", "cannot be changed so"),
        ("change SUPER trigger 10.00", "cannot be changed so"),
        ("change SUPER lots 2 target 10.00", "one of them"),
        ("cancel PLAIN target", "has no exits"),
        ("cancel SUPER entry", "target or stop"),
        ("fill PLAIN 1", "neither an order"),
        ("chitra cancels PLAIN", "no follower"),
        ("halt chitra", "no follower"),
        ("asha buys 2 X market cnc", "X is no instrument"),
        ("asha buys 2 R market cnc as MINE", "has no name"),
    ];
    for (act, word) in wrong {
        let told = after(act).unwrap_err();
        assert!(told.contains("line 4") && told.contains(word), "{act}: {told}");
    }
}

#[test]
fn a_change_restates_only_what_it_says() {
    let text = "instrument | R | RELIANCE | 1 | tape\n\
        09:15:00 | buy 4 R stop 9.00 limit 9.50 cnc as A | filled | 1 | 1\n\
        09:15:10 | change A trigger 9.20\n\
        09:15:20 | change A market\n\
        09:15:30 | change A limit 9.70 lots 6";
    let day = Day::parse(text).unwrap();
    let mut asked = day.orders().next().unwrap().1.asked;
    let mut seen = Vec::new();
    for step in &day.steps {
        if let Act::Change(_, change) = &step.act {
            asked = change.of(&asked);
            let prices = (asked.trigger.to_string(), asked.price.to_string());
            seen.push((asked.order_type, prices.0, prices.1, asked.lots));
        }
    }
    let row = |of, trigger: &str, price: &str, lots| (of, trigger.to_owned(), price.to_owned(), lots);
    assert_eq!(
        seen,
        [
            row(OrderType::StopLoss, "9.20", "9.50", 4),
            row(OrderType::Market, "0.00", "0.00", 4),
            row(OrderType::Limit, "0.00", "9.70", 6),
        ]
    );
}
