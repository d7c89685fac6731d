//! CircuitBreaker: keeps entries away from an account whose API does not answer. One for each follower.
//!
//! Takes [`ApiDid`]; gives [`BreakerIs`] and [`Probe`]; owns [`Breaker`]; never sends an order, never stops an exit.
//! On restart it is closed: the next failures open it again.

use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, SpawnHandle};
use serde_json::json;
use tandem_domain::breaker::{Breaker, BreakerLimits, BreakerState};
use tandem_domain::ids::FollowerId;
use tracing::{info, warn};

use crate::FollowerOrderActor;
use crate::clock::Clock;
use crate::messages::{ApiDid, BreakerIs, Link, Probe};
use crate::vitals::{Health, Mailbox, Ping, Vitals};

/// What a breaker is told once.
#[derive(Debug, Clone)]
pub struct BreakerParams {
    /// Whose.
    pub follower: FollowerId,
    /// When to open, and for how long.
    pub limits: BreakerLimits,
    /// The clock.
    pub clock: Clock,
}

/// The actor.
#[derive(Debug)]
pub struct CircuitBreaker {
    params: BreakerParams,
    vitals: Vitals,
    breaker: Breaker,
    follower: Option<Mailbox<FollowerOrderActor>>,
    timer: Option<SpawnHandle>,
}

impl CircuitBreaker {
    /// A closed breaker.
    pub const fn new(params: BreakerParams, vitals: Vitals) -> Self {
        Self { breaker: Breaker::new(params.limits), params, vitals, follower: None, timer: None }
    }

    fn announce(&self) {
        if let Some(follower) = &self.follower {
            follower.tell(BreakerIs { open: self.breaker.state() != BreakerState::Closed });
        }
    }

    /// Looks whether a probe is due; looks again when it may be.
    fn probe_when_due(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        if self.breaker.take_probe(self.params.clock.now()) {
            info!(follower = %self.params.follower, state = "half_open", "circuit breaker probes with a read");
            if let Some(follower) = &self.follower {
                follower.tell(Probe);
            }
        }
        let wait = match self.breaker.state() {
            BreakerState::Open { probe_at } => self.params.clock.real_time_until(probe_at),
            // A probe whose answer went down with the follower's actor is asked for again when that is back.
            BreakerState::Closed | BreakerState::HalfOpen => return,
        };
        self.timer = Some(ctx.run_later(wait.max(Duration::from_millis(1)), Self::probe_when_due));
    }
}

impl Actor for CircuitBreaker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        crate::fault_point!(BreakerStarted, ctx);
    }
}

impl Handler<Link> for CircuitBreaker {
    type Result = ();

    fn handle(&mut self, Link(addresses): Link, _: &mut Self::Context) {
        self.vitals.received();
        let own = addresses.followers.iter().find(|follower| follower.id == self.params.follower);
        self.follower = own.map(|follower| follower.orders.clone());
        self.announce();
        if self.breaker.state() == BreakerState::HalfOpen
            && let Some(follower) = &self.follower
        {
            follower.tell(Probe);
        }
    }
}

impl Handler<ApiDid> for CircuitBreaker {
    type Result = ();

    fn handle(&mut self, ApiDid { kind, outcome }: ApiDid, ctx: &mut Self::Context) {
        self.vitals.received();
        crate::fault_point!(BreakerTold, ctx);
        let before = self.breaker.state();
        self.breaker.on_outcome(kind, outcome, self.params.clock.now());
        let after = self.breaker.state();
        if before == after {
            return;
        }
        let (old_state, state, follower) = (before.as_str(), after.as_str(), &self.params.follower);
        match after {
            BreakerState::Closed => {
                info!(%follower, old_state, state, "circuit breaker closed: entries pass");
            }
            BreakerState::Open { .. } => warn!(
                %follower, old_state, state, failures = self.breaker.failures(),
                "circuit breaker open: entries are skipped until a read succeeds"
            ),
            BreakerState::HalfOpen => {}
        }
        self.announce();
        self.probe_when_due(ctx);
    }
}

impl Handler<Ping> for CircuitBreaker {
    type Result = Health;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Health {
        let mut details = serde_json::Map::new();
        details.insert("failures".to_owned(), json!(self.breaker.failures()));
        self.vitals.health(self.breaker.state().as_str(), details)
    }
}
