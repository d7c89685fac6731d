//! Placing orders, and their way to the exchange.

use std::sync::Arc;

use chrono::Duration as Span;
use tandem_domain::ids::{BrokerOrderId, DhanClientId};
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::order::{BrokerStatus, OrderForm, OrderTerms, OrderType, Product, Side, TimeInForce};
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::Quantity;
use tandem_domain::time::{Timestamp, TradingDay};

use super::checks::reject;
use super::clock::Errand;
use super::market::on_tick;
use super::order::SimOrder;
use super::request::{AmoRelease, ApiError, OrderAnswer, PlaceRequest, Source};
use super::settings::{MarketOrders, StopMarketOrders};
use super::{Exchange, draw};

/// What healthy orders say (`omsErrorDescription`, `reasonDescription`).
pub(super) const CONFIRMED: &str = "CONFIRMED";
/// Most slices of one request. Ours: the broker's number is not documented.
const SLICES_MAX: u32 = 100;

impl Exchange {
    /// Places an order (`POST /orders`). An answer means only that the broker took it; what comes of it is told by
    /// events. Errors are refusals at once: nothing was placed.
    pub fn place(
        &mut self,
        account: &DhanClientId,
        source: Source,
        request: &PlaceRequest,
    ) -> Result<OrderAnswer, ApiError> {
        let owner = self.account_of(account)?;
        self.admit_write(owner, source)?;
        refuse_composite(request)?;
        self.refuse_at_once(source, request)?;
        self.refuse_overlap_at_once(owner, source, &request.terms, None)?;
        Ok(self.submit(owner, source, request))
    }

    /// Places an order in slices no larger than the freeze quantity (`POST /orders/slicing`). Counts as one write.
    pub fn place_sliced(
        &mut self,
        account: &DhanClientId,
        source: Source,
        request: &PlaceRequest,
    ) -> Result<Vec<OrderAnswer>, ApiError> {
        let owner = self.account_of(account)?;
        self.admit_write(owner, source)?;
        refuse_composite(request)?;
        self.refuse_at_once(source, request)?;
        self.refuse_overlap_at_once(owner, source, &request.terms, None)?;
        let (instrument, quantity) = (request.terms.instrument, request.terms.quantity);
        let most = self.slice_max(instrument).map_or(u32::MAX, Quantity::get);
        if quantity.get().div_ceil(most) > SLICES_MAX {
            return Err(ApiError::input(ApiError::GENERIC_INPUT));
        }
        let slices = self.slices(instrument, quantity);
        let keep_tag = self.settings.variants.slices_keep_tag;
        let answers = slices.into_iter().enumerate().map(|(at, quantity)| {
            let terms = OrderTerms { quantity, ..request.terms.clone() };
            let tag = request.tag.clone().filter(|_| keep_tag || at == 0);
            self.submit(owner, source, &PlaceRequest { tag, terms, ..request.clone() })
        });
        Ok(answers.collect())
    }

    pub(super) fn admit_write(&mut self, owner: usize, source: Source) -> Result<(), ApiError> {
        let now = self.now;
        if self.accounts[owner].kill_switch && source != Source::Broker {
            return Err(ApiError::order("Kill switch is active"));
        }
        match &self.settings.rate_limits {
            Some(limits) if source == Source::Api && !self.accounts[owner].writes.admit(limits, now) => {
                Err(ApiError::rate_limit())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn answer(&self, index: usize, status: BrokerStatus) -> OrderAnswer {
        let pending = self.settings.variants.answer_pending && status == BrokerStatus::Transit;
        let status = if pending { BrokerStatus::Pending } else { status };
        OrderAnswer { order_id: self.orders[index].id.clone(), status }
    }

    /// Takes an order that nothing speaks against at once, and sends it on.
    pub(super) fn submit(&mut self, owner: usize, source: Source, request: &PlaceRequest) -> OrderAnswer {
        let index = self.take(owner, source, request);
        self.launch(index, request.amo_release)
    }

    /// Takes an order: from here on it has a number and a row.
    pub(super) fn take(&mut self, owner: usize, source: Source, request: &PlaceRequest) -> usize {
        let tag = match (&request.tag, source) {
            (Some(tag), Source::Api) if !tag.is_empty() => Some(Arc::from(tag.as_str())),
            (_, Source::Api) => Some(self.invented_tag(owner)),
            _ => None,
        };
        let index = self.record(owner, source, tag, request.terms.clone());
        let rejections = &mut self.accounts[owner].rejections;
        if rejections.0 > 0 && source != Source::Broker {
            rejections.0 -= 1;
            self.orders[index].forced_rejection = Some(rejections.1.clone());
        }
        index
    }

    /// Sends an order that was taken on its way.
    pub(super) fn launch(&mut self, index: usize, release: AmoRelease) -> OrderAnswer {
        if self.settings.variants.transit_events {
            self.tell(index, BrokerStatus::Transit);
        }
        let answer = self.answer(index, BrokerStatus::Transit);
        if self.orders[index].terms.after_market {
            self.orders[index].status = BrokerStatus::Pending;
            self.tell(index, BrokerStatus::Pending);
            let release = self.release_time(release);
            self.send_at(release, Errand::Arrive(index));
        } else {
            self.send(Errand::Arrive(index));
        }
        answer
    }

    /// The tag the broker gives an order of the API that has none.
    pub(super) fn invented_tag(&self, owner: usize) -> Arc<str> {
        format!("{}-{}", self.accounts[owner].settings.client_id, self.now.millis()).into()
    }

    /// Writes a new order down, in TRANSIT.
    pub(super) fn record(
        &mut self,
        owner: usize,
        source: Source,
        tag: Option<Arc<str>>,
        terms: OrderTerms,
    ) -> usize {
        let id = self.draw_order_id(source);
        let now = self.now;
        let account = &mut self.accounts[owner];
        let index = self.orders.len();
        account.orders.push(index);
        account.open.insert(index);
        self.order_index.insert(id.clone(), index);
        self.orders.push(SimOrder {
            account: account.settings.client_id.clone(),
            id,
            exchange_id: None,
            tag,
            source,
            working_price: terms.price,
            terms,
            status: BrokerStatus::Transit,
            filled: Quantity::ZERO,
            filled_value: Money::ZERO,
            last_fill: Price::ZERO,
            reason: CONFIRMED.into(),
            created: now,
            updated: now,
            exchange_time: None,
            visible_from: now.plus(account.visibility_delay),
            modifications: 0,
            part: None,
            bracket: None,
            priority: 0,
            forced_rejection: None,
        });
        index
    }

    /// `<prefix><YYMMDD><sequence>`: 15 digits (`dhanhq-v2.md` section 2.2).
    fn draw_order_id(&mut self, source: Source) -> BrokerOrderId {
        let prefix = match source {
            Source::Api => 221,
            Source::App => 341,
            Source::Broker => 511,
        };
        let number = draw(&mut self.counters.order);
        let text = format!("{prefix}{}{number:06}", self.now.ist().format("%y%m%d"));
        BrokerOrderId::new(text).expect("the text has digits in it, and only the empty one is refused")
    }

    /// When an after-market order taken now goes out: with the next session.
    fn release_time(&self, release: AmoRelease) -> Timestamp {
        let today = self.now.ist().date();
        let session = &self.settings.session;
        let from = if self.now.ist().time() < session.open { today } else { today + Span::days(1) };
        let day = TradingDay::from(self.market.calendar().on_or_after(from));
        let minutes = match release {
            AmoRelease::Open => 0,
            AmoRelease::Open30 => 30,
            AmoRelease::Open60 => 60,
        };
        day.at(session.open + Span::minutes(minutes))
    }

    /// The order reaches the broker's risk checks and the exchange.
    pub(super) fn arrive(&mut self, index: usize) {
        if self.orders[index].is_terminal() {
            return;
        }
        if let Some(text) = self.orders[index].forced_rejection.take() {
            let text = reject(&self.orders[index], &text);
            return self.end(index, BrokerStatus::Rejected, &text);
        }
        self.convert(index);
        if let Err(text) = self.refuse_on_arrival(index) {
            return self.end(index, BrokerStatus::Rejected, &text);
        }
        self.accept(index);
        let tell_first = self.settings.variants.pending_before_fill;
        if tell_first {
            self.tell(index, BrokerStatus::Pending);
        }
        self.enter(index);
        if !tell_first && self.orders[index].status == BrokerStatus::Pending {
            self.tell(index, BrokerStatus::Pending);
        }
    }

    /// The exchange has the order.
    pub(super) fn accept(&mut self, index: usize) {
        let exchange_id = self.draw_exchange_id();
        let order = &mut self.orders[index];
        order.exchange_id = exchange_id;
        order.exchange_time = Some(self.now);
        order.status = BrokerStatus::Pending;
        order.reason = CONFIRMED.into();
    }

    /// What the broker makes of `MARKET` and `STOP_LOSS_MARKET` (`dhanhq-v2.md` section 2.9).
    pub(super) fn convert(&mut self, index: usize) {
        let order = &mut self.orders[index];
        let by_api = order.source == Source::Api;
        match order.terms.order_type {
            OrderType::Limit | OrderType::StopLoss => order.working_price = order.terms.price,
            OrderType::Market if by_api && self.settings.variants.market_orders == MarketOrders::AsMarket => {
                order.terms.time_in_force = TimeInForce::Ioc;
                order.working_price = unlimited(order.terms.side);
            }
            OrderType::Market => {
                self.protect(index);
                let order = &mut self.orders[index];
                if by_api {
                    order.terms.order_type = OrderType::Limit;
                    order.terms.price = order.working_price;
                }
            }
            OrderType::StopLossMarket
                if by_api
                    && self.settings.variants.stop_market_orders == StopMarketOrders::TriggerDropped =>
            {
                order.terms.order_type = OrderType::Limit;
                let trigger = order.terms.trigger;
                order.terms.trigger = Price::ZERO;
                let price = self.protected(index, trigger);
                let order = &mut self.orders[index];
                order.terms.price = price;
                order.working_price = price;
            }
            OrderType::StopLossMarket => {
                let trigger = order.terms.trigger;
                self.orders[index].working_price = self.protected(index, trigger);
            }
        }
    }

    /// Gives a MARKET order its protective limit around the last price.
    pub(super) fn protect(&mut self, index: usize) {
        let contract = self.universe.get(self.orders[index].terms.instrument);
        let last = contract.map_or(Price::ZERO, |contract| self.price_of(contract));
        self.orders[index].working_price = self.protected(index, last);
    }

    /// A price with the protection added against the order's side, on the tick and within the band.
    pub(super) fn protected(&self, index: usize, price: Price) -> Price {
        let terms = &self.orders[index].terms;
        let Some(contract) = self.universe.get(terms.instrument) else { return price };
        let width = price.units() / 10_000 * i64::from(self.settings.variants.protection_bps)
            + price.units() % 10_000 * i64::from(self.settings.variants.protection_bps) / 10_000;
        let tick = contract.tick.units().max(1);
        let (low, high) = self.band(contract);
        match terms.side {
            Side::Buy => on_tick(price.units().saturating_add(width), tick),
            Side::Sell => on_tick(price.units() - width + tick - 1, tick),
        }
        .clamp(low, high)
    }

    /// The largest order the exchange takes; none where there is no limit.
    fn slice_max(&self, instrument: InstrumentKey) -> Option<Quantity> {
        let most = self.universe.get(instrument).and_then(super::Contract::order_quantity_max);
        most.filter(|most| !most.is_zero())
    }

    /// A quantity cut into orders the exchange takes.
    pub(super) fn slices(&self, instrument: InstrumentKey, quantity: Quantity) -> Vec<Quantity> {
        let most = self.slice_max(instrument).unwrap_or(quantity);
        let mut left = quantity;
        let mut slices = Vec::new();
        while !left.is_zero() {
            let slice = left.min(most);
            slices.push(slice);
            left = left.saturating_sub(slice);
        }
        slices
    }
}

/// Orders of another form, and the products that need exits, have calls of their own.
fn refuse_composite(request: &PlaceRequest) -> Result<(), ApiError> {
    let terms = &request.terms;
    let alone =
        terms.form == OrderForm::Ordinary && !matches!(terms.product, Product::Cover | Product::Bracket);
    if alone { Ok(()) } else { Err(ApiError::input(ApiError::GENERIC_INPUT)) }
}

/// A limit that every price satisfies.
fn unlimited(side: Side) -> Price {
    match side {
        Side::Buy => Price::from_units(i64::MAX / 1_000_000).unwrap_or(Price::ZERO),
        Side::Sell => Price::ZERO,
    }
}
