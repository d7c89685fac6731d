//! The exchange and the broker in front of it: instruments, prices, books, orders, accounts.
//!
//! Pure, synchronous and deterministic: no sockets, no wall clock, no randomness but the seed. Equal settings and the
//! same calls at the same simulated times give the same orders, fills and events.
//!
//! - `settings`, `request`, `order`: what goes in and comes out.
//! - `calendar`, `universe`, `files`: trading days, contracts, instrument files.
//! - `market`, `tape`: prices; `ladder`, `book`, `matching`: depth, queues, fills.
//! - `supers`, `exits`, `forever`: orders that bring their own exits, and those that rest at the broker.
//! - `entry`, `changes`, `checks`: placing, changing, cancelling.
//! - `overlap`: exits beside exits; `positions`: what is held as a whole, converted, squared off.
//! - `account`, `margin`, `limits`: whose money and how much.
//! - `clock`: ticks and the steps of a day; `control`: faults and prices by hand; `reads`: all questions.

mod account;
mod book;
mod calendar;
mod changes;
mod checks;
mod clock;
mod control;
mod entry;
mod exits;
mod files;
mod forever;
mod ladder;
mod limits;
mod margin;
mod market;
mod matching;
mod order;
mod overlap;
mod positions;
mod reads;
mod request;
mod settings;
mod supers;
mod tape;
#[cfg(test)]
mod tests;
mod universe;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tandem_domain::ids::{BrokerOrderId, DhanClientId};
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::order::BrokerStatus;
use tandem_domain::price::Price;
use tandem_domain::time::Timestamp;

pub use self::account::{SimHolding, SimPosition};
pub use self::calendar::holidays_2026;
pub use self::forever::{ForeverLeg, SimForever};
pub use self::margin::MarginEstimate;
pub use self::order::{BracketValues, Family, Part, SimOrder, SimTrade, StreamEvent};
pub use self::reads::Quote;
pub use self::request::{
    AmoRelease, ApiError, Conversion, Fill, ForeverChange, ModifyRequest, OrderAnswer, PlaceRequest, Source,
    SuperChange,
};
pub use self::settings::{
    AccountSettings, CarriedPosition, Depth, ExchangeSettings, HoldingSettings, LegTags, Level, MarketOrders,
    OverlappingExits, RateLimits, Session, StopMarketOrders, Variants,
};
pub use self::supers::{SimExit, SimSuper};
pub use self::universe::Contract;

use self::account::Account;
use self::book::Book;
use self::calendar::Calendar;
use self::clock::{Errand, Step};
use self::exits::Group;
use self::market::Market;
use self::universe::Universe;

/// An exchange with its accounts.
#[derive(Debug)]
pub struct Exchange {
    settings: ExchangeSettings,
    universe: Universe,
    market: Market,
    now: Timestamp,
    /// The next step of the day, and when it is due.
    next_step: (Timestamp, Step),
    /// What is under way to the exchange, by when it arrives and in the order it was sent.
    errands: BTreeMap<(Timestamp, u64), Errand>,
    /// Every order ever, in the order taken. Books and accounts hold indexes into it.
    orders: Vec<SimOrder>,
    order_index: HashMap<BrokerOrderId, usize>,
    /// Every fill ever.
    trades: Vec<SimTrade>,
    accounts: Vec<Account>,
    account_index: HashMap<DhanClientId, usize>,
    books: BTreeMap<InstrumentKey, Book>,
    /// Books in which an order rests or waits: those a tick must look at.
    active_books: BTreeSet<InstrumentKey>,
    /// Every super, bracket and cover order ever.
    groups: Vec<Group>,
    /// Those whose entry has filled further than their exits know.
    groups_to_tend: BTreeSet<usize>,
    /// Whether they are being tended.
    tending: bool,
    /// Every forever order ever.
    forever: Vec<SimForever>,
    /// Those that wait for their trigger.
    forever_resting: BTreeSet<usize>,
    events: Vec<StreamEvent>,
    counters: Counters,
}

/// Running numbers; each is drawn once.
#[derive(Debug, Default)]
struct Counters {
    order: u64,
    forever: u64,
    exchange_order: u64,
    trade: u64,
    event: u64,
    priority: u64,
    errand: u64,
}

fn draw(counter: &mut u64) -> u64 {
    *counter += 1;
    *counter
}

impl Exchange {
    /// An exchange at `settings.start`, with its books empty. Of two accounts with one client id the later wins.
    pub fn new(settings: ExchangeSettings) -> Self {
        let calendar = Calendar::new(settings.holidays.clone());
        let first_day = settings.start.ist().date();
        let universe = Universe::new(&calendar, first_day, settings.strikes_each_side);
        let mut market = Market::new(settings.seed, calendar, settings.session, first_day);
        market.advance(settings.start);
        let accounts: Vec<Account> = settings.accounts.iter().cloned().map(Account::new).collect();
        let account_index = accounts
            .iter()
            .enumerate()
            .map(|(index, account)| (account.settings.client_id.clone(), index))
            .collect();
        Self {
            universe,
            market,
            now: settings.start,
            next_step: clock::step_after(settings.start, &settings.session, settings.variants.books_turn_at),
            errands: BTreeMap::new(),
            orders: Vec::new(),
            order_index: HashMap::new(),
            trades: Vec::new(),
            accounts,
            account_index,
            books: BTreeMap::new(),
            active_books: BTreeSet::new(),
            groups: Vec::new(),
            groups_to_tend: BTreeSet::new(),
            tending: false,
            forever: Vec::new(),
            forever_resting: BTreeSet::new(),
            events: Vec::new(),
            counters: Counters::default(),
            settings,
        }
    }

    /// What the exchange was built with; later changes of limits, depth and latency included.
    pub fn settings(&self) -> &ExchangeSettings {
        &self.settings
    }

    /// Simulated time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Takes what the streams have to tell, in the order it happened.
    pub fn drain_events(&mut self) -> Vec<StreamEvent> {
        std::mem::take(&mut self.events)
    }

    /// Whether there is something to drain.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    fn account_of(&self, client_id: &DhanClientId) -> Result<usize, ApiError> {
        self.account_index.get(client_id).copied().ok_or_else(ApiError::authentication)
    }

    /// The account an order belongs to. Orders are made for known accounts only.
    fn owner(&mut self, index: usize) -> Option<&mut Account> {
        let owner = *self.account_index.get(&self.orders[index].account)?;
        self.accounts.get_mut(owner)
    }

    fn price_of(&self, contract: &Contract) -> Price {
        let pinned = self.books.get(&contract.key).and_then(|book| book.pinned_price);
        pinned.unwrap_or_else(|| self.market.last(contract))
    }

    /// Notes a change of an order, for its account's stream.
    fn tell(&mut self, index: usize, status: BrokerStatus) {
        self.orders[index].updated = self.now;
        let order = self.orders[index].clone();
        let last_price =
            self.universe.get(order.terms.instrument).map_or(Price::ZERO, |contract| self.price_of(contract));
        self.events.push(StreamEvent {
            account: order.account.clone(),
            order,
            status,
            last_price,
            at: self.now,
            sequence: draw(&mut self.counters.event),
        });
    }
}
