//! The actors of a running Tandem: how each is made, on one arbiter, and who must know whose address.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::{Actor, Addr, ArbiterHandle, Context, Handler, Message, Recipient};
use tandem_domain::ids::FollowerId;

use super::{Birth, Household, Supervisor};
use crate::messages::{
    Addresses, BreakerIs, Directory, Drain, FollowerAddresses, LeaderHeard, Link, Reload, ReloadPolicies,
    Retire,
};
use crate::store::StoreHandle;
use crate::vitals::{ActorName, Mailbox, Ping};
use crate::{
    BreakerParams, CircuitBreaker, FollowerOrderActor, FollowerParams, FollowerPolicy, LeaderParams,
    LeaderStream, Sizer, SizerParams, Store, WriterDeath,
};

/// The owner changed his settings: every actor is told, and every later life of one is made with them.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct NewSettings {
    /// For each follower.
    pub followers: Vec<Reload>,
    /// For the Sizer, one for each follower in the order they had.
    pub policies: Vec<FollowerPolicy>,
}

impl Handler<NewSettings> for Supervisor<House> {
    type Result = ();

    fn handle(&mut self, new: NewSettings, _: &mut Self::Context) {
        self.house.take_settings(new);
    }
}

/// The recipes of all actors, and the addresses of their present lives.
pub struct House {
    /// The arbiter that serves the sockets; all but the Supervisor live on it.
    arbiter: ArbiterHandle,
    store: StoreHandle,
    writer_death: WriterDeath,
    breakers: Vec<BreakerParams>,
    followers: Vec<FollowerParams>,
    sizer: SizerParams,
    leader: LeaderParams,
    /// Where the present addresses stand for those who are no actors.
    directory: Directory,
    present: Present,
}

#[derive(Default)]
struct Present {
    breakers: BTreeMap<FollowerId, Mailbox<CircuitBreaker>>,
    followers: BTreeMap<FollowerId, Mailbox<FollowerOrderActor>>,
    sizer: Option<Mailbox<Sizer>>,
    leader: Option<Mailbox<LeaderStream>>,
}

impl House {
    /// A house whose actors will live on `arbiter`.
    pub fn new(
        arbiter: ArbiterHandle,
        store: StoreHandle,
        writer_death: WriterDeath,
        breakers: Vec<BreakerParams>,
        followers: Vec<FollowerParams>,
        sizer: SizerParams,
        leader: LeaderParams,
    ) -> Self {
        let (directory, present) = (Directory::default(), Present::default());
        Self { arbiter, store, writer_death, breakers, followers, sizer, leader, directory, present }
    }

    /// Publishes the present addresses there, too.
    #[must_use]
    pub fn publishing_to(self, directory: Directory) -> Self {
        Self { directory, ..self }
    }

    fn start_one<A>(
        &self,
        birth: &Birth,
        make: impl FnOnce(&mut Context<A>) -> A + Send + 'static,
    ) -> (Recipient<Ping>, Mailbox<A>)
    where
        A: Actor<Context = Context<A>> + actix::Handler<Ping>,
    {
        let address: Addr<A> = A::start_in_arbiter(&self.arbiter, make);
        (address.clone().recipient(), Mailbox::new(address, birth.depth.clone()))
    }

    /// The Sizer last: what it says by the new policies meets followers that go by the new settings.
    fn take_settings(&mut self, NewSettings { followers, policies }: NewSettings) {
        for reload in followers {
            let id = reload.settings.rules.follower.clone();
            let mine = self.followers.iter_mut().find(|params| params.settings.rules.follower == id);
            let Some(params) = mine else { continue };
            params.settings = (*reload.settings).clone();
            params.amo_time = reload.amo_time;
            params.polls = reload.polls;
            if let Some(actor) = self.present.followers.get(&id) {
                actor.tell(reload);
            }
        }
        self.sizer.followers.clone_from(&policies);
        if let Some(sizer) = &self.present.sizer {
            sizer.tell(ReloadPolicies(policies));
        }
    }

    fn addresses(&self) -> Option<Addresses> {
        let followers = self
            .followers
            .iter()
            .map(|params| {
                let id = params.settings.rules.follower.clone();
                Some(FollowerAddresses {
                    orders: self.present.followers.get(&id)?.clone(),
                    breaker: self.present.breakers.get(&id)?.clone(),
                    id,
                })
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Addresses {
            leader: self.present.leader.clone()?,
            sizer: self.present.sizer.clone()?,
            followers,
        })
    }
}

impl Household for House {
    /// Source last: nobody sends to an address that is not there yet.
    fn actors(&self) -> Vec<ActorName> {
        let ids = || self.followers.iter().map(|params| params.settings.rules.follower.clone());
        std::iter::once(ActorName::Store)
            .chain(ids().map(ActorName::Breaker))
            .chain(ids().map(ActorName::Follower))
            .chain([ActorName::Sizer, ActorName::LeaderStream])
            .collect()
    }

    /// What an abandoned life still holds in hand may not leave any more.
    fn fence(&self, actor: &ActorName, generation: u32) {
        let fence = match actor {
            ActorName::Store => None,
            ActorName::Breaker(id) => {
                self.breakers.iter().find(|params| params.follower == *id).map(|params| &params.fence)
            }
            ActorName::Follower(id) => {
                let mut all = self.followers.iter();
                all.find(|params| params.settings.rules.follower == *id).map(|params| &params.fence)
            }
            ActorName::Sizer => Some(&self.sizer.fence),
            ActorName::LeaderStream => Some(&self.leader.fence),
        };
        if let Some(fence) = fence {
            fence.store(generation, Ordering::Release);
        }
    }

    fn start(&mut self, birth: Birth) -> Option<Recipient<Ping>> {
        self.fence(&birth.actor, birth.generation);
        let vitals = birth.vitals();
        let ping = match birth.actor.clone() {
            ActorName::Store => {
                let (handle, death) = (self.store.clone(), Arc::clone(&self.writer_death));
                self.start_one(&birth, move |_| Store::new(handle, death, vitals)).0
            }
            ActorName::Breaker(id) => {
                let params = self.breakers.iter().find(|params| params.follower == id).cloned()?;
                let is_first = !self.present.breakers.contains_key(&id);
                let begin = if is_first { CircuitBreaker::new } else { CircuitBreaker::anew };
                let (ping, mailbox) = self.start_one(&birth, move |_| begin(params, vitals));
                self.present.breakers.insert(id, mailbox);
                ping
            }
            ActorName::Follower(id) => {
                let params =
                    self.followers.iter().find(|params| params.settings.rules.follower == id).cloned()?;
                let (ping, mailbox) =
                    self.start_one(&birth, move |_| FollowerOrderActor::new(params, vitals));
                self.present.followers.insert(id, mailbox);
                ping
            }
            ActorName::Sizer => {
                let params = self.sizer.clone();
                let (ping, mailbox) = self.start_one(&birth, move |_| Sizer::new(params, vitals));
                self.present.sizer = Some(mailbox);
                ping
            }
            ActorName::LeaderStream => {
                let params = self.leader.clone();
                let (ping, mailbox) = self.start_one(&birth, move |_| LeaderStream::new(params, vitals));
                self.present.leader = Some(mailbox);
                ping
            }
        };
        Some(ping)
    }

    /// What the leader has taken back meanwhile nobody would hear; and what a breaker does not say any more may be that it is
    /// open.
    fn tell_of_loss(&self, actor: &ActorName) {
        match actor {
            ActorName::Sizer | ActorName::LeaderStream => {
                let underway = Arc::new(self.leader.in_flight.begin());
                for follower in self.present.followers.values() {
                    follower.tell(LeaderHeard { is_heard: false, underway: Arc::clone(&underway) });
                }
            }
            ActorName::Breaker(id) => {
                if let Some(follower) = self.present.followers.get(id) {
                    follower.tell(BreakerIs { open: true });
                }
            }
            ActorName::Store | ActorName::Follower(_) => {}
        }
    }

    /// Of the chain only the last link ever goes with another: nobody stands on what the leader's stream is told.
    fn retire(&self, actor: &ActorName) {
        if let (ActorName::LeaderStream, Some(leader)) = (actor, &self.present.leader) {
            leader.tell(Retire);
        }
    }

    fn link(&self) {
        let Some(addresses) = self.addresses().map(Arc::new) else { return };
        self.directory.publish(Arc::clone(&addresses));
        // The leader before the sizer, the sizer before the followers: each can answer what the next one asks. The followers before
        // the breakers: what a breaker's probe comes to is told to the breaker that asked for it.
        addresses.leader.tell(Link(Arc::clone(&addresses)));
        addresses.sizer.tell(Link(Arc::clone(&addresses)));
        for follower in self.present.followers.values() {
            follower.tell(Link(Arc::clone(&addresses)));
        }
        for breaker in self.present.breakers.values() {
            breaker.tell(Link(Arc::clone(&addresses)));
        }
    }

    fn drain(&self) {
        if let Some(leader) = &self.present.leader {
            leader.tell(Drain);
        }
        for follower in self.present.followers.values() {
            follower.tell(Drain);
        }
    }
}
