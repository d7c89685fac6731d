//! The command line: one module for each command.

mod audit;
mod backup;
mod check;
mod clock_skew;
mod exit;
mod explain;
mod halt;
mod incidents;
mod place;
mod preview;
mod restore;
mod resume;
mod run;
mod sim;
pub(crate) mod spans;
mod status;
mod telling;
mod verify;

use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use exit::ExitStatus;

/// Copies the option orders of one Dhan account into others, in proportion and provably once.
#[derive(Debug, Parser)]
#[command(version = VERSION, about, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[cfg(not(feature = "faults"))]
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// A build that can be made to fail says so.
#[cfg(feature = "faults")]
const VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), " with fault points: for tests on this machine only");

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 a check or the run failed, 2 bad settings or command line (nothing started), 3 another instance \
holds the database, 4 halted by the supervisor, 5 the database cannot be written; halt, resume and \
incidents close: 6 not recorded, 7 unknown name; 8 no database, 9 the audit log was tampered with, 10 the database or a backup is damaged; verify: 11 a \
promise is broken.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch the leader and copy, until SIGINT or SIGTERM.
    Run {
        /// Settings file; config/live.example.toml is a start.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Trade a simulated day with two followers in this process, and compare the books.
    Demo,
    /// Serve a simulated broker on this machine until SIGINT or SIGTERM.
    Sim(sim::Options),
    /// Stop opening positions, at once and until `resume`; of all followers, or of one. Running or stopped.
    Halt(halt::Options),
    /// Trade again after a halt: only what the leader orders from now on is copied. Running or stopped.
    Resume(resume::Options),
    /// Show what the database knows: accounts, outcomes, active orders, delays, slippage, gaps, health.
    Status {
        #[command(flatten)]
        place: place::Place,
        /// One JSON object instead of tables.
        #[arg(long)]
        json: bool,
    },
    /// List what a person should know of and has not dealt with, with how each ends; `close` says that you have.
    Incidents(incidents::Options),
    /// Tell one leader order's story across all followers: every event, decision, request, answer and fill.
    Explain(explain::Options),
    /// Run a recorded day of the leader's through the present settings, without a broker: what would have been copied.
    Preview(preview::Options),
    /// Judge what Tandem promises by its database and, where given, the broker's book. Exit code 11: a promise is broken.
    Verify(verify::Options),
    /// Copy the database into a folder, beside a running daemon or without one, and check the copy.
    Backup(backup::Options),
    /// Put a backup in the place of the database, and halt every follower. Only while no daemon runs.
    Restore(restore::Options),
    /// Look whether the audit log is as it was written.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Look whether copying could start: tokens, funds, addresses, instruments, clock, database. Places nothing.
    Check {
        /// Settings file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// Reads the command line and does what it says. Errors go to standard error, with every cause and no secret.
pub fn main() -> ExitStatus {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return complain(&error),
    };
    #[cfg(feature = "faults")]
    if let Err(error) = tandem_actors::faults::arm_from_environment() {
        say_error(&format!("error: {error}"));
        return ExitStatus::BadSettings;
    }
    let done = match arguments.command {
        Command::Run { config } => run::run(&config),
        Command::Demo => crate::demo::run(),
        Command::Sim(options) => sim::sim(options),
        Command::Halt(options) => halt::halt(options),
        Command::Resume(options) => resume::resume(options),
        Command::Status { place, json } => status::status(place, json),
        Command::Incidents(options) => incidents::incidents(options),
        Command::Explain(options) => explain::explain(options),
        Command::Preview(options) => preview::preview(options),
        Command::Verify(options) => verify::verify(options),
        Command::Backup(options) => backup::backup(options),
        Command::Restore(options) => restore::restore(options),
        Command::Audit(command) => audit::audit(command),
        Command::Check { config } => check::check(&config),
    };
    done.unwrap_or_else(|error| {
        say_error(&format!("error: {error:#}"));
        ExitStatus::Failed
    })
}

/// Help and version are no errors; clap tells them apart.
fn complain(error: &clap::Error) -> ExitStatus {
    let printed = error.print().is_ok();
    if printed && !error.use_stderr() { ExitStatus::Ok } else { ExitStatus::BadSettings }
}

/// Writes a line to standard error; one that cannot be written has nowhere to be reported.
fn say_error(text: &str) {
    writeln!(std::io::stderr().lock(), "{}", text.trim_end()).ok();
}
