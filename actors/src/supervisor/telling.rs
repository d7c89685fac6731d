//! What a person is told: that a follower's actor stays down, and what the process ended for.

use tandem_domain::ids::FollowerId;

use super::reporting::writer;
use super::{Household, Supervisor};
use crate::alerts::{self, AlertText};
use crate::store::Write;
use crate::vitals::ActorName;

/// The kind of the incident of a follower whose actor stays down.
pub(super) const FOLLOWER_DOWN: &str = "follower_down";

/// The same of a follower's breaker.
const BREAKER_DOWN: &str = "breaker_down";

/// The kind of the incident of a thread that hangs with all actors on it.
pub(super) const BLOCKED: &str = "thread_blocked";

/// The kind of the incident of an actor whose failures ended the process.
pub(super) const HALTED: &str = "halted_by_supervisor";

impl<H: Household + Unpin> Supervisor<H> {
    /// What is without a follower's actor from now on.
    pub(super) fn tell_of_down(&self, name: &ActorName, generation: u32) {
        let (kind, without) = match name {
            ActorName::Breaker(_) => {
                (BREAKER_DOWN, "no entry is copied to this follower; exits and cancels go on")
            }
            _ => (FOLLOWER_DOWN, "nothing is copied to this follower, exits included; look at its account"),
        };
        let text = format!(
            "{name} failed too often (in its life {generation}) and stays down until a restart of tandem: {without}"
        );
        let alert = AlertText { kind, subject: name.to_string(), text };
        self.tell(alert, name.follower());
    }

    /// What the process ended for, for whoever looks at its database after it (P26).
    pub(super) fn tell_of_halt(&self, name: &ActorName, generation: u32) {
        let text = format!(
            "{name} failed too often (in its life {generation}): tandem has ended, and nothing of the leader's is followed, \
             exits included; find the cause in the log, start it again, and look at the accounts meanwhile"
        );
        let alert = AlertText { kind: HALTED, subject: name.to_string(), text };
        self.tell(alert, None);
    }

    /// The same of a thread that does nothing any more: whoever blocks it, all actors look alike.
    pub(super) fn tell_of_block(&self) {
        let text = format!(
            "nothing on the thread of all actors has answered for {} s: tandem has ended, and nothing of the leader's is \
             followed, exits included; find in the log what was done last, start it again, and look at the accounts meanwhile",
            self.params.hang_deadline.as_secs_f32()
        );
        self.tell(AlertText { kind: BLOCKED, subject: "actors".to_owned(), text }, None);
    }

    fn tell(&self, alert: AlertText, follower: Option<&FollowerId>) {
        let row = alert.row(follower, self.params.clock.now());
        alerts::record(&self.params.store, writer(), vec![Write::IncidentOpen(row)]);
    }
}
