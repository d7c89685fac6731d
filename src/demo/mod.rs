//! A whole simulated day in one command: the simulator, the real daemon between them sockets, and a leader who trades.
//!
//! - `day`, `day.txt`: what the leader does and what must become of it, written down.
//! - `play`: goes through it; `trading`: what people do at the simulated broker.
//! - `stage`: the simulator with everything in place, and the daemon's settings; `daemon`: the daemon on its thread.
//! - `books`: what was found at the end; `compare`: where it differs from what was written down; `promises`: what the
//!   independent checker says of it.
//! - `show`, `report`: what is seen.

mod books;
mod compare;
mod daemon;
mod day;
mod play;
mod promises;
mod report;
mod show;
mod stage;
mod trading;

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use self::books::Evidence;
use self::compare::Remains;
use self::daemon::Daemon;
use self::day::Day;
use self::play::play;
use self::show::{Show, say};
use self::stage::{Stage, database, log_file};
use crate::cli::ExitStatus;
use crate::telemetry;

/// A day that takes longer is stuck: an ordinary machine needs a quarter of a minute, one that others take most of, minutes.
const DAY_DEADLINE: Duration = Duration::from_mins(10);

/// Runs the day and compares the books with what was written down.
pub fn run() -> anyhow::Result<ExitStatus> {
    let folder = tempfile::Builder::new().prefix("tandem-demo-").tempdir().context("make a folder")?;
    let ending = actix_rt::System::new().block_on(demo(folder.path()));
    if !matches!(ending, Ok(Ending::Right | Ending::Interrupted)) {
        let kept = folder.keep();
        say(&format!("Kept for a look: {}", kept.display()))?;
    }
    Ok(match ending? {
        Ending::Right => ExitStatus::Ok,
        Ending::Wrong | Ending::Interrupted => ExitStatus::Failed,
    })
}

/// How the demo ended, if nothing broke.
enum Ending {
    Right,
    Wrong,
    Interrupted,
}

async fn demo(folder: &Path) -> anyhow::Result<Ending> {
    let began = Instant::now();
    let day = Day::built_in()?;
    let stage = Stage::set(&day)?;
    let settings = stage.settings(folder)?;
    let log = telemetry::init(&settings.log).context("set up the log lines")?;
    say(&format!(
        "A day of index options on {}: one leader, two followers\nSimulated broker: {}\nLog lines: {}",
        stage.trading_day,
        stage.simulator.rest_url(),
        log_file(folder).display()
    ))?;
    let mut daemon = Daemon::start(settings)?;
    let mut show = Show::new(day.orders().count())?;
    let played = tokio::select! {
        played = timeout(DAY_DEADLINE, play(&day, &stage, folder, &mut show)) => {
            Some(played.context("the day came to a standstill").flatten())
        }
        died = daemon.ended() => Some(Err(died)),
        told = interrupted() => {
            told?;
            None
        }
    };
    show.finish();
    let Some(played) = played else {
        say("Interrupted: stopping")?;
        daemon.stop().await?;
        return Ok(Ending::Interrupted);
    };
    let expected = played?;
    let stopped = daemon.stop().await?;
    let found = Evidence::gather(&stage, &database(folder))?;
    let mut differences = compare::differences(&expected, &remains(&day, &stage)?, &found);
    if stopped != ExitStatus::Ok {
        differences.push(format!("the daemon ended with exit code {}", stopped as u8));
    }
    let promises = promises::judge(&stage, &database(folder))?;
    differences.extend(promises.broken);
    drop(log);
    say(&report::of(&day, &stage, &found, &differences, std::io::stdout().is_terminal()))?;
    let seconds = began.elapsed().as_secs_f64();
    if compare::verdict(&differences) == ExitStatus::Ok {
        say(&format!(
            "Checked by the daemon's history and the broker's book: {} promises judged, none broken",
            promises.judged
        ))?;
        say(&format!("Right: every order, fill, position and record is as written down ({seconds:.1} s)"))?;
        Ok(Ending::Right)
    } else {
        say(&format!(
            "WRONG: {} differences from what was written down ({seconds:.1} s)",
            differences.len()
        ))?;
        Ok(Ending::Wrong)
    }
}

/// What must be left, by the exchange's numbers.
fn remains(day: &Day, stage: &Stage) -> anyhow::Result<Remains> {
    let rows = day.left.iter().map(|((alias, product), left)| {
        let instrument = stage.instrument(alias)?;
        let units = |lots: Option<u32>| lots.map(|lots| i64::from(lots) * i64::from(instrument.units_in_lot));
        let [asha, bala] = left.followers;
        Ok(((instrument.key, *product), [left.leader, asha, bala].map(units)))
    });
    rows.collect()
}

/// Done at the first SIGINT or SIGTERM.
async fn interrupted() -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
