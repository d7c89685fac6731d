//! All questions: what the wire shows, and the whole truth for tests.

use chrono::NaiveDate;
use tandem_domain::account::Funds;
use tandem_domain::ids::{BrokerOrderId, DhanClientId};
use tandem_domain::instrument::{InstrumentKey, InstrumentKind, OptionType};
use tandem_domain::order::{BrokerStatus, OrderTerms, Product, Side};
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::Quantity;

use super::Exchange;
use super::account::{Account, SimHolding, SimPosition};
use super::ladder::Ladder;
use super::margin::{Demand, MarginEstimate};
use super::order::{SimOrder, SimTrade};
use super::settings::{AccountSettings, Level};
use super::universe::Contract;

/// Levels a quote shows on a side.
const LEVELS_SHOWN: usize = 5;

/// What `POST /marketfeed/quote` tells of an instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// Last price.
    pub last: Price,
    /// First price of the day.
    pub open: Price,
    /// Highest price of the day.
    pub high: Price,
    /// Lowest price of the day.
    pub low: Price,
    /// Last price of the session before.
    pub previous_close: Price,
    /// Lowest price an order may carry.
    pub lower_circuit: Price,
    /// Highest price an order may carry.
    pub upper_circuit: Price,
    /// Up to five levels, best first: strangers' depth less what is used up, and the accounts' resting orders.
    pub bids: Vec<Level>,
    /// The same for the other side.
    pub asks: Vec<Level>,
}

/// What the wire shows. An unknown account has nothing.
impl Exchange {
    /// The order book of the day (`GET /orders`), oldest first; orders not yet visible are left out.
    pub fn book(&self, account: &DhanClientId) -> Vec<&SimOrder> {
        let today = self.day_of_books();
        self.all_orders(account)
            .into_iter()
            .filter(|order| order.visible_from <= self.now)
            .filter(|order| {
                order.created.trading_day() >= today
                    || (order.terms.after_market
                        && (!order.is_terminal() || order.updated.trading_day() >= today))
            })
            .collect()
    }

    /// One order of the day (`GET /orders/{orderId}`).
    pub fn order(&self, account: &DhanClientId, order_id: &str) -> Option<&SimOrder> {
        self.book(account).into_iter().find(|order| order.id.as_str() == order_id)
    }

    /// The orders of the day with a tag (`GET /orders/external/{tag}`), oldest first; those in TRANSIT are left out
    /// unless the variant says otherwise.
    pub fn orders_by_tag(&self, account: &DhanClientId, tag: &str) -> Vec<&SimOrder> {
        let with_transit = self.settings.variants.tag_lookup_in_transit;
        let mut orders = self.book(account);
        orders.retain(|order| {
            order.tag.as_deref() == Some(tag) && (with_transit || order.status != BrokerStatus::Transit)
        });
        orders
    }

    /// The fills of the day (`GET /trades`), oldest first.
    pub fn trades(&self, account: &DhanClientId) -> Vec<&SimTrade> {
        let today = self.day_of_books();
        self.all_trades(account).into_iter().filter(|trade| trade.at.trading_day() >= today).collect()
    }

    /// The fills of one order of the day (`GET /trades/{orderId}`).
    pub fn trades_of(&self, account: &DhanClientId, order_id: &str) -> Vec<&SimTrade> {
        self.trades(account).into_iter().filter(|trade| trade.order_id.as_str() == order_id).collect()
    }

    /// The positions of the day, closed ones included.
    pub fn positions(&self, account: &DhanClientId) -> Vec<SimPosition> {
        self.find(account).map_or_else(Vec::new, |account| account.positions.values().copied().collect())
    }

    /// Shares held from before today.
    pub fn holdings(&self, account: &DhanClientId) -> Vec<SimHolding> {
        self.find(account).map_or_else(Vec::new, |account| account.holdings.values().copied().collect())
    }

    /// Funds: free money is capital and today's profits less what positions and orders hold.
    pub fn funds(&self, account: &DhanClientId) -> Option<Funds> {
        let account = self.find(account)?;
        let utilised = self.utilised(account);
        let available = account.money().minus(utilised);
        Some(Funds {
            available,
            utilised,
            start_of_day: account.capital,
            collateral: Money::ZERO,
            withdrawable: available.max(Money::ZERO),
        })
    }

    /// What orders would hold (`POST /margincalculator`, and `/multi`), with or without what the account has.
    /// `None` for an unknown account or instrument.
    pub fn margin(
        &self,
        account: &DhanClientId,
        legs: &[OrderTerms],
        include_positions: bool,
        include_orders: bool,
    ) -> Option<MarginEstimate> {
        let account = self.find(account)?;
        let mut demands: Vec<Demand<'_>> = Vec::new();
        if include_orders {
            demands.extend(account.open.iter().filter_map(|index| self.demand(&self.orders[*index])));
        }
        for leg in legs {
            let contract = self.universe.get(leg.instrument)?;
            let price = if leg.price.is_zero() { self.price_of(contract) } else { leg.price };
            demands.push(Demand {
                contract,
                product: leg.product,
                side: leg.side,
                quantity: leg.quantity.get().into(),
                price,
            });
        }
        let total = self.reserve(account, include_positions, &demands);
        let available = account.money().minus(self.utilised(account));
        Some(MarginEstimate { total, available, insufficient: total.minus(available).max(Money::ZERO) })
    }

    /// Lowest and highest price an order of an instrument may carry now.
    pub fn price_band(&self, instrument: InstrumentKey) -> Option<(Price, Price)> {
        self.universe.get(instrument).map(|contract| self.band(contract))
    }

    /// Everything a quote shows of an instrument.
    pub fn quote(&self, instrument: InstrumentKey) -> Option<Quote> {
        let contract = self.universe.get(instrument)?;
        let last = self.price_of(contract);
        let (open, high, low) = self.market.day_range(contract);
        let (lower_circuit, upper_circuit) = self.band(contract);
        Some(Quote {
            last,
            open,
            high: high.max(last),
            low: low.min(last),
            previous_close: self.market.previous_close(contract),
            lower_circuit,
            upper_circuit,
            bids: self.levels(contract, last, Side::Buy),
            asks: self.levels(contract, last, Side::Sell),
        })
    }

    /// The last price of an instrument.
    pub fn last_price(&self, instrument: InstrumentKey) -> Option<Price> {
        self.universe.get(instrument).map(|contract| self.price_of(contract))
    }

    /// Levels of one side, strangers and accounts together.
    fn levels(&self, contract: &Contract, last: Price, side: Side) -> Vec<Level> {
        if !self.is_open() || contract.kind == InstrumentKind::Index {
            return Vec::new();
        }
        let at = self.market.position();
        let book = self.books.get(&contract.key);
        let depth = book.and_then(|book| book.depth.as_ref()).unwrap_or(&self.settings.depth);
        let fixed = matches!(depth, super::Depth::Fixed { .. });
        let current = book.filter(|book| book.ladder_at == Some(at) || (fixed && book.ladder_built));
        let built;
        let ladder = if let Some(book) = current {
            &book.ladder
        } else {
            built = Ladder::build(depth, &self.market, contract, at.1.unwrap_or(0), last);
            &built
        };
        let resting = book.map_or(&[][..], |book| book.resting(side)).iter().map(|index| {
            let order = &self.orders[*index];
            Level { price: order.working_price, quantity: order.remaining() }
        });
        let mut levels: Vec<Level> = ladder.against(side.opposite()).iter().copied().chain(resting).collect();
        levels.sort_by_key(|level| level.price);
        if side == Side::Buy {
            levels.reverse();
        }
        levels.dedup_by(|later, kept| {
            let same = later.price == kept.price;
            if same {
                kept.quantity = Quantity::new(kept.quantity.get().saturating_add(later.quantity.get()));
            }
            same
        });
        levels.truncate(LEVELS_SHOWN);
        levels
    }

    /// One contract.
    pub fn contract(&self, instrument: InstrumentKey) -> Option<&Contract> {
        self.universe.get(instrument)
    }

    /// All contracts, in the order of the instrument files.
    pub fn contracts(&self) -> &[Contract] {
        self.universe.contracts()
    }

    /// The key of an option.
    pub fn option(
        &self,
        underlying: &str,
        expiry: NaiveDate,
        strike: Price,
        side: OptionType,
    ) -> Option<InstrumentKey> {
        self.universe.option(underlying, expiry, strike, side).map(|contract| contract.key)
    }

    /// The expiries of an underlying's options, nearest first.
    pub fn expiries(&self, underlying: &str) -> Vec<NaiveDate> {
        self.universe.expiries(underlying)
    }
}

/// The whole truth, for tests and for whoever runs the simulator.
impl Exchange {
    /// The accounts, as set.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountSettings> {
        self.accounts.iter().map(|account| &account.settings)
    }

    /// Every order an account ever placed, oldest first, visible or not.
    pub fn all_orders(&self, account: &DhanClientId) -> Vec<&SimOrder> {
        self.find(account).map_or_else(Vec::new, |account| {
            account.orders.iter().map(|index| &self.orders[*index]).collect()
        })
    }

    /// One order, visible or not, of whatever day.
    pub fn find_order(&self, order_id: &BrokerOrderId) -> Option<&SimOrder> {
        self.order_index.get(order_id).map(|index| &self.orders[*index])
    }

    /// Every fill an account ever had, oldest first.
    pub fn all_trades(&self, account: &DhanClientId) -> Vec<&SimTrade> {
        self.trades.iter().filter(|trade| trade.account == *account).collect()
    }

    /// Bought minus sold, carried units included.
    pub fn position(&self, account: &DhanClientId, instrument: InstrumentKey, product: Product) -> i64 {
        self.find(account).map_or(0, |account| account.net(instrument, product))
    }

    pub(super) fn find(&self, client_id: &DhanClientId) -> Option<&Account> {
        self.account_index.get(client_id).map(|index| &self.accounts[*index])
    }
}
