//! `tandem incidents`: what a person should know of and has not dealt with yet, and how each ends. Listing reads the
//! database; closing goes to the running daemon, or to the rows while none runs, and leaves an entry of the audit log.

mod closing;
mod words;

use std::io::Write;

use anyhow::Context;
use serde_json::{Value, json};
use tandem_actors::incident_kinds::ending;
use tandem_actors::store::IncidentStory;
use tandem_domain::ids::FollowerId;
use tandem_domain::time::Timestamp;

use super::ExitStatus;
use super::place::Place;

/// More than anybody reads at once; older ones are in the database.
const LISTED_MAX: u32 = 1000;

/// To list, or to close.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say that you have dealt with incidents. One that is provably still so is not closed.
    Close(closing::Options),
}

#[derive(Debug, clap::Args)]
struct Listing {
    /// Those that are closed, too.
    #[arg(long)]
    all: bool,
    /// One JSON array instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

pub(super) fn incidents(options: Options) -> anyhow::Result<ExitStatus> {
    match options.command {
        Some(Command::Close(closing)) => closing::close(closing),
        None => list(options.listing),
    }
}

fn list(Listing { all, json, place }: Listing) -> anyhow::Result<ExitStatus> {
    let reader = match place.open()? {
        Ok(reader) => reader,
        Err(status) => return Ok(status),
    };
    let stories = if all {
        reader.incidents(LISTED_MAX)
    } else {
        reader.open_incidents().map(|open| {
            let story = |incident| IncidentStory { incident, closed_at: None, note: None };
            open.into_iter().map(story).collect()
        })
    };
    let stories = stories.context("read the database")?;
    let mut out = std::io::stdout().lock();
    if json {
        let rows: Vec<Value> = stories.iter().map(as_json).collect();
        writeln!(out, "{:#}", Value::Array(rows))?;
    } else if stories.is_empty() {
        writeln!(out, "no incident is {}", if all { "on record" } else { "open" })?;
    } else {
        for story in &stories {
            write!(out, "{}", words::story(story))?;
        }
    }
    Ok(ExitStatus::Ok)
}

fn as_json(IncidentStory { incident, closed_at, note }: &IncidentStory) -> Value {
    json!({
        "id": &*incident.id,
        "opened_at_us": incident.opened_at.micros(),
        "kind": &*incident.kind,
        "follower": incident.follower.as_ref().map(FollowerId::as_str),
        "text": incident.text,
        "ends": ending(&incident.kind).words(),
        "closed_at_us": closed_at.map(Timestamp::micros),
        "note": note,
    })
}
