//! The exits of a super, cover or bracket order: what their owner asks for, and how far they have closed what the entry
//! opened.
//!
//! A row of the list of super orders shows all legs at one moment, without a time of their own; so rows are ordered by
//! when they were read. Not every difference between two rows is the owner's doing: a stop that trails moves by itself,
//! the leg that is left over when the other fires is cancelled by the broker, and so is everything at the end.

use crate::order::Side;
use crate::order::{BrokerStatus, ExitLegs, Leg, LegReport, SuperReport};
use crate::price::Price;
use crate::quantity::Quantity;
use crate::time::Timestamp;

use super::evidence::Evidence;

/// What the list of super orders, or the order's own row, has told of an order's exits.
#[derive(Debug, Default)]
pub(super) struct Exits {
    /// By when they were read; of rows that say the same, the first and the last.
    rows: Vec<Row>,
    /// The most that each leg was seen to have fired: stop, target.
    triggered: (Quantity, Quantity),
    /// Whether the list tells the ids of its stop and its target.
    named: (bool, bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    read: Timestamp,
    shown: Shown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown {
    stop: Said,
    target: Said,
    trailing: Price,
}

/// What a row says of one leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// Its owner asks for it, at this price, or for none.
    Asked(Option<Price>),
    /// It fired, or ended with the order: no word of its owner's. The price it had, for who sees it for the first time.
    Over(Option<Price>),
}

/// One leg as its own frames and rows show it.
#[derive(Debug, Clone, Copy)]
pub(super) struct LinkedLeg<'a> {
    pub(super) leg: Leg,
    pub(super) evidence: &'a Evidence,
}

impl Exits {
    /// Takes a row of the list of super orders in.
    pub(super) fn add(&mut self, report: &SuperReport, read: Timestamp) {
        let leg = |kind: Leg| report.legs.iter().find(|leg| leg.leg == kind);
        let (stop, target) = (leg(Leg::StopLoss), leg(Leg::Target));
        let triggered = |leg: Option<&LegReport>| leg.map_or(Quantity::ZERO, |leg| leg.triggered);
        self.triggered.0 = self.triggered.0.max(triggered(stop));
        self.triggered.1 = self.triggered.1.max(triggered(target));
        let named = |leg: Option<&LegReport>| leg.is_some_and(|leg| leg.broker_order_id.is_some());
        self.named = (self.named.0 || named(stop), self.named.1 || named(target));
        let is_over = report.entry.status.is_terminal() && report.entry.status != BrokerStatus::Traded
            || [stop, target].into_iter().flatten().any(has_fired);
        let trailing = stop.map_or(Price::ZERO, |leg| leg.trailing);
        self.insert(Row {
            read,
            shown: Shown { stop: said(stop, is_over), target: said(target, is_over), trailing },
        });
    }

    /// Takes exits in that stand in the order's own row.
    pub(super) fn add_own(&mut self, legs: ExitLegs, read: Timestamp) {
        let (stop, target) = (Said::Asked(legs.stop), Said::Asked(legs.target));
        self.insert(Row { read, shown: Shown { stop, target, trailing: legs.trailing } });
    }

    fn insert(&mut self, row: Row) {
        let at = self.rows.partition_point(|known| known.read <= row.read);
        if at.checked_sub(1).is_some_and(|at| self.rows[at] == row) {
            return;
        }
        self.rows.insert(at, row);
        // Only the two neighbours of the new row, and itself, can have become a repetition.
        for middle in [at + 1, at, at.saturating_sub(1)] {
            let Some(first) = middle.checked_sub(1) else { continue };
            if let Some([before, here, after]) = self.rows.get(first..=middle + 1)
                && before.shown == here.shown
                && here.shown == after.shown
            {
                self.rows.remove(middle);
            }
        }
    }

    pub(super) const fn is_known(&self) -> bool {
        !self.rows.is_empty()
    }

    /// Whether the list tells the id of this leg.
    pub(super) const fn names(&self, leg: Leg) -> bool {
        match leg {
            Leg::StopLoss => self.named.0,
            Leg::Target => self.named.1,
            Leg::Single | Leg::Entry => true,
        }
    }

    /// What the owner asks for: the rows gone through in the order of their reads, leaving out what happened by itself.
    pub(super) fn asked(&self, entry: Side) -> Option<ExitLegs> {
        let mut rows = self.rows.iter().map(|row| &row.shown);
        let first = rows.next()?;
        let mut asked =
            ExitLegs { target: first.target.price(), stop: first.stop.price(), trailing: first.trailing };
        let mut seen = asked.stop;
        for next in rows {
            if let Said::Asked(target) = next.target {
                asked.target = target;
            }
            if let Said::Asked(stop) = next.stop {
                if next.trailing != asked.trailing || !has_trailed(seen, stop, asked.trailing, entry) {
                    asked.stop = stop;
                }
                asked.trailing = next.trailing;
                seen = stop;
            }
        }
        Some(asked)
    }

    /// Units that the legs have closed, by the list and by their own reports.
    pub(super) fn exited(&self, legs: &[LinkedLeg<'_>]) -> Quantity {
        let reported = |kind: Leg| {
            let filled = legs.iter().filter(|leg| leg.leg == kind).map(|leg| leg.evidence.cumulative());
            filled.max().unwrap_or_default()
        };
        let stop = self.triggered.0.max(reported(Leg::StopLoss));
        let target = self.triggered.1.max(reported(Leg::Target));
        stop.checked_add(target).unwrap_or(stop.max(target))
    }
}

/// What the owner of a cover or bracket order asks for, by the reports of its legs; what `own` told where there is none.
pub(super) fn asked_of_legs(own: Option<ExitLegs>, legs: &[LinkedLeg<'_>], is_over: bool) -> ExitLegs {
    let is_over = is_over
        || legs.iter().any(|leg| !leg.evidence.cumulative().is_zero() || leg.evidence.status().is_fired());
    let mut asked = own.unwrap_or(ExitLegs { target: None, stop: None, trailing: Price::ZERO });
    for LinkedLeg { leg, evidence } in legs {
        let terms = evidence.terms();
        let price = if terms.trigger.is_zero() { terms.price } else { terms.trigger };
        let gone = *evidence.status() == BrokerStatus::Cancelled && !is_over;
        let price = Some(price).filter(|price| !price.is_zero() && !gone);
        match leg {
            Leg::StopLoss => asked.stop = price,
            Leg::Target => asked.target = price,
            Leg::Single | Leg::Entry => {}
        }
    }
    asked
}

fn has_fired(leg: &LegReport) -> bool {
    !leg.triggered.is_zero() || leg.status.is_fired()
}

impl BrokerStatus {
    /// Of a leg: whether it has fired.
    const fn is_fired(&self) -> bool {
        matches!(self, Self::Triggered | Self::PartTraded | Self::Traded | Self::Closed)
    }
}

fn said(leg: Option<&LegReport>, is_over: bool) -> Said {
    let Some(leg) = leg else {
        return if is_over { Said::Over(None) } else { Said::Asked(None) };
    };
    let price = Some(leg.price).filter(|price| !price.is_zero());
    match leg.status {
        BrokerStatus::Cancelled if !is_over => Said::Asked(None),
        _ if has_fired(leg) || leg.status.is_terminal() => Said::Over(price),
        _ => Said::Asked(price),
    }
}

impl Said {
    const fn price(self) -> Option<Price> {
        match self {
            Self::Asked(price) | Self::Over(price) => price,
        }
    }
}

/// Whether a stop moved as its own trail moves it: in the favourable direction by a whole number of jumps.
fn has_trailed(before: Option<Price>, after: Option<Price>, jump: Price, entry: Side) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return false };
    if jump.is_zero() {
        return false;
    }
    let moved = after.units() - before.units();
    let favourable = if entry == Side::Buy { moved } else { -moved };
    favourable >= 0 && favourable % jump.units() == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(rupees: u32) -> Price {
        Price::from_paise(rupees * 100)
    }

    #[test]
    fn a_stop_trails_upwards_below_a_bought_position_and_downwards_above_a_sold_one() {
        for (before, after, jump, entry, trails) in [
            (100, 104, 2, Side::Buy, true),
            (100, 100, 2, Side::Buy, true),
            (100, 103, 2, Side::Buy, false),
            (100, 98, 2, Side::Buy, false),
            (100, 104, 0, Side::Buy, false),
            (100, 96, 2, Side::Sell, true),
            (100, 104, 2, Side::Sell, false),
        ] {
            let trailed = has_trailed(Some(price(before)), Some(price(after)), price(jump), entry);
            assert_eq!(trailed, trails, "{before} to {after} by {jump}, {entry}");
        }
    }
}
