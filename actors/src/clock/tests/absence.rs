//! The settle time of a lost answer, measured by a clock that was set ahead.

use std::sync::Arc;

use tandem_domain::decision::decide;
use tandem_domain::follower::{BookRead, Effect, Event, FollowerBook, FollowerSettings};
use tandem_domain::gates::entry::EntryPolicy;
use tandem_domain::instrument::Instrument;
use tandem_domain::leader::{LeaderBook, Merge};
use tandem_domain::mirror::{Answer, Request};
use tandem_domain::order::{OrderForm, OrderTerms, OrderType, Product, Side, TimeInForce};
use tandem_domain::policy::CopyOn;
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;
use tandem_domain::sizing::{DayCapital, Ratio};

use super::*;
use crate::chance::Chance;
use crate::restored::histories::broker::{Account, Fate};
use crate::restored::histories::policies;

/// A follower's book that asks a machine's clock what time it is.
struct Desk {
    machine: Machine,
    settings: FollowerSettings,
    instrument: Arc<Instrument>,
    leader: Account,
    leader_book: LeaderBook,
    broker: Account,
    book: FollowerBook,
}

impl Desk {
    /// The leader is followed one to one.
    fn new() -> Self {
        let machine = Machine::started("2026-12-02T12:00:00");
        let mut settings = policies::settings(1, &mut Chance::new(1));
        settings.sizing.fixed_ratio = Ratio::ONE;
        settings.entry = EntryPolicy::unbounded();
        (settings.copy.on, settings.rules.on) = (CopyOn::Working, CopyOn::Working);
        Self {
            leader: Account::new(policies::leader(), "L", vec![]),
            leader_book: LeaderBook::new(machine.now().trading_day()),
            broker: Account::new(settings.account.clone(), "F", vec![]),
            book: FollowerBook::new(settings.clone()),
            instrument: policies::instruments().remove(0),
            machine,
            settings,
        }
    }

    /// What is asked of the broker.
    fn tell(&mut self, event: Event) -> Vec<Request> {
        let now = self.machine.now();
        let effects = self.book.step(event, now);
        let asked: Vec<Request> = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Commit { then: Some(approved), .. } => Some(approved.get().clone()),
                _ => None,
            })
            .collect();
        for _ in &asked {
            self.book.step(Event::Left, now);
        }
        asked
    }

    fn hears(&mut self, at: usize) -> Vec<Request> {
        let Merge::Changed(order) = self.leader_book.merge(&self.leader.orders[at], self.machine.now())
        else {
            return vec![];
        };
        let (copy, account) = (&self.settings.copy, &self.settings.account);
        let decision = decide(&order, Some(&self.instrument), copy, DayCapital::default(), account);
        self.tell(Event::Plan { order, decision })
    }

    /// The leader places an order, and one request for its copy leaves, with this fate.
    fn leads(&mut self, side: Side, fate: Fate) -> usize {
        let now = self.machine.now();
        let terms = OrderTerms {
            instrument: self.instrument.key,
            side,
            product: Product::Margin,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Day,
            quantity: Quantity::new(65),
            disclosed: Quantity::ZERO,
            price: Price::from_paise(10_000),
            trigger: Price::ZERO,
            after_market: false,
            form: OrderForm::Ordinary,
        };
        let at = self.leader.place(terms, None, now);
        let asked = self.hears(at);
        assert_eq!(asked.len(), 1, "{asked:?}");
        let answer: Answer = self.broker.take(&asked[0], fate, now);
        let client_order_id = asked[0].client_order_id.clone();
        self.tell(Event::Answered { client_order_id, serial: asked[0].serial, answer });
        at
    }

    fn reads_book(&mut self) -> Vec<Request> {
        let (started_at, orders) = (self.machine.now(), self.broker.orders.clone());
        self.tell(Event::Book(BookRead { started_at, orders, complete: true }))
    }
}

#[test]
fn p28_an_hour_that_the_clock_is_set_ahead_proves_no_absence() {
    let mut desk = Desk::new();
    let bought = desk.leads(Side::Buy, Fate::Taken);
    let now = desk.machine.passes(SECOND);
    desk.leader.fill(bought, u32::MAX, now);
    desk.broker.fill(0, u32::MAX, now);
    desk.hears(bought);
    desk.reads_book();
    desk.machine.passes(SECOND * 10);
    desk.leads(Side::Sell, Fate::LostBefore);
    assert_eq!((desk.book.copied_units(desk.instrument.key), desk.book.unknown_count()), (65, 1));

    desk.machine.is_set(Set::Ahead(HOUR));
    for _ in 0..9 {
        desk.machine.passes(desk.settings.rules.settle / 10);
        assert_eq!(desk.reads_book(), [], "the broker may show it yet");
        assert_eq!(desk.tell(Event::Tick), []);
    }
    assert_eq!(desk.book.unknown_count(), 1);

    // Once time has passed, absence is what two reads say.
    desk.machine.passes(desk.settings.rules.settle);
    assert_eq!(desk.reads_book(), []);
    desk.machine.passes(SECOND);
    let mut again = desk.reads_book();
    desk.machine.passes(SECOND);
    again.extend(desk.tell(Event::Tick));
    assert_eq!(again.len(), 1, "the exit is sent again: {again:?}");
}
