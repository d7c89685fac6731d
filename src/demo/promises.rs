//! Judges the day by what was promised: the checker, over the daemon's database and the simulator's book.

use std::path::Path;

use anyhow::Context as _;
use tandem_checker::{Book, Judgement, verify};

use super::stage::Stage;

/// What the checker found.
pub(super) struct Promises {
    /// How many promises it judged.
    pub(super) judged: usize,
    /// What breaks one, in words, with the rows.
    pub(super) broken: Vec<String>,
}

/// Reads both, once the daemon has stopped.
pub(super) fn judge(stage: &Stage, database: &Path) -> anyhow::Result<Promises> {
    let mut book = Book::default();
    book.take(&stage.simulator.books().as_json()).context("read the simulator's book")?;
    let report = verify(database, Some(&book), None).context("judge the day")?;
    let judged =
        report.verdicts.iter().filter(|verdict| !matches!(verdict.judgement, Judgement::NotJudged { .. }));
    let broken = report
        .findings()
        .map(|(promise, finding)| format!("P{promise}: {} ({})", finding.text, finding.rows.join("; ")));
    Ok(Promises { judged: judged.count(), broken: broken.collect() })
}
