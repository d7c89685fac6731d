//! A day of three orders and books that fit it; then one thing after another is made wrong.

use tandem_domain::gates::DeniedReason;
use tandem_domain::instrument::{ExchangeSegment, SecurityId};
use tandem_domain::order::{Side, TimeInForce};

use super::super::books::Request;
use super::super::day::Day;
use super::*;

const DAY: &str = "\
instrument | N | NIFTY 2026-12-08 26000 CE | 65 | 100.00
09:16:00 | buy 10 N limit 101.00 margin | filled | 5 | 2
09:17:00 | buy 4 N market margin | filled | 2 | below_one_lot
09:18:00 | buy 10 N limit 50.00 margin | unfilled | 5 unfilled | 2 rejected
left | N margin | 14 | 7 | 2
";

fn instrument() -> InstrumentKey {
    InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(43_500) }
}

fn leader_order(number: usize) -> BrokerOrderId {
    BrokerOrderId::new(format!("leader-{number}")).unwrap()
}

/// What the text says, as the demo prepares it.
fn written_down(text: &str) -> (Vec<Expectation>, Remains) {
    let day = Day::parse(text).unwrap();
    let expectation = |(number, (line, order)): (usize, (usize, &LeaderOrder))| Expectation {
        line,
        leader_order: leader_order(number),
        terms: OrderTerms {
            instrument: instrument(),
            side: order.side,
            product: order.product,
            order_type: order.order_type,
            time_in_force: order.time_in_force,
            quantity: Quantity::new(order.lots * 65),
            disclosed: Quantity::ZERO,
            price: order.price,
            trigger: order.trigger,
            after_market: false,
            form: tandem_domain::order::OrderForm::Ordinary,
        },
        order: order.clone(),
        units_in_lot: 65,
    };
    let left = day.left.iter().map(|((_, product), left)| {
        let [asha, bala] = left.followers;
        let units = [left.leader, asha, bala].map(|lots| lots.map(|lots| i64::from(lots) * 65));
        ((instrument(), *product), units)
    });
    (day.orders().enumerate().map(expectation).collect(), left.collect())
}

fn order(id: &str, ours: bool, price: &str, units: u32, status: BrokerStatus) -> Order {
    let filled = if status == BrokerStatus::Traded { units } else { 0 };
    Order {
        id: BrokerOrderId::new(id).unwrap(),
        ours: ours.then(|| format!("tdm-{id}")),
        terms: OrderTerms {
            instrument: instrument(),
            side: Side::Buy,
            product: Product::Margin,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Day,
            quantity: Quantity::new(units),
            disclosed: Quantity::ZERO,
            price: price.parse().unwrap(),
            trigger: Price::ZERO,
            after_market: false,
            form: tandem_domain::order::OrderForm::Ordinary,
        },
        status,
        filled: Quantity::new(filled),
    }
}

fn books(orders: Vec<Order>, units: i64) -> Books {
    let positions = BTreeMap::from([((instrument(), Product::Margin), units)]);
    let fills = orders.iter().filter(|order| order.status == BrokerStatus::Traded).count();
    Books { orders, fills, filled: positions.clone(), positions }
}

/// Books of one follower that agree with each other; a place without an order was skipped.
fn follower(orders: [Option<Order>; 3], units: i64) -> FollowerEvidence {
    let recorded = orders.iter().enumerate().map(|(number, order)| {
        let recorded = match order {
            Some(order) => Recorded {
                outcome: Outcome::Sent,
                reason: None,
                placed: vec![(order.ours.clone().unwrap(), order.terms.quantity)],
                filled: order.filled,
                status: Some(order.status.clone()),
            },
            None => Recorded {
                outcome: Outcome::Skipped,
                reason: Some(DeniedReason::BelowOneLot),
                placed: Vec::new(),
                filled: Quantity::ZERO,
                status: None,
            },
        };
        (leader_order(number), recorded)
    });
    let recorded = recorded.collect();
    let requests = orders.iter().enumerate().filter_map(|(number, order)| {
        let order = order.as_ref()?;
        let market = number == 1;
        Some(Request {
            tag: order.ours.clone()?,
            order_type: if market { OrderType::Market } else { OrderType::Limit },
            price: if market { Price::ZERO } else { order.terms.price },
            trigger: Price::ZERO,
        })
    });
    let requests = requests.collect();
    let books = books(orders.into_iter().flatten().collect(), units);
    FollowerEvidence { recorded_fills: books.fills, books, requests, recorded }
}

/// Books that are as written down.
fn right() -> Evidence {
    use BrokerStatus::{Expired, Rejected, Traded};
    let leader = vec![
        order("leader-0", false, "101.00", 650, Traded),
        order("leader-1", false, "105.00", 260, Traded),
        order("leader-2", false, "50.00", 650, Expired),
    ];
    let asha = [
        Some(order("a0", true, "101.00", 325, Traded)),
        Some(order("a1", true, "105.00", 130, Traded)),
        Some(order("a2", true, "50.00", 325, Expired)),
    ];
    let bala = [
        Some(order("b0", true, "101.00", 130, Traded)),
        None,
        Some(order("b2", true, "50.00", 130, Rejected)),
    ];
    Evidence {
        leader: books(leader, 910),
        followers: vec![follower(asha, 455), follower(bala, 130)],
        added_latencies_us: Vec::new(),
    }
}

/// The differences of that day from a text, by their sentences.
fn against(text: &str, found: &Evidence) -> Vec<String> {
    let (expected, left) = written_down(text);
    differences(&expected, &left, found)
}

#[test]
fn books_as_written_down_end_well() {
    let differences = against(DAY, &right());
    assert_eq!(differences, Vec::<String>::new());
    assert_eq!(verdict(&differences), ExitStatus::Ok);
}

#[test]
fn every_wrong_expectation_fails_the_demo() {
    let wrong = [
        ("filled | 5 | 2", "filled | 4 | 2"),
        ("filled | 5 | 2", "filled | below_one_lot | 2"),
        ("filled | 5 | 2", "filled | 5 | 2 unfilled"),
        ("limit 101.00", "limit 101.05"),
        ("buy 10 N limit 50.00", "sell 10 N limit 50.00"),
        ("limit 50.00 margin", "limit 50.00 intraday"),
        ("limit 50.00 margin", "limit 50.00 margin ioc"),
        ("buy 4 N market", "buy 4 N limit 105.00"),
        ("2 | below_one_lot", "2 | not_option"),
        ("2 | below_one_lot", "2 | 1"),
        ("unfilled | 5 unfilled", "filled | 5 unfilled"),
        ("2 rejected", "2 unfilled"),
        ("14 | 7 | 2", "14 | 7 | 1"),
        ("14 | 7 | 2", "13 | 7 | 2"),
    ];
    for (from, to) in wrong {
        assert!(DAY.contains(from), "{from}");
        let differences = against(&DAY.replace(from, to), &right());
        assert_eq!(verdict(&differences), ExitStatus::Failed, "{from} -> {to}");
    }
}

#[test]
fn books_that_disagree_fail_the_demo() {
    let spoilt: [fn(&mut Evidence); 8] = [
        // An order nobody expects, and the same one sent twice.
        |found| found.followers[0].books.orders.push(order("x", true, "1.00", 65, BrokerStatus::Pending)),
        |found| {
            let again = found.followers[0].books.orders[0].clone();
            found.followers[0].books.orders.push(again);
        },
        |found| {
            let again = found.followers[0].requests[0].clone();
            found.followers[0].requests.push(again);
        },
        // What the daemon has on record is not what happened.
        |found| drop(found.followers[1].recorded.remove(&leader_order(1))),
        |found| {
            found.followers[0].recorded.get_mut(&leader_order(0)).unwrap().filled = Quantity::new(65);
        },
        |found| found.followers[0].recorded_fills -= 1,
        // A position without fills, and a follower's order that is gone.
        |found| found.followers[1].books.filled.clear(),
        |found| drop(found.followers[1].books.orders.pop()),
    ];
    for (number, spoil) in spoilt.into_iter().enumerate() {
        let mut found = right();
        spoil(&mut found);
        assert_eq!(verdict(&against(DAY, &found)), ExitStatus::Failed, "spoilt {number}");
    }
}
