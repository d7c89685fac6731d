//! What is refused: by the API at once, by the broker's risk checks and the exchange later (`dhanhq-v2.md` 2.10, 13).

use tandem_domain::instrument::{ExchangeSegment, InstrumentKind};
use tandem_domain::order::{OrderTerms, OrderType, Product, Side};
use tandem_domain::price::{Money, Price};

use super::Exchange;
use super::account::Account;
use super::clock::is_intraday_only;
use super::margin::{Demand, Held, Reserve};
use super::order::SimOrder;
use super::request::{ApiError, PlaceRequest, Source};
use super::settings::StopMarketOrders;
use super::universe::Contract;

/// The exchange's text for a price off the tick.
const OFF_TICK: &str = "EXCH:16283:The order price is not multiple of tick size";
/// The exchange's text for what cannot be traded.
const NOT_TRADABLE: &str = "EXCH:16387:Security is not allowed to trade in this market.";
/// The broker's text outside the session.
pub(super) const OFFLINE: &str = "Markets are Offline or Blocked";

impl Exchange {
    /// What the API refuses before there is an order.
    pub(super) fn refuse_at_once(&self, source: Source, request: &PlaceRequest) -> Result<(), ApiError> {
        let terms = &request.terms;
        self.refuse_tag(request.tag.as_deref())?;
        if self.universe.get(terms.instrument).is_none() {
            return Err(ApiError::input("Invalid SecurityId"));
        }
        if terms.quantity.is_zero() {
            return Err(ApiError::input("quantity is required"));
        }
        if self.is_open() == terms.after_market {
            return Err(ApiError::order(OFFLINE));
        }
        let refuse_stop_market = self.settings.variants.stop_market_orders == StopMarketOrders::Refused;
        if terms.order_type == OrderType::StopLossMarket && source == Source::Api && refuse_stop_market {
            return Err(ApiError::order("Trigger Price should be greater than Price"));
        }
        refuse_terms(terms)
    }

    /// What the API refuses as a tag.
    pub(super) fn refuse_tag(&self, tag: Option<&str>) -> Result<(), ApiError> {
        let legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b' ' | b'_' | b'-');
        let longest = self.settings.variants.tag_length_max;
        if tag.is_some_and(|tag| tag.len() > longest || !tag.bytes().all(legal)) {
            return Err(ApiError::input(ApiError::GENERIC_INPUT));
        }
        Ok(())
    }

    /// Why the broker's risk checks or the exchange refuse an order that arrives, if they do.
    pub(super) fn refuse_on_arrival(&self, index: usize) -> Result<(), String> {
        let order = &self.orders[index];
        if !self.is_open() {
            return Err(OFFLINE.to_owned());
        }
        let contract = self.universe.get(order.terms.instrument).ok_or(NOT_TRADABLE)?;
        self.refuse_contract(order, contract)?;
        self.refuse_prices(&order.terms, contract, order.id.as_str())?;
        self.refuse_exit_prices(order, contract)?;
        self.refuse_overlap_later(order)?;
        self.refuse_money(order)
    }

    fn refuse_contract(&self, order: &SimOrder, contract: &Contract) -> Result<(), String> {
        let (terms, variants) = (&order.terms, &self.settings.variants);
        let today = self.now.ist().date();
        if contract.kind == InstrumentKind::Index || contract.expiry.is_some_and(|expiry| expiry < today) {
            return Err(NOT_TRADABLE.to_owned());
        }
        let with_exits = order.part.is_some() || order.source == Source::Broker;
        if !product_fits(terms.product, contract, with_exits) {
            return Err(reject(order, "RMS:<id>:Product type is not allowed for this segment."));
        }
        if !terms.quantity.get().is_multiple_of(contract.lot_size.get()) {
            return Err(reject(order, &variants.lot_text));
        }
        if contract.freeze_quantity.is_some_and(|freeze| terms.quantity > freeze) {
            return Err(reject(order, &variants.freeze_text));
        }
        if is_intraday_only(terms.product) && self.is_past_square_off() && order.source != Source::Broker {
            return Err(reject(order, "RMS:<id>:Intraday orders cannot be placed at this time"));
        }
        Ok(())
    }

    /// Whether the broker opens nothing in INTRADAY any more today.
    pub(super) fn is_past_square_off(&self) -> bool {
        self.settings.session.square_off.is_some_and(|at| self.now.ist().time() >= at)
    }

    /// Whether prices lie on the tick and within the band.
    pub(super) fn refuse_prices(
        &self,
        terms: &OrderTerms,
        contract: &Contract,
        order_id: &str,
    ) -> Result<(), String> {
        if !terms.price.is_on_tick(contract.tick) || !terms.trigger.is_on_tick(contract.tick) {
            return Err(OFF_TICK.to_owned());
        }
        let (low, high) = self.band(contract);
        let outside = |price: Price| !price.is_zero() && (price < low || price > high);
        if outside(terms.price) || outside(terms.trigger) {
            return Err(format!("RMS:{order_id}:Rate Not Within Ckt Limit {low} To {high}"));
        }
        Ok(())
    }

    /// Whether the account can pay for an order, or deliver it; what it already holds is counted in.
    fn refuse_money(&self, order: &SimOrder) -> Result<(), String> {
        self.refuse_delivery(order)?;
        let missing = self.shortfall(order);
        if missing > Money::ZERO {
            let text = format!("RMS:<id>:You have insufficient funds. Please add Rs.{missing} to trade.");
            return Err(reject(order, &text));
        }
        Ok(())
    }

    /// Whether shares sold for delivery are there.
    fn refuse_delivery(&self, order: &SimOrder) -> Result<(), String> {
        let Some(account) = self.find(&order.account) else { return Ok(()) };
        let terms = &order.terms;
        if terms.product == Product::Cnc && terms.side == Side::Sell {
            let offered: i64 = self
                .working(account, &order.id)
                .filter(|other| other.terms.product == Product::Cnc && other.terms.side == Side::Sell)
                .filter(|other| other.terms.instrument == terms.instrument)
                .map(|other| i64::from(other.remaining().get()))
                .sum();
            if offered + i64::from(order.remaining().get()) > account.deliverable(terms.instrument) {
                return Err(reject(
                    order,
                    "RMS:<id>:You are trying to sell more than the quantity you currently hold.",
                ));
            }
        }
        Ok(())
    }

    /// Whether the account can pay for a change that asks for more than the order did.
    pub(super) fn refuse_dearer(&self, before: &SimOrder, after: &SimOrder) -> Result<(), String> {
        let dearer = after.remaining() > before.remaining() || after.working_price > before.working_price;
        if dearer { self.refuse_money(after) } else { Ok(()) }
    }

    /// What an account lacks to let `order` work; zero for an order that needs nothing more than before.
    fn shortfall(&self, order: &SimOrder) -> Money {
        let Some(account) = self.find(&order.account) else { return Money::ZERO };
        let demands: Vec<Demand<'_>> =
            self.working(account, &order.id).filter_map(|other| self.demand(other)).collect();
        let before = self.reserve(account, true, &demands);
        let after =
            self.reserve(account, true, &demands.into_iter().chain(self.demand(order)).collect::<Vec<_>>());
        let free = account.money().minus(after);
        if after > before && free < Money::ZERO { Money::ZERO.minus(free) } else { Money::ZERO }
    }

    /// The account's working orders besides one.
    fn working<'a>(
        &'a self,
        account: &'a Account,
        besides: &'a tandem_domain::ids::BrokerOrderId,
    ) -> impl Iterator<Item = &'a SimOrder> {
        account
            .open
            .iter()
            .map(|index| &self.orders[*index])
            .filter(move |order| order.exchange_id.is_some() && order.id != *besides)
    }

    pub(super) fn demand<'a>(&'a self, order: &SimOrder) -> Option<Demand<'a>> {
        // Exits close what their entry opened; two of them for the same units must not hold money twice.
        let contract = self.universe.get(order.terms.instrument).filter(|_| !order.is_exit())?;
        // A market order has no price of its own to count with.
        let at_market = order.terms.order_type == OrderType::Market;
        Some(Demand {
            contract,
            product: order.terms.product,
            side: order.terms.side,
            quantity: order.remaining().get().into(),
            price: if at_market { self.price_of(contract) } else { order.working_price },
        })
    }

    /// What positions (if asked) and demands hold of an account's money.
    pub(super) fn reserve(&self, account: &Account, with_positions: bool, demands: &[Demand<'_>]) -> Money {
        let held: Vec<Held<'_>> = account
            .positions
            .values()
            .filter(|_| with_positions)
            .filter_map(|position| Some(Held { contract: self.universe.get(position.instrument)?, position }))
            .collect();
        let spots = |contract: &Contract| self.market.path(contract).previous_close;
        let mut reserve = Reserve::of_positions(&held, &spots);
        for demand in demands {
            reserve.add(demand);
        }
        reserve.total()
    }

    /// What positions and working orders hold of an account's money.
    pub(super) fn utilised(&self, account: &Account) -> Money {
        let demands: Vec<Demand<'_>> = account
            .open
            .iter()
            .map(|index| &self.orders[*index])
            .filter(|order| order.exchange_id.is_some())
            .filter_map(|order| self.demand(order))
            .collect();
        self.reserve(account, true, &demands)
    }

    /// Lowest and highest price an order may carry: as set by hand, else the day's, wider where a price was set by hand.
    pub(super) fn band(&self, contract: &Contract) -> (Price, Price) {
        let book = self.books.get(&contract.key);
        if let Some(band) = book.and_then(|book| book.band) {
            return band;
        }
        let (low, high) = self.market.circuit(contract);
        let Some(pinned) = book.and_then(|book| book.pinned_price) else {
            return (low, high);
        };
        let tick = contract.tick.units().max(1);
        let half = super::market::on_tick(pinned.units() / 2, tick);
        let double = super::market::on_tick(pinned.units().saturating_mul(2), tick);
        (low.min(half), high.max(double))
    }
}

/// Whether a product exists for an instrument; covers and brackets only `with_exits` of their own.
pub(super) fn product_fits(product: Product, contract: &Contract, with_exits: bool) -> bool {
    let equity = contract.key.segment == ExchangeSegment::NseEquity;
    match product {
        Product::Cnc | Product::Mtf => equity,
        Product::Margin => !equity,
        Product::Intraday => true,
        Product::Cover | Product::Bracket => with_exits,
    }
}

/// Contradictions within an order's own terms.
pub(super) fn refuse_terms(terms: &OrderTerms) -> Result<(), ApiError> {
    let invalid_price = || ApiError::input("Invalid Price for orderType");
    match terms.order_type {
        OrderType::Market if !terms.price.is_zero() => return Err(invalid_price()),
        OrderType::Limit | OrderType::StopLoss if terms.price.is_zero() => return Err(invalid_price()),
        _ => {}
    }
    if terms.order_type.is_stop() && terms.trigger.is_zero() {
        return Err(ApiError::input("Invalid Trigger Price for orderType"));
    }
    if terms.order_type == OrderType::StopLoss {
        // The sell side's text was seen; the buy side mirrors it (section 2.9).
        match terms.side {
            Side::Sell if terms.trigger <= terms.price => {
                return Err(ApiError::order("Trigger Price should be greater than Price"));
            }
            Side::Buy if terms.trigger >= terms.price => {
                return Err(ApiError::order("Trigger Price should be less than Price"));
            }
            _ => {}
        }
    }
    let (shown, whole) = (u64::from(terms.disclosed.get()), u64::from(terms.quantity.get()));
    if shown > 0 && (shown * 10 <= whole * 3 || shown > whole) {
        return Err(ApiError::input("Disclosed Quantity should be more than 30% of Quantity"));
    }
    Ok(())
}

/// A reject text with the order's number in it.
pub(super) fn reject(order: &SimOrder, text: &str) -> String {
    text.replace("<id>", order.id.as_str())
}
