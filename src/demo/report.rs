//! The day in tables that fit a terminal of 110 columns: framed there, plain text elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use comfy_table::presets::{NOTHING, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, ContentArrangement, Table};
use tandem_actors::store::DelayRow;
use tandem_domain::gates::DeniedReason;
use tandem_domain::mirror::Outcome;
use tandem_domain::order::BrokerStatus;

use super::books::{Books, Evidence, FollowerEvidence, Recorded};
use super::day::{Day, FOLLOWERS};
use super::stage::Stage;
use crate::cli::spans::hundredths;

const WIDTH: u16 = 110;
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
        "What the copies cost against the leader's prices; less than nothing is a gain",
        ["follower", "copies", "units", "rupees", "ticks a unit", "basis points"].map(str::to_owned).to_vec(),
        found.followers.iter().filter_map(slippage).collect(),
    );
    section(
        "How long each stretch of a copy's way took: half of them, and 99 of 100, were no slower",
        delay_header(),
        delays(found),
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
        .filter(|column| {
            rows.iter().any(|row| row[*column].starts_with(|sign: char| sign == '-' || sign.is_ascii_digit()))
        })
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
        row("leader orders seen", Some(leader.orders.len() - exits(leader)), &|follower| {
            follower.recorded.len()
        }),
        row("copied", None, &|follower| count(follower, |of| of.outcome == Outcome::Sent)),
        row("  of them cut down by a limit", None, &|follower| count(follower, is_cut)),
        row("taken over by hand", None, &|follower| count(follower, |of| is_detached(of) && !is_stopped(of))),
        row("stopped by a halt", None, &|follower| count(follower, |of| is_detached(of) && is_stopped(of))),
    ];
    for reason in reasons(followers) {
        rows.push(row(&format!("skipped: {reason}"), None, &|follower| {
            let recorded = follower.recorded.values();
            recorded.filter(|recorded| skipped_for(recorded).is_some_and(|of| of.as_str() == reason)).count()
        }));
    }
    rows.push(row("changes asked for", None, &|follower| follower.changes));
    rows.push(row("cancels asked for", None, &|follower| follower.cancels));
    rows.push(row("orders at the broker", Some(leader.orders.len()), &|follower| {
        follower.books.orders.len()
    }));
    rows.push(row("  placed by others", None, &|follower| {
        follower.books.orders.iter().filter(|order| order.is_foreign()).count()
    }));
    let ends: [(&str, &[BrokerStatus]); 3] = [
        ("  filled", &[BrokerStatus::Traded, BrokerStatus::Closed]),
        ("  cancelled or expired", &[BrokerStatus::Cancelled, BrokerStatus::Expired]),
        ("  rejected", &[BrokerStatus::Rejected]),
    ];
    for (label, ends) in ends {
        let number = |books: &Books| books.orders.iter().filter(|order| ends.contains(&order.status)).count();
        rows.push(row(label, Some(number(leader)), &|follower| number(&follower.books)));
    }
    rows.push(row("  of them exits", Some(exits(leader)), &|follower| exits(&follower.books)));
    rows.push(row("fills", Some(leader.fills), &|follower| follower.books.fills));
    rows
}

/// Targets and stops of super orders, which are orders of their own at the broker.
fn exits(books: &Books) -> usize {
    books.orders.iter().filter(|order| order.parent.is_some()).count()
}

fn count(follower: &FollowerEvidence, is: impl Fn(&Recorded) -> bool) -> usize {
    follower.recorded.values().filter(|recorded| is(recorded)).count()
}

/// Whether less was copied than his share, because the rest would have been too much.
fn is_cut(recorded: &Recorded) -> bool {
    let by_limit = [DeniedReason::PositionShare, DeniedReason::MarginShort];
    recorded.outcome == Outcome::Sent && recorded.reason.is_some_and(|reason| by_limit.contains(&reason))
}

fn is_detached(recorded: &Recorded) -> bool {
    recorded.outcome == Outcome::Detached
}

fn is_stopped(recorded: &Recorded) -> bool {
    recorded.reason == Some(DeniedReason::Halted)
}

fn reasons(followers: &[FollowerEvidence]) -> BTreeSet<&'static str> {
    let recorded = followers.iter().flat_map(|follower| follower.recorded.values());
    recorded.filter_map(|recorded| Some(skipped_for(recorded)?.as_str())).collect()
}

/// Why nothing was sent; an order that was copied may have a reason too, for having been taken back.
fn skipped_for(recorded: &Recorded) -> Option<DeniedReason> {
    recorded.reason.filter(|_| matches!(recorded.outcome, Outcome::Skipped | Outcome::Voided))
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

fn slippage(follower: &FollowerEvidence) -> Option<Vec<String>> {
    let sum = follower.slippage.as_ref()?;
    let if_known = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), hundredths);
    Some(vec![
        sum.follower.to_string(),
        sum.copies.to_string(),
        sum.units.to_string(),
        hundredths(sum.money.units() / 100),
        if_known(sum.ticks_x100()),
        if_known(sum.bps_x100()),
    ])
}

/// One stretch of the way from the leader's order to the follower's fill.
type Stretch = (&'static str, fn(&DelayRow) -> Option<i64>);

const STRETCHES: [Stretch; 5] = [
    ("leader's exchange to frame", |row| row.event_to_frame_us),
    ("frame to decision", |row| row.frame_to_decision_us),
    ("decision to request", |row| row.decision_to_sent_us),
    ("request to acknowledgement", |row| row.sent_to_answer_us),
    ("acknowledgement to first fill", |row| row.answer_to_fill_us),
];

fn delay_header() -> Vec<String> {
    let of_followers = FOLLOWERS.iter().flat_map(|name| [format!("{name} 50 %"), format!("{name} 99 %")]);
    std::iter::once("stretch".to_owned()).chain(of_followers).collect()
}

fn delays(found: &Evidence) -> Vec<Vec<String>> {
    let rows = STRETCHES.iter().map(|(name, of)| {
        let mut row = vec![(*name).to_owned()];
        for follower in &found.followers {
            let mut took: Vec<i64> = follower.delays.iter().filter_map(of).collect();
            took.sort_unstable();
            row.extend([50, 99].map(|percent| at(&took, percent).map_or_else(|| "-".to_owned(), span)));
        }
        row
    });
    rows.collect()
}

/// A span of so many microseconds.
fn span(micros: i64) -> String {
    match micros {
        ..100_000 => format!("{} ms", hundredths(micros / 10)),
        100_000..100_000_000 => format!("{} s", hundredths(micros / 10_000)),
        _ => format!("{} min", micros / 60_000_000),
    }
}

fn latency(ascending_us: &[u64]) -> Vec<String> {
    let at = |percent| at(ascending_us, percent).map_or_else(|| "-".to_owned(), |took| took.to_string());
    vec![ascending_us.len().to_string(), at(50), at(99), at(100)]
}

/// By nearest rank.
fn at<T: std::marker::Copy>(ascending: &[T], percent: usize) -> Option<T> {
    let rank = (ascending.len() * percent).div_ceil(100).max(1);
    ascending.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(hundredths(-1_205), "-12.05");
        let spans = [(640, "0.64 ms"), (41_500, "41.50 ms"), (2_080_000, "2.08 s"), (125_000_000, "2 min")];
        for (micros, text) in spans {
            assert_eq!(span(micros), text);
        }
    }

    #[test]
    fn ranks_are_the_nearest() {
        let ascending: Vec<u32> = (1..=200).collect();
        assert_eq!([50, 99, 100].map(|percent| at(&ascending, percent)), [Some(100), Some(198), Some(200)]);
        assert_eq!(at::<u32>(&[], 50), None);
    }
}
