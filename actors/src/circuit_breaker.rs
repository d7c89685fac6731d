//! CircuitBreaker: keeps entries away from an account whose API does not answer. One for each follower.
//!
//! Takes [`ApiDid`]; gives [`BreakerIs`] and [`Probe`]; owns [`Breaker`]; never sends an order, never stops an exit.
//! On restart it knows nothing of the account: it is open until a probe, sent at once, is answered. While it is down the
//! follower takes it for open.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, SpawnHandle};
use serde_json::json;
use tandem_domain::breaker::{Breaker, BreakerLimits, BreakerState};
use tandem_domain::ids::FollowerId;
use tracing::info;

use crate::FollowerOrderActor;
use crate::alerts::{AlertText, Standing, Voice};
use crate::clock::Clock;
use crate::messages::{ApiDid, BreakerIs, Link, Probe};
use crate::store::StoreHandle;
use crate::vitals::{Health, Mailbox, Ping, Vitals};

/// The kind of its alert.
const OPEN: &str = "breaker_open";

/// What a breaker is told once.
#[derive(Debug, Clone)]
pub struct BreakerParams {
    /// Whose.
    pub follower: FollowerId,
    /// When to open, and for how long.
    pub limits: BreakerLimits,
    /// The clock.
    pub clock: Clock,
    /// Where its incident is recorded.
    pub store: StoreHandle,
    /// The generation that may speak: what an abandoned life still says counts for nothing.
    pub fence: Arc<AtomicU32>,
}

/// The actor.
#[derive(Debug)]
pub struct CircuitBreaker {
    params: BreakerParams,
    vitals: Vitals,
    breaker: Breaker,
    follower: Option<Mailbox<FollowerOrderActor>>,
    timer: Option<SpawnHandle>,
    alert: Standing,
}

impl CircuitBreaker {
    /// The breaker of an account that begins: closed.
    pub const fn new(params: BreakerParams, vitals: Vitals) -> Self {
        Self::with(Breaker::new(params.limits), params, vitals)
    }

    /// One in the place of another that has died: what that knew nobody knows.
    pub fn anew(params: BreakerParams, vitals: Vitals) -> Self {
        Self::with(Breaker::untried(params.limits, params.clock.now()), params, vitals)
    }

    const fn with(breaker: Breaker, params: BreakerParams, vitals: Vitals) -> Self {
        Self { breaker, params, vitals, follower: None, timer: None, alert: Standing::Unknown }
    }

    fn announce(&self) {
        if let Some(follower) = self.follower.as_ref().filter(|_| self.is_present_generation()) {
            follower.tell(BreakerIs { open: self.breaker.state() != BreakerState::Closed });
        }
    }

    fn is_present_generation(&self) -> bool {
        self.params.fence.load(Ordering::Acquire) == self.vitals.generation
    }

    /// What a person is told: that entries are kept away, and that they are not any more.
    fn tell(&mut self) {
        let Self { params, vitals, alert, .. } = self;
        let voice = Voice { store: &params.store, vitals, follower: Some(&params.follower) };
        let (subject, now) = (params.follower.to_string(), params.clock.now());
        match self.breaker.state() {
            BreakerState::Closed => alert.over(&voice, OPEN, &subject, now),
            BreakerState::Open { .. } => {
                let text = "circuit breaker open: this account's requests were not answered again and again, so no entry is \
                            copied to it until a read is; exits and cancels go on. Look at the network and the broker"
                    .to_owned();
                alert.raise(&voice, AlertText { kind: OPEN, subject, text }, now);
            }
            BreakerState::HalfOpen => {}
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

    fn handle(&mut self, Link(addresses): Link, ctx: &mut Self::Context) {
        self.vitals.received();
        let own = addresses.followers.iter().find(|follower| follower.id == self.params.follower);
        self.follower = own.map(|follower| follower.orders.clone());
        self.announce();
        if self.breaker.state() == BreakerState::HalfOpen
            && let Some(follower) = &self.follower
        {
            follower.tell(Probe);
        }
        self.probe_when_due(ctx);
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
            BreakerState::Open { .. } => {
                let failures = self.breaker.failures();
                info!(%follower, old_state, state, failures, "circuit breaker opens: entries are skipped");
            }
            BreakerState::HalfOpen => {}
        }
        self.announce();
        self.tell();
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
