//! A function for each promise that can be judged, and for each other one the reason why not.

mod budget;
mod cancels;
mod days;
mod doubt;
mod exits;
mod fills;
mod leader;
mod placing;
mod positions;
mod quantity;
mod record;
mod tracing;
mod trading;

use crate::case::Case;
use crate::report::{Finding, Judgement, Verdict};

/// What a check has looked at and found.
#[derive(Debug, Default)]
pub(crate) struct Look {
    looked_at: usize,
    findings: Vec<Finding>,
}

impl Look {
    /// One more thing was looked at.
    pub(crate) const fn saw(&mut self) {
        self.looked_at += 1;
    }

    /// The promise is broken.
    pub(crate) fn broken(&mut self, text: String, rows: Vec<String>) {
        self.findings.push(Finding { text, rows });
    }

    /// The same, with a text of its own, if something is not as it should be.
    pub(crate) fn demand(
        &mut self,
        is_kept: bool,
        rows: impl FnOnce() -> Vec<String>,
        text: impl FnOnce() -> String,
    ) {
        self.saw();
        if !is_kept {
            self.broken(text(), rows());
        }
    }
}

/// How a promise is judged.
enum Check {
    /// By this, which sees all of it that matters here.
    By(fn(&Case<'_>, &mut Look)),
    /// By this, which does not see what is said beside it.
    InPart(fn(&Case<'_>, &mut Look), &'static str),
    /// Not at all, for this reason.
    Not(&'static str),
}

use Check::{By, InPart, Not};

/// P1 to P29: title and judge.
const CHECKS: [(&str, Check); 29] = [
    (
        "durable before the wire",
        InPart(placing::durable_first, "changes and cancels leave no trace in the broker's book"),
    ),
    ("at most one live order for each key", By(placing::one_alive)),
    (
        "unknown is a state, ended by evidence alone",
        InPart(doubt::ended_by_evidence, "without a book: what the rows themselves contradict"),
    ),
    (
        "absence only from late reads",
        InPart(doubt::absent_late, "whether the reads were complete is not recorded"),
    ),
    ("filled, working and unknown within the target", By(quantity::within_target)),
    ("exits only reduce; leader flat means copies flat", By(exits::only_reduce)),
    (
        "a cancel wins or is reported",
        InPart(cancels::pursued, "cancels of single exit legs: their legs' ends stand in no row"),
    ),
    ("what was voided was never sent", By(cancels::voided_stays_here)),
    ("each fill counts once, none is lost", By(fills::once_each)),
    ("an overfill is recorded and raised", By(quantity::overfill_raised)),
    (
        "positions equal, or an open incident",
        InPart(positions::equal_or_told, "only each day's newest read of positions is kept"),
    ),
    (
        "no gap of the leader's stream passes silently",
        InPart(leader::none_missed, "judged by the leader's own book alone; without it, not at all"),
    ),
    ("late entries are not copied", InPart(leader::not_late, "prices then are not recorded")),
    ("connected is not alive", Not("pings and reconnects stand in the log, not in the history")),
    ("credentials fresh on every connect", Not("logins stand in the log, not in the history")),
    (
        "every new order passes the gates",
        Not("the figures that a gate was told are not all recorded; the compiler holds it"),
    ),
    ("trading state is persisted; nothing opens under a halt", By(trading::state_obeyed)),
    (
        "the broker's budget is never exceeded",
        InPart(budget::within, "an intent sent twice keeps its last time; conversions have no row"),
    ),
    ("followers are isolated", Not("delays have many causes; the rows do not tell them apart")),
    ("startup is recovery", By(days::nothing_left_by_a_crash)),
    ("one writer", Not("only the newest writer's epoch is kept; the database refuses older ones")),
    (
        "no record, no trade: the record is whole",
        InPart(record::is_whole, "whether a commit failed; what left without a row is P1"),
    ),
    ("restarts are bounded and clean", Not("what an actor was built from is not recorded")),
    ("mailboxes are hints, rows are truth", Not("messages are not recorded")),
    (
        "secrets never leave their wrapper",
        InPart(record::holds_no_secret, "judged by the form of the broker's tokens, in the database alone"),
    ),
    ("everything is explained", By(tracing::explained)),
    ("control is local and authenticated", Not("who may reach the socket is the machine's to say")),
    ("time is an input", Not("sessions and holidays stand in the settings' calendar, not in the history")),
    ("the day has an edge", By(days::nothing_of_yesterday)),
];

/// Judges every promise.
pub(crate) fn judge(case: &Case<'_>) -> Vec<Verdict> {
    (1..).zip(&CHECKS).map(|(promise, (title, check))| judge_one(case, promise, title, check)).collect()
}

fn judge_one(case: &Case<'_>, promise: u8, title: &'static str, check: &Check) -> Verdict {
    let (judge, unseen) = match check {
        By(judge) => (judge, None),
        InPart(judge, unseen) => (judge, Some(*unseen)),
        Not(why) => return Verdict { promise, title, judgement: Judgement::NotJudged { why }, unseen: None },
    };
    let mut look = Look::default();
    judge(case, &mut look);
    let Look { looked_at, findings } = look;
    let judgement = if findings.is_empty() {
        Judgement::Kept { looked_at }
    } else {
        Judgement::Broken { looked_at, findings }
    };
    Verdict { promise, title, judgement, unseen }
}
