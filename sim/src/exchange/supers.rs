//! Super orders (`dhanhq-v2.md` section 3.1), and the bracket and cover orders of the app.
//!
//! Texts of refusals are ours: none were ever seen.

use tandem_domain::ids::{BrokerOrderId, DhanClientId};
use tandem_domain::order::{BrokerStatus, ExitLegs, Leg, OrderForm, OrderType, Product, Side};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;

use super::Exchange;
use super::clock::Errand;
use super::exits::{EXITS, Exit, Group};
use super::order::{BracketValues, Family, SimOrder};
use super::request::{ApiError, ModifyRequest, OrderAnswer, PlaceRequest, Source, SuperChange};

/// A super order as its list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimSuper {
    /// The entry.
    pub entry: SimOrder,
    /// The exits it was placed with, the stop first.
    pub legs: Vec<SimExit>,
    /// Last price of the instrument.
    pub last_price: Price,
}

/// One exit in the list of super orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimExit {
    /// Target or stop.
    pub leg: Leg,
    /// The number of its order; none before it came alive.
    pub order_id: Option<BrokerOrderId>,
    /// The side against the entry's.
    pub side: Side,
    /// Units of the entry.
    pub total: Quantity,
    /// Units it has filled.
    pub triggered: Quantity,
    /// Limit of the target, trigger of the stop.
    pub price: Price,
    /// `Pending`, `Triggered`, `Traded`, `Cancelled`; `Expired` and `Rejected` where its order is.
    pub status: BrokerStatus,
    /// Zero for an exit that does not trail.
    pub trailing: Price,
}

impl Exchange {
    /// Places a super order (`POST /super/orders`): `request.terms.form` carries the exits. A MARKET entry may carry a
    /// price, with which only the exits are compared.
    pub fn place_super(
        &mut self,
        account: &DhanClientId,
        source: Source,
        request: &PlaceRequest,
    ) -> Result<OrderAnswer, ApiError> {
        let owner = self.account_of(account)?;
        self.admit_write(owner, source)?;
        let OrderForm::Super(legs) = request.terms.form else { return Err(bad_fields()) };
        if request.terms.order_type.is_stop()
            || request.terms.after_market
            || matches!(request.terms.product, Product::Cover | Product::Bracket)
        {
            return Err(bad_fields());
        }
        let price = request.terms.price;
        let request = entry_request(request);
        self.refuse_at_once(source, &request)?;
        let reference = if price.is_zero() { self.last_price(request.terms.instrument) } else { Some(price) };
        refuse_exits(request.terms.side, reference, &legs)?;
        let entry = self.take(owner, source, &request);
        self.found_group(Group {
            family: Family::Super,
            entry,
            target: legs.target.map(Exit::at),
            stop: legs.stop.map(Exit::at),
            trailing: legs.trailing,
            trailed_from: Price::ZERO,
        });
        Ok(self.launch(entry, request.amo_release))
    }

    /// Places a bracket order: product `BO`, exits as changes of price from the entry (section 2.2). The API takes none
    /// unless the variant says so.
    pub fn place_bracket(
        &mut self,
        account: &DhanClientId,
        source: Source,
        request: &PlaceRequest,
        values: BracketValues,
    ) -> Result<OrderAnswer, ApiError> {
        let owner = self.admit_composite(account, source, request, Product::Bracket)?;
        let request = entry_request(request);
        self.refuse_at_once(source, &request)?;
        if values.profit.is_zero() && values.stop_loss.is_zero() {
            return Err(bad_fields());
        }
        let terms = &request.terms;
        let exit = |change: Price, up: bool| {
            let away = if up { change.units() } else { -change.units() };
            match terms.price.units() {
                _ if change.is_zero() => Ok(None),
                0 => Ok(Some(Exit::at(Price::ZERO))),
                price => Price::from_units(price + away)
                    .filter(|price| !price.is_zero())
                    .map(|price| Some(Exit::at(price)))
                    .ok_or_else(bad_fields),
            }
        };
        let buys = terms.side == Side::Buy;
        let (target, stop) = (exit(values.profit, buys)?, exit(values.stop_loss, !buys)?);
        let entry = self.take(owner, source, &request);
        self.orders[entry].bracket = Some(values);
        let (trailing, trailed_from) = (Price::ZERO, Price::ZERO);
        self.found_group(Group { family: Family::Bracket, entry, target, stop, trailing, trailed_from });
        Ok(self.launch(entry, request.amo_release))
    }

    /// Places a cover order: product `CO`, with a stop at a price. The API takes none unless the variant says so.
    pub fn place_cover(
        &mut self,
        account: &DhanClientId,
        source: Source,
        request: &PlaceRequest,
        stop: Price,
    ) -> Result<OrderAnswer, ApiError> {
        let owner = self.admit_composite(account, source, request, Product::Cover)?;
        let price = request.terms.price;
        let request = entry_request(request);
        self.refuse_at_once(source, &request)?;
        let reference = if price.is_zero() { self.last_price(request.terms.instrument) } else { Some(price) };
        let legs = ExitLegs { target: None, stop: Some(stop), trailing: Price::ZERO };
        refuse_exits(request.terms.side, reference, &legs)?;
        let entry = self.take(owner, source, &request);
        self.found_group(Group {
            family: Family::Cover,
            entry,
            target: None,
            stop: Some(Exit::at(stop)),
            trailing: Price::ZERO,
            trailed_from: Price::ZERO,
        });
        Ok(self.launch(entry, request.amo_release))
    }

    /// Changes one leg of a super order (`PUT /super/orders/{orderId}`), by the entry's number; from the app also of a
    /// bracket or cover order.
    pub fn modify_super(
        &mut self,
        account: &DhanClientId,
        source: Source,
        order_id: &str,
        change: &SuperChange,
    ) -> Result<OrderAnswer, ApiError> {
        let owner = self.account_of(account)?;
        self.admit_write(owner, source)?;
        let group = self.group_by_entry(account, source, order_id)?;
        let entry = self.groups[group].entry;
        let changed = match change {
            SuperChange::Entry { order, target, stop, .. } => {
                self.refuse_entry_change(group, order, *target, *stop)?;
                entry
            }
            SuperChange::Target { price } => self.refuse_exit_change(group, Leg::Target, Some(*price))?,
            SuperChange::Stop { price, .. } => self.refuse_exit_change(group, Leg::StopLoss, *price)?,
        };
        self.refuse_modification(changed)?;
        self.orders[changed].modifications += 1;
        let answer = self.answer(entry, BrokerStatus::Transit);
        self.send_change(owner, Errand::ModifyGroup(group, change.clone()));
        Ok(answer)
    }

    /// Cancels one leg of a super order (`DELETE /super/orders/{orderId}/{leg}`); with the entry everything that still
    /// works. From the app also of a bracket or cover order.
    pub fn cancel_super(
        &mut self,
        account: &DhanClientId,
        source: Source,
        order_id: &str,
        leg: Leg,
    ) -> Result<OrderAnswer, ApiError> {
        let owner = self.account_of(account)?;
        self.admit_write(owner, source)?;
        let group = self.group_by_entry(account, source, order_id)?;
        let entry = self.groups[group].entry;
        if self.orders[entry].status == BrokerStatus::Transit {
            return Err(ApiError::order(ApiError::IN_TRANSIT));
        }
        let works = |leg: &Leg| self.exit_works(group, *leg);
        let something = match leg {
            Leg::Entry => !self.orders[entry].is_terminal() || EXITS.iter().any(works),
            Leg::Single | Leg::StopLoss | Leg::Target => works(&leg),
        };
        if !something {
            return Err(incorrect());
        }
        let answer = self.answer(entry, BrokerStatus::Cancelled);
        self.send(Errand::CancelGroup(group, leg));
        Ok(answer)
    }

    /// The super orders of the day with their legs (`GET /super/orders`), oldest first. An unknown account has none.
    pub fn super_orders(&self, account: &DhanClientId) -> Vec<SimSuper> {
        self.book(account)
            .into_iter()
            .filter_map(|entry| {
                let part = entry.part.as_ref()?;
                let listed = part.family == Family::Super && part.leg == Leg::Entry;
                listed.then(|| SimSuper {
                    entry: entry.clone(),
                    legs: EXITS.iter().filter_map(|leg| self.exit_row(part.group, *leg)).collect(),
                    last_price: self.last_price(entry.terms.instrument).unwrap_or(Price::ZERO),
                })
            })
            .collect()
    }

    /// A change reaches the exchange. What ended meanwhile stays as it is.
    pub(super) fn apply_group_change(&mut self, group: usize, change: &SuperChange) {
        match change {
            SuperChange::Entry { order, target, stop, trailing } => {
                let entry = self.groups[group].entry;
                self.apply_change(entry, &entry_change(order));
                self.move_exit(group, Leg::Target, *target);
                self.set_trailing(group, *trailing);
                self.move_exit(group, Leg::StopLoss, *stop);
            }
            SuperChange::Target { price } => self.move_exit(group, Leg::Target, Some(*price)),
            SuperChange::Stop { price, trailing } => {
                self.set_trailing(group, *trailing);
                let stays = self.groups[group].stop.as_ref().map(|stop| stop.price);
                self.move_exit(group, Leg::StopLoss, price.or(stays));
            }
        }
        self.restate_form(group);
    }

    /// A cancel reaches the exchange. What ended meanwhile stays as it is.
    pub(super) fn apply_group_cancel(&mut self, group: usize, leg: Leg) {
        let ended: &[Leg] = if leg == Leg::Entry { &EXITS } else { std::slice::from_ref(&leg) };
        for exit in ended {
            if let Some(exit) = self.groups[group].exit_mut(*exit) {
                exit.cancelled = true;
            }
        }
        self.restate_form(group);
        if leg == Leg::Entry {
            self.apply_cancel(self.groups[group].entry);
        }
        for exit in ended {
            if let Some(index) = self.live_exit(group, *exit) {
                self.apply_cancel(index);
            }
        }
    }

    fn admit_composite(
        &mut self,
        account: &DhanClientId,
        source: Source,
        request: &PlaceRequest,
        product: Product,
    ) -> Result<usize, ApiError> {
        let owner = self.account_of(account)?;
        self.admit_write(owner, source)?;
        let barred = source == Source::Api && !self.settings.variants.brackets_by_api;
        let terms = &request.terms;
        if barred || terms.product != product || terms.order_type.is_stop() || terms.after_market {
            return Err(bad_fields());
        }
        Ok(owner)
    }

    fn group_by_entry(
        &self,
        account: &DhanClientId,
        source: Source,
        order_id: &str,
    ) -> Result<usize, ApiError> {
        let index = BrokerOrderId::new(order_id).ok().and_then(|id| self.order_index.get(&id).copied());
        index
            .map(|index| &self.orders[index])
            .filter(|order| order.account == *account)
            .and_then(|order| order.part.as_ref())
            .filter(|part| part.leg == Leg::Entry)
            .filter(|part| part.family == Family::Super || source != Source::Api)
            .map(|part| part.group)
            .ok_or_else(incorrect)
    }

    /// Whether an exit works, or will when the entry fills.
    fn exit_works(&self, group: usize, leg: Leg) -> bool {
        let of = &self.groups[group];
        of.exit(leg).is_some_and(|exit| match exit.order {
            _ if exit.cancelled => false,
            Some(order) => !self.orders[order].is_terminal(),
            None => !self.orders[of.entry].is_terminal(),
        })
    }

    /// Why a change of the entry is refused, if it is.
    fn refuse_entry_change(
        &self,
        group: usize,
        order: &ModifyRequest,
        target: Option<Price>,
        stop: Option<Price>,
    ) -> Result<(), ApiError> {
        let of = &self.groups[group];
        let entry = &self.orders[of.entry];
        let restated = [(Leg::Target, target), (Leg::StopLoss, stop)];
        let dead = restated.iter().any(|(leg, price)| price.is_some() && !self.exit_works(group, *leg));
        if entry.is_terminal() || dead {
            return Err(incorrect());
        }
        let changed = self.changed(of.entry, &entry_change(order));
        if changed.order_type.is_stop() {
            return Err(bad_fields());
        }
        self.refuse_change(of.entry, &changed)?;
        let price = |leg, restated: Option<Price>| {
            let kept = of.exit(leg).filter(|exit| !exit.cancelled).map(|exit| exit.price);
            restated.or(kept)
        };
        let legs = ExitLegs {
            target: price(Leg::Target, target),
            stop: price(Leg::StopLoss, stop),
            trailing: Price::ZERO,
        };
        // Once something is filled the stop may have trailed past the entry's price.
        let reference = Some(changed.price).filter(|price| entry.filled.is_zero() && !price.is_zero());
        if legs.target.is_none() && legs.stop.is_none() {
            return Ok(());
        }
        refuse_exits(changed.side, reference, &legs)
    }

    /// Why a change of an exit is refused, if it is; otherwise the order whose changes count.
    fn refuse_exit_change(&self, group: usize, leg: Leg, price: Option<Price>) -> Result<usize, ApiError> {
        let of = &self.groups[group];
        let live = self.live_exit(group, leg);
        let fired = leg == Leg::StopLoss && live.is_some_and(|index| !self.orders[index].waits_for_trigger());
        if !self.exit_works(group, leg) || fired {
            return Err(incorrect());
        }
        let entry = &self.orders[of.entry];
        let kept = |leg| of.exit(leg).filter(|exit| !exit.cancelled).map(|exit| exit.price);
        let mut legs =
            ExitLegs { target: kept(Leg::Target), stop: kept(Leg::StopLoss), trailing: Price::ZERO };
        match leg {
            Leg::Target => legs.target = price.or(legs.target),
            Leg::Single | Leg::Entry | Leg::StopLoss => legs.stop = price.or(legs.stop),
        }
        // An exit that works may be moved across the market: then it goes out at once.
        let limit = Some(entry.terms.price).filter(|price| !price.is_zero());
        refuse_exits(entry.terms.side, limit.filter(|_| entry.filled.is_zero()), &legs)?;
        if let Some(contract) = self.universe.get(entry.terms.instrument) {
            let terms = tandem_domain::order::OrderTerms {
                price: price.unwrap_or(Price::ZERO),
                trigger: Price::ZERO,
                ..entry.terms.clone()
            };
            self.refuse_prices(&terms, contract, entry.id.as_str()).map_err(ApiError::order)?;
        }
        Ok(live.unwrap_or(of.entry))
    }

    /// Gives an exit a new price; a stop that has fired keeps its own.
    fn move_exit(&mut self, group: usize, leg: Leg, price: Option<Price>) {
        let live = self.live_exit(group, leg);
        let fired = leg == Leg::StopLoss && live.is_some_and(|index| !self.orders[index].waits_for_trigger());
        let exit = self.groups[group].exit_mut(leg).filter(|exit| !exit.cancelled && !fired);
        let (Some(price), Some(exit)) = (price, exit) else { return };
        exit.price = price;
        let Some(index) = live else { return };
        self.withdraw(index);
        let order = &mut self.orders[index];
        if leg == Leg::StopLoss {
            order.terms.trigger = price;
            self.protect_stop(index);
        } else {
            (order.terms.price, order.working_price) = (price, price);
        }
        self.restate_form(group);
        self.tell(index, BrokerStatus::Modified);
        self.enter(index);
    }

    /// Sets the jump; a new one counts from where the price is now.
    fn set_trailing(&mut self, group: usize, trailing: Price) {
        let entry = &self.orders[self.groups[group].entry];
        let last = self.last_price(entry.terms.instrument).unwrap_or(Price::ZERO);
        let alive = self.live_exit(group, Leg::StopLoss).is_some();
        let of = &mut self.groups[group];
        if of.trailing != trailing {
            of.trailing = trailing;
            of.trailed_from = if alive { last } else { Price::ZERO };
        }
    }

    fn exit_row(&self, group: usize, leg: Leg) -> Option<SimExit> {
        let of = &self.groups[group];
        let exit = of.exit(leg)?;
        let entry = &self.orders[of.entry];
        let order = exit.order.map(|index| &self.orders[index]);
        let status = match order {
            Some(order) if order.is_terminal() => order.status.clone(),
            _ if exit.cancelled => BrokerStatus::Cancelled,
            Some(order) if order.filled.is_zero() && (leg == Leg::Target || order.waits_for_trigger()) => {
                BrokerStatus::Pending
            }
            Some(_) => BrokerStatus::Triggered,
            None if entry.is_terminal() => BrokerStatus::Cancelled,
            None => BrokerStatus::Pending,
        };
        Some(SimExit {
            leg,
            order_id: order.map(|order| order.id.clone()),
            side: entry.terms.side.opposite(),
            total: entry.terms.quantity,
            triggered: self.exited(group, leg),
            price: exit.price,
            status,
            trailing: if leg == Leg::StopLoss { of.trailing } else { Price::ZERO },
        })
    }
}

/// The entry's own request: a MARKET entry's price is only for comparing.
fn entry_request(request: &PlaceRequest) -> PlaceRequest {
    let mut request = request.clone();
    if request.terms.order_type == OrderType::Market {
        request.terms.price = Price::ZERO;
    }
    request
}

fn entry_change(order: &ModifyRequest) -> ModifyRequest {
    let market = order.order_type == Some(OrderType::Market);
    ModifyRequest { price: order.price.filter(|_| !market), ..order.clone() }
}

/// Whether exits lie on the right sides of a price, and of each other. There must be one.
fn refuse_exits(side: Side, reference: Option<Price>, legs: &ExitLegs) -> Result<(), ApiError> {
    // As if the order were a purchase: a sale mirrors it.
    let in_order = |lower: Option<Price>, higher: Option<Price>| match (lower, higher) {
        (Some(lower), Some(higher)) if side == Side::Buy => lower < higher,
        (Some(lower), Some(higher)) => lower > higher,
        _ => true,
    };
    let zero = |price: Option<Price>| price.is_some_and(Price::is_zero);
    if (legs.target.is_none() && legs.stop.is_none()) || zero(legs.target) || zero(legs.stop) {
        return Err(ApiError::input("Target Price or Stop Loss Price is required"));
    }
    if !in_order(reference, legs.target) {
        return Err(ApiError::input("Invalid Target Price"));
    }
    if !in_order(legs.stop, reference) {
        return Err(ApiError::input("Invalid Stop Loss Price"));
    }
    if !in_order(legs.stop, legs.target) {
        return Err(ApiError::input("Target Price and Stop Loss Price are on the wrong sides"));
    }
    Ok(())
}

fn bad_fields() -> ApiError {
    ApiError::input(ApiError::GENERIC_INPUT)
}

fn incorrect() -> ApiError {
    ApiError::order(ApiError::INCORRECT_REQUEST)
}
