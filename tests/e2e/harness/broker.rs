//! The simulator as tests see it: the leader's app, the market by hand, the books, the requests that came.

use std::time::Duration;

use serde_json::Value;
use tandem_domain::ids::{BrokerOrderId, DhanClientId};
use tandem_domain::instrument::{ExchangeSegment, InstrumentKey, OptionType, SecurityId};
use tandem_domain::order::{OrderTerms, OrderType, Product, Side, TimeInForce};
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::Quantity;
use tandem_sim::exchange::{Depth, Level, ModifyRequest, PlaceRequest, SimOrder, Source};
use tandem_sim::{
    AnswerFault, Fault, Operation, RequestRecord, SimAccount, SimDepth, SimSettings, Simulator,
};

use super::until;

pub(crate) const LEADER: &str = "1000000101";
pub(crate) const ASHA: &str = "1000000202";
pub(crate) const BALA: &str = "1000000303";
pub(crate) const CHAN: &str = "1000000404";

/// The mark of every access token: where it is found, a secret was told.
pub(crate) const SENTINEL: &str = "very-secret-token";

/// Asha's PIN and TOTP secret, as unmistakable.
pub(crate) const PIN: &str = "95173846";
pub(crate) const TOTP_SECRET: &str = "VERYSECRETTOTPSEEDABCDEFGHIJKLMN";

/// The simulator.
pub(crate) struct Broker {
    pub(crate) sim: Simulator,
}

pub(crate) fn account(client_id: &str) -> DhanClientId {
    DhanClientId::new(client_id).unwrap()
}

pub(crate) fn token(client_id: &str) -> String {
    format!("{SENTINEL}-{client_id}")
}

pub(crate) fn rupees(text: &str) -> Price {
    text.parse().unwrap()
}

/// A market order for the day, product MARGIN.
pub(crate) fn buy(instrument: InstrumentKey, units: u32) -> OrderTerms {
    OrderTerms {
        instrument,
        side: Side::Buy,
        product: Product::Margin,
        order_type: OrderType::Market,
        time_in_force: TimeInForce::Day,
        quantity: Quantity::new(units),
        disclosed: Quantity::ZERO,
        price: Price::ZERO,
        trigger: Price::ZERO,
        after_market: false,
        form: tandem_domain::order::OrderForm::Ordinary,
    }
}

/// The same on the other side.
pub(crate) fn sell(instrument: InstrumentKey, units: u32) -> OrderTerms {
    OrderTerms { side: Side::Sell, ..buy(instrument, units) }
}

/// The same order with a limit.
pub(crate) fn limit(price: &str, terms: OrderTerms) -> OrderTerms {
    OrderTerms { order_type: OrderType::Limit, price: rupees(price), ..terms }
}

/// The same order with a limit that waits for a trigger.
pub(crate) fn stop_loss(trigger: &str, price: &str, terms: OrderTerms) -> OrderTerms {
    OrderTerms { order_type: OrderType::StopLoss, trigger: rupees(trigger), ..limit(price, terms) }
}

/// A change of an order's price.
pub(crate) fn to_price(price: &str) -> ModifyRequest {
    ModifyRequest { price: Some(rupees(price)), ..ModifyRequest::default() }
}

/// A change of an order's whole quantity.
pub(crate) fn to_units(units: u32) -> ModifyRequest {
    ModifyRequest { quantity: Some(Quantity::new(units)), ..ModifyRequest::default() }
}

impl Broker {
    /// Leader 10 lakh, Asha 5 lakh, Bala 2 lakh, Chan 1 lakh; any quantity trades at the last price.
    pub(crate) fn settings() -> SimSettings {
        let account = |client_id, name, rupees| SimAccount {
            access_token: Some(token(client_id)),
            ..SimAccount::new(account(client_id), name, rupees)
        };
        let accounts = vec![
            account(LEADER, "Leader", 1_000_000),
            SimAccount {
                pin: Some(PIN.to_owned()),
                totp_secret: Some(TOTP_SECRET.to_owned()),
                ..account(ASHA, "Asha", 500_000)
            },
            account(BALA, "Bala", 200_000),
            account(CHAN, "Chan", 100_000),
        ];
        SimSettings { accounts, depth: SimDepth::Unlimited, ..SimSettings::default() }
    }

    pub(crate) fn start(settings: SimSettings) -> Self {
        Self { sim: Simulator::start(settings).unwrap() }
    }

    /// A NIFTY call two strikes or so from the money, pinned at 100 rupees.
    pub(crate) fn option(&self) -> InstrumentKey {
        self.option_at(1, 26_000, OptionType::Call, "100.00")
    }

    /// A NIFTY option of the `expiry`-th expiry, its price pinned. Lot 65, tick 0.05.
    pub(crate) fn option_at(
        &self,
        expiry: usize,
        strike: i64,
        side: OptionType,
        price: &str,
    ) -> InstrumentKey {
        let strike = Price::from_units(Money::from_rupees(strike).units()).unwrap();
        let price = rupees(price);
        self.sim.with_exchange(|exchange| {
            let expiry = exchange.expiries("NIFTY")[expiry];
            let key = exchange.option("NIFTY", expiry, strike, side).unwrap();
            assert!(exchange.set_last_price(key, price));
            key
        })
    }

    /// A share on NSE, its price pinned.
    pub(crate) fn share(&self, security_id: u32, price: &str) -> InstrumentKey {
        let key = InstrumentKey { segment: ExchangeSegment::NseEquity, security_id: SecurityId(security_id) };
        assert!(self.sim.with_exchange(|exchange| exchange.set_last_price(key, rupees(price))));
        key
    }

    /// Exactly so many units are offered, level by level; nothing is bid.
    pub(crate) fn offer(&self, instrument: InstrumentKey, asks: &[(&str, u32)]) {
        let asks =
            asks.iter().map(|(price, units)| Level { price: rupees(price), quantity: Quantity::new(*units) });
        let depth = Depth::Fixed { bids: Vec::new(), asks: asks.collect() };
        assert!(self.sim.with_exchange(|exchange| exchange.set_depth(instrument, Some(depth))));
    }

    /// Exactly so many units are bid for, level by level; nothing is offered.
    pub(crate) fn bid(&self, instrument: InstrumentKey, bids: &[(&str, u32)]) {
        let bids =
            bids.iter().map(|(price, units)| Level { price: rupees(price), quantity: Quantity::new(*units) });
        let depth = Depth::Fixed { bids: bids.collect(), asks: Vec::new() };
        assert!(self.sim.with_exchange(|exchange| exchange.set_depth(instrument, Some(depth))));
    }

    /// The price comes to where it is told.
    pub(crate) fn price(&self, instrument: InstrumentKey, price: &str) {
        assert!(self.sim.with_exchange(|exchange| exchange.set_last_price(instrument, rupees(price))));
    }

    /// The leader places in his app.
    pub(crate) fn lead(&self, terms: OrderTerms) -> BrokerOrderId {
        self.lead_all([terms]).remove(0)
    }

    /// The leader places several orders in one moment.
    pub(crate) fn lead_all(&self, orders: impl IntoIterator<Item = OrderTerms>) -> Vec<BrokerOrderId> {
        self.place(LEADER, Source::App, orders.into_iter().map(PlaceRequest::new))
    }

    /// Somebody places orders himself, in one moment.
    pub(crate) fn place(
        &self,
        client_id: &str,
        source: Source,
        requests: impl IntoIterator<Item = PlaceRequest>,
    ) -> Vec<BrokerOrderId> {
        self.sim.with_exchange(|exchange| {
            requests
                .into_iter()
                .map(|request| exchange.place(&account(client_id), source, &request).unwrap().order_id)
                .collect()
        })
    }

    /// Somebody changes an order in his app.
    pub(crate) fn change(&self, client_id: &str, order: &BrokerOrderId, change: &ModifyRequest) {
        self.change_all(client_id, order, std::slice::from_ref(change));
    }

    /// Somebody changes an order several times in one moment.
    pub(crate) fn change_all(&self, client_id: &str, order: &BrokerOrderId, changes: &[ModifyRequest]) {
        self.sim.with_exchange(|exchange| {
            for change in changes {
                exchange.modify(&account(client_id), Source::App, order.as_str(), change).unwrap();
            }
        });
    }

    pub(crate) fn cancel(&self, client_id: &str, order: &BrokerOrderId) {
        self.sim
            .with_exchange(|exchange| exchange.cancel(&account(client_id), Source::App, order.as_str()))
            .unwrap();
    }

    /// Fills so much of an order that rests.
    pub(crate) fn fill(&self, order: &BrokerOrderId, units: u32, price: &str) {
        let (units, price) = (Quantity::new(units), rupees(price));
        assert!(self.sim.with_exchange(|exchange| exchange.fill_resting(order, units, price)));
    }

    /// One order, the broker's truth.
    pub(crate) fn order(&self, order: &BrokerOrderId) -> SimOrder {
        self.sim.with_exchange(|exchange| exchange.find_order(order).cloned()).unwrap()
    }

    /// Waits until the account has an order like this.
    #[track_caller]
    pub(crate) fn until_order(
        &self,
        client_id: &str,
        what: &str,
        is_it: impl Fn(&SimOrder) -> bool,
    ) -> SimOrder {
        until(&format!("an order of {client_id} {what}"), || self.orders(client_id).into_iter().find(&is_it))
    }

    /// Every order the account ever had, the broker's truth.
    pub(crate) fn orders(&self, client_id: &str) -> Vec<SimOrder> {
        self.sim
            .with_exchange(|exchange| exchange.all_orders(&account(client_id)).into_iter().cloned().collect())
    }

    /// The account's one order.
    #[track_caller]
    pub(crate) fn only_order(&self, client_id: &str) -> SimOrder {
        let mut orders = self.orders(client_id);
        assert_eq!(orders.len(), 1, "one order expected: {orders:?}");
        orders.remove(0)
    }

    pub(crate) fn position(&self, client_id: &str, instrument: InstrumentKey, product: Product) -> i64 {
        self.sim.with_exchange(|exchange| exchange.position(&account(client_id), instrument, product))
    }

    /// Requests to place an order that came from the account, refused and lost ones included.
    pub(crate) fn placements(&self, client_id: &str) -> Vec<RequestRecord> {
        let id = account(client_id);
        let of = |record: &RequestRecord| {
            // A refused token names nobody; the body does.
            let named = serde_json::from_str::<Value>(&record.body)
                .is_ok_and(|body| body["dhanClientId"] == client_id);
            record.operation == Operation::Place && (record.account.as_ref() == Some(&id) || named)
        };
        self.sim.requests().into_iter().filter(of).collect()
    }

    /// The bodies of those requests.
    pub(crate) fn placement_bodies(&self, client_id: &str) -> Vec<Value> {
        let bodies = self.placements(client_id);
        bodies.iter().map(|record| serde_json::from_str(&record.body).unwrap()).collect()
    }

    /// Requests of one kind about orders of the account, refused and lost ones included.
    pub(crate) fn requests(&self, client_id: &str, operation: Operation) -> Vec<RequestRecord> {
        let id = account(client_id);
        let of =
            |record: &RequestRecord| record.operation == operation && record.account.as_ref() == Some(&id);
        self.sim.requests().into_iter().filter(of).collect()
    }

    /// The bodies of the account's requests to change an order.
    pub(crate) fn change_bodies(&self, client_id: &str) -> Vec<Value> {
        let requests = self.requests(client_id, Operation::Modify);
        requests.iter().map(|record| serde_json::from_str(&record.body).unwrap()).collect()
    }

    /// How many requests to place, to change and to cancel came from the account.
    pub(crate) fn asked(&self, client_id: &str) -> (usize, usize, usize) {
        let count = |operation| self.requests(client_id, operation).len();
        (self.placements(client_id).len(), count(Operation::Modify), count(Operation::Cancel))
    }

    /// The account gets a new token from the broker's web site; the one before is dead.
    pub(crate) fn rotate(&self, client_id: &str) -> String {
        self.sim.rotate_token(&account(client_id)).unwrap()
    }

    pub(crate) fn inject(&self, client_id: &str, fault: Fault) {
        assert!(self.sim.faults().inject(&account(client_id), fault));
    }

    /// Spoils the next answers to placements of the account.
    pub(crate) fn spoil_placements(&self, client_id: &str, count: u32, answer: AnswerFault) {
        self.inject(client_id, Fault::NextAnswers { operation: Operation::Place, count, answer });
    }

    /// Spoils the next answers of one kind to the account.
    pub(crate) fn spoil(&self, client_id: &str, operation: Operation, count: u32, answer: AnswerFault) {
        self.inject(client_id, Fault::NextAnswers { operation, count, answer });
    }

    /// Waits until nothing is under way in the broker or in any daemon, by letting a second pass: the clock jumps only
    /// once every daemon has taken in every frame and has nothing in flight.
    pub(crate) fn quiet(&self) {
        self.pass(Duration::from_secs(1));
    }

    /// Lets simulated time pass, in a jump as soon as every daemon is idle.
    pub(crate) fn pass(&self, span: Duration) {
        self.await_run(self.sim.clock().run_for(span), "the end of a span");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for client_id in [LEADER, ASHA, BALA, CHAN] {
            eprintln!("--- the broker's orders of {client_id}:");
            for order in self.orders(client_id) {
                eprintln!(
                    "{} {} {:?} {} of {} filled, {}: {:?}",
                    order.id,
                    order.status,
                    order.tag,
                    order.filled,
                    order.terms.quantity,
                    order.reason,
                    order.terms
                );
            }
        }
        eprintln!("--- requests to the broker, reads left out:");
        for request in self.sim.requests() {
            if !request.operation.is_read() {
                eprintln!("{request:?}");
            }
        }
    }
}
