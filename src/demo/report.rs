//! The day in tables of at most 100 columns: framed in a terminal, plain text elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use comfy_table::presets::{NOTHING, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, ContentArrangement, Table};
use tandem_domain::mirror::Outcome;
use tandem_domain::order::BrokerStatus;

use super::books::{Books, Evidence, FollowerEvidence};
use super::day::{Day, FOLLOWERS};
use super::stage::Stage;

const WIDTH: u16 = 100;
/// More differences than anybody reads; the first ones tell what went wrong.
const DIFFERENCES_MAX: usize = 20;

/// Everything but the verdict.
pub(super) fn of(day: &Day, stage: &Stage, found: &Evidence, differences: &[String], framed: bool) -> String {
    let mut text = String::new();
    let mut section = |title: &str, header: Vec<String>, rows: Vec<Vec<String>>| {
        // Writing to a String cannot fail.
        write!(text, "\n{title}\n{}\n", table(header, rows, framed).trim_fmt()).ok();
    };
    let names = FOLLOWERS.iter().map(ToString::to_string);
    section(
        "Orders",
        ["", "leader"].map(str::to_owned).into_iter().chain(names.clone()).collect(),
        orders(found),
    );
    section(
        "Positions at the close, in units",
        ["instrument", "product", "leader"].map(str::to_owned).into_iter().chain(names).collect(),
        positions(day, stage, found),
    );
    section(
        "Added latency, frame received to request written; without orders held for the broker's limits",
        ["requests", "p50 us", "p99 us", "max us"].map(str::to_owned).to_vec(),
        vec![latency(&found.added_latencies_us)],
    );
    if !differences.is_empty() {
        write!(text, "\nDifferences ({})\n", differences.len()).ok();
        for difference in differences.iter().take(DIFFERENCES_MAX) {
            writeln!(text, "  {difference}").ok();
        }
        if differences.len() > DIFFERENCES_MAX {
            writeln!(text, "  and {} more", differences.len() - DIFFERENCES_MAX).ok();
        }
    }
    text
}

/// Numbers to the right, words to the left.
fn table(header: Vec<String>, rows: Vec<Vec<String>>, framed: bool) -> Table {
    let numeric: Vec<usize> = (0..header.len())
        .filter(|column| rows.iter().any(|row| row[*column].parse::<i64>().is_ok()))
        .collect();
    let mut table = Table::new();
    table.load_style(if framed { UTF8_FULL_CONDENSED } else { NOTHING });
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH).force_no_tty();
    table.set_header(header).add_rows(rows);
    for column in numeric {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn orders(found: &Evidence) -> Vec<Vec<String>> {
    let followers = &found.followers;
    let row = |label: &str, leader: Option<usize>, of: &dyn Fn(&FollowerEvidence) -> usize| {
        let leader = leader.map_or_else(String::new, |number| number.to_string());
        let mut row = vec![label.to_owned(), leader];
        row.extend(followers.iter().map(|follower| of(follower).to_string()));
        row
    };
    let leader = &found.leader;
    let mut rows = vec![
        row("leader orders seen", Some(leader.orders.len()), &|follower| follower.recorded.len()),
        row("copied", None, &|follower| with_outcome(follower, Outcome::Sent)),
    ];
    for reason in reasons(followers) {
        rows.push(row(&format!("skipped: {reason}"), None, &|follower| {
            let with_reason = follower
                .recorded
                .values()
                .filter(|recorded| recorded.reason.is_some_and(|of| of.as_str() == reason));
            with_reason.count()
        }));
    }
    rows.push(row("orders at the broker", Some(leader.orders.len()), &|follower| {
        follower.books.orders.len()
    }));
    let ends: [(&str, &[BrokerStatus]); 3] = [
        ("  filled", &[BrokerStatus::Traded]),
        ("  cancelled or expired", &[BrokerStatus::Cancelled, BrokerStatus::Expired]),
        ("  rejected", &[BrokerStatus::Rejected]),
    ];
    for (label, ends) in ends {
        let count = |books: &Books| books.orders.iter().filter(|order| ends.contains(&order.status)).count();
        rows.push(row(label, Some(count(leader)), &|follower| count(&follower.books)));
    }
    rows.push(row("fills", Some(leader.fills), &|follower| follower.books.fills));
    rows
}

fn with_outcome(follower: &FollowerEvidence, outcome: Outcome) -> usize {
    follower.recorded.values().filter(|recorded| recorded.outcome == outcome).count()
}

fn reasons(followers: &[FollowerEvidence]) -> BTreeSet<&'static str> {
    let recorded = followers.iter().flat_map(|follower| follower.recorded.values());
    recorded.filter_map(|recorded| Some(recorded.reason?.as_str())).collect()
}

fn positions(day: &Day, stage: &Stage, found: &Evidence) -> Vec<Vec<String>> {
    let names: BTreeMap<_, _> = stage
        .instruments
        .iter()
        .filter_map(|(alias, instrument)| {
            let contract = day.instruments.get(alias)?;
            let name = match &contract.option {
                Some((expiry, option)) => {
                    let strike = option.strike.units() / tandem_domain::price::UNITS_PER_RUPEE;
                    let expiry = expiry.format("%d %b");
                    format!("{} {expiry} {strike} {}", contract.underlying, option.option_type)
                }
                None => contract.underlying.clone(),
            };
            Some((instrument.key, name))
        })
        .collect();
    let books: Vec<&Books> = std::iter::once(&found.leader)
        .chain(found.followers.iter().map(|follower| &follower.books))
        .collect();
    let held: BTreeSet<_> = books.iter().flat_map(|books| books.positions.keys()).collect();
    let rows = held.into_iter().map(|key| {
        let name = names.get(&key.0).cloned().unwrap_or_else(|| key.0.to_string());
        let mut row = vec![name, key.1.to_string()];
        row.extend(
            books.iter().map(|books| books.positions.get(key).copied().unwrap_or_default().to_string()),
        );
        row
    });
    rows.collect()
}

/// By nearest rank.
fn latency(ascending_us: &[u64]) -> Vec<String> {
    let at = |percent: usize| {
        let rank = (ascending_us.len() * percent).div_ceil(100).max(1);
        ascending_us.get(rank - 1).map_or_else(|| "-".to_owned(), u64::to_string)
    };
    vec![ascending_us.len().to_string(), at(50), at(99), at(100)]
}
