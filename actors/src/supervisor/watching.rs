//! Who hangs, and who is told more than it can do: each actor is asked at intervals.

use std::time::Instant;

use actix::{ActorFutureExt, AsyncContext, Context};
use tracing::{error, warn};

use super::{Household, Supervisor};
use crate::vitals::Ping;
use crate::watch::ABSENCE_MIN;

/// How an actor ended that does not answer.
pub(super) const HUNG: &str = "hung";

/// How an actor ended that is told more than it can do.
const OVERFULL: &str = "overfull";

/// How many messages may wait for one actor. A busy day has a few thousand orders in all: who is so far behind does not
/// catch up, and rows tell the next life in one look what these would have told one by one (P24).
pub(super) const MAILBOX_MAX: i64 = 100_000;

impl<H: Household + Unpin> Supervisor<H> {
    /// Asks each actor whether it lives, and gives up who has not answered for too long.
    pub(super) fn ping_all(&mut self, ctx: &mut Context<Self>) {
        self.excuse_unwatched();
        let mut given_up = Vec::new();
        for (at, child) in self.children.iter_mut().enumerate() {
            let Some(ping) = child.ping.clone() else { continue };
            if child.depth.waiting() > MAILBOX_MAX {
                given_up.push((at, OVERFULL));
                continue;
            }
            if child.asked {
                // A long queue before the question is work, not a hang.
                if child.depth.progress() != child.progress {
                    child.seen_alive();
                }
                if child.alive.elapsed() > self.params.hang_deadline {
                    given_up.push((at, HUNG));
                }
                continue;
            }
            child.asked = true;
            child.seen_alive();
            let generation = child.generation;
            let asking = async move { ping.send(Ping).await };
            ctx.spawn(actix::fut::wrap_future::<_, Self>(asking).map(move |health, supervisor, _| {
                let Some(child) = supervisor.children.get_mut(at) else { return };
                // An answer of a life that was given up counts for nothing.
                if let (Ok(health), true) = (health, child.generation == generation) {
                    child.seen_alive();
                    child.asked = false;
                    child.health = Some(health);
                }
            }));
        }
        for (at, how) in given_up {
            if self.state.is_ending() {
                return;
            }
            self.give_up(at, how, ctx);
        }
        self.judge_state();
    }

    /// Counts the time in which this supervisor did not run against nobody: what kept it may have kept them.
    fn excuse_unwatched(&mut self) {
        let now = Instant::now();
        let unwatched = self.watch.look(now, self.params.ping_interval);
        if unwatched > ABSENCE_MIN {
            warn!(
                unwatched_ms = u64::try_from(unwatched.as_millis()).unwrap_or(u64::MAX),
                "the process stood still: a busy or a suspended machine"
            );
        }
        for child in &mut self.children {
            child.alive = now.min(child.alive + unwatched);
        }
    }

    fn give_up(&mut self, at: usize, how: &'static str, ctx: &mut Context<Self>) {
        let Some(child) = self.children.get_mut(at) else { return };
        let silent_ms = u64::try_from(child.alive.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (actor, generation, waiting) = (&child.name, child.generation, child.depth.waiting());
        if how == HUNG {
            error!(%actor, generation, silent_ms, "actor hangs: given up and fenced");
        } else {
            error!(%actor, generation, waiting, "actor is told more than it can do: given up and fenced");
        }
        self.bury(at, how, ctx);
    }
}
