//! The story for people: at most 110 columns, times in India.

use std::fmt::Write as _;

use tandem_actors::store::{MirrorStory, Story};
use tandem_domain::gates::DeniedReason;
use tandem_domain::time::Timestamp;

use super::steps::{self, Step};
use super::words;
use crate::cli::spans::{hundredths, span};

/// Fits the terminals that traders have.
const WIDTH: usize = 110;
/// Longer names are cut: the column is for telling followers apart.
const WHO_WIDTH: usize = 10;
/// Clock, delay, name, and the spaces between.
const MARGIN: usize = 12 + 1 + 9 + 2 + WHO_WIDTH + 2;

pub(super) fn of(story: &Story, asked_for: Option<&str>) -> String {
    let mut text = head(story);
    if let Some(sentence) = asked_for {
        text.push_str(&wrapped(sentence, 0));
    }
    text.push_str("\nFollowers\n");
    if story.mirrors.is_empty() {
        text.push_str("  none: nothing was decided about it\n");
    }
    for mirror in &story.mirrors {
        text.push_str(&follower(mirror));
    }
    // Writing to a String cannot fail.
    writeln!(text, "\n{:<12} {:>9}  {:<WHO_WIDTH$}  what happened", "time (IST)", "after", "who").ok();
    let mut before: Option<Timestamp> = None;
    for step in steps::of(story) {
        text.push_str(&line(&step, before));
        before = Some(step.at);
    }
    text
}

fn head(story: &Story) -> String {
    let leader = &story.leader;
    let terms = &leader.terms;
    let instrument = story
        .symbol
        .as_ref()
        .map_or_else(|| terms.instrument.to_string(), |symbol| format!("{symbol} ({})", terms.instrument));
    let filled = if leader.cumulative.is_zero() {
        "nothing filled".to_owned()
    } else {
        format!("{} of {} filled at {}", leader.cumulative, terms.quantity, leader.average_price)
    };
    let whose = if steps::is_square_off(leader) { "Your own order" } else { "Leader order" };
    let title = format!(
        "{whose} {} of {}, account {}",
        leader.broker_order_id,
        leader.trading_day,
        leader.account.masked()
    );
    let order = format!("{instrument}, {}: {}", terms.product, words::terms(terms));
    let state = format!("Now {}, {filled}", leader.status);
    [title, order, state].iter().map(|sentence| wrapped(sentence, 0)).collect()
}

/// One follower's outcome.
fn follower(mirror: &MirrorStory) -> String {
    let mapping = &mirror.mapping;
    let mut parts = Vec::new();
    parts.extend(mapping.reason.map(|reason| words::code(DeniedReason::as_str(reason))));
    if mapping.target.get() > 0 || mapping.filled.get() > 0 {
        parts.push(format!("{} of {} units filled", mapping.filled, mapping.target));
    }
    if let Some(comparison) = &mirror.comparison {
        parts.push(format!("at {} against {}", comparison.follower_average, comparison.leader_average));
        let ticks = comparison.slippage_ticks.map_or(String::new(), |ticks| format!(", {ticks} tick(s)"));
        let bps =
            comparison.slippage_bps_x100.map_or(String::new(), |bps| format!(", {} bps", hundredths(bps)));
        parts.push(format!("slippage {} rupees{ticks}{bps}", comparison.slippage));
        parts.extend(comparison.delay_us.map(|us| match us {
            ..0 => format!("{} before the leader's fill", span(-us)),
            0 => "in the second of the leader's fill".to_owned(),
            _ => format!("{} after the leader's fill", span(us)),
        }));
    }
    let name = cut(mapping.key.follower.as_str());
    let body = wrapped(&parts.join("; "), 4 + WHO_WIDTH + 15);
    format!("  {name:<WHO_WIDTH$}  {:<13}{body}", mapping.outcome.as_str())
}

/// One step; what belongs to it below it.
fn line(step: &Step, before: Option<Timestamp>) -> String {
    let after = before.map_or(String::new(), |before| format!("+{}", words::between(before, step.at)));
    let body = wrapped(&step.text, MARGIN);
    let mut text = format!("{} {after:>9}  {:<WHO_WIDTH$}  {body}", words::clock(step.at), cut(&step.who));
    for detail in &step.details {
        write!(text, "{:MARGIN$}  {}", "", wrapped(detail, MARGIN + 2)).ok();
    }
    text
}

fn cut(name: &str) -> String {
    if name.chars().count() <= WHO_WIDTH {
        return name.to_owned();
    }
    name.chars().take(WHO_WIDTH - 1).chain(['…']).collect()
}

/// A sentence broken at spaces; every line but the first is indented. A word that is too long for a line is broken too.
fn wrapped(sentence: &str, indent: usize) -> String {
    let room = WIDTH - indent;
    let mut lines = vec![String::new()];
    for word in sentence.split_whitespace() {
        let mut rest: Vec<char> = word.chars().collect();
        while !rest.is_empty() {
            let used = lines.last().map_or(0, |line| line.chars().count());
            let gap = usize::from(used > 0);
            if used + gap + rest.len() > room && used > 0 {
                lines.push(String::new());
                continue;
            }
            let piece: String = rest.drain(..rest.len().min(room)).collect();
            if let Some(line) = lines.last_mut() {
                line.push_str(&" ".repeat(gap));
                line.push_str(&piece);
            }
        }
    }
    let margin = format!("\n{:indent$}", "");
    lines.join(&margin) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_too_long_whatever_is_in_it() {
        let sentence = format!("{} {} short", "word ".repeat(60), "x".repeat(300));
        for indent in [0, MARGIN, 80] {
            let text = wrapped(&sentence, indent);
            assert!(text.lines().next().is_some_and(|line| line.chars().count() + indent <= WIDTH));
            assert!(text.lines().skip(1).all(|line| line.chars().count() <= WIDTH), "{text}");
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            assert_eq!(letters(&text), letters(&sentence));
        }
        assert_eq!(wrapped("", 10), "\n");
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(cut("asha"), "asha");
        assert_eq!(cut("somebody-with-a-name").chars().count(), WHO_WIDTH);
    }
}
