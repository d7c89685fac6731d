//! The report as a table of at most 110 columns: framed in a terminal, plain text elsewhere.

use std::fmt::Write as _;

use comfy_table::presets::{NOTHING, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, ContentArrangement, Table};
use tandem_checker::{Finding, Judgement, Report, Verdict};
use tandem_domain::time::Timestamp;

const WIDTH: u16 = 110;
/// More findings of one promise than anybody reads; the first tell what went wrong, and `--json` has them all.
const FINDINGS_MAX: usize = 10;
/// The same of the rows of one finding.
const ROWS_MAX: usize = 8;

pub(super) fn of(report: &Report, framed: bool) -> String {
    let mut text = headline(report);
    let judged: Vec<&Verdict> = report.verdicts.iter().filter(|verdict| why(verdict).is_none()).collect();
    let rows = judged.iter().map(|verdict| row(verdict)).collect();
    let header = ["", "promise", "judged", "looked at", "not seen"];
    // Writing to a String cannot fail.
    write!(text, "\n{}\n", table(&header, rows, framed).trim_fmt()).ok();
    let unjudged = report.verdicts.iter().filter_map(|verdict| Some((verdict, why(verdict)?)));
    let rows = unjudged.map(|(verdict, why)| vec![id(verdict), verdict.title.to_owned(), why.to_owned()]);
    let rows = table(&["", "promise", "why it is not judged"], rows.collect(), framed);
    write!(text, "\nNot judged\n{}\n", rows.trim_fmt()).ok();
    for verdict in &report.verdicts {
        if let Judgement::Broken { findings, .. } = &verdict.judgement {
            write!(text, "\n{} BROKEN: {} ({})\n", id(verdict), verdict.title, findings.len()).ok();
            shown(findings, &mut text);
        }
    }
    writeln!(text, "\n{}", conclusion(report, judged.len())).ok();
    text
}

fn headline(report: &Report) -> String {
    let days = match report.days.as_slice() {
        [] => "no trading day".to_owned(),
        [day] => day.clone(),
        [first, .., last] => format!("{} days, {first} to {last}", report.days.len()),
    };
    let until = report.read_until.map_or_else(String::new, |at| {
        format!(", written until {} (IST)", Timestamp::from_micros(at).ist().format("%Y-%m-%d %H:%M:%S"))
    });
    let book = if report.with_book { "with the broker's book" } else { "without the broker's book" };
    format!("{days}{until}, {book}\n")
}

fn row(verdict: &Verdict) -> Vec<String> {
    let (judged, looked_at) = match &verdict.judgement {
        Judgement::Kept { looked_at: 0 } => ("nothing to see", 0),
        Judgement::Kept { looked_at } => ("kept", *looked_at),
        Judgement::Broken { looked_at, .. } => ("BROKEN", *looked_at),
        Judgement::NotJudged { .. } => ("", 0),
    };
    let unseen = verdict.unseen.unwrap_or_default().to_owned();
    vec![id(verdict), verdict.title.to_owned(), judged.to_owned(), looked_at.to_string(), unseen]
}

fn id(verdict: &Verdict) -> String {
    format!("P{}", verdict.promise)
}

const fn why(verdict: &Verdict) -> Option<&'static str> {
    match verdict.judgement {
        Judgement::NotJudged { why } => Some(why),
        Judgement::Kept { .. } | Judgement::Broken { .. } => None,
    }
}

fn shown(findings: &[Finding], text: &mut String) {
    for finding in findings.iter().take(FINDINGS_MAX) {
        writeln!(text, "  {}", finding.text).ok();
        for row in finding.rows.iter().take(ROWS_MAX) {
            writeln!(text, "      {row}").ok();
        }
        more(finding.rows.len(), ROWS_MAX, "      ", text);
    }
    more(findings.len(), FINDINGS_MAX, "  ", text);
}

fn more(all: usize, shown: usize, indent: &str, text: &mut String) {
    if all > shown {
        writeln!(text, "{indent}and {} more; --json shows all", all - shown).ok();
    }
}

fn conclusion(report: &Report, judged: usize) -> String {
    let broken: Vec<String> = report
        .verdicts
        .iter()
        .filter(|verdict| matches!(verdict.judgement, Judgement::Broken { .. }))
        .map(id)
        .collect();
    let unjudged = report.verdicts.len() - judged;
    if broken.is_empty() {
        format!("Clean: {judged} promises judged, none broken; {unjudged} not judged")
    } else {
        format!("BROKEN: {}", broken.join(", "))
    }
}

fn table(header: &[&str], rows: Vec<Vec<String>>, framed: bool) -> Table {
    let numeric = header.iter().position(|name| *name == "looked at");
    let mut table = Table::new();
    table.load_style(if framed { UTF8_FULL_CONDENSED } else { NOTHING });
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH).force_no_tty();
    table.set_header(header.iter().copied()).add_rows(rows);
    if let Some(column) = numeric.and_then(|index| table.column_mut(index)) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
