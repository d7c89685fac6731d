//! What people do at the simulated broker: the leader in his app, the exchange, and a follower's owner with his own hand.

use anyhow::{Context as _, anyhow, bail, ensure};
use tandem_domain::ids::{BrokerOrderId, DhanClientId};
use tandem_domain::order::{Leg, OrderForm, OrderTerms, OrderType};
use tandem_domain::quantity::Quantity;
use tandem_domain::time::Timestamp;
use tandem_sim::exchange::{Exchange, ModifyRequest, PlaceRequest, SimOrder, Source, SuperChange};
use tandem_sim::{Operation, RequestRecord};

use super::books::OUR_TAG;
use super::compare::Expectation;
use super::day::{Asked, Change, FOLLOWERS, LeaderOrder};
use super::stage::Stage;

/// What a rejected order is told.
const REFUSAL: &str = "RMS:<id>:Order refused for the demonstration.";

impl Stage {
    /// What an order of the leader asks for.
    pub(super) fn terms(&self, order: &LeaderOrder, asked: &Asked) -> anyhow::Result<OrderTerms> {
        let instrument = self.instrument(&order.alias)?;
        Ok(OrderTerms {
            instrument: instrument.key,
            side: order.side,
            product: order.product,
            order_type: asked.order_type,
            time_in_force: asked.time_in_force,
            quantity: Quantity::new(asked.lots * instrument.units_in_lot),
            disclosed: Quantity::new(asked.shows * instrument.units_in_lot),
            price: asked.price,
            trigger: asked.trigger,
            after_market: false,
            form: asked.exits.map_or(OrderForm::Ordinary, OrderForm::Super),
        })
    }

    /// The leader places an order; sliced, it becomes several.
    pub(super) fn place(
        &self,
        order: &LeaderOrder,
        terms: &OrderTerms,
    ) -> anyhow::Result<Vec<BrokerOrderId>> {
        let request = PlaceRequest::new(terms.clone());
        let (leader, source) = (&self.leader, order.source);
        let answers = self.simulator.with_exchange(|exchange| match terms.form {
            OrderForm::Super(_) => exchange.place_super(leader, source, &request).map(|answer| vec![answer]),
            _ if order.is_sliced => exchange.place_sliced(leader, source, &request),
            _ => exchange.place(leader, source, &request).map(|answer| vec![answer]),
        });
        let answers = answers.context("the leader's order")?;
        Ok(answers.into_iter().map(|answer| answer.order_id).collect())
    }

    /// The leader changes an order, one of so many slices, to look like this.
    pub(super) fn change(
        &self,
        order: &BrokerOrderId,
        terms: &OrderTerms,
        change: &Change,
        slices: usize,
    ) -> anyhow::Result<()> {
        let is_market = terms.order_type == OrderType::Market;
        let restated = ModifyRequest {
            order_type: Some(terms.order_type),
            time_in_force: Some(terms.time_in_force),
            // Slices keep theirs.
            quantity: Some(terms.quantity).filter(|_| slices == 1),
            price: Some(terms.price).filter(|_| !is_market),
            trigger: Some(terms.trigger).filter(|_| terms.order_type.is_stop()),
            disclosed: Some(terms.disclosed).filter(|_| slices == 1),
        };
        let (leader, id) = (&self.leader, order.as_str());
        let taken = self.simulator.with_exchange(|exchange| match terms.form {
            OrderForm::Super(exits) => {
                let trailing = exits.trailing;
                let change = if let Some(price) = change.target {
                    SuperChange::Target { price }
                } else if change.stop.is_some() || change.trail.is_some() {
                    SuperChange::Stop { price: change.stop, trailing }
                } else {
                    SuperChange::Entry { order: restated, target: None, stop: None, trailing }
                };
                exchange.modify_super(leader, Source::App, id, &change)
            }
            OrderForm::Ordinary | OrderForm::Forever(_) => {
                exchange.modify(leader, Source::App, id, &restated)
            }
        });
        taken.map(drop).context("the leader's change")
    }

    /// The leader cancels an order, or one exit of it.
    pub(super) fn cancel(&self, order: &BrokerOrderId, leg: Option<Leg>) -> anyhow::Result<()> {
        self.simulator.with_exchange(|exchange| cancel(exchange, &self.leader, order, leg))
    }

    /// The leader cancels whatever works.
    pub(super) fn cancel_all(&self) -> anyhow::Result<()> {
        self.simulator.with_exchange(|exchange| {
            let all = exchange.all_orders(&self.leader).into_iter();
            let working: Vec<BrokerOrderId> = all
                .filter(|order| !order.is_terminal() && order.parent().is_none())
                .map(|order| order.id.clone())
                .collect();
            working.iter().try_for_each(|order| cancel(exchange, &self.leader, order, None))
        })
    }

    /// The exchange fills so many lots of an order and of its copies, each at its own limit.
    pub(super) fn fill(
        &self,
        expected: &Expectation,
        lots: [u32; 1 + FOLLOWERS.len()],
    ) -> anyhow::Result<()> {
        let [of_leader, of_followers @ ..] = lots;
        let price = expected.terms.price;
        let units = |lots: u32| Quantity::new(lots * expected.units_in_lot);
        let fill = |order: &BrokerOrderId, lots: u32| {
            let filled =
                self.simulator.with_exchange(|exchange| exchange.fill_resting(order, units(lots), price));
            ensure!(filled, "there is no order {order} of which {lots} lots can fill");
            Ok(())
        };
        let [leader_order] = expected.leader_orders.as_slice() else {
            bail!("an order in slices is not filled by hand");
        };
        if of_leader > 0 {
            fill(leader_order, of_leader)?;
        }
        for (follower, lots) in of_followers.into_iter().enumerate().filter(|(_, lots)| *lots > 0) {
            fill(&self.working_copy(follower, expected)?, lots)?;
        }
        Ok(())
    }

    /// Lets the broker reject the next order of a follower.
    pub(super) fn refuse_next(&self, follower: usize) {
        let account = &self.followers[follower].account;
        self.simulator.with_exchange(|exchange| exchange.reject_next(account, 1, REFUSAL));
    }

    /// When the daemon last asked for the followers' money, by simulated time; of the one longest ago.
    pub(super) fn money_read_at(&self) -> anyhow::Result<Timestamp> {
        let records = self.simulator.requests();
        let asked = self.followers.iter().map(|follower| {
            let of_account = |record: &&RequestRecord| {
                record.operation == Operation::Funds && record.account.as_ref() == Some(&follower.account)
            };
            records.iter().rfind(of_account).map(|record| Timestamp::from_micros(record.simulated_us))
        });
        let asked: Option<Vec<Timestamp>> = asked.collect();
        asked.and_then(|asked| asked.into_iter().min()).context("nobody asked for the followers' money")
    }

    /// A follower's owner places an order of his own in his app.
    pub(super) fn place_own(&self, follower: usize, order: &LeaderOrder) -> anyhow::Result<()> {
        let request = PlaceRequest::new(self.terms(order, &order.asked)?);
        let account = &self.followers[follower].account;
        let taken = self.simulator.with_exchange(|exchange| exchange.place(account, Source::App, &request));
        taken.map(drop).context("the follower's own order")
    }

    /// A follower's owner cancels the copy of an order in his app.
    pub(super) fn cancel_by_hand(&self, follower: usize, expected: &Expectation) -> anyhow::Result<()> {
        let copy = self.working_copy(follower, expected)?;
        let account = &self.followers[follower].account;
        self.simulator.with_exchange(|exchange| cancel(exchange, account, &copy, None))
    }

    /// The one order of Tandem's that works at a follower's like this order of the leader's.
    fn working_copy(&self, follower: usize, expected: &Expectation) -> anyhow::Result<BrokerOrderId> {
        let terms = &expected.terms;
        let is_copy = |order: &&SimOrder| {
            let is_ours = order.tag.as_deref().is_some_and(|tag| tag.starts_with(OUR_TAG));
            let same = (order.terms.instrument, order.terms.side, order.terms.price)
                == (terms.instrument, terms.side, terms.price);
            is_ours && same && !order.is_terminal()
        };
        self.simulator.with_exchange(|exchange| {
            let working = exchange.all_orders(&self.followers[follower].account).into_iter().filter(is_copy);
            let found: Vec<BrokerOrderId> = working.map(|order| order.id.clone()).collect();
            match found.as_slice() {
                [copy] => Ok(copy.clone()),
                _ => Err(anyhow!("{} copies of it work at {}, not one", found.len(), FOLLOWERS[follower])),
            }
        })
    }
}

fn cancel(
    exchange: &mut Exchange,
    account: &DhanClientId,
    order: &BrokerOrderId,
    leg: Option<Leg>,
) -> anyhow::Result<()> {
    let found = exchange.all_orders(account).into_iter().find(|known| known.id == *order);
    let stands_alone = found.is_none_or(|order| order.part.is_none());
    let taken = if stands_alone {
        exchange.cancel(account, Source::App, order.as_str())
    } else {
        exchange.cancel_super(account, Source::App, order.as_str(), leg.unwrap_or(Leg::Entry))
    };
    taken.map(drop).with_context(|| format!("cancel order {order}"))
}
