//! More of what the leader does in his app: orders with exits, orders that rest at the broker; and the broker's books of
//! them.

use serde_json::Value;
use tandem_domain::ids::BrokerOrderId;
use tandem_domain::order::{ExitLegs, Leg, OcoLeg, OrderForm, OrderTerms, OrderType, Product};
use tandem_domain::price::Price;
use tandem_sim::RequestRecord;
use tandem_sim::exchange::{
    ApiError, BracketValues, Exchange, ForeverChange, OrderAnswer, PlaceRequest, SimForever, SimSuper,
    Source, SuperChange,
};

use super::{Broker, LEADER, account, rupees};

/// The same order, waiting for its trigger and then at the market.
pub(crate) fn stop_market(trigger: &str, terms: OrderTerms) -> OrderTerms {
    OrderTerms { order_type: OrderType::StopLossMarket, trigger: rupees(trigger), ..terms }
}

/// The same order as a super order; an empty price is no such leg, no trail.
pub(crate) fn with_exits(target: &str, stop: &str, trailing: &str, terms: OrderTerms) -> OrderTerms {
    let some = |text: &str| (!text.is_empty()).then(|| rupees(text));
    let legs =
        ExitLegs { target: some(target), stop: some(stop), trailing: some(trailing).unwrap_or_default() };
    OrderTerms { form: OrderForm::Super(legs), ..terms }
}

/// A limit order for delivery that rests at the broker until the price touches the trigger.
pub(crate) fn forever(price: &str, trigger: &str, terms: OrderTerms) -> OrderTerms {
    OrderTerms {
        trigger: rupees(trigger),
        product: Product::Cnc,
        form: OrderForm::Forever(None),
        ..super::limit(price, terms)
    }
}

/// The same order with a second leg of the same quantity; one cancels the other.
pub(crate) fn one_cancels_other(price: &str, trigger: &str, terms: OrderTerms) -> OrderTerms {
    let second = OcoLeg { price: rupees(price), trigger: rupees(trigger), quantity: terms.quantity };
    OrderTerms { form: OrderForm::Forever(Some(second)), ..terms }
}

/// The legs of a super order as the broker lists them, with their states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exits {
    pub(crate) stop: (Price, String),
    pub(crate) trailing: Price,
    pub(crate) target: (Price, String),
}

impl Exits {
    /// Both wait.
    pub(crate) fn waiting(target: &str, stop: &str, trailing: &str) -> Self {
        let waits = |price| (rupees(price), "PENDING".to_owned());
        Self { stop: waits(stop), trailing: rupees(trailing), target: waits(target) }
    }
}

impl Broker {
    /// What the leader does in his app.
    #[track_caller]
    fn app(&self, act: impl FnOnce(&mut Exchange) -> Result<OrderAnswer, ApiError>) -> BrokerOrderId {
        self.sim.with_exchange(act).unwrap().order_id
    }

    /// The leader places a super order; its terms have the exits.
    #[track_caller]
    pub(crate) fn lead_super(&self, terms: OrderTerms) -> BrokerOrderId {
        self.app(|exchange| exchange.place_super(&account(LEADER), Source::App, &PlaceRequest::new(terms)))
    }

    /// The leader places a bracket order; its exits lie so far from its price.
    #[track_caller]
    pub(crate) fn lead_bracket(&self, terms: OrderTerms, profit: &str, stop_loss: &str) -> BrokerOrderId {
        let values = BracketValues { profit: rupees(profit), stop_loss: rupees(stop_loss) };
        let request = PlaceRequest::new(OrderTerms { product: Product::Bracket, ..terms });
        self.app(|exchange| exchange.place_bracket(&account(LEADER), Source::App, &request, values))
    }

    /// The leader places a cover order with its stop.
    #[track_caller]
    pub(crate) fn lead_cover(&self, terms: OrderTerms, stop: &str) -> BrokerOrderId {
        let request = PlaceRequest::new(OrderTerms { product: Product::Cover, ..terms });
        self.app(|exchange| exchange.place_cover(&account(LEADER), Source::App, &request, rupees(stop)))
    }

    /// The leader places a forever order.
    #[track_caller]
    pub(crate) fn lead_forever(&self, terms: OrderTerms) -> BrokerOrderId {
        self.app(|exchange| exchange.place_forever(&account(LEADER), Source::App, &PlaceRequest::new(terms)))
    }

    /// The leader changes a super, bracket or cover order, by its entry's id.
    #[track_caller]
    pub(crate) fn lead_super_change(&self, order: &BrokerOrderId, change: &SuperChange) {
        self.app(|exchange| exchange.modify_super(&account(LEADER), Source::App, order.as_str(), change));
    }

    /// The leader cancels a leg; with the entry all of it.
    #[track_caller]
    pub(crate) fn lead_leg_cancel(&self, order: &BrokerOrderId, leg: Leg) {
        self.app(|exchange| exchange.cancel_super(&account(LEADER), Source::App, order.as_str(), leg));
    }

    /// The leader changes a leg of a forever order.
    #[track_caller]
    pub(crate) fn lead_forever_change(&self, order: &BrokerOrderId, change: &ForeverChange) {
        self.app(|exchange| exchange.modify_forever(&account(LEADER), Source::App, order.as_str(), change));
    }

    /// The leader cancels a forever order.
    #[track_caller]
    pub(crate) fn lead_forever_cancel(&self, order: &BrokerOrderId) {
        self.app(|exchange| exchange.cancel_forever(&account(LEADER), Source::App, order.as_str()));
    }

    /// The account's one super order as it is listed.
    #[track_caller]
    pub(crate) fn only_super(&self, client_id: &str) -> SimSuper {
        let mut orders = self.sim.with_exchange(|exchange| exchange.super_orders(&account(client_id)));
        assert_eq!(orders.len(), 1, "one super order expected: {orders:?}");
        orders.remove(0)
    }

    /// The legs of the account's one super order, which has both.
    #[track_caller]
    pub(crate) fn exits(&self, client_id: &str) -> Exits {
        let order = self.only_super(client_id);
        let leg = |leg: Leg| {
            let row = order.legs.iter().find(|row| row.leg == leg).unwrap();
            ((row.price, row.status.to_string()), row.trailing)
        };
        let (stop, trailing) = leg(Leg::StopLoss);
        Exits { stop, trailing, target: leg(Leg::Target).0 }
    }

    /// The account's one forever order.
    #[track_caller]
    pub(crate) fn only_forever(&self, client_id: &str) -> SimForever {
        let mut orders = self.sim.with_exchange(|exchange| exchange.forever_orders(&account(client_id)));
        assert_eq!(orders.len(), 1, "one forever order expected: {orders:?}");
        orders.remove(0)
    }

    /// Requests of the account that change something, oldest first.
    pub(crate) fn writes(&self, client_id: &str) -> Vec<RequestRecord> {
        let id = account(client_id);
        let mine =
            |record: &RequestRecord| !record.operation.is_read() && record.account.as_ref() == Some(&id);
        self.sim.requests().into_iter().filter(mine).collect()
    }

    /// The same as `POST /orders`, order ids left out.
    pub(crate) fn calls(&self, client_id: &str) -> Vec<String> {
        let named = |part: &str| !part.bytes().all(|byte| byte.is_ascii_digit());
        let call = |record: RequestRecord| {
            let parts: Vec<&str> =
                record.path.split('/').filter(|part| named(part) && *part != "v2").collect();
            format!("{} /{}", record.method, parts.join("/"))
        };
        self.writes(client_id).into_iter().map(call).collect()
    }

    /// The bodies of those of one method, oldest first.
    pub(crate) fn bodies(&self, client_id: &str, method: &str) -> Vec<Value> {
        let writes = self.writes(client_id).into_iter().filter(|record| record.method == method);
        writes.map(|record| serde_json::from_str(&record.body).unwrap()).collect()
    }
}
