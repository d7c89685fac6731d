//! Forever orders (`dhanhq-v2.md` section 3.2): they rest at the broker, outside every book and over days, without a
//! word on the stream. When the last price touches a trigger, an ordinary order is born.
//!
//! Texts of refusals are ours: none were ever seen.

use std::sync::Arc;

use tandem_domain::ids::{BrokerOrderId, DhanClientId};
use tandem_domain::instrument::ExchangeSegment;
use tandem_domain::order::{BrokerStatus, Leg, OrderForm, OrderTerms, OrderType, Product};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;
use tandem_domain::time::Timestamp;

use super::order::SimOrder;
use super::request::{AmoRelease, ApiError, ForeverChange, OrderAnswer, PlaceRequest, Source};
use super::{Exchange, draw};

/// A forever order as its list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimForever {
    /// Whose.
    pub account: DhanClientId,
    /// The broker's number, which all legs share.
    pub id: BrokerOrderId,
    /// The tag it was placed with.
    pub tag: Option<Arc<str>>,
    /// Who placed it.
    pub source: Source,
    /// What its order will ask for; type, validity, quantity and prices are the legs'. The form is `Forever`.
    pub terms: OrderTerms,
    /// One, or two of which one cancels the other.
    pub legs: Vec<ForeverLeg>,
    /// When the broker took it.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

/// One leg of a forever order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeverLeg {
    /// `Target` for a single order or the first of two legs, `StopLoss` for the second.
    pub leg: Leg,
    /// What its order will ask for.
    pub terms: OrderTerms,
    /// `Confirm` while it rests; then `Triggered`, and what became of its order; or `Cancelled`.
    pub status: BrokerStatus,
    /// The order it left behind when it fired.
    pub child: Option<BrokerOrderId>,
    /// Whether the trigger lay above the last price when it was set: it is touched from below.
    rising: bool,
}

impl SimForever {
    /// Whether one of two legs cancels the other.
    pub fn is_oco(&self) -> bool {
        self.legs.len() > 1
    }

    fn rests(&self) -> bool {
        self.legs.iter().any(|leg| leg.status == BrokerStatus::Confirm)
    }
}

impl Exchange {
    /// Creates a forever order (`POST /forever/orders`): `request.terms` is the first leg's, its form carries the second.
    /// Only for delivery of shares (products CNC and MTF).
    pub fn place_forever(
        &mut self,
        account: &DhanClientId,
        source: Source,
        request: &PlaceRequest,
    ) -> Result<OrderAnswer, ApiError> {
        let owner = self.account_of(account)?;
        self.admit_write(owner, source)?;
        let OrderForm::Forever(second) = request.terms.form else {
            return Err(ApiError::input(ApiError::GENERIC_INPUT));
        };
        let first = OrderTerms { form: OrderForm::Ordinary, ..request.terms.clone() };
        let mut legs = vec![(Leg::Target, first.clone())];
        legs.extend(second.map(|leg| {
            let (quantity, price, trigger) = (leg.quantity, leg.price, leg.trigger);
            (Leg::StopLoss, OrderTerms { quantity, price, trigger, ..first.clone() })
        }));
        self.refuse_tag(request.tag.as_deref())?;
        for (_, terms) in &legs {
            self.refuse_forever(terms)?;
        }
        let legs = legs.into_iter().map(|(leg, terms)| self.forever_leg(leg, terms)).collect();
        let id = self.draw_forever_id();
        let tag =
            request.tag.as_deref().filter(|tag| !tag.is_empty() && source == Source::Api).map(Arc::from);
        self.forever_resting.insert(self.forever.len());
        self.forever.push(SimForever {
            account: account.clone(),
            id: id.clone(),
            tag,
            source,
            terms: request.terms.clone(),
            legs,
            created: self.now,
            updated: self.now,
        });
        self.fire_forever();
        Ok(OrderAnswer { order_id: id, status: BrokerStatus::Pending })
    }

    /// Changes one leg that rests (`PUT /forever/orders/{orderId}`).
    pub fn modify_forever(
        &mut self,
        account: &DhanClientId,
        source: Source,
        order_id: &str,
        change: &ForeverChange,
    ) -> Result<OrderAnswer, ApiError> {
        let owner = self.account_of(account)?;
        self.admit_write(owner, source)?;
        let index = self.resting_forever(account, order_id)?;
        let at = self.forever[index].legs.iter().position(|leg| leg.leg == change.leg);
        let at = at.ok_or_else(|| ApiError::order(ApiError::INCORRECT_REQUEST))?;
        let before = &self.forever[index].legs[at].terms;
        let terms = OrderTerms {
            order_type: change.order_type.unwrap_or(before.order_type),
            time_in_force: change.time_in_force.unwrap_or(before.time_in_force),
            quantity: change.quantity.unwrap_or(before.quantity),
            price: change.price.unwrap_or(before.price),
            trigger: change.trigger.unwrap_or(before.trigger),
            ..before.clone()
        };
        self.refuse_forever(&terms)?;
        let answer = OrderAnswer { order_id: self.forever[index].id.clone(), status: BrokerStatus::Pending };
        let void = &mut self.accounts[owner].void_changes;
        if *void > 0 {
            *void -= 1;
            return Ok(answer);
        }
        self.forever[index].legs[at] = self.forever_leg(change.leg, terms);
        self.forever[index].updated = self.now;
        self.restate_forever(index);
        self.fire_forever();
        Ok(answer)
    }

    /// Cancels a forever order that rests, with all its legs (`DELETE /forever/orders/{orderId}`).
    pub fn cancel_forever(
        &mut self,
        account: &DhanClientId,
        source: Source,
        order_id: &str,
    ) -> Result<OrderAnswer, ApiError> {
        let owner = self.account_of(account)?;
        self.admit_write(owner, source)?;
        let index = self.resting_forever(account, order_id)?;
        self.forever_resting.remove(&index);
        let order = &mut self.forever[index];
        order.legs.iter_mut().for_each(|leg| leg.status = BrokerStatus::Cancelled);
        order.updated = self.now;
        Ok(OrderAnswer { order_id: order.id.clone(), status: BrokerStatus::Cancelled })
    }

    /// The forever orders that rest, of whatever day, and those that changed today (`GET /forever/orders`), oldest first.
    pub fn forever_orders(&self, account: &DhanClientId) -> Vec<SimForever> {
        let today = self.day_of_books();
        self.forever
            .iter()
            .filter(|order| order.account == *account)
            .map(|order| self.with_children(order))
            .filter(|order| order.rests() || order.updated.trading_day() >= today)
            .collect()
    }

    /// Lets every leg fire whose trigger the last price touches.
    pub(super) fn fire_forever(&mut self) {
        if self.forever_resting.is_empty() || !self.is_open() {
            return;
        }
        for index in self.forever_resting.iter().copied().collect::<Vec<_>>() {
            if let Some(at) = self.forever[index].legs.iter().position(|leg| self.is_touched(leg)) {
                self.fire_leg(index, at);
            }
        }
    }

    fn is_touched(&self, leg: &ForeverLeg) -> bool {
        let trigger = leg.terms.trigger;
        self.last_price(leg.terms.instrument)
            .is_some_and(|last| if leg.rising { last >= trigger } else { last <= trigger })
    }

    /// A leg fires: the other one is cancelled, and its order goes out without a tag.
    fn fire_leg(&mut self, index: usize, at: usize) {
        self.forever_resting.remove(&index);
        let order = &mut self.forever[index];
        order.updated = self.now;
        for (other, leg) in order.legs.iter_mut().enumerate() {
            leg.status = if other == at { BrokerStatus::Triggered } else { BrokerStatus::Cancelled };
        }
        let (source, account) = (order.source, order.account.clone());
        let terms = OrderTerms { trigger: Price::ZERO, ..order.legs[at].terms.clone() };
        let Ok(owner) = self.account_of(&account) else { return };
        let child = self.record(owner, source, None, terms);
        self.forever[index].legs[at].child = Some(self.orders[child].id.clone());
        self.launch(child, AmoRelease::default());
    }

    fn forever_leg(&self, leg: Leg, terms: OrderTerms) -> ForeverLeg {
        let last = self.last_price(terms.instrument).unwrap_or(Price::ZERO);
        ForeverLeg { leg, rising: terms.trigger >= last, terms, status: BrokerStatus::Confirm, child: None }
    }

    /// Writes the legs as they are now into the order's terms.
    fn restate_forever(&mut self, index: usize) {
        let order = &mut self.forever[index];
        let second = order.legs.get(1).map(|leg| tandem_domain::order::OcoLeg {
            price: leg.terms.price,
            trigger: leg.terms.trigger,
            quantity: leg.terms.quantity,
        });
        if let Some(first) = order.legs.first() {
            order.terms = OrderTerms { form: OrderForm::Forever(second), ..first.terms.clone() };
        }
    }

    /// What a leg reads depends on the order it left.
    fn with_children(&self, order: &SimForever) -> SimForever {
        let mut order = order.clone();
        for leg in &mut order.legs {
            let child: Option<&SimOrder> = leg.child.as_ref().and_then(|id| self.find_order(id));
            if let Some(child) = child {
                order.updated = order.updated.max(child.updated);
                if child.is_terminal() {
                    leg.status = child.status.clone();
                }
            }
        }
        order
    }

    fn resting_forever(&self, account: &DhanClientId, order_id: &str) -> Result<usize, ApiError> {
        let named = |order: &SimForever| order.account == *account && order.id.as_str() == order_id;
        let index = self.forever_resting.iter().copied().find(|index| named(&self.forever[*index]));
        index.ok_or_else(|| ApiError::order(ApiError::INCORRECT_REQUEST))
    }

    fn refuse_forever(&self, terms: &OrderTerms) -> Result<(), ApiError> {
        if self.universe.get(terms.instrument).is_none() {
            return Err(ApiError::input("Invalid SecurityId"));
        }
        let everywhere = self.settings.variants.forever_on_derivatives;
        if terms.instrument.segment != ExchangeSegment::NseEquity && !everywhere {
            return Err(ApiError::order("Forever orders are not allowed for this segment"));
        }
        let delivered = matches!(terms.product, Product::Cnc | Product::Mtf) || everywhere;
        if !delivered || terms.after_market {
            return Err(ApiError::input(ApiError::GENERIC_INPUT));
        }
        let priced = match terms.order_type {
            OrderType::Limit => !terms.price.is_zero(),
            OrderType::Market => terms.price.is_zero(),
            OrderType::StopLoss | OrderType::StopLossMarket => false,
        };
        if !priced {
            return Err(ApiError::input("Invalid Price for orderType"));
        }
        if terms.trigger.is_zero() {
            return Err(ApiError::input("Invalid Trigger Price for orderType"));
        }
        if terms.quantity == Quantity::ZERO {
            return Err(ApiError::input("quantity is required"));
        }
        Ok(())
    }

    /// `<prefix><YYMMDD><sequence>`: 13 digits, as in the documented sample.
    fn draw_forever_id(&mut self) -> BrokerOrderId {
        let number = draw(&mut self.counters.forever);
        let text = format!("513{}{number:04}", self.now.ist().format("%y%m%d"));
        BrokerOrderId::new(text).expect("the text has digits in it, and only the empty one is refused")
    }
}
