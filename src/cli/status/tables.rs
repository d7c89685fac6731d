//! The picture as tables of at most 100 columns: framed in a terminal, plain text elsewhere.

use std::fmt::Write as _;

use comfy_table::presets::{NOTHING, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde_json::Value;
use tandem_domain::time::Timestamp;
use tandem_domain::trading::Trading;

use super::Picture;
use crate::cli::spans::{hundredths, span};

/// Fits a terminal of ordinary width, and a mail.
const WIDTH: u16 = 100;
/// More active orders than anybody reads in a terminal; `--json` has them all.
const ACTIVE_ORDERS_MAX: usize = 40;

pub(super) fn of(picture: &Picture, framed: bool) -> String {
    let mut text = String::new();
    let mut section = |title: &str, table: Option<Table>| {
        let body = table.map_or_else(|| "  none".to_owned(), |table| table.trim_fmt());
        // Writing to a String cannot fail.
        write!(text, "\n{title}\n{body}\n").ok();
    };
    let build = |header: &[&str], numeric: &[usize], rows: Vec<Vec<String>>| {
        (!rows.is_empty()).then(|| table(header, numeric, rows, framed))
    };

    section("Accounts", {
        build(
            &["account", "available", "utilised", "start of day", "read at (IST)"],
            &[1, 2, 3],
            funds(picture),
        )
    });
    section("Trading", {
        build(&["follower", "state", "cause", "since (IST)", "squaring off"], &[], trading(picture))
    });
    section("Outcomes", build(&["follower", "outcome", "reason", "orders"], &[3], outcomes(picture)));
    let shown = picture.active.len().min(ACTIVE_ORDERS_MAX);
    section(&format!("Active orders ({shown} of {})", picture.active.len()), {
        let header = ["account", "role", "instrument", "side", "type", "price", "filled/quantity", "status"];
        build(&header, &[5, 6], active_orders(picture))
    });
    section("Added latency, frame received to request written", {
        build(&["requests", "p50 us", "p99 us", "max us"], &[0, 1, 2, 3], latency(picture))
    });
    section("Delays of copies, median / worst (the leader's clock shows whole seconds)", {
        let names = super::delays::STRETCHES.map(|(name, _)| name);
        build(&[&["follower"][..], &names[..]].concat(), &[1, 2, 3, 4, 5], delays(picture))
    });
    section("Slippage against the leader, positive is worse", {
        let header = ["follower", "copies", "units", "rupees", "ticks a unit", "bps"];
        build(&header, &[1, 2, 3, 4, 5], slippage(picture))
    });
    section("Open gaps", {
        let header = ["since (IST)", "follower", "leader order", "kind", "units", "result", "what"];
        build(&header, &[4], gaps(picture))
    });
    section("Detached copies, left to a human's hand", {
        build(&["seen (IST)", "follower", "leader order"], &[], detached(picture))
    });
    section("Actors", {
        let header = ["actor", "life", "state", "handled", "waiting", "reported (IST)", "last error"];
        build(&header, &[1, 3, 4], actors(picture))
    });
    section("Access tokens", build(&["actor", "ends (IST)", "renewal"], &[], tokens(picture)));
    section("Open incidents", build(&["since (IST)", "kind", "follower", "what"], &[], incidents(picture)));
    format!("{}\n{text}", headline(picture))
}

fn headline(picture: &Picture) -> String {
    let Some(day) = picture.day else { return "Nothing recorded yet".to_owned() };
    let counts = &picture.counts;
    format!(
        "Trading day {day}: {} leader orders, {} follower orders, {} external orders, {} trades, {} unknown",
        counts.leader_orders,
        counts.follower_orders,
        counts.external_orders,
        counts.trades,
        counts.unknown_intents
    )
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

fn funds(picture: &Picture) -> Vec<Vec<String>> {
    let row = |row: &tandem_actors::store::FundsSnapshot| {
        let funds = row.funds;
        let amounts = [funds.available, funds.utilised, funds.start_of_day].map(|amount| amount.to_string());
        [vec![row.account.masked()], amounts.to_vec(), vec![clock_time(row.taken_at)]].concat()
    };
    picture.funds.iter().map(row).collect()
}

fn trading(picture: &Picture) -> Vec<Vec<String>> {
    let rows = picture.trading.iter().map(|(follower, trading)| {
        vec![
            follower.to_string(),
            trading.state.to_string(),
            trading.cause.map_or_else(String::new, |cause| cause.to_string()),
            if *trading == Trading::ACTIVE { String::new() } else { clock_time(trading.since) },
            if trading.is_squaring_off { "yes".to_owned() } else { String::new() },
        ]
    });
    rows.collect()
}

fn outcomes(picture: &Picture) -> Vec<Vec<String>> {
    let rows = picture.outcomes.iter().map(|row| {
        let reason = row.reason.map_or("", |reason| reason.as_str());
        vec![row.follower.to_string(), row.outcome.to_string(), reason.to_owned(), row.mirrors.to_string()]
    });
    rows.collect()
}

fn active_orders(picture: &Picture) -> Vec<Vec<String>> {
    let rows = picture.active.iter().take(ACTIVE_ORDERS_MAX).map(|row| {
        let terms = &row.report.terms;
        vec![
            row.report.account.masked(),
            row.role.as_str().to_owned(),
            terms.instrument.to_string(),
            terms.side.to_string(),
            terms.order_type.to_string(),
            terms.price.to_string(),
            format!("{}/{}", row.report.cumulative.get(), terms.quantity.get()),
            row.report.status.to_string(),
        ]
    });
    rows.collect()
}

fn latency(picture: &Picture) -> Vec<Vec<String>> {
    let row = |latency: &super::Latency| {
        let numbers = [latency.p50, latency.p99, latency.max].map(|number| number.to_string());
        [vec![latency.requests.to_string()], numbers.to_vec()].concat()
    };
    picture.latency.iter().map(row).collect()
}

fn delays(picture: &Picture) -> Vec<Vec<String>> {
    let rows = picture.delays.iter().map(|row| {
        let stretches = row.stretches.iter().map(|stretch| {
            stretch.map_or_else(
                || "-".to_owned(),
                |stretch| format!("{} / {}", span(stretch.median), span(stretch.worst)),
            )
        });
        std::iter::once(row.follower.to_string()).chain(stretches).collect()
    });
    rows.collect()
}

fn slippage(picture: &Picture) -> Vec<Vec<String>> {
    let figure = |figure: Option<i64>| figure.map_or_else(|| "-".to_owned(), hundredths);
    let rows = picture.slippage.iter().map(|row| {
        vec![
            row.follower.to_string(),
            row.copies.to_string(),
            row.units.to_string(),
            row.money.to_string(),
            figure(row.ticks_x100()),
            figure(row.bps_x100()),
        ]
    });
    rows.collect()
}

fn gaps(picture: &Picture) -> Vec<Vec<String>> {
    let rows = picture.gaps.iter().map(|(row, opened_at)| {
        vec![
            clock_time(*opened_at),
            row.key.follower.to_string(),
            row.key.leader_order.to_string(),
            row.gap.kind.to_string(),
            row.gap.units.to_string(),
            row.gap.result.to_string(),
            row.text.to_string(),
        ]
    });
    rows.collect()
}

fn detached(picture: &Picture) -> Vec<Vec<String>> {
    let rows = picture.detached.iter().map(|(key, seen_at)| {
        vec![clock_time(*seen_at), key.follower.to_string(), key.leader_order.to_string()]
    });
    rows.collect()
}

fn actors(picture: &Picture) -> Vec<Vec<String>> {
    let rows = picture.health.iter().map(|row| {
        let snapshot: Value = serde_json::from_str(&row.snapshot).unwrap_or_default();
        let word = |key: &str| match &snapshot[key] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        vec![
            row.actor.to_string(),
            row.generation.to_string(),
            word("state"),
            word("handled"),
            word("mailbox_depth"),
            clock_time(row.reported_at),
            word("last_error"),
        ]
    });
    rows.collect()
}

/// What actors said of their tokens last; the token itself is nowhere.
fn tokens(picture: &Picture) -> Vec<Vec<String>> {
    let rows = picture.health.iter().filter_map(|row| {
        let snapshot: Value = serde_json::from_str(&row.snapshot).ok()?;
        let token = snapshot["details"]["token"].as_object()?;
        let word = |key: &str| token.get(key).and_then(Value::as_str).map(str::to_owned);
        let ends = word("ends_ist").unwrap_or_else(|| "not known".to_owned());
        Some(vec![row.actor.to_string(), ends, word("renewal").unwrap_or_default()])
    });
    rows.collect()
}

fn incidents(picture: &Picture) -> Vec<Vec<String>> {
    let rows = picture.incidents.iter().map(|row| {
        let follower = row.follower.as_ref().map_or_else(String::new, ToString::to_string);
        vec![clock_time(row.opened_at), row.kind.to_string(), follower, row.text.clone()]
    });
    rows.collect()
}

fn clock_time(at: Timestamp) -> String {
    at.ist().format("%m-%d %H:%M:%S").to_string()
}
