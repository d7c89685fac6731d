//! Entries with exits of their own: what super, bracket and cover orders have in common.
//!
//! Exits come alive as the entry fills, each as an order with a number of its own, and always work for what is open:
//! filled by the entry, not yet by an exit. When one fires or fills, what is left of the entry is cancelled; when one fills,
//! the other shrinks before anybody can trade with it. All of that is ours: the documentation tells of the legs, not of
//! their orders.

use tandem_domain::order::{
    BrokerStatus, ExitLegs, Leg, OrderForm, OrderTerms, OrderType, Side, TimeInForce,
};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;

use super::Exchange;
use super::book::Book;
use super::checks::reject;
use super::market::on_tick;
use super::order::{Family, Part, SimOrder};
use super::request::Source;
use super::settings::LegTags;
use super::universe::Contract;

/// The exits, in the order they come alive and are listed.
pub(super) const EXITS: [Leg; 2] = [Leg::StopLoss, Leg::Target];

/// One entry with its exits.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) family: Family,
    /// Orders are indexes into the exchange's list.
    pub(super) entry: usize,
    pub(super) target: Option<Exit>,
    pub(super) stop: Option<Exit>,
    /// How far the price must move for the stop to follow; zero for a stop that stands still.
    pub(super) trailing: Price,
    /// The last price from which the next jump counts.
    pub(super) trailed_from: Price,
}

/// One exit.
#[derive(Debug)]
pub(super) struct Exit {
    /// Limit of the target, trigger of the stop. Zero for a bracket at the market until its entry fills.
    pub(super) price: Price,
    /// Its order, once it came alive.
    pub(super) order: Option<usize>,
    /// Whether it was cancelled by hand; it never comes back.
    pub(super) cancelled: bool,
}

impl Exit {
    pub(super) const fn at(price: Price) -> Self {
        Self { price, order: None, cancelled: false }
    }
}

impl Group {
    pub(super) const fn exit(&self, leg: Leg) -> Option<&Exit> {
        match leg {
            Leg::Target => self.target.as_ref(),
            Leg::StopLoss => self.stop.as_ref(),
            Leg::Single | Leg::Entry => None,
        }
    }

    pub(super) const fn exit_mut(&mut self, leg: Leg) -> Option<&mut Exit> {
        match leg {
            Leg::Target => self.target.as_mut(),
            Leg::StopLoss => self.stop.as_mut(),
            Leg::Single | Leg::Entry => None,
        }
    }
}

impl Exchange {
    /// Makes an order that was taken the entry of a group.
    pub(super) fn found_group(&mut self, group: Group) {
        let number = self.groups.len();
        self.orders[group.entry].part = Some(Part {
            family: group.family,
            leg: Leg::Entry,
            entry: self.orders[group.entry].id.clone(),
            group: number,
        });
        self.groups.push(group);
    }

    /// Units that the entry has filled and no exit has.
    pub(super) fn open_units(&self, group: usize) -> Quantity {
        let exited = EXITS.iter().fold(Quantity::ZERO, |sum, leg| {
            sum.checked_add(self.exited(group, *leg)).unwrap_or(Quantity::new(u32::MAX))
        });
        self.orders[self.groups[group].entry].filled.saturating_sub(exited)
    }

    /// Units that one exit has filled.
    pub(super) fn exited(&self, group: usize, leg: Leg) -> Quantity {
        let order = self.groups[group].exit(leg).and_then(|exit| exit.order);
        order.map_or(Quantity::ZERO, |index| self.orders[index].filled)
    }

    /// The order of an exit, while it works.
    pub(super) fn live_exit(&self, group: usize, leg: Leg) -> Option<usize> {
        self.groups[group].exit(leg)?.order.filter(|index| !self.orders[*index].is_terminal())
    }

    /// Why the broker refuses an entry for its exits' prices, if it does.
    pub(super) fn refuse_exit_prices(&self, order: &SimOrder, contract: &Contract) -> Result<(), String> {
        let Some(part) = order.part.as_ref().filter(|part| part.leg == Leg::Entry) else { return Ok(()) };
        for exit in EXITS.iter().filter_map(|leg| self.groups[part.group].exit(*leg)) {
            let terms = OrderTerms { price: exit.price, trigger: Price::ZERO, ..order.terms.clone() };
            self.refuse_prices(&terms, contract, order.id.as_str()).map_err(|text| reject(order, &text))?;
        }
        Ok(())
    }

    /// What a fill of a part means for the others: the entry's lets exits come alive or grow (later: the book is in
    /// use), an exit's shrinks the other one at once.
    pub(super) fn balance_exits(&mut self, book: &mut Book, index: usize) {
        let Some((leg, group)) = self.orders[index].part.as_ref().map(|part| (part.leg, part.group)) else {
            return;
        };
        if leg == Leg::Entry {
            self.groups_to_tend.insert(group);
            return;
        }
        self.close_entry(book, index);
        let open = self.open_units(group);
        for other in EXITS.iter().filter_map(|leg| self.live_exit(group, *leg)).collect::<Vec<_>>() {
            if open.is_zero() {
                book.remove(other);
                self.end(other, BrokerStatus::Cancelled, "Order cancelled as the other leg was executed");
            } else if self.orders[other].remaining() > open {
                self.resize(other, open);
                self.tell(other, BrokerStatus::Modified);
            }
        }
        self.close_group(group);
    }

    /// An exit has fired or filled: what is left of its entry goes no further.
    pub(super) fn close_entry(&mut self, book: &mut Book, exit: usize) {
        let order = &self.orders[exit];
        let Some(part) = order.part.as_ref().filter(|_| order.is_exit()) else { return };
        let entry = self.groups[part.group].entry;
        if !self.orders[entry].is_terminal() {
            book.remove(entry);
            self.end(entry, BrokerStatus::Cancelled, "Order cancelled as a leg was executed");
        }
    }

    /// Whether two orders are parts of one composite order: they never trade with each other.
    pub(super) fn are_kin(&self, one: usize, other: usize) -> bool {
        let group = |index: usize| self.orders[index].part.as_ref().map(|part| part.group);
        group(one).is_some_and(|of| group(other) == Some(of))
    }

    /// A super order whose entry and exits are done reads CLOSED in the books. The stream has no word for it.
    fn close_group(&mut self, group: usize) {
        let of = &self.groups[group];
        let done = of.family == Family::Super && self.open_units(group).is_zero();
        let entry = of.entry;
        if done && self.orders[entry].status == BrokerStatus::Traded {
            self.orders[entry].status = BrokerStatus::Closed;
            self.orders[entry].updated = self.now;
        }
    }

    /// Lets exits come alive or grow where an entry has filled. What that makes fill is tended in turn, not in between.
    pub(super) fn tend_groups(&mut self) {
        if std::mem::replace(&mut self.tending, true) {
            return;
        }
        while let Some(group) = self.groups_to_tend.pop_first() {
            for leg in EXITS {
                self.tend(group, leg);
            }
        }
        self.tending = false;
    }

    fn tend(&mut self, group: usize, leg: Leg) {
        let open = self.open_units(group);
        let wanted = self.groups[group].exit(leg).is_some_and(|exit| !exit.cancelled);
        if !wanted || open.is_zero() || !self.is_open() {
            return;
        }
        match self.groups[group].exit(leg).and_then(|exit| exit.order) {
            None => self.bear(group, leg, open),
            Some(index) if !self.orders[index].is_terminal() && self.orders[index].remaining() < open => {
                self.withdraw(index);
                self.resize(index, open);
                self.tell(index, BrokerStatus::Modified);
                self.enter(index);
            }
            Some(_) => {}
        }
    }

    /// Lets an exit work for so many units from now on.
    fn resize(&mut self, index: usize, open: Quantity) {
        let order = &mut self.orders[index];
        order.terms.quantity = order.filled.checked_add(open).unwrap_or(order.terms.quantity);
    }

    /// An exit comes alive: the target as a limit, the stop as a stop with a protective limit.
    fn bear(&mut self, group: usize, leg: Leg, quantity: Quantity) {
        let price = self.price_exit(group, leg);
        let entry = &self.orders[self.groups[group].entry];
        let Some(&owner) = self.account_index.get(&entry.account) else { return };
        let is_stop = leg == Leg::StopLoss;
        let terms = OrderTerms {
            side: entry.terms.side.opposite(),
            order_type: if is_stop { OrderType::StopLoss } else { OrderType::Limit },
            time_in_force: TimeInForce::Day,
            quantity,
            disclosed: Quantity::ZERO,
            price,
            trigger: if is_stop { price } else { Price::ZERO },
            form: OrderForm::Ordinary,
            ..entry.terms.clone()
        };
        let tag = match (entry.source, self.settings.variants.leg_tags) {
            (Source::Api, LegTags::Invented) => Some(self.invented_tag(owner)),
            (Source::Api, LegTags::Entry) => entry.tag.clone(),
            (Source::App | Source::Broker, _) => None,
        };
        let (source, entry_id, entry_price) = (entry.source, entry.id.clone(), entry.last_fill);
        let index = self.record(owner, source, tag, terms);
        let family = self.groups[group].family;
        self.orders[index].part = Some(Part { family, leg, entry: entry_id, group });
        let of = &mut self.groups[group];
        if is_stop && of.trailed_from.is_zero() {
            of.trailed_from = entry_price;
        }
        if let Some(exit) = of.exit_mut(leg) {
            exit.order = Some(index);
        }
        if is_stop {
            self.protect_stop(index);
        }
        self.accept(index);
        self.tell(index, BrokerStatus::Pending);
        self.enter(index);
    }

    /// The price of an exit that comes alive; a bracket at the market learns it from its entry's fill.
    fn price_exit(&mut self, group: usize, leg: Leg) -> Price {
        let of = &self.groups[group];
        let entry = &self.orders[of.entry];
        let known = of.exit(leg).map_or(Price::ZERO, |exit| exit.price);
        let Some(bracket) = entry.bracket.filter(|_| known.is_zero()) else { return known };
        let up = (entry.terms.side == Side::Buy) == (leg == Leg::Target);
        let change = if leg == Leg::Target { bracket.profit } else { bracket.stop_loss };
        let tick =
            self.universe.get(entry.terms.instrument).map_or(1, |contract| contract.tick.units().max(1));
        let fill = entry.last_fill.units();
        let price = on_tick(if up { fill + change.units() } else { fill - change.units() }, tick);
        if let Some(exit) = self.groups[group].exit_mut(leg) {
            exit.price = price;
        }
        price
    }

    /// Gives a stop exit the protective limit behind its trigger.
    pub(super) fn protect_stop(&mut self, index: usize) {
        let limit = self.protected(index, self.orders[index].terms.trigger);
        let order = &mut self.orders[index];
        order.terms.price = limit;
        order.working_price = limit;
    }

    /// How many whole jumps the price has moved in favour since the stop last moved; zero for all other orders.
    pub(super) fn trail_steps(&self, index: usize) -> i64 {
        let order = &self.orders[index];
        let Some(part) = order.part.as_ref().filter(|part| part.leg == Leg::StopLoss) else { return 0 };
        let group = &self.groups[part.group];
        let Some(contract) = self.universe.get(order.terms.instrument) else { return 0 };
        let moved = self.price_of(contract).units() - group.trailed_from.units();
        let gain = if order.terms.side == Side::Sell { moved } else { -moved };
        gain.checked_div(group.trailing.units()).map_or(0, |steps| steps.max(0))
    }

    /// Lets a trailing stop follow the price.
    pub(super) fn trail(&mut self, index: usize) {
        let steps = self.trail_steps(index);
        let Some(group) = self.orders[index].part.as_ref().map(|part| part.group).filter(|_| steps > 0)
        else {
            return;
        };
        let way = steps * self.groups[group].trailing.units();
        let way = if self.orders[index].terms.side == Side::Sell { way } else { -way };
        let follow = |price: Price| Price::from_units(price.units() + way).filter(|price| !price.is_zero());
        let of = &mut self.groups[group];
        let moved = of.stop.as_ref().and_then(|stop| Some((follow(stop.price)?, follow(of.trailed_from)?)));
        let Some((price, trailed_from)) = moved else { return };
        of.trailed_from = trailed_from;
        if let Some(stop) = of.stop.as_mut() {
            stop.price = price;
        }
        self.orders[index].terms.trigger = price;
        self.protect_stop(index);
        self.restate_form(group);
        self.tell(index, BrokerStatus::Modified);
    }

    /// Writes the exits that are still wanted into the entry's terms.
    pub(super) fn restate_form(&mut self, group: usize) {
        let of = &self.groups[group];
        if of.family != Family::Super {
            return;
        }
        let price = |exit: &Option<Exit>| exit.as_ref().filter(|exit| !exit.cancelled).map(|exit| exit.price);
        let legs = ExitLegs { target: price(&of.target), stop: price(&of.stop), trailing: of.trailing };
        self.orders[of.entry].terms.form = OrderForm::Super(legs);
    }
}
