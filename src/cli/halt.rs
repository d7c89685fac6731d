//! `tandem halt`: the kill switch (P17, P27). A running daemon is told at its socket; of a stopped one the database is
//! locked and the row written from here. Either way the answer says what is durable.

mod stopped;
mod watching;
mod words;

use std::path::PathBuf;

use tandem_domain::ids::FollowerId;

use super::place::Place;
use super::telling::{Told, tell};
use super::{ExitStatus, say_error};
use crate::control::protocol::{Answer, Command, RefusedReason, Request, Standing, VERSION};

/// How far to stop.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    target: Target,
    /// Cancel exits that work, too; entries that work are cancelled anyway.
    #[arg(long)]
    cancel_working: bool,
    /// Cancel every copy that works, and sell or buy back what was copied, until flat.
    #[arg(long, conflicts_with = "cancel_working")]
    square_off: bool,
    /// Open nothing more, but leave entries that work.
    #[arg(long, conflicts_with_all = ["cancel_working", "square_off"])]
    reduce: bool,
    /// Do not wait until the square-off is over.
    #[arg(long, requires = "square_off")]
    no_wait: bool,
}

/// Of whom, of which daemon.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// Only this follower; all of them otherwise.
    #[arg(long, value_name = "FOLLOWER", value_parser = |text: &str| FollowerId::new(text))]
    follower: Option<FollowerId>,
    /// The daemon's control socket, where it is not the one beside its database.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) command: Command,
    /// Stay until a square-off is over.
    pub(super) watches: bool,
}

pub(super) fn halt(options: Options) -> anyhow::Result<ExitStatus> {
    let Options { target, cancel_working, square_off, reduce, no_wait } = options;
    let command = match (square_off, reduce) {
        (true, _) => Command::SquareOff,
        (false, true) => Command::Reduce,
        (false, false) => Command::Halt { cancel_working },
    };
    carry_out(target, Order { command, watches: square_off && !no_wait })
}

/// Tells the daemon, or does it in its stead.
pub(super) fn carry_out(target: Target, order: Order) -> anyhow::Result<ExitStatus> {
    let Target { follower, socket, place } = target;
    let located = match place.locate(socket) {
        Ok(located) => located,
        Err(status) => return Ok(status),
    };
    // A question is no order.
    let Some(control) = order.command.control() else { return Ok(ExitStatus::Ok) };
    let request = Request { version: VERSION, command: order.command.clone(), follower };
    let instead = || stopped::carry_out(&located.database, &request, control);
    actix_rt::System::new().block_on(async {
        match tell(&located, &request, instead).await {
            Ok(Told::Daemon(answer)) => conclude(&located.socket, answer, &request, &order).await,
            Ok(Told::Nobody(standings)) => words::told_to_nobody(&standings, &order.command),
            Err(status) => Ok(status),
        }
    })
}

/// Says what a running daemon answered.
async fn conclude(
    socket: &std::path::Path,
    answer: Answer,
    request: &Request,
    order: &Order,
) -> anyhow::Result<ExitStatus> {
    let standings = match answer {
        Answer::Followers(standings) => standings,
        // Of incidents it was not asked.
        Answer::Incidents(_) => return Ok(ExitStatus::NotRecorded),
        Answer::Refused { reason, text } => {
            say_error(&format!("error: {text}"));
            return Ok(match reason {
                RefusedReason::UnknownFollower => ExitStatus::UnknownName,
                _ => ExitStatus::NotRecorded,
            });
        }
    };
    words::told(&standings)?;
    let status = status_of(&standings, &order.command);
    if order.watches && status == ExitStatus::Ok {
        return watching::until_flat(socket, request.follower.clone(), standings).await;
    }
    Ok(status)
}

/// Zero only if all of it is durable.
fn status_of(standings: &[Standing], command: &Command) -> ExitStatus {
    let resumes = *command == Command::Resume;
    let done = |standing: &Standing| {
        standing.recorded && (!resumes || standing.state == tandem_domain::trading::TradingState::Active)
    };
    if standings.iter().all(done) { ExitStatus::Ok } else { ExitStatus::NotRecorded }
}
