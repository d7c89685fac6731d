//! What every actor has in common: a name, a generation, counted work, and a guard that tells of its death.
//!
//! actix tells nobody when an actor panics, and has no public mailbox length (`stack.md`). So messages are counted at
//! the sender ([`Mailbox`]) and at the handler, progress is stamped, and a guard dropped with the actor reports its end.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Context, Handler, Message};
use serde::Serialize;
use tandem_domain::ids::FollowerId;
use tandem_domain::restart::Strategy;
use tokio::sync::mpsc::UnboundedSender;

/// Which actor.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ActorName {
    /// Owner of the database.
    Store,
    /// A follower's circuit breaker.
    Breaker(FollowerId),
    /// A follower's order actor.
    Follower(FollowerId),
    /// The sizer.
    Sizer,
    /// The leader's order stream.
    LeaderStream,
}

impl ActorName {
    /// Whose it is, if it is one follower's.
    pub const fn follower(&self) -> Option<&FollowerId> {
        match self {
            Self::Breaker(follower) | Self::Follower(follower) => Some(follower),
            Self::Store | Self::Sizer | Self::LeaderStream => None,
        }
    }

    /// Who is built anew with it. A follower's actors are his alone (P19). The Store's death ends the process (P22), and
    /// so never comes to this.
    pub const fn strategy(&self) -> Strategy {
        match self {
            Self::Breaker(_) | Self::Follower(_) => Strategy::OneForOne,
            Self::Store | Self::Sizer | Self::LeaderStream => Strategy::RestForOne,
        }
    }
}

impl fmt::Display for ActorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store => f.write_str("store"),
            Self::Breaker(follower) => write!(f, "breaker/{follower}"),
            Self::Follower(follower) => write!(f, "follower/{follower}"),
            Self::Sizer => f.write_str("sizer"),
            Self::LeaderStream => f.write_str("leader_stream"),
        }
    }
}

/// The end of one life of an actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// Which actor.
    pub actor: ActorName,
    /// Which life of it.
    pub generation: u32,
    /// Whether it ended in a panic.
    pub panicking: bool,
    /// Its last words, if it stopped by itself.
    pub cause: Option<Arc<str>>,
}

/// Asks an actor how it is; answered through its mailbox, so a stuck mailbox does not answer.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Health")]
pub struct Ping;

/// The state of a follower's actor whose account has not been read since it began: nothing is opened there.
pub const RECOVERING: &str = "recovering";

/// How an actor is: the observable state that health lines, `tandem status` and tests read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, actix::MessageResponse)]
pub struct Health {
    /// Which actor.
    pub actor: String,
    /// Which life of it, from 1.
    pub generation: u32,
    /// Its state, one word.
    pub state: String,
    /// Messages waiting for it.
    pub mailbox_depth: i64,
    /// Messages it has handled in this life.
    pub handled: u64,
    /// Milliseconds since it last got something done.
    pub progress_age_ms: u64,
    /// What went wrong last, if anything did.
    pub last_error: Option<String>,
    /// What is particular to it, by name.
    pub details: serde_json::Map<String, serde_json::Value>,
}

/// The counted side of an actor's life.
#[derive(Debug)]
pub struct Vitals {
    /// Which actor.
    pub name: ActorName,
    /// Which life of it.
    pub generation: u32,
    depth: Depth,
    handled: u64,
    last_progress: Instant,
    last_error: Option<String>,
    cause: Arc<OnceLock<Arc<str>>>,
    _guard: DeathGuard,
}

/// What one life of an actor and those outside it count together: messages on their way to it, and what it got done.
/// Every life has its own: an abandoned one that wakes up again must not look like progress of its successor.
#[derive(Debug, Clone, Default)]
pub struct Depth(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    underway: AtomicI64,
    progress: AtomicU64,
}

impl Depth {
    /// How often this life got something done; a figure that moves is the figure of an actor that does not hang.
    pub fn progress(&self) -> u64 {
        self.0.progress.load(Ordering::Relaxed)
    }

    /// How many messages wait to be handled.
    pub fn waiting(&self) -> i64 {
        self.0.underway.load(Ordering::Relaxed).max(0)
    }

    pub(crate) fn count_progress(&self) {
        self.0.progress.fetch_add(1, Ordering::Relaxed);
    }
}

struct DeathGuard {
    actor: ActorName,
    generation: u32,
    cause: Arc<OnceLock<Arc<str>>>,
    deaths: UnboundedSender<Death>,
}

impl Vitals {
    /// The vitals of a new life; their drop reports its end to `deaths`.
    pub fn new(name: ActorName, generation: u32, depth: Depth, deaths: UnboundedSender<Death>) -> Self {
        let cause = Arc::new(OnceLock::new());
        let guard = DeathGuard { actor: name.clone(), generation, cause: Arc::clone(&cause), deaths };
        Self {
            name,
            generation,
            depth,
            handled: 0,
            last_progress: Instant::now(),
            last_error: None,
            cause,
            _guard: guard,
        }
    }

    /// A message from a counted mailbox is being handled.
    pub fn received(&mut self) {
        self.depth.0.underway.fetch_sub(1, Ordering::Relaxed);
        self.progressed();
    }

    /// Something got done.
    pub fn progressed(&mut self) {
        self.handled += 1;
        self.depth.count_progress();
        self.last_progress = Instant::now();
    }

    /// Something went wrong; shown in the health line until something else does.
    pub fn failed(&mut self, error: impl fmt::Display) {
        self.last_error = Some(error.to_string());
    }

    /// Why this life is about to end: what the Supervisor will say of it.
    pub fn dying_of(&mut self, cause: impl fmt::Display) {
        let cause: Arc<str> = cause.to_string().into();
        self.last_error = Some(cause.to_string());
        // Only the first cause counts.
        let _ = self.cause.set(cause);
    }

    /// The health of an actor in `state`.
    pub fn health(&self, state: &str, details: serde_json::Map<String, serde_json::Value>) -> Health {
        Health {
            actor: self.name.to_string(),
            generation: self.generation,
            state: state.to_owned(),
            mailbox_depth: self.depth.waiting(),
            handled: self.handled,
            progress_age_ms: u64::try_from(self.last_progress.elapsed().as_millis()).unwrap_or(u64::MAX),
            last_error: self.last_error.clone(),
            details,
        }
    }
}

impl fmt::Debug for DeathGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeathGuard")
    }
}

impl Drop for DeathGuard {
    fn drop(&mut self) {
        let death = Death {
            actor: self.actor.clone(),
            generation: self.generation,
            panicking: std::thread::panicking(),
            cause: self.cause.get().cloned(),
        };
        // Nobody listens any more when the process is going down.
        let _ = self.deaths.send(death);
    }
}

/// An address whose messages are counted.
#[derive(Debug)]
pub struct Mailbox<A: Actor> {
    address: Addr<A>,
    depth: Depth,
}

impl<A: Actor> Clone for Mailbox<A> {
    fn clone(&self) -> Self {
        Self { address: self.address.clone(), depth: self.depth.clone() }
    }
}

impl<A: Actor<Context = Context<A>>> Mailbox<A> {
    /// Counts what is sent to `address`.
    pub const fn new(address: Addr<A>, depth: Depth) -> Self {
        Self { address, depth }
    }

    /// Sends a message whose handler begins with [`Vitals::received`]. A closed mailbox takes it nowhere: rows are the
    /// truth, and the next life reads them (P24).
    pub fn tell<M>(&self, message: M)
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        self.depth.0.underway.fetch_add(1, Ordering::Relaxed);
        self.address.do_send(message);
    }

    /// The bare address.
    pub const fn address(&self) -> &Addr<A> {
        &self.address
    }
}
