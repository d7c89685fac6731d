//! `tandem explain`: one leader order's story across all followers, from the database alone. Takes no lock, writes
//! nothing.

mod json;
mod nearest;
mod requests;
mod steps;
mod text;
mod words;

use std::io::Write;

use anyhow::Context;
use tandem_actors::store::{AccountOrder, Found, Story};
use tandem_domain::ids::BrokerOrderId;
use tandem_domain::time::TradingDay;

use super::place::Place;
use super::{ExitStatus, say_error};

/// What to explain, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The broker's id of the leader's order; the id of a leg, or of a follower's copy, leads to it.
    #[arg(value_name = "LEADER_ORDER_ID")]
    order: String,
    /// The trading day, YYYY-MM-DD; otherwise the newest that knows the id.
    #[arg(long, value_name = "DAY")]
    day: Option<TradingDay>,
    #[command(flatten)]
    place: Place,
    /// For people, or for programs.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// The form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Lines of at most 110 columns; times in India.
    Text,
    /// One JSON object; times in UTC microseconds.
    Json,
}

pub(super) fn explain(options: Options) -> anyhow::Result<ExitStatus> {
    let Options { order, day, place, format } = options;
    let reader = match place.open()? {
        Ok(reader) => reader,
        Err(status) => return Ok(status),
    };
    let id = order.trim();
    let story = match reader.story(id, day).context("read the database")? {
        Found::Story(story) => story,
        Found::External(order) => return Ok(refuse_external(&order)),
        Found::Nothing { day, leader_orders } => return Ok(refuse_unknown(id, day, &leader_orders)),
    };
    let mut out = std::io::stdout().lock();
    match format {
        Format::Text => write!(out, "{}", text::of(&story, asked_for(&story, id).as_deref()))?,
        Format::Json => writeln!(out, "{:#}", json::of(&story))?,
    }
    Ok(ExitStatus::Ok)
}

/// How the id that was given belongs to the story, when it is not the leader order's own.
fn asked_for(story: &Story, id: &str) -> Option<String> {
    if story.leader.broker_order_id.as_str() == id {
        return None;
    }
    if let Some(event) = story.events.iter().find(|event| event.broker_order_id.as_str() == id) {
        return Some(format!("{id} is its {}.", words::leg(event.leg)));
    }
    let mut of_followers = story.mirrors.iter().flat_map(|mirror| {
        let follower = &mirror.mapping.key.follower;
        mirror.orders.iter().map(move |order| (follower, order))
    });
    let (follower, order) = of_followers.find(|(_, order)| order.report.broker_order_id.as_str() == id)?;
    Some(match &order.report.parent {
        Some(parent) => format!(
            "{id} is the {} of {parent}, the copy of it at follower {follower}.",
            words::leg(order.report.leg)
        ),
        None => format!("{id} is the copy of it at follower {follower}."),
    })
}

fn refuse_external(order: &AccountOrder) -> ExitStatus {
    let report = &order.report;
    say_error(&format!(
        "error: order {} of {} was placed by somebody else in account {}: it is neither a leader's order nor a copy",
        report.broker_order_id,
        order.trading_day,
        report.account.masked()
    ));
    ExitStatus::Failed
}

fn refuse_unknown(id: &str, day: Option<TradingDay>, leader_orders: &[BrokerOrderId]) -> ExitStatus {
    let Some(day) = day else {
        say_error(&format!("error: no order {id:?} is known; no leader order was ever recorded"));
        return ExitStatus::Failed;
    };
    let hint = match nearest::to(id, leader_orders).as_slice() {
        [] => format!("no leader order of {day} is known"),
        near => format!("nearest leader orders of {day}: {}", near.join(", ")),
    };
    say_error(&format!("error: no order {id:?} is known\nhint: {hint}"));
    ExitStatus::Failed
}
