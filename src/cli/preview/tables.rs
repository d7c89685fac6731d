//! The preview as tables of at most 100 columns: framed in a terminal, plain text elsewhere.

use std::fmt::Write as _;

use comfy_table::presets::{NOTHING, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, ContentArrangement, Table};
use tandem_domain::price::Money;
use tandem_domain::sizing::{Ratio, Strategy};
use tandem_domain::time::Timestamp;
use tandem_domain::trading::TradingState;

use crate::cli::spans::hundredths;
use crate::preview::{ASSUMPTIONS, Copied, FollowerOutcome, Ordered, Preview, Rounding, Traded};

/// Fits a terminal of ordinary width, and a mail.
const WIDTH: u16 = 100;
/// Billionths in a thousandth.
const PER_THOUSANDTH: i128 = 1_000_000;

pub(super) fn of(preview: &Preview, with_orders: bool, framed: bool) -> String {
    let mut text = format!(
        "Preview of {} from {}: {} leader orders in {} states\n",
        preview.day,
        preview.source,
        preview.orders.len(),
        preview.leader.states
    );
    for warning in &preview.warnings {
        writeln!(text, "warning: {warning}").ok();
    }
    let mut section = |title: &str, header: &[&str], numeric: &[usize], rows: Vec<Vec<String>>| {
        let body = if rows.is_empty() {
            "  none".to_owned()
        } else {
            table(header, numeric, rows, framed).trim_fmt()
        };
        // Writing to a String cannot fail.
        write!(text, "\n{title}\n{body}\n").ok();
    };
    let header = ["account", "capital", "ratio", "realised", "open", "profit", "of capital"];
    section("Profit and loss, in rupees", &header, &[1, 2, 3, 4, 5, 6], profits(preview));
    let header = ["follower", "copied", "not copied", "margin peak", "of capital", "at (IST)", "at the end"];
    section("Copies and margin", &header, &[1, 2, 3, 4], copies(preview));
    let header = ["follower", "reason", "orders", "exact lots", "traded", "missing"];
    section("Not copied, or not in full", &header, &[2, 3, 4, 5], denied(preview));
    let header = ["follower", "what", "exact lots", "traded", "difference", "per cent"];
    section(
        "Rounding against exact proportion, of all that nothing but whole lots kept from it",
        &header,
        &[2, 3, 4, 5],
        rounding(preview),
    );
    let header = ["account", "instrument", "units", "last price", "profit"];
    section("Positions at the end", &header, &[2, 3, 4], positions(preview));
    let notices = notices(preview);
    if !notices.is_empty() {
        section("Notices", &["follower", "what", "times"], &[2], notices);
    }
    if with_orders {
        write!(text, "\nOrders, in lots\n{}", orders(preview)).ok();
    }
    text.push_str("\nAssumed\n");
    for assumption in ASSUMPTIONS {
        text.push_str(&wrapped(assumption));
    }
    text
}

fn table(header: &[&str], numeric: &[usize], rows: Vec<Vec<String>>, framed: bool) -> Table {
    let mut table = Table::new();
    table.load_style(if framed { UTF8_FULL_CONDENSED } else { NOTHING });
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH).force_no_tty();
    table.set_header(header.iter().copied()).add_rows(rows);
    for index in numeric {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn profits(preview: &Preview) -> Vec<Vec<String>> {
    let row = |name: &str, capital: Option<Money>, ratio: String, traded: &Traded| {
        let profit = traded.realised.plus(traded.unrealised);
        vec![
            name.to_owned(),
            or_nothing(capital),
            ratio,
            traded.realised.to_string(),
            traded.unrealised.to_string(),
            profit.to_string(),
            percent(profit, capital),
        ]
    };
    let leader = row("leader", preview.leader.capital, String::new(), &preview.leader.traded);
    let followers = preview
        .followers
        .iter()
        .map(|follower| row(follower.id.as_str(), follower.capital, ratio_of(follower), &follower.traded));
    std::iter::once(leader).chain(followers).collect()
}

/// One ratio, where all orders of a day share it.
fn ratio_of(follower: &FollowerOutcome) -> String {
    match (follower.strategy, follower.ratio) {
        (Strategy::CapitalProportional | Strategy::FixedRatio, Some(ratio)) => decimal(ratio),
        (Strategy::CapitalProportional | Strategy::FixedRatio, None) => "-".to_owned(),
        (strategy, _) => strategy.to_string(),
    }
}

fn decimal(ratio: Ratio) -> String {
    let parts = u128::from(ratio.numerator) * 10_000 / u128::from(ratio.denominator.max(1));
    format!("{}.{:04}", parts / 10_000, parts % 10_000)
}

fn copies(preview: &Preview) -> Vec<Vec<String>> {
    let row = |follower: &FollowerOutcome| {
        let copied = follower.copies.iter().filter(|copy| copy.is_copied()).count();
        let state = match follower.trading.state {
            TradingState::Active => String::new(),
            state => follower.trading.cause.map_or(state.to_string(), |cause| format!("{state}: {cause}")),
        };
        let working = (follower.working > 0).then(|| format!("{} orders work", follower.working));
        let end: Vec<String> =
            [Some(state).filter(|text| !text.is_empty()), working].into_iter().flatten().collect();
        vec![
            follower.id.to_string(),
            copied.to_string(),
            (follower.copies.len() - copied).to_string(),
            follower.margin_peak.to_string(),
            percent(follower.margin_peak, follower.capital),
            follower.margin_peak_at.map_or_else(String::new, clock_time),
            end.join(", "),
        ]
    };
    preview.followers.iter().map(row).collect()
}

fn denied(preview: &Preview) -> Vec<Vec<String>> {
    let rows = preview.followers.iter().flat_map(|follower| {
        let id = follower.id.to_string();
        follower.denied().into_iter().map(move |(reason, (orders, lost))| {
            vec![
                id.clone(),
                reason.to_string(),
                orders.to_string(),
                lots(lost.exact),
                lots(lost.copied),
                lots(-lost.difference()),
            ]
        })
    });
    rows.collect()
}

fn rounding(preview: &Preview) -> Vec<Vec<String>> {
    let rows = preview.followers.iter().flat_map(|follower| {
        let (entry, exit) = follower.rounding();
        let row = |what: &str, rounding: Rounding| {
            vec![
                follower.id.to_string(),
                what.to_owned(),
                lots(rounding.exact),
                lots(rounding.copied),
                lots(rounding.difference()),
                rounding.bps().map_or_else(|| "-".to_owned(), hundredths),
            ]
        };
        [row("opened", entry), row("closed", exit)]
    });
    rows.collect()
}

fn positions(preview: &Preview) -> Vec<Vec<String>> {
    let of = |name: &str, traded: &Traded| {
        let row = |holding: &crate::preview::Holding| {
            vec![
                name.to_owned(),
                holding.symbol.clone(),
                holding.units.to_string(),
                holding.last.map_or_else(|| "not known".to_owned(), |price| price.to_string()),
                holding.unrealised.to_string(),
            ]
        };
        traded.open.iter().map(row).collect::<Vec<_>>()
    };
    let followers = preview.followers.iter().flat_map(|follower| of(follower.id.as_str(), &follower.traded));
    of("leader", &preview.leader.traded).into_iter().chain(followers).collect()
}

fn notices(preview: &Preview) -> Vec<Vec<String>> {
    let rows = preview.followers.iter().flat_map(|follower| {
        let row = |(what, times): (&&str, &usize)| {
            vec![follower.id.to_string(), (*what).to_owned(), times.to_string()]
        };
        follower.alerts.iter().map(row).collect::<Vec<_>>()
    });
    rows.collect()
}

/// Each leader order, and below it a line for each follower.
fn orders(preview: &Preview) -> String {
    let names = preview.followers.iter().map(|follower| follower.id.as_str().chars().count());
    let width = names.max().unwrap_or(0);
    let mut text = String::new();
    for (index, order) in preview.orders.iter().enumerate() {
        let filled = if order.filled.is_zero() {
            "nothing filled".to_owned()
        } else {
            format!("{} filled at {}", in_lots(order.filled.get(), order.lot), order.average)
        };
        let (side, asked) = (order.side, in_lots(order.quantity.get(), order.lot));
        let at = clock_time(order.at);
        let (id, symbol, status) = (&order.id, &order.symbol, &order.status);
        writeln!(text, "{at}  {id}  {side} {asked} {symbol}: {filled}, {status}").ok();
        for follower in &preview.followers {
            let Some(copy) = follower.copies.get(index) else { continue };
            writeln!(text, "          {:width$}  {}", follower.id.as_str(), became(copy, order)).ok();
        }
    }
    text
}

fn became(copy: &Copied, order: &Ordered) -> String {
    let mut parts = Vec::new();
    if copy.filled > 0 {
        let at = copy.average.map_or_else(String::new, |price| format!(" at {price}"));
        parts.push(format!("{} filled{at}", in_lots(copy.filled, order.lot)));
    }
    if copy.target.get() > copy.filled {
        parts.push(format!("{} wanted", in_lots(copy.target.get(), order.lot)));
    }
    let exact = copy.entry.exact + copy.exit.exact;
    if exact > 0 {
        parts.push(format!("exactly {}", lots(exact)));
    }
    if copy.repaired > 0 {
        parts.push(format!("{} repaired", in_lots(copy.repaired, order.lot)));
    }
    let outcome = copy.outcome.map_or_else(|| "not told".to_owned(), |outcome| outcome.to_string());
    parts.push(copy.reason.map_or(outcome.clone(), |reason| format!("{outcome} ({reason})")));
    parts.extend(copy.note.map(|note| note.to_string()));
    let gap = copy.gap.map(|gap| format!("{} {}: {}", gap.kind, gap.units, gap.result));
    parts.extend(gap);
    parts.join("; ")
}

/// Units as lots: whole ones without a fraction.
fn in_lots(units: u32, lot: u32) -> String {
    let lot = lot.max(1);
    if units.is_multiple_of(lot) {
        (units / lot).to_string()
    } else {
        lots(i128::from(units) * 1_000_000_000 / i128::from(lot))
    }
}

/// A point of a list, in lines of the width.
fn wrapped(point: &str) -> String {
    let mut text = String::new();
    let mut line = String::from("  -");
    for word in point.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > usize::from(WIDTH) {
            writeln!(text, "{line}").ok();
            line = String::from("   ");
        }
        line.push(' ');
        line.push_str(word);
    }
    writeln!(text, "{line}").ok();
    text
}

/// Parts of a lot, to the nearest thousandth.
fn lots(billionths: i128) -> String {
    let half = if billionths < 0 { -PER_THOUSANDTH / 2 } else { PER_THOUSANDTH / 2 };
    let thousandths = (billionths + half) / PER_THOUSANDTH;
    let sign = if thousandths < 0 { "-" } else { "" };
    let magnitude = thousandths.unsigned_abs();
    format!("{sign}{}.{:03}", magnitude / 1_000, magnitude % 1_000)
}

fn percent(part: Money, whole: Option<Money>) -> String {
    let Some(whole) = whole.filter(|whole| *whole > Money::ZERO) else { return "-".to_owned() };
    let bps = i128::from(part.units()) * 10_000 / i128::from(whole.units());
    format!("{} %", hundredths(i64::try_from(bps).unwrap_or(i64::MAX)))
}

fn or_nothing(money: Option<Money>) -> String {
    money.map_or_else(|| "-".to_owned(), |money| money.to_string())
}

fn clock_time(at: Timestamp) -> String {
    at.ist().format("%H:%M:%S").to_string()
}
