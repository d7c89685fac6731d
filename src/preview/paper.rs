//! A broker on paper for one follower: takes every approved request at once, and fills an order only when and at what price
//! the recording lets it.

use std::collections::BTreeMap;

use tandem_domain::follower::Event;
use tandem_domain::ids::{BrokerOrderId, ClientOrderId, DhanClientId, IdError, Tag};
use tandem_domain::mirror::{Answer, Ask, OrderPart, Refused, Request};
use tandem_domain::order::{
    BrokerStatus, EvidenceSource, ExitLegs, Leg, OrderForm, OrderReport, OrderTerms, OrderType, Side,
    TimeInForce,
};
use tandem_domain::pacing::Purpose;
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;
use tandem_domain::time::Timestamp;

use super::holdings::Tape;

/// The account's orders, in the order they were placed.
#[derive(Debug)]
pub(super) struct Paper {
    account: DhanClientId,
    orders: Vec<PaperOrder>,
    by_id: BTreeMap<BrokerOrderId, usize>,
}

/// One order of a follower.
#[derive(Debug)]
pub(super) struct PaperOrder {
    pub(super) client_order_id: ClientOrderId,
    broker_order_id: BrokerOrderId,
    pub(super) terms: OrderTerms,
    pub(super) purpose: Purpose,
    pub(super) filled: u32,
    /// What the filled units are worth, in 1/10,000 rupee.
    value: i128,
    status: BrokerStatus,
    placed_at: Timestamp,
    /// Whether it was there when a price was known and did not trade at it: it trades at its own limit from then on.
    rests: bool,
    /// Units that its exit legs closed.
    pub(super) exited: u32,
}

impl PaperOrder {
    pub(super) const fn is_live(&self) -> bool {
        !self.status.is_terminal()
    }

    pub(super) const fn is_ioc(&self) -> bool {
        matches!(self.terms.time_in_force, TimeInForce::Ioc)
    }

    /// Units it stands for: all of them while it works, what was filled once it is over.
    pub(super) const fn stands_for(&self) -> u32 {
        if self.is_live() { self.terms.quantity.get() } else { self.filled }
    }

    /// Units that may yet fill.
    pub(super) const fn open(&self) -> u32 {
        self.stands_for().saturating_sub(self.filled)
    }

    /// Whether it is an entry that brings its exits.
    pub(super) const fn is_super(&self) -> bool {
        matches!(self.terms.form, OrderForm::Super(_))
    }

    /// At which price it trades where `last` is the last price known; none where it rests.
    pub(super) fn trades_at(&self, last: Price) -> Option<Price> {
        let terms = &self.terms;
        let is_buy = terms.side == Side::Buy;
        let reaches = |price: Price, bound: Price| if is_buy { price <= bound } else { price >= bound };
        if terms.order_type.is_stop() && !reaches(terms.trigger, last) {
            return None;
        }
        let is_market = matches!(terms.order_type, OrderType::Market | OrderType::StopLossMarket);
        if is_market || terms.price.is_zero() {
            return Some(last);
        }
        reaches(last, terms.price).then_some(if self.rests { terms.price } else { last })
    }
}

impl Paper {
    pub(super) const fn new(account: DhanClientId) -> Self {
        Self { account, orders: Vec::new(), by_id: BTreeMap::new() }
    }

    pub(super) fn orders(&self) -> &[PaperOrder] {
        &self.orders
    }

    /// Does what is asked. What comes back, in this order.
    pub(super) fn carry_out(
        &mut self,
        request: &Request,
        number: usize,
        now: Timestamp,
    ) -> Result<Vec<Event>, IdError> {
        let (answer, index) = match &request.ask {
            Ask::Place(terms) => {
                let id = BrokerOrderId::new(format!("PAPER{number:03}{:05}", self.orders.len() + 1))?;
                self.by_id.insert(id.clone(), self.orders.len());
                self.orders.push(PaperOrder {
                    client_order_id: request.client_order_id.clone(),
                    broker_order_id: id.clone(),
                    terms: terms.clone(),
                    purpose: request.purpose,
                    filled: 0,
                    value: 0,
                    status: BrokerStatus::Pending,
                    placed_at: now,
                    rests: false,
                    exited: 0,
                });
                (Answer::Accepted(id), Some(self.orders.len() - 1))
            }
            Ask::Modify { broker_order_id, terms, .. } => {
                self.modify(broker_order_id, terms, request.purpose)
            }
            Ask::Cancel { broker_order_id, part, .. } => self.cancel(broker_order_id, *part),
        };
        let client_order_id = request.client_order_id.clone();
        let mut events =
            vec![Event::Left, Event::Answered { client_order_id, serial: request.serial, answer }];
        events.extend(index.and_then(|index| self.report(index, now)));
        Ok(events)
    }

    fn modify(
        &mut self,
        id: &BrokerOrderId,
        terms: &OrderTerms,
        purpose: Purpose,
    ) -> (Answer, Option<usize>) {
        let known = self.by_id.get(id).copied();
        let Some((index, order)) = known.and_then(|index| Some((index, self.orders.get_mut(index)?))) else {
            return (Answer::Refused(Refused::Over, "no such order".into()), None);
        };
        if !order.is_live() && !order.is_super() {
            return (Answer::Refused(Refused::Over, "it is over".into()), Some(index));
        }
        if terms.quantity.get() < order.filled {
            return (Answer::Refused(Refused::Other, "more is filled".into()), Some(index));
        }
        (order.terms, order.purpose, order.rests) = (terms.clone(), purpose, false);
        if order.terms.quantity.get() == order.filled {
            order.status = BrokerStatus::Traded;
        }
        (Answer::Accepted(id.clone()), Some(index))
    }

    fn cancel(&mut self, id: &BrokerOrderId, part: OrderPart) -> (Answer, Option<usize>) {
        let known = self.by_id.get(id).copied();
        let Some((index, order)) = known.and_then(|index| Some((index, self.orders.get_mut(index)?))) else {
            return (Answer::Refused(Refused::Over, "no such order".into()), None);
        };
        let is_live = order.is_live();
        match (part, &mut order.terms.form) {
            (OrderPart::Target, OrderForm::Super(legs)) => legs.target = None,
            (OrderPart::Stop, OrderForm::Super(legs)) => legs.stop = None,
            (_, OrderForm::Super(legs)) if order.status == BrokerStatus::Traded => {
                *legs = ExitLegs { target: None, stop: None, trailing: Price::ZERO };
            }
            _ if is_live => order.status = BrokerStatus::Cancelled,
            _ => return (Answer::Refused(Refused::Over, "it is over".into()), Some(index)),
        }
        (Answer::Accepted(id.clone()), Some(index))
    }

    /// Fills so many units; what the account hears of it.
    pub(super) fn fill(&mut self, index: usize, units: u32, price: Price, now: Timestamp) -> Option<Event> {
        let order = self.orders.get_mut(index)?;
        order.filled += units;
        order.value += i128::from(units) * i128::from(price.units());
        let is_whole = order.filled >= order.terms.quantity.get();
        order.status = if is_whole { BrokerStatus::Traded } else { BrokerStatus::PartTraded };
        self.report(index, now)
    }

    /// It met a price and did not trade.
    pub(super) fn rest(&mut self, index: usize) {
        if let Some(order) = self.orders.get_mut(index) {
            order.rests = true;
        }
    }

    /// The exchange ends it.
    pub(super) fn end(&mut self, index: usize, status: BrokerStatus, now: Timestamp) -> Option<Event> {
        self.orders.get_mut(index)?.status = status;
        self.report(index, now)
    }

    /// An exit leg of it fills so many units; once it is done, the other is cancelled (`dhanhq-v2.md` section 3.1).
    pub(super) fn exit(
        &mut self,
        index: usize,
        leg: Leg,
        units: u32,
        price: Price,
        now: Timestamp,
    ) -> Vec<Event> {
        let Some(order) = self.orders.get_mut(index) else { return Vec::new() };
        order.exited += units;
        let (exited, is_whole) = (order.exited, order.exited >= order.filled);
        let status = if is_whole { BrokerStatus::Traded } else { BrokerStatus::PartTraded };
        let OrderForm::Super(asked) = order.terms.form else { return Vec::new() };
        let other = match leg {
            Leg::StopLoss => asked.target.map(|price| (Leg::Target, price)),
            _ => asked.stop.map(|price| (Leg::StopLoss, price)),
        };
        let fired = self.leg(index, leg, price, (status, exited), now);
        let other = other
            .filter(|_| is_whole)
            .and_then(|(other, price)| self.leg(index, other, price, (BrokerStatus::Cancelled, 0), now));
        fired.into_iter().chain(other).collect()
    }

    fn leg(
        &self,
        index: usize,
        leg: Leg,
        price: Price,
        (status, filled): (BrokerStatus, u32),
        now: Timestamp,
    ) -> Option<Event> {
        let row = self.row(index, now)?;
        let suffix = if leg == Leg::StopLoss { 'S' } else { 'T' };
        let terms = OrderTerms {
            side: row.terms.side.opposite(),
            quantity: row.cumulative,
            order_type: OrderType::Limit,
            price,
            trigger: Price::ZERO,
            form: OrderForm::Ordinary,
            ..row.terms
        };
        Some(Event::Report(Box::new(OrderReport {
            broker_order_id: BrokerOrderId::new(format!("{}{suffix}", row.broker_order_id)).ok()?,
            tag: None,
            terms,
            status,
            cumulative: Quantity::new(filled),
            average_price: if filled == 0 { Price::ZERO } else { price },
            leg,
            parent: Some(row.broker_order_id),
            ..row
        })))
    }

    /// What the account hears of an order as it stands.
    fn report(&self, index: usize, now: Timestamp) -> Option<Event> {
        self.row(index, now).map(|row| Event::Report(Box::new(row)))
    }

    fn row(&self, index: usize, now: Timestamp) -> Option<OrderReport> {
        let order = self.orders.get(index)?;
        let average = if order.filled == 0 { 0 } else { order.value / i128::from(order.filled) };
        Some(OrderReport {
            account: self.account.clone(),
            broker_order_id: order.broker_order_id.clone(),
            exchange_order_id: None,
            tag: Some(Tag::from(&order.client_order_id)),
            terms: order.terms.clone(),
            status: order.status.clone(),
            cumulative: Quantity::new(order.filled),
            average_price: i64::try_from(average).ok().and_then(Price::from_units).unwrap_or_default(),
            reason: None,
            leg: if order.is_super() { Leg::Entry } else { Leg::Single },
            parent: None,
            last_price: None,
            ts_event: now,
            ts_exchange: Some(now),
            ts_created: Some(order.placed_at),
            source: EvidenceSource::Stream,
        })
    }
}

/// What the account's books say of an instrument and its price.
pub(super) fn limit_or_last(terms: &OrderTerms, tape: &Tape) -> Option<Price> {
    Some(terms.price).filter(|price| !price.is_zero()).or_else(|| tape.last(terms.instrument))
}
