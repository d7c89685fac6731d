//! Simulated time: ticks, the steps of a day, and what is under way to the exchange.

use std::time::Duration;

use chrono::{Days, NaiveTime};
use tandem_domain::order::{BrokerStatus, Leg, Product, Side};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;
use tandem_domain::time::{Timestamp, TradingDay};

use super::Exchange;
use super::request::{ModifyRequest, SuperChange};
use super::settings::Session;

const SECOND_US: i64 = 1_000_000;

/// What the broker does by itself at a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The accounts' books of the day are closed: at midnight, or as late as the variant says.
    Roll,
    /// INTRADAY positions are closed.
    SquareOff,
    /// The session ends.
    Close,
}

/// Something on its way to the exchange.
#[derive(Debug, Clone)]
pub(super) enum Errand {
    Arrive(usize),
    Modify(usize, ModifyRequest),
    Cancel(usize),
    /// A change of the composite order in this place of the list.
    ModifyGroup(usize, SuperChange),
    CancelGroup(usize, Leg),
    /// Fault: a fill that is told whatever has become of the order.
    Report(usize, Quantity, Price),
}

/// The first step after a moment.
pub(super) fn step_after(at: Timestamp, session: &Session, books_turn_at: NaiveTime) -> (Timestamp, Step) {
    let today = at.trading_day();
    let tomorrow = TradingDay::from(today.date() + Days::new(1));
    let next_roll = (tomorrow.at(books_turn_at), Step::Roll);
    let roll = (today.at(books_turn_at), Step::Roll);
    let square_off = session.square_off.map(|time| (today.at(time), Step::SquareOff));
    let close = (today.at(session.close), Step::Close);
    square_off
        .into_iter()
        .chain([close, roll])
        .filter(|(due, _)| *due > at)
        .min_by_key(|(due, _)| *due)
        .unwrap_or(next_roll)
}

impl Exchange {
    /// Runs the simulation up to `target`, one tick a second where an order could be touched; stops right after the
    /// first moment that produced events. Returns where it stopped, which is the new [`Exchange::now`].
    pub fn advance_to(&mut self, target: Timestamp) -> Timestamp {
        let told_before = self.counters.event;
        while let Some(moment) = self.next_moment(target) {
            self.now = moment;
            self.market.advance(moment);
            self.run(moment);
            if self.counters.event != told_before {
                return self.now;
            }
        }
        self.now = self.now.max(target);
        self.market.advance(self.now);
        self.now
    }

    /// The day that the accounts' books are of.
    pub(super) fn day_of_books(&self) -> TradingDay {
        let since_midnight = self.settings.variants.books_turn_at - NaiveTime::MIN;
        self.now.minus(since_midnight.to_std().unwrap_or_default()).trading_day()
    }

    /// Whether options and futures trade now.
    pub fn is_open(&self) -> bool {
        self.market.is_open(self.now)
    }

    /// The first moment up to `target` at which something may happen.
    fn next_moment(&self, target: Timestamp) -> Option<Timestamp> {
        let errand = self.errands.first_key_value().map(|((due, _), _)| (*due).max(self.now));
        let tick = self.next_tick();
        [Some(self.next_step.0), errand, tick].into_iter().flatten().min().filter(|moment| *moment <= target)
    }

    /// The next second of this session, if an order rests anywhere.
    fn next_tick(&self) -> Option<Timestamp> {
        if self.active_books.is_empty() && self.forever_resting.is_empty() {
            return None;
        }
        let next = Timestamp::from_micros((self.now.micros().div_euclid(SECOND_US) + 1) * SECOND_US);
        self.market.is_open(next).then_some(next)
    }

    fn run(&mut self, moment: Timestamp) {
        if moment.micros() % SECOND_US == 0 && self.market.is_open(moment) {
            let active: Vec<_> = self.active_books.iter().copied().collect();
            for instrument in active {
                self.tick(instrument);
            }
            self.fire_forever();
        }
        if self.next_step.0 <= moment {
            let (due, step) = self.next_step;
            self.next_step = step_after(due, &self.settings.session, self.settings.variants.books_turn_at);
            self.take_step(step);
        }
        while let Some(entry) = self.errands.first_entry().filter(|entry| entry.key().0 <= moment) {
            let errand = entry.remove();
            self.deliver(errand);
        }
    }

    /// Sends something to the exchange; without latency it is there at once.
    pub(super) fn send(&mut self, errand: Errand) {
        self.send_after(self.settings.exchange_latency, errand);
    }

    /// Lets something happen so much later; at once without delay.
    pub(super) fn send_after(&mut self, delay: Duration, errand: Errand) {
        let due = self.now.plus(delay);
        if due > self.now { self.send_at(due, errand) } else { self.deliver(errand) }
    }

    fn deliver(&mut self, errand: Errand) {
        match errand {
            Errand::Arrive(index) => self.arrive(index),
            Errand::Modify(index, change) => self.apply_change(index, &change),
            Errand::Cancel(index) => self.apply_cancel(index),
            Errand::ModifyGroup(group, change) => self.apply_group_change(group, &change),
            Errand::CancelGroup(group, leg) => self.apply_group_cancel(group, leg),
            Errand::Report(index, quantity, price) => self.report(index, quantity, price),
        }
    }

    pub(super) fn send_at(&mut self, due: Timestamp, errand: Errand) {
        let number = super::draw(&mut self.counters.errand);
        self.errands.insert((due, number), errand);
    }

    fn take_step(&mut self, step: Step) {
        let trading = self.market.calendar().is_trading_day(self.now.ist().date());
        match step {
            Step::Roll => self.accounts.iter_mut().for_each(super::Account::roll),
            Step::SquareOff if trading => self.square_off(),
            Step::Close if trading => self.close_session(),
            Step::SquareOff | Step::Close => {}
        }
    }

    /// Day orders expire; contracts of today are settled in cash.
    fn close_session(&mut self) {
        let working: Vec<usize> =
            self.accounts.iter().flat_map(|account| account.open.iter().copied()).collect();
        for index in working {
            let waits_for_next_session =
                self.orders[index].terms.after_market && self.orders[index].exchange_id.is_none();
            if !waits_for_next_session && !self.orders[index].is_terminal() {
                self.take_out(index, BrokerStatus::Expired, "Order expired at the end of the session");
            }
        }
        let today = self.now.ist().date();
        for account in &mut self.accounts {
            for row in account.positions.values_mut() {
                let contract = self.universe.get(row.instrument);
                let Some(contract) = contract.filter(|contract| contract.expiry == Some(today)) else {
                    continue;
                };
                let net = row.net();
                if net != 0 {
                    let side = if net > 0 { Side::Sell } else { Side::Buy };
                    let quantity = Quantity::new(u32::try_from(net.unsigned_abs()).unwrap_or(u32::MAX));
                    row.fill(side, quantity, self.market.settlement(contract));
                }
            }
        }
    }
}

/// Whether positions in a product end with the day: covers and brackets do as well (`dhanhq-v2.md` section 2.10).
pub(super) const fn is_intraday_only(product: Product) -> bool {
    matches!(product, Product::Intraday | Product::Cover | Product::Bracket)
}
