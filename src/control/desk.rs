//! What is done with a command: shut the doors, tell the actors, record where they do not answer, say what is durable.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use futures_util::future::join_all;
use tandem_actors::clock::Clock;
use tandem_actors::in_flight::InFlight;
use tandem_actors::messages::{ControlSaid, Directory, Newest, TradingNow};
use tandem_actors::store::{IncidentSettled, Reader, StoreHandle};
use tandem_actors::trading_fence::TradingFence;
use tandem_domain::ids::FollowerId;
use tandem_domain::trading::{Control, Trading, TradingState};
use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout;
use tracing::{info, warn};

use super::protocol::{Command, IncidentNow, RefusedReason, Request, Response, Standing};
use super::rows;

/// How long a follower's actor has to take a command in and record it: a commit takes milliseconds, a queue before it
/// perhaps a second. Longer than this and it is recorded without the actor.
pub const ACTOR_DEADLINE: Duration = Duration::from_secs(2);
/// How long an actor that died is left before it is told again what it has not answered.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// What the desk stands on.
#[derive(Debug, Clone)]
pub struct DeskParams {
    /// The followers of this daemon, each with the door before its wire.
    pub followers: Vec<(FollowerId, TradingFence)>,
    /// Where their actors are.
    pub directory: Directory,
    /// Where a state is recorded when an actor does not answer.
    pub store: StoreHandle,
    /// Where a state is read when an actor does not answer.
    pub reader: Reader,
    /// The clock of the records.
    pub clock: Clock,
    /// Counts what is under way.
    pub in_flight: InFlight,
    /// How long an actor may take to answer: [`ACTOR_DEADLINE`].
    pub actor_deadline: Duration,
}

/// Takes commands. Shared by all peers.
#[derive(Debug)]
pub struct Desk {
    params: DeskParams,
    posts: Vec<Arc<Post>>,
}

/// One follower, as seen from here.
#[derive(Debug)]
struct Post {
    follower: FollowerId,
    fence: TradingFence,
    /// The number of the newest command; what an older one still has in hand comes to nothing.
    newest: Arc<AtomicU64>,
    /// Held by whoever records past the actor, and taken by a resume before it tells the actor: the older state must not
    /// be written over the newer one.
    recording: Mutex<()>,
}

/// A command given to one follower.
#[derive(Debug, Clone)]
struct Errand {
    post: Arc<Post>,
    control: Control,
    newest: Newest,
}

impl Post {
    /// From here on nothing leaves that the command forbids, whatever becomes of it.
    fn begin(self: &Arc<Self>, control: Control) -> Errand {
        // The number before the door: a resume that is just opening sees one or the other.
        let newest = Newest::next(&self.newest);
        match control {
            Control::Reduce(_) => self.fence.shut(TradingState::Reducing),
            Control::Halt { .. } | Control::SquareOff(_) => self.fence.shut(TradingState::Halted),
            Control::Resume => {}
        }
        Errand { post: Arc::clone(self), control, newest }
    }

    fn standing(&self, trading: Trading) -> Standing {
        let standing = Standing::recorded(self.follower.clone(), trading);
        // The door may be shut already, or still, when the record says otherwise.
        Standing { state: standing.state.max(self.fence.state()), ..standing }
    }

    fn standing_of(&self, now: &TradingNow) -> Standing {
        Standing {
            recorded: now.recorded.is_ok(),
            problem: now.recorded.as_ref().err().map(ToString::to_string),
            cancelling: u64::try_from(now.cancelling).ok(),
            units_to_close: Some(now.units_to_close),
            ..self.standing(now.trading)
        }
    }
}

impl Errand {
    fn is_overtaken(&self) -> bool {
        self.newest.is_overtaken()
    }
}

impl Desk {
    /// A desk for these followers.
    pub fn new(params: DeskParams) -> Self {
        let post = |(follower, fence): &(FollowerId, TradingFence)| {
            Arc::new(Post {
                follower: follower.clone(),
                fence: fence.clone(),
                newest: Arc::default(),
                recording: Mutex::new(()),
            })
        };
        Self { posts: params.followers.iter().map(post).collect(), params }
    }

    /// Does what is asked, within a few seconds whatever is broken, and says how the followers stand.
    pub async fn answer(self: &Arc<Self>, request: Request) -> Response {
        if let Command::CloseIncidents { ids, note } = request.command {
            return self.close_incidents(ids, note).await;
        }
        let meant = |post: &&Arc<Post>| request.follower.as_ref().is_none_or(|id| *id == post.follower);
        let posts: Vec<Arc<Post>> = self.posts.iter().filter(meant).cloned().collect();
        if let (true, Some(unknown)) = (posts.is_empty(), &request.follower) {
            let known: Vec<&str> = self.posts.iter().map(|post| post.follower.as_str()).collect();
            let text = format!("there is no follower {unknown}; there are: {}", known.join(", "));
            return Response::refused(RefusedReason::UnknownFollower, text);
        }
        let Some(control) = request.command.control() else {
            return Response::followers(join_all(posts.iter().map(|post| self.look(post))).await);
        };
        // All doors before the first wait.
        let errands: Vec<Errand> = posts.iter().map(|post| post.begin(control)).collect();
        tandem_actors::fault_point!(HaltDoorsShut);
        let standings = join_all(errands.into_iter().map(|errand| self.carry_out(errand))).await;
        log(&request.command, &standings);
        Response::followers(standings)
    }

    /// Each by itself: one that is still so keeps no other open.
    async fn close_incidents(&self, ids: Vec<Arc<str>>, note: Arc<str>) -> Response {
        let at = self.params.clock.now();
        let close = |id: Arc<str>| {
            let row = IncidentSettled { id, note: Arc::clone(&note), actor: rows::OPERATOR.into(), at };
            rows::settle(&self.params.store, row)
        };
        let incidents = join_all(ids.into_iter().map(close)).await;
        for IncidentNow { id, problem, .. } in &incidents {
            info!(incident = &**id, problem, "operator has looked at an incident");
        }
        Response::incidents(incidents)
    }

    async fn carry_out(self: &Arc<Self>, errand: Errand) -> Standing {
        let telling = tokio::spawn(Arc::clone(self).tell(errand.clone()));
        match timeout(self.params.actor_deadline, telling).await {
            Ok(Ok(Some(now))) => errand.post.standing_of(&now),
            // The task goes on: an actor that comes back is told all the same.
            Ok(Ok(None) | Err(_)) | Err(_) => self.carry_out_alone(&errand).await,
        }
    }

    /// Tells the follower's actor, and its next life if this one dies of it, until it has answered. None when a newer
    /// command took this one's place.
    async fn tell(self: Arc<Self>, errand: Errand) -> Option<TradingNow> {
        if errand.control == Control::Resume {
            drop(errand.post.recording.lock().await);
        }
        let mut control = Some(errand.control);
        while !errand.is_overtaken() {
            let mark = errand.post.fence.mark();
            let Some(now) = self.ask(&errand.post, control, Some(&errand.newest)).await else {
                tokio::time::sleep(RETRY_PAUSE).await;
                continue;
            };
            let opens = errand.control == Control::Resume
                && now.recorded.is_ok()
                && now.trading.state == TradingState::Active;
            if !opens || (!errand.is_overtaken() && errand.post.fence.open(mark)) {
                return Some(now);
            }
            // It resumed, and the door was shut meanwhile: by the actor itself as it loaded its rows, or by a limit that
            // was reached since. It is not told to resume again, only asked which of the two it was.
            control = None;
        }
        None
    }

    /// None when there is no actor, or it died before it answered.
    async fn ask(
        &self,
        post: &Post,
        control: Option<Control>,
        newest: Option<&Newest>,
    ) -> Option<TradingNow> {
        let actor = self.params.directory.orders_of(&post.follower)?;
        let (reply, answer) = oneshot::channel();
        let underway = self.params.in_flight.begin();
        actor.tell(ControlSaid { control, newest: newest.cloned(), reply, underway });
        answer.await.ok()
    }

    /// The actor did not answer. What stops is recorded from here; what resumes waits for the actor: an account is not
    /// opened past the one who knows it.
    async fn carry_out_alone(&self, errand: &Errand) -> Standing {
        let post = &errand.post;
        let _recording = post.recording.lock().await;
        let before = rows::recorded(&self.params.reader, &post.follower).await;
        let trading = *before.as_ref().unwrap_or(&Trading::ACTIVE);
        let unrecorded =
            |trading, problem| Standing { recorded: false, problem: Some(problem), ..post.standing(trading) };
        if errand.is_overtaken() {
            return unrecorded(trading, "another command took this one's place".to_owned());
        }
        if errand.control == Control::Resume {
            let problem =
                "its actor does not answer: it resumes when it does, or say it again after a restart";
            return unrecorded(trading, problem.to_owned());
        }
        let now = self.params.clock.now();
        let after = trading.after(errand.control, now);
        match rows::record(&self.params.store, &post.follower, after, now).await {
            Ok(()) => Standing {
                problem: Some(
                    "its actor does not answer: nothing more is opened, but what works may go on working"
                        .to_owned(),
                ),
                ..post.standing(after)
            },
            Err(why) => {
                unrecorded(after, format!("its actor does not answer, and its row was not written: {why}"))
            }
        }
    }

    /// How a follower stands: by its actor's word, or by the record.
    async fn look(&self, post: &Post) -> Standing {
        let asking = async {
            loop {
                match self.ask(post, None, None).await {
                    Some(now) => break now,
                    None => tokio::time::sleep(RETRY_PAUSE).await,
                }
            }
        };
        if let Ok(now) = timeout(self.params.actor_deadline, asking).await {
            return post.standing_of(&now);
        }
        match rows::recorded(&self.params.reader, &post.follower).await {
            Ok(trading) => Standing {
                problem: Some("its actor does not answer: this is what is on record".to_owned()),
                ..post.standing(trading)
            },
            Err(why) => Standing {
                recorded: false,
                problem: Some(format!("its actor does not answer, and its row cannot be read: {why}")),
                ..post.standing(Trading::ACTIVE)
            },
        }
    }
}

fn log(command: &Command, standings: &[Standing]) {
    for Standing { follower, state, recorded, problem, .. } in standings {
        match problem {
            None => {
                info!(%follower, ?command, state = state.as_str(), recorded, "operator's command carried out");
            }
            Some(problem) => {
                warn!(%follower, ?command, state = state.as_str(), recorded, problem, "operator's command in trouble");
            }
        }
    }
}
