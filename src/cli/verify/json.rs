//! The report as one JSON object, for programs. Times are UTC microseconds.

use serde_json::{Value, json};
use tandem_checker::{Finding, Judgement, Report, Verdict};

pub(super) fn of(report: &Report) -> Value {
    json!({
        "clean": report.is_clean(),
        "days": report.days,
        "read_until_us": report.read_until,
        "with_book": report.with_book,
        "promises": report.verdicts.iter().map(promise).collect::<Vec<_>>(),
    })
}

fn promise(verdict: &Verdict) -> Value {
    let (judgement, looked_at, why, findings) = match &verdict.judgement {
        Judgement::Kept { looked_at } => ("kept", Some(*looked_at), None, &[][..]),
        Judgement::Broken { looked_at, findings } => ("broken", Some(*looked_at), None, &findings[..]),
        Judgement::NotJudged { why } => ("not_judged", None, Some(*why), &[][..]),
    };
    json!({
        "id": format!("P{}", verdict.promise),
        "title": verdict.title,
        "judgement": judgement,
        "looked_at": looked_at,
        "unseen": verdict.unseen,
        "why": why,
        "findings": findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn finding(finding: &Finding) -> Value {
    json!({ "text": finding.text, "rows": finding.rows })
}
