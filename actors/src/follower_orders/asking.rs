//! What is asked of the broker beside orders and books: what an entry would need, and to convert what is held.

use std::time::Instant;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tandem_dhan::rest::OrderRequestError;
use tandem_domain::follower::{Conversion, Event};
use tandem_domain::ids::ClientOrderId;
use tandem_domain::order::OrderTerms;
use tandem_domain::price::Money;
use tracing::{info, warn};

use super::FollowerOrderActor;
use crate::alerts::AlertText;

impl FollowerOrderActor {
    /// Asks the broker's calculator until `deadline`. There is an answer in any case: an order waits for it.
    pub(super) fn ask_margin(
        &mut self,
        client_order_id: ClientOrderId,
        terms: OrderTerms,
        deadline: Instant,
        ctx: &mut Context<Self>,
    ) {
        let left = deadline.saturating_duration_since(Instant::now());
        let client = self.caller().filter(|_| !left.is_zero());
        if client.is_some()
            && let Err(wait) = self.reads.take()
        {
            ctx.run_later(wait.min(left), move |actor, ctx| {
                actor.ask_margin(client_order_id, terms, deadline, ctx);
            });
            return;
        }
        let underway = self.params.in_flight.begin();
        let asking = async move {
            let required = match client {
                Some(client) => tokio::time::timeout(left, client.margin(&terms)).await,
                None => return Err("no time, or no account to ask with".to_owned()),
            };
            match required {
                Ok(Ok(margin)) => Ok(margin.total),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("no answer in time".to_owned()),
            }
        };
        ctx.spawn(asking.into_actor(self).map(move |required, actor, ctx| {
            actor.vitals.progressed();
            actor.on_margin(client_order_id, required, ctx);
            drop(underway);
        }));
    }

    fn on_margin(
        &mut self,
        client_order_id: ClientOrderId,
        required: Result<Money, String>,
        ctx: &mut Context<Self>,
    ) {
        if let Err(why) = &required {
            warn!(follower = %self.id(), %client_order_id, why,
                "the broker's calculator did not say what an entry needs: the local estimate counts");
        }
        self.step(Event::Margin { client_order_id, required: required.ok() }, ctx);
    }

    /// Converts once. What came of it the positions tell; a failure is for a person.
    pub(super) fn convert(&mut self, conversion: Conversion, ctx: &mut Context<Self>) {
        if !self.is_present_generation() {
            return;
        }
        let Some(client) = self.caller() else {
            let why = "the account is halted until its access token is replaced".to_owned();
            return self.on_converted(&conversion, Err(OrderRequestError::NotSent { why }), ctx);
        };
        let underway = self.params.in_flight.begin();
        let converting = async move { (client.convert(&conversion).await, underway) };
        ctx.spawn(converting.into_actor(self).map(move |(outcome, underway), actor, ctx| {
            actor.vitals.progressed();
            actor.on_converted(&conversion, outcome, ctx);
            drop(underway);
        }));
    }

    fn on_converted(
        &mut self,
        conversion: &Conversion,
        outcome: Result<(), OrderRequestError>,
        ctx: &mut Context<Self>,
    ) {
        let Conversion { instrument, from, to, units } = conversion;
        match outcome {
            Ok(()) => info!(follower = %self.id(), %instrument, %from, %to, units, "position converted"),
            Err(error) => {
                self.vitals.failed(&error);
                self.on_trouble(error.trouble(), &instrument.to_string(), ctx);
                // Before the row that says that it will not be tried again.
                let alert = AlertText {
                    kind: "conversion_failed",
                    subject: format!("{instrument}/{from}/{to}"),
                    text: format!(
                        "the leader converted {instrument} from {from} to {to}; converting {units:+} copied units failed \
                         ({error}): convert them by hand"
                    ),
                };
                self.raise(alert, ctx);
                // Without an answer it may have been done: the positions of tomorrow tell.
                if !matches!(error, OrderRequestError::Unknown { .. }) {
                    self.step(Event::NotConverted(*conversion), ctx);
                }
            }
        }
        self.read_positions(ctx);
    }
}
