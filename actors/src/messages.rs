//! What the actors say to each other. Facts are domain types; addresses travel only in [`Link`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use actix::Message;
use arc_swap::ArcSwapOption;
use tandem_dhan::codes::AmoTime;
use tandem_domain::account::{Funds, PositionReport};
use tandem_domain::breaker::{ApiOutcome, ApiUse};
use tandem_domain::decision::Decision;
use tandem_domain::follower::FollowerSettings;
use tandem_domain::ids::{DhanClientId, FollowerId};
use tandem_domain::leader::LeaderOrder;
use tandem_domain::time::Timestamp;
use tandem_domain::trading::{Control, Trading};
use tokio::sync::oneshot;

use crate::in_flight::Underway;
use crate::vitals::Mailbox;
use crate::{CircuitBreaker, FollowerOrderActor, FollowerPolicy, LeaderStream, Polls, Sizer};

/// The present addresses. Sent to every actor whenever any of them changed; each then says again what the others
/// must know, so that a new life learns it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Link(pub Arc<Addresses>);

/// Who is where.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// The leader's stream.
    pub leader: Mailbox<LeaderStream>,
    /// The sizer.
    pub sizer: Mailbox<Sizer>,
    /// The followers, in the order of the settings.
    pub followers: Vec<FollowerAddresses>,
}

/// One follower's two actors.
#[derive(Debug, Clone)]
pub struct FollowerAddresses {
    /// The follower.
    pub id: FollowerId,
    /// Its order actor.
    pub orders: Mailbox<FollowerOrderActor>,
    /// Its circuit breaker.
    pub breaker: Mailbox<CircuitBreaker>,
}

/// The present addresses for those who are no actors and get no [`Link`]: the control socket. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Directory(Arc<ArcSwapOption<Addresses>>);

impl Directory {
    /// From now on they are these.
    pub fn publish(&self, addresses: Arc<Addresses>) {
        self.0.store(Some(addresses));
    }

    /// The follower's order actor; none before all actors were started once.
    pub fn orders_of(&self, follower: &FollowerId) -> Option<Mailbox<FollowerOrderActor>> {
        let addresses = self.0.load();
        let own = addresses.as_ref()?.followers.iter().find(|known| known.id == *follower)?;
        Some(own.orders.clone())
    }
}

/// LeaderStream to Sizer: the leader's order is in this state now.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct LeaderOrderChanged {
    /// The order.
    pub order: Arc<LeaderOrder>,
    /// When the frame that said so was received, if one did (not a snapshot or a repetition).
    pub received: Option<Instant>,
    /// Kept until every follower has decided.
    pub underway: Arc<Underway>,
}

/// LeaderStream to Sizer to follower: changes that one read of the leader's books tells begin, or have all been told.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Together {
    /// Whether they begin.
    pub begins: bool,
    /// Kept until every follower has heard it.
    pub underway: Arc<Underway>,
}

/// LeaderStream to Sizer to follower: whether the leader is heard. By the way of the plans, behind all that was heard.
/// Supervisor to follower: he is not, for who tells of him has died.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct LeaderHeard {
    /// Whether his stream is live, or his order book was read since it was.
    pub is_heard: bool,
    /// Kept until every follower has heard it.
    pub underway: Arc<Underway>,
}

/// Sizer to follower: what to do about a leader order.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Plan {
    /// The leader's order.
    pub order: Arc<LeaderOrder>,
    /// The Sizer's word.
    pub decision: Decision,
    /// When the frame that led to it was received.
    pub received: Option<Instant>,
    /// Kept until the decision is durable and its request answered.
    pub underway: Arc<Underway>,
}

/// An account's funds were read, or could not be.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct FundsRead {
    /// Whose.
    pub account: DhanClientId,
    /// The figures; none when the read failed.
    pub funds: Option<Funds>,
}

/// Leader to follower: what he holds, all of it. Said before the first of his orders is, and again after each read.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct LeaderPositionsRead {
    /// When the request for them left.
    pub started_at: Timestamp,
    /// His positions.
    pub positions: Arc<[PositionReport]>,
}

/// Follower to Sizer: its rows are loaded, it takes plans.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct FollowerReady {
    /// Which.
    pub follower: FollowerId,
}

/// Sizer to LeaderStream: connect, if you have not; and say again all that you know.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct GoLive;

/// Follower to breaker: what the account's API did.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct ApiDid {
    /// What kind of request it was.
    pub kind: ApiUse,
    /// What it came to.
    pub outcome: ApiOutcome,
}

/// Breaker to follower: entries may pass, or not.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct BreakerIs {
    /// Whether entries are stopped.
    pub open: bool,
}

/// Breaker to follower: make one read and report what it came to.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Probe;

/// Supervisor to follower: the owner changed his settings; these are in force from now on.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Reload {
    /// What its book goes by.
    pub settings: Box<FollowerSettings>,
    /// When its after-market orders go to the exchange.
    pub amo_time: AmoTime,
    /// How often its account is read.
    pub polls: Polls,
}

/// Supervisor to Sizer: the owner changed his settings; these policies are in force from now on, one for each follower,
/// in the order they had.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct ReloadPolicies(pub Vec<FollowerPolicy>);

/// Whether a command is still the newest that was said to its follower.
#[derive(Debug, Clone)]
pub struct Newest {
    newest: Arc<AtomicU64>,
    number: u64,
}

impl Newest {
    /// The next command of a follower whose commands are counted here: older ones are overtaken from now on.
    pub fn next(newest: &Arc<AtomicU64>) -> Self {
        Self { newest: Arc::clone(newest), number: newest.fetch_add(1, Ordering::AcqRel) + 1 }
    }

    /// Whether something was said after it.
    pub fn is_overtaken(&self) -> bool {
        self.newest.load(Ordering::Acquire) != self.number
    }
}

/// Control socket to follower: an operator asks this. Whoever sends it has shut the follower's
/// [`TradingFence`](crate::trading_fence::TradingFence) before, where it stops something; he opens it himself after a
/// `Resume` was answered as recorded. A reply that is dropped means: not taken in, ask again.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ControlSaid {
    /// What is asked; the same may be asked twice. None asks only how the account stands.
    pub control: Option<Control>,
    /// Whether it is the newest. A resume that is not comes to nothing: it may have waited for an actor that hung while a
    /// halt was recorded past him.
    pub newest: Option<Newest>,
    /// Where the answer goes, once the state's row is durable or is known not to be. Its other end may be gone.
    pub reply: oneshot::Sender<TradingNow>,
    /// Kept until it is answered.
    pub underway: Underway,
}

impl ControlSaid {
    /// What it asks for by now.
    pub fn meant(&self) -> Option<Control> {
        let is_overtaken = self.newest.as_ref().is_some_and(Newest::is_overtaken);
        self.control.filter(|control| !(is_overtaken && *control == Control::Resume))
    }
}

/// Follower to control socket: how the account stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradingNow {
    /// Its trading state.
    pub trading: Trading,
    /// Whether that state is durable (P27), or why it is not.
    pub recorded: Result<(), Arc<str>>,
    /// Copies that work at the broker and are being cancelled, or are to be.
    pub cancelling: usize,
    /// Units still to be sold or bought back by a square-off, over all instruments.
    pub units_to_close: u64,
}

/// Supervisor to an actor: end. What it stood on has died, and both are built anew from rows.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Retire;

/// The process is stopping: take nothing new in.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Drain;

#[cfg(test)]
mod tests {
    use tandem_domain::trading::HaltCause;

    use super::*;
    use crate::in_flight::InFlight;

    #[test]
    fn a_resume_that_something_newer_overtook_is_not_meant_any_more() {
        let counted = Arc::default();
        let said = |control| ControlSaid {
            control: Some(control),
            newest: Some(Newest::next(&counted)),
            reply: oneshot::channel().0,
            underway: InFlight::default().begin(),
        };
        let resume = said(Control::Resume);
        assert_eq!(resume.meant(), Some(Control::Resume));
        let halt = Control::Halt { cause: HaltCause::Operator, cancel_working: false };
        let halted = said(halt);
        assert_eq!((resume.meant(), halted.meant()), (None, Some(halt)));
        let again = said(Control::Resume);
        // What stops is never too old.
        assert_eq!((again.meant(), halted.meant()), (Some(Control::Resume), Some(halt)));
    }
}
