//! A broker's account of a few lines: what it was asked for, and what became of it.

use std::sync::Arc;

use tandem_domain::account::PositionReport;
use tandem_domain::ids::{BrokerOrderId, DhanClientId, Tag};
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::mirror::{Answer, Ask, Refused, Request};
use tandem_domain::order::{BrokerStatus, EvidenceSource, Leg, OrderReport, OrderTerms, OrderType, Product};
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::{Quantity, SignedQuantity};
use tandem_domain::time::Timestamp;

/// What becomes of one request, and what is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Taken,
    Refused,
    NotSent,
    Busy,
    LostBefore,
    LostAfter,
    /// "Taken", and nothing came of it; of changes only.
    Hollow,
}

/// One account: the leader's or the follower's.
#[derive(Debug)]
pub(crate) struct Account {
    id: DhanClientId,
    prefix: &'static str,
    pub(crate) orders: Vec<OrderReport>,
    pub(crate) carried: Vec<(InstrumentKey, i64)>,
}

impl Account {
    pub(crate) fn new(id: DhanClientId, prefix: &'static str, carried: Vec<(InstrumentKey, i64)>) -> Self {
        Self { id, prefix, orders: Vec::new(), carried }
    }

    /// A new order; its place in the book.
    pub(crate) fn place(&mut self, terms: OrderTerms, tag: Option<Tag>, now: Timestamp) -> usize {
        let id = format!("{}{:05}", self.prefix, self.orders.len());
        self.orders.push(OrderReport {
            account: self.id.clone(),
            broker_order_id: BrokerOrderId::new(id).unwrap(),
            exchange_order_id: None,
            tag,
            terms,
            status: BrokerStatus::Pending,
            cumulative: Quantity::ZERO,
            average_price: Price::ZERO,
            reason: None,
            leg: Leg::Single,
            ts_event: now,
            ts_exchange: None,
            ts_created: Some(now),
            parent: None,
            last_price: None,
            source: EvidenceSource::Book,
        });
        self.orders.len() - 1
    }

    /// Does what a request asks, if its fate lets it; what its sender is told.
    pub(crate) fn take(&mut self, request: &Request, fate: Fate, now: Timestamp) -> Answer {
        let arrives = matches!(fate, Fate::Taken | Fate::LostAfter);
        let no: Arc<str> = "no".into();
        let truth = match &request.ask {
            Ask::Place(terms) if arrives => {
                let tag = Some(Tag::from(&request.client_order_id));
                let place = self.place(terms.clone(), tag, now);
                Answer::Accepted(self.orders[place].broker_order_id.clone())
            }
            Ask::Place(_) => Answer::Refused(Refused::Other, Arc::clone(&no)),
            Ask::Modify { broker_order_id, .. } | Ask::Cancel { broker_order_id, .. } => {
                let order = self.orders.iter_mut().find(|order| order.broker_order_id == *broker_order_id);
                match order.filter(|order| !order.status.is_terminal()) {
                    None => Answer::Refused(Refused::Over, Arc::clone(&no)),
                    Some(order) => {
                        if arrives {
                            change(order, &request.ask, now);
                        }
                        Answer::Accepted(broker_order_id.clone())
                    }
                }
            }
        };
        match fate {
            Fate::Taken | Fate::Hollow => truth,
            Fate::Refused => Answer::Refused(Refused::InTransit, no),
            Fate::NotSent => Answer::NotSent,
            Fate::Busy => Answer::Busy,
            Fate::LostBefore | Fate::LostAfter => Answer::Lost,
        }
    }

    /// Fills so many units more of a living order.
    pub(crate) fn fill(&mut self, at: usize, units: u32, now: Timestamp) {
        let order = &mut self.orders[at];
        fire(order);
        let filled = order.cumulative.get().saturating_add(units).min(order.terms.quantity.get());
        let is_whole = filled == order.terms.quantity.get();
        order.cumulative = Quantity::new(filled);
        order.average_price = Price::from_paise(10_000);
        order.status = if is_whole { BrokerStatus::Traded } else { BrokerStatus::PartTraded };
        order.ts_event = now;
    }

    /// Ends a living order.
    pub(crate) fn end(&mut self, at: usize, status: BrokerStatus, now: Timestamp) {
        (self.orders[at].status, self.orders[at].ts_event) = (status, now);
    }

    pub(crate) fn living(&self) -> Vec<usize> {
        let lives = |at: &usize| !self.orders[*at].status.is_terminal();
        (0..self.orders.len()).filter(lives).collect()
    }

    pub(crate) fn carried_in(&self, instrument: InstrumentKey) -> i64 {
        self.carried.iter().filter(|(of, _)| *of == instrument).map(|(_, units)| units).sum()
    }

    pub(crate) fn net(&self, instrument: InstrumentKey) -> i64 {
        let of_it = self.orders.iter().filter(|order| order.terms.instrument == instrument);
        let traded: i64 = of_it.map(|order| order.terms.side.signed(order.cumulative).0).sum();
        traded + self.carried_in(instrument)
    }

    pub(crate) fn positions(&self, instruments: &[InstrumentKey], now: Timestamp) -> Vec<PositionReport> {
        let row = |instrument: &InstrumentKey| PositionReport {
            instrument: *instrument,
            product: Product::Margin,
            net: SignedQuantity(self.net(*instrument)),
            carried: SignedQuantity(self.carried_in(*instrument)),
            buy_average: Price::from_paise(10_000),
            sell_average: Price::from_paise(10_000),
            realised: Money::ZERO,
            unrealised: Money::ZERO,
            ts_event: now,
        };
        instruments.iter().map(row).collect()
    }
}

fn change(order: &mut OrderReport, ask: &Ask, now: Timestamp) {
    order.ts_event = now;
    match ask {
        Ask::Modify { terms, .. } => {
            order.terms = OrderTerms { quantity: terms.quantity.max(order.cumulative), ..terms.clone() };
            if order.terms.quantity == order.cumulative {
                order.status = BrokerStatus::Traded;
            }
        }
        Ask::Cancel { .. } => order.status = BrokerStatus::Cancelled,
        Ask::Place(_) => {}
    }
}

/// A stop whose trigger was touched is a limit from then on (`dhanhq-v2.md` section 2.9).
pub(crate) fn fire(order: &mut OrderReport) {
    if order.terms.order_type.is_stop() {
        (order.terms.order_type, order.terms.trigger) = (OrderType::Limit, Price::ZERO);
    }
}
