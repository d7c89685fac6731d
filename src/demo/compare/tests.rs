//! A day of three orders and books that fit it; then one thing after another is made wrong.

use tandem_domain::gates::DeniedReason;
use tandem_domain::instrument::{ExchangeSegment, SecurityId};
use tandem_domain::order::{Side, TimeInForce};

use super::super::books::Request;
use super::super::day::{Act, Day};
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

/// What the text says, as the demo prepares it. A change stands right below its order.
fn written_down(text: &str) -> (Vec<Expectation>, Remains) {
    let day = Day::parse(text).unwrap();
    let mut expected: Vec<Expectation> = Vec::new();
    for step in &day.steps {
        match &step.act {
            Act::Order(order) => expected.push(Expectation {
                line: step.line,
                leader_orders: vec![leader_order(expected.len())],
                terms: terms(order),
                earlier: Vec::new(),
                seized: [None, None],
                order: order.as_ref().clone(),
                units_in_lot: 65,
            }),
            Act::Change(_, change) => {
                let last = expected.last_mut().unwrap();
                last.order.asked = change.of(&last.order.asked);
                let terms = terms(&last.order);
                last.earlier.push(std::mem::replace(&mut last.terms, terms));
            }
            other => panic!("{other:?}"),
        }
    }
    let left = day.left.iter().map(|((_, product), left)| {
        let [asha, bala] = left.followers;
        let units = [left.leader, asha, bala].map(|lots| lots.map(|lots| i64::from(lots) * 65));
        ((instrument(), *product), units)
    });
    (expected, left.collect())
}

fn terms(order: &LeaderOrder) -> OrderTerms {
    let asked = &order.asked;
    OrderTerms {
        instrument: instrument(),
        side: order.side,
        product: order.product,
        order_type: asked.order_type,
        time_in_force: asked.time_in_force,
        quantity: Quantity::new(asked.lots * 65),
        disclosed: Quantity::new(asked.shows * 65),
        price: asked.price,
        trigger: asked.trigger,
        after_market: false,
        form: asked.exits.map_or(OrderForm::Ordinary, OrderForm::Super),
    }
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
            form: OrderForm::Ordinary,
        },
        status,
        filled: Quantity::new(filled),
        changes: 0,
        leg: Leg::Single,
        parent: None,
    }
}

fn books(orders: Vec<Order>, units: i64) -> Books {
    let positions = BTreeMap::from([((instrument(), Product::Margin), units)]);
    let fills = orders.iter().filter(|order| order.status == BrokerStatus::Traded).count();
    Books { orders, fills, fills_of_copies: fills, filled: positions.clone(), positions }
}

/// Books of one follower that agree with each other; a place without an order was skipped.
fn follower<const N: usize>(orders: [Option<Order>; N], units: i64) -> FollowerEvidence {
    let recorded = orders.iter().enumerate().map(|(number, order)| {
        let recorded = match order {
            Some(order) => {
                let tag = order.ours.clone().unwrap();
                Recorded {
                    outcome: Outcome::Sent,
                    reason: None,
                    copies: vec![tag.clone()],
                    repairs: Vec::new(),
                    filled: order.filled,
                    known: BTreeMap::from([(tag, (order.status.clone(), order.terms.quantity))]),
                }
            }
            None => Recorded {
                outcome: Outcome::Skipped,
                reason: Some(DeniedReason::BelowOneLot),
                copies: Vec::new(),
                repairs: Vec::new(),
                filled: Quantity::ZERO,
                known: BTreeMap::new(),
            },
        };
        (leader_order(number), recorded)
    });
    let recorded = recorded.collect();
    let requests = orders.iter().flatten().map(|order| {
        // The broker made a limit of it.
        let market = order.terms.price == "105.00".parse().unwrap();
        Request {
            tag: order.ours.clone().unwrap(),
            order_type: if market { OrderType::Market } else { OrderType::Limit },
            price: if market { Price::ZERO } else { order.terms.price },
            trigger: Price::ZERO,
        }
    });
    let requests = requests.collect();
    let books = books(orders.into_iter().flatten().collect(), units);
    FollowerEvidence { recorded_fills: books.fills, books, requests, recorded, ..FollowerEvidence::default() }
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
    let spoilt: [fn(&mut Evidence); 10] = [
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
        // An order of the owner's that is not on record as his, and one on record that is none.
        |found| {
            found.followers[0].books.orders.push(order("own", false, "1.00", 65, BrokerStatus::Expired));
        },
        |found| {
            found.followers[0].external.insert(leader_order(9));
        },
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

/// Orders with a life: changed and cancelled in part, closed by a target, filled too far, an iceberg.
const LIVES: &str = "\
instrument | N | NIFTY 2026-12-08 26000 CE | 65 | 100.00
09:16:00 | buy 10 N limit 99.00 margin as PART | cancelled 5 | 5 cancelled 2 | 2 cancelled by hand
09:16:10 | change PART limit 98.00
09:17:00 | buy 10 N limit 90.00 target 95.00 stop 85.00 margin | target | 5 target | 2 target
09:18:00 | buy 10 N limit 80.00 margin | cancelled | 5 repaired 5 | 2 cancelled
09:19:00 | buy 20 N limit 70.00 margin shows 10 | filled | 10 shows 5 | 4 shows 2
left | N margin | 25 | 12 | 4
";

fn with_legs(order: Order) -> Order {
    let [target, stop] = ["95.00", "85.00"].map(|price| Some(price.parse().unwrap()));
    let form = OrderForm::Super(tandem_domain::order::ExitLegs { target, stop, trailing: Price::ZERO });
    Order { terms: OrderTerms { form, ..order.terms }, leg: Leg::Entry, ..order }
}

fn exit(of: &str, leg: Leg, filled: u32) -> Order {
    let status = if filled > 0 { BrokerStatus::Traded } else { BrokerStatus::Cancelled };
    Order {
        leg,
        parent: Some(BrokerOrderId::new(of).unwrap()),
        filled: Quantity::new(filled),
        ..order(&format!("{of}-{leg:?}"), false, "95.00", filled, status)
    }
}

fn iceberg(order: Order, shows: u32) -> Order {
    Order { terms: OrderTerms { disclosed: Quantity::new(shows), ..order.terms }, ..order }
}

fn part(order: Order, filled: u32) -> Order {
    Order { filled: Quantity::new(filled), changes: 1, ..order }
}

/// Books that are as those lives are written down.
fn right_lives() -> Evidence {
    use BrokerStatus::{Cancelled, Closed, Traded};
    let closed = |order: Order| Order { status: Closed, ..with_legs(order) };
    let mut leader = vec![
        part(order("leader-0", false, "98.00", 650, Cancelled), 325),
        closed(order("leader-1", false, "90.00", 650, Traded)),
        order("leader-2", false, "80.00", 650, Cancelled),
        iceberg(order("leader-3", false, "70.00", 1300, Traded), 650),
    ];
    leader.extend([exit("leader-1", Leg::Target, 650), exit("leader-1", Leg::StopLoss, 0)]);
    let mut asha = follower(
        [
            Some(part(order("a0", true, "98.00", 325, Cancelled), 130)),
            Some(closed(order("a1", true, "90.00", 325, Traded))),
            Some(order("a2", true, "80.00", 325, Traded)),
            Some(iceberg(order("a3", true, "70.00", 650, Traded), 325)),
        ],
        780,
    );
    asha.books.orders.extend([exit("a1", Leg::Target, 325), exit("a1", Leg::StopLoss, 0)]);
    let mut repair = order("a2r", true, "80.00", 325, Traded);
    repair.terms.side = Side::Sell;
    let recorded = asha.recorded.get_mut(&leader_order(2)).unwrap();
    recorded.repairs.push("tdm-a2r".to_owned());
    recorded.known.insert("tdm-a2r".to_owned(), (Traded, Quantity::new(325)));
    asha.books.orders.push(repair);
    let mut bala = follower(
        [
            Some(order("b0", true, "98.00", 130, Cancelled)),
            Some(closed(order("b1", true, "90.00", 130, Traded))),
            Some(order("b2", true, "80.00", 130, Cancelled)),
            Some(iceberg(order("b3", true, "70.00", 260, Traded), 130)),
        ],
        260,
    );
    bala.books.orders.extend([exit("b1", Leg::Target, 130), exit("b1", Leg::StopLoss, 0)]);
    bala.recorded.get_mut(&leader_order(0)).unwrap().outcome = Outcome::Detached;
    Evidence { leader: books(leader, 1625), followers: vec![asha, bala], added_latencies_us: Vec::new() }
}

#[test]
fn lives_as_written_down_end_well() {
    assert_eq!(against(LIVES, &right_lives()), Vec::<String>::new());
}

#[test]
fn every_wrong_life_fails_the_demo() {
    let wrong = [
        ("cancelled 5 |", "cancelled 4 |"),
        ("cancelled 5 |", "unfilled |"),
        ("5 cancelled 2", "5 cancelled 3"),
        ("5 cancelled 2", "5 cancelled 2 by hand"),
        ("5 cancelled 2", "5 cancelled 2 in 2"),
        ("2 cancelled by hand", "2 cancelled"),
        ("change PART limit 98.00", "change PART limit 97.00"),
        ("| target | 5 target", "| stop | 5 target"),
        ("5 target", "5 stop"),
        ("5 target", "5"),
        ("stop 85.00", "stop 84.00"),
        ("5 repaired 5", "5"),
        ("5 repaired 5", "5 repaired 4"),
        ("10 shows 5", "10 shows 4"),
        ("10 shows 5", "10"),
    ];
    for (from, to) in wrong {
        assert!(LIVES.contains(from), "{from}");
        let differences = against(&LIVES.replace(from, to), &right_lives());
        assert_eq!(verdict(&differences), ExitStatus::Failed, "{from} -> {to}");
    }
}

#[test]
fn lives_that_disagree_fail_the_demo() {
    let spoilt: [fn(&mut Evidence); 5] = [
        // Changed more often than the leader changed his.
        |found| found.followers[0].books.orders[0].changes = 2,
        |found| found.followers[0].books.orders[1].changes = 1,
        // A repair on the wrong side, and one that did not fill.
        |found| found.followers[0].books.orders.last_mut().unwrap().terms.side = Side::Buy,
        |found| found.followers[0].books.orders.last_mut().unwrap().filled = Quantity::ZERO,
        // An exit that closed half of it only.
        |found| found.followers[0].books.orders[4].filled = Quantity::new(130),
    ];
    for (number, spoil) in spoilt.into_iter().enumerate() {
        let mut found = right_lives();
        spoil(&mut found);
        assert_eq!(verdict(&against(LIVES, &found)), ExitStatus::Failed, "spoilt {number}");
    }
}
