//! Holds what was found against what was written down. Any difference is a sentence; none means that the day was right.

use std::collections::{BTreeMap, BTreeSet};

use tandem_domain::ids::BrokerOrderId;
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::mirror::Outcome;
use tandem_domain::order::{BrokerStatus, Leg, OrderForm, OrderTerms, OrderType, Product};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;

use super::books::{Books, Evidence, FollowerEvidence, Order, Recorded};
use super::day::{Copied, Copy, FOLLOWERS, Fate, LeaderOrder};
use crate::cli::ExitStatus;

/// What was written down about one leader order, with its number at the broker.
#[derive(Debug, Clone)]
pub(super) struct Expectation {
    /// Line of the script.
    pub(super) line: usize,
    /// One; of an order in slices several.
    pub(super) leader_orders: Vec<BrokerOrderId>,
    /// What the leader asked for in the end.
    pub(super) terms: OrderTerms,
    /// What he asked for before, from the first.
    pub(super) earlier: Vec<OrderTerms>,
    /// What he asked for when a follower's owner took the copy over.
    pub(super) seized: [Option<OrderTerms>; FOLLOWERS.len()],
    pub(super) order: LeaderOrder,
    pub(super) units_in_lot: u32,
}

impl Expectation {
    /// All that the leader asked for, in turn.
    fn all_terms(&self) -> impl Iterator<Item = &OrderTerms> {
        self.earlier.iter().chain([&self.terms])
    }

    fn first_terms(&self) -> &OrderTerms {
        self.earlier.first().unwrap_or(&self.terms)
    }
}

/// Units that must be left: the leader's, then the followers'. None: whatever the fills come to.
pub(super) type Remains = BTreeMap<(InstrumentKey, Product), [Option<i64>; 1 + FOLLOWERS.len()]>;

/// Every difference. The order of the day, then accounts as a whole.
pub(super) fn differences(expected: &[Expectation], left: &Remains, found: &Evidence) -> Vec<String> {
    let mut report = Differences(Vec::new());
    report.leader(expected, &found.leader);
    report.positions("leader", 0, left, &found.leader);
    for (place, (name, evidence)) in FOLLOWERS.iter().zip(&found.followers).enumerate() {
        report.follower(name, place, expected, evidence);
        report.positions(name, place + 1, left, &evidence.books);
    }
    report.0
}

/// How the program ends.
pub(super) fn verdict(differences: &[String]) -> ExitStatus {
    if differences.is_empty() { ExitStatus::Ok } else { ExitStatus::Failed }
}

struct Differences(Vec<String>);

/// One copy held against its cell.
struct Held<'a> {
    subject: String,
    expectation: &'a Expectation,
    copy: &'a Copy,
    place: usize,
    found: &'a FollowerEvidence,
    recorded: Vec<&'a Recorded>,
    copies: Vec<&'a Order>,
    repairs: Vec<&'a Order>,
}

impl Differences {
    fn check(&mut self, holds: bool, sentence: impl FnOnce() -> String) {
        if !holds {
            self.0.push(sentence());
        }
    }

    fn leader(&mut self, expected: &[Expectation], books: &Books) {
        for expectation in expected {
            let subject = format!("line {}, leader", expectation.line);
            let is_his = |order: &&Order| expectation.leader_orders.contains(&order.id);
            let orders: Vec<&Order> = books.orders.iter().filter(is_his).collect();
            self.check(orders.len() == expectation.leader_orders.len(), || {
                format!("{subject}: not all of his orders are in his book")
            });
            self.fate(&subject, expectation.order.fate, &orders, books, expectation.units_in_lot);
        }
    }

    /// The orders expected, nothing else, and the daemon's records tell the same.
    fn follower(&mut self, name: &str, place: usize, expected: &[Expectation], found: &FollowerEvidence) {
        let ours = by_tag(&found.books);
        let tagged = found.books.orders.iter().filter(|order| order.ours.is_some()).count();
        self.check(tagged == ours.len(), || format!("{name}: {tagged} orders share {} tags", ours.len()));

        let mut explained = BTreeSet::new();
        for expectation in expected {
            let subject = format!("line {}, {name}", expectation.line);
            let recorded: Vec<&Recorded> =
                expectation.leader_orders.iter().filter_map(|id| found.recorded.get(id)).collect();
            if recorded.len() < expectation.leader_orders.len() {
                self.0.push(format!("{subject}: nothing on record"));
                continue;
            }
            match &expectation.order.copies[place] {
                Copied::Skipped(reason) => {
                    for recorded in recorded {
                        // What was decided and never left is void.
                        let is_over = matches!(recorded.outcome, Outcome::Skipped | Outcome::Voided);
                        let skipped = is_over && recorded.reason == Some(*reason);
                        let is_there = recorded.copies.iter().any(|tag| ours.contains_key(tag.as_str()));
                        self.check(skipped && !is_there, || {
                            format!(
                                "{subject}: to be skipped ({reason}), but on record as {}",
                                told(recorded)
                            )
                        });
                    }
                }
                Copied::Order(copy) => {
                    let orders = |tags: fn(&Recorded) -> &Vec<String>| -> Vec<&Order> {
                        let tags = recorded.iter().flat_map(|recorded| tags(recorded));
                        tags.filter_map(|tag| ours.get(tag.as_str()).copied()).collect()
                    };
                    let copies = orders(|recorded| &recorded.copies);
                    let repairs = orders(|recorded| &recorded.repairs);
                    explained.extend(copies.iter().chain(&repairs).map(|order| order.id.clone()));
                    self.held(&Held { subject, expectation, copy, place, found, recorded, copies, repairs });
                }
            }
        }
        for order in ours.values() {
            self.check(explained.contains(&order.id), || {
                format!("{name}: order {} ({}) was to be placed by nobody", order.id, in_words(&order.terms))
            });
        }
        let expected_orders: BTreeSet<_> = expected.iter().flat_map(|of| &of.leader_orders).collect();
        for leader_order in found.recorded.keys().filter(|order| !expected_orders.contains(order)) {
            self.0.push(format!(
                "{name}: leader order {leader_order} is on record, and the leader never placed it"
            ));
        }
        self.foreign(name, found);
        self.check(found.recorded_fills == found.books.fills_of_copies, || {
            let of_copies = found.books.fills_of_copies;
            format!("{name}: {of_copies} fills of copies, {} on record", found.recorded_fills)
        });
    }

    /// What the owner placed himself is on record as his, and was never touched.
    fn foreign(&mut self, name: &str, found: &FollowerEvidence) {
        let foreign: BTreeSet<_> = found
            .books
            .orders
            .iter()
            .filter(|order| order.is_foreign())
            .map(|order| order.id.clone())
            .collect();
        self.check(foreign == found.external, || {
            format!(
                "{name}: {} orders of his own, {} on record as such, and not the same",
                foreign.len(),
                found.external.len()
            )
        });
        for order in found.books.orders.iter().filter(|order| order.is_foreign()) {
            let cancelled = order.status == BrokerStatus::Cancelled;
            self.check(order.changes == 0 && !cancelled, || {
                format!("{name}: his own order {} was changed or cancelled", order.id)
            });
        }
    }

    fn held(&mut self, held: &Held<'_>) {
        let Held { subject, expectation, copy, copies, .. } = held;
        if copies.len() != copy.orders {
            let told: Vec<String> = held.recorded.iter().map(|recorded| told(recorded)).collect();
            return self.0.push(format!(
                "{subject}: {} lots to be copied in {} orders, but there are {}; on record as {}",
                copy.lots,
                copy.orders,
                copies.len(),
                told.join("; ")
            ));
        }
        let units: u32 = copies.iter().map(|order| order.terms.quantity.get()).sum();
        self.check(units == copy.lots * expectation.units_in_lot, || {
            format!("{subject}: to be {} lots, but the book has {units} units", copy.lots)
        });
        self.fate(subject, copy.fate, copies, &held.found.books, expectation.units_in_lot);
        for order in copies {
            self.terms(subject, held.asked(order), order, copy.chased);
            self.request(subject, held, order);
            let changes = expectation.earlier.len();
            self.check(order.changes <= changes || copy.chased || copy.fitted, || {
                format!(
                    "{subject}: asked to be changed {} times, the leader's order {changes} times",
                    order.changes
                )
            });
        }
        self.repairs(held);
        self.recorded(held);
    }

    /// What the book shows: the broker turns MARKET into a limit, and a fired stop into one without trigger.
    fn terms(&mut self, subject: &str, asked: OrderTerms, order: &Order, chased: bool) {
        let shown = &order.terms;
        let rejected = order.status == BrokerStatus::Rejected;
        let mut as_shown = match asked.order_type {
            // Its limit is the broker's own; that none was asked for is seen in the request.
            OrderType::Market if !rejected => {
                OrderTerms { order_type: OrderType::Limit, price: shown.price, ..asked }
            }
            OrderType::StopLoss if shown.order_type == OrderType::Limit => {
                OrderTerms { order_type: OrderType::Limit, trigger: Price::ZERO, ..asked }
            }
            // Put to the market, of which the broker makes a limit.
            OrderType::Limit if chased => OrderTerms { price: shown.price, ..asked },
            _ => asked,
        };
        if let (OrderForm::Super(asked), OrderForm::Super(shown)) = (&mut as_shown.form, shown.form) {
            if order.status == BrokerStatus::Cancelled {
                // Its exits went with it.
                *asked = shown;
            } else if !asked.trailing.is_zero() {
                // A stop that trails stands where the price has taken it.
                asked.stop = shown.stop;
            }
        }
        self.check(*shown == as_shown, || {
            format!("{subject}: to be {}, but the book has {}", in_words(&as_shown), in_words(shown))
        });
    }

    fn fate(&mut self, subject: &str, fate: Fate, orders: &[&Order], books: &Books, units_in_lot: u32) {
        let sum = |of: fn(&Order) -> Quantity| -> u32 { orders.iter().map(|order| of(order).get()).sum() };
        let (filled, whole) = (sum(|order| order.filled), sum(|order| order.terms.quantity));
        let all = |holds: fn(&BrokerStatus) -> bool| orders.iter().all(|order| holds(&order.status));
        let exited = |leg: Leg| -> u32 {
            let of_these = |exit: &&Order| {
                exit.leg == leg && orders.iter().any(|order| exit.parent.as_ref() == Some(&order.id))
            };
            books.orders.iter().filter(of_these).map(|exit| exit.filled.get()).sum()
        };
        let by = (exited(Leg::Target), exited(Leg::StopLoss));
        let taken = all(|status| *status != BrokerStatus::Rejected);
        let ended = taken && all(BrokerStatus::is_terminal);
        let through = filled == whole && all(is_through);
        let as_expected = match fate {
            Fate::Filled => through && by == (0, 0),
            Fate::Target => through && by == (whole, 0),
            Fate::Stop => through && by == (0, whole),
            Fate::Unfilled => ended && filled == 0,
            Fate::Cancelled(lots) => ended && filled == lots * units_in_lot && filled < whole,
            Fate::Rejected => all(|status| *status == BrokerStatus::Rejected),
            Fate::Any => ended,
        };
        self.check(as_expected, || {
            let states: Vec<&str> = orders.iter().map(|order| order.status.as_str()).collect();
            let exits = if by == (0, 0) {
                String::new()
            } else {
                format!(", {} closed by the target and {} by the stop", by.0, by.1)
            };
            format!(
                "{subject}: to be {}, but is {} with {filled} of {whole} filled{exits}",
                word(fate),
                states.join(", ")
            )
        });
    }

    /// Sent once, with the leader's own type and prices of that moment.
    fn request(&mut self, subject: &str, held: &Held<'_>, order: &Order) {
        let tag = order.ours.as_deref().unwrap_or_default();
        let requests: Vec<_> = held.found.requests.iter().filter(|request| request.tag == tag).collect();
        let [request] = requests.as_slice() else {
            return self.0.push(format!("{subject}: asked for {} times instead of once", requests.len()));
        };
        let is_as = |terms: &OrderTerms| {
            let asked = held.with_own_limit(terms.clone());
            (request.order_type, request.price, request.trigger)
                == (asked.order_type, asked.price, asked.trigger)
        };
        self.check(held.expectation.all_terms().any(is_as), || {
            let (order_type, price, trigger) = (request.order_type, request.price, request.trigger);
            format!("{subject}: asked for as {order_type} {price} trigger {trigger}")
        });
    }

    /// What was filled too much was closed again, and nothing else.
    fn repairs(&mut self, held: &Held<'_>) {
        let Held { subject, copy, expectation, repairs, .. } = held;
        if copy.fate == Fate::Any {
            return;
        }
        let units: u32 = repairs.iter().map(|order| order.filled.get()).sum();
        let other_side = expectation.order.side.opposite();
        let right = units == copy.repaired * expectation.units_in_lot
            && repairs.iter().all(|order| order.terms.side == other_side && is_through(&order.status));
        self.check(right, || {
            let lots = copy.repaired;
            format!("{subject}: {lots} lots to be closed again, but {units} units were")
        });
    }

    fn recorded(&mut self, held: &Held<'_>) {
        let Held { subject, copy, copies, .. } = held;
        let outcome = if copy.by_hand || copy.stopped { Outcome::Detached } else { Outcome::Sent };
        let filled: u32 = copies.iter().map(|order| order.filled.get()).sum();
        let filled_on_record: u32 = held.recorded.iter().map(|recorded| recorded.filled.get()).sum();
        let is_known = |order: &&Order| {
            let tag = order.ours.as_deref().unwrap_or_default();
            held.recorded.iter().filter_map(|recorded| recorded.known.get(tag)).any(|(status, units)| {
                let same = *status == order.status || (is_through(status) && is_through(&order.status));
                same && *units == order.terms.quantity
            })
        };
        let agrees = held.recorded.iter().all(|recorded| recorded.outcome == outcome)
            && filled == filled_on_record
            && copies.iter().chain(&held.repairs).all(is_known);
        self.check(agrees, || {
            let found: Vec<String> = copies
                .iter()
                .map(|order| format!("{}, {} of {}", order.status, order.filled, order.terms.quantity))
                .collect();
            let told: Vec<String> = held.recorded.iter().map(|recorded| told(recorded)).collect();
            format!("{subject}: {} filled, but on record as {}", found.join("; "), told.join("; "))
        });
    }

    fn positions(&mut self, name: &str, place: usize, left: &Remains, books: &Books) {
        self.check(books.positions == books.filled, || {
            format!("{name}: the positions are not the sum of the fills")
        });
        let instruments: BTreeSet<_> = left.keys().chain(books.positions.keys()).collect();
        for key in instruments {
            let found = books.positions.get(key).copied().unwrap_or_default();
            let expected = left.get(key).map_or(Some(0), |row| row[place]);
            self.check(expected.is_none_or(|expected| expected == found), || {
                let expected = expected.unwrap_or_default();
                format!("{name}: {expected} units of {} {} to be left, but there are {found}", key.0, key.1)
            });
        }
    }
}

impl Held<'_> {
    /// What the copy must ask for in the end.
    fn asked(&self, order: &Order) -> OrderTerms {
        let expectation = self.expectation;
        let last = match &expectation.seized[self.place] {
            Some(seized) => seized,
            // It was refused as it was placed, and never changed.
            None if self.copy.fate == Fate::Rejected => expectation.first_terms(),
            None => &expectation.terms,
        };
        self.with_own_limit(OrderTerms {
            quantity: order.terms.quantity,
            disclosed: Quantity::new(self.copy.shows * expectation.units_in_lot),
            ..last.clone()
        })
    }

    /// A stop at the market is copied as a stop with a limit.
    fn with_own_limit(&self, terms: OrderTerms) -> OrderTerms {
        match self.copy.limit {
            Some(price) => OrderTerms { order_type: OrderType::StopLoss, price, ..terms },
            None => terms,
        }
    }
}

/// The orders that Tandem placed, by its own numbers of them.
fn by_tag(books: &Books) -> BTreeMap<&str, &Order> {
    books.orders.iter().filter_map(|order| order.ours.as_deref().map(|tag| (tag, order))).collect()
}

/// A super order whose exits are through as well reads CLOSED in the book.
const fn is_through(status: &BrokerStatus) -> bool {
    matches!(status, BrokerStatus::Traded | BrokerStatus::Closed)
}

fn told(recorded: &Recorded) -> String {
    let reason = recorded.reason.map_or_else(String::new, |reason| format!(" ({reason})"));
    let known: Vec<String> =
        recorded.known.values().map(|(status, units)| format!("{status} of {units}")).collect();
    let Recorded { outcome, filled, copies, repairs, .. } = recorded;
    format!(
        "{outcome}{reason}, {} orders and {} repairs, {filled} filled [{}]",
        copies.len(),
        repairs.len(),
        known.join(", ")
    )
}

fn word(fate: Fate) -> String {
    match fate {
        Fate::Filled => "filled".to_owned(),
        Fate::Target => "filled, and closed by its target".to_owned(),
        Fate::Stop => "filled, and closed by its stop".to_owned(),
        Fate::Unfilled => "unfilled".to_owned(),
        Fate::Cancelled(lots) => format!("cancelled with {lots} lots filled"),
        Fate::Rejected => "rejected".to_owned(),
        Fate::Any => "taken and at an end".to_owned(),
    }
}

fn in_words(terms: &OrderTerms) -> String {
    let OrderTerms { side, quantity, instrument, product, order_type, time_in_force, price, trigger, .. } =
        terms;
    let shows =
        if terms.disclosed.is_zero() { String::new() } else { format!(" showing {}", terms.disclosed) };
    let exits = match terms.form {
        OrderForm::Super(legs) => {
            let price =
                |price: Option<Price>| price.map_or_else(|| "none".to_owned(), |price| price.to_string());
            let (target, stop) = (price(legs.target), price(legs.stop));
            format!(" target {target} stop {stop} trail {}", legs.trailing)
        }
        OrderForm::Ordinary | OrderForm::Forever(_) => String::new(),
    };
    format!(
        "{side} {quantity} of {instrument} {product} {order_type} {price} trigger {trigger} {time_in_force}{shows}{exits}"
    )
}

#[cfg(test)]
mod tests;
