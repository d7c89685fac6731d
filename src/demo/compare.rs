//! Holds what was found against what was written down. Any difference is a sentence; none means that the day was right.

use std::collections::{BTreeMap, BTreeSet};

use tandem_domain::ids::BrokerOrderId;
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::mirror::Outcome;
use tandem_domain::order::{BrokerStatus, OrderTerms, OrderType, Product};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;

use super::books::{Books, Evidence, FollowerEvidence, Order, Recorded};
use super::day::{Copied, FOLLOWERS, Fate, LeaderOrder};
use crate::cli::ExitStatus;

/// What was written down about one leader order, with the order's number at the broker.
#[derive(Debug, Clone)]
pub(super) struct Expectation {
    /// Line of the script.
    pub(super) line: usize,
    pub(super) leader_order: BrokerOrderId,
    /// What the leader asked for.
    pub(super) terms: OrderTerms,
    pub(super) order: LeaderOrder,
    pub(super) units_in_lot: u32,
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

impl Differences {
    fn check(&mut self, holds: bool, sentence: impl FnOnce() -> String) {
        if !holds {
            self.0.push(sentence());
        }
    }

    fn leader(&mut self, expected: &[Expectation], books: &Books) {
        for expectation in expected {
            let line = expectation.line;
            match books.orders.iter().find(|order| order.id == expectation.leader_order) {
                Some(order) => self.fate(&format!("line {line}, leader"), expectation.order.fate, order),
                None => self.0.push(format!("line {line}: the leader's order is not in his book")),
            }
        }
    }

    /// One order for each expected copy, nothing else, and the daemon's records tell the same.
    fn follower(&mut self, name: &str, place: usize, expected: &[Expectation], found: &FollowerEvidence) {
        let ours: BTreeMap<&str, &Order> = found
            .books
            .orders
            .iter()
            .filter_map(|order| order.ours.as_deref().map(|tag| (tag, order)))
            .collect();
        let tagged = found.books.orders.iter().filter(|order| order.ours.is_some()).count();
        self.check(tagged == ours.len(), || format!("{name}: {tagged} orders share {} tags", ours.len()));

        let mut explained = BTreeSet::new();
        for expectation in expected {
            let subject = format!("line {}, {name}", expectation.line);
            let Some(recorded) = found.recorded.get(&expectation.leader_order) else {
                self.0.push(format!("{subject}: nothing on record"));
                continue;
            };
            match expectation.order.copies[place] {
                Copied::Skipped(reason) => {
                    let skipped = recorded.outcome == Outcome::Skipped && recorded.reason == Some(reason);
                    self.check(skipped && recorded.placed.is_empty(), || {
                        format!("{subject}: to be skipped ({reason}), but on record as {}", told(recorded))
                    });
                }
                Copied::Order { lots, fate } => {
                    let tag = recorded.placed.first().map(|(tag, _)| tag.as_str()).unwrap_or_default();
                    match ours.get(tag) {
                        Some(order) => {
                            explained.insert(tag);
                            let terms = OrderTerms {
                                quantity: Quantity::new(lots * expectation.units_in_lot),
                                ..expectation.terms.clone()
                            };
                            self.terms(&subject, &terms, order);
                            self.fate(&subject, fate, order);
                            self.request(&subject, &terms, tag, found);
                            self.recorded(&subject, recorded, order);
                        }
                        None => self.0.push(format!(
                            "{subject}: {lots} lots to be copied, but there is no order; on record as {}",
                            told(recorded)
                        )),
                    }
                }
            }
        }
        for (tag, order) in &ours {
            self.check(explained.contains(tag), || {
                format!("{name}: order {} ({tag}) was to be placed by nobody", order.id)
            });
        }
        let expected_orders: BTreeSet<_> = expected.iter().map(|of| &of.leader_order).collect();
        for leader_order in found.recorded.keys().filter(|order| !expected_orders.contains(order)) {
            self.0.push(format!(
                "{name}: leader order {leader_order} is on record, and the leader never placed it"
            ));
        }
        self.check(found.recorded_fills == found.books.fills, || {
            format!("{name}: {} fills, {} of them on record", found.books.fills, found.recorded_fills)
        });
    }

    /// What the book shows: the broker turns MARKET into a limit, and a fired stop into one without trigger.
    fn terms(&mut self, subject: &str, asked: &OrderTerms, order: &Order) {
        let shown = &order.terms;
        let rejected = order.status == BrokerStatus::Rejected;
        let as_shown = match asked.order_type {
            // Its limit is the broker's own; that none was asked for is seen in the request.
            OrderType::Market if !rejected => {
                OrderTerms { order_type: OrderType::Limit, price: shown.price, ..asked.clone() }
            }
            OrderType::StopLoss if shown.order_type == OrderType::Limit => {
                OrderTerms { order_type: OrderType::Limit, trigger: Price::ZERO, ..asked.clone() }
            }
            _ => asked.clone(),
        };
        self.check(*shown == as_shown, || {
            format!("{subject}: to be {}, but the book has {}", in_words(&as_shown), in_words(shown))
        });
    }

    fn fate(&mut self, subject: &str, fate: Fate, order: &Order) {
        let (filled, whole) = (order.filled, order.terms.quantity);
        let taken = order.status != BrokerStatus::Rejected;
        let as_expected = match fate {
            Fate::Filled => filled == whole && order.status == BrokerStatus::Traded,
            Fate::Unfilled => filled.is_zero() && taken && order.status.is_terminal(),
            Fate::Rejected => !taken,
            Fate::Any => taken && order.status.is_terminal(),
        };
        self.check(as_expected, || {
            let status = &order.status;
            format!("{subject}: to be {}, but is {status} with {filled} of {whole} filled", word(fate))
        });
    }

    /// Sent once, with the leader's own type and prices.
    fn request(&mut self, subject: &str, asked: &OrderTerms, tag: &str, found: &FollowerEvidence) {
        let requests: Vec<_> = found.requests.iter().filter(|request| request.tag == tag).collect();
        let [request] = requests.as_slice() else {
            return self.0.push(format!("{subject}: asked for {} times instead of once", requests.len()));
        };
        let same = (request.order_type, request.price, request.trigger)
            == (asked.order_type, asked.price, asked.trigger);
        self.check(same, || {
            let (order_type, price, trigger) = (request.order_type, request.price, request.trigger);
            format!("{subject}: asked for as {order_type} {price} trigger {trigger}")
        });
    }

    fn recorded(&mut self, subject: &str, recorded: &Recorded, order: &Order) {
        let agrees = recorded.outcome == Outcome::Sent
            && matches!(recorded.placed.as_slice(), [(_, asked)] if *asked == order.terms.quantity)
            && recorded.filled == order.filled
            && recorded.status.as_ref() == Some(&order.status);
        self.check(agrees, || {
            let (status, filled, whole) = (&order.status, order.filled, order.terms.quantity);
            format!("{subject}: {status}, {filled} of {whole} filled, but on record as {}", told(recorded))
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

fn told(recorded: &Recorded) -> String {
    let reason = recorded.reason.map_or_else(String::new, |reason| format!(" ({reason})"));
    let status = recorded.status.as_ref().map_or_else(String::new, |status| format!(", {status}"));
    let asked: u32 = recorded.placed.iter().map(|(_, quantity)| quantity.get()).sum();
    format!("{}{reason}{status}, {} of {asked} filled", recorded.outcome, recorded.filled)
}

const fn word(fate: Fate) -> &'static str {
    match fate {
        Fate::Filled => "filled",
        Fate::Unfilled => "unfilled",
        Fate::Rejected => "rejected",
        Fate::Any => "taken and at an end",
    }
}

fn in_words(terms: &OrderTerms) -> String {
    let OrderTerms { side, quantity, instrument, product, order_type, time_in_force, price, trigger, .. } =
        terms;
    format!(
        "{side} {quantity} of {instrument} {product} {order_type} {price} trigger {trigger} {time_in_force}"
    )
}

#[cfg(test)]
mod tests;
