//! Fault points: places where a test may end the process, kill an actor, or stop it. Only in builds with the feature
//! `faults`; an ordinary build contains neither this module nor any of its calls.
//!
//! Each boundary between an effect and the next has a name ([`FaultPoint`]): what a crash leaves there is what the next
//! start must recover from. Which of them fires, how, and at which time it is reached is said by [`VARIABLE`]:
//! `after_sending_commit=abort@3` ends the process the third time, `sizer_told=panic` panics the first time,
//! `follower_started=panic@1+` every time, and `sizer_told=hang:3000` lets the actor go on after three seconds; several are
//! separated by commas. `docs/faults.md` lists the points.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, Context};
use thiserror::Error;
use tracing::warn;

use crate::store::{IntentKind, Job, Write};
use tandem_domain::mirror::IntentState;

/// The environment variable that says which points fire.
pub const VARIABLE: &str = "TANDEM_FAULT";

/// What is logged when a hang is over.
pub const LETS_GO: &str = "fault point lets go";

/// How long a request is on the wire without an answer before [`FaultPoint::RequestOnWire`] is reached.
const ON_WIRE_AFTER: Duration = Duration::from_millis(20);

/// Declares the points, each with its name and what stands when it is reached.
macro_rules! fault_points {
    ($($(#[doc = $meaning:literal])+ $point:ident = $name:literal,)+) => {
        /// A boundary between two effects.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum FaultPoint {
            $($(#[doc = $meaning])+ $point,)+
        }

        impl FaultPoint {
            /// All of them, in the order in which a day passes them.
            pub const ALL: &[Self] = &[$(Self::$point,)+];

            /// Its name in [`VARIABLE`] and in the docs.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$point => $name,)+ }
            }
        }

        static REACHED: [AtomicU32; FaultPoint::ALL.len()] = [const { AtomicU32::new(0) }; FaultPoint::ALL.len()];
    };
}

fault_points! {
    /// Start-up: the database's lock is held, and nothing else is done.
    StoreLocked = "store_locked",
    /// Start-up: the database was found whole; it is not migrated yet.
    StoreChecked = "store_checked",
    /// Start-up: the schema is this program's; the writer's epoch is not taken yet.
    StoreMigrated = "store_migrated",
    /// Start-up: the writer owns the database.
    StoreOpened = "store_opened",
    /// Start-up: clock, operators' socket, instruments and calendar are there; no actor is.
    GroundLaid = "ground_laid",
    /// A breaker's life begins.
    BreakerStarted = "breaker_started",
    /// A follower's life begins: nothing is read.
    FollowerStarted = "follower_started",
    /// The sizer's life begins.
    SizerStarted = "sizer_started",
    /// The leader stream's life begins.
    LeaderStarted = "leader_started",
    /// Recovery: the rows of the day are read, and nothing is made of them.
    FollowerLoaded = "follower_loaded",
    /// Recovery: the book stands as the rows tell; the broker was not asked yet.
    FollowerRestored = "follower_restored",
    /// Reconciling: a follower's order book is read, and nothing is made of it.
    FollowerBookRead = "follower_book_read",
    /// Reconciling: a follower's positions are read, and nothing is made of them.
    FollowerPositionsRead = "follower_positions_read",
    /// The leader's stream is logged in: nothing is read.
    LeaderLoggedIn = "leader_logged_in",
    /// The leader's order book is read, and nothing is merged.
    LeaderBookRead = "leader_book_read",
    /// The leader's book is merged and told on; the buffered frames are not.
    LeaderMerged = "leader_merged",
    /// A frame of the leader's is received, and nothing is known of it.
    LeaderFrameReceived = "leader_frame_received",
    /// The sizer has a state of a leader order, and no follower has.
    SizerTold = "sizer_told",
    /// A follower has a plan, and nothing is recorded.
    FollowerPlanned = "follower_planned",
    /// Rows with a leader event are about to be committed.
    BeforeLeaderEventCommit = "before_leader_event_commit",
    /// They are durable, and nobody knows.
    AfterLeaderEventCommit = "after_leader_event_commit",
    /// Rows with an intent that waits (PLANNED) are about to be committed.
    BeforePlannedCommit = "before_planned_commit",
    /// They are durable, and nobody knows.
    AfterPlannedCommit = "after_planned_commit",
    /// Rows with a placing that may leave (SENDING) are about to be committed.
    BeforeSendingCommit = "before_sending_commit",
    /// They are durable, and nothing has left.
    AfterSendingCommit = "after_sending_commit",
    /// Rows with a change of an order are about to be committed.
    BeforeChangeCommit = "before_change_commit",
    /// They are durable, and nothing has left.
    AfterChangeCommit = "after_change_commit",
    /// Rows with a cancel are about to be committed.
    BeforeCancelCommit = "before_cancel_commit",
    /// They are durable, and nothing has left.
    AfterCancelCommit = "after_cancel_commit",
    /// A request of any kind is durable and about to leave.
    BeforeRequest = "before_request",
    /// A request is on the wire and not answered.
    RequestOnWire = "request_on_wire",
    /// An answer is here, and nothing of it is recorded.
    AfterAnswer = "after_answer",
    /// Rows with what became of a request are about to be committed.
    BeforeAnswerCommit = "before_answer_commit",
    /// They are durable, and nobody knows.
    AfterAnswerCommit = "after_answer_commit",
    /// The breaker hears how a call went.
    BreakerTold = "breaker_told",
    /// A frame with a fill of a copy is here, and nothing of it is recorded.
    FillReceived = "fill_received",
    /// Rows with a fill are about to be committed.
    BeforeFillCommit = "before_fill_commit",
    /// They are durable, and nobody knows.
    AfterFillCommit = "after_fill_commit",
    /// An operator's halt has shut the doors, and is not recorded.
    HaltDoorsShut = "halt_doors_shut",
    /// Rows with a trading state are about to be committed.
    BeforeTradingCommit = "before_trading_commit",
    /// They are durable, and the operator does not know.
    AfterTradingCommit = "after_trading_commit",
    /// The operator has the answer.
    HaltAcknowledged = "halt_acknowledged",
    /// The store's keeper looks after the writer.
    StoreWatched = "store_watched",
    /// A new trading day: what waits is carried into it, and nothing of it was read yet.
    DayTurned = "day_turned",
}

impl FaultPoint {
    /// Whether it is one side of a commit.
    fn is_at_a_commit(self) -> bool {
        self.name().ends_with("_commit")
    }
}

impl fmt::Display for FaultPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The process ends there and then, as by `kill -9`: nothing is flushed, dropped or told.
    Abort,
    /// The thread panics: the actor whose turn it is dies.
    Panic,
    /// The actor awaits what never comes; its thread and the actors beside it go on. Outside an actor, [`Self::Block`].
    Hang,
    /// The actor awaits what comes after so long, in real time, and goes on as if nothing had been. Outside an actor the
    /// thread stops for as long.
    HangFor(Duration),
    /// The thread stops for ever, and with it every actor that lives on it.
    Block,
    /// The disk fails: the commit is answered by the error of a sync that failed. At commits alone.
    Fail,
}

/// A point that fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub point: FaultPoint,
    /// How.
    pub kind: FaultKind,
    /// The time of reaching it at which it fires, from 1.
    pub at: u32,
    /// Whether it fires at every later time, too.
    pub ever_after: bool,
}

/// A text that names no fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{VARIABLE}: {0:?} is no fault: write POINT=KIND@N, with abort, panic, hang, hang:MILLISECONDS, block or, at a commit, \
     fail, and N+ for from then on"
)]
pub struct FaultError(String);

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let parse = || {
            let (point, rest) = text.trim().split_once('=')?;
            let (kind, times) = rest.split_once('@').unwrap_or((rest, "1"));
            let (at, ever_after) = times.strip_suffix('+').map_or((times, false), |at| (at, true));
            let kind = match kind {
                "abort" => FaultKind::Abort,
                "panic" => FaultKind::Panic,
                "hang" => FaultKind::Hang,
                "block" => FaultKind::Block,
                "fail" => FaultKind::Fail,
                _ => FaultKind::HangFor(Duration::from_millis(kind.strip_prefix("hang:")?.parse().ok()?)),
            };
            let point = FaultPoint::ALL.iter().copied().find(|known| known.name() == point)?;
            if kind == FaultKind::Fail && !point.is_at_a_commit() {
                return None;
            }
            let at = at.parse().ok().filter(|at| *at > 0)?;
            Some(Self { point, kind, at, ever_after })
        };
        parse().ok_or_else(|| FaultError(text.to_owned()))
    }
}

static ARMED: OnceLock<Vec<Fault>> = OnceLock::new();

/// Arms what `text` says, for the rest of the process. Only the first call counts.
pub fn arm(text: &str) -> Result<(), FaultError> {
    let faults = text.split(',').filter(|fault| !fault.trim().is_empty()).map(str::parse);
    let faults = faults.collect::<Result<Vec<Fault>, FaultError>>()?;
    ARMED.get_or_init(|| faults);
    Ok(())
}

/// Arms what [`VARIABLE`] says; nothing where it is not set.
pub fn arm_from_environment() -> Result<(), FaultError> {
    std::env::var(VARIABLE).map_or(Ok(()), |text| arm(&text))
}

/// What fires at this reaching of a point, if anything does.
fn due(point: FaultPoint) -> Option<FaultKind> {
    let times = REACHED[point as usize].fetch_add(1, Ordering::Relaxed) + 1;
    let armed = ARMED.get()?.iter();
    let due = armed
        .filter(|fault| fault.point == point)
        .find(|fault| times == fault.at || (fault.ever_after && times > fault.at))?;
    warn!(%point, times, kind = ?due.kind, "fault point fires");
    Some(due.kind)
}

/// A point outside any actor is reached.
pub fn reach(point: FaultPoint) {
    if let Some(kind) = due(point) {
        fire(point, kind);
    }
}

/// A point in an actor is reached: a hang is the actor's alone.
pub fn reach_in<A: Actor<Context = Context<A>>>(point: FaultPoint, ctx: &mut Context<A>) {
    match due(point) {
        Some(FaultKind::Hang) => ctx.wait(actix::fut::wrap_future(std::future::pending::<()>())),
        Some(FaultKind::HangFor(span)) => ctx.wait(actix::fut::wrap_future(async move {
            tokio::time::sleep(span).await;
            warn!(%point, "{LETS_GO}");
        })),
        Some(kind) => fire(point, kind),
        None => {}
    }
}

fn fire(point: FaultPoint, kind: FaultKind) {
    match kind {
        FaultKind::Abort => std::process::abort(),
        // Only a commit can fail otherwise.
        FaultKind::Panic | FaultKind::Fail => panic!("fault point {point}"),
        FaultKind::Hang | FaultKind::Block => loop {
            std::thread::park();
        },
        FaultKind::HangFor(span) => {
            let until = Instant::now() + span;
            while let Some(rest) = until.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero())
            {
                std::thread::park_timeout(rest);
            }
            warn!(%point, "{LETS_GO}");
        }
    }
}

/// Awaits an answer; reaches [`FaultPoint::RequestOnWire`] when it is late.
pub async fn watch_wire<T>(answer: impl Future<Output = T>) -> T {
    let mut answer = std::pin::pin!(answer);
    if let Ok(answer) = tokio::time::timeout(ON_WIRE_AFTER, &mut answer).await {
        return answer;
    }
    reach(FaultPoint::RequestOnWire);
    answer.await
}

/// On which side of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Everything is written, nothing is durable.
    Before,
    /// Everything is durable, nobody knows.
    After,
}

/// The points of a transaction over these jobs, each once. An error is what a disk says that fails to sync: before the
/// commit nothing is durable, after it everything is, and who hears the error cannot know.
pub fn reach_commit(moment: Moment, jobs: &[Job]) -> Result<(), rusqlite::Error> {
    let mut points: Vec<FaultPoint> =
        jobs.iter().flat_map(|job| &job.writes).filter_map(|write| point_of(moment, write)).collect();
    points.sort_unstable();
    points.dedup();
    for point in points {
        match due(point) {
            Some(FaultKind::Fail) => return Err(failed_sync()),
            Some(kind) => fire(point, kind),
            None => {}
        }
    }
    Ok(())
}

fn failed_sync() -> rusqlite::Error {
    let failure = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC);
    rusqlite::Error::SqliteFailure(failure, Some("disk I/O error: fsync".to_owned()))
}

const fn point_of(moment: Moment, write: &Write) -> Option<FaultPoint> {
    use FaultPoint as Point;
    let (before, after) = match write {
        Write::LeaderEvent(_) => (Point::BeforeLeaderEventCommit, Point::AfterLeaderEventCommit),
        Write::Intent(row) => match (row.kind, row.state) {
            (_, IntentState::Planned) => (Point::BeforePlannedCommit, Point::AfterPlannedCommit),
            (kind, _) => leaving(kind),
        },
        Write::IntentChange(change) => match change.state {
            IntentState::Planned => return None,
            IntentState::Sending => leaving(change.kind),
            _ => (Point::BeforeAnswerCommit, Point::AfterAnswerCommit),
        },
        Write::Trade { .. } => (Point::BeforeFillCommit, Point::AfterFillCommit),
        Write::AccountOrder(order) if !order.report.cumulative.is_zero() => {
            (Point::BeforeFillCommit, Point::AfterFillCommit)
        }
        Write::Trading(_) => (Point::BeforeTradingCommit, Point::AfterTradingCommit),
        _ => return None,
    };
    Some(match moment {
        Moment::Before => before,
        Moment::After => after,
    })
}

/// The points of a request that may leave.
const fn leaving(kind: IntentKind) -> (FaultPoint, FaultPoint) {
    match kind {
        IntentKind::Place => (FaultPoint::BeforeSendingCommit, FaultPoint::AfterSendingCommit),
        IntentKind::Modify => (FaultPoint::BeforeChangeCommit, FaultPoint::AfterChangeCommit),
        IntentKind::Cancel => (FaultPoint::BeforeCancelCommit, FaultPoint::AfterCancelCommit),
    }
}
