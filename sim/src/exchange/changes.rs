//! Changing, cancelling and ending orders.

use tandem_domain::ids::{BrokerOrderId, DhanClientId};
use tandem_domain::order::{BrokerStatus, OrderTerms, OrderType};
use tandem_domain::price::Price;

use super::Exchange;
use super::checks::{refuse_terms, reject};
use super::clock::Errand;
use super::entry::CONFIRMED;
use super::order::SimOrder;
use super::request::{ApiError, ModifyRequest, OrderAnswer, Source};

impl Exchange {
    /// Changes a working order (`PUT /orders/{orderId}`). The quantity is the new total, filled part included.
    pub fn modify(
        &mut self,
        account: &DhanClientId,
        source: Source,
        order_id: &str,
        change: &ModifyRequest,
    ) -> Result<OrderAnswer, ApiError> {
        let owner = self.account_of(account)?;
        self.admit_write(owner, source)?;
        let index = self.working_order(account, order_id)?;
        self.refuse_modification(index)?;
        let changed = self.changed(index, change);
        self.refuse_change(index, &changed)?;
        self.orders[index].modifications += 1;
        let answer = self.answer(index, BrokerStatus::Transit);
        // A change may overtake an order still on its way; the exchange then sees the changed order arrive.
        self.send_change(owner, Errand::Modify(index, change.clone()));
        Ok(answer)
    }

    /// Why an order takes no change at all at the moment, if it takes none.
    pub(super) fn refuse_modification(&self, index: usize) -> Result<(), ApiError> {
        let (order, variants) = (&self.orders[index], &self.settings.variants);
        if variants.refuse_modify_in_transit && order.status == BrokerStatus::Transit {
            return Err(ApiError::order(ApiError::IN_TRANSIT));
        }
        if order.modifications >= variants.modifications_max {
            return Err(ApiError::input(&variants.modification_limit_text));
        }
        Ok(())
    }

    /// Sends a change to the exchange, unless the fault says that changes come to nothing.
    pub(super) fn send_change(&mut self, owner: usize, errand: Errand) {
        let void = &mut self.accounts[owner].void_changes;
        if *void > 0 {
            *void -= 1;
        } else {
            self.send(errand);
        }
    }

    /// Cancels a working order (`DELETE /orders/{orderId}`).
    pub fn cancel(
        &mut self,
        account: &DhanClientId,
        source: Source,
        order_id: &str,
    ) -> Result<OrderAnswer, ApiError> {
        let owner = self.account_of(account)?;
        self.admit_write(owner, source)?;
        let index = self.working_order(account, order_id)?;
        if self.orders[index].status == BrokerStatus::Transit {
            return Err(ApiError::order(ApiError::IN_TRANSIT));
        }
        let answer = self.answer(index, BrokerStatus::Cancelled);
        self.send(Errand::Cancel(index));
        Ok(answer)
    }

    fn working_order(&self, account: &DhanClientId, order_id: &str) -> Result<usize, ApiError> {
        let id = BrokerOrderId::new(order_id).ok();
        id.and_then(|id| self.order_index.get(&id).copied())
            .filter(|index| self.orders[*index].account == *account && !self.orders[*index].is_terminal())
            // The parts of a composite order are changed and cancelled as such.
            .filter(|index| self.orders[*index].part.is_none())
            .ok_or_else(|| ApiError::order(ApiError::INCORRECT_REQUEST))
    }

    /// An order's terms with a change applied.
    pub(super) fn changed(&self, index: usize, change: &ModifyRequest) -> OrderTerms {
        let terms = &self.orders[index].terms;
        let order_type = change.order_type.unwrap_or(terms.order_type);
        let mut changed = OrderTerms {
            order_type,
            time_in_force: change.time_in_force.unwrap_or(terms.time_in_force),
            quantity: change.quantity.unwrap_or(terms.quantity),
            disclosed: change.disclosed.unwrap_or(terms.disclosed),
            price: change.price.unwrap_or(terms.price),
            trigger: change.trigger.unwrap_or(terms.trigger),
            ..terms.clone()
        };
        if !order_type.is_stop() {
            changed.trigger = Price::ZERO;
        }
        if order_type == OrderType::Market && change.price.is_none() {
            changed.price = Price::ZERO;
        }
        changed
    }

    /// Why a change is refused, if it is. The order then stays as it was. Texts of ours: none were ever seen.
    pub(super) fn refuse_change(&self, index: usize, changed: &OrderTerms) -> Result<(), ApiError> {
        let order = &self.orders[index];
        refuse_terms(changed)?;
        if changed.quantity <= order.filled {
            return Err(ApiError::order(ApiError::INCORRECT_REQUEST));
        }
        let contract = self.universe.get(changed.instrument);
        let contract = contract.ok_or_else(|| ApiError::input("Invalid SecurityId"))?;
        let variants = &self.settings.variants;
        if !changed.quantity.get().is_multiple_of(contract.lot_size.get()) {
            return Err(ApiError::order(reject(order, &variants.lot_text)));
        }
        if contract.freeze_quantity.is_some_and(|freeze| changed.quantity > freeze) {
            return Err(ApiError::order(reject(order, &variants.freeze_text)));
        }
        self.refuse_prices(changed, contract, order.id.as_str()).map_err(ApiError::order)?;
        self.refuse_overlap_of_change(order, changed)?;
        let imagined = SimOrder {
            terms: changed.clone(),
            working_price: if changed.price.is_zero() { order.working_price } else { changed.price },
            ..order.clone()
        };
        self.refuse_dearer(order, &imagined).map_err(ApiError::order)
    }

    /// A change reaches the exchange. If the order ended or filled past it meanwhile, nothing happens.
    pub(super) fn apply_change(&mut self, index: usize, change: &ModifyRequest) {
        let changed = self.changed(index, change);
        if self.orders[index].is_terminal() || changed.quantity <= self.orders[index].filled {
            return;
        }
        let before = self.orders[index].terms.clone();
        self.withdraw(index);
        self.orders[index].terms = changed;
        if self.orders[index].exchange_id.is_none() {
            return self.tell(index, BrokerStatus::Modified);
        }
        self.convert(index);
        let order = &mut self.orders[index];
        order.reason = CONFIRMED.into();
        let terms = &order.terms;
        let keeps_place = terms.price == before.price
            && terms.trigger == before.trigger
            && terms.order_type == before.order_type
            && terms.quantity <= before.quantity;
        let place = order.priority;
        self.tell(index, BrokerStatus::Modified);
        self.enter_at(index, keeps_place.then_some(place));
    }

    /// A cancel reaches the exchange. If the order ended meanwhile, nothing happens.
    pub(super) fn apply_cancel(&mut self, index: usize) {
        if self.orders[index].is_terminal() {
            return;
        }
        self.take_out(index, BrokerStatus::Cancelled, "Order cancelled by user");
        let late = self.owner(index).and_then(|account| account.late_fill.take());
        if let Some((quantity, after)) = late {
            let order = &self.orders[index];
            let (quantity, price) = (quantity.min(order.remaining()), order.working_price);
            self.send_after(after, Errand::Report(index, quantity, price));
        }
    }

    /// Ends an order, whatever book it is in.
    pub(super) fn take_out(&mut self, index: usize, status: BrokerStatus, reason: &str) {
        self.withdraw(index);
        self.end(index, status, reason);
    }

    /// Ends an order that is in no book.
    pub(super) fn end(&mut self, index: usize, status: BrokerStatus, reason: &str) {
        let order = &mut self.orders[index];
        order.status = status.clone();
        order.reason = reason.into();
        if let Some(account) = self.owner(index) {
            account.open.remove(&index);
        }
        self.tell(index, status);
    }
}
