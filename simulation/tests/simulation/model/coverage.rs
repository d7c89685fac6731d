//! What has happened, counted: days that come to nothing prove nothing.

use std::collections::BTreeMap;

use tandem_actors::store::{IntentKind, predecessors};

use super::keeping::Boundary;
use crate::follower::{Alert, Record};
use crate::gap::GapKind;
use crate::gates::DeniedReason;
use crate::mirror::{IntentState, Outcome};
use crate::trading::TradingState;

/// How often each thing has happened, in words.
#[derive(Debug, Default)]
pub(super) struct Coverage(pub(super) BTreeMap<String, u64>);

impl Coverage {
    pub(super) fn count(&mut self, what: String) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(super) fn add(&mut self, other: Self) {
        for (what, times) in other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }

    pub(super) fn death(&mut self, about: &str, at: Boundary) {
        self.count(format!("death: {about}, {at:?}"));
    }

    pub(super) fn alert(&mut self, alert: &Alert) {
        let words = format!("{alert:?}");
        let name = words.split(['(', ' ']).next().unwrap_or_default();
        self.count(format!("alert: {name}"));
    }

    pub(super) fn record(&mut self, record: &Record) {
        match record {
            Record::Intent { child, before, .. } => {
                let before = before.map_or("new".to_owned(), |before| format!("{before:?}"));
                self.count(format!("placing: {before} to {:?}", child.intent_state()));
            }
            Record::Change { change, .. } => {
                let kind = if change.is_cancel { "cancel" } else { "change" };
                let before = change.before.map_or("new".to_owned(), |before| format!("{before:?}"));
                self.count(format!("{kind}: {before} to {:?}", change.state));
            }
            Record::Mapping { state, .. } => {
                self.count(format!("copy: {:?}", state.outcome));
                if let Some(reason) = state.reason {
                    self.count(format!("reason: {reason:?}"));
                }
            }
            Record::Gap { gap, .. } => self.count(format!("gap: {:?}", gap.kind)),
            Record::Trading(trading) => self.count(format!("trading: {:?}", trading.state)),
            _ => {}
        }
    }
}

/// Where a process can die, by what it was told last. Of the moments that are not here: money makes nothing durable, nor
/// does a lookup that finds nothing; positions and an operator's word send nothing at once; rows are no event.
pub(super) const DEATHS: [(&str, Boundary); 56] = [
    ("plan", Boundary::Told),
    ("plan", Boundary::BeforeCommit),
    ("plan", Boundary::BetweenCommits),
    ("plan", Boundary::Committed),
    ("plan", Boundary::Sent),
    ("together", Boundary::Told),
    ("together", Boundary::BeforeCommit),
    ("together", Boundary::BetweenCommits),
    ("together", Boundary::Committed),
    ("together", Boundary::Sent),
    ("answer", Boundary::Told),
    ("answer", Boundary::BeforeCommit),
    ("answer", Boundary::BetweenCommits),
    ("answer", Boundary::Committed),
    ("answer", Boundary::Sent),
    ("book", Boundary::Told),
    ("book", Boundary::BeforeCommit),
    ("book", Boundary::BetweenCommits),
    ("book", Boundary::Committed),
    ("book", Boundary::Sent),
    ("report", Boundary::Told),
    ("report", Boundary::BeforeCommit),
    ("report", Boundary::BetweenCommits),
    ("report", Boundary::Committed),
    ("report", Boundary::Sent),
    ("lookup", Boundary::Told),
    ("time", Boundary::Told),
    ("time", Boundary::BeforeCommit),
    ("time", Boundary::BetweenCommits),
    ("time", Boundary::Committed),
    ("time", Boundary::Sent),
    ("control", Boundary::Told),
    ("control", Boundary::BeforeCommit),
    ("control", Boundary::BetweenCommits),
    ("control", Boundary::Committed),
    ("positions", Boundary::Told),
    ("positions", Boundary::BeforeCommit),
    ("positions", Boundary::BetweenCommits),
    ("positions", Boundary::Committed),
    ("leader's positions", Boundary::Told),
    ("leader's positions", Boundary::BeforeCommit),
    ("leader's positions", Boundary::BetweenCommits),
    ("leader's positions", Boundary::Committed),
    ("margin", Boundary::Told),
    ("margin", Boundary::BeforeCommit),
    ("margin", Boundary::Committed),
    ("margin", Boundary::Sent),
    ("funds", Boundary::Told),
    ("credentials", Boundary::Told),
    ("credentials", Boundary::BeforeCommit),
    ("credentials", Boundary::BetweenCommits),
    ("credentials", Boundary::Committed),
    ("credentials", Boundary::Sent),
    ("rows", Boundary::BeforeCommit),
    ("rows", Boundary::BetweenCommits),
    ("rows", Boundary::Committed),
];

/// Those of them that come about least often by themselves, and in what proportion days are led to them.
pub(super) const RARE_DEATHS: [(u32, (&str, Boundary)); 12] = [
    (8, ("book", Boundary::Sent)),
    (4, ("answer", Boundary::Sent)),
    (3, ("report", Boundary::Sent)),
    (3, ("answer", Boundary::BetweenCommits)),
    (1, ("margin", Boundary::Told)),
    (1, ("margin", Boundary::BeforeCommit)),
    (1, ("margin", Boundary::Committed)),
    (1, ("margin", Boundary::Sent)),
    (3, ("credentials", Boundary::BeforeCommit)),
    (8, ("credentials", Boundary::BetweenCommits)),
    (3, ("credentials", Boundary::Committed)),
    (3, ("credentials", Boundary::Sent)),
];

/// What this world cannot come to, with the reason.
const REASONS_NOT_HERE: [(&str, &[DeniedReason]); 2] = [
    ("its broker shows no order of ours that is on no record", &[DeniedReason::AlreadyAtBroker]),
    ("no order of its days outlasts one", &[DeniedReason::RestsFromBefore]),
];

/// A step of an intent: its kind, from, to.
type Step = (IntentKind, IntentState, IntentState);

/// The same of steps that the rows would allow.
const STEPS_NOT_HERE: [(&str, &[Step]); 4] = [
    (
        "what provably never left is NOT_SENT and goes from there",
        &[
            (IntentKind::Place, IntentState::Sending, IntentState::Planned),
            (IntentKind::Place, IntentState::NotSent, IntentState::Planned),
            (IntentKind::Modify, IntentState::Planned, IntentState::Planned),
            (IntentKind::Modify, IntentState::Sending, IntentState::Planned),
            (IntentKind::Modify, IntentState::NotSent, IntentState::Planned),
            (IntentKind::Cancel, IntentState::Planned, IntentState::Planned),
            (IntentKind::Cancel, IntentState::Sending, IntentState::Planned),
            (IntentKind::Cancel, IntentState::NotSent, IntentState::Planned),
        ],
    ),
    (
        "a change has no row before it leaves, and another row when it is asked for again",
        &[
            (IntentKind::Modify, IntentState::Planned, IntentState::Sending),
            (IntentKind::Modify, IntentState::NotSent, IntentState::Sending),
            (IntentKind::Modify, IntentState::Planned, IntentState::Voided),
            (IntentKind::Modify, IntentState::NotSent, IntentState::Voided),
            (IntentKind::Modify, IntentState::Acked, IntentState::Acked),
            (IntentKind::Cancel, IntentState::Planned, IntentState::Sending),
            (IntentKind::Cancel, IntentState::NotSent, IntentState::Sending),
            (IntentKind::Cancel, IntentState::Planned, IntentState::Voided),
            (IntentKind::Cancel, IntentState::NotSent, IntentState::Voided),
            (IntentKind::Cancel, IntentState::Acked, IntentState::Acked),
        ],
    ),
    (
        "its broker keeps the settle time, and what it refused never appears",
        &[
            (IntentKind::Place, IntentState::Absent, IntentState::Sending),
            (IntentKind::Place, IntentState::Planned, IntentState::Acked),
            (IntentKind::Place, IntentState::Absent, IntentState::Acked),
            (IntentKind::Place, IntentState::NotSent, IntentState::Acked),
            (IntentKind::Place, IntentState::Refused, IntentState::Acked),
            (IntentKind::Place, IntentState::Voided, IntentState::Acked),
        ],
    ),
    (
        "what is in doubt is refused by nobody, and stays in doubt without a row",
        &[
            (IntentKind::Place, IntentState::Unknown, IntentState::Refused),
            (IntentKind::Place, IntentState::Unknown, IntentState::Unknown),
            (IntentKind::Modify, IntentState::Unknown, IntentState::Refused),
            (IntentKind::Modify, IntentState::Unknown, IntentState::Unknown),
            (IntentKind::Cancel, IntentState::Unknown, IntentState::Refused),
            (IntentKind::Cancel, IntentState::Unknown, IntentState::Unknown),
        ],
    ),
];

/// Alerts that this world can cause. A fill beyond what was asked needs a hand at the right moment, and came about on
/// none of some eighteen thousand days. The others need super orders (a leg unlinked), conversions, a broker who squares
/// off or shows orders twice, late or without a record, prices that differ from the leader's (slippage), or a fault of
/// the machine (an unlawful step).
const ALERTS: [&str; 16] = [
    "AccountHalted",
    "CarriedLeft",
    "ChangeRefused",
    "ChangesExhausted",
    "CopyGap",
    "CoverMissing",
    "Detached",
    "Drift",
    "ExitGivenUp",
    "NoEquivalent",
    "OutcomeUnknown",
    "Overshot",
    "SquaredOff",
    "SquaringOff",
    "Stopped",
    "UnresolvedYesterday",
];

/// In which ways copies part from their orders.
const GAPS: [GapKind; 9] = [
    GapKind::ChangesExhausted,
    GapKind::Detached,
    GapKind::ExitStopped,
    GapKind::FollowerAbsent,
    GapKind::FollowerRefused,
    GapKind::FollowerRejected,
    GapKind::LeaderCancelled,
    GapKind::LeaderRejected,
    GapKind::LeftBehind,
];

/// What becomes of a copy.
const OUTCOMES: [Outcome; 6] = [
    Outcome::AwaitingLeader,
    Outcome::Waiting,
    Outcome::Sent,
    Outcome::Skipped,
    Outcome::Voided,
    Outcome::Detached,
];

/// How an account may trade.
const TRADING: [TradingState; 3] = [TradingState::Active, TradingState::Reducing, TradingState::Halted];

const STATES: [IntentState; 8] = [
    IntentState::Planned,
    IntentState::Sending,
    IntentState::Acked,
    IntentState::Refused,
    IntentState::Unknown,
    IntentState::NotSent,
    IntentState::Voided,
    IntentState::Absent,
];

/// Days of an ordinary run: in all of these it must come to everything but what is rare.
pub(super) const ORDINARY: u64 = 2_000;
/// What is rare, and from how many days on it is demanded. In ten thousand days, seeds from 200,000, these came about 7, 29
/// and 15 times.
const RARE: [(u64, &str); 3] = [
    (20_000, "alert: Drift"),
    (20_000, "alert: ExitGivenUp"),
    (20_000, "death: credentials, BetweenCommits"),
];

/// What so many days must come to.
pub(super) fn demanded(days: u64) -> Vec<String> {
    let from = |what: &str| RARE.iter().find(|(_, rare)| *rare == what).map_or(ORDINARY, |(from, _)| *from);
    all().into_iter().filter(|what| days >= from(what)).collect()
}

/// Everything that this world can come to.
fn all() -> Vec<String> {
    let mut demanded: Vec<String> = [
        "down: None",
        "down: Seconds",
        "down: Hours",
        "a second instance: refused",
        "a commit: of two followers' jobs",
        "a commit: of one order for two followers",
        "a commit: of a dead actor's, refused",
        "a commit: refused by the rows",
        "in flight: a commit that is there",
        "in flight: a commit that is not",
        "in flight: other news came first",
        "in flight: held back at the door",
        "an actor: dies alone",
        "company: as if alone",
        "a stream: lost and merged",
        "a night: passed",
        "a night: something is unproven",
        "a night: something came of what is unproven",
        "day: a token that ended",
        "day: a token replaced before anybody knew",
        "day: a life that began without a token",
        "day: an exit that waited for a token",
        "day: an exit refused for its token",
        "day: an entry refused for its token",
        "day: held back at the door for a token",
    ]
    .map(str::to_owned)
    .to_vec();
    demanded.extend(DEATHS.map(|(about, at)| format!("death: {about}, {at:?}")));
    let reasons = DeniedReason::ALL
        .iter()
        .filter(|reason| !REASONS_NOT_HERE.iter().any(|(_, reasons)| reasons.contains(reason)));
    demanded.extend(reasons.map(|reason| format!("reason: {reason:?}")));
    demanded.extend(ALERTS.map(|alert| format!("alert: {alert}")));
    demanded.extend(GAPS.map(|gap| format!("gap: {gap:?}")));
    demanded.extend(OUTCOMES.map(|outcome| format!("copy: {outcome:?}")));
    demanded.extend(TRADING.map(|state| format!("trading: {state:?}")));
    for (kind, name) in
        [(IntentKind::Place, "placing"), (IntentKind::Modify, "change"), (IntentKind::Cancel, "cancel")]
    {
        demanded.push(format!("{name}: new to Sending"));
        for to in STATES {
            let from = predecessors(to, kind).iter();
            let here = from
                .filter(|from| !STEPS_NOT_HERE.iter().any(|(_, steps)| steps.contains(&(kind, **from, to))));
            demanded.extend(here.map(|from| format!("{name}: {from:?} to {to:?}")));
        }
    }
    demanded
}
