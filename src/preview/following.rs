//! One follower while the day runs: the book of production over a broker on paper.

mod figures;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tandem_actors::FollowerPolicy;
use tandem_domain::decision::decide;
use tandem_domain::follower::{Alert, Effect, Event, FollowerBook, FollowerSettings, Opening, Record};
use tandem_domain::ids::{BrokerOrderId, ClientOrderId, IdError};
use tandem_domain::instrument::{Instrument, InstrumentKey};
use tandem_domain::leader::LeaderOrder;
use tandem_domain::mirror::COPY;
use tandem_domain::order::{BrokerStatus, OrderForm, Product};
use tandem_domain::policy::CopyOn;
use tandem_domain::price::{Money, Price};
use tandem_domain::sizing::DayCapital;
use tandem_domain::time::Timestamp;
use tandem_domain::trading::Trading;

use super::holdings::Holdings;
use super::leading::{Leading, News, Traded};
use super::paper::{Paper, PaperOrder};

/// Two things that follow from each other are never of one moment.
const MOMENT: Duration = Duration::from_micros(1);
/// Fills that may follow from each other at one moment; a guard, for a few are the most there should be.
const FILLS_MAX: usize = 1_000;
/// Times that a follower is looked at although nothing happens: a guard, a day of chasing one order every second is within.
const WAKES_MAX: usize = 200_000;
/// Billionths of a lot, as the Sizer counts shares.
pub(super) const PER_LOT: i128 = 1_000_000_000;

/// What became of one leader order at one follower, beside what its mirror tells.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    /// Units by which the leader opened and closed.
    pub(super) leader_opened: u32,
    pub(super) leader_closed: u32,
    /// What of the follower's holding the leader's closing stands for, in billionths of a lot.
    pub(super) exact_closed: i128,
    /// Units that the copy opened and closed.
    pub(super) opened: u32,
    pub(super) closed: u32,
    /// Units that repairs traded.
    pub(super) repaired: u32,
    /// What was traded for it, in 1/10,000 rupee, and how much.
    pub(super) value: i128,
    pub(super) traded: u32,
}

/// What a follower begins the day with.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) policy: FollowerPolicy,
    pub(super) settings: FollowerSettings,
    pub(super) capital: DayCapital,
    /// Money free to trade with.
    pub(super) available: Money,
    pub(super) openings: Vec<Opening>,
}

/// One follower.
#[derive(Debug)]
pub(super) struct Following {
    pub(super) start: Start,
    /// Tells his orders from those of others.
    number: usize,
    pub(super) book: FollowerBook,
    paper: Paper,
    /// The leader's order that each of his stands for, and which part of it.
    leader_of: HashMap<ClientOrderId, (BrokerOrderId, u8)>,
    pub(super) holdings: Holdings,
    instruments: HashMap<InstrumentKey, Arc<Instrument>>,
    pub(super) tallies: HashMap<BrokerOrderId, Tally>,
    /// What exact proportion would still hold of what the copies opened, in billionths of a unit.
    pools: HashMap<InstrumentKey, i128>,
    wakes: BTreeSet<Timestamp>,
    wakes_left: usize,
    now: Timestamp,
    /// The most money that was held at a time, and when.
    pub(super) margin_peak: Money,
    pub(super) margin_peak_at: Option<Timestamp>,
    /// How the account stands.
    pub(super) trading: Trading,
    pub(super) alerts: BTreeMap<&'static str, usize>,
}

impl Following {
    pub(super) fn new(start: Start, number: usize) -> Self {
        let mut book = FollowerBook::new(start.settings.clone());
        let mut holdings = Holdings::default();
        // No positions are told: they stand as they are, whenever they were recorded.
        book.restore_openings(start.openings.iter().map(|opening| (*opening, Timestamp::EPOCH)));
        let carried = start.openings.iter().filter(|opening| opening.copied != 0);
        book.restore_carried(
            carried.clone().map(|opening| (opening.instrument, opening.copied)).collect::<Vec<_>>(),
            [],
        );
        let mut pools = HashMap::new();
        for opening in carried {
            holdings.carry(opening.instrument, carried_in(opening.instrument), opening.copied);
            pools.insert(opening.instrument, i128::from(opening.copied.unsigned_abs()) * PER_LOT);
        }
        Self {
            paper: Paper::new(start.policy.account.clone()),
            start,
            number,
            book,
            leader_of: HashMap::new(),
            holdings,
            instruments: HashMap::new(),
            tallies: HashMap::new(),
            pools,
            wakes: BTreeSet::new(),
            wakes_left: WAKES_MAX,
            now: Timestamp::EPOCH,
            margin_peak: Money::ZERO,
            margin_peak_at: None,
            trading: Trading::ACTIVE,
            alerts: BTreeMap::new(),
        }
    }

    /// The leader's order is in another state.
    pub(super) fn take(
        &mut self,
        news: &News,
        instrument: Option<&Arc<Instrument>>,
        at: Timestamp,
        leading: &Leading,
    ) -> Result<(), IdError> {
        self.wake_until(at, leading)?;
        self.advance(at);
        if let Some(instrument) = instrument {
            self.instruments.insert(instrument.key, Arc::clone(instrument));
        }
        self.count(news);
        self.fill_with(news, leading)?;
        self.exit_with(news)?;
        self.tell_figures(leading)?;
        let (policy, order) = (&self.start.policy, Arc::clone(&news.order));
        let decision = decide(&order, instrument, &policy.copy, self.start.capital, &policy.account);
        self.tell(Event::Plan { order, decision })?;
        self.fill_with(news, leading)?;
        self.end_with_leader(leading)?;
        self.fill_by_tape(leading)?;
        self.weigh(leading);
        Ok(())
    }

    /// Lives on until that moment although the leader does nothing.
    pub(super) fn wake_until(&mut self, until: Timestamp, leading: &Leading) -> Result<(), IdError> {
        while let Some(wake) = self.wakes.first().copied().filter(|wake| *wake <= until) {
            self.wakes.remove(&wake);
            let Some(left) = self.wakes_left.checked_sub(1) else { break };
            self.wakes_left = left;
            self.advance(wake);
            self.tell_figures(leading)?;
            self.tell(Event::Tick)?;
            self.end_with_leader(leading)?;
            self.fill_by_tape(leading)?;
            self.weigh(leading);
        }
        Ok(())
    }

    fn advance(&mut self, at: Timestamp) {
        self.now = self.now.plus(MOMENT).max(at);
    }

    /// Tells the book something, and does everything that it wants done about it.
    fn tell(&mut self, event: Event) -> Result<(), IdError> {
        let mut queue = VecDeque::from([event]);
        while let Some(event) = queue.pop_front() {
            self.now = self.now.plus(MOMENT);
            for effect in self.book.step(event, self.now) {
                match effect {
                    Effect::Commit { records, then } => {
                        self.learn(&records);
                        if let Some(approved) = then {
                            queue.extend(self.paper.carry_out(approved.get(), self.number, self.now)?);
                        }
                    }
                    // There is no calculator here: as when it does not answer in time, the local estimate counts.
                    Effect::AskMargin { client_order_id, .. } => {
                        queue.push_back(Event::Margin { client_order_id, required: None });
                    }
                    Effect::WakeAt(at) => {
                        self.wakes.insert(at.max(self.now.plus(MOMENT)));
                    }
                    Effect::Alert(alert) => {
                        if let Some(word) = word(&alert) {
                            *self.alerts.entry(word).or_default() += 1;
                        }
                    }
                    // Nothing gets lost here, and figures are told at each step.
                    Effect::Lookup { .. }
                    | Effect::ReadBook
                    | Effect::ReadSupers
                    | Effect::ReadPositions
                    | Effect::Convert(_)
                    | Effect::Over(_) => {}
                }
            }
        }
        Ok(())
    }

    fn learn(&mut self, records: &[Record]) {
        for record in records {
            match record {
                Record::Intent { child, .. } => {
                    let of = (child.key.leader_order.clone(), child.key.leg);
                    self.leader_of.insert(child.client_order_id.clone(), of);
                }
                Record::Trading(trading) => self.trading = *trading,
                _ => {}
            }
        }
    }

    /// What the leader did, and what exact proportion would do about it: of what the copies opened it closes the part that
    /// he closed of what he held, whatever was rounded before.
    fn count(&mut self, news: &News) {
        let instrument = news.order.terms.instrument;
        let lot = i128::from(self.lot_of(instrument).max(1));
        let tally = self.tallies.entry(news.order.broker_order_id.clone()).or_default();
        if let Some(fill) = &news.fill {
            tally.leader_opened += fill.parts.opened;
            tally.leader_closed += fill.parts.closed;
        }
        for Traded { parts, held_before, .. } in news.fill.iter().chain(&news.exit) {
            if parts.closed > 0 {
                let pool = self.pools.entry(instrument).or_default();
                let closed = *pool * i128::from(parts.closed) / i128::from(held_before.unsigned_abs());
                *pool -= closed;
                tally.exact_closed += closed / lot;
            }
        }
    }

    /// What the leader's order filled, its copy fills in proportion, at the leader's price.
    fn fill_with(&mut self, news: &News, leading: &Leading) -> Result<(), IdError> {
        let Some(fill) = news.fill else { return Ok(()) };
        let id = &news.order.broker_order_id;
        let of_it: Vec<usize> = self
            .live_orders()
            .filter(|(_, of)| of.0 == *id && of.1 == COPY)
            .map(|(index, _)| index)
            .collect();
        for index in of_it {
            let due = self.due(index, leading);
            if due > 0 {
                self.fill(index, due, fill.price)?;
            }
        }
        Ok(())
    }

    /// What the leader's order does not explain trades by the prices of the recording.
    fn fill_by_tape(&mut self, leading: &Leading) -> Result<(), IdError> {
        for _ in 0..FILLS_MAX {
            let live: Vec<usize> = self.live_orders().map(|(index, _)| index).collect();
            let mut next = None;
            for index in live {
                let due = self.due(index, leading);
                let Some(order) = self.paper.orders().get(index).filter(|_| due > 0) else { continue };
                let Some(last) = leading.tape.last(order.terms.instrument) else { continue };
                match order.trades_at(last) {
                    Some(price) => {
                        next = Some((index, due, price));
                        break;
                    }
                    None => self.paper.rest(index),
                }
            }
            let Some((index, due, price)) = next else { return Ok(()) };
            self.fill(index, due, price)?;
        }
        Ok(())
    }

    /// Units of an order that are to have filled by now: as large a part of the copy as of the leader's order, in whole
    /// lots; all of it once the leader's is over.
    fn due(&self, index: usize, leading: &Leading) -> u32 {
        let Some(order) = self.paper.orders().get(index) else { return 0 };
        let Some(of) = self.leader_of.get(&order.client_order_id) else { return 0 };
        let Some(leader) = leading.order(&of.0).filter(|_| of.1 == COPY) else { return order.open() };
        let by_fill = self.start.policy.copy.on == CopyOn::Fill && leader.terms.form == OrderForm::Ordinary;
        if by_fill || (leader.status.is_terminal() && self.is_told(leader)) {
            return order.open();
        }
        let of_it =
            self.paper.orders().iter().filter(|other| self.leader_of.get(&other.client_order_id) == Some(of));
        let (total, filled) = of_it.fold((0u64, 0u64), |(total, filled), other| {
            (total + u64::from(other.stands_for()), filled + u64::from(other.filled))
        });
        let due = self.part(total, leader).saturating_sub(filled);
        order.open().min(u32::try_from(due).unwrap_or(u32::MAX))
    }

    /// The part of so many units that the leader's order has filled.
    fn part(&self, total: u64, leader: &LeaderOrder) -> u64 {
        let (filled, all) = (u64::from(leader.cumulative.get()), u64::from(leader.terms.quantity.get()));
        if filled >= all || leader.status == BrokerStatus::Traded {
            return total;
        }
        self.whole_lots(total.saturating_mul(filled) / all, leader.terms.instrument)
    }

    fn whole_lots(&self, units: u64, instrument: InstrumentKey) -> u64 {
        units - units % u64::from(self.lot_of(instrument).max(1))
    }

    /// Whether the book knows this state of the leader's order: what he took back is no longer due to fill.
    fn is_told(&self, leader: &LeaderOrder) -> bool {
        self.book.mirror(&leader.broker_order_id).is_some_and(|mirror| mirror.leader.status == leader.status)
    }

    fn live_orders(&self) -> impl Iterator<Item = (usize, &(BrokerOrderId, u8))> {
        let live = self.paper.orders().iter().enumerate().filter(|(_, order)| order.is_live());
        live.filter_map(|(index, order)| Some((index, self.leader_of.get(&order.client_order_id)?)))
    }

    fn fill(&mut self, index: usize, units: u32, price: Price) -> Result<(), IdError> {
        self.now = self.now.plus(MOMENT);
        let event = self.paper.fill(index, units, price, self.now);
        self.enter(index, units, price, false);
        event.map_or(Ok(()), |event| self.tell(event))
    }

    /// Enters what traded into the account.
    fn enter(&mut self, index: usize, units: u32, price: Price, is_exit_leg: bool) {
        let Some(order) = self.paper.orders().get(index) else { return };
        let sign = if is_exit_leg { -order.terms.side.sign() } else { order.terms.side.sign() };
        let (instrument, product) = (order.terms.instrument, order.terms.product);
        let parts = self.holdings.fill(instrument, product, sign * i64::from(units), price);
        let Some((leader_order, leg)) = self.leader_of.get(&order.client_order_id) else { return };
        let tally = self.tallies.entry(leader_order.clone()).or_default();
        let pool = self.pools.entry(instrument).or_default();
        if *leg != COPY {
            tally.repaired += units;
            *pool = (*pool - i128::from(parts.closed) * PER_LOT).max(0);
            return;
        }
        *pool += i128::from(parts.opened) * PER_LOT;
        tally.closed += parts.closed;
        tally.opened += parts.opened;
        if !is_exit_leg {
            tally.value += i128::from(units) * i128::from(price.units());
            tally.traded += units;
        }
    }

    /// An exit leg of the leader's super order fired: the copy's leg of that kind does, in proportion.
    fn exit_with(&mut self, news: &News) -> Result<(), IdError> {
        let Some(exit) = news.exit else { return Ok(()) };
        let leader = &news.order;
        let is_of_it = |order: &PaperOrder| {
            let of = self.leader_of.get(&order.client_order_id);
            order.is_super() && of.is_some_and(|of| of.0 == leader.broker_order_id && of.1 == COPY)
        };
        let orders = self.paper.orders().iter().enumerate();
        let of_it: Vec<usize> = orders.filter(|(_, order)| is_of_it(order)).map(|(index, _)| index).collect();
        for index in of_it {
            let Some(order) = self.paper.orders().get(index) else { continue };
            let (exited, opened) = (u64::from(leader.exited.get()), u64::from(leader.cumulative.get()));
            let due = if exited >= opened {
                u64::from(order.filled)
            } else {
                self.whole_lots(u64::from(order.filled) * exited / opened, leader.terms.instrument)
            };
            let units = u32::try_from(due).unwrap_or(u32::MAX).saturating_sub(order.exited);
            if units > 0 {
                self.now = self.now.plus(MOMENT);
                let events = self.paper.exit(index, news.exit_leg, units, exit.price, self.now);
                self.enter(index, units, exit.price, true);
                events.into_iter().try_for_each(|event| self.tell(event))?;
            }
        }
        Ok(())
    }

    /// What ends at the leader by itself ends here by itself: an immediate order with what it has, a day order at the close.
    fn end_with_leader(&mut self, leading: &Leading) -> Result<(), IdError> {
        let ended = self.live_orders().filter_map(|(index, (id, _))| {
            let leader = leading.order(id).filter(|leader| self.is_told(leader))?;
            let is_ioc = self.paper.orders().get(index).is_some_and(PaperOrder::is_ioc);
            match &leader.status {
                BrokerStatus::Expired => Some((index, BrokerStatus::Expired)),
                status if status.is_terminal() && is_ioc => Some((index, BrokerStatus::Cancelled)),
                _ => None,
            }
        });
        for (index, status) in ended.collect::<Vec<_>>() {
            self.now = self.now.plus(MOMENT);
            if let Some(event) = self.paper.end(index, status, self.now) {
                self.tell(event)?;
            }
        }
        Ok(())
    }

    /// Units in a lot, once the instrument is known.
    pub(super) fn lot_of(&self, instrument: InstrumentKey) -> u32 {
        self.instruments.get(&instrument).map_or(1, |instrument| instrument.lot_size.get())
    }

    /// Orders that still wait at the broker.
    pub(super) fn working(&self) -> usize {
        self.live_orders().count()
    }

    /// Whether the day was followed to its end.
    pub(super) const fn is_cut_short(&self) -> bool {
        self.wakes_left == 0
    }
}

/// What lasts over night is delivery where it is shares, and carried forward where it is not.
pub(super) fn carried_in(instrument: InstrumentKey) -> Product {
    use tandem_domain::instrument::ExchangeSegment::{BseEquity, NseEquity};
    if matches!(instrument.segment, NseEquity | BseEquity) { Product::Cnc } else { Product::Margin }
}

/// What a person should know of the day, in words; none for what the orders tell themselves.
const fn word(alert: &Alert) -> Option<&'static str> {
    match alert {
        Alert::Stopped(_) => Some("a limit stopped the account"),
        Alert::SquaredOff => Some("everything copied was closed by a limit"),
        Alert::Drift(..) | Alert::Illegal(_) | Alert::Overfill(_) | Alert::LateFill(_) => {
            Some("the preview's own books disagreed: please report it")
        }
        Alert::Overshot(..) => Some("more was closed than was held, and traded back"),
        Alert::ChangesExhausted(_) => Some("an order was changed as often as is allowed"),
        Alert::ExitGivenUp(_) => Some("an exit was given up"),
        _ => None,
    }
}
