//! Forever orders of the leader: one for each id, with one leg or two of which one cancels the other; and the ordinary
//! orders they leave when they fire.

use std::sync::Arc;

use super::LeaderOrder;
use super::evidence::{Beside, Evidence};
use crate::ids::BrokerOrderId;
use crate::order::{BrokerStatus, ForeverReport, Leg, OcoLeg, OrderForm, OrderReport};
use crate::price::Price;
use crate::quantity::Quantity;
use crate::time::{Timestamp, TradingDay};

/// A forever order, leg by leg.
#[derive(Debug, Default)]
pub(super) struct Forever {
    is_oco: bool,
    first: Option<Child>,
    second: Option<Child>,
    pub(super) state: Option<Arc<LeaderOrder>>,
}

/// One leg, and the order it left.
#[derive(Debug)]
struct Child {
    evidence: Evidence,
    taken_by: Option<BrokerOrderId>,
}

impl Forever {
    pub(super) fn add(&mut self, report: &ForeverReport, now: Timestamp) {
        self.is_oco |= report.is_oco;
        let order = &report.order;
        let leg = if self.is_oco && order.leg == Leg::StopLoss { &mut self.second } else { &mut self.first };
        match leg {
            Some(leg) => {
                leg.evidence.add(order, now);
            }
            None => *leg = Some(Child { evidence: Evidence::first(order, now), taken_by: None }),
        }
    }

    /// The order as a whole; none while one of two legs was not seen. What it filled is what the orders filled that its
    /// legs left: the list does not tell.
    pub(super) fn conclude<'a>(
        &self,
        trading_day: TradingDay,
        left: impl Fn(&BrokerOrderId) -> Option<&'a Evidence>,
    ) -> Option<LeaderOrder> {
        let first = &self.first.as_ref()?.evidence;
        let second = self.second.as_ref().map(|leg| &leg.evidence);
        if self.is_oco && second.is_none() {
            return None;
        }
        let oco = second.map(|leg| {
            let terms = leg.terms();
            OcoLeg { price: terms.price, trigger: terms.trigger, quantity: terms.quantity }
        });
        let beside = Beside {
            trading_day,
            form: OrderForm::Forever(oco),
            exited: Quantity::ZERO,
            forever_parent: None,
            fills: None,
        };
        let order = first.conclude(beside.clone());
        let legs = [&self.first, &self.second].into_iter().flatten();
        let executed = legs.map(|leg| leg.executed(&beside, &left)).max().unwrap_or_default();
        // What became of the leg that fired is what became of the order: the broker cancels the other one.
        let other =
            second.map(|leg| leg.conclude(beside)).filter(|other| rank(&other.status) > rank(&order.status));
        let (cumulative, average_price) = executed;
        Some(match other {
            None => LeaderOrder { cumulative, average_price, ..order },
            Some(other) => LeaderOrder {
                status: other.status,
                cumulative,
                average_price,
                reason: other.reason,
                ts_event: order.ts_event.max(other.ts_event),
                ..order
            },
        })
    }

    /// Whether this new order is what a leg of it left when it fired. Each leg leaves one.
    pub(super) fn takes(&mut self, report: &OrderReport) -> bool {
        let legs = [&mut self.first, &mut self.second].into_iter().flatten();
        let mut free = legs.filter(|leg| leg.taken_by.is_none() && leg.may_have_left(report));
        let Some(leg) = free.next() else { return false };
        leg.taken_by = Some(report.broker_order_id.clone());
        true
    }
}

impl Child {
    /// Units that the order it left has filled, and their average price. Where that order was not seen, a leg that reads
    /// TRADED has filled all it asked for.
    fn executed<'a>(
        &self,
        beside: &Beside,
        left: &impl Fn(&BrokerOrderId) -> Option<&'a Evidence>,
    ) -> (Quantity, Price) {
        if let Some(child) = self.taken_by.as_ref().and_then(left) {
            let child = child.conclude(beside.clone());
            return (child.cumulative, child.average_price);
        }
        let is_done = matches!(self.evidence.status(), BrokerStatus::Traded | BrokerStatus::Closed);
        let terms = self.evidence.terms();
        if is_done { (terms.quantity, terms.price) } else { (Quantity::ZERO, Price::ZERO) }
    }

    /// The list is read on a period and the order's frame comes at once: a leg that still rests by the list may have
    /// fired just now. One that was given up has not.
    fn may_have_left(&self, report: &OrderReport) -> bool {
        let (leg, child) = (self.evidence.terms(), &report.terms);
        let gave_up = matches!(
            self.evidence.status(),
            BrokerStatus::Cancelled | BrokerStatus::Rejected | BrokerStatus::Expired
        );
        !gave_up
            && leg.instrument == child.instrument
            && leg.side == child.side
            && leg.product == child.product
            && leg.quantity == child.quantity
            // A leg at the market has no price; its child may show the broker's protecting one.
            && (leg.price == child.price || leg.price.is_zero())
    }
}

/// Which of two legs' words tells more of the order.
const fn rank(status: &BrokerStatus) -> u8 {
    match status {
        BrokerStatus::Traded | BrokerStatus::Closed => 4,
        BrokerStatus::PartTraded => 3,
        BrokerStatus::Triggered => 2,
        BrokerStatus::Cancelled | BrokerStatus::Rejected | BrokerStatus::Expired => 0,
        _ => 1,
    }
}
