//! Supervisor: starts the actors in order, watches them, restarts those that died or hang, and stops them all.
//!
//! It holds a factory for each actor, not the actor: `actix::Supervisor` restarts only on `ctx.stop()`, keeps the old
//! state and has no limit. A death is told by the guard in [`Vitals`](crate::vitals::Vitals), a hang is seen when a
//! [`Ping`] is not answered in time while nothing gets done either. A hung actor cannot be killed; it is abandoned, and
//! fenced: its generation may neither write nor send any more.
//!
//! The chain is rest-for-one: with the Sizer the leader's stream is built anew; followers are one-for-one
//! ([`restarted_with`]). Restarts are delayed, doubling, and limited ([`RestartLog`](tandem_domain::restart::RestartLog)).
//! Past the limit a follower's actor stays down and the others go on (P19); any other, and the Store at its first death,
//! ends the process with a code of its own (P23). It lives on an arbiter of its own, so that nothing an actor does keeps it
//! from seeing.

mod child;
mod house;
mod reporting;
mod state;
mod telling;
mod watching;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient, StreamHandler};
use tandem_domain::restart::{RestartLimits, Strategy, Verdict, restarted_with};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tracing::{error, info, warn};

use self::child::Child;
pub use self::house::{House, NewSettings};
pub use self::state::SystemState;
use self::watching::HUNG;
use crate::clock::Clock;
use crate::in_flight::InFlight;
use crate::store::StoreHandle;
use crate::vitals::{ActorName, Death, Depth, Health, Ping, Vitals};
use crate::watch::Watch;

/// What the supervisor is told once.
#[derive(Debug, Clone)]
pub struct SupervisorParams {
    /// When restarting ends.
    pub restarts: RestartLimits,
    /// How often health is logged.
    pub health_interval: Duration,
    /// How often actors are asked.
    pub ping_interval: Duration,
    /// How long an actor may neither answer nor get anything done before it counts as hung.
    pub hang_deadline: Duration,
    /// How long a shutdown waits for what is under way.
    pub shutdown_deadline: Duration,
    /// Where health and restarts are recorded.
    pub store: StoreHandle,
    /// The clock, for records.
    pub clock: Clock,
    /// What is under way.
    pub in_flight: InFlight,
    /// The highest number that a life had under this process's earlier supervisors, one for each day: numbers go on, so
    /// that nothing of an abandoned life counts as one of these.
    pub generations: Arc<AtomicU32>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// As asked.
    Stopped,
    /// An actor failed more often than is borne.
    Escalated(ActorName),
    /// The thread on which all actors live does nothing any more.
    Blocked,
    /// Nothing can be recorded any more.
    StorageFault,
}

/// One actor's start: its number, and where its end is told.
#[derive(Debug, Clone)]
pub struct Birth {
    /// Which actor.
    pub actor: ActorName,
    /// Which life of it, from 1.
    pub generation: u32,
    /// Messages on their way to it.
    pub depth: Depth,
    /// Where its end is told.
    pub deaths: UnboundedSender<Death>,
}

impl Birth {
    /// The vitals of this life.
    pub fn vitals(&self) -> Vitals {
        Vitals::new(self.actor.clone(), self.generation, self.depth.clone(), self.deaths.clone())
    }
}

/// What the supervisor needs of whoever knows the concrete actors: in production the [`House`], in tests a stand-in.
pub trait Household: 'static {
    /// The actors, in order of start.
    fn actors(&self) -> Vec<ActorName>;
    /// Nothing of a life of an actor that is older than this may send from now on.
    fn fence(&self, actor: &ActorName, generation: u32);
    /// Starts one life of an actor; nothing of an older one may write or send from now on. None for an actor that is not
    /// one of [`Household::actors`].
    fn start(&mut self, birth: Birth) -> Option<Recipient<Ping>>;
    /// An actor has died or hangs: who goes by what it says is told that it says nothing.
    fn tell_of_loss(&self, actor: &ActorName);
    /// Tells an actor to end, because one that it stands on has died.
    fn retire(&self, actor: &ActorName);
    /// Tells every actor the present addresses.
    fn link(&self);
    /// Tells every actor to take nothing new.
    fn drain(&self);
}

/// The actor.
pub struct Supervisor<H> {
    params: SupervisorParams,
    house: H,
    children: Vec<Child>,
    watch: Watch,
    deaths: UnboundedSender<Death>,
    started: Instant,
    state: SystemState,
    on_end: Option<Box<dyn FnOnce(Ending)>>,
}

/// Stop everything, in order, within the deadline.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Shutdown;

impl<H: Household + Unpin> Supervisor<H> {
    /// Builds the supervisor; it starts the actors when it starts itself. `on_end` is called once, when all is over.
    pub fn start(
        params: SupervisorParams,
        house: H,
        on_end: impl FnOnce(Ending) + 'static,
    ) -> actix::Addr<Self> {
        Self::create(|ctx| {
            let (deaths, told) = tokio::sync::mpsc::unbounded_channel();
            ctx.add_stream(death_stream(told));
            Self {
                params,
                house,
                children: Vec::new(),
                watch: Watch::since(Instant::now()),
                deaths,
                started: Instant::now(),
                state: SystemState::Initializing,
                on_end: Some(Box::new(on_end)),
            }
        })
    }

    fn give_birth(&mut self, at: usize) {
        let Some(child) = self.children.get_mut(at) else { return };
        child.generation += 1;
        child.due = None;
        self.params.generations.fetch_max(child.generation, Ordering::Relaxed);
        child.depth = Depth::default();
        let name = child.name.clone();
        // From here on the Store refuses whatever an older life still tries to write.
        self.params.store.set_generation(&name.to_string(), child.generation);
        let birth = Birth {
            actor: name.clone(),
            generation: child.generation,
            depth: child.depth.clone(),
            deaths: self.deaths.clone(),
        };
        child.ping = self.house.start(birth);
        child.seen_alive();
        child.asked = false;
        info!(actor = %name, generation = child.generation, old_state = "down", state = "started", "actor started");
    }

    fn on_death(&mut self, death: &Death, ctx: &mut Context<Self>) {
        if self.state.is_ending() {
            return;
        }
        let known = self.children.iter().position(|child| {
            child.name == death.actor && child.generation == death.generation && child.ping.is_some()
        });
        // The death of a life that was given up already is no news.
        let Some(at) = known else { return };
        let how = if death.panicking { "panicked" } else { "stopped" };
        error!(actor = %death.actor, generation = death.generation, cause = death.cause.as_deref(), "actor {how}");
        self.bury(at, how, ctx);
    }

    fn bury(&mut self, at: usize, how: &'static str, ctx: &mut Context<Self>) {
        let since_start = self.started.elapsed();
        let child = &mut self.children[at];
        child.end();
        let (name, generation) = (child.name.clone(), child.generation);
        let verdict = child.log.on_death(since_start, jitter_pct(since_start));
        // Now, and not with the next life: this one may only look dead, and sends no more. What it writes is refused from the next
        // life on: that waits for the writer, who may be what hangs.
        self.house.fence(&name, generation + 1);
        self.house.tell_of_loss(&name);
        self.record_restart(&name, generation, how);
        if name == ActorName::Store {
            // Of a writer that ends or hangs the keeper dies by itself. One that only does not answer shares its thread with
            // all actors: that is what hangs, and no restart on it would ever begin.
            if how == HUNG {
                self.tell_of_block();
                return self.end(Ending::Blocked);
            }
            return self.end(Ending::StorageFault);
        }
        match verdict {
            Verdict::RestartAfter(delay) => {
                warn!(actor = %name, generation, delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
                    "actor will be restarted from its rows");
                self.retire_rest(at);
                self.restart_rest(at, delay, ctx);
                self.judge_state();
            }
            Verdict::Escalate if name.follower().is_some() => {
                self.leave_down(&name, generation);
                self.judge_state();
            }
            Verdict::Escalate => {
                error!(actor = %name, generation, "actor failed too often: halting");
                self.tell_of_halt(&name, generation);
                self.end(Ending::Escalated(name));
            }
        }
    }

    /// Who is built anew with this one, itself included, in the order of start.
    fn rest_of(&self, at: usize) -> Vec<usize> {
        let strategies: Vec<Strategy> = self.children.iter().map(|child| child.name.strategy()).collect();
        restarted_with(&strategies, at)
    }

    /// Ends what stands on an actor that has died, the source first. That is no failure of theirs, and does not count.
    fn retire_rest(&mut self, at: usize) {
        for other in self.rest_of(at).into_iter().filter(|other| *other != at).rev() {
            let child = &mut self.children[other];
            if child.ping.is_none() {
                continue;
            }
            child.end();
            let (name, generation) = (child.name.clone(), child.generation);
            info!(actor = %name, generation, old_state = "started", state = "down", "actor ends with the one it stands on");
            // Its end is told by its guard, and is no news then.
            self.house.retire(&name);
            self.record_restart(&name, generation, "retired");
        }
    }

    /// Builds an actor and the rest of its chain anew, none before its own delay is over.
    fn restart_rest(&mut self, at: usize, delay: Duration, ctx: &mut Context<Self>) {
        let rest = self.rest_of(at);
        // After whatever was due before, so that all of it begins in order.
        let later = |due: Instant, other: Instant| due.max(other + Duration::from_millis(1));
        let due = rest.iter().filter_map(|at| self.children[*at].due).fold(Instant::now() + delay, later);
        for at in &rest {
            self.children[*at].due = Some(due);
        }
        ctx.run_later(due.saturating_duration_since(Instant::now()), move |supervisor, _| {
            if supervisor.state.is_ending() {
                return;
            }
            // Another death may have put some of them off: their turn comes with that one's.
            let ready = rest.into_iter().filter(|at| supervisor.children[*at].due == Some(due));
            let ready: Vec<usize> = ready.collect();
            if ready.is_empty() {
                return;
            }
            for at in ready {
                supervisor.give_birth(at);
            }
            supervisor.house.link();
        });
    }

    /// One follower's failure is not everybody's (P19): it is left, said aloud, and kept as an incident.
    fn leave_down(&self, name: &ActorName, generation: u32) {
        self.params.store.set_generation(&name.to_string(), generation + 1);
        self.tell_of_down(name, generation);
    }

    fn judge_state(&mut self) {
        let down = self.children.iter().any(|child| child.ping.is_none());
        let healths: Vec<&Health> = self.children.iter().filter_map(|child| child.health.as_ref()).collect();
        let next = self.state.judge(down, &healths);
        self.enter(next);
    }

    fn enter(&mut self, next: SystemState) {
        if next != self.state {
            info!(old_state = self.state.as_str(), state = next.as_str(), "system changes state");
            self.state = next;
        }
    }

    /// Graceful end: nothing new is taken in, what is under way may finish within the deadline. Correctness does not
    /// rest on it: an end without it is a crash, and start-up is recovery.
    fn shut_down(&mut self, ctx: &mut Context<Self>) {
        if self.state.is_ending() {
            return;
        }
        self.enter(SystemState::ShuttingDown);
        self.house.drain();
        let asked = Instant::now();
        ctx.run_interval(Duration::from_millis(5), move |supervisor, ctx| {
            let under_way = supervisor.params.in_flight.count();
            if under_way > 0 && asked.elapsed() < supervisor.params.shutdown_deadline {
                return;
            }
            if under_way > 0 {
                warn!(under_way, "not everything finished in time; it is resolved at the next start");
            }
            supervisor.log_health();
            supervisor.enter(SystemState::Stopped);
            actix::ActorContext::stop(ctx);
            supervisor.end(Ending::Stopped);
        });
    }

    fn end(&mut self, ending: Ending) {
        if ending != Ending::Stopped {
            self.enter(SystemState::Halted);
        }
        if let Some(on_end) = self.on_end.take() {
            on_end(ending);
        }
    }
}

/// Spreads restarts of actors that died together; needs no quality of randomness.
fn jitter_pct(since_start: Duration) -> u32 {
    since_start.subsec_nanos() % 100
}

fn death_stream(mut told: UnboundedReceiver<Death>) -> impl futures_util::Stream<Item = Death> {
    futures_util::stream::poll_fn(move |cx| told.poll_recv(cx))
}

impl<H: Household + Unpin> Actor for Supervisor<H> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        info!(state = self.state.as_str(), "supervisor started");
        let (before, restarts) = (self.params.generations.load(Ordering::Relaxed), self.params.restarts);
        let names = self.house.actors().into_iter();
        self.children = names.map(|name| Child::new(name, before, restarts)).collect();
        for at in 0..self.children.len() {
            self.give_birth(at);
        }
        self.house.link();
        ctx.run_interval(self.params.ping_interval, Self::ping_all);
        ctx.run_interval(self.params.health_interval, |supervisor, _| supervisor.log_health());
    }
}

impl<H: Household + Unpin> StreamHandler<Death> for Supervisor<H> {
    fn handle(&mut self, death: Death, ctx: &mut Self::Context) {
        self.on_death(&death, ctx);
    }
}

impl<H: Household + Unpin> Handler<Shutdown> for Supervisor<H> {
    type Result = ();

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        self.shut_down(ctx);
    }
}

#[cfg(test)]
mod tests;
