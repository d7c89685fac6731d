//! Fills: price first, then time, against the accounts' orders and the strangers' depth alike.
//!
//! An order that comes in trades at the prices it finds. One that rests trades at its own price: whoever comes to it
//! takes what it offers, even when the market has moved past it. No fill is worse than the limit.

use tandem_domain::ids::{ExchangeOrderId, TradeId};
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::order::{BrokerStatus, OrderType, Side, TimeInForce};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;

use super::book::Book;
use super::ladder::Ladder;
use super::order::SimTrade;
use super::settings::Depth;
use super::{Exchange, draw};

/// Who an incoming order trades with next.
enum Maker {
    Order(usize),
    Ladder,
}

impl Exchange {
    /// A tick of an instrument's book. Most ticks touch nothing: synthetic depth lies beyond the last price, so it is
    /// only built when an order lies on the far side of that price.
    pub(super) fn tick(&mut self, instrument: InstrumentKey) {
        let (Some(contract), Some(book)) = (self.universe.get(instrument), self.books.get(&instrument))
        else {
            return;
        };
        let beyond_last = matches!(
            book.depth.as_ref().unwrap_or(&self.settings.depth),
            Depth::Synthetic | Depth::Capped(_)
        );
        let last = self.price_of(contract);
        let best = |side| book.resting(side).first().map(|index| self.orders[*index].working_price);
        let out_of_reach = best(Side::Buy).is_none_or(|price| price <= last)
            && best(Side::Sell).is_none_or(|price| price >= last);
        let asleep =
            book.stops().iter().all(|index| !self.is_triggered(*index) && self.trail_steps(*index) == 0);
        if !(beyond_last && out_of_reach && asleep) {
            self.refresh(instrument);
        }
    }

    /// Brings an instrument's book to the present tick: new depth, fills of resting orders, stops that fire.
    pub(super) fn refresh(&mut self, instrument: InstrumentKey) {
        self.with_book(instrument, |exchange, book| {
            if exchange.renew_ladder(instrument, book) {
                exchange.sweep(book, Side::Buy);
                exchange.sweep(book, Side::Sell);
                exchange.fire_stops(instrument, book);
            }
        });
    }

    /// Brings an accepted order into its book: it waits for its trigger, or trades and rests.
    pub(super) fn enter(&mut self, index: usize) {
        self.enter_at(index, None);
    }

    /// The same for an order that may keep its place in the queue.
    pub(super) fn enter_at(&mut self, index: usize, place: Option<u64>) {
        let instrument = self.orders[index].terms.instrument;
        self.refresh(instrument);
        if self.orders[index].is_terminal() {
            return; // an exit whose units the other one has just taken
        }
        self.orders[index].priority = place.unwrap_or_else(|| draw(&mut self.counters.priority));
        self.with_book(instrument, |exchange, book| {
            if exchange.orders[index].waits_for_trigger() {
                if exchange.is_triggered(index) {
                    exchange.fire(book, index);
                } else {
                    book.wait(index);
                }
            } else {
                exchange.trade_or_rest(book, index);
            }
        });
    }

    /// Takes an order out of its book.
    pub(super) fn withdraw(&mut self, index: usize) {
        let instrument = self.orders[index].terms.instrument;
        self.with_book(instrument, |_, book| book.remove(index));
    }

    /// Works on a book and on the rest of the exchange at once.
    pub(super) fn with_book(&mut self, instrument: InstrumentKey, work: impl FnOnce(&mut Self, &mut Book)) {
        let mut book = self.books.remove(&instrument).unwrap_or_default();
        // A pinned price must stay readable while the book is out.
        self.books.insert(instrument, Book::stand_in(&book));
        work(self, &mut book);
        if book.has_orders() {
            self.active_books.insert(instrument);
        } else {
            self.active_books.remove(&instrument);
        }
        self.books.insert(instrument, book);
        self.tend_groups();
    }

    /// Builds the depth of the present tick if the book does not have it yet; says whether it did.
    fn renew_ladder(&mut self, instrument: InstrumentKey, book: &mut Book) -> bool {
        let at = self.market.position();
        let depth = book.depth.as_ref().unwrap_or(&self.settings.depth);
        let kept = matches!(depth, Depth::Fixed { .. });
        let Some(contract) = self.universe.get(instrument) else { return false };
        if book.ladder_at == Some(at) {
            return false;
        }
        // Fixed depth stays as used up as it is, until it is set again; stops still look at the price.
        if !(kept && book.ladder_built) {
            let last = book.pinned_price.unwrap_or_else(|| self.market.last(contract));
            book.ladder = Ladder::build(depth, &self.market, contract, at.1.unwrap_or(0), last);
            book.ladder_priority = draw(&mut self.counters.priority);
            book.ladder_built = true;
        }
        book.ladder_at = Some(at);
        true
    }

    /// Lets fresh depth trade with the orders it crosses, at their prices.
    fn sweep(&mut self, book: &mut Book, side: Side) {
        while let Some(&index) = book.resting(side).first() {
            let price = self.orders[index].working_price;
            let Some(level) =
                book.ladder.best_against(side).filter(|level| crosses(side, price, level.price))
            else {
                return;
            };
            let quantity = level.quantity.min(self.orders[index].remaining());
            book.ladder.take(side, quantity);
            self.fill(index, quantity, price);
            self.settle(book, index);
        }
    }

    fn fire_stops(&mut self, instrument: InstrumentKey, book: &mut Book) {
        // A stop that fires trades with depth and orders, but never moves the price others wait for: once through.
        let waiting: Vec<usize> = book.stops().to_vec();
        debug_assert!(waiting.iter().all(|index| self.orders[*index].terms.instrument == instrument));
        for index in waiting {
            self.trail(index);
            // One that fired before may have taken this one's quantity.
            if self.is_triggered(index) && book.stops().contains(&index) {
                book.remove(index);
                self.fire(book, index);
            }
        }
    }

    fn is_triggered(&self, index: usize) -> bool {
        let terms = &self.orders[index].terms;
        let Some(contract) = self.universe.get(terms.instrument) else { return false };
        let last = self.price_of(contract);
        match terms.side {
            Side::Buy => last >= terms.trigger,
            Side::Sell => last <= terms.trigger,
        }
    }

    /// A touched stop trades or rests as a limit.
    fn fire(&mut self, book: &mut Book, index: usize) {
        self.disarm(index);
        self.close_entry(book, index);
        self.trade_or_rest(book, index);
    }

    /// A touched stop becomes a limit without trigger, which is how the stream shows it (`dhanhq-v2.md` section 2.9).
    fn disarm(&mut self, index: usize) {
        let order = &mut self.orders[index];
        order.terms.order_type =
            if order.terms.price.is_zero() { OrderType::Market } else { OrderType::Limit };
        order.terms.trigger = Price::ZERO;
        if order.terms.order_type == OrderType::Market {
            self.protect(index);
        }
        self.orders[index].priority = draw(&mut self.counters.priority);
        self.tell(index, BrokerStatus::Pending);
    }

    /// Lets a stop that waits become a resting limit, wherever the price is and without trading.
    pub(super) fn spring(&mut self, index: usize) {
        if !self.orders[index].waits_for_trigger() {
            return;
        }
        let instrument = self.orders[index].terms.instrument;
        self.with_book(instrument, |exchange, book| {
            book.remove(index);
            exchange.disarm(index);
            exchange.close_entry(book, index);
            book.rest(index, &exchange.orders);
        });
    }

    fn trade_or_rest(&mut self, book: &mut Book, index: usize) {
        let side = self.orders[index].terms.side;
        while !self.orders[index].is_terminal() {
            let Some((maker, price, available)) = self.best_maker(book, index) else { break };
            let quantity = available.min(self.orders[index].remaining());
            match maker {
                Maker::Ladder => book.ladder.take(side, quantity),
                Maker::Order(other) => {
                    self.fill(other, quantity, price);
                    self.settle(book, other);
                }
            }
            self.fill(index, quantity, price);
            self.settle(book, index);
        }
        if self.orders[index].is_terminal() {
            return;
        }
        if self.orders[index].terms.time_in_force == TimeInForce::Ioc {
            self.end(
                index,
                BrokerStatus::Cancelled,
                "Unfilled part of an IOC order cancelled by the exchange",
            );
        } else {
            book.rest(index, &self.orders);
        }
    }

    /// The best price against an order that its limit allows; at one price whoever was there first.
    fn best_maker(&self, book: &Book, index: usize) -> Option<(Maker, Price, Quantity)> {
        let order = &self.orders[index];
        let side = order.terms.side;
        let strangers = |other: &usize| !self.are_kin(index, *other);
        let resting = book.resting(side.opposite()).iter().copied().find(strangers);
        let level = book.ladder.best_against(side);
        let order_first = match (resting, level) {
            (Some(other), Some(level)) => {
                let other = &self.orders[other];
                let better = match side {
                    Side::Buy => other.working_price < level.price,
                    Side::Sell => other.working_price > level.price,
                };
                better || (other.working_price == level.price && other.priority < book.ladder_priority)
            }
            (resting, _) => resting.is_some(),
        };
        let (maker, price, quantity) = if order_first {
            let other = resting?;
            (Maker::Order(other), self.orders[other].working_price, self.orders[other].remaining())
        } else {
            let level = level?;
            (Maker::Ladder, level.price, level.quantity)
        };
        crosses(side, order.working_price, price).then_some((maker, price, quantity))
    }

    /// What follows from a fill: an order that is done leaves its book, and the other exit of a composite order shrinks
    /// before anybody can trade with it.
    pub(super) fn settle(&mut self, book: &mut Book, index: usize) {
        if self.orders[index].is_terminal() {
            book.remove(index);
        }
        self.balance_exits(book, index);
    }

    /// Books one fill: order, trade, position, stream.
    pub(super) fn fill(&mut self, index: usize, quantity: Quantity, price: Price) {
        let trade_number = 300_000_000 + draw(&mut self.counters.trade);
        let now = self.now;
        let order = &mut self.orders[index];
        let ended = order.is_terminal();
        order.filled = order.filled.checked_add(quantity).unwrap_or(order.terms.quantity);
        order.filled_value = order.filled_value.plus(price.notional(quantity));
        order.last_fill = price;
        order.reason = "TRADE CONFIRMED".into();
        let complete = order.remaining().is_zero();
        if complete {
            order.status = BrokerStatus::Traded;
        } else if !ended {
            // A fill told after the end changes the quantity only.
            order.status = BrokerStatus::PartTraded;
        }
        let status = order.status.clone();
        let terms = &order.terms;
        let (instrument, side, product) = (terms.instrument, terms.side, terms.product);
        let trade = TradeId::new(trade_number.to_string()).ok().map(|id| SimTrade {
            account: order.account.clone(),
            order_id: order.id.clone(),
            exchange_order_id: order.exchange_id.clone(),
            id,
            instrument,
            side,
            product,
            order_type: terms.order_type,
            quantity,
            price,
            at: now,
        });
        self.trades.extend(trade);
        if let Some(account) = self.owner(index) {
            account.position(instrument, product).fill(side, quantity, price);
            if complete {
                account.open.remove(&index);
            }
        }
        self.tell(index, status);
    }

    pub(super) fn draw_exchange_id(&mut self) -> Option<ExchangeOrderId> {
        let number = 1_100_000_050_000_000 + draw(&mut self.counters.exchange_order);
        ExchangeOrderId::new(number.to_string()).ok()
    }
}

/// Whether an order of `side` at `limit` may trade at `price`.
fn crosses(side: Side, limit: Price, price: Price) -> bool {
    match side {
        Side::Buy => price <= limit,
        Side::Sell => price >= limit,
    }
}
