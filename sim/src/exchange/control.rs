//! The market and the broker by hand: prices, depth, latency, faults of the core.

use std::time::Duration;

use tandem_domain::ids::{BrokerOrderId, DhanClientId};
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::order::BrokerStatus;
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::Quantity;

use super::Exchange;
use super::account::Account;
use super::checks::reject;
use super::request::Fill;
use super::settings::{Depth, OverlappingExits, RateLimits};

/// All of them answer whether the instrument or account is known. What follows from a change (fills, stops that fire)
/// happens at once.
impl Exchange {
    /// Sets the last price of an instrument and keeps it there.
    pub fn set_last_price(&mut self, instrument: InstrumentKey, price: Price) -> bool {
        self.pin(instrument, Some(price))
    }

    /// Keeps the last price of an instrument where it is.
    pub fn freeze_price(&mut self, instrument: InstrumentKey) -> bool {
        let price = self.last_price(instrument);
        price.is_some() && self.pin(instrument, price)
    }

    /// Gives the last price of an instrument back to the tape.
    pub fn release_price(&mut self, instrument: InstrumentKey) -> bool {
        self.pin(instrument, None)
    }

    /// Sets the depth of an instrument; `None` for the exchange's default. Fixed depth is there in full again each
    /// time it is set.
    pub fn set_depth(&mut self, instrument: InstrumentKey, depth: Option<Depth>) -> bool {
        self.universe.get(instrument).is_some() && {
            let book = self.books.entry(instrument).or_default();
            book.depth = depth;
            book.ladder_built = false;
            book.ladder_at = None;
            self.refresh(instrument);
            true
        }
    }

    /// Sets the depth of all instruments that have none of their own.
    pub fn set_default_depth(&mut self, depth: Depth) {
        self.settings.depth = depth;
        let instruments: Vec<_> = self.books.keys().copied().collect();
        for instrument in instruments {
            if let Some(book) = self.books.get_mut(&instrument).filter(|book| book.depth.is_none()) {
                book.ladder_built = false;
                book.ladder_at = None;
                self.refresh(instrument);
            }
        }
    }

    /// Sets how long orders, changes and cancels travel from now on.
    pub fn set_exchange_latency(&mut self, latency: Duration) {
        self.settings.exchange_latency = latency;
    }

    /// Sets the limits on order writes; `None` for no limits.
    pub fn set_rate_limits(&mut self, limits: Option<RateLimits>) {
        self.settings.rate_limits = limits;
    }

    /// Rejects the next `count` placements of an account after taking them, with this text; `<id>` in it becomes the
    /// order's number. Zero ends the fault.
    pub fn reject_next(&mut self, account: &DhanClientId, count: u32, text: &str) -> bool {
        self.change_account(account, |account| account.rejections = (count, text.into()))
    }

    /// Takes the next `count` changes of an account (orders of every kind) and lets them come to nothing. Zero ends the
    /// fault.
    pub fn void_changes(&mut self, account: &DhanClientId, count: u32) -> bool {
        self.change_account(account, |account| account.void_changes = count)
    }

    /// Lets `quantity` of the next order of the account that is cancelled fill after its end, at its own price and so
    /// much later; never more than was left of it. `None` ends the fault.
    pub fn fill_after_cancel(&mut self, account: &DhanClientId, late: Option<(Quantity, Duration)>) -> bool {
        self.change_account(account, |account| account.late_fill = late)
    }

    /// Fills exactly so much of a resting order, at this price, now; depth and limit do not matter. False when no such
    /// order rests, when it waits for its trigger, or when less than that is left of it.
    pub fn fill_resting(&mut self, order_id: &BrokerOrderId, quantity: Quantity, price: Price) -> bool {
        let Some(index) = self.resting_order(order_id) else { return false };
        let order = &self.orders[index];
        let fits = !order.waits_for_trigger() && !quantity.is_zero() && quantity <= order.remaining();
        if fits {
            self.report(index, quantity, price);
        }
        fits
    }

    /// Fills several working orders in one moment, as a spike through all their prices does: nobody gets a word in between.
    /// A stop that waits for its trigger fires first; orders that end by another's fill, as the legs of one super order
    /// do, fill all the same. False, and nothing happens, when one of them does not work or has less than that left.
    pub fn fill_together(&mut self, fills: &[Fill]) -> bool {
        let found = fills.iter().map(|fill| {
            let index = self.resting_order(&fill.order_id)?;
            let fits = !fill.quantity.is_zero() && fill.quantity <= self.orders[index].remaining();
            fits.then_some((index, fill))
        });
        let Some(found) = found.collect::<Option<Vec<_>>>() else { return false };
        for (index, _) in &found {
            self.spring(*index);
        }
        for (index, fill) in found {
            self.report(index, fill.quantity, fill.price);
        }
        true
    }

    /// Tells of a fill whatever the order's state and quantity: after its end, or more than it asked for. False when the
    /// exchange never had the order.
    pub fn report_fill(&mut self, order_id: &BrokerOrderId, quantity: Quantity, price: Price) -> bool {
        let index = self.order_index.get(order_id).copied();
        let Some(index) = index.filter(|index| self.orders[*index].exchange_id.is_some()) else {
            return false;
        };
        self.report(index, quantity, price);
        true
    }

    /// Rejects an order that rests, with this text; `<id>` in it becomes the order's number. False when none such rests.
    pub fn reject_resting(&mut self, order_id: &BrokerOrderId, text: &str) -> bool {
        let Some(index) = self.resting_order(order_id) else { return false };
        let text = reject(&self.orders[index], text);
        self.take_out(index, BrokerStatus::Rejected, &text);
        true
    }

    /// Lets orders placed from now on show in the book and in lookups only after `delay` of simulated time. Their
    /// events and fills are not late. Zero ends the fault.
    pub fn delay_visibility(&mut self, account: &DhanClientId, delay: Duration) -> bool {
        self.change_account(account, |account| account.visibility_delay = delay)
    }

    /// Sets an account's money at the start of the day.
    pub fn set_capital(&mut self, account: &DhanClientId, capital: Money) -> bool {
        self.change_account(account, |account| account.capital = capital)
    }

    /// Pays money in, or out when it is negative; the start-of-day money stays. False when the account is not known or does
    /// not have so much to spare.
    pub fn pay_in(&mut self, account: &DhanClientId, money: Money) -> bool {
        let spare = self.funds(account).map_or(Money::ZERO, |funds| funds.withdrawable);
        let covered = spare.plus(money) >= Money::ZERO;
        covered && self.change_account(account, |account| account.paid_in = account.paid_in.plus(money))
    }

    /// Sets what becomes of exits beside others for the same units.
    pub fn set_overlapping_exits(&mut self, account: &DhanClientId, how: OverlappingExits) -> bool {
        self.change_account(account, |account| account.overlapping_exits = how)
    }

    /// Sets the lowest and highest price an order of an instrument may carry; `None` for the day's own. Orders that rest
    /// stay. The instrument files show it from now on. False as well when the prices are no band.
    pub fn set_band(&mut self, instrument: InstrumentKey, band: Option<(Price, Price)>) -> bool {
        let sound = band.is_none_or(|(low, high)| !low.is_zero() && low <= high);
        let known = self.universe.get(instrument).is_some();
        if sound && known {
            self.books.entry(instrument).or_default().band = band;
        }
        sound && known
    }

    /// A fill from nowhere.
    pub(super) fn report(&mut self, index: usize, quantity: Quantity, price: Price) {
        let instrument = self.orders[index].terms.instrument;
        self.with_book(instrument, |exchange, book| {
            exchange.fill(index, quantity, price);
            exchange.settle(book, index);
        });
    }

    fn resting_order(&self, order_id: &BrokerOrderId) -> Option<usize> {
        let index = self.order_index.get(order_id).copied()?;
        let order = &self.orders[index];
        (order.exchange_id.is_some() && !order.is_terminal()).then_some(index)
    }

    fn change_account(&mut self, client_id: &DhanClientId, change: impl FnOnce(&mut Account)) -> bool {
        let account = self.account_of(client_id).ok().and_then(|index| self.accounts.get_mut(index));
        account.map(change).is_some()
    }

    fn pin(&mut self, instrument: InstrumentKey, price: Option<Price>) -> bool {
        self.universe.get(instrument).is_some() && {
            let book = self.books.entry(instrument).or_default();
            book.pinned_price = price;
            book.ladder_at = None;
            self.refresh(instrument);
            self.fire_forever();
            true
        }
    }
}
