//! Watches over what the lists should have explained and did not: legs without an order, orders without their legs.
//! Neither is copied, so a person must know, once.

use std::collections::{BTreeMap, BTreeSet};

use tandem_domain::ids::BrokerOrderId;
use tandem_domain::leader::LeaderBook;

use super::LeaderStream;
use super::reading::Listing;

/// What is unexplained, and for how long.
#[derive(Debug, Default)]
pub(super) struct LegWatch {
    legs: BTreeMap<BrokerOrderId, Doubt>,
    orders: BTreeMap<BrokerOrderId, Doubt>,
    /// What was unexplained already when the read under way began.
    at_begin: BTreeSet<BrokerOrderId>,
    told: BTreeSet<BrokerOrderId>,
}

/// Which lists were read, from begin to end, since something was in doubt.
#[derive(Debug, Default, Clone, Copy)]
struct Doubt {
    supers: bool,
    orders: bool,
}

impl LegWatch {
    pub(super) fn read_begins(&mut self, book: &LeaderBook) {
        keep_in_step(&mut self.legs, book.unlinked_legs());
        keep_in_step(&mut self.orders, book.without_legs());
        self.at_begin = self.legs.keys().chain(self.orders.keys()).cloned().collect();
    }

    /// The read that began last is done, and told all.
    pub(super) fn read_done(&mut self, listing: Listing) {
        for (id, doubt) in self.legs.iter_mut().chain(&mut self.orders) {
            if self.at_begin.contains(id) {
                doubt.supers |= listing == Listing::Supers;
                doubt.orders |= listing == Listing::Orders;
            }
        }
    }

    /// Legs of no order that anybody knows, and orders whose legs nobody knows, though both lists were read. Each once.
    fn take_overdue(&mut self, book: &LeaderBook) -> (Vec<BrokerOrderId>, Vec<BrokerOrderId>) {
        keep_in_step(&mut self.legs, book.unlinked_legs());
        keep_in_step(&mut self.orders, book.without_legs());
        let mut overdue = |doubts: &BTreeMap<BrokerOrderId, Doubt>| -> Vec<_> {
            let overdue = doubts.iter().filter(|(_, doubt)| doubt.supers && doubt.orders);
            overdue.map(|(id, _)| id.clone()).filter(|id| self.told.insert(id.clone())).collect()
        };
        (overdue(&self.legs), overdue(&self.orders))
    }
}

/// Doubts are of what is in doubt now; old ones keep their age.
fn keep_in_step<'a>(
    doubts: &mut BTreeMap<BrokerOrderId, Doubt>,
    now: impl Iterator<Item = &'a BrokerOrderId>,
) {
    let known = std::mem::take(doubts);
    *doubts = now.map(|id| (id.clone(), known.get(id).copied().unwrap_or_default())).collect();
}

impl LeaderStream {
    pub(super) fn tell_of_legs(&mut self) {
        let (legs, orders) = self.legs.take_overdue(&self.book);
        for leg in legs {
            let text = "a leg of a super, cover or bracket order of the leader belongs to no order that can be found: \
                        it is not copied; look at it in both accounts";
            self.alert("leader_leg_unlinked", leg.to_string(), text.to_owned());
        }
        for order in orders {
            let text = "the exits of an order of the leader cannot be found: it is not copied, for the copy would have no \
                        stop; look at it in both accounts";
            self.alert("leader_legs_unknown", order.to_string(), text.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use tandem_domain::ids::DhanClientId;
    use tandem_domain::instrument::{ExchangeSegment, InstrumentKey, SecurityId};
    use tandem_domain::order::{
        BrokerStatus, EvidenceSource, Leg, OrderForm, OrderReport, OrderTerms, OrderType, Product, Side,
        TimeInForce,
    };
    use tandem_domain::price::Price;
    use tandem_domain::quantity::Quantity;
    use tandem_domain::time::Timestamp;

    use super::*;

    fn report(id: &str, leg: Leg) -> OrderReport {
        OrderReport {
            account: DhanClientId::new("1000000101").unwrap(),
            broker_order_id: BrokerOrderId::new(id).unwrap(),
            exchange_order_id: None,
            tag: None,
            terms: OrderTerms {
                instrument: InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(1) },
                side: Side::Sell,
                product: Product::Margin,
                order_type: OrderType::Limit,
                time_in_force: TimeInForce::Day,
                quantity: Quantity::new(65),
                disclosed: Quantity::ZERO,
                price: Price::from_paise(20_500),
                trigger: Price::ZERO,
                after_market: false,
                form: OrderForm::Ordinary,
            },
            status: BrokerStatus::Pending,
            cumulative: Quantity::ZERO,
            average_price: Price::ZERO,
            reason: None,
            leg,
            parent: None,
            last_price: None,
            ts_event: Timestamp::EPOCH,
            ts_exchange: None,
            ts_created: None,
            source: EvidenceSource::Stream,
        }
    }

    #[test]
    fn what_no_list_explains_is_told_once_after_both_were_read_from_begin_to_end() {
        let mut book = LeaderBook::new(Timestamp::EPOCH.trading_day());
        let mut watch = LegWatch::default();
        let (leg, entry) = (report("leg", Leg::Target), report("entry", Leg::Entry));
        watch.read_begins(&book);
        book.merge(&leg, Timestamp::EPOCH);
        book.merge(&entry, Timestamp::EPOCH);
        watch.read_done(Listing::Supers);
        assert_eq!(watch.take_overdue(&book), (vec![], vec![]), "the read began before they were seen");
        watch.read_begins(&book);
        watch.read_done(Listing::Supers);
        assert_eq!(watch.take_overdue(&book), (vec![], vec![]), "the order book may tell");
        watch.read_begins(&book);
        watch.read_done(Listing::Orders);
        assert_eq!(watch.take_overdue(&book), (vec![leg.broker_order_id], vec![entry.broker_order_id]));
        assert_eq!(watch.take_overdue(&book), (vec![], vec![]));
    }
}
